"""A file that somebody asked for: all of it or nothing, and never through or over what is not ours to replace."""
from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Callable

import pytest

from rmcagent import whole
from rmcagent.whole import written

Patch = pytest.MonkeyPatch


def put(path: Path, content: bytes = b"new", over: bool = False) -> None:
    with written(str(path), "--out", 0o600, over) as write:
        write(content)


@pytest.mark.parametrize("over", [False, True])
def test_what_is_written_stands_there_at_the_end_and_nothing_else_does(over: bool, tmp_path: Path) -> None:
    path = tmp_path / "day.svg"

    with written(str(path), "--svg", 0o600, over) as write:
        write(b"one ")
        write(b"two")
        assert not path.exists()

    assert path.read_bytes() == b"one two" and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["day.svg"]


def test_only_where_it_may_a_file_of_that_name_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "day.svg"
    path.write_text("precious")
    begun = []

    with pytest.raises(OSError, match=r"cannot write .*/day\.svg: there is something of that name; give another --out"):
        with written(str(path), "--out", 0o600) as write:
            begun.append(write)
    assert path.read_text() == "precious" and not begun

    put(path, over=True)

    assert path.read_text() == "new"


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize("kind", ["link", "link to nothing", "pipe", "folder"])
def test_nothing_is_written_through_or_over_what_is_no_file(kind: str, over: bool, tmp_path: Path) -> None:
    path, other = tmp_path / "day.svg", tmp_path / "other"
    other.write_text("mine")
    {"link": lambda: path.symlink_to(other), "link to nothing": lambda: path.symlink_to(tmp_path / "none"),
     "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[kind]()

    with pytest.raises(OSError, match="there is something of that name"):
        put(path, over=over)

    assert other.read_text() == "mine" and sorted(os.listdir(tmp_path)) == ["day.svg", "other"]


@pytest.mark.parametrize("over, appear", [
    (False, lambda path: path.write_text("precious")), (False, lambda path: path.symlink_to("none")), (True, Path.mkdir),
], ids=["a file", "a link", "a folder where a file is replaced"])
def test_what_appears_while_it_is_written_is_not_written_over_either(over: bool, appear: Callable[[Path], object],
                                                                     tmp_path: Path) -> None:
    path = tmp_path / "day.svg"

    with pytest.raises(OSError, match="cannot write"):
        with written(str(path), "--out", 0o600, over) as write:
            appear(path)
            write(b"new")

    assert os.listdir(tmp_path) == ["day.svg"] and not path.is_file() or path.read_text() == "precious"


def test_a_link_that_appears_where_a_file_is_replaced_is_replaced_itself(tmp_path: Path) -> None:
    path, other = tmp_path / "day.svg", tmp_path / "other"
    other.write_text("mine")

    with written(str(path), "--svg", 0o600, over=True) as write:
        path.symlink_to(other)
        write(b"new")

    assert (other.read_text(), path.read_text(), path.is_symlink()) == ("mine", "new", False)


def test_what_was_planted_aside_is_not_written_through(tmp_path: Path) -> None:
    path, other = tmp_path / "day.svg", tmp_path / "other"
    other.write_text("mine")
    (tmp_path / f"day.svg.{os.getpid()}.part").symlink_to(other)

    with pytest.raises(OSError, match="cannot write .*: File exists; give another --out"):
        put(path)

    assert other.read_text() == "mine" and not path.exists()


def test_whoever_fails_within_leaves_nothing_and_keeps_their_own_reason(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="^cannot play$"):
        with written(str(tmp_path / "day.svg"), "--svg", 0o600) as write:
            write(b"half")
            raise OSError("cannot play")

    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: Patch) -> None:
    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="cannot write .*: No space left on device; give another --out"):
        put(tmp_path / "day.svg")
    with pytest.raises(OSError, match="cannot write .*/none/day.svg: No such file or directory; give another --out"):
        put(tmp_path / "none" / "day.svg")

    assert os.listdir(tmp_path) == []


def test_a_file_system_without_links_is_written_all_the_same(tmp_path: Path, monkeypatch: Patch) -> None:
    def none(aside: str, path: str) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(whole.os, "link", none)
    put(tmp_path / "a.tar.gz")
    assert os.listdir(tmp_path) == ["a.tar.gz"]

    with pytest.raises(OSError, match="there is something of that name"):
        with written(str(tmp_path / "b.tar.gz"), "--out", 0o600) as write:
            (tmp_path / "b.tar.gz").write_text("precious")
            write(b"new")

    assert (tmp_path / "b.tar.gz").read_text() == "precious" and len(os.listdir(tmp_path)) == 2
