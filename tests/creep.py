"""Looks by the thousand on one simulated partition, with a fault now and then, and what the agent holds after each thousand.

Commands answer from memory while nothing happens, so that it is the agent that is measured: `python tests/creep.py 100000`.
"""
from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Dict, Iterator, List, Sequence, Tuple

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent / "agent")]

from day import Day
from rmcagent.exposed import Exposed
from rmcagent.frozen import replace
from rmcagent.model import Answer, Platform
from rmcagent.report import Event, Reporter, publish
from rmcagent.show import document
from rmcagent.sim.partition import SimHost

LOOK = 60.0
FAULT_EVERY = 400                  # looks: three or four faults a day, more than a partition lives through in a year
TROUBLED = 40                      # looks until it is over
TOLD_EVERY = 10                    # looks: what each one publishes is made anew from nothing
FAULTS: Sequence[Tuple[str, Sequence[str], str]] = (
    ("crash", ("ctrmc",), ""), ("hmc_unreachable", (), "hmc_reachable"), ("crash", ("IBM.DRM",), ""),
    ("write_log", ("slots", "40"), ""),
)


class Canned(SimHost):
    """While nothing happens every command says what it said before, at no cost."""

    said: Dict[Tuple[str, ...], Answer] = {}
    quiet = False

    def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
        said = self.said.get(tuple(argv)) if self.quiet else None
        if said is None:
            said = self.said[tuple(argv)] = super().run(argv, timeout, keep)
        self.asked.clear()
        return replace(said, ended_at=self.clock.monotonic())


class Long:
    """An agent as the daemon has it, with every sink that is a file of ours, and the partition it lives on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.day = Day(folder, Platform.AIX, policy=f"cadence: {{pulse: {LOOK:.0f}s}}\n")
        self.host = Canned(self.day.partition, self.day.clock)
        self.day.host = self.host
        self.day.start()
        report = replace(self.day.settings.report, file="off")
        self.reporter = Reporter(report, "aix", self.day.clock, 1, state=str(folder / "state"))
        self.day.cycle.emit = self.day.cycle.episodes.emit = self.day.cycle.deeds.emit = self._emit
        self.exposed = Exposed(lambda text: None, ())
        self.events = self.looks = 0

    def _emit(self, event: Event) -> None:
        self.events += 1
        self.reporter.emit(event)

    def live(self, looks: int) -> None:
        for _ in range(looks):
            self._happen(self.looks % FAULT_EVERY, FAULTS[self.looks // FAULT_EVERY % len(FAULTS)])
            self.day.clock.sleep(self.day.cycle.step())
            self.looks += 1
            if self.looks % TOLD_EVERY == 0:
                self._tell()
            self.reporter.flush()
            del self.day.partition.did[:], self.day.partition.errors[:-50], self.day.partition.errlogged[:]

    def _happen(self, at: int, fault: Tuple[str, Sequence[str], str]) -> None:
        what, arguments, undone = fault
        if at == TROUBLED:
            self.host.said.clear()
        self.host.quiet = at > TROUBLED
        if at == 1:
            self.day.do(what, *(int(word) if word.isdigit() else word for word in arguments))
        if at == TROUBLED // 2 and undone:
            self.day.do(undone)

    def _tell(self) -> None:
        extra = {"why": self.day.cycle.ledger.decisions[-20:], "events": list(self.reporter.recent),
                 "event_counts": dict(self.reporter.counts),
                 "remedies": self.exposed.counted(self.day.cycle.ledger.attempts.values())}
        shown = document(self.day.cycle.view, self.day.settings, self.day.cycle.steady.shown, extra)
        publish(str(self.folder / "status.json"), shown)

    def held(self) -> Dict[str, int]:
        """What the process and its files come to."""
        state = self.folder / "state"
        return {"looks": self.looks, "events": self.events, "resident_kb": _resident_kb(),
                "blocks": sys.getallocatedblocks(), "files": len(os.listdir("/proc/self/fd")),
                "threads": len(os.listdir("/proc/self/task")), "children": len(_children()),
                "ledger_bytes": (state / "ledger.jsonl").stat().st_size,
                "status_bytes": (self.folder / "status.json").stat().st_size,
                "kept_bytes": sum(path.stat().st_size for path in state.glob("events*")), "state_files": len(os.listdir(state))}


def _resident_kb() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def _children() -> List[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()


def marks(looks: int, every: int) -> Iterator[Dict[str, int]]:
    with tempfile.TemporaryDirectory(prefix="creep-") as folder:
        long = Long(Path(folder))
        for _ in range(0, looks, every):
            long.live(every)
            yield long.held()


if __name__ == "__main__":
    for mark in marks(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000):
        print(json.dumps(mark), flush=True)
