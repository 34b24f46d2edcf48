"""A folder of captured answers, or the archive that `collect` wrote, behind the Host protocol: read whole, bounded, once."""
from __future__ import annotations

import os
import re
import stat
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatch
from typing import IO, Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from rmcagent.frozen import dataclass, replace
from rmcagent.model import Answer, Deed, Fact, Gap, How, KnownHmc, Platform, Progress, Space, View, Vitals
from rmcagent.partition.bundle import archive, names
from rmcagent.partition.host import FileStat
from rmcagent.partition.logs.census import census
from rmcagent.partition.parse.lines import clean
from rmcagent.partition.system.run import answer_id

MOST_FILES = 4096
LARGEST_FILE = 4 << 20           # kept of one; an answer beyond it is cut
LARGEST_WHOLE = 64 << 20         # of an archive, packed or not
MOST_COUNTED = 4 << 20           # of the logs, for the census
MOST_NOTES = 32
LOG_PATTERN = "/bundle/log/*"    # what LogWatch is told to look for
YEARS = range(1990, 2200)        # what a file's time may be; tar can say anything
UNENDED = "did not end by itself"


class CannotRead(OSError):
    """Its text is the sentence."""


@dataclass(frozen=True)
class Captured:
    content: bytes
    modified: float = 0.0
    cut: bool = False


class BundleClock:
    """Time stands still at the moment the answers were taken."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        pass


class BundleHost:
    """The partition as its captured answers tell; remembers what it was asked and could not say."""

    def __init__(self, name: str, kind: str, files: Mapping[str, Captured], notes: Sequence[str] = ()) -> None:
        self.name, self.kind, self.notes = name, kind, list(notes)
        self._files = files
        self._answers: Dict[str, Captured] = {}
        for file in sorted(files):
            answer = names.answered_by(file)
            if answer in self._answers:
                self.notes.append(f"{file} was not read: another file answers {answer} too")
            elif answer:
                self._answers[answer] = files[file]
        self._index = names.index(self._text(names.INDEX))
        self._vitals = names.pairs(self._text(names.VITALS))
        texts = {answer: _decoded(one) for answer, one in self._answers.items()}
        self.platform: Platform = names.platform_of(texts, self._vitals)
        self.missing: Dict[str, str] = {}       # what was asked for: the file that would have told
        self.taken_at = self._taken_at()
        # errpt and the policy's windows speak the partition's local time: ours is set to show the same.
        self.clock = BundleClock(self.taken_at.replace(tzinfo=None).astimezone().astimezone(timezone.utc))

    @property
    def answers(self) -> Tuple[str, ...]:
        return tuple(self._answers)

    def shown(self, moment: datetime) -> datetime:
        """A time of this host's clock as the partition's own clock showed it."""
        return moment - self.clock.moment + self.taken_at

    def known(self) -> Tuple[KnownHmc, ...]:
        """The HMCs that the agent there had ever seen, where the bundle holds what it published."""
        import json

        try:
            document = json.loads(self._text(names.STATUS))
        except (ValueError, RecursionError):
            return ()
        rows = document.get("known_hmcs") if isinstance(document, dict) else None
        found = [row for row in rows if isinstance(row, dict) and row.get("address")] if isinstance(rows, list) else []
        return tuple(
            KnownHmc(_word(row, "address"), _word(row, "name"), _word(row, "node_id"),
                     first_seen=_moment(row.get("first_seen")), last_up=_moment(row.get("last_up")))
            for row in found[:64]
        )

    def completed(self, view: View) -> View:
        """The view with what a first look leaves out: what the logs say, and which answers are not here."""
        if view.snapshot is None:
            return view
        absent = {asked: f"{file} is not in this {self.kind}" for asked, file in self.missing.items()}
        if not self._has_ps():
            absent["ps"] = f"{names.PROCESSES} is not in this {self.kind}: no other command is taken to be at work"
        told = [replace(gap, because=absent.pop(gap.about)) if gap.about in absent else gap for gap in view.snapshot.gaps]
        told += [Gap(about, because) for about, because in absent.items()]
        told += [Gap(self.name, note) for note in self.notes[:MOST_NOTES]]
        logs = view.snapshot.logs
        tails = b"\n".join(one.content for _, one in self._logs())[-MOST_COUNTED:]
        if tails.strip():
            # How fast it grew cannot be told from its end: it is told of, and was not diagnosed.
            logs = Fact(How.SEEN, census(tails), "the end of the logs, without rates", "logs", view.taken_at)
        return replace(view, next_look=None, snapshot=replace(view.snapshot, logs=logs, gaps=tuple(dict.fromkeys(told))))

    def plainly(self, told: Any) -> Any:
        """A document in which an answer that was not captured is called that, and not a command that did not end."""
        if isinstance(told, dict):
            return {key: self.plainly(value) for key, value in told.items()}
        if isinstance(told, list):
            return [self.plainly(value) for value in told]
        for asked, file in self.missing.items() if isinstance(told, str) and UNENDED in told else ():
            # By its id, or as it is typed.
            untold = rf"cannot read {re.escape(asked)}: it {UNENDED}|{' -?'.join(map(re.escape, asked.split('-')))} {UNENDED}"
            told = re.sub(untold, f"{file} is not in this {self.kind}".replace("\\", r"\\"), told)
        return told

    def described(self) -> Mapping[str, Any]:
        absent = [*self.missing.values(), *([] if self._has_ps() else [names.PROCESSES])]
        return {"name": self.name, "kind": self.kind, "taken_at": self.taken_at.isoformat(timespec="seconds"),
                "missing": absent, "notes": self.notes[:MOST_NOTES], "waits": "over"}

    # -- the Host protocol

    def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
        asked, command = answer_id(argv), os.path.basename(argv[0])
        name = asked if asked in self._answers else names.also_told_by(asked, self._answers)
        said = self._answers.get(name or "")
        exit_code, note = self._index.get(name or asked, ("0", ""))
        if said is None:
            return self._not_here(asked, argv, note)
        text = _decoded(said)
        refusal = names.refused(command, text)
        if refusal == 127 and asked in names.OPTIONAL:
            return Answer(asked, missing=True)
        number = int(exit_code) if re.fullmatch("[0-9]{1,3}", exit_code) else None
        stderr = self._text(f"{names.ERRORS}{name}.txt")
        return Answer(asked, number if refusal is None else refusal, text, stderr, timed_out=names.TIMED_OUT in note,
                      cut=said.cut or len(said.content) > keep or note == names.CUT)

    def _not_here(self, asked: str, argv: Sequence[str], note: str) -> Answer:
        """Not captured is not the same as not installed."""
        if note == names.NOT_INSTALLED:
            return Answer(asked, missing=True)
        if asked.startswith("lssrc-s-") and asked != "lssrc-s-ctrmc" and "lssrc-a" in self._answers:
            # `lssrc -a` lists all that is on file: the live agent asks again, here one look must do.
            return Answer(asked, 1, f"0513-085 The {argv[-1]} Subsystem is not on file.\n")
        self.missing[asked] = f"{asked}.txt"
        if asked in names.OPTIONAL:
            return Answer(asked, missing=True)
        return Answer(asked)            # no exit code: some commands say with theirs what is wrong

    def watch(self, pids: Sequence[int]) -> None:
        pass

    def exists(self, path: str) -> bool:
        """Nothing is called absent that was not said to be."""
        return path not in self._vitals.get("absent", "").split()

    def read_from(self, path: str, offset: int, limit: int) -> Optional[bytes]:
        logs = {log: one for log, one in self._logs()}
        said = logs.get(path) or self._files.get(names.FILES.get(path, ""))
        if path in names.FILES and said is None and self.exists(path):
            self.missing[path] = names.FILES[path]
        return None if said is None else said.content[offset:offset + limit]

    def files(self, pattern: str) -> Tuple[FileStat, ...]:
        return tuple(FileStat(path, len(one.content), 0, number) for number, (path, one) in enumerate(self._logs(), 1)
                     if fnmatch(path, pattern))

    def space(self, path: str) -> Optional[Space]:
        size, free = names.spaces(self._text(names.SPACE)).get(path, (0, 0))
        return Space(path, size, free) if size else None

    def alive(self, pid: int) -> Optional[bool]:
        return None

    def reach(self, addresses: Sequence[str], ports: Sequence[int], timeout: float) -> Mapping[str, Optional[bool]]:
        return dict.fromkeys(addresses)

    def vitals(self, rmcctrl: str) -> Vitals:
        """May act: what holds the reader of a bundle does not hold the agent there."""
        seconds = self._vitals.get("up_for", "")
        return Vitals(self._vitals.get("boot", ""), self._vitals.get("identity", ""),
                      timedelta(seconds=int(seconds)) if re.fullmatch("[0-9]{1,10}", seconds) else None,
                      may_act=True, in_wpar=self._vitals.get("in_wpar") == "yes")

    def processes(self) -> Optional[Mapping[str, Tuple[int, ...]]]:
        """Nobody, where none were captured: the wait for others at work is taken as over, like all waits."""
        captured = names.processes(self._text(names.PROCESSES)) if self._has_ps() else ()
        return None if captured is None else {name: () for name in captured}

    def runs(self, names: Sequence[str]) -> Optional[Tuple[str, ...]]:
        """A captured list names no owners."""
        running = self.processes()
        return None if running is None else tuple(name for name in names if name in running)

    def begin(self, deed: Deed, folder: str) -> None:
        raise OSError("cannot act on captured answers")

    def progress(self, attempt: int, folder: str) -> Optional[Progress]:
        return None

    def forget(self, attempt: int, folder: str) -> None:
        pass

    def locked(self, path: str) -> Optional[bool]:
        return {"held": True, "free": False}.get(self._vitals.get("dr_lock", ""))

    # -- its files

    def _text(self, file: str) -> str:
        return _decoded(self._files[file]) if file in self._files else ""

    def _has_ps(self) -> bool:
        return names.PROCESSES in self._files

    def _logs(self) -> Iterator[Tuple[str, Captured]]:
        for file in sorted(self._files):
            if file.startswith(names.LOGS):
                yield LOG_PATTERN.replace("*", file[len(names.LOGS):]), self._files[file]

    def _taken_at(self) -> datetime:
        told = _moment(self._vitals.get("taken_at"))
        if told is not None:
            return told
        newest = max((one.modified for one in self._answers.values()), default=0.0)
        try:
            moment = datetime.fromtimestamp(newest, timezone.utc).astimezone()
        except (ValueError, OverflowError, OSError):
            moment = datetime.min.replace(tzinfo=timezone.utc)
        if moment.year in YEARS:
            return moment
        self.notes.append("its files tell no time: it is read as of now")
        return datetime.now(timezone.utc).astimezone()


def _word(row: Mapping[str, Any], key: str) -> str:
    return clean(str(row.get(key) or ""))


def _moment(text: Any) -> Optional[datetime]:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None and moment.year in YEARS else None


def _decoded(said: Captured) -> str:
    return said.content.decode("utf-8", "replace")


def open_bundle(path: str) -> BundleHost:
    """Read a folder or an archive. Raises CannotRead where it is none, or holds no answer."""
    notes: List[str] = []
    name = clean(os.path.basename(os.path.abspath(path)))
    try:
        mode = os.stat(path).st_mode
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            raise CannotRead(f"cannot read {path}: it is neither a folder nor an archive")
        kind = "folder" if stat.S_ISDIR(mode) else "bundle"
        files = _folder(path, notes) if kind == "folder" else _archive(path, notes)
    except CannotRead:
        raise
    except (OSError, ValueError) as problem:           # ValueError: a NUL in the name
        reason = getattr(problem, "strerror", None) or problem
        raise CannotRead(f"cannot read {path}: {reason}; give a folder of captured answers, or a bundle of collect") from None
    host = BundleHost(name, kind, files, notes)
    if not host.answers:
        raise CannotRead(f"cannot read {path}: no file in it is an answer; expected are names like {names.EXAMPLES}")
    return host


# ---- a folder ----------------------------------------------------------------------------------------------------------

def _folder(path: str, notes: List[str]) -> Dict[str, Captured]:
    """The files that are answers or tell of them, and those in logs and errors; links and special files are left alone."""
    files: Dict[str, Captured] = {}
    looked_at = 0
    for below in ("", names.LOGS, names.ERRORS):
        folder = os.path.join(path, below)
        if below and (os.path.islink(folder.rstrip("/")) or not os.path.isdir(folder)):
            continue
        with os.scandir(folder) as entries:
            for entry in entries:
                looked_at += 1
                if looked_at > MOST_FILES:
                    raise CannotRead(f"cannot read {path}: more than {MOST_FILES} files; give a folder of captured answers only")
                if below or names.answered_by(entry.name) or entry.name in names.SPECIAL:
                    one = _plain_file(entry.path, from_end=below == names.LOGS)
                    if one is not None:
                        files[below + entry.name] = one
                    elif not below:
                        notes.append(f"{clean(entry.name)} was not read: it is no plain file, or may not be read")
                if sum(len(one.content) for one in files.values()) > LARGEST_WHOLE:
                    raise CannotRead(f"cannot read {path}: it holds more than {LARGEST_WHOLE >> 20} MiB")
    return files


def _plain_file(path: str, from_end: bool) -> Optional[Captured]:
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY)
    except OSError:
        return None
    try:
        with open(number, "rb") as opened:
            status = os.fstat(opened.fileno())
            if not stat.S_ISREG(status.st_mode):
                return None
            opened.seek(max(0, status.st_size - LARGEST_FILE) if from_end else 0)
            content = opened.read(LARGEST_FILE + 1)
    except OSError:
        return None
    return Captured(content[:LARGEST_FILE], status.st_mtime, cut=len(content) > LARGEST_FILE)


# ---- an archive --------------------------------------------------------------------------------------------------------

def _archive(path: str, notes: List[str]) -> Dict[str, Captured]:
    """The plain files of a tar archive, by their cleaned names; nothing is written anywhere."""
    import gzip
    import struct
    import zlib

    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), "rb") as packed:
            zipped = packed.read(2) == b"\x1f\x8b"
            packed.seek(0)
            stream: Any = gzip.GzipFile(fileobj=packed) if zipped else packed
            return _without_top(dict(_members(path, _Bounded(path, stream), notes)))
    except archive.Refused as reason:
        raise CannotRead(f"cannot read {path}: {reason}") from None
    except CannotRead:
        raise
    # Whatever is made of a damaged archive, here and by what unpacks it, is one of these.
    except (zlib.error, struct.error, EOFError, OSError, ValueError) as problem:
        raise CannotRead(f"cannot read {path}: it is no tar archive, or a damaged one "
                         f"({clean(str(problem))[:80] or type(problem).__name__})") from None


def _members(path: str, stream: _Bounded, notes: List[str]) -> Iterator[Tuple[str, Captured]]:
    seen = set()
    skipped = 0
    for number, member in enumerate(archive.members(stream.read, LARGEST_FILE + 1, LARGEST_WHOLE)):
        if number >= MOST_FILES:
            raise CannotRead(f"cannot read {path}: it has more than {MOST_FILES} members")
        if member.is_folder:
            continue
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        name = "/".join(parts)
        if not member.is_file or member.name.startswith("/") or ".." in parts or name in seen:
            skipped += 1
            continue
        seen.add(name)
        yield name, Captured(member.content[:LARGEST_FILE], member.modified, cut=len(member.content) > LARGEST_FILE)
    if skipped:
        notes.append(f"{skipped} of its members were not read: no plain files, twice there, or named to lie outside it")


def _without_top(files: Dict[str, Captured]) -> Dict[str, Captured]:
    """An archive may hold one folder, with everything in it."""
    tops = {name.partition("/")[0] for name in files}
    inside = len(tops) == 1 and all("/" in name for name in files) and not tops & {names.LOGS[:-1], names.ERRORS[:-1]}
    return {name.partition("/")[2]: one for name, one in files.items()} if inside else files


class _Bounded:
    """Reads an archive to its bound and no further; owns how much is left."""

    def __init__(self, path: str, stream: IO[bytes]) -> None:
        self.path, self.stream, self.left = path, stream, LARGEST_WHOLE

    def read(self, size: int) -> bytes:
        data = self.stream.read(min(size, self.left + 1))
        self.left -= len(data)
        if self.left < 0:
            raise CannotRead(f"cannot read {self.path}: it unpacks to more than {LARGEST_WHOLE >> 20} MiB")
        return data
