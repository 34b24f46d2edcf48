"""What the daemon published, read without waking it: the document, how old it is, whether its daemon lives. Cheap to import."""
from __future__ import annotations

import posix  # and not os, as in cli
import stat

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

    Document = Dict[str, Any]

LONGEST_DOCUMENT = 4 << 20                # bytes
DEEPEST = 16                              # of tables and lists in each other; a look's are five deep
LARGEST_NUMBER = 1e18
BOOT_ID = "/proc/sys/kernel/random/boot_id"


def read(path: str) -> Optional[Document]:
    """The published document; None when there is none. Raises ValueError, with a sentence, where it cannot be read."""
    try:
        document = _parsed(_content(path))
    except FileNotFoundError:
        return None
    except OSError as reason:
        raise ValueError(f"cannot read {path}: {reason.strerror or reason}") from None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not _sound(document):
        raise ValueError(f"cannot read {path}: damaged, or of another version; a running agent replaces it at its next look")
    return document


class Plain:
    """What json asks of its scanner where nothing special is asked of json."""

    strict, object_hook, object_pairs_hook, parse_float, parse_int = True, None, None, float, int

    @staticmethod
    def parse_constant(name: str) -> Any:
        raise ValueError(name)            # NaN and its like, which no daemon of ours writes


def _parsed(content: bytes) -> Any:
    """As json.loads, by json's own scanner: importing json, with re and enum, takes longer than all else that `status` does."""
    try:
        from _json import make_scanner

        text = content.decode("ascii").rstrip("\n")
        scanner: Any = make_scanner
        value, end = scanner(Plain)(text, 0)
        if end == len(text):
            return value
    except (ImportError, AttributeError, TypeError, ValueError, StopIteration, SystemError):
        pass                              # another Python's, or as no daemon of ours wrote it: json is to say what it is
    import json

    return json.loads(content)


def _content(path: str) -> bytes:
    """What stands in the file, which must be the daemon's. Raises OSError."""
    # Before it is opened: a FIFO or a device of that name must neither hold us nor notice us.
    _trust(path, posix.lstat(path))
    number = posix.open(path, posix.O_RDONLY | posix.O_NONBLOCK | posix.O_NOCTTY | getattr(posix, "O_NOFOLLOW", 0))
    with open(number, "rb") as file:
        _trust(path, posix.fstat(number))
        return file.read(LONGEST_DOCUMENT)


def _trust(path: str, status: posix.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError("not a regular file; remove it, a running agent replaces it at its next look")
    # The daemon need not run as root: it only publishes in a folder that is root's or its own.
    if status.st_uid not in (0, posix.geteuid()) and status.st_uid != posix.stat(path[:path.rfind("/") + 1] or ".").st_uid:
        raise OSError(f"its owner is uid {status.st_uid}, neither root nor its folder's owner: it may be made up; remove it")


def _sound(document: Document) -> bool:
    """Whether it can be shown: what is counted with is a number, what is gone through a list."""
    counted = [document.get("look_seconds", 0), document.get("timeout_seconds", 0)]
    budgets = document.get("budgets")
    for rows in budgets.values() if isinstance(budgets, dict) else ():
        for row in rows if isinstance(rows, list) else ():
            counted += [row.get(key, 0) for key in ("times", "spent", "span_seconds")] if isinstance(row, dict) else ()
    return (document.get("schema") == 1 and isinstance(document.get("verdict"), str) and _plain(document, DEEPEST)
            and isinstance(document.get("why", []), list) and all(type(number) in (int, float) for number in counted))


def _plain(value: Any, deepest: int) -> bool:
    """Whether no number is endless, or longer than any clock's or disk's, and nothing is nested deeper than what is published."""
    if isinstance(value, (dict, list)):
        items = value.values() if isinstance(value, dict) else value
        return deepest > 0 and all(_plain(item, deepest - 1) for item in items)
    return not isinstance(value, (int, float)) or abs(value) < LARGEST_NUMBER


def alive(document: Document) -> Optional[bool]:
    """Whether the process that published it still runs; None: it does not say which."""
    pid = document.get("pid")
    if type(pid) is not int or pid <= 0:
        return None
    if _boot() and document.get("boot") and document["boot"] != _boot():
        return False
    try:
        posix.kill(pid, 0)
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
    seen = _moment(str(document.get("taken_at")))
    return None if seen is None else time.time() - seen


def _moment(text: str) -> Optional[float]:
    """Seconds since 1970; None where it names no moment."""
    try:
        from _datetime import datetime  # type: ignore[import-not-found]  # what datetime is, without its other half in Python
    except ImportError:
        from datetime import datetime
    try:
        return float(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError):
        return None


def _boot() -> str:
    try:
        with open(BOOT_ID, "rb") as file:
            return file.read(64).decode("latin-1").strip()
    except OSError:                       # not Linux: what marks a boot there costs a command
        return ""
