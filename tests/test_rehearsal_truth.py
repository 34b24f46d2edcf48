"""What the auditor of a rehearsal goes by: each danger and ailment, each bound, and the invariant that holds each guard."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, List, Optional, Set

import pytest

from rmcagent import config
from rmcagent.model import Attempt, Fault, Outcome, Platform, Remedy, Snapshot, State
from rmcagent.reason import guards, ladder
from rmcagent.sim.clock import VirtualClock
from rmcagent.sim.partition import Partition
from rmcagent.sim.rehearsal.audit import INVARIANTS, Auditor, Begun, deeds, truth, words
from rmcagent.sim.rehearsal.outcome import bounds
from rmcagent.sim.rehearsal.run import Rehearsal
from rmcagent.sim.rehearsal.script import Script

HMC1, HMC2 = "192.0.2.21", "192.0.2.22"
HOUR = 3600.0
NOT_SIMULATED = "truth cannot tell: a rehearsed agent is root, and in no workload partition"
# What holds each guard, should it be struck out or go wrong.
HELD_BY = {
    "off": "only_what_the_policy_allows", "observing": "only_what_the_policy_allows", "window": "only_what_the_policy_allows",
    "rehearsed": "only_what_the_policy_allows",
    "not_root": NOT_SIMULATED, "wpar": NOT_SIMULATED,
    "paused": "nothing_is_begun_on_hold", "maintenance": "nothing_is_begun_on_hold", "crash_loop": "nothing_is_begun_on_hold",
    "booting": "nothing_is_begun_on_hold", "others_at_work": "nothing_is_begun_on_hold",
    "stale": "only_on_fresh_evidence", "blind": "nothing_is_done_on_a_gap",
    "in_transition": "nothing_is_begun_in_vain", "rmc_answers": "nothing_is_begun_in_vain",
    "no_hmc_reachable": "nothing_is_begun_in_vain", "hmc_back": "nothing_is_begun_in_vain",
    "hmc_side": "nothing_is_begun_in_vain", "var_full": "nothing_is_begun_in_vain",
    "migrating": "nobody_is_cut_off", "hmc_connected": "nobody_is_cut_off", "clustered": "never_in_a_cluster",
    "order": "recfgct_comes_last", "budget": "never_over_budget", "cooldown": "nothing_follows_too_soon",
    "settling": "nothing_follows_too_soon",
}


@pytest.fixture
def audit(tmp_path: Path) -> Auditor:
    """Of a rehearsal in which nothing has happened yet, a day after it began."""
    script = Script("quiet", (), Platform.VIOS, (HMC1, HMC2), days=2.0)
    rehearsal = Rehearsal(script, config.defaults(), str(tmp_path), Auditor)
    rehearsal.clock.sleep(24 * HOUR)
    assert isinstance(rehearsal.audit, Auditor)
    return rehearsal.audit


def there(audit: Auditor) -> Set[str]:
    return {danger.name for danger in truth.DANGERS if danger.there(audit, audit.rehearsal.partition)}


def attempt(audit: Auditor, remedy: Remedy, fault: Fault, number: int = 1, **more: Any) -> Attempt:
    made = Attempt(number, remedy, fault, "", "e1", audit.rehearsal.cycle.steady.now(), "boot-1", **more)
    audit.rehearsal.ledger.attempts[number] = made
    return made


def says(audit: Auditor, invariant: Callable[[Auditor], Any], remedy: Optional[Remedy], fault: Fault,
         number: int = 1) -> List[str]:
    """What an invariant says of a deed that is begun now."""
    look = Snapshot(audit.rehearsal.cycle.steady.now(), Platform.VIOS)
    audit.begun = [Begun("a command", remedy, attempt(audit, remedy or Remedy.START, fault, number), look)]
    return list(invariant(audit))


# -- two lists each, and what they must have in common

def test_every_guard_has_an_invariant_or_a_reason_why_none_can_be() -> None:
    names = {invariant.__name__ for invariant in INVARIANTS}

    assert set(HELD_BY) == {guard.__name__ for guard in guards.GUARDS}
    assert [held for held in HELD_BY.values() if held not in names and not held.startswith("truth cannot tell: ")] == []


def test_the_agent_waits_for_everybody_for_whom_it_must() -> None:
    assert truth.OTHERS <= {*guards.OTHERS_AT_WORK, *guards.INSTALLERS, *guards.LEAVING}


def test_what_disturbs_others_is_the_same_for_the_agent_its_auditor_and_its_bounds() -> None:
    assert truth.DISRUPTIVE == ladder.DISRUPTIVE == set(bounds.USUAL)


def test_every_remedy_has_its_commands_and_no_other_command_is_taken_for_one(audit: Auditor) -> None:
    assert set(deeds.MEANING.values()) == set(Remedy)

    audit.rehearsal.cycle.seen = Snapshot(audit.rehearsal.cycle.steady.now(), Platform.VIOS)
    begun = [list(audit._take_command(command)) for command in ("lparmgr all stop", "lparmgr all start")]

    assert [[one.remedy for one in taken] for taken in begun] == [[], [Remedy.LPARMGR]]


# -- dangers

@pytest.mark.parametrize("happens, name", [
    (lambda here: here.start_caa(), "a cluster is configured"),
    (lambda here: (here.start_caa(), here.stop_caa()), "a cluster is configured"),
    (lambda here: setattr(here, "powerha_name", "ha_cl"), "a cluster is configured"),
    (lambda here: setattr(here, "ssp", "ssp_cl"), "a cluster is configured"),
    (lambda here: here.define_peer_domain("pd1", "Offline"), "a peer domain is defined"),
    (lambda here: here.define_peer_domain("pd1", "Online"), "a peer domain is online"),
    (lambda here: here.domains.update(pd1="Pending online"), "a peer domain is online"),
    (lambda here: here.start("cthags"), "Group Services run"),
    (lambda here: here.start("cthats"), "Group Services run"),
    (lambda here: here.in_band(), "an HMC is connected in-band"),
    (lambda here: here.start_migration(), "a migration is under way"),
    *((lambda here, name=name: here.run_program(name), "somebody else is at work") for name in ("clmgr", "dnf5", "halt")),
    (lambda here: here.fill_var(0.975), "/var is full"),
    (lambda here: here.hung_rmc(), "RMC does not answer"),
    (lambda here: here.stop_cleanly(), "RMC does not answer"),
    (lambda here: setattr(here.row("IBM.DRM"), "state", State.STOPPING), "RMC is starting or stopping"),
    (lambda here: here.hmc_down(), "no HMC has answered for long enough"),
])
def test_a_danger_is_there_once_it_has_come_up(audit: Auditor, happens: Callable[[Partition], Any], name: str) -> None:
    before = there(audit)

    happens(audit.rehearsal.partition)

    assert before == {"an HMC is connected"}
    assert name in there(audit)


@pytest.mark.parametrize("happens", [
    lambda here: here.hmc_down(HMC1), lambda here: here.fill_var(0.96), lambda here: here.run_program("vi"),
    lambda here: here.in_band_hosts.append("hmc1"), lambda here: here.put_on_file("cthags", "cthags"),
])
def test_what_is_no_danger_is_none(audit: Auditor, happens: Callable[[Partition], Any]) -> None:
    happens(audit.rehearsal.partition)

    assert there(audit) == {"an HMC is connected"}


def test_where_recycle_is_allowed_in_a_cluster_recfgct_is_not(audit: Auditor) -> None:
    audit.rehearsal.settings = config.parse("remedies: {recycle: {in_cluster: allow}}").settings
    audit.rehearsal.partition.caa = "stopped"

    found = [danger for danger in truth.CLUSTERS if danger.there(audit, audit.rehearsal.partition)]

    assert [danger.holds for danger in found] == [{Remedy.RECFGCT}]


def test_an_hmc_has_answered_for_long_enough_twenty_minutes_after_it_came_back(audit: Auditor) -> None:
    here, clock = audit.rehearsal.partition, audit.rehearsal.clock
    here.hmc_down()
    clock.sleep(HOUR)
    here.hmc_up(HMC1)

    answers = []
    for seconds in (0.0, 1199.0, 2.0):
        clock.sleep(seconds)
        answers.append("no HMC has answered for long enough" not in there(audit))

    assert answers == [False, False, True]


def test_an_hmc_that_was_away_for_less_than_a_look_takes_need_not_be_missed(audit: Auditor) -> None:
    audit.rehearsal.partition.hmc_down()
    audit.rehearsal.clock.sleep(299.0)
    audit.rehearsal.partition.hmc_up()

    assert "no HMC has answered for long enough" not in there(audit)


def test_a_link_is_no_reason_to_recycle_while_the_log_is_full_of_the_hmcs_errors(audit: Auditor) -> None:
    name = "the HMC itself answers with errors"

    audit.rehearsal.partition.storm(20.0, "hmc")
    audit.rehearsal.clock.sleep(10.0)
    soon = name in there(audit)
    audit.rehearsal.clock.sleep(120.0)

    assert (soon, name in there(audit)) == (False, True)


@pytest.mark.parametrize("kind", ["slots", "network"])
def test_other_noise_does_not_blame_the_hmc(audit: Auditor, kind: str) -> None:
    audit.rehearsal.partition.storm(20.0, kind)
    audit.rehearsal.clock.sleep(200.0)

    assert not audit.hears_hmc_errors()


@pytest.mark.parametrize("danger", [danger for danger in truth.DANGERS if danger.faults], ids=lambda danger: danger.name)
def test_a_danger_that_is_one_for_some_faults_is_none_for_others(danger: truth.Danger) -> None:
    assert {Fault.LINK_DOWN, Fault.LPARMGR_STUCK} <= (danger.faults or set())
    assert not {Fault.RMC_DOWN, Fault.RMC_HUNG, Fault.MANAGER_DOWN} & (danger.faults or set())


def test_what_a_deed_brings_on_itself_does_not_speak_against_it(audit: Auditor) -> None:
    here = audit.rehearsal.partition
    here.hmc_down()

    here.command("rmcctrl", ("-z",))
    alone = set(audit.then)
    here.command("rmcctrl", ("-z",))

    assert "RMC is starting or stopping" not in alone
    assert "RMC is starting or stopping" in audit.then


# -- what ails it

@pytest.mark.parametrize("happens, said", [
    (lambda here: None, ""),
    (lambda here: here.crash(), "ctrmc does not run"),
    (lambda here: here.hung_rmc(), "rmcd hangs"),
    (lambda here: here.crash("IBM.DRM"), "IBM.DRM does not run"),
    (lambda here: here.crash("IBM.MgmtDomainRM"), "IBM.MgmtDomainRM does not run"),
    (lambda here: here.hmc_down(HMC2), f"{HMC2} is not connected"),
    (lambda here: here.hmc(None, known=False, stuck="never"), "no HMC is known"),
    (lambda here: (here.hmc(None, known=False, stuck="never"), here.in_band()), ""),
    (lambda here: setattr(here, "node_id_copy", "0" * 16), "the node ids disagree"),
    (lambda here: here.disable_at_boot(), "RMC does not start at boot"),
    (lambda here: here.fill_var(0.9), "/var is full"),
    (lambda here: here.fill_var(0.89), ""),
    (lambda here: here.stick_lparmgr(), "lparmgr is stuck"),
])
def test_what_is_wrong_with_a_partition_is_known(audit: Auditor, happens: Callable[[Partition], Any], said: str) -> None:
    happens(audit.rehearsal.partition)

    assert truth.ails(audit.rehearsal.partition, audit.rehearsal.settings) == said


def test_lparmgr_ails_only_a_vios() -> None:
    here = Partition(VirtualClock(), Platform.AIX)

    here.lparmgr_stuck = True

    assert truth.ails(here, config.defaults()) == ""


# -- deeds, one by one

@pytest.mark.parametrize("remedy, fault, policy, breaks", [
    (Remedy.RECFGCT, Fault.LINK_DOWN, "", True),
    (Remedy.RECFGCT, Fault.LINK_DOWN, "remedies: {recfgct: {treats: [link-down]}}", False),
    (Remedy.RECFGCT, Fault.NO_HMC, "", False),
    (Remedy.RECYCLE, Fault.LPARMGR_STUCK, "", True),                # lparmgr, the first rung, is only recorded
    (Remedy.RECYCLE, Fault.LPARMGR_STUCK, "remedies: {lparmgr: {mode: act}}", False),
    (Remedy.REFRESH, Fault.LPARMGR_STUCK, "", False),
])
def test_a_remedy_for_what_it_may_not_treat(audit: Auditor, remedy: Remedy, fault: Fault, policy: str, breaks: bool) -> None:
    audit.rehearsal.settings = config.parse(policy).settings

    assert bool(says(audit, deeds.only_what_the_policy_allows, remedy, fault)) is breaks


@pytest.mark.parametrize("seconds, breaks", [(250.0, False), (270.0, True)])
def test_a_remedy_on_a_look_of_long_ago(audit: Auditor, seconds: float, breaks: bool) -> None:
    taken_at = audit.rehearsal.cycle.steady.now()
    audit.rehearsal.clock.sleep(seconds)
    audit.begun = [Begun("rmcctrl -A", Remedy.START, None, Snapshot(taken_at, Platform.AIX))]

    assert bool(list(deeds.only_on_fresh_evidence(audit))) is breaks


@pytest.mark.parametrize("name, remedy, fault, breaks", [
    ("no HMC has answered for long enough", Remedy.RECYCLE, Fault.LINK_DOWN, True),
    ("no HMC has answered for long enough", Remedy.RECYCLE, Fault.LPARMGR_STUCK, True),
    ("no HMC has answered for long enough", Remedy.RECYCLE, Fault.RMC_HUNG, False),
    ("no HMC has answered for long enough", Remedy.REFRESH, Fault.LINK_DOWN, False),
    ("the HMC itself answers with errors", Remedy.RECYCLE, Fault.LPARMGR_STUCK, True),
    ("the HMC itself answers with errors", Remedy.RECFGCT, Fault.IDENTITY_CLASH, False),
    ("/var is full", Remedy.RECYCLE, Fault.RMC_HUNG, True),
    ("/var is full", Remedy.START, Fault.RMC_DOWN, False),
    ("RMC does not answer", Remedy.RECFGCT, Fault.IDENTITY_CLASH, True),
    ("RMC does not answer", Remedy.RECYCLE, Fault.RMC_HUNG, False),
    ("RMC is starting or stopping", Remedy.START, Fault.RMC_DOWN, True),
    ("RMC is starting or stopping", None, Fault.RMC_DOWN, False),
])
def test_a_deed_in_vain(audit: Auditor, name: str, remedy: Optional[Remedy], fault: Fault, breaks: bool) -> None:
    audit.then = {name: audit.now - HOUR}

    assert bool(says(audit, deeds.nothing_is_begun_in_vain, remedy, fault)) is breaks


@pytest.mark.parametrize("first, outcome, then, minutes, breaks", [
    (Remedy.RECYCLE, Outcome.UNCHANGED, Remedy.RECYCLE, 29, True),
    (Remedy.RECYCLE, Outcome.UNCHANGED, Remedy.RECYCLE, 31, False),
    (Remedy.RECYCLE, Outcome.UNCHANGED, Remedy.RECFGCT, 11, False),
    (Remedy.RECYCLE, Outcome.INTERRUPTED, Remedy.RECYCLE, 11, True),
    (Remedy.RECYCLE, Outcome.INTERRUPTED, Remedy.RECFGCT, 11, True),
    (Remedy.RECYCLE, Outcome.INTERRUPTED, Remedy.RECYCLE, 13, False),
    (Remedy.RECYCLE, Outcome.INTERRUPTED, Remedy.START, 1, False),
    (Remedy.START, Outcome.INTERRUPTED, Remedy.START, 1, False),
    (Remedy.START, Outcome.HEALED, Remedy.START, 4, True),
])
def test_a_remedy_soon_after_another(audit: Auditor, first: Remedy, outcome: Outcome, then: Remedy, minutes: int,
                                     breaks: bool) -> None:
    says(audit, deeds.nothing_follows_too_soon, first, Fault.LINK_DOWN)
    audit.rehearsal.ledger.attempts[1] = replace(audit.rehearsal.ledger.attempts[1], outcome=outcome)
    audit.rehearsal.clock.sleep(minutes * 60.0)

    assert bool(says(audit, deeds.nothing_follows_too_soon, then, Fault.LINK_DOWN, number=2)) is breaks


def test_a_cooldown_ends_with_the_boot(audit: Auditor) -> None:
    says(audit, deeds.nothing_follows_too_soon, Remedy.START, Fault.RMC_DOWN)
    audit.rehearsal.ledger.attempts[1] = replace(audit.rehearsal.ledger.attempts[1], boot="boot-0")

    assert says(audit, deeds.nothing_follows_too_soon, Remedy.START, Fault.RMC_DOWN, number=2) == []


def test_recfgct_comes_after_a_recycle_that_started_rmc_anew(audit: Auditor) -> None:
    def recfgct(fault: Fault) -> List[str]:
        return says(audit, deeds.recfgct_comes_last, Remedy.RECFGCT, fault)

    lost, without = recfgct(Fault.CLONED_NODE), recfgct(Fault.LINK_PENDING)
    says(audit, deeds.recfgct_comes_last, Remedy.RECYCLE, Fault.LINK_PENDING)
    failed = recfgct(Fault.LINK_PENDING)
    audit.rehearsal.partition.restart_rmc()

    assert without == ["recfgct was begun for link-pending, and no recycle before it"]
    assert failed == ["recfgct was begun for link-pending, and the recycle before it never started RMC"]
    assert lost == recfgct(Fault.LINK_PENDING) == []


def test_two_commands_at_once(audit: Auditor) -> None:
    audit.rehearsal.partition.underway = ["rmcctrl", "recfgct"]

    assert list(deeds.one_action_at_a_time(audit)) == ["rmcctrl, recfgct run at once"]


def test_two_attempts_that_are_not_judged(audit: Auditor) -> None:
    attempt(audit, Remedy.REFRESH, Fault.LINK_DOWN, 1)
    attempt(audit, Remedy.RECYCLE, Fault.LINK_DOWN, 2)

    assert list(deeds.one_action_at_a_time(audit)) == ["attempts 1, 2 are open"]


# -- bounds

BOUNDS = (
    *(("memory", name, most) for name, most in (("sightings", 64), ("answering_since", 160), ("last_up", 300), ("links", 300),
                                                ("link_changes", 300), ("goals", 64))),
    *(("episodes", name, most) for name, most in (("problems", 64), ("said", 256))),
    *(("ledger", name, most) for name, most in (("known", 128), ("decisions", 40), ("facts", 32), ("attempts", 2048))),
)


@pytest.mark.parametrize("owner, name, most", BOUNDS, ids=lambda value: str(value))
def test_a_container_that_grows_beyond_its_bound(audit: Auditor, owner: str, name: str, most: int) -> None:
    holder = audit.rehearsal.ledger if owner == "ledger" else getattr(audit.rehearsal.cycle, owner)

    def weighed(size: int) -> List[str]:
        vars(holder)[name] = type(vars(holder)[name])(dict.fromkeys(range(size)))
        audit.weighed_at = -HOUR
        return list(words.all_is_bounded(audit))

    assert weighed(most) == []
    assert len(weighed(most + 1)) == 1


def test_a_ledger_that_grows_beyond_its_bound(audit: Auditor) -> None:
    Path(audit.rehearsal.ledger.path).write_bytes(b"x" * (1 << 20))
    enough = list(words.all_is_bounded(audit))
    Path(audit.rehearsal.ledger.path).write_bytes(b"x" * ((1 << 20) + 1))
    audit.weighed_at = -HOUR

    assert (enough, len(list(words.all_is_bounded(audit)))) == ([], 1)


# -- who listens to a partition

def test_everybody_who_listens_is_told_and_may_leave_meanwhile() -> None:
    heard: List[str] = []
    here = Partition(VirtualClock())

    def once() -> None:
        heard.append("once")
        here.on_change.remove(once)

    here.on_change += [once, lambda: heard.append("always")]

    here.changed()
    here.changed()

    assert heard == ["once", "always", "always"]


def test_what_is_asked_once_a_day_is_missed_only_after_a_day_and_is_called_as_it_is_told() -> None:
    """The words by which `ails` names it are those that are given longer."""
    here = Partition(VirtualClock(), Platform.VIOS)

    here.stick_lparmgr()
    stuck = truth.ails(here, config.defaults())
    here.mend_lparmgr()
    here.disable_at_boot()
    off = truth.ails(here, config.defaults())

    assert {stuck, off} == set(words.ASKED_SELDOM) and min(words.ASKED_SELDOM.values()) > words.MISSED_AFTER
