"""Requests to the running daemon: files in a folder that is ours alone, each carried out once and answered beside itself."""
from __future__ import annotations

import errno
import json
import os
import stat
from typing import Any, Callable, Dict, List, Mapping, Optional, Set

from rmcagent.clock import Clock

REQUEST, ANSWER, FRESH = ".request", ".answer", ".new"
REQUEST_BYTES = 64 * 1024
ANSWERED_A_TURN = 64
MOST_LEFT_BEHIND = 256          # answers nobody came for, and the like
POLL_SECONDS = 0.02
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
# What a request can make go wrong; none of it is a mistake of ours.
ORDINARY = (ValueError, KeyError, TypeError, OverflowError, RecursionError, OSError)

Answer = Dict[str, Any]         # {"ok", "text", "exit"}


class Withdrawn(Exception):
    """Nobody waits for an answer any more."""


def ask(folder: str, request: Mapping[str, Any], knock: Callable[[], None], clock: Clock, seconds: float) -> Optional[Answer]:
    """Put a request, `knock` at the daemon and wait; None when there was no answer in time, and the request is withdrawn then."""
    # A name nobody ever had: an answer to an earlier process of this number must not be taken for ours.
    name = os.path.join(folder, f"{os.getpid()}-{os.urandom(8).hex()}")
    try:
        _put(name + REQUEST, json.dumps(dict(request)).encode("ascii"))
        knock()
        until = clock.monotonic() + seconds
        while clock.monotonic() < until:
            answer = _answered(name + ANSWER)
            if answer is not None:
                return answer
            clock.sleep(POLL_SECONDS)
        return None
    finally:
        for kind in (REQUEST, ANSWER):
            _remove(name + kind)


def _answered(path: str) -> Optional[Answer]:
    """The answer, once there is a whole one; whatever else lies there is none, for it may still become one."""
    try:
        answer = json.loads(_read(path))
    except (OSError, ValueError, RecursionError):
        return None
    kinds = {"ok": bool, "text": str, "exit": int}
    whole = isinstance(answer, dict) and all(type(answer.get(key)) is kind for key, kind in kinds.items())
    return answer if whole else None


class Inbox:
    """The daemon's end. Nothing that lies in the folder can raise, hang or be carried out twice."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._immovable: Set[str] = set()       # told no once; they must not keep others waiting

    def empty(self) -> None:
        """Forget what was asked of, and answered by, an earlier daemon."""
        for name in self._names():
            _remove(os.path.join(self.folder, name))

    def answer(self, carry_out: Callable[[Mapping[str, Any]], Answer]) -> None:
        """Carry out what is asked, at most 64 requests a turn."""
        names = self._names()
        asked = [name for name in names if name.endswith(REQUEST)]
        self._immovable.intersection_update(asked)
        for name in [name for name in asked if name not in self._immovable][:ANSWERED_A_TURN]:
            path = os.path.join(self.folder, name)
            try:
                _put(path[: -len(REQUEST)] + ANSWER, json.dumps(self._answer(path, carry_out)).encode("ascii"))
            except Withdrawn:
                pass
            except OSError:
                pass            # a full disk: who asked is told that there was no answer in time
        if len(names) - len(asked) > MOST_LEFT_BEHIND:
            for name in set(names).difference(asked):
                _remove(os.path.join(self.folder, name))

    def _answer(self, path: str, carry_out: Callable[[Mapping[str, Any]], Answer]) -> Answer:
        try:
            return carry_out(self._taken(path))
        except ORDINARY as problem:
            told = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
            return {"ok": False, "text": f"it was not carried out: {told[:300]}", "exit": 1}

    def _taken(self, path: str) -> Mapping[str, Any]:
        """The request, which is gone from the folder before anything is done about it."""
        try:
            content = _read(path)
        except FileNotFoundError:
            raise Withdrawn from None
        finally:
            if not _remove(path):
                self._immovable.add(os.path.basename(path))
        if os.path.basename(path) in self._immovable:
            raise OSError(errno.EPERM, "its file cannot be removed, and it would be carried out again and again")
        request = json.loads(content)
        if not isinstance(request, dict):
            raise ValueError("a request is a mapping")
        return request

    def _names(self) -> List[str]:
        """What lies there; a folder that is gone is made again."""
        try:
            return sorted(os.listdir(self.folder))
        except FileNotFoundError:
            pass
        except OSError:
            return []
        try:
            os.mkdir(self.folder, 0o700)
        except OSError:
            pass                # tried again in the next turn
        return []


def _read(path: str) -> bytes:
    # Not blocking, for a FIFO of that name must not hold us; os.open closes it on exec by itself.
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | NO_FOLLOW)
    try:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in (0, os.geteuid()):
            raise PermissionError(errno.EPERM, "it is not a regular file of the user who runs the agent")
        content = os.read(number, REQUEST_BYTES + 1)
    finally:
        os.close(number)
    if len(content) > REQUEST_BYTES:
        raise ValueError("it is too long")
    return content


def _put(path: str, content: bytes) -> None:
    """Whole or not at all. Raises OSError."""
    fresh = path + FRESH
    try:
        number = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW, 0o600)
        try:
            while content:
                content = content[os.write(number, content):]
        finally:
            os.close(number)
        os.replace(fresh, path)
    except OSError:
        _remove(fresh)
        raise


def _remove(path: str) -> bool:
    """False when it is still there."""
    try:
        # Not left to unlink to refuse: on some systems it does not refuse root.
        (os.rmdir if stat.S_ISDIR(os.lstat(path).st_mode) else os.unlink)(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
