"""The syslog socket: lines pass to it at once, or wait for it to come back, a bounded number of them. Never waits."""
from __future__ import annotations

import errno
import os
from collections import deque
from typing import TYPE_CHECKING, Deque, Optional, Tuple

from rmcagent.report.text import of_lost

if TYPE_CHECKING:
    import socket

QUEUED_LINES = 256


class Syslog:
    """A local syslog socket: datagrams, or a stream where it is one; what it does not take now is kept, the newest 256 lines."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.queue: Deque[bytes] = deque()
        self.lost = 0
        self.socket: Optional[socket.socket] = None
        self.socket_is: Optional[Tuple[int, int]] = None
        self.stream = False
        self.sent = 0                     # of the first line, on a stream

    def send(self, message: bytes) -> None:
        """Pass the line on, or keep it until the socket is back; never waits."""
        self.queue.append(message)
        self.flush()
        while len(self.queue) > QUEUED_LINES:
            del self.queue[1 if self.sent else 0]        # never half a line
            self.lost += 1

    def flush(self) -> None:
        """Pass on what is kept, oldest first."""
        if self.queue and self._connected() and not self._drained() and self._connected():
            self._drained()               # once more: the first failure may only have shown that syslogd was restarted

    def _connected(self) -> bool:
        """Connect, again if the socket was replaced: its old owner may still be there, and read nothing we send."""
        there = identity_of(self.path)
        if self.socket is not None and there == self.socket_is:
            return True
        self.close()
        if there is None:
            return False
        import socket

        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            made = socket.socket(socket.AF_UNIX, kind)
            try:
                made.setblocking(False)
                made.connect(self.path)
            except OSError as reason:
                made.close()
                if reason.errno != errno.EPROTOTYPE:
                    return False
            else:
                self.socket, self.socket_is, self.stream = made, there, kind == socket.SOCK_STREAM
                return True
        return False

    def _drained(self) -> bool:
        """Pass on what the sink takes, a count of the lost lines first; False when the connection proved dead."""
        notice = of_lost(self.queue[0], self.lost) if self.lost and not self.sent else None
        if notice:
            self.queue.appendleft(notice)
        alive = self._passed_on()
        if notice and self.queue and self.queue[0] is notice and not self.sent:
            self.queue.popleft()          # not told yet, and the count may grow
        elif notice:
            self.lost = 0
        return alive

    def _passed_on(self) -> bool:
        while self.queue and self.socket is not None:
            message = self.queue[0] + b"\n" if self.stream else self.queue[0]
            try:
                self.sent += self.socket.send(message[self.sent:])
            except (BlockingIOError, InterruptedError):
                return True
            except OSError as reason:
                if reason.errno == errno.ENOBUFS:
                    return True
                if reason.errno == errno.EMSGSIZE:
                    self.sent = len(message)             # it will never go through, and must not hold up the others
                else:
                    self.close()
                    return False
            if not self.stream or self.sent >= len(message):
                self.queue.popleft()
                self.sent = 0
        return True

    def heir(self, path: str) -> Syslog:
        """What goes to `path` from now on, beginning with what still waits here."""
        if path == self.path:
            return self
        self.close()
        heir = Syslog(path)
        heir.queue, heir.lost = self.queue, self.lost
        return heir

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
        self.socket, self.socket_is, self.sent = None, None, 0


def identity_of(path: str) -> Optional[Tuple[int, int]]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
