from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Tuple

import pytest

from rmcagent.model import State
from rmcagent.partition import parse
from rmcagent.partition.host import SystemHost
from rmcagent.sim.live.shims import NAMES, World

pytestmark = pytest.mark.real
HMC = "127.0.0.2"
BOUND = 10.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(str(tmp_path / "w")) as world:
        yield world


def test_real_lssrc_shows_real_pids(world: World):
    answer = SystemHost().run((path(world, "lssrc"), "-a"), BOUND)

    row = parse.lssrc(answer)["ctrmc"]
    assert row.state is State.ACTIVE and row.pid == world.pid("ctrmc")
    assert SystemHost().alive(row.pid or 0)


def test_ctrmc_killed_from_outside_is_inoperative_and_in_the_error_log(world: World):
    os.kill(world.pid("ctrmc") or 0, signal.SIGKILL)

    until(lambda: state(world) is State.INOPERATIVE)
    assert parse.errpt(SystemHost().run((path(world, "errpt"),), BOUND))[0].identifier == "BC3BE5A3"
    assert run(world, "lsrsrc", "IBM.MCP")[0] == 1


def test_a_crash_by_command_ends_the_real_process(world: World):
    pid = world.pid("ctrmc") or 0

    world.do("crash", "ctrmc")

    assert SystemHost().alive(pid) is False and world.pid("ctrmc") is None


def test_a_recycle_through_real_commands_brings_the_session_back(world: World):
    world.do("stick_session", mended_by="recycle")
    before = world.pid("ctrmc")
    began = time.monotonic()

    codes = [run(world, "rmcctrl", flag)[0] for flag in ("-z", "-A", "-p")]
    took = time.monotonic() - began

    assert codes == [0, 0, 0] and took > (8 + 2 + 0.5) * 0.02
    until(lambda: world.ask("sessions") == {HMC: "up"})
    assert world.pid("ctrmc") not in (None, before)
    assert [words for _, words in world.ask("did")] == ["rmcctrl -z", "rmcctrl -A", "rmcctrl -p"]
    assert world.ask("disasters") == []


def test_a_changing_command_that_is_killed_takes_effect_all_the_same(tmp_path: Path):
    with World(str(tmp_path), pace=0.05) as world:
        command = subprocess.Popen([path(world, "rmcctrl"), "-z"], stdout=subprocess.PIPE)
        until(lambda: state(world) is State.STOPPING)

        command.kill()
        command.communicate()

        until(lambda: state(world) is State.INOPERATIVE)


def test_recfgct_writes_the_new_identity_into_both_files(world: World):
    world.do("break_identity")
    paths = world.config()["paths"]
    files = [Path(paths["node_id"]), Path(paths["var_ct"]) / "cfg/ct_node_id"]
    before = [file.read_text() for file in files]

    code, text, _ = run(world, "recfgct")

    after = [file.read_text() for file in files]
    assert code == 0 and "0513-059" in text
    assert len(set(before)) == len(set(after)) == 1 and before != after
    assert parse.node_id(after[0]) == world.ask("node_id")


def test_an_hmc_answers_on_both_ports_until_it_cannot_be_reached(world: World):
    host, ports = SystemHost(), world.config()["network"]["ports"]

    seen = [host.reach((HMC, "127.0.0.1"), ports, 1.0)]
    world.do("hmc_unreachable", HMC)
    seen.append(host.reach((HMC, "127.0.0.1"), ports, 1.0))
    world.do("hmc_reachable")
    world.do("disable_remote")
    seen.append(host.reach((HMC, "127.0.0.1"), ports, 1.0))

    assert seen == [{HMC: True, "127.0.0.1": True}, {HMC: False, "127.0.0.1": True}, {HMC: True, "127.0.0.1": False}]


def test_several_hmcs_answer_on_the_same_ports(tmp_path: Path):
    with World(str(tmp_path), hmcs=3) as world:
        addresses = ("127.0.0.2", "127.0.0.3", "127.0.0.4")

        reached = SystemHost().reach(addresses, world.config()["network"]["ports"][1:], 1.0)

        assert reached == dict.fromkeys(addresses, True)
        assert set(world.ask("sessions")) == set(addresses)


def test_a_storm_appends_to_a_real_file(world: World):
    log = Path(world.config()["paths"]["var_ct"]) / "IW/log/mc/IBM.MgmtDomainRM.default"
    before = log.stat().st_size

    world.do("storm", 1000, "hmc")

    until(lambda: log.stat().st_size > before + 20000)
    world.do("rotate_log")
    assert Path(f"{log}.last").read_bytes().count(b"2610-415") > 30


def test_a_hung_command_is_killed_by_its_caller(world: World):
    world.do("hang_command", "lsrsrc", stubborn=True, forks=True)
    began = time.monotonic()

    answer = SystemHost().run((path(world, "lsrsrc"), "IBM.MCP"), 0.5)

    assert answer.timed_out and time.monotonic() - began < 5
    assert of_this_world(world, "bin/lsrsrc") == []


def test_a_stubborn_command_ignores_sigterm_and_leaves_a_child(world: World):
    world.do("hang_command", "lsrsrc", stubborn=True, forks=True)
    command = subprocess.Popen([path(world, "lsrsrc")])
    until(lambda: len(of_this_world(world, "bin/lsrsrc")) == 2)

    command.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        command.wait(0.2)

    world.close()
    assert command.wait(BOUND) == 1
    until(lambda: of_this_world(world, "bin/lsrsrc") == [])


def test_a_removed_command_is_gone_and_a_mended_one_is_back(world: World):
    host = SystemHost()
    world.do("remove_command", "lspv")

    missing = host.run((path(world, "lspv"),), BOUND).missing
    world.do("mend_command", "lspv")

    assert missing and parse.lspv(host.run((path(world, "lspv"),), BOUND)) == ""


def test_a_platform_has_its_own_commands_and_never_the_machines(tmp_path: Path):
    with World(str(tmp_path), platform="linux") as world:
        config = world.config()

        assert set(config["commands"]) == set(NAMES)
        assert all(place.startswith(str(tmp_path)) for place in config["commands"].values())
        assert not Path(config["commands"]["lspv"]).exists()
        unit = SystemHost().run((path(world, "systemctl"), "show", "ctrmc.service"), BOUND)
        assert parse.systemctl_show(unit)["Result"] == "success"
        assert run(world, "lssrc", "-a")[1].startswith("Subsystem         Group            PID     Status \n")


def test_arguments_arrive_as_they_were_given(world: World):
    code, _, complaint = run(world, "lssrc", "-s", "a b\n\u00e9")

    assert (code, complaint) == (1, "0513-085 The a b\n\u00e9 Subsystem is not on file.\n")


def test_what_the_world_refuses_comes_back_as_a_sentence(world: World):
    refused = (("start_ssp", (), "outside a VIOS"), ("fly", (), "cannot do fly"), ("_appoint", (), "cannot do _appoint"),
               ("crash", ("nobody",), "cannot find subsystem nobody"), ("crash", (1, 2, 3), "TypeError"))
    for event, arguments, complaint in refused:
        with pytest.raises(ValueError, match=complaint):
            world.do(event, *arguments)


def test_only_its_owner_may_knock_at_the_world(world: World):
    assert os.stat(world.address).st_mode & 0o777 == 0o600


def test_a_folder_with_a_long_name_has_its_socket_elsewhere(tmp_path: Path):
    folder = tmp_path / ("long" * 30)
    with World(str(folder)) as world:
        address = world.address

        assert len(address) < 100 and not address.startswith(str(folder))
        assert (folder / "world.path").read_text().strip() == address
        assert run(world, "lsnodeid")[1].strip() == world.ask("node_id")
    assert not Path(address).parent.exists()


def test_an_interpreter_with_a_long_path_is_started_by_sh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    python = tmp_path / "a path" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    from rmcagent.sim.live import shims

    monkeypatch.setattr(sys, "executable", str(python))
    (tmp_path / "bin").mkdir()
    shims.write_shim(tmp_path, "lssrc", str(tmp_path / "nobody"))

    said = subprocess.run([str(tmp_path / "bin/lssrc"), "-a"], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (1, "0513-001 The System Resource Controller daemon is not active.\n")


def test_without_the_world_src_is_not_active(world: World):
    lssrc = path(world, "lssrc")
    world.close()

    said = subprocess.run([lssrc, "-a"], capture_output=True, text=True, check=False)

    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith("0513-001 ")


def test_closing_leaves_no_process_and_no_socket(world: World):
    hung = start_hung(world)
    pids = [pid for pid in world.ask("pids").values() if pid]

    world.close()

    until(lambda: not any(SystemHost().alive(pid) for pid in pids))
    assert hung.wait(BOUND) == 1 and of_this_world(world, "") == []
    assert not Path(world.address).exists() and Path(world.folder, "bin/lssrc").exists()


def test_a_world_whose_owner_is_killed_ends_with_all_its_children(tmp_path: Path):
    script = ("import sys, time; sys.path[:0] = sys.argv[2].split(':'); from rmcagent.sim.live.shims import World; "
              "w = World(sys.argv[1]); print(w.process.pid, w.pid('ctrmc'), flush=True); time.sleep(60)")
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path), ":".join(sys.path)], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        pids = [int(word) for word in owner.stdout.readline().split()]
        alive = [SystemHost().alive(pid) for pid in pids]

        owner.kill()

        until(lambda: not any(SystemHost().alive(pid) for pid in pids))
        assert alive == [True, True]


def test_children_end_even_when_the_world_is_killed(world: World):
    pids = [pid for pid in world.ask("pids").values() if pid]

    world.process.kill()

    until(lambda: not any(SystemHost().alive(pid) for pid in pids))


def test_a_caller_that_says_nothing_or_nonsense_stops_nobody(world: World):
    callers = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(3)]
    for caller, text in zip(callers, (b"", b"nonsense\n", b"5\nxx")):
        caller.connect(world.address)
        caller.sendall(text)

    assert run(world, "lsnodeid")[0] == 0
    for caller in callers:
        caller.close()


@pytest.mark.slow
def test_a_command_starts_almost_as_quickly_as_a_bare_interpreter(world: World):
    def best(argv: List[str]) -> float:
        times = []
        for _ in range(20):
            began = time.perf_counter()
            subprocess.run(argv, stdout=subprocess.DEVNULL, check=False)
            times.append(time.perf_counter() - began)
        return min(times)

    bare, ours = best([sys.executable, "-IS", "-c", "pass"]), best([path(world, "lssrc"), "-a"])

    assert ours < 2 * bare


# --- helpers


def path(world: World, name: str) -> str:
    return str(world.folder / "bin" / name)


def run(world: World, name: str, *args: str) -> Tuple[int, str, str]:
    said = subprocess.run([path(world, name), *args], capture_output=True, text=True, timeout=BOUND, check=False)
    return said.returncode, said.stdout, said.stderr


def state(world: World) -> State:
    row = parse.lssrc_one(SystemHost().run((path(world, "lssrc"), "-s", "ctrmc"), BOUND), "ctrmc")
    return row.state if row else State.UNKNOWN


def start_hung(world: World) -> subprocess.Popen[bytes]:
    world.do("hang_command", "lsrsrc")
    command = subprocess.Popen([path(world, "lsrsrc")], stderr=subprocess.DEVNULL)
    until(lambda: bool(of_this_world(world, "bin/lsrsrc")))
    return command


def of_this_world(world: World, part: str) -> List[int]:
    """Processes whose command line names something of this world's folder."""
    found: Dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found[int(folder.name)] = (folder / "cmdline").read_text(errors="replace")
            except OSError:
                continue
    return [pid for pid, line in found.items() if f"{world.folder}/{part}" in line]


def until(true: Callable[[], bool]) -> None:
    """Wait for a condition of real processes, at most BOUND seconds."""
    end = time.monotonic() + BOUND
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.01)
