"""JSON without the module json, whose import takes longer than all else that `status` does: read as we write it, and written.

Read is only what has our own form, a line each as json.dumps writes it with an indent, and it is what json would have read; of
all else Unlike says that it must be left to json. Written is what json.dumps would have written.
"""
from __future__ import annotations

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Tuple

WORDS = {"null": None, "true": True, "false": False}
ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}      # after a backslash
ESCAPED = {letter: f"\\{short}" for short, letter in ESCAPES.items() if short != "/"}
SURROGATES = range(0xD800, 0xE000)
MOST_DIGITS = 18                          # beyond, Python may ask how many it is to read


class Unlike(ValueError):
    """Not in our own form, be it JSON or not."""


# ---- reading

def read(text: str) -> Any:
    """The value. Raises Unlike."""
    if not text.isascii():
        raise Unlike
    lines = iter((text[:-1] if text.endswith("\n") else text).split("\n"))
    value, more = _value(next(lines).strip(" "), lines)
    if more or next(lines, None) is not None:
        raise Unlike
    return value


def _value(word: str, lines: Iterator[str]) -> Tuple[Any, bool]:
    """What begins with the word, and whether a comma stands behind it."""
    if word == "{":
        return _table(lines)
    if word == "[":
        return _list(lines)
    more = word.endswith(",")
    return _leaf(word[:-1] if more else word), more


def _table(lines: Iterator[str]) -> Tuple[Dict[str, Any], bool]:
    table: Dict[str, Any] = {}
    more = True
    for line in lines:
        word = line.strip(" ")
        if word in ("}", "},"):
            return _closed(table, more), word == "},"
        name, colon, rest = word.partition('": ')
        if not (more and colon):
            raise Unlike
        table[_text(f'{name}"')], more = _value(rest, lines)
    raise Unlike                          # it was cut


def _list(lines: Iterator[str]) -> Tuple[List[Any], bool]:
    values: List[Any] = []
    more = True
    for line in lines:
        word = line.strip(" ")
        if word in ("]", "],"):
            return _closed(values, more), word == "],"
        if not more:
            raise Unlike
        value, more = _value(word, lines)
        values.append(value)
    raise Unlike


def _closed(value: Any, more: bool) -> Any:
    if more:                              # after a comma, or where an empty one would stand in one line
        raise Unlike
    return value


def _leaf(word: str) -> Any:
    if word.startswith('"'):
        return _text(word)
    if word in WORDS:
        return WORDS[word]
    if word in ("{}", "[]"):
        return {} if word == "{}" else []
    whole, point, rest = word.partition(".")
    digits = whole[1:] if whole.startswith("-") else whole
    sound = digits.isdigit() and (digits == "0" or digits[0] != "0") and len(word) <= MOST_DIGITS
    if not sound or (point and not rest.isdigit()):       # with an exponent, too: rare, and json's
        raise Unlike
    return float(word) if point else int(word)


def _text(word: str) -> str:
    """What stands between the quotes; whatever json refuses there is unlike."""
    inner = word[1:-1]
    if len(word) < 2 or word[0] != '"' or word[-1] != '"' or not inner.isprintable():
        raise Unlike
    if "\\" in inner:
        return _unescaped(inner)
    if '"' in inner:
        raise Unlike
    return inner


def _unescaped(inner: str) -> str:
    told: List[str] = []
    at = 0
    while at < len(inner):
        slash = inner.find("\\", at)
        plain = inner[at:] if slash < 0 else inner[at:slash]
        if '"' in plain:
            raise Unlike
        told.append(plain)
        if slash < 0:
            break
        letter, digits = inner[slash + 1:slash + 2], inner[slash + 2:slash + 6]
        at = slash + (6 if letter == "u" else 2)
        told.append(_by_number(digits) if letter == "u" else ESCAPES.get(letter, ""))
        if not told[-1]:
            raise Unlike
    return "".join(told)


def _by_number(digits: str) -> str:
    """The letter; "" where there is none, or only half of one."""
    if len(digits) != 4 or digits.strip("0123456789abcdefABCDEF"):
        return ""
    number = int(digits, 16)
    return "" if number in SURROGATES else chr(number)


# ---- writing

def written(value: Any) -> str:
    """As json.dumps(value, sort_keys=True, indent=2) writes what came from JSON."""
    return "".join(_written(value, "\n"))


def _written(value: Any, start: str) -> Iterator[str]:
    """`start` is the line's end, and the blanks that the next begins with."""
    if isinstance(value, dict) and value:
        opens = "{"
        for name in sorted(value):
            yield f"{opens}{start}  {_quoted(name)}: "
            yield from _written(value[name], start + "  ")
            opens = ","
        yield start + "}"
    elif isinstance(value, list) and value:
        opens = "["
        for each in value:
            yield f"{opens}{start}  "
            yield from _written(each, start + "  ")
            opens = ","
        yield start + "]"
    else:
        yield _quoted(value) if isinstance(value, str) else _bare(value)


def _bare(value: Any) -> str:
    for word, meant in WORDS.items():
        if value is meant:
            return word
    return repr(value)                    # a number; and {} and [] are alike in Python


def _quoted(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(letter: str) -> str:
    if letter in ESCAPED:
        return ESCAPED[letter]
    if " " <= letter <= "~":
        return letter
    number = ord(letter)
    if number < 0x10000:
        return f"\\u{number:04x}"
    return f"\\u{0xD7C0 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
