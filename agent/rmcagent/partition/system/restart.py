"""What a helper does itself to a program that SRC does not know: end it by its name, start it, wait for its socket."""
from __future__ import annotations

import os
import signal
import time
from typing import Callable, List, Optional, Sequence, Set, Tuple

from rmcagent.model import Answer, Step
from rmcagent.partition.host import INTERPRETERS
from rmcagent.partition.system.run import CANNOT_RUN, change

VERBS = ("@end", "@start", "@wait")
PS = "/usr/bin/ps"
PS_SECONDS = 5.0
POLL_SECONDS = 0.2
KILLS = 3                    # rounds of SIGKILL: what was started while we looked is found the next time
KILLED_SECONDS = 1.0         # between them

Run = Callable[[Sequence[str], float], Answer]


def take(step: Step, run: Run) -> Answer:
    """Do one step; whatever hinders it is a failing answer, without an answer of ps's one that says so (`timed_out`)."""
    began = time.monotonic()
    verb, *words = step.argv
    try:
        if verb == "@start":
            return _start(words, step.timeout)
        because = _end(words, step.timeout, run) if verb == "@end" else _wait(words[0], step.timeout)
    except _Unlisted:
        return _answer(verb, began, CANNOT_RUN, "cannot list the processes, so none was ended; make ps answer", timed_out=True)
    except (OSError, IndexError) as problem:
        because = str(problem)
    return _answer(verb, began, 1 if because else 0, because)


class _Unlisted(Exception):
    """The processes could not be listed, and none was signalled."""


def _end(names: Sequence[str], seconds: float, run: Run) -> str:
    """Why some still run; "" when none does. Those that appear meanwhile are ended too: one of them may start another."""
    asked: Set[int] = set()
    deadline = time.monotonic() + seconds
    left = named(names, run)
    if left is None:
        raise _Unlisted
    while left != set() and time.monotonic() < deadline:
        for pid in sorted((left or set()) - asked):
            if _signal(pid, signal.SIGTERM, names, run):
                asked.add(pid)
        time.sleep(POLL_SECONDS)
        left = named(names, run)
    for _ in range(KILLS):
        if left == set():
            return ""
        for pid in sorted(left or ()):
            _signal(pid, signal.SIGKILL, names, run)
        time.sleep(KILLED_SECONDS)
        left = named(names, run)
    if left is None:
        return f"cannot tell whether {' and '.join(names)} ended: make ps answer"
    numbers = ", ".join(map(str, sorted(left)))
    return f"cannot end {' and '.join(names)}: {numbers} outlived SIGKILL, or others start them" if left else ""


def named(names: Sequence[str], run: Run) -> Optional[Set[int]]:
    """The numbers of our own user's processes (root's) that run a program or a script of exactly such a name; None: could
    not tell."""
    rows = _own(run)
    return None if rows is None else {int(row[0]) for row in rows if any(_is(name, row[1:]) for name in names)}


def running(names: Sequence[str], run: Run) -> Optional[Tuple[str, ...]]:
    """Those of the names that `named` would find; None: could not tell."""
    rows = _own(run)
    return None if rows is None else tuple(name for name in names if any(_is(name, row[1:]) for row in rows))


def _own(run: Run) -> Optional[List[List[str]]]:
    """For each process of our own user but init and ourselves: its number, the kernel's name for it, its command and so on."""
    answer = run((PS, "-u", str(os.geteuid()), "-o", "pid=", "-o", "comm=", "-o", "args="), PS_SECONDS)
    if answer.exit_code != 0 or answer.cut:
        return None
    rows = (line.split(None, 4) for line in answer.stdout.splitlines())
    return [row for row in rows if row and row[0].isdigit() and int(row[0]) not in (0, 1, os.getpid())]


def _is(name: str, words: Sequence[str]) -> bool:
    """Of (the kernel's name for it, its command, first argument ...): whether both tell of that program, or of an interpreter
    whose script it is. The name in an option's place, or among a script's arguments, is nobody's own."""
    if len(words) < 2:
        return False
    known, command = os.path.basename(words[0]), os.path.basename(words[1])
    if command == name:
        return known == name
    # By a script's first line Linux knows it by the script's name, AIX by the interpreter's [my inference].
    interprets = command in INTERPRETERS or command.rstrip("0123456789.") in INTERPRETERS
    return interprets and known in (name, command) and len(words) > 2 and os.path.basename(words[2]) == name


def _signal(pid: int, number: int, names: Sequence[str], run: Run) -> bool:
    """Whether it was sent. The name is asked for again just before: another process may have got the number meanwhile."""
    if pid not in (named(names, run) or ()):
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False         # ended by itself
    return True


class _StaysInTheForeground(Exception):
    """The command has not ended in its time, and is no command one waits for."""


def _start(argv: Sequence[str], seconds: float) -> Answer:
    began = time.monotonic()

    def late() -> None:
        raise _StaysInTheForeground

    try:
        # Unheard: what stays would write into our file for ever, and nobody would trim that.
        return change(argv, seconds, late, lambda pid: None, heard=False)
    except _StaysInTheForeground:
        return _answer("@start", began, 0)


def _wait(path: str, seconds: float) -> str:
    """Why it is not there; "" when it is."""
    deadline = time.monotonic() + seconds
    while not os.path.exists(path):
        if time.monotonic() >= deadline:
            return f"cannot find {path} after {seconds:g} seconds"
        time.sleep(POLL_SECONDS)
    return ""


def _answer(verb: str, began: float, code: int, because: str = "", timed_out: bool = False) -> Answer:
    now = time.monotonic()
    return Answer(verb.lstrip("@"), code, stderr=because, timed_out=timed_out, ended_at=now, took=now - began)
