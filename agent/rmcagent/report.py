"""Event -> syslog and log file; document -> the public folder. Nothing here waits, or raises for what it cannot write."""
from __future__ import annotations

import errno
import os
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Deque, Dict, List, Mapping, NamedTuple, Optional, Tuple

from rmcagent.clock import Clock

if TYPE_CHECKING:
    import socket

    from rmcagent.config import Report

LINE_BYTES = 900
LINES_AN_HOUR = 60
QUEUED_LINES = 256
HOUR = 3600.0
DOTS = 3
FILE_BYTES = 1 << 20
FRESH_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0)
FILES = 5                                 # the current one and four older: 5 MiB at most


class Meaning(NamedTuple):
    level: str                            # I | N | W | E
    name: str
    meaning: str


# The one table behind syslog, the catalogue, the man page and their test.
EVENTS: Mapping[str, Meaning] = {
    "RMCA1001I": Meaning("I", "started", "The agent started, with this version, policy and mode."),
    "RMCA1002I": Meaning("I", "stopped", "The agent stopped because it was asked to."),
    "RMCA1003E": Meaning("E", "configuration rejected", "The new configuration has mistakes; the old one stays in force."),
    "RMCA1004N": Meaning("N", "paused", "An administrator paused the agent: it looks, and runs no remedy."),
    "RMCA1005N": Meaning("N", "resumed", "The pause ended, or was ended."),
    "RMCA1006W": Meaning("W", "blind", "The agent cannot observe RMC, and therefore runs no remedy."),
    "RMCA1007N": Meaning("N", "sees again", "The agent can observe RMC again."),
    "RMCA1008E": Meaning("E", "crash loop", "The agent failed several times in a row; it observes only."),
    "RMCA1009E": Meaning("E", "ledger damaged", "The ledger cannot be trusted, so every budget counts as spent."),
    "RMCA2001W": Meaning("W", "problem found", "Something is wrong with RMC, or with what it needs."),
    "RMCA2002N": Meaning("N", "problem gone", "A problem is over, healed by the agent or by itself."),
    "RMCA3001N": Meaning("N", "remedy begun", "A remedy was begun; it is judged after its settle time."),
    "RMCA3002N": Meaning("N", "remedy healed it", "A later look showed that the remedy healed the fault."),
    "RMCA3003W": Meaning("W", "remedy changed nothing", "The fault is still there or untold, or the remedy was cut short."),
    "RMCA3004W": Meaning("W", "remedy refused", "A guard forbids the remedy; the line says why, and what would unblock it."),
    "RMCA3005N": Meaning("N", "shadow: would have", "In shadow mode: what the agent would have done now."),
    "RMCA3006W": Meaning("W", "interrupted remedy finished", "A remedy cut short earlier was brought to its end."),
    "RMCA3007W": Meaning("W", "node id changed", "This partition's RSCT node id is not what it was."),
    "RMCA4001E": Meaning("E", "needs a human", "What may be done here was done, or helps nothing: what a human does."),
    "RMCA4002W": Meaning("W", "cause is elsewhere", "The cause is not on this partition; the line says what to do where."),
}

SEVERITIES = {"I": 6, "N": 5, "W": 4, "E": 3}
FACILITIES = ("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
              "ntp", "security", "console", "clock", *(f"local{number}" for number in range(8)))
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")    # strftime's follow the locale

# What undoes what: after "resumed" the same "paused" is news again, not a repeat.
OPPOSITES = {"RMCA1001I": "RMCA1002I", "RMCA1004N": "RMCA1005N", "RMCA1006W": "RMCA1007N", "RMCA2001W": "RMCA2002N"}
OPPOSITES.update({undone: done for done, undone in tuple(OPPOSITES.items())})


@dataclass(frozen=True)
class Event:
    """One thing to report: a code of EVENTS, the short word after it, and the fields in their order."""

    code: str
    word: str
    fields: Tuple[Tuple[str, str], ...] = ()

    @property
    def level(self) -> str:
        return self.code[-1:]


def line(event: Event) -> str:
    """One ASCII line of at most 900 bytes: code, word, key=value; long values are cut alike, and end in `...`."""
    text = f"{_plain(event.code, 32)} {_plain(event.word, 80)}"
    room = LINE_BYTES - len(text)
    fields: List[Tuple[str, List[str], bool]] = []
    for key, value in event.fields:
        units, quoted = _units(value)
        key = f" {_plain(key, 40)}="
        room -= len(key) + (2 if quoted else 0)
        fields.append((key, units, quoted))
        if room < DOTS * (len(fields) + 3):             # not even cut ones fit any more
            fields.pop()
            fields.append((" more=", ["."] * DOTS, False))
            room += len(key) + (2 if quoted else 0) - len(" more=")
            break
    share = _fair_share([sum(map(len, units)) for _, units, _ in fields], room)
    return text + "".join(key + _fitted(units, share, quoted) for key, units, quoted in fields)


def _plain(text: str, most: int) -> str:
    return "".join(_units(text[:most])[0])[:most]


def _units(value: str) -> Tuple[List[str], bool]:
    """The value's characters, each escaped where it must be, so that a cut never splits one; and whether it needs quotes."""
    if value.isalnum() and value.isascii():
        return list(value[:LINE_BYTES]), False
    quoted = not value or any(character in ' "=\\' or not " " < character <= "~" for character in value)
    return [_escaped(character) for character in value[:LINE_BYTES]], quoted


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if " " <= character <= "~":
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _fair_share(lengths: List[int], room: int) -> int:
    """The longest that every value may be, so that all together fit; short ones leave what they do not need to the others."""
    ordered = sorted(lengths)
    for position, length in enumerate(ordered):
        share = room // (len(ordered) - position)
        if length > share:
            return max(0, share)
        room -= length
    return LINE_BYTES


def _fitted(text: List[str], room: int, quoted: bool) -> str:
    whole = "".join(text)
    if len(whole) > room:
        kept = ""
        for unit in text:
            if len(kept) + len(unit) > room - DOTS:
                break
            kept += unit
        whole = kept + "..."
    return f'"{whole}"' if quoted else whole


class Reporter:
    """Tells of events wherever the settings say, in at most 60 lines an hour besides those of level E."""

    def __init__(self, settings: Report, platform: str, clock: Clock, pid: Optional[int] = None) -> None:
        self.clock = clock
        self.tag = f"rmcagent[{os.getpid() if pid is None else pid}]"
        self.facility = FACILITIES.index(settings.syslog.facility) if settings.syslog.facility in FACILITIES else 3
        self.syslog = Syslog("/dev/log" if settings.syslog.socket == "auto" else settings.syslog.socket)
        self.path = _file(settings.file, platform)
        self.written: Deque[float] = deque(maxlen=LINES_AN_HOUR)
        self.held: Dict[str, int] = {}                       # code: events held back
        self.held_since = 0.0
        self.said: Dict[str, Said] = {}                      # line: when, and how often since

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
        now = self.clock.monotonic()
        self._forget([text for text, said in self.said.items() if now - said.at >= HOUR])
        if self.held and now - self.held_since >= HOUR:
            held, self.held = self.held, {}
            gravest = min(held, key=lambda code: SEVERITIES.get(code[-1:], 7))
            codes = " ".join(f"{code}*{count}" for code, count in sorted(held.items()))
            self._write(Event(gravest, "further events held back", (("events", str(sum(held.values()))), ("codes", codes))))

    def close(self) -> None:
        """Let go of syslog, as before another Reporter takes over."""
        self.syslog.close()

    def _forget(self, lines: List[str]) -> None:
        """From now on these lines are news again; those that were repeated are said once more, with the count."""
        for text in lines:
            said = self.said.pop(text)
            if said.repeats:
                self._spoken(Event(said.event.code, said.event.word, (("repeated", str(said.repeats)), *said.event.fields)))

    def _spoken(self, event: Event, text: Optional[str] = None) -> bool:
        if event.level != "E" and not self._free():
            self.held_since = self.held_since if self.held else self.clock.monotonic()
            self.held[event.code] = self.held.get(event.code, 0) + 1
            return False
        self._write(event, text)
        return True

    def _free(self) -> bool:
        return len(self.written) < LINES_AN_HOUR or self.written[0] <= self.clock.monotonic() - HOUR

    def _write(self, event: Event, text: Optional[str] = None) -> None:
        self.written.append(self.clock.monotonic())
        local = self.clock.now().astimezone()
        said = f"{self.tag}: {text or line(event)}"
        priority = self.facility * 8 + SEVERITIES.get(event.level, 6)
        self.syslog.send(f"<{priority}>{_stamp(local)} {said}".encode("ascii"))
        if self.path:
            _append(self.path, f"{local.isoformat(timespec='seconds')} {said}\n".encode("ascii"))


@dataclass
class Said:
    event: Event
    at: float
    repeats: int = 0


def _stamp(local: datetime) -> str:
    return f"{MONTHS[local.month - 1]} {local.day:2d} {local:%H:%M:%S}"


def _file(wanted: str, platform: str) -> Optional[str]:
    if wanted == "auto":
        return None if platform == "linux" else "/var/log/rmcagent/rmcagent.log"
    return None if wanted == "off" else wanted


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
        there = _identity(self.path)
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
        notice = self._notice()
        if notice:
            self.queue.appendleft(notice)
        alive = self._passed_on()
        if notice and self.queue and self.queue[0] is notice and not self.sent:
            self.queue.popleft()          # not told yet, and the count may grow
        elif notice:
            self.lost = 0
        return alive

    def _notice(self) -> Optional[bytes]:
        """How many lines were lost while nobody listened, under the code and priority of the first that was not."""
        if not self.lost or self.sent:
            return None
        head, _, text = self.queue[0].partition(b"]: ")
        return head + b"]: " + text.split(b" ", 1)[0] + b" earlier lines lost lines=%d" % self.lost

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

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
        self.socket, self.socket_is, self.sent = None, None, 0


def _identity(path: str) -> Optional[Tuple[int, int]]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _append(path: str, text: bytes) -> None:
    """Add a line to the log file, rotated at 1 MiB; a file that cannot be written is left alone."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0)
    try:
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        if _size(path) + len(text) > FILE_BYTES:
            for number in range(FILES - 1, 0, -1):
                older = f"{path}.{number - 1}" if number > 1 else path
                if os.path.exists(older):
                    os.replace(older, f"{path}.{number}")
        descriptor = os.open(path, flags, 0o600)
        try:
            os.write(descriptor, text)
        finally:
            os.close(descriptor)
    except (OSError, ValueError):         # ValueError: a NUL in the path
        return


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def publish(path: str, document: Mapping[str, Any]) -> bool:
    """Replace the file at `path` by the document at once, for everyone to read; False when it cannot be written."""
    import json

    text = json.dumps(document, sort_keys=True, ensure_ascii=True, indent=1).encode("ascii") + b"\n"
    folder = os.path.dirname(path)
    temporary = os.path.join(folder, f".{os.path.basename(path)}.new")
    try:
        if not os.path.isdir(folder):
            os.makedirs(folder)
            os.chmod(folder, 0o755)       # whatever our umask is
        _remove(temporary)                # whatever lies there: a link would be written through, a FIFO would hold us
        with open(os.open(temporary, FRESH_FILE, 0o600), "wb") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
        os.replace(temporary, path)
    except (OSError, ValueError):
        _remove(temporary)
        return False
    return True


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except (OSError, ValueError):
        return
