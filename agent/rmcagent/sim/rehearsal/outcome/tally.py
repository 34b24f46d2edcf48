"""Rehearsals counted: what was done, refused and told, how long each fault lasted, and which invariants were broken."""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Tuple

if TYPE_CHECKING:
    from rmcagent.sim.rehearsal.audit import Breach
    from rmcagent.sim.rehearsal.run import Rehearsal, Told

MOST_BREACHES = 100


class Broken(NamedTuple):
    """An invariant that was broken, and the command that rehearses it again."""

    again: str
    breach: Breach


class Lasted(NamedTuple):
    """How long a fault was told to last, in seconds, and after which remedy it went; "": by itself."""

    seconds: float
    healed: str


@dataclass
class Tally:
    """One rehearsal, or many added up."""

    runs: int = 0
    days: float = 0.0
    lives: int = 0
    jumps: int = 0                      # of the wall clock
    begun: Counter[str] = field(default_factory=Counter)            # remedies
    would_have: Counter[str] = field(default_factory=Counter)       # remedies in shadow
    ended: Counter[Tuple[str, str]] = field(default_factory=Counter)        # remedy, code
    refused: Counter[Tuple[str, str]] = field(default_factory=Counter)      # remedy, guard
    codes: Counter[str] = field(default_factory=Counter)
    lasted: Dict[str, List[Lasted]] = field(default_factory=dict)
    still_open: Counter[str] = field(default_factory=Counter)
    races: Counter[str] = field(default_factory=Counter)
    broken: List[Broken] = field(default_factory=list)
    breaches: int = 0

    def add(self, played: Rehearsal, breaches: List[Breach], races: List[str], again: str) -> None:
        """Count one rehearsal in; `again` is the command that rehearses it again."""
        script = played.script
        self.runs, self.days, self.lives = self.runs + 1, self.days + script.days, self.lives + played.lives
        self.jumps += sum(happening.do == "jump_clock" for happening in script.happenings)
        for told in played.told:
            self._count(told)
        gone, still_open = problems(played.told)
        for fault, lasted in gone:
            self.lasted.setdefault(fault, []).append(lasted)
        self.still_open.update(fault for fault, _ in still_open)
        self.races.update(races)
        self.breaches += len(breaches)
        self.broken += [Broken(again, breach) for breach in breaches]
        del self.broken[MOST_BREACHES:]

    def _count(self, told: Told) -> None:
        event, fields = told.event, dict(told.event.fields)
        self.codes[event.code] += 1
        if event.code == "RMCA3001N":
            self.begun[fields["remedy"]] += 1
        elif event.code == "RMCA3005N":
            self.would_have[fields["remedy"]] += 1
        elif event.code in ("RMCA3002N", "RMCA3003W", "RMCA3006W"):
            self.ended[fields["remedy"], event.code] += 1
        elif event.code == "RMCA3004W":
            for guard in fields["guard"].split(","):
                self.refused[fields["remedy"], guard] += 1


def problems(told: List[Told]) -> Tuple[List[Tuple[str, Lasted]], List[Tuple[str, float]]]:
    """Each problem that was told: those that are gone, by fault and how they lasted, and those that are not, by fault and since
    when."""
    since: Dict[Tuple[str, str], float] = {}
    gone = []
    for one in told:
        fields = dict(one.event.fields)
        key = (fields.get("fault", ""), fields.get("subject", ""))
        if one.event.code == "RMCA2001W":
            since.setdefault(key, one.at)
        elif one.event.code == "RMCA2002N" and key in since:
            healed = fields["healed"]
            gone.append((key[0], Lasted(one.at - since.pop(key), healed[len("after "):] if healed.startswith("after ") else "")))
    return gone, [(fault, at) for (fault, _), at in since.items()]
