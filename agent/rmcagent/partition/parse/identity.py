"""Who this node is, and whom it trusts: node id, cluster0's UUID, host-based identities, the trusted host list."""
from __future__ import annotations

import re
from typing import Tuple, Union

from rmcagent.frozen import dataclass
from rmcagent.model import Answer
from rmcagent.partition.parse.lines import cannot, clean, lines_of, quote, succeeded, whole


def node_id(said: Union[Answer, str]) -> str:
    """16 hex digits from `lsnodeid`, or from the text of /etc/ct_node_id: its first line that is no comment."""
    answer = Answer("ct_node_id", 0, said if said.endswith("\n") else said + "\n") if isinstance(said, str) else said
    whole(answer)
    succeeded(answer)
    first = next((line.strip() for line in lines_of(answer) if not line.lstrip().startswith("#")), "")
    if not re.fullmatch(r"(?:0[xX])?[0-9a-fA-F]{9,16}", first):
        raise cannot(answer, f"{quote(first)} is not a node id of 9 to 16 hex digits")
    return first[2 if first[1] in "xX" else 0:].lower().zfill(16)


ZEROED = re.compile(r"[0-]*")
MOST_LINES_LISTED = 1 << 15             # a value of 1024 digits may take as many lines as it likes


def cluster0_uuid(answer: Answer) -> str:
    """cluster0's node_uuid from `lsattr -El cluster0`; "": there is no such device, or its UUID was zeroed."""
    whole(answer)
    said = "\n".join([*lines_of(answer), *lines_of(answer, answer.stderr)])
    if "0514-519" in said and "node_uuid" not in said:      # device not found [my inference, from memory]
        return ""
    succeeded(answer)
    rows = [line.split() for line in lines_of(answer)]
    uuids = {row[1].lower() for row in rows if row[0] == "node_uuid" and len(row) > 1}
    if len(uuids) != 1 or not re.fullmatch(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", min(uuids)):
        raise cannot(answer, "it does not show one node_uuid")
    uuid = uuids.pop()
    return "" if ZEROED.fullmatch(uuid) else uuid


# IBM's pages of ctsvhbal and ctsthl tell what is shown, not how it is laid out: labels and order are [my inference].

def ctsvhbal(answer: Answer) -> Tuple[str, ...]:
    """Names and addresses by which this node identifies itself: what stands behind each `Identity:`."""
    whole(answer)
    succeeded(answer)
    matches = [re.fullmatch(r"\s*Identity\s*:\s*(\S+)", line) for line in lines_of(answer)]
    found = tuple(dict.fromkeys(clean(match.group(1)) for match in matches if match))
    if not found:
        raise cannot(answer, "it shows no identity")
    return found


@dataclass(frozen=True)
class TrustedHost:
    """An entry of the trusted host list; `digest` stands for its identifier value, which is long and never kept."""

    identity: str
    method: str
    digest: str                           # the first 16 hex digits of the value's SHA-256


# In either order: IBM's page names the value first.
METHOD = re.compile(r"(?:Identifier )?(?:Generation )?Method\s*:\s*(\S{1,64})")
VALUE = re.compile(r"Identifier Value\s*:\s*(?:0[xX])?([0-9a-fA-F\s]+)")


def ctsthl(answer: Answer) -> Tuple[TrustedHost, ...]:
    """Entries of `ctsthl -l`. No reason quotes what it says: it may be a key."""
    whole(answer)
    succeeded(answer)
    _, *entries = re.split(r"Host Identity\s*:", "\n".join(lines_of(answer, most=MOST_LINES_LISTED)))
    if not entries:
        raise cannot(answer, "it shows no trusted host")
    return tuple(dict.fromkeys(_trusted_host(answer, number, entry) for number, entry in enumerate(entries, 1)))


def _trusted_host(answer: Answer, number: int, entry: str) -> TrustedHost:
    method, value = METHOD.search(entry), VALUE.search(entry)
    digits = "".join(value.group(1).split()).lower() if value else ""
    identity, *others = VALUE.sub(" ", METHOD.sub(" ", entry)).split() or [""]
    is_odd = not re.fullmatch(r"[\w.:%-]{1,255}", identity) or any(word.strip("-=*") for word in others)
    if not method or len(digits) < 8 or is_odd:
        raise cannot(answer, f"its entry {number} is not an identity, a method and a hexadecimal value")
    import hashlib  # loads OpenSSL, 4 MB that the daemon never needs

    return TrustedHost(clean(identity), clean(method.group(1)), hashlib.sha256(digits.encode()).hexdigest()[:16])
