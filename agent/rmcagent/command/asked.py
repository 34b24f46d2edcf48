"""What is asked of the running daemon: pause, resume, reload, heal."""
from __future__ import annotations

import os
import sys
from typing import Any, Dict

from rmcagent.command.arguments import USAGE, Asked, Cannot
from rmcagent.command.files import load
from rmcagent.show.screen import clean

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

    answer = daemon.ask(load(asked).settings, request)
    if not answer["ok"]:
        raise Cannot(answer["exit"], f"cannot {asked.verb}: {answer['text']}")
    sys.stdout.write("".join(clean(line) + "\n" for line in answer["text"].splitlines()))
    return int(answer["exit"])


def _who() -> str:
    """Who asks, as far as that can be told: everybody who may is root."""
    return clean(os.environ.get("SUDO_USER") or ("root" if os.geteuid() == 0 else f"uid {os.geteuid()}"), 60)
