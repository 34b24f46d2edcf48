"""Text that fits a terminal: clean, wrapped, in labelled paragraphs; and how a document is read, whatever is in it."""
from __future__ import annotations

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import Any, Dict, List, Mapping

    Document = Dict[str, Any]

LONGEST_TEXT = 1000                       # of one string in a document
LONGEST_PARAGRAPH = 12                    # lines
ROWS_SHOWN = 8                            # of one kind on the screen
LABEL = 14                                # columns before the text, colon and blank included
NARROWEST = 40


class Screen:
    """Lines of ASCII that never exceed the columns; owns the lines."""

    def __init__(self, columns: int = 80, colour: int = 0) -> None:
        self.columns = max(columns, NARROWEST)
        self.colour = colour
        self.lines: List[str] = []

    def head(self, title: str, because: Any) -> None:
        """The first line: `* title: because`, with the title coloured."""
        lines = wrapped(f"{title}: {because}" if because else title, self.columns - 2)
        if self.colour and lines[0].startswith(title):
            lines[0] = f"\x1b[{self.colour}m{title}\x1b[0m{lines[0][len(title):]}"
        self.lines += [("* " if at == 0 else "  ") + line for at, line in enumerate(lines)]

    def rows(self, label: str, texts: List[str]) -> None:
        """A paragraph each, of which the first is labelled; nothing where there is nothing to say."""
        for text in few([text for text in texts if text]):
            for line in wrapped(text, self.columns - LABEL):
                self.lines.append((f"{label}: " if label else "").rjust(LABEL) + line)
                label = ""

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines) + "\n"


def wrapped(text: str, width: int) -> List[str]:
    """Lines of at most `width` ASCII characters (a damaged file may hold others); a text longer than half a screen is cut."""
    from textwrap import wrap

    ascii_only = "".join(letter if " " <= letter <= "~" else escaped(letter) for letter in text)
    return wrap(ascii_only, width, break_on_hyphens=False, max_lines=LONGEST_PARAGRAPH, placeholder=" ...") or [""]


def clean(text: str, most: int = LONGEST_TEXT) -> str:
    r"""Text from outside, fit for a terminal and a log: what does not print (control, bidi, surrogate) as \xNN or \uNNNN."""
    if len(text) > most:
        text = text[:most - 3] + "..."
    return text if text.isprintable() else "".join(letter if letter.isprintable() else escaped(letter) for letter in text)


def escaped(letter: str) -> str:
    number = ord(letter)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


# ---- reading a document, whatever is in it

def leading(document: Document) -> Document:
    return (rows_of(document, "decisions") or [table_of(document, "decision")])[0]


def rows_of(document: Mapping[str, Any], key: str) -> List[Document]:
    """The tables in the list under `key`; a file of another version, or a damaged one, shows less but never fails."""
    value = document.get(key)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def table_of(document: Mapping[str, Any], key: str) -> Document:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def few(texts: List[str], most: int = ROWS_SHOWN) -> List[str]:
    return texts if len(texts) <= most else [*texts[:most - 1], f"and {len(texts) - most + 1} more"]


def length_of(seconds: float) -> str:
    """90 s, 12 m, 24 h, 30 d: rounded down to the largest unit of which there are two."""
    unit, size = next((pair for pair in (("d", 86400), ("h", 3600), ("m", 60)) if seconds >= 2 * pair[1]), ("s", 1))
    return f"{int(seconds // size)} {unit}"


def time_of(moment: Any, document: Document) -> str:
    """The time of day where the day and offset are those of the look; all of it elsewhere."""
    text, taken = str(moment), str(document.get("taken_at") or document.get("at"))
    return text[11:19] if len(text) == len(taken) >= 19 and (text[:10], text[19:]) == (taken[:10], taken[19:]) else text


def sentences(value: Any) -> List[str]:
    """Strings as they are, tables as their values: a gap's are `about: because`."""
    items = value if isinstance(value, (list, tuple)) else [value] if value else []
    return [": ".join(str(part) for part in item.values() if part) if isinstance(item, dict) else str(item) for item in items]


def words(row: Document, keys: str) -> str:
    return " ".join(str(row[key]) for key in keys.split() if row.get(key))
