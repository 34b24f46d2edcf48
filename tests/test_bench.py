"""The pure parts of the bench: what counts as flat, what repeats come to, how tables and curves are drawn."""
from __future__ import annotations

import xml.etree.ElementTree as xml
from pathlib import Path
from typing import List, Tuple

import pytest

from bench import curve, measure, peers, rehearsals, soak, tables

BENCH = Path(measure.__file__).resolve().parent
MEMORY = soak.Gauge("rss_mb", "resident", "MB", grows=0.25, share=0.02)


def rising(by: float, wild: float = 0.0) -> List[Tuple[float, float]]:
    """Half an hour of samples of 16 MB and more, every twentieth of them a wild one."""
    return [(2.0 * number, 16 + by * number / 900 + (wild if number % 20 == 0 else 0)) for number in range(901)]


# ---- flat or not

def test_a_gauge_that_rises_more_than_it_may_is_not_flat() -> None:
    judged = soak.judged(MEMORY, rising(by=1.0))

    assert not judged["flat"]
    assert judged["growth"] == pytest.approx(2 / 3, abs=0.01)


def test_a_gauge_that_stays_is_flat_though_some_samples_are_wild() -> None:
    judged = soak.judged(MEMORY, rising(by=0.1, wild=8.0))

    assert judged["flat"]
    assert judged["max"] > 23


def test_what_rose_before_the_last_two_thirds_does_not_count() -> None:
    samples = [(at, 8.0 if at < 300 else 16.0) for at, _ in rising(by=0)]

    assert soak.judged(MEMORY, samples)["flat"]


def test_a_gauge_over_its_bound_is_not_flat_however_short() -> None:
    ledger = soak.Gauge("ledger_kib", "ledger", "KiB", most=1024.0)

    assert soak.judged(ledger, [(0, 1.0), (1, 1024.0), (2, 1.0)])["flat"]
    assert not soak.judged(ledger, [(0, 1.0), (1, 1025.0), (2, 1.0)])["flat"]


def test_a_counter_becomes_what_it_counted_in_the_hour_before() -> None:
    found = soak.in_an_hour([(60.0 * minute, float(minute)) for minute in range(100)])

    assert [count for _, count in found[:3]] == [0, 1, 2]
    assert {count for _, count in found[61:]} == {60}


@pytest.mark.parametrize("text, seconds", [("90s", 90), ("30m", 1800), ("2h", 7200)])
def test_a_soak_is_told_how_long(text: str, seconds: float) -> None:
    assert soak.span(text) == seconds


def test_a_soak_of_no_length_is_refused() -> None:
    with pytest.raises(SystemExit, match="cannot soak for 'ever'"):
        soak.span("ever")


# ---- repeats

def test_repeats_come_to_the_middle_the_noise_and_the_extremes() -> None:
    assert measure.summary([9, 1, 2, 3, 2]) == {"median": 2, "mad": 1, "min": 1, "max": 9, "n": 5}


def test_no_repeats_come_to_nothing() -> None:
    assert measure.summary([])["median"] is None
    assert measure.ratio(1.0, measure.summary([])["median"]) is None


# ---- tables

MINUTES = {"seconds": 60, "load_1m": [0.1, 0.2], "looks_of_the_agent": [1], "command_ms": measure.summary([11.0]), "subjects": {
    name: {key: measure.summary([value]) for key, value in zip(("cpu_ms", "own_ms", "children_ms", "commands", "rss_mb", "pss_mb",
                                                                "private_mb"), values)}
    for name, values in (("rmcagent", (46, 13, 33, 3, 18, 12, 11)), ("monit 1024", (200, 10, 190, 18, 8, 4, 3)))}}


def test_a_target_that_was_missed_is_told() -> None:
    told = list(tables.targets({"minutes": MINUTES}))

    assert [line.split()[-1] for line in told if "resident" in line] == ["HELD"]
    assert [line for line in told if "resident" in line][0].endswith("18 at most 16     NOT HELD")
    assert [line for line in told if "monit 1024" in line][0].endswith("0.23 at most 0.5    held")


def test_a_target_beside_a_peer_that_is_not_there_was_not_measured() -> None:
    told = list(tables.targets({"minutes": MINUTES}))

    assert [line for line in told if "monit 20000" in line][0].endswith("not measured")


def test_a_minute_shows_every_subject_and_the_ratios() -> None:
    told = list(tables.minutes(MINUTES))

    assert [line.split()[0] for line in told[3:5]] == ["rmcagent", "monit"]
    assert told[4].split()[-2:] == ["0.23", "2.25"]


# ---- curves

def test_the_picture_is_sound_and_bounded() -> None:
    lines = (curve.Line("resident & more", tuple(rising(by=1.0)[::3])), curve.Line("private", tuple(rising(by=1.0)[::3])))

    drawn = curve.svg("a <soak>", [curve.Panel("memory, MB", lines)], [10.0, 700.0])

    assert drawn.isascii() and len(drawn) < 20_000
    texts = [each.text for each in xml.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]
    assert {"a <soak>", "memory, MB", "resident & more", "private", "30 min"} <= set(texts)


def test_names_of_lines_that_end_together_stand_apart() -> None:
    lines = tuple(curve.Line(name, ((0.0, 1.0), (60.0, 1.0))) for name in ("one", "two", "three"))

    drawn = xml.fromstring(curve.svg("", [curve.Panel("", lines)], []))
    heights = sorted(float(each.get("y", "0")) for each in drawn.iter("{http://www.w3.org/2000/svg}text")
                     if each.text in ("one", "two", "three"))

    assert heights[1] - heights[0] >= 13 and heights[2] - heights[1] >= 13


# ---- what the README shows

@pytest.mark.parametrize("name", sorted(path.name for path in (BENCH / "configurations").iterdir()))
def test_the_readme_shows_each_configuration_as_it_is(name: str) -> None:
    shown = (BENCH / "README.md").read_text("utf-8")

    assert (BENCH / "configurations" / name).read_text("ascii") in shown


# ---- what is not there

def test_a_peer_that_is_not_installed_is_told_with_what_brings_it() -> None:
    absent = peers.Peer("none", "None", "some-package", ("no-such-program",), lay_out=lambda scene, folder: [],
                        up=lambda scene, folder: True)

    assert absent.missing() == "no-such-program not installed: apt-get install some-package"


def test_commands_without_monit_are_compared_with_python_alone() -> None:
    took = {name: {"wall_ms": measure.summary([wall]), "cpu_ms": measure.summary([wall]), "exits": [0]}
            for name, wall in ((tables.BARE, 10.0), ("rmcagent status", 18.0))}

    shown = list(tables.commands({"took": took, "load_1m": [0, 0]}))
    told = list(tables.targets({"commands": {"took": took}}))

    assert shown[-1].split()[:3] == ["rmcagent", "status", "18.0"]
    assert [line.split()[-1] for line in told if "rmcagent status / " in line] == ["measured", "held"]


# ---- rehearsals

def test_a_month_and_a_day_that_cost_too_much_are_marked() -> None:
    months = {rehearsals.START: measure.summary([200.0]), "quiet": measure.summary([230.0, 250.0]),
              "just": measure.summary([1200.0]), "over": measure.summary([1201.0])}

    lines = list(rehearsals.table({"month_ms": months, "day_ms": measure.summary([20.1])}))

    assert [line.split()[0] for line in lines if "over 1000" in line] == ["over"]
    held = list(rehearsals.table({"month_ms": months, "day_ms": measure.summary([20.0])}))
    assert "over 20" in lines[-1] and "over 20" not in held[-1]
