"""`heal REMEDY`: what an operator asks of the daemon, checked, and what came of it, in words and as an exit code."""
from __future__ import annotations

from datetime import datetime
from itertools import zip_longest
from typing import Any, Callable, Dict, Iterator, List, Mapping

from rmcagent.config import spell
from rmcagent.cycle import Cycle
from rmcagent.deeds import CannotBegin
from rmcagent.model import Attempt, Decision, Kind, Outcome, Refusal, Remedy, Step
from rmcagent.show import advised, clean
from rmcagent.show.codes import DONE, FAILED, REFUSED, SPENT, USAGE

MOST_REFUSALS = 16              # said in one answer
LONGEST_SENTENCE = 300
BY_HAND = "do not run it by hand while a guard holds"

Answer = Dict[str, Any]         # {"ok", "text", "exit"}; each line of the text is fit for a terminal


def answer(cycle: Cycle, request: Mapping[str, Any], claim: Callable[[], None]) -> Answer:
    """Carry out `{"do": "heal", "remedy": NAME, "dry_run": BOOL, "by": USER}`; what `claim` raises just before it is begun
    prevents it, and is raised."""
    name, dry_run, user = request.get("remedy"), request.get("dry_run", False), request.get("by")
    remedy = next((known for known in Remedy if known.value == name), None)
    if remedy is None:
        wrong = _said(name) if isinstance(name, str) else "that"
        return _answer(USAGE, [f"{wrong} is no remedy: choose one of {', '.join(known.value for known in Remedy)}"])
    if not isinstance(dry_run, bool):
        return _answer(USAGE, ["dry_run is neither true nor false"])        # in doubt nothing is begun
    decision, begun = cycle.heal(remedy, _said(user, 60) if isinstance(user, str) and user else "unknown", claim, dry_run)
    if begun is not None:
        return _begun(cycle, decision, begun)
    if decision.kind is Kind.APPLY and dry_run:
        told = f"would begin {_what(decision)}: {_evidence(decision)}"
        return _answer(DONE, [told, *_steps(cycle, decision, "it runs, in this order:"), "nothing was begun"])
    return _refused(cycle, decision, dry_run)


def _begun(cycle: Cycle, decision: Decision, attempt: Attempt) -> Answer:
    what = f"{_what(decision)} (attempt {attempt.id})"
    if attempt.outcome is Outcome.INTERRUPTED:
        return _answer(FAILED, [f"{what} was begun and ended at once: {_said(attempt.because)}", "  rmcagent why tells more"])
    settle = cycle.settings.remedies[attempt.remedy.value].settle
    return _answer(DONE, [
        f"begun: {what}: {_evidence(decision)}",
        f"  judged {spell(settle)} after its last step, not before {_shown(cycle, attempt.begun_at + settle)}",
        "  to follow it: rmcagent status",
    ])


def _refused(cycle: Cycle, decision: Decision, dry_run: bool) -> Answer:
    spoken = decision.refused_by
    exit_code = SPENT if {refusal.guard for refusal in spoken} == {"budget"} else REFUSED
    if decision.finding is None:
        lines = [_said(decision.because), f"  unblock: {_said(decision.unblock)}"]
        return _answer(exit_code, lines)
    held = "would be held" if dry_run else "is held"
    lines = [f"{_what(decision)} {held}"]
    for refusal, after in zip_longest(spoken[:MOST_REFUSALS], spoken[1:MOST_REFUSALS]):
        lines.append(f"  {refusal.guard}: {_said(refusal.because)}")
        if after is None or (after.guard, after.unblock, after.until) != (refusal.guard, refusal.unblock, refusal.until):
            lines.append(f"    unblock: {_unblock(cycle, refusal)}")
    if len(spoken) > MOST_REFUSALS:
        lines.append(f"  and {len(spoken) - MOST_REFUSALS} more: rmcagent why")
    lines.append(f"what is seen: {_evidence(decision)}")
    if dry_run:
        steps = list(_steps(cycle, decision, "were it allowed, it would run, in this order:"))
        lines += [*steps, *([BY_HAND] if steps else []), "nothing was begun"]
    return _answer(exit_code, lines)


def _steps(cycle: Cycle, decision: Decision, heading: str) -> Iterator[str]:
    """What it runs, in its order, and how long it settles; nothing where it has no steps, for that was said."""
    if decision.finding is None or decision.remedy is None:
        return
    try:
        steps = cycle.steps(decision.remedy, decision.finding.subject)
    except CannotBegin:
        return
    yield heading
    for step in steps:
        yield f"  {_said(_spelled(step))}"
    yield f"and is judged {spell(cycle.settings.remedies[decision.remedy.value].settle)} after its last step"


def _spelled(step: Step) -> str:
    """A command as it is run; what the helper does itself by the name of that."""
    words = " ".join(step.argv).lstrip("@")
    return f"{words} (only when a step before it has failed)" if step.mends else words


def _what(decision: Decision) -> str:
    remedy = decision.remedy.value if decision.remedy else ""
    finding = decision.finding
    return " ".join(filter(None, (remedy, "for", finding.fault.value, _said(finding.subject)))) if finding else remedy


def _evidence(decision: Decision) -> str:
    return _said(decision.finding.evidence) if decision.finding else ""


def _unblock(cycle: Cycle, refusal: Refusal) -> str:
    told = advised(refusal.unblock, {"maintenance_file": cycle.maintenance})
    return _said(told) + (f" (it is over at {_shown(cycle, refusal.until)})" if refusal.until is not None else "")


def _shown(cycle: Cycle, moment: datetime) -> str:
    return cycle.steady.shown(moment).astimezone().isoformat(timespec="seconds")


def _said(text: str, most: int = LONGEST_SENTENCE) -> str:
    return clean(text, most)


def _answer(exit_code: int, lines: List[str]) -> Answer:
    return {"ok": exit_code == DONE, "text": "\n".join(lines), "exit": exit_code}
