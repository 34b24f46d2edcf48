"""From a look to what is wrong: every fault with its evidence, what silences what, and what is no fault at all."""
from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmcagent.model import (
    DomainStatus,
    Fact,
    Fault,
    Finding,
    Link,
    LogGrowth,
    Platform,
    Side,
    Snapshot,
    Space,
    State,
    Stop,
)
from rmcagent.reason.diagnose import diagnose, looks_hung, management_expected, masked, reachability, shows_no_hmc, untold_links
from rmcagent.reason.ladder import GRAVITY, LADDER
from seen import (
    DEFAULTS,
    HMC1,
    HMC2,
    PLATFORMS,
    finding,
    gap,
    history,
    hmc,
    inapplicable,
    missing,
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
EMPTY: Any = {"hmcs": (), "status": told(DomainStatus()), "mcp": told(()), "servers": told(())}
FULL = told(Space("/var", 1000 * 1024, 20 * 1024))
CRASHED = told(Stop(True, "SRC logged its abnormal end (DE84C4DB in errpt)"))
STOPPED = told(Stop(False, "errpt shows that RMC was stopped"))


def found(seen: Snapshot, settings: Any = DEFAULTS, **past: Any) -> Tuple[Finding, ...]:
    return diagnose(seen, history(**past), settings)


def faults(seen: Snapshot, settings: Any = DEFAULTS, **past: Any) -> Tuple[Fault, ...]:
    return tuple(one.fault for one in found(seen, settings, **past))


def only(seen: Snapshot, settings: Any = DEFAULTS, **past: Any) -> Finding:
    (one,) = found(seen, settings, **past)
    return one


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


# -- links


def test_a_link_that_is_down_to_an_hmc_that_answers_is_link_down() -> None:
    one = only(plain(link=Link.DOWN))

    assert (one.fault, one.side) == (Fault.LINK_DOWN, Side.HERE)
    assert one.evidence == f"every known HMC is down by heartbeat (O): {HMC1}; {HMC1} answers on its RMC port"


def test_where_reachability_could_not_be_asked_link_down_says_so() -> None:
    one = only(with_hmcs(plain(), hmc(Link.DOWN, reachable=None)))

    assert one.fault is Fault.LINK_DOWN and "whether it can be reached could not be asked" in one.evidence


def test_no_hmc_that_answers_is_a_matter_of_the_network() -> None:
    one = only(with_hmcs(plain(), hmc(Link.DOWN, reachable=False), hmc(Link.DOWN, HMC2, reachable=False)))

    assert (one.fault, one.side) == (Fault.HMC_UNREACHABLE, Side.NETWORK)
    assert f"{HMC1}, {HMC2}" in one.evidence and "657" in one.advice and "12601" in one.advice


def test_one_that_does_not_answer_and_one_that_could_not_be_asked_are_not_called_unreachable() -> None:
    assert faults(with_hmcs(plain(), hmc(Link.DOWN, reachable=False), hmc(Link.DOWN, HMC2, reachable=None))) == (Fault.LINK_DOWN,)


@pytest.mark.parametrize("link, fault, side, word", [
    (Link.PENDING, Fault.LINK_PENDING, Side.IDENTITY, "(i)"),
    (Link.FLAPPING, Fault.LINK_FLAPPING, Side.IDENTITY, "(Z)"),
    (Link.SUSPENDED, Fault.LINK_BLOCKED, Side.NETWORK, "(X)"),
])
def test_each_letter_has_its_fault(link: Link, fault: Fault, side: Side, word: str) -> None:
    one = only(plain(link=link))

    assert (one.fault, one.side) == (fault, side)
    assert one.evidence.startswith(HMC1) and word in one.evidence


@pytest.mark.parametrize("link", [Link.PENDING, Link.FLAPPING, Link.SUSPENDED])
def test_the_letter_that_needs_most_names_the_fault(link: Link) -> None:
    beside = with_hmcs(plain(), hmc(Link.DOWN, reachable=False), hmc(link, HMC2))

    assert faults(beside) == faults(plain(link=link))


def test_one_hmc_lost_beside_a_working_one_is_link_partial_and_that_hmcs_matter() -> None:
    one = only(with_hmcs(plain(), hmc(Link.UP), hmc(Link.PENDING, HMC2)))

    assert (one.fault, one.side) == (Fault.LINK_PARTIAL, Side.HMC)
    assert one.evidence == f"{HMC2} (pending) lost while {HMC1} is connected"


@pytest.mark.parametrize("link", [Link.UP, Link.UNKNOWN])
def test_an_hmc_that_nothing_shows_any_more_is_not_lost(link: Link) -> None:
    assert found(with_hmcs(plain(), hmc(link), hmc(Link.UNKNOWN, HMC2))) == ()


@pytest.mark.parametrize("status", [gap(), missing(), unasked(), gap("garbled", timed_out=False)])
def test_without_rmcdomainstatus_nothing_is_said_of_links(status: Fact[DomainStatus]) -> None:
    assert found(plain(status=status)) == ()


# -- no HMC


def test_no_hmc_anywhere_in_two_looks_where_one_was_seen_before_is_no_hmc() -> None:
    one = only(plain(**EMPTY), empty_looks=2)

    assert (one.fault, one.side) == (Fault.NO_HMC, Side.HERE)
    assert one.evidence.endswith(f"expected: {HMC1}")
    assert found(plain(**EMPTY), empty_looks=1) == ()


@pytest.mark.parametrize(
    "text, known, expected",
    [
        ("", True, True),
        ("", False, False),
        ("expect: {hmcs: [192.0.2.9]}", False, True),
        ("expect: {management: required}", False, True),
        ("expect: {management: none}", True, False),
        ("expect: {management: none, hmcs: [192.0.2.9]}", False, False),
    ],
)
def test_no_hmc_is_a_fault_only_where_one_is_expected(text: str, known: bool, expected: bool) -> None:
    past = history() if known else history(known=())

    assert management_expected(past, policy(text)) is expected
    assert bool(diagnose(plain(**EMPTY), replace(past, empty_looks=2), policy(text))) is expected


@pytest.mark.parametrize("where", ["status", "mcp", "servers", "in_band"])
def test_an_answer_that_could_not_be_had_is_not_an_empty_one(where: str) -> None:
    for untold in (gap(), unasked()):
        seen = with_fact(plain(**EMPTY), where, untold)

        assert not shows_no_hmc(seen)
        assert Fault.NO_HMC not in faults(seen, empty_looks=9)


@pytest.mark.parametrize("where", ["status", "mcp"])
def test_an_essential_command_that_is_missing_is_not_an_empty_answer(where: str) -> None:
    assert not shows_no_hmc(with_fact(plain(**EMPTY), where, missing()))


@pytest.mark.parametrize(
    "where, value",
    [("status", DomainStatus((point(Link.DOWN),))), ("mcp", (server(),)), ("servers", (server(),)), ("in_band", ("hmc1",))],
)
def test_anything_that_names_an_hmc_shows_one(where: str, value: Any) -> None:
    assert not shows_no_hmc(with_fact(plain(**EMPTY), where, told(value)))


def test_the_older_class_and_mcproxy_need_not_be_here() -> None:
    assert shows_no_hmc(plain(**{**EMPTY, "servers": missing(), "in_band": missing()}))
    assert shows_no_hmc(plain(**{**EMPTY, "servers": inapplicable(), "in_band": inapplicable()}))
    assert shows_no_hmc(plain(**{**EMPTY, "in_band": told(())}))


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


def test_the_hmcs_errors_silence_the_storm_they_make_but_no_link() -> None:
    assert faults(plain(link=Link.DOWN, logs=told(HMC_NOISE))) == (Fault.LINK_DOWN, Fault.HMC_SIDE)


def test_an_hmc_that_is_away_silences_the_storm_its_absence_makes() -> None:
    away = with_hmcs(plain(logs=told(NOISE)), hmc(Link.DOWN, reachable=False))

    assert faults(away) == (Fault.HMC_UNREACHABLE,)


def test_a_fault_that_is_not_found_may_stand_behind_a_graver_one() -> None:
    down, manager, unreachable = finding(Fault.RMC_DOWN), finding(Fault.MANAGER_DOWN, "IBM.DRM"), finding(Fault.HMC_UNREACHABLE)

    assert masked(Fault.LINK_DOWN, (down,)) and masked(Fault.NO_HMC, (manager,)) and masked(Fault.MANAGER_DOWN, (down,))
    assert masked(Fault.LOG_STORM, (unreachable,)) and not masked(Fault.LOG_STORM, (down,))
    assert (
        not masked(Fault.LINK_DOWN, ())
        and not masked(Fault.LINK_DOWN, (unreachable,))
        and not masked(Fault.MANAGER_DOWN, (manager,))
    )
    assert not masked(Fault.RMC_DOWN, (down,)) and not masked(Fault.VAR_FULL, (down, manager))


def test_links_are_untold_where_an_hmc_is_expected_and_nothing_says_whether_it_is_connected() -> None:
    nothing_told = with_hmcs(plain(), hmc(Link.UNKNOWN))

    assert untold_links(nothing_told, history(), DEFAULTS)
    assert not untold_links(nothing_told, history(known=()), DEFAULTS)
    assert not untold_links(plain(link=Link.DOWN), history(), DEFAULTS)
    assert not untold_links(plain(**EMPTY), history(), DEFAULTS)
    assert not untold_links(with_hmcs(plain(rmc="down"), hmc(Link.UNKNOWN)), history(), DEFAULTS)


# -- gaps


SOURCES = ("subsystems", "status", "mcp", "servers", "in_band", "logs", "var", "stop")


@pytest.mark.parametrize("where", SOURCES)
def test_a_gap_in_a_healthy_look_is_never_a_fault(where: str) -> None:
    for untold in (gap(), gap("garbled", timed_out=False), unasked(), missing()):
        assert found(with_fact(HEALTHY, where, untold), hung_looks=9, empty_looks=9) == ()


def test_a_gap_elsewhere_hides_no_plain_fault() -> None:
    blind_otherwise = plain(rmc="down", stop=CRASHED, status=gap(), mcp=gap(), servers=gap(), logs=gap(), var=gap())

    assert faults(blind_otherwise) == (Fault.RMC_DOWN,)


LOOKS = st.builds(
    lambda rmc, link, gone, logs, var, fresh: replace(
        with_fact(plain(rmc=rmc, link=link), "logs", told(logs)) if logs else with_fact(plain(rmc=rmc, link=link), "logs", gap()),
        var=told(var) if var else gap(),
        fresh=fresh,
        ctrmc_alive=None if gone else True,
    ),
    st.sampled_from(["healthy", "down", "hung"]),
    st.sampled_from(Link),
    st.booleans(),
    st.sampled_from([None, LogGrowth(), NOISE, HMC_NOISE]),
    st.sampled_from([None, Space("/var", 100, 50), Space("/var", 100, 1)]),
    st.booleans(),
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
    before = set(faults(seen, hung_looks=hung_looks, empty_looks=empty_looks))
    for where in untold:
        seen = with_fact(seen, where, gap(timed_out=timed_out))

    after = set(faults(seen, hung_looks=hung_looks, empty_looks=empty_looks))

    # A gap before it hid RMC or its managers may uncover nothing; only silence itself can be a fault, and only as rmc-hung.
    assert after - before <= ({Fault.RMC_HUNG} if timed_out else set())


@given(seen=LOOKS, hung_looks=st.integers(0, 9), empty_looks=st.integers(0, 9))
def test_every_finding_can_be_checked_and_treated_or_explained(seen: Snapshot, hung_looks: int, empty_looks: int) -> None:
    for one in found(seen, hung_looks=hung_looks, empty_looks=empty_looks):
        assert one.evidence and all(one.sources) and one.sources
        assert LADDER[one.fault] or one.advice


# -- reachability


def test_reachability_is_one_mark_an_hmc_in_the_order_of_their_addresses() -> None:
    seen = with_hmcs(
        plain(), hmc(Link.DOWN, HMC2, reachable=None), hmc(Link.DOWN, HMC1, reachable=False), hmc(Link.UP, "192.0.2.23")
    )

    assert reachability(seen) == f"-{HMC1} ?{HMC2} +192.0.2.23"
