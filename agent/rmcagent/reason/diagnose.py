"""Snapshot -> Findings, gravest first: each a row of design section 4, with the sentence an operator can check."""
from __future__ import annotations

from datetime import timedelta
from typing import Iterator, List, Optional, Sequence, Tuple

from rmcagent.config import Settings, spell
from rmcagent.model import Fault, Finding, History, How, Link, LogGrowth, Platform, Remedy, Side, Snapshot, State
from rmcagent.reason import cluster
from rmcagent.reason.ladder import GRAVITY, IDENTITY_FAULTS
from rmcagent.reason.links import connected, link_faults, management_expected, shows_no_hmc
from rmcagent.reason.nodes import accepted, node_faults

# What explains what: a fault of one stage could not be seen, or is no news, behind one of an earlier stage.
STAGES: Tuple[Tuple[Fault, ...], ...] = (
    (Fault.RMC_DOWN, Fault.RMC_STOPPED, Fault.RMC_HUNG),
    (Fault.MANAGER_DOWN,),
    (Fault.REMOTE_DISABLED,),
    (Fault.LPARMGR_STUCK, Fault.IDENTITY_CLASH, Fault.CLONED_NODE),
    (Fault.NO_HMC, Fault.LINK_PENDING, Fault.LINK_DOWN, Fault.LINK_FLAPPING, Fault.LINK_BLOCKED, Fault.HMC_UNREACHABLE,
     Fault.LINK_PARTIAL, Fault.STALE_HMC),
)
HIDES_NO_LINK = (Fault.LPARMGR_STUCK,)
BESIDE_A_WORKING_HMC = (Fault.LINK_PARTIAL, Fault.STALE_HMC)
NO_HMC_UP = (Fault.NO_HMC, Fault.LINK_PENDING, Fault.LINK_DOWN, Fault.HMC_UNREACHABLE)
EXPLAIN_NOISE = (Fault.HMC_SIDE, Fault.HMC_UNREACHABLE)
MOVING = (State.STARTING, State.STOPPING)
# A loaded partition is not a hung RMC: lssrc must have answered within this.
PROMPT_SECONDS = 2.0
SOON = timedelta(days=1)
VAR_SLACK = 0.02


def diagnose(seen: Snapshot, history: History, settings: Settings) -> Tuple[Finding, ...]:
    """Every fault that is seen now, gravest first; what one explains, another does not repeat."""
    findings: List[Finding] = [*_var(seen, history, settings), *_log(seen, settings), *_at_boot(seen)]
    findings += _stages(seen, history, settings)
    if any(finding.fault in EXPLAIN_NOISE for finding in findings):
        findings = [finding for finding in findings if finding.fault is not Fault.LOG_STORM]
    return tuple(sorted(findings, key=lambda finding: (GRAVITY.index(finding.fault), finding.subject)))


def _stages(seen: Snapshot, history: History, settings: Settings) -> List[Finding]:
    """From RMC itself outwards, no further than the first stage that explains the rest: treat the cause first."""
    down = list(_rmc(seen, history, settings))
    if down or not ctrmc_runs(seen):
        return down
    managers = [*_managers(seen)] or [*_remote(seen, history, settings)]
    if managers:
        return managers
    nodes = list(node_faults(seen, history, settings))
    explained = not connected(seen) and any(not accepted(one, seen, history) for one in nodes)
    return [*nodes, *_lparmgr(seen), *([] if explained else link_faults(seen, history, settings))]


def ctrmc_runs(seen: Snapshot) -> bool:
    return seen.state_of("ctrmc") is State.ACTIVE and seen.ctrmc_alive is not False


def untold_links(seen: Snapshot, history: History, settings: Settings) -> bool:
    """An HMC is expected, and nothing says of any whether it is connected."""
    return links_untold(seen) and management_expected(history, settings)


def links_untold(seen: Snapshot) -> bool:
    """The same where an HMC is expected; it takes no history."""
    told = any(hmc.link is not Link.UNKNOWN for hmc in seen.hmcs) or shows_no_hmc(seen)
    return ctrmc_runs(seen) and not told


def masked(fault: Fault, findings: Sequence[Finding], seen: Snapshot) -> bool:
    """Whether a fault that is not found in this look could not have been: a graver one stands before it."""
    found = {finding.fault for finding in findings} - set(HIDES_NO_LINK)
    if connected(seen):
        found -= set(IDENTITY_FAULTS)      # told beside what is wrong with the links, not instead
    if fault is Fault.LOG_STORM:
        return bool(found & set(EXPLAIN_NOISE))
    if fault in BESIDE_A_WORKING_HMC and found & set(NO_HMC_UP):
        return True
    stage = next((number for number, stage in enumerate(STAGES) if fault in stage), 0)
    return any(found & set(earlier) for earlier in STAGES[:stage])


def looks_hung(seen: Snapshot) -> bool:
    """rmcdomainstatus and lsrsrc both timed out while everything that does not need rmcd was quick."""
    return (
        ctrmc_runs(seen) and seen.ctrmc_alive is True and seen.vitals.on_time
        and seen.status.timed_out and seen.mcp.timed_out and seen.servers.how is not How.SEEN
        and seen.subsystems.seen and seen.lssrc_took <= PROMPT_SECONDS
    )


def storms(growth: LogGrowth, settings: Settings) -> bool:
    """The log grows faster than the policy allows, or fast enough to fill /var within a day."""
    return growth.noisy_bytes > settings.log.storm.bytes or _fills_soon(growth)


def _fills_soon(growth: LogGrowth) -> bool:
    return growth.var_full_in is not None and growth.var_full_in < SOON


def blames_hmc(growth: Optional[LogGrowth], settings: Settings) -> bool:
    """The log storms, and with errors that the HMC returned."""
    return growth is not None and growth.side == "hmc" and storms(growth, settings)


def _var(seen: Snapshot, history: History, settings: Settings) -> Iterator[Finding]:
    space = seen.var.value
    # Once told it must fall a little further, or one that hovers about the mark would be news every hour.
    slack = VAR_SLACK if Fault.VAR_FULL.value in history.sightings else 0.0
    if space is not None and space.used_share >= settings.faults.var_warn - slack:
        yield Finding(
            Fault.VAR_FULL, Side.HERE, f"{space.path} is {space.used_share:.0%} full ({space.free // 1024} KiB free)", ("df",),
            advice=f"free space in {space.path}; RSCT cannot work without it, and no restart helps",
            grave=space.used_share >= settings.faults.var_full,
        )


def _rmc(seen: Snapshot, history: History, settings: Settings) -> Iterator[Finding]:
    state = seen.state_of("ctrmc")
    if not seen.subsystems.seen or state is None or state in MOVING or state is State.UNKNOWN:
        return
    if state is State.INOPERATIVE or seen.ctrmc_alive is False:
        yield _down(seen, history, state)
    elif history.hung_looks >= settings.faults.hung and looks_hung(seen):
        yield Finding(
            Fault.RMC_HUNG, Side.HERE,
            f"rmcdomainstatus and lsrsrc timed out in {history.hung_looks} looks in a row"
            " while ctrmc is active and lssrc answers",
            (seen.subsystems.source, seen.status.source, seen.mcp.source), advice=_why_it_hangs(seen, history, settings),
        )


def _down(seen: Snapshot, history: History, state: State) -> Finding:
    what = "ctrmc is inoperative" if state is State.INOPERATIVE else "lssrc calls ctrmc active, but its process is gone"
    stop = seen.stop.value
    sources = tuple(source for source in (seen.subsystems.source, seen.stop.source) if source)
    advice = f"as root: rmcctrl -A, then rmcctrl -p; then {_why_ended('ctrmc', seen)}"
    if history.stopped_by:
        evidence = f"{what}: attempt {history.stopped_by} of this agent stopped it, and it was not seen active since"
        return Finding(Fault.RMC_DOWN, Side.HERE, evidence, sources, advice=advice, caused_by_crash=True)
    if stop is not None and stop.crashed is False:
        return Finding(
            Fault.RMC_STOPPED, Side.OPERATOR, f"{what}: stopped on purpose ({stop.evidence})", sources,
            advice="if that is no longer wanted, start it: rmcctrl -A, then rmcctrl -p",
        )
    cause = stop.evidence if stop is not None else "its cause could not be told"
    crashed = stop.crashed if stop else None
    return Finding(Fault.RMC_DOWN, Side.HERE, f"{what}: {cause}", sources, advice=advice, caused_by_crash=crashed)


def _why_ended(name: str, seen: Snapshot) -> str:
    if seen.platform is Platform.LINUX:
        return f"journalctl -b shows why {name} ended"
    return f"errpt -a shows why {name} ended"


def _why_it_hangs(seen: Snapshot, history: History, settings: Settings) -> str:
    """Only looking, where a cluster stands in the way: its procedure comes from the guard that says so."""
    look = "see what rmcd waits for: its CPU time (ps), name resolution, space in /var"
    if cluster.refusals(Remedy.RECYCLE, seen, history, settings, seen.taken_at):
        return look
    return f"{look}; then {cluster.AT_A_QUIET_HOUR[Remedy.RECYCLE]}"


def _managers(seen: Snapshot) -> Iterator[Finding]:
    for name in seen.required:
        if name != "ctrmc" and seen.state_of(name) is State.INOPERATIVE:
            yield Finding(
                Fault.MANAGER_DOWN, Side.HERE, f"{name} is inoperative while ctrmc is active", (seen.subsystems.source,),
                subject=name, advice=f"as root: startsrc -s {name}; then {_why_ended(name, seen)}",
            )


def _remote(seen: Snapshot, history: History, settings: Settings) -> Iterator[Finding]:
    if seen.remote.value is False and management_expected(history, settings):
        ports = " nor ".join(map(str, settings.network.ports))
        yield Finding(Fault.REMOTE_DISABLED, Side.HERE,
                      f"RMC runs and takes no remote clients: neither TCP {ports} answers here, and no HMC is connected",
                      (seen.subsystems.source, seen.remote.source), advice="rmcctrl -p")


def _lparmgr(seen: Snapshot) -> Iterator[Finding]:
    told = seen.standing.lparmgr
    if told.value:
        yield Finding(Fault.LPARMGR_STUCK, Side.HERE, f"this VIOS's lparmgr has lost RMC: {told.value}", (told.source,),
                      advice="as root: end accessprocess and lparmgr, then /usr/ios/lpm/sbin/lparmgr all start")


def _at_boot(seen: Snapshot) -> Iterator[Finding]:
    told = seen.standing.at_boot
    if told.value:
        how = "systemctl enable ctrmc.service" if seen.platform is Platform.LINUX else "rmcctrl -a"
        evidence = f"RMC will not start at the next boot: {told.value}"
        yield Finding(Fault.NOT_AT_BOOT, Side.HERE, evidence, (told.source,), advice=how, grave=False)


def _log(seen: Snapshot, settings: Settings) -> Iterator[Finding]:
    growth = seen.logs.value
    if growth is None or not storms(growth, settings):
        return
    top = sorted(growth.messages.items(), key=lambda pair: -pair[1])[:3]
    census = ", ".join(f"{number} x{count}" for number, count in top) or "no message number"
    evidence = f"the IBM.MgmtDomainRM log grew {growth.noisy_bytes // 1024} KiB in {spell(settings.log.storm.within)} ({census})"
    if growth.skipped_bytes:
        evidence += f"; {growth.skipped_bytes // 1024} KiB of it came too fast to be read"
    if growth.var_full_in is not None:
        evidence += f"; /var is full in {_about(growth.var_full_in)} at this rate"
    if growth.side == "hmc":
        yield Finding(
            Fault.HMC_SIDE, Side.HMC, evidence, (seen.logs.source,),
            advice="the HMC itself answers with errors: check its RMC (diagrmc), free space in its /tmp,"
                   " and restart the HMC if need be",
            grave=not connected(seen),
        )
    else:
        yield Finding(
            Fault.LOG_STORM, Side.NETWORK if growth.side == "network" else Side.EVIDENCE, evidence, (seen.logs.source,),
            advice="read the log's messages; RMC is not restarted for noise while an HMC is connected, or none can be reached",
            grave=not connected(seen) or _fills_soon(growth),
        )


def _about(length: timedelta) -> str:
    hours = length / timedelta(hours=1)
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} hours" if hours >= 2 else f"{hours * 60:.0f} minutes"
