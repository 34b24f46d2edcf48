"""What was made of one text, and how it is printed: as a document with the keys of status --json, and as a screen."""
from __future__ import annotations

from typing import Any, Dict, FrozenSet, Mapping, Optional, Sequence, Tuple

from rmcagent import show
from rmcagent.classify import kinds
from rmcagent.frozen import dataclass, field, replace
from rmcagent.model import Link
from rmcagent.partition.bundle.redact import survives

KEY, KEPT_BACK = "rmckey", "a line with a key"
HANDS_OFF = "rmcctrl -z and recfgct are not for a node of a cluster: they can break or halt it"


@dataclass(frozen=True)
class Told:
    """`nouns` are those of status --json, as far as this one text tells them; `rows` are what the screen shows of them."""

    because: str                          # one sentence: what it says, or why that cannot be told
    nouns: Mapping[str, Any] = field(default_factory=dict)
    rows: Tuple[Tuple[str, Sequence[str]], ...] = ()
    means: Tuple[str, ...] = ()           # for RMC and DLPAR; () where nothing is wrong
    kind: str = kinds.UNKNOWN
    understood: bool = True
    notes: Tuple[str, ...] = ()
    secrets: FrozenSet[str] = frozenset()  # words of an RMCKey that the text told; never shown


def document(told: Told) -> Dict[str, Any]:
    """What `classify --json` prints: plain, bounded and clean."""
    told = without_keys(told)
    left_out = [f"only {show.MOST_ROWS} of the {len(noun)} {name} are listed" for name, noun in told.nouns.items()
                if isinstance(noun, (list, tuple, dict)) and len(noun) > show.MOST_ROWS]
    facts = {"schema": 1, "kind": told.kind, "understood": told.understood, "because": told.because, "means": told.means,
             "notes": [*told.notes, *left_out], **told.nouns}
    plain: Dict[str, Any] = show.plain(facts, lambda moment: moment)
    return plain


def text(told: Told, columns: int = 80, colour: bool = False) -> str:
    """A screen: what it is and says first, then the facts, then what they mean."""
    told = without_keys(told)
    screen = show.Screen(columns, (33 if told.means else 32) if colour else 0)
    screen.head(told.kind, told.because)
    for label, lines in told.rows:
        screen.rows(label, list(lines))
    screen.rows("Means", list(told.means))
    screen.rows("Mind", [HANDS_OFF] if told.nouns.get("cluster", {}).get("state") == "present" else [])
    screen.rows("Note", list(told.notes))
    return screen.text()


def complaint(told: Told) -> str:
    told = without_keys(told)
    return f"cannot classify: {told.because}" if told.kind == kinds.UNKNOWN else f"cannot read {told.kind}: {told.because}"


def without_keys(told: Told) -> Told:
    """The last filter, whatever a teller let through: no text that names an RMCKey is shown, or holds a word of one."""
    kept = {name: _safe(getattr(told, name), told.secrets) for name in ("because", "nouns", "rows", "means", "kind", "notes")}
    return replace(told, **kept)


def _safe(value: Any, secrets: FrozenSet[str]) -> Any:
    value = getattr(value, "value", value)             # of an enum
    if isinstance(value, str):
        return KEPT_BACK if KEY in value.lower() or (secrets and survives(value, secrets)) else value
    if hasattr(value, "items"):
        return {_safe(key, secrets): _safe(item, secrets) for key, item in value.items()}
    return tuple(_safe(one, secrets) for one in value) if isinstance(value, (list, tuple)) else value


# ---- nouns that several answers tell ------------------------------------------------------------------------------------

def hmc(address: str, name: str = "", node_id: str = "", link: Link = Link.UNKNOWN, reachable: Optional[bool] = None,
        in_band: bool = False) -> Dict[str, Any]:
    return {"address": address, "name": name, "node_id": node_id, "link": link, "reachable": reachable, "in_band": in_band}


def cluster(state: str, evidence: str, recycle: Optional[bool] = None, recfgct: Optional[bool] = None) -> Dict[str, Any]:
    """False forbids. One answer alone never allows anything: what it does not forbid is null."""
    forbidden = {False: "forbidden", None: None}
    return {"state": state, "recycle": forbidden.get(recycle), "recfgct": forbidden.get(recfgct), "evidence": evidence}


def count(number: int, what: str) -> str:
    plural = what[:-1] + "ies" if what.endswith("y") else what + "s"
    return f"{number} {what if number == 1 else plural}"
