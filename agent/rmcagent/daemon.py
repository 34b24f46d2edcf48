"""The process: signals, lock, readiness, watchdog, sleeping, publishing, requests, its own crashes; knows nothing of RMC."""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime, timedelta
from typing import Any, Callable, Dict, Mapping, Optional, Set, Tuple

from rmcagent import __version__, folders, heal, inbox, lives, lock
from rmcagent.clock import Steady, SystemClock
from rmcagent.config import ConfigError, Loaded, Settings
from rmcagent.configured import load_anew
from rmcagent.cycle import Cycle
from rmcagent.exposed import Exposed
from rmcagent.frozen import replace
from rmcagent.ledger import Ledger, lived_before
from rmcagent.life import Life
from rmcagent.lock import Locked as Locked
from rmcagent.partition.host import SystemHost, limit_files
from rmcagent.partition.platform import Place, place
from rmcagent.report import Event, Once, Reporter, publish, words
from rmcagent.show import document

ANSWER_SECONDS = 10.0
ERRLOGGER_SECONDS = 5.0
HEAL_SECONDS = 300.0  # two looks, in which most commands may hang
LONGEST_PAUSE = 365 * 86400.0
MISTAKEN = {"ok": False, "exit": 1, "text": "a mistake of ours; rmcagent status tells whether it was begun"}


def run(loaded: Loaded, config_path: str) -> int:
    """Be the daemon until a signal ends it. Raises PermissionError, Locked or OSError where it cannot even begin."""
    return Daemon(loaded, config_path).run()


def plan(loaded: Loaded, config_path: str = "", told: Optional[Mapping[str, Any]] = None) -> Dict[str, Any]:
    """One live pass that changes nothing: the document of what would be done now; `told` is what a live daemon last published."""
    from rmcagent.recalled import glance

    host, clock = SystemHost(), SystemClock()
    here = place(host, loaded.settings)
    boot = host.vitals(here.commands["rmcctrl"]).boot
    state = here.paths["state"]
    ledger = Ledger(os.path.join(state, "ledger.jsonl"), clock, boot, read_only=True, lived_before=lived_before(state))
    cycle = Cycle(
        host,
        here,
        loaded.settings,
        ledger,
        lambda event: None,
        os.path.join(os.path.dirname(os.path.abspath(config_path)), "maintenance"),
    )
    cycle.memory.crash_loop = lives.in_loop(ledger)
    view = glance(cycle, told)
    return document(view, loaded.settings, _local(ledger.steady), {"version": __version__, "why": ledger.decisions})


def plan_from(loaded: Loaded, path: str) -> Dict[str, Any]:
    """The same reasoning on captured answers: the document of what would be done once every wait is over. Raises OSError."""
    from rmcagent.partition.bundle.read import LOG_PATTERN, open_bundle

    host = open_bundle(path)
    settings = _without_waits(loaded.settings)
    log = replace(settings.log, files=(LOG_PATTERN,))
    settings = replace(settings, platform=host.platform.value, commands={}, paths={}, log=log)
    ledger = Ledger("", host.clock, host.vitals("").boot, read_only=True)
    for hmc in host.known():
        ledger.saw(hmc)
    cycle = Cycle(host, place(host, settings), settings, ledger, lambda event: None)
    view = host.completed(cycle.glance())
    facts = {"version": __version__, "platform": host.platform.value, "bundle": host.described()}
    told: Dict[str, Any] = host.plainly(document(view, settings, host.shown, facts))
    return told


def preface(document: Mapping[str, Any], columns: int) -> str:
    """What stands above a plan on captured answers."""
    from rmcagent.partition.bundle.names import preface as told

    return told(document["bundle"], columns)


def _without_waits(settings: Settings) -> Settings:
    """One look must do where the agent lets time pass; what an operator stopped is left to its own wait."""
    over = timedelta(0)
    remedies = {
        name: replace(policy, grace=over, cause_unknown=over if policy.cause_unknown else None)
        for name, policy in settings.remedies.items()
    }
    return replace(settings, remedies=remedies, guards=replace(settings.guards, boot=over, splay=over))


def ask(settings: Settings, request: Mapping[str, Any]) -> Dict[str, Any]:
    """Hand a request to the running daemon and wait for its answer: {"ok", "text", "exit"}. Raises PermissionError."""
    host = SystemHost()
    here = place(host, settings)
    state = here.paths["state"]
    folders.trust_state(state, os.path.join(state, "inbox"), here.paths["public"], os.path.join(state, "lock"))
    pid = lock.holder(os.path.join(state, "lock"), host)
    if pid is None:
        return {"ok": False, "text": "the daemon is not running; start it, then ask again", "exit": 7}

    def knock() -> None:
        try:
            if pid:
                os.kill(pid, signal.SIGUSR1)
        except OSError:
            pass  # it sees the request at its next pulse, or is gone

    seconds = (HEAL_SECONDS if request.get("do") == "heal" else ANSWER_SECONDS) + settings.cadence.pulse.total_seconds()
    return inbox.ask(os.path.join(state, "inbox"), request, host.boot(), knock, SystemClock(), seconds)


class Daemon:
    def __init__(self, loaded: Loaded, config_path: str) -> None:
        limit_files()
        self.loaded, self.config_path = loaded, config_path
        self.host = SystemHost()
        self.place: Place = place(self.host, loaded.settings)
        self.state = self.place.paths["state"]
        self.signals: Set[int] = set()
        self.published: Any = None
        self.refused = ""
        self.unpublished = Once(_complain)
        self.wake, self._poke = os.pipe()
        self.clock = SystemClock(self.wake)
        self.inbox = inbox.Inbox(os.path.join(self.state, "inbox"), self.clock)
        self.lock = -1

    def run(self) -> int:
        os.umask(0o022)  # whatever started us
        folders.make_private(self.state, self.inbox.folder, self.place.paths["public"])
        folders.trust_public(self.place.paths["public"])
        self._listen()  # before the lock: from then on somebody may knock, which ends a process that does not listen
        lived = lived_before(self.state)
        self.lock = lock.take(os.path.join(self.state, "lock"), self.host)
        self.inbox.empty()
        boot = self.host.vitals(self.place.commands["rmcctrl"]).boot
        self.reporter = Reporter(
            self.loaded.settings.report,
            self.place.platform.value,
            self.clock,
            errlogger=self._enter_in_error_log,
            state=self.state,
            complain=_complain,
        )
        self.ledger = Ledger(os.path.join(self.state, "ledger.jsonl"), self.clock, boot, lived_before=lived)
        self.exposed = Exposed(_complain, self.ledger.attempts.values())
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
        self.life = Life(self.cycle, _complain)
        self.life.begin(os.getpid())
        _notify("READY=1")
        while not self.signals & {signal.SIGTERM, signal.SIGINT}:
            self._spared(self._hear)
            seconds = self.life.step()
            self._spared(self._tell)
            _notify("WATCHDOG=1")
            self.clock.sleep(seconds)
            self._drain()
        return self._stop()

    def _spared(self, part: Callable[[], None]) -> None:
        """What only serves the turn must not end the agent: what the system refuses is tried again in the next one."""
        try:
            self.life.spared(part, lambda: None, (OSError,))
        except OSError as problem:
            if str(problem) != self.refused:  # said once: standard error may be a file
                self.refused = str(problem)
                _complain(f"rmcagent: cannot listen or tell: {problem}\n")

    # -- signals

    def _listen(self) -> None:
        os.set_blocking(self.wake, False)
        os.set_blocking(self._poke, False)
        signal.set_wakeup_fd(self._poke, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda got, frame: self.signals.add(got))
        signal.signal(signal.SIGUSR1, lambda got, frame: None)  # it only wakes us

    def _drain(self) -> None:
        try:
            os.read(self.wake, 4096)
        except OSError:
            pass  # nothing to read

    def _hear(self) -> None:
        if signal.SIGHUP in self.signals:
            self.signals.discard(signal.SIGHUP)
            self._reload()
        self.inbox.answer(self._carry_out, self.ledger.boot)

    def _reload(self) -> Tuple[bool, str]:
        try:
            loaded = load_anew(self.config_path)
            here = place(self.host, loaded.settings)
            folders.trust_public(here.paths["public"])
        except (ConfigError, PermissionError) as problem:
            self.reporter.emit(Event("RMCA1003E", "configuration rejected, old one kept", (("mistakes", str(problem)),)))
            return False, str(problem)
        self.loaded = loaded
        self.place = replace(here, paths={**here.paths, "state": self.state})  # the ledger stays where it is until a restart
        self.cycle.adopt(loaded.settings, self.place)
        self.reporter.adopt(loaded.settings.report, self.place.platform.value)
        return True, f"policy {loaded.hash} is in force"

    def _stop(self) -> int:
        lives.end(self.ledger)
        self.reporter.emit(Event("RMCA1002I", "stopped", (("because", "asked to"),)))
        self.reporter.flush()
        now = self.clock.now().isoformat(timespec="seconds")
        self._put_up({"schema": 1, "verdict": "not-running", "version": __version__, "taken_at": now})
        _notify("STOPPING=1")
        os.close(self.lock)
        return 0

    # -- publishing

    def _status_path(self) -> str:
        return os.path.join(self.place.paths["public"], "status.json")

    def _tell(self) -> None:
        self._report_damage()
        if self.cycle.view is not self.published:
            self.published = self.cycle.view
            self._publish()
        self.reporter.flush()

    def _publish(self) -> None:
        extra = {
            "version": __version__,
            "pid": os.getpid(),
            "boot": self.ledger.boot,
            "monotonic": self.clock.monotonic(),
            "policy": self.loaded.hash,
            "platform": self.place.platform.value,
            "why": self.ledger.decisions[-20:],
            "events": list(self.reporter.recent),
            "event_counts": dict(self.reporter.counts),
            "remedies": self.exposed.counted(self.ledger.attempts.values()),
        }
        self._put_up(document(self.cycle.view, self.loaded.settings, _local(self.ledger.steady), extra))

    def _put_up(self, shown: Dict[str, Any]) -> None:
        path, problem = self._status_path(), ""
        try:
            publish(path, shown)
        except OSError as why:
            problem = f"cannot publish {path}: {words(why)}; status and check tell what is there until it can"
        self.unpublished.say(problem)
        self.exposed.write(self.loaded.settings.report.metrics, shown)

    def _enter_in_error_log(self, text: str) -> None:
        """As an operator's message; where there is no errlogger the event stands in the log all the same."""
        self.host.run((self.place.commands["errlogger"], text), ERRLOGGER_SECONDS, keep=4096)

    def _report_damage(self) -> None:
        if self.ledger.damage or self.ledger.torn:
            because = self.ledger.damage or "its last line was torn and was dropped"
            spent = "every budget counts as spent" if self.ledger.spent_at else "no budget is lost"
            self.reporter.emit(Event("RMCA1009E", "ledger damaged", (("because", because), ("therefore", spent))))
            self.ledger.damage, self.ledger.torn = "", False

    # -- requests

    def _carry_out(self, request: Mapping[str, Any], claim: inbox.Claim) -> Dict[str, Any]:
        ordinary = (inbox.Unfit, inbox.Withdrawn, OSError)
        return self.life.spared(lambda: self._answer(request, claim), lambda: dict(MISTAKEN), ordinary)

    def _answer(self, request: Mapping[str, Any], claim: inbox.Claim) -> Dict[str, Any]:
        what = request.get("do")
        if what == "heal":
            _notify("WATCHDOG=1")  # it looks as a turn does, and may need as long
            self.cycle.memory.crash_loop = lives.in_loop(self.ledger)
            return heal.answer(self.cycle, request, claim)
        if what == "pause":
            seconds: Any = request.get("for")
            if type(seconds) not in (int, float) or not 0 < seconds <= LONGEST_PAUSE:
                raise inbox.Unfit("a pause must be over 0s and at most 365d")
            claim()
            until = self.cycle.steady.now() + timedelta(seconds=seconds)
            self.cycle.pause(until, str(request.get("reason", ""))[:200], str(request.get("by", ""))[:60])
            return {
                "ok": True,
                "text": f"paused until {self.cycle.steady.shown(until).astimezone().isoformat(timespec='seconds')}",
                "exit": 0,
            }
        if what == "resume":
            claim()
            if self.ledger.pause is None:
                return {"ok": True, "text": "nothing to resume: the agent is not paused", "exit": 0}
            self.cycle.resume("an operator said so")
            return {"ok": True, "text": "resumed", "exit": 0}
        if what == "reload":
            claim()
            done, text = self._reload()
            return {"ok": done, "text": text, "exit": 0 if done else 6}
        raise inbox.Unfit(f"{str(what)[:60]!r} is not something the daemon does")


def _local(steady: Steady) -> Callable[[datetime], datetime]:
    """Steady time as the wall clock of this place shows it, with its offset."""
    return lambda moment: steady.shown(moment).astimezone()


def _complain(text: str) -> None:
    """On stderr, which is SRC's console file or the journal; a full disk must not end us."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(text)
            sys.stderr.flush()
    except (OSError, ValueError):
        pass


def _notify(state: str) -> None:
    """Tell systemd, where it started us; a datagram to the socket it named."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or sys.platform.startswith("aix"):
        return
    import socket

    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(state.encode("ascii"), "\0" + address[1:] if address.startswith("@") else address)
    except OSError:
        pass  # readiness is a courtesy; the watchdog's absence is systemd's to act on
