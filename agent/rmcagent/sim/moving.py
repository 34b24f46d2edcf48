"""Time that remembers what it was compared with: when will the same questions be answered otherwise?

While nothing happens, a turn of the agent depends on time by comparisons alone. Values that move with the clock carry their
slope (now: 1, its distance from something that stands still: 1, the sum of now and that distance's opposite: 0), and each
comparison of one that moves with one that does not tells the Watch how far they are apart. What a turn leaves behind stands still
from the next one on.
"""
from __future__ import annotations

import operator
from datetime import datetime, timedelta, tzinfo
from typing import Any, Callable, List, Optional, Tuple

from rmcagent.clock import Steady


class Watch:
    """The comparisons of one turn: (what stood still, where that is known, and the seconds until it comes out otherwise)."""

    def __init__(self) -> None:
        self.turn = 0
        self.flips: List[Tuple[Optional[datetime], float]] = []

    def begin(self) -> None:
        """Another turn: what moved in the last one stands still."""
        self.turn += 1
        self.flips = []

    def compared(self, ahead: float, slope: float, anchor: Optional[datetime]) -> None:
        """Two values `ahead` seconds apart, of which one gains on the other by `slope` seconds a second."""
        seconds = ahead / slope
        if seconds > 0:
            self.flips.append((anchor, seconds))


class Moving:
    """What Moment, Span and Ticks have in common. `anchor`: the moment from which a span is counted."""

    watch: Watch
    turn = -1
    slope = 0.0
    anchor: Optional[datetime] = None

    def moves(self) -> float:
        return self.slope if self.turn == self.watch.turn else 0.0


class Moment(Moving, datetime):
    """A datetime that moves. `derived`: it was worked out, and not remembered."""

    derived = False

    def __sub__(self, other: Any) -> Any:
        return _difference(self, other, datetime.__sub__(self, other))

    def __rsub__(self, other: Any) -> Any:
        return _difference(other, self, datetime.__sub__(other, self))

    def __add__(self, other: timedelta) -> Any:
        made = _moment(datetime.__add__(self, other), self.watch, self.moves() + slope_of(other))
        made.derived = True
        return made

    __radd__ = __add__

    def replace(self, *parts: Any, **named: Any) -> Any:
        return _moment(plain(self).replace(*parts, **named), self.watch, self.moves())

    def astimezone(self, tz: Optional[tzinfo] = None) -> Any:
        return _moment(plain(self).astimezone(tz), self.watch, self.moves())


class Span(Moving, timedelta):
    """A timedelta that moves."""

    def __add__(self, other: Any) -> Any:
        if isinstance(other, datetime):
            return NotImplemented
        return _span(timedelta.__add__(self, other), self.watch, self.moves() + slope_of(other), self.anchor)

    __radd__ = __add__

    def __sub__(self, other: timedelta) -> Any:
        return _span(timedelta.__sub__(self, other), self.watch, self.moves() - slope_of(other), self.anchor)

    def __rsub__(self, other: timedelta) -> Any:
        return _span(timedelta.__sub__(other, self), self.watch, slope_of(other) - self.moves(), self.anchor)

    def total_seconds(self) -> float:
        return ticks(timedelta.total_seconds(self), self.watch, self.moves(), self.anchor)


class Ticks(Moving, float):
    """Seconds that move."""

    def __add__(self, other: float) -> Any:
        return ticks(float.__add__(self, other), self.watch, self.moves() + slope_of(other), self.anchor)

    __radd__ = __add__

    def __sub__(self, other: float) -> Any:
        return ticks(float.__sub__(self, other), self.watch, self.moves() - slope_of(other), self.anchor)

    def __rsub__(self, other: float) -> Any:
        return ticks(float.__rsub__(self, other), self.watch, slope_of(other) - self.moves(), self.anchor)


class MovingSteady(Steady):
    """The steady clock on a clock whose seconds move."""

    def __init__(self, steady: Steady, watch: Watch) -> None:
        super().__init__(steady.clock, steady.anchor_wall, steady.anchor_monotonic)
        self.watch = watch

    def at(self, monotonic: float) -> datetime:
        return _moment(super().at(monotonic), self.watch, slope_of(monotonic))


def slope_of(value: Any) -> float:
    return value.moves() if isinstance(value, Moving) else 0.0


def plain(moment: datetime) -> datetime:
    """The same, standing still."""
    return datetime(moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second, moment.microsecond,
                    moment.tzinfo, fold=moment.fold)


def moving(moment: datetime, watch: Watch) -> datetime:
    """Now, as a clock that is watched tells it."""
    return _moment(moment, watch, 1.0)


def ticks(seconds: float, watch: Watch, slope: float = 1.0, anchor: Optional[datetime] = None) -> float:
    made = Ticks(seconds)
    made.watch, made.turn, made.slope, made.anchor = watch, watch.turn, slope, anchor
    return made


def _moment(moment: datetime, watch: Watch, slope: float) -> Moment:
    made = Moment(moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second, moment.microsecond,
                  moment.tzinfo, fold=moment.fold)
    made.watch, made.turn, made.slope = watch, watch.turn, slope
    return made


def span(length: timedelta, watch: Watch, slope: float = 1.0) -> timedelta:
    """How long something has lasted, and goes on to."""
    return _span(length, watch, slope, None)


def _span(length: timedelta, watch: Watch, slope: float, anchor: Optional[datetime]) -> timedelta:
    made = Span(length.days, length.seconds, length.microseconds)
    made.watch, made.turn, made.slope, made.anchor = watch, watch.turn, slope, anchor
    return made


def _difference(left: Any, right: Any, found: Any) -> Any:
    watch = (left if isinstance(left, Moving) else right).watch
    if isinstance(found, datetime):
        made = _moment(found, watch, slope_of(left) - slope_of(right))
        made.derived = True
        return made
    still = [side for side in (left, right) if not slope_of(side)]
    return _span(found, watch, slope_of(left) - slope_of(right), still[0] if still else None)


def _comparing(kind: Any, name: str, gap: Callable[[Any, Any], float]) -> Callable[[Any, Any], Any]:
    compare = getattr(kind, name)

    def compared(self: Any, other: Any) -> Any:
        answer = compare(self, other)
        slope = self.moves() - slope_of(other)
        if slope and answer is not NotImplemented:
            self.watch.compared(gap(self, other), slope, _anchor(self, other))
        return answer

    return compared


def _anchor(left: Any, right: Any) -> Optional[datetime]:
    for side in (left, right):
        if isinstance(side, datetime) and not slope_of(side):
            return None if getattr(side, "derived", False) else side
    return getattr(left, "anchor", None) or getattr(right, "anchor", None)


def _between_moments(one: datetime, other: datetime) -> float:
    return timedelta.total_seconds(datetime.__sub__(other, one))


def _between_spans(one: timedelta, other: timedelta) -> float:
    return timedelta.total_seconds(other) - timedelta.total_seconds(one)


def _between_ticks(one: float, other: float) -> float:
    return float(other) - float(one)


for _kind, _made, _gap in (
    (datetime, Moment, _between_moments), (timedelta, Span, _between_spans), (float, Ticks, _between_ticks),
):
    for _operator in (operator.lt, operator.le, operator.gt, operator.ge):
        setattr(_made, f"__{_operator.__name__}__", _comparing(_kind, f"__{_operator.__name__}__", _gap))
