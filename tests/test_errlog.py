"""AIX's error log: what goes there, how seldom, and that the simulated partition's errlogger is what gets it."""
from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import List, Tuple

import pytest

from rmcagent.config import Report, Syslog
from rmcagent.model import Platform
from rmcagent.report import Event, Reporter
from rmcagent.report.errlog import ErrorLog
from rmcagent.sim.clock import VirtualClock
from rmcagent.sim.live.stage import Stage
from rmcagent.sim.partition import Partition, SimHost

HOUR = 3600.0
HOSTILE = 'x\x1b[2J\n"q" \\ ]=\udc80\u202e'


def needed(number: int = 1) -> Event:
    return Event("RMCA4001E", "needs a human", (("fault", "rmc-down"), ("n", str(number))))


@pytest.fixture
def entered() -> Tuple[ErrorLog, VirtualClock, List[str]]:
    clock, texts = VirtualClock(), []  # type: ignore[var-annotated]
    return ErrorLog(texts.append, clock), clock, texts


Entered = Tuple[ErrorLog, VirtualClock, List[str]]


def test_what_needs_a_human_is_entered_and_nothing_else(entered: Entered) -> None:
    log, _, texts = entered

    for code in ("RMCA1008E", "RMCA1009E", "RMCA2001W", "RMCA4002W", "RMCA1001I"):
        log.send(Event(code, "x"))
    log.send(needed())

    assert texts == ["rmcagent: RMCA4001E needs a human fault=rmc-down n=1"]


def test_the_same_is_entered_once_a_day(entered: Entered) -> None:
    log, clock, texts = entered
    for _ in range(24):
        log.send(needed())
        log.send(Event("RMCA4001E", "needs a human", (("repeated", "3"), *needed().fields)))
        clock.sleep(HOUR)
    assert len(texts) == 1

    log.send(needed())

    assert len(texts) == 2


def test_six_are_entered_an_hour_whatever_they_say(entered: Entered) -> None:
    log, clock, texts = entered
    for number in range(20):
        log.send(needed(number))
    assert len(texts) == 6

    clock.sleep(HOUR)
    log.send(needed(20))

    assert texts[6:] == ["rmcagent: RMCA4001E needs a human fault=rmc-down n=20"]


def test_what_found_no_room_may_be_entered_later(entered: Entered) -> None:
    log, clock, texts = entered
    for number in range(7):
        log.send(needed(number))

    clock.sleep(HOUR)
    log.send(needed(6))

    assert texts[-1].endswith("n=6") and len(texts) == 7


def test_what_is_remembered_of_a_day_stays_bounded(entered: Entered) -> None:
    log, clock, _ = entered
    for number in range(2000):
        log.send(needed(number))
        clock.sleep(60)

    assert len(log.entered) <= 24 * 6


def test_a_text_is_plain_and_shorter_than_errlogger_takes(entered: Entered) -> None:
    log, _, texts = entered

    log.send(Event("RMCA4001E", "needs a human" + HOSTILE, (("because", HOSTILE + "b" * 10_000), ("unblock", HOSTILE))))

    assert len(texts[0]) <= 1024 and all(" " <= letter <= "~" for letter in texts[0]) and "\\x1b[2J\\x0a" in texts[0]


# ---- through the seam

def told(platform: str, wanted: str = "auto", take_away: bool = False) -> List[str]:
    """What the simulated partition's error log has, when something needs a human there."""
    clock = VirtualClock()
    partition = Partition(clock, Platform(platform))
    host = SimHost(partition, clock)
    if take_away:
        partition.remove_command("errlogger")
    settings = Report(Syslog("daemon", "/nowhere/log", "rfc3164"), "off", wanted, "off", "off", timedelta(hours=6))
    reporter = Reporter(settings, platform, clock, 1, errlogger=lambda text: host.run(("/sim/bin/errlogger", text), 5.0))
    reporter.emit(needed())
    return partition.errlogged


@pytest.mark.parametrize("platform", ["aix", "vios"])
def test_on_aix_and_a_vios_errlogger_gets_it(platform: str) -> None:
    assert told(platform) == ["rmcagent: RMCA4001E needs a human fault=rmc-down n=1"]


def test_linux_has_no_error_log_and_it_may_be_off() -> None:
    assert told("linux") == [] and told("aix", wanted="off") == []


def test_a_missing_errlogger_is_silently_nothing() -> None:
    assert told("aix", take_away=True) == []


@pytest.mark.slow
@pytest.mark.real
def test_the_real_daemon_enters_what_needs_a_human_by_a_real_errlogger(tmp_path: Path) -> None:
    policy = {"remedies": {name: {"mode": "off"} for name in ("start", "recycle")}}
    with Stage(tmp_path, policy=policy) as stage:
        stage.start()
        assert stage.wait_healthy(150.0), stage.complaints()

        stage.world.do("crash", "ctrmc")

        assert stage.wait_for("RMCA4001E", 150.0), stage.complaints()
        assert stage.wait_until(lambda: bool(stage.world.ask("errlogged")), 20.0)
        (text,) = stage.world.ask("errlogged")
        assert text.startswith("rmcagent: RMCA4001E needs a human fault=rmc-down")
        assert stage.wait_until(lambda: stage.status()["event_counts"].get("RMCA4001E") == 1, 20.0)
        assert [event["code"] for event in stage.status()["events"]][:2] == ["RMCA1001I", "RMCA2001W"]
        kept = (tmp_path / "partition" / "state" / "events.jsonl").read_text().splitlines()
        assert [json.loads(line)["code"] for line in kept][:2] == ["RMCA1001I", "RMCA2001W"]
