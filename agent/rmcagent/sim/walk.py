"""What the agent remembers, walked through leaf by leaf: moments are told from what stands still, and may be moved on.

No two different values have the same shape and the same moments. Each thing that holds others says so before them, of which kind
it is and how many they are; where a moment lies there is a mark; and of what equals something of another kind (1 and True) the
kind is told, too. Keys, and members of sets, are told apart no further than dict and set themselves do.
"""
from __future__ import annotations

import operator
import re
from collections import deque
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime, timedelta, timezone
from enum import Enum
from functools import lru_cache
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Callable, Dict, FrozenSet, List, Optional, Set, Tuple

from rmcagent import frozen
from rmcagent.sim.clock import MICRO
from rmcagent.sim.moving import Moment, Span, Ticks, Watch, another, standing

# What leads out of the agent, is asked afresh in every look, only saves work, or is seen to by skip.py itself (_caught_up_at).
LEFT_OUT = frozenset(("host", "place", "settings", "ledger", "steady", "clock", "emit", "ask", "_ask", "seen", "view", "vitals",
                      "_understood", "_file", "on_time", "decisions", "_took", "_silent", "_caught_up_at"))
LEAVES = (str, bytes, int, float, type(None), timedelta, Enum)
STILL = frozenset((bytes, int, type(None), timedelta, Span))       # of these no more is told: none equals one of another kind
MOMENTS = (datetime, Ticks)
WRITTEN = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d$")      # a moment as the ledger's facts hold it
LOCAL = 10**20                  # microseconds that set local times apart
SHORTEST = 19                   # letters of such a moment
BEGINNING_HERE = datetime.min
BEGINNING = BEGINNING_HERE.replace(tzinfo=timezone.utc)
Time = Callable[[Any], Any]
Visit = Callable[[Any, List[Any], Time], Any]


class Noting:
    """A walk that notes moments, and leaves each as an object of its own: where one is found again later, it was kept or copied
    from there. `found` are those that were there, `left` those that are now."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.found: List[Any] = []
        self.left: List[Any] = []
        self.times: List[int] = []
        self.seen: Set[int] = set()

    def __call__(self, time: Any) -> Any:
        self.found.append(time)
        self.times.append(number_of(time))
        if type(time) is datetime or id(time) in self.seen:
            time = another(time, self.watch)
        self.seen.add(id(time))
        self.left.append(time)
        return time

    def note(self, known: Known) -> bool:
        """The moments of something that never changes; False: some are to be made objects of their own."""
        if not (known.separate and self.seen.isdisjoint(known.ids)):
            return False
        self.found += known.times
        self.left += known.times
        self.times += known.numbers
        self.seen |= known.ids
        return True


def walked(value: Any, shape: List[Any], time: Time) -> Any:
    """The value, with its moments as `time` returns them; all else that it holds is added to `shape`, with a mark for each."""
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
    if kind is str:
        return _text
    for known, visit in ((MOMENTS, _time), (LEAVES, _still), (dict, _dict), ((list, deque), _list), (set, _set), (tuple, _tuple)):
        if issubclass(kind, known):
            return visit
    if _is_dataclass(kind):
        return _frozen(kind) if _is_frozen(kind) else _dataclass(kind)
    if kind.__module__.startswith("rmcagent."):
        return _object
    if issubclass(kind, (FunctionType, BuiltinFunctionType, MethodType, type)):
        return _kept
    raise TypeError(f"cannot tell whether a {kind.__name__} is as it was: skip.py does not know how to look into one")


def _time(value: Any, shape: List[Any], time: Time) -> Any:
    shape += _mark(value)
    return time(value)


def _text(value: str, shape: List[Any], time: Time) -> Any:
    return _time(value, shape, time) if _is_written(value) else _still(value, shape, time)


def _is_written(value: str) -> bool:
    return value[10:11] == "T" and WRITTEN.match(value) is not None


def _mark(time: Any) -> Tuple[Any, ...]:
    """What there is to a moment but for the time that it tells."""
    if isinstance(time, str):
        return str, time[-6:]
    return (Ticks,) if isinstance(time, Ticks) else (datetime, time.tzinfo)


def _still(value: Any, shape: List[Any], time: Any = None) -> Any:
    kind = type(value)
    shape += (value,) if kind in STILL or kind is str else (kind, value)
    return value


def _kept(value: Any, shape: List[Any], time: Time) -> Any:
    shape += (_kept, value)
    return value


def _dict(value: Dict[Any, Any], shape: List[Any], time: Time) -> Any:
    shape += (type(value), tuple(value))
    for key, inner in value.items():
        if type(inner) in STILL:
            shape.append(inner)
        else:
            value[key] = walked(inner, shape, time)
    return value


def _list(value: Any, shape: List[Any], time: Time) -> Any:
    shape += (type(value), len(value))
    for number, inner in enumerate(value):
        value[number] = walked(inner, shape, time)
    return value


def _set(value: Any, shape: List[Any], time: Time) -> Any:
    shape += (type(value), frozenset(value))
    return value


def _object(value: Any, shape: List[Any], time: Time) -> Any:
    held = vars(value)
    shape += (type(value), tuple(held))
    for name, inner in held.items():
        if name in LEFT_OUT:
            continue
        if type(inner) in STILL:
            shape.append(inner)
        else:
            held[name] = walked(inner, shape, time)
    return value


def _tuple(value: Any, shape: List[Any], time: Time) -> Any:
    """What cannot be changed is made anew, where something in it changed."""
    shape += (type(value), len(value))
    seen = [walked(inner, shape, time) for inner in value]
    if all(map(operator.is_, seen, value)):
        return value
    return type(value)(*seen) if hasattr(value, "_fields") else tuple(seen)


def _dataclass(kind: type) -> Visit:
    names = _names(kind)
    anew = frozen.replace if hasattr(kind, "__fields__") else replace

    def visit(value: Any, shape: List[Any], time: Time) -> Any:
        shape.append(kind)
        changed = {}
        for name in names:
            inner = getattr(value, name)
            if type(inner) in STILL:
                shape.append(inner)
                continue
            new = walked(inner, shape, time)
            if new is not inner:
                changed[name] = new
        return anew(value, **changed) if changed else value

    return visit


def _frozen(kind: type) -> Visit:
    """What never changes is gone through once."""
    into = _dataclass(kind)

    def visit(value: Any, shape: List[Any], time: Time) -> Any:
        known = KNOWN.get(id(value))
        if known is None or known.value is not value:
            if len(KNOWN) >= MOST_KNOWN:
                KNOWN.clear()
            known = KNOWN[id(value)] = _known(value)
        if known.shape is None:
            return into(value, shape, time)
        shape.append(known.shape)
        if type(time) is Noting and time.note(known):
            return value
        after = list(map(time, known.times))
        if all(map(operator.is_, after, known.times)):
            return value
        following = iter(after)
        return into(value, [], lambda _: next(following))

    return visit


def _names(kind: Any) -> Tuple[str, ...]:
    """The names of its fields, whichever dataclass() it was made by."""
    ours = getattr(kind, "__fields__", None)
    return tuple(each.name for each in (fields(kind) if ours is None else ours))


def _is_dataclass(kind: type) -> bool:
    return hasattr(kind, "__fields__") or is_dataclass(kind)


def _is_frozen(kind: type) -> bool:
    return _is_dataclass(kind) and "__setattr__" in vars(kind)


@dataclass
class Known:
    """A value that never changes: what it holds, with marks for its moments (None: it holds what may change), and these."""

    value: Any
    shape: Optional[Tuple[Any, ...]]
    times: List[Any]
    numbers: List[int]
    ids: FrozenSet[int]
    separate: bool


def _known(value: Any) -> Known:
    shape: List[Any] = []
    times: List[Any] = []
    lasting = _leaves(value, shape, times)
    ids = frozenset(map(id, times))
    separate = len(ids) == len(times) and all(type(time) is not datetime for time in times)
    return Known(value, tuple(shape) if lasting else None, times, list(map(number_of, times)), ids, separate)


def _leaves(value: Any, shape: List[Any], times: List[Any]) -> bool:
    """Add what a value holds; False: it may change."""
    kind = type(value)
    if issubclass(kind, MOMENTS) or (kind is str and _is_written(value)):
        shape += _mark(value)
        times.append(value)
    elif issubclass(kind, LEAVES):
        _still(value, shape)
    elif issubclass(kind, tuple):
        shape += (kind, len(value))
        return all([_leaves(inner, shape, times) for inner in value])
    elif _is_frozen(kind):
        shape.append(kind)
        return all([_leaves(getattr(value, name), shape, times) for name in _names(kind)])
    else:
        return False
    return True


VISITS: Dict[type, Visit] = {}
KNOWN: Dict[int, Known] = {}            # by identity, which is theirs alone while they are kept here
MOST_KNOWN = 4096


def number_of(time: Any) -> int:
    """Microseconds of whatever it counts by; a local time, which has no offset, must not be taken for another."""
    if isinstance(time, Ticks):
        return micro_of(float(time))
    if isinstance(time, str):
        return _number_written(time)
    since = datetime.__sub__(time, BEGINNING if time.tzinfo else BEGINNING_HERE)
    micro = (since.days * 86400 + since.seconds) * MICRO + since.microseconds
    return micro if time.tzinfo else micro + LOCAL


@lru_cache(maxsize=1024)
def _number_written(time: str) -> int:
    return number_of(datetime.fromisoformat(time))


def moved_on(time: Any, micro: int) -> Any:
    """That many microseconds later, told as it was told."""
    if isinstance(time, str):
        return (datetime.fromisoformat(time) + timedelta(microseconds=micro)).isoformat()
    if isinstance(time, Ticks):
        return time + micro / MICRO
    later = datetime.__add__(time, timedelta(microseconds=micro))
    return standing(later, time.watch) if isinstance(time, Moment) else later


def micro_of(seconds: float) -> int:
    return round(seconds * MICRO)
