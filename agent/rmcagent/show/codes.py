"""What a document is worth now: its age, whether anybody stands behind it, and the exit codes that follow."""
from __future__ import annotations

from rmcagent.show.screen import leading

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

    Document = Dict[str, Any]

STATUS_CODES = {"healthy": 0, "not-running": 3, "unknown": 4, "degraded": 150, "healing": 150, "needs-human": 151, "paused": 152,
                "blind": 153}
PLAN_CODES = {"rest": 0, "wait": 10, "apply": 10, "judge": 10, "refuse": 11, "escalate": 11}


def stale(document: Document, age: Optional[float]) -> bool:
    """True when the look is older than three looks and one time-out, or its age cannot be told."""
    look, timeout = document.get("look_seconds", 0), document.get("timeout_seconds", 0)
    return age is None or abs(age) > 3 * look + timeout       # from the future: the clock was set back, nobody wrote since


def status_code(document: Optional[Document], alive: Optional[bool], age: Optional[float]) -> int:
    """The exit code of `status`: what the document says, unless nobody stands behind it any more."""
    if document is None or document.get("verdict") == "not-running":
        return 3
    if alive is False:
        return 1
    if stale(document, age):
        return 4
    return STATUS_CODES.get(str(document.get("verdict")), 4)


def plan_code(document: Optional[Document]) -> int:
    """The exit code of `plan`, by the gravest finding about which anything is to be decided."""
    if not document:
        return 13
    first = leading(document)
    if first.get("kind") == "rest" and document.get("verdict") in ("unknown", "blind"):
        return 13
    return PLAN_CODES.get(str(first.get("kind")), 13)


def as_of(document: Document, alive: Optional[bool], age: Optional[float]) -> Document:
    """The document as it must be read now: with its age, and another verdict where nobody stands behind it any more."""
    now = dict(document, age_seconds=None if age is None else round(age))
    code = status_code(document, alive, age)
    if code == 3:
        now.setdefault("because", "the daemon was stopped")
    elif code == 1:
        because = f"the daemon (pid {document.get('pid')}) ended without a clean stop"
        now.update(verdict="not-running", because=because, next_look=None)
    elif code == 4 and stale(document, age):
        now.update(verdict="unknown", because="the last look is too old: the daemon hangs, or cannot write what it sees")
    return now
