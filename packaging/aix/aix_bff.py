"""The installp image for AIX and VIOS, and what rebuilds it there by mkinstallp: one fileset, with a usr part only.

Everything it brings is below /opt/rmcagent; folders elsewhere are made by its config script, so that no update replaces what is
in them.
"""
from __future__ import annotations

import re
import tarfile
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import List, Tuple

import bigarchive
import building
import mkbff
import payload
from building import PROGRAM, File

PACKAGE, FILESET = "rmcagent", "rmcagent.rte"
TITLE = "RMC self-healing agent"
REQUISITE = "*prereq bos.rte 7.1.0.0"
SCRIPTS = ("pre_i", "config", "unconfig")
LIBLPP = f"./usr/lpp/{PACKAGE}/liblpp.a"
BLOCK, CLUSTER = 512, 4096   # what installp counts in, and what a file system gives a file
FORBIDDEN = re.compile(r"[\s():,{}]")        # what mkinstallp takes no name with


def build(out: Path, folder: Path, at: int) -> Path:
    path = out / f"{PACKAGE}.{level()}.bff"
    path.write_bytes(mkbff.image(records(at), at))
    return path


def level() -> str:
    """Four numbers: version, release, modification, fix."""
    version = building.version()
    if not re.fullmatch(r"\d{1,2}\.\d{1,2}\.\d{1,4}", version):
        raise building.CannotBuild(f"cannot build for installp: version {version} is not of the form 1.2.3")
    return f"{version}.0"


def records(at: int) -> List[mkbff.Record]:
    """installp wants the table of contents first, then its own files, then what is installed."""
    library = liblpp()
    written = [mkbff.Record("./lpp_name", 0o100644, lpp_name(len(library)).encode("ascii"), at),
               mkbff.Record(LIBLPP, 0o100644, library, at)]
    folders = payload.folders()
    inodes = {folder: 0xFFFFFFFF - place for place, folder in enumerate(folders)}
    contents = [*((folder, None) for folder in folders), *((file.path, file) for file in payload.files())]
    for path, file in sorted(contents, key=lambda one: one[0]):
        if file is None:
            inner = sum(other.rpartition("/")[0] == path for other in folders)
            written.append(mkbff.Record(f"./{path}", 0o040755, b"", at, inodes[path], 2 + inner))
        else:
            written.append(mkbff.Record(f"./{path}", 0o100000 | file.mode, file.data, at))
    return written


def lpp_name(library: int) -> str:
    """The table of contents: format 4, for RISC machines, an install image of one fileset; sizes in blocks of 512 bytes."""
    padded = ".".join(part.zfill(width) for part, width in zip(level().split("."), (2, 2, 4, 4)))
    return "\n".join([f"4 R I {PACKAGE} {{", f"{FILESET} {padded} 1 N U en_US {TITLE}", "[", REQUISITE, "%", *sizes(library),
                      "%", "%", "%", "]", "}"]) + "\n"


def sizes(library: int) -> List[str]:
    own = blocks(library)
    return [f"/{payload.HOME} {installed_blocks()}", f"/usr/lpp/{PACKAGE} {own}", f"INSTWORK {2 * own} {own}"]


def installed_blocks() -> int:
    return sum(blocks(len(file.data)) for file in payload.files()) + len(payload.folders()) * CLUSTER // BLOCK


def blocks(size: int) -> int:
    return -(-size // CLUSTER) * CLUSTER // BLOCK


@lru_cache(None)
def liblpp() -> bytes:
    """What installp keeps of a fileset: its lists, its notice and its scripts."""
    listed = "".join(f"./{path}\n" for path in sorted([*payload.folders(), *(file.path for file in payload.files())]))
    sized = f"/{payload.HOME} {installed_blocks()}\n"
    members = [("al", listed), ("inventory", inventory()), ("size", sized), ("copyright", notice())]
    scripts = [(name, payload.script(name)) for name in SCRIPTS]
    return bigarchive.archive([(f"{FILESET}.{name}", text.encode("ascii")) for name, text in members + scripts], PROGRAM)


def inventory() -> str:
    """A stanza for each file and folder; sysck and lppchk compare the checksum that AIX's sum would print."""
    folders: List[Tuple[str, str]] = [(path, _stanza(path, "DIRECTORY", 0o755)) for path in payload.folders()]
    files = [(file.path, _stanza(file.path, "FILE", file.mode) + f"    size = {len(file.data)}\n"
              f'    checksum = "{checksum(file.data)}"\n') for file in payload.files()]
    return "\n".join(text for _, text in sorted(folders + files))


def _stanza(path: str, kind: str, mode: int) -> str:
    return (f"/{path}:\n    owner = root\n    group = system\n    mode = {mode:o}\n    type = {kind}\n"
            f"    class = apply,inventory,{FILESET}\n")


def checksum(data: bytes) -> str:
    """A sum that is turned one bit to the right before each byte, and the number of 1024-byte blocks, as sum prints them."""
    total = 0
    for byte in data:
        total = ((total >> 1) + ((total & 1) << 15) + byte) & 0xFFFF
    return f"{total:05d} {-(-len(data) // 1024):5d} "


def notice() -> str:
    return (f"{PACKAGE} {building.version()}: Apache License 2.0. With it come tenacity (Apache License 2.0) and PyYAML (MIT).\n"
            f"The texts are in /{payload.HOME}/share/LICENSE and /{payload.HOME}/share/licences.\n")


# ---- to be rebuilt on AIX ----------------------------------------------------------------------------------------------

MAKE = """#!/bin/sh
# On AIX, in the folder this was unpacked into: makes the installp image by AIX's own tool (fileset bos.adt.insttools).
here=$(pwd)
# What is installed is as it is here, and tar takes away what the umask of whoever unpacked it forbids.
chmod -R u+rwX,go+rX,go-w "$here/tree"
sed "s|@HERE@|$here|" rmcagent.template >rmcagent.here && mkinstallp -d "$here/tree" -T "$here/rmcagent.here" &&
    ls -l "$here"/tree/tmp/*.bff
"""


def build_template(out: Path, folder: Path, at: int) -> Path:
    """A ustar archive, for AIX's tar knows no later form: the tree, the scripts, mkinstallp's template and what runs it."""
    scripts = [File(f"scripts/{name}", payload.script(name).encode("ascii"), PROGRAM) for name in SCRIPTS]
    files = [File("make-bff", MAKE.encode("ascii"), PROGRAM), File("rmcagent.template", template().encode("ascii")), *scripts,
             *building.below("tree", payload.files())]
    top = f"{PACKAGE}-{building.version()}-mkinstallp"
    written = BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for folder in (f"{top}/tree", *(f"{top}/tree/{path}" for path in ("opt", *payload.folders()))):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mtime, entry.mode, entry.uname, entry.gname = tarfile.DIRTYPE, at, 0o755, "root", "system"
            archive.addfile(entry)
        for file in building.below(top, files):
            entry = tarfile.TarInfo(file.path)
            entry.size, entry.mtime, entry.mode, entry.uname, entry.gname = len(file.data), at, file.mode, "root", "system"
            archive.addfile(entry, BytesIO(file.data))
    path = out / f"{top}.tar"
    path.write_bytes(written.getvalue())
    return path


def template() -> str:
    paths = sorted([*payload.folders(), *(file.path for file in payload.files())])
    wrong = [path for path in paths if FORBIDDEN.search(path)]
    if wrong:
        raise building.CannotBuild(f"cannot build: mkinstallp takes no name such as {wrong[0]}")
    return "\n".join([
        f"Package Name: {PACKAGE}",
        f"Package VRMF: {level()}",
        "Update: N",
        "Fileset",
        f"  Fileset Name: {FILESET}",
        f"  Fileset VRMF: {level()}",
        f"  Fileset Description: {TITLE}",
        "  USRLIBLPPFiles",
        "  Pre-installation Script: @HERE@/scripts/pre_i",
        "  Configuration Script: @HERE@/scripts/config",
        "  Unconfiguration Script: @HERE@/scripts/unconfig",
        "  EOUSRLIBLPPFiles",
        "  Bosboot required: N",
        "  License agreement acceptance required: N",
        "  Include license files in this package: N",
        f"  Requisites: {REQUISITE}",
        "  USRFiles",
        *(f"  /{path}" for path in paths),
        "  EOUSRFiles",
        "  ROOT Part: N",
        "  ROOTFiles",
        "  EOROOTFiles",
        "  Relocatable: N",
        "EOFileset",
    ]) + "\n"
