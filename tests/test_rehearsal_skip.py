"""A rehearsal that skips tells and does exactly what one does that ticks, in a hundredth of the time."""
from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Iterator, List, Mapping, Optional, Sequence, Tuple

import pytest

from rmcagent import config, cycle, report
from rmcagent.model import Platform
from rmcagent.sim.rehearsal import skip
from rmcagent.sim.rehearsal.run import Rehearsal
from rmcagent.sim.rehearsal.scenarios import SCENARIOS, write
from rmcagent.sim.rehearsal.script import Happening, Script

HMC1, HMC2 = "192.0.2.21", "192.0.2.22"
MINUTE, HOUR = 60.0, 3600.0


class Nobody:
    """An audit that finds nothing."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        pass

    def look(self) -> None:
        pass

    end = look


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
    }


def told_alike(script: Script, folder: Path, policy: str = "", least_skipped: float = 0.5) -> List[str]:
    """The codes and what they are about, once both ways came to the same and that share of the time was skipped."""
    ticked = played(script, folder / "ticked", policy, skipping=False)
    skipped = played(script, folder / "skipped", policy, skipping=True)

    assert what_came_of_it(skipped) == what_came_of_it(ticked)
    assert skipped.skip is not None and skipped.skip.skipped >= least_skipped * script.days * 86400.0
    return [f"{told.event.code[4:8]} {dict(told.event.fields).get('fault', '')}".strip() for told in skipped.told]


# -- by hand

@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever may be skipped is skipped as soon as it may."""
    monkeypatch.setattr(skip.Skip, "_worth_it", lambda self, alike: True)


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
    "what could not be written is written between two looks": (
        [at(HOUR, "fill_state"), at(1.1 * HOUR, "hmc_down"), at(2 * HOUR + 280, "free_state"),
         at(2 * HOUR + 290, "kill_agent")], 3, "cadence: {pulse: 20s, look: 5m}", 0.1, "2001 hmc-unreachable"),
    "a budget is free again": (
        [STUCK], 5, RARE + "remedies: {recycle: {mode: 'off'}, refresh: {budget: 1/4h, cooldown: 1m}}", 0.3, "3001 link-down"),
    "CAA comes up when lsrpdomain is asked next": (
        [at(MINUTE, "caa_upon", command="lsrpdomain"), STUCK], 4, RARE, 0.3, "3004 link-down"),
}


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("name", CASES)
def test_what_depends_on_time_comes_when_it_would(name: str, tmp_path: Path) -> None:
    happenings, hours, policy, share, told = CASES[name]

    assert told in told_alike(a_script(*happenings, hours=hours), tmp_path, policy, share)


@pytest.mark.usefixtures("eager")
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


@pytest.mark.usefixtures("berlin", "eager")
def test_a_window_opens_an_hour_earlier_when_the_clocks_go_forward_before_it(tmp_path: Path):
    until_night = 86 * 86400.0 + 22.5 * HOUR
    happenings = [at(0, "jump_clock", seconds=until_night), DRM]

    told = told_alike(a_script(*happenings, hours=3), tmp_path, RARE + "remedies: {manager: {window: '03:20-05:00'}}", 0.2)

    assert "3001 manager-down" in told


def test_a_mistake_of_ours_is_repeated_and_not_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def mistaken(*_: Any) -> Any:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(cycle, "diagnose", mistaken)
    rehearsal = played(a_script(hours=1), tmp_path, RARE, skipping=True)

    assert len(rehearsal.mistakes) == 60


# -- two looks, and what lies between them

SECOND = 1_000_000


def passed(folder: Path, monkeypatch: pytest.MonkeyPatch, moments: Sequence[Tuple[int, int]],
           compared: Mapping[Optional[int], float], shapes: Tuple[List[Any], List[Any]] = ([], [])) -> float:
    """Seconds skipped after a look at 60 and one at 120 s, of moments as they were then and are now, and what was compared."""
    rehearsal = Rehearsal(a_script(hours=2), config.defaults(), str(folder), Nobody)
    assert rehearsal.skip is not None
    gone: List[int] = []
    monkeypatch.setattr(rehearsal.skip, "_pass", lambda micro, slid: gone.append(micro))
    then = skip.Look(60 * SECOND, 63 * SECOND, shapes[0], [before * SECOND for before, _ in moments], {})
    now = skip.Look(120 * SECOND, 123 * SECOND, shapes[1], [after * SECOND for _, after in moments],
                    {at and at * SECOND: left for at, left in compared.items()})
    rehearsal.skip._skip(then, now, [now], 2 * HOUR)
    return sum(gone) / SECOND


# the moments then and now; what they were compared with, and how long that stays so; how long is skipped
STRETCHES: Mapping[str, Tuple[Sequence[Tuple[int, int]], Mapping[Optional[int], float], float]] = {
    "nothing was compared": (((10, 10), (61, 121)), {}, 7140),
    "with what stands still": (((10, 10), (61, 121)), {10: 300.0}, 240),
    "with what was set in the first look and stands still": (((61, 61), (62, 122)), {61: 300.0}, 240),
    "with what was set in the first look and is set again": (((61, 121), (62, 122)), {61: 300.0}, 7140),
    "with what was set since": (((61, 121),), {120: 300.0}, 7140),
    "with what was worked out": (((61, 121),), {None: 300.0}, 240),
    "with what nobody remembers": (((61, 121),), {20: 300.0}, 240),
    "one comes to stand where another stands still": (((61, 121), (400, 400)), {}, 240),
    "one has passed another that stands still": (((61, 121), (90, 90)), {}, 0),
    "one stood where another still stands": (((61, 121), (61, 61)), {}, 0),
    "one of long before passes another that stands still": (((0, 60), (30, 30)), {}, 7140),
    "one has moved by less": (((61, 120),), {}, 0),
}


@pytest.mark.parametrize("name", STRETCHES)
def test_a_stretch_is_repeated_as_often_as_all_stays_as_it_was(
        name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moments, compared, seconds = STRETCHES[name]

    assert passed(tmp_path, monkeypatch, moments, compared) == seconds


def test_no_stretch_ends_with_something_else_than_it_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert passed(tmp_path, monkeypatch, [(61, 121)], {}, (["link-down", 3], ["link-down", 4])) == 0


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
