"""The real daemon in real time, with a fault every few seconds: do memory, files, threads, children and logs stay as they are?

Prints a table and the verdict, then JSON; --svg draws the curves. Exit 1 where something grew, or we made a mistake."""
from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

if __name__ == "__main__":               # started as a command: its folder is `bench` for its neighbours
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from bench import curve, measure

EVERY_SECONDS = 4.0                       # a fault, on average
SAMPLE_SECONDS = 2.0
QUIET_SECONDS = 20.0                      # before the first fault and after the last
LEAST_SECONDS = 600.0                     # before that what is kept of the past still fills, and each fault came a few times only
# As the demo's compressed policy, with budgets that slide through the soak: remedies go on to its end.
POLICY = {"remedies": {"refresh": {"budget": "8/5m"}, "start": {"budget": "8/5m"}, "manager": {"budget": "8/5m"},
                       "recycle": {"budget": "4/5m"}, "recfgct": {"budget": "1/5m"}},
          "log": {"storm": {"bytes": "4KiB", "within": "4s"}},
          "faults": {"hung": 3, "blind": "4s", "flapping": "30/1m"}}    # an HMC that comes and goes all the time is our doing
SPAN = re.compile(r"(\d+)(s|m|h)")


# ---- what is sampled, and when it counts as flat

@dataclass(frozen=True)
class Gauge:
    """`grows` is what it may grow by over the last two thirds, as their slope has it; `most` what it may never exceed."""

    name: str
    title: str
    unit: str
    grows: Optional[float] = None
    share: float = 0.0                    # ... or this share of its median, where that is more
    most: Optional[float] = None


GAUGES = (
    Gauge("rss_mb", "resident", "MB", grows=0.25, share=0.02),
    Gauge("pss_mb", "proportional", "MB", most=64.0),      # it moves with whoever else runs the same Python: shown, not judged
    Gauge("private_mb", "private", "MB", grows=0.25, share=0.02),
    Gauge("files", "open files", "", grows=0.5),
    Gauge("threads", "threads", "", grows=0.0, most=1.0),
    Gauge("children", "children", "", grows=0.5),
    Gauge("ledger_kib", "ledger", "KiB", most=1024.0),
    Gauge("events_kib", "kept events", "KiB", most=1024.0),
    Gauge("status_kib", "status.json", "KiB", grows=2.0, share=0.1),
    Gauge("lines_an_hour", "lines logged an hour", "", most=90.0),   # the agent's own bound is 60, but for what needs a human
)


def slope(samples: Sequence[Tuple[float, float]]) -> float:
    """Theil and Sen's: the median of the slopes of all pairs, a second. A few wild samples do not move it."""
    slopes = [(later[1] - sooner[1]) / (later[0] - sooner[0]) for number, sooner in enumerate(samples)
              for later in samples[number + 1:] if later[0] > sooner[0]]
    return statistics.median(slopes) if slopes else 0.0


def judged(gauge: Gauge, samples: Sequence[Tuple[float, float]]) -> Dict[str, Any]:
    """The rule: over the last two thirds the slope comes to no more than `grows`, or than `share` of the median; and never over
    `most`."""
    values = [value for _, value in samples]
    late = [sample for sample in samples if sample[0] >= samples[0][0] + (samples[-1][0] - samples[0][0]) / 3]
    growth = slope(thinned(late, 400)) * (late[-1][0] - late[0][0])
    middle = statistics.median(value for _, value in late)
    allowed = None if gauge.grows is None else max(gauge.grows, gauge.share * middle)
    flat = (allowed is None or growth <= allowed + 1e-9) and (gauge.most is None or max(values) <= gauge.most)
    return {"first": round(values[0], 2), "median": round(middle, 2), "min": round(min(values), 2), "max": round(max(values), 2),
            "last": round(values[-1], 2), "growth": round(growth, 3), "allowed": None if allowed is None else round(allowed, 3),
            "most": gauge.most, "flat": flat}


def thinned(samples: Sequence[Tuple[float, float]], most: int) -> List[Tuple[float, float]]:
    step = -(-len(samples) // most)
    return list(samples[::step])


def in_an_hour(counts: Sequence[Tuple[float, float]]) -> List[Tuple[float, float]]:
    """A counter as what it counted in the hour before each moment."""
    found: List[Tuple[float, float]] = []
    begin = 0
    for at, count in counts:
        while counts[begin][0] < at - 3600.0:
            begin += 1
        found.append((at, count - (counts[begin][1] if begin else 0.0)))
    return found


# ---- the faults

Mend = Callable[[], None]


@dataclass(frozen=True)
class Fault:
    """What is done to the partition or to the daemon, and what undoes it where the agent does not."""

    name: str
    begin: Callable[[Any], None]          # of the stage
    mend: Callable[[Any], None] = lambda stage: None


def _do(event: str, *args: object, **named: object) -> Callable[[Any], None]:
    return lambda stage: stage.world.do(event, *args, **named)


def _broken_command(kind: str, command: str, **named: object) -> Fault:
    return Fault(f"{command} {kind}", _do(f"{kind}_command" if kind != "localise" else kind, command, **named),
                 _do("mend_command", command))


def _kill_ctrmc(stage: Any) -> None:
    if pid := stage.world.pid("ctrmc"):
        os.kill(pid, signal.SIGKILL)


def _bad_policy(stage: Any) -> None:
    stage.config.write_text("{cadense: 1}")
    stage.daemon.send_signal(signal.SIGHUP)


def _good_policy(stage: Any) -> None:
    stage.write_policy(POLICY)
    stage.daemon.send_signal(signal.SIGHUP)


def _rmcagent(*words: str) -> Callable[[Any], None]:
    """What an operator types; it is ended with its answer or after ten seconds."""
    def type_it(stage: Any) -> None:
        code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from rmcagent.cli import main; sys.exit(main(sys.argv[1:]))"
        typed = [words[0], "--config", str(stage.config), *words[1:]]
        subprocess.run([sys.executable, "-I", "-c", code, str(measure.AGENT), *typed], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
    return type_it


FAULTS = (
    Fault("ctrmc killed", _kill_ctrmc, lambda stage: _restart(stage)),
    Fault("ctrmc crashes", _do("crash", "ctrmc"), lambda stage: _restart(stage)),
    Fault("IBM.DRM crashes", _do("manager_crash", "IBM.DRM"), lambda stage: _restart(stage)),
    Fault("RMC hangs", _do("hung_rmc"), _do("restart_rmc")),
    Fault("RMC stopped on purpose", _do("stop_cleanly"), lambda stage: _restart(stage)),
    Fault("session stuck, refresh mends", _do("stick_session", mended_by="refresh"), _do("mend_session")),
    Fault("session stuck, recycle mends", _do("stick_session", mended_by="recycle"), _do("mend_session")),
    Fault("HMC reboots", _do("hmc_down"), _do("hmc_up")),
    Fault("HMC unreachable", _do("hmc_unreachable"), _do("hmc_reachable")),
    Fault("HMC forgotten", _do("forget_hmcs"), _do("mend_session")),
    Fault("remote disabled", _do("disable_remote"), _do("enable_remote")),
    Fault("link flaps", _do("flap"), _do("mend_identity")),
    Fault("large packets lost", _do("drop_large_packets"), _do("pass_large_packets")),
    Fault("log storm", _do("storm", 400.0, "hmc"), _do("end_storm")),
    Fault("log storm, network", _do("storm", 400.0, "network"), _do("end_storm")),
    Fault("log rotated", _do("rotate_log")),
    Fault("/var fills", _do("fill_var", 0.98), _do("fill_var", 0.4)),
    Fault("CAA appears", _do("start_caa"), _do("remove_caa")),
    Fault("a loaded partition", _do("slow_down", 4.0), _do("slow_down", 1.0)),
    Fault("installp runs", _do("run_program", "installp"), _do("end_program", "installp")),
    _broken_command("hang", "rmcdomainstatus"),
    _broken_command("hang", "lsrsrc", stubborn=True, forks=True),
    _broken_command("garble", "lsrsrc"),
    _broken_command("garble", "lssrc"),
    _broken_command("cut", "rmcdomainstatus"),
    _broken_command("empty", "lssrc"),
    _broken_command("remove", "lsnodeid"),
    _broken_command("fail", "rmcdomainstatus", text="2612-022"),
    Fault("lssrc in Spanish", _do("localise", "lssrc"), _do("mend_command", "lssrc")),
    Fault("SIGHUP", lambda stage: stage.daemon.send_signal(signal.SIGHUP)),
    Fault("a bad policy, then a good one", _bad_policy, _good_policy),
    Fault("paused", _rmcagent("pause", "--for", "5s", "--reason", "soak"), _rmcagent("resume")),
    Fault("heal refresh", _rmcagent("heal", "refresh", "--dry-run")),
)


def _restart(stage: Any) -> None:
    if stage.world.ask("states")["ctrmc"] != "active" or stage.world.ask("states")["IBM.DRM"] != "active":
        stage.world.do("restart_rmc")


class Trouble:
    """Begins faults at random, and mends each some seconds later; what the partition cannot do is passed over."""

    def __init__(self, stage: Any, seed: int) -> None:
        self.stage, self.chance = stage, random.Random(seed)
        self.left: List[Fault] = []
        self.open: List[Tuple[float, Fault]] = []
        self.began: List[Tuple[float, str]] = []
        self.refused: Dict[str, int] = {}
        self.next = 0.0

    def step(self, at: float) -> None:
        for due, fault in [each for each in self.open if each[0] <= at]:
            self.open.remove((due, fault))
            self._try(fault, fault.mend)
        if at >= self.next:
            self.next = at + self.chance.uniform(0.5, 1.5) * EVERY_SECONDS
            fault = self._following()
            if self._try(fault, fault.begin):
                self.began.append((round(at, 1), fault.name))
                self.open.append((at + self.chance.choice((3.0, 6.0, 12.0, 24.0)), fault))

    def end(self) -> None:
        for _, fault in self.open:
            self._try(fault, fault.mend)
        self.open = []

    def _following(self) -> Fault:
        """Each comes once before any comes again."""
        if not self.left:
            self.left = self.chance.sample(FAULTS, len(FAULTS))
        return self.left.pop()

    def _try(self, fault: Fault, part: Callable[[Any], None]) -> bool:
        try:
            part(self.stage)
        except (ValueError, OSError, subprocess.TimeoutExpired):
            self.refused[fault.name] = self.refused.get(fault.name, 0) + 1
            return False
        return True


# ---- the soak

def main(arguments: Sequence[str]) -> int:
    wanted = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    wanted.add_argument("--for", dest="span", default="30m", metavar="SPAN", help="how long: 30m, 90s, 2h (default 30m)")
    wanted.add_argument("--seed", type=int, default=1)
    wanted.add_argument("--json", metavar="FILE", help="write the JSON there too")
    wanted.add_argument("--svg", metavar="FILE", help="draw the curves")
    chosen = wanted.parse_args(arguments)
    seconds = span(chosen.span)
    with tempfile.TemporaryDirectory(prefix="rmcagent-soak-") as folder:
        found, samples, trouble = soak(Path(folder), seconds, chosen.seed)
    for line in table(found):
        print(line)
    if chosen.svg:
        Path(chosen.svg).write_text(curve.svg(title(found), panels(samples), [at for at, _ in trouble.began]), "ascii")
    measure.written(found, chosen.json)
    return 0 if found["flat"] else 1


def span(text: str) -> float:
    told = SPAN.fullmatch(text)
    if told is None:
        raise SystemExit(f"cannot soak for {text!r}: say how long, as in 30m, 90s or 2h")
    return float(told.group(1)) * {"s": 1, "m": 60, "h": 3600}[told.group(2)]


Samples = Dict[str, List[Tuple[float, float]]]


def soak(folder: Path, seconds: float, seed: int) -> Tuple[Dict[str, Any], Samples, Trouble]:
    sys.path[:0] = [str(measure.AGENT)]
    from rmcagent.sim.live.stage import Stage

    machine = measure.machine()
    with Stage(folder, policy=POLICY) as stage:
        daemon = stage.start()
        began = time.monotonic()
        raw: List[Dict[str, float]] = []
        trouble = Trouble(stage, seed)

        def until(end: float, step: Callable[[float], None]) -> None:
            while (at := time.monotonic() - began) < end:
                if daemon.poll() is not None:
                    told = stage.complaints()[-2000:]
                    raise SystemExit(f"cannot go on: the daemon ended with exit {daemon.returncode}\n{told}")
                step(at)
                stage.hear(0.1)
                if not raw or at - raw[-1]["at"] >= SAMPLE_SECONDS:
                    raw.append({"at": at, **sample(daemon.pid, folder, len(stage.told))})

        quiet = min(QUIET_SECONDS, seconds / 6)
        until(quiet, lambda at: None)
        before, first_cpu = at_rest(daemon.pid), measure.cpu_ms(daemon.pid)
        until(seconds - quiet, trouble.step)
        trouble.end()
        until(seconds, lambda at: None)
        after = at_rest(daemon.pid)
        cpu = [(later - sooner) * 60.0 / (seconds - quiet) for later, sooner in zip(measure.cpu_ms(daemon.pid), first_cpu)]
        faulty = [at for at in raw if quiet <= at["at"] <= seconds - quiet]
        samples = series(faulty)
        gauges = {gauge.name: judged(gauge, samples[gauge.name]) for gauge in GAUGES}
        events: Dict[str, int] = {}
        for told in stage.told:
            events[told.code] = events.get(told.code, 0) + 1
        complaints, verdict = stage.complaints(), str(stage.status().get("verdict"))
        untold = sum(stage.status().get("event_counts", {}).values()) - len(stage.told)
    found = {"schema": 1, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": machine, "seconds": seconds,
             "seed": seed, "samples": len(faulty), "faults": len(trouble.began),
             "kinds": len({kind for _, kind in trouble.began}), "passed_over": trouble.refused, "events": events,
             "gauges": gauges, "at_rest": {"before": before, "after": after},
             "own_cpu_ms_a_minute": round(cpu[0]), "children_cpu_ms_a_minute": round(cpu[1]), "stderr_bytes": len(complaints),
             "mistakes": complaints.count("Traceback ("), "verdict": verdict, "untold": untold}
    found["long_enough"] = seconds >= LEAST_SECONDS
    grew = found["long_enough"] and not all(each["flat"] for each in gauges.values())
    found["flat"] = not (grew or found["mistakes"] or untold) and before == after and verdict == "healthy"
    return found, series(raw), trouble


def sample(pid: int, folder: Path, lines: int) -> Dict[str, float]:
    held, state = measure.memory(pid), folder / "partition" / "state"
    return {"rss_mb": held.rss, "pss_mb": held.pss, "private_mb": held.own, **counted(pid), "lines": float(lines),
            "ledger_kib": kibibytes(state, "ledger.jsonl*"), "events_kib": kibibytes(state, "events*"),
            "status_kib": kibibytes(folder / "partition" / "public", "status.json")}


def counted(pid: int) -> Dict[str, float]:
    """Open files, threads and children, zombies too."""
    children = [task.read_text("ascii").split() for task in Path(f"/proc/{pid}/task").glob("*/children")]
    return {"files": float(len(os.listdir(f"/proc/{pid}/fd"))), "threads": float(len(os.listdir(f"/proc/{pid}/task"))),
            "children": float(sum(map(len, children)))}


def at_rest(pid: int) -> Dict[str, float]:
    """The least that is counted in some seconds: a look may be under way at any one moment."""
    found = counted(pid)
    for _ in range(60):
        time.sleep(0.05)
        found = {name: min(count, found[name]) for name, count in counted(pid).items()}
    return found


def kibibytes(folder: Path, pattern: str) -> float:
    total = 0
    for path in folder.glob(pattern):
        try:
            total += path.stat().st_size
        except OSError:
            continue                      # replaced at this moment
    return round(total / 1024, 1)


def series(raw: Sequence[Dict[str, float]]) -> Samples:
    found = {name: [(one["at"], one[name]) for one in raw] for name in raw[0] if name not in ("at", "lines")}
    return {**found, "lines_an_hour": in_an_hour([(one["at"], one["lines"]) for one in raw])}


# ---- what is shown

def title(found: Dict[str, Any]) -> str:
    verdict = "NOT FLAT" if not found["flat"] else "flat" if found["long_enough"] else "too short to tell what grows"
    return f"rmcagent for {found['seconds'] / 60:.3g} minutes with {found['faults']} faults of {found['kinds']} kinds: {verdict}"


def panels(samples: Samples) -> List[curve.Panel]:
    def lines(*names: str) -> Tuple[curve.Line, ...]:
        titles = {gauge.name: gauge.title for gauge in GAUGES}
        return tuple(curve.Line(titles[name], tuple(thinned(samples[name], 360))) for name in names)

    return [curve.Panel("memory, MB", lines("rss_mb", "pss_mb", "private_mb")),
            curve.Panel("open files, threads, children", lines("files", "threads", "children")),
            curve.Panel("KiB on disk", lines("ledger_kib", "events_kib", "status_kib")),
            curve.Panel("lines logged in the hour before", lines("lines_an_hour"))]


def table(found: Dict[str, Any]) -> Iterator[str]:
    about = found["machine"]
    yield (f"Python {about['python']}, {about['distribution']}, {about['processor']}, {about['cores']} cores, load "
           f"{about['loadavg'][0]:.2f} at the start")
    yield title(found)
    yield f"  {'':<22} {'first':>8} {'median':>8} {'least':>8} {'most':>8} {'last':>8} {'growth':>8} {'allowed':>8}"
    for gauge in GAUGES:
        each = found["gauges"][gauge.name]
        allowed = f"{each['allowed']:g}" if each["allowed"] is not None else f"<={each['most']:g}"
        name = f"{gauge.title}, {gauge.unit}" if gauge.unit else gauge.title
        yield (f"  {name:<22} {each['first']:>8g} {each['median']:>8g} {each['min']:>8g} {each['max']:>8g} {each['last']:>8g} "
               f"{each['growth']:>8g} {allowed:>8}  {'flat' if each['flat'] else 'NOT FLAT'}")
    rest = found["at_rest"]
    same = "as before the first fault" if rest["before"] == rest["after"] else f"NOT as before: {json.dumps(rest['before'])}"
    yield f"  at rest after the last fault: {found['verdict']}; {json.dumps(rest['after'])}, {same}"
    yield f"  CPU a minute: its own {found['own_cpu_ms_a_minute']} ms, its commands' {found['children_cpu_ms_a_minute']} ms"
    yield (f"  events: {sum(found['events'].values())} by syslog, {found['untold']} more only in its own record; "
           f"{found['mistakes']} mistakes of ours on standard error, {found['stderr_bytes']} bytes")


if __name__ == "__main__":
    measure.on_the_systems_python()
    sys.exit(main(sys.argv[1:]))
