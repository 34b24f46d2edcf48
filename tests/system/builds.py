"""What is built of the sources in one run of the tests: each artefact once, however many processes run them."""
from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable

from house import ROOT

LATER = "9.9.9"
AT = 1_790_000_000
FOR_ANYWHERE = ("wheel", "sdist", "zipapp", "aix-rpm", "aix-bff", "aix-mkinstallp")


class Builds:
    """Folders of what was built in this run, of the sources as they were when the first test asked."""

    def __init__(self, shelf: Path) -> None:
        self.shelf = shelf

    def sources(self, version: str = "") -> Path:
        return self._once(f"sources-{version}", lambda place: snapshot(place, version))

    def of(self, *artefacts: str, version: str = "") -> Path:
        """The folder of these artefacts, and of no others, with their SHA256SUMS."""
        sources = self.sources(version)
        return self._once("-".join((*artefacts, version)), lambda place: built(sources, place, *artefacts))

    def of_a_room_more(self) -> Path:
        """AIX's rpm of a version whose program has a folder of modules that the others have not."""
        def make(place: Path) -> None:
            sources = snapshot(place / "sources", "0.0.1")
            attic = sources / "agent" / "rmcagent" / "attic"
            attic.mkdir()
            (attic / "__init__.py").write_text('"""What is no more."""\n')
            built(sources, place, "aix-rpm")

        return self._once("a-room-more", make)

    def _once(self, name: str, make: Callable[[Path], object]) -> Path:
        place, made = self.shelf / name, self.shelf / f"{name}.made"
        with open(self.shelf / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                shutil.rmtree(place, ignore_errors=True)
                make(place)
                made.touch()
        return place


def snapshot(folder: Path, version: str = "") -> Path:
    """A copy of the sources that nobody edits meanwhile; of another version, where one is told."""
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", ".git", "dist", "build-*")
    for name in ("agent", "etc", "packaging"):
        shutil.copytree(ROOT / name, folder / name, ignore=left_out)
    for name in ("LICENSE", "README.md", "setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    if version:
        (folder / "agent" / "rmcagent" / "__init__.py").write_text(f'"""rmcagent."""\n__version__ = "{version}"\n')
    return folder


def built(sources: Path, out: Path, *artefacts: str, at: int = AT) -> Path:
    told = {"PATH": os.environ["PATH"], "SOURCE_DATE_EPOCH": str(at), "HOME": str(out)}
    done = subprocess.run([sys.executable, str(sources / "packaging" / "build"), "--out", str(out), *artefacts], env=told,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return out
