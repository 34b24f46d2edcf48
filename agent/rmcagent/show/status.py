"""What `status` prints: one screen, the verdict first; and the paragraphs that it shares with `plan`."""
from __future__ import annotations

from rmcagent.show.screen import ROWS_SHOWN, Screen, few, leading, length_of, rows_of, sentences, table_of, time_of, words

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import Any, Dict, List

    Document = Dict[str, Any]

COLOURS = {"healthy": 32, "degraded": 33, "healing": 33, "paused": 33, "needs-human": 31, "not-running": 31}
MODES = {"shadow": "decides and records, runs no remedy", "observe": "looks and reports, decides nothing",
         "crash loop": "the agent itself crashed repeatedly; it only observes until an hour was quiet"}


def status_text(document: Document, columns: int = 80, colour: bool = False) -> str:
    """One screen: the verdict first, then what it rests on, what comes next, and what could not be told."""
    verdict = str(document.get("verdict", "unknown"))
    mode, pause = "crash loop" if document.get("crash_loop") else str(document.get("mode")), table_of(document, "pause")
    screen = Screen(columns, COLOURS.get(verdict, 35) if colour else 0)
    screen.head(f"rmcagent: {verdict}", document.get("because"))
    screen.rows("Taken", taken(document))
    screen.rows("Mode", [f"{mode}: {MODES[mode]}"] if mode in MODES else [])
    screen.rows("Paused", [f"until {time_of(pause.get('until'), document)}: {pause.get('reason')}"] if pause else [])
    screen.rows("Subsystems", [", ".join(few(_subsystems(document), 2 * ROWS_SHOWN))])
    screen.rows("HMCs", _hmcs(document))
    screen.rows("Cluster", cluster(document))
    screen.rows("Findings", findings(document))
    what_next(screen, document)
    screen.rows("Not told", sentences(document.get("gaps")))
    screen.rows("Budgets left", ["; ".join(_budget(remedy, document) for remedy in sorted(table_of(document, "budgets")))])
    return screen.text()


def taken(document: Document) -> List[str]:
    ago = f", {length_of(document['age_seconds'])} ago" if (document.get("age_seconds") or 0) > 0 else ""
    then = f"; next look {time_of(document['next_look'], document)}" if document.get("next_look") else ""
    return [f"{document.get('taken_at')}{ago}{then}"]


def _subsystems(document: Document) -> List[str]:
    """Those that should run, ctrmc first, and others only while they are in transition."""
    rows = table_of(document, "subsystems")
    told = []
    for name in sorted(rows, key=lambda name: (name != "ctrmc", name)):
        row = table_of(rows, name)
        if name == "ctrmc" or row.get("expected") == "required" or row.get("state") not in ("active", "inoperative"):
            told.append(f"{name} {row.get('state')}" + (f" (pid {row['pid']})" if row.get("pid") else ""))
    return told


def _hmcs(document: Document) -> List[str]:
    answers = {"True": "answers", "False": "does not answer"}
    return [
        f"{words(hmc, 'address name')} {hmc.get('link')}, "
        + ("through the hypervisor" if hmc.get("in_band") else answers.get(str(hmc.get("reachable")), "not asked"))
        for hmc in rows_of(document, "hmcs")
    ]


def cluster(document: Document) -> List[str]:
    told = table_of(document, "cluster")
    said = f"{told.get('state')}; recycle {told.get('recycle')}, recfgct {told.get('recfgct')}"
    calm = "forbidden" not in said and told.get("state") == "absent"
    return [said if calm or not told.get("evidence") else f"{said}: {told['evidence']}"] if told else []


def findings(document: Document) -> List[str]:
    return [
        f"{words(finding, 'fault subject')} ({finding.get('side')})"
        + (f" since {time_of(finding['since'], document)}" if finding.get("since") else "")
        + f": {finding.get('evidence')}"
        + (f" -> {finding['advice']}" if finding.get("advice") else "")
        for finding in rows_of(document, "findings")
    ]


def what_next(screen: Screen, document: Document) -> None:
    """The leading decision with all that holds it, the others in a line each."""
    first = leading(document)
    lines = [
        f"{words(decision, 'fault subject')}: ".lstrip(": ") + phrase(decision, document)
        + ("" if decision.get("refusals") and decision.get("kind") == "refuse" else f": {decision.get('because')}")
        for decision in rows_of(document, "decisions") if decision.get("kind") != "rest"
    ]
    screen.rows("Next", lines[:1])
    screen.rows("Held by", refusals(first, "refusals", document))
    screen.rows("Unblock", sentences(first.get("unblock")) if not first.get("refusals") else [])
    screen.rows("Besides", lines[1:])


def refusals(row: Document, key: str, document: Document) -> List[str]:
    told = rows_of(row, key)      # what would unblock several in a row stands once, after the last
    return [
        f"{refusal.get('guard')}: {refusal.get('because')}"
        + (f" -> {refusal['unblock']}" if refusal.get("unblock") not in ("", None, following.get("unblock")) else "")
        + (f" (until {time_of(refusal['until'], document)})" if refusal.get("until") else "")
        for refusal, following in zip(told, [*told[1:], {}])
    ]


def phrase(decision: Document, document: Document) -> str:
    kind = "a human is needed" if decision.get("kind") == "escalate" else words(decision, "kind remedy")
    until = f" until {time_of(decision['until'], document)}" if decision.get("until") else ""
    return kind + until + (", in shadow only" if decision.get("shadow") else "")


def _budget(remedy: str, document: Document) -> str:
    left = [
        f"{budget['times'] - budget['spent']} of {budget['times']} in {length_of(budget['span_seconds'])}"
        for budget in rows_of(table_of(document, "budgets"), remedy) if {"times", "spent", "span_seconds"} <= set(budget)
    ]
    return f"{remedy} {' and '.join(left)}"
