"""The production cycle on a simulated partition in virtual time: what it does, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import List, Sequence, Tuple

import pytest

from day import HOUR, MINUTE, Day
from rmcagent.ledger import Ledger
from rmcagent.model import Decision, Deed, Fault, Kind, Outcome, Platform, Remedy, Snapshot, State
from rmcagent.reason import ladder
from rmcagent.reason.guards import Case, splay_of

REFRESH = ["rmcctrl -p", "rmcrefreshMD -s ctrmc", "refrsrc IBM.MCP"]
START = ["rmcctrl -A", "rmcctrl -p"]
RECYCLE = ["rmcctrl -z", *START]
RECFGCT = ["recfgct", "rmcctrl -p"]
EVERYWHERE = pytest.mark.parametrize("platform", list(Platform))


def broken(day: Day, *faults: Tuple[object, ...]) -> Day:
    """Half an hour of health, then the faults."""
    day.run(30 * MINUTE)
    for name, *arguments in faults:
        day.do(str(name), *arguments)
    return day


# -- health


@EVERYWHERE
def test_a_healthy_partition_is_never_touched(tmp_path: Path, platform: Platform) -> None:
    day = Day(tmp_path, platform)

    day.run(13 * HOUR)

    assert (day.did(), day.events, day.verdict) == ([], [], "healthy")


def test_between_two_looks_no_command_is_run(tmp_path: Path) -> None:
    day = Day(tmp_path, policy="cadence: {pulse: 5s, look: 10m}\n")
    day.run(MINUTE)
    asked = len(day.host.asked)

    day.run(8 * MINUTE)

    assert len(day.host.asked) == asked


def test_a_partition_that_never_had_an_hmc_is_healthy(tmp_path: Path) -> None:
    day = Day(tmp_path, hmcs=())

    day.run(2 * HOUR)

    assert (day.did(), day.events, day.verdict) == ([], [], "healthy")


def test_an_in_band_hmc_alone_is_a_healthy_connection(tmp_path: Path) -> None:
    day = Day(tmp_path, hmcs=())
    day.do("in_band", "hmc7")

    day.run(2 * HOUR)

    assert (day.did(), day.events, day.verdict) == ([], [], "healthy")


# -- healing


@EVERYWHERE
def test_a_killed_ctrmc_is_started_and_the_problem_reported_gone(tmp_path: Path, platform: Platform) -> None:
    day = broken(Day(tmp_path, platform), ("crash", "ctrmc"))

    day.run(HOUR)

    assert day.did() == START
    assert [event.code for event in day.events] == ["RMCA2001W", "RMCA3001N", "RMCA2002N", "RMCA3002N"]
    assert day.verdict == "healthy"


def test_a_killed_ctrmc_is_noticed_within_one_pulse(tmp_path: Path) -> None:
    day = broken(Day(tmp_path, policy="cadence: {pulse: 5s}\n"), ("crash", "ctrmc"))
    died = day.clock.monotonic()

    assert day.run_until("RMCA2001W", within=MINUTE)

    assert day.clock.monotonic() - died < 5 + 2  # a pulse, and the commands of one look


@EVERYWHERE
def test_a_stuck_session_is_refreshed_and_then_recycled_in_order(tmp_path: Path, platform: Platform) -> None:
    day = broken(Day(tmp_path, platform), ("stick_session",))

    day.run(3 * HOUR)

    assert day.did() == REFRESH + RECYCLE
    assert day.verdict == "healthy"


def test_a_session_that_a_refresh_mends_is_not_recycled(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("stick_session", None, "refresh"))

    day.run(3 * HOUR)

    assert day.did() == REFRESH


@EVERYWHERE
def test_recfgct_comes_only_after_a_recycle_was_judged_unchanged_and_is_followed_by_rmcctrl_p(
    tmp_path: Path, platform: Platform
) -> None:
    day = broken(Day(tmp_path, platform), ("break_identity",))

    day.run(3 * HOUR)

    assert day.did() == REFRESH + RECYCLE + RECFGCT
    judged = next(
        index for index, event in enumerate(day.events) if event.code == "RMCA3003W" and day.field(event, "remedy") == "recycle"
    )
    begun = next(
        index for index, event in enumerate(day.events) if event.code == "RMCA3001N" and day.field(event, "remedy") == "recfgct"
    )
    assert judged < begun
    assert day.told("RMCA3007W") and day.verdict == "healthy"


def test_a_missing_hmc_definition_is_recycled_back_while_that_hmc_answers(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("forget_hmcs", "recycle"))

    day.run(3 * HOUR)

    assert day.did() == REFRESH + RECYCLE


def test_a_dead_manager_is_started_by_name(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("manager_crash", "IBM.DRM"))

    day.run(HOUR)

    assert day.did() == ["startsrc -s IBM.DRM"]
    assert day.verdict == "healthy"


@EVERYWHERE
def test_a_hung_rmc_is_recycled_after_enough_looks_though_no_hmc_can_be_asked_for(tmp_path: Path, platform: Platform) -> None:
    day = broken(Day(tmp_path, platform), ("hung_rmc",))

    day.run(2 * HOUR)

    assert day.did() == RECYCLE
    assert day.verdict == "healthy"


def test_a_ctrmc_that_will_not_stay_exhausts_its_budgets_and_calls_for_a_human(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("ctrmc_wont_start", 99), ("crash", "ctrmc"))

    day.run(23 * HOUR)

    assert (day.did().count("rmcctrl -z"), day.verdict) == (2, "needs-human")
    assert day.did().count("rmcctrl -A") == 6 + 2
    assert len(day.told("RMCA4001E")) == 3  # once, then after 6 h and 12 h more


# -- leaving alone


def test_what_an_operator_stopped_is_started_only_after_a_long_while(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("stop_cleanly",))

    day.run(1.9 * HOUR)
    left_alone = day.did()
    day.run(HOUR)

    assert (left_alone, day.did()) == ([], START)


def test_what_an_operator_stopped_is_never_started_where_the_policy_says_never(tmp_path: Path) -> None:
    day = broken(Day(tmp_path, policy="remedies: {start: {after_stop: never}}\n"), ("stop_cleanly",))

    day.run(8 * HOUR)

    assert (day.did(), day.verdict) == ([], "needs-human")
    assert day.told("RMCA4002W")


@pytest.mark.parametrize("fault", ["stick_session", "break_identity"])
def test_with_caa_active_neither_recycle_nor_recfgct_runs_and_the_refusal_says_what_would_unblock_it(
    tmp_path: Path, fault: str
) -> None:
    day = broken(Day(tmp_path), ("start_caa",), (fault,))

    day.run(8 * HOUR)

    assert (day.did(), day.partition.disasters, day.verdict) == (REFRESH, [], "needs-human")
    refusal = day.told("RMCA3004W")[0]
    assert day.field(refusal, "guard") == "cluster" and "caavg_private" in day.field(refusal, "because")
    assert "only if that does not help: " in day.field(refusal, "unblock") and "clctrl -stop" in day.field(refusal, "unblock")


def test_where_a_cluster_at_rest_allows_recycle_and_it_changes_nothing_a_human_is_called(tmp_path: Path) -> None:
    day = broken(Day(tmp_path, policy="remedies: {recycle: {in_cluster: allow}}\n"), ("start_caa",))
    for service in ("cthags", "cthats", "clconfd"):
        day.partition.end(service)
    day.partition.caa, day.partition.identity_broken = "", True
    day.partition.changed()

    day.run(4 * HOUR)

    human = day.told("RMCA4001E")[0]
    assert day.field(human, "fault") == "link-pending" and "recycle was tried once" in day.field(human, "because")
    assert "rmcctrl -z" in day.did() and "recfgct" not in day.did() and not day.told("RMCA3004W")


@pytest.mark.parametrize("hidden", ["lscluster", "lspv", "odmget"])
def test_a_cluster_that_cannot_be_ruled_out_counts_as_one(tmp_path: Path, hidden: str) -> None:
    day = broken(Day(tmp_path), ("hang_command", hidden), ("stick_session",))

    day.run(6 * HOUR)

    assert "rmcctrl -z" not in day.did() or hidden == "lspv"  # lspv of this boot still vouches for a recycle
    if hidden != "lspv":
        assert day.verdict == "needs-human" and day.field(day.told("RMCA3004W")[0], "unblock")


def test_lspv_that_never_answered_in_this_boot_forbids_the_recycle(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.do("hang_command", "lspv")
    broken(day, ("stick_session",))

    day.run(6 * HOUR)

    assert (day.did(), day.verdict) == (REFRESH, "needs-human")


def test_a_caa_that_appears_between_decision_and_deed_stops_the_deed(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("stick_session",))
    gather = day.cycle.observer.evidence

    def appears(*known: object) -> object:
        if day.partition.caa == "":
            day.do("start_caa")
        return gather(*known)  # type: ignore[arg-type]

    day.cycle.observer.evidence = appears  # type: ignore[method-assign, assignment]
    day.run(6 * HOUR)

    assert day.did() == REFRESH


def test_in_cluster_allow_recycles_a_node_whose_cluster_services_are_at_rest_and_never_recfgcts_it(tmp_path: Path) -> None:
    day = broken(
        Day(tmp_path, policy="remedies: {recycle: {in_cluster: allow}}\n"), ("start_caa",), ("stop_caa",), ("break_identity",)
    )

    day.run(6 * HOUR)

    assert day.did()[:6] == REFRESH + RECYCLE and "recfgct" not in day.did()
    assert day.partition.disasters == []


def test_when_every_hmc_is_unreachable_nothing_runs_and_the_report_says_where_to_look(tmp_path: Path) -> None:
    day = broken(
        Day(tmp_path, hmcs=("192.0.2.21", "192.0.2.22")),
        ("hmc_unreachable", "192.0.2.21"),
        ("hmc_unreachable", "192.0.2.22"),
        ("hmc_down", "192.0.2.21"),
        ("hmc_down", "192.0.2.22"),
    )

    day.run(8 * HOUR)

    assert (day.did(), day.verdict) == ([], "needs-human")
    assert "192.0.2.21, 192.0.2.22" in day.field(day.told("RMCA4002W")[0], "do")


def test_with_one_of_two_hmcs_up_nothing_stronger_than_refresh_runs(tmp_path: Path) -> None:
    day = broken(Day(tmp_path, hmcs=("192.0.2.21", "192.0.2.22")), ("stick_session", "192.0.2.21"))

    day.run(5 * HOUR)

    assert day.did() == REFRESH * (len(day.did()) // 3) != []


def test_an_hmc_that_restarts_makes_nobody_recycle(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("hmc_down",), ("hmc_unreachable",))
    day.run(25 * MINUTE)
    day.do("hmc_reachable")  # its port answers long before its RMC does
    day.run(10 * MINUTE)
    day.do("hmc_up")

    day.run(HOUR)

    assert "rmcctrl -z" not in day.did() and day.verdict == "healthy"


def test_a_full_var_is_reported_and_never_treated(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("fill_var", 0.99), ("stick_session",))

    day.run(6 * HOUR)

    assert day.did() == REFRESH
    assert day.field(day.told("RMCA2001W")[0], "fault") == "var-full"


def test_noise_that_the_hmc_makes_is_not_treated_here(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("storm", 10.0, "hmc"))

    day.run(6 * HOUR)

    assert day.did() == []
    assert day.field(day.told("RMCA4002W")[0], "side") == "hmc"


@pytest.mark.parametrize("policy", ["mode: observe\n", "mode: shadow\n"])
def test_observing_and_shadow_agents_run_nothing(tmp_path: Path, policy: str) -> None:
    day = broken(Day(tmp_path, policy=policy), ("stick_session",), ("crash", "ctrmc"))

    day.run(8 * HOUR)

    assert day.did() == []
    assert day.told("RMCA3005N" if "shadow" in policy else "RMCA3004W")


def test_a_remedy_that_is_off_is_off(tmp_path: Path) -> None:
    day = broken(Day(tmp_path, policy="remedies: {recycle: {mode: off}}\n"), ("break_identity",))

    day.run(5 * HOUR)

    assert set(day.did()) == set(REFRESH)


def test_a_pause_holds_every_remedy_and_ends_by_itself(tmp_path: Path) -> None:
    day = broken(Day(tmp_path))
    day.cycle.pause(day.cycle.steady.now() + timedelta(hours=2), "patching", "root")
    day.do("crash", "ctrmc")

    day.run(1.9 * HOUR)
    held, verdict = day.did(), day.verdict
    day.run(HOUR)

    assert (held, verdict, day.did()) == ([], "paused", START)
    assert day.told("RMCA1004N") and day.told("RMCA1005N")


def test_a_maintenance_file_holds_every_remedy(tmp_path: Path) -> None:
    day = broken(Day(tmp_path))
    day.host.state_files["/etc/rmcagent/maintenance"] = b""
    day.cycle.maintenance = "/etc/rmcagent/maintenance"
    day.do("crash", "ctrmc")

    day.run(6 * HOUR)
    held = day.did()
    del day.host.state_files["/etc/rmcagent/maintenance"]
    day.run(HOUR)

    assert (held, day.did()) == ([], START)


def test_right_after_a_boot_nothing_is_done(tmp_path: Path) -> None:
    day = Day(tmp_path, up_for=0)
    day.partition.booted_at = day.clock.monotonic()
    day.run(MINUTE)
    day.do("crash", "ctrmc")

    day.run(8 * MINUTE)
    held = day.did()
    day.run(HOUR)

    assert (held, day.did()) == ([], START)


@pytest.mark.parametrize("program", ["rmcctrl", "recfgct", "clmgr", "installp", "geninstall", "rpm", "shutdown"])
def test_while_somebody_else_is_at_work_nothing_is_begun(tmp_path: Path, program: str) -> None:
    day = broken(Day(tmp_path), ("run_program", program), ("crash", "ctrmc"))

    day.run(3 * HOUR)
    held = day.did()
    day.do("end_program", program)
    day.run(HOUR)

    assert (held, day.did()) == ([], START)


@EVERYWHERE
def test_during_a_migration_rmc_is_not_recycled(tmp_path: Path, platform: Platform) -> None:
    day = broken(Day(tmp_path, platform), ("start_migration",), ("stick_session",))

    day.run(3 * HOUR)
    held = day.did()
    day.do("end_migration")
    day.run(2 * HOUR)

    assert "rmcctrl -z" not in held and day.did()[-3:] == RECYCLE


# -- what cannot be told is never treated


@pytest.mark.parametrize(
    "trick", ["hang_command", "garble_command", "cut_command", "localise", "empty_command", "remove_command", "fail_command"]
)
@pytest.mark.parametrize("command", ["lssrc", "rmcdomainstatus"])
def test_an_answer_that_cannot_be_read_is_a_gap_and_no_reason_to_act(tmp_path: Path, trick: str, command: str) -> None:
    day = broken(Day(tmp_path), (trick, command))

    day.run(6 * HOUR)

    assert (day.did(), day.verdict) == ([], "blind")
    assert day.told("RMCA1006W") and not day.told("RMCA2001W")
    assert day.cycle.seen and any(command in gap.about or "does not show it" in gap.because for gap in day.cycle.seen.gaps)


def test_an_agent_that_was_blind_says_when_it_sees_again(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("hang_command", "lssrc"))
    day.run(HOUR)

    day.do("mend_command", "lssrc")
    day.run(10 * MINUTE)

    assert day.told("RMCA1007N") and day.verdict == "healthy"


def test_an_agent_does_not_see_again_when_a_hung_rmc_comes_to_explain_what_it_cannot_see(tmp_path: Path) -> None:
    day = Day(tmp_path, policy="faults: {hung: 15}\nremedies: {recycle: {mode: off}}\n")
    day.run(10 * MINUTE)
    day.do("hang_command", "rmcdomainstatus")
    day.do("hang_command", "lsrsrc")

    day.run(HOUR)
    while_it_hangs = [event.code for event in day.events if event.code in ("RMCA1006W", "RMCA1007N")]
    day.do("mend_command", "rmcdomainstatus")
    day.do("mend_command", "lsrsrc")
    day.run(10 * MINUTE)

    assert while_it_hangs == ["RMCA1006W"] and "rmc-hung" in [day.field(one, "fault") for one in day.told("RMCA2001W")]
    assert len(day.told("RMCA1007N")) == 1
    assert "did not end in time" in day.field(day.told("RMCA1006W")[0], "because")


def test_a_hung_command_meanwhile_does_not_hide_a_dead_ctrmc(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("hang_command", "lsrsrc"))
    day.run(5 * MINUTE)

    day.do("crash", "ctrmc")
    day.run(HOUR)

    assert day.did() == START


# -- time


@pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(days=-1)])
def test_a_clock_set_a_day_forward_or_back_neither_spends_nor_frees_a_budget_nor_fires_a_remedy(
    tmp_path: Path, jump: timedelta
) -> None:
    day = broken(Day(tmp_path), ("ctrmc_wont_start", 99), ("crash", "ctrmc"))
    day.run(6 * HOUR)
    before = list(day.did())

    day.clock.jump(jump)
    day.run(2 * HOUR)
    day.restart()
    day.run(2 * HOUR)

    assert day.did() == before and before.count("rmcctrl -z") == 2


def test_budgets_survive_a_restart_and_a_reboot_of_the_partition(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("ctrmc_wont_start", 99), ("crash", "ctrmc"))
    day.run(6 * HOUR)
    day.do("reboot")
    day.do("ctrmc_wont_start", 99)
    day.do("crash", "ctrmc")
    before = day.did().count("rmcctrl -z")

    day.restart()
    day.run(6 * HOUR)

    assert before == 2 and day.did().count("rmcctrl -z") == 2


# -- dying


def steps_of(faults: Sequence[Tuple[object, ...]], folder: Path) -> int:
    day = broken(Day(folder), *faults)
    day.run(3 * HOUR)
    return len(day.did())


DEATHS = (
    [pytest.param([("crash", "ctrmc")], number, id=f"start-{number}") for number in range(1, 3)]
    + [pytest.param([("stick_session",)], number, id=f"recycle-{number}") for number in range(1, 7)]
    + [pytest.param([("break_identity",)], number, id=f"recfgct-{number}") for number in range(1, 9)]
    + [
        pytest.param([("manager_crash", "IBM.DRM")], 1, id="manager-1"),
    ]
)


@pytest.mark.parametrize("helper_dies", [False, True], ids=["agent-dies", "helper-dies-too"])
@pytest.mark.parametrize("faults, number", DEATHS)
def test_whenever_agent_and_helper_die_rmc_ends_up_running(
    tmp_path: Path, faults: Sequence[Tuple[object, ...]], number: int, helper_dies: bool
) -> None:
    day = broken(Day(tmp_path), *faults)
    while len(day.did()) < number:
        day.clock.sleep(min(1.0, day.cycle.step()))
        assert day.clock.monotonic() < 6 * HOUR
    attempt = max(day.cycle.ledger.attempts)

    if helper_dies:
        day.host.kill_helper(attempt)
    day.restart()
    day.run(4 * HOUR)

    assert day.partition.active("ctrmc") and day.partition.disasters == []
    assert day.verdict in ("healthy", "needs-human")
    assert day.did().count("recfgct") <= 2


def test_the_deathly_numbers_above_cover_every_step(tmp_path: Path) -> None:
    assert [
        steps_of(faults, tmp_path / str(index))
        for index, faults in enumerate(
            ([("crash", "ctrmc")], [("stick_session",)], [("break_identity",)], [("manager_crash", "IBM.DRM")])
        )
    ] == [2, 6, 8, 1]


def test_an_agent_that_died_with_its_helper_between_z_and_a_starts_rmc_first_thing(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("stick_session",))
    while "rmcctrl -z" not in day.did():
        day.clock.sleep(min(1.0, day.cycle.step()))
    day.host.kill_helper(max(day.cycle.ledger.attempts))
    day.clock.sleep(5 * MINUTE)  # -z ends, nobody goes on
    left = day.did()[-1]

    day.restart()
    day.run(MINUTE)

    assert (left, day.did()[-2:]) == ("rmcctrl -z", START)
    assert day.told("RMCA3006W") and day.partition.active("ctrmc")


def test_a_pause_does_not_hold_back_the_finishing_of_an_interrupted_remedy_but_an_installation_does(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("stick_session",))
    while "rmcctrl -z" not in day.did():
        day.clock.sleep(min(1.0, day.cycle.step()))
    day.host.kill_helper(max(day.cycle.ledger.attempts))
    day.clock.sleep(5 * MINUTE)
    day.do("run_program", "installp")

    day.restart()
    day.cycle.pause(day.cycle.steady.now() + timedelta(hours=5), "patching", "root")
    day.run(10 * MINUTE)
    held = day.did()[-1]
    day.do("end_program", "installp")
    day.run(5 * MINUTE)

    assert (held, day.did()[-2:]) == ("rmcctrl -z", START)


def half_way(folder: Path) -> Day:
    """Agent and helper died in rmcctrl -z; it has ended since, and RMC is stopped."""
    day = broken(Day(folder), ("stick_session",))
    while "rmcctrl -z" not in day.did():
        day.clock.sleep(min(1.0, day.cycle.step()))
    day.host.kill_helper(max(day.cycle.ledger.attempts))
    day.clock.sleep(5 * MINUTE)
    return day


def test_an_interrupted_remedy_of_an_earlier_boot_is_not_finished(tmp_path: Path) -> None:
    day = half_way(tmp_path)
    day.do("reboot")
    day.clock.sleep(12 * MINUTE)
    day.do("stop_cleanly")  # by an operator, after the boot had started it
    begun = len(day.did())

    day.restart()
    day.run(30 * MINUTE)

    assert day.did()[begun:] == [] and not day.told("RMCA3006W")


def test_an_interrupted_remedy_after_which_rmc_was_seen_active_is_not_finished(tmp_path: Path) -> None:
    day = half_way(tmp_path)
    day.partition.start("ctrmc")  # by an operator
    day.partition.changed()
    day.restart()
    day.run(2 * MINUTE)
    day.do("stop_cleanly")  # by the same, who has a reason
    begun = len(day.did())

    day.run(30 * MINUTE)

    assert "rmcctrl -A" not in day.did()[begun:] and not day.told("RMCA3006W")


def test_an_interrupted_remedy_is_finished_within_the_hour_and_left_to_the_ladder_later(tmp_path: Path) -> None:
    day = half_way(tmp_path)
    day.clock.sleep(61 * MINUTE)

    day.restart()
    day.run(3 * HOUR)

    assert not day.told("RMCA3006W") and day.told("RMCA3001N") and day.partition.active("ctrmc")


@pytest.mark.parametrize("program", ["rmcctrl", "recfgct", "shutdown", "installp"])
def test_finishing_waits_for_others_at_work(tmp_path: Path, program: str) -> None:
    day = half_way(tmp_path)
    day.do("run_program", program)

    day.restart()
    day.run(10 * MINUTE)
    held = day.did()[-1]
    day.do("end_program", program)
    day.run(5 * MINUTE)

    assert (held, day.did()[-2:]) == ("rmcctrl -z", START)


def test_finishing_waits_while_it_cannot_be_told_who_is_at_work(tmp_path: Path) -> None:
    day = half_way(tmp_path)
    tell, day.host.processes = day.host.processes, lambda: None  # type: ignore[method-assign]

    day.restart()
    day.run(10 * MINUTE)
    held = day.did()[-1]
    day.host.processes = tell  # type: ignore[method-assign]
    day.run(5 * MINUTE)

    assert (held, day.did()[-2:]) == ("rmcctrl -z", START)


# -- a window


def test_a_turn_that_was_counted_before_its_window_closed_is_counted_anew_when_it_opens(tmp_path: Path) -> None:
    here = Day(tmp_path / "clock").clock.now().astimezone()      # windows are of local time
    opens, closes = (f"{here + timedelta(minutes=at):%H:%M}" for at in (0, 60))
    day = Day(tmp_path, policy="guards: {hmc_back: 0s, splay: 59m}\n"
                               f'remedies: {{refresh: {{mode: "off"}}, recycle: {{window: "{opens}-{closes}"}}}}\n')
    broken(day, ("stick_session",))
    day.run(29 * MINUTE)
    counted_at = day.cycle.memory.splay[1]
    case = Case(Remedy.RECYCLE, day.cycle.findings[0], day.cycle.seen or Snapshot(day.clock.now(), Platform.AIX),
                day.cycle.memory.history(), day.settings, day.clock.now())
    turn = splay_of(case)

    day.run_until("RMCA3001N", 2 * 24 * HOUR)

    assert counted_at is not None and turn > timedelta(minutes=3)
    waited = day.clock.now() - (here + timedelta(days=1))
    assert turn <= waited < turn + timedelta(minutes=3)


# -- a changing command that does not end in its time


def hanging(folder: Path, command: str, *faults: Tuple[object, ...]) -> Day:
    """The remedy's command has just become late."""
    day = broken(Day(folder), ("hang_command", command), *faults)
    while not day.cycle.deeds.late:
        day.clock.sleep(day.cycle.step())
    day.run(2 * MINUTE)
    return day


def end_it(day: Day, command: str) -> None:
    day.do("mend_command", command)
    day.host.end_hanging()


def late_ones(day: Day) -> List[str]:
    return [day.field(event, "because") for event in day.told("RMCA4001E")]


@EVERYWHERE
def test_a_command_that_hangs_is_told_though_its_fault_is_gone_and_its_end_as_well(tmp_path: Path, platform: Platform) -> None:
    day = hanging(tmp_path, "rmcctrl -p", ("crash",))
    began = day.told("RMCA3001N")[0]

    day.run(2 * HOUR)
    findings, verdict, because = day.cycle.findings, day.verdict, day.cycle.view.because
    end_it(day, "rmcctrl -p")
    day.run(10 * MINUTE)

    told = day.told("RMCA4001E")
    assert (findings, verdict) == ((), "needs-human") and day.told("RMCA2002N")
    assert late_ones(day) == [because] == [
        "rmcctrl -p of start (attempt 1) has not ended in its time; it is waited for, not killed"]
    assert [day.field(told[0], name) for name in ("remedy", "attempt", "episode", "fault")] == [
        day.field(began, name) for name in ("remedy", "attempt", "episode", "fault")] == ["start", "1", "E-1", "rmc-down"]
    assert day.field(told[0], "since") == "2026-01-01T01:31:02+00:00" and "rmcctrl -p hangs" in day.field(told[0], "unblock")
    ended = day.told("RMCA3002N")[0]
    assert day.field(ended, "attempt") == "1" and "rmcctrl -p ended late, after " in day.field(ended, "because")
    assert day.verdict == "healthy" and day.did() == START


def test_a_command_that_hangs_is_told_once_where_its_fault_is_still_there(tmp_path: Path) -> None:
    day = hanging(tmp_path, "rmcctrl -A", ("crash",))

    day.run(5 * HOUR)

    assert [finding.fault for finding in day.cycle.findings] == [Fault.RMC_DOWN]
    assert len(late_ones(day)) == 1 and late_ones(day)[0] == day.cycle.view.because


def test_a_command_that_hangs_is_reminded_of_ever_more_seldom(tmp_path: Path) -> None:
    day = hanging(tmp_path, "rmcctrl -p", ("crash",))

    day.run(19 * HOUR)

    assert len(set(late_ones(day))) == 1 and len(late_ones(day)) == 3      # at once, after 6 hours and after 12 more


def test_each_command_that_hangs_is_told_by_itself(tmp_path: Path) -> None:
    day = hanging(tmp_path, "rmcctrl", ("crash",))

    day.host.end_hanging()                     # the next one hangs as well
    day.run(20 * MINUTE)
    end_it(day, "rmcctrl")
    day.run(10 * MINUTE)

    assert [because.split(" of ")[0] for because in late_ones(day)] == ["rmcctrl -A", "rmcctrl -p"]
    assert not day.cycle.deeds.late


def test_what_follows_a_command_that_was_late_is_no_finding_either(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("stick_session",))
    while day.cycle.deeds.under_way() is None or "refrsrc IBM.MCP" not in day.did():
        day.clock.sleep(day.cycle.step())
    day.partition.pace = 20.0                  # rmcctrl -z takes 160 s then, and -A 40
    was_late, down = False, 0

    while "rmcctrl -z" not in day.did() or day.cycle.deeds.under_way() is not None:
        day.cycle.look_now()
        day.clock.sleep(min(5.0, day.cycle.step()))
        was_late = was_late or bool(day.cycle.deeds.late)
        down += day.cycle.seen is not None and day.cycle.seen.state_of("ctrmc") is State.INOPERATIVE

    assert was_late and down
    assert {day.field(event, "fault") for event in day.told("RMCA2001W")} == {"link-down"}


def test_a_command_that_ends_during_a_look_explains_what_that_saw(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("stick_session",), ("hang_command", "rmcctrl -z"))
    while not day.cycle.deeds.late:
        day.clock.sleep(day.cycle.step())
    day.partition.stop_rmc()
    day.clock.at(0.005, day.host.end_hanging)           # while the next look's lssrc runs

    day.cycle.look_now()
    day.cycle.step()

    assert day.cycle.seen is not None and day.cycle.seen.state_of("ctrmc") is State.INOPERATIVE
    assert {finding.fault for finding in day.cycle.findings} == {Fault.LINK_DOWN}


def test_an_interrupted_remedy_spends_its_budget_but_starts_no_cooldown(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("stick_session",))
    while "rmcctrl -z" not in day.did():
        day.clock.sleep(min(1.0, day.cycle.step()))
    day.host.kill_helper(max(day.cycle.ledger.attempts))
    day.restart()
    day.do("stick_session")

    day.run(23 * HOUR)

    assert 1 <= day.did().count("rmcctrl -z") <= 2


def test_sessions_that_come_back_after_an_interrupted_recycle_are_not_cut_again(tmp_path: Path) -> None:
    eager = "{grace: 0s, settle: 6m, cooldown: 15m, budget: 12/24h}"
    day = broken(
        Day(
            tmp_path,
            policy=f"cadence: {{pulse: 5s, look: 5s}}\nremedies: {{refresh: {eager}, recycle: {{grace: 0s}}}}\n"
            "guards: {boot: 0s, hmc_back: 0s, splay: 0s}\n",
        ),
        ("stick_session",),
    )
    while day.did().count(START[0]) == 0:
        day.clock.sleep(min(1.0, day.cycle.step()))
    day.host.kill_helper(max(day.cycle.ledger.attempts))  # -A goes on, and RMC runs again

    day.restart()
    day.run(HOUR)

    assert day.did().count("rmcctrl -z") == 1 and day.partition.disasters == []
    assert day.verdict == "healthy"


# -- the ledger


def test_without_a_durable_intent_there_is_no_deed(tmp_path: Path) -> None:
    day = broken(Day(tmp_path))

    def full(*arguments: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    day.cycle.ledger._write = full  # type: ignore[method-assign]
    day.do("crash", "ctrmc")
    day.run(2 * HOUR)

    assert day.did() == []
    assert any(decision.kind is Kind.REFUSE and "No space left" in decision.because for decision in day.cycle.view.decisions)
    assert {day.field(event, "guard") for event in day.told("RMCA3004W")} == {"ledger"}


def test_with_a_damaged_ledger_all_budgets_count_as_spent(tmp_path: Path) -> None:
    day = broken(Day(tmp_path))
    ledger = tmp_path / "state" / "ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(lines[0] + b"00000000 {}\n" + b"".join(lines[1:]))

    day.restart()
    day.do("stick_session")
    day.run(6 * HOUR)

    assert (day.did(), day.verdict) == ([], "needs-human")
    assert list((tmp_path / "state").glob("ledger.jsonl.damaged-*"))


def test_every_fault_of_the_ladder_is_ranked() -> None:
    assert set(ladder.GRAVITY) == set(ladder.LADDER) and len(ladder.GRAVITY) == 20


def test_a_helper_that_cannot_be_started_spends_the_budget_and_no_more(tmp_path: Path) -> None:
    day = broken(Day(tmp_path))

    def cannot(*arguments: object) -> None:
        raise OSError(5, "cannot fork")

    day.host.begin = cannot  # type: ignore[method-assign]
    day.do("crash", "ctrmc")
    day.run(6 * HOUR)

    assert (day.did(), day.verdict) == ([], "needs-human")
    assert len([attempt for attempt in day.cycle.ledger.attempts.values() if attempt.remedy.value == "start"]) == 6


def test_finishing_what_cannot_be_finished_ends_after_three_tries(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("stick_session",))
    while "rmcctrl -z" not in day.did():
        day.clock.sleep(min(1.0, day.cycle.step()))
    day.host.kill_helper(max(day.cycle.ledger.attempts))
    day.clock.sleep(5 * MINUTE)
    day.host.begin = lambda deed, folder: None  # type: ignore[method-assign]  # a helper that dies at once

    day.restart()
    day.run(6 * MINUTE)

    assert len([attempt for attempt in day.cycle.ledger.attempts.values() if attempt.by == "finish"]) == 3


def test_an_interrupted_remedy_of_another_machine_is_not_finished(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("stick_session",))
    while "rmcctrl -z" not in day.did():
        day.clock.sleep(min(1.0, day.cycle.step()))
    day.host.kill_helper(max(day.cycle.ledger.attempts))
    day.clock.sleep(5 * MINUTE)
    day.partition.machine = "IBM,9009-42A*7899999/9/c0ffee00-0000-4000-8000-000000000009"  # a restored copy's ledger

    day.restart()
    day.run(5 * MINUTE)

    assert day.did()[-1] == "rmcctrl -z" and not day.told("RMCA3006W")


def test_where_an_administrator_disabled_remote_clients_and_no_hmc_is_expected_a_start_leaves_them_so(tmp_path: Path) -> None:
    day = Day(tmp_path, hmcs=())
    day.do("disable_remote")
    broken(day, ("crash", "ctrmc"))

    day.run(HOUR)

    assert day.did() == ["rmcctrl -A"]


# -- what hostile minds tried


def test_a_recycle_whose_commands_failed_proves_nothing_and_unlocks_no_recfgct(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("fail_command", "rmcctrl -z"), ("break_identity",))

    day.run(12 * HOUR)

    assert "rmcctrl -z" in day.did() and "recfgct" not in day.did()
    assert day.verdict == "needs-human"


@pytest.mark.parametrize("after_stop", ["2h", "never"])
def test_rmc_that_our_own_recycle_left_stopped_is_not_the_operators_doing(tmp_path: Path, after_stop: str) -> None:
    policy = f"remedies: {{start: {{after_stop: {after_stop}}}}}\n"
    day = broken(Day(tmp_path, policy=policy), ("stick_session",), ("fail_command", "rmcctrl -A"))
    while "rmcctrl -A" not in day.did():
        day.clock.sleep(min(5.0, day.cycle.step()))
    day.run(2 * MINUTE)
    day.do("mend_command", "rmcctrl -A")

    day.run(40 * MINUTE)

    assert day.partition.active("ctrmc")
    assert not [event for event in day.told("RMCA2001W") if day.field(event, "fault") == "rmc-stopped"]


@pytest.mark.parametrize("away", [["hmc_unreachable", "hmc_down"], ["hmc_down"]])
def test_the_noise_of_a_lost_hmc_is_no_reason_to_recycle_either(tmp_path: Path, away: Sequence[str]) -> None:
    day = broken(Day(tmp_path), *((event,) for event in away), ("storm", 2.0, "network"))

    day.run(3 * HOUR)

    assert "rmcctrl -z" not in day.did() or away == ["hmc_down"]     # its port answers: a stuck session, as far as can be told


def test_a_pid_that_lssrc_made_up_does_not_cost_a_working_hmc(tmp_path: Path) -> None:
    day = Day(tmp_path)
    alive = day.host.alive
    day.host.alive = lambda pid: False if pid == day.partition.subsystems["ctrmc"].pid else alive(pid)  # type: ignore[method-assign]

    day.run(6 * HOUR)

    assert "rmcctrl -z" not in day.did()


def test_a_fleet_does_not_recycle_in_step_when_its_hmc_comes_back(tmp_path: Path) -> None:
    begun = []
    for number in range(5):
        day = Day(tmp_path / str(number), policy="cadence: {pulse: 30s}\nremedies: {refresh: {mode: off}}\n")
        day.partition.machine = f"machine {number}"
        broken(day, ("hmc_unreachable",), ("stick_session",))
        day.run(HOUR)
        day.do("hmc_reachable")
        back = day.clock.monotonic()
        assert day.run_until("RMCA3001N", within=2 * HOUR)
        begun.append(day.clock.monotonic() - back)

    assert min(begun) >= 20 * MINUTE and max(begun) <= 33 * MINUTE
    assert max(begun) - min(begun) > 2 * MINUTE


def test_a_retired_hmc_that_still_answers_does_not_vouch_for_the_one_that_restarts(tmp_path: Path) -> None:
    day = Day(tmp_path, hmcs=("192.0.2.21", "192.0.2.22"))
    day.do("hmc_down", "192.0.2.22")        # retired long ago, its port still answers
    broken(day, ("hmc_down", "192.0.2.21"), ("hmc_unreachable", "192.0.2.21"))

    day.run(3 * HOUR)

    assert "rmcctrl -z" not in day.did()


def test_an_in_band_hmc_once_seen_is_missed(tmp_path: Path) -> None:
    day = Day(tmp_path, hmcs=())
    day.do("in_band", "hmc7")
    day.run(HOUR)
    day.partition.in_band_hosts.clear()

    day.run(HOUR)

    assert day.field(day.told("RMCA2001W")[0], "fault") == "no-hmc" and day.verdict != "healthy"


def test_a_link_is_not_called_healed_while_rmc_is_stopped(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("stick_session",))
    assert day.run_until("RMCA2001W", within=HOUR)

    day.do("stop_cleanly")
    day.run(HOUR)

    assert not day.told("RMCA2002N")


def test_what_only_waits_is_told_when_it_has_waited_for_long(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("run_program", "clmgr"), ("crash", "ctrmc"))

    day.run(50 * MINUTE)
    early = day.told("RMCA3004W")
    day.run(HOUR)

    assert early == [] and day.field(day.told("RMCA3004W")[0], "guard") == "busy"


def test_lsrpdomain_is_asked_daily_and_before_a_deed_only(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("start_caa",), ("stick_session",))
    day.host.asked.clear()

    day.run(8 * HOUR)

    assert day.host.asked.count("lsrpdomain") <= 4


def test_a_working_hmc_is_not_cut_off_to_mend_a_manager(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("manager_crash", "IBM.DRM", "recycle"))

    day.run(12 * HOUR)

    assert set(day.did()) == {"startsrc -s IBM.DRM"}
    assert day.verdict == "needs-human" and "hmc-connected" in day.field(day.told("RMCA3004W")[0], "guard")


def test_a_look_that_could_not_tell_does_not_reset_the_grace(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("stick_session",))
    day.run(MINUTE + 30)
    since = day.cycle.memory.sightings["link-down"].since

    day.do("garble_command", "rmcdomainstatus")
    day.run(2 * MINUTE)
    day.do("mend_command", "rmcdomainstatus")
    day.run(2 * MINUTE)

    assert day.cycle.memory.sightings["link-down"].since == since


# -- who this node is, and what else only looking can find


def test_node_ids_that_disagree_are_mended_by_recfgct_alone_and_the_change_is_told(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("clash_identity",))

    day.run(3 * HOUR)

    assert day.did() == RECFGCT and day.verdict == "healthy" and day.partition.disasters == []
    assert day.told("RMCA3007W") and day.field(day.told("RMCA2001W")[0], "fault") == "identity-clash"


def test_a_copy_of_a_partition_gets_a_node_id_of_its_own_after_a_recycle_did_not_help(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(HOUR)
    day.do("clone")
    day.clock.sleep(MINUTE)

    day.restart()
    day.run(4 * HOUR)

    assert day.did() == RECYCLE + RECFGCT and day.partition.disasters == []
    assert "cloned-node" in [day.field(event, "fault") for event in day.told("RMCA2001W")] and day.verdict == "healthy"


def test_a_copy_whose_original_is_gone_works_and_is_reported_only(tmp_path: Path) -> None:
    day = copied(tmp_path)

    day.run(6 * HOUR)

    assert day.did() == [] and day.told("RMCA4001E") == []
    assert [day.field(event, "fault") for event in day.told("RMCA4002W")] == ["cloned-node"]


def copied(folder: Path) -> Day:
    """A SAN copy whose original is gone: another machine and UUID, the same node id."""
    day = Day(folder)
    day.run(HOUR)
    day.do("clone")
    day.partition.flapping = False
    day.do("changed")
    day.clock.sleep(MINUTE)
    day.restart()
    return day


def test_a_copy_that_an_hmc_has_accepted_never_gets_recfgct_for_an_hmc_that_is_sick_later(tmp_path: Path) -> None:
    day = copied(tmp_path)
    day.run(3 * HOUR)

    day.do("hmc_sick")
    day.run(6 * HOUR)

    assert "recfgct" not in day.did() and day.did()[:3] == REFRESH
    assert "link-down" in [day.field(event, "fault") for event in day.told("RMCA2001W")]


def test_a_copy_that_hmcs_accept_for_a_day_is_what_it_says_it_is(tmp_path: Path) -> None:
    day = copied(tmp_path)

    day.run(26 * HOUR)

    assert day.verdict == "healthy" and day.did() == []


def test_a_uuid_that_is_spelt_otherwise_makes_no_copy(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(HOUR)
    day.partition.machine = day.partition.machine.replace("c0ffee", "C0FFEE")
    day.do("reboot")
    day.do("stick_session", mended_by=None)
    day.restart()

    day.run(6 * HOUR)

    assert "recfgct" not in day.did()


def test_one_lost_hmc_of_two_does_not_spend_the_refreshes_that_a_graver_fault_needs(tmp_path: Path) -> None:
    day = Day(tmp_path, hmcs=("192.0.2.21", "192.0.2.22"))
    day.run(HOUR)
    day.do("stick_session", "192.0.2.22", mended_by=None)
    day.run(8 * HOUR)
    refreshed = day.did().count("rmcctrl -p")

    day.do("disable_remote")
    day.run(HOUR)

    assert refreshed == 3 and day.did().count("rmcctrl -p") == 4
    assert day.partition.remote_enabled and day.told("RMCA4001E") == []


def test_when_the_strongest_remedy_changed_nothing_a_human_is_called_at_once(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("stick_session", "192.0.2.21", None))

    called = day.run_until("RMCA4001E", 3 * HOUR)

    assert called and "lspartition -dlpar" in day.field(called, "unblock")
    assert day.did() == REFRESH + RECYCLE + RECYCLE


def test_a_peer_domain_is_not_told_to_bring_caa_down(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.do("define_peer_domain")
    broken(day, ("stick_session",))

    refused = day.run_until("RMCA3004W", HOUR)

    assert refused and "stoprpdomain" in day.field(refused, "unblock") and "clmgr" not in day.field(refused, "unblock")


def test_a_var_that_hovers_about_the_mark_is_told_once_and_again_when_it_is_really_full(tmp_path: Path) -> None:
    day = Day(tmp_path)
    for _ in range(6):
        day.do("fill_var", 0.902)
        day.run(10 * MINUTE)
        day.do("fill_var", 0.898)
        day.run(10 * MINUTE)
    mild = [(len(day.told(code))) for code in ("RMCA2001W", "RMCA4002W", "RMCA4001E")]

    day.do("fill_var", 0.98)
    day.run(10 * MINUTE)

    assert (mild, len(day.told("RMCA4001E"))) == ([1, 1, 0], 1)


def test_a_stuck_lparmgr_beside_a_working_hmc_is_nothing_that_refresh_or_recycle_would_mend(tmp_path: Path) -> None:
    day = broken(Day(tmp_path, Platform.VIOS), ("stick_lparmgr",))

    day.run(6 * HOUR)

    assert day.did() == []
    assert "lparmgr all start" in day.field(day.told("RMCA4001E")[0], "unblock")


def test_what_is_reported_only_is_told_while_a_remedy_settles(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.do("disable_at_boot")
    broken(day, ("crash", "ctrmc"))
    assert day.run_until("RMCA3001N", HOUR)
    day.run(MINUTE)

    kinds = {decision.finding.fault.value: decision.kind.value for decision in day.cycle.view.decisions if decision.finding}

    assert kinds["not-at-boot"] == "escalate"


@pytest.mark.parametrize("reboots", [False, True])
def test_a_partition_that_was_migrated_is_no_copy(tmp_path: Path, reboots: bool) -> None:
    day = Day(tmp_path)
    day.run(HOUR)
    day.do("start_migration")
    day.clock.sleep(5 * MINUTE)
    day.do("end_migration")
    if reboots:
        day.do("reboot")
        day.restart()

    day.run(6 * HOUR)

    assert day.did() == [] and not day.told("RMCA2001W") and day.verdict == "healthy"


def test_remote_clients_that_somebody_disabled_are_enabled_by_a_refresh_and_no_more(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("disable_remote",))

    day.run(HOUR)

    assert day.did() == REFRESH and day.verdict == "healthy"
    assert day.field(day.told("RMCA3002N")[0], "fault") == "remote-disabled"


def test_an_rmc_that_will_not_start_at_boot_is_reported_once_and_nobody_is_woken(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.do("disable_at_boot")

    day.run(2 * HOUR)

    assert day.did() == [] and day.told("RMCA4001E") == []
    assert [day.field(event, "do") for event in day.told("RMCA4002W")] == ["rmcctrl -a"]


def test_an_hmc_whose_link_flaps_is_reported_and_not_recycled(tmp_path: Path) -> None:
    day = Day(tmp_path, policy="faults: {flapping: 3/2h}\n")
    day.run(HOUR)
    for _ in range(3):
        day.do("hmc_down")
        day.run(5 * MINUTE)
        day.do("hmc_up")
        day.run(5 * MINUTE)

    faults = [day.field(event, "fault") for event in day.told("RMCA2001W")]

    assert "link-flapping" in faults and day.did() == []


def test_a_retired_hmc_is_named_after_days_and_nothing_is_ever_refreshed_for_one_that_cannot_be_reached(tmp_path: Path) -> None:
    day = Day(tmp_path, hmcs=("192.0.2.21", "192.0.2.22"), policy="cadence: {pulse: 10m, look: 10m}\nfaults: {stale_hmc: 2d}\n")
    day.run(HOUR)
    day.do("hmc_down", "192.0.2.22")
    day.run(50 * HOUR)

    assert [day.field(event, "fault") for event in day.told("RMCA2001W")] == ["link-partial", "stale-hmc"]
    assert day.did() == [] and day.told("RMCA4001E") == []


def test_a_stuck_lparmgr_is_told_on_a_vios_and_by_default_only_its_shadow_is_cast(tmp_path: Path) -> None:
    day = broken(Day(tmp_path, Platform.VIOS), ("stick_lparmgr",))

    day.run(HOUR)

    assert day.field(day.told("RMCA2001W")[0], "fault") == "lparmgr-stuck"
    assert day.field(day.told("RMCA3005N")[0], "remedy") == "lparmgr" and "rmcctrl -z" not in day.did()


@pytest.mark.parametrize("policy, did", [("", []), ("remedies: {lparmgr: {mode: act}}\n", ["lparmgr all start"] * 3)])
def test_rmc_of_a_vios_is_not_recycled_for_lparmgr_while_its_hmc_is_off(tmp_path: Path, policy: str, did: List[str]) -> None:
    day = broken(Day(tmp_path, Platform.VIOS, policy=policy), ("hmc_down",), ("fail_command", "lparmgr"), ("stick_lparmgr",))

    day.run(6 * HOUR)
    off = day.did()
    day.do("hmc_up")
    day.run(6 * HOUR)

    assert [line for line in off if line.startswith("lparmgr")] == did
    assert "rmcctrl -z" not in day.did()


def test_lparmgr_is_not_restarted_while_a_migration_cannot_be_told(tmp_path: Path) -> None:
    day = broken(Day(tmp_path, Platform.VIOS, policy=LPARMGR_ACTS), ("hang_command", "errpt"), ("stick_lparmgr",))

    day.run(2 * HOUR)
    meanwhile = day.did()
    day.do("mend_command", "errpt")
    day.run(HOUR)

    assert (meanwhile, day.did()) == ([], ["lparmgr all start"])
    assert [day.field(event, "guard") for event in day.told("RMCA3004W")] == ["migration"]


LPARMGR_ACTS = "remedies: {lparmgr: {mode: act}}\n"


def test_where_the_policy_says_so_a_stuck_lparmgr_is_restarted_and_rmc_is_left_alone(tmp_path: Path) -> None:
    day = broken(Day(tmp_path, Platform.VIOS, policy=LPARMGR_ACTS), ("hmc_down",), ("stick_lparmgr",))
    pids = {row.name: row.pid for row in day.partition.subsystems.values()}

    healed = day.run_until("RMCA3002N", HOUR)

    assert healed and day.field(healed, "fault") == "lparmgr-stuck"
    assert day.did() == ["lparmgr all start"]
    assert {row.name: row.pid for row in day.partition.subsystems.values()} == pids
    assert "lparmgr-stuck" not in {finding.fault.value for finding in day.cycle.findings}


def test_an_lparmgr_that_stays_stuck_is_restarted_as_often_as_its_budget_allows(tmp_path: Path) -> None:
    day = broken(Day(tmp_path, Platform.VIOS, policy=LPARMGR_ACTS), ("fail_command", "lparmgr"), ("stick_lparmgr",))

    day.run(12 * HOUR)

    assert day.did() == ["lparmgr all start"] * 3 and not day.told("RMCA3002N")
    assert "lparmgr" in day.field(day.told("RMCA4001E")[0], "unblock")


def test_a_migration_holds_the_restart_of_lparmgr_until_it_is_over(tmp_path: Path) -> None:
    day = Day(tmp_path, Platform.VIOS, policy=LPARMGR_ACTS)
    day.run(30 * MINUTE)
    day.do("start_migration")
    day.do("stick_lparmgr")

    day.run(HOUR)
    (waiting,), meanwhile = day.cycle.view.decisions, day.did()
    day.do("end_migration")
    day.run(2 * HOUR)

    assert (waiting.remedy, [held.guard for held in waiting.refused_by], meanwhile) == (Remedy.LPARMGR, ["migration"], [])
    assert day.did() == ["lparmgr all start"] and day.partition.disasters == []


def test_a_link_lost_beside_a_stuck_lparmgr_is_treated_for_itself(tmp_path: Path) -> None:
    day = broken(Day(tmp_path, Platform.VIOS, policy=LPARMGR_ACTS), ("stick_session",), ("stick_lparmgr",))

    day.run(2 * HOUR)

    assert day.did().count("lparmgr all start") == 1 and day.verdict == "healthy"
    assert sorted(day.field(event, "fault") for event in day.told("RMCA3002N")) == ["link-down", "lparmgr-stuck"]


def test_an_old_rsct_is_healed_as_a_new_one_is(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.do("old_rsct")
    broken(day, ("stick_session",))

    day.run(HOUR)

    assert day.did() == REFRESH + RECYCLE and day.verdict == "healthy"


# -- what only the removal of a rule showed to be missing


def test_nothing_that_disturbs_others_is_begun_on_a_look_that_is_not_fresh(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("stick_session",))
    day.run(5 * MINUTE)
    (found,) = day.cycle.findings
    due = Decision(Kind.APPLY, "it is due", found, Remedy.RECYCLE)
    begun = len(day.cycle.ledger.attempts)
    seen = day.cycle.observer.look(())

    day.cycle._apply(due, (due,), seen)
    ordinary = len(day.cycle.ledger.attempts)
    day.cycle._apply(due, (due,), replace(seen, fresh=True))

    assert (ordinary - begun, len(day.cycle.ledger.attempts) - begun) == (0, 1)


def test_a_glance_begins_nothing(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("crash", "ctrmc"))
    day.run(20)
    day.clock.sleep(2 * MINUTE)

    view = day.cycle.glance()

    assert view.decisions[0].kind is Kind.APPLY and day.did() == []


def test_a_glance_finishes_nothing(tmp_path: Path) -> None:
    day = half_way(tmp_path)
    day.restart()
    day.cycle.deeds.track()

    day.cycle.glance()
    day.clock.sleep(5 * MINUTE)

    assert day.did()[-1] == "rmcctrl -z"


def left_half_way(day: Day, **changes: object) -> bool:
    """Whether the newest remedy, with these changes, would be finished."""
    (*_, newest) = day.cycle.ledger.attempts.values()
    ended = {"ended_at": day.cycle.steady.now(), "outcome": Outcome.INTERRUPTED, "begun_at": day.cycle.steady.now()}
    day.cycle.ledger.facts.pop("finished", None)
    day.cycle.ledger.attempts[newest.id] = replace(newest, **{**ended, **changes})  # type: ignore[arg-type]
    return day.cycle.deeds.left_half_way(day.cycle.memory.vitals.identity) is not None


def test_only_what_stops_rmc_only_what_was_interrupted_and_no_shadow_is_finished(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("crash", "ctrmc"))
    day.run(10 * MINUTE)

    assert left_half_way(day, remedy=Remedy.RECYCLE) and left_half_way(day, remedy=Remedy.RECFGCT)
    for remedy in (Remedy.START, Remedy.REFRESH, Remedy.MANAGER):
        assert not left_half_way(day, remedy=remedy)
    for outcome in (Outcome.HEALED, Outcome.UNCHANGED, Outcome.UNKNOWN, None):
        assert not left_half_way(day, remedy=Remedy.RECYCLE, outcome=outcome)
    assert not left_half_way(day, remedy=Remedy.RECYCLE, shadow=True)


def test_the_intent_is_on_the_disk_when_the_helper_is_begun(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("crash", "ctrmc"))
    begin, intents = day.host.begin, []

    def looking(deed: Deed, folder: str) -> None:
        intents.append(deed.attempt in Ledger(day.cycle.ledger.path, day.clock, day.cycle.ledger.boot, read_only=True).attempts)
        begin(deed, folder)

    day.host.begin = looking  # type: ignore[method-assign]
    day.run(10 * MINUTE)

    assert intents == [True]


def test_what_a_remedy_does_to_rmc_while_it_runs_is_no_finding(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("stick_session",))
    while "rmcctrl -z" not in day.did():
        day.clock.sleep(min(1.0, day.cycle.step()))
    seen = []

    while day.cycle.deeds.under_way() is not None:
        day.cycle.look_now()
        day.cycle.step()
        day.clock.sleep(1.0)
        assert day.cycle.seen is not None
        seen.append(day.cycle.seen.state_of("ctrmc"))

    assert State.INOPERATIVE in seen
    assert {day.field(event, "fault") for event in day.told("RMCA2001W")} == {"link-down"}


def test_a_remedy_is_judged_only_when_it_has_settled(tmp_path: Path) -> None:
    day = broken(Day(tmp_path), ("stick_session",))
    day.run_until("RMCA3001N", within=HOUR)
    day.run(5 * MINUTE)
    early = day.cycle.ledger.attempts[1]
    day.run(3 * MINUTE)

    assert early.ended_at is not None and early.outcome is None
    assert day.cycle.ledger.attempts[1].outcome is Outcome.UNCHANGED
