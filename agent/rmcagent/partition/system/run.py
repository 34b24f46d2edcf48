"""The one gate for commands: reading ones are bounded and killed whole, changing ones are waited for."""
from __future__ import annotations

import errno
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from rmcagent.model import Answer

if TYPE_CHECKING:
    from subprocess import Popen

PATH = "/usr/bin:/usr/sbin:/etc:/usr/ucb:/usr/sbin/rsct/bin:/opt/rsct/bin:/bin:/sbin"
MOST_ABANDONED = 8           # commands stuck in the kernel; beyond that we would only add to the heap
MOST_FILES = 2048
KEPT_OF_CHANGE = 64 << 10
LINGER_SECONDS = 0.2         # for what is left in a pipe that a grandchild keeps open
REAP_SECONDS = 1.0
POLL_SECONDS = 0.05
TRIM_SECONDS = 1.0
WATCH_SECONDS = 1.0
MARK = "RMCAGENT_ASKED"      # in a reading command's environment, with a word of its own: what it leaves behind carries it
MOST_ENVIRONMENT = 64 << 10
LINUX = sys.platform.startswith("linux")
CANNOT_RUN = 126             # a shell's own code for a file that is there and cannot be run
ID_LENGTH = 120
ID_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:,=+-")


class Runner:
    """Runs reading commands; owns the ones that could not be killed. When `lost` says so, none is waited for any longer."""

    def __init__(self) -> None:
        if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
            # Whoever started us handed that down: no exit code would ever be told, and each would pass for 0.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._stuck: List[Popen[bytes]] = []
        self.lost: Callable[[], bool] = lambda: False

    def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
        """Run a reading command: own process group, clean environment, killed whole after `timeout` seconds."""
        began = time.monotonic()
        refusal = self._refusal(argv)
        if refusal:
            return _unreadable(argv, began, refusal)
        mark = os.urandom(8).hex() if LINUX else ""        # elsewhere nobody can read it again
        try:
            process = _start(argv, mark=mark)
        except OSError as problem:
            return _not_started(argv, began, problem)
        talk = _Talk(process, keep)
        try:
            talk.listen(began + timeout, self.lost)
        finally:
            # A signal handler that raises must not leave a command behind either.
            if not talk.over:
                # What an orderly end leaves behind, outside its session, may be there on purpose.
                _kill(process.pid, mark if talk.cut or not talk.exited else "")
            talk.close()
            self._reap(process)
        return talk.answer(argv, began)

    @property
    def abandoned(self) -> int:
        """How many commands still hang in the kernel, unkillable."""
        self._stuck = [process for process in self._stuck if process.poll() is None]
        return len(self._stuck)

    def _refusal(self, argv: Sequence[str]) -> str:
        if not argv or not os.path.isabs(argv[0]):
            return f"cannot run {argv[0] if argv else 'nothing'}: give its absolute path"
        if any("\0" in word for word in argv):
            return f"cannot run {argv[0]!r}: an argument holds a NUL byte"
        if self._stuck and self.abandoned >= MOST_ABANDONED:
            return f"cannot run {argv[0]}: {MOST_ABANDONED} earlier commands hang in the kernel and do not die"
        return ""

    def _reap(self, process: Popen[bytes]) -> None:
        from subprocess import TimeoutExpired

        try:
            process.wait(REAP_SECONDS)
        except TimeoutExpired:
            self._stuck.append(process)


def change(argv: Sequence[str], timeout: float, on_late: Callable[[], None], on_start: Callable[[int], None],
           heard: bool = True) -> Answer:
    """Run a changing command to its own end, however long that takes; past `timeout` seconds `on_late` is told, once.

    What it says goes to an unlinked file, not to a pipe: daemons it starts may inherit that and keep it open for ever. One that
    is not `heard` says it to nobody.
    """
    from subprocess import DEVNULL, TimeoutExpired

    began = time.monotonic()
    file = _scratch() if heard else None
    try:
        try:
            process = _start(argv, DEVNULL if file is None else file)
        except OSError as problem:
            return _not_started(argv, began, problem)
        on_start(process.pid)
        late = False
        while process.returncode is None:
            try:
                process.wait(TRIM_SECONDS if late else max(0.0, min(TRIM_SECONDS, began + timeout - time.monotonic())))
            except TimeoutExpired:
                _trim(file)
                if not late and time.monotonic() >= began + timeout:
                    late = True
                    on_late()
        said = _said(file)
    finally:
        if file is not None:
            os.close(file)
    return _answer(argv, began, _ending(process.returncode), said[:KEPT_OF_CHANGE], cut=len(said) > KEPT_OF_CHANGE)


def environment() -> Dict[str, str]:
    """All that a command is told: no CT_CONTACT may send it to another host, no LIBPATH to other libraries."""
    told = {"PATH": PATH, "LC_ALL": "C", "LANG": "C", "ODMDIR": "/etc/objrepos"}
    zone = os.environ.get("TZ")
    return {**told, "TZ": zone} if zone else told


def answer_id(argv: Sequence[str]) -> str:
    """The file name of an answer in a bundle: `lssrc-a`, `rmcdomainstatus-s-ctrmc`, `lsrsrc-IBM.MCP`."""
    words = [os.path.basename(argv[0]), *(word.lstrip("-") for word in argv[1:])] if argv else ["nothing"]
    joined = "-".join(word for word in words if word)
    return "".join(letter if letter in ID_LETTERS else "_" for letter in joined[:ID_LENGTH])


def limit_files() -> None:
    """Lower the soft limit of open files: without /proc/self/fd (AIX) every start of a child closes that many one by one."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft > MOST_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES, hard))


class _Talk:
    """A running command's two pipes, read without ever waiting for more than its end."""

    def __init__(self, process: Popen[bytes], keep: int) -> None:
        from selectors import EVENT_READ, DefaultSelector

        self.process = process
        self.keep = keep
        self.heard: Dict[int, bytearray] = {}
        self.selector = DefaultSelector()
        self.cut = self.timed_out = self.exited = False
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self.heard[pipe.fileno()] = bytearray()
                self.selector.register(pipe.fileno(), EVENT_READ)

    @property
    def over(self) -> bool:
        """True when the command ended by itself and nobody holds its pipes."""
        return self.exited and not self.selector.get_map()

    def listen(self, deadline: float, lost: Callable[[], bool]) -> None:
        """Read until the command has ended, said too much or run out of time, or its answer matters no more."""
        watched_at = time.monotonic()
        while not self.over and not self.cut:
            now = time.monotonic()
            if now - watched_at >= WATCH_SECONDS:
                watched_at = now
                if lost():
                    return
            if not self.exited and _has_exited(self.process):
                self.exited = True
                deadline = min(deadline, now + LINGER_SECONDS)
            elif now >= deadline:
                self.timed_out = not self.exited
                return
            if not self.over:
                self._hear(max(0.0, min(POLL_SECONDS, deadline - now)))

    def _hear(self, seconds: float) -> None:
        if not self.selector.get_map():
            time.sleep(min(seconds, POLL_SECONDS / 10))   # it closed both pipes and is about to end
            return
        for key, _ in self.selector.select(seconds):
            try:
                said = os.read(key.fd, 1 << 16)
            except BlockingIOError:
                continue
            if not said:
                self.selector.unregister(key.fd)
            room = self.keep - len(self.heard[key.fd])
            self.heard[key.fd] += said[:room]
            self.cut = self.cut or len(said) > room

    def close(self) -> None:
        self.selector.close()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def answer(self, argv: Sequence[str], began: float) -> Answer:
        stdout, stderr = (bytes(heard) for heard in self.heard.values())
        code = _ending(self.process.returncode) if self.exited else None
        # 127 is what a script says whose own interpreter or tool is missing: no answer of RSCT's.
        return _answer(argv, began, code, stdout, stderr, self.timed_out or code in (CANNOT_RUN, 127), self.cut)


def _start(argv: Sequence[str], output: Optional[int] = None, mark: str = "") -> Popen[bytes]:
    from subprocess import DEVNULL, PIPE, Popen

    to = PIPE if output is None else output
    told = {**environment(), MARK: mark} if mark else environment()
    return Popen(list(argv), stdin=DEVNULL, stdout=to, stderr=to, cwd="/", env=told, start_new_session=True, umask=0o022)


def _has_exited(process: Popen[bytes]) -> bool:
    """Whether it ended, leaving it unreaped where the system can: until then its process group's number is nobody else's."""
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _kill(leader: int, mark: str = "") -> None:
    """Kill a command, its group and all that can be found of its descendants and of those who carry its mark."""
    for _ in range(3):       # what forked while we looked is found the next time
        found = (_family(leader) | _marked(mark)) - {leader}
        for pid in found:
            _send(os.kill, pid)
        _send(os.killpg, leader)
        if not found:
            return


def _send(how: Callable[[int, int], None], pid: int) -> None:
    try:
        how(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _family(leader: int) -> Set[int]:
    """The descendants of `leader` and all members of its session that still run."""
    table = _processes_linux() if LINUX else _processes_ps()
    found = {leader}
    grew = True
    while grew:
        more = {pid for pid, (parent, session) in table.items() if pid not in found and (parent in found or session == leader)}
        found |= more
        grew = bool(more)
    return found


def _marked(mark: str) -> Set[int]:
    """Who carries the mark; a daemon of two forks has no other tie to the command that left it behind."""
    wanted = f"{MARK}={mark}".encode("ascii")
    return {pid for pid in _numbers_linux() if wanted in _environment_of(pid).split(b"\0")} if mark else set()


def _environment_of(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/environ", "rb") as environ:
            return environ.read(MOST_ENVIRONMENT)
    except OSError:
        return b""           # ended meanwhile, or not ours to read


def _numbers_linux() -> List[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _processes_linux() -> Mapping[int, Tuple[int, int]]:
    table: Dict[int, Tuple[int, int]] = {}
    for pid in _numbers_linux():
        fields = process_fields(pid)
        if fields and fields[0] not in "ZX":
            table[pid] = (int(fields[1]), int(fields[3]))
    return table


def process_fields(pid: int) -> Tuple[str, ...]:
    """The fields of Linux's /proc/PID/stat after the name: state, parent, group, session ...; () when there are none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return tuple(stat.read(4096).rpartition(b")")[2].decode("ascii", "replace").split())
    except OSError:
        return ()


def _processes_ps() -> Mapping[int, Tuple[int, int]]:
    """The same from ps, whose own runaway is left to its process group. No session there: a lost orphan stays lost."""
    from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired

    table: Dict[int, Tuple[int, int]] = {}
    try:
        with Popen(["/usr/bin/ps", "-A", "-o", "pid=", "-o", "ppid="], stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, cwd="/",
                   env=environment()) as ps:
            try:
                said = ps.communicate(timeout=5)[0]
            except TimeoutExpired:
                ps.kill()
                return table
    except OSError:
        return table
    for line in said.splitlines():
        words = line.split()
        if len(words) == 2 and words[0].isdigit() and words[1].isdigit():
            table[int(words[0])] = (int(words[1]), -1)
    return table


def _scratch() -> Optional[int]:
    """An unlinked file to hear a command by; None on a full disk, where the command runs unheard."""
    import fcntl
    import tempfile

    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        try:
            number, path = tempfile.mkstemp(prefix="rmcagent-", dir=folder)
        except OSError:
            continue
        os.unlink(path)
        fcntl.fcntl(number, fcntl.F_SETFL, fcntl.fcntl(number, fcntl.F_GETFL) | os.O_APPEND)   # so that it can be trimmed
        return number
    return None


def _trim(heard: Optional[int]) -> None:
    """Keep the beginning of what a flooding command says, and the disk free."""
    if heard is None:
        return
    try:
        if os.fstat(heard).st_size > 16 * KEPT_OF_CHANGE:
            os.ftruncate(heard, KEPT_OF_CHANGE + 1)
    except OSError:
        pass                 # unheard then, but not unfinished


def _said(heard: Optional[int]) -> bytes:
    """Its beginning; the file is emptied then, for a daemon that the command started may hold it for ever."""
    if heard is None:
        return b""
    try:
        os.lseek(heard, 0, os.SEEK_SET)
        said = os.read(heard, KEPT_OF_CHANGE + 1)
        os.ftruncate(heard, 0)
    except OSError:
        return b""
    return said


def _ending(returncode: Optional[int]) -> Optional[int]:
    return returncode if returncode is None or returncode >= 0 else 128 - returncode


def _not_started(argv: Sequence[str], began: float, problem: OSError) -> Answer:
    """Missing only when there is nothing at all at that path: a dangling link or a lost interpreter is no answer."""
    if problem.errno in (errno.ENOENT, errno.ENOTDIR) and not os.path.lexists(argv[0]):
        now = time.monotonic()
        return Answer(answer_id(argv), stderr=f"cannot run {argv[0]}: no such file", missing=True, ended_at=now, took=now - began)
    return _unreadable(argv, began, f"cannot run {argv[0]}: {problem.strerror or problem}")


def _unreadable(argv: Sequence[str], began: float, because: str) -> Answer:
    return _answer(argv, began, CANNOT_RUN, b"", because.encode("utf-8", "replace"), timed_out=True)


def _answer(argv: Sequence[str], began: float, code: Optional[int], stdout: bytes, stderr: bytes = b"", timed_out: bool = False,
            cut: bool = False) -> Answer:
    now = time.monotonic()
    return Answer(answer_id(argv), code, stdout.decode("utf-8", "replace"), stderr.decode("utf-8", "replace"), timed_out, cut,
                  ended_at=now, took=now - began)
