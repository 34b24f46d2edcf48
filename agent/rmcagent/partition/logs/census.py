"""What a management domain log says: a census of its messages, and whose cause they tell of. Fast where entries are alike."""
from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter, methodcaller
from typing import TYPE_CHECKING, Iterable, Iterator, List, Mapping, Optional, Tuple

from rmcagent.frozen import dataclass, field
from rmcagent.model import LogGrowth
from rmcagent.partition.parse import Unreadable

if TYPE_CHECKING:
    from rmcagent.partition.host import Host

Pair = Tuple[str, str]       # of message numbers: an entry's own, and the one inside it or ""

PIECE = 192 << 10            # bytes read at once; a reading holds up to eight times as much in memory
LONGEST_LINE = 8 << 10
LONGEST_KNOWN = 1 << 10      # of an entry that is remembered as read
MOST_KNOWN = 512
MOST_DATES = 8               # of one piece; beyond, its lines are read one by one
MOST_PAIRS = 200             # of numbers in a tally; a log of rubbish must not fill our memory

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


def census(data: bytes) -> LogGrowth:
    """What a log, or a piece of one, says; as read, without rates."""
    return census_of_pieces(data[at:at + PIECE] for at in range(0, len(data), PIECE))


def census_of(host: Host, path: str) -> LogGrowth:
    """The census of a whole file, however long, read piece by piece; raises Unreadable."""
    return census_of_pieces(pieces(host, path, 0))


def census_of_pieces(read: Iterable[bytes]) -> LogGrowth:
    """The same of a text that comes in pieces, cut anywhere."""
    tally, cursor = Tally(datetime.min, 0), Cursor(0, b"")
    for data in read:
        cursor.feed(data, tally)
    cursor.end(tally)
    return tally.growth(0.0, None)


def pieces(host: Host, path: str, offset: int, most: int = 1 << 62) -> Iterator[bytes]:
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
class Tally:
    """What one look added."""

    at: datetime
    size: int                             # of all files then
    grew: int = 0
    read: int = 0
    noisy: int = 0
    skipped: int = 0
    pairs: Counter[Pair] = field(default_factory=Counter)      # an unheard-of line is ("", "")

    @property
    def is_empty(self) -> bool:
        return not (self.grew or self.read or self.noisy or self.skipped or self.pairs)

    def count(self, pair: Pair, times: int = 1) -> None:
        """A pair too many counts without its inner number, or as another; those we know always find room."""
        if pair not in self.pairs and len(self.pairs) >= MOST_PAIRS and pair not in COMBINATIONS:
            alone = (pair[0], "")
            pair = alone if pair[0] in MESSAGES or pair[0] == "" or alone in self.pairs else ("other", "")
        self.pairs[pair] += times

    def take(self, other: Tally, times: int = 1) -> None:
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
class Cursor:
    """How far a file was read, and what its last line left open."""

    offset: int
    head: bytes                           # its first bytes: a file that begins otherwise is another
    broken: bool = False                  # the next bytes end a line whose beginning was not read, or was counted
    partial: bytes = b""
    outer: str = ""                       # a message that still waits for what is inside it
    side: str = "unknown"                 # of the last line
    unseen: int = 0                       # looks since the file was last there

    def feed(self, data: bytes, tally: Tally) -> None:
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

    def end(self, tally: Tally) -> None:
        """Count a last line that has no end."""
        if self.partial:
            self._line(self.partial, len(self.partial), tally)

    def skip(self) -> None:
        """Forget an unfinished line: its end will not be seen as such."""
        self.partial, self.outer, self.broken = b"", "", True

    def _text(self, text: bytes, tally: Tally) -> None:
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

    def _entries(self, date: bytes, entries: List[bytes], tally: Tally) -> None:
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

    def entry(self, text: bytes, cut: int, tally: Tally) -> None:
        """Count one entry before whose text `cut` bytes were that say nothing."""
        first, _, others = (text + b"\n").partition(b"\n")
        self._line(b") " + first[:max(LONGEST_LINE - cut, 0)], cut + len(first) + 1, tally)
        self._lines(others, tally)

    def _lines(self, text: bytes, tally: Tally) -> None:
        for line in text.split(b"\n")[:-1]:
            self._line(line, len(line) + 1, tally)

    def _line(self, line: bytes, size: int, tally: Tally) -> None:
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

    def _message(self, line: bytes, number: re.Match[bytes], tally: Tally) -> None:
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
def _known(text: bytes, cut: int) -> Tally:
    tally = Tally(datetime.min, 0)
    Cursor(0, b"").entry(text, cut, tally)
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
