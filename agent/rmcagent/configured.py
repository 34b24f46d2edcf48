"""The configuration as the daemon has it: read by a child, for what reading needs would stay in memory for good."""
from __future__ import annotations

import json
import os
import select
import signal
import time
from datetime import timedelta
from typing import Any, Callable, Dict, Mapping

from rmcagent.config import ConfigError as ConfigError
from rmcagent.config import Loaded, load, nouns

PATIENCE_SECONDS = 30.0                   # it takes milliseconds where the file system answers
REAP_SECONDS, POLL_SECONDS = 1.0, 0.001
CHUNK = 1 << 16
MOST_FILES = 4096                         # of ours: the soft limit is half of that
MADE: Dict[str, Callable[..., Any]] = {
    "timedelta": timedelta, "tuple": lambda *parts: parts, "frozenset": lambda *parts: frozenset(parts),
    "dict": lambda *pairs: dict(pairs)}


class Unread(Exception):
    """The child brought nothing, for a reason that is not the configuration's."""


def load_aside(path: str) -> Loaded:
    """As config.load, but that `values` is empty: only `config show` asks where each came from."""
    try:
        return _by_a_child(path)
    except Unread:
        return load(path)                 # it costs memory only


def load_anew(path: str) -> Loaded:
    """The same in a daemon that has settings: what no child can bring is refused with a ConfigError, and nothing tried here.

    A package may have been replaced beneath the daemon, and code that is loaded now would not be of one piece with what runs.
    """
    try:
        return _by_a_child(path)
    except Unread as reason:
        raise _refusal(path, f"cannot read the configuration anew: {reason}; where rmcagent or its Python was replaced since "
                             "this agent started, restart the agent, elsewhere reload again") from None


def _refusal(path: str, sentence: str) -> ConfigError:
    return ConfigError((nouns.Mistake(path, 0, sentence),))


def _by_a_child(path: str) -> Loaded:
    told = _told(path)
    try:
        read = made(json.loads(told))
    except (ValueError, TypeError, AttributeError):
        raise Unread("who was to read it ended without a word that is understood here") from None
    if isinstance(read, ConfigError):
        raise read
    return Loaded(*read)


def _told(path: str) -> bytes:
    """All that the child said until it ended. Raises Unread, and ConfigError where the file system keeps it."""
    try:
        ours, its = os.pipe()
    except OSError as problem:
        raise Unread(f"no pipe to a child: {problem.strerror}") from None
    try:
        child = os.fork()
    except OSError as problem:
        os.close(ours)
        os.close(its)
        raise Unread(f"no child to read it: {problem.strerror}") from None
    if child == 0:
        _read(path, its)
    os.close(its)
    try:
        return _heard(path, ours)
    finally:
        os.close(ours)
        _end(child)


def _heard(path: str, pipe: int) -> bytes:
    until, said = time.monotonic() + PATIENCE_SECONDS, b""
    while select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
        more = os.read(pipe, CHUNK)
        if not more:
            return said
        said += more
    raise _refusal(path, f"cannot read the configuration: its file system did not answer within {PATIENCE_SECONDS:g} s")


def _end(child: int) -> None:
    """It has ended, or hangs: what hangs in the kernel dies when that lets it, and holds nothing of ours."""
    until = time.monotonic() + REAP_SECONDS
    try:
        os.kill(child, signal.SIGKILL)
        while os.waitpid(child, os.WNOHANG)[0] == 0 and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
    except (ChildProcessError, ProcessLookupError):
        pass                              # somebody else was told


def _read(path: str, told: int) -> None:
    """Be the child: deaf to what the daemon listens to, and with nothing of its open, or its lock would be held as long."""
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL)
        os.closerange(0, told)
        os.closerange(told + 1, MOST_FILES)
        try:
            loaded = load(path)
            said = spelt((loaded.settings, loaded.warnings, loaded.files, loaded.hash))
        except ConfigError as wrong:
            said = spelt(wrong)
        with open(told, "wb") as pipe:
            pipe.write(json.dumps(said).encode())
    finally:
        os._exit(0)


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
