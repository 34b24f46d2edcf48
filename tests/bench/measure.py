"""What a bench reads from outside: memory and CPU of a process, the time a command takes; and what repeats of it come to."""
from __future__ import annotations

import compileall
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

ROOT = Path(__file__).resolve().parent.parent.parent
AGENT = ROOT / "agent"
SYSTEM_PYTHON = "/usr/bin/python3"
CHOSEN = "RMCAGENT_BENCH_PYTHON"          # set for the second start, so that there is no third
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE_SECONDS = 60.0


# ---- the Python

def on_the_systems_python() -> None:
    """Start over on the Python that the packages' launchers find first: the agent, its commands and the peers all run on it."""
    if os.environ.get(CHOSEN) or os.path.realpath(sys.executable) == os.path.realpath(SYSTEM_PYTHON):
        return
    new_enough = "import sys; sys.exit(sys.version_info < (3, 9))"
    if os.access(SYSTEM_PYTHON, os.X_OK) and subprocess.run([SYSTEM_PYTHON, "-I", "-c", new_enough]).returncode == 0:
        os.execve(SYSTEM_PYTHON, [SYSTEM_PYTHON, *sys.argv], {**os.environ, CHOSEN: sys.executable})


def installed(folder: Path, published: Path, configuration: Path) -> Dict[str, List[str]]:
    """The agent as the packages lay it out, compiled, and as each starts it, but for the places: a bench touches nothing of the
    machine's."""
    moved = {'"/run/rmcagent"': f'"{published}"', '"/etc/rmcagent/rmcagent.yaml"': f'"{configuration}"'}
    packaging, home = ROOT / "packaging", folder / "home"
    library = _library(home / "lib", moved)
    if not compileall.compile_dir(library, quiet=2):
        raise SystemExit(f"cannot compile the agent in {library}")
    deb = _changed(packaging / "linux" / "rmcagent.py", folder / "deb", {"/usr/lib/python3/dist-packages": str(library)})
    rpm = _changed(packaging / "linux" / "rmcagent.sh", folder / "rpm", {"home=/usr/lib/rmcagent": f"home={home}"})
    aix = _changed(packaging / "common" / "rmcagent.sh", folder / "aix", {
        "home=/opt/rmcagent": f"home={home}", "state=/var/rmcagent": f"state={folder}/none",
        "configuration=/etc/rmcagent": f"configuration={folder}/none"})
    return {"deb": [sys.executable, "-IS", str(deb)], "rpm": ["/bin/sh", str(rpm)], "aix": ["/bin/sh", str(aix)]}


def _library(folder: Path, moved: Mapping[str, str]) -> Path:
    sys.path[:0] = [str(ROOT / "packaging" / "common")]
    import building

    found = set()
    for file in building.library():
        data = file.data
        for place, ours in moved.items():
            if place.encode() in data:
                found.add(place)
                data = data.replace(place.encode(), ours.encode())
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    if lost := set(moved) - found:
        raise SystemExit(f"cannot lay out the agent: no module names {', '.join(sorted(lost))}")
    return folder


def _changed(source: Path, target: Path, moved: Mapping[str, str]) -> Path:
    text = source.read_text("ascii")
    for place, ours in moved.items():
        if text.count(place) != 1:
            raise SystemExit(f"cannot lay out {source}: it does not name {place} once")
        text = text.replace(place, ours)
    target.write_text(text, "ascii")
    return target


def environment() -> Dict[str, str]:
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


# ---- a process

@dataclass(frozen=True)
class Memory:
    """In MB of 1,000,000 bytes. What is shared is told by `rss` whole, by `pss` divided by those who share it, by `own` not."""

    rss: float
    pss: float
    own: float


def memory(pid: int) -> Memory:
    """Of the process itself: at rest the agent has no children, and supervisord's would run without it. Raises OSError."""
    told = (line.partition(":") for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii", "replace").splitlines()[1:])
    sizes = {name: int(size.split()[0]) * 1024 / 1e6 for name, _, size in told}
    return Memory(round(sizes["Rss"], 2), round(sizes["Pss"], 2), round(sizes["Private_Clean"] + sizes["Private_Dirty"], 2))


def cpu_ms(pid: int) -> Tuple[float, float]:
    """CPU of the process itself, to the microsecond where the kernel tells, and of the children it has waited for, in ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    own, children = ((int(fields[at]) + int(fields[at + 1])) * 1000.0 / TICKS for at in (11, 13))
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        own = sum(int((task / "schedstat").read_text("ascii").split()[0]) for task in tasks) / 1e6
    except OSError:
        pass                              # a kernel without it: the ticks must do
    return own, children


def below(pid: int) -> List[int]:
    """Children that have not been waited for, and theirs, but no zombies."""
    children: List[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            children += [int(word) for word in (task / "children").read_text("ascii").split()]
        except OSError:
            continue
    alive = [child for child in children if _is_alive(child)]
    return [*alive, *(other for child in alive for other in below(child))]


def _is_alive(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2][:4]
    except OSError:
        return False


def end(process: subprocess.Popen[bytes]) -> None:
    """Asked to, then made to."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# ---- a command

def took(argv: Sequence[str]) -> Tuple[float, float, int]:
    """Milliseconds of wall time and of CPU, and the exit code."""
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        streams = [(os.POSIX_SPAWN_DUP2, nothing, number) for number in (0, 1, 2)]
        began = time.perf_counter()
        pid = os.posix_spawn(argv[0], list(argv), environment(), file_actions=streams)
        _, status, used = os.wait4(pid, 0)
        wall = time.perf_counter() - began
    finally:
        os.close(nothing)
    return 1000 * wall, 1000 * (used.ru_utime + used.ru_stime), os.waitstatus_to_exitcode(status)


def in_turn(commands: Mapping[str, Sequence[str]], rounds: int) -> Dict[str, Dict[str, Any]]:
    """They take turns, so that whatever else the machine does slows all alike; the first round is thrown away."""
    for argv in commands.values():
        took(argv)
    answers: Dict[str, List[Tuple[float, float, int]]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, argv in commands.items():
            answers[name].append(took(argv))
    return {name: {"wall_ms": summary([wall for wall, _, _ in each]), "cpu_ms": summary([cpu for _, cpu, _ in each]),
                   "exits": sorted({code for _, _, code in each})} for name, each in answers.items()}


# ---- repeats

def summary(samples: Sequence[float], digits: int = 1) -> Dict[str, Any]:
    """The middle, the noise about it (median absolute deviation), and the extremes."""
    if not samples:
        return {"median": None, "mad": None, "min": None, "max": None, "n": 0}
    middle = statistics.median(samples)
    noise = statistics.median(abs(sample - middle) for sample in samples)
    return {"median": round(middle, digits), "mad": round(noise, digits), "min": round(min(samples), digits),
            "max": round(max(samples), digits), "n": len(samples)}


def ratio(ours: Optional[float], theirs: Optional[float]) -> Optional[float]:
    return None if ours is None or not theirs else round(ours / theirs, 2)


def machine() -> Dict[str, Any]:
    """What was measured on, and how busy it was."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text("ascii", "replace"))
    return {"python": platform.python_version(), "system": f"{platform.system()} {platform.release().partition('-')[0]}",
            "processor": f"{platform.machine()}, {model.group(1).strip()}" if model else platform.machine(),
            "cores": os.cpu_count(), "distribution": _distribution(), "loadavg": list(os.getloadavg())}


def _distribution() -> str:
    try:
        told = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text("utf-8").splitlines() if "=" in line)
    except OSError:
        return "unknown"
    return told.get("PRETTY_NAME", "unknown").strip('"')


def written(measured: Mapping[str, Any], path: Optional[str]) -> None:
    """The JSON, to the file where one is named, and as the last line."""
    if path:
        Path(path).write_text(json.dumps(measured, indent=1, sort_keys=True) + "\n", "ascii")
    print(json.dumps(measured, sort_keys=True))
