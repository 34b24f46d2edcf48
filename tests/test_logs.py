"""logs.py: cursors that lose and repeat nothing, tallies that stay bounded, a census that tells whose fault it is."""
from __future__ import annotations

import os
import re
import tracemalloc
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Callable, List, Optional, Tuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench import logs as bench
from rmcagent.model import Fact, How, LogGrowth, Space
from rmcagent.partition.host import FileStat, SystemHost
from rmcagent.partition.logs import census as reading
from rmcagent.partition.logs import watch as watching
from rmcagent.partition.logs.census import census, census_of
from rmcagent.partition.logs.watch import LogWatch
from rmcagent.partition.parse import Unreadable

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=timezone.utc)
WITHIN = timedelta(minutes=10)


def line(number: str, text: str = "", serial: int = 0) -> str:
    return (f"Tue Mar 4 09:55:49 CUT 2014({serial:06}) ../../../../../src/rsct/rm/MgmtDomainRM/MCP_cfg.c/02047/1.24 {number}"
            f" {text}\n")


HMC = line("2613-021", "MDC received an error response from 9.149.149.74: 262154 2610-415 Cannot execute the command.")
ECHO = line("2613-027", "MDC detected a protocol error with the HMC in RTAS slot number 4 due to prior error 2613-021")
SLOT = line("2613-023", "The data in RTAS slot number 0 is invalid. The error number is 2.")
SLOT_ECHO = line("2613-027", "MDC detected a protocol error with the HMC in RTAS slot number 0 due to prior error 2613-023")
TIMEOUT = line("2613-016", "PKE timed out with the node at IP address 9.149.149.74")


class Asked(SystemHost):
    """The machine, and how many bytes were asked of it at each reading."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes: List[int] = []

    def read_from(self, path: str, offset: int, limit: int) -> Optional[bytes]:
        self.bytes.append(limit)
        return super().read_from(path, offset, limit)


class Blind(SystemHost):
    """No file can be read."""

    def read_from(self, path: str, offset: int, limit: int) -> Optional[bytes]:
        return None


class Watched:
    """A log folder, looked at once a minute."""

    def __init__(self, folder: Path, bytes_per_look: int = 1 << 20, patterns: Optional[Tuple[str, ...]] = None) -> None:
        self.log = folder / "IW" / "log" / "mc" / "IBM.MgmtDomainRM.default"
        self.log.parent.mkdir(parents=True)
        self.watch = LogWatch(patterns or (f"{folder}/*/log/mc/IBM.MgmtDomainRM*",), WITHIN, bytes_per_look)
        self.now = NOON

    def look(self, minutes: float = 1, free: Optional[int] = None) -> Fact[LogGrowth]:
        self.now += timedelta(minutes=minutes)
        return self.watch.look(SystemHost(), self.now, None if free is None else Space("/var", 10 * free, free))

    def growth(self, minutes: float = 1, free: Optional[int] = None) -> LogGrowth:
        value = self.look(minutes, free).value
        assert value is not None
        return value

    def add(self, text: str) -> None:
        with open(self.log, "a") as log:
            log.write(text)


@pytest.fixture(autouse=True)
def forgotten() -> None:
    reading._known.cache_clear()


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_a_log_that_is_not_there_is_no_gap(watched: Watched) -> None:
    fact = watched.look()

    assert fact.how is How.UNASKED
    assert fact.because.startswith("no log file matches /")


def test_what_the_log_said_before_us_is_history(watched: Watched) -> None:
    watched.add(HMC * 100)

    assert watched.growth() == LogGrowth()
    assert watched.growth() == LogGrowth(covers=timedelta(minutes=1))


def test_growth_is_counted_from_where_the_last_look_ended(watched: Watched) -> None:
    watched.add(HMC * 100)
    watched.look()

    watched.add(HMC * 2)
    watched.look()
    watched.add(HMC)
    seen = watched.growth()

    assert seen.messages == {"2613-021": 3}
    assert seen.inner == {"2613-021/2610-415": 3}
    assert seen.noisy_bytes == 3 * len(HMC)
    assert seen.bytes_per_second == pytest.approx(3 * len(HMC) / 120)


def test_a_log_that_appears_after_the_first_look_is_read_from_its_beginning(watched: Watched) -> None:
    watched.look()

    watched.add(HMC)

    assert watched.growth().messages == {"2613-021": 1}


def test_a_renamed_log_is_read_to_its_end_and_the_new_one_from_its_beginning(watched: Watched) -> None:
    watched.add(SLOT)
    watched.look()

    watched.add(HMC)
    os.rename(watched.log, f"{watched.log}.last")
    watched.add(TIMEOUT * 2)

    assert watched.growth().messages == {"2613-021": 1, "2613-016": 2}


def test_a_log_that_was_copied_and_emptied_is_not_read_twice(watched: Watched) -> None:
    watched.add("".join(line("2613-021", serial=serial) for serial in range(50)))
    watched.look()

    watched.add(TIMEOUT)
    copy = Path(f"{watched.log}.last")
    copy.write_bytes(watched.log.read_bytes())
    os.truncate(watched.log, 0)
    watched.add(line("2613-008", serial=99))

    assert watched.growth().messages == {"2613-016": 1, "2613-008": 1}


def test_an_emptied_log_is_read_from_its_beginning(watched: Watched) -> None:
    watched.add(SLOT * 10)
    watched.look()

    os.truncate(watched.log, 0)
    watched.add(HMC)

    assert watched.growth().messages == {"2613-021": 1}


def test_a_log_replaced_under_the_same_inode_is_read_from_its_beginning(watched: Watched) -> None:
    watched.add(line("2613-023", "a" * 100, serial=1))
    watched.look()

    with open(watched.log, "w") as log:
        log.write("".join(line("2613-021", serial=serial) for serial in range(2, 12)))

    assert watched.growth().messages == {"2613-021": 10}


def test_a_log_that_was_short_when_first_seen_is_known_again_when_it_was_copied_and_emptied(watched: Watched) -> None:
    watched.add(TIMEOUT[:50])
    watched.look()

    watched.add(TIMEOUT[50:] + HMC)
    watched.look()
    Path(f"{watched.log}.last").write_bytes(watched.log.read_bytes())
    os.truncate(watched.log, 0)

    assert watched.growth().messages == {"2613-021": 1}


def test_a_new_log_that_begins_like_a_longer_one_is_no_copy_of_it(watched: Watched) -> None:
    watched.add(HMC * 50)
    watched.look()

    watched.log.with_name("IBM.MgmtDomainRM.other").write_text(HMC * 10)

    assert watched.growth().messages == {"2613-021": 10}


def test_a_new_log_with_too_little_in_it_to_tell_is_no_copy(watched: Watched) -> None:
    watched.add(line("2613-016"))
    watched.look()

    watched.log.with_name("IBM.MgmtDomainRM.other").write_text(line("2613-016"))

    assert len(line("2613-016")) < watching.HEAD_BYTES
    assert watched.growth().messages == {"2613-016": 1}


def test_a_log_that_is_gone_for_one_look_is_not_read_again(watched: Watched) -> None:
    other = watched.log.with_name("IBM.MgmtDomainRM.other")
    other.write_text(SLOT)
    watched.add(HMC * 10)
    watched.look()

    away = watched.log.with_name("away")
    os.rename(watched.log, away)
    watched.look()
    os.rename(away, watched.log)

    assert watched.growth().messages == {}


def test_a_log_that_is_gone_for_long_is_forgotten(watched: Watched) -> None:
    other = watched.log.with_name("IBM.MgmtDomainRM.other")
    other.write_text(SLOT)
    watched.add(HMC)
    watched.look()

    watched.log.unlink()
    remembered = [watched.look() and len(watched.watch._cursors) for _ in range(watching.LOOKS_REMEMBERED + 1)]

    assert remembered == [2] * watching.LOOKS_REMEMBERED + [1]


def test_a_folder_full_of_logs_that_come_and_go_is_a_bounded_memory() -> None:
    class Many(SystemHost):
        looks = 0

        def files(self, pattern: str) -> Tuple[FileStat, ...]:
            return tuple(FileStat(f"{pattern}/{inode}", 0, self.looks, inode) for inode in range(300))

    watch, host = LogWatch(("/var/ct",), WITHIN), Many()

    for host.looks in range(5):
        watch.look(host, NOON + host.looks * timedelta(minutes=1), None)

    assert len(watch._cursors) <= 2 * watching.MOST_FILES


def test_of_more_logs_than_we_watch_the_rest_is_not_read() -> None:
    class Many(Asked):
        def files(self, pattern: str) -> Tuple[FileStat, ...]:
            return tuple(FileStat(f"/var/ct/{inode}", 9, 1, inode) for inode in range(300))

    asked = Many()

    LogWatch(("/var/ct/*",), WITHIN).look(asked, NOON, None)

    assert len(asked.bytes) == 2 * watching.MOST_FILES          # of each its head, and whether its last line has ended


def test_a_line_written_in_two_halves_is_one(watched: Watched) -> None:
    watched.look()

    watched.add(HMC[:90])
    assert watched.growth().messages == {}
    watched.add(HMC[90:])

    assert watched.growth().inner == {"2613-021/2610-415": 1}


def test_the_second_half_of_a_line_from_before_us_is_no_message(watched: Watched) -> None:
    watched.add(HMC[:90])
    watched.look()

    watched.add(HMC[90:] + TIMEOUT)

    assert watched.growth().messages == {"2613-016": 1}


def test_an_inner_message_may_stand_on_the_next_line(watched: Watched) -> None:
    watched.look()

    watched.add(line("2613-024", "MDC could not start a session with 172.16.0.1, the function returned 52."))
    watched.look()
    watched.add("2610-652 The specified time limit has been exceeded.\n")
    seen = watched.growth()

    assert seen.messages == {"2613-024": 1}
    assert seen.inner == {"2613-024/2610-652": 1}
    assert seen.side == "network"


def test_an_inner_message_on_the_next_line_decides_the_side() -> None:
    seen = census(line("2613-021", "MDC received an error response:").encode() + b"  2610-415 Cannot execute the command.\n")

    assert seen.side == "hmc"
    assert seen.messages == {"2613-021": 1}


@pytest.mark.parametrize("text, side", [
    (HMC, "hmc"),
    (HMC + ECHO + SLOT * 50, "hmc"),
    (line("2613-008", "PKE received an error response from 9.149.149.74: 108 2613-034 Error number 108 was returned"), "hmc"),
    (HMC + TIMEOUT, "hmc"),
    (TIMEOUT * 2 + HMC, "network"),
    (SLOT * 4 + SLOT_ECHO, "benign"),
    (HMC + line("2613-099") * 2, "unknown"),
    (line("2613-021", "an answer whose inside we do not know"), "unknown"),
    (HMC + "rubbish\n" * 2, "unknown"),
    (TIMEOUT + line("2613-099"), "unknown"),
    (line("2613-021") + "2610-415 Cannot execute the command.\n" + line("2613-099"), "hmc"),
    ("", "unknown"),
])
def test_the_census_says_whose_it_is(text: str, side: str) -> None:
    assert census(text.encode()).side == side


def test_empty_slots_and_their_summary_make_no_noise(watched: Watched) -> None:
    watched.look()

    watched.add(SLOT * 40 + SLOT_ECHO * 10)
    seen = watched.growth()

    assert (seen.noisy_bytes, seen.side) == (0, "benign")
    assert seen.bytes_per_second > 100


# Ten seconds of an admin's log, AIX, 2014: the HMC's IBM.DMSRM is not available, and two slots of six are shown empty.
SEEN = """\
ue Mar 4 09:55:44 CUT 2014(804070) {0}/00850/1.24 2613-027 MDC detected a protocol error with the HMC specified in RTAS slot \
number 4 due to prior error 2613-021
Tue Mar 4 09:55:49 CUT 2014(813481) {0}/00546/1.24 2613-023 The data in RTAS slot number 0 is invalid. The error number is 2.
Tue Mar 4 09:55:49 CUT 2014(813862) {0}/00546/1.24 2613-023 The data in RTAS slot number 1 is invalid. The error number is 2.
Tue Mar 4 09:55:49 CUT 2014(822175) {0}/02047/1.24 2613-021 MDC received an error response for getSupportedProtocols from \
9.149.149.74: 262154 2610-415 Cannot execute the command. The resource manager IBM.DMSRM is not available.
Tue Mar 4 09:55:49 CUT 2014(822353) {0}/00850/1.24 2613-027 MDC detected a protocol error with the HMC specified in RTAS slot \
number 4 due to prior error 2613-021
""".format("../../../../../src/rsct/rm/MgmtDomainRM/MCP_cfg.c")


def test_an_admins_log_is_counted_exactly() -> None:
    seen = census(SEEN.encode())

    assert seen.messages == {"2613-023": 2, "2613-021": 1, "2613-027": 2}
    assert seen.inner == {"2613-021/2610-415": 1, "2613-027/2613-021": 2}
    assert seen.side == "hmc"
    assert seen.noisy_bytes == sum(len(each) for each in SEEN.splitlines(keepends=True) if "2613-023" not in each)


def test_what_left_the_window_no_longer_counts(watched: Watched) -> None:
    watched.look()

    watched.add(HMC * 10)
    assert watched.growth().noisy_bytes == 10 * len(HMC)

    assert watched.growth(minutes=9.9).noisy_bytes == 10 * len(HMC)
    gone = watched.growth(minutes=0.2)
    assert (gone.noisy_bytes, gone.messages, gone.bytes_per_second) == (0, {}, 0.0)


def test_a_message_that_left_the_window_before_what_is_inside_it_does_not_count(watched: Watched) -> None:
    watched.look()
    watched.add(line("2613-024", "MDC could not start a session with 172.16.0.1"))
    watched.look()
    watched.add("2610-652 The specified time limit has been exceeded.\n")
    watched.look(minutes=5)

    assert watched.growth(minutes=4).messages == {"2613-024": 1}
    assert watched.growth(minutes=2).messages == {}


def test_how_long_was_watched_is_told_and_ends_at_the_window(watched: Watched) -> None:
    nothing = watched.look()
    watched.add(HMC)

    seen = [watched.growth(minutes=minutes).covers for minutes in (1, 4, 4, 4, 4)]

    assert nothing.value is None               # no log was there: as good as a silent one
    assert seen == [timedelta(minutes=minutes) for minutes in (1, 5, 9, 10, 10)]


def test_a_first_look_covers_nothing(watched: Watched) -> None:
    watched.add(HMC)

    assert watched.growth().covers == timedelta(0)


def test_noise_is_told_by_when_it_was_seen(watched: Watched) -> None:
    watched.look()
    watched.add(HMC)
    watched.look()
    before = watched.now
    watched.look()
    watched.add(HMC * 3)
    seen = watched.growth()

    assert seen.noisy_tail == ((before, len(HMC)), (watched.now, 3 * len(HMC)))
    assert [seen.noisy_since(moment) for moment in (NOON, before, watched.now)] == [4 * len(HMC), 3 * len(HMC), 0]


def test_the_tail_of_many_looks_is_bounded_and_adds_up(watched: Watched) -> None:
    watched.look()

    for _ in range(500):
        watched.add(HMC)
        seen = watched.growth(minutes=0.05)

    moments = [moment for moment, _ in seen.noisy_tail]
    assert 50 <= len(moments) <= 60 and moments == sorted(moments) and moments[-1] == watched.now
    assert sum(noisy for _, noisy in seen.noisy_tail) == seen.noisy_bytes
    since = watched.now - timedelta(minutes=3)
    assert 60 * len(HMC) <= seen.noisy_since(since) <= 64 * len(HMC)         # never less than there was


def test_a_policy_with_the_same_files_forgets_nothing(watched: Watched) -> None:
    watched.add(SLOT)
    watched.look()
    watched.add(HMC)
    watched.look()
    watched.add(HMC)

    watched.watch.retarget((f"{watched.log.parents[3]}/*/log/mc/IBM.MgmtDomainRM*",), timedelta(minutes=5))
    seen, later = watched.growth(), watched.growth(minutes=4.5)

    assert (seen.messages, seen.covers) == ({"2613-021": 2}, timedelta(minutes=2))
    assert (later.messages, later.covers) == ({"2613-021": 1}, timedelta(minutes=5))


def test_a_policy_with_other_files_begins_with_a_first_look(watched: Watched) -> None:
    watched.look()
    watched.add(HMC)
    watched.look()

    watched.watch.retarget((str(watched.log),), WITHIN)
    watched.add(HMC)
    first = watched.growth()
    watched.add(HMC)
    second = watched.growth()

    assert first == LogGrowth()
    assert (second.messages, second.covers) == ({"2613-021": 1}, timedelta(minutes=1))


def test_a_flood_is_skipped_weighed_and_hides_no_other_log(tmp_path: Path) -> None:
    watched = Watched(tmp_path, bytes_per_look=10_000)
    quiet = watched.log.with_name("IBM.MgmtDomainRM.zz")
    quiet.write_text("")
    watched.add("")
    watched.look()

    watched.add(HMC * 10_000)
    quiet.write_text(TIMEOUT)
    seen = watched.growth()

    assert seen.messages["2613-016"] == 1
    assert 40 < seen.messages["2613-021"] < 60
    assert seen.skipped_bytes == 10_000 * len(HMC) + len(TIMEOUT) - 10_000
    assert seen.noisy_bytes == pytest.approx(10_000 * len(HMC), rel=0.05)
    watched.add(HMC + TIMEOUT)     # the first may end a line whose beginning was skipped, so it is not counted
    later = watched.growth()
    assert (later.messages["2613-021"], later.messages["2613-016"]) == (seen.messages["2613-021"], 2)


def test_what_follows_a_gap_is_not_inside_the_message_before_it(tmp_path: Path) -> None:
    session = line("2613-024", "MDC could not start a session with 192.0.2.74, the function returned 52.")
    watched = Watched(tmp_path, bytes_per_look=len(session))
    watched.look()

    watched.add(session + "x" * 1000)
    watched.look()
    watched.add("\n2610-652 The specified time limit has been exceeded.\n")
    seen = watched.growth()

    assert (seen.messages, seen.inner) == ({"2613-024": 1, "2610-652": 1}, {})


def test_a_benign_flood_is_no_noise_for_being_skipped(tmp_path: Path) -> None:
    watched = Watched(tmp_path, bytes_per_look=10_000)
    watched.look()

    watched.add(SLOT * 10_000)
    seen = watched.growth()

    assert seen.skipped_bytes > 1_000_000
    assert seen.noisy_bytes == 0


def test_a_line_of_a_megabyte_costs_no_memory_and_counts_as_noise(watched: Watched) -> None:
    watched.look()

    for _ in range(4):
        watched.add(HMC[:-1] + "x" * (256 << 10))
        watched.look()
        assert max(len(cursor.partial) for cursor in watched.watch._cursors.values()) <= reading.LONGEST_LINE
    watched.add("\n" + TIMEOUT)
    seen = watched.growth()

    assert seen.messages == {"2613-021": 1, "2613-016": 1}
    assert seen.noisy_bytes == 4 * (len(HMC) - 1 + (256 << 10)) + 1 + len(TIMEOUT)


def test_binary_rubbish_is_noise_of_an_unknown_side(watched: Watched) -> None:
    watched.look()

    with open(watched.log, "ab") as log:
        log.write(bytes(range(256)) * 400)
    seen = watched.growth()

    assert seen.side == "unknown"
    assert seen.noisy_bytes > 90_000


def test_rubbish_full_of_numbers_does_not_fill_our_memory(watched: Watched) -> None:
    watched.look()

    for minute in range(3):
        numbers = range(minute * 3000, minute * 3000 + 3000)
        watched.add("".join(line(f"26{number // 1000:02}-{number % 1000:03}") for number in numbers))
        seen = watched.growth()

    assert len(seen.messages) <= 3 * reading.MOST_PAIRS + 1
    assert sum(seen.messages.values()) == 9000


def test_a_thousand_looks_within_the_window_are_a_bounded_memory(watched: Watched) -> None:
    watched.look()

    for _ in range(1000):
        watched.add(TIMEOUT)
        seen = watched.growth(minutes=0.001)

    assert seen.messages == {"2613-016": 1000}
    assert len(watched.watch._tallies) <= watching.MOST_TALLIES


def test_looks_that_find_nothing_are_one_and_dilute_no_rate(watched: Watched) -> None:
    """A log that wakes after days grows as fast as it does now."""
    watched.add(TIMEOUT)
    watched.look()
    for _ in range(40):
        quiet = watched.growth()
    kept = len(watched.watch._tallies)

    watched.add(TIMEOUT * 100)
    awake = watched.growth()

    assert kept == 1 and quiet == LogGrowth(covers=WITHIN)
    assert awake.bytes_per_second == pytest.approx(100 * len(TIMEOUT) / WITHIN.total_seconds(), rel=0.2)


def test_noise_grows_old_however_often_is_looked(watched: Watched) -> None:
    """More looks within the window than tallies are kept."""
    watched.look()

    for _ in range(30):
        watched.add(TIMEOUT)
        noisy = watched.growth(minutes=1 / 60)
    for _ in range(2 * 600):
        watched.add(SLOT)
        quiet = watched.growth(minutes=1 / 60)

    assert noisy.messages == {"2613-016": 30} and noisy.noisy_bytes > 0
    assert set(quiet.messages) == {"2613-023"} and quiet.noisy_bytes == 0


def test_logs_in_several_folders_are_added_up_and_each_counted_once(tmp_path: Path) -> None:
    watched = Watched(tmp_path, patterns=(f"{tmp_path}/*/log/mc/IBM.MgmtDomainRM*", f"{tmp_path}/IW/log/mc/*"))
    cluster = tmp_path / "3423108940" / "log" / "mc" / "IBM.MgmtDomainRM.default"
    cluster.parent.mkdir(parents=True)
    cluster.write_text(SLOT)
    watched.look()

    cluster.write_text(SLOT + HMC)
    watched.add(HMC)

    assert watched.growth().messages == {"2613-021": 2}
    assert watched.watch.total_size(SystemHost()) == len(SLOT) + 2 * len(HMC)


def test_a_swelling_log_tells_when_var_is_full(watched: Watched) -> None:
    watched.look()

    watched.add("x" * 6000 + "\n")
    seen = watched.growth(free=6001 * 100)

    assert seen.var_full_in == timedelta(minutes=100)


def test_a_log_that_swells_by_a_byte_leaves_var_room_for_decades(watched: Watched) -> None:
    watched.look()

    watched.add("x")
    seen = watched.growth(minutes=9, free=1 << 60)

    assert seen.var_full_in == timedelta(seconds=1e9)


def test_a_log_that_rotates_fills_nothing(watched: Watched) -> None:
    watched.add(HMC * 1000)
    watched.look()

    watched.log.unlink()
    watched.add(HMC * 900)
    seen = watched.growth(free=1 << 20)

    assert seen.bytes_per_second > 1000
    assert seen.var_full_in is None


def test_a_log_that_cannot_be_read_is_a_gap(watched: Watched) -> None:
    watched.add(SLOT)
    watched.look()

    watched.add(HMC)
    fact = watched.watch.look(Blind(), watched.now + timedelta(minutes=1), None)

    assert fact.how is How.GAP
    assert fact.because == f"cannot read {watched.log}"


def test_a_log_is_never_read_beyond_the_bound(tmp_path: Path) -> None:
    watched, asked = Watched(tmp_path, bytes_per_look=5000), Asked()
    watched.look()
    watched.add(HMC * 1000)

    watched.watch.look(asked, watched.now + timedelta(minutes=1), None)

    assert sum(asked.bytes) <= 5000 + watching.HEAD_BYTES


@pytest.mark.parametrize("bytes_per_look", [1 << 20, 3 * reading.PIECE + 1])
def test_a_log_of_a_terabyte_that_appears_later_is_read_to_the_bound(tmp_path: Path, bytes_per_look: int) -> None:
    watched, asked = Watched(tmp_path, bytes_per_look), Asked()
    watched.look()
    watched.add(HMC)
    os.truncate(watched.log, 1 << 40)

    seen = watched.watch.look(asked, watched.now + timedelta(minutes=1), None).value

    assert sum(asked.bytes) <= bytes_per_look + watching.HEAD_BYTES
    assert seen is not None and (seen.messages, seen.skipped_bytes) == ({"2613-021": 1}, (1 << 40) - bytes_per_look)


def test_at_the_start_nothing_but_a_few_bytes_is_read_of_a_terabyte(watched: Watched) -> None:
    asked = Asked()
    watched.add(HMC * 10)
    os.truncate(watched.log, 1 << 40)

    watched.watch.look(asked, NOON, None)

    assert sum(asked.bytes) <= watching.HEAD_BYTES + 1


def test_a_log_replaced_by_another_that_begins_alike_is_read_from_its_beginning(watched: Watched) -> None:
    watched.add(TIMEOUT)
    watched.look()

    os.rename(watched.log, watched.log.with_name("IBM.MgmtDomainRM.last"))
    watched.add(TIMEOUT[:50] + SLOT + HMC)

    assert watched.growth().messages == {"2613-023": 1, "2613-021": 1}


def test_a_log_of_the_same_inode_on_another_device_is_another(tmp_path: Path) -> None:
    class TwoDisks(SystemHost):
        def files(self, pattern: str) -> Tuple[FileStat, ...]:
            paths = sorted(tmp_path.iterdir())
            return tuple(FileStat(str(path), path.stat().st_size, device, 7) for device, path in enumerate(paths))

    watch = LogWatch(("any",), WITHIN)
    for name in ("a", "b"):
        (tmp_path / name).write_text(SLOT)
    watch.look(TwoDisks(), NOON, None)

    for name, text in (("a", HMC), ("b", TIMEOUT)):
        (tmp_path / name).write_text(SLOT + text)
    seen = watch.look(TwoDisks(), NOON + timedelta(minutes=1), None).value

    assert seen is not None and seen.messages == {"2613-021": 1, "2613-016": 1}


def test_a_log_that_vanishes_while_it_is_read_counts_as_skipped(watched: Watched) -> None:
    class Vanishing(SystemHost):
        def read_from(self, path: str, offset: int, limit: int) -> Optional[bytes]:
            return super().read_from(path, offset, limit) if offset < reading.PIECE else None

    watched.look()
    size = 2 * reading.PIECE // len(HMC) * len(HMC)
    watched.add(HMC * (size // len(HMC)))
    seen = watched.watch.look(Vanishing(), watched.now + timedelta(minutes=1), None).value

    assert seen is not None and seen.skipped_bytes == size - reading.PIECE
    assert seen.messages == {"2613-021": reading.PIECE // len(HMC)}


# ---- the table of messages ---------------------------------------------------------------------------------------------

def test_every_message_has_a_side_that_is_known_and_a_meaning() -> None:
    sides = {side for side, _ in reading.MESSAGES.values()} | set(reading.COMBINATIONS.values())

    assert sides <= {*reading.VOTING, "benign", "echo"}
    assert all(meaning for _, meaning in reading.MESSAGES.values())
    assert {number for pair in reading.COMBINATIONS for number in pair} - {"2610-415"} <= set(reading.MESSAGES)


@pytest.mark.parametrize("side", ["here", "network", "hmc", "benign"])
def test_a_row_in_the_table_is_all_that_a_message_needs(monkeypatch: pytest.MonkeyPatch, side: str) -> None:
    monkeypatch.setattr(reading, "MESSAGES", {**reading.MESSAGES, "2613-099": (side, "as the test says")})

    seen = census((line("2613-099") * 3 + line("2613-098")).encode())

    assert seen.side == (side if side != "benign" else "unknown")
    assert seen.noisy_bytes == (4 if side != "benign" else 1) * len(line("2613-098"))


def test_rubbish_full_of_numbers_does_not_hide_the_messages_we_know() -> None:
    rubbish = "".join(line(f"26{number // 1000:02}-{number % 1000:03}") for number in range(500))

    seen = census((rubbish + HMC + TIMEOUT + rubbish).encode())

    assert (seen.messages["2613-021"], seen.inner["2613-021/2610-415"], seen.messages["2613-016"]) == (1, 1, 1)
    assert seen.messages["other"] == 1000 - 2 * reading.MOST_PAIRS
    assert len(seen.messages) <= reading.MOST_PAIRS + 3


def test_a_pair_too_many_counts_without_its_inner_number_and_an_unheard_of_line_as_none() -> None:
    rubbish = "".join(line(f"26{number // 1000:02}-{number % 1000:03}") for number in range(500))

    seen = census((rubbish + line("2600-007", "due to 2699-999") + line("2613-016", "due to 2699-999") + "no number\n").encode())

    assert (seen.messages["2600-007"], seen.messages["2613-016"], seen.inner) == (2, 1, {})
    assert seen.messages["other"] == 500 - reading.MOST_PAIRS


# ---- a long log, counted in pieces -------------------------------------------------------------------------------------

def by_line(text: bytes, longest: int) -> LogGrowth:
    """The census as its rules say it, one line after the other: what the quick reading is held against."""
    found: List[Tuple[str, str]] = []            # ("", "") for a line that says nothing known
    waits, noisy = False, 0
    for whole in re.findall(rb"[^\n]*\n|[^\n]+\Z", text):
        read = whole.rstrip(b"\n")[:longest].decode("latin-1")
        numbers = re.compile(r"\b26\d\d-\d{3}\b", re.ASCII)
        entry = re.search(r"/\d+/[\d.]+\s+(26\d\d-\d{3})\b", read, re.ASCII)
        number = numbers.search(read)
        if entry:
            inside = numbers.search(read, entry.end())
            found.append((entry[1], inside[0] if inside else ""))
            waits = not inside
        elif number and waits and not read.encode("latin-1")[:number.start()].strip():
            found[-1] = (found[-1][0], number[0])
            waits = False
        elif number:
            found.append((number[0], ""))
            waits = True
        elif read.encode("latin-1").strip():
            found.append(("", ""))
            waits = False
        noisy += 0 if found and side_of(*found[-1]) == "benign" else len(whole)
    votes = Counter(side_of(*pair) for pair in found)
    return LogGrowth(0.0, noisy, dict(Counter(outer for outer, _ in found if outer)),
                     dict(Counter(f"{outer}/{inner}" for outer, inner in found if inner)), most_voted(votes))


SIDES = {("2613-016", ""): "network", ("2613-024", ""): "network", ("2613-023", ""): "benign", ("2613-027", ""): "echo",
         ("2613-034", ""): "hmc", ("2613-021", "2610-415"): "hmc", ("2613-008", "2613-034"): "hmc",
         ("2613-027", "2613-023"): "benign"}


def side_of(outer: str, inner: str) -> str:
    return SIDES.get((outer, inner), SIDES.get((outer, ""), "unknown"))


def most_voted(votes: Counter[str]) -> str:
    voting = votes["hmc"] + votes["network"] + votes["unknown"]
    if not voting:
        return "benign" if votes["benign"] else "unknown"
    if votes["hmc"] >= voting / 2:
        return "hmc"
    return "network" if votes["network"] > voting / 2 else "unknown"


TIMES = st.sampled_from(["(000131)", "(804070)", "(7)", "(12-34)", "(2613-016)", "", " 2613-021 (1)", "(1\n2)", "(1)2", ")"])
DATES = st.sampled_from(["Tue Mar 4 ", "Tue Mar 4 ", "Tue Mar 4 ", "Wed Mar 15 ", "Wed Mar  5 ", "ue Mar 4 "])
TOLD = st.sampled_from([
    "{0}/02047/1.24 2613-021 from 192.0.2.74: 262154 2610-415 Cannot", "{0}/02047/1.24 2613-021 from 192.0.2.74:",
    "{0}/00546/1.24 2613-023 slot 0", "{0}/00850/1.24 2613-027 due to prior error 2613-023", "{0}/1/1.22 2613-024 slot 3",
    "{0}/1/1.22 2613-024 slot 3\n2610-652 The time limit", "{0}/1/1.22 2613-024\n\n  2610-652", "2613-016 no source", "",
    "{0}/1/1 2613-0161", "{0}/1/1 x2613-016 2613-099", "x" * 90, "{0}/00850/1.24 " + "x" * 70 + " 2613-016",
    "{0}/1/1.13 2613-008 from 192.0.2.74: 108 2613-034 Error 108 2610-415"])
CLOCKS = st.sampled_from(["09:55:49 CUT 2014", "09:55:50 CUT 2014", "", "26"])
ENTRIES = st.tuples(DATES, CLOCKS, TIMES, st.just(" "), TOLD, st.just("\n")).map("".join)
OTHERS = st.sampled_from(["2610-652 The specified time limit\n", " \t2610-415 x\n", "\n", " \n", "rubbish\n", "no end",
                          "\x00\xff(\n", "Tue Mar 4 09:55:49 \n", "Tue Mar 4 09:55:49 2610-652\n", "Tue Mar 4 2610-652\n",
                          "Tue Mar 4 \n"])
PARTS = st.tuples(st.one_of(ENTRIES.map(lambda entry: entry.format("src/MgmtDomainRM/MCP_cfg.c")), OTHERS), st.integers(1, 7))
TEXTS = st.lists(PARTS, max_size=12).map(
    lambda parts: "".join(text * times for text, times in parts).encode("latin-1"))
# The same text over and over is what is read at once.
STORMS = st.tuples(TEXTS, st.integers(1, 6)).map(lambda drawn: drawn[0] * drawn[1])


@given(st.one_of(STORMS, st.binary(max_size=200), st.text("26130-5 \n/.").map(str.encode)),
       st.lists(st.integers(1, 400), min_size=1, max_size=8), st.sampled_from([20, 50, 120, 8192]))
@example(b"\n" + b"Tue Mar 4 09:55:49 (1) /1/1 2613-024\n2610-652\n" * 4 + b"2610-652\n", [1000], 8192)
@example(b"x2613-016\nnote Tue Mar 4 09:55:49 x 2613-016\n", [1000], 8192)
@example(b"Tue Mar 4 09:55:49 (1\n2) /1/1 2613-016\n" * 6, [1000], 8192)          # a time on two lines is none
@example(b"Tue Mar 4 09:55:49 x\n" + b"Tue Mar 4 \n" * 6 + b"x 2613-016\n" * 4, [1000], 8192)    # a date alone is something
@example(b"Tue Mar 4 09:55:49 (1) 2613-016 and some more\n" * 4, [1000], 15)                # a line ends within its time
def test_a_log_read_in_pieces_says_what_its_lines_say_one_by_one(text: bytes, cuts: List[int], longest: int) -> None:
    class Pieces(SystemHost):
        read = 0

        def read_from(self, path: str, offset: int, limit: int) -> Optional[bytes]:
            self.read += 1
            return text[offset:offset + min(limit, cuts[self.read % len(cuts)])]

    expected = by_line(text, longest)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reading, "LONGEST_LINE", longest)
        reading._known.cache_clear()

        assert census(text) == expected
        assert census_of(Pieces(), "log") == expected
    reading._known.cache_clear()


@pytest.mark.parametrize("name", sorted(bench.LOGS))
def test_a_log_as_the_bench_writes_it_is_counted_line_by_line(tmp_path: Path, name: str) -> None:
    bench.write(tmp_path / "log", name, 300_000)

    assert census_of(SystemHost(), str(tmp_path / "log")) == by_line((tmp_path / "log").read_bytes(), reading.LONGEST_LINE)


def test_a_log_that_cannot_be_read_has_no_census() -> None:
    with pytest.raises(Unreadable, match="^cannot read /var/ct/a-log$"):
        census_of(Blind(), "/var/ct/a-log")


def test_nothing_is_said_by_nothing() -> None:
    assert census(b"") == LogGrowth()


def peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["mixed", "all different", "one line", "long entries", "many kinds"])
def test_a_long_log_is_counted_in_two_megabytes_of_memory(tmp_path: Path, name: str) -> None:
    log = tmp_path / "log"
    if name == "one line":
        log.write_bytes(b"x" * (3 << 20))
    elif name == "long entries":
        log.write_text("".join(line("2613-021", f"{number:07000}") * 3 for number in range(350)))
    elif name == "many kinds":
        log.write_text("".join(line("2613-021", f"{number:0900}") * 3 for number in range(2500)))
    else:
        bench.write(log, name, 3 << 20)

    assert peak(lambda: census_of(SystemHost(), str(log))) < 2 << 20


def test_a_new_date_on_every_line_costs_no_new_search_each(monkeypatch: pytest.MonkeyPatch) -> None:
    class Searched:
        bytes = 0

        def search(self, text: bytes) -> Optional[re.Match[bytes]]:
            self.bytes += len(text)
            return dates.search(text)

    dates, searched = reading.DATE, Searched()
    monkeypatch.setattr(reading, "DATE", searched)
    text = "".join(line("2613-016").replace("Mar", f"M{number}") for number in range(1000)).encode()

    seen = census(text)

    assert seen.messages == {"2613-016": 1000}
    assert searched.bytes <= reading.MOST_DATES * len(text)


def test_a_look_at_a_flood_takes_two_megabytes_of_memory(watched: Watched) -> None:
    watched.look()
    bench.write(watched.log, "mixed", 3 << 20)

    assert peak(watched.look) < 2 << 20
    assert watched.growth().skipped_bytes > 2 << 20


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("name", bench.MARKED)
def test_a_long_log_is_counted_about_as_fast_as_grep_finds_its_numbers(tmp_path: Path, name: str) -> None:
    lines = bench.write(tmp_path / "log", name, 64 << 20)

    seen = bench.compare(tmp_path / "log", name, lines, rounds=3)

    # By the CPU that each takes: what else the machine does at that moment is no matter of ours.
    assert float(str(seen["rmcagent_cpu_s"])) <= 1.5 * float(str(seen["grep_cpu_s"])), seen
    assert float(str(seen["memory_mib"])) <= bench.MARKS["memory_mib"]
