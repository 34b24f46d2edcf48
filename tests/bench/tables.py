"""What a bench measured as lines of text, and the issue's targets held against it; pure."""
from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from bench.measure import ratio
from bench.peers import AGENT

BARE, MONIT, STATUS = "python3 -I -S -c pass", "monit status", "rmcagent status"
COMMANDS = ("status", "status --brief", "check")
REST = ("own_ms", "children_ms", "commands", "rss_mb", "pss_mb", "private_mb")
BEST, WORST = "monit 1024", "monit 20000"
Measured = Mapping[str, Any]


# ---- the parts

def commands(measured: Measured) -> Iterator[str]:
    took = measured["took"]
    bare, monit, bare_cpu, monit_cpu = (_median(took, name, what) for what in ("wall_ms", "cpu_ms") for name in (BARE, MONIT))
    yield ""
    yield f"commands that ask, {took[BARE]['wall_ms']['n']} runs each in turn; load {_load(measured)}"
    yield (f"  {'':<32} {'ms':>7} {'noise':>6} {'least to most':>17} {'/ python':>9} {'/ monit':>8} {'CPU ms':>7} {'noise':>6} "
           f"{'/ python':>9} {'/ monit':>8}")
    for name, each in took.items():
        wall, cpu = each["wall_ms"], each["cpu_ms"]
        yield (f"  {name:<32} {wall['median']:>7} {wall['mad']:>6} {_range(wall):>17} {_shown(ratio(wall['median'], bare)):>9} "
               f"{_shown(ratio(wall['median'], monit)):>8} {cpu['median']:>7} {cpu['mad']:>6} "
               f"{_shown(ratio(cpu['median'], bare_cpu)):>9} {_shown(ratio(cpu['median'], monit_cpu)):>8}")


def deaths(measured: Measured) -> Iterator[str]:
    yield ""
    yield f"seconds from ctrmc's death until it is told, {measured['deaths']} deaths; load {_load(measured)}"
    yield f"  {'':<30} {'s':>7} {'noise':>6} {'least to most':>17} {'missed':>7} {'rmcagent /':>11}"
    ours = measured["seconds"][AGENT]["median"]
    for name, each in measured["seconds"].items():
        beside, missed = _shown(ratio(ours, each["median"])), measured["missed"][name]
        yield f"  {name:<30} {_shown(each['median']):>7} {_shown(each['mad']):>6} {_range(each):>17} {missed:>7} {beside:>11}"


def minutes(measured: Measured) -> Iterator[str]:
    subjects = measured["subjects"]
    ours = subjects[AGENT]
    turns = ours["cpu_ms"]["n"]
    yield ""
    yield f"a minute at rest, medians of {turns} windows of {measured['seconds']:g} s each in turn; load {_load(measured)}"
    yield (f"  {'':<22} {'CPU ms':>7} {'noise':>6} {'least to most':>17} {'own':>6} {'children':>9} {'commands':>9} "
           f"{'RSS MB':>7} {'PSS':>6} {'private':>8} {'rmcagent / CPU':>15} {'RSS':>5}")
    for name, each in subjects.items():
        cpu = each["cpu_ms"]
        own, children, ran, rss, pss, private = (each[key]["median"] for key in REST)
        yield (f"  {name:<22} {_round(cpu['median']):>7} {_round(cpu['mad']):>6} {_range(cpu):>17} {_round(own):>6} "
               f"{_round(children):>9} {ran:>9g} {rss:>7} {pss:>6} {private:>8} "
               f"{_shown(ratio(ours['cpu_ms']['median'], cpu['median'])):>15} {_shown(ratio(ours['rss_mb']['median'], rss)):>5}")
    looks = ", ".join(map(str, measured["looks_of_the_agent"]))
    yield (f"  a command costs {measured['command_ms']['median']} ms (noise {measured['command_ms']['mad']}); in its windows the "
           f"agent ran commands in {looks} looks, and none between")


def log(measured: Measured) -> Iterator[str]:
    speeds = measured["mb_per_second"]
    spent = measured["mb_per_cpu_second"]
    ours, ours_spent = (each["rmcagent census"]["median"] for each in (speeds, spent))
    yield ""
    yield f"a log, MB a second, medians of {speeds['rmcagent census']['n']} in turn; load {_load(measured)}"
    yield (f"  {'':<30} {'MB/s':>7} {'noise':>6} {'least to most':>17} {'rmcagent /':>11} {'MB/CPU s':>9} {'noise':>6} "
           f"{'rmcagent /':>11}")
    for name, each in speeds.items():
        cpu = spent[name]
        yield (f"  {name:<30} {each['median']:>7} {each['mad']:>6} {_range(each):>17} {_shown(ratio(ours, each['median'])):>11} "
               f"{cpu['median']:>9} {cpu['mad']:>6} {_shown(ratio(ours_spent, cpu['median'])):>11}")


BY_PART: Mapping[str, Callable[[Measured], Iterator[str]]] = {
    "commands": commands, "deaths": deaths, "minutes": minutes, "log": log}


# ---- the targets

Target = Tuple[str, Optional[float], float, bool]       # what, as measured, the bound, whether less is better


def targets(measured: Measured) -> Iterator[str]:
    """Of the issue's table, what was measured in this run."""
    rows = [row for part, found in TARGETS.items() if part in measured for row in found(measured[part])]
    if rows:
        yield ""
        yield "targets"
    for what, value, bound, less in rows:
        held = "not measured" if value is None else "held" if (value <= bound if less else value >= bound) else "NOT HELD"
        yield f"  {what:<62} {_shown(value):>8} {'at most' if less else 'at least'} {bound:<6g} {held}"


def _of_commands(measured: Measured) -> List[Target]:
    took = measured["took"]
    monit, bare = _median(took, MONIT, "wall_ms"), _median(took, BARE, "wall_ms")
    named = [(name, _median(took, f"rmcagent {name}", "wall_ms")) for name in COMMANDS]
    return [(f"rmcagent {name} / {beside}", ratio(ours, theirs), bound, True) for name, ours in named
            for beside, theirs, bound in ((MONIT, monit, 1.5), (BARE, bare, 2.0))]


def _of_deaths(measured: Measured) -> List[Target]:
    return [("ctrmc's death is told, most, s: a pulse and a look's commands", measured["seconds"][AGENT]["max"], 6.0, True)]


def _of_minutes(measured: Measured) -> List[Target]:
    subjects: Dict[str, Any] = measured["subjects"]
    ours = subjects[AGENT]
    beside = [(name, subjects.get(name, {}).get("cpu_ms", {}).get("median")) for name in (BEST, WORST)]
    return [("resident memory at rest, MB", ours["rss_mb"]["median"], 16.0, True),
            *((f"CPU of a minute, children included / {name}", ratio(ours["cpu_ms"]["median"], theirs), 0.5, True)
              for name, theirs in beside)]


def _of_log(measured: Measured) -> List[Target]:
    speeds = measured["mb_per_second"]
    ours = speeds["rmcagent census"]["median"]
    return [(f"log census / {name}", ratio(ours, speeds.get(name, {}).get("median")), bound, False)
            for name, bound in (("grep -oE", 1.0), ("fail2ban-regex", 30.0))]


TARGETS: Mapping[str, Callable[[Measured], List[Target]]] = {
    "commands": _of_commands, "deaths": _of_deaths, "minutes": _of_minutes, "log": _of_log}


# ---- numbers

def _median(took: Measured, name: str, what: str) -> Optional[float]:
    found: Optional[float] = took[name][what]["median"] if name in took else None
    return found


def _range(each: Measured) -> str:
    return "" if each["min"] is None else f"{_three(each['min'])} to {_three(each['max'])}"


def _three(value: float) -> str:
    """Three figures, and no fewer than stand before the point."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _round(value: Optional[float]) -> str:
    return "" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _shown(value: Optional[float]) -> str:
    return "" if value is None else f"{value:g}"


def _load(measured: Measured) -> str:
    loads: Sequence[float] = measured["load_1m"]
    return " to ".join(f"{load:g}" for load in loads)
