"""What must not leave the partition in a bundle: the values of RMCKeys, and identifiers as long as keys; pure."""
from __future__ import annotations

import re
from array import array
from itertools import chain
from typing import Iterable, Iterator, List, Optional, Set, Tuple

KEY = re.compile(r"rmckey", re.IGNORECASE)
REDACTED = ' = "redacted"'
TAKEN_OUT = re.compile(rf"{REDACTED}(?:\n|\Z)")
WITHOUT = f"RMCKey{REDACTED}"           # stands for a line that names a key, anywhere but in RMC's own listing
# The next attribute, resource or listing: blanks stand around an attribute's sign, and never within a key.
NEXT = re.compile(r"(?:[A-Za-z]\w{0,63}\s+=(?:\s|$)|resource [0-9]{1,9}:|.{0,80}\bAttributes for\b|$)")
LONGEST_VALUE = 16 << 10                # behind its opening quote; where none closes it so far, the next attribute ends it
HEX_LINE = re.compile(r"\s*(?:0[xX])?[0-9a-fA-F]+\s*")
LONG_HEX = re.compile(r"(?:0[xX])?[0-9a-fA-F]{33,}")
WORD = re.compile(r"[A-Za-z0-9+/=_:-]+")
WORDS = re.compile(r"[A-Za-z0-9+/=_:\s-]*")
SHORTEST_SECRET, MOST_SECRETS = 8, 256
SUSPECT = re.compile(r"rmckey|identifier value|[0-9a-f]{33}")
LISTING = "lsrsrc"                      # what this tells is a listing of attributes, in which a value may have many lines
DISKS = "lspv"                          # a disk's identifier may be as long as a key, and is no secret
# How a key is spelled and grouped does not matter: capitals, colons and blanks.
BETWEEN = ": \t\r\n"
CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PLAIN = str.maketrans(CAPITALS, CAPITALS.lower(), BETWEEN)


def redacted(text: str, answer: str = "") -> str:
    return hide(text, answer)[0]


def hide(text: str, answer: str = "") -> Tuple[str, int]:
    """The text without an RMCKey's value and without long runs of hex digits; how many of its lines that changed or took."""
    if not SUSPECT.search(text.lower()):
        return text, 0
    listing = answer.startswith(LISTING)
    kept: List[str] = []
    hidden = 0
    in_hex = False
    for line, value in _lines(text) if listing else ((line, _behind_key(line)) for line in text.split("\n")):
        if value is not None:
            key = KEY.search(line)
            if key:
                kept.append(line[:key.end()] + REDACTED if listing else WITHOUT)
            in_hex = False
        elif in_hex and HEX_LINE.fullmatch(line):
            pass
        else:
            shown = line if answer == DISKS else LONG_HEX.sub("(hex digits redacted)", line)
            in_hex = shown != line or line.strip().lower().startswith("identifier value")
            kept.append(shown)
            hidden -= shown == line
        hidden += 1
    return "\n".join(kept), hidden


def _lines(text: str) -> Iterator[Tuple[str, Optional[str]]]:
    """Each line of a listing of attributes, and what of it belongs to an RMCKey's value; None: nothing."""
    inside, closer, length = False, "", 0
    for line in text.split("\n"):
        value = _behind_key(line)
        if value is not None:
            inside, closer, length = True, _closer(value), 0
        elif inside and closer and length <= LONGEST_VALUE:
            value, length = line, length + len(line) + 1
            closer = "" if closer in line else closer
        elif inside and not NEXT.match(line.strip()):
            value, length = line, 0
            closer = _closer(line)
        else:
            inside = False
        yield line, value


def _behind_key(line: str) -> Optional[str]:
    key = KEY.search(line)
    return line[key.end():] if key else None


def _closer(text: str) -> str:
    """What must come before the value that is open at the end of this can be over; "" where none is."""
    return '"' if text.count('"') % 2 else "}" if text.count("{") > text.count("}") else ""


def secrets_of(text: str) -> Set[str]:
    """The words of every RMCKey's value in what lsrsrc said, and the whole value; they must be found nowhere else either."""
    found: Set[str] = set()
    parts: List[str] = []
    for line, value in chain(_lines(text), (("", None),)):
        if parts and (value is None or KEY.search(line)):
            said = "\n".join(parts)
            quoted = said.split('"', 2)[1:2]
            for word in (*WORD.findall(said), *(quoted or filter(WORDS.fullmatch, [said.lstrip(BETWEEN + "=")]))):
                bare = re.sub(r"^0x", "", _plain(word))
                # A word of letters only is a word, and no key.
                if len(bare) >= SHORTEST_SECRET and not bare.isalpha() and len(found) < MOST_SECRETS:
                    found.add(bare)
            parts = []
        parts += [value] if value is not None else []
    return found


def without(text: str, secrets: Iterable[str]) -> str:
    """The text without these, however they are spelled and grouped in it."""
    plain = _plain(text)
    there = [secret for secret in secrets if secret in plain]
    if not there:
        return text
    at = array("I", (number for number, letter in enumerate(text) if letter not in BETWEEN))
    spans = sorted((at[match.start()], at[match.end() - 1] + 1)
                   for secret in there for match in re.finditer(re.escape(secret), plain))
    kept: List[str] = []
    end = 0
    for first, behind in spans:
        if first >= end:
            kept += [text[end:first], "(redacted)"]
        end = max(end, behind)
    return "".join(kept) + text[end:]


def survives(text: str, secrets: Iterable[str]) -> bool:
    """Whether anything of a key is left."""
    plain = _plain(text)
    return any(not TAKEN_OUT.match(text, key.end()) for key in KEY.finditer(text)) or any(secret in plain for secret in secrets)


def _plain(text: str) -> str:
    return text.translate(PLAIN)
