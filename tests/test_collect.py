"""The evidence bundle: it holds what the agent asks, within bounds, and no secret; plan reads it as it reads the partition."""
from __future__ import annotations

import gzip
import io
import json
import os
import re
import stat
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import pytest

from day import HOUR, Day
from rmcagent import collect, config, daemon
from rmcagent.cli import main
from rmcagent.clock import SystemClock
from rmcagent.model import Answer, Platform
from rmcagent.partition.act import SPELLINGS
from rmcagent.partition.bundle import names
from rmcagent.partition.bundle.redact import LONGEST_VALUE, hide, redacted, secrets_of, survives, without
from rmcagent.partition.host import FileStat, SystemHost
from rmcagent.partition.platform import place
from rmcagent.show import document
from rmcagent.sim.live.stage import Stage

Capture = pytest.CaptureFixture[str]
KEY = "5f" * 32
HALF, WORD = "9c81d2e3" * 5, "c2VjcmV0LWtleQ=="
MCP_WITH_KEY = f"""Resource Persistent Attributes for IBM.MCP
resource 1:
\tHMCIPAddr         = "192.0.2.21"
\tRMCKey            = "0x{KEY}
{HALF}
{WORD}"
\tNodeID            = 0x00000000000000a1
"""


def day(folder: Path, platform: Platform = Platform.AIX, **named: Any) -> Day:
    """A partition with an agent that only looks."""
    return Day(folder, platform, policy="mode: observe\n", **named)


def gathered(one: Day) -> collect.Gathered:
    """With what the agent there published, at the place it publishes to."""
    shown = document(one.cycle.view, one.settings, lambda moment: moment, {})
    here = place(one.host, one.settings)
    one.host.state_files[os.path.join(here.paths["public"], "status.json")] = json.dumps(shown).encode()
    return collect.gather(one.host, here, config.Loaded(one.settings, (), (), "policy-1"), one.clock)


def planned(one: collect.Gathered, folder: Path) -> Dict[str, Any]:
    path = folder / "b.tar.gz"
    path.write_bytes(collect.pack(one, "b", 1_700_000_000))
    return daemon.plan_from(config.parse("{}"), str(path))


def faults(shown: Mapping[str, Any]) -> List[Tuple[str, str, str]]:
    return [(finding["fault"], finding["subject"], finding["side"]) for finding in shown["findings"]]


# ---- round trip

HAPPENINGS: Mapping[str, Sequence[Tuple[str, Mapping[str, Any]]]] = {
    "healthy": (),
    "ctrmc down": (("crash", {}),),
    "ctrmc stopped": (("stop_cleanly", {}),),
    "manager down": (("manager_crash", {}),),
    "session stuck": (("stick_session", {"mended_by": "recycle"}),),
    "CAA active": (("start_caa", {}),),
    "CAA active, identity broken": (("start_caa", {}), ("break_identity", {})),
    "identity broken": (("break_identity", {}),),
    "peer domain": (("define_peer_domain", {}),),
    "HMCs forgotten": (("forget_hmcs", {"mended_by": "recycle"}),),
    "var full": (("fill_var", {"share": 0.99}),),
}


EVERYWHERE = [(happening, platform) for happening in HAPPENINGS for platform in Platform
              if not ("CAA" in happening and platform is Platform.LINUX)]


@pytest.mark.parametrize("happening, platform", EVERYWHERE, ids=[f"{one[0]}-{one[1].value}" for one in EVERYWHERE])
def test_plan_finds_in_the_bundle_what_the_agent_finds_live(happening: str, platform: Platform, tmp_path: Path) -> None:
    one = day(tmp_path, platform)
    one.run(120)
    for event, arguments in HAPPENINGS[happening]:
        one.do(event, **arguments)
    one.run(300)

    shown = planned(gathered(one), tmp_path)

    live = document(one.cycle.view, one.settings, lambda moment: moment, {})
    assert faults(shown) == faults(live) and (bool(faults(live)) == (happening not in ("healthy", "CAA active", "peer domain")))
    assert shown["platform"] == platform.value
    assert {name: shown["cluster"][name] for name in ("state", "recycle", "recfgct")} == {
        name: live["cluster"][name] for name in ("state", "recycle", "recfgct")}
    assert [(hmc["address"], hmc["link"]) for hmc in shown["hmcs"]] == [(hmc["address"], hmc["link"]) for hmc in live["hmcs"]]
    assert shown["bundle"]["missing"] == [] and all(hmc["reachable"] is None for hmc in shown["hmcs"])


def test_a_command_that_hung_is_a_gap_in_the_bundle_too(tmp_path: Path) -> None:
    one = day(tmp_path)
    one.do("hang_command", "lscluster")

    held = gathered(one)
    shown = planned(held, tmp_path)

    assert "lscluster -m: timed out" in held.left_out
    assert shown["cluster"]["recycle"] == "forbidden" and "lscluster" in shown["cluster"]["evidence"]


def test_a_command_that_is_not_installed_is_that_and_no_gap(tmp_path: Path) -> None:
    one = day(tmp_path)
    one.do("remove_command", "lscluster")

    held = gathered(one)
    shown = planned(held, tmp_path)

    assert "lscluster -m: not installed" in held.left_out and "lscluster-m.txt" not in shown["bundle"]["missing"]
    assert shown["cluster"]["recycle"] == "allowed"


# ---- what is asked

@pytest.mark.parametrize("platform", list(Platform))
def test_only_reading_commands_are_run(platform: Platform, tmp_path: Path) -> None:
    one = day(tmp_path, platform)
    one.do("stick_session")
    one.host.asked.clear()

    gathered(one)

    asked = {line.split()[0] for line in one.host.asked}
    here = place(one.host, one.settings)
    changing = {step.argv for spell in SPELLINGS.values()
                for step in spell({**{name: name for name in here.commands}, "lparmgr": "lparmgr"}, here.paths, "IBM.DRM")}
    assert one.did() == [] and asked <= set(names.READING)
    assert not {" ".join(argv) for argv in changing} & set(one.host.asked)
    assert not asked & {"rmcctrl", "recfgct", "startsrc", "refrsrc", "rmcrefreshMD", "clmgr", "lparmgr"}
    assert {"lssrc", "lsrsrc", "rmcdomainstatus", "ctsthl", "ctsvhbal", "lsnodeid", "uname"} <= asked


def test_a_changing_command_is_refused_whoever_asks(tmp_path: Path) -> None:
    one = day(tmp_path)
    listener = collect.Listener(one.host, place(one.host, one.settings), collect.Progress(one.clock))

    answer = listener.run((one.host.commands()["rmcctrl"], "-z"), 1.0)

    assert one.did() == [] and answer.exit_code == 126 and listener.asked == {}
    with pytest.raises(OSError, match="cannot act"):
        listener.begin(None, "")


def test_the_index_tells_how_each_command_ended(tmp_path: Path) -> None:
    one = day(tmp_path)

    rows = [line.split("\t") for line in gathered(one).files["INDEX.tsv"].splitlines()]

    by_file = {row[0]: row for row in rows}
    assert rows[0] == list(names.COLUMNS) and by_file["lssrc-a.txt"][2] == "0" and by_file["lscluster-m.txt"][2] == "1"
    assert by_file["lspv.txt"][1].endswith("/lspv") and int(by_file["lspv.txt"][4]) > 0


def test_logs_are_kept_by_their_ends(tmp_path: Path) -> None:
    one = day(tmp_path)
    one.do("storm", per_second=200.0)
    one.run(0.1 * HOUR)

    held = gathered(one)

    logs = {name: text for name, text in held.files.items() if name.startswith("logs/")}
    assert logs and all(0 < len(text) <= collect.LOG_TAIL for text in logs.values())
    assert any("all but its last 256 KiB" in line for line in held.left_out)
    assert planned(held, tmp_path)["log"]["messages"]


class Binary:
    def __init__(self, one: Day) -> None:
        self.host = one.host

    def __getattr__(self, name: str) -> Any:
        return getattr(self.host, name)

    def read_from(self, path: str, offset: int, limit: int) -> bytes:
        return b"RM\0\1\n"


def test_a_log_that_is_no_text_is_left_out_for_no_key_could_be_found_in_it(tmp_path: Path) -> None:
    one = day(tmp_path)
    one.do("storm")
    one.run(60)
    binary: Any = Binary(one)
    held = collect.Gathered({}, [], set())

    collect._add_logs(held, binary, place(one.host, one.settings), one.settings)

    assert held.files == {} and held.left_out[0].endswith(": it is no text")


def test_of_very_many_logs_some_are_enough(tmp_path: Path) -> None:
    class Many(Binary):
        def files(self, pattern: str) -> Tuple[FileStat, ...]:
            return tuple(FileStat(f"/var/ct/{number:02}/log/mc/IBM.MgmtDomainRM.default", 2, 1, number) for number in range(40))

        def read_from(self, path: str, offset: int, limit: int) -> bytes:
            return b"x\n"

    one = day(tmp_path)
    many: Any = Many(one)
    held = collect.Gathered({}, [], set())

    collect._add_logs(held, many, place(one.host, one.settings), one.settings)

    assert len(held.files) == collect.MOST_LOGS == 32 and held.left_out == ["8 more logs: 32 are enough"]


# ---- links

@pytest.fixture
def real(tmp_path: Path) -> Callable[[], collect.Gathered]:
    """What collect keeps of the files of this machine, below a folder of our own."""
    for folder in ("ct/IW/log/mc", "ct/cfg", "public", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "elsewhere" / "shadow").write_text("root:secret\n")
    (tmp_path / "ct/IW/log/mc/IBM.MgmtDomainRM.default").write_text("an entry\n")
    paths = {"var_ct": str(tmp_path / "ct"), "public": str(tmp_path / "public"), "node_id": str(tmp_path / "ct_node_id")}
    commands = {name: f"{tmp_path}/bin/{name}" for name in (*names.READING, "rmcctrl")}
    loaded = config.parse(json.dumps({"commands": commands, "paths": paths}))
    return lambda: collect.gather(SystemHost(), place(SystemHost(), loaded.settings), loaded, SystemClock())


@pytest.mark.parametrize("name", ["ct/IW/log/mc/IBM.MgmtDomainRM.x", "public/status.json", "ct_node_id", "ct/cfg/ct_node_id"])
def test_a_link_is_not_followed_and_told(name: str, real: Callable[[], collect.Gathered], tmp_path: Path) -> None:
    (tmp_path / name).symlink_to(tmp_path / "elsewhere" / "shadow")

    held = real()

    assert "root:secret" not in "".join(held.files.values()) and "an entry\n" in held.files.values()
    assert f"{tmp_path / name}: is a link, not followed" in held.left_out


def test_a_folder_that_leads_out_is_not_followed_either(real: Callable[[], collect.Gathered], tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "log" / "mc").mkdir(parents=True)
    (tmp_path / "elsewhere/log/mc/IBM.MgmtDomainRM.x").write_text("root:secret\n")
    (tmp_path / "ct" / "IX").symlink_to(tmp_path / "elsewhere")

    held = real()

    assert [text for name, text in held.files.items() if name.startswith("logs/")] == ["an entry\n"]
    assert f"{tmp_path}/ct/IX/log/mc/IBM.MgmtDomainRM.x: is a link, not followed" in held.left_out


def test_links_within_rscts_folder_and_to_it_are_its_own(real: Callable[[], collect.Gathered], tmp_path: Path) -> None:
    (tmp_path / "ct").rename(tmp_path / "moved")
    (tmp_path / "ct").symlink_to(tmp_path / "moved")
    (tmp_path / "ct" / "IX").symlink_to(tmp_path / "ct" / "IW")

    held = real()

    assert list(held.files.values()).count("an entry\n") == 2 and not any(collect.LINK in line for line in held.left_out)


# ---- secrets

def test_a_key_is_taken_out_over_all_its_lines() -> None:
    shown, hidden = hide(MCP_WITH_KEY, "lsrsrc-IBM.MCP")

    assert not any(part in shown for part in (KEY, HALF, WORD))
    assert '\tRMCKey = "redacted"\n\tNodeID            = 0x00000000000000a1\n' in shown
    assert hidden == 3 and secrets_of(MCP_WITH_KEY) == {KEY, HALF, WORD.lower(), KEY + HALF + WORD.lower()}


@pytest.mark.parametrize("text, left", [
    ("rmckey=abcdefgh12345678 rest\n", "abcdefgh"),
    ("x RMCKEY: {1,2,\n3,4}\n  Name = 1\n", "3,4"),
    ("RMCKey\n= 0xabcdef0123456789\n", "0xabc"),
    (f"Identifier Value:\n{'ab' * 40}\n1234abcd\n\nHost", "1234abcd"),
    (f"key 0x{'ab' * 20} in the log\n", "abab"),
])
def test_keys_are_taken_out_however_they_stand(text: str, left: str) -> None:
    shown = redacted(text, "lsrsrc-IBM.MCP")

    assert left not in shown and redacted(shown, "lsrsrc-IBM.MCP") == shown


def listing(value: str) -> str:
    return f"Resource Persistent Attributes for IBM.MCP\nresource 1:\n\tRMCKey            = {value}\n\tNodeID            = 0x1\n"


@pytest.mark.parametrize("value", ['"c2VjcmV0\n\nLWtleS0xMjM0\n\n"', "{1,\n\n,c2VjcmV0}", '\n"c2VjcmV0\n\nLWtleS0xMjM0"'])
def test_an_empty_line_within_a_value_does_not_end_it(value: str) -> None:
    shown = redacted(listing(value), "lsrsrc-IBM.MCP")

    assert shown == listing("x").replace("            = x", ' = "redacted"')


def test_a_value_without_a_closing_quote_hides_no_more_than_its_bound_and_the_next_attribute_ends_it() -> None:
    lines = "".join(f"\tName{number:07} = 1\n" for number in range(LONGEST_VALUE // 8))

    shown = redacted(listing('"c2VjcmV0') + lines, "lsrsrc-IBM.MCP")

    assert "c2VjcmV0" not in shown and shown.endswith(lines[-LONGEST_VALUE // 2:]) and len(shown) < len(lines)


HEX = "9f3a77c1" * 4


@pytest.mark.parametrize("told", [HEX, "0x" + HEX, HEX.upper(), f"0X{HEX.upper()}", f"{HEX[:16]} {HEX[16:]}",
                                  f"{HEX[:9]}\n{HEX[9:]}", ":".join(HEX[at:at + 2] for at in range(0, 32, 2))])
@pytest.mark.parametrize("value", ["0x" + HEX, HEX.upper(), ":".join(HEX[at:at + 2] for at in range(0, 32, 2)),
                                   " ".join(HEX[at:at + 4] for at in range(0, 32, 4)), f"{HEX[:16]}\n{HEX[16:]}"])
def test_a_key_is_found_elsewhere_however_it_is_spelled_and_grouped(value: str, told: str) -> None:
    secrets = secrets_of(listing(f'"{value}"'))

    shown = without(f"before {told}, after {told}\n", secrets)

    assert survives(told, secrets) and not survives(shown, secrets)
    assert re.fullmatch(r"before (0[xX])?(\(redacted\)\s?)+, after (0[xX])?(\(redacted\)\s?)+\n", shown)


def test_a_key_without_quotes_that_stands_in_small_groups_is_one_as_well() -> None:
    assert survives(HEX, secrets_of(listing(" ".join(HEX[at:at + 4] for at in range(0, 32, 4)))))


@pytest.mark.parametrize("text", ["rmckey" + " " * 500_000 + ".", "rmckey" + "= " * 250_000 + ".", "rmckey" + '"\n' * 100_000,
                                  "rmckey\n" + " " * 500_000 + "x", "rmckey = {" + "a" * 500_000, f"{'a' * 33} 0x" * 15_000],
                         ids=lambda text: text[:9])
def test_no_text_takes_long_to_search_for_keys(text: str) -> None:
    before = os.times().user

    secrets = secrets_of(text)
    without(hide(text, "lsrsrc-IBM.MCP")[0] + hide(text)[0], secrets)

    assert os.times().user - before < 2.0


def test_a_word_of_letters_is_no_secret_and_what_is_without_one_stays_as_it_is() -> None:
    secrets = secrets_of(f'\tRMCKey = "0x{HEX}"\nlsrsrc: warning, a subsystem is inoperative\n')

    assert secrets == {HEX} and without(" ctrmc rsct inoperative\n", secrets) == " ctrmc rsct inoperative\n"


def test_a_log_loses_the_line_that_names_a_key_and_none_that_follows_it() -> None:
    log = "06/01 12:00:00 RMCKey mismatch\n" + "Tue Mar 4 10:00:00 2025 MCP_cfg.c 2613-021 MDC received\n" * 1000

    shown, hidden = hide(log)

    assert shown == log.replace("06/01 12:00:00 RMCKey mismatch", 'RMCKey = "redacted"') and hidden == 1
    assert "c2VjcmV0" not in redacted("0xc2VjcmV0 is the RMCKey\n")

def test_a_disks_identifier_is_no_secret_and_a_short_one_nowhere() -> None:
    row = f"hdisk0 {'0123456789abcdef' * 4} rootvg active\n"

    assert redacted(row, "lspv") == row and redacted("NodeID = 0x00f6f5d0b1c2d3e4\n") == "NodeID = 0x00f6f5d0b1c2d3e4\n"


def test_what_survives_is_seen() -> None:
    assert survives("x RMCKey = 5\n", set()) and survives("a secretword b", {"secretword"})
    assert not survives(redacted(MCP_WITH_KEY, "lsrsrc-IBM.MCP"), secrets_of(MCP_WITH_KEY))


class Leaky:
    """A partition that tells its key in more places than one."""

    def __init__(self, one: Day) -> None:
        self.host = one.host

    def __getattr__(self, name: str) -> Any:
        return getattr(self.host, name)

    def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
        answer = self.host.run(argv, timeout, keep)
        if answer.id == "lsrsrc-IBM.MCP":
            return replace(answer, stdout=MCP_WITH_KEY, exit_code=0)
        if answer.id == "ctsvhbal":
            return replace(answer, stdout=f"Identity: {WORD}\n", stderr=f"permission denied: RMCKey {KEY}\n", exit_code=1)
        return answer


def test_no_key_is_in_any_file_of_the_bundle_nor_on_the_terminal(tmp_path: Path) -> None:
    one = day(tmp_path)
    leaky: Any = Leaky(one)

    held = collect.gather(leaky, place(one.host, one.settings), config.Loaded(one.settings, (), (), "p"), one.clock)
    packed = collect.pack(held, "b", 0)

    whole = gzip.decompress(packed).decode("latin-1") + "".join(held.left_out)
    assert not any(part in whole for part in (KEY, HALF, WORD)) and "RMCKey" in whole
    assert {"lsrsrc-IBM.MCP.txt", "ctsvhbal.txt", "errors/ctsvhbal.txt"} <= set(held.files)
    assert held.files["ctsvhbal.txt"] == "Identity: (redacted)\n"
    assert 'ctsvhbal: not permitted: RMCKey = "redacted"' in held.left_out
    assert "lsrsrc-IBM.MCP.txt: 3 lines, which may tell of a key" in held.left_out
    assert "errors/ctsvhbal.txt: 1 line, which may tell of a key" in held.left_out


def test_a_process_that_is_called_like_a_key_costs_its_own_line_only(tmp_path: Path) -> None:
    one = day(tmp_path)
    one.partition.busy += ["rmckeyd", "rpm"]

    held = gathered(one)

    assert "rpm" in held.files["ps.txt"].split() and "rmckeyd" not in held.files["ps.txt"]
    assert "ps.txt: 1 line, which may tell of a key" in held.left_out


class Talking(Leaky):
    """Its complaint begins where its answer, which has no end, ends."""

    def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
        answer = self.host.run(argv, timeout, keep)
        mine = answer.id == "lsrsrc-IBM.MCP"
        return replace(answer, stdout=f'RMCKey = "0x{KEY}"\n', stderr="/var/ct/IW1234567\n") if mine else answer


def test_what_lsrsrc_complains_of_is_no_part_of_a_key_that_it_told(tmp_path: Path) -> None:
    one = day(tmp_path)
    listener = collect.Listener(Talking(one), place(one.host, one.settings), collect.Progress(one.clock))   # type: ignore[arg-type]

    listener.run((one.host.commands()["lsrsrc"], "IBM.MCP"), 1.0)

    assert listener.secrets() == {KEY}


def test_a_line_of_what_was_left_out_that_tells_a_key_is_counted() -> None:
    held = collect.Gathered({}, ["/var/rmckey: gone", f"/var/{HEX}: gone", "else"], {HEX})

    collect._keep_bounds_and_secrets(held)

    assert held.left_out == ["else", "LEFT-OUT.txt: 2 lines, which may tell of a key"]


def test_a_file_in_which_a_key_survived_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one = day(tmp_path)
    leaky: Any = Leaky(one)
    monkeypatch.setattr(collect, "hide", lambda text, answer="": (text, 0))

    held = collect.gather(leaky, place(one.host, one.settings), config.Loaded(one.settings, (), (), "p"), one.clock)

    assert "lsrsrc-IBM.MCP.txt" not in held.files and "lsrsrc-IBM.MCP.txt: a key may have survived in it" in held.left_out
    assert "errors/ctsvhbal.txt" not in held.files and "lspv.txt" in held.files and KEY not in "".join(held.left_out)


# ---- bounds

LINE = "0123456789 " * 200 + "\n"


class Flood:
    def __init__(self, one: Day) -> None:
        self.host = one.host

    def __getattr__(self, name: str) -> Any:
        return getattr(self.host, name)

    def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
        answer = self.host.run(argv, timeout, keep)
        return replace(answer, stdout=LINE * 500) if answer.id in ("errpt", "lsnodeid", "ctsvhbal", "uname-a") else answer


def test_answers_and_bundle_have_a_bound_and_what_is_beyond_it_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    monkeypatch.setattr(collect, "LARGEST_BUNDLE", 3 << 20)
    one = day(tmp_path)
    flood: Any = Flood(one)

    held = collect.gather(flood, place(one.host, one.settings), config.Loaded(one.settings, (), (), "p"), one.clock)

    assert max(len(text) for text in held.files.values()) <= 1 << 20
    assert sum(len(text) for text in held.files.values()) <= 3 << 20
    assert any(line.endswith("the bundle would be over 3 MiB") for line in held.left_out)
    # The newest entries of the error log stand first: without the oldest it is still an answer.
    assert "errpt: its first 1 MiB" in held.left_out and "lsnodeid: cut" in held.left_out
    assert len(collect.pack(held, "b", 0)) < 3 << 20


# ---- the file

@pytest.fixture
def policy(tmp_path: Path) -> str:
    """Nothing of this machine's own is asked."""
    path = tmp_path / "etc" / "rmcagent.yaml"
    path.parent.mkdir(mode=0o700)
    commands = {name: f"{tmp_path}/bin/{name}" for name in (*names.READING, "rmcctrl")}
    path.write_text(json.dumps({"commands": commands, "paths": {"public": str(tmp_path), "var_ct": str(tmp_path / "ct")}}))
    path.chmod(0o600)
    return str(path)


def test_a_bundle_is_ours_alone_and_lists_what_was_left_out(policy: str, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "b.tar.gz"

    assert main(["collect", "--out", str(out), "--config", policy]) == 0

    told = capsys.readouterr().out
    with tarfile.open(out) as archive:
        held = {member.name.partition("/")[2]: member for member in archive.getmembers()}
        left_out = archive.extractfile(held["LEFT-OUT.txt"])
        assert left_out and b"lssrc -a: not installed\n" in left_out.read()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600 and {member.mode for member in held.values()} == {0o600}
    assert "  lssrc -a: not installed\n" in told and f"rmcagent plan --from {out}" in told
    assert {"INDEX.tsv", "vitals.txt", "df.txt", "ps.txt"} <= set(held)
    assert [file.name for file in tmp_path.glob("b.tar*")] == ["b.tar.gz"]


def test_its_name_tells_host_and_time_where_none_is_given(
    policy: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["collect", "--config", policy]) == 0

    assert re.fullmatch(r"rmcagent-[A-Za-z0-9.-]+-\d{8}T\d{6}\.tar\.gz", capsys.readouterr().out.split(":")[0])


@pytest.mark.parametrize("there", ["a file", "a link", "a link to nothing", "a folder"])
def test_nothing_is_written_over(there: str, policy: str, tmp_path: Path, capsys: Capture) -> None:
    out, other = tmp_path / "b.tar.gz", tmp_path / "other"
    other.write_text("precious")
    {"a file": lambda: out.write_text("precious"), "a link": lambda: out.symlink_to(other),
     "a link to nothing": lambda: out.symlink_to(tmp_path / "none"), "a folder": out.mkdir}[there]()

    assert main(["collect", "--out", str(out), "--config", policy]) == 1

    assert f"cannot write {out}: there is something of that name" in capsys.readouterr().err
    assert other.read_text() == "precious" and not (tmp_path / "none").exists()


def test_a_folder_that_is_not_there_is_told(policy: str, tmp_path: Path, capsys: Capture) -> None:
    assert main(["collect", "--out", str(tmp_path / "none" / "b.tar.gz"), "--config", policy]) == 1

    assert "cannot write" in capsys.readouterr().err


def test_a_broken_configuration_costs_no_evidence(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("mode: actt\n")
    (tmp_path / "bad.yaml").chmod(0o600)

    loaded, problem = collect._policy(str(tmp_path / "bad.yaml"))

    assert loaded.settings == config.defaults() and problem.startswith("the configuration: not used, the defaults were (")


def test_the_bar_is_drawn_on_a_terminal_only_and_after_a_second(capsys: Capture) -> None:
    class Watch:
        seconds = 0.0

        def monotonic(self) -> float:
            return self.seconds

    watch: Any = Watch()
    bar = collect.Progress(watch)
    bar.tell("lssrc -a", 1)
    bar.shown = True
    bar.tell("lssrc -a", 1)
    quiet = capsys.readouterr().err
    watch.seconds = 2.0
    bar.tell("lspv", 3)
    bar.end()

    assert quiet == "" and capsys.readouterr().err.startswith("\r[###.....................] lspv")


# ---- for real

def rmcagent(stage: Stage, *words: str, stdin: Optional[bytes] = None) -> subprocess.CompletedProcess[bytes]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/", "PYTHONPATH": str(Path(__file__).parents[1] / "agent")}
    return subprocess.run([sys.executable, "-m", "rmcagent", *words, "--config", str(stage.config)], capture_output=True,
                          timeout=90, env=environment, stdin=subprocess.DEVNULL)


def rest(states: Callable[[], Any], wanted: str) -> None:
    until = time.monotonic() + 30
    while states() != wanted:
        assert time.monotonic() < until, states()
        time.sleep(0.05)


REAL: Mapping[str, Sequence[str]] = {
    "healthy": (),
    "ctrmc down": ("crash",),
    "session stuck": ("stick_session",),
    "CAA active": ("start_caa", "break_identity"),
    "identity broken": ("break_identity",),
}


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("happening", list(REAL))
def test_behind_real_commands_the_bundle_tells_what_the_live_plan_tells(happening: str, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    with Stage(tmp_path / "s") as stage:
        for event in REAL[happening]:
            stage.world.do(event)
        rest(lambda: stage.world.ask("states")["ctrmc"], "inoperative" if happening == "ctrmc down" else "active")
        did = stage.did()

        live = rmcagent(stage, "plan", "--json")
        written = rmcagent(stage, "collect", "--out", str(tmp_path / "b.tar.gz"))
        shown = rmcagent(stage, "plan", "--json", "--from", str(tmp_path / "b.tar.gz"))
        piped = rmcagent(stage, "collect", "--out", "-")

        assert written.returncode == 0 and written.stderr == b"", written
        assert faults(json.loads(shown.stdout)) == faults(json.loads(live.stdout))
        assert bool(json.loads(shown.stdout)["findings"]) == (happening != "healthy")
        assert json.loads(shown.stdout)["cluster"]["state"] == json.loads(live.stdout)["cluster"]["state"]
        assert "IBM.DRM" in json.loads(shown.stdout)["subsystems"] and stage.did() == did
        with tarfile.open(fileobj=io.BytesIO(piped.stdout)) as archive:
            assert any(name.endswith("/lssrc-a.txt") for name in archive.getnames())
        assert b"look at it" in piped.stderr
