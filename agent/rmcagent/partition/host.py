"""The seam between the agent and the machine: the Host protocol and SystemHost, which is the machine itself."""
from __future__ import annotations

import os
import stat
import sys
import time
from datetime import timedelta
from typing import Callable, Dict, List, Mapping, Optional, Protocol, Sequence, Set, Tuple

from rmcagent.frozen import dataclass
from rmcagent.model import Answer, Deed, Progress, Space, Vitals
from rmcagent.partition.system.run import Runner, answer_id, limit_files, process_fields

__all__ = ("FileStat", "Host", "SystemHost", "answer_id", "limit_files")

MOST_LISTED = 256
MOST_WALKED = 4096           # of a pattern, before sorting
ASK_SECONDS = 5.0            # for uname, who and ps, where there is no /proc
IDENTITY_SECONDS = 600.0     # how long a costly identity is taken as still true: a migration changes it under us
DEVICE_TREES = ("/proc/device-tree", "/sys/firmware/devicetree/base")
INTERPRETERS = ("sh", "ksh", "ksh93", "bash", "dash", "perl", "python", "env")
LINUX = sys.platform.startswith("linux")
AIX = sys.platform.startswith("aix")
BORN_SLACK = 0 if LINUX else 2       # ps counts whole seconds


@dataclass(frozen=True)
class FileStat:
    """A log file as listed; `device` and `inode` tell a replaced file from a grown one."""

    path: str
    size: int
    device: int
    inode: int


class Host(Protocol):
    """Everything the agent can ask of a partition or do to it. Nothing here raises for what it cannot see."""

    def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
        """Run a reading command: own process group, clean environment, killed whole after `timeout` seconds,
        at most `keep` bytes kept of each stream."""

    def watch(self, pids: Sequence[int]) -> None:
        """From now on no reading command is waited for once one of these processes has ended: it is killed like one past
        its time, within a second or so, and its answer has no exit code."""

    def exists(self, path: str) -> bool:
        """True when there is something at `path`, whatever it is."""

    def read_from(self, path: str, offset: int, limit: int) -> Optional[bytes]:
        """At most `limit` bytes of a regular file from `offset`; None when it cannot be read."""

    def files(self, pattern: str) -> Tuple[FileStat, ...]:
        """The regular files a glob pattern names, sorted by path, at most 256."""

    def space(self, path: str) -> Optional[Space]:
        """Size and free bytes of the file system that holds `path`."""

    def alive(self, pid: int) -> Optional[bool]:
        """True when a process of that id exists (a zombie does not count); None when it cannot be told."""

    def reach(self, addresses: Sequence[str], ports: Sequence[int], timeout: float) -> Mapping[str, Optional[bool]]:
        """For each address whether any of the ports accepts a connection within `timeout` seconds, all at once.
        A refusal by the peer's own TCP is False like silence; None when it could not be asked (bad address, no socket),
        or when it was this partition that accepted: only 127.0.0.1 is asked for that."""

    def vitals(self, rmcctrl: str) -> Vitals:
        """`rmcctrl` is the path whose owner, besides root, may act."""

    def processes(self) -> Optional[Mapping[str, Tuple[int, ...]]]:
        """Base names of the commands (and of a shell's or an interpreter's script) that root or our own user runs, with the
        ids of those processes; None: could not tell."""

    def runs(self, names: Sequence[str]) -> Optional[Tuple[str, ...]]:
        """Those of `names` that our own user (root) runs, as a program or a script; None: could not tell."""

    def begin(self, deed: Deed, folder: str) -> None:
        """Start a helper of its own session that performs `deed` and writes its progress into `folder`. Raises OSError."""

    def progress(self, attempt: int, folder: str) -> Optional[Progress]:
        """How far the helper of `attempt` has come; None when it left no trace."""

    def forget(self, attempt: int, folder: str) -> None:
        """Drop the traces of a deed that was read to its end."""

    def locked(self, path: str) -> Optional[bool]:
        """True when another process holds a record lock on the file; False when none does, or there is no such file;
        None: could not tell."""


class SystemHost:
    """The machine we run on; owns the commands it could not kill, and what it need not ask twice."""

    def __init__(self) -> None:
        self._runner = Runner()
        self._known: Dict[str, Tuple[float, str]] = {}

    def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
        return self._runner.run(argv, timeout, keep)

    def watch(self, pids: Sequence[int]) -> None:
        watched = tuple(pids)
        self._runner.lost = lambda: any(self.alive(pid) is False for pid in watched)

    @property
    def abandoned(self) -> int:
        """How many commands hang in the kernel, unkillable."""
        return self._runner.abandoned

    def exists(self, path: str) -> bool:
        return os.path.lexists(path)

    def read_from(self, path: str, offset: int, limit: int) -> Optional[bytes]:
        try:
            # Before it is opened: that alone arms a watchdog, rewinds a tape, or lets the writer of a FIFO go on.
            if not stat.S_ISREG(os.stat(path).st_mode):
                return None
            number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
            try:
                if not stat.S_ISREG(os.fstat(number).st_mode):
                    return None
                os.lseek(number, offset, os.SEEK_SET)
                return _read(number, limit)
            finally:
                os.close(number)
        except (OSError, ValueError):
            return None

    def files(self, pattern: str) -> Tuple[FileStat, ...]:
        from glob import iglob
        from itertools import islice

        found: List[FileStat] = []
        for path in sorted(islice(iglob(pattern), MOST_WALKED)):
            try:
                seen = os.stat(path)
            except OSError:
                continue
            if stat.S_ISREG(seen.st_mode):
                found.append(FileStat(path, seen.st_size, seen.st_dev, seen.st_ino))
        return tuple(found[:MOST_LISTED])

    def space(self, path: str) -> Optional[Space]:
        try:
            seen = os.statvfs(path)
        except OSError:
            return None
        return Space(path, seen.f_blocks * seen.f_frsize, seen.f_bavail * seen.f_frsize)

    def alive(self, pid: int) -> Optional[bool]:
        if pid <= 0:
            return None
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        except (OSError, OverflowError):
            return None
        return not _is_zombie(pid)

    def reach(self, addresses: Sequence[str], ports: Sequence[int], timeout: float) -> Mapping[str, Optional[bool]]:
        from rmcagent.partition.system.reach import reach

        return reach(addresses, ports, timeout)

    def vitals(self, rmcctrl: str) -> Vitals:
        return Vitals(
            boot=self.boot(),
            identity=_identity_linux() if LINUX else self._identity_asked(),
            up_for=self._up_for(),
            may_act=_may_act(rmcctrl),
            in_wpar=AIX and self._remember("wpar", lambda: self._ask("/usr/bin/uname", "-W")) not in ("", "0"),
        )

    def boot(self) -> str:
        """What names this boot; "" when nothing does."""
        return _line("/proc/sys/kernel/random/boot_id") or self._remember("boot", self._boot)

    def born(self, pid: int) -> str:
        """What `is_still` knows a process by; "" when nothing tells it from others that may get its number."""
        if LINUX:
            from rmcagent.partition.system.started import start_time

            began = start_time(pid)
        else:
            age = self._age(pid)
            began = "" if age is None else f"{time.monotonic() - age:.0f}"
        return f"{began} {self.boot()}" if began else ""

    def is_still(self, pid: int, born: str) -> bool:
        """Whether that process runs, and is the one that was so `born`, in this boot."""
        (began, _, boot), (then, _, of) = self.born(pid).partition(" "), born.partition(" ")
        return bool(began) and then.isdigit() and boot == of and abs(int(began) - int(then)) <= BORN_SLACK

    def processes(self) -> Optional[Mapping[str, Tuple[int, ...]]]:
        from rmcagent.partition.system.started import command_lines

        lines = command_lines() if LINUX else self._command_lines_ps()
        if lines is None:
            return None
        found: Dict[str, List[int]] = {}
        for pid, words in sorted(lines.items()):
            for name in _names(words):
                found.setdefault(name, []).append(pid)
        return {name: tuple(found[name]) for name in sorted(found)}

    def runs(self, names: Sequence[str]) -> Optional[Tuple[str, ...]]:
        from rmcagent.partition.system.restart import running

        return running(names, self.run)

    def begin(self, deed: Deed, folder: str) -> None:
        from rmcagent.partition.system.perform import begin

        begin(deed, folder, self.run, self._age)

    def progress(self, attempt: int, folder: str) -> Optional[Progress]:
        from rmcagent.partition.system.perform import progress

        return progress(attempt, folder, self._age)

    def locked(self, path: str) -> Optional[bool]:
        from rmcagent.partition.system.started import locked

        return locked(path)

    def forget(self, attempt: int, folder: str) -> None:
        from rmcagent.partition.system.perform import forget

        forget(attempt, folder)

    def _remember(self, what: str, ask: Callable[[], str], seconds: float = float("inf")) -> str:
        """An answer that costs a command, asked again after `seconds`, or when there was none; the last one stands meanwhile."""
        asked_at, known = self._known.get(what, (0.0, ""))
        now = time.monotonic()
        if not known or now - asked_at > seconds:
            known = ask() or known
            self._known[what] = (now, known)
        return known

    def _boot(self) -> str:
        """The boot's recorded time, which a clock set later does not move, as the age of init would."""
        recorded = _boot_time() or self._ask("/usr/bin/who", "-b")
        if recorded:
            return recorded
        age = self._age(1)
        return "" if age is None else f"{round((time.time() - age) / 60) * 60}"

    def _up_for(self) -> Optional[timedelta]:
        seconds = _line("/proc/uptime").partition(" ")[0]
        if seconds:
            return timedelta(seconds=float(seconds))
        began = self._remember("init", self._init_began)
        return timedelta(seconds=time.monotonic() - float(began)) if began else None

    def _init_began(self) -> str:
        age = self._age(1)
        return "" if age is None else str(time.monotonic() - age)

    def _age(self, pid: int) -> Optional[float]:
        return _elapsed(self._ask("/usr/bin/ps", "-o", "etime=", "-p", str(pid)))

    def _identity_asked(self) -> str:
        """The machine's and the partition's numbers [my inference: uname -m names the machine, -L the partition,
        os_uuid of sys0 is the partition's UUID]; a part that cannot be had now is as it last was, left out when never had."""
        if not AIX:
            return _joined(system=_line("/etc/machine-id"))
        number = self._remember("partition", lambda: _digits(self._ask("/usr/bin/uname", "-L")), IDENTITY_SECONDS)
        asked = ("/usr/sbin/lsattr", "-El", "sys0", "-a", "os_uuid", "-F", "value")
        return _joined(system=os.uname().machine, partition=number,
                       uuid=self._remember("uuid", lambda: _uuid(self._ask(*asked)), IDENTITY_SECONDS))

    def _ask(self, *argv: str) -> str:
        answer = self.run(argv, ASK_SECONDS, 4096)
        return " ".join(answer.stdout.split()) if answer.exit_code == 0 and not answer.cut else ""

    def _command_lines_ps(self) -> Optional[Dict[int, List[str]]]:
        """By effective (-u) or real (-U) user, whichever [my inference: on AIX, too, each flag adds processes]."""
        whose = ",".join(map(str, sorted({0, os.geteuid()})))
        answer = self.run(("/usr/bin/ps", "-u", whose, "-U", whose, "-o", "pid=", "-o", "args="), ASK_SECONDS)
        if answer.exit_code != 0 or answer.cut:
            return None
        rows = [line.split(None, 4) for line in answer.stdout.splitlines()]
        return {int(row[0]): ["", *row[1:4]] for row in rows if len(row) > 1 and row[0].isdigit() and int(row[0]) != os.getpid()}


def _read(number: int, limit: int) -> bytes:
    """Up to `limit` bytes, however few the system hands out at a time."""
    read = bytearray()
    while len(read) < limit:
        more = os.read(number, min(limit - len(read), 1 << 20))
        if not more:
            break
        read += more
    return bytes(read)


def _line(path: str) -> str:
    """A small file's printable text; "" when there is none."""
    try:
        with open(path, "rb") as opened:
            text = opened.read(512).decode("ascii", "replace")
    except OSError:
        return ""
    return "".join(letter for letter in text if letter.isprintable()).strip()


def _is_zombie(pid: int) -> bool:
    if LINUX:
        fields = process_fields(pid)
        return bool(fields) and fields[0] in "ZX"
    try:
        import psutil
    except ImportError:
        return False
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except (psutil.Error, RuntimeError, OSError):
        return False         # psutil on AIX fails at times for a process that is just fine


def _boot_time() -> str:
    try:
        import psutil
    except ImportError:
        return ""
    try:
        return f"{round(psutil.boot_time() / 10) * 10}"
    except (psutil.Error, RuntimeError, OSError):
        return ""


def _elapsed(text: str) -> Optional[float]:
    """Seconds of what ps calls etime: [[days-]hours:]minutes:seconds."""
    days, dash, rest = text.strip().rpartition("-")
    parts = rest.split(":")
    if not 2 <= len(parts) <= 3 or not all(part.isdigit() for part in parts) or (dash and not days.isdigit()):
        return None
    seconds = 0.0
    for part in parts:
        seconds = seconds * 60 + int(part)
    return seconds + (int(days) * 86400 if dash else 0)


def _identity_linux() -> str:
    for tree in DEVICE_TREES:
        system = _line(f"{tree}/system-id")
        if system:
            return _joined(system=system, partition=_number(f"{tree}/ibm,partition-no"),
                           uuid=_uuid(_line(f"{tree}/ibm,partition-uuid")))
    return _joined(system=_line("/etc/machine-id"))


def _number(path: str) -> str:
    """A device tree's cell: four bytes, big-endian on every machine."""
    try:
        with open(path, "rb") as opened:
            cell = opened.read(4)
    except OSError:
        return ""
    return str(int.from_bytes(cell, "big")) if len(cell) == 4 else ""


def _uuid(text: str) -> str:
    """Its digits, however it is spelt; "" for anything else: a warning before it must not make this another partition."""
    digits = text.strip("\0 ").replace("-", "").lower()
    return digits if len(digits) == 32 and not set(digits) - set("0123456789abcdef") else ""


def _digits(text: str) -> str:
    """The number that `uname -L` begins with; "" for anything else."""
    first = text.partition(" ")[0]
    return first if first.isascii() and first.isdigit() else ""


def _joined(**parts: str) -> str:
    return " ".join(f"{name}={value.replace(' ', '_')}" for name, value in parts.items() if value)


def _may_act(rmcctrl: str) -> bool:
    if os.geteuid() == 0:
        return True
    try:
        return os.stat(rmcctrl).st_uid == os.geteuid()
    except OSError:
        return False


def _names(words: Sequence[str]) -> Set[str]:
    """Of (the kernel's name, command, two arguments): the base name of the command, and of the script when it is an
    interpreter; not of a file that somebody merely reads."""
    command = os.path.basename(words[1]).lstrip("-")
    names = {words[0], command}
    if command in INTERPRETERS or command.rstrip("0123456789.") in INTERPRETERS:
        names.update(os.path.basename(word) for word in words[2:4] if not word.startswith("-"))
    return names - {""}
