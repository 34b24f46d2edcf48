"""The simulated partition's state in RSCT's own words: nouns -> text, the mirror of partition/parse. Pure.

Shapes are those of captured output. Where no capture of a text was ever found, a comment beside it says so.
"""
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Iterable, Mapping, NamedTuple, Optional, Sequence, Tuple

from rmcagent.model import DomainStatus, Link, ManagementServer, PeerDomain, Platform, Subsystem


class Said(NamedTuple):
    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0


@dataclass(frozen=True)
class LogEntry:
    """A row of the AIX error log."""

    label: str
    at: datetime


LETTERS = {Link.UP: "I", Link.DOWN: "O", Link.PENDING: "i", Link.SUSPENDED: "X", Link.FLAPPING: "Z", Link.UNKNOWN: "?"}

# label: identifier, type, class, resource, description. RMCD_INFO_1_ST's identifier and text, and those of an aborted
# migration's row, were never seen: they follow their siblings.
ERRORS: Mapping[str, Tuple[str, str, str, str, str]] = {
    "ERRLOG_ON": ("9DBCFDEE", "T", "O", "errdemon", "ERROR LOGGING TURNED ON"),
    "ERRLOG_OFF": ("192AC071", "T", "O", "errdemon", "ERROR LOGGING TURNED OFF"),
    "REBOOT_ID": ("2BFA76F6", "T", "S", "SYSPROC", "SYSTEM SHUTDOWN BY USER"),
    "RMCD_INFO_0_ST": ("A6DF45AA", "I", "O", "RMCdaemon", "The daemon is started."),
    "RMCD_INFO_1_ST": ("A2A52B9D", "I", "O", "RMCdaemon", "The daemon is stopped."),
    "SRC_SVKO": ("BC3BE5A3", "P", "S", "SRC", "SOFTWARE PROGRAM ERROR"),
    "SRC_TRYX": ("1BA7DF4E", "P", "S", "SRC", "SOFTWARE PROGRAM ERROR"),
    "SRC_RSTRT": ("CB4A951F", "P", "S", "SRC", "SOFTWARE PROGRAM ERROR"),
    "CLIENT_PMIG_STARTED": ("F2646817", "I", "S", "pmig", "Client Partition Migration Started"),
    "CLIENT_PMIG_DONE": ("159D686C", "I", "S", "pmig", "Client Partition Migration Completed"),
    "CLIENT_PMIG_ABORTED": ("5E075ADF", "I", "S", "pmig", "Client Partition Migration Aborted"),
}


def lssrc(rows: Iterable[Subsystem], platform: Platform) -> str:
    """`lssrc -a`: Linux has a narrower PID column and a blank after Status."""
    width = 7 if platform is Platform.LINUX else 12
    header = f"{'Subsystem':<17} {'Group':<16} {'PID':<{width}} Status{' ' if platform is Platform.LINUX else ''}\n"
    return header + "".join(f" {row.name:<16} {row.group:<16} {row.pid or '':<{width}} {row.state.value}\n" for row in rows)


def rmcdomainstatus(status: DomainStatus) -> str:
    """`rmcdomainstatus -s ctrmc`: nothing at all when the node is in no domain."""
    peers = [_status_row("I A", 0xD34CA9A5EA1E37C6 + number, number, name) for number, name in enumerate(status.peers, 2)]
    peers += [_status_row("S S", 0xE8A76231700CA2EB, 1, "aix1")] if peers else []
    managed = [_status_row("I a", 0x96586CB4B5FC641C + number, number + 1, name) for number, name in enumerate(status.managed)]
    points = [_status_row(f"{LETTERS[point.link]} {'R' if point.queued else 'A'}", int(point.node_id, 16), number, point.address)
              for number, point in enumerate(status.control_points, 1)]
    sections = (("Peer Domain Status", peers), ("Management Domain Status: Managed Nodes", managed),
                ("Management Domain Status: Management Control Points", points))
    return "\n".join(f"{title}\n" + "".join(rows) for title, rows in sections if rows)


def _status_row(tokens: str, node_id: int, number: int, name: str) -> str:
    return f"  {tokens}  0x{node_id:016x}  {number:04d}  {name}\n"


def lsrsrc_mcp(servers: Sequence[ManagementServer], node_name: str = "aix1", own_address: str = "192.0.2.10") -> str:
    """`lsrsrc IBM.MCP`: without a resource only the title [inferred: an empty class was never captured]."""
    return _resources("IBM.MCP", [(
        ("MNName", _quoted(own_address)),
        ("NodeID", str(int(server.node_id or "0", 16))),
        ("KeyToken", _quoted(f"HMC{number}")),
        ("IPAddresses", _listed(server.address)),
        ("ConnectivityNames", _listed(own_address)),
        ("HMCName", _quoted(server.name)),
        ("HMCIPAddr", _quoted(server.address)),
        ("HMCAddIPs", _quoted(",".join(_others(server, ":", False)))),
        ("HMCAddIPv6s", _quoted(",".join(_others(server, ":", True)))),
        ("ActivePeerDomain", _quoted(server.active_peer_domain)),
        ("NodeNameList", _listed(node_name)),
    ) for number, server in enumerate(servers, 1)])


def lsrsrc_management_server(servers: Sequence[ManagementServer], node_name: str = "aix1") -> str:
    """`lsrsrc IBM.ManagementServer`, the older class."""
    return _resources("IBM.ManagementServer", [(
        ("Name", _quoted(server.address)),
        ("Hostname", _quoted(server.address)),
        ("ManagerType", _quoted("HMC")),
        ("LocalHostname", _quoted("192.0.2.10")),
        ("ClusterTM", _quoted("9078-160")),
        ("ClusterSNum", _quoted("")),
        ("ActivePeerDomain", _quoted(server.active_peer_domain)),
        ("NodeNameList", _listed(node_name)),
    ) for server in servers])


def _resources(class_name: str, resources: Sequence[Sequence[Tuple[str, str]]]) -> str:
    text = f"Resource Persistent Attributes for {class_name}\n"
    for number, attributes in enumerate(resources, 1):
        width = max(len(name) for name, _ in attributes)
        text += f"resource {number}:\n" + "".join(f"        {name:<{width}} = {value}\n" for name, value in attributes)
    return text


def _others(server: ManagementServer, mark: str, marked: bool) -> Tuple[str, ...]:
    return tuple(address for address in server.addresses if address != server.address and (mark in address) == marked)


def _listed(text: str) -> str:
    return "{" + _quoted(text) + "}"


def _quoted(text: str) -> str:
    return f'"{text}"'


def lsrpdomain(domains: Sequence[PeerDomain]) -> str:
    """`lsrpdomain`: nothing at all without a domain [inferred: never captured]; the columns fit their widest entry."""
    if not domains:
        return ""
    name = max(4, *(len(domain.name) for domain in domains))
    state = max(7, *(len(domain.state) for domain in domains))
    header = f"{'Name':<{name}} {'OpState':<{state}} RSCTActiveVersion MixedVersions TSPort GSPort \n"
    return header + "".join(f"{domain.name:<{name}} {domain.state:<{state}} 3.2.3.2           No            12347  12348  \n"
                            for domain in domains)


def lscluster_m(cluster: str, node: str = "aix1") -> Said:
    """`lscluster -m`; without CAA [inferred: what it says then was never seen] a sentence and exit 1."""
    if not cluster:
        return Said("", "lscluster: Cluster services are not active.\n", 1)
    return Said(f"""Calling node query for all nodes...
Node query number of nodes examined: 1

        Node name: {node}
        Cluster shorthand id for node: 1
        UUID for node: 1602a950-e651-11e1-84be-00145e76c700
        State of node: UP  NODE_LOCAL
        Smoothed rtt to node: 0
        Mean Deviation in network rtt to node: 0
        Number of clusters node is a member in: 1
        CLUSTER NAME       SHID         UUID
        {cluster:<18} 0            15f90c7e-e651-11e1-84be-00145e76c700
        SITE NAME          SHID         UUID
        LOCAL              1            51735173-5173-5173-5173-517351735173
        Points of contact for node: 0
""")


def lspv(caavg_disk: str = "", active: bool = True) -> str:
    disks = [("hdisk0", "00f939e23e8ab01a", "rootvg", True), ("hdisk1", "00f939e2911815a4", "datavg", True)]
    disks += [(caavg_disk, "00f939e29118164a", "caavg_private", active)] if caavg_disk else []
    return "".join(f"{disk:<15} {pvid:<35} {group:<15} {'active' if on else '':<12}\n" for disk, pvid, group, on in disks)


def errpt(entries: Iterable[LogEntry]) -> str:
    """`errpt`: newest first, in local time; a description keeps forty characters."""
    rows = []
    for entry in entries:
        identifier, kind, class_, resource, description = ERRORS[entry.label]
        rows.append(f"{identifier:<10} {entry.at.astimezone():%m%d%H%M%y} {kind} {class_} {resource:<14} {description[:40]}\n")
    return "IDENTIFIER TIMESTAMP  T C RESOURCE_NAME  DESCRIPTION\n" + "".join(rows)


def systemctl_show(properties: Mapping[str, str]) -> str:
    return "".join(f"{key}={value}\n" for key, value in properties.items())


def node_id_file(node_id: str) -> str:
    return f"{node_id}\n# This file contains the node identifier of this node.\n# Do not edit it.\n"


def odm_hacmpcluster(name: str) -> Said:
    """Without PowerHA's filesets the ODM knows no such class [documented of the ODM; how odmget says it was never seen]."""
    if not name:
        return Said("", "odmget: The specified object class does not exist.\n\tCheck path name and permissions.\n", 1)
    return Said(f'\nHACMPcluster:\n\tid = 1106245917\n\tname = "{name}"\n\tnodename = "aix1"\n\tsec_level = "Standard"\n')


def mcproxy(row: Subsystem, hosts: Sequence[str], platform: Platform) -> str:
    """`lssrc -ls mcproxy` [no capture was found; a reader of it in public looks for lines "Hostname: NAME"]."""
    return lssrc((row,), platform) + "".join(f"  Hostname: {host}\n" for host in hosts)


def not_on_file(name: str) -> Said:
    return Said("", f"0513-085 The {name} Subsystem is not on file.\n", 1)


def no_group(name: str) -> Said:
    return Said("", f"0513-086 The {name} Group is not on file.\n", 1)


def could_not_be_passed(name: str) -> Said:
    return Said("", f"0513-036 The request could not be passed to the {name} subsystem.\n"
                    "Start the subsystem and try your command again.\n", 1)


def added(name: str) -> str:
    return f"0513-071 The {name} Subsystem has been added.\n"


def started(name: str, pid: Optional[int]) -> str:
    return f"0513-059 The {name} Subsystem has been started. Subsystem PID is {pid}.\n"


def requested_to_stop(name: str) -> str:
    return f"0513-044 The {name} Subsystem was requested to stop.\n"


def already_active(name: str) -> str:
    return f"0513-029 The {name} Subsystem is already active.\nMultiple instances are not supported.\n"


def no_session(name: str) -> Said:
    """RMC commands without rmcd [inferred: number and text from memory, the exit code from the documented list]."""
    said = '2612-022 A session could not be established with the RMC daemon on "local_node".'
    return Said("", f"/usr/sbin/rsct/bin/{name}: {said}\n", 1)


RECFGCT_REFUSES = Said("Cannot run if an online Peer Domain exists (see output of lsrpdomain).\n"
                       "For assistance with removing domains, refer to the rmrpnode and rmrpdomain commands.\n", "", 1)
CTRMC_MDDR = "/usr/lib/dr/scripts/all/ctrmc_MDdr               DR script to refresh Management Domain configuration\n"

# Words as a locale other than C would have them; the Chinese ones are of a capture's kind.
TRANSLATIONS = (
    ("Subsystem", "Subsistema"), ("Group", "Grupo"), ("Status", "Estado"), ("inoperative", "inoperativo"), ("active", "activo"),
    ("Resource Persistent Attributes for", "资源持久属性"), ("resource ", "资源 "), ("Management Control Points", "管理控制点"),
    ("Online", "En línea"), ("Offline", "Fuera de línea"), ("Current state", "Estado actual"), (": 26", "：26"),
)


def translated(text: str) -> str:
    for ours, theirs in TRANSLATIONS:
        text = text.replace(ours, theirs)
    return text


# The 2613 messages, as two excerpts of IBM.MgmtDomainRM's log have them: file and line, then the text.
_SLOT = ("MCP_cfg.c/00546/1.24", "2613-023 The data in RTAS slot number {slot} is invalid. The error number is 2.")
STORMS: Mapping[str, Tuple[Tuple[str, str], ...]] = {
    "slots": (_SLOT,),
    "hmc": (
        ("MCP_cfg.c/02047/1.24", "2613-021 MDC received an error response for getSupportedProtocols from {address}: 262154 "
         "2610-415 Cannot execute the command. The resource manager IBM.DMSRM is not available."),
        ("MCP_cfg.c/00850/1.24", "2613-027 MDC detected a protocol error with the HMC specified in RTAS slot number {slot} "
         "due to prior error 2613-021"),
        _SLOT,
    ),
    "network": (
        ("MCP_cfg.c/01234/1.24", "2613-024 MDC could not start a session with {address}, from RTAS slot number {slot}. "
         "The mc_timed_start_session function returned 52.\n2610-652 The specified time limit has been exceeded."),
        ("PKE_client.c/00311/1.13", "2613-016 PKE timed out with the node at IP address {address}"),
    ),
}


STORM_PERIOD = 60     # entries after which a storm repeats itself: each kind and each of six slots comes round


def log_lines(kind: str, count: int, now: datetime, address: str) -> bytes:
    """`count` entries of IBM.MgmtDomainRM's log; each begins with a stamp, and some go on in a second line."""
    stamp = f"{now:%a %b} {now.day} {now:%H:%M:%S} UTC {now:%Y}".encode()
    return _unstamped(kind, count, address).replace(b"\0", stamp)


@lru_cache(maxsize=16)
def _unstamped(kind: str, count: int, address: str) -> bytes:
    """The same with a NUL where each stamp belongs: a month of storms is written in virtual time."""
    entries = _entries(kind, address)
    rounds, rest = divmod(count, STORM_PERIOD)
    return b"".join(entries) * rounds + b"".join(entries[:rest])


@lru_cache(maxsize=16)
def _entries(kind: str, address: str) -> Tuple[bytes, ...]:
    """A period of entries."""
    folder = "../../../../../src/rsct/rm/MgmtDomainRM/"
    texts = (STORMS[kind][number % len(STORMS[kind])] for number in range(STORM_PERIOD))
    return tuple(f"\0({number:06d}) {folder}{where} {text.format(slot=number % 6, address=address)}\n".encode()
                 for number, (where, text) in enumerate(texts))
