"""logs.py: cursors that lose and repeat nothing, tallies that stay bounded, a census that tells whose fault it is."""
from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import List, Optional, Tuple

import pytest

from rmcagent.model import Fact, How, LogGrowth, Space
from rmcagent.partition import logs
from rmcagent.partition.host import SystemHost
from rmcagent.partition.logs import LogWatch, census

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
        assert max(len(cursor.partial) for cursor in watched.watch._cursors.values()) <= logs.LONGEST_LINE
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

    assert len(seen.messages) <= 3 * logs.MOST_NUMBERS + 1
    assert sum(seen.messages.values()) == 9000


def test_a_thousand_looks_within_the_window_are_a_bounded_memory(watched: Watched) -> None:
    watched.look()

    for _ in range(1000):
        watched.add(TIMEOUT)
        seen = watched.growth(minutes=0.001)

    assert seen.messages == {"2613-016": 1000}
    assert len(watched.watch._tallies) <= logs.MOST_TALLIES


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


def test_a_log_that_rotates_fills_nothing(watched: Watched) -> None:
    watched.add(HMC * 1000)
    watched.look()

    watched.log.unlink()
    watched.add(HMC * 900)
    seen = watched.growth(free=1 << 20)

    assert seen.bytes_per_second > 1000
    assert seen.var_full_in is None


def test_a_log_that_cannot_be_read_is_a_gap(watched: Watched) -> None:
    class Blind(SystemHost):
        def read_from(self, path: str, offset: int, limit: int) -> Optional[bytes]:
            return None

    watched.add(SLOT)
    watched.look()

    watched.add(HMC)
    fact = watched.watch.look(Blind(), watched.now + timedelta(minutes=1), None)

    assert fact.how is How.GAP
    assert fact.because == f"cannot read {watched.log}"


def test_a_log_is_never_read_beyond_the_bound(tmp_path: Path) -> None:
    asked: List[int] = []

    class Counting(SystemHost):
        def read_from(self, path: str, offset: int, limit: int) -> Optional[bytes]:
            asked.append(limit)
            return super().read_from(path, offset, limit)

    watched = Watched(tmp_path, bytes_per_look=5000)
    watched.look()
    watched.add(HMC * 1000)

    watched.watch.look(Counting(), watched.now + timedelta(minutes=1), None)

    assert sum(asked) <= 5000 + logs.HEAD_BYTES
