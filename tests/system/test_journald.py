"""journald in a really booted systemd: native fields, the catalogue's text, one line each, and a journald that stands still."""
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from boot import Machine, booted

from rmcagent.report.events import EVENTS, NOTHING

pytestmark = [pytest.mark.slow, pytest.mark.real]
ROOT = Path(__file__).resolve().parents[2]
HOSTILE = 'x\x1b[2J\n"q" \\ ]=\udc80\u202e'

TELL = """
import json, sys, time
sys.path.insert(0, "/opt/agent")
from rmcagent import config
from rmcagent.clock import SystemClock
from rmcagent.report import Event, Reporter
told = Reporter(config.parse("platform: linux\\nreport: {file: off, %s}").settings.report, "linux", SystemClock())
for code, word, fields in json.loads(sys.argv[1]):
    told.emit(Event(code, word, tuple((key, value) for key, value in fields)))
    time.sleep(0.02)          # what comes faster than journald reads goes to syslog: its queue may hold ten only
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with booted(tmp_path_factory.mktemp("boot"), {ROOT / "agent": "/opt/agent", ROOT / "packaging": "/opt/packaging"}) as made:
        yield made


def tell(machine: Machine, *events: List[Any], report: str = "journal: auto") -> None:
    machine.python(TELL % report, json.dumps(events))
    machine.run("journalctl", "--sync")


def entries(machine: Machine, episode: str) -> List[Dict[str, str]]:
    """What the journal has of an episode, whoever told it."""
    said = machine.run("journalctl", "-t", "rmcagent", "-o", "json", "--no-pager").splitlines()
    return [entry for entry in map(json.loads, said) if f"episode={episode}" in entry["MESSAGE"]]


def test_an_event_is_one_entry_with_its_fields(machine: Machine) -> None:
    fields = [["fault", "link-down"], ["side", "here"], ["episode", "E-1"], ["evidence", "every HMC is O"]]

    tell(machine, ["RMCA2001W", "problem found", fields])

    (entry,) = entries(machine, "E-1")
    assert entry["_TRANSPORT"] == "journal"
    assert entry["MESSAGE"] == 'RMCA2001W problem found fault=link-down side=here episode=E-1 evidence="every HMC is O"'
    told = {name: entry[name] for name in entry if not name.startswith("_") and name not in ("MESSAGE", "SYSLOG_PID")}
    assert told == {
        "MESSAGE_ID": EVENTS["RMCA2001W"].message_id, "PRIORITY": "4", "SYSLOG_IDENTIFIER": "rmcagent", "SYSLOG_FACILITY": "3",
        "RMCAGENT_CODE": "RMCA2001W", "RMCAGENT_FAULT": "link-down", "RMCAGENT_SIDE": "here", "RMCAGENT_EPISODE": "E-1",
        "RMCAGENT_EVIDENCE": "every HMC is O",
    }


def test_the_journal_explains_each_event_and_names_its_fields(machine: Machine) -> None:
    machine.run("install", "-m", "644", "/opt/packaging/linux/rmcagent.catalog", "/usr/lib/systemd/catalog/")
    machine.run("journalctl", "--update-catalog")

    tell(machine, *([code, event.name, [[name, f"{name}-of-{code}"] for name in event.shows]] for code, event in EVENTS.items()))

    listed = machine.run("journalctl", "--list-catalog", "--no-pager")
    assert [event.message_id for event in EVENTS.values() if event.message_id not in listed] == []
    for code, event in EVENTS.items():
        told = machine.run("journalctl", "-x", "--no-pager", f"MESSAGE_ID={event.message_id}", f"RMCAGENT_CODE={code}", "-n", "1")
        plain = " ".join(re.sub("[\u2591]+", " ", told).split())
        assert f"Subject: rmcagent: {event.name} " in plain and "man:rmcagent(8)" in plain
        assert event.meaning in plain and (event.do == NOTHING or event.do in plain)
        assert all(f"{name}-of-{code}" in plain.partition("Subject:")[2] for name in event.shows)
        assert "RMCAGENT_" not in plain and "@" not in plain


def test_hostile_text_is_escaped_in_the_message_and_in_every_field(machine: Machine) -> None:
    fields = [["fault", HOSTILE], ["episode", "E-3"], ["because", HOSTILE + "b" * 10_000], ["a\nMESSAGE=b", HOSTILE]]

    tell(machine, ["RMCA4001E", "needs a human" + HOSTILE, fields])

    (entry,) = entries(machine, "E-3")
    for name, value in entry.items():     # those with an underscore are journald's own: the test's command line, for one
        assert name.startswith("_") or re.fullmatch(r"[ -~]*", value), name
    assert entry["RMCAGENT_FAULT"] == 'x\\x1b[2J\\x0a"q" \\\\ ]=\\udc80\\u202e'
    assert entry["RMCAGENT_A_MESSAGE_B"] == entry["RMCAGENT_FAULT"]
    assert len(entry["RMCAGENT_BECAUSE"]) == 900 and len(entry["MESSAGE"]) <= 900


def test_with_a_socket_of_its_own_syslog_is_told_beside_the_journal(machine: Machine) -> None:
    fields = [["remedy", "refresh"], ["fault", "link-down"], ["episode", "E-4"], ["because", "x"]]

    tell(machine, ["RMCA3001N", "remedy begun", fields], report="syslog: {socket: /run/systemd/journal/dev-log}")

    assert sorted(entry["_TRANSPORT"] for entry in entries(machine, "E-4")) == ["journal", "syslog"]


def test_switched_off_the_journal_gets_what_syslog_gets(machine: Machine) -> None:
    tell(machine, ["RMCA2002N", "problem gone", [["fault", "link-down"], ["episode", "E-5"], ["healed", "by itself"]]],
         report="journal: off")

    (entry,) = entries(machine, "E-5")
    assert entry["_TRANSPORT"] == "syslog" and "RMCAGENT_CODE" not in entry


STILL = """
import os, signal, subprocess, sys, time
sys.path.insert(0, "/opt/agent")
from rmcagent import config
from rmcagent.clock import SystemClock
from rmcagent.report import Event, Reporter
told = Reporter(config.parse("platform: linux\\nreport: {file: off}").settings.report, "linux", SystemClock())
journald = int(subprocess.run(["systemctl", "show", "-P", "MainPID", "systemd-journald"], stdout=subprocess.PIPE).stdout)
slowest = 0.0
os.kill(journald, signal.SIGSTOP)
try:
    for number in range(600):
        began = time.monotonic()
        told.emit(Event("RMCA4001E", "needs a human", (("episode", "E-6"), ("n", str(number)))))
        slowest = max(slowest, time.monotonic() - began)
finally:
    os.kill(journald, signal.SIGCONT)
while told.syslog.queue:
    told.flush()
    time.sleep(0.02)
print(slowest)
"""


def test_a_journald_that_stands_still_is_not_waited_for_and_loses_no_count(machine: Machine) -> None:
    slowest = float(machine.python(STILL))

    machine.run("journalctl", "--sync")
    said = [entry["MESSAGE"] for entry in map(json.loads, machine.run(
        "journalctl", "-t", "rmcagent", "-o", "json", "--no-pager").splitlines())]
    numbers = [int(text.rpartition("=")[2]) for text in said if "episode=E-6" in text]
    lost = sum(int(text.rpartition("=")[2]) for text in said if "earlier lines lost" in text)
    assert slowest < 1.0
    assert len(numbers) == len(set(numbers)) and max(numbers) == 599      # journald reads two sockets, in an order of its own
    assert len(numbers) + lost == 600


def test_the_daemon_under_systemd_tells_the_journal_natively_and_once(machine: Machine) -> None:
    machine.write("/etc/rmcagent.yaml", "platform: linux\n")
    machine.run("systemd-run", "--unit=agent", "-p", "Type=notify", "-p", "StateDirectory=rmcagent",
                "--setenv=PYTHONPATH=/opt/agent", "--setenv=PYTHONDONTWRITEBYTECODE=1",
                "python3", "-m", "rmcagent", "run", "--config", "/etc/rmcagent.yaml")
    machine.run("systemctl", "stop", "agent.service")
    machine.run("journalctl", "--sync")

    told = [json.loads(line) for line in machine.run("journalctl", "_SYSTEMD_UNIT=agent.service", "-t", "rmcagent", "-o", "json",
                                                     "--no-pager").splitlines()]
    assert [(entry["RMCAGENT_CODE"], entry["MESSAGE_ID"], entry["_TRANSPORT"]) for entry in told] == [
        (code, EVENTS[code].message_id, "journal") for code in ("RMCA1001I", "RMCA1002I")
    ]
