"""What is asked of the running daemon: pause, resume, reload, heal."""
from __future__ import annotations

import errno
import os
import sys
from typing import Any, Dict

from rmcagent.command.arguments import FAILED, USAGE, Asked, Cannot
from rmcagent.command.files import load, state
from rmcagent.show.screen import ascii_of, clean

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
LONGEST_PAUSE = 365                       # days


def pause(asked: Asked) -> int:
    reason = " ".join(asked.options.get("--reason", "").split())
    if "--for" not in asked.options or not reason:
        raise Cannot(USAGE, f"cannot pause: say for how long and why, as in {asked.example}")
    from rmcagent.config import duration

    try:
        length = duration(asked.options["--for"])
    except ValueError as wrong:
        raise Cannot(USAGE, f"cannot pause for {asked.options['--for']}: {wrong}") from None
    if not 0 < length.total_seconds() <= LONGEST_PAUSE * 86400:
        raise Cannot(USAGE, f"cannot pause for {asked.options['--for']}: it must be over 0s and at most {LONGEST_PAUSE}d")
    return _ask(asked, {"do": "pause", "for": length.total_seconds(), "reason": clean(reason, 200), "by": _who()})


def request(asked: Asked) -> int:
    return _ask(asked, {"do": asked.verb})


def heal(asked: Asked) -> int:
    from rmcagent.config.words import near
    from rmcagent.model import Remedy

    known = [remedy.value for remedy in Remedy]
    if not asked.words:
        raise Cannot(USAGE, f"cannot heal: name a remedy, one of {', '.join(known)}, as in {asked.example}")
    remedy = asked.words[0]
    if remedy not in known:
        raise Cannot(USAGE, f"cannot heal by {remedy}: unknown remedy, {near(remedy, known) or 'known are ' + ', '.join(known)}")
    return _ask(asked, {"do": "heal", "remedy": remedy, "dry_run": "--dry-run" in asked.options, "by": _who()})


def _ask(asked: Asked, request: Dict[str, Any]) -> int:
    from rmcagent import daemon

    settings = load(asked).settings
    before = _ended_as_by_ctrl_c()
    try:
        answer = daemon.ask(settings, request)
    except OSError as problem:
        raise _no_room(asked, problem) from None
    finally:
        _handled_by(before)
    if not answer["ok"]:
        raise Cannot(answer["exit"], f"cannot {asked.verb}: {answer['text']}")
    sys.stdout.write("".join(ascii_of(clean(line)) + "\n" for line in answer["text"].splitlines()))
    return int(answer["exit"])


def _ended_as_by_ctrl_c() -> Dict[int, Any]:
    """Whoever closes the terminal, or ends the command, withdraws what it asks for; the handlers as they were. Once: what comes
    next must not keep it from withdrawing."""
    import signal

    numbers = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
    before: Dict[int, Any] = {
        number: signal.getsignal(number) for number in numbers if signal.getsignal(number) is not signal.SIG_IGN}

    def end(number: int, frame: Any) -> None:
        _handled_by(dict.fromkeys(before, signal.SIG_IGN))
        raise KeyboardInterrupt(number)

    _handled_by(dict.fromkeys(before, end))
    return before


def _handled_by(handlers: Dict[int, Any]) -> None:
    import signal

    for number, handler in handlers.items():
        signal.signal(number, handler)


def _no_room(asked: Asked, problem: OSError) -> Exception:
    """A full disk in words that say where, and what mends it; any other problem as it is."""
    if problem.errno not in NO_ROOM:
        return problem
    return Cannot(FAILED, f"cannot {asked.verb}: cannot write into {state(asked)}: {problem.strerror}; make room there, "
                          "rmcagent doctor tells what takes it")


def _who() -> str:
    """Who asks, as far as that can be told: everybody who may is root."""
    return clean(os.environ.get("SUDO_USER") or ("root" if os.geteuid() == 0 else f"uid {os.geteuid()}"), 60)
