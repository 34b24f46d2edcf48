"""`heal REMEDY`: what an operator's asking stands for, what not, and what he is told; in values, virtual time and for real."""
from __future__ import annotations

import errno
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Tuple

import pytest

from day import HOUR, MINUTE, Day, minutes
from rmcagent import config, daemon, heal, inbox, lives
from rmcagent.daemon import Daemon
from rmcagent.model import Decision, Fault, Finding, Gap, Kind, Link, Outcome, Platform, Remedy, Side, Snapshot
from rmcagent.reason.decide import asked
from rmcagent.reason.guards import Case, splay_of
from rmcagent.sim.live.stage import Stage
from seen import ANYTHING, NOON, SECOND, attempt, case, finding, gap, history, hmc, plain, policy, with_hmcs
from test_guards import HELD, Held

REFRESH, START, MANAGER, LPARMGR = Remedy.REFRESH, Remedy.START, Remedy.MANAGER, Remedy.LPARMGR
RECYCLE, RECFGCT = Remedy.RECYCLE, Remedy.RECFGCT
EVERY_REMEDY = pytest.mark.parametrize("remedy", list(Remedy), ids=lambda remedy: remedy.value)
AT_ONCE = "guards: {splay: 0s, hmc_back: 0s}\n"
REFRESHED = ["rmcctrl -p", "rmcrefreshMD -s ctrmc", "refrsrc IBM.MCP"]
LPARMGR_ONLY = "guards: {splay: 0s, migration: 0s}\nremedies: {lparmgr: {mode: act, grace: 12h}, refresh: {mode: off}}\n"
STARTED = ["rmcctrl -A", "rmcctrl -p"]
RECYCLED = ["rmcctrl -z", *STARTED]
PATIENCE = 150.0


# -- what his asking stands for


def asked_for(one: Case, *others: Finding) -> Tuple[Decision, ...]:
    return asked(one.remedy, one.seen, (one.finding, *others), one.history, one.settings, one.now)


def guards(decision: Decision) -> List[str]:
    return [refusal.guard for refusal in decision.refused_by]


def test_what_is_seen_for_the_first_time_is_treated_at_once() -> None:
    found = finding()

    (decision,) = asked_for(case(REFRESH, found, past=history(found=(found,), since=0 * SECOND)))

    assert (decision.kind, decision.finding, decision.refused_by) == (Kind.APPLY, found, ())


def test_the_gentler_remedies_need_not_come_first() -> None:
    (decision,) = asked_for(case(RECYCLE))

    assert (decision.kind, decision.remedy) == (Kind.APPLY, RECYCLE)


@pytest.mark.parametrize("wait", ["2h", "never"])
def test_what_an_operator_stopped_an_operator_may_start(wait: str) -> None:
    stopped = finding(Fault.RMC_STOPPED, side=Side.OPERATOR)
    settings = policy(f"remedies: {{start: {{after_stop: {wait}}}}}")

    (decision,) = asked_for(case(START, stopped, plain(rmc="down"), history(found=(stopped,), since=0 * SECOND), settings))

    assert decision.kind is Kind.APPLY


# -- what it does not stand for


LEFT_OUT = ("hmc_connected", "no_hmc_reachable")


@pytest.mark.parametrize("one", HELD, ids=[f"{held.guard}-{number}" for number, held in enumerate(HELD)])
def test_every_guard_holds_what_an_operator_asks_for(one: Held) -> None:
    """Where the ladder itself leaves the remedy out, that is said."""
    stuck = one.held.remedy is LPARMGR

    (decision,) = asked_for(replace(one.held, finding=finding(Fault.LPARMGR_STUCK)) if stuck else one.held)

    assert decision.kind is Kind.REFUSE and all(refusal.unblock for refusal in decision.refused_by)
    assert one.says in guards(decision) or (one.guard in LEFT_OUT and guards(decision) == ["not-needed"])


def test_all_guards_speak() -> None:
    one = case(RECYCLE, seen=plain(maintenance=True), past=history(attempt(RECYCLE, 20 * 60 * SECOND), crash_loop=True))

    (decision,) = asked_for(replace(one, seen=replace(one.seen, vitals=replace(one.seen.vitals, may_act=False))))

    assert guards(decision) == ["not-root", "maintenance", "crash-loop", "cooldown"]


def test_its_turn_in_a_fleet_is_kept_and_named() -> None:
    one = case(RECYCLE, past=history(found=(finding(),), splay_from=NOON))

    (decision,) = asked_for(one)

    assert guards(decision) == ["splay"] and decision.until == NOON + splay_of(one) > NOON


@pytest.mark.parametrize("text, unblock", [
    ("mode: shadow", "mode: act"), ("remedies: {refresh: {mode: shadow}}", "remedies.refresh.mode: act")])
def test_in_shadow_nothing_is_done_for_whoever_asks(text: str, unblock: str) -> None:
    (decision,) = asked_for(case(REFRESH, settings=policy(text)))

    assert (guards(decision), decision.unblock) == (["shadow"], unblock)


def test_a_rung_in_shadow_opens_no_way_to_a_stronger_one() -> None:
    (decision,) = asked_for(case(RECYCLE, settings=policy("remedies: {refresh: {mode: shadow}}")))

    assert guards(decision) == ["rehearsed"]


def test_recfgct_comes_only_after_a_recycle_that_changed_nothing_or_for_an_identity() -> None:
    clash = finding(Fault.IDENTITY_CLASH, side=Side.IDENTITY)

    (before,) = asked_for(case(RECFGCT, past=history(found=(finding(),))))
    (after,) = asked_for(case(RECFGCT))
    (identity,) = asked_for(case(RECFGCT, clash, past=history(found=(clash,))))

    assert guards(before) == ["order"]
    assert (after.kind, identity.kind) == (Kind.APPLY, Kind.APPLY)


@pytest.mark.parametrize("how, guard", [(Outcome.UNCHANGED, ["once"]), (Outcome.UNKNOWN, ["once"]), (Outcome.INTERRUPTED, [])])
def test_recfgct_is_done_once_in_an_episode(how: Outcome, guard: List[str]) -> None:
    settings = policy("remedies: {recfgct: {cooldown: 1m, budget: 9/24h, treats: [link-down, link-pending, no-hmc]}}")
    past = history(attempt(RECYCLE, 2 * HOUR * SECOND), attempt(RECFGCT, HOUR * SECOND, how, id=2))

    (decision,) = asked_for(case(RECFGCT, past=past, settings=settings))

    assert guards(decision) == guard


# -- what needs nothing is left alone


@EVERY_REMEDY
def test_where_nothing_is_wrong_nothing_is_treated(remedy: Remedy) -> None:
    (decision,) = asked(remedy, plain(link=Link.UP), (), history(), ANYTHING, NOON)

    assert (decision.kind, decision.because) == (Kind.REFUSE, f"nothing here that {remedy.value} treats")


def test_what_treats_the_fault_is_named_instead() -> None:
    (decision,) = asked_for(case(START), finding(Fault.VAR_FULL))

    assert decision.because == ("nothing here that start treats; link-down is treated by refresh, recycle, recfgct;"
                                " var-full has no remedy here")
    assert decision.unblock == "rmcagent heal refresh"


def test_what_could_not_be_told_is_said_and_treated_by_nothing() -> None:
    seen = plain(subsystems=gap(), gaps=(Gap("lssrc -a", "timed out"),), link=Link.UP)

    (decision,) = asked(REFRESH, seen, (), history(), ANYTHING, NOON)

    assert decision.because == "nothing here that refresh treats; could not tell: lssrc -a: timed out"


@pytest.mark.parametrize("found, seen", [
    (finding(Fault.LINK_PARTIAL), plain(link=Link.UP)),
    (finding(Fault.LOG_STORM), plain(link=Link.UP)),
    (finding(), with_hmcs(plain(), hmc(Link.DOWN, reachable=None))),
    (finding(Fault.MANAGER_DOWN, "sendmail"), plain()),
    (finding(Fault.CLONED_NODE), plain(link=Link.UP)),
], ids=["beside a working HMC", "noise beside a working HMC", "reach untold", "none of RMC's", "an accepted copy"])
def test_what_the_ladder_leaves_out_as_things_are_nobody_gets_by_asking(found: Finding, seen: Snapshot) -> None:
    (decision,) = asked_for(case(RECYCLE, found, seen))

    assert guards(decision) == ["not-needed"]


# -- on a partition


def ask(day: Day, remedy: Any, **more: Any) -> Dict[str, Any]:
    return heal.answer(day.cycle, {"do": "heal", "remedy": remedy, "by": "alice", **more}, go_on)


def go_on() -> None:
    """Whoever asked still waits."""


def day_of(folder: Path, fault: str = "", *arguments: Any, policy: str = AT_ONCE, platform: Platform = Platform.AIX,
           up_for: float = HOUR, **named: Any) -> Day:
    """Some minutes of health, then the fault, which no look has seen yet."""
    day = Day(folder, platform, policy=policy, up_for=up_for)
    day.run(3 * MINUTE)
    if fault:
        day.do(fault, *arguments, **named)
    return day


def look(day: Day) -> None:
    """The agent's own next look, now."""
    day.cycle.look_now()
    day.cycle.step()


def ledger_of(day: Day) -> bytes:
    return (day.folder / "state" / "ledger.jsonl").read_bytes()


@EVERY_REMEDY
@pytest.mark.parametrize("platform", list(Platform), ids=lambda platform: platform.value)
def test_a_healthy_partition_is_never_touched_whatever_is_asked(tmp_path: Path, platform: Platform, remedy: Remedy) -> None:
    day = day_of(tmp_path, platform=platform)

    told = [ask(day, remedy.value) for _ in range(3)]
    day.run(5 * MINUTE)

    assert told == 3 * [{"ok": False, "exit": 11, "text": f"nothing here that {remedy.value} treats\n"
                                                          "  unblock: none is needed: nothing is wrong"}]
    assert (day.did(), day.events, day.verdict) == ([], [], "healthy")


@pytest.mark.parametrize("fault, arguments, remedy, commands", [
    ("stick_session", ("192.0.2.21", "refresh"), REFRESH, REFRESHED),
    ("stick_session", ("192.0.2.21", "recycle"), RECYCLE, RECYCLED),
    ("crash", (), START, STARTED),
    ("stop_cleanly", (), START, STARTED),
    ("manager_crash", (), MANAGER, ["startsrc -s IBM.DRM"]),
    ("clash_identity", (), RECFGCT, ["recfgct", "rmcctrl -p"]),
])
def test_what_was_asked_for_is_begun_told_counted_and_judged(
    tmp_path: Path, fault: str, arguments: Tuple[Any, ...], remedy: Remedy, commands: List[str]
) -> None:
    day = day_of(tmp_path, fault, *arguments)

    told = ask(day, remedy.value)
    day.run(MINUTE)
    begun = day.did()
    day.run(25 * MINUTE)

    assert (told["ok"], told["exit"]) == (True, 0) and told["text"].startswith(f"begun: {remedy.value} for ")
    assert begun == day.did() == commands
    (event,) = day.told("RMCA3001N")
    assert (day.field(event, "by"), day.field(event, "user")) == ("operator", "alice")
    (kept,) = day.cycle.ledger.attempts.values()
    assert (kept.by, kept.outcome, kept.episode) == ("operator", Outcome.HEALED, "E-1")
    assert day.verdict == "healthy" and day.partition.disasters == []
    day.restart()
    assert day.cycle.ledger.attempts == {1: kept}


def test_lparmgr_is_restarted_for_whoever_asks(tmp_path: Path) -> None:
    day = day_of(tmp_path, "stick_lparmgr", platform=Platform.VIOS, policy=LPARMGR_ONLY)
    while not day.cycle.findings:
        day.run(MINUTE)

    migrating = (day.do("start_migration"), ask(day, "lparmgr"), day.do("end_migration", True))[1]
    told = ask(day, "lparmgr")
    day.run(HOUR)

    assert (migrating["exit"], told["exit"]) == (11, 0) and "  migration: " in migrating["text"]
    assert day.did() == ["lparmgr all start"] and day.verdict == "healthy"


def test_the_answer_says_what_was_begun_when_it_is_judged_and_how_to_follow_it(tmp_path: Path) -> None:
    day = day_of(tmp_path, "crash")

    told = ask(day, "start")

    first, judged, follow = told["text"].split("\n")
    assert first.startswith("begun: start for rmc-down (attempt 1): ctrmc is inoperative")
    assert judged.startswith("  judged 3m after its last step, not before 2026-01-01T") and judged[-6] in "+-"
    assert follow == "  to follow it: rmcagent status" and day.verdict == "healing"


def test_a_refusal_names_each_guard_with_what_would_unblock_it(tmp_path: Path) -> None:
    day = day_of(tmp_path, "stick_session", policy="guards: {splay: 0s}\n")
    day.cycle.pause(day.cycle.steady.now() + minutes(60), "SAN work", "root")
    day.do("start_caa")

    told = ask(day, "recycle")

    lines = told["text"].split("\n")
    assert told["exit"] == 11 and not told["ok"] and lines[0] == "recycle for link-down is held"
    assert [line.split(":")[0].strip() for line in lines[1:]] == (
        ["paused", "unblock"] + 4 * ["cluster"] + ["unblock", "hmc-back", "unblock", "what is seen"])
    assert lines[-1].startswith("what is seen: every known HMC is down")
    assert lines[2].startswith("    unblock: rmcagent resume (it is over at 2026-01-01T")
    assert day.did() == []


def test_an_operator_spends_the_budget_that_the_agent_has(tmp_path: Path) -> None:
    day = day_of(tmp_path, "stick_session", None, None,
                 policy=AT_ONCE + "remedies: {refresh: {budget: 1/24h}, recycle: {mode: off}}\n")
    first = ask(day, "refresh")
    cooling = ask(day, "refresh", dry_run=True)
    day.run(30 * MINUTE)

    spent, rehearsed = ask(day, "refresh"), ask(day, "refresh", dry_run=True)
    day.cycle.pause(day.cycle.steady.now() + minutes(60), "SAN work", "root")
    paused = ask(day, "refresh")
    day.run(3 * HOUR)

    assert [told["exit"] for told in (first, cooling, spent, rehearsed, paused)] == [0, 11, 12, 12, 11]
    assert "refresh was begun once in 24 h" in spent["text"] and "budget" in paused["text"]
    assert day.did() == REFRESHED


def test_what_the_agent_spent_is_spent_for_an_operator(tmp_path: Path) -> None:
    day = day_of(tmp_path, "stick_session", None, None,
                 policy=AT_ONCE + "remedies: {refresh: {budget: 1/24h}, recycle: {mode: off}}\n")
    day.run(HOUR)

    told = ask(day, "refresh")

    assert (day.did(), told["exit"]) == (REFRESHED, 12)


# -- a dry run

SITUATIONS: Mapping[str, Tuple[Callable[[Day], None], Remedy, int]] = {
    "due": (lambda day: day.do("stick_session"), RECYCLE, 0),
    "due, gentle": (lambda day: day.do("crash"), START, 0),
    "seen once": (lambda day: (day.do("stick_session"), look(day))[1], RECYCLE, 0),
    "healthy": (lambda day: None, RECYCLE, 11),
    "in a cluster": (lambda day: (day.do("stick_session"), day.do("start_caa"))[0], RECYCLE, 11),
    "out of order": (lambda day: day.do("break_identity"), RECFGCT, 11),
    "blind": (lambda day: (day.do("crash"), day.do("hang_command", "lssrc"))[0], START, 11),
    "no such command": (lambda day: (day.do("crash"), day.do("remove_command", "rmcctrl"))[0], START, 11),
}


def everything(day: Day) -> Tuple[Any, ...]:
    """The ledger's bytes, and what the agent remembers, has in mind and shows."""
    cycle = day.cycle
    kept = [repr(sorted(vars(part).items())) for part in (cycle.memory, cycle.episodes)]
    shown = (cycle.view, cycle.findings, cycle.next_look)
    return ledger_of(day), kept, repr(vars(cycle.ledger)), repr(day.partition.subsystems), shown


@pytest.mark.parametrize("name", list(SITUATIONS))
def test_a_dry_run_ends_as_the_real_one_and_leaves_ledger_partition_and_memory_as_they_were(tmp_path: Path, name: str) -> None:
    happens, remedy, exit_code = SITUATIONS[name]
    day = day_of(tmp_path)
    happens(day)
    before = everything(day)

    rehearsed = ask(day, remedy.value, dry_run=True)

    assert everything(day) == before and (day.did(), day.events) == ([], [])
    told = ask(day, remedy.value)
    assert (rehearsed["exit"], told["exit"]) == (exit_code, exit_code)


def test_a_dry_run_shows_the_commands_in_their_order_and_how_long_they_settle(tmp_path: Path) -> None:
    day = day_of(tmp_path, "stick_session")

    told = ask(day, "recycle", dry_run=True)
    ask(day, "recycle")
    day.run(MINUTE)

    shown = [line.strip() for line in told["text"].split("\n") if line.startswith("  /")]
    assert [line.rpartition("/")[2] for line in shown] == day.did() == RECYCLED
    assert "and is judged 12m after its last step\nnothing was begun" in told["text"]


def test_a_dry_run_of_what_is_held_shows_both(tmp_path: Path) -> None:
    day = day_of(tmp_path, "break_identity")

    told = ask(day, "recfgct", dry_run=True)

    assert "  order: no recycle was judged unchanged in this episode" in told["text"]
    assert "  archive /var/ct/cfg\n" in told["text"]
    assert "were it allowed, it would run, in this order:\n" in told["text"] and "it runs" not in told["text"]
    assert told["text"].endswith("do not run it by hand while a guard holds\nnothing was begun")


# -- danger that comes up between asking and deed


def test_a_caa_that_comes_up_while_the_evidence_is_gathered_stops_what_was_asked_for(tmp_path: Path) -> None:
    day = day_of(tmp_path, "stick_session")
    day.do("caa_upon", "lsrpdomain")

    told = ask(day, "recycle")
    day.run(HOUR)

    assert told["exit"] == 11 and "  cluster: " in told["text"]
    assert "rmcctrl -z" not in day.did() and day.partition.disasters == []


@pytest.mark.parametrize("program, guard", [("rmcctrl", "busy"), ("rpm", "install"), ("shutdown", "shutdown")])
@pytest.mark.parametrize("remedy", [REFRESH, RECYCLE], ids=lambda remedy: remedy.value)
def test_somebody_else_at_work_holds_it_and_no_cluster_is_asked_meanwhile(
    tmp_path: Path, remedy: Remedy, program: str, guard: str
) -> None:
    day = day_of(tmp_path, "stick_session")
    day.do("run_program", program)
    asked_before = len(day.host.asked)

    told = ask(day, remedy.value)

    assert told["exit"] == 11 and f"  {guard}: {program} is running" in told["text"] and day.did() == []
    assert not any("lsrpdomain" in str(words) for words in list(day.host.asked)[asked_before:])


def test_the_evidence_is_gathered_afresh_before_what_disturbs_others(tmp_path: Path) -> None:
    """Even where something else holds it already: the answer names all that does."""
    day = day_of(tmp_path, "stick_session")
    day.cycle.pause(day.cycle.steady.now() + minutes(60), "SAN work", "root")
    day.do("define_peer_domain", "pd1", "Offline")
    gathered = []
    gather = day.cycle.observer.evidence
    day.cycle.observer.evidence = lambda *known: gathered.append(1) or gather(*known)  # type: ignore[method-assign, func-returns-value]

    told = ask(day, "recycle"), ask(day, "refresh"), ask(day, "start")

    assert [one["exit"] for one in told] == [11, 11, 11] and len(gathered) == 1


def test_an_hmc_that_connects_while_the_evidence_is_gathered_is_not_cut_off(tmp_path: Path) -> None:
    day = day_of(tmp_path, "stick_session")
    gather = day.cycle.observer.evidence

    def connects(*known: Any) -> Any:
        day.do("mend_session")
        day.partition.hmcs[0].connected = True
        return gather(*known)

    day.cycle.observer.evidence = connects  # type: ignore[method-assign]
    told = ask(day, "recycle")

    assert told["exit"] == 11 and day.did() == []


def test_nothing_that_disturbs_others_is_begun_on_an_ordinary_look(tmp_path: Path) -> None:
    day = day_of(tmp_path, "stick_session")
    gather = day.cycle.observer.evidence
    day.cycle.observer.evidence = lambda *known: replace(gather(*known), fresh=False)  # type: ignore[method-assign]

    told = ask(day, "recycle")

    assert (told["ok"], day.did(), len(day.cycle.ledger.attempts)) == (False, [], 0)


# -- what is under way, and what only waits


def test_while_a_remedy_is_under_way_nothing_is_asked_of_the_partition_and_nothing_begun(tmp_path: Path) -> None:
    day = day_of(tmp_path, "stick_session")
    first = ask(day, "recycle")
    looked = len(day.host.asked)

    second, third = ask(day, "recycle"), ask(day, "start")

    assert (first["exit"], second["exit"], third["exit"]) == (0, 11, 11)
    assert second["text"].startswith("recycle (attempt 1) is under way\n  unblock: wait") and len(day.host.asked) == looked
    day.run(MINUTE)
    assert day.did() == RECYCLED


def test_until_it_is_judged_nothing_else_is_begun(tmp_path: Path) -> None:
    day = day_of(tmp_path, "stick_session")
    ask(day, "refresh")
    day.run(MINUTE)

    told = ask(day, "recycle")

    assert told["exit"] == 11 and "  settle: refresh (attempt 1) is not judged yet" in told["text"]
    assert day.did() == REFRESHED


def test_before_its_first_look_the_agent_does_nothing_for_anybody(tmp_path: Path) -> None:
    day = day_of(tmp_path, "crash")
    day.restart()

    told = ask(day, "start")

    assert told == {"ok": False, "exit": 11, "text": "no look has been completed yet\n  unblock: ask again in a minute"}


def test_its_turn_in_a_fleet_is_counted_from_the_first_asking(tmp_path: Path) -> None:
    day = day_of(tmp_path, "stick_session", None, None,
                 policy="guards: {splay: 10m, hmc_back: 0s}\nremedies: {refresh: {grace: 12h}, recycle: {grace: 12h}}\n")

    told = [ask(day, "recycle")]
    while told[-1]["exit"] and len(told) < 12:
        assert "splay" in told[-1]["text"]
        day.run(MINUTE)
        told.append(ask(day, "recycle"))

    assert 1 < len(told) < 12 and told[-1]["exit"] == 0


def test_asking_often_hurries_no_diagnosis_and_makes_no_pulse_late(tmp_path: Path) -> None:
    """A hung RMC is told by looks of the agent's own, one after the other."""
    day = day_of(tmp_path, "hung_rmc")
    day.run(2 * MINUTE)
    before = day.cycle.memory.hung_looks

    told = [ask(day, "recycle") for _ in range(8)]
    after = day.cycle.memory.hung_looks
    day.cycle.step()

    assert [one["exit"] for one in told] == 8 * [11] and day.did() == []
    assert before == after < day.cycle.memory.hung_looks


def test_asking_often_closes_no_episode(tmp_path: Path) -> None:
    day = day_of(tmp_path, "stick_session", policy="mode: observe\n")
    day.run(10 * MINUTE)
    day.do("mend_session")
    while day.cycle.findings:
        day.run(30.0)
    looks = day.cycle.episodes.clean_looks

    for _ in range(5):
        ask(day, "refresh")

    assert looks == day.cycle.episodes.clean_looks == 1 and day.cycle.ledger.episode is not None


def test_what_the_look_found_is_told_by_the_next_step(tmp_path: Path) -> None:
    day = day_of(tmp_path)
    look(day)
    day.do("crash")

    ask(day, "refresh")
    day.cycle.step()

    assert [event.code for event in day.events] == ["RMCA2001W"]


def test_of_two_managers_the_one_that_may_be_started_is(tmp_path: Path) -> None:
    day = day_of(tmp_path, policy=AT_ONCE + "expect: {subsystems: {IBM.ConfigRM: required}}\n")
    day.do("manager_crash", "IBM.ConfigRM")
    first = ask(day, "manager")
    day.do("manager_crash", "IBM.MgmtDomainRM")

    told = ask(day, "manager")

    assert first["exit"] == 11 and "no-steps" in first["text"]
    assert told["exit"] == 0 and told["text"].startswith("begun: manager for manager-down IBM.MgmtDomainRM (attempt 1)")


# -- whoever asked waits no more


def test_what_was_withdrawn_while_the_look_was_made_is_not_begun(tmp_path: Path) -> None:
    day = day_of(tmp_path, "stick_session")
    looked = len(day.host.asked)
    asked_after: List[int] = []

    def gave_up() -> None:
        asked_after.append(len(day.host.asked))
        raise inbox.Withdrawn

    with pytest.raises(inbox.Withdrawn):
        heal.answer(day.cycle, {"do": "heal", "remedy": "refresh", "by": "alice"}, gave_up)

    assert asked_after == [len(day.host.asked)] and looked < asked_after[0]
    assert (day.did(), day.cycle.ledger.attempts, day.told("RMCA3001N")) == ([], {}, [])


def test_nobody_need_wait_for_what_begins_nothing(tmp_path: Path) -> None:
    day = day_of(tmp_path, "stick_session", policy="mode: observe\n")

    def never() -> None:
        raise AssertionError("it was not to be begun")

    request = {"do": "heal", "remedy": "refresh", "by": "alice"}
    told = heal.answer(day.cycle, request, never), heal.answer(day.cycle, {**request, "dry_run": True}, never)

    assert [one["exit"] for one in told] == [11, 11]


# -- what fails


def test_without_a_durable_intent_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day = day_of(tmp_path, "crash")

    def full(*words: Any, **named: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(day.cycle.ledger, "begin", full)
    told = ask(day, "start")

    assert told["exit"] == 11 and "  ledger: cannot write the intent into the ledger: No space left" in told["text"]
    assert day.did() == [] and day.told("RMCA3001N") == []


def test_a_helper_that_cannot_be_started_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day = day_of(tmp_path, "crash")

    def broken(*words: Any) -> Any:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(day.host, "begin", broken)
    told = ask(day, "start")

    assert told["exit"] == 1 and "its helper could not be started" in told["text"]
    assert day.cycle.ledger.attempts[1].outcome is Outcome.INTERRUPTED


def test_a_crash_loop_of_this_moment_holds_it(tmp_path: Path) -> None:
    """The turn's own word on it may be a turn old."""
    day = day_of(tmp_path, "crash")
    lives.begin(day.cycle.ledger, 1)
    for _ in range(lives.CRASHES_ALLOWED):
        lives.mistaken(day.cycle.ledger)
    here = Daemon.__new__(Daemon)
    here.cycle, here.ledger = day.cycle, day.cycle.ledger

    told = here._answer({"do": "heal", "remedy": "start", "by": "alice"}, go_on)

    assert told["exit"] == 11 and "  crash-loop: " in told["text"] and day.did() == []


# -- what is no request


@pytest.mark.parametrize("request_", [
    {"remedy": "reboot"}, {"remedy": "REFRESH"}, {"remedy": ""}, {"remedy": "Remedy.START"}, {"remedy": "start "}, {},
    {"remedy": None}, {"remedy": 3}, {"remedy": ["start"]}, {"remedy": {"start": 1}}, {"remedy": True}, {"remedy": "x" * 10000},
    {"remedy": "\x1b[2Jstart\n\u202e"}, {"remedy": "start", "dry_run": "false"}, {"remedy": "start", "dry_run": 0},
    {"remedy": "start", "dry_run": None}, {"remedy": "start", "dry_run": [True]},
], ids=lambda request_: repr(request_)[:30])
def test_what_is_no_request_is_a_mistake_in_usage_and_does_nothing(tmp_path: Path, request_: Mapping[str, Any]) -> None:
    day = day_of(tmp_path, "crash")
    looked = len(day.host.asked)

    told = heal.answer(day.cycle, {"do": "heal", "by": "alice", **request_}, go_on)

    assert (told["ok"], told["exit"], len(day.host.asked)) == (False, 2, looked)
    assert told["text"].isprintable() and len(told["text"]) < 500
    json.dumps(told)


@pytest.mark.parametrize("user, said", [
    ("x" * 10000, "x" * 57 + "..."),
    ("al\nice\x1b[2J", "al\\x0aice\\x1b[2J"), (None, "unknown"), ("", "unknown"), (7, "unknown")])
def test_whoever_asks_is_named_as_far_as_he_can_be(tmp_path: Path, user: Any, said: str) -> None:
    day = day_of(tmp_path, "crash")

    heal.answer(day.cycle, {"do": "heal", "remedy": "start", "by": user}, go_on)

    (event,) = day.told("RMCA3001N")
    assert (day.field(event, "by"), day.field(event, "user")) == ("operator", said)


def test_hostile_evidence_cannot_write_a_line_of_the_answer(tmp_path: Path) -> None:
    day = day_of(tmp_path, "crash")
    day.cycle.pause(day.cycle.steady.now() + minutes(5), "quiet\n  off: nothing\x1b[2J", "root")

    told = ask(day, "start")

    lines = told["text"].split("\n")
    assert len(lines) == 4 and all(line.isprintable() for line in lines) and "quiet\\x0a" in lines[1]


# -- the agent's invariants, with an operator who asks for everything


@pytest.mark.slow
def test_an_operator_who_asks_for_everything_all_day_breaks_nothing(tmp_path: Path) -> None:
    day = Day(tmp_path, policy="cadence: {pulse: 1m, look: 1m}\n")
    day.run(30 * MINUTE)
    happenings: List[Tuple[str, ...]] = [
        ("stick_session",), ("start_caa",), ("stop_caa",), ("crash",), ("start_migration",), ("end_migration",),
        ("break_identity",), ("hmc_unreachable",), ("hmc_reachable",), ("manager_crash",),
        ("run_program", "rpm"), ("end_program", "rpm"),
    ]
    answers = []
    for hour in range(24):
        day.do(*happenings[hour % len(happenings)])
        for _ in range(3):
            answers += [ask(day, remedy.value)["exit"] for remedy in reversed(Remedy)]
            day.run(20 * MINUTE)
            open_ = [one for one in day.cycle.ledger.attempts.values() if one.outcome is None]
            assert len(open_) <= 1

    attempts = day.cycle.ledger.attempts.values()
    assert day.partition.disasters == [] and set(answers) <= {0, 11, 12} and {0, 11} <= set(answers)
    assert {one.by for one in attempts} >= {"operator"}
    for remedy in Remedy:
        begun = [one.begun_at for one in attempts if one.remedy is remedy]
        for budget in day.settings.remedies[remedy.value].budget:
            assert all(sum(at - budget.span < other <= at for other in begun) <= budget.times for at in begun)


# -- for real


@pytest.mark.real
def test_the_daemon_is_asked_by_several_at_once_and_begins_one(tmp_path: Path) -> None:
    waits: Dict[str, Any] = {"remedies": {"refresh": {"grace": "1h"}, "recycle": {"grace": "1h"}}}
    with Stage(tmp_path, policy=waits) as stage:
        stage.start()
        assert stage.wait_healthy(PATIENCE), stage.complaints()
        settings = config.load(str(stage.config)).settings
        healthy = daemon.ask(settings, {"do": "heal", "remedy": "refresh", "dry_run": False, "by": "alice"})
        stage.world.do("stick_session", mended_by="refresh")
        assert stage.wait_for("RMCA2001W", PATIENCE, fault="link-down")

        request = {"do": "heal", "remedy": "refresh", "dry_run": False, "by": "alice"}
        told: List[Dict[str, Any]] = []

        def done(*requests: Mapping[str, Any]) -> bool:
            """An installation on the machine under this test holds every remedy for as long as it runs."""
            with ThreadPoolExecutor(3) as pool:
                told[:] = pool.map(lambda one: daemon.ask(settings, one), requests)
            return any(one["exit"] == 0 for one in told)

        assert stage.wait_until(lambda: done({**request, "dry_run": True}), PATIENCE), told
        assert (healthy["exit"], stage.did()) == (11, [])
        assert stage.wait_until(lambda: done(request, request, request), PATIENCE), told
        assert sorted(one["exit"] for one in told) == [0, 11, 11], told
        begun = stage.wait_for("RMCA3001N", PATIENCE, remedy="refresh")
        assert begun is not None and (begun.fields["by"], begun.fields["user"]) == ("operator", "alice")
        assert stage.wait_for("RMCA3002N", PATIENCE, remedy="refresh") and stage.did() == REFRESHED
        assert stage.complaints() == ""
    after = daemon.ask(settings, request)
    assert after["exit"] == 7
