"""What is true of the simulated partition: dangers under which nothing may be begun, and what ails it."""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, FrozenSet, Optional, Tuple

from rmcagent.model import Platform, Remedy
from rmcagent.reason.guards import INSTALLERS, LEAVING, OTHERS_AT_WORK

if TYPE_CHECKING:
    from rmcagent.sim.partition import Partition
    from rmcagent.sim.rehearsal.audit.auditor import Auditor

OTHERS = (*OTHERS_AT_WORK, *INSTALLERS, *LEAVING)
EVERY = frozenset(Remedy)
DISRUPTIVE = frozenset((Remedy.RECYCLE, Remedy.RECFGCT))


@dataclass(frozen=True)
class Danger:
    """Something true under which these remedies (None: finishing) must not be begun; `asked` are the facts that tell of it.

    One that came up after it was asked for is nobody's fault; of what is asked for without an answer (None) none does.
    """

    name: str
    there: Callable[[Auditor, Partition], bool]
    asked: Optional[Tuple[str, ...]]
    holds: FrozenSet[Optional[Remedy]]


CLUSTER_FACTS = ("subsystems", "cluster.caa", "cluster.caavg", "cluster.powerha", "cluster.powerha_odm", "cluster.ssp")
CLUSTERS = (
    Danger("a cluster is configured", lambda audit, here: bool(here.caa or here.powerha_name or here.ssp)
           and not audit.allows_cluster, CLUSTER_FACTS, DISRUPTIVE),
    Danger("a peer domain is defined", lambda audit, here: bool(here.domains), ("cluster.peer_domains",),
           frozenset((Remedy.RECFGCT,))),
    Danger("a cluster is configured, which only recycle is allowed in", lambda audit, here: audit.allows_cluster
           and bool(here.caa or here.powerha_name or here.ssp), CLUSTER_FACTS, frozenset((Remedy.RECFGCT,))),
    Danger("a peer domain is online", lambda audit, here: any(state != "Offline" for state in here.domains.values()),
           ("subsystems",), DISRUPTIVE),
    Danger("Group Services run", lambda audit, here: here.active("cthags") or here.active("cthats"), ("subsystems",), DISRUPTIVE),
)
CONNECTED = Danger("an HMC is connected", lambda audit, here: any(hmc.connected for hmc in here.hmcs), ("status",), DISRUPTIVE)
CUTS = (
    CONNECTED,
    Danger("an HMC is connected in-band", lambda audit, here: bool(here.in_band_hosts) and here.active("mcproxy"), ("in_band",),
           DISRUPTIVE),
    Danger("a migration is under way", lambda audit, here: here.migrating, ("busy.migration",),
           DISRUPTIVE | {Remedy.LPARMGR}),
)
HOLDS = (
    Danger("somebody else is at work", lambda audit, here: bool(here.busy) and bool(set(here.busy) & set(OTHERS)),
           ("busy.processes",), EVERY | {None}),
    Danger("the agent is paused", lambda audit, here: audit.now < audit.paused_until, None, EVERY),
    Danger("the agent crashes again and again", lambda audit, here: audit.now < audit.looping_until, None, EVERY),
    Danger("a maintenance file is there", lambda audit, here:
           audit.rehearsal.cycle.maintenance in audit.rehearsal.host.state_files, None, EVERY),
    Danger("the partition has only just booted", lambda audit, here: here.boot != "boot-1" and audit.now - audit.booted_at
           < audit.boot_grace, None, EVERY),
)
DANGERS = (*CLUSTERS, *CUTS, *HOLDS)



def ails(audit: Auditor) -> str:
    """What is wrong with this partition and must be seen by whoever looks; "" when nothing is."""
    here = audit.rehearsal.partition
    if not here.active("ctrmc"):
        return "ctrmc does not run"
    if here.hung:
        return "rmcd hangs"
    for name in ("IBM.DRM", here.handshaker):
        if not here.active(name):
            return f"{name} does not run"
    lost = [hmc.address for hmc in here.hmcs if hmc.known and not hmc.connected]
    if lost:
        return f"{lost[0]} is not connected"
    if here.hmcs and not any(hmc.connected for hmc in here.hmcs):
        return "no HMC is known"
    if here.node_id != here.node_id_copy:
        return "the node ids disagree"
    if not here.at_boot:
        return "RMC does not start at boot"
    if 1.0 - here.var_free / here.var_size >= audit.rehearsal.settings.faults.var_warn:
        return "/var is full"
    return "lparmgr is stuck" if here.lparmgr_stuck and here.platform is Platform.VIOS else ""
