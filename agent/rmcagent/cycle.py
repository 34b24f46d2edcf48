"""One turn: observe, diagnose, decide, act or judge, record, report; and nothing else. The order of the verbs is here."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Callable, Dict, Optional, Sequence, Tuple

from rmcagent.config import Settings
from rmcagent.deeds import CannotBegin, Deeds
from rmcagent.episodes import Episodes, entry
from rmcagent.frozen import replace
from rmcagent.ledger import Ledger
from rmcagent.memory import Memory
from rmcagent.model import (
    Attempt,
    ClusterVerdict,
    Decision,
    Finding,
    Kind,
    Outcome,
    Pause,
    Refusal,
    Remedy,
    Snapshot,
    State,
    Step,
    View,
)
from rmcagent.partition.host import Host
from rmcagent.partition.observe import Observer
from rmcagent.partition.platform import Place
from rmcagent.reason import cluster
from rmcagent.reason.decide import alternatives, asked, decide, explains_blindness, gaps_told, not_now, verdict
from rmcagent.reason.diagnose import diagnose
from rmcagent.reason.ladder import DISRUPTIVE, LADDER
from rmcagent.reason.links import management_expected
from rmcagent.reason.verify import goal, outcome
from rmcagent.report import Event

OTHERS = {"busy", "install", "shutdown"}  # while they are at work, lsrpdomain is not asked
LATE_SECONDS = 2.0  # a pulse later than this: the partition is loaded, and slow answers prove nothing


class Cycle:
    """The agent's one thread of thought; `step` is called for ever, and says how long nothing needs doing."""

    def __init__(
        self,
        host: Host,
        place: Place,
        settings: Settings,
        ledger: Ledger,
        emit: Callable[[Event], None],
        maintenance: str = "",
    ) -> None:
        self.host, self.place, self.settings, self.ledger, self.emit = host, place, settings, ledger, emit
        self.steady = ledger.steady
        self.maintenance = maintenance  # a file whose presence holds every remedy
        self.observer = Observer(host, place, settings, self.steady)
        self.episodes = Episodes(ledger, emit)
        self.deeds = Deeds(host, place, ledger, emit)
        self.memory = Memory(ledger)
        self.blind_told = False
        self.on_time = True
        self.acting = True  # plan looks with the same eyes and keeps its hands still
        self.gone: Tuple[int, ...] = ()  # pids a pulse missed and a look was spent on
        self.looked_early_at: Optional[datetime] = None
        self.findings: Tuple[Finding, ...] = ()
        self.seen: Optional[Snapshot] = None
        self.log_size = 0
        self.next_look = self.steady.now()
        self.due_at: Optional[datetime] = None  # when the next step was promised
        self.view = self._view((), (Decision(Kind.REST, "no look has been completed yet"),))

    # -- time

    def step(self) -> float:
        """Pulse; look when it is time or a pulse found a change; return the seconds until the next step."""
        now = self.steady.now()
        self.on_time = self.due_at is None or (now - self.due_at).total_seconds() <= LATE_SECONDS
        self._expire_pause(now)
        ended = self.deeds.track()
        self.memory.late = self.deeds.late
        if ended or now >= self.next_look or self._pulse_found_change():
            self.turn()
        now = self.steady.now()
        self.due_at = min(now + self.settings.cadence.pulse, max(self.next_look, now))
        return (self.due_at - now).total_seconds()

    def look_now(self) -> None:
        self.next_look = self.steady.now()

    def glance(self) -> View:
        """One look and what would be done now; nothing is begun, nothing written. One look must do where the agent wants two."""
        self.acting = False
        self.memory.empty_looks = 1
        self.turn()
        return self.view

    def adopt(self, settings: Settings, place: Place) -> None:
        """A new policy, from the next look on; what was seen under the old one still counts."""
        self.settings, self.place, self.deeds.place = settings, place, place
        self.observer.adopt(place, settings)
        self.look_now()

    def _pulse_found_change(self) -> bool:
        """Pids and log sizes only: no command is run."""
        if self.seen is None or self.deeds.under_way() is not None:
            return False
        rows = self.seen.subsystems.value or {}
        required = [rows[name] for name in self.seen.required if name in rows]
        pids = [row.pid for row in required if row.state is State.ACTIVE and row.pid]
        gone = tuple(pid for pid in pids if self.host.alive(pid) is False)
        if gone and gone != self.gone:
            self.gone = gone
            return True
        grown = self.observer.logs.total_size(self.host) - self.log_size > self.settings.log.storm.bytes
        now = self.steady.now()
        if grown and (self.looked_early_at is None or now - self.looked_early_at >= self.settings.cadence.look):
            self.looked_early_at = now  # a log that grows for hours must not turn every pulse into a look
            return True
        return False

    # -- the turn

    def turn(self) -> None:
        """One look and what is made of it."""
        self.next_look = self.steady.now() + self.settings.cadence.look
        seen = self.observer.look(tuple(self.ledger.known.values()), suspicious=self._suspicious())
        seen = self._noted(seen)
        if self.deeds.under_way() is not None and not self.deeds.still_late():
            # What a remedy does to RMC while it runs is not a finding.
            self.view = self._view(self.findings, self._would(seen))
            return
        if self.acting and self._finish_interrupted(seen):
            return
        self.findings = self.memory.sighted(diagnose(seen, self.memory.history(), self.settings), seen)
        self._judge(seen)
        self.episodes.follow(self.findings, seen, self.memory.settling(), self.settings.log.storm.within)
        decisions = self._decided(seen)
        self._tell_blind()
        self.view = self._view(self.findings, decisions)

    # -- observing

    def _noted(self, seen: Snapshot, again: bool = False) -> Snapshot:
        """Complete a look, and keep what it says beyond the moment."""
        seen = self.seen = self._completed(seen)
        self.log_size = self.observer.logs.total_size(self.host)
        self.memory.note(seen, self.settings, self.deeds.under_way() is not None, again)
        self._note_remote(seen)
        return seen

    def _completed(self, seen: Snapshot) -> Snapshot:
        """The look with what only the cycle knows."""
        maintenance = bool(self.maintenance) and self.host.exists(self.maintenance)
        return replace(seen, vitals=replace(seen.vitals, on_time=self.on_time), maintenance=maintenance)

    def _note_remote(self, seen: Snapshot) -> None:
        """Remembered only where no HMC is expected, for there an administrator may have chosen."""
        if seen.remote.seen and not seen.fresh and not self.deeds.under_way() and not self._managed():
            self.ledger.remember("remote_enabled", seen.remote.value)

    def _managed(self) -> bool:
        return management_expected(self.memory.history(), self.settings)

    def _may_enable_remote(self) -> bool:
        """False where remote clients were disabled when last seen healthy and no management is expected."""
        return self._managed() or self.ledger.facts.get("remote_enabled") is not False

    # -- deciding

    def _decided(self, seen: Snapshot) -> Tuple[Decision, ...]:
        """Decide on the look; what is due is decided again on what else runs here, and what disturbs others on fresh evidence."""
        decisions = self._would(seen)
        due = _due(decisions)
        if due is not None:
            disturbs = due.remedy in DISRUPTIVE or any(decision.remedy is Remedy.LPARMGR for decision in decisions)
            seen = self._noted(self.observer.crowd(seen, disturbs), again=True)
            decisions = self._would(seen)
            due = _due(decisions)
        if due is not None and due.remedy in DISRUPTIVE:
            # Danger is proved again at the moment of use.
            seen = self._noted(self.observer.evidence(tuple(self.ledger.known.values())), again=True)
            self.findings = self.memory.sighted(diagnose(seen, self.memory.history(), self.settings), seen)
            decisions = self._would(seen)
            due = _due(decisions)
        self._tell(decisions, seen)
        return self._apply(due, decisions, seen) if due is not None and self.acting else decisions

    def _would(self, seen: Snapshot) -> Tuple[Decision, ...]:
        decisions = decide(seen, self.findings, self.memory.history(), self.settings, self.steady.now())
        if any([refusal.guard for refusal in decision.refused_by] == ["splay"] for decision in decisions):
            self.memory.only_splay_holds()
        elif any(_outside_window(decision) for decision in decisions):
            self.memory.splay = ("", None)  # a turn counted before it closed would let a fleet act together when it opens
        return decisions

    def _tell(self, decisions: Tuple[Decision, ...], seen: Snapshot) -> None:
        now = self.steady.now()

        def told(decision: Decision) -> Dict[str, Any]:
            return self._entry(decision, seen)

        self.episodes.tell_decisions(decisions, self.settings, told, now)
        self.episodes.tell_late(decisions, self.settings, told, now, self.deeds.late_since)

    def _entry(self, decision: Decision, seen: Snapshot) -> Dict[str, Any]:
        now = self.steady.now()
        others = alternatives(decision.finding, seen, self.memory.history(), self.settings, now) if decision.finding else ()
        return entry(decision, others, self.episodes.episode_id(), self.steady.shown(now))

    # -- acting

    def _apply(
        self, decision: Decision, decisions: Tuple[Decision, ...], seen: Snapshot, user: str = ""
    ) -> Tuple[Decision, ...]:
        finding, remedy, episode = decision.finding, decision.remedy, self.episodes.episode_id()
        if finding is None or remedy is None or (remedy in DISRUPTIVE and not seen.fresh):
            return decisions  # nothing that disturbs others is ever done on an ordinary look
        self.memory.goals = []
        try:
            if decision.shadow:
                number = self.deeds.shadow(decision, finding, remedy, episode, self.memory.vitals.identity)
                return (replace(decision, kind=Kind.WAIT, attempt=number, because=f"shadow: would have begun {remedy.value}"),)
            self.deeds.apply(decision, finding, remedy, episode, self.memory.vitals.identity, self._may_enable_remote(), user)
        except CannotBegin as problem:
            refused = _cannot(decision, problem)
            self._tell((refused,), seen)
            return tuple(refused if other is decision else other for other in decisions)
        self.ledger.decided(self._entry(decision, seen))
        return self._would(seen)

    def _finish_interrupted(self, seen: Snapshot) -> bool:
        """An agent that died with its helper between rmcctrl -z and -A starts RMC again, first thing."""
        left = self.deeds.left_half_way(self.memory.vitals.identity)
        if (
            left is None
            or not seen.subsystems.seen
            or not self.deeds.finish(left, self.observer.crowd(seen), self._may_enable_remote())
        ):
            return False
        self.memory.goals = []
        self.view = self._view(self.findings, self._would(seen))
        return True

    # -- what an operator asks for

    def heal(
        self, remedy: Remedy, user: str, claim: Callable[[], None], dry_run: bool = False
    ) -> Tuple[Decision, Optional[Attempt]]:
        """One remedy, now: a look made for it, every guard, and the deed when none holds it; the decision, and what was begun.

        `claim` is called last before that: whatever it raises prevents it. A dry run begins nothing, and remembers nothing.
        """
        if self.seen is None or self.deeds.under_way() is not None:
            return not_now(remedy, self.deeds.under_way()), None
        disturbs, known = remedy in DISRUPTIVE, tuple(self.ledger.known.values())
        seen = self.observer.crowd(self.observer.look(known, suspicious=disturbs), disturbs or remedy is Remedy.LPARMGR)
        seen, decision = self._asked(remedy, seen, dry_run)
        if decision.finding is not None and not dry_run:
            self.episodes.follow(self.findings, seen, self.memory.settling(), self.settings.log.storm.within)
        if decision.finding is not None and disturbs and not {refusal.guard for refusal in decision.refused_by} & OTHERS:
            seen, decision = self._asked(remedy, self.observer.evidence(known), dry_run)
        self.due_at = self.steady.now()  # what comes late now waited for this: the partition is not loaded
        if dry_run:
            return decision, None
        if decision.kind is not Kind.APPLY:
            if [refusal.guard for refusal in decision.refused_by] == ["splay"]:
                self.memory.only_splay_holds()  # or its turn would never come, however often he asks
            self.look_now()  # what this look saw is told and shown by a turn
            return decision, None
        claim()
        number = max(self.ledger.attempts, default=0) + 1
        decisions = self._apply(decision, (decision,), seen, user)
        begun = self.ledger.attempts.get(number)
        if begun is None:
            return decisions[0], None
        self.view = self._view(self.findings, decisions)
        return decision, begun

    def _asked(self, remedy: Remedy, seen: Snapshot, dry_run: bool) -> Tuple[Snapshot, Decision]:
        """The look as it was completed, and the finding that may be treated, or else the gravest that the remedy treats."""
        seen = self._completed(seen) if dry_run else self._noted(seen, again=True)
        findings = diagnose(seen, self.memory.history(), self.settings)
        if not dry_run:
            self.findings = findings = self.memory.sighted(findings, seen)
        answers = asked(remedy, seen, findings, self.memory.history(), self.settings, self.steady.now())
        able = [self._able(answer) for answer in answers]
        return seen, next((answer for answer in able if answer.kind is Kind.APPLY), able[0])

    def _able(self, decision: Decision) -> Decision:
        """Refused where its steps cannot be spelled here."""
        if decision.kind is Kind.APPLY and decision.finding is not None and decision.remedy is not None:
            try:
                self.steps(decision.remedy, decision.finding.subject)
            except CannotBegin as problem:
                return _cannot(decision, problem)
        return decision

    def steps(self, remedy: Remedy, subject: str) -> Tuple[Step, ...]:
        """What a remedy would run. Raises CannotBegin."""
        return self.deeds.spelled(remedy, subject, self._may_enable_remote()).steps

    # -- judging

    def _judge(self, seen: Snapshot) -> None:
        now = self.steady.now()
        for attempt in [
            attempt for attempt in self.ledger.attempts.values() if attempt.outcome is None and attempt.ended_at is not None
        ]:
            policy = self.settings.remedies[attempt.remedy.value]
            if now < (attempt.ended_at or now) + policy.settle:
                continue
            if not attempt.shadow:
                self.memory.goals.append(goal(attempt, seen, self.settings))
            how, because = outcome(attempt, tuple(self.memory.goals), policy, now)
            if how is None:
                continue
            because = "; ".join(filter(None, (because, attempt.because)))  # that it ended late
            self.ledger.update(replace(attempt, outcome=how, because=because))
            self.memory.goals = []
            if not attempt.shadow:
                self._tell_outcome(attempt, how, because)

    def _tell_outcome(self, attempt: Attempt, how: Outcome, because: str) -> None:
        failed = (("failed", attempt.failed),) if attempt.failed else ()
        told = (("episode", attempt.episode), ("fault", attempt.fault.value), ("outcome", how.value), ("because", because))
        fields = (("remedy", attempt.remedy.value), ("attempt", str(attempt.id)), *told, *failed)
        if how is Outcome.HEALED:
            self.emit(Event("RMCA3002N", "remedy healed it", fields))
        else:
            self.emit(Event("RMCA3003W", "remedy changed nothing", fields))

    def _suspicious(self) -> bool:
        return any(set(LADDER[finding.fault]) & DISRUPTIVE for finding in self.findings)

    # -- operator and odds and ends

    def pause(self, until: datetime, reason: str, by: str) -> None:
        self.ledger.set_pause(Pause(until, reason, by))
        self.emit(
            Event(
                "RMCA1004N",
                "paused",
                (("until", self.steady.shown(until).isoformat(timespec="seconds")), ("reason", reason), ("by", by)),
            )
        )
        self.look_now()

    def resume(self, because: str) -> None:
        self.ledger.set_pause(None)
        self.emit(Event("RMCA1005N", "resumed", (("because", because),)))
        self.look_now()

    def _expire_pause(self, now: datetime) -> None:
        if self.ledger.pause is not None and now >= self.ledger.pause.until:
            try:
                self.resume("its time is over")
            except OSError:
                self.ledger.pause = None  # a full disk must not prolong a pause

    def _tell_blind(self) -> None:
        if self.memory.blind_since is None:
            if self.blind_told:
                self.emit(Event("RMCA1007N", "sees again"))
            self.blind_told = False
        elif explains_blindness(self.findings):
            return  # an RMC that answers nobody is told as such; what was called blind sees no better for it
        elif not self.blind_told and self.steady.now() - self.memory.blind_since >= self.settings.faults.blind and self.seen:
            self.blind_told = True
            self.emit(Event("RMCA1006W", "blind", (("because", gaps_told(self.seen) or "lssrc shows no ctrmc"),)))

    def _view(self, findings: Tuple[Finding, ...], decisions: Tuple[Decision, ...]) -> View:
        now, history = self.steady.now(), self.memory.history()
        word, because = verdict(self.seen, findings, decisions, history, self.settings, now)
        seen, settings = self.seen, self.settings

        def known() -> ClusterVerdict:
            return cluster.verdict(seen, history, settings, now) if seen else ClusterVerdict()

        return View(word, because, seen.taken_at if seen else now, seen, findings, decisions, history, known, self.next_look)


def _due(decisions: Sequence[Decision]) -> Optional[Decision]:
    return next((decision for decision in decisions if decision.kind is Kind.APPLY), None)


def _cannot(decision: Decision, problem: CannotBegin) -> Decision:
    named = (Refusal(problem.guard, str(problem), problem.unblock, lasting=True),)
    return replace(decision, kind=Kind.REFUSE, because=str(problem), refused_by=named, unblock=problem.unblock)


def _outside_window(decision: Decision) -> bool:
    return decision.remedy in DISRUPTIVE and any(refusal.guard == "window" for refusal in decision.refused_by)
