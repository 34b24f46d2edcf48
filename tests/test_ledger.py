"""The ledger: intents durable before deeds, and nothing that counts lost to a crash, a full disk, a clock or a bad line."""
from __future__ import annotations

import os
import resource
from binascii import crc32
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rmcagent import records
from rmcagent.ledger import KEPT_DECISIONS, KEPT_HMCS, Ledger, lived_before
from rmcagent.model import Attempt, Fault, KnownHmc, Outcome, Pause, Remedy
from rmcagent.records import LARGEST
from rmcagent.sim.clock import VirtualClock

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
HEADER = {"k": "ledger", "v": 1}


class Desk:
    """A clock, a boot and a path; `open` is an agent that starts."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(NOON, monotonic=1000.0)
        self.boot = "boot-1"
        self.path = folder / "state" / "ledger.jsonl"

    def open(self, read_only: bool = False, lived: bool = False) -> Ledger:
        return Ledger(str(self.path), self.clock, self.boot, read_only, lived)

    def reboot(self, boot: str = "boot-2") -> None:
        self.boot = boot
        self.clock.rebooted()
        self.clock.sleep(60)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def intend(ledger: Ledger, remedy: Remedy = Remedy.RECYCLE) -> Attempt:
    return ledger.begin(remedy, Fault.LINK_DOWN, "", "E-1", "machine-1")


def remembered(ledger: Ledger) -> Tuple[Any, ...]:
    return (ledger.attempts, ledger.episode, ledger.last_episode, ledger.pause, ledger.known, ledger.facts,
            list(ledger.decisions), ledger.spent_at, ledger.steady.anchor_wall, ledger.steady.anchor_monotonic)


def fill(ledger: Ledger, size: int) -> None:
    """Write decisions until the file is at least that long."""
    while os.path.getsize(ledger.path) < size:
        ledger.decided({"because": "x" * 4000})


def live(ledger: Ledger) -> None:
    """Remember something of each kind."""
    first = intend(ledger)
    ledger.update(replace(first, ended_at=ledger.steady.now(), outcome=Outcome.UNCHANGED, because="still down",
                          failed="rmcctrl -p: exit 1"))
    intend(ledger, Remedy.REFRESH)
    ledger.open_episode()
    ledger.set_pause(Pause(NOON + HOUR, "quiet, please", "operator"))
    ledger.saw(KnownHmc("192.0.2.21", "7063CR1*1300001", "00000000000000ff", NOON, NOON))
    ledger.remember("finished", 1)
    ledger.remember_moment("domains_allowed_at", NOON)
    ledger.decided({"kind": "apply", "because": "caf\u00e9 \udcff \x1b"})


# ---- what is remembered ------------------------------------------------------------------------------------------------


def test_everything_told_is_there_after_a_restart(desk: Desk) -> None:
    ledger = desk.open()
    live(ledger)

    again = desk.open()

    assert remembered(again) == remembered(ledger)
    assert (again.damage, again.torn, again.moment("domains_allowed_at")) == ("", False, NOON)
    assert [attempt.outcome for attempt in again.attempts.values()] == [Outcome.UNCHANGED, None]


def test_what_is_forgotten_stays_forgotten(desk: Desk) -> None:
    ledger = desk.open()
    live(ledger)
    ledger.close_episode()
    ledger.set_pause(None)
    ledger.remember("finished", None)
    ledger.remember_moment("domains_allowed_at", None)

    again = desk.open()

    assert (again.episode, again.last_episode, again.pause, again.facts) == (None, 1, None, {})
    assert again.open_episode().id == "E-2"


def test_a_moment_of_another_boot_is_none(desk: Desk) -> None:
    desk.open().remember_moment("domains_allowed_at", NOON)

    desk.reboot()

    assert desk.open().moment("domains_allowed_at") is None


def test_what_is_said_twice_is_written_once(desk: Desk) -> None:
    ledger = desk.open()
    ledger.saw(KnownHmc("192.0.2.21"))
    ledger.remember("finished", 1)
    size = desk.path.stat().st_size

    ledger.saw(KnownHmc("192.0.2.21"))
    ledger.remember("finished", 1)
    ledger.remember("never told", None)

    assert desk.path.stat().st_size == size


def test_the_file_is_nobody_elses(desk: Desk) -> None:
    desk.open()

    assert (desk.path.stat().st_mode & 0o777, desk.path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


# ---- intent before deed ------------------------------------------------------------------------------------------------


def test_an_intent_is_on_the_disk_before_begin_returns(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = desk.open()
    synced: List[bytes] = []

    def fsync(file: int) -> None:
        synced.append(desk.path.read_bytes())

    monkeypatch.setattr(records.os, "fsync", fsync)
    intend(ledger)

    assert synced and all(b'"k":"attempt"' in content for content in synced)


def test_without_a_folder_to_write_into_there_is_no_attempt(desk: Desk) -> None:
    ledger = desk.open()
    desk.path.unlink()
    desk.path.parent.rmdir()

    with pytest.raises(OSError):
        intend(ledger)
    with pytest.raises(OSError):
        ledger.set_pause(Pause(NOON, "quiet"))

    assert (ledger.attempts, ledger.pause) == ({}, None)


def test_an_intent_that_could_not_be_made_durable_is_not_read_as_one_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = desk.open()
    before = desk.path.read_bytes()

    with monkeypatch.context() as patch:
        patch.setattr(records.os, "fsync", failing(5, "Input/output error"))
        with pytest.raises(OSError, match="Input/output"):
            intend(ledger)

    assert desk.path.read_bytes() == before
    assert (ledger.attempts, desk.open().attempts) == ({}, {})
    assert intend(ledger).id == 1


@pytest.mark.parametrize("code", [9, 22])
def test_a_system_that_does_not_sync_folders_can_have_intents_all_the_same(code: int, desk: Desk,
                                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = desk.open()
    real = os.fsync

    def fsync(file: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{file}"):
            raise OSError(code, os.strerror(code))
        real(file)

    monkeypatch.setattr(records.os, "fsync", fsync)
    intend(ledger)

    assert list(desk.open().attempts) == [1]


def test_a_failure_to_write_less_than_an_intent_stops_nothing_and_is_told_once(desk: Desk) -> None:
    ledger = desk.open()
    attempt = intend(ledger)

    with no_room(desk.path.stat().st_size):
        ledger.update(replace(attempt, outcome=Outcome.HEALED))
        told, ledger.damage = ledger.damage, ""
        ledger.decided({"because": "x"})
        told_again = ledger.damage
    ledger.decided({"because": "y"})

    assert told.startswith(f"cannot write {desk.path}: ") and told_again == ""
    assert ledger.attempts[1].outcome is Outcome.HEALED
    assert [entry["because"] for entry in desk.open().decisions] == ["x", "y"]      # what found no room comes with what does
    assert desk.open().attempts[1].outcome is Outcome.HEALED


# ---- half lines and bad lines ------------------------------------------------------------------------------------------


def test_half_a_line_that_a_full_disk_left_is_cut_away(desk: Desk) -> None:
    ledger = desk.open()
    attempt = intend(ledger)
    before = desk.path.read_bytes()

    with no_room(len(before) + 20):
        with pytest.raises(OSError):
            intend(ledger)
        ledger.update(replace(attempt, outcome=Outcome.HEALED))
    after = desk.path.read_bytes()

    assert after == before
    assert list(ledger.attempts) == [1]


def test_half_a_line_that_cannot_be_cut_away_is_mended_by_a_new_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = desk.open()
    intend(ledger)

    with monkeypatch.context() as patch, no_room(desk.path.stat().st_size + 20):
        patch.setattr(records.os, "ftruncate", failing(5, "Input/output error"))
        with pytest.raises(OSError):
            intend(ledger)
    torn = not desk.path.read_bytes().endswith(b"\n")
    intend(ledger, Remedy.REFRESH)

    again = desk.open()
    assert torn
    assert [attempt.remedy for attempt in again.attempts.values()] == [Remedy.RECYCLE, Remedy.REFRESH]
    assert (again.damage, again.torn) == ("", False)


def test_a_ledger_cut_at_any_byte_loads_with_every_intent_before_the_cut(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    ledger = desk.open()
    durable: List[Tuple[int, int]] = []
    for remedy in (Remedy.REFRESH, Remedy.RECYCLE):
        ledger.decided({"because": "\u00e9"})
        attempt = intend(ledger, remedy)
        durable.append((desk.path.stat().st_size, attempt.id))
    live(ledger)
    content = desk.path.read_bytes()
    begun = content.index(b"\n") + 1

    for cut in range(len(content)):
        desk.path.write_bytes(content[:cut])
        again = desk.open(read_only=cut % 19 != 0)
        assert {number for size, number in durable if size <= cut} <= set(again.attempts)
        assert (again.spent_at is None) == (cut >= begun)
        if not again.read_only:
            assert again.torn == (cut >= begun and not content[:cut].endswith(b"\n"))


def test_a_torn_end_is_dropped_told_and_grown_over(desk: Desk) -> None:
    ledger = desk.open()
    intend(ledger)
    with desk.path.open("ab") as file:
        file.write(b'0badc0de {"k":"fact","na')

    again = desk.open()
    intend(again, Remedy.REFRESH)
    third = desk.open()

    assert (again.torn, again.damage, again.spent_at) == (True, "", None)
    assert (third.torn, list(third.attempts)) == (False, [1, 2])


def test_a_torn_end_that_cannot_be_cut_away_is_mended_by_a_new_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    live(desk.open())
    tear(desk.path, b"half a li")

    with monkeypatch.context() as patch:
        patch.setattr(records.os, "truncate", failing(5, "Input/output error"))
        again = desk.open()
    intend(again)

    assert again.torn
    assert (remembered(desk.open()), desk.open().torn) == (remembered(again), False)


def test_zeros_at_the_end_are_a_torn_end(desk: Desk) -> None:
    intend(desk.open())
    with desk.path.open("ab") as file:
        file.write(b"\0" * 700)

    again = desk.open()

    assert (again.torn, list(again.attempts)) == (True, [1])


def test_a_bad_line_among_good_ones_sets_the_ledger_aside_and_spends_all_budgets(desk: Desk) -> None:
    ledger = desk.open()
    live(ledger)
    damaged = spoil(desk.path)
    desk.clock.sleep(60)

    again = desk.open()
    third = desk.open()

    aside = Path(f"{desk.path}.damaged-1")
    assert aside.read_bytes() == damaged
    assert again.damage.startswith(f"{desk.path}: the checksum of line 3 is wrong; set aside as {aside}")
    assert (again.attempts, again.pause, again.spent_at) == ({}, None, NOON + timedelta(minutes=1))
    assert (third.damage, third.spent_at) == ("", again.spent_at)


def test_a_bad_last_line_that_is_whole_is_damage_and_no_torn_end(desk: Desk) -> None:
    intend(desk.open())
    lines = desk.path.read_bytes().split(b"\n")
    lines[-2] = lines[-2].replace(b"recycle", b"refresh")
    desk.path.write_bytes(b"\n".join(lines))

    again = desk.open()

    assert (again.torn, again.attempts, again.spent_at) == (False, {}, NOON)
    assert again.damage.startswith(f"{desk.path}: the checksum of line {len(lines) - 1} is wrong; set aside")


def test_a_ledger_that_is_gone_though_an_agent_lived_here_spends_all_budgets(desk: Desk) -> None:
    live(desk.open())
    desk.path.unlink()
    desk.clock.sleep(60)

    looking = desk.open(read_only=True, lived=True)
    again = desk.open(lived=True)
    third = desk.open(lived=True)

    assert again.damage == looking.damage == f"{desk.path} is gone, though an agent has lived here before"
    assert (again.attempts, again.spent_at, looking.spent_at) == ({}, NOON + timedelta(minutes=1), NOON + timedelta(minutes=1))
    assert (third.damage, third.spent_at) == ("", again.spent_at)


def test_a_fresh_folder_has_all_its_budgets(desk: Desk) -> None:
    ledger = desk.open()

    assert (ledger.damage, ledger.spent_at) == ("", None)


@pytest.mark.parametrize("trace", ["lock", "deed-7.jsonl", "archive-3", "archive-3.1", "ledger.jsonl.damaged-1",
                                   "ledger.jsonl.new"])
def test_an_agent_is_known_by_what_it_left(trace: str, tmp_path: Path) -> None:
    nobody = (lived_before(str(tmp_path / "nowhere")), lived_before(str(tmp_path)))
    (tmp_path / "inbox").mkdir()
    (tmp_path / "public").mkdir()
    (tmp_path / "lost+found").mkdir()
    empty = lived_before(str(tmp_path))

    (tmp_path / trace).touch()

    assert (nobody, empty, lived_before(str(tmp_path))) == ((False, False), False, True)


@pytest.mark.parametrize("name, value", [
    ("problems", ["link-down"]), ("problems", "link-down"), ("problems", {"link-down": 7}),
    ("domains_allowed_at", "2026-03-04T12:00:00+00:00"), ("domains_allowed_at", {"at": NOON.isoformat()}),
    ("domains_allowed_at", {"boot": "boot-1"}), ("domains_allowed_at", {"at": 7, "boot": "boot-1"}),
    ("domains_allowed_at", {"at": "2026-03-04T12:00:00", "boot": "boot-1"}), ("domains_allowed_at", {"at": "noon", "boot": ""}),
    ("domains_allowed_at", {"at": "9999-12-31T23:59:59+00:00", "boot": "boot-1"}), ("something_seen_at", 7),
    ("remote_enabled", 0), ("remote_enabled", "no"), ("finished", "7"), ("finished", True), ("finished", 7.5),
    ("node", "0011223344556677"), ("node", {"node_id": "0011223344556677", "identity": "system=1"}), ("node", {"boot": 7}),
], ids=str)
def test_a_fact_of_another_shape_is_damage(name: str, value: Any, desk: Desk) -> None:
    intend(desk.open())
    with desk.path.open("ab") as file:
        file.write(written({"k": "fact", "name": name, "value": value}))

    again = desk.open()

    assert again.damage.startswith(f"{desk.path}: a record is not understood")
    assert (again.facts, again.spent_at) == ({}, NOON)


def test_facts_of_their_own_shape_and_of_unknown_names_are_kept(desk: Desk) -> None:
    facts = {"problems": {"link-down": "all O", "rmc-down": None}, "remote_enabled": False, "in_band_seen": True, "finished": 7,
             "stopped_by": 8, "something_seen_at": {"at": NOON.isoformat(), "boot": "boot-1"}, "of tomorrow": [1, {"a": "b"}],
             "lives": {"boot": "boot-1", "at": 2.0, "pid": 7, "crashes": [1.0, 2.0], "loop": False}}
    ledger = desk.open()
    for _ in range(7):
        intend(ledger)
    for name, value in facts.items():
        ledger.remember(name, value)

    again = desk.open()

    assert (again.facts, again.damage) == (facts, "")


@pytest.mark.parametrize("plant", [os.symlink, lambda target, path: os.mkfifo(path)], ids=["symlink", "fifo"])
def test_what_was_planted_where_a_new_ledger_is_prepared_is_not_written_through(
        plant: Callable[[Path, Path], None], desk: Desk, tmp_path: Path) -> None:
    target = tmp_path / "passwd"
    target.write_text("root:x:0:0")
    desk.path.parent.mkdir()
    plant(target, Path(f"{desk.path}.new"))

    ledger = desk.open()

    assert (ledger.damage, target.read_text()) == ("", "root:x:0:0")
    assert [path.name for path in desk.path.parent.iterdir()] == ["ledger.jsonl"]


def test_a_fifo_in_the_ledgers_place_is_set_aside(desk: Desk) -> None:
    desk.path.parent.mkdir()
    os.mkfifo(desk.path)

    assert (desk.open().spent_at, desk.path.is_file()) == (NOON, True)


def test_damaged_ledgers_are_kept_up_to_nine(desk: Desk) -> None:
    for number in range(1, 12):
        live(desk.open())
        last = spoil(desk.path, f"{number} was here")
        desk.open()

    asides = sorted(desk.path.parent.glob("*.damaged-*"))
    assert len(asides) == 9
    assert asides[-1].read_bytes() == last


def test_an_agent_that_dies_before_there_is_a_new_ledger_finds_the_old_one_damaged_again(desk: Desk,
                                                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    live(desk.open())
    spoil(desk.path)

    with monkeypatch.context() as patch:
        patch.setattr(records.os, "replace", dying)
        with pytest.raises(Died):
            desk.open()
    again = desk.open()

    assert again.spent_at is not None
    assert [path.name for path in desk.path.parent.glob("*.damaged-*")] == ["ledger.jsonl.damaged-1"]


def test_where_links_are_not_known_the_damaged_ledger_is_renamed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    live(desk.open())
    damaged = spoil(desk.path)

    with monkeypatch.context() as patch:
        patch.setattr(records.os, "link", failing(95, "Operation not supported"))
        again = desk.open()

    assert Path(f"{desk.path}.damaged-1").read_bytes() == damaged
    assert (again.spent_at, desk.open().spent_at) == (NOON, NOON)


def test_a_damaged_ledger_that_cannot_be_set_aside_is_left_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    live(desk.open())
    damaged = spoil(desk.path)

    with monkeypatch.context() as patch:
        patch.setattr(records.os, "link", failing(30, "Read-only file system"))
        patch.setattr(records.os, "replace", failing(30, "Read-only file system"))
        again = desk.open()
    with pytest.raises(OSError):
        intend(again)

    assert "cannot set it aside" in again.damage and again.spent_at == NOON
    assert desk.path.read_bytes() == damaged


@pytest.mark.parametrize("content", [
    b"",
    b"\n",
    b"hello\n",
    b"\x80" * 100,
    b"{}\n",
    b'00000000 {"k":"ledger","v":1}\n',
], ids=repr)
def test_what_is_no_ledger_is_set_aside(content: bytes, desk: Desk) -> None:
    desk.path.parent.mkdir()
    desk.path.write_bytes(content)

    ledger = desk.open()

    assert (ledger.spent_at, Path(f"{desk.path}.damaged-1").read_bytes()) == (NOON, content)
    assert desk.open().spent_at == NOON


@pytest.mark.parametrize("record", [
    {"k": "attempt", "id": 1},
    {"k": "attempt", "id": 1, "remedy": "prayer"},
    {"k": "pause", "until": "2026-03-04T12:00:00", "reason": "", "by": ""},
    {"k": "boot", "boot": "boot-1", "wall": NOON.isoformat(), "monotonic": "early"},
    {"k": "boot", "boot": "boot-1", "wall": NOON.isoformat(), "monotonic": -1e300},
    {"k": "decided", "entry": 7},
    {"k": "hmc", "address": []},
    {"k": "hmc", "address": 7, "name": "", "node_id": "", "first_seen": None, "last_up": None},
], ids=str)
def test_a_whole_line_that_is_not_understood_is_damage_too(record: Dict[str, Any], desk: Desk) -> None:
    intend(desk.open())
    with desk.path.open("ab") as file:
        file.write(written(record))

    again = desk.open()

    assert again.damage.startswith(f"{desk.path}: a record is not understood")
    assert (again.attempts, again.spent_at) == ({}, NOON)


def test_a_record_of_an_unknown_kind_is_passed_over(desk: Desk) -> None:
    intend(desk.open())
    with desk.path.open("ab") as file:
        file.write(written({"k": "weather", "sky": "blue"}))

    assert (desk.open().damage, list(desk.open().attempts)) == ("", [1])


def test_a_ledger_larger_than_it_may_get_is_damaged(desk: Desk) -> None:
    ledger = desk.open()
    intend(ledger)
    line = written({"k": "fact", "name": "x", "value": "y" * 50_000})
    with desk.path.open("ab") as file:
        file.write(line * (LARGEST // len(line) + 1))

    assert "larger than it may get" in desk.open().damage


# ---- what is left as it is ---------------------------------------------------------------------------------------------


def test_the_ledger_of_a_newer_agent_is_left_untouched_and_holds_every_deed(desk: Desk) -> None:
    desk.path.parent.mkdir()
    content = written({"k": "ledger", "v": 2}) + b"whatever the future holds\n" + b"and half a li"
    desk.path.write_bytes(content)

    ledger = desk.open()
    ledger.open_episode()
    ledger.decided({"because": "x"})
    with pytest.raises(OSError, match="newer"):
        intend(ledger)

    assert "a newer rmcagent wrote it" in ledger.damage
    assert (ledger.spent_at, ledger.attempts) == (NOON, {})
    assert desk.path.read_bytes() == content
    assert [path.name for path in desk.path.parent.iterdir()] == ["ledger.jsonl"]


def test_a_ledger_that_cannot_be_read_holds_every_deed(desk: Desk) -> None:
    desk.path.mkdir(parents=True)

    ledger = desk.open()
    with pytest.raises(OSError):
        intend(ledger)

    assert ledger.damage.startswith(f"cannot read {desk.path}: ")
    assert (ledger.spent_at, ledger.attempts) == (NOON, {})
    assert desk.path.is_dir()


def linked(path: Path) -> None:
    os.symlink(path.rename(f"{path}.real"), path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("made, mend", [
    (lambda path: os.chown(path, 65534, -1), "its owner is uid 65534, who could change it; move it away, and start the "
     "agent again: every budget then counts as spent"),
    (lambda path: path.chmod(0o666), "others may write it (mode 0666); run: chmod 600 LEDGER, and start the agent again"),
    (lambda path: (linked(path), os.chown(path, 65534, -1, follow_symlinks=False)), "its owner is uid 65534"),
    (lambda path: (linked(path), os.chown(path, 65534, -1)), "its owner is uid 65534"),
], ids=["another's", "written by others", "another's link", "link to another's"])
def test_a_ledger_that_somebody_else_may_have_written_is_left_untouched_and_holds_every_deed(
    made: Callable[[Path], object], mend: str, desk: Desk
) -> None:
    live(desk.open())
    made(desk.path)
    content = desk.path.read_bytes()

    ledger = desk.open()
    ledger.open_episode()
    with pytest.raises(OSError, match="cannot trust"):
        intend(ledger)

    assert f"cannot trust {desk.path}: " in ledger.damage and mend.replace("LEDGER", str(desk.path)) in ledger.damage
    assert (ledger.spent_at, ledger.attempts, ledger.pause) == (desk.clock.now(), {}, None)
    assert desk.path.read_bytes() == content and desk.open(read_only=True).damage == ledger.damage


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_somebody_else_wrote_is_not_believed_once_it_was_moved_away_as_advised(desk: Desk) -> None:
    live(desk.open())
    os.chown(desk.path, 65534, -1)
    desk.open()
    desk.path.rename(f"{desk.path}.distrusted")

    again = desk.open(lived=lived_before(str(desk.path.parent)))

    assert (again.attempts, again.pause, again.spent_at) == ({}, None, NOON)


def test_a_link_to_a_device_is_set_aside_and_nobody_is_told_to_change_the_devices_mode(desk: Desk) -> None:
    desk.path.parent.mkdir()
    desk.path.symlink_to("/dev/null")

    ledger = desk.open()

    assert "it is no regular file" in ledger.damage and "chmod" not in ledger.damage
    assert (desk.path.is_symlink(), ledger.spent_at, desk.open().damage) == (False, NOON, "")


def test_what_is_opened_is_asked_whose_it_is_and_not_what_has_its_name(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(desk.open())
    other = tmp_path / "other"
    other.write_bytes(desk.path.read_bytes())
    other.chmod(0o666)
    openly = os.open
    monkeypatch.setattr(os, "open", lambda path, *flags: openly(other if path == str(desk.path) else path, *flags))

    ledger = desk.open()

    assert "others may write it (mode 0666)" in ledger.damage and ledger.attempts == {}


def test_a_ledger_that_was_mended_is_used_again(desk: Desk) -> None:
    live(desk.open())
    desk.path.chmod(0o660)
    while_open = desk.open()
    desk.path.chmod(0o600)

    again = desk.open()

    assert while_open.attempts == {} and while_open.damage and set(again.attempts) == {1, 2} and again.damage == ""


def test_looking_only_creates_and_writes_nothing(desk: Desk) -> None:
    nothing = desk.open(read_only=True)
    with pytest.raises(OSError):
        intend(nothing)
    nothing.decided({"because": "x"})
    folder_was_made = desk.path.parent.exists()

    live(desk.open())
    with desk.path.open("ab") as file:
        file.write(b"half a li")
    content = desk.path.read_bytes()
    desk.reboot()
    reader = desk.open(read_only=True)
    with pytest.raises(OSError):
        reader.set_pause(None)

    assert not folder_was_made
    assert (reader.torn, reader.pause is not None, len(reader.attempts)) == (False, True, 2)
    assert desk.path.read_bytes() == content
    assert [path.name for path in desk.path.parent.iterdir()] == ["ledger.jsonl"]


def test_looking_at_a_damaged_ledger_leaves_it_where_it_is(desk: Desk) -> None:
    live(desk.open())
    damaged = spoil(desk.path)

    reader = desk.open(read_only=True)

    assert (reader.spent_at, desk.path.read_bytes()) == (NOON, damaged)
    assert not Path(f"{desk.path}.damaged-1").exists()


# ---- size --------------------------------------------------------------------------------------------------------------


def test_a_long_life_keeps_the_file_under_a_mebibyte_and_loses_nothing_that_counts(desk: Desk) -> None:
    ledger = desk.open()
    live(ledger)
    largest = 0
    for number in range(4000):
        ledger.decided({"number": number, "because": "x" * 1000})
        largest = max(largest, desk.path.stat().st_size)

    again = desk.open()

    assert largest <= LARGEST // 2 + 2000
    assert remembered(again) == remembered(ledger)
    assert [entry["number"] for entry in again.decisions] == list(range(4000 - KEPT_DECISIONS, 4000))
    assert (len(again.attempts), again.pause is not None, again.damage) == (2, True, "")


def test_compaction_keeps_attempts_that_count_and_drops_those_of_long_ago(desk: Desk) -> None:
    ledger = desk.open()
    ledger.attempts = {number: old_attempt(number, 40 * DAY if number <= 100 else 20 * DAY) for number in range(1, 401)}

    ledger._file.replace()

    assert list(ledger.attempts) == list(range(101, 401))
    assert list(desk.open().attempts) == list(range(101, 401))


def test_the_newest_attempts_are_kept_however_old(desk: Desk) -> None:
    ledger = desk.open()
    ledger.attempts = {number: old_attempt(number, 90 * DAY) for number in range(1, 301)}

    ledger._file.replace()

    assert list(desk.open().attempts) == list(range(45, 301))
    assert intend(desk.open()).id == 301


def test_of_too_many_hmcs_those_heard_of_last_are_kept(desk: Desk) -> None:
    ledger = desk.open()
    ledger.saw(KnownHmc("192.0.2.1", first_seen=NOON - 30 * DAY, last_up=NOON))
    for number in range(KEPT_HMCS + 20):
        ledger.saw(KnownHmc(f"198.51.100.{number}", first_seen=NOON - DAY))

    ledger._file.replace()

    assert "192.0.2.1" in ledger.known and "192.0.2.1" in desk.open().known
    assert len(ledger.known) == len(desk.open().known) == KEPT_HMCS


def test_what_was_told_is_there_once_after_a_compaction(desk: Desk) -> None:
    ledger = desk.open()
    fill(ledger, records.REPLACE_AT - 2000)
    for number in range(4):
        ledger.decided({"number": number, "because": "x" * 1000})

    numbers = [entry["number"] for entry in desk.open().decisions if "number" in entry]

    assert desk.path.stat().st_size < records.REPLACE_AT // 2
    assert numbers == [0, 1, 2, 3]


def test_a_compaction_without_room_costs_no_record_while_the_file_may_grow(desk: Desk) -> None:
    ledger = desk.open()
    fill(ledger, records.REPLACE_AT - 2000)
    blocked = Path(f"{desk.path}.new")
    blocked.mkdir()

    numbers = [intend(ledger, Remedy.REFRESH).id for _ in range(20)]
    grown = desk.path.stat().st_size
    while_full = list(desk.open().attempts)
    blocked.rmdir()
    for _ in range(2 * records.RETRY_AFTER // 4000):
        ledger.decided({"because": "x" * 4000})

    assert while_full == numbers == list(range(1, 21))
    assert grown > records.REPLACE_AT
    assert desk.path.stat().st_size < grown
    assert list(desk.open().attempts) == numbers


def test_a_ledger_at_its_largest_takes_no_intent(desk: Desk) -> None:
    ledger = desk.open()
    Path(f"{desk.path}.new").mkdir()
    for _ in range(300):
        ledger.decided({"because": "x" * 4000})
    while_there_was_room = intend(ledger)

    with pytest.raises(OSError):
        for _ in range(30):
            intend(ledger)

    assert LARGEST - 500 < desk.path.stat().st_size <= LARGEST
    assert while_there_was_room.id in desk.open().attempts
    assert list(desk.open().attempts) == list(ledger.attempts)


def test_a_compaction_that_fails_leaves_no_half_file(desk: Desk) -> None:
    ledger = desk.open()
    live(ledger)

    with no_room(300), pytest.raises(OSError):
        ledger._file.replace()

    assert [path.name for path in desk.path.parent.iterdir()] == ["ledger.jsonl"]
    assert remembered(desk.open()) == remembered(ledger)


def test_more_than_fits_is_not_written(desk: Desk) -> None:
    ledger = desk.open()
    ledger.facts = {str(number): "x" * 30_000 for number in range(40)}

    with pytest.raises(OSError):
        ledger._file.replace()

    assert desk.path.stat().st_size < 1000


def test_a_ledger_removed_or_written_into_meanwhile_is_written_anew_from_memory(desk: Desk) -> None:
    ledger = desk.open()
    live(ledger)

    desk.path.unlink()
    intend(ledger)
    after_removal = remembered(desk.open())
    with desk.path.open("ab") as file:
        file.write(b"rubbish\nmore rubbish\n")
    intend(ledger)

    assert len(after_removal[0]) == 3
    assert remembered(desk.open()) == remembered(ledger)
    assert len(ledger.attempts) == 4


def test_a_disk_without_room_at_the_first_start_is_told_and_mended_by_the_first_write_that_fits(desk: Desk) -> None:
    with no_room(10):
        ledger = desk.open()
        with pytest.raises(OSError):
            intend(ledger)
    told = ledger.damage
    intend(ledger)

    assert told.startswith(f"cannot write {desk.path}: ")
    assert (list(desk.open().attempts), desk.open().damage, desk.open().spent_at) == ([1], "", None)


# ---- dying at every step -----------------------------------------------------------------------------------------------


class Died(BaseException):
    """What kill -9 is to the code it befalls: nothing after it runs."""


CALLS = ("open", "write", "fsync", "close", "replace", "unlink", "link", "truncate", "ftruncate", "stat")


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("torn_write", [False, True])
def test_an_agent_that_dies_at_any_system_call_keeps_every_durable_intent(damaged: bool, torn_write: bool,
                                                                        tmp_path: Path) -> None:
    deaths = 0
    for nth in range(200):
        desk = Desk(tmp_path / str(nth))
        first = desk.open()
        live(first)
        if damaged:
            spoil(desk.path)
        durable = [] if damaged else list(first.attempts)
        with killed_at(nth, torn_write) as died:
            ledger = desk.open()
            durable.append(intend(ledger).id)
            ledger._file.replace()
            durable.append(intend(ledger).id)
            ledger._file.replace()

        again = desk.open()

        assert set(durable) <= set(again.attempts), f"died at call {nth}"
        assert (again.spent_at is not None) == damaged, f"died at call {nth}"
        assert damaged or again.damage == "", f"died at call {nth}"
        deaths += len(died)
        if not died:
            break
    assert deaths == nth > 15


@contextmanager
def killed_at(nth: int, torn_write: bool) -> Iterator[List[str]]:
    """Die at the nth system call of the records file; a write does half its work first where asked to. No clean-up runs."""
    died: List[str] = []
    count = 0
    real = records.os

    class Kernel:
        """os, until it is over."""

        def __getattr__(self, name: str) -> Any:
            value = getattr(real, name)
            return counted(name, value) if name in CALLS else value

    def counted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            if died and name != "close":
                raise Died(name)           # what runs in a finally is not run by the dead
            if count == nth and not died:
                if name == "write" and torn_write:
                    call(arguments[0], arguments[1][:len(arguments[1]) // 2])
                died.append(name)
                if name == "close":
                    call(*arguments)
                raise Died(name)
            count += 1
            return call(*arguments, **named)
        return run

    records.os = Kernel()                  # type: ignore[assignment]
    try:
        yield died
    except Died:
        pass
    finally:
        records.os = real                  # type: ignore[assignment]


# ---- clocks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [DAY, -DAY, 400 * DAY])
def test_a_clock_set_between_two_starts_of_one_boot_moves_no_age(jump: timedelta, desk: Desk) -> None:
    attempt = intend(desk.open())
    desk.clock.jump(jump)
    desk.clock.sleep(3600)

    again = desk.open()

    assert again.steady.now() - again.attempts[attempt.id].begun_at == HOUR
    assert again.attempts[attempt.id] == attempt


@pytest.mark.parametrize("how", ["dies and boots", "boots without a name", "compacted"])
def test_a_clock_that_was_set_forward_makes_nothing_older_in_the_next_boot(how: str, desk: Desk) -> None:
    """Or a clock set forward a day, and a reboot, would free a day's budget."""
    desk.boot = "" if how == "boots without a name" else "boot-1"
    ledger = desk.open()
    attempt = intend(ledger)
    desk.clock.jump(DAY)
    ledger.catch_up()
    if how == "compacted":
        ledger._file.replace()
    desk.clock.sleep(3600 - 60)
    desk.reboot("" if how == "boots without a name" else "boot-2")

    again = desk.open()
    desk.clock.sleep(3600)
    later = desk.open()

    assert again.steady.anchor_wall - again.attempts[attempt.id].begun_at == HOUR
    assert later.steady.now() - later.attempts[attempt.id].begun_at == 2 * HOUR
    assert again.steady.shown(again.steady.now()) == desk.clock.now()


def test_a_clock_set_forward_and_back_again_leaves_no_trace(desk: Desk) -> None:
    ledger = desk.open()
    for jump in (DAY, -DAY):
        desk.clock.jump(jump)
        ledger.catch_up()
    desk.reboot()

    assert desk.open().steady.now() == desk.clock.now()


def test_a_clock_set_back_is_taken_at_its_word_by_the_next_boot(desk: Desk) -> None:
    """One that starts ahead at every boot, and is set right after it, would else free a little at each."""
    for number in range(2, 12):
        desk.clock.jump(HOUR)
        ledger = desk.open()
        desk.clock.jump(-HOUR)
        ledger.catch_up()
        desk.clock.sleep(7200)
        desk.reboot(f"boot-{number}")

    assert desk.open().steady.now() == desk.clock.now()


RESET = NOON - 9000 * DAY


def boots_with_a_dead_battery(desk: Desk, number: int) -> Ledger:
    """The clock begins anew, the agent starts, and a minute later somebody sets the clock right."""
    true = max(NOON, desk.clock.now()) + HOUR
    desk.reboot(f"boot-{number}")
    desk.clock.jump(RESET + number * SECOND - desk.clock.now())
    ledger = desk.open()
    assert (ledger.steady.anchor_wall, ledger.damage) == (RESET + number * SECOND, "")
    desk.clock.sleep(60)
    desk.clock.jump(true - desk.clock.now())
    ledger.catch_up()
    return ledger


@pytest.mark.parametrize("first", [NOON, RESET], ids=["once right", "never right"])
def test_a_clock_that_begins_anew_at_every_boot_is_taken_at_its_word(first: datetime, desk: Desk) -> None:
    desk.clock.jump(first - desk.clock.now())
    desk.open()
    for number in range(2, 12):
        ledger = boots_with_a_dead_battery(desk, number)

    assert ledger.steady.now() == RESET + 71 * SECOND


@pytest.mark.parametrize("dies", [False, True], ids=["once", "dies in between"])
def test_a_pause_is_no_longer_for_a_clock_that_fell_back_at_a_boot(dies: bool, desk: Desk) -> None:
    desk.open().set_pause(Pause(NOON + HOUR / 2, "SAN work", "root"))

    first = boots_with_a_dead_battery(desk, 2).pause
    desk.clock.sleep(600)
    last = (desk.open() if dies else boots_with_a_dead_battery(desk, 3)).pause

    assert first == Pause(RESET + HOUR / 2 + 2 * SECOND, "SAN work", "root")
    assert first == last


def test_a_pause_keeps_its_end_where_the_clock_went_on(desk: Desk) -> None:
    desk.open().set_pause(Pause(NOON + HOUR, "SAN work", "root"))
    desk.clock.sleep(600)
    desk.reboot()

    assert desk.open().pause == Pause(NOON + HOUR, "SAN work", "root")


def test_a_clock_that_is_a_little_behind_at_every_boot_does_not_add_up(desk: Desk) -> None:
    desk.open()
    for number in range(2, 12):
        desk.clock.sleep(86400)
        desk.reboot(f"boot-{number}")
        desk.clock.sleep(3 * 3600)
        desk.clock.jump(-2 * HOUR)
        ledger = desk.open()
        desk.clock.jump(2 * HOUR)
        ledger.catch_up()
        ledger = desk.open()

    assert desk.clock.now() - ledger.steady.now() == 4 * HOUR


def test_a_clock_set_while_the_agent_was_down_is_known_to_the_next_boot(desk: Desk) -> None:
    attempt = intend(desk.open())
    desk.clock.jump(DAY)
    desk.open()
    desk.clock.sleep(3600 - 60)
    desk.reboot()

    again = desk.open()

    assert again.steady.now() - again.attempts[attempt.id].begun_at == HOUR


def test_a_clock_that_would_be_moved_beyond_what_can_be_counted_is_taken_at_its_word_and_no_damage(desk: Desk) -> None:
    desk.path.parent.mkdir()
    desk.path.write_bytes(written(HEADER) + written({"k": "wall", "ahead": 200 * 365 * 86400, "at": NOON.isoformat()}))

    ledger = desk.open()

    assert (ledger.damage, ledger.steady.now(), desk.open().damage) == ("", NOON, "")


def test_a_clock_that_drifts_costs_no_record(desk: Desk) -> None:
    ledger = desk.open()
    size = desk.path.stat().st_size
    for _ in range(59):
        desk.clock.jump(timedelta(seconds=1))
        ledger.catch_up()
    before = desk.path.stat().st_size
    desk.clock.jump(timedelta(seconds=1))
    for _ in range(3):
        ledger.catch_up()

    assert before == size and desk.path.read_bytes().count(b'"k":"wall"') == 2        # one the file began with


@pytest.mark.parametrize("ahead", ["86400", None, True, 1.5, 10 ** 15])
def test_a_wall_clock_told_in_another_shape_is_damage(ahead: Any, desk: Desk) -> None:
    desk.path.parent.mkdir()
    desk.path.write_bytes(written(HEADER) + written({"k": "wall", "ahead": ahead}))

    assert "is not understood" in desk.open().damage


def test_the_anchor_survives_a_compaction(desk: Desk) -> None:
    ledger = desk.open()
    desk.clock.jump(DAY)
    ledger._file.replace()

    assert desk.open().steady.now() == NOON


def test_each_boot_has_an_anchor_of_its_own(desk: Desk) -> None:
    desk.open()
    desk.clock.sleep(3600)
    desk.reboot()

    second = desk.open()

    assert second.steady.now() == desk.clock.now() == NOON + HOUR + timedelta(minutes=1)


def test_a_boot_without_a_name_is_never_taken_for_the_last_one(desk: Desk) -> None:
    desk.boot = ""
    ledger = desk.open()
    ledger.remember_moment("domains_allowed_at", NOON)
    desk.clock.jump(DAY)
    desk.reboot("")
    desk.clock.sleep(7200)             # so that its seconds do not tell it from the first one

    again = desk.open()

    assert again.steady.now() == desk.clock.now()
    assert again.moment("domains_allowed_at") is None


def test_a_boot_whose_seconds_lie_ahead_of_ours_was_another_one(desk: Desk) -> None:
    desk.open()
    desk.reboot("boot-1")

    assert desk.open().steady.now() == desk.clock.now()


def test_what_another_boot_dated_in_the_future_is_taken_as_of_this_boots_first_reading(desk: Desk) -> None:
    desk.clock.jump(30 * DAY)
    ledger = desk.open()
    ledger.update(replace(intend(ledger), ended_at=ledger.steady.now()))
    desk.clock.jump(-30 * DAY)
    desk.reboot()

    first = desk.open()
    desk.clock.sleep(3600)
    second = desk.open()

    begun = NOON + timedelta(minutes=1)
    assert (first.attempts[1].begun_at, first.attempts[1].ended_at) == (begun, begun)
    assert second.steady.now() - second.attempts[1].begun_at == HOUR


def test_that_first_reading_is_kept_by_every_later_boot(desk: Desk) -> None:
    """Or a budget would never be free while the clock stays behind."""
    desk.clock.jump(30 * DAY)
    intend(desk.open())
    desk.clock.jump(-30 * DAY)
    desk.reboot("boot-2")
    first = desk.open().attempts[1].begun_at
    desk.clock.sleep(3600)

    desk.reboot("boot-3")
    later = desk.open().attempts[1].begun_at

    assert first == later


def test_what_this_boot_dated_is_never_taken_as_of_another_time(desk: Desk) -> None:
    ledger = desk.open()
    desk.clock.sleep(3600)
    intend(ledger)
    desk.clock.jump(-30 * DAY)

    assert desk.open().attempts[1].begun_at == NOON + HOUR


def test_a_loss_dated_in_the_future_counts_from_this_boots_first_reading(desk: Desk) -> None:
    desk.clock.jump(30 * DAY)
    live(desk.open())
    spoil(desk.path)
    desk.open()
    desk.clock.jump(-30 * DAY)
    desk.reboot()

    first = desk.open().spent_at
    desk.clock.sleep(3600)

    assert first == desk.open().spent_at == NOON + timedelta(minutes=1)


# ---- whatever happens, what was told is what is read -------------------------------------------------------------------

OPERATIONS = st.lists(st.one_of(
    st.tuples(st.just("begin"), st.sampled_from(Remedy)),
    st.tuples(st.just("judge"), st.sampled_from(Outcome)),
    st.tuples(st.just("open")), st.tuples(st.just("close")),
    st.tuples(st.just("pause"), st.text(max_size=20)), st.tuples(st.just("resume")),
    st.tuples(st.just("saw"), st.integers(0, 90)),
    st.tuples(st.just("fact"), st.sampled_from("abc"), st.one_of(st.none(), st.integers(), st.text(max_size=9))),
    st.tuples(st.just("decided"), st.text(max_size=30)),
    st.tuples(st.just("wait"), st.integers(0, 10**6)), st.tuples(st.just("jump"), st.integers(-10**6, 10**6)),
    st.tuples(st.just("compact")), st.tuples(st.just("restart")), st.tuples(st.just("tear"), st.binary(max_size=9)),
), max_size=40)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS)
def test_what_was_told_in_any_order_is_what_is_read(operations: List[Tuple[Any, ...]],
                                                  tmp_path_factory: pytest.TempPathFactory) -> None:
    desk = Desk(tmp_path_factory.mktemp("desk"))
    ledger = desk.open()

    for name, *arguments in operations:
        ledger = carry_out(desk, ledger, name, *arguments)
    again = desk.open()

    assert remembered(again) == remembered(ledger)
    assert (again.damage, again.spent_at) == ("", None)


def carry_out(desk: Desk, ledger: Ledger, name: str, *arguments: Any) -> Ledger:
    deeds: Dict[str, Callable[..., object]] = {
        "begin": lambda remedy: intend(ledger, remedy),
        "judge": lambda outcome: judge(ledger, outcome),
        "open": ledger.open_episode,
        "close": ledger.close_episode,
        "pause": lambda reason: ledger.set_pause(Pause(ledger.steady.now() + HOUR, reason)),
        "resume": lambda: ledger.set_pause(None),
        "saw": lambda number: ledger.saw(KnownHmc(f"192.0.2.{number}", last_up=ledger.steady.now())),
        "fact": ledger.remember,
        "decided": lambda because: ledger.decided({"because": because}),
        "wait": desk.clock.sleep,
        "jump": lambda seconds: desk.clock.jump(timedelta(seconds=seconds)),
        "compact": ledger._file.replace,
        "restart": lambda: None,
        "tear": lambda half: tear(desk.path, half),
    }
    deeds[name](*arguments)
    return desk.open() if name in ("restart", "tear") else ledger


def judge(ledger: Ledger, outcome: Outcome) -> None:
    if ledger.attempts:
        ledger.update(replace(ledger.attempts[max(ledger.attempts)], ended_at=ledger.steady.now(), outcome=outcome))


def tear(path: Path, half: bytes) -> None:
    with path.open("ab") as file:
        file.write(half.replace(b"\n", b""))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), length=st.integers(1, 30))
def test_a_flipped_byte_anywhere_loses_no_intent_unnoticed(where: float, byte: int, length: int,
                                                         tmp_path_factory: pytest.TempPathFactory) -> None:
    desk = Desk(tmp_path_factory.mktemp("desk"))
    ledger = desk.open()
    live(ledger)
    content = bytearray(desk.path.read_bytes())
    at = int(where * len(content))
    content[at:at + length] = bytes([byte]) * len(content[at:at + length])
    desk.path.write_bytes(content)

    again = desk.open(read_only=True)

    assert again.attempts == ledger.attempts or again.spent_at is not None


# ---- helpers -----------------------------------------------------------------------------------------------------------


def written(record: Dict[str, Any]) -> bytes:
    return records._line(record)


def spoil(path: Path, note: str = "") -> bytes:
    """Change one letter in the middle of the ledger."""
    lines = path.read_bytes().split(b"\n")
    lines[2] = b"%08x %s" % (crc32(b"{}"), note.encode() or b"{ }")
    path.write_bytes(b"\n".join(lines))
    return path.read_bytes()


def old_attempt(number: int, age: timedelta) -> Attempt:
    return Attempt(number, Remedy.REFRESH, Fault.LINK_DOWN, "", "E-1", NOON - age, "boot-0", outcome=Outcome.UNCHANGED)


def failing(code: int, text: str) -> Callable[..., None]:
    def fail(*arguments: Any) -> None:
        raise OSError(code, text)
    return fail


def dying(*arguments: Any) -> None:
    raise Died()


@contextmanager
def no_room(size: int) -> Iterator[None]:
    """Let no file of ours grow beyond that: a write stops in the middle, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
