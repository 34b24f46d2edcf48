"""What packaging/build makes, as a whole: twice the same bits, sums, one version; and what needs no package manager, run."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Tuple

import pytest
from builds import FOR_ANYWHERE, LATER, Builds, built

import aix_root
import bff

pytestmark = [pytest.mark.slow, pytest.mark.real]


@pytest.mark.parametrize("names", [FOR_ANYWHERE, ("deb",), ("rpm",)], ids=lambda names: names[-1])
def test_built_twice_they_are_the_same_bits(builds: Builds, tmp_path: Path, names: Tuple[str, ...]) -> None:
    first = builds.of(*names)

    before = os.umask(0o077)
    try:
        # Elsewhere, with other modes and dates, and as somebody who shares nothing.
        shutil.copytree(builds.sources(), tmp_path / "elsewhere", copy_function=shutil.copyfile)
        again = built(tmp_path / "elsewhere", tmp_path / "out", *names)
    finally:
        os.umask(before)

    assert (again / "SHA256SUMS").read_text() == (first / "SHA256SUMS").read_text()
    assert all(path.read_bytes() == (first / path.name).read_bytes() for path in again.iterdir())
    assert len(list(first.iterdir())) == len(names) + 1


def test_the_sums_are_what_sha256sum_checks(artefacts: Path) -> None:
    done = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=artefacts, capture_output=True, text=True)

    assert done.returncode == 0 and done.stdout.count(": OK\n") == len(FOR_ANYWHERE), done.stdout + done.stderr


def test_the_sums_leave_out_what_was_not_built_and_keep_what_was_before(builds: Builds, tmp_path: Path) -> None:
    built(builds.sources(), tmp_path, "zipapp")
    before = (tmp_path / "SHA256SUMS").read_text()
    for name in ("notes", "rmcagent-0.0.9.pyz"):
        (tmp_path / name).touch()

    built(builds.sources(), tmp_path, "aix-mkinstallp")

    names = [line.split("  ")[1] for line in (tmp_path / "SHA256SUMS").read_text().splitlines()]
    assert before in (tmp_path / "SHA256SUMS").read_text() and len(names) == 2
    assert not {"notes", "rmcagent-0.0.9.pyz"} & {*names}


def test_a_version_that_is_changed_in_its_one_place_is_changed_everywhere(builds: Builds, later: Path) -> None:
    folders = [later, builds.of("deb", version=LATER), builds.of("rpm", version=LATER)]

    names = [path.name for folder in folders for path in folder.iterdir() if path.name != "SHA256SUMS"]
    inside = [entry.data.decode("ascii") for entry in bff.read(next(later.glob("*.bff")).read_bytes()).entries[:1]]

    assert len(names) == 4 and all(LATER in name for name in names)
    assert "rmcagent.rte 09.09.0009.0000 1 N U en_US" in inside[0]


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python 3.9, where there is one, with nothing but its own library."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([str(aix_root.old_python()), "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin" / "python3"


def test_the_unpacked_tree_runs_the_demo_on_a_bare_python(artefacts: Path, bare: Path, tmp_path: Path) -> None:
    for entry in bff.read(next(artefacts.glob("*.bff")).read_bytes()).entries[2:]:
        path = tmp_path / entry.name
        path.mkdir() if entry.is_folder and path.parent.exists() else path.parent.mkdir(parents=True, exist_ok=True)
        if not entry.is_folder:
            path.write_bytes(entry.data)
    library = tmp_path / "opt" / "rmcagent" / "lib"
    asked = "import sys; sys.path.insert(0, sys.argv[1]); import yaml, tenacity; print(yaml.__file__, tenacity.__file__)"

    found = subprocess.run([bare, "-I", "-B", "-c", asked, library], capture_output=True, text=True).stdout.split()
    demo = subprocess.run([bare, "-I", "-B", "-X", "utf8", library, "demo"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=300)

    assert [str(library) in path for path in found] == [True, True]
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert not list(library.rglob("*.pyc"))


def test_the_zipapp_runs_the_demo_by_itself_on_a_bare_python(artefacts: Path, bare: Path) -> None:
    demo = subprocess.run([bare, "-I", next(artefacts.glob("*.pyz")), "demo"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=300)

    assert demo.returncode == 0, demo.stdout + demo.stderr


def test_the_zipapp_runs_on_the_python_of_the_tests_without_its_packages(artefacts: Path) -> None:
    rehearsal = ["rehearse", "--scenario", "ctrmc-dies", "--for", "2d"]

    done = subprocess.run([sys.executable, "-I", "-S", next(artefacts.glob("*.pyz")), *rehearsal], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=300)

    assert done.returncode == 0, done.stdout + done.stderr


def test_an_old_python_is_refused_in_a_sentence(artefacts: Path) -> None:
    home = Path.home() / ".pyenv" / "versions"
    olds = [path for version in ("3.8", "3.6", "2.7") for path in sorted(home.glob(f"{version}.*/bin/python"))]
    if not olds:
        pytest.skip("no Python older than 3.9 is at hand")
    for old in olds:
        done = subprocess.run([old, next(artefacts.glob("*.pyz")), "status"], capture_output=True, text=True)
        assert done.returncode == 1 and "it needs 3.9 or later" in done.stderr and "Traceback" not in done.stderr


def test_the_wheel_and_the_sdist_hold_the_agent_and_nothing_of_others(artefacts: Path) -> None:
    wheel = zipfile.ZipFile(next(artefacts.glob("*.whl"))).namelist()
    with tarfile.open(next(artefacts.glob("*.tar.gz"))) as archive:
        sdist = archive.getnames()

    assert "rmcagent/cli.py" in wheel and not [name for name in wheel if name.startswith(("yaml", "tenacity"))]
    assert all(any(name.endswith(wanted) for name in sdist) for wanted in ("agent/rmcagent/cli.py", "pyproject.toml"))
