"""Machine: RSCT's state on one partition, and what follows from what."""
from __future__ import annotations

import random
from datetime import datetime
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from rmcagent.model import ControlPoint, DomainStatus, Link, ManagementServer, PeerDomain, Platform, State
from rmcagent.sim import impossible, voices
from rmcagent.sim.clock import Timekeeper
from rmcagent.sim.partition import commands
from rmcagent.sim.partition.nouns import (
    AUTOSTART,
    COMMANDS,
    LOG,
    LPARMGR_RUNS,
    MANAGERS,
    MENDERS,
    RECONNECT,
    ROWS,
    Pids,
    Reply,
    SimHmc,
    SimLog,
    SimPids,
    SimSubsystem,
    Trick,
)
from rmcagent.sim.voices import LogEntry

STANDALONE, IN_DOMAIN = "IW", "3423108940"
ERRORS_KEPT = 200


class Machine:
    """One partition. Whoever changes it says `changed()` afterwards: sessions follow, and what cannot be is refused."""

    def __init__(self, clock: Timekeeper, platform: Platform = Platform.AIX, hmcs: Sequence[str] = ("192.0.2.21",),
                 seed: int = 1, pace: float = 1.0, pids: Optional[Pids] = None) -> None:
        self.clock = clock
        self.platform = Platform(platform)
        self.pace = pace
        self.random = random.Random(seed)
        self.pids: Pids = pids or SimPids(self.random)
        self.subsystems: Dict[str, SimSubsystem] = {}
        self.hmcs: List[SimHmc] = []
        self.commands: Tuple[str, ...] = tuple(COMMANDS[self.platform])
        self.tricks: Dict[Tuple[str, ...], Trick] = {}
        self.slowness = 1.0                   # a loaded partition answers later
        self.hung = False                     # rmcd runs and answers nobody
        self.remote_enabled = True
        self.wont_start = 0                   # so many starts of ctrmc will not last
        self.sick: Dict[str, str] = {}        # managers that die again, and what mends them
        self.ended_by_crash = False           # ctrmc's last end
        self.at_boot: bool = True
        self.handshaker = "IBM.MgmtDomainRM"  # the manager that answers an HMC
        self.identity_broken = False          # message authentication fails: the handshake never ends
        self.flapping = False                 # another node has our node id
        self.node_id: str = self._new_node_id()
        self.node_id_copy: str = self.node_id           # the one beside the configuration in /var/ct
        self.machine = "system=IBM,9009-42A*7812345 partition=4 uuid=c0ffee00-0000-4000-8000-000000000004"
        self.caa: str = ""                    # or "active", or "stopped"
        self.caa_name: str = ""
        self.caa_disk: str = ""
        self.powerha: str = ""                # the cluster manager's state
        self.powerha_name: str = ""
        self.ssp: str = ""                    # the shared storage pool's cluster
        self.domains: Dict[str, str] = {}     # peer domains: name -> OpState
        self.in_band_hosts: List[str] = []
        self.conditions = ["/var space used", "Page space in rate", "Processor idle time"]
        self.var_size, self.var_free = 4 << 30, 3 << 30
        self.boot, self.booted_at = "boot-1", 0.0
        self.migrating = False
        self.lparmgr_stuck: bool = False      # no socket: it has lost RMC, or was ended
        self.lparmgr_runs: Tuple[str, ...] = LPARMGR_RUNS if self.platform is Platform.VIOS else ()
        self.busy: List[str] = []             # other programs an operator runs: installp, clmgr ...
        self.underway: List[str] = []         # changing commands that have not ended
        self.errlogged: List[str] = []        # what errlogger was given
        self.errors: List[LogEntry] = [LogEntry("ERRLOG_ON", clock.now())]
        self.logs: Dict[str, SimLog] = {}
        self.on_log: Callable[[str, bytes], None] = lambda folder, text: None
        self.on_burst: Callable[[], object] = lambda: None   # of a storm: nothing else has changed
        self.upon: Dict[str, Callable[[], None]] = {}        # what happens the moment a command is asked next
        self.on_change: List[Callable[[], None]] = []        # who is told first, before whoever waits for a command
        self.did: List[Tuple[datetime, str]] = []            # every changing command begun
        self.disasters: List[str] = []
        self.storming = ""                    # of what kind
        self._storm: Optional[object] = None
        for row in ROWS[self.platform].split():
            name, group, active = row.split(":")
            self.put_on_file(name, group)
            if active:
                self.start(name, quietly=True)
        for address in hmcs:
            self.add_hmc(address)
        self.write_log("slots", 6)

    # --- what follows from the state

    def command(self, name: str, args: Sequence[str]) -> Reply:
        """Begin a command: how long it takes and, once that is over, what it says; its effects come by themselves."""
        self.upon.pop(name, lambda: None)()
        return commands.begin(self, name, tuple(args))

    def state(self, name: str) -> Optional[State]:
        """None: not on file."""
        row = self.subsystems.get(name)
        return row.state if row else None

    def active(self, name: str) -> bool:
        return self.state(name) is State.ACTIVE

    @property
    def cluster_name(self) -> str:
        """The RSCT or CAA cluster this node is online in; "" when it stands alone."""
        online = [name for name, state in self.domains.items() if state == "Online"]
        return online[0] if online else self.caa_name if self.caa == "active" else ""

    @property
    def log_folder(self) -> str:
        return f"{IN_DOMAIN if self.cluster_name else STANDALONE}/log/mc"

    def keeps_apart(self, hmc: SimHmc) -> str:
        """Why this HMC cannot have a session now; "" when nothing stands between."""
        reasons = (
            (not self.active("ctrmc"), "ctrmc is not active"), (self.hung, "rmcd hangs"),
            (not self.remote_enabled, "remote clients are disabled"), (not hmc.reachable, "it cannot be reached"),
            (not hmc.up, "its RMC does not work"), (hmc.suspended, "larger packets do not pass"),
            (self.identity_broken, "the handshake fails"), (self.flapping, "two nodes have this node id"),
            (hmc.stuck is not None, "the session is stuck"),
        )
        return next((reason for broken, reason in reasons if broken), "")

    def link(self, hmc: SimHmc) -> Link:
        """The letter rmcdomainstatus shows."""
        if hmc.connected:
            return Link.UP
        if not (self.remote_enabled and hmc.reachable and hmc.up and hmc.stuck is None):
            return Link.DOWN
        return (Link.SUSPENDED if hmc.suspended else Link.FLAPPING if self.flapping else
                Link.PENDING if self.identity_broken else Link.DOWN)

    def status(self) -> DomainStatus:
        points = tuple(ControlPoint(f"{hmc.node_id:016x}", hmc.address, self.link(hmc)) for hmc in self.hmcs if hmc.known)
        online = any(state == "Online" for state in self.domains.values())
        return DomainStatus(points, ("aix2",) if online else ())

    def servers(self) -> Tuple[ManagementServer, ...]:
        online = next((name for name, state in self.domains.items() if state == "Online"), "")
        return tuple(ManagementServer(hmc.address, hmc.name, f"{hmc.node_id:016x}", (hmc.address,), online)
                     for hmc in self.hmcs if hmc.known)

    def peer_domains(self) -> Tuple[PeerDomain, ...]:
        return tuple(PeerDomain(name, state) for name, state in self.domains.items())

    # --- what moves

    def changed(self) -> None:
        """Let the sessions follow from the state; raises Impossible when it is one that cannot be."""
        for hmc in self.hmcs:
            if self.keeps_apart(hmc):
                hmc.connected, hmc.waiting = False, None
            elif not hmc.connected and hmc.waiting is None:
                self._appoint(hmc)
        impossible.check(self)
        for listener in tuple(self.on_change):
            listener()

    def later(self, seconds: float, effect: Callable[[], None]) -> None:
        """Let something happen, unless the partition has booted again by then."""
        boot = self.boot

        def happen() -> None:
            if self.boot == boot:
                effect()
                self.changed()

        self.clock.at(seconds * self.pace, happen)

    def _appoint(self, hmc: SimHmc) -> None:
        appointment = hmc.waiting = object()

        def connect() -> None:
            if hmc.waiting is appointment:
                hmc.waiting = None            # without its manager nobody answers the HMC: the next appointment follows
                if self.active(self.handshaker):
                    hmc.connected = hmc.known = True
                    hmc.delay = RECONNECT

        self.later(hmc.delay, connect)

    def put_on_file(self, name: str, group: str) -> None:
        self.subsystems.setdefault(name, SimSubsystem(name, group))

    def start(self, name: str, quietly: bool = False) -> None:
        """Start a subsystem; ctrmc brings its resource managers."""
        row = self.row(name)
        if row.state in (State.ACTIVE, State.STOPPING):
            return
        row.pid, row.state = self.pids.start(name), State.ACTIVE
        if name == "ctrmc" and not quietly:
            self._rmc_started()
        elif name in self.sick:
            self.later(1.0, lambda: self.crash(name))

    def _rmc_started(self) -> None:
        self.note("RMCD_INFO_0_ST")
        self.sick = {name: mender for name, mender in self.sick.items() if mender != "recycle"}
        self.mend_sessions("recycle")
        if self.wont_start:
            self.wont_start -= 1
            self.later(1.0, lambda: self.crash("ctrmc"))
        managers = [name for name in (*AUTOSTART, "IBM.CSMAgentRM") if name in self.subsystems]
        for number, name in enumerate(managers, 1):
            self.later(MANAGERS * number / len(managers), lambda name=name: self._start_manager(name))  # type: ignore[misc]

    def _start_manager(self, name: str) -> None:
        if self.active("ctrmc"):
            self.start(name)

    def end(self, name: str) -> None:
        """A subsystem's process ends, by whatever cause."""
        row = self.row(name)
        if row.pid is not None:
            self.pids.end(row.pid)
        row.pid, row.state = None, State.INOPERATIVE
        if name == "ctrmc":
            self.hung = False
        if name == "cthags":
            self.domains = {domain: "Offline" for domain in self.domains}

    def row(self, name: str) -> SimSubsystem:
        if name not in self.subsystems:
            raise ValueError(f"cannot find subsystem {name}: it is not on file here")
        return self.subsystems[name]

    def note(self, label: str) -> None:
        """A row in the error log."""
        self.errors = [*self.errors[1 - ERRORS_KEPT:], LogEntry(label, self.clock.now())]

    def mend_sessions(self, mender: str) -> None:
        mended = MENDERS[:MENDERS.index(mender) + 1]
        for hmc in self.hmcs:
            if hmc.stuck in mended:
                hmc.stuck = None

    def take_identity(self) -> None:
        """A new node id everywhere, and nothing known of any HMC: what recfgct does."""
        self.node_id = self.node_id_copy = self._new_node_id()
        self.identity_broken = self.flapping = False
        self.conditions = []
        self.domains = {}
        self.mend_sessions("recfgct")
        for hmc in self.hmcs:
            hmc.known = hmc.connected = False

    def _new_node_id(self) -> str:
        return f"{self.random.getrandbits(64):016x}"

    def crash(self, name: str = "ctrmc") -> None:
        """A subsystem's process dies; SRC says so in the error log."""
        if self.row(name).state is not State.INOPERATIVE:
            self.end(name)
            self.note("SRC_SVKO")
            self.ended_by_crash = self.ended_by_crash or name == "ctrmc"
        self.changed()

    def stop_rmc(self) -> None:
        """ctrmc and every resource manager end, IBM.ConfigRM among them."""
        if self.active("ctrmc") or self.state("ctrmc") is State.STOPPING:
            self.note("RMCD_INFO_1_ST")
        for row in self.rmc_rows():
            self.end(row.name)
        self.ended_by_crash = False

    def rmc_rows(self) -> List[SimSubsystem]:
        return [row for row in self.subsystems.values() if row.name == "ctrmc" or row.group == "rsct_rm"]

    def add_hmc(self, address: str, name: str = "", connected: bool = True) -> None:
        """One more HMC; one that is not connected and cannot be reached is a stale one."""
        number = len(self.hmcs) + 1
        self.hmcs.append(SimHmc(address, name or f"7063CR1*13{number:05d}", self.random.getrandbits(63), reachable=connected,
                                up=connected, connected=connected))
        self.changed()

    def write_log(self, kind: str, count: int) -> None:
        """IBM.MgmtDomainRM writes that many entries, as far as /var has room."""
        address = self.hmcs[0].address if self.hmcs else "192.0.2.99"
        text = voices.log_lines(kind, count, self.clock.now(), address)[:self.var_free]
        self.var_free -= len(text)
        self.logs.setdefault(f"{self.log_folder}/{LOG}", SimLog(self.inode())).append(text)
        self.on_log(self.log_folder, text)

    def inode(self) -> int:
        return 1000 + self.random.getrandbits(20)
