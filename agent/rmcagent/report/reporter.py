"""Reporter: which events are told, which are only counted, and to whom they go. Nothing here waits, or raises for a sink."""
from __future__ import annotations

import os
from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Callable, Deque, Dict, List, Optional

from rmcagent.clock import Clock
from rmcagent.frozen import dataclass
from rmcagent.report.events import SEVERITIES, Event
from rmcagent.report.files import HANGS, Aside, Once, append, log_path
from rmcagent.report.syslog import QUEUED_LINES, Syslog
from rmcagent.report.text import line, rfc3164, rfc5424

if TYPE_CHECKING:
    from rmcagent.config import Report
    from rmcagent.report.errlog import ErrorLog
    from rmcagent.report.journal import Journal
    from rmcagent.report.kept import Kept

LINES_AN_HOUR = 60
HOUR = 3600.0
RECENT = 8
DEV_LOG = "/dev/log"
FACILITIES = ("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
              "ntp", "security", "console", "clock", *(f"local{number}" for number in range(8)))

# What undoes what: after "resumed" the same "paused" is news again, not a repeat.
OPPOSITES = {"RMCA1001I": "RMCA1002I", "RMCA1004N": "RMCA1005N", "RMCA1006W": "RMCA1007N", "RMCA2001W": "RMCA2002N"}
OPPOSITES.update({undone: done for done, undone in tuple(OPPOSITES.items())})


class Reporter:
    """Tells of events wherever the settings say, in at most 60 lines an hour besides those of level E.

    `errlogger` enters a text into AIX's error log. The folder `state` keeps, for history, what is told and what found no line.
    What it has to `complain` of is a log file that cannot be written.
    """

    def __init__(self, settings: Report, platform: str, clock: Clock, pid: Optional[int] = None,
                 errlogger: Optional[Callable[[str], object]] = None, state: str = "",
                 complain: Callable[[str], object] = lambda text: None) -> None:
        self.clock = clock
        self.pid = os.getpid() if pid is None else pid
        self.errlogger = errlogger
        self.kept = _kept(state) if state else None
        self.aside, self.once = Aside(), Once(complain)
        self.unlogged: Deque[bytes] = deque(maxlen=QUEUED_LINES)      # while the log file's last writer hangs
        self.syslog = Syslog("")
        self.journal: Optional[Journal] = None
        self.errlog: Optional[ErrorLog] = None
        self.written: Deque[float] = deque(maxlen=LINES_AN_HOUR)
        self.held: Dict[str, int] = {}                       # code: events held back
        self.held_since = 0.0
        self.said: Dict[str, Said] = {}                      # line: when, and how often since
        self.counts: Dict[str, int] = {}                     # code: how often it was told
        self.recent: Deque[Dict[str, str]] = deque(maxlen=RECENT)
        self.adopt(settings, platform)

    def adopt(self, settings: Report, platform: str) -> None:
        """From now on tell it there; what was said, counted and kept for a sink stays."""
        syslog = settings.syslog
        self.facility = FACILITIES.index(syslog.facility) if syslog.facility in FACILITIES else 3
        self.modern = syslog.format == "rfc5424"
        self.syslog = self.syslog.heir(DEV_LOG if syslog.socket == "auto" else syslog.socket)
        self.path = log_path(settings.file, platform)
        self.journal = _journal() if settings.journal == "auto" and platform == "linux" else None
        self.twice = self.journal is not None and (syslog.socket != "auto" or not _journald_reads_syslog())
        if settings.errlog == "off" or platform == "linux" or self.errlogger is None:
            self.errlog = None
        elif self.errlog is None:
            self.errlog = _error_log(self.errlogger, self.clock)

    def emit(self, event: Event) -> None:
        """Write the event's line, or count it: a repeat within the hour, or one line too many in it."""
        self.flush()
        text = line(event)
        if text in self.said:
            self.said[text].repeats += 1
            return
        self._forget([said for said, at in self.said.items() if at.event.code == OPPOSITES.get(event.code)])
        if self._spoken(event, text):
            self._forget(list(self.said)[:len(self.said) - QUEUED_LINES + 1])
            self.said[text] = Said(event, self.clock.monotonic())

    def flush(self) -> None:
        """Write what waits for a sink or for its hour to pass; to be called at every look."""
        self.syslog.flush()
        self._log()
        now = self.clock.monotonic()
        self._forget([text for text, said in self.said.items() if now - said.at >= HOUR])
        if self.held and now - self.held_since >= HOUR:
            held, self.held = self.held, {}
            gravest = min(held, key=lambda code: SEVERITIES.get(code[-1:], 7))
            codes = " ".join(f"{code}*{count}" for code, count in sorted(held.items()))
            self._write(Event(gravest, "further events held back", (("events", str(sum(held.values()))), ("codes", codes))))

    def close(self) -> None:
        """Let go of syslog."""
        self.syslog.close()

    def _forget(self, lines: List[str]) -> None:
        """From now on these lines are news again; those that were repeated are said once more, with the count."""
        for text in lines:
            said = self.said.pop(text)
            if said.repeats:
                self._spoken(Event(said.event.code, said.event.word, (("repeated", str(said.repeats)), *said.event.fields)))

    def _spoken(self, event: Event, text: Optional[str] = None) -> bool:
        if self.kept is not None:         # with or without a line: a problem whose end found none would be open there for ever
            self.kept.write(event, self.clock.now().astimezone())
        if event.level != "E" and not self._free():
            self.held_since = self.held_since if self.held else self.clock.monotonic()
            self.held[event.code] = self.held.get(event.code, 0) + 1
            return False
        self._write(event, text)
        return True

    def _free(self) -> bool:
        return len(self.written) < LINES_AN_HOUR or self.written[0] <= self.clock.monotonic() - HOUR

    def _write(self, event: Event, spelt: Optional[str] = None) -> None:
        text = spelt or line(event)
        local = self.clock.now().astimezone()
        at = local.isoformat(timespec="seconds")
        self.written.append(self.clock.monotonic())
        self.counts[event.code] = self.counts.get(event.code, 0) + 1
        self.recent.append({"at": at, "code": event.code, "text": text[len(event.code) + 1:]})
        journalled = self.journal is not None and self.journal.send(event, text, self.facility, self.pid)
        if self.twice or not journalled:
            self.syslog.send(self._message(event, text, local))
        if self.path:
            self.unlogged.append(f"{at} rmcagent[{self.pid}]: {text}\n".encode("ascii"))
            self._log()                   # at once: before a remedy's end, which may be minutes away, or ours
        if self.errlog is not None:
            self.errlog.send(event)

    def _log(self) -> None:
        if not self.path:
            self.unlogged.clear()
        if not self.unlogged:
            return
        path, lines = self.path or "", b"".join(self.unlogged)
        problem = self.aside.do(lambda: append(path, lines))
        if problem != HANGS:
            self.unlogged.clear()
        self.once.say(f"cannot write {path}: {problem}; report.file names it, or is off" if problem else "")

    def _message(self, event: Event, text: str, local: datetime) -> bytes:
        priority = self.facility * 8 + event.severity
        if self.modern:
            return rfc5424(priority, local, os.uname().nodename, self.pid, event, text).encode("ascii")
        return rfc3164(priority, local, self.pid, text).encode("ascii")


@dataclass
class Said:
    event: Event
    at: float
    repeats: int = 0


# Each is loaded where it is wanted only.


def _journal() -> Optional[Journal]:
    from rmcagent.report.journal import opened

    return opened()


def _journald_reads_syslog() -> bool:
    from rmcagent.report.journal import behind

    return behind()


def _kept(state: str) -> Kept:
    from rmcagent.report.kept import Kept

    return Kept(state)


def _error_log(errlogger: Callable[[str], object], clock: Clock) -> ErrorLog:
    from rmcagent.report.errlog import ErrorLog

    return ErrorLog(errlogger, clock)
