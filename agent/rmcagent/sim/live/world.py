"""The world's process: a simulated partition in real time, with real children for its subsystems and ports for its HMCs."""
from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from rmcagent.model import Platform
from rmcagent.sim import voices
from rmcagent.sim.clock import FollowingClock
from rmcagent.sim.impossible import Impossible
from rmcagent.sim.partition.faults import Partition
from rmcagent.sim.partition.nouns import FOREVER, LOG, Reply

LOOPBACK = "127.0.0.1"        # the partition itself; its HMCs are 127.0.0.2, .3, ...
LONGEST_REQUEST = 1 << 20
IDLE_SECONDS = 1.0


class WorldProcess:
    """Plays srcmstr and the HMCs until its stdin closes (when tied to it) or a signal ends it."""

    def __init__(self, folder: Path, address: str, write_shim: Callable[[str], None], platform: str, pace: float, hmcs: int,
                 seed: int, tied: bool) -> None:
        self.folder = folder
        self.write_shim = write_shim
        self.tied = tied
        self.over = False
        self.clock = FollowingClock()
        self.children = Children(folder / "sbin")
        self.partition = Partition(self.clock, Platform(platform), [f"127.0.0.{number + 2}" for number in range(hmcs)],
                                   seed, pace, self.children)
        self.ports = Ports(hmcs)
        self.written: Dict[Path, str] = {}
        self.partition.on_log = self._write_log
        for path, log in self.partition.logs.items():
            self._write_log(os.path.dirname(path), bytes(log.data))
        self.selector = selectors.DefaultSelector()
        self.door = _door(address)
        self.callers: Dict[socket.socket, bytearray] = {}

    def run(self, ready: Callable[[], None]) -> None:
        """Live until told to end; every child ends with us."""
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self.selector.register(self.door, selectors.EVENT_READ, self._admit)
        self.selector.register(woken, selectors.EVENT_READ, lambda: os.read(woken, 512))
        if self.tied:
            self.selector.register(sys.stdin.fileno(), selectors.EVENT_READ, self._listen_to_stdin)
        try:
            self._follow()
            self.partition.on_change.append(self._follow)
            ready()
            while not self.over:
                self._turn()
        finally:
            self.children.end_all()
            self.ports.close()
            self.door.close()

    def _turn(self) -> None:
        self.clock.run_due()
        for name, pid in self.children.ended():
            if self.partition.row(name).pid == pid:
                self.partition.crash(name)
        until = self.clock.until_next()
        for key, _ in self.selector.select(IDLE_SECONDS if until is None else min(until, IDLE_SECONDS)):
            key.data()

    def _end(self, number: int, frame: object) -> None:
        self.over = True

    def _listen_to_stdin(self) -> None:
        if not os.read(sys.stdin.fileno(), 512):
            self.over = True

    # --- what the state looks like from outside

    def _follow(self) -> None:
        """Let files, commands and ports be as the state says."""
        partition = self.partition
        self._write(self.folder / "etc/ct_node_id", voices.node_id_file(partition.node_id))
        self._write(self.folder / "var/ct/cfg/ct_node_id", voices.node_id_file(partition.node_id_copy))
        self._write(self.folder / "var/ct/cfg/ctrmc.acls", "".join(f"# {name}\n" for name in partition.conditions))
        if partition.platform is Platform.VIOS:
            self._exist(self.folder / "var/adm/lpm/apsock", not partition.lparmgr_stuck, lambda path: path.touch())
        for name in partition.commands:
            removed = getattr(partition.tricks.get((name,)), "kind", "") == "remove"
            self._exist(self.folder / "bin" / name, not removed, lambda path: self.write_shim(path.name))
        answering = {hmc.address: hmc.reachable for hmc in partition.hmcs}
        answering[LOOPBACK] = partition.active("ctrmc") and partition.remote_enabled
        self.ports.open_and_close(answering, self.selector)

    def _write(self, path: Path, text: str) -> None:
        if self.written.get(path) != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            self.written[path] = text

    def _exist(self, path: Path, wanted: bool, make: Callable[[Path], None]) -> None:
        mark = "there" if wanted else "gone"
        if self.written.get(path) != mark:
            path.parent.mkdir(parents=True, exist_ok=True)
            make(path) if wanted else path.unlink(missing_ok=True)
            self.written[path] = mark

    def _write_log(self, folder: str, text: bytes) -> None:
        path = self.folder / "var/ct" / folder / LOG
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as log:
            log.write(text)

    # --- callers: commands, and whoever holds the strings

    def _admit(self) -> None:
        caller, _ = self.door.accept()
        caller.setblocking(False)
        self.callers[caller] = bytearray()
        self.selector.register(caller, selectors.EVENT_READ, lambda: self._hear(caller))

    def _hear(self, caller: socket.socket) -> None:
        """Take a request "LENGTH newline WORDS", the words apart by NUL; a caller who hangs up is forgotten."""
        try:
            said = caller.recv(1 << 16)
        except OSError:
            said = b""
        heard = self.callers[caller]
        heard += said
        length, _, words = bytes(heard).partition(b"\n")
        if not said or len(heard) > LONGEST_REQUEST:
            self._dismiss(caller)
        elif length.isdigit() and len(words) >= int(length):
            heard.clear()
            self._serve(caller, words.decode("utf-8", "surrogateescape").split("\0"))

    def _serve(self, caller: socket.socket, words: List[str]) -> None:
        if words[0] in ("@do", "@ask"):
            self._answer(caller, self._obey(*words))
            return
        reply = self.partition.command(words[0], words[1:])
        if reply.seconds == FOREVER:
            self._send(caller, b"hang %d %d\n" % (reply.stubborn, reply.forks))
        else:
            self.clock.at(reply.seconds, lambda: self._answer(caller, reply))

    def _obey(self, verb: str, name: str, arguments: str = "[[], {}]") -> Reply:
        """@do an event of Partition's; @ask for one of VIEWS. What is refused comes back as exit 1."""
        try:
            if verb == "@ask":
                return Reply(json.dumps(VIEWS[name](self)))
            event = None if name.startswith("_") else getattr(Partition, name, None)
            if not callable(event):
                raise ValueError(f"cannot do {name}: the partition knows no such event")
            positional, named = json.loads(arguments)
            getattr(self.partition, name)(*positional, **named)
            if name == "rotate_log":
                path = self.folder / "var/ct" / self.partition.log_folder / LOG
                path.replace(f"{path}.last")
            self._follow()
            return Reply("null")
        except (Impossible, ValueError, TypeError, KeyError) as refusal:
            return Reply("", f"{type(refusal).__name__}: {refusal}", 1)

    def _answer(self, caller: socket.socket, reply: Reply) -> None:
        stdout, stderr = reply.stdout.encode("utf-8", "surrogateescape"), reply.stderr.encode("utf-8", "surrogateescape")
        self._send(caller, b"%d %d %d\n" % (reply.exit_code, len(stdout), len(stderr)) + stdout + stderr)
        self._dismiss(caller)

    def _send(self, caller: socket.socket, text: bytes) -> None:
        try:
            caller.settimeout(IDLE_SECONDS)
            caller.sendall(text)
            caller.setblocking(False)
        except OSError:                              # it was killed meanwhile; the effect has taken place all the same
            self._dismiss(caller)

    def _dismiss(self, caller: socket.socket) -> None:
        if self.callers.pop(caller, None) is not None:
            self.selector.unregister(caller)
            caller.close()


VIEWS: Mapping[str, Callable[[WorldProcess], object]] = {
    "did": lambda world: [[at.isoformat(), words] for at, words in world.partition.did],
    "disasters": lambda world: world.partition.disasters,
    "states": lambda world: {row.name: row.state.value for row in world.partition.subsystems.values()},
    "pids": lambda world: {row.name: row.pid for row in world.partition.subsystems.values()},
    "sessions": lambda world: {hmc.address: world.partition.link(hmc).value for hmc in world.partition.hmcs},
    "node_id": lambda world: world.partition.node_id,
    "ports": lambda world: world.ports.numbers,
    "commands": lambda world: world.partition.commands,
    "errlogged": lambda world: world.partition.errlogged,
}


class Children:
    """One real process per active subsystem. Each waits for the end of its stdin, which comes with ours at the latest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: Dict[int, Tuple[str, subprocess.Popen[bytes]]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, name: str) -> int:
        program = self.folder / {"ctrmc": "rmcd"}.get(name, f"{name}d" if name.startswith("IBM.") else name)
        if not program.is_symlink():
            program.symlink_to("/bin/cat")
        child = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 cwd="/", start_new_session=True)
        self._running[child.pid] = (name, child)
        return child.pid

    def end(self, pid: int) -> None:
        _, child = self._running.pop(pid, ("", None))
        if child is not None:
            child.kill()
            child.wait()
            if child.stdin is not None:
                child.stdin.close()

    def ended(self) -> Sequence[Tuple[str, int]]:
        """Those that somebody else ended."""
        ended = [(name, pid) for pid, (name, child) in self._running.items() if child.poll() is not None]
        for _, pid in ended:
            self.end(pid)
        return ended

    def end_all(self) -> None:
        for pid in list(self._running):
            self.end(pid)


class Ports:
    """Two port numbers, the same at every address: bound always, so that nobody takes them, listening while it answers."""

    def __init__(self, hmcs: int) -> None:
        self._sockets: Dict[Tuple[str, int], socket.socket] = {}
        self._listening: Dict[Tuple[str, int], bool] = {}
        self.numbers: List[int] = []
        addresses = [LOOPBACK, *(f"127.0.0.{number + 2}" for number in range(hmcs))]
        while len(self.numbers) < 2:
            number = self._free_everywhere(addresses)
            if number:
                self.numbers.append(number)

    def open_and_close(self, answering: Mapping[str, bool], selector: selectors.BaseSelector) -> None:
        for address, wanted in answering.items():
            for number in self.numbers:
                if self._listening.get((address, number), False) != wanted:
                    self._set(address, number, wanted, selector)

    def _set(self, address: str, number: int, wanted: bool, selector: selectors.BaseSelector) -> None:
        place = (address, number)
        old = self._sockets.pop(place, None)
        if old is not None:
            if self._listening.get(place):
                selector.unregister(old)
            old.close()
        bound = self._sockets[place] = _bound(address, number)
        if wanted:
            bound.listen(16)
            bound.setblocking(False)
            selector.register(bound, selectors.EVENT_READ, lambda: _greet(bound))
        self._listening[place] = wanted

    def _free_everywhere(self, addresses: Sequence[str]) -> Optional[int]:
        bound: Dict[Tuple[str, int], socket.socket] = {}
        number = 0
        try:
            for address in addresses:
                one = _bound(address, number)
                number = one.getsockname()[1]
                bound[address, number] = one
        except OSError:
            for one in bound.values():
                one.close()
            return None
        self._sockets.update(bound)
        return number

    def close(self) -> None:
        for one in self._sockets.values():
            one.close()


def _bound(address: str, number: int) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        one.bind((address, number))
    except OSError:
        one.close()
        raise
    return one


def _greet(listener: socket.socket) -> None:
    try:
        listener.accept()[0].close()
    except OSError:
        return                                       # the caller has gone again


def _door(address: str) -> socket.socket:
    """The socket that commands knock at: ours alone."""
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    Path(address).unlink(missing_ok=True)
    mask = os.umask(0o177)
    try:
        door.bind(address)
    finally:
        os.umask(mask)
    door.listen(64)
    return door
