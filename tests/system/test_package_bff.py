"""The installp image as it is built: read strictly, and its scripts run in installp's order on a changed root, twice each."""
from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Dict, List

import pytest

import aix_root
import bff
from aix_root import SHELLS, AixRoot

pytestmark = [pytest.mark.slow, pytest.mark.real]
ENTRY = "rmcagent:2:once:/usr/bin/startsrc -s rmcagent >/dev/console 2>&1"
LIBLPP = "./usr/lpp/rmcagent/liblpp.a"


@pytest.fixture
def root(tmp_path: Path) -> AixRoot:
    aix_root.needs()
    made = AixRoot(tmp_path / "root")
    made.give_python()
    return made


class Installp:
    """What installp does with an image of one fileset, as far as that is told in public [my inference: the order]."""

    def __init__(self, root: AixRoot) -> None:
        self.root = root
        self.installed: List[bff.Entry] = []
        self.scripts: Dict[str, str] = {}

    def install(self, folder: Path) -> str:
        """Also over what is there: then the old one's unconfig comes first."""
        image, scripts = bff.read(next(folder.glob("*.bff")).read_bytes()), scripts_of(folder)
        said = self.run("unconfig") if self.scripts else ""
        said += self.run("pre_i", scripts)
        self.drop_files()
        for entry in image.entries[2:]:
            path = self.root.folder / entry.name
            if entry.is_folder:
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.write_bytes(entry.data)
            path.chmod(entry.mode & 0o7777)
        self.installed, self.scripts = list(image.entries[2:]), scripts
        return said + self.run("config")

    def remove(self) -> str:
        said = self.run("unconfig")
        self.drop_files()
        self.scripts = {}
        return said

    def drop_files(self) -> None:
        for entry in reversed(self.installed):
            path = self.root.folder / entry.name
            if entry.is_folder:
                path.rmdir()              # installp leaves what is not its own; here there must be nothing
            else:
                path.unlink()
        self.installed = []

    def run(self, name: str, scripts: Dict[str, str] = {}) -> str:  # noqa: B006
        done = self.root.script((scripts or self.scripts)[name])
        assert done.returncode == 0, done.stdout
        return done.stdout


def scripts_of(folder: Path) -> Dict[str, str]:
    image = bff.read(next(folder.glob("*.bff")).read_bytes())
    library = next(entry.data for entry in image.entries if entry.name == LIBLPP)
    return {name.rpartition(".")[2]: data.decode("ascii") for name, data, _ in bff.members(library)}


def registered(root: AixRoot) -> bool:
    names = [record["subsysname"] for record in root.odm.records()]
    entries = [line for line in root.odm.inittab() if line.startswith("rmcagent")]
    assert (names, entries) in ((["rmcagent"], [ENTRY]), ([], []))
    return bool(names)


# ---- in, over, out -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("shell", SHELLS)
def test_it_comes_is_replaced_and_goes_and_leaves_what_it_should(artefacts: Path, later: Path, tmp_path: Path,
                                                                 shell: str) -> None:
    aix_root.needs()
    root = AixRoot(tmp_path / "root", shell)
    root.give_python()
    installp, before = Installp(root), root.odm.inittab()

    for folder in (artefacts, artefacts, later, later):
        said = installp.install(folder)
        assert registered(root) and not root.odm.is_active() and "not started" in said
    assert root.run("/opt/rmcagent/bin/rmcagent", "--version").stdout == "rmcagent 9.9.9\n"
    assert list((root.folder / "opt/rmcagent/lib/rmcagent/__pycache__").glob("cli.*.pyc"))
    installp.remove()

    assert not registered(root) and root.odm.inittab() == before and root.odm.sins() == []
    assert root.files("etc/rmcagent", "var/rmcagent", "var/log/rmcagent", "opt") == [
        "etc/rmcagent/conf.d", "etc/rmcagent/conf.d/50-site.yaml", "etc/rmcagent/rmcagent.yaml", "var/log/rmcagent/console.log"]


def test_unconfig_may_run_twice(artefacts: Path, root: AixRoot) -> None:
    installp = Installp(root)
    installp.install(artefacts)

    installp.run("unconfig"), installp.run("unconfig")

    assert not registered(root)


def test_an_update_starts_a_running_agent_again_and_leaves_a_stopped_one(artefacts: Path, later: Path, root: AixRoot) -> None:
    installp = Installp(root)
    installp.install(artefacts)
    root.run("startsrc", "-s", "rmcagent")

    installp.install(later)
    assert root.odm.is_active() and registered(root)
    root.run("stopsrc", "-s", "rmcagent")
    installp.install(artefacts)

    assert not root.odm.is_active() and not root.exists("var/rmcagent/restart")


def test_an_update_that_was_cut_short_is_finished_by_the_next_but_not_days_later(artefacts: Path, later: Path,
                                                                                 root: AixRoot) -> None:
    installp = Installp(root)
    installp.install(artefacts)
    root.run("startsrc", "-s", "rmcagent")
    installp.run("unconfig")

    Installp(root).install(later)
    assert root.odm.is_active()
    installp.run("unconfig")
    old = time.time() - 3 * 86400
    os.utime(root.folder / "var/rmcagent/restart", (old, old))

    assert "not started" in Installp(root).install(later) and not root.odm.is_active()


def test_half_an_hour_after_a_removal_an_install_is_a_new_one(artefacts: Path, root: AixRoot) -> None:
    installp = Installp(root)
    installp.install(artefacts)
    root.run("startsrc", "-s", "rmcagent")
    told = installp.remove()
    written = int(root.read("var/rmcagent/restart"))

    root.write("var/rmcagent/restart", f"{written - 1900}\n")

    assert "starts the agent again" in told and "rm /var/rmcagent/restart" in told
    assert "not started" in installp.install(artefacts) and not root.odm.is_active() and not root.exists("var/rmcagent/restart")


def test_an_update_does_not_start_what_its_configuration_would_end(artefacts: Path, later: Path, root: AixRoot) -> None:
    installp = Installp(root)
    installp.install(artefacts)
    root.run("startsrc", "-s", "rmcagent")
    installp.run("unconfig")
    root.write("etc/rmcagent/rmcagent.yaml", "mode: acct\n")

    said = Installp(root).install(later)

    assert "not started: mend the configuration first" in said and not root.odm.is_active()


@pytest.mark.parametrize("shell", SHELLS)
def test_what_an_operator_turned_off_is_off_after_an_update(artefacts: Path, later: Path, tmp_path: Path, shell: str) -> None:
    aix_root.needs()
    root = AixRoot(tmp_path / "root", shell)
    root.give_python()
    installp, off = Installp(root), "rmcagent:2:off:/usr/bin/startsrc -s rmcagent"
    installp.install(artefacts)
    root.write("odm/inittab", off + "\n")

    said = installp.install(later)

    assert root.odm.inittab() == [off] and "OFF" in said and not root.exists("var/rmcagent/inittab.off")


@pytest.mark.parametrize("shell", SHELLS)
def test_what_an_operator_took_out_of_inittab_is_out_after_an_update(artefacts: Path, later: Path, tmp_path: Path,
                                                                    shell: str) -> None:
    aix_root.needs()
    root = AixRoot(tmp_path / "root", shell)
    root.give_python()
    installp, without = Installp(root), root.odm.inittab()
    installp.install(artefacts)
    root.run("rmitab", "rmcagent")

    said = installp.install(later)

    assert root.odm.inittab() == without and [record["subsysname"] for record in root.odm.records()] == ["rmcagent"]
    assert "will be out after the next install as well, unless: rm /var/rmcagent/inittab.off" in said and "is out again" in said
    assert not root.exists("var/rmcagent/inittab.off")


def test_in_an_image_for_others_nothing_is_made_outside_its_own_folder(artefacts: Path, root: AixRoot) -> None:
    shutil.rmtree(root.folder / "etc/rmcagent")
    root.write("tmp/script", scripts_of(artefacts)["config"], 0o755)

    done = root.run("/tmp/script", INUCLIENTS="spot1")

    assert done.returncode == 0 and "this is an image for others: on each of them, after its boot" in done.stdout
    assert [path for path in ("etc/rmcagent", "var/rmcagent", "var/log/rmcagent") if root.exists(path)] == []


def test_an_update_starts_what_ran_though_a_folder_cannot_be_made(artefacts: Path, later: Path, root: AixRoot) -> None:
    installp = Installp(root)
    installp.install(artefacts)
    root.run("startsrc", "-s", "rmcagent")
    installp.run("unconfig")
    shutil.rmtree(root.folder / "var/log/rmcagent")
    root.write("var/log/rmcagent", "a file\n")

    said = Installp(root).install(later)

    assert "cannot make /var/log/rmcagent" in said and root.odm.is_active()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_mark_that_cannot_be_written_is_told_and_holds_nothing_up(artefacts: Path, tmp_path: Path, shell: str) -> None:
    aix_root.needs()
    root = AixRoot(tmp_path / "root", shell)
    root.give_python()
    installp = Installp(root)
    installp.install(artefacts)
    root.run("startsrc", "-s", "rmcagent")
    (root.folder / "var/rmcagent/restart").mkdir()

    said = installp.remove()

    assert "cannot write /var/rmcagent/restart" in said and not registered(root) and not root.odm.is_active()
    assert "not started" in installp.install(artefacts)


def test_without_python_or_rsct_or_with_a_broken_configuration_it_comes_and_says_so(artefacts: Path, tmp_path: Path) -> None:
    aix_root.needs()
    root = AixRoot(tmp_path / "root")
    root.write("etc/rmcagent/rmcagent.yaml", "mode: acct\n")

    without = Installp(root).install(artefacts)
    assert "no Python 3.9 or later" in without and "register --apply" in without and not registered(root)
    root.give_python()
    said = Installp(root).run("config", scripts_of(artefacts))

    assert "RSCT is not installed here" in without and "RSCT is not installed here" in said
    assert "kept as it is, and cannot be used" in said and "acct" in said
    assert root.read("etc/rmcagent/rmcagent.yaml") == "mode: acct\n"


def test_over_the_rpm_it_is_refused_before_any_file_comes(artefacts: Path, root: AixRoot) -> None:
    root.write("usr/bin/rpm", "#!/bin/sh\n[ \"$*\" = '-q rmcagent' ] && echo rmcagent-0.1.0-1.noarch\n", 0o755)

    done = root.script(scripts_of(artefacts)["pre_i"])

    assert done.returncode == 1 and "rpm -e rmcagent" in done.stdout


def test_on_another_system_it_is_refused_before_any_file_comes(artefacts: Path, root: AixRoot) -> None:
    root.write("usr/bin/uname", "#!/bin/sh\necho Linux\n", 0o755)

    done = root.script(scripts_of(artefacts)["pre_i"])

    assert done.returncode == 1 and "cannot install here" in done.stdout


# ---- the image itself --------------------------------------------------------------------------------------------------

def test_the_built_image_reads_strictly_and_file_knows_it(artefacts: Path) -> None:
    path = next(artefacts.glob("*.bff"))

    image = bff.read(path.read_bytes())

    assert len(image.entries) > 150 and {entry.times[1] for entry in image.entries} == {1_790_000_000} == {image.at}
    if shutil.which("file"):
        assert "AIX backup/restore format file" in subprocess.run(["file", path], capture_output=True, text=True).stdout


def test_its_archive_is_what_another_writer_makes_of_the_same_members(artefacts: Path, tmp_path: Path) -> None:
    writer = next((found for found in map(shutil.which, ("llvm-ar", *(f"llvm-ar-{n}" for n in range(20, 15, -1))))
                   if found and knows_big_archives(found, tmp_path)), None)
    if writer is None:
        pytest.skip("no llvm-ar that writes big archives: apt-get install llvm-16")
    library = bff.read(next(artefacts.glob("*.bff")).read_bytes()).entries[1].data
    for name, data, mode in bff.members(library):
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(mode)

    names = [name for name, _, _ in bff.members(library)]
    subprocess.run([writer, "--format=bigarchive", "qcD", "made.a", *names], cwd=tmp_path, check=True)
    (tmp_path / "ours.a").write_bytes(library)
    listed = subprocess.run([writer, "t", "ours.a"], cwd=tmp_path, capture_output=True, text=True).stdout.split()

    assert listed == names
    # Its own archives carry no modes in deterministic order; all else is the same bytes.
    assert bff.members((tmp_path / "made.a").read_bytes()) == [(name, data, 0o644) for name, data, _ in bff.members(library)]


def knows_big_archives(writer: str, folder: Path) -> bool:
    (folder / "probe").write_text("")
    tried = [writer, "--format=bigarchive", "qc", "probe.a", "probe"]
    return subprocess.run(tried, cwd=folder, capture_output=True).returncode == 0


def test_what_rebuilds_it_on_aix_is_plain_ustar_with_the_same_files(artefacts: Path) -> None:
    path = next(artefacts.glob("*-mkinstallp.tar"))
    image = bff.read(next(artefacts.glob("*.bff")).read_bytes())

    with tarfile.open(path) as archive:
        members = archive.getmembers()
        top = members[0].name.partition("/")[0]
        held = {one.name[len(top) + 6:]: archive.extractfile(one).read() if one.isfile() else b""  # type: ignore
                for one in members if "/tree/" in one.name}

    assert all((one.isfile() or one.isdir()) and not one.pax_headers and one.name.isascii() for one in members)
    assert held == {"opt": b"", **{entry.name[2:]: entry.data for entry in image.entries[2:]}}


@pytest.mark.parametrize("kept", ["--same-permissions", "--no-same-permissions"])
def test_what_rebuilds_it_gives_each_file_its_mode_whatever_the_umask(artefacts: Path, tmp_path: Path, kept: str) -> None:
    image = bff.read(next(artefacts.glob("*.bff")).read_bytes())
    seen = "#!/bin/sh\nfind tree -mindepth 1 -printf '%P %m\\n' >seen; mkdir tree/tmp; : >tree/tmp/a.bff\n"
    (tmp_path / "mkinstallp").write_text(seen)
    (tmp_path / "mkinstallp").chmod(0o755)

    script = f'umask 077; tar {kept} -xf "$0" && cd rmcagent-* && ./make-bff && cat seen'
    done = subprocess.run(["sh", "-c", script, str(next(artefacts.glob("*-mkinstallp.tar")))], cwd=tmp_path,
                          env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True)

    modes = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines() if not line.endswith(".bff"))
    assert done.returncode == 0, done.stderr
    assert modes == {"opt": "755", **{entry.name[2:]: f"{entry.mode & 0o777:o}" for entry in image.entries[2:]}}


def test_what_rebuilds_it_lists_its_folders(artefacts: Path) -> None:
    with tarfile.open(next(artefacts.glob("*-mkinstallp.tar"))) as archive:
        above = [one.name.partition("/")[2] for one in archive.getmembers() if one.isdir()]
        modes = {one.mode for one in archive.getmembers() if one.isdir()}

    assert above[:3] == ["tree", "tree/opt", "tree/opt/rmcagent"] and modes == {0o755}
