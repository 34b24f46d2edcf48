"""From a decision to its end: intent, helper, lateness, interruption, and the finishing of what another life left half-way."""

from __future__ import annotations

import errno
from datetime import datetime, timedelta
from typing import Callable, List, Optional, Tuple

from rmcagent.frozen import replace
from rmcagent.ledger import Ledger
from rmcagent.model import Attempt, Decision, Deed, Fault, Finding, Outcome, Progress, Remedy, Snapshot, State
from rmcagent.partition import act
from rmcagent.partition.host import Host
from rmcagent.partition.platform import Place
from rmcagent.reason.guards import INSTALLERS, LEAVING, OTHERS_AT_WORK
from rmcagent.reason.ladder import DISRUPTIVE
from rmcagent.report import Event

FINISH_WITHIN = timedelta(hours=1)
FINISH_TRIES = 3  # then the ladder goes on, within its budgets
FINISH_AGAIN = timedelta(minutes=2)  # between tries that nothing could be written of
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class CannotBegin(Exception):
    """No deed was begun; the text says why, `unblock` what would help, `guard` what held it."""

    def __init__(self, guard: str, because: str, unblock: str) -> None:
        super().__init__(because)
        self.guard, self.unblock = guard, unblock


class Deeds:
    """The one remedy that may be under way."""

    def __init__(self, host: Host, place: Place, ledger: Ledger, emit: Callable[[Event], None]) -> None:
        self.host, self.place, self.ledger, self.emit = host, place, ledger, emit
        self.late = ""                  # a changing command that has not ended in its time: reported, waited for, never killed
        self.late_since: Optional[datetime] = None  # when that was begun
        self.unwritten: List[int] = []  # attempts whose helpers have no files; the last may be under way
        self.no_room_told = 0           # the remedy cut short of which that was told

    @property
    def folder(self) -> str:
        return self.place.paths["state"]

    def under_way(self) -> Optional[Attempt]:
        """The attempt whose steps have not ended."""
        return next(
            (attempt for attempt in self.ledger.attempts.values() if attempt.ended_at is None and attempt.outcome is None), None
        )

    def apply(
        self, decision: Decision, finding: Finding, remedy: Remedy, episode: str, identity: str, enable_remote: bool,
        user: str = "",
    ) -> None:
        """Intent, then deed; `user` is the operator who asked. Without a durable intent there is no deed. Raises CannotBegin."""
        deed = self.spelled(remedy, finding.subject, enable_remote)
        attempt = self._intend(remedy, finding.fault, finding.subject, episode, identity, by="operator" if user else "agent")
        asked = (("by", attempt.by), ("user", user)) if user else ()
        self.emit(Event("RMCA3001N", "remedy begun", (*_fields(attempt), *asked, ("because", decision.because))))
        self._begin(attempt, deed)

    def shadow(self, decision: Decision, finding: Finding, remedy: Remedy, episode: str, identity: str) -> int:
        """Record what would have been done, and do nothing. Raises CannotBegin."""
        attempt = self._intend(remedy, finding.fault, finding.subject, episode, identity, shadow=True)
        self.ledger.update(replace(attempt, ended_at=attempt.begun_at))
        self.emit(Event("RMCA3005N", "shadow: would have", (*_fields(attempt), ("because", decision.because))))
        return attempt.id

    def track(self) -> bool:
        """True when a deed has just ended, well or not."""
        self.ledger.catch_up()
        self._tell_finished_unwritten()
        attempt = self.under_way()
        self.late, self.late_since = "", None
        if attempt is None:
            return False
        if attempt.id in self.unwritten:
            return self._track_unwritten(attempt)
        same_boot = attempt.boot == self.ledger.boot
        progress = self.host.progress(attempt.id, self.folder) if same_boot else None
        if progress is not None and not progress.done and progress.alive:
            self.late = progress.notes.get("late", "")
            if self.late and progress.ended_at is not None:
                self.late_since = self.ledger.steady.at(progress.ended_at)
            return False
        now = self.ledger.steady.now()
        if progress is not None and progress.done:
            self._tell_done(attempt, progress)
            at = self.ledger.steady.at(progress.ended_at) if progress.ended_at is not None else now
            failed, late = "; ".join(progress.failed)[:300], progress.notes.get("was_late", "")
            self.ledger.update(replace(attempt, ended_at=min(at, now), failed=failed, because=late))
        else:
            self._interrupted(
                attempt, "its helper died before it was done" if same_boot else "the partition was rebooted meanwhile"
            )
        self.host.forget(attempt.id, self.folder)
        return True

    def still_late(self) -> bool:
        """Asked after a look: a command that has ended meanwhile explains what was seen, and the next steps will."""
        attempt = self.under_way() if self.late else None
        progress = self.host.progress(attempt.id, self.folder) if attempt is not None else None
        return progress is not None and progress.notes.get("late") == self.late

    # -- finishing what another life began

    def left_half_way(self, identity: str) -> Optional[Attempt]:
        """The newest attempt that stops RMC, if it, or its finishing, was interrupted in this boot within the hour and nothing
        has shown ctrmc active since."""
        attempts = [attempt for attempt in self.ledger.attempts.values() if not attempt.shadow]
        stopping = [attempt for attempt in attempts if attempt.remedy in DISRUPTIVE]
        left = stopping[-1] if stopping else None
        if left is None or (left.boot, left.identity) != (self.ledger.boot, identity):
            return None
        finishing = [attempt for attempt in attempts if attempt.by == "finish" and attempt.id > left.id]
        last = finishing[-1] if finishing else left
        active_since = (self.ledger.facts.get("finished") or 0) >= last.id
        late = self.ledger.steady.now() - left.begun_at >= FINISH_WITHIN or len(finishing) >= FINISH_TRIES
        return None if active_since or late or last.outcome is not Outcome.INTERRUPTED else left

    def finish(self, left: Attempt, seen: Snapshot, enable_remote: bool) -> bool:
        """Start RMC again where an interrupted remedy left it stopped; True when that was begun. A pause does not hold this."""
        running = seen.busy.processes.value
        if running is None or set(running) & {*OTHERS_AT_WORK, *INSTALLERS, *LEAVING} or not seen.vitals.may_act:
            return False
        state = seen.state_of("ctrmc")
        if state is State.ACTIVE and seen.ctrmc_alive is not False:
            self.ledger.remember("finished", left.id)
            return False
        if state not in (State.INOPERATIVE, State.ACTIVE) or self._tried_unwritten_just_now():
            return False
        try:
            deed = self.spelled(Remedy.START, "", enable_remote)
        except CannotBegin as problem:
            because = f"it was interrupted and cannot be finished: {problem}"
            self.emit(_needs_human(left, because, "rmcctrl -A, then rmcctrl -p"))
            return False
        self._begin(self.ledger.begin_finishing(left, Remedy.START, Fault.RMC_DOWN), deed)
        return True

    # -- finishing where there is no room for a helper's files

    def _begin_unwritten(self, attempt: Attempt, deed: Deed, because: str) -> None:
        """RMC must not stay stopped for want of room: what began this is durable, and to do it twice does no harm."""
        self.unwritten.append(attempt.id)
        left = self._left_by(attempt)
        if self.no_room_told != left.id:
            self.no_room_told = left.id
            why = f"it was interrupted, and {self.folder} cannot be written ({because}): it is being finished all the same"
            self.emit(_needs_human(left, why, f"make room in {self.folder}, or make it writable"))
        self.host.begin(replace(deed, attempt=attempt.id), "")

    def _track_unwritten(self, attempt: Attempt) -> bool:
        """It leaves no word of its end: while RMC does not run it counts as cut short."""
        progress = self.host.progress(attempt.id, "")
        if progress is not None and progress.alive:
            return False
        self.host.forget(attempt.id, "")
        self._cut_short(attempt, "nothing could be written of its end")
        return True

    def _tell_finished_unwritten(self) -> None:
        """RMC was seen active since: from here on it is judged as every other."""
        last = self.ledger.attempts.get(self.unwritten[-1]) if self.unwritten else None
        if last is None or last.outcome is None or (self.ledger.facts.get("finished") or 0) < last.id:
            return
        self.unwritten.clear()
        self.ledger.update(replace(last, outcome=None, because=""))
        self.emit(Event("RMCA3006W", "interrupted remedy finished", (*_fields(last), ("failed", "not written down"))))

    def _tried_unwritten_just_now(self) -> bool:
        last = self.ledger.attempts.get(self.unwritten[-1]) if self.unwritten else None
        return last is not None and self.ledger.steady.now() - last.begun_at < FINISH_AGAIN

    def _left_by(self, finishing: Attempt) -> Attempt:
        """The remedy that `finishing` brings to its end."""
        return [
            attempt
            for attempt in self.ledger.attempts.values()
            if attempt.remedy in DISRUPTIVE and not attempt.shadow and attempt.id < finishing.id
        ][-1]

    # -- the parts

    def spelled(self, remedy: Remedy, subject: str, enable_remote: bool) -> Deed:
        """The steps as they would be taken here. Raises CannotBegin."""
        try:
            return act.deed(0, remedy, subject, self.place.installed(self.host), self.place.paths, enable_remote)
        except act.CannotSpell as problem:
            raise CannotBegin("no-steps", str(problem), problem.unblock) from None

    def _intend(
        self, remedy: Remedy, fault: Fault, subject: str, episode: str, identity: str, shadow: bool = False, by: str = "agent"
    ) -> Attempt:
        try:
            return self.ledger.begin(remedy, fault, subject, episode, identity, shadow, by)
        except OSError as problem:
            because = f"cannot write the intent into the ledger: {problem.strerror or problem}"
            raise CannotBegin("ledger", because, f"make {self.folder} writable") from None

    def _begin(self, attempt: Attempt, deed: Deed) -> None:
        try:
            try:
                self.host.begin(replace(deed, attempt=attempt.id), self.folder)
            except OSError as problem:
                if attempt.by != "finish" or problem.errno not in NO_ROOM:
                    raise
                self._begin_unwritten(attempt, deed, problem.strerror or str(problem))
        except OSError as problem:
            self._interrupted(attempt, f"its helper could not be started: {problem.strerror or problem}")
            if attempt.by != "finish":
                self.ledger.remember("finished", attempt.id)  # it stopped nothing

    def _interrupted(self, attempt: Attempt, because: str) -> None:
        self._cut_short(attempt, because)
        outcome = (("outcome", Outcome.INTERRUPTED.value), ("because", because))
        self.emit(Event("RMCA3003W", "remedy changed nothing", (*_fields(attempt), *outcome)))

    def _cut_short(self, attempt: Attempt, because: str) -> None:
        ended_at = attempt.ended_at or self.ledger.steady.now()
        self.ledger.update(replace(attempt, ended_at=ended_at, outcome=Outcome.INTERRUPTED, because=because))

    def _tell_done(self, attempt: Attempt, progress: Progress) -> None:
        before, after = progress.notes.get("node_id_before", ""), progress.notes.get("node_id_after", "")
        if before and after and before != after:
            self.emit(
                Event(
                    "RMCA3007W",
                    "node id changed",
                    (
                        ("attempt", str(attempt.id)),
                        ("episode", attempt.episode),
                        ("before", before),
                        ("after", after),
                        ("archive", progress.notes.get("archive", "")),
                        (
                            "do",
                            "restore conditions, responses, ACLs and trusted hosts from the archive, where they were used",
                        ),
                    ),
                )
            )
        if attempt.by == "finish":
            self.emit(
                Event(
                    "RMCA3006W",
                    "interrupted remedy finished",
                    (*_fields(attempt), ("failed", "; ".join(progress.failed) or "nothing")),
                )
            )


def _needs_human(left: Attempt, because: str, unblock: str) -> Event:
    return Event("RMCA4001E", "needs a human", (*_fields(left), ("because", because), ("unblock", unblock)))


def _fields(attempt: Attempt) -> Tuple[Tuple[str, str], ...]:
    subject = (("subject", attempt.subject),) if attempt.subject else ()
    return (
        ("remedy", attempt.remedy.value),
        ("attempt", str(attempt.id)),
        ("episode", attempt.episode),
        ("fault", attempt.fault.value),
        *subject,
    )
