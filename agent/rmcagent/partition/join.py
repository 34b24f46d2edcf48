"""Everything that knows an HMC -> each HMC once."""
from __future__ import annotations

from typing import Dict, Optional, Sequence, Set, Tuple

from rmcagent.model import ControlPoint, DomainStatus, Hmc, KnownHmc, Link, ManagementServer

MOST_HMCS = 32


def join(status: Optional[DomainStatus], mcp: Sequence[ManagementServer], servers: Sequence[ManagementServer],
         in_band: Sequence[str], known: Sequence[KnownHmc], expected: Sequence[str]) -> Tuple[Hmc, ...]:
    """Every HMC that anything knows, once: control points first, then resources, in-band hosts, remembered and expected ones."""
    found: Dict[str, Hmc] = {}
    aliases: Dict[str, str] = {}
    nodes: Set[str] = set()
    for point in (status.control_points if status else ()):
        resource = _resource_of(point, mcp)
        # Two of one address are an HMC and the one that it replaced: the one that is connected counts.
        if point.address not in found or point.link is Link.UP:
            found[point.address] = Hmc(point.address, resource.name if resource else "", point.node_id, point.link)
        aliases.update((alias, point.address) for alias in (resource.addresses if resource else ()))
        nodes.add(point.node_id)
    for server in (*mcp, *servers):
        addresses = (server.address, *server.addresses)
        if server.address and server.node_id not in nodes and not any(alias in found or alias in aliases for alias in addresses):
            found[server.address] = Hmc(server.address, server.name, server.node_id)
            aliases.update((alias, server.address) for alias in server.addresses)
            nodes.update({server.node_id} - {""})
    for name in in_band:
        found[name] = Hmc(name, link=Link.UP, in_band=True)
    remembered = [Hmc(hmc.address, hmc.name, hmc.node_id) for hmc in known] + [Hmc(address) for address in expected]
    for hmc in remembered:
        if hmc.address not in found and hmc.address not in aliases and (not hmc.node_id or hmc.node_id not in nodes):
            found[hmc.address] = hmc
    # Of more than are kept, one that is connected must not be cut off: it holds every remedy that would disturb it.
    hmcs = found.values() if len(found) <= MOST_HMCS else sorted(found.values(), key=lambda hmc: hmc.link is not Link.UP)
    return tuple(hmcs)[:MOST_HMCS]


def _resource_of(point: ControlPoint, mcp: Sequence[ManagementServer]) -> Optional[ManagementServer]:
    by_id = next((server for server in mcp if server.node_id and server.node_id == point.node_id), None)
    return by_id or next((server for server in mcp if point.address in server.addresses), None)
