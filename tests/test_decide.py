"""What is done about each finding, in which order, and what is never done; and the one word that status says."""
from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, List, Optional, Tuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rmcagent.config import Settings
from rmcagent.model import (
    Attempt,
    Decision,
    Fact,
    Fault,
    Finding,
    Gap,
    History,
    How,
    Kind,
    Link,
    Outcome,
    Pause,
    PeerDomain,
    Platform,
    Remedy,
    Side,
    Snapshot,
    Space,
    State,
)
from rmcagent.reason import cluster
from rmcagent.reason.decide import alternatives, decide, gaps_told, verdict
from rmcagent.reason.guards import telling
from rmcagent.reason.ladder import LADDER
from seen import (
    ANYTHING,
    DAY,
    DEFAULTS,
    HMC2,
    HOUR,
    MINUTE,
    NOON,
    PLATFORMS,
    RMC,
    SECOND,
    attempt,
    fact_of,
    finding,
    gap,
    history,
    hmc,
    missing,
    plain,
    policy,
    told,
    unasked,
    with_fact,
    with_hmcs,
    with_state,
)

REFRESH, START, MANAGER, LPARMGR = Remedy.REFRESH, Remedy.START, Remedy.MANAGER, Remedy.LPARMGR
RECYCLE, RECFGCT = Remedy.RECYCLE, Remedy.RECFGCT
LINK = finding(Fault.LINK_DOWN)
PENDING = finding(Fault.LINK_PENDING)
DOWN = finding(Fault.RMC_DOWN)
HUNG = finding(Fault.RMC_HUNG)
STOPPED = finding(Fault.RMC_STOPPED, side=Side.OPERATOR, advice="start it: rmcctrl -A")
STORM = finding(Fault.LOG_STORM, side=Side.EVIDENCE, advice="read the log")
SHADOW = policy("mode: shadow")
SPENT = tuple(attempt(REFRESH, timedelta(hours=number)) for number in range(2, 14))


def decided(
    found: Finding = LINK,
    *attempts: Attempt,
    seen: Optional[Snapshot] = None,
    settings: Settings = ANYTHING,
    now: datetime = NOON,
    **past: Any,
) -> Decision:
    """The decision about one finding that was seen for two hours."""
    memory = history(*attempts, found=(found,), **past)
    return decide(seen or plain(), (found,), memory, settings, now)[0]


def short(decision: Decision) -> Tuple[Kind, Optional[Remedy]]:
    return decision.kind, decision.remedy


def apply(remedy: Remedy) -> Tuple[Kind, Remedy]:
    return Kind.APPLY, remedy


# -- grace


@pytest.mark.parametrize("found, remedy, grace", [
    (LINK, REFRESH, 2 * MINUTE), (DOWN, START, MINUTE), (finding(Fault.RMC_DOWN, crash=None), START, 15 * MINUTE),
    (finding(Fault.MANAGER_DOWN, "IBM.DRM"), MANAGER, 3 * MINUTE), (STOPPED, START, 2 * HOUR),
])
def test_a_fault_may_pass_on_its_own_for_as_long_as_the_grace(found: Finding, remedy: Remedy, grace: timedelta) -> None:
    early = decided(found, since=grace - SECOND)
    due = decided(found, since=grace)

    assert (short(early), early.until) == ((Kind.WAIT, remedy), NOON + SECOND)
    assert "may pass on its own" in early.because
    assert short(due) == apply(remedy)


def test_a_fault_never_sighted_before_begins_its_grace_now() -> None:
    decision = decide(plain(), (LINK,), history(), ANYTHING, NOON)[0]

    assert (short(decision), decision.until) == ((Kind.WAIT, REFRESH), NOON + 2 * MINUTE)


def test_recycle_waits_for_its_grace_and_then_for_its_splay() -> None:
    tried = attempt(REFRESH, 4 * MINUTE)
    in_grace = decided(LINK, tried, since=5 * MINUTE - SECOND)
    in_splay = decided(LINK, tried, since=5 * MINUTE, splay_from=None)
    over = decided(LINK, tried, since=5 * MINUTE)

    assert (short(in_grace), in_grace.until) == ((Kind.WAIT, RECYCLE), NOON + SECOND)
    assert short(over) == apply(RECYCLE)
    assert short(in_splay) == (Kind.WAIT, RECYCLE) and [refusal.guard for refusal in in_splay.refused_by] == ["splay"]
    assert in_splay.until is not None and NOON < in_splay.until < NOON + 10 * MINUTE


def test_what_was_tried_before_an_hmc_was_connected_again_says_nothing_of_the_fault_now() -> None:
    """An episode may stay open for months beside a fault that is only reported."""
    long_ago, lately = attempt(REFRESH, 6 * HOUR), attempt(REFRESH, HOUR)

    assert short(decided(LINK, long_ago)) == apply(REFRESH)
    assert short(decided(LINK, lately)) == apply(RECYCLE)


def test_the_splay_is_asked_for_only_when_nothing_else_holds_the_remedy() -> None:
    tried = attempt(REFRESH, HOUR)

    held = decided(LINK, tried, splay_from=None, pause=Pause(NOON + HOUR, "SAN work"))

    assert [refusal.guard for refusal in held.refused_by] == ["paused"]


# -- the ladder


def test_the_gentlest_remedy_comes_first_and_each_unchanged_one_leads_to_the_next() -> None:
    refreshed, recycled = attempt(REFRESH, 90 * MINUTE), attempt(RECYCLE, HOUR)

    assert short(decided(PENDING)) == apply(REFRESH)
    assert short(decided(PENDING, refreshed)) == apply(RECYCLE)
    assert short(decided(PENDING, refreshed, recycled)) == apply(RECFGCT)


def test_link_faults_climb_one_ladder_together() -> None:
    as_link_down = attempt(REFRESH, 90 * MINUTE, fault=Fault.LINK_DOWN), attempt(RECYCLE, HOUR, fault=Fault.NO_HMC)

    assert short(decided(PENDING, *as_link_down)) == apply(RECFGCT)


@pytest.mark.parametrize("outcome", [Outcome.HEALED, Outcome.UNKNOWN, Outcome.INTERRUPTED])
def test_only_unchanged_leads_to_the_next(outcome: Outcome) -> None:
    assert short(decided(LINK, attempt(REFRESH, 90 * MINUTE, outcome))) == apply(REFRESH)


@pytest.mark.parametrize("name, done", [
    ("in another episode", attempt(REFRESH, 90 * MINUTE, episode="E-0")),
    ("for another fault", attempt(REFRESH, 90 * MINUTE, fault=Fault.LINK_PARTIAL)),
    ("as a shadow", attempt(REFRESH, 90 * MINUTE, shadow=True)),
])
def test_what_was_tried_elsewhere_strikes_nothing_off(name: str, done: Attempt) -> None:
    assert short(decided(LINK, done)) == apply(REFRESH), name


def test_one_managers_attempts_are_not_anothers() -> None:
    drm = attempt(MANAGER, 90 * MINUTE, fault=Fault.MANAGER_DOWN, subject="IBM.DRM")

    assert short(decided(finding(Fault.MANAGER_DOWN, "IBM.MgmtDomainRM"), drm)) == apply(MANAGER)
    assert short(decided(finding(Fault.MANAGER_DOWN, "IBM.DRM"), drm)) == apply(RECYCLE)


def test_to_finish_an_interrupted_remedy_strikes_nothing_off() -> None:
    assert short(decided(DOWN, attempt(START, 90 * MINUTE, fault=Fault.RMC_DOWN, by="finish"))) == apply(START)
    assert short(decided(DOWN, attempt(START, 90 * MINUTE, fault=Fault.RMC_DOWN))) == apply(RECYCLE)


def test_start_and_recycle_take_turns_within_their_budgets_until_both_are_spent() -> None:
    done: List[Attempt] = []
    order: List[str] = []
    now = NOON
    for _ in range(40):
        decision = decided(DOWN, *done, now=now, seen=plain(rmc="down", taken_at=now, fresh=False))
        if decision.kind is Kind.ESCALATE:
            break
        if decision.kind is Kind.APPLY:
            order.append(str(decision.remedy and decision.remedy.value))
            done.append(replace(attempt(decision.remedy or START, fault=Fault.RMC_DOWN), begun_at=now, ended_at=now))
        now += 31 * MINUTE

    assert order[:2] == ["start", "recycle"]
    assert (order.count("start"), order.count("recycle"), decision.kind) == (6, 2, Kind.ESCALATE)


@pytest.mark.parametrize("outcome", [Outcome.HEALED, Outcome.UNCHANGED, Outcome.UNKNOWN])
@pytest.mark.parametrize("fault", [Fault.LINK_PENDING, Fault.IDENTITY_CLASH])
def test_recfgct_runs_once_an_episode_whatever_came_of_it(outcome: Outcome, fault: Fault) -> None:
    rich = policy(
        "remedies: {recfgct: {budget: 99/24h, cooldown: 1m, treats: [link-pending, identity-clash]}, recycle: {mode: off}}"
    )
    done = attempt(REFRESH, 4 * HOUR), attempt(RECYCLE, 3 * HOUR), attempt(RECFGCT, 2 * HOUR, outcome, fault=fault)

    decision = decided(finding(fault), *done, settings=rich)

    assert decision.remedy is not RECFGCT and decision.kind is not Kind.REFUSE


def test_an_interrupted_recfgct_may_be_tried_again() -> None:
    rich = policy("remedies: {recfgct: {budget: 99/24h}}")
    done = attempt(REFRESH, 4 * HOUR), attempt(RECYCLE, 3 * HOUR), attempt(RECFGCT, 2 * HOUR, Outcome.INTERRUPTED)

    assert short(decided(PENDING, *done, settings=rich)) == apply(RECFGCT)


def test_a_refresh_is_not_repeated_in_place_of_a_stronger_remedy_that_is_refused() -> None:
    in_a_cluster = with_fact(plain(), "cluster.caa", told("State of node:  UP"))

    first = decided(LINK, seen=in_a_cluster)
    then = decided(LINK, attempt(REFRESH, 90 * MINUTE), seen=in_a_cluster)

    assert short(first) == apply(REFRESH)
    assert short(then) == (Kind.REFUSE, RECYCLE)
    assert "CAA is active" in then.because and "clctrl -stop" in then.unblock


@pytest.mark.parametrize("subject, comes", [("IBM.DRM", Remedy.RECYCLE), ("sshd", None), ("cthags", None)])
def test_rmc_is_not_recycled_for_what_is_none_of_its_managers(subject: str, comes: Optional[Remedy]) -> None:
    """`expect.subsystems` may require anything; the manager remedy is off here, and counts as tried."""
    decision = decided(finding(Fault.MANAGER_DOWN, subject), settings=policy("remedies: {manager: {mode: off}}"))

    assert (decision.remedy if decision.kind is Kind.APPLY else None) is comes


def test_refresh_is_repeated_where_nothing_else_treats_the_fault() -> None:
    partial = finding(Fault.LINK_PARTIAL)

    assert short(decided(partial, attempt(REFRESH, 90 * MINUTE, fault=Fault.LINK_PARTIAL))) == apply(REFRESH)


# -- budgets, exhaustion, refusals


def test_cooldown_is_waited_for() -> None:
    decision = decided(finding(Fault.LINK_PARTIAL), attempt(REFRESH, 10 * MINUTE, fault=Fault.LINK_PARTIAL))

    assert short(decision) == (Kind.WAIT, REFRESH) and decision.until == NOON + 6 * MINUTE


def test_spent_budgets_escalate_and_say_when_there_is_more() -> None:
    partial = finding(Fault.LINK_PARTIAL)

    decision = decided(partial, *(replace(one, fault=Fault.LINK_PARTIAL, outcome=Outcome.HEALED) for one in SPENT))

    assert (decision.kind, decision.until) == (Kind.ESCALATE, NOON + 11 * HOUR)
    assert decision.because == "nothing is left for link-partial: refresh was begun 12 times in 24 h" and decision.unblock
    assert [refusal.guard for refusal in decision.refused_by] == ["budget"]


def test_a_spent_budget_counts_as_tried_so_the_next_rung_is_taken() -> None:
    assert short(decided(LINK, *(replace(one, episode="E-0") for one in SPENT))) == apply(RECYCLE)


def test_after_the_last_rung_a_human_is_needed() -> None:
    done = attempt(REFRESH, 4 * HOUR), attempt(RECYCLE, 3 * HOUR), attempt(RECYCLE, 2 * HOUR), attempt(RECFGCT, HOUR)

    decision = decided(PENDING, *done, *SPENT)

    assert decision.kind is Kind.ESCALATE and decision.unblock


ALL_OFF = policy("remedies: {start: {mode: off}, recycle: {mode: off}}")
TWICE_STARTED = policy("remedies: {start: {budget: 2/24h}, recycle: {mode: off}}")
TWICE_REHEARSED = policy("mode: shadow\nremedies: {start: {budget: 2/24h}, recycle: {mode: off}}")
STARTED = (attempt(START, 3 * HOUR, fault=Fault.RMC_DOWN), attempt(START, 2 * HOUR, fault=Fault.RMC_DOWN))
REHEARSED = tuple(replace(one, shadow=True) for one in STARTED)


@pytest.mark.parametrize("settings, past, because", [
    (ALL_OFF, {}, "all its remedies are switched off (start, recycle)"),
    (TWICE_STARTED, {"attempts": STARTED},
     "nothing is left for rmc-down: start was begun twice in 24 h; recycle is switched off"),
    (TWICE_REHEARSED, {"attempts": REHEARSED},
     "nothing is left for rmc-down: start would have been begun twice in 24 h; recycle is switched off"),
    (ANYTHING, {"spent_at": NOON - HOUR},
     "nothing is left for rmc-down: the ledger was lost, so every budget counts as spent"),
])
def test_what_ended_each_rung_is_said_and_never_that_one_was_tried_where_none_was(
    settings: Settings, past: Any, because: str
) -> None:
    decision = decide(plain(rmc="down"), (DOWN,), replace(history(found=(DOWN,)), **past), settings, NOON)[0]

    assert (decision.kind, decision.because) == (Kind.ESCALATE, because)


def test_a_remedy_that_is_not_repeated_is_told_as_tried_and_in_shadow_only_where_it_was() -> None:
    refreshed = attempt(REFRESH, 90 * MINUTE, fault=Fault.LINK_PENDING)
    off = "remedies: {recycle: {mode: off}, recfgct: {mode: off}}"

    def because(settings: str, shadow: bool) -> str:
        done = tuple(replace(refreshed, shadow=shadow, begun_at=NOON - hours * HOUR) for hours in (2, 3, 4))
        return decided(PENDING, *done, settings=policy(settings)).because

    assert "refresh was tried 3 times; recycle is switched off" in because(off, shadow=False)
    assert "refresh was tried 3 times, in shadow only; recycle" in because(f"mode: shadow\n{off}", shadow=True)


def test_once_recycle_changed_nothing_and_the_rest_is_forbidden_for_good_a_human_is_needed() -> None:
    at_rest = with_fact(plain(), "cluster.caavg", told("hdisk2"))
    allowed = policy("remedies: {recycle: {in_cluster: allow}, recfgct: {treats: [link-pending]}}")
    tried = (attempt(REFRESH, 4 * HOUR, fault=Fault.LINK_PENDING),)

    before = decided(PENDING, *tried, seen=at_rest, settings=allowed)
    after = [decided(PENDING, *tried, *(attempt(RECYCLE, hours * HOUR, fault=Fault.LINK_PENDING) for hours in done), seen=at_rest,
                     settings=allowed) for done in ((0.4,), (2, 3))]

    assert before.kind in (Kind.REFUSE, Kind.APPLY) and before.kind is not Kind.ESCALATE
    assert [decision.kind for decision in after] == [Kind.ESCALATE, Kind.ESCALATE]
    assert after[1].because.startswith("recycle was tried twice and changed nothing; recfgct is held: CAA is configured")
    assert "clctrl" in after[1].unblock and "cluster" in [refusal.guard for refusal in after[1].refused_by]


def test_what_could_only_not_be_told_is_no_reason_to_call_a_human_though_recycle_changed_nothing() -> None:
    tried = (attempt(REFRESH, 4 * HOUR, fault=Fault.LINK_PENDING), attempt(RECYCLE, 25 * MINUTE, fault=Fault.LINK_PENDING))
    full = plain(var=told(Space("/var", 100, 1)))

    untold = [decided(PENDING, *tried, seen=with_fact(plain(), where, gap())) for where in ("cluster.peer_domains", "subsystems")]

    assert [decision.kind for decision in (*untold, decided(PENDING, *tried, seen=full))] == [Kind.REFUSE] * 3


def test_in_a_cluster_what_is_harmless_comes_before_the_procedure() -> None:
    in_a_cluster = with_fact(plain(), "cluster.caa", told("State of node:  UP"))
    advised = finding(Fault.LINK_DOWN, advice="on the HMC, see what lspartition -dlpar says")

    decision = decided(advised, attempt(REFRESH, 90 * MINUTE), seen=in_a_cluster)

    assert decision.unblock.startswith(f"{advised.advice}; only if that does not help: at a change window")


def test_advice_that_is_the_procedure_is_not_told_twice() -> None:
    in_a_cluster = with_fact(plain(), "cluster.caa", told("State of node:  UP"))
    procedure = cluster.refusals(RECFGCT, in_a_cluster, history(), ANYTHING, NOON)[0].unblock
    clash = finding(Fault.IDENTITY_CLASH, advice=f"{procedure}; recfgct -s keeps the id")

    assert decided(clash, seen=in_a_cluster).unblock == procedure


@pytest.mark.parametrize(
    "where, fact, guard",
    [
        ("cluster.caa", told("State of node:  UP"), "cluster"),
        ("cluster.caa", gap(), "cluster"),
        ("busy.migration", gap(), "migration"),
        ("var", told(Space("/var", 100, 1)), "var-full"),
    ],
)
def test_a_lasting_reason_refuses_and_says_what_would_unblock_it(where: str, fact: Fact[Any], guard: str) -> None:
    decision = decided(HUNG, seen=with_fact(plain(rmc="hung"), where, fact))

    assert short(decision) == (Kind.REFUSE, RECYCLE)
    assert guard in [refusal.guard for refusal in decision.refused_by] and decision.unblock
    assert decision.because.startswith("recycle is held: ")


def test_a_refusal_does_not_wait_for_the_grace() -> None:
    decision = decided(HUNG, seen=with_fact(plain(rmc="hung"), "cluster.caa", told("State of node:  UP")), since=SECOND)

    assert decision.kind is Kind.REFUSE


def test_a_reason_that_passes_is_waited_for() -> None:
    paused = decided(LINK, pause=Pause(NOON + HOUR, "SAN work"))
    maintained = decided(LINK, seen=plain(maintenance=True))

    assert (short(paused), paused.until, paused.unblock) == ((Kind.WAIT, REFRESH), NOON + HOUR, "rmcagent resume")
    assert short(maintained) == (Kind.WAIT, REFRESH) and "maintenance" in maintained.because


def test_all_reasons_are_told_not_only_those_that_last() -> None:
    seen = with_fact(plain(rmc="hung", maintenance=True), "cluster.caa", told("State of node:  UP"))

    guards = [refusal.guard for refusal in decided(HUNG, seen=seen, pause=Pause(NOON + HOUR, "SAN work")).refused_by]

    assert guards == ["paused", "maintenance", "cluster"]


def test_a_forbidden_rung_is_passed_over_and_reported_when_nothing_else_is_left() -> None:
    """recycle is refused for a connected HMC; the manager is started again and again, within its budget."""
    drm = finding(Fault.MANAGER_DOWN, "IBM.DRM")
    tried = attempt(MANAGER, HOUR, fault=Fault.MANAGER_DOWN, subject="IBM.DRM")
    spent = tuple(
        replace(tried, begun_at=NOON - timedelta(hours=number), ended_at=NOON - timedelta(hours=number)) for number in range(2, 8)
    )

    again = decided(drm, tried, seen=plain(link=Link.UP))
    nothing_left = decided(drm, *spent, seen=plain(link=Link.UP))

    assert short(again) == apply(MANAGER)
    assert short(nothing_left) == (Kind.REFUSE, RECYCLE) and [refusal.guard for refusal in nothing_left.refused_by] == [
        "hmc-connected"
    ]


def test_while_a_gentler_remedy_cools_down_the_refused_stronger_one_is_what_is_told() -> None:
    drm = finding(Fault.MANAGER_DOWN, "IBM.DRM")
    cooling = attempt(MANAGER, 5 * MINUTE, fault=Fault.MANAGER_DOWN, subject="IBM.DRM")

    assert short(decided(drm, cooling, seen=plain(link=Link.UP))) == (Kind.REFUSE, RECYCLE)


def test_an_escalation_tells_the_first_moment_at_which_there_is_more() -> None:
    starts = tuple(attempt(START, timedelta(hours=number), fault=Fault.RMC_DOWN) for number in range(2, 8))
    recycles = attempt(RECYCLE, 23 * HOUR, fault=Fault.RMC_DOWN), attempt(RECYCLE, 3 * HOUR, fault=Fault.RMC_DOWN)

    decision = decided(DOWN, *starts, *recycles)

    assert (decision.kind, decision.until) == (Kind.ESCALATE, NOON + HOUR)


@pytest.mark.parametrize("fault", [fault for fault in Fault if not LADDER[fault]], ids=lambda fault: fault.value)
def test_a_fault_without_a_remedy_is_a_humans(fault: Fault) -> None:
    decision = decided(finding(fault, side=Side.NETWORK, advice="look there"))

    assert (decision.kind, decision.remedy, decision.unblock) == (Kind.ESCALATE, None, "look there")


# -- one at a time


def test_only_one_remedy_is_begun_at_a_time_and_the_gravest_goes_first() -> None:
    drm, manager = finding(Fault.MANAGER_DOWN, "IBM.DRM"), finding(Fault.MANAGER_DOWN, "IBM.MgmtDomainRM")

    first, second = decide(plain(), (drm, manager), history(found=(drm, manager)), ANYTHING, NOON)

    assert (short(first), first.finding) == (apply(MANAGER), drm)
    assert (short(second), second.because, second.finding) == ((Kind.WAIT, MANAGER), "one remedy at a time", manager)


def test_a_finding_that_waits_holds_no_other_back() -> None:
    full = finding(Fault.VAR_FULL, advice="free space")

    first, second = decide(plain(), (full, LINK), history(found=(full, LINK)), ANYTHING, NOON)

    assert (first.kind, short(second)) == (Kind.ESCALATE, apply(REFRESH))


def test_what_is_under_way_is_waited_for_by_every_finding() -> None:
    under_way = attempt(START, MINUTE, None, Fault.RMC_DOWN, id=7, ended_at=None)

    first, second = decide(plain(), (LINK, DOWN), history(under_way, found=(LINK, DOWN)), ANYTHING, NOON)

    assert (first.kind, first.attempt, first.finding, first.until) == (Kind.WAIT, 7, DOWN, None)
    assert (second.kind, second.finding, second.remedy) == (Kind.WAIT, LINK, None)
    assert "under way" in first.because and "comes first" in second.because


def test_a_changing_command_past_its_time_is_told_and_waited_for() -> None:
    under_way = attempt(RECYCLE, 10 * MINUTE, None, id=7, ended_at=None)

    decision = decided(LINK, under_way, late="rmcctrl -z")

    assert (decision.kind, decision.attempt) == (Kind.ESCALATE, 7)
    assert "rmcctrl -z" in decision.because and "not killed" in decision.because and decision.unblock
    assert verdict(plain(), (LINK,), (decision,), history(under_way), ANYTHING, NOON) == ("needs-human", decision.because)


def test_what_has_ended_settles_before_it_is_judged() -> None:
    done = attempt(RECYCLE, 12 * MINUTE, None, id=7)

    settling = decided(LINK, done, now=NOON + MINUTE - SECOND)
    settled = decided(LINK, done, now=NOON + MINUTE)

    assert (short(settling), settling.until, settling.attempt) == ((Kind.WAIT, RECYCLE), NOON + MINUTE, 7)
    assert (short(settled), settled.attempt) == ((Kind.JUDGE, RECYCLE), 7)


@pytest.mark.parametrize("found", [(), (DOWN,)])
def test_an_attempt_is_judged_though_its_fault_is_gone(found: Tuple[Finding, ...]) -> None:
    decisions = decide(plain(), found, history(attempt(RECYCLE, HOUR, None, id=7), found=found), ANYTHING, NOON)

    assert (decisions[0].kind, decisions[0].attempt, decisions[0].finding) == (Kind.JUDGE, 7, None)
    assert [short(decision) for decision in decisions[1:]] == [(Kind.WAIT, None)] * len(found)


# -- modes


@pytest.mark.parametrize("found", [LINK, DOWN, HUNG, PENDING], ids=lambda found: found.key)
@pytest.mark.parametrize("tried", range(3))
def test_off_is_absolute(found: Finding, tried: int) -> None:
    all_off = policy("remedies: {" + ", ".join(f"{remedy.value}: {{mode: off}}" for remedy in Remedy) + "}")
    done = tuple(attempt(remedy, HOUR, fault=found.fault) for remedy in LADDER[found.fault][:tried])

    decision = decided(found, *done, settings=all_off)

    assert decision.kind is Kind.ESCALATE and {refusal.guard for refusal in decision.refused_by} <= {"off", "order", "rmc-silent"}


def test_a_remedy_that_is_off_counts_as_tried() -> None:
    assert short(decided(LINK, settings=policy("remedies: {refresh: {mode: off}}"))) == apply(RECYCLE)


def test_an_observer_begins_nothing_and_says_so() -> None:
    decision = decided(DOWN, settings=policy("mode: observe"))

    assert decision.kind is Kind.REFUSE and (decision.unblock, decision.refused_by[0].guard) == ("mode: act", "observe")


def test_a_shadow_decides_as_if_it_acted() -> None:
    decision = decided(LINK, settings=SHADOW)

    assert short(decision) == apply(REFRESH) and decision.shadow
    assert not decided(LINK).shadow


def test_a_shadow_climbs_the_ladder_by_its_own_attempts() -> None:
    shadow = attempt(REFRESH, 90 * MINUTE, shadow=True)

    assert short(decided(LINK, shadow, settings=SHADOW)) == apply(RECYCLE)
    assert short(decided(LINK, attempt(REFRESH, 90 * MINUTE), settings=SHADOW)) == apply(REFRESH)


def test_a_shadow_that_settles_holds_back_its_own_finding_and_no_other() -> None:
    one_shadow = policy("remedies: {refresh: {mode: shadow}}")
    settling = attempt(REFRESH, 2 * MINUTE, None, shadow=True, id=7)

    alone = decided(LINK, settling, settings=one_shadow)
    beside = decide(plain(rmc="down"), (DOWN,), history(settling, found=(DOWN,)), one_shadow, NOON)
    both = decide(plain(), (finding(Fault.MANAGER_DOWN, "IBM.DRM"), LINK),
                  history(settling, found=(finding(Fault.MANAGER_DOWN, "IBM.DRM"), LINK)), one_shadow, NOON)

    assert (alone.kind, alone.attempt, alone.shadow) == (Kind.WAIT, 7, True)
    assert [short(decision) for decision in beside] == [apply(START)]
    assert [decision.kind for decision in both] == [Kind.APPLY, Kind.WAIT]


def test_never_two_deeds_in_one_turn_even_where_one_is_to_judge_a_shadow() -> None:
    one_shadow = policy("remedies: {refresh: {mode: shadow}}")
    settled = attempt(REFRESH, HOUR, None, shadow=True)
    drm = finding(Fault.MANAGER_DOWN, "IBM.DRM")

    decisions = decide(plain(), (drm, LINK), history(settled, found=(drm, LINK)), one_shadow, NOON)

    assert [decision.kind for decision in decisions] == [Kind.APPLY, Kind.WAIT]


# -- faults with a temper of their own


def test_where_reachability_could_not_be_asked_only_refresh_is_tried() -> None:
    not_asked = with_hmcs(plain(), hmc(Link.DOWN, reachable=None))

    assert short(decided(LINK, seen=not_asked)) == apply(REFRESH)
    assert short(decided(LINK, attempt(REFRESH, 90 * MINUTE), seen=not_asked)) == apply(REFRESH)
    assert decided(LINK, *SPENT, seen=not_asked).kind is Kind.ESCALATE


def test_a_link_partial_never_comes_to_more_than_a_refresh() -> None:
    partial = finding(Fault.LINK_PARTIAL)
    seen = with_hmcs(plain(), hmc(Link.UP), hmc(Link.DOWN, HMC2))
    done: Tuple[Attempt, ...] = ()

    for number in range(14):
        decision = decided(partial, *done, seen=seen)
        assert decision.remedy in (REFRESH, None)
        done = (*done, attempt(REFRESH, timedelta(hours=1 + number), fault=Fault.LINK_PARTIAL))

    assert decision.kind is Kind.ESCALATE


def test_a_log_storm_beside_a_connected_hmc_is_only_reported() -> None:
    decision = decided(STORM, seen=plain(link=Link.UP))

    assert (decision.kind, decision.remedy, decision.unblock) == (Kind.ESCALATE, None, "read the log")


def test_a_log_storm_of_a_network_that_is_down_is_only_reported() -> None:
    decision = decided(replace(STORM, side=Side.NETWORK))

    assert (decision.kind, decision.remedy) == (Kind.ESCALATE, None)


def test_a_log_storm_without_an_hmc_is_recycled() -> None:
    assert short(decided(STORM)) == apply(RECYCLE)


def test_a_log_storm_is_not_recycled_where_a_connection_could_not_be_ruled_out() -> None:
    assert decided(STORM, seen=plain(status=gap(), hmcs=(hmc(Link.UNKNOWN),))).kind is Kind.REFUSE


def test_what_an_operator_stopped_is_started_after_a_long_while_or_never() -> None:
    never = policy("remedies: {start: {after_stop: never}}")

    assert short(decided(STOPPED)) == apply(START)
    decision = decided(STOPPED, settings=never)
    assert (decision.kind, decision.unblock) == (Kind.ESCALATE, "start it: rmcctrl -A")
    assert decision.because == "an operator stopped RMC; the policy never starts it again"


def test_what_an_operator_stopped_is_never_recycled() -> None:
    done = attempt(START, 90 * MINUTE, fault=Fault.RMC_STOPPED)

    assert short(decided(STOPPED, done)) == apply(START)


# -- blind, or nothing wrong


def test_nothing_wrong_is_rest() -> None:
    assert decide(plain(link=Link.UP), (), history(), ANYTHING, NOON) == (Decision(Kind.REST, "nothing is wrong"),)


def test_blind_is_rest_and_says_what_could_not_be_told() -> None:
    seen = plain(subsystems=gap(), gaps=(Gap("lssrc-a", "timed out after 20 s"),))

    (decision,) = decide(seen, (), history(blind_since=NOON - MINUTE), ANYTHING, NOON)

    assert (decision.kind, decision.because) == (Kind.REST, "could not tell: lssrc-a: timed out after 20 s")


@pytest.mark.parametrize("about, because, words", [
    ("lssrc-a", "cannot read lssrc-a: it did not end in time", "lssrc -a did not end in time"),
    ("rmcdomainstatus-s-ctrmc", "cannot read rmcdomainstatus-s-ctrmc: line 3 is odd", "rmcdomainstatus -s ctrmc: line 3 is odd"),
    ("lssrc-ls-mcproxy", "cannot read lssrc-ls-mcproxy: it was cut", "lssrc -ls mcproxy was cut"),
    ("lsrsrc-IBM.MCP", "cannot read lsrsrc-IBM.MCP: it did not end in time", "lsrsrc IBM.MCP did not end in time"),
    ("hmc-a", "rmcdomainstatus does not show it", "hmc-a: rmcdomainstatus does not show it"),
])
def test_what_could_not_be_told_is_told_once_and_with_the_command_as_it_is_typed(about: str, because: str, words: str) -> None:
    assert gaps_told(plain(gaps=(Gap(about, because),))) == words


@pytest.mark.parametrize(
    "found", [finding(fault, "IBM.DRM" if fault is Fault.MANAGER_DOWN else "") for fault in Fault], ids=lambda found: found.key
)
@pytest.mark.parametrize("settings", [ANYTHING, SHADOW])
def test_without_lssrc_nothing_is_begun_whatever_else_is_seen(found: Finding, settings: Settings) -> None:
    for past in (history(found=(found,)), history(attempt(REFRESH), attempt(START), attempt(RECYCLE), found=(found,))):
        for seen in (
            plain(subsystems=gap()),
            plain(subsystems=unasked(), fresh=False),
            with_state(plain(fresh=False), "ctrmc", State.UNKNOWN),
        ):
            assert decide(seen, (found,), past, settings, NOON)[0].kind is not Kind.APPLY


# -- why


def test_why_says_how_often_a_rung_was_tried() -> None:
    tried, untried, _ = alternatives(PENDING, plain(), history(attempt(REFRESH), found=(PENDING,)), DEFAULTS, NOON)

    assert tried.because.startswith("tried before and judged unchanged (1); ") and not untried.because.startswith("tried")


def test_why_shows_each_rung_by_itself() -> None:
    seen = with_fact(plain(), "cluster.caa", told("State of node:  UP"))

    shown = alternatives(PENDING, seen, history(found=(PENDING,)), DEFAULTS, NOON)

    assert [short(decision) for decision in shown] == [apply(REFRESH), (Kind.REFUSE, RECYCLE), (Kind.REFUSE, RECFGCT)]
    assert [refusal.guard for refusal in shown[2].refused_by] == ["cluster", "order"]


# -- the word for status


BLIND = plain(subsystems=gap(), gaps=(Gap("lssrc-a", "timed out"),))
WAITS = (Decision(Kind.WAIT, "refresh is next", LINK, REFRESH),)
REFUSED = (Decision(Kind.REFUSE, "recycle is held", LINK, RECYCLE),)
BEGUN = (Decision(Kind.APPLY, "refresh is due", LINK, REFRESH),)
RESTS = (Decision(Kind.REST, "nothing is wrong"),)
PAUSE = Pause(NOON + HOUR, "SAN work")


def word(
    seen: Optional[Snapshot] = None, found: Tuple[Finding, ...] = (), decisions: Tuple[Decision, ...] = RESTS, **past: Any
) -> str:
    return verdict(seen or plain(link=Link.UP), found, decisions, history(**past), DEFAULTS, NOON)[0]


def test_before_the_first_look_the_word_is_unknown() -> None:
    assert verdict(None, (), RESTS, history(), DEFAULTS, NOON) == ("unknown", "no look has been completed yet")


def test_healthy_says_whether_an_hmc_is_connected() -> None:
    assert verdict(plain(link=Link.UP), (), RESTS, history(), DEFAULTS, NOON) == (
        "healthy",
        "RMC runs and its management connection works",
    )
    assert verdict(plain(hmcs=()), (), RESTS, history(), DEFAULTS, NOON) == ("healthy", "RMC runs; no HMC manages it")


@pytest.mark.parametrize("state", [State.STARTING, State.STOPPING, State.UNKNOWN, State.INOPERATIVE, None])
def test_nothing_found_is_not_healthy_while_ctrmc_does_not_run(state: Optional[State]) -> None:
    assert word(with_state(plain(link=Link.UP), "ctrmc", state)) == "unknown"


def test_the_first_that_matches_is_the_word() -> None:
    assert word(BLIND, pause=PAUSE, blind_since=NOON - MINUTE) == "unknown"
    assert word(BLIND, pause=PAUSE, blind_since=NOON - 10 * MINUTE) == "blind"
    assert word(found=(LINK,), decisions=REFUSED, pause=PAUSE) == "paused"
    assert word(found=(DOWN, LINK), decisions=BEGUN + REFUSED) == "needs-human"
    assert word(found=(DOWN, LINK), decisions=WAITS + BEGUN) == "healing"
    assert word(found=(LINK,), decisions=WAITS) == "degraded"
    assert word() == "healthy"


def test_only_a_hung_rmc_explains_that_little_can_be_told() -> None:
    assert word(plain(rmc="hung"), (HUNG,), BEGUN, blind_since=NOON - HOUR) == "healing"
    assert word(plain(rmc="hung"), (LINK,), WAITS, blind_since=NOON - HOUR) == "blind"
    assert word(plain(rmc="hung"), (LINK,), REFUSED, blind_since=NOON - MINUTE) == "unknown"


def test_a_pause_that_is_over_is_no_word() -> None:
    assert word(found=(LINK,), decisions=WAITS, pause=Pause(NOON, "SAN work")) == "degraded"


@pytest.mark.parametrize("decision, expected", [
    (Decision(Kind.JUDGE, "settled", LINK, REFRESH, attempt=1), "healing"),
    (Decision(Kind.WAIT, "settles", LINK, REFRESH, attempt=1), "healing"),
    (Decision(Kind.WAIT, "settles", LINK, REFRESH, attempt=1, shadow=True), "degraded"),
    (Decision(Kind.APPLY, "due", LINK, REFRESH, shadow=True), "degraded"),
    (Decision(Kind.ESCALATE, "spent", LINK), "needs-human"),
])
def test_to_wait_for_ones_own_deed_is_healing_and_a_shadow_heals_nothing(decision: Decision, expected: str) -> None:
    assert word(found=(LINK,), decisions=(decision,)) == expected


@pytest.mark.parametrize("kind", [Kind.ESCALATE, Kind.REFUSE])
def test_what_is_worth_a_warning_only_needs_no_human_at_night(kind: Kind) -> None:
    mild = finding(Fault.LINK_PARTIAL, grave=False)

    assert word(found=(mild,), decisions=(Decision(kind, "no remedy", mild),)) == "degraded"
    assert word(found=(mild, LINK), decisions=(Decision(kind, "no remedy", mild), Decision(kind, "spent", LINK))) == "needs-human"
    assert word(found=(mild, LINK), decisions=(Decision(kind, "no remedy", mild), *BEGUN)) == "healing"
    assert word(found=(mild,), decisions=(Decision(kind, "rmcctrl -z hangs", mild, attempt=1),)) == "needs-human"


def test_every_word_comes_with_a_sentence() -> None:
    for seen, found, decisions, past in (
        (BLIND, (), RESTS, history(blind_since=NOON)),
        (plain(), (LINK,), REFUSED, history()),
        (plain(), (LINK,), WAITS, history()),
        (plain(subsystems=unasked()), (), RESTS, history()),
    ):
        assert verdict(seen, found, decisions, past, DEFAULTS, NOON)[1]


# -- nothing dangerous without a proof: the oracle is written from section 6's text, not from the code


MAYBE = ("as it is", "gap", "unreadable", "unasked", "missing", "old")
ASKED = (
    "subsystems",
    "status",
    "mcp",
    "servers",
    "in_band",
    "var",
    "cluster.ct_cluster",
    "cluster.peer_domains",
    "cluster.caa",
    "cluster.caavg",
    "cluster.powerha",
    "cluster.powerha_odm",
    "cluster.ssp",
    "busy.migration",
    "busy.processes",
)


def spoilt(seen: Snapshot, where: str, how: str) -> Snapshot:
    if how == "old" and fact_of(seen, where).seen:
        return with_fact(seen, where, replace(fact_of(seen, where), at=NOON - 90 * SECOND))
    changed = {"gap": gap(), "unreadable": gap("garbled", timed_out=False), "unasked": unasked(), "missing": missing()}.get(how)
    return with_fact(seen, where, changed) if changed else seen


def table_allows(remedy: Remedy, fault: Fault, seen: Snapshot, past: History) -> bool:
    """Section 6, for looks that hold no objection: BLOCK forbids, then something must prove that there is no cluster."""

    def ended(where: str) -> str:
        fact = fact_of(seen, where)
        if fact.how is How.SEEN:
            return "told" if fact.at is not None and NOON - fact.at <= 60 * SECOND else "untold"
        return {How.MISSING: "missing", How.INAPPLICABLE: "cannot be"}.get(fact.how, "untold")

    def blocks(where: str, missing_blocks: bool, untold_blocks: bool) -> bool:
        return (ended(where) == "missing" and missing_blocks) or (ended(where) == "untold" and untold_blocks)

    rows_known = seen.subsystems.how is How.SEEN
    recfgct = remedy is RECFGCT
    lspv_of_this_boot = past.caavg_absent_at is not None and NOON - past.caavg_absent_at <= DAY
    peer_rows = not rows_known or "cthags" in (seen.subsystems.value or {}) or "IBM.RecoveryRM" in (seen.subsystems.value or {})
    dead_or_hung = fault in (Fault.RMC_DOWN, Fault.RMC_HUNG)
    if any(
        (
            blocks("subsystems", True, True),
            blocks("cluster.powerha", False, True),
            blocks("cluster.powerha_odm", False, True),
            blocks("cluster.peer_domains", peer_rows, recfgct),
            blocks("cluster.caa", False, True),
            blocks("cluster.caavg", seen.platform is not Platform.LINUX, recfgct or not lspv_of_this_boot),
            blocks("cluster.ssp", seen.platform is Platform.VIOS, True),
            blocks("in_band", False, True),
            blocks("busy.migration", True, True),
            blocks("status", True, recfgct or not dead_or_hung),
        )
    ):
        return False
    if recfgct:
        active = (seen.subsystems.value or {})["ctrmc"].state is State.ACTIVE
        return active and ended("status") == "told" and ended("cluster.peer_domains") in ("told", "missing")
    earlier = past.domains_allowed_at is not None and NOON - past.domains_allowed_at <= 48 * HOUR
    return (
        (ended("cluster.ct_cluster") == "told" and seen.cluster.ct_cluster.value == "IW")
        or ended("cluster.peer_domains") in ("told", "missing")
        or earlier
    )


spoiling = st.dictionaries(st.sampled_from(ASKED), st.sampled_from(MAYBE), max_size=5)
vouching = st.sampled_from([None, NOON - HOUR, NOON - 30 * HOUR, NOON - 50 * HOUR])


@given(
    platform=st.sampled_from(PLATFORMS),
    rmc=st.sampled_from(RMC),
    climbing=st.booleans(),
    spoil=spoiling,
    lspv=vouching,
    domains=vouching,
    offline=st.booleans(),
)
@example(Platform.AIX, "healthy", False, {}, None, None, False)
@example(Platform.VIOS, "healthy", True, {}, None, None, False)
@example(Platform.LINUX, "down", False, {"cluster.ct_cluster": "old"}, None, None, False)
@example(Platform.AIX, "hung", False, {"cluster.ct_cluster": "old"}, None, NOON - HOUR, False)
@example(Platform.AIX, "hung", False, {"cluster.caavg": "gap"}, NOON - HOUR, None, False)
def test_recycle_and_recfgct_are_begun_exactly_where_the_table_allows_them(
    platform: Platform, rmc: str, climbing: bool, spoil: Any, lspv: Optional[datetime], domains: Optional[datetime], offline: bool
) -> None:
    seen = plain(platform, rmc)
    if offline and rmc == "healthy" and not climbing:
        seen = with_fact(seen, "cluster.peer_domains", told((PeerDomain("pd1", "Offline"),)))
    for where, how in spoil.items():
        seen = spoilt(seen, where, how)
    fault = {"healthy": Fault.LINK_DOWN, "down": Fault.RMC_DOWN, "hung": Fault.RMC_HUNG}[rmc]
    gentler = attempt(START if rmc == "down" else REFRESH, 90 * MINUTE, fault=fault)
    done = (gentler, attempt(RECYCLE, HOUR, fault=fault)) if climbing and rmc == "healthy" else (gentler,)
    past = history(*done, found=(finding(fault),), caavg_absent_at=lspv, domains_allowed_at=domains)

    (decision,) = decide(seen, (finding(fault),), past, ANYTHING, NOON)

    knows_the_rest = seen.busy.processes.how is How.SEEN and seen.var.how is How.SEEN
    wanted = RECFGCT if len(done) == 2 and table_allows(RECFGCT, fault, seen, past) else RECYCLE
    allowed = table_allows(wanted, fault, seen, past) and knows_the_rest
    if decision.kind is Kind.APPLY and decision.remedy in (RECYCLE, RECFGCT):
        assert table_allows(decision.remedy, fault, seen, past) and knows_the_rest
    assert (short(decision) == apply(wanted)) is allowed


@given(
    platform=st.sampled_from(PLATFORMS),
    rmc=st.sampled_from(RMC),
    everything=st.fixed_dictionaries({where: st.sampled_from(MAYBE) for where in ASKED}),
    found=st.sampled_from(Fault),
    tried=st.lists(st.sampled_from(Remedy), max_size=3),
    fresh=st.booleans(),
)
def test_nothing_dangerous_is_begun_in_a_fresh_look_against_the_table_for_any_fault(
        platform: Platform, rmc: str, everything: Any, found: Fault, tried: Any, fresh: bool) -> None:
    seen = plain(platform, rmc, fresh=fresh)
    for where, how in everything.items():
        seen = spoilt(seen, where, how)
    one = finding(found, "IBM.DRM" if found is Fault.MANAGER_DOWN else "")
    past = history(*(attempt(remedy, 4 * HOUR, fault=found) for remedy in tried), found=(one,))

    (decision,) = decide(seen, (one,), past, ANYTHING, NOON)

    if fresh and decision.kind is Kind.APPLY and decision.remedy in (RECYCLE, RECFGCT):
        assert table_allows(decision.remedy, found, seen, past)
    if decision.kind in (Kind.REFUSE, Kind.ESCALATE):
        assert decision.because and (decision.unblock or not LADDER[found])
    assert decision.remedy is None or decision.remedy in LADDER[found]


# -- identity faults


CLASH, CLONE = finding(Fault.IDENTITY_CLASH), finding(Fault.CLONED_NODE)


NO_UUID = told("")


def of_this_node(cluster0: Fact[Any] = NO_UUID, link: Link = Link.DOWN) -> Snapshot:
    return with_fact(plain(link=link), "standing.cluster0", cluster0)


def test_a_clash_is_treated_by_recfgct_and_a_copy_by_recycle_first() -> None:
    assert short(decided(CLASH, seen=of_this_node())) == apply(RECFGCT)
    assert short(decided(CLONE, seen=of_this_node())) == apply(RECYCLE)
    assert short(decided(CLONE, attempt(RECYCLE, fault=Fault.CLONED_NODE), seen=of_this_node())) == apply(RECFGCT)


@pytest.mark.parametrize("found", [CLASH, CLONE])
def test_with_an_hmc_connected_an_identity_fault_is_reported_only(found: Finding) -> None:
    beside = with_hmcs(of_this_node(), hmc(Link.UP), hmc(Link.DOWN, HMC2))

    reported = decided(found, seen=beside)

    assert (reported.kind, reported.treatable) == (Kind.ESCALATE, False)


def test_a_copy_whose_cluster_device_keeps_a_uuid_is_reported_only() -> None:
    assert decided(CLONE, seen=of_this_node(told("1602a950-e651"))).kind is Kind.ESCALATE


@pytest.mark.parametrize("untold", [gap(), unasked()])
def test_a_copy_whose_cluster_device_could_not_be_asked_gets_no_recfgct(untold: Fact[Any]) -> None:
    tried = attempt(RECYCLE, fault=Fault.CLONED_NODE)

    assert short(decided(CLONE, tried, seen=of_this_node(untold))) == apply(RECYCLE)
    assert short(decided(CLONE, tried, seen=of_this_node(missing()))) == apply(RECFGCT)


# -- what only the removal of a rule showed to be missing


def test_what_three_refreshes_did_not_mend_is_a_humans() -> None:
    disabled = finding(Fault.REMOTE_DISABLED)
    unchanged = [attempt(REFRESH, hours * HOUR, fault=Fault.REMOTE_DISABLED, id=hours) for hours in (4, 3, 2)]

    assert short(decided(disabled, *unchanged[:2])) == apply(REFRESH)
    assert decided(disabled, *unchanged).kind is Kind.ESCALATE


def test_what_has_no_remedy_here_is_told_though_another_fault_is_treated() -> None:
    full = finding(Fault.VAR_FULL, advice="free space in /var")
    under_way = attempt(START, MINUTE, None, Fault.RMC_DOWN, ended_at=None)

    first, second = decide(plain(), (full, DOWN), history(under_way, found=(full, DOWN)), ANYTHING, NOON)

    assert {(one.kind, one.finding) for one in (first, second)} == {(Kind.WAIT, DOWN), (Kind.ESCALATE, full)}


def test_an_attempt_tells_of_its_own_episode_since_an_hmc_was_up_or_of_a_day_beside_one() -> None:
    manager = finding(Fault.MANAGER_DOWN, "IBM.DRM")
    lost = attempt(REFRESH, 2 * DAY)
    of_a_manager = attempt(MANAGER, 23 * HOUR, fault=Fault.MANAGER_DOWN, subject="IBM.DRM")
    long_ago = attempt(REFRESH, 40 * DAY, fault=Fault.LINK_PARTIAL)

    def tell(found: Finding, one: Attempt, **past: Any) -> bool:
        return telling(found, history(one, **past), NOON) == (one,)

    assert tell(LINK, lost, last_up={HMC2: NOON - 3 * DAY}) and not tell(LINK, lost, last_up={HMC2: NOON - DAY})
    assert not tell(LINK, attempt(REFRESH, HOUR, episode="E-0"))
    assert tell(manager, of_a_manager) and not tell(manager, replace(of_a_manager, begun_at=NOON - 25 * HOUR))
    assert tell(finding(Fault.LINK_PARTIAL), long_ago)
