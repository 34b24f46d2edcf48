"""RMC: who rmcdomainstatus shows, and the resources that lsrsrc lists."""
from __future__ import annotations

import re
from typing import Dict, List, Match, Optional, Tuple

from rmcagent.model import Answer, ControlPoint, DomainStatus, Link, ManagementServer
from rmcagent.partition.parse.lines import (
    ATTRIBUTE,
    MESSAGE,
    Attributes,
    cannot,
    clean,
    lines_of,
    lines_or_none,
    quote,
    resources_of,
    whole,
)

LINKS = {"I": Link.UP, "O": Link.DOWN, "i": Link.PENDING, "X": Link.SUSPENDED, "Z": Link.FLAPPING}
PEERS, MANAGED, POINTS = "Peer Domain Status", "Managed Nodes", "Management Control Points"
SECTIONS = {PEERS: PEERS, **{before + name: name for name in (MANAGED, POINTS) for before in ("", "Management Domain Status: ")}}
STATUS_ROW = re.compile(r"(\S) (\S) 0[xX]([0-9a-fA-F]{1,64}) [0-9]{1,10} (\S+)(?: [^ ]*/[^ ]*)?(?: \([0-9]{1,10}\))?")


def rmcdomainstatus(answer: Answer) -> DomainStatus:
    """Who `rmcdomainstatus -s ctrmc` shows; nothing at all, without a complaint, is nobody."""
    lines = lines_or_none(answer)
    found: Dict[str, List[Match[str]]] = {}
    section = ""
    for line in (" ".join(line.split()) for line in lines):
        if line in SECTIONS:
            section = SECTIONS[line]
            found.setdefault(section, [])
            continue
        row = STATUS_ROW.fullmatch(line)
        if not row or not section:
            raise cannot(answer, f"{quote(line)} is not a line of its sections")
        found[section].append(row)
    empty = next((title for title, rows in found.items() if not rows), "")
    if empty:                                   # only a section with a row in it was ever seen: the rest was cut off
        raise cannot(answer, f'it shows nobody below "{empty}"')
    points = (_control_point(row) for row in found.get(POINTS, ()) if row.group(1) != "S")
    return DomainStatus(tuple(dict.fromkeys(points)), _peers(found.get(PEERS, [])), _names(found.get(MANAGED, [])))


def _control_point(row: Match[str]) -> ControlPoint:
    link, queued, node_id, address = row.groups()
    return ControlPoint(node_id.lower().zfill(16), clean(address), LINKS.get(link, Link.UNKNOWN), queued in "Rr")


def _peers(rows: List[Match[str]]) -> Tuple[str, ...]:
    """The other nodes; this one where it is alone, for the section itself says that it is in a peer domain."""
    return _names(rows) or tuple(clean(row.group(4)) for row in rows)


def _names(rows: List[Match[str]]) -> Tuple[str, ...]:
    return tuple(dict.fromkeys(clean(row.group(4)) for row in rows if row.group(1) != "S"))


# [my inference: no capture of a class that RMC does not know; 2612-023 was seen, in Chinese]
NO_SUCH_CLASS = re.compile(r"\b(?:undefined|unknown) (?:resource )?class\b"
                           r"|\bclass\b.{0,80}\b(?:not (?:found|defined|known|exist)|undefined|unknown)\b", re.IGNORECASE)


def lsrsrc(answer: Answer, class_name: str) -> Tuple[ManagementServer, ...]:
    """Resources of IBM.MCP or IBM.ManagementServer; (): it has none, or RMC does not know the class."""
    whole(answer)
    lines = lines_of(answer)
    said = [line for line in (*lines, *lines_of(answer, answer.stderr)) if MESSAGE.search(line) and not ATTRIBUTE.match(line)]
    others = [line for line in said if "2612-023" not in line and not NO_SUCH_CLASS.search(line)]
    none = answer.exit_code == 6 or bool(said and not others)      # 6: no resources found [my inference, from memory]
    if not none and (others or answer.exit_code):
        # Any line may hold a part of a key: quoted is what RMC says under a number of its own.
        raise cannot(answer, quote(others[0]) if others else f"exit {answer.exit_code}")
    resources = resources_of(answer, class_name, [line for line in lines if not none or line not in said], none)
    if none and resources:
        raise cannot(answer, "it shows resources and says that there are none")
    servers = (_mcp(one) if class_name == "IBM.MCP" else _management_server(one) for one in resources)
    return tuple(server for server in servers if server)


def _mcp(attributes: Attributes) -> ManagementServer:
    """MNName is left out: it is this node's own address as the HMC knows it."""
    lead = _addresses(attributes, "HMCIPAddr", "IPAddresses")
    everywhere = _addresses(attributes, "HMCIPAddr", "IPAddresses", "HMCAddIPs", "HMCAddIPv6s")
    return ManagementServer(lead[0] if lead else "", _first(attributes, "HMCName"), _hex_id(_first(attributes, "NodeID")),
                            everywhere, _first(attributes, "ActivePeerDomain"))


def _management_server(attributes: Attributes) -> Optional[ManagementServer]:
    if _first(attributes, "ManagerType").upper() not in ("", "HMC"):
        return None
    known = _addresses(attributes, "Hostname", "Name")
    return ManagementServer(known[0] if known else "", addresses=known, active_peer_domain=_first(attributes, "ActivePeerDomain"))


def _first(attributes: Attributes, name: str) -> str:
    return next(iter(attributes.get(name, ())), "")


OURSELVES = re.compile(r"(?:[0:]*:(?:ffff:)?)?(?:127\.0\.0\.1|0\.0\.0\.0)|[0:]*:[0:]*1?(?:%.*)?", re.IGNORECASE)


def _addresses(attributes: Attributes, *names: str) -> Tuple[str, ...]:
    """Distinct addresses; nobody's and the loopback's would be this very partition when connected to."""
    words = (word for name in names for value in attributes.get(name, ()) for word in re.split(r"[,\s]+", value))
    plain = (word for word in words if re.fullmatch(r"[\w.:%-]+", word, re.ASCII))
    return tuple(dict.fromkeys(word for word in plain if not OURSELVES.fullmatch(word)))


def _hex_id(text: str) -> str:
    if re.fullmatch(r"[0-9]{1,40}", text):
        return format(int(text), "016x")
    return text[2:].lower().zfill(16) if re.fullmatch(r"0[xX][0-9a-fA-F]{1,64}", text) else ""
