"""What RSCT's management domain logs say and how fast they grow: cursors that survive rotation, and a message census."""
from __future__ import annotations

import re
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Deque, Dict, List, Mapping, Optional, Tuple

from rmcagent.model import Fact, How, LogGrowth, Space

if TYPE_CHECKING:
    from rmcagent.partition.host import FileStat, Host

LONGEST_LINE = 8 << 10
HEAD_BYTES = 160             # a line's time has microseconds: two files that begin alike are one, copied
MOST_FILES = 256
MOST_TALLIES = 256
MOST_BUCKETS = 60            # of noise, over the span `within`
MOST_NUMBERS = 200           # distinct ones in a tally; a log of rubbish must not fill our memory
LOOKS_REMEMBERED = 10        # a file that is gone for a look or two is not a new one when it comes back

# number: (side, what it seems to mean). All texts were seen in admins' logs, no catalogue is public: [my inference].
MESSAGES: Mapping[str, Tuple[str, str]] = {
    "2613-008": ("unknown", "the HMC answered the key exchange with an error"),
    "2613-016": ("network", "the key exchange with the HMC timed out"),
    "2613-021": ("unknown", "the HMC answered with an error"),
    "2613-023": ("benign", "an HMC slot of the firmware is empty"),
    "2613-024": ("network", "no session with the HMC could be started in time"),
    "2613-027": ("echo", "sums up the error before it"),
    "2613-034": ("hmc", "the HMC could not define this partition as its managed node"),
}
# (outer, inner): side. What the HMC itself returned inside its answer decides whose fault it is [my inference].
COMBINATIONS: Mapping[Tuple[str, str], str] = {
    ("2613-021", "2610-415"): "hmc",
    ("2613-008", "2613-034"): "hmc",
    ("2613-027", "2613-023"): "benign",
}

# ".../MgmtDomainRM/MCP_cfg.c/02047/1.24 2613-021 MDC received ..."
ENTRY = re.compile(rb"/[\w.-]+/\d+/[\d.]+\s+(26\d\d-\d{3})\b")
NUMBER = re.compile(rb"\b26\d\d-\d{3}\b")


class LogWatch:
    """Reads what was added since the last look, at most `bytes_per_look`, and keeps tallies over the span `within`."""

    def __init__(self, patterns: Tuple[str, ...], within: timedelta, bytes_per_look: int = 1 << 20) -> None:
        self._patterns = patterns
        self._within = within
        self._bytes_per_look = bytes_per_look
        self._cursors: Dict[Tuple[int, int], _Cursor] = {}
        self._tallies: Deque[_Tally] = deque()
        self._since: Optional[Tuple[datetime, int]] = None    # when the oldest tally began, and all files' size then

    def look(self, host: Host, now: datetime, var: Optional[Space]) -> Fact[LogGrowth]:
        """What was added. The first look reads nothing: what was there before us is history."""
        files = self._files(host)
        size = sum(file.size for file in files)
        first = self._since is None
        if first:
            self._since = (now, size)
            self._cursors = {(file.device, file.inode): _at_end(host, file) for file in files}
        if not files:
            because = f"no log file matches {', '.join(self._patterns) or 'nothing'}"
            return Fact(How.UNASKED, because=because, source="logs", at=now)
        if first:
            return Fact(How.SEEN, LogGrowth(), "first look at the log, what it said before is not read", "logs", now)
        tally = _Tally(now, size)
        unreadable = self._read(host, files, tally)
        self._remember(tally)
        if unreadable and not tally.read:
            return Fact(How.GAP, because=f"cannot read {unreadable[0]}", source="logs", at=now)
        growth = self._growth(now, var)
        return Fact(How.SEEN, growth, _sentence(growth), "logs", now)

    def retarget(self, patterns: Tuple[str, ...], within: timedelta) -> None:
        """Go on under another policy: of the same files nothing is forgotten, others begin with a first look."""
        if patterns != self._patterns:
            self._patterns, self._cursors, self._since = patterns, {}, None
            self._tallies.clear()
        self._within = within

    def total_size(self, host: Host) -> int:
        """Bytes in all files now; for the pulse, which reads none."""
        return sum(file.size for file in self._files(host))

    def _files(self, host: Host) -> List[FileStat]:
        """Each file once, whatever patterns and links name it."""
        files: Dict[Tuple[int, int], FileStat] = {}
        for pattern in self._patterns:
            for file in host.files(pattern):
                files.setdefault((file.device, file.inode), file)
        return list(files.values())[:MOST_FILES]

    def _read(self, host: Host, files: List[FileStat], tally: _Tally) -> List[str]:
        """Read what was added to each, the least grown first, so that one flood hides no other file; return the unreadable."""
        pairs = [(file, self._cursor(host, file)) for file in files]
        self._cursors = _remembered(self._cursors, pairs)
        pairs.sort(key=lambda pair: pair[0].size - pair[1].offset)
        left = self._bytes_per_look
        unreadable = []
        for file, cursor in pairs:
            added = file.size - cursor.offset
            if added <= 0:
                continue
            data = host.read_from(file.path, cursor.offset, min(added, left)) if left else b""
            if data is None:
                unreadable.append(file.path)
                data = b""
            left -= len(data)
            cursor.feed(data, tally)
            if len(data) < added:
                cursor.skip()
            tally.grew += added
            tally.skipped += added - len(data)
            cursor.offset = file.size
        return unreadable

    def _cursor(self, host: Host, file: FileStat) -> _Cursor:
        """Where to go on in a file: a renamed one keeps its inode, a truncated or replaced one is new, a copy is known."""
        known = self._cursors.get((file.device, file.inode))
        if known is not None and file.size == known.offset:
            return known
        head = host.read_from(file.path, 0, HEAD_BYTES) or b""
        if known is not None and file.size > known.offset and head.startswith(known.head):
            known.head = head
            return known
        if known is None and len(head) == HEAD_BYTES:
            for each in self._cursors.values():
                if each.head == head and each.offset <= file.size:
                    return replace(each)
        return _Cursor(0, head)

    def _remember(self, tally: _Tally) -> None:
        tally.weigh()
        self._tallies.append(tally)
        while self._tallies[0].at <= tally.at - self._within and len(self._tallies) > 1:
            gone = self._tallies.popleft()
            self._since = (gone.at, gone.size)
        if len(self._tallies) > MOST_TALLIES:
            oldest = self._tallies.popleft()
            self._tallies[0].take(oldest)

    def _growth(self, now: datetime, var: Optional[Space]) -> LogGrowth:
        since, size_then = self._since or (now, 0)
        seconds = max((now - since).total_seconds(), 1.0)
        whole = _Tally(now, self._tallies[-1].size)
        for tally in self._tallies:
            whole.take(tally)
        # By size, not by what was added: a log that rotates takes no more room, however fast it is written.
        swelling = (whole.size - size_then) / seconds
        full_in = timedelta(seconds=min(var.free / swelling, 1e9)) if var is not None and swelling > 0 else None
        growth = whole.growth(whole.grew / seconds, full_in)
        return replace(growth, covers=min(self._within, now - since), noisy_tail=self._noisy_tail(now))

    def _noisy_tail(self, now: datetime) -> Tuple[Tuple[datetime, int], ...]:
        """The tallies' noise in slices of the span, each at its last look, so that no noise counts as older than it is."""
        slices: Dict[int, Tuple[datetime, int]] = {}
        width = max(self._within / MOST_BUCKETS, timedelta(microseconds=1))
        for tally in (tally for tally in self._tallies if tally.noisy):
            at = min((now - tally.at) // width, MOST_BUCKETS - 1)
            slices[at] = (tally.at, tally.noisy + slices.get(at, (tally.at, 0))[1])
        return tuple(slices.values())


def census(data: bytes) -> LogGrowth:
    """What a log, or a piece of one, says; as read, without rates."""
    tally = _Tally(datetime.min, len(data))
    _Cursor(0, b"").feed(data if data.endswith(b"\n") else data + b"\n", tally)
    return tally.growth(0.0, None)


@dataclass
class _Tally:
    """What one look added."""

    at: datetime
    size: int                             # of all files then
    grew: int = 0
    read: int = 0
    noisy: int = 0
    skipped: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    inner: Counter[str] = field(default_factory=Counter)
    sides: Counter[str] = field(default_factory=Counter)

    def count(self, outer: str, inner: str, side: str) -> None:
        _bounded(self.messages, outer)
        if inner:
            _bounded(self.inner, f"{outer}/{inner}")
        self.sides[side] += 1

    def weigh(self) -> None:
        """Take what could not be read for as noisy as what was."""
        self.noisy += round(self.skipped * (self.noisy / self.read if self.read else 1.0))

    def take(self, other: _Tally) -> None:
        self.grew += other.grew
        self.read += other.read
        self.noisy += other.noisy
        self.skipped += other.skipped
        for ours, theirs in ((self.messages, other.messages), (self.inner, other.inner), (self.sides, other.sides)):
            ours.update(theirs)

    def growth(self, bytes_per_second: float, var_full_in: Optional[timedelta]) -> LogGrowth:
        return LogGrowth(bytes_per_second, self.noisy, dict(self.messages), dict(self.inner), self.side(), self.skipped,
                         var_full_in)

    def side(self) -> str:
        """Whose cause most lines tell of; summaries of an earlier line have no vote."""
        voting = sum(self.sides[side] for side in ("hmc", "network", "unknown"))
        if voting <= 0:
            return "benign" if self.sides["benign"] > 0 else "unknown"
        if 2 * self.sides["hmc"] >= voting:
            return "hmc"
        return "network" if 2 * self.sides["network"] > voting else "unknown"


@dataclass
class _Cursor:
    """How far a file was read, and what its last line left open."""

    offset: int
    head: bytes                           # its first bytes: a file that begins otherwise is another
    broken: bool = False                  # the next bytes end a line whose beginning was not read, or was counted
    partial: bytes = b""
    outer: str = ""                       # a message that still waits for what is inside it
    side: str = "unknown"                 # of the last line
    unseen: int = 0                       # looks since the file was last there

    def feed(self, data: bytes, tally: _Tally) -> None:
        tally.read += len(data)
        if self.broken:
            rest, newline, data = data.partition(b"\n")
            self._weigh(len(rest) + len(newline), tally)
            self.broken = not newline
        *lines, self.partial = (self.partial + data).split(b"\n")
        for line in lines:
            self._line(line[:LONGEST_LINE], len(line) + 1, tally)
        if len(self.partial) > LONGEST_LINE:
            self._line(self.partial[:LONGEST_LINE], len(self.partial), tally)
            self.skip()

    def skip(self) -> None:
        """Forget an unfinished line: its end will not be seen as such."""
        self.partial, self.outer, self.broken = b"", "", True

    def _line(self, line: bytes, size: int, tally: _Tally) -> None:
        """Count one line: an entry, the rest of one on a line of its own, or something unheard of."""
        entry = ENTRY.search(line)
        number = NUMBER.search(line) if entry is None else None
        if entry is not None:
            inner = NUMBER.search(line, entry.end())
            self._entry(entry.group(1).decode(), inner.group().decode() if inner else "", tally)
        elif number is not None and self.outer and not line[:number.start()].strip():
            self._inner(number.group().decode(), tally)
        elif number is not None:
            self._entry(number.group().decode(), "", tally)
        elif line.strip():
            self.outer, self.side = "", "unknown"
            tally.sides["unknown"] += 1
        self._weigh(size, tally)

    def _entry(self, outer: str, inner: str, tally: _Tally) -> None:
        self.side = _side(outer, inner)
        self.outer = "" if inner else outer
        tally.count(outer, inner, self.side)

    def _inner(self, inner: str, tally: _Tally) -> None:
        """The line before gets its inner message, and with it perhaps another side."""
        before, self.side = self.side, _side(self.outer, inner)
        tally.sides[before] -= 1          # may be another tally's, and below nought: it is their sum that counts
        tally.sides[self.side] += 1
        _bounded(tally.inner, f"{self.outer}/{inner}")
        self.outer = ""

    def _weigh(self, size: int, tally: _Tally) -> None:
        tally.noisy += 0 if self.side == "benign" else size


def _side(outer: str, inner: str) -> str:
    return COMBINATIONS.get((outer, inner)) or MESSAGES.get(outer, ("unknown", ""))[0]


def _at_end(host: Host, file: FileStat) -> _Cursor:
    last = host.read_from(file.path, file.size - 1, 1) if file.size else b"\n"
    return _Cursor(file.size, host.read_from(file.path, 0, HEAD_BYTES) or b"", broken=last != b"\n")


def _remembered(cursors: Dict[Tuple[int, int], _Cursor], pairs: List[Tuple[FileStat, _Cursor]]) -> Dict[Tuple[int, int], _Cursor]:
    """Those of the files that are there, and for some looks those of files that are not."""
    here = {(file.device, file.inode): cursor for file, cursor in pairs}
    for key, cursor in cursors.items():
        cursor.unseen = 0 if key in here else cursor.unseen + 1
        if key not in here and cursor.unseen <= LOOKS_REMEMBERED and len(here) < 2 * MOST_FILES:
            here[key] = cursor
    return here


def _bounded(counter: Counter[str], name: str) -> None:
    counter[name if name in counter or len(counter) < MOST_NUMBERS else "other"] += 1


def _sentence(growth: LogGrowth) -> str:
    most = ", ".join(f"{number} {times} times" for number, times in Counter(growth.messages).most_common(3))
    return f"the log grows by {growth.bytes_per_second:.0f} bytes a second, {growth.noisy_bytes} bytes of it noise" + (
        f"; most often {most}" if most else "")
