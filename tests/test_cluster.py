"""Is this node in a cluster? Section 6's table, every row on every platform, and what it comes to for recycle and recfgct."""
from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable, Optional, Set, Tuple

import pytest

from day import MINUTE as MINUTE_SECONDS
from day import Day
from rmcagent.model import (
    DomainStatus,
    Fact,
    Fault,
    History,
    How,
    KnownHmc,
    Link,
    PeerDomain,
    Platform,
    Remedy,
    Snapshot,
    State,
)
from rmcagent.reason import cluster, guards
from seen import (
    ANYTHING,
    DAY,
    FAULT_OF,
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
    inapplicable,
    missing,
    older,
    plain,
    point,
    policy,
    rows,
    server,
    told,
    unasked,
    with_fact,
    with_state,
)

AIX, LINUX, VIOS = Platform.AIX, Platform.LINUX, Platform.VIOS
RECYCLE, RECFGCT = Remedy.RECYCLE, Remedy.RECFGCT
BOTH = (RECYCLE, RECFGCT)
TABLE = {"cluster", "hmc-connected", "migration"}         # the guards in which its rows speak
ALLOW = policy("remedies: {recycle: {in_cluster: allow}, recfgct: {treats: [link-down]}}")


def case(
    remedy: Remedy, seen: Snapshot, fault: Fault = Fault.LINK_DOWN, past: Any = None, settings: Any = ANYTHING
) -> guards.Case:
    found = finding(fault)
    done = (attempt(RECYCLE),) if remedy is RECFGCT else ()
    return guards.Case(remedy, found, seen, past or history(*done, found=(found,)), settings, NOON)


def forbids(remedy: Remedy, seen: Snapshot, fault: Fault = Fault.LINK_DOWN, past: Any = None, settings: Any = ANYTHING) -> bool:
    """Whether a row of the table, or the want of a proof, forbids this remedy."""
    return any(refusal.guard in TABLE for refusal in guards.refusals(case(remedy, seen, fault, past, settings)))


def reasons(remedy: Remedy, seen: Snapshot, **more: Any) -> str:
    return "; ".join(refusal.because for refusal in guards.refusals(case(remedy, seen, **more)) if refusal.guard in TABLE)


# -- the nine ways


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("rmc", RMC)
def test_where_no_objection_is_planted_nothing_holds_recycle(platform: Platform, rmc: str) -> None:
    seen = plain(platform, rmc)

    spoken = guards.refusals(case(RECYCLE, seen, FAULT_OF[rmc]))

    assert spoken == ()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_where_no_objection_is_planted_nothing_holds_recfgct_while_rmc_is_healthy(platform: Platform) -> None:
    seen = plain(platform)

    spoken = guards.refusals(case(RECFGCT, seen))

    assert spoken == ()


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("rmc", ["down", "hung"])
def test_recfgct_is_never_allowed_with_rmc_down_or_hung(platform: Platform, rmc: str) -> None:
    seen = plain(platform, rmc)

    # Not even where lsrpdomain should have answered after all.
    answering = with_fact(seen, "cluster.peer_domains", told(()))

    for look in (seen, answering):
        guards_speaking = {refusal.guard for refusal in guards.refusals(case(RECFGCT, look, FAULT_OF[rmc]))}
        assert "rmc-silent" in guards_speaking


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("rmc", RMC)
def test_the_verdict_for_status_says_the_same_nine_ways(platform: Platform, rmc: str) -> None:
    known = cluster.verdict(plain(platform, rmc), history(), ANYTHING, NOON)

    assert (known.state, known.recycle, known.recfgct) == ("absent", True, rmc == "healthy")


@pytest.mark.parametrize("rmc", ["down", "hung"])
def test_an_lsrpdomain_from_before_does_not_let_the_verdict_allow_recfgct(rmc: str) -> None:
    carried = with_fact(plain(AIX, rmc, fresh=False), "cluster.peer_domains", told((), NOON - HOUR))

    assert not cluster.verdict(carried, history(), ANYTHING, NOON).recfgct


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("rmc", RMC)
def test_what_is_observed_of_a_simulated_partition_comes_to_the_same_nine_ways(
    tmp_path: Path, platform: Platform, rmc: str
) -> None:
    day = Day(tmp_path, platform)
    day.run(2 * MINUTE_SECONDS)
    BREAKS[rmc](day)
    day.clock.sleep(1)

    seen = day.cycle.observer.evidence((KnownHmc("192.0.2.21"),))

    now = day.cycle.steady.now()
    found = finding(FAULT_OF[rmc])
    past = History(now - DAY, booted_at=now - DAY, attempts=(), sightings={}, answering_since={"192.0.2.21": now - HOUR})
    held = {
        remedy: {refusal.guard for refusal in guards.refusals(guards.Case(remedy, found, seen, past, ANYTHING, now))}
        for remedy in BOTH
    }
    assert held[RECYCLE] == set()
    assert held[RECFGCT] & {*TABLE, "rmc-silent"} == (set() if rmc == "healthy" else held[RECFGCT] - {"order"})
    assert ("rmc-silent" in held[RECFGCT]) == (rmc != "healthy")


BREAKS: Any = {
    "healthy": lambda day: day.do("stick_session", mended_by=None),
    "down": lambda day: day.do("crash"),
    "hung": lambda day: day.do("hung_rmc"),
}


@pytest.mark.parametrize("platform, plant", [
    *((platform, plant) for platform in (AIX, VIOS)
      for plant in ("start_caa", "stop_caa", "start_powerha", "define_peer_domain", "offline_domain")),
    (VIOS, "start_ssp"), (LINUX, "define_peer_domain"), (LINUX, "offline_domain"),
])
def test_a_cluster_on_a_simulated_partition_is_found_by_the_evidence(tmp_path: Path, platform: Platform, plant: str) -> None:
    day = Day(tmp_path, platform)
    PLANTS[plant](day)
    day.do("stick_session", mended_by=None)
    day.clock.sleep(1)

    seen = day.cycle.observer.evidence()

    now = day.cycle.steady.now()
    forbidden = {remedy: bool(cluster.refusals(remedy, seen, History(now), ANYTHING, now)) for remedy in BOTH}
    assert forbidden == {RECYCLE: plant != "offline_domain", RECFGCT: True}


PLANTS: Any = {
    "start_caa": lambda day: day.do("start_caa"),
    "start_ssp": lambda day: day.do("start_ssp"),
    "stop_caa": lambda day: (day.do("start_caa"), day.do("stop_caa")),
    "start_powerha": lambda day: (day.do("start_caa"), day.do("start_powerha", "ST_INIT"), day.do("stop_caa")),
    "define_peer_domain": lambda day: day.do("define_peer_domain"),
    "offline_domain": lambda day: day.do("define_peer_domain", "pd1", "Offline"),
}


# -- the table, row by row


@dataclass(frozen=True)
class Row:
    """What the table says of one probe: where it objects, and whom a missing or untold answer forbids."""

    where: str
    objects: Tuple[Any, ...]
    is_fine: Tuple[Any, ...]
    missing: Callable[[Platform], Set[Remedy]]
    untold: Set[Remedy]
    objects_to: Set[Remedy] = frozenset(BOTH)      # type: ignore[assignment]


def nobody(platform: Platform) -> Set[Remedy]:
    return set()


def everybody(platform: Platform) -> Set[Remedy]:
    return set(BOTH)


def domains(*states: str) -> Tuple[PeerDomain, ...]:
    return tuple(PeerDomain(f"pd{number}", state) for number, state in enumerate(states))


ROWS = (
    Row(
        "subsystems",
        tuple(
            rows(AIX, **{name: state})
            for name in ("cthags", "cthats", "grpsvcs", "topsvcs", "clconfd")
            for state in (State.ACTIVE, State.STARTING, State.STOPPING, State.UNKNOWN)
        ),
        (
            rows(cthags=State.INOPERATIVE, grpsvcs=State.INOPERATIVE),
            rows(clcomd=State.ACTIVE, IBM_ConfigRM=State.ACTIVE, vio_daemon=State.ACTIVE),
        ),
        everybody,
        set(BOTH),
    ),
    Row(
        "cluster.powerha",
        ("ST_INIT", "ST_STABLE", "ST_BARRIER", "ST_UNSTABLE", "ST_NEVER_HEARD_OF", "RP_FAILED", "SOMETHING_NEW", ""),
        ("NOT_CONFIGURED",),
        nobody,
        set(BOTH),
    ),
    Row("cluster.powerha_odm", ("ha_cl",), ("",), nobody, set(BOTH)),
    Row("cluster.ct_cluster", ("caa_cl", "iw"), ("", "IW"), nobody, set()),
    Row("cluster.caa", ("State of node:  UP",), ("",), nobody, set(BOTH)),
    Row("cluster.caavg", ("hdisk2",), ("",), lambda platform: set() if platform is LINUX else set(BOTH), set(BOTH)),
    Row("cluster.ssp", ("ssp_cl",), ("",), lambda platform: set(BOTH) if platform is VIOS else set(), set(BOTH)),
    # Plain AIX and VIOS have a row of cthags, plain Linux has not.
    Row(
        "cluster.peer_domains",
        (domains("Online"), domains("Pending online"), domains("Offline", "Online"), domains("Fehlerhaft")),
        ((),),
        lambda platform: set() if platform is LINUX else set(BOTH),
        {RECFGCT},
    ),
    Row(
        "cluster.peer_domains",
        (domains("Offline"), domains("offline", "Offline")),
        ((),),
        lambda platform: set() if platform is LINUX else set(BOTH),
        {RECFGCT},
        {RECFGCT},
    ),
    Row("mcp", ((server(domain="pd1"),), (server(), server("192.0.2.22", "pd1"))), ((), (server(),)), nobody, set()),
    Row(
        "status",
        (
            DomainStatus((point(Link.DOWN),), peers=("aix2",)),
            DomainStatus((point(Link.UP),)),
            DomainStatus((point(Link.DOWN), point(Link.UP, "192.0.2.22"))),
            DomainStatus((point(Link.UNKNOWN),)),
        ),
        (DomainStatus(), *(DomainStatus((point(link),)) for link in (Link.DOWN, Link.PENDING, Link.SUSPENDED, Link.FLAPPING))),
        everybody,
        set(BOTH),
    ),
    Row("in_band", (("hmc1",),), ((),), nobody, set(BOTH)),
    Row("busy.migration", ("a migration started at 11:58",), ("",), everybody, set(BOTH)),
)
BY_PROBE = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.where)
ON_EACH = pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.value)


@BY_PROBE
@ON_EACH
def test_what_objects_forbids_and_says_so(row: Row, platform: Platform) -> None:
    for value in row.objects:
        seen = with_fact(plain(platform), row.where, told(value))

        forbidden = {remedy for remedy in BOTH if forbids(remedy, seen)}

        assert forbidden == set(row.objects_to), value


@BY_PROBE
@ON_EACH
def test_what_is_fine_forbids_nothing(row: Row, platform: Platform) -> None:
    for value in row.is_fine:
        seen = with_fact(plain(platform), row.where, told(value))

        assert not [remedy for remedy in BOTH if forbids(remedy, seen)], value


@BY_PROBE
@ON_EACH
def test_a_missing_command_forbids_what_its_column_says(row: Row, platform: Platform) -> None:
    seen = with_fact(plain(platform), row.where, missing())

    assert {remedy for remedy in BOTH if forbids(remedy, seen)} == row.missing(platform)


@BY_PROBE
@ON_EACH
@pytest.mark.parametrize(
    "untold", [gap(), gap("not understood", timed_out=False), unasked()], ids=["timed-out", "unreadable", "unasked"]
)
def test_an_answer_that_could_not_be_had_forbids_what_its_column_says(row: Row, platform: Platform, untold: Fact[Any]) -> None:
    seen = with_fact(plain(platform), row.where, untold)

    assert {remedy for remedy in BOTH if forbids(remedy, seen)} == row.untold


@BY_PROBE
@ON_EACH
def test_an_answer_older_than_the_evidence_may_be_is_as_good_as_none(row: Row, platform: Platform) -> None:
    fine = with_fact(plain(platform), row.where, told(row.is_fine[-1]))

    just_in_time = older(fine, row.where, MINUTE)
    too_old = older(fine, row.where, MINUTE + SECOND)

    assert not [remedy for remedy in BOTH if forbids(remedy, just_in_time)]
    assert {remedy for remedy in BOTH if forbids(remedy, too_old)} == row.untold


@BY_PROBE
def test_an_answer_without_a_date_is_not_fresh(row: Row) -> None:
    fine = with_fact(plain(), row.where, replace(told(row.is_fine[-1]), at=None))

    assert {remedy for remedy in BOTH if forbids(remedy, fine)} == row.untold


@BY_PROBE
def test_in_an_ordinary_look_what_was_not_asked_has_no_vote(row: Row) -> None:
    seen = replace(with_fact(plain(), row.where, unasked()), fresh=False)

    assert not [remedy for remedy in BOTH if forbids(remedy, seen)]


@BY_PROBE
def test_in_an_ordinary_look_an_objection_counts_however_old(row: Row) -> None:
    seen = replace(with_fact(plain(), row.where, told(row.objects[0], NOON - DAY)), fresh=False)

    assert {remedy for remedy in BOTH if forbids(remedy, seen)} == set(row.objects_to)


@pytest.mark.parametrize("where", ["cluster.powerha", "in_band"])
def test_a_probe_whose_row_does_not_exist_has_nothing_to_object(where: str) -> None:
    seen = with_fact(plain(), where, inapplicable())

    assert not [remedy for remedy in BOTH if forbids(remedy, seen)]


@ON_EACH
@pytest.mark.parametrize("rmc", ["down", "hung"])
@pytest.mark.parametrize(
    "row", [row for row in ROWS if RECYCLE in row.objects_to and row.where not in ("mcp", "status")], ids=lambda row: row.where
)
def test_with_rmc_down_or_hung_each_objection_still_forbids_recycle(row: Row, rmc: str, platform: Platform) -> None:
    for value in row.objects:
        seen = with_fact(plain(platform, rmc), row.where, told(value))

        assert forbids(RECYCLE, seen, FAULT_OF[rmc]), value


@ON_EACH
@pytest.mark.parametrize("fault", [Fault.RMC_DOWN, Fault.RMC_HUNG])
def test_a_silent_rmcdomainstatus_is_no_objection_to_recycle_for_a_dead_or_hung_rmc_only(
    platform: Platform, fault: Fault
) -> None:
    seen = with_fact(plain(platform), "status", gap())

    assert not forbids(RECYCLE, seen, fault)
    assert forbids(RECFGCT, seen, fault)
    assert forbids(RECYCLE, seen, Fault.LINK_DOWN)
    assert forbids(RECYCLE, seen, Fault.LOG_STORM)


def test_a_connected_hmc_objects_even_for_a_hung_rmc() -> None:
    seen = with_fact(plain(rmc="hung"), "status", told(DomainStatus((point(Link.UP),))))

    assert forbids(RECYCLE, seen, Fault.RMC_HUNG)


def test_an_unknown_letter_beside_a_known_one_may_be_a_connection() -> None:
    seen = with_fact(plain(), "status", told(DomainStatus((point(Link.DOWN), point(Link.UNKNOWN, "192.0.2.22")))))

    assert "192.0.2.22" in reasons(RECYCLE, seen)


# -- lspv may lean on an earlier answer


def test_an_untold_lspv_lets_recycle_lean_on_an_answer_of_the_last_day_and_recfgct_not() -> None:
    seen = with_fact(plain(), "cluster.caavg", gap())

    lately = history(attempt(RECYCLE), found=(finding(),), caavg_absent_at=NOON - DAY)
    too_long_ago = history(attempt(RECYCLE), found=(finding(),), caavg_absent_at=NOON - DAY - SECOND)

    assert (forbids(RECYCLE, seen, past=lately), forbids(RECFGCT, seen, past=lately)) == (False, True)
    assert (forbids(RECYCLE, seen, past=too_long_ago), forbids(RECFGCT, seen, past=too_long_ago)) == (True, True)


def test_an_earlier_answer_of_lspv_does_not_outvote_a_later_one() -> None:
    seen = with_fact(plain(), "cluster.caavg", told("hdisk2"))

    assert forbids(RECYCLE, seen, past=history(found=(finding(),), caavg_absent_at=NOON - MINUTE))


# -- missing lsrpdomain


@pytest.mark.parametrize("name", ["cthags", "IBM.RecoveryRM"])
def test_a_missing_lsrpdomain_forbids_where_a_peer_domain_could_be(name: str) -> None:
    bare = with_fact(plain(LINUX), "cluster.peer_domains", missing())
    with_row = with_state(bare, name, State.INOPERATIVE)

    assert not [remedy for remedy in BOTH if forbids(remedy, bare)]
    assert [remedy for remedy in BOTH if forbids(remedy, with_row)] == [*BOTH]


# -- offline domains


def test_an_offline_domain_is_no_cluster_yet_forbids_recfgct() -> None:
    seen = with_fact(plain(), "cluster.peer_domains", told(domains("Offline")))

    known = cluster.verdict(seen, history(), ANYTHING, NOON)

    assert (known.state, known.recycle, known.recfgct) == ("absent", True, False)
    assert "the peer domain pd0 is Offline" in known.evidence


# -- a proof is needed


def without_proof(rmc: str = "down") -> Snapshot:
    return with_fact(plain(AIX, rmc), "cluster.ct_cluster", gap())


def test_recycle_needs_something_that_says_there_is_no_cluster() -> None:
    assert "nothing proves that this node is in no cluster" in reasons(RECYCLE, without_proof(), fault=Fault.RMC_DOWN)


@pytest.mark.parametrize("name, proven", [
    ("ct_clusterinfo says IW", lambda seen: with_fact(seen, "cluster.ct_cluster", told("IW"))),
    ("lsrpdomain shows none", lambda seen: with_fact(seen, "cluster.peer_domains", told(()))),
    ("lsrpdomain shows offline ones", lambda seen: with_fact(seen, "cluster.peer_domains", told(domains("Offline")))),
    ("lsrpdomain cannot be here", lambda seen: with_fact(with_state(seen, "cthags", None), "cluster.peer_domains", missing())),
])
def test_each_of_these_proves_it(name: str, proven: Callable[[Snapshot], Snapshot]) -> None:
    assert not forbids(RECYCLE, proven(without_proof()), Fault.RMC_DOWN), name


@pytest.mark.parametrize("name, unproven", [
    ("an empty ct_clusterinfo", lambda seen: with_fact(seen, "cluster.ct_cluster", told(""))),
    ("a missing ct_clusterinfo", lambda seen: with_fact(seen, "cluster.ct_cluster", missing())),
    ("an old ct_clusterinfo", lambda seen: with_fact(seen, "cluster.ct_cluster", told("IW", NOON - 2 * MINUTE))),
    ("an old lsrpdomain", lambda seen: with_fact(seen, "cluster.peer_domains", told((), NOON - 2 * MINUTE))),
    ("an lsrpdomain that could not tell", lambda seen: with_fact(seen, "cluster.peer_domains", gap())),
])
def test_none_of_these_proves_it(name: str, unproven: Callable[[Snapshot], Snapshot]) -> None:
    assert forbids(RECYCLE, unproven(without_proof()), Fault.RMC_DOWN), name


def test_an_earlier_lsrpdomain_of_this_boot_proves_it_for_two_days() -> None:
    found = finding(Fault.RMC_DOWN)
    lately = history(found=(found,), domains_allowed_at=NOON - 48 * HOUR)
    too_long_ago = history(found=(found,), domains_allowed_at=NOON - 48 * HOUR - SECOND)

    assert not forbids(RECYCLE, without_proof(), Fault.RMC_DOWN, lately)
    assert forbids(RECYCLE, without_proof(), Fault.RMC_DOWN, too_long_ago)


def test_an_earlier_lsrpdomain_proves_nothing_for_recfgct() -> None:
    seen = with_fact(plain(), "cluster.peer_domains", gap())

    assert forbids(RECFGCT, seen, past=history(attempt(RECYCLE), found=(finding(),), domains_allowed_at=NOON - MINUTE))


def test_recfgct_needs_lsrpdomain_itself_whatever_ct_clusterinfo_says() -> None:
    seen = replace(with_fact(plain(), "cluster.peer_domains", unasked()), fresh=False)

    known = cluster.verdict(seen, history(), ANYTHING, NOON)

    assert (known.recycle, known.recfgct) == (True, False)
    assert "nothing proves that no peer domain is defined: lsrpdomain did not answer" in known.evidence


# -- in_cluster: allow


def at_rest(platform: Platform = AIX) -> Snapshot:
    """A CAA node whose cluster is stopped: the repository disk is still taken."""
    return with_fact(plain(platform), "cluster.caavg", told("hdisk2"))


def test_allow_lifts_the_guard_from_recycle_of_a_cluster_at_rest_and_never_from_recfgct() -> None:
    assert forbids(RECYCLE, at_rest())

    assert not forbids(RECYCLE, at_rest(), settings=ALLOW)
    assert forbids(RECFGCT, at_rest(), settings=ALLOW)


@pytest.mark.parametrize("state, lifts", [(State.INOPERATIVE, True), (None, True), (State.ACTIVE, False), (State.STARTING, False),
                                          (State.STOPPING, False), (State.UNKNOWN, False)])
@pytest.mark.parametrize("name", ["cthags", "cthats", "grpsvcs", "topsvcs"])
def test_allow_lifts_it_only_while_group_services_are_inoperative(name: str, state: State, lifts: bool) -> None:
    seen = with_state(at_rest(), name, state)

    assert forbids(RECYCLE, seen, settings=ALLOW) is not lifts


@pytest.mark.parametrize(
    "powerha, lifts",
    [
        (inapplicable(), True),
        (missing(), True),
        (told("ST_INIT"), True),
        (told("NOT_CONFIGURED"), True),
        (told("ST_STABLE"), False),
        (told("RP_FAILED"), False),
        (told("ST_JOINING"), False),
        (told("SOMETHING_NEW"), False),
        (told(""), False),
        (gap(), False),
        (unasked(), False),
        (told("ST_INIT", NOON - 2 * MINUTE), False),
    ],
)
def test_allow_lifts_it_only_while_powerha_is_away_or_at_rest(powerha: Fact[Any], lifts: bool) -> None:
    seen = with_fact(at_rest(), "cluster.powerha", powerha)

    assert forbids(RECYCLE, seen, settings=ALLOW) is not lifts


@pytest.mark.parametrize(
    "found, lifts",
    [
        (told(()), True),
        (told(domains("Offline")), True),
        (told(domains("Online")), False),
        (told(domains("Pending online")), False),
        (gap(), False),
        (unasked(), False),
        (missing(), False),
        (told((), NOON - 2 * MINUTE), False),
    ],
)
def test_allow_lifts_it_only_while_no_peer_domain_is_online(found: Fact[Any], lifts: bool) -> None:
    seen = with_fact(at_rest(), "cluster.peer_domains", found)

    assert forbids(RECYCLE, seen, settings=ALLOW) is not lifts


@pytest.mark.parametrize("where", ["subsystems"])
@pytest.mark.parametrize(
    "untold", [gap(), missing(), unasked(), told(rows(), NOON - 2 * MINUTE)], ids=["gap", "missing", "unasked", "old"]
)
def test_allow_lifts_nothing_where_lssrc_could_not_tell(where: str, untold: Fact[Any]) -> None:
    assert forbids(RECYCLE, with_fact(at_rest(), where, untold), settings=ALLOW)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("rmc", RMC)
def test_allow_forbids_nothing_that_refuse_would_not(platform: Platform, rmc: str) -> None:
    assert not forbids(RECYCLE, plain(platform, rmc), FAULT_OF[rmc], settings=ALLOW)


def test_allow_lifts_neither_a_connected_hmc_nor_a_migration() -> None:
    connected = with_fact(at_rest(), "status", told(DomainStatus((point(Link.UP),))))
    migrating = with_fact(at_rest(), "busy.migration", told("a migration started at 11:58"))

    assert forbids(RECYCLE, connected, settings=ALLOW)
    assert forbids(RECYCLE, migrating, settings=ALLOW)


def test_a_lifted_guard_shows_in_the_verdict_though_the_cluster_is_present() -> None:
    known = cluster.verdict(at_rest(), history(), ALLOW, NOON)

    assert (known.state, known.recycle, known.recfgct) == ("present", True, False)


def test_where_allow_does_not_lift_only_what_is_not_at_rest_is_told_and_each_sentence_once() -> None:
    live = with_fact(with_state(at_rest(), "cthags", State.ACTIVE), "cluster.caa", told("State of node:  UP"))
    seen = with_fact(with_fact(live, "cluster.powerha", told("ST_STABLE")), "cluster.peer_domains", gap("exit 1"))

    spoken = cluster.refusals(RECYCLE, seen, history(), ALLOW, NOON)

    assert [(one.because, one.unblock) for one in spoken] == [
        ("a cluster's services run here: cthags is active", f"{NODE_OFF}; {ITSELF}; then {NODE_ON}"),
        ("PowerHA is in ST_STABLE", f"{NODE_OFF}; {ITSELF}; then {NODE_ON}"),
        ("lsrpdomain could not tell: exit 1", "make the command answer"),
    ]


def test_what_objects_is_told_before_what_could_not_be_told() -> None:
    online = with_fact(plain(), "cluster.peer_domains", told(domains("Online")))

    refused = cluster.refusals(RECYCLE, with_fact(online, "cluster.caavg", gap("exit 1")), history(), ANYTHING, NOON)
    allowed = cluster.refusals(RECYCLE, with_fact(online, "subsystems", gap("exit 1")), history(), ALLOW, NOON)

    assert [one.because for one in refused] == ["the peer domain pd0 is Online", "lspv could not tell: exit 1"]
    assert [one.because for one in allowed] == ["the peer domain pd0 is Online", "lssrc -a could not tell: exit 1"]


# -- what is said


def test_an_objection_names_its_evidence_and_the_procedure() -> None:
    spoken = cluster.refusals(RECFGCT, at_rest(), history(), ANYTHING, NOON)

    assert [(one.guard, one.because, one.lasting) for one in spoken] == [
        ("cluster", "CAA is configured (caavg_private on hdisk2)", True)
    ]
    assert "(clmgr offline cluster NAME STOP_CAA=yes, or clctrl -stop -n NAME -a)" in spoken[0].unblock
    assert spoken[0].unblock.endswith("then clmgr online cluster NAME START_CAA=yes, or clctrl -start -n NAME -a")


# -- the procedure, by platform and situation

BY_HAND, RECFGCT_BY_HAND = "recycle RMC by hand (rmcctrl -z, -A, -p)", "run recfgct and rmcctrl -p by hand"
ITSELF = "the agent then recycles RMC itself"
ALLOWING = "; or remedies.recycle.in_cluster: allow (the cluster is at rest here)"
NODE_OFF = ("at a change window: clmgr offline node NODE WHEN=now MANAGE=move STOP_CAA=yes, "
            "which moves this node's applications")
NODE_ON = "clmgr online node NODE START_CAA=yes"
ALL_OFF = "at a change window, for this stops the applications on all nodes: clmgr offline cluster NAME STOP_CAA=yes"
ALL_ON = "clmgr online cluster NAME START_CAA=yes"
CAA_DOWN = "CAA is configured here and does not run: make sure that it is down on purpose"
POWERHA_DOWN, POWERHA_UP = ("PowerHA is stopped here and CAA does not run, so nothing needs to be stopped",
                            "start PowerHA where it is wanted")
POOL_OFF = ("one VIOS at a time, its clients' paths through the other VIOS sound (lspath there): "
            "clstartstop -stop -n NAME -m NODE takes this VIOS's paths away")
POOL_ON = "clstartstop -start -n NAME -m NODE"
POOL_DOWN = "the pool's cluster is stopped on this VIOS: make sure that this is on purpose"
PEERS_OFF, PEERS_ON = "at a change window: stoprpdomain NAME, which stops the peer domain on all its nodes", "startrpdomain NAME"
MEMBER_OUT = ("take this node out of the peer domain first: stoprpnode NODE and rmrpnode NODE on another node "
              "(rmrpdomain NAME if there is none)")
MEMBER_IN = "preprpnode here, addrpnode and startrpnode NODE there"
OFFLINE_OUT = ("an Offline domain holds only recfgct, not recycle: recfgct deletes its definition. To give that up: "
               "rmrpdomain -f NAME on each of its nodes")
OFFLINE_IN = "make the domain anew (preprpnode, mkrpdomain)"
CAA_FIRST = "make lscluster and lspv answer first: where CAA is configured, removing the peer domain removes CAA's cluster"
ALONE_OFF = ("at a change window: clmgr offline node NODE WHEN=now MANAGE=move STOP_CAA=yes, or without PowerHA "
             "clctrl -stop -n NAME -m NODE")
ALONE_ALL_OFF = ("at a change window, for this stops what uses CAA on all nodes: clmgr offline cluster NAME STOP_CAA=yes, "
                 "or without PowerHA clctrl -stop -n NAME -a")
ALONE_ON = "clmgr online node NODE START_CAA=yes, or clctrl -start -n NAME -m NODE"
ALONE_ALL_ON = "clmgr online cluster NAME START_CAA=yes, or clctrl -start -n NAME -a"
UP = {"cluster.caa": told("State of node:  UP"), "cluster.caavg": told("hdisk2"), "cthags": State.ACTIVE,
      "clconfd": State.ACTIVE}
TAKEN, ST_INIT, ONLINE = {"cluster.caavg": told("hdisk2")}, told("ST_INIT"), told(domains("Online"))
OFFLINE = told(domains("Offline"))
HELD = f"{CAA_DOWN}; {BY_HAND}; then {NODE_ON}{ALLOWING}"
ALL_HELD = f"{CAA_DOWN} on all nodes (clmgr offline cluster NAME STOP_CAA=yes); {RECFGCT_BY_HAND}; then {ALL_ON}"
CAA_UP = (f"{NODE_OFF}; {BY_HAND}; then {NODE_ON}", f"{ALL_OFF}; {RECFGCT_BY_HAND}; then {ALL_ON}")
ALONE_HELD = (f"{CAA_DOWN}; {BY_HAND}; then {ALONE_ON}{ALLOWING}",
              f"{CAA_DOWN} on all nodes (clmgr offline cluster NAME STOP_CAA=yes, or clctrl -stop -n NAME -a); "
              f"{RECFGCT_BY_HAND}; then {ALONE_ALL_ON}")
ALONE_UP = (f"{ALONE_OFF}; {BY_HAND}; then {ALONE_ON}", f"{ALONE_ALL_OFF}; {RECFGCT_BY_HAND}; then {ALONE_ALL_ON}")
POOL_UP = (f"{POOL_OFF}; {BY_HAND}; then {POOL_ON}", f"{POOL_OFF}; {RECFGCT_BY_HAND}; then {POOL_ON}")
POOL_HELD = (f"{POOL_DOWN}; {BY_HAND}; then {POOL_ON}{ALLOWING}", f"{POOL_DOWN}; {RECFGCT_BY_HAND}; then {POOL_ON}")
POOL_UNSURE = (f"{POOL_DOWN}; {BY_HAND}; then {POOL_ON}", POOL_HELD[1])         # what is not all told is not known to rest
POWERHA_HELD = (f"{POWERHA_DOWN}; {BY_HAND}; then {POWERHA_UP}{ALLOWING}",
                f"{POWERHA_DOWN}; {RECFGCT_BY_HAND}; then {POWERHA_UP}")
PEERS_UP = (f"{PEERS_OFF}; {BY_HAND}; then {PEERS_ON}", f"{MEMBER_OUT}; {RECFGCT_BY_HAND}; then {MEMBER_IN}")


def called(name: str, unblocks: Tuple[Optional[str], Optional[str]]) -> Tuple[Optional[str], ...]:
    return tuple(words and words.replace("NAME", name) for words in unblocks)


OFFLINE_HELD = (None, f"{OFFLINE_OUT}; {RECFGCT_BY_HAND}; then {OFFLINE_IN}")

SITUATIONS = (
    ("CAA runs", AIX, UP, ALONE_UP),
    ("CAA runs, PowerHA NOT_CONFIGURED", AIX, {**UP, "cluster.powerha": told("NOT_CONFIGURED")}, ALONE_UP),
    ("CAA runs, whether PowerHA is defined untold", AIX, {**UP, "cluster.powerha_odm": gap()}, CAA_UP),
    ("CAA and PowerHA run", AIX, {**UP, "cluster.powerha": told("ST_STABLE"), "cluster.powerha_odm": told("ha")},
     called("ha", CAA_UP)),
    ("PowerHA is stopped, CAA runs", AIX, {**UP, "cluster.powerha": ST_INIT, "cluster.peer_domains": ONLINE}, CAA_UP),
    ("CAA is stopped", AIX, TAKEN, ALONE_HELD),
    ("CAA and PowerHA are stopped", AIX, {**TAKEN, "cluster.powerha": ST_INIT}, (HELD, ALL_HELD)),
    ("CAA is stopped, its domain Offline", AIX, {**TAKEN, "cluster.peer_domains": OFFLINE}, ALONE_HELD),
    ("CAA is stopped, PowerHA failed", AIX, {**TAKEN, "cluster.powerha": told("RP_FAILED")}, CAA_UP),
    ("CAA is stopped, PowerHA untold", AIX, {**TAKEN, "cluster.powerha": gap()}, CAA_UP),
    ("CAA is stopped, Group Services run", AIX, {**TAKEN, "cthags": State.ACTIVE}, ALONE_UP),
    ("CAA is stopped, the domain Online", AIX, {**TAKEN, "cluster.peer_domains": ONLINE}, ALONE_UP),
    ("CAA's disk, lscluster untold", AIX, {**TAKEN, "cluster.caa": gap()}, ALONE_UP),
    ("CAA's disk, lscluster's answer is old", AIX, {**TAKEN, "cluster.caa": told("", NOON - HOUR)},
     ALONE_UP),
    ("CAA's disk, lssrc untold", AIX, {**TAKEN, "subsystems": gap()}, ALONE_UP),
    ("clconfd runs", AIX, {"clconfd": State.ACTIVE}, ALONE_UP),
    ("PowerHA ST_INIT, no CAA", AIX, {"cluster.powerha": ST_INIT}, POWERHA_HELD),
    ("PowerHA NOT_CONFIGURED, defined, no CAA", AIX,
     {"cluster.powerha": told("NOT_CONFIGURED"), "cluster.powerha_odm": told("ha")}, POWERHA_HELD),
    ("PowerHA defined, no CAA", AIX, {"cluster.powerha_odm": told("ha")}, POWERHA_HELD),
    ("PowerHA defined, lssrc untold", AIX, {"cluster.powerha_odm": told("ha"), "subsystems": gap()}, called("ha", CAA_UP)),
    ("PowerHA ST_INIT, lscluster untold", AIX, {"cluster.powerha": ST_INIT, "cluster.caa": gap()},
     CAA_UP),
    ("PowerHA ST_INIT, no CAA, Group Services run", AIX, {"cluster.powerha": ST_INIT, "grpsvcs": State.ACTIVE}, PEERS_UP),
    ("PowerHA ST_INIT, no CAA, a domain Offline", AIX, {"cluster.powerha": ST_INIT, "cluster.peer_domains": OFFLINE},
     (POWERHA_HELD[0], called("pd0", OFFLINE_HELD)[1])),
    ("PowerHA runs, no CAA", AIX, {"cluster.powerha": told("ST_STABLE")}, CAA_UP),
    ("a domain Online", AIX, {"cluster.peer_domains": ONLINE, "cthags": State.ACTIVE}, called("pd0", PEERS_UP)),
    ("a domain Online beside NOT_CONFIGURED", AIX,
     {"cluster.peer_domains": ONLINE, "cthags": State.ACTIVE, "cluster.powerha": told("NOT_CONFIGURED")},
     called("pd0", PEERS_UP)),
    ("a domain Online, lscluster untold", AIX, {"cluster.peer_domains": ONLINE, "cluster.caa": gap()},
     (called("pd0", PEERS_UP)[0], CAA_FIRST)),
    ("a domain Online, lspv untold", AIX, {"cluster.peer_domains": ONLINE, "cluster.caavg": gap()},
     (called("pd0", PEERS_UP)[0], CAA_FIRST)),
    ("a domain Offline", AIX, {"cluster.peer_domains": OFFLINE}, called("pd0", OFFLINE_HELD)),
    ("a domain Online", LINUX, {"cluster.peer_domains": ONLINE, "cthags": State.ACTIVE}, called("pd0", PEERS_UP)),
    ("a domain Offline", LINUX, {"cluster.peer_domains": OFFLINE}, called("pd0", OFFLINE_HELD)),
    ("one domain Offline, one Online", LINUX, {"cluster.peer_domains": told(domains("Offline", "Online"))},
     called("pd1", PEERS_UP)),
    ("in a cluster by name", LINUX, {"cluster.ct_cluster": told("lnx_cl")}, (PEERS_UP[0] + ALLOWING, PEERS_UP[1])),
    ("the pool runs", VIOS, {**UP, "cluster.ssp": told("ssp_cl")}, called("ssp_cl", POOL_UP)),
    ("the pool runs, ioscli untold", VIOS, {**UP, "cluster.ssp": gap()}, POOL_UP),
    ("CAA came up after ioscli said none", VIOS, UP, POOL_UP),
    ("the pool is stopped", VIOS, {**TAKEN, "cluster.ssp": told("ssp_cl")}, called("ssp_cl", POOL_HELD)),
    ("the pool with an odd name is stopped", VIOS, {**TAKEN, "cluster.ssp": told("ssp; rm")}, POOL_HELD),
    ("the pool is stopped, ioscli untold", VIOS, {**TAKEN, "cluster.ssp": gap()}, POOL_UNSURE),
    ("the pool is stopped, its disk untold", VIOS, {"cluster.ssp": told("ssp_cl"), "cluster.caavg": gap()},
     called("ssp_cl", POOL_UNSURE)),
    ("the pool, lscluster untold", VIOS, {**TAKEN, "cluster.ssp": told("ssp_cl"), "cluster.caa": gap()},
     called("ssp_cl", POOL_UP)),
    ("a domain Online, ioscli untold", VIOS, {"cluster.peer_domains": ONLINE, "cluster.ssp": gap()}, POOL_UP),
    ("a domain Online, lscluster untold", VIOS, {"cluster.peer_domains": ONLINE, "cluster.caa": gap()}, POOL_UP),
    ("PowerHA, which no VIOS has", VIOS, {"cluster.powerha": told("ST_STABLE")}, POOL_UP),
    ("clconfd runs", VIOS, {"clconfd": State.ACTIVE}, POOL_UP),
    ("a domain Online, no pool and no CAA", VIOS, {"cluster.peer_domains": ONLINE, "cthags": State.ACTIVE},
     called("pd0", PEERS_UP)),
)


def planted(platform: Platform, plants: Any) -> Snapshot:
    seen = plain(platform)
    for where, what in plants.items():
        seen = with_state(seen, where, what) if isinstance(what, State) else with_fact(seen, where, what)
    return seen


@pytest.mark.parametrize("situation, platform, plants, unblocks", SITUATIONS,
                         ids=lambda value: getattr(value, "value", value) if isinstance(value, (str, Platform)) else "")
def test_in_each_situation_the_unblock_is_the_procedure_that_works_there(
    situation: str, platform: Platform, plants: Any, unblocks: Any
) -> None:
    seen = planted(platform, plants)

    spoken = {remedy: cluster.refusals(remedy, seen, history(), ANYTHING, NOON) for remedy in BOTH}

    assert [spoken[remedy][0].unblock if spoken[remedy] else None for remedy in BOTH] == list(unblocks)
    assert all(len(one.unblock) <= 300 for told_of in spoken.values() for one in told_of)       # what the ledger keeps of it
    if platform is VIOS:
        assert not any("clmgr" in one.unblock for told_of in spoken.values() for one in told_of)


@pytest.mark.parametrize("situation, platform, plants, unblocks", SITUATIONS,
                         ids=lambda value: getattr(value, "value", value) if isinstance(value, (str, Platform)) else "")
def test_allow_is_named_only_where_it_would_lift_what_is_told(
    situation: str, platform: Platform, plants: Any, unblocks: Any
) -> None:
    seen = planted(platform, plants)

    refused = cluster.refusals(RECYCLE, seen, history(), ANYTHING, NOON)
    left = cluster.refusals(RECYCLE, seen, history(), ALLOW, NOON)

    assert not (left and any("in_cluster: allow" in one.unblock for one in refused))
    assert not any("in_cluster" in one.unblock for one in cluster.refusals(RECFGCT, seen, history(), ANYTHING, NOON))


def test_every_row_that_objects_speaks_not_only_the_first() -> None:
    seen = with_fact(with_fact(at_rest(), "cluster.caa", told("State of node:  UP")), "cluster.powerha_odm", gap("exit 2"))

    spoken = [one.because for one in cluster.refusals(RECYCLE, seen, history(), ANYTHING, NOON)]

    assert spoken == [
        "CAA is active (State of node:  UP)",
        "CAA is configured (caavg_private on hdisk2)",
        "odmget HACMPcluster could not tell: exit 2",
    ]


@BY_PROBE
def test_no_refusal_of_the_table_is_without_its_reason_and_its_mend(row: Row) -> None:
    planted = [told(value) for value in row.objects] + [gap(), missing(), unasked(), told(row.is_fine[-1], NOON - HOUR)]
    for fact in planted:
        for remedy in BOTH:
            for refusal in guards.refusals(case(remedy, with_fact(plain(VIOS), row.where, fact))):
                assert refusal.because and refusal.unblock, (fact, refusal)


@ON_EACH
@BY_PROBE
def test_what_a_row_says_tells_how_old_it_is_on_each_platform(row: Row, platform: Platform) -> None:
    """But for a migration, which carries its own time of day."""
    if row.where == "busy.migration":
        return
    objecting = with_fact(plain(platform, fresh=False), row.where, told(row.objects[0], NOON - 3 * HOUR))
    untold = with_fact(plain(platform), row.where, replace(gap("exit 2"), at=NOON - 40 * SECOND))
    stale = with_fact(plain(platform), row.where, told(row.is_fine[-1], NOON - 5 * MINUTE))

    assert all(", told 3h ago" in reasons(remedy, objecting) for remedy in row.objects_to)
    assert all("exit 2, asked 40s ago" in reasons(remedy, untold) for remedy in row.untold)
    assert all("is older than 1m, told 5m ago" in reasons(remedy, stale) for remedy in row.untold)


@pytest.mark.parametrize("age, words", [
    (timedelta(0), ""), (timedelta(milliseconds=400), ", told just now"), (119 * SECOND, ", told 119s ago"),
    (2 * MINUTE, ", told 2m ago"), (119 * MINUTE, ", told 119m ago"), (2 * HOUR, ", told 2h ago"), (48 * HOUR, ", told 48h ago"),
])
def test_an_age_is_told_in_words_that_can_be_taken_in(age: timedelta, words: str) -> None:
    seen = with_fact(plain(fresh=False), "cluster.caavg", told("hdisk2", NOON - age))

    assert cluster.verdict(seen, history(), ANYTHING, NOON).evidence[0] == f"CAA is configured (caavg_private on hdisk2){words}"


def test_what_proves_that_there_is_no_cluster_is_told_with_its_age() -> None:
    seen = with_fact(with_fact(plain(fresh=False), "cluster.ct_cluster", told("IW", NOON - HOUR)),
                     "cluster.peer_domains", told((), NOON - 20 * HOUR))

    known = cluster.verdict(seen, history(), ANYTHING, NOON)

    assert (known.recycle, known.recfgct) == (True, True)
    assert known.evidence == ("ct_clusterinfo -c says IW, told 60m ago", "lsrpdomain lists none, told 20h ago")


def test_a_verdict_is_unknown_until_something_told() -> None:
    nothing_asked = Snapshot(NOON, AIX)

    known = cluster.verdict(nothing_asked, history(), ANYTHING, NOON)

    assert (known.state, known.recycle, known.recfgct) == ("unknown", False, False)


@pytest.mark.parametrize("where", ["cluster.caa", "cluster.caavg", "subsystems"])
def test_a_verdict_with_an_essential_gap_is_unknown_and_says_which(where: str) -> None:
    known = cluster.verdict(with_fact(plain(), where, gap("timed out after 20 s")), history(), ANYTHING, NOON)

    assert (known.state, known.recycle, known.recfgct) == ("unknown", False, False)
    assert any("timed out after 20 s" in sentence for sentence in known.evidence)


@pytest.mark.parametrize(
    "word, state",
    [
        ("ST_STABLE", "present"),
        ("ST_INIT", "present"),
        ("RP_FAILED", "present"),
        ("SOMETHING_NEW", "unknown"),
        ("NOT_CONFIGURED", "absent"),
    ],
)
def test_a_state_of_powerha_that_is_not_known_makes_the_cluster_unknown_not_present(word: str, state: str) -> None:
    known = cluster.verdict(with_fact(plain(), "cluster.powerha", told(word)), history(), ANYTHING, NOON)

    assert known.state == state


def test_for_recfgct_an_untold_lsrpdomain_is_named_with_its_reason() -> None:
    seen = with_fact(plain(), "cluster.peer_domains", gap("timed out after 20 s"))

    assert reasons(RECFGCT, seen) == "lsrpdomain could not tell: timed out after 20 s"


def test_a_verdict_with_an_objection_is_present() -> None:
    known = cluster.verdict(at_rest(), history(), ANYTHING, NOON)

    assert (known.state, known.recycle, known.recfgct) == ("present", False, False)
    assert known.evidence == ("CAA is configured (caavg_private on hdisk2)",)


def test_the_rows_above_are_all_that_the_table_asks() -> None:
    asked = {row.where for row in ROWS}

    facts = {f"cluster.{name}" for name in vars(plain().cluster)}
    assert asked == {*facts, "subsystems", "mcp", "status", "in_band", "busy.migration"}
    assert all(fact_of(plain(), where).how is not How.UNASKED for where in asked)
