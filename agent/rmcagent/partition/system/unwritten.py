"""A helper without files, for where there is no room for them: told by its arguments, known by its process, it leaves no word.

Only what finishes an interrupted remedy may be begun so: to do that twice does no harm, and not to do it leaves RMC stopped.
"""
from __future__ import annotations

import errno
import json
import os
import time
from typing import Any, Dict, Optional

from rmcagent.frozen import asdict
from rmcagent.model import Deed, Progress
from rmcagent.partition.system.perform import START_SECONDS, SYSTEMD_RUN, Run, command, deed_from, perform
from rmcagent.partition.system.started import Age, start_time, still_runs

SLACK_SECONDS = 60.0         # between a deed's steps, and between the tries of one


class Unwritten:
    """Those begun by this process, each by what `still_runs` asks of it: another process that got its number is not it."""

    def __init__(self) -> None:
        self._begun: Dict[int, Dict[str, Any]] = {}

    def begin(self, deed: Deed, run: Run, age: Age) -> None:
        """Start it; raise OSError when it did not start, or still runs."""
        if self.progress(deed.attempt, age) is not None:
            raise OSError(errno.EBUSY, f"cannot begin attempt {deed.attempt}: its helper still runs")
        if any(step.argv[0].startswith("@") for step in deed.steps):
            raise OSError(errno.EINVAL, f"cannot begin attempt {deed.attempt}: it saves files, and there is no room for them")
        argv, unit = command(deed.attempt, "", json.dumps(asdict(deed)))
        answer = run(argv, START_SECONDS)
        said = answer.stdout.strip() if not unit else _main_pid(unit, run)
        if answer.exit_code != 0 or not said.isdigit():
            because = (answer.stderr.strip().splitlines() or ["it said nothing"])[-1][:200]
            raise OSError(errno.EIO, f"cannot begin attempt {deed.attempt}: its helper did not start: {because}")
        longest = sum(step.timeout * max(1, step.tries) for step in deed.steps) + SLACK_SECONDS
        self._begun[deed.attempt] = {"pid": int(said), "started": start_time(int(said)), "at": time.monotonic(),
                                     "wall": time.time(), "timeout": longest}

    def progress(self, attempt: int, age: Age) -> Optional[Progress]:
        """Alive, or None: how it ended nobody was told."""
        alive = attempt in self._begun and still_runs(self._begun[attempt], age)
        return Progress(attempt, alive=True, done=False) if alive else None

    def forget(self, attempt: int) -> None:
        self._begun.pop(attempt, None)


UNWRITTEN = Unwritten()      # children of this process, so known to this process as a whole


def told(text: str) -> None:
    """Perform the deed that the arguments tell."""
    deed = deed_from(text)
    if deed is None:
        raise SystemExit(1)
    perform(deed, "")


def _main_pid(unit: str, run: Run) -> str:
    """Of a unit that systemd has started: "0" when it has ended already."""
    systemctl = os.path.join(os.path.dirname(SYSTEMD_RUN), "systemctl")
    return run((systemctl, "show", "--property=MainPID", unit), START_SECONDS).stdout.strip().rpartition("=")[2]
