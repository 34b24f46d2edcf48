"""What a look costs: the commands of a healthy hour and day, each with its reason, and work that grows as the partition does."""
from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, Dict, Sequence, Tuple

import pytest

from day import HOUR, Day
from rmcagent.model import Answer, Platform
from rmcagent.partition import host as host_module
from rmcagent.partition.host import SystemHost
from rmcagent.report import text
from rmcagent.show import document
from rmcagent.sim.partition.nouns import SimLog

AIX, VIOS, LINUX = Platform.AIX, Platform.VIOS, Platform.LINUX
EVERYWHERE = (AIX, VIOS, LINUX)
# Each look asks three questions, and no two answer one another: whether what should run runs, which HMCs are on file, and how
# their links are. An hour has sixty looks, and between two of them no command is run.
A_LOOK = {
    "lssrc -a": "a manager that dies takes LPM or DLPAR with it, and SRC alone knows; its pid is then watched without a command",
    "rmcdomainstatus -s ctrmc": "a link that fell is seen nowhere else, for no process ends with it",
    "lsrsrc IBM.MCP": "an HMC that is added or dropped; silent together with rmcdomainstatus it proves a hung RMC",
}
# Of the rest nothing changes but by an operator's hand or over a boot; in doubt, and before a deed, they are asked sooner.
AN_HOUR: Dict[str, Tuple[Tuple[Platform, ...], str]] = {
    "lsivm": ((VIOS,), "lparmgr loses RMC while its socket stays: no file tells"),
}
A_DAY: Dict[str, Tuple[Tuple[Platform, ...], int, str]] = {
    "lspv": ((AIX, VIOS), 1, "caavg_private: a disk that belongs to CAA"),
    "lscluster -m": (EVERYWHERE, 1, "CAA"),
    "odmget HACMPcluster": ((AIX, VIOS), 1, "PowerHA on file, though none of it runs"),
    "ct_clusterinfo -c": (EVERYWHERE, 1, "in a cluster by RSCT's own word"),
    "lsrpdomain": (EVERYWHERE, 2, "peer domains; nothing said is none only when it is said twice; may start IBM.ConfigRM"),
    "ioscli cluster -list -field cluster_name -fmt ,": ((VIOS,), 2, "a shared storage pool; twice as well"),
    "lsnodeid": (EVERYWHERE, 1, "a node id that contradicts its file"),
    "lsattr -El cluster0": ((AIX, VIOS), 1, "a UUID that recfgct would not change"),
    "lsitab ctrmc": ((AIX, VIOS), 1, "whether RMC starts at boot"),
    "systemctl show ctrmc.service -p LoadState,UnitFileState": ((LINUX,), 1, "whether RMC starts at boot"),
}
PULSE = "cadence: {pulse: 5s}\n"


def asked_in_an_hour(platform: Platform) -> Dict[str, int]:
    return {**dict.fromkeys(A_LOOK, 60), **{line: 1 for line, (where, _) in AN_HOUR.items() if platform in where}}


@pytest.mark.parametrize("platform", EVERYWHERE)
def test_a_healthy_hour_runs_three_commands_a_look_and_none_between_looks(tmp_path: Path, platform: Platform) -> None:
    day = Day(tmp_path, platform, policy=PULSE)
    day.run(HOUR)
    day.host.asked.clear()

    day.run(HOUR)

    assert day.verdict == "healthy"
    assert Counter(day.host.asked) == asked_in_an_hour(platform)


@pytest.mark.parametrize("platform", EVERYWHERE)
def test_what_seldom_changes_is_asked_once_a_day(tmp_path: Path, platform: Platform) -> None:
    day = Day(tmp_path, platform, policy="cadence: {pulse: 30s, look: 10m}\n")      # fewer looks: the day is the same
    day.run(HOUR)
    day.host.asked.clear()

    day.run(24 * HOUR)

    assert day.verdict == "healthy"
    daily = {line: count for line, (where, count, _) in A_DAY.items() if platform in where}
    hourly = {line: 24 for line, (where, _) in AN_HOUR.items() if platform in where}
    assert Counter(day.host.asked) == {**dict.fromkeys(A_LOOK, 24 * 6), **hourly, **daily}


def test_who_this_partition_is_costs_aix_two_commands_in_ten_minutes_and_linux_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration changes it under a running agent, and an attempt of another machine must not be finished here."""
    asked, clock = [], [1000.0]

    class Telling(SystemHost):
        def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
            asked.append(" ".join(argv))
            return Answer("told", 0, {"-W": "0", "-L": "4 lpar", "-b": "reboot Nov 20 10:00"}.get(argv[1], "1-02:03:04"))

    monkeypatch.setattr(host_module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(host_module, "_line", lambda path: "")
    monkeypatch.setattr(host_module, "_boot_time", lambda: "")
    monkeypatch.setattr(host_module, "AIX", True)
    monkeypatch.setattr(host_module, "LINUX", False)
    monkeypatch.setattr(host_module, "_uuid", lambda said: said)
    host = Telling()
    host.vitals("/opt/rsct/bin/rmcctrl")
    asked.clear()

    for _ in range(60):
        clock[0] += 60.0
        host.vitals("/opt/rsct/bin/rmcctrl")

    assert Counter(line.split()[0] for line in asked) == {"/usr/bin/uname": 5, "/usr/sbin/lsattr": 5}


# What grows with the partition.

def a_partition(folder: Path, size: int) -> Day:
    """So many HMCs, with as many other subsystems and log files as go with them."""
    day = Day(folder, hmcs=[f"192.0.2.{number + 1}" for number in range(size)])
    partition = day.partition
    for number in range(8 * size):
        partition.put_on_file(f"app{number:04d}", "apps")
    seen = next(iter(partition.logs.values())).read(0, 1 << 16)
    for number in range(2 * size - 1):
        log = partition.logs[f"{partition.log_folder}/IBM.MgmtDomainRM.{number:03d}"] = SimLog(partition.inode())
        log.append(seen)
    day.run(5 * 60.0)
    return day


def work_of(day: Day) -> int:
    """The lines of ours that one pulse, one look and what is published of it run; the simulation's are not counted."""
    lines = [0]

    def within(frame: FrameType, event: str, argument: Any) -> Any:
        lines[0] += event == "line"
        return within

    def called(frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_globals.get("__name__", "")
        return within if name.startswith("rmcagent.") and not name.startswith("rmcagent.sim") else None

    before = sys.gettrace()
    sys.settrace(called)
    try:
        day.cycle._pulse_found_change()
        day.cycle.turn()
        document(day.cycle.view, day.settings, day.cycle.steady.shown, {})
    finally:
        sys.settrace(before)
    return lines[0]


def test_a_look_at_twice_as_much_is_at_most_twice_the_work(tmp_path: Path) -> None:
    sizes = (4, 8, 16)

    small, double, fourfold = (work_of(a_partition(tmp_path / str(size), size)) for size in sizes)

    assert double - small > 1000, "nothing grows: what is it that is counted?"
    assert fourfold - double <= 2.1 * (double - small), (small, double, fourfold)


def test_a_look_at_300_subsystems_32_hmcs_and_64_logs_is_seen_whole_and_bounded(tmp_path: Path) -> None:
    day = a_partition(tmp_path, 32)
    for number in range(256, 300):
        day.partition.put_on_file(f"app{number:04d}", "apps")

    work = work_of(day)

    told = document(day.cycle.view, day.settings, day.cycle.steady.shown, {})
    assert day.verdict == "healthy" and len(told["hmcs"]) == 32 and len(text.escaped(str(told))) < 128 * 1024
    assert day.cycle.seen is not None and len(day.cycle.seen.subsystems.value or {}) >= 300
    assert work < 60_000
