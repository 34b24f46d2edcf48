"""The real daemon, real commands and real processes on a simulated partition. Scenes run side by side."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, Iterator, Mapping, NamedTuple, Optional, Tuple

import pytest

from day import HOUR, MINUTE, Day
from rmcagent import lives, lock
from rmcagent.cycle import Cycle
from rmcagent.life import Life
from rmcagent.lock import Locked
from rmcagent.partition.host import SystemHost
from rmcagent.sim.live.stage import Stage

pytestmark = pytest.mark.real

REFRESH = ["rmcctrl -p", "rmcrefreshMD -s ctrmc", "refrsrc IBM.MCP"]
START = ["rmcctrl -A", "rmcctrl -p"]
RECYCLE = ["rmcctrl -z", *START]
PATIENCE = 150.0
TIME_OUT = 8.0
AT_ONCE = 6                  # most of a scene is waiting
DEATHS_AT_ONCE = 4

QUICK: Mapping[str, Any] = {
    "remedies": {
        "refresh": {"grace": "0s", "settle": "1s", "cooldown": "30s"},
        "recycle": {"grace": "0s", "settle": "3s"},
        "recfgct": {"grace": "0s"},
    }
}


class Scene(NamedTuple):
    play: Callable[[Stage], None]
    hmcs: int = 1
    platform: str = "aix"
    policy: Mapping[str, Any] = {}
    slow: bool = False


def rmcagent(stage: Stage, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/", "PYTHONPATH": str(Path(__file__).parents[1] / "agent")}
    return subprocess.run(
        [sys.executable, "-m", "rmcagent", *words, "--config", str(stage.config)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment,
    )


def up(stage: Stage) -> None:
    stage.start()
    assert stage.wait_healthy(PATIENCE), stage.complaints()


def kill_ctrmc(stage: Stage) -> None:
    pid = stage.world.pid("ctrmc")
    assert pid
    os.kill(pid, signal.SIGKILL)


# -- scenes


def healthy_for_a_while(stage: Stage) -> None:
    up(stage)

    stage.wait_until(lambda: False, 6.0)

    assert stage.did() == [] and [told.code for told in stage.told] == ["RMCA1001I"]
    done = rmcagent(stage, "status")
    assert (done.returncode, done.stderr) == (0, "") and "healthy" in done.stdout
    assert rmcagent(stage, "plan").returncode == 0


def ctrmc_killed(stage: Stage) -> None:
    up(stage)

    kill_ctrmc(stage)

    assert stage.wait_for("RMCA3002N", PATIENCE, remedy="start")
    assert stage.wait_healthy(PATIENCE) and stage.did() == START


def ctrmc_killed_while_a_command_hangs(stage: Stage) -> None:
    up(stage)
    stage.world.do("hang_command", "lsrsrc", stubborn=True, forks=True)
    stage.wait_until(lambda: any("lsrsrc" in gap["about"] for gap in stage.status()["gaps"]), PATIENCE)

    kill_ctrmc(stage)

    assert stage.wait_for("RMCA2001W", TIME_OUT / 2, fault="rmc-down")
    assert stage.wait_until(lambda: stage.did() == START, PATIENCE)
    stage.world.do("mend_command", "lsrsrc")
    assert stage.wait_healthy(PATIENCE)
    left = subprocess.run(["pgrep", "-f", f"{stage.folder}/partition/bin/lsrsrc"], capture_output=True, text=True)
    assert left.stdout == ""


def session_stuck(stage: Stage) -> None:
    up(stage)

    stage.world.do("stick_session", mended_by="recycle")

    assert stage.wait_for("RMCA3002N", PATIENCE, remedy="recycle")
    assert stage.did() == REFRESH + RECYCLE


def identity_broken(stage: Stage) -> None:
    up(stage)

    stage.world.do("break_identity")

    assert stage.wait_for("RMCA3002N", PATIENCE, remedy="recfgct")
    assert stage.did() == REFRESH + RECYCLE + ["recfgct", "rmcctrl -p"]
    codes = [(told.code, told.fields.get("remedy")) for told in stage.told]
    assert codes.index(("RMCA3003W", "recycle")) < codes.index(("RMCA3001N", "recfgct"))
    changed = stage.wait_for("RMCA3007W", 1.0)
    assert changed and os.path.getsize(changed.fields["archive"]) > 0 and os.stat(changed.fields["archive"]).st_mode & 0o077 == 0


def caa_active(stage: Stage) -> None:
    up(stage)
    stage.world.do("start_caa")

    stage.world.do("break_identity")

    refusal = stage.wait_for("RMCA3004W", PATIENCE)
    assert refusal and refusal.fields["guard"] == "cluster" and "STOP_CAA=yes" in refusal.fields["unblock"]
    assert stage.wait_until(lambda: stage.status()["verdict"] == "needs-human", PATIENCE)
    assert not stage.wait_until(lambda: stage.did() != REFRESH, 5.0)
    assert rmcagent(stage, "status").returncode == 151
    why = rmcagent(stage, "why")
    assert why.returncode == 0 and "caavg_private" in why.stdout and "STOP_CAA=yes" in why.stdout.replace("\n", " ")
    assert stage.status()["cluster"]["state"] == "present" and stage.world.ask("disasters") == []


def cluster_untold(stage: Stage) -> None:
    stage.world.do("hang_command", "lscluster")
    up(stage)

    stage.world.do("stick_session", mended_by="recycle")

    refusal = stage.wait_for("RMCA3004W", PATIENCE, guard="cluster")
    assert refusal and refusal.fields["unblock"] and "lscluster" in refusal.fields["because"]
    assert (
        stage.wait_until(lambda: stage.status()["verdict"] == "needs-human", PATIENCE)
        and rmcagent(stage, "status").returncode == 151
    )
    assert stage.did() == REFRESH


def hmc_unreachable(stage: Stage) -> None:
    up(stage)

    stage.world.do("hmc_unreachable")
    stage.world.do("hmc_down")

    told = stage.wait_for("RMCA4002W", PATIENCE, fault="hmc-unreachable")
    assert told and "127.0.0.2" in told.fields["do"] and stage.did() == []
    assert stage.wait_until(lambda: rmcagent(stage, "status").returncode == 151, PATIENCE)


def one_of_two_hmcs_up(stage: Stage) -> None:
    up(stage)

    stage.world.do("stick_session", "127.0.0.2", mended_by="recycle")

    assert stage.wait_until(lambda: len(stage.did()) >= 6, PATIENCE)
    assert set(stage.did()) == set(REFRESH)


def blinded(stage: Stage) -> None:
    up(stage)

    stage.world.do("hang_command", "lssrc", stubborn=True, forks=True)

    assert stage.wait_for("RMCA1006W", PATIENCE)
    assert (
        stage.wait_until(lambda: stage.status()["verdict"] == "blind", PATIENCE) and rmcagent(stage, "status").returncode == 153
    )
    assert stage.did() == [] and rmcagent(stage, "plan").returncode == 13
    stage.world.do("mend_command", "lssrc")
    assert stage.wait_for("RMCA1007N", PATIENCE)
    left = subprocess.run(["pgrep", "-f", f"{stage.folder}/partition/bin/lssrc"], capture_output=True, text=True)
    assert left.stdout == ""


def killed_between_z_and_a(stage: Stage) -> None:
    up(stage)
    stage.world.do("stick_session", mended_by="recycle")
    assert stage.wait_until(lambda: "rmcctrl -z" in stage.did(), PATIENCE)

    stage.kill()
    for pid in stage.helpers():
        os.kill(pid, signal.SIGKILL)
    states: Callable[[], Any] = lambda: stage.world.ask("states")["ctrmc"]  # noqa: E731
    assert stage.wait_until(lambda: states() == "inoperative", PATIENCE) and stage.did()[-1] == "rmcctrl -z"
    stage.start()

    assert stage.wait_until(lambda: stage.did()[-2:] == START, PATIENCE) and states() == "active"
    assert stage.wait_for("RMCA3006W", PATIENCE)


def killed_over_and_over(stage: Stage) -> None:
    """Three lives end by kill -9; the fourth, and a fifth after a clean stop, only observe."""

    def live() -> None:
        pid = stage.start().pid
        assert stage.wait_until(lambda: stage.status().get("pid") == pid, PATIENCE), stage.complaints()

    live()
    assert stage.stop() == 0
    for _ in range(3):
        live()
        stage.hear(0.01)
        assert not [told for told in stage.told if told.code == "RMCA1008E"]
        stage.kill()
    live()
    looped = stage.wait_for("RMCA1008E", PATIENCE)
    assert looped and looped.fields["crashes"] == "3" and "ended without a clean stop" in looped.fields["because"]

    kill_ctrmc(stage)

    guards: Callable[[], Any] = lambda: {  # noqa: E731
        guard for decision in stage.status().get("decisions", []) for guard in decision["refused_by"]
    }
    assert stage.wait_until(lambda: guards() == {"crash-loop"}, PATIENCE), stage.status()
    assert stage.stop() == 0
    planned = rmcagent(stage, "plan", "--json")
    assert "crash-loop" in json.loads(planned.stdout)["decision"]["refused_by"], planned
    live()
    assert stage.wait_until(lambda: guards() == {"crash-loop"}, PATIENCE), stage.status()
    assert stage.did() == [] and len([told for told in stage.told if told.code == "RMCA1008E"]) == 1


def agent_killed_amid_a_recycle(stage: Stage) -> None:
    up(stage)
    stage.world.do("stick_session", mended_by="recycle")
    assert stage.wait_until(lambda: "rmcctrl -z" in stage.did(), PATIENCE)

    stage.kill()

    assert stage.wait_until(lambda: stage.did()[-3:] == RECYCLE, PATIENCE)  # the helper outlives the agent
    assert rmcagent(stage, "status").returncode == 1
    stage.start()
    assert stage.wait_for("RMCA3002N", PATIENCE, remedy="recycle")


def agent_stopped_amid_a_recycle(stage: Stage) -> None:
    up(stage)
    stage.world.do("stick_session", mended_by="recycle")
    assert stage.wait_until(lambda: "rmcctrl -z" in stage.did(), PATIENCE)

    code = stage.stop()

    assert code == 0 and stage.wait_until(lambda: stage.did()[-3:] == RECYCLE, PATIENCE)
    assert rmcagent(stage, "status").returncode == 3


def operated(stage: Stage) -> None:
    """pause, resume, reload, a second daemon, a bad configuration."""
    assert rmcagent(stage, "status").returncode == 3 and rmcagent(stage, "pause", "--for", "1h", "--reason", "x").returncode == 7
    up(stage)

    assert rmcagent(stage, "pause", "--for", "1h", "--reason", "patch\x1b[2Jing").returncode == 0
    assert stage.wait_for("RMCA1004N", PATIENCE)
    assert (
        stage.wait_until(lambda: stage.status()["verdict"] == "paused", PATIENCE) and rmcagent(stage, "status").returncode == 152
    )
    kill_ctrmc(stage)
    assert not stage.wait_until(lambda: stage.did() != [], 4.0)
    assert rmcagent(stage, "resume").returncode == 0
    assert stage.wait_until(lambda: stage.did() == START, PATIENCE) and stage.wait_healthy(PATIENCE)

    second = rmcagent(stage, "run")
    assert second.returncode == 1 and "another rmcagent is running" in second.stderr

    good = stage.config.read_text()
    stage.config.write_text("mode: actt\nremedys: {}\n")
    rejected = rmcagent(stage, "run")
    assert rejected.returncode == 6 and "actt" in rejected.stderr and "remedies" in rejected.stderr
    assert stage.daemon
    stage.daemon.send_signal(signal.SIGHUP)
    assert stage.wait_for("RMCA1003E", PATIENCE) and stage.daemon.poll() is None
    stage.config.write_text(good.replace('"platform": "aix"', '"platform": "aix", "mode": "observe"'))
    stage.daemon.send_signal(signal.SIGHUP)
    assert stage.wait_until(lambda: stage.status().get("mode") == "observe", PATIENCE)
    kill_ctrmc(stage)
    assert stage.wait_for("RMCA3004W", PATIENCE, guard="observe")


def linux_session_stuck(stage: Stage) -> None:
    session_stuck(stage)


SCENES: Dict[str, Scene] = {
    "healthy_for_a_while": Scene(healthy_for_a_while),
    "ctrmc_killed": Scene(ctrmc_killed),
    "ctrmc_killed_while_a_command_hangs": Scene(ctrmc_killed_while_a_command_hangs, policy={"timeout": f"{TIME_OUT:.0f}s"}),
    "session_stuck": Scene(session_stuck),
    "linux_session_stuck": Scene(linux_session_stuck, platform="linux"),
    "identity_broken": Scene(identity_broken, policy=QUICK),
    "caa_active": Scene(caa_active, policy=QUICK),
    "cluster_untold": Scene(cluster_untold, policy={**QUICK, "timeout": "1s"}),
    "hmc_unreachable": Scene(hmc_unreachable),
    "one_of_two_hmcs_up": Scene(one_of_two_hmcs_up, hmcs=2),
    "blinded": Scene(blinded, policy={"timeout": "1s"}),
    "killed_between_z_and_a": Scene(killed_between_z_and_a, policy=QUICK),
    "agent_killed_amid_a_recycle": Scene(agent_killed_amid_a_recycle, policy=QUICK),
    "agent_stopped_amid_a_recycle": Scene(agent_stopped_amid_a_recycle, policy=QUICK),
    "killed_over_and_over": Scene(killed_over_and_over),
    "operated": Scene(operated),
}


def play(folder: Path, scene: Scene, act: Optional[Callable[[Stage], None]] = None) -> None:
    folder.mkdir()
    with Stage(folder, platform=scene.platform, hmcs=scene.hmcs, policy=scene.policy) as stage:
        (act or scene.play)(stage)
        assert stage.complaints() == ""


@pytest.fixture(scope="module")
def plays(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Dict[str, Future[None]]]:
    """Every scene that was selected, some at once; most of each is waiting."""
    wanted = [
        item.callspec.params["scene"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == "test_scene"
    ]
    folder = tmp_path_factory.mktemp("stage")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(play, folder / name[:20], SCENES[name]) for name in wanted}


@pytest.mark.parametrize("scene", list(SCENES))
def test_scene(plays: Dict[str, Future[None]], scene: str) -> None:
    plays[scene].result()


# -- death after each step of each remedy, for real


def fault_of(remedy: str) -> Tuple[str, Dict[str, Any]]:
    return {
        "refresh": ("stick_session", {"mended_by": "refresh"}),
        "start": ("crash", {}),
        "manager": ("manager_crash", {}),
        "recycle": ("stick_session", {"mended_by": "recycle"}),
        "recfgct": ("break_identity", {}),
    }[remedy]


DEATHS = (
    [("refresh", step) for step in REFRESH]
    + [("start", step) for step in START]
    + [("manager", "startsrc -s IBM.DRM")]
    + [("recycle", step) for step in RECYCLE]
    + [("recfgct", "recfgct"), ("recfgct", "rmcctrl -p")]
)


def dies_after(remedy: str, step: str, helper_too: bool) -> Callable[[Stage], None]:
    def act(stage: Stage) -> None:
        up(stage)
        event, arguments = fault_of(remedy)
        stage.world.do(event, **arguments)
        assert stage.wait_for("RMCA3001N", PATIENCE, remedy=remedy)
        begun = len(stage.did())
        until = time.monotonic() + PATIENCE
        while step not in stage.did()[max(0, begun - 1) :]:
            assert time.monotonic() < until, stage.did()
        stage.kill()
        for pid in stage.helpers() if helper_too else []:
            os.kill(pid, signal.SIGKILL)
        stage.start()
        states: Callable[[], Any] = lambda: stage.world.ask("states")  # noqa: E731
        assert stage.wait_healthy(PATIENCE), (stage.did(), stage.status(), [told.line for told in stage.told])
        assert states()["ctrmc"] == "active" and stage.world.ask("disasters") == []

    return act


@pytest.fixture(scope="module")
def deaths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dict[Tuple[str, str, bool], Future[None]]]:
    folder = tmp_path_factory.mktemp("deaths")
    keys = [(remedy, step, helper) for remedy, step in DEATHS for helper in (False, True)]
    with ThreadPoolExecutor(DEATHS_AT_ONCE) as pool:
        yield {
            key: pool.submit(play, folder / str(number), Scene(healthy_for_a_while, policy=QUICK), dies_after(*key))
            for number, key in enumerate(keys)
        }


@pytest.mark.slow
@pytest.mark.parametrize("helper_too", [False, True], ids=["agent-dies", "helper-dies-too"])
@pytest.mark.parametrize("remedy, step", DEATHS)
def test_killed_after_any_step_rmc_runs_in_the_end(
    deaths: Dict[Tuple[str, str, bool], Future[None]], remedy: str, step: str, helper_too: bool
) -> None:
    deaths[remedy, step, helper_too].result()


# -- a full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB where the state will be."""
    at = tmp_path / "stage" / "partition" / "state"
    at.mkdir(parents=True, mode=0o700)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", str(at)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small file system here: {mounted.stderr.strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


HOG = """
import sys, time
told = False
with open(sys.argv[1], "wb", buffering=0) as file:
    while True:
        try:
            file.write(b"x" * 512)
        except OSError:
            if not told:
                told = print("full", flush=True) is None
            time.sleep(0.001)
"""


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Whatever room there is, or comes, somebody else takes it."""
    log = str(folder / "somebody-elses")
    with subprocess.Popen([sys.executable, "-c", HOG, log], stdout=subprocess.PIPE) as hog:
        assert hog.stdout is not None and hog.stdout.readline() == b"full\n"
        try:
            yield
        finally:
            hog.kill()
    os.unlink(log)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    yield
    subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("unwritable, because", [(full, "No space left"), (read_only, "Read-only")])
def test_what_died_between_z_and_a_is_finished_though_nothing_can_be_written(
    small_disk: Path, unwritable: Callable[[Path], ContextManager[None]], because: str
) -> None:
    folder = small_disk.parents[1]
    with Stage(folder, policy=QUICK) as stage:
        up(stage)
        stage.world.do("stick_session", mended_by="recycle")
        assert stage.wait_until(lambda: "rmcctrl -z" in stage.did(), PATIENCE)
        stage.kill()
        for pid in stage.helpers():
            os.kill(pid, signal.SIGKILL)
        assert stage.wait_until(lambda: stage.world.ask("states")["ctrmc"] == "inoperative", PATIENCE)

        with unwritable(small_disk):
            stage.start()

            assert stage.wait_for("RMCA3006W", PATIENCE), (stage.complaints(), [told.line for told in stage.told])
            assert stage.did()[-2:] == START and stage.world.ask("states")["ctrmc"] == "active"
            human = [told for told in stage.told if told.code == "RMCA4001E"]
            assert len(human) == 1 and because in human[0].fields["because"]

        assert stage.wait_healthy(PATIENCE) and stage.did().count("rmcctrl -z") == 1
        assert stage.complaints() == ""


# -- a mistake of ours


def test_three_mistakes_of_ours_and_the_agent_only_observes_until_a_quiet_hour(tmp_path: Path) -> None:
    day, complaints = Day(tmp_path), []
    life = Life(broken(day), complaints.append)

    for _ in range(4):
        life.step()
        day.clock.sleep(MINUTE)
    told = [event.code for event in day.events]
    looped = lives.in_loop(day.cycle.ledger)
    day.restart()  # what the ledger remembers holds the next life as well
    life = Life(day.cycle, complaints.append)
    life.step()
    held = day.cycle.memory.crash_loop
    day.clock.sleep(HOUR)
    life.step()

    assert (told, looped, held, day.cycle.memory.crash_loop) == (["RMCA1008E"], True, True, False)
    assert "KeyError: 'a bug'" in day.field(day.told("RMCA1008E")[0], "because")
    assert len(complaints) == 4 and all("KeyError: 'a bug'" in complaint for complaint in complaints)


def test_a_mistake_and_two_deaths_are_one_loop_and_it_is_told_once(tmp_path: Path) -> None:
    day = Day(tmp_path)
    life = Life(broken(day), lambda complaint: None)

    life.begin(4711)
    life.step()
    for _ in range(4):
        life.begin(4711)

    assert [event.code for event in day.events] == ["RMCA1008E"]
    assert "pid 4711 ended without a clean stop" in day.field(day.events[0], "because")


def test_what_is_ordinary_is_no_mistake_of_ours(tmp_path: Path) -> None:
    day, complaints = Day(tmp_path), []
    life = Life(day.cycle, complaints.append)

    def refused() -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError):
        life.spared(refused, lambda: "", (OSError,))
    answer = life.spared(refused, lambda: "instead")

    assert answer == "instead" and len(complaints) == 1


def broken(day: Day) -> Cycle:
    """That day's cycle, whose every turn is a mistake."""

    def mistaken() -> float:
        raise KeyError("a bug")

    day.cycle.step = mistaken  # type: ignore[method-assign]
    return day.cycle


def test_a_disk_too_full_for_our_pid_locks_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "lock").write_text("4711\n")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", no_room)
        held = lock.take(str(tmp_path / "lock"), SystemHost())

    # Rather than somebody else's pid, who would get our signals.
    assert lock.holder(str(tmp_path / "lock"), SystemHost()) == 0
    with pytest.raises(Locked):
        lock.take(str(tmp_path / "lock"), SystemHost())
    os.close(held)


def test_on_a_file_system_gone_read_only_the_lock_holds_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def read_only(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY):
            raise OSError(errno.EROFS, "Read-only file system")
        return real(path, flags, mode)

    (tmp_path / "lock").write_text("4711\n")
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", read_only)
        held = lock.take(str(tmp_path / "lock"), SystemHost())

    with pytest.raises(Locked):
        lock.take(str(tmp_path / "lock"), SystemHost())
    os.close(held)
