"""What is true of the simulated partition: dangers under which nothing may be begun, and what ails it."""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, FrozenSet, Optional, Tuple

from rmcagent.config import Settings
from rmcagent.model import Attempt, Fault, Platform, Remedy, State

if TYPE_CHECKING:
    from rmcagent.sim.partition import Partition
    from rmcagent.sim.rehearsal.audit.auditor import Auditor

# Spelt here once more, as all that the agent's guards go by: what is struck out there is still true.
OTHERS = frozenset((
    "rmcctrl", "recfgct", "startrpdomain", "stoprpdomain", "forcerpoffline", "clmgr",
    "installp", "geninstall", "install_all_updates", "emgr", "lvupdate", "rpm", "dnf", "dnf-3", "dnf5", "microdnf", "yum",
    "zypper", "dpkg", "apt", "apt-get",
    "shutdown", "reboot", "halt", "poweroff",
))
EVERY = frozenset(Remedy)
DISRUPTIVE = frozenset((Remedy.RECYCLE, Remedy.RECFGCT))
# Whoever treats these waits for an HMC to come, and can only be judged by one that comes.
FOR_AN_HMC = frozenset((Fault.LINK_DOWN, Fault.LINK_PENDING, Fault.NO_HMC, Fault.IDENTITY_CLASH, Fault.CLONED_NODE,
                        Fault.LPARMGR_STUCK, Fault.LOG_STORM))
TURNS = (State.STARTING, State.STOPPING)


@dataclass(frozen=True)
class Danger:
    """Something true under which these remedies (None: finishing) must not be begun for these faults (None: any); `asked` are
    the facts that tell of it, () something that is asked for in every look.

    One that came up after it was asked for is nobody's fault; of what is asked for without an answer (None) none does.
    `ours`: a deed's own command brings it on, so it counts only where it was there before. `drifts`: it comes or goes by time
    alone, or as the log grows.
    """

    name: str
    there: Callable[[Auditor, Partition], bool]
    asked: Optional[Tuple[str, ...]]
    holds: FrozenSet[Optional[Remedy]]
    faults: Optional[FrozenSet[Fault]] = None
    ours: bool = False
    drifts: bool = False

    def forbids(self, remedy: Optional[Remedy], attempt: Optional[Attempt]) -> bool:
        """Whether it holds this remedy, begun for what this attempt is for."""
        return remedy in self.holds and (self.faults is None or (attempt is not None and attempt.fault in self.faults))


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
    Danger("an HMC is connected in-band", lambda audit, here: _in_band(here), ("in_band",),
           DISRUPTIVE),
    Danger("a migration is under way", lambda audit, here: here.migrating, ("busy.migration",),
           DISRUPTIVE | {Remedy.LPARMGR}),
)
HOLDS = (
    Danger("somebody else is at work", lambda audit, here: not OTHERS.isdisjoint(here.busy),
           ("busy.processes",), EVERY | {None}),
    Danger("the agent is paused", lambda audit, here: audit.now < audit.paused_until, None, EVERY,
           drifts=True),
    Danger("the agent crashes again and again", lambda audit, here: audit.now < audit.looping_until, None,
           EVERY, drifts=True),
    Danger("a maintenance file is there", lambda audit, here:
           audit.rehearsal.cycle.maintenance in audit.rehearsal.host.state_files, None, EVERY),
    Danger("the partition has only just booted", lambda audit, here: here.boot != "boot-1" and audit.now - audit.booted_at
           < audit.boot_grace, None, EVERY, drifts=True),
)
IN_VAIN = (
    Danger("no HMC has answered for long enough", lambda audit, here: bool(here.hmcs)
           and not any(audit.answers(hmc) for hmc in here.hmcs), (), DISRUPTIVE, FOR_AN_HMC, drifts=True),
    Danger("the HMC itself answers with errors", lambda audit, here: here.storming == "hmc" and audit.hears_hmc_errors(),
           ("logs",), DISRUPTIVE, FOR_AN_HMC - {Fault.IDENTITY_CLASH, Fault.CLONED_NODE, Fault.LOG_STORM}, drifts=True),
    Danger("/var is full", lambda audit, here: _used(here) >= audit.rehearsal.settings.faults.var_full, ("var",), DISRUPTIVE,
           drifts=True),
    Danger("RMC does not answer", lambda audit, here: here.hung or not here.active("ctrmc"), ("subsystems", "status"),
           frozenset((Remedy.RECFGCT,)), ours=True),
    Danger("RMC is starting or stopping", lambda audit, here: _moves(here),
           ("subsystems",), EVERY, ours=True),
)
DANGERS = (*CLUSTERS, *CUTS, *HOLDS, *IN_VAIN)
DRIFTING = tuple(danger for danger in DANGERS if danger.drifts)


def _used(here: Partition) -> float:
    return 1.0 - here.var_free / here.var_size


def _moves(here: Partition) -> bool:
    turn = [row for row in here.subsystems.values() if row.state in TURNS]
    return bool(turn) and any(row.state in TURNS for row in here.rmc_rows())


def _in_band(here: Partition) -> bool:
    return bool(here.in_band_hosts) and here.active("mcproxy")


def ails(here: Partition, settings: Settings) -> str:
    """What is wrong with this partition and must be seen by whoever looks; "" when nothing is."""
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
    if here.hmcs and not any(hmc.connected for hmc in here.hmcs) and not _in_band(here):
        return "no HMC is known"
    if here.node_id != here.node_id_copy:
        return "the node ids disagree"
    if not here.at_boot:
        return "RMC does not start at boot"
    if _used(here) >= settings.faults.var_warn:
        return "/var is full"
    return "lparmgr is stuck" if here.lparmgr_stuck and here.platform is Platform.VIOS else ""
