"""How the ledger's records are spelt: nouns -> plain JSON, and back; what has another shape raises, and is damage."""
from __future__ import annotations

from datetime import datetime, timedelta
from math import isfinite
from typing import Any, Callable, Dict, Mapping, Optional

from rmcagent.model import Attempt, Fault, KnownHmc, Outcome, Pause, Remedy

MOST_CRASHES = 16               # in a record; as many as anybody could want to count


def fact(name: str, value: Any) -> Any:
    """What a record says under a name, once it has the shape that those who ask for it rely on."""
    shaped = SHAPES.get(name, _is_moment if name.endswith("_at") else None)
    if value is not None and shaped is not None and not shaped(value):
        raise ValueError(f"{name} has another shape")
    return value


def _is_moment(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("boot"), str) and time_of(value["at"]) is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_told(value: Any) -> bool:
    return isinstance(value, dict) and all(said is None or isinstance(said, str) for said in value.values())


def _is_lives(value: Any) -> bool:
    crashes = value["crashes"] if isinstance(value, dict) else None
    return (isinstance(crashes, list) and len(crashes) <= MOST_CRASHES
            and all(isinstance(at, float) and isfinite(at) for at in (*crashes, value["at"]))
            and isinstance(value["boot"], str) and _is_number(value["pid"]) and _is_flag(value["loop"]))


def _is_node(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("node_id", "identity", "boot"))


# Facts by name; those that end in _at are moments, and names not known here are kept as they are.
SHAPES: Mapping[str, Callable[[Any], bool]] = {
    "problems": _is_told,
    "node": _is_node,
    "lives": _is_lives,
    "remote_enabled": _is_flag,
    "finished": _is_number,
}


def attempt_entry(attempt: Attempt) -> Dict[str, Any]:
    return {
        "k": "attempt", "id": attempt.id, "remedy": attempt.remedy.value, "fault": attempt.fault.value,
        "subject": attempt.subject, "episode": attempt.episode, "begun_at": text_of(attempt.begun_at), "boot": attempt.boot,
        "identity": attempt.identity,
        "shadow": attempt.shadow, "by": attempt.by, "ended_at": text_of(attempt.ended_at),
        "outcome": attempt.outcome.value if attempt.outcome else None, "because": attempt.because, "failed": attempt.failed,
    }


def attempt_from(record: Mapping[str, Any]) -> Attempt:
    return Attempt(
        int(record["id"]), Remedy(record["remedy"]), Fault(record["fault"]), str(record["subject"]), str(record["episode"]),
        time_of(record["begun_at"]), str(record["boot"]), str(record["identity"]), bool(record["shadow"]), str(record["by"]),
        maybe_time(record["ended_at"]), Outcome(record["outcome"]) if record["outcome"] else None, str(record["because"]),
        str(record.get("failed", "")),
    )


def episode_entry(number: int, opened_at: datetime) -> Dict[str, Any]:
    return {"k": "episode", "n": number, "at": text_of(opened_at)}


def closed_entry(number: int) -> Dict[str, Any]:
    return {"k": "closed", "n": number}


def pause_entry(pause: Optional[Pause], begun_at: Optional[datetime]) -> Dict[str, Any]:
    if pause is None:
        return {"k": "pause", "until": None}
    return {"k": "pause", "until": text_of(pause.until), "reason": pause.reason, "by": pause.by, "at": text_of(begun_at)}


def hmc_entry(hmc: KnownHmc) -> Dict[str, Any]:
    return {"k": "hmc", "address": hmc.address, "name": hmc.name, "node_id": hmc.node_id,
            "first_seen": text_of(hmc.first_seen), "last_up": text_of(hmc.last_up), "last_answered": text_of(hmc.last_answered)}


def text_of(moment: Optional[datetime]) -> Optional[str]:
    return moment.isoformat() if moment else None


def time_of(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or not 1900 < moment.year < 9000:
        raise ValueError("a time without its offset, or one that cannot be counted from")
    return moment


def whole(value: Any) -> int:
    if not _is_number(value):
        raise TypeError("not a whole number")
    return int(value)


def seconds(value: Any) -> int:
    """As many as can be counted with."""
    return timedelta(seconds=whole(value)) // timedelta(seconds=1)


def word(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a word")
    return value


def maybe_time(text: Optional[str]) -> Optional[datetime]:
    return time_of(text) if text else None
