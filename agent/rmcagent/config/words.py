"""Durations and days as they are spelled, and how a message tells of names; nothing here knows a key."""
from __future__ import annotations

import re
from datetime import timedelta
from typing import Sequence

UNITS = {"ms": timedelta(milliseconds=1), "s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1),
         "d": timedelta(days=1)}
LONGEST = timedelta(days=3650)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LONGEST_TEXT = 290


def duration(text: str) -> timedelta:
    """The time that `90s`, `5m`, `12h` or `30d` stands for; ValueError otherwise."""
    found = re.fullmatch(r"([0-9]{1,12})(ms|s|m|h|d)", text)
    if not found:
        if re.fullmatch(r"[0-9]{1,12}", text):
            raise ValueError(f"it has no unit, write {text}s, {text}m or {text}h")
        raise ValueError("not a duration, write a whole number and ms, s, m, h or d, such as 90s")
    if int(found[1]) > LONGEST / UNITS[found[2]]:
        raise ValueError(f"too long, write {spell(LONGEST)} at most")
    return int(found[1]) * UNITS[found[2]]


def spell(length: timedelta) -> str:
    """The shortest way to write a duration; parts of a millisecond are left out."""
    if length < UNITS["ms"]:
        return "0s"
    unit = next(name for name in ("d", "h", "m", "s", "ms") if name == "ms" or not length % UNITS[name])
    return f"{length // UNITS[unit]}{unit}"


def near(text: str, words: Sequence[str]) -> str:
    """The question whether one of `words` was meant; empty where none is like `text`."""
    import difflib
    alike = {word.lower().replace("-", "_"): word for word in words}
    found = difflib.get_close_matches(text[:64].lower().replace("-", "_"), tuple(alike), n=1)
    return f'did you mean "{alike[found[0]]}"?' if found else ""


def either(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def plain(text: str, most: int = LONGEST_TEXT) -> str:
    """Text from a file made fit for a terminal and a log: printable ASCII, and not too long."""
    text = "".join(one if " " <= one <= "~" else ascii(one)[1:-1] for one in text[:most + 1])
    return text if len(text) <= most else f"{text[:most - 3]}..."
