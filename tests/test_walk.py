"""What the agent remembers is walked through: moments are told apart from the rest, however deep they lie, and moved on."""
from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any, Dict, List, NamedTuple, Tuple

import pytest

from rmcagent import frozen
from rmcagent.sim.moving import Ticks
from rmcagent.sim.walk import Noting, moved_on, number_of, walked

BERLIN = timezone(timedelta(hours=2))
NOON = datetime(2031, 5, 4, 12, tzinfo=timezone.utc)
LATER = NOON + timedelta(minutes=7)


@frozen.dataclass(frozen=True)
class Ours:
    name: str
    at: datetime
    held: Any = None


@dataclasses.dataclass(frozen=True)
class Theirs:
    name: str
    at: datetime
    held: Any = None


@frozen.dataclass(frozen=True)
class Pair:
    left: Any
    right: Any


@frozen.dataclass(frozen=True)
class Couple:
    left: Any
    right: Any


@frozen.dataclass
class Box:
    """It may change: each part is gone through each time."""

    left: Any
    right: Any


class Agent:
    """One that is looked into."""

    __module__ = "rmcagent.here"

    def __init__(self, **held: Any) -> None:
        vars(self).update(held)


class Two(NamedTuple):
    left: Any
    right: Any


class Word(str, Enum):
    A = "a"


def seen(value: Any) -> Tuple[List[Any], List[int]]:
    shape: List[Any] = []
    noting = Noting()
    walked(value, shape, noting)
    return shape, noting.times


@pytest.mark.parametrize("kind", [Ours, Theirs])
def test_a_moment_in_what_never_changes_is_told_each_time(kind: Any) -> None:
    value = kind("a", NOON, (kind("b", LATER), "2031-05-04T12:07:00+00:00"))

    first, again = seen(value), seen(value)

    assert first == again
    assert first[1] == [number_of(NOON), number_of(LATER), number_of(LATER)]


@pytest.mark.parametrize("kind", [Ours, Theirs])
def test_what_differs_in_what_never_changes_differs_in_its_shape(kind: Any) -> None:
    assert seen(kind("a", NOON, (1, "x")))[0] != seen(kind("a", NOON, (1, "y")))[0]


@pytest.mark.parametrize("make", [Pair, Box])
@pytest.mark.parametrize(("one", "other"), [
    ((NOON, None), (None, NOON)),
    ((NOON, NOON.isoformat()), (NOON.isoformat(), NOON)),
    ((Ticks(number_of(NOON) / 1_000_000), 1), (NOON, 1)),
    ((NOON, 1), (NOON.astimezone(BERLIN), 1)),
    ((NOON.isoformat(), 1), (NOON.astimezone(BERLIN).isoformat(), 1)),
    (((1, 2), (3,)), ((1,), (2, 3))),
    ((((1,), 2), 1), (((1, 2),), 1)),
    (((), 1), (0, 1)),
    (((1, 2), 1), (Two(1, 2), 1)),
    ((Pair(1, 2), 1), (Couple(1, 2), 1)),
    ((1, 0), (True, 0)),
    ((1, 0), (1.0, 0)),
    (("a", 0), (Word.A, 0)),
])
def test_different_values_are_never_told_alike(make: Any, one: Tuple[Any, Any], other: Tuple[Any, Any]) -> None:
    assert seen(make(*one)) == seen(make(*one))
    assert seen(make(*one)) != seen(make(*other))


@pytest.mark.parametrize(("one", "other"), [
    (([1, 2], [3]), ([1], [2, 3])),
    (([[1], 2], 1), ([[1, 2]], 1)),
    (([], 1), (0, 1)),
    (([1], 1), ((1,), 1)),
    (({}, 1), (Counter(), 1)),
    ((set(), 1), ({}, 1)),
    ((Box(1, 2), 1), (Pair(1, 2), 1)),
    ((Pair([], 2), 1), (Couple([], 2), 1)),
    ((Agent(a=1), 1), (Agent(b=1), 1)),
    ((Agent(), 1), ({}, 1)),
    ((len, 1), (max, 1)),
])
def test_nor_are_different_ones_of_which_a_part_may_change(one: Tuple[Any, Any], other: Tuple[Any, Any]) -> None:
    assert seen(Box(*one)) == seen(Box(*one))
    assert seen(Box(*one)) != seen(Box(*other))


@pytest.mark.parametrize("kind", [Ours, Theirs])
def test_what_never_changes_is_made_anew_where_its_moments_move_on(kind: Any) -> None:
    value = kind("a", NOON, (kind("b", LATER), None))

    moved = walked(value, [], lambda time: moved_on(time, 60_000_000) if time == LATER else time)

    assert moved == kind("a", NOON, (kind("b", LATER + timedelta(minutes=1)), None))
    assert value == kind("a", NOON, (kind("b", LATER), None))


@pytest.mark.parametrize("kind", [Ours, Theirs])
def test_what_holds_something_that_changes_is_gone_through_each_time(kind: Any) -> None:
    held: Dict[str, Any] = {"at": NOON, "count": 1}
    value = kind("a", NOON, held)
    before = seen(value)

    held.update(at=LATER, count=2)

    assert seen(value)[1] == [number_of(NOON), number_of(LATER)]
    assert seen(value)[0] != before[0]
