"""What must survive the daemon, a restart and a reboot: attempts (intent before deed), episodes, pauses, HMCs once seen, decisions.

`ledger.jsonl` is append-only, a checksum a line, fsync before a deed, compacted by rename. A torn tail is dropped and told;
a corrupt one is set aside, and every budget counts as spent from that moment on.
"""
from __future__ import annotations

import json
import os
from binascii import crc32
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Dict, List, Mapping, Optional, Tuple

from rmcagent.clock import Clock, Steady
from rmcagent.model import Attempt, Episode, Fault, KnownHmc, Outcome, Pause, Remedy

VERSION = 1
COMPACT_AT = 512 * 1024
LARGEST = 1024 * 1024
KEPT_ATTEMPTS = 256             # and every one young enough to count in a budget of 30 days
KEPT_DECISIONS = 40
KEPT_HMCS = 64
KEPT_FOR = timedelta(days=31)


class Ledger:
    """The agent's memory on disk. Only the daemon that holds the lock writes it; `read_only` looks without creating anything."""

    def __init__(self, path: str, clock: Clock, boot: str, read_only: bool = False) -> None:
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
        self._anchored = False
        self._size = 0
        self._load()

    # -- what is remembered

    def begin(self, remedy: Remedy, fault: Fault, subject: str, episode: str, identity: str, shadow: bool = False, by: str = "agent") -> Attempt:
        """Write the intent before the deed, so that a crash still spends the budget. Raises OSError when it cannot be made durable."""
        number = max(self.attempts, default=0) + 1
        attempt = Attempt(number, remedy, fault, subject, episode, self.steady.now(), self.boot, identity, shadow, by)
        self._write(_attempt(attempt), durable=True)
        self.attempts[number] = attempt
        return attempt

    def update(self, attempt: Attempt) -> None:
        """Its end, or its outcome. A failure to write is told by `damage`, and stops nothing."""
        self.attempts[attempt.id] = attempt
        self._try(_attempt(attempt))

    def open_episode(self) -> Episode:
        self.last_episode += 1
        self.episode = Episode(f"E-{self.last_episode}", self.steady.now())
        self._try({"k": "episode", "n": self.last_episode, "at": _text(self.episode.opened_at)})
        return self.episode

    def close_episode(self) -> None:
        self.episode = None
        self._try({"k": "closed", "n": self.last_episode})

    def set_pause(self, pause: Optional[Pause]) -> None:
        """Durable: raises OSError, for an operator who asked for quiet must not be told yes in vain."""
        self._write(_pause(pause), durable=True)
        self.pause = pause

    def saw(self, hmc: KnownHmc) -> None:
        if self.known.get(hmc.address) != hmc:
            self.known[hmc.address] = hmc
            self._try(_known(hmc))

    def decided(self, entry: Mapping[str, Any]) -> None:
        self.decisions = [*self.decisions, entry][-KEPT_DECISIONS:]
        self._try({"k": "decided", "entry": entry})

    def remember(self, name: str, value: Any) -> None:
        """Something small under a name; None forgets it."""
        if self.facts.get(name) != value:
            self.facts[name] = value
            self._try({"k": "fact", "name": name, "value": value})

    def moment(self, name: str) -> Optional[datetime]:
        """A time remembered in this boot."""
        value = self.facts.get(name)
        return _time(value["at"]) if isinstance(value, dict) and value.get("boot") == self.boot else None

    def remember_moment(self, name: str, at: Optional[datetime]) -> None:
        self.remember(name, {"at": _text(at), "boot": self.boot} if at else None)

    # -- reading

    def _load(self) -> None:
        if not self.read_only:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        try:
            with open(self.path, "rb") as file:
                content = file.read(2 * LARGEST)
        except FileNotFoundError:
            self._start()
            return
        except OSError as problem:
            self._lost(f"cannot read {self.path}: {problem.strerror}")
            return
        records, good = _records(content)
        self._size = good
        if records is None or not records or records[0].get("v") != VERSION:
            self._set_aside(_what_is_wrong(records))
            return
        if good < len(content) and not self.read_only:
            self.torn = True
            os.truncate(self.path, good)
        try:
            self._anchor(records)
            for record in records:
                self._fold(record)
        except (KeyError, ValueError, TypeError, AttributeError) as problem:
            self._forget()
            self._set_aside(f"a record is not understood ({type(problem).__name__})")
            return
        self._clamp()
        if not self._anchored:
            self._write_anchor()

    def _start(self) -> None:
        if self.read_only:
            return
        self._write({"k": "ledger", "v": VERSION})
        self._write_anchor()
        if self.spent_at is not None:
            self._write({"k": "spent", "at": _text(self.spent_at)}, durable=True)

    def _set_aside(self, reason: str) -> None:
        """Keep the damaged file for a human, start a new one, and count every budget as spent."""
        self._lost(f"{self.path}: {reason}")
        if self.read_only or reason.startswith("it is from a newer"):
            return
        for number in range(1, 10):
            aside = f"{self.path}.damaged-{number}"
            if not os.path.exists(aside) or number == 9:
                os.replace(self.path, aside)
                self.damage += f"; set aside as {aside}"
                break
        self._size = 0
        self._start()

    def _lost(self, reason: str) -> None:
        self.damage = reason
        self.spent_at = self.steady.now()

    def _forget(self) -> None:
        self.attempts, self.known, self.facts, self.decisions = {}, {}, {}, []
        self.episode = self.pause = None

    def _anchor(self, records: List[Dict[str, Any]]) -> None:
        """This boot's first sight of the wall clock, so that a clock set since then moves no age."""
        for record in records:
            if record["k"] == "boot" and record["boot"] == self.boot:
                self.steady = Steady(self.steady.clock, _time(record["wall"]), float(record["monotonic"]))
                self._anchored = True

    def _clamp(self) -> None:
        """What another boot dated in the future happened when this boot first read it."""
        latest = self.steady.anchor_wall
        for number, attempt in self.attempts.items():
            if attempt.boot != self.boot:
                ended = min(attempt.ended_at, latest) if attempt.ended_at else None
                self.attempts[number] = replace(attempt, begun_at=min(attempt.begun_at, latest), ended_at=ended)
        if self.spent_at is not None:
            self.spent_at = min(self.spent_at, self.steady.now())

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
            self.known[record["address"]] = KnownHmc(record["address"], record["name"], record["node_id"], _maybe(record["first_seen"]), _maybe(record["last_up"]))
        elif kind == "decided":
            self.decisions = [*self.decisions, dict(record["entry"])][-KEPT_DECISIONS:]
        elif kind == "fact":
            self.facts[str(record["name"])] = record["value"]
        elif kind == "spent":
            self.spent_at = _time(record["at"])

    # -- writing

    def _try(self, record: Mapping[str, Any]) -> None:
        try:
            self._write(record)
        except OSError as problem:
            self.damage = self.damage or f"cannot write {self.path}: {problem.strerror}"

    def _write(self, record: Mapping[str, Any], durable: bool = False) -> None:
        if self.read_only:
            raise PermissionError(1, "opened for reading only", self.path)
        line = _line(record)
        if self._size + len(line) > COMPACT_AT:
            self._compact()
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            self._append(file, line)
            if durable:
                os.fsync(file)
        finally:
            os.close(file)
        if durable:
            _sync_folder(self.path)
        self._size += len(line)

    def _append(self, file: int, line: bytes) -> None:
        """All of it or nothing: half a line would make the next one part of it."""
        before = os.fstat(file).st_size
        try:
            written = os.write(file, line)
            if written != len(line):
                raise OSError(28, "no space left for a whole line", self.path)
        except OSError:
            os.ftruncate(file, before)
            raise

    def _write_anchor(self) -> None:
        if self.read_only:
            return
        self._anchored = True
        self._try(self._anchor_record())

    def _anchor_record(self) -> Mapping[str, Any]:
        return {"k": "boot", "boot": self.boot, "wall": _text(self.steady.anchor_wall), "monotonic": self.steady.anchor_monotonic}

    def _compact(self) -> None:
        """Write what still matters into a new file, and put it in the old one's place."""
        young = self.steady.now() - KEPT_FOR
        numbers = sorted(self.attempts)
        kept = [self.attempts[number] for number in numbers if self.attempts[number].begun_at > young or number in numbers[-KEPT_ATTEMPTS:]]
        records: List[Mapping[str, Any]] = [{"k": "ledger", "v": VERSION}, self._anchor_record()]
        if self.spent_at is not None:
            records.append({"k": "spent", "at": _text(self.spent_at)})
        records += [_attempt(attempt) for attempt in kept]
        records.append({"k": "episode", "n": self.last_episode, "at": _text(self.episode.opened_at)} if self.episode else {"k": "closed", "n": self.last_episode})
        records.append(_pause(self.pause))
        records += [_known(hmc) for hmc in list(self.known.values())[-KEPT_HMCS:]]
        records += [{"k": "fact", "name": name, "value": value} for name, value in self.facts.items()]
        records += [{"k": "decided", "entry": entry} for entry in self.decisions]
        content = b"".join(_line(record) for record in records)
        fresh = f"{self.path}.new"
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            self._append(file, content)
            os.fsync(file)
        finally:
            os.close(file)
        os.replace(fresh, self.path)
        _sync_folder(self.path)
        self.attempts = {attempt.id: attempt for attempt in kept}
        self._size = len(content)


def _records(content: bytes) -> Tuple[Optional[List[Dict[str, Any]]], int]:
    """(records, how many bytes of them are good); records is None when a line before the last is corrupt."""
    lines = content.split(b"\n")
    records: List[Dict[str, Any]] = []
    good = 0
    for index, line in enumerate(lines[:-1]):
        record = _record(line)
        if record is None:
            last = index == len(lines) - 2 and lines[-1] == b""
            return (records, good) if last else (None, 0)
        records.append(record)
        good += len(line) + 1
    return records, good


def _record(line: bytes) -> Optional[Dict[str, Any]]:
    checksum, _, text = line.partition(b" ")
    try:
        if int(checksum, 16) != crc32(text):
            return None
        record = json.loads(text)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("k"), str) else None


def _line(record: Mapping[str, Any]) -> bytes:
    text = json.dumps(record, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    return b"%08x %s\n" % (crc32(text), text)


def _what_is_wrong(records: Optional[List[Dict[str, Any]]]) -> str:
    if records is None:
        return "a line's checksum is wrong"
    version = records[0].get("v") if records else None
    if isinstance(version, int) and version > VERSION:
        return f"it is from a newer rmcagent (version {version}); install that one, or move the file away"
    return "it does not begin as a ledger does"


def _attempt(attempt: Attempt) -> Dict[str, Any]:
    return {
        "k": "attempt", "id": attempt.id, "remedy": attempt.remedy.value, "fault": attempt.fault.value, "subject": attempt.subject,
        "episode": attempt.episode, "begun_at": _text(attempt.begun_at), "boot": attempt.boot, "identity": attempt.identity,
        "shadow": attempt.shadow, "by": attempt.by, "ended_at": _text(attempt.ended_at),
        "outcome": attempt.outcome.value if attempt.outcome else None, "because": attempt.because,
    }


def _attempt_from(record: Mapping[str, Any]) -> Attempt:
    return Attempt(
        int(record["id"]), Remedy(record["remedy"]), Fault(record["fault"]), str(record["subject"]), str(record["episode"]), _time(record["begun_at"]),
        str(record["boot"]), str(record["identity"]), bool(record["shadow"]), str(record["by"]), _maybe(record["ended_at"]),
        Outcome(record["outcome"]) if record["outcome"] else None, str(record["because"]),
    )


def _pause(pause: Optional[Pause]) -> Dict[str, Any]:
    return {"k": "pause", "until": _text(pause.until) if pause else None, "reason": pause.reason if pause else "", "by": pause.by if pause else ""}


def _known(hmc: KnownHmc) -> Dict[str, Any]:
    return {"k": "hmc", "address": hmc.address, "name": hmc.name, "node_id": hmc.node_id, "first_seen": _text(hmc.first_seen), "last_up": _text(hmc.last_up)}


def _text(moment: Optional[datetime]) -> Optional[str]:
    return moment.isoformat() if moment else None


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without its offset")
    return moment


def _maybe(text: Optional[str]) -> Optional[datetime]:
    return _time(text) if text else None


def _sync_folder(path: str) -> None:
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
