"""What a simulated partition is made of, and the tables: what is on file, how long things take. Nothing here moves."""
from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Optional, Protocol

from rmcagent.model import Platform, State, Subsystem

FOREVER = float("inf")
HEAD = 256                               # bytes by which a log is known again
LOG = "IBM.MgmtDomainRM.default"
# Seconds, as an administrator's watch has them; `pace` scales all.
STOPPING, STARTING, MANAGERS, RECONNECT, RECFGCT, RECONNECT_NEW = 8.0, 2.0, 5.0, 30.0, 20.0, 60.0
LPARMGR, APSOCK = 3.0, 4.0               # `lparmgr all start`, and from its end until the socket is there
LPARMGR_RUNS = ("accessprocess", "lparmgr")
READING = {"lsrsrc": 0.08, "rmcdomainstatus": 0.05, "lsrpdomain": 0.3, "lspv": 0.2, "ioscli": 1.0, "lscluster": 0.3}

RMC_FIRST = "ctrmc:rsct:+ IBM.HostRM:rsct_rm:+ IBM.DRM:rsct_rm:+ IBM.MgmtDomainRM:rsct_rm:+ IBM.ServiceRM:rsct_rm:+ "
RMC_THEN = "ctcas:rsct: IBM.ERRM:rsct_rm: IBM.AuditRM:rsct_rm: IBM.SensorRM:rsct_rm: IBM.ConfigRM:rsct_rm: "
AIX_ROWS = ("syslogd:ras:+ inetd:tcpip:+ sshd:ssh:+ clcomd:caa:+ pfcdaemon::+ " + RMC_FIRST + RMC_THEN +
            "IBM.LPRM:rsct_rm: cthats:cthats: cthags:cthags: cthagsglsm:cthags: clconfd:caa: lpd:spooler: gsclvmd::")
ROWS = {Platform.AIX: AIX_ROWS, Platform.VIOS: AIX_ROWS + " vio_daemon:ssp:+", Platform.LINUX: RMC_FIRST + RMC_THEN}
AUTOSTART = ("IBM.HostRM", "IBM.DRM", "IBM.MgmtDomainRM", "IBM.ServiceRM")

EVERYWHERE = ("lssrc lsrsrc rmcctrl rmcdomainstatus rmcrefreshMD refrsrc recfgct ct_clusterinfo lsrpdomain lsnodeid ctsthl "
              "ctsvhbal lscondition lsresponse startsrc uname")
COMMANDS = {
    Platform.AIX: f"{EVERYWHERE} lscluster lspv odmget errpt errlogger oslevel lsattr lsitab clmgr".split(),
    Platform.VIOS: f"{EVERYWHERE} lscluster lspv odmget errpt errlogger oslevel lsattr lsitab clmgr ioscli lsivm lparmgr".split(),
    Platform.LINUX: f"{EVERYWHERE} systemctl".split(),
}
NEEDS_RMC = ("lsrsrc", "refrsrc", "rmcrefreshMD", "rmcdomainstatus", "lsrpdomain", "lscondition", "lsresponse")
# [inferred: that asking starts a manager is known of RMC in general; that lsrpdomain starts this one is not]
WAKES = {"lsrpdomain": "IBM.ConfigRM", "lscondition": "IBM.ERRM", "lsresponse": "IBM.ERRM"}
# What mends a stuck session, gentlest first; each mends what a gentler one does.
MENDERS = ("refresh", "recycle", "recfgct")


@dataclass
class SimSubsystem:
    name: str
    group: str
    state: State = State.INOPERATIVE
    pid: Optional[int] = None

    def row(self) -> Subsystem:
        return Subsystem(self.name, self.state, self.group, self.pid)


@dataclass
class SimHmc:
    """An HMC, and this partition's session with it."""

    address: str
    name: str
    node_id: int
    reachable: bool = True                # its port answers
    up: bool = True                       # its RMC works
    known: bool = True                    # there is an IBM.MCP resource of it here
    connected: bool = True
    suspended: bool = False               # small packets pass, large ones do not
    stuck: Optional[str] = None           # what mends the session; "never": nothing here
    delay: float = RECONNECT
    waiting: Optional[object] = None      # the appointment at which it will connect


@dataclass
class Reply:
    """What a command says, once `seconds` are over: a changing command's words stand here only then."""

    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0
    seconds: float = 0.01
    missing: bool = False
    stubborn: bool = False                # ignores SIGTERM
    forks: bool = False                   # leaves a child that hangs too


@dataclass
class Trick:
    """What is wrong with a command, or with those of its calls that begin with certain words."""

    kind: str                             # hang | garble | cut | localise | empty | remove | fail
    text: str = ""
    exit_code: int = 0
    stubborn: bool = False
    forks: bool = False


class Pids(Protocol):
    """Where the subsystems' processes come from."""

    def start(self, name: str) -> int:
        """Start the process of a subsystem; its pid."""

    def end(self, pid: int) -> None:
        """End it, if it has not ended by itself."""


class SimPids:
    """Numbers only: even and rising, as AIX gives them."""

    def __init__(self, numbers: random.Random) -> None:
        self._last = numbers.randrange(1 << 21, 1 << 22) * 2
        self._numbers = numbers

    def start(self, name: str) -> int:
        self._last += 2 * self._numbers.randrange(1, 1 << 15)
        return self._last

    def end(self, pid: int) -> None:
        """A number ends by being forgotten."""


@dataclass
class SimLog:
    """A log file; of a long one only its head and its end are kept, and a reader far behind is given the end."""

    inode: int
    dropped: int = 0
    data: bytearray = field(default_factory=bytearray)
    head: bytes = b""

    @property
    def size(self) -> int:
        return self.dropped + len(self.data)

    def append(self, text: bytes, keep: int = 4 << 20) -> None:
        self.head += text[:HEAD - len(self.head)]
        self.data += text
        surplus = len(self.data) - keep
        if surplus > keep:
            del self.data[:surplus]
            self.dropped += surplus

    def read(self, offset: int, limit: int) -> bytes:
        if offset + limit <= len(self.head):
            return self.head[offset:offset + limit]
        start = max(0, offset - self.dropped)
        return bytes(self.data[start:start + limit])
