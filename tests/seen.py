"""Values for the mind's tests: what a plain partition of each platform shows, what is remembered, what a guard is asked."""
from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from rmcagent import config
from rmcagent.config import Settings
from rmcagent.model import (
    Attempt,
    BusyFacts,
    ClusterFacts,
    ControlPoint,
    DomainStatus,
    Episode,
    Fact,
    Fault,
    Finding,
    History,
    Hmc,
    How,
    KnownHmc,
    Link,
    LogGrowth,
    ManagementServer,
    Outcome,
    Platform,
    Remedy,
    Side,
    Sighting,
    Snapshot,
    Space,
    State,
    Subsystem,
    Vitals,
)
from rmcagent.reason.diagnose import diagnose
from rmcagent.reason.guards import Case

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=timezone.utc)         # a Monday
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HMC1, HMC2 = "192.0.2.21", "192.0.2.22"
PLATFORMS = (Platform.AIX, Platform.LINUX, Platform.VIOS)
RMC = ("healthy", "down", "hung")
ALL_MANAGERS = ("IBM.DRM", "IBM.MgmtDomainRM", "IBM.HostRM", "IBM.ServiceRM")
FAULT_OF = {"healthy": Fault.LINK_DOWN, "down": Fault.RMC_DOWN, "hung": Fault.RMC_HUNG}


def policy(text: str = "") -> Settings:
    return config.parse(text).settings


DEFAULTS = config.defaults()
# recfgct may treat a link that is down, too: so every link fault can come to each remedy.
ANYTHING = policy("remedies: {recfgct: {treats: [link-down, link-pending, no-hmc, identity-clash, cloned-node]}}")


# Facts.

def told(value: Any, at: datetime = NOON) -> Fact[Any]:
    return Fact(How.SEEN, value, source="told", at=at)


def gap(because: str = "timed out after 20 s", timed_out: bool = True) -> Fact[Any]:
    return Fact(How.GAP, because=because, source="asked", at=NOON, timed_out=timed_out)


def missing() -> Fact[Any]:
    return Fact(How.MISSING, because="it is not installed", source="asked", at=NOON)


def unasked() -> Fact[Any]:
    return Fact(How.UNASKED)


def inapplicable() -> Fact[Any]:
    return Fact(How.INAPPLICABLE)


# Snapshots.

def rows(platform: Platform = Platform.AIX, **states: State) -> Mapping[str, Subsystem]:
    """lssrc -a of a plain partition; an underscore stands for the dot in a name."""
    found = {name: State.ACTIVE for name in ("ctrmc", *ALL_MANAGERS)}
    found.update({"IBM.ConfigRM": State.ACTIVE, "IBM.ERRM": State.INOPERATIVE, "ctcas": State.INOPERATIVE})
    if platform is not Platform.LINUX:
        found.update(
            {"clcomd": State.ACTIVE, "cthags": State.INOPERATIVE, "cthats": State.INOPERATIVE, "clconfd": State.INOPERATIVE}
        )
    if platform is Platform.VIOS:
        found["vio_daemon"] = State.ACTIVE
    found.update({name.replace("IBM_", "IBM."): state for name, state in states.items()})
    return {name: Subsystem(name, state, "rsct", 4000 + number if state is State.ACTIVE else None)
            for number, (name, state) in enumerate(found.items())}


def point(link: Link, address: str = HMC1) -> ControlPoint:
    return ControlPoint(node_id(address), address, link)


def node_id(address: str) -> str:
    return f"{int(address.rpartition('.')[2]):016x}"


def server(address: str = HMC1, domain: str = "") -> ManagementServer:
    return ManagementServer(address, "7063CR1*1300001", node_id(address), (address,), domain)


def no_cluster(platform: Platform) -> ClusterFacts:
    """What the cluster's probes say on a partition that is in none."""
    on_aix = platform is not Platform.LINUX
    return ClusterFacts(
        ct_cluster=told("IW"),
        peer_domains=told(()),
        caa=told("") if on_aix else missing(),
        caavg=told("") if on_aix else missing(),
        powerha=inapplicable(),
        powerha_odm=told("") if on_aix else missing(),
        ssp=told("") if platform is Platform.VIOS else missing(),
    )


def plain(platform: Platform = Platform.AIX, rmc: str = "healthy", link: Link = Link.DOWN, **changes: Any) -> Snapshot:
    """A fresh look at a partition in no cluster, its one HMC answering on its port; `changes` replace fields."""
    hmc = Hmc(HMC1, "7063CR1*1300001", node_id(HMC1), link, True if link is not Link.UP else None)
    seen = Snapshot(
        taken_at=NOON,
        platform=platform,
        subsystems=told(rows(platform)),
        lssrc_took=0.1,
        expected={name: "required" for name in ("ctrmc", "IBM.DRM", "IBM.MgmtDomainRM")},
        status=told(DomainStatus((point(link),))),
        mcp=told((server(),)),
        servers=inapplicable(),
        in_band=inapplicable(),
        hmcs=(hmc,),
        ctrmc_alive=True,
        cluster=no_cluster(platform),
        busy=BusyFacts(told(""), told(("init", "sshd"))),
        logs=told(LogGrowth()),
        var=told(Space("/var", 1000, 500)),
        vitals=Vitals("boot-1", "machine-1", 10 * DAY, may_act=True),
        local_time=datetime(2026, 5, 4, 14, 0),
        fresh=True,
    )
    return replace(RMC_STATES[rmc](seen), **changes)


def _down(seen: Snapshot) -> Snapshot:
    seen = with_state(seen, "ctrmc", State.INOPERATIVE)
    for manager in (*ALL_MANAGERS, "IBM.ConfigRM"):
        seen = with_state(seen, manager, State.INOPERATIVE)
    return replace(
        seen,
        ctrmc_alive=None,
        status=unasked(),
        mcp=unasked(),
        servers=unasked(),
        hmcs=tuple(replace(hmc, link=Link.UNKNOWN) for hmc in seen.hmcs),
        cluster=replace(seen.cluster, peer_domains=unasked()),
    )


def _hung(seen: Snapshot) -> Snapshot:
    return replace(
        seen, status=gap(), mcp=gap(), servers=gap(), hmcs=tuple(replace(hmc, link=Link.UNKNOWN) for hmc in seen.hmcs),
        cluster=replace(seen.cluster, peer_domains=gap()),
    )


RMC_STATES: Mapping[str, Callable[[Snapshot], Snapshot]] = {"healthy": lambda seen: seen, "down": _down, "hung": _hung}


def with_state(seen: Snapshot, name: str, state: Optional[State]) -> Snapshot:
    """The row of a subsystem in that state; None takes the row away."""
    found = dict(seen.subsystems.value or {})
    found.pop(name, None)
    if state is not None:
        found[name] = Subsystem(name, state, "", 7777 if state is State.ACTIVE else None)
    return replace(seen, subsystems=replace(seen.subsystems, value=found))


def with_hmcs(seen: Snapshot, *hmcs: Hmc) -> Snapshot:
    """These HMCs, as control points and joined."""
    points = tuple(ControlPoint(hmc.node_id, hmc.address, hmc.link) for hmc in hmcs)
    return replace(seen, hmcs=hmcs, status=told(DomainStatus(points)))


def hmc(link: Link, address: str = HMC1, reachable: Optional[bool] = True) -> Hmc:
    return Hmc(address, "7063CR1*1300001", node_id(address), link, reachable)


def fact_of(seen: Snapshot, where: str) -> Fact[Any]:
    """`where` is status, cluster.caa, busy.migration ..."""
    holder, _, name = where.rpartition(".")
    return getattr(getattr(seen, holder) if holder else seen, name)      # type: ignore[no-any-return]


def with_fact(seen: Snapshot, where: str, fact: Fact[Any]) -> Snapshot:
    holder, _, name = where.rpartition(".")
    changes: Dict[str, Any] = {holder or name: replace(getattr(seen, holder), **{name: fact}) if holder else fact}
    return replace(seen, **changes)


def older(seen: Snapshot, where: str, age: timedelta) -> Snapshot:
    """The same answer, that much older."""
    return with_fact(seen, where, replace(fact_of(seen, where), at=NOON - age))


# What is wrong, and what is remembered.

def finding(
    fault: Fault = Fault.LINK_DOWN, subject: str = "", side: Side = Side.HERE, crash: Optional[bool] = True, **more: Any
) -> Finding:
    return Finding(fault, side, f"{fault.value} is seen", ("lssrc-a",), subject, NOON - 2 * HOUR,
                   caused_by_crash=crash if fault is Fault.RMC_DOWN else None, **more)


def attempt(
    remedy: Remedy,
    ago: timedelta = HOUR,
    outcome: Optional[Outcome] = Outcome.UNCHANGED,
    fault: Fault = Fault.LINK_DOWN,
    **more: Any,
) -> Attempt:
    """One that began `ago`, and whose last step ended a minute later."""
    changes = {"id": 1, "subject": "", "episode": "E-1", "boot": "boot-1", "ended_at": NOON - ago + MINUTE, **more}
    return Attempt(remedy=remedy, fault=fault, begun_at=NOON - ago, outcome=outcome, **changes)


def sighted(*found: Finding, since: timedelta = 2 * HOUR) -> Mapping[str, Sighting]:
    return {one.key: Sighting(one.key, NOON - since) for one in found}


def history(*attempts: Attempt, found: Tuple[Finding, ...] = (), since: timedelta = 2 * HOUR, **changes: Any) -> History:
    """An agent and a partition up for days, in episode E-1, with an HMC that has answered for hours, and a splay that is over."""
    facts = {"booted_at": NOON - 10 * DAY, "sightings": sighted(*found, since=since), "episode": Episode("E-1", NOON - 3 * HOUR),
             "known": (KnownHmc(HMC1),), "answering_since": {HMC1: NOON - 5 * HOUR}, "last_up": {HMC1: NOON - 5 * HOUR},
        "splay_from": NOON - HOUR, **changes}
    return History(started_at=NOON - 9 * DAY, attempts=attempts, **facts)


def case(
    remedy: Remedy = Remedy.RECYCLE,
    found: Optional[Finding] = None,
    seen: Optional[Snapshot] = None,
    past: Optional[History] = None,
    settings: Settings = ANYTHING,
    now: datetime = NOON,
) -> Case:
    """Nothing holds it: recfgct comes after a recycle that changed nothing."""
    found = found or finding()
    done = (attempt(Remedy.RECYCLE),) if remedy is Remedy.RECFGCT else ()
    return Case(remedy, found, seen or plain(), past or history(*done, found=(found,)), settings, now)


# What a look comes to.

# Nothing names an HMC.
EMPTY: Any = {"hmcs": (), "status": told(DomainStatus()), "mcp": told(()), "servers": told(())}


def found(seen: Snapshot, settings: Any = DEFAULTS, **past: Any) -> Tuple[Finding, ...]:
    return diagnose(seen, history(**past), settings)


def faults(seen: Snapshot, settings: Any = DEFAULTS, **past: Any) -> Tuple[Fault, ...]:
    return tuple(one.fault for one in found(seen, settings, **past))


def only(seen: Snapshot, settings: Any = DEFAULTS, **past: Any) -> Finding:
    (one,) = found(seen, settings, **past)
    return one
