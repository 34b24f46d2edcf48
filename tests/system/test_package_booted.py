"""The deb in a really booted systemd, on a simulated partition: started, stuck, stopped amid a remedy, upgraded, purged.

The tests of one machine follow each other: each begins where the one before it ended. Needs root, mmdebstrap, systemd-container
and what builds the deb (debhelper, dh-python, pybuild-plugin-pyproject, python3-all, python3-setuptools).
"""
from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple

import pytest
from boot import Machine, booted, missing
from builds import LATER, Builds

pytestmark = [pytest.mark.slow, pytest.mark.real]
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 40.0
UNIT = "rmcagent.service"

# The world is no part of the package: it is the tree's own, so that it outlives what becomes of the package.
WORLD = "import sys; sys.path.insert(0, '/opt/agent'); from rmcagent.sim.live.shims import main; main(sys.argv[1:])"
PULL = """
import json, sys
from pathlib import Path
sys.path.insert(0, "/opt/agent")
from rmcagent.sim.live.shims import World
from rmcagent.sim.live.stage import COMPRESSED, merged
world = World.__new__(World)
world.folder, world.address, world.platform = Path("/opt/partition"), "/opt/partition/world.sock", "linux"
verb, *words = sys.argv[1:]
if verb == "config":
    told = merged(COMPRESSED, world.config())
    told["paths"] = {name: path for name, path in told["paths"].items() if name not in ("state", "public")}
    told["commands"]["rmcctrl"] = "/opt/rmcctrl"
    print(json.dumps(told, indent=1))
elif verb == "ask":
    print(json.dumps(world.ask(*words)))
else:
    world.do(*words)
"""
# As the real one it starts what inherits its control group; and RMC is down for as long as a test wants to strike.
RMCCTRL = """#!/bin/sh
/opt/partition/bin/rmcctrl "$@"
code=$?
case $1 in
    -z) while [ -e /opt/hold ]; do sleep 0.2; done ;;
    -A) setsid sleep 98765 </dev/null >/dev/null 2>&1 & ;;
esac
exit $code
"""
SLEEPERS = r"""for place in /proc/[0-9]*; do
    case $(tr '\0' ' ' <"$place/cmdline" 2>/dev/null) in 'sleep 98765 ') echo "${place#/proc/}" ;; esac
done"""


CHANGED = "??5?????? c /etc/rmcagent/rmcagent.yaml\n"       # by the tests; dpkg's word for another checksum of a conffile


class Packages(NamedTuple):
    now: Path
    later: Path


@pytest.fixture(scope="session")
def packages(builds: Builds) -> Packages:
    """This version, and a later one."""
    why_not = missing()
    if why_not:
        pytest.skip(why_not)
    return Packages(*(next(builds.of("deb", version=version).glob("*.deb")) for version in ("", LATER)))


class Partition:
    """A booted machine with a simulated partition on it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.run = machine.run

    def raise_world(self) -> None:
        self.machine.write("/opt/rmcctrl", RMCCTRL)
        self.run("chmod", "755", "/opt/rmcctrl")
        self.run("systemd-run", "--quiet", "--unit=world", "python3", "-c", WORLD, "/opt/partition", "--platform=linux")
        self.until(lambda: "world.sock" in self.run("ls", "/opt/partition", check=False), "the world is there")

    def pull(self, *words: str) -> str:
        return self.machine.python(PULL, *words)

    def states(self) -> Dict[str, str]:
        told: Dict[str, str] = json.loads(self.pull("ask", "states"))
        return told

    def did(self) -> List[str]:
        return [row[1] for row in json.loads(self.pull("ask", "did"))]

    def status(self) -> Dict[str, Any]:
        try:
            told: Dict[str, Any] = json.loads(self.run("cat", "/run/rmcagent/status.json", check=False))
            return told
        except ValueError:
            return {}

    def healthy(self) -> bool:
        return self.status().get("verdict") == "healthy" and self.status().get("episode") is None

    def told(self, code: str) -> List[str]:
        found = self.run("journalctl", "-t", "rmcagent", "-o", "cat", "--no-pager", f"RMCAGENT_CODE={code}", check=False)
        return found.splitlines()

    def remedies(self) -> List[str]:
        """The transient units that run a helper now."""
        listed = self.run("systemctl", "list-units", "--plain", "--no-legend", "--state=active", "rmcagent-remedy-*.service")
        return [line.split()[0] for line in listed.splitlines()]

    def daemons(self) -> Dict[str, str]:
        """What our rmcctrl started, and the control group each is in."""
        pids = self.run("sh", "-c", SLEEPERS).split()
        return {pid: self.run("cat", f"/proc/{pid}/cgroup") for pid in pids}

    def kept(self) -> str:
        """What no upgrade may change: the configuration, and the first lines of what is remembered."""
        return self.run("sh", "-c", "sha256sum /etc/rmcagent/rmcagent.yaml /etc/rmcagent/conf.d/50-site.yaml; "
                                    "head -n 3 /var/lib/rmcagent/ledger.jsonl")

    def dpkg_says(self) -> str:
        return self.run("dpkg-query", "-W", "-f", "${Status} ${Version}", "rmcagent")

    def pid(self) -> str:
        return self.machine.unit(UNIT, "MainPID")

    def until(self, true: Callable[[], bool], what: str, within: float = PATIENCE) -> None:
        end = time.monotonic() + within
        while not true():
            assert time.monotonic() < end, f"never within {within:.0f} s: {what}\n" + self.run("journalctl", "-n60", "--no-pager")
            time.sleep(0.2)

    def apt(self, *words: str) -> str:
        asking = 'DEBIAN_FRONTEND=noninteractive exec apt-get -qq -y --no-install-recommends "$@" 2>&1'
        return self.run("sh", "-c", asking, "apt", *words)

    def break_rmc(self) -> None:
        """Once it has been seen healthy, with start left out, so that the agent must recycle; which is held half-way."""
        self.until(self.healthy, "healthy")
        self.run("touch", "/opt/hold")
        before = len(self.did())
        self.pull("do", "crash", "ctrmc")
        self.until(lambda: any("rmcctrl -z" in deed for deed in self.did()[before:]), "a recycle has begun")


@pytest.fixture(scope="module", params=["bookworm", "bullseye", "trixie"])
def partition(request: pytest.FixtureRequest, packages: Packages,
              tmp_path_factory: pytest.TempPathFactory) -> Iterator[Partition]:
    binds = {ROOT / "agent": "/opt/agent", packages.now.parent: "/opt/now", packages.later.parent: "/opt/later"}
    with booted(tmp_path_factory.mktemp("boot"), binds, request.param) as machine:
        yield Partition(machine)


def test_apt_installs_it_from_a_file_and_nothing_is_started(partition: Partition, packages: Packages) -> None:
    said = partition.apt("install", f"/opt/now/{packages.now.name}")

    assert "not started: see what it would do with rmcagent plan" in said and "RSCT is not installed here" in said
    assert partition.run("systemctl", "is-active", UNIT, check=False).strip() == "inactive"
    assert partition.run("systemctl", "is-enabled", UNIT, check=False).strip() == "disabled"
    assert partition.run("systemd-analyze", "verify", "--man=no", UNIT) == ""
    assert partition.run("rmcagent", "config", "check")
    assert "a67bc027b8fa4ef0bae9a803595b4c68" in partition.run("journalctl", "--list-catalog", "--no-pager")


def test_the_service_is_ready_and_heals_what_breaks(partition: Partition) -> None:
    partition.raise_world()
    partition.machine.write("/etc/rmcagent/conf.d/50-site.yaml", partition.pull("config"))

    partition.run("systemctl", "enable", "--now", "--quiet", UNIT)

    assert partition.machine.unit(UNIT, "ActiveState") == "active"        # it has said READY=1: systemctl waited for that
    partition.until(partition.healthy, "healthy")
    partition.pull("do", "crash", "ctrmc")
    partition.until(lambda: bool(partition.told("RMCA3002N")), "healed")
    assert partition.states()["ctrmc"] == "active"
    assert any("remedy=start" in line for line in partition.told("RMCA3002N"))
    partition.until(partition.healthy, "healthy again")
    assert "rmcagent: healthy" in partition.run("rmcagent", "status")


def test_a_loop_that_is_stuck_is_bitten_by_the_watchdog_and_rmc_runs_on(partition: Partition) -> None:
    drop_in = "[Service]\nWatchdogSec=3s\nTimeoutAbortSec=1s\nRestartSec=200ms\n"
    partition.run("mkdir", "-p", f"/etc/systemd/system/{UNIT}.d")
    partition.machine.write(f"/etc/systemd/system/{UNIT}.d/quick.conf", drop_in)
    partition.run("systemctl", "daemon-reload")
    partition.run("systemctl", "restart", UNIT)
    stuck, rmc = partition.pid(), partition.pull("ask", "pids")
    time.sleep(5)                         # well over WatchdogSec: a loop that turns feeds it
    assert partition.pid() == stuck

    partition.run("sh", "-c", f"kill -STOP {stuck}")

    partition.until(lambda: partition.pid() not in ("0", stuck), "restarted")
    assert partition.machine.unit(UNIT, "NRestarts") == "1"
    assert "Watchdog timeout" in partition.run("journalctl", "-u", UNIT, "--no-pager")
    assert partition.pull("ask", "pids") == rmc
    partition.run("rm", "-r", f"/etc/systemd/system/{UNIT}.d")
    partition.run("systemctl", "daemon-reload")


def test_what_a_remedy_started_is_not_ours_and_outlives_our_stop(partition: Partition) -> None:
    before = partition.daemons()

    partition.run("systemctl", "stop", UNIT)

    assert before and all("rmcagent-remedy-" in group and UNIT not in group for group in before.values())
    assert partition.daemons() == before
    assert partition.states()["ctrmc"] == "active"
    assert partition.status()["verdict"] == "not-running"


def test_stopped_amid_a_recycle_the_remedy_still_ends_with_rmc_started(partition: Partition) -> None:
    partition.machine.write("/etc/rmcagent/conf.d/60-recycle.yaml", "remedies: {start: {mode: off}}\n")
    partition.run("systemctl", "start", UNIT)
    partition.break_rmc()

    partition.run("systemctl", "stop", UNIT)

    assert partition.states()["ctrmc"] == "inoperative" and len(partition.remedies()) == 1
    partition.run("systemctl", "daemon-reload")      # reads the remedy's unit again
    partition.run("rm", "/opt/hold")
    partition.until(lambda: not partition.remedies(), "the remedy has ended")
    assert partition.states()["ctrmc"] == "active"
    of_systemd = partition.run("journalctl", "_PID=1", "-o", "cat", "--no-pager").splitlines()
    assert [line for line in of_systemd if "/rmcagent-remedy-" in line] == []          # no complaint of the unit's file


def test_a_reload_takes_over_what_is_good_and_refuses_what_is_not(partition: Partition) -> None:
    partition.run("systemctl", "start", UNIT)
    partition.machine.write("/etc/rmcagent/conf.d/70-more.yaml", "mode: atc\n")

    refused = partition.run("sh", "-c", f"systemctl reload {UNIT} || echo failed")
    partition.run("rm", "/etc/rmcagent/conf.d/70-more.yaml")
    taken = partition.run("sh", "-c", f"systemctl reload {UNIT} || echo failed")

    assert (refused, taken) == ("failed\n", "")
    assert 'cannot use mode "atc"' in partition.run("journalctl", "-u", UNIT, "--no-pager")
    assert partition.machine.unit(UNIT, "ActiveState") == "active"


def test_an_upgrade_keeps_what_was_changed_and_remembered_and_restarts_it(partition: Partition, packages: Packages) -> None:
    partition.run("systemctl", "start", UNIT)
    partition.until(lambda: bool(partition.status().get("why")), "a decision that it remembers")
    partition.run("sh", "-c", "echo '# ours' >>/etc/rmcagent/rmcagent.yaml")
    ours = partition.run("sha256sum", "/etc/rmcagent/rmcagent.yaml", "/etc/rmcagent/conf.d/50-site.yaml")
    remembered = partition.run("sh", "-c", "grep -c recycle /var/lib/rmcagent/ledger.jsonl")
    pid = partition.pid()

    partition.apt("install", f"/opt/later/{packages.later.name}")

    assert partition.run("rmcagent", "--version") == "rmcagent 9.9.9\n"
    assert partition.pid() not in ("0", pid) and partition.machine.unit(UNIT, "ActiveState") == "active"
    assert partition.run("sha256sum", "/etc/rmcagent/rmcagent.yaml", "/etc/rmcagent/conf.d/50-site.yaml") == ours
    assert int(partition.run("sh", "-c", "grep -c recycle /var/lib/rmcagent/ledger.jsonl")) >= int(remembered) > 0
    assert "version=9.9.9" in partition.told("RMCA1001I")[-1]


def test_an_upgrade_over_a_broken_configuration_keeps_and_tells_it(partition: Partition, packages: Packages) -> None:
    partition.run("systemctl", "stop", UNIT)
    partition.machine.write("/etc/rmcagent/conf.d/70-broken.yaml", "mode: atc\n")

    said = partition.apt("install", "--allow-downgrades", f"/opt/now/{packages.now.name}")

    assert "the configuration was kept as it is, and cannot be used" in said and "70-broken.yaml" in said
    assert partition.run("systemctl", "is-active", UNIT, check=False).strip() == "inactive"     # a stopped one stays stopped
    partition.run("rm", "/etc/rmcagent/conf.d/70-broken.yaml")


DPKG_THAT_DIES = """#!/bin/sh
case " $* " in *' --configure '*) kill -9 $PPID; exit 137 ;; esac
exec /usr/bin/dpkg "$@"
"""


def test_an_upgrade_killed_before_it_is_configured_is_finished_by_the_next(partition: Partition, packages: Packages) -> None:
    partition.run("systemctl", "start", UNIT)
    kept, pid = partition.kept(), partition.pid()
    partition.machine.write("/opt/dpkg", DPKG_THAT_DIES)
    partition.run("chmod", "755", "/opt/dpkg")

    install = ("install", f"/opt/later/{packages.later.name}")
    partition.run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-o", "Dir::Bin::dpkg=/opt/dpkg", *install,
                  check=False)
    between = (partition.dpkg_says(), partition.pid(), partition.kept())
    partition.apt(*install)

    assert between == ("install ok unpacked 9.9.9-1", pid, kept)                # what ran runs on
    assert partition.dpkg_says() == "install ok installed 9.9.9-1" and partition.kept() == kept
    assert partition.pid() not in ("0", pid) and "version=9.9.9" in partition.told("RMCA1001I")[-1]


def test_a_dpkg_that_is_killed_at_whatever_moment_is_finished_by_the_next(partition: Partition, packages: Packages) -> None:
    kept = partition.kept()

    for moment in ("0.1", "0.4", "1"):
        partition.run("timeout", "-s", "KILL", moment, "dpkg", "--install", f"/opt/now/{packages.now.name}", check=False)
    partition.run("dpkg", "--configure", "-a", check=False)      # as apt asks for where dpkg was cut short
    partition.apt("install", "--allow-downgrades", "--reinstall", f"/opt/now/{packages.now.name}")

    assert partition.dpkg_says().startswith("install ok installed ") and "9.9.9" not in partition.dpkg_says()
    assert partition.kept() == kept and partition.run("dpkg", "--verify", "rmcagent") in ("", CHANGED)
    assert partition.machine.unit(UNIT, "ActiveState") == "active"
    partition.until(partition.healthy, "healthy")


def test_with_its_state_elsewhere_the_agent_finds_it_there_after_an_upgrade(partition: Partition, packages: Packages) -> None:
    partition.run("install", "-d", "-m", "700", "/srv/elsewhere")
    partition.machine.write("/etc/rmcagent/conf.d/80-state.yaml", "paths: {state: /srv/elsewhere}\n")
    partition.run("systemctl", "restart", UNIT)
    partition.until(lambda: "ledger.jsonl" in partition.run("ls", "/srv/elsewhere"), "a ledger there")
    before = partition.run("head", "-n", "1", "/srv/elsewhere/ledger.jsonl")

    partition.apt("install", f"/opt/later/{packages.later.name}")

    partition.until(partition.healthy, "healthy")
    assert partition.run("head", "-n", "1", "/srv/elsewhere/ledger.jsonl") == before != ""
    assert "version=9.9.9" in partition.told("RMCA1001I")[-1]


def test_a_removal_waits_for_the_remedy_that_is_under_way(partition: Partition) -> None:
    partition.run("systemctl", "start", UNIT)
    partition.break_rmc()

    partition.run("systemd-run", "--quiet", "--unit=removal", "sh", "-c", "apt-get -y remove rmcagent >/opt/removal 2>&1")
    waits = "a remedy is under way (rmcagent-remedy-"
    partition.until(lambda: waits in partition.run("cat", "/opt/removal", check=False), "it waits")
    assert partition.run("rmcagent", "--version") and partition.states()["ctrmc"] == "inoperative"
    partition.run("rm", "/opt/hold")
    partition.until(lambda: partition.machine.unit("removal", "ActiveState") == "inactive", "removed")

    assert partition.remedies() == [] and partition.states()["ctrmc"] == "active"
    assert partition.run("ls", "/etc/rmcagent/conf.d").split() == ["50-site.yaml", "60-recycle.yaml", "80-state.yaml"]
    assert "ledger.jsonl" in partition.run("ls", "/var/lib/rmcagent")
    assert "kept: /srv/elsewhere, where the configuration had the agent keep its state" in partition.run("cat", "/opt/removal")


def test_a_purge_leaves_nothing(partition: Partition) -> None:
    partition.apt("purge", "rmcagent")

    left = partition.run("sh", "-c", "find / -xdev -path /proc -prune -o -path /opt -prune -o -iname '*rmcagent*' -print")
    assert left == ""
    assert "ledger.jsonl" in partition.run("ls", "/srv/elsewhere")       # which an administrator named: it is not ours to remove
    assert "rmcagent" not in partition.run("journalctl", "--list-catalog", "--no-pager")
    assert len(partition.daemons()) >= 1 and partition.states()["ctrmc"] == "active"
