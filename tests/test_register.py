"""What register makes of SRC, inittab and systemd: run against small executables with an ODM of their own."""
from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import pytest

from odm import FIELDS, Odm
from rmcagent import register
from rmcagent.model import Answer, Platform
from rmcagent.partition.host import SystemHost

ENTRY = "rmcagent:2:once:/usr/bin/startsrc -s rmcagent >/dev/console 2>&1"
DEFINITION = {
    "subsysname": "rmcagent", "synonym": "", "cmdargs": "run", "path": "/opt/rmcagent/bin/rmcagent", "uid": "0", "auditid": "0",
    "standin": "/dev/null", "standout": "/var/log/rmcagent/console.log", "standerr": "/var/log/rmcagent/console.log",
    "action": "-R", "multi": "-Q", "contact": "-S", "svrkey": "0", "svrmtype": "0", "priority": "20", "signorm": "15",
    "sigforce": "9", "display": "-d", "waittime": "60", "grpname": "rmcagent",
}


@pytest.fixture
def odm(tmp_path: Path) -> Odm:
    return Odm(tmp_path / "odm", tmp_path / "bin")


def words(told: Sequence[register.Told]) -> List[str]:
    return [one.word for one in told]


def check(odm: Odm) -> Tuple[register.Told, ...]:
    return register.check(SystemHost(), Platform.AIX, odm.paths())


def apply(odm: Odm) -> Tuple[register.Told, ...]:
    return register.apply(SystemHost(), Platform.AIX, odm.paths(), "/", "/console.log")


def remove(odm: Odm) -> Tuple[register.Told, ...]:
    return register.remove(SystemHost(), Platform.VIOS, odm.paths())


# ---- SRC and inittab ---------------------------------------------------------------------------------------------------

def test_what_is_not_there_is_added_once_and_then_left_alone(odm: Odm) -> None:
    first = apply(odm)
    once = odm.changes()

    second = apply(odm)

    assert (words(first), words(second)) == (["CHANGED", "CHANGED"], ["OK", "OK"])
    assert odm.records() == [DEFINITION]
    assert odm.inittab() == ["init:2:initdefault:", "rctcpip:23456789:wait:/etc/rc.tcpip > /dev/console 2>&1", ENTRY,
                             "cron:23456789:respawn:/usr/sbin/cron"]
    assert odm.changes() == once


def test_where_the_network_has_no_entry_ours_stands_last(odm: Odm) -> None:
    (odm.folder / "inittab").write_text("init:2:initdefault:\n")

    assert words(apply(odm)) == ["CHANGED", "CHANGED"]
    assert odm.inittab() == ["init:2:initdefault:", ENTRY]


def test_what_is_taken_away_is_taken_away_whole_and_only_ours(odm: Odm) -> None:
    before = odm.inittab()
    apply(odm)

    first, second = remove(odm), remove(odm)

    assert (words(first), words(second)) == (["CHANGED", "CHANGED"], ["OK", "OK"])
    assert (odm.records(), odm.inittab()) == ([], before)


def test_a_check_changes_nothing_and_tells_what_is_missing(odm: Odm) -> None:
    assert words(check(odm)) == ["MISSING", "MISSING"]
    assert odm.changes() == []


class Lssrc(SystemHost):
    """Only lssrc, of one record."""

    def __init__(self, record: Dict[str, str]) -> None:
        super().__init__()
        self.record = record

    def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
        if "-S" in argv:
            return Answer("lssrc-S", 0, f"#{':'.join(FIELDS)}:\n{':'.join(self.record[field] for field in FIELDS)}:\n")
        return Answer("lssrc-s", 0, "Subsystem         Group            PID          Status\n rmcagent rmcagent inoperative\n")


def test_each_word_of_the_record_counts() -> None:
    commands = dict.fromkeys(register.COMMANDS, "/no-such")
    for name, wanted in register.RECORD.items():
        host = Lssrc({**DEFINITION, name: "else"})

        told = register.check(host, Platform.AIX, commands)[0]

        assert (told.word, told.because) == ("DIFFERENT", (f'{name} is "else", should be "{wanted}"',))
    assert register.check(Lssrc(DEFINITION), Platform.AIX, commands)[0].word == "OK"


def test_what_is_different_is_replaced(odm: Odm) -> None:
    apply(odm)
    (odm.folder / "SRCsubsys").write_text(":".join({**DEFINITION, "waittime": "20"}.values()) + ":\n")

    assert words(apply(odm)) == ["CHANGED", "OK"] and odm.records() == [DEFINITION]


def test_duplicates_are_drained(odm: Odm) -> None:
    apply(odm)
    subprocess.run([odm.paths()["mkssys"], *register.MKSSYS], check=True, stdout=subprocess.DEVNULL)

    assert check(odm)[0].because == ("2 records of that name",)
    assert words(apply(odm)) == ["CHANGED", "OK"] and odm.records() == [DEFINITION]


def test_an_entry_that_respawns_is_put_right(odm: Odm) -> None:
    apply(odm)
    with (odm.folder / "inittab").open("w") as inittab:
        inittab.write(ENTRY.replace("once", "respawn") + "\n")

    assert words(check(odm)) == ["OK", "DIFFERENT"]
    assert words(apply(odm)) == ["OK", "CHANGED"] and odm.inittab() == [ENTRY]


# ---- an operator's word ------------------------------------------------------------------------------------------------

def test_nothing_is_started_or_stopped_whatever_is_found(odm: Odm) -> None:
    apply(odm), apply(odm), remove(odm), remove(odm)

    assert [line for line in odm.log() if line.startswith(("startsrc", "stopsrc"))] == []


def test_an_entry_that_an_operator_turned_off_stays_off_until_it_is_removed(odm: Odm) -> None:
    apply(odm)
    (odm.folder / "inittab").write_text(ENTRY.replace("once", "off") + "\n")

    assert words(check(odm)) == words(apply(odm)) == ["OK", "OFF"]
    assert words(remove(odm)) == ["CHANGED", "CHANGED"] and odm.inittab() == []


def test_under_a_running_agent_srcs_record_is_left_alone(odm: Odm) -> None:
    apply(odm)
    subprocess.run([odm.paths()["startsrc"], "-s", "rmcagent"], check=True, stdout=subprocess.DEVNULL)
    different = {**DEFINITION, "waittime": "20"}
    (odm.folder / "SRCsubsys").write_text(":".join(different.values()) + ":\n")

    changed, removed = apply(odm), remove(odm)

    assert words(changed) == ["FAILED", "OK"] and words(removed) == ["FAILED"]
    assert "stopsrc -s rmcagent" in changed[0].because[0] and "stopsrc -s rmcagent" in removed[0].because[0]
    assert (odm.records(), odm.inittab().count(ENTRY), odm.sins()) == ([different], 1, [])


def test_a_running_agent_that_is_registered_as_it_should_be_is_fine(odm: Odm) -> None:
    apply(odm)
    subprocess.run([odm.paths()["startsrc"], "-s", "rmcagent"], check=True, stdout=subprocess.DEVNULL)

    assert words(apply(odm)) == ["OK", "OK"] and odm.is_active()


# ---- what goes wrong ---------------------------------------------------------------------------------------------------

def test_where_src_does_not_answer_nothing_is_changed(odm: Odm) -> None:
    (odm.commands / "lssrc").write_text("#!/bin/sh\necho '0513-001 The System Resource Controller is not active.'\nexit 255\n")

    told = apply(odm)

    assert words(told) == ["UNKNOWN", "CHANGED"] and "0513-001" in told[0].because[0]
    assert [line for line in odm.log() if line.startswith(("mkssys", "rmssys"))] == []
    assert words(remove(odm)) == ["FAILED"]


def test_a_command_that_succeeds_and_does_nothing_has_failed(odm: Odm) -> None:
    (odm.commands / "mkssys").write_text("#!/bin/sh\nexit 0\n")

    assert words(apply(odm)) == ["FAILED", "CHANGED"]


def test_a_command_that_fails_is_quoted(odm: Odm) -> None:
    (odm.commands / "mkssys").write_text("#!/bin/sh\necho 'The ODM is full.' >&2\nexit 1\n")

    told = apply(odm)[0]

    assert told.word == "FAILED" and 'exit 1, "The ODM is full."' in told.because[0]


def test_records_that_do_not_go_away_are_told_and_not_fought_for_ever(odm: Odm) -> None:
    apply(odm)
    (odm.commands / "rmssys").write_text(f"#!/bin/sh\necho rmssys >>{odm.folder}/log\nexit 0\n")

    told = remove(odm)

    assert words(told) == ["FAILED"] and "still has a record" in told[0].because[0]
    assert odm.log().count("rmssys") == register.MOST_RECORDS


def test_without_the_installed_program_nothing_is_registered(odm: Odm) -> None:
    told = register.apply(SystemHost(), Platform.AIX, odm.paths(), "/opt/no-such/rmcagent", "/console.log")

    assert words(told) == ["FAILED"] and "install the package" in told[0].because[0] and odm.changes() == []


def test_the_folder_that_srcs_record_names_is_made_where_it_is_missing(odm: Odm, tmp_path: Path) -> None:
    folder = tmp_path / "log" / "rmcagent"

    first, second = (register.apply(SystemHost(), Platform.AIX, odm.paths(), "/", str(folder / "console.log")) for _ in range(2))

    assert first[0] == register.Told("CHANGED", f"folder {folder}", ("made",)) and oct(folder.stat().st_mode & 0o7777) == "0o700"
    assert (words(first), words(second)) == (["CHANGED", "CHANGED", "CHANGED"], ["OK", "OK"])


def test_a_folder_that_cannot_be_made_is_told_and_the_rest_is_registered(odm: Odm, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file\n")

    told = register.apply(SystemHost(), Platform.AIX, odm.paths(), "/", str(tmp_path / "log" / "rmcagent" / "console.log"))

    assert words(told) == ["FAILED", "CHANGED", "CHANGED"] and "cannot make it" in told[0].because[0]


# ---- systemd -----------------------------------------------------------------------------------------------------------

class Systemctl(SystemHost):
    """One unit whose state systemctl tells, enables and disables."""

    def __init__(self, state: str) -> None:
        super().__init__()
        self.state, self.asked = state, []  # type: str, List[Sequence[str]]

    def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
        self.asked.append(tuple(argv[1:]))
        if argv[1] == "is-enabled":
            return Answer("is-enabled", 0 if self.state == "enabled" else 1, f"{self.state}\n")
        if self.state not in ("masked", "not-found"):
            self.state = {"enable": "enabled", "disable": "disabled"}[argv[1]]
            return Answer(argv[1], 0)
        return Answer(argv[1], 1, stderr=f"Unit rmcagent.service is {self.state}.")


@pytest.mark.parametrize("state, applied, after, removed", [
    ("disabled", "CHANGED", "enabled", "CHANGED"), ("enabled", "OK", "enabled", "CHANGED"), ("masked", "OFF", "masked", "OFF"),
    ("not-found", "FAILED", "not-found", "OK")])
def test_a_unit_is_enabled_or_disabled_and_never_started_nor_unmasked(state: str, applied: str, after: str, removed: str) -> None:
    host = Systemctl(state)

    told = register.apply(host, Platform.LINUX, register.COMMANDS, "", "/no-such/console.log")

    assert (words(told), host.state) == ([applied], after)
    assert words(register.remove(host, Platform.LINUX, register.COMMANDS)) == [removed]
    assert {line[0] for line in host.asked} <= {"is-enabled", "enable", "disable"}
    assert not any("--now" in line for line in host.asked)


def test_a_unit_is_changed_once() -> None:
    host = Systemctl("disabled")

    for _ in range(2):
        register.apply(host, Platform.LINUX, register.COMMANDS, "", "/no-such/console.log")

    assert [line[0] for line in host.asked].count("enable") == 1


# ---- the command -------------------------------------------------------------------------------------------------------

def ran(monkeypatch: pytest.MonkeyPatch, odm: Odm, folder: Path, do: str, as_json: bool = False, uid: int = 0) -> Tuple[int, str]:
    config = folder / "rmcagent.yaml"
    config.write_text("platform: aix\n")
    config.chmod(0o600)
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(register, "COMMANDS", odm.paths())
    monkeypatch.setattr(register, "PROGRAM", "/")
    monkeypatch.setattr(register, "CONSOLE", str(folder / "logs" / "console.log"))
    said: List[str] = []
    code = register.main(do, str(config), as_json, said.append)
    return code, "".join(said)


def test_the_exit_code_tells_whether_it_is_registered(monkeypatch: pytest.MonkeyPatch, odm: Odm, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()

    before = ran(monkeypatch, odm, tmp_path, "check")
    applied = ran(monkeypatch, odm, tmp_path, "apply")
    after = ran(monkeypatch, odm, tmp_path, "check")

    assert before == (1, "MISSING   SRC subsystem rmcagent\nMISSING   inittab entry rmcagent\n")
    assert applied == (0, "CHANGED   SRC subsystem rmcagent: added\nCHANGED   inittab entry rmcagent: added\n")
    assert after == (0, "OK        SRC subsystem rmcagent\nOK        inittab entry rmcagent\n")


def test_json_tells_the_same(monkeypatch: pytest.MonkeyPatch, odm: Odm, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()

    code, text = ran(monkeypatch, odm, tmp_path, "apply", as_json=True)

    told: Dict[str, object] = json.loads(text)
    assert (code, told["schema"], told["as_asked"], told["changed"]) == (0, 1, True, True)
    assert told["entries"] == [{"what": what, "word": "CHANGED", "because": ["added"]}
                               for what in ("SRC subsystem rmcagent", "inittab entry rmcagent")]


def test_only_root_changes_it_and_everybody_may_check(monkeypatch: pytest.MonkeyPatch, odm: Odm, tmp_path: Path) -> None:
    assert ran(monkeypatch, odm, tmp_path, "check", uid=204)[0] == 1
    for do in ("apply", "remove"):
        with pytest.raises(PermissionError, match="only root may"):
            ran(monkeypatch, odm, tmp_path, do, uid=204)
    assert odm.changes() == []


def test_a_broken_configuration_does_not_hinder_removal(tmp_path: Path) -> None:
    broken = tmp_path / "rmcagent.yaml"
    broken.write_text("mode: [unfinished\n")

    assert register._settings(str(broken)).platform == "auto"
