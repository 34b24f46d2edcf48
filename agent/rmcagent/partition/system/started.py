"""What the kernel tells of processes that are not ours: which one was started, what it has locked, what root runs."""
from __future__ import annotations

import fcntl
import os
import struct
import sys
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from rmcagent.partition.system.run import process_fields

UNPROVED_SECONDS = 3600.0    # past its time-out, a command that cannot be told from another process counts as ended
AGE_SLACK = 10.0             # ps counts whole seconds, and a note is written after the command was started
LAYOUT = "hhqqi4x"           # struct flock of 64-bit Linux: type, whence, start, length, pid
COMMAND_LINE = 4096
LINUX = sys.platform.startswith("linux")

Age = Callable[[int], Optional[float]]       # seconds since that process began; None: could not tell


def still_runs(noted: Dict[str, Any], age: Age) -> bool:
    """Whether the command runs on without its helper; another process that got its number is not it."""
    pid = int(noted.get("pid", 0))
    if pid <= 0:
        return False
    if LINUX:
        fields = process_fields(pid)
        return len(fields) > 19 and fields[0] not in "ZX" and fields[19] == noted.get("started")
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass                 # there, and not ours to signal
    since = time.monotonic() - float(noted.get("at", 0.0))
    old = age(pid)
    if old is None:
        return 0 <= since < float(noted.get("timeout", 0.0)) + UNPROVED_SECONDS
    # By ps its age may follow the wall clock, or not, when that was set meanwhile [my inference].
    return any(abs(old - expected) <= AGE_SLACK for expected in (since, time.time() - float(noted.get("wall", 0.0))))


def start_time(pid: int) -> str:
    """In the kernel's ticks; "" where there is no /proc/PID/stat."""
    fields = process_fields(pid)
    return fields[19] if len(fields) > 19 else ""


def locked(path: str) -> Optional[bool]:
    """Whether another process holds a record lock on it; there is none on a file that is not there. None: could not tell."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        if not LINUX:
            return None     # laid out otherwise there, and nothing we ask about has such a lock
        told = fcntl.fcntl(descriptor, fcntl.F_GETLK, struct.pack(LAYOUT, fcntl.F_WRLCK, 0, 0, 0, 0))
        return bool(struct.unpack(LAYOUT, told)[0] != fcntl.F_UNLCK)
    except (OSError, struct.error):
        return None
    finally:
        os.close(descriptor)


def command_lines() -> Optional[Dict[int, List[str]]]:
    """For each other process of root's or our user's: the kernel's name for it (at most 15 letters), its command and two
    arguments. None: could not tell."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
    except OSError:
        return None
    lines = {}
    for pid in pids:
        try:
            words = _read(pid, "cmdline").decode("utf-8", "replace").split("\0")
            if words[0]:         # kernel threads and zombies have none
                real, effective = _users(pid)
                if {real, effective} & {0, os.geteuid()}:
                    # Anybody may start a set-user-id program by a name he likes: of such a one the file's own name counts.
                    file = _file(pid) if effective == 0 != real else ""
                    lines[pid] = [*(("", file) if file else (_comm(pid), words[0])), *words[1:3]]
        except OSError:
            continue             # it has ended since
    return lines


def _users(pid: int) -> Tuple[int, int]:
    """The real and the effective one; not the owner of /proc/PID, which is root for whoever hides his memory."""
    told = _read(pid, "status").partition(b"\nUid:")[2].split(None, 2)
    if len(told) < 3:
        raise OSError("it does not say whose it is")
    return int(told[0]), int(told[1])


def _file(pid: int) -> str:
    """The program's own; "" when we may not know: then what it is called counts, for in doubt nothing is begun."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def _comm(pid: int) -> str:
    return "".join(letter for letter in _read(pid, "comm").decode("ascii", "replace") if letter.isprintable()).strip()


def _read(pid: int, name: str) -> bytes:
    with open(f"/proc/{pid}/{name}", "rb") as opened:
        return opened.read(COMMAND_LINE)
