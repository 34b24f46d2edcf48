"""What is printed of a look: facts -> text, JSON and exit codes. Pure; a module is loaded when one of its names is asked for."""
from __future__ import annotations

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import Any

    from rmcagent.show.check import check_text
    from rmcagent.show.codes import CHECK_CODES, PLAN_CODES, STATUS_CODES, as_of, check_code, plan_code, stale, status_code
    from rmcagent.show.facts import MOST_ROWS, Document, document, each, plain, row
    from rmcagent.show.plan import plan_text, why_entries, why_text
    from rmcagent.show.screen import LONGEST_PARAGRAPH, LONGEST_TEXT, NARROWEST, ROWS_SHOWN, Screen, advised, clean
    from rmcagent.show.status import brief_text, status_text

__all__ = (
    "CHECK_CODES", "PLAN_CODES", "STATUS_CODES", "as_of", "check_code", "plan_code", "stale", "status_code",
    "LONGEST_PARAGRAPH", "LONGEST_TEXT", "NARROWEST", "ROWS_SHOWN", "Screen", "advised", "clean",
    "brief_text", "status_text", "plan_text", "why_entries", "why_text", "check_text",
    "MOST_ROWS", "Document", "document", "each", "plain", "row",
)


def __getattr__(name: str) -> Any:
    """The name from its module: who prints a screen must not load what makes the document."""
    if name in ("LONGEST_PARAGRAPH", "LONGEST_TEXT", "NARROWEST", "ROWS_SHOWN", "Screen", "advised", "clean"):
        from rmcagent.show import screen

        return getattr(screen, name)
    if name in ("brief_text", "status_text"):
        from rmcagent.show import status

        return getattr(status, name)
    if name in ("plan_text", "why_entries", "why_text"):
        from rmcagent.show import plan

        return getattr(plan, name)
    if name == "check_text":
        from rmcagent.show import check

        return check.check_text
    if name in ("MOST_ROWS", "Document", "document", "each", "plain", "row"):
        from rmcagent.show import facts

        return getattr(facts, name)
    if name in __all__:
        from rmcagent.show import codes

        return getattr(codes, name)
    raise AttributeError(f"module {__name__} has no {name}")
