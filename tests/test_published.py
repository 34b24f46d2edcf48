"""What was published: how old it is by which clock, and whether its daemon lives."""
from __future__ import annotations

import os
import time
from datetime import datetime
from pathlib import Path
from typing import Any, List, Optional

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from rmcagent import published

Patch = pytest.MonkeyPatch


def test_a_link_that_came_in_between_is_not_followed(tmp_path: Path, monkeypatch: Patch) -> None:
    (tmp_path / "other.json").write_text('{"schema": 1, "verdict": "healthy"}')
    (tmp_path / "status.json").symlink_to("other.json")
    regular = os.lstat(tmp_path / "other.json")
    monkeypatch.setattr(os, "lstat", lambda path: regular)

    with pytest.raises(ValueError, match="cannot read .*/status.json: "):
        published.read(str(tmp_path / "status.json"))


def test_what_came_in_between_is_judged_by_what_was_opened(tmp_path: Path, monkeypatch: Patch) -> None:
    (tmp_path / "other.json").touch()
    os.mkfifo(tmp_path / "status.json")
    regular = os.lstat(tmp_path / "other.json")
    monkeypatch.setattr(os, "lstat", lambda path: regular)

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
    monkeypatch.setattr(os, "kill", lambda pid, signal: signalled.append(pid))

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


DIGITS = some.integers(0, 99).map("{:02}".format)
MOMENTS = some.builds("{}{}-{}-{}T{}:{}:{}{}{}:{}".format, DIGITS, DIGITS, some.integers(0, 13).map("{:02}".format),
                      some.integers(0, 32).map("{:02}".format), some.integers(0, 24).map("{:02}".format),
                      *[some.integers(0, 60).map("{:02}".format)] * 2, some.sampled_from("+-"),
                      some.integers(0, 24).map("{:02}".format), some.integers(0, 60).map("{:02}".format))


@settings(max_examples=80, deadline=None)
@given(MOMENTS | some.text(max_size=30))
@example("2024-02-29T23:59:59-05:30")
@example("2100-02-29T00:00:00+00:00")
@example("2026-12-31T23:00:00+14:00")
@example("0000-01-01T00:00:00+00:00")
@example("2026-05-04T14:00:28.5+02:00")
@example("2026-05-04T14:00:2\u0668+02:00")
def test_a_moment_is_read_as_datetime_reads_it(text: str) -> None:
    try:
        meant: Optional[float] = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        meant = None

    assert published._plain_moment(text) in (None, meant) and published._moment(text) == meant


def test_a_moment_as_the_daemon_writes_it_is_read_without_datetime() -> None:
    assert published._plain_moment("2026-05-04T14:00:28+02:00") == 1777896028.0
