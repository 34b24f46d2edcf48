"""What was published: how old it is by which clock, and whether its daemon lives."""
from __future__ import annotations

import json
import os
import posix
import time
from pathlib import Path
from typing import Any, Callable, List

import pytest

from rmcagent import published

Patch = pytest.MonkeyPatch


def test_a_link_that_came_in_between_is_not_followed(tmp_path: Path, monkeypatch: Patch) -> None:
    (tmp_path / "other.json").write_text('{"schema": 1, "verdict": "healthy"}')
    (tmp_path / "status.json").symlink_to("other.json")
    regular = os.lstat(tmp_path / "other.json")
    monkeypatch.setattr(posix, "lstat", lambda path: regular)

    with pytest.raises(ValueError, match="cannot read .*/status.json: Too many levels of symbolic links"):
        published.read(str(tmp_path / "status.json"))


def test_what_came_in_between_is_judged_by_what_was_opened(tmp_path: Path, monkeypatch: Patch) -> None:
    (tmp_path / "other.json").touch()
    os.mkfifo(tmp_path / "status.json")
    regular = os.lstat(tmp_path / "other.json")
    monkeypatch.setattr(posix, "lstat", lambda path: regular)

    with pytest.raises(ValueError, match="status.json: not a regular file; remove it"):
        published.read(str(tmp_path / "status.json"))


def test_somebody_elses_process_is_alive() -> None:
    if os.geteuid() == 0:
        assert published.alive({"pid": 1}) is True                # no other process is hidden from root
    else:
        with pytest.raises(PermissionError):
            os.kill(1, 0)
        assert published.alive({"pid": 1}) is True


@pytest.mark.parametrize("pid", [None, "1", 0, -1, 1.5, True])
def test_a_pid_that_is_none_is_never_signalled(pid: Any, monkeypatch: Patch) -> None:
    signalled: List[int] = []
    monkeypatch.setattr(posix, "kill", lambda pid, signal: signalled.append(pid))

    assert published.alive({"pid": pid}) is None

    assert signalled == []


def test_where_boots_cannot_be_told_the_wall_clock_tells_the_age(monkeypatch: Patch) -> None:
    monkeypatch.setattr(published, "BOOT_ID", "/nonexistent")
    monkeypatch.setattr(time, "time", lambda: 1777896028.0 + 30)

    assert published.age({"taken_at": "2026-05-04T14:00:28+02:00"}) == 30.0
    assert published.age({"taken_at": "yesterday"}) is None


def test_within_a_boot_the_wall_clock_does_not_matter(monkeypatch: Patch) -> None:
    monkeypatch.setattr(published, "_boot", lambda: "b")
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr(time, "monotonic", lambda: 105.0)

    assert published.age({"boot": "b", "monotonic": 100.0}) == 5.0
    assert published.age({"boot": "b", "monotonic": float("nan")}) is None


JSON = '{"a": [1, -2.5e3, "\\u00fc\\ud83d\\ude00", null, true, {}, []]}'


@pytest.mark.parametrize("text", [
    JSON, JSON + "\n", f" {JSON}\n ", JSON[:-1], JSON + "x", JSON[:9] + " " + JSON[9:], "", "NaN", '{"a": NaN}', '{"a": 1,}',
    "[" * 10**5,
    '"\ud800"', "\ufeff{}", '{"a": "\u00fc"}', '"\x07"', "{'a': 1}", "1e999", "null null",
])
def test_what_is_read_is_what_json_reads(text: str) -> None:
    content = text.encode("utf-8", "surrogatepass")

    assert meant(published._parsed, content) == meant(json.loads, content)


def meant(read: Callable[[bytes], Any], content: bytes) -> str:
    try:
        return repr(read(content))
    except (ValueError, RecursionError) as refused:
        return type(refused).__name__
