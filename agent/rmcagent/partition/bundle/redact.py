"""What must not leave the partition in a bundle: the values of RMCKeys, and identifiers as long as keys; pure."""
from __future__ import annotations

import re
from typing import List, Set

KEY = re.compile(r"rmckey", re.IGNORECASE)
REDACTED = ' = "redacted"'
TAKEN_OUT = re.compile(rf"{REDACTED}(?:\n|\Z)")
# The next attribute, resource or listing: blanks stand around an attribute's sign, and never within a key.
NEXT = re.compile(r"\s*(?:[A-Za-z]\w{0,63}\s+=(?:\s|$)|resource [0-9]{1,9}:|.{0,80}\bAttributes for\b|$)")
HEX_LINE = re.compile(r"\s*(?:0[xX])?[0-9a-fA-F]+\s*")
LONG_HEX = re.compile(r"(?:0[xX])?[0-9a-fA-F]{33,}")
SHORTEST_SECRET, MOST_SECRETS = 8, 256
SUSPECT = re.compile(r"rmckey|identifier value|[0-9a-f]{33}")
DISKS = "lspv"                          # a disk's identifier may be as long as a key, and is no secret


def redacted(text: str, answer: str = "") -> str:
    """The text without an RMCKey's value, over however many lines it goes, and without long runs of hex digits."""
    if not SUSPECT.search(text.lower()):
        return text
    kept: List[str] = []
    inside = ""                         # of what value: key, hex
    for line in text.split("\n"):
        key = KEY.search(line)
        if key:
            kept.append(line[:key.end()] + REDACTED)
            inside = "key"
        elif not (inside == "key" and not NEXT.match(line)) and not (inside == "hex" and HEX_LINE.fullmatch(line)):
            shown = line if answer == DISKS else LONG_HEX.sub("(hex digits redacted)", line)
            inside = "hex" if shown != line or line.strip().lower().startswith("identifier value") else ""
            kept.append(shown)
    return "\n".join(kept)


def secrets_of(text: str) -> Set[str]:
    """The words of every RMCKey's value in what lsrsrc said; they must be found nowhere else either."""
    found: Set[str] = set()
    inside = False
    for line in text.split("\n"):
        key = KEY.search(line)
        inside = bool(key) or (inside and not NEXT.match(line))
        if inside:
            words = re.findall(r"[A-Za-z0-9+/=_-]+", line[key.end():] if key else line)
            found.update(word for word in words if len(word) >= SHORTEST_SECRET and len(found) < MOST_SECRETS)
    return found


def survives(text: str, secrets: Set[str]) -> bool:
    """Whether anything of a key is left."""
    return any(not TAKEN_OUT.match(text, key.end()) for key in KEY.finditer(text)) or any(secret in text for secret in secrets)
