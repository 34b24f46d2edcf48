"""Skipping: when a stretch of looks has left the agent as it was but for the time, the same stretch follows until time alone
makes one comparison come out otherwise, or something happens; those that follow need not be looked at one by one.

What the agent remembers is walked through, leaf by leaf. Between two looks every leaf must be the same, or a moment that has
moved on by just the time between them. Of what stood still no comparison may come out otherwise (moving.py tells when), and no
moment that moves on may overtake one that stands still.
"""
from __future__ import annotations

import operator
from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Dict, FrozenSet, Iterable, Iterator, List, Optional, Sequence, Tuple

from rmcagent.ledger import CATCH_UP_SECONDS
from rmcagent.sim.clock import MICRO
from rmcagent.sim.moving import MovingSteady, Watch, plain
from rmcagent.sim.walk import Noting, Time, micro_of, moved_on, number_of, walked

if TYPE_CHECKING:
    from rmcagent.sim.rehearsal.run import Rehearsal

FAR = 10 * 366 * 86400.0
CLOCKS_CHANGE = 7 * 86400.0     # seconds: local time does not change its offset and change it back within this
REMEMBERED = 200                # looks since something happened, among which one like the last is sought
# To compare is dear: soon after something happened it is tried now and then, of two looks in a row, and later always.
TRIED, ALWAYS = frozenset((2, 3, 6, 7, 11, 12, 13)), 16


@dataclass
class Look:
    """The agent after a look: what it remembers but for moments, the moments, and what the look compared with the time. Moments
    are numbers of microseconds."""

    began: int
    ended: int
    shape: List[Any]
    times: List[int]
    flips: Dict[Optional[int], float]       # what was compared with; the least seconds until it comes out otherwise
    _known: Optional[FrozenSet[int]] = None

    def known(self) -> FrozenSet[int]:
        """The moments, each once."""
        if self._known is None:
            self._known = frozenset(self.times)
        return self._known


class Skip:
    """Lets the time of looks pass that would only repeat what was seen."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.rehearsal = rehearsal
        self.watch = rehearsal.clock.watch = Watch()
        self.windows = [policy.window for policy in rehearsal.settings.remedies.values() if policy.window]
        self.skipped = 0.0              # seconds, in all
        self.next_look: Optional[datetime] = None
        self.due_at: Optional[datetime] = None
        self._nothing_known()

    def watch_agent(self) -> None:
        """A new agent: its steady clock moves with ours."""
        self.watch.begin()
        self.rehearsal.ledger.steady = MovingSteady(self.rehearsal.ledger.steady, self.watch)
        self.forget()

    def forget(self) -> None:
        """Something happened: what came before repeats itself no more."""
        if self.rehearsal.host.state_full:
            self.rehearsal.file.keep_up()       # what was remembered until now had room
        self._nothing_known()

    def _nothing_known(self) -> None:
        self.looks: List[Look] = []
        self.disturbed = True
        self.glance: Any = None
        self.alike = 0
        self.in_step = False            # something was skipped since something happened
        self.odd = -1                   # the number of the time by which two looks differed last
        self.held: Optional[Tuple[float, int, int]] = None      # what kept a stretch from being repeated: seconds, anchor, look

    def begin(self) -> None:
        """The agent is about to take a step."""
        cycle = self.rehearsal.cycle
        self.watch.on = plain(cycle.steady.now()) < cycle.next_look or self._worth_it(self.alike + 1)
        self.watch.begin()
        self.disturbed = False
        self.next_look, self.due_at = self.rehearsal.cycle.next_look, self.rehearsal.cycle.due_at

    def _worth_it(self, alike: int) -> bool:
        """Whether the look that comes is to be compared, should it be like the last."""
        return alike in TRIED or alike >= ALWAYS or (self.in_step and alike >= min(TRIED))

    def after_step(self, seconds: float, left: float) -> float:
        """The agent has taken a step, and would sleep so long, of a rehearsal that lasts so many seconds more: how long it may
        sleep, after what could be skipped."""
        if self.rehearsal.cycle.next_look != self.next_look:
            self._after_look(left)
            return seconds
        return seconds if self.disturbed else self._pulses(seconds)

    def _pulses(self, seconds: float) -> float:
        """A pulse found nothing, and so will those until the next look, or until something happens or is due."""
        rehearsal, cycle = self.rehearsal, self.rehearsal.cycle
        now = plain(cycle.steady.now())
        until_look = (plain(cycle.next_look) - now).total_seconds()
        until = min([rehearsal.clock.until_next(), *(left for anchor, left in self.watch.flips
                                                     if anchor is not self.due_at and anchor is not self.next_look)])
        if rehearsal.file.behind:
            until = min(until, CATCH_UP_SECONDS)        # it may have been tried just now
        if until <= until_look:
            pulse = cycle.settings.cadence.pulse.total_seconds()
            until_look = min(until_look, max((until - 1 / MICRO) // pulse, 1) * pulse)
        cycle.due_at = now + timedelta(seconds=until_look)
        return until_look

    def _after_look(self, left: float) -> None:
        """Skip what would only repeat this look, or the stretch that ends with it."""
        view, now = self.rehearsal.cycle.view, plain(self.rehearsal.clock.now())
        glance = (view.verdict, [(decision.kind, decision.remedy) for decision in view.decisions],
                  _offset(now), [window.open_at(_local(now)) for window in self.windows])
        self.alike = self.alike + 1 if glance == self.glance else 0
        self.glance = glance
        if not (self.watch.on and self.alike):
            self.looks = []             # nor is what lies on both sides of a window's edge a stretch
            return
        look, self.held = self._taken(), None
        self.looks = [*self.looks[-REMEMBERED:], look]
        room = min(left, self.rehearsal.clock.until_next())
        for number in range(len(self.looks) - 2, -1, -1):
            room = min(room, self.looks[number + 1].flips.get(None, FAR))
            period = look.began - self.looks[number].began
            if period >= room * MICRO:
                return                  # and any longer stretch repeats itself less
            if self._differs_as_before(self.looks[number], look, period):
                continue
            if self._skip(self.looks[number], look, self.looks[number + 1:], left):
                return

    def _taken(self) -> Look:
        shape: List[Any] = []
        noting = Noting()
        _walk(self.rehearsal, shape, noting)
        began = plain(self.rehearsal.cycle.next_look) - self.rehearsal.cycle.settings.cadence.look
        flips: Dict[Optional[int], float] = {}
        for anchor, seconds in self.watch.flips:
            number = number_of(anchor) if anchor is not None else None
            flips[number] = min(seconds, flips.get(number, FAR))
        return Look(number_of(began), number_of(self.rehearsal.cycle.steady.now()), shape, noting.times, flips)

    def _skip(self, earlier: Look, look: Look, between: Sequence[Look], left: float) -> bool:
        """Skip as often as that stretch repeats itself, if it does."""
        period = look.began - earlier.began
        if len(earlier.times) != len(look.times) or self._is_held(earlier, look, period) or self._differ(earlier, look, period):
            return False
        if earlier.shape != look.shape:
            return False
        slid = list(map(operator.ne, look.times, earlier.times))
        still = {time for time, moved in zip(look.times, slid) if not moved}
        moving = set(earlier.times) - still
        # What lags behind are the log's tallies, which are compared with now alone unless they hold noise, and none repeats.
        room = _room(sorted(still), {time for time, moved in zip(earlier.times, slid) if moved and time + period > earlier.began})
        ahead = [left, self.rehearsal.clock.until_next(), *self._until_windows(), (room - period) / MICRO]
        # What was set within the stretch will be set again; an anchor in the future was worked out from something older.
        flips = [(seconds, anchor, one.ended) for one in between for anchor, seconds in one.flips.items()
                 if anchor is None or anchor in still or not (anchor in moving or earlier.began < anchor <= one.ended)]
        ahead += [seconds for seconds, _, _ in flips]
        times = _times(min(ahead), period)
        if times > 0:
            times = min(times, _times(self._until_clocks_change(times * period / MICRO), period))
        if times < 1:
            self.held = min(((seconds, anchor, ended) for seconds, anchor, ended in flips if anchor is not None), default=None)
            return False
        self._pass(times * period, iter(slid))
        self.in_step = True
        return True

    def _differ(self, earlier: Look, look: Look, period: int) -> bool:
        """Whether a time neither stood still nor moved with the looks."""
        if {0, period}.issuperset(map(operator.sub, look.times, earlier.times)):
            return False
        self.odd = next(number for number, passed in enumerate(map(operator.sub, look.times, earlier.times))
                        if passed not in (0, period))
        return True

    def _differs_as_before(self, earlier: Look, look: Look, period: int) -> bool:
        """Whether the time by which two looks differed last is another here, too: that is asked first, for it mostly is."""
        odd = self.odd
        if odd < 0 or not odd < len(look.times) == len(earlier.times):
            return False
        passed = look.times[odd] - earlier.times[odd]
        return passed != 0 and passed != period

    def _is_held(self, earlier: Look, look: Look, period: int) -> bool:
        """Whether what kept a shorter stretch to this look from being repeated keeps this one, too."""
        if self.held is None or _times(self.held[0], period) >= 1:
            return False
        _, anchor, ended = self.held
        if anchor in earlier.known():
            return any(before == after == anchor for before, after in zip(earlier.times, look.times))
        return not earlier.began < anchor <= ended

    def _pass(self, micro: int, slid: Iterator[bool]) -> None:
        """Let that time pass: what slid in the stretch that is repeated slides on."""
        rehearsal = self.rehearsal
        rehearsal.clock.sleep(micro / MICRO)
        self.skipped += micro / MICRO
        _walk(rehearsal, [], lambda time: moved_on(time, micro) if next(slid) else time)
        rehearsal.file.skipped = rehearsal.file.skipped or not rehearsal.host.state_full

    def _until_windows(self) -> Iterator[float]:
        """Seconds until a remedy's window opens or closes, as long as the clocks do not change: no comparison tells that."""
        local = _local(plain(self.rehearsal.clock.now()))
        for window in self.windows:
            for day in (0, 1):
                for minute in (window.start, window.end):
                    edge = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=day, minutes=minute)
                    if edge > local:
                        yield (edge - local).total_seconds()

    def _until_clocks_change(self, most: float) -> float:
        """Seconds until local time has another offset from UTC, by which windows and the error log go; FAR: not until then."""
        now = plain(self.rehearsal.clock.now())
        same = 0.0
        while same < most:
            other = min(same + CLOCKS_CHANGE, most)
            if _offset(now + timedelta(seconds=other)) == _offset(now):
                same = other
                continue
            while other - same > 1.0:
                middle = (same + other) / 2
                same, other = (middle, other) if _offset(now + timedelta(seconds=middle)) == _offset(now) else (same, middle)
            return same
        return FAR


def _times(seconds: float, period: int) -> int:
    """How often a stretch may be repeated before so many seconds are over."""
    return (micro_of(min(seconds, FAR)) - 1) // period


def _room(still: Sequence[int], moved: Iterable[int]) -> float:
    """How far those that moved may move in all before one of them meets one that stands still."""
    places = ((time, bisect_left(still, time)) for time in moved)
    return min((still[place] - time for time, place in places if place < len(still)), default=FAR * MICRO)


def _local(moment: datetime) -> datetime:
    return moment.astimezone().replace(tzinfo=None)


def _offset(moment: datetime) -> Optional[timedelta]:
    return moment.astimezone().utcoffset()


def _walk(rehearsal: Rehearsal, shape: List[Any], time: Time) -> None:
    """Add to `shape` all that the agent remembers and what its own questions may change, but for moments. Those are shown to
    `time`, and what it returns is put in their place."""
    for root in (rehearsal.cycle, rehearsal.ledger):
        walked(root, shape, time)
    shape.append([(row.name, row.state, row.pid) for row in rehearsal.partition.subsystems.values()])
    shape.append((tuple(rehearsal.partition.upon), rehearsal.file.behind, len(rehearsal.mistakes)))
    shape.append(tuple(map(id, rehearsal.ledger.decisions)))        # an entry once written never changes
