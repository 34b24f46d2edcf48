"""A tar archive, packed for `collect` and read from a stream: plain files as `collect` and old tars write them, no other; pure.

The standard library writes it. Its reader obeys headers that take it minutes to read; who packs a bundle need not be a friend.
"""
from __future__ import annotations

import re
from typing import Any, Callable, Iterator, Mapping

from rmcagent.frozen import dataclass
from rmcagent.partition.parse.lines import clean

BLOCK = 512
LONGEST_NAME = 4096
FILES, FOLDER, LONG_NAME = (b"0", b"\0", b"7"), b"5", b"L"
EMPTY = (b"1", b"2", b"3", b"4", b"6")       # links, devices and pipes: nothing stands behind their headers
Read = Callable[[int], bytes]


class Damaged(ValueError):
    """Its text says what is wrong with the archive."""


class Refused(ValueError):
    """The archive may be sound, but is not read; its text says why."""


@dataclass(frozen=True)
class Member:
    name: str
    is_file: bool
    is_folder: bool
    size: int
    modified: float
    content: bytes                           # its beginning


def packed(files: Mapping[str, str], folder: str, at: float) -> bytes:
    """The archive's bytes: one folder, plain files, ours alone."""
    import gzip
    import io
    import tarfile

    whole = io.BytesIO()
    zipped: Any = gzip.GzipFile("", "wb", 6, whole, at)
    with zipped, tarfile.open(fileobj=zipped, mode="w|", format=tarfile.GNU_FORMAT) as archive:
        for file, text in sorted(files.items()):
            content = text.encode("utf-8", "replace")
            member = tarfile.TarInfo(f"{folder}/{file}")
            member.size, member.mtime, member.mode = len(content), int(at), 0o600
            archive.addfile(member, io.BytesIO(content))
    return whole.getvalue()


def members(read: Read, keep: int, largest: int) -> Iterator[Member]:
    """Every member with at most `keep` bytes of it. Raises Damaged or Refused, and whatever `read` raises."""
    long_name = b""
    while True:
        header = _exactly(read, BLOCK, may_end=True)
        if header.count(0) == len(header):   # an archive ends with empty blocks, or just ends
            if long_name:
                raise Damaged("a name in it is nobody's")
            return
        if not _is_header(header):
            raise Damaged("what should be a header is none")
        kind, size = header[156:157], _number(header[124:136])
        shown = clean(_text(long_name) or _name(header))
        if size < 0:
            raise Refused(f"it is damaged, {shown} in it has no size")
        if kind == LONG_NAME:
            if long_name or not 0 < size <= LONGEST_NAME:
                raise Damaged("a name in it has no end")
            long_name = _payload(read, size, size).partition(b"\0")[0] or b"?"
            continue
        if kind not in FILES + EMPTY + (FOLDER,):
            raise Refused(f"{shown} in it is of type {clean(kind.decode('latin-1'))}, which collect does not write; pack it with "
                          "GNU tar, or give the folder")
        if kind in FILES and size > largest:
            raise Refused(f"{shown} in it is larger than {largest >> 20} MiB")
        name = _text(long_name) or _name(header)
        is_folder = kind == FOLDER or (kind == b"\0" and name.endswith("/"))
        content = _payload(read, size, keep) if kind in FILES and not is_folder else b""
        long_name = b""
        yield Member(name, kind in FILES and not is_folder, is_folder, size, float(max(0, _number(header[136:148]))), content)


def _is_header(block: bytes) -> bool:
    """By its sum, in which the sum's own eight bytes count as blanks; some old tars took bytes for signed."""
    counted = block[:148] + b" " * 8 + block[156:]
    total = sum(counted)
    return _number(block[148:156]) in (total, total - 256 * sum(byte > 127 for byte in counted))


def _number(field: bytes) -> int:
    """Octal digits, or a binary number behind a byte with its highest bit set; -1 for what is none."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big") if field[0] == 0x80 else -1
    digits = field.partition(b"\0")[0].strip()
    return int(digits or b"0", 8) if re.fullmatch(rb"[0-7]*", digits) else -1


def _name(header: bytes) -> str:
    name, prefix = _text(header[:100]), _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")


def _payload(read: Read, size: int, keep: int) -> bytes:
    """The beginning of what stands behind a header; the rest is passed by, up to the next block."""
    content = _exactly(read, min(size, keep))
    left = size - len(content) + -size % BLOCK
    while left:
        left -= len(_exactly(read, min(left, 1 << 16)))
    return content


def _exactly(read: Read, size: int, may_end: bool = False) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = read(size - len(data))
        if not more and may_end and not data:
            break
        if not more:
            raise Damaged("it ends too early")
        data += more
    return bytes(data)
