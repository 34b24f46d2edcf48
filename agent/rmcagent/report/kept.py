"""The events that `history` tells: a line each in the state folder, written without waiting, read back whatever is in it.

It is no ledger: nothing is decided by it, so nothing is synced, and a line that finds no room is lost. It lies beside the ledger,
without which nothing may be done: so it is written in this process, though a file system that hangs would hold it.
"""
from __future__ import annotations

import json
import os
import re
import stat
from collections import deque
from datetime import datetime
from typing import Any, Deque, Iterator, List, NamedTuple, Optional, Tuple

from rmcagent.clock import Clock
from rmcagent.report.events import Event

NAME = "events.jsonl"
ROTATE_AT = 512 * 1024                    # bytes; one older file is kept
LONGEST_LINE = 8 * 1024
LARGEST = 2 * ROTATE_AT                   # of a file, read from its end: somebody else's may be of any size
MOST_ROWS = 20_000
ROTATIONS = 3                             # while it is read; two at once would be a mebibyte a moment
LONGEST_WORD, LONGEST_KEY, LONGEST_VALUE, MOST_FIELDS = 80, 40, 1000, 24
# How long values may be, and how many fields, until the line is short enough; its code and word always are.
SHORTER = ((LONGEST_VALUE, MOST_FIELDS), (250, MOST_FIELDS), (40, 12), (0, 0))
CODE = re.compile(r"RMCA[0-9]{4}[INWE]")
POLL = 1.0                                # seconds
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | NO_FOLLOW
READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | NO_FOLLOW


class Kept:
    """Where the events of one state folder are written."""

    def __init__(self, folder: str) -> None:
        self.path = os.path.join(folder, NAME)

    def write(self, event: Event, at: datetime) -> None:
        """Add a line, or lose it: a full disk, or a folder that cannot be written, is told elsewhere."""
        line = _line(event, at)
        try:
            if _size(self.path) + len(line) > ROTATE_AT:
                os.replace(self.path, f"{self.path}.1")
            number = os.open(self.path, APPEND, 0o600)
            try:
                status = os.fstat(number)
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                    _append(number, line, status.st_size)
            finally:
                os.close(number)
        except (OSError, ValueError):     # ValueError: a NUL in the path
            return


def _line(event: Event, at: datetime) -> bytes:
    for longest, most in SHORTER:
        fields = [[_cut(key, LONGEST_KEY), _cut(value, longest)] for key, value in event.fields[:most]]
        row = {"at": at.isoformat(timespec="seconds"), "code": event.code[:32], "word": _cut(event.word, LONGEST_WORD),
               "fields": fields}
        line = json.dumps(row, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"
        if len(line) <= LONGEST_LINE:
            break
    return line


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most - 3] + "..."


def _append(number: int, line: bytes, size: int) -> None:
    """A line that is not whole is cut away again; where even that fails, the next one begins on a line of its own."""
    torn = size > 0 and os.pread(number, 1, size - 1) != b"\n"
    line = b"\n" + line if torn else line
    if os.write(number, line) != len(line):
        os.ftruncate(number, size)


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return 0


# ---- reading

class Row(NamedTuple):
    """An event as it was kept; `at` is what the wall clock said."""

    at: datetime
    code: str
    word: str
    fields: Tuple[Tuple[str, str], ...]


class Place(NamedTuple):
    """Which file, and up to where it was read."""

    file: Tuple[int, int]                 # device, inode
    until: int


class Record(NamedTuple):
    """What was kept, oldest first, as far back as it goes; `skipped` lines could not be read, and `place` is where it ends."""

    rows: Tuple[Row, ...] = ()
    skipped: int = 0
    place: Optional[Place] = None


def read(folder: str) -> Record:
    """What is kept in the state folder. Raises OSError, in a sentence: PermissionError where it is not ours to read."""
    path = os.path.join(folder, NAME)
    for _ in range(ROTATIONS):
        newer, older = _added(path, 0), _added(f"{path}.1", 0)
        if newer is None or older is None or newer.place.file != older.place.file:
            break                         # else it was rotated in between, and would be told twice
    rows: Deque[Row] = deque(maxlen=MOST_ROWS)
    skipped = sum(_take(added.lines, rows) + added.torn for added in (older, newer) if added is not None)
    return Record(tuple(rows), skipped, newer.place if newer is not None else None)


def follow(folder: str, place: Optional[Place], clock: Clock) -> Iterator[Tuple[Row, ...]]:
    """What was added since `place`: every second some rows or none, over rotations and for ever. Raises OSError."""
    path = os.path.join(folder, NAME)
    while True:
        rows: Deque[Row] = deque(maxlen=MOST_ROWS)
        added = _added(path, place.until if place is not None else 0)
        if place is not None and (added is None or added.place.file != place.file):
            rest = _added(f"{path}.1", place.until)
            if rest is not None and rest.place.file == place.file:
                _take(rest.lines, rows)   # what came just before it was rotated
            added = _added(path, 0)
        if added is not None:
            _take(added.lines, rows)
        place = added.place if added is not None else None
        yield tuple(rows)
        clock.sleep(POLL)


class Added(NamedTuple):
    """Whole lines; half a line after them is read again when it is whole."""

    lines: List[bytes]
    place: Place
    torn: bool


def _added(path: str, begin: int) -> Optional[Added]:
    """What stands there from `begin` on, the newest of it that there is room for; all where that is beyond the end, for somebody
    emptied it; None where there is no file."""
    try:
        # Before it is opened: a FIFO or a device of that name must neither hold us nor notice us.
        _insist(path, os.lstat(path))
        number = os.open(path, READ)
    except FileNotFoundError:
        return None
    except PermissionError:
        who = "only root may, or the user who runs the agent; run it as one of them"
        raise PermissionError(f"cannot read {path}: {who}") from None
    with open(number, "rb") as file:
        status = os.fstat(number)
        _insist(path, status)             # what the name leads to may be another by now
        begin = max(begin if begin <= status.st_size else 0, status.st_size - LARGEST)
        file.seek(begin)
        content = file.read(LARGEST)
    whole = content.rfind(b"\n") + 1
    return Added(content[:whole].split(b"\n"), Place((status.st_dev, status.st_ino), begin + whole), whole < len(content))


def _insist(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"cannot trust {path}: it is not a regular file; remove it, the agent begins another")
    if status.st_uid not in (0, os.geteuid()) and status.st_uid != os.stat(os.path.dirname(path) or ".").st_uid:
        raise OSError(f"cannot trust {path}: its owner is uid {status.st_uid}, neither root nor its folder's owner; remove it, "
                      "the agent begins another")


def _take(lines: List[bytes], rows: Deque[Row]) -> int:
    """Add the lines' rows; how many lines there were that are none."""
    skipped = 0
    for line in lines:
        row = _row(line) if len(line) <= LONGEST_LINE else None
        if row is not None:
            rows.append(row)
        elif line:
            skipped += 1
    return skipped


def _row(line: bytes) -> Optional[Row]:
    """The line's row; None where it is torn, damaged or somebody else's."""
    try:
        said: Any = json.loads(line)
        at = datetime.fromisoformat(said["at"])
        code, word, fields = said["code"], said["word"], said["fields"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not isinstance(fields, list) or not all(isinstance(field, list) and len(field) == 2 for field in fields):
        return None
    if not all(isinstance(text, str) for text in (code, word, *(text for field in fields for text in field))):
        return None
    # Of a clock that was never set, or of none at all: nothing can be reckoned with either.
    sound = CODE.fullmatch(code) and len(word) <= LONGEST_WORD and at.tzinfo is not None and 1970 <= at.year <= 9000
    return Row(at, code, word, tuple((key, value) for key, value in fields)) if sound else None
