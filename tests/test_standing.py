"""What seldom changes is asked seldom, sooner in doubt or in trouble, and told as what it is."""
from __future__ import annotations

from typing import List, Sequence

import pytest

from rmcagent import config
from rmcagent.clock import Steady
from rmcagent.model import Fact, How, Link, Platform, Snapshot, StandingFacts
from rmcagent.partition.observe import Observer
from rmcagent.partition.platform import place
from rmcagent.sim.clock import VirtualClock
from rmcagent.sim.partition import Partition, SimHost

MINUTE, HOUR = 60.0, 3600.0


class Scene:
    """A simulated partition and somebody who looks at it once a minute."""

    def __init__(self, platform: Platform = Platform.AIX) -> None:
        self.clock = VirtualClock()
        self.partition = Partition(self.clock, platform)
        self.host = SimHost(self.partition, self.clock)
        listed = "".join(f"  {name}: {path}\n" for name, path in self.host.commands().items())
        settings = config.parse(f"platform: {platform.value}\ncommands:\n{listed}").settings
        steady = Steady(self.clock, self.clock.now(), self.clock.monotonic())
        self.observer = Observer(self.host, place(self.host, settings), settings, steady)

    def look(self) -> Snapshot:
        return self.observer.look()

    @property
    def standing(self) -> StandingFacts:
        return self.look().standing

    def asked_within(self, seconds: float, every: float = MINUTE) -> List[str]:
        """The commands asked while so much time passes, a look a minute."""
        self.host.asked.clear()
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            self.clock.sleep(every)
            self.look()
        return [line.split()[0] for line in self.host.asked]


def counts(asked: Sequence[str], *names: str) -> List[int]:
    return [asked.count(name) for name in names]


def test_a_healthy_partition_is_asked_once_a_day_who_it_is_and_whether_rmc_starts_at_boot() -> None:
    scene = Scene()
    first = scene.standing

    asked = scene.asked_within(23 * HOUR, every=10 * MINUTE)
    tomorrow = scene.asked_within(2 * HOUR)

    assert (first.node_file.value, first.node_copy.value, first.node_command.value) == (scene.partition.node_id,) * 3
    assert (first.at_boot.value, first.cluster0.value) == ("", "")
    assert counts(asked, "lsnodeid", "lsitab", "lsattr") == [0, 0, 0]
    assert counts(tomorrow, "lsnodeid", "lsitab", "lsattr") == [1, 1, 1]


def test_while_no_hmc_is_connected_who_this_node_is_is_asked_every_ten_minutes() -> None:
    scene = Scene()
    scene.look()
    scene.partition.stick_session()

    asked = scene.asked_within(HOUR)

    assert 5 <= asked.count("lsnodeid") <= 7 and asked.count("lsitab") == 0


def test_an_answer_that_could_not_be_had_is_asked_for_again_soon() -> None:
    scene = Scene()
    scene.partition.garble_command("lsitab")

    untold = scene.standing.at_boot
    asked = scene.asked_within(HOUR)

    assert untold.how is How.GAP and 5 <= asked.count("lsitab") <= 7


# -- node ids


def test_a_node_id_that_changed_is_asked_again_at_once_and_is_no_contradiction() -> None:
    scene = Scene()
    scene.look()

    scene.partition.take_identity()
    seen = scene.standing

    assert seen.node_file.value == seen.node_copy.value == seen.node_command.value == scene.partition.node_id


def test_the_copy_beside_the_configuration_is_read_too() -> None:
    scene = Scene()
    scene.partition.clash_identity()

    seen = scene.standing

    assert seen.node_copy.value not in (None, seen.node_file.value)
    assert seen.node_file.value == seen.node_command.value


@pytest.mark.parametrize("text", [b"", b"# no id here\n", b"not hex at all\n", b"\xff\xfe\x00\n", b"0123\n"])
def test_a_file_that_holds_no_node_id_is_a_gap(text: bytes) -> None:
    scene = Scene()
    scene.host.state_files["/etc/ct_node_id"] = text

    fact = scene.standing.node_file

    assert fact.how is How.GAP and "/etc/ct_node_id" in fact.because


def test_a_file_that_is_not_there_is_an_answer() -> None:
    scene = Scene()
    scene.observer.place = place(scene.host, config.parse("platform: aix\npaths: {node_id: /etc/no_such_id}\n").settings)

    assert scene.standing.node_file.how is How.MISSING


# -- at boot


@pytest.mark.parametrize("platform, told", [
    (Platform.AIX, "/etc/inittab has no entry ctrmc"), (Platform.LINUX, "ctrmc.service is disabled"),
])
def test_an_rmc_that_will_not_start_at_boot_is_told_within_the_day_and_asked_again_soon(platform: Platform, told: str) -> None:
    scene = Scene(platform)
    scene.partition.disable_at_boot()

    assert scene.standing.at_boot.value == told
    scene.partition.at_boot = True
    scene.clock.sleep(11 * MINUTE)
    assert scene.standing.at_boot.value == ""


# -- the VIOS


def lparmgr(scene: Scene) -> Fact[str]:
    return scene.standing.lparmgr


def test_on_a_vios_lsivm_is_asked_once_an_hour_while_all_is_well() -> None:
    scene = Scene(Platform.VIOS)

    well = lparmgr(scene)

    assert (well.how, well.value) == (How.SEEN, "")
    assert scene.asked_within(3 * HOUR).count("lsivm") == 3


def test_a_missing_socket_is_told_at_once_where_lparmgr_runs() -> None:
    scene = Scene(Platform.VIOS)
    scene.look()
    scene.partition.stick_lparmgr()

    assert lparmgr(scene).value == "/var/adm/lpm/apsock is missing while lparmgr runs"


def test_whoever_else_calls_a_process_lparmgr_tells_nothing_of_it() -> None:
    scene = Scene(Platform.VIOS)
    scene.partition.lparmgr_stuck, scene.partition.lparmgr_runs = True, ()
    scene.partition.run_program("lparmgr")

    assert "lparmgr" in (scene.host.processes() or ())
    assert lparmgr(scene).source == "lsivm"


def test_lsivm_that_exits_1_tells_that_it_is_stuck_and_is_asked_again_at_every_look() -> None:
    scene = Scene(Platform.VIOS)
    scene.partition.fail_command("lsivm", 1)

    assert lparmgr(scene).value == "lsivm exits 1"
    assert scene.asked_within(10 * MINUTE).count("lsivm") == 10


def test_lsivm_that_ends_otherwise_could_not_tell() -> None:
    scene = Scene(Platform.VIOS)
    scene.partition.fail_command("lsivm", 255)

    assert lparmgr(scene).how is How.GAP


@pytest.mark.parametrize("platform", [Platform.AIX, Platform.LINUX])
def test_elsewhere_there_is_no_lparmgr(platform: Platform) -> None:
    assert lparmgr(Scene(platform)).how is How.INAPPLICABLE


# -- CAA's device


def test_the_uuid_that_caas_device_holds_is_told() -> None:
    scene = Scene()
    scene.partition.start_caa()

    assert scene.standing.cluster0.value == "1602a950-e651-11e1-84be-00145e76c700"
    assert Scene(Platform.LINUX).standing.cluster0.how is How.INAPPLICABLE


# -- remote clients


def test_remote_clients_are_asked_about_only_while_no_hmc_is_connected() -> None:
    scene = Scene()

    connected = scene.look()
    scene.partition.disable_remote()
    closed = scene.look()

    assert connected.remote.how is How.UNASKED
    assert [hmc.link for hmc in closed.hmcs] == [Link.DOWN] and closed.remote.value is False
