"""What a plan takes from a daemon that lives: since when, how often, who answered; what one look of its own cannot know."""
from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from rmcagent.cycle import Cycle
from rmcagent.frozen import replace
from rmcagent.model import Fact, Fault, Finding, Hmc, Link, Platform, Side, Sighting, Snapshot, View
from rmcagent.reason.decide import decide, verdict
from rmcagent.reason.links import reachability

Told = Mapping[str, Any]                  # the published document, which somebody may have damaged
Moment = Callable[[Any], Optional[datetime]]
HEARD = (Fault.LOG_STORM, Fault.HMC_SIDE)


def glance(cycle: Cycle, told: Optional[Told]) -> View:
    """A plan's look, with all that only time tells."""
    began = cycle.steady.now()
    recall(cycle, told)
    heard = tuple(one for one in cycle.findings if one.fault in HEARD)
    return undated(_with_heard(cycle, cycle.glance(), heard), began)


def recall(cycle: Cycle, told: Optional[Told]) -> None:
    """Before the glance: into memory what a fresh document tells, and from the ledger when RMC was last known to be alive."""
    if told is not None:
        moment = _moments(cycle)
        _findings(cycle, told, moment)
        _hmcs(cycle, told, moment)
        _streaks(cycle, told)
        cycle.memory.started_at = moment(told.get("started_at")) or cycle.memory.started_at
        cycle.memory.splay = (cycle.ledger.episode.id if cycle.ledger.episode else "", moment(told.get("splay_from")))
    alive = max(_alive(cycle, told), default=None)
    if alive is not None:
        cycle.observer.saw_alive(cycle.steady.shown(alive).astimezone().replace(tzinfo=None))


def undated(view: View, began: datetime) -> View:
    """What only this look has seen has no `since`: it may have been so for days."""
    findings = tuple(replace(one, since=None) if one.since is not None and one.since >= began else one for one in view.findings)
    return replace(view, findings=findings)


def _with_heard(cycle: Cycle, view: View, heard: Tuple[Finding, ...]) -> View:
    """What the daemon heard in the logs, as far as this look has not listened for long enough to tell."""
    seen, settings = view.snapshot, cycle.settings
    logs = seen.logs.value if seen else None
    if seen is None or (logs is not None and logs.covers >= settings.log.storm.within):
        return view
    known = {one.key for one in view.findings}
    findings = (*view.findings, *(one for one in heard if one.key not in known))
    if len(findings) == len(known):
        return view
    now, history = cycle.steady.now(), cycle.memory.history()
    decisions = decide(seen, findings, history, settings, now)
    word, because = verdict(seen, findings, decisions, history, settings, now)
    return replace(view, verdict=word, because=because, findings=findings, decisions=decisions)


def _moments(cycle: Cycle) -> Moment:
    """How the wall clock's times in a document are read as ours; None: not one."""
    now = cycle.steady.now()
    ahead = cycle.steady.shown(now) - now

    def moment(text: Any) -> Optional[datetime]:
        try:
            at = datetime.fromisoformat(text) if isinstance(text, str) else None
            return min(at - ahead, now) if at is not None and at.tzinfo is not None else None
        except (ValueError, OverflowError):
            return None

    return moment


def _findings(cycle: Cycle, told: Told, moment: Moment) -> None:
    """As they were before a remedy that may be under way: what it does to RMC is none."""
    marks = reachability(Snapshot(cycle.steady.now(), Platform.AIX, Fact(), hmcs=tuple(
        Hmc(str(row.get("address")), reachable=row["reachable"] if isinstance(row.get("reachable"), bool) else None)
        for row in _rows(told, "hmcs"))))
    found: List[Finding] = []
    for row in _rows(told, "findings"):
        try:
            fault, side = Fault(row.get("fault")), Side(row.get("side"))
        except ValueError:
            continue                      # of another version
        evidence, subject, advice = (str(row.get(key) or "") for key in ("evidence", "subject", "advice"))
        found.append(Finding(fault, side, evidence, (), subject, moment(row.get("since")), advice,
                             grave=row.get("grave") is not False))
    cycle.findings = tuple(found)
    cycle.memory.sightings = {one.key: Sighting(one.key, one.since, marks) for one in found if one.since is not None}


def _hmcs(cycle: Cycle, told: Told, moment: Moment) -> None:
    memory, taken = cycle.memory, moment(told.get("taken_at"))
    for row in _rows(told, "hmcs"):
        address, link = str(row.get("address")), str(row.get("link"))
        answering, up = moment(row.get("answering_since")), taken if link == Link.UP.value else moment(row.get("since"))
        if answering is not None:
            memory.answering_since[address] = answering
        if up is not None:
            memory.last_up[address] = up
        if link in {known.value for known in Link}:
            memory.links[address] = Link(link)


def _streaks(cycle: Cycle, told: Told) -> None:
    now = cycle.steady.now()
    for row in _rows(told, "streaks"):
        about, count = row.get("about"), row.get("count")
        if not isinstance(count, int) or not 0 < count <= 1000:
            continue
        if about == "hung looks":
            cycle.memory.hung_looks = count
        elif about == "link changes":
            cycle.memory.link_changes[str(row.get("subject"))] = [now] * count


def _alive(cycle: Cycle, told: Optional[Told]) -> Iterator[datetime]:
    """When RMC was known to be alive: an HMC was connected, or the daemon saw it run."""
    yield from (hmc.last_up for hmc in cycle.ledger.known.values() if hmc.last_up is not None)
    yield from cycle.memory.last_up.values()
    subsystems = (told or {}).get("subsystems")
    row = subsystems.get("ctrmc") if isinstance(subsystems, dict) else None
    if told is None or not isinstance(row, dict):
        return
    moment = _moments(cycle)
    seen = moment(told.get("taken_at")) if row.get("state") == "active" else moment(row.get("since"))
    started = moment(told.get("started_at"))
    look = timedelta(0) if row.get("state") == "active" else cycle.settings.cadence.look
    if seen is not None and started is not None and seen - look > started:
        yield seen - look                 # the look before the one that missed it


def _rows(told: Told, key: str) -> Tuple[Dict[str, Any], ...]:
    value = told.get(key)
    return tuple(row for row in value if isinstance(row, dict)) if isinstance(value, list) else ()
