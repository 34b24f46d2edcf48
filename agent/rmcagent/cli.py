"""Arguments in, text out: runs one verb of the table, and whatever goes wrong is a sentence and an exit code."""
from __future__ import annotations

import os
import sys

from rmcagent import __version__
from rmcagent.command.arguments import DONE, FAILED, NOT_PERMITTED, Cannot, complain, help_text, parsed
from rmcagent.command.table import VERBS

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import List, Optional, Sequence

ENDED_BY_CTRL_C, ENDED_BY_PIPE = 130, 141


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run one command and return its exit code; whatever goes wrong is told in a sentence, never in a traceback."""
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return code
    except Cannot as reason:
        return _complain(str(reason), reason.code)
    except KeyboardInterrupt:
        return ENDED_BY_CTRL_C
    except BrokenPipeError:
        _hush()
        return ENDED_BY_PIPE
    except PermissionError as reason:
        return _complain(_sentence(reason), NOT_PERMITTED)
    except OSError as reason:
        _hush()
        return _complain(_sentence(reason), FAILED)
    except Exception as reason:           # the last resort: a user is owed a sentence
        return _complain(f"cannot go on: {type(reason).__name__}: {reason}; please report", FAILED)


def _hush() -> None:
    """Drop what stdout cannot take (a closed pipe, a full disk), or Python complains of it once more at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _complain(sentence: str, code: int) -> int:
    complain(sentence)
    return code


def _sentence(reason: OSError) -> str:
    """Our own sentence where one was raised, or else the file and what the system said of it."""
    if reason.strerror is None:
        return str(reason)
    return f"cannot use {reason.filename}: {reason.strerror}" if reason.filename else f"cannot go on: {reason.strerror}"


def _run(argv: List[str]) -> int:
    if "--version" in argv[:1]:
        print(f"rmcagent {__version__}")
        return DONE
    asked = parsed(argv, VERBS)
    if asked is None:
        print(help_text(argv, VERBS), end="")
        return DONE
    return VERBS[asked.verb].run(asked)
