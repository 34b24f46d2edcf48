"""A fleet: the same happens behind the same HMCs to many partitions; how many of them act at the same moment?"""
from __future__ import annotations

import random
from math import sqrt
from typing import Callable, List, NamedTuple, Sequence, Tuple

from rmcagent.sim.rehearsal.run import Rehearsal
from rmcagent.sim.rehearsal.script import DAY, Happening, Script

HOUR, MINUTE = 3600.0, 60.0
RESTART = 15 * MINUTE           # how long an HMC is away when it restarts
AFTER = 2 * HOUR                # how long is looked on after that
HMCS_EACH = 2                   # at most so many of a fleet's HMCs manage one partition
MOST_HMCS = 200


class Turn(NamedTuple):
    """A remedy of one partition, from its intent to the end of its last command, in seconds since the HMC went."""

    begun: float
    ended: float
    partition: int
    remedy: str


class Fleet(NamedTuple):
    """What a fleet did; `stuck`: no session came back by itself, a fault that all of them had at once."""

    partitions: int
    hmcs: int
    stuck: bool
    turns: Tuple[Turn, ...]
    connected: int              # partitions with every HMC connected at the end
    splay: float                # seconds

    def of(self, remedy: str) -> Tuple[Turn, ...]:
        return tuple(turn for turn in self.turns if turn.remedy == remedy)

    def peak(self, remedy: str) -> int:
        """The most partitions that ran it at the same moment."""
        return peak([(turn.begun, turn.ended) for turn in self.of(remedy)])

    def promised(self, remedy: str) -> float:
        """How many would run it at the same moment, were their turns spread evenly over the splay."""
        turns = self.of(remedy)
        longest = max((turn.ended - turn.begun for turn in turns), default=0.0)
        return min(float(len(turns)), len(turns) * longest / self.splay) if self.splay else float(len(turns))

    def by_chance(self, remedy: str) -> int:
        """The most that chance makes of it: turns are drawn, not dealt (five deviations of a Poisson count above its mean), and
        looks come once a minute."""
        evenly = self.promised(remedy)
        return min(len(self.of(remedy)), int(1 + evenly + 5 * sqrt(max(evenly, 1.0))))


def play(partitions: int, hmcs: int, stuck: bool, rehearse: Callable[[Script], Rehearsal],
         tell: Callable[[int], None]) -> Fleet:
    """Restart an HMC of so many, and see what each of so many partitions does. `rehearse` plays a script; `tell`
    hears how many partitions are done."""
    turns: List[Turn] = []
    connected = 0
    splay = 0.0
    for number in range(partitions):
        began = HOUR - random.Random(f"fleet {number}").uniform(0, MINUTE)      # agents look every minute, not at its beginning
        played = rehearse(_script(number, hmcs, stuck, began))
        turns += _turns(played, number, began)
        connected += all(hmc.connected for hmc in played.partition.hmcs)
        splay = float(played.settings.guards.splay.total_seconds())
        tell(number + 1)
    return Fleet(partitions, hmcs, stuck, tuple(turns), connected, splay)


def peak(spans: Sequence[Tuple[float, float]]) -> int:
    """The most of these that hold the same moment; one that ends as another begins does not."""
    changes = sorted([(begun, 1) for begun, _ in spans] + [(ended, -1) for _, ended in spans])
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def _script(number: int, hmcs: int, stuck: bool, began: float) -> Script:
    mine = sorted({address(number % hmcs), address((number + 1) % hmcs)}) if hmcs > 1 else [address(0)]
    restarted = mine if stuck else [address(0)] if address(0) in mine else []
    happenings = [Happening(began, "hmc_down", {"address": one}) for one in restarted]
    happenings += [Happening(began, "stick_session", {"mended_by": "recycle"})] if stuck else []
    happenings += [Happening(began + RESTART, "hmc_up", {"address": one}) for one in restarted]
    days = (began + RESTART + AFTER) / DAY
    return Script("fleet", tuple(happenings), hmcs=tuple(mine), days=days, seed=number, partition=number + 1)


def address(hmc: int) -> str:
    return f"192.0.2.{21 + hmc}"


def _turns(played: Rehearsal, number: int, began: float) -> List[Turn]:
    found = []
    for told in played.told:
        fields = dict(told.event.fields)
        if told.event.code == "RMCA3001N":
            attempt = played.ledger.attempts[int(fields["attempt"])]
            took = float((attempt.ended_at - attempt.begun_at).total_seconds()) if attempt.ended_at else AFTER
            found.append(Turn(told.at - began, told.at - began + took, number, fields["remedy"]))
    return found
