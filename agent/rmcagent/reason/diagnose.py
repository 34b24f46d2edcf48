"""Snapshot -> Findings, gravest first: each a row of design section 4, with the sentence an operator can check."""
from __future__ import annotations

from datetime import timedelta
from typing import Any, Callable, Iterator, List, Mapping, Optional, Sequence, Tuple

from rmcagent.config import Settings, spell
from rmcagent.model import DomainStatus, Fact, Fault, Finding, History, Hmc, How, Link, LogGrowth, Side, Snapshot, State
from rmcagent.reason.ladder import GRAVITY

BEHIND_MANAGERS = (Fault.NO_HMC, Fault.LINK_PENDING, Fault.LINK_DOWN, Fault.LINK_FLAPPING, Fault.LINK_BLOCKED,
                   Fault.HMC_UNREACHABLE, Fault.LINK_PARTIAL)
MOVING = (State.STARTING, State.STOPPING)
# A loaded partition is not a hung RMC: lssrc must have answered within this.
PROMPT_SECONDS = 2.0
SOON = timedelta(days=1)


def diagnose(seen: Snapshot, history: History, settings: Settings) -> Tuple[Finding, ...]:
    """Every fault that is seen now, gravest first; what one explains, another does not repeat."""
    findings: List[Finding] = [*_var(seen, settings), *_log(seen, settings)]
    rmc = list(_rmc(seen, history, settings))
    findings += rmc
    if not rmc and ctrmc_runs(seen):
        managers = list(_managers(seen))
        findings += managers
        # A missing manager explains a missing link; treat the cause first.
        findings += [] if managers else _links(seen, history, settings)
    # The HMC's own errors, or its absence, explain the noise they make.
    if any(finding.fault in (Fault.HMC_SIDE, Fault.HMC_UNREACHABLE) for finding in findings):
        findings = [finding for finding in findings if finding.fault is not Fault.LOG_STORM]
    return tuple(sorted(findings, key=lambda finding: (GRAVITY.index(finding.fault), finding.subject)))


def ctrmc_runs(seen: Snapshot) -> bool:
    return seen.state_of("ctrmc") is State.ACTIVE and seen.ctrmc_alive is not False


def connected(seen: Snapshot) -> Tuple[Hmc, ...]:
    return tuple(hmc for hmc in seen.hmcs if hmc.link is Link.UP)


def untold_links(seen: Snapshot, history: History, settings: Settings) -> bool:
    """An HMC is expected, and nothing says of any whether it is connected."""
    told = any(hmc.link is not Link.UNKNOWN for hmc in seen.hmcs) or shows_no_hmc(seen)
    return ctrmc_runs(seen) and not told and management_expected(history, settings)


def masked(fault: Fault, findings: Sequence[Finding]) -> bool:
    """Whether a fault that is not found could not have been: a graver one stands before it."""
    found = {finding.fault for finding in findings}
    rmc = found & {Fault.RMC_DOWN, Fault.RMC_STOPPED, Fault.RMC_HUNG}
    if fault in BEHIND_MANAGERS:
        return bool(rmc or Fault.MANAGER_DOWN in found)
    if fault is Fault.LOG_STORM:
        return bool(found & {Fault.HMC_SIDE, Fault.HMC_UNREACHABLE})
    return fault is Fault.MANAGER_DOWN and bool(rmc)


def management_expected(history: History, settings: Settings) -> bool:
    """An HMC is expected where the policy says so, or where one has ever been seen."""
    wanted = settings.expect.management
    return wanted == "required" or (wanted == "auto" and bool(history.known or settings.expect.hmcs))


def looks_hung(seen: Snapshot) -> bool:
    """rmcdomainstatus and lsrsrc both timed out while everything that does not need rmcd was quick."""
    return (
        ctrmc_runs(seen) and seen.ctrmc_alive is True and seen.vitals.on_time
        and seen.status.timed_out and seen.mcp.timed_out and seen.servers.how is not How.SEEN
        and seen.subsystems.seen and seen.lssrc_took <= PROMPT_SECONDS
    )


def shows_no_hmc(seen: Snapshot) -> bool:
    """Nothing that could name an HMC names one, and all that was asked answered."""
    return (
        _empty(seen.status, lambda status: not status.control_points)
        and _empty(seen.mcp, lambda servers: not servers)
        and (_empty(seen.servers, lambda servers: not servers) or seen.servers.how in (How.INAPPLICABLE, How.MISSING))
        and (_empty(seen.in_band, lambda names: not names) or seen.in_band.how in (How.INAPPLICABLE, How.MISSING))
    )


def storms(growth: LogGrowth, settings: Settings) -> bool:
    """The log grows faster than the policy allows, or fast enough to fill /var within a day."""
    return growth.noisy_bytes > settings.log.storm.bytes or (growth.var_full_in is not None and growth.var_full_in < SOON)


def reachability(seen: Snapshot) -> str:
    """Which known HMCs answer, in one word per HMC; grace starts anew when it changes."""
    marks: Mapping[Optional[bool], str] = {True: "+", False: "-", None: "?"}
    return " ".join(f"{marks[hmc.reachable]}{hmc.address}" for hmc in sorted(seen.hmcs, key=lambda hmc: hmc.address))


def _empty(fact: Fact[Any], none: Callable[[Any], bool]) -> bool:
    return bool(fact.seen and none(fact.value))


def _var(seen: Snapshot, settings: Settings) -> Iterator[Finding]:
    space = seen.var.value
    if space is not None and space.used_share >= settings.faults.var_warn:
        yield Finding(
            Fault.VAR_FULL, Side.HERE, f"{space.path} is {space.used_share:.0%} full ({space.free // 1024} KiB free)", ("df",),
            advice=f"free space in {space.path}; RSCT cannot work without it, and no restart helps",
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
            (seen.subsystems.source, seen.status.source, seen.mcp.source),
        )


def _down(seen: Snapshot, history: History, state: State) -> Finding:
    what = "ctrmc is inoperative" if state is State.INOPERATIVE else "lssrc calls ctrmc active, but its process is gone"
    stop = seen.stop.value
    sources = tuple(source for source in (seen.subsystems.source, seen.stop.source) if source)
    if history.stopped_by:
        evidence = f"{what}: attempt {history.stopped_by} of this agent stopped it, and it was not seen active since"
        return Finding(Fault.RMC_DOWN, Side.HERE, evidence, sources, caused_by_crash=True)
    if stop is not None and stop.crashed is False:
        return Finding(
            Fault.RMC_STOPPED, Side.OPERATOR, f"{what}: stopped on purpose ({stop.evidence})", sources,
            advice="if that is no longer wanted, start it: rmcctrl -A, then rmcctrl -p",
        )
    cause = stop.evidence if stop is not None else "its cause could not be told"
    return Finding(Fault.RMC_DOWN, Side.HERE, f"{what}: {cause}", sources, caused_by_crash=stop.crashed if stop else None)


def _managers(seen: Snapshot) -> Iterator[Finding]:
    for name in seen.required:
        if name != "ctrmc" and seen.state_of(name) is State.INOPERATIVE:
            yield Finding(
                Fault.MANAGER_DOWN, Side.HERE, f"{name} is inoperative while ctrmc is active", (seen.subsystems.source,),
                subject=name,
            )


def _links(seen: Snapshot, history: History, settings: Settings) -> Iterator[Finding]:
    if shows_no_hmc(seen):
        if history.empty_looks >= 2 and management_expected(history, settings):
            known = ", ".join(hmc.address for hmc in history.known) or ", ".join(settings.expect.hmcs) or "one"
            yield Finding(
                Fault.NO_HMC, Side.HERE,
                f"no management control point is defined here, and none is connected in-band; expected: {known}",
                (seen.status.source, seen.mcp.source),
            )
        return
    if not seen.status.seen:
        return
    up = connected(seen)
    lost = [hmc for hmc in seen.hmcs if hmc.link not in (Link.UP, Link.UNKNOWN)]
    if not lost:
        return
    if up:
        names = ", ".join(f"{hmc.address} ({hmc.link.value})" for hmc in lost)
        yield Finding(
            Fault.LINK_PARTIAL, Side.HMC, f"{names} lost while {up[0].address} is connected", (seen.status.source,),
            advice=f"on that HMC: is it running, does it still manage this partition? run diagrmc there; {up[0].address} works",
        )
        return
    yield _all_lost(lost, seen.status)


def _all_lost(lost: Sequence[Hmc], status: Fact[DomainStatus]) -> Finding:
    """No HMC is up; the letter that needs the most from us names the fault."""
    by_link = {link: [hmc for hmc in lost if hmc.link is link] for link in Link}
    for link, fault, side, meaning, advice in (
        (Link.PENDING, Fault.LINK_PENDING, Side.IDENTITY,
         "the handshake is not completed (i): the two sides do not accept each other's identity", ""),
        (Link.FLAPPING, Fault.LINK_FLAPPING, Side.IDENTITY, "changes state too rapidly (Z): often two nodes with one node id",
         "on the HMC, look for another partition with this node id (lsnodeid); a clone needs recfgct, run by hand"),
        (Link.SUSPENDED, Fault.LINK_BLOCKED, Side.NETWORK, "is suspended (X): heartbeats pass, larger packets do not",
         "compare the MTU and jumbo frame settings on the whole path to the HMC"),
    ):
        if by_link[link]:
            return Finding(fault, side, f"{_names(by_link[link])}: {meaning}", (status.source,), advice=advice)
    if all(hmc.reachable is False for hmc in lost):
        return Finding(
            Fault.HMC_UNREACHABLE, Side.NETWORK, f"no known HMC answers on its RMC ports: {_names(lost)}",
            (status.source, "reach"),
            advice=f"is the HMC running? check route and firewall from here to {_names(lost)}, TCP 657 and 12601 and UDP 657",
        )
    answering = [hmc for hmc in lost if hmc.reachable]
    told = f"{_names(answering)} {_answers(answering)}" if answering else "whether it can be reached could not be asked"
    return Finding(Fault.LINK_DOWN, Side.HERE, f"every known HMC is down by heartbeat (O): {_names(lost)}; {told}",
                   (status.source, "reach"))


def _answers(hmcs: Sequence[Hmc]) -> str:
    return "answers on its RMC port" if len(hmcs) == 1 else "answer on their RMC ports"


def _names(hmcs: Sequence[Hmc]) -> str:
    return ", ".join(hmc.address for hmc in hmcs)


def _log(seen: Snapshot, settings: Settings) -> Iterator[Finding]:
    growth = seen.logs.value
    if growth is None or not storms(growth, settings):
        return
    top = sorted(growth.messages.items(), key=lambda pair: -pair[1])[:3]
    census = ", ".join(f"{number} x{count}" for number, count in top) or "no message number"
    evidence = f"the IBM.MgmtDomainRM log grew {growth.noisy_bytes // 1024} KiB in {spell(settings.log.storm.within)} ({census})"
    if growth.var_full_in is not None:
        evidence += f"; /var is full in {_about(growth.var_full_in)} at this rate"
    if growth.side == "hmc":
        yield Finding(
            Fault.HMC_SIDE, Side.HMC, evidence, (seen.logs.source,),
            advice="the HMC itself answers with errors: check its RMC (diagrmc), free space in its /tmp,"
                   " and restart the HMC if need be",
        )
    else:
        yield Finding(
            Fault.LOG_STORM, Side.NETWORK if growth.side == "network" else Side.EVIDENCE, evidence, (seen.logs.source,),
            advice="read the log's messages; RMC is not restarted for noise while an HMC is connected, or none can be reached",
        )


def _about(length: timedelta) -> str:
    hours = length / timedelta(hours=1)
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} hours" if hours >= 2 else f"{hours * 60:.0f} minutes"
