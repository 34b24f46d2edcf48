"""The rpm for AIX and its scripts, run by a real rpm on a changed root with stubs for SRC and inittab; each step twice."""
from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import List

import pytest
from builds import Builds

import aix_root
from aix_root import SHELLS, AixRoot
from house import ROOT
from rmcagent.model import Deed, Remedy, Step
from rmcagent.partition.host import SystemHost

pytestmark = [pytest.mark.slow, pytest.mark.real]
ENTRY = "rmcagent:2:once:/usr/bin/startsrc -s rmcagent >/dev/console 2>&1"
OURS = ("etc/rmcagent", "var/rmcagent", "var/log/rmcagent", "opt")


@pytest.fixture(scope="session", autouse=True)
def possible() -> None:
    aix_root.needs()


@pytest.fixture
def root(tmp_path: Path) -> AixRoot:
    made = AixRoot(tmp_path / "root")
    made.give_python()
    return made


def package(folder: Path) -> str:
    return str(next(folder.glob("*.rpm")))


def install(root: AixRoot, folder: Path, *words: str) -> str:
    done = root.rpm("-U", *words, package(folder))
    assert done.returncode == 0, done.stdout
    return done.stdout


def registered(root: AixRoot) -> bool:
    """Wholly, once, or not at all."""
    names = [record["subsysname"] for record in root.odm.records()]
    entries = [line for line in root.odm.inittab() if line.startswith("rmcagent")]
    assert (names, entries) in ((["rmcagent"], [ENTRY]), ([], []))
    return bool(names)


def modes(root: AixRoot, *paths: str) -> List[str]:
    return [oct(os.stat(root.folder / path).st_mode & 0o7777) for path in paths]


# ---- tags --------------------------------------------------------------------------------------------------------------

def asked(path: str, tags: str) -> List[str]:
    return subprocess.run(["rpm", "-qp", "--qf", tags, path], capture_output=True, text=True, check=True).stdout.split("\n")


def test_it_is_of_aix_and_of_no_machine_and_requires_nothing(artefacts: Path) -> None:
    told = asked(package(artefacts), "%{OS} %{ARCH} %{PLATFORM} %{PAYLOADCOMPRESSOR} %{BUILDHOST}\n[%{REQUIRES}\n]")

    assert told[0] == "aix7.1 noarch noarch-ibm-aix7.1 gzip reproducible"
    assert {line for line in told[1:] if line} == {"/bin/sh", "rpmlib(CompressedFileNames)", "rpmlib(FileDigests)",
                                                   "rpmlib(PayloadFilesHavePrefix)"}


def test_all_it_brings_is_roots_and_below_one_folder(artefacts: Path) -> None:
    tags = "[%{FILEUSERNAME} %{FILEGROUPNAME} %{FILEMODES:perms} %{FILENAMES}\n]"
    rows = [line.split(" ") for line in asked(package(artefacts), tags) if line]

    assert {(row[0], row[1]) for row in rows} == {("root", "system")}
    assert {row[2] for row in rows} == {"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x"}
    assert all(row[3] == "/opt/rmcagent" or row[3].startswith("/opt/rmcagent/") for row in rows) and len(rows) > 150


def test_a_linux_refuses_it(artefacts: Path, tmp_path: Path) -> None:
    tried = ["rpm", "--root", str(tmp_path), "-i", "--test", "--nodeps", package(artefacts)]
    done = subprocess.run(tried, capture_output=True, text=True)

    assert done.returncode != 0 and "intended for a different operating system" in done.stderr


@pytest.mark.skipif(not shutil.which("rpmlint"), reason="rpmlint is not installed: apt-get install rpmlint")
def test_what_the_linter_of_packages_says_has_a_reason(artefacts: Path) -> None:
    reasons = ROOT / "packaging" / "aix" / "rpmlint.toml"

    said = subprocess.run(["rpmlint", "-c", str(reasons), package(artefacts)], capture_output=True, text=True).stdout

    assert "; 0 badness" in said or " 0 errors, 0 warnings" in said, said


# ---- in, over, out -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("shell", SHELLS)
def test_it_comes_is_replaced_and_goes_and_leaves_what_it_should(artefacts: Path, later: Path, tmp_path: Path,
                                                                 shell: str) -> None:
    root = AixRoot(tmp_path / "root", shell)
    root.give_python()
    before = root.odm.inittab()

    for _ in range(2):
        said = install(root, artefacts, "--replacepkgs")
        assert registered(root) and not root.odm.is_active() and "not started" in said
    assert modes(root, "etc/rmcagent", "var/rmcagent", "var/log/rmcagent", "etc/rmcagent/rmcagent.yaml",
                 "var/log/rmcagent/console.log") == ["0o755", "0o700", "0o700", "0o644", "0o600"]
    for _ in range(2):
        install(root, later, "--replacepkgs")
        assert registered(root) and not root.odm.is_active()
    assert root.run("/opt/rmcagent/bin/rmcagent", "--version").stdout == "rmcagent 9.9.9\n"
    assert list((root.folder / "opt/rmcagent/lib/rmcagent/__pycache__").glob("cli.*.pyc"))
    for _ in range(2):
        done = root.rpm("-e", "rmcagent")
    assert not registered(root) and root.odm.inittab() == before and "not installed" in done.stdout
    assert root.files(*OURS) == ["etc/rmcagent/conf.d", "etc/rmcagent/conf.d/50-site.yaml", "etc/rmcagent/rmcagent.yaml",
                                 "var/log/rmcagent/console.log"]
    assert root.odm.sins() == []


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("booted", [True, False])
def test_a_folder_that_a_new_version_no_longer_has_goes_with_the_upgrade(builds: Builds, artefacts: Path, tmp_path: Path,
                                                                         shell: str, booted: bool) -> None:
    root = AixRoot(tmp_path / "root", shell)
    root.give_python()
    install(root, builds.of_a_room_more())
    lib = root.folder / "opt/rmcagent/lib/rmcagent"
    had = list((lib / "attic/__pycache__").glob("*.pyc"))
    if not booted:
        root.write("usr/bin/lssrc", "#!/bin/sh\nexit 255\n", 0o755)

    install(root, artefacts, "--oldpackage")

    assert had and not (lib / "attic").exists()
    assert [bool(list((lib / place).glob("*.pyc"))) for place in ("__pycache__", "show/__pycache__")] == [booted, booted]
    if booted:
        assert root.rpm("-e", "rmcagent").returncode == 0 and not root.exists("opt/rmcagent")


def test_what_was_installed_verifies_after_it_was_used(artefacts: Path, root: AixRoot) -> None:
    install(root, artefacts)
    root.run("/opt/rmcagent/bin/rmcagent", "config", "check")

    said = root.rpm("-V", "rmcagent").stdout.splitlines()

    assert [line for line in said if "does not exist" not in line and not line.startswith("......G..")] == []


def test_a_running_agent_is_started_again_after_an_upgrade_and_a_stopped_one_is_not(artefacts: Path, later: Path,
                                                                                    root: AixRoot) -> None:
    install(root, artefacts)
    install(root, later)
    assert not root.odm.is_active()
    root.run("startsrc", "-s", "rmcagent")

    install(root, later, "--replacepkgs")

    assert root.odm.is_active() and registered(root)
    assert [line.split()[0] for line in root.odm.changes()][-2:] == ["stopsrc", "startsrc"]


def test_a_configuration_is_kept_through_everything(artefacts: Path, later: Path, root: AixRoot) -> None:
    install(root, artefacts)
    root.write("etc/rmcagent/rmcagent.yaml", "mode: shadow\n")
    root.write("var/rmcagent/ledger.jsonl", "what is remembered\n")

    install(root, later)
    root.rpm("-e", "rmcagent")
    install(root, artefacts)

    assert root.read("etc/rmcagent/rmcagent.yaml") == "mode: shadow\n"
    assert root.read("var/rmcagent/ledger.jsonl") == "what is remembered\n"


def test_a_registration_of_an_older_version_is_put_right(artefacts: Path, root: AixRoot) -> None:
    root.run("mkssys", "-s", "rmcagent", "-p", "/opt/rmcagent/bin/rmcagent", "-u", "0")
    root.run("mkssys", "-s", "rmcagent", "-p", "/opt/old/bin/rmcagent", "-u", "0")

    install(root, artefacts)

    assert registered(root) and root.odm.records()[0]["waittime"] == "60"


def test_what_an_operator_turned_off_stays_off(artefacts: Path, later: Path, root: AixRoot) -> None:
    install(root, artefacts)
    root.write("odm/inittab", "rmcagent:2:off:/usr/bin/startsrc -s rmcagent\n")

    install(root, later)

    assert root.odm.inittab() == ["rmcagent:2:off:/usr/bin/startsrc -s rmcagent"]


@pytest.mark.parametrize("shell", SHELLS)
def test_what_an_operator_took_out_of_inittab_stays_out(artefacts: Path, later: Path, tmp_path: Path, shell: str) -> None:
    root = AixRoot(tmp_path / "root", shell)
    root.give_python()
    install(root, artefacts)
    with_comment = [line if line != ENTRY else f": {ENTRY}" for line in root.odm.inittab()]
    root.write("odm/inittab", "\n".join(with_comment) + "\n")

    said = install(root, later)
    after = root.odm.inittab()
    again = root.run("/opt/rmcagent/bin/rmcagent", "register", "--apply")

    assert after == with_comment and "is out again; to start at boot: /opt/rmcagent/bin/rmcagent register --apply" in said
    assert again.returncode == 0 and ENTRY in root.odm.inittab()


def test_a_record_of_srcs_is_put_right_though_the_line_was_taken_out(artefacts: Path, later: Path, root: AixRoot) -> None:
    install(root, artefacts)
    root.run("rmitab", "rmcagent")
    root.write("odm/SRCsubsys", root.read("odm/SRCsubsys").replace(":60:", ":20:"))

    install(root, later)

    assert root.odm.records()[0]["waittime"] == "60" and [one for one in root.odm.inittab() if "rmcagent" in one] == []


def test_a_registration_that_never_was_is_made_whole_by_an_upgrade(artefacts: Path, later: Path, tmp_path: Path) -> None:
    root = AixRoot(tmp_path / "root")
    install(root, artefacts)
    root.give_python()

    install(root, later)

    assert registered(root)


def test_src_runs_the_real_daemon_stops_it_and_the_upgrade_replaces_it(artefacts: Path, later: Path, root: AixRoot) -> None:
    install(root, artefacts)
    root.write("odm/really", "")
    root.run("startsrc", "-s", "rmcagent")
    first = published(root, "0.1.0")

    install(root, later)
    second = published(root, "9.9.9")
    root.run("stopsrc", "-s", "rmcagent")

    assert first != second and json.loads(root.read("var/rmcagent/public/status.json"))["verdict"] == "not-running"
    assert "Traceback" not in root.read("odm/console")
    assert root.rpm("-e", "rmcagent").returncode == 0 and not registered(root)


def published(root: AixRoot, version: str) -> int:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if root.exists("var/rmcagent/public/status.json"):
            told = json.loads(root.read("var/rmcagent/public/status.json"))
            if told.get("version") == version and "pid" in told:
                return int(told["pid"])
        time.sleep(0.05)
    raise AssertionError(f"{version} published nothing: {root.read('odm/console')}")


# ---- bad input ---------------------------------------------------------------------------------------------------------

def test_on_another_system_nothing_is_installed(artefacts: Path, root: AixRoot) -> None:
    root.write("usr/bin/uname", "#!/bin/sh\necho Linux\n", 0o755)

    done = root.rpm("-i", package(artefacts))

    assert done.returncode != 0 and "cannot install here: this package is for AIX and VIOS, and this is Linux" in done.stdout
    assert not root.exists("opt/rmcagent") and root.odm.log() == []


def test_without_python_it_says_so_installs_and_can_be_registered_later_or_removed(artefacts: Path, tmp_path: Path) -> None:
    root = AixRoot(tmp_path / "root")

    said = install(root, artefacts)
    assert said.count("no Python 3.9 or later") == 1 and "register --apply" in said and not registered(root)
    assert "cannot be used" not in said and "startsrc" not in said
    root.give_python("opt/freeware/bin/python3")
    assert root.run("/opt/rmcagent/bin/rmcagent", "register", "--apply").returncode == 0 and registered(root)
    (root.folder / "opt/freeware/bin/python3").unlink()

    assert root.rpm("-e", "rmcagent").returncode == 0 and not registered(root)


def test_without_rsct_it_says_so(artefacts: Path, root: AixRoot) -> None:
    assert "RSCT is not installed here" in install(root, artefacts)

    root.write("opt/rsct/bin/rmcctrl", "#!/bin/sh\n", 0o755)
    assert "RSCT is not installed here" not in install(root, artefacts, "--replacepkgs")


def test_a_broken_configuration_is_kept_and_told(artefacts: Path, root: AixRoot) -> None:
    root.write("etc/rmcagent/rmcagent.yaml", "mode: acct\n")

    said = install(root, artefacts)

    assert "kept as it is, and cannot be used" in said and "acct" in said
    assert "rmcagent plan" not in said
    assert root.read("etc/rmcagent/rmcagent.yaml") == "mode: acct\n"


def test_a_check_that_fails_over_something_else_does_not_blame_the_configuration(artefacts: Path, later: Path,
                                                                                root: AixRoot) -> None:
    install(root, artefacts)
    root.run("startsrc", "-s", "rmcagent")
    # Registers, and cannot check: as where memory is short.
    check_fails(root, 1, "out of memory")

    said = install(root, later)

    assert "cannot be used" not in said and "cannot check the configuration:\nout of memory\n" in said
    assert "not started: mend what is said above first" in said and not root.odm.is_active()


def check_fails(root: AixRoot, code: int, words: str) -> None:
    root.write("usr/bin/fails", f'#!/bin/sh\ncase "$*" in *" config check") echo {words} >&2; exit {code} ;; esac\n'
               'exec /usr/bin/python3 "$@"\n', 0o755)
    root.write("etc/rmcagent/env", "RMCAGENT_PYTHON=/usr/bin/fails\n")


def test_a_first_install_advises_no_start_over_a_broken_configuration(artefacts: Path, root: AixRoot) -> None:
    check_fails(root, 6, "acct is no mode")

    said = install(root, artefacts)

    assert registered(root) and "cannot be used:\nacct is no mode\n" in said and "rmcagent plan" not in said
    assert "not started: mend the configuration first, then: startsrc -s rmcagent" in said
    assert [line for line in root.odm.log() if line.startswith("errlogger")] == []      # nothing ran


def test_an_install_that_was_cut_short_is_finished_by_the_next(artefacts: Path, root: AixRoot) -> None:
    root.write("etc/rmcagent/.rmcagent.yaml.new", "mode: ac")
    (root.folder / "var" / "rmcagent").mkdir()

    install(root, artefacts)

    assert root.read("etc/rmcagent/rmcagent.yaml") == (ROOT / "etc" / "rmcagent.yaml").read_text()
    assert not root.exists("etc/rmcagent/.rmcagent.yaml.new")


def test_in_an_image_that_is_being_made_nothing_is_registered(artefacts: Path, root: AixRoot) -> None:
    root.write("usr/bin/lssrc", "#!/bin/sh\necho '0513-001 The System Resource Controller is not active.'\nexit 255\n", 0o755)

    said = install(root, artefacts)

    assert "no running SRC here" in said and root.odm.changes() == [] and root.exists("etc/rmcagent/rmcagent.yaml")


def test_in_an_image_for_others_nothing_is_made_outside_its_own_folder(artefacts: Path, root: AixRoot) -> None:
    shutil.rmtree(root.folder / "etc/rmcagent")

    done = root.enter(["rpm", *root.rpm_words("-U", package(artefacts))], INUCLIENTS="spot1")

    assert done.returncode == 0 and "this is an image for others: on each of them, after its boot" in done.stdout
    assert [place for place in OURS[:3] if root.exists(place)] == [] and root.odm.log() == []


def test_how_it_leaves_an_image_that_is_not_booted_is_told(artefacts: Path, root: AixRoot) -> None:
    root.write("usr/bin/lssrc", "#!/bin/sh\necho '0513-001 The System Resource Controller is not active.'\nexit 255\n", 0o755)
    install(root, artefacts)

    done = root.rpm("-e", "rmcagent")
    again = root.rpm("-e", "--noscripts", "rmcagent")

    assert done.returncode != 0 and "not booted nothing runs: rpm -e --noscripts rmcagent" in done.stdout
    assert again.returncode == 0 and not root.exists("opt/rmcagent")


def test_a_folder_that_cannot_be_made_is_told(artefacts: Path, root: AixRoot) -> None:
    root.write("var/rmcagent", "a file\n")

    done = root.rpm("-i", package(artefacts))

    assert "cannot make /var/rmcagent" in done.stdout and "scriptlet failed" in done.stdout and root.odm.changes() == []


def full(root: AixRoot) -> str:
    """A shell's words that make a full file system of the folder of logs."""
    folder = root.folder / "var/log/rmcagent"
    return f"mount -t tmpfs -o size=4k,nr_inodes=2 full {folder} && : >{folder}/fills && "


def test_an_upgrade_over_a_full_file_system_of_logs_starts_the_agent_again(artefacts: Path, later: Path, root: AixRoot) -> None:
    install(root, artefacts)
    root.run("startsrc", "-s", "rmcagent")
    rpm = " ".join(["rpm", *root.rpm_words("-U", package(later))])

    done = root.enter(["sh", "-c", full(root) + rpm])

    assert "scriptlet failed" not in done.stdout
    assert "cannot make /var/log/rmcagent/console.log: is its file system full?" in done.stdout
    assert [line.split()[0] for line in root.odm.changes()][-2:] == ["stopsrc", "startsrc"] and root.odm.is_active()


def test_a_configuration_that_cannot_be_made_is_told_and_ends_a_first_install_only(artefacts: Path, later: Path,
                                                                                 root: AixRoot) -> None:
    copies = root.folder / "usr/bin/cp"
    real = os.readlink(copies)
    copies.unlink()
    root.write("usr/bin/cp", "#!/bin/sh\nexit 1\n", 0o755)
    first = root.rpm("-i", package(artefacts)).stdout
    copies.unlink(), copies.symlink_to(real)
    install(root, artefacts, "--replacepkgs")
    root.run("startsrc", "-s", "rmcagent")
    (root.folder / "etc/rmcagent/rmcagent.yaml").unlink()
    copies.unlink()
    root.write("usr/bin/cp", "#!/bin/sh\nexit 1\n", 0o755)

    second = install(root, later)

    told = "cannot make /etc/rmcagent/rmcagent.yaml: is its file system full? Later: cp /opt/rmcagent/share/rmcagent.yaml"
    assert told in first and "scriptlet failed" in first and "CHANGED" not in first
    # Without its configuration it would end; that it was stopped is said, for the old one would run on over new files.
    assert told in second and "scriptlet failed" not in second and "not started: mend the configuration first" in second


# ---- a remedy under way ------------------------------------------------------------------------------------------------

def begin_remedy(root: AixRoot, seconds: int) -> SystemHost:
    host = SystemHost()
    step = Step("slow", ("/bin/sleep", str(seconds)), 60.0)
    host.begin(Deed(1, Remedy.REFRESH, (step,)), str(root.folder / "var" / "rmcagent"))
    return host


def hurry(root: AixRoot) -> None:
    """The scripts' patience passes at once; under dash, for other shells sleep by themselves."""
    root.link("sh", "dash")
    (root.folder / "usr" / "bin" / "sleep").unlink()
    root.write("usr/bin/sleep", "#!/bin/sh\n", 0o755)


def test_removal_waits_for_a_remedy_to_end(artefacts: Path, root: AixRoot) -> None:
    install(root, artefacts)
    root.run("startsrc", "-s", "rmcagent")
    host = begin_remedy(root, 4)

    done = root.rpm("-e", "rmcagent")

    progress = host.progress(1, str(root.folder / "var" / "rmcagent"))
    assert done.returncode == 0 and "a remedy is under way" in done.stdout and not registered(root)
    assert progress is not None and progress.done and not progress.alive


def test_a_remedy_that_does_not_end_keeps_the_package_and_the_agent(artefacts: Path, root: AixRoot) -> None:
    install(root, artefacts)
    root.run("startsrc", "-s", "rmcagent")
    begin_remedy(root, 25)
    hurry(root)

    done = root.rpm("-e", "rmcagent")

    assert done.returncode != 0 and "cannot go on: the remedy of process" in done.stdout
    assert registered(root) and root.odm.is_active() and root.exists("opt/rmcagent/bin/rmcagent")


@pytest.mark.parametrize("shell", ["ksh93", "mksh", "dash"])
def test_a_wait_for_a_remedy_that_is_interrupted_leaves_all_as_it_was(artefacts: Path, tmp_path: Path, shell: str) -> None:
    root = AixRoot(tmp_path / "root", shell)
    root.give_python()
    install(root, artefacts)
    root.run("startsrc", "-s", "rmcagent")
    begin_remedy(root, 4)
    with root.start_rpm("-e", "rmcagent") as erasure:
        assert erasure.stdout is not None
        while "a remedy is under way" not in erasure.stdout.readline():
            assert erasure.poll() is None

        os.killpg(erasure.pid, signal.SIGINT)        # as Ctrl-C does, to all that is in the foreground

        said = erasure.stdout.read()
    assert erasure.returncode != 0 and "cannot go on: interrupted while a remedy was under way" in said, said
    assert registered(root) and root.odm.is_active() and root.exists("opt/rmcagent/bin/rmcagent")


def test_a_remedy_that_ended_long_ago_holds_nothing_up(artefacts: Path, root: AixRoot) -> None:
    install(root, artefacts)
    root.write("var/rmcagent/deed-3.jsonl", '{"helper": 1, "at": 1.0}\n')
    root.write("var/rmcagent/deed-4.jsonl", f'{{"helper": {os.getpid()}, "at": 1.0}}\n{{"done": true, "failed": []}}\n')

    done = root.rpm("-e", "rmcagent")

    assert done.returncode == 0 and "under way" not in done.stdout


@pytest.mark.parametrize("step", ["upgrade", "removal"])
def test_killed_in_one_of_its_scripts_and_repeated_it_ends_as_it_should(artefacts: Path, later: Path, root: AixRoot,
                                                                         step: str) -> None:
    install(root, artefacts)
    root.run("startsrc", "-s", "rmcagent")
    root.write("etc/rmcagent/rmcagent.yaml", "mode: shadow\n")
    root.write("var/rmcagent/ledger.jsonl", "what is remembered\n")
    stops = root.read("usr/bin/stopsrc")
    root.write("usr/bin/stopsrc", "#!/bin/sh\n: >/hangs\nexec sleep 60\n", 0o755)

    words = ("-U", package(later)) if step == "upgrade" else ("-e", "rmcagent")
    with root.start_rpm(*words) as killed:
        while not root.exists("hangs"):
            assert killed.poll() is None
            time.sleep(0.02)
        os.killpg(killed.pid, signal.SIGKILL)
    between = (root.odm.is_active(), root.read("etc/rmcagent/rmcagent.yaml"), root.read("var/rmcagent/ledger.jsonl"))
    root.write("usr/bin/stopsrc", stops, 0o755)
    again = root.rpm(*words[:1], *(["--replacepkgs"] if step == "upgrade" else []), *words[1:])

    assert between == (True, "mode: shadow\n", "what is remembered\n") and again.returncode == 0, again.stdout
    assert (root.read("etc/rmcagent/rmcagent.yaml"), root.read("var/rmcagent/ledger.jsonl")) == between[1:]
    assert registered(root) == root.odm.is_active() == (step == "upgrade") and root.odm.sins() == []
    assert root.rpm("-q", "rmcagent").stdout.count("\n") == 1
    if step == "upgrade":
        assert root.run("/opt/rmcagent/bin/rmcagent", "--version").stdout == "rmcagent 9.9.9\n"


def test_an_agent_that_does_not_stop_keeps_the_package(artefacts: Path, root: AixRoot) -> None:
    install(root, artefacts)
    root.run("startsrc", "-s", "rmcagent")
    root.write("odm/deaf", "")
    hurry(root)

    done = root.rpm("-e", "rmcagent")

    assert done.returncode != 0 and "cannot stop the agent" in done.stdout and registered(root) and root.odm.sins() == []


@pytest.mark.parametrize("shell", SHELLS)
def test_where_src_does_not_answer_nothing_is_removed(artefacts: Path, tmp_path: Path, shell: str) -> None:
    root = AixRoot(tmp_path / "root", shell)
    root.give_python()
    install(root, artefacts)
    root.run("startsrc", "-s", "rmcagent")
    asked = root.read("usr/bin/lssrc")
    root.write("usr/bin/lssrc", "#!/bin/sh\necho '0513-056 Timeout waiting for command response.' >&2\nexit 1\n", 0o755)

    done = root.rpm("-e", "rmcagent")
    root.write("usr/bin/lssrc", asked, 0o755)

    assert done.returncode != 0 and root.exists("opt/rmcagent/bin/rmcagent")
    assert "SRC does not tell whether the agent runs" in done.stdout and "0513-056" in done.stdout and "telinit q" in done.stdout
    assert registered(root) and root.odm.is_active() and root.odm.sins() == []


def test_a_registration_that_cannot_be_removed_keeps_the_package_and_the_agent(artefacts: Path, root: AixRoot) -> None:
    install(root, artefacts)
    root.run("startsrc", "-s", "rmcagent")
    root.write("usr/bin/rmssys", "#!/bin/sh\necho '0513-056 Timeout waiting for command response.' >&2\nexit 1\n", 0o755)

    done = root.rpm("-e", "rmcagent")

    assert done.returncode != 0 and "cannot unregister the agent" in done.stdout
    assert registered(root) and root.odm.is_active()


def test_without_python_a_registration_that_cannot_be_removed_keeps_the_package(artefacts: Path, root: AixRoot) -> None:
    install(root, artefacts)
    (root.folder / "usr/bin/python3").unlink()
    root.write("usr/bin/rmssys", "#!/bin/sh\nexit 1\n", 0o755)

    done = root.rpm("-e", "rmcagent")

    assert done.returncode != 0 and "SRC says inoperative after rmssys" in done.stdout and registered(root)


def test_an_agent_that_somebody_starts_while_a_remedy_is_waited_for_is_stopped_again(artefacts: Path, root: AixRoot) -> None:
    install(root, artefacts)
    root.run("startsrc", "-s", "rmcagent")
    begin_remedy(root, 4)
    root.link("sh", "dash")      # whose sleep is a command
    (root.folder / "usr/bin/sleep").unlink()
    root.write("usr/bin/sleep", "#!/bin/sh\nstartsrc -s rmcagent >/dev/null\nexec /host/bin/sleep $1\n", 0o755)

    done = root.rpm("-e", "rmcagent")

    assert done.returncode == 0 and not root.odm.is_active() and not registered(root) and root.odm.sins() == []


def test_a_remedy_is_waited_for_where_the_configuration_keeps_it(artefacts: Path, root: AixRoot) -> None:
    root.write("etc/rmcagent/conf.d/60-state.yaml", "paths: {state: /var/other}\n")
    (root.folder / "var/other").mkdir(mode=0o700)
    install(root, artefacts)
    host, step = SystemHost(), Step("slow", ("/bin/sleep", "4"), 60.0)
    host.begin(Deed(1, Remedy.REFRESH, (step,)), str(root.folder / "var/other"))

    done = root.rpm("-e", "rmcagent")

    progress = host.progress(1, str(root.folder / "var/other"))
    assert done.returncode == 0 and "a remedy is under way" in done.stdout and progress is not None and not progress.alive


BEGINS = """
import sys
sys.path.insert(0, "/opt/rmcagent/lib")
from rmcagent.model import Deed, Remedy, Step
from rmcagent.partition.host import SystemHost
SystemHost().begin(Deed(7, Remedy.REFRESH, (Step("slow", ("/usr/bin/sleep", sys.argv[2]), 60.0),)), sys.argv[1])
"""


@pytest.mark.parametrize("folder", ["/var/rmcagent", ""])
def test_a_helper_of_which_a_full_disk_left_no_word_is_waited_for(artefacts: Path, root: AixRoot, folder: str) -> None:
    install(root, artefacts)
    begun = root.run("/usr/bin/python3", "-I", "-B", "-c", BEGINS, folder, "4")
    if folder:
        root.write("var/rmcagent/deed-7.jsonl", "")

    started = time.monotonic()
    done = root.rpm("-e", "rmcagent")

    assert begun.returncode == 0, begun.stdout
    assert done.returncode == 0 and "a remedy is under way (process" in done.stdout and time.monotonic() - started > 4
    assert not registered(root)


def test_the_helper_of_another_folder_holds_nothing_up(artefacts: Path, root: AixRoot) -> None:
    install(root, artefacts)
    begun = root.run("/usr/bin/python3", "-I", "-B", "-c", BEGINS, "/tmp/other", "4")

    done = root.rpm("-e", "rmcagent")

    assert begun.returncode == 0 and done.returncode == 0 and "under way" not in done.stdout


def deed(root: AixRoot, argv: str, *lines: str) -> None:
    """One whose helper was killed."""
    root.write("var/rmcagent/deed-7.json", f'{{"attempt": 7, "steps": [{{"name": "stop", "argv": {argv}}}]}}')
    written = ('{"helper": 4194303, "at": 1.0}', '{"begin": "stop", "at": 1.1}', *lines, "")
    root.write("var/rmcagent/deed-7.jsonl", "\n".join(written))


def test_a_command_that_outlives_its_helper_is_waited_for_and_what_got_its_number_is_not(artefacts: Path, root: AixRoot) -> None:
    install(root, artefacts)
    running = subprocess.Popen(["/bin/sleep", "4"])
    begun = f'{{"pid": {running.pid}, "started": "1", "wall": 1.0, "timeout": 60.0, "at": 1.2}}'

    deed(root, '["/bin/sleep", "4"]', begun)
    root.rpm("-e", "rmcagent")
    waited = running.poll() is not None or running.wait(0.5) == 0
    install(root, artefacts)
    other = subprocess.Popen(["/bin/sleep", "30"])
    deed(root, '["/opt/rsct/bin/rmcctrl", "-z"]', begun.replace(str(running.pid), str(other.pid)))
    said = root.rpm("-e", "rmcagent").stdout
    other.kill(), other.wait()

    assert waited and "under way" not in said and not registered(root)


def test_where_a_remedy_that_was_cut_in_two_left_rmc_stopped_the_agent_stays(artefacts: Path, root: AixRoot) -> None:
    root.write("opt/rsct/bin/rmcctrl", "#!/bin/sh\n", 0o755)
    install(root, artefacts)
    root.run("startsrc", "-s", "rmcagent")
    root.run("mkssys", "-s", "ctrmc", "-p", "/opt/rsct/bin/rmcd", "-u", "0")
    deed(root, '["/opt/rsct/bin/rmcctrl", "-z"]', '{"end": "stop", "exit": 0, "took": 1.0, "at": 2.0}')

    done = root.rpm("-e", "rmcagent")
    kept = root.odm.is_active()
    root.run("startsrc", "-s", "ctrmc")
    later = root.rpm("-e", "rmcagent")

    assert done.returncode != 0 and "RMC was left stopped by deed-7: run /opt/rsct/bin/rmcctrl -A, then" in done.stdout
    assert kept and later.returncode == 0 and root.odm.sins() == []


def test_an_upgrade_does_not_start_what_its_configuration_would_end(artefacts: Path, later: Path, root: AixRoot) -> None:
    install(root, artefacts)
    root.run("startsrc", "-s", "rmcagent")
    root.write("etc/rmcagent/rmcagent.yaml", "mode: acct\n")

    said = install(root, later)

    assert "not started: mend the configuration first" in said and not root.odm.is_active()


def test_an_agent_that_an_upgrade_ended_is_told_to_the_logs(artefacts: Path, later: Path, root: AixRoot) -> None:
    root.write("usr/bin/logger", "#!/bin/sh\necho \"$@\" >>/odm/syslog\n", 0o755)
    install(root, artefacts)
    root.run("startsrc", "-s", "rmcagent")
    install(root, later)
    healthy = root.exists("odm/syslog")
    root.write("etc/rmcagent/rmcagent.yaml", "mode: acct\n")

    install(root, later, "--replacepkgs")

    told = ("the agent was stopped for the sake of its package, and not started again: mend the configuration first, "
            "then: startsrc -s rmcagent")
    assert not healthy and root.read("odm/syslog") == f"-p daemon.err -t rmcagent {told}\n"
    assert [line for line in root.odm.log() if line.startswith("errlogger")] == [f"errlogger rmcagent: {told}"]


def test_an_agent_that_src_does_not_start_again_is_told(artefacts: Path, later: Path, root: AixRoot) -> None:
    install(root, artefacts)
    root.run("startsrc", "-s", "rmcagent")
    root.write("usr/bin/startsrc", "#!/bin/sh\necho '0513-054 no memory' >&2\nexit 1\n", 0o755)

    said = install(root, later)

    assert "cannot start it again; later: startsrc -s rmcagent" in said and "started again\n" not in said
    assert [line for line in root.odm.log() if line.startswith("errlogger rmcagent: the agent was stopped")] != []


def test_over_an_installp_image_it_is_refused(artefacts: Path, root: AixRoot) -> None:
    row = "rmcagent:rmcagent.rte:0.1.0.0: : :C: :agent"
    root.write("usr/bin/lslpp", f"#!/bin/sh\n[ \"$*\" = '-Lcq rmcagent.rte' ] && echo '{row}'\n", 0o755)

    done = root.rpm("-U", package(artefacts))
    root.write("usr/bin/lslpp", "#!/bin/sh\necho '0504-132 Fileset rmcagent.rte not installed.' >&2\nexit 1\n", 0o755)

    assert done.returncode != 0 and "installp -u rmcagent.rte" in done.stdout and not root.exists("opt/rmcagent")
    install(root, artefacts)
