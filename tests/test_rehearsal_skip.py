"""A rehearsal that skips tells and does exactly what one does that ticks, in a hundredth of the time."""
from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Iterator, List, Mapping, Sequence, Tuple

import pytest

from rmcagent import config, cycle, report
from rmcagent.frozen import replace
from rmcagent.model import Platform
from rmcagent.partition import observe
from rmcagent.sim.moving import FIXED, Watch
from rmcagent.sim.rehearsal.run import Rehearsal
from rmcagent.sim.rehearsal.scenarios import SCENARIOS, write
from rmcagent.sim.rehearsal.script import Happening, Script
from rmcagent.sim.rehearsal.skip import Skip
from rmcagent.sim.repeat import NEVER, Look, Pulse, Step

HMC1, HMC2 = "192.0.2.21", "192.0.2.22"
MINUTE, HOUR = 60.0, 3600.0


class Nobody:
    """An audit that finds nothing."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        pass

    def look(self) -> None:
        pass

    hear = end = look


def at(when: float, do: str, **arguments: Any) -> Happening:
    return Happening(when, do, arguments)


def a_script(*happenings: Happening, hours: float, platform: Platform = Platform.AIX, hmcs: Tuple[str, ...] = (HMC1,)) -> Script:
    return Script("", happenings, platform, hmcs, days=hours / 24.0)


def played(script: Script, folder: Path, policy: str, skipping: bool) -> Rehearsal:
    rehearsal = Rehearsal(script, config.parse(policy).settings, str(folder), Nobody, skipping)
    rehearsal.play()
    return rehearsal


def what_came_of_it(rehearsal: Rehearsal) -> Mapping[str, Any]:
    view, folder = rehearsal.cycle.view, rehearsal.folder
    return {
        "told": [(round(told.at, 2), report.line(told.event).replace(folder, "STATE")) for told in rehearsal.told],
        "did": [(round(did.at, 2), did.command) for did in rehearsal.did],
        "mistakes": rehearsal.mistakes,
        "attempts": [(attempt.remedy, attempt.fault, attempt.begun_at, attempt.ended_at, attempt.outcome)
                     for attempt in rehearsal.ledger.attempts.values()],
        "known": list(rehearsal.ledger.known.values()),
        "verdict": (view.verdict, view.because.replace(folder, "STATE")),
        "tried to write": round(float(rehearsal.ledger._caught_up_at), 3) if rehearsal.file.behind else None,
    }


def told_alike(script: Script, folder: Path, policy: str = "", least_skipped: float = 0.5) -> List[str]:
    """The codes and what they are about, once both ways came to the same and that share of the time was skipped."""
    ticked = played(script, folder / "ticked", policy, skipping=False)
    skipped = played(script, folder / "skipped", policy, skipping=True)

    assert what_came_of_it(skipped) == what_came_of_it(ticked)
    assert skipped.skip is not None and skipped.skip.skipped >= least_skipped * script.days * 86400.0
    return [f"{told.event.code[4:8]} {dict(told.event.fields).get('fault', '')}".strip() for told in skipped.told]


# -- by hand

def test_a_quiet_day_is_skipped_and_nothing_is_told(tmp_path: Path):
    assert told_alike(a_script(hours=6), tmp_path, least_skipped=0.6) == []


@pytest.mark.parametrize("hours, looks, commands", [(24, 16, 60), (30 * 24, 40, 150)])
def test_a_healthy_day_or_month_takes_few_looks_and_commands(hours: float, looks: int, commands: int, tmp_path: Path) -> None:
    asked = played(a_script(hours=hours), tmp_path, "", skipping=True).host.asked

    assert asked.count("lssrc -a") <= looks
    assert len(asked) <= commands


STUCK = at(10 * MINUTE, "stick_session", mended_by=None)
DRM = at(10 * MINUTE, "manager_crash")
RARE = "cadence: {pulse: 30s}\n"           # fewer pulses to tick

# what happens, hours, policy, the share of the time that is skipped at least, what is told among the rest
CASES: Mapping[str, Tuple[Sequence[Happening], float, str, float, str]] = {
    "reminders": ([at(HOUR, "hmc_down")], 5, RARE + "report: {remind: 1h}", 0.6, "4002 hmc-unreachable"),
    "a window opens, and closes again": (
        [DRM], 3, RARE + "remedies: {manager: {window: '02:37-03:11', settle: 50m}}", 0.3, "3001 manager-down"),
    "a remedy settles": ([DRM], 4, RARE + "remedies: {manager: {settle: 100m}}", 0.4, "3002 manager-down"),
    "a log storm ends": ([at(HOUR, "storm", per_second=20.0), at(1.2 * HOUR, "end_storm")], 3, RARE, 0.3, "2002 hmc-side"),
    "a pause ends": (
        [at(HOUR, "pause", seconds=2.5 * HOUR), at(1.5 * HOUR, "stick_session", mended_by="refresh")], 5, RARE, 0.3,
        "3002 link-down"),
    "shadow": ([STUCK], 4, RARE + "mode: shadow", 0.2, "3005 link-down"),
    "observe": ([STUCK], 4, RARE + "mode: observe", 0.2, "3004 link-down"),
    "a node of a cluster is stuck": ([at(MINUTE, "start_caa"), STUCK], 5, RARE, 0.2, "3004 link-down"),
    "an HMC flaps, and is quiet again": (
        [at(HOUR + number * 2 * MINUTE, "hmc_unreachable" if number % 2 == 0 else "hmc_reachable") for number in range(12)],
        5, RARE, 0.4, "2002 link-flapping"),
    "a command that changes something hangs": (
        [at(0, "hang_command", name="rmcctrl -A"), at(HOUR, "crash"), at(5 * HOUR, "mend_command", name="rmcctrl -A"),
         at(5 * HOUR + 1, "end_hanging")], 6, RARE, 0.5, "4001 rmc-down"),
    "a command that reads hangs": ([at(HOUR, "hang_command", name="lspv"), at(HOUR, "flap")], 4, RARE, 0.1, "2001 link-flapping"),
    "RMC hangs and is not mended": (
        [at(HOUR, "hung_rmc")], 5, RARE + "remedies: {recycle: {mode: 'off'}}", 0.3, "4001 rmc-hung"),
    "the clock is set": ([STUCK, at(2 * HOUR, "jump_clock", seconds=-86400.0), at(3 * HOUR, "jump_clock", seconds=3 * 86400.0)],
                         4, RARE, 0.2, "3001 link-down"),
    "a crash loop and its quiet hour": (
        [*(at(HOUR + number * MINUTE, "kill_agent") for number in range(4)), at(HOUR + 5 * MINUTE, "crash")], 4, RARE, 0.3,
        "3002 rmc-down"),
    "no room in the state folder": (
        [at(1.7 * HOUR, "fill_state"), at(2 * HOUR, "hmc_down"), at(3.5 * HOUR, "kill_agent"), at(4 * HOUR, "free_state")], 6,
        RARE, 0.3, "2001 hmc-unreachable"),
    "there is room again, and looks come often": (
        [at(HOUR, "fill_state"), at(1.1 * HOUR, "hmc_down"), at(1.5 * HOUR + 41, "free_state")], 2,
        "cadence: {pulse: 10s, look: 10s}\ntimeout: 5s\n", 0.3, "2001 hmc-unreachable"),
    "what could not be written is written between two looks": (
        [at(HOUR, "fill_state"), at(1.1 * HOUR, "hmc_down"), at(2 * HOUR + 280, "free_state"),
         at(2 * HOUR + 290, "kill_agent")], 3, "cadence: {pulse: 20s, look: 5m}", 0.1, "2001 hmc-unreachable"),
    "there is no room for hours": (
        [at(HOUR, "fill_state"), at(1.1 * HOUR, "hmc_down")], 6, "cadence: {pulse: 20s, look: 5m}", 0.5, "2001 hmc-unreachable"),
    "there is no room for hours, and looks come as often as it is tried": (
        [at(HOUR, "fill_state"), at(1.1 * HOUR, "hmc_down")], 4.4, "cadence: {pulse: 25s, look: 1m}", 0.5,
        "2001 hmc-unreachable"),
    "a daemon dies between two looks": (
        [at(HOUR + 100, "crash")], 2, "cadence: {pulse: 10s, look: 5m}", 0.3, "3002 rmc-down"),
    "a pause ends between two looks": (
        [at(HOUR, "pause", seconds=HOUR + 100)], 3, "cadence: {pulse: 10s, look: 5m}", 0.3, "1005"),
    "a budget is free again": (
        [STUCK], 5, RARE + "remedies: {recycle: {mode: 'off'}, refresh: {budget: 1/4h, cooldown: 1m}}", 0.3, "3001 link-down"),
    "CAA comes up when lsrpdomain is asked next": (
        [at(MINUTE, "caa_upon", command="lsrpdomain"), STUCK], 4, RARE, 0.3, "3004 link-down"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_depends_on_time_comes_when_it_would(name: str, tmp_path: Path) -> None:
    happenings, hours, policy, share, told = CASES[name]

    assert told in told_alike(a_script(*happenings, hours=hours), tmp_path, policy, share)


def test_an_old_rsct_and_a_vios_are_skipped_as_well(tmp_path: Path):
    old = a_script(at(0, "old_rsct"), hours=4)
    vios = a_script(at(HOUR, "stick_lparmgr"), hours=4, platform=Platform.VIOS, hmcs=(HMC1, HMC2))

    assert told_alike(old, tmp_path / "old") == []
    assert "2001 lparmgr-stuck" in told_alike(vios, tmp_path / "vios", RARE, least_skipped=0.3)


@pytest.fixture
def berlin() -> Iterator[None]:
    """Clocks go forward on 29 March 2026 at 1:00 UTC, from 2:00 to 3:00."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    os.environ.pop("TZ")
    os.environ.update({"TZ": before} if before is not None else {})
    time.tzset()


@pytest.mark.usefixtures("berlin")
def test_a_window_opens_an_hour_earlier_when_the_clocks_go_forward_before_it(tmp_path: Path):
    until_night = 86 * 86400.0 + 22.5 * HOUR
    happenings = [at(0, "jump_clock", seconds=until_night), DRM]

    told = told_alike(a_script(*happenings, hours=3), tmp_path, RARE + "remedies: {manager: {window: '03:20-05:00'}}", 0.2)

    assert "3001 manager-down" in told


@pytest.mark.parametrize("where, what", [(cycle, "diagnose"), (observe.Observer, "look")])
def test_a_mistake_of_ours_is_repeated_and_not_skipped(
        where: Any, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*_: Any) -> Any:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(where, what, mistaken)
    rehearsal = played(a_script(hours=1), tmp_path, RARE, skipping=True)

    assert len(rehearsal.mistakes) == 60


# -- one look after the other

SECOND = 1_000_000
NO_PULSE = 3 * SECOND          # as long as a look lasts
SHAPE, OTHER = ["link-down"], ["link-up"]


@pytest.fixture
def skipping(tmp_path: Path) -> Skip:
    """What has seen two looks, and a pulse after them, that compared nothing."""
    skip = Rehearsal(a_script(hours=2), config.defaults(), str(tmp_path), Nobody).skip
    assert skip is not None
    skip.last = a_look(120)
    skip.steps = [Step(a_look(60), skip.last, Watch(), ())]
    skip.pulse = Pulse(skip.last, 150 * SECOND, 150 * SECOND, Watch())
    return skip


def test_what_a_look_left_is_otherwise_after_a_mistake(skipping: Skip) -> None:
    before = skipping._taken().shape
    assert skipping._taken().shape == before

    skipping.rehearsal.mistakes.append("Traceback")

    assert skipping._taken().shape != before


def a_look(began: int, shape: List[Any] = SHAPE, every: int = 60 * SECOND) -> Look:
    return Look(began * SECOND, began * SECOND + 3 * SECOND, began * SECOND + every, shape, [NEVER])


def followed(skipping: Skip, look: Look) -> int:
    """Where the last look began of those that are over by then."""
    return skipping._followed(look, 600 * SECOND).began // SECOND


def test_looks_that_are_known_follow_each_other(skipping: Skip):
    assert followed(skipping, a_look(120)) == 540


def test_no_look_is_known_after_which_something_else_was_remembered(skipping: Skip):
    skipping.pulse = Pulse(a_look(120, OTHER), 150 * SECOND, 150 * SECOND, Watch())

    assert followed(skipping, a_look(120, OTHER)) == 120


@pytest.mark.parametrize("pulse", [None, OTHER])
def test_none_follows_where_it_is_not_known_that_no_pulse_before_it_finds_anything(
        pulse: Any, skipping: Skip) -> None:
    skipping.pulse = pulse and Pulse(a_look(120, pulse), 150 * SECOND, 150 * SECOND, Watch())

    assert followed(skipping, a_look(120)) == 120


def test_nor_where_one_might(skipping: Skip):
    found = Watch()
    found.flips.append((FIXED, 20.0))
    skipping.pulse = Pulse(a_look(120), 150 * SECOND, 150 * SECOND, found)

    assert followed(skipping, a_look(120)) == 120


def test_where_a_pulse_may_find_something_each_look_is_gone_over(skipping: Skip):
    found = Watch()
    found.flips.append((FIXED, 200.0))
    skipping.pulse = Pulse(a_look(120), 150 * SECOND, 150 * SECOND, found)

    assert followed(skipping, a_look(120)) == 300


def test_there_is_no_pulse_before_a_look_that_is_due_at_once(skipping: Skip):
    skipping.pulse = None
    skipping.steps = [Step(a_look(117, every=NO_PULSE), a_look(120, every=NO_PULSE), Watch(), ())]

    assert followed(skipping, a_look(120, every=NO_PULSE)) == 597


def test_where_something_else_is_seen_all_is_learned_anew(skipping: Skip):
    steps, pulse, seen = skipping.steps, skipping.pulse, skipping.rehearsal.cycle.view
    skipping.last = None
    skipping._after_look(30.0, HOUR)
    skipping.steps, skipping.pulse = steps, pulse

    skipping._after_look(30.0, HOUR)
    assert skipping.steps is steps and skipping.pulse is pulse
    skipping.rehearsal.cycle.view = replace(seen, verdict=f"not {seen.verdict}")
    skipping._after_look(30.0, HOUR)

    assert skipping.steps == [] and skipping.pulse is None


# -- by name

SHORT = ("ctrmc-dies", "session-stuck", "hmc-flaps", "state-full", "agent-crashes")


@pytest.mark.parametrize("name", SHORT)
def test_a_scenario_comes_out_the_same(name: str, tmp_path: Path) -> None:
    told_alike(write(name, seed=3, days=0.15), tmp_path, RARE, least_skipped=0.0)


@pytest.mark.slow
@pytest.mark.parametrize("seed, name", list(enumerate(SCENARIOS)))
def test_every_scenario_comes_out_the_same(seed: int, name: str, tmp_path: Path) -> None:
    """To tick through a day takes seconds: half a day each, in which something happens and is over."""
    told_alike(write(name, seed, days=0.5), tmp_path, least_skipped=0.0)


# -- what it costs

def test_a_quiet_month_costs_few_looks(tmp_path: Path) -> None:
    rehearsal = played(a_script(hours=30 * 24), tmp_path, "", skipping=True)

    assert rehearsal.skip is not None and 30 * 86400.0 - rehearsal.skip.skipped < 2.5 * HOUR


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_month_costs_seconds(name: str, tmp_path: Path) -> None:
    rehearsal = played(write(name, seed=1, days=30.0), tmp_path, "", skipping=True)

    assert rehearsal.skip is not None and rehearsal.skip.skipped > 0.85 * 30 * 86400.0
