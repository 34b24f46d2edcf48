"""One rehearsal: an agent, its ledger and its partition in virtual time, what happens to them, and what is told and done."""
from __future__ import annotations

import errno
import os
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Callable, List, Mapping, Protocol, Sequence

from rmcagent import lives
from rmcagent.config import Settings
from rmcagent.cycle import Cycle
from rmcagent.ledger import Ledger, lived_before
from rmcagent.life import Life
from rmcagent.partition.platform import place
from rmcagent.records import RecordFile
from rmcagent.report import Event
from rmcagent.sim.clock import TOLD, VirtualClock
from rmcagent.sim.impossible import Impossible
from rmcagent.sim.moving import plain
from rmcagent.sim.partition import Partition, SimHost
from rmcagent.sim.rehearsal.script import DAY, Happening, Script
from rmcagent.sim.rehearsal.skip import Skip

TICK = 1e-6                     # virtual time counts microseconds
BOOTED = 3600.0                 # seconds before the rehearsal begins
AGAIN = 5.0                     # seconds until an agent that died is started again
AFTER_BOOT = 60.0
UUID = "c0ffee00-0000-4000-8000-"
MAINTENANCE = "/etc/rmcagent/maintenance"


class Ended(BaseException):
    """The agent's process is gone; nothing of it may go on."""


@dataclass(frozen=True)
class Told:
    """An event, and when it was told: seconds since the start, and what the wall clock said."""

    at: float
    wall: datetime
    event: Event


@dataclass(frozen=True)
class Happened:
    """What was armed before, and then really happened."""

    at: float
    words: str


@dataclass(frozen=True)
class Did:
    """A changing command that was begun, and when."""

    at: float
    command: str


class Audit(Protocol):
    def look(self) -> None:
        """Something has happened, or the agent has taken a step: is all as it must be?"""

    def hear(self) -> None:
        """Nothing has happened but that the log has grown, or time gone by."""

    def end(self) -> None:
        """It is over: was all as it had to be?"""


class Rehearsal:
    """A script as it is played; what happens to the agent, its state folder or the clock is a method in OURS."""

    def __init__(self, script: Script, settings: Settings, folder: str, audit: Callable[[Rehearsal], Audit],
                 skipping: bool = True) -> None:
        self.script = script
        self.folder = folder
        self.clock = VirtualClock(monotonic=0.0)
        self.partition = Partition(self.clock, script.platform, script.hmcs, seed=script.seed)
        self.partition.machine = f"system=IBM,9009-42A*7812345 partition={script.partition} uuid={UUID}{script.partition:012}"
        self.host = SimHost(self.partition, self.clock)
        self.settings = replace(settings, platform=script.platform.value, commands=dict(self.host.commands()),
                                paths={"state": folder})
        self.told: List[Told] = []
        self.did: List[Did] = []
        self.happened: List[Happened] = []
        self.mistakes: List[str] = []         # tracebacks of our own
        self.lives = 0
        self.alive = False
        self.clock.sleep(BOOTED)
        self.began = self.clock.slept
        self.zero = self.clock.now()          # what the wall clock said then
        self.skip = Skip(self) if skipping else None
        self._be_born()
        self.audit = audit(self)
        self.clock.after = self._fell_due
        self.partition.on_burst = self._log_grew
        for happening in script.happenings:
            self.clock.at(happening.at, lambda happening=happening: self._happen(happening))  # type: ignore[misc]

    @property
    def now(self) -> float:
        """Seconds since the agent's first start."""
        return self.clock.slept - self.began

    def play(self) -> None:
        """Let it all happen."""
        end = self.script.days * DAY
        while end - self.now > TICK:
            try:
                if self.alive:
                    self._step(end)
                else:
                    self.clock.sleep(min(self.born_at - self.clock.slept, end - self.now))
                    self._be_born()
            except Ended:
                self._after()
        self.audit.end()

    def _step(self, end: float) -> None:
        """One step of the agent, and the sleep after it."""
        if self.skip is None:
            seconds = self.life.step()
            self._after()
        else:
            self.skip.begin()
            asked = self.life.step()
            if self.skip.worth_a_look():
                self._after()
            else:
                self.audit.hear()
            seconds = self.skip.after_step(asked, end - self.now)
            if seconds > asked:
                self.clock.sleep(min(seconds, end - self.now))
                self.audit.look()       # what is true by time alone, as pulses would have shown it
                return
        self.clock.sleep(min(seconds, end - self.now))

    def _fell_due(self) -> None:
        if self.skip is not None:
            self.skip.forget()
        self._after()

    def _log_grew(self) -> object:
        if self.skip is not None:
            self.skip.forget()
        self.audit.hear()
        return TOLD

    def _after(self) -> None:
        self.did += [Did(self.now, command) for _, command in self.partition.did[len(self.did):]]
        self.audit.look()

    # -- the agent

    def _be_born(self) -> None:
        self.lives, self.alive = self.lives + 1, True
        self.ledger = Ledger(os.path.join(self.folder, "ledger.jsonl"), self.clock, self.partition.boot,
                             lived_before=lived_before(self.folder), kept_in=self._kept_in)
        if self.skip is not None:
            self.skip.watch_agent()
        self.cycle = Cycle(self.host, place(self.host, self.settings), self.settings, self.ledger, self._emit, MAINTENANCE)
        self.life = Life(self.cycle, self.mistakes.append)
        self.life.begin(self.lives)

    def _kept_in(self, path: str, header: Mapping[str, Any], everything: Callable[[], Sequence[Mapping[str, Any]]],
                 read_only: bool) -> RecordFile:
        self.file = Fillable(self.host, path, header, everything, read_only)
        return self.file

    def _end(self, again: float) -> None:
        if self.alive:
            self.alive, self.born_at = False, self.clock.slept + again
            self.file.keep_up()
            raise Ended

    def _die(self, again: float) -> None:
        """What was armed in a remedy; who is dead by then does not die."""
        if self.alive:
            attempt = self.cycle.deeds.under_way()
            amid = f"amid {attempt.remedy.value}" if attempt else "after the remedy was over"
            self.happened.append(Happened(self.now, f"the agent is killed {amid}"))
        self._end(again)

    def _emit(self, event: Event) -> None:
        if self.skip is not None:
            self.skip.forget()
        self.told.append(Told(self.now, plain(self.clock.now()), event))

    # -- what happens

    def _happen(self, happening: Happening) -> None:
        boot = self.partition.boot
        try:
            getattr(self if happening.do in OURS else self.partition, happening.do)(**happening.arguments)
        except ValueError as why:
            raise Impossible(str(why)) from None
        for command, come in self.partition.upon.items():
            if come == self.partition.start_caa:                    # just armed, and not noted yet
                self.partition.upon[command] = self._noting(f"CAA starts here as {command} is asked", come)
        if self.partition.boot != boot:
            self._end(again=AFTER_BOOT)

    def _noting(self, words: str, come: Callable[[], None]) -> Callable[[], None]:
        """The same, noted as it comes."""
        def note_and_come() -> None:
            self.happened.append(Happened(self.now, words))
            come()

        return note_and_come

    def kill_agent(self, again: float = AGAIN) -> None:
        """Its process dies, and is started again so many seconds later."""
        self._end(again)

    def stop_agent(self, again: float = AGAIN) -> None:
        """An operator or an upgrade stops it, and starts it again so many seconds later."""
        if self.alive:
            lives.end(self.ledger)
        self._end(again)

    def kill_helper(self) -> None:
        """The process that performs a remedy dies; the command it waits for goes on."""
        attempt = self.cycle.deeds.under_way()
        if attempt is not None:
            self.happened.append(Happened(self.now, f"the helper of {attempt.remedy.value} is killed"))
            self.host.kill_helper(attempt.id)

    def end_hanging(self) -> None:
        """An operator kills the changing command that has not ended in its time."""
        self.host.end_hanging()

    def kill_in_remedy(self, after: float = 1.0, again: float = AGAIN, helper: bool = False) -> None:
        """So many seconds into the next remedy that changes something its process dies, or that of its helper."""
        begun = len(self.partition.did)

        def spring() -> None:
            if len(self.partition.did) > begun:
                self.partition.on_change.remove(spring)
                self.clock.at(after, self.kill_helper if helper else lambda: self._die(again))

        self.partition.on_change.append(spring)

    def fill_state(self) -> None:
        """No room in the state folder."""
        self.host.state_full = True

    def free_state(self) -> None:
        """There is room again."""
        self.host.state_full = False

    def jump_clock(self, seconds: float) -> None:
        """Somebody sets the wall clock, forward or back."""
        self.clock.jump(timedelta(seconds=seconds))

    def pause(self, seconds: float) -> None:
        """An operator pauses the agent, unless that cannot be written down."""
        if self.alive and not self.host.state_full:
            self.cycle.pause(self.cycle.steady.now() + timedelta(seconds=seconds), "rehearsed", "root")

    def resume(self) -> None:
        """An operator resumes it, unless that cannot be written down."""
        if self.alive and not self.host.state_full and self.ledger.pause is not None:
            self.cycle.resume("an operator said so")

    def maintain(self) -> None:
        """An operator puts a file `maintenance` beside the configuration."""
        self.host.state_files[MAINTENANCE] = b""

    def end_maintenance(self) -> None:
        """The file is removed."""
        self.host.state_files.pop(MAINTENANCE, None)


OURS = ("kill_agent", "stop_agent", "kill_helper", "end_hanging", "kill_in_remedy", "fill_state", "free_state", "jump_clock",
        "pause", "resume", "maintain", "end_maintenance")


class Fillable(RecordFile):
    """The ledger's file, on a disk that may be full."""

    def __init__(self, host: SimHost, path: str, header: Mapping[str, Any], everything: Callable[[], Sequence[Mapping[str, Any]]],
                 read_only: bool) -> None:
        super().__init__(path, header, everything, read_only)
        self.host = host
        self.skipped = False            # what was remembered in looks that were skipped is not on disk

    def append(self, record: Mapping[str, Any], durable: bool = False) -> None:
        self._insist_on_room()
        super().append(record, durable)

    def replace(self) -> None:
        self._insist_on_room()
        super().replace()

    def keep_up(self) -> None:
        """Hold what those looks would have written."""
        if self.skipped:
            self.skipped = False
            super().replace()

    def _insist_on_room(self) -> None:
        if self.host.state_full:
            raise OSError(errno.ENOSPC, "No space left on device", self.path)
