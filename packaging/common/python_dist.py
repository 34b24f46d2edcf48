"""wheel and sdist, by setuptools, in a copy of the sources, and packed again so that nothing of this machine is in them."""
from __future__ import annotations

import gzip
import tarfile
from io import BytesIO
from pathlib import Path
from typing import List

import building
from building import ROOT, File

SOURCES = ("LICENSE", "README.md", "pyproject.toml", "setup.cfg")
BACKEND = "import sys; from setuptools import build_meta; print(getattr(build_meta, 'build_' + sys.argv[1])(sys.argv[2]))"


def wheel(out: Path, folder: Path, at: int) -> Path:
    return _built("wheel", out, folder, at)


def sdist(out: Path, folder: Path, at: int) -> Path:
    path = _built("sdist", out, folder, at)
    path.write_bytes(packed_again(path.read_bytes(), at))
    return path


def _built(what: str, out: Path, folder: Path, at: int) -> Path:
    sources = [File(name, (ROOT / name).read_bytes()) for name in SOURCES] + building.below("agent", building.agent())
    building.lay_out(sources, folder / "sources", at)
    said = building.run([building.python(), "-c", BACKEND, what, str(folder)], folder / "sources", at)
    built = folder / said.strip().splitlines()[-1]
    return Path(built.replace(out / built.name))


def packed_again(data: bytes, at: int) -> bytes:
    """The same files in one order, of one date, of nobody; ustar, for AIX's tar knows no later form."""
    with tarfile.open(fileobj=BytesIO(data), mode="r:gz") as given:
        files: List[File] = []
        for member in given.getmembers():
            content = given.extractfile(member) if member.isfile() else None
            if content is not None:
                files.append(File(member.name, content.read()))
    written = BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=written, mtime=at) as zipped:
        with tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for file in sorted(files, key=lambda one: one.path):
                entry = tarfile.TarInfo(file.path)
                entry.size, entry.mtime, entry.mode = len(file.data), at, file.mode
                archive.addfile(entry, BytesIO(file.data))
    return written.getvalue()
