"""What the doctor speaks of: a complaint and how bad it is, an examination, and the scene that the checks judge."""
from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any, List, Optional, Sequence, Tuple

from rmcagent.config import Settings
from rmcagent.frozen import dataclass
from rmcagent.model import Answer, Platform, Snapshot
from rmcagent.partition.host import Host
from rmcagent.partition.platform import Place
from rmcagent.show.codes import DONE, FAILED, INVALID, NOT_INSTALLED

READING_SECONDS = 5.0
SMALL_FILE = 64 << 10


class Severity(str, Enum):
    """Worst first."""

    CANNOT_ACT = "cannot-act"
    CANNOT_SEE = "cannot-see"
    CANNOT_REPORT = "cannot-report"
    ADVICE = "advice"


@dataclass(frozen=True)
class Complaint:
    """One thing to mend; `mend` is what to type, or to write into the configuration, a line each."""

    area: str
    severity: Severity
    what: str
    mend: str


def cannot_act(area: str, what: str, mend: str) -> Complaint:
    return Complaint(area, Severity.CANNOT_ACT, what, mend)


def cannot_see(area: str, what: str, mend: str) -> Complaint:
    return Complaint(area, Severity.CANNOT_SEE, what, mend)


def cannot_report(area: str, what: str, mend: str) -> Complaint:
    return Complaint(area, Severity.CANNOT_REPORT, what, mend)


def advice(area: str, what: str, mend: str) -> Complaint:
    return Complaint(area, Severity.ADVICE, what, mend)


@dataclass(frozen=True)
class Examination:
    platform: Platform
    verdict: str                         # ready | limited | not-installed | invalid
    complaints: Tuple[Complaint, ...]    # worst first

    @property
    def code(self) -> int:
        return {"ready": DONE, "limited": FAILED, "not-installed": NOT_INSTALLED, "invalid": INVALID}[self.verdict]


@dataclass(frozen=True)
class Run:
    """A reading command that was really run, and how long it was allowed to take."""

    argv: Tuple[str, ...]
    timeout: float
    answer: Answer


class Stopwatch:
    """A host that notes every command it runs; owns the notes. All else is the host's own."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.runs: List[Run] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)

    def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
        answer = self._host.run(argv, timeout, keep)
        self.runs.append(Run(tuple(argv), timeout, answer))
        return answer


@dataclass(frozen=True)
class Scene:
    """What the checks judge: the place, one look at it, and the host for what a look does not ask."""

    host: Host
    place: Place
    settings: Settings
    config: str
    now: datetime
    seen: Snapshot
    runs: Tuple[Run, ...] = ()

    @property
    def processes(self) -> Tuple[str, ...]:
        """Names of what runs here; none where that could not be told."""
        return self.seen.busy.processes.value or ()

    @property
    def on_linux(self) -> bool:
        return self.place.platform is Platform.LINUX

    def ask(self, *argv: str) -> Answer:
        return self.host.run(argv, READING_SECONDS, SMALL_FILE)

    def text(self, path: str) -> Optional[str]:
        data = self.host.read_from(path, 0, SMALL_FILE)
        return None if data is None else data.decode("utf-8", "replace")
