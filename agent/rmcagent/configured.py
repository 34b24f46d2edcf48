"""The configuration as the daemon has it: read by a child, for what reading needs would stay in memory for good."""
from __future__ import annotations

import json
import os
import signal
from datetime import timedelta
from typing import Any, Callable, Dict, Mapping

from rmcagent.config import ConfigError as ConfigError
from rmcagent.config import Loaded, load, nouns

MOST_READ = 1 << 16
MADE: Dict[str, Callable[..., Any]] = {
    "timedelta": timedelta, "tuple": lambda *parts: parts, "frozenset": lambda *parts: frozenset(parts),
    "dict": lambda *pairs: dict(pairs)}


def load_aside(path: str) -> Loaded:
    """As config.load, but that `values` is empty: only `config show` asks where each came from."""
    told = _told(path)
    if not told:
        return load(path)                 # no room for a child, or something ended it: it costs memory only
    read = made(json.loads(told))
    if isinstance(read, ConfigError):
        raise read
    return Loaded(*read)


def _told(path: str) -> bytes:
    """What the child read, in words; none where it could not."""
    ours, its = os.pipe()
    try:
        child = os.fork()
    except OSError:
        os.close(ours)
        os.close(its)
        return b""
    if child == 0:
        _read(path, its)
    os.close(its)
    said = b""
    with open(ours, "rb", buffering=0) as told:
        while True:
            more = told.read(MOST_READ)
            if not more:
                break
            said += more
    try:
        return said if os.waitpid(child, 0)[1] == 0 else b""
    except ChildProcessError:
        return b""                        # nobody knows whether that is all


def _read(path: str, told: int) -> None:
    """Be the child: deaf to what the daemon listens to. What it cannot say, the daemon finds itself."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL)
        try:
            loaded = load(path)
            said = spelt((loaded.settings, loaded.warnings, loaded.files, loaded.hash))
        except ConfigError as wrong:
            said = spelt(wrong)
        with open(told, "wb") as pipe:
            pipe.write(json.dumps(said).encode())
        code = 0
    finally:
        os._exit(code)


def spelt(value: Any) -> Any:
    """What JSON knows as it is; anything else as its kind and what that is made of."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, timedelta):
        return {"timedelta": [value.days, value.seconds, value.microseconds]}
    if isinstance(value, ConfigError):
        return {"ConfigError": [spelt(value.mistakes), value.more]}
    if isinstance(value, Mapping):
        return {"dict": [spelt(pair) for pair in value.items()]}
    if isinstance(value, (tuple, frozenset)):
        return {type(value).__name__: [spelt(part) for part in value]}
    return {type(value).__name__: [spelt(getattr(value, each.name)) for each in value.__fields__]}


def made(told: Any) -> Any:
    """The value that was spelt so."""
    if not isinstance(told, dict):
        return told
    ((kind, parts),) = told.items()
    return (MADE.get(kind) or getattr(nouns, kind))(*map(made, parts))
