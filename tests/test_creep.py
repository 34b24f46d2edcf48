"""What must not creep: memory, open files, threads, children and the sizes of what is kept, look after look, fault upon fault."""
from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Dict, List

import pytest

from creep import FAULT_EVERY, TROUBLED, Long
from house import ROOT
from rmcagent.sim.live.stage import Stage

QUIET_FROM = TROUBLED + 60
LARGEST = {"ledger_bytes": 1 << 20, "status_bytes": 64 << 10, "kept_bytes": 1 << 20, "state_files": 4}
STILL = ("files", "threads", "children")


def test_looks_leave_nothing_behind(tmp_path: Path) -> None:
    """Three hundred healthy ones hold what those before them held; what C code leaves in Python's caches is a few blocks."""
    long = Long(tmp_path)
    held = []

    for _ in range(2):
        long.looks = QUIET_FROM               # no fault falls into them
        long.live(FAULT_EVERY - QUIET_FROM)
        gc.collect()
        held.append(sys.getallocatedblocks())

    assert held[1] - held[0] < 150, held


def test_faults_leave_no_file_thread_or_child_behind(tmp_path: Path) -> None:
    long = Long(tmp_path)
    long.live(100)
    before = long.held()

    long.live(500)

    after = long.held()
    assert after["events"] > before["events"], "nothing happened"
    assert {name: after[name] for name in STILL} == {name: before[name] for name in STILL}
    assert {name: after[name] for name, most in LARGEST.items() if after[name] > most} == {}


@pytest.mark.slow
def test_weeks_of_faults_come_to_no_more_memory() -> None:
    """A process of its own, that pytest's memory be no part of it: ten days of three or four faults each."""
    said = subprocess.run([sys.executable, "-I", str(ROOT / "tests" / "creep.py"), "15000", "5000"],
                          capture_output=True, text=True, timeout=300, check=True).stdout

    first, second, third = marks = [json.loads(line) for line in said.splitlines()]

    assert third["events"] > second["events"] + 20, "little happened"
    assert third["blocks"] - second["blocks"] < 3000, marks
    assert third["resident_kb"] - second["resident_kb"] < 768, marks          # of 100,000 looks the second half took 260
    assert [{name: mark[name] for name in STILL} for mark in marks] == [{name: first[name] for name in STILL}] * 3
    assert over(marks) == []


@pytest.mark.slow
def test_the_idle_daemon_holds_eight_megabytes_more_than_a_python_that_does_nothing(tmp_path: Path) -> None:
    """Pages of its own: 6.1 on Debian's 3.11, where dataclasses and YAML made them 9; a tree that is not compiled adds one."""
    nothing = subprocess.Popen([sys.executable, "-I", "-c", "import sys; print(flush=True); sys.stdin.read()"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert nothing.stdout is not None and nothing.stdout.readline()
    bare = _own_kb(nothing.pid)
    nothing.communicate(b"")
    policy = {"report": {"file": str(tmp_path / "agent.log"), "metrics": str(tmp_path / "agent.prom")}}

    with Stage(tmp_path, policy=policy) as stage:
        daemon = stage.start()
        assert stage.wait_healthy(60.0), stage.complaints()
        own = _own_kb(daemon.pid)

    assert own - bare < 8 * 1024, (own, bare)


def _own_kb(pid: int) -> int:
    told = Path(f"/proc/{pid}/status").read_text("ascii").partition("RssAnon:")[2]
    return int(told.split()[0])


def over(marks: List[Dict[str, int]]) -> List[str]:
    return [name for mark in marks for name, most in LARGEST.items() if mark[name] > most]
