"""What must survive the daemon and a reboot: attempts (intent before deed), episodes, pauses, HMCs once seen, decisions.

`ledger.jsonl` is append-only, a checksum a line, fsync before a deed, compacted by rename. A torn tail is dropped and told;
a corrupt one is set aside, and every budget counts as spent from that moment on, as where it is gone. One that cannot be read,
or that a newer rmcagent wrote, is left as it is.
"""
from __future__ import annotations

import os
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
    seconds,
    text_of,
    time_of,
    word,
)
from rmcagent.frozen import replace
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
EARLIEST = datetime(1901, 1, 1, tzinfo=timezone.utc)     # that a record may tell


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
        self.paused_at: Optional[datetime] = None   # when the pause began: its length holds, whatever the clocks say
        self.wall_ahead = 0                         # seconds by which the next boot's clock is ahead, should it keep its time
        self.wall_at: Optional[datetime] = None     # what the wall clock said when that was noted
        self.carried = 0                            # seconds by which this boot's clock was ahead when it was first seen
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
        begun_at = self.steady.now()
        self._write(pause_entry(pause, begun_at), durable=True)
        self.pause, self.paused_at = pause, begun_at

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
        """Durably: what was set forward may be set right by a power failure. A clock that is behind at every boot, and set
        forward in each, must not add up."""
        wall = self.steady.clock.now()
        ahead = round((wall - self.steady.now()).total_seconds())
        if ahead > self.carried:
            ahead = max(ahead - self.carried, self.carried)
        if abs(ahead - self.wall_ahead) >= WALL_SET_SECONDS:
            self.wall_ahead, self.wall_at = ahead, wall
            self._attempt_to(lambda: self._write(self._wall_record(), durable=True))

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
        if self.read_only:
            return
        self._note_wall()
        if not self._is_anchored(records):
            self._try(self._anchor_record())
            if self.pause is not None:
                self._try(pause_entry(self.pause, self.paused_at))
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
        self.episode = self.pause = self.wall_at = None
        self.wall_ahead = 0

    def _take_anchor(self, records: Sequence[Record]) -> None:
        """This boot's first sight of the wall clock, so that a clock set since then moves no age.

        One that was set forward in the boot before, and kept that, is still as much ahead: what was begun then is no older for
        it. Any other is taken at its word, for what lies in the future then is taken as of now.
        """
        clock = self.steady.clock
        wall = clock.now()
        self.carried = max(0, self.wall_ahead) if wall >= self._newest_moment(records) else 0
        if timedelta(seconds=self.carried) > wall - EARLIEST:
            self.carried = 0
        self.steady = Steady(clock, wall - timedelta(seconds=self.carried), clock.monotonic())
        for record in records:
            if self._is_of_this_boot(record):
                steady = Steady(self.steady.clock, time_of(record["wall"]), float(record["monotonic"]))
                steady.now()           # may overflow, and must not when somebody asks
                self.steady, self.carried = steady, seconds(record.get("ahead", 0))

    def _newest_moment(self, records: Sequence[Record]) -> datetime:
        """A clock that is before it lost its time since, and with it what it was set forward by."""
        begun = (attempt.begun_at for attempt in self.attempts.values())
        booted = (time_of(record["wall"]) for record in records if record["k"] == "boot")
        return max((self.wall_at or LONG_AGO, *begun, *booted))

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
        now = self.steady.now()
        if self.spent_at is not None and self.spent_at > now:
            self.spent_at = latest
        if self.pause is not None and self.paused_at is not None and self.paused_at > now:
            self.pause = replace(self.pause, until=now + max(timedelta(0), self.pause.until - self.paused_at))
            self.paused_at = now
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
            self.paused_at = maybe_time(record.get("at"))
        elif kind == "hmc":
            address, name, node_id = (word(record[key]) for key in ("address", "name", "node_id"))
            moments = (maybe_time(record.get(key)) for key in ("first_seen", "last_up", "last_answered"))
            self.known[address] = KnownHmc(address, name, node_id, *moments)
        elif kind == "decided":
            self.decisions = [*self.decisions, dict(record["entry"])][-KEPT_DECISIONS:]
        elif kind == "fact":
            self._set_fact(str(record["name"]), fact(record["name"], record["value"]))
        elif kind == "wall":
            self.wall_ahead, self.wall_at = seconds(record["ahead"]), maybe_time(record.get("at"))
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
        return {"k": "boot", "boot": self.boot, "wall": text_of(anchor.anchor_wall), "monotonic": anchor.anchor_monotonic,
                "ahead": self.carried}

    def _wall_record(self) -> Mapping[str, Any]:
        return {"k": "wall", "ahead": self.wall_ahead, "at": text_of(self.wall_at)}

    def _newest_hmcs(self) -> Dict[str, KnownHmc]:
        """Those heard of last, in the order in which all were: an answer that names ever new ones must not fill memory."""
        last_heard_of = {hmc.address: hmc.last_up or hmc.first_seen or LONG_AGO for hmc in self.known.values()}
        newest = set(sorted(self.known, key=last_heard_of.__getitem__)[-KEPT_HMCS:])
        return {address: hmc for address, hmc in self.known.items() if address in newest}

    def _everything(self) -> List[Mapping[str, Any]]:
        """All that still matters; the rest is forgotten here as well."""
        young = self.steady.now() - KEPT_FOR
        newest = set(sorted(self.attempts)[-KEPT_ATTEMPTS:])
        self.attempts = {number: attempt for number, attempt in sorted(self.attempts.items())
                         if attempt.begun_at > young or number in newest}
        self.known = self._newest_hmcs()
        return [
            HEADER, self._anchor_record(), self._wall_record(),
            *([{"k": "spent", "at": text_of(self.spent_at)}] if self.spent_at is not None else ()),
            *(attempt_entry(attempt) for attempt in self.attempts.values()),
            episode_entry(self.last_episode, self.episode.opened_at) if self.episode else closed_entry(self.last_episode),
            pause_entry(self.pause, self.paused_at),
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
