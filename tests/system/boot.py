"""A Debian booted for real, systemd as its process 1, in a container that the test owns: `with booted(folder) as machine:`.

Needs root, mmdebstrap and systemd-nspawn. The root file system is made once (half a minute, 300 MB) and kept among the temporary
files; each boot writes into memory above it, so that every machine begins as new.
"""
from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Iterator, List, Mapping, Optional, Sequence

import pytest

PACKAGES = ("systemd", "systemd-sysv", "dbus", "rsyslog", "python3", "python3-systemd", "python3-yaml", "python3-tenacity",
            "python3-psutil")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
MADE_WITHIN, BOOTED_WITHIN, COMMAND_WITHIN = 900.0, 60.0, 60.0
# /run is new: the container must know nothing of this machine's systemd. $1 is the root, the rest goes to systemd-nspawn.
START = """
set -e
mount -t tmpfs none /run
mkdir -p /run/rmcagent/upper /run/rmcagent/work /run/rmcagent/root
mount -t overlay overlay -o "lowerdir=$1,upperdir=/run/rmcagent/upper,workdir=/run/rmcagent/work" /run/rmcagent/root
shift
exec systemd-nspawn -q --register=no --keep-unit -D /run/rmcagent/root "$@" --boot
"""


class Machine:
    """A booted Debian; `init` is its process 1 as we see it."""

    def __init__(self, process: subprocess.Popen[bytes], init: int) -> None:
        self.process = process
        self.init = init

    def run(self, *argv: str, input: str = "", check: bool = True, within: float = COMMAND_WITHIN) -> str:
        """Run a command as root in it; what it wrote."""
        into = ["nsenter", "-t", str(self.init), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "env", "-i", f"PATH={PATH}"]
        ended = subprocess.run([*into, *argv], input=input, capture_output=True, text=True, timeout=within, check=False)
        what = " ".join(argv)[:200]
        assert not check or ended.returncode == 0, f"{what}: exit {ended.returncode}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def python(self, program: str, *argv: str) -> str:
        """Run a program in its Python."""
        return self.run("python3", "-", *argv, input=program)

    def write(self, path: str, text: str) -> None:
        self.run("tee", path, input=text)

    def unit(self, name: str, key: str) -> str:
        """What systemctl shows of a unit."""
        return self.run("systemctl", "show", "-P", key, name).strip()


@contextmanager
def booted(folder: Path, binds: Optional[Mapping[Path, str]] = None, suite: str = "bookworm",
           packages: Sequence[str] = PACKAGES) -> Iterator[Machine]:
    """Boot, hand over, power off. `binds` are folders of ours and where they stand in it, to be read only.

    Skips the test, with the reason, where that cannot be done.
    """
    why_not = missing()
    if why_not:
        pytest.skip(why_not)
    with only_one():
        root = the_root(suite, packages)
        bound = [f"--bind-ro={source}:{target}" for source, target in (binds or {}).items()]
        with (folder / "console").open("wb") as console:
            process = subprocess.Popen(["unshare", "-m", "sh", "-c", START, "start", str(root), *bound],
                                       stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT)
        try:
            machine = Machine(process, init_of(process, folder / "console"))
            machine.run("systemctl", "is-system-running", "--wait", check=False)
            yield machine
            machine.run("systemctl", "poweroff", check=False)
            process.wait(BOOTED_WITHIN)
        finally:
            if process.poll() is None:
                process.kill()            # the kernel ends what is within
                process.wait()


def missing() -> Optional[str]:
    if os.geteuid() != 0:
        return "only root may boot a container"
    tools = {"mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container", "nsenter": "util-linux"}
    absent = [package for tool, package in tools.items() if shutil.which(tool, path=PATH) is None]
    return f"no container can be booted: apt-get install {' '.join(absent)}" if absent else None


@contextmanager
def only_one() -> Iterator[None]:
    """One boot at a time, of whatever suite: they would share a control group."""
    with open(place_of("boots").with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def place_of(suite: str) -> Path:
    return Path(tempfile.gettempdir()) / f"rmcagent-tests-{suite}"


def the_root(suite: str, packages: Sequence[str]) -> Path:
    """The root file system, made anew when it lacks a package; whoever asks for fewer takes it as it is."""
    root = place_of(suite)
    told = root / "packages"
    ours = root.is_dir() and not root.is_symlink() and root.stat().st_uid == 0 and told.exists()
    there = told.read_text().split(",") if ours else []
    wanted = ",".join(dict.fromkeys((*there, *packages)))
    if ours and {*packages} <= {*there}:
        return root / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(mode=0o700)
    with (root / "log").open("wb") as log:
        # debootstrap takes more than twice the processor.
        made = subprocess.run(["mmdebstrap", "--variant=minbase", f"--include={wanted}", suite, str(root / "root")],
                              stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, timeout=MADE_WITHIN, check=False)
    if made.returncode != 0:
        pytest.skip(f"mmdebstrap could not make a root file system: {(root / 'log').read_text('utf-8', 'replace')[-300:]}")
    told.write_text(wanted)
    return root / "root"


def init_of(process: subprocess.Popen[bytes], console: Path) -> int:
    """The container's process 1: the child of systemd-nspawn that is systemd."""
    until = time.monotonic() + BOOTED_WITHIN
    while time.monotonic() < until and process.poll() is None:
        for child in children_of(process.pid):
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd" and "Reached target" in tail_of(console):
                return child
        time.sleep(0.05)
    raise AssertionError(f"the container did not boot: {tail_of(console)}")


def children_of(pid: int) -> List[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def tail_of(console: Path) -> str:
    file: IO[bytes]
    with console.open("rb") as file:
        return file.read().decode("utf-8", "replace")[-4000:]
