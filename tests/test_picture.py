"""The picture of a timeline: whatever goes in, it parses, is small, runs and fetches nothing, and says what it left out."""
from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import List, Sequence, Tuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rmcagent.picture import Bar, Lane, Mark, axis, svg
from rmcagent.picture.draw import MOST_BYTES, MOST_LANES
from rmcagent.picture.looks import COLOURS, LOOK_OF, LOOKS, PATTERNS, Letters
from seen import DAY, HOUR, MINUTE, NOON, SECOND

HOSTILE = ("<script>alert(1)</script>", '"><image href="http://192.0.2.9/x"/>', "]]>", "&lt;&#0;&",
           "\x00\x1b[31m\x7f\ud800\ufffe", "\u202egnirts",
           "x" * 10_000, "'onload='x", "{box}%s{0}", "\U0001f600" * 3_000, "", "\n\r\t")


def bars(*steps: Tuple[timedelta, str], begin: datetime = NOON) -> Tuple[Bar, ...]:
    made: List[Bar] = []
    for lasts, state in steps:
        made.append(Bar(begin, begin + lasts, state, "because of it"))
        begin += lasts
    return tuple(made)


def drawn(lanes: Sequence[Lane] = (), marks: Sequence[Mark] = (), span: timedelta = DAY, title: str = "a day") -> Element:
    return ElementTree.fromstring(svg(title, NOON, NOON + span, lanes, marks))


def all_of(picture: Element, tag: str) -> List[Element]:
    return [element for element in picture.iter() if element.tag == "{http://www.w3.org/2000/svg}" + tag]


def said(picture: Element, tag: str = "title") -> List[str]:
    return [element.text or "" for element in all_of(picture, tag)]


# ---- what is seen

def test_each_state_is_told_by_a_word_a_pattern_and_a_title() -> None:
    picture = drawn([Lane("RMC", bars((10 * HOUR, "active"), (10 * HOUR, "inoperative"), (4 * HOUR, "starting")))])

    assert [word for word in ("active", "inoperative", "starting") if word in said(picture, "text")] \
        == ["active", "inoperative", "starting"]
    assert "RMC: inoperative, 2026-05-04 22:00:00 to 2026-05-05 08:00:00 (10 h): because of it" in said(picture)
    filled = [element.get("fill") for element in all_of(picture, "rect") if element.get("fill")]
    assert filled[:2] == ["url(#timeline-bad)", "url(#timeline-moving)"]


def test_the_legend_has_a_letter_for_each_state_and_a_narrow_bar_wears_it() -> None:
    picture = drawn([Lane("RMC", bars((12 * HOUR, "active"), (30 * MINUTE, "inoperative"), (11 * HOUR, "absent")))])

    told = said(picture, "text")
    assert {"active (A)", "inoperative (I)", "absent (B)"} <= set(told) and "I" in told


def test_letters_are_never_shared() -> None:
    names = ["up", "unknown", "unasked", "u", "p", "123", "\u00e4"]

    told = Letters.of(names)

    assert len({told[name] for name in names}) == len(names) and told["up"] == "U" and told["unknown"] == "N"


def test_every_look_but_the_good_one_has_a_pattern_and_every_state_one_look() -> None:
    assert {*LOOKS, "other", "several"} - set(PATTERNS) == {"good"}
    assert set(COLOURS) >= {*LOOKS, *PATTERNS} and len(LOOK_OF) == sum(map(len, LOOKS.values()))


def test_a_minute_in_a_month_is_still_seen() -> None:
    picture = drawn([Lane("RMC", bars((10 * DAY, "active"), (MINUTE, "inoperative"), (20 * DAY, "active")))], span=30 * DAY)

    (narrow,) = [element for element in all_of(picture, "rect") if element.get("class") == "bad" and element.get("x") != "0"]
    assert narrow.get("width") == "2" and not re.search("short states", " ".join(said(picture, "text")))


def test_a_later_bar_ends_the_one_before_it() -> None:
    over = (Bar(NOON, NOON + DAY, "up"), Bar(NOON + 12 * HOUR, NOON + DAY, "down"))

    picture = drawn([Lane("HMC", over)])

    assert "HMC: up, 2026-05-04 12:00:00 to 2026-05-05 00:00:00 (12 h)" in said(picture)


def test_what_lies_outside_is_cut_off_and_marks_there_are_counted() -> None:
    lane = Lane("HMC", (Bar(NOON - DAY, NOON + 9 * DAY, "up"), Bar(NOON + 9 * DAY, NOON + 10 * DAY, "down")))

    picture = drawn([lane], [Mark(NOON - SECOND, "refresh"), Mark(NOON + 2 * DAY, "refresh"), Mark(NOON, "start")])

    assert [text for text in said(picture) if text.startswith("HMC: ")] \
        == ["HMC: up, 2026-05-04 12:00:00 to 2026-05-05 12:00:00 (1 d)"]
    assert "2 marks lie outside of the time shown." in said(picture, "text")


def test_deeds_stand_above_their_lane_what_was_refused_below_and_a_human_is_a_diamond() -> None:
    marks = [Mark(NOON + 2 * HOUR, "recycle", "attempt 4", "RMC"), Mark(NOON + 4 * HOUR, "refused", "recfgct: cluster", "RMC"),
             Mark(NOON + 6 * HOUR, "needs-human", "call", "RMC")]

    picture = drawn([Lane("RMC", bars((DAY, "active")))], marks)

    titled = {(title.text or "").split(" at ")[0]: group for group in all_of(picture, "g")
              for title in group if title.tag.endswith("title")}
    y_of = {kind: [float(child.get("y", 0)) for child in titled[kind] if child.tag.endswith("text")][0]
            for kind in ("recycle", "refused", "needs-human")}
    assert y_of["recycle"] < 64 + 20 < 64 + 38 < y_of["refused"] == y_of["needs-human"]
    assert not [child for child in titled["needs-human"] if child.tag.endswith("circle")]
    assert "recycle at 2026-05-04 14:00:00: attempt 4" in said(picture)


def test_a_mark_of_no_lane_that_is_drawn_has_one_of_its_own() -> None:
    picture = drawn([Lane("RMC", ())], [Mark(NOON, "refresh", "", "elsewhere")])

    assert "events" in said(picture, "text") and "refresh at 2026-05-04 12:00:00" in said(picture)


def test_times_are_shown_at_the_offset_of_the_beginning() -> None:
    begin = NOON.astimezone(timezone(timedelta(hours=-5)))

    picture = ElementTree.fromstring(svg("there", begin, begin + HOUR, [Lane("RMC", bars((HOUR, "active")))], ()))

    assert "2026-05-04 07:00:00 to 2026-05-04 08:00:00, UTC-05:00" in said(picture, "text")
    assert "RMC: active, 2026-05-04 07:00:00 to 2026-05-04 08:00:00 (1 h): because of it" in said(picture)


def test_it_scales_is_named_and_told_in_words() -> None:
    picture = drawn([Lane("RMC", bars((18 * HOUR, "active"), (6 * HOUR, "inoperative")))], [Mark(NOON, "start")] * 2)

    assert re.fullmatch(r"0 0 1000 [\d.]+", picture.get("viewBox", "")) and picture.get("role") == "img"
    assert picture.get("aria-labelledby") == "timeline-title timeline-desc"
    assert said(picture)[0] == "a day"
    (words,) = said(picture, "desc")
    assert "RMC: active 75.0%, inoperative 25.0%." in words and "Marks: 2 start." in words


def test_it_has_colours_for_the_dark() -> None:
    (style,) = said(drawn(), "style")

    light, dark = style.split("@media(prefers-color-scheme:dark)")
    assert all(f".{name}{{fill:{both[0]}}}" in light and f".{name}{{fill:{both[1]}}}" in dark for name, both in COLOURS.items())


# ---- the axis

@pytest.mark.parametrize("span, labels", [
    (10 * SECOND, ["12:00:00", "12:00:01"]),
    (10 * MINUTE, ["12:00", "12:01"]),
    (DAY, ["12:00", "14:00"]),
    (30 * DAY, ["7 May", "10 May"]),
    (200 * DAY, ["Jun", "Jul"]),
    (3650 * DAY, ["Jan", "Jan"]),
])
def test_the_axis_has_round_times_that_fit_the_span(span: timedelta, labels: List[str]) -> None:
    ticks = list(axis.ticks(NOON, NOON + span))

    assert [label for _, label, _ in ticks][:2] == labels


@settings(max_examples=150, deadline=None)
@given(st.datetimes(datetime(1971, 1, 1), datetime(2300, 1, 1)), st.timedeltas(SECOND, timedelta(days=200_000)))
@example(datetime(2026, 1, 1), 12 * MINUTE)
@example(datetime(2026, 1, 1), timedelta(days=168))
def test_an_axis_is_never_empty_and_never_crowded(begin: datetime, span: timedelta) -> None:
    begin = begin.replace(tzinfo=timezone.utc)

    ticks = list(axis.ticks(begin, begin + span))

    assert 1 <= len(ticks) <= axis.MOST_TICKS + 1
    assert all(begin <= at <= begin + span for at, _, _ in ticks)
    assert len({(label, under) for _, label, under in ticks}) == len(ticks)


# ---- whatever goes in

TEXT = st.text(st.characters(), max_size=30) | st.sampled_from(HOSTILE)
MOMENT = st.integers(-3 * 86400, 3 * 86400).map(lambda seconds: NOON + timedelta(seconds=seconds))
BAR = st.builds(Bar, MOMENT, MOMENT, TEXT | st.sampled_from(sorted(LOOK_OF)), TEXT)
LANE = st.builds(Lane, TEXT, st.lists(BAR, max_size=6).map(tuple))
MARK = st.builds(Mark, MOMENT, TEXT, TEXT, TEXT)
ELEMENTS = {"svg", "title", "desc", "style", "defs", "pattern", "path", "rect", "text", "g", "circle"}
ATTRIBUTES = {"viewBox", "role", "aria-labelledby", "id", "class", "style", "d", "x", "y", "width", "height", "cx", "cy", "r",
              "fill", "transform", "patternUnits", "stroke-opacity"}


@settings(max_examples=60, deadline=None)
@given(TEXT, MOMENT, MOMENT, st.lists(LANE, max_size=4), st.lists(MARK, max_size=8))
def test_it_always_parses_and_carries_nothing_that_runs_or_is_fetched(title: str, begin: datetime, end: datetime,
                                                                      lanes: List[Lane], marks: List[Mark]) -> None:
    text = svg(title, begin, end, lanes, marks)

    picture = ElementTree.fromstring(text)
    assert text.isascii() and len(text) <= MOST_BYTES
    assert {element.tag.rpartition("}")[2] for element in picture.iter()} <= ELEMENTS
    assert {name for element in picture.iter() for name in element.attrib} <= ATTRIBUTES
    assert all(value.count("url(") == value.count("url(#timeline-") for element in picture.iter()
               for value in element.attrib.values())
    assert all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_shown_as_text_wherever_it_stands(hostile: str) -> None:
    picture = drawn([Lane(hostile, (Bar(NOON, NOON + DAY, hostile, hostile),))], [Mark(NOON, hostile, hostile, hostile)],
                    title=hostile)

    assert {element.tag.rpartition("}")[2] for element in picture.iter()} <= ELEMENTS
    assert max(len(text) for text in said(picture) + said(picture, "text")) < 3_000


def test_thousands_of_states_and_marks_are_merged_and_it_says_so() -> None:
    states = ("up", "down", "pending")
    restless = Lane("HMC", bars(*((10 * SECOND, states[number % 3]) for number in range(6_000))))
    marks = [Mark(NOON + number * 10 * SECOND, "refused" if number % 2 else "refresh", "", "HMC") for number in range(4_000)]

    text = svg("restless", NOON, NOON + DAY, [restless], marks)

    picture = ElementTree.fromstring(text)
    told = " ".join(said(picture, "text"))
    assert len(text) < 150_000
    assert re.search(r"\b6000 short states stand too close", told) and re.search(r"\b4000 marks stand too close", told)
    held = [re.match(r"HMC: (\d+) short states", title) for title in said(picture)]
    assert sum(int(one[1]) for one in held if one) == 6_000


def test_it_stays_small_where_everything_is_too_much() -> None:
    wide = "\U0001f600" * 200
    lanes = [Lane(f"{number}{wide}", tuple(Bar(NOON + at * MINUTE, NOON + (at + 1) * MINUTE, f"{wide}{at % 30}", wide)
                                          for at in range(200))) for number in range(MOST_LANES + 8)]
    marks = [Mark(NOON + at * MINUTE / 4, f"{at % 40}{wide}", wide, lanes[at % len(lanes)].name) for at in range(800)]

    text = svg(wide, NOON, NOON + 200 * MINUTE, lanes, marks)

    told = " ".join(said(ElementTree.fromstring(text), "text"))
    assert len(text) <= MOST_BYTES
    assert "8 more lanes are not drawn." in told and "not in the legend" in told


@pytest.mark.parametrize("span", [timedelta(0), -DAY, timedelta(milliseconds=1)])
def test_a_span_that_is_none_is_drawn_as_a_second(span: timedelta) -> None:
    picture = drawn([Lane("RMC", bars((DAY, "active")))], [Mark(NOON, "start")], span)

    assert "2026-05-04 12:00:00 to 2026-05-04 12:00:01, UTC" in said(picture, "text")
