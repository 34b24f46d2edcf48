"""What Prometheus is told: the exposition, the file it stands in, and the rules and the dashboard that read it."""
from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import time
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Tuple
from urllib.request import urlopen

import pytest
import yaml

from rmcagent.exposed import Exposed
from rmcagent.model import (
    Attempt,
    ClusterVerdict,
    Decision,
    Fact,
    Fault,
    Finding,
    Gap,
    History,
    Hmc,
    How,
    Kind,
    Link,
    LogGrowth,
    Outcome,
    Pause,
    Platform,
    Refusal,
    Remedy,
    Side,
    Snapshot,
    State,
    Subsystem,
    View,
)
from rmcagent.report import files
from rmcagent.show import STATUS_CODES, document
from rmcagent.show.metrics import METRICS, text
from rmcagent.sim.live.stage import Stage
from seen import DEFAULTS, HMC1, HMC2, MINUTE, NOON

PACKAGING = Path(__file__).parents[1] / "packaging" / "prometheus"
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? (-?[0-9.]+(?:e[+-]?[0-9]+)?)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
HOSTILE: Tuple[Any, ...] = (
    '"} 1\nrmcagent_up{x="', "\\", "a\x00\x1b[2Jb\r\n", "\ud800\u202e\u2028", "Gr\u00f6\u00dfe", "x" * 10_000, "",
    10 ** 400, -1, 1e17 + 0.5, float("nan"), float("inf"), None, True, [], {}, [[]], [{}], {"a": [{"b": "c\n"}]},
)
PATIENCE = 60.0


class Family(NamedTuple):
    kind: str
    samples: Dict[Tuple[Tuple[str, str], ...], float]


def parsed(exposition: str) -> Dict[str, Family]:
    """The families in the text; AssertionError where it is not what Prometheus's text format allows, or not ASCII."""
    families: Dict[str, Family] = {}
    lines = exposition.split("\n")
    assert exposition.isascii() and lines.pop() == "" and all(lines)
    name = ""
    while lines:
        line = lines.pop(0)
        if line.startswith("#"):
            _, what, name, told = line.split(" ", 3)
            assert what == "HELP" and name not in families and told.isprintable() and "\\" not in told, line
            _, what, named, kind = lines.pop(0).split(" ")
            assert (what, named) == ("TYPE", name) and kind in ("gauge", "counter"), line
            families[name] = Family(kind, {})
        else:
            match = SAMPLE.fullmatch(line)
            assert match and match[1] == name, line          # a timestamp would be one word more
            labels = tuple(LABEL.findall(match[2] or ""))
            assert labels not in families[name].samples, line
            assert len(dict(labels)) == len(labels), line
            families[name].samples[labels] = float(match[3])
    assert all(family.samples for family in families.values())
    return families


def told(document: Mapping[str, Any], name: str) -> Dict[Any, float]:
    """The samples of one metric by the values of their labels, alone or together."""
    samples = parsed(text(document)).get(f"rmcagent_{name}", Family("", {})).samples
    keys = [tuple(value for _, value in labels) for labels in samples]
    return {key[0] if len(key) == 1 else key: value for key, value in zip(keys, samples.values())}


def full(**changes: Any) -> Dict[str, Any]:
    """A look with something to tell of everything."""
    rows = {"ctrmc": Subsystem("ctrmc", State.ACTIVE, "rsct", 4711), "IBM.DRM": Subsystem("IBM.DRM", State.INOPERATIVE),
            "IBM.ERRM": Subsystem("IBM.ERRM", State.UNKNOWN), "sendmail": Subsystem("sendmail", State.ACTIVE, "mail", 99),
            "IBM.HostRM": Subsystem("IBM.HostRM", State.STARTING)}
    seen = Snapshot(
        NOON, Platform.AIX, Fact(How.SEEN, rows), expected={"ctrmc": "required", "IBM.DRM": "required"},
        hmcs=(Hmc(HMC1, "7063CR1*1300001", "0a1b2c3d4e5f6071", Link.UP), Hmc(HMC2, "", "", Link.PENDING, False)),
        logs=Fact(How.SEEN, LogGrowth(12.5, 100, {"2613-021": 3}, side="hmc")), gaps=(Gap("lspv", "timed out after 60 s"),))
    pending = Finding(Fault.LINK_PENDING, Side.HERE, f"the link to {HMC2} is pending", subject=HMC2, since=NOON - MINUTE)
    paused = Refusal("pause", "an administrator paused the agent", "rmcagent resume", until=NOON + MINUTE)
    decision = Decision(Kind.REFUSE, "refresh is held", pending, Remedy.REFRESH, (paused,))
    begun = Attempt(7, Remedy.RECYCLE, Fault.RMC_DOWN, "", "E-3", NOON - MINUTE, "boot", outcome=Outcome.UNCHANGED)
    history = History(NOON - timedelta(hours=3), attempts=(begun,), pause=Pause(NOON + MINUTE, "a change is under way"))
    view = View("paused", "paused", NOON, seen, (pending,), (decision,), history, lambda: ClusterVerdict("present"),
                NOON + MINUTE)
    extra = {"version": "0.1.0", "policy": "c0ffee", "platform": "aix", "event_counts": {"RMCA1001I": 1, "RMCA2001W": 4},
             "remedies": {"recycle": {"begun": 2, "healed": 1}}}
    return {**document(view, DEFAULTS, lambda moment: moment, extra), **changes}


STOPPED = {"schema": 1, "verdict": "not-running", "version": "0.1.0", "taken_at": "2026-05-04T12:00:00+00:00"}


# ---- what is told

def test_every_metric_keeps_to_the_conventions() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"rmcagent(_[a-z]+)+", metric.name)
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        assert metric.help.endswith(".") and metric.help.isprintable() and "\\" not in metric.help
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_a_look_with_everything_in_it_tells_every_metric() -> None:
    families = parsed(text(full()))

    assert list(families) == [metric.name for metric in METRICS]
    assert [(name, families[name].kind) for name in families] == [(metric.name, metric.kind) for metric in METRICS]


def test_one_verdict_of_the_eight_is_true() -> None:
    for verdict in STATUS_CODES:
        assert told(full(verdict=verdict), "verdict") == {one: one == verdict for one in STATUS_CODES}


def test_a_verdict_unheard_of_is_unknown() -> None:
    assert told(full(verdict="splendid"), "verdict")["unknown"] == 1


def test_the_last_look_is_told_in_seconds_since_1970_whatever_its_offset() -> None:
    assert told(full(taken_at="2026-05-04T14:00:00+02:00"), "last_look_timestamp_seconds") == {(): NOON.timestamp()}
    assert told(full(taken_at="2026-05-04T14:00:00"), "last_look_timestamp_seconds") == {}


def test_a_look_is_stale_by_the_policys_own_arithmetic() -> None:
    assert told(full(look_seconds=60.0, timeout_seconds=20.0), "stale_after_seconds") == {(): 200}


def test_a_subsystem_in_an_unknown_state_is_neither_up_nor_down_and_others_subsystems_are_left_out() -> None:
    assert told(full(), "subsystem_up") == {("ctrmc", "required"): 1, ("IBM.DRM", "required"): 0, ("IBM.HostRM", "on-demand"): 0}


def test_a_subsystem_that_the_site_requires_is_told_whatever_its_name() -> None:
    rows = {"sendmail": {"state": "active", "expected": "required"}}

    assert told(full(subsystems=rows), "subsystem_up") == {("sendmail", "required"): 1}


def test_a_link_is_one_state_of_six_and_reachability_only_where_it_was_asked() -> None:
    links = told(full(), "hmc_link")

    assert {key for key, value in links.items() if value} == {(HMC1, "up"), (HMC2, "pending")} and len(links) == 12
    assert told(full(), "hmc_reachable") == {HMC2: 0}
    assert told(full(), "hmc_info") == {(HMC1, "7063CR1*1300001", "0a1b2c3d4e5f6071"): 1, (HMC2, "", ""): 1}


def test_every_fault_is_counted_also_where_there_is_none() -> None:
    assert told(full(), "findings") == {fault.value: fault is Fault.LINK_PENDING for fault in Fault}


def test_what_was_decided_and_which_guards_hold_it_is_told() -> None:
    assert told(full(), "decisions") == {kind.value: kind is Kind.REFUSE for kind in Kind}
    assert told(full(), "guard_holding") == {"pause": 1}


def test_a_budget_of_what_is_only_rehearsed_is_not_told() -> None:
    rehearsed = {"times": 2, "spent": 2, "span_seconds": 86400.0, "shadow": True}
    shown = full(budgets={"recycle": [rehearsed], "start": [{**rehearsed, "shadow": False}]})

    assert told(shown, "remedy_budget_remaining") == {("start", "24h"): 0}
    assert told(shown, "remedy_budget_limit") == {("start", "24h"): 2}


def test_a_budget_is_told_by_remedy_and_span_with_what_is_left_of_it() -> None:
    row = {"times": 3, "spent": 1, "span_seconds": 30 * 86400.0}
    overspent = {"times": 1, "spent": 2, "span_seconds": 86400.0}
    odd = {"times": 5, "spent": 0, "span_seconds": 5400.0}
    shown = full(budgets={"recfgct": [overspent, row], "start": [odd]})

    assert told(shown, "remedy_budget_limit") == {("recfgct", "24h"): 1, ("recfgct", "30d"): 3, ("start", "90m"): 5}
    assert told(shown, "remedy_budget_remaining") == {("recfgct", "24h"): 0, ("recfgct", "30d"): 2, ("start", "90m"): 5}


def test_remedies_and_events_are_counted() -> None:
    assert told(full(), "remedies_begun_total") == {"recycle": 2}
    assert told(full(), "remedies_judged_total") == {("recycle", "healed"): 1}
    assert told(full(), "events_total") == {"RMCA1001I": 1, "RMCA2001W": 4}
    assert told(full(event_counts={"RMCA1001I": 1, "RMCA1\n": 2, "\u0661": 3}), "events_total") == {"RMCA1001I": 1}


def test_a_pause_is_told_with_its_end_and_no_pause_is_none() -> None:
    assert (told(full(), "paused"), told(full(), "pause_until_timestamp_seconds")) == ({(): 1}, {(): NOON.timestamp() + 60})
    assert (told(full(pause=None), "paused"), told(full(pause=None), "pause_until_timestamp_seconds")) == ({(): 0}, {})


def test_a_growth_that_was_not_told_is_not_zero() -> None:
    assert told(full(), "log_growth_bytes_per_second") == {(): 12.5}
    assert told(full(log={"bytes_per_second": None}), "log_growth_bytes_per_second") == {}


def test_a_stopped_daemon_says_so_and_nothing_of_rmc() -> None:
    families = parsed(text(STOPPED))

    assert set(families) == {"rmcagent_up", "rmcagent_build_info", "rmcagent_verdict", "rmcagent_series_dropped"}
    assert told(STOPPED, "up") == {(): 0} and told(STOPPED, "verdict")["not-running"] == 1
    assert set(parsed(text(full(verdict="not-running")))) == set(families)     # one that died left its last look behind
    assert told(full(), "up") == {(): 1}


# ---- hostile documents

def leaves(value: Any, path: Tuple[Any, ...] = ()) -> Iterator[Tuple[Any, ...]]:
    """The way to everything in a document, tables and lists themselves included."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from leaves(inner, (*path, key))


def replaced(value: Any, path: Tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def few() -> Dict[str, Any]:
    """What is read of a document, one row of each."""
    shown = full(budgets={"recycle": [{"times": 2, "spent": 1, "span_seconds": 86400.0}]},
                 subsystems={"ctrmc": {"state": "active", "pid": 4711, "expected": "required"}})
    shown["hmcs"] = shown["hmcs"][:1]
    return {key: value for key, value in shown.items() if key not in ("why", "known_hmcs", "attempts", "events", "decision")}


def hostile_throughout(new: Any) -> Dict[str, Any]:
    """Every string, number and so on of a document at once."""
    shown = few()
    for path in list(leaves(shown)):
        inner = shown
        for key in path:
            inner = inner[key]
        if path and not isinstance(inner, (dict, list)):
            shown = replaced(shown, path, new)
    return shown


def test_hostile_text_and_numbers_in_any_place_make_no_other_line() -> None:
    shown = few()

    for path in leaves(shown):
        for new in HOSTILE[:1] + (float("nan"), None, [], {"a": [{"b": "c\n"}]}):
            if path:
                parsed(text(replaced(shown, path, new)))


@pytest.mark.parametrize("new", HOSTILE, ids=lambda new: repr(new)[:20])
def test_hostile_text_and_numbers_in_all_places_make_no_other_line_and_no_long_one(new: Any) -> None:
    shown = hostile_throughout(new)

    assert parsed(text(shown)) and max(map(len, text(shown).splitlines())) < 4 * 700


def test_hostile_names_of_keys_make_no_other_line() -> None:
    names = [f"IBM.{name}" for name in HOSTILE if isinstance(name, str)]
    rows = {name: {"state": "active", "expected": name} for name in names}

    shown = full(subsystems=rows, event_counts={name: 1 for name in names}, budgets={name: [] for name in names})

    assert len(parsed(text(shown))["rmcagent_subsystem_up"].samples) == len(names)


def test_a_quote_a_backslash_and_a_newline_are_escaped_once() -> None:
    (line,) = [line for line in text(full(policy='a"b\\c\nd')).splitlines() if line.startswith("rmcagent_build_info")]

    assert 'policy="a\\"b\\\\c\\\\x0ad"' in line


def test_two_hmcs_of_one_address_are_no_series_twice() -> None:
    row = {"address": HMC1, "name": "one", "link": "up"}

    shown = full(hmcs=[row, {**row, "name": "two", "link": "down"}])

    assert len(told(shown, "hmc_info")) == 1 and len(told(shown, "hmc_link")) == 6


def test_five_thousand_hmcs_subsystems_and_guards_are_bounded_and_what_is_left_out_is_counted() -> None:
    hmcs = [{"address": f"10.0.{number // 250}.{number % 250}", "link": "up", "reachable": True} for number in range(5000)]
    rows = {f"IBM.{number:04}": {"state": "active", "expected": "on-demand"} for number in range(5000)}
    rows["zz"] = {"state": "inoperative", "expected": "required"}
    decision = {"kind": "refuse", "refused_by": [f"guard-{number}" for number in range(5000)]}
    codes = {f"RMCA{number}I": 1 for number in range(1000, 6000)}

    shown = full(hmcs=hmcs, subsystems=rows, decisions=[decision], event_counts=codes)

    assert told(shown, "series_dropped") == {"hmc": 4968, "subsystem": 4937, "guard": 4968}
    assert told(shown, "subsystem_up")["zz", "required"] == 0          # of too many, what must run is told
    assert (len(told(shown, "hmc_link")), len(told(shown, "subsystem_up"))) == (32 * 6, 64)
    assert len(text(shown).splitlines()) < 700
    assert told({**shown, "hmcs": hmcs[::-1]}, "hmc_link") == told(shown, "hmc_link")      # the same ones at every look


# ---- the file

def exposed(complaints: List[str], *attempts: Attempt) -> Exposed:
    return Exposed(complaints.append, attempts)


def test_the_file_is_for_everyone_and_holds_the_same_as_the_verb(tmp_path: Path) -> None:
    path = tmp_path / "rmcagent.prom"
    umask = os.umask(0o077)
    try:
        assert exposed([]).write(str(path), full())
    finally:
        os.umask(umask)

    assert path.read_text() == text(full()) and stat.S_IMODE(path.stat().st_mode) == 0o644
    assert os.listdir(tmp_path) == ["rmcagent.prom"]


def test_the_file_is_replaced_also_when_nothing_changed(tmp_path: Path) -> None:
    path, writer = tmp_path / "rmcagent.prom", exposed([])
    writer.write(str(path), full())
    os.utime(path, (1, 1))

    writer.write(str(path), full())

    assert path.stat().st_mtime > 1


def test_nothing_is_written_through_a_link_and_what_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("untouched")
    for name in ("rmcagent.prom", ".rmcagent.prom.new"):
        (tmp_path / name).symlink_to(other)

    assert exposed([]).write(str(tmp_path / "rmcagent.prom"), full())

    assert other.read_text() == "untouched" and not (tmp_path / "rmcagent.prom").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["other", "rmcagent.prom"]


def test_a_folder_that_is_not_there_is_not_made_and_is_complained_of_once(tmp_path: Path) -> None:
    complaints: List[str] = []
    writer, path = exposed(complaints), tmp_path / "textfile" / "rmcagent.prom"

    assert [writer.write(str(path), full()) for _ in range(3)] == [False] * 3
    assert complaints == [f"rmcagent: cannot write {path}: No such file or directory; report.metrics names it, or is off\n"]
    assert os.listdir(tmp_path) == []

    path.parent.mkdir()
    assert writer.write(str(path), full())
    shutil.rmtree(path.parent)
    assert not writer.write(str(path), full())
    assert len(complaints) == 2                                        # it was mended in between, and is news again


def test_a_path_that_nobody_can_write_is_no_exception(tmp_path: Path) -> None:
    assert not exposed([]).write(str(tmp_path), full()) and not exposed([]).write("/\0/rmcagent.prom", full())


@pytest.mark.parametrize("other", ["# HELP node_load1 1m load average.\n", "#!/bin/sh\n", "# HELP rmcagent"])
def test_what_another_wrote_is_neither_replaced_nor_removed(other: str, tmp_path: Path) -> None:
    path, complaints = tmp_path / "rmcagent.prom", []  # type: Path, List[str]
    path.write_text(other)
    writer = exposed(complaints)

    assert not writer.write(str(path), full())

    assert complaints == [f"rmcagent: cannot write {path}: what is there was not written by rmcagent; move it away; "
                          "report.metrics names it, or is off\n"]
    assert writer.write("off", full()) and path.read_text() == other and os.listdir(tmp_path) == ["rmcagent.prom"]


def test_a_fifo_is_neither_waited_for_nor_replaced_and_an_empty_file_is(tmp_path: Path) -> None:
    fifo, empty = tmp_path / "fifo.prom", tmp_path / "empty.prom"
    os.mkfifo(fifo)
    empty.touch()

    assert not exposed([]).write(str(fifo), full()) and fifo.is_fifo()
    assert exposed([]).write(str(empty), full()) and empty.read_text() == text(full())


# ---- whose folder it is

@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A folder in which its owner, who is not root, has a folder for metrics; beside it is one where only root may write."""
    if os.geteuid() != 0:
        pytest.skip("needs root, who is not the folder's owner")
    (tmp_path / "roots").mkdir(mode=0o700)
    for folder in (tmp_path / "theirs", tmp_path / "theirs" / "textfile"):
        folder.mkdir(mode=0o755)
        os.chown(folder, 65534, 65534)
    return tmp_path / "theirs" / "textfile"


@pytest.mark.parametrize("depth", [0, 1])
def test_a_folder_of_another_owner_is_written_but_never_left_through_a_link_of_his(depth: int, theirs: Path) -> None:
    complaints: List[str] = []
    folder, roots = theirs / "deeper" if depth else theirs, theirs.parent.parent / "roots"
    for made in (folder, roots / "deeper"):
        made.mkdir(exist_ok=True)
    lure = roots / "deeper" / "rmcagent.prom" if depth else roots / "rmcagent.prom"
    lure.write_text("# HELP rmcagent_lure root's\n")
    writer, path = exposed(complaints), folder / "rmcagent.prom"
    assert writer.write(str(path), full()) and path.read_text() == text(full())

    theirs.rename(theirs.parent / "away")
    theirs.symlink_to(roots)
    os.chown(theirs, 65534, 65534, follow_symlinks=False)

    assert not writer.write(str(path), full())
    assert writer.write("off", full())
    assert lure.read_text() == "# HELP rmcagent_lure root's\n" and len(list(roots.rglob("*"))) == 2
    assert complaints == [f"rmcagent: cannot write {path}: a link leads there that somebody else could have made or could "
                          "replace; report.metrics names it, or is off\n"]


def test_roots_own_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real" / "textfile").mkdir(parents=True)
    (tmp_path / "absolute").symlink_to(tmp_path / "real")
    (tmp_path / "relative").symlink_to("absolute/../real")

    assert exposed([]).write(str(tmp_path / "relative" / "textfile" / "rmcagent.prom"), full())

    assert os.listdir(tmp_path / "real" / "textfile") == ["rmcagent.prom"]


def test_a_link_round_in_circles_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "round").symlink_to("round")

    assert not exposed([]).write(str(tmp_path / "round" / "rmcagent.prom"), full())


def test_where_no_folder_can_be_held_open_it_must_be_roots_alone(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "DESCRIPTORS", False)
    complaints: List[str] = []
    roots = theirs.parent.parent / "roots"
    (theirs.parent.parent / "link").symlink_to(roots)

    assert not exposed(complaints).write(str(theirs / "rmcagent.prom"), full())
    assert not exposed(complaints).write(str(theirs.parent.parent / "link" / "rmcagent.prom"), full())
    assert exposed(complaints).write(str(roots / "rmcagent.prom"), full())
    roots.chmod(0o777)
    assert not exposed(complaints).write(str(roots / "rmcagent.prom"), full())
    roots.chmod(0o1777)
    assert exposed(complaints).write(str(roots / "rmcagent.prom"), full())

    assert ["a folder on its path" in said or "a link leads" in said for said in complaints] == [True] * 3


# ---- a file system that does not answer

@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """What each writer of a file waits for, until it is removed: a FIFO that nobody opens at its other end."""
    fifo = tmp_path / "frozen"
    os.mkfifo(fifo)
    put = files._put

    def hang(*given: Any) -> None:
        if fifo.exists():
            os.close(os.open(fifo, os.O_RDONLY))
        put(*given)
    monkeypatch.setattr(files, "_put", hang)
    yield fifo
    thaw(fifo)


def thaw(fifo: Path) -> None:
    if fifo.exists():
        writer = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        fifo.unlink()
        os.close(writer)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10.0
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_file_system_that_hangs_costs_a_moment_once_and_is_said_once(frozen: Path, tmp_path: Path) -> None:
    complaints: List[str] = []
    writer, path = exposed(complaints), tmp_path / "rmcagent.prom"

    began = time.monotonic()
    writer.write(str(path), full())
    child, first = writer.aside.child, time.monotonic() - began
    later = [writer.write(str(path), full()) for _ in range(50)]

    assert first < 5.0 and time.monotonic() - began < 10.0 and later == [False] * 50
    assert writer.aside.child == child != 0                            # and no other was begun
    assert complaints == [f"rmcagent: cannot write {path}: its file system does not answer; nothing is written there until it "
                          "does; report.metrics names it, or is off\n"]

    thaw(frozen)
    until(path.exists)
    until(lambda: writer.write(str(path), full()))
    assert writer.aside.child == 0 and len(complaints) == 1


def test_what_hangs_holds_neither_our_lock_nor_our_pipes(frozen: Path, tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    writer = exposed([])

    writer.write(str(tmp_path / "rmcagent.prom"), full())
    os.close(theirs)

    assert writer.aside.child and os.read(ours, 1) == b""              # else the child still had its other end
    os.close(ours)


def test_a_writer_that_was_killed_is_said(frozen: Path, tmp_path: Path) -> None:
    complaints: List[str] = []
    writer, path = exposed(complaints), tmp_path / "rmcagent.prom"
    writer.write(str(path), full())

    os.kill(writer.aside.child, signal.SIGTERM)
    until(lambda: writer.write(str(path), full()) or "signal 15" in complaints[-1])

    assert complaints[-1].startswith(f"rmcagent: cannot write {path}: its writer was ended by signal 15; ")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device here is always full")
def test_a_full_file_system_is_told_in_the_systems_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complaints: List[str] = []
    monkeypatch.setattr(files, "FRESH_FILE", os.O_WRONLY)
    path = tmp_path / "rmcagent.prom"
    monkeypatch.setattr(files.Place, "remove", lambda self, name: None)
    (tmp_path / ".rmcagent.prom.new").symlink_to("/dev/full")

    assert not exposed(complaints).write(str(path), full())

    assert complaints == [f"rmcagent: cannot write {path}: No space left on device; report.metrics names it, or is off\n"]


def test_what_is_told_elsewhere_or_no_more_is_told_nowhere_else(tmp_path: Path) -> None:
    writer, one, other = exposed([]), tmp_path / "one.prom", tmp_path / "other.prom"

    writer.write(str(one), full())
    writer.write(str(other), full())
    assert os.listdir(tmp_path) == ["other.prom"]

    assert writer.write("off", full())
    assert os.listdir(tmp_path) == []


# ---- counting

def attempt(number: int, outcome: Any = None, **more: Any) -> Attempt:
    return Attempt(number, Remedy.START, Fault.RMC_DOWN, "", "E-1", NOON, "boot", outcome=outcome, **more)


def test_what_another_life_began_is_not_counted_but_how_it_ends_is() -> None:
    writer = exposed([], attempt(1, Outcome.HEALED), attempt(2))

    first = writer.counted([attempt(1, Outcome.HEALED), attempt(2, Outcome.HEALED), attempt(3)])
    then = writer.counted([attempt(2, Outcome.HEALED), attempt(3, Outcome.UNCHANGED), attempt(4, Outcome.HEALED)])

    assert first["start"] == {"begun": 1, "healed": 1}
    assert then["start"] == {"begun": 2, "healed": 2, "unchanged": 1}
    assert writer.counted([attempt(4, Outcome.HEALED)]) == then         # forgotten ones are not taken back
    assert then["recycle"] == {"begun": 0}


def test_what_ran_in_shadow_or_only_finished_another_is_not_counted() -> None:
    writer = exposed([])

    assert writer.counted([attempt(1, Outcome.HEALED, shadow=True), attempt(2, by="finish")])["start"] == {"begun": 0}


# ---- rules and dashboard

@lru_cache
def rules() -> List[Dict[str, Any]]:
    (group,) = yaml.safe_load((PACKAGING / "rmcagent.rules.yml").read_text())["groups"]
    found: List[Dict[str, Any]] = group["rules"]
    return found


def dashboard() -> Dict[str, Any]:
    found: Dict[str, Any] = json.loads((PACKAGING / "rmcagent.dashboard.json").read_text())
    return found


@lru_cache
def labels_of(name: str) -> List[str]:
    return [label for labels in parsed(text(full()))[name].samples for label, _ in labels]


def wrong_in(expression: str) -> List[str]:
    """Metrics in it that do not exist, and labels by which they are chosen but which they do not have."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    wrong = []
    for name, selectors in re.findall(r"((?:[a-z]+:)?rmcagent_\w+)(?:\{([^}]*)\})?", expression):
        if name not in recorded and name not in {metric.name for metric in METRICS}:
            wrong.append(name)
        elif name not in recorded:
            chosen = re.findall(r"(\w+)(?:=~|!~|!=|=)", selectors)
            wrong += [f"{name}{{{label}}}" for label in chosen if label not in ("job", "instance", *labels_of(name))]
    return wrong


def test_an_expression_with_a_metric_or_a_label_that_does_not_exist_is_found() -> None:
    assert wrong_in('sum(rmcagent_verdict{verdict="blind"}) > rmcagent_up') == []
    assert wrong_in('rmcagent_gone or rmcagent_verdict{state="blind"}') == ["rmcagent_gone", "rmcagent_verdict{state}"]


def test_every_rule_reads_metrics_that_exist_and_says_how_grave_it_is_and_what_to_run() -> None:
    for rule in rules():
        assert wrong_in(rule["expr"]) == [], rule
        if "alert" in rule:
            assert rule["labels"]["severity"] in ("critical", "warning", "info") and rule["for"]
            assert set(rule["annotations"]) == {"summary", "description", "command"}
            assert rule["annotations"]["command"].startswith("rmcagent ")


def test_every_alert_is_tried_where_it_must_speak_and_where_not_and_stands_in_the_readme() -> None:
    tried: Dict[str, set[bool]] = {}
    for case in yaml.safe_load((PACKAGING / "rmcagent.rules.test.yml").read_text())["tests"]:
        for row in case["alert_rule_test"]:
            tried.setdefault(row["alertname"], set()).add(bool(row["exp_alerts"]))

    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    assert tried == {alert: {True, False} for alert in alerts}
    assert set(re.findall(r"^\| (Rmcagent\w+) \|", (PACKAGING / "README.md").read_text(), re.MULTILINE)) == alerts


def test_the_dashboard_has_few_panels_each_with_a_number_a_title_and_metrics_that_exist() -> None:
    panels = dashboard()["panels"]

    assert len(panels) <= 12 and len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["datasource"]["uid"] == "${datasource}" and panel["description"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for target in panel["targets"]:
            assert target["expr"] and wrong_in(target["expr"]) == []
            assert "rmcagent_" in target["expr"] and ":" not in target["expr"]      # it must work without the rules


def test_no_panel_of_the_dashboard_lies_on_another() -> None:
    taken: Dict[Tuple[int, int], int] = {}
    for panel in dashboard()["panels"]:
        grid = panel["gridPos"]
        for column in range(grid["x"], grid["x"] + grid["w"]):
            for line in range(grid["y"], grid["y"] + grid["h"]):
                assert column < 24 and taken.setdefault((column, line), panel["id"]) == panel["id"]


def test_the_dashboards_variables_exist() -> None:
    variables = {variable["name"]: variable for variable in dashboard()["templating"]["list"]}

    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard()))) - {"__all"} <= set(variables)
    assert all(wrong_in(variable["definition"]) == [] for variable in variables.values() if variable["type"] == "query")
    assert dashboard()["schemaVersion"] >= 38                                          # Grafana 10


# ---- the real thing

def promtool(*words: str, given: str = "") -> str:
    """What it complains of; "" is nothing."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    done = subprocess.run(["promtool", *words], input=given.encode("ascii"), capture_output=True, timeout=PATIENCE, cwd=PACKAGING)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).decode()


@pytest.mark.slow
@pytest.mark.parametrize("shown", [full(), STOPPED, {}], ids=["full", "stopped", "empty"])
def test_promtool_finds_nothing_wrong_with_the_metrics(shown: Dict[str, Any]) -> None:
    assert promtool("check", "metrics", given=text(shown)) == ""


@pytest.mark.slow
@pytest.mark.parametrize("new", HOSTILE, ids=lambda new: repr(new)[:20])
def test_promtool_reads_hostile_documents(new: Any) -> None:
    assert promtool("check", "metrics", given=text(hostile_throughout(new))) == ""


@pytest.mark.slow
def test_promtool_finds_nothing_wrong_with_the_rules_and_their_tests_hold() -> None:
    assert promtool("check", "rules", "rmcagent.rules.yml") == ""
    assert promtool("test", "rules", "rmcagent.rules.test.yml", "rmcagent.week.test.yml") == ""


@pytest.mark.slow
def test_promtool_can_read_what_the_dashboard_asks(tmp_path: Path) -> None:
    asked = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    asked_as_rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(asked)]
    (tmp_path / "dashboard.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": asked_as_rules}]}))

    assert promtool("check", "rules", str(tmp_path / "dashboard.yml")) == ""


def _listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def scraped(folder: Path) -> Iterator[Callable[[], str]]:
    """node_exporter on a folder: a function that asks it as Prometheus would."""
    program = shutil.which("prometheus-node-exporter") or shutil.which("node_exporter")
    if program is None:
        pytest.skip("node_exporter is not installed: apt-get install prometheus-node-exporter")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["--collector.disable-defaults", "--collector.textfile", f"--collector.textfile.directory={folder}"]
    exporter = subprocess.Popen([program, *words, f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL)

    def ask() -> str:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
            return str(answer.read().decode())

    try:
        until = time.monotonic() + PATIENCE
        while not _listens(port):
            assert time.monotonic() < until and exporter.poll() is None
            time.sleep(0.05)
        yield ask
    finally:
        exporter.terminate()
        exporter.wait()


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("new", ["plain", *HOSTILE[:6]], ids=lambda new: repr(new)[:20])
def test_node_exporter_tells_each_series_and_no_error(new: Any, tmp_path: Path) -> None:
    shown = full() if new == "plain" else hostile_throughout(new)
    exposed([]).write(str(tmp_path / "rmcagent.prom"), shown)

    with scraped(tmp_path) as ask:
        answer = ask()

    ours = {line.rsplit(" ", 1)[0] for line in text(shown).splitlines() if not line.startswith("#")}
    there = [line for line in answer.splitlines() if line.startswith("rmcagent_")]
    assert "node_textfile_scrape_error 0" in answer.splitlines()
    assert len(there) == len(ours) and len({line.split("{")[0].split(" ")[0] for line in there}) == len(parsed(text(shown)))


@pytest.mark.slow
@pytest.mark.real
def test_the_real_daemon_tells_of_a_remedy_and_that_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "rmcagent.prom"
    with Stage(tmp_path, policy={"report": {"metrics": str(path)}}) as stage:
        daemon = stage.start()
        assert stage.wait_healthy(PATIENCE), stage.complaints()
        healthy = parsed(path.read_text())
        stage.world.do("stick_session", mended_by="refresh")
        assert stage.wait_for("RMCA3002N", PATIENCE), stage.complaints()
        assert stage.wait_until(lambda: 'judged_total{remedy="refresh",outcome="healed"} 1' in path.read_text(), PATIENCE)
        healed = path.read_text()
        path, before = tmp_path / "moved.prom", path
        stage.write_policy({"report": {"metrics": str(path)}})
        daemon.send_signal(signal.SIGHUP)
        assert stage.wait_until(lambda: path.exists() and not before.exists(), PATIENCE), stage.complaints()
        stage.stop()

        assert stage.complaints() == ""
    assert healthy["rmcagent_verdict"].samples[(("verdict", "healthy"),)] == 1
    assert 'rmcagent_remedies_begun_total{remedy="refresh"} 1' in healed and 'rmcagent_events_total{code="RMCA3001N"} 1' in healed
    assert "rmcagent_up 0" in path.read_text().splitlines()
    assert promtool("check", "metrics", given=healed) == promtool("check", "metrics", given=path.read_text()) == ""


@pytest.mark.slow
@pytest.mark.real
def test_the_real_daemon_says_once_what_it_cannot_write_and_again_after_it_could(tmp_path: Path) -> None:
    log = tmp_path / "ours"
    log.mkdir()
    with Stage(tmp_path, policy={"report": {"file": str(log)}}) as stage:
        stage.start()
        assert stage.wait_healthy(PATIENCE), stage.complaints()
        published = tmp_path / "partition" / "public" / "status.json"
        said = f"rmcagent: cannot publish {published}: Is a directory; "

        def count() -> int:
            return stage.complaints().count(said)

        def told_again() -> bool:
            return count() == many

        for many in (1, 2):
            published.unlink()
            published.mkdir()
            assert stage.wait_until(told_again, PATIENCE), stage.complaints()
            for _ in range(20):
                time.sleep(0.05)
            published.rmdir()
            assert stage.wait_until(published.is_file, PATIENCE)
            assert count() == many
        stage.stop()

        assert stage.complaints().count(f"rmcagent: cannot write {log}: Is a directory; report.file names it, or is off") == 1


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, which can be frozen."""
    image, folder = tmp_path / "image", tmp_path / "mounted"
    folder.mkdir()
    with open(image, "wb") as file:
        file.truncate(8 << 20)
    for command in (["mkfs.ext4", "-q", str(image)], ["mount", "-o", "loop", str(image), str(folder)]):
        if os.geteuid() != 0 or not shutil.which(command[0]) or subprocess.run(command, capture_output=True).returncode != 0:
            pytest.skip(f"cannot {command[0]} here")
    try:
        yield folder
    finally:
        subprocess.run(["fsfreeze", "-u", str(folder)], capture_output=True)
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.real
def test_the_real_daemon_heals_and_stops_though_the_metrics_file_system_is_frozen(mounted: Path, tmp_path: Path) -> None:
    with Stage(tmp_path, policy={"report": {"metrics": str(mounted / "rmcagent.prom")}}) as stage:
        daemon = stage.start()
        assert stage.wait_healthy(PATIENCE), stage.complaints()
        subprocess.run(["fsfreeze", "-f", str(mounted)], check=True)
        stage.world.do("stick_session", mended_by="refresh")
        assert stage.wait_for("RMCA3002N", PATIENCE), stage.complaints()
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(10.0) == 0

        assert stage.complaints().count("its file system does not answer") == 1
