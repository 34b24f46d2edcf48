"""What is wrong with the links to the HMCs, and whose it is: one sentence of evidence each. RMC itself runs."""
from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from rmcagent.config import Settings, spell
from rmcagent.frozen import replace
from rmcagent.model import DomainStatus, Fact, Fault, Finding, History, Hmc, How, Link, Remedy, Side, Snapshot, State
from rmcagent.reason import cluster

MOST_NAMED = 4
# What only the other side can tell [documented: the HMC's diagrmc and lspartition].
AT_THE_HMC = "on the HMC, see what lspartition -dlpar and diagrmc say of this partition"
ONE_ID = "often two nodes with one node id"
ANOTHER = "on the HMC, look for another partition with this node id (lsnodeid there)"


def link_faults(seen: Snapshot, history: History, settings: Settings) -> Iterator[Finding]:
    """What is wrong with the links while RMC and its managers run."""
    if shows_no_hmc(seen):
        if history.empty_looks >= 2 and management_expected(history, settings):
            known = ", ".join(hmc.address for hmc in history.known) or ", ".join(settings.expect.hmcs) or "one"
            evidence = f"no management control point is defined here, and none is connected in-band; expected: {known}"
            advice = AT_THE_HMC
            if seen.state_of("mcproxy") is State.INOPERATIVE:
                evidence += "; mcproxy, through which an HMC connects in-band, is inoperative"
                advice = f"startsrc -s mcproxy, where this partition is managed in-band; else {AT_THE_HMC}"
            yield Finding(Fault.NO_HMC, Side.HERE, evidence, (seen.status.source, seen.mcp.source), advice=advice)
        return
    yield from _stale(seen, history, settings)
    if not seen.status.seen:
        return
    flapping = [hmc for hmc in seen.hmcs if hmc.link is Link.FLAPPING
                or history.link_changes.get(hmc.address, 0) > settings.faults.flapping.times]
    lost = [hmc for hmc in seen.hmcs if hmc.link not in (Link.UP, Link.UNKNOWN)]
    if flapping:
        yield _flaps(flapping, seen, history, settings)
    elif lost and not connected(seen):
        yield _all_lost(lost, seen.status)
    if connected(seen):
        yield from _some_lost([hmc for hmc in lost if hmc not in (*flapping, *_retired(seen, history, settings))], seen)


def _flaps(flapping: Sequence[Hmc], seen: Snapshot, history: History, settings: Settings) -> Finding:
    """Two nodes with one node id disturb every HMC; the changes of one among several are its own, or the network's to it."""
    letter = [hmc for hmc in flapping if hmc.link is Link.FLAPPING]
    steady = [hmc for hmc in seen.hmcs if hmc not in flapping and hmc.link is not Link.UNKNOWN]
    if letter:
        return Finding(
            Fault.LINK_FLAPPING, Side.IDENTITY, f"{_names(letter)} changes state too rapidly (Z): {ONE_ID}",
            (seen.status.source,),
            advice=f"{ANOTHER}; where this one is the copy: {cluster.by_hand(Remedy.RECFGCT, seen, history, settings)}",
            grave=not connected(seen),
        )
    often = f"went up or down more than {settings.faults.flapping.times} times in {spell(settings.faults.flapping.span)}"
    if steady:
        return Finding(
            Fault.LINK_FLAPPING, Side.HMC, f"{_names(flapping)} {often}, and {_names(steady)} did not", (seen.status.source,),
            advice="see that HMC and the network to it: does it restart, does a line come and go?", grave=not connected(seen),
        )
    return Finding(
        Fault.LINK_FLAPPING, Side.IDENTITY, f"{_names(flapping)} {often}: {ONE_ID}, or a network that comes and goes",
        (seen.status.source,), advice=f"see the network to it; {ANOTHER}", grave=not connected(seen),
    )


def _some_lost(lost: Sequence[Hmc], seen: Snapshot) -> Iterator[Finding]:
    """Another HMC is connected, and nothing done here may cut that one off."""
    blocked = [hmc for hmc in lost if hmc.link is Link.SUSPENDED]
    if blocked:
        yield replace(_blocked(blocked, seen.status), grave=False)
    others = [hmc for hmc in lost if hmc not in blocked]
    if others:
        names = ", ".join(f"{hmc.address} ({hmc.link.value})" for hmc in others)
        works = connected(seen)[0].address
        yield Finding(
            Fault.LINK_PARTIAL, Side.HMC, f"{names} lost while {works} is connected", (seen.status.source,),
            advice=f"on that HMC: is it running, does it still manage this partition? run diagrmc there; {works} works",
            grave=False,
        )


def _stale(seen: Snapshot, history: History, settings: Settings) -> Iterator[Finding]:
    """HMCs that are no more: silent for days beside one that works, or one address under two names."""
    silent = _retired(seen, history, settings)
    if silent:
        yield Finding(
            Fault.STALE_HMC, Side.CONFIG,
            f"{_names(silent)} was neither connected nor reachable for {spell(settings.faults.stale_hmc)}, while"
            f" {connected(seen)[0].address} is connected",
            (seen.status.source, "reach"), grave=False,
            advice="if that HMC was retired, remove this partition's resource of it (lsrsrc IBM.MCP shows it); else repair it",
        )
    names: Dict[str, List[str]] = {}
    for server in seen.mcp.value or ():
        if server.address and server.name:
            names.setdefault(server.address, []).append(server.name)
    twins = [f"{address} as {' and as '.join(dict.fromkeys(found))}" for address, found in names.items() if len(set(found)) > 1]
    if twins:
        yield Finding(
            Fault.STALE_HMC, Side.CONFIG, f"IBM.MCP knows {', '.join(twins[:MOST_NAMED])}", (seen.mcp.source,), subject="IBM.MCP",
            advice="an HMC was replaced and its address kept: remove the resource of the old one (lsrsrc IBM.MCP shows both)",
            grave=not connected(seen),
        )


def _retired(seen: Snapshot, history: History, settings: Settings) -> List[Hmc]:
    """Known for days, and in all of them neither up nor answering, while another is up."""
    if not connected(seen):
        return []
    heard = {hmc.address: max(filter(None, (hmc.first_seen, hmc.last_up, hmc.last_answered)), default=None)
             for hmc in history.known}
    silent = []
    for hmc in seen.hmcs:
        last = heard.get(hmc.address)
        if (hmc.link not in (Link.UP, Link.UNKNOWN) and hmc.reachable is False
                and last is not None and seen.taken_at - last >= settings.faults.stale_hmc):
            silent.append(hmc)
    return silent


def _all_lost(lost: Sequence[Hmc], status: Fact[DomainStatus]) -> Finding:
    """No HMC is up; the letter that needs the most from us names the fault."""
    by_link = {link: [hmc for hmc in lost if hmc.link is link] for link in Link}
    if by_link[Link.PENDING]:
        return Finding(
            Fault.LINK_PENDING, Side.IDENTITY,
            f"{_names(by_link[Link.PENDING])}: the handshake is not completed (i):"
            " the two sides do not accept each other's identity",
            (status.source,), advice=f"look for another node with this node id or address: {AT_THE_HMC}",
        )
    if by_link[Link.SUSPENDED]:
        return _blocked(by_link[Link.SUSPENDED], status)
    if all(hmc.reachable is False for hmc in lost):
        return Finding(
            Fault.HMC_UNREACHABLE, Side.NETWORK, f"no known HMC answers on its RMC ports: {_names(lost)}",
            (status.source, "reach"),
            advice=f"is the HMC running? check route and firewall from here to {_names(lost)}, TCP 657 and 12601 and UDP 657",
        )
    answering = [hmc for hmc in lost if hmc.reachable]
    told = f"{_names(answering)} {_answers(answering)}" if answering else "whether it can be reached could not be asked"
    return Finding(Fault.LINK_DOWN, Side.HERE, f"every known HMC is down by heartbeat (O): {_names(lost)}; {told}",
                   (status.source, "reach"), advice=AT_THE_HMC)


def _blocked(hmcs: Sequence[Hmc], status: Fact[DomainStatus]) -> Finding:
    return Finding(
        Fault.LINK_BLOCKED, Side.NETWORK, f"{_names(hmcs)}: is suspended (X): heartbeats pass, larger packets do not",
        (status.source,), advice="compare the MTU and jumbo frame settings on the whole path to the HMC",
    )


def _answers(hmcs: Sequence[Hmc]) -> str:
    return "answers on its RMC port" if len(hmcs) == 1 else "answer on their RMC ports"


def _names(hmcs: Sequence[Hmc]) -> str:
    return ", ".join(hmc.address for hmc in hmcs)


def connected(seen: Snapshot) -> Tuple[Hmc, ...]:
    return tuple(hmc for hmc in seen.hmcs if hmc.link is Link.UP)


def management_expected(history: History, settings: Settings) -> bool:
    """An HMC is expected where the policy says so, or where one has ever been seen."""
    wanted = settings.expect.management
    return wanted == "required" or (wanted == "auto" and bool(history.known or settings.expect.hmcs))


def shows_no_hmc(seen: Snapshot) -> bool:
    """Nothing that could name an HMC names one, and all that was asked answered."""
    return (
        _empty(seen.status, lambda status: not status.control_points)
        and _empty(seen.mcp, lambda servers: not servers)
        and (_empty(seen.servers, lambda servers: not servers) or seen.servers.how in (How.INAPPLICABLE, How.MISSING))
        and (_empty(seen.in_band, lambda names: not names) or seen.in_band.how in (How.INAPPLICABLE, How.MISSING))
    )


def reachability(seen: Snapshot) -> str:
    """Which known HMCs answer, in one word per HMC; grace starts anew when it changes."""
    marks: Mapping[Optional[bool], str] = {True: "+", False: "-", None: "?"}
    return " ".join(f"{marks[hmc.reachable]}{hmc.address}" for hmc in sorted(seen.hmcs, key=lambda hmc: hmc.address))


def _empty(fact: Fact[Any], none: Callable[[Any], bool]) -> bool:
    return bool(fact.seen and none(fact.value))


