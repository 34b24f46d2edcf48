"""What the agent remembers is walked through: moments are told apart from the rest, however deep they lie, and moved on."""
from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, Tuple

import pytest

from rmcagent import frozen
from rmcagent.sim.walk import Noting, moved_on, number_of, walked

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
