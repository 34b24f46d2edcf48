"""Drawing a timeline: from lanes and marks to the text of an SVG.

It is bounded in size whatever goes in, and says what it merged or left out. Nothing in it is fetched or executed.
"""
from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from rmcagent.frozen import dataclass, replace
from rmcagent.picture import axis
from rmcagent.picture.looks import HUMAN, LOOK_OF, PATTERNS, UNDONE, Letters, patterns, style

MOST_BYTES = 512 * 1024
MOST_LANES = 32
COARSER = (1, 2, 4, 8, 16, 32)    # how often the least width is doubled until the picture is small enough

WIDTH, LEFT, RIGHT = 1000.0, 168.0, 970.0
TOP, LANE, BAR = 64.0, 58.0, 18.0
ABOVE, BELOW = 11.0, 43.0         # within a lane: where marks of deeds stand, and those of what was not done
LEAST_BAR, LEAST_MARK = 2.0, 14.0
LETTER = 6.3                      # the width of one, about


@dataclass(frozen=True)
class Bar:
    """A state from `begin` until `end`; in one lane a later bar ends the one before it."""

    begin: datetime
    end: datetime
    state: str
    label: str = ""


@dataclass(frozen=True)
class Lane:
    name: str
    bars: Tuple[Bar, ...]


@dataclass(frozen=True)
class Mark:
    """Something at a moment; a `lane` that is not drawn puts it into one of its own."""

    at: datetime
    kind: str
    label: str = ""
    lane: str = ""


def svg(title: str, begin: datetime, end: datetime, lanes: Sequence[Lane], marks: Sequence[Mark]) -> str:
    """The picture, in ASCII; times are shown at the offset of `begin`."""
    frame = Frame.of(begin, end)
    for coarser in COARSER:
        drawn = _drawn(title, replace(frame, coarser=coarser), lanes, marks)
        if len(drawn) <= MOST_BYTES:
            break
    return drawn


# ---- the frame

@dataclass(frozen=True)
class Frame:
    """From when to when, at which offset, and how coarse."""

    begin: datetime
    seconds: float
    zone: timezone
    coarser: int = 1

    @staticmethod
    def of(begin: datetime, end: datetime) -> Frame:
        zone = timezone(begin.utcoffset() or timedelta(0))
        return Frame(begin.astimezone(zone), max((end - begin).total_seconds(), 1.0), zone)

    @property
    def end(self) -> datetime:
        return self.begin + timedelta(seconds=self.seconds)

    def x(self, at: datetime) -> float:
        share = (at - self.begin).total_seconds() / self.seconds
        return LEFT + min(max(share, 0.0), 1.0) * (RIGHT - LEFT)

    def shows(self, at: datetime) -> bool:
        return 0.0 <= (at - self.begin).total_seconds() <= self.seconds

    def when(self, at: datetime) -> str:
        return axis.when(at.astimezone(self.zone))

    def label(self, text: str, most: int) -> str:
        return fit(text, max(12, most // self.coarser))


# ---- the whole

def _drawn(title: str, frame: Frame, lanes: Sequence[Lane], marks: Sequence[Mark]) -> str:
    shown = [mark for mark in marks if frame.shows(mark.at)]
    rows, notes = _rows(lanes, shown)
    parts_by_row = [_merged(lane.bars, frame) for lane in rows]
    states = Letters.of(part.state for parts in parts_by_row for part in parts if not part.merged)
    kinds = Letters.of(mark.kind for mark in shown)
    body: List[str] = []
    merged = hidden = 0
    by_lane = _by_lane(shown, rows)
    for number, (lane, parts) in enumerate(zip(rows, parts_by_row)):
        top = TOP + number * LANE
        clusters = _clusters(by_lane.get(lane.name, []), frame)
        merged += sum(part.count for part in parts if part.merged)
        hidden += sum(len(cluster) for cluster in clusters if len(cluster) > 1)
        body.append(_lane(lane.name, top, frame))
        body.extend(_bar(lane.name, part, top, frame, states) for part in parts)
        body.extend(_badges(clusters, top, frame, kinds))
    told = (
        (merged, "short states stand too close to be told apart and are drawn as several in one: point at one for what it holds"),
        (hidden, "marks stand too close to be told apart and share a badge with their number: point at one for what it holds"),
        (len(marks) - len(shown), "marks lie outside of the time shown"),
        (states.unnamed + kinds.unnamed, "rarer states and kinds of marks are not in the legend"),
    )
    notes += [f"{number} {what}" for number, what in told if number]
    bottom = TOP + len(rows) * LANE
    legend, height = _legend(states, kinds, bottom + 34, merged > 0)
    for number, note in enumerate(notes):
        height += 16 if number else 24
        legend.append(f'<text class="faint" x="16" y="{height:g}">{escape(note)}.</text>')
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height + 14:g}" role="img" '
        'aria-labelledby="timeline-title timeline-desc">',
        f'<title id="timeline-title">{escape(fit(title, 120))}</title>',
        f'<desc id="timeline-desc">{escape(_told(frame, rows, shown))}</desc>',
        style(), "<defs>", *patterns(), "</defs>",
        f'<rect class="paper" width="{WIDTH:g}" height="{height + 14:g}"/>',
        f'<text class="ink b" x="16" y="26" style="font-size:15px">{escape(fit(title, 100))}</text>',
        f'<text class="faint" x="16" y="45">{frame.when(frame.begin)} to {frame.when(frame.end)}, {frame.zone}</text>',
        *_field(frame, bottom), *body, *legend, "</svg>", "",
    ))


def _rows(lanes: Sequence[Lane], marks: Sequence[Mark]) -> Tuple[List[Lane], List[str]]:
    """The lanes drawn, with one more for marks that belong to none of them."""
    rows = list(lanes[:MOST_LANES])
    notes = [f"{len(lanes) - len(rows)} more lanes are not drawn"] if len(lanes) > len(rows) else []
    names = {lane.name for lane in rows}
    if any(mark.lane not in names for mark in marks):
        rows.append(Lane("", ()))
    return rows, notes


def _by_lane(marks: Sequence[Mark], rows: Sequence[Lane]) -> Dict[str, List[Mark]]:
    names = {lane.name for lane in rows}
    found: Dict[str, List[Mark]] = {}
    for mark in sorted(marks, key=lambda mark: mark.at):
        found.setdefault(mark.lane if mark.lane in names else "", []).append(mark)
    return found


def _told(frame: Frame, rows: Sequence[Lane], marks: Sequence[Mark]) -> str:
    """The same in words, for who cannot see it."""
    told = [f"{len(rows)} lanes from {frame.when(frame.begin)} to {frame.when(frame.end)}."]
    for lane in rows:
        shares: Counter[str] = Counter()
        for bar in _disjoint(lane.bars, frame):
            shares[bar.state] += int((bar.end - bar.begin) / timedelta(milliseconds=1))
        whole = sum(shares.values())
        if whole:
            spoken = ", ".join(f"{fit(state, 16)} {share / whole:.1%}" for state, share in shares.most_common(4))
            told.append(f"{fit(lane.name, 32)}: {spoken}.")
    if marks:
        told.append(f"Marks: {_counted(mark.kind for mark in marks)}.")
    return " ".join(told)


def _counted(names: Iterable[str]) -> str:
    counts = Counter(names).most_common()
    return ", ".join([f"{number} {fit(name, 20)}" for name, number in counts[:6]] + (["others"] if len(counts) > 6 else []))


# ---- lanes and their bars

@dataclass(frozen=True)
class Part:
    """What is drawn of a lane: a bar, or several short ones as one."""

    begin: datetime
    end: datetime
    state: str
    said: str
    count: int = 1
    merged: bool = False


def _disjoint(bars: Sequence[Bar], frame: Frame) -> List[Bar]:
    """Bars within the frame, in order, none over another."""
    ordered = sorted(bars, key=lambda bar: bar.begin)
    clipped = []
    for number, bar in enumerate(ordered):
        following = ordered[number + 1].begin if number + 1 < len(ordered) else frame.end
        begin, end = max(bar.begin, frame.begin), min(max(bar.end, bar.begin), following, frame.end)
        if begin <= end and bar.begin <= frame.end:
            clipped.append(replace(bar, begin=begin, end=end))
    return clipped


def _merged(bars: Sequence[Bar], frame: Frame) -> List[Part]:
    """Bars as they are drawn: those too short to be told apart are one, up to four times the least width."""
    least = LEAST_BAR * frame.coarser
    runs: List[List[Bar]] = []
    joins = False
    for bar in _disjoint(bars, frame):
        short = frame.x(bar.end) - frame.x(bar.begin) < least
        if (short and joins and frame.x(bar.begin) - frame.x(runs[-1][-1].end) < least
                and frame.x(bar.end) - frame.x(runs[-1][0].begin) <= 4 * least):
            runs[-1].append(bar)
        else:
            runs.append([bar])
        joins = short
    return [_part(run, frame) for run in runs]


def _part(run: Sequence[Bar], frame: Frame) -> Part:
    begin, end = run[0].begin, run[-1].end
    label = run[0].label
    when = f"{frame.when(begin)} to {frame.when(end)} ({axis.length(end - begin)})"
    if len(run) == 1:
        said = f": {frame.label(label, 160)}" if label else ""
        return Part(begin, end, run[0].state, f"{frame.label(run[0].state, 40)}, {when}{said}")
    return Part(begin, end, "several", f"{len(run)} short states, {when}: {_counted(bar.state for bar in run)}", len(run), True)


def _lane(name: str, top: float, frame: Frame) -> str:
    return (f'<g><title>{escape(frame.label(name or "no lane", 200))}</title>'
            f'<text class="ink" x="16" y="{top + 34:g}">{escape(fit(name or "events", 23))}</text></g>'
            f'<rect class="field" x="{LEFT:g}" y="{top + 20:g}" width="{RIGHT - LEFT:g}" height="{BAR:g}"/>')


def _bar(name: str, part: Part, top: float, frame: Frame, states: Letters) -> str:
    left, right = frame.x(part.begin), frame.x(part.end)
    if right - left < LEAST_BAR:
        left = min(max((left + right - LEAST_BAR) / 2, LEFT), RIGHT - LEAST_BAR)
        right = left + LEAST_BAR
    look = "several" if part.merged else LOOK_OF.get(part.state, "other")
    box = f'x="{_n(left)}" y="{top + 20:g}" width="{_n(right - left)}" height="{BAR:g}"'
    pieces = [f'<rect class="{look}" {box}/>']
    if look in PATTERNS:
        pieces.append(f'<rect fill="url(#timeline-{look})" {box}/>')
    if right - left >= 4:
        pieces.append(f'<rect class="s e" {box}/>')
    word = "" if part.merged else fit(part.state, 24)
    if len(word) * LETTER + 8 > right - left:
        word = states[part.state] if right - left >= 12 and not part.merged else ""
    if word:
        halo = " halo" if look in PATTERNS else ""
        pieces.append(f'<text class="ink c{halo}" x="{_n((left + right) / 2)}" y="{top + 33:g}">{escape(word)}</text>')
    return f'<g><title>{escape(f"{frame.label(name, 60)}: {part.said}")}</title>{"".join(pieces)}</g>'


# ---- marks

def _clusters(marks: Sequence[Mark], frame: Frame) -> List[List[Mark]]:
    """Marks of one lane that stand where one badge has room, deeds and what was not done apart."""
    clusters: List[List[Mark]] = []
    for undone in (False, True):
        first: Optional[float] = None
        for mark in marks:
            if (mark.kind in UNDONE) is not undone:
                continue
            at = frame.x(mark.at)
            if first is None or at - first >= LEAST_MARK * frame.coarser:
                clusters.append([])
                first = at
            clusters[-1].append(mark)
    return clusters


def _badges(clusters: Sequence[Sequence[Mark]], top: float, frame: Frame, kinds: Letters) -> Iterator[str]:
    for cluster in clusters:
        x = frame.x(cluster[0].at)
        below = cluster[0].kind in UNDONE
        y = top + (BELOW + 4 if below else ABOVE)
        kind = next((mark.kind for mark in cluster if mark.kind in HUMAN), cluster[0].kind)
        if len(cluster) == 1:
            said = f"{frame.label(kind, 40)} at {frame.when(cluster[0].at)}"
            said += f": {frame.label(cluster[0].label, 240)}" if cluster[0].label else ""
        else:
            said = (f"{len(cluster)} marks, {frame.when(cluster[0].at)} to {frame.when(cluster[-1].at)}: "
                    f"{_counted(mark.kind for mark in cluster)}")
        text = kinds[kind] if len(cluster) == 1 else str(len(cluster)) if len(cluster) < 100 else "+"
        stem = f'<path class="s e" d="M{_n(x)} {top + 20 + BAR if below else top + ABOVE:g}V{y if below else top + 20:g}"/>'
        yield f"<g><title>{escape(said)}</title>{stem}{_badge(x, y, kind, text)}</g>"


def _badge(x: float, y: float, kind: str, text: str) -> str:
    """A disc: done. A ring: not done. A diamond: a human is needed."""
    ring = f'cx="{_n(x)}" cy="{y:g}" r="6.5"/>'
    if kind in HUMAN:
        path = f'd="M{_n(x)} {y - 9:g}l9 9l-9 9l-9 -9z"/>'
        shape, ink = f'<path class="bad" {path}<path class="s e" {path}', "ink"
    elif kind in UNDONE:
        shape, ink = f'<circle class="paper" {ring}<circle class="s" {ring}', "ink"
    else:
        shape, ink = f'<circle class="ink" {ring}', "paper"
    return f'{shape}<text class="{ink} c b" style="font-size:9px" x="{_n(x)}" y="{y + 3.3:g}">{escape(text)}</text>'


# ---- axis and legend

def _field(frame: Frame, bottom: float) -> Iterator[str]:
    before = ""
    for at, label, under in axis.ticks(frame.begin, frame.end):
        x = _n(frame.x(at))
        yield f'<path class="g" d="M{x} {TOP:g}V{bottom + 4:g}"/>'
        yield f'<text class="faint c" x="{x}" y="{bottom + 16:g}">{label}</text>'
        if under != before:
            yield f'<text class="faint c b" x="{x}" y="{bottom + 29:g}">{under}</text>'
        before = under


def _legend(states: Letters, kinds: Letters, top: float, several: bool) -> Tuple[List[str], float]:
    """(what is drawn, the height it reaches): each state with its look, each kind of mark with its badge."""
    box = 'x="0" y="-11" width="20" height="13"/>'
    looks = [(f"{name} ({letter})", LOOK_OF.get(name, "other")) for name, letter in states.known.items()]
    looks += [("several", "several")] if several else []
    samples = [(name, f'<rect class="{look}" {box}' + (f'<rect fill="url(#timeline-{look})" {box}' if look in PATTERNS else "")
                + f'<rect class="s e" {box}') for name, look in looks]
    drawn: List[str] = []
    y = top
    for items in (samples, [(name, _badge(10, -4, name, letter)) for name, letter in kinds.known.items()]):
        x, y = 16.0, y + 22 if items else y
        for name, sample in items:
            word = fit(name, 30)
            wide = 40 + len(word) * LETTER
            if x + wide > RIGHT and x > 16:
                x, y = 16.0, y + 22
            text = f'<text class="ink" x="26" y="0">{escape(word)}</text>'
            drawn.append(f'<g transform="translate({_n(x)} {y:g})">{sample}{text}</g>')
            x += wide
    return drawn, y


# ---- text

def fit(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most - 3] + "..."


def escape(text: str) -> str:
    r"""Text that is only text, whatever is in it: in ASCII, what does not print as \xNN, what marks up as entities."""
    shown = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    for letter, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        shown = shown.replace(letter, entity)
    return shown.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _n(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".")
