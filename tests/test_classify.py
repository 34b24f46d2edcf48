"""classify names every capture's kind from its text alone, tells its nouns, and meets whatever else with a sentence."""
from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmcagent import classify, cli

CAPTURES = Path(__file__).parent / "captures"
FEW = settings(max_examples=80, deadline=None)


def told(text: str, name: str = "") -> classify.Told:
    return classify.tell(io.BytesIO(text.encode("utf-8", "surrogatepass")).read, name)


def document(name: str) -> Dict[str, Any]:
    with (CAPTURES / f"{name}.txt").open("rb") as file:
        return classify.document(classify.tell(file.read))


# ---- captures ----------------------------------------------------------------------------------------------------------

# What each shows, as far as it is worth holding: a path into the document, and the value there.
SHOWN: Dict[str, Tuple[str, Dict[str, Any]]] = {
    "lssrc-a--aix72": ("lssrc", {
        "subsystems.ctrmc": {"state": "active", "pid": 6947412, "expected": "required"}, "subsystems.lpd": None,
        "subsystems.ctcas.expected": "on-demand", "cluster.state": "present", "cluster.recfgct": "forbidden"}),
    "lssrc-a--linux-narrow-pid": ("lssrc", {"subsystems.IBM.DRM": {"state": "active", "pid": 22133, "expected": "required"},
                                            "cluster": None}),
    "lssrc-a--grep-annotated": ("lssrc", {"subsystems.IBM.CSMAgentRM.state": "active"}),
    "lssrc-g--aix73-mcproxy": ("lssrc", {"subsystems.mcproxy.pid": 14484048}),
    "lssrc-s--not-on-file": ("lssrc", {"subsystems": {}, "because": "SRC has no subsystem ctfoo on file"}),
    "lssrc-ls-inetd--session": ("lssrc", {"subsystems.cthags.state": "inoperative", "cluster.state": "present"}),
    "lssrc-ls-mcproxy--two-hosts": ("lssrc -ls mcproxy", {
        "hmcs.0": {"address": "hmc-a.example.com", "name": "", "node_id": "", "link": "up", "reachable": None, "in_band": True}}),
    "lssrc-ls-mcproxy--inactive": ("SRC message", {"because": "mcproxy does not run, so it could not be asked"}),
    "lssrc-ls-clstrmgrES--init": ("lssrc -ls clstrmgrES", {"powerha": "ST_INIT", "cluster.recycle": "forbidden"}),
    "clshowsrv-v--offline": ("clshowsrv", {"powerha": "ST_INIT", "cluster.state": "present"}),
    "lssrc-S--definitions": ("lssrc -S", {"definitions.0.arguments": "-a IBM.LPCommands -r", "means": []}),
    "startsrc-g--already-active": ("startsrc", {"subsystems.IBM.HostRM.state": "active",
                                                "because": "IBM.HostRM is active already"}),
    "rmcdomainstatus--one-hmc": ("rmcdomainstatus", {
        "hmcs": [{"address": "192.0.2.24", "name": "", "node_id": "ef889c809d9618d8", "link": "up", "reachable": None,
                  "in_band": False}], "means": []}),
    "rmcdomainstatus--peers-and-hmc": ("rmcdomainstatus", {"peers": ["db1", "db3"], "cluster.state": "present", "nodes": [],
                                                           "hmcs.0.link": "up"}),
    "rmcdomainstatus--managed-nodes": ("rmcdomainstatus", {"hmcs": [], "nodes.0.link": "up", "nodes.0.address": "node4"}),
    "rmcdomainstatus--hmc-view": ("rmcdomainstatus", {
        "nodes": [{"address": "192.0.2.241", "node_id": "c8bc2c9647c1cf04", "link": "down"},
                  {"address": "192.0.2.33", "node_id": "96586cb4b5fc642d", "link": "up"}]}),
    "rmcdomainstatus--every-letter": ("rmcdomainstatus", {"hmcs.0.link": "pending", "hmcs.1.link": "down",
                                                          "hmcs.2.link": "suspended", "hmcs.3.link": "flapping"}),
    "lsrsrc-IBM.MCP--stale-and-new": ("lsrsrc IBM.MCP", {"hmcs.0.name": "7042CR8*7654321", "hmcs.1.address": "198.51.100.249"}),
    "lsrsrc-IBM.MCP--peer-domain": ("lsrsrc IBM.MCP", {"cluster.evidence": "ActivePeerDomain is db_Clu"}),
    "lsrsrc-IBM.MCP--attribute": ("lsrsrc IBM.MCP", {"hmcs.0.address": "192.0.2.231"}),
    "lsrsrc-IBM.MCP--none": ("lsrsrc IBM.MCP", {"hmcs": [], "because": "0 HMCs known"}),
    "lsrsrc-IBM.MCP--ipv6-and-key": ("lsrsrc IBM.MCP", {"hmcs.0.address": "2001:db8::10"}),
    "lsrsrc-IBM.ManagementServer--annotated": ("lsrsrc IBM.ManagementServer", {"hmcs.0.address": "hmc-b"}),
    "lsrsrc-IBM.Foo--types": ("lsrsrc IBM.Foo", {"resources": 1}),
    "lsrsrc-IBM.MCP--2612-023-zh": ("RMC error message", {"messages": {"2612-023": 1}}),
    "lsrsrc-IBM.MCP--2610-444": ("RMC error message", {"messages": {"2610-444": 1}}),
    "lsrsrc-IBM.MCP--not-installed": ("command not found", {"missing": ["lsrsrc"]}),
    "lsrpdomain--offline": ("lsrpdomain", {
        "peer_domains": [{"name": "foodomain", "state": "Offline"}], "cluster.state": "absent", "cluster.recycle": None,
        "cluster.recfgct": "forbidden"}),
    "lsrpdomain--pending": ("lsrpdomain", {"cluster.state": "present", "cluster.recycle": "forbidden"}),
    "recfgct--refused": ("recfgct", {"outcome": "refused", "peer_domains.0.name": "foo_clu", "cluster.recfgct": "forbidden"}),
    "recfgct--done": ("recfgct", {"outcome": "done", "subsystems.ctrmc.pid": 11993400}),
    "lscluster-m--flattened": ("lscluster -m", {"cluster.state": "present", "nodes": ["a.example.com", "b.example.com"]}),
    "lscluster-m--none": ("lscluster -m", {"cluster.state": "absent"}),
    "lspv--caavg": ("lspv", {"cluster.evidence": "lspv: caavg_private on hdisk2", "cluster.recfgct": "forbidden"}),
    "lspv--plain": ("lspv", {"cluster.state": "unknown", "cluster.recycle": None}),
    "ct_clusterinfo-c--standalone": ("ct_clusterinfo", {"cluster.state": "unknown"}),
    "odmget-HACMPcluster--defined": ("odmget HACMPcluster", {"cluster.state": "present"}),
    "ioscli-cluster-status--pool": ("cluster -status", {"nodes": ["vios1.example.com", "vios3.example.com"]}),
    "errpt--migrations": ("errpt", {"entries.0.resource": "pmig", "entries.0.class": "S", "means": []}),
    "errpt--then-detail": ("errpt", {"labels": {"RMCD_INFO_2_ST": 1}}),
    "lspartition-dlpar--broken": ("lspartition", {
        "partitions.0.dlpar_capable": True, "partitions.1.dlpar_capable": False, "partitions.1.id": "4*9009-41A*7654321",
        "partitions.1.name": "lp4.example.com", "partitions.1.address": "192.0.2.71"}),
    "lspartition-dlpar--wrapped": ("lspartition", {"partitions.1.address": "192.0.2.176"}),
    "lspartition-dlpar--four-active": ("lspartition", {"because": "2 partitions, 2 DLPAR-capable"}),
    "lssyscfg-r-lpar--echoed-fields": ("lssyscfg", {"because": "3 partitions, 2 DLPAR-capable"}),
    "lssyscfg-r-lpar--header": ("lssyscfg", {"because": "3 partitions, 0 DLPAR-capable, 2 not told",
                                             "partitions.1.dlpar_capable": None}),
    "lssyscfg-r-lpar--attributes": ("lssyscfg", {"partitions.0.dlpar_capable": False}),
    "IBM.MgmtDomainRM.default--hmc-side": ("IBM.MgmtDomainRM log", {
        "log.side": "hmc", "log.messages": {"2613-021": 2, "2613-023": 6, "2613-027": 3}, "log.bytes_per_second": 220.3}),
    "ps-ef--with-r": ("ps", {"remote": True, "means": []}),
    "ps-ef--without-r": ("ps", {"remote": False}),
    "nc--657-answers": ("nc", {"hmcs.0.reachable": True, "hmcs.0.address": "192.0.2.10", "port": 657, "means": []}),
    "netstat-Aan--aix73": ("netstat", {"listening": [657], "hmcs.0.address": "192.0.2.10"}),
    "netstat-Aan--without-rmc": ("netstat", {"listening": []}),
    "ctsvhbal--two": ("ctsvhbal", {"identities": ["lp2.example.com", "192.0.2.102"]}),
    "ctsthl-l--two": ("ctsthl -l", {"trusted_hosts.0.identity": "192.0.2.102"}),
    "lsnodeid--plain": ("lsnodeid", {"node_id": "ef889c809d9618d9"}),
    "lsattr-El-cluster0--uuid": ("lsattr -El cluster0", {"node_uuid": "4711c0de-1a2b-11ee-8c90-0a1b2c3d4e5f"}),
    "oslevel-s--aix72": ("oslevel", {"level": "7200-05-04-2221"}),
    "ioscli-ioslevel--3.1.4": ("ioscli ioslevel", {"level": "3.1.4.21"}),
    "lsitab-ctrmc--once": ("lsitab", {"entry.action": "once", "means": []}),
    "systemctl-show-ctrmc--active": ("systemctl show", {"unit.MainPID": "1188"}),
}


def at(value: Any, path: str) -> Any:
    """What stands at a path; names of subsystems have dots themselves, so the longest that is there is taken."""
    words = path.split(".") if path else []
    while words:
        if isinstance(value, list):
            value, words = value[int(words[0])], words[1:]
            continue
        size = next((size for size in range(len(words), 0, -1) if ".".join(words[:size]) in value), 0)
        if not size:
            return None
        value, words = value[".".join(words[:size])], words[size:]
    return value


@pytest.mark.parametrize("name", SHOWN)
def test_a_captures_kind_and_nouns_are_told_from_its_text_alone(name: str) -> None:
    kind, nouns = SHOWN[name]

    shown = document(name)

    assert (shown["kind"], shown["understood"], shown["schema"]) == (kind, True, 1)
    assert {path: at(shown, path) for path in nouns} == nouns


@pytest.mark.parametrize("name", [path.name for path in sorted(CAPTURES.glob("*.txt"))])
def test_every_capture_is_told_on_80_columns_of_plain_ascii(name: str) -> None:
    with (CAPTURES / name).open("rb") as file:
        made = classify.tell(file.read, name)

    screen = classify.text(made)

    assert made.understood and screen.startswith(f"* {made.kind}: ")
    assert all(len(line) <= 80 and line.isascii() and line.isprintable() for line in screen.splitlines())


def test_what_is_wrong_is_said_with_what_it_means() -> None:
    assert "no HMC reaches" in told(" ctrmc rsct inoperative\n IBM.DRM rsct_rm inoperative\n").means[0]
    assert "MTU" in told("Management Control Points\n X A 0x1 0001 192.0.2.1\n").means[0]
    assert "same node id" in told("Management Control Points\n Z A 0x1 0001 192.0.2.1\n").means[0]
    assert "no HMC can connect" in document("ps-ef--without-r")["means"][0]
    assert "look there" in document("IBM.MgmtDomainRM.default--hmc-side")["means"][0]
    assert "without cthags" in told(" cthags cthags inoperative\n clconfd caa 7 active\n").means[0]
    assert told(" ctrmc rsct 7 active\n ctcas rsct inoperative\n").means == ()
    assert told(" IBM.MgmtDomainRM rsct_rm 7 active\n IBM.CSMAgentRM rsct_rm inoperative\n").means == ()


def test_a_node_of_a_cluster_is_warned_of() -> None:
    assert "are not for a node of a cluster" in classify.text(told(" cthags cthags 7 active\n"))
    assert "cluster" not in classify.text(told(" cthags cthags inoperative\n"))


def test_the_partitions_that_are_lost_stand_first_on_the_screen_and_in_place_in_the_document() -> None:
    made = told("name,rmc_state\n" + "".join(f"lp{number},active\n" for number in range(20)) + "lost,inactive\n")

    assert classify.text(made).splitlines()[1].lstrip().startswith("DLPAR: lost: no, ")
    assert classify.document(made)["partitions"][20]["name"] == "lost"


ERRPT = ("A6DF45AA   0925162713 I O RMCdaemon      The daemon is started.\n"
         "1BA7DF4E   {} P S SRC            SOFTWARE PROGRAM ERROR\n")
MOVED = "F2646817   1107101722 I S pmig           Client Partition Migration Started\n"


def test_the_error_log_tells_of_a_crash_and_of_a_migration_without_an_end() -> None:
    assert "as after a crash of RMC" in told(ERRPT.format("0925162713")).means[0]
    assert "errpt -a tells which" in told(ERRPT.format("0924162713")).means[0]
    assert "its end is not logged" in told(MOVED).means[0]
    assert told(MOVED.replace("Started", "Completed") + MOVED).means == ()


def test_a_key_is_never_shown() -> None:
    resource, trusted = document("lsrsrc-IBM.MCP--ipv6-and-key"), document("ctsthl-l--two")

    assert "c2VjcmV0" not in json.dumps(resource) and "120200d1" not in json.dumps(trusted)


SECRET = "5f5fSECRETKEY9c81d2e3"
WITH_KEY = {
    "a unit's environment": "LoadState=loaded\nEnvironment=RMCKey=0x{}\n",
    "a unit's description": "LoadState=loaded\nId=RMCKey=0x{}\n",
    "a property": "Id=ctrmc\nRMCKey=0x{}\nX=1\n",
    "arguments": "#subsysname:synonym:cmdargs:path:uid:grpname:action:\nctrmc:: -r RMCKey=0x{}:/rmcd:0:rsct:-O:\n",
    "a name": 'Resource Persistent Attributes for IBM.MCP\nresource 1:\n\tHMCName = "a" RMCKey = "0x{}"\n',
    "an address": 'Resource Persistent Attributes for IBM.MCP\nresource 1:\n\tHMCIPAddr = "RMCKey,0x{}"\n',
    "another class": 'Resource Persistent Attributes for IBM.Foo\nresource 1:\n\tRMCKey = "0x{}"\n',
    "the error log": "IDENTIFIER TIMESTAMP  T C RESOURCE_NAME  DESCRIPTION\n69350832   0601120025 T S SRC  RMCKey 0x{}\n",
    "an HMC's partition": "<#0> Partition:<1*9009-42A*1234567, RMCKey0x{}, 192.0.2.1>\n Active:<1>, OS:<AIX>, DCaps:<0x1>\n",
    "an HMC's list": "name=RMCKey=0x{},rmc_state=active\n",
    "a lost command": "RMCKey/0x{}: not found\n",
    "a lost command's folder": "/opt/RMCKey/0x{}: not found\n",
    "SRC's message": "0513-059 The RMCKey{} Subsystem has been started.\n",
    "a pool": "CLUSTER_NAME: RMCKey{}\n",
    "inittab": "ctrmc:2:once:/x RMCKey=0x{}\n",
    "subsystems": " RMCKey{} rsct 7 active\n ctrmc rsct 7 active\n",
    "nothing known": "RMCKey 0x{}\n",
}


@pytest.mark.parametrize("name", WITH_KEY)
@pytest.mark.parametrize("file", ["", "ct_clusterinfo-c.txt", "lspv.txt"])
def test_no_key_is_shown_wherever_it_was_told(name: str, file: str) -> None:
    made = told(WITH_KEY[name].format(SECRET), file)

    shown = (classify.text(made, 40), classify.text(made, 200), json.dumps(classify.document(made)), classify.complaint(made))
    assert not any("SECRETKEY" in said.replace("\n", "") for said in shown)


def test_what_stands_in_the_place_of_a_key_says_so() -> None:
    made = told(WITH_KEY["SRC's message"].format(SECRET))

    assert classify.document(made)["because"] == "a line with a key"
    assert list(classify.document(made)["subsystems"]) == ["a line with a key"]
    assert classify.text(made).startswith("* startsrc: a line with a key\n")


def test_what_only_names_a_key_is_kept_back_too() -> None:
    made = told("0513-059 The RMCKeys Subsystem has been started.\n")

    shown = classify.text(made) + json.dumps(classify.document(made))
    assert made.secrets == frozenset() and "rmckey" not in shown.lower()


def test_of_a_unit_only_its_states_are_shown() -> None:
    made = told("Id=ctrmc.service\nActiveState=active\nEnvironment=A=b\nExecStart=/x -p secret\n")

    assert made.nouns["unit"] == {"Id": "ctrmc.service", "ActiveState": "active"}


@pytest.mark.parametrize("text, reachable, means", [
    ("Connection to 192.0.2.1 657 port [tcp/rmc] succeeded!\n", True, ""),
    ("nc: connect to 192.0.2.1 port 657 (tcp) failed: Connection refused\n", False, "nothing listens on port 657 there"),
    ("# nc -zv 192.0.2.1 657\nNcat: Connection timed out.\n", False, "look at routes and firewalls"),
    ("# nc -zv 192.0.2.1 657\nNcat: Version 7.92\n", None, ""),
])
def test_nc_tells_whether_a_port_answers(text: str, reachable: Optional[bool], means: str) -> None:
    made = told(text)

    assert (made.kind, made.nouns["hmcs"][0]["address"], made.nouns["hmcs"][0]["reachable"]) == ("nc", "192.0.2.1", reachable)
    assert means in " ".join(made.means) and bool(made.means) == bool(means)


# ---- names are hints ---------------------------------------------------------------------------------------------------

def test_a_files_name_helps_where_the_text_says_nothing() -> None:
    assert told("foo_cluster\n").kind == "unknown"
    named = told("foo_cluster\n", "/bundle/ct_clusterinfo-c--foo.txt")

    assert (named.kind, named.nouns["cluster"]["state"]) == ("ct_clusterinfo", "present")
    assert told("ssp_foo\n", "ioscli-cluster-list.txt").kind == "cluster -list"


def test_a_files_name_never_overrides_the_text() -> None:
    assert told(" ctrmc rsct 7 active\n", "rmcdomainstatus.txt").kind == "lssrc"
    assert told("what is this\n", "lspv.txt") == classify.Told(
        'its name says lspv, but it does not read as that: "what is this" is not a row of lspv', understood=False)
    assert "holds no entry of one" in told("what is this\n", "IBM.MgmtDomainRM.default").because


@pytest.mark.parametrize("line", ["# ioscli cluster -list", "foo1:/#/usr/ios/cli/ioscli cluster -list",
                                  "padmin@vios1:~> cluster -list", "Running 'cluster -list'"])
def test_an_echoed_command_helps(line: str) -> None:
    made = told(f"{line}\nssp_foo\n")

    assert (made.kind, made.nouns["cluster"]["state"]) == ("cluster -list", "present")


def test_a_sentence_about_a_command_is_no_echo() -> None:
    assert told("ps shows what runs\nlssrc shows subsystems\n").kind == "unknown"


# ---- logs --------------------------------------------------------------------------------------------------------------

def entry(second: int, number: str = "2613-016") -> str:
    at = f"Wed Apr 5 10:{second // 60 % 60:02}:{second % 60:02} CUT 2017(000001)"
    return f"{at} ../src/rsct/rm/MgmtDomainRM/PKE_client.c/00546/1.13 {number} PKE timed out with the node at 192.0.2.1.\n"


def test_a_log_of_any_size_is_read_in_pieces() -> None:
    text = "".join(entry(second) for second in range(3000)) * 6
    sizes: List[int] = []
    source = io.BytesIO(text.encode())

    def read(size: int) -> bytes:
        sizes.append(size)
        return source.read(size)

    made = classify.tell(read)

    assert made.nouns["log"]["messages"] == {"2613-016": 18000} and made.nouns["log"]["bytes"] == len(text)
    assert made.nouns["log"]["side"] == "network" and max(sizes) <= 1 << 20


def test_a_line_longer_than_a_piece_hides_no_other() -> None:
    made = told(entry(1) + "x" * (3 << 20) + "\n" + entry(2) * 9)

    assert made.nouns["log"]["messages"] == {"2613-016": 10}


def test_a_message_gets_its_meaning_and_a_benign_one_no_alarm() -> None:
    empty_slots = told(entry(1, "2613-023") + entry(6, "2613-023"))

    assert empty_slots.means == () and empty_slots.nouns["log"]["side"] == "benign"
    assert "an HMC slot of the firmware is empty" in classify.text(empty_slots)
    assert "not known" in classify.text(told(entry(1, "2613-099")))


def test_a_pace_that_cannot_be_told_is_null() -> None:
    assert told(entry(1)).nouns["log"]["bytes_per_second"] is None
    assert told(entry(9) + entry(1)).nouns["log"]["bytes_per_second"] is None


# ---- what is hostile, or nothing ---------------------------------------------------------------------------------------

HOSTILE = ["", "\n\n", "foo\n", "\x1b[31mfoo\n", " ctrmc rsct 7 act\x1b[2Jive\n", "ctrmc\x00 active\n", "a" * 10240 + "\n",
           " ctrmc rsct 7 active" + " " * 10240 + "\n", "\ufeff\u202eevil\n", "Management Control Points\n\x1b]0;x\x07\n",
           "<#0> Partition:<\x1b[31m>\n", "Resource Persistent Attributes for IBM.MCP\nresource 1:\n RMCKey = \"s3cret\n",
           "0513-085 The \x1b[31mfoo Subsystem is not on file.\n", "IDENTIFIER TIMESTAMP\n", "#subsysname:\nfoo\n",
           "nc: connect to \x1b port 657\n", "\x1b[31m: not found\n", "LABEL: x\n", "Host Identity: \x1b\n",
           "lssyscfg -r lpar -F\n", '# lsrsrc "IBM.Foo"\nfoo\n', "# lsrsrc IBM.MCP\nfoo\n"]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text)[:40])
def test_hostile_text_gives_a_sentence(text: str) -> None:
    made = told(text)

    for said in (classify.text(made), classify.complaint(made), json.dumps(classify.document(made))):
        assert "s3cret" not in said
    assert made.because and all(line.isascii() and line.isprintable() for line in classify.text(made).splitlines())
    assert made.understood or classify.complaint(made).startswith("cannot ")


@FEW
@given(st.binary(max_size=400), st.sampled_from(sorted(SHOWN)), st.integers(0, 2000))
def test_a_capture_with_rubbish_in_it_is_told_or_refused(rubbish: bytes, name: str, where: int) -> None:
    data = (CAPTURES / f"{name}.txt").read_bytes()

    made = classify.tell(io.BytesIO(data[:where] + rubbish + data[where:]).read, name)

    assert all(line.isprintable() for line in classify.text(made).splitlines())
    assert isinstance(json.dumps(classify.document(made)), str)


@pytest.mark.parametrize("data, kind, understood", [
    (b"\x09\x00\x6b\xea\x74\xfb\x01\x00" + bytes(500), "backup image", True),
    (b"\x1f\x8b\x08\x00" + bytes(9), "gzip archive", False),
    (bytes(range(256)) * 20, "binary data", False), (bytes(4096), "binary data", False),
])
def test_a_file_that_is_no_text_is_named(data: bytes, kind: str, understood: bool) -> None:
    made = classify.tell(io.BytesIO(data).read)

    assert (made.kind, made.understood) == (kind, understood)


def test_text_without_bound_is_not_read() -> None:
    left = [64 << 20]

    def read(size: int) -> bytes:
        left[0] -= size
        return (b"x y\n" * (size // 4 + 1))[:size]

    made = classify.tell(read)

    assert "more than 4 MiB" in made.because and not made.understood and left[0] > 56 << 20


def test_an_editors_marks_and_line_ends_do_not_matter() -> None:
    assert told("\ufeff7200-05-04-2221\r\n").kind == "oslevel"
    assert told("Management Control Points\r\n I A 0x1 0001 192.0.2.1\r\n").kind == "rmcdomainstatus"


def test_what_may_be_cut_or_left_out_is_noted() -> None:
    many = "name,rmc_state\n" + "".join(f"lp{number},active\n" for number in range(300))

    assert "its last line has no end, and may be cut" in classify.text(told(" ctrmc rsct 7 active"))
    assert classify.document(told(many))["notes"] == ["only 256 of the 300 partitions are listed"]


@pytest.mark.parametrize("text", ["\n" * 2000000, " " * 2000000, "active " * 300000, "<#1> Partition:" * 130000, "a:" * 1000000,
                                  "mcproxy Hostname " * 120000, "RMCKey 12345678\n" * 60000,
                                  "Attributes for IBM.MCP\nresource 1:\n" + "\trmckey = \"\n" * 80000], ids=lambda text: text[:8])
def test_no_text_takes_long(text: str) -> None:
    before = os.times().user

    told(text)

    assert os.times().user - before < 2.0


# ---- the command -------------------------------------------------------------------------------------------------------

def test_the_command_prints_a_screen_or_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(CAPTURES / "lspartition-dlpar--broken.txt")

    assert cli.main(["classify", path]) == 0
    assert capsys.readouterr().out.startswith("* lspartition: 2 partitions, 1 DLPAR-capable\n")
    assert cli.main(["classify", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["partitions"][1]["dlpar_capable"] is False


def test_what_cannot_be_told_ends_with_1_and_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "foo.txt"
    path.write_bytes(b"\x1b[31mfoo \xff\xfe\n")

    assert cli.main(["classify", str(path)]) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("rmcagent: cannot classify: ") and "rmcdomainstatus" in said.err
    assert cli.main(["classify", str(path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["kind"] == "unknown"


@pytest.mark.parametrize("name, code", [("missing.txt", 1), ("", 1)])
def test_a_file_that_cannot_be_read_ends_with_a_sentence(
        name: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["classify", str(tmp_path / name)]) == code
    assert capsys.readouterr().err.startswith("rmcagent: cannot use ")


@pytest.mark.parametrize("words", [["classify"], ["classify", "-"], ["classify", "-", "--json"]])
def test_standard_input_is_read_by_anybody_without_a_configuration(words: List[str]) -> None:
    text = (CAPTURES / "rmcdomainstatus--one-hmc.txt").read_bytes()
    environment = {"PYTHONPATH": str(Path(classify.__file__).parent.parent.parent), "PATH": "/usr/bin:/bin"}

    ran = subprocess.run([sys.executable, "-m", "rmcagent", *words], input=text, capture_output=True, env=environment, timeout=60)

    assert (ran.returncode, ran.stderr) == (0, b"") and b"192.0.2.24" in ran.stdout
