"""Is each rule held by a test? Removes them one by one from a copy, and shows the named test that fails for want of it.

    .venv/bin/python tests/mutants.py [-k WORD] [--jobs 2]

tests/mutants/*.yaml are the agent's rules: each with the text that makes it so, the text that removes it, and the test that must
then fail. Every guard is added to them by itself. A text that is not found exactly once, or a test that fails on unchanged code,
is an error: the table keeps up with the code. Exit 1 when a rule could be removed and nothing failed.
"""
from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import queue
import re
import shutil
import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Sequence, Tuple

import yaml

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("agent", "tests", "setup.cfg")
SECONDS = 120.0
NAMED = re.compile(r"^(?:FAILED|ERROR) tests/(\S+?)(?:\[.*)?(?: - .*)?$", re.MULTILINE)
ENDED = re.compile(r"^process (\d+): pytest ended with (-?\d+)\n", re.MULTILINE)
SURVIVED = "SURVIVED"
# Each run of pytest is forked off a process that has imported it and what it imports, which is half of the time of one.
WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload(["pytest", "hypothesis", "hypothesis.stateful", "xdist.plugin", "yaml"])


@dataclass(frozen=True)
class Mutant:
    """`old` stands once in `file` (of the package); `by` are the tests, one of which must fail without it."""

    rule: str
    file: str
    old: str
    new: str
    by: Tuple[str, ...]


@dataclass(frozen=True)
class Fate:
    mutant: Mutant
    killer: str         # a test's name; "" where none failed
    trouble: str = ""   # why it could not be tried


def main(arguments: Sequence[str]) -> int:
    wanted = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    wanted.add_argument("-k", metavar="WORD", default="", help="only the rules with this word in them, or in their file's name")
    wanted.add_argument("--jobs", type=int, default=2)
    asked = wanted.parse_args(arguments)
    mutants = [mutant for mutant in the_mutants() if asked.k in f"{mutant.rule} {mutant.file}"]
    if not mutants:
        print("no rule has that word")
        return 1
    os.environ.update(CI="1", COLUMNS="300")        # before anything is forked: hypothesis asks for CI when it is imported
    with tempfile.TemporaryDirectory(prefix="rmcagent-mutants-") as folder:
        copies = [copied(Path(folder) / "1")]
        wrong = unchanged(copies[0], mutants)
        if wrong:
            print(wrong)
            return 1
        copies += [shutil.copytree(copies[0], Path(folder) / str(number)) for number in range(2, asked.jobs + 1)]
        fates = []
        for fate in tried(mutants, copies):
            fates.append(fate)
            print(f"{fate.mutant.rule:<86.86} {fate.trouble or fate.killer or SURVIVED}", flush=True)
    lost = [fate for fate in fates if not fate.killer]
    print(f"{len(fates)} rules, {len(lost)} without a test")
    return 1 if lost else 0


# -- the table


def the_mutants() -> Iterator[Mutant]:
    yield from each_guard()
    for path in sorted((ROOT / "tests" / "mutants").glob("*.yaml")):
        for row in yaml.safe_load(path.read_text("utf-8")):
            by = row["by"] if isinstance(row["by"], list) else [row["by"]]
            yield Mutant(row["rule"], row["file"], row["old"], row["new"], tuple(by))


def each_guard() -> Iterator[Mutant]:
    """A guard that never speaks, for every guard there is; a new one needs no row."""
    sys.path.insert(0, str(ROOT / "agent"))
    from rmcagent.reason import guards

    for guard in (*guards.GUARDS, guards.splayed):
        head = f"def {guard.__name__}(case: Case) -> Tuple[Refusal, ...]:\n"
        by = ("test_guards.py::test_splay_begins_when_nothing_else_holds_the_remedy_and_ends" if guard is guards.splayed
              else "test_guards.py::test_each_guard_alone_holds")
        yield Mutant(f"guard {guard.__name__}", "reason/guards.py", head, f"{head}    return ()\n", (by,))


# -- trying


def copied(folder: Path) -> Path:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            shutil.copy2(source, folder / name)
    return folder


def unchanged(copy: Path, mutants: Sequence[Mutant]) -> str:
    """What is wrong with the table itself: a test that it names is not there, or fails although nothing was removed."""
    code, said = pytest(copy, sorted({test for mutant in mutants for test in mutant.by}), 10 * SECONDS, bytecode=True)
    return "" if code == 0 else f"cannot begin: these tests fail on unchanged code\n{said[-3000:]}"


def tried(mutants: Sequence[Mutant], copies: Sequence[Path]) -> Iterator[Fate]:
    free: queue.Queue[Path] = queue.Queue()
    for copy in copies:
        free.put(copy)

    def one(mutant: Mutant) -> Fate:
        copy = free.get()
        try:
            return fate_of(mutant, copy)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(copies)) as pool:
        yield from pool.map(one, mutants)


def fate_of(mutant: Mutant, copy: Path) -> Fate:
    path = copy / "agent" / "rmcagent" / mutant.file
    text = path.read_text("utf-8")
    if text.count(mutant.old) != 1 or mutant.old == mutant.new:
        return Fate(mutant, "", f"cannot apply: found {text.count(mutant.old)} times in {mutant.file}: {mutant.old[:60]!r}")
    try:
        path.write_text(text.replace(mutant.old, mutant.new), "utf-8")
        return judged(mutant, *pytest(copy, mutant.by, SECONDS))
    finally:
        path.write_text(text, "utf-8")


def judged(mutant: Mutant, code: int, said: str) -> Fate:
    if code == 0:
        return Fate(mutant, "")
    found = NAMED.search(said)
    if code != 1 or found is None:
        told: List[str] = ENDED.sub("", said).strip().splitlines()[-1:]
        return Fate(mutant, "", f"cannot judge: pytest ended with {code}: {' '.join(told)[:160]}")
    return Fate(mutant, found.group(1).rpartition("::")[2])


def pytest(copy: Path, tests: Sequence[str], seconds: float, bytecode: bool = False) -> Tuple[int, str]:
    """Its exit code, and what it said; the first failure ends it. Bytecode is written of unchanged code only: it may be of the
    same size and second."""
    said = copy / "said"
    said.write_text("")
    process = WARM.Process(target=run_in, args=(copy, tests, said, bytecode))
    process.start()
    process.join(seconds)
    late = process.is_alive()
    with contextlib.suppress(ProcessLookupError):
        assert process.pid
        os.killpg(process.pid, signal.SIGKILL)          # and what a rule that was removed left running
    process.join()
    text = said.read_text("utf-8", "replace")
    codes = [int(code) for pid, code in ENDED.findall(text) if int(pid) == process.pid]
    if late or not codes:
        return -1, f"it did not end within {seconds:.0f} s" if late else f"{text}\nexit {process.exitcode} before pytest ended"
    return codes[0], text


def run_in(copy: Path, tests: Sequence[str], said: Path, bytecode: bool) -> None:
    """Be pytest in that folder. Nothing of the agent or of its tests may have been imported."""
    os.setsid()
    imported = sorted(name for name in sys.modules if name.partition(".")[0] == "rmcagent")
    sys.path[:] = [str(copy), *(place for place in sys.path if Path(place).resolve() not in (ROOT / "agent", ROOT / "tests"))]
    os.chdir(copy)
    output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for number, where in ((0, os.open(os.devnull, os.O_RDONLY)), (1, output), (2, output)):
        os.dup2(where, number)
    sys.dont_write_bytecode = not bytecode
    os.environ["PYTHONDONTWRITEBYTECODE"] = "" if bytecode else "1"
    if imported:
        print(f"cannot try: {imported[0]} was imported before")
        code = -1
    else:
        import pytest

        code = pytest.main(["-x", "-q", "-n", "0", "-m", "", "-p", "no:cacheprovider", "--tb=no", "--assert=plain",
                            f"--basetemp={copy}t",    # what two runs share, each would clear away under the other
                            *(f"tests/{test}" for test in tests)])
    # A process's own code may be read by another thread; and what a rule that was removed forked may come here, too.
    print(f"\nprocess {os.getpid()}: pytest ended with {code:d}", flush=True)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
