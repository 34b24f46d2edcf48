"""The auditor of a rehearsal: each invariant named when the agent is sabotaged so that it breaks, and silent of an honest one."""
from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Set, Tuple

import pytest

from rmcagent import config, cycle, episodes
from rmcagent.clock import Steady
from rmcagent.deeds import Deeds
from rmcagent.episodes import Episodes
from rmcagent.memory import Memory
from rmcagent.model import Fault, Finding, Platform, Remedy, Side
from rmcagent.partition.observe import Observer
from rmcagent.reason import cluster, decide, guards
from rmcagent.reason.diagnose import diagnose
from rmcagent.report import text
from rmcagent.sim.rehearsal import run
from rmcagent.sim.rehearsal.audit import INVARIANTS, Auditor
from rmcagent.sim.rehearsal.run import Rehearsal
from rmcagent.sim.rehearsal.script import Happening, Script

HMC1, HMC2 = "192.0.2.21", "192.0.2.22"
HOUR = 3600.0
Patch = pytest.MonkeyPatch
NAMES = [invariant.__name__ for invariant in INVARIANTS]


def at(when: float, do: str, **arguments: Any) -> Happening:
    return Happening(when, do, arguments)


def prepared(folder: Path, *happenings: Happening, hours: float = 1.0, platform: Platform = Platform.AIX,
             hmcs: Tuple[str, ...] = (HMC1,), policy: str = "", skipping: bool = True) -> Rehearsal:
    script = Script("sabotage", happenings, platform, hmcs, days=hours / 24.0)
    return Rehearsal(script, config.parse(policy).settings, str(folder), Auditor, skipping)


def played(folder: Path, *happenings: Happening, **how: Any) -> Auditor:
    rehearsal = prepared(folder, *happenings, **how)
    rehearsal.play()
    assert isinstance(rehearsal.audit, Auditor)
    return rehearsal.audit


def broken(audit: Auditor) -> Set[str]:
    return {breach.rule for breach in audit.breaches}


def without(monkeypatch: Patch, *names: str) -> None:
    monkeypatch.setattr(guards, "GUARDS", tuple(guard for guard in guards.GUARDS if guard.__name__ not in names))


def always_finding(monkeypatch: Patch, fault: Fault, subject: str = "") -> None:
    found = Finding(fault, Side.HERE, "so it says", subject=subject, advice="nothing helps")
    monkeypatch.setattr(cycle, "diagnose", lambda seen, history, settings: (found,))


def change_findings(monkeypatch: Patch, **changes: Any) -> None:
    monkeypatch.setattr(cycle, "diagnose", lambda seen, history, settings: tuple(
        replace(finding, **changes) for finding in diagnose(seen, history, settings)))


STUCK = at(600, "stick_session", mended_by=None)


# -- an honest agent

HONEST = {
    "rmc dies, and dies again": (at(600, "crash"), at(4 * HOUR, "ctrmc_wont_start", times=40), at(4 * HOUR + 1, "crash")),
    "a session is stuck, and RSCT forgets its HMCs": (
        at(600, "stick_session", mended_by="recycle"), at(4 * HOUR, "forget_hmcs", mended_by="recfgct")),
    "a node of a cluster": (at(60, "start_caa"), STUCK, at(6 * HOUR, "stop_caa"), at(8 * HOUR, "reboot")),
    "the agent dies in a recycle, its helper in another": (
        at(600, "stick_session", mended_by="recycle"), at(1700, "kill_in_remedy", after=3.0, again=60.0),
        at(5 * HOUR, "stick_session", mended_by="recycle"), at(5 * HOUR + 1000, "kill_in_remedy", after=3.0, helper=True)),
    "commands fail, hang and lie": (
        at(60, "fail_command", name="rmcctrl -A"), at(600, "crash"), at(HOUR, "mend_command", name="rmcctrl -A"),
        at(3 * HOUR, "hang_command", name="lspv"), at(3 * HOUR, "garble_command", name="rmcdomainstatus"), at(3 * HOUR, "flap"),
        at(6 * HOUR, "mend_command", name="rmcdomainstatus")),
    "an operator at work": (
        at(600, "pause", seconds=HOUR), at(700, "crash"), at(4 * HOUR, "maintain"), at(4 * HOUR + 60, "crash"),
        at(5 * HOUR, "end_maintenance"), at(7 * HOUR, "run_program", name="installp"), at(7 * HOUR + 60, "crash"),
        at(8 * HOUR, "end_program", name="installp")),
    "the clock is set, the state folder full, the partition moved": (
        STUCK, at(1000, "jump_clock", seconds=-86400.0), at(HOUR, "fill_state"), at(HOUR + 60, "hmc_down"), at(2 * HOUR, "crash"),
        at(2 * HOUR + 300, "kill_agent"), at(3 * HOUR, "jump_clock", seconds=2 * 86400.0), at(4 * HOUR, "free_state"),
        at(5 * HOUR, "start_migration"), at(6 * HOUR, "end_migration"), at(7 * HOUR, "reboot")),
}


@pytest.mark.slow
@pytest.mark.parametrize("happenings", HONEST.values(), ids=HONEST)
def test_of_an_honest_agent_the_auditor_says_nothing(tmp_path: Path, happenings: Tuple[Happening, ...]) -> None:
    audit = played(tmp_path, *happenings, hours=10.0, hmcs=(HMC1, HMC2))

    assert audit.breaches == []
    assert audit.rehearsal.told


def test_a_start_whose_command_is_tried_three_times_is_one_start(tmp_path: Path) -> None:
    audit = played(tmp_path, at(60, "fail_command", name="rmcctrl -A"), at(600, "crash"), hours=0.3)

    assert [one.command for one in audit.rehearsal.did[:3]] == ["rmcctrl -A"] * 3
    assert len(audit.done[Remedy.START]) == 1


def test_a_refresh_whose_first_command_hung_for_an_hour_is_one_refresh(tmp_path: Path) -> None:
    audit = played(tmp_path, at(60, "hang_command", name="rmcctrl -p"), STUCK, at(HOUR, "mend_command", name="rmcctrl -p"),
                   at(HOUR, "mend_session"), at(1.4 * HOUR, "end_hanging"), hours=1.7)

    assert [one.command for one in audit.rehearsal.did] == ["rmcctrl -p", "rmcrefreshMD -s ctrmc", "refrsrc IBM.MCP"]
    assert (len(audit.done[Remedy.REFRESH]), audit.breaches) == (1, [])


def test_what_finishes_an_interrupted_recycle_is_no_start(tmp_path: Path) -> None:
    audit = played(tmp_path, at(600, "stick_session", mended_by="recycle"), at(1700, "kill_in_remedy", after=3.0, helper=True))

    assert "rmcctrl -A" in [one.command for one in audit.rehearsal.did]
    assert audit.done[Remedy.START] == []
    assert len(audit.done[Remedy.RECYCLE]) == 1


def test_a_danger_that_comes_up_after_it_was_asked_for_is_a_race_and_no_breach(tmp_path: Path, monkeypatch: Patch) -> None:
    apply = Deeds.apply

    def moves(deeds: Any, decision: Any, finding: Any, remedy: Remedy, *more: Any) -> None:
        if remedy is Remedy.RECYCLE:
            deeds.host.partition.start_migration()
        apply(deeds, decision, finding, remedy, *more)

    monkeypatch.setattr(Deeds, "apply", moves)

    audit = played(tmp_path, STUCK, at(HOUR - 1, "end_migration"))

    assert audit.breaches == []
    assert [race.partition(" ")[2] for race in audit.races] == ["rmcctrl -z was begun though a migration is under way"]


def test_a_breach_tells_when_and_no_rule_is_told_for_ever(tmp_path: Path, monkeypatch: Patch) -> None:
    change_findings(monkeypatch, advice="")

    monkeypatch.setattr(decide, "BY_HAND", "")

    audit = played(tmp_path, at(600, "hmc_unreachable"))

    assert len(audit.breaches) == 3
    assert 600 < audit.breaches[0].at < 900


# -- a sabotaged one: what is done

def test_a_recycle_in_a_cluster(tmp_path: Path, monkeypatch: Patch) -> None:
    without(monkeypatch, "clustered")

    audit = played(tmp_path, at(60, "start_caa"), STUCK)

    assert "never_in_a_cluster" in broken(audit)


def test_a_recfgct_where_a_peer_domain_is_defined(tmp_path: Path, monkeypatch: Patch) -> None:
    without(monkeypatch, "clustered")

    audit = played(tmp_path, at(60, "define_peer_domain", name="pd1", state="Offline"),
                   at(600, "forget_hmcs", mended_by="recfgct"))

    assert broken(audit) >= {"never_in_a_cluster", "no_disaster"}


def test_a_recycle_while_an_hmc_is_connected(tmp_path: Path, monkeypatch: Patch) -> None:
    without(monkeypatch, "hmc_connected")

    audit = played(tmp_path, at(600, "manager_crash", name="IBM.DRM", mended_by="recycle"),
                   policy="guards: {splay: 0s}")

    assert "nobody_is_cut_off" in broken(audit)


def test_a_recycle_during_a_migration(tmp_path: Path, monkeypatch: Patch) -> None:
    without(monkeypatch, "migrating")

    audit = played(tmp_path, at(60, "start_migration"), STUCK)

    assert broken(audit) == {"nobody_is_cut_off", "no_disaster"}


@pytest.mark.parametrize("guard, happening", [
    ("paused", at(60, "pause", seconds=HOUR)), ("maintenance", at(60, "maintain")), ("booting", at(60, "reboot")),
    ("others_at_work", at(60, "run_program", name="installp")),
])
def test_a_deed_while_something_holds_it(tmp_path: Path, monkeypatch: Patch, guard: str, happening: Happening) -> None:
    without(monkeypatch, guard)

    audit = played(tmp_path, happening, at(130, "crash"), hours=0.5)

    assert broken(audit) == {"nothing_is_begun_on_hold"}


def test_a_deed_in_a_crash_loop(tmp_path: Path, monkeypatch: Patch) -> None:
    without(monkeypatch, "crash_loop")

    audit = played(tmp_path, at(60, "kill_agent"), at(120, "kill_agent"), at(180, "kill_agent"), at(300, "crash"), hours=0.5)

    assert broken(audit) == {"nothing_is_begun_on_hold"}


@pytest.mark.parametrize("guard, policy", [
    ("observing", "mode: observe"), ("off", "remedies: {start: {mode: off}}"),
    ("window", 'remedies: {start: {window: "Sun 01:00-02:00"}}'),
])
def test_a_deed_that_the_policy_does_not_allow(tmp_path: Path, monkeypatch: Patch, guard: str, policy: str) -> None:
    without(monkeypatch, guard)

    audit = played(tmp_path, at(130, "crash"), hours=0.5, policy=policy)

    assert broken(audit) == {"only_what_the_policy_allows"}


def test_a_command_that_is_no_remedys(tmp_path: Path) -> None:
    rehearsal = prepared(tmp_path, hours=0.1)
    rehearsal.clock.at(60, lambda: rehearsal.partition.command("rmcctrl", ("-P",)) and None)

    rehearsal.play()

    assert "only_what_the_policy_allows" in broken(rehearsal.audit)     # type: ignore[arg-type]


def test_a_recycle_on_the_answers_of_an_earlier_look(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(Observer, "evidence", lambda observer, known: replace(
        observer.crowd(observer.look(known), disruptive=True), fresh=True))
    monkeypatch.setattr(cluster, "_recent", lambda moment, age, now: True)

    audit = played(tmp_path, STUCK)

    assert broken(audit) == {"only_on_fresh_evidence"}


def test_a_recycle_on_an_ordinary_look(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(cycle, "DISRUPTIVE", frozenset())

    audit = played(tmp_path, STUCK)

    assert broken(audit) == {"only_on_fresh_evidence"}


def test_more_starts_than_the_budget_has(tmp_path: Path, monkeypatch: Patch) -> None:
    without(monkeypatch, "budget")

    audit = played(tmp_path, at(60, "ctrmc_wont_start", times=3), at(130, "crash"), policy="remedies: {start: {budget: 1/24h}}")

    assert broken(audit) == {"never_over_budget"}


def test_a_deed_after_the_ledger_was_lost(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(run, "lived_before", lambda folder: False)
    rehearsal = prepared(tmp_path, at(130, "crash"), at(1000, "kill_agent"), at(1200, "crash"))
    rehearsal.clock.at(1001, lambda: os.unlink(tmp_path / "ledger.jsonl"))

    rehearsal.play()

    assert broken(rehearsal.audit) == {"never_over_budget"}     # type: ignore[arg-type]


def test_a_remedy_beside_one_that_is_not_judged(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(decide, "_unjudged", lambda history, shadow, finding=None: None)
    without(monkeypatch, "settling", "cooldown")

    audit = played(tmp_path, STUCK)

    assert "one_action_at_a_time" in broken(audit)


def test_a_remedy_for_a_link_that_could_not_be_asked_about(tmp_path: Path, monkeypatch: Patch) -> None:
    always_finding(monkeypatch, Fault.LINK_DOWN)

    audit = played(tmp_path, at(60, "hang_command", name="rmcdomainstatus"), STUCK)

    assert "nothing_is_done_on_a_gap" in broken(audit)


def test_an_rmc_that_is_left_stopped(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(Deeds, "finish", lambda *arguments: False)
    monkeypatch.setattr(Memory, "_stopped_by", lambda memory: 0)

    audit = played(tmp_path, STUCK, at(1700, "kill_in_remedy", after=1.0, helper=True))

    assert broken(audit) == {"rmc_is_started_again"}


def test_a_remedy_for_a_sound_partition(tmp_path: Path, monkeypatch: Patch) -> None:
    always_finding(monkeypatch, Fault.MANAGER_DOWN, "IBM.DRM")

    audit = played(tmp_path, hours=0.5)

    assert broken(audit) == {"a_sound_partition_is_left_alone"}


@pytest.mark.slow
def test_a_second_recfgct_in_an_episode(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(decide, "REPEATABLE", frozenset(Remedy))
    without(monkeypatch, "budget", "cooldown", "hmc_back")

    audit = played(tmp_path, at(600, "break_identity"), at(601, "hmc", stuck="never"), hours=5.0,
                   policy="remedies: {recfgct: {treats: [link-pending, link-down, no-hmc]}}")

    assert "recfgct_once_an_episode" in broken(audit)


@pytest.mark.parametrize("happenings, fault", [
    ((at(600, "hmc_down"), at(1500, "stick_session", mended_by=None), at(1500, "hmc_up")), "link-down"),
    ((at(600, "clash_identity"), at(600, "hmc_down")), "identity-clash"),
], ids=["one that has come back", "one that is away"])
def test_a_deed_for_an_hmc_that_may_be_about_to_come_by_itself(tmp_path: Path, monkeypatch: Patch, fault: str,
                                                               happenings: Tuple[Happening, ...]) -> None:
    without(monkeypatch, "hmc_back", "no_hmc_reachable")

    audit = played(tmp_path, *happenings, hours=0.8, policy="guards: {splay: 0s}")

    assert broken(audit) == {"nothing_is_begun_in_vain"}
    assert "no HMC has answered for long enough" in audit.breaches[0].because


@pytest.mark.parametrize("guard, happening, danger", [
    ("hmc_side", at(60, "storm", per_second=4.0), "the HMC itself answers with errors"),
    ("var_full", at(60, "fill_var", share=0.98), "/var is full"),
])
def test_a_recycle_that_cannot_help(tmp_path: Path, monkeypatch: Patch, guard: str, happening: Happening, danger: str) -> None:
    without(monkeypatch, guard)
    always_finding(monkeypatch, Fault.LINK_DOWN)

    audit = played(tmp_path, happening, STUCK, hours=0.7)

    assert broken(audit) == {"nothing_is_begun_in_vain"}
    assert danger in audit.breaches[0].because


def test_a_recycle_that_is_repeated_within_its_cooldown(tmp_path: Path, monkeypatch: Patch) -> None:
    without(monkeypatch, "cooldown")

    audit = played(tmp_path, at(60, "ctrmc_wont_start", times=3), at(130, "crash"), hours=0.6, policy="guards: {splay: 0s}")

    assert broken(audit) == {"nothing_follows_too_soon"}


def test_a_recycle_while_one_that_was_cut_short_may_settle(tmp_path: Path, monkeypatch: Patch) -> None:
    without(monkeypatch, "settling")

    audit = played(tmp_path, STUCK, at(1200, "kill_in_remedy", after=1.0, helper=True), policy="guards: {splay: 0s}", hours=0.7)

    assert broken(audit) == {"nothing_follows_too_soon"}


def test_a_recfgct_without_a_recycle_before_it(tmp_path: Path, monkeypatch: Patch) -> None:
    without(monkeypatch, "order")

    audit = played(tmp_path, at(60, "break_identity"), hours=1.0,
                   policy="{remedies: {recycle: {mode: off}}, guards: {splay: 0s}}")

    assert broken(audit) == {"recfgct_comes_last"}


def test_a_recycle_where_the_refresh_before_it_is_only_recorded(tmp_path: Path, monkeypatch: Patch) -> None:
    without(monkeypatch, "rehearsed")

    audit = played(tmp_path, STUCK, policy="{remedies: {refresh: {mode: shadow}}, guards: {splay: 0s}}", hours=0.7)

    assert broken(audit) == {"only_what_the_policy_allows"}


# -- what is told and kept

def test_a_problem_that_is_told_again(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(Episodes, "_remember", lambda self: None)

    audit = played(tmp_path, at(600, "hmc_unreachable"), at(1200, "kill_agent"))

    assert broken(audit) == {"problems_come_and_go_in_pairs"}


def test_a_problem_that_is_gone_and_was_never_told(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(Episodes, "_tell_problem", lambda self, problem, settling: setattr(problem, "told", True))

    audit = played(tmp_path, at(600, "hmc_unreachable"), at(1200, "hmc_reachable"))

    assert broken(audit) == {"problems_come_and_go_in_pairs"}


def test_a_problem_of_which_nothing_more_is_said(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(Episodes, "tell_decisions", lambda *arguments: None)

    audit = played(tmp_path, at(600, "hmc_unreachable"))

    assert broken(audit) == {"every_problem_has_its_end"}


def test_a_problem_that_is_never_told_to_be_gone(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(episodes, "masked", lambda fault, findings, seen: True)

    audit = played(tmp_path, at(600, "crash"))

    assert broken(audit) == {"every_problem_has_its_end"}


def test_a_refusal_that_does_not_say_what_helps(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(cluster, "_unblock", lambda *arguments: "")

    audit = played(tmp_path, at(60, "start_caa"), STUCK)

    assert broken(audit) == {"every_refusal_says_what_helps"}


def test_more_events_than_anybody_reads(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(Episodes, "_due", lambda *arguments, **named: True)

    audit = played(tmp_path, at(600, "hmc_unreachable"), at(600, "disable_at_boot"), hours=1.5)

    assert broken(audit) == {"all_is_bounded"}


def test_more_files_than_the_state_folder_needs(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"deed-{number}.json").write_text("{}")

    audit = played(tmp_path, hours=0.1)

    assert broken(audit) == {"all_is_bounded"}


def test_a_mistake_of_ours(tmp_path: Path, monkeypatch: Patch) -> None:
    def fails(*arguments: Any) -> None:
        raise ZeroDivisionError("cannot be")

    rehearsal = prepared(tmp_path, hours=0.1)
    monkeypatch.setattr(cycle, "verdict", fails)

    rehearsal.play()

    assert broken(rehearsal.audit) == {"no_mistake_of_ours"}    # type: ignore[arg-type]


@pytest.mark.parametrize("skipping", [True, False])
def test_a_danger_that_passes_while_a_log_storms_begins_anew_when_it_comes_again(tmp_path: Path, skipping: bool) -> None:
    """An HMC that is back answers for long enough, RMC is recycled, and in that moment it is gone again: a race."""
    policy = "cadence: {pulse: 10s}\nremedies: {refresh: {mode: 'off'}, recycle: {grace: 1m}}\nguards: {splay: 0s}\n"
    happenings = (at(HOUR - 300, "storm", per_second=1.0, kind="slots"), at(HOUR, "hmc_down"),
                  at(HOUR + 100, "stick_session", mended_by=None), at(2 * HOUR, "hmc_up"))
    alone = played(tmp_path / "alone", *happenings, hours=3.0, policy=policy, skipping=skipping)
    begun = next(did.at for did in alone.rehearsal.did if did.command == "rmcctrl -z")

    gone = at(begun - 0.02, "hmc_unreachable")
    audit = played(tmp_path / "race", *happenings, gone, hours=3.0, policy=policy, skipping=skipping)

    assert broken(alone) == broken(audit) == set()
    assert any(did.command == "rmcctrl -z" for did in audit.rehearsal.did)


def test_a_fault_that_is_called_healthy(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(cycle, "diagnose", lambda seen, history, settings: ())

    audit = played(tmp_path, at(600, "hmc_unreachable"))

    assert broken(audit) == {"no_fault_is_missed"}


def test_a_line_with_a_control_character(tmp_path: Path, monkeypatch: Patch) -> None:
    change_findings(monkeypatch, evidence="\x1b[2J")
    monkeypatch.setattr(text, "_clear", lambda character: character)

    audit = played(tmp_path, at(600, "hmc_unreachable"))

    assert broken(audit) == {"every_line_is_a_line"}


def test_a_wall_clock_that_moves_the_time_reasoned_by(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(Steady, "now", lambda steady: steady.clock.now())

    audit = played(tmp_path, at(600, "jump_clock", seconds=86400.0), hours=0.5, skipping=False)

    assert broken(audit) == {"a_clock_that_is_set_moves_nothing"}


def test_each_invariant_is_seen_broken_here() -> None:
    shown = [line for line in Path(__file__).read_text().splitlines() if "broken(" in line]

    assert [name for name in NAMES if not any(f'"{name}"' in line for line in shown)] == []
    assert len(set(NAMES)) == len(NAMES)
