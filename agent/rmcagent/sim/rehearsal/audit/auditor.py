"""Auditor: follows a rehearsal, keeps what is true since when and what was begun, and asks every invariant."""
from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Callable, Deque, Dict, Iterator, List, Optional, Sequence, Tuple

from rmcagent.model import Attempt, Fact, Remedy, Snapshot, View
from rmcagent.sim.moving import plain
from rmcagent.sim.rehearsal.audit import deeds, words
from rmcagent.sim.rehearsal.audit.truth import DANGERS, DRIFTING, Danger, ails

if TYPE_CHECKING:
    from rmcagent.sim.partition import Partition, SimHmc
    from rmcagent.sim.rehearsal.run import Rehearsal, Told

HOUR = 3600.0
KEPT = 3                        # breaches of one rule
GOES_ON = 30.0                  # seconds between two commands of one deed: recfgct's 20, and tries that are repeated
REFRESHES = ("rmcctrl -p", "rmcrefreshMD -s ctrmc", "refrsrc IBM.MCP")
STOPS = ("rmcctrl -z", "recfgct")
UNDONE = frozenset(danger.name for danger in DANGERS if danger.asked is not None)     # by a deed's first command, perhaps
OURS = frozenset(danger.name for danger in DANGERS if danger.ours)
MOST_NOISES = 1000
AWAY = 300.0                    # seconds: a look in which most commands hang may miss an HMC that was away for less
Key = Tuple[str, str]           # fault, subject


@dataclass(frozen=True)
class Breach:
    """A rule that was broken, and how; `at` is seconds since the rehearsal's start."""

    at: float
    rule: str
    because: str


@dataclass(frozen=True)
class Begun:
    """A deed, by its first command; remedy None: it finishes one that was cut short. `seen` is the look that led to it."""

    command: str
    remedy: Optional[Remedy]
    attempt: Optional[Attempt]
    seen: Snapshot


class Auditor:
    """Follows a rehearsal. `breaches` are broken invariants; `races` are dangers that came up between question and deed,
    or could not be asked for where that is allowed."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.rehearsal: Rehearsal = rehearsal
        self.breaches: List[Breach] = []
        self.races: List[str] = []
        self.over = False
        # The truth, as it has been since when.
        self.since: Dict[str, float] = {}
        self.then: Dict[str, float] = {}        # as it was when the newest command was begun, before that changed anything
        self.noted = len(rehearsal.partition.did)
        self.wrong, self.wrong_since, self.right_since = "", 0.0, 0.0
        self.noise, self.noisy_at, self.lied_at = 0, -HOUR, -HOUR
        self.noises: Deque[Tuple[float, int, str]] = deque()    # when, bytes, of what storm
        self.heard = 0                          # all their bytes
        self.heard_kinds: Dict[str, int] = {}   # how many are of which storm
        self.first_machine = rehearsal.partition.machine
        self.lost: Dict[str, float] = {}        # HMCs that do not answer, since when
        self.back: Dict[str, float] = {}        # HMCs that did not, and do again, since when
        self.rmc_pid, self.rmc_started_at = rehearsal.partition.row("ctrmc").pid, -HOUR
        # The agent's lives.
        self.lives, self.boot = rehearsal.lives, rehearsal.partition.boot
        self.born_at: float = 0.0
        self.booted_at: float = 0.0
        self.paused_until: float = 0.0
        self.looping_until: float = 0.0
        self.newest, self.lost_at = 0, -1e9     # the newest intent that is durable; when a ledger was lost
        self.unwritten = False                  # something was told that could not be written
        self.steady_at: Optional[float] = None  # what the steady clock calls the start, in this boot
        # What was done.
        self.last: Tuple[str, float] = ("", -HOUR)
        self.last_attempt = 0
        self.stopped_at: Optional[float] = None # by us, and not seen active since
        self.stopped_machine = ""               # where that was
        self.in_debt = False                    # and no start begun since
        self.free_since = 0.0                   # since when nothing has kept the agent from starting it
        self.done: Dict[Remedy, List[float]] = {remedy: [] for remedy in Remedy}
        self.deleted: Dict[str, int] = {}       # episode: its recfgct
        self.recycled: Dict[str, float] = {}    # episode: its last recycle
        self.before: Dict[Remedy, Tuple[int, float]] = {}       # its last attempt, and when that was begun
        # What was told.
        self.open: Dict[Key, Told] = {}
        self.gone: Dict[Key, Told] = {}         # told while nothing could be written
        self.doubtful: Dict[Key, Told] = {}     # told before something could not be written, and perhaps forgotten
        self.answered: Dict[str, float] = {}    # fault: when it was said what a human does
        self.events: Deque[float] = deque(maxlen=words.EVENTS_AN_HOUR + 1)
        self.weighed_at = -HOUR
        # What is new in this look.
        self.marks = (0, 0, 0, 0)
        self.view: Optional[View] = None
        self.new_view = False
        self.commands: Sequence[str] = ()
        self.begun: List[Begun] = []
        self.told: Sequence[Told] = ()
        self.disasters: Sequence[str] = ()
        self.mistakes: Sequence[str] = ()
        rehearsal.partition.on_change.append(self._note)

    @property
    def now(self) -> float:
        return self.rehearsal.now

    @property
    def evidence(self) -> float:
        return self.rehearsal.settings.guards.evidence.total_seconds()

    @property
    def boot_grace(self) -> float:
        return self.rehearsal.settings.guards.boot.total_seconds()

    @property
    def allows_cluster(self) -> bool:
        return self.rehearsal.settings.remedies["recycle"].in_cluster == "allow"

    def look(self) -> None:
        """Something has happened, or the agent has taken a step."""
        self._note()
        if self._take() or self.in_debt:
            self._judge()

    def hear(self) -> None:
        """Nothing has happened but that the log has grown, or time gone by."""
        here, now = self.rehearsal.partition, self.now
        self._note_noise(here, now)
        self._note_wrong(here, now)
        for danger in DRIFTING:
            if danger.there(self, here):
                self.since.setdefault(danger.name, now)
            else:
                self.since.pop(danger.name, None)

    def end(self) -> None:
        self.over = True
        self._take()
        self._judge()

    def age(self, fact: Fact[Any]) -> Optional[float]:
        """Seconds since it was answered."""
        return self.seconds_since(fact.at) if fact.at is not None else None

    def seconds_since(self, moment: datetime) -> float:
        return (plain(self.rehearsal.cycle.steady.now()) - plain(moment)).total_seconds()

    def is_race(self, danger: Danger, seen: Snapshot) -> bool:
        """Whether it came up only after it had been asked for, within the age that evidence may have."""
        if danger.asked is None:
            return False
        ages = [age for name in danger.asked for age in [self.age(attrgetter(name)(seen))] if age is not None]
        return self.now - self.then[danger.name] <= min(max(ages, default=self.evidence), self.evidence)

    def answers(self, hmc: SimHmc) -> bool:
        """Whether an HMC has answered for so long that it is not just starting."""
        back = self.back.get(hmc.address)
        return hmc.reachable and (back is None or self.now - back >= self.rehearsal.settings.guards.hmc_back.total_seconds())

    def _judge(self) -> None:
        for invariant in INVARIANTS:
            broken = list(invariant(self))
            if broken:
                kept = sum(breach.rule == invariant.__name__ for breach in self.breaches)
                self.breaches += [Breach(self.now, invariant.__name__, because) for because in broken][:KEPT - kept]

    # -- the truth

    def _note(self) -> None:
        """What is true now, and since when; asked whenever the partition changes, be it in the middle of a look."""
        here, now = self.rehearsal.partition, self.now
        before = self.since
        self._note_hmcs(here, now)
        self._note_noise(here, now)
        self.since = {danger.name: before.get(danger.name, now) for danger in DANGERS if danger.there(self, here)}
        if len(here.did) != self.noted:
            self.noted = len(here.did)
            self.then = {name: at for name, at in self.since.items() if name not in OURS}
            self.then.update((name, at) for name, at in before.items() if name in UNDONE)
        self._note_wrong(here, now)
        if here.tricks or here.slowness > 1.0:
            self.lied_at = now
        if self.stopped_at is not None:
            self._note_debt(here, now)

    def _note_wrong(self, here: Partition, now: float) -> None:
        wrong = ails(here, self.rehearsal.settings)
        if wrong != self.wrong:
            self.wrong_since = now
        if self.wrong or wrong:
            self.right_since = now
        self.wrong = wrong

    def _note_hmcs(self, here: Partition, now: float) -> None:
        for hmc in here.hmcs:
            if not hmc.reachable:
                self.lost.setdefault(hmc.address, now)
            elif now - self.lost.pop(hmc.address, now) >= AWAY:
                self.back[hmc.address] = now
        pid = here.row("ctrmc").pid
        if pid not in (None, self.rmc_pid):
            self.rmc_pid, self.rmc_started_at = pid, now

    def _note_noise(self, here: Partition, now: float) -> None:
        noise = sum([log.size for log in here.logs.values()])
        if noise != self.noise:
            self.noisy_at = now
            added, kind = max(0, noise - self.noise), here.storming
            self.noises.append((now, added, kind))
            self.heard += added
            self.heard_kinds[kind] = self.heard_kinds.get(kind, 0) + 1
            while len(self.noises) > MOST_NOISES or (
                    self.noises[0][0] <= now - self.rehearsal.settings.log.storm.within.total_seconds()):
                self._unheard()
            self.noise = noise

    def _unheard(self) -> None:
        """The oldest noise is too old."""
        _, size, kind = self.noises.popleft()
        self.heard -= size
        self.heard_kinds[kind] -= 1
        if not self.heard_kinds[kind]:
            del self.heard_kinds[kind]

    def hears_hmc_errors(self) -> bool:
        """Whether this agent has seen twice as many errors of an HMC as make a storm, and no other noise beside them."""
        storm = self.rehearsal.settings.log.storm
        since = max(self.now - storm.within.total_seconds(), self.born_at)
        while self.noises and self.noises[0][0] <= since:       # since never moves back
            self._unheard()
        return self.heard > 2 * storm.bytes and self.heard_kinds.keys() == {"hmc"}

    def _note_debt(self, here: Partition, now: float) -> None:
        if here.active("ctrmc") or now - (self.stopped_at or 0.0) > HOUR or here.machine != self.stopped_machine:
            self.stopped_at, self.in_debt = None, False
        elif (not self.rehearsal.alive or here.underway or "somebody else is at work" in self.since
              or any(call[0] in ("rmcctrl", "lssrc") for call in here.tricks) or here.slowness > 20.0):
            self.free_since = now

    # -- what is new

    def _take(self) -> bool:
        rehearsal = self.rehearsal
        here = rehearsal.partition
        if here.boot != self.boot:
            self.boot, self.booted_at, self.steady_at = here.boot, self.now, None
            self.last, self.last_attempt, self.stopped_at = ("", -HOUR), 0, None
            self.in_debt, self.looping_until = False, 0.0
        if rehearsal.lives != self.lives:
            self._take_life()
        self.unwritten = rehearsal.host.state_full or (self.unwritten and (not rehearsal.alive or rehearsal.file.behind))
        self.gone = self.gone if self.unwritten else {}
        marks = (len(rehearsal.did), len(rehearsal.told), len(here.disasters), len(rehearsal.mistakes))
        self.new_view = rehearsal.cycle.view is not self.view
        if marks == self.marks and not self.new_view:
            self.commands, self.begun, self.told, self.disasters, self.mistakes = (), [], (), (), ()
            return False
        begun, events, disasters, mistakes = self.marks
        self.marks, self.view = marks, rehearsal.cycle.view
        self.told, self.mistakes = rehearsal.told[events:], rehearsal.mistakes[mistakes:]
        self.disasters = here.disasters[disasters:]
        if self.told:
            self.view.cluster()         # which `status` would tell now, and nothing here reads
        self._take_pause()
        self.commands = [one.command for one in rehearsal.did[begun:]]
        self.begun = [begun for command in self.commands for begun in self._take_command(command)]
        return True

    def _take_life(self) -> None:
        ledger = self.rehearsal.ledger
        self.lives, self.born_at = self.rehearsal.lives, self.now
        if self.newest and self.newest not in ledger.attempts:
            self.lost_at, self.newest, self.paused_until, self.steady_at, self.deleted = self.now, 0, 0.0, None, {}
            self.unwritten = True
        if self.unwritten:
            self.doubtful.update({**self.open, **self.gone})
            self.open, self.gone, self.steady_at, self.looping_until = {}, {}, None, 0.0

    def _take_pause(self) -> None:
        """Until when the agent has been told, or tells itself, to do nothing."""
        for told in self.told:
            if told.event.code == "RMCA1004N":
                until = datetime.fromisoformat(dict(told.event.fields)["until"])
                self.paused_until = told.at + (until - told.wall).total_seconds()
            elif told.event.code == "RMCA1005N":
                self.paused_until = 0.0
            elif told.event.code == "RMCA1008E":
                self.looping_until = told.at + HOUR - 1.0

    def _take_command(self, command: str) -> Iterator[Begun]:
        """The deed that this command begins, if it goes on with none."""
        attempts = [attempt for attempt in self.rehearsal.ledger.attempts.values() if not attempt.shadow]
        newest = attempts[-1].id if attempts else 0
        if command not in deeds.MEANING:
            return                              # which is a breach in itself
        remedy, goes_on = self._meaning(command, newest)
        self.last, self.last_attempt = (command, self.now), newest
        if command in STOPS:
            self.stopped_at, self.in_debt, self.free_since = self.now, True, self.now
            self.stopped_machine = self.rehearsal.partition.machine
        elif command == "rmcctrl -A":
            self.in_debt = False
        if command == "recfgct":
            self.first_machine = self.rehearsal.partition.machine       # no copy of any other from now on
        seen = self.rehearsal.cycle.seen
        if goes_on or seen is None:
            return
        if attempts and attempts[-1].by != "finish":
            self.newest = attempts[-1].id
        attempt = attempts[-1] if attempts else None
        yield Begun(command, remedy, attempt, seen)
        if remedy is not None:
            self.done[remedy].append(self.now)

    def _meaning(self, command: str, attempt: int) -> Tuple[Optional[Remedy], bool]:
        """(which remedy it belongs to, whether one that was begun before goes on with it), by the order of the commands; what
        hung for hours goes on with its own attempt."""
        before, at = self.last
        soon = self.now - at <= GOES_ON or attempt == self.last_attempt
        remedy = deeds.MEANING[command]
        if remedy is Remedy.START:
            if soon and before in (*STOPS, command):
                return None, True
            return (None if self.stopped_at is not None else remedy), False
        if remedy is Remedy.REFRESH:
            earlier = (*REFRESHES[:REFRESHES.index(command)], *(("rmcctrl -A", "recfgct") if command == REFRESHES[0] else ()))
            return remedy, soon and before in earlier
        return remedy, False


Invariant = Callable[[Auditor], Iterator[str]]
INVARIANTS: Tuple[Invariant, ...] = (
    deeds.never_in_a_cluster,
    deeds.nobody_is_cut_off,
    deeds.nothing_is_begun_on_hold,
    deeds.only_what_the_policy_allows,
    deeds.only_on_fresh_evidence,
    deeds.never_over_budget,
    deeds.nothing_is_begun_in_vain,
    deeds.nothing_follows_too_soon,
    deeds.recfgct_comes_last,
    deeds.one_action_at_a_time,
    deeds.nothing_is_done_on_a_gap,
    deeds.rmc_is_started_again,
    deeds.a_sound_partition_is_left_alone,
    words.problems_come_and_go_in_pairs,
    words.every_problem_has_its_end,
    words.every_refusal_says_what_helps,
    words.all_is_bounded,
    words.no_mistake_of_ours,
    deeds.no_disaster,
    words.no_fault_is_missed,
    words.every_line_is_a_line,
    deeds.recfgct_once_an_episode,
    words.a_clock_that_is_set_moves_nothing,
)
