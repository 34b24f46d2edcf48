"""The nouns: what a partition shows, what is wrong with it, what was tried. Frozen; imports nothing of ours.

Every `datetime` here is aware, UTC, and on the agent's steady clock (see clock.Steady): wall time as it was
when this boot was first seen, moved on by the monotonic clock only.
"""
from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import Callable, Generic, Mapping, Optional, Tuple, TypeVar

from rmcagent.frozen import dataclass, field

T = TypeVar("T")


class Platform(str, Enum):
    AIX = "aix"
    VIOS = "vios"
    LINUX = "linux"


class State(str, Enum):
    """A subsystem's state in SRC; UNKNOWN is every word we were never told the meaning of."""

    ACTIVE = "active"
    INOPERATIVE = "inoperative"
    STARTING = "starting"
    STOPPING = "stopping"
    UNKNOWN = "unknown"


class Link(str, Enum):
    """The first letter of rmcdomainstatus: I, O, i, X, Z."""

    UP = "up"
    DOWN = "down"
    PENDING = "pending"
    SUSPENDED = "suspended"
    FLAPPING = "flapping"
    UNKNOWN = "unknown"


class Side(str, Enum):
    """Whose the cause is."""

    HERE = "here"
    OPERATOR = "operator"
    NETWORK = "network"
    HMC = "hmc"
    IDENTITY = "identity"
    CONFIG = "config"
    EVIDENCE = "evidence"


class Fault(str, Enum):
    VAR_FULL = "var-full"
    RMC_DOWN = "rmc-down"
    RMC_STOPPED = "rmc-stopped"
    RMC_HUNG = "rmc-hung"
    MANAGER_DOWN = "manager-down"
    REMOTE_DISABLED = "remote-disabled"
    IDENTITY_CLASH = "identity-clash"
    CLONED_NODE = "cloned-node"
    NO_HMC = "no-hmc"
    LINK_PENDING = "link-pending"
    LINK_DOWN = "link-down"
    LINK_FLAPPING = "link-flapping"
    LINK_BLOCKED = "link-blocked"
    HMC_UNREACHABLE = "hmc-unreachable"
    HMC_SIDE = "hmc-side"
    LOG_STORM = "log-storm"
    LPARMGR_STUCK = "lparmgr-stuck"
    LINK_PARTIAL = "link-partial"
    STALE_HMC = "stale-hmc"
    NOT_AT_BOOT = "not-at-boot"


class Remedy(str, Enum):
    """Gentlest first."""

    REFRESH = "refresh"
    START = "start"
    MANAGER = "manager"
    LPARMGR = "lparmgr"
    RECYCLE = "recycle"
    RECFGCT = "recfgct"


class Outcome(str, Enum):
    HEALED = "healed"
    UNCHANGED = "unchanged"
    UNKNOWN = "unknown"
    INTERRUPTED = "interrupted"


class Kind(str, Enum):
    """What was decided about one finding."""

    REST = "rest"
    WAIT = "wait"
    APPLY = "apply"
    JUDGE = "judge"
    REFUSE = "refuse"
    ESCALATE = "escalate"


class How(str, Enum):
    """How a question ended."""

    SEEN = "seen"          # answered and understood
    MISSING = "missing"    # its command is not installed here: an answer
    INAPPLICABLE = "inapplicable"   # cannot be here (no such row, another platform): an answer
    UNASKED = "unasked"    # deliberately not asked this time: not a gap
    GAP = "gap"            # timed out, cut, or unreadable: could not tell


@dataclass(frozen=True)
class Gap:
    """Something that could not be told; never a fault, never a reason to act."""

    about: str
    because: str


@dataclass(frozen=True)
class Answer:
    """What one command said. `id` is its file name in a bundle (`lsrsrc-IBM.MCP`); `ended_at` is monotonic seconds."""

    id: str
    exit_code: Optional[int] = None       # None: it did not end by itself
    stdout: str = ""
    stderr: str = ""
    timed_out: bool = False
    cut: bool = False                     # more was said than we keep
    missing: bool = False                 # no such file where platform.py expects it
    ended_at: float = 0.0
    took: float = 0.0


@dataclass(frozen=True)
class Fact(Generic[T]):
    """One question's end: `value` is set when SEEN only; `because` quotes the evidence, or says why there is none."""

    how: How = How.UNASKED
    value: Optional[T] = None
    because: str = ""
    source: str = ""                      # the Answer's id
    at: Optional[datetime] = None         # when the answer ended
    timed_out: bool = False

    @property
    def seen(self) -> bool:
        return self.how is How.SEEN


@dataclass(frozen=True)
class Subsystem:
    """A row of lssrc; `group` and `pid` may be absent from it."""

    name: str
    state: State
    group: str = ""
    pid: Optional[int] = None


@dataclass(frozen=True)
class ControlPoint:
    """A management control point's line in rmcdomainstatus; `node_id` is 16 hex digits, lower case."""

    node_id: str
    address: str
    link: Link
    queued: bool = False                  # R or r: messages wait


@dataclass(frozen=True)
class DomainStatus:
    """rmcdomainstatus -s ctrmc; peers and managed nodes are not HMCs."""

    control_points: Tuple[ControlPoint, ...] = ()
    peers: Tuple[str, ...] = ()
    managed: Tuple[str, ...] = ()


@dataclass(frozen=True)
class ManagementServer:
    """A resource of IBM.MCP or IBM.ManagementServer; its RMCKey is never kept."""

    address: str
    name: str = ""                        # MTM*serial
    node_id: str = ""                     # 16 hex digits; "" in IBM.ManagementServer
    addresses: Tuple[str, ...] = ()       # every address it is known by
    active_peer_domain: str = ""


@dataclass(frozen=True)
class PeerDomain:
    name: str
    state: str                            # OpState as printed: Online, Offline, Pending online ...


@dataclass(frozen=True)
class Hmc:
    """An HMC as joined from everything that knows it; `reachable` None: not asked, or could not tell."""

    address: str
    name: str = ""
    node_id: str = ""
    link: Link = Link.UNKNOWN
    reachable: Optional[bool] = None
    in_band: bool = False                 # by mcproxy: connected through the hypervisor


@dataclass(frozen=True)
class Space:
    path: str
    size: int
    free: int

    @property
    def used_share(self) -> float:
        return 1.0 - self.free / self.size if self.size else 0.0


@dataclass(frozen=True)
class LogGrowth:
    """What the IBM.MgmtDomainRM logs did; `noisy_bytes` leaves benign lines out and spans `log.storm.within`."""

    bytes_per_second: float = 0.0
    noisy_bytes: int = 0
    messages: Mapping[str, int] = field(default_factory=dict)     # "2613-021": n, over the same span
    inner: Mapping[str, int] = field(default_factory=dict)        # "2613-021/2610-415": n
    side: str = "unknown"                 # here | network | hmc | benign | unknown
    skipped_bytes: int = 0                # grew too fast to be read
    var_full_in: Optional[timedelta] = None
    covers: timedelta = timedelta(0)      # how much of `log.storm.within` has been watched
    noisy_tail: Tuple[Tuple[datetime, int], ...] = ()   # noisy_bytes by when they were seen, oldest first, at most 60

    def noisy_since(self, moment: datetime) -> int:
        """Noisy bytes seen after `moment`; a little from just before it may count, too."""
        return sum(noisy for seen_at, noisy in self.noisy_tail if seen_at > moment)


@dataclass(frozen=True)
class Vitals:
    """The machine under the partition, as cheaply as it can be told; None: could not tell."""

    boot: str = ""                        # changes with every boot
    identity: str = ""                    # of the machine and partition, not of RSCT
    up_for: Optional[timedelta] = None
    may_act: bool = False                 # root, or the owner of the rmcctrl we would run
    in_wpar: bool = False
    on_time: bool = True                  # our own pulse is not late


@dataclass(frozen=True)
class Stop:
    """Why ctrmc is not running: crashed (True), stopped on purpose (False), or not told (None)."""

    crashed: Optional[bool]
    evidence: str


@dataclass(frozen=True)
class ClusterFacts:
    """What section 6's table asks. A fact about an absence is SEEN with an empty value."""

    ct_cluster: Fact[str] = Fact()                        # ct_clusterinfo -c
    peer_domains: Fact[Tuple[PeerDomain, ...]] = Fact()   # lsrpdomain; () is none
    caa: Fact[str] = Fact()                               # lscluster -m: "" or the telling line
    caavg: Fact[str] = Fact()                             # lspv: "" or the disk that holds caavg_private
    powerha: Fact[str] = Fact()                           # lssrc -ls clstrmgrES: its state; INAPPLICABLE without the row
    powerha_odm: Fact[str] = Fact()                       # HACMPcluster: "" or the cluster's name
    ssp: Fact[str] = Fact()                               # ioscli cluster -list: "" or the name


@dataclass(frozen=True)
class StandingFacts:
    """What seldom changes: who this node says it is, whether RMC starts at boot, the VIOS's own link to it."""

    node_file: Fact[str] = Fact()         # /etc/ct_node_id: 16 hex digits
    node_copy: Fact[str] = Fact()         # the copy beside the configuration in var_ct
    node_command: Fact[str] = Fact()      # lsnodeid
    cluster0: Fact[str] = Fact()          # "" or the node_uuid that CAA's device holds
    at_boot: Fact[str] = Fact()           # "" or what tells that RMC does not start at boot
    lparmgr: Fact[str] = Fact()           # VIOS: "" or what tells that it is stuck


@dataclass(frozen=True)
class BusyFacts:
    """What else is under way; asked only between decision and deed."""

    migration: Fact[str] = Fact()         # "" or the telling line
    processes: Fact[Tuple[str, ...]] = Fact()   # names of what root runs; for rmcctrl, installp, clmgr ... we wait
    pids: Mapping[str, Tuple[int, ...]] = field(default_factory=dict)   # of those names, where they are told

    def named(self, name: str) -> str:
        """The name with the first of its processes."""
        pids = self.pids.get(name, ())
        more = f" and {len(pids) - 3} more" if len(pids) > 3 else ""
        return f"{name} (pid {', '.join(map(str, pids[:3]))}{more})" if pids else name


@dataclass(frozen=True)
class Snapshot:
    """One look. Facts that were not asked this time may be carried from an earlier look: their `at` says so."""

    taken_at: datetime
    platform: Platform
    subsystems: Fact[Mapping[str, Subsystem]] = Fact()
    lssrc_took: float = 0.0               # seconds; a slow lssrc means a loaded partition
    expected: Mapping[str, str] = field(default_factory=dict)     # required | on-demand, of the subsystems on file here
    status: Fact[DomainStatus] = Fact()
    mcp: Fact[Tuple[ManagementServer, ...]] = Fact()
    servers: Fact[Tuple[ManagementServer, ...]] = Fact()
    in_band: Fact[Tuple[str, ...]] = Fact()
    hmcs: Tuple[Hmc, ...] = ()            # joined; known ones that nothing shows any more have link UNKNOWN
    ctrmc_alive: Optional[bool] = None    # its pid, asked of the kernel
    stop: Fact[Stop] = Fact()
    cluster: ClusterFacts = ClusterFacts()
    standing: StandingFacts = StandingFacts()
    remote: Fact[bool] = Fact()           # RMC accepts remote clients here; asked only while no HMC is connected
    busy: BusyFacts = BusyFacts()
    logs: Fact[LogGrowth] = Fact()
    var: Fact[Space] = Fact()
    vitals: Vitals = Vitals()
    local_time: Optional[datetime] = None # naive: what the wall clock of this place shows, for windows
    maintenance: bool = False
    fresh: bool = False                   # gathered between decision and deed: UNASKED no longer excuses
    gaps: Tuple[Gap, ...] = ()

    @property
    def complete(self) -> bool:
        """Everything that diagnosis reads was told, and RMC stands still; a gap about the cluster concerns only the guards."""
        needed = (self.subsystems, self.status, self.mcp)
        standing = (self.standing.node_file, self.standing.node_copy, self.standing.lparmgr)
        told = (self.servers, self.in_band, self.logs, self.var, self.remote, *standing)
        if self.state_of("ctrmc") in (State.STARTING, State.STOPPING):
            return False    # nothing is diagnosed meanwhile, and so nothing is gone
        return self.subsystems.seen and not any(
            [fact.how in (How.GAP, How.MISSING) for fact in needed] + [fact.how is How.GAP for fact in told]
        )

    @property
    def required(self) -> Tuple[str, ...]:
        """Subsystems that should be active, of those on file here."""
        return tuple(name for name, need in self.expected.items() if need == "required")

    def state_of(self, name: str) -> Optional[State]:
        """None: no such row, or lssrc could not tell."""
        row = (self.subsystems.value or {}).get(name)
        return row.state if row else None


@dataclass(frozen=True)
class Finding:
    """A fault that is seen now; `subject` names the one of many (a manager); `since` may lie before this look."""

    fault: Fault
    side: Side
    evidence: str
    sources: Tuple[str, ...] = ()
    subject: str = ""
    since: Optional[datetime] = None
    advice: str = ""                      # what a human does where, for causes that have no remedy here
    caused_by_crash: Optional[bool] = None   # rmc-down only
    grave: bool = True                    # False: worth a warning, not somebody's sleep

    @property
    def key(self) -> str:
        return f"{self.fault.value}:{self.subject}" if self.subject else self.fault.value


@dataclass(frozen=True)
class Sighting:
    """An unbroken run of looks at one finding under one reachability."""

    key: str
    since: datetime                       # grace counts from here
    reachability: str = ""


@dataclass(frozen=True)
class Attempt:
    """A remedy that was begun; an intent is written before the deed."""

    id: int
    remedy: Remedy
    fault: Fault
    subject: str
    episode: str
    begun_at: datetime
    boot: str
    identity: str = ""
    shadow: bool = False
    by: str = "agent"                     # agent | operator | finish
    ended_at: Optional[datetime] = None   # its last step's end
    outcome: Optional[Outcome] = None
    because: str = ""
    failed: str = ""                      # steps that did not exit 0


@dataclass(frozen=True)
class Episode:
    id: str
    opened_at: datetime


@dataclass(frozen=True)
class Pause:
    until: datetime
    reason: str
    by: str = ""


@dataclass(frozen=True)
class KnownHmc:
    """An HMC once seen, by address; it is expected from then on."""

    address: str
    name: str = ""
    node_id: str = ""
    first_seen: Optional[datetime] = None
    last_up: Optional[datetime] = None
    last_answered: Optional[datetime] = None     # its port, while the link was lost


@dataclass(frozen=True)
class History:
    """What the mind may remember, as of now."""

    started_at: datetime
    booted_at: Optional[datetime] = None
    attempts: Tuple[Attempt, ...] = ()
    sightings: Mapping[str, Sighting] = field(default_factory=dict)
    episode: Optional[Episode] = None
    pause: Optional[Pause] = None
    known: Tuple[KnownHmc, ...] = ()
    answering_since: Mapping[str, datetime] = field(default_factory=dict)   # address: its port, the link lost
    last_up: Mapping[str, datetime] = field(default_factory=dict)           # address: its link was last seen up
    link_changes: Mapping[str, int] = field(default_factory=dict)           # address: within the span of faults.flapping
    identity_before: str = ""             # this node id was first seen on another machine or partition, before a boot
    identity_accepted: bool = False       # an HMC has been connected since, and the link did not flap
    splay_from: Optional[datetime] = None  # in this episode nothing but the splay has held a remedy since then
    stopped_by: int = 0                   # the attempt that stopped RMC, while nothing has shown it active since
    late: str = ""                        # a changing command of the deed under way that has not ended in its time
    hung_looks: int = 0
    empty_looks: int = 0                  # looks in a row that showed no HMC anywhere
    caavg_absent_at: Optional[datetime] = None      # lspv last showed no caavg_private, this boot
    domains_allowed_at: Optional[datetime] = None   # lsrpdomain last showed no objection, this boot, no cthags since
    blind_since: Optional[datetime] = None
    spent_at: Optional[datetime] = None   # a ledger was lost then: every budget counts as spent at that moment
    crash_loop: bool = False


@dataclass(frozen=True)
class Refusal:
    """One guard's reason; `lasting`: only the world or a human ends it; else `until` may tell when."""

    guard: str
    because: str
    unblock: str
    lasting: bool = False
    until: Optional[datetime] = None


@dataclass(frozen=True)
class Decision:
    kind: Kind
    because: str
    finding: Optional[Finding] = None
    remedy: Optional[Remedy] = None
    refused_by: Tuple[Refusal, ...] = ()
    unblock: str = ""
    until: Optional[datetime] = None
    attempt: Optional[int] = None         # the one to judge
    shadow: bool = False
    treatable: bool = True                # False: as things are, nothing done here would mend it


@dataclass(frozen=True)
class Step:
    """One command of a remedy. `needed`: its failure ends the rest, but never a step marked `always`."""

    name: str
    argv: Tuple[str, ...]
    timeout: float                        # seconds; past it a changing command is reported and waited for, not killed
    needed: bool = False
    always: bool = False                  # runs whatever failed before it: RMC must end up started
    mends: bool = False                   # runs only when a needed step failed
    tries: int = 1


@dataclass(frozen=True)
class Deed:
    """A remedy spelled out for the hands."""

    attempt: int
    remedy: Remedy
    steps: Tuple[Step, ...]


@dataclass(frozen=True)
class Progress:
    """How far a deed has come, as its helper wrote it down."""

    attempt: int
    alive: bool                           # its helper, or the command it ran, still runs
    done: bool
    steps: Tuple[str, ...] = ()           # names of the steps begun, in order
    failed: Tuple[str, ...] = ()          # "rmcctrl -A: exit 1"
    notes: Mapping[str, str] = field(default_factory=dict)      # node_id before and after, the archive's path
    ended_at: Optional[float] = None      # monotonic seconds


@dataclass(frozen=True)
class ClusterVerdict:
    """What section 6's table comes to; `evidence` has a sentence for each row that spoke."""

    state: str = "unknown"                # absent | present | unknown
    recycle: bool = False
    recfgct: bool = False
    evidence: Tuple[str, ...] = ()


@dataclass(frozen=True)
class View:
    """One look and what was made of it: all that status, plan, why and the metrics may say."""

    verdict: str                          # healthy | degraded | healing | needs-human | paused | blind | unknown
    because: str                          # one sentence
    taken_at: datetime
    snapshot: Optional[Snapshot]
    findings: Tuple[Finding, ...]
    decisions: Tuple[Decision, ...]       # of an open attempt, else the gravest finding's, first; never empty
    history: History
    cluster: Callable[[], ClusterVerdict] = ClusterVerdict      # worked out when asked
    next_look: Optional[datetime] = None
