"""Simulated time: a clock that moves only when told to, and one that follows the machine's; both keep an agenda."""
from __future__ import annotations

import heapq
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import Callable, List, Optional, Protocol, Tuple

from rmcagent.clock import SystemClock
from rmcagent.sim.moving import Ticks, Watch, moving, span, ticks

NEW_YEAR = datetime(2026, 1, 1, tzinfo=timezone.utc)
MICRO = 1_000_000
TOLD = object()                 # whoever wants to know what has happened knows


class Timekeeper(Protocol):
    """What the simulated partition asks of time."""

    def now(self) -> datetime:
        """Wall time, aware, UTC."""

    def monotonic(self) -> float:
        """Seconds since the boot."""

    def at(self, seconds: float, callback: Callable[[], object]) -> None:
        """Call back `seconds` from now; of two that fall due together, the one asked for first."""

    def rebooted(self) -> None:
        """Begin the monotonic seconds again, where that is ours to say."""


class VirtualClock:
    """A Clock in which a day takes no time: sleeping moves it on and runs what falls due on the way.

    It counts whole microseconds, so that a month slept at once ends where one slept by the minute does. `after` is called
    when something that fell due has happened, unless that returns TOLD.
    """

    def __init__(self, start: datetime = NEW_YEAR, monotonic: float = 3600.0) -> None:
        self._wall = start
        self._since = 0                         # all microseconds ever slept: the agenda's time, which no reboot resets
        self._boot_at = -_whole(monotonic)      # the boot, in the agenda's time
        self._agenda = Agenda()
        self.after: Callable[[], None] = lambda: None
        self.watch: Optional[Watch] = None      # who wants to know what the time is compared with
        self._told: Optional[Ticks] = None      # the seconds as last told, if they are still these

    def now(self) -> datetime:
        return moving(self._wall, self.watch) if self.watch and self.watch.on else self._wall

    def monotonic(self) -> float:
        watch = self.watch
        if watch is None or not watch.on:
            return (self._since - self._boot_at) / MICRO
        told = self._told
        if told is None or told.turn != watch.turn:
            told = self._told = ticks((self._since - self._boot_at) / MICRO, watch)
        return told

    def since(self, monotonic: float) -> timedelta:
        """How long ago that was."""
        length = timedelta(seconds=float(self.monotonic()) - monotonic)
        return span(length, self.watch) if self.watch and self.watch.on else length

    @property
    def slept(self) -> float:
        """All seconds ever slept."""
        return self._since / MICRO

    def until_next(self) -> float:
        """Seconds until something falls due."""
        return float("inf") if self._agenda.next_at is None else (self._agenda.next_at - self._since) / MICRO

    def sleep(self, seconds: float) -> None:
        end = self._since + max(0, _whole(seconds))
        while self._agenda.next_at is not None and self._agenda.next_at <= end:
            self._move_to(max(int(self._agenda.next_at), self._since))
            if self._agenda.pop()() is not TOLD:
                self.after()
        self._move_to(max(end, self._since))

    def at(self, seconds: float, callback: Callable[[], object]) -> None:
        self._agenda.add(self._since + max(0, _whole(seconds)), callback)

    def jump(self, by: timedelta) -> None:
        """Set the wall clock forward or back; nothing falls due by it."""
        self._wall += by

    def rebooted(self) -> None:
        self._boot_at, self._told = self._since, None

    def _move_to(self, since: int) -> None:
        self._wall += timedelta(microseconds=since - self._since)
        self._since, self._told = since, None


class FollowingClock(SystemClock):
    """The machine's own time, with an agenda that somebody's loop runs."""

    def __init__(self) -> None:
        self._agenda = Agenda()

    def at(self, seconds: float, callback: Callable[[], object]) -> None:
        self._agenda.add(self.monotonic() + max(0.0, seconds), callback)

    def rebooted(self) -> None:
        """The machine did not."""

    def run_due(self) -> None:
        """Call back everything that is due by now."""
        now = self.monotonic()
        while self._agenda.next_at is not None and self._agenda.next_at <= now:
            self._agenda.pop()()

    def until_next(self) -> Optional[float]:
        """Seconds until something falls due; None when nothing is to come."""
        return None if self._agenda.next_at is None else max(0.0, self._agenda.next_at - self.monotonic())


class Agenda:
    """What is to come, in order of time, then of asking."""

    def __init__(self) -> None:
        self._entries: List[Tuple[float, int, Callable[[], object]]] = []
        self._numbers = count()

    @property
    def next_at(self) -> Optional[float]:
        return self._entries[0][0] if self._entries else None

    def add(self, at: float, callback: Callable[[], object]) -> None:
        heapq.heappush(self._entries, (at, next(self._numbers), callback))

    def pop(self) -> Callable[[], object]:
        return heapq.heappop(self._entries)[2]


def _whole(seconds: float) -> int:
    return round(seconds * MICRO)
