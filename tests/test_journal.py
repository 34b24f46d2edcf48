"""What is sent to the journal, and when syslog takes it instead; the real journald is in tests/system/test_journald.py."""
from __future__ import annotations

import re
import socket
from datetime import timedelta
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rmcagent.config import Report, Syslog
from rmcagent.report import EVENTS, Event, Reporter, journal, reporter
from rmcagent.report.journal import Journal, fields
from rmcagent.sim.clock import VirtualClock

HOSTILE = 'x\x1b[2J\n"q" \\ ]=\udc80\u202e'
PLAIN = 'x\\x1b[2J\\x0a"q" \\\\ ]=\\udc80\\u202e'
GONE = Event("RMCA2002N", "problem gone", (("fault", "link-down"), ("episode", "E-1"), ("healed", "by itself")))


class Journald:
    """Its socket, bound by the test, and what systemd-python's sendv was called with."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.socket"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.sent: List[Dict[str, str]] = []
        self.refuses = False

    def sendv(self, *strings: str) -> None:
        if self.refuses:
            raise OSError(111, "refused")
        self.sent.append(dict(string.partition("=")[::2] for string in strings))  # type: ignore[misc]

    def fill(self) -> None:
        """Until it holds as much as the kernel keeps for one that does not read."""
        filler = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        filler.setblocking(False)
        try:
            while True:
                filler.sendto(b"x", str(self.path))
        except BlockingIOError:
            filler.close()


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[Journald]:
    made = Journald(tmp_path)
    yield made
    made.socket.close()


@pytest.fixture
def syslog(tmp_path: Path) -> Iterator[socket.socket]:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(str(tmp_path / "log"))
    made.setblocking(False)
    yield made
    made.close()


Telling = Tuple[Reporter, Journald, socket.socket]


@pytest.fixture(params=["beside", "instead"])
def telling(request: pytest.FixtureRequest, journald: Journald, syslog: socket.socket, tmp_path: Path,
            monkeypatch: pytest.MonkeyPatch) -> Iterator[Telling]:
    """A Reporter of this machine's journal: beside a syslog socket that is named, or in the stead of the platform's own."""
    monkeypatch.setattr(reporter, "_journal", lambda: Journal(journald.sendv, str(journald.path)))
    monkeypatch.setattr(reporter, "_journald_reads_syslog", lambda: True)
    monkeypatch.setattr(reporter, "DEV_LOG", str(tmp_path / "log"))
    told = Reporter(settings(str(tmp_path / "log") if request.param == "beside" else "auto"), "linux", VirtualClock(), 4711)
    yield told, journald, syslog
    told.close()


def settings(path: str, wanted: str = "auto") -> Report:
    return Report(Syslog("local3", path, "rfc3164"), wanted, "auto", "off", "off", timedelta(hours=6))


def received(syslog: socket.socket) -> List[str]:
    said = []
    while True:
        try:
            said.append(syslog.recv(4096).decode("ascii").partition("]: ")[2])
        except BlockingIOError:
            return said


@pytest.mark.parametrize("telling, lines", [("instead", []), ("beside", ["RMCA1007N sees again"])], indirect=["telling"])
def test_the_journal_stands_beside_a_named_socket_and_in_place_of_the_platforms_own(telling: Telling, lines: List[str]) -> None:
    told, journald, syslog = telling

    told.emit(Event("RMCA1007N", "sees again"))

    assert [sent["MESSAGE"] for sent in journald.sent] == ["RMCA1007N sees again"]
    assert received(syslog) == lines


@pytest.mark.parametrize("telling", ["instead"], indirect=True)
@pytest.mark.parametrize("trouble", ["refuses", "gone", "full"])
def test_what_the_journal_does_not_take_syslog_gets(telling: Telling, trouble: str) -> None:
    told, journald, syslog = telling
    if trouble == "refuses":
        journald.refuses = True
    elif trouble == "gone":
        journald.path.unlink()
    else:
        journald.fill()

    told.emit(Event("RMCA1007N", "sees again"))

    assert journald.sent == [] and received(syslog) == ["RMCA1007N sees again"]


@pytest.mark.parametrize("telling", ["instead"], indirect=True)
def test_a_storm_is_told_to_the_journal_in_sixty_lines_an_hour_too(telling: Telling) -> None:
    told, journald, _ = telling
    for number in range(100):
        told.emit(Event("RMCA2001W", "problem found", (("n", str(number)),)))
        told.emit(Event("RMCA2001W", "problem found", (("n", str(number)),)))

    assert len(journald.sent) == 60


def test_where_a_syslogd_of_its_own_reads_dev_log_both_are_told(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("")
    (tmp_path / "link").symlink_to("/run/systemd/journal/dev-log")

    assert not journal.behind(str(tmp_path / "own"))
    assert journal.behind(str(tmp_path / "link")) and journal.behind(str(tmp_path / "absent"))


@pytest.mark.parametrize("wanted, platform", [("off", "linux"), ("auto", "aix"), ("auto", "vios")])
def test_there_is_no_journal_where_it_is_off_or_the_platform_has_none(wanted: str, platform: str,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "_journal", lambda: pytest.fail("asked for"))

    assert Reporter(settings("/nowhere/log", wanted), platform, VirtualClock(), 1).journal is None


def test_without_journald_its_library_is_not_even_loaded(tmp_path: Path) -> None:
    assert journal.opened(str(tmp_path / "absent")) is None


# ---- the entry

def test_an_entry_has_the_line_and_each_field() -> None:
    assert fields(GONE, "the line", 19, 4711) == {
        "MESSAGE": "the line", "MESSAGE_ID": EVENTS["RMCA2002N"].message_id, "PRIORITY": "5", "SYSLOG_IDENTIFIER": "rmcagent",
        "SYSLOG_FACILITY": "19", "SYSLOG_PID": "4711", "RMCAGENT_CODE": "RMCA2002N", "RMCAGENT_FAULT": "link-down",
        "RMCAGENT_EPISODE": "E-1", "RMCAGENT_HEALED": "by itself",
    }


def test_an_entry_without_what_the_catalogue_shows_of_it_has_no_message_id() -> None:
    summary = Event("RMCA2001W", "further events held back", (("events", "40"), ("codes", "RMCA2001W*40")))

    assert "MESSAGE_ID" not in fields(summary, "line", 3, 1) and "MESSAGE_ID" not in fields(Event("RMCA9999I", "x"), "line", 3, 1)


@pytest.mark.parametrize("key, name", [
    ("fault", "RMCAGENT_FAULT"), ("a\nMESSAGE=b", "RMCAGENT_A_MESSAGE_B"), ("", "RMCAGENT_"), ("\u00df\u0131", "RMCAGENT_SSI"),
    ("k" * 99, "RMCAGENT_" + "K" * 55), ("9", "RMCAGENT_9"), ("\u20ac", "RMCAGENT__"),
])
def test_names_are_such_as_journald_keeps(key: str, name: str) -> None:
    assert journal.named(key) == name


def test_a_field_of_the_events_cannot_take_the_place_of_one_of_ours() -> None:
    entry = fields(Event("RMCA1007N", "sees again", (("code", "RMCA4001E"), ("a", "first"), ("a", "second"))), "line", 3, 1)

    assert entry["RMCAGENT_CODE"] == "RMCA1007N" and entry["RMCAGENT_A"] == "first"


def test_hostile_text_is_escaped_in_every_field() -> None:
    told = fields(Event("RMCA4001E", "x", (("because", HOSTILE),)), "line", 3, 1)["RMCAGENT_BECAUSE"]

    assert told.isascii() and told.isprintable() and told == PLAIN


@example([(f"key{number}", "]" * 2000) for number in range(60)])
@given(st.lists(st.tuples(st.text(max_size=80), st.text(max_size=2000)), max_size=60))
def test_an_entry_is_bounded_and_plain_whatever_it_is_made_of(told: List[Tuple[str, str]]) -> None:
    entry = fields(Event("RMCA4001E", "needs a human", tuple(told)), "line", 3, 1)

    assert len(entry) <= 40
    for name, value in entry.items():
        assert re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", name) and len(value) <= 900 and re.fullmatch(r"[ -~]*", value)
