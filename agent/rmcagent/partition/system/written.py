"""What a helper's lines come to: how far its deed has come, what failed, and which command has not ended in its time."""
from __future__ import annotations

import math
from typing import Any, Dict, List, Optional


class Written:
    """What the lines read so far come to, at `now` by the monotonic clock."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.steps: List[str] = []
        self.exits: Dict[str, Any] = {}
        self.notes: Dict[str, str] = {}
        self.done = False
        self.last: List[str] = []
        self.command: Dict[str, Any] = {}     # the one begun last, as noted, until it has ended
        self.ended_at: Optional[float] = None

    def take(self, line: Dict[str, Any]) -> None:
        at = line.get("at")
        # A moment still to come is one of an earlier boot.
        self.ended_at = at if isinstance(at, float) and at <= self.now else None
        if "begin" in line:
            self.steps.append(str(line["begin"]))
        elif "pid" in line:
            self.command = line
        elif "end" in line:
            self.exits[str(line["end"])] = line.get("exit")
            self._note_lateness(line)
            self.command = {}
        elif "notes" in line:
            self.notes.update({str(name): str(value) for name, value in dict(line["notes"]).items()})
        elif line.get("done"):
            self.done = True
            self.last = [str(failed) for failed in line.get("failed", ())]

    def late(self) -> Dict[str, str]:
        """The command that has not ended in its time, told by whoever asks: its helper may be gone."""
        over = self.now - self.command.get("at", math.inf) > self.command.get("timeout", math.inf)
        return {"late": self.steps[-1]} if over and self.steps else {}

    def _note_lateness(self, end: Dict[str, Any]) -> None:
        took = float(end.get("took", 0.0))
        if took > self.command.get("timeout", math.inf):
            self.notes["was_late"] = f"{end['end']} ended late, after {took / 60:.0f} minutes"

    def failed(self) -> List[str]:
        return self.last if self.done else [f"{name}: exit {code}" for name, code in self.exits.items() if code != 0]
