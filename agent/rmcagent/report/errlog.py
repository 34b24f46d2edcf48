"""AIX's error log: what needs a human, as an operator message by errlogger; seldom, for that log is small and is watched."""
from __future__ import annotations

from collections import deque
from typing import Callable, Deque, Dict, Tuple

from rmcagent.clock import Clock
from rmcagent.report.events import Event
from rmcagent.report.text import line

CODE = "RMCA4001E"
TAG = "rmcagent: "                        # with a line of 900 bytes: under the 1024 that errlogger takes
DAY, HOUR = 86400.0, 3600.0
ENTRIES_AN_HOUR = 6


class ErrorLog:
    """Gives `errlogger` the text of one entry at a time: of each content one a day, and six an hour in all."""

    def __init__(self, errlogger: Callable[[str], object], clock: Clock) -> None:
        self.errlogger = errlogger
        self.clock = clock
        self.entries: Deque[float] = deque(maxlen=ENTRIES_AN_HOUR)
        self.entered: Dict[Tuple[Tuple[str, str], ...], float] = {}

    def send(self, event: Event) -> None:
        """Enter the event if it needs a human and there is room for it; what cannot be entered stands in the log all the same."""
        now = self.clock.monotonic()
        self.entered = {content: at for content, at in self.entered.items() if now - at < DAY}
        content = tuple(field for field in event.fields if field[0] != "repeated")
        if event.code != CODE or content in self.entered:
            return
        if len(self.entries) == ENTRIES_AN_HOUR and now - self.entries[0] < HOUR:
            return
        self.entries.append(now)
        self.entered[content] = now
        self.errlogger(TAG + line(event))
