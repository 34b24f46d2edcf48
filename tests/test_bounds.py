"""The worst case a policy allows: never less than what can happen, and no more than the policy tells."""
from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Callable, List, Sequence, Tuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rmcagent.config import Budget, Settings, Window
from rmcagent.model import Attempt, Fault, Outcome, Remedy
from rmcagent.reason import guards
from rmcagent.reason.guards import Case
from rmcagent.sim.rehearsal.outcome.bounds import DAY, MONTH, Bound, away, bounds, document, most_starts, text
from seen import DEFAULTS, HOUR, MINUTE, NOON, SECOND, finding, history, plain, policy

RECYCLE, RECFGCT = Remedy.RECYCLE, Remedy.RECFGCT
EVERY_DAY = frozenset(range(7))
WEEKEND = Window(frozenset({5, 6}), 60, 300)
NIGHTLY = Window(EVERY_DAY, 60, 300)
ACROSS_MIDNIGHT = Window(EVERY_DAY, 23 * 60, 60)


def row(remedy: Remedy, settings_: Settings = DEFAULTS) -> Bound:
    return next(one for one in bounds(settings_) if one.remedy is remedy)


# ---- as the policy tells

def test_the_default_policy_allows_what_its_budgets_say() -> None:
    told = {one.remedy.value: (one.mode, one.a_day, one.a_month) for one in bounds(DEFAULTS)}

    assert told == {"refresh": ("act", 12, 360), "start": ("act", 6, 180), "manager": ("act", 6, 180),
                    "lparmgr": ("shadow", 0, 0), "recycle": ("act", 2, 60), "recfgct": ("act", 1, 3)}


def test_where_none_is_cut_short_cooldown_and_settle_hold_too() -> None:
    generous = row(RECYCLE, policy("remedies: {recycle: {budget: 1000/24h, cooldown: 1h, settle: 12m}}"))
    slow_to_judge = row(RECYCLE, policy("remedies: {recycle: {budget: 1000/24h, cooldown: 1h, settle: 2h}}"))

    assert (generous.a_day, generous.paced_a_day, generous.pace) == (1000, 24, HOUR)
    assert (slow_to_judge.paced_a_day, slow_to_judge.paced_a_month) == (12, 360)


@pytest.mark.parametrize("text_, mode", [
    ("mode: observe", "observe"),
    ("mode: shadow", "shadow"),
    ("remedies: {recycle: {mode: shadow}}", "shadow"),
    ("remedies: {recycle: {mode: off}}", "off"),
    ("{mode: shadow, remedies: {recycle: {mode: off}}}", "off"),
])
def test_what_does_not_act_begins_nothing_and_takes_nothing_away(text_: str, mode: str) -> None:
    quiet = row(RECYCLE, policy(text_))

    assert (quiet.mode, quiet.a_day, quiet.a_month, away((quiet,), MONTH)) == (mode, 0, 0, (timedelta(0), timedelta(0)))


def test_several_budgets_hold_together_where_each_alone_would_allow_more() -> None:
    both = (Budget(2, 3 * HOUR), Budget(3, 5 * HOUR))

    assert [most_starts(each, 8 * HOUR) for each in ((both[0],), (both[1],), both)] == [6, 6, 5]


def test_a_start_a_whole_span_after_the_other_is_in_another_stretch() -> None:
    assert [most_starts((Budget(2, DAY),), span) for span in (DAY - SECOND, DAY, DAY + SECOND)] == [2, 2, 4]


@pytest.mark.parametrize("window, budget, span, most", [
    (WEEKEND, Budget(2, DAY), MONTH, 20),                    # five weekends at most
    (WEEKEND, Budget(1, 7 * DAY), MONTH, 5),
    (WEEKEND, Budget(3, 5 * DAY), MONTH, 15),                # not 18, as it would be at any time
    (NIGHTLY, Budget(2, DAY), DAY, 2),
    (NIGHTLY, Budget(2, DAY), MONTH, 60),
    (NIGHTLY, Budget(6, 12 * HOUR), DAY, 12),                # the end of one night and the beginning of the next
    (NIGHTLY, Budget(1, HOUR), DAY, 6),                      # five hours where DST repeats one, and the end of the night before
    (ACROSS_MIDNIGHT, Budget(1, 3 * HOUR), DAY, 2),
    (Window(frozenset({6}), 23 * 60, 60), Budget(1, 30 * MINUTE), DAY, 6),          # Sunday's lasts into Monday
    (Window(EVERY_DAY, 0, 1440), Budget(2, DAY), MONTH, 60),
])
def test_in_a_window_no_more_begin_than_fit(window: Window, budget: Budget, span: timedelta, most: int) -> None:
    assert most_starts((budget,), span, window) == most


def test_a_window_that_never_opens_lets_nothing_begin() -> None:
    assert most_starts((Budget(2, DAY),), MONTH, Window(frozenset(), 60, 300)) == 0


def test_an_absurd_budget_is_told_at_once_and_not_too_low() -> None:
    absurd = row(RECYCLE, policy("remedies: {recycle: {budget: 999999/1s, window: '01:00-05:00'}}"))

    assert absurd.a_day >= 999_999 and away((absurd,), DAY) == (DAY, DAY)


# ---- brute force

def by_trying(budgets: Sequence[Budget], span: int) -> int:
    """The most starts in a stretch of `span` minutes, of every choice of whole minutes, several at one of them, too."""
    def further(begun: Tuple[int, ...]) -> int:
        choices = [(*begun, at) for at in range(begun[-1], span) if fits((*begun, at))]
        return max(map(further, choices), default=len(begun))

    def fits(begun: Tuple[int, ...]) -> bool:
        return all(sum(at > begun[-1] - budget.span // MINUTE for at in begun) <= budget.times for budget in budgets)

    return further((0,))


SMALL_BUDGETS = st.lists(st.builds(Budget, st.integers(1, 3), st.integers(2, 7).map(lambda minutes: minutes * MINUTE)),
                         min_size=1, max_size=3)


@settings(max_examples=80, deadline=None)
@given(SMALL_BUDGETS, st.integers(1, 7))
@example([Budget(2, 3 * MINUTE), Budget(3, 5 * MINUTE)], 7)
def test_no_choice_of_starts_fits_more_into_a_stretch_and_one_fits_as_many(budgets: List[Budget], span: int) -> None:
    assert most_starts(budgets, span * MINUTE) == by_trying(budgets, span)


# ---- the guards themselves

SPEAK_OF_TIME: Tuple[guards.Guard, ...] = (guards.window, guards.budget, guards.cooldown, guards.settling)


def begun_by_greed(settings_: Settings, remedy: Remedy, outcome: Outcome, span: timedelta, delays: Sequence[timedelta] = (),
                   local: Callable[[datetime], datetime] = lambda now: now.replace(tzinfo=None), first: datetime = NOON,
                   most: int = 100_000) -> List[datetime]:
    """All that begins within `span`, where it begins whenever the guards of time let it; `delays` hold it now and then."""
    begun: List[Attempt] = []
    now, waits = first, list(delays)
    seen, found = plain(), finding(Fault.LINK_DOWN)
    past = history(found=(found,))
    while now < first + span and len(begun) < most:
        case = Case(remedy, found, replace(seen, local_time=local(now), taken_at=now),
                    replace(past, attempts=tuple(begun)), settings_, now)
        refused = [refusal for guard in SPEAK_OF_TIME for refusal in guard(case)]
        if refused:
            untils = [refusal.until for refusal in refused if refusal.until]
            now = max(untils) if untils else at_the_next_quarter(now)
        elif waits and waits[0]:
            now, waits[0] = now + waits[0], timedelta(0)
        else:
            waits[:1] = []
            begun.append(Attempt(len(begun) + 1, remedy, Fault.LINK_DOWN, "", "E-1", now, "an earlier boot", ended_at=now,
                                 outcome=outcome))
            if outcome is not Outcome.INTERRUPTED:
                now += settings_.remedies[remedy.value].settle
    return [attempt.begun_at for attempt in begun]


def at_the_next_quarter(now: datetime) -> datetime:
    """Windows here open on the hour."""
    return now.replace(minute=now.minute // 15 * 15, second=0) + 15 * MINUTE


def most_within(begun: Sequence[datetime], span: timedelta) -> int:
    return max((sum(first <= at < first + span for at in begun) for first in begun), default=0)


@pytest.mark.parametrize("remedy", [Remedy.REFRESH, Remedy.START, Remedy.MANAGER, Remedy.RECYCLE, Remedy.RECFGCT])
def test_the_guards_let_as_many_begin_as_told_and_no_more(remedy: Remedy) -> None:
    told = row(remedy)

    begun = begun_by_greed(DEFAULTS, remedy, Outcome.INTERRUPTED, MONTH)

    assert (most_within(begun, DAY), len(begun)) == (told.a_day, told.a_month)


@pytest.mark.parametrize("text_", [
    "{budget: 200/24h, cooldown: 30m, settle: 12m}",
    "{budget: 200/24h, cooldown: 0s, settle: 40m}",
    "{budget: [3/2h, 4/5h, 9/24h], cooldown: 10m, settle: 20m}",
])
def test_the_guards_let_as_many_begin_as_told_where_none_is_cut_short(text_: str) -> None:
    asked = policy(f"remedies: {{recycle: {text_}}}")

    begun = begun_by_greed(asked, RECYCLE, Outcome.UNCHANGED, DAY)

    assert len(begun) == row(RECYCLE, asked).paced_a_day


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 30)), min_size=1, max_size=3), st.integers(0, 120),
       st.integers(1, 90), st.sampled_from([Outcome.INTERRUPTED, Outcome.UNCHANGED]), st.lists(st.integers(0, 400), max_size=12))
def test_whatever_waits_in_between_never_lets_more_begin(budgets: List[Tuple[int, int]], cooldown: int, settle: int,
                                                         outcome: Outcome, delays: List[int]) -> None:
    written = ", ".join(f"{times}/{hours}h" for times, hours in budgets)
    asked = policy(f"remedies: {{recycle: {{budget: [{written}], cooldown: {cooldown}m, settle: {settle}m}}}}")
    told = row(RECYCLE, asked)

    begun = begun_by_greed(asked, RECYCLE, outcome, 2 * DAY, [delay * MINUTE for delay in delays], most=150)

    assert most_within(begun, DAY) <= (told.a_day if outcome is Outcome.INTERRUPTED else told.paced_a_day)


FRIDAY = NOON + 4 * DAY


def as_the_clock_goes(now: datetime) -> datetime:
    return now.replace(tzinfo=None)


def set_back_on_sunday(now: datetime) -> datetime:
    """The hour from two to three comes twice."""
    return now.replace(tzinfo=None) - (HOUR if now >= FRIDAY + 39 * HOUR else timedelta(0))


def set_forward_on_sunday(now: datetime) -> datetime:
    return now.replace(tzinfo=None) + (HOUR if now >= FRIDAY + 38 * HOUR else timedelta(0))


@pytest.mark.parametrize("local", [as_the_clock_goes, set_back_on_sunday, set_forward_on_sunday])
@pytest.mark.parametrize("window", ["01:00-05:00", "Sat,Sun 01:00-05:00", "23:00-03:00", "Sun-Tue 00:00-24:00"])
@pytest.mark.parametrize("budget", ["2/24h", "[2/3h, 3/5h]"])
def test_in_a_window_the_guards_never_let_more_begin_than_told(window: str, budget: str,
                                                               local: Callable[[datetime], datetime]) -> None:
    asked = policy(f'remedies: {{recycle: {{window: "{window}", budget: {budget}}}}}')
    told = row(RECYCLE, asked)
    closes = FRIDAY + timedelta(hours=(int(window[-5:-3]) - 12) % 24)

    # Beginning early in a window, and at its very end.
    begun = [begun_by_greed(asked, RECYCLE, Outcome.INTERRUPTED, 4 * DAY - HOUR, local=local, first=first)
             for first in (FRIDAY, closes - SECOND, closes + DAY - SECOND)]

    assert 0 < max(most_within(some, DAY) for some in begun) <= told.a_day


# ---- how long RMC is away

def test_rmc_is_away_as_is_usual_or_as_long_as_every_command_may_take() -> None:
    rows = bounds(DEFAULTS)

    assert {one.remedy: (one.usual, one.longest) for one in rows if one.longest} == {
        RECYCLE: (MINUTE, 10 * MINUTE),         # rmcctrl -z, thrice -A, -p: 120 s each
        RECFGCT: (3 * MINUTE, 19 * MINUTE),     # recfgct 900 s, rmcctrl -A and -p 120 s each; archiving stops nothing
    }
    assert away(rows, DAY) == (5 * MINUTE, 39 * MINUTE)
    assert away(rows, MONTH) == (69 * MINUTE, 657 * MINUTE)


# ---- what is said

def test_the_table_fits_a_terminal_and_says_what_it_rests_upon() -> None:
    asked = policy('remedies: {recycle: {window: "Sat,Sun 01:00-05:00", budget: 90/24h}, refresh: {budget: 999999/1s}}')

    told = text(bounds(asked))

    assert max(map(len, told)) <= 80 and all(line.isascii() and line.isprintable() for line in told)
    assert [line.split()[:2] for line in told[4:10]] == [[one.remedy.value, one.mode] for one in bounds(asked)]
    assert told[4].split()[2:] == ["many", "many"] and told[10].split()[0] == "together"
    flat = " ".join(told)
    for said in ("any 24 h and in any 30 days", "1m a recycle and 3m a recfgct", "10m a recycle", "not killed",
                 "spends no start budget", "recycle: within Sat,Sun 01:00-05:00 only", "where none is cut short"):
        assert said in flat


def test_a_policy_that_takes_nothing_away_says_so() -> None:
    assert "Nothing that this policy lets be done takes RMC away." in text(bounds(policy("mode: observe")))


def test_the_same_in_json() -> None:
    told = json.loads(json.dumps(document(bounds(DEFAULTS))))

    assert next(one for one in told["remedies"] if one["remedy"] == "recycle") == {
        "remedy": "recycle", "mode": "act", "a_day": 2, "a_month": 60, "paced_a_day": 2, "paced_a_month": 60,
        "pace_seconds": 1800.0, "window": "", "away_usual_seconds": 60.0, "away_longest_seconds": 600.0,
    }
    assert told["away_a_day"] == {"usual_seconds": 300.0, "longest_seconds": 2340.0}
    assert told["away_a_month"] == {"usual_seconds": 4140.0, "longest_seconds": 39420.0}
