"""What `plan` and `why` print: what is or was decided, on what grounds, and what would change it."""
from __future__ import annotations

from rmcagent.show.codes import plan_code, wanted
from rmcagent.show.screen import (
    Screen,
    finding_of,
    in_shadow,
    leading,
    phrase,
    rows_of,
    table_of,
    text_of,
    texts_of,
    time_of,
    words,
)
from rmcagent.show.status import cluster, findings, gaps, held, refusals, taken, to_do, what_holds

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Sequence

    Document = Dict[str, Any]

LONGEST_SAID, LONGEST_REASON = 500, 300     # letters that an entry keeps of a sentence, and of an alternative or a refusal
PROBLEM_GONE = "RMCA2002N"
TRIED = "tried before"
GRAVE = ("refuse", "escalate")
COLOURS = {0: 32, 10: 33, 11: 31, 13: 35}


def plan_text(document: Document, columns: int = 80, colour: bool = False) -> str:
    """What would be done now, and why or why not."""
    code = plan_code(document)
    if code == 11:
        grave_first = sorted(rows_of(document, "decisions"), key=lambda one: one.get("kind") not in GRAVE)
        document = {**document, "decisions": grave_first}
    first = leading(document)
    screen = Screen(columns, COLOURS[code] if colour else 0)
    if code == 11 and text_of(first, "kind") == "rest":
        screen.head("plan: a human is needed", wanted(document))
    elif code in (10, 11):
        screen.head(f"plan: {phrase(first, document)}", _reason(first) + in_shadow(first, document))
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
    return [f"rmcagent status says {verdict}: {because}; this is one look more, and cannot know all that the daemon has seen"]


def why_entries(document: Document) -> List[Document]:
    """What was decided, oldest first, each with since when its episode is over; and last, where nothing was written of it, what
    is decided now."""
    stands = "advice" not in document       # else nobody knows what is over
    entries = [{**entry, "over": _over(entry, document) if stands else ""} for entry in rows_of(document, "why")]
    decision, episode = leading(document), text_of(document, "episode")
    rests = text_of(decision, "kind") == "rest"
    about = (episode, text_of(decision, "fault"), text_of(decision, "subject"))
    written = any(about == tuple(text_of(entry, key) for key in ("episode", "fault", "subject")) for entry in entries)
    if not stands or written or not decision or (rests and text_of(document, "verdict") not in ("blind", "unknown")):
        return entries
    now = {
        **decision, "at": text_of(document, "taken_at"), "episode": episode, "now": True,
        "refused_by": rows_of(decision, "refusals"),
        "evidence": text_of(finding_of(decision, document), "evidence"), "alternatives": [], "over": "",
        "because": text_of(document, "because") if rests else text_of(decision, "because"),
    }
    return [*entries, {**now, "unblock": "rmcagent doctor"} if rests else now]


def _over(entry: Document, document: Document) -> str:
    """Since when an entry's episode is over, as far as the last events tell; "": it is not."""
    episode = text_of(entry, "episode")
    if not episode or episode == text_of(document, "episode"):
        return ""
    ends = [text_of(event, "at") for event in rows_of(document, "events")
            if text_of(event, "code") == PROBLEM_GONE and f"episode={episode}" in text_of(event, "text").split()]
    return f"over since {time_of(ends[-1], entry)}" if ends else "over"


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
    head = phrase(entry, entry) if entry.get("now") is True else words(entry, "kind remedy")
    over, about = text_of(entry, "over"), words(entry, "at episode fault subject")
    title = " ".join(filter(None, (f"{over}:" if over else "", about, head)))
    screen.head(title, _ended(text_of(entry, "because"), LONGEST_SAID))
    screen.rows("Evidence", [screen.unsaid(_ended(text, LONGEST_SAID)) for text in texts_of(entry, "evidence")])
    screen.rows("Held by", refusals(screen, entry, "refused_by", entry))
    screen.rows("To do", to_do(screen, entry, entry))
    screen.rows("Alternatives", [screen.unsaid(text) for text in _alternatives(entry)])
    return screen.text()


def _alternatives(entry: Document) -> List[str]:
    """The other remedies and what speaks against each; an entry spells one `remedy: kind, because`. Its own remedy is none: what
    was said of that was asked again when it had begun."""
    told = []
    for text in texts_of(entry, "alternatives"):
        remedy, _, rest = _ended(text, LONGEST_REASON).partition(": ")
        if remedy == text_of(entry, "remedy"):
            continue
        kind, _, because = rest.partition(", ")
        tried, _, _ = because.partition("; ")
        if tried.startswith(TRIED):       # whether it would be due is no answer to that
            told.append(f"{remedy}: {tried}")
            continue
        for spelt in (f"{remedy} waits: ", f"{remedy} is held: "):
            because = because[len(spelt):] if because.startswith(spelt) else because
        told.append(f"{remedy}: {kind}, {because}".replace(f"; {remedy} is next", ""))
    return told


def _ended(text: str, most: int) -> str:
    """A text that was cut when it was written says so."""
    return text if len(text) < most else text[:most - 3] + "..."
