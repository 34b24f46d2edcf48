"""Whether the folders we rely on are ours alone; what could be somebody else's hand is refused before the first turn."""
from __future__ import annotations

import os
import stat


def make_private(state: str, inbox: str, public: str) -> None:
    """Make the state folder and the inbox in it, or repair our own. Raises PermissionError, which says what mends it."""
    # Everyone must be able to pass through to what is published below it; nobody else can list it or read its files.
    _make_private(state, 0o711 if _lies_below(public, state) else 0o700)
    _make_private(inbox, 0o700)


def trust_public(path: str) -> None:
    """Raise PermissionError where others could put a file of their own in the place of the published one."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return                  # it is made when something is published
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o022 and not mode & stat.S_ISVTX:
        raise PermissionError(f"cannot publish in {path}: others may write it (owner uid {status.st_uid}, mode {mode:04o}); "
                              f"run: chmod 755 {path}")


def _make_private(path: str, mode: int) -> None:
    os.makedirs(path, mode=mode, exist_ok=True)
    status = os.stat(path)
    found = stat.S_IMODE(status.st_mode)
    if status.st_uid == os.geteuid():
        if found != mode:
            os.chmod(path, mode)
    elif status.st_uid != 0:
        raise PermissionError(f"cannot use {path}: its owner is uid {status.st_uid} (mode {found:04o}), who could change it; "
                              f"run: chown {os.geteuid()} {path}; chmod {mode:o} {path}")
    elif found & 0o022:
        raise PermissionError(f"cannot use {path}: others may write it (owner uid {status.st_uid}, mode {found:04o}); "
                              f"run: chmod {mode:o} {path}")


def _lies_below(path: str, folder: str) -> bool:
    return os.path.realpath(path).startswith(os.path.realpath(folder) + os.sep)
