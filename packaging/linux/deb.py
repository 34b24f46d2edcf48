"""The deb for Linux on Power, built by Debian's own tools (debhelper, dh-python) from a copy of the sources."""
from __future__ import annotations

import time
from pathlib import Path
from typing import List

import building
from building import PROGRAM, ROOT, File
from python_dist import SOURCES

LINUX = ROOT / "packaging" / "linux"
TOOLS = {"dpkg-buildpackage": "dpkg-dev", "dh": "debhelper", "dh_python3": "dh-python",
         "pyproject-build": "pybuild-plugin-pyproject"}


def build(out: Path, folder: Path, at: int) -> Path:
    sources = folder / "rmcagent"
    building.lay_out(files(at), sources, at)
    building.run(["dpkg-buildpackage", "--build=binary", "--no-sign"], sources, at)
    (built,) = folder.glob("rmcagent_*_all.deb")
    return Path(built.replace(out / built.name))


def files(at: int) -> List[File]:
    """The sources as Debian's tools want them: the program, what else is installed, and the folder debian."""
    given = {"rmcagent.yaml": ROOT / "etc" / "rmcagent.yaml", "rmcagent.catalog": LINUX / "rmcagent.catalog",
             "rmcagent.py": LINUX / "rmcagent.py",
             "rmcagent.bash": ROOT / "packaging" / "completion" / "rmcagent.bash",
             **{name: ROOT / "packaging" / "man" / name for name in ("rmcagent.8", "rmcagent.yaml.5")},
             "debian/rmcagent.service": LINUX / "rmcagent.service", **{name: ROOT / name for name in SOURCES}}
    told = [File(name, path.read_bytes()) for name, path in given.items()]
    told += [File(f"debian/{path.name}", _filled(path), PROGRAM if path.name == "rules" else building.PLAIN)
             for path in sorted((LINUX / "debian").iterdir())]
    return [*told, File("debian/changelog", changelog(at).encode()), *building.below("agent", building.agent())]


def _filled(path: Path) -> bytes:
    """A file of debian's; #COMMON# stands for what the scripts share."""
    return path.read_bytes().replace(b"#COMMON#\n", (LINUX / "scripts.sh").read_bytes())


def changelog(at: int) -> str:
    """Its one entry: version and date of the build; what changed is told by the commits."""
    date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(at))
    return (f"rmcagent ({building.version()}-1) unstable; urgency=medium\n\n  * Built from the sources of version "
            f"{building.version()}.\n\n -- rmcagent <maintainer@rmcagent.invalid>  {date}\n")
