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
FIXED = datetime.min            # an anchor that nothing the agent does will move: the boot, and what was read
MIXED = datetime.max            # of a moment that moves, and counts from something besides


class Watch:
    """The comparisons of one turn.

    `flips`, of what moves with what stands still: (that, if it was remembered; the seconds until it comes out otherwise). `past`:
    the same of those that never do, with the seconds since they did, none above 0. `pairs`, of two that stand still: (both, and
    the seconds from one to the other); `apart`: two of which it was worked out how far apart they are.
    """

    def __init__(self) -> None:
        self.on = True                  # nothing moves while it does not look
        self.turn = 0
        self._nothing()

    def begin(self) -> None:
        """Another turn: what moved in the last one stands still."""
        self.turn += 1
        self._nothing()

    def at_once(self, anchor: Anchor) -> None:
        """It is otherwise as soon as time passes, and was before."""
        self.flips.append((anchor, LEAST))
        self.past.append((anchor, 0.0))

    def _nothing(self) -> None:
        self.flips: List[Tuple[Anchor, float]] = []
        self.past: List[Tuple[Anchor, float]] = []
        self.pairs: List[Tuple[Anchor, Anchor, float]] = []
        self.apart: List[Tuple[Anchor, Anchor]] = []


class Moving:
    """What Moment, Span and Ticks have in common. `anchor`: what was remembered, and a span is counted from."""

    __slots__ = ()
    watch: Watch
    turn = -1
    slope = 0.0
    anchor: Anchor = None


class Moment(Moving, datetime):
    """A datetime that moves. `derived`: it was worked out in its turn, and no clock told it: from `anchor`, or from now."""

    __slots__ = ("watch", "turn", "slope", "derived", "anchor")
    derived: bool

    def __sub__(self, other: Any) -> Any:
        found, watch = datetime.__sub__(self, other), self.watch
        if type(found) is timedelta and self.turn == watch.turn and self.slope and self.anchor is None and (
                type(other) is datetime or other.turn != watch.turn):
            return _span(found, watch, self.slope, other)       # as _difference() would tell, and mostly asked
        return _difference(self, other, found)

    def __rsub__(self, other: Any) -> Any:
        return _difference(other, self, datetime.__sub__(other, self))

    def __add__(self, other: timedelta) -> Any:
        return _worked_out(datetime.__add__(self, other), self, other, slope_of(self) + slope_of(other))

    __radd__ = __add__

    def replace(self, *parts: Any, **named: Any) -> Any:
        """What is left of one that stands still, where something is cut off, depends on nothing while that stays where it is."""
        replaced, slope = plain(self).replace(*parts, **named), slope_of(self)
        if not parts and named.keys() == {"tzinfo"}:
            return _moment(replaced, self.watch, slope, self.derived, self.anchor)
        if slope:
            self.watch.at_once(None)
        else:
            self.watch.apart.append((_itself(self), FIXED))
        return _moment(replaced, self.watch, 0.0, True, FIXED)

    def astimezone(self, tz: Optional[tzinfo] = None) -> Any:
        return _moment(plain(self).astimezone(tz), self.watch, slope_of(self), self.derived, self.anchor)


class Span(Moving, timedelta):
    """A timedelta that moves."""

    __slots__ = ("watch", "turn", "slope", "anchor")

    def __add__(self, other: Any) -> Any:
        if isinstance(other, datetime):
            return _worked_out(datetime.__add__(other, self), other, self, slope_of(self) + slope_of(other))
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


def standing(moment: datetime, watch: Watch) -> datetime:
    """A moment that was remembered, so that what is worked out from it is known to be."""
    return _moment(moment, watch, 0.0)


def another(moment: Any, watch: Watch) -> Any:
    """The same, as another object."""
    if isinstance(moment, str):
        return moment
    if isinstance(moment, Ticks):
        return ticks(float(moment), watch, slope_of(moment), moment.anchor)
    if type(moment) is Moment and moment.turn == watch.turn:
        return _moment(plain(moment), watch, moment.slope, moment.derived, moment.anchor)
    return standing(plain(moment), watch)


def ticks(seconds: float, watch: Watch, slope: float = 1.0, anchor: Anchor = FIXED) -> Ticks:
    """Seconds that a clock tells are counted from the boot."""
    made = Ticks(seconds)
    made.watch, made.turn, made.slope, made.anchor = watch, watch.turn, slope, anchor
    return made


def span(length: timedelta, watch: Watch, slope: float = 1.0) -> timedelta:
    """How long something that the agent does not move has lasted, and goes on to."""
    return _span(length, watch, slope, FIXED)


def _moment(moment: datetime, watch: Watch, slope: float, derived: bool = False, anchor: Anchor = None) -> Moment:
    """`moment` is one that nobody else holds, or that stands still."""
    made = moment if type(moment) is Moment else Moment.combine(moment.date(), moment.timetz())
    made.watch, made.turn, made.slope, made.derived, made.anchor = watch, watch.turn, slope, derived, anchor
    return made


def _worked_out(found: datetime, moment: Any, length: Any, slope: float) -> Moment:
    """A moment and a length, or less it: `found`. Now, less how long ago something was, is that."""
    watch, moves = (moment if isinstance(moment, Moving) else length).watch, slope_of(moment)
    if not slope_of(length):
        anchor = moment.anchor if moves else _itself(moment)
    elif slope:
        anchor = MIXED
    else:
        anchor = None if moment.anchor is MIXED else length.anchor
    return _moment(found, watch, slope, True, anchor)


def _span(length: timedelta, watch: Watch, slope: float, anchor: Anchor) -> timedelta:
    if not slope:
        return length
    made = Span(length.days, length.seconds, length.microseconds)
    made.watch, made.turn, made.slope, made.anchor = watch, watch.turn, slope, anchor
    return made


def _difference(left: Any, right: Any, found: Any) -> Any:
    slope = slope_of(left) - slope_of(right)
    if isinstance(found, datetime):
        return _worked_out(found, left, right, slope)
    watch = (left if isinstance(left, Moving) else right).watch
    if slope:
        return _span(found, watch, slope, _remembered(left, right))
    if slope_of(left):
        _alike(left, right, watch)
    else:
        watch.apart.append((_itself(left), _itself(right)))
    return found


def _remembered(left: Any, right: Any) -> Anchor:
    """The one that stands still, or what it was worked out from; unknown where the other counts from something as well."""
    moves, still = (left, right) if slope_of(left) else (right, left)
    return None if slope_of(still) or moves.anchor is not None else _itself(still)


def _itself(still: datetime) -> Anchor:
    """What is left of an earlier turn was remembered; what was worked out in this one counts from something that was."""
    if type(still) is Moment and still.derived and still.turn == still.watch.turn:
        return still.anchor
    return still


def _origin(left: Any, right: Any) -> Anchor:
    """What the one that moves is counted from; unknown where both do, and what is left of them may stand still."""
    moves, other = (left, right) if slope_of(left) else (right, left)
    if slope_of(other):
        _alike(left, right, left.watch)
        return None
    anchor: Anchor = moves.anchor if slope_of(moves) else None
    return anchor


def _since(left: Any, right: Any) -> Anchor:
    """Now, less seconds that a clock once told, is counted from these."""
    moves, other = (left, right) if slope_of(left) else (right, left)
    if slope_of(moves) and moves.anchor is FIXED and isinstance(other, Ticks) and not slope_of(other):
        return other
    return _origin(left, right)


def _comparing(kind: Any, name: str, gap: Callable[[Any, Any], float],
               anchor: Callable[[Any, Any], Anchor]) -> Callable[..., Any]:
    compare = getattr(kind, name)
    late_ahead, late_behind = name in ("__le__", "__gt__"), name in ("__lt__", "__ge__")
    equals = name in ("__eq__", "__ne__")

    def compared(self: Any, other: Any) -> Any:
        """`late`: being equal is as being apart was."""
        answer = compare(self, other)
        if answer is NotImplemented:
            return answer
        watch = self.watch
        own = slope = self.slope if self.turn == watch.turn else 0.0
        if type(other) not in NEVER_MOVING:
            slope -= slope_of(other)
        if slope:
            late = late_ahead if slope > 0 else late_behind
            seconds = gap(self, other) / slope + (LEAST if late else 0.0)
            if equals and not seconds:
                watch.at_once(anchor(self, other))
            else:
                (watch.flips if seconds > 0 else watch.past).append((anchor(self, other), seconds))
        elif own:
            _alike(self, other, watch)
        elif kind is datetime:
            watch.pairs.append((_itself(self), _itself(other), gap(self, other)))
        return answer

    return compared


def _alike(one: Any, other: Any, watch: Watch) -> None:
    """Of two that move alike what lies between them stays as long as what they are counted from is as far apart."""
    anchor = one.anchor
    if anchor is other.anchor and anchor is not MIXED and (anchor is not None or isinstance(one, datetime)):
        return
    if any(each is None or each is MIXED for each in (anchor, other.anchor)):
        watch.at_once(None)
    else:
        watch.apart.append((anchor, other.anchor))


def _opaque(kind: Any, name: str) -> Callable[..., Any]:
    """What is worked out in a way that is not followed: otherwise at once, but for a share of nothing."""
    work_out = getattr(kind, name)

    def worked_out(self: Any, *others: Any) -> Any:
        if slope_of(self) and not (others == (0,) and name == "__rtruediv__"):
            self.watch.at_once(self.anchor)
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
    for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(_made, f"__{_name}__", _comparing(_kind, f"__{_name}__", _gap, _anchor))
    for _name in ("mul", "truediv", "floordiv", "mod", "divmod", "neg", "abs"):
        for _side in (f"__{_name}__", f"__r{_name}__"):
            if _made is not Moment and hasattr(_kind, _side):
                setattr(_made, _side, _opaque(_kind, _side))
