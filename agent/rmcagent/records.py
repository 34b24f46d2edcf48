"""A file of records that outlives its writer: a checksum a line, a line whole or not at all, replaced by rename.

What a record means is its owner's business; only of the first is it known that it names the kind of file and its version.
"""
from __future__ import annotations

import errno
import json
import os
import stat
from binascii import crc32
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

REPLACE_AT = 512 * 1024
LARGEST = 1024 * 1024
RETRY_AFTER = 64 * 1024         # of growth, where a replacement found no room
KEPT_DAMAGED = 9
# How an operating system says that it does not sync folders; AIX asks for a descriptor open for writing.
NO_FOLDER_SYNC = (errno.EBADF, errno.EINVAL)

Record = Dict[str, Any]


class Damaged(Exception):
    """What is there was a file of ours once, or never was one; its text says what is wrong with it."""


class Untouchable(Exception):
    """What is there must be left as it is; its text says why."""


class RecordFile:
    """`everything` are the records that a new file begins with, its header first: all that still matters."""

    def __init__(self, path: str, header: Mapping[str, Any], everything: Callable[[], Sequence[Mapping[str, Any]]],
                 read_only: bool) -> None:
        self.path = path
        self.header = header
        self.everything = everything
        self.read_only = read_only
        self.torn = 0                  # bytes of half a line that were dropped from the end
        self._size = 0
        self._replace_at = REPLACE_AT
        self._anew = False             # nothing can be appended to what is there: the next write begins a new file
        self.behind = False            # what could not be appended is owed: only a new file holds everything
        self._sealed = ""              # why what is there is left as it is

    def read(self) -> Optional[List[Record]]:
        """Every whole record; None where there is no file. Raises Damaged, or Untouchable."""
        try:
            # Before it is opened: that alone may rewind a tape, or let the writer of a FIFO go on.
            if not _is_file(os.stat(self.path)):
                raise Damaged("it is no regular file")
            number = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
            opened = os.fstat(number)      # what the name leads to may be another by now
            with open(number, "rb") as file:
                if not _is_file(opened):
                    raise Damaged("it is no regular file")
                distrusted = _distrusted(self.path, opened, os.lstat(self.path))
                content = b"" if distrusted else file.read(LARGEST + 1)
        except FileNotFoundError:
            self._anew = True
            return None
        except OSError as problem:
            raise Untouchable(self.seal(f"cannot read {self.path}: {problem.strerror}")) from None
        if distrusted:
            raise Untouchable(self.seal(f"cannot trust {self.path}: {distrusted}"))
        if self._is_newer(content):
            raise Untouchable(self.seal(f"cannot use {self.path}: a newer rmcagent wrote it; install that, or move it away"))
        if len(content) > LARGEST:
            raise Damaged("it is larger than it may get")
        records, self._size = _records(content)
        if not records or any(records[0].get(key) != value for key, value in self.header.items()):
            raise Damaged("it does not begin as it should")
        self.torn = len(content) - self._size
        return records

    def cut_torn_end(self) -> None:
        try:
            os.truncate(self.path, self._size)
        except OSError:
            pass                       # the next write finds a file of another size, and begins a new one

    def append(self, record: Mapping[str, Any], durable: bool = False) -> None:
        """Add a line, whole or not at all; the file never grows beyond its largest size. Raises OSError."""
        self._insist_on_writing()
        line = _line(record)
        if self._anew or _size_of(self.path) != self._size:       # half a line, or somebody removed it, or wrote into it
            self.replace()
        elif self.behind or self._size + len(line) > self._replace_at:
            self._replace_where_there_is_room()
        if self._size + len(line) > LARGEST:
            raise OSError(errno.EFBIG, "it is as large as it may get", self.path)
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        try:
            self._append(file, line, durable)
        finally:
            os.close(file)

    def _append(self, file: int, line: bytes, durable: bool) -> None:
        """Half a line would make the next one part of it, and a line that failed must not be read as one later.

        Should it not even be cut away again, the next write finds a file of another size and begins a new one.
        """
        try:
            _write(file, line)
            if durable:
                os.fsync(file)
                _sync_folder(self.path)
        except OSError:
            os.ftruncate(file, self._size)
            if durable:
                self._sync_cut(file)
            raise
        self._size += len(line)

    def _sync_cut(self, file: int) -> None:
        """Whoever is told no must not find it done after a power failure; where this fails as well, a new file is owed."""
        try:
            os.fsync(file)
        except OSError:
            self.behind = True

    def _replace_where_there_is_room(self) -> None:
        """A full file system must not cost a record while the file may still grow."""
        try:
            self.replace()
        except OSError:
            self._replace_at = min(self._size + RETRY_AFTER, LARGEST)

    def replace(self) -> None:
        """Write everything into a new file, and put it in the old one's place: at every moment one of them is there, whole."""
        self._insist_on_writing()
        content = b"".join(_line(record) for record in self.everything())
        if len(content) > LARGEST:
            raise OSError(errno.EFBIG, "what must be kept is more than it may hold", self.path)
        fresh = f"{self.path}.new"
        try:
            _write_file(fresh, content)
            os.replace(fresh, self.path)
        except OSError:
            _remove(fresh)
            raise
        self._size, self._anew, self.behind = len(content), False, False
        self._replace_at = min(max(REPLACE_AT, 2 * self._size), LARGEST)
        _sync_folder(self.path)

    def _insist_on_writing(self) -> None:
        if self.read_only:
            raise PermissionError(errno.EPERM, "opened for reading only", self.path)
        if self._sealed:
            raise OSError(errno.EROFS, self._sealed, self.path)

    def set_aside(self) -> str:
        """Keep a damaged file for a human under another name, and begin a new one with the next write; say what was done."""
        asides = [f"{self.path}.damaged-{number}" for number in range(1, KEPT_DAMAGED + 1)]
        aside = next((one for one in asides if not os.path.exists(one) or os.path.samefile(one, self.path)), asides[-1])
        self._anew = True
        try:
            _give_second_name(self.path, aside)
        except OSError as problem:
            return self.seal(f"cannot set it aside as {aside}: {problem.strerror}")
        return f"set aside as {aside}"

    def seal(self, reason: str) -> str:
        """Write no more: what is there stays as it is."""
        self._sealed = reason
        return reason

    def _is_newer(self, content: bytes) -> bool:
        """By its first line alone, for a newer rmcagent may write the others otherwise."""
        first = _record(content.partition(b"\n")[0]) or {}
        version = first.get("v")
        return first.get("k") == self.header["k"] and isinstance(version, int) and version > self.header["v"]


def _is_file(status: os.stat_result) -> bool:
    """A folder is left to who opens it, who is told no."""
    return stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)


def _distrusted(path: str, file: os.stat_result, entry: os.stat_result) -> str:
    """Why somebody else may have written what stands there, and what mends it; "" where nobody could."""
    ours = (0, os.geteuid())
    strange = next((uid for uid in (entry.st_uid, file.st_uid) if uid not in ours), None)
    if strange is not None:
        # Given to us, what he wrote would be believed.
        return f"its owner is uid {strange}, who could change it; move it away, and start the agent again: every budget then " \
               "counts as spent"
    if file.st_mode & 0o022:
        return f"others may write it (mode {file.st_mode & 0o7777:04o}); run: chmod 600 {path}, and start the agent again"
    return ""


def _records(content: bytes) -> Tuple[List[Record], int]:
    """(records, how many bytes they take). What has no end of line is half a line; a whole one that is bad is damage."""
    *lines, half = content.split(b"\n")
    records: List[Record] = []
    for number, line in enumerate(lines, 1):
        record = _record(line)
        if record is None:
            raise Damaged(f"the checksum of line {number} is wrong")
        records.append(record)
    return records, len(content) - len(half)


def _record(line: bytes) -> Optional[Record]:
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % crc32(text):
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("k"), str) else None


def _line(record: Mapping[str, Any]) -> bytes:
    text = json.dumps(record, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    return b"%08x %s\n" % (crc32(text), text)


def _size_of(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return -1


def _write_file(path: str, content: bytes) -> None:
    _remove(path)                  # whatever lies there: a link would be written through, a FIFO would hold us
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        _write(file, content)
        os.fsync(file)
    finally:
        os.close(file)


def _write(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content):]


def _give_second_name(path: str, other: str) -> None:
    """Should we die before there is a new file, the old one is found damaged again; renamed only where links are not known."""
    if os.path.exists(other) and os.path.samefile(path, other):
        return
    _remove(other)
    try:
        os.link(path, other)
    except OSError:
        os.replace(path, other)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def _sync_folder(path: str) -> None:
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError as problem:
        if problem.errno not in NO_FOLDER_SYNC:
            raise
    finally:
        os.close(folder)
