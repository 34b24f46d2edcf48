"""A day in the life: the production cycle on a simulated partition, in virtual time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, List, Mapping, Optional, Sequence

from rmcagent import config
from rmcagent.cycle import Cycle
from rmcagent.ledger import Ledger
from rmcagent.model import Platform
from rmcagent.partition.platform import place
from rmcagent.report import EVENTS, Event, line
from rmcagent.sim.clock import VirtualClock
from rmcagent.sim.partition import Partition, SimHost

MINUTE = 60.0
HOUR = 3600.0


class Day:
    """One partition with one agent; `run` lets virtual time pass, `restart` is a new agent on the same ledger."""

    def __init__(
        self,
        folder: Path,
        platform: Platform = Platform.AIX,
        hmcs: Sequence[str] = ("192.0.2.21",),
        policy: str = "",
        up_for: float = HOUR,
    ) -> None:
        self.folder = folder
        self.clock = VirtualClock()
        self.partition = Partition(self.clock, platform, hmcs)
        self.host = SimHost(self.partition, self.clock)
        self.policy = policy
        self.events: List[Event] = []
        self.clock.sleep(up_for)
        self.start()

    def start(self) -> None:
        commands: Mapping[str, str] = self.host.commands()
        listed = "".join(f"  {name}: {path}\n" for name, path in commands.items())
        text = (
            f"platform: {self.partition.platform.value}\ncommands:\n{listed}paths:\n  state: {self.folder}/state\n{self.policy}"
        )
        if "cadence" not in text:
            text += "cadence: {pulse: 30s}\n"  # fewer steps through quiet days; the pulse has tests of its own
        self.settings = config.parse(text).settings
        here = place(self.host, self.settings)
        ledger = Ledger(f"{self.folder}/state/ledger.jsonl", self.clock, self.partition.boot)
        self.cycle = Cycle(self.host, here, self.settings, ledger, self._hear)

    restart = start

    def _hear(self, event: Event) -> None:
        """What the table says of it must be so: without a field that it shows, the journal explains nothing."""
        known = EVENTS[event.code]
        assert event.word == known.name and {*known.shows} <= {key for key, _ in event.fields}, event
        self.events.append(event)

    def run(self, seconds: float) -> None:
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            self.clock.sleep(self.cycle.step())

    def run_until(self, code: str, within: float, count: int = 1) -> Optional[Event]:
        """Let time pass until an event of that code is told, `count` times; None when it is not within the bound."""
        end = self.clock.monotonic() + within
        while self.clock.monotonic() < end:
            told = self.told(code)
            if len(told) >= count:
                return told[count - 1]
            self.clock.sleep(self.cycle.step())
        return None

    def told(self, code: str) -> List[Event]:
        return [event for event in self.events if event.code == code]

    def lines(self) -> List[str]:
        return [line(event) for event in self.events]

    def did(self) -> List[str]:
        """The changing commands begun, in their order."""
        return [command for _, command in self.partition.did]

    def field(self, event: Event, name: str) -> str:
        return dict(event.fields)[name]

    @property
    def verdict(self) -> str:
        return self.cycle.view.verdict

    def do(self, what: str, *arguments: Any, **named: Any) -> None:
        getattr(self.partition, what)(*arguments, **named)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)
