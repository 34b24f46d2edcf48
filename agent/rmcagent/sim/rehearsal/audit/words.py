"""The invariants of what is told and kept, and of the agent's own mind: pairs, refusals, bounds, mistakes, time."""
from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Iterator

from rmcagent.model import Kind
from rmcagent.report import LINE_BYTES, line
from rmcagent.sim.clock import NEW_YEAR
from rmcagent.sim.moving import plain

if TYPE_CHECKING:
    from rmcagent.sim.rehearsal.audit.auditor import Auditor

HOUR = 3600.0
MISSED_AFTER = 900.0            # seconds: five looks that time out for a hung RMC, with room for what else is slow
# What is asked once a day or an hour, and a while to tell it.
ASKED_SELDOM = {"RMC does not start at boot": 25 * 3600.0, "lparmgr is stuck": 3600.0 + MISSED_AFTER}
STILL_OPEN = 900.0              # seconds: a problem told so shortly before the end need not have come to anything
EVENTS_AN_HOUR = 60
MOST_FILES = 16
LEDGER_BYTES = 1 << 20


def problems_come_and_go_in_pairs(audit: Auditor) -> Iterator[str]:
    """Every PROBLEM is told once, and GONE only after it, in its episode."""
    for told in audit.told:
        fields = dict(told.event.fields)
        key = (fields.get("fault", ""), fields.get("subject", ""))
        if told.event.code == "RMCA2001W":
            if key in audit.open:
                yield f"{key} was told again, without having gone"
            audit.doubtful.pop(key, None)
            audit.open[key] = told
        elif told.event.code == "RMCA2002N":
            before = audit.open.pop(key, None)
            if audit.unwritten:
                audit.gone[key] = told
            if before is not None and dict(before.event.fields)["episode"] != fields["episode"]:
                yield f"{key} was told in {dict(before.event.fields)['episode']} and is gone in {fields['episode']}"
            if before is None and audit.doubtful.pop(key, None) is None:
                yield f"{key} is gone, and was never told"
        elif told.event.code in ("RMCA3004W", "RMCA4001E", "RMCA4002W"):
            audit.answered[key[0]] = told.at


def every_problem_has_its_end(audit: Auditor) -> Iterator[str]:
    """At the end it is gone, or it was said what a human does, or it waits for something that lies ahead."""
    view = audit.rehearsal.cycle.view
    if not audit.over or not audit.rehearsal.alive:
        return
    for key, told in audit.open.items():
        waits = any(decision.kind in (Kind.WAIT, Kind.APPLY, Kind.JUDGE) for decision in view.decisions
                    if decision.finding is not None and (decision.finding.fault.value, decision.finding.subject) == key)
        found = any((finding.fault.value, finding.subject) == key for finding in view.findings)
        hidden = not found and (bool(view.findings) or view.snapshot is None or not view.snapshot.complete)
        unjudged = any(decision.attempt is not None for decision in view.decisions)
        lately = audit.answered.get(key[0], -HOUR - STILL_OPEN)          # what comes back within the hour is not answered anew
        answered = lately >= told.at or audit.now - lately < HOUR + STILL_OPEN
        if not (waits or hidden or unjudged or answered or audit.now - told.at < STILL_OPEN
                or (not found and audit.now - audit.right_since < STILL_OPEN)):
            yield f"{key} was told {audit.now - told.at:.0f} s ago, and never came to an end"


def every_refusal_says_what_helps(audit: Auditor) -> Iterator[str]:
    """Refusals and what needs a human say what would unblock them."""
    for told in audit.told:
        fields = dict(told.event.fields)
        wanted = {"RMCA3004W": "unblock", "RMCA4001E": "unblock", "RMCA4002W": "do"}.get(told.event.code, "")
        if wanted and not fields.get(wanted):
            yield f"{line(told.event)} does not say what helps"
    for decision in audit.view.decisions if audit.new_view and audit.view else ():
        if decision.kind in (Kind.REFUSE, Kind.ESCALATE) and not decision.unblock:
            yield f"{decision.because}: that does not say what helps"
        for refusal in decision.refused_by:
            if not (refusal.guard and refusal.because and refusal.unblock):
                yield f"{refusal.guard}: {refusal.because}: that does not say what helps"


def all_is_bounded(audit: Auditor) -> Iterator[str]:
    """What is kept in memory and on disk, and what is told in an hour."""
    for told in audit.told:
        audit.events.append(told.at)
        if len(audit.events) > EVENTS_AN_HOUR and told.at - audit.events[0] < HOUR:
            yield f"{len(audit.events)} events within an hour"
    if audit.now - audit.weighed_at < HOUR and not audit.over:
        return
    audit.weighed_at = audit.now
    memory, ledger, episodes = (audit.rehearsal.cycle.memory, audit.rehearsal.ledger, audit.rehearsal.cycle.episodes)
    rows = ((memory.sightings, 64), (memory.answering_since, 160), (memory.last_up, 300), (memory.links, 300),
            (memory.link_changes, 300), (memory.goals, 64), (episodes.problems, 64), (episodes.said, 256), (ledger.known, 128),
            (ledger.decisions, 40), (ledger.facts, 32), (ledger.attempts, 2048))
    for kept, most in rows:
        if len(kept) > most:
            yield f"{len(kept)} are kept, {most} at most may be: {str(kept)[:80]}"
    files = os.listdir(audit.rehearsal.folder)
    if len(files) > MOST_FILES:
        yield f"{len(files)} files in the state folder"
    size = os.stat(ledger.path).st_size if os.path.exists(ledger.path) else 0
    if size > LEDGER_BYTES:
        yield f"the ledger has {size} bytes"


def no_mistake_of_ours(audit: Auditor) -> Iterator[str]:
    """The agent never fails for a mistake of its own."""
    for mistake in audit.mistakes:
        yield mistake.strip().splitlines()[-1]


def no_fault_is_missed(audit: Auditor) -> Iterator[str]:
    """Nothing is called healthy that has been broken for long, with no command lying and the agent alive."""
    since = max(audit.wrong_since, audit.lied_at, audit.born_at, audit.booted_at)
    told_by_now = audit.now - since > ASKED_SELDOM.get(audit.wrong, MISSED_AFTER)
    if audit.new_view and audit.view and audit.view.verdict == "healthy" and audit.wrong and told_by_now:
        yield f"called healthy, and {audit.wrong} for {audit.now - audit.wrong_since:.0f} s"


def every_line_is_a_line(audit: Auditor) -> Iterator[str]:
    """ASCII without control characters, and no longer than syslog takes."""
    for told in audit.told:
        text = line(told.event)
        if len(text) > LINE_BYTES or not text.isascii() or not text.isprintable():
            yield f"not a line: {text[:80]!r}"


def a_clock_that_is_set_moves_nothing(audit: Auditor) -> Iterator[str]:
    """Within a boot the time that the agent reasons by goes on with the partition's seconds, whatever the wall clock shows."""
    if not audit.new_view or not audit.rehearsal.alive:
        return
    start = (plain(audit.rehearsal.cycle.steady.now()) - NEW_YEAR - timedelta(seconds=audit.now)).total_seconds()
    before, audit.steady_at = audit.steady_at, start
    if before is not None and abs(start - before) > 1.0:
        yield f"the agent's time moved by {start - before:.0f} s"
