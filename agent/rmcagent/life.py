"""One life of the agent: turns, requests, publishing, of which a mistake of ours ends one, and not the agent."""
from __future__ import annotations

from typing import Callable, Tuple, Type, TypeVar

from rmcagent import lives
from rmcagent.cycle import Cycle
from rmcagent.report import Event

T = TypeVar("T")


class Life:
    """One life of the agent, from its start to its clean stop; a mistake's traceback goes to `complain`."""

    def __init__(self, cycle: Cycle, complain: Callable[[str], None]) -> None:
        self.cycle, self.ledger, self.complain = cycle, cycle.ledger, complain

    def begin(self, pid: int) -> None:
        looped, died = lives.in_loop(self.ledger), lives.begin(self.ledger, pid)
        if died and not looped:
            self._tell_loop(f"pid {died} ended without a clean stop", "find out what ended it: core, errpt, the journal")

    def step(self) -> float:
        """A turn; the seconds until the next one."""
        self.cycle.memory.crash_loop = lives.in_loop(self.ledger)
        return self.spared(self.cycle.step, self._turn_lost)

    def spared(self, part: Callable[[], T], instead: Callable[[], T], ordinary: Tuple[Type[Exception], ...] = ()) -> T:
        """The one broad except: a mistake of ours ends the turn, the request or the publishing, and not the agent; several
        and it only observes. What is `ordinary` is raised."""
        looped = lives.in_loop(self.ledger)
        try:
            return part()
        except ordinary:
            raise
        except Exception:
            import traceback

            self.complain(traceback.format_exc())
            lives.mistaken(self.ledger)
            if not looped:
                last = traceback.format_exc(limit=-1).strip().splitlines()[-1]
                self._tell_loop(last, "see the traceback on the daemon's standard error")
            return instead()

    def _turn_lost(self) -> float:
        self.cycle.next_look = self.cycle.steady.now() + self.cycle.settings.cadence.look
        return self.cycle.settings.cadence.pulse.total_seconds()

    def _tell_loop(self, because: str, advice: str) -> None:
        """Once a loop: when the crash just counted began it."""
        if lives.in_loop(self.ledger):
            crashes = ("crashes", str(lives.CRASHES_ALLOWED))
            do = ("do", f"{advice}; acts again after a quiet hour")
            self.cycle.emit(Event("RMCA1008E", "crash loop: observing only", (crashes, ("because", because), do)))
