"""The ledger against a model of it, on a disk that tears, forgets what was not synced, and fills up, at any call.

The model knows of everything told which values it had, in their order, and which of them was promised to survive. Whatever
happens, what a new ledger reads is the promised value or a later one; of an attempt's intent that is the attempt itself.
"""
from __future__ import annotations

import errno
import io
import os
import stat
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Dict, FrozenSet, Iterator, List, Mapping, Optional, Set, Tuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from rmcagent import ledger as ledger_module
from rmcagent import records
from rmcagent.ledger import KEPT_DECISIONS, Ledger
from rmcagent.model import Attempt, Episode, Fault, KnownHmc, Outcome, Pause, Remedy
from rmcagent.sim.clock import VirtualClock

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)
PATH = "/state/ledger.jsonl"
REFUSALS = ("full", "once")


# -- the disk


class Died(BaseException):
    """The process, or the machine, ends in the middle of a call."""


@dataclass(frozen=True)
class Mishap:
    """What goes wrong at the `at`th changing call from now, after `share` of what it would have written."""

    how: str            # dies | power | full, until there is room again | once
    at: int
    share: float


@dataclass(frozen=True)
class Loss:
    """What a power failure leaves of what was not synced: how many of the changes, how much of the next, zeros after it."""

    changes: float
    part: float
    zeros: bool
    names: float


class Inode:
    def __init__(self, content: bytes = b"") -> None:
        self.versions = [content]       # the first is on the disk for certain

    @property
    def content(self) -> bytes:
        return self.versions[-1]

    def becomes(self, content: bytes) -> None:
        self.versions.append(content)

    def synced(self) -> None:
        self.versions = self.versions[-1:]

    def left(self, loss: Loss) -> bytes:
        number = round(loss.changes * (len(self.versions) - 1))
        kept = self.versions[number]
        grown = next((later for later in self.versions[number + 1:] if later.startswith(kept)), kept)
        part = grown[:len(kept) + round(loss.part * (len(grown) - len(kept)))]
        return part + bytes(len(grown) - len(part)) if loss.zeros else part


class Disk:
    """`os` as records.py knows it, over one folder; what it does not have is the real one's."""

    def __init__(self) -> None:
        self.names: List[Dict[str, Inode]] = [{}]       # the first is on the disk for certain
        self.open_files: Dict[int, Optional[Inode]] = {}
        self.mishap: Optional[Mishap] = None
        self.calls = 0
        self.dead = False
        self.met = False                                # a mishap came to pass
        self.path = self

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    @property
    def here(self) -> Dict[str, Inode]:
        return self.names[-1]

    def arm(self, mishap: Optional[Mishap]) -> None:
        self.mishap, self.calls, self.dead, self.met = mishap, 0, False, False

    def power_failed(self, loss: Loss) -> None:
        kept = self.names[round(loss.names * (len(self.names) - 1))]
        left = {inode: Inode(inode.left(loss)) for inode in kept.values()}
        self.names, self.open_files = [{name: left[inode] for name, inode in kept.items()}], {}

    def _call(self, may_be_refused: bool = True) -> Optional[float]:
        """None: all of it; else the share that is done before it ends badly."""
        if self.dead:
            raise Died
        self.calls += 1
        mishap = self.mishap
        if mishap is None or self.calls < mishap.at or (mishap.how in REFUSALS and not may_be_refused):
            return None
        if mishap.how == "once" and self.calls > mishap.at:
            return None
        self.met = True
        return mishap.share if self.calls == mishap.at else 0.0

    def _end(self) -> None:
        assert self.mishap is not None
        if self.mishap.how in REFUSALS:
            raise OSError(errno.ENOSPC, "No space left on device", PATH)
        self.dead = True
        raise Died

    def _change(self, change: Callable[[], None], may_be_refused: bool = True) -> None:
        if self._call(may_be_refused) is not None:
            self._end()
        change()

    def _renamed(self, **names: Optional[Inode]) -> Callable[[], None]:
        return lambda: self.names.append({name: inode for name, inode in {**self.here, **names}.items() if inode is not None})

    # what records.py and ledger.py call

    def open(self, path: str, flags: int, mode: int = 0o777) -> int:
        number = max(self.open_files, default=2) + 1
        if path == "/state":
            self.open_files[number] = None
            return number
        if flags & os.O_CREAT:
            assert path not in self.here and flags & os.O_EXCL
            self._change(self._renamed(**{path: Inode()}))
        if path not in self.here:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        self.open_files[number] = self.here[path]
        return number

    def opened(self, number: int, mode: str) -> io.BytesIO:
        inode = self.open_files.pop(number)
        assert inode is not None and mode == "rb"
        return io.BytesIO(inode.content)

    def close(self, number: int) -> None:
        self.open_files.pop(number, None)

    def write(self, number: int, content: bytes) -> int:
        inode = self.open_files[number]
        assert inode is not None
        share = self._call()
        done = content if share is None else content[:int(share * len(content))]
        if done:
            inode.becomes(inode.content + bytes(done))
        if share is not None:
            self._end()
        return len(done)

    def fsync(self, number: int) -> None:
        inode = self.open_files[number]
        self._change(inode.synced if inode is not None else lambda: self.names.__setitem__(slice(None), self.names[-1:]))

    def ftruncate(self, number: int, size: int) -> None:
        inode = self.open_files[number]
        assert inode is not None
        self._change(lambda: inode.becomes(inode.content[:size]), may_be_refused=False)

    def truncate(self, path: str, size: int) -> None:
        inode = self.here[path]
        self._change(lambda: inode.becomes(inode.content[:size]), may_be_refused=False)

    def replace(self, path: str, other: str) -> None:
        self._change(self._renamed(**{other: self.here[path], path: None}))

    def link(self, path: str, other: str) -> None:
        self._change(self._renamed(**{other: self.here[path]}))

    def unlink(self, path: str) -> None:
        if path not in self.here:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        self._change(self._renamed(**{path: None}), may_be_refused=False)

    def stat(self, path: str) -> os.stat_result:
        if path not in self.here:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        owner = os.geteuid()
        return os.stat_result((stat.S_IFREG | 0o600, 1, 1, 1, owner, 0, len(self.here[path].content), 0, 0, 0))

    lstat = stat

    def fstat(self, number: int) -> os.stat_result:
        inode = self.open_files[number]
        return self.stat(next(path for path, there in self.here.items() if there is inode))

    def exists(self, path: str) -> bool:
        return path in self.here

    def samefile(self, path: str, other: str) -> bool:
        return self.here[path] is self.here[other]

    def dirname(self, path: str) -> str:
        return os.path.dirname(path)

    def makedirs(self, path: str, mode: int = 0o777, exist_ok: bool = False) -> None:
        assert path == "/state"


# -- the model


Same = Callable[[Any, Any], bool]


class Told:
    """The values that something had, in their order; one before `floor` must never be read again."""

    def __init__(self) -> None:
        self.values: List[Any] = [None]
        self.floor = 0
        self.undone: List[Any] = []     # refused, and cut off the file again: a power failure may undo that

    def promise(self) -> None:
        self.floor, self.undone = len(self.values) - 1, []

    def read(self, value: Any, same: Same, power_failed: bool) -> bool:
        """False where that value cannot be. It is the newest from now on; after a power failure it is on the disk."""
        believable = [*(self.undone if power_failed else ()), *self.values[self.floor:]]
        newest = next((number for number in range(len(believable) - 1, -1, -1) if same(believable[number], value)), None)
        if newest is None:
            return False
        # Of decisions, those that are there; of an attempt as told, for what was made younger may not be written.
        known = value if value is None or isinstance(value, list) else believable[newest]
        if power_failed:
            self.values, self.floor, self.undone = [known], 0, []
        else:
            number = self.floor + newest
            self.undone += self.values[number + 1:]
            self.values = [*self.values[:number], known]
        return True


def as_read(ledger: Ledger) -> Dict[str, Any]:
    """Everything that a ledger remembers, by name."""
    return {
        **{f"attempt {number}": attempt for number, attempt in ledger.attempts.items()},
        **{f"hmc {address}": hmc for address, hmc in ledger.known.items()},
        **{f"fact {name}": value for name, value in ledger.facts.items()},
        "episode": (ledger.last_episode, ledger.episode) if ledger.last_episode else None,
        "pause": ledger.pause,
        "decisions": list(ledger.decisions) or None,
    }


def same(told: Any, read: Any, boot: str, refused: FrozenSet[int] = frozenset()) -> bool:
    """What another boot dated in the future may have become younger, for its clock was wrong; a decision that was `refused` may
    be missing."""
    if refused and (isinstance(told, list) or isinstance(read, list)):
        wanted, there = ([entry for entry in entries or () if entry["n"] not in refused] for entries in (told, read))
        return there[max(0, len(there) - len(wanted)):] == wanted and (len(there) == len(wanted) or len(read) == KEPT_DECISIONS)
    if isinstance(told, Attempt) and isinstance(read, Attempt) and read.boot != boot:
        younger = read.begun_at <= told.begun_at and (read.ended_at or told.begun_at) <= (told.ended_at or told.begun_at)
        return younger and replace(told, begun_at=read.begun_at, ended_at=read.ended_at) == read
    if isinstance(told, Pause) and isinstance(read, Pause):     # it is no longer for that
        return read.until <= told.until and replace(told, until=read.until) == read
    return bool(told == read)


MISHAPS = st.one_of(
    st.none(), st.none(),
    st.builds(Mishap, st.sampled_from(["dies", "power", "full", "once"]), st.integers(1, 9),
              st.sampled_from([0.0, 0.3, 0.99, 1.0])),
)
SHARES = st.sampled_from([0.0, 0.3, 0.5, 0.8, 1.0])
LOSSES = st.builds(Loss, SHARES, SHARES, st.booleans(), SHARES)
NAMES = st.sampled_from(["remote_enabled", "in_band_seen"])
MOMENTS = st.sampled_from(["domains_allowed_at", "seen_at"])
ADDRESSES = st.sampled_from(["192.0.2.31", "192.0.2.32", "2001:db8::31"])


class LedgerOnABadDisk(RuleBasedStateMachine):
    """One state folder through many lives, boots and clocks."""

    entry_bytes = 700

    def __init__(self) -> None:
        super().__init__()
        self.disk = Disk()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(records, "os", self.disk)
        self.patch.setattr(ledger_module, "os", self.disk)
        self.patch.setattr(records, "open", self.disk.opened, raising=False)
        self.patch.setattr(records, "REPLACE_AT", 4096)
        self.clock = VirtualClock(NOON, monotonic=1000.0)
        self.boots = 1
        self.told: Dict[str, Told] = {}
        self.returned: Set[int] = set()         # by begin, since the last damage
        self.spent = False
        self.anchored: Optional[Tuple[datetime, float]] = None
        self.owed = self.met = False            # something could not be written and is not yet; something failed just now
        self.entries = 0
        self.refused: Set[int] = set()          # decisions, since all that was told was written
        self.ledger = self.opened()

    def teardown(self) -> None:
        self.patch.undo()

    # -- lives

    @property
    def boot(self) -> str:
        return f"boot-{self.boots}"

    def opened(self) -> Ledger:
        return Ledger(PATH, self.clock, self.boot)

    def during(self, mishap: Optional[Mishap], loss: Loss, deed: Callable[[], Any]) -> Any:
        """What the deed returns; None where somebody died meanwhile, and a new life has begun since."""
        self.disk.arm(mishap)
        try:
            done = deed()
        except Died:
            assert mishap is not None
            self.live_again(mishap.how, loss)
            return None
        finally:
            self.met = self.disk.met
            self.owed = self.owed or self.met
            self.disk.arm(None)
        return done

    def live_again(self, how: str, loss: Loss, mishap: Optional[Mishap] = None) -> None:
        """A new process after a death; after a power failure it is a new boot, and the disk has lost something."""
        if how == "power":
            self.disk.power_failed(loss)
            self.clock.rebooted()
            self.clock.sleep(30)
            self.boots += 1
            self.anchored = None
        if self.owed:
            self.anchored = None        # it may never have been written
        self.disk.open_files = {}
        self.disk.arm(mishap)
        try:
            torn = self.torn()
            self.ledger = self.opened()
        except Died:
            assert mishap is not None
            self.disk.arm(None)
            self.live_again(mishap.how, loss)
            return
        met, self.owed = self.disk.met, self.disk.met
        if self.ledger.damage:
            self.anchored = None        # it was in what is lost
        self.disk.arm(None)
        self.check_what_was_read(how)
        if not met:
            assert self.ledger.torn == torn, "half a line is told"
            assert not self.opened().torn, "and told once"

    def torn(self) -> bool:
        there = self.disk.here.get(PATH)
        return there is not None and bool(there.content) and not there.content.endswith(b"\n")

    # -- what must hold

    def same(self, told: Any, read: Any) -> bool:
        return same(told, read, self.boot, frozenset(self.refused))

    def check_what_was_read(self, how: str) -> None:
        assert bool(self.ledger.spent_at) == self.spent, self.ledger.damage
        read = as_read(self.ledger)
        for name in {*self.told, *read}:
            known = self.told.setdefault(name, Told())
            believed = known.read(read.get(name), self.same, how == "power")
            assert believed, f"{name}: {read.get(name)} of {known.values}, from {known.floor}, or {known.undone}"

    @invariant()
    def a_moment_of_another_boot_is_none(self) -> None:
        for name, value in self.ledger.facts.items():
            if name.endswith("_at"):
                assert (self.ledger.moment(name) is not None) == (value["boot"] == self.boot)

    @invariant()
    def no_file_is_larger_than_it_may_get(self) -> None:
        assert all(len(inode.content) <= records.LARGEST for inode in self.disk.here.values())

    @invariant()
    def no_wall_clock_moves_the_steady_one(self) -> None:
        steady = self.ledger.steady
        if self.anchored is not None and not self.owed:
            assert (steady.anchor_wall, steady.anchor_monotonic) == self.anchored
        self.anchored = (steady.anchor_wall, steady.anchor_monotonic)

    @invariant()
    def memory_is_what_was_told_last(self) -> None:
        read = as_read(self.ledger)
        for name, told in self.told.items():
            assert same(told.values[-1], read.get(name), self.boot), name

    # -- telling

    def tell(self, name: str, value: Any, *then: Any) -> None:
        self.told.setdefault(name, Told()).values += [value, *then]

    def refuse(self, name: str, before: Any, mishap: Optional[Mishap]) -> None:
        """Whoever was told no must not find it done later, unless nothing at all could be made sure of any more."""
        if mishap is None or mishap.how == "once":      # None: it writes no more, so that what is there stays as it is
            self.told[name].values.pop()
        else:
            self.tell(name, before)

    def promised(self, name: str) -> None:
        """A durable write has succeeded: that, and all that was told before it where there was room for it, is on the disk."""
        self.told[name].promise()
        self.owed = self.met or self.ledger._file.behind
        if not self.owed:
            self.refused.clear()
            for told in self.told.values():
                told.promise()

    @rule(remedy=st.sampled_from(Remedy), fault=st.sampled_from(Fault), shadow=st.booleans(), mishap=MISHAPS, loss=LOSSES)
    def begin(self, remedy: Remedy, fault: Fault, shadow: bool, mishap: Optional[Mishap], loss: Loss) -> None:
        number = max(self.ledger.attempts, default=0) + 1
        name = f"attempt {number}"
        wanted = Attempt(number, remedy, fault, "", "E-1", self.ledger.steady.now(), self.boot, "machine-1", shadow)
        self.tell(name, wanted)

        try:
            attempt = self.during(mishap, loss, lambda: self.ledger.begin(remedy, fault, "", "E-1", "machine-1", shadow))
        except OSError:
            self.refuse(name, None, mishap)
            return
        if attempt is not None:
            assert attempt == wanted and attempt.id not in self.returned
            self.returned.add(attempt.id)
            self.promised(name)

    @precondition(lambda self: self.ledger.attempts)
    @rule(which=st.integers(0, 9), outcome=st.sampled_from([None, *Outcome]), mishap=MISHAPS, loss=LOSSES)
    def update(self, which: int, outcome: Optional[Outcome], mishap: Optional[Mishap], loss: Loss) -> None:
        numbers = sorted(self.ledger.attempts)
        attempt = self.ledger.attempts[numbers[which % len(numbers)]]
        changed = replace(attempt, outcome=outcome, ended_at=self.ledger.steady.now(), because=f"look {which}")
        self.tell(f"attempt {attempt.id}", changed)

        self.during(mishap, loss, lambda: self.ledger.update(changed))

    @rule(hours=st.one_of(st.none(), st.integers(1, 9)), mishap=MISHAPS, loss=LOSSES)
    def pause(self, hours: Optional[int], mishap: Optional[Mishap], loss: Loss) -> None:
        pause = Pause(self.ledger.steady.now() + timedelta(hours=hours), "SAN work", "root") if hours else None
        before = self.ledger.pause
        self.tell("pause", pause)

        def acknowledged() -> bool:
            self.ledger.set_pause(pause)
            return True

        try:
            done = self.during(mishap, loss, acknowledged)
        except OSError:
            self.refuse("pause", before, mishap)
            return
        if done:
            self.promised("pause")

    @rule(opens=st.booleans(), mishap=MISHAPS, loss=LOSSES)
    def episode(self, opens: bool, mishap: Optional[Mishap], loss: Loss) -> None:
        number = self.ledger.last_episode + opens
        opened = Episode(f"E-{number}", self.ledger.steady.now()) if opens else None
        self.tell("episode", (number, opened) if number else None)

        self.during(mishap, loss, self.ledger.open_episode if opens else self.ledger.close_episode)

    @rule(address=ADDRESSES, name=st.sampled_from(["", "hmc1"]), mishap=MISHAPS, loss=LOSSES)
    def saw(self, address: str, name: str, mishap: Optional[Mishap], loss: Loss) -> None:
        hmc = KnownHmc(address, name, "", self.ledger.steady.now(), None)
        self.tell(f"hmc {address}", hmc)

        self.during(mishap, loss, lambda: self.ledger.saw(hmc))

    @rule(name=NAMES, value=st.sampled_from([True, False, None]), mishap=MISHAPS, loss=LOSSES)
    def remember(self, name: str, value: Optional[bool], mishap: Optional[Mishap], loss: Loss) -> None:
        self.tell(f"fact {name}", value)

        self.during(mishap, loss, lambda: self.ledger.remember(name, value))

    @rule(name=MOMENTS, forget=st.booleans(), mishap=MISHAPS, loss=LOSSES)
    def remember_moment(self, name: str, forget: bool, mishap: Optional[Mishap], loss: Loss) -> None:
        at = None if forget else self.ledger.steady.now()
        self.tell(f"fact {name}", {"at": at.isoformat(), "boot": self.boot} if at else None)

        self.during(mishap, loss, lambda: self.ledger.remember_moment(name, at))

    @rule(share=st.floats(0.0, 1.0), mishap=MISHAPS, loss=LOSSES)
    def decided(self, share: float, mishap: Optional[Mishap], loss: Loss) -> None:
        self.entries += 1
        entry: Mapping[str, Any] = {"n": self.entries, "because": "x" * int(share * self.entry_bytes)}
        self.tell("decisions", [*self.ledger.decisions, entry][-KEPT_DECISIONS:])

        self.refused |= {self.entries} if mishap else set()
        self.during(mishap, loss, lambda: self.ledger.decided(entry))

    # -- what happens to it

    @rule(seconds=st.sampled_from([1.0, 61.0, 7200.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    @rule(mishap=MISHAPS, loss=LOSSES)
    def catches_up(self, mishap: Optional[Mishap], loss: Loss) -> None:
        self.during(mishap, loss, self.ledger.catch_up)

    @rule(days=st.sampled_from([-1, 1]))
    def wall_clock_is_set(self, days: int) -> None:
        self.clock.jump(days * DAY)

    @rule(how=st.sampled_from(["dies", "power"]), loss=LOSSES, mishap=MISHAPS)
    def life_ends(self, how: str, loss: Loss, mishap: Optional[Mishap]) -> None:
        self.live_again(how, loss, mishap)

    @rule()
    def somebody_looks(self) -> None:
        before = self.disk.here[PATH].content if PATH in self.disk.here else None

        seen = Ledger(PATH, self.clock, self.boot, read_only=True)

        read, told = as_read(seen), as_read(self.ledger)
        assert self.owed or all(same(told.get(name), read.get(name), self.boot) for name in {*read, *told})
        assert (self.disk.here[PATH].content if PATH in self.disk.here else None) == before

    @precondition(lambda self: self.disk.here.get(PATH) is not None and self.disk.here[PATH].content.count(b"\n") > 2)
    @rule(where=st.floats(0.0, 0.99), mishap=MISHAPS, loss=LOSSES)
    def a_byte_in_the_middle_goes_bad(self, where: float, mishap: Optional[Mishap], loss: Loss) -> None:
        inode = self.disk.here[PATH]
        content = bytearray(inode.content)
        end = content.rstrip(b"\n").rfind(b"\n")
        content[int(where * end)] = ord("!")            # which no record of ours holds
        inode.becomes(bytes(content))
        inode.synced()
        self.disk.names = self.disk.names[-1:]
        self.told, self.spent, self.returned, self.anchored = {}, True, set(), None

        self.live_again("dies", loss, mishap)

        assert any(found.content == content for found in self.disk.here.values()), "it is kept for a human"


FAST = settings(max_examples=60, stateful_step_count=40, deadline=None, report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck))
LONG = settings(max_examples=150, stateful_step_count=60, deadline=None, report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck))


@pytest.fixture
def life() -> Iterator[LedgerOnABadDisk]:
    one = LedgerOnABadDisk()
    yield one
    one.teardown()


ALL_LOST = Loss(0.0, 0.0, False, 0.0)
HALF_LOST = Loss(0.5, 0.0, False, 1.0)            # of a line that was written and cut away: the cut
ONLY_NAMES_KEPT = Loss(0.0, 0.0, False, 1.0)
FOLDER_NOT_SYNCED = Mishap("once", 5, 0.0)        # of a new file: made, written, synced, renamed, and then that


def test_an_intent_and_a_pause_survive_a_power_failure_right_after_them(life: LedgerOnABadDisk) -> None:
    life.begin(Remedy.RECYCLE, Fault.LINK_DOWN, False, None, ALL_LOST)
    life.pause(5, None, ALL_LOST)

    life.live_again("power", ALL_LOST)

    assert list(life.ledger.attempts) == [1] and life.ledger.pause is not None


def test_by_how_much_the_clock_was_set_survives_a_power_failure_right_after_it_was_noted(life: LedgerOnABadDisk) -> None:
    before = life.ledger.steady.now()
    life.wall_clock_is_set(1)
    life.catches_up(None, ALL_LOST)

    life.live_again("power", ALL_LOST)

    assert life.ledger.steady.now() - before < timedelta(hours=1)


def test_the_first_intent_of_a_new_file_survives_with_its_name(life: LedgerOnABadDisk) -> None:
    life.decided(0.0, Mishap("full", 1, 0.0), ALL_LOST)         # so that the next write begins a new file

    life.begin(Remedy.RECYCLE, Fault.LINK_DOWN, False, FOLDER_NOT_SYNCED, ALL_LOST)
    life.live_again("power", ALL_LOST)

    assert list(life.ledger.attempts) == [1]


@pytest.mark.parametrize("where", [1, 2, 3])         # written, synced, and its folder synced
def test_what_was_refused_is_not_done_after_a_power_failure(where: int, life: LedgerOnABadDisk) -> None:
    life.begin(Remedy.RECYCLE, Fault.LINK_DOWN, False, None, ALL_LOST)
    life.pause(5, Mishap("once", where, 1.0), ALL_LOST)

    life.live_again("power", HALF_LOST)

    assert list(life.ledger.attempts) == [1] and life.ledger.pause is None


def test_what_was_refused_and_cannot_be_cut_away_for_good_is_not_in_the_next_file(life: LedgerOnABadDisk) -> None:
    life.begin(Remedy.RECYCLE, Fault.LINK_DOWN, False, None, ALL_LOST)
    life.pause(5, Mishap("full", 2, 0.0), ALL_LOST)

    life.catches_up(None, ALL_LOST)
    life.live_again("power", HALF_LOST)

    assert life.ledger.pause is None


def test_a_record_that_can_be_read_but_is_not_what_was_written_is_damage(life: LedgerOnABadDisk) -> None:
    life.begin(Remedy.RECYCLE, Fault.LINK_DOWN, False, None, ALL_LOST)
    written = life.disk.here[PATH]
    written.becomes(written.content.replace(b'"recycle"', b'"refresh"'))

    ledger = life.opened()

    assert ledger.spent_at is not None and ledger.attempts == {}


def test_a_new_file_is_whole_when_it_takes_the_old_ones_place(life: LedgerOnABadDisk) -> None:
    life.begin(Remedy.RECYCLE, Fault.LINK_DOWN, False, None, ALL_LOST)
    for _ in range(8):
        life.decided(1.0, None, ALL_LOST)

    life.live_again("power", ONLY_NAMES_KEPT)

    assert list(life.ledger.attempts) == [1]


def test_a_loss_is_remembered_over_a_power_failure(life: LedgerOnABadDisk) -> None:
    life.begin(Remedy.RECYCLE, Fault.LINK_DOWN, False, None, ALL_LOST)
    life.a_byte_in_the_middle_goes_bad(0.5, None, ALL_LOST)
    lost_at = life.ledger.spent_at

    life.live_again("power", ALL_LOST)

    assert lost_at is not None and life.ledger.spent_at == lost_at


def test_what_was_promised_survives_every_crash() -> None:
    run_state_machine_as_test(LedgerOnABadDisk, settings=FAST)


@pytest.mark.slow
@pytest.mark.parametrize("entry_bytes", [700, 60_000])
def test_it_survives_them_through_a_long_life_too(entry_bytes: int) -> None:
    class Long(LedgerOnABadDisk):
        pass

    Long.entry_bytes = entry_bytes
    run_state_machine_as_test(Long, settings=LONG)
