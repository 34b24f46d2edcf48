"""Identity, definitions, levels and what an HMC says: captures read as exactly what they show, all else is Unreadable."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmcagent.model import Answer
from rmcagent.partition import parse
from rmcagent.partition.parse import Definition, InitEntry, TrustedHost, Unreadable, hmc
from rmcagent.partition.parse.lines import UNPRINTABLE

CAPTURES = Path(__file__).parent / "captures"
FEW = settings(max_examples=60, deadline=None)
Parser = Callable[[Answer], Any]


def said(text: str, stderr: str = "", code: Optional[int] = 0, **how: Any) -> Answer:
    return Answer("answer", code, text, stderr, **how)


def capture(name: str) -> Answer:
    return Answer(name, 0, (CAPTURES / f"{name}.txt").read_text(encoding="utf-8"))


def capable(parser: Parser, name: str) -> List[Tuple[str, str, str, Optional[bool]]]:
    return [(one.id, one.name, one.address, one.dlpar_capable) for one in parser(capture(name))]


READ: Dict[str, Tuple[Parser, Any]] = {
    "lssrc-S--definitions": (parse.lssrc_definitions, (
        Definition("ctrmc", "/opt/rsct/bin/rmcd", "-a IBM.LPCommands -r", "respawn", "rsct"),
        Definition("foo.1", "/opt/foo/bin/food", "", "once", "foo"))),
    "ctsvhbal--two": (parse.ctsvhbal, ("lp2.example.com", "192.0.2.102")),
    "ctsthl-l--two": (parse.ctsthl, (
        TrustedHost("192.0.2.102", "rsa2048_sha256", "6ba612d1bb75a20a"),
        TrustedHost("lp2.example.com", "rsa2048_sha256", "6ba612d1bb75a20a"))),
    "lsattr-El-cluster0--uuid": (parse.cluster0_uuid, "4711c0de-1a2b-11ee-8c90-0a1b2c3d4e5f"),
    "lsitab-ctrmc--once": (parse.lsitab, InitEntry("ctrmc", "2", "once", "/usr/bin/startsrc -s ctrmc > /dev/console 2>&1")),
    "oslevel-s--aix72": (parse.oslevel, "7200-05-04-2221"),
    "ioscli-ioslevel--3.1.4": (parse.ioslevel, "3.1.4.21"),
    "ps-ef--with-r": (parse.rmcd_takes_remote, True),
    "ps-ef--without-r": (parse.rmcd_takes_remote, False),
}
PARSERS: List[Parser] = [
    parse.lssrc_definitions, parse.ctsvhbal, parse.ctsthl, parse.cluster0_uuid, parse.lsitab, parse.oslevel, parse.ioslevel,
    parse.uname, parse.uname_partition, parse.systemctl_is_enabled, parse.lsivm, parse.rmcd_takes_remote, hmc.lspartition,
    hmc.lssyscfg,
]


@pytest.mark.parametrize("name", READ)
def test_a_capture_reads_as_exactly_what_it_shows(name: str) -> None:
    parser, nouns = READ[name]

    assert parser(capture(name)) == nouns


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("broken", [
    {"timed_out": True}, {"cut": True}, {"code": None}, {"code": -9}, {"code": 126}, {"code": 127}, {"text": "ctrmc rsct 1 act"},
    {"code": 3, "text": "what\n"},
], ids=str)
def test_an_answer_that_was_not_heard_to_its_end_is_unreadable(parser: Parser, broken: Dict[str, Any]) -> None:
    answer = said(**{"text": "", **broken})

    with pytest.raises(Unreadable, match="^cannot read answer: "):
        parser(answer)


@FEW
@given(st.text(max_size=300), st.sampled_from(PARSERS), st.sampled_from([0, 1]))
def test_whatever_is_said_nothing_but_unreadable_leaves_a_parser(text: str, parser: Parser, code: int) -> None:
    try:
        parser(said(text + "\n", code=code))
    except Unreadable as reason:
        assert str(reason).startswith("cannot read answer: ") and not UNPRINTABLE.search(str(reason))


@FEW
@given(st.data(), st.sampled_from([*READ, "lspartition-dlpar--wrapped", "lssyscfg-r-lpar--header"]))
def test_a_torn_capture_reads_or_is_unreadable(data: st.DataObject, name: str) -> None:
    text = capture(name).stdout
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    parser = READ[name][0] if name in READ else hmc.lspartition if name.startswith("lspart") else hmc.lssyscfg

    try:
        parser(said(text[:start] + text[end:] + "\n"))
    except Unreadable:
        pass


# ---- SRC ---------------------------------------------------------------------------------------------------------------

FIELDS = "#subsysname:cmdargs:path:action:grpname:\n"


def test_a_definition_is_read_by_the_headers_names() -> None:
    found = parse.lssrc_definitions(said(FIELDS + "foo:-r:/bin/foo:-R:bar:\n"))

    assert found == (Definition("foo", "/bin/foo", "-r", "respawn", "bar"),)


@pytest.mark.parametrize("text", ["foo:-r:/bin/foo:-R:bar:\n", FIELDS, FIELDS + "foo:-l a:b:/bin/foo:-R:bar:\n", "\n"])
def test_a_definition_whose_fields_may_have_shifted_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        parse.lssrc_definitions(said(text))


def test_no_definition_is_an_answer_where_src_says_so() -> None:
    assert parse.lssrc_definitions(said("", "0513-085 The foo Subsystem is not on file.\n", 1)) == ()


# ---- identity ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("answer", [
    said("", "lsattr: 0514-519 No such device in the database:\n\tcluster0\n", 1),
    said("node_uuid 00000000-0000-0000-0000-000000000000 OS image identifier True\n"),
])
def test_no_device_and_a_zeroed_one_have_no_uuid(answer: Answer) -> None:
    assert parse.cluster0_uuid(answer) == ""


@pytest.mark.parametrize("answer", [
    said("", "lsattr: 0514-001 System error:\n", 1), said("node_uuid yes\n"), said("clvdisk N/A True\n"), said("\n"),
    said("node_uuid 4711c0de-1a2b-11ee-8c90-0a1b2c3d4e5f x\nnode_uuid 4711c0de-1a2b-11ee-8c90-0a1b2c3d4e50 x\n"),
])
def test_a_uuid_is_never_guessed(answer: Answer) -> None:
    with pytest.raises(Unreadable):
        parse.cluster0_uuid(answer)


KEY = "120200" + "a1b2c3d4" * 40


def test_a_key_is_never_kept_and_stays_comparable() -> None:
    text = f"Host Identity: foo\nIdentifier Value: {KEY}\nIdentifier Generation Method: rsa1024\n"

    entry, = parse.ctsthl(said(text))
    other, = parse.ctsthl(said(text.replace("c3d4\n", "c3d5\n")))

    assert (entry.identity, entry.method, len(entry.digest)) == ("foo", "rsa1024", 16)
    assert entry.digest not in KEY and other.digest != entry.digest


@pytest.mark.parametrize("text", [
    f"Host Identity: foo\nIdentifier Value: {KEY}\n", f"Identifier Generation Method: rsa512\nIdentifier Value: {KEY}\n",
    f"Host Identity: foo\nMethod: rsa512\nIdentifier Value: {KEY}xyz\n",
    "Host Identity: foo\nMethod: rsa512\nIdentifier Value:\n", "\n",
])
def test_an_entry_that_lacks_a_part_is_unreadable_and_no_reason_shows_a_key(text: str) -> None:
    with pytest.raises(Unreadable) as reason:
        parse.ctsthl(said(text))

    assert "a1b2c3d4" not in str(reason.value)


# ---- the machine -------------------------------------------------------------------------------------------------------

def test_no_entry_of_inittab_is_an_answer_and_a_complaint_is_not() -> None:
    assert parse.lsitab(said("", code=1)) is None
    with pytest.raises(Unreadable):
        parse.lsitab(said("", "lsitab: cannot open /etc/inittab\n", 1))
    with pytest.raises(Unreadable):
        parse.lsitab(said("ctrmc:2:once:a\nfoo:2:once:b\n"))


@pytest.mark.parametrize("text", ["0000-00-00-0000\n", "7200-05\n", "7200-05-03-2148 x\n", "\n", 2 * "7200-05-03-2148\n"])
def test_a_level_that_aix_cannot_tell_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        parse.oslevel(said(text))


def test_uname_tells_machine_and_partition() -> None:
    assert parse.uname(said("IBM,9009-42A\n")) == "IBM,9009-42A"
    assert parse.uname_partition(said("12 lp twelve\n")) == (12, "lp twelve")
    assert parse.uname_partition(said("-1 NULL\n")) is None
    with pytest.raises(Unreadable):
        parse.uname(said("AIX lp12\n"))


def test_whether_a_unit_is_enabled_is_told_whatever_the_exit_code() -> None:
    assert parse.systemctl_is_enabled(said("enabled\n")) == "enabled"
    assert parse.systemctl_is_enabled(said("masked\n", code=1)) == "masked"
    missing = said("", "Failed to get unit file state for ctrmc.service: No such file or directory\n", 1)
    assert parse.systemctl_is_enabled(missing) == "not-found"
    with pytest.raises(Unreadable):
        parse.systemctl_is_enabled(said("", "Failed to connect to bus\n", 1))


@pytest.mark.parametrize("code, well", [(0, True), (1, False)])
def test_lsivm_answers_by_its_exit_code(code: int, well: bool) -> None:
    assert parse.lsivm(said("", code=code)) is well


ROW = "    root 266470 196822   0   Nov 21      -  0:03 /usr/sbin/rsct/bin/rmcd"


@pytest.mark.parametrize("text, enabled", [
    (ROW + " -a IBM.LPCommands -r\n", True), (ROW + " -r -a IBM.LPCommands\n", True), (ROW + "\n", False),
    ("/opt/rsct/bin/rmcd -a IBM.LPCommands -r\n", True), ("rmcd -a x\n", False),
    ("root 7 1 0 Jan02 ? 1-00:01:12 /opt/rsct/bin/rmcd -a -r2\n", False),
    ("root 8 7 0 10:00:00 pts/0 0:00 grep /opt/rsct/bin/rmcd -r\n", None),
    ("root 9 1 0 Nov 21 - 0:00 /opt/rsct/bin/rmcdx -r\n", None),
])
def test_remote_clients_are_enabled_where_rmcd_itself_has_the_flag(text: str, enabled: Optional[bool]) -> None:
    assert parse.rmcd_takes_remote(said(text)) is enabled


@pytest.mark.parametrize("text", [(ROW + " -a IBM.LPCommands")[:80] + "\n", ROW + " -r\n" + ROW + "\n", "\n"])
def test_a_row_that_a_terminal_may_have_cut_does_not_tell(text: str) -> None:
    with pytest.raises(Unreadable):
        parse.rmcd_takes_remote(said(text))


# ---- the HMC -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, partitions", [
    ("lspartition-dlpar--four-active", [
        ("2*9009-42A*1234567", "", "192.0.2.102", True), ("11*9009-42A*1234567", "lp11.example.com", "192.0.2.111", True)]),
    ("lspartition-dlpar--broken", [
        ("3*9009-41A*7654321", "lp3.example.com", "192.0.2.18", True),
        ("4*9009-41A*7654321", "lp4.example.com", "192.0.2.71", False)]),
    ("lspartition-dlpar--wrapped", [
        ("5*9009-41A*7654321", "lp5.example.com", "192.0.2.75", False),
        ("6*9009-41A*7654321", "a-long-host-name-of-a-partition.example.com", "192.0.2.176", False)]),
])
def test_lspartition_tells_whom_dlpar_reaches(name: str, partitions: List[Tuple[str, str, str, Optional[bool]]]) -> None:
    assert capable(hmc.lspartition, name) == partitions


def test_why_a_partition_is_not_capable_says_whose_fault_it_is() -> None:
    connected, remembered = hmc.lspartition(capture("lspartition-dlpar--wrapped"))
    _, lost = hmc.lspartition(capture("lspartition-dlpar--broken"))

    assert "on the HMC" in connected.because and "rebuild" in connected.because and "not a fault of the" in connected.because
    assert "Active<0>" in remembered.because and "DCaps 0x2f" in remembered.because
    assert "Active<0>" in lost.because and "657" in lost.because and "HMC: chsysstate" not in lost.because


HEAD = "<#0> Partition:<2*9009-42A*1234567, lp2, 192.0.2.2>\n"


@pytest.mark.parametrize("fields, capable", [
    ("Active:<1>, DCaps:<0x1>", True), ("Active:<1>, DCaps:<0x0>", False), ("Active:<0>, DCaps:<0x1>", False),
    ("Active:<1>", None), ("DCaps:<0x1>", None), ("Active:<2>, DCaps:<0x1>", None), ("Active:<1>, DCaps:<x>", None), ("", None),
])
def test_dlpar_needs_a_connection_and_capabilities(fields: str, capable: Optional[bool]) -> None:
    partition, = hmc.lspartition(said(HEAD + fields + "\n"))

    assert partition.dlpar_capable is capable and partition.because


def test_a_value_that_a_terminal_broke_is_one() -> None:
    partition, = hmc.lspartition(said(HEAD.replace("lp2", "lp2.exam\nple.com") + "Active:<1>, DCaps:<0x2\nc5f>\n"))

    assert partition.name == "lp2.example.com" and "0x2c5f" in partition.because


@pytest.mark.parametrize("text", ["\n", "No results were found.\n", "<#0> Partition:<>\n", "<#0> Partition:<a, b, c, d>\n",
                                  "<#0> Active:<1>\n"])
def test_a_record_without_its_partition_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        hmc.lspartition(said(text))


@pytest.mark.parametrize("name, partitions", [
    ("lssyscfg-r-lpar--echoed-fields", [
        ("", "lp2_192.0.2.102", "192.0.2.102", True), ("", "lp7 192.0.2.107", "192.0.2.107", False),
        ("", "vios1", "192.0.2.133", True)]),
    ("lssyscfg-r-lpar--header", [
        ("8", "lp,8", "", False), ("9", "lp9", "192.0.2.109", None), ("1", "vios2", "192.0.2.134", None)]),
    ("lssyscfg-r-lpar--attributes", [("2", "lp2", "192.0.2.102", False), ("7", "lp7", "", False)]),
])
def test_lssyscfg_tells_whom_dlpar_reaches(name: str, partitions: List[Tuple[str, str, str, Optional[bool]]]) -> None:
    assert capable(hmc.lssyscfg, name) == partitions


def test_a_header_below_the_echoed_command_is_no_more_of_its_names() -> None:
    partition, = hmc.lssyscfg(said("lssyscfg -r lpar -F name,rmc_state --header\nname,rmc_state\nlp2,active\n"))

    assert (partition.name, partition.dlpar_capable) == ("lp2", True)


@pytest.mark.parametrize("text", [
    "lp2,active,192.0.2.2\n", "lssyscfg -r lpar -F name,rmc_state\nlp2,active,1\n",
    "lssyscfg -r lpar -F name,state\nlp2,Running\n", "name=lp2,lpar_id=2\n", "lssyscfg -r lpar -F name,rmc_state\n", "\n",
])
def test_values_without_their_names_are_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        hmc.lssyscfg(said(text))
