"""From a look to what is wrong: every fault with its evidence, what silences what, and what is no fault at all."""
from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Callable, Mapping, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmcagent.model import (
    DomainStatus,
    Fact,
    Fault,
    Link,
    LogGrowth,
    Platform,
    Side,
    Snapshot,
    Space,
    StandingFacts,
    State,
    Stop,
)
from rmcagent.reason.diagnose import looks_hung, masked, untold_links
from rmcagent.reason.ladder import GRAVITY, LADDER
from seen import (
    DEFAULTS,
    EMPTY,
    HMC2,
    PLATFORMS,
    faults,
    finding,
    found,
    gap,
    history,
    hmc,
    missing,
    only,
    plain,
    point,
    policy,
    server,
    told,
    unasked,
    with_fact,
    with_hmcs,
    with_state,
)

HEALTHY = plain(link=Link.UP)
LIMIT = DEFAULTS.log.storm.bytes
NOISE = LogGrowth(noisy_bytes=LIMIT + 1, messages={"2613-021": 40, "2613-008": 2, "2610-415": 1, "2613-030": 1}, side="here")
HMC_NOISE = replace(NOISE, side="hmc")
FULL = told(Space("/var", 1000 * 1024, 20 * 1024))
CRASHED = told(Stop(True, "SRC logged its abnormal end (DE84C4DB in errpt)"))
STOPPED = told(Stop(False, "errpt shows that RMC was stopped"))
TROUBLED = StandingFacts(told("0011223344556677"), told("00112233445566ff"), told("0011223344556677"), told(""),
                         told("/etc/inittab has no entry ctrmc"), told("lsivm exits 1"))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_healthy_partition_has_no_fault(platform: Platform) -> None:
    assert found(plain(platform, link=Link.UP)) == ()


# -- RMC itself


def test_a_crashed_ctrmc_is_rmc_down() -> None:
    one = only(plain(rmc="down", stop=CRASHED))

    assert (one.fault, one.side, one.caused_by_crash) == (Fault.RMC_DOWN, Side.HERE, True)
    assert one.evidence == "ctrmc is inoperative: SRC logged its abnormal end (DE84C4DB in errpt)"


@pytest.mark.parametrize("stop", [told(Stop(None, "errpt does not tell why")), gap(), unasked()])
def test_a_ctrmc_whose_end_is_not_explained_is_rmc_down_by_an_unknown_cause(stop: Fact[Stop]) -> None:
    one = only(plain(rmc="down", stop=stop))

    assert (one.fault, one.caused_by_crash) == (Fault.RMC_DOWN, None)
    assert "errpt does not tell why" in one.evidence or "its cause could not be told" in one.evidence


def test_a_ctrmc_that_an_operator_stopped_is_no_fault_of_rmc() -> None:
    one = only(plain(rmc="down", stop=STOPPED))

    assert (one.fault, one.side) == (Fault.RMC_STOPPED, Side.OPERATOR)
    assert one.evidence == "ctrmc is inoperative: stopped on purpose (errpt shows that RMC was stopped)"
    assert "rmcctrl -A" in one.advice


def test_a_ctrmc_that_we_stopped_ourselves_is_down_however_cleanly_it_ended() -> None:
    one = only(plain(rmc="down", stop=STOPPED), stopped_by=7)

    assert (one.fault, one.side, one.caused_by_crash) == (Fault.RMC_DOWN, Side.HERE, True)
    assert "attempt 7 of this agent stopped it" in one.evidence


def test_an_active_row_whose_process_is_gone_is_rmc_down() -> None:
    one = only(replace(HEALTHY, ctrmc_alive=False, stop=CRASHED))

    assert one.fault is Fault.RMC_DOWN and one.evidence.startswith("lssrc calls ctrmc active, but its process is gone")


def test_a_process_that_could_not_be_asked_about_is_not_gone() -> None:
    assert found(replace(HEALTHY, ctrmc_alive=None)) == ()


@pytest.mark.parametrize("state", [State.STARTING, State.STOPPING, State.UNKNOWN, None])
def test_a_ctrmc_that_moves_or_is_in_a_state_unheard_of_or_has_no_row_is_no_fault(state: Optional[State]) -> None:
    seen = with_state(plain(link=Link.DOWN, ctrmc_alive=False), "ctrmc", state)

    assert found(seen, hung_looks=9) == ()


def test_without_lssrc_nothing_is_said_of_rmc() -> None:
    assert found(plain(rmc="down", subsystems=gap())) == ()


# -- hung


def hung(**changes: Any) -> Snapshot:
    return replace(plain(rmc="hung"), **changes)


def test_rmc_is_hung_after_so_many_looks_in_a_row() -> None:
    one = only(hung(), hung_looks=5)

    assert (one.fault, one.side) == (Fault.RMC_HUNG, Side.HERE)
    assert "timed out in 5 looks in a row" in one.evidence
    assert found(hung(), hung_looks=4) == ()
    assert only(hung(), policy("faults: {hung: 3}"), hung_looks=3).fault is Fault.RMC_HUNG


@pytest.mark.parametrize("name, calm", [
    ("lssrc was slow", hung(lssrc_took=2.1)),
    ("our own pulse is late", hung(vitals=replace(HEALTHY.vitals, on_time=False))),
    ("rmcdomainstatus answered", hung(status=told(DomainStatus((point(Link.UP),))), hmcs=(hmc(Link.UP),))),
    ("rmcdomainstatus was unreadable, not slow", hung(status=gap("garbled", timed_out=False))),
    ("lsrsrc answered", hung(mcp=told((server(),)))),
    ("lsrsrc was unreadable, not slow", hung(mcp=gap("garbled", timed_out=False))),
    ("the older class answered", hung(servers=told((server(),)))),
    ("its process is not known to live", hung(ctrmc_alive=None)),
])
def test_a_loaded_partition_is_not_a_hung_rmc(name: str, calm: Snapshot) -> None:
    assert not looks_hung(calm), name
    assert Fault.RMC_HUNG not in faults(calm, hung_looks=99)


def test_lssrc_within_two_seconds_is_prompt() -> None:
    assert looks_hung(hung(lssrc_took=2.0))


def test_a_dead_or_stopping_rmc_is_not_hung() -> None:
    assert not looks_hung(hung(ctrmc_alive=False))
    assert not looks_hung(with_state(hung(), "ctrmc", State.STOPPING))


# -- managers


def test_a_required_manager_that_is_inoperative_is_named() -> None:
    seen = with_state(with_state(HEALTHY, "IBM.DRM", State.INOPERATIVE), "IBM.MgmtDomainRM", State.INOPERATIVE)

    both = found(seen)

    assert [(one.key, one.side) for one in both] == [
        ("manager-down:IBM.DRM", Side.HERE),
        ("manager-down:IBM.MgmtDomainRM", Side.HERE),
    ]
    assert both[0].evidence == "IBM.DRM is inoperative while ctrmc is active"


@pytest.mark.parametrize("state", [State.STARTING, State.STOPPING, State.UNKNOWN, None])
def test_a_manager_that_moves_or_has_no_row_is_no_fault(state: Optional[State]) -> None:
    assert found(with_state(HEALTHY, "IBM.DRM", state)) == ()


def test_a_manager_that_is_not_required_may_sleep() -> None:
    assert found(with_state(HEALTHY, "IBM.ERRM", State.INOPERATIVE)) == ()


# -- remote clients, boot, the VIOS


def test_an_rmc_that_takes_no_remote_clients_is_remote_disabled_where_an_hmc_is_expected() -> None:
    closed = plain(link=Link.DOWN, remote=told(False))

    one = only(closed)

    assert (one.fault, one.side) == (Fault.REMOTE_DISABLED, Side.HERE)
    assert "TCP 657 nor 12601" in one.evidence and one.advice == "rmcctrl -p"
    assert Fault.REMOTE_DISABLED not in faults(closed, policy("expect: {management: none}"))
    assert Fault.REMOTE_DISABLED not in faults(closed, known=())


@pytest.mark.parametrize("remote", [told(True), gap(), unasked()])
def test_an_open_port_or_one_that_could_not_be_asked_is_no_fault(remote: Fact[bool]) -> None:
    assert faults(plain(link=Link.DOWN, remote=remote)) == (Fault.LINK_DOWN,)


@pytest.mark.parametrize("platform, mend", [(Platform.AIX, "rmcctrl -a"), (Platform.LINUX, "systemctl enable ctrmc.service")])
def test_an_rmc_that_will_not_start_at_boot_is_told_while_it_still_runs(platform: Platform, mend: str) -> None:
    one = only(with_fact(plain(platform, link=Link.UP), "standing.at_boot", told("/etc/inittab has no entry ctrmc")))

    assert (one.fault, one.side, one.advice) == (Fault.NOT_AT_BOOT, Side.HERE, mend)
    assert one.evidence == "RMC will not start at the next boot: /etc/inittab has no entry ctrmc"


def test_an_lparmgr_that_has_lost_rmc_is_stuck_and_nothing_is_said_of_it_while_rmc_is_down() -> None:
    stuck = told("lsivm exits 1")

    one = only(with_fact(plain(Platform.VIOS, link=Link.UP), "standing.lparmgr", stuck))

    assert (one.fault, one.side) == (Fault.LPARMGR_STUCK, Side.HERE)
    assert "lsivm exits 1" in one.evidence and "lparmgr all start" in one.advice
    assert faults(with_fact(plain(Platform.VIOS, rmc="down"), "standing.lparmgr", stuck)) == (Fault.RMC_DOWN,)


# -- /var and the log


@pytest.mark.parametrize("free, fault", [(101, False), (100, True), (20, True)])
def test_var_is_reported_from_the_share_that_the_policy_warns_of(free: int, fault: bool) -> None:
    assert (faults(replace(HEALTHY, var=told(Space("/var", 1000, free)))) == (Fault.VAR_FULL,)) is fault


def test_a_full_var_says_how_full_and_that_no_restart_helps() -> None:
    one = only(replace(HEALTHY, var=FULL))

    assert (one.side, one.evidence) == (Side.HERE, "/var is 98% full (20 KiB free)")
    assert "no restart helps" in one.advice


def test_a_storm_in_the_log_is_evidence_not_a_cause() -> None:
    one = only(replace(HEALTHY, logs=told(NOISE)))

    assert (one.fault, one.side) == (Fault.LOG_STORM, Side.EVIDENCE)
    assert one.evidence == "the IBM.MgmtDomainRM log grew 64 KiB in 10m (2613-021 x40, 2613-008 x2, 2610-415 x1)"


@pytest.mark.parametrize(
    "full_in, words", [(timedelta(hours=72), "3 days"), (timedelta(hours=5), "5 hours"), (timedelta(minutes=40), "40 minutes")]
)
def test_a_storm_says_when_var_will_be_full(full_in: timedelta, words: str) -> None:
    assert (
        f"/var is full in {words} at this rate" in only(replace(HEALTHY, logs=told(replace(NOISE, var_full_in=full_in)))).evidence
    )


def test_noise_within_the_policy_is_no_storm() -> None:
    assert found(replace(HEALTHY, logs=told(replace(NOISE, noisy_bytes=LIMIT)))) == ()


def test_a_log_that_fills_var_within_a_day_is_a_storm_however_benign() -> None:
    slow = LogGrowth(side="benign", var_full_in=timedelta(hours=23, minutes=59))

    assert faults(replace(HEALTHY, logs=told(slow))) == (Fault.LOG_STORM,)
    assert found(replace(HEALTHY, logs=told(replace(slow, var_full_in=timedelta(hours=24))))) == ()


def test_a_storm_of_the_networks_errors_is_the_networks() -> None:
    assert only(replace(HEALTHY, logs=told(replace(NOISE, side="network")))).side is Side.NETWORK


def test_errors_that_the_hmc_returned_are_the_hmcs() -> None:
    one = only(replace(HEALTHY, logs=told(HMC_NOISE)))

    assert (one.fault, one.side) == (Fault.HMC_SIDE, Side.HMC)
    assert "diagrmc" in one.advice


# -- what silences what


def everything_wrong(rmc: str = "healthy") -> Snapshot:
    seen = plain(rmc=rmc, link=Link.PENDING, var=FULL, logs=told(NOISE), stop=CRASHED)
    return with_state(seen, "IBM.DRM", State.INOPERATIVE)


def test_the_gravest_comes_first() -> None:
    assert faults(everything_wrong()) == (Fault.VAR_FULL, Fault.MANAGER_DOWN, Fault.LOG_STORM)
    assert GRAVITY[:2] == (Fault.VAR_FULL, Fault.RMC_DOWN)


def test_a_dead_rmc_silences_managers_and_links() -> None:
    assert faults(everything_wrong("down")) == (Fault.VAR_FULL, Fault.RMC_DOWN, Fault.LOG_STORM)


def test_a_dead_process_behind_an_active_row_silences_them_too() -> None:
    assert faults(replace(everything_wrong(), ctrmc_alive=False)) == (Fault.VAR_FULL, Fault.RMC_DOWN, Fault.LOG_STORM)


def test_a_hung_rmc_silences_managers() -> None:
    assert faults(with_state(hung(), "IBM.DRM", State.INOPERATIVE), hung_looks=5) == (Fault.RMC_HUNG,)


def test_a_missing_manager_silences_links() -> None:
    assert faults(with_state(plain(link=Link.DOWN), "IBM.DRM", State.INOPERATIVE)) == (Fault.MANAGER_DOWN,)


def test_a_missing_manager_silences_remote_clients_and_they_the_links() -> None:
    closed = plain(link=Link.DOWN, remote=told(False))

    assert faults(with_state(closed, "IBM.DRM", State.INOPERATIVE)) == (Fault.MANAGER_DOWN,)
    assert faults(closed) == (Fault.REMOTE_DISABLED,)


@pytest.mark.parametrize("link", [Link.DOWN, Link.PENDING, Link.FLAPPING])
def test_node_ids_that_disagree_silence_the_links_they_cost_and_no_other(link: Link) -> None:
    assert faults(plain(link=link, standing=replace(TROUBLED, at_boot=told(""), lparmgr=told("")))) == (Fault.IDENTITY_CLASH,)
    beside = with_hmcs(plain(standing=TROUBLED), hmc(Link.UP), hmc(link, HMC2))
    assert set(faults(beside)) > {Fault.IDENTITY_CLASH, Fault.NOT_AT_BOOT, Fault.LPARMGR_STUCK}


def test_the_hmcs_errors_silence_the_storm_they_make_but_no_link() -> None:
    assert faults(plain(link=Link.DOWN, logs=told(HMC_NOISE))) == (Fault.LINK_DOWN, Fault.HMC_SIDE)


def test_an_hmc_that_is_away_silences_the_storm_its_absence_makes() -> None:
    away = with_hmcs(plain(logs=told(NOISE)), hmc(Link.DOWN, reachable=False))

    assert faults(away) == (Fault.HMC_UNREACHABLE,)


def test_a_fault_that_is_not_found_may_stand_behind_a_graver_one() -> None:
    down, manager, unreachable = finding(Fault.RMC_DOWN), finding(Fault.MANAGER_DOWN, "IBM.DRM"), finding(Fault.HMC_UNREACHABLE)

    lost = plain(link=Link.DOWN)
    assert masked(Fault.LINK_DOWN, (down,), lost) and masked(Fault.NO_HMC, (manager,), lost)
    assert masked(Fault.MANAGER_DOWN, (down,), lost) and masked(Fault.LOG_STORM, (unreachable,), lost)
    assert not masked(Fault.LOG_STORM, (down,), lost) and not masked(Fault.LINK_DOWN, (), lost)
    assert not masked(Fault.LINK_DOWN, (unreachable,), lost) and not masked(Fault.MANAGER_DOWN, (manager,), lost)
    assert not masked(Fault.RMC_DOWN, (down,), lost) and not masked(Fault.VAR_FULL, (down, manager), lost)


@pytest.mark.parametrize("fault", [Fault.LINK_PARTIAL, Fault.STALE_HMC])
def test_what_is_wrong_beside_a_working_hmc_is_not_gone_when_that_one_is_lost_too(fault: Fault) -> None:
    lost = plain(link=Link.DOWN)

    assert masked(fault, (finding(Fault.LINK_DOWN),), lost) and masked(fault, (finding(Fault.HMC_UNREACHABLE),), lost)
    assert not masked(fault, (finding(Fault.LINK_FLAPPING),), lost) and not masked(fault, (), lost)


CLASHING = replace(TROUBLED, at_boot=told(""), lparmgr=told(""))
WRONG: Mapping[str, Snapshot] = {
    "down": plain(link=Link.DOWN), "pending": plain(link=Link.PENDING), "flapping": plain(link=Link.FLAPPING),
    "blocked": plain(link=Link.SUSPENDED), "unreachable": with_hmcs(plain(), hmc(Link.DOWN, reachable=False)),
    "none": plain(**EMPTY), "partial": with_hmcs(plain(), hmc(Link.UP), hmc(Link.DOWN, HMC2)),
    "partial-flapping": with_hmcs(plain(), hmc(Link.UP), hmc(Link.FLAPPING, HMC2)),
    "clash": plain(link=Link.DOWN, standing=CLASHING),
    "clash-beside": with_hmcs(plain(standing=CLASHING), hmc(Link.UP), hmc(Link.DOWN, HMC2)),
    "lparmgr": plain(link=Link.DOWN, standing=replace(TROUBLED, at_boot=told(""), node_copy=TROUBLED.node_file)),
    "manager": with_state(plain(link=Link.DOWN), "IBM.DRM", State.INOPERATIVE),
    "remote": plain(link=Link.DOWN, remote=told(False)),
}
PLANTED: Mapping[str, Callable[[Snapshot], Snapshot]] = {
    "rmc": lambda seen: replace(with_state(seen, "ctrmc", State.INOPERATIVE), ctrmc_alive=None, stop=CRASHED),
    "manager": lambda seen: with_state(seen, "IBM.MgmtDomainRM", State.INOPERATIVE),
    "remote": lambda seen: replace(seen, remote=told(False)),
    "clash": lambda seen: replace(seen, standing=replace(seen.standing, node_file=told("1" * 16), node_copy=told("2" * 16))),
    "lparmgr": lambda seen: with_fact(seen, "standing.lparmgr", told("lsivm exits 1")),
    "nothing": lambda seen: seen,
}


@pytest.mark.parametrize("planted", list(PLANTED))
@pytest.mark.parametrize("wrong", list(WRONG))
def test_what_a_graver_fault_silences_is_masked_by_it_and_what_is_still_told_is_not(wrong: str, planted: str) -> None:
    before, seen = WRONG[wrong], PLANTED[planted](WRONG[wrong])
    told_now = found(seen, empty_looks=2)

    for fault in faults(before, empty_looks=2):
        assert masked(fault, told_now, seen) is (fault not in {one.fault for one in told_now}), fault


def test_links_are_untold_where_an_hmc_is_expected_and_nothing_says_whether_it_is_connected() -> None:
    nothing_told = with_hmcs(plain(), hmc(Link.UNKNOWN))

    assert untold_links(nothing_told, history(), DEFAULTS)
    assert not untold_links(nothing_told, history(known=()), DEFAULTS)
    assert not untold_links(plain(link=Link.DOWN), history(), DEFAULTS)
    assert not untold_links(plain(**EMPTY), history(), DEFAULTS)
    assert not untold_links(with_hmcs(plain(rmc="down"), hmc(Link.UNKNOWN)), history(), DEFAULTS)


# -- gaps


SOURCES = ("subsystems", "status", "mcp", "servers", "in_band", "logs", "var", "stop", "remote", "standing.node_file",
           "standing.node_copy", "standing.node_command", "standing.cluster0", "standing.at_boot", "standing.lparmgr")


@pytest.mark.parametrize("where", SOURCES)
def test_a_gap_in_a_healthy_look_is_never_a_fault(where: str) -> None:
    for untold in (gap(), gap("garbled", timed_out=False), unasked(), missing()):
        assert found(with_fact(HEALTHY, where, untold), hung_looks=9, empty_looks=9) == ()


def test_a_gap_elsewhere_hides_no_plain_fault() -> None:
    blind_otherwise = plain(rmc="down", stop=CRASHED, status=gap(), mcp=gap(), servers=gap(), logs=gap(), var=gap())

    assert faults(blind_otherwise) == (Fault.RMC_DOWN,)


LOOKS = st.builds(
    lambda rmc, link, gone, logs, var, fresh, remote, standing: replace(
        with_fact(plain(rmc=rmc, link=link), "logs", told(logs)) if logs else with_fact(plain(rmc=rmc, link=link), "logs", gap()),
        var=told(var) if var else gap(),
        remote=told(remote),
        standing=standing,
        fresh=fresh,
        ctrmc_alive=None if gone else True,
    ),
    st.sampled_from(["healthy", "down", "hung"]),
    st.sampled_from(Link),
    st.booleans(),
    st.sampled_from([None, LogGrowth(), NOISE, HMC_NOISE]),
    st.sampled_from([None, Space("/var", 100, 50), Space("/var", 100, 1)]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([StandingFacts(), TROUBLED]),
)


@given(
    seen=LOOKS,
    untold=st.sets(st.sampled_from(SOURCES)),
    timed_out=st.booleans(),
    hung_looks=st.integers(0, 9),
    empty_looks=st.integers(0, 9),
)
def test_to_be_told_less_never_adds_a_fault_but_a_hung_rmc(
    seen: Snapshot, untold: Any, timed_out: bool, hung_looks: int, empty_looks: int
) -> None:
    complete, before = seen, found(seen, hung_looks=hung_looks, empty_looks=empty_looks)
    for where in untold:
        seen = with_fact(seen, where, gap(timed_out=timed_out))

    after = found(seen, hung_looks=hung_looks, empty_looks=empty_looks)

    # What a graver fault explained may come to light; only silence itself can be a fault, and only as rmc-hung.
    new = {one.fault for one in after} - {one.fault for one in before}
    assert {fault for fault in new if not masked(fault, before, complete)} <= ({Fault.RMC_HUNG} if timed_out else set())


@given(seen=LOOKS, hung_looks=st.integers(0, 9), empty_looks=st.integers(0, 9))
def test_every_finding_can_be_checked_and_treated_or_explained(seen: Snapshot, hung_looks: int, empty_looks: int) -> None:
    for one in found(seen, hung_looks=hung_looks, empty_looks=empty_looks):
        assert one.evidence and all(one.sources) and one.sources
        assert LADDER[one.fault] or one.advice
