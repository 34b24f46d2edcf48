"""One turn: observe, diagnose, decide, act or judge, record, report; and nothing else. The order of the verbs is here."""
from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from rmcagent.clock import Clock
from rmcagent.config import Settings
from rmcagent.episodes import Episodes, entry, remedy_fields
from rmcagent.ledger import Ledger
from rmcagent.model import (
    Attempt, ClusterVerdict, Decision, Deed, Fault, Finding, History, Kind, KnownHmc, Link, Outcome, Pause, Progress, Remedy, Side, Sighting, Snapshot, State, Vitals, View,
)
from rmcagent.partition import act
from rmcagent.partition.host import Host
from rmcagent.partition.observe import Observer
from rmcagent.partition.platform import Place
from rmcagent.reason import cluster
from rmcagent.reason.decide import alternatives, decide, verdict
from rmcagent.reason.diagnose import ctrmc_runs, diagnose, looks_hung, management_expected, reachability, shows_no_hmc
from rmcagent.reason.guards import INSTALLERS, LEAVING, OTHERS_AT_WORK
from rmcagent.reason.ladder import DISRUPTIVE, LADDER
from rmcagent.reason.verify import goal, outcome
from rmcagent.report import Event

STOPS_RMC = (Remedy.START, Remedy.RECYCLE, Remedy.RECFGCT)      # died half-way, these may leave RMC stopped
FINISH_WITHIN = timedelta(hours=1)
LATE_SECONDS = 2.0              # a pulse later than this: the partition is loaded, and slow answers prove nothing
OURSELVES = "127.0.0.1"
LAST_UP_EVERY = timedelta(hours=1)


class Cycle:
    """The agent's one thread of thought; `step` is called for ever, and says how long nothing needs doing."""

    def __init__(self, host: Host, clock: Clock, place: Place, settings: Settings, ledger: Ledger, emit: Callable[[Event], None],
                 maintenance: str = "") -> None:
        self.host, self.place, self.settings, self.ledger, self.emit = host, place, settings, ledger, emit
        self.steady = ledger.steady
        self.clock = clock
        self.maintenance = maintenance               # a file whose presence holds every remedy
        self.observer = Observer(host, place, settings, self.steady)
        self.episodes = Episodes(ledger, emit)
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
        self.acting = True                            # plan looks with the same eyes and keeps its hands still
        self.goals: List[Optional[str]] = []
        self.late_told = (0, "")
        self.gone: Tuple[int, ...] = ()               # pids a pulse missed and a look was spent on
        self.findings: Tuple[Finding, ...] = ()
        self.seen: Optional[Snapshot] = None
        self.log_size = 0
        self.next_look = self.steady.now()
        self.due_at: Optional[datetime] = None       # when the next step was promised
        self.view = self._view((), (Decision(Kind.REST, "no look has been completed yet"),))

    # -- time

    def step(self) -> float:
        """Pulse; look when it is time or a pulse found a change; return the seconds until the next step."""
        now = self.steady.now()
        self.on_time = self.due_at is None or (now - self.due_at).total_seconds() <= LATE_SECONDS
        self._expire_pause(now)
        ended = self._track_deed()
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
        self.settings, self.place = settings, place
        self.observer = Observer(self.host, place, settings, self.steady)
        self.look_now()

    def _pulse_found_change(self) -> bool:
        """Pids and log sizes only: no command is run."""
        if self.seen is None or self._under_way() is not None:
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
        if self._under_way() is not None:
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
            started_at=self.started_at, booted_at=now - up_for if up_for is not None else None, attempts=tuple(self.ledger.attempts.values()),
            sightings=dict(self.sightings), episode=self.ledger.episode, pause=self.ledger.pause, known=tuple(self.ledger.known.values()),
            answering_since=dict(self.answering_since), hung_looks=self.hung_looks, empty_looks=self.empty_looks,
            caavg_absent_at=self.caavg_absent_at, domains_allowed_at=self.ledger.moment("domains_allowed_at"), goals=tuple(self.goals),
            blind_since=self.blind_since, spent_at=self.ledger.spent_at, crash_loop=self.crash_loop,
        )

    # -- observing

    def _noted(self, seen: Snapshot) -> Snapshot:
        """Keep what a look says beyond the moment."""
        seen = replace(seen, vitals=replace(seen.vitals, on_time=self.on_time), maintenance=bool(self.maintenance) and self.host.exists(self.maintenance))
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
        blind = not seen.subsystems.seen or seen.state_of("ctrmc") in (None, State.UNKNOWN) or (
            seen.state_of("ctrmc") is State.ACTIVE and seen.ctrmc_alive is not False and not seen.status.seen)
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
        """Whether this RMC takes remote clients: asked only where no HMC is expected, for there an administrator may have chosen."""
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
        fresh = self.observer.evidence(tuple(self.ledger.known.values())) if due.remedy in DISRUPTIVE else self.observer.crowd(seen)
        fresh = self._noted(fresh)
        self.findings = self._sighted(diagnose(fresh, self.history(), self.settings), fresh)
        decisions = self._decide(fresh)
        due = next((decision for decision in decisions if decision.kind is Kind.APPLY), None)
        return self._apply(due, decisions) if due is not None and self.acting else decisions

    def _decide(self, seen: Snapshot) -> Tuple[Decision, ...]:
        now, history = self.steady.now(), self.history()
        decisions = decide(seen, self.findings, history, self.settings, now)
        self.episodes.tell_decisions(decisions, self.settings, lambda decision: self._entry(decision, seen, history), now)
        return decisions

    def _entry(self, decision: Decision, seen: Snapshot, history: History) -> Dict[str, Any]:
        now = self.steady.now()
        others = alternatives(decision.finding, seen, history, self.settings, now) if decision.finding else ()
        return entry(decision, others, self.episodes.episode_id(), self.steady.shown(now))

    # -- acting

    def _apply(self, decision: Decision, decisions: Tuple[Decision, ...]) -> Tuple[Decision, ...]:
        """Intent, then deed. Without a durable intent there is no deed."""
        finding, remedy = decision.finding, decision.remedy
        assert finding is not None and remedy is not None
        if decision.shadow:
            return self._shadow(decision, finding, remedy)
        try:
            deed = act.deed(0, remedy, finding.subject, self.place.installed(self.host), self.place.paths, self._may_enable_remote())
            attempt = self.ledger.begin(remedy, finding.fault, finding.subject, self.episodes.episode_id(), self.vitals.identity)
        except (act.CannotSpell, OSError) as problem:
            return self._cannot_begin(decision, decisions, problem)
        self._begin(attempt, replace(deed, attempt=attempt.id), finding, "RMCA3001N", "remedy begun", decision.because)
        return decide(self.seen or Snapshot(self.steady.now(), self.place.platform), self.findings, self.history(), self.settings, self.steady.now())

    def _begin(self, attempt: Attempt, deed: Deed, finding: Finding, code: str, word: str, because: str) -> None:
        self.goals = []
        fields = remedy_fields(attempt.remedy.value, attempt.id, attempt.episode, finding)
        if code:
            self.emit(Event(code, word, (*fields, ("because", because))))
        try:
            self.host.begin(deed, self.place.paths["state"])
        except OSError as problem:
            self._end(attempt, Outcome.INTERRUPTED, f"its helper could not be started: {problem.strerror or problem}")
            self.emit(Event("RMCA3003W", "remedy changed nothing", (*fields, ("because", f"its helper could not be started: {problem}"))))

    def _shadow(self, decision: Decision, finding: Finding, remedy: Remedy) -> Tuple[Decision, ...]:
        try:
            attempt = self.ledger.begin(remedy, finding.fault, finding.subject, self.episodes.episode_id(), self.vitals.identity, shadow=True)
        except OSError as problem:
            return self._cannot_begin(decision, (decision,), problem)
        self.goals = []
        self.ledger.update(replace(attempt, ended_at=self.steady.now()))
        fields = remedy_fields(remedy.value, attempt.id, attempt.episode, finding)
        self.emit(Event("RMCA3005N", "shadow: would have", (*fields, ("because", decision.because))))
        return (replace(decision, kind=Kind.WAIT, attempt=attempt.id, because=f"shadow: would have begun {remedy.value}"),)

    def _cannot_begin(self, decision: Decision, decisions: Tuple[Decision, ...], problem: Exception) -> Tuple[Decision, ...]:
        ledger = isinstance(problem, OSError)
        because = f"cannot write the intent into the ledger: {problem}" if ledger else str(problem)
        unblock = f"make {self.place.paths['state']} writable" if ledger else "install the command"
        refused = replace(decision, kind=Kind.REFUSE, because=because, unblock=unblock)
        seen = self.seen or Snapshot(self.steady.now(), self.place.platform)
        self.episodes.tell_decisions((refused,), self.settings, lambda told: self._entry(told, seen, self.history()), self.steady.now())
        return tuple(refused if other is decision else other for other in decisions)

    def _under_way(self) -> Optional[Attempt]:
        """The attempt whose steps have not ended."""
        return next((attempt for attempt in self.ledger.attempts.values() if attempt.ended_at is None and attempt.outcome is None), None)

    def _track_deed(self) -> bool:
        """True when a deed has just ended, well or not."""
        attempt = self._under_way()
        if attempt is None:
            return False
        same_boot = attempt.boot == self.ledger.boot
        progress = self.host.progress(attempt.id, self.place.paths["state"]) if same_boot else None
        if progress is not None and progress.done:
            self._note_deed(attempt, progress)
            at = self.steady.at(progress.ended_at) if progress.ended_at is not None else self.steady.now()
            self.ledger.update(replace(attempt, ended_at=min(at, self.steady.now()), because="; ".join(progress.failed)[:300]))
        elif progress is not None and progress.alive:
            self._tell_late(attempt, progress)
            return False
        else:
            self._end(attempt, Outcome.INTERRUPTED, "its helper died before it was done" if same_boot else "the partition was rebooted meanwhile")
        self.host.forget(attempt.id, self.place.paths["state"])
        return True

    def _note_deed(self, attempt: Attempt, progress: Progress) -> None:
        before, after = progress.notes.get("node_id_before", ""), progress.notes.get("node_id_after", "")
        if before and after and before != after:
            self.emit(Event("RMCA3007W", "node id changed", (
                ("attempt", str(attempt.id)), ("episode", attempt.episode), ("before", before), ("after", after),
                ("archive", progress.notes.get("archive", "")),
                ("do", "restore conditions, responses, ACLs and trusted hosts from the archive where this partition used them"),
            )))
        if attempt.by == "finish":
            self.emit(Event("RMCA3006W", "interrupted remedy finished", (
                ("remedy", attempt.remedy.value), ("attempt", str(attempt.id)), ("episode", attempt.episode), ("failed", "; ".join(progress.failed) or "nothing"))))

    def _tell_late(self, attempt: Attempt, progress: Progress) -> None:
        """A changing command past its time is never killed: it is reported, once, and waited for."""
        late = progress.notes.get("late", "")
        if late and self.late_told != (attempt.id, late):
            self.late_told = (attempt.id, late)
            self.emit(Event("RMCA4001E", "needs a human", (
                ("remedy", attempt.remedy.value), ("attempt", str(attempt.id)), ("episode", attempt.episode),
                ("because", f"{late} has not ended in its time; it is waited for, not killed"), ("unblock", f"see why {late} hangs"))))

    def _end(self, attempt: Attempt, how: Outcome, because: str) -> None:
        self.ledger.update(replace(attempt, ended_at=attempt.ended_at or self.steady.now(), outcome=how, because=because))

    # -- finishing what another life began

    def _finish_interrupted(self, seen: Snapshot) -> bool:
        """An agent that died with its helper between rmcctrl -z and -A starts RMC again, first thing."""
        attempt = self._left_half_way()
        if attempt is None or not seen.subsystems.seen:
            return False
        seen = self.observer.crowd(seen)
        running = set(seen.busy.processes.value or ())
        if running & {*OTHERS_AT_WORK, *INSTALLERS, *LEAVING} or seen.busy.processes.value is None:
            return False
        state = seen.state_of("ctrmc")
        if state is State.ACTIVE and seen.ctrmc_alive is not False:
            self.ledger.remember("finished", attempt.id)
            return False
        if not (state is State.INOPERATIVE or seen.ctrmc_alive is False) or not seen.vitals.may_act:
            return False
        try:
            deed = act.deed(0, Remedy.START, "", self.place.installed(self.host), self.place.paths, self._may_enable_remote())
            again = self.ledger.begin(Remedy.START, Fault.RMC_DOWN, "", attempt.episode, self.vitals.identity, by="finish")
        except (act.CannotSpell, OSError) as problem:
            self.emit(Event("RMCA1009E", "ledger damaged", (("because", f"cannot finish {attempt.remedy.value} (attempt {attempt.id}): {problem}"),)))
            return False
        finding = Finding(Fault.RMC_DOWN, Side.HERE, f"{attempt.remedy.value} (attempt {attempt.id}) was interrupted and left ctrmc stopped")
        self._begin(again, replace(deed, attempt=again.id), finding, "", "", "")
        self.view = self._view(self.findings, decide(seen, self.findings, self.history(), self.settings, self.steady.now()))
        return True

    def _left_half_way(self) -> Optional[Attempt]:
        """The newest attempt, if it was interrupted in this boot within the hour and nothing has shown ctrmc active since."""
        attempts = [attempt for attempt in self.ledger.attempts.values() if attempt.remedy in STOPS_RMC and not attempt.shadow]
        last = max(attempts, key=lambda attempt: attempt.id, default=None)
        if last is None or last.outcome is not Outcome.INTERRUPTED or self.ledger.facts.get("finished") == last.id:
            return None
        ours = last.boot == self.ledger.boot and last.identity == self.vitals.identity
        return last if ours and self.steady.now() - last.begun_at < FINISH_WITHIN else None

    # -- judging

    def _judge(self, seen: Snapshot) -> None:
        now = self.steady.now()
        for attempt in [attempt for attempt in self.ledger.attempts.values() if attempt.outcome is None and attempt.ended_at is not None]:
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
        self.emit(Event(code, word, (
            ("remedy", attempt.remedy.value), ("attempt", str(attempt.id)), ("episode", attempt.episode), ("fault", attempt.fault.value),
            ("outcome", how.value), ("because", because), *failed,
        )))

    def _settling(self) -> bool:
        return any(attempt.outcome is None and not attempt.shadow for attempt in self.ledger.attempts.values())

    def _suspicious(self) -> bool:
        return any(set(LADDER[finding.fault]) & DISRUPTIVE for finding in self.findings)

    # -- operator and odds and ends

    def pause(self, until: datetime, reason: str, by: str) -> None:
        self.ledger.set_pause(Pause(until, reason, by))
        self.emit(Event("RMCA1004N", "paused", (("until", self.steady.shown(until).isoformat(timespec="seconds")), ("reason", reason), ("by", by))))
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
                self.ledger.pause = None      # a full disk must not prolong a pause

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
        return View(word, because, self.seen.taken_at if self.seen else now, self.seen, findings, decisions, history, known, self.next_look)

