"""A real rsyslogd receives the events, by the facility and the socket that the policy names, and again after it was away."""
from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Callable, Iterator, List, Optional

import pytest

from rmcagent import config
from rmcagent.clock import SystemClock
from rmcagent.report import EVENTS, Event, Reporter

pytestmark = [pytest.mark.slow, pytest.mark.real]
PATIENCE = 20.0
RSYSLOGD = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin:/sbin:/bin")


class Rsyslog:
    """One rsyslogd of the test's own: a socket, and a file for each facility and level of interest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "log"
        self.conf = folder / "rsyslog.conf"
        self.conf.write_text(
            f'global(workDirectory="{folder}")\n'
            'module(load="imuxsock" SysSock.Use="off")\n'
            f'input(type="imuxsock" Socket="{self.socket}" CreatePath="on")\n'
            f'local3.warning action(type="omfile" file="{folder}/warnings" flushOnTXEnd="on")\n'
            f'local3.* action(type="omfile" file="{folder}/all" flushOnTXEnd="on")\n'
            f'input(type="imuxsock" Socket="{folder}/modern" CreatePath="on" UseSpecialParser="off" ParseHostname="on")\n'
            'template(name="parsed" type="string" string="%protocol-version%|%app-name%|%procid%|%msgid%|%hostname%|'
            '%structured-data%|%msg%\\n")\n'
            f'local4.* action(type="omfile" file="{folder}/parsed" template="parsed" flushOnTXEnd="on")\n'
        )
        self.process: Optional[subprocess.Popen[bytes]] = None

    def start(self) -> None:
        command = [RSYSLOGD or "", "-n", "-i", str(self.folder / "pid"), "-f", str(self.conf)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        wait_for(self.socket.exists)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(PATIENCE)
            self.process = None
            self.socket.unlink(missing_ok=True)

    def lines(self, name: str) -> List[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []


def wait_for(true: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def rsyslog(tmp_path: Path) -> Iterator[Rsyslog]:
    if RSYSLOGD is None:
        pytest.skip("rsyslogd is not installed: apt-get install rsyslog")
    sink = Rsyslog(tmp_path)
    sink.start()
    yield sink
    sink.stop()


@pytest.fixture
def agent(rsyslog: Rsyslog) -> Iterator[Reporter]:
    policy = config.parse(f"report: {{syslog: {{facility: local3, socket: {rsyslog.socket}}}, file: off}}\n").settings.report
    reporter = Reporter(policy, "linux", SystemClock(), pid=4711)
    yield reporter
    reporter.close()


@pytest.fixture
def modern(rsyslog: Rsyslog) -> Iterator[Reporter]:
    where = f"facility: local4, format: rfc5424, socket: {rsyslog.folder / 'modern'}"
    policy = config.parse(f"report: {{syslog: {{{where}}}, file: off}}\n").settings.report
    reporter = Reporter(policy, "aix", SystemClock(), pid=4711)
    yield reporter
    reporter.close()


def test_rsyslogd_files_the_events_by_facility_and_level(rsyslog: Rsyslog, agent: Reporter) -> None:
    agent.emit(Event("RMCA1001I", "started", (("mode", "act"),)))
    agent.emit(Event("RMCA3004W", "refused", (("remedy", "recfgct"), ("because", "CAA is active\n\x1b[2J"))))

    wait_for(lambda: len(rsyslog.lines("all")) == 2)
    assert [line.partition("rmcagent[4711]: ")[2] for line in rsyslog.lines("all")] == [
        "RMCA1001I started mode=act", 'RMCA3004W refused remedy=recfgct because="CAA is active\\x0a\\x1b[2J"',
    ]
    assert len(rsyslog.lines("warnings")) == 1


def test_what_happened_while_rsyslogd_was_away_reaches_it_in_order(rsyslog: Rsyslog, agent: Reporter) -> None:
    agent.emit(Event("RMCA1001I", "started"))
    wait_for(lambda: len(rsyslog.lines("all")) == 1)

    rsyslog.stop()
    for number in range(3):
        agent.emit(Event("RMCA2001W", "problem found", (("fault", f"fault-{number}"),)))
    rsyslog.start()
    agent.flush()

    wait_for(lambda: len(rsyslog.lines("all")) == 4)
    assert [line.rpartition("=")[2] for line in rsyslog.lines("all")[1:]] == ["fault-0", "fault-1", "fault-2"]


def test_rsyslogd_parses_the_structured_data_of_rfc_5424(rsyslog: Rsyslog, modern: Reporter) -> None:
    hostile = 'a\x1b[2J\n"q" ]\\'

    modern.emit(Event("RMCA2001W", "problem found", (("fault", "link-down"), ("because", hostile), ("odd ]=key", "\udc80"))))

    wait_for(lambda: len(rsyslog.lines("parsed")) == 1)
    version, name, pid, code, host, data, text = rsyslog.lines("parsed")[0].split("|")
    assert (version, name, pid, code, host) == ("1", "rmcagent", "4711", "RMCA2001W", os.uname().nodename)
    assert data == (r'[rmcagent@32473 code="RMCA2001W" fault="link-down" because="a\\x1b[2J\\x0a\"q\" \]\\\\"'
                    r' odd___key="\\udc80"]')
    assert text == r'RMCA2001W problem found fault=link-down because="a\x1b[2J\x0a\"q\" ]\\" odd ]=key="\udc80"'


def test_rsyslogd_takes_the_longest_message_of_rfc_5424_whole(rsyslog: Rsyslog, modern: Reporter) -> None:
    modern.emit(Event("RMCA2001W", "problem found", tuple((f"key{number}", "]\"v" * 3000) for number in range(140))))

    wait_for(lambda: len(rsyslog.lines("parsed")) == 1)
    data, text = rsyslog.lines("parsed")[0].split("|")[-2:]
    assert data.startswith('[rmcagent@32473 code="RMCA2001W" key0=') and data.endswith(' more="..."]')
    assert text.startswith("RMCA2001W problem found key0=") and len(text) <= 900


def test_rsyslogd_receives_every_event_there_is(rsyslog: Rsyslog, agent: Reporter) -> None:
    for code, event in EVENTS.items():
        agent.emit(Event(code, event.name, tuple((name, f"of {code}") for name in event.shows)))

    wait_for(lambda: agent.flush() or len(rsyslog.lines("all")) == len(EVENTS))      # the kernel keeps few for it at a time
    assert [line.partition("]: ")[2].split()[0] for line in rsyslog.lines("all")] == list(EVENTS)
    assert len(rsyslog.lines("warnings")) == sum(event.level in "WE" for event in EVENTS.values())
