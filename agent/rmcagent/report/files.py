"""Files that we write: the log file, rotated; and a document that is replaced for everyone to read. Nothing is raised here."""
from __future__ import annotations

import os
from typing import Any, Mapping, Optional

FILE_BYTES = 1 << 20
FILES = 5                                 # the current one and four older: 5 MiB at most
FRESH_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0)


def log_path(wanted: str, platform: str) -> Optional[str]:
    """The log file that `report.file` names; None for none."""
    if wanted == "auto":
        return None if platform == "linux" else "/var/log/rmcagent/rmcagent.log"
    return None if wanted == "off" else wanted


def append(path: str, text: bytes) -> None:
    """Add a line to the log file, rotated at 1 MiB; a file that cannot be written is left alone."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0)
    try:
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        if _size(path) + len(text) > FILE_BYTES:
            for number in range(FILES - 1, 0, -1):
                older = f"{path}.{number - 1}" if number > 1 else path
                if os.path.exists(older):
                    os.replace(older, f"{path}.{number}")
        descriptor = os.open(path, flags, 0o600)
        try:
            os.write(descriptor, text)
        finally:
            os.close(descriptor)
    except (OSError, ValueError):         # ValueError: a NUL in the path
        return


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def publish(path: str, document: Mapping[str, Any]) -> bool:
    """Replace the file at `path` by the document at once, for everyone to read; False when it cannot be written."""
    import json

    folder = os.path.dirname(path)
    try:
        if not os.path.isdir(folder):
            os.makedirs(folder)
            os.chmod(folder, 0o755)       # whatever our umask is
    except (OSError, ValueError):
        return False
    return overwrite(path, json.dumps(document, sort_keys=True, ensure_ascii=True, indent=1).encode("ascii") + b"\n")


def overwrite(path: str, content: bytes) -> bool:
    """Put a new file in the place of whatever is named `path`, at once, for everyone to read; its folder must be there."""
    temporary = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.new")
    try:
        _remove(temporary)                # whatever lies there: a link would be written through, a FIFO would hold us
        with open(os.open(temporary, FRESH_FILE, 0o600), "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o644)
        os.replace(temporary, path)
    except (OSError, ValueError):
        _remove(temporary)
        return False
    return True


def withdraw(path: str) -> None:
    """Remove a file that we wrote and write no more."""
    if os.path.isfile(path):
        _remove(path)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except (OSError, ValueError):
        return
