"""What looks leave behind beyond the moment, and the History they come to: streaks, sightings, who answered since when."""
from __future__ import annotations

from datetime import datetime, timedelta
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from rmcagent.config import Settings
from rmcagent.frozen import replace
from rmcagent.ledger import Ledger
from rmcagent.model import Finding, History, KnownHmc, Link, Sighting, Snapshot, State, Vitals
from rmcagent.reason.diagnose import ctrmc_runs, links_untold, looks_hung, untold_links
from rmcagent.reason.ladder import DISRUPTIVE
from rmcagent.reason.links import reachability, shows_no_hmc
from rmcagent.reason.nodes import moved_parts, whole_identity

MOST_CHANGES = 1000
ACCEPTED_FOR = timedelta(days=1)
CONFIRMED_AFTER = timedelta(minutes=15)     # an identity that was asked for twice, at least, and told alike
HEARD_EVERY = timedelta(hours=1)        # how often the ledger hears that an HMC is connected, or answers


class Memory:
    """Lives as long as the daemon; what must live longer is in the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.steady = ledger.steady
        self.started_at = self.steady.now()
        self.vitals = Vitals()
        self.sightings: Dict[str, Sighting] = {}
        self.answering_since: Dict[str, datetime] = {}
        self.last_up: Dict[str, datetime] = {}
        self.links: Dict[str, Link] = {}
        self.link_changes: Dict[str, List[datetime]] = {}
        self.hung_looks = 0
        self.empty_looks = 0
        self.caavg_absent_at: Optional[datetime] = None
        self.blind_since: Optional[datetime] = None
        self.splay: Tuple[str, Optional[datetime]] = ("", None)     # episode, since when nothing but the splay holds
        self.identity = ("", self.started_at)   # as told, and since when
        self.identity_before, self.identity_accepted = "", False
        self.goals: List[Optional[str]] = []
        self.crash_loop = False
        self.late = ""

    def note(self, seen: Snapshot, settings: Settings, under_way: bool, again: bool = False) -> None:
        """Take a look in. `again`: the same look gone over once more, which counts for no streak."""
        now = self.steady.now()
        self.vitals = seen.vitals
        if not again:
            self.hung_looks = min(self.hung_looks + 1 if looks_hung(seen) else 0, settings.faults.hung)
            self.empty_looks = min(self.empty_looks + 1, 2) if shows_no_hmc(seen) else 0 if seen.complete else self.empty_looks
        self._note_hmcs(seen, now)
        self._note_links(seen, settings.faults.flapping.span, counts=not (under_way or self.settling()))
        self._note_node(seen)
        self._note_cluster(seen)
        if ctrmc_runs(seen) and not under_way:
            self._note_active()
        untold = (
            not seen.subsystems.seen
            or seen.state_of("ctrmc") in (None, State.UNKNOWN)
            or (ctrmc_runs(seen) and not seen.status.seen)
            or (links_untold(seen) and untold_links(seen, self.history(), settings))
        )
        self.blind_since = (self.blind_since or now) if untold else None

    def sighted(self, findings: Sequence[Finding], seen: Snapshot) -> Tuple[Finding, ...]:
        """The findings with since when each is seen without a break; only a complete look may forget one, for a hung command
        must not reset the grace for ever."""
        reach = reachability(seen)
        for finding in findings:
            before = self.sightings.get(finding.key)
            if before is None or before.reachability != reach:
                self.sightings[finding.key] = Sighting(finding.key, self.steady.now(), reach)
        if seen.complete:
            keys = {finding.key for finding in findings}
            self.sightings = {key: sighting for key, sighting in self.sightings.items() if key in keys}
        return tuple(replace(finding, since=self.sightings[finding.key].since) for finding in findings)

    def only_splay_holds(self) -> None:
        """From now on this episode's turn is counted; it is counted once."""
        episode = self.ledger.episode.id if self.ledger.episode else ""
        if self.splay[0] != episode or self.splay[1] is None:
            self.splay = (episode, self.steady.now())

    def history(self) -> History:
        now, ledger = self.steady.now(), self.ledger
        up_for = self.vitals.up_for
        episode = ledger.episode.id if ledger.episode else ""
        return History(
            started_at=self.started_at,
            booted_at=now - up_for if up_for is not None else None,
            attempts=tuple(ledger.attempts.values()),
            sightings=dict(self.sightings),
            episode=ledger.episode,
            pause=ledger.pause,
            known=tuple(ledger.known.values()),
            answering_since=dict(self.answering_since),
            last_up=self._last_up(),
            link_changes={address: len(changes) for address, changes in self.link_changes.items()},
            identity_before=self.identity_before,
            identity_accepted=self.identity_accepted,
            splay_from=self.splay[1] if self.splay[0] == episode else None,
            stopped_by=self._stopped_by(),
            late=self.late,
            hung_looks=self.hung_looks,
            empty_looks=self.empty_looks,
            caavg_absent_at=self.caavg_absent_at,
            domains_allowed_at=ledger.moment("domains_allowed_at"),
            blind_since=self.blind_since,
            spent_at=ledger.spent_at,
            crash_loop=self.crash_loop,
        )

    def _note_hmcs(self, seen: Snapshot, now: datetime) -> None:
        # Only a port that was asked counts, and it is asked only while the link is lost.
        answering = {hmc.address for hmc in seen.hmcs if hmc.reachable and hmc.link is not Link.UP}
        self.answering_since = {address: self.answering_since.get(address, now) for address in answering}
        here = {hmc.address for hmc in seen.hmcs}
        self.last_up = {address: at for address, at in self.last_up.items() if address in here or address in self.ledger.known}
        for hmc in seen.hmcs:
            if hmc.link is Link.UP:
                self.last_up[hmc.address] = now
            if hmc.link is Link.UNKNOWN:
                continue
            known = self.ledger.known.get(hmc.address) or KnownHmc(hmc.address, hmc.name, hmc.node_id, now)
            up, answered = known.last_up, known.last_answered
            came_up = hmc.link is Link.UP and self.links.get(hmc.address) is not Link.UP
            up = now if came_up or (hmc.link is Link.UP and (up is None or now - up >= HEARD_EVERY)) else up
            answered = now if hmc.reachable and (answered is None or now - answered >= HEARD_EVERY) else answered
            named = (hmc.name or known.name, hmc.node_id or known.node_id) if hmc.link is Link.UP else (known.name, known.node_id)
            if (*named, up, answered) != (known.name, known.node_id, known.last_up, known.last_answered):
                known = replace(known, name=named[0], node_id=named[1], last_up=up, last_answered=answered)
            self.ledger.saw(known)

    def _note_links(self, seen: Snapshot, span: timedelta, counts: bool) -> None:
        """When each link went up or down, where that `counts`: what a remedy of ours does to it is no change of its own."""
        now = self.steady.now()
        changes: Dict[str, List[datetime]] = {}
        links: Dict[str, Link] = {}
        for hmc in seen.hmcs:
            before = self.links.get(hmc.address, hmc.link)
            link = before if hmc.link is Link.UNKNOWN else hmc.link
            recent = [at for at in self.link_changes.get(hmc.address, ()) if now - at < span]
            changes[hmc.address] = [*recent, now][-MOST_CHANGES:] if counts and Link.UNKNOWN is not before is not link else recent
            links[hmc.address] = link
        self.link_changes, self.links = changes, links
        if any(hmc.link is Link.UP for hmc in seen.hmcs):
            self.splay = ("", None)     # whatever comes next is another fault, and a fleet may meet it together

    def settling(self) -> bool:
        """A remedy is under way or not judged yet: what it does to RMC is no finding."""
        return any(attempt.outcome is None and not attempt.shadow for attempt in self.ledger.attempts.values())

    def _note_node(self, seen: Snapshot) -> None:
        """Where this node id was first seen, and since when it has been elsewhere.

        Within one boot it is a migration that moves it. Over a boot it may have been remote restart, or this is a copy: that
        is remembered until the node id changes, or an HMC is connected and the partition's own UUID is what it was, or HMCs
        have taken the copy for what it says it is for a day.
        """
        node_id, identity = seen.standing.node_file.value or "", seen.vitals.identity
        now = self.steady.now()
        if identity != self.identity[0]:
            self.identity = (identity, now)
        if not (node_id and identity and self.ledger.boot) or now - self.identity[1] < CONFIRMED_AFTER:
            return
        told = self.ledger.facts.get("node") or {}
        before = told.get("identity", "") if told.get("node_id") == node_id else ""
        moved = moved_parts(before, identity)
        here = {"node_id": node_id, "identity": whole_identity(before, identity), "boot": self.ledger.boot}
        connected = any(hmc.link is Link.UP for hmc in seen.hmcs)
        accepted = self._accepted_at(moved, connected, seen)
        settled = accepted is not None and now - accepted >= ACCEPTED_FOR
        if not moved or told["boot"] == self.ledger.boot or (connected and ("uuid" not in moved or settled)):
            if told != here:
                self.ledger.remember("node", here)
            self.identity_before, self.identity_accepted = "", False
        else:
            self.identity_before, self.identity_accepted = before, accepted is not None

    def _accepted_at(self, moved: Tuple[str, ...], connected: bool, seen: Snapshot) -> Optional[datetime]:
        """Since when HMCs have taken this copy for what it says it is; None: none was connected, or the link flaps (Z)."""
        at = self.ledger.moment("accepted_at")
        flapping = any(hmc.link is Link.FLAPPING for hmc in seen.hmcs)
        if moved and not flapping:
            at = at or (self.steady.now() if connected else None)
        else:
            at = None
        self.ledger.remember_moment("accepted_at", at)
        return at

    def _last_up(self) -> Mapping[str, datetime]:
        return {**{hmc.address: hmc.last_up for hmc in self.ledger.known.values() if hmc.last_up}, **self.last_up}

    def _note_cluster(self, seen: Snapshot) -> None:
        facts = seen.cluster
        if facts.caavg.seen and not facts.caavg.value:
            self.caavg_absent_at = facts.caavg.at
        if seen.state_of("cthags") in (State.ACTIVE, State.STARTING, State.STOPPING):
            self.ledger.remember_moment("domains_allowed_at", None)
        elif facts.peer_domains.seen and all(domain.state.lower() == "offline" for domain in facts.peer_domains.value or ()):
            self.ledger.remember_moment("domains_allowed_at", facts.peer_domains.at)

    def _note_active(self) -> None:
        """ctrmc was seen active with no remedy under way: whatever we stopped has been started again."""
        if self.ledger.attempts:
            self.ledger.remember("finished", max(self.ledger.attempts))

    def _stopped_by(self) -> int:
        """The attempt of ours, in this boot, that stopped RMC and after which it was never seen active; 0: none."""
        finished = self.ledger.facts.get("finished") or 0
        ours = [attempt.id for attempt in self.ledger.attempts.values()
                if attempt.remedy in DISRUPTIVE and not attempt.shadow and attempt.id > finished
                and (attempt.boot, attempt.identity) == (self.ledger.boot, self.vitals.identity)]
        return max(ours, default=0)
