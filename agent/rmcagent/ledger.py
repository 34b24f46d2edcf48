"""What must survive the daemon and a reboot: attempts (intent before deed), episodes, pauses, HMCs once seen, decisions.

`ledger.jsonl` is append-only, a checksum a line, fsync before a deed, compacted by rename. A torn tail is dropped and told;
a corrupt one is set aside, and every budget counts as spent from that moment on, as where it is gone. One that cannot be read,
or that a newer rmcagent wrote, is left as it is.
"""
from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from math import isfinite
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from rmcagent.clock import Clock, Steady
from rmcagent.model import Attempt, Episode, Fault, KnownHmc, Outcome, Pause, Remedy
from rmcagent.records import Damaged, Record, RecordFile, Untouchable

HEADER: Mapping[str, Any] = {"k": "ledger", "v": 1}
KEPT_ATTEMPTS = 256             # and every one young enough to count in a budget of 30 days
KEPT_DECISIONS = 40
KEPT_HMCS = 64
CATCH_UP_SECONDS = 60.0
MOST_CRASHES = 16               # in a record; as many as anybody could want to count
KEPT_FOR = timedelta(days=31)
TRACES = ("deed-", "archive-", "ledger.jsonl.")      # and the lock
LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)


class Ledger:
    """The agent's memory on disk. Only the daemon that holds the lock writes it; `read_only` looks without creating anything.

    `lived_before`: an agent was here, so that a ledger that is not there is lost.
    """

    def __init__(self, path: str, clock: Clock, boot: str, read_only: bool = False, lived_before: bool = False) -> None:
        self.path = path
        self.boot = boot
        self.read_only = read_only
        self.attempts: Dict[int, Attempt] = {}
        self.episode: Optional[Episode] = None
        self.pause: Optional[Pause] = None
        self.known: Dict[str, KnownHmc] = {}
        self.decisions: List[Mapping[str, Any]] = []
        self.facts: Dict[str, Any] = {}             # small things remembered by name: domains_allowed_at, remote_enabled
        self.spent_at: Optional[datetime] = None    # a ledger was lost then
        self.damage = ""                            # what was wrong with it, to be reported once
        self.torn = False
        self.last_episode = 0
        self.steady = Steady(clock, clock.now(), clock.monotonic())
        self._file = RecordFile(path, HEADER, self._everything, read_only)
        self._clamped: List[Attempt] = []           # dated in the future by another boot, and read as of now
        self._failing = False                       # told, and not again until a write succeeds
        self._caught_up_at = 0.0
        self._load(lived_before)

    # -- what is remembered

    def begin(self, remedy: Remedy, fault: Fault, subject: str, episode: str, identity: str, shadow: bool = False,
              by: str = "agent") -> Attempt:
        """Write the intent before the deed, so that a crash still spends the budget. Raises OSError where it is not durable."""
        attempt = self._next(remedy, fault, subject, episode, identity, shadow, by)
        self._write(_attempt(attempt), durable=True)
        self.attempts[attempt.id] = attempt
        return attempt

    def begin_finishing(self, left: Attempt, remedy: Remedy, fault: Fault) -> Attempt:
        """What only brings `left` to its end: that one's intent is durable, so this one is written when there is room."""
        attempt = self._next(remedy, fault, "", left.episode, left.identity, False, "finish")
        self._attempt_to(lambda: self._write(_attempt(attempt), durable=True))
        self.attempts[attempt.id] = attempt
        return attempt

    def _next(self, remedy: Remedy, fault: Fault, subject: str, episode: str, identity: str, shadow: bool, by: str) -> Attempt:
        number = max(self.attempts, default=0) + 1
        return Attempt(number, remedy, fault, subject, episode, self.steady.now(), self.boot, identity, shadow, by)

    def update(self, attempt: Attempt) -> None:
        """Its end, or its outcome. A failure to write is told by `damage`, and stops nothing."""
        self._try(_attempt(attempt))
        self.attempts[attempt.id] = attempt

    def open_episode(self) -> Episode:
        number, now = self.last_episode + 1, self.steady.now()
        self._try(_episode(number, now))
        self.last_episode, self.episode = number, Episode(f"E-{number}", now)
        return self.episode

    def close_episode(self) -> None:
        self._try(_closed(self.last_episode))
        self.episode = None

    def set_pause(self, pause: Optional[Pause]) -> None:
        """Durable: raises OSError, for an operator who asked for quiet must not be told yes in vain."""
        self._write(_pause(pause), durable=True)
        self.pause = pause

    def saw(self, hmc: KnownHmc) -> None:
        if self.known.get(hmc.address) != hmc:
            self._try(_known(hmc))
            self.known[hmc.address] = hmc
        if len(self.known) > 2 * KEPT_HMCS:
            self.known = self._newest_hmcs()

    def decided(self, entry: Mapping[str, Any]) -> None:
        self._try({"k": "decided", "entry": entry})
        self.decisions = [*self.decisions, entry][-KEPT_DECISIONS:]

    def remember(self, name: str, value: Any) -> None:
        """Something small under a name; None forgets it."""
        if self.facts.get(name) != value:
            self._try({"k": "fact", "name": name, "value": value})
            self._set_fact(name, value)

    def catch_up(self) -> None:
        """Write what could not be written when it was told; asked at every pulse, tried once a minute."""
        now = self.steady.clock.monotonic()
        if self._file.behind and now - self._caught_up_at >= CATCH_UP_SECONDS:
            self._caught_up_at = now
            self._attempt_to(self._file.replace)

    def moment(self, name: str) -> Optional[datetime]:
        """A time remembered in this boot."""
        value = self.facts.get(name)
        return _time(value["at"]) if isinstance(value, dict) and self.boot and value.get("boot") == self.boot else None

    def remember_moment(self, name: str, at: Optional[datetime]) -> None:
        self.remember(name, {"at": _text(at), "boot": self.boot} if at else None)

    # -- reading

    def _load(self, lived_before: bool) -> None:
        if not self.read_only:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        try:
            records = self._file.read()
            if records is None:
                if lived_before:
                    self._lost(f"{self.path} is gone, though an agent has lived here before")
                self._begin_anew()
                return
            self._understand(records)
        except Untouchable as reason:
            self._lost(str(reason))
            return
        except Damaged as reason:
            self._set_aside(str(reason))
            return
        if self._file.torn and not self.read_only:
            self.torn = True
            self._file.cut_torn_end()
        if not self._is_anchored(records) and not self.read_only:
            self._try(self._anchor_record())
            for attempt in self._clamped:      # written, or every boot would date it anew and its budget never be free
                self._try(_attempt(attempt))

    def _understand(self, records: List[Record]) -> None:
        try:
            self._take_anchor(records)
            for record in records:
                self._fold(record)
            self._clamp()
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as problem:
            raise Damaged(f"a record is not understood ({type(problem).__name__})") from None

    def _begin_anew(self) -> None:
        """A file that cannot be begun now is told, and begun by the first write that can."""
        if not self.read_only:
            self._attempt_to(self._file.replace)

    def _set_aside(self, reason: str) -> None:
        """Keep the damaged file for a human, start a new one, and count every budget as spent."""
        self._forget()
        self._lost(f"{self.path}: {reason}")
        if not self.read_only:
            self.damage += f"; {self._file.set_aside()}"
            self._begin_anew()

    def _lost(self, reason: str) -> None:
        self.damage = reason
        self.spent_at = self.steady.now()

    def _forget(self) -> None:
        self.attempts, self.known, self.facts, self.decisions = {}, {}, {}, []
        self.episode = self.pause = None

    def _take_anchor(self, records: Sequence[Record]) -> None:
        """This boot's first sight of the wall clock, so that a clock set since then moves no age."""
        for record in records:
            if self._is_of_this_boot(record):
                steady = Steady(self.steady.clock, _time(record["wall"]), float(record["monotonic"]))
                steady.now()           # may overflow, and must not when somebody asks
                self.steady = steady

    def _is_anchored(self, records: Sequence[Record]) -> bool:
        return any(self._is_of_this_boot(record) for record in records)

    def _is_of_this_boot(self, record: Record) -> bool:
        """A boot without a name could be any; one whose seconds lie ahead of ours was another."""
        if record["k"] != "boot" or not self.boot or record["boot"] != self.boot:
            return False
        return float(record["monotonic"]) <= self.steady.clock.monotonic()

    def _clamp(self) -> None:
        """What another boot dated in the future happened when this boot first read it."""
        latest = self.steady.anchor_wall
        for number, attempt in self.attempts.items():
            if attempt.boot != self.boot or not self.boot:
                ended = min(attempt.ended_at, latest) if attempt.ended_at else None
                read = replace(attempt, begun_at=min(attempt.begun_at, latest), ended_at=ended)
                if read.begun_at != attempt.begun_at:
                    self._clamped.append(read)
                self.attempts[number] = read
        if self.spent_at is not None and self.spent_at > self.steady.now():
            self.spent_at = latest
        # It may tell of one that was never written; the next of that number is another.
        if "finished" in self.facts:
            self.facts["finished"] = min(self.facts["finished"], max(self.attempts, default=0))

    def _fold(self, record: Dict[str, Any]) -> None:
        kind = record["k"]
        if kind == "attempt":
            self.attempts[int(record["id"])] = _attempt_from(record)
        elif kind == "episode":
            self.last_episode = int(record["n"])
            self.episode = Episode(f"E-{self.last_episode}", _time(record["at"]))
        elif kind == "closed":
            self.last_episode, self.episode = int(record["n"]), None
        elif kind == "pause":
            self.pause = Pause(_time(record["until"]), str(record["reason"]), str(record["by"])) if record["until"] else None
        elif kind == "hmc":
            address, name, node_id = (_word(record[key]) for key in ("address", "name", "node_id"))
            moments = (_maybe(record.get(key)) for key in ("first_seen", "last_up", "last_answered"))
            self.known[address] = KnownHmc(address, name, node_id, *moments)
        elif kind == "decided":
            self.decisions = [*self.decisions, dict(record["entry"])][-KEPT_DECISIONS:]
        elif kind == "fact":
            self._set_fact(str(record["name"]), _fact(record["name"], record["value"]))
        elif kind == "spent":
            self.spent_at = _time(record["at"])

    def _set_fact(self, name: str, value: Any) -> None:
        self.facts[name] = value
        if value is None:
            del self.facts[name]

    # -- writing

    def _try(self, record: Mapping[str, Any]) -> None:
        self._attempt_to(lambda: self._write(record))

    def _write(self, record: Mapping[str, Any], durable: bool = False) -> None:
        self._file.append(record, durable)

    def _attempt_to(self, write: Callable[[], None]) -> None:
        try:
            write()
            self._failing = False
        except OSError as problem:
            self._file.behind = not self.read_only
            if not self._failing:
                self.damage = self.damage or f"cannot write {self.path}: {problem.strerror}"
            self._failing = True

    def _anchor_record(self) -> Mapping[str, Any]:
        return {"k": "boot", "boot": self.boot, "wall": _text(self.steady.anchor_wall), "monotonic": self.steady.anchor_monotonic}

    def _newest_hmcs(self) -> Dict[str, KnownHmc]:
        """Those heard of last: an answer that names ever new ones must not fill memory."""
        last_heard_of = {hmc.address: hmc.last_up or hmc.first_seen or LONG_AGO for hmc in self.known.values()}
        return {address: self.known[address] for address in sorted(self.known, key=last_heard_of.__getitem__)[-KEPT_HMCS:]}

    def _everything(self) -> List[Mapping[str, Any]]:
        """All that still matters; the rest is forgotten here as well."""
        young = self.steady.now() - KEPT_FOR
        newest = set(sorted(self.attempts)[-KEPT_ATTEMPTS:])
        self.attempts = {number: attempt for number, attempt in sorted(self.attempts.items())
                         if attempt.begun_at > young or number in newest}
        self.known = self._newest_hmcs()
        return [
            HEADER, self._anchor_record(),
            *([{"k": "spent", "at": _text(self.spent_at)}] if self.spent_at is not None else ()),
            *(_attempt(attempt) for attempt in self.attempts.values()),
            _episode(self.last_episode, self.episode.opened_at) if self.episode else _closed(self.last_episode),
            _pause(self.pause),
            *(_known(hmc) for hmc in self.known.values()),
            *({"k": "fact", "name": name, "value": value} for name, value in self.facts.items()),
            *({"k": "decided", "entry": entry} for entry in self.decisions),
        ]


def lived_before(folder: str) -> bool:
    """Whether an agent has left anything in its state folder; to be asked before the lock is taken, which leaves one."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return False
    return any(name == "lock" or name.startswith(TRACES) for name in names)


def _fact(name: str, value: Any) -> Any:
    """What a record says under a name, once it has the shape that those who ask for it rely on."""
    shaped = SHAPES.get(name, _is_moment if name.endswith("_at") else None)
    if value is not None and shaped is not None and not shaped(value):
        raise ValueError(f"{name} has another shape")
    return value


def _is_moment(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("boot"), str) and _time(value["at"]) is not None


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
    "in_band_seen": _is_flag,
    "finished": _is_number,
    "stopped_by": _is_number,
}


def _attempt(attempt: Attempt) -> Dict[str, Any]:
    return {
        "k": "attempt", "id": attempt.id, "remedy": attempt.remedy.value, "fault": attempt.fault.value,
        "subject": attempt.subject, "episode": attempt.episode, "begun_at": _text(attempt.begun_at), "boot": attempt.boot,
        "identity": attempt.identity,
        "shadow": attempt.shadow, "by": attempt.by, "ended_at": _text(attempt.ended_at),
        "outcome": attempt.outcome.value if attempt.outcome else None, "because": attempt.because, "failed": attempt.failed,
    }


def _attempt_from(record: Mapping[str, Any]) -> Attempt:
    return Attempt(
        int(record["id"]), Remedy(record["remedy"]), Fault(record["fault"]), str(record["subject"]), str(record["episode"]),
        _time(record["begun_at"]), str(record["boot"]), str(record["identity"]), bool(record["shadow"]), str(record["by"]),
        _maybe(record["ended_at"]), Outcome(record["outcome"]) if record["outcome"] else None, str(record["because"]),
        str(record.get("failed", "")),
    )


def _episode(number: int, opened_at: datetime) -> Dict[str, Any]:
    return {"k": "episode", "n": number, "at": _text(opened_at)}


def _closed(number: int) -> Dict[str, Any]:
    return {"k": "closed", "n": number}


def _pause(pause: Optional[Pause]) -> Dict[str, Any]:
    if pause is None:
        return {"k": "pause", "until": None}
    return {"k": "pause", "until": _text(pause.until), "reason": pause.reason, "by": pause.by}


def _known(hmc: KnownHmc) -> Dict[str, Any]:
    return {"k": "hmc", "address": hmc.address, "name": hmc.name, "node_id": hmc.node_id,
            "first_seen": _text(hmc.first_seen), "last_up": _text(hmc.last_up), "last_answered": _text(hmc.last_answered)}


def _text(moment: Optional[datetime]) -> Optional[str]:
    return moment.isoformat() if moment else None


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or not 1900 < moment.year < 9000:
        raise ValueError("a time without its offset, or one that cannot be counted from")
    return moment


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a word")
    return value


def _maybe(text: Optional[str]) -> Optional[datetime]:
    return _time(text) if text else None
