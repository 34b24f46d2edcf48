"""(snapshot, findings, history, policy, now) -> Decisions: what to do about each finding, and why not something else."""
from __future__ import annotations

import re
from datetime import datetime
from typing import List, Mapping, Optional, Sequence, Tuple

from rmcagent.config import Settings
from rmcagent.frozen import replace
from rmcagent.model import (
    Attempt,
    Decision,
    Fault,
    Finding,
    History,
    How,
    Kind,
    Link,
    Outcome,
    Refusal,
    Remedy,
    Side,
    Snapshot,
    State,
)
from rmcagent.reason import cluster
from rmcagent.reason.guards import Case, grace_of, refusals, splayed, telling
from rmcagent.reason.ladder import IDENTITY_FAULTS, LINK_FAULTS, REPEATABLE, remedies_for, so_often
from rmcagent.reason.nodes import accepted

# Refusals that only say how often this may be done; they end a rung, not the partition's case.
SPENT = ("budget", "off")
DEEDS = (Kind.APPLY, Kind.JUDGE)
BY_HAND = "find the cause by hand: rmcagent why shows what was tried, and what holds the rest"
LOST = (Link.DOWN, Link.PENDING, Link.SUSPENDED, Link.FLAPPING)
STRONGER = (Remedy.RECYCLE, Remedy.RECFGCT)
UNTOLD = (cluster.ANSWER, cluster.PROVE)      # what could not be told may be told at the next look
MOST_REFRESHES = 3          # of one kind of fault in an episode; what three did not mend a fourth will not


def decide(seen: Snapshot, findings: Sequence[Finding], history: History, settings: Settings,
           now: datetime) -> Tuple[Decision, ...]:
    """One decision a finding, the gravest first; never empty. At most one of them is APPLY or JUDGE."""
    attempt = _unjudged(history, shadow=False)
    if attempt is not None:
        treated = next((one for one in findings if (one.fault, one.subject) == (attempt.fault, attempt.subject)), None)
        others = [one for one in findings if one is not treated]
        return (_judge(attempt, treated, settings, now, history.late),
                *(_meanwhile(attempt, one, seen, history, settings, now) for one in others))
    if not findings:
        return (Decision(Kind.REST, f"could not tell: {_gaps(seen)}" if history.blind_since else "nothing is wrong"),)
    decisions: List[Decision] = []
    for finding in findings:
        rehearsed = _unjudged(history, shadow=True, finding=finding)
        # A shadow attempt changed nothing: it holds back only what comes next for its own finding.
        decision = (_judge(rehearsed, finding, settings, now) if rehearsed
                    else _decide_one(finding, seen, history, settings, now))
        if decision.kind in DEEDS and any(earlier.kind in DEEDS for earlier in decisions):
            decision = Decision(Kind.WAIT, "one remedy at a time", finding, decision.remedy)
        decisions.append(decision)
    return tuple(decisions)


def alternatives(finding: Finding, seen: Snapshot, history: History, settings: Settings, now: datetime) -> Tuple[Decision, ...]:
    """What each rung of the fault's ladder would come to, asked by itself: for `why`."""
    considered = []
    for remedy in _rungs(finding, seen, history, settings):
        tries = _tries(remedy, finding, history, settings, now)
        decision = _consider(Case(remedy, finding, seen, history, settings, now))
        if tries:
            decision = replace(decision, kind=Kind.WAIT if decision.kind is Kind.APPLY else decision.kind,
                               because=f"tried before and judged unchanged ({tries}); {decision.because}")
        considered.append(decision)
    return tuple(considered)


def asked(remedy: Remedy, seen: Snapshot, findings: Sequence[Finding], history: History, settings: Settings,
          now: datetime) -> Tuple[Decision, ...]:
    """An operator asks for one remedy: APPLY or REFUSE for each finding that it treats, the gravest first; never empty.

    His asking stands for the grace, for the gentler remedies before it, and for the wait after a clean stop; for no guard.
    """
    treated = [finding for finding in findings if remedy in _rungs(finding, seen, history, settings)]
    if not treated:
        return (_untreated(remedy, seen, findings, history, settings),)
    return tuple(_answered(Case(remedy, finding, seen, history, settings, now)) for finding in treated)


def not_now(remedy: Remedy, under_way: Optional[Attempt]) -> Decision:
    """Said without a look: what a remedy does to RMC while it runs is no finding; nor is what an agent sees first of all."""
    named = Refusal("blind", "no look has been completed yet", "ask again in a minute")
    if under_way is not None:
        because = f"{under_way.remedy.value} (attempt {under_way.id}) is under way"
        named = Refusal("settle", because, "wait until it has been judged: rmcagent status")
    return Decision(Kind.REFUSE, named.because, None, remedy, (named,), named.unblock)


def _answered(case: Case) -> Decision:
    name = case.remedy.value
    spoken = (*_only_rehearsed(case), *refusals(case), *_done_once(case)) or splayed(case)
    if not spoken:
        return Decision(Kind.APPLY, f"an operator asked for {name}: {case.finding.evidence}", case.finding, case.remedy)
    because = f"{name} is held: {'; '.join(dict.fromkeys(refusal.because for refusal in spoken))}"
    until = max((refusal.until for refusal in spoken if refusal.until), default=None)
    return Decision(Kind.REFUSE, because, case.finding, case.remedy, spoken, spoken[0].unblock, until)


def _only_rehearsed(case: Case) -> Tuple[Refusal, ...]:
    """Whoever asks wants a deed, and none is done in shadow."""
    if not case.shadow:
        return ()
    key = "mode" if case.settings.mode == "shadow" else f"remedies.{case.remedy.value}.mode"
    return (Refusal("shadow", f"the policy only rehearses {case.remedy.value}", f"{key}: act", lasting=True),)


def _done_once(case: Case) -> Tuple[Refusal, ...]:
    if case.remedy in REPEATABLE or not _tries(case.remedy, case.finding, case.history, case.settings, case.now):
        return ()
    because = f"{case.remedy.value} was done in this episode, and is done once in one"
    return (Refusal("once", because, case.finding.advice or BY_HAND, lasting=True),)


def _untreated(remedy: Remedy, seen: Snapshot, findings: Sequence[Finding], history: History, settings: Settings) -> Decision:
    """Nothing was found that asks for it; what was found, and what treats that, is the better answer."""
    treats = [(finding, _rungs(finding, seen, history, settings)) for finding in findings]
    told = [f"{finding.fault.value} is treated by {', '.join(rung.value for rung in rungs)}" if rungs
            else f"{finding.fault.value} has no remedy here" for finding, rungs in treats]
    because = "; ".join((f"nothing here that {remedy.value} treats", *dict.fromkeys(told)))
    if not seen.complete:
        because += f"; could not tell: {_gaps(seen)}"
    unblock = next((f"rmcagent heal {rungs[0].value}" for _, rungs in treats if rungs), findings[0].advice or BY_HAND if findings
                   else "make that answer" if not seen.complete else "none is needed: nothing is wrong")
    named = Refusal("not-needed", because, unblock)
    return Decision(Kind.REFUSE, because, None, remedy, (named,), unblock)


def verdict(seen: Optional[Snapshot], findings: Sequence[Finding], decisions: Sequence[Decision], history: History,
            settings: Settings, now: datetime) -> Tuple[str, str]:
    """(word, sentence) for status: the first that matches."""
    if seen is None:
        return "unknown", "no look has been completed yet"
    if history.blind_since is not None and not explains_blindness(findings):
        return "unknown" if now - history.blind_since < settings.faults.blind else "blind", _gaps(seen)
    if history.pause is not None and now < history.pause.until:
        return "paused", history.pause.reason
    for decision in decisions:
        late = decision.attempt is not None
        # What is worth a warning only, beside a working HMC, say, wakes nobody, however little may be done about it.
        if decision.kind in (Kind.ESCALATE, Kind.REFUSE) and (late or decision.finding is None or decision.finding.grave):
            return "needs-human", decision.finding.evidence if decision.finding and not late else decision.because
    for decision in decisions:
        if (decision.kind in (Kind.APPLY, Kind.JUDGE) or decision.attempt is not None) and not decision.shadow:
            return "healing", decision.because
    if findings:
        return "degraded", findings[0].evidence
    state = seen.state_of("ctrmc")
    if state is not State.ACTIVE:
        return "unknown", f"ctrmc is {state.value}" if state else "lssrc shows no ctrmc"
    return "healthy", "RMC runs and its management connection works" if _managed(seen) else "RMC runs; no HMC manages it"


def explains_blindness(findings: Sequence[Finding]) -> bool:
    """An RMC that answers nobody is a finding of its own."""
    return any(finding.fault is Fault.RMC_HUNG for finding in findings)


def _managed(seen: Snapshot) -> bool:
    return any(hmc.link is Link.UP for hmc in seen.hmcs)


def gaps_told(seen: Snapshot) -> str:
    """The first of what could not be told, as sentences: `lssrc -a did not end in time`."""
    return "; ".join(_gap(gap.about, gap.because) for gap in seen.gaps[:3])


def _gap(about: str, because: str) -> str:
    unread = f"cannot read {about}: "
    if not because.startswith(unread):
        return f"{about}: {because}"
    rest = because[len(unread):]
    return f"{as_typed(about)} {rest[3:]}" if rest.startswith("it ") else f"{as_typed(about)}: {rest}"


def as_typed(answer: str) -> str:
    """An answer's id as its command is typed: of its words those of one or two letters are flags."""
    command, *words = answer.split("-")
    return " ".join((command, *(f"-{word}" if re.fullmatch("[a-z]{1,2}", word) else word for word in words)))


def _gaps(seen: Snapshot) -> str:
    return gaps_told(seen) or "could not observe"


def _unjudged(history: History, shadow: bool, finding: Optional[Finding] = None) -> Optional[Attempt]:
    """The attempt that is under way or settling, of this finding where one is named."""
    for attempt in history.attempts:
        if attempt.outcome is None and attempt.shadow == shadow and (finding is None or _same_kind(attempt, finding)):
            return attempt
    return None


def _judge(attempt: Attempt, finding: Optional[Finding], settings: Settings, now: datetime, late: str = "") -> Decision:
    """What becomes of an attempt; `finding` is the fault it treats, where that is still seen."""
    name = f"{attempt.remedy.value} (attempt {attempt.id})"
    if attempt.ended_at is None and late:
        return Decision(Kind.ESCALATE, f"{late} of {name} has not ended in its time; it is waited for, not killed", finding,
                        attempt.remedy, unblock=f"see why {late} hangs: the remedy goes on when it ends, or is ended by hand",
                        attempt=attempt.id)
    until = attempt.ended_at + settings.remedies[attempt.remedy.value].settle if attempt.ended_at else None
    kind, how = ((Kind.WAIT, "is under way") if until is None else (Kind.WAIT, "settles before it is judged") if now < until
                 else (Kind.JUDGE, "has settled"))
    return Decision(kind, f"{name} {how}", finding, attempt.remedy, until=until if kind is Kind.WAIT else None,
                    attempt=attempt.id, shadow=attempt.shadow)


def _meanwhile(attempt: Attempt, finding: Finding, seen: Snapshot, history: History, settings: Settings,
               now: datetime) -> Decision:
    """Another finding while an attempt is open: what has no remedy here is told all the same."""
    if _rungs(finding, seen, history, settings):
        return Decision(Kind.WAIT, f"{attempt.remedy.value} (attempt {attempt.id}) comes first", finding)
    return _decide_one(finding, seen, history, settings, now)


def _decide_one(finding: Finding, seen: Snapshot, history: History, settings: Settings, now: datetime) -> Decision:
    rungs = _rungs(finding, seen, history, settings)
    if not rungs:
        because = f"{finding.fault.value} has no remedy here"
        return Decision(Kind.ESCALATE, because, finding, unblock=finding.advice or BY_HAND, treatable=False)
    if finding.fault is Fault.RMC_STOPPED and settings.remedies["start"].after_stop is None:
        return Decision(Kind.ESCALATE, "an operator stopped RMC; the policy never starts it again", finding,
                        unblock=finding.advice)
    tries = {remedy: _tries(remedy, finding, history, settings, now) for remedy in rungs}
    held: List[Decision] = []
    for remedy in sorted(rungs, key=lambda rung: (tries[rung], rungs.index(rung))):
        forbidden = [decision for decision in held if _forbidden(decision.refused_by)]
        if tries[remedy] and remedy not in REPEATABLE:
            continue
        if remedy is Remedy.REFRESH and tries[remedy] and (
            forbidden or tries[remedy] >= MOST_REFRESHES or any(tries.get(stronger) for stronger in STRONGER)
        ):
            continue        # a second one does not replace the stronger remedy that is refused, nor mend what that one did not
        decision = _consider(Case(remedy, finding, seen, history, settings, now))
        if decision.kind is Kind.APPLY:
            return decision
        if decision.kind is Kind.WAIT:
            return _refused(forbidden, tries) if forbidden else decision
        held.append(decision)
    return _stuck(finding, held, tries, settings)


def _rungs(finding: Finding, seen: Snapshot, history: History, settings: Settings) -> Tuple[Remedy, ...]:
    rungs = remedies_for(finding.fault, settings)
    if finding.fault is Fault.LOG_STORM and (finding.side is Side.NETWORK or any(hmc.link is Link.UP for hmc in seen.hmcs)):
        return ()           # noise beside a working connection, or of a network that is down, is reported, never treated
    if finding.fault is Fault.LINK_DOWN and not any(hmc.reachable for hmc in seen.hmcs):
        return rungs[:1]    # whether an HMC can be reached could not be asked: refresh only
    if finding.fault in IDENTITY_FAULTS:
        return _identity_rungs(rungs, finding, seen, history)
    if finding.fault is Fault.MANAGER_DOWN and not finding.subject.startswith("IBM."):
        return rungs[:1]    # a policy may require what is none of RMC's: no restart of RMC brings it back
    if finding.fault is Fault.LPARMGR_STUCK and any(hmc.link is Link.UP for hmc in seen.hmcs):
        return rungs[:1]    # RMC's own connection works: the rest is for where it does not
    if finding.fault is Fault.LINK_PARTIAL and {hmc.reachable for hmc in seen.hmcs if hmc.link in LOST} == {False}:
        return ()           # an HMC that is switched off, or cannot be reached, hears no refresh
    return rungs


def _identity_rungs(rungs: Tuple[Remedy, ...], finding: Finding, seen: Snapshot, history: History) -> Tuple[Remedy, ...]:
    """Reported only, while an HMC is connected or once one has accepted the copy, or where CAA's device keeps a UUID that
    must be changed first."""
    cluster0 = seen.standing.cluster0
    if any(hmc.link is Link.UP for hmc in seen.hmcs) or accepted(finding, seen, history):
        return ()
    if finding.fault is Fault.CLONED_NODE and cluster0.value:
        return ()
    untold = finding.fault is Fault.CLONED_NODE and cluster0.how in (How.GAP, How.UNASKED)
    return tuple(rung for rung in rungs if not (untold and rung is Remedy.RECFGCT))


def _tries(remedy: Remedy, finding: Finding, history: History, settings: Settings, now: datetime) -> int:
    """How often this remedy was judged UNCHANGED for this fault's kind in this episode.

    recfgct runs once an episode: there every outcome counts but INTERRUPTED, for any fault.
    """
    shadow = "shadow" in (settings.mode, settings.remedies[remedy.value].mode)
    return sum(
        1 for attempt in telling(finding, history, now)
        if attempt.remedy is remedy and attempt.shadow == shadow and attempt.by != "finish"
        and (attempt.outcome not in (None, Outcome.INTERRUPTED) if remedy is Remedy.RECFGCT
             else attempt.outcome is Outcome.UNCHANGED and _same_kind(attempt, finding))
    )


def _same_kind(attempt: Attempt, finding: Finding) -> bool:
    if attempt.fault in LINK_FAULTS and finding.fault in LINK_FAULTS:
        return True
    return attempt.fault is finding.fault and attempt.subject == finding.subject


def _consider(case: Case) -> Decision:
    """One rung: apply it, wait for it, or say what holds it."""
    name = case.remedy.value
    grace = grace_of(case)
    sighting = case.history.sightings.get(case.finding.key)
    since = sighting.since if sighting else case.now
    if grace is None:
        return Decision(Kind.REFUSE, f"the policy never lets {name} treat this", case.finding, case.remedy)
    spoken = refusals(case)
    lasting = tuple(refusal for refusal in spoken if refusal.lasting or refusal.guard in SPENT)
    if lasting:
        return Decision(
            Kind.REFUSE, f"{name} is held: {'; '.join(dict.fromkeys(refusal.because for refusal in lasting))}", case.finding,
            case.remedy, spoken, _first_harmless(case.finding, lasting[0]),
            until=max((refusal.until for refusal in lasting if refusal.until), default=None),
        )
    if case.now < since + grace:
        return Decision(
            Kind.WAIT, f"{case.finding.fault.value} may pass on its own; {name} is next", case.finding, case.remedy, spoken,
            until=since + grace,
        )
    if spoken:
        until = max((refusal.until for refusal in spoken if refusal.until), default=None)
        return Decision(Kind.WAIT, f"{name} waits: {spoken[0].because}", case.finding, case.remedy, spoken, spoken[0].unblock,
                        until)
    waiting = splayed(case)
    if waiting:
        return Decision(Kind.WAIT, f"{name} waits: {waiting[0].because}", case.finding, case.remedy, waiting, waiting[0].unblock,
                        waiting[0].until)
    return Decision(Kind.APPLY, f"{name} is due: {case.finding.evidence}", case.finding, case.remedy, shadow=case.shadow)


def _first_harmless(finding: Finding, refusal: Refusal) -> str:
    """In a cluster the procedure stops other people's work: before it comes what a human can see, or start, without that."""
    if refusal.guard != "cluster" or not finding.advice or refusal.unblock in finding.advice:
        return refusal.unblock
    return f"{finding.advice}; only if that does not help: {refusal.unblock}"


def _stuck(finding: Finding, held: Sequence[Decision], tries: Mapping[Remedy, int], settings: Settings) -> Decision:
    """Every rung was tried, or is forbidden: say which guard forbids what, or that nothing is left."""
    forbidden = [decision for decision in held if _forbidden(decision.refused_by)]
    if forbidden:
        return _refused(forbidden, tries)
    until = min((decision.until for decision in held if decision.until), default=None)
    spoken: Tuple[Refusal, ...] = tuple(refusal for decision in held for refusal in decision.refused_by)
    return Decision(Kind.ESCALATE, _nothing_left(finding, held, tries, settings), finding, refused_by=spoken,
                    unblock=finding.advice or BY_HAND, until=until)


def _refused(forbidden: Sequence[Decision], tries: Mapping[Remedy, int]) -> Decision:
    """What is forbidden is refused; where a cluster forbids it, and recycle was tried in vain, nothing is left.

    A gap may be told at the next look: it calls nobody.
    """
    refused = forbidden[0]
    for_good = any(refusal.guard == "cluster" and refusal.unblock not in UNTOLD for refusal in refused.refused_by)
    if not (for_good and tries.get(Remedy.RECYCLE)):
        return refused
    because = f"recycle was tried {so_often(tries[Remedy.RECYCLE])} and changed nothing; {refused.because}"
    return replace(refused, kind=Kind.ESCALATE, because=because)


def _nothing_left(finding: Finding, held: Sequence[Decision], tries: Mapping[Remedy, int], settings: Settings) -> str:
    """Of each rung what ended it: switched off, tried, rehearsed only, spent."""
    ended = {decision.remedy: decision for decision in held}
    if all(remedy in ended and _is_off(ended[remedy]) for remedy in tries):
        return f"all its remedies are switched off ({', '.join(remedy.value for remedy in tries)})"
    told: List[str] = []
    for remedy, tried in tries.items():
        shadow = ", in shadow only" if "shadow" in (settings.mode, settings.remedies[remedy.value].mode) else ""
        decision = ended.get(remedy)
        if decision is None or (tried and not decision.refused_by):
            told.append(f"{remedy.value} was tried {so_often(tried)}{shadow}")
        elif _is_off(decision):
            told.append(f"{remedy.value} is switched off")
        else:
            spent = [refusal.because for refusal in decision.refused_by if refusal.guard in ("budget", "order")]
            told += spent or [decision.because]
    return f"nothing is left for {finding.fault.value}: {'; '.join(dict.fromkeys(told))}"


def _is_off(decision: Decision) -> bool:
    return any(refusal.guard == "off" for refusal in decision.refused_by)


def _forbidden(spoken: Sequence[Refusal]) -> bool:
    """True when a guard other than the budget, or recfgct's place in the order, forbids the rung."""
    return any(refusal.lasting and refusal.guard not in (*SPENT, "order") for refusal in spoken)
