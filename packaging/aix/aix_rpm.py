"""The rpm for AIX and VIOS: noarch, of the operating system aix7.1, which every later AIX takes as its own; built by rpmbuild.

It requires nothing: the rpm database of AIX does not know the Python that AIX itself brings. The launcher looks for it.
"""
from __future__ import annotations

from pathlib import Path
from typing import List

import building
import payload

SYSTEM = "aix7.1"
RELEASE = "1"
# AIX's rpm reads gzip; Debian's own default is zstd, which it does not.
SETTINGS = ("_target_platform noarch-ibm-aix7.1", "_arch noarch", "_binary_payload w9.gzdio", "_source_payload w9.gzdio",
            "_build_id_links none", "_buildhost reproducible", "use_source_date_epoch_as_buildtime 1",
            "clamp_mtime_to_source_date_epoch 1", "__os_install_post %{nil}",
            "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{OS}.%%{ARCH}.rpm")


def build(out: Path, folder: Path, at: int) -> Path:
    stage = folder / "stage"
    building.lay_out(payload.files(), stage, at)
    (folder / "rmcagent.spec").write_text(spec(stage), "utf-8")
    options = [word for setting in (*SETTINGS, f"_topdir {folder}") for word in ("--define", setting)]
    building.run(["rpmbuild", "-bb", "--target", f"noarch-ibm-{SYSTEM}", *options, "rmcagent.spec"], folder, at)
    name = f"rmcagent-{building.version()}-{RELEASE}.{SYSTEM}.noarch.rpm"
    return Path((folder / "RPMS" / name).replace(out / name))


def spec(stage: Path) -> str:
    return "\n".join([
        "Name: rmcagent",
        f"Version: {building.version()}",
        f"Release: {RELEASE}",
        f"Summary: {building.SUMMARY}",
        f"License: {building.LICENCE} and MIT",
        "Group: System Environment/Daemons",
        "BuildArch: noarch",
        "AutoReqProv: no",
        "",
        "%description",
        "A daemon that watches RSCT's Resource Monitoring and Control (RMC), the channel",
        "by which an HMC reaches this partition, and heals it where the cause is here",
        "and the remedy is safe. All of it is below /opt/rmcagent.",
        "",
        "%install",
        f"mkdir -p %{{buildroot}} && cp -a {stage}/. %{{buildroot}}/",
        "",
        "%files",
        *entries(),
        "",
        *[line for section in ("pre", "post", "preun", "postun")
          for line in (f"%{section}", escaped(payload.script(f"rpm_{section}", "")), "")],
    ]) + "\n"


def entries() -> List[str]:
    """Each by name: nothing that was not meant comes along. AIX's root has the group system."""
    return [*(f"%dir %attr(0755, root, system) /{folder}" for folder in payload.folders()),
            *(f"%attr({file.mode:04o}, root, system) /{file.path}" for file in payload.files())]


def escaped(script: str) -> str:
    """rpm takes % for the beginning of a macro."""
    return script.replace("%", "%%")
