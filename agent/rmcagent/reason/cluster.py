"""Is this node, or may it be, in a cluster? Section 6's table, row by row, and what it comes to for recycle and recfgct.

What the rows say when rmcd does not run is inferred, never seen on a real partition; each such cell fails closed or has no vote.
"""
from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Callable, Iterator, List, Optional, Sequence, Tuple

from rmcagent.config import Settings, spell
from rmcagent.frozen import dataclass, replace
from rmcagent.model import ClusterVerdict, Fact, Fault, Finding, History, How, Link, Platform, Refusal, Remedy, Snapshot, State

GROUP_SERVICES = ("cthags", "cthats", "grpsvcs", "topsvcs")
ALLOWED_FOR = timedelta(hours=48)       # an earlier lsrpdomain of this boot still vouches for recycle
LSPV_FOR = timedelta(hours=24)          # and an earlier lspv

AT_REST = ("ST_INIT", "NOT_CONFIGURED")


@dataclass(frozen=True)
class Procedure:
    """What an administrator does before and after a remedy by hand; `before` may be only what there is to know."""

    before: str
    after: str


BY_HAND = {
    Remedy.RECYCLE: "recycle RMC by hand (rmcctrl -z, -A, -p)",
    Remedy.RECFGCT: "run recfgct and rmcctrl -p by hand",
}
AT_A_QUIET_HOUR = {Remedy.RECYCLE: "at a quiet hour recycle RMC by hand (as root: rmcctrl -z, -A, -p)",
                   Remedy.RECFGCT: "at a quiet hour run recfgct and rmcctrl -p by hand"}
# clmgr's STOP_CAA and START_CAA are documented of a cluster; that a node takes them as well is [my inference].
CAA = {
    Remedy.RECYCLE: Procedure("at a change window: clmgr offline node NODE WHEN=now MANAGE=move STOP_CAA=yes, which moves this "
                              "node's applications", "clmgr online node NODE START_CAA=yes"),
    Remedy.RECFGCT: Procedure("at a change window, for this stops the applications on all nodes: clmgr offline cluster NAME "
                              "STOP_CAA=yes", "clmgr online cluster NAME START_CAA=yes"),
}
# clmgr is PowerHA's. That CAA's clctrl takes the flags that are documented of the VIOS's clstartstop is [my inference].
CAA_ALONE = {
    Remedy.RECYCLE: Procedure("at a change window: clmgr offline node NODE WHEN=now MANAGE=move STOP_CAA=yes, or without PowerHA "
                              "clctrl -stop -n NAME -m NODE", "clmgr online node NODE START_CAA=yes, or clctrl -start -n NAME -m "
                              "NODE"),
    Remedy.RECFGCT: Procedure("at a change window, for this stops what uses CAA on all nodes: clmgr offline cluster NAME "
                              "STOP_CAA=yes, or without PowerHA clctrl -stop -n NAME -a",
                              "clmgr online cluster NAME START_CAA=yes, or clctrl -start -n NAME -a"),
}
CAA_DOWN = {
    Remedy.RECYCLE: Procedure("CAA is configured here and does not run: make sure that it is down on purpose",
                              CAA[Remedy.RECYCLE].after),
    Remedy.RECFGCT: Procedure("CAA is configured here and does not run: make sure that it is down on purpose on all nodes "
                              "(clmgr offline cluster NAME STOP_CAA=yes)", CAA[Remedy.RECFGCT].after),
}
CAA_ALONE_DOWN = {
    Remedy.RECYCLE: Procedure(CAA_DOWN[Remedy.RECYCLE].before, CAA_ALONE[Remedy.RECYCLE].after),
    Remedy.RECFGCT: Procedure("CAA is configured here and does not run: make sure that it is down on purpose on all nodes "
                              "(clmgr offline cluster NAME STOP_CAA=yes, or clctrl -stop -n NAME -a)",
                              CAA_ALONE[Remedy.RECFGCT].after),
}
CLMGR = (*CAA.values(), *CAA_DOWN.values())
POWERHA_DOWN = Procedure("PowerHA is stopped here and CAA does not run, so nothing needs to be stopped",
                         "start PowerHA where it is wanted")
POOL = Procedure("one VIOS at a time, its clients' paths through the other VIOS sound (lspath there): clstartstop -stop -n NAME "
                 "-m NODE takes this VIOS's paths away", "clstartstop -start -n NAME -m NODE")
POOL_DOWN = Procedure("the pool's cluster is stopped on this VIOS: make sure that this is on purpose", POOL.after)
PEERS = Procedure("at a change window: stoprpdomain NAME, which stops the peer domain on all its nodes", "startrpdomain NAME")
# recfgct gives the node a new identity, which no domain knows [my inference: that it must be prepared and added again].
MEMBER = Procedure("take this node out of the peer domain first: stoprpnode NODE and rmrpnode NODE on another node (rmrpdomain "
                   "NAME if there is none)", "preprpnode here, addrpnode and startrpnode NODE there")
OFFLINE = Procedure("an Offline domain holds only recfgct, not recycle: recfgct deletes its definition. To give that up: "
                    "rmrpdomain -f NAME on each of its nodes", "make the domain anew (preprpnode, mkrpdomain)")
# rmrpdomain and rmrpnode reach through to the CAA cluster that a domain stands for.
UNTOLD = "make lscluster and lspv answer first: where CAA is configured, removing the peer domain removes CAA's cluster"
PLACEHOLDER = "NAME"                    # of the cluster, where nothing told it; its node's is NODE, which no look holds
A_NAME = "[A-Za-z0-9_.-]{1,64}"
ALLOW = "or remedies.recycle.in_cluster: allow (the cluster is at rest here)"
ANSWER = "make the command answer"
PROVE = "make the command answer, or take the node out of its cluster"
NOT_HERE = {remedy: f"no {remedy.value} here before rmcagent plan calls the cluster absent: that could not be told"
            for remedy in BY_HAND}


class Vote(Enum):
    OBJECTS = "objects"
    ABSENT = "absent"       # no objection
    SILENT = "silent"       # no vote
    BLOCKS = "blocks"       # unknown, forbids


@dataclass(frozen=True)
class Ballot:
    vote: Vote
    because: str = ""


def refusals(remedy: Remedy, seen: Snapshot, history: History, settings: Settings, now: datetime) -> Tuple[Refusal, ...]:
    """The cluster's objections to recycle or recfgct, and what is unknown; a refusal a row, what objects comes first.

    Where the policy allows recycle at rest, only what is not at rest stands.
    """
    spoken = _objections(remedy, seen, history, settings, now)
    if spoken and remedy is Remedy.RECYCLE and remedy_allowed_in_cluster(settings):
        return _refused(_at_rest(seen, settings, now), _unblock(remedy, seen, settings, now, itself=True), ANSWER)
    return spoken


def _objections(remedy: Remedy, seen: Snapshot, history: History, settings: Settings, now: datetime) -> Tuple[Refusal, ...]:
    ballots = [ballot for ballot in _ballots(remedy, seen, history, settings, now) if ballot.vote in (Vote.OBJECTS, Vote.BLOCKS)]
    if ballots:
        unblock = _unblock(remedy, seen, settings, now)
        rests = all(ballot.vote is Vote.OBJECTS for ballot in ballots) and not (seen.cluster.caa.value or _services(seen))
        if remedy is Remedy.RECYCLE and rests and not _at_rest(seen, settings, now):
            unblock = f"{unblock}; {ALLOW}"
        return _refused(ballots, unblock, PROVE)
    return tuple(_proven_absent(remedy, seen, history, settings, now)) if seen.fresh else ()


def _refused(ballots: Sequence[Ballot], unblock: str, untold: str) -> Tuple[Refusal, ...]:
    return tuple(Refusal("cluster", ballot.because, unblock if ballot.vote is Vote.OBJECTS else untold, lasting=True)
                 for ballot in sorted(ballots, key=lambda ballot: ballot.vote is Vote.BLOCKS))


def _unblock(remedy: Remedy, seen: Snapshot, settings: Settings, now: datetime, itself: bool = False) -> str:
    """The whole procedure for the kind of cluster there is; `itself`: once it is at rest, the agent recycles."""
    how = _procedure(remedy, seen, settings, now)
    if how is None:
        return UNTOLD
    steps = f"{how.before}; {'the agent then recycles RMC itself' if itself else BY_HAND[remedy]}; then {how.after}"
    name = _name_for(how, seen)
    return steps.replace(PLACEHOLDER, name) if re.fullmatch(A_NAME, name) else steps


def _name_for(how: Procedure, seen: Snapshot) -> str:
    """What the kind of cluster that the procedure is for calls itself; "" where that was not told."""
    facts = seen.cluster
    if how in (POOL, POOL_DOWN):
        return facts.ssp.value or ""
    if how in (PEERS, MEMBER, OFFLINE):
        domains = facts.peer_domains.value or ()
        online = [domain.name for domain in domains if domain.state.lower() != "offline"]
        return (online or [domain.name for domain in domains] or [""])[0]
    return facts.powerha_odm.value or "" if how in CLMGR else ""


def by_hand(remedy: Remedy, seen: Snapshot, history: History, settings: Settings) -> str:
    """How a human does it here: at a quiet hour, or by the whole procedure of the cluster there is; or why not yet."""
    spoken = _objections(remedy, seen, history, settings, seen.taken_at)
    if not spoken and verdict(seen, history, settings, seen.taken_at).state == "absent":
        return AT_A_QUIET_HOUR[remedy]
    objecting = [refusal.unblock for refusal in spoken if refusal.unblock not in (PROVE, UNTOLD)]
    return objecting[0] if objecting else NOT_HERE[remedy]


def _procedure(remedy: Remedy, seen: Snapshot, settings: Settings, now: datetime) -> Optional[Procedure]:
    """None: whether CAA stands behind the peer domain could not be told. A VIOS has clstartstop, and no clmgr."""
    facts, recfgct = seen.cluster, remedy is Remedy.RECFGCT

    def none(fact: Fact[Any]) -> bool:
        return fact.how in (How.MISSING, How.INAPPLICABLE) or (_told(fact, seen, settings, now) and not fact.value)

    domains = facts.peer_domains.value or ()
    down = (none(facts.caa) and _told(seen.subsystems, seen, settings, now) and not _services(seen)
            and not _domains(domains, any_row=False) and (none(facts.powerha) or facts.powerha.value in AT_REST))
    powerha_here = facts.powerha_odm.value or facts.powerha.value not in (None, "", "NOT_CONFIGURED")
    caa_shows = facts.caa.value or facts.caavg.value or _services(seen, ("clconfd",))
    no_caa = none(facts.caa) and none(facts.caavg)
    peers = no_caa and (domains or _services(seen))
    if seen.platform is Platform.VIOS and (facts.ssp.value or caa_shows or powerha_here or not (no_caa and none(facts.ssp))):
        return POOL_DOWN if down else POOL
    alone = none(facts.powerha_odm) and (none(facts.powerha) or facts.powerha.value == "NOT_CONFIGURED")
    if down and facts.caavg.value:
        return CAA_ALONE_DOWN[remedy] if alone else CAA_DOWN[remedy]
    if caa_shows or facts.powerha.value not in (None, "", *AT_REST) or (powerha_here and not (down or peers)):
        return CAA_ALONE[remedy] if alone else CAA[remedy]
    if down and powerha_here and not (recfgct and domains):
        return POWERHA_DOWN
    if not recfgct:
        return PEERS
    if not no_caa:
        return None
    return OFFLINE if down and domains else MEMBER


def connected_hmc(remedy: Remedy, finding: Finding, seen: Snapshot, settings: Settings, now: datetime) -> Tuple[Refusal, ...]:
    """An HMC that is connected now would be cut off; one that cannot be asked about may be connected."""
    unblock = finding.advice or "none needed: the connection works"
    if finding.fault is Fault.LOG_STORM:
        unblock = "treat the cause of the noise; RMC works"
    elif finding.fault is Fault.MANAGER_DOWN:
        unblock = f"see why {finding.subject} does not stay (startsrc -s {finding.subject}); recycle RMC by hand at a quiet hour"
    silent = Vote.SILENT if remedy is Remedy.RECYCLE and finding.fault in (Fault.RMC_DOWN, Fault.RMC_HUNG) else Vote.BLOCKS
    rows = (
        _judge("rmcdomainstatus", _letters_known(seen), lambda status: _up(seen), Vote.BLOCKS, silent, seen, settings, now),
        _judge("lssrc -ls mcproxy", seen.in_band, lambda names: f"{names[0]} is connected in-band" if names else None,
               Vote.ABSENT, Vote.BLOCKS, seen, settings, now),
    )
    return tuple(
        Refusal("hmc-connected", row.because, unblock if row.vote is Vote.OBJECTS else ANSWER, lasting=True)
        for row in rows if row.vote in (Vote.OBJECTS, Vote.BLOCKS)
    )


def verdict(seen: Snapshot, history: History, settings: Settings, now: datetime) -> ClusterVerdict:
    """The table for status: what is known now, however it was learned."""
    evidence: List[str] = []
    state = "unknown"
    allowed = {}
    for remedy in (Remedy.RECYCLE, Remedy.RECFGCT):
        ballots = list(_ballots(remedy, seen, history, settings, now))
        against = [ballot for ballot in ballots if ballot.vote in (Vote.OBJECTS, Vote.BLOCKS)]
        evidence += [ballot.because for ballot in ballots if ballot.because and ballot.because not in evidence]
        unproven = [] if against else _proven_absent(remedy, seen, history, settings, now)
        proofs = () if against or unproven else _proofs(seen, now)
        evidence += [sentence for sentence in (*(refusal.because for refusal in unproven), *proofs) if sentence not in evidence]
        allowed[remedy] = not against and not unproven
        if remedy is Remedy.RECYCLE:
            votes = [ballot.vote for ballot in ballots]
            state = "present" if Vote.OBJECTS in votes else "unknown" if against or unproven else "absent"
    if remedy_allowed_in_cluster(settings) and not _at_rest(seen, settings, now):
        allowed[Remedy.RECYCLE] = True
    if Remedy.RECFGCT in allowed and not (seen.state_of("ctrmc") is State.ACTIVE and seen.status.seen):
        allowed[Remedy.RECFGCT] = False
    return ClusterVerdict(state, allowed[Remedy.RECYCLE], allowed[Remedy.RECFGCT], tuple(evidence))


def remedy_allowed_in_cluster(settings: Settings) -> bool:
    return settings.remedies["recycle"].in_cluster == "allow"


def _ballots(remedy: Remedy, seen: Snapshot, history: History, settings: Settings, now: datetime) -> Iterator[Ballot]:
    facts = seen.cluster
    recfgct = remedy is Remedy.RECFGCT
    on_aix = seen.platform is not Platform.LINUX

    def judge(probe: str, fact: Fact[Any], objects: Callable[[Any], Optional[str]], missing: Vote, unreadable: Vote) -> Ballot:
        return _judge(probe, fact, objects, missing, unreadable, seen, settings, now)

    yield judge("lscluster -m", facts.caa, lambda line: f"CAA is active ({line})" if line else None, Vote.ABSENT, Vote.BLOCKS)
    yield judge("lspv", facts.caavg, lambda disk: f"CAA is configured (caavg_private on {disk})" if disk else None,
                Vote.BLOCKS if on_aix else Vote.ABSENT,
                Vote.SILENT if not recfgct and _recent(history.caavg_absent_at, LSPV_FOR, now) else Vote.BLOCKS)
    yield judge("lssrc -a", seen.subsystems, lambda rows: _services(seen), Vote.BLOCKS, Vote.BLOCKS)
    yield judge("lssrc -ls clstrmgrES", _state_known(facts.powerha), _powerha, Vote.ABSENT, Vote.BLOCKS)
    yield judge("odmget HACMPcluster", facts.powerha_odm, lambda name: f"the PowerHA cluster {name} is defined" if name else None,
                Vote.ABSENT, Vote.BLOCKS)
    yield judge("ct_clusterinfo -c", facts.ct_cluster,
                lambda name: f"this node is in the RSCT cluster {name}" if name not in ("", "IW") else None,
                Vote.SILENT, Vote.SILENT)
    yield judge("lsrpdomain", facts.peer_domains, lambda domains: _domains(domains, any_row=recfgct),
                _no_domains_possible(seen), Vote.BLOCKS if recfgct else Vote.SILENT)
    yield judge("ioscli cluster -list", facts.ssp,
                lambda name: f"this VIOS is in the shared storage pool cluster {name}" if name else None,
                Vote.BLOCKS if seen.platform is Platform.VIOS else Vote.ABSENT, Vote.BLOCKS)
    yield judge("IBM.MCP ActivePeerDomain", seen.mcp, lambda servers: _active_domain(servers), Vote.SILENT, Vote.SILENT)
    yield judge("Peer Domain Status", seen.status,
                lambda status: f"rmcdomainstatus lists the peer {status.peers[0]}" if status.peers else None, Vote.SILENT,
                Vote.SILENT)


def _judge(probe: str, fact: Fact[Any], objects: Callable[[Any], Optional[str]], missing: Vote, unreadable: Vote,
           seen: Snapshot, settings: Settings, now: datetime) -> Ballot:
    if fact.seen:
        if seen.fresh and not _recent(fact.at, settings.guards.evidence, now):
            return Ballot(unreadable, f"{probe}: its answer is older than {spell(settings.guards.evidence)}{_age(fact, now)}")
        objection = objects(fact.value)
        return Ballot(Vote.OBJECTS, f"{objection}{_age(fact, now)}") if objection else Ballot(Vote.ABSENT)
    if fact.how is How.INAPPLICABLE:
        return Ballot(Vote.ABSENT)
    if fact.how is How.MISSING:
        return Ballot(missing, f"{probe}: {fact.because or 'not installed'}" if missing is Vote.BLOCKS else "")
    if fact.how is How.UNASKED and not seen.fresh:
        return Ballot(Vote.SILENT)
    untold = f"{probe} could not tell: {fact.because or 'not asked'}{_age(fact, now)}"
    return Ballot(unreadable, untold if unreadable is Vote.BLOCKS else "")


def _proven_absent(remedy: Remedy, seen: Snapshot, history: History, settings: Settings, now: datetime) -> List[Refusal]:
    """No objection is not enough: something must have said that there is no cluster."""
    facts = seen.cluster
    domains_absent = facts.peer_domains.how is How.MISSING      # a missing one that blocks has spoken before

    def told(fact: Fact[Any]) -> bool:
        return _told(fact, seen, settings, now)

    if remedy is Remedy.RECFGCT:
        if domains_absent or (told(facts.peer_domains) and not facts.peer_domains.value):
            return []
        return [Refusal("cluster", "nothing proves that no peer domain is defined: lsrpdomain did not answer", PROVE,
                        lasting=True)]
    if ((told(facts.ct_cluster) and facts.ct_cluster.value == "IW") or told(facts.peer_domains) or domains_absent
            or _recent(history.domains_allowed_at, ALLOWED_FOR, now)):
        return []
    return [Refusal("cluster", "nothing proves that this node is in no cluster: neither ct_clusterinfo nor lsrpdomain told",
                    PROVE, lasting=True)]


def _told(fact: Fact[Any], seen: Snapshot, settings: Settings, now: datetime) -> bool:
    return fact.seen and (not seen.fresh or _recent(fact.at, settings.guards.evidence, now))


def _proofs(seen: Snapshot, now: datetime) -> Tuple[str, ...]:
    """What says that there is no cluster, and how old it is."""
    name, domains = seen.cluster.ct_cluster, seen.cluster.peer_domains
    return (*([f"ct_clusterinfo -c says IW{_age(name, now)}"] if name.value == "IW" else ()),
            *([f"lsrpdomain lists {'only offline domains' if domains.value else 'none'}{_age(domains, now)}"]
              if domains.seen else ()))


def _at_rest(seen: Snapshot, settings: Settings, now: datetime) -> List[Ballot]:
    """What is not at rest on this node, or not told; `in_cluster: allow` lifts the guard from recycle only where nothing is:
    stopping IBM.ConfigRM under a live Group Services can halt it."""
    facts = seen.cluster
    rows = (
        _judge("lssrc -a", seen.subsystems, lambda _: _services(seen, GROUP_SERVICES), Vote.BLOCKS, Vote.BLOCKS, seen,
               settings, now),
        _judge("lssrc -ls clstrmgrES", facts.powerha, lambda state: None if state in AT_REST else f"PowerHA is in {state}",
               Vote.ABSENT, Vote.BLOCKS, seen, settings, now),
        _judge("lsrpdomain", facts.peer_domains, lambda domains: _domains(domains, any_row=False),
               _no_domains_possible(seen), Vote.BLOCKS, seen, settings, now),
    )
    return [row for row in rows if row.vote in (Vote.OBJECTS, Vote.BLOCKS)]


def _no_domains_possible(seen: Snapshot) -> Vote:
    """What a missing lsrpdomain comes to: without these rows there is nothing that could be a peer domain's."""
    rows_here = not seen.subsystems.seen or any(seen.state_of(name) for name in ("cthags", "IBM.RecoveryRM"))
    return Vote.BLOCKS if rows_here else Vote.ABSENT


def _services(seen: Snapshot, names: Tuple[str, ...] = (*GROUP_SERVICES, "clconfd")) -> Optional[str]:
    busy = [f"{name} is {state.value}" for name in names
            for state in [seen.state_of(name)] if state is not None and state is not State.INOPERATIVE]
    return f"a cluster's services run here: {', '.join(busy)}" if busy else None


def _state_known(fact: Fact[str]) -> Fact[str]:
    """A state of PowerHA's that we were never told of is no answer."""
    if fact.seen and not (_powerha(fact.value or "") or fact.value == "NOT_CONFIGURED"):
        return replace(fact, how=How.GAP, because=f'"{fact.value}" is no state of PowerHA that is known')
    return fact


def _powerha(state: str) -> Optional[str]:
    return f"PowerHA is in {state}" if state.startswith("ST_") or state == "RP_FAILED" else None


def _domains(domains: Tuple[Any, ...], any_row: bool) -> Optional[str]:
    for domain in domains:
        if any_row or domain.state.lower() != "offline":
            return f"the peer domain {domain.name} is {domain.state}"
    return None


def _active_domain(servers: Tuple[Any, ...]) -> Optional[str]:
    names = [server.active_peer_domain for server in servers if server.active_peer_domain]
    return f"IBM.MCP names the active peer domain {names[0]}" if names else None


def _letters_known(seen: Snapshot) -> Fact[Any]:
    """A control point with a letter that we were never told of may be connected."""
    points = seen.status.value.control_points if seen.status.value else ()
    odd = [point.address for point in points if point.link is Link.UNKNOWN]
    if odd and not _up(seen):
        return replace(seen.status, how=How.GAP, because=f"the state of {odd[0]} is no letter that is known")
    return seen.status


def _up(seen: Snapshot) -> Optional[str]:
    points = seen.status.value.control_points if seen.status.value else ()
    for point in points:
        if point.link is Link.UP:
            return f"the HMC {point.address} is connected"
    return None


def _age(fact: Fact[Any], now: datetime) -> str:
    """How old an answer is, as a sentence about it ends; "" where time stands still, as in a bundle."""
    if fact.at is None or fact.at >= now:
        return ""
    seconds = round((now - fact.at).total_seconds())
    ago = f"{seconds}s ago" if seconds < 120 else f"{seconds // 60}m ago" if seconds < 7200 else f"{seconds // 3600}h ago"
    return f", {'told' if fact.seen else 'asked'} {ago if seconds else 'just now'}"


def _recent(moment: Optional[datetime], age: timedelta, now: datetime) -> bool:
    return moment is not None and now - moment <= age
