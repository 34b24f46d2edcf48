"""Times as a picture writes them: round ones along an axis, from seconds to centuries, and lengths; pure."""
from __future__ import annotations

from datetime import datetime, timedelta
from typing import Iterator, Tuple

MINUTE, HOUR, DAY = 60, 3600, 86400
STEPS = (1, 2, 5, 10, 15, 30, *(MINUTE * many for many in (1, 2, 5, 10, 15, 30)), *(HOUR * many for many in (1, 2, 3, 6, 12)),
         *(DAY * many for many in (1, 2, 3, 7, 14)))
MONTH_STEPS = (1, 2, 3, 6, *(12 * years for years in (1, 2, 5, 10, 20, 50, 100, 1000)))
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MOST_TICKS = 12

Tick = Tuple[datetime, str, str]


def ticks(begin: datetime, end: datetime) -> Iterator[Tick]:
    """(moment, what is written, what is written beneath where it changes): at most 13, at round times of `begin`'s offset."""
    seconds = (end - begin).total_seconds()
    step = next((step for step in STEPS if seconds <= step * MOST_TICKS), 0)
    if not step:
        yield from _months(begin, end)
        return
    first = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    if step >= 7 * DAY:
        first -= timedelta(days=first.weekday())
    begins = -(-(begin - first) // timedelta(seconds=step))
    for number in range(begins, (end - first) // timedelta(seconds=step) + 1):
        at = first + timedelta(seconds=number * step)
        date = f"{at.day} {MONTHS[at.month - 1]}"
        if step >= DAY:
            yield at, date, str(at.year)
        else:
            yield at, f"{at:%H:%M:%S}" if step < MINUTE else f"{at:%H:%M}", f"{date} {at.year}"


def when(at: datetime) -> str:
    """To the second; its offset is told elsewhere."""
    return at.replace(tzinfo=None).isoformat(" ", "seconds")


def length(time: timedelta) -> str:
    """Its two greatest units."""
    seconds = round(time.total_seconds())
    units = ((seconds // DAY, "d"), (seconds % DAY // HOUR, "h"), (seconds % HOUR // MINUTE, "min"), (seconds % MINUTE, "s"))
    return " ".join([f"{number} {unit}" for number, unit in units if number][:2]) or "0 s"


def _months(begin: datetime, end: datetime) -> Iterator[Tick]:
    first, last = (at.year * 12 + at.month - 1 for at in (begin, end))
    step = next(step for step in MONTH_STEPS if last - first <= step * MOST_TICKS)
    for month in range(-(-first // step) * step, last + 1, step):
        at = begin.replace(year=month // 12, month=month % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0)
        if at >= begin:
            yield at, MONTHS[at.month - 1], str(at.year)
