"""Skipping: looks that would only do what one has done before need not be looked at one by one, until time alone makes one
comparison come out otherwise, or something happens.

What the agent remembers is walked through, leaf by leaf, after each look. sim/repeat.py tells from two of them what the second
look did, and on what it depended; where the next goes the same way, and no pulse before it finds anything, what it would leave
behind is worked out, and so on.
"""
from __future__ import annotations

from copy import copy
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Tuple

from rmcagent.ledger import CATCH_UP_SECONDS
from rmcagent.sim.clock import MICRO
from rmcagent.sim.moving import FIXED, MovingSteady, Watch, plain, standing, ticks
from rmcagent.sim.repeat import MOST_WENT, NEVER, Look, Pulse, Step, Unclear, Went, come_round
from rmcagent.sim.walk import Noting, Time, micro_of, moved_on, number_of, walked

if TYPE_CHECKING:
    from rmcagent.sim.rehearsal.run import Rehearsal

LONGEST = 10 * 366 * 86400.0    # seconds
MOST_STEPS = 64
CLOCKS_CHANGE = 7 * 86400.0     # seconds: local time does not change its offset and change it back within this


class Skip:
    """Lets the time of looks pass that would only repeat what was seen."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.rehearsal = rehearsal
        self.watch = rehearsal.clock.watch = Watch()
        self.windows = [policy.window for policy in rehearsal.settings.remedies.values() if policy.window]
        self.skipped = 0.0              # seconds, in all
        self.next_look: Optional[datetime] = None
        self.own: Tuple[Any, ...] = ()          # moments that only tell when the next step is due
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
        self.disturbed = True
        self.glance: Any = None
        self.quiet_since_look = False
        self.last: Optional[Look] = None
        self.steps: List[Step] = []
        self.after: Dict[Optional[Step], Step] = {}     # of each step which came next the last time
        self.pulse: Optional[Pulse] = None

    def begin(self) -> None:
        """The agent is about to take a step."""
        cycle, ledger = self.rehearsal.cycle, self.rehearsal.ledger
        self.watch.begin()
        self.watch.on = self.rehearsal.clock.until_next() > cycle.settings.cadence.pulse.total_seconds()
        self.disturbed = False
        if self.watch.on:
            # Told apart from what else was set at the same time.
            cycle.next_look = standing(plain(cycle.next_look), self.watch)
            cycle.due_at = cycle.due_at and standing(plain(cycle.due_at), self.watch)
            ledger._caught_up_at = ticks(float(ledger._caught_up_at), self.watch, 0.0)
        else:
            self.last = None            # something happens too soon for anything to be skipped
        self.next_look = cycle.next_look
        self.own = (cycle.next_look, cycle.due_at or cycle.next_look, ledger._caught_up_at)

    def worth_a_look(self) -> bool:
        """Whether the step was more than a pulse that found nothing."""
        looked = self.rehearsal.cycle.next_look is not self.next_look
        return looked or self.disturbed or len(self.rehearsal.partition.did) > len(self.rehearsal.did)

    def after_step(self, seconds: float, left: float) -> float:
        """The agent has taken a step, and would sleep so long, of a rehearsal that lasts so many seconds more: how long it may
        sleep, after what could be skipped."""
        if self.rehearsal.cycle.next_look is not self.next_look:
            return self._after_look(seconds, left)
        return self._pulses() if self.watch.on and not self.disturbed else seconds

    def _pulses(self) -> float:
        """A pulse found nothing, and so will those until the next look, or until something happens or is due."""
        rehearsal, cycle = self.rehearsal, self.rehearsal.cycle
        now = plain(cycle.steady.now())
        if self.last is None and self.quiet_since_look:
            self.last = self._taken()
        if self.last is not None and (self.pulse is None or self.pulse.shape is not self.last.shape):
            try:
                self.pulse = Pulse(self.last, number_of(now), number_of(now), self.watch, self.own)
            except Unclear:
                pass                    # the next one may tell
        until_look = (plain(cycle.next_look) - now).total_seconds()
        until = min([rehearsal.clock.until_next(), *(left for anchor, left in self.watch.flips
                                                     if anchor is not self.own[0] and anchor is not self.own[1])])
        if rehearsal.file.behind:
            until = min(until, CATCH_UP_SECONDS)        # it may have been tried just now
        if until <= until_look:
            pulse = cycle.settings.cadence.pulse.total_seconds()
            until_look = min(until_look, max((until - 1 / MICRO) // pulse, 1) * pulse)
        cycle.due_at = now + timedelta(seconds=until_look)
        return until_look

    def _after_look(self, seconds: float, left: float) -> float:
        """Skip the looks that follow, as far as it is known what they do."""
        view, now = self.rehearsal.cycle.view, plain(self.rehearsal.clock.now())
        glance = (view.verdict, [(decision.kind, decision.remedy) for decision in view.decisions],
                  _offset(now), [window.open_at(_local(now)) for window in self.windows])
        if glance != self.glance:
            self.glance, self.steps, self.after, self.pulse = glance, [], {}, None
        self.quiet_since_look, before = True, self.last
        cycle = self.rehearsal.cycle
        pulse_comes = plain(cycle.steady.now()) + timedelta(seconds=seconds) < plain(cycle.next_look)
        if before is None and (pulse_comes or not self.watch.on):
            return seconds              # what it left is looked at by the pulse that follows, unless something happens before
        look = self.last = self._taken()
        if before is None:
            return seconds
        if before.shape == look.shape:
            look.shape = before.shape
        try:
            self.steps.insert(0, Step(before, look, self.watch, self.own))
        except Unclear:
            return seconds
        del self.steps[MOST_STEPS:]
        self.last = self._followed(look, look.ended + micro_of(self._room(left)) - 1)
        if self.last is look:
            return seconds
        self._pass(look, self.last)
        return (plain(cycle.due_at or cycle.next_look) - plain(cycle.steady.now())).total_seconds()

    def _followed(self, look: Look, until: int) -> Look:
        """The last look that goes a way that is known, and is over by then."""
        trail: List[Went] = []
        pulse = micro_of(self.rehearsal.cycle.settings.cadence.pulse.total_seconds())
        while look.due - look.ended <= pulse or (
                self.pulse is not None and self.pulse.shape is look.shape and self.pulse.goes_on(look)):
            found = self._next(trail[-1][0] if trail else None, look, until)
            if found is None:
                break
            trail.append((found[0], look, found[1]))
            if self.rehearsal.file.behind:
                self._catch_up(look, found[1])
            elif not self._pulses_may_find():
                come_round(trail, until)
            del trail[:-MOST_WENT]
            look = trail[-1][2]
        return look

    def _next(self, last: Optional[Step], look: Look, until: int) -> Optional[Tuple[Step, Look]]:
        """The step that comes after that one, and where it leads; what came after it the last time is tried first."""
        likely = self.after.get(last)
        for step in self.steps if likely is None else (likely, *self.steps):
            after = step.follow(look, until, self._pulses_may_find()) if step.shape is look.shape else None
            if after is not None:
                self.after[last] = step
                return step, after
        return None

    def _pulses_may_find(self) -> bool:
        """Whether a pulse between two looks depends on time, so that each is to be gone over."""
        return self.pulse is not None and bool(self.pulse.bounds or self.pulse.gaps)

    def _room(self, left: float) -> float:
        """Seconds until something no comparison tells of may happen. Where there is room again, what could not be written is."""
        if self.rehearsal.file.behind and not self.rehearsal.host.state_full:
            return 0.0
        room = min(left, self.rehearsal.clock.until_next(), *self._until_windows(), LONGEST)
        return min(room, self._until_clocks_change(room))

    def _taken(self) -> Look:
        shape: List[Any] = []
        noting = Noting(self.watch)
        _walk(self.rehearsal, shape, noting)
        cycle = self.rehearsal.cycle
        ended, next_look = number_of(cycle.steady.now()), number_of(cycle.next_look)
        began = next_look - micro_of(cycle.settings.cadence.look.total_seconds())
        return Look(began, ended, max(next_look, ended), shape,
                    [*noting.times, NEVER], [*noting.found, FIXED], [*noting.left, FIXED])

    def _catch_up(self, look: Look, last: Look) -> None:
        """Note when it would have been tried last to write what could not be written: by pulses between them, or by looks of one
        kind that follow the first."""
        ledger, cycle, every = self.rehearsal.ledger, self.rehearsal.cycle, micro_of(CATCH_UP_SECONDS)
        pulse = micro_of(cycle.settings.cadence.pulse.total_seconds())
        boot = number_of(cycle.steady.now()) - micro_of(float(ledger.steady.clock.monotonic()))
        tried, ended, due = boot + micro_of(float(ledger._caught_up_at)), look.ended, look.due
        while due <= last.began:
            pulses = max(1, -((ended - tried - every) // pulse))
            while ended + pulses * pulse < due:
                tried = ended + pulses * pulse
                pulses += -(-every // pulse)
            tried = due if due - tried >= every else tried
            ended, due = due + last.ended - last.began, due + last.due - last.began
        ledger._caught_up_at = ticks((tried - boot) / MICRO, self.watch, 0.0)

    def _pass(self, before: Look, after: Look) -> None:
        """Let the time between the two pass, and the agent remember what the second would have left."""
        rehearsal, micro = self.rehearsal, after.ended - before.ended
        rehearsal.clock.sleep(micro / MICRO)
        self.skipped += micro / MICRO
        rehearsal.cycle.view = copy(rehearsal.cycle.view)       # a look has been made since
        moved = iter([now - was for was, now in zip(before.times, after.times)])
        left: List[Any] = []

        def moved_on_each(time: Any) -> Any:
            by = next(moved)
            left.append(moved_on(time, by) if by else time)
            return left[-1]

        _walk(rehearsal, [], moved_on_each)
        after.left = (*left, FIXED)
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
        """Seconds until local time has another offset from UTC, by which windows and the error log go; LONGEST: not so soon."""
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
        return LONGEST


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
