"""A strict reader of AIX's backup format: every length, checksum, list and pad is held to what the writer promises."""
from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import List, Tuple

MAGIC = 0xEA6B
BLOCKING = 51200


@dataclass(frozen=True)
class Entry:
    """What one record holds."""

    name: str
    mode: int
    links: int
    inode: int
    uid: int
    gid: int
    times: Tuple[int, int, int]
    device: Tuple[int, int]
    reserved: int
    data: bytes

    @property
    def is_folder(self) -> bool:
        return self.mode & 0o170000 == 0o040000


@dataclass(frozen=True)
class Image:
    at: int
    dumped: int
    user: str
    entries: Tuple[Entry, ...]
    length: int                           # of what means something, before the padding


class Damaged(Exception):
    pass


def read(data: bytes, padded_with_zeros: bool = True, blocking: int = BLOCKING) -> Image:
    """Every record of an image, or Damaged."""
    require(len(data) % blocking == 0, "the image is not of whole blocks")
    kind, number, fields, at = header(data, 0)
    require((kind, number, len(fields)) == (0, 1, 64), "it does not begin with a volume")
    made, dumped, most, disk, system, user, unit = struct.unpack("<III16s16s16sI", fields)
    require((most, unit) == (0x7FFFFFFF, 100), "the volume's constants differ")
    require(text(disk) == text(system) == "by name", "it is not a backup by name")
    entries: List[Entry] = []
    while True:
        kind, number, fields, at = header(data, at)
        if kind == 7:
            require(not fields, "the end holds something")
            break
        require(kind == 11, f"a record of type {kind}")
        entry, at = named(data, at, number, fields)
        entries.append(entry)
    require(not padded_with_zeros or not data[at:].strip(b"\0"), "something stands behind the end")
    require(len({entry.name for entry in entries}) == len(entries), "a name stands twice")
    return Image(made, dumped, text(user), tuple(entries), at)


def header(data: bytes, at: int) -> Tuple[int, int, bytes, int]:
    units, kind, magic, told, number = struct.unpack_from("<BBHHH", data, at)
    whole = data[at:at + units * 8]
    require(magic == MAGIC and units > 0 and len(whole) == units * 8, f"no header at {at}")
    total = 0
    for place, byte in enumerate(whole):
        if place not in (4, 5):
            total = (total + (byte << (byte % 8))) % 65536
    require(total == told, f"the checksum at {at} is {told}, should be {total}")
    return kind, number, whole[8:], at + units * 8


def named(data: bytes, at: int, links: int, fields: bytes) -> Tuple[Entry, int]:
    inode, mode, uid, gid, size, accessed, modified, changed, major, minor, no_major, no_minor, room, nothing = struct.unpack(
        "<14I", fields[:56])
    name = fields[56:].rstrip(b"\0")
    require(len(fields[56:]) == (len(name) + 8) // 8 * 8, "the name is not padded to 8 bytes")
    is_folder = mode & 0o170000 == 0o040000
    require((mode >> 16 == 1) == is_folder, "the bit of folders is wrong")
    require((no_major, no_minor, nothing) == (0, 0, 0), "a plain file is said to be a device")
    require(room == (256 if is_folder else size) and (size == 0 or not is_folder), "the size differs from what follows")
    require((inode > 0x80000000) == is_folder, "the inode differs")
    reserved, at = access(data, at, mode)
    content = data[at:at + size]
    end = at + (size + 7) // 8 * 8
    require(len(content) == size and not data[at + size:end].strip(b"\0"), "the bytes are not all there, or badly padded")
    return Entry(name.decode("ascii"), mode & 0o177777, links, inode, uid, gid, (accessed, modified, changed), (major, minor),
                 reserved, content), end


def access(data: bytes, at: int, mode: int) -> Tuple[int, int]:
    lists = struct.unpack_from("<II", data, at)
    length, kind, reserved, owner, group, others = struct.unpack_from("<IIHHHH", data, at + 8)
    second = struct.unpack_from("<IIII", data, at + 24)
    require(lists == (2, 2) and (length, kind) == (16, 0), "the access list is not the plain one")
    require((owner, group, others) == (mode >> 6 & 7, mode >> 3 & 7, mode & 7), "the access list differs from the mode")
    require(second == (16, mode, 0, 0), "the second list differs")
    return reserved, at + 40


def text(field: bytes) -> str:
    return field.rstrip(b"\0").decode("ascii")


def require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Damaged(otherwise)


def members(archive: bytes) -> List[Tuple[str, bytes, int]]:
    """Name, bytes and mode of each member of a big archive, whose chain of offsets and whose table must agree."""
    require(archive[:8] == b"<bigaf>\n", "it is no big archive")
    table, no_symbols, no_symbols_64, first, last, free = (int(archive[8 + 20 * place:28 + 20 * place]) for place in range(6))
    require((no_symbols, no_symbols_64, free) == (0, 0, 0), "it holds symbols or holes")
    found, at, before = [], first, 0
    starts = []
    while at != table:
        name, content, after, told_before, mode = member(archive, at)
        require(told_before == before, "the chain backwards is broken")
        starts.append(at)
        found.append((name, content, mode))
        before, at = at, after
    require(starts[-1] == last, "the last member is another")
    name, content, after, told_before, mode = member(archive, table)
    count = int(content[:20])
    numbers = [int(content[20 + 20 * place:40 + 20 * place]) for place in range(count)]
    names = content[20 + 20 * count:].split(b"\0")[:-1]
    require((name, after, told_before) == ("", 0, last), "the table's header differs")
    require(numbers == starts and [one.decode() for one in names] == [one[0] for one in found], "the table differs")
    return found


def member(archive: bytes, at: int) -> Tuple[str, bytes, int, int, int]:
    size, after, before = (int(archive[at + 20 * place:at + 20 * place + 20]) for place in range(3))
    mode, length = int(archive[at + 96:at + 108], 8), int(archive[at + 108:at + 112])
    start = at + 112 + length + length % 2
    require(archive[start:start + 2] == b"`\n", "a member's header does not end")
    return archive[at + 112:at + 112 + length].decode("ascii"), archive[start + 2:start + 2 + size], after, before, mode
