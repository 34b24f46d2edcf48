"""The daemon's configuration, read by a child: the same settings and the same mistakes, and nothing of YAML left behind."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from house import ROOT
from rmcagent import config, configured
from rmcagent.frozen import replace

FULL = """
mode: shadow
cadence: {pulse: 2s, look: 45s}
timeouts: {lspv: 90s}
commands: {lssrc: /opt/other/lssrc}
paths: {var_ct: /srv/ct}
expect: {management: required, hmcs: [10.9.8.7, 10.9.8.6], subsystems: {IBM.DRM: required}}
remedies:
  recycle: {window: "Sat 22:00-04:00", budget: [1/6h, 2/1d]}
report: {metrics: /srv/rmcagent.prom, file: "off"}
"""


def written(folder: Path, text: str) -> str:
    path = folder / "rmcagent.yaml"
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


@pytest.mark.parametrize("text", ["{}", FULL, (ROOT / "etc" / "rmcagent.yaml").read_text()])
def test_a_child_reads_what_the_daemon_would_have_read(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)

    loaded = configured.load_aside(path)

    assert loaded == replace(config.load(path), values={})
    assert loaded.settings.remedies["recycle"].budget == config.load(path).settings.remedies["recycle"].budget


def test_warnings_come_with_it(tmp_path: Path) -> None:
    path = written(tmp_path, "guards: {hmc_back: 0s}\nremedies: {recycle: {budget: 90/1d}}\n")

    expected = config.load(path).warnings

    assert configured.load_aside(path).warnings == expected


@pytest.mark.parametrize("text", ["mood: good\ncadence: {look: 5}\n", "a: [", "x: 1\n" * 80])
def test_mistakes_are_told_in_the_same_words(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(config.ConfigError) as own:
        config.load(path)

    with pytest.raises(config.ConfigError) as told:
        configured.load_aside(path)

    assert (str(told.value), told.value.mistakes, told.value.more) == (str(own.value), own.value.mistakes, own.value.more)


def test_where_no_child_can_be_had_the_daemon_reads_it_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> NoReturn:
        raise BlockingIOError(11, "no process")

    path, before = written(tmp_path, FULL), sorted(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, "fork", full)

    assert configured.load_aside(path).settings == config.load(path).settings
    assert sorted(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("ends", [lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: 1 / 0])
def test_a_child_that_ends_badly_is_no_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: object) -> None:
    path, ours, load = written(tmp_path, FULL), os.getpid(), config.load

    def reading(of: str) -> config.Loaded:
        if os.getpid() != ours:
            ends()   # type: ignore[operator]
        return load(of)

    monkeypatch.setattr(configured, "load", reading)

    assert configured.load_aside(path).settings.mode == "shadow"


def test_every_kind_of_value_survives_the_way() -> None:
    loaded = config.parse(FULL)

    back = configured.made(json.loads(json.dumps(configured.spelt((loaded.settings, loaded.files, None, 0.5, True)))))

    assert back == (loaded.settings, loaded.files, None, 0.5, True)


def test_nothing_of_yaml_stays(tmp_path: Path) -> None:
    program = ("import sys; sys.path.insert(0, sys.argv[1]); from rmcagent import configured, daemon;"
               "assert configured.load_aside(sys.argv[2]).settings.mode == 'shadow'; print(*sys.modules)")

    loaded = subprocess.run([sys.executable, "-I", "-c", program, str(ROOT / "agent"), written(tmp_path, FULL)],
                            capture_output=True, text=True, check=True, timeout=60).stdout.split()

    assert "rmcagent.config.nouns" in loaded
    assert not {"yaml", "rmcagent.config.reading", "rmcagent.config.rules", "rmcagent.config.table", "inspect"} & set(loaded)
