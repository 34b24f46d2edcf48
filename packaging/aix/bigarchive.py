"""Writes AIX's big archive, the form of liblpp.a, with the bytes that llvm-ar --format=bigarchive writes."""
from __future__ import annotations

from typing import List, Sequence, Tuple

Member = Tuple[str, bytes]
FIXED, HEADER = 128, 112     # bytes of the archive's own header, and of a member's without its name


def archive(members: Sequence[Member], mode: int = 0o644) -> bytes:
    """Members in their order, of nobody and of no date, then the table of them."""
    starts: List[int] = []
    at = FIXED
    for name, data in members:
        starts.append(at)
        at += _length(name, data)
    table = _number(len(members), 20) + b"".join(_number(start, 20) for start in starts) + b"".join(
        name.encode("ascii") + b"\0" for name, _ in members)
    written = b"<bigaf>\n" + b"".join(_number(number, 20) for number in (at, 0, 0, starts[0], starts[-1], 0))
    for place, (name, data) in enumerate(members):
        after = starts[place + 1] if place + 1 < len(starts) else at
        written += _member(name, data, after, starts[place - 1] if place else 0, mode)
    return written + _member("", table, 0, starts[-1], 0)


def _member(name: str, data: bytes, after: int, before: int, mode: int) -> bytes:
    header = b"".join(_number(number, 20) for number in (len(data), after, before)) + b"".join(
        _number(number, 12) for number in (0, 0, 0)) + f"{mode:<12o}".encode("ascii") + _number(len(name), 4)
    return header + _even(name.encode("ascii")) + b"`\n" + _even(data)


def _length(name: str, data: bytes) -> int:
    return HEADER + len(_even(name.encode("ascii"))) + 2 + len(_even(data))


def _number(number: int, width: int) -> bytes:
    return f"{number:<{width}}".encode("ascii")


def _even(data: bytes) -> bytes:
    return data + bytes(len(data) % 2)
