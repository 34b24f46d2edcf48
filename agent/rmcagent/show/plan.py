"""What `plan` and `why` print: what is or was decided, on what grounds, and what would change it."""
from __future__ import annotations

from rmcagent.show.codes import plan_code, wanted
from rmcagent.show.screen import Screen, leading, phrase, rows_of, table_of, text_of, texts_of, words
from rmcagent.show.status import cluster, findings, gaps, held, refusals, taken, to_do, what_holds

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Sequence

    Document = Dict[str, Any]

GRAVE = ("refuse", "escalate")
COLOURS = {0: 32, 10: 33, 11: 31, 13: 35}


def plan_text(document: Document, columns: int = 80, colour: bool = False) -> str:
    """What would be done now, and why or why not."""
    code = plan_code(document)
    document = {**document, "decisions": sorted(rows_of(document, "decisions"), key=lambda one: one.get("kind") not in GRAVE)}
    first = leading(document)
    screen = Screen(columns, COLOURS[code] if colour else 0)
    if code == 11 and text_of(first, "kind") == "rest":
        screen.head("plan: a human is needed", wanted(document))
    elif code in (10, 11):
        screen.head(f"plan: {phrase(first, document)}", _reason(first))
    else:
        screen.head("plan: nothing to do" if code == 0 else "plan: cannot tell", text_of(document, "because"))
    screen.rows("Taken", taken(document))
    screen.rows("Daemon", _daemon(document))
    screen.rows("Held", held(document))
    screen.rows("Findings", findings(screen, document))
    what_holds(screen, document)
    screen.rows("Cluster", cluster(screen, document))
    screen.rows("Not told", gaps(screen, document))
    return screen.text()


def _daemon(document: Document) -> List[str]:
    """That nobody would do this, or that the daemon, which has seen more than one look, says otherwise."""
    daemon = table_of(document, "daemon")
    verdict, because = text_of(daemon, "verdict"), text_of(daemon, "because")
    if not verdict or (daemon.get("fresh") is True and verdict == text_of(document, "verdict")):
        return []
    if daemon.get("fresh") is not True:
        return [f"{because}: nobody does this, and times are counted from this look, as if it were an agent's first"]
    return [f"rmcagent status says {verdict}: {because}; what takes more than one look to tell this one cannot know"]


def why_text(entries: Sequence[Document], episode: Optional[str] = None, columns: int = 80) -> str:
    """The last decision, or all of one episode's (entries are oldest first), with what would have changed it; "" is none."""
    chosen = [entry for entry in entries if entry.get("episode") == episode] if episode else entries[-1:]
    return "\n".join(_reasons(entry, columns) for entry in chosen)


def _reason(first: Document) -> str:
    """The one reason: of what holds a remedy the first that does not pass by itself, or the first that the decision names."""
    because, guards = text_of(first, "because"), rows_of(first, "refusals")
    lasting = [text_of(refusal, "because") for refusal in guards if refusal.get("lasting") is True]
    named = [text_of(refusal, "because") for refusal in guards if text_of(refusal, "because") in because]
    return next(filter(None, lasting + named), because)


def _reasons(entry: Document, columns: int) -> str:
    screen = Screen(columns)
    screen.head(words(entry, "at episode fault subject kind remedy"), text_of(entry, "because"))
    screen.rows("Evidence", [screen.unsaid(text) for text in texts_of(entry, "evidence")])
    screen.rows("Held by", refusals(screen, entry, "refused_by", entry))
    screen.rows("To do", to_do(screen, entry, entry))
    screen.rows("Alternatives", [screen.unsaid(text) for text in texts_of(entry, "alternatives") if not _is_it(text, entry)])
    return screen.text()


def _is_it(alternative: str, entry: Document) -> bool:
    """Whether an alternative, which is spelt `remedy: kind, because`, is the decision itself."""
    return alternative.startswith(f"{text_of(entry, 'remedy')}: {text_of(entry, 'kind')}, ")
