"""What status, plan and why tell, as plain JSON: a look and what was made of it -> the document."""
from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Mapping, Optional

from rmcagent.show.screen import clean

if TYPE_CHECKING:
    from rmcagent.config import Settings
    from rmcagent.model import Decision, Snapshot, View

Document = Dict[str, Any]
Shown = Callable[[datetime], datetime]

MOST_ROWS = 256                           # of one list or table in a document

# The keys of each row, which are its noun's names. Others read them: more may be added, none renamed.
HMC = "address name node_id link reachable in_band"
KNOWN_HMC = "address name node_id first_seen last_up"
FINDING = "fault side since evidence subject sources advice"
DECISION = "kind remedy because unblock until shadow"
REFUSAL = "guard because unblock until lasting"
LOG = "bytes_per_second messages side"
ATTEMPT = "id remedy fault subject episode begun_at ended_at outcome shadow by because"


def document(view: View, settings: Settings, shown: Shown, extra: Mapping[str, Any]) -> Document:
    """What `status --json` and `plan --json` say of one look; every string in it is safe to print, every value plain JSON."""
    snapshot, history = view.snapshot, view.history
    growth = snapshot.logs.value if snapshot else None
    decisions = [_decision_facts(decision) for decision in view.decisions]
    told: Document = plain({
        "look_seconds": settings.cadence.look.total_seconds(),
        "timeout_seconds": settings.timeout.total_seconds(),
        "why": [],
        **extra,
        "schema": 1,
        "verdict": view.verdict,
        "because": view.because,
        "mode": settings.mode,
        "taken_at": view.taken_at,
        "next_look": view.next_look,
        "subsystems": _subsystem_facts(snapshot),
        "hmcs": each(snapshot.hmcs if snapshot else (), HMC),
        "known_hmcs": each(history.known, KNOWN_HMC),
        "cluster": {
            "state": view.cluster.state,
            "recycle": "allowed" if view.cluster.recycle else "forbidden",
            "recfgct": "allowed" if view.cluster.recfgct else "forbidden",
            "evidence": "; ".join(view.cluster.evidence),
        },
        "findings": each(view.findings, FINDING),
        "gaps": each(snapshot.gaps if snapshot else (), "about because"),
        "decision": decisions[0],
        "decisions": decisions,
        "log": row(growth, LOG) if growth else {"bytes_per_second": None, "messages": {}, "side": "unknown"},
        "pause": row(history.pause, "until reason by") if history.pause else None,
        "episode": history.episode.id if history.episode else None, "crash_loop": history.crash_loop,
        "budgets": _budget_facts(view, settings),
        "attempts": each(history.attempts[-10:], ATTEMPT),
    }, shown)
    return told


def row(noun: object, names: str) -> Document:
    return {name: getattr(noun, name) for name in names.split()}


def each(nouns: Iterable[object], names: str) -> List[Document]:
    return [row(noun, names) for noun in nouns]


def _subsystem_facts(snapshot: Optional[Snapshot]) -> Document:
    """Every row that lssrc showed; a required one it did not show is unknown, not inoperative."""
    rows = (snapshot.subsystems.value or {}) if snapshot else {}
    expected = snapshot.expected if snapshot else {}
    facts: Document = {name: {"state": "unknown", "pid": None, "expected": need} for name, need in expected.items()}
    for name, seen in rows.items():
        facts[name] = {"state": seen.state, "pid": seen.pid, "expected": expected.get(name, "on-demand")}
    return facts


def _decision_facts(decision: Decision) -> Document:
    finding = decision.finding
    return {
        **row(decision, DECISION),
        "fault": finding.fault if finding else None,
        "subject": finding.subject if finding else "",
        "refused_by": list(dict.fromkeys(refusal.guard for refusal in decision.refused_by)),
        "refusals": each(decision.refused_by, REFUSAL),
    }


def _budget_facts(view: View, settings: Settings) -> Document:
    """What was spent of each remedy's budgets, counted as the budget guard counts: shadow attempts among themselves."""
    facts: Document = {}
    for remedy, policy in settings.remedies.items():
        shadow = "shadow" in (settings.mode, policy.mode)
        begun = [
            attempt.begun_at for attempt in view.history.attempts
            if attempt.remedy.value == remedy and attempt.shadow == shadow and attempt.by != "finish"
        ]
        lost = view.history.spent_at
        none_left = lost is not None and view.taken_at < lost + max(budget.span for budget in policy.budget)
        facts[remedy] = [
            {"spent": budget.times if none_left else sum(at > view.taken_at - budget.span for at in begun),
             "times": budget.times, "span_seconds": budget.span.total_seconds()}
            for budget in policy.budget
        ]
    return facts


def plain(value: Any, shown: Shown) -> Any:
    """The value as plain JSON with clean, bounded strings; what JSON cannot say (an endless number) becomes null."""
    value = getattr(value, "value", value)                          # of an enum
    if value is None or isinstance(value, (bool, int)):
        return value
    if hasattr(value, "items"):
        return {clean(str(key)): plain(item, shown) for key, item in sorted(value.items())[:MOST_ROWS]}
    if isinstance(value, (list, tuple)):
        return [plain(item, shown) for item in value[:MOST_ROWS]]
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None         # what is not a number compares false as well
    return shown(value).isoformat(timespec="seconds") if hasattr(value, "isoformat") else clean(str(value))
