"""What `check` prints: one line as the Nagios plug-in guidelines want it, verdict and advice, then figures after a bar."""
from __future__ import annotations

from rmcagent.show.codes import as_of, check_code, longest_age, stale
from rmcagent.show.screen import (
    ascii_of,
    cut,
    escaped,
    leading,
    number_of,
    phrase,
    rows_of,
    table_of,
    text_of,
    texts_of,
    time_of,
    words,
)

TYPE_CHECKING = False                     # typing's own would be an import that every check pays for
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    Document = Dict[str, Any]

LONGEST_LINE = 1024                       # bytes: what NRPE of old passes on
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
    verdict, because, first = text_of(now, "verdict"), text_of(now, "because"), leading(now)
    if verdict == "healthy":
        return because or verdict
    fault = words(first, "fault subject") if verdict in ("degraded", "healing", "needs-human") else ""
    until = text_of(table_of(now, "pause"), "until") if verdict == "paused" else ""
    head = f"{verdict} until {time_of(until, now)}" if until else verdict
    said = ": ".join(filter(None, (head, fault, because)))
    return " -> ".join([said, *_next(now, first)])


def _next(now: Document, first: Document) -> List[str]:
    verdict = text_of(now, "verdict")
    if "advice" in now:
        return texts_of(now, "advice")
    if verdict in ("degraded", "healing"):
        return [phrase(first, now)]
    return [*texts_of(first, "unblock"), "rmcagent plan"][:1] if verdict == "needs-human" else []


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
