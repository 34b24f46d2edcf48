"""Skipping: when a stretch of looks has left the agent as it was but for the time, the same stretch follows until time alone
makes one comparison come out otherwise, or something happens; those that follow need not be looked at one by one.

What the agent remembers is walked through, leaf by leaf. Between two looks every leaf must be the same, or a moment that has
moved on by just the time between them. Of what stood still no comparison may come out otherwise (moving.py tells when), and no
moment that moves on may overtake one that stands still.
"""
from __future__ import annotations

import operator
import re
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime, timedelta, timezone
from enum import Enum
from functools import lru_cache
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

from rmcagent.ledger import CATCH_UP_SECONDS
from rmcagent.sim.clock import MICRO
from rmcagent.sim.moving import MovingSteady, Ticks, Watch, plain

if TYPE_CHECKING:
    from rmcagent.sim.rehearsal.run import Rehearsal

FAR = 10 * 366 * 86400.0
CLOCKS_CHANGE = 7 * 86400.0     # seconds: local time does not change its offset and change it back within this
REMEMBERED = 200                # looks since something happened, among which one like the last is sought
# To compare is dear: soon after something happened it is tried now and then, of two looks in a row, and later always.
TRIED, ALWAYS = frozenset((2, 3, 6, 7, 11, 12, 13)), 16
# What leads out of the agent, is asked afresh in every look, or only saves work.
LEFT_OUT = frozenset(("host", "place", "settings", "ledger", "steady", "clock", "emit", "ask", "_ask", "seen", "view", "vitals",
                      "_understood", "_file", "on_time", "decisions"))
LEAVES = (str, bytes, int, float, type(None), datetime, timedelta, Enum)
WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d$")      # a moment as the ledger's facts hold it
LOCAL = 10**20                  # microseconds that set local times apart
SHORTEST = 19                   # letters of such a moment
BEGINNING_HERE = datetime.min
BEGINNING = BEGINNING_HERE.replace(tzinfo=timezone.utc)
Time = Callable[[Any], Any]
Visit = Callable[[Any, List[Any], Time], Any]


@dataclass
class Look:
    """The agent after a look: what it remembers but for moments, the moments, and what the look compared with the time. Moments
    are numbers of microseconds."""

    began: int
    ended: int
    shape: List[Any]
    times: List[int]
    flips: Dict[Optional[int], float]       # what was compared with; the least seconds until it comes out otherwise


class Skip:
    """Lets the time of looks pass that would only repeat what was seen."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.rehearsal = rehearsal
        self.watch = rehearsal.clock.watch = Watch()
        self.windows = [policy.window for policy in rehearsal.settings.remedies.values() if policy.window]
        self.skipped = 0.0              # seconds, in all
        self.next_look: Optional[datetime] = None
        self.due_at: Optional[datetime] = None
        self._nothing_known()

    def watch_agent(self) -> None:
        """A new agent: its steady clock moves with ours."""
        self.watch.begin()
        self.rehearsal.ledger.steady = MovingSteady(self.rehearsal.ledger.steady, self.watch)
        self.forget()

    def forget(self) -> None:
        """Something happened: what came before repeats itself no more."""
        if self.rehearsal.host.state_full:
            self.rehearsal.file.keep_up()       # what was remembered until now had room
        self._nothing_known()

    def _nothing_known(self) -> None:
        self.looks: List[Look] = []
        self.disturbed = True
        self.glance: Any = None
        self.alike = 0
        self.in_step = False            # something was skipped since something happened

    def begin(self) -> None:
        """The agent is about to take a step."""
        cycle = self.rehearsal.cycle
        self.watch.on = plain(cycle.steady.now()) < cycle.next_look or self._worth_it(self.alike + 1)
        self.watch.begin()
        self.disturbed = False
        self.next_look, self.due_at = self.rehearsal.cycle.next_look, self.rehearsal.cycle.due_at

    def _worth_it(self, alike: int) -> bool:
        """Whether the look that comes is to be compared, should it be like the last."""
        return alike in TRIED or alike >= ALWAYS or (self.in_step and alike >= min(TRIED))

    def after_step(self, seconds: float, left: float) -> float:
        """The agent has taken a step, and would sleep so long, of a rehearsal that lasts so many seconds more: how long it may
        sleep, after what could be skipped."""
        if self.rehearsal.cycle.next_look != self.next_look:
            self._after_look(left)
            return seconds
        return seconds if self.disturbed else self._pulses(seconds)

    def _pulses(self, seconds: float) -> float:
        """A pulse found nothing, and so will those until the next look, or until something happens or is due."""
        rehearsal, cycle = self.rehearsal, self.rehearsal.cycle
        now = plain(cycle.steady.now())
        until_look = (plain(cycle.next_look) - now).total_seconds()
        until = min([rehearsal.clock.until_next(), *(left for anchor, left in self.watch.flips
                                                     if anchor is not self.due_at and anchor is not self.next_look)])
        if rehearsal.file.behind:
            until = min(until, CATCH_UP_SECONDS)        # it may have been tried just now
        if until <= until_look:
            pulse = cycle.settings.cadence.pulse.total_seconds()
            until_look = min(until_look, max((until - 1 / MICRO) // pulse, 1) * pulse)
        cycle.due_at = now + timedelta(seconds=until_look)
        return until_look

    def _after_look(self, left: float) -> None:
        """Skip what would only repeat this look, or the stretch that ends with it."""
        view, now = self.rehearsal.cycle.view, plain(self.rehearsal.clock.now())
        glance = (view.verdict, [(decision.kind, decision.remedy) for decision in view.decisions],
                  _offset(now), [window.open_at(_local(now)) for window in self.windows])
        self.alike = self.alike + 1 if glance == self.glance else 0
        self.glance = glance
        if not (self.watch.on and self.alike):
            self.looks = []             # nor is what lies on both sides of a window's edge a stretch
            return
        look = self._taken()
        self.looks = [*self.looks[-REMEMBERED:], look]
        room = min(left, self.rehearsal.clock.until_next())
        for number in range(len(self.looks) - 2, -1, -1):
            room = min(room, self.looks[number + 1].flips.get(None, FAR))
            if look.began - self.looks[number].began >= room * MICRO:
                return                  # and any longer stretch repeats itself less
            if self._skip(self.looks[number], look, self.looks[number + 1:], left):
                return

    def _taken(self) -> Look:
        shape: List[Any] = []
        times: List[int] = []

        def note(time: Any) -> Any:
            times.append(_number(time))
            return time

        _walk(self.rehearsal, shape, note)
        began = plain(self.rehearsal.cycle.next_look) - self.rehearsal.cycle.settings.cadence.look
        flips: Dict[Optional[int], float] = {}
        for anchor, seconds in self.watch.flips:
            number = _number(anchor) if anchor is not None else None
            flips[number] = min(seconds, flips.get(number, FAR))
        return Look(_number(began), _number(self.rehearsal.cycle.steady.now()), shape, times, flips)

    def _skip(self, earlier: Look, look: Look, between: Sequence[Look], left: float) -> bool:
        """Skip as often as that stretch repeats itself, if it does."""
        period = look.began - earlier.began
        if len(earlier.times) != len(look.times):
            return False
        if not {0, period}.issuperset(map(operator.sub, look.times, earlier.times)):
            return False
        if earlier.shape != look.shape:
            return False
        slid = list(map(operator.ne, look.times, earlier.times))
        still = {time for time, moved in zip(look.times, slid) if not moved}
        moving = set(earlier.times) - still
        # What lags behind are the log's tallies, which are compared with now alone unless they hold noise, and none repeats.
        room = _room(sorted(still), {time for time, moved in zip(earlier.times, slid) if moved and time + period > earlier.began})
        ahead = [left, self.rehearsal.clock.until_next(), *self._until_windows(), (room - period) / MICRO]
        # What was set within the stretch will be set again; an anchor in the future was worked out from something older.
        ahead += [seconds for one in between for anchor, seconds in one.flips.items()
                  if anchor is None or anchor in still or not (anchor in moving or earlier.began < anchor <= one.ended)]
        times = _times(min(ahead), period)
        if times > 0:
            times = min(times, _times(self._until_clocks_change(times * period / MICRO), period))
        if times < 1:
            return False
        self._pass(times * period, iter(slid))
        self.in_step = True
        return True

    def _pass(self, micro: int, slid: Iterator[bool]) -> None:
        """Let that time pass: what slid in the stretch that is repeated slides on."""
        rehearsal = self.rehearsal
        rehearsal.clock.sleep(micro / MICRO)
        self.skipped += micro / MICRO
        _walk(rehearsal, [], lambda time: _moved(time, micro) if next(slid) else time)
        rehearsal.file.skipped = rehearsal.file.skipped or not rehearsal.host.state_full

    def _until_windows(self) -> Iterator[float]:
        """Seconds until a remedy's window opens or closes, as long as the clocks do not change: no comparison tells that."""
        local = _local(plain(self.rehearsal.clock.now()))
        for window in self.windows:
            for day in (0, 1):
                for minute in (window.start, window.end):
                    edge = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=day, minutes=minute)
                    if edge > local:
                        yield (edge - local).total_seconds()

    def _until_clocks_change(self, most: float) -> float:
        """Seconds until local time has another offset from UTC, by which windows and the error log go; FAR: not until then."""
        now = plain(self.rehearsal.clock.now())
        same = 0.0
        while same < most:
            other = min(same + CLOCKS_CHANGE, most)
            if _offset(now + timedelta(seconds=other)) == _offset(now):
                same = other
                continue
            while other - same > 1.0:
                middle = (same + other) / 2
                same, other = (middle, other) if _offset(now + timedelta(seconds=middle)) == _offset(now) else (same, middle)
            return same
        return FAR


def _times(seconds: float, period: int) -> int:
    """How often a stretch may be repeated before so many seconds are over."""
    return (_micro(min(seconds, FAR)) - 1) // period


def _room(still: Sequence[int], moved: Iterable[int]) -> float:
    """How far those that moved may move in all before one of them meets one that stands still."""
    places = ((time, bisect_left(still, time)) for time in moved)
    return min((still[place] - time for time, place in places if place < len(still)), default=FAR * MICRO)


def _local(moment: datetime) -> datetime:
    return moment.astimezone().replace(tzinfo=None)


def _offset(moment: datetime) -> Optional[timedelta]:
    return moment.astimezone().utcoffset()


def _walk(rehearsal: Rehearsal, shape: List[Any], time: Time) -> None:
    """Add to `shape` all that the agent remembers and what its own questions may change, but for moments. Those are shown to
    `time`, and what it returns is put in their place."""
    for root in (rehearsal.cycle, rehearsal.ledger):
        _visit(root, shape, time)
    shape.append([(row.name, row.state, row.pid) for row in rehearsal.partition.subsystems.values()])
    shape.append((tuple(rehearsal.partition.upon), rehearsal.file.behind, len(rehearsal.mistakes)))
    shape.append(tuple(map(id, rehearsal.ledger.decisions)))        # an entry once written never changes


def _visit(value: Any, shape: List[Any], time: Time) -> Any:
    kind = type(value)
    if kind in STILL or (kind is str and len(value) < SHORTEST):
        shape.append(value)
        return value
    visit = VISITS.get(kind)
    if visit is None:
        visit = VISITS[kind] = _visit_of(kind)
    return visit(value, shape, time)


def _visit_of(kind: type) -> Visit:
    """How a value of that type is walked through. Raises TypeError for one that nobody knows how to look into."""
    if issubclass(kind, LEAVES) and not issubclass(kind, (str, datetime, Ticks)):
        STILL.add(kind)
    for known, visit in (((datetime, Ticks), _time), (str, _text), (LEAVES, _still), (dict, _dict), ((list, deque), _list),
                         (set, _set), (tuple, _tuple)):
        if issubclass(kind, known):
            return visit
    if is_dataclass(kind):
        return _dataclass(tuple(each.name for each in fields(kind)))
    if kind.__module__.startswith("rmcagent."):
        return _object
    if issubclass(kind, (FunctionType, BuiltinFunctionType, MethodType, type)):
        return _kept
    raise TypeError(f"cannot tell whether a {kind.__name__} is as it was: skip.py does not know how to look into one")


def _time(value: Any, shape: List[Any], time: Time) -> Any:
    return time(value)


def _text(value: str, shape: List[Any], time: Time) -> Any:
    return time(value) if WRITTEN.match(value) else _still(value, shape, time)


def _still(value: Any, shape: List[Any], time: Time) -> Any:
    shape.append(value)
    return value


def _kept(value: Any, shape: List[Any], time: Time) -> Any:
    return value


def _dict(value: Dict[Any, Any], shape: List[Any], time: Time) -> Any:
    shape.append(tuple(value))
    for key, inner in value.items():
        if type(inner) in STILL:
            shape.append(inner)
        else:
            value[key] = _visit(inner, shape, time)
    return value


def _list(value: Any, shape: List[Any], time: Time) -> Any:
    shape.append(len(value))
    for number, inner in enumerate(value):
        value[number] = _visit(inner, shape, time)
    return value


def _set(value: Any, shape: List[Any], time: Time) -> Any:
    shape.append(frozenset(value))
    return value


def _object(value: Any, shape: List[Any], time: Time) -> Any:
    held = vars(value)
    for name, inner in held.items():
        if name in LEFT_OUT:
            continue
        if type(inner) in STILL:
            shape.append(inner)
        else:
            held[name] = _visit(inner, shape, time)
    return value


def _tuple(value: Any, shape: List[Any], time: Time) -> Any:
    """What cannot be changed is made anew, where something in it changed."""
    seen = [_visit(inner, shape, time) for inner in value]
    if all(map(operator.is_, seen, value)):
        return value
    return type(value)(*seen) if hasattr(value, "_fields") else tuple(seen)


def _dataclass(names: Tuple[str, ...]) -> Visit:
    def visit(value: Any, shape: List[Any], time: Time) -> Any:
        changed = {}
        for name in names:
            inner = getattr(value, name)
            if type(inner) in STILL:
                shape.append(inner)
                continue
            new = _visit(inner, shape, time)
            if new is not inner:
                changed[name] = new
        return replace(value, **changed) if changed else value

    return visit


STILL: Set[type] = set()                # types of values that are no moments
VISITS: Dict[type, Visit] = {}


def _number(time: Any) -> int:
    """Microseconds of whatever it counts by; a local time, which has no offset, must not be taken for another."""
    if isinstance(time, Ticks):
        return _micro(float(time))
    if isinstance(time, str):
        return _number_written(time)
    since = datetime.__sub__(time, BEGINNING if time.tzinfo else BEGINNING_HERE)
    micro = (since.days * 86400 + since.seconds) * MICRO + since.microseconds
    return micro if time.tzinfo else micro + LOCAL


@lru_cache(maxsize=1024)
def _number_written(time: str) -> int:
    return _number(datetime.fromisoformat(time))


def _moved(time: Any, micro: int) -> Any:
    if isinstance(time, str):
        return (datetime.fromisoformat(time) + timedelta(microseconds=micro)).isoformat()
    return time + micro / MICRO if isinstance(time, Ticks) else plain(time) + timedelta(microseconds=micro)


def _micro(seconds: float) -> int:
    return round(seconds * MICRO)
