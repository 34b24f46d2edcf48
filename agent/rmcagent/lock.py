"""The lock that one daemon holds for life: taken, and who holds it, as far as that can be told for certain."""
from __future__ import annotations

import errno
import os
import time
from typing import Optional

from rmcagent.partition.host import SystemHost

TRIES, BETWEEN_SECONDS = 50, 0.02    # for a second: a client may be looking whether anybody has it
LOCKED = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK)      # AIX says EACCES


class Locked(Exception):
    """Another rmcagent holds the lock."""


def holder(path: str, host: SystemHost) -> Optional[int]:
    """The pid of the daemon that holds the lock, 0 where that could be another process by now; None: nobody holds it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return None
    try:
        _flock(descriptor, shared=True)  # or two clients would take each other for the daemon
        return None
    except OSError as problem:
        if problem.errno not in LOCKED:
            raise
        return _named(descriptor, host)
    finally:
        os.close(descriptor)


def _named(descriptor: int, host: SystemHost) -> int:
    """Whom the lock names, where that process is still the one that wrote it; else 0."""
    pid, _, born = os.pread(descriptor, 200, 0).decode("ascii", "replace").strip().partition(" ")
    return int(pid) if pid.isdigit() and host.is_still(int(pid), born) else 0


def take(path: str, host: SystemHost) -> int:
    """Hold the lock for life; the descriptor is opened once and never again, for on AIX closing any other one would drop it."""
    descriptor = _opened(path)
    for tries_left in reversed(range(TRIES)):
        try:
            _flock(descriptor)
            break
        except OSError as problem:
            if problem.errno in LOCKED and tries_left:
                time.sleep(BETWEEN_SECONDS)
                continue
            pid = _named(descriptor, host)
            os.close(descriptor)
            if problem.errno in LOCKED:
                raise Locked(f"cannot start: another rmcagent is running (pid {pid or 'unknown'})") from None
            raise
    try:
        os.ftruncate(descriptor, 0)  # first: whoever is named in it gets signals meant for us
        os.write(descriptor, f"{os.getpid()} {host.born(os.getpid())}\n".encode("ascii"))
    except OSError:
        pass  # full, or read-only: nobody can ask for anything there either
    return descriptor


def _opened(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as problem:
        if problem.errno != errno.EROFS:
            raise
        return os.open(path, os.O_RDONLY)  # Linux locks that as well


def _flock(descriptor: int, shared: bool = False) -> None:
    import fcntl

    fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
