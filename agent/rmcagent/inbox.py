"""Requests to the running daemon: files in a folder that is ours alone, each carried out once and answered beside itself."""
from __future__ import annotations

import errno
import json
import math
import os
import stat
from typing import Any, Callable, Dict, List, Mapping, Optional, Set, Tuple

from rmcagent.clock import Clock

REQUEST, TAKEN, ANSWER, FRESH = ".request", ".taken", ".answer", ".new"
BOOT, UNTIL = "boot", "until"   # of the sender: beyond that monotonic second, or in another boot, nobody waits
REQUEST_BYTES = 64 * 1024
ANSWERED_A_TURN = 64
MOST_LEFT_BEHIND = 256          # answers nobody came for, and the like
POLL_SECONDS = 0.02
CLAIMED_SECONDS = 5.0           # of patience beyond the time for what is being carried out
LONGEST_WAIT = 3600.0           # whoever waits longer counts by the clock of another boot
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)

Answer = Dict[str, Any]         # {"ok", "text", "exit"}
Claim = Callable[[], None]      # to be called before anything is done for a request; raises Withdrawn or Unfit
CarryOut = Callable[[Mapping[str, Any], Claim], Answer]

LATE = "the daemon came to it too late"
NOT_DONE: Answer = {"ok": False, "exit": 1, "text": "the daemon did not answer in time; it was withdrawn, and nothing was done"}
MAY_BE_DONE: Answer = {"ok": False, "exit": 1, "text": "the daemon did not answer in time; it may still be carried out: "
                                                       "rmcagent status tells"}


class Withdrawn(Exception):
    """Nobody waits for an answer any more."""


class Unfit(Exception):
    """It cannot be carried out as it was asked; the text says why. Nothing was done."""


def ask(folder: str, request: Mapping[str, Any], boot: str, knock: Callable[[], None], clock: Clock, seconds: float) -> Answer:
    """Put a request, `knock` at the daemon and wait. However this ends, the request is withdrawn, unless it is done already."""
    # A name nobody ever had: an answer to an earlier process of this number must not be taken for ours.
    name = os.path.join(folder, f"{os.getpid()}-{os.urandom(8).hex()}")
    until = clock.monotonic() + seconds
    try:
        _put(name + REQUEST, json.dumps({**request, BOOT: boot, UNTIL: until}).encode("ascii"))
        knock()
        answer = _awaited(name + ANSWER, clock, until)
        if answer is None and _withdrawn(name):
            return NOT_DONE
        return answer or _awaited(name + ANSWER, clock, clock.monotonic() + CLAIMED_SECONDS) or MAY_BE_DONE
    finally:
        _withdrawn(name)
        _remove(name + ANSWER)


def _withdrawn(name: str) -> bool:
    """Whether it was still ours to withdraw: who removes it has it, we or the daemon. In this order, in which it is renamed."""
    return any([_unlinked(name + kind) for kind in (REQUEST, TAKEN)])


def _unlinked(path: str) -> bool:
    try:
        os.unlink(path)
    except OSError:
        return False
    return True


def _awaited(path: str, clock: Clock, until: float) -> Optional[Answer]:
    while clock.monotonic() < until:
        answer = _answered(path)
        if answer is not None:
            return answer
        clock.sleep(POLL_SECONDS)
    return None


def _answered(path: str) -> Optional[Answer]:
    """The answer, once there is a whole one; whatever else lies there is none, for it may still become one."""
    try:
        answer = json.loads(_read(path))
    except (OSError, ValueError, RecursionError, Unfit):
        return None
    kinds = {"ok": bool, "text": str, "exit": int}
    whole = isinstance(answer, dict) and all(type(answer.get(key)) is kind for key, kind in kinds.items())
    return answer if whole else None


class Inbox:
    """The daemon's end. Nothing that lies in the folder can raise, hang or be carried out twice."""

    def __init__(self, folder: str, clock: Clock) -> None:
        self.folder, self.clock = folder, clock
        self._immovable: Set[str] = set()       # told no once; they must not keep others waiting

    def empty(self) -> None:
        """Forget what was asked of, and answered by, an earlier daemon."""
        for name in self._names():
            _remove(os.path.join(self.folder, name))

    def answer(self, carry_out: CarryOut, boot: str) -> None:
        """Carry out what is asked in this boot, at most 64 requests a turn."""
        names = self._names()
        asked = [name for name in names if name.endswith(REQUEST)]
        self._immovable.intersection_update(asked)
        for name in [name for name in asked if name not in self._immovable][:ANSWERED_A_TURN]:
            path = os.path.join(self.folder, name[: -len(REQUEST)])
            try:
                _put(path + ANSWER, json.dumps(self._answer(path, carry_out, boot)).encode("ascii"))
            except (Withdrawn, OSError):
                pass            # a full disk: who asked is told that there was no answer in time
            _remove(path + TAKEN)
        if len(names) - len(asked) > MOST_LEFT_BEHIND:
            for name in set(names).difference(asked):
                _remove(os.path.join(self.folder, name))

    def _answer(self, path: str, carry_out: CarryOut, boot: str) -> Answer:
        try:
            request, until = _fit(self._taken(path), boot, self.clock.monotonic())
            return carry_out(request, lambda: self._claim(path + TAKEN, until))
        except (Unfit, OSError) as problem:
            told = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
            return {"ok": False, "text": f"it was not carried out: {told[:300]}", "exit": 1}

    def _taken(self, path: str) -> bytes:
        """The request, which no turn takes up again, and which whoever asked may withdraw until it is claimed."""
        try:
            os.replace(path + REQUEST, path + TAKEN)
        except FileNotFoundError:
            raise Withdrawn from None
        except OSError:
            self._immovable.add(os.path.basename(path + REQUEST))
            raise OSError(errno.EPERM, "its file cannot be renamed, and it would be carried out again and again") from None
        try:
            return _read(path + TAKEN)
        except FileNotFoundError:
            raise Withdrawn from None

    def _claim(self, path: str, until: float) -> None:
        """From here on it is carried out; raises Withdrawn, or Unfit, where nobody waits for that any more."""
        if self.clock.monotonic() >= until:
            raise Unfit(LATE)
        try:
            os.unlink(path)
        except FileNotFoundError:
            raise Withdrawn from None

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


def _fit(content: bytes, boot: str, now: float) -> Tuple[Mapping[str, Any], float]:
    """What is asked, and until when somebody waits for it. Raises Unfit."""
    try:
        request = json.loads(content)
    except (ValueError, RecursionError) as problem:
        raise Unfit(str(problem)) from None
    if not isinstance(request, dict):
        raise Unfit("a request is a mapping")
    until: Any = request.get(UNTIL)
    if type(until) not in (int, float) or not math.isfinite(until) or request.get(BOOT) != boot or until > now + LONGEST_WAIT:
        raise Unfit("it is not of this boot")
    if until <= now:
        raise Unfit(LATE)
    return {key: value for key, value in request.items() if key not in (BOOT, UNTIL)}, float(until)


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
        raise Unfit("it is too long")
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
    except BaseException:       # Ctrl-C as well
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
