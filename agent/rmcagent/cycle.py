"""One turn: observe, diagnose, decide, act or judge, record, report; and nothing else. The order of the verbs is here."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from rmcagent.config import Settings
from rmcagent.deeds import CannotBegin, Deeds
from rmcagent.episodes import Episodes, entry
from rmcagent.ledger import Ledger
from rmcagent.model import (
    Attempt,
    ClusterVerdict,
    Decision,
    Finding,
    History,
    Kind,
    KnownHmc,
    Link,
    Outcome,
    Pause,
    Sighting,
    Snapshot,
    State,
    View,
    Vitals,
)
from rmcagent.partition.host import Host
from rmcagent.partition.observe import Observer
from rmcagent.partition.platform import Place
from rmcagent.reason import cluster
from rmcagent.reason.decide import alternatives, decide, verdict
from rmcagent.reason.diagnose import ctrmc_runs, diagnose, looks_hung, management_expected, reachability, shows_no_hmc
from rmcagent.reason.ladder import DISRUPTIVE, LADDER
from rmcagent.reason.verify import goal, outcome
from rmcagent.report import Event

LATE_SECONDS = 2.0  # a pulse later than this: the partition is loaded, and slow answers prove nothing
OURSELVES = "127.0.0.1"
LAST_UP_EVERY = timedelta(hours=1)


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
        self.started_at = self.steady.now()
        self.vitals = Vitals()
        self.sightings: Dict[str, Sighting] = {}
        self.answering_since: Dict[str, datetime] = {}
        self.hung_looks = 0
        self.empty_looks = 0
        self.caavg_absent_at: Optional[datetime] = None
        self.blind_since: Optional[datetime] = None
        self.blind_told = False
        self.crash_loop = False
        self.on_time = True
        self.acting = True  # plan looks with the same eyes and keeps its hands still
        self.goals: List[Optional[str]] = []
        self.gone: Tuple[int, ...] = ()  # pids a pulse missed and a look was spent on
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
        self.empty_looks = 1
        self.turn()
        return self.view

    def adopt(self, settings: Settings, place: Place) -> None:
        """A new policy, from the next look on; what was seen under the old one still counts."""
        self.settings, self.place, self.deeds.place = settings, place, place
        self.observer = Observer(self.host, place, settings, self.steady)
        self.look_now()

    def _pulse_found_change(self) -> bool:
        """Pids and log sizes only: no command is run."""
        if self.seen is None or self.deeds.under_way() is not None:
            return False
        rows = self.seen.subsystems.value or {}
        pids = [row.pid for name, row in rows.items() if name in self.seen.required and row.state is State.ACTIVE and row.pid]
        gone = tuple(pid for pid in pids if self.host.alive(pid) is False)
        if gone and gone != self.gone:
            self.gone = gone
            return True
        return self.observer.logs.total_size(self.host) - self.log_size > self.settings.log.storm.bytes

    # -- the turn

    def turn(self) -> None:
        """One look and what is made of it."""
        self.next_look = self.steady.now() + self.settings.cadence.look
        seen = self.observer.look(tuple(self.ledger.known.values()), suspicious=self._suspicious())
        seen = self._noted(seen)
        if self.deeds.under_way() is not None:
            # What a remedy does to RMC while it runs is not a finding.
            self.view = self._view(self.findings, decide(seen, self.findings, self.history(), self.settings, self.steady.now()))
            return
        if self.acting and self._finish_interrupted(seen):
            return
        self.findings = self._sighted(diagnose(seen, self.history(), self.settings), seen)
        self._judge(seen)
        self.episodes.follow(self.findings, seen, self._settling(), self.steady.now())
        decisions = self._decided(seen)
        self._tell_blind()
        self.view = self._view(self.findings, decisions)

    def history(self) -> History:
        now = self.steady.now()
        up_for = self.vitals.up_for
        return History(
            started_at=self.started_at,
            booted_at=now - up_for if up_for is not None else None,
            attempts=tuple(self.ledger.attempts.values()),
            sightings=dict(self.sightings),
            episode=self.ledger.episode,
            pause=self.ledger.pause,
            known=tuple(self.ledger.known.values()),
            answering_since=dict(self.answering_since),
            hung_looks=self.hung_looks,
            empty_looks=self.empty_looks,
            caavg_absent_at=self.caavg_absent_at,
            domains_allowed_at=self.ledger.moment("domains_allowed_at"),
            goals=tuple(self.goals),
            blind_since=self.blind_since,
            spent_at=self.ledger.spent_at,
            crash_loop=self.crash_loop,
        )

    # -- observing

    def _noted(self, seen: Snapshot) -> Snapshot:
        """Keep what a look says beyond the moment."""
        seen = replace(
            seen,
            vitals=replace(seen.vitals, on_time=self.on_time),
            maintenance=bool(self.maintenance) and self.host.exists(self.maintenance),
        )
        now = self.steady.now()
        self.seen, self.vitals = seen, seen.vitals
        self.log_size = self.observer.logs.total_size(self.host)
        self.hung_looks = self.hung_looks + 1 if looks_hung(seen) else 0
        if shows_no_hmc(seen):
            self.empty_looks += 1
        elif seen.complete:
            self.empty_looks = 0
        self._note_hmcs(seen, now)
        self._note_cluster(seen)
        self._note_remote(seen)
        blind = (
            not seen.subsystems.seen
            or seen.state_of("ctrmc") in (None, State.UNKNOWN)
            or (seen.state_of("ctrmc") is State.ACTIVE and seen.ctrmc_alive is not False and not seen.status.seen)
        )
        self.blind_since = (self.blind_since or now) if blind else None
        return seen

    def _note_hmcs(self, seen: Snapshot, now: datetime) -> None:
        answering = {hmc.address for hmc in seen.hmcs if hmc.link is Link.UP or hmc.reachable}
        self.answering_since = {address: self.answering_since.get(address, now) for address in answering}
        for hmc in seen.hmcs:
            if hmc.link is Link.UNKNOWN or hmc.in_band:
                continue
            known = self.ledger.known.get(hmc.address)
            up = now if hmc.link is Link.UP else known.last_up if known else None
            if known is None or (up and (known.last_up is None or up - known.last_up >= LAST_UP_EVERY)):
                self.ledger.saw(KnownHmc(hmc.address, hmc.name, hmc.node_id, known.first_seen if known else now, up))

    def _note_remote(self, seen: Snapshot) -> None:
        """Whether RMC takes remote clients: asked only where no HMC is expected, for there an administrator may have chosen."""
        if ctrmc_runs(seen) and not seen.fresh and not management_expected(seen, self.history(), self.settings):
            ports = self.settings.network.ports
            answer = self.host.reach((OURSELVES,), ports, self.settings.network.timeout.total_seconds())[OURSELVES]
            self.ledger.remember("remote_enabled", answer)

    def _may_enable_remote(self) -> bool:
        """False where remote clients were disabled when last seen healthy and no management is expected."""
        expected = self.seen is None or management_expected(self.seen, self.history(), self.settings)
        return expected or self.ledger.facts.get("remote_enabled") is not False

    def _note_cluster(self, seen: Snapshot) -> None:
        facts = seen.cluster
        if facts.caavg.seen and not facts.caavg.value:
            self.caavg_absent_at = facts.caavg.at
        if seen.state_of("cthags") in (State.ACTIVE, State.STARTING, State.STOPPING):
            self.ledger.remember_moment("domains_allowed_at", None)
        elif facts.peer_domains.seen and all(domain.state.lower() == "offline" for domain in facts.peer_domains.value or ()):
            self.ledger.remember_moment("domains_allowed_at", facts.peer_domains.at)

    def _sighted(self, findings: Sequence[Finding], seen: Snapshot) -> Tuple[Finding, ...]:
        """Count unbroken looks; only a complete look may forget one, for a hung command must not reset the grace for ever."""
        now = self.steady.now()
        reach = reachability(seen)
        for finding in findings:
            before = self.sightings.get(finding.key)
            if before is None or before.reachability != reach:
                self.sightings[finding.key] = Sighting(finding.key, now, 1, reach)
            else:
                self.sightings[finding.key] = replace(before, looks=before.looks + 1)
        if seen.complete:
            keys = {finding.key for finding in findings}
            self.sightings = {key: sighting for key, sighting in self.sightings.items() if key in keys}
        return tuple(replace(finding, since=self.sightings[finding.key].since) for finding in findings)

    # -- deciding

    def _decided(self, seen: Snapshot) -> Tuple[Decision, ...]:
        decisions = self._decide(seen)
        due = next((decision for decision in decisions if decision.kind is Kind.APPLY), None)
        if due is None:
            return decisions
        # Danger is proved again at the moment of use.
        fresh = (
            self.observer.evidence(tuple(self.ledger.known.values())) if due.remedy in DISRUPTIVE else self.observer.crowd(seen)
        )
        fresh = self._noted(fresh)
        self.findings = self._sighted(diagnose(fresh, self.history(), self.settings), fresh)
        decisions = self._decide(fresh)
        due = next((decision for decision in decisions if decision.kind is Kind.APPLY), None)
        return self._apply(due, decisions, fresh) if due is not None and self.acting else decisions

    def _decide(self, seen: Snapshot) -> Tuple[Decision, ...]:
        decisions = decide(seen, self.findings, self.history(), self.settings, self.steady.now())
        self._tell(decisions, seen)
        return decisions

    def _tell(self, decisions: Tuple[Decision, ...], seen: Snapshot) -> None:
        self.episodes.tell_decisions(
            decisions, self.settings, lambda decision: self._entry(decision, seen, self.history()), self.steady.now()
        )

    def _entry(self, decision: Decision, seen: Snapshot, history: History) -> Dict[str, Any]:
        now = self.steady.now()
        others = alternatives(decision.finding, seen, history, self.settings, now) if decision.finding else ()
        return entry(decision, others, self.episodes.episode_id(), self.steady.shown(now))

    # -- acting

    def _apply(self, decision: Decision, decisions: Tuple[Decision, ...], seen: Snapshot) -> Tuple[Decision, ...]:
        finding, remedy, episode = decision.finding, decision.remedy, self.episodes.episode_id()
        if finding is None or remedy is None or (remedy in DISRUPTIVE and not seen.fresh):
            return decisions  # nothing that disturbs others is ever done on an ordinary look
        self.goals = []
        try:
            if decision.shadow:
                number = self.deeds.shadow(decision, finding, remedy, episode, self.vitals.identity)
                return (replace(decision, kind=Kind.WAIT, attempt=number, because=f"shadow: would have begun {remedy.value}"),)
            self.deeds.apply(decision, finding, remedy, episode, self.vitals.identity, self._may_enable_remote())
        except CannotBegin as problem:
            refused = replace(decision, kind=Kind.REFUSE, because=str(problem), unblock=problem.unblock)
            self._tell((refused,), seen)
            return tuple(refused if other is decision else other for other in decisions)
        return decide(seen, self.findings, self.history(), self.settings, self.steady.now())

    def _finish_interrupted(self, seen: Snapshot) -> bool:
        """An agent that died with its helper between rmcctrl -z and -A starts RMC again, first thing."""
        left = self.deeds.left_half_way(self.vitals.identity)
        if (
            left is None
            or not seen.subsystems.seen
            or not self.deeds.finish(left, self.observer.crowd(seen), self._may_enable_remote())
        ):
            return False
        self.goals = []
        self.view = self._view(self.findings, decide(seen, self.findings, self.history(), self.settings, self.steady.now()))
        return True

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
                self.goals.append(goal(attempt, seen, self.settings))
            how, because = outcome(attempt, tuple(self.goals), policy, now)
            if how is None:
                continue
            self.ledger.update(replace(attempt, outcome=how, because=because))
            self.goals = []
            if not attempt.shadow:
                self._tell_outcome(attempt, how, because)

    def _tell_outcome(self, attempt: Attempt, how: Outcome, because: str) -> None:
        code, word = ("RMCA3002N", "remedy healed it") if how is Outcome.HEALED else ("RMCA3003W", "remedy changed nothing")
        failed = (("failed", attempt.because),) if attempt.because else ()
        self.emit(
            Event(
                code,
                word,
                (
                    ("remedy", attempt.remedy.value),
                    ("attempt", str(attempt.id)),
                    ("episode", attempt.episode),
                    ("fault", attempt.fault.value),
                    ("outcome", how.value),
                    ("because", because),
                    *failed,
                ),
            )
        )

    def _settling(self) -> bool:
        return any(attempt.outcome is None and not attempt.shadow for attempt in self.ledger.attempts.values())

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
        if self.blind_since is None:
            if self.blind_told:
                self.emit(Event("RMCA1007N", "sees again"))
            self.blind_told = False
        elif not self.blind_told and self.steady.now() - self.blind_since >= self.settings.faults.blind and self.seen is not None:
            self.blind_told = True
            gaps = "; ".join(f"{gap.about}: {gap.because}" for gap in self.seen.gaps[:3])
            self.emit(Event("RMCA1006W", "blind", (("because", gaps or "lssrc shows no ctrmc"),)))

    def _view(self, findings: Tuple[Finding, ...], decisions: Tuple[Decision, ...]) -> View:
        now, history = self.steady.now(), self.history()
        word, because = verdict(self.seen, findings, decisions, history, self.settings, now)
        known = cluster.verdict(self.seen, history, self.settings, now) if self.seen else ClusterVerdict()
        return View(
            word,
            because,
            self.seen.taken_at if self.seen else now,
            self.seen,
            findings,
            decisions,
            history,
            known,
            self.next_look,
        )
