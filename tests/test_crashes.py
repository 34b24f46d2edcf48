"""The agent's own deaths: a loop of crashes in which it only observes, and a full disk at every write it makes."""
from __future__ import annotations

import errno
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any, List, Tuple

import pytest

from day import HOUR, MINUTE, Day
from rmcagent import lives, records
from rmcagent.ledger import Ledger
from rmcagent.lives import CRASH_SPAN, QUIET_SPAN, Lives, crashed, looping
from rmcagent.model import Deed, Fault, Outcome, Remedy
from rmcagent.sim.clock import VirtualClock

START = ["rmcctrl -A", "rmcctrl -p"]


class Box:
    """One state folder in virtual time; a life is an agent that starts there."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.path = folder / "state" / "ledger.jsonl"
        self.boot = "boot-1"

    def open(self, read_only: bool = False) -> Ledger:
        return Ledger(str(self.path), self.clock, self.boot, read_only)

    def life(self, seconds: float = MINUTE, clean: bool = False) -> int:
        """Lives for a while; the pid of the one before, if that crashed."""
        ledger = self.open()
        died = lives.begin(ledger, 4711)
        self.clock.sleep(seconds)
        if clean:
            lives.end(ledger)
        return died

    @property
    def loops(self) -> bool:
        return lives.in_loop(self.open(read_only=True))


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


# -- counting


@pytest.mark.parametrize("at, loops", [
    ((0.0, 10.0), False),
    ((0.0, 10.0, 20.0), True),
    ((0.0, 10.0, CRASH_SPAN - 1), True),
    ((0.0, 10.0, CRASH_SPAN), False),
    ((0.0, CRASH_SPAN, CRASH_SPAN + 1, CRASH_SPAN + 2), True),
    ((0.0, 1.0, 2.0, QUIET_SPAN, 2 * QUIET_SPAN - 1), True),           # never an hour of quiet
    ((0.0, 1.0, 2.0, QUIET_SPAN + 2.0), False),
])
def test_three_crashes_within_a_quarter_of_an_hour_are_a_loop_until_an_hour_is_quiet(at: Tuple[float, ...], loops: bool) -> None:
    told = Lives("boot-1")

    for moment in at:
        told = crashed(told, moment)

    assert looping(told, at[-1]) is loops and len(told.crashes) <= 3
    assert not looping(told, at[-1] + QUIET_SPAN)


def test_a_life_without_a_clean_stop_is_a_crash_and_the_fourth_life_finds_a_loop(box: Box) -> None:
    died = [box.life() for _ in range(3)]
    before = box.loops

    died.append(box.life())

    assert (died, before, box.loops) == ([0, 4711, 4711, 4711], False, True)


def test_clean_stops_are_no_crashes_and_do_not_end_a_loop_either(box: Box) -> None:
    for _ in range(9):
        assert box.life(clean=True) == 0
    calm = box.loops
    for _ in range(4):
        box.life()

    box.life(clean=True)
    box.life(clean=True)

    assert (calm, box.loops) == (False, True)


@pytest.mark.parametrize("name", ["boot-2", "boot-1", ""], ids=["named", "the same name", "no name"])
def test_a_reboot_is_no_crash_and_begins_anew(box: Box, name: str) -> None:
    box.boot = box.boot if name else ""
    for _ in range(4):
        box.life()
    looped = box.loops
    box.clock.rebooted()
    box.boot = name

    assert (looped, box.life(), box.loops) == (True, 0, False)


def test_a_reboot_amid_each_life_never_makes_a_loop(box: Box) -> None:
    for number in range(6):
        box.boot = f"boot-{number}"
        box.clock.rebooted()
        assert box.life() == 0

    assert not box.loops


@pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(days=-1)])
def test_a_wall_clock_set_forward_or_back_neither_adds_nor_forgets_a_crash(box: Box, jump: timedelta) -> None:
    for _ in range(4):
        box.life()
        box.clock.jump(jump)
    looped = box.loops

    box.clock.sleep(QUIET_SPAN - 2 * MINUTE)
    still = box.loops
    box.clock.sleep(MINUTE)

    assert (looped, still, box.loops) == (True, True, False)


def test_crashes_for_days_stay_one_small_record(box: Box) -> None:
    for _ in range(50):
        box.life()

    assert len(json.dumps(box.open().facts[lives.FACT])) < 200


@pytest.mark.parametrize("wrong", [
    {"boot": "boot-1", "at": 1.0, "pid": 7, "crashes": ["x"], "loop": False}, {"boot": "boot-1"}, [], 7, "x", {},
    {"boot": "boot-1", "at": 1.0, "pid": "7", "crashes": [], "loop": False},
    {"boot": "boot-1", "at": 1.0, "pid": 7, "crashes": [1.0] * 17, "loop": False},
    {"boot": "boot-1", "at": 1.0, "pid": 7, "crashes": [float("nan")], "loop": True},
    {"boot": "boot-1", "at": "1", "pid": 7, "crashes": [], "loop": True},
    {"boot": 1, "at": 1.0, "pid": 7, "crashes": [], "loop": True},
    {"boot": "boot-1", "at": 1.0, "pid": 7, "crashes": [], "loop": 1},
])
def test_a_damaged_memory_of_crashes_is_no_reason_to_act(box: Box, wrong: Any) -> None:
    ledger = box.open()
    ledger._file.append({"k": "fact", "name": lives.FACT, "value": wrong})

    again = box.open()

    assert again.spent_at is not None and "damaged" in again.damage
    assert lives.begin(again, 1) == 0


def test_a_disk_without_room_costs_neither_the_start_nor_in_the_end_the_count(
        box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        box.life()
    with monkeypatch.context() as patch:
        patch.setattr(records, "_write", no_room)
        ledger = box.open()
        lives.begin(ledger, 4711)
        looped = lives.in_loop(ledger)
    box.clock.sleep(MINUTE)
    ledger.catch_up()

    assert (looped, box.loops) == (True, True)


def test_a_plan_and_a_status_are_of_a_memory_they_do_not_change(box: Box) -> None:
    for _ in range(4):
        box.life()
    written = box.path.read_bytes()

    assert box.loops and box.path.read_bytes() == written


# -- a full disk


def no_room(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


class Died(BaseException):
    """As kill -9: nothing is cleaned up."""


class Disk:
    """The file system below the state folder: from its `full_at`-th write on it is full, until there is room again."""

    def __init__(self, day: Day, monkeypatch: pytest.MonkeyPatch, full_at: int = 1 << 30, code: int = errno.ENOSPC,
                 deadly: bool = False) -> None:
        self.day, self.full_at, self.code, self.deadly = day, full_at, code, deadly
        self.writes = self.compacted = 0
        self.begun: List[Tuple[int, str]] = []          # (attempt, remedy) of each helper asked for with files, in vain or not
        self.bare: List[int] = []
        self.write, self.rename = records._write, os.replace
        monkeypatch.setattr(records, "REPLACE_AT", 1500)            # so that it is compacted again and again
        day.cycle.ledger._file._replace_at = 1500
        monkeypatch.setattr(records, "_write", self._write)
        monkeypatch.setattr(os, "replace", self._replace)
        self.begin = day.host.begin
        monkeypatch.setattr(day.host, "begin", self._begin)

    def _takes(self) -> bool:
        self.writes += 1
        return self.writes < self.full_at

    def _refuse(self) -> None:
        if self.deadly:
            self.has_room()
            raise Died()
        raise OSError(self.code, os.strerror(self.code))

    def _write(self, file: int, content: bytes) -> None:
        if self._takes():
            return self.write(file, content)
        os.write(file, content[: len(content) // 2])        # a full disk takes half a line
        self._refuse()

    def _replace(self, old: str, new: str) -> None:
        if not self._takes():
            self._refuse()
        self.rename(old, new)
        self.compacted += 1

    def _begin(self, deed: Deed, folder: str) -> None:
        """Nothing is begun without a durable intent; what finishes has that of the remedy it finishes."""
        on_disk = self.on_disk()
        attempt = self.day.cycle.ledger.attempts[deed.attempt]
        if attempt.by == "finish":
            assert any(left.remedy.value in ("recycle", "recfgct") and left.id < attempt.id for left in on_disk)
            assert deed.remedy.value == "start"
        else:
            assert deed.attempt in [known.id for known in on_disk] and folder
            self.begun.append((deed.attempt, deed.remedy.value))
        if folder and not self._takes():
            self._refuse()
        if not folder:
            self.bare.append(deed.attempt)
        self.begin(deed, folder)

    def on_disk(self) -> List[Any]:
        ledger = Ledger(self.day.cycle.ledger.path, self.day.clock, self.day.partition.boot, read_only=True)
        return list(ledger.attempts.values())

    def has_room(self) -> None:
        self.full_at = 1 << 30


FAULTS = {
    "refresh": ("stick_session", None, "refresh"),
    "start": ("crash", "ctrmc"),
    "manager": ("manager_crash", "IBM.DRM"),
    "recycle": ("stick_session", None, "recycle"),
    "recfgct": ("break_identity",),
}


def faulty(folder: Path, remedy: str) -> Day:
    day = Day(folder)
    day.run(30 * MINUTE)
    what, *arguments = FAULTS[remedy]
    day.do(what, *arguments)
    return day


def all_holds(day: Day, disk: Disk) -> None:
    """RMC runs, and each remedy that was begun has spent its budget once."""
    assert day.partition.active("ctrmc") and day.partition.disasters == []
    spent = sorted((attempt.id, attempt.remedy.value) for attempt in disk.on_disk() if attempt.by != "finish")
    assert spent == sorted(disk.begun)                  # neither lost nor doubled
    assert len({number for number, _ in disk.begun}) == len(disk.begun)
    assert sorted(day.cycle.ledger.attempts) == sorted(attempt.id for attempt in disk.on_disk())
    assert day.cycle.ledger.spent_at is None and day.verdict in ("healthy", "needs-human")


def dies_with_its_helper(day: Day) -> None:
    day.host.kill_helper(max(day.cycle.ledger.attempts, default=0))
    day.clock.sleep(5 * MINUTE)
    day.restart()


MOST = {"refresh": 17, "start": 17, "manager": 15, "recycle": 26, "recfgct": 38}
QUICK = [("start", 8), ("recycle", 13), ("recfgct", 19)]
EVERY = [pytest.param(remedy, number, dies, marks=() if dies and (remedy, number) in QUICK else pytest.mark.slow)
         for remedy, most in MOST.items() for number in range(1, most + 1) for dies in (False, True)]


@pytest.mark.parametrize("remedy, number, dies", EVERY)
def test_a_disk_that_fills_at_any_write_costs_no_budget_and_leaves_no_rmc_stopped(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remedy: str, number: int, dies: bool) -> None:
    day = faulty(tmp_path, remedy)
    disk = Disk(day, monkeypatch, full_at=number)

    day.run(70 * MINUTE)
    if dies:
        dies_with_its_helper(day)
    day.run(20 * MINUTE)
    disk.has_room()
    day.run(2 * HOUR)

    all_holds(day, disk)


@pytest.mark.parametrize("remedy, number, helper_too", EVERY)
def test_killed_amid_any_write_no_budget_is_lost_or_doubled_and_rmc_runs(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remedy: str, number: int, helper_too: bool) -> None:
    day = faulty(tmp_path, remedy)
    disk = Disk(day, monkeypatch, full_at=number, deadly=True)

    try:
        day.run(70 * MINUTE)
    except Died:
        if helper_too:
            dies_with_its_helper(day)
        else:
            day.restart()
    disk.has_room()
    day.run(2 * HOUR)

    all_holds(day, disk)


@pytest.mark.parametrize("remedy", list(FAULTS))
def test_the_numbers_above_cover_every_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remedy: str) -> None:
    day = faulty(tmp_path, remedy)
    disk = Disk(day, monkeypatch)

    day.run(70 * MINUTE)

    assert 0.8 * MOST[remedy] < disk.writes <= MOST[remedy]
    assert disk.compacted


# -- both died between rmcctrl -z and -A, and the disk is full


def half_way(folder: Path, monkeypatch: pytest.MonkeyPatch, code: int = errno.ENOSPC) -> Tuple[Day, Disk]:
    day = Day(folder)
    disk = Disk(day, monkeypatch, code=code)
    day.run(30 * MINUTE)
    day.do("stick_session")
    while "rmcctrl -z" not in day.did():
        day.clock.sleep(min(1.0, day.cycle.step()))
    day.host.kill_helper(max(day.cycle.ledger.attempts))
    day.clock.sleep(5 * MINUTE)
    disk.full_at = 0
    assert not day.partition.active("ctrmc")
    day.events.clear()
    return day, disk


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_rmc_is_started_again_without_a_file_and_the_lack_of_room_told_once(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    day, disk = half_way(tmp_path, monkeypatch, code)

    day.restart()
    day.run(10 * MINUTE)

    assert day.did()[-2:] == START and day.did().count("rmcctrl -A") == 1 and day.partition.active("ctrmc")
    told = [event for event in day.told("RMCA4001E") if "it is being finished all the same" in day.field(event, "because")]
    assert len(told) == 1 and os.strerror(code) in day.field(told[0], "because") and "make room" in day.field(told[0], "unblock")
    assert len(day.told("RMCA3006W")) == 1 and disk.bare == [max(day.cycle.ledger.attempts)]


def test_what_finished_without_room_is_written_when_there_is_some_and_spends_nothing(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day, disk = half_way(tmp_path, monkeypatch)
    day.restart()
    day.run(10 * MINUTE)
    before = [attempt.by for attempt in disk.on_disk()]

    disk.has_room()
    day.run(30 * MINUTE)

    after = disk.on_disk()
    assert "finish" not in before and [attempt.by for attempt in after].count("finish") == 1
    assert [attempt.outcome for attempt in after if attempt.by == "finish"] == [Outcome.HEALED]
    assert day.verdict == "healthy" and day.did().count("rmcctrl -z") == 1


def test_a_helper_without_files_is_not_begun_twice_while_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day, disk = half_way(tmp_path, monkeypatch)
    day.do("hang_command", "rmcctrl -A")

    day.restart()
    day.run(40 * MINUTE)

    assert len(disk.bare) == 1 and day.cycle.deeds.under_way() is not None


def test_a_helper_without_files_that_dies_is_begun_again_politely_and_three_times_at_most(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day, disk = half_way(tmp_path, monkeypatch)
    at: List[float] = []

    def dies_at_once(deed: Deed, folder: str) -> None:
        if folder:
            no_room()
        at.append(day.clock.monotonic())

    day.host.begin = dies_at_once  # type: ignore[method-assign]
    day.restart()
    day.run(HOUR)

    assert len(at) == 3 and min(later - sooner for sooner, later in zip(at, at[1:])) >= 2 * MINUTE
    assert len([event for event in day.told("RMCA4001E") if "all the same" in day.field(event, "because")]) == 1
    assert not day.told("RMCA3006W") and "start" not in [day.field(event, "remedy") for event in day.told("RMCA3003W")]


def test_an_hour_later_it_is_left_to_the_ladder_even_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day, disk = half_way(tmp_path, monkeypatch)
    day.clock.sleep(56 * MINUTE)

    day.restart()
    day.run(HOUR)

    assert disk.bare == [] and day.did()[-1] == "rmcctrl -z"


def test_an_agent_that_dies_beside_a_helper_without_files_comes_back_to_no_harm(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day, disk = half_way(tmp_path, monkeypatch)
    day.restart()
    while not disk.bare:
        day.clock.sleep(min(1.0, day.cycle.step()))

    day.restart()
    day.run(20 * MINUTE)
    disk.has_room()
    day.run(HOUR)

    assert day.partition.active("ctrmc") and day.partition.disasters == []
    assert day.did().count("rmcctrl -z") == 1 and day.verdict == "healthy"


@pytest.mark.parametrize("code", [errno.EBUSY, errno.EIO])
def test_a_helper_that_cannot_begin_for_another_reason_is_not_begun_without_files(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    day, disk = half_way(tmp_path, monkeypatch, code)

    day.restart()
    day.run(10 * MINUTE)

    assert disk.bare == [] and day.did()[-1] == "rmcctrl -z"


def test_a_remedy_is_never_begun_without_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day = faulty(tmp_path, "start")
    disk = Disk(day, monkeypatch)

    def files_find_no_room(deed: Deed, folder: str) -> None:
        disk.bare += [] if folder else [deed.attempt]
        no_room()

    day.host.begin = files_find_no_room  # type: ignore[method-assign]
    day.run(2 * HOUR)

    assert disk.bare == [] and day.did() == []


def test_the_crash_loop_does_not_hold_back_what_finishes_but_every_remedy(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    day, disk = half_way(tmp_path, monkeypatch)
    disk.has_room()
    day.restart()

    day.cycle.memory.crash_loop = True
    day.run(10 * MINUTE)
    finished = day.did()[-2:]
    day.do("crash", "ctrmc")
    day.run(HOUR)
    held = not day.partition.active("ctrmc")
    guards = {refusal.guard for decision in day.cycle.view.decisions for refusal in decision.refused_by}
    day.cycle.memory.crash_loop = False
    day.run(HOUR)

    assert (finished, held, day.partition.active("ctrmc")) == (START, True, True)
    assert guards == {"crash-loop"}


# -- the ledger itself


def test_what_found_no_room_is_written_once_there_is_some_within_a_minute_or_two(
        box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = box.open()
    with monkeypatch.context() as patch:
        patch.setattr(records, "_write", no_room)
        ledger.remember("remote_enabled", True)
        box.clock.sleep(MINUTE)
        ledger.catch_up()
    lost = dict(box.open(read_only=True).facts)

    ledger.catch_up()                                   # politely: not again within the minute
    waits = dict(box.open(read_only=True).facts)
    box.clock.sleep(MINUTE)
    ledger.catch_up()

    assert (lost, waits, box.open(read_only=True).facts) == ({}, {}, {"remote_enabled": True})


def test_a_remedy_called_finished_that_was_never_written_finishes_no_later_one(box: Box) -> None:
    ledger = box.open()
    ledger.remember("finished", 7)

    assert box.open().facts["finished"] == 0


def test_the_ledger_of_a_newer_agent_is_not_written_over_by_what_found_no_way_into_it(box: Box) -> None:
    box.open()
    box.path.write_bytes(records._line({"k": "ledger", "v": 2}))
    newer = box.path.read_bytes()
    ledger = box.open()

    ledger.remember("remote_enabled", True)
    box.clock.sleep(2 * MINUTE)
    ledger.catch_up()

    assert box.path.read_bytes() == newer


def test_what_finishes_is_on_disk_before_it_is_begun_where_there_is_room(
        box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = box.open()
    left = ledger.begin(Remedy.RECYCLE, Fault.LINK_DOWN, "", "E-1", "machine-1")
    synced: List[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)

    finishing = ledger.begin_finishing(left, Remedy.START, Fault.RMC_DOWN)

    assert box.open(read_only=True).attempts == {1: left, 2: finishing} and synced
    assert (finishing.by, finishing.episode, finishing.identity) == ("finish", "E-1", "machine-1")
