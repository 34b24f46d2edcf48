"""Lines, their sinks and their limits: a real socket and a real file stand for syslog and disk, time is given in."""
from __future__ import annotations

import json
import os
import re
import socket
import stat
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Tuple

import pytest
from hypothesis import example, given
from hypothesis import settings as settled
from hypothesis import strategies as st

from rmcagent.config import Report, Syslog
from rmcagent.report import EVENTS, Event, Reporter, files, line, publish, text
from rmcagent.report import reporter as reporters
from rmcagent.report import syslog as syslogs
from rmcagent.report.events import SEVERITIES
from rmcagent.sim.clock import VirtualClock

NOON = datetime(2026, 5, 4, 12, 0, 28, tzinfo=timezone.utc)
BEGUN = Event("RMCA3001N", "remedy begun", (("remedy", "recycle"), ("attempt", "7")))


# ---- lines

def test_the_codes_are_those_that_were_agreed_upon() -> None:
    agreed = """RMCA1001I RMCA1002I RMCA1003E RMCA1004N RMCA1005N RMCA1006W RMCA1007N RMCA1008E RMCA1009E RMCA2001W RMCA2002N
        RMCA3001N RMCA3002N RMCA3003W RMCA3004W RMCA3005N RMCA3006W RMCA3007W RMCA4001E RMCA4002W"""

    assert list(EVENTS) == agreed.split()


def test_each_code_ends_in_its_level_and_is_explained() -> None:
    for code, event in EVENTS.items():
        assert code[-1] == event.level and event.level in SEVERITIES
        assert event.name and event.meaning.endswith(".") and event.do.endswith(".")


def test_a_line_is_code_word_and_fields() -> None:
    event = Event("RMCA3004W", "refused", (
        ("remedy", "recfgct"), ("guard", "cluster"), ("episode", "E-12"), ("because", "CAA is active (caavg_private on hdisk2)"),
    ))

    assert line(event) == (
        'RMCA3004W refused remedy=recfgct guard=cluster episode=E-12 because="CAA is active (caavg_private on hdisk2)"'
    )
    assert line(Event("RMCA1002I", "stopped")) == "RMCA1002I stopped"


@pytest.mark.parametrize("value, written", [
    ("", '""'), ("a=b", '"a=b"'), ('say "x"', r'"say \"x\""'), ("c:\\d", r'"c:\\d"'), ("a\nb\x1b[2J", r'"a\x0ab\x1b[2J"'),
    ("Gr\u00f6\u00dfe", r'"Gr\xf6\xdfe"'), ("\u202e\ud800", r'"\u202e\ud800"'), ("\U0001f600", r'"\U0001f600"'),
    ("2613-021", "2613-021"),
])
def test_values_are_quoted_and_escaped_where_they_must_be(value: str, written: str) -> None:
    assert line(Event("RMCA1002I", "stopped", (("because", value),))) == f"RMCA1002I stopped because={written}"


def test_long_values_are_cut_alike_and_short_ones_left_whole() -> None:
    event = Event("RMCA2001W", "problem found", (("evidence", "e" * 5000), ("fault", "link-down"), ("advice", "a b" * 5000)))

    cut = line(event)

    assert 890 < len(cut) <= 900
    assert " fault=link-down " in cut
    evidence, advice = cut.partition("evidence=")[2].partition(" fault")[0], cut.partition('advice="')[2][:-1]
    assert evidence.endswith("e...") and advice.endswith("...")
    assert abs(len(evidence) - len(advice)) <= 1


def test_more_fields_than_a_line_holds_are_left_out_and_said_to_be() -> None:
    for size in (0, 3, 40):
        written = line(Event("RMCA2001W", "problem found", tuple((f"key{number}", "v" * size) for number in range(300))))

        assert len(written) <= 900
        assert written.endswith(" more=...")


FIELDS = st.lists(st.tuples(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.text(max_size=2000)), max_size=120)


@given(FIELDS)
def test_no_line_is_longer_than_900_bytes_or_says_anything_but_ascii(fields: List[Tuple[str, str]]) -> None:
    written = line(Event("RMCA2001W", "problem found", tuple(fields)))

    assert len(written) <= 900
    assert all(" " <= letter <= "~" for letter in written)
    assert written.startswith("RMCA2001W problem found")


@given(st.lists(st.tuples(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.text(max_size=20)), max_size=4))
def test_a_line_that_fits_can_be_read_back(fields: List[Tuple[str, str]]) -> None:
    written = line(Event("RMCA2001W", "found", tuple(fields)))

    assert read_back(written[len("RMCA2001W found"):]) == fields


def read_back(text: str) -> List[Tuple[str, str]]:
    found = []
    while text:
        key, _, rest = text[1:].partition("=")
        if rest.startswith('"'):
            end = 1
            while rest[end] != '"':
                end += 2 if rest[end] == "\\" else 1
            value, text = rest[1:end].encode("ascii").decode("unicode_escape", "surrogatepass"), rest[end + 1:]
        else:
            value, blank, after = rest.partition(" ")
            text = blank + after
        found.append((key, value))
    return found


# ---- structured data

LONGEST_HOST = "h" * 255


def modern(event: Event, host: str = "lpar7") -> str:
    return text.rfc5424(28, NOON, host, 4711, event, line(event))


def test_a_message_of_rfc_5424_has_the_fields_and_then_the_line() -> None:
    assert modern(BEGUN) == (
        '<28>1 2026-05-04T12:00:28.000+00:00 lpar7 rmcagent 4711 RMCA3001N '
        '[rmcagent@32473 code="RMCA3001N" remedy="recycle" attempt="7"] RMCA3001N remedy begun remedy=recycle attempt=7'
    )


@pytest.mark.parametrize("value, written", [
    ("", ""), ('say "x"', r'say \"x\"'), ("a]b", r"a\]b"), ("c:\\d", r"c:\\\\d"), ("a\nb\x1b[2J", r"a\\x0ab\\x1b[2J"),
    ("\ud800", r"\\ud800"),
])
def test_what_could_end_a_parameter_is_escaped_in_it(value: str, written: str) -> None:
    assert f' because="{written}"] ' in modern(Event("RMCA1002I", "stopped", (("because", value),)))


@pytest.mark.parametrize("key, name", [("a b", "a_b"), ('x="]', "x___"), ("", "_"), ("k" * 40, "k" * 32), ("\u00e9\n", "__")])
def test_a_parameters_name_cannot_end_it(key: str, name: str) -> None:
    assert f' {name}="v"] ' in modern(Event("RMCA1002I", "stopped", ((key, "v"),)))


@pytest.mark.parametrize("host, shown", [("", "-"), ("a b\n", "ab"), ("h" * 300, LONGEST_HOST)])
def test_a_hosts_name_cannot_end_the_header(host: str, shown: str) -> None:
    assert modern(BEGUN, host).split(" ")[2] == shown


@example([(f"key{number}", "]" * 2000) for number in range(120)])
@example([("key", "]" * 2000)])
@given(FIELDS)
@settled(max_examples=40)
def test_no_message_of_rfc_5424_is_longer_than_2048_bytes_or_can_be_read_otherwise(fields: List[Tuple[str, str]]) -> None:
    event = Event("RMCA2001W", "problem found", tuple(fields))

    written = modern(event, LONGEST_HOST)

    assert len(written) <= 2048 and all(" " <= letter <= "~" for letter in written)
    element = re.match(r'(?:\S+ ){6}\[rmcagent@32473((?: [A-Za-z0-9_.-]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*)\] ', written)
    assert element and element.group(1).startswith(' code="RMCA2001W"')
    assert written[element.end():] == line(event)


def test_lost_lines_are_counted_in_the_form_of_the_others() -> None:
    first = modern(Event("RMCA2001W", "problem found", (("odd", "]: "),))).encode("ascii")

    assert text.of_lost(first, 7) == (b"<28>1 2026-05-04T12:00:28.000+00:00 lpar7 rmcagent 4711 RMCA2001W - "
                                      b"RMCA2001W earlier lines lost lines=7")


# ---- syslog

class Sink:
    """A syslogd's socket, bound by the test."""

    def __init__(self, path: Path, kind: int = socket.SOCK_DGRAM) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, kind)
        self.socket.bind(str(path))
        self.socket.setblocking(False)

    def lines(self) -> List[str]:
        found = []
        while True:
            try:
                found.append(self.socket.recv(4096).decode("ascii"))
            except BlockingIOError:
                return found

    def close(self) -> None:
        self.socket.close()
        self.path.unlink()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def sink(path: Path) -> Iterator[Sink]:
    made = Sink(path)
    yield made
    made.socket.close()


def settings(path: Path, file: str = "off", facility: str = "daemon") -> Report:
    return Report(Syslog(facility, str(path), "rfc3164"), "auto", "auto", "off", file, timedelta(hours=6))


Telling = Callable[..., Tuple[Reporter, VirtualClock]]


@pytest.fixture
def reporter() -> Iterator[Telling]:
    made: List[Reporter] = []

    def telling(path: Path, file: str = "off", facility: str = "daemon") -> Tuple[Reporter, VirtualClock]:
        clock = VirtualClock()
        made.append(Reporter(settings(path, file, facility), "aix", clock, 4711))
        return made[-1], clock

    yield telling
    for told in made:
        told.close()


def numbered(number: int, code: str = "RMCA2001W") -> Event:
    return Event(code, "problem found", (("n", str(number)),))


def texts(lines: List[str]) -> List[str]:
    return [said.partition("]: ")[2] for said in lines]


def test_syslog_gets_a_datagram_in_its_local_form(reporter: Telling, path: Path, sink: Sink) -> None:
    told, clock = reporter(path, facility="local3")

    told.emit(BEGUN)

    local = clock.now().astimezone()
    stamp = f"{local:%b} {local.day:2d} {local:%H:%M:%S}"
    assert sink.lines() == [f"<157>{stamp} rmcagent[4711]: RMCA3001N remedy begun remedy=recycle attempt=7"]


@pytest.mark.parametrize("code, severity", [("RMCA1001I", 6), ("RMCA3001N", 5), ("RMCA2001W", 4), ("RMCA4001E", 3)])
def test_levels_become_severities(reporter: Telling, code: str, severity: int, path: Path, sink: Sink) -> None:
    told, _ = reporter(path)

    told.emit(Event(code, "word"))

    assert sink.lines()[0].startswith(f"<{3 * 8 + severity}>")


def test_days_below_ten_are_padded_with_a_blank() -> None:
    assert text.rfc3164(27, NOON, 1, "said") == "<27>May  4 12:00:28 rmcagent[1]: said"


def test_lines_wait_while_syslog_is_away_and_arrive_in_order(reporter: Telling, path: Path) -> None:
    told, _ = reporter(path)
    told.emit(numbered(1))
    told.emit(numbered(2))

    sink = Sink(path)
    told.flush()

    assert texts(sink.lines()) == ["RMCA2001W problem found n=1", "RMCA2001W problem found n=2"]
    sink.close()


def test_a_restarted_syslog_is_found_again(reporter: Telling, path: Path, sink: Sink) -> None:
    told, _ = reporter(path)
    told.emit(numbered(1))
    sink.close()
    told.emit(numbered(2))

    again = Sink(path)
    told.emit(numbered(3))

    assert texts(again.lines()) == ["RMCA2001W problem found n=2", "RMCA2001W problem found n=3"]
    again.close()


def test_a_replaced_socket_is_found_though_the_old_one_still_listens(reporter: Telling, path: Path, sink: Sink) -> None:
    told, _ = reporter(path)
    told.emit(numbered(1))
    path.unlink()
    again = Sink(path)

    told.emit(numbered(2))

    assert texts(sink.lines()) == ["RMCA2001W problem found n=1"]
    assert texts(again.lines()) == ["RMCA2001W problem found n=2"]
    again.close()


def test_the_newest_256_lines_are_kept_and_the_lost_ones_counted(reporter: Telling, path: Path) -> None:
    told, clock = reporter(path)
    for number in range(300):
        told.emit(numbered(number, "RMCA4001E"))
        clock.sleep(1)
    assert len(told.syslog.queue) == 256

    sink = Sink(path)
    said = drained(told, sink)

    assert said[0] == "RMCA4001E earlier lines lost lines=44"
    assert said[1:] == [f"RMCA4001E problem found n={number}" for number in range(44, 300)]
    sink.close()


def test_a_sink_that_takes_nothing_neither_blocks_nor_loses_more_than_it_must(reporter: Telling, path: Path, sink: Sink) -> None:
    told, _ = reporter(path)
    for number in range(1000):
        told.emit(numbered(number, "RMCA4001E"))      # no reader: the kernel's queue fills
    assert len(told.syslog.queue) == 256

    said = drained(told, sink)

    lost = [text for text in said if "lost" in text]
    assert len(lost) == 1
    assert len(said) - 1 + int(lost[0].rpartition("=")[2]) == 1000
    assert said[-1] == "RMCA4001E problem found n=999"


def drained(told: Reporter, sink: Sink) -> List[str]:
    """A datagram socket's queue is short: flush and read by turns."""
    said: List[str] = []
    for _ in range(1000):
        told.flush()
        new = sink.lines()
        if not new:
            return texts(said)
        said += new
    raise AssertionError("the queue never empties")


def test_a_stream_socket_is_spoken_to_as_well(reporter: Telling, path: Path) -> None:
    server = Sink(path, socket.SOCK_STREAM)
    server.socket.listen(1)
    told, _ = reporter(path)

    told.emit(numbered(1))
    told.emit(numbered(2))

    peer, _ = server.socket.accept()
    received = peer.recv(4096).decode("ascii")
    assert texts(received.splitlines()) == ["RMCA2001W problem found n=1", "RMCA2001W problem found n=2"]
    peer.close()
    server.close()


def test_a_stream_that_was_closed_is_opened_again_for_the_same_line(reporter: Telling, path: Path) -> None:
    server = Sink(path, socket.SOCK_STREAM)
    server.socket.listen(1)
    told, _ = reporter(path)
    told.emit(numbered(1))
    first, _ = server.socket.accept()
    first.close()

    told.emit(numbered(2))

    second, _ = server.socket.accept()
    assert texts(second.recv(4096).decode("ascii").splitlines()) == ["RMCA2001W problem found n=2"]
    second.close()
    server.close()


class Sipping:
    """A stream that takes ten bytes at a time, and none every third time."""

    def __init__(self) -> None:
        self.taken = b""
        self.asked = 0

    def send(self, data: bytes) -> int:
        self.asked += 1
        if self.asked % 3 == 0:
            raise BlockingIOError
        self.taken += data[:10]
        return len(data[:10])

    def close(self) -> None:
        self.asked = -1


def test_a_stream_that_takes_half_a_line_gets_the_other_half_later(path: Path, sink: Sink) -> None:
    sipping, syslog = Sipping(), syslogs.Syslog(str(path))
    syslog.socket, syslog.socket_is, syslog.stream = sipping, syslogs.identity_of(str(path)), True      # type: ignore[assignment]
    for number in range(400):
        syslog.send(b"<27>May  4 12:00:28 rmcagent[1]: RMCA4001E needs a human n=%d" % number)
    while syslog.queue:
        syslog.flush()

    said = texts(sipping.taken.decode("ascii").splitlines())
    numbers = [int(text.rpartition("=")[2]) for text in said if "lost" not in text]
    lost = [int(text.rpartition("=")[2]) for text in said if "lost" in text]
    assert numbers == sorted(set(numbers)) and numbers[-1] == 399
    assert len(numbers) + sum(lost) == 400


def test_nothing_that_is_wrong_with_the_socket_is_raised(reporter: Telling, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for odd in (tmp_path / "file", tmp_path, tmp_path / "nowhere" / "log", tmp_path / ("x" * 200), Path("/\0")):
        told, _ = reporter(odd)

        told.emit(BEGUN)

        assert len(told.syslog.queue) == 1


# ---- how much is said

def test_a_repeat_within_the_hour_is_counted_not_repeated(reporter: Telling, path: Path, sink: Sink) -> None:
    told, clock = reporter(path)
    for _ in range(5):
        told.emit(numbered(1))
        clock.sleep(600)
    assert texts(sink.lines()) == ["RMCA2001W problem found n=1"]

    clock.sleep(600)
    told.flush()

    assert texts(sink.lines()) == ["RMCA2001W problem found repeated=4 n=1"]


def test_after_an_hour_the_same_line_is_news_again(reporter: Telling, path: Path, sink: Sink) -> None:
    told, clock = reporter(path)
    told.emit(numbered(1))
    clock.sleep(3600)

    told.emit(numbered(1))

    assert texts(sink.lines()) == ["RMCA2001W problem found n=1"] * 2


def test_what_was_undone_in_between_is_news_again(reporter: Telling, path: Path, sink: Sink) -> None:
    told, _ = reporter(path)
    paused, resumed = Event("RMCA1004N", "paused", (("reason", "x"),)), Event("RMCA1005N", "resumed")

    for event in (paused, paused, resumed, paused, resumed):
        told.emit(event)

    assert texts(sink.lines()) == [
        "RMCA1004N paused reason=x", "RMCA1004N paused repeated=1 reason=x", "RMCA1005N resumed", "RMCA1004N paused reason=x",
        "RMCA1005N resumed",
    ]


def test_sixty_lines_an_hour_and_the_rest_is_counted(reporter: Telling, path: Path, sink: Sink) -> None:
    told, clock = reporter(path)
    said: List[str] = []
    for number in range(100):
        told.emit(numbered(number, "RMCA2001W" if number % 2 else "RMCA3001N"))
        said += texts(sink.lines())
    assert [text.rpartition("=")[2] for text in said] == [str(number) for number in range(60)]

    clock.sleep(3600)
    told.flush()

    assert texts(sink.lines()) == ['RMCA2001W further events held back events=40 codes="RMCA2001W*20 RMCA3001N*20"']


def test_a_flood_that_does_not_end_still_says_sixty_one_lines_an_hour_at_most(reporter: Telling, path: Path, sink: Sink) -> None:
    told, clock = reporter(path)
    said: Dict[int, List[str]] = {0: [], 1: [], 2: []}
    for number in range(3 * 360):
        told.emit(numbered(number))
        said[number // 360] += texts(sink.lines())
        clock.sleep(10)

    for lines in said.values():
        assert len(lines) <= 61
        assert len([text for text in lines if "held back" not in text]) >= 55


def test_what_needs_a_human_is_never_held_back(reporter: Telling, path: Path, sink: Sink) -> None:
    told, _ = reporter(path)
    for number in range(100):
        told.emit(numbered(number))
        sink.lines()

    told.emit(numbered(1, "RMCA4001E"))

    assert texts(sink.lines()) == ["RMCA4001E problem found n=1"]


def test_what_is_remembered_stays_bounded(reporter: Telling, tmp_path: Path) -> None:
    told, _ = reporter(tmp_path / "nowhere")
    for number in range(5000):
        told.emit(numbered(number, "RMCA4001E"))

    assert len(told.said) <= syslogs.QUEUED_LINES
    assert len(told.syslog.queue) <= syslogs.QUEUED_LINES


# ---- what others publish of it

def test_the_last_eight_that_were_told_are_at_hand_without_their_codes(reporter: Telling, path: Path, sink: Sink) -> None:
    told, clock = reporter(path)
    for number in range(10):
        told.emit(numbered(number))
        told.emit(numbered(number))

    at = clock.now().astimezone().isoformat(timespec="seconds")
    assert list(told.recent) == [
        {"at": at, "code": "RMCA2001W", "text": f"problem found n={number}"} for number in range(2, 10)
    ]


def test_what_was_told_is_counted_by_code(reporter: Telling, path: Path, sink: Sink) -> None:
    told, clock = reporter(path)
    for event in (BEGUN, numbered(1), numbered(2), numbered(2)):
        told.emit(event)
    assert told.counts == {"RMCA3001N": 1, "RMCA2001W": 2}

    clock.sleep(3600)
    told.flush()

    assert told.counts == {"RMCA3001N": 1, "RMCA2001W": 3}


def test_what_is_told_is_kept_for_history(tmp_path: Path) -> None:
    clock = VirtualClock()
    told = Reporter(settings(tmp_path / "log"), "aix", clock, 4711, state=str(tmp_path))
    told.emit(BEGUN)
    told.emit(BEGUN)

    (row,) = [json.loads(kept) for kept in (tmp_path / "events.jsonl").read_text().splitlines()]

    assert row == {"at": clock.now().astimezone().isoformat(timespec="seconds"), "code": "RMCA3001N", "word": "remedy begun",
                   "fields": [["remedy", "recycle"], ["attempt", "7"]]}


# ---- other settings

def test_after_a_reload_what_was_said_is_still_no_news_and_the_counts_go_on(reporter: Telling, path: Path, sink: Sink) -> None:
    told, _ = reporter(path)
    told.emit(numbered(1))

    told.adopt(settings(path, facility="local3"), "aix")
    told.emit(numbered(1))
    told.emit(numbered(2))

    assert [said.partition(">")[0] for said in sink.lines()] == ["<28", "<156"]
    assert told.counts == {"RMCA2001W": 2}


def test_what_waits_for_a_socket_goes_to_the_new_one(reporter: Telling, tmp_path: Path, path: Path, sink: Sink) -> None:
    told, _ = reporter(tmp_path / "nowhere")
    told.emit(numbered(1))

    told.adopt(settings(path), "aix")
    told.emit(numbered(2))

    assert texts(sink.lines()) == ["RMCA2001W problem found n=1", "RMCA2001W problem found n=2"]


def test_the_format_is_the_one_that_is_configured(reporter: Telling, path: Path, sink: Sink) -> None:
    told, _ = reporter(path)

    told.adopt(replace(settings(path), syslog=Syslog("daemon", str(path), "rfc5424")), "aix")
    told.emit(BEGUN)

    (said,) = sink.lines()
    assert re.fullmatch(r"<29>1 \S+ \S+ rmcagent 4711 RMCA3001N \[rmcagent@32473 code=.*\] RMCA3001N remedy begun .*", said)


# ---- the log file

def test_the_log_file_is_for_its_owner_and_holds_stamped_lines(reporter: Telling, tmp_path: Path) -> None:
    file = tmp_path / "new" / "rmcagent.log"
    told, clock = reporter(tmp_path / "nowhere", str(file))

    told.emit(BEGUN)
    told.emit(numbered(1))

    first, second = file.read_text().splitlines()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert first.endswith(" rmcagent[4711]: RMCA3001N remedy begun remedy=recycle attempt=7")
    assert datetime.fromisoformat(second.split(" ")[0]) == clock.now().replace(microsecond=0)


def test_the_log_file_is_rotated_at_a_mebibyte_and_five_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "rmcagent.log"
    said = b"x" * 99_999 + b"\n"

    for _ in range(100):
        files.append(str(file), said)

    sizes = {kept.name: kept.stat().st_size for kept in tmp_path.iterdir()}
    assert set(sizes) == {"rmcagent.log", *(f"rmcagent.log.{number}" for number in range(1, 5))}
    assert all(size <= files.FILE_BYTES for size in sizes.values())


def test_a_file_that_cannot_be_written_is_left_alone(reporter: Telling, tmp_path: Path) -> None:
    fifo, link = tmp_path / "fifo", tmp_path / "link"
    os.mkfifo(fifo)
    link.symlink_to(tmp_path / "target")
    for odd in (tmp_path, fifo, link, tmp_path / "fifo" / "log", Path("/proc/nowhere/log"), Path("/\0")):
        told, _ = reporter(tmp_path / "nowhere", str(odd))

        told.emit(BEGUN)

    assert not (tmp_path / "target").exists()


def test_a_log_file_that_cannot_be_written_is_complained_of_once(tmp_path: Path) -> None:
    complaints: List[str] = []
    told = Reporter(settings(tmp_path / "nowhere", str(tmp_path)), "aix", VirtualClock(), 4711, complain=complaints.append)

    for number in range(3):
        told.emit(numbered(number))

    assert complaints == [f"rmcagent: cannot write {tmp_path}: Is a directory; report.file names it, or is off\n"]


def test_a_log_file_with_a_second_name_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("root:x:0:0\n")
    os.link(tmp_path / "passwd", tmp_path / "rmcagent.log")

    with pytest.raises(OSError, match="it has a second name"):
        files.append(str(tmp_path / "rmcagent.log"), b"line\n")

    assert (tmp_path / "passwd").read_text() == "root:x:0:0\n"


def test_the_log_files_folder_is_not_left_through_somebodys_link(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, who is not the link's owner")
    (tmp_path / "roots").mkdir()
    (tmp_path / "logs").symlink_to("roots")
    os.chown(tmp_path / "logs", 65534, 65534, follow_symlinks=False)

    for path in ("logs/rmcagent.log", "logs/new/rmcagent.log"):
        with pytest.raises(OSError, match="a link leads there"):
            files.append(str(tmp_path / path), b"line\n")

    assert os.listdir(tmp_path / "roots") == []


def test_while_the_log_files_file_system_hangs_lines_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complaints: List[str] = []
    frozen, file = tmp_path / "frozen", tmp_path / "rmcagent.log"
    os.mkfifo(frozen)
    append = files.append

    def hang(path: str, said: bytes) -> None:
        if frozen.exists():
            os.close(os.open(frozen, os.O_RDONLY))
        append(path, said)
    monkeypatch.setattr(reporters, "append", hang)
    told = Reporter(settings(tmp_path / "nowhere", str(file)), "aix", VirtualClock(), 4711, complain=complaints.append)

    began = time.monotonic()
    for number in range(50):
        told.emit(numbered(number))
    assert time.monotonic() - began < 5.0 and not file.exists()
    assert complaints == [f"rmcagent: cannot write {file}: its file system does not answer; nothing is written there until it "
                          "does; report.file names it, or is off\n"]

    writer = os.open(frozen, os.O_RDWR | os.O_NONBLOCK)
    frozen.unlink()
    os.close(writer)
    while not file.exists() or file.read_text().count("\n") < 50:
        assert time.monotonic() - began < 15.0
        time.sleep(0.01)
        told.flush()
    assert [line.rpartition("=")[2] for line in file.read_text().splitlines()] == [str(number) for number in range(50)]
    assert len(complaints) == 1


@pytest.mark.parametrize("wanted, platform, file", [
    ("auto", "aix", "/var/log/rmcagent/rmcagent.log"), ("auto", "vios", "/var/log/rmcagent/rmcagent.log"),
    ("auto", "linux", None), ("off", "aix", None), ("/tmp/x.log", "linux", "/tmp/x.log"),
])
def test_where_syslog_records_nothing_by_default_we_keep_a_file(wanted: str, platform: str, file: str) -> None:
    assert files.log_path(wanted, platform) == file


# ---- the public document

def test_nobody_else_may_write_in_the_folders_above_what_is_published(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        publish(str(tmp_path / "a" / "b" / "status.json"), {})
    finally:
        os.umask(before)

    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b")] == [0o755, 0o755]


def test_a_document_is_published_for_everyone_whatever_our_umask(tmp_path: Path) -> None:
    path, before = tmp_path / "public" / "status.json", os.umask(0o077)
    try:
        publish(str(path), {"verdict": "healthy", "name": "Gr\u00f6\u00dfe"})
    finally:
        os.umask(before)

    assert json.loads(path.read_bytes()) == {"verdict": "healthy", "name": "Gr\u00f6\u00dfe"}
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o644, 0o755)


def test_a_document_is_replaced_not_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    publish(str(path), {"n": 1})
    with open(path) as reader:
        publish(str(path), {"n": 2})

        assert json.load(reader) == {"n": 1}
    assert json.loads(path.read_text()) == {"n": 2}
    assert os.listdir(tmp_path) == ["status.json"]


@pytest.mark.parametrize("plant", [os.link, os.symlink, lambda target, path: os.mkfifo(path)], ids=["link", "symlink", "fifo"])
def test_what_was_planted_where_a_document_is_prepared_is_neither_written_through_nor_waited_for(
        tmp_path: Path, plant: Callable[[Path, Path], None]) -> None:
    path, target = tmp_path / "public" / "status.json", tmp_path / "passwd"
    target.write_text("root:x:0:0")
    target.chmod(0o600)
    path.parent.mkdir()
    plant(target, path.parent / ".status.json.new")

    publish(str(path), {"verdict": "healthy"})

    assert json.loads(path.read_text()) == {"verdict": "healthy"}
    assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == ("root:x:0:0", 0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert os.listdir(path.parent) == ["status.json"]


def test_a_document_that_cannot_be_published_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "status.json").mkdir()

    with pytest.raises(FileExistsError):
        publish(str(tmp_path / "file" / "status.json"), {})
    with pytest.raises(IsADirectoryError):
        publish(str(tmp_path / "status.json"), {})

    assert sorted(os.listdir(tmp_path)) == ["file", "status.json"]
