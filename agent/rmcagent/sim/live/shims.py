"""The simulated partition behind real executables (lssrc, rmcctrl, ...) for the real daemon, and World, which starts it."""
from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, List, Optional, Sequence, Type, Union

READY_SECONDS = 20.0
END_SECONDS = 5.0
LONGEST_ADDRESS = 100         # bytes of a Unix socket's path, everywhere
LONGEST_SHEBANG = 120
SOCKET, POINTER, COMPLAINTS = "world.sock", "world.path", "world.log"
START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from rmcagent.sim.live import shims; sys.exit(shims.main(sys.argv[1:]))"
# Every command the agent may know. One that the platform lacks is pointed at nothing: the machine's own must never be found.
NAMES = """lssrc lsrsrc rmcctrl rmcdomainstatus rmcrefreshMD refrsrc recfgct ct_clusterinfo lsrpdomain lscluster lspv clmgr
    ctsvhbal ctsthl lsnodeid ioscli lsivm lparmgr errpt errlogger lsitab systemctl uname oslevel startsrc lscondition
    lsresponse lsattr odmget""".split()

# What every executable does. Nothing but built-in modules: it must start as quickly as what it stands for.
SHIM = '''
import _signal, _socket, posix, sys


def ask(words):
    try:
        line = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        line.connect(%(address)r)
        request = "\\0".join(words).encode("utf-8", "surrogateescape")
        line.sendall(b"%%d\\n" %% len(request) + request)
        said = b""
        while True:
            more = line.recv(65536)
            if not more:
                return said
            said += more
            if said.startswith(b"hang") and said.endswith(b"\\n"):
                hang(said.split())
                said = b""
    except OSError:
        return b""


def hang(words):
    if words[1] == b"1":
        _signal.signal(_signal.SIGTERM, _signal.SIG_IGN)
    if words[2] == b"1":
        posix.fork()


def write(number, text):
    try:
        while text:
            text = text[posix.write(number, text):]
    except OSError:
        pass


head, _, rest = ask([%(name)r] + sys.argv[1:]).partition(b"\\n")
if head:
    code, size, _ = map(int, head.split())
    write(1, rest[:size])
    write(2, rest[size:])
    posix._exit(code)
write(2, b"0513-001 The System Resource Controller daemon is not active.\\n")
posix._exit(1)
'''


class World:
    """A world in a process of its own, and the strings to pull in it; it ends with us at the latest."""

    def __init__(self, folder: Union[str, Path], platform: str = "aix", pace: float = 0.02, hmcs: int = 1, seed: int = 1) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        root = str(Path(__file__).parents[3])
        with (self.folder / COMPLAINTS).open("wb") as complaints:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-B", "-c", START, root, str(self.folder), "--tied", f"--platform={platform}",
                 f"--pace={pace}", f"--hmcs={hmcs}", f"--seed={seed}"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints)
        self._await_ready()
        pointer = self.folder / POINTER
        self.address = pointer.read_text().strip() if pointer.exists() else str(self.folder / SOCKET)
        self.platform = platform

    def __enter__(self) -> World:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], problem: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def do(self, event: str, *args: object, **named: object) -> None:
        """Let an event of Partition's happen: do("crash", "ctrmc"). Raises ValueError when the world refuses it."""
        self._tell("@do", event, json.dumps([args, named]))

    def ask(self, view: str) -> Any:
        """did, disasters, states, pids, sessions, node_id, ports, commands or errlogged."""
        return json.loads(self._tell("@ask", view))

    def pid(self, subsystem: str) -> Optional[int]:
        pid = self.ask("pids")[subsystem]
        return None if pid is None else int(pid)

    def config(self) -> Dict[str, Any]:
        """What the agent's configuration says to live in this world."""
        at = str(self.folder)
        return {
            "platform": self.platform,
            "commands": {name: f"{at}/bin/{name}" for name in NAMES},
            "paths": {"var_ct": f"{at}/var/ct", "node_id": f"{at}/etc/ct_node_id", "var": f"{at}/var", "state": f"{at}/state",
                      "public": f"{at}/public", "apsock": f"{at}/var/adm/lpm/apsock", "dr_lock": f"{at}/var/lock/dr_config_lock"},
            "network": {"ports": self.ask("ports"), "timeout": "500ms"},
        }

    def close(self) -> None:
        """End the world and all its children; only the socket is removed."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()                      # its children end all the same: their stdin closes with it
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        _remove_socket(self.folder, self.address)

    def _await_ready(self) -> None:
        heard = self.process.stdout
        if heard is None or not select.select([heard], [], [], READY_SECONDS)[0] or not heard.readline():
            self.process.kill()
            self.process.wait()
            complaint = (self.folder / COMPLAINTS).read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
            raise RuntimeError(f"cannot start the world in {self.folder}: {complaint[0]}")

    def _tell(self, *words: str) -> str:
        request = "\0".join(words).encode()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(READY_SECONDS)
            line.connect(self.address)
            line.sendall(b"%d\n" % len(request) + request)
            parts: List[bytes] = []
            while True:
                part = line.recv(1 << 16)
                if not part:
                    break
                parts.append(part)
        head, _, rest = b"".join(parts).partition(b"\n")
        code, size, _ = map(int, head.split())
        if code:
            raise ValueError(rest[size:].decode())
        return rest[:size].decode()


def main(argv: Sequence[str]) -> int:
    """Run a world in FOLDER until a signal ends it: `python -m rmcagent.sim.live.shims FOLDER`."""
    import argparse

    from rmcagent.sim.live import world

    parser = argparse.ArgumentParser(prog="python -m rmcagent.sim.live.shims", description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--platform", choices=("aix", "vios", "linux"), default="aix")
    parser.add_argument("--pace", type=float, default=0.02, help="what a second of RSCT's lasts here")
    parser.add_argument("--hmcs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tied", action="store_true", help="end when stdin closes")
    chosen = parser.parse_args(argv)
    folder = chosen.folder.resolve()
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    address = _address(folder)

    def ready() -> None:
        print(f"ready: {folder}/bin", flush=True)

    world.WorldProcess(folder, address, lambda name: write_shim(folder, name, address), chosen.platform, chosen.pace,
                       chosen.hmcs, chosen.seed, chosen.tied).run(ready)
    _remove_socket(folder, address)
    return 0


def write_shim(folder: Path, name: str, address: str) -> None:
    """One executable; where the path of Python does not fit a first line, sh starts it."""
    code = SHIM % {"address": address, "name": name}
    shebang = f"#!{sys.executable} -IS\n"
    path = folder / "bin" / name
    if len(shebang) > LONGEST_SHEBANG or " " in sys.executable:
        (folder / "lib").mkdir(exist_ok=True)
        (folder / "lib" / name).write_text(code)
        shebang, code = "#!/bin/sh\n", f'exec "{sys.executable}" -IS "{folder}/lib/{name}" "$@"\n'
    # Written aside first: who runs the old one at this moment must not find it half a new one.
    aside = path.with_suffix(".new")
    aside.write_text(shebang + code)
    aside.chmod(0o755)
    aside.replace(path)


def _address(folder: Path) -> str:
    """The socket's path: in the folder, or where that is too long, in a short one that world.path names."""
    address = str(folder / SOCKET)
    (folder / POINTER).unlink(missing_ok=True)
    if len(os.fsencode(address)) >= LONGEST_ADDRESS:
        address = f"{tempfile.mkdtemp(prefix='world', dir='/tmp')}/{SOCKET}"
        (folder / POINTER).write_text(f"{address}\n")
    return address


def _remove_socket(folder: Path, address: str) -> None:
    Path(address).unlink(missing_ok=True)
    if Path(address).parent != folder and Path(address).parent.exists():
        Path(address).parent.rmdir()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
