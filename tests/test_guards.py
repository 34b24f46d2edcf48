"""Reasons not to act: each holds and frees by itself, says why and what would unblock it; budgets, cooldowns, splay and order."""
from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, List, Mapping, Optional, Set, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmcagent.config import Budget
from rmcagent.model import (
    Attempt,
    BusyFacts,
    Episode,
    Fault,
    Link,
    LogGrowth,
    Outcome,
    Pause,
    Platform,
    Refusal,
    Remedy,
    Side,
    Space,
    State,
)
from rmcagent.partition.host import _names
from rmcagent.reason import guards
from rmcagent.reason.diagnose import diagnose
from rmcagent.reason.guards import GUARDS, Case, budget_left, grace_of, refusals, splay_of, splayed
from seen import (
    ANYTHING,
    DAY,
    HMC1,
    HMC2,
    HOUR,
    MINUTE,
    NOON,
    PLATFORMS,
    SECOND,
    attempt,
    case,
    finding,
    gap,
    history,
    hmc,
    missing,
    no_cluster,
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
EVERY_REMEDY = tuple(Remedy)
FOUND = finding()
WINDOWED = policy('remedies: {recycle: {window: "Sat,Sun 01:00-05:00"}}')
NO_SPLAY = policy("guards: {splay: 0s}")
LPARMGR_ACTS = policy("remedies: {lparmgr: {mode: act}}")
STORM = LogGrowth(120.0, (64 << 10) + 1, {"2613-021": 700}, {"2613-021/2610-415": 700}, "hmc")


def speaking(one: Case) -> Set[str]:
    return {refusal.guard for refusal in refusals(one)}


def spoken_by(name: str, one: Case) -> Tuple[Refusal, ...]:
    return {guard.__name__: guard for guard in GUARDS}[name](one)


def vitals(**changes: Any) -> Case:
    return case(seen=plain(vitals=replace(plain().vitals, **changes)))


def running(*names: str, remedy: Remedy = RECYCLE) -> Case:
    return case(remedy, seen=with_fact(plain(), "busy.processes", told(names)))


def remembering(*attempts: Attempt, remedy: Remedy = RECYCLE, settings: Any = ANYTHING, **changes: Any) -> Case:
    return case(remedy, past=history(*attempts, found=(FOUND,), **changes), settings=settings)


@dataclass(frozen=True)
class Held:
    """A case in which one guard speaks; `company` are the others that the same circumstance makes speak."""

    guard: str              # the function's name
    says: str               # the refusal's guard
    held: Case
    lasting: bool = False
    until: Optional[datetime] = None
    company: Tuple[str, ...] = ()


HELD = (
    Held("off", "off", case(settings=policy("remedies: {recycle: {mode: off}}")), lasting=True),
    Held("observing", "observe", case(settings=policy("mode: observe")), lasting=True),
    Held("not_root", "not-root", vitals(may_act=False), lasting=True),
    Held("wpar", "wpar", vitals(in_wpar=True), lasting=True),
    Held("paused", "paused", remembering(pause=Pause(NOON + SECOND, "SAN work")), until=NOON + SECOND),
    Held("maintenance", "maintenance", case(seen=plain(maintenance=True))),
    Held("window", "window", case(settings=WINDOWED)),
    Held("crash_loop", "crash-loop", remembering(crash_loop=True)),
    Held("stale", "stale", case(REFRESH, seen=plain(taken_at=NOON - 3 * MINUTE - 21 * SECOND))),
    Held("blind", "blind", case(REFRESH, seen=plain(subsystems=gap()))),
    Held("blind", "blind", case(REFRESH, seen=with_state(plain(), "ctrmc", State.UNKNOWN))),
    Held("blind", "blind", case(REFRESH, seen=with_state(plain(), "ctrmc", None))),
    Held("booting", "boot", remembering(booted_at=NOON - 10 * MINUTE + SECOND), until=NOON + SECOND),
    Held("in_transition", "transition", case(seen=with_state(plain(), "IBM.DRM", State.STARTING))),
    Held("in_transition", "transition", case(REFRESH, seen=with_state(plain(), "ctrmc", State.STOPPING))),
    *(
        Held("others_at_work", "busy", running("sshd", name))
        for name in ("rmcctrl", "recfgct", "forcerpoffline", "startrpdomain", "stoprpdomain", "clmgr")
    ),
    *(
        Held("others_at_work", "install", running("sshd", name))
        for name in ("installp", "geninstall", "emgr", "lvupdate", "rpm", "dnf")
    ),
    Held("others_at_work", "shutdown", running("shutdown")),
    Held("others_at_work", "busy", case(seen=with_fact(plain(), "busy.processes", gap()))),
    Held("others_at_work", "busy", case(seen=with_fact(plain(), "busy.processes", unasked()))),
    Held("others_at_work", "busy", case(REFRESH, seen=with_fact(plain(fresh=False), "busy.processes", gap()))),
    Held("migrating", "migration", case(seen=with_fact(plain(), "busy.migration", told("a migration started at 11:58")))),
    Held("migrating", "migration", case(seen=with_fact(plain(), "busy.migration", gap())), lasting=True),
    Held(
        "migrating", "migration", case(LPARMGR, seen=with_fact(plain(), "busy.migration", told("a migration started at 11:58")))
    ),
    Held("migrating", "migration", case(LPARMGR, seen=with_fact(plain(fresh=False), "busy.migration", gap())), lasting=True),
    Held("migrating", "migration", case(LPARMGR, seen=with_fact(plain(fresh=False), "busy.migration", unasked())), lasting=True),
    Held("migrating", "migration", case(LPARMGR, seen=with_fact(plain(fresh=False), "busy.migration", told("", NOON - HOUR))),
         lasting=True),
    Held("clustered", "cluster", case(seen=with_fact(plain(), "cluster.caa", told("State of node:  UP"))), lasting=True),
    Held("hmc_connected", "hmc-connected", case(found=finding(Fault.MANAGER_DOWN, "IBM.DRM"), seen=plain(link=Link.UP)),
         lasting=True),
    Held(
        "rmc_answers",
        "rmc-silent",
        case(RECFGCT, seen=with_fact(plain(), "status", gap())),
        lasting=True,
        company=("hmc-connected",),
    ),
    Held("rmc_answers", "rmc-silent", case(RECFGCT, seen=with_state(plain(), "ctrmc", State.INOPERATIVE)), lasting=True),
    Held("no_hmc_reachable", "no-hmc-reachable", case(seen=with_hmcs(plain(), hmc(Link.DOWN, reachable=False))), lasting=True,
         company=("hmc-back",)),
    Held("no_hmc_reachable", "no-hmc-reachable", case(seen=with_hmcs(plain(), hmc(Link.DOWN, reachable=None))), lasting=True,
         company=("hmc-back",)),
    Held("hmc_back", "hmc-back", remembering(answering_since={HMC1: NOON - 19 * MINUTE}), until=NOON + MINUTE),
    Held("hmc_back", "hmc-back", remembering(answering_since={}), until=NOON + 20 * MINUTE),
    Held("hmc_side", "hmc-side", case(seen=with_fact(plain(), "logs", told(STORM))), lasting=True),
    Held("hmc_side", "hmc-side", case(seen=with_fact(plain(), "logs", told(replace(STORM, noisy_bytes=1, var_full_in=HOUR)))),
         lasting=True),
    Held("var_full", "var-full", case(seen=plain(var=told(Space("/var", 1000, 30)))), lasting=True),
    Held("var_full", "var-full", case(seen=plain(var=gap()))),
    Held("order", "order", remembering(remedy=RECFGCT), lasting=True),
    Held("rehearsed", "rehearsed", case(settings=policy("remedies: {refresh: {mode: shadow}}")), lasting=True),
    Held("budget", "budget", remembering(attempt(RECYCLE, 23 * HOUR), attempt(RECYCLE, 2 * HOUR)), until=NOON + HOUR),
    Held("cooldown", "cooldown", remembering(attempt(RECYCLE, 30 * MINUTE)), until=NOON + MINUTE),
    Held("settling", "settle", remembering(attempt(REFRESH, 3 * MINUTE, outcome=None)), until=NOON + 4 * MINUTE),
)
EACH = pytest.mark.parametrize("one", HELD, ids=[f"{held.guard}-{number}" for number, held in enumerate(HELD)])


@pytest.mark.parametrize("remedy", [RECYCLE, RECFGCT, REFRESH, LPARMGR])
def test_nothing_speaks_where_nothing_holds(remedy: Remedy) -> None:
    assert (
        refusals(
            case(remedy, settings=replace(ANYTHING, remedies={**ANYTHING.remedies, "lparmgr": ANYTHING.remedies["manager"]}))
        )
        == ()
    )


@EACH
def test_each_guard_alone_holds(one: Held) -> None:
    spoken = spoken_by(one.guard, one.held)

    assert {refusal.guard for refusal in spoken} == {one.says}
    assert speaking(one.held) == {one.says, *one.company}


@EACH
def test_each_guard_says_why_what_would_unblock_it_and_until_when(one: Held) -> None:
    for refusal in spoken_by(one.guard, one.held):
        assert refusal.because and refusal.unblock
        assert (refusal.lasting, refusal.until) == (one.lasting, one.until)


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.value)
@EACH
def test_each_guard_holds_on_each_platform_with_its_reason_and_its_mend(one: Held, platform: Platform) -> None:
    facts = no_cluster(platform)
    if one.guard == "clustered":
        facts = replace(facts, caa=one.held.seen.cluster.caa)
    held = replace(one.held, seen=replace(one.held.seen, platform=platform, cluster=facts))

    spoken = refusals(held)

    assert {refusal.guard for refusal in spoken} == {one.says, *one.company}
    assert all(refusal.because and refusal.unblock for refusal in spoken)


def test_every_guard_there_is_is_held_above_in_its_order() -> None:
    names = list(dict.fromkeys(held.guard for held in HELD))

    assert names == [guard.__name__ for guard in GUARDS]


def test_all_of_them_speak_not_only_the_first() -> None:
    seen = with_fact(plain(maintenance=True, vitals=replace(plain().vitals, may_act=False), var=told(Space("/var", 1000, 3))),
                     "busy.processes", told(("clmgr", "dnf", "shutdown", "rmcctrl")))
    past = history(
        attempt(RECYCLE, 20 * MINUTE),
        attempt(RECYCLE, 15 * MINUTE),
        found=(FOUND,),
        pause=Pause(NOON + HOUR, "SAN work"),
        crash_loop=True,
    )

    spoken = refusals(case(seen=seen, past=past))

    assert [refusal.guard for refusal in spoken] == [
        "not-root", "paused", "maintenance", "crash-loop", "busy", "install", "shutdown", "var-full", "budget", "cooldown"]
    assert "clmgr, rmcctrl" in spoken[4].because


# -- which remedies a guard holds


ALWAYS = ("not_root", "wpar", "paused", "maintenance", "crash_loop", "booting", "others_at_work")


@pytest.mark.parametrize("remedy", EVERY_REMEDY)
@pytest.mark.parametrize(
    "one", [held for held in HELD if held.guard in ALWAYS and held.held.seen.fresh], ids=lambda held: held.guard
)
def test_these_hold_every_remedy_that_changes_anything(remedy: Remedy, one: Held) -> None:
    assert one.says in speaking(replace(one.held, remedy=remedy))


@pytest.mark.parametrize("remedy", [REFRESH, START, MANAGER])
@pytest.mark.parametrize(
    "one",
    [
        held
        for held in HELD
        if held.guard
        in (
            "migrating",
            "clustered",
            "hmc_connected",
            "no_hmc_reachable",
            "hmc_back",
            "hmc_side",
            "var_full",
            "order",
            "rmc_answers",
        )
    ],
    ids=lambda held: held.guard,
)
def test_what_only_recycle_and_recfgct_endanger_holds_no_gentler_remedy(remedy: Remedy, one: Held) -> None:
    assert spoken_by(one.guard, replace(one.held, remedy=remedy)) == ()


@pytest.mark.parametrize("name", ["no_hmc_reachable", "hmc_back"])
@pytest.mark.parametrize("fault", [Fault.RMC_DOWN, Fault.RMC_HUNG, Fault.MANAGER_DOWN])
def test_only_link_and_identity_faults_wait_for_an_hmc_that_answers(name: str, fault: Fault) -> None:
    held = next(one.held for one in HELD if one.guard == name)

    assert spoken_by(name, held) and spoken_by(name, replace(held, finding=finding(Fault.IDENTITY_CLASH)))
    assert spoken_by(name, replace(held, finding=finding(Fault.LPARMGR_STUCK), settings=LPARMGR_ACTS))
    assert spoken_by(name, replace(held, finding=finding(fault))) == ()


@pytest.mark.parametrize("name", ["no_hmc_reachable", "hmc_back"])
def test_the_noise_of_a_lost_hmc_is_no_better_reason_than_the_hmc(name: str) -> None:
    storm = replace(next(one.held for one in HELD if one.guard == name), finding=finding(Fault.LOG_STORM))

    assert spoken_by(name, storm)
    assert spoken_by(name, replace(storm, seen=replace(storm.seen, hmcs=()))) == ()


@pytest.mark.parametrize("remedy", [RECYCLE, RECFGCT])
@pytest.mark.parametrize("fault, holds", [
    (Fault.LINK_DOWN, True), (Fault.LINK_PENDING, True), (Fault.NO_HMC, True), (Fault.LPARMGR_STUCK, True),
    # RMC itself, or an identity that may be what the HMC cannot stand, is mended whatever the HMC says.
    (Fault.RMC_DOWN, False), (Fault.RMC_HUNG, False), (Fault.MANAGER_DOWN, False), (Fault.IDENTITY_CLASH, False),
    (Fault.CLONED_NODE, False),
])
def test_an_ill_hmc_holds_what_would_be_done_for_its_link(fault: Fault, holds: bool, remedy: Remedy) -> None:
    held = next(one.held for one in HELD if one.guard == "hmc_side")

    assert bool(spoken_by("hmc_side", replace(held, remedy=remedy, finding=finding(fault)))) is holds


@pytest.mark.parametrize("changes", [
    {"side": "network"}, {"side": "unknown"}, {"side": "here"}, {"noisy_bytes": 64 << 10}, {"noisy_bytes": 1, "var_full_in": DAY},
])
def test_an_hmc_is_ill_as_long_as_it_is_reported(changes: Mapping[str, Any]) -> None:
    seen = with_fact(plain(), "logs", told(replace(STORM, **changes)))

    assert spoken_by("hmc_side", case(seen=seen)) == spoken_by("hmc_side", case(seen=with_fact(plain(), "logs", gap()))) == ()
    assert not [one for one in diagnose(seen, history(), ANYTHING) if one.fault is Fault.HMC_SIDE]


def test_nobody_elses_transitions_concern_us() -> None:
    assert spoken_by("in_transition", case(seen=with_state(plain(), "sendmail", State.STARTING))) == ()
    assert spoken_by("in_transition", case(seen=with_state(plain(), "cthags", State.STOPPING)))
    assert spoken_by("in_transition", case(seen=with_state(plain(), "clstrmgrES", State.STARTING)))


def test_a_look_is_stale_only_after_three_looks_and_a_time_out() -> None:
    just_in_time = plain(taken_at=NOON - 3 * MINUTE - 20 * SECOND)

    assert spoken_by("stale", case(REFRESH, seen=just_in_time)) == ()


def test_commands_are_asked_for_only_between_decision_and_deed() -> None:
    seen = with_fact(with_fact(plain(fresh=False), "busy.processes", unasked()), "busy.migration", unasked())

    assert refusals(case(seen=seen)) == ()


def test_a_migration_that_could_not_be_asked_about_or_was_asked_long_ago_holds_at_the_moment_of_use() -> None:
    for fact in (gap(), missing(), unasked(), told("", NOON - 61 * SECOND)):
        assert spoken_by("migrating", case(seen=with_fact(plain(), "busy.migration", fact))), fact


@pytest.mark.parametrize("share_free, holds", [(31, False), (30, True), (0, True)])
def test_var_holds_from_the_share_that_the_policy_calls_full(share_free: int, holds: bool) -> None:
    assert bool(spoken_by("var_full", case(seen=plain(var=told(Space("/var", 1000, share_free)))))) is holds


# -- pauses and windows


def test_a_pause_ends_by_itself() -> None:
    assert speaking(remembering(pause=Pause(NOON, "SAN work"))) == set()


@pytest.mark.parametrize("local, opens", [
    (datetime(2026, 5, 2, 1, 0), True),        # a Saturday
    (datetime(2026, 5, 2, 4, 59), True),
    (datetime(2026, 5, 2, 5, 0), False),
    (datetime(2026, 5, 2, 0, 59), False),
    (datetime(2026, 5, 1, 2, 0), False),       # a Friday
    (None, False),
])
def test_a_window_is_asked_of_the_local_time_that_the_look_carries(local: Optional[datetime], opens: bool) -> None:
    held = case(seen=plain(local_time=local), settings=WINDOWED)

    assert (spoken_by("window", held) == ()) is opens


@pytest.mark.parametrize(
    "local, opens",
    [
        (datetime(2026, 5, 2, 23, 0), True),
        (datetime(2026, 5, 3, 4, 59), True),
        (datetime(2026, 5, 3, 5, 0), False),
        (datetime(2026, 5, 3, 23, 0), False),
    ],
)
def test_a_window_that_crosses_midnight_belongs_to_the_day_on_which_it_opens(local: datetime, opens: bool) -> None:
    over_night = policy('remedies: {recycle: {window: "Sat 22:00-05:00"}}')

    assert (spoken_by("window", case(seen=plain(local_time=local), settings=over_night)) == ()) is opens


def test_a_window_is_each_remedys_own() -> None:
    assert spoken_by("window", case(REFRESH, settings=WINDOWED)) == ()


# -- boot


def test_a_partition_without_an_uptime_has_booted_no_later_than_the_agent_started() -> None:
    young = replace(history(found=(FOUND,), booted_at=None), started_at=NOON - 9 * MINUTE)
    old = replace(young, started_at=NOON - 10 * MINUTE)

    assert [refusal.until for refusal in spoken_by("booting", case(past=young))] == [NOON + MINUTE]
    assert spoken_by("booting", case(past=old)) == ()


# -- an HMC that has come back


def test_the_hmc_that_has_answered_longest_counts() -> None:
    seen = with_hmcs(plain(), hmc(Link.DOWN), hmc(Link.DOWN, HMC2))

    lost_together = {HMC1: NOON - 5 * HOUR, HMC2: NOON - 5 * HOUR}
    back = {HMC1: NOON - MINUTE, HMC2: NOON - 20 * MINUTE}
    just_back = {HMC1: NOON - MINUTE, HMC2: NOON - 19 * MINUTE}

    one_is_long_back = case(seen=seen, past=history(found=(FOUND,), answering_since=back, last_up=lost_together))
    both_are_fresh = case(seen=seen, past=history(found=(FOUND,), answering_since=just_back, last_up=lost_together))

    assert spoken_by("hmc_back", one_is_long_back) == ()
    assert [refusal.until for refusal in spoken_by("hmc_back", both_are_fresh)] == [NOON + MINUTE]


def test_a_retired_hmc_that_still_answers_says_nothing_of_the_one_that_was_connected_until_now() -> None:
    seen = with_hmcs(plain(), hmc(Link.DOWN), hmc(Link.DOWN, HMC2))
    answering = {HMC1: NOON - MINUTE, HMC2: NOON - 5 * DAY}

    retired = history(found=(FOUND,), answering_since=answering, last_up={HMC1: NOON - HOUR, HMC2: NOON - 3 * HOUR - SECOND})
    together = history(found=(FOUND,), answering_since=answering, last_up={HMC1: NOON - HOUR, HMC2: NOON - 3 * HOUR})
    never_seen_up = history(found=(FOUND,), answering_since=answering, last_up={})

    assert [bool(spoken_by("hmc_back", case(seen=seen, past=past))) for past in (retired, together, never_seen_up)] == [
        True,
        False,
        False,
    ]


def test_recycle_waits_for_the_hmc_that_was_connected_last_though_another_answers() -> None:
    seen = with_hmcs(plain(), hmc(Link.DOWN, reachable=False), hmc(Link.DOWN, HMC2))
    past = history(found=(FOUND,), answering_since={HMC2: NOON - 5 * DAY}, last_up={HMC1: NOON - HOUR, HMC2: NOON - 30 * DAY})

    assert [refusal.guard for refusal in refusals(case(seen=seen, past=past))] == ["hmc-back"]


def test_drmgr_is_a_dlpar_operation_whatever_the_error_log_says() -> None:
    assert [refusal.guard for refusal in refusals(running("drmgr"))] == ["migration"]
    assert refusals(running("drmgr", remedy=REFRESH)) == ()


def test_a_streak_of_an_hmc_that_does_not_answer_now_counts_for_nothing() -> None:
    seen = with_hmcs(plain(), hmc(Link.DOWN), hmc(Link.DOWN, HMC2, reachable=False))
    past = history(found=(FOUND,), answering_since={HMC1: NOON - MINUTE, HMC2: NOON - 5 * HOUR})

    assert spoken_by("hmc_back", case(seen=seen, past=past))


# -- the order


def recfgct(*attempts: Attempt, fault: Fault = Fault.LINK_PENDING, settings: Any = ANYTHING) -> Case:
    found = finding(fault)
    return case(RECFGCT, found, past=history(*attempts, found=(found,)), settings=settings)


@pytest.mark.parametrize("fault", [Fault.LINK_DOWN, Fault.LINK_PENDING, Fault.NO_HMC])
def test_recfgct_comes_after_a_recycle_for_any_link_fault_that_changed_nothing_in_this_episode(fault: Fault) -> None:
    assert spoken_by("order", recfgct(attempt(RECYCLE, fault=fault))) == ()


@pytest.mark.parametrize("name, done", [
    ("nothing was tried", ()),
    ("only a refresh", (attempt(REFRESH),)),
    ("healed", (attempt(RECYCLE, outcome=Outcome.HEALED),)),
    ("could not be told", (attempt(RECYCLE, outcome=Outcome.UNKNOWN),)),
    ("interrupted", (attempt(RECYCLE, outcome=Outcome.INTERRUPTED),)),
    ("not judged yet", (attempt(RECYCLE, outcome=None),)),
    ("in an earlier episode", (attempt(RECYCLE, episode="E-0"),)),
    ("for another kind of fault", (attempt(RECYCLE, fault=Fault.RMC_HUNG),)),
    ("only a shadow", (attempt(RECYCLE, shadow=True),)),
    ("before an HMC was connected again", (attempt(RECYCLE, 6 * HOUR),)),
])
def test_no_other_history_lets_recfgct_come(name: str, done: Tuple[Attempt, ...]) -> None:
    assert [refusal.guard for refusal in spoken_by("order", recfgct(*done))] == ["order"], name


@pytest.mark.parametrize("fault", [Fault.IDENTITY_CLASH, Fault.CLONED_NODE])
def test_for_identity_faults_recfgct_needs_no_recycle_before_it(fault: Fault) -> None:
    assert spoken_by("order", recfgct(fault=fault)) == ()


def test_a_shadow_recfgct_comes_after_a_recycle_of_either_kind() -> None:
    shadow = policy("mode: shadow")

    assert spoken_by("order", recfgct(attempt(RECYCLE, shadow=True), settings=shadow)) == ()
    assert spoken_by("order", recfgct(attempt(RECYCLE), settings=shadow)) == ()
    assert spoken_by("order", recfgct(settings=shadow))


# -- what is only rehearsed


STUCK = finding(Fault.LPARMGR_STUCK)


def test_an_lparmgr_that_is_only_rehearsed_opens_no_way_to_a_recycle_that_acts() -> None:
    refusal, = spoken_by("rehearsed", case(RECYCLE, STUCK))

    assert refusal.because == "lparmgr comes first, and is only rehearsed"
    assert refusal.unblock == "remedies.lparmgr.mode: act, or off"
    assert spoken_by("rehearsed", case(RECYCLE, STUCK, settings=LPARMGR_ACTS)) == ()
    assert spoken_by("rehearsed", case(RECYCLE, STUCK, settings=policy("remedies: {lparmgr: {mode: off}}"))) == ()


def test_what_is_rehearsed_holds_neither_what_comes_before_it_nor_what_is_gentle_nor_another_rehearsal() -> None:
    recycle_too = policy("remedies: {recycle: {mode: shadow}}")
    last = policy("remedies: {recfgct: {mode: shadow, treats: [link-pending]}}")

    assert spoken_by("rehearsed", case(REFRESH, STUCK)) == ()
    assert spoken_by("rehearsed", case(RECYCLE, STUCK, settings=recycle_too)) == ()
    assert spoken_by("rehearsed", case(RECYCLE, STUCK, settings=policy("mode: shadow"))) == ()
    assert spoken_by("rehearsed", case(RECYCLE, finding(Fault.LINK_PENDING), settings=last)) == ()


# -- budgets


def test_a_budget_slides() -> None:
    done = (attempt(RECYCLE, 23 * HOUR), attempt(RECYCLE, 2 * HOUR))

    an_hour_later = replace(remembering(*done), now=NOON + HOUR)

    assert spoken_by("budget", remembering(*done))
    assert spoken_by("budget", an_hour_later) == ()


def test_each_of_several_budgets_holds_and_speaks() -> None:
    month = (attempt(RECFGCT, 20 * DAY), attempt(RECFGCT, 10 * DAY), attempt(RECFGCT, 2 * HOUR))

    spoken = spoken_by("budget", remembering(*month, remedy=RECFGCT))
    next_day = spoken_by("budget", replace(remembering(*month, remedy=RECFGCT), now=NOON + DAY))

    assert [(refusal.because, refusal.until) for refusal in spoken] == [
        ("recfgct was begun once in 24 h", NOON + 22 * HOUR), ("recfgct was begun 3 times in 30 d", NOON + 10 * DAY)]
    assert [refusal.until for refusal in next_day] == [NOON + 10 * DAY]


@pytest.mark.parametrize("outcome", [*Outcome, None])
def test_an_attempt_is_spent_whatever_came_of_it(outcome: Optional[Outcome]) -> None:
    done = (attempt(RECYCLE, 3 * HOUR, outcome), attempt(RECYCLE, 2 * HOUR, outcome))

    assert spoken_by("budget", remembering(*done))


def test_what_an_operator_asked_for_is_spent_too() -> None:
    done = (attempt(RECYCLE, 3 * HOUR, by="operator"), attempt(RECYCLE, 2 * HOUR, by="operator"))

    assert spoken_by("budget", remembering(*done))


def test_to_finish_what_was_interrupted_spends_nothing_and_starts_no_cooldown() -> None:
    done = tuple(attempt(START, timedelta(minutes=number), by="finish") for number in range(1, 20))

    held = remembering(*done, remedy=START)

    assert (spoken_by("budget", held), spoken_by("cooldown", held)) == ((), ())


def test_another_remedy_spends_no_budget_of_this_one() -> None:
    done = tuple(attempt(REFRESH, timedelta(hours=number)) for number in range(2, 14))

    assert spoken_by("budget", remembering(*done)) == ()
    assert spoken_by("budget", remembering(*done, remedy=REFRESH))


def test_a_shadow_has_a_budget_and_a_cooldown_of_its_own() -> None:
    shadow = policy("mode: shadow")
    real = (attempt(RECYCLE, 3 * HOUR), attempt(RECYCLE, 10 * MINUTE))
    shadows = tuple(replace(one, shadow=True) for one in real)

    assert {"budget", "cooldown"} <= speaking(remembering(*real))
    assert speaking(remembering(*shadows)) == set()
    assert speaking(remembering(*real, settings=shadow)) == set()
    assert {"budget", "cooldown"} <= speaking(remembering(*shadows, settings=shadow))


def test_one_remedys_shadow_is_asked_of_that_remedy() -> None:
    assert case(settings=policy("remedies: {recycle: {mode: shadow}}")).shadow
    assert not case(REFRESH, settings=policy("remedies: {recycle: {mode: shadow}}")).shadow


@pytest.mark.parametrize("remedy, span", [(RECYCLE, DAY), (REFRESH, DAY), (RECFGCT, 30 * DAY)])
def test_a_lost_ledger_spends_every_budget_for_its_longest_span(remedy: Remedy, span: timedelta) -> None:
    just_before = remembering(remedy=remedy, spent_at=NOON - span + SECOND)
    over = remembering(remedy=remedy, spent_at=NOON - span)

    assert [(refusal.guard, refusal.until) for refusal in spoken_by("budget", just_before)] == [("budget", NOON + SECOND)]
    assert spoken_by("budget", over) == ()


@given(ago=st.lists(st.integers(-600, 6000), max_size=12), times=st.integers(1, 5), span=st.integers(1, 3000))
def test_a_spent_budget_is_free_again_at_the_moment_it_says_and_no_sooner(ago: Any, times: int, span: int) -> None:
    budget = Budget(times, timedelta(seconds=span))
    done = tuple(attempt(RECYCLE, timedelta(seconds=number)) for number in ago)

    left, until = budget_left(done, budget, NOON)
    inside = [one for one in done if NOON - one.begun_at < budget.span]

    assert left == max(0, times - len(inside))
    if until is not None:
        assert left == 0 and budget_left(done, budget, until)[0] > 0
        assert budget_left(done, budget, until - SECOND)[0] == 0


# -- cooldown


def test_cooldown_runs_from_the_last_steps_end() -> None:
    slow = attempt(RECYCLE, 2 * HOUR, ended_at=NOON - 29 * MINUTE)

    assert [refusal.until for refusal in spoken_by("cooldown", remembering(slow))] == [NOON + MINUTE]
    assert spoken_by("cooldown", replace(remembering(slow), now=NOON + MINUTE)) == ()


def test_cooldown_is_each_remedys_own() -> None:
    assert spoken_by("cooldown", remembering(attempt(REFRESH, 2 * MINUTE))) == ()
    assert spoken_by("cooldown", remembering(attempt(REFRESH, 2 * MINUTE), remedy=REFRESH))


def test_an_interrupted_attempt_starts_no_cooldown_but_does_not_end_another_ones() -> None:
    interrupted = attempt(RECYCLE, 5 * MINUTE, Outcome.INTERRUPTED)

    assert spoken_by("cooldown", remembering(interrupted)) == ()
    assert spoken_by("cooldown", remembering(attempt(RECYCLE, 10 * MINUTE), interrupted))


@pytest.mark.parametrize("outcome", [Outcome.HEALED, Outcome.UNCHANGED, Outcome.UNKNOWN])
def test_every_other_outcome_starts_one(outcome: Outcome) -> None:
    assert spoken_by("cooldown", remembering(attempt(RECYCLE, 5 * MINUTE, outcome)))


# -- settle


def test_what_is_under_way_holds_every_other_remedy_without_saying_until_when() -> None:
    under_way = attempt(START, MINUTE, None, ended_at=None)

    for remedy in (REFRESH, START, MANAGER, RECYCLE, RECFGCT):
        assert [refusal.until for refusal in spoken_by("settling", remembering(under_way, remedy=remedy))] == [None]


def test_what_was_interrupted_settles_before_rmc_is_disturbed_again_and_holds_no_gentle_remedy() -> None:
    """It may have restarted RMC before it died: the sessions that come back must not be cut once more."""
    for remedy in (RECYCLE, RECFGCT):
        cut = attempt(remedy, 5 * MINUTE, outcome=Outcome.INTERRUPTED)                  # ended 4 minutes ago
        until = cut.ended_at + ANYTHING.remedies[remedy.value].settle if cut.ended_at else None

        for wanted in (RECYCLE, RECFGCT):
            assert [(held.guard, held.until) for held in spoken_by("settling", remembering(cut, remedy=wanted))] == [
                ("settle", until)
            ]
        assert all(spoken_by("settling", remembering(cut, remedy=gentle)) == () for gentle in (REFRESH, START, MANAGER, LPARMGR))


@pytest.mark.parametrize(
    "harmless",
    [
        attempt(RECYCLE, 13 * MINUTE, outcome=Outcome.INTERRUPTED),
        attempt(RECYCLE, 5 * MINUTE, outcome=Outcome.INTERRUPTED, boot="boot-0"),
        attempt(REFRESH, 5 * MINUTE, outcome=Outcome.INTERRUPTED),
        attempt(RECYCLE, 5 * MINUTE, outcome=Outcome.INTERRUPTED, shadow=True),
    ],
    ids=["long-ago", "earlier-boot", "gentle", "shadow"],
)
def test_what_was_interrupted_holds_no_longer_than_rmc_can_be_unsettled_by_it(harmless: Attempt) -> None:
    assert spoken_by("settling", remembering(harmless)) == ()


def test_a_shadow_that_settles_holds_only_shadows() -> None:
    shadow = attempt(RECYCLE, MINUTE, None, shadow=True)

    assert spoken_by("settling", remembering(shadow)) == ()
    assert spoken_by("settling", remembering(shadow, settings=policy("mode: shadow")))


# -- splay


def on(identity: str, episode: str = "E-1", boot: str = "boot-1", remedy: Remedy = RECYCLE, settings: Any = ANYTHING) -> Case:
    past = replace(history(found=(FOUND,)), episode=Episode(episode, NOON))
    return case(remedy, seen=plain(vitals=replace(plain().vitals, identity=identity, boot=boot)), past=past, settings=settings)


def test_splay_is_stable_for_an_episode_and_another_in_the_next() -> None:
    first, again = on("machine-1"), replace(on("machine-1"), now=NOON + HOUR, finding=finding(Fault.NO_HMC))

    assert splay_of(first) == splay_of(again)
    assert len({splay_of(on("machine-1", f"E-{number}")) for number in range(100)}) == 100


def fleet_in(episode: str) -> Tuple[timedelta, ...]:
    """A thousand partitions of 25 machines with serial numbers in a row; firmware that tells no UUID, so that little differs."""
    return tuple(splay_of(on(f"system=IBM,9009-42A*78{12345 + number // 40} partition={number % 40 + 1}", episode))
                 for number in range(1000))


def test_splay_spreads_a_fleet_evenly_over_its_whole_length() -> None:
    """Chi-square of twenty bins: 19 for chance alone, 43.8 once in a thousand."""
    for episode in ("E-1", "E-130"):
        fleet = fleet_in(episode)

        bins = [sum(30 * number <= one.total_seconds() < 30 * (number + 1) for one in fleet) for number in range(20)]
        assert sum(bins) == 1000 and sum((seen - 50) ** 2 / 50 for seen in bins) < 43.8


def test_partitions_whose_turns_fell_together_once_do_not_fall_together_again() -> None:
    first, second = ([int(one.total_seconds()) for one in fleet_in(episode)] for episode in ("E-1", "E-2"))

    pairs = [(one, other) for one in range(1000) for other in range(one) if first[one] == first[other]]
    again = [pair for pair in pairs if second[pair[0]] == second[pair[1]]]

    assert len(pairs) > 500 and len(again) < 10         # of 830 by chance, one


def test_partitions_that_know_no_identity_are_still_told_apart_by_their_boot() -> None:
    assert splay_of(on("", boot="boot-1")) != splay_of(on("", boot="boot-2"))


@pytest.mark.parametrize("remedy", [REFRESH, START, MANAGER, LPARMGR])
def test_only_recycle_and_recfgct_are_splayed(remedy: Remedy) -> None:
    assert splay_of(on("machine-1", remedy=remedy)) == timedelta(0)
    assert splay_of(on("machine-1")) > timedelta(0)


def test_splay_can_be_done_without() -> None:
    assert splay_of(on("machine-1", settings=NO_SPLAY)) == timedelta(0)
    assert splayed(case(past=history(found=(FOUND,), splay_from=None), settings=NO_SPLAY)) == ()


def test_splay_begins_when_nothing_else_holds_the_remedy_and_ends() -> None:
    share = splay_of(case())
    assert share > SECOND

    not_begun = case(past=history(found=(FOUND,), splay_from=None))
    begun = case(past=history(found=(FOUND,), splay_from=NOON - share + timedelta(microseconds=1)))
    over = case(past=history(found=(FOUND,), splay_from=NOON - share))

    assert [[refusal.until for refusal in splayed(one)] for one in (not_begun, begun, over)] == [
        [NOON + share], [NOON + timedelta(microseconds=1)], []]
    assert all(refusal.because and refusal.unblock and not refusal.lasting for refusal in splayed(not_begun))


@pytest.mark.parametrize("remedy", [REFRESH, START, MANAGER, LPARMGR])
def test_no_gentler_remedy_waits_for_a_splay(remedy: Remedy) -> None:
    assert splayed(case(remedy, past=history(found=(FOUND,), splay_from=None))) == ()


# -- grace


@pytest.mark.parametrize("remedy, found, grace", [
    (REFRESH, finding(), 2 * MINUTE),
    (RECYCLE, finding(), 5 * MINUTE),
    (RECFGCT, finding(), 30 * MINUTE),
    (START, finding(Fault.RMC_DOWN, crash=True), MINUTE),
    (START, finding(Fault.RMC_DOWN, crash=None), 15 * MINUTE),
    (START, finding(Fault.RMC_STOPPED, side=Side.OPERATOR), 2 * HOUR),
    (RECYCLE, finding(Fault.RMC_DOWN, crash=None), 5 * MINUTE),
    (MANAGER, finding(Fault.MANAGER_DOWN, "IBM.DRM"), 3 * MINUTE),
])
def test_grace_depends_on_the_remedy_and_on_how_rmc_ended(remedy: Remedy, found: Any, grace: timedelta) -> None:
    assert grace_of(case(remedy, found)) == grace


def test_an_unknown_cause_never_shortens_the_grace() -> None:
    slow = policy("remedies: {start: {grace: 20m, cause_unknown: 15m}}")

    assert grace_of(case(START, finding(Fault.RMC_DOWN, crash=None), settings=slow)) == 20 * MINUTE


def test_what_an_operator_stopped_may_never_be_started() -> None:
    never = policy("remedies: {start: {after_stop: never}}")

    assert grace_of(case(START, finding(Fault.RMC_STOPPED, side=Side.OPERATOR), settings=never)) is None


def test_guards_change_nothing_they_are_shown() -> None:
    mutable: Mapping[str, datetime] = {HMC1: NOON - 5 * HOUR}
    one = case(seen=plain(Platform.VIOS), past=history(found=(FOUND,), answering_since=mutable))

    assert refusals(one) == refusals(one) and mutable == {HMC1: NOON - 5 * HOUR}
    assert set(guards.OTHERS_AT_WORK) & set(guards.INSTALLERS) == set()


# -- what only the removal of a rule showed to be missing


@pytest.mark.parametrize("guard, name", [
    *(("install", name) for name in ("installp", "geninstall", "emgr", "lvupdate")),
    *(("install", name) for name in ("rpm", "dnf", "yum", "zypper", "dpkg", "apt-get")),
    *(("shutdown", name) for name in ("shutdown", "reboot", "halt", "poweroff")),
])
def test_each_installer_and_whatever_takes_the_partition_down_holds(guard: str, name: str) -> None:
    assert speaking(running("sshd", name, remedy=REFRESH)) == {guard}


# (the kernel's name, "" on AIX; the command; two arguments), as the process list has them
@pytest.mark.parametrize("guard, words", [
    ("busy", ["", "/usr/es/sbin/cluster/utilities/clmgr", "offline", "cluster"]),
    ("busy", ["", "/bin/ksh", "/usr/sbin/rsct/bin/rmcctrl", "-z"]),
    ("busy", ["rmcctrl", "/usr/bin/sh", "/opt/rsct/bin/rmcctrl", "-A"]),
    ("busy", ["", "/usr/bin/ksh93", "-p", "/usr/sbin/rsct/install/bin/recfgct"]),
    ("busy", ["", "/usr/bin/perl", "-w", "/usr/sbin/rsct/bin/startrpdomain"]),
    ("busy", ["", "perl5.28", "/usr/sbin/rsct/bin/stoprpdomain", "pd1"]),
    ("busy", ["", "-ksh", "/usr/sbin/rsct/bin/forcerpoffline", "pd1"]),
    ("busy", ["", "/usr/bin/env", "ksh", "/usr/es/sbin/cluster/utilities/clmgr"]),
    ("install", ["", "/usr/sbin/installp", "-aXY", "-d"]),
    ("install", ["", "/bin/ksh", "/usr/sbin/geninstall", "-I"]),
    ("install", ["", "/usr/bin/ksh", "/usr/sbin/install_all_updates", "-d"]),
    ("install", ["", "/usr/bin/ksh", "/usr/sbin/emgr", "-e"]),
    ("install", ["dnf", "/usr/libexec/platform-python", "/usr/bin/dnf", "update"]),
    ("install", ["yum", "/usr/bin/python2.7", "/usr/bin/yum", "-y"]),
    ("install", ["dnf-3", "/usr/bin/python3.9", "/usr/bin/dnf-3", "-y"]),
    ("install", ["dnf5", "/usr/bin/dnf5", "upgrade", ""]),
    ("install", ["zypper", "/usr/bin/zypper", "patch", ""]),
    ("install", ["apt", "apt", "upgrade", ""]),
    ("shutdown", ["", "/bin/ksh", "/usr/sbin/shutdown", "-Fr"]),
    ("migration", ["drmgr", "/usr/sbin/drmgr", "-c", "pmig"]),
])
def test_somebody_at_work_is_known_however_the_command_was_called(guard: str, words: List[str]) -> None:
    names = _names(words)

    assert speaking(running(*names)) == {guard}


@pytest.mark.parametrize("pids, said", [
    ((), "clmgr is running"), ((4711,), "clmgr (pid 4711) is running"), ((1, 2, 3), "clmgr (pid 1, 2, 3) is running"),
    (tuple(range(1, 900)), "clmgr (pid 1, 2, 3 and 896 more) is running"),
])
def test_who_is_at_work_is_named_with_the_first_of_its_processes(pids: Tuple[int, ...], said: str) -> None:
    busy = BusyFacts(told(""), told(("clmgr", "drmgr")), {"clmgr": pids, "drmgr": (7,)})

    spoken = {refusal.guard: refusal.because for refusal in refusals(case(RECYCLE, seen=plain(busy=busy)))}

    assert spoken == {"busy": said, "migration": "drmgr (pid 7) is running"}


@pytest.mark.parametrize("words", [
    ["tail", "/usr/bin/tail", "-f", "/var/log/installp"], ["vi", "vi", "/usr/sbin/rsct/bin/rmcctrl", ""],
    ["", "/usr/bin/grep", "clmgr", ""], ["rpmbuild", "/usr/bin/rpmbuild", "", ""], ["sshd", "/usr/sbin/sshd", "-D", ""],
])
def test_whoever_only_names_or_reads_such_a_command_holds_nothing(words: List[str]) -> None:
    assert speaking(running(*_names(words))) == set()


@pytest.mark.parametrize("failed", ["rmcctrl -z: exit 1", "rmcctrl -A: did not end"])
def test_a_recycle_whose_commands_failed_does_not_let_recfgct_come(failed: str) -> None:
    assert spoken_by("order", recfgct(attempt(RECYCLE, failed="rmcctrl -p: exit 1"))) == ()
    assert spoken_by("order", recfgct(attempt(RECYCLE, failed=failed)))
