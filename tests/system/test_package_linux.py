"""The deb and the rpm for Linux: the same bits twice, what linters say, and the rpm's scripts on a changed root.

Needs root for the changed root, and the Debian packages rpm, rpmlint, lintian, debhelper, dh-python, pybuild-plugin-pyproject,
python3-all, python3-setuptools.
"""
from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, Iterator, List, Sequence

import pytest
from builds import LATER, Builds

import aix_root
from house import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.real]
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE = 300.0
LINUX = ROOT / "packaging" / "linux"
UNIT = LINUX / "rmcagent.service"
NEEDED = {"rpmbuild": "rpm", "rpmlint": "rpmlint", "lintian": "lintian", "dpkg-buildpackage": "dpkg-dev", "dh": "debhelper",
          "dh_python3": "dh-python", "pyproject-build": "pybuild-plugin-pyproject", "systemd-analyze": "systemd"}


def needs(*tools: str) -> None:
    absent = [NEEDED[tool] for tool in tools if shutil.which(tool, path=PATH) is None]
    if absent:
        pytest.skip(f"missing: apt-get install {' '.join(absent)}")


def ran(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, env={"PATH": PATH, "HOME": tempfile.gettempdir(), "LC_ALL": "C.UTF-8"}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE)


# ---- the unit ----------------------------------------------------------------------------------------------------------

def test_the_unit_is_less_exposed_than_six() -> None:
    needs("systemd-analyze")

    told = ran("systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=60", str(UNIT))

    assert told.returncode == 0, told.stdout
    assert float(re.findall(r"Overall exposure level for rmcagent.service: ([0-9.]+)", told.stdout)[0]) < 6.0


def test_the_watchdog_is_longer_than_the_longest_turn() -> None:
    """One in which every command hangs as long as it may, in a look and in the look just before the deed."""
    from rmcagent import config
    from rmcagent.partition.platform import FOLDERS

    settings = config.defaults()
    changing = ("startsrc", "refrsrc", "rmcctrl", "rmcrefreshMD", "recfgct")
    longest = 2 * sum(settings.timeouts.get(name, settings.timeout).total_seconds() for name in FOLDERS if name not in changing)

    (told,) = re.findall(r"^WatchdogSec=(\d+)min$", UNIT.read_text(), re.MULTILINE)

    assert longest < int(told) * 60


# ---- the deb -----------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def deb(builds: Builds) -> Path:
    needs("dpkg-buildpackage", "dh", "dh_python3", "pyproject-build")
    return next(builds.of("deb").glob("*.deb"))


def test_lintian_finds_nothing_that_is_not_explained(deb: Path) -> None:
    needs("lintian")

    told = ran("lintian", "--fail-on", "error,warning", "--allow-root", str(deb))

    assert (told.returncode, told.stdout) == (0, "")


def test_the_deb_depends_on_what_debian_has_and_keeps_the_configuration(deb: Path) -> None:
    depends = set(ran("dpkg-deb", "-f", str(deb), "Depends").stdout.strip().split(", "))
    rows = [line.split(None, 5) for line in ran("dpkg-deb", "-c", str(deb)).stdout.splitlines()]
    files = {row[5]: (row[0], row[1]) for row in rows}

    assert depends >= {"python3-psutil", "python3-systemd", "python3-tenacity", "python3-yaml", "python3:any (>= 3.9~)"}
    assert {owner for _, owner in files.values()} == {"root/root"}
    assert files["./etc/rmcagent/rmcagent.yaml"][0] == "-rw-r--r--" and files["./usr/bin/rmcagent"][0] == "-rwxr-xr-x"
    for wanted in ("./lib/systemd/system/rmcagent.service", "./usr/lib/systemd/catalog/rmcagent.catalog",
                   "./etc/rmcagent/conf.d/", "./usr/share/man/man8/rmcagent.8.gz", "./usr/share/man/man5/rmcagent.yaml.5.gz",
                   "./usr/share/bash-completion/completions/rmcagent", "./usr/lib/python3/dist-packages/rmcagent/cli.py"):
        assert wanted in files
    assert "/etc/rmcagent/rmcagent.yaml" in ran("dpkg-deb", "-I", str(deb), "conffiles").stdout.split()


IN_PLACE = 'mount -t overlay overlay -o "lowerdir=$1$2:$2" "$2" && shift 2 && exec env "$@"'


def test_the_debs_program_imports_nothing_from_where_the_environment_points(deb: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may lay the package over this system")
    ran("dpkg-deb", "-x", str(deb), str(tmp_path / "root"))
    # The home's path is that of the Python that the program runs on.
    site = ran("env", f"HOME={tmp_path}/home", "/usr/bin/python3", "-m", "site", "--user-site").stdout.strip()
    for place in ("evil", site):
        (tmp_path / place / "rmcagent").mkdir(parents=True)
        (tmp_path / place / "rmcagent/__init__.py").write_text("raise SystemExit('not ours')\n")
    program = tmp_path / "root/usr/bin/rmcagent"

    told = ran("unshare", "-m", "--propagation", "private", "sh", "-c", IN_PLACE, "sh", str(tmp_path / "root"),
               "/usr/lib/python3/dist-packages", f"PYTHONPATH={tmp_path}/evil", f"HOME={tmp_path}/home", str(program),
               "--version")

    assert program.read_text().splitlines()[0] == "#! /usr/bin/python3 -IS"
    assert (told.returncode, told.stdout.split()[0]) == (0, "rmcagent"), told.stdout


def test_without_python_dpkg_names_it_and_configures_nothing(deb: Path, tmp_path: Path) -> None:
    for name in ("db/updates", "db/info", "root"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("status", "available"):
        (tmp_path / "db" / name).touch()

    told = ran("dpkg", "--force-not-root", "--force-script-chrootless", f"--root={tmp_path}/root", f"--admindir={tmp_path}/db",
               "--install", str(deb))

    assert told.returncode != 0, told.stdout
    assert "dependency problems prevent configuration of rmcagent" in told.stdout
    assert "rmcagent depends on python3:any (>= 3.9~)" in told.stdout
    assert "not started" not in told.stdout


@pytest.mark.parametrize("link", [True, False])
def test_a_purge_names_what_the_configurations_folder_was_a_link_to(root: Root, deb: Path, tmp_path: Path, link: bool) -> None:
    ran("dpkg-deb", "-e", str(deb), str(tmp_path / "control"))
    root.write("postrm", (tmp_path / "control/postrm").read_text(), 0o755)
    root.write("srv/rmc/rmcagent.yaml" if link else "etc/rmcagent/rmcagent.yaml", "mode: observe\n")
    root.write("var/lib/rmcagent/ledger.jsonl", "remembered\n")
    if link:
        (root.folder / "etc/rmcagent").symlink_to("/srv/rmc")

    purged = root.run("/postrm", "purge")

    assert purged.returncode == 0 and not os.path.lexists(root.folder / "etc/rmcagent"), purged.stdout
    assert not (root.folder / "var/lib/rmcagent").exists() and (root.folder / "srv/rmc/rmcagent.yaml").exists() == link
    assert ("kept: /srv/rmc, to which /etc/rmcagent was a link" in purged.stdout) == link


# ---- the rpm -----------------------------------------------------------------------------------------------------------

SYSTEMCTL = r"""#!/bin/sh
echo "$*" >>/asked
[ ! -e /hang ] || { rm /hang; : >/hangs; sleep 60; }
case $* in
    'show -p ActiveState --value rmcagent.service')
        if [ -e /is ]; then cat /is; elif [ -e /runs ]; then echo active; else echo inactive; fi ;;
    'stop rmcagent.service') rm -f /runs ;;
    'start rmcagent.service') : >/runs ;;
    list-units*) [ ! -e /silent ] || exit 1
        [ ! -s /remedies ] || { read -r unit </remedies; sed -i 1d /remedies; echo "$unit loaded active running"; } ;;
esac
"""
TOOLS = ("sed", "sleep", "rm", "cat", "head", "readlink", "find")


@pytest.fixture(scope="module")
def rpms(builds: Builds) -> List[Path]:
    """This version, and a later one."""
    needs("rpmbuild")
    return [next(builds.of("rpm", version=version).glob("*.rpm")) for version in ("", LATER)]


class Root:
    """A changed root with a stub of systemctl, in which the machine's own rpm installs; the machine's files are below /host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("host", "dev", "proc", "tmp", "etc", "usr/bin", "usr/sbin", "usr/lib", "run/systemd/system", "var/lib/rpm"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name in ("lib64", "lib"):
            (folder / name).symlink_to(f"host/{name}")
        (folder / "bin").symlink_to("usr/bin")
        self.write("etc/passwd", "root:x:0:0::/root:/bin/sh\n")
        self.write("etc/group", "root:x:0:\n")
        self.write("usr/bin/systemctl", SYSTEMCTL, 0o755)
        self.write("usr/bin/journalctl", '#!/bin/sh\necho "journalctl $*" >>/asked\n', 0o755)
        self.write("usr/bin/logger", '#!/bin/sh\necho "logger $*" >>/asked\n', 0o755)
        for name in (*TOOLS, "dash"):
            (folder / "usr/bin" / ("sh" if name == "dash" else name)).symlink_to(f"/host/usr/bin/{name}")
        # The machine's own Python looks for its library where it is itself.
        self.write("usr/bin/python3", '#!/bin/sh\nPYTHONHOME=/host/usr exec /host/usr/bin/python3 "$@"\n', 0o755)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)
        (self.folder / path).chmod(mode)

    def rpm(self, *words: str) -> subprocess.CompletedProcess[str]:
        return ran(*self._rpm(words))

    def rpm_killed_in_a_script(self, *words: str) -> None:
        """As by a power cut, when the first of its scripts asks systemd something."""
        (self.folder / "hang").touch()
        process = subprocess.Popen(self._rpm(words), env={"PATH": PATH}, stdin=subprocess.DEVNULL, start_new_session=True,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE
        while not (self.folder / "hangs").exists():
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return ran(*self._with_the_host("chroot", str(self.folder), *argv))

    def _rpm(self, words: Sequence[str]) -> List[str]:
        return self._with_the_host("rpm", "--force-debian", "--root", str(self.folder), "--dbpath", "/var/lib/rpm", *words)

    def _with_the_host(self, *argv: str) -> List[str]:
        there = f'mount --rbind / "{self.folder}/host" && mount --rbind /dev "{self.folder}/dev" && exec "$@"'
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", there, "sh", *argv]

    def asked(self) -> List[str]:
        """What the scripts asked of systemd since this was asked last."""
        file = self.folder / "asked"
        told = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [line for line in told if not line.startswith("list-units")]

    def runs(self, yes: bool) -> None:
        (self.folder / "runs").touch() if yes else (self.folder / "runs").unlink(missing_ok=True)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    if os.geteuid() != 0:
        pytest.skip("a changed root needs root")
    yield Root(tmp_path / "root")


def test_rpmlint_finds_nothing_that_is_not_explained(rpms: List[Path]) -> None:
    needs("rpmlint")

    told = ran("rpmlint", "-c", str(LINUX / "rpmlint.toml"), str(rpms[0]))

    assert told.returncode == 0 and "0 errors, 0 warnings" in told.stdout, told.stdout


def test_the_rpm_is_for_every_linux_and_read_by_every_rpm(rpms: List[Path]) -> None:
    tags = ran("rpm", "-qp", "--qf", "%{NAME} %{OS} %{ARCH} %{PAYLOADCOMPRESSOR} %{BUILDHOST}", str(rpms[0])).stdout
    owners = set(ran("rpm", "-qp", "--qf", "[%{FILEUSERNAME}:%{FILEGROUPNAME}\n]", str(rpms[0])).stdout.split())
    scripts = ran("rpm", "-qp", "--qf", "%{POSTINPROG} %{PREUNPROG} %{POSTUNPROG} %{POSTTRANSPROG}", str(rpms[0])).stdout

    assert tags == "rmcagent linux noarch gzip reproducible"
    assert owners == {"root:root"}
    assert scripts.split() == ["/bin/sh"] * 4
    assert ran("rpm", "-qp", "-c", str(rpms[0])).stdout.split() == ["/etc/rmcagent/rmcagent.yaml"]


def test_installed_upgraded_and_erased_the_rpm_asks_of_systemd_what_each_needs(root: Root, rpms: List[Path]) -> None:
    new, later = map(str, rpms)

    first = root.rpm("-i", "--nodeps", new)
    asked_first = root.asked()
    root.runs(True)
    root.write("etc/rmcagent/rmcagent.yaml", "mode: observe\n")
    root.write("var/lib/rmcagent/ledger.jsonl", "remembered\n")
    root.write("run/rmcagent/status.json", "{}\n")
    upgrade = root.rpm("-U", "--nodeps", later)
    asked_upgrade = root.asked()
    kept = (root.folder / "etc/rmcagent/rmcagent.yaml").read_text()
    erased = root.rpm("-e", "rmcagent")

    assert [done.returncode for done in (first, upgrade, erased)] == [0, 0, 0], first.stdout + upgrade.stdout + erased.stdout
    assert "not started: see what it would do" in first.stdout and "not started" not in upgrade.stdout
    assert "RSCT is not installed here" in first.stdout
    assert asked_first == ["daemon-reload", "journalctl --update-catalog", "try-restart rmcagent.service"]
    # The old one's %postun lies between: only then are its files gone.
    assert asked_upgrade == ["daemon-reload", "journalctl --update-catalog", "daemon-reload", "try-restart rmcagent.service"]
    assert kept == "mode: observe\n"
    assert root.asked() == ["show -p ActiveState --value rmcagent.service", "stop rmcagent.service",
                            "--no-reload disable rmcagent.service", "daemon-reload", "reset-failed rmcagent.service",
                            "journalctl --update-catalog"]
    assert not (root.folder / "run/rmcagent").exists()
    left = sorted(str(path.relative_to(root.folder)) for path in root.folder.glob("[euv]*/**/*rmcagent*") if path.name != "host")
    assert left == ["etc/rmcagent", "etc/rmcagent/rmcagent.yaml.rpmsave", "var/lib/rmcagent"]
    assert "kept: /var/lib/rmcagent" in erased.stdout


def test_what_is_installed_is_compiled_for_everybody_and_goes_when_it_goes(root: Root, rpms: List[Path]) -> None:
    new, later = map(str, rpms)

    root.rpm("-i", "--nodeps", new)
    first = compiled(root)
    root.rpm("-U", "--nodeps", later)
    upgraded = compiled(root)
    root.rpm("-e", "rmcagent")

    assert {"cli", "status", "__main__"} <= set(first) and set(first.values()) == {0o644}
    assert set(upgraded) == set(first) and not (root.folder / "usr/lib/rmcagent").exists()


def compiled(root: Root) -> Dict[str, int]:
    """The mode of each module's bytecode."""
    found = (root.folder / "usr/lib/rmcagent/lib").rglob("*.pyc")
    return {path.name.partition(".")[0]: path.stat().st_mode & 0o777 for path in found}


def test_the_installed_program_runs_on_a_python_without_any_package(root: Root, rpms: List[Path]) -> None:
    root.rpm("-i", "--nodeps", str(rpms[0]))

    oldest = aix_root.old_python() or Path(sys.executable)
    told = ran(str(oldest), "-I", "-S", "-B", str(root.folder / "usr/lib/rmcagent/lib"),
               "rehearse", "--scenario", "ctrmc-dies", "--for", "2d")

    assert told.returncode == 0, told.stdout


def test_an_erasure_waits_for_the_remedy_that_is_under_way(root: Root, rpms: List[Path]) -> None:
    root.rpm("-i", "--nodeps", str(rpms[0]))
    root.write("remedies", "rmcagent-remedy-3-a.service\n")

    erased = root.rpm("-e", "rmcagent")

    assert erased.returncode == 0
    assert "a remedy is under way (rmcagent-remedy-3-a.service): waiting for its end" in erased.stdout


def test_a_remedy_that_never_ends_keeps_the_package_and_the_agent_as_they_were(root: Root, rpms: List[Path]) -> None:
    root.rpm("-i", "--nodeps", str(rpms[0]))
    root.runs(True)
    root.write("remedies", "rmcagent-remedy-3-a.service\n" * 700)
    (root.folder / "usr/bin/sleep").unlink()
    root.write("usr/bin/sleep", "#!/bin/sh\n", 0o755)            # the twenty minutes pass at once

    erased = root.rpm("-e", "rmcagent")

    assert erased.returncode != 0
    assert "cannot be removed: the remedy has not ended" in erased.stdout
    assert (root.folder / "runs").exists() and (root.folder / "usr/bin/rmcagent").exists()


def test_a_wait_for_a_remedy_that_is_interrupted_leaves_all_as_it_was(root: Root, rpms: List[Path]) -> None:
    root.rpm("-i", "--nodeps", str(rpms[0]))
    root.runs(True)
    root.write("remedies", "rmcagent-remedy-3-a.service\n" * 3)
    (root.folder / "usr/bin/sleep").unlink()
    root.write("usr/bin/sleep", "#!/bin/sh\nkill -INT $PPID\n", 0o755)

    erased = root.rpm("-e", "rmcagent")

    assert erased.returncode != 0 and "not removed: interrupted while a remedy was under way" in erased.stdout
    assert (root.folder / "runs").exists() and (root.folder / "usr/bin/rmcagent").exists()


@pytest.mark.parametrize("words", ["-U --nodeps", "-e"])
def test_killed_in_one_of_its_scripts_and_repeated_it_ends_as_it_should(root: Root, rpms: List[Path], words: str) -> None:
    new, later = map(str, rpms)
    what = later if words != "-e" else "rmcagent"
    root.rpm("-i", "--nodeps", new)
    root.runs(True)
    root.write("etc/rmcagent/rmcagent.yaml", "mode: observe\n")
    root.write("var/lib/rmcagent/ledger.jsonl", "remembered\n")

    root.rpm_killed_in_a_script(*words.split(), what)
    kept = [(root.folder / path).read_text() for path in ("etc/rmcagent/rmcagent.yaml", "var/lib/rmcagent/ledger.jsonl")]
    root.asked()
    again = root.rpm(*words.split(), *([] if words == "-e" else ["--replacepkgs"]), what)
    asked, there = root.asked(), root.rpm("-q", "rmcagent").stdout

    assert kept == ["mode: observe\n", "remembered\n"] and again.returncode == 0, again.stdout
    assert (root.folder / "var/lib/rmcagent/ledger.jsonl").read_text() == "remembered\n"
    if words == "-e":
        assert "not installed" in there and "stop rmcagent.service" in asked and not (root.folder / "usr/bin/rmcagent").exists()
        assert (root.folder / "etc/rmcagent/rmcagent.yaml.rpmsave").read_text() == "mode: observe\n"
    else:
        assert there == "rmcagent-9.9.9-1.noarch\n" and asked[-1] == "try-restart rmcagent.service"
        assert (root.folder / "etc/rmcagent/rmcagent.yaml").read_text() == "mode: observe\n"


def stops(root: Root) -> bool:
    return "stop rmcagent.service" in root.asked()


@pytest.mark.parametrize("state, stopped", [("activating", True), ("reloading", True), ("deactivating", True), ("active", True),
                                            ("inactive", False), ("failed", False)])
def test_an_erasure_stops_an_agent_in_whatever_state_but_one_at_rest(root: Root, rpms: List[Path], state: str,
                                                                     stopped: bool) -> None:
    root.rpm("-i", "--nodeps", str(rpms[0]))
    root.write("is", f"{state}\n")

    erased = root.rpm("-e", "rmcagent")

    assert (erased.returncode, stops(root)) == (0, stopped), erased.stdout


@pytest.mark.parametrize("silent, words", [("is", "whether the agent runs"), ("silent", "whether a remedy is under way")])
def test_an_erasure_without_an_answer_of_systemd_is_refused(root: Root, rpms: List[Path], silent: str, words: str) -> None:
    root.rpm("-i", "--nodeps", str(rpms[0]))
    root.write(silent, "")

    erased = root.rpm("-e", "rmcagent")

    assert erased.returncode != 0 and f"cannot be removed: systemd does not tell {words}" in erased.stdout
    assert (root.folder / "usr/bin/rmcagent").exists()


HALF = '{"helper": 4194303, "at": 1.0}\n{"begin": "rmcctrl -z", "at": 1.1}\n'
OF_CTRMC = "#!/bin/sh\necho ' ctrmc            rsct             @IS@'\n"


@pytest.mark.parametrize("lines, ctrmc, refused", [
    (HALF, "inoperative", True), (HALF, "5112  stopping", True), (HALF, "5112  active", False), (HALF, "", False),
    (HALF + '{"done": true, "failed": [], "at": 2.0}\n', "inoperative", False), (HALF, "gone with RSCT", False)])
def test_an_erasure_is_refused_while_rmc_is_left_stopped(root: Root, rpms: List[Path], lines: str, ctrmc: str,
                                                         refused: bool) -> None:
    root.rpm("-i", "--nodeps", str(rpms[0]))
    root.runs(True)
    root.write("var/lib/rmcagent/deed-7.jsonl", lines)
    if ctrmc:
        root.write("usr/bin/lssrc", OF_CTRMC.replace("@IS@", ctrmc), 0o755)
    if ctrmc not in ("", "gone with RSCT"):
        root.write("opt/rsct/bin/rmcctrl", "", 0o755)

    erased = root.rpm("-e", "rmcagent")

    assert (erased.returncode != 0) == refused == (root.folder / "runs").exists(), erased.stdout
    assert ("RMC was left stopped by deed-7: run rmcctrl -A, then rmcctrl -p, then remove; or rm '/var/lib/rmcagent/deed-7.jsonl'"
            in erased.stdout) == refused


def test_where_the_configuration_moved_the_state_a_removal_looks_there_and_leaves_it(root: Root, rpms: List[Path]) -> None:
    root.rpm("-i", "--nodeps", str(rpms[0]))
    root.write("etc/rmcagent/conf.d/60-state.yaml", "paths: {state: /srv/of rmc}\n")
    root.write("srv/of rmc/deed-7.jsonl", HALF)
    root.write("usr/bin/lssrc", OF_CTRMC.replace("@IS@", "inoperative"), 0o755)
    root.write("opt/rsct/bin/rmcctrl", "", 0o755)

    refused = root.rpm("-e", "rmcagent")
    (root.folder / "opt/rsct/bin/rmcctrl").unlink()
    erased = root.rpm("-e", "rmcagent")

    assert refused.returncode != 0 and "RMC was left stopped by deed-7" in refused.stdout
    assert erased.returncode == 0 and "kept: /srv/of rmc, where the configuration had the agent keep its state" in erased.stdout
    assert (root.folder / "srv/of rmc/deed-7.jsonl").exists()


def test_over_a_broken_configuration_the_upgrade_says_so_and_keeps_it(root: Root, rpms: List[Path]) -> None:
    root.rpm("-i", "--nodeps", str(rpms[0]))
    root.write("etc/rmcagent/conf.d/50-site.yaml", "mode: atc\n")

    upgrade = root.rpm("-U", "--nodeps", str(rpms[1]))

    assert upgrade.returncode == 0
    assert "cannot be used; until it is mended the agent does not start:" in upgrade.stdout and '"act"' in upgrade.stdout
    (told,) = [line for line in root.asked() if line.startswith("logger ")]
    assert told.startswith("logger -p daemon.err -t rmcagent the configuration was kept as it is, and cannot be used;")
    assert (root.folder / "etc/rmcagent/conf.d/50-site.yaml").read_text() == "mode: atc\n"


def test_where_nothing_is_booted_nothing_is_asked_of_systemd(root: Root, rpms: List[Path]) -> None:
    shutil.rmtree(root.folder / "run")

    done = [root.rpm("-i", "--nodeps", str(rpms[0])), root.rpm("-e", "rmcagent")]

    assert [one.returncode for one in done] == [0, 0]
    assert {line for line in root.asked() if "catalog" not in line} <= {"--no-reload disable rmcagent.service"}


def test_without_a_python_the_program_says_what_to_install(root: Root, rpms: List[Path]) -> None:
    (root.folder / "usr/bin/python3").unlink()

    installed = root.rpm("-i", "--nodeps", str(rpms[0]))

    assert installed.returncode == 0
    assert "cannot run: no Python 3.9 or later in /usr/bin; install one (RHEL 8: python3.11" in installed.stdout
    assert "the configuration" not in installed.stdout and "not started: see" not in installed.stdout
