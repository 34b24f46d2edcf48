"""Arguments in, text out: runs one verb of the table, and whatever goes wrong is a sentence and an exit code."""
from __future__ import annotations

import posix  # what os is made of: os itself is a tenth of the time of `status`
import sys

from rmcagent import __version__
from rmcagent.command.arguments import DONE, FAILED, NOT_PERMITTED, Cannot, complain, help_text, parsed
from rmcagent.command.table import VERBS

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import List, NoReturn, Optional, Sequence, Tuple

ENDED_BY_CTRL_C, ENDED_BY_PIPE, UNKNOWN_TO_NAGIOS = 130, 141, 3


def command() -> NoReturn:
    """Be the command's process: run what it was asked, and end with its exit code."""
    words = sys.argv[1:]
    code = main(words)
    if words[:1] != ["status"] and not _is_a_plug_in(words):
        sys.exit(code)
    # People and Nagios ask often, and all that these did is told: Python need not clear itself away, a tenth of their time.
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        pass                              # the exit code is what is left to tell by
    posix._exit(code)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run one command and return its exit code; whatever goes wrong is told in a sentence, never in a traceback."""
    words = list(sys.argv[1:] if argv is None else argv)
    _open_what_is_closed()
    _take_every_letter()
    code, sentence = _ended(words)
    if sentence and _is_a_plug_in(words):
        from rmcagent.show.check import untold_text

        sys.stdout.write(untold_text(sentence))
        return UNKNOWN_TO_NAGIOS
    if sentence:
        complain(sentence)
    return code


def _ended(words: List[str]) -> Tuple[int, str]:
    """The exit code of the command, and a sentence where it could not do what was asked."""
    try:
        code = _run(words)
        sys.stdout.flush()
        return code, ""
    except Cannot as reason:
        return reason.code, str(reason)
    except KeyboardInterrupt as ended:    # or by another signal, which it names then
        return 128 + ended.args[0] if ended.args else ENDED_BY_CTRL_C, ""
    except BrokenPipeError:
        _hush()
        return ENDED_BY_PIPE, ""
    except PermissionError as reason:
        return NOT_PERMITTED, _sentence(reason)
    except OSError as reason:
        _hush()
        return FAILED, _sentence(reason)
    except Exception as reason:           # the last resort: a user is owed a sentence
        return FAILED, f"cannot go on: {type(reason).__name__}: {reason}; please report"


def _is_a_plug_in(words: List[str]) -> bool:
    """`check` has one line on stdout and four codes, also where it cannot even be asked: a slip in nrpe.cfg wakes nobody."""
    return words[:1] == ["check"] or (words[:1] == ["--config"] and words[2:3] == ["check"])


def _take_every_letter() -> None:
    """What the terminal's own letters cannot spell is escaped: it must not end a command that has been carried out."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _open_what_is_closed() -> None:
    """Whoever started us may have closed what we write to; that is no reason for another exit code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open("/dev/null", "w"))


def _hush() -> None:
    """Drop what stdout cannot take (a closed pipe, a full disk), or Python complains of it once more at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        posix.dup2(posix.open("/dev/null", posix.O_WRONLY), 1)


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
