"""What both packages for AIX and VIOS bring, all of it below /opt/rmcagent; and their scripts, behind the part they share."""
from __future__ import annotations

import shutil
import subprocess
from functools import lru_cache
from typing import List

import building
from building import PROGRAM, ROOT, File

HOME = "opt/rmcagent"
AIX = ROOT / "packaging" / "aix"


@lru_cache(None)
def files() -> List[File]:
    """In the order of their paths, which begin below /."""
    launcher = File("bin/rmcagent", (ROOT / "packaging" / "common" / "rmcagent.sh").read_bytes(), PROGRAM)
    shared = [File("rmcagent.yaml", (ROOT / "etc" / "rmcagent.yaml").read_bytes()),
              File("FIRST-INSTALL.md", (AIX / "FIRST-INSTALL.md").read_bytes()), *building.licences(), *pages()]
    told = [launcher, *building.below("lib", building.library()), *building.below("share", shared)]
    return sorted(building.below(HOME, told), key=lambda file: file.path)


@lru_cache(None)
def folders() -> List[str]:
    """Every folder that holds a file, and those above it up to ours."""
    found = {HOME}
    for file in files():
        folder = file.path.rpartition("/")[0]
        while folder.startswith(HOME):
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return sorted(found)


def pages() -> List[File]:
    """The man pages, formatted: AIX's man shows cat pages as they are, and does not know what ours are written in."""
    found = []
    for page in building.manual():
        shown = subprocess.run([shutil.which("mandoc", path=building.search()) or "mandoc", "-T", "ascii"], input=page.data,
                               stdout=subprocess.PIPE, check=True).stdout
        found.append(File(page.path.replace("man/man", "man/cat"), shown))
    return found


def script(name: str, shell: str = "#!/bin/sh\n") -> str:
    """@ROOMS@ are the folders that Python's files are in."""
    hooks = AIX / "hooks"
    rooms = sorted({f"/{file.path.rpartition('/')[0]}" for file in building.below(f"{HOME}/lib", building.library())})
    shared = (hooks / "common.sh").read_text("utf-8").replace("@ROOMS@", " ".join(rooms))
    return shell + shared + (hooks / f"{name}.sh").read_text("utf-8")
