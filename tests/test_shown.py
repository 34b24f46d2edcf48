"""config show: every key, its value and its origin, in YAML that comes to the same configuration."""
from __future__ import annotations

import json
from pathlib import Path
from typing import List

import pytest

from rmcagent import config
from rmcagent.cli import main
from rmcagent.config import shown

FILE = """\
mode: shadow
cadence: {look: 30s}
timeouts: {errpt: 1500ms}
commands: {rmcctrl: "/opt/with blank/rmcctrl"}
expect: {hmcs: [192.0.2.1, "fe80::1"], subsystems: {IBM.DRM: required}}
log: {files: ["/x y/*#z", "/tab'\\"quote/*"], storm: {bytes: 1MiB}}
remedies:
  recycle: {window: "Sat,Sun 01:00-05:00", budget: [1/24h, 4/30d], in_cluster: allow}
  recfgct: {mode: off}
report: {file: off, metrics: /var/lib/node_exporter/rmcagent.prom}
"""


def lines(text: str = "") -> List[str]:
    return shown.text(config.parse(text)).splitlines()


@pytest.mark.parametrize("text", ["", FILE])
def test_what_is_shown_is_a_configuration_that_comes_to_the_same(text: str) -> None:
    loaded = config.parse(text)

    again = config.parse(shown.text(loaded))

    assert again.settings == loaded.settings and again.hash == loaded.hash


def test_every_key_there_is_is_shown_once() -> None:
    told = [key["key"] for key in shown.document(config.parse(""))["keys"]]

    plain = [key for key, entry in config.each_key() if type(entry).__name__ == "Key"]
    assert set(plain) <= set(told) and len(told) == len(set(told))


def test_a_value_tells_the_file_and_line_that_it_comes_from(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    main_file, later = tmp_path / "rmcagent.yaml", tmp_path / "conf.d" / "10-site.yaml"
    main_file.write_text("mode: shadow\ntimeout: 30s\n")
    later.write_text("# ours\ntimeout: 40s\n")
    for path in (tmp_path, tmp_path / "conf.d", main_file, later):
        path.chmod(0o700)

    told = shown.text(config.load(str(main_file))).splitlines()

    assert told[0].endswith(f"; from {main_file}, {later}")
    assert told[1].split() == ["mode:", "shadow", "#", f"{main_file}:1"]
    assert next(line for line in told if line.startswith("timeout:")).split() == ["timeout:", "40s", "#", f"{later}:2"]
    assert next(line for line in told if line.startswith("platform:")).split() == ["platform:", "auto", "#", "default"]


def test_as_json_the_same_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rmcagent.yaml"
    path.write_text(FILE)
    tmp_path.chmod(0o700)
    path.chmod(0o600)

    assert main(["config", "show", "--json", "--config", str(path)]) == 0

    told = json.loads(capsys.readouterr().out)
    keys = {key["key"]: key for key in told["keys"]}
    assert told["schema"] == 1 and told["hash"] == config.load(str(path)).hash
    assert keys["remedies.recycle.budget"] == {"key": "remedies.recycle.budget", "value": ["1/1d", "4/30d"], "file": str(path),
                                               "line": 8}
    assert keys["remedies.refresh.budget"] == {"key": "remedies.refresh.budget", "value": "12/1d", "file": None, "line": None}


def test_a_configuration_with_mistakes_is_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rmcagent.yaml"
    path.write_text("mode: dance\n")
    tmp_path.chmod(0o700)

    assert main(["config", "show", "--config", str(path)]) == 6

    told = capsys.readouterr()
    assert told.out == "" and f"{path}:1" in told.err


def test_what_is_no_ascii_is_escaped_and_read_again_as_it_was() -> None:
    told = shown.text(config.parse('log: {files: ["/\u00e4\U0001f600*"]}\n'))

    assert told.isascii()
    assert config.parse(told).settings.log.files == ("/\u00e4\U0001f600*",)
