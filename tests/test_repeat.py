"""Looks by hand, as functions of now and of what was remembered: what is learned from one, and where it is followed."""
from __future__ import annotations

import operator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rmcagent.sim.moving import FIXED, Watch, moving, plain, span, standing, ticks
from rmcagent.sim.repeat import NEVER, Look, Pulse, Step, Unclear, come_round
from rmcagent.sim.walk import BEGINNING, Noting, number_of

SECOND = 1_000_000
EVERY, LASTS = 60 * SECOND, 3 * SECOND
FIRST, SECOND_LOOK, NEXT = 60 * SECOND, 120 * SECOND, 180 * SECOND        # a look began, the one that is learned, and one follows
ALWAYS = 86400 * SECOND
SHAPE: List[Any] = ["link-down", 3]
Play = Callable[..., Sequence[Any]]


def at(micro: int) -> datetime:
    """The moment whose number that is."""
    return BEGINNING + timedelta(microseconds=micro)


def seconds(number: int) -> timedelta:
    return timedelta(seconds=number)


def remembered(watch: Watch, times: Sequence[Any]) -> List[Any]:
    """Moments as an earlier turn left them: those that are given by their number, and others as they are."""
    return [standing(at(time), watch) if isinstance(time, int) else time for time in times]


def left(watch: Watch, began: int, moments: Sequence[Any]) -> Look:
    noting = Noting(watch)
    for moment in moments:
        noting(moment)
    return Look(began, began + LASTS, began + EVERY, SHAPE, [*noting.times, NEVER], [*noting.found, FIXED], [*noting.left, FIXED])


def played(play: Play, began: int, times: Sequence[Any]) -> Tuple[Look, Look, Watch]:
    """A look, of the one before it, and what it compared."""
    watch = Watch()
    before = left(watch, began - EVERY, remembered(watch, times))
    watch.begin()
    return before, left(watch, began, play(moving(at(began), watch), *before.left[:-1])), watch


def learned(play: Play, *times: Any) -> Step:
    before, after, watch = played(play, SECOND_LOOK, times)
    return Step(before, after, watch, ())


def comparing(compare: Callable[..., Any]) -> Play:
    """A look that leaves all as it is."""
    def play(now: datetime, *moments: Any) -> Sequence[Any]:
        compare(now, *moments)
        return moments

    return play


def of(*times: int, began: int = SECOND_LOOK) -> Look:
    """A look that left those moments."""
    return Look(began, began + LASTS, began + EVERY, SHAPE, [*times, NEVER])


def follows(step: Step, *times: int) -> bool:
    return step.follow(of(*times), NEXT + LASTS) is not None


def last_of(step: Step, look: Look, until: int = ALWAYS) -> Look:
    """The last look that goes that way."""
    following = step.follow(look, until)
    while following is not None:
        look = following
        following = step.follow(look, until)
    return look


# -- comparisons with what moves

@pytest.mark.parametrize("compare, moment, last", [
    (operator.lt, 360 * SECOND, 300), (operator.lt, 360 * SECOND + 1, 360),
    (operator.le, 360 * SECOND - 1, 300), (operator.le, 360 * SECOND, 360),
    (operator.ge, 360 * SECOND, 300), (operator.ge, 360 * SECOND + 1, 360),
    (operator.gt, 360 * SECOND - 1, 300), (operator.gt, 360 * SECOND, 360),
])
def test_looks_are_followed_until_a_comparison_with_what_stands_still_comes_out_otherwise(
        compare: Callable[[Any, Any], Any], moment: int, last: int) -> None:
    step = learned(comparing(compare), moment)

    assert last_of(step, of(moment)).began == last * SECOND


def test_the_first_comparison_to_come_out_otherwise_ends_it():
    step = learned(comparing(lambda now, moment: [now < moment + seconds(off) for off in (0, 60, -60, 30)]), 420 * SECOND)

    assert last_of(step, of(420 * SECOND)).began == 300 * SECOND


def test_a_moment_that_is_set_in_each_look_stays_as_far_away():
    step = learned(lambda now, moment: [now - moment < seconds(61) and now], 60 * SECOND)

    assert last_of(step, of(120 * SECOND), ALWAYS).began > ALWAYS - 2 * EVERY
    assert follows(step, 119 * SECOND + 1) and not follows(step, 119 * SECOND)


@pytest.mark.parametrize("moment, past", [(100 * SECOND, True), (120 * SECOND, True), (120 * SECOND + 1, False)])
def test_what_was_past_must_be_past_again(moment: int, past: bool) -> None:
    step = learned(comparing(lambda now, moment: now - moment >= seconds(60)), 60 * SECOND)

    assert follows(step, moment) is past


def test_of_several_that_were_past_each_must_be_past_again():
    step = learned(comparing(lambda now, moment: [now - moment > seconds(length) for length in (10, 50, 30)]), 60 * SECOND)

    assert follows(step, 130 * SECOND - 1) and not follows(step, 130 * SECOND)


def test_what_is_worked_out_in_a_way_that_is_not_followed_holds_for_as_long_after_alone():
    step = learned(comparing(lambda now, moment: (now - moment) // seconds(60)), 60 * SECOND)

    assert [follows(step, 120 * SECOND + off) for off in (-1, 0, 1)] == [False, True, False]


def test_all_that_had_that_value_are_bound_for_any_of_them_may_have_been_compared():
    step = learned(lambda now, one, other: (now < one + seconds(100), now, now)[1:], 60 * SECOND, 60 * SECOND)

    assert follows(step, 120 * SECOND, 120 * SECOND)
    assert not follows(step, 80 * SECOND, 120 * SECOND) and not follows(step, 120 * SECOND, 80 * SECOND)


@pytest.mark.parametrize("read, last", [
    (120 * SECOND, 600), (123 * SECOND, 600), (120 * SECOND - 1, 300), (123 * SECOND + 1, 300),
])
def test_what_the_look_set_itself_binds_nothing_and_what_it_read_elsewhere_stands_still(read: int, last: int) -> None:
    def play(now: datetime, moment: datetime) -> Sequence[Any]:
        now.watch.flips.append((at(read), 240.0))       # type: ignore[attr-defined]
        return [moment]

    step = learned(play, 10 * SECOND)

    assert last_of(step, of(10 * SECOND), 610 * SECOND).began == last * SECOND


@pytest.mark.parametrize("read, last", [(360 * SECOND, 300), (360 * SECOND + 1, 360), (0, 600)])
def test_what_was_read_stands_still(read: int, last: int) -> None:
    step = learned(comparing(lambda now, _: now < at(read)), 10 * SECOND)

    assert last_of(step, of(10 * SECOND), 610 * SECOND).began == last * SECOND


@pytest.mark.parametrize("ago, last", [(3600, 300), (3601, 360)])
def test_so_does_what_nothing_that_the_agent_does_will_move(ago: int, last: int) -> None:
    """It is up for 3360 seconds when the look begins that is learned."""
    step = learned(comparing(lambda now, _: span(seconds(3360), now.watch) < seconds(ago)), 10 * SECOND)

    assert last_of(step, of(10 * SECOND), 610 * SECOND).began == last * SECOND


def a_moment(micro: int) -> Any:
    return standing(at(micro), Watch())


@pytest.mark.parametrize("anchor", [None, a_moment(20 * SECOND), a_moment(120 * SECOND - 1), a_moment(123 * SECOND + 1)])
def test_what_nobody_remembers_is_unclear(anchor: Any) -> None:
    before, after, watch = played(lambda now, moment: [moment], SECOND_LOOK, [10 * SECOND])

    for noted in (watch.flips, watch.past):
        noted.append((anchor, 5.0))
        with pytest.raises(Unclear):
            Step(before, after, watch, ())
        noted.clear()
    for one, other in ((before.left[0], anchor), (anchor, before.left[0])):
        watch.pairs = [(one, other, 5.0)]
        with pytest.raises(Unclear):
            Step(before, after, watch, ())
        watch.pairs, watch.apart = [], [(one, other)]
        with pytest.raises(Unclear):
            Step(before, after, watch, ())
        watch.apart = []
    assert follows(Step(before, after, watch, ()), 10 * SECOND)


@pytest.mark.parametrize("own", [0, 1])
def test_moments_that_only_tell_when_the_next_step_is_due_are_left_out(own: int) -> None:
    before, after, watch = played(comparing(lambda now, one, other: (now < one, now >= other)), SECOND_LOOK,
                                  [130 * SECOND, 110 * SECOND])

    step = Step(before, after, watch, (before.left[own],))

    assert follows(step, 130 * SECOND, 110 * SECOND) is (own == 0)
    assert follows(step, 200 * SECOND, 200 * SECOND) is (own == 1)


def test_what_equals_them_is_not_left_out():
    before, after, watch = played(comparing(lambda now, moment: now < moment), SECOND_LOOK, [130 * SECOND])

    assert not follows(Step(before, after, watch, (a_moment(130 * SECOND),)), 130 * SECOND)


# -- comparisons of two that stand still

ORDERS = {"before": 10 * SECOND, "at the same time": 20 * SECOND, "after": 30 * SECOND}


@pytest.mark.parametrize("compare", [operator.lt, operator.le, operator.gt, operator.ge])
@pytest.mark.parametrize("order", ORDERS)
def test_two_that_were_compared_keep_their_order(order: str, compare: Callable[[Any, Any], bool]) -> None:
    step = learned(comparing(lambda now, one, other: compare(one, other)), ORDERS[order], 20 * SECOND)
    turned = learned(comparing(lambda now, one, other: compare(other, one)), ORDERS[order], 20 * SECOND)

    for off, now in ((-1, "before"), (0, "at the same time"), (1, "after")):
        assert follows(step, 500 + off, 500) is follows(turned, 500 + off, 500) is (now == order)


def test_so_do_two_of_which_one_was_worked_out():
    step = learned(comparing(lambda now, one, other: one + seconds(5) < other), 10 * SECOND, 20 * SECOND)

    assert follows(step, 10 * SECOND, 15 * SECOND + 1) and not follows(step, 10 * SECOND, 15 * SECOND)


def test_of_two_comparisons_each_must_come_out_as_it_did():
    step = learned(comparing(lambda now, one, other: (one + seconds(5) < other, other < one + seconds(30), one < other)),
                   10 * SECOND, 20 * SECOND)

    assert [follows(step, 0, apart * SECOND) for apart in (5, 6, 29, 30)] == [False, True, True, False]


@pytest.mark.parametrize("places", [(0, 1), (1, 0)])
def test_looks_are_followed_until_what_they_set_comes_where_another_stands(places: Tuple[int, int]) -> None:
    """What the last look set is compared in the next one, and so on."""
    def play(now: datetime, *moments: Any) -> Sequence[Any]:
        was, limit = (moments[place] for place in places)
        assert was < limit
        return [(now, limit)[places.index(place)] for place in (0, 1)]

    def vector(*pair: int) -> Sequence[int]:
        return [pair[places.index(place)] for place in (0, 1)]

    for limit, last in ((600 * SECOND, 600), (600 * SECOND + 1, 660)):
        step = learned(play, *vector(60 * SECOND, limit))
        assert last_of(step, of(*vector(120 * SECOND, limit))).began == last * SECOND


@pytest.mark.parametrize("places", [(0, 1), (1, 0)])
def test_two_of_which_it_was_worked_out_how_far_apart_they_are_stay_so_far_apart(places: Tuple[int, int]) -> None:
    step = learned(comparing(lambda now, *moments: moments[places[0]] - moments[places[1]]), 10 * SECOND, 20 * SECOND)

    assert [follows(step, 40 * SECOND + off, 50 * SECOND) for off in (-1, 0, 1)] == [False, True, False]


def test_two_that_were_equal_and_stay_need_not_be_equal():
    step = learned(comparing(lambda now, *moments: None), 10 * SECOND, 10 * SECOND, 30 * SECOND)

    assert [follows(step, 10 * SECOND + off, 10 * SECOND, 40) for off in (-1, 0, 1)] == [True] * 3


@pytest.mark.parametrize("now", [20 * SECOND, 30 * SECOND])
def test_two_that_were_found_equal_or_not_must_be_so_again(now: int) -> None:
    step = learned(comparing(lambda now, one, other: one == other), now, 20 * SECOND)

    equal = now == 20 * SECOND
    assert [follows(step, 30 * SECOND + off, 30 * SECOND) for off in (-1, 0, 1)] == [False, equal, not equal]


# -- what a look does to moments

def test_moments_are_set_copied_and_left():
    step = learned(lambda now, one, two, three, four: [now, one, now + seconds(5), four],
                   10 * SECOND, 20 * SECOND, 30 * SECOND, 40 * SECOND)

    after = step.follow(of(1, 2, 3, 4), NEXT + LASTS)

    assert after == Look(NEXT, NEXT + LASTS, NEXT + EVERY, SHAPE, [NEXT, 1, NEXT + 5 * SECOND, 4, NEVER])


def test_two_may_be_exchanged():
    step = learned(lambda now, one, other: [other, one], 10 * SECOND, 20 * SECOND)

    after = step.follow(of(1, 2), NEXT + LASTS)

    assert after is not None and after.times == [2, 1, NEVER]


def test_of_several_that_had_that_value_the_one_is_copied_that_was():
    step = learned(lambda now, one, other, third: [now, now, one], 10 * SECOND, 10 * SECOND, 20 * SECOND)

    after = step.follow(of(500, 600, 20 * SECOND), NEXT + LASTS)

    assert after is not None and after.times == [NEXT, NEXT, 500, NEVER]


@pytest.mark.parametrize("equal", [True, False])
def test_what_is_counted_from_another_is_as_far_from_it(equal: bool) -> None:
    """Which of two it was nobody knows while they are equal."""
    step = learned(lambda now, one, other, _: [one, other, one - seconds(5)],
                   10 * SECOND, 10 * SECOND if equal else 20 * SECOND, 30 * SECOND)

    same, others = (step.follow(of(50 * SECOND, other, 0), NEXT + LASTS) for other in (50 * SECOND, 60 * SECOND))

    assert same is not None and same.times[2] == 45 * SECOND
    assert (others is None) is equal


def test_what_is_copied_from_what_stays_is_followed_at_once():
    step = learned(lambda now, one, other, third: [now, other, other + seconds(5)], 10 * SECOND, 20 * SECOND, 30 * SECOND)

    after = step.follow(of(1, 2, 3), ALWAYS)

    assert after is not None and after.ended > ALWAYS - EVERY and after.times[1:] == [2, 2 + 5 * SECOND, NEVER]


def test_what_is_copied_from_what_is_set_lags_behind_it():
    step = learned(lambda now, last, one_before: [now, last], 60 * SECOND, 10 * SECOND)

    last = last_of(step, of(120 * SECOND, 60 * SECOND), 1000 * SECOND)

    assert last.times == [last.began, last.began - EVERY, NEVER] and last.began > 900 * SECOND


def test_even_where_both_were_the_same():
    play = lambda now, last, one_before: [now, last]    # noqa: E731
    step = learned(play, 60 * SECOND, 10 * SECOND)

    assert last_of(step, of(70 * SECOND, 70 * SECOND), 1000 * SECOND).times[:-1] == one_by_one(play, [70 * SECOND] * 2, 14)


def test_what_is_copied_is_compared_as_what_it_is_from_then_on():
    step = learned(lambda now, one, other: [now - one >= seconds(100) and other, other], 10 * SECOND, 20 * SECOND)

    assert last_of(step, of(10 * SECOND, 170 * SECOND)).began == NEXT


def text(micro: int) -> str:
    return at(micro).isoformat()


@pytest.mark.parametrize("written", [120 * SECOND, 121 * SECOND + 5, 123 * SECOND])
def test_a_written_moment_within_the_look_was_set(written: int) -> None:
    step = learned(lambda now, _: [text(written)], text(10 * SECOND))

    after = step.follow(of(10 * SECOND), NEXT + LASTS)

    assert after is not None and after.times == [written + EVERY, NEVER]


@pytest.mark.parametrize("told", [text(10 * SECOND), at(10 * SECOND)], ids=["written", "read"])
def test_what_tells_the_same_as_something_remembered_does_so_as_long_as_that_stays(told: Any) -> None:
    step = learned(lambda now, moment, _: [moment, told], 10 * SECOND, 20 * SECOND)

    after = step.follow(of(10 * SECOND, 2), NEXT + LASTS)

    assert after is not None and after.times == [10 * SECOND, 10 * SECOND, NEVER]
    assert not follows(step, 10 * SECOND + 1, 2) and not follows(step, 10 * SECOND - 1, 2)


UNCLEAR = {
    "worked out from what nobody knows": lambda now, moment: (now + (now - moment)) - (now - moment),
    "read elsewhere": lambda now, moment: at(20 * SECOND),
    "read elsewhere, of the time of the look": lambda now, moment: at(121 * SECOND),
    "an earlier now": lambda now, moment: moving(at(110 * SECOND), Watch()),
    "now, standing still": lambda now, moment: plain(now),
    "moving twice as fast": lambda now, moment: now + (now - moment),
    "running backwards": lambda now, moment: ticks(5.0, now.watch, slope=-1.0),
    "written, and before the look": lambda now, moment: text(120 * SECOND - 1),
    "written, and after the look": lambda now, moment: text(123 * SECOND + 1),
}


@pytest.mark.parametrize("origin", UNCLEAR)
def test_what_comes_from_nobody_knows_where_is_unclear(origin: str) -> None:
    with pytest.raises(Unclear):
        learned(lambda now, moment: [UNCLEAR[origin](now, moment)], 10 * SECOND)


def test_what_an_earlier_turn_set_was_not_set_by_this_look():
    before, after, watch = played(lambda now, _: [now], SECOND_LOOK, [10 * SECOND])
    watch.begin()

    with pytest.raises(Unclear):
        Step(before, after, watch, ())


@pytest.mark.parametrize("otherwise", [
    {"shape": ["link-down", 4]}, {"times": [10 * SECOND, 10 * SECOND, NEVER]}, {"times": [NEVER]},
    {"began": SECOND_LOOK + 1}, {"began": SECOND_LOOK - 1},
])
def test_a_look_that_left_more_than_moments_otherwise_or_was_not_due_is_unclear(otherwise: Any) -> None:
    before, after, watch = played(lambda now, moment: [moment], SECOND_LOOK, [10 * SECOND])
    assert Step(before, after, watch, ()).shape is before.shape

    with pytest.raises(Unclear):
        Step(before, replace(after, **otherwise), watch, ())


# -- following

@pytest.mark.parametrize("times", [1, 2, 3, 4, 1000])
def test_no_look_is_followed_that_is_not_over_by_then(times: int) -> None:
    step = learned(lambda now, moment: [now], 10 * SECOND)
    over = SECOND_LOOK + LASTS + times * EVERY

    assert last_of(step, of(120 * SECOND), over).ended == over
    assert last_of(step, of(120 * SECOND), over - 1).ended == over - EVERY


def test_what_goes_on_alike_is_followed_at_once():
    step = learned(lambda now, one, other: [one - seconds(5) < now < other and now, other], 10 * SECOND, ALWAYS)

    after = step.follow(of(120 * SECOND, ALWAYS), ALWAYS // 2)

    assert after is not None and after.ended > ALWAYS // 2 - EVERY


def test_each_is_gone_over_where_it_is_asked_for_once():
    step = learned(lambda now, moment: [now], 10 * SECOND)

    after = step.follow(of(120 * SECOND), ALWAYS, once=True)

    assert after is not None and after.began == NEXT


def test_what_the_first_of_several_sets_may_end_it():
    step = learned(lambda now, moment: [now - moment >= seconds(100) and now], 10 * SECOND)

    assert last_of(step, of(20 * SECOND)).began == NEXT


def test_what_a_look_sets_back_may_end_it():
    step = learned(lambda now, one, other: [one > other and now, other], 1000 * SECOND, 900 * SECOND)

    assert last_of(step, of(1000 * SECOND, 900 * SECOND)).began == NEXT


def test_what_was_compared_with_a_moment_that_is_copied_is_compared_anew_in_each_look():
    """One that is far away goes through three places, and binds in the last."""
    step = learned(lambda now, one, two, three: [now - three < seconds(1000) and now, one, two],
                   60 * SECOND, 40 * SECOND, 20 * SECOND)

    assert last_of(step, of(-2000 * SECOND, 100 * SECOND, 100 * SECOND)).began == 240 * SECOND


def test_a_look_that_begins_when_it_was_not_due_before_is_followed_as_well():
    step = learned(lambda now, moment: [now], 10 * SECOND)
    late = replace(of(1), due=199 * SECOND)

    after = step.follow(late, ALWAYS)

    assert after is not None and (after.began - 199 * SECOND) % EVERY == 0 and after.times[0] == after.began


# Each look does some of these, each upon what came out of a comparison: (compared, (what is done if so, what if not)).
Line = Tuple[Tuple[str, int, int], Tuple[Optional[Tuple[int, int]], Optional[Tuple[int, int]]]]
PLACES = st.integers(0, 3)
DOES = st.none() | st.tuples(PLACES, st.integers(-2, 3))
COMPARES = st.tuples(st.sampled_from(("young", "old", "ahead", "order", "not after")), PLACES, st.integers(0, 240))
PROGRAMS = st.lists(st.tuples(COMPARES, st.tuples(DOES, DOES)), max_size=4)
MOMENTS = st.lists(st.integers(0, 12).map(lambda number: 20 * number * SECOND), min_size=4, max_size=4)


def a_play(program: Sequence[Line]) -> Play:
    def play(now: Any, *moments: Any) -> Sequence[Any]:
        mind = list(moments)
        for (kind, place, number), does in program:
            mine, other, length = mind[place], mind[number % 4], seconds(number // 20 * 20)
            so = (now - mine < length if kind == "young" else now - mine >= length if kind == "old" else now < mine + length
                  if kind == "ahead" else mine < other if kind == "order" else mine + length <= other)
            deed = does[0] if so else does[1]
            if deed:
                mind[deed[0]] = now + seconds(20 * (-deed[1] - 1)) if deed[1] < 0 else mind[deed[1]]
        return mind

    return play


def learned_if_clear(program: Sequence[Line], times: Sequence[int]) -> Step:
    try:
        return learned(a_play(program), *times)
    except Unclear:
        assume(False)
        raise


@given(PROGRAMS, MOMENTS, st.integers(0, 40))
def test_several_at_once_come_to_the_same_as_one_by_one(program: Sequence[Line], times: Sequence[int], looks: int) -> None:
    _, look, _ = played(a_play(program), SECOND_LOOK, times)
    step, until = learned_if_clear(program, times), look.ended + looks * EVERY

    together, alone = last_of(step, look, until), look
    while (after := step.follow(alone, min(until, alone.due + LASTS))) is not None:
        alone = after

    assert together == replace(alone, found=together.found, left=together.left)


@given(PROGRAMS, MOMENTS, MOMENTS)
def test_what_is_followed_leaves_what_a_look_would_have_left(
        program: Sequence[Line], times: Sequence[int], others: Sequence[int]) -> None:
    step = learned_if_clear(program, times)

    after = step.follow(of(*others), NEXT + LASTS)

    assume(after is not None)
    assert after is not None and after.times == played(a_play(program), NEXT, others)[1].times


def skipped(play: Play, times: Sequence[int], until: int) -> Look:
    """The last look that is over by then, where only those are played of which it is not known what they do."""
    look, steps, trail = of(*times), [], []     # type: ignore[var-annotated]
    while look.due + LASTS <= until:
        found = next(((step, after) for step in steps for after in [step.follow(look, until)] if after is not None), None)
        if found is not None:
            trail.append((found[0], look, found[1]))
            come_round(trail, until)
            look = trail[-1][2]
            continue
        before, look, watch = played(play, look.due, look.times[:-1])
        trail = []
        try:
            steps.insert(0, Step(before, look, watch, ()))
        except Unclear:
            pass
    return look


def one_by_one(play: Play, times: Sequence[int], looks: int) -> Sequence[int]:
    moments = list(times)
    for number in range(looks):
        moments = played(play, NEXT + number * EVERY, moments)[1].times[:-1]
    return moments


@given(PROGRAMS, MOMENTS, st.integers(1, 60))
def test_what_is_skipped_comes_to_the_same_as_one_by_one(program: Sequence[Line], times: Sequence[int], looks: int) -> None:
    last = skipped(a_play(program), times, SECOND_LOOK + LASTS + looks * EVERY)

    assert last.times[:-1] == one_by_one(a_play(program), times, looks) and last.began == SECOND_LOOK + looks * EVERY


def asking(*every: int) -> Play:
    """A look that asks again what it has not asked for so many seconds."""
    def play(now: datetime, *moments: Any) -> Sequence[Any]:
        return [now if now - moment >= seconds(length) else moment for moment, length in zip(moments, every)]

    return play


HOURS = 3600 * SECOND
# Looks that ask again every ten minutes, and do something else after some hours.
ROUNDS: Mapping[str, Tuple[Play, Sequence[int]]] = {
    "one is over": (lambda now, asked, limit: [*asking(600)(now, asked), now if now >= limit else limit], (0, 5 * HOURS)),
    "what is asked passes another": (
        lambda now, asked, limit: [*asking(600)(now, asked), now if limit < asked else limit], (0, 5 * HOURS + 300 * SECOND)),
    "two are asked at other times": (asking(600, 1500), (0, 0)),
    "three are asked at other times": (asking(600, 1500, 3600), (0, 60 * SECOND, 0)),
}


@pytest.mark.parametrize("name", ROUNDS)
@pytest.mark.parametrize("looks", [250, 299, 300, 301, 347, 600])
def test_what_comes_round_comes_to_the_same_as_one_by_one(name: str, looks: int) -> None:
    play, times = ROUNDS[name]

    assert skipped(play, times, SECOND_LOOK + LASTS + looks * EVERY).times[:-1] == one_by_one(play, times, looks)


@pytest.mark.parametrize("every", [(600,), (600, 3600), (600, 1500, 3600)])
def test_what_comes_round_is_followed_round_by_round(every: Sequence[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A month of minutes, of which few need to be gone over."""
    month, followed, follow = 30 * 86400 * SECOND, [], Step.follow
    monkeypatch.setattr(Step, "follow", lambda *given: followed.append(1) or follow(*given))

    last = skipped(asking(*every), [0] * len(every), month)

    assert last.ended > month - EVERY and len(followed) < 43200 / 20
    for moment, length in zip(last.times, every):
        assert last.began - length * SECOND < moment <= last.began


# How a look goes, the moments when it is learned, and those from which it comes to something else than it seems to.
SEEMING: Mapping[str, Tuple[Play, Sequence[int], Sequence[int]]] = {
    "one takes the place of another that is set, and both were equal": (lambda now, old, new: [new, now], (60, 60), (60, 120)),
    "one is set to what it was": (lambda now, moment: [now + seconds(20)], (140,), (150,)),
    "one is counted from another, and comes where it was": (lambda now, one, _: [one, one + seconds(20)], (20, 40), (30, 40)),
    "one is counted from another, and comes where a third was": (
        lambda now, one, _, third: [one, one + seconds(20), third], (20, 10, 40), (30, 10, 40)),
    "one is set by how long ago another was": (
        lambda now, one, other, _: [one, other, other + (now - one)], (10, 20, 5), (10, 40, 5)),
}


@pytest.mark.parametrize("name", SEEMING)
def test_no_look_is_followed_that_would_leave_something_else(name: str) -> None:
    play, times, others = SEEMING[name]
    try:
        step = learned(play, *(time * SECOND for time in times))
    except Unclear:
        return
    vector = [other * SECOND for other in others]

    after = step.follow(of(*vector), NEXT + LASTS)

    assert after is None or after.times == played(play, NEXT, vector)[1].times


def test_what_seconds_are_nearly_over_is_not_past():
    """Seconds are no whole microseconds: 60 of them after such a moment, it lacks a little."""
    began = 524237.107597
    watch = Watch()
    moment = ticks(began, watch, slope=0.0)
    before = left(watch, FIRST, [moment])
    watch.begin()
    assert ticks(524297.107597, watch) - moment < 60.0
    step = Step(before, left(watch, SECOND_LOOK, [moment]), watch, ())

    assert step.follow(replace(of(), times=before.times), NEXT + LASTS) is None


# -- pulses

PULSE = 143 * SECOND


def a_pulse(compare: Callable[..., Any], *times: int, own: Sequence[int] = ()) -> Pulse:
    """It comes 20 seconds after a look."""
    watch = Watch()
    moments = remembered(watch, times)
    look = left(watch, SECOND_LOOK, moments)
    watch.begin()
    compare(moving(at(PULSE), watch), *look.left[:-1])
    return Pulse(look, PULSE, PULSE, watch, [look.left[place] for place in own])


@pytest.mark.parametrize("moment, goes_on", [(240 * SECOND, False), (240 * SECOND + 1, True), (200 * SECOND, False)])
def test_pulses_find_nothing_until_a_comparison_comes_out_otherwise_before_the_look_is_due(moment: int, goes_on: bool) -> None:
    pulse = a_pulse(lambda now, moment: now < moment, 200 * SECOND)

    assert pulse.goes_on(of(moment, began=NEXT)) is goes_on


@pytest.mark.parametrize("moment, goes_on", [(183 * SECOND, True), (183 * SECOND + 1, False), (100 * SECOND, True)])
def test_nor_do_they_where_what_was_past_is_past_as_soon_as_the_look_has_ended(moment: int, goes_on: bool) -> None:
    pulse = a_pulse(lambda now, moment: now >= moment, 100 * SECOND)

    assert pulse.goes_on(of(moment, began=NEXT)) is goes_on


def test_when_they_are_due_is_not_what_they_find():
    pulse = a_pulse(lambda now, moment: now < moment, 180 * SECOND, own=[0])

    assert pulse.goes_on(of(240 * SECOND, began=NEXT))


def test_a_pulse_that_compares_with_what_nobody_remembers_is_unclear():
    with pytest.raises(Unclear):
        a_pulse(lambda now: now < standing(at(200 * SECOND), Watch()))


def test_a_number_is_that_of_its_moment():
    assert number_of(at(120 * SECOND)) == 120 * SECOND and at(0) == datetime(1, 1, 1, tzinfo=timezone.utc)
