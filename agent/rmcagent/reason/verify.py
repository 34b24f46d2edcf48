"""Was it healed? Told by two later looks at the goal, never by an exit code."""
from __future__ import annotations

from datetime import datetime
from typing import Callable, Mapping, Optional, Tuple

from rmcagent.config import RemedyPolicy, Settings
from rmcagent.frozen import replace
from rmcagent.model import Attempt, Fault, Link, Outcome, Snapshot, State
from rmcagent.reason.diagnose import storms
from rmcagent.reason.links import shows_no_hmc


def goal(attempt: Attempt, seen: Snapshot, settings: Settings) -> Optional[str]:
    """What this look says of the attempt's goal: "" not reached, a token when reached, None could not tell.

    HEALED needs the same token twice: for a daemon it is its pid, so that one which keeps dying is not called healed.
    """
    return GOALS[attempt.fault](attempt, seen, settings)


def outcome(attempt: Attempt, goals: Tuple[Optional[str], ...], policy: RemedyPolicy,
            now: datetime) -> Tuple[Optional[Outcome], str]:
    """(None, why) while it is too early; `goals` are the looks since the attempt settled, oldest first."""
    if attempt.shadow:
        return Outcome.UNCHANGED, "it was only a shadow"
    told = [token for token in goals if token is not None]
    if told and told[-1] == "":
        return Outcome.UNCHANGED, f"{MISSED.get(attempt.fault, attempt.fault.value + ' is still seen')}"
    if len(told) >= 2 and told[-1] == told[-2]:
        return Outcome.HEALED, f"{attempt.fault.value} is gone in two looks"
    if len(told) >= 3:
        return Outcome.UNCHANGED, f"{attempt.fault.value} comes and goes"
    if attempt.ended_at is not None and now >= attempt.ended_at + 2 * policy.settle and goals and goals[-1] is None:
        return Outcome.UNKNOWN, f"whether {attempt.fault.value} is gone could not be told"
    return None, "one more look"


def _process(name: str, seen: Snapshot) -> Optional[str]:
    if not seen.subsystems.seen:
        return None
    row = (seen.subsystems.value or {}).get(name)
    if row is None or row.state is State.UNKNOWN or row.state in (State.STARTING, State.STOPPING):
        return None
    if row.state is State.INOPERATIVE or (name == "ctrmc" and seen.ctrmc_alive is False):
        return ""
    return f"pid {row.pid}"


def _daemon(attempt: Attempt, seen: Snapshot, settings: Settings) -> Optional[str]:
    return _process(attempt.subject or "ctrmc", seen)


def _answers(attempt: Attempt, seen: Snapshot, settings: Settings) -> Optional[str]:
    running = _process("ctrmc", seen)
    if not running:
        return running
    if seen.status.timed_out and seen.mcp.timed_out:
        return ""
    return "answers" if seen.status.seen and (seen.mcp.seen or seen.servers.seen) else None


def _linked(attempt: Attempt, seen: Snapshot, settings: Settings) -> Optional[str]:
    if any(hmc.link is Link.UP for hmc in seen.hmcs):
        return "linked"
    # Another fault in its place (RMC down, say) is a plain no, not a gap.
    if _process("ctrmc", seen) == "":
        return ""
    return "" if seen.status.seen or shows_no_hmc(seen) else None


def _all_linked(attempt: Attempt, seen: Snapshot, settings: Settings) -> Optional[str]:
    if not seen.status.seen:
        return _linked(attempt, seen, settings) and None
    return "linked" if seen.hmcs and all(hmc.link is Link.UP for hmc in seen.hmcs) else ""


def _quiet(attempt: Attempt, seen: Snapshot, settings: Settings) -> Optional[str]:
    """Under the limit for one whole `within` since the remedy ended; what was written before it proves nothing."""
    growth, storm = seen.logs.value, settings.log.storm
    if growth is None or attempt.ended_at is None:
        return None
    if storms(replace(growth, noisy_bytes=growth.noisy_since(attempt.ended_at)), settings):
        return ""
    return "quiet" if min(growth.covers, seen.taken_at - attempt.ended_at) >= storm.within else None


def _remote(attempt: Attempt, seen: Snapshot, settings: Settings) -> Optional[str]:
    if any(hmc.link is Link.UP for hmc in seen.hmcs) or seen.remote.value:
        return "enabled"
    return "" if seen.remote.seen or _process("ctrmc", seen) == "" else None


def _lparmgr(attempt: Attempt, seen: Snapshot, settings: Settings) -> Optional[str]:
    """Only an answer of after the remedy counts."""
    told = seen.standing.lparmgr
    if not told.seen or told.at is None or attempt.ended_at is None or told.at <= attempt.ended_at:
        return None
    return "" if told.value else "answers"


# What is said when the goal was not reached.
NO_LINK = "no HMC is connected yet"
MISSED: Mapping[Fault, str] = {
    Fault.RMC_DOWN: "ctrmc does not run", Fault.RMC_STOPPED: "ctrmc does not run", Fault.RMC_HUNG: "RMC does not answer yet",
    Fault.LINK_DOWN: NO_LINK, Fault.LINK_PENDING: NO_LINK, Fault.NO_HMC: NO_LINK, Fault.IDENTITY_CLASH: NO_LINK,
    Fault.CLONED_NODE: NO_LINK, Fault.LINK_PARTIAL: "not every known HMC is connected",
}


def _untold(attempt: Attempt, seen: Snapshot, settings: Settings) -> Optional[str]:
    return None


GOALS: Mapping[Fault, Callable[[Attempt, Snapshot, Settings], Optional[str]]] = {
    **{fault: _untold for fault in Fault},
    Fault.RMC_DOWN: _daemon,
    Fault.RMC_STOPPED: _daemon,
    Fault.MANAGER_DOWN: _daemon,
    Fault.RMC_HUNG: _answers,
    Fault.LINK_DOWN: _linked,
    Fault.LINK_PENDING: _linked,
    Fault.NO_HMC: _linked,
    Fault.IDENTITY_CLASH: _linked,
    Fault.CLONED_NODE: _linked,
    Fault.LINK_PARTIAL: _all_linked,
    Fault.LOG_STORM: _quiet,
    Fault.REMOTE_DISABLED: _remote,
    Fault.LPARMGR_STUCK: _lparmgr,
}
