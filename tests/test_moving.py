"""Time that remembers what it was compared with: each comparison of one that moves tells when it comes out otherwise."""
from __future__ import annotations

import operator
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, List, Sequence, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmcagent.clock import Steady
from rmcagent.sim.clock import VirtualClock
from rmcagent.sim.moving import FIXED, MovingSteady, Watch, moving, plain, slope_of, span, standing, ticks

NOON = datetime(2026, 3, 4, 12, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
LEAST = 1e-6
COMPARISONS = (operator.lt, operator.le, operator.gt, operator.ge)


def a_turn() -> Tuple[Any, Watch]:
    """Now, NOON, in a turn that has just begun."""
    watch = Watch()
    watch.begin()
    return moving(NOON, watch), watch


def seconds(watch: Watch) -> Sequence[float]:
    return [left for _, left in watch.flips]


def test_now_compared_with_a_moment_tells_how_long_it_comes_out_the_same():
    now, watch = a_turn()

    assert now < NOON + MINUTE

    assert watch.flips == [(NOON + MINUTE, 60.0)]


def test_what_lies_behind_never_comes_out_otherwise():
    now, watch = a_turn()

    assert now > NOON - MINUTE and not now < NOON - MINUTE

    assert watch.flips == [] and watch.past == [(NOON - MINUTE, -60.0 + LEAST), (NOON - MINUTE, -60.0)]


@pytest.mark.parametrize("compare, flips", [(operator.lt, []), (operator.ge, []), (operator.le, [LEAST]), (operator.gt, [LEAST])])
def test_of_two_that_are_equal_those_comparisons_flip_that_do_not_count_equal_as_over(
        compare: Callable[[Any, Any], bool], flips: List[float]) -> None:
    now, watch = a_turn()

    compare(now, NOON)

    assert seconds(watch) == flips


def test_the_plain_moment_on_the_left_is_compared_as_well():
    now, watch = a_turn()

    assert NOON + MINUTE > now

    assert seconds(watch) == [60.0]


def test_a_span_since_a_moment_is_counted_from_it():
    now, watch = a_turn()
    asked = NOON - 10 * MINUTE

    assert now - asked < timedelta(hours=1)

    assert watch.flips == [(asked, 3000.0)]


def test_a_span_until_a_moment_shrinks():
    now, watch = a_turn()

    assert (NOON + 10 * MINUTE) - now > MINUTE

    assert seconds(watch) == [540.0]


def test_seconds_of_a_span_move_with_it():
    now, watch = a_turn()
    asked = NOON - 10 * MINUTE

    assert (now - asked).total_seconds() <= 900.0

    assert watch.flips == [(asked, 300.0 + LEAST)]


def test_two_that_move_alike_are_never_otherwise():
    now, watch = a_turn()

    booted_at = now - span(timedelta(hours=3), watch)

    assert booted_at < NOON and booted_at + MINUTE < NOON
    assert watch.flips == []


def test_what_a_turn_leaves_behind_stands_still_in_the_next():
    now, watch = a_turn()
    since, until, lasted = now, now + 5 * MINUTE, now - (NOON - MINUTE)

    watch.begin()

    assert since < NOON + MINUTE and until > NOON and lasted < 2 * MINUTE and watch.flips == []
    assert moving(NOON + MINUTE, watch) < until and watch.flips == [(NOON + 5 * MINUTE, 240.0)]


def test_a_moment_worked_out_in_this_turn_is_counted_from_what_it_was_worked_out_from_and_later_from_itself():
    now, watch = a_turn()
    ended_at = now
    watch.begin()
    now = moving(NOON + MINUTE, watch)

    settled_at = ended_at + 5 * MINUTE
    assert now < settled_at and now - (ended_at + MINUTE) < MINUTE

    assert watch.flips == [(ended_at, 240.0), (ended_at, 60.0)]
    watch.begin()
    assert moving(NOON + MINUTE, watch) < settled_at and watch.flips == [(NOON + 5 * MINUTE, 240.0)]


def test_now_less_how_long_ago_something_was_is_that():
    now, watch = a_turn()
    asked = NOON - 10 * MINUTE

    again = now - (now - asked) + MINUTE
    assert now < again + 20 * MINUTE and (asked - now) + now < now

    assert watch.flips == [(asked, 660.0)] and watch.past == [(asked, -600.0 + LEAST)]


def test_what_counts_from_two_has_no_anchor():
    now, watch = a_turn()
    asked, told = NOON - 10 * MINUTE, NOON - MINUTE

    assert now + (now - asked) < told + 20 * MINUTE

    assert [anchor for anchor, _ in watch.flips] == [None]


def test_two_that_stand_still_are_noted_with_what_lies_between_them():
    now, watch = a_turn()
    watch.begin()
    then = standing(NOON - MINUTE, watch)

    assert now > then and now - MINUTE >= then and then + 3 * MINUTE > now

    assert watch.flips == watch.past == [] and watch.pairs == [(now, then, -60.0), (now, then, 0.0), (then, now, -120.0)]


@pytest.mark.parametrize("plainly", [False, True])
def test_how_far_two_are_apart_that_stand_still_is_noted(plainly: bool) -> None:
    now, watch = a_turn()
    watch.begin()
    then = NOON - MINUTE if plainly else standing(NOON - MINUTE, watch)

    assert now - then == MINUTE and then - now == -MINUTE

    assert watch.apart == [(now, then), (then, now)] and watch.flips == []


def test_nothing_is_noted_of_two_that_move():
    now, watch = a_turn()

    assert now + MINUTE > now and (now + MINUTE) - now == MINUTE

    assert (watch.flips, watch.past, watch.pairs, watch.apart) == ([], [], [], [])


def test_two_that_move_alike_are_as_far_apart_as_what_they_are_counted_from():
    now, watch = a_turn()
    asked, told = NOON - 10 * MINUTE, NOON - MINUTE

    assert now - asked > now - told and (now - asked) - (now - told) == 9 * MINUTE
    assert (now - asked).total_seconds() > (now - told).total_seconds()

    assert watch.apart == [(asked, told)] * 3 and (watch.flips, watch.past, watch.pairs) == ([], [], [])


@pytest.mark.parametrize("compare", [operator.lt, operator.sub], ids=["compared", "subtracted"])
def test_what_counts_from_two_may_be_otherwise_at_once_beside_now(compare: Callable[[Any, Any], Any]) -> None:
    now, watch = a_turn()

    compare(standing(NOON, watch) + (now - (NOON - MINUTE)), now)

    assert watch.flips == [(None, LEAST)]


@pytest.mark.parametrize("equal", [operator.eq, operator.ne])
def test_to_be_equal_is_a_comparison(equal: Callable[[Any, Any], bool]) -> None:
    now, watch = a_turn()
    watch.begin()
    then, later = standing(NOON - MINUTE, watch), moving(NOON + MINUTE, watch)

    equal(later, now), equal(later, later + MINUTE), equal(now, then), equal(then - now, -MINUTE)
    assert (watch.flips, watch.past, watch.pairs) == ([], [(now, -60.0)], [(now, then, -60.0)])
    equal(later, NOON + MINUTE), equal(later, NOON + 2 * MINUTE)

    assert watch.flips == [(NOON + MINUTE, LEAST), (NOON + 2 * MINUTE, 60.0)] and watch.past[1:] == [(NOON + MINUTE, 0.0)]


def test_what_is_cut_off_binds_the_moment_to_its_place_and_what_is_left_to_none():
    now, watch = a_turn()
    watch.begin()
    minute = now.replace(second=0)

    assert minute < moving(NOON + MINUTE, watch)

    assert watch.apart == [(now, FIXED)] and watch.past == [(FIXED, -60.0 + LEAST)]


def test_what_is_cut_off_now_may_be_otherwise_at_once():
    now, watch = a_turn()

    assert now.replace(second=0) == NOON

    assert watch.flips == [(None, LEAST)]


def test_a_sum_keeps_what_it_is_counted_from_only_while_one_of_the_two_moves():
    now, watch = a_turn()
    one, other = NOON - MINUTE, NOON - 2 * MINUTE

    assert (now - one) + MINUTE < 5 * MINUTE and (now - one) + (now - other) < 7 * MINUTE

    assert watch.flips == [(one, 180.0), (None, 120.0)]


def test_another_zone_and_a_replaced_zone_move_as_before():
    now, watch = a_turn()

    local = now.astimezone(timezone(timedelta(hours=2))).replace(tzinfo=None)

    assert plain(local) == datetime(2026, 3, 4, 14)
    assert local < datetime(2026, 3, 4, 14, 1) and seconds(watch) == [60.0]


def test_min_max_and_sorted_are_comparisons():
    now, watch = a_turn()

    assert min(now, NOON + MINUTE) is now and max(NOON + MINUTE, now) == NOON + MINUTE
    assert sorted([NOON + MINUTE, now])[0] is now

    assert seconds(watch) == pytest.approx([60.0] * 3)


def test_one_that_moves_equals_hashes_and_reads_as_the_plain_one():
    now, watch = a_turn()

    assert now == NOON and hash(now) == hash(NOON) and now.isoformat() == NOON.isoformat() and {NOON: 1}[now] == 1
    assert type(plain(now)) is datetime and plain(now) == NOON
    assert span(MINUTE, watch) == MINUTE and ticks(2.5, watch) == 2.5 and str(ticks(2.5, watch)) == "2.5"


def test_seconds_are_counted_from_those_that_a_clock_told_earlier():
    watch = Watch()
    watch.begin()
    then = ticks(100.0, watch)
    watch.begin()
    now = ticks(130.0, watch)

    assert now - then < 60.0 and now - 100.0 < 60.0 and now < 190.0

    assert watch.flips == [(then, 30.0), (FIXED, 30.0), (FIXED, 60.0)]


def test_two_that_stand_still_are_worked_out_as_ever():
    watch = Watch()
    watch.begin()
    then, lasted = ticks(100.0, watch), span(MINUTE, watch)
    watch.begin()

    assert then - 40.0 == 60.0 == 160.0 - then and then + 40.0 == 140.0
    assert lasted - MINUTE == timedelta(0) == MINUTE - lasted and lasted + MINUTE == 2 * MINUTE
    assert (watch.flips, watch.past, watch.pairs, watch.apart) == ([], [], [], [])


def test_what_is_worked_out_otherwise_may_be_otherwise_at_once():
    now, watch = a_turn()
    asked = NOON - 10 * MINUTE

    assert (now - asked) // MINUTE == 10 and 100 / (now - asked).total_seconds() < 1 and abs(now - asked) > MINUTE

    assert watch.flips == [(asked, LEAST)] * 3 and watch.past == [(asked, 0.0)] * 3


def test_a_share_of_nothing_is_nothing_however_long_it_lasts():
    now, watch = a_turn()

    assert 0 / (now - (NOON - MINUTE)).total_seconds() == 0

    assert watch.flips == []


def test_the_steady_clock_moves_with_its_clock_and_what_it_shows_does_too():
    watch = Watch()
    clock = VirtualClock(NOON)
    clock.watch = watch
    watch.begin()
    steady = MovingSteady(Steady(clock, NOON, float(clock.monotonic())), watch)
    clock.jump(timedelta(hours=1))

    assert steady.now() < NOON + MINUTE and steady.shown(NOON) == NOON + timedelta(hours=1)
    assert steady.shown(steady.now()) < NOON + timedelta(hours=1, minutes=2)

    assert seconds(watch) == [60.0, 120.0]


# -- whatever is worked out of now, moments and spans

PART = st.integers(-5000, 5000).map(lambda number: timedelta(milliseconds=number))
# How a value comes of the one before: (kind of value, its slope, what makes it)
Make = Callable[[Any, Watch], Any]
STEPS = st.lists(st.tuples(st.sampled_from(("later", "earlier", "since", "until", "lasted", "seconds")), PART), max_size=5)


def worked_out(steps: Sequence[Tuple[str, timedelta]], now: Any, lasted: Any) -> Any:
    """A moment, a span or seconds, by the same steps from whichever now."""
    value = now
    for step, part in steps:
        moment = isinstance(value, datetime)
        if isinstance(value, float):
            value = value + part.total_seconds() if step in ("later", "since") else value - part.total_seconds()
        elif step == "later":
            value = value + part
        elif step == "earlier":
            value = value - part
        elif step == "since":
            value = value - (NOON + part) if moment else (NOON.replace(microsecond=0) + part) - now + value
        elif step == "until":
            value = (NOON + part) - value if moment else part - value
        elif step == "lasted":
            value = value - lasted if moment else value + lasted
        else:
            value = (value - NOON).total_seconds() if moment else value.total_seconds()
    return value


def still_like(value: Any, part: timedelta) -> Any:
    return NOON + part if isinstance(value, datetime) else part.total_seconds() if isinstance(value, float) else part


@given(steps=STEPS, other=PART, compare=st.sampled_from(COMPARISONS), left=st.booleans())
def test_a_comparison_comes_out_otherwise_just_when_it_said_it_would(
        steps: Sequence[Tuple[str, timedelta]], other: timedelta, compare: Callable[[Any, Any], bool], left: bool) -> None:
    def answer(passed: timedelta) -> bool:
        value = worked_out(steps, NOON + passed, MINUTE + passed)
        sides = (value, still_like(value, other))
        return compare(*(sides if left else sides[::-1]))

    watch = Watch()
    watch.begin()
    value = worked_out(steps, moving(NOON, watch), span(MINUTE, watch))
    sides = (value, still_like(value, other))
    assert compare(*(sides if left else sides[::-1])) == answer(timedelta(0))

    # Seconds are floats, and what moves twice as fast may meet the other between two microseconds.
    slack = timedelta(microseconds=0 if not isinstance(value, float) and abs(slope_of(value)) == 1 else 2)
    for told in (left for anchor, left in watch.flips if anchor is not None):       # what is unknown may be otherwise at once
        flip = timedelta(microseconds=round(told * 1e6))
        assert answer(flip + slack) != answer(timedelta(0))
        before = flip - slack - timedelta(microseconds=1)
        assert before < timedelta(0) or answer(before) == answer(timedelta(0))
    if not watch.flips:
        assert {answer(timedelta(milliseconds=passed)) for passed in (1, 100, 5_000, 100_000)} == {answer(timedelta(0))}
