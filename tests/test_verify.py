"""Was it healed? Each fault's goal, and what a few looks at it come to."""
from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Optional, Tuple

import pytest

from rmcagent.model import (
    DomainStatus,
    Fault,
    Link,
    LogGrowth,
    Outcome,
    Remedy,
    Snapshot,
    State,
)
from rmcagent.reason.ladder import LADDER
from rmcagent.reason.verify import GOALS, goal, outcome
from seen import (
    DEFAULTS,
    HMC2,
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    attempt,
    gap,
    hmc,
    missing,
    plain,
    told,
    unasked,
    with_fact,
    with_hmcs,
    with_state,
)

ENDED = NOON - 12 * MINUTE            # its settle is over now
POLICY = DEFAULTS.remedies["recycle"]
TRIED = attempt(Remedy.RECYCLE, ended_at=ENDED, outcome=None)
LINKLIKE = (Fault.LINK_DOWN, Fault.LINK_PENDING, Fault.NO_HMC, Fault.IDENTITY_CLASH, Fault.CLONED_NODE)
LIMIT = DEFAULTS.log.storm.bytes


def reached(fault: Fault, seen: Snapshot, subject: str = "") -> Optional[str]:
    return goal(attempt(Remedy.RECYCLE, fault=fault, subject=subject), seen, DEFAULTS)


def judged(*goals: Optional[str], now: Any = NOON, **changes: Any) -> Tuple[Optional[Outcome], str]:
    return outcome(replace(TRIED, **changes), goals, POLICY, now)


# -- what a few looks come to


def test_two_looks_that_show_the_same_process_are_healed() -> None:
    assert judged("pid 4711", "pid 4711")[0] is Outcome.HEALED


def test_one_look_is_not_enough() -> None:
    assert judged("pid 4711") == (None, "one more look")
    assert judged() == (None, "one more look")


def test_the_first_plain_no_is_unchanged_even_after_a_yes() -> None:
    assert judged("")[0] is Outcome.UNCHANGED
    assert judged("pid 4711", "")[0] is Outcome.UNCHANGED
    assert judged(None, "")[0] is Outcome.UNCHANGED


def test_a_daemon_that_keeps_dying_is_not_called_healed() -> None:
    assert judged("pid 1", "pid 2") == (None, "one more look")
    assert judged("pid 1", "pid 2", "pid 3")[0] is Outcome.UNCHANGED


def test_a_daemon_that_was_started_once_more_and_stays_is_healed() -> None:
    assert judged("pid 1", "pid 2", "pid 2")[0] is Outcome.HEALED


def test_a_look_that_could_not_tell_is_passed_over() -> None:
    assert judged("linked", None) == (None, "one more look")
    assert judged("linked", None, "linked")[0] is Outcome.HEALED


def test_what_could_not_be_told_is_unknown_only_after_twice_the_settle() -> None:
    twice = ENDED + 2 * POLICY.settle

    assert judged(None, None, now=twice - SECOND) == (None, "one more look")
    assert judged(None, None, now=twice)[0] is Outcome.UNKNOWN
    assert judged("linked", None, now=twice)[0] is Outcome.UNKNOWN


def test_twice_the_settle_alone_makes_nothing_unknown() -> None:
    late = ENDED + 3 * POLICY.settle

    assert judged(now=late)[0] is None
    assert judged("linked", now=late)[0] is None
    assert judged(None, "linked", "linked", now=late)[0] is Outcome.HEALED
    assert judged(None, now=late, ended_at=None)[0] is None


def test_a_shadow_counts_as_unchanged_whatever_is_seen() -> None:
    assert judged(shadow=True)[0] is Outcome.UNCHANGED
    assert judged("linked", "linked", shadow=True)[0] is Outcome.UNCHANGED


@pytest.mark.parametrize("goals", [("",), ("a", "a"), ("a", "b", "c"), ("a",), (None,)])
def test_every_judgement_says_why(goals: Tuple[Optional[str], ...]) -> None:
    assert judged(*goals, now=NOON + HOUR)[1]


# -- ctrmc and its managers


def test_the_goal_for_rmc_down_is_a_ctrmc_that_runs_and_its_token_is_the_pid() -> None:
    assert reached(Fault.RMC_DOWN, plain()) == f"pid {plain().subsystems.value['ctrmc'].pid}"      # type: ignore[index]
    assert reached(Fault.RMC_DOWN, plain(rmc="down")) == ""
    assert reached(Fault.RMC_DOWN, plain(ctrmc_alive=False)) == ""


@pytest.mark.parametrize("state", [State.UNKNOWN, State.STARTING, State.STOPPING, None])
def test_a_ctrmc_that_is_moving_or_in_a_state_unheard_of_is_neither_yes_nor_no(state: Optional[State]) -> None:
    assert reached(Fault.RMC_DOWN, with_state(plain(), "ctrmc", state)) is None


def test_no_goal_of_a_daemon_is_told_without_lssrc() -> None:
    for fault, subject in ((Fault.RMC_DOWN, ""), (Fault.RMC_HUNG, ""), (Fault.MANAGER_DOWN, "IBM.DRM"), (Fault.RMC_STOPPED, "")):
        assert reached(fault, plain(subsystems=gap()), subject) is None


def test_a_manager_is_asked_for_by_its_own_name() -> None:
    without = with_state(plain(), "IBM.DRM", State.INOPERATIVE)

    assert reached(Fault.MANAGER_DOWN, without, "IBM.DRM") == ""
    assert (reached(Fault.MANAGER_DOWN, without, "IBM.MgmtDomainRM") or "").startswith("pid ")
    assert reached(Fault.MANAGER_DOWN, with_state(plain(), "IBM.DRM", None), "IBM.DRM") is None


def test_a_dead_ctrmc_does_not_make_a_managers_row_a_no() -> None:
    assert (reached(Fault.MANAGER_DOWN, plain(ctrmc_alive=False), "IBM.DRM") or "").startswith("pid ")


def test_a_hung_rmc_is_healed_when_both_commands_answer() -> None:
    assert reached(Fault.RMC_HUNG, plain()) == "answers"
    assert reached(Fault.RMC_HUNG, plain(rmc="hung")) == ""
    assert reached(Fault.RMC_HUNG, plain(rmc="down")) == ""


def test_one_command_that_answers_is_neither_yes_nor_no_for_a_hung_rmc() -> None:
    assert reached(Fault.RMC_HUNG, plain(mcp=gap())) is None
    assert reached(Fault.RMC_HUNG, plain(status=gap())) is None
    assert reached(Fault.RMC_HUNG, plain(status=gap("garbled", timed_out=False), mcp=gap())) is None


def test_the_older_class_answers_for_lsrsrc_too() -> None:
    assert reached(Fault.RMC_HUNG, plain(mcp=missing(), servers=told(()))) == "answers"


# -- links


@pytest.mark.parametrize("fault", LINKLIKE)
def test_link_and_identity_faults_are_healed_when_at_least_one_hmc_is_up(fault: Fault) -> None:
    one_of_two = with_hmcs(plain(), hmc(Link.DOWN), hmc(Link.UP, HMC2))

    assert reached(fault, one_of_two) == "linked"
    assert reached(fault, plain(link=Link.DOWN)) == ""
    assert reached(fault, plain(link=Link.PENDING)) == ""


@pytest.mark.parametrize("fault", LINKLIKE)
def test_another_fault_in_its_place_is_a_plain_no(fault: Fault) -> None:
    assert reached(fault, plain(rmc="down")) == ""


@pytest.mark.parametrize("fault", LINKLIKE)
def test_a_link_that_cannot_be_asked_about_is_not_told(fault: Fault) -> None:
    assert reached(fault, with_fact(plain(rmc="hung"), "status", gap())) is None
    assert reached(fault, plain(status=unasked(), hmcs=(), subsystems=gap())) is None


def test_no_hmc_anywhere_is_a_no() -> None:
    nothing = plain(hmcs=(), status=told(DomainStatus()), mcp=told(()), servers=told(()))

    assert reached(Fault.NO_HMC, nothing) == ""


def test_link_partial_is_healed_only_when_all_that_are_known_are_up() -> None:
    both = with_hmcs(plain(), hmc(Link.UP), hmc(Link.UP, HMC2))
    one = with_hmcs(plain(), hmc(Link.UP), hmc(Link.DOWN, HMC2))

    assert (reached(Fault.LINK_PARTIAL, both), reached(Fault.LINK_PARTIAL, one)) == ("linked", "")
    assert reached(Fault.LINK_PARTIAL, replace(both, status=gap())) is None
    assert reached(Fault.LINK_PARTIAL, plain(rmc="down")) == ""
    assert reached(Fault.LINK_PARTIAL, replace(both, hmcs=())) == ""


# -- the log


def grown(noisy: int, ago: timedelta, covers: timedelta = timedelta(minutes=10), **more: Any) -> LogGrowth:
    return LogGrowth(noisy_bytes=noisy, noisy_tail=((NOON - ago, noisy),), covers=covers, **more)


@pytest.mark.parametrize("growth, token", [
    (grown(LIMIT, timedelta(minutes=5)), "quiet"),
    (grown(LIMIT + 1, timedelta(minutes=5)), ""),
    (grown(LIMIT + 1, timedelta(minutes=70)), "quiet"),            # written before the remedy
    (grown(0, timedelta(minutes=5), timedelta(minutes=9)), None),  # not watched for one whole `within`
    (grown(0, timedelta(minutes=5), var_full_in=timedelta(hours=23)), ""),
    (grown(0, timedelta(minutes=5), var_full_in=timedelta(hours=24)), "quiet"),
])
def test_a_log_storm_is_over_when_quiet_for_one_whole_span_since_the_remedy(growth: LogGrowth, token: Optional[str]) -> None:
    assert reached(Fault.LOG_STORM, plain(logs=told(growth))) == token


def test_a_log_that_could_not_be_read_is_not_quiet() -> None:
    assert reached(Fault.LOG_STORM, plain(logs=gap())) is None


# -- remote clients, the VIOS


@pytest.mark.parametrize("remote, link, token", [
    (told(True), Link.DOWN, "enabled"), (told(False), Link.DOWN, ""), (gap(), Link.DOWN, None), (unasked(), Link.UP, "enabled"),
])
def test_remote_clients_are_enabled_when_a_port_answers_or_an_hmc_is_connected(
    remote: Any, link: Link, token: Optional[str]
) -> None:
    assert reached(Fault.REMOTE_DISABLED, plain(link=link, remote=remote)) == token


def test_a_dead_rmc_takes_no_remote_clients() -> None:
    assert reached(Fault.REMOTE_DISABLED, plain(rmc="down")) == ""


def test_only_what_lsivm_says_after_the_remedy_counts() -> None:
    after, before = NOON, ENDED

    def answered(value: str, at: Any) -> Optional[str]:
        seen = with_fact(plain(), "standing.lparmgr", told(value, at))
        return goal(replace(TRIED, fault=Fault.LPARMGR_STUCK), seen, DEFAULTS)

    assert [answered("", after), answered("lsivm exits 1", after)] == ["answers", ""]
    assert [answered("", before), answered("lsivm exits 1", before)] == [None, None]


# -- the table


SHOWING_ALL = with_fact(plain(link=Link.UP, logs=told(grown(0, timedelta(minutes=5)))), "standing.lparmgr", told(""))


def test_every_fault_has_a_goal_and_those_that_are_treated_can_be_told() -> None:
    untold = {fault for fault in Fault if LADDER[fault] and reached(fault, SHOWING_ALL, "IBM.DRM") is None}

    assert set(GOALS) == set(Fault)
    assert untold == set()
