"""What the packages are made of: others' code unchanged, the format of AIX's images, what installp is told; nothing is built."""
from __future__ import annotations

import hashlib
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List

import pytest

import bff
from house import ROOT

PLACES = [str(ROOT / "packaging" / place) for place in ("common", "aix")]
NOON = 1_790_000_000
SAMPLE = Path(os.environ.get("RMCAGENT_SAMPLE_BFF", ROOT.parent / "shared" / "captures" / "sample.bff"))


@pytest.fixture(scope="module", autouse=True)
def packaging() -> Iterator[None]:
    sys.path[:0] = PLACES
    import building
    import payload

    manual, building.manual = building.manual, list      # they are formatted by a program that need not be here
    yield
    building.manual = manual
    payload.files.cache_clear(), payload.folders.cache_clear()
    for place in PLACES:
        sys.path.remove(place)


# ---- what others wrote -------------------------------------------------------------------------------------------------

VENDOR = ROOT / "packaging" / "common" / "vendor"


def test_what_others_wrote_is_unchanged_and_all_of_it_is_listed() -> None:
    listed = dict(reversed(line.split("  ")) for line in told() if not line.startswith("#"))

    there = {str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.rglob("*")
             if path.is_file() and "__pycache__" not in path.parts and path.name != "VENDORED.txt"}
    assert there == listed and len(there) > 20


def test_each_of_them_has_a_version_a_licence_and_the_hash_of_what_was_published() -> None:
    rows = [line[2:].split() for line in told() if re.match(r"# \S+ \d+\.\d", line) and len(line.split()) == 6]

    assert [row[:3] for row in rows] == [["tenacity", "9.1.2", "Apache-2.0"], ["PyYAML", "6.0.3", "MIT"]]
    assert all(re.fullmatch("[0-9a-f]{64}", row[4]) and (VENDOR / "licences" / f"{row[0]}.txt").is_file() for row in rows)
    assert '__version__ = "6.0.3"' in (VENDOR / "yaml" / "__init__.py").read_text().replace("'", '"')


def told() -> List[str]:
    return (VENDOR / "VENDORED.txt").read_text("ascii").splitlines()


def test_old_pythons_can_read_what_refuses_them() -> None:
    text = (ROOT / "packaging" / "common" / "__main__.py").read_text("ascii")

    assert "from __future__" not in text and not re.search(r"\bf['\"]|->|print ", text)


# ---- AIX's backup format -----------------------------------------------------------------------------------------------

def small() -> bytes:
    import mkbff

    folder = mkbff.Record("./a", 0o040755, b"", NOON, 0xFFFFFFFF, 2)
    return mkbff.image([folder, mkbff.Record("./a/bcd.txt", 0o100644, b"123456789", NOON)], NOON)


def test_what_is_written_is_read_again_by_a_strict_reader() -> None:
    image = bff.read(small())

    found = [(entry.name, entry.mode, entry.data) for entry in image.entries]
    assert found == [("./a", 0o040755, b""), ("./a/bcd.txt", 0o100644, b"123456789")]
    assert (image.at, image.user, image.length) == (NOON, "root", 72 + (64 + 8 + 40) + (64 + 16 + 40 + 16) + 8)


def test_the_end_is_written_as_every_image_known_to_us_ends() -> None:
    import mkbff

    assert mkbff.end() == bytes.fromhex("01076bea840a0100")


@pytest.mark.parametrize("at", [0, 4, 8, 20, 36, 72, 74, 80, 84, 90, 144, 150, 160, 184, 200, 300, 327, 329])
def test_the_reader_sees_one_changed_byte(at: int) -> None:
    damaged = bytearray(small())
    damaged[at] ^= 0x41

    with pytest.raises((bff.Damaged, UnicodeDecodeError, struct.error, IndexError)):
        image = bff.read(bytes(damaged))
        raise bff.Damaged if image != bff.read(small()) else AssertionError("not seen")


def test_a_genuine_image_is_rebuilt_bit_by_bit() -> None:
    import mkbff

    if not SAMPLE.exists():
        pytest.skip("there is no genuine image here: it is others' work, no part of this project; RMCAGENT_SAMPLE_BFF names one")
    genuine = SAMPLE.read_bytes()
    image = bff.read(genuine, padded_with_zeros=False, blocking=512)
    entries = [mkbff.Record(entry.name, entry.mode, entry.data, entry.times[1], entry.inode, entry.links, entry.uid, entry.gid,
                            entry.times[0], entry.times[2], entry.device, entry.reserved) for entry in image.entries]

    rebuilt = mkbff.image(entries, image.at, image.user, image.dumped)

    assert rebuilt[:image.length] == genuine[:image.length] and image.length == 592


def test_a_name_too_long_for_the_format_is_refused() -> None:
    import mkbff

    with pytest.raises(ValueError, match="too long"):
        mkbff.record(mkbff.Record("./" + "a" * 2000, 0o100644))


# ---- what installp is told ---------------------------------------------------------------------------------------------

def test_the_image_is_what_installp_asks_for() -> None:
    import aix_bff
    import mkbff

    image = bff.read(mkbff.image(aix_bff.records(NOON), NOON))

    names = [entry.name for entry in image.entries]
    assert names[:2] == ["./lpp_name", "./usr/lpp/rmcagent/liblpp.a"]
    assert all(name.startswith("./opt/rmcagent") for name in names[2:]) and names[2:] == sorted(names[2:])
    assert {(entry.uid, entry.gid, entry.times) for entry in image.entries} == {(0, 0, (NOON, NOON, NOON))}
    assert {entry.mode for entry in image.entries} == {0o040755, 0o100644, 0o100755}
    assert [entry.name for entry in image.entries if entry.mode == 0o100755] == ["./opt/rmcagent/bin/rmcagent"]


def test_its_table_of_contents_reads_and_its_sizes_hold_all_there_is() -> None:
    import aix_bff
    import payload

    lines = aix_bff.lpp_name(len(aix_bff.liblpp())).splitlines()
    level = "{:02d}.{:02d}.{:04d}.0000".format(*map(int, aix_bff.level().split(".")[:3]))

    assert lines[:5] == ["4 R I rmcagent {", f"rmcagent.rte {level} 1 N U en_US RMC self-healing agent", "[",
                         "*prereq bos.rte 7.1.0.0", "%"]
    assert lines[-5:] == ["%", "%", "%", "]", "}"]
    sizes = dict(line.split(" ", 1) for line in lines[5:-5])
    assert set(sizes) == {"/opt/rmcagent", "/usr/lpp/rmcagent", "INSTWORK"}
    assert int(sizes["/opt/rmcagent"]) * 512 >= sum(len(file.data) for file in payload.files()) + 4096 * len(payload.folders())
    assert int(sizes["/usr/lpp/rmcagent"]) * 512 >= len(aix_bff.liblpp())


def test_its_archive_holds_the_lists_and_the_scripts() -> None:
    import aix_bff
    import payload

    members = bff.members(aix_bff.liblpp())

    assert [name for name, _, _ in members] == [f"rmcagent.rte.{kind}" for kind in (
        "al", "inventory", "size", "copyright", "pre_i", "config", "unconfig")]
    listed = members[0][1].decode("ascii").splitlines()
    assert listed == sorted(f"./{path}" for path in [*payload.folders(), *(file.path for file in payload.files())])
    assert all(data.startswith(b"#!/bin/sh\n") for name, data, _ in members[4:])


def test_the_inventory_tells_every_file_and_what_sum_prints_of_it(tmp_path: Path) -> None:
    import aix_bff
    import payload

    stanzas = dict(re.findall(r"^(/\S+):\n((?:    .+\n)+)", aix_bff.inventory(), re.MULTILINE))
    names = [f"{number:04d}" for number in range(len(payload.files()))]
    for name, file in zip(names, payload.files()):
        (tmp_path / name).write_bytes(file.data)
    printed = subprocess.run(["sum", "-r", *names], cwd=tmp_path, capture_output=True, check=True, text=True).stdout.splitlines()

    assert set(stanzas) == {f"/{path}" for path in [*payload.folders(), *(file.path for file in payload.files())]}
    assert [line.rpartition(" ")[2] for line in printed] == names
    for line, file in zip(printed, payload.files()):
        stanza = stanzas[f"/{file.path}"]
        assert f'checksum = "{line.rpartition(" ")[0]} "' in stanza, file.path
        assert f"size = {len(file.data)}\n" in stanza and f"mode = {file.mode:o}\n" in stanza, file.path


def test_mkinstallp_is_given_the_same_list() -> None:
    import aix_bff
    import payload

    listed = re.search(r"  USRFiles\n(.*)  EOUSRFiles\n", aix_bff.template(), re.DOTALL)

    paths = [*payload.folders(), *(file.path for file in payload.files())]
    assert listed and listed.group(1).split() == sorted(f"/{path}" for path in paths)


def test_a_version_that_installp_cannot_count_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import aix_bff
    import building

    monkeypatch.setattr(building, "version", lambda: "1.2.3rc1")
    with pytest.raises(building.CannotBuild, match="1.2.3rc1"):
        aix_bff.level()


# ---- building ----------------------------------------------------------------------------------------------------------

def test_the_version_and_the_date_each_come_from_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    import building

    import rmcagent

    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(NOON))

    assert (building.version(), building.epoch()) == (rmcagent.__version__, NOON)


def test_missing_tools_are_named_with_what_brings_them() -> None:
    import building

    with pytest.raises(building.CannotBuild, match=r"no-such-tool \(Debian package tools\).*apt-get install tools"):
        building.need({"sh": "dash", "no-such-tool": "tools"})


def test_no_line_of_ours_goes_into_a_package_but_what_is_meant() -> None:
    import payload

    paths = [file.path for file in payload.files()]

    meant = r"opt/rmcagent/(bin/rmcagent|share/|lib/(__main__\.py|rmcagent/|tenacity/|yaml/))"
    assert not [path for path in paths if not re.match(meant, path)]
    assert not [path for path in paths if "__pycache__" in path or path.endswith(".pyc")]


def test_the_scripts_are_told_every_folder_of_modules_and_no_other() -> None:
    import payload

    (told,) = re.findall(r"^rooms='(.*)'$", payload.script("rpm_post"), re.MULTILINE)

    modules = {file.path.rpartition("/")[0] for file in payload.files() if file.path.endswith(".py")}
    assert told.split() == sorted(f"/{folder}" for folder in modules) and len(modules) > 10
    assert "@ROOMS@" not in payload.script("config")


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed: apt-get install shellcheck")
def test_the_linter_of_shells_is_silent() -> None:
    import payload

    scripts = {"launcher": (ROOT / "packaging/common/rmcagent.sh").read_text(),
               "launcher of Linux": (ROOT / "packaging/linux/rmcagent.sh").read_text(), **{
        name: payload.script(name) for name in ("rpm_pre", "rpm_post", "rpm_preun", "rpm_postun", "pre_i", "config", "unconfig")}}
    for name, text in scripts.items():
        # 2317: the part they share has functions that one or the other does not call; 2120: or calls without its argument.
        linter = ["shellcheck", "-s", "sh", "-e", "SC2317,SC2120,SC2119", "-"]
        said = subprocess.run(linter, input=text, capture_output=True, text=True)
        assert said.returncode == 0, f"{name}: {said.stdout}"
        assert not re.search(r"(^|[;&|({]|\bif|\bwhile|\bthen)\s*! ", text, re.MULTILINE), f"{name}: ksh88 knows no !"
