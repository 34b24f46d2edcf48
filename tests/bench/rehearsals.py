"""What rehearsals cost: thirty virtual days of each scenario, and a healthy day, by processor time. Prints a table, then JSON."""
from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Sequence

if __name__ == "__main__":               # started as a command: its folder is `bench` for its neighbours
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from bench import measure
from bench.measure import summary

AGENT = str(measure.AGENT)
START = "Python's start, and the verb's"
MONTH, DAY = 1000.0, 20.0           # ms, as it should be at most
RUN = "import sys; sys.path.insert(0, sys.argv.pop(1)); from rmcagent.cli import main; sys.exit(main(sys.argv[1:]))"
VERB = ("-c", RUN, AGENT, "rehearse")


def main(arguments: Sequence[str]) -> int:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--rounds", type=int, default=5, metavar="N", help="of all scenarios, each of another seed (%(default)s)")
    wanted.add_argument("--once", action="store_true", help="one round of three scenarios: does it work at all?")
    wanted.add_argument("--json", metavar="FILE", help="write the JSON there too")
    chosen = wanted.parse_args(arguments)
    names = ["quiet", "commands-hang", "log-storm-hmc-side"] if chosen.once else scenarios()
    spent: Dict[str, List[float]] = {START: [], **{name: [] for name in names}}
    days: List[float] = []
    for seed in range(1, (1 if chosen.once else chosen.rounds) + 1):
        start = spent_by("--list")
        spent[START].append(start)
        days.append(spent_by("--scenario", "quiet", "--for", "1d", "--seed", str(seed)) - start)
        for name in names:
            spent[name].append(spent_by("--scenario", name, "--seed", str(seed)))
    measured = {**measure.machine(), "day_ms": summary(days), "month_ms": {name: summary(each) for name, each in spent.items()}}
    for line in table(measured):
        print(line)
    measure.written(measured, chosen.json)
    return 0


def scenarios() -> List[str]:
    sys.path.insert(0, AGENT)
    from rmcagent.sim.rehearsal.scenarios import SCENARIOS

    return list(SCENARIOS)


def spent_by(*options: str) -> float:
    """Milliseconds of processor time, the start included."""
    _, spent, code = measure.took([sys.executable, "-I", *VERB, *options])
    if code:
        raise SystemExit(f"rehearse {' '.join(options)} ended with {code}: run it by hand to see why")
    return spent


def table(measured: Mapping[str, Any]) -> Iterator[str]:
    months = measured["month_ms"]
    start = months[START]["median"]
    yield f"processor time of rehearsals, medians of {months[START]['n']} seeds"
    yield f"  {'':<32} {'ms':>7} {'noise':>6} {'least to most':>17}"
    for name, each in sorted(months.items(), key=lambda item: -item[1]["median"]):
        spread = f"{each['min']:.0f} to {each['max']:.0f}"
        mark = "" if name == START or each["median"] - start <= MONTH else f"  over {MONTH:g} without the start"
        yield f"  {name:<32} {each['median']:>7.0f} {each['mad']:>6.0f} {spread:>17}{mark}"
    day = measured["day_ms"]
    held = "" if day["median"] <= DAY else f"  over {DAY:g}"
    spread = f"{day['min']} to {day['max']}"
    yield f"  {'a healthy day, without the start':<32} {day['median']:>7} {day['mad']:>6} {spread:>17}{held}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
