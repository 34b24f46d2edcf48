"""What `history` reads: events are kept within bounds, and read back whatever a crash, a full disk or others left there."""
from __future__ import annotations

import errno
import json
import os
import random
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmcagent.report import kept
from rmcagent.report.events import Event
from rmcagent.report.kept import Kept, Row, follow, read

Patch = pytest.MonkeyPatch
NOON = datetime(2026, 5, 4, 12, tzinfo=timezone(timedelta(hours=2)))
BEGUN = Event("RMCA3001N", "remedy begun", (("remedy", "recycle"), ("because", 'it said "no",\n\x1b[31m \u00e4\u202e')))


def numbered(number: int) -> Event:
    return Event("RMCA2001W", "problem found", (("n", str(number)),))


def numbers(rows: Tuple[Row, ...]) -> List[int]:
    return [int(dict(row.fields)["n"]) for row in rows]


def write(folder: Path, *wanted: int) -> None:
    for number in wanted:
        Kept(str(folder)).write(numbered(number), NOON)


def path_of(folder: Path) -> Path:
    return folder / "events.jsonl"


# ---- writing

def test_what_is_written_is_read_back_oldest_first(tmp_path: Path) -> None:
    Kept(str(tmp_path)).write(BEGUN, NOON)
    write(tmp_path, 1)

    record = read(str(tmp_path))

    assert record.rows == (Row(NOON, *vars(BEGUN).values()), Row(NOON, *vars(numbered(1)).values())) and record.skipped == 0


def test_a_line_is_what_the_contract_says_in_ascii_and_for_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Kept(str(tmp_path)).write(BEGUN, NOON)
    finally:
        os.umask(before)

    (line,) = path_of(tmp_path).read_bytes().splitlines()
    assert json.loads(line) == {"at": "2026-05-04T12:00:00+02:00", "code": "RMCA3001N", "word": "remedy begun",
                                "fields": [list(field) for field in BEGUN.fields]}
    assert line.isascii() and b"\x1b" not in line and stat.S_IMODE(path_of(tmp_path).stat().st_mode) == 0o600


@given(st.lists(st.tuples(st.text(max_size=60), st.text(max_size=2000)), max_size=40), st.text(max_size=200))
def test_whatever_an_event_holds_its_line_is_bounded_and_tells_code_and_word(fields: List[Tuple[str, str]], word: str) -> None:
    line = kept._line(Event("RMCA2001W", word, tuple(fields)), NOON)

    row = kept._row(line[:-1])
    assert len(line) <= kept.LONGEST_LINE and line.count(b"\n") == 1
    assert row is not None and (row.code, row.word[:77]) == ("RMCA2001W", word[:77])


def test_a_long_value_is_cut_and_says_so(tmp_path: Path) -> None:
    Kept(str(tmp_path)).write(Event("RMCA2001W", "x", tuple((f"k{n}", "\U0001f600" * 10_000) for n in range(24))), NOON)

    (row,) = read(str(tmp_path)).rows
    assert len(row.fields) == 12 and all(value.endswith("...") and len(value) == 40 for _, value in row.fields)
    assert path_of(tmp_path).stat().st_size <= kept.LONGEST_LINE


def test_at_half_a_mebibyte_it_is_rotated_and_one_older_file_is_kept(tmp_path: Path) -> None:
    told = Kept(str(tmp_path))
    for number in range(3000):
        told.write(Event("RMCA2001W", "problem found", (("n", str(number)), ("evidence", "x" * 400))), NOON)

    sizes = {file.name: file.stat().st_size for file in tmp_path.iterdir()}
    assert set(sizes) == {"events.jsonl", "events.jsonl.1"} and all(size <= 512 * 1024 for size in sizes.values())
    found = numbers(read(str(tmp_path)).rows)
    assert found == list(range(found[0], 3000)) and len(found) > 1000


def test_half_a_line_does_not_hide_the_next_one(tmp_path: Path) -> None:
    write(tmp_path, 1, 2)
    os.truncate(path_of(tmp_path), path_of(tmp_path).stat().st_size - 9)
    assert (numbers(read(str(tmp_path)).rows), read(str(tmp_path)).skipped) == ([1], 1)

    write(tmp_path, 3, 4)

    record = read(str(tmp_path))
    assert (numbers(record.rows), record.skipped) == ([1, 3, 4], 1)


def full(number: int, content: bytes) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("room", [0, 1, 17])
def test_a_full_disk_loses_that_line_and_no_other(room: int, tmp_path: Path, monkeypatch: Patch) -> None:
    write(tmp_path, 1)
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", (lambda number, content: real(number, content[:room])) if room else full)
        write(tmp_path, 2)

    write(tmp_path, 3)

    assert (numbers(read(str(tmp_path)).rows), read(str(tmp_path)).skipped) == ([1, 3], 0)


def test_where_half_a_line_cannot_even_be_cut_away_the_next_is_still_read(tmp_path: Path, monkeypatch: Patch) -> None:
    write(tmp_path, 1)
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda number, content: real(number, content[:20]))
        patch.setattr(os, "ftruncate", full)
        write(tmp_path, 2)

    write(tmp_path, 3)

    assert (numbers(read(str(tmp_path)).rows), read(str(tmp_path)).skipped) == ([1, 3], 1)


def planted(kind: str, path: Path, other: Path) -> None:
    {"link": lambda: path.symlink_to(other), "hard link": lambda: os.link(other, path), "pipe": lambda: os.mkfifo(path),
     "folder": lambda: path.mkdir()}[kind]()


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder"])
def test_nothing_is_written_through_what_was_planted(kind: str, tmp_path: Path) -> None:
    other, state = tmp_path / "other", tmp_path / "state"
    other.write_text("mine\n")
    state.mkdir()
    planted(kind, path_of(state), other)

    write(state, 1)

    assert other.read_text() == "mine\n"


@pytest.mark.parametrize("folder", ["nowhere", "/proc/self/fdinfo", "/dev/null", "/\0"])
def test_a_folder_that_cannot_be_written_is_left_alone(folder: str, tmp_path: Path) -> None:
    Kept(os.path.join(tmp_path, folder)).write(BEGUN, NOON)

    assert list(tmp_path.iterdir()) == []


# ---- reading

def test_where_nothing_was_kept_there_is_nothing_to_read(tmp_path: Path) -> None:
    assert read(str(tmp_path)) == read(str(tmp_path / "nowhere")) == kept.Record()


GOOD = json.dumps({"at": "2026-05-04T12:00:00+02:00", "code": "RMCA2001W", "word": "problem found", "fields": [["n", "1"]]})
FOREIGN = (
    b"\0" * 80, b"\xff\xfe", b"plain words", b"[]", b"{}", b"3", b"null", b"[" * 8000, b"9" * 6000, b"{" * 3000, b"\r",
    GOOD[:-1].encode(), GOOD.replace("+02:00", "").encode(), GOOD.replace("2026-05-04", "0001-01-01").encode(),
    GOOD.replace("2026-05-04", "9999-12-31").encode(), GOOD.replace("RMCA2001W", "RMCB2001W").encode(),
    GOOD.replace("RMCA2001W", "RMCA2001W\\n").encode(), GOOD.replace('"RMCA2001W"', "7").encode(),
    GOOD.replace('"1"', "1").encode(),
    GOOD.replace('["n", "1"]', '["n"]').encode(), GOOD.replace('[["n", "1"]]', "null").encode(),
    GOOD.replace('[["n", "1"]]', '["ab"]').encode(), GOOD.replace('[["n", "1"]]', '{"ab": "cd"}').encode(),
    GOOD.replace("problem found", "x" * 100).encode(), GOOD.replace("problem found", "x" * 10_000).encode(),
    GOOD.replace("2026-05-04T12:00:00+02:00", "yesterday").encode(), b'{"at": 3}',
)


@pytest.mark.parametrize("line", FOREIGN, ids=range(len(FOREIGN)))
def test_a_line_that_is_none_of_ours_is_skipped_and_counted(line: bytes, tmp_path: Path) -> None:
    path_of(tmp_path).write_bytes(GOOD.encode() + b"\n" + line + b"\n" + GOOD.encode() + b"\n")

    record = read(str(tmp_path))

    assert (numbers(record.rows), record.skipped) == ([1, 1], 1)


def test_an_event_of_a_newer_agent_is_read(tmp_path: Path) -> None:
    path_of(tmp_path).write_text(GOOD.replace("RMCA2001W", "RMCA5007E").replace("{", '{"more": [1], ', 1) + "\n")

    assert [row.code for row in read(str(tmp_path)).rows] == ["RMCA5007E"]


def test_damage_anywhere_costs_no_more_than_the_lines_it_touched(tmp_path: Path) -> None:
    write(tmp_path, *range(100))
    whole, chance = path_of(tmp_path).read_bytes(), random.Random(5)
    for _ in range(50):
        damaged = bytearray(whole)
        begin = chance.randrange(len(whole))
        damaged[begin:begin + 40] = bytes(chance.randrange(256) for _ in range(40))
        path_of(tmp_path).write_bytes(damaged)

        record = read(str(tmp_path))

        assert len({row.fields for row in record.rows} & {numbered(n).fields for n in range(100)}) >= 97 and record.skipped <= 42


def test_a_hundred_thousand_hostile_lines_stay_bounded(tmp_path: Path) -> None:
    path_of(tmp_path).write_text("".join(f"{GOOD}\n" if number % 3 else "{\x1b]0;x\x07\n" for number in range(100_000)))
    (tmp_path / "events.jsonl.1").write_text("[\n" * 5_000_000 + f"{GOOD}\n" * 60_000)

    record = read(str(tmp_path))

    assert 0 < len(record.rows) <= kept.MOST_ROWS and record.skipped <= 2 * kept.LARGEST


def test_of_too_many_the_newest_are_kept(tmp_path: Path, monkeypatch: Patch) -> None:
    write(tmp_path, *range(20))
    monkeypatch.setattr(kept, "MOST_ROWS", 5)

    assert numbers(read(str(tmp_path)).rows) == [15, 16, 17, 18, 19]


def test_of_a_file_that_is_too_large_the_end_is_read(tmp_path: Path, monkeypatch: Patch) -> None:
    write(tmp_path, *range(20))
    monkeypatch.setattr(kept, "LARGEST", 300)

    record = read(str(tmp_path))

    assert numbers(record.rows) in ([18, 19], [17, 18, 19]) and record.skipped <= 1


@pytest.mark.parametrize("which", ["events.jsonl", "events.jsonl.1"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_regular_file_is_neither_opened_nor_believed(kind: str, which: str, tmp_path: Path) -> None:
    other, state = tmp_path / "other", tmp_path / "state"
    other.write_text(GOOD + "\n")
    state.mkdir()
    planted(kind, state / which, other)

    with pytest.raises(OSError, match=rf"cannot trust .*{which}: it is not a regular file; remove it"):
        read(str(state))


def test_a_file_of_somebody_elses_is_not_believed(tmp_path: Path, monkeypatch: Patch) -> None:
    write(tmp_path, 1)
    theirs = list(os.lstat(path_of(tmp_path)))
    theirs[4] = 4711
    monkeypatch.setattr(os, "lstat", lambda path: os.stat_result(theirs))

    with pytest.raises(OSError, match="cannot trust .*/events.jsonl: its owner is uid 4711, neither root nor its folder's owner"):
        read(str(tmp_path))


@pytest.mark.parametrize("asked", ["lstat", "open"])
def test_who_may_not_read_it_is_told_who_may(asked: str, tmp_path: Path, monkeypatch: Patch) -> None:
    def denied(path: Any, *_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    write(tmp_path, 1)
    monkeypatch.setattr(os, asked, denied)

    with pytest.raises(PermissionError, match="cannot read .*/events.jsonl: only root may, or the user who runs the agent"):
        read(str(tmp_path))


def test_a_rotation_while_it_is_read_loses_nothing_and_repeats_nothing(tmp_path: Path, monkeypatch: Patch) -> None:
    write(tmp_path, 1, 2)
    real = os.open
    opened: List[str] = []

    def rotating(path: str, *rest: int) -> int:
        if path.endswith(".1") or opened:
            return real(path, *rest)
        opened.append(path)
        number = real(path, *rest)
        os.replace(path, f"{path}.1")
        Path(path).write_text(json.dumps({**json.loads(GOOD), "fields": [["n", "3"]]}) + "\n")
        return number

    monkeypatch.setattr(os, "open", rotating)

    assert numbers(read(str(tmp_path)).rows) == [1, 2, 3]


# ---- following

class Script:
    """A clock whose every sleep lets the next thing happen; owns what is still to come."""

    def __init__(self, *happens: Callable[[], object]) -> None:
        self.happens = list(happens)
        self.slept: List[float] = []

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if not self.happens:
            raise KeyboardInterrupt
        self.happens.pop(0)()


def followed(folder: Path, *happens: Callable[[], object], place: Optional[kept.Place] = None) -> List[List[int]]:
    """What each poll told, from what stands there now until nothing more happens."""
    told: List[List[int]] = []
    following: Iterator[Tuple[Row, ...]] = follow(str(folder), place or read(str(folder)).place, Script(*happens))
    with pytest.raises(KeyboardInterrupt):
        for rows in following:
            told.append(numbers(rows))
    return told


def rotated(folder: Path) -> None:
    os.replace(path_of(folder), f"{path_of(folder)}.1")


def test_what_comes_is_told_once_and_when_it_is_whole(tmp_path: Path) -> None:
    write(tmp_path, 1)

    def add(text: str) -> None:
        with path_of(tmp_path).open("a") as file:
            file.write(text)

    told = followed(tmp_path, lambda: write(tmp_path, 2, 3), lambda: None, lambda: add(GOOD[:30]),
                    lambda: add(GOOD[30:] + "\n"))

    assert told == [[], [2, 3], [], [], [1]]


def test_every_second_is_looked(tmp_path: Path) -> None:
    clock = Script(lambda: None, lambda: None)

    with pytest.raises(KeyboardInterrupt):
        list(follow(str(tmp_path), None, clock))

    assert clock.slept == [1.0, 1.0, 1.0]


def test_what_came_between_reading_and_following_is_told(tmp_path: Path) -> None:
    write(tmp_path, 1)
    place = read(str(tmp_path)).place
    write(tmp_path, 2)

    assert followed(tmp_path, place=place) == [[2]]


def test_over_a_rotation_nothing_is_lost_or_repeated(tmp_path: Path) -> None:
    write(tmp_path, 1)

    def busy() -> None:
        write(tmp_path, 2)
        rotated(tmp_path)
        write(tmp_path, 3)

    told = followed(tmp_path, busy, lambda: rotated(tmp_path), lambda: write(tmp_path, 4))

    assert told == [[], [2, 3], [], [4]]


def test_the_first_event_ever_is_told(tmp_path: Path) -> None:
    assert followed(tmp_path, lambda: None, lambda: write(tmp_path, 1, 2)) == [[], [], [1, 2]]


def test_a_file_that_somebody_emptied_is_followed_from_its_start(tmp_path: Path) -> None:
    write(tmp_path, 1, 2)

    def emptied() -> None:
        os.truncate(path_of(tmp_path), 0)
        write(tmp_path, 3)

    assert followed(tmp_path, emptied) == [[], [3]]
