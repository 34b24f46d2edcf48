"""The agent, Monit, fail2ban and supervisord on a simulated partition: how each is configured, started, asked and ended."""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple, Type

from bench import measure

CONFIGURATIONS = Path(__file__).resolve().parent / "configurations"
PLACE = re.compile(r"@([a-z]+)@")
FOLDERS = "/usr/sbin:/usr/bin:/sbin:/bin"
AGENT, SUPERVISOR = "rmcagent", "supervisord"
LAUNCHERS = {"deb": "", "rpm": ", rpm", "aix": ", AIX's launcher"}
# What each command of the simulation leaves behind when it is run: one line, so that commands can be counted.
IMPORTS = "import _signal, _socket, posix, sys\n"
COUNTED = """posix.write(posix.open({log!r}, posix.O_WRONLY | posix.O_APPEND), (str(time.monotonic()) + " {name}\\n").encode())
"""


@dataclass(frozen=True)
class Pace:
    """How often each looks. The agent's are its defaults; ten seconds is what the issue's administrator would set in Monit."""

    pulse: float = 5
    look: float = 60
    cycle: int = 10


QUICK = Pace(pulse=0.25, look=1, cycle=1)     # does it work at all?


@dataclass(frozen=True)
class Scene:
    """A simulated partition as a subject meets it."""

    world: Any                                # rmcagent.sim.live.shims.World
    folder: Path
    pace: Pace

    @property
    def log(self) -> Path:
        (log,) = (self.folder / "world" / "var" / "ct").glob("*/log/mc/IBM.MgmtDomainRM.default")
        return log

    @property
    def counted(self) -> Path:
        return self.folder / "counted"

    def commands(self) -> List[Tuple[float, str]]:
        """When each command was run, and its name."""
        lines = (line.split() for line in self.counted.read_text("ascii").splitlines())
        return [(float(at), name) for at, name in lines]

    def active(self) -> Dict[str, str]:
        """Every subsystem that runs, and its program."""
        states = self.world.ask("states")
        program = {"ctrmc": "rmcd"}
        return {name: str(self.folder / "world" / "sbin" / program.get(name, f"{name}d" if name.startswith("IBM.") else name))
                for name, state in states.items() if state == "active"}


@dataclass(frozen=True)
class Peer:
    """One that is measured: what it needs, how it is laid out, started and asked, and in which words it tells of a death."""

    name: str
    title: str
    package: str
    programs: Tuple[str, ...]
    lay_out: Callable[[Scene, Path], List[str]]                # writes its files; how it is started
    up: Callable[[Scene, Path], bool]                          # it has begun its work
    descriptors: int = 1024
    ask: Callable[[Path], Dict[str, List[str]]] = lambda folder: {}
    tells: str = ""                                            # in its log; empty: it has no such duty
    log: str = ""
    cycle: Optional[int] = None                                # seconds, where not those of the pace; only measured at rest

    def missing(self) -> str:
        """What brings it, where it is not installed."""
        absent = [program for program in self.programs if not shutil.which(program, path=FOLDERS)]
        return f"{', '.join(absent)} not installed: apt-get install {self.package}" if absent else ""


class Subject:
    """A peer that runs; it is ended with the block."""

    def __init__(self, peer: Peer, scene: Scene, patience: float = measure.PATIENCE_SECONDS) -> None:
        self.peer, self.scene, self.folder = peer, scene, scene.folder / peer.name.replace(" ", "-")
        self.folder.mkdir(mode=0o700)
        argv = peer.lay_out(scene, self.folder)
        limited = ["/bin/sh", "-c", f'ulimit -n {peer.descriptors} && exec "$@"', "sh", *argv]
        with (self.folder / "said").open("wb") as said:
            self.process = subprocess.Popen(limited, env=measure.environment(), stdin=subprocess.DEVNULL, stdout=said,
                                            stderr=said, cwd="/")
        until = time.monotonic() + patience
        try:
            while not peer.up(scene, self.folder):
                if self.process.poll() is not None or time.monotonic() > until:
                    told = (self.folder / "said").read_text("utf-8", "replace")[-2000:]
                    raise Unstarted(f"{peer.name} did not begin its work (exit {self.process.poll()})\n{told}")
                time.sleep(0.02)
        except BaseException:
            measure.end(self.process)
            raise

    def __enter__(self) -> Subject:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], problem: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        measure.end(self.process)


class Unstarted(Exception):
    """A subject that could not be started."""


def raised(folder: Path, pace: Pace) -> Scene:
    """A partition of AIX with one HMC that is well. Its commands are counted, whoever runs them."""
    sys.path[:0] = [str(measure.AGENT)]
    from rmcagent.sim.live.shims import World

    folder.mkdir()
    scene = Scene(World(str(folder / "world"), platform="aix", pace=0.02), folder, pace)
    scene.counted.touch()
    for shim in (folder / "world" / "bin").iterdir():
        code = shim.read_text("utf-8")
        leaves = "import time\n" + COUNTED.format(log=str(scene.counted), name=shim.name)
        if code.count(IMPORTS) != 1:
            raise SystemExit(f"cannot count the commands: {shim.name} does not begin as the simulation's did")
        shim.write_text(code.replace(IMPORTS, IMPORTS + leaves), "utf-8")
    scene.world.do("write_log", "slots", 1)
    return scene


def filled(name: str, scene: Scene, folder: Path, **more: str) -> str:
    """A configuration with its places filled in."""
    places = {"world": str(scene.folder / "world"), "folder": str(folder), "log": str(scene.log), **more}
    return PLACE.sub(lambda found: places[found.group(1)], (CONFIGURATIONS / name).read_text("ascii"))


def _wrote(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "ascii")
    path.chmod(0o600)
    return path


def _found(program: str) -> str:
    return shutil.which(program, path=FOLDERS) or program


# ---- the agent

def settings(scene: Scene, folder: Path, mode: str) -> Dict[str, Any]:
    """Its defaults, on the world's commands, files and ports; its events go to a socket of the bench's."""
    ours = {"syslog": {"socket": str(scene.folder / "syslog")}, "journal": "off", "errlog": "off", "file": "off"}
    seen: Dict[str, Any] = scene.world.config()
    paths = {**seen["paths"], "state": str(folder / "state"), "public": str(folder / "public")}
    cadence = {"pulse": f"{round(1000 * scene.pace.pulse)}ms", "look": f"{round(1000 * scene.pace.look)}ms"}
    return {**seen, "mode": mode, "paths": paths, "cadence": cadence, "report": ours}


def agent(mode: str = "act", package: str = "deb") -> Peer:
    started: Dict[str, List[str]] = {}

    def lay_out(scene: Scene, folder: Path) -> List[str]:
        configuration = _wrote(folder / "rmcagent.yaml", json.dumps(settings(scene, folder, mode), indent=1))    # JSON is YAML
        started.update(measure.installed(folder, folder / "public", configuration))
        return [*started[package], "run", "--config", str(configuration)]

    def ask(folder: Path) -> Dict[str, List[str]]:
        asked = {f"{AGENT} {words}": [*started["deb"], *words.split()] for words in ("status", "status --brief", "check")}
        return {**asked, **{f"{AGENT} status{LAUNCHERS[name]}": [*started[name], "status"] for name in ("rpm", "aix")}}

    return Peer(f"{AGENT}{LAUNCHERS[package]}", f"rmcagent{LAUNCHERS[package]}", "", (), lay_out,
                lambda scene, folder: bool(published(folder).get("subsystems")), ask=ask, cycle=None if package == "deb" else 60)


def published(folder: Path) -> Dict[str, Any]:
    """What the agent last published; {} while there is nothing."""
    try:
        told: Dict[str, Any] = json.loads((folder / "public" / "status.json").read_bytes())
        return told
    except (OSError, ValueError):
        return {}


# ---- the peers

def monit(descriptors: int, cycle: Optional[int] = None) -> Peer:
    def lay_out(scene: Scene, folder: Path) -> List[str]:
        text = filled("monitrc", scene, folder, every=str(cycle or scene.pace.cycle))
        return [_found("monit"), "-I", "-c", str(_wrote(folder / "monitrc", text))]

    def up(scene: Scene, folder: Path) -> bool:
        return "Monit" in _text(folder / "monit.log") and len(scene.commands()) >= 3      # its first cycle

    slowly = f" each {cycle} s" if cycle else ""
    return Peer(f"monit {descriptors}{slowly}", f"Monit with {descriptors} descriptors{slowly}", "monit", ("monit",), lay_out, up,
                descriptors, lambda folder: {"monit status": [_found("monit"), "-c", str(folder / "monitrc"), "status"]},
                "'ctrmc' process is not running", "monit.log", cycle)


def fail2ban() -> Peer:
    def lay_out(scene: Scene, folder: Path) -> List[str]:
        for name, path in (("fail2ban.conf", "fail2ban.conf"), ("jail.conf", "jail.conf"), ("rsct.conf", "filter.d/rsct.conf")):
            _wrote(folder / path, filled(name, scene, folder))
        (folder / "action.d").mkdir()
        return [_found("fail2ban-server"), "-f", "-c", str(folder), "-s", str(folder / "fail2ban.sock"),
                "-p", str(folder / "fail2ban.pid"), "start"]

    def up(scene: Scene, folder: Path) -> bool:
        return "Jail 'rsct' started" in _text(folder / "fail2ban.log")

    return Peer("fail2ban", "fail2ban", "fail2ban", ("fail2ban-server", "fail2ban-client"), lay_out, up, ask=lambda folder: {
        "fail2ban-client status": [_found("fail2ban-client"), "-c", str(folder), "-s", str(folder / "fail2ban.sock"), "status"]})


def supervisor() -> Peer:
    def lay_out(scene: Scene, folder: Path) -> List[str]:
        text = filled("supervisord.conf", scene, folder, subsystem="@subsystem@", program="@program@")
        head, title, section = text.partition("[program:")
        sections = []
        for name, program in scene.active().items():
            ours = folder / Path(program).name        # the same, by another path: Monit looks for processes by theirs
            ours.symlink_to(os.path.realpath(program))
            sections.append((title + section).replace("@subsystem@", name.replace(".", "_")).replace("@program@", str(ours)))
        return [_found("supervisord"), "-c", str(_wrote(folder / "supervisord.conf", head + "\n".join(sections)))]

    def up(scene: Scene, folder: Path) -> bool:
        return _text(folder / "supervisord.log").count("entered RUNNING state") >= len(scene.active())

    return Peer(SUPERVISOR, "supervisord", "supervisor", ("supervisord", "supervisorctl"), lay_out, up, ask=lambda folder: {
        "supervisorctl status": [_found("supervisorctl"), "-c", str(folder / "supervisord.conf"), "status"]},
        tells="exited: ctrmc ", log="supervisord.log")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def everyone(few: bool = False) -> Tuple[Peer, ...]:
    slow = () if few else (monit(20000), monit(1024, cycle=60), agent(package="rpm"))
    return agent(), monit(1024), *slow, fail2ban(), supervisor()


def versions() -> Iterator[Tuple[str, str]]:
    """Of those that are installed, in their own words."""
    for program, argv in (("monit", ("-V",)), ("fail2ban-server", ("--version",)), ("supervisord", ("--version",))):
        if shutil.which(program, path=FOLDERS):
            said = subprocess.run([_found(program), *argv], capture_output=True, timeout=30).stdout.decode("utf-8", "replace")
            number = re.search(r"\d+(\.\d+)+", said)
            yield program, number.group() if number else "unknown"
