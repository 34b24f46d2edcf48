"""How values are written. Each parser raises ValueError with what is wrong and what to write instead."""
from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Callable, FrozenSet, List, Optional, Tuple

from rmcagent.config.nouns import Budget, Window
from rmcagent.config.words import DAYS, LONGEST, UNITS, duration, either, near, spell
from rmcagent.frozen import dataclass, replace

TREATABLE = ("link-down", "link-pending", "no-hmc", "identity-clash", "cloned-node")     # by recfgct
SIZES = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


@dataclass(frozen=True)
class Kind:
    """How a value is written: `parse` and `show` undo each other; `says` completes "write ..."."""

    says: str
    parse: Callable[[str], Any]
    show: Callable[[Any], str] = str
    words: Tuple[str, ...] = ()
    many: bool = False                        # a list of such values
    lone: bool = False                        # a list of one may stand without its brackets
    least: int = 0                            # of a list


def one_of(*words: str) -> Kind:
    """The kind of a value that is one of `words`."""
    def parse_word(text: str) -> str:
        if text not in words:
            raise ValueError(f"{near(text, words) or 'no such choice,'} write {either(words)}")
        return text
    return Kind(either(words), parse_word, words=words)


def path_or(*words: str) -> Kind:
    """The kind of a value that is one of `words`, or else a path."""
    def parse_path(text: str) -> str:
        if text in words:
            return text
        if not text.startswith("/"):
            raise ValueError(f"write {either((*words, '/a/path'))}")
        return _path(text)
    return Kind(either((*words, "an absolute path")), parse_path, words=words)


def _between(least: timedelta, most: timedelta = LONGEST) -> Callable[[str], timedelta]:
    def parse_bounded(text: str) -> timedelta:
        length = duration(text)
        if not least <= length <= most:
            raise ValueError(f"out of range, write {spell(least)} to {spell(most)}")
        return length
    return parse_bounded


def _size(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,12})(KiB|MiB|GiB|)", text)
    if not found:
        raise ValueError("not a size, write a number of bytes, or a number and KiB, MiB or GiB, such as 64KiB")
    if not 0 < int(found[1]) * SIZES[found[2]] <= 1 << 40:
        raise ValueError("out of range, write a size from 1 to 1024GiB")
    return int(found[1]) * SIZES[found[2]]


def spell_size(size: int) -> str:
    """The shortest way to write a size."""
    unit = next(name for name in ("GiB", "MiB", "KiB", "") if not size % SIZES[name])
    return f"{size // SIZES[unit]}{unit}"


def _budget(text: str) -> Budget:
    times, slash, span = text.partition("/")
    if not slash or not re.fullmatch(r"[0-9]{1,6}", times):
        raise ValueError("not a budget, write TIMES/SPAN, such as 2/24h")
    if int(times) == 0:
        raise ValueError("it allows nothing; to do without a remedy, write mode: off")
    return Budget(int(times), _between(UNITS["s"])(span))


def _percent(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,2})?)%", text)
    if not found or not 0 < float(found[1]) <= 100:
        raise ValueError("not a share, write a percentage, such as 90%")
    return float(found[1]) / 100


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse_whole(text: str) -> int:
        if not re.fullmatch(r"0|[1-9][0-9]{0,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"write a whole number from {least} to {most}")
        return int(text)
    return parse_whole


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("not an absolute path, begin it with /")
    if not text.isprintable() or len(text) > 1000:
        raise ValueError("too long, or with characters that do not print")
    return text


def _pattern(text: str) -> str:
    _path(text[len("{var_ct}"):] if text.startswith("{var_ct}/") else text)
    if re.search("[{}]", text.replace("{var_ct}", "")):
        raise ValueError("only {var_ct} stands for something here")
    return text


def _address(text: str) -> str:
    import ipaddress
    try:
        ipaddress.ip_address(text)
        return text
    except ValueError:
        # A host name's last label is never all digits: 10.1.2.300 is a slip, not a name.
        if len(text) > 253 or not re.fullmatch(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?", text) \
                or re.fullmatch(r"(.*\.)?[0-9]+\.?", text):
            raise ValueError("neither an IP address nor a host name") from None
        return text


def _window(text: str) -> Optional[Window]:
    if text == "always":
        return None
    found = re.fullmatch(r"(?:(\S+) )?([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})", text)
    if not found:
        raise ValueError('not a window, write always, or in quotes days and hours: "Sat,Sun 01:00-05:00"')
    start, end = int(found[2]) * 60 + int(found[3]), int(found[4]) * 60 + int(found[5])
    if max(int(found[3]), int(found[5])) > 59 or start >= 1440 or end > 1440:
        raise ValueError("no such time of day, write 00:00 to 24:00")
    if start == end:
        raise ValueError("it closes as it opens, write always, or two different times")
    return Window(_days(found[1]), start, end)


def _days(text: Optional[str]) -> FrozenSet[int]:
    if text is None:
        return frozenset(range(7))
    days: List[int] = []
    for part in text.split(","):
        ends = [name.capitalize() for name in part.split("-")]
        if not 1 <= len(ends) <= 2 or not set(ends) <= set(DAYS):
            raise ValueError(f"no such days, write {', '.join(DAYS)}, or a range such as Mon-Fri")
        first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
        days.extend((first + step) % 7 for step in range((last - first) % 7 + 1))
    return frozenset(days)


def _never_or_duration(text: str) -> Optional[timedelta]:
    return None if text == "never" else _between(UNITS["ms"])(text)


DURATION = Kind("a duration such as 90s", _between(UNITS["ms"]), spell)
DURATION_OR_ZERO = Kind("a duration such as 90s, or 0s", duration, spell)
EVIDENCE = Kind("a duration from 1s to 10m", _between(UNITS["s"], 10 * UNITS["m"]), spell)
AFTER_STOP = Kind("never, or a duration such as 2h", _never_or_duration, lambda length: spell(length) if length else "never",
                  ("never",))
SIZE = Kind("a size such as 64KiB", _size, spell_size)
COUNT = Kind("a whole number", _whole(1, 1000))
PERCENT = Kind("a percentage such as 90%", _percent, lambda share: f"{round(share * 100, 2):g}%")
CHANGES = Kind("TIMES/SPAN, such as 6/1h", _budget)
BUDGETS = Kind("TIMES/SPAN such as 2/24h, or a list of them", _budget, many=True, lone=True, least=1)
WINDOW = Kind('always, or "Sat,Sun 01:00-05:00"', _window, lambda window: str(window or "always"), ("always",))
PATH = Kind("an absolute path", _path)
PATTERNS = Kind("a list of paths, such as [/var/ct/*/log/mc/*]", _pattern, many=True)
ADDRESSES = Kind("a list of addresses, such as [192.0.2.10, hmc1.example.com]", _address, many=True)
FAULTS = replace(one_of(*TREATABLE), says="a list of faults, such as [link-pending, no-hmc]", many=True)
PORTS = Kind("a list of ports, such as [657, 12601]", _whole(1, 65535), many=True, least=1)
