"""What each remedy runs, step by step, and the order in which a helper takes the steps when some of them fail."""
from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import pytest

from rmcagent import config
from rmcagent.model import Answer, Deed, Platform, Remedy, Step
from rmcagent.partition import act
from rmcagent.partition.act import MANAGERS, SPELLINGS, CannotSpell, performing
from rmcagent.partition.platform import place
from rmcagent.sim.clock import VirtualClock
from rmcagent.sim.partition import Partition, SimHost

PATHS = {"var_ct": "/var/ct", "node_id": "/etc/ct_node_id", "apsock": "/var/adm/lpm/apsock"}
EVERY_PLATFORM = pytest.mark.parametrize("platform", list(Platform))


def commands(platform: Platform = Platform.AIX, *without: str) -> Dict[str, str]:
    clock = VirtualClock()
    installed = SimHost(Partition(clock, platform), clock).commands()
    return {name: path for name, path in installed.items() if name not in without}


def spelled(remedy: Remedy, subject: str = "", there: Optional[Mapping[str, str]] = None,
            enable_remote: bool = True) -> Tuple[Step, ...]:
    return act.deed(7, remedy, subject, commands() if there is None else there, PATHS, enable_remote).steps


def lines(steps: Sequence[Step]) -> List[str]:
    return [" ".join((step.argv[0].rsplit("/", 1)[-1], *step.argv[1:])) for step in steps]


# ---- spelling ----------------------------------------------------------------------------------------------------------


def test_every_remedy_can_be_spelled_and_no_other() -> None:
    assert set(SPELLINGS) == set(Remedy)


@EVERY_PLATFORM
@pytest.mark.parametrize("remedy, said", [
    (Remedy.REFRESH, ["rmcctrl -p", "rmcrefreshMD -s ctrmc", "refrsrc IBM.MCP"]),
    (Remedy.START, ["rmcctrl -A", "rmcctrl -p"]),
    (Remedy.RECYCLE, ["rmcctrl -z", "rmcctrl -A", "rmcctrl -p"]),
    (Remedy.RECFGCT, [
        "@save lscondition.txt /sim/bin/lscondition -C", "@save lsresponse.txt /sim/bin/lsresponse -C",
        "@save ctsthl.txt /sim/bin/ctsthl -l", "@save lsrsrc.txt /sim/bin/lsrsrc IBM.MCP", "cfg /var/ct/cfg",
        "@record before /etc/ct_node_id", "recfgct", "rmcctrl -A", "rmcctrl -p", "@record after /etc/ct_node_id"]),
], ids=lambda value: value.value if isinstance(value, Remedy) else "")
def test_a_remedy_is_spelled_as_the_ladder_has_it(platform: Platform, remedy: Remedy, said: List[str]) -> None:
    steps = spelled(remedy, there=commands(platform))

    assert [line.replace("@archive", "cfg") for line in lines(steps)] == said


@pytest.mark.parametrize("missing, said", [
    (("rmcrefreshMD",), ["rmcctrl -p", "refrsrc IBM.MCP"]),
    (("rmcrefreshMD", "refrsrc"), ["rmcctrl -p"]),
])
def test_refresh_leaves_out_what_is_not_installed(missing: Tuple[str, ...], said: List[str]) -> None:
    assert lines(spelled(Remedy.REFRESH, there=commands(Platform.AIX, *missing))) == said


def test_recfgct_saves_what_the_installed_commands_can_tell() -> None:
    steps = spelled(Remedy.RECFGCT, there=commands(Platform.LINUX, "lscondition", "ctsthl"))

    assert [step.name for step in steps][:3] == ["save lsresponse", "save lsrsrc", "archive"]


@pytest.mark.parametrize("remedy", [Remedy.REFRESH, Remedy.START, Remedy.RECYCLE, Remedy.RECFGCT])
def test_where_remote_clients_were_disabled_on_purpose_they_stay_disabled(remedy: Remedy) -> None:
    without = lines(spelled(remedy, enable_remote=False))

    assert without == [line for line in lines(spelled(remedy)) if line != "rmcctrl -p"]
    assert without


def test_a_refresh_of_which_nothing_is_left_is_none() -> None:
    with pytest.raises(CannotSpell, match="cannot refresh: "):
        spelled(Remedy.REFRESH, there={"rmcctrl": "/r"}, enable_remote=False)


@pytest.mark.parametrize("name", MANAGERS)
def test_a_manager_is_started_through_src(name: str) -> None:
    assert lines(spelled(Remedy.MANAGER, name)) == [f"startsrc -s {name}"]


@pytest.mark.parametrize("name", ["", "ctrmc", "IBM.ConfigRM", "IBM.RecoveryRM", "cthags", "-g rsct", "IBM.DRM "])
def test_no_other_subsystem_is_ever_started_by_hand(name: str) -> None:
    with pytest.raises(CannotSpell, match="cannot start "):
        spelled(Remedy.MANAGER, name)


def test_lparmgr_is_ended_by_name_started_and_waited_for() -> None:
    steps = spelled(Remedy.LPARMGR, there=commands(Platform.VIOS))

    assert lines(steps) == ["@end accessprocess lparmgr", "@start /sim/bin/lparmgr all start", "@wait /var/adm/lpm/apsock"]
    assert [step.timeout for step in steps] == [20, 60, 60]


def test_remote_clients_that_stay_disabled_are_no_matter_of_lparmgrs() -> None:
    there = commands(Platform.VIOS)

    assert spelled(Remedy.LPARMGR, there=there, enable_remote=False) == spelled(Remedy.LPARMGR, there=there)


@pytest.mark.parametrize("there", [commands(Platform.AIX), commands(Platform.LINUX), commands(Platform.VIOS, "lparmgr")])
def test_where_there_is_no_lparmgr_it_is_not_restarted(there: Mapping[str, str]) -> None:
    with pytest.raises(CannotSpell, match="cannot restart lparmgr: it is not installed here") as refused:
        spelled(Remedy.LPARMGR, there=there)

    assert "only a VIOS has it" in refused.value.unblock


@pytest.mark.parametrize("remedy, missing", [
    (Remedy.REFRESH, "rmcctrl"), (Remedy.START, "rmcctrl"), (Remedy.RECYCLE, "rmcctrl"), (Remedy.MANAGER, "startsrc"),
    (Remedy.RECFGCT, "recfgct"), (Remedy.RECFGCT, "rmcctrl"),
])
def test_without_its_command_a_remedy_says_what_is_missing(remedy: Remedy, missing: str) -> None:
    with pytest.raises(CannotSpell, match=f"cannot run {missing}: it is not installed here"):
        spelled(remedy, "IBM.DRM", commands(Platform.AIX, missing))


@EVERY_PLATFORM
def test_nothing_stops_a_subsystem_nor_disables_remote_clients(platform: Platform) -> None:
    there = {**commands(Platform.VIOS), **commands(platform)}
    steps = [step for remedy in Remedy for step in spelled(remedy, "IBM.DRM", there)]

    changing = [line for line in lines(steps) if not line.startswith("@")]
    assert {line.split()[0] for line in changing} == {"rmcctrl", "rmcrefreshMD", "refrsrc", "recfgct", "startsrc"}
    assert {line for line in changing if line.startswith("rmcctrl")} == {"rmcctrl -z", "rmcctrl -A", "rmcctrl -p"}
    assert {line for line in changing if line.startswith("startsrc")} == {"startsrc -s IBM.DRM"}
    assert {line for line in lines(steps) if line.startswith("@end")} == {"@end accessprocess lparmgr"}


@EVERY_PLATFORM
def test_every_step_is_an_absolute_path_or_the_helpers_own_and_has_a_bound(platform: Platform) -> None:
    there = {**commands(Platform.VIOS), **commands(platform)}
    for remedy in Remedy:
        for step in spelled(remedy, "IBM.DRM", there):
            assert step.argv[0].startswith(("/", "@"))
            assert step.timeout == {"rmcctrl": 120, "recfgct": 900, "@end": 20}.get(step.argv[0].rsplit("/", 1)[-1], 60)


@pytest.mark.parametrize("remedy", [Remedy.START, Remedy.RECYCLE, Remedy.RECFGCT])
def test_whatever_may_leave_rmc_stopped_starts_it_always(remedy: Remedy) -> None:
    steps = {step.name: step for step in spelled(remedy)}

    assert steps["rmcctrl -A"].always and steps["rmcctrl -p"].always
    assert steps["rmcctrl -A"].tries == (1 if remedy is Remedy.RECFGCT else 3)


def test_the_places_of_a_platform_are_those_the_steps_run() -> None:
    clock = VirtualClock()
    host = SimHost(Partition(clock), clock)
    here = place(host, config.parse("platform: aix\ncommands: {rmcctrl: /sim/bin/rmcctrl, refrsrc: /nowhere/refrsrc}").settings)

    steps = act.deed(1, Remedy.REFRESH, "", here.installed(host), here.paths).steps

    assert [step.argv for step in steps] == [("/sim/bin/rmcctrl", "-p")]


# ---- performing --------------------------------------------------------------------------------------------------------


def perform(steps: Sequence[Step], **failures: Answer) -> Tuple[List[str], Tuple[str, ...]]:
    """Drive the steps, failing those named; spaces in a name are underlines here."""
    begun: List[str] = []
    generator = performing(Deed(1, Remedy.RECFGCT, tuple(steps)))
    answer: Optional[Answer] = None
    while True:
        try:
            step = next(generator) if answer is None else generator.send(answer)
        except StopIteration as end:
            return begun, end.value
        begun.append(step.name)
        answer = failures.get(step.name.replace(" ", "_").replace("-", "_"), Answer(step.name, 0))


def failed(code: Optional[int] = 1, stderr: str = "", stdout: str = "", missing: bool = False) -> Answer:
    return Answer("failed", code, stdout, stderr, missing=missing)


def test_all_steps_that_succeed_are_taken_in_their_order_and_those_that_mend_are_not() -> None:
    begun, wrong = perform(spelled(Remedy.RECFGCT))

    assert begun == ["save lscondition", "save lsresponse", "save ctsthl", "save lsrsrc", "archive", "record before", "recfgct",
                     "rmcctrl -p", "record after"]
    assert wrong == ()


def test_a_recycle_whose_stop_fails_starts_rmc_all_the_same() -> None:
    begun, wrong = perform(spelled(Remedy.RECYCLE), rmcctrl__z=failed(1, "0513-001 The System Resource Controller\nis down\n"))

    assert begun == ["rmcctrl -z", "rmcctrl -A", "rmcctrl -p"]
    assert wrong == ("rmcctrl -z: exit 1, 0513-001 The System Resource Controller",)


def test_a_recfgct_that_fails_is_mended_and_its_node_id_is_recorded_all_the_same() -> None:
    begun, wrong = perform(spelled(Remedy.RECFGCT), recfgct=failed(3))

    assert begun[-4:] == ["recfgct", "rmcctrl -A", "rmcctrl -p", "record after"]
    assert wrong == ("recfgct: exit 3",)


def test_an_archive_that_fails_ends_it_before_anything_was_touched() -> None:
    begun, wrong = perform(spelled(Remedy.RECFGCT), archive=failed(1, "no space left\n"))

    assert begun == ["save lscondition", "save lsresponse", "save ctsthl", "save lsrsrc", "archive"]
    assert wrong == ("archive: exit 1, no space left",)


def test_what_could_not_be_saved_is_told_and_holds_nothing_up() -> None:
    begun, wrong = perform(spelled(Remedy.RECFGCT), save_lscondition=failed(1), record_before=failed(1))

    assert begun[-3:] == ["recfgct", "rmcctrl -p", "record after"]
    assert wrong == ("save lscondition: exit 1", "record before: exit 1")


def test_a_recfgct_that_declines_left_rmc_as_it_was() -> None:
    said = "Cannot run if an online Peer Domain exists (see output of lsrpdomain).\n"

    begun, wrong = perform(spelled(Remedy.RECFGCT), recfgct=failed(1, stdout=said))

    assert begun[-1] == "recfgct"
    assert wrong == (f"recfgct: exit 1, {said.strip()}",)


@pytest.mark.parametrize("answer, ending", [
    (failed(missing=True), "not found"),
    (failed(None), "did not end"),
    (failed(-9), "exit -9"),
    (failed(2, "\n  \n"), "exit 2"),
    (failed(2, "", "on stdout\nand more\n"), "exit 2, on stdout"),
    (failed(2, "x" * 500), "exit 2, " + "x" * 120),
])
def test_what_failed_is_told_in_few_words(answer: Answer, ending: str) -> None:
    _, wrong = perform(spelled(Remedy.START), rmcctrl__A=answer)

    assert wrong == (f"rmcctrl -A: {ending}",)


def test_a_needed_step_after_a_touch_skips_to_what_always_runs() -> None:
    steps = (Step("touch", ("/t",), 1), Step("needed", ("/n",), 1, needed=True), Step("skipped", ("/s",), 1),
             Step("mend", ("/m",), 1, mends=True, always=True), Step("at last", ("/l",), 1, always=True))

    begun, wrong = perform(steps, needed=failed(1), at_last=failed(1))

    assert begun == ["touch", "needed", "mend", "at last"]
    assert wrong == ("needed: exit 1", "at last: exit 1")


RESTART = ["end lparmgr", "lparmgr all start", "wait for apsock"]


def test_an_lparmgr_whose_processes_cannot_be_listed_is_not_started_beside_them() -> None:
    unlisted = Answer("end", 126, stderr="cannot list the processes", timed_out=True)

    begun, wrong = perform(spelled(Remedy.LPARMGR, there=commands(Platform.VIOS)), end_lparmgr=unlisted)

    assert (begun, wrong) == (RESTART[:1], ("end lparmgr: exit 126, cannot list the processes",))


def test_an_lparmgr_of_which_something_may_have_ended_is_started_whatever_failed() -> None:
    begun, wrong = perform(spelled(Remedy.LPARMGR, there=commands(Platform.VIOS)), end_lparmgr=failed(1),
                           lparmgr_all_start=failed(2))

    assert (begun, wrong) == (RESTART, ("end lparmgr: exit 1", "lparmgr all start: exit 2"))


def test_a_deed_without_steps_is_done_at_once() -> None:
    assert perform(()) == ([], ())


def test_a_remedy_without_steps_says_what_a_human_does_instead() -> None:
    with pytest.raises(CannotSpell) as manager:
        act.deed(1, Remedy.MANAGER, "IBM.ERRM", {"startsrc": "/usr/bin/startsrc"}, {})
    with pytest.raises(CannotSpell) as start:
        act.deed(1, Remedy.START, "", {}, {})

    assert "expect.subsystems" in manager.value.unblock
    assert start.value.unblock == "install the command"
