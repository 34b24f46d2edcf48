"""What a document is worth now: its age, whether anybody stands behind it; the exit codes that follow, and all others."""
from __future__ import annotations

from rmcagent.show.screen import leading, number_of, rows_of, table_of, text_of

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

    Document = Dict[str, Any]

STATUS_CODES = {"healthy": 0, "not-running": 3, "unknown": 4, "degraded": 150, "healing": 150, "needs-human": 151, "paused": 152,
                "blind": 153}
CHECK_CODES = {"healthy": 0, "degraded": 1, "healing": 1, "paused": 1, "needs-human": 2, "not-running": 2}
PLAN_CODES = {"rest": 0, "wait": 10, "apply": 10, "judge": 10, "refuse": 11, "escalate": 11}
# Of the other verbs.
DONE, FAILED, USAGE, NOT_PERMITTED, UNKNOWN, NOT_INSTALLED, INVALID, NOT_RUNNING = 0, 1, 2, 4, 4, 5, 6, 7
REFUSED, SPENT, BROKEN = 11, 12, 20

# What each code means: the manual and the README are made of these tables.
STATUS_EXITS = {0: "healthy", 1: "the daemon is dead and left its lock", 3: "not running",
                4: "unknown, or what was published is too old to be believed", 150: "degraded or healing", 151: "needs a human",
                152: "paused", 153: "blind"}
CHECK_EXITS = {0: "OK: healthy", 1: "WARNING: degraded, healing or paused", 2: "CRITICAL: needs a human, or not running",
               3: "UNKNOWN: anything else"}
PLAN_EXITS = {0: "there is nothing to do", 10: "a remedy would be run, waited for or judged",
              11: "a remedy would be refused, or a human called", 13: "it cannot be told"}
OTHER_EXITS = {
    DONE: "done",
    FAILED: "failed",
    USAGE: "wrong usage: an unknown verb or option, or a word too many",
    NOT_PERMITTED: "not permitted",
    NOT_INSTALLED: "RSCT is not installed (`rmcagent doctor`)",
    INVALID: "the configuration is invalid",
    NOT_RUNNING: "the daemon is not running",
    REFUSED: "refused by a guard (`rmcagent heal`)",
    SPENT: "the budget is spent (`rmcagent heal`)",
    BROKEN: "a rehearsal broke an invariant",
}


def unseen() -> Document:
    """What `status --json` says of a partition that nobody has looked at: every key is there for those who read them."""
    return {
        "schema": 1, "verdict": "not-running", "because": "nothing was published", "taken_at": None, "subsystems": {}, "hmcs": [],
        "cluster": {"state": "unknown", "recycle": "forbidden", "recfgct": "forbidden", "evidence": ""},
        "findings": [], "gaps": [],
        "decision": {"kind": "rest", "remedy": None, "because": "nobody looks", "refused_by": [], "unblock": "start rmcagent"},
        "decisions": [], "log": {"bytes_per_second": None, "messages": {}, "side": "unknown"},
    }


def stale(document: Document, age: Optional[float]) -> bool:
    """True when the look is older than three looks and one time-out, or its age cannot be told."""
    return age is None or abs(age) > longest_age(document)    # from the future: the clock was set back, nobody wrote since


def longest_age(document: Document) -> float:
    return 3 * (number_of(document, "look_seconds") or 0) + (number_of(document, "timeout_seconds") or 0)


def status_code(document: Optional[Document], alive: Optional[bool], age: Optional[float]) -> int:
    """The exit code of `status`: what the document says, unless nobody stands behind it any more."""
    if document is None or document.get("verdict") == "not-running":
        return 3
    if alive is False:
        return 1
    if stale(document, age):
        return 4
    return STATUS_CODES.get(str(document.get("verdict")), 4)


def check_code(document: Optional[Document], alive: Optional[bool], age: Optional[float]) -> int:
    """The exit code of `check`, as Nagios counts: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN."""
    if status_code(document, alive, age) in (1, 3):
        return 2                          # nobody looks
    if document is None or stale(document, age):
        return 3
    return CHECK_CODES.get(str(document.get("verdict")), 3)


def plan_code(document: Optional[Document]) -> int:
    """The exit code of `plan`, by the decision about the gravest finding; what is wrong beside a remedy under way is not hidden
    by it, and a daemon that sees more than one look can is heard."""
    if not document:
        return 13
    first = leading(document)
    under_way = first.get("attempt") is not None
    if under_way and any(PLAN_CODES.get(str(decision.get("kind"))) == 11 for decision in rows_of(document, "decisions")):
        return 11
    if first.get("kind") == "rest" and document.get("verdict") in ("unknown", "blind"):
        return 13
    if first.get("kind") == "rest" and wanted(document):
        return 11
    return PLAN_CODES.get(str(first.get("kind")), 13)


def wanted(document: Document) -> str:
    """Why a daemon whose look is fresh wants a human; "": it does not."""
    daemon = table_of(document, "daemon")
    asks = daemon.get("fresh") is True and daemon.get("verdict") == "needs-human"
    return text_of(daemon, "because") or "needs-human" if asks else ""


def as_of(document: Document, alive: Optional[bool], age: Optional[float]) -> Document:
    """The document as it must be read now: with its age, and where nobody stands behind it any more with another verdict, and
    `advice` on what to do about that."""
    now = dict(document, age_seconds=None if age is None else round(age))
    code = status_code(document, alive, age)
    if code == 3:
        now.setdefault("because", "the daemon was stopped")
        now.update(advice="start rmcagent")
    elif code == 1:
        because = f"the daemon (pid {number_of(document, 'pid') or 'unknown'}) ended without a clean stop"
        now.update(verdict="not-running", because=because, next_look=None, advice="start rmcagent, and see why it ended")
    elif code == 4 and stale(document, age):
        because = "the last look is too old: the daemon hangs, or cannot write what it sees"
        now.update(verdict="unknown", because=because, next_look=None, advice="restart rmcagent, and see its log")
    return now
