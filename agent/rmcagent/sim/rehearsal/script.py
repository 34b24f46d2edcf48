"""What is to happen in a rehearsal, and when: nouns. Who writes them: scenarios, or reading from an operator's YAML."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Tuple

from rmcagent.model import Platform

DAY = 86400.0
HMC = "192.0.2.21"


@dataclass(frozen=True)
class Happening:
    """`do` is a method of sim.partition.Partition or, where it concerns the agent, its state or the clock, of run.Rehearsal."""

    at: float                                 # seconds after the agent's start
    do: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Script:
    """One partition, and what befalls it within so many days; `name` and `seed` are all that is needed to make it again."""

    name: str
    happenings: Tuple[Happening, ...]
    platform: Platform = Platform.AIX
    hmcs: Tuple[str, ...] = (HMC,)
    days: float = 30.0
    seed: int = 1
    partition: int = 4                        # its number on its machine, a part of its identity
