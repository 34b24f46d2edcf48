"""A rehearsal as a picture: RMC, each HMC's link, the cluster and the agent as lanes; deeds and refusals as marks."""
from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Dict, List, Tuple

from rmcagent.picture import Bar, Lane, Mark, kind, svg

if TYPE_CHECKING:
    from rmcagent.sim.rehearsal.run import Rehearsal


class Film:
    """What was true of the partition, and when that changed; `look` as it goes on."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.rehearsal = rehearsal
        self.changes: Dict[str, List[Tuple[float, str]]] = {}

    def look(self) -> None:
        rehearsal, partition = self.rehearsal, self.rehearsal.partition
        rmc = partition.state("ctrmc")
        states = {"RMC": "hung" if partition.hung else rmc.value if rmc else "unknown"}
        for hmc in partition.hmcs:
            states[f"HMC {hmc.address}"] = partition.link(hmc).value
        cluster = "active" if partition.cluster_name else "stopped" if partition.caa or partition.domains else "absent"
        if cluster != "absent" and "cluster" not in self.changes and rehearsal.now > 0:
            self.changes["cluster"] = [(0.0, "absent")]
        if cluster != "absent" or "cluster" in self.changes:
            states["cluster"] = cluster                 # stopped: one is configured here, CAA or a peer domain
        states["the agent says"] = rehearsal.cycle.view.verdict if rehearsal.alive else "not-running"
        for lane, state in states.items():
            known = self.changes.setdefault(lane, [])
            if not known or known[-1][1] != state:
                known.append((rehearsal.now, state))

    def picture(self, title: str) -> str:
        """The SVG; times are the rehearsal's own, whatever was done to its wall clock."""
        rehearsal = self.rehearsal
        zero = rehearsal.zero
        end = zero + timedelta(seconds=rehearsal.now)
        lanes = [Lane(name, _bars(changes, zero, rehearsal.now)) for name, changes in self.changes.items()]
        marks = []
        for told in rehearsal.told:
            fields = dict(told.event.fields)
            marked = kind(told.event.code, fields.get("remedy", ""))
            if marked:
                because = fields.get("because") or fields.get("do", "")
                marks.append(Mark(zero + timedelta(seconds=told.at), marked, f"{told.event.code} {because}", "the agent says"))
        return svg(title, zero, end, lanes, marks)


def _bars(changes: List[Tuple[float, str]], zero: datetime, end: float) -> Tuple[Bar, ...]:
    ends = [at for at, _ in changes[1:]] + [end]
    return tuple(Bar(zero + timedelta(seconds=at), zero + timedelta(seconds=until), state)
                 for (at, state), until in zip(changes, ends) if until > at)
