"""What the agent costs: memory of the idle daemon, CPU of a look, the start of `status`. Prints a table, then JSON."""
from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, List, Sequence, Tuple

ROOT = Path(__file__).resolve().parent.parent.parent
AGENT = ROOT / "agent"
TICKS = os.sysconf("SC_CLK_TCK")
MARKS = {"resident_mb": 25.0, "look_own_cpu_ms": 50.0, "status_times": 5.0}
LOOK_SECONDS = 5
PATIENCE_SECONDS = 60.0
STATUS_ANSWERS = (0, 150, 151, 152, 153)
# `rmcagent status` as typed, without --config: it then reads no configuration. Only the place of the published file differs.
STATUS = """import sys; sys.path.insert(0, sys.argv[1]); from rmcagent import cli
from rmcagent.command import files; files.public = lambda asked: sys.argv[2]; sys.exit(cli.main(["status"]))"""


def main(arguments: Sequence[str]) -> int:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--once", action="store_true", help="few samples: does it work at all?")
    wanted.add_argument("--json", metavar="FILE", help="write the JSON there too")
    once = (chosen := wanted.parse_args(arguments)).once
    with tempfile.TemporaryDirectory(prefix="rmcagent-bench-") as folder:
        measured = bench(Path(folder), looks=2 if once else 12, starts=3 if once else 30)
    for line in table(measured):
        print(line)
    text = json.dumps(measured, sort_keys=True)
    if chosen.json:
        Path(chosen.json).write_text(text + "\n", "ascii")
    print(text)
    return 0


def bench(folder: Path, looks: int, starts: int) -> Dict[str, object]:
    """Run the daemon on a simulated AIX partition and measure it from outside."""
    sys.path.insert(0, str(AGENT))
    from rmcagent.sim.live.shims import World

    with World(str(folder / "world"), platform="aix", pace=0.02) as world:
        config = folder / "rmcagent.yaml"
        config.write_text(json.dumps(settings(world.config(), folder)), "ascii")   # JSON is YAML
        config.chmod(0o600)
        with running(config, folder) as daemon:
            return {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}",
                    **daemon_costs(daemon, new_looks(config, daemon, folder), looks), **status_costs(config, starts)}


def settings(world: Dict[str, object], folder: Path) -> Dict[str, object]:
    """The world's configuration with short looks; a section that both name is merged."""
    ours: Dict[str, Dict[str, object]] = {
        "cadence": {"pulse": "1s", "look": f"{LOOK_SECONDS}s"},
        "paths": {"state": str(folder / "state"), "public": str(folder / "public")},
        "report": {"syslog": {"socket": str(folder / "no-log")}, "journal": "off", "errlog": "off", "file": "off"},
    }
    merged = dict(world)
    for name, section in ours.items():
        theirs = world.get(name)
        merged[name] = {**section, **theirs} if isinstance(theirs, dict) else section
    return merged


@contextmanager
def running(config: Path, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "stderr").open("wb") as said:
        daemon = subprocess.Popen(rmcagent("run", config), env=environment(), stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        yield daemon
    finally:
        daemon.terminate()
        try:
            daemon.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def daemon_costs(daemon: subprocess.Popen[bytes], seen: Iterator[str], looks: int) -> Dict[str, object]:
    """The first look is left out: it pays for what is asked once a day. The pulses between two looks are counted in."""
    next(seen)
    before, began = cpu_seconds(daemon.pid), time.monotonic()
    for _ in range(looks):
        next(seen)
    after, ended = cpu_seconds(daemon.pid), time.monotonic()
    return {"looks": looks, "resident_mb": resident_mb(daemon.pid),
            "look_own_cpu_ms": round(1000 * (after[0] - before[0]) / looks, 1),
            "look_commands_cpu_ms": round(1000 * (after[1] - before[1]) / looks, 1),
            "look_every_s": round((ended - began) / looks, 1)}


def new_looks(config: Path, daemon: subprocess.Popen[bytes], folder: Path) -> Iterator[str]:
    """Wait for the next look that the daemon publishes, over and over."""
    published, last = published_file(config), ""
    while True:
        until = time.monotonic() + PATIENCE_SECONDS
        while (taken := taken_at(published)) in ("", last):
            if daemon.poll() is not None or time.monotonic() > until:
                said = (folder / "stderr").read_text("utf-8", "replace")[-2000:]
                raise SystemExit(f"cannot measure: the daemon published no look in {published} (exit {daemon.poll()})\n{said}")
            time.sleep(0.02)
        yield (last := taken)


def taken_at(published: Path) -> str:
    try:
        return str(json.loads(published.read_text("utf-8")).get("taken_at") or "")
    except (OSError, ValueError):
        return ""


def published_file(config: Path) -> Path:
    return Path(json.loads(config.read_text("ascii"))["paths"]["public"]) / "status.json"


def status_costs(config: Path, starts: int) -> Dict[str, object]:
    """They take turns, so that whatever else the machine does slows all alike."""
    asked = {"bare_python_ms": [sys.executable, "-I", "-S", "-c", "pass"],
             "status_ms": [sys.executable, "-I", "-c", STATUS, str(AGENT), str(published_file(config))],
             "status_config_ms": rmcagent("status", config)}
    for argv in (asked["status_ms"], asked["status_config_ms"]):
        answer = run(argv)
        if answer.returncode not in STATUS_ANSWERS or not answer.stdout:
            said = answer.stderr.decode("utf-8", "replace")
            raise SystemExit(f"cannot measure: status did not answer (exit {answer.returncode})\n{said}")
    rounds = [{name: took_ms(argv) for name, argv in asked.items()} for _ in range(starts)]
    took = {name: round(statistics.median(each[name] for each in rounds), 1) for name in asked}
    return {**took, "status_times": round(took["status_ms"] / took["bare_python_ms"], 2)}


def took_ms(argv: List[str]) -> float:
    began = time.perf_counter()
    run(argv)
    return 1000 * (time.perf_counter() - began)


def run(argv: List[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(argv, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_SECONDS)


def rmcagent(command: str, config: Path) -> List[str]:
    """The installed command where there is one beside this Python: what an administrator types."""
    beside = shutil.which("rmcagent", path=str(Path(sys.executable).parent))
    return [*([beside] if beside else [sys.executable, "-m", "rmcagent"]), command, "--config", str(config)]


def environment() -> Dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "PYTHONPATH": str(AGENT), "PYTHONDONTWRITEBYTECODE": ""}


def cpu_seconds(pid: int) -> Tuple[float, float]:
    """The process's own CPU, and that of the children it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    own, children = (int(fields[at]) + int(fields[at + 1]) for at in (11, 13))
    return own / TICKS, children / TICKS


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) * 1024 / 1e6, 1)
    raise SystemExit(f"cannot tell the memory of process {pid}: no VmRSS")


def table(measured: Dict[str, object]) -> Iterator[str]:
    rows = (("resident_mb", "resident memory, idle", "MB"), ("look_own_cpu_ms", "CPU of one look, the agent's own", "ms"),
            ("look_commands_cpu_ms", "CPU of one look, its commands'", "ms"), ("status_ms", "rmcagent status", "ms"),
            ("status_config_ms", "rmcagent status --config FILE", "ms"), ("bare_python_ms", "python3 -I -S -c pass", "ms"),
            ("status_times", "rmcagent status, against that", "times"))
    yield f"Python {measured['python']}, {measured['machine']}, {measured['looks']} looks, one every {measured['look_every_s']} s"
    for key, title, unit in rows:
        mark = MARKS.get(key)
        held = "" if mark is None else f"  mark {mark:g}: {'held' if float(str(measured[key])) <= mark else 'NOT HELD'}"
        yield f"  {title:<34} {measured[key]:>8} {unit:<5}{held}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
