"""The effective configuration: every key with its value and where that came from, as YAML that can be read again, or as JSON."""
from __future__ import annotations

from typing import Any, Dict, Iterator, List, Tuple

from rmcagent.config.nouns import Loaded
from rmcagent.config.table import SPEC, Got, Key, Names, Section
from rmcagent.config.values import Kind
from rmcagent.config.words import plain

COMMENT_AT = 44                           # column, unless the value is longer
SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-%")


def text(loaded: Loaded) -> str:
    """YAML that comes to the same configuration, with the origin of each value beside it."""
    lines = [f"# policy {loaded.hash}; from {', '.join(plain(file, 200) for file in loaded.files) or 'no file'}"]
    lines += _lines(SPEC, loaded, "", 0)
    return "\n".join(lines) + "\n"


def document(loaded: Loaded) -> Dict[str, Any]:
    """The same as JSON: {"schema", "hash", "files", "keys": [{"key", "value", "file": None for a default, "line"}]}."""
    keys = [{"key": key, "value": _spelt(kind, got.value), "file": plain(got.file, 200) if got.line else None,
             "line": got.line or None} for key, kind, got in _each(SPEC, loaded, "")]
    return {"schema": 1, "hash": loaded.hash, "files": [plain(file, 200) for file in loaded.files], "keys": keys}


def _each(section: Section, loaded: Loaded, where: str) -> Iterator[Tuple[str, Kind, Got]]:
    for entry in section.entries:
        here = where + entry.name
        if isinstance(entry, Section):
            yield from _each(entry, loaded, f"{here}.")
        elif isinstance(entry, Key):
            yield here, entry.kind, loaded.values[here]
        else:
            yield from ((f"{here}.{name}", entry.kind, got) for name, got in _named(entry, here, loaded))


def _named(entry: Names, here: str, loaded: Loaded) -> List[Tuple[str, Got]]:
    return [(key[len(here) + 1:], got) for key, got in loaded.values.items() if key.startswith(f"{here}.")]


def _lines(section: Section, loaded: Loaded, where: str, depth: int) -> Iterator[str]:
    margin = "  " * depth
    for entry in section.entries:
        here = where + entry.name
        if isinstance(entry, Section):
            yield f"{margin}{entry.name}:"
            yield from _lines(entry, loaded, f"{here}.", depth + 1)
        elif isinstance(entry, Key):
            yield _line(margin + entry.name, entry.kind, loaded.values[here])
        else:
            named = _named(entry, here, loaded)
            yield f"{margin}{entry.name}:" if named else _told(f"{margin}{entry.name}: {{}}", Got(None))
            for name, got in named:
                yield _line(f"{margin}  {name}", entry.kind, got)


def _line(key: str, kind: Kind, got: Got) -> str:
    spelt = _spelt(kind, got.value)
    return _told(f"{key}: " + (f"[{', '.join(map(_quoted, spelt))}]" if isinstance(spelt, list) else _quoted(spelt)), got)


def _told(start: str, got: Got) -> str:
    return f"{start:<{COMMENT_AT}} # {plain(got.file, 200)}:{got.line}" if got.line else f"{start:<{COMMENT_AT}} # default"


def _spelt(kind: Kind, value: Any) -> Any:
    """As an operator would write it: a list, or a word."""
    if kind.many and not (kind.lone and len(value) == 1):
        return [kind.show(one) for one in value]
    return kind.show(value[0] if kind.many else value)


def _quoted(word: str) -> str:
    """As YAML reads it again; what is more than a word or a number in quotes."""
    if word and SAFE.issuperset(word):
        return word
    return '"' + "".join(_escaped(letter) for letter in word) + '"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    return letter if " " <= letter <= "~" else f"\\U{ord(letter):08x}"
