"""The systemd journal: an event with its native fields, through systemd-python where it is installed. Never waits."""
from __future__ import annotations

import os
import re
from typing import Callable, Dict, Optional

from rmcagent.report.events import EVENTS, Event
from rmcagent.report.text import escaped

SOCKET = "/run/systemd/journal/socket"
SYSLOG_OF_JOURNALD = "/run/systemd/"      # where /dev/log leads to, when journald reads it
FIELDS = 32
NAME_BYTES = 64                           # the longest name that journald keeps


class Journal:
    """Sends to journald by `sendv`, which takes KEY=value strings, writes them in one datagram, and raises OSError."""

    def __init__(self, sendv: Callable[..., object], path: str = SOCKET) -> None:
        self.sendv = sendv
        self.path = path

    def send(self, event: Event, text: str, facility: int, pid: int) -> bool:
        """Hand the event on; False when journald does not take it now, so that it must go elsewhere."""
        if not _takes(self.path):
            return False
        try:
            self.sendv(*(f"{name}={value}" for name, value in fields(event, text, facility, pid).items()))
        except OSError:
            return False
        return True


def opened(path: str = SOCKET) -> Optional[Journal]:
    """The journal of this machine, if it has one and systemd-python is there to write to it."""
    if not os.path.exists(path):
        return None
    try:
        # What systemd.journal hands on as its own; that one brings logging along, 2 MB and 50 ms of it.
        from systemd._journal import sendv  # type: ignore
    except ImportError:
        return None
    return Journal(sendv, path)


def behind(socket: str = "/dev/log") -> bool:
    """True unless a syslogd of its own reads this socket: what is told to both journald and syslog would stand there twice."""
    return not os.path.exists(socket) or os.path.realpath(socket).startswith(SYSLOG_OF_JOURNALD)


def fields(event: Event, text: str, facility: int, pid: int) -> Dict[str, str]:
    """The entry. Its MESSAGE_ID is left out where the catalogue's text would name fields that this event has not."""
    told: Dict[str, str] = {"MESSAGE": text}
    known = EVENTS.get(event.code)
    if known is not None and {*known.shows} <= {key for key, _ in event.fields[:FIELDS]}:
        told["MESSAGE_ID"] = known.message_id
    told.update(PRIORITY=str(event.severity), SYSLOG_IDENTIFIER="rmcagent", SYSLOG_FACILITY=str(facility), SYSLOG_PID=str(pid),
                RMCAGENT_CODE=escaped(event.code))
    for key, value in event.fields[:FIELDS]:
        told.setdefault(named(key), escaped(value))
    return told


def named(key: str) -> str:
    """The journal's name for a field: capitals, digits and underscores."""
    return ("RMCAGENT_" + re.sub(r"[^A-Z0-9_]", "_", key[:NAME_BYTES].upper()))[:NAME_BYTES]


def _takes(path: str) -> bool:
    """True when journald would take a datagram now. systemd-python's own socket waits while journald's queue is full, so ours
    is asked first; what others may put there in between is the microseconds' risk that remains."""
    import select
    import socket

    asked = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        asked.setblocking(False)
        asked.connect(path)
        return bool(select.select([], [asked], [], 0)[1])
    except (OSError, ValueError):
        return False
    finally:
        asked.close()
