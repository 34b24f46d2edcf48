"""The helper that outlives the daemon: begins, performs and writes down a deed's steps, and tells how far it came.

In the state folder each attempt has deed-N.json (what is to be done), deed-N.lock (held while its helper lives) and
deed-N.jsonl (what was done, a line an event). Where the folder is "", there are none of these.
"""
from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple

import rmcagent
from rmcagent.frozen import asdict
from rmcagent.model import Answer, Deed, Progress, Remedy, Step
from rmcagent.partition.system.run import change, environment
from rmcagent.partition.system.started import Age, start_time, still_runs
from rmcagent.partition.system.written import Written

if TYPE_CHECKING:
    from rmcagent.partition.system.unwritten import Unwritten

START_SECONDS = 10.0
RETRY_SECONDS = (2.0, 10.0)  # between the tries of one step: the first pause, doubled up to the second
MOST_READ = 1 << 20
HELD = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK)    # AIX says EACCES where others say EAGAIN
SYSTEMD_RUN = "/usr/bin/systemd-run"
# One expression: of a semicolon in it systemd 252 writes a unit that it complains of itself at its next reload.
BOOT = ("[sys := __import__('sys'), sys.path.insert(0, sys.argv[1]), "
        "__import__('rmcagent.partition.system.perform', fromlist=['helper']).helper(sys.argv[2:])]")

Run = Callable[[Sequence[str], float], Answer]


def begin(deed: Deed, folder: str, run: Run, age: Age = lambda pid: None) -> None:
    """Start a helper for `deed` and return when it holds its lock; raise OSError when it does not, and never will."""
    if not folder:
        return _unwritten().begin(deed, run, age)
    folder = os.path.abspath(folder)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    before = progress(deed.attempt, folder, age)
    if before is not None and before.alive:
        raise OSError(errno.EBUSY, f"cannot begin attempt {deed.attempt}: its helper still runs")
    forget(deed.attempt, folder)
    try:
        _write(_path(folder, deed.attempt, "json"), json.dumps(asdict(deed)).encode())
        _write(_path(folder, deed.attempt, "lock"), b"")
    except OSError:
        forget(deed.attempt, folder)
        raise
    answer = run(command(deed.attempt, folder, str(deed.attempt))[0], START_SECONDS)
    if (answer.exit_code == 0 and _awaited(deed.attempt, folder)) or not _withdrawn(deed.attempt, folder):
        return
    said = (answer.stderr.strip().splitlines() or ["it said nothing"])[-1][:200]
    raise OSError(errno.EIO, f"cannot begin attempt {deed.attempt}: its helper did not start: {said}")


def progress(attempt: int, folder: str, age: Age = lambda pid: None) -> Optional[Progress]:
    """What the helper of `attempt` wrote down, and whether it, or the command it ran, still runs."""
    if not folder:
        return _unwritten().progress(attempt, age)
    if not os.path.exists(_path(folder, attempt, "json")):
        return None
    # The lock first: a helper that ends meanwhile has written its last line by then.
    held = _is_held(_path(folder, attempt, "lock"))
    lines = _lines(_path(folder, attempt, "jsonl"))
    seen = Written(time.monotonic())
    for line in lines:
        seen.take(line)
    alive = held or (not seen.done and still_runs(seen.command, age))
    notes = {**seen.notes, **(seen.late() if alive else {})}
    return Progress(attempt, alive, seen.done, tuple(seen.steps), tuple(seen.failed()), notes, seen.ended_at)


def forget(attempt: int, folder: str) -> None:
    """Remove what a helper that has ended wrote; its archive stays."""
    if not folder:
        return _unwritten().forget(attempt)
    if _is_held(_path(folder, attempt, "lock")):
        return
    for kind in ("json", "jsonl", "lock"):
        try:
            os.unlink(_path(folder, attempt, kind))
        except OSError:
            pass             # gone already, or no longer to be written: whoever needs the name finds it taken


def helper(argv: Sequence[str]) -> None:
    """Perform the deed named by (folder, attempt) to its end; a third word says that somebody else made us a daemon.

    Without a folder the second word is the deed itself.
    """
    folder = argv[0]
    _load()
    _deafen()
    if len(argv) < 3:
        _part()
    os.umask(0o077)
    if not folder:
        from rmcagent.partition.system.unwritten import told

        return told(argv[1])
    attempt = int(argv[1])
    lock = _taken_within(_path(folder, attempt, "lock"), START_SECONDS)
    deed = None if lock is None else _deed(folder, attempt)
    if deed is None:
        raise SystemExit(1)  # withdrawn, or somebody else's
    perform(deed, folder)


def perform(deed: Deed, folder: str) -> None:
    """Take the steps in the order that act gives them, and write each down."""
    from rmcagent.partition.act import performing
    from rmcagent.partition.system import restart
    from rmcagent.partition.system.archive import Archive
    from rmcagent.partition.system.run import Runner

    notes = Notes(_path(folder, deed.attempt, "jsonl") if folder else "")
    notes.write(helper=os.getpid())
    run = Runner().run
    archive = Archive(folder, deed.attempt, run, notes.note)

    def own(step: Step) -> Answer:
        return restart.take(step, run) if step.argv[0] in restart.VERBS else archive.take(step)

    steps = performing(deed)
    try:
        step = next(steps)
        while True:
            notes.write(begin=step.name)
            step = steps.send(own(step) if step.argv[0].startswith("@") else _insisting(step, notes))
    except StopIteration as end:
        notes.write(done=True, failed=list(end.value))


class Notes:
    """The helper's lines; a full disk loses lines, never steps."""

    def __init__(self, path: str) -> None:
        self._torn = False
        self._number: Optional[int] = None
        try:
            self._number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError:
            pass             # as above: the deed goes on unwritten

    def note(self, name: str, value: str) -> None:
        self.write(notes={name: value})

    def write(self, **line: Any) -> None:
        if self._number is None:
            return
        text = json.dumps({**line, "at": time.monotonic()}).encode() + b"\n"
        text = b"\n" + text if self._torn else text
        try:
            self._torn = os.write(self._number, text) != len(text)
            os.fsync(self._number)
        except OSError:
            self._torn = True


def _insisting(step: Step, notes: Notes) -> Answer:
    """The answer of a changing command, tried again where the step allows; without tenacity it has one try."""
    try:
        from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_exponential
    except ImportError:
        return _once(step, notes)
    first, longest = RETRY_SECONDS
    retrying = Retrying(
        stop=stop_after_attempt(max(1, step.tries)),
        wait=wait_exponential(multiplier=first, max=longest),
        retry=retry_if_result(lambda answer: answer.exit_code != 0 and not answer.missing),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    answer: Answer = retrying(_once, step, notes)
    return answer


def _once(step: Step, notes: Notes) -> Answer:
    def started(pid: int) -> None:
        notes.write(pid=pid, started=start_time(pid), wall=time.time(), timeout=step.timeout)

    answer = change(step.argv, step.timeout, lambda: None, started)
    notes.write(end=step.name, exit=answer.exit_code, took=round(answer.took, 3))
    return answer


def _lines(path: str) -> List[Dict[str, Any]]:
    """The events written, without any line that a crash or a full disk has torn."""
    try:
        with open(path, "rb") as opened:
            rows = opened.read(MOST_READ).splitlines()
    except OSError:
        return []
    lines = []
    for row in rows:
        try:
            line = json.loads(row)
        except ValueError:
            continue
        if isinstance(line, dict):
            lines.append(line)
    return lines


def _unwritten() -> Unwritten:
    from rmcagent.partition.system.unwritten import UNWRITTEN

    return UNWRITTEN


def _deed(folder: str, attempt: int) -> Optional[Deed]:
    try:
        with open(_path(folder, attempt, "json"), "rb") as opened:
            return deed_from(opened.read(MOST_READ).decode("ascii"))
    except (OSError, ValueError):
        return None


def deed_from(text: str) -> Optional[Deed]:
    try:
        told = json.loads(text)
        steps = tuple(Step(**{**step, "argv": tuple(step["argv"])}) for step in told["steps"])
        return Deed(told["attempt"], Remedy(told["remedy"]), steps)
    except (ValueError, KeyError, TypeError):
        return None


def command(attempt: int, folder: str, told: str) -> Tuple[Tuple[str, ...], str]:
    """What starts a helper, and its unit: under systemd one of its own, so that a stop of ours does not stop the remedy."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(rmcagent.__file__)))
    own = (sys.executable, "-I", "-B", "-X", "utf8", "-c", BOOT, root, folder, told)
    if not _in_unit():
        return own, ""
    zone = [f"--setenv=TZ={environment()['TZ']}"] if "TZ" in environment() else []
    unit = f"rmcagent-remedy-{attempt}-{os.getpid():x}{time.monotonic_ns():x}"
    return (SYSTEMD_RUN, "--quiet", "--collect", f"--unit={unit}", "--property=KillMode=process",
            "--property=StandardOutput=null", "--property=StandardError=null", *zone, "--", *own, "stay"), f"{unit}.service"


def _in_unit() -> bool:
    return "INVOCATION_ID" in os.environ and os.path.isdir("/run/systemd/system") and os.path.exists(SYSTEMD_RUN)


def _awaited(attempt: int, folder: str) -> bool:
    """Wait until the helper holds its lock, or has held it and is done."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        seen = progress(attempt, folder)
        if seen is not None and (seen.alive or seen.done):
            return True
        time.sleep(0.01)
    return False


def _withdrawn(attempt: int, folder: str) -> bool:
    """Take the deed back under its own lock, so that a helper that is merely late finds none; False when it has begun."""
    lock = _taken(_path(folder, attempt, "lock"))
    if lock is None:
        return False
    try:
        if _lines(_path(folder, attempt, "jsonl")):
            return False     # begun, and already over
        os.unlink(_path(folder, attempt, "json"))
        return True
    finally:
        os.close(lock)


def _load() -> None:
    """Import all that a helper may need while its files are surely there: the package may be removed under it."""
    from importlib import import_module

    for name in ("selectors", "subprocess", "shutil", "tarfile", "tempfile"):
        import_module(name)
    for name in ("act", "host", "system.archive", "system.restart", "system.unwritten"):
        import_module(f"rmcagent.partition.{name}")
    try:
        import_module("tenacity")
    except ImportError:
        pass                 # one try each, then


def _deafen() -> None:
    """Survive what stops the daemon. By handlers, not by ignoring: the commands must not inherit deafness."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _part() -> None:
    """Become nobody's child, in a session of our own, and let go of the starter's pipes; it is told our new number.

    It is told only then: until we have left its session, whatever stops that stops us.
    """
    null, starter = os.open(os.devnull, os.O_RDWR), os.dup(1)
    for number in (0, 1, 2):
        os.dup2(null, number)
    parted, parting = os.pipe()
    if os.fork():
        os.close(parting)
        os.write(starter, os.read(parted, 32))
        os._exit(0)
    os.setsid()
    os.write(parting, b"%d\n" % os.getpid())
    for number in (null, starter, parted, parting):
        os.close(number)


def _taken_within(path: str, seconds: float) -> Optional[int]:
    """The lock's file number; the daemon asks for it now and then, so one refusal says little."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        number = _taken(path)
        if number is not None:
            return number
        time.sleep(0.01)
    return None


def _taken(path: str) -> Optional[int]:
    """An open lock file, locked; None when another process holds it, or it is gone."""
    try:
        number = _opened(path)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        os.close(number)
        if problem.errno in HELD:
            return None
        raise
    return number


def _opened(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR)
    except OSError as problem:
        if problem.errno != errno.EROFS:
            raise
        return os.open(path, os.O_RDONLY)    # Linux locks that as well


def _is_held(path: str) -> bool:
    if not os.path.exists(path):
        return False
    number = _taken(path)
    if number is not None:
        os.close(number)
    return number is None


def _write(path: str, content: bytes) -> None:
    """Durably, or raise OSError: nothing is begun that could not be read back."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if os.write(number, content) != len(content):
            raise OSError(errno.ENOSPC, f"cannot write {path}: the disk is full")
        os.fsync(number)
    finally:
        os.close(number)


def _path(folder: str, attempt: int, kind: str) -> str:
    return os.path.join(folder, f"deed-{attempt}.{kind}")
