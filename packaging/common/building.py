"""What every artefact is built of: the version, the date, the files and their modes, tools, and archives of fixed bytes."""
from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
VENDOR = ROOT / "packaging" / "common" / "vendor"
SUMS = "SHA256SUMS"
LICENCE = "Apache-2.0"
SUMMARY = "Watches RMC's connection to the HMC and heals it"
EARLIEST = 315532800                      # 1980-01-01: a zip can tell no earlier date
SHEBANG = b"#!/usr/bin/env python3\n"
PROGRAM, PLAIN = 0o755, 0o644


class CannotBuild(Exception):
    """The sentence says what is missing, and what brings it."""


@dataclass(frozen=True)
class File:
    """One file of an artefact: where it goes below the artefact's own folder."""

    path: str
    data: bytes
    mode: int = PLAIN


def version() -> str:
    """The one place that tells it: rmcagent.__version__."""
    told: Dict[str, str] = {}
    exec((ROOT / "agent" / "rmcagent" / "__init__.py").read_text("utf-8"), told)
    return told["__version__"]


def epoch() -> int:
    """The date every artefact carries: SOURCE_DATE_EPOCH, or that of the last commit."""
    told = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not told:
        try:
            # The tree belongs to whoever cloned it, which need not be who builds.
            asked = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), "log", "-1", "--format=%ct"]
            told = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
        except OSError:
            told = ""
    if not told.isdigit():
        raise CannotBuild("cannot date the build: there is no commit here; set SOURCE_DATE_EPOCH to seconds since 1970")
    return max(int(told), EARLIEST)


def need(tools: Mapping[str, str]) -> None:
    """Raise CannotBuild with every program that is not there, and the Debian package that brings it."""
    missing = [f"{tool} (Debian package {package})" for tool, package in tools.items() if not shutil.which(tool, path=search())]
    if missing:
        raise CannotBuild(f"cannot build: {', '.join(missing)} missing; run: apt-get install "
                          + " ".join(sorted({tools[name.split(" ")[0]] for name in missing})))


def search() -> str:
    """Where tools are looked for: the system's own first, for a personal Python's shims mislead them."""
    return "/usr/sbin:/usr/bin:/sbin:/bin:" + os.environ.get("PATH", "")


def run(argv: Sequence[str], folder: Path, at: int) -> str:
    """What a tool says on standard output; raise CannotBuild with all it says where it fails."""
    told = {"PATH": search(), "HOME": str(folder), "LC_ALL": "C.UTF-8", "TZ": "UTC", "SOURCE_DATE_EPOCH": str(at),
            "PYTHONHASHSEED": "0"}
    done = subprocess.run(list(argv), cwd=folder, env=told, stdin=subprocess.DEVNULL, capture_output=True, text=True, umask=0o022)
    if done.returncode != 0:
        raise CannotBuild(f"cannot build: {argv[0]} ended with exit {done.returncode}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def agent() -> List[File]:
    """The package itself, as the artefacts hold it."""
    return list(_python(ROOT / "agent", "rmcagent"))


def library() -> List[File]:
    """A folder that Python runs: the agent, and what it needs from others."""
    start = File("__main__.py", (ROOT / "packaging" / "common" / "__main__.py").read_bytes())
    return [start, *agent(), *_python(VENDOR, "tenacity"), *_python(VENDOR, "yaml")]


def licences() -> List[File]:
    return [File("LICENSE", (ROOT / "LICENSE").read_bytes()), File("VENDORED.txt", (VENDOR / "VENDORED.txt").read_bytes()),
            *(File(f"licences/{path.name}", path.read_bytes()) for path in sorted((VENDOR / "licences").iterdir()))]


def manual() -> List[File]:
    """The man pages, where they have been written."""
    folder = ROOT / "packaging" / "man"
    return [File(f"man/man{path.suffix[1:]}/{path.name}", path.read_bytes()) for path in sorted(folder.glob("*.[58]"))]


def below(folder: str, files: Sequence[File]) -> List[File]:
    return [File(f"{folder}/{file.path}", file.data, file.mode) for file in files]


def _python(root: Path, package: str) -> Iterator[File]:
    for path in sorted((root / package).rglob("*")):
        if path.suffix == ".py" or path.name == "py.typed":
            yield File(str(path.relative_to(root)), path.read_bytes())


def lay_out(files: Sequence[File], folder: Path, at: int) -> None:
    """Write files with their modes and the one date, whatever the umask is."""
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        path.chmod(file.mode)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            path.chmod(PROGRAM)
        os.utime(path, (at, at))


def zipapp(files: Sequence[File], at: int) -> bytes:
    """A zip that Python runs, its entries in one order and of one date."""
    from io import BytesIO

    written = BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(files, key=lambda one: one.path):
            entry = zipfile.ZipInfo(file.path, time.gmtime(at)[:6])
            entry.external_attr = (0o100000 | file.mode) << 16
            entry.create_system = 3       # unix, wherever it is built
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.data)
    return SHEBANG + written.getvalue()


def sums(folder: Path, built: Sequence[Path]) -> str:
    """SHA256SUMS as sha256sum -c reads it: what was built now, and the lines of the same version that told of others before."""
    before = (folder / SUMS).read_text("ascii").splitlines() if (folder / SUMS).exists() else []
    told = {name: digest for digest, _, name in (line.partition("  ") for line in before)
            if version() in name and (folder / name).exists()}
    told.update((path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in built)
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(told.items()))


def python() -> str:
    """An interpreter with setuptools and wheel: this one, or the system's own."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        probe = [candidate, "-c", "import setuptools, sys\ntry:\n import wheel\nexcept ImportError:\n"
                 " from setuptools.command import bdist_wheel\nsys.exit(int(setuptools.__version__.split('.')[0]) < 61)"]
        try:
            if subprocess.run(probe, capture_output=True).returncode == 0:
                return candidate
        except OSError:
            continue
    raise CannotBuild("cannot build the wheel: setuptools 61 and wheel are missing; run: apt-get install python3-setuptools "
                      "python3-wheel")
