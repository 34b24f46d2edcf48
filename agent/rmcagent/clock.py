"""Where time comes from: the Clock protocol, the machine's own, and the steady time the agent reasons by."""
from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Optional, Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Wall time, aware, UTC; may jump."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment of this boot; the same for every process of it."""

    def sleep(self, seconds: float) -> None:
        """Wait; a signal may end it early."""


class SystemClock:
    """`wake` is a descriptor that a signal handler makes readable: it ends a sleep early."""

    def __init__(self, wake: Optional[int] = None) -> None:
        self.wake = wake

    def now(self) -> datetime:
        return datetime.now(timezone.utc)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        import select

        select.select([self.wake] if self.wake is not None else [], [], [], max(0.0, seconds))


class Steady:
    """Wall time as it was at `anchor`, moved on by the monotonic clock: a clock set back or forward moves nothing.

    The anchor is kept in the ledger for each boot, so that an agent restarted after a clock jump still counts the
    ages of older records as before. `shown` turns a steady time into what the wall clock calls it now.
    """

    def __init__(self, clock: Clock, anchor_wall: datetime, anchor_monotonic: float) -> None:
        self.clock = clock
        self.anchor_wall = anchor_wall
        self.anchor_monotonic = anchor_monotonic

    def now(self) -> datetime:
        return self.at(self.clock.monotonic())

    def at(self, monotonic: float) -> datetime:
        return self.anchor_wall + timedelta(seconds=monotonic - self.anchor_monotonic)

    def shown(self, moment: datetime) -> datetime:
        return moment + (self.clock.now() - self.now())
