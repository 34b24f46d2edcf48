"""AIX, VIOS, Linux: which one this is, where its commands and files live, what should run there."""
from __future__ import annotations

import sys
from typing import Container, Dict, Mapping, Tuple

from rmcagent.config import Settings
from rmcagent.frozen import dataclass
from rmcagent.model import Platform
from rmcagent.partition.host import Host

RSCT = ("/opt/rsct/bin", "/usr/sbin/rsct/bin")      # the current path first; the old one is a symlink to it
SRC = ("/usr/bin", "/usr/sbin", "/opt/rsct/bin")

# Where each command may stand, first match wins; a folder for all platforms unless named below.
FOLDERS: Mapping[str, Tuple[str, ...]] = {
    "lssrc": SRC, "startsrc": SRC,
    "refrsrc": RSCT, "lsrsrc": RSCT, "rmcctrl": RSCT, "rmcdomainstatus": RSCT, "rmcrefreshMD": RSCT, "ct_clusterinfo": RSCT,
    "lsrpdomain": RSCT, "ctsvhbal": RSCT, "ctsthl": RSCT, "lsnodeid": RSCT, "lscondition": RSCT, "lsresponse": RSCT,
    "recfgct": ("/opt/rsct/install/bin", "/usr/sbin/rsct/install/bin"),
    "clmgr": ("/usr/es/sbin/cluster/utilities",), "lscluster": ("/usr/sbin", "/usr/lib/cluster"),
    "systemctl": ("/usr/bin", "/bin"), "uname": ("/usr/bin", "/bin"),
}
ONLY_AIX: Mapping[str, Tuple[str, ...]] = {
    "lspv": ("/usr/sbin",), "errpt": ("/usr/bin",), "errlogger": ("/usr/bin",), "lsitab": ("/usr/sbin",),
    "oslevel": ("/usr/bin",), "lsattr": ("/usr/sbin",), "odmget": ("/usr/bin",),
}
ONLY_VIOS: Mapping[str, Tuple[str, ...]] = {
    "ioscli": ("/usr/ios/cli",), "lsivm": ("/usr/ios/lpm/bin",), "lparmgr": ("/usr/ios/lpm/sbin",),
}
IOSCLI = "/usr/ios/cli/ioscli"

PATHS: Mapping[str, str] = {
    "var_ct": "/var/ct", "node_id": "/etc/ct_node_id", "var": "/var", "apsock": "/var/adm/lpm/apsock",
    "dr_lock": "/var/lock/dr_config_lock",
}
PATHS_LINUX = {**PATHS, "state": "/var/lib/rmcagent", "public": "/run/rmcagent"}
PATHS_AIX = {**PATHS, "state": "/var/rmcagent", "public": "/var/rmcagent/public"}

# What should run where it is on file [rsct 1.5: seen on nearly every partition, and in IBM's own lists of expected services].
# All else of RSCT's is started on demand, or is optional, and may be inoperative.
PROFILE: Mapping[str, str] = {
    "ctrmc": "required",
    "IBM.DRM": "required",
    "IBM.MgmtDomainRM": "required",
    "IBM.CSMAgentRM": "required",           # made the handshake before IBM.MgmtDomainRM did
}
SUCCESSOR: Mapping[str, str] = {"IBM.CSMAgentRM": "IBM.MgmtDomainRM"}    # what need not run where its successor is on file


@dataclass(frozen=True)
class Place:
    """One platform's places: `commands` says where each is expected, whether or not it is there."""

    platform: Platform
    commands: Mapping[str, str]
    paths: Mapping[str, str]

    def installed(self, host: Host) -> Mapping[str, str]:
        """The commands that are really there."""
        return {name: path for name, path in self.commands.items() if host.exists(path)}


def place(host: Host, settings: Settings) -> Place:
    platform = which(host, settings)
    on_linux = platform is Platform.LINUX
    folders: Dict[str, Tuple[str, ...]] = dict(FOLDERS)
    if not on_linux:
        folders.update(ONLY_AIX)
    if platform is Platform.VIOS:
        folders.update(ONLY_VIOS)
    commands = {name: _first(host, name, places) for name, places in folders.items()}
    return Place(platform, {**commands, **settings.commands}, {**(PATHS_LINUX if on_linux else PATHS_AIX), **settings.paths})


def which(host: Host, settings: Settings) -> Platform:
    if settings.platform != "auto":
        return Platform(settings.platform)
    if not sys.platform.startswith("aix"):
        return Platform.LINUX
    return Platform.VIOS if host.exists(IOSCLI) else Platform.AIX


def expected(on_file: Container[str], policy: Mapping[str, str]) -> Mapping[str, str]:
    """What is expected of each subsystem that anything is said of: required, on-demand or absent-ok, the policy's word last."""
    profile = {name: "on-demand" if SUCCESSOR.get(name, "") in on_file else need for name, need in PROFILE.items()}
    return {**profile, **policy}


def _first(host: Host, name: str, folders: Tuple[str, ...]) -> str:
    paths = [f"{folder}/{name}" for folder in folders]
    return next((path for path in paths if host.exists(path)), paths[0])
