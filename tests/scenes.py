"""Scenes that an administrator meets: the document of each, from a simulated partition in virtual time."""
from __future__ import annotations

from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Dict, List, Mapping, Tuple

from day import MINUTE, Day
from rmcagent import show
from rmcagent.report import line

Document = Dict[str, Any]
AGE = 12.3                                # seconds since the look, where nothing is wrong with that
BOOT = "5f1c9a52"
TWO = ("192.0.2.21", "192.0.2.22")


class Shift(Day):
    """A day that remembers when each event was told, as the daemon does for its document."""

    def __init__(self, folder: Path, **how: Any) -> None:
        self.told_at: List[Document] = []
        super().__init__(folder, **how)

    def run(self, seconds: float) -> None:
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            seconds = self.cycle.step()
            self._note()
            self.clock.sleep(seconds)

    def _note(self) -> None:
        at = self.cycle.steady.shown(self.cycle.steady.now()).isoformat(timespec="seconds")
        for event in self.events[len(self.told_at):]:
            code, _, text = line(event).partition(" ")
            self.told_at.append({"at": at, "code": code, "text": text})

    def document(self) -> Document:
        self._note()
        extra = {"version": "1.0.0", "pid": 4242, "boot": BOOT, "platform": self.partition.platform.value,
                 "why": self.cycle.ledger.decisions[-20:], "events": self.told_at[-10:]}
        document: Document = show.document(self.cycle.view, self.settings, self.cycle.steady.shown, extra)
        return document


def _healthy(folder: Path) -> Shift:
    day = Shift(folder, hmcs=TWO)
    day.run(20 * MINUTE)
    return day


def _degraded(folder: Path) -> Shift:
    """ctrmc has just crashed: the grace is not over."""
    day = Shift(folder)
    day.run(20 * MINUTE)
    day.do("crash", "ctrmc")
    day.run(MINUTE)
    return day


def _partial(folder: Path) -> Shift:
    day = Shift(folder, hmcs=TWO)
    day.run(20 * MINUTE)
    day.do("hmc_down", TWO[1])
    day.run(25 * MINUTE)
    return day


def _hung(folder: Path) -> Shift:
    """RMC answers nobody, which is no finding before it has been so for several looks."""
    day = Shift(folder)
    day.run(20 * MINUTE)
    day.do("hung_rmc")
    day.run(3 * MINUTE)
    return day


def _storm(folder: Path) -> Shift:
    day = Shift(folder)
    day.run(20 * MINUTE)
    day.do("storm")
    day.run(25 * MINUTE)
    return day


def _healing(folder: Path) -> Shift:
    day = Shift(folder)
    day.run(20 * MINUTE)
    day.do("crash", "ctrmc")
    day.run(3 * MINUTE)
    return day


def _needs_human(folder: Path) -> Shift:
    """CAA is active on a node whose HMC link is lost, and a refresh did not help."""
    day = Shift(folder)
    day.run(20 * MINUTE)
    day.do("start_caa")
    day.do("stick_session", mended_by="recycle")
    day.run(40 * MINUTE)
    return day


def _network(folder: Path) -> Shift:
    day = Shift(folder, hmcs=TWO)
    day.run(20 * MINUTE)
    for address in TWO:
        day.do("hmc_unreachable", address)
        day.do("stick_session", address, mended_by=None)
    day.run(25 * MINUTE)
    return day


def _paused(folder: Path) -> Shift:
    day = Shift(folder)
    day.run(20 * MINUTE)
    day.cycle.pause(day.cycle.steady.now() + timedelta(hours=2), "new firmware on the HMC", "admin")
    day.do("crash", "ctrmc")
    day.run(10 * MINUTE)
    return day


def _blind(folder: Path) -> Shift:
    day = Shift(folder)
    day.run(20 * MINUTE)
    day.do("hang_command", "lssrc")
    day.run(25 * MINUTE)
    return day


def _unknown(folder: Path) -> Shift:
    """Two minutes in which rmcdomainstatus hangs: not yet blind, and nothing is said to be well."""
    day = Shift(folder)
    day.run(20 * MINUTE)
    day.do("hang_command", "rmcdomainstatus")
    day.run(3 * MINUTE)
    return day


def _shadow(folder: Path) -> Shift:
    day = Shift(folder, policy="mode: shadow\n")
    day.run(20 * MINUTE)
    day.do("crash", "ctrmc")
    day.run(10 * MINUTE)
    return day


SCENES: Mapping[str, Callable[[Path], Shift]] = {
    "healthy": _healthy, "degraded": _degraded, "healing": _healing, "needs-human": _needs_human, "paused": _paused,
    "blind": _blind, "unknown": _unknown, "network": _network, "shadow": _shadow,
    "partial": _partial, "hung": _hung, "storm": _storm,
}
STOPPED: Document = {"schema": 1, "verdict": "not-running", "version": "1.0.0", "taken_at": "2026-01-10T02:00:00+00:00"}


@cache
def played(name: str) -> Document:
    """The document at the end of a scene, which each process plays once; nobody may change it."""
    with TemporaryDirectory(prefix="rmcagent-scene-") as folder:
        return SCENES[name](Path(folder)).document()


def scene(name: str) -> Tuple[Document, bool, float]:
    """(document, whether its daemon lives, its age) as a verb finds them."""
    if name == "stale":
        return played("healthy"), True, 901.0
    if name == "killed":
        return played("healthy"), False, 34.0
    if name == "stopped":
        return STOPPED, False, 5000.0
    return played(name), True, AGE


EACH = (*SCENES, "stale", "killed", "stopped")
