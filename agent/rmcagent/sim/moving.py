"""Time that remembers what it was compared with: when will the same questions be answered otherwise?

While nothing happens, a turn of the agent depends on time by comparisons alone. Values that move with the clock carry their
slope (now: 1, its distance from something that stands still: 1, the sum of now and that distance's opposite: 0), and each
comparison of one that moves with one that does not tells the Watch when it comes out otherwise. What is worked out by more than
plus and minus may be otherwise at once. What a turn leaves behind stands still from the next one on.

Not seen: a datetime of the standard library, plus or minus a span that moves; and words and whole numbers made of a time.
"""
from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Any, Callable, List, Optional, Tuple, Union

from rmcagent.clock import Steady

LEAST = 1e-6                    # seconds: no two times are nearer to each other
Anchor = Union[datetime, float, None]


class Watch:
    """The comparisons of one turn: (what stood still, if it was remembered, and the seconds until it comes out otherwise)."""

    def __init__(self) -> None:
        self.on = True                  # nothing moves while it does not look
        self.turn = 0
        self.flips: List[Tuple[Anchor, float]] = []

    def begin(self) -> None:
        """Another turn: what moved in the last one stands still."""
        self.turn += 1
        self.flips = []


class Moving:
    """What Moment, Span and Ticks have in common. `anchor`: what was remembered, and a span is counted from."""

    __slots__ = ()
    watch: Watch
    turn = -1
    slope = 0.0
    anchor: Anchor = None


class Moment(Moving, datetime):
    """A datetime that moves. `derived`: it was worked out in its turn, and no clock told it."""

    __slots__ = ("watch", "turn", "slope", "derived")
    derived: bool

    def __sub__(self, other: Any) -> Any:
        found = datetime.__sub__(self, other)
        if type(other) is datetime:
            slope = self.slope if self.turn == self.watch.turn else 0.0
            return _span(found, self.watch, slope, other) if slope else found
        return _difference(self, other, found)

    def __rsub__(self, other: Any) -> Any:
        return _difference(other, self, datetime.__sub__(other, self))

    def __add__(self, other: timedelta) -> Any:
        return _moment(datetime.__add__(self, other), self.watch, slope_of(self) + slope_of(other), derived=True)

    __radd__ = __add__

    def replace(self, *parts: Any, **named: Any) -> Any:
        return _moment(plain(self).replace(*parts, **named), self.watch, slope_of(self), self.derived)

    def astimezone(self, tz: Optional[tzinfo] = None) -> Any:
        return _moment(plain(self).astimezone(tz), self.watch, slope_of(self), self.derived)


class Span(Moving, timedelta):
    """A timedelta that moves."""

    __slots__ = ("watch", "turn", "slope", "anchor")

    def __add__(self, other: Any) -> Any:
        if isinstance(other, datetime):
            return _moment(datetime.__add__(other, self), self.watch, slope_of(self) + slope_of(other), derived=True)
        return _span(timedelta.__add__(self, other), self.watch, slope_of(self) + slope_of(other), _origin(self, other))

    __radd__ = __add__

    def __sub__(self, other: timedelta) -> Any:
        return _span(timedelta.__sub__(self, other), self.watch, slope_of(self) - slope_of(other), _origin(self, other))

    def __rsub__(self, other: timedelta) -> Any:
        return _span(timedelta.__sub__(other, self), self.watch, slope_of(other) - slope_of(self), _origin(self, other))

    def total_seconds(self) -> float:
        return ticks(timedelta.total_seconds(self), self.watch, slope_of(self), self.anchor)


class Ticks(Moving, float):
    """Seconds that move."""

    __slots__ = ("watch", "turn", "slope", "anchor")

    def __add__(self, other: float) -> Any:
        return ticks(float.__add__(self, other), self.watch, slope_of(self) + slope_of(other), _origin(self, other))

    __radd__ = __add__

    def __sub__(self, other: float) -> Any:
        return ticks(float.__sub__(self, other), self.watch, slope_of(self) - slope_of(other), _since(self, other))

    def __rsub__(self, other: float) -> Any:
        return ticks(float.__rsub__(self, other), self.watch, slope_of(other) - slope_of(self), _since(other, self))


class MovingSteady(Steady):
    """The steady clock on a clock whose seconds move."""

    def __init__(self, steady: Steady, watch: Watch) -> None:
        super().__init__(steady.clock, plain(steady.anchor_wall), float(steady.anchor_monotonic))
        self.watch = watch
        self.told: Tuple[float, datetime] = (0.0, self.anchor_wall)

    def now(self) -> datetime:
        """What was told of the same seconds is told once more."""
        monotonic = self.clock.monotonic()
        if monotonic is not self.told[0]:
            self.told = (monotonic, self.at(monotonic))
        return self.told[1]

    def at(self, monotonic: float) -> datetime:
        moment = super().at(float(monotonic))
        return _moment(moment, self.watch, slope_of(monotonic)) if self.watch.on else moment


def slope_of(value: Any) -> float:
    if type(value) in NEVER_MOVING:
        return 0.0
    return value.slope if isinstance(value, Moving) and value.turn == value.watch.turn else 0.0


def plain(moment: datetime) -> datetime:
    """The same, standing still."""
    return moment if type(moment) is datetime else datetime.combine(moment.date(), moment.timetz())


NEVER_MOVING = frozenset((datetime, timedelta, float, int))


def moving(moment: datetime, watch: Watch) -> datetime:
    """Now, as a clock that is watched tells it."""
    return _moment(moment, watch, 1.0)


def ticks(seconds: float, watch: Watch, slope: float = 1.0, anchor: Anchor = None) -> Ticks:
    made = Ticks(seconds)
    made.watch, made.turn, made.slope, made.anchor = watch, watch.turn, slope, anchor
    return made


def span(length: timedelta, watch: Watch, slope: float = 1.0) -> timedelta:
    """How long something has lasted, and goes on to."""
    return _span(length, watch, slope, None)


def _moment(moment: datetime, watch: Watch, slope: float, derived: bool = False) -> Moment:
    """`moment` is one that nobody else holds, or that stands still."""
    made = moment if type(moment) is Moment else Moment.combine(moment.date(), moment.timetz())
    made.watch, made.turn, made.slope, made.derived = watch, watch.turn, slope, derived
    return made


def _span(length: timedelta, watch: Watch, slope: float, anchor: Anchor) -> timedelta:
    if not slope:
        return length
    made = Span(length.days, length.seconds, length.microseconds)
    made.watch, made.turn, made.slope, made.anchor = watch, watch.turn, slope, anchor
    return made


def _difference(left: Any, right: Any, found: Any) -> Any:
    watch = (left if isinstance(left, Moving) else right).watch
    slope = slope_of(left) - slope_of(right)
    if isinstance(found, datetime):
        return _moment(found, watch, slope, derived=True)
    return _span(found, watch, slope, _remembered(left, right)) if slope else found


def _remembered(left: datetime, right: datetime) -> Optional[datetime]:
    """The one that stands still, unless it was only worked out: what is left of an earlier turn was remembered."""
    if bool(slope_of(left)) is bool(slope_of(right)):
        return None
    still = right if slope_of(left) else left
    worked_out = isinstance(still, Moment) and still.derived and still.turn == still.watch.turn
    return None if worked_out else still


def _origin(left: Any, right: Any) -> Anchor:
    """What the one that moves is counted from; unknown where both do."""
    if slope_of(left):
        return None if slope_of(right) else left.anchor
    return right.anchor if slope_of(right) else None


def _since(left: Any, right: Any) -> Anchor:
    """Now, less seconds that a clock once told, is counted from these."""
    moves, other = (left, right) if slope_of(left) else (right, left)
    if slope_of(moves) and moves.anchor is None and isinstance(other, Ticks) and not slope_of(other):
        return other
    return _origin(left, right)


def _comparing(kind: Any, name: str, gap: Callable[[Any, Any], float],
               anchor: Callable[[Any, Any], Anchor]) -> Callable[..., Any]:
    compare = getattr(kind, name)
    late_ahead, late_behind = name in ("__le__", "__gt__"), name in ("__lt__", "__ge__")

    def compared(self: Any, other: Any) -> Any:
        """`late`: being equal is as being apart was."""
        answer = compare(self, other)
        slope = self.slope if self.turn == self.watch.turn else 0.0
        if type(other) not in NEVER_MOVING:
            slope -= slope_of(other)
        if slope and answer is not NotImplemented:
            late = late_ahead if slope > 0 else late_behind
            seconds = gap(self, other) / slope + (LEAST if late else 0.0)
            if seconds > 0:
                self.watch.flips.append((anchor(self, other), seconds))
        return answer

    return compared


def _opaque(kind: Any, name: str) -> Callable[..., Any]:
    """What is worked out in a way that is not followed: otherwise at once, but for a share of nothing."""
    work_out = getattr(kind, name)

    def worked_out(self: Any, *others: Any) -> Any:
        if slope_of(self) and not (others == (0,) and name == "__rtruediv__"):
            self.watch.flips.append((self.anchor, LEAST))
        return work_out(self, *others)

    return worked_out


def _between_moments(one: datetime, other: datetime) -> float:
    return timedelta.total_seconds(datetime.__sub__(other, one))


def _between_spans(one: timedelta, other: timedelta) -> float:
    return timedelta.total_seconds(other) - timedelta.total_seconds(one)


def _between_ticks(one: float, other: float) -> float:
    return float(other) - float(one)


for _kind, _made, _gap, _anchor in (
    (datetime, Moment, _between_moments, _remembered), (timedelta, Span, _between_spans, _origin),
    (float, Ticks, _between_ticks, _origin),
):
    for _name in ("lt", "le", "gt", "ge"):
        setattr(_made, f"__{_name}__", _comparing(_kind, f"__{_name}__", _gap, _anchor))
    for _name in ("mul", "truediv", "floordiv", "mod", "divmod", "neg", "abs"):
        for _side in (f"__{_name}__", f"__r{_name}__"):
            if _made is not Moment and hasattr(_kind, _side):
                setattr(_made, _side, _opaque(_kind, _side))
