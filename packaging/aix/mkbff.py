"""Writes AIX's backup format by name (BFF), the form of an installp image, from what is publicly known of it.

All integers are little-endian, whatever the machine. A header is: length in 8-byte units, type, magic, checksum, a number; then
its own fields. Every record ends on 8 bytes. A file's header is followed by its access lists and its bytes.
"""
from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Iterable, Tuple

MAGIC = 0xEA6B
VOLUME, END, NAME = 0, 7, 11
FOLDER_BIT = 0o200000        # beside the usual bits of a mode
BLOCKING = 100 * 512         # backup writes whole blocks of that many bytes
LONGEST_NAME = 255 * 8 - 64 - 1
FOLDER_SIZE = 256            # what a folder is said to hold, and does not


@dataclass(frozen=True)
class Record:
    """A file or folder as it is written; `reserved` are two bytes of its access list that backup leaves as it finds them."""

    name: str
    mode: int
    data: bytes = b""
    at: int = 0
    inode: int = 0
    links: int = 1
    uid: int = 0
    gid: int = 0
    accessed: int = 0
    changed: int = 0
    device: Tuple[int, int] = (10, 8)
    reserved: int = 0

    @property
    def is_folder(self) -> bool:
        return self.mode & 0o170000 == 0o040000


def image(records: Iterable[Record], at: int, user: str = "root", dumped: int = 0) -> bytes:
    """A whole image, padded to backup's blocks."""
    written = volume(at, user, dumped or at) + b"".join(map(record, records)) + end()
    return written + bytes(-len(written) % BLOCKING)


def volume(at: int, user: str, dumped: int) -> bytes:
    by_name = b"by name"
    return headed(VOLUME, 1, struct.pack("<III16s16s16sI", at, dumped, 0x7FFFFFFF, by_name, by_name, user.encode("ascii"), 100))


def record(one: Record) -> bytes:
    name = one.name.encode("ascii") + b"\0"
    if len(name) > LONGEST_NAME:
        raise ValueError(f"cannot write {one.name}: its name is too long for the format")
    mode = one.mode | (FOLDER_BIT if one.is_folder else 0)
    fields = struct.pack("<14I", one.inode, mode, one.uid, one.gid, len(one.data), one.accessed or one.at, one.at,
                         one.changed or one.at, *one.device, 0, 0, FOLDER_SIZE if one.is_folder else len(one.data), 0)
    return headed(NAME, one.links, fields + padded(name)) + access(one.mode, mode, one.reserved) + padded(one.data)


def access(mode: int, whole_mode: int, reserved: int) -> bytes:
    """The two lists, of 16 bytes each; nothing of them is in a checksum."""
    owner, group, others = mode >> 6 & 7, mode >> 3 & 7, mode & 7
    return struct.pack("<II", 2, 2) + struct.pack("<IIHHHH", 16, 0, reserved, owner, group, others) + struct.pack(
        "<IIII", 16, whole_mode, 0, 0)


def end() -> bytes:
    return headed(END, 1, b"")


def headed(kind: int, number: int, fields: bytes) -> bytes:
    length = (8 + len(fields)) // 8
    blank = struct.pack("<BBHHH", length, kind, MAGIC, 0, number) + fields
    return blank[:4] + struct.pack("<H", checksum(blank)) + blank[6:]


def checksum(header: bytes) -> int:
    """Each byte shifted left by its own three lowest bits, added up; without the two bytes that hold the sum."""
    return sum((byte << (byte & 7)) & 0xFFFF for byte in header[:4] + header[6:]) & 0xFFFF


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)
