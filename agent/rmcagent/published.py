"""What the daemon published, read without waking it: the document, how old it is, whether its daemon lives. Cheap to import."""
from __future__ import annotations

import os

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

    Document = Dict[str, Any]

LONGEST_DOCUMENT = 4 << 20                # bytes
BOOT_ID = "/proc/sys/kernel/random/boot_id"


def read(path: str) -> Optional[Document]:
    """The published document; None when there is none. Raises ValueError, with a sentence, where it cannot be read."""
    import json

    try:
        with open(path, "rb") as file:
            document = json.loads(file.read(LONGEST_DOCUMENT))
    except FileNotFoundError:
        return None
    except OSError as reason:
        raise ValueError(f"cannot read {path}: {reason.strerror}") from None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("schema") != 1 or not isinstance(document.get("verdict"), str):
        raise ValueError(f"cannot read {path}: damaged, or of another version; a running agent replaces it at its next look")
    return document


def alive(document: Document) -> Optional[bool]:
    """Whether the process that published it still runs; None: it does not say which."""
    pid = document.get("pid")
    if type(pid) is not int or pid <= 0:
        return None
    if _boot() and document.get("boot") and document["boot"] != _boot():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True                       # somebody else's, and so there
    return True


def age(document: Document) -> Optional[float]:
    """Seconds since the look: by the monotonic clock within one boot, for the wall clock may have been set since."""
    import time

    if _boot() and document.get("boot") == _boot() and isinstance(document.get("monotonic"), (int, float)):
        seconds: float = time.monotonic() - document["monotonic"]
        return seconds if abs(seconds) < float("inf") else None
    from datetime import datetime

    try:
        return time.time() - datetime.fromisoformat(str(document.get("taken_at"))).timestamp()
    except (ValueError, OverflowError):
        return None


def _boot() -> str:
    try:
        with open(BOOT_ID, "rb") as file:
            return file.read(64).decode("latin-1").strip()
    except OSError:                       # not Linux: what marks a boot there costs a command
        return ""
