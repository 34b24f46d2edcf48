"""The commands that only read: what each says of the simulated partition's state. Nothing here changes it."""
from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Callable, Mapping, Optional, Sequence, Tuple

from rmcagent.model import DomainStatus, ManagementServer, Platform, State, Subsystem
from rmcagent.sim import voices
from rmcagent.sim.voices import Said

if TYPE_CHECKING:
    from rmcagent.sim.partition.machine import Machine


def answer(partition: Machine, name: str, args: Sequence[str]) -> Said:
    """What a command that only reads says of the partition's state."""
    return READERS[name](partition, tuple(args))


def _lssrc(partition: Machine, args: Tuple[str, ...]) -> Said:
    flags, name = (args[0], args[-1]) if args else ("-a", "")
    if flags == "-a":
        rows = partition.subsystems.values()
        return _table(tuple([(row.name, row.state, row.group, row.pid) for row in rows]), partition.platform)
    if flags == "-g":
        group = [row.row() for row in partition.subsystems.values() if row.group == name]
        return Said(voices.lssrc(group, partition.platform)) if group else voices.no_group(name)
    if name not in partition.subsystems:
        return voices.not_on_file(name)
    row = partition.subsystems[name].row()
    if "l" in flags:
        return _long_status(partition, row)
    if "S" in flags:
        return Said(_odm_row(partition, row))
    return Said(voices.lssrc((row,), partition.platform))


# What is asked at every look, for hours of the same state.

@lru_cache(maxsize=64)
def _table(rows: Tuple[Tuple[str, State, str, Optional[int]], ...], platform: Platform) -> Said:
    return Said(voices.lssrc([Subsystem(*row) for row in rows], platform))


@lru_cache(maxsize=64)
def _status(status: DomainStatus) -> Said:
    return Said(voices.rmcdomainstatus(status))


@lru_cache(maxsize=64)
def _servers(servers: Tuple[ManagementServer, ...]) -> Said:
    return Said(voices.lsrsrc_mcp(servers))


def _long_status(partition: Machine, row: Subsystem) -> Said:
    if row.state is not State.ACTIVE:
        return voices.could_not_be_passed(row.name)
    if row.name == "clstrmgrES":
        return Said(f"Current state: {partition.powerha}\n")
    hosts = partition.in_band_hosts if row.name == "mcproxy" else ()
    return Said(voices.mcproxy(row, hosts, partition.platform))


def _odm_row(partition: Machine, row: Subsystem) -> str:
    """`lssrc -Ss NAME`; that ctrmc's arguments show -r here is inferred from a process list."""
    arguments = f"-a IBM.LPCommands{' -r' if partition.remote_enabled else ''}" if row.name == "ctrmc" else ""
    return ("#subsysname:synonym:cmdargs:path:uid:auditid:standin:standout:standerr:action:multi:contact:svrkey:svrmtype:"
            "priority:signorm:sigforce:display:waittime:grpname:\n"
            f"{row.name}::{arguments}:/usr/sbin/rsct/bin/rmcd:0:0:/dev/console:/dev/console:/dev/console:-R:-Q:-K:0:0:20:0:0:-d:20:"
            f"{row.group}:\n")


def _lsrsrc(partition: Machine, args: Tuple[str, ...]) -> Said:
    classes = [word for word in args if word.startswith("IBM.")]
    servers = partition.servers()
    if classes[:1] == ["IBM.MCP"] and "IBM.MgmtDomainRM" in partition.subsystems:
        return _servers(servers)
    if classes[:1] == ["IBM.ManagementServer"]:
        return Said(voices.lsrsrc_management_server(() if partition.platform is Platform.LINUX else servers))
    # [inferred: the text for a class RMC does not know was never captured]
    return Said("", "/usr/sbin/rsct/bin/lsrsrc-api: 2612-023 Resource not found.\n", 6) if classes else Said("class_name\n")


def _errpt(partition: Machine, args: Tuple[str, ...]) -> Said:
    """All rows, or those of -N RESOURCES, -J LABELS and since -s MMDDhhmmYY, local time; -a is not spoken."""
    wanted = dict(zip(args[::2], args[1::2]))
    entries = list(reversed(partition.errors))
    if "-J" in wanted:
        entries = [entry for entry in entries if entry.label in wanted["-J"].split(",")]
    if "-N" in wanted:
        entries = [entry for entry in entries if voices.ERRORS[entry.label][3] in wanted["-N"].split(",")]
    if "-s" in wanted:
        since = datetime.strptime(wanted["-s"], "%m%d%H%M%y").astimezone()
        entries = [entry for entry in entries if entry.at >= since]
    return Said(voices.errpt(entries)) if entries or not args else Said()


def _systemctl(partition: Machine, args: Tuple[str, ...]) -> Said:
    """`systemctl show ctrmc.service`; that an SRC daemon's unit tells its end this way is inferred."""
    row = partition.subsystems["ctrmc"]
    active = row.state is State.ACTIVE
    crashed = not active and partition.ended_by_crash
    words = {
        "Id": "ctrmc.service",
        "LoadState": "loaded",
        "ActiveState": "active" if active else "failed" if crashed else "inactive",
        "SubState": "running" if active else "failed" if crashed else "dead",
        "UnitFileState": "enabled" if partition.at_boot else "disabled",
        "Result": "signal" if crashed else "success",
        "ExecMainStatus": "9" if crashed else "0",
        "MainPID": str(row.pid or 0),
    }
    if args[:1] == ("is-enabled",):
        return Said(words["UnitFileState"] + "\n", "", 0 if partition.at_boot else 1)
    if args[:1] == ("is-active",):
        return Said(words["ActiveState"] + "\n", "", 0 if active else 3)
    asked = ",".join(arg.split("=")[-1] for arg in args if "," in arg or arg.split("=")[-1] in words).split(",")
    return Said(voices.systemctl_show({key: words[key] for key in words if key in asked} or words))


def _ioscli(partition: Machine, args: Tuple[str, ...]) -> Said:
    if args[:1] == ("lspv",):
        return READERS["lspv"](partition, args[1:])
    if args[:1] == ("ioslevel",):
        return Said("4.1.0.10\n")
    # [inferred: what `cluster -list` says outside a cluster was never captured]
    short = "-fmt" in args
    return Said((f"{partition.ssp}\n" if short else f"CLUSTER_NAME:    {partition.ssp}\n") if partition.ssp else "")


def _lsattr(partition: Machine, args: Tuple[str, ...]) -> Said:
    if partition.caa and "cluster0" in args:
        return Said("clvdisk   00000000-0000-0000-0000-000000000000 Cluster repository disk identifier True\n"
                    "node_uuid 1602a950-e651-11e1-84be-00145e76c700 OS image identifier                True\n")
    return Said("", f"lsattr: 0514-519 The following device was not found in the customized\n\tdevice configuration database:\n"
                    f"\t{args[-1] if args else ''}\n", 1)


def _lsitab(partition: Machine, args: Tuple[str, ...]) -> Said:
    """The entry's exact text was never captured."""
    known = partition.at_boot and args[-1:] == ("ctrmc",)
    return Said("ctrmc:2:once:/usr/bin/startsrc -s ctrmc > /dev/console 2>&1\n") if known else Said("", "", 1)


def _uname(partition: Machine, args: Tuple[str, ...]) -> Said:
    words = {"-M": "IBM,9009-42A", "-m": "00F939E24C00", "-n": "aix1", "-r": "3", "-v": "7"}
    system = "Linux" if partition.platform is Platform.LINUX else "AIX"
    return Said(f"{words.get(args[0], system) if args else system}\n")


def _ctsthl(partition: Machine, args: Tuple[str, ...]) -> Said:
    """[no capture was found; the shape follows the command's documentation]"""
    entries = "".join(f"Host Identity:                 {host}\nIdentifier Generation Method:  rsa1024\nIdentifier Value:\n"
                      f"120200c5{partition.node_id}0103\n{'-' * 20}\n" for host in ("192.0.2.10", "aix1"))
    return Said(f"{'-' * 20}\n{entries}")


def _conditions(word: str) -> Callable[[Machine, Tuple[str, ...]], Said]:
    """`lscondition -C` and `lsresponse -C` [no capture was found]: the commands that would make them again."""
    def say(partition: Machine, args: Tuple[str, ...]) -> Said:
        return Said("".join(f'mk{word} "{name}"\n' for name in partition.conditions))
    return say


READERS: Mapping[str, Callable[[Machine, Tuple[str, ...]], Said]] = {
    "lssrc": _lssrc,
    "rmcdomainstatus": lambda partition, args: _status(partition.status()),
    "lsrsrc": _lsrsrc,
    "lsrpdomain": lambda partition, args: Said(voices.lsrpdomain(partition.peer_domains())),
    "ct_clusterinfo": lambda partition, args: Said(f"{partition.cluster_name or 'IW'}\n"),
    "lscluster": lambda partition, args: voices.lscluster_m(partition.caa_name if partition.caa == "active" else ""),
    "lspv": lambda partition, args: Said(voices.lspv(partition.caa_disk, partition.caa == "active")),
    "odmget": lambda partition, args: voices.odm_hacmpcluster(partition.powerha_name),
    "errpt": _errpt,
    "errlogger": lambda partition, args: Said(),
    "systemctl": _systemctl,
    "ioscli": _ioscli,
    "lsattr": _lsattr,
    "lsitab": _lsitab,
    "lsnodeid": lambda partition, args: Said(f"{partition.node_id}\n"),
    "ctsthl": _ctsthl,
    "ctsvhbal": lambda partition, args: Said("ctsvhbal: The Host Based Authentication (HBA) mechanism identities for\n"
                                             "the local system are:\n\n                Identity:   192.0.2.10\n\n"),
    "lscondition": _conditions("condition"),
    "lsresponse": _conditions("response"),
    "lsivm": lambda partition, args: Said("", "lsivm: no connection\n", 1) if partition.lparmgr_stuck else Said("1\n"),
    "clmgr": lambda partition, args: Said(f'NAME="{partition.powerha_name}"\n') if partition.powerha_name else Said("", "", 1),
    "uname": _uname,
    "oslevel": lambda partition, args: Said("7300-02-01-2346\n" if "-s" in args else "7.3.0.0\n"),
}
