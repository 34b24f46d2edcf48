"""The invariants of what is done: where, on what evidence, how often, and that RMC runs afterwards."""
from __future__ import annotations

from datetime import timedelta
from itertools import takewhile
from operator import attrgetter
from typing import TYPE_CHECKING, Iterator, Mapping, Optional, Tuple

from rmcagent.model import Attempt, Fault, How, Outcome, Platform, Remedy, State
from rmcagent.reason.ladder import LADDER
from rmcagent.sim.moving import plain
from rmcagent.sim.rehearsal.audit.truth import (
    CLUSTER_FACTS,
    CLUSTERS,
    CONNECTED,
    CUTS,
    DANGERS,
    DISRUPTIVE,
    HOLDS,
    IN_VAIN,
    Danger,
)

if TYPE_CHECKING:
    from rmcagent.sim.rehearsal.audit.auditor import Auditor, Begun

STARTED_WITHIN = 360.0          # seconds: a pulse, and a look in which most commands hang
STILL_WRONG = 300.0             # seconds: a look in which most commands hang acts on what its first answers said
# Each command that an agent may begin, and the remedy that it begins or goes on with.
MANAGERS = ("IBM.DRM", "IBM.MgmtDomainRM", "IBM.ServiceRM", "IBM.HostRM", "IBM.CSMAgentRM")
MEANING: Mapping[str, Remedy] = {
    "rmcctrl -z": Remedy.RECYCLE, "recfgct": Remedy.RECFGCT, "rmcctrl -A": Remedy.START,
    "rmcctrl -p": Remedy.REFRESH, "rmcrefreshMD -s ctrmc": Remedy.REFRESH, "refrsrc IBM.MCP": Remedy.REFRESH,
    "lparmgr all start": Remedy.LPARMGR, **{f"startsrc -s {name}": Remedy.MANAGER for name in MANAGERS},
}
NO_RMC = (Fault.RMC_DOWN, Fault.RMC_HUNG)

# What the look that leads to the deed must have answered lately; in the other order the answers are asked for.
PROOF: Mapping[Remedy, Tuple[str, ...]] = {
    Remedy.RECYCLE: ("subsystems", "cluster.caa", "cluster.powerha", "cluster.powerha_odm", "cluster.ssp", "in_band",
                     "busy.migration", "busy.processes"),
    Remedy.RECFGCT: (*CLUSTER_FACTS, "cluster.peer_domains", "status", "in_band", "busy.migration", "busy.processes"),
}
NO_COMMAND = ("cluster.caa", "cluster.powerha_odm", "cluster.peer_domains")     # without it there is nothing it could tell of
IDENTITY = (Fault.IDENTITY_CLASH, Fault.CLONED_NODE)
# What tells of a fault: without that nothing is done about it.
TELLS: Mapping[Fault, Tuple[str, ...]] = {
    Fault.RMC_DOWN: (), Fault.RMC_STOPPED: (), Fault.RMC_HUNG: (), Fault.MANAGER_DOWN: (), Fault.REMOTE_DISABLED: ("remote",),
    Fault.IDENTITY_CLASH: ("standing.node_file",), Fault.CLONED_NODE: ("standing.node_file",), Fault.NO_HMC: ("status", "mcp"),
    Fault.LINK_PENDING: ("status",), Fault.LINK_DOWN: ("status",), Fault.LINK_PARTIAL: ("status",), Fault.LOG_STORM: ("logs",),
    Fault.LPARMGR_STUCK: ("standing.lparmgr",),
}


def _dangers(audit: Auditor, dangers: Tuple[Danger, ...]) -> Iterator[str]:
    for begun in audit.begun:
        for danger in dangers:
            if danger.name in audit.then and danger.forbids(begun.remedy, begun.attempt):
                because = f"{begun.command} was begun though {danger.name}"
                if audit.is_race(danger, begun.seen) or _cannot_be_asked(danger, begun):
                    audit.races.append(f"{audit.now:.0f} {because}")
                else:
                    yield f"{because}, for {audit.now - audit.then[danger.name]:.0f} s"


def _cannot_be_asked(danger: Danger, begun: Begun) -> bool:
    """With RMC down or silent nobody can say whether an HMC is connected; recycle, and it alone, is allowed all the same."""
    return (danger is CONNECTED and begun.remedy is Remedy.RECYCLE and not begun.seen.status.seen
            and begun.attempt is not None and begun.attempt.fault in NO_RMC)


def never_in_a_cluster(audit: Auditor) -> Iterator[str]:
    """No recycle and no recfgct on a node that is in a cluster, nor recfgct where one is only defined."""
    return _dangers(audit, CLUSTERS)


def nobody_is_cut_off(audit: Auditor) -> Iterator[str]:
    """No recycle and no recfgct while an HMC is connected or the partition migrates."""
    return _dangers(audit, CUTS)


def nothing_is_begun_on_hold(audit: Auditor) -> Iterator[str]:
    """Nothing is begun beside an operator's or an installer's work, paused, under maintenance or just after a boot."""
    return _dangers(audit, HOLDS)


def nothing_is_begun_in_vain(audit: Auditor) -> Iterator[str]:
    """No recycle for the link to an HMC that is away or only just back, nor on a full /var; nothing while RMC moves."""
    return _dangers(audit, IN_VAIN)


def nothing_follows_too_soon(audit: Auditor) -> Iterator[str]:
    """A remedy comes again only after its cooldown, and one that disturbs others not while another, cut short, may settle."""
    for begun in audit.begun:
        if begun.remedy is None or begun.attempt is None:
            continue
        for remedy, (number, at) in audit.before.items():
            before = audit.rehearsal.ledger.attempts.get(number)
            if before is None or before.id == begun.attempt.id or before.boot != begun.attempt.boot:
                continue
            policy, passed = audit.rehearsal.settings.remedies[remedy.value], timedelta(seconds=audit.now - at)
            cut_short = before.outcome is Outcome.INTERRUPTED
            if remedy is begun.remedy and not cut_short and passed < policy.cooldown:
                yield f"{remedy.value} was begun {passed} after another, within its cooldown"
            if cut_short and {remedy, begun.remedy} <= DISRUPTIVE and passed < policy.settle:
                yield f"{begun.remedy.value} was begun {passed} after {remedy.value} was, which was cut short"
        audit.before[begun.remedy] = (begun.attempt.id, audit.now)


def recfgct_comes_last(audit: Auditor) -> Iterator[str]:
    """But where the identity is the fault, only after a recycle in this episode, with which RMC was really started anew."""
    for begun in audit.begun:
        if begun.attempt is not None and begun.remedy is Remedy.RECYCLE:
            audit.recycled[begun.attempt.episode] = audit.now
        if begun.attempt is None or begun.remedy is not Remedy.RECFGCT or begun.attempt.fault in IDENTITY:
            continue
        recycled = audit.recycled.get(begun.attempt.episode)
        if recycled is None:
            yield f"recfgct was begun for {begun.attempt.fault.value}, and no recycle before it"
        elif audit.rmc_started_at < recycled:
            yield f"recfgct was begun for {begun.attempt.fault.value}, and the recycle before it never started RMC"


def only_what_the_policy_allows(audit: Auditor) -> Iterator[str]:
    """No command but the ladder's, no remedy that is off or shadowed, or treats what it may not, or outside its window."""
    settings = audit.rehearsal.settings
    for command in audit.commands:
        if command not in MEANING:
            yield f"{command} was begun, which is no command of any remedy"
    for begun in audit.begun:
        if begun.remedy is None:
            continue
        policy = settings.remedies[begun.remedy.value]
        local = plain(audit.rehearsal.clock.now()).astimezone().replace(tzinfo=None)
        if "act" != settings.mode or "act" != policy.mode:
            yield f"{begun.command} was begun, though the mode is {settings.mode}, and {policy.mode} for {begun.remedy.value}"
        if policy.window and not (policy.window.open_at(local) or policy.window.open_at(local - settings.guards.evidence)):
            yield f"{begun.command} was begun outside its window, at {local}"
        if begun.remedy is Remedy.RECFGCT and begun.attempt is not None and begun.attempt.fault.value not in policy.treats:
            yield f"{begun.command} was begun for {begun.attempt.fault.value}"
        for gentler in _before(begun.remedy, begun.attempt) if begun.remedy in DISRUPTIVE else ():
            if settings.remedies[gentler.value].mode == "shadow":
                yield f"{begun.command} was begun, and {gentler.value}, which comes first, is only recorded"


def _before(remedy: Remedy, attempt: Optional[Attempt]) -> Tuple[Remedy, ...]:
    """The gentler remedies for the same fault."""
    return tuple(takewhile(lambda rung: rung is not remedy, LADDER[attempt.fault])) if attempt is not None else ()


def only_on_fresh_evidence(audit: Auditor) -> Iterator[str]:
    """Recycle and recfgct follow a look made for them, whose answers are all there and no older than the policy says; nothing
    follows a look of long ago."""
    cadence = audit.rehearsal.settings.cadence.look.total_seconds()
    for begun in audit.begun:
        old = audit.seconds_since(begun.seen.taken_at)
        if begun.remedy is not None and old > 3 * cadence + audit.rehearsal.settings.timeout.total_seconds() + audit.evidence:
            yield f"{begun.command} was begun on a look of {old:.0f} s ago"
        if begun.remedy not in DISRUPTIVE:
            continue
        names = PROOF[begun.remedy] if begun.remedy else ()
        if begun.remedy is Remedy.RECYCLE and begun.attempt is not None and begun.attempt.fault not in NO_RMC:
            names = (*names, "status")
        if begun.remedy is Remedy.RECYCLE and audit.allows_cluster:
            names = tuple(name for name in names if name not in ("cluster.caa", "cluster.powerha_odm", "cluster.ssp"))
        for name in names if begun.seen.fresh else ():
            fact = attrgetter(name)(begun.seen)
            age = audit.age(fact)
            nothing_to_tell = fact.how is How.INAPPLICABLE or (fact.how is How.MISSING and (
                name in NO_COMMAND or begun.seen.platform is Platform.LINUX
                or (name == "cluster.ssp" and begun.seen.platform is Platform.AIX)))
            if not nothing_to_tell and not (fact.seen and age is not None and age <= audit.evidence):
                yield f"{begun.command} was begun though {name} was {fact.how.value}, {age} s ago"
        if not begun.seen.fresh:
            yield f"{begun.command} was begun on an ordinary look"


def never_over_budget(audit: Auditor) -> Iterator[str]:
    """In no window of a remedy's budget was it begun more often; with the ledger lost not at all."""
    for begun in audit.begun:
        if begun.remedy is None:
            continue
        for budget in audit.rehearsal.settings.remedies[begun.remedy.value].budget:
            span = budget.span.total_seconds()
            times = sum(at > audit.now - span for at in audit.done[begun.remedy])
            if times > budget.times:
                yield f"{begun.remedy.value} was begun {times} times within {budget.span}, {budget.times} are allowed"
            if audit.now < audit.lost_at + span:
                yield f"{begun.remedy.value} was begun {audit.now - audit.lost_at:.0f} s after the ledger was lost"


def one_action_at_a_time(audit: Auditor) -> Iterator[str]:
    """One command that changes something runs, and one attempt is not judged yet."""
    running = audit.rehearsal.partition.underway
    if len(running) > 1:
        yield f"{', '.join(running)} run at once"
    opened = [attempt for attempt in audit.rehearsal.ledger.attempts.values() if attempt.outcome is None and not attempt.shadow]
    if len(opened) > 1:
        yield f"attempts {', '.join(str(attempt.id) for attempt in opened)} are open"


def nothing_is_done_on_a_gap(audit: Auditor) -> Iterator[str]:
    """The look that led to a deed was told what is wrong, and how ctrmc is."""
    for begun in audit.begun:
        seen, state = begun.seen, begun.seen.state_of("ctrmc")
        if begun.attempt is None:
            yield f"{begun.command} was begun without an intent"
            continue
        fault = begun.attempt.fault
        untold = [name for name in ("subsystems", *TELLS.get(fault, ())) if not attrgetter(name)(seen).seen]
        if fault not in TELLS:
            untold.append("that anything done here treats it")
        if state in (None, State.UNKNOWN):
            untold.append("ctrmc's row")
        if fault is Fault.RMC_HUNG and not (seen.status.timed_out and seen.mcp.timed_out):
            untold.append("whether RMC answers")
        if untold:
            yield f"{begun.command} was begun for {fault.value} without having been told: {', '.join(untold)}"


def rmc_is_started_again(audit: Auditor) -> Iterator[str]:
    """What we stopped is being started within minutes in which nothing holds that."""
    if audit.in_debt and audit.now - audit.free_since > STARTED_WITHIN:
        audit.in_debt = False
        yield f"RMC was stopped {audit.now - (audit.stopped_at or 0.0):.0f} s ago, by us, and is not being started"


def a_sound_partition_is_left_alone(audit: Auditor) -> Iterator[str]:
    """Nothing is begun but where something is wrong, or was a moment ago."""
    here = audit.rehearsal.partition
    moved = here.machine.rpartition("uuid=")[2] != audit.first_machine.rpartition("uuid=")[2]
    deaf = all(words in here.tricks and here.tricks[words].kind == "hang" for words in (("rmcdomainstatus",), ("lsrsrc",)))
    noisy = audit.now - audit.noisy_at <= audit.rehearsal.settings.log.storm.within.total_seconds()
    quiet = audit.now - audit.right_since
    for begun in audit.begun:
        if quiet > STILL_WRONG and here.remote_enabled and not (moved or noisy or deaf):
            yield f"{begun.command} was begun though nothing has been wrong for {quiet:.0f} s"


def no_disaster(audit: Auditor) -> Iterator[str]:
    """Nothing that a careful hand would not have done, but where the danger came up that very moment."""
    for disaster in audit.disasters:
        begun = audit.begun[-1] if audit.begun else None
        dangers = [danger for danger in DANGERS if begun is not None and danger.name in audit.then
                   and danger.forbids(begun.remedy, begun.attempt)]
        if begun is None or not dangers or not all(audit.is_race(danger, begun.seen) or _cannot_be_asked(danger, begun)
                                                   for danger in dangers):
            yield disaster


def recfgct_once_an_episode(audit: Auditor) -> Iterator[str]:
    """Only after one that was cut short it may come again."""
    ledger = audit.rehearsal.ledger
    for begun in audit.begun:
        if begun.remedy is Remedy.RECFGCT and begun.attempt is not None:
            before = ledger.attempts.get(audit.deleted.get(begun.attempt.episode, 0))
            if before is not None and before.outcome is not Outcome.INTERRUPTED:
                yield f"recfgct was begun twice in {begun.attempt.episode}"
            audit.deleted[begun.attempt.episode] = begun.attempt.id
