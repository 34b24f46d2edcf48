"""What the doctor complains of, and that it does nothing: on simulated partitions, on plain texts, and through the command."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import pytest

from rmcagent import doctor
from rmcagent.doctor import healers, machine
from rmcagent.doctor.nouns import Complaint, Examination, Severity
from rmcagent.model import Answer, Platform, Space, Vitals
from rmcagent.partition.host import FileStat
from rmcagent.sim.clock import VirtualClock
from rmcagent.sim.live.stage import Stage
from rmcagent.sim.partition import Partition, SimHost

EVERY_PLATFORM = pytest.mark.parametrize("platform", list(Platform))
RULE = b"# stock\n*.debug /var/log/all\n"
OURS = "drwx------ 2 0 0 256 Mar 4 12:00 /state"
STATE = "/var/rmcagent-here"


class Machine(SimHost):
    """A simulated partition with the files, rights and small commands that the doctor asks for besides."""

    listed = OURS                         # what ls says of the state folder
    writable = 0                          # test -w's exit code
    in_place = False                      # commands are where the platform has them, too
    vital = Vitals(may_act=True)

    def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
        small = {"/bin/ls": (0 if self.listed else 2, self.listed), "/usr/bin/id": (0, "0\n"),
                 "/usr/bin/test": (self.writable, "")}
        if argv[0] in small:
            code, text = small[argv[0]]
            return Answer(argv[0].rpartition("/")[2], code, text)
        return super().run((self._known(argv[0]), *argv[1:]), timeout, keep)

    def exists(self, path: str) -> bool:
        return super().exists(self._known(path))

    def _known(self, path: str) -> str:
        """The simulation's own path of a command that stands where its platform has it."""
        folder, _, name = path.rpartition("/")
        return f"/sim/bin/{name}" if self.in_place and folder.endswith("/bin") and name in self.partition.commands else path

    def files(self, pattern: str) -> Tuple[FileStat, ...]:
        from fnmatch import fnmatchcase

        own = [FileStat(path, 1, 1, 1) for path in self.state_files
               if fnmatchcase(path, pattern) and path.count("/") == pattern.count("/")]
        return (*super().files(pattern), *own)

    def vitals(self, rmcctrl: str) -> Vitals:
        return replace(super().vitals(rmcctrl), may_act=self.vital.may_act, in_wpar=self.vital.in_wpar)


class Scene:
    """A partition at which nothing is wrong but what a test makes wrong."""

    def __init__(self, folder: Path, platform: Platform = Platform.AIX, policy: str = "",
                 hmcs: Sequence[str] = ("192.0.2.21",)) -> None:
        self.folder = folder
        self.clock = VirtualClock()
        self.clock.sleep(3600.0)
        self.partition = Partition(self.clock, platform, hmcs)
        self.files: Dict[str, bytes] = {"/dev/log": b"", f"{sys.path[0]}/psutil": b"", f"{sys.path[0]}/systemd": b"", STATE: b""}
        self.host = Machine(self.partition, self.clock, self.files)
        self.host.state_files = self.files
        self.partition.put_on_file("rmcagent", "rmcagent")
        self.policy = policy

    def examine(self, policy: Optional[str] = None) -> Examination:
        listed = "".join(f"  {name}: /sim/bin/{name}\n" for name in self.partition.commands)
        path = self.folder / "rmcagent.yaml"
        path.write_text(f"platform: {self.partition.platform.value}\ncommands:\n{listed}"
                        f"paths:\n  state: {STATE}\n  public: {self.folder}/public\n{self.policy}" if policy is None else policy)
        path.chmod(0o600)
        self.folder.chmod(0o700)
        return doctor.examine(str(path), self.host, self.clock)


def told(examination: Examination, word: str) -> List[Complaint]:
    return [complaint for complaint in examination.complaints if word in complaint.what]


def one(examination: Examination, word: str) -> Complaint:
    found = told(examination, word)
    assert len(found) == 1, examination.complaints
    return found[0]


# ---- a sound partition -------------------------------------------------------------------------------------------------

@EVERY_PLATFORM
def test_on_a_sound_partition_it_can_observe_and_act(tmp_path: Path, platform: Platform) -> None:
    found = Scene(tmp_path, platform).examine()

    grave = [complaint for complaint in found.complaints if complaint.severity is not Severity.ADVICE]
    assert (found.verdict, found.code, grave) == ("ready", 0, [])
    assert doctor.text(found).splitlines()[-1].startswith("doctor: can observe and act")


@EVERY_PLATFORM
def test_it_runs_no_changing_command(tmp_path: Path, platform: Platform) -> None:
    scene = Scene(tmp_path, platform)

    scene.examine()

    assert scene.partition.did == [] and "lssrc -a" in scene.host.asked
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rmcagent.yaml"]


def test_nothing_at_all_is_said_of_aix_where_all_is_well(tmp_path: Path) -> None:
    assert doctor.text(Scene(tmp_path).examine()) == "doctor: can observe and act\n"


# ---- commands ----------------------------------------------------------------------------------------------------------

@EVERY_PLATFORM
def test_without_rsct_it_says_so_and_exits_5(tmp_path: Path, platform: Platform) -> None:
    scene = Scene(tmp_path, platform)
    for name in ("rmcctrl", "lsrsrc", "rmcdomainstatus"):
        scene.partition.remove_command(name)

    found = scene.examine()

    assert (found.verdict, found.code) == ("not-installed", 5)
    assert "RSCT is not installed" in found.complaints[0].what and scene.host.asked == []


LOST = [
    ("lssrc", Severity.CANNOT_SEE), ("rmcdomainstatus", Severity.CANNOT_SEE), ("lsrsrc", Severity.CANNOT_SEE),
    ("rmcctrl", Severity.CANNOT_ACT), ("startsrc", Severity.CANNOT_ACT), ("recfgct", Severity.CANNOT_ACT),
    ("lsrpdomain", Severity.CANNOT_ACT), ("lspv", Severity.CANNOT_ACT), ("ioscli", Severity.CANNOT_ACT),
    ("errpt", Severity.CANNOT_ACT), ("ct_clusterinfo", Severity.ADVICE), ("ctsthl", Severity.ADVICE),
]


@pytest.mark.parametrize("name, severity", LOST)
def test_each_missing_command_is_told_once_with_what_brings_it(tmp_path: Path, name: str, severity: Severity) -> None:
    scene = Scene(tmp_path, Platform.VIOS)
    scene.partition.remove_command(name)

    found = scene.examine(None)

    complaint = one(found, f"{name} is not installed")
    assert complaint.severity is severity and found.code == (0 if severity is Severity.ADVICE else 1)
    assert not [other for other in found.complaints if other.severity is Severity.CANNOT_SEE and other is not complaint
                and other.area == "observation" and f"{name} is not installed" in other.what]


def test_the_remedies_that_need_a_missing_command_are_named(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.partition.remove_command("rmcctrl")
    scene.partition.remove_command("startsrc")

    found = scene.examine()

    assert one(found, "rmcctrl is not").what.endswith("no refresh, start, recycle, recfgct")
    assert one(found, "startsrc is not").what.endswith("no manager")


def test_a_remedy_that_is_off_is_not_missed(tmp_path: Path) -> None:
    scene = Scene(tmp_path, policy="remedies: {recfgct: {mode: off}}\n")
    scene.partition.remove_command("recfgct")

    assert told(scene.examine(), "recfgct is not installed") == []


def test_where_the_platform_itself_places_a_command_its_package_is_named(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Platform.LINUX)
    scene.host.in_place = True
    scene.partition.remove_command("recfgct")

    found = scene.examine("platform: linux\n")

    assert one(found, "recfgct is not installed").mend == "dnf install rsct.core.utils"


def test_without_lsrpdomain_nothing_is_missed_where_no_peer_domain_can_be(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Platform.LINUX)
    scene.partition.remove_command("lsrpdomain")

    assert told(scene.examine(), "lsrpdomain") == []


def test_a_command_of_the_vios_is_missed_nowhere_else(tmp_path: Path) -> None:
    named = Scene(tmp_path).examine(policy="platform: aix\ncommands: {ioscli: /nowhere/ioscli, lsivm: /nowhere/lsivm}\n")

    assert told(named, "ioscli") == told(named, "lsivm") == []


def test_a_resource_manager_that_is_not_on_file_is_missed(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Platform.LINUX)
    del scene.partition.subsystems["IBM.DRM"]

    found = scene.examine()

    assert one(found, "IBM.DRM is not on file").mend == "dnf install DynamicRM" and found.code == 0


# ---- one look ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("trick", ["hang_command", "garble_command", "cut_command", "fail_command"])
@pytest.mark.parametrize("name", ["lssrc", "lsrsrc", "rmcdomainstatus", "lspv"])
def test_a_command_that_cannot_be_understood_cannot_be_seen_with(tmp_path: Path, name: str, trick: str) -> None:
    scene = Scene(tmp_path)
    getattr(scene.partition, trick)(name)

    found = scene.examine()

    unseen = [complaint for complaint in found.complaints if complaint.severity is Severity.CANNOT_SEE]
    assert found.code == 1 and any(complaint.mend.startswith(f"/sim/bin/{name}") for complaint in unseen)
    assert "cannot observe, can act" in doctor.text(found)


def test_a_command_that_hung_may_be_given_longer(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.partition.hang_command("lspv")

    assert one(scene.examine(), "cannot read lspv").mend == (
        "/sim/bin/lspv   # by hand: does it hang there too?\ntimeouts: {lspv: 180s}   # only if it is merely slow")


def test_for_a_command_that_asks_rmc_and_hung_more_patience_is_not_the_first_advice(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.partition.hung_rmc()

    mend = one(scene.examine(), "cannot read rmcdomainstatus").mend.splitlines()

    assert mend[0].endswith("rmcdomainstatus -s ctrmc   # by hand: if it hangs there too, RMC hangs: rmcagent status")
    assert mend[1].endswith("   # only if it is merely slow")


def test_a_command_that_needs_over_half_its_time_out_is_advised_upon(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Platform.VIOS, "timeouts: {ioscli: 1500ms}\n")

    found = scene.examine()

    assert one(found, "of its 1.5 s").mend == "timeouts: {ioscli: 4s}" and found.code == 0


def test_with_rmc_down_it_says_what_could_not_be_tried(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.partition.crash("ctrmc")

    found = scene.examine()

    assert one(found, "ctrmc is inoperative").mend == "rmcagent plan" and found.code == 0


def test_a_partition_without_an_hmc_is_looked_at_from_there(tmp_path: Path) -> None:
    assert "lspartition" in one(Scene(tmp_path, hmcs=()).examine(), "RMC knows no HMC").mend
    assert told(Scene(tmp_path, hmcs=(), policy="expect: {management: none}\n").examine(), "RMC knows no HMC") == []


def test_a_pattern_that_matches_no_log_is_told(tmp_path: Path) -> None:
    assert one(Scene(tmp_path, policy='log: {files: ["{var_ct}/nowhere/*"]}\n').examine(), "no log file matches").area == "log"


# ---- configuration, rights, folders ------------------------------------------------------------------------------------

def test_a_mistake_in_the_configuration_is_6_after_all_else_was_told(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Platform.LINUX)
    scene.host.in_place = True
    scene.partition.garble_command("lsrsrc")

    found = scene.examine("mod: act\n")

    assert (found.verdict, found.code) == ("invalid", 6)
    assert one(found, "did you mean").severity is Severity.CANNOT_ACT and told(found, "asked under the defaults")
    assert one(found, "lsrsrc-IBM.MCP").severity is Severity.CANNOT_SEE


def test_an_unreadable_configuration_may_be_why_rsct_was_not_found(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.files[f"{tmp_path}/rmcagent.yaml"] = b""

    found = scene.examine("mod: act\ncommands: {rmcctrl: /sim/bin/rmcctrl}\n")

    assert found.code == 6 and "RSCT is not installed" in found.complaints[0].what


def test_a_configuration_that_others_may_write_is_told_with_what_to_type(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Platform.LINUX)
    scene.host.in_place = True
    scene.examine()
    path = tmp_path / "rmcagent.yaml"
    path.chmod(0o666)

    found = doctor.examine(str(path), scene.host, scene.clock)

    assert found.code == 6 and one(found, "others may write it").mend == f"chmod go-w {path}"


def test_a_mode_or_a_marker_that_runs_no_remedy_is_on_purpose(tmp_path: Path) -> None:
    scene = Scene(tmp_path, policy="mode: observe\n")
    scene.files[f"{tmp_path}/maintenance"] = b""

    found = scene.examine()

    assert one(found, "mode is observe").severity is one(found, "maintenance is there").severity is Severity.ADVICE
    assert found.code == 0


def test_neither_root_nor_owner_cannot_act(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.host.vital = Vitals(may_act=False)
    scene.host.writable = 1

    found = scene.examine()

    assert [complaint.area for complaint in found.complaints if complaint.severity is Severity.CANNOT_ACT] == ["rights"]
    assert doctor.text(found).splitlines()[-1] == "doctor: can observe, cannot act: 1 thing to mend"


def test_inside_a_wpar_no_remedy_is_run(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.host.vital = Vitals(may_act=True, in_wpar=True)

    assert one(scene.examine(), "WPAR").severity is Severity.CANNOT_ACT


STATES = [
    ("drwx------ 2 0 0 256 Mar 4 12:00 /s", 0, None, ""),
    ("drwx------ 2 1001 1 256 Mar 4 12:00 /s", 0, Severity.CANNOT_ACT, "chown root"),
    ("drwxrwx--- 2 0 0 256 Mar 4 12:00 /s", 0, Severity.ADVICE, "chmod 700"),
    ("drwxr-xrwx. 2 0 0 256 Mar 4 12:00 /s", 0, Severity.ADVICE, "chmod 700"),
    ("drwx------ 2 0 0 256 Mar 4 12:00 /s", 1, Severity.CANNOT_ACT, "touch"),
    ("-rw------- 1 0 0 256 Mar 4 12:00 /s", 0, Severity.CANNOT_ACT, "mv "),
]


@pytest.mark.parametrize("listed, writable, severity, mend", STATES)
def test_the_state_folder_must_be_ours_alone_and_writable(tmp_path: Path, listed: str, writable: int,
                                                          severity: Optional[Severity], mend: str) -> None:
    scene = Scene(tmp_path)
    scene.host.listed, scene.host.writable = listed, writable

    complaints = [complaint for complaint in scene.examine().complaints if complaint.area == "state"]

    assert [complaint.severity for complaint in complaints] == ([severity] if severity else [])
    assert all(mend in complaint.mend for complaint in complaints)


def test_a_state_folder_that_is_not_there_yet_is_no_obstacle(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.host.listed = ""
    del scene.files[STATE]

    found = scene.examine()

    assert one(found, "does not exist").severity is Severity.ADVICE and found.code == 0


def test_a_public_folder_that_others_may_write_keeps_the_daemon_from_starting(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o777)

    assert one(scene.examine(), "cannot publish").mend == f"chmod 755 {public}"


@pytest.mark.parametrize("words", ["", "drwx", "total 0", "drwx------ 2 root system 256", "drwx------ 2 -5 0 256", "\x1b 1 2"])
def test_what_is_no_line_of_ls_tells_no_owner(words: str) -> None:
    assert machine.owner_and_mode(Answer("ls", 0, words)) is None


# ---- space, syslog, clock ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("share, severity", [(0.5, None), (0.92, Severity.ADVICE), (0.98, Severity.CANNOT_ACT)])
def test_a_full_var_is_told_by_what_it_holds_back(tmp_path: Path, share: float, severity: Optional[Severity]) -> None:
    scene = Scene(tmp_path)
    scene.partition.fill_var(share)

    complaints = [complaint.severity for complaint in scene.examine().complaints if complaint.area == "space"]

    assert complaints == ([severity] if severity else [])


def test_a_small_var_is_told_however_empty(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.partition.var_size, scene.partition.var_free = 80 << 20, 50 << 20

    assert one(scene.examine(), "50 MiB are free").severity is Severity.ADVICE


def test_without_room_for_the_ledger_no_remedy_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(tmp_path)
    monkeypatch.setattr(scene.host, "space", lambda path: Space(path, 1 << 30, 1 << 20 if path == STATE else 1 << 29))

    assert one(scene.examine(), "ledger cannot be written").severity is Severity.CANNOT_ACT


NO_FILE = "report: {file: off}\n"
SYSLOG = [
    (Platform.AIX, "", "/dev/log", RULE, []),             # a file of our own
    (Platform.AIX, NO_FILE, "/dev/log", RULE, []),
    (Platform.AIX, NO_FILE, "/dev/log", b"# stock\n", [Severity.CANNOT_REPORT]),
    (Platform.AIX, NO_FILE, "/dev/log", b"daemon.info /var/log/not-there\n",
     [Severity.CANNOT_REPORT]),
    (Platform.AIX, NO_FILE, "/dev/log", b"daemon.info @loghost\n", []),
    (Platform.AIX, NO_FILE, "/dev/log", None, [Severity.ADVICE]),
    (Platform.AIX, "", "", RULE, [Severity.ADVICE]),
    (Platform.AIX, NO_FILE, "", RULE, [Severity.CANNOT_REPORT]),
    (Platform.LINUX, "", "", None, [Severity.CANNOT_REPORT]),
    (Platform.LINUX, "", "/dev/log", None, []),           # rsyslog's files are not read
]


@pytest.mark.parametrize("platform, policy, socket, rules, expected", SYSLOG)
def test_events_must_arrive_where_they_are_kept(tmp_path: Path, platform: Platform, policy: str, socket: str,
                                                rules: Optional[bytes], expected: List[Severity]) -> None:
    scene = Scene(tmp_path, platform, policy)
    scene.files["/var/log/all"] = b""
    if not socket:
        del scene.files["/dev/log"]
    if rules is not None:
        scene.files["/etc/syslog.conf"] = rules

    found = scene.examine()

    assert [complaint.severity for complaint in found.complaints if complaint.area == "syslog"] == expected
    assert found.code == (1 if Severity.CANNOT_REPORT in expected else 0)


def test_another_syslog_daemon_has_files_of_its_own(tmp_path: Path) -> None:
    scene = Scene(tmp_path, policy="report: {file: off}\n")
    scene.partition.busy.append("rsyslogd")

    assert [complaint for complaint in scene.examine().complaints if complaint.area == "syslog"] == []


RULES = [
    ("daemon.info /var/log/a", ("/var/log/a",)),
    ("*.debug\t/var/log/a rotate size 1m files 4", ("/var/log/a",)),
    ("mail,daemon.info @host\n*.emerg *", ("@host",)),
    ("daemon.notice /var/log/a", ()),
    ("*.debug;daemon.none /var/log/a", ()),
    ("daemon.none;*.info /var/log/a", ("/var/log/a",)),
    ("#daemon.info /var/log/a\n\naso.notice /var/log/aso", ()),
    ("#mail.none;daemon.info /var/log/a", ()), ("daemon.info", ()), ("\x00\xff ; . ,", ()), ("info /var/log/a", ()),
]


@pytest.mark.parametrize("text, expected", RULES)
def test_a_rule_of_syslog_conf_records_the_facility_from_info_up(text: str, expected: Tuple[str, ...]) -> None:
    assert machine.recorded(text, "daemon") == expected


def test_a_clock_that_was_never_set_is_told(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.clock.jump(timedelta(days=-30 * 365))

    assert one(scene.examine(), "the clock says 19").area == "clock"


def test_modules_that_are_missed_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(tmp_path)
    del scene.files[f"{sys.path[0]}/psutil"]
    monkeypatch.setitem(sys.modules, "tenacity", None)

    found = scene.examine()

    assert "psutil<7.1" in one(found, "psutil").mend and one(found, "tenacity").severity is Severity.ADVICE


@pytest.mark.parametrize("platform, word", [(Platform.AIX, "not on file in SRC"), (Platform.LINUX, "is not enabled")])
def test_an_agent_that_nothing_starts_is_told(tmp_path: Path, platform: Platform, word: str) -> None:
    scene = Scene(tmp_path, platform)
    del scene.partition.subsystems["rmcagent"]
    scene.partition.disable_at_boot()

    assert one(scene.examine(), word).area == "boot"


# ---- other healers -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text", [
    "0 3 * * * /usr/sbin/rsct/bin/rmcctrl -z && sleep 5", "*/5 * * * * root /opt/rsct/install/bin/recfgct",
    "stopsrc -g rsct", "if x; then stopsrc -cs ctrmc; fi", "systemctl --quiet restart ctrmc.service", "rmcctrl  -K"])
def test_what_stops_rmc_is_another_healer(text: str) -> None:
    assert healers.recycling(f"# a comment\n{text}\n") == text


@pytest.mark.parametrize("text", [
    "if [ -x /opt/rsct/install/bin/recfgct ]; then", "x=`/usr/sbin/rsct/bin/rmcctrl -k`", "(stopsrc -s ctrmc)",
    "systemctl stop sshd ctrmc", "systemctl restart ctrmc>/dev/null 2>&1", "true;rmcctrl -d"])
def test_what_stops_rmc_is_known_however_it_is_written(text: str) -> None:
    assert healers.recycling(text) == text


def test_of_a_line_its_first_kib_is_judged_and_of_a_name_its_first_256_letters() -> None:
    assert healers.recycling("x " * 500 + "; recfgct") and not healers.recycling("x " * 600 + "; recfgct")
    assert healers.watching("x" * 200 + "rmc_watch") and not healers.watching("x" * 300 + "rmc_watch")


@pytest.mark.parametrize("text", ["systemctl stop ", "stopsrc ", "rmcctrl ", "systemctl ", "a" * 15, "/" * 15, "; "])
def test_no_crontab_takes_long_to_judge(text: str) -> None:
    before = os.times().user

    assert healers.recycling(text * 100_000) == healers.recycling((text + "\n") * 100_000) == ""

    assert os.times().user - before < 2.0


@pytest.mark.parametrize("text", ["", "# rmcctrl -z", "rmcctrl -p", "rmcctrl -A", "stopsrc -s inetd", "lssrc -g rsct",
                                  "systemctl status ctrmc", "echo ctrmc", "systemctl stop sshd; systemctl status ctrmc",
                                  "stopsrc -s inetd && lssrc -s ctrmc", "systemctl start ctrmc | grep stop"])
def test_what_only_looks_or_starts_is_none(text: str) -> None:
    assert healers.recycling(text) == ""


@pytest.mark.parametrize("platform, crontab", [(Platform.AIX, "/var/spool/cron/crontabs/root"),
                                               (Platform.LINUX, "/var/spool/cron/root"), (Platform.LINUX, "/etc/cron.d/site")])
def test_cron_and_the_scripts_it_starts_are_read(tmp_path: Path, platform: Platform, crontab: str) -> None:
    scene = Scene(tmp_path, platform)
    scene.files[crontab] = b"5 * * * * /usr/local/bin/fixit >/tmp/x\n6 * * * * rmcctrl -z\n7 * * * * /opt/prog\n"
    scene.files["/usr/local/bin/fixit"] = b"#!/bin/ksh\n# recfgct\nrmcctrl -z\nrmcctrl -A\n"
    scene.files["/opt/prog"] = b"\x7fELF\0\0 recfgct\n"

    found = [complaint for complaint in scene.examine().complaints if complaint.area == "healers"]

    assert [complaint.what.split()[0].rstrip(",") for complaint in found] == [crontab, "/usr/local/bin/fixit"]


class Opened(Machine):
    """Notes what is opened."""

    def read_from(self, path: str, offset: int, limit: int) -> Optional[bytes]:
        self.partition.__dict__.setdefault("opened", []).append(path)
        return super().read_from(path, offset, limit)


def opened(folder: Path, crontab: str, text: bytes, listed: str = OURS) -> Tuple[str, ...]:
    """What is opened of the paths that a crontab names."""
    scene = Scene(folder, Platform.LINUX)
    host = Opened(scene.partition, scene.clock, scene.files)
    host.state_files, host.listed = scene.files, listed
    scene.host = host
    scene.files.update({crontab: text, "/opt/fix": b"rmcctrl -z\n"})
    scene.examine()
    return tuple(path for path in scene.partition.__dict__["opened"] if path.encode() in text)


NAMING = b"0 0 1 1 * /opt/fix\n"


@pytest.mark.parametrize("crontab, listed, follows", [
    ("/var/spool/cron/crontabs/root", "", True), ("/var/spool/cron/root", "", True), ("/etc/crontab", OURS, True),
    ("/var/spool/cron/crontabs/mallory", OURS, False), ("/var/spool/cron/mallory", OURS, False),
    ("/etc/cron.d/site", "-rw-r--r-- 1 0 0 1 Mar 4 12:00 x", True), ("/etc/cron.d/site", "", False),
    ("/etc/cron.d/site", "-rw-r--r-- 1 1001 0 1 Mar 4 12:00 x", False),
    ("/etc/cron.d/site", "-rw-rw-r-- 1 0 0 1 Mar 4 12:00 x", False),
    ("/etc/cron.d/site", "-rw-r--rw- 1 0 0 1 Mar 4 12:00 x", False),
    ("/etc/cron.daily/site", OURS, False),
])
def test_only_what_root_alone_can_have_written_names_scripts_that_are_opened(
    tmp_path: Path, crontab: str, listed: str, follows: bool,
) -> None:
    assert opened(tmp_path, crontab, NAMING, listed) == (("/opt/fix",) if follows else ())


def test_a_users_crontab_is_judged_by_its_own_text(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Platform.LINUX)
    scene.files["/var/spool/cron/crontabs/mallory"] = b"5 * * * * sudo rmcctrl -z\n"

    assert one(scene.examine(), "recycles RMC").mend == "crontab -e mallory"


def test_devices_and_control_files_are_opened_for_nobody(tmp_path: Path) -> None:
    text = b"0 0 1 1 * /dev/watchdog //dev/rmt0 /./proc/1/mem /tmp/../dev/ptmx /sys/power/state /opt/fix\n"

    assert opened(tmp_path, "/var/spool/cron/root", text) == ("/opt/fix",)


NAMES = [("rmc_watchdog.ksh", True), ("fix-rmc.sh", True), ("RMCrestart", True), ("rmcd", False), ("rmcagent", False),
         ("rmcctrl", False), ("IBM.DRMd", False), ("watch", False)]


@pytest.mark.parametrize("name, expected", NAMES)
def test_a_script_is_known_by_its_name(name: str, expected: bool) -> None:
    assert healers.watching(name) is expected


def test_a_running_one_is_told(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.partition.busy.append("rmc_watch.ksh")

    assert one(scene.examine(), "rmc_watch.ksh runs here").mend == "ps -ef | grep rmc_watch.ksh"


# ---- words -------------------------------------------------------------------------------------------------------------

HOSTILE = Examination(Platform.AIX, "limited", (
    Complaint("a", Severity.CANNOT_SEE, "\x1b[2Jwhat \u202e" + "x" * 300, "cmd /" + "y" * 200 + "\nsecond \x07"),
    Complaint("b", Severity.ADVICE, "k\u00e4se " * 30, "do it")))


def test_text_is_plain_ascii_of_80_columns_and_the_verdict_comes_last() -> None:
    lines = doctor.text(HOSTILE).splitlines()

    assert all(len(line) <= 80 and line.isascii() and line.isprintable() for line in lines)
    assert lines[0].startswith("cannot see: \\x1b[2Jwhat")
    assert lines[-1] == "doctor: cannot observe, can act: 1 thing to mend, 1 advice"


def test_json_is_stable_and_clean() -> None:
    document = doctor.document(HOSTILE)

    assert {key: document[key] for key in document if key != "complaints"} == {
        "schema": 1, "verdict": "limited", "platform": "aix", "can_observe": False, "can_act": True, "can_report": True}
    assert [sorted(row) for row in document["complaints"]] == [["area", "mend", "severity", "what"]] * 2
    assert "\x1b" not in json.dumps(document, ensure_ascii=False) and "\x07" not in json.dumps(document, ensure_ascii=False)


@EVERY_PLATFORM
def test_the_worst_comes_first(tmp_path: Path, platform: Platform) -> None:
    scene = Scene(tmp_path, platform, "mode: shadow\n")
    scene.partition.remove_command("recfgct")
    scene.partition.garble_command("lsrsrc")

    severities = [complaint.severity for complaint in scene.examine().complaints]

    assert severities == sorted(severities, key=list(Severity).index) and len(set(severities)) == 3


# ---- through the command -----------------------------------------------------------------------------------------------

def rmcagent(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/", "PYTHONPATH": str(Path(__file__).parents[1] / "agent")}
    return subprocess.run([sys.executable, "-B", "-m", "rmcagent", "doctor", *words], capture_output=True, text=True, timeout=90,
                          env=environment, cwd="/")


@pytest.mark.real
def test_the_command_examines_a_partition_of_real_executables_and_changes_nothing(tmp_path: Path) -> None:
    with Stage(tmp_path) as stage:
        before = sorted(str(path) for path in tmp_path.rglob("*"))

        done = rmcagent("--config", str(stage.config))
        (tmp_path / "partition" / "bin" / "recfgct").unlink()
        lacking = rmcagent("--json", "--config", str(stage.config))

        after = sorted(str(path) for path in tmp_path.rglob("*"))
        assert stage.did() == [] and set(before) - set(after) == {str(tmp_path / "partition" / "bin" / "recfgct")}
        # To ask lsrpdomain wakes IBM.ConfigRM, as it does when the daemon asks.
        assert set(after) - set(before) <= {str(tmp_path / "partition" / "sbin" / "IBM.ConfigRMd")}
    assert done.stderr == "" and done.stdout.splitlines()[-1].startswith("doctor: can observe")
    document = json.loads(lacking.stdout)
    assert lacking.returncode == 1 and document["schema"] == 1 and document["can_act"] is False
    assert [row for row in document["complaints"] if "recfgct is not installed" in row["what"]]


@pytest.mark.real
@pytest.mark.skipif(os.path.exists("/opt/rsct/bin") or os.path.exists("/usr/sbin/rsct/bin"), reason="RSCT is installed here")
def test_the_command_on_a_machine_without_rsct_exits_5() -> None:
    done = rmcagent("--config", "/nowhere/rmcagent.yaml")

    assert (done.returncode, done.stderr) == (5, "") and "RSCT is not installed" in done.stdout
