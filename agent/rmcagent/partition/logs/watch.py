"""How fast RSCT's management domain logs grow, and what was added: cursors that survive rotation, tallies over a span."""
from __future__ import annotations

from collections import Counter, deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Deque, Dict, List, Optional, Tuple

from rmcagent.frozen import replace
from rmcagent.model import Fact, How, LogGrowth, Space
from rmcagent.partition.logs.census import Cursor, Tally, pieces
from rmcagent.partition.parse import Unreadable

if TYPE_CHECKING:
    from rmcagent.partition.host import FileStat, Host

HEAD_BYTES = 160             # a line's time has microseconds: two files that begin alike are one, copied
MOST_FILES = 256
MOST_TALLIES = 256
MOST_BUCKETS = 60            # of noise, over the span `within`
LOOKS_REMEMBERED = 10        # a file that is gone for a look or two is not a new one when it comes back


class LogWatch:
    """Reads what was added since the last look, at most `bytes_per_look`, and keeps tallies over the span `within`."""

    def __init__(self, patterns: Tuple[str, ...], within: timedelta, bytes_per_look: int = 1 << 20) -> None:
        self._patterns = patterns
        self._within = within
        self._bytes_per_look = bytes_per_look
        self._cursors: Dict[Tuple[int, int], Cursor] = {}
        self._tallies: Deque[Tally] = deque()
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
        tally = Tally(now, size)
        unreadable = self._read(host, files, tally)
        self._remember(tally)
        if unreadable and not tally.read:
            return Fact(How.GAP, because=unreadable[0], source="logs", at=now)
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

    def _read(self, host: Host, files: List[FileStat], tally: Tally) -> List[str]:
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
            before = tally.read
            try:
                for data in pieces(host, file.path, cursor.offset, min(added, left)):
                    cursor.feed(data, tally)
            except Unreadable as why:
                unreadable.append(str(why))
            read = tally.read - before
            left -= read
            if read < added:
                cursor.skip()
            tally.grew += added
            tally.skipped += added - read
            cursor.offset = file.size
        return unreadable

    def _cursor(self, host: Host, file: FileStat) -> Cursor:
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
        return Cursor(0, head)

    def _remember(self, tally: Tally) -> None:
        # What could not be read is taken for as noisy as what was.
        tally.noisy += round(tally.skipped * (tally.noisy / tally.read if tally.read else 1.0))
        if self._tallies and tally.is_empty and self._tallies[-1].is_empty and tally.size == self._tallies[-1].size:
            self._tallies.pop()         # of two looks in a row that added nothing, the later tells it of both
        self._tallies.append(tally)
        while self._tallies[0].at <= tally.at - self._within and len(self._tallies) > 1:
            gone = self._tallies.popleft()
            self._since = (gone.at, gone.size)
        if len(self._tallies) > MOST_TALLIES:
            self._tallies = _halved(self._tallies)
        since, size = self._since or (tally.at, tally.size)
        if self._tallies[0].is_empty and self._tallies[0].size == size:
            self._since = (max(since, tally.at - self._within), size)       # nothing happened before that

    def _growth(self, now: datetime, var: Optional[Space]) -> LogGrowth:
        since, size_then = self._since or (now, 0)
        seconds = max((now - since).total_seconds(), 1.0)
        whole = Tally(now, self._tallies[-1].size)
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


def _halved(tallies: Deque[Tally]) -> Deque[Tally]:
    """Each second one takes the one before it: were it always the next that takes the oldest, noise would never grow old."""
    kept: Deque[Tally] = deque()
    for number, tally in enumerate(tallies):
        if number % 2:
            tally.take(kept.pop())
        kept.append(tally)
    return kept


def _at_end(host: Host, file: FileStat) -> Cursor:
    last = host.read_from(file.path, file.size - 1, 1) if file.size else b"\n"
    return Cursor(file.size, host.read_from(file.path, 0, HEAD_BYTES) or b"", broken=last != b"\n")


def _remembered(cursors: Dict[Tuple[int, int], Cursor], pairs: List[Tuple[FileStat, Cursor]]) -> Dict[Tuple[int, int], Cursor]:
    """Those of the files that are there, and for some looks those of files that are not."""
    here = {(file.device, file.inode): cursor for file, cursor in pairs}
    for key, cursor in cursors.items():
        cursor.unseen = 0 if key in here else cursor.unseen + 1
        if key not in here and cursor.unseen <= LOOKS_REMEMBERED and len(here) < 2 * MOST_FILES:
            here[key] = cursor
    return here


def _sentence(growth: LogGrowth) -> str:
    most = ", ".join(f"{number} {times} times" for number, times in Counter(growth.messages).most_common(3))
    told = f"the log grows by {growth.bytes_per_second:.0f} bytes a second, {growth.noisy_bytes} bytes of it noise"
    return f"{told}; most often {most}" if most else told
