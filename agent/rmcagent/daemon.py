"""The process: signals, lock, readiness, watchdog, sleeping, publishing, requests, its own crashes; knows nothing of RMC."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from rmcagent import __version__
from rmcagent.clock import Steady, SystemClock
from rmcagent.config import ConfigError, Loaded, Settings, load
from rmcagent.cycle import Cycle
from rmcagent.ledger import Ledger
from rmcagent.partition.host import SystemHost, limit_files
from rmcagent.partition.platform import Place, place
from rmcagent.report import Event, Reporter, publish
from rmcagent.show import document

CRASHES_ALLOWED = 3
CRASH_SPAN = 15 * 60.0  # that many within this: observe only
QUIET_SPAN = 60 * 60.0  # until none has happened for this long
ANSWER_SECONDS = 10.0
REQUEST_BYTES = 64 * 1024
LOCKED = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK)  # AIX says EACCES


class Locked(Exception):
    """Another rmcagent holds the lock."""


def run(loaded: Loaded, config_path: str) -> int:
    """Be the daemon until a signal ends it. Raises PermissionError, Locked or OSError where it cannot even begin."""
    return Daemon(loaded, config_path).run()


def plan(loaded: Loaded, config_path: str = "") -> Dict[str, Any]:
    """One live pass that changes nothing: the document of what would be done now."""
    host, clock = SystemHost(), SystemClock()
    here = place(host, loaded.settings)
    boot = host.vitals(here.commands["rmcctrl"]).boot
    ledger = Ledger(os.path.join(here.paths["state"], "ledger.jsonl"), clock, boot, read_only=True)
    cycle = Cycle(
        host,
        here,
        loaded.settings,
        ledger,
        lambda event: None,
        os.path.join(os.path.dirname(os.path.abspath(config_path)), "maintenance"),
    )
    view = cycle.glance()
    return document(view, loaded.settings, _local(ledger.steady), {"version": __version__, "why": ledger.decisions})


def ask(settings: Settings, request: Mapping[str, Any]) -> Dict[str, Any]:
    """Hand a request to the running daemon and wait for its answer: {"ok", "text", "exit"}."""
    here = place(SystemHost(), settings)
    state = here.paths["state"]
    pid = _holder(state)
    if pid is None:
        return {"ok": False, "text": "the daemon is not running; start it, then ask again", "exit": 7}
    inbox = os.path.join(state, "inbox")
    name = os.path.join(inbox, f"{os.getpid()}")
    _put(f"{name}.new", json.dumps(dict(request)).encode("ascii"))
    os.replace(f"{name}.new", f"{name}.request")
    os.kill(pid, signal.SIGUSR1)
    clock = SystemClock()
    until = clock.monotonic() + ANSWER_SECONDS + settings.cadence.pulse.total_seconds()
    while clock.monotonic() < until:
        try:
            with open(f"{name}.answer", "rb") as file:
                answer: Dict[str, Any] = json.load(file)
            os.unlink(f"{name}.answer")
            return answer
        except (FileNotFoundError, ValueError):
            clock.sleep(0.02)
    try:
        os.unlink(f"{name}.request")  # withdrawn, so that it is not carried out when nobody expects it any more
    except FileNotFoundError:
        pass
    return {"ok": False, "text": "the daemon did not answer in time; see rmcagent status", "exit": 1}


class Daemon:
    def __init__(self, loaded: Loaded, config_path: str) -> None:
        limit_files()
        self.loaded, self.config_path = loaded, config_path
        self.host = SystemHost()
        self.place: Place = place(self.host, loaded.settings)
        self.state = self.place.paths["state"]
        self.signals: List[int] = []
        self.wake, self._poke = os.pipe()
        self.clock = SystemClock(self.wake)
        self.crashes: List[float] = []
        self.lock = -1

    def run(self) -> int:
        _make_folder(self.state)
        _make_folder(os.path.join(self.state, "inbox"))
        self.lock = _lock(os.path.join(self.state, "lock"))
        self._listen()
        boot = self.host.vitals(self.place.commands["rmcctrl"]).boot
        self.reporter = Reporter(self.loaded.settings.report, self.place.platform.value, self.clock)
        self.ledger = Ledger(os.path.join(self.state, "ledger.jsonl"), self.clock, boot)
        self.cycle = Cycle(
            self.host,
            self.place,
            self.loaded.settings,
            self.ledger,
            self.reporter.emit,
            os.path.join(os.path.dirname(os.path.abspath(self.config_path)), "maintenance"),
        )
        self.reporter.emit(
            Event(
                "RMCA1001I",
                "started",
                (
                    ("version", __version__),
                    ("policy", self.loaded.hash),
                    ("mode", self.loaded.settings.mode),
                    ("platform", self.place.platform.value),
                ),
            )
        )
        _notify("READY=1")
        published: Any = None
        while not self._asked_to_stop():
            self._answer_requests()
            seconds = self._step()
            self._report_damage()
            if self.cycle.view is not published:
                published = self.cycle.view
                self._publish()
            self.reporter.flush()
            _notify("WATCHDOG=1")
            self.clock.sleep(seconds)
            self._drain()
        return self._stop()

    def _step(self) -> float:
        """The one broad except: a mistake of ours ends the turn, not the agent; several and it only observes."""
        now = self.clock.monotonic()
        self.crashes = [at for at in self.crashes if now - at < QUIET_SPAN]
        if self.cycle.memory.crash_loop and not self.crashes:
            self.cycle.memory.crash_loop = False
        try:
            return self.cycle.step()
        except Exception:
            import traceback

            traceback.print_exc()  # stderr is SRC's console file, or the journal
            self.crashes.append(now)
            recent = [at for at in self.crashes if now - at < CRASH_SPAN]
            if len(recent) >= CRASHES_ALLOWED and not self.cycle.memory.crash_loop:
                self.cycle.memory.crash_loop = True
                self.reporter.emit(
                    Event(
                        "RMCA1008E",
                        "crash loop: observing only",
                        (
                            ("crashes", str(len(recent))),
                            ("because", traceback.format_exc(limit=-1).strip().splitlines()[-1]),
                            ("do", "see the traceback on the daemon's standard error; acts again after a quiet hour"),
                        ),
                    )
                )
            self.cycle.next_look = self.cycle.steady.now() + self.cycle.settings.cadence.look
            return self.cycle.settings.cadence.pulse.total_seconds()

    # -- signals

    def _listen(self) -> None:
        os.set_blocking(self.wake, False)
        os.set_blocking(self._poke, False)
        signal.set_wakeup_fd(self._poke, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, lambda got, frame: self.signals.append(got))

    def _drain(self) -> None:
        try:
            os.read(self.wake, 4096)
        except BlockingIOError:
            pass

    def _asked_to_stop(self) -> bool:
        if signal.SIGHUP in self.signals:
            self.signals = [number for number in self.signals if number != signal.SIGHUP]
            self._reload()
        return signal.SIGTERM in self.signals or signal.SIGINT in self.signals

    def _reload(self) -> Tuple[bool, str]:
        try:
            loaded = load(self.config_path)
        except ConfigError as problem:
            self.reporter.emit(Event("RMCA1003E", "configuration rejected, old one kept", (("mistakes", str(problem)),)))
            return False, str(problem)
        self.loaded = loaded
        here = place(self.host, loaded.settings)
        self.place = replace(here, paths={**here.paths, "state": self.state})  # the ledger stays where it is until a restart
        self.cycle.adopt(loaded.settings, self.place)
        self.reporter.close()
        self.reporter = Reporter(loaded.settings.report, self.place.platform.value, self.clock)
        self.cycle.emit = self.cycle.episodes.emit = self.cycle.deeds.emit = self.reporter.emit
        return True, f"policy {loaded.hash} is in force"

    def _stop(self) -> int:
        self.reporter.emit(Event("RMCA1002I", "stopped", (("because", "asked to"),)))
        self.reporter.flush()
        publish(
            self._status_path(),
            {
                "schema": 1,
                "verdict": "not-running",
                "version": __version__,
                "taken_at": self.clock.now().isoformat(timespec="seconds"),
            },
        )
        _notify("STOPPING=1")
        os.close(self.lock)
        return 0

    # -- publishing

    def _status_path(self) -> str:
        return os.path.join(self.place.paths["public"], "status.json")

    def _publish(self) -> None:
        extra = {
            "version": __version__,
            "pid": os.getpid(),
            "boot": self.ledger.boot,
            "monotonic": self.clock.monotonic(),
            "policy": self.loaded.hash,
            "platform": self.place.platform.value,
            "why": self.ledger.decisions[-20:],
        }
        publish(self._status_path(), document(self.cycle.view, self.loaded.settings, _local(self.ledger.steady), extra))

    def _report_damage(self) -> None:
        if self.ledger.damage or self.ledger.torn:
            because = self.ledger.damage or "its last line was torn and was dropped"
            spent = "every budget counts as spent" if self.ledger.spent_at else "no budget is lost"
            self.reporter.emit(Event("RMCA1009E", "ledger damaged", (("because", because), ("therefore", spent))))
            self.ledger.damage, self.ledger.torn = "", False

    # -- requests

    def _answer_requests(self) -> None:
        inbox = os.path.join(self.state, "inbox")
        for name in sorted(os.listdir(inbox))[:64]:
            if not name.endswith(".request"):
                continue
            path = os.path.join(inbox, name)
            try:
                with open(path, "rb") as file:
                    request = json.loads(file.read(REQUEST_BYTES))
                answer = self._answer(request)
            except (ValueError, KeyError, TypeError, OSError) as problem:
                answer = {"ok": False, "text": f"cannot carry out the request: {problem}", "exit": 1}
            os.unlink(path)
            _put(f"{path[: -len('.request')]}.answer", json.dumps(answer).encode("ascii"))

    def _answer(self, request: Mapping[str, Any]) -> Dict[str, Any]:
        what = request["do"]
        if what == "pause":
            length = timedelta(seconds=float(request["for"]))
            until = self.cycle.steady.now() + length
            self.cycle.pause(until, str(request["reason"])[:200], str(request.get("by", ""))[:60])
            return {
                "ok": True,
                "text": f"paused until {self.cycle.steady.shown(until).astimezone().isoformat(timespec='seconds')}",
                "exit": 0,
            }
        if what == "resume":
            if self.ledger.pause is None:
                return {"ok": True, "text": "nothing to resume: the agent is not paused", "exit": 0}
            self.cycle.resume("an operator said so")
            return {"ok": True, "text": "resumed", "exit": 0}
        if what == "reload":
            done, text = self._reload()
            return {"ok": done, "text": text, "exit": 0 if done else 6}
        raise ValueError(f"{what!r} is not something the daemon does")


def _local(steady: Steady) -> Callable[[datetime], datetime]:
    """Steady time as the wall clock of this place shows it, with its offset."""
    return lambda moment: steady.shown(moment).astimezone()


def _holder(state: str) -> Optional[int]:
    """The pid of the daemon that holds the lock, or None."""
    path = os.path.join(state, "lock")
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        _take(descriptor)
        return None
    except OSError as problem:
        if problem.errno not in LOCKED:
            raise
        text = os.read(descriptor, 32).decode("ascii", "replace").strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(descriptor)


def _lock(path: str) -> int:
    """Hold the lock for life; the descriptor is opened once and never again, for on AIX closing any other one would drop it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(descriptor)
    except OSError as problem:
        pid = os.read(descriptor, 32).decode("ascii", "replace").strip()
        os.close(descriptor)
        if problem.errno in LOCKED:
            raise Locked(f"cannot start: another rmcagent is running (pid {pid or 'unknown'})") from None
        raise
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode("ascii"))
    return descriptor


def _take(descriptor: int) -> None:
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _make_folder(path: str) -> None:
    os.makedirs(path, mode=0o700, exist_ok=True)
    if os.stat(path).st_uid not in (os.geteuid(), 0):
        raise PermissionError(errno.EPERM, "belongs to somebody else; it must be owned by the user who runs the agent", path)


def _put(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def _notify(state: str) -> None:
    """Tell systemd, where it started us; a datagram to the socket it named."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or sys.platform.startswith("aix"):
        return
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        try:
            sender.sendto(state.encode("ascii"), "\0" + address[1:] if address.startswith("@") else address)
        except OSError:
            pass  # readiness is a courtesy; the watchdog's absence is systemd's to act on
