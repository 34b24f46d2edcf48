"""What a log of RSCT's says: a census of its messages, its pace, whose cause they tell of. Read in pieces."""
from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from typing import Callable, Iterator, List, Mapping, Optional, Tuple

from rmcagent.classify.rmc import meanings
from rmcagent.classify.told import Told, count
from rmcagent.partition import logs

PIECE = 1 << 20                           # bytes read at once
Read = Callable[[int], bytes]

STAMP = re.compile(rb"\b([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d) \S{1,8} (\d{4})\(")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SIDES: Mapping[str, str] = {
    "hmc": "the HMC itself returned most of these errors: look there, nothing done on this partition mends them",
    "network": "most of these are time-outs on the way to the HMC: look at routes, firewalls and port 657",
}


def pieces(head: bytes, read: Read) -> Iterator[bytes]:
    """The log in pieces of whole lines, however long it is; a line longer than a piece is cut."""
    rest = head
    while rest:
        more = read(PIECE)
        lines, newline, left = rest.rpartition(b"\n")
        if not more or not newline:
            lines, left = rest, b""
        yield lines + newline if more else rest
        rest = left + more


def of_pieces(log: Iterator[bytes]) -> Told:
    messages: Counter[str] = Counter()
    inner: Counter[str] = Counter()
    sides: Counter[str] = Counter()
    size, first, last = 0, None, None
    for piece in log:
        growth = logs.census(piece)
        messages.update(growth.messages)
        inner.update(growth.inner)
        sides[growth.side] += len(piece)
        size += len(piece)
        moments = [moment for moment in map(_moment, STAMP.findall(piece)) if moment is not None]
        if moments:
            first, last = first or moments[0], moments[-1]
    seconds = (last - first).total_seconds() if first and last else 0.0
    rate = round(size / seconds, 1) if seconds > 0 else None
    side = sides.most_common(1)[0][0]
    pace = f" within {seconds:.0f} s, {rate:.0f} bytes a second" if rate is not None else ""
    nouns = {"log": {"bytes_per_second": rate, "messages": messages, "inner": inner, "side": side, "bytes": size}}
    within = [f"{number.replace('/', ' with ')} inside, {count(times, 'time')}" for number, times in inner.most_common(4)]
    return Told(f"{count(sum(messages.values()), 'message')} in {count(size, 'byte')}{pace}; the cause's side: {side}", nouns,
                (("Messages", meanings(messages)), ("Within", within)), _means(side, messages))


def _means(side: str, messages: Mapping[str, int]) -> Tuple[str, ...]:
    if side == "benign":
        return ()
    told: List[str] = [SIDES[side]] if side in SIDES else []
    return tuple(told) or (("whose cause it is cannot be told from the log alone",) if messages else ())


def _moment(words: Tuple[bytes, ...]) -> Optional[datetime]:
    """By the log's own clock; only differences are used, so that its zone does not matter."""
    month, *numbers = (word.decode("ascii") for word in words)
    try:
        day, hour, minute, second, year = map(int, numbers)
        return datetime(year, MONTHS.index(month) + 1, day, hour, minute, second)
    except ValueError:
        return None
