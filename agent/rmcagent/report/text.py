"""How an event is spelt: its line, its structured data, a field's value, and a whole message for syslog. Pure."""
from __future__ import annotations

import re
from datetime import datetime
from typing import Iterable, List, NamedTuple, Tuple

from rmcagent.report.events import Event

LINE_BYTES = 900
MESSAGE_BYTES = 2048                      # of RFC 5424: what every receiver should take
VALUE_BYTES = 900
HOST_BYTES = 255
DOTS = 3
ELEMENT = "rmcagent@32473"                # the enterprise number set apart for documentation: we have none of our own


class Field(NamedTuple):
    """A field about to be written: its units are never cut in two."""

    head: str
    units: List[str]
    tail: str


def line(event: Event) -> str:
    """One ASCII line of at most 900 bytes: code, word, key=value; long values are cut alike, and end in `...`."""
    text = f"{_plain(event.code, 32)} {_plain(event.word, 80)}"
    fields = (_line_field(key, value) for key, value in event.fields)
    return text + _packed(fields, LINE_BYTES - len(text), Field(" more=", ["."] * DOTS, ""))


def escaped(value: str) -> str:
    """The value in at most 900 printable ASCII characters: what is not so is escaped, and so is the backslash."""
    return _cut([_clear(character) for character in value[:VALUE_BYTES + 1]], VALUE_BYTES)


def rfc3164(priority: int, local: datetime, pid: int, text: str) -> str:
    """What syslog(3) writes on its socket."""
    return f"<{priority}>{local:%b} {local.day:2d} {local:%H:%M:%S} rmcagent[{pid}]: {text}"


def rfc5424(priority: int, local: datetime, host: str, pid: int, event: Event, text: str) -> str:
    """The same with the fields as structured data, in at most 2048 bytes."""
    host = "".join(character for character in host[:HOST_BYTES] if "!" <= character <= "~") or "-"
    head = (f"<{priority}>1 {local.isoformat(timespec='milliseconds')} {host} rmcagent {pid} "
            f"{_name(event.code)} [{ELEMENT} code=\"{_name(event.code)}\"")
    fields = (_parameter(key, value) for key, value in event.fields)
    room = MESSAGE_BYTES - len(head) - len("] ") - len(text)
    return f"{head}{_packed(fields, room, _parameter('more', '...'))}] {text}"


def of_lost(first: bytes, lines: int) -> bytes:
    """How many lines were lost while nobody listened, under the code and priority of the first that was not."""
    told = b" earlier lines lost lines=%d" % lines
    modern = re.match(rb"<\d+>1 (?:\S+ ){4}(\S+) ", first)
    if modern:
        return modern.group() + b"- " + modern.group(1) + told
    head, _, text = first.partition(b"]: ")
    return head + b"]: " + text.split(b" ", 1)[0] + told


# -- one field


def _line_field(key: str, value: str) -> Field:
    head = f" {_plain(key, 40)}="
    if value.isalnum() and value.isascii():
        return Field(head, list(value[:LINE_BYTES]), "")
    quoted = not value or any(character in ' "=\\' or not " " < character <= "~" for character in value)
    mark = '"' if quoted else ""
    return Field(head + mark, [_quotable(character) for character in value[:LINE_BYTES]], mark)


def _parameter(key: str, value: str) -> Field:
    """PARAM-VALUE's own escapes (of the quote, the backslash and the bracket) stand around the value as it is told elsewhere."""
    units = ["".join("\\" + mark if mark in '"\\]' else mark for mark in _clear(character)) for character in value[:VALUE_BYTES]]
    return Field(f' {_name(key)}="', units, '"')


def _name(key: str) -> str:
    """A PARAM-NAME or MSGID: at most 32 letters, none of which could end it."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", key[:32]) or "_"


def _plain(text: str, most: int) -> str:
    return "".join(_quotable(character) for character in text[:most])[:most]


def _quotable(character: str) -> str:
    return '\\"' if character == '"' else _clear(character)


def _clear(character: str) -> str:
    """The character as printable ASCII that can be read back: an escape begins with a backslash, and so does one of its own."""
    if character == "\\":
        return "\\\\"
    if " " <= character <= "~":
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


# -- many fields in little room


def _packed(fields: Iterable[Field], room: int, more: Field) -> str:
    """All of the fields, long values cut alike; or as many as fit, and `more`."""
    kept: List[Field] = []
    for field in fields:
        room -= len(field.head) + len(field.tail)
        kept.append(field)
        if room < DOTS * (len(kept) + 3):               # not even cut ones fit any more
            kept[-1] = more
            room += len(field.head) + len(field.tail) - len(more.head) - len(more.tail)
            break
    share = _fair_share([sum(map(len, field.units)) for field in kept], room)
    return "".join(field.head + _cut(field.units, share) + field.tail for field in kept)


def _fair_share(lengths: List[int], room: int) -> int:
    """The longest that every value may be, so that all together fit; short ones leave what they do not need to the others."""
    ordered: Tuple[int, ...] = tuple(sorted(lengths))
    for position, length in enumerate(ordered):
        share = room // (len(ordered) - position)
        if length > share:
            return max(0, share)
        room -= length
    return max(ordered, default=0)


def _cut(units: List[str], room: int) -> str:
    whole = "".join(units)
    if len(whole) <= room:
        return whole
    kept = ""
    for unit in units:
        if len(kept) + len(unit) > room - DOTS:
            break
        kept += unit
    return kept + "..."
