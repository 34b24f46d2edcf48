"""Text that fits a terminal: clean, wrapped, in labelled paragraphs; and how a document is read, whatever is in it."""
from __future__ import annotations

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import Any, Dict, List, Mapping, Optional, Sequence

    Document = Dict[str, Any]

LONGEST_TEXT = 1000                       # of one string in a document
LONGEST_PARAGRAPH = 12                    # lines
ROWS_SHOWN = 8                            # of one kind on the screen
LABEL = 14                                # columns before the text, colon and blank included
NARROWEST = 40
LARGEST = 1e18                            # longer than any clock's or disk's number
WIDEST = 39                               # column of a table: an IPv6 address
GAP = "  "                                # between the columns of a table
MAINTENANCE, REMOVE_FILE = "maintenance", "remove that file"
POLICY_LINES = ("mode: ", "remedies.")    # advice that is a line of the configuration
KEEP_STOPPED = "to keep it stopped: rmcagent pause --for 8h --reason WHY"
HOLDS = (                                 # what the document says, and the guard, its reason and what unblocks it
    ("maintenance", MAINTENANCE, "a file `maintenance` stands beside the configuration", REMOVE_FILE),
    ("crash_loop", "crash-loop", "the agent itself crashed repeatedly and only observes",
     "one quiet hour; report the traceback in the log"),
)


class Screen:
    """Lines of ASCII that never exceed the columns, in which nothing need be said twice; owns the lines."""

    def __init__(self, columns: int = 80, colour: int = 0) -> None:
        self.columns = max(columns, NARROWEST)
        self.colour = colour
        self.lines: List[str] = []
        self.said = ""

    def head(self, title: str, because: str) -> None:
        """The first line: `* title: because`, with the title coloured."""
        lines = wrapped(f"{title}: {because}" if because else title, self.columns - 2)
        if self.colour and lines[0].startswith(title):
            lines[0] = f"\x1b[{self.colour}m{title}\x1b[0m{lines[0][len(title):]}"
        self.lines += [("* " if at == 0 else "  ") + line for at, line in enumerate(lines)]
        self.said += f"{because}\n"

    def rows(self, label: str, texts: Sequence[str]) -> None:
        """A paragraph each, of which the first is labelled; nothing where there is nothing to say."""
        for text in few([text for text in texts if text]):
            for line in wrapped(text, self.columns - LABEL):
                self.line(label, line)
                label = ""
            self.said += f"{text}\n"

    def lined(self, label: str, texts: Sequence[str]) -> None:
        """A line each, whatever is too long is cut."""
        for text in texts:
            self.line(label, cut(ascii_of(text), self.columns - LABEL))
            label = ""

    def table(self, label: str, heading: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """The heading and a line each; columns as wide as they must be, without those in which nothing stands."""
        shown = [[cut(ascii_of(cell), WIDEST) for cell in row] for row in (heading, *rows[:ROWS_SHOWN])]
        filled = [at for at in range(len(heading)) if any(row[at] for row in shown[1:])]
        widths = {at: max(len(row[at]) for row in shown) for at in filled}
        lines = [GAP.join(row[at].ljust(widths[at]) for at in filled) for row in shown]
        more = [f"and {len(rows) - ROWS_SHOWN} more"] if len(rows) > ROWS_SHOWN else []
        self.lined(label, [*lines, *more] if rows else [])

    def line(self, label: str, text: str) -> None:
        self.lines.append(((f"{label}: " if label else "").rjust(LABEL) + text).rstrip())

    def unsaid(self, text: str) -> str:
        """The text, or "" where the screen has said just that already."""
        return "" if text in self.said else text

    def text(self) -> str:
        return "\n".join(self.lines) + "\n"


def wrapped(text: str, width: int) -> List[str]:
    """At least one line, of at most `width` ASCII characters; a text longer than half a screen is cut."""
    lines = [""]
    for word in ascii_of(cut(text, width * LONGEST_PARAGRAPH + 1)).split():
        while word:
            line = f"{lines[-1]} {word}".lstrip()
            if len(line) <= width:
                lines[-1], word = line, ""
            elif lines[-1]:
                lines.append("")
            else:
                lines[-1], word = word[:width], word[width:]
    if len(lines) > LONGEST_PARAGRAPH:
        lines[LONGEST_PARAGRAPH - 1:] = [f"{lines[LONGEST_PARAGRAPH - 1][:width - 4]} ..."]
    return lines


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most - 3] + "..."


def ascii_of(text: str) -> str:
    """The text with all but printable ASCII escaped: for a terminal in the C locale, and a damaged file may hold anything."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if " " <= letter <= "~" else escaped(letter) for letter in text)


def clean(text: str, most: int = LONGEST_TEXT) -> str:
    r"""Text from outside, fit for a terminal and a log: what does not print (control, bidi, surrogate) as \xNN or \uNNNN."""
    text = cut(text, most)
    return text if text.isprintable() else "".join(letter if letter.isprintable() else escaped(letter) for letter in text)


def escaped(letter: str) -> str:
    number = ord(letter)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


# ---- reading a document: one of another version, or a damaged one, shows less and never fails

def leading(document: Mapping[str, Any]) -> Document:
    """The decision about the gravest finding."""
    return (rows_of(document, "decisions") or [table_of(document, "decision")])[0]


def rows_of(table: Mapping[str, Any], key: str) -> List[Document]:
    """The tables in the list under `key`."""
    value = table.get(key)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def table_of(table: Mapping[str, Any], key: str) -> Document:
    value = table.get(key)
    return value if isinstance(value, dict) else {}


def text_of(table: Mapping[str, Any], key: str) -> str:
    """The string under `key`; whatever else stands there is none."""
    value = table.get(key)
    return value if isinstance(value, str) else ""


def number_of(table: Mapping[str, Any], key: str) -> Optional[float]:
    """The number under `key`, where it is one that can be counted with."""
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if abs(value) < LARGEST else None      # what is not a number compares false as well


def texts_of(table: Mapping[str, Any], key: str) -> List[str]:
    """The strings under `key`, be it one or a list."""
    value = table.get(key)
    return [text for text in (value if isinstance(value, list) else [value]) if text and isinstance(text, str)]


def few(texts: List[str], most: int = ROWS_SHOWN) -> List[str]:
    return texts if len(texts) <= most else [*texts[:most - 1], f"and {len(texts) - most + 1} more"]


def length_of(seconds: float) -> str:
    """90 s, 12 m, 24 h, 30 d: rounded down to the largest unit of which there are two."""
    unit, size = next((pair for pair in (("d", 86400), ("h", 3600), ("m", 60)) if seconds >= 2 * pair[1]), ("s", 1))
    return f"{int(seconds // size)} {unit}"


def time_of(moment: str, document: Mapping[str, Any]) -> str:
    """The time of day where the day and offset are those of the look; all of it elsewhere."""
    taken = text_of(document, "taken_at") or text_of(document, "at")
    same = len(moment) == len(taken) >= 19 and (moment[:10], moment[19:]) == (taken[:10], taken[19:])
    return moment[11:19] if same else moment


def words(table: Mapping[str, Any], keys: str) -> str:
    return " ".join(filter(None, (text_of(table, key) for key in keys.split())))


def phrase(decision: Document, document: Document) -> str:
    """What is done, and when: `start is due at 12:01:28`; where something holds it, that it is held."""
    kind, remedy, until = (text_of(decision, key) for key in ("kind", "remedy", "until"))
    at, shadow = time_of(until, document) if until else "", ", in shadow only" if decision.get("shadow") is True else ""
    if kind == "escalate":
        return "a human is needed" + (f"; tried again at {at}" if at else "") + shadow
    if kind != "wait" or not remedy:
        return f"{kind} {remedy}".strip() + (f" until {at}" if at else "") + shadow
    if isinstance(decision.get("attempt"), int):
        return f"{remedy} " + (f"is judged at {at}" if at else "is under way") + shadow
    if {text_of(refusal, "guard") for refusal in rows_of(decision, "refusals")} - {"splay"}:
        return f"{remedy} is held" + (f" until {at}" if at else "") + shadow
    return f"{remedy} " + (f"is due at {at}" if at else "waits") + shadow


def decisive(document: Document) -> Document:
    """The decision that made the verdict: the one whose finding, or reason, the verdict's sentence is."""
    said = text_of(document, "because")
    return next((one for one in rows_of(document, "decisions")
                 if said in (text_of(one, "because"), text_of(finding_of(one, document), "evidence"))), leading(document))


def finding_of(decision: Document, document: Document) -> Document:
    """What a decision is about."""
    about = words(decision, "fault subject")
    return next((finding for finding in rows_of(document, "findings") if about == words(finding, "fault subject")), {})


def meanwhile(document: Document) -> str:
    """What is wrong beneath a pause."""
    first = next(iter(rows_of(document, "findings")), {})
    said = ": ".join(filter(None, (words(first, "fault subject"), text_of(first, "evidence"))))
    return f"; meanwhile {said}" if said and text_of(document, "verdict") == "paused" else ""


def holds(document: Document) -> List[Document]:
    """What holds every remedy though nothing need be wrong, as refusals; a pause has a verdict of its own."""
    return [dict(zip(("guard", "because", "unblock"), hold[1:])) for hold in HOLDS if document.get(hold[0]) is True]


def though_held(document: Document) -> str:
    """What a verdict that is none of a hold's must not keep quiet."""
    told = [f"no remedy begins, held by {text_of(hold, 'guard')} -> {advised(text_of(hold, 'unblock'), document)}"
            for hold in holds(document)[:1]]
    return "".join(f"; but {text}" for text in told if text_of(document, "verdict") == "healthy")


def in_shadow(decision: Document, document: Document) -> str:
    """What must be known of remedies that were tried: that none was run."""
    tried = text_of(decision, "kind") in ("escalate", "refuse") and text_of(document, "mode") == "shadow"
    return " (in shadow: none is run)" if tried else ""


def keep_stopped(decision: Document) -> List[str]:
    """How what an operator stopped stays so, where its start is due."""
    planned = text_of(decision, "kind") in ("wait", "apply") and text_of(decision, "remedy") == "start"
    planned = planned and decision.get("shadow") is not True and not rows_of(decision, "refusals")
    return [KEEP_STOPPED] if planned and text_of(decision, "fault") == "rmc-stopped" else []


def advised(text: str, document: Mapping[str, Any]) -> str:
    """Advice with the names that only whoever shows it knows: `config` is the configuration's path."""
    path = text_of(document, "config")
    if text == REMOVE_FILE:
        file = text_of(document, "maintenance_file") or (f"{path.rpartition('/')[0]}/{MAINTENANCE}" if path else "")
        return f"remove {file}" if file else REMOVE_FILE
    if text.startswith(POLICY_LINES):
        return f"{text} in {path or 'the configuration'}, then rmcagent reload"
    return text
