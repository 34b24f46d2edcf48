"""What status, plan and why tell, as plain JSON: a look and what was made of it -> the document."""
from __future__ import annotations

from datetime import datetime
from sys import intern
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple

from rmcagent.model import Decision, Fact, Fault, Finding, Kind, Link, State
from rmcagent.show.screen import clean

if TYPE_CHECKING:
    from rmcagent.config import Settings
    from rmcagent.model import ClusterVerdict, History, Hmc, LogGrowth, Snapshot, View

Document = Dict[str, Any]
Shown = Callable[[datetime], datetime]

MOST_ROWS = 256                           # of one list or table in a document
RMC_IS_SILENT = "RMC is down or silent, and without its word no peer domain is ruled out"
EMPTY_LOOKS = 2                           # in a row, before no-hmc is a finding

# The keys of each row, which are its noun's names. Others read them: more may be added, none renamed.
HMC = "address name node_id link reachable in_band"
KNOWN_HMC = "address name node_id first_seen last_up"
FINDING = "fault side since evidence subject sources advice grave"
DECISION = "kind remedy because unblock until shadow attempt"
REFUSAL = "guard because unblock until lasting"
LOG = "bytes_per_second messages side noisy_bytes skipped_bytes"
STREAK = "about subject count of unit span_seconds"
SPACE = "path size free"
ATTEMPT = "id remedy fault subject episode begun_at ended_at outcome shadow by because"


def document(view: View, settings: Settings, shown: Shown, extra: Mapping[str, Any]) -> Document:
    """What `status --json` and `plan --json` say of one look; every string in it is safe to print, every value plain JSON."""
    snapshot, history = view.snapshot, view.history
    growth = snapshot.logs.value if snapshot else None
    decisions, known = [_decision_facts(decision, snapshot) for decision in view.decisions], view.cluster()
    told: Document = plain({
        "look_seconds": settings.cadence.look.total_seconds(),
        "timeout_seconds": settings.timeout.total_seconds(),
        "why": [],
        "events": [],
        **extra,
        "schema": 1,
        "verdict": view.verdict,
        "because": view.because,
        "mode": settings.mode,
        "taken_at": view.taken_at,
        "next_look": view.next_look,
        "started_at": history.started_at,
        "subsystems": _subsystem_facts(snapshot, view.findings),
        "hmcs": [_hmc_facts(hmc, history) for hmc in (snapshot.hmcs if snapshot else ())],
        "known_hmcs": each(history.known, KNOWN_HMC),
        "cluster": {
            "state": known.state,
            "recycle": "allowed" if known.recycle else "forbidden",
            "recfgct": "allowed" if known.recfgct else "forbidden",
            "evidence": "; ".join((RMC_IS_SILENT,) if _only_silence_forbids(snapshot, known) else known.evidence),
        },
        "findings": each(view.findings, FINDING),
        "streaks": _streaks(view, settings),
        "gaps": each(snapshot.gaps if snapshot else (), "about because"),
        "decision": decisions[0],
        "decisions": decisions,
        "log": _log_facts(growth, settings),
        "var": row(snapshot.var.value, SPACE) if snapshot and snapshot.var.value else None,
        "pause": row(history.pause, "until reason by") if history.pause else None,
        "episode": history.episode.id if history.episode else None,
        "episode_since": history.episode.opened_at if history.episode else None,
        "splay_from": history.splay_from,
        "crash_loop": history.crash_loop,
        "maintenance": snapshot.maintenance if snapshot else False,
        "budgets": _budget_facts(view, settings),
        "attempts": each(history.attempts[-10:], ATTEMPT),
    }, shown)
    return told


def _only_silence_forbids(seen: Optional[Snapshot], known: ClusterVerdict) -> bool:
    """What allows recycle is no reason for what is forbidden while RMC does not answer."""
    answers = seen is not None and seen.state_of("ctrmc") is State.ACTIVE and seen.status.seen
    return known.state == "absent" and known.recycle and not known.recfgct and not answers


def row(noun: object, names: str) -> Document:
    # Interned: Python's cache of attributes keeps each string that asked for one, thousands of them, were they not the same.
    return {name: getattr(noun, name) for name in map(intern, names.split())}


def each(nouns: Iterable[object], names: str) -> List[Document]:
    return [row(noun, names) for noun in nouns]


def _subsystem_facts(snapshot: Optional[Snapshot], findings: Tuple[Finding, ...]) -> Document:
    """Every row that lssrc showed; a required one it did not show is unknown, not inoperative. `since` one is not active that
    should be, by the finding."""
    rows = (snapshot.subsystems.value or {}) if snapshot else {}
    expected = snapshot.expected if snapshot else {}
    since = {_subsystem_of(finding): finding.since for finding in reversed(findings)}
    facts: Document = {
        name: {"state": "unknown", "pid": None, "expected": need, "since": None} for name, need in expected.items()
    }
    for name, seen in rows.items():
        need = expected.get(name, "on-demand")
        lost = None if seen.state is State.ACTIVE else since.get(name)
        facts[name] = {"state": seen.state, "pid": seen.pid, "expected": need, "since": lost}
    return facts


def _subsystem_of(finding: Finding) -> str:
    """The subsystem that a finding is about; "" is none."""
    if finding.fault in (Fault.RMC_DOWN, Fault.RMC_STOPPED, Fault.RMC_HUNG):
        return "ctrmc"
    return finding.subject if finding.fault is Fault.MANAGER_DOWN else ""


def _hmc_facts(hmc: Hmc, history: History) -> Document:
    return {**row(hmc, HMC), "since": _lost_since(hmc, history), "answering_since": history.answering_since.get(hmc.address)}


def _lost_since(hmc: Hmc, history: History) -> Optional[datetime]:
    """When a link that is not up was last seen up; since when one that is up has been is not remembered."""
    return None if hmc.link is Link.UP else history.last_up.get(hmc.address)


def _streaks(view: View, settings: Settings) -> List[Document]:
    """What is counted towards a threshold, where any was counted; a grace counts from its first look on."""
    history, flapping = view.history, settings.faults.flapping
    counted: List[Tuple[Any, ...]] = [
        ("hung looks", "ctrmc", history.hung_looks, settings.faults.hung, "looks", None),
        ("looks without an HMC", "", history.empty_looks, EMPTY_LOOKS, "looks", None),
    ]
    counted += [("link changes", address, count, flapping.times, "changes", flapping.span.total_seconds())
                for address, count in sorted(history.link_changes.items())]
    counted += [("grace", finding, *passed, "seconds", None) for finding, passed in _graces(view, settings)]
    return [dict(zip(STREAK.split(), streak)) for streak in counted if streak[2] > 0 or streak[0] == "grace"]


def _graces(view: View, settings: Settings) -> Iterable[Tuple[str, Tuple[float, float]]]:
    """Of each finding whose remedy waits for its grace: how much of it is over, and how much there is."""
    for decision in view.decisions:
        sighting = view.history.sightings.get(decision.finding.key) if decision.finding else None
        if decision.kind is not Kind.WAIT or decision.remedy is None or decision.until is None or sighting is None:
            continue
        policy, grace = settings.remedies[decision.remedy.value], decision.until - sighting.since
        if grace in (policy.grace, policy.cause_unknown, policy.after_stop):
            yield sighting.key, ((view.taken_at - sighting.since).total_seconds(), grace.total_seconds())


def _log_facts(growth: Optional[LogGrowth], settings: Settings) -> Document:
    storm: Document = {"storm_bytes": settings.log.storm.bytes, "storm_seconds": settings.log.storm.within.total_seconds()}
    if growth is None:
        return {"bytes_per_second": None, "messages": {}, "side": "unknown", "var_full_seconds": None, **storm}
    full = growth.var_full_in
    return {**row(growth, LOG), "var_full_seconds": None if full is None else full.total_seconds(), **storm}


def _decision_facts(decision: Decision, snapshot: Optional[Snapshot]) -> Document:
    finding = decision.finding
    return {
        **row(decision, DECISION),
        "fault": finding.fault if finding else None,
        "subject": finding.subject if finding else "",
        "refused_by": list(dict.fromkeys(refusal.guard for refusal in decision.refused_by)),
        "refusals": [{**row(refusal, REFUSAL), "evidence_at": _evidence_at(refusal.guard, snapshot)}
                     for refusal in decision.refused_by],
    }


def _evidence_at(guard: str, snapshot: Optional[Snapshot]) -> Optional[datetime]:
    """When what a guard goes by was told; None: it goes by the look itself, or its sentence tells the age (the cluster's)."""
    if snapshot is None:
        return None
    facts: Mapping[str, Fact[Any]] = {
        "migration": snapshot.busy.migration, "busy": snapshot.busy.processes, "var-full": snapshot.var,
    }
    return facts[guard].at if guard in facts else None


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
             "times": budget.times, "span_seconds": budget.span.total_seconds(), "shadow": shadow}
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
