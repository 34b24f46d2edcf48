"""What `plan` and `why` print: what is or was decided, on what grounds, and what would change it."""
from __future__ import annotations

from rmcagent.show.codes import plan_code
from rmcagent.show.screen import Screen, leading, sentences, words
from rmcagent.show.status import cluster, findings, phrase, refusals, taken, what_next

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Sequence

    Document = Dict[str, Any]


def plan_text(document: Document, columns: int = 80, colour: bool = False) -> str:
    """What would be done now, and why or why not."""
    code, first = plan_code(document), leading(document)
    title = {0: "nothing to do", 13: "cannot tell"}.get(code) or phrase(first, document)
    screen = Screen(columns, {0: 32, 10: 33, 11: 31, 13: 35}[code] if colour else 0)
    screen.head(f"plan: {title}", first.get("because") if code in (10, 11) else document.get("because"))
    screen.rows("Taken", taken(document))
    screen.rows("Findings", findings(document))
    what_next(screen, document)
    screen.rows("Cluster", cluster(document))
    screen.rows("Not told", sentences(document.get("gaps")))
    return screen.text()


def why_text(entries: Sequence[Document], episode: Optional[str] = None, columns: int = 80) -> str:
    """The last decision, or all of one episode's (entries are oldest first), with what would have changed it; "" is none."""
    chosen = [entry for entry in entries if entry.get("episode") == episode] if episode else entries[-1:]
    return "\n".join(_reasons(entry, columns) for entry in chosen)


def _reasons(entry: Document, columns: int) -> str:
    screen = Screen(columns)
    screen.head(words(entry, "at episode"), words(entry, "fault subject kind remedy"))
    screen.rows("Because", sentences(entry.get("because")))
    screen.rows("Evidence", sentences(entry.get("evidence")))
    screen.rows("Held by", refusals(entry, "refused_by", entry))
    screen.rows("Alternatives", sentences(entry.get("alternatives")))
    screen.rows("Unblock", sentences(entry.get("unblock")))
    return screen.text()
