"""Captured answers, in a folder or an archive: read as a partition, whatever hostile hands put there."""
from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmcagent import config, daemon, show
from rmcagent.cli import main
from rmcagent.model import Platform
from rmcagent.partition.bundle import names, read
from rmcagent.partition.bundle.read import CannotRead, open_bundle

CAPTURES = Path(__file__).parent / "captures"
Capture = pytest.CaptureFixture[str]

ROWS = """Subsystem         Group            PID          Status
 ctrmc            rsct             6947412      active
 IBM.HostRM       rsct_rm          14418476     active
 IBM.DRM          rsct_rm          14680650     active
 IBM.MgmtDomainRM rsct_rm          14090776     active
 clcomd           caa              7471700      active
 cthags           cthags                        inoperative
"""
STATUS = "Management Domain Status: Management Control Points\n  {} A  0x00000000000000a1  0001  192.0.2.10\n"
MCP = 'Resource Persistent Attributes for IBM.MCP\nresource 1:\n\tHMCIPAddr = "192.0.2.10"\n\tNodeID = 0x00000000000000a1\n'
HEALTHY: Mapping[str, str] = {
    "lssrc-a.txt": ROWS,
    "rmcdomainstatus-s-ctrmc.txt": STATUS.format("I"),
    "lsrsrc-IBM.MCP.txt": MCP,
    "ct_clusterinfo-c.txt": "IW\n",
    "lsrpdomain.txt": "",
    "lscluster-m.txt": "Cluster services are not active.\n",
    "lspv.txt": "hdisk0          00f6f5d0b1c2d3e4                    rootvg          active\n",
}
NOBODY = {
    "rmcdomainstatus-s-ctrmc.txt": "",
    "lsrsrc-IBM.MCP.txt": "Resource Persistent Attributes for IBM.MCP\n",
    "lsrsrc-IBM.ManagementServer.txt": "Resource Persistent Attributes for IBM.ManagementServer\n",
}


def folder(path: Path, files: Mapping[str, Optional[str]]) -> Path:
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        if text is not None:
            (path / name).parent.mkdir(exist_ok=True)
            (path / name).write_text(text, "utf-8")
    return path


def planned(path: Path, policy: str = "{}") -> Dict[str, Any]:
    return daemon.plan_from(config.parse(policy), str(path))


def faults(document: Mapping[str, Any]) -> list[str]:
    return [finding["fault"] for finding in document["findings"]]


def about(document: Mapping[str, Any]) -> list[str]:
    return [gap["about"] for gap in document["gaps"]]


# ---- the reasoning on a folder

def test_a_healthy_folder_has_nothing_to_do(tmp_path: Path) -> None:
    document = planned(folder(tmp_path / "f", HEALTHY))

    assert (document["verdict"], show.plan_code(document), document["platform"]) == ("healthy", 0, "aix")
    assert document["cluster"]["state"] == "absent"
    assert (document["cluster"]["recycle"], document["cluster"]["recfgct"]) == ("allowed", "allowed")
    assert document["hmcs"][0]["reachable"] is None or document["hmcs"][0]["link"] == "up"


def test_a_fault_is_due_at_once_for_all_waits_are_taken_as_over(tmp_path: Path) -> None:
    document = planned(folder(tmp_path / "f", {**HEALTHY, "rmcdomainstatus-s-ctrmc.txt": STATUS.format("i")}))

    assert faults(document) == ["link-pending"] and show.plan_code(document) == 10
    assert (document["decision"]["kind"], document["decision"]["remedy"]) == ("apply", "refresh")
    assert document["bundle"]["waits"] == "over"


def test_a_wait_for_an_operators_own_stop_is_not_taken_as_over(tmp_path: Path) -> None:
    stopped = ROWS.replace("6947412      active", "             inoperative")
    errpt = ("IDENTIFIER TIMESTAMP  T C RESOURCE_NAME  DESCRIPTION\n"
             "A6DF45AA   0101120026 I O RMCdaemon      The daemon is stopped.\n")

    document = planned(folder(tmp_path / "f", {**HEALTHY, "lssrc-a.txt": stopped, "errpt.txt": errpt}))

    assert faults(document) == ["rmc-stopped"] and document["decision"]["kind"] == "wait"


def test_every_hmc_down_is_treated_by_refresh_only_for_reachability_is_not_asked(tmp_path: Path) -> None:
    document = planned(folder(tmp_path / "f", {**HEALTHY, "rmcdomainstatus-s-ctrmc.txt": STATUS.format("O")}))

    assert faults(document) == ["link-down"] and document["hmcs"][0]["reachable"] is None
    assert document["decision"]["remedy"] == "refresh"


@pytest.mark.parametrize("missing, recycle, recfgct", [
    ("lscluster-m.txt", "allowed", "allowed"),
    ("ct_clusterinfo-c.txt", "allowed", "allowed"),
    ("lsrpdomain.txt", "allowed", "forbidden"),
    ("lspv.txt", "forbidden", "forbidden"),
    ("rmcdomainstatus-s-ctrmc.txt", "allowed", "forbidden"),
])
def test_what_is_missing_is_a_gap_and_forbids_as_the_cluster_table_says(
    missing: str, recycle: str, recfgct: str, tmp_path: Path,
) -> None:
    document = planned(folder(tmp_path / "f", {**HEALTHY, missing: None}))

    assert (document["cluster"]["recycle"], document["cluster"]["recfgct"]) == (recycle, recfgct)
    assert missing in document["bundle"]["missing"]
    assert {"about": missing[:-4], "because": f"{missing} is not in this folder"} in document["gaps"]
    assert "did not end" not in json.dumps(document)


@pytest.mark.parametrize("platform", list(Platform))
def test_nothing_is_found_where_nothing_was_captured(platform: Platform, tmp_path: Path) -> None:
    document = planned(folder(tmp_path / "f", {"lssrc-a.txt": ROWS, "vitals.txt": f"platform={platform.value}\n"}))

    assert faults(document) == [] and document["cluster"]["recfgct"] == "forbidden"


def test_without_lssrc_nothing_can_be_told(tmp_path: Path) -> None:
    document = planned(folder(tmp_path / "f", {**HEALTHY, "lssrc-a.txt": None}))

    assert show.plan_code(document) == 13 and "lssrc-a" in about(document)
    assert document["cluster"]["recycle"] == "forbidden"


def test_a_row_that_lssrc_does_not_show_is_not_on_file_and_no_gap(tmp_path: Path) -> None:
    document = planned(folder(tmp_path / "f", {**HEALTHY, "lssrc-a.txt": ROWS.replace("IBM.DRM  ", "IBM.DRMX ")}))

    assert document["verdict"] == "healthy" and "IBM.DRM" not in about(document)


def test_a_name_may_tell_more_behind_two_dashes(tmp_path: Path) -> None:
    renamed = {f"{name[:-4]}--aix1 before.txt": text for name, text in HEALTHY.items()}

    assert planned(folder(tmp_path / "f", renamed))["verdict"] == "healthy"


def test_of_two_files_that_answer_the_same_the_first_by_name_counts_and_the_other_is_told(tmp_path: Path) -> None:
    path = folder(tmp_path / "f", {**HEALTHY, "lspv--1.txt": HEALTHY["lspv.txt"],
                                   "lspv.txt": "hdisk1 00f6f5d0b1c2d3e4 caavg_private active\n"})

    document = planned(path)

    assert document["cluster"]["recycle"] == "allowed"
    assert document["bundle"]["notes"] == ["lspv.txt was not read: another file answers lspv too"]
    assert "lspv.txt was not read" in json.dumps(document["gaps"])


def test_an_empty_answer_is_none_where_silence_is_an_answer_and_a_gap_elsewhere(tmp_path: Path) -> None:
    silent = planned(folder(tmp_path / "f", {**HEALTHY, "rmcdomainstatus-s-ctrmc.txt": ""}))
    blind = planned(folder(tmp_path / "g", {**HEALTHY, "lssrc-a.txt": ""}))

    assert "rmcdomainstatus-s-ctrmc" not in about(silent) and silent["hmcs"][0]["link"] == "unknown"
    assert show.plan_code(blind) == 13


def test_no_hmc_anywhere_is_a_finding_after_one_look_where_one_is_expected(tmp_path: Path) -> None:
    nobody = {**HEALTHY, **NOBODY}

    document = planned(folder(tmp_path / "f", nobody), "expect: {management: required}")

    assert faults(document) == ["no-hmc"]


def test_the_hmcs_that_the_agent_there_knew_are_expected(tmp_path: Path) -> None:
    known = {"address": "192.0.2.9", "name": "x", "node_id": "", "first_seen": "2026-01-01T00:00:00+01:00", "last_up": "soon"}
    status = json.dumps({"known_hmcs": [known, {"name": "nobody"}, 7]})
    nobody = {**HEALTHY, **NOBODY, "status.json": status}

    document = planned(folder(tmp_path / "f", nobody))

    assert faults(document) == ["no-hmc"] and "192.0.2.9" in document["findings"][0]["evidence"]


@pytest.mark.parametrize("said, recycle", [
    ("-ksh: lscluster:  not found\n", "allowed"),
    ("bash: lscluster: command not found\n", "allowed"),
    ("bash: /usr/sbin/lscluster: Permission denied\n", "forbidden"),
])
def test_a_refusal_of_the_shell_is_read_as_what_it_says(said: str, recycle: str, tmp_path: Path) -> None:
    document = planned(folder(tmp_path / "f", {**HEALTHY, "lscluster-m.txt": said}))

    assert document["cluster"]["recycle"] == recycle


def test_a_command_that_was_not_found_is_a_gap_and_not_an_absence(tmp_path: Path) -> None:
    document = planned(folder(tmp_path / "f", {**HEALTHY, "lspv.txt": "/bin/sh: lspv: command not found\n"}))

    assert document["cluster"]["recycle"] == "forbidden" and "lspv" in about(document)


def test_the_index_of_a_bundle_tells_how_each_command_ended(tmp_path: Path) -> None:
    index = "\t".join(names.COLUMNS) + "\nlspv.txt\tlspv\t-\t60.0\t75\ttimed out\nlsrpdomain.txt\tx\t-\t0\t0\tnot installed\n"
    foreign = "file\tcommand\texit\tprovenance\tlevel\tshows\nlspv.txt\tlspv\t9\tseen\t7.2\tdisks\n"

    ours = planned(folder(tmp_path / "f", {**HEALTHY, "lsrpdomain.txt": None, "INDEX.tsv": index}))
    theirs = planned(folder(tmp_path / "g", {**HEALTHY, "INDEX.tsv": foreign}))

    assert {"about": "lspv", "because": "cannot read lspv: it did not end in time"} in ours["gaps"]
    assert "lsrpdomain" not in about(ours)
    assert "lspv" not in about(theirs)


def test_other_commands_at_work_hold_a_remedy_where_they_were_captured(tmp_path: Path) -> None:
    down = {**HEALTHY, "rmcdomainstatus-s-ctrmc.txt": STATUS.format("i")}

    without = planned(folder(tmp_path / "f", down))
    beside = planned(folder(tmp_path / "g", {**down, "ps.txt": "init\nclmgr\n"}))
    foreign = planned(folder(tmp_path / "h", {**down, "ps.txt": "UID PID COMMAND\nroot 1 init\n"}))

    assert [one["decision"]["kind"] for one in (without, beside, foreign)] == ["apply", "wait", "wait"]
    assert "ps" in about(without)


def test_what_the_logs_say_is_told_without_calling_it_a_storm(tmp_path: Path) -> None:
    line = "Tue Mar 4 09:55:49 CUT 2025(1) ../../MgmtDomainRM/MCP_cfg.c/02047/1.24 2613-021 error: 1 2610-415 Cannot.\n"

    document = planned(folder(tmp_path / "f", {**HEALTHY, "logs/IBM.MgmtDomainRM.default": line * 2000}))

    assert document["log"]["messages"] == {"2613-021": 2000} and document["log"]["side"] == "hmc"
    assert document["log"]["bytes_per_second"] == 0 and faults(document) == []


def test_free_space_is_read_from_df(tmp_path: Path) -> None:
    document = planned(folder(tmp_path / "f", {**HEALTHY, "df.txt": "/var\t1000\t10\n"}))

    assert faults(document) == ["var-full"] and "df" not in about(document)


def test_answers_tell_their_time_and_the_partitions_own_clock_is_shown(tmp_path: Path) -> None:
    old = folder(tmp_path / "f", HEALTHY)
    for file in old.iterdir():
        os.utime(file, (1_700_000_000, 1_700_000_000))
    named = folder(tmp_path / "g", {**HEALTHY, "vitals.txt": "taken_at=2025-03-04T09:55:00+05:30\nplatform=vios\n"})

    dated, told = planned(old), planned(named)

    assert daemon.datetime.fromisoformat(dated["taken_at"]).timestamp() == 1_700_000_000
    assert told["taken_at"] == "2025-03-04T09:55:00+05:30" and told["platform"] == "vios"


def test_what_the_bundle_says_of_its_machine_is_believed(tmp_path: Path) -> None:
    vitals = "in_wpar=yes\ndr_lock=held\nboot=b1\nup_for=60\nabsent=/var/ct/cfg/ct_node_id\n"

    host, bare = (open_bundle(str(folder(tmp_path / name, files))) for name, files in
                  (("f", {**HEALTHY, "vitals.txt": vitals}), ("g", HEALTHY)))

    assert host.vitals("").in_wpar and host.vitals("").boot == "b1" and host.vitals("").up_for == daemon.timedelta(minutes=1)
    assert (host.locked("/x"), bare.locked("/x")) == (True, None)
    assert (host.exists("/var/ct/cfg/ct_node_id"), bare.exists("/var/ct/cfg/ct_node_id")) == (False, True)


def test_a_disruptive_remedy_waits_for_no_splay_but_for_what_cannot_be_told(tmp_path: Path) -> None:
    down = {**HEALTHY, "lssrc-a.txt": ROWS.replace("14680650     active", "             inoperative"),
            "rmcdomainstatus-s-ctrmc.txt": STATUS.format("O"), "ps.txt": "init\n", "df.txt": "/var\t1000\t900\n",
            "errpt.txt": "IDENTIFIER TIMESTAMP  T C RESOURCE_NAME  DESCRIPTION\n"}
    policy = "remedies: {manager: {mode: off}}"

    told = planned(folder(tmp_path / "f", down), policy)
    untold = planned(folder(tmp_path / "g", {**down, "errpt.txt": None}), policy)

    assert faults(told) == ["manager-down"]
    assert (told["decision"]["kind"], told["decision"]["remedy"]) == ("apply", "recycle")
    assert (untold["decision"]["kind"], untold["decision"]["refused_by"]) == ("refuse", ["migration"])


def test_a_migration_is_dated_by_the_partitions_local_time(tmp_path: Path) -> None:
    errpt = ("IDENTIFIER TIMESTAMP  T C RESOURCE_NAME  DESCRIPTION\n"
             "12345678   0304095025 I S pmig           Client Partition Migration Started\n")
    clash = {**HEALTHY, "rmcdomainstatus-s-ctrmc.txt": STATUS.format("i"), "errpt.txt": errpt,
             "vitals.txt": "taken_at=2025-03-04T09:55:00+11:00\n"}

    host = open_bundle(str(folder(tmp_path / "f", clash)))
    local = host.clock.now().astimezone().replace(tzinfo=None)

    assert f"{local:%H:%M}" == "09:55"


@pytest.mark.parametrize("files, platform", [
    ({"lssrc-a.txt": ROWS}, Platform.AIX),
    ({"lssrc-a.txt": ROWS, "lspv.txt": ""}, Platform.AIX),
    ({"lssrc-a.txt": ROWS, "ioscli-cluster-list.txt": ""}, Platform.VIOS),
    ({"lssrc-a.txt": ROWS + " poold            ssp              123          active\n"}, Platform.VIOS),
    ({"lssrc-a.txt": ROWS + " vio_daemon       ssp              123          active\n"}, Platform.AIX),
    ({"lssrc-a.txt": (CAPTURES / "lssrc-a--linux-narrow-pid.txt").read_text()}, Platform.LINUX),
    ({"lssrc-a.txt": ROWS, "systemctl-show-ctrmc.service.txt": ""}, Platform.LINUX),
    ({"lssrc-a.txt": ROWS, "vitals.txt": "platform=linux\n", "lspv.txt": ""}, Platform.LINUX),
])
def test_the_platform_is_read_from_the_files(files: Mapping[str, str], platform: Platform, tmp_path: Path) -> None:
    assert open_bundle(str(folder(tmp_path / "f", files))).platform is platform


def test_on_linux_no_disk_is_asked_for(tmp_path: Path) -> None:
    linux = {"lssrc-a.txt": (CAPTURES / "lssrc-a--linux-narrow-pid.txt").read_text(), "rmcdomainstatus.txt": STATUS.format("I"),
             "ct_clusterinfo-c.txt": "IW\n", "lsrpdomain.txt": ""}

    document = planned(folder(tmp_path / "f", linux))

    assert document["verdict"] == "healthy" and "lspv.txt" not in document["bundle"]["missing"]
    assert document["cluster"]["recycle"] == "allowed"


def captured(path: Path, *files: str) -> Path:
    return folder(path, {name: (CAPTURES / name).read_text() for name in files})


def test_a_powerha_node_from_captures(tmp_path: Path) -> None:
    document = planned(captured(
        tmp_path / "f", "lssrc-a--aix72.txt", "rmcdomainstatus--peers-and-hmc.txt", "lsrsrc-IBM.MCP--peer-domain.txt",
        "lspv--caavg.txt", "lssrc-ls-clstrmgrES--init.txt", "lscluster-m--flattened.txt", "odmget-HACMPcluster--defined.txt"))

    assert show.plan_code(document) == 0 and document["cluster"]["state"] == "present"
    assert (document["cluster"]["recycle"], document["cluster"]["recfgct"]) == ("forbidden", "forbidden")
    for told in ("caavg_private", "cthags is active", "CAA is active"):
        assert told in document["cluster"]["evidence"]


def test_a_healthy_partition_with_an_hmc_from_captures(tmp_path: Path) -> None:
    document = planned(captured(
        tmp_path / "f", "rmcdomainstatus--one-hmc.txt", "ct_clusterinfo-c--standalone.txt", "lspv--plain.txt",
        "lscluster-m--none.txt", "odmget-HACMPcluster--no-class.txt") and folder(tmp_path / "f", {"lssrc-a.txt": ROWS}))

    assert (document["verdict"], document["hmcs"][0]["link"]) == ("healthy", "up")
    assert document["cluster"]["state"] == "absent" and document["cluster"]["recycle"] == "allowed"


def test_a_vios_with_a_replaced_hmc_from_captures(tmp_path: Path) -> None:
    document = planned(captured(
        tmp_path / "f", "lsrsrc-IBM.MCP--stale-and-new.txt", "rmcdomainstatus--every-letter.txt",
        "ioscli-cluster-list--member.txt", "lspv--plain.txt") and folder(tmp_path / "f", {"lssrc-a.txt": ROWS}))

    assert document["platform"] == "vios" and len(document["hmcs"]) > 1
    assert "shared storage pool" in document["cluster"]["evidence"] and document["cluster"]["recycle"] == "forbidden"


# ---- what the user sees

@pytest.fixture
def anywhere(tmp_path: Path) -> str:
    path = tmp_path / "etc"
    path.mkdir(mode=0o700)
    (path / "rmcagent.yaml").write_text("{}\n")
    (path / "rmcagent.yaml").chmod(0o600)
    return str(path / "rmcagent.yaml")


def test_the_text_says_that_it_speaks_of_a_folder_its_time_and_what_is_missing(
    anywhere: str, tmp_path: Path, capsys: Capture,
) -> None:
    path = folder(tmp_path / "fromaix", {**HEALTHY, "lspv.txt": None, "vitals.txt": "taken_at=2025-03-04T09:55:00+01:00\n"})

    assert main(["plan", "--from", str(path), "--config", anywhere]) == 0

    out = capsys.readouterr().out
    above = " ".join(out.partition("* plan:")[0].split())
    assert above.startswith("This speaks of the folder fromaix, taken at 2025-03-04T09:55:00+01:00, not of this machine.")
    assert "lspv.txt" in above and "waits are taken as over" in above
    assert max(map(len, out.splitlines())) <= 80


def test_json_is_the_document_of_plan(anywhere: str, tmp_path: Path, capsys: Capture) -> None:
    path = folder(tmp_path / "f", {**HEALTHY, "rmcdomainstatus-s-ctrmc.txt": STATUS.format("i")})

    assert main(["plan", f"--from={path}", "--json", "--config", anywhere]) == 10

    document = json.loads(capsys.readouterr().out)
    assert {"schema", "verdict", "taken_at", "subsystems", "hmcs", "cluster", "findings", "gaps", "decision"} <= set(document)


def told(path: object, anywhere: str, capsys: Capture) -> str:
    """The one sentence that ends it."""
    assert main(["plan", "--from", str(path), "--config", anywhere]) == 1

    out = capsys.readouterr()
    assert out.out == "" and len(out.err.splitlines()) == 1 and out.err.startswith("rmcagent: cannot read ")
    assert "please report" not in out.err
    return out.err


def test_a_folder_that_is_not_there_is_told_in_a_sentence(anywhere: str, tmp_path: Path, capsys: Capture) -> None:
    assert "No such file" in told(tmp_path / "none", anywhere, capsys)


def test_a_folder_without_answers_says_which_names_are_expected(anywhere: str, tmp_path: Path, capsys: Capture) -> None:
    path = folder(tmp_path / "f", {"notes.txt": "x\n", "LSSRC-A.txt": ROWS, "alssrc-a.txt": ROWS})

    assert "lssrc-a.txt, rmcdomainstatus-s-ctrmc.txt" in told(path, anywhere, capsys)


def test_a_pipe_for_a_bundle_is_told_and_not_waited_for(anywhere: str, tmp_path: Path, capsys: Capture) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert "neither a folder nor an archive" in told(tmp_path / "pipe", anywhere, capsys)


# ---- hostile folders

def test_what_only_has_the_name_of_an_answer_is_not_read(tmp_path: Path) -> None:
    path = folder(tmp_path / "f", {**HEALTHY, "lssrc-a.txt": None, "lspv.txt": None, "lsrpdomain.txt": None})
    os.mkfifo(path / "lssrc-a.txt")
    (path / "lspv.txt").mkdir()
    (path / "lsrpdomain.txt").symlink_to("/etc/passwd")

    document = planned(path)

    assert show.plan_code(document) == 13 and len(document["bundle"]["notes"]) == 3
    assert "root:" not in json.dumps(document)


def test_names_and_answers_with_escape_sequences_reach_no_terminal(anywhere: str, tmp_path: Path, capsys: Capture) -> None:
    path = folder(tmp_path / "f\x1b[2J", {**HEALTHY, "lspv--\x1b]0;x\x07.txt": "\x1b[2J\n", "lspv--\x1b.txt": "x\n"})

    main(["plan", "--from", str(path), "--config", anywhere])
    main(["plan", "--from", str(path), "--json", "--config", anywhere])

    out = capsys.readouterr()
    assert not {"\x1b", "\x07"} & set(out.out + out.err)


def test_a_folder_of_too_many_files_is_refused(
    anywhere: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(read, "MOST_FILES", 3)

    assert "more than 3 files" in told(folder(tmp_path / "f", HEALTHY), anywhere, capsys)


def test_an_answer_beyond_its_bound_is_cut_and_so_a_gap(tmp_path: Path) -> None:
    long = (HEALTHY["lspv.txt"].rstrip() + " " * 1000 + "\n") * 1500

    document = planned(folder(tmp_path / "f", {**HEALTHY, "lspv.txt": long}))

    assert "lspv" in about(document) and document["cluster"]["recycle"] == "forbidden"


@pytest.mark.parametrize("name, text", [
    ("vitals.txt", "taken_at=9999-12-31T23:59:59-14:00\nup_for=99999999999\nboot=\n=\nplatform=x\n"),
    ("vitals.txt", "taken_at=0001-01-01T00:00:00+14:00\n"),
    ("status.json", "[" * 100_000),
    ("status.json", '{"known_hmcs": {"a": 1}}'),
    ("df.txt", "/var\t0\t0\n/var\t-1\t2\n"),
    ("INDEX.tsv", "\t".join(names.COLUMNS) + "\nlspv.txt\t\t\u0665\t\t\t\n\n"),
    ("INDEX.tsv", "\t".join(names.COLUMNS) + "\nlspv.txt\t\t\u00b2\t\t\t\n\n"),
    ("vitals.txt", "up_for=\u00b2\n"),
    ("ct_node_id.txt", "\0\0"),
    ("logs/x", "\0" * 100_000),
    ("errors/lspv.txt", "\x1b"),
])
def test_tables_that_lie_cost_nothing_but_their_answer(name: str, text: str, tmp_path: Path) -> None:
    document = planned(folder(tmp_path / "f", {**HEALTHY, name: text}))

    assert document["verdict"] in ("healthy", "degraded")


def test_a_file_from_beyond_all_time_is_read_as_of_now(tmp_path: Path) -> None:
    path = folder(tmp_path / "f", {"lssrc-a.txt": ROWS})
    os.utime(path / "lssrc-a.txt", (1, 1))

    document = planned(path)

    assert "its files tell no time: it is read as of now" in document["bundle"]["notes"]


# ---- archives

def packed(path: Path, add: Callable[[tarfile.TarFile], None], mode: str = "w:gz") -> Path:
    with tarfile.open(str(path), mode) as archive:      # type: ignore[call-overload]
        add(archive)
    return path


def member(archive: tarfile.TarFile, name: str, text: str = "", mtime: float = 1_700_000_000, **facts: Any) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = len(text.encode()), mtime
    for key, value in facts.items():
        setattr(info, key, value)
    archive.addfile(info, io.BytesIO(text.encode()))


def healthy(top: str = "") -> Callable[[tarfile.TarFile], None]:
    def add(archive: tarfile.TarFile) -> None:
        for name, text in HEALTHY.items():
            member(archive, top + name, text)
    return add


@pytest.mark.parametrize("top", ["", "./", "captured/", "./captured/"])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_reads_like_a_folder(top: str, mode: str, tmp_path: Path) -> None:
    document = planned(packed(tmp_path / "b.tar", healthy(top), mode))

    assert document["verdict"] == "healthy" and document["cluster"]["recfgct"] == "allowed"
    assert document["bundle"]["kind"] == "bundle"
    assert daemon.datetime.fromisoformat(document["taken_at"]).timestamp() == 1_700_000_000


def test_members_that_play_tricks_are_not_read_and_nothing_is_written(tmp_path: Path) -> None:
    def add(archive: tarfile.TarFile) -> None:
        member(archive, "../lspv.txt", "hdisk0 00f6f5d0b1c2d3e4 caavg_private active\n")
        member(archive, "/lspv.txt", "hdisk0 00f6f5d0b1c2d3e4 caavg_private active\n")
        member(archive, "lsrpdomain.txt", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        member(archive, "lscluster-m.txt", type=tarfile.LNKTYPE, linkname="/etc/passwd")
        member(archive, "ct_clusterinfo-c.txt", type=tarfile.CHRTYPE, devmajor=1, devminor=5)
        member(archive, "ctsvhbal.txt", type=tarfile.FIFOTYPE)
        healthy()(archive)
        member(archive, "lspv.txt", "hdisk0 00f6f5d0b1c2d3e4 caavg_private active\n")

    document = planned(packed(tmp_path / "b.tar.gz", add))

    assert document["cluster"]["recycle"] == "allowed" and document["bundle"]["notes"][0].startswith("7 of its members")
    assert [file.name for file in tmp_path.iterdir()] == ["b.tar.gz"]


def zeros(archive: tarfile.TarFile) -> None:
    info = tarfile.TarInfo("lssrc-a.txt")
    info.size = 1 << 30
    archive.fileobj.write(info.tobuf())                 # type: ignore[union-attr]
    archive.fileobj.write(b"\0" * (1 << 20))            # type: ignore[union-attr]


def sparse(archive: tarfile.TarFile) -> None:
    info = tarfile.TarInfo("lssrc-a.txt")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 512
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (0, 512)
    header[483:495] = b"%011o\0" % (1 << 30)
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    archive.fileobj.write(bytes(header) + b"x" * 512)   # type: ignore[union-attr]


def many(archive: tarfile.TarFile) -> None:
    header = tarfile.TarInfo("x").tobuf()
    archive.fileobj.write(header * 10_000)              # type: ignore[union-attr]


def long_name(archive: tarfile.TarFile) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
    archive.fileobj.write(info.tobuf(tarfile.GNU_FORMAT))                 # type: ignore[union-attr]
    archive.fileobj.write(b"\0" * (1 << 20))            # type: ignore[union-attr]


def negative(archive: tarfile.TarFile) -> None:
    info = tarfile.TarInfo("lssrc-a.txt")
    info.size = 1
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 12
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    archive.fileobj.write(bytes(header))                # type: ignore[union-attr]


def nested(archive: tarfile.TarFile) -> None:
    for _ in range(3000):
        info = tarfile.TarInfo("././@LongLink")
        info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1
        archive.fileobj.write(info.tobuf() + b"x".ljust(512, b"\0"))    # type: ignore[union-attr]


def pax_of_digits(archive: tarfile.TarFile) -> None:
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 200_000
    archive.fileobj.write(info.tobuf(tarfile.USTAR_FORMAT) + b"1" * 200_000 + b"\0" * 192)     # type: ignore[union-attr]
    healthy()(archive)


def pax_of_all(archive: tarfile.TarFile) -> None:
    info = tarfile.TarInfo("pax_global_header")
    info.type, info.size = tarfile.XGLTYPE, 0
    archive.fileobj.write(info.tobuf(tarfile.USTAR_FORMAT))     # type: ignore[union-attr]
    healthy()(archive)


def half_a_name(archive: tarfile.TarFile) -> None:
    archive.fileobj.write(tarfile.TarInfo("x" * 200).tobuf(tarfile.GNU_FORMAT)[:1024])     # type: ignore[union-attr]


def another_sum(archive: tarfile.TarFile) -> None:
    header = bytearray(tarfile.TarInfo("lssrc-a.txt").tobuf(tarfile.GNU_FORMAT))
    header[0] ^= 1
    archive.fileobj.write(bytes(header))                # type: ignore[union-attr]


@pytest.mark.parametrize("add, because", [
    (zeros, "larger than 64 MiB"),
    (sparse, "lssrc-a.txt in it is of type S, which collect does not write"),
    (pax_of_digits, "of type x, which collect does not write; pack it with GNU tar, or give the folder"),
    (pax_of_all, "of type g"),
    (many, "more than 4096 members"),
    (long_name, "damaged"),
    (negative, "has no size"),
    (nested, "damaged"),
    (half_a_name, "damaged"),
    (another_sum, "damaged"),
    (lambda archive: None, "no file in it is an answer"),
])
def test_a_hostile_archive_ends_in_one_sentence(
    add: Callable[[tarfile.TarFile], None], because: str, anywhere: str, tmp_path: Path, capsys: Capture,
) -> None:
    path, before = packed(tmp_path / "b.tar", add, "w"), os.times().user

    assert because in told(path, anywhere, capsys)
    assert os.times().user - before < 2.0


def test_an_archive_that_unpacks_without_end_is_refused(
    anywhere: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(read, "LARGEST_WHOLE", 1 << 20)
    header = tarfile.TarInfo("a")
    header.size = 1 << 19
    bomb = (header.tobuf() + b"\0" * (1 << 19)) * 64
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress(bomb, 1))

    assert "unpacks to more than 1 MiB" in told(tmp_path / "b.tar.gz", anywhere, capsys)


@pytest.mark.parametrize("content", [
    b"", b"\x1f\x8b", b"garbage" * 999, b"\0" * 5000, gzip.compress(b"x" * 5000, mtime=0), b"PK\x03\x04",
], ids=("empty", "a beginning", "garbage", "noughts", "another's gzip", "a zip"))
def test_what_is_no_archive_ends_in_one_sentence(content: bytes, anywhere: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "b.tar.gz").write_bytes(content)

    told(tmp_path / "b.tar.gz", anywhere, capsys)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])
def test_names_of_any_length_are_read_as_tar_writes_them(form: int, tmp_path: Path) -> None:
    path, top = tmp_path / "b.tar", "a-long-name-of-a-folder/" * 5
    with tarfile.open(path, "w", format=form) as archive:
        healthy(top)(archive)

    host = read._archive(str(path), [])

    assert {name.rpartition("/")[2]: one.content.decode() for name, one in host.items()} == HEALTHY
    assert {one.modified for one in host.values()} == {1_700_000_000.0}
    assert all(name.count("/") == 4 for name in host)


@pytest.mark.parametrize("at", [100, 700, 5000])
def test_an_archive_that_ends_too_early_is_told_and_not_half_read(
    at: int, anywhere: str, tmp_path: Path, capsys: Capture,
) -> None:
    whole = packed(tmp_path / "b.tar", healthy(), "w").read_bytes()
    (tmp_path / "b.tar").write_bytes(whole[:at])

    assert "damaged one (it ends too early)" in told(tmp_path / "b.tar", anywhere, capsys)


def test_what_follows_the_end_of_an_archive_is_not_read(tmp_path: Path) -> None:
    path = packed(tmp_path / "b.tar", healthy(), "w")
    path.write_bytes(path.read_bytes() + b"rubbish" * 999)

    assert planned(path)["verdict"] == "healthy"


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=64), st.booleans())
def test_damage_anywhere_never_leaves_but_as_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, at: int, bytes_there: bytes, cut: bool,
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.tar"
    whole = bytearray(packed(path, healthy(), "w").read_bytes())
    at %= len(whole)
    whole[at:at + len(bytes_there)] = b"" if cut else bytes_there
    path.write_bytes(bytes(whole))

    try:
        document = planned(path)
    except CannotRead as reason:
        assert str(reason).startswith("cannot read ")
    else:
        assert show.plan_code(document) in (0, 10, 11, 13)


# ---- names

def test_a_file_is_named_for_its_answer() -> None:
    named = {"lssrc-a.txt": "lssrc-a", "lssrc-a--x-y.txt": "lssrc-a", "lsrsrc-IBM.MCP.txt": "lsrsrc-IBM.MCP", "lspv.txt": "lspv",
             "vitals.txt": None, "Lspv.txt": None, "lspvx.txt": None, "lspv": "lspv", ".txt": None}

    assert {name: names.answered_by(name) for name in named} == named


def test_a_shorter_name_tells_the_same() -> None:
    there = ["ioscli-cluster-list", "rmcdomainstatus", "systemctl-show-ctrmc.service-p-A,B", "systemctl-show-ctrmc"]

    assert names.also_told_by("rmcdomainstatus-s-ctrmc", there) == "rmcdomainstatus"
    assert names.also_told_by("ioscli-cluster-list-field-cluster_name-fmt-,", there) == "ioscli-cluster-list"
    assert names.also_told_by("systemctl-show-ctrmc.service-p-C", there) == "systemctl-show-ctrmc"
    assert names.also_told_by("lspv", there) is None
