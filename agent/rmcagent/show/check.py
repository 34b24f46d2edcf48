"""What `check` prints: one line as the Nagios plug-in guidelines want it, verdict and advice, then figures after a bar."""
from __future__ import annotations

from rmcagent.show.codes import as_of, check_code, longest_age, stale
from rmcagent.show.screen import (
    advised,
    ascii_of,
    cut,
    decisive,
    escaped,
    few,
    finding_of,
    keep_stopped,
    meanwhile,
    number_of,
    phrase,
    rows_of,
    table_of,
    text_of,
    texts_of,
    though_held,
    time_of,
    words,
)

TYPE_CHECKING = False                     # typing's own would be an import that every check pays for
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    Document = Dict[str, Any]

LONGEST_LINE = 1024                       # bytes: what NRPE of old passes on
DOCTOR = "rmcagent doctor"                # tells what cannot be observed, and what mends that
GUARDS_SHOWN = 3
NAMES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")


def check_text(document: Optional[Document], alive: Optional[bool], age: Optional[float]) -> str:
    """`RMC WARNING: what is wrong -> what to do | figures`, one line of ASCII that never exceeds 1024 bytes."""
    absent: Document = {"verdict": "not-running", "because": "nothing was published, the daemon never ran here"}
    now = as_of(absent if document is None else document, alive, age)
    figures = " ".join(_figures(now, age)) if document is not None else ""
    return _line(f"RMC {NAMES[check_code(document, alive, age)]}: {_said(now)}", f" | {figures}" if figures else "")


def untold_text(because: str) -> str:
    """The line where not even a document could be read."""
    return _line(f"RMC UNKNOWN: {' '.join(because.split())}")


def _line(text: str, ending: str = "") -> str:
    """The text, cut to what the ending leaves of the longest line; the bar stands before the figures only."""
    room = LONGEST_LINE - len(ending) - 1
    return cut(ascii_of(cut(text, LONGEST_LINE)).replace("|", escaped("|")), room) + ending + "\n"


def _said(now: Document) -> str:
    """Verdict and finding, the one reason, and what comes next or is to be done; of a healthy one its sentence is enough."""
    verdict, because, decision = text_of(now, "verdict"), text_of(now, "because"), decisive(now)
    if verdict == "healthy":
        return (because or verdict) + though_held(now)
    fault = words(decision, "fault subject") if verdict in ("degraded", "healing", "needs-human") else ""
    until = text_of(table_of(now, "pause"), "until") if verdict == "paused" else ""
    head = f"{verdict} until {time_of(until, now)}" if until else verdict
    said = ": ".join(filter(None, (head, fault, because))) + meanwhile(now)
    said += "; in shadow, no remedy is run" if verdict in ("degraded", "needs-human") and text_of(now, "mode") == "shadow" else ""
    return " -> ".join([said, *_next(now, decision)])


def _next(now: Document, decision: Document) -> List[str]:
    verdict = text_of(now, "verdict")
    if "advice" in now:
        return texts_of(now, "advice")
    if verdict == "blind":
        return [DOCTOR]
    if verdict not in ("degraded", "healing", "needs-human"):
        return []
    if verdict != "needs-human" and text_of(decision, "kind") not in ("escalate", "refuse"):
        return _awaited(now, decision)
    # First what is harmless: the finding's own advice is about looking, the decision's may be a procedure.
    mends = "; ".join(advised(text, now) for text in texts_of(decision, "unblock"))
    first = [text for text in texts_of(finding_of(decision, now), "advice") if text not in mends]
    return ["; or ".join(filter(None, [*first, mends])) or "rmcagent plan"]


def _awaited(now: Document, decision: Document) -> List[str]:
    """What comes next; what holds it, and how that is mended, is the better answer."""
    held = [refusal for refusal in rows_of(decision, "refusals") if text_of(refusal, "guard") != "splay"]
    if not held:
        return [phrase(decision, now), *keep_stopped(decision)]
    until = text_of(decision, "until")
    guards = ", ".join(few(list(dict.fromkeys(text_of(refusal, "guard") for refusal in held)), GUARDS_SHOWN))
    mends = [text_of(refusal, "unblock") for refusal in held if not text_of(refusal, "unblock").startswith(("wait", "none"))]
    return [f"held by {guards}" + (f" until {time_of(until, now)}" if until else ""), *(advised(text, now) for text in mends[:1])]


def _figures(now: Document, age: Optional[float]) -> List[str]:
    """'label'=value[unit];warn;crit;min;max each; of a look that is too old, or nobody's, none but its age."""
    if age is None or text_of(now, "verdict") == "not-running":
        return []
    old = [f"'age'={max(age, 0):.0f}s;{longest_age(now):.0f};;0;"]
    if stale(now, age):
        return old
    hmcs, log = rows_of(now, "hmcs"), table_of(now, "log")
    links = [text_of(hmc, "link") for hmc in hmcs]
    up = "U" if "unknown" in links else links.count("up")       # U: could not be told, and so neither good nor bad
    left, most = _recycles(now)
    rate = number_of(log, "bytes_per_second")
    return [
        *old,
        f"'hmcs_up'={up};;;0;{len(hmcs)}",
        f"'hmcs'={len(hmcs)};;;0;",
        f"'findings'={len(rows_of(now, 'findings'))};;;0;",
        f"'gaps'={len(rows_of(now, 'gaps'))};;;0;",
        *([] if left is None else [f"'recycles_left'={left:.0f};;;0;{most:.0f}"]),
        *([] if rate is None else [f"'log_bytes_per_second'={rate:.1f};;;0;"]),
    ]


def _recycles(now: Document) -> Tuple[Optional[float], Optional[float]]:
    """How many recycles the tightest of their budgets leaves, and how many it allows."""
    pairs = []
    for budget in rows_of(table_of(now, "budgets"), "recycle"):
        times, spent = number_of(budget, "times"), number_of(budget, "spent")
        if times is not None and spent is not None:
            pairs.append((max(times - spent, 0), times))
    return min(pairs, default=(None, None))
