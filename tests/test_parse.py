"""Every capture reads as exactly what it shows; whatever is malformed reads as nothing, or as Unreadable, and nothing else."""
from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmcagent.model import Answer, ControlPoint, DomainStatus, Link, ManagementServer, PeerDomain, State, Subsystem
from rmcagent.partition import parse
from rmcagent.partition.parse import ErrptRow, Unreadable
from rmcagent.partition.parse.lines import MOST_LINES

CAPTURES = Path(__file__).parent / "captures"
INDEX = [line.split("\t") for line in (CAPTURES / "INDEX.tsv").read_text(encoding="utf-8").splitlines()[1:]]
EXITS = {file: int(code) for file, _, code, _, _ in INDEX}
UP, DOWN, KEY = State.ACTIVE, State.INOPERATIVE, "c2VjcmV0LWtleQ=="
FEW = settings(max_examples=100, deadline=None)
Parser = Callable[[Answer], Any]


def mcp(answer: Answer) -> Tuple[ManagementServer, ...]:
    return parse.lsrsrc(answer, "IBM.MCP")


def servers(answer: Answer) -> Tuple[ManagementServer, ...]:
    return parse.lsrsrc(answer, "IBM.ManagementServer")


def foo(answer: Answer) -> Tuple[ManagementServer, ...]:
    return parse.lsrsrc(answer, "IBM.Foo")


def one(name: str) -> Parser:
    return lambda answer: parse.lssrc_one(answer, name)


def said(text: str, stderr: str = "", code: Optional[int] = 0, **how: Any) -> Answer:
    return Answer("answer", code, text, stderr, **how)


def capture(name: str) -> Answer:
    return Answer(name, EXITS[f"{name}.txt"], (CAPTURES / f"{name}.txt").read_text(encoding="utf-8"))


def rows(*subsystems: Subsystem) -> Mapping[str, Subsystem]:
    return {row.name: row for row in subsystems}


def row(name: str, state: State = DOWN, group: str = "", pid: Optional[int] = None) -> Subsystem:
    return Subsystem(name, state, group, pid)


READ: Dict[str, Tuple[Parser, Any]] = {
    "lssrc-a--aix72": (parse.lssrc, rows(
        row("sendmail", UP, "mail", 5243402), row("aso", UP, "", 6029858), row("rpc.mountd", UP, "nfs", 6488634),
        row("ctrmc", UP, "rsct", 6947412), row("IBM.HostRM", UP, "rsct_rm", 14418476),
        row("IBM.MgmtDomainRM", UP, "rsct_rm", 14090776), row("cthags", UP, "cthags", 14025154), row("gsclvmd"),
        row("ndpd-host", DOWN, "tcpip"), row("clconfd", DOWN, "caa"), row("ctcas", DOWN, "rsct"))),
    "lssrc-a--powerha-many-groups": (parse.lssrc, rows(
        row("syslogd", UP, "ras", 5636628), row("portmap", UP, "portmap", 5177868), row("snmpd", UP, "tcpip", 5308944),
        row("nimsh", UP, "nimclient", 5571104), row("aso", UP, "", 6029758), row("biod", UP, "nfs", 6357564),
        row("rpc.lockd", UP, "nfs", 7275088), row("qdaemon", UP, "spooler", 6816322), row("clcomd", UP, "caa", 7471700),
        row("sshd", UP, "ssh", 7602774), row("pfcdaemon", UP, "", 7012960), row("ctrmc", UP, "rsct", 6947512),
        row("IBM.HostRM", UP, "rsct_rm", 14418576), row("IBM.ConfigRM", UP, "rsct_rm", 6160774),
        row("IBM.DRM", UP, "rsct_rm", 14680650), row("IBM.MgmtDomainRM", UP, "rsct_rm", 14090876),
        row("IBM.ServiceRM", UP, "rsct_rm", 13828642), row("cthats", UP, "cthats", 13959768),
        row("cthags", UP, "cthags", 14025254), row("IBM.StorageRM", UP, "rsct_rm", 12255806),
        row("lpd", DOWN, "spooler"), row("ypbind", DOWN, "yp"), row("gsclvmd"), row("cdromd"), row("ndpd-router", DOWN, "tcpip"),
        row("rsvpd", DOWN, "qos"), row("dhcpcd6", DOWN, "tcpip"), row("automountd", DOWN, "autofs"), row("nfsrgyd", DOWN, "nfs"),
        row("ikev2d"), row("iked", DOWN, "ike"), row("clconfd", DOWN, "caa"), row("ksys_vmmon"),
        row("IBM.SRVPROXY", DOWN, "ibmsrv"), row("ctcas", DOWN, "rsct"), row("IBM.ERRM", DOWN, "rsct_rm"),
        row("IBM.LPRM", DOWN, "rsct_rm"), row("cthagsglsm", DOWN, "cthags"))),
    "lssrc-a--linux-all-started": (parse.lssrc, rows(
        row("ctrmc", UP, "rsct", 21912), row("IBM.DRM", UP, "rsct_rm", 22134), row("IBM.MgmtDomainRM", UP, "rsct_rm", 22829),
        row("IBM.HostRM", UP, "rsct_rm", 22877), row("ctcas", UP, "rsct", 22995), row("IBM.ERRM", UP, "rsct_rm", 23007),
        row("IBM.AuditRM", UP, "rsct_rm", 23008))),
    "lssrc-a--linux-narrow-pid": (parse.lssrc, rows(
        row("ctrmc", UP, "rsct", 21911), row("IBM.DRM", UP, "rsct_rm", 22133), row("ctcas", DOWN, "rsct"))),
    "lssrc-a--grep-annotated": (parse.lssrc, rows(
        row("ctrmc", UP, "rsct", 8847476), row("IBM.DMSRM", UP, "rsct_rm", 7930040),
        row("IBM.CSMAgentRM", UP, "rsct_rm", 4915354),
        row("ctcas", DOWN, "rsct"), row("IBM.HostRM", DOWN, "rsct_rm"))),
    "lssrc-g--aix73-mcproxy": (parse.lssrc, rows(
        row("ctrmc", UP, "rsct", 10813876), row("mcproxy", UP, "rsct", 14484048), row("ctcas", DOWN, "rsct"))),
    "lssrc-ls-inetd--session": (parse.lssrc, rows(
        row("cthags", DOWN, "cthags"), row("clconfd", UP, "caa", 12911142), row("inetd", UP, "tcpip", 2490804))),
    "lssrc-s--not-on-file": (one("ctfoo"), None),
    "lssrc-s--twice-on-file": (one("ctrmc"), row("ctrmc", UP, "rsct", 6947412)),
    "lssrc-s--warned-to-stop": (one("ctrmc"), row("ctrmc", State.STOPPING, "rsct", 6947412)),
    "lssrc-ls-mcproxy--two-hosts": (parse.mcproxy, ("hmc-a.example.com", "192.0.2.7")),
    "lssrc-ls-mcproxy--no-host": (parse.mcproxy, ()),
    "lssrc-ls-mcproxy--inactive": (parse.mcproxy, Unreadable),
    "lssrc-ls-clstrmgrES--init": (parse.clstrmgr, "ST_INIT"),
    "clshowsrv-v--offline": (parse.clstrmgr, "ST_INIT"),
    "clshowsrv-v--pasted": (parse.clstrmgr, "ST_INIT"),
    "rmcdomainstatus--one-hmc": (parse.rmcdomainstatus, DomainStatus((ControlPoint("ef889c809d9618d8", "192.0.2.24", Link.UP),))),
    "rmcdomainstatus--peers-and-hmc": (parse.rmcdomainstatus, DomainStatus(
        (ControlPoint("12b6b4fd1cebb850", "192.0.2.29", Link.UP),), peers=("db1", "db3"))),
    "rmcdomainstatus--managed-nodes": (parse.rmcdomainstatus, DomainStatus(managed=("node4", "node3", "node6"))),
    "rmcdomainstatus--hmc-one-down": (parse.rmcdomainstatus, DomainStatus(managed=("192.0.2.241", "192.0.2.33"))),
    "rmcdomainstatus--peer-domain": (parse.rmcdomainstatus, DomainStatus(peers=("node6.example.com",))),
    "rmcdomainstatus--every-letter": (parse.rmcdomainstatus, DomainStatus((
        ControlPoint("12b6b4fd1cebb851", "192.0.2.31", Link.PENDING, queued=True),
        ControlPoint("12b6b4fd1cebb852", "192.0.2.32", Link.DOWN, queued=True),
        ControlPoint("12b6b4fd1cebb853", "2001:db8::53", Link.SUSPENDED),
        ControlPoint("12b6b4fd1cebb854", "hmc-d.example.com", Link.FLAPPING),
        ControlPoint("0012b6b4fd1cebb855a", "192.0.2.35", Link.UNKNOWN)))),
    "lsrsrc-IBM.MCP--peer-domain": (mcp, (ManagementServer(
        "198.51.100.123", "7042CR9*1234567", "12b6b4fd1cebb850", ("198.51.100.123", "198.51.100.220"), "db_Clu"),)),
    "lsrsrc-IBM.MCP--stale-and-new": (mcp, (
        ManagementServer("192.0.2.113", "7042CR8*7654321", "c8f424892e423800", ("192.0.2.113", "198.51.100.113")),
        ManagementServer("198.51.100.249", "7042CR9*7654322", "12a16400982cec68", ("198.51.100.249", "198.51.100.259")))),
    "lsrsrc-IBM.MCP--ipv6-and-key": (mcp, (ManagementServer(
        "2001:db8::10", "V807f77*1a2b3c4", "00000000000000a1",
        ("2001:db8::10", "192.0.2.10", "192.0.2.11", "192.0.2.12", "fe80::1%en0")),)),
    "lsrsrc-IBM.MCP--attribute": (mcp, (ManagementServer("192.0.2.231", addresses=("192.0.2.231",)),)),
    "lsrsrc-IBM.MCP--none": (mcp, ()),
    "lsrsrc-IBM.MCP--2612-023-zh": (mcp, ()),
    "lsrsrc-IBM.MCP--not-installed": (mcp, Unreadable),
    "lsrsrc-IBM.MCP--2610-444": (mcp, Unreadable),
    "lsrsrc-IBM.ManagementServer--annotated": (servers, (ManagementServer("hmc-b", addresses=("hmc-b", "192.0.2.4")),)),
    "lsrsrc-IBM.Foo--types": (foo, (ManagementServer("hmc-c", addresses=("hmc-c",)),)),
    "lsrpdomain--offline": (parse.lsrpdomain, (PeerDomain("foodomain", "Offline"),)),
    "lsrpdomain--pending": (parse.lsrpdomain, (PeerDomain("Foo_Domain", "Pending online"),)),
    "lsrpdomain--online": (parse.lsrpdomain, (PeerDomain("foodb_clu", "Online"),)),
    "lsrpdomain--three-listings": (parse.lsrpdomain, (PeerDomain("Foo_Domain", "Online"),)),
    "lscluster-m--flattened": (parse.lscluster, "State of node: UP NODE_LOCAL"),
    "lscluster-m--none": (parse.lscluster, ""),
    "lspv--caavg": (parse.lspv, "hdisk2"),
    "lspv--plain": (parse.lspv, ""),
    "ct_clusterinfo-c--standalone": (parse.ct_clusterinfo, "IW"),
    "odmget-HACMPcluster--defined": (parse.odm_hacmpcluster, "foo_cluster"),
    "odmget-HACMPcluster--no-class": (parse.odm_hacmpcluster, ""),
    "ioscli-cluster-list--member": (parse.ioscli_cluster, "ssp_foo"),
    "cluster-status--fmt-colon": (parse.ioscli_cluster, Unreadable),
    "lsnodeid--plain": (parse.node_id, "ef889c809d9618d9"),
    "errpt--migrations": (parse.errpt, (
        ErrptRow("A5E6DB96", "0518141621", "I", "S", "pmig", "Client Partition Migration Completed"),
        ErrptRow("08917DC6", "0518141521", "I", "S", "pmig", "Client Partition Migration Started"),
        ErrptRow("0873CF9F", "0420175221", "T", "S", "pts/5", "TTYHOG OVER-RUN"),
        ErrptRow("DE84C4DB", "0421100921", "I", "O", "ConfigRM", "IBM.ConfigRM daemon has started."),
        ErrptRow("F2646817", "1107101722", "I", "S", "pmig", "Client Partition Migration Started"))),
    "errpt--no-header": (parse.errpt, (
        ErrptRow("9DBCFDEE", "0929104614", "T", "O", "errdemon", "ERROR LOGGING TURNED ON"),
        ErrptRow("192AC071", "0926092514", "T", "O", "errdemon", "ERROR LOGGING TURNED OFF"),
        ErrptRow("A6DF45AA", "0925162714", "I", "O", "RMCdaemon", "The daemon is started."),
        ErrptRow("1BA7DF4E", "0925162714", "P", "S", "SRC", "SOFTWARE PROGRAM ERROR"))),
    "errpt--then-detail": (parse.errpt, (
        ErrptRow("573790AA", "0528212209", "I", "O", "RMCdaemon", "The default log file has been changed."),)),
    "systemctl-show-ctrmc--active": (parse.systemctl_show, {
        "Type": "forking", "Result": "success", "MainPID": "1188",
        "ExecStart": "{ path=/opt/rsct/bin/rmcctrl ; argv[]=/opt/rsct/bin/rmcctrl -s }", "UnitFileState": "enabled"}),
}
PARSERS: List[Parser] = [
    parse.lssrc, one("ctrmc"), parse.rmcdomainstatus, mcp, servers, parse.mcproxy, parse.ct_clusterinfo, parse.lsrpdomain,
    parse.lscluster, parse.lspv, parse.clstrmgr, parse.odm_hacmpcluster, parse.ioscli_cluster, parse.node_id, parse.errpt,
    parse.systemctl_show,
]
# Those whose answer does not change when its lines change places.
UNORDERED = [name for name, (parser, _) in READ.items()
             if parser in (parse.lssrc, parse.lspv, parse.systemctl_show) and "session" not in name]
TABLES = (parse.lssrc, parse.rmcdomainstatus, parse.lspv, parse.lsrpdomain)
SPOKEN = [name for name, (_, nouns) in READ.items() if nouns is not Unreadable and EXITS[f"{name}.txt"] == 0]


def attempt(parser: Parser, answer: Answer) -> Any:
    try:
        return parser(answer)
    except Unreadable as reason:
        return reason


# ---- captures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", READ)
def test_a_capture_reads_as_exactly_what_it_shows(name: str) -> None:
    parser, nouns = READ[name]

    if nouns is Unreadable:
        with pytest.raises(Unreadable):
            parser(capture(name))
    else:
        assert parser(capture(name)) == nouns


def test_every_capture_is_read_and_has_its_provenance() -> None:
    files = {path.name for path in CAPTURES.glob("*.txt")}
    provenances = {file: provenance for file, _, _, provenance, _ in INDEX}

    assert files == set(provenances)
    assert {f"{name}.txt" for name in READ} <= files
    assert all(text.startswith(("seen o", "IBM page", "invented")) for text in provenances.values())


def test_the_invented_captures_are_counted() -> None:
    invented = [file for file, _, _, provenance, _ in INDEX if provenance == "invented"]

    assert len(invented) == 26, "say the new number here, and in the README's section on what was never seen"


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("broken", [
    {"timed_out": True}, {"cut": True}, {"code": None}, {"code": -9}, {"code": 126}, {"code": 127}, {"text": "ctrmc rsct 1 act"},
], ids=str)
def test_an_answer_that_was_not_heard_to_its_end_is_unreadable(parser: Parser, broken: Dict[str, Any]) -> None:
    answer = said(**{"text": "", **broken})

    with pytest.raises(Unreadable, match="^cannot read answer: "):
        parser(answer)


# ---- lssrc -------------------------------------------------------------------------------------------------------------

HEADER = "Subsystem         Group            PID          Status\n"


@pytest.mark.parametrize("text, state", [
    (" ctrmc rsct 7 active\n", UP), (" ctrmc rsct active\n", UP), (" ctrmc 7 active\n", UP), (" ctrmc inoperative\n", DOWN),
    (" ctrmc rsct 7 starting\n", State.STARTING), (" ctrmc rsct 7 stopping\n", State.STOPPING),
    (" ctrmc warned to stop\n", State.STOPPING), (" ctrmc rsct 7 warned to stop\n", State.STOPPING),
    (" ctrmc rsct 7 stop\n", State.UNKNOWN), (" ctrmc rsct 7 Active\n", State.UNKNOWN), (" ctrmc rsct 7active\n", State.UNKNOWN),
    (" ctrmc rsct 7 inactive\n", State.UNKNOWN), (" ctrmc rsct 7 inoperative\n", State.UNKNOWN),
    (" ctrmc rsct 0 active\n", State.UNKNOWN), (" ctrmc rsct 99999999999 active\n", State.UNKNOWN),
    (" ctrmc Not active\n", State.UNKNOWN), (" ctrmc rs ct active\n", State.UNKNOWN), (" ctrmc activo\n", State.UNKNOWN),
    (" ctrmc rsct \u0663 active\n", State.UNKNOWN),
])
def test_a_status_is_never_guessed(text: str, state: State) -> None:
    assert parse.lssrc(said(HEADER + text))["ctrmc"].state is state


@pytest.mark.parametrize("text", [
    "", "\n", HEADER, "Segmentation fault\n", "active\n", "ctrmc\n", HEADER + "active\n", " \u0441trmc rsct 7 active\n",
    HEADER + " lpd spooler inoperativecthags cthags 14025054 active\n", HEADER + " gsclvmd inoperativecthags 14025054 active\n",
    HEADER.strip() + " cthags cthags 14025054 active\n aso 7 active\n", HEADER + " cth\x00ags cthags 7 active\n",
    HEADER + " cthags\x1cactive\n",
    HEADER + " 4711 rsct 7 active\n", "0513-001 active\n", "Subsistema Grupo PID Estado\n ctrmc rsct 7 activo\n",
], ids=repr)
def test_what_is_no_table_of_rows_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        parse.lssrc(said(text))


def test_a_failing_lssrc_tells_nothing_though_it_shows_rows() -> None:
    with pytest.raises(Unreadable, match='exit 1, "0513-001 The System Resource Controller daemon is not active."'):
        parse.lssrc(said(HEADER + " ctrmc rsct 7 active\n", "0513-001 The System Resource Controller daemon is not active.\n", 1))


@pytest.mark.parametrize("answer", [
    said("", "0513-085 The ctrmc Subsystem is not on file.\n", 1), said("0513-085 The ctrmc Subsystem is not on file.\n", "", 1),
    said("0513-085 The ctrmc Subsystem is not on file.\n"),
])
def test_not_on_file_is_an_answer_on_either_stream(answer: Answer) -> None:
    assert parse.lssrc_one(answer, "ctrmc") is None
    with pytest.raises(Unreadable):
        parse.lssrc_one(answer, "cthags")


def test_another_subsystems_row_does_not_answer_for_this_one() -> None:
    for name in ("ctrmc", "rsct"):
        with pytest.raises(Unreadable, match=f"does not speak of {name}"):
            parse.lssrc_one(said(HEADER + " ctcas rsct inoperative\n"), name)


def test_of_two_rows_the_running_one_counts_in_either_order() -> None:
    one_way = [" ctrmc rsct inoperative\n", " ctrmc rsct 7 active\n"]

    results = [parse.lssrc(said(HEADER + "".join(lines))) for lines in (one_way, one_way[::-1])]

    assert results == [rows(row("ctrmc", UP, "rsct", 7))] * 2


@pytest.mark.parametrize("text, hosts", [
    (HEADER + " mcproxy rsct 7 active\n Hostname: a\n Hostname: a\n Hostname :b\n", ("a", "b")),
    (HEADER + " mcproxy rsct 7 active\n Hostname:\n", ()), (HEADER + " mcproxy rsct 7 active\n Connections: 0\n", ()),
])
def test_hosts_of_mcproxy_are_distinct(text: str, hosts: Tuple[str, ...]) -> None:
    assert parse.mcproxy(said(text)) == hosts


@pytest.mark.parametrize("answer", [
    said(""), said("hello\n"), said(HEADER + " mcproxy rsct inoperative\n"), said(HEADER, "", 1),
    said("", "0513-004 The Subsystem or Group, mcproxy, is currently inoperative.\n"), said(HEADER),
    said(HEADER + " mcproxy rsct 7 active\n Nombre: hmc-a.example.com\n"), said(HEADER + " mcproxy rsct 7 activo\n"),
    said(HEADER + " mcproxy rsct 7 stopping\n  Hostname: a\n"),
])
def test_a_mcproxy_that_does_not_run_tells_nothing(answer: Answer) -> None:
    with pytest.raises(Unreadable):
        parse.mcproxy(answer)


@pytest.mark.parametrize("text, state", [
    ("Current state: ST_RP_RUNNING\nsccsid = x\n", "ST_RP_RUNNING"), ("Current state: NOT_CONFIGURED\n", "NOT_CONFIGURED"),
    ("Current state: RP_FAILED\n", "RP_FAILED"), ('STATE="NOT_CONFIGURED"\n', "NOT_CONFIGURED"),
    ('STATE="STABLE"\n', "ST_STABLE"),
    ('Current state: ST_INIT\nSTATE="INIT"\n', "ST_INIT"),
])
def test_the_cluster_managers_state_is_its_word(text: str, state: str) -> None:
    assert parse.clstrmgr(said(text)) == state


@pytest.mark.parametrize("text", ["", "\n", "Current state:\nST_INIT\n", "Current state: ST_INIT\nCurrent state: ST_STABLE\n",
        "STATE=\n"])
def test_no_state_or_two_are_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        parse.clstrmgr(said(text))


# ---- rmcdomainstatus ---------------------------------------------------------------------------------------------------

POINTS = "Management Domain Status: Management Control Points\n"
ROW = "  I A  0x12b6b4fd1cebb850  0001  192.0.2.29\n"


def test_silence_is_nobody_but_a_complaint_is_not_silence() -> None:
    assert parse.rmcdomainstatus(said("")) == parse.rmcdomainstatus(said("\n")) == DomainStatus()
    for answer in (said("", "2612-022 A session could not be established.\n"), said("", "", 1), said(POINTS + ROW, "", 2)):
        with pytest.raises(Unreadable):
            parse.rmcdomainstatus(answer)


@pytest.mark.parametrize("text", [
    ROW, POINTS + "hello\n", POINTS + ROW.rstrip() + ROW, POINTS.rstrip() + ROW, POINTS + "  IA  0x12  0001  192.0.2.29\n",
    POINTS + "  I A  12b6b4fd  0001  192.0.2.29\n", POINTS + "  I A  0x12b6b4fd  0001\n", "管理控制点\n" + ROW,
    "Management Domain Status: 管理控制点\n" + ROW, "Peer Domain Status\n", POINTS, POINTS + ROW + "Peer Domain Status\n",
    "Management Something\n" + ROW, POINTS + "I A\n",
], ids=repr)
def test_a_line_that_fits_no_section_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        parse.rmcdomainstatus(said(text))


def test_a_peer_domain_of_this_node_alone_still_shows() -> None:
    assert parse.rmcdomainstatus(said("Peer Domain Status\n S S 0x12b6b4fd1cebb850 0001 node1\n")).peers == ("node1",)


def test_a_short_node_id_is_filled_to_sixteen_digits() -> None:
    status = parse.rmcdomainstatus(said(POINTS + " I A 0xAB 0001 hmc\n"))

    assert status.control_points[0].node_id == "00000000000000ab"


# ---- lsrsrc ------------------------------------------------------------------------------------------------------------

TITLE = "Resource Persistent Attributes for IBM.MCP\n"
RESOURCE = TITLE + 'resource 1:\n\tHMCIPAddr = "192.0.2.1"\n'


def test_an_empty_listing_is_none_but_silence_is_not() -> None:
    assert mcp(said(TITLE)) == ()
    for text in ("", "\n", "# lsrsrc IBM.MCP\n"):
        with pytest.raises(Unreadable, match="no title"):
            mcp(said(text))


@pytest.mark.parametrize("answer", [
    said("", "", 6), said(TITLE, "", 6), said("", "/usr/sbin/rsct/bin/lsrsrc-api: 2612-023 Resource not found.\n", 1),
    said("2612-023 Resource not found.\n"), said(TITLE + "lsrsrc-api\uff1a2612-023 \u627e\u4e0d\u5230\n"),
    said("", "2610-412 The resource class IBM.MCP is not defined.\n", 1),
    said("", "2612-011 Undefined resource class IBM.MCP.\n", 1),
])
def test_no_resource_and_no_such_class_are_answers(answer: Answer) -> None:
    assert mcp(answer) == ()


@pytest.mark.parametrize("answer, reason", [
    (said("", '2612-022 A session could not be established with the RMC daemon on "local_node".\n', 1), "2612-022 A session"),
    (said(RESOURCE, "2610-415 Cannot execute the command. The resource manager IBM.DMSRM is not available.\n"), "2610-415"),
    (said("", "2612-022 No session.\n2612-023 Resource not found.\n", 1), "2612-022"),
    (said("", "2610-606 An unknown failure occurred while the resource class was read.\n", 1), "2610-606"),
    (said(RESOURCE, "", 1), "exit 1"), (said("", "", 2), "exit 2"), (said(RESOURCE, "", 6), "shows resources and says"),
    (said(RESOURCE, "2612-023 Resource not found.\n", 1), "shows resources and says"),
], ids=str)
def test_any_other_failure_is_unreadable_and_says_why(answer: Answer, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        mcp(answer)


@pytest.mark.parametrize("text", [
    'resource 1:\n\tHMCIPAddr = "192.0.2.1"\n', TITLE + '\tHMCIPAddr = "192.0.2.1"\n', RESOURCE + "hello\n",
    RESOURCE + '\tHMCIPAddr = "192.0.2.2"\n', TITLE.replace("MCP", "ManagementServer") + RESOURCE,
    RESOURCE + '\tHMCName = "7042\n',
    RESOURCE + '\tIPAddresses = {"192.0.2.1"\n', RESOURCE + '\tHMCName = "a"        NodeID = 12\n',
    RESOURCE.replace("\nresource", " resource"),
    RESOURCE + '\tIPAddresses = {"192.0.2.1","\n', 'resource 1:\nHMCIPAddr = "192.0.2.1"\n' + TITLE,
    "Resource Class Persistent Attributes for IBM.MCP\n", "资源持久属性 IBM.MCP\n资源 1:\n",
    RESOURCE + '\tIPAddresses = {"a"}resource 2:\n', TITLE + "resource 1:\n", RESOURCE + "resource 2:\n",
], ids=repr)
def test_a_listing_with_a_line_out_of_place_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        mcp(said(text))


@pytest.mark.parametrize("attributes, address, addresses", [
    ('IPAddresses = {"192.0.2.3","192.0.2.4"}\n', "192.0.2.3", ("192.0.2.3", "192.0.2.4")),
    ('HMCIPAddr = ""\nIPAddresses = {}\nMNName = "192.0.2.9"\n', "", ()),
    ('HMCIPAddr = "192.0.2.1"\nHMCAddIPs = "192.0.2.2 192.0.2.1,192.0.2.5"\n', "192.0.2.1",
     ("192.0.2.1", "192.0.2.2", "192.0.2.5")),
    ('HMCIPAddr = "0.0.0.0"\nHMCAddIPv6s = "::,fe80::9%en1"\n', "", ("fe80::9%en1",)),
    ('HMCIPAddr = "-x;reboot"\nIPAddresses = {"192.0.2.3"}\n', "192.0.2.3", ("192.0.2.3",)),
    ('HMCIPAddr = "127.0.0.1"\nHMCAddIPv6s = "::1,0:0:0:0:0:0:0:1,::1%lo0,::ffff:127.0.0.1,::ffff:0.0.0.0,0::0"\n', "", ()),
    ('HMCIPAddr = "127.0.0.2"\nHMCAddIPv6s = "::2,::11,1::1,::ffff:127.0.0.2,::1:0"\n', "127.0.0.2",
     ("127.0.0.2", "::2", "::11", "1::1", "::ffff:127.0.0.2", "::1:0")),
])
def test_an_hmcs_addresses_are_its_own_and_distinct(attributes: str, address: str, addresses: Tuple[str, ...]) -> None:
    (server,) = mcp(said(f"{TITLE}resource 1:\n{attributes}"))

    assert (server.address, server.addresses) == (address, addresses)


@pytest.mark.parametrize("text, node_id", [
    ("255", "00000000000000ff"), ('"0xAB"', "00000000000000ab"), (str(2**64), "10000000000000000"), ("-1", ""), ("1" * 41, ""),
    ("", ""),
])
def test_a_node_id_joins_as_hex(text: str, node_id: str) -> None:
    assert mcp(said(f"{TITLE}resource 1:\n\tNodeID = {text}\n"))[0].node_id == node_id


@pytest.mark.parametrize("kind, known", [
    ('ManagerType = "HMC"\n', True), ('ManagerType = "hmc"\n', True), ("", True), ('ManagerType = "CSM"\n', False),
])
def test_a_management_server_that_is_no_hmc_is_left_out(kind: str, known: bool) -> None:
    text = f'Resource Persistent Attributes for IBM.ManagementServer\nresource 1:\n{kind}Name = "192.0.2.1"\n'

    assert bool(servers(said(text))) is known


@pytest.mark.parametrize("key", [
    f'RMCKey = "{KEY}"', f'rmckey={{"{KEY}"}}', f'RMCKey = "{KEY}', f'RMCKey "{KEY}"', f'RMCKey = {{\n"{KEY}"}}',
    f'RMCKey =\n{KEY}', f'RMCKey = "{KEY}" "{KEY}"', f"RMCKey={KEY}",
])
def test_the_rmckey_survives_nowhere(key: str) -> None:
    answers = [said(f"{TITLE}resource 1:\n\tHMCName = \"a\"\n\t{key}\n", "", code) for code in (0, 1, 6)]
    answers += [said(f"Cluster shorthand id for node: 1\nRMCKey = {KEY}\n")]
    answers += [said(f"{TITLE}resource 1:\nRMCKey = {{\n2610-444 {KEY}\n")]
    answers += [said(f"{key}\n"), said("", f"{key}\n", 1)] if "\n" not in key else []

    results = [attempt(parser, answer) for answer in answers for parser in PARSERS]

    assert not [result for result in results if KEY in repr(result) or KEY in str(result)]


def test_a_key_of_any_shape_and_a_number_in_a_value_hide_no_hmc() -> None:
    text = f'{RESOURCE}\tRMCKey = "{KEY}\n\tKeyToken = "2612-022 No session."\n\tHMCName = "a"\n'

    assert mcp(said(text)) == (ManagementServer("192.0.2.1", "a", addresses=("192.0.2.1",)),)


# ---- clusters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text, name", [("IW\n", "IW"), ("\n", ""), ("db_Clu\n", "db_Clu")])
def test_ct_clusterinfo_names_a_cluster_or_none(text: str, name: str) -> None:
    assert parse.ct_clusterinfo(said(text)) == name


@pytest.mark.parametrize("answer", [
    said(""), said("IW\n", "", 1), said("no idea\n"), said("IW\nIW\n"), said("a=b\n"), said("", "ct_clusterinfo: 2\n"),
])
def test_ct_clusterinfo_that_says_no_single_word_is_unreadable(answer: Answer) -> None:
    with pytest.raises(Unreadable):
        parse.ct_clusterinfo(answer)


DOMAINS = "Name OpState RSCTActiveVersion MixedVersions TSPort GSPort\n"


@pytest.mark.parametrize("answer, domains", [
    (said(""), ()), (said(DOMAINS, "2612-023 Resource not found.\n", 1), ()),
    (said("", "lsrpdomain: 2612-023 Resource not found.\n", 1), ()),
    (said("a_very_long_name_of_a_domain Online 3.2.3.2 Yes 1 2\nb Pending offline 3.1 No 1 2\n"), None),
    (said("a Online 3.2.3.2 Yes 1 2\nb Pending offline 3.1.0.0 No 1 2\n"),
     (PeerDomain("a", "Online"), PeerDomain("b", "Pending offline"))),
])
def test_lsrpdomain_lists_every_domain(answer: Answer, domains: Optional[Tuple[PeerDomain, ...]]) -> None:
    if domains is None:
        with pytest.raises(Unreadable):
            parse.lsrpdomain(answer)
    else:
        assert parse.lsrpdomain(answer) == domains


@pytest.mark.parametrize("answer", [
    said("", "2612-022 A session could not be established.\n", 1), said("", "2612-022 A session could not be established.\n"),
    said(DOMAINS.strip() + " a Online 3.2.3.2 Yes 1 2\n"), said("a Online 3.2.3.2 Yes 1 2 b Online 3.2.3.2 Yes 1 2\n"),
    said("aOnline 3.2.3.2 Yes 1 2\n"), said("a Online Yes 1 2\n"), said("hello\n"),
    said("a 17 3.2.3.2 Yes 1 2\n"),
    said(DOMAINS), said("a Online 3.2.3.2 Yes 1 2\n" + DOMAINS), said("the session failed:\n"),
    said("Connection to 192.0.2.1 closed.\n"), said("a Online 3.2.3.2 Yes 1 2 b\n"),
    said("a Offline 3.2.3.2 Yes 1 2\nb Offline 3.2.3.2 Yes 1 2 c Online 3.2.3.2 Yes 1 2:\n"),
    said("", "2612-023 none\n2612-022 No session.\n", 1),
    said("2612-023 none\na Online 3.2.3.2 Yes 1 2\n", "", 1),
], ids=str)
def test_a_domain_that_may_be_there_is_never_none(answer: Answer) -> None:
    with pytest.raises(Unreadable):
        parse.lsrpdomain(answer)


@pytest.mark.parametrize("answer, telling", [
    (said(""), ""), (said("", "lscluster: not active\n", 1), ""), (said("whatever\n", "", 3), ""),
    (said("\tState of node:  DOWN\n"), "State of node: DOWN"),
    (said("State of node: UP  NODE_LOCAL\n", "", 1), "State of node: UP NODE_LOCAL"),
    (said("Cluster Name: foo\nCluster UUID: 1\n"), "Cluster Name: foo"),
    (said("CLUSTER NAME       SHID         UUID\nfoo 0 1\n"), "CLUSTER NAME SHID UUID foo"),
    (said("Calling node query for all nodes...\nNode query number of nodes examined: 0\n"), ""),
    (said("Calling node query for all nodes...\nNode query number of nodes examined: 2\n"), "number of nodes examined: 2"),
    (said("nodo: 15f90c7e-e651-11e1-84be-00145e76c700\n"), "15f90c7e-e651-11e1-84be-00145e76c700"),
    (said("Calling node query for all nodes...\n", "lscluster: not active\n", 1), ""),
])
def test_lscluster_tells_by_a_node_or_a_name(answer: Answer, telling: str) -> None:
    assert parse.lscluster(answer) == telling


def test_an_lscluster_that_ends_before_its_first_node_tells_nothing() -> None:
    with pytest.raises(Unreadable, match="ends before the first node"):
        parse.lscluster(said("Calling node query for all nodes...\n"))


DISK = "hdisk0 00f939e23e8ab12b rootvg active\n"


@pytest.mark.parametrize("text, disk", [
    (DISK, ""), ("# lspv\n" + DISK, ""), ("NAME PVID VG STATUS\n" + DISK, ""),
    ("NAME PVID VG STATUS hdisk9 00 caavg_private\n", "NAME"),
    (DISK + "hdisk1 00f939e23e8ab12c caavg_private\n", "hdisk1"),
    (DISK + "hdisk1 00f939e23e8ab12c caavg_private active\n", "hdisk1"),
    (DISK + "hdisk1 garbled caavg_privateactive\n", "hdisk1"),
    (DISK + "hdisk1 00f939e23e8ab12c caavg_private\n0516-010 x\n", "hdisk1"),
])
def test_caavg_private_is_seen_wherever_it_stands(text: str, disk: str) -> None:
    assert parse.lspv(said(text)) == disk


@pytest.mark.parametrize("answer", [
    said(""), said("\n"), said("# lspv\n"), said(DISK, "", 1), said(DISK + "0516-010 lspv: something\n"),
    said("hdisk0 rootvg active\n"),
    said(DISK.strip() + " " + DISK), said("hdisk0\n"),
], ids=str)
def test_lspv_without_a_row_or_with_another_line_is_unreadable(answer: Answer) -> None:
    with pytest.raises(Unreadable):
        parse.lspv(answer)


@pytest.mark.parametrize("answer, name", [
    (said(""), ""), (said("", "odmget: something about HACMPcluster\n", 1), ""),
    (said("odmget: HACMPcluster: no such class\n"), ""),
    (said("", "0519-004 libodm: The specified object class does not exist.\n\tCheck path name and permissions.\n", 1), ""),
    (said("", "0519-004 the class was not found\n", 1), ""),
    (said('\nHACMPcluster:\n\tid = 0\n\tname = ""\n'), "unnamed"), (said("HACMPcluster:\n"), "unnamed"),
])
def test_the_odm_names_powerhas_cluster(answer: Answer, name: str) -> None:
    assert parse.odm_hacmpcluster(answer) == name


@pytest.mark.parametrize("answer", [
    said("", "", 1), said("", "odmget: permission denied on HACMPcluster\n", 1),
    said("", "odmget: cannot lock HACMPcluster\n", 1), said("", "libodm: HACMPcluster: the class is locked\n", 1),
    said("", "libodm: HACMPcluster: the file permissions\n\tCheck path name and permissions.\n", 1),
    said("hello\n"), said("", "cannot fork\n", 1), said('HACMPcluster: name = "a"\n', "odmget: HACMPcluster\n"),
    said('CuDv:\n\tname = "a"\n'),
], ids=str)
def test_an_odm_that_could_not_be_asked_is_unreadable(answer: Answer) -> None:
    with pytest.raises(Unreadable):
        parse.odm_hacmpcluster(answer)


@pytest.mark.parametrize("answer, name", [
    (said(""), ""), (said("no-cluster\n"), "no-cluster"), (said("ssp1,\n"), "ssp1"), (said("CLUSTER_NAME:    ssp1\n"), "ssp1"),
    (said("ssp1\n", "There is no cluster on this VIOS.\n", 1), "ssp1"),
    (said("", "There is no cluster on this VIOS.\n", 1), ""), (said("Cluster does not exist.\n", "", 1), ""),
    (said("This node is not part of any cluster.\n"), ""),
])
def test_a_vios_names_its_cluster_or_says_there_is_none(answer: Answer, name: str) -> None:
    assert parse.ioscli_cluster(answer) == name


@pytest.mark.parametrize("answer", [
    said("", "", 1), said("ssp1\n", "", 1), said("", "not authorized to run cluster\n", 1), said("two words\n"),
    said("ssp1\nssp2\n"), said("ssp1\nlogout\n"),
    said("", "Could not reach any node of the cluster.\n", 1), said("", "The database is not responding: cluster.\n", 1),
    said("", "complaint\n"),
], ids=str)
def test_a_vios_that_could_not_be_asked_is_unreadable(answer: Answer) -> None:
    with pytest.raises(Unreadable):
        parse.ioscli_cluster(answer)


# ---- the rest ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text, node_id", [
    ("ef889c809d9618d9\n# do not edit\n", "ef889c809d9618d9"), ("# a\n\nEF889C809D9618D9", "ef889c809d9618d9"),
    ("0xef889c809\n", "0000000ef889c809"), ("123456789", "0000000123456789"),
])
def test_a_node_id_is_sixteen_lower_hex_digits(text: str, node_id: str) -> None:
    assert parse.node_id(text) == node_id


@pytest.mark.parametrize("text", ["", "# only\n", "12345678\n", "xyz\n", "ef889c809d9618d9 0\n", "ef889c809d9618d900\n"])
def test_what_is_no_node_id_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        parse.node_id(text)


def test_a_failing_lsnodeid_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        parse.node_id(said("ef889c809d9618d9\n", "", 1))


@pytest.mark.parametrize("answer", [said(""), said("hello there\n"), said("A5E6DB96 0518 I S pmig x\n"), said("", "", 1)],
        ids=str)
def test_an_errpt_that_is_no_table_is_unreadable(answer: Answer) -> None:
    with pytest.raises(Unreadable):
        parse.errpt(answer)


def test_a_row_that_was_garbled_is_no_caption_for_it_may_tell_of_a_migration() -> None:
    garbled = "F2646817 110710172 I S pmig Client Partition Migration Started:\n"

    with pytest.raises(Unreadable, match="is not a row of errpt"):
        parse.errpt(said(garbled))
    assert parse.errpt(said("after the update:\n" + garbled.replace("110710172", "1107101726").replace(":", "")))


def test_errpt_keeps_the_newest_rows_only() -> None:
    text = "".join(f"A5E6DB96 0518141621 I S pmig row {number}\n" for number in range(MOST_LINES + 10))

    table = parse.errpt(said(text))

    assert (len(table), table[-1].description) == (MOST_LINES, f"row {MOST_LINES - 1}")


def test_a_table_of_too_many_lines_is_unreadable_for_the_one_that_matters_may_be_the_last() -> None:
    with pytest.raises(Unreadable, match="more than 4096 lines"):
        parse.lssrc(said("".join(f"s{number} active\n" for number in range(MOST_LINES)) + "cthags active\n"))


def test_a_line_that_is_too_long_hides_nothing_behind_its_end() -> None:
    with pytest.raises(Unreadable, match="a line of more than 4096 characters"):
        parse.lssrc(said(f"{HEADER} ctrmc inoperative{' ' * 4096}cthags active\n"))


@pytest.mark.parametrize("text", ["", "a\n", "=b\n", "A=b\nhello\n"])
def test_properties_that_are_no_pairs_are_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        parse.systemctl_show(said(text))


def test_nouns_hold_no_control_characters_and_are_short() -> None:
    (server,) = mcp(said(f'{TITLE}resource 1:\nHMCName = "a\x1b[2Jb\u202e{"c" * 3000}"\n'))

    assert server.name[:7] == "a?[2Jb?" and len(server.name) == 255


# ---- properties --------------------------------------------------------------------------------------------------------

TEXTS = {name: capture(name).stdout for name in READ}
PIECES = st.one_of(st.text(max_size=12), st.sampled_from([
    "\n", " ", "\t", '"', "{", "}", "=", ":", "0x", "active", "0513-085", "2612-023", "\x00", "\ud800", "9" * 5000, "#", "/",
    "resource 1:\n", POINTS, HEADER, TITLE,
]))


@FEW
@given(st.text(max_size=300), st.text(max_size=80), st.sampled_from([0, 1, 6]))
def test_nothing_but_unreadable_is_raised_whatever_is_said(text: str, stderr: str, code: int) -> None:
    for parser in PARSERS:
        attempt(parser, said(text + "\n", stderr, code))


@FEW
@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_nothing_but_unreadable_is_raised_however_a_capture_is_mangled(name: str, data: st.DataObject) -> None:
    text = TEXTS[name]
    start, end = (data.draw(st.integers(0, len(text))) for _ in range(2))
    mangled = text[:start] + data.draw(PIECES) + text[max(start, end) if data.draw(st.booleans()) else start:]

    for parser in PARSERS:
        attempt(parser, said(mangled, code=data.draw(st.sampled_from([0, 1, 6]))))
        attempt(parser, said(mangled + "\n"))


@FEW
@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_an_answer_cut_anywhere_is_unreadable(name: str, data: st.DataObject) -> None:
    whole = capture(name)
    kept = whole.stdout[:data.draw(st.integers(1, len(whole.stdout) - 1))]

    assert isinstance(attempt(READ[name][0], replace(whole, stdout=kept, cut=True)), Unreadable)
    if not kept.endswith("\n"):
        assert isinstance(attempt(READ[name][0], replace(whole, stdout=kept)), Unreadable)


@FEW
@given(st.sampled_from(SPOKEN), st.data())
def test_blanks_and_blank_lines_mean_nothing(name: str, data: st.DataObject) -> None:
    parser, nouns = READ[name]
    gaps = data.draw(st.lists(st.sampled_from(["\n", "\n\n", "  \n", "\r\n", "\n \t\n"]), min_size=1))
    lines = TEXTS[name].split("\n")[:-1]
    spaced = "".join(line + gaps[at % len(gaps)] for at, line in enumerate(lines))

    assert parser(said("\n" + spaced)) == nouns


@FEW
@given(st.sampled_from([name for name in SPOKEN if READ[name][0] in TABLES]))
def test_columns_may_be_wide_narrow_or_tabbed(name: str) -> None:
    parser, nouns = READ[name]

    for between in (" ", "\t", "     "):
        assert parser(said("".join(f"{between.join(line.split())}\n" for line in TEXTS[name].split("\n")))) == nouns


@FEW
@given(st.sampled_from(UNORDERED), st.randoms(use_true_random=False))
def test_the_order_of_rows_means_nothing(name: str, chance: Any) -> None:
    lines = TEXTS[name].rstrip("\n").split("\n")
    chance.shuffle(lines)

    assert READ[name][0](said("\n".join(lines) + "\n")) == READ[name][1]


@FEW
@given(st.sampled_from([name for name in READ if READ[name][0] is parse.lssrc]), st.data())
def test_a_lost_line_break_hides_no_subsystem_and_changes_no_state(name: str, data: st.DataObject) -> None:
    lines = TEXTS[name].split("\n")[:-1]
    at = data.draw(st.integers(0, len(lines) - 2))
    between = data.draw(st.sampled_from(["", " "]))

    found = attempt(parse.lssrc, said("\n".join([*lines[:at], lines[at] + between + lines[at + 1], *lines[at + 2:]]) + "\n"))

    if not isinstance(found, Unreadable) and not lines[at].startswith("#"):
        assert {key: one.state for key, one in found.items()} == {key: one.state for key, one in READ[name][1].items()}


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("text", [
    " " * 4000 + "x", "class " * 700 + "2612-", "a=" * 2000, '"' * 4000, "{" * 4000, "no " * 1300, "- " * 2000, "<-" * 2000,
    "/" * 4000,
    "State of node " * 300, "0" * 4000, "I A 0x1 1 a/ " * 300, "1." * 2000, "Attributes for " * 260,
    "HACMPcluster 0519-000" * 200,
], ids=lambda text: repr(text[:16]))
def test_no_line_takes_long_to_read(parser: Parser, text: str) -> None:
    answer = said(f"{text}\n" * 50, f"{text}\n" * 5, 0)
    started = time.process_time()

    attempt(parser, answer)

    assert time.process_time() - started < 1.0
