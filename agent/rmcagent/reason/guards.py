"""Reasons not to act: each a sentence saying why not and what would unblock it; all of them speak, not only the first.

The cluster's rows are in cluster.py; this is everything else, and the list of all.
"""
from __future__ import annotations

from binascii import crc32
from datetime import datetime, timedelta, timezone
from itertools import takewhile
from typing import Callable, List, Optional, Tuple

from rmcagent.config import Budget, RemedyPolicy, Settings
from rmcagent.frozen import dataclass
from rmcagent.model import Attempt, Fault, Finding, History, Hmc, How, Link, Outcome, Refusal, Remedy, Snapshot, State
from rmcagent.reason import cluster
from rmcagent.reason.diagnose import blames_hmc
from rmcagent.reason.ladder import DISRUPTIVE, IDENTITY_FAULTS, LINK_FAULTS, WAITING_FOR_HMC, remedies_for, so_often

# Commands whose running means: not now. Bare names, as ps shows them.
OTHERS_AT_WORK = ("rmcctrl", "recfgct", "forcerpoffline", "startrpdomain", "stoprpdomain", "clmgr")
INSTALLERS = ("installp", "geninstall", "install_all_updates", "emgr", "lvupdate", "rpm", "dnf", "dnf-3", "dnf5", "microdnf",
              "yum", "zypper", "dpkg", "apt", "apt-get")
LEAVING = ("shutdown", "reboot", "halt", "poweroff")
TOGETHER = timedelta(hours=2)          # links lost within this were lost together; last_up is kept to the hour
# No HMC can be up while these are wrong.
WITHOUT_HMC = LINK_FAULTS | IDENTITY_FAULTS | {Fault.REMOTE_DISABLED, Fault.RMC_DOWN, Fault.RMC_STOPPED, Fault.RMC_HUNG}
A_DAY = timedelta(days=1)
LEDGER_LOST = "the ledger was lost, so every budget counts as spent"
LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)
# Their transitions are RSCT's or the cluster's own; others (sendmail, nfsd) do not concern us.
OURS = ("ctrmc", "IBM.", "cth", "cl", "mcproxy", "grpsvcs", "topsvcs")


@dataclass(frozen=True)
class Case:
    """One remedy considered for one finding: everything a guard may look at."""

    remedy: Remedy
    finding: Finding
    seen: Snapshot
    history: History
    settings: Settings
    now: datetime

    @property
    def policy(self) -> RemedyPolicy:
        return self.settings.remedies[self.remedy.value]

    @property
    def shadow(self) -> bool:
        return "shadow" in (self.settings.mode, self.policy.mode)

    @property
    def disruptive(self) -> bool:
        return self.remedy in DISRUPTIVE

    @property
    def link_fault(self) -> bool:
        """A remedy for this could be one because an HMC is away, and be judged by nobody; its noise is no better reason."""
        noise = self.finding.fault is Fault.LOG_STORM and bool(self.seen.hmcs)
        return self.finding.fault in WAITING_FOR_HMC | IDENTITY_FAULTS or noise


def refusals(case: Case) -> Tuple[Refusal, ...]:
    """Everything that holds this remedy now, in the order of GUARDS."""
    spoken: List[Refusal] = []
    for guard in GUARDS:
        spoken.extend(guard(case))
    return tuple(spoken)


def grace_of(case: Case) -> Optional[timedelta]:
    """How long the fault must have been seen before this remedy; None: never."""
    if case.remedy is Remedy.START and case.finding.side.value == "operator":
        return case.policy.after_stop
    if case.remedy is Remedy.START and case.finding.caused_by_crash is None and case.finding.fault.value == "rmc-down":
        return max(case.policy.grace, case.policy.cause_unknown or case.policy.grace)
    return case.policy.grace


def splay_of(case: Case) -> timedelta:
    """This partition's own share of the splay: stable for an episode, spread over a fleet."""
    if not case.disruptive or case.settings.guards.splay <= timedelta(0):
        return timedelta(0)
    episode = case.history.episode.id if case.history.episode else ""
    return case.settings.guards.splay * _share(f"{case.seen.vitals.identity} {case.seen.vitals.boot}", episode)


def _share(whose: str, turn: str) -> float:
    """Evenly from 0 to 1, by whose it is and by turn. Stirred (as MurmurHash3 ends), for by crc32 alone partitions that once
    fell together would do so in every turn; hashlib would load OpenSSL for this."""
    mark = 0
    for text in (whose, turn):
        mark = (mark + crc32(text.encode())) % 2**32
        for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
            mark = (mark ^ mark >> shift) * factor % 2**32
    return mark / 2**32


def budget_left(attempts: Tuple[Attempt, ...], budget: Budget, now: datetime) -> Tuple[int, Optional[datetime]]:
    """(left, when the next one is free again) of one sliding budget."""
    inside = sorted(attempt.begun_at for attempt in attempts if attempt.begun_at > now - budget.span)
    left = budget.times - len(inside)
    return (left, None) if left > 0 else (0, inside[len(inside) - budget.times] + budget.span if budget.times else None)


def telling(finding: Finding, history: History, now: datetime) -> Tuple[Attempt, ...]:
    """The attempts that tell something of this fault as it is now: those of its episode, but an episode may stay open for
    months beside a fault that is only reported. Where no HMC is up, those since one was; of what may be wrong beside a working
    HMC those of a day, and of one HMC among several all: what did not bring it back need not be tried daily."""
    episode = history.episode.id if history.episode else ""
    since = now - A_DAY
    if finding.fault in WITHOUT_HMC:
        since = max(history.last_up.values(), default=LONG_AGO)
    elif finding.fault is Fault.LINK_PARTIAL:
        since = LONG_AGO
    return tuple(attempt for attempt in history.attempts if attempt.episode == episode and attempt.begun_at > since)


def spending(case: Case) -> Tuple[Attempt, ...]:
    """The attempts that count against this remedy's budget: shadow ones have a budget of their own."""
    return tuple(
        attempt for attempt in case.history.attempts
        if attempt.remedy is case.remedy and attempt.shadow == case.shadow and attempt.by != "finish"
    )


Guard = Callable[[Case], Tuple[Refusal, ...]]


def _no(guard: str, because: str, unblock: str, lasting: bool = False, until: Optional[datetime] = None) -> Tuple[Refusal, ...]:
    return (Refusal(guard, because, unblock, lasting, until),)


def off(case: Case) -> Tuple[Refusal, ...]:
    if case.policy.mode == "off":
        return _no("off", f"the policy switches {case.remedy.value} off", f"remedies.{case.remedy.value}.mode: act", lasting=True)
    return ()


def observing(case: Case) -> Tuple[Refusal, ...]:
    if case.settings.mode == "observe":
        return _no("observe", "the policy only observes", "mode: act", lasting=True)
    return ()


def not_root(case: Case) -> Tuple[Refusal, ...]:
    if not case.seen.vitals.may_act:
        return _no("not-root", "the agent runs neither as root nor as the owner of rmcctrl", "run it as root", lasting=True)
    return ()


def wpar(case: Case) -> Tuple[Refusal, ...]:
    if case.seen.vitals.in_wpar:
        return _no("wpar", "this is a workload partition; RMC belongs to the global environment", "run the agent there",
                   lasting=True)
    return ()


def paused(case: Case) -> Tuple[Refusal, ...]:
    pause = case.history.pause
    if pause is not None and case.now < pause.until:
        return _no("paused", f"an operator paused the agent: {pause.reason}", "rmcagent resume", until=pause.until)
    return ()


def maintenance(case: Case) -> Tuple[Refusal, ...]:
    if case.seen.maintenance:
        return _no("maintenance", "a file `maintenance` stands beside the configuration", "remove that file")
    return ()


def window(case: Case) -> Tuple[Refusal, ...]:
    opening = case.policy.window
    if opening is None:
        return ()
    if case.seen.local_time is None or not opening.open_at(case.seen.local_time):
        return _no("window", f"outside the window of {case.remedy.value}", "wait for the window, or widen it in the policy")
    return ()


def crash_loop(case: Case) -> Tuple[Refusal, ...]:
    if case.history.crash_loop:
        return _no("crash-loop", "the agent itself crashed repeatedly and only observes",
                   "one quiet hour; report the traceback in the log")
    return ()


def stale(case: Case) -> Tuple[Refusal, ...]:
    age = case.now - case.seen.taken_at
    if age > 3 * case.settings.cadence.look + case.settings.timeout:
        return _no("stale", f"the look is {age} old", "the next look")
    return ()


def blind(case: Case) -> Tuple[Refusal, ...]:
    if not case.seen.subsystems.seen:
        return _no("blind", f"lssrc could not tell: {case.seen.subsystems.because}", "make lssrc -a answer")
    if case.seen.state_of("ctrmc") in (None, State.UNKNOWN):
        return _no("blind", "lssrc does not tell whether ctrmc runs", "see what lssrc -s ctrmc says")
    return ()


def booting(case: Case) -> Tuple[Refusal, ...]:
    # Without an uptime the agent's own start is the latest the boot can have been.
    until = (case.history.booted_at or case.history.started_at) + case.settings.guards.boot
    if case.now < until:
        return _no("boot", "the partition has only just booted", "wait", until=until)
    return ()


def in_transition(case: Case) -> Tuple[Refusal, ...]:
    moving = [row.name for row in (case.seen.subsystems.value or {}).values()
              if row.state in (State.STARTING, State.STOPPING) and row.name.startswith(OURS)]
    if moving:
        return _no("transition", f"{', '.join(moving)} is starting or stopping", "wait until it has settled")
    return ()


def others_at_work(case: Case) -> Tuple[Refusal, ...]:
    running = case.seen.busy.processes
    if running.value is None:
        asked = case.seen.fresh or running.how is How.GAP
        return _no("busy", "which commands run here could not be told", "make ps answer") if asked else ()
    spoken: List[Refusal] = []
    for guard, names, unblock in (
        ("busy", OTHERS_AT_WORK, "wait until it has ended"),
        ("install", INSTALLERS, "wait until the installation has ended"),
        ("shutdown", LEAVING, "none: the partition is going down"),
    ):
        found = sorted(set(running.value) & set(names))
        if found:
            spoken += _no(guard, f"{', '.join(map(case.seen.busy.named, found))} is running", unblock)
    return tuple(spoken)


def migrating(case: Case) -> Tuple[Refusal, ...]:
    if not (case.disruptive or case.remedy is Remedy.LPARMGR):
        return ()
    if "drmgr" in (case.seen.busy.processes.value or ()):
        return _no("migration", f"{case.seen.busy.named('drmgr')} is running", "wait until the DLPAR operation is over")
    fact = case.seen.busy.migration
    if fact.value:
        return _no("migration", fact.value, "wait until it is over")
    old = fact.seen and (fact.at is None or case.now - fact.at > case.settings.guards.evidence)
    # Before lparmgr no evidence is gathered: there it is asked together with the processes.
    asked = case.seen.fresh or (case.remedy is Remedy.LPARMGR and case.seen.busy.processes.how is not How.UNASKED)
    if asked and (old or fact.how in (How.GAP, How.UNASKED, How.MISSING)):
        because = "its answer is old" if old else fact.because or "not asked"
        return _no("migration", f"whether a migration or DLPAR is under way could not be told: {because}", "make errpt answer",
                   lasting=True)
    return ()


def hmc_connected(case: Case) -> Tuple[Refusal, ...]:
    if not case.disruptive:
        return ()
    return cluster.connected_hmc(case.remedy, case.finding, case.seen, case.settings, case.now)


def no_hmc_reachable(case: Case) -> Tuple[Refusal, ...]:
    if not (case.disruptive and case.link_fault) or any(hmc.reachable for hmc in case.seen.hmcs):
        return ()
    return _no("no-hmc-reachable", "no known HMC answers on its RMC ports", "an HMC that answers on TCP 657 or 12601",
               lasting=True)


def hmc_back(case: Case) -> Tuple[Refusal, ...]:
    if not (case.disruptive and case.link_fault):
        return ()
    # One that answers and is not in the history has answered only just now.
    since = [case.history.answering_since.get(hmc.address, case.now) for hmc in _lost_last(case) if hmc.reachable]
    if not since:
        return _no("hmc-back", "the HMC that was connected last does not answer", "wait until it is back")
    until = min(since) + case.settings.guards.hmc_back
    if case.now < until:
        return _no("hmc-back", "no HMC has answered for long enough: one that restarts brings its links back itself", "wait",
                   until=until)
    return ()


def hmc_side(case: Case) -> Tuple[Refusal, ...]:
    """Cause before cure. An identity that is wrong here may itself be what the HMC answers with errors: that is not held."""
    if not case.disruptive or case.finding.fault not in WAITING_FOR_HMC or not blames_hmc(case.seen.logs.value, case.settings):
        return ()
    return _no("hmc-side", "the log shows that the HMC itself answers with errors",
               "mend the HMC: check its RMC (diagrmc) and free space in its /tmp; this lifts when those errors end", lasting=True)


def _lost_last(case: Case) -> Tuple[Hmc, ...]:
    """The HMCs that were connected until this fault: a retired one that still answers says nothing of theirs."""
    lost = [hmc for hmc in case.seen.hmcs if hmc.link is not Link.UP]
    ups = case.history.last_up
    newest = max((ups[hmc.address] for hmc in lost if hmc.address in ups), default=None)
    if newest is None:
        return tuple(lost)
    return tuple(hmc for hmc in lost if hmc.address in ups and newest - ups[hmc.address] <= TOGETHER)


def var_full(case: Case) -> Tuple[Refusal, ...]:
    if not case.disruptive:
        return ()
    space = case.seen.var.value
    if space is None:
        return _no("var-full", "free space of /var could not be told", "make /var answer") if case.seen.fresh else ()
    if space.used_share >= case.settings.faults.var_full:
        return _no("var-full", f"{space.path} is {space.used_share:.0%} full", f"free space in {space.path}", lasting=True)
    return ()


def clustered(case: Case) -> Tuple[Refusal, ...]:
    if not case.disruptive:
        return ()
    return cluster.refusals(case.remedy, case.seen, case.history, case.settings, case.now)


def order(case: Case) -> Tuple[Refusal, ...]:
    """recfgct deletes RSCT's identity: only after a recycle was seen to change nothing, or where the identity is the fault."""
    if case.remedy is not Remedy.RECFGCT or case.finding.fault in IDENTITY_FAULTS:
        return ()
    for attempt in telling(case.finding, case.history, case.now):
        if (attempt.remedy is Remedy.RECYCLE and attempt.outcome is Outcome.UNCHANGED and attempt.fault in LINK_FAULTS
                and (case.shadow or not attempt.shadow)
                # One whose commands failed never restarted RMC, so it proves nothing.
                and "rmcctrl -z" not in attempt.failed and "rmcctrl -A" not in attempt.failed):
            return ()
    return _no("order", "no recycle was judged unchanged in this episode", "a recycle that ran and changed nothing", lasting=True)


def rehearsed(case: Case) -> Tuple[Refusal, ...]:
    """What was only recorded and never run proves nothing: it opens no way to what disturbs others."""
    if case.shadow or not case.disruptive:
        return ()
    for gentler in takewhile(lambda rung: rung is not case.remedy, remedies_for(case.finding.fault, case.settings)):
        if case.settings.remedies[gentler.value].mode == "shadow":
            return _no("rehearsed", f"{gentler.value} comes first, and is only rehearsed",
                       f"remedies.{gentler.value}.mode: act, or off", lasting=True)
    return ()


def rmc_answers(case: Case) -> Tuple[Refusal, ...]:
    if case.remedy is Remedy.RECFGCT and not (case.seen.state_of("ctrmc") is State.ACTIVE and case.seen.status.seen):
        return _no("rmc-silent", "RMC does not run and answer; a cluster could not be ruled out",
                   "a running ctrmc that answers rmcdomainstatus", lasting=True)
    return ()


def budget(case: Case) -> Tuple[Refusal, ...]:
    lost = case.history.spent_at
    longest = max(allowance.span for allowance in case.policy.budget)
    if lost is not None and case.now < lost + longest:
        return _no("budget", LEDGER_LOST, "see RMCA1009E in the log", until=lost + longest)
    spent: List[Refusal] = []
    for allowance in case.policy.budget:
        left, until = budget_left(spending(case), allowance, case.now)
        if left == 0:
            begun = f"{case.remedy.value} {'would have been' if case.shadow else 'was'} begun"
            spent += _no("budget", f"{begun} {so_often(allowance.times, allowance.span)}", "wait", until=until)
    return tuple(spent)


def cooldown(case: Case) -> Tuple[Refusal, ...]:
    ends = [attempt.ended_at for attempt in spending(case) if attempt.ended_at and attempt.outcome is not Outcome.INTERRUPTED]
    until = max(ends) + case.policy.cooldown if ends else case.now
    if case.now < until:
        return _no("cooldown", f"{case.remedy.value} was done not long ago", "wait", until=until)
    return ()


def settling(case: Case) -> Tuple[Refusal, ...]:
    for attempt in case.history.attempts:
        until = attempt.ended_at + case.settings.remedies[attempt.remedy.value].settle if attempt.ended_at else None
        if attempt.outcome is None and attempt.shadow == case.shadow:
            return _no("settle", f"{attempt.remedy.value} (attempt {attempt.id}) is not judged yet", "wait", until=until)
        # Cut short, it may have restarted RMC all the same, and the sessions take as long to come back.
        if case.disruptive and _restarted_rmc(attempt, case) and until is not None and case.now < until:
            because = f"{attempt.remedy.value} (attempt {attempt.id}) was interrupted not long ago"
            return _no("settle", because, "wait", until=until)
    return ()


def _restarted_rmc(attempt: Attempt, case: Case) -> bool:
    return (attempt.outcome is Outcome.INTERRUPTED and attempt.remedy in DISRUPTIVE and not attempt.shadow
            and attempt.boot == case.seen.vitals.boot)


def splayed(case: Case) -> Tuple[Refusal, ...]:
    """Asked last, when nothing else holds the remedy: whatever lets a fleet go at once must not make it act at once."""
    until = (case.history.splay_from or case.now) + splay_of(case)
    if case.disruptive and case.now < until:
        return _no("splay", "its turn comes a little later, so that a fleet does not act in step", "wait", until=until)
    return ()


GUARDS: Tuple[Guard, ...] = (
    off, observing, not_root, wpar, paused, maintenance, window, crash_loop, stale, blind, booting, in_transition, others_at_work,
    migrating, clustered, hmc_connected, rmc_answers, no_hmc_reachable, hmc_back, hmc_side, var_full, order, rehearsed, budget,
    cooldown, settling,
)
