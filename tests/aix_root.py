"""A changed root that looks like AIX to a package's scripts: commands are stubs with an ODM, the shell is the one to be tested.

Needs root, for chroot and a mount namespace of its own; the machine's own files are seen below /host.
"""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import pytest

from odm import NAMES, Odm

TOOLS = ("awk", "sed", "grep", "find", "ls", "ps", "date", "sleep", "cat", "chmod", "mkdir", "mv", "cp", "rm", "env", "head",
         "cut", "printf")
BARE = {"PATH": "/usr/bin:/usr/sbin:/sbin:/bin"}
SHELLS = {"ksh93": "ksh93u+m", "mksh": "mksh", "posh": "posh", "dash": "dash"}
ENTER = 'mount --rbind / "$0/host" && mount --rbind /dev "$0/dev" && mount --rbind /proc "$0/proc" && exec "$@"'
PATIENCE = 120.0


def old_python() -> Optional[Path]:
    """The oldest Python there is that the agent supports: AIX 7.3 has 3.9."""
    known = sorted(Path.home().glob(".pyenv/versions/3.9.*/bin/python3")) + [Path(name) for name in (
        shutil.which("python3.9"), sys.executable, "/usr/bin/python3") if name]
    return next((path.resolve() for path in known if path.exists()), None)


def needs() -> None:
    """Skip, and say why, where a changed root cannot be had."""
    if os.geteuid() != 0:
        pytest.skip("a changed root needs root")
    mount = ["unshare", "-m", "--propagation", "private", "mount", "--bind", "/", "/mnt"]
    tried = subprocess.run(mount, capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"a mount namespace cannot be had here: {tried.stderr.strip()}")


class AixRoot:
    """The root in `folder`. Nothing of ours is in it but what a package brings."""

    def __init__(self, folder: Path, shell: str = "ksh93") -> None:
        self.folder = folder
        for name in ("host", "dev", "proc", "tmp", "etc", "var/log", "usr/sbin", "opt"):
            (folder / name).mkdir(parents=True)
        self.odm = Odm(folder / "odm", folder / "usr" / "bin", "/odm")
        for name in ("lib", "lib64", "lib32"):
            (folder / name).symlink_to(f"host/{name}")
        (folder / "usr" / "lib").symlink_to("../host/usr/lib")
        (folder / "usr" / "lib64").symlink_to("../host/usr/lib64")
        (folder / "bin").symlink_to("usr/bin")
        for name in NAMES:
            (folder / "usr" / "sbin" / name).symlink_to(f"../bin/{name}")
        for name in TOOLS:
            self.link(name)
        self.link("sh", shell)
        (folder / "etc" / "passwd").write_text("root:!:0:0::/:/usr/bin/ksh\n")
        (folder / "etc" / "group").write_text("system:!:0:root\n")
        self.write("usr/bin/uname", "#!/bin/sh\necho AIX\n", 0o755)
        # What tells the agent that this is AIX: sys.platform is the machine's own.
        self.write("etc/rmcagent/conf.d/50-site.yaml", "platform: aix\nmode: observe\n")

    def link(self, name: str, target: str = "") -> None:
        found = shutil.which(target or name, path="/usr/bin:/bin:/usr/sbin:/sbin")
        if found is None:
            pytest.skip(f"{target or name} is not installed: apt-get install {SHELLS.get(target, target or name)}")
        link = self.folder / "usr" / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(f"/host{Path(found).resolve()}")

    def give_python(self, path: str = "usr/bin/python3") -> None:
        python = old_python()
        assert python is not None
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).symlink_to(f"/host{python}")
        prefix = python.parent.parent     # where a Python that was built here looks for its own library
        seen = self.folder / str(prefix).lstrip("/")
        if prefix != Path("/usr") and not seen.exists():
            seen.parent.mkdir(parents=True, exist_ok=True)
            seen.symlink_to(f"/host{prefix}")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)
        (self.folder / path).chmod(mode)

    def read(self, path: str) -> str:
        return (self.folder / path).read_text()

    def exists(self, path: str) -> bool:
        return os.path.lexists(self.folder / path)

    def run(self, *argv: str, **told: str) -> subprocess.CompletedProcess[str]:
        """Run in the root, with a bare environment and what is told besides."""
        return self.enter(self._changed(argv, told))

    def start(self, *argv: str, **told: str) -> subprocess.Popen[str]:
        return subprocess.Popen(self._entering(self._changed(argv, told)), env=BARE, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def rpm(self, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        """The machine's own rpm on this root: it runs the scripts in it, as AIX's runs them on AIX."""
        return self.enter(["rpm", *self.rpm_words(verb, *words)])

    def start_rpm(self, verb: str, *words: str) -> subprocess.Popen[str]:
        """The same in a process group of its own, which can be sent what a terminal sends."""
        argv = self._entering(["rpm", *self.rpm_words(verb, *words)])
        return subprocess.Popen(argv, env=BARE, stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, start_new_session=True)

    def script(self, text: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a script of installp's."""
        self.write("tmp/script", text, 0o755)
        return self.run("/tmp/script", *words)

    def files(self, *below: str) -> List[str]:
        return sorted(str(path.relative_to(self.folder)) for place in below for path in (self.folder / place).rglob("*"))

    def rpm_words(self, verb: str, *words: str) -> List[str]:
        alone = ["--ignoreos", "--nodeps"] if verb in ("-i", "-U") else ["--nodeps"] if verb == "-V" else []
        return ["--force-debian", "--root", str(self.folder), "--dbpath", "/var/lib/rpm", verb, *alone, *words]

    def _changed(self, argv: Sequence[str], told: Dict[str, str]) -> List[str]:
        variables = [f"{name}={value}" for name, value in {"PATH": "/usr/bin:/usr/sbin", **told}.items()]
        return ["chroot", str(self.folder), "/usr/bin/env", "-i", *variables, *argv]

    def _entering(self, argv: List[str]) -> List[str]:
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", ENTER, str(self.folder), *argv]

    def enter(self, argv: List[str], **told: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the machine's, which sees the root where it is, with what is mounted in it."""
        return subprocess.run(self._entering(argv), env={**BARE, **told}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=PATIENCE)
