"""`history --svg`: kept events as a picture: the agent and each problem as lanes, remedies and refusals as marks. Pure."""
from __future__ import annotations

from datetime import datetime, timedelta
from typing import Dict, List, NamedTuple, Optional, Tuple

from rmcagent.picture import Bar, Lane, Mark, kind, svg
from rmcagent.show.history.story import BLIND, FOUND, GONE, PAUSED, STARTED, STOPPED, Record, Row, Story, problem

AGENT = "the agent"
STATES = ((STOPPED, "not-running"), (BLIND, "blind"), (PAUSED, "paused"))       # the first that holds is the agent's
LEAST = timedelta(minutes=1)


def picture(record: Record, since: Optional[datetime], now: datetime) -> str:
    """The SVG, in ASCII, of the time since then, or of all that is on record."""
    rows = record.rows
    first = min((row.at for row in rows), default=now)
    begin = min(since.astimezone(now.tzinfo) if since is not None else first.astimezone(now.tzinfo), now - LEAST)
    lanes = Lanes(now)
    for row in rows:
        lanes.take(row)
    marks = [mark for mark in lanes.marks if mark.at >= begin]
    return svg("rmcagent history", begin, now, lanes.drawn(begin), marks)


class Stretch(NamedTuple):
    begin: datetime
    state: str
    label: str


class Lanes:
    """What is drawn of the events, taken in their order; owns bars and marks."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.story = Story()
        self.agent: List[Stretch] = []
        self.problems: Dict[str, List[Bar]] = {}
        self.open: Dict[str, Row] = {}
        self.marks: List[Mark] = []

    def take(self, row: Row) -> None:
        fields = dict(row.fields)
        before, key = self.story.last, problem(fields)
        ended = self.story.follow(row)
        if row.code == STARTED and ended is not None and not ended.known and before is not None:
            self.agent.append(Stretch(before.at, "unknown", "it was not stopped, and told nothing more"))
        state = next((state for code, state in STATES if code in self.story.states), "running")
        if not self.agent or self.agent[-1].state != state:
            because = fields.get("reason") or fields.get("because") or fields.get("version", "")
            self.agent.append(Stretch(row.at, state, f"{row.code} {because}"))
        if row.code == FOUND:
            self.problems.setdefault(key, [])
            self.open.setdefault(key, row)
        elif row.code == GONE and key in self.open:
            self.problems[key].append(self._bar(self.open.pop(key), row.at, f"; healed {fields.get('healed', '')}"))
        marked = kind(row.code, fields.get("remedy", ""))
        if marked:
            because = fields.get("because") or fields.get("do", "")
            self.marks.append(Mark(row.at, marked, f"{row.code} {fields.get('remedy', '')} {because}", self._lane(key, fields)))

    def drawn(self, begin: datetime) -> List[Lane]:
        """The agent first, then the problems as they were first found; those that were over before `begin` are left out."""
        ends = [stretch.begin for stretch in self.agent[1:]] + [self.now]
        agent = tuple(Bar(stretch.begin, max(until, stretch.begin), stretch.state, stretch.label)
                      for stretch, until in zip(self.agent, ends))
        bars: Dict[str, Tuple[Bar, ...]] = {
            key: (*told, *((self._bar(self.open[key], max(self.now, self.open[key].at), "; not gone yet"),)
                           if key in self.open else ()))
            for key, told in self.problems.items()}
        return [Lane(AGENT, agent), *(Lane(key, told) for key, told in bars.items() if any(bar.end >= begin for bar in told))]

    def _bar(self, found: Row, until: datetime, how: str) -> Bar:
        evidence = dict(found.fields).get("evidence", "")
        return Bar(found.at, max(until, found.at), "problem", evidence[:120] + how)

    def _lane(self, key: str, fields: Dict[str, str]) -> str:
        """The problem that it is about: a refusal names the fault, but not always whose."""
        if key in self.problems:
            return key
        fault = fields.get("fault", "")
        return next((known for known in self.open if fault and known.split(" ")[0] == fault), AGENT)
