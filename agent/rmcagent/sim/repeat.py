"""What a look did to what the agent remembers, and whether one that begins elsewhere does the same.

A look is a way through the program. It goes the same way as long as what is remembered is the same but for moments, and each
comparison of these comes out as it did; then it sets those moments that it set, as long after its beginning as it did, and leaves
the others as they are. Moments are numbers of microseconds.
"""
from __future__ import annotations

import operator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Dict, List, Optional, Sequence, Tuple

from rmcagent.sim.clock import MICRO
from rmcagent.sim.moving import FIXED, Anchor, Moment, Moving, Watch
from rmcagent.sim.walk import micro_of, number_of

FAR = 10 * 366 * 86400 * MICRO
NEVER = number_of(FIXED)
MOST_WENT = 256                 # of the ways that looks went are remembered


@dataclass
class Look:
    """The agent after a look, or since: what it remembers but for moments, the moments, and when the next look begins."""

    began: int
    ended: int
    due: int
    shape: List[Any]
    times: List[int]
    found: Sequence[Any] = field(default=(), repr=False)        # the moments themselves, as a look that was made left them,
    left: Sequence[Any] = field(default=(), repr=False)         # and as they are since, each an object of its own


class Unclear(Exception):
    """It cannot be told what depends on what."""


class Way:
    """What was compared, by a step that began so, with moments that were remembered before."""

    def __init__(self, before: Look, began: int, ended: int, watch: Watch, own: Sequence[Any] = ()) -> None:
        """`own`: moments whose comparisons only tell when the next step is due. Raises Unclear."""
        self.shape, self.began, self.ended = before.shape, began, ended
        self._times = before.times
        self._places: Dict[int, List[int]] = {}
        for place, time in enumerate(before.times):
            self._places.setdefault(time, []).append(place)
        self._bounds: Dict[int, Tuple[int, int]] = {}
        self._gaps: Dict[Tuple[int, int], Tuple[int, int]] = {}
        for flips, least in ((watch.flips, 1), (watch.past, -FAR)):
            for anchor, seconds in flips:
                if not any(anchor is each for each in own):
                    self._bind(anchor, max(micro_of(seconds), least))
        for one, other, seconds in watch.pairs:
            micro = micro_of(seconds)
            self._tie(one, other, -FAR if micro > 0 else micro and micro + 1, FAR if micro < 0 else micro and micro - 1)
        for one, other in watch.apart:
            self._tie(one, other, 0, 0)
        self.bounds = [(place, least, most) for place, (least, most) in self._bounds.items()]
        self.gaps = self._gaps_found()

    def _bind(self, anchor: Anchor, micro: int) -> None:
        """How much later each may be than it was, or earlier."""
        for place in self._places_of(anchor):
            time = self._times[place]
            least, most = self._bounds.get(place, (time - FAR, time + FAR))
            self._bounds[place] = (max(least, time - micro), most) if micro > 0 else (least, min(most, time - micro))

    def _tie(self, one: Anchor, other: Anchor, least: int, most: int) -> None:
        """How much more the one may have moved than the other."""
        for first in self._places_of(one):
            for second in self._places_of(other):
                self._tied(first, second, least, most)

    def _tied(self, first: int, second: int, least: int, most: int) -> None:
        if first == second:
            return
        if first > second:
            first, second, least, most = second, first, -most, -least
        apart = self._times[first] - self._times[second]
        before = self._gaps.get((first, second), (apart - FAR, apart + FAR))
        self._gaps[first, second] = max(before[0], apart + least), min(before[1], apart + most)

    def _gaps_found(self) -> List[Tuple[int, int, int, int]]:
        return [(one, other, least, most) for (one, other), (least, most) in self._gaps.items()]

    def _places_of(self, anchor: Anchor) -> Sequence[int]:
        """Where it was remembered; nowhere, if the step set it itself. Raises Unclear."""
        if anchor is None:
            raise Unclear
        number = number_of(anchor)
        places = self._places.get(number, ())
        if places or self.began <= number <= self.ended:
            return places
        if type(anchor) is datetime:        # what is worked out from what was remembered says so: this was read, or never was
            return self._places[NEVER]
        raise Unclear

    def fits(self, times: Sequence[int], later: int) -> bool:
        """Whether all comes out as it did, for a step that begins so much later. What does not is asked first the next time."""
        for bound in self.bounds:
            place, least, most = bound
            if not least < times[place] - later <= most:
                self.bounds.remove(bound)
                self.bounds.insert(0, bound)
                return False
        for one, other, least, most in self.gaps:
            if not least <= times[one] - times[other] <= most:
                return False
        return True

    def turns(self, before: Look, after: Look, moved: Sequence[int], period: int) -> int:
        """How often it may come again, each time so much later, when it went from the one to the other: what moves on with it is
        as far away, and of what stands still no comparison may come out otherwise."""
        later, found = after.began - self.began, [FAR]
        for place, least, _ in self.bounds:
            if not moved[place]:
                found.append((min(before.times[place], after.times[place]) - later - least - 1) // period)
        for one, other, least, most in self.gaps:
            if bool(moved[one]) is not bool(moved[other]):
                for times in (before.times, after.times):
                    apart = times[one] - times[other]
                    found.append(((most - apart) if moved[one] else (apart - least)) // period)
        return min(found)


class Pulse(Way):
    """A pulse that found nothing."""

    def goes_on(self, look: Look) -> bool:
        """Whether none does until the next look is due."""
        return self.fits(look.times, look.ended - self.began) and self.fits(look.times, look.due - self.began)


class Step(Way):
    """A look that left all but moments as it was."""

    def __init__(self, before: Look, after: Look, watch: Watch, own: Sequence[Any]) -> None:
        """Raises Unclear."""
        if after.shape != before.shape or len(after.times) != len(before.times) or after.began != before.due:
            raise Unclear
        super().__init__(before, after.began, after.ended, watch, own)
        self.due = after.due
        self.sets: List[Tuple[int, int]] = []
        self.copies: List[Tuple[int, int, int]] = []
        sources = {id(moment): place for place, moment in enumerate(before.left)}
        for place, (told, kept) in enumerate(zip(after.found, before.left)):
            if told is not kept:
                self._changed(place, after.times[place], told, sources.get(id(told)), watch)
        self.gaps = self._gaps_found()
        self.slides = {place for place, _ in self.sets}
        self.still = [bound for bound in self.bounds if bound[0] not in self.slides]
        self.sliding = [gap for gap in self.gaps if (gap[0] in self.slides) is not (gap[1] in self.slides)]
        copied = {place for place, _, _ in self.copies}
        self.settles = not any(source in self.slides or source in copied for _, source, _ in self.copies)

    def _changed(self, place: int, now: int, told: Any, source: Optional[int], watch: Watch) -> None:
        """Set since it began, or copied from where it was before, or worked out from that."""
        if source is not None:
            self.copies.append((place, source, 0))
        elif isinstance(told, Moving) and told.turn == watch.turn and told.slope:
            if told.slope != 1.0 or told.anchor is not (FIXED if isinstance(told, float) else None):
                raise Unclear
            self.sets.append((place, now))
        elif isinstance(told, Moment) and told.turn == watch.turn and told.derived:
            self._copied(place, now, self._places_of(told.anchor))
        elif isinstance(told, str) and self.began <= now <= self.ended:
            self.sets.append((place, now))
        else:                               # read once more, or written: only as long as what tells the same stays where it is
            self._copied(place, now, [*self._places.get(now, ()), *self._places[NEVER]] if now in self._places else ())

    def _copied(self, place: int, now: int, sources: Sequence[int]) -> None:
        if not sources:
            raise Unclear
        first, *others = sources
        for other in others:
            self._tied(first, other, 0, 0)
        self.copies.append((place, first, now - self._times[first]))

    def follow(self, look: Look, until: int, once: bool = False) -> Optional[Look]:
        """The look that follows, if it goes this way and is over by then; of those that go on so a later one, unless `once`."""
        after = self._once(look, until)
        if after is None or once or not self.settles or not self.fits(after.times, after.due - self.began):
            return after
        period = after.due - after.began
        return self._moved(after, min(self._more(after, period), (until - after.ended) // period))

    def _once(self, look: Look, until: int) -> Optional[Look]:
        later = look.due - self.began
        if self.ended + later > until or not self.fits(look.times, later):
            return None
        times = look.times[:]
        for place, source, later_by in self.copies:
            times[place] = look.times[source] + later_by
        for place, time in self.sets:
            times[place] = time + later
        return Look(look.due, self.ended + later, self.due + later, look.shape, times)

    def _more(self, look: Look, period: int) -> int:
        """How often more."""
        times, later = look.times, look.due - self.began - 1
        more = [(times[place] - later - least - 2) // period for place, least, _ in self.still]
        for one, other, least, most in self.sliding:
            apart = times[one] - times[other]
            more.append(((most - apart) if one in self.slides else (apart - least)) // period)
        return min(more, default=FAR) + 1

    def _moved(self, look: Look, times: int) -> Look:
        micro = times * (look.due - look.began)
        if micro <= 0:
            return look
        moved = look.times[:]
        for place, _ in self.sets:
            moved[place] += micro
        return Look(look.began + micro, look.ended + micro, look.due + micro, look.shape, moved)


Went = Tuple[Step, Look, Look]          # the way it went, from the one to the other


def come_round(trail: List[Went], until: int) -> None:
    """Where looks go on as they went since one went the last one's way before, add the last such round that is over by then."""
    step = trail[-1][0]
    since = next((number for number in range(len(trail) - 2, -1, -1) if trail[number][0] is step), None)
    if since is None:
        return
    went = trail[since + 1:]
    first, last = went[0][1], went[-1][2]
    period = last.due - first.due
    moved = list(map(operator.sub, last.times, first.times))
    if last.ended - first.ended != period or not {0, period}.issuperset(moved):
        return
    times = min((until - last.ended) // period, *(step.turns(before, after, moved, period) for step, before, after in went))
    if times > 0:
        trail += [(step, _later(before, moved, times * period), _later(after, moved, times * period))
                  for step, before, after in went]


def _later(look: Look, moved: Sequence[int], micro: int) -> Look:
    return Look(look.began + micro, look.ended + micro, look.due + micro, look.shape,
                [time + micro if moves else time for time, moves in zip(look.times, moved)])
