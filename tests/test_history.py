"""What `history` tells: one real day as it is printed, what belongs together, and nothing of what hostile text would do."""

from __future__ import annotations

import json
import os
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Iterator, List, Optional, Tuple
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from day import HOUR, MINUTE, Day
from rmcagent.config import Report, Syslog
from rmcagent.report import Event, Reporter
from rmcagent.report.kept import Kept, Record, Row, read
from rmcagent.show.history import Story, Teller, document, event, since_when, text
from rmcagent.show.history.story import MOST_OPEN
from rmcagent.show.history.timeline import Lanes, picture
from rmcagent.sim.clock import VirtualClock

EAST = timezone(timedelta(hours=2))
NOON = datetime(2026, 5, 4, 12, tzinfo=EAST)
SVG = "{http://www.w3.org/2000/svg}"


def row(at: datetime, code: str, word: str = "x", **fields: str) -> Row:
    return Row(at, code, word, tuple(fields.items()))


def record(*rows: Row, skipped: int = 0) -> Record:
    return Record(rows, skipped)


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def told(*rows: Row, since: Optional[datetime] = None, now: Optional[datetime] = None) -> str:
    return text(record(*rows), since, now or after(24 * 60))


FOUND = row(NOON, "RMCA2001W", "problem found", fault="link-down", side="here", episode="E-7", evidence="every known HMC is down")
GONE = row(after(12), "RMCA2002N", "problem gone", fault="link-down", episode="E-7", healed="by itself")


# ---- a real day


class KeptDay(Day):
    """A day whose events are kept as the daemon keeps them, in its state folder."""

    def start(self) -> None:
        super().start()
        keep = Kept(f"{self.folder}/state")

        def emit(told: Event) -> None:
            keep.write(told, self.clock.now().astimezone(EAST))

        self.cycle.emit = self.cycle.deeds.emit = self.cycle.episodes.emit = emit
        started = (("version", "1.4.0"), ("policy", "3f9ac2d1"), ("mode", "act"), ("platform", "aix"))
        emit(Event("RMCA1001I", "started", started))

    restart = start


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Tuple[Record, datetime]:
    """ctrmc crashes; a pause; a stop; a stuck session, healed by a recycle; then one on a node of an active CAA cluster."""
    folder = tmp_path_factory.mktemp("day")
    one = KeptDay(folder, hmcs=("192.0.2.21", "192.0.2.22"))
    one.run(HOUR)
    one.do("crash")
    one.run(HOUR)
    one.cycle.pause(one.clock.now() + timedelta(minutes=45), "a change window", "root")
    one.run(HOUR)
    one.cycle.emit(Event("RMCA1002I", "stopped", (("because", "asked to"),)))
    one.clock.sleep(20 * MINUTE)
    one.restart()
    one.run(20 * MINUTE)
    one.do("stick_session")
    one.run(3 * HOUR)
    one.restart()
    one.do("start_caa")
    one.do("stick_session")
    one.run(3 * HOUR)
    return read(f"{folder}/state"), one.clock.now().astimezone(EAST)


def test_a_day_is_told_on_eighty_columns(day: Tuple[Record, datetime]) -> None:
    golden, told = Path(__file__).parent / "golden" / "history-day.txt", text(day[0], None, day[1])
    if os.environ.get("RENEW_GOLDEN"):
        golden.write_text(told, "ascii")

    assert told == golden.read_text("ascii")


def test_a_day_is_drawn_with_the_agent_and_each_problem_as_lanes(day: Tuple[Record, datetime]) -> None:
    drawn = ElementTree.fromstring(picture(day[0], None, day[1]))

    titles = [element.text or "" for element in drawn.iter(f"{SVG}title")]
    assert [title for title in titles if title in ("the agent", "rmc-down", "link-down")] == [
        "the agent",
        "rmc-down",
        "link-down",
    ]
    bars = [title.split(" (")[0] for title in titles if title.startswith("the agent: ")]
    assert [bar.split(",")[0] for bar in bars] == [
        f"the agent: {state}" for state in ("running", "paused", "running", "not-running", "running", "unknown", "running")
    ]
    assert len([title for title in titles if title.startswith("link-down: problem, ")]) == 2
    assert [title for title in titles if "not gone yet" in title]
    assert [title for title in titles if title.startswith("refused at ")] and "healed" in [
        element.text for element in drawn.iter(f"{SVG}text")
    ]


def test_a_day_in_json_is_what_was_kept(day: Tuple[Record, datetime]) -> None:
    said = json.loads(json.dumps(document(day[0], None)))

    assert (said["schema"], said["since"], said["skipped"]) == (1, None, 0) and len(said["events"]) == len(day[0].rows)
    first, gone = said["events"][0], next(told for told in said["events"] if told["code"] == "RMCA2002N")
    assert first == {
        "at": "2026-01-01T03:00:00+02:00",
        "code": "RMCA1001I",
        "word": "started",
        "level": "I",
        "fields": {"version": "1.4.0", "policy": "3f9ac2d1", "mode": "act", "platform": "aix"},
    }
    assert gone["fields"]["fault"] == "rmc-down" and 60 < gone["after_seconds"] < 600


# ---- a storm


@pytest.mark.parametrize("before", [0, 1], ids=["the last line is a problem's end", "the last line is a problem"])
def test_what_found_no_line_in_a_storm_is_told_nevertheless(before: int, tmp_path: Path) -> None:
    """Sixty lines an hour: the sixtieth is GONE, or with one line before it FOUND, and its end is held back."""
    clock = VirtualClock()
    settings = Report(Syslog("daemon", str(tmp_path / "none"), "rfc3164"), "auto", "off", "off", "off", timedelta(hours=6))
    reporter = Reporter(settings, "linux", clock, state=str(tmp_path))
    for _ in range(before):
        reporter.emit(Event("RMCA1002I", "stopped", (("because", "asked to"),)))
    for number in range(75):
        which = (("fault", "manager-down"), ("subject", "IBM.ServiceRM"), ("episode", f"E-{number}"))
        reporter.emit(Event("RMCA2001W", "problem found", (*which, ("side", "here"), ("evidence", "it is inoperative"))))
        clock.sleep(1)
        reporter.emit(Event("RMCA2002N", "problem gone", (*which, ("healed", "by itself"))))
        clock.sleep(1)
    clock.sleep(HOUR)
    reporter.flush()

    record, now = read(str(tmp_path)), clock.now().astimezone()
    said = text(record, None, now)

    assert len(record.rows) == before + 150 and "held back" not in said
    assert "75 problems (75 gone)" in said and "Still there" not in said
    assert said.count("after 1s") == 75
    assert "not gone yet" not in picture(record, None, now)


# ---- what belongs together


def test_a_problem_that_is_gone_tells_how_long_it_lasted() -> None:
    said = told(FOUND, GONE)

    assert "12:12:00 RMCA2002N problem gone: link-down, after 12m, healed by itself, episode\n         E-7\n" in said
    assert "1 problem (1 gone), 0 remedies begun; since 2026-05-04T12:00:00+02:00" in said and "Still there" not in said


def test_a_problem_that_is_not_gone_is_told_at_the_end_with_its_age() -> None:
    assert told(FOUND).endswith("Still there: link-down, since 2026-05-04T12:00:00+02:00 (1d).\n")


def test_problems_of_two_subjects_are_two() -> None:
    drm, csm = (
        row(after(n), "RMCA2001W", fault="manager-down", subject=name) for n, name in enumerate(("IBM.DRM", "IBM.CSMAgentRM"))
    )

    said = told(drm, csm, row(after(10), "RMCA2002N", "problem gone", fault="manager-down", subject="IBM.CSMAgentRM"))

    assert "manager-down IBM.CSMAgentRM, after 9m" in said and "Still there: manager-down IBM.DRM" in said


def test_what_began_before_the_time_asked_for_still_tells_how_long_it_lasted() -> None:
    said = told(FOUND, GONE, since=after(5))

    assert "problem found" not in said and "after 12m" in said
    assert "since 2026-05-04T12:05:00+02:00." in said and "where the record begins" not in said


def test_a_problem_told_again_is_as_old_as_when_it_was_first_told() -> None:
    again = row(after(60), "RMCA2001W", "problem found", repeated="4", fault="link-down")

    said = told(FOUND, again, row(after(61), "RMCA2002N", fault="link-down"))

    assert "after 1h 1m" in said and "1 problem (" in said and "repeated 4" in said


@pytest.mark.parametrize(
    "code, outcome, summed",
    [
        ("RMCA3002N", "healed", "1 healed"),
        ("RMCA3003W", "unchanged", "1 changed nothing"),
        ("RMCA3003W", "unknown", "1 could not be judged"),
        ("RMCA3003W", "interrupted", "1 interrupted"),
    ],
)
def test_a_remedy_is_told_with_what_came_of_it_and_when(code: str, outcome: str, summed: str) -> None:
    begun = row(NOON, "RMCA3001N", "remedy begun", remedy="recycle", attempt="7", fault="link-down")
    other = row(after(1), "RMCA3001N", "remedy begun", remedy="manager", attempt="8", fault="manager-down", subject="IBM.DRM")

    said = told(begun, other, row(after(12.5), code, "judged", remedy="recycle", attempt="7", fault="link-down", outcome=outcome))

    judged = f", {summed[2:]}" if outcome in ("unknown", "interrupted") else ""
    assert f"{code} judged: recycle for link-down, after 12m 30s{judged}, attempt 7" in said.replace("\n         ", " ")
    assert "manager for manager-down IBM.DRM, attempt 8\n" in said and f"2 remedies begun ({summed})" in said


def test_refusals_shadows_and_calls_for_a_human_are_counted() -> None:
    said = told(*(row(after(n), code) for n, code in enumerate(("RMCA3004W", "RMCA3004W", "RMCA3005N", "RMCA4001E"))))

    assert "2 refused, 1 in shadow only, 1 for a human; since" in " ".join(said.split("\n"))


def test_the_time_the_agent_was_down_is_told() -> None:
    said = told(row(NOON, "RMCA1002I", "stopped"), row(after(95), "RMCA1001I", "started"))

    assert "13:35:00 RMCA1001I started: down for 1h 35m\n" in said and "is stopped" not in said


def test_an_agent_that_was_not_stopped_may_have_been_down_since_its_last_event() -> None:
    said = told(FOUND, row(after(95), "RMCA1001I", "started"), row(after(96), "RMCA2002N", fault="link-down"))

    assert "It had not been stopped: it may have been down since\n         2026-05-04T12:00:00+02:00, its last event.\n" in said


def test_an_agent_that_is_stopped_is_told_so() -> None:
    assert told(FOUND, row(after(5), "RMCA1002I", "stopped")).endswith("The agent is stopped since 2026-05-04T12:05:00+02:00.\n")


def test_a_pause_and_a_blindness_tell_how_long_they_lasted() -> None:
    said = told(row(NOON, "RMCA1004N"), row(after(1), "RMCA1006W"), row(after(3), "RMCA1007N"), row(after(60), "RMCA1005N"))

    assert "RMCA1007N x: after 2m\n" in said and "RMCA1005N x: after 1h\n" in said


def test_a_clock_that_was_set_back_makes_no_length() -> None:
    back = row(NOON - timedelta(hours=1), "RMCA2002N", "problem gone", fault="link-down")

    assert "link-down, after an unknown time" in told(FOUND, back)
    assert "after_seconds" not in document(record(FOUND, back), None)["events"][1]


def test_what_never_ends_is_let_go_of() -> None:
    story = Story()

    for number in range(10_000):
        story.follow(row(NOON, "RMCA2001W", fault=str(number)))
        story.follow(row(NOON, "RMCA3001N", attempt=str(number)))

    assert len(story.problems) == len(story.remedies) == MOST_OPEN and "9999" in story.problems and "9999" in story.remedies


# ---- how it is told


def test_a_day_is_named_once_and_again_where_the_offset_is_another() -> None:
    winter = NOON.astimezone(timezone(timedelta(hours=1)))

    said = told(
        FOUND, row(after(1), "RMCA1005N"), row(winter + timedelta(minutes=2), "RMCA1005N"), row(after(13 * 60), "RMCA1005N")
    )

    heads = [line for line in said.splitlines() if line.startswith("2026-") and "day, " in line]
    assert heads == ["2026-05-04 Monday, +02:00", "2026-05-04 Monday, +01:00", "2026-05-05 Tuesday, +02:00"]


def test_colour_is_in_the_code_only_and_only_where_it_is_asked_for() -> None:
    human = row(NOON, "RMCA4001E", "needs a human")

    assert "\x1b[31mRMCA4001E\x1b[0m needs a human" in text(record(human), None, NOON, colour=True)
    assert "\x1b[32mRMCA2002N\x1b[0m" in text(record(GONE), None, NOON, colour=True)
    assert "\x1b" not in text(record(human, GONE), None, NOON) and "\x1b" not in text(
        record(row(NOON, "RMCA1001I")), None, NOON, colour=True
    )


def test_where_nothing_is_on_record_or_nothing_happened_that_is_said() -> None:
    assert " ".join(told().split()) == (
        "No event is on record here: the agent has told none yet, or paths.state names another folder."
    )
    assert told(FOUND, GONE, since=after(60)) == (
        "Nothing happened since 2026-05-04T13:00:00+02:00; the record goes back to\n2026-05-04T12:00:00+02:00.\n"
    )


def test_where_the_record_begins_later_than_asked_that_is_said() -> None:
    said = " ".join(told(FOUND, since=NOON - timedelta(days=7)).split())

    assert "since 2026-05-04T12:00:00+02:00, where the record begins." in said


def test_lines_that_could_not_be_read_are_told() -> None:
    assert text(record(FOUND, skipped=3), None, NOON).endswith("\n3 lines of the record could not be read.\n")
    assert "\n1 line of the record could not be read.\n" in text(record(skipped=1), None, NOON)


def test_events_told_one_by_one_are_told_as_all_at_once(day: Tuple[Record, datetime]) -> None:
    teller = Teller()

    one_by_one = "".join(teller.told(told) for told in day[0].rows)

    assert text(day[0], None, day[1]).startswith(one_by_one + "\n")


def test_an_event_that_just_came_is_told_whatever_its_clock_says() -> None:
    teller = Teller(since=after(60))

    assert teller.told(FOUND) == "" and "after 12m" in teller.told(GONE, just_came=True)


def test_an_event_told_alone_in_json_knows_the_story_so_far() -> None:
    story = Story()
    event(FOUND, story)

    assert event(GONE, story)["after_seconds"] == 720


# ---- hostile text

HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J",
    "<script>alert(1)</script>",
    '"><image href="http://192.0.2.9/x"/>',
    "]]>&#0;",
    "a\nRMCA1002I stopped",
    "\u202egnirts \u2066",
    "x" * 10_000,
    "\ud800\ufffe\x00\x7f\x9b31m",
    "\U0001f600" * 3000,
    "",
    "  ",
    "{}%s\\",
    "\u2028",
)
CODES = (
    "RMCA1001I",
    "RMCA1002I",
    "RMCA1004N",
    "RMCA2001W",
    "RMCA2002N",
    "RMCA3001N",
    "RMCA3002N",
    "RMCA3004W",
    "RMCA4001E",
    "RMCA9999E",
)
KEYS = ("fault", "subject", "remedy", "attempt", "because", "evidence", "healed", "outcome", "side", "reason", "do", "version")


def harmless(said: str, columns: int = 80) -> None:
    assert said.isascii() and all(" " <= letter <= "~" or letter == "\n" for letter in said)
    assert all(len(line) <= columns for line in said.splitlines())


def all_harmless(kept: Record) -> None:
    now = after(60)
    harmless(text(kept, None, now))
    said = document(kept, None)
    strings = [
        string for told in said["events"] for pair in told["fields"].items() for string in (*pair, told["word"], told["code"])
    ]
    assert all(string.isprintable() and len(string) <= 13 * 1000 for string in strings)
    drawn = ElementTree.fromstring(picture(kept, None, now))
    assert {element.tag for element in drawn.iter()} <= {
        SVG + tag for tag in ("svg", "title", "desc", "style", "defs", "pattern", "path", "rect", "text", "g", "circle")
    }
    assert not [name for element in drawn.iter() for name in element.keys() if name.startswith("on") or "href" in name]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_reaches_neither_terminal_nor_json_nor_picture(hostile: str, code: str) -> None:
    fields = {**{key: hostile for key in KEYS}, hostile: hostile}

    all_harmless(record(FOUND, Row(after(1), code, hostile, tuple(fields.items())), GONE))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(CODES),
            st.text(max_size=90),
            st.integers(-(10**6), 10**6),
            st.lists(st.tuples(st.one_of(st.sampled_from(KEYS), st.text(max_size=9)), st.text()), max_size=5),
        ),
        max_size=8,
    )
)
@example([("RMCA1001I", "", 0, []), ("RMCA1001I", "", -99, [("version", "\x1b")])])
def test_whatever_was_kept_in_whatever_order_is_told_harmlessly(
    events: List[Tuple[str, str, int, List[Tuple[str, str]]]],
) -> None:
    all_harmless(record(*(Row(after(minutes), code, word, tuple(fields)) for code, word, minutes, fields in events)))


def test_many_hostile_events_make_a_picture_of_bounded_size() -> None:
    rows = [
        Row(after(n / 9), CODES[n % len(CODES)], "x", (("fault", f"<b>{n}"), ("because", HOSTILE[n % 13]))) for n in range(5000)
    ]

    assert len(picture(record(*rows), None, after(600))) <= 512 * 1024


# ---- since when


@pytest.fixture
def in_the_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is two hours ahead."""
    monkeypatch.setenv("TZ", "EAST-02:00")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "asked, moment",
    [
        ("90s", "2026-05-04T11:58:30+02:00"),
        ("2h", "2026-05-04T10:00:00+02:00"),
        ("7d", "2026-04-27T12:00:00+02:00"),
        ("1w", "2026-04-27T12:00:00+02:00"),
        ("2026-05-01", "2026-05-01T00:00:00+02:00"),
        ("2026-05-04T11:30", "2026-05-04T11:30:00+02:00"),
        ("2026-05-04 11:30:15", "2026-05-04T11:30:15+02:00"),
        ("2026-05-04T09:30Z", "2026-05-04T11:30:00+02:00"),
        ("2026-05-04T05:30:00-04:00", "2026-05-04T11:30:00+02:00"),
    ],
)
def test_since_is_a_time_ago_or_a_moment_and_local_where_nothing_else_is_said(asked: str, moment: str, in_the_east: None) -> None:
    assert since_when(asked, NOON).isoformat() == moment


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "2",
        "2 h",
        "yesterday",
        "-2h",
        "2026-13-01",
        "2026-05-04T25:00",
        "20260504",
        "999999w",
        "2026-05-04T1",
        "0001-01-01",
        "9999-12-31T23:59:59-14:00",
        "\x1b[2J",
        "2h\n",
        "\u0662h",
    ],
)
def test_a_since_that_is_neither_is_told_with_what_can_be_given(asked: str, in_the_east: None) -> None:
    with pytest.raises(
        ValueError, match="cannot tell since .*: give how long ago, as in 90m, 12h or 7d, or a moment, as in"
    ) as told:
        since_when(asked, NOON)

    assert str(told.value).isprintable()


def test_a_since_that_is_yet_to_come_is_told(in_the_east: None) -> None:
    with pytest.raises(ValueError, match="cannot tell since 2026-05-05: that is yet to come, it is 2026-05-04T12:00:00"):
        since_when("2026-05-05", NOON)


# ---- the picture


def test_only_the_time_asked_for_is_drawn_and_problems_over_before_are_left_out() -> None:
    old = [
        row(NOON - timedelta(days=2), "RMCA2001W", fault="rmc-down"),
        row(NOON - timedelta(days=1), "RMCA2002N", fault="rmc-down"),
    ]

    drawn = ElementTree.fromstring(picture(record(*old, FOUND, GONE), NOON - timedelta(hours=1), after(60)))

    words = [element.text for element in drawn.iter(f"{SVG}text")]
    assert "link-down" in words and "rmc-down" not in words and "2026-05-04 11:00:00 to 2026-05-04 13:00:00, UTC+02:00" in words
    assert "lie outside" not in " ".join(word or "" for word in words)


def test_a_refusal_stands_at_the_problem_of_its_fault_whoever_it_is_about() -> None:
    found = row(NOON, "RMCA2001W", fault="manager-down", subject="IBM.DRM")
    refused = row(after(1), "RMCA3004W", remedy="recycle", fault="manager-down", because="a cluster")

    lanes = Lanes(after(60))
    for told in (found, refused):
        lanes.take(told)

    (mark,) = lanes.marks
    assert (mark.kind, mark.lane, mark.label) == ("refused", "manager-down IBM.DRM", "RMCA3004W recycle a cluster")


def test_where_nothing_was_kept_an_empty_picture_is_drawn() -> None:
    ElementTree.fromstring(picture(record(), None, NOON))
    ElementTree.fromstring(picture(record(), NOON - timedelta(days=7), NOON))


def test_what_was_kept_by_a_clock_of_the_future_is_drawn() -> None:
    ElementTree.fromstring(picture(record(row(after(9999), "RMCA2001W", fault="x")), None, NOON))
