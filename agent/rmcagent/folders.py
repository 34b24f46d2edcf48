"""Whether the folders we rely on are ours alone; what could be somebody else's hand is refused before the first turn."""
from __future__ import annotations

import errno
import os
import stat
from typing import Tuple


def make_private(state: str, inbox: str, public: str) -> None:
    """Make the state folder and the inbox in it, or repair our own. Raises PermissionError, which says what mends it."""
    for folder, mode in _private(state, inbox, public):
        _make_private(folder, mode)


def trust_public(path: str) -> None:
    """Raise PermissionError where others could put a file of their own in the place of the published one."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return                  # it is made when something is published
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid not in (0, os.geteuid()):
        raise PermissionError(f"cannot publish in {path}: its owner is uid {status.st_uid} (mode {mode:04o}), who could replace "
                              f"what is published; run: chown {os.geteuid()} {path}; chmod 755 {path}")
    if mode & 0o022 and not mode & stat.S_ISVTX:
        raise PermissionError(f"cannot publish in {path}: others may write it (owner uid {status.st_uid}, mode {mode:04o}); "
                              f"run: chmod 755 {path}")


def trust_state(state: str, inbox: str, public: str, lock: str) -> None:
    """Raise PermissionError where somebody else could say whom we signal, or answer us; what is not there says nothing."""
    for folder, mode in _private(state, inbox, public):
        try:
            _trust_private(folder, os.stat(folder), mode)
        except FileNotFoundError:
            pass
    try:
        status = os.lstat(lock)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode) or status.st_uid not in (0, os.geteuid()):
        raise PermissionError(f"cannot trust {lock}: it is not a regular file of root's or ours (owner uid {status.st_uid}); "
                              f"stop the daemon, remove it and start the daemon again")


def _private(state: str, inbox: str, public: str) -> Tuple[Tuple[str, int], ...]:
    """The folders that are ours alone, with their modes."""
    # Everyone must be able to pass through to what is published below it; nobody else can list it or read its files.
    return (state, 0o711 if _lies_below(public, state) else 0o700), (inbox, 0o700)


def _make_private(path: str, mode: int) -> None:
    try:
        _make(path, mode)
    except (FileExistsError, NotADirectoryError):
        what = "it is no folder, or leads to none; move it away, or name another under paths"
        raise NotADirectoryError(errno.ENOTDIR, what, path) from None
    status = os.stat(path)
    if status.st_uid != os.geteuid():
        _trust_private(path, status, mode)
    elif stat.S_IMODE(status.st_mode) != mode:
        os.chmod(path, mode)


def _make(path: str, mode: int) -> None:
    """The folder and those above it, in which nobody else may write, whatever our umask is."""
    above = os.path.dirname(path.rstrip(os.sep))
    if above and not os.path.isdir(above):
        _make(above, 0o755)
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def _trust_private(path: str, status: os.stat_result, mode: int) -> None:
    found = stat.S_IMODE(status.st_mode)
    if status.st_uid not in (0, os.geteuid()):
        raise PermissionError(f"cannot use {path}: its owner is uid {status.st_uid} (mode {found:04o}), who could change it; "
                              f"run: chown {os.geteuid()} {path}; chmod {mode:o} {path}")
    if found & 0o022:
        raise PermissionError(f"cannot use {path}: others may write it (owner uid {status.st_uid}, mode {found:04o}); "
                              f"run: chmod {mode:o} {path}")


def _lies_below(path: str, folder: str) -> bool:
    return os.path.realpath(path).startswith(os.path.realpath(folder) + os.sep)
