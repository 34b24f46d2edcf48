"""What the agent remembers is walked through: moments are told apart from the rest, however deep they lie, and moved on."""
from __future__ import annotations

import dataclasses
import operator
from collections import Counter
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any, Dict, List, NamedTuple, Tuple

import pytest

from rmcagent import frozen
from rmcagent.sim.moving import FIXED, Moment, Ticks, Watch, another, moving, plain, ticks
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
    noting = Noting(Watch())
    walked(value, shape, noting)
    return shape, noting.times


@pytest.mark.parametrize("kind", [Ours, Theirs])
def test_a_moment_in_what_never_changes_is_told_each_time(kind: Any) -> None:
    value = kind("a", NOON, (kind("b", LATER), "2031-05-04T12:07:00+00:00"))
    left = walked(value, [], Noting(Watch()))

    first, again = seen(left), seen(left)

    assert first == again == seen(value)
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


@pytest.mark.parametrize("kind", [Ours, Theirs, Box])
def test_moments_that_are_noted_are_told_apart_from_any_other(kind: Any) -> None:
    name = () if kind is Box else ("a",)
    value = Box([NOON, (LATER, 1)], {"told": kind(*name, NOON, (LATER, "2031-05-04T12:07:00+00:00"))})
    noting = Noting(Watch())

    after = walked(value, [], noting)

    assert after == value
    inner = vars(after)["right"]["told"]
    found = [after.left[0], after.left[1][0], *(getattr(inner, name) for name in ("at", "left") if hasattr(inner, name))]
    assert [type(moment) for moment in found] == [Moment] * 3
    assert noting.times == list(map(number_of, (NOON, LATER, NOON, LATER, LATER)))
    assert [type(moment) for moment in noting.found] == [datetime] * 4 + [str]
    assert [type(moment) for moment in noting.left] == [Moment] * 4 + [str]


@pytest.mark.parametrize("kind", [Ours, Theirs])
def test_a_moment_that_two_hold_is_left_as_two(kind: Any) -> None:
    shared, noting = moving(NOON, Watch()), Noting(Watch())
    held = kind("a", shared)
    value = [shared, held, held, kind("b", shared, shared)]

    after = walked(value, [], noting)

    assert noting.times == [number_of(NOON)] * 5 and all(moment is shared for moment in noting.found)
    assert len(set(map(id, noting.left))) == 5
    assert all(map(operator.is_, noting.left, (after[0], after[1].at, after[2].at, after[3].at, after[3].held)))


@pytest.mark.parametrize("kind", [Ours, Theirs])
def test_so_is_one_that_something_held_before(kind: Any) -> None:
    shared = moving(NOON, Watch())
    once, twice = kind("a", shared), kind("b", shared, shared)

    for value in ([once, once.at], [twice]):
        noting = Noting(Watch())
        walked(value, [], noting)
        assert len(set(map(id, noting.left))) == 2 and noting.times == [number_of(NOON)] * 2


def test_what_is_left_as_another_object_is_the_same_otherwise() -> None:
    watch = Watch()
    watch.begin()
    now = moving(NOON, watch)
    later, seconds = now + timedelta(minutes=7), ticks(5.0, watch)

    copies = [another(moment, watch) for moment in (now, later, seconds, "2031-05-04T12:07:00+00:00")]

    assert [(copy.slope, copy.derived, copy.anchor) for copy in copies[:2]] == [(1.0, False, None), (1.0, True, None)]
    assert copies[0] is not now and copies[2] is not seconds and (copies[2].slope, copies[2].anchor) == (1.0, FIXED)
    assert [*map(plain, copies[:2]), float(copies[2]), copies[3]] == [NOON, LATER, 5.0, "2031-05-04T12:07:00+00:00"]


def test_one_that_moves_stands_still_as_one_that_was_told_apart_once_it_is_moved_on() -> None:
    watch = Watch()
    watch.begin()
    now = moving(NOON, watch)

    later = moved_on(now, 7 * 60_000_000)

    assert later == LATER and type(later) is Moment and later.slope == 0.0 and not later.derived
