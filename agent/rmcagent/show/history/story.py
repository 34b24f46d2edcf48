"""What belongs together in kept events: a problem and its end, a remedy and what came of it, a pause and its end. Pure."""
from __future__ import annotations

from datetime import datetime
from typing import Dict, NamedTuple, Optional, Protocol, Sequence, Tuple

STARTED, STOPPED, PAUSED, RESUMED, BLIND, SEES = "RMCA1001I", "RMCA1002I", "RMCA1004N", "RMCA1005N", "RMCA1006W", "RMCA1007N"
FOUND, GONE, BEGUN, HEALED, UNHEALED = "RMCA2001W", "RMCA2002N", "RMCA3001N", "RMCA3002N", "RMCA3003W"
REFUSED, SHADOW, FINISHED, HUMAN = "RMCA3004W", "RMCA3005N", "RMCA3006W", "RMCA4001E"

MOST_OPEN = 256                           # problems, and remedies, that were never told to have ended


class Row(Protocol):
    """A kept event; `at` is what the wall clock said."""

    @property
    def at(self) -> datetime: ...
    @property
    def code(self) -> str: ...
    @property
    def word(self) -> str: ...
    @property
    def fields(self) -> Tuple[Tuple[str, str], ...]: ...


class Record(Protocol):
    """Kept events, oldest first, and how many lines were none."""

    @property
    def rows(self) -> Sequence[Row]: ...
    @property
    def skipped(self) -> int: ...


class Ended(NamedTuple):
    """What an event ended: since when it was so, and whether that is known or only the earliest it can have been."""

    since: datetime
    known: bool = True


class Story:
    """Goes through events in their order; owns what is open."""

    def __init__(self) -> None:
        self.problems: Dict[str, Row] = {}        # fault:subject
        self.remedies: Dict[str, Row] = {}        # attempt
        self.states: Dict[str, Row] = {}          # the code that began it: stopped, paused, blind
        self.last: Optional[Row] = None

    def follow(self, row: Row) -> Optional[Ended]:
        """Take an event in; what it ended, if it ended anything."""
        before, self.last = self.last, row
        fields = dict(row.fields)
        if row.code == FOUND:
            _keep(self.problems, problem(fields), self.problems.get(problem(fields), row))
        elif row.code == GONE:
            return _ended(self.problems.pop(problem(fields), None))
        elif row.code == BEGUN:
            _keep(self.remedies, fields.get("attempt", ""), row)
        elif row.code in (HEALED, UNHEALED, FINISHED):
            return _ended(self.remedies.pop(fields.get("attempt", ""), None))
        elif row.code in (STOPPED, PAUSED, BLIND):
            self.states.setdefault(row.code, row)
        elif row.code in (RESUMED, SEES):
            return _ended(self.states.pop(PAUSED if row.code == RESUMED else BLIND, None))
        elif row.code == STARTED:
            self.states.pop(BLIND, None)          # it looks for itself
            was = _ended(self.states.pop(STOPPED, None))
            return was or (Ended(before.at, known=False) if before is not None else None)
        return None


def _keep(rows: Dict[str, Row], key: str, row: Row) -> None:
    """Put it in, and let go of the oldest where there are too many to be true."""
    rows[key] = row
    if len(rows) > MOST_OPEN:
        del rows[next(iter(rows))]


def _ended(row: Optional[Row]) -> Optional[Ended]:
    return None if row is None else Ended(row.at)


def problem(fields: Dict[str, str]) -> str:
    """What tells one problem from another."""
    subject = fields.get("subject")
    return fields.get("fault", "") + (f" {subject}" if subject else "")


def repeats(row: Row) -> bool:
    """Whether it only tells how often an event was repeated."""
    return any(key == "repeated" for key, _ in row.fields)
