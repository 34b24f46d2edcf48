"""The steady clock: ages that a clock set back or forward does not move, and what they are called now."""
from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

import pytest

from rmcagent.clock import Steady, SystemClock
from rmcagent.sim.clock import VirtualClock

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def steady_of(clock: VirtualClock) -> Steady:
    return Steady(clock, clock.now(), clock.monotonic())


@pytest.mark.parametrize("jump", [DAY, -DAY, timedelta(days=-20000)])
def test_a_clock_that_is_set_moves_no_steady_time(jump: timedelta) -> None:
    clock = VirtualClock(NOON)
    steady = steady_of(clock)

    clock.jump(jump)
    clock.sleep(3600)

    assert steady.now() == NOON + HOUR


def test_a_monotonic_moment_has_its_place_in_steady_time() -> None:
    clock = VirtualClock(NOON, monotonic=500.0)
    steady = steady_of(clock)

    clock.jump(-DAY)

    assert (steady.at(500.0), steady.at(440.0)) == (NOON, NOON - timedelta(minutes=1))


@pytest.mark.parametrize("jump", [DAY, -DAY, timedelta(0)])
def test_what_is_shown_is_what_the_wall_calls_it_now(jump: timedelta) -> None:
    clock = VirtualClock(NOON)
    steady = steady_of(clock)
    clock.sleep(3600)

    clock.jump(jump)

    assert steady.shown(steady.now()) == clock.now()
    assert steady.shown(NOON) == NOON + jump


def test_an_anchor_kept_from_earlier_counts_on_after_the_clock_was_set() -> None:
    clock = VirtualClock(NOON, monotonic=100.0)
    first = steady_of(clock)
    clock.sleep(60)
    clock.jump(DAY)

    second = Steady(clock, first.anchor_wall, first.anchor_monotonic)

    assert second.now() == first.now() == NOON + timedelta(minutes=1)


def test_the_machines_clock_is_aware_and_its_seconds_never_go_back() -> None:
    clock = SystemClock()

    moments = [clock.monotonic() for _ in range(100)]

    assert clock.now().utcoffset() == timedelta(0)
    assert moments == sorted(moments)


def test_what_a_signal_handler_writes_ends_a_sleep_early() -> None:
    reader, writer = os.pipe()
    clock = SystemClock(wake=reader)
    os.write(writer, b"\0")

    began = clock.monotonic()
    clock.sleep(60)

    assert clock.monotonic() - began < 30
    os.close(reader)
    os.close(writer)


def test_a_sleep_of_less_than_nothing_is_none() -> None:
    clock = SystemClock()

    began = clock.monotonic()
    clock.sleep(-5)

    assert clock.monotonic() - began < 1
