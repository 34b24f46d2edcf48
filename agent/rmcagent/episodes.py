"""What is said of an episode and when: problem and gone in pairs, refusals once, then reminders at a falling rate."""
from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Tuple

from rmcagent.config import Settings
from rmcagent.frozen import dataclass, replace
from rmcagent.ledger import Ledger
from rmcagent.model import Decision, Fault, Finding, Kind, Outcome, Side, Snapshot
from rmcagent.reason.diagnose import masked
from rmcagent.reason.ladder import LADDER
from rmcagent.report import Event

WEEK = timedelta(days=7)
AN_HOUR = timedelta(hours=1)
# What holds a remedy without an end of its own: somebody forgot it, or it hangs. A pause and a window end by themselves.
UNENDING = ("maintenance", "crash-loop", "install", "busy")
ENOUGH_LOOKS = 2                # that saw it, or did not; none is counted beyond
LATE = "late"                   # what is said of a remedy's command, not of a fault
NOISE = (Fault.LOG_STORM, Fault.HMC_SIDE)
# While a remedy settles these are expected to be wrong for a while; they are news only when it has been judged.
AFTERMATH = (Fault.LINK_DOWN, Fault.LINK_PENDING, Fault.NO_HMC, Fault.LINK_PARTIAL, Fault.HMC_UNREACHABLE, Fault.MANAGER_DOWN)


@dataclass
class Problem:
    """One fault within the episode: how many looks saw it, and how many clean ones since did not."""

    finding: Finding
    looks: int = 0
    clean: int = 0
    told: bool = False


@dataclass
class Said:
    at: datetime
    times: int = 1                  # 0: not told yet, and no reminder either
    gone: bool = False              # what it was said of has gone since


class Episodes:
    """Opens and closes episodes, and turns what changes in them into events."""

    def __init__(self, ledger: Ledger, emit: Callable[[Event], None]) -> None:
        self.ledger = ledger
        self.emit = emit
        self.problems: Dict[str, Problem] = {}
        self.said: Dict[Tuple[str, ...], Said] = {}
        self.clean_looks = 0
        for key, evidence in (ledger.facts.get("problems") or {}).items():
            fault, _, subject = key.partition(":")
            if fault in {known.value for known in Fault}:
                finding = Finding(Fault(fault), Side.HERE, str(evidence), subject=subject)
                self.problems[key] = Problem(finding, looks=ENOUGH_LOOKS, told=True)

    def follow(self, findings: Sequence[Finding], seen: Snapshot, settling: bool, within: timedelta = timedelta(0)) -> None:
        """Take a look's findings: open an episode, tell problems, tell what is gone, close the episode."""
        if findings and self.ledger.episode is None:
            self.ledger.open_episode()
        found = {finding.key: finding for finding in findings}
        for key, finding in found.items():
            problem = self.problems.setdefault(key, Problem(finding))
            problem.finding, problem.looks, problem.clean = finding, min(problem.looks + 1, ENOUGH_LOOKS), 0
            self._tell_problem(problem, settling)
        for key in [key for key in self.problems if key not in found and seen.complete]:
            problem = self.problems[key]
            unwatched = problem.finding.fault in NOISE and seen.logs.value is not None and seen.logs.value.covers < within
            if unwatched or masked(problem.finding.fault, findings, seen):
                continue        # a link cannot be called healed while RMC is down, nor a log quiet that was just opened
            problem.clean += 1
            if problem.clean >= ENOUGH_LOOKS or not problem.told:
                self._tell_gone(problem)
                del self.problems[key]
                self._forget(key)
        self._remember()
        if findings or seen.complete:
            self.clean_looks = 0 if findings else min(self.clean_looks + 1, ENOUGH_LOOKS)
        over = seen.complete and self.clean_looks >= ENOUGH_LOOKS and not (findings or self.problems)
        if self.ledger.episode is not None and over:
            self.ledger.close_episode()
            self.said = {key: said for key, said in self.said.items() if key[0] == LATE}

    def tell_decisions(self, decisions: Sequence[Decision], settings: Settings, told: Callable[[Decision], Dict[str, Any]],
                       now: datetime) -> None:
        """Refusals, exhaustion and causes elsewhere: once, then reminded; and each new decision into the ledger for `why`."""
        made: Set[Tuple[str, ...]] = set()
        for decision in decisions:
            finding = decision.finding
            if finding is None or decision.attempt is not None or decision.kind not in (Kind.REFUSE, Kind.ESCALATE, Kind.WAIT):
                continue
            problem = self.problems.get(finding.key)
            if problem is None or not problem.told or (decision.kind is Kind.WAIT and not decision.refused_by):
                continue
            # A passing reason beside a lasting one is no news.
            remedy = (decision.remedy.value, *lasting_guards(decision)) if decision.remedy else ()
            key = (finding.key, decision.kind.value, *remedy, "" if finding.grave else "not grave")
            made.add(key)
            if key not in self.said:
                self.ledger.decided(told(decision))
            # What only waits is told when it has waited for long: a forgotten clmgr, a forgotten maintenance file.
            if self._due(key, settings.report.remind, now, _untold_for(decision, settings.report.remind)):
                self.emit(self._decision_event(decision, finding))
        # A wait that was over in between is another wait.
        about = {decision.finding.key for decision in decisions if decision.finding}
        over = [key for key in self.said if key[0] in about and key[1] == Kind.WAIT.value and key not in made]
        for key in over:
            del self.said[key]

    def tell_late(self, decisions: Sequence[Decision], settings: Settings, told: Callable[[Decision], Dict[str, Any]],
                  now: datetime, since: Optional[datetime]) -> None:
        """A changing command that has not ended in its time: once, then reminded, whether its fault is still seen or not."""
        late = {(LATE, decision.because): decision for decision in decisions
                if decision.kind is Kind.ESCALATE and decision.attempt in self.ledger.attempts}
        self.said = {key: said for key, said in self.said.items() if key[0] != LATE or key in late}
        for key, decision in late.items():
            if key not in self.said:
                self.ledger.decided(told(decision))
            if self._due(key, settings.report.remind, now):
                self.emit(self._late_event(decision, since))

    def _forget(self, problem: str) -> None:
        """All said of a problem that has gone is news again; that it needs a human or is elsewhere, an hour after it was said."""
        about = {key: said for key, said in self.said.items() if key[0] == problem}
        kept = {key: replace(said, gone=True) for key, said in about.items() if key[1] == Kind.ESCALATE.value and said.times}
        self.said = {**{key: said for key, said in self.said.items() if key not in about}, **kept}

    def _remember(self) -> None:
        """The problems told, each with the evidence it was told with: what changes at every look is not for the ledger."""
        known = self.ledger.facts.get("problems") or {}
        told = {key: known.get(key, problem.finding.evidence[:300]) for key, problem in self.problems.items() if problem.told}
        self.ledger.remember("problems", told or None)

    def episode_id(self) -> str:
        return self.ledger.episode.id if self.ledger.episode else "none"

    def _due(self, key: Tuple[str, ...], remind: timedelta, now: datetime, untold_for: timedelta = timedelta(0)) -> bool:
        """Whether to tell it now: once it has lasted for `untold_for`, then after `remind`, then at a falling rate."""
        said = self.said.setdefault(key, Said(now, times=1 if untold_for >= remind else 0))
        reminder = min(remind * 2 ** (said.times - 1), WEEK) if said.times else untold_for
        if now - said.at < (AN_HOUR if said.gone else reminder):
            return False
        self.said[key] = Said(now, 1 if said.gone else min(said.times + 1, 16))
        return True

    def _tell_problem(self, problem: Problem, settling: bool) -> None:
        finding = problem.finding
        enough = 1 if finding.fault is Fault.RMC_DOWN else ENOUGH_LOOKS
        if problem.told or problem.looks < enough or (settling and finding.fault in AFTERMATH):
            return
        problem.told = True
        self.emit(Event("RMCA2001W", "problem found", (
            *_named(finding), ("side", finding.side.value), ("episode", self.episode_id()), ("evidence", finding.evidence),
        )))

    def _tell_gone(self, problem: Problem) -> None:
        if not problem.told:
            return
        finding = problem.finding
        self.emit(Event("RMCA2002N", "problem gone", (
            *_named(finding), ("episode", self.episode_id()), ("healed", self._by_whom(finding)),
        )))

    def _by_whom(self, finding: Finding) -> str:
        mine: List[str] = [
            attempt.remedy.value for attempt in self.ledger.attempts.values()
            if attempt.fault is finding.fault and attempt.episode == self.episode_id() and not attempt.shadow
            and attempt.outcome in (None, Outcome.HEALED)
        ]
        return f"after {mine[-1]}" if mine else "by itself"

    def _decision_event(self, decision: Decision, finding: Finding) -> Event:
        fault, episode = ("fault", finding.fault.value), ("episode", self.episode_id())
        evidence, unblock = ("evidence", finding.evidence), decision.unblock
        if decision.kind in (Kind.REFUSE, Kind.WAIT):
            guards = ",".join(lasting_guards(decision) or dict.fromkeys(refusal.guard for refusal in decision.refused_by))
            return Event("RMCA3004W", "refused", (
                ("remedy", decision.remedy.value if decision.remedy else ""), ("guard", guards), fault, episode,
                ("because", decision.because), ("unblock", unblock),
            ))
        ours = (decision.treatable and LADDER[finding.fault]) or finding.side is Side.HERE
        if finding.grave and ours and finding.side is not Side.OPERATOR:
            because = ("because", decision.because)
            return Event("RMCA4001E", "needs a human", (fault, episode, because, evidence, ("unblock", unblock)))
        return Event("RMCA4002W", "cause is elsewhere", (fault, ("side", finding.side.value), episode, evidence, ("do", unblock)))

    def _late_event(self, decision: Decision, since: Optional[datetime]) -> Event:
        attempt = self.ledger.attempts[decision.attempt or 0]
        began = self.ledger.steady.shown(since or attempt.begun_at).isoformat(timespec="seconds")
        return Event("RMCA4001E", "needs a human", (
            ("remedy", attempt.remedy.value), ("attempt", str(attempt.id)), ("episode", attempt.episode),
            ("fault", attempt.fault.value), ("because", decision.because), ("since", began), ("unblock", decision.unblock),
        ))


def entry(decision: Decision, alternatives: Sequence[Decision], episode: str, at: datetime) -> Dict[str, Any]:
    """A decision as `why` tells it: evidence, rules asked, alternatives, what would unblock."""
    finding = decision.finding
    return {
        "at": at.isoformat(timespec="seconds"), "episode": episode, "kind": decision.kind.value,
        "fault": finding.fault.value if finding else "", "subject": finding.subject if finding else "",
        "evidence": finding.evidence[:500] if finding else "", "remedy": decision.remedy.value if decision.remedy else None,
        "because": decision.because[:500], "unblock": decision.unblock[:500],
        "refused_by": [{"guard": refusal.guard, "because": refusal.because[:300], "unblock": refusal.unblock[:300]}
                       for refusal in decision.refused_by[:12]],
        "alternatives": [f"{other.remedy.value}: {other.kind.value}, {other.because}"[:300]
                         for other in alternatives if other.remedy],
    }


def _untold_for(decision: Decision, remind: timedelta) -> timedelta:
    """How long a decision must have stood before it is told, if no reminder is due before: only what waits may pass untold."""
    if decision.kind is not Kind.WAIT:
        return timedelta(0)
    unending = decision.unblock and any(refusal.guard in UNENDING for refusal in decision.refused_by)
    return AN_HOUR if unending else remind


def lasting_guards(decision: Decision) -> Tuple[str, ...]:
    return tuple(dict.fromkeys(refusal.guard for refusal in decision.refused_by if refusal.lasting))


def _named(finding: Finding) -> Tuple[Tuple[str, str], ...]:
    return (("fault", finding.fault.value), *((("subject", finding.subject),) if finding.subject else ()))
