"""mdoc(7): prose with `literals` in it -> the lines of a page; nothing here knows what a page is about."""
from __future__ import annotations

import re
import textwrap
from typing import Iterable, Iterator, List, Mapping, Sequence, Tuple

from rmcagent import __version__

WIDTH = 78
CLOSING, OPENING = ".,:;)?!", "("
ESCAPES = {"\\": "\\e", "-": "\\-", '"': "\\(dq", "'": "\\(aq", "~": "\\(ti", "^": "\\(ha", "`": "\\(ga"}


def prose(text: str) -> List[str]:
    """The text a sentence a line, wrapped; what stands in backticks is a path, a variable or else a command."""
    lines: List[str] = []
    for sentence in re.split(r"(?<=[.?!]) +(?=[A-Z`(])", " ".join(text.split())):
        lines += _sentence(sentence)
    return lines


def _sentence(text: str) -> Iterator[str]:
    plain, *rest = text.split("`")
    assert not len(rest) % 2, f"a backtick is missing: {text}"
    opening = ""
    for literal, after in zip(["", *rest[::2]], [plain, *rest[1::2]]):
        if literal:
            marks = re.match(f"[{CLOSING}]*", after)
            assert marks and after[marks.end():][:1] in ("", " "), f"something is glued to {literal!r}: {text}"
            yield macro(_kind(literal), literal, opening, marks.group())
            after = after[marks.end():]
        opening = OPENING if after.endswith(OPENING) else ""
        yield from wrapped(after[:-1] if opening else after)


def _kind(literal: str) -> str:
    if re.fullmatch(r"\$?[A-Z][A-Z_0-9]+", literal):
        return "Ev"
    return "Pa" if literal.startswith("/") else "Ic"


def wrapped(text: str) -> List[str]:
    """Running text in lines that fit, none of which is taken for a macro."""
    lines = textwrap.wrap(text.strip().replace("\\", "\\e"), WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"\\&{line}" if line[0] in ".'" else line for line in lines]


def macro(name: str, words: str, opening: str = "", closing: str = "") -> str:
    """One macro and its words, none of which is taken for another macro."""
    return " ".join([f".{name}", *opening, *map(_word, words.split()), *closing])


def literally(text: str) -> str:
    """Text that is shown as it stands, and can be copied from a terminal."""
    return "".join(ESCAPES.get(letter, letter) for letter in text)


def _word(word: str) -> str:
    looks_like_more = re.fullmatch(rf"[A-Z%][a-z0-9]{{1,2}}|[{CLOSING}\[\]({{}}|]", word)
    return ("\\&" if looks_like_more else "") + literally(word)


def tagged(rows: Iterable[Tuple[str, List[str]]], width: str = "Ds", compact: bool = False) -> List[str]:
    """A list whose tags are whole `.It` lines."""
    lines = [f".Bl -tag -width {width}" + (" -compact" if compact else "")]
    for tag, body in rows:
        lines += [tag, *body]
    return [*lines, ".El"]


def item(name: str, words: str) -> str:
    """The `.It` line of one literal."""
    return macro("It", "") + macro(name, words).replace(".", " ", 1)


def explained(rows: Mapping[str, str], name: str = "Ic", width: str = "Ds", compact: bool = False) -> List[str]:
    """A list of literals, each with its prose."""
    return tagged(((item(name, tag), prose(text)) for tag, text in rows.items()), width, compact)


def display(text: str) -> List[str]:
    """A block shown as it stands."""
    lines = (literally(line) for line in text.strip("\n").splitlines())
    return [".Bd -literal -offset indent", *(f"\\&{line}" if line[:1] in (".", "\\") else line for line in lines), ".Ed"]


def page(title: str, section: int, date: str, *parts: Iterable[str]) -> str:
    """A whole page, which says that it is not to be edited."""
    head = ['.\\" Made by packaging/man/make.py from the tables that the program uses. Change those, and run it.',
            f".Dd {date}", f".Dt {title.upper()} {section}", f".Os rmcagent {__version__}"]
    return "\n".join([*head, *(line for part in parts for line in part)]) + "\n"


def section(title: str, *parts: Iterable[str]) -> List[str]:
    """A section with its title."""
    return [f".Sh {title}", *(line for part in parts for line in part)]


def capital(text: str, words: Sequence[str] = ()) -> str:
    """A phrase of a table as a sentence; `words` are written small where they begin it, for so they are written in a policy."""
    first = re.match(r"[\w-]+", text)
    if first and first.group() in words:
        text = f"`{first.group()}`{text[first.end():]}"
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."
