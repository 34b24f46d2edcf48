"""The daemon's configuration, read by a child: the same settings and the same mistakes, and nothing of YAML left behind."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Callable, List, NoReturn

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


@pytest.mark.parametrize("text", ["{}", FULL])
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


@pytest.mark.parametrize("lacks", ["pipe", "fork"])
def test_where_no_child_can_be_had_a_start_reads_it_itself_and_a_reload_is_refused(
        lacks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> NoReturn:
        raise OSError(11, "no more of those")

    path, before = written(tmp_path, FULL), opened()
    monkeypatch.setattr(os, lacks, full)

    assert configured.load_aside(path).settings == config.load(path).settings
    with pytest.raises(config.ConfigError, match="no more of those; .* restart the agent"):
        configured.load_anew(path)
    assert opened() == before


def dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dies_half_way() -> None:
    for number in range(3, 256):
        with suppress(OSError):
            os.write(number, b'{"tuple": [')
    dies()


def is_not_of_one_piece() -> None:
    raise ImportError("the package was replaced")


@pytest.mark.parametrize("ends", [dies, dies_half_way, is_not_of_one_piece])
def test_a_child_that_ends_badly_is_no_loss_at_a_start_and_keeps_the_old_policy_at_a_reload(
        ends: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a reload would load in the daemon itself, where the package below was replaced, would not fit what runs."""
    path, ours, load = written(tmp_path, FULL), os.getpid(), config.load

    def reading(of: str) -> config.Loaded:
        if os.getpid() != ours:
            ends()
        return load(of)

    monkeypatch.setattr(configured, "load", reading)

    assert configured.load_aside(path).settings.mode == "shadow"
    with pytest.raises(config.ConfigError, match="cannot read the configuration anew: .* restart the agent"):
        configured.load_anew(path)


def test_words_of_a_newer_package_are_not_taken_for_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, FULL)
    monkeypatch.setattr(configured, "spelt", lambda value: {"tuple": [{"Settings": [1, 2, 3]}, [], [], ""]})

    with pytest.raises(config.ConfigError, match="restart the agent"):
        configured.load_anew(path)


def test_a_file_system_that_does_not_answer_holds_the_daemon_no_longer_than_said_and_nothing_of_its_open(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that the child had inherited would keep the next agent from starting."""
    path, ours, noted = written(tmp_path, FULL), os.getpid(), tmp_path / "noted"

    def hangs(of: str) -> NoReturn:
        assert os.getpid() != ours, "it is not tried again here"
        listed = os.listdir("/proc/self/fd")
        noted.write_text(f"{os.getpid()} {signal.getsignal(signal.SIGTERM) is signal.SIG_DFL} {len(listed)}")
        signal.pause()
        raise AssertionError

    monkeypatch.setattr(configured, "load", hangs)
    monkeypatch.setattr(configured, "PATIENCE_SECONDS", 0.5)
    held = signal.signal(signal.SIGTERM, lambda number, frame: None)
    lock = os.dup2(1, 300)
    before = opened()

    with pytest.raises(config.ConfigError, match="its file system did not answer within 0.5 s"):
        configured.load_aside(path)

    os.close(lock)
    signal.signal(signal.SIGTERM, held)
    pid, deaf, files = noted.read_text().split()
    assert (deaf, files) == ("True", "2")         # the pipe, and what lists them
    assert opened() == [number for number in before if number != "300"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def test_a_signal_that_the_child_gets_wakes_no_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    os.set_blocking(theirs, False)
    before = signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    held = signal.signal(signal.SIGUSR2, lambda number, frame: None)

    def struck(of: str) -> config.Loaded:
        os.kill(os.getpid(), signal.SIGUSR2)
        return config.load(of)

    monkeypatch.setattr(configured, "load", struck)
    monkeypatch.setattr(os, "closerange", lambda first, last: None)

    configured.load_aside(written(tmp_path, FULL))

    signal.signal(signal.SIGUSR2, held)
    signal.set_wakeup_fd(before)
    with pytest.raises(BlockingIOError):
        os.read(ours, 1)
    os.close(ours)
    os.close(theirs)


def opened() -> List[str]:
    return sorted(os.listdir("/proc/self/fd"))


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
