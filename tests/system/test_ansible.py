"""The Ansible role: what ansible-lint says; run against stubs for AIX and VIOS, and for real in a booted Debian.

Needs a package index, once, for ansible-core and ansible-lint: they are kept among the temporary files. The booted part needs
root, mmdebstrap, systemd-container and what builds the deb.
"""
from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator, List, NamedTuple

import pytest
from boot import Machine, booted, missing
from builds import Builds

from house import ROOT
from odm import Odm

pytestmark = [pytest.mark.slow, pytest.mark.real]
ROLES = ROOT / "packaging" / "ansible" / "roles"
PATIENCE, MADE_WITHIN = 180.0, 600.0
PLAY = """
- hosts: all
  gather_facts: {facts}
  gather_subset: ['!all', '!min', 'platform', 'pkg_mgr']
  serial: {serial}
  max_fail_percentage: 0
  roles: [rmcagent]
"""


@pytest.fixture(scope="session")
def ansible() -> Path:
    """A venv with ansible-core and ansible-lint, made once."""
    place = Path(tempfile.gettempdir()) / f"rmcagent-tests-ansible-{sys.version_info[0]}.{sys.version_info[1]}"
    with open(f"{place}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "made").exists() or place.stat().st_uid != os.geteuid():
            shutil.rmtree(place, ignore_errors=True)
            made = subprocess.run([sys.executable, "-m", "venv", str(place)], capture_output=True, text=True)
            pip = [str(place / "bin" / "pip"), "install", "-q", "ansible-core", "ansible-lint"]
            made = subprocess.run(pip, capture_output=True, text=True, timeout=MADE_WITHIN) if made.returncode == 0 else made
            if made.returncode != 0:
                pytest.skip(f"ansible-core and ansible-lint cannot be had here: {made.stderr[-300:]}")
            (place / "made").touch()
    return place


def test_the_role_passes_the_production_profile(ansible: Path, tmp_path: Path) -> None:
    shutil.copytree(ROLES.parent, tmp_path / "ansible")
    told = {"PATH": f"{ansible}/bin:/usr/bin:/bin", "HOME": str(tmp_path), "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}

    lint = [str(ansible / "bin" / "ansible-lint"), "--offline", "--profile", "production", "rmcagent.yml", "roles"]
    done = subprocess.run(lint, cwd=tmp_path / "ansible", env=told, capture_output=True, text=True, timeout=PATIENCE)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failure(s), 0 warning(s)" in done.stderr


def test_every_variable_is_specified_with_its_default() -> None:
    import yaml

    specified = yaml.safe_load((ROLES / "rmcagent/meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((ROLES / "rmcagent/defaults/main.yml").read_text())

    assert {name: option["default"] for name, option in specified.items()} == defaults


# ---- AIX and VIOS, of stubs --------------------------------------------------------------------------------------------

class Ran(NamedTuple):
    code: int
    said: str
    changed: List[str]                    # the tasks that did, or in check mode would


RPM = r"""#!/bin/sh
echo "rpm $*" >>@FOLDER@/asked
case $1 in
    -q) [ -x @FOLDER@/rmcagent ] ;;
    -e) rm @FOLDER@/rmcagent ;;
    -U) mkdir -p @FOLDER@/etc/conf.d && cp @SHIPPED@ @FOLDER@/etc/rmcagent.yaml
        cp @FOLDER@/brought @FOLDER@/rmcagent ;;
esac
"""
# What the package brings: its own words where they matter here, and the real program for what is checked. It is in the mode of
# the file that it read last, and of the verdicts it tells the first and forgets it, but the last.
PROGRAM = r"""#!/bin/sh
echo "rmcagent $*" >>@FOLDER@/asked
case $1 in
    --version) echo "rmcagent $(cat @FOLDER@/version)" ;;
    config) PYTHONPATH=@AGENT@ exec @PYTHON@ -m rmcagent "$@" ;;
    register) PYTHONPATH=@AGENT@ exec @PYTHON@ @FOLDER@/register.py "$2" ;;
    reload) [ -e @FOLDER@/deaf ] || sed -n 's/^mode: //p' @FOLDER@/etc/conf.d/50-ansible.yaml >@FOLDER@/mode ;;
    status) [ -e @FOLDER@/mode ] || exit 3
            echo "{\"schema\": 1, \"verdict\": \"$(sed -n 1p @FOLDER@/verdicts)\", \"mode\": \"$(cat @FOLDER@/mode)\",
                   \"version\": \"$(cat @FOLDER@/runs)\"}"
            [ "$(wc -l <@FOLDER@/verdicts)" -le 1 ] || sed -i 1d @FOLDER@/verdicts
            exit 150 ;;
    doctor) echo 'errpt cannot be read'; exit 1 ;;
esac
"""
REGISTER = """
import json, sys
from rmcagent import register
from rmcagent.model import Platform
from rmcagent.partition.host import SystemHost
commands = json.loads({commands!r})
host, verb = SystemHost(), sys.argv[1]
told = (register.check(host, Platform.AIX, commands) if verb == "--check" else
        register.apply(host, Platform.AIX, commands, {program!r}, "/console.log"))
sys.exit(0 if all(one.word in ("OK", "CHANGED", "OFF") for one in told) else 1)
"""


class Aix:
    """A folder in which an AIX is played: SRC and inittab by the stubs of the package's tests, rpm by one of ours."""

    def __init__(self, folder: Path, ansible: Path) -> None:
        self.folder, self.ansible = folder, ansible
        self.odm = Odm(folder / "odm", folder / "bin")
        (folder / "bin").mkdir(exist_ok=True)
        package = folder / "rmcagent-0.1.0-1.aix7.1.noarch.rpm"
        package.write_bytes(b"a package")
        told = {"@FOLDER@": str(folder), "@AGENT@": str(ROOT / "agent"), "@PYTHON@": sys.executable,
                "@SHIPPED@": str(ROOT / "etc" / "rmcagent.yaml")}
        for name, text in (("bin/rpm", RPM), ("brought", PROGRAM), ("bin/lslpp", "#!/bin/sh\nexit 1\n")):
            for key, value in told.items():
                text = text.replace(key, value)
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        commands = {name: str(folder / "bin" / name) for name in ("lssrc", "mkssys", "rmssys", "lsitab", "mkitab", "rmitab")}
        (folder / "register.py").write_text(REGISTER.format(commands=json.dumps(commands), program=str(folder / "rmcagent")))
        self.verdicts("degraded")
        for name in ("version", "runs"):
            (folder / name).write_text("0.1.0\n")
        self.variables = {"rmcagent_system": "AIX", "rmcagent_require_rsct": False, "rmcagent_program": str(folder / "rmcagent"),
                          "rmcagent_configuration": str(folder / "etc"), "rmcagent_package": str(package),
                          "rmcagent_checksum": hashlib.sha256(b"a package").hexdigest(), "rmcagent_verify_seconds": 2,
                          "rmcagent_vios_seconds": 2, "rmcagent_ask_seconds": 1,
                          "ansible_python_interpreter": str(ansible / "bin" / "python3"), "ansible_connection": "local"}
        # A module comes with its library as sources, which each task would compile anew: with the same, installed and compiled,
        # already imported it does not, and takes a third less of the processor.
        (folder / "python").mkdir()
        (folder / "python" / "sitecustomize.py").write_text("import ansible.module_utils.basic\n")

    def play(self, *words: str, hosts: str = "one,", serial: str = "1", **variables: object) -> Ran:
        """Run the role; what is told besides goes over the variables."""
        (self.folder / "play.yml").write_text(PLAY.format(serial=serial, facts="false"))
        told = {"PATH": f"{self.folder}/bin:{self.ansible}/bin:/usr/bin:/bin", "HOME": str(self.folder), "LC_ALL": "C.UTF-8",
                "ANSIBLE_ROLES_PATH": str(ROLES), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": "1",
                "PYTHONPATH": str(self.folder / "python")}
        done = subprocess.run([str(self.ansible / "bin" / "ansible-playbook"), "-i", hosts, str(self.folder / "play.yml"), "-e",
                               json.dumps({**self.variables, **variables}), *words], env=told, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE)
        return read(done.returncode, done.stdout)

    def asked(self) -> List[str]:
        """What was asked of rpm and of the agent, since this was asked last, that changes something."""
        file = self.folder / "asked"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [line for line in lines if line.startswith(("rpm -U", "rpm -e", "rmcagent register --apply", "rmcagent reload"))]

    def bring(self, mode: str = "observe") -> None:
        """What a run before would have: the program, its configuration, and an agent in that mode."""
        self.site.parent.mkdir(parents=True)
        self.site.write_text(f"mode: {mode}\n")
        shutil.copy(ROOT / "etc" / "rmcagent.yaml", self.folder / "etc")
        shutil.copy(self.folder / "brought", self.folder / "rmcagent")
        (self.folder / "mode").write_text(f"{mode}\n")

    def verdicts(self, *told: str) -> None:
        (self.folder / "verdicts").write_text("".join(f"{one}\n" for one in told))

    @property
    def site(self) -> Path:
        return self.folder / "etc" / "conf.d" / "50-ansible.yaml"


def read(code: int, said: str) -> Ran:
    task = r"^(?:TASK|RUNNING HANDLER) \[(?:rmcagent : )?([^\]]*)\] \*+\n((?:(?!TASK|RUNNING|PLAY).*\n)*)"
    tasks = re.findall(task, said, re.MULTILINE)
    return Ran(code, said, [name for name, what in tasks if re.search(r"^changed: ", what, re.MULTILINE)])


@pytest.fixture
def aix(tmp_path: Path, ansible: Path) -> Aix:
    return Aix(tmp_path, ansible)


def test_on_aix_it_comes_changes_its_mode_and_goes(aix: Aix) -> None:
    before = aix.play("--check")
    nothing = (aix.asked(), aix.site.exists(), aix.odm.records())

    first = aix.play()
    came, records = aix.asked(), aix.odm.records()
    observing = aix.site.read_text()
    shadow = aix.play(rmcagent_mode="shadow", rmcagent_policy={"remedies": {"recfgct": {"mode": "off"}}})
    changed = aix.asked()
    gone = aix.play(rmcagent_state="absent", rmcagent_purge=True)

    assert (before.code, nothing) == (0, ([], False, [])), before.said
    assert first.code == 0, first.said
    assert [line.partition(" /")[0] for line in came] == ["rpm -U --oldpackage", "rmcagent reload", "rmcagent register --apply"]
    assert [record["subsysname"] for record in records] == ["rmcagent"] and "mode: observe" in observing
    assert "rmcagent 0.1.0 in mode observe: degraded" in first.said and "errpt cannot be read" in first.said
    assert (shadow.code, changed) == (0, ["rmcagent reload"]), shadow.said
    assert gone.code == 0 and [line for line in aix.asked()] == ["rpm -e rmcagent"], gone.said
    assert not (aix.folder / "etc").exists()


def test_a_configuration_with_a_mistake_replaces_nothing(aix: Aix) -> None:
    good = "mode: observe\n"
    aix.bring()

    bad = aix.play(rmcagent_policy={"remedies": {"recycle": {"budget": "2/day"}}})

    assert bad.code != 0 and "cannot use" in bad.said
    assert aix.site.read_text() == good and aix.asked() == []


def test_what_is_tried_is_not_written_through_links_into_what_is_in_force(aix: Aix) -> None:
    aix.bring()
    for place, elsewhere in ((aix.folder / "etc", aix.folder / "site"), (aix.site.parent, aix.folder / "parts")):
        place.rename(elsewhere)
        place.symlink_to(elsewhere)
    before = aix.site.read_text()

    checked = aix.play("--check", rmcagent_mode="act")
    tried = aix.site.read_text()
    bad = aix.play(rmcagent_policy={"cadense": {"look": "60s"}})

    assert (checked.code, tried) == (0, before) and "Put the configuration in force" in checked.changed, checked.said
    assert bad.code != 0 and "cannot use" in bad.said and aix.site.read_text() == before, bad.said


def test_a_package_that_brings_another_version_than_it_is_named_for_fails_the_run(aix: Aix) -> None:
    aix.bring()
    (aix.folder / "version").write_text("0.0.9\n")

    played = aix.play()

    assert played.code != 0 and 'what is there now says "rmcagent 0.0.9"' in played.said, played.said


def test_an_old_agent_that_runs_on_after_the_new_one_came_fails_the_run(aix: Aix) -> None:
    aix.bring()
    (aix.folder / "runs").write_text("0.0.9\n")

    played = aix.play()

    assert played.code != 0 and "it is installed, and 0.0.9 still runs" in played.said, played.said


def test_after_a_run_that_failed_the_agent_is_in_the_mode_that_the_role_says(aix: Aix) -> None:
    aix.bring("act")
    startsrc = aix.folder / "bin/startsrc"
    working = startsrc.read_text()

    startsrc.write_text("#!/bin/sh\nexit 1\n")
    failed = aix.play(rmcagent_mode="observe")
    reached = (aix.folder / "mode").read_text()
    startsrc.write_text(working)
    (aix.folder / "mode").write_text("act\n")            # as one that never heard of it
    aix.asked()
    again = aix.play(rmcagent_mode="observe")

    assert failed.code != 0 and reached == "observe\n", failed.said
    assert again.code == 0 and "in mode observe" in again.said and (aix.folder / "mode").read_text() == "observe\n", again.said
    assert aix.asked() == ["rmcagent reload"]
    assert "Have it take the configuration over where it is in another mode" in again.changed


def test_an_agent_that_stays_in_another_mode_fails_the_run_which_says_so(aix: Aix) -> None:
    aix.bring("act")
    (aix.folder / "deaf").touch()

    played = aix.play(rmcagent_mode="observe")

    assert played.code != 0 and "cannot have rmcagent in mode observe on one: it says that it is in mode act" in played.said
    assert "in mode observe:" not in played.said


def test_a_run_after_which_the_agent_does_not_run_fails(aix: Aix) -> None:
    aix.verdicts("not-running")

    played = aix.play()

    assert played.code != 0 and "Tell how RMC is" not in played.said, played.said


def test_both_vioses_of_a_pair_are_refused_in_one_batch(aix: Aix) -> None:
    together = aix.play(hosts="vios1,vios2", serial="2", rmcagent_system="VIOS")

    assert together.code != 0 and "vios1 is a VIOS and 2 hosts are changed at once" in together.said and aix.asked() == []


def inventory(aix: Aix, *lines: str) -> str:
    (aix.folder / "inventory").write_text("".join(f"{line}\n" for line in lines))
    return str(aix.folder / "inventory")


@pytest.mark.parametrize("first, second", [("vios2.site", "vios1.site"), ("vios1", "vios2"), ("apart", "apart")])
def test_a_partner_that_is_no_partner_does_not_let_a_pair_be_changed_at_once(aix: Aix, first: str, second: str) -> None:
    hosts = inventory(aix, f"vios1 rmcagent_vios_partner={first}", f"vios2 rmcagent_vios_partner={second}",
                      "apart rmcagent_vios_partner=elsewhere", "[away]", "apart")

    together = aix.play("--limit", "vios1,vios2", hosts=hosts, serial="2", rmcagent_system="VIOS")

    assert together.code != 0 and "vios1 is a VIOS and 2 hosts are changed at once" in together.said and aix.asked() == []


def test_vioses_of_different_pairs_may_be_changed_at_once(aix: Aix) -> None:
    hosts = inventory(aix, "a1 rmcagent_vios_partner=a2", "a2 rmcagent_vios_partner=a1",
                      "b1 rmcagent_vios_partner=b2", "b2 rmcagent_vios_partner=b1")

    played = aix.play("--check", "--limit", "a1,b1", hosts=hosts, serial="2", rmcagent_system="VIOS")

    assert played.code == 0, played.said


@pytest.mark.parametrize("before, after, words", [
    ("healthy", ["degraded", "healing", "healing"], "vios1 is healing and was healthy before"),
    ("degraded", ["needs-human"], "vios1 is needs-human and was degraded before"),
])
def test_the_second_vios_is_not_reached_while_the_first_heals_or_is_worse(aix: Aix, before: str, after: List[str],
                                                                          words: str) -> None:
    aix.bring()
    aix.verdicts(before, *after)

    played = aix.play(hosts="vios1,vios2", serial="1", rmcagent_system="VIOS")

    assert played.code != 0 and f"cannot go on to another VIOS: {words}" in played.said, played.said
    assert "[vios2]" not in played.said


@pytest.mark.parametrize("verdicts", [["healthy", "healing", "healthy"], ["blind", "degraded"]])
def test_the_second_vios_follows_one_that_is_no_worse_than_before(aix: Aix, verdicts: List[str]) -> None:
    aix.bring()
    aix.verdicts(*verdicts)

    played = aix.play(hosts="vios1,vios2", serial="1", rmcagent_system="VIOS")

    assert played.code == 0 and "vios2: rmcagent 0.1.0 in mode observe:" in played.said, played.said


def test_a_package_that_nobody_vouches_for_needs_a_word_of_its_own(aix: Aix) -> None:
    without = aix.play(rmcagent_checksum="")
    untouched = aix.asked()
    waived = aix.play("--check", rmcagent_checksum="", rmcagent_checksum_waived=True)

    assert without.code != 0 and "its SHA-256 is not told" in without.said and untouched == []
    assert waived.code == 0, waived.said


def test_what_the_readme_has_run_on_a_kind_of_partition_is_where_its_package_puts_it() -> None:
    said = (ROLES.parent / "README.md").read_text()

    told = {kind: program for kind, program in re.findall(r"^ansible (\S+) -b -a '(\S+) pause", said, re.MULTILINE)}

    assert told == {"rmcagent_linux": "/usr/bin/rmcagent", "rmcagent_aix:rmcagent_vios": "/opt/rmcagent/bin/rmcagent"}


def test_what_does_not_fit_is_refused_before_anything_is_changed(aix: Aix) -> None:
    deb = aix.play(rmcagent_package="/nowhere/rmcagent_0.1.0-1_all.deb")
    without = aix.play(rmcagent_require_rsct=True)
    other = aix.play(rmcagent_checksum="0" * 64)

    assert deb.code != 0 and "cannot install /nowhere/rmcagent_0.1.0-1_all.deb on AIX" in deb.said
    assert without.code != 0 and "RSCT is not installed" in without.said
    assert other.code != 0 and "its SHA-256 is not 0000" in other.said
    assert aix.asked() == []


# ---- for real ----------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def machine(ansible: Path, builds: Builds, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    why_not = missing()
    if why_not:
        pytest.skip(why_not)
    if sys.version_info[:2] != (3, 11):
        pytest.skip("ansible runs on the booted Debian's own Python, 3.11, and was installed here for another")
    binds = {next((ansible / "lib").glob("python3.*")) / "site-packages": "/opt/ansible", ROLES: "/opt/roles",
             builds.of("deb"): "/opt/dist"}
    with booted(tmp_path_factory.mktemp("boot"), binds) as made:
        yield made


PLAYED = """export PYTHONPATH=/opt/ansible HOME=/opt LC_ALL=C.UTF-8
export ANSIBLE_ROLES_PATH=/opt/roles ANSIBLE_PIPELINING=1 ANSIBLE_NOCOLOR=1
python3 -m ansible playbook -i one, /opt/play.yml "$@" 2>&1
echo "exit $?"
"""


def played(machine: Machine, *words: str, **variables: object) -> Ran:
    package = machine.run("sh", "-c", "ls /opt/dist/*.deb").strip()
    checksum = machine.run("sha256sum", package).split()[0]
    told = {"rmcagent_package": package, "rmcagent_checksum": checksum, "rmcagent_require_rsct": False,
            "ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3", "rmcagent_verify_seconds": 30,
            "rmcagent_ask_seconds": 1,
            **variables}
    machine.write("/opt/play.yml", PLAY.format(serial="1", facts="true"))
    said = machine.run("sh", "-c", PLAYED, "sh", "-e", json.dumps(told), *words, within=PATIENCE)
    return read(int(said.split()[-1]), said)


def test_in_a_booted_debian_it_comes_tells_what_it_would_change_and_goes(machine: Machine) -> None:
    before = played(machine, "--check")
    first = played(machine)
    running = (machine.unit("rmcagent", "ActiveState"), machine.unit("rmcagent", "UnitFileState"))
    mode = machine.run("rmcagent", "config", "show")
    would = played(machine, "--check", rmcagent_mode="shadow")
    gone = played(machine, rmcagent_state="absent", rmcagent_purge=True)

    assert before.code == 0, before.said
    assert first.code == 0 and running == ("active", "enabled"), first.said
    assert re.search(r"in mode observe: (unknown|blind)", first.said), first.said     # there is no RSCT
    assert re.search(r"mode.*observe.*50-ansible.yaml", mode)
    assert (would.code, would.changed) == (0, ["Put the configuration in force"]), would.said
    assert gone.code == 0, gone.said
    assert machine.run("sh", "-c", "ls -d /etc/rmcagent /var/lib/rmcagent /usr/bin/rmcagent 2>/dev/null || :") == ""
