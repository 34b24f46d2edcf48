"""What must survive the daemon and a reboot: attempts (intent before deed), episodes, pauses, HMCs once seen, decisions.

`ledger.jsonl` is append-only, a checksum a line, fsync before a deed, compacted by rename. A torn tail is dropped and told;
a corrupt one is set aside, and every budget counts as spent from that moment on, as where it is gone. One that cannot be read,
or that a newer rmcagent wrote, is left as it is.
"""
from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from rmcagent.clock import Clock, Steady
from rmcagent.entries import (
    attempt_entry,
    attempt_from,
    closed_entry,
    episode_entry,
    fact,
    hmc_entry,
    maybe_time,
    pause_entry,
    text_of,
    time_of,
    whole,
    word,
)
from rmcagent.model import Attempt, Episode, Fault, KnownHmc, Pause, Remedy
from rmcagent.records import Damaged, Record, RecordFile, Untouchable

HEADER: Mapping[str, Any] = {"k": "ledger", "v": 1}
KEPT_ATTEMPTS = 256             # and every one young enough to count in a budget of 30 days
KEPT_DECISIONS = 40
KEPT_HMCS = 64
CATCH_UP_SECONDS = 60.0
WALL_SET_SECONDS = 60           # by so much the wall clock was set, and did not merely drift
KEPT_FOR = timedelta(days=31)
TRACES = ("deed-", "archive-", "ledger.jsonl.")      # and the lock
LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)


class Ledger:
    """The agent's memory on disk. Only the daemon that holds the lock writes it; `read_only` looks without creating anything.

    `lived_before`: an agent was here, so that a ledger that is not there is lost.
    """

    def __init__(self, path: str, clock: Clock, boot: str, read_only: bool = False, lived_before: bool = False,
                 kept_in: Callable[..., RecordFile] = RecordFile) -> None:
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
        self.wall_ahead = 0                         # seconds by which the wall clock was set forward of our steady time
        self.steady = Steady(clock, clock.now(), clock.monotonic())
        self._file = kept_in(path, HEADER, self._everything, read_only)
        self._clamped: List[Attempt] = []           # dated in the future by another boot, and read as of now
        self._failing = False                       # told, and not again until a write succeeds
        self._caught_up_at = 0.0
        self._load(lived_before)

    # -- what is remembered

    def begin(self, remedy: Remedy, fault: Fault, subject: str, episode: str, identity: str, shadow: bool = False,
              by: str = "agent") -> Attempt:
        """Write the intent before the deed, so that a crash still spends the budget. Raises OSError where it is not durable."""
        attempt = self._next(remedy, fault, subject, episode, identity, shadow, by)
        self._write(attempt_entry(attempt), durable=True)
        self.attempts[attempt.id] = attempt
        return attempt

    def begin_finishing(self, left: Attempt, remedy: Remedy, fault: Fault) -> Attempt:
        """What only brings `left` to its end: that one's intent is durable, so this one is written when there is room."""
        attempt = self._next(remedy, fault, "", left.episode, left.identity, False, "finish")
        self._attempt_to(lambda: self._write(attempt_entry(attempt), durable=True))
        self.attempts[attempt.id] = attempt
        return attempt

    def _next(self, remedy: Remedy, fault: Fault, subject: str, episode: str, identity: str, shadow: bool, by: str) -> Attempt:
        number = max(self.attempts, default=0) + 1
        return Attempt(number, remedy, fault, subject, episode, self.steady.now(), self.boot, identity, shadow, by)

    def update(self, attempt: Attempt) -> None:
        """Its end, or its outcome. A failure to write is told by `damage`, and stops nothing."""
        self._try(attempt_entry(attempt))
        self.attempts[attempt.id] = attempt

    def open_episode(self) -> Episode:
        number, now = self.last_episode + 1, self.steady.now()
        self._try(episode_entry(number, now))
        self.last_episode, self.episode = number, Episode(f"E-{number}", now)
        return self.episode

    def close_episode(self) -> None:
        self._try(closed_entry(self.last_episode))
        self.episode = None

    def set_pause(self, pause: Optional[Pause]) -> None:
        """Durable: raises OSError, for an operator who asked for quiet must not be told yes in vain."""
        self._write(pause_entry(pause), durable=True)
        self.pause = pause

    def saw(self, hmc: KnownHmc) -> None:
        if self.known.get(hmc.address) != hmc:
            self._try(hmc_entry(hmc))
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
        """Write what could not be written when it was told, tried once a minute; asked at every pulse, which also notes a wall
        clock that was set."""
        self._note_wall()
        now = self.steady.clock.monotonic()
        if self._file.behind and now - self._caught_up_at >= CATCH_UP_SECONDS:
            self._caught_up_at = now
            self._attempt_to(self._file.replace)

    def _note_wall(self) -> None:
        ahead = round((self.steady.clock.now() - self.steady.now()).total_seconds())
        if abs(ahead - self.wall_ahead) >= WALL_SET_SECONDS:
            self._try({"k": "wall", "ahead": ahead})
            self.wall_ahead = ahead

    def moment(self, name: str) -> Optional[datetime]:
        """A time remembered in this boot."""
        value = self.facts.get(name)
        return time_of(value["at"]) if isinstance(value, dict) and self.boot and value.get("boot") == self.boot else None

    def remember_moment(self, name: str, at: Optional[datetime]) -> None:
        self.remember(name, {"at": text_of(at), "boot": self.boot} if at else None)

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
                self._try(attempt_entry(attempt))

    def _understand(self, records: List[Record]) -> None:
        try:
            for record in records:
                self._fold(record)
            self._take_anchor(records)
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
        self.wall_ahead = 0

    def _take_anchor(self, records: Sequence[Record]) -> None:
        """This boot's first sight of the wall clock, so that a clock set since then moves no age.

        One that was set forward in the boot before is still as much ahead: what was begun then is no older for it. One that was
        set back is taken at its word, for what lies in the future then is taken as of now.
        """
        clock = self.steady.clock
        self.steady = Steady(clock, clock.now() - timedelta(seconds=max(0, self.wall_ahead)), clock.monotonic())
        for record in records:
            if self._is_of_this_boot(record):
                steady = Steady(self.steady.clock, time_of(record["wall"]), float(record["monotonic"]))
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
            self.attempts[int(record["id"])] = attempt_from(record)
        elif kind == "episode":
            self.last_episode = int(record["n"])
            self.episode = Episode(f"E-{self.last_episode}", time_of(record["at"]))
        elif kind == "closed":
            self.last_episode, self.episode = int(record["n"]), None
        elif kind == "pause":
            self.pause = Pause(time_of(record["until"]), str(record["reason"]), str(record["by"])) if record["until"] else None
        elif kind == "hmc":
            address, name, node_id = (word(record[key]) for key in ("address", "name", "node_id"))
            moments = (maybe_time(record.get(key)) for key in ("first_seen", "last_up", "last_answered"))
            self.known[address] = KnownHmc(address, name, node_id, *moments)
        elif kind == "decided":
            self.decisions = [*self.decisions, dict(record["entry"])][-KEPT_DECISIONS:]
        elif kind == "fact":
            self._set_fact(str(record["name"]), fact(record["name"], record["value"]))
        elif kind == "wall":
            self.wall_ahead = whole(record["ahead"])
        elif kind == "spent":
            self.spent_at = time_of(record["at"])

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
        anchor = self.steady
        return {"k": "boot", "boot": self.boot, "wall": text_of(anchor.anchor_wall), "monotonic": anchor.anchor_monotonic}

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
            HEADER, self._anchor_record(), {"k": "wall", "ahead": self.wall_ahead},
            *([{"k": "spent", "at": text_of(self.spent_at)}] if self.spent_at is not None else ()),
            *(attempt_entry(attempt) for attempt in self.attempts.values()),
            episode_entry(self.last_episode, self.episode.opened_at) if self.episode else closed_entry(self.last_episode),
            pause_entry(self.pause),
            *(hmc_entry(hmc) for hmc in self.known.values()),
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
