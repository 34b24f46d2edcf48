"""What RSCT's management domain logs say and how fast they grow: cursors that survive rotation, and a message census."""
from __future__ import annotations

import re
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter, methodcaller
from typing import TYPE_CHECKING, Deque, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from rmcagent.model import Fact, How, LogGrowth, Space
from rmcagent.partition.parse import Unreadable

if TYPE_CHECKING:
    from rmcagent.partition.host import FileStat, Host

Pair = Tuple[str, str]       # of message numbers: an entry's own, and the one inside it or ""

PIECE = 192 << 10            # bytes read at once; a reading holds up to eight times as much in memory
LONGEST_LINE = 8 << 10
LONGEST_KNOWN = 1 << 10      # of an entry that is remembered as read
MOST_KNOWN = 512
MOST_DATES = 8               # of one piece; beyond, its lines are read one by one
HEAD_BYTES = 160             # a line's time has microseconds: two files that begin alike are one, copied
MOST_FILES = 256
MOST_TALLIES = 256
MOST_BUCKETS = 60            # of noise, over the span `within`
MOST_PAIRS = 200             # of numbers in a tally; a log of rubbish must not fill our memory
LOOKS_REMEMBERED = 10        # a file that is gone for a look or two is not a new one when it comes back

# number: (side, what it seems to mean). A side is one of VOTING, benign, or echo: that sums up an earlier line, and has no vote.
# All texts were seen in admins' logs, no catalogue is public: [my inference].
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
COMBINATIONS: Mapping[Pair, str] = {
    ("2613-021", "2610-415"): "hmc",
    ("2613-008", "2613-034"): "hmc",
    ("2613-027", "2613-023"): "benign",
}
VOTING = ("hmc", "network", "here", "unknown")

# ".../MgmtDomainRM/MCP_cfg.c/02047/1.24 2613-021 MDC received ..."
ENTRY = re.compile(rb"/\d+/[\d.]+\s+(26\d\d-\d{3})\b")
NUMBER = re.compile(rb"26(?<!\w26)\d\d-\d{3}\b")       # \b26..., but a pattern that begins with letters is found faster
# "Tue Mar 4 ", where a time follows: an entry begins, which goes on to the next and leans on nothing before it.
DATE = re.compile(rb"(?m)^[^\s-]{1,12} [^\s-]{1,12} {1,2}\d{1,2} (?=\d\d:\d\d:\d\d )")


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
            before = tally.read
            try:
                for data in _pieces(host, file.path, cursor.offset, min(added, left)):
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
        # What could not be read is taken for as noisy as what was.
        tally.noisy += round(tally.skipped * (tally.noisy / tally.read if tally.read else 1.0))
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
    return _census(data[at:at + PIECE] for at in range(0, len(data), PIECE))


def census_of(host: Host, path: str) -> LogGrowth:
    """The census of a whole file, however long, read piece by piece; raises Unreadable."""
    return _census(_pieces(host, path, 0))


def _census(pieces: Iterable[bytes]) -> LogGrowth:
    tally, cursor = _Tally(datetime.min, 0), _Cursor(0, b"")
    for data in pieces:
        cursor.feed(data, tally)
    if cursor.partial:       # the last line has no end
        cursor._line(cursor.partial, len(cursor.partial), tally)
    return tally.growth(0.0, None)


def _pieces(host: Host, path: str, offset: int, most: int = 1 << 62) -> Iterator[bytes]:
    """At most `most` bytes of a file; ends early where the file does."""
    while most > 0:
        data = host.read_from(path, offset, min(PIECE, most))
        if data is None:
            raise Unreadable(f"cannot read {path}")
        if not data:
            return
        yield data
        offset += len(data)
        most -= len(data)


@dataclass
class _Tally:
    """What one look added."""

    at: datetime
    size: int                             # of all files then
    grew: int = 0
    read: int = 0
    noisy: int = 0
    skipped: int = 0
    pairs: Counter[Pair] = field(default_factory=Counter)      # an unheard-of line is ("", "")

    def count(self, pair: Pair, times: int = 1) -> None:
        """A pair too many counts without its inner number, or as another; those we know always find room."""
        if pair not in self.pairs and len(self.pairs) >= MOST_PAIRS and pair not in COMBINATIONS:
            alone = (pair[0], "")
            pair = alone if pair[0] in MESSAGES or pair[0] == "" or alone in self.pairs else ("other", "")
        self.pairs[pair] += times

    def take(self, other: _Tally, times: int = 1) -> None:
        self.grew += other.grew * times
        self.noisy += other.noisy * times
        self.skipped += other.skipped * times
        for pair, count in other.pairs.items():
            self.count(pair, count * times)

    def growth(self, bytes_per_second: float, var_full_in: Optional[timedelta]) -> LogGrowth:
        messages: Counter[str] = Counter()
        for (outer, _), times in self.pairs.items():
            messages[outer] += times
        inner = {"/".join(pair): times for pair, times in self.pairs.items() if pair[1]}
        return LogGrowth(bytes_per_second, self.noisy, {name: times for name, times in messages.items() if name and times > 0},
                         inner, self.side(), self.skipped, var_full_in)

    def side(self) -> str:
        """Whose cause most lines tell of."""
        sides: Counter[str] = Counter()
        for pair, times in self.pairs.items():
            sides[_side(*pair)] += times
        voting = sum(sides[side] for side in VOTING)
        if voting <= 0:
            return "benign" if sides["benign"] > 0 else "unknown"
        if 2 * sides["hmc"] >= voting:
            return "hmc"
        return next((side for side in VOTING if 2 * sides[side] > voting), "unknown")


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
        """Read on. However the text is cut into pieces, the tally is that of its lines read one by one."""
        tally.read += len(data)
        if self.broken:
            rest, newline, data = data.partition(b"\n")
            tally.noisy += 0 if self.side == "benign" else len(rest) + len(newline)
            self.broken = not newline
        end = data.rfind(b"\n") + 1
        text, self.partial = (self.partial + data[:end], data[end:]) if end else (b"", self.partial + data)
        self._text(text, tally)
        if len(self.partial) > LONGEST_LINE:
            self._line(self.partial, len(self.partial), tally)
            self.partial, self.broken = b"", True

    def skip(self) -> None:
        """Forget an unfinished line: its end will not be seen as such."""
        self.partial, self.outer, self.broken = b"", "", True

    def _text(self, text: bytes, tally: _Tally) -> None:
        """Count whole lines. Most entries of a storm differ in their time only: those are read once and multiplied."""
        for _ in range(MOST_DATES):
            found = DATE.search(text)
            if found is None:
                break
            date = found.group()
            self._lines(text[:found.start()], tally)
            *entries, last = text[found.end():].split(b"\n" + date)
            self._entries(date, entries, tally)
            first, newline, text = last.partition(b"\n")
            self._lines(date + first + newline, tally)
        self._lines(text, tally)

    def _entries(self, date: bytes, entries: List[bytes], tally: _Tally) -> None:
        kinds = _kinds(entries)
        if 2 * len(kinds) > len(entries):        # little is alike, and nothing to be gained
            for entry in entries:
                self._lines(date + entry + b"\n", tally)
            return
        for (text, cut), times in kinds.items():
            if len(text) <= LONGEST_KNOWN:
                tally.take(_known(text, len(date) + cut), times)
                continue
            for _ in range(times):
                self.entry(text, len(date) + cut, tally)

    def entry(self, text: bytes, cut: int, tally: _Tally) -> None:
        """Count one entry before whose text `cut` bytes were that say nothing."""
        first, _, others = (text + b"\n").partition(b"\n")
        self._line(b") " + first[:max(LONGEST_LINE - cut, 0)], cut + len(first) + 1, tally)
        self._lines(others, tally)

    def _lines(self, text: bytes, tally: _Tally) -> None:
        for line in text.split(b"\n")[:-1]:
            self._line(line, len(line) + 1, tally)

    def _line(self, line: bytes, size: int, tally: _Tally) -> None:
        """Count one line: an entry, the rest of one on a line of its own, or something unheard of."""
        line = line[:LONGEST_LINE]
        number = NUMBER.search(line)
        if number is not None:
            self._message(line, number, tally)
        elif line.strip():
            self.outer, self.side = "", "unknown"
            tally.count(("", ""))
        if self.side != "benign":
            tally.noisy += size

    def _message(self, line: bytes, number: re.Match[bytes], tally: _Tally) -> None:
        entry = ENTRY.search(line)
        outer, inner = (entry[1] if entry else number[0]).decode(), ""
        if entry is not None:
            within = NUMBER.search(line, entry.end())
            inner = within[0].decode() if within else ""
        elif self.outer and not line[:number.start()].strip():
            tally.count((self.outer, ""), -1)  # may be another tally's, and below nought: it is their sum that counts
            outer, inner = self.outer, outer
        tally.count((outer, inner))
        self.side = _side(outer, inner)
        self.outer = "" if inner else outer


@lru_cache(maxsize=MOST_KNOWN)
def _known(text: bytes, cut: int) -> _Tally:
    tally = _Tally(datetime.min, 0)
    _Cursor(0, b"").entry(text, cut, tally)
    return tally


def _side(outer: str, inner: str) -> str:
    return COMBINATIONS.get((outer, inner)) or MESSAGES.get(outer, ("unknown", ""))[0]


def _kinds(entries: List[bytes]) -> Mapping[Tuple[bytes, int], int]:
    """How often each entry is there, apart from its time, which ends at the first ")": (rest, bytes cut off) -> times."""
    cut = max(entries[0].find(b")"), 0) if entries else 0
    heads = b"".join(map(itemgetter(slice(cut)), entries))
    rests = Counter(map(itemgetter(slice(cut, None)), entries))
    if _says_nothing(heads) and all(map(methodcaller("startswith", b")"), rests)):
        return {(rest, cut): times for rest, times in rests.items()}
    cuts = (max(entry.find(b")"), 0) for entry in entries)
    return Counter((entry[cut:], cut) if _says_nothing(entry[:cut]) else (entry, 0) for entry, cut in zip(entries, cuts))


def _says_nothing(head: bytes) -> bool:
    """True when it holds no message, nor a part of one: each has a "-", none reaches over a ")" or an end of a line."""
    return b"-" not in head and b"\n" not in head


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


def _sentence(growth: LogGrowth) -> str:
    most = ", ".join(f"{number} {times} times" for number, times in Counter(growth.messages).most_common(3))
    told = f"the log grows by {growth.bytes_per_second:.0f} bytes a second, {growth.noisy_bytes} bytes of it noise"
    return f"{told}; most often {most}" if most else told
