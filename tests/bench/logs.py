"""How fast and in how much memory a long log is counted, against grep on the same file. Prints a table, then JSON."""
from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, Sequence, Tuple

AGENT = Path(__file__).resolve().parent.parent.parent / "agent"
MARKS = {"times": 1.0, "memory_mib": 2.0}
MARKED = ("storm", "mixed")
# To a pipe: grep ends at the first match when its output is /dev/null.
GREP = "LC_ALL=C exec grep -aoE '26[0-9]{2}-[0-9]{3}' \"$1\" | wc -l"
CENSUS = """import sys; sys.path.insert(0, sys.argv[1])
from rmcagent.partition.host import SystemHost
from rmcagent.partition.logs.census import census, census_of
def most():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:"))
census(b"x"); before = most(); seen = census_of(SystemHost(), sys.argv[2])
print(sum(seen.messages.values()) + sum(seen.inner.values()), most() - before)"""

SOURCE = "../../../../../src/rsct/rm/MgmtDomainRM"
SLOT = "The data in RTAS slot number {slot} is invalid. The error number is 2."
REFUSED = ("MDC received an error response for getSupportedProtocols from {hmc}: 262154 2610-415 Cannot execute the command. "
           "The resource manager IBM.DMSRM is not available.")
PRIOR = "MDC detected a protocol error with the HMC specified in RTAS slot number {slot} due to prior error 2613-021"
SESSION = ("MDC could not start a session with {hmc}, from RTAS slot number {slot}. The mc_timed_start_session function returned "
           "52.\n2610-652 The specified time limit has been exceeded.")
EXCHANGE = ("PKE received an error response for pTwoPublicKeyExchange from {hmc}: 108 2613-034 Error number 108 was returned "
            "when attempting to define an IBM.MngNode resource.")
TIMEOUT = "PKE timed out with the node at IP address {hmc}"

Entry = Tuple[str, str, str]     # file and line and version, number, text
EVERY_FIVE_SECONDS: Tuple[Entry, ...] = (
    *(("MCP_cfg.c/00546/1.24", "2613-023", SLOT.format(slot=slot)) for slot in (0, 1, 2, 5)),
    ("MCP_cfg.c/02047/1.24", "2613-021", REFUSED.format(hmc="192.0.2.74")),
    ("MCP_cfg.c/00850/1.24", "2613-027", PRIOR.format(slot=4)),
)
KINDS = (("MCP_cfg.c", "1.24", "2613-023", SLOT), ("MCP_cfg.c", "1.24", "2613-021", REFUSED),
         ("MCP_cfg.c", "1.24", "2613-027", PRIOR), ("MCP_cfg.c", "1.22", "2613-024", SESSION),
         ("PKE_client.c", "1.13", "2613-008", EXCHANGE), ("PKE_client.c", "1.13", "2613-016", TIMEOUT))


def storm(chance: random.Random) -> Iterator[Tuple[Entry, ...]]:
    """One HMC's resource manager is away, four slots of six are empty: six lines every five seconds."""
    while True:
        yield EVERY_FIVE_SECONDS


def mixed(chance: random.Random) -> Iterator[Tuple[Entry, ...]]:
    """Every message seen in the field, four HMCs, six slots, each told by one of two lines of the source."""
    while True:
        yield tuple((f"{file}/{int(number[-3:]) * 37 + chance.randrange(2):05}/{version}", number,
                     text.format(hmc=f"192.0.2.{chance.randrange(71, 75)}", slot=chance.randrange(6)))
                    for file, version, number, text in chance.choices(KINDS, k=6))


def different(chance: random.Random) -> Iterator[Tuple[Entry, ...]]:
    """No two lines are alike: what no log does, and the worst for us."""
    while True:
        yield tuple((f"{file}/{chance.randrange(100_000):05}/{version}", number,
                     text.format(hmc=".".join(str(chance.randrange(256)) for _ in range(4)), slot=chance.randrange(10 ** 9)))
                    for file, version, number, text in chance.choices(KINDS, k=6))


LOGS: Mapping[str, Callable[[random.Random], Iterator[Tuple[Entry, ...]]]] = {
    "storm": storm, "mixed": mixed, "all different": different}


def write(path: Path, name: str, size: int) -> int:
    """Write a log of that name and at least that size; return the number of its lines."""
    chance = random.Random(name)
    lines = written = 0
    with path.open("w", encoding="ascii", buffering=1 << 20) as log:
        for at, entries in enumerate(LOGS[name](chance)):
            moment, micro = time.gmtime(1_700_000_000 + 5 * at), chance.randrange(900_000)
            date = time.strftime(f"%a %b {moment.tm_mday} %H:%M:%S CUT %Y", moment)
            text = "".join(f"{date}({micro + 131 * nth:06}) {SOURCE}/{source} {number} {told}\n"
                           for nth, (source, number, told) in enumerate(entries))
            log.write(text)
            lines += text.count("\n")
            written += len(text)
            if written >= size:
                return lines
    raise AssertionError("a log goes on for ever")


def counted(path: Path) -> Dict[str, float]:
    """Our census of the file, in a process of its own: how many numbers, in how much time and memory."""
    said, wall, cpu = timed([sys.executable, "-I", "-c", CENSUS, str(AGENT), str(path)])
    numbers, kibibytes = said.split()
    return {"numbers": int(numbers), "wall_s": wall, "cpu_s": cpu, "memory_mib": int(kibibytes) / 1024}


def grepped(path: Path) -> Dict[str, float]:
    said, wall, cpu = timed(["sh", "-c", GREP, "sh", str(path)])
    return {"numbers": int(said), "wall_s": wall, "cpu_s": cpu}


def timed(argv: List[str]) -> Tuple[str, float, float]:
    """What it says, the time it takes, and the CPU of it and of all it starts."""
    before, began = os.times(), time.perf_counter()
    said = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, timeout=600).stdout.decode()
    wall, after = time.perf_counter() - began, os.times()
    return said, wall, (after.children_user + after.children_system) - (before.children_user + before.children_system)


def compare(path: Path, name: str, lines: int, rounds: int) -> Dict[str, object]:
    """They take turns, so that whatever else the machine does slows both alike."""
    pairs = [(counted(path), grepped(path)) for _ in range(rounds)]
    found = {side["numbers"] for pair in pairs for side in pair}
    if len(found) != 1:
        raise SystemExit(f"cannot compare: rmcagent and grep found {sorted(found)} numbers in the log {name!r}")
    middle = {f"{who}_{what}": round(statistics.median(pair[at][what] for pair in pairs), 2)
              for at, who in enumerate(("rmcagent", "grep")) for what in ("wall_s", "cpu_s")}
    return {"log": name, "lines": lines, "numbers": int(found.pop()), **middle,
            "times": round(middle["rmcagent_wall_s"] / middle["grep_wall_s"], 2),
            "memory_mib": round(max(ours["memory_mib"] for ours, _ in pairs), 2)}


def main(arguments: Sequence[str]) -> int:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--once", action="store_true", help="small logs, one round: does it work at all?")
    wanted.add_argument("--json", metavar="FILE", help="write the JSON there too")
    chosen = wanted.parse_args(arguments)
    size, rounds = (16 << 20, 1) if chosen.once else (512 << 20, 3)
    measured: List[Dict[str, object]] = []
    with tempfile.TemporaryDirectory(prefix="rmcagent-bench-") as folder:
        for name in LOGS:
            path = Path(folder) / "log"
            measured.append(compare(path, name, write(path, name, size), rounds))
    for line in table(measured, size, rounds):
        print(line)
    about = {"python": platform.python_version(), "mib": size >> 20, "rounds": rounds}
    text = json.dumps({**about, "logs": measured}, sort_keys=True)
    if chosen.json:
        Path(chosen.json).write_text(text + "\n", "ascii")
    print(text)
    return 0


def table(measured: List[Dict[str, object]], size: int, rounds: int) -> Iterator[str]:
    yield (f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {size >> 20} MiB each, "
           f"medians of {rounds} in turn with grep -oE | wc -l")
    yield f"  {'log':<14} {'rmcagent':>9} {'grep':>7} {'times':>6} {'CPU':>7} {'grep':>6} {'memory':>9}"
    for each in measured:
        held = [float(str(each[key])) <= mark for key, mark in MARKS.items() if key != "times" or each["log"] in MARKED]
        yield (f"  {each['log']:<14} {each['rmcagent_wall_s']:>7} s {each['grep_wall_s']:>5} s {each['times']:>6} "
               f"{each['rmcagent_cpu_s']:>5} s {each['grep_cpu_s']:>4} s {each['memory_mib']:>5} MiB"
               f"  {'marks held' if all(held) else 'NOT HELD'}")
    yield (f"  marks: at most {MARKS['times']:g} times grep's time ({', '.join(MARKED)}), and {MARKS['memory_mib']:g} MiB of "
           "memory more than at the start")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
