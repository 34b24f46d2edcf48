"""A simulated partition with the real daemon on it: what the demo shows and the real-process tests stand on."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Type

from rmcagent.sim.live.shims import World

# Minutes become seconds, and an hour's patience a blink; the order of things stays the production one.
COMPRESSED: Mapping[str, Any] = {
    "cadence": {"pulse": "200ms", "look": "500ms"},
    "timeout": "4s",
    "faults": {"hung": 3, "blind": "4s"},
    "remedies": {
        "refresh": {"grace": "1s", "settle": "2s", "cooldown": "2s", "budget": "50/24h"},
        "start": {"grace": "500ms", "settle": "1500ms", "cooldown": "1s", "budget": "20/24h", "cause_unknown": "2s"},
        "manager": {"grace": "500ms", "settle": "1500ms", "cooldown": "1s", "budget": "20/24h"},
        "recycle": {"grace": "2s", "settle": "3s", "cooldown": "1s", "budget": "20/24h"},
        "recfgct": {"grace": "3s", "settle": "3s", "cooldown": "1s", "budget": ["20/24h", "30/30d"]},
    },
    "guards": {"boot": "0s", "migration": "0s", "evidence": "30s", "hmc_back": "0s", "splay": "0s"},
}
FIELD = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))')


class Told(NamedTuple):
    """One event as it came by syslog."""

    code: str
    word: str
    fields: Dict[str, str]
    line: str


class Stage:
    """Owns a folder, a world in it and the daemon on it. Everything it starts ends with it."""

    def __init__(
        self, folder: Path, platform: str = "aix", hmcs: int = 1, pace: float = 0.02, policy: Optional[Mapping[str, Any]] = None
    ) -> None:
        self.folder = folder
        self.world = World(folder / "partition", platform=platform, pace=pace, hmcs=hmcs)
        self.told: List[Told] = []
        self.daemon: Optional[subprocess.Popen[bytes]] = None
        self.syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.syslog.bind(str(folder / "log"))
        self.config = folder / "rmcagent.yaml"
        self.write_policy(policy or {})

    def write_policy(self, policy: Mapping[str, Any]) -> None:
        """JSON is YAML; the file is ours alone, as the agent demands."""
        ours = {"syslog": {"socket": str(self.folder / "log")}, "journal": "off", "file": "off"}    # never this machine's own
        whole = merged(merged(COMPRESSED, self.world.config()), {"report": ours})
        self.config.write_text(json.dumps(merged(whole, policy), indent=1))
        self.config.chmod(0o600)

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], problem: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.stop()
        self.world.close()
        self.syslog.close()

    # -- the daemon

    def start(self) -> subprocess.Popen[bytes]:
        root = str(Path(__file__).parents[3])
        code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from rmcagent.cli import main; sys.exit(main(sys.argv[1:]))"
        with open(self.folder / "daemon.err", "ab") as errors:
            self.daemon = subprocess.Popen(
                [sys.executable, "-I", "-B", "-c", code, root, "run", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )
        return self.daemon

    def stop(self) -> Optional[int]:
        """Ask the daemon to end, and wait."""
        if self.daemon is None:
            return None
        self.daemon.send_signal(signal.SIGTERM)
        try:
            return self.daemon.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        finally:
            self.daemon = None

    def kill(self) -> None:
        """As kill -9 does: no farewell."""
        if self.daemon is not None:
            self.daemon.kill()
            self.daemon.wait()
            self.daemon = None

    def complaints(self) -> str:
        return (self.folder / "daemon.err").read_text(errors="replace")

    # -- what it says

    def hear(self, seconds: float) -> List[Told]:
        """The events that arrive within `seconds`, as soon as there is one."""
        self.syslog.settimeout(max(0.01, seconds))
        heard: List[Told] = []
        try:
            heard.append(parsed(self.syslog.recv(4096)))
            self.syslog.setblocking(False)
            while True:
                heard.append(parsed(self.syslog.recv(4096)))
        except (TimeoutError, socket.timeout, BlockingIOError):
            pass
        self.told += heard
        return heard

    def wait_for(
        self, code: str, within: float = 30.0, since: int = 0, on_event: Callable[[Told], None] = lambda told: None, **fields: str
    ) -> Optional[Told]:
        """The first event of that code and those fields after number `since`, waited for within the bound."""
        until = time.monotonic() + within
        checked = since
        while True:
            for told in self.told[checked:]:
                if told.code == code and all(told.fields.get(name) == value for name, value in fields.items()):
                    return told
            checked = len(self.told)
            left = until - time.monotonic()
            if left <= 0 or (self.daemon is not None and self.daemon.poll() is not None):
                return None
            for told in self.hear(min(left, 0.5)):
                on_event(told)

    def status(self) -> Dict[str, Any]:
        """The published document; {} while there is none."""
        try:
            document: Dict[str, Any] = json.loads((self.folder / "partition" / "public" / "status.json").read_bytes())
            return document
        except (FileNotFoundError, ValueError):
            return {}

    def wait_until(
        self, true: Callable[[], bool], within: float = 30.0, on_event: Callable[[Told], None] = lambda told: None
    ) -> bool:
        until = time.monotonic() + within
        while not true():
            if time.monotonic() > until:
                return False
            for told in self.hear(0.05):
                on_event(told)
        return True

    def wait_healthy(self, within: float = 30.0, on_event: Callable[[Told], None] = lambda told: None) -> bool:
        """Healthy with no episode open: two complete clean looks."""
        return self.wait_until(
            lambda: self.status().get("verdict") == "healthy" and self.status().get("episode") is None, within, on_event
        )

    def did(self) -> List[str]:
        """The changing commands begun on the partition so far."""
        return [entry[1] for entry in self.world.ask("did")]

    def helpers(self) -> List[int]:
        """Pids of the helpers that perform a remedy on this stage."""
        mark = str(self.folder / "partition" / "state").encode()
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if mark in words and b"-c" in words:
                    found.append(int(name))
        return found


def parsed(datagram: bytes) -> Told:
    """`<PRI>stamp rmcagent[pid]: CODE words key=value ...`"""
    text = datagram.decode("ascii", "replace").partition("]: ")[2]
    code, _, rest = text.partition(" ")
    found = FIELD.search(rest)
    word = rest[: found.start()].strip() if found else rest
    fields = {name: re.sub(r"\\(.)", r"\1", quoted) if quoted else bare for name, quoted, bare in FIELD.findall(rest)}
    return Told(code, word, fields, text)


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> Dict[str, Any]:
    """`other` over `one`, mapping by mapping."""
    both = dict(one)
    for key, value in other.items():
        both[key] = merged(both[key], value) if isinstance(value, Mapping) and isinstance(both.get(key), Mapping) else value
    return both
