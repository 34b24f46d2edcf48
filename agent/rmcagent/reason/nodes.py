"""Who this node is: node ids that disagree, and a node that is a copy of another."""
from __future__ import annotations

import re
from functools import lru_cache
from typing import Iterator, List, Mapping, Tuple

from rmcagent.config import Settings
from rmcagent.frozen import replace
from rmcagent.model import Fault, Finding, History, Link, Remedy, Side, Snapshot
from rmcagent.reason import cluster

NO_UUID = "00000000-0000-0000-0000-000000000000"


def node_faults(seen: Snapshot, history: History, settings: Settings) -> Iterator[Finding]:
    """Identity faults; with an HMC connected they are reported only (decide asks for that)."""
    up = any(hmc.link is Link.UP for hmc in seen.hmcs)
    for finding in (*_clash(seen, history, settings), *_clone(seen, history, settings)):
        yield replace(finding, grave=not up)


def accepted(finding: Finding, seen: Snapshot, history: History) -> bool:
    """A copy that an HMC has been connected to as it is: its node id is no reason for whatever is wrong now, unless Z says so."""
    return finding.fault is Fault.CLONED_NODE and history.identity_accepted and not _flapping(seen)


def moved_parts(before: str, now: str) -> Tuple[str, ...]:
    """Which parts of an identity (`system=... partition=... uuid=...`) differ; one that is untold differs from none."""
    was, now_is = _parts(before), _parts(now)
    return tuple(name for name in was if name in now_is and was[name] != now_is[name])


def whole_identity(before: str, now: str) -> str:
    """The identity as told now, with what was told before of parts that are untold now."""
    return " ".join(f"{name}={value}" for name, value in {**_parts(before), **_parts(now)}.items())


@lru_cache(maxsize=8)
def _parts(identity: str) -> Mapping[str, str]:
    """Of a UUID its digits, however it was spelt; one that is none was not told."""
    parts = {name: value for name, mark, value in (word.partition("=") for word in identity.split()) if mark}
    uuid = re.sub("[^0-9a-z]", "", parts.pop("uuid", "").lower())
    return {**parts, "uuid": uuid} if re.fullmatch("[0-9a-f]{32}", uuid) else parts


def _clash(seen: Snapshot, history: History, settings: Settings) -> Iterator[Finding]:
    standing = seen.standing
    told = [fact for fact in (standing.node_file, standing.node_copy, standing.node_command) if fact.value]
    if len({fact.value for fact in told}) > 1:
        by_hand = cluster.by_hand(Remedy.RECFGCT, seen, history, settings)
        ids = ", ".join(f"{fact.source} {fact.value}" for fact in told)
        yield Finding(Fault.IDENTITY_CLASH, Side.IDENTITY, f"this node's ids disagree: {ids}",
                      tuple(fact.source for fact in told),
                      advice=f"{by_hand}; recfgct -s keeps the id of {standing.node_file.source}")


def _flapping(seen: Snapshot) -> List[str]:
    return [hmc.address for hmc in seen.hmcs if hmc.link is Link.FLAPPING]


def _clone(seen: Snapshot, history: History, settings: Settings) -> Iterator[Finding]:
    moved = moved_parts(history.identity_before, seen.vitals.identity)
    flapping = _flapping(seen)
    if not moved or not ("uuid" in moved or flapping):
        return              # LPM, remote restart and Live Update move a partition, too
    because = (f", and its link to {flapping[0]} flaps (Z), as when two nodes have one id" if flapping
               else ", and the partition's UUID is another")
    by_hand = cluster.by_hand(Remedy.RECFGCT, seen, history, settings)
    advice = f"if the original still exists, {by_hand}"
    if seen.standing.cluster0.value:
        advice = f"first chdev -l cluster0 -a node_uuid={NO_UUID}, for recfgct leaves that as it is; then {by_hand}"
    yield Finding(
        Fault.CLONED_NODE, Side.IDENTITY,
        f"node id {seen.standing.node_file.value} was first seen on {history.identity_before} and is now on"
        f" {seen.vitals.identity}{because}",
        (seen.standing.node_file.source, seen.status.source), advice=advice,
    )
