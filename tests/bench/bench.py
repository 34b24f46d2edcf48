"""The agent beside Monit, fail2ban and supervisord on a simulated partition: memory, CPU, how soon ctrmc's death is found, the
commands that ask, the log. One command for all; a peer that is not installed is named and left out. Prints tables, then JSON."""
from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

if __name__ == "__main__":               # started as a command: its folder is `bench` for its neighbours
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from bench import logs, measure, peers, tables
from bench.peers import AGENT, QUICK, SUPERVISOR, Pace, Peer, Scene, Subject, published

SETTLE_SECONDS = 2.0                       # after the look that the window begins with
NOISE_EVERY_SECONDS, NOISE_LINES = 5.0, 4   # benign lines of empty slots, as an admin's log had them
TOGETHER_SECONDS = 1.0                     # commands of one look follow one another faster than that


def main(arguments: Sequence[str]) -> int:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--once", action="store_true", help="few samples and short waits: does it work at all?")
    wanted.add_argument("--json", metavar="FILE", help="write the JSON there too")
    wanted.add_argument("--rounds", type=int, default=5, help="how often each takes its turn of a minute (default 5)")
    wanted.add_argument("--deaths", type=int, default=15, help="how often ctrmc is killed (default 15)")
    wanted.add_argument("--starts", type=int, default=31, help="how often each command is run (default 31)")
    wanted.add_argument("--only", choices=("commands", "deaths", "minutes", "log"), action="append", help="only that part")
    chosen = wanted.parse_args(arguments)
    if chosen.once:
        chosen.rounds, chosen.deaths, chosen.starts = 1, 1, 2
    parts = chosen.only or ["commands", "deaths", "minutes", "log"]
    here = [peer for peer in peers.everyone(few=chosen.once) if not told_missing(peer)]
    pace = QUICK if chosen.once else Pace()
    began = measure.machine()
    print(f"Python {began['python']}, {began['distribution']}, {began['processor']}, {began['cores']} cores", flush=True)
    measured: Dict[str, Any] = {"schema": 1, "at": moment(), "machine": began, "versions": dict(peers.versions()),
                                "pace": vars(pace), "once": chosen.once}
    with tempfile.TemporaryDirectory(prefix="rmcagent-bench-") as name:
        folder = Path(name)
        for part in parts:
            at, before = moment(), os.getloadavg()[0]
            if part in ("commands", "deaths"):
                with everybody(here, folder / part, pace) as (scene, subjects):
                    measured[part] = (commands(subjects, chosen.starts) if part == "commands"
                                      else deaths(scene, subjects, chosen.deaths))
            elif part == "minutes":
                measured[part] = minutes(here, folder / part, pace, chosen.rounds)
            else:
                measured[part] = log_watch(folder, 2 if chosen.once else 128, 1 if chosen.once else 5)
            measured[part].update(at=at, load_1m=[round(before, 2), round(os.getloadavg()[0], 2)])
            for line in tables.BY_PART[part](measured[part]):
                print(line, flush=True)
    for line in () if chosen.once else tables.targets(measured):
        print(line)
    measure.written(measured, chosen.json)
    return 0


def moment() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def told_missing(peer: Peer) -> str:
    if why := peer.missing():
        print(f"left out: {peer.title}: {why}", flush=True)
    return why


# ---- the stage

@contextlib.contextmanager
def everybody(here: Sequence[Peer], folder: Path, pace: Pace) -> Iterator[Tuple[Scene, Dict[str, Subject]]]:
    """All of them on one partition at once; the agent only observes, so that it ends no trial by healing."""
    with stage(folder, pace) as scene, contextlib.ExitStack() as running:
        observing = [peers.agent("observe") if peer.name == AGENT else peer for peer in here if peer.cycle is None]
        yield scene, {peer.name: running.enter_context(Subject(peer, scene)) for peer in observing}


@contextlib.contextmanager
def stage(folder: Path, pace: Pace) -> Iterator[Scene]:
    """A partition whose log goes on as a real one's does."""
    scene = peers.raised(folder, pace)
    over = threading.Event()

    def noise() -> None:
        while not over.wait(NOISE_EVERY_SECONDS):
            scene.world.do("write_log", "slots", NOISE_LINES)

    writer = threading.Thread(target=noise)
    try:
        writer.start()
        yield scene
    finally:
        over.set()
        writer.join()
        scene.world.close()


# ---- the commands that ask

def commands(subjects: Dict[str, Subject], starts: int) -> Dict[str, Any]:
    """Each as typed while its daemon runs, in turn with the others and with a bare Python."""
    asked: Dict[str, List[str]] = {"python3 -I -S -c pass": [sys.executable, "-I", "-S", "-c", "pass"]}
    for subject in subjects.values():
        asked.update(subject.peer.ask(subject.folder))
    took = measure.in_turn(asked, starts)
    if failed := {name: each["exits"] for name, each in took.items() if each["exits"] != [0]}:
        raise SystemExit(f"cannot compare: on a healthy partition {failed} is not exit 0")
    return {"took": took}


# ---- ctrmc's death

def deaths(scene: Scene, subjects: Dict[str, Subject], times: int) -> Dict[str, Any]:
    """Kill ctrmc at a random moment, and wait until everybody who has that duty has told of it; over and over."""
    watching = {name: subject for name, subject in subjects.items() if name == AGENT or subject.peer.tells}
    found: Dict[str, List[float]] = {name: [] for name in watching}
    chance = random.Random(7)
    with contextlib.closing(Ear(scene)) as ear:
        for _ in range(times):
            healthy(scene, subjects)
            time.sleep(chance.uniform(0, 2 * scene.pace.cycle))
            before = {name: ear.told(subject) for name, subject in watching.items()}
            pids = {killed(scene, subject) for subject in watching.values()}
            began = time.monotonic()
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            for name, seconds in told_after(watching, before, ear, began, 3 * scene.pace.cycle + 10.0).items():
                found[name].append(seconds)
    return {"seconds": {name: measure.summary(each, 3) for name, each in found.items()}, "deaths": times,
            "missed": {name: times - len(each) for name, each in found.items()}}


class Ear:
    """Hears how often each has said that ctrmc is gone: the agent's events come by syslog, the others' stand in their logs."""

    def __init__(self, scene: Scene) -> None:
        self.heard = 0
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(scene.folder / "syslog"))
        self.socket.setblocking(False)

    def told(self, subject: Subject) -> int:
        if subject.peer.name != AGENT:
            return said(subject).count(subject.peer.tells)
        with contextlib.suppress(BlockingIOError):
            while True:
                event = self.socket.recv(4096)
                self.heard += b"RMCA2001W" in event and b"rmc-down" in event
        return self.heard

    def close(self) -> None:
        self.socket.close()


def killed(scene: Scene, subject: Subject) -> int:
    """supervisord sees no process but its children: its own ctrmc is killed at the same moment."""
    if subject.peer.name != SUPERVISOR:
        return int(scene.world.pid("ctrmc"))
    (pid,) = (one for one in measure.below(subject.process.pid) if Path(f"/proc/{one}/cmdline").read_bytes().endswith(b"/rmcd\0"))
    return pid


def told_after(watching: Dict[str, Subject], before: Dict[str, int], ear: Ear, began: float, patience: float) -> Dict[str, float]:
    found: Dict[str, float] = {}
    while len(found) < len(watching) and time.monotonic() - began < patience:
        for name, subject in watching.items():
            if name not in found and ear.told(subject) > before[name]:
                found[name] = time.monotonic() - began
        time.sleep(0.005)
    return found


def healthy(scene: Scene, subjects: Dict[str, Subject]) -> None:
    """RMC runs again, and everybody has seen it: the agent by looks that are asked for, or two minutes would pass."""
    if scene.world.ask("states")["ctrmc"] != "active":
        scene.world.do("restart_rmc")
    ours = subjects[AGENT]
    until = time.monotonic() + measure.PATIENCE_SECONDS
    clean = 0
    while clean < 3:
        last = published(ours.folder).get("taken_at")
        time.sleep(1.1)                   # what is published tells whole seconds
        ours.process.send_signal(signal.SIGHUP)      # it looks at once
        while published(ours.folder).get("taken_at") == last:
            if time.monotonic() > until:
                raise SystemExit(f"cannot measure: the agent does not see RMC well again\n{published(ours.folder)}")
            time.sleep(0.02)
        clean = 0 if published(ours.folder).get("findings") else clean + 1
    monits = [subject for name, subject in subjects.items() if name.startswith("monit")]
    while any(gone(subject) for subject in monits) and time.monotonic() < until:
        time.sleep(0.1)


def said(subject: Subject) -> str:
    return (subject.folder / subject.peer.log).read_text("utf-8", "replace")


def gone(subject: Subject) -> bool:
    """Whether Monit's last word on ctrmc is that it does not run."""
    return said(subject).rfind(subject.peer.tells) > said(subject).rfind("'ctrmc' process is running")


# ---- minutes at rest

def minutes(here: Sequence[Peer], folder: Path, pace: Pace, rounds: int) -> Dict[str, Any]:
    """Each alone on a partition of its own, in turn, over and over: A B C, A B C."""
    taken: Dict[str, List[Dict[str, Any]]] = {peer.name: [] for peer in here}
    for number in range(rounds):
        for peer in here:
            taken[peer.name].append(minute(peer, folder.with_name(f"minute-{number}-{peer.name.replace(' ', '-')}"), pace))
    keys = ("own_ms", "children_ms", "cpu_ms", "commands", "rss_mb", "pss_mb", "private_mb")
    return {"seconds": pace.look, "subjects": {name: {key: measure.summary([one[key] for one in each], 2) for key in keys}
                                               for name, each in taken.items()},
            "looks_of_the_agent": [one["looks"] for one in taken[AGENT]],
            "command_ms": measure.summary([one["command_ms"] for each in taken.values() for one in each if one["commands"]], 2)}


def minute(peer: Peer, folder: Path, pace: Pace) -> Dict[str, Any]:
    """CPU in a window of one of the agent's looks; memory, with whatever is shared, at its end."""
    with stage(folder, pace) as scene, Subject(peer, scene) as subject:
        pid = subject.process.pid
        time.sleep(min(SETTLE_SECONDS, pace.look / 4))      # the first look is paid for: it asks what is asked once a day
        own, children = measure.cpu_ms(pid)
        began = time.monotonic()
        time.sleep(pace.look)
        ended = time.monotonic()
        own, children = (after - before for after, before in zip(measure.cpu_ms(pid), (own, children)))
        ran = [at for at, _ in scene.commands() if began <= at <= ended]
        held = measure.memory(pid)
        per_minute = 60.0 / (ended - began)
        return {"own_ms": own * per_minute, "children_ms": children * per_minute, "cpu_ms": (own + children) * per_minute,
                "commands": len(ran), "rss_mb": held.rss, "pss_mb": held.pss, "private_mb": held.own,
                "looks": bursts(ran), "command_ms": children / max(1, len(ran))}


def bursts(ran: Sequence[float]) -> int:
    """In how many goes commands were run. As many as there were looks: between two looks none was."""
    return sum(1 for number, at in enumerate(ran) if not number or at - ran[number - 1] >= TOGETHER_SECONDS)


# ---- the log

FAIL2BAN = ("--print-no-missed", "--print-no-ignored", "--raw", "--usedns", "no")


def log_watch(folder: Path, mib: int, rounds: int) -> Dict[str, Any]:
    """One log of `mib` MiB for the census and grep, and its beginning for fail2ban-regex, which would take minutes."""
    log, short = folder / "log", folder / "short"
    logs.write(log, "mixed", mib << 20)
    logs.write(short, "mixed", max(1, mib // 16) << 20)
    regex = shutil.which("fail2ban-regex", path=peers.FOLDERS)
    filters = folder / "rsct.conf"
    filters.write_text((Path(__file__).parent / "configurations" / "rsct.conf").read_text("ascii"), "ascii")
    names = ("rmcagent census", "grep -oE", *(("fail2ban-regex",) if regex else ()))
    runs: Dict[str, List[Tuple[float, float]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, counted in (("rmcagent census", logs.counted(log)), ("grep -oE", logs.grepped(log))):
            runs[name].append((log.stat().st_size / 1e6 / counted["wall_s"], log.stat().st_size / 1e6 / counted["cpu_s"]))
        if regex:
            told, wall, cpu = logs.timed([regex, *FAIL2BAN, str(short), str(filters)])
            if "matched" not in told:
                raise SystemExit(f"cannot compare: fail2ban-regex matched nothing, it said {told[-500:]}")
            runs["fail2ban-regex"].append((short.stat().st_size / 1e6 / wall, short.stat().st_size / 1e6 / cpu))
    return {name: {who: measure.summary([run[at] for run in each]) for who, each in runs.items()}
            for at, name in enumerate(("mb_per_second", "mb_per_cpu_second"))}


if __name__ == "__main__":
    measure.on_the_systems_python()
    sys.exit(main(sys.argv[1:]))
