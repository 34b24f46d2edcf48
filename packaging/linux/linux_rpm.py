"""The rpm for Linux on Power: noarch, everything of ours and what it needs from others below /usr/lib/rmcagent; by rpmbuild.

No distribution's macros are asked: the same package serves RHEL and SLES, and a builder need have neither.
"""
from __future__ import annotations

import time
from pathlib import Path
from typing import List, Mapping

import building
from building import PROGRAM, ROOT, File

LINUX = ROOT / "packaging" / "linux"
TOOLS = {"rpmbuild": "rpm"}
RELEASE = "1"
HOME, LICENCES = "usr/lib/rmcagent", "usr/share/licenses/rmcagent"
UNIT, CATALOG = "usr/lib/systemd/system/rmcagent.service", "usr/lib/systemd/catalog/rmcagent.catalog"
CONFIGURATION = "etc/rmcagent/rmcagent.yaml"
# gzip is what every rpm reads. Nothing is stripped, compiled or told of the machine that builds.
SETTINGS = ("_binary_payload w9.gzdio", "_build_id_links none", "_buildhost reproducible", "use_source_date_epoch_as_buildtime 1",
            "clamp_mtime_to_source_date_epoch 1", "__os_install_post %{nil}",
            "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm")
# $1 is how many of this package there will be. Each ends well whatever it finds, but one: an erasure that cuts a remedy short.
SCRIPTS: Mapping[str, str] = {
    "post": """
if booted; then
    systemctl daemon-reload || :
fi
journalctl --update-catalog 2>/dev/null || :
advise
if [ "$1" -eq 1 ]; then
    not_started
fi
exit 0
""",
    "preun": """
if [ "$1" -eq 0 ]; then
    retire || exit 1
    tell_what_stays
    systemctl --no-reload disable rmcagent.service 2>/dev/null || :
fi
find /usr/lib/rmcagent/lib -name __pycache__ -prune -exec rm -rf {} + || :
exit 0
""",
    "postun": """
if booted; then
    systemctl daemon-reload || :
fi
if [ "$1" -eq 0 ]; then
    forget
    journalctl --update-catalog 2>/dev/null || :
    say "kept: /var/lib/rmcagent, and of /etc/rmcagent what was changed; remove them by hand where nothing of them is wanted"
fi
exit 0
""",
    # Of the new package, and after all else of an upgrade is in place, a new Python, too. One that was stopped stays stopped.
    # Where nothing can be compiled, or another Python comes later, each start compiles what it needs.
    "posttrans": """
(umask 022 && rmcagent --compile) >/dev/null 2>&1 || :
if booted; then
    systemctl try-restart rmcagent.service || :
fi
exit 0
""",
}


def build(out: Path, folder: Path, at: int) -> Path:
    stage = folder / "stage"
    building.lay_out(files(), stage, at)
    (folder / "rmcagent.spec").write_text(spec(stage, at), "utf-8")
    options = [word for setting in (*SETTINGS, f"_topdir {folder}") for word in ("--define", setting)]
    building.run(["rpmbuild", "-bb", "--target", "noarch-linux", *options, "rmcagent.spec"], folder, at)
    name = f"rmcagent-{building.version()}-{RELEASE}.noarch.rpm"
    return Path((folder / "RPMS" / name).replace(out / name))


def files() -> List[File]:
    """In the order of their paths, which begin below /."""
    completion = ROOT / "packaging" / "completion" / "rmcagent.bash"
    told = [File("usr/bin/rmcagent", (LINUX / "rmcagent.sh").read_bytes(), PROGRAM),
            File(UNIT, (LINUX / "rmcagent.service").read_bytes()), File(CATALOG, (LINUX / "rmcagent.catalog").read_bytes()),
            File(CONFIGURATION, (ROOT / "etc" / "rmcagent.yaml").read_bytes()),
            File("usr/share/bash-completion/completions/rmcagent", completion.read_bytes()),
            *building.below("usr/share", building.manual()), *building.below(f"{HOME}/lib", building.library()),
            *building.below(LICENCES, building.licences())]
    return sorted(told, key=lambda file: file.path)


def spec(stage: Path, at: int) -> str:
    shared, day = (LINUX / "scripts.sh").read_text("utf-8"), time.strftime("%a %b %d %Y", time.gmtime(at))
    return "\n".join([
        "Name: rmcagent",
        f"Version: {building.version()}",
        f"Release: {RELEASE}",
        f"Summary: {building.SUMMARY}",
        f"License: {building.LICENCE} and MIT",
        "Group: System Environment/Daemons",
        "BuildArch: noarch",
        "AutoReqProv: no",
        "Requires: (python3 >= 3.9 or python3.12 or python3.11 or python39 or python311)",
        "Requires: systemd",
        "Recommends: python3-psutil",
        "Recommends: python3-systemd",            # for the journal's own fields, by which its catalogue is found
        "",
        "%description",
        "A daemon that watches RSCT's Resource Monitoring and Control (RMC), the",
        "channel by which an HMC reaches this partition, and heals it where the cause",
        "is here and the remedy is safe. It is installed and not started.",
        "",
        "%install",
        f"mkdir -p %{{buildroot}} && cp -a {stage}/. %{{buildroot}}/ && mkdir -p %{{buildroot}}/etc/rmcagent/conf.d",
        "",
        "%files",
        *entries(),
        "",
        *[line for section, script in SCRIPTS.items() for line in (f"%{section}", (shared + script).replace("%", "%%"))],
        "%changelog",
        f"* {day} rmcagent <maintainer@rmcagent.invalid> - {building.version()}-{RELEASE}",
        f"- Built from the sources of version {building.version()}",
    ]) + "\n"


def entries() -> List[str]:
    """Each by name: nothing that was not meant comes along."""
    folders = sorted({folder for file in files() for folder in _above(file.path) if folder.startswith((HOME, LICENCES))})
    marks = {CONFIGURATION: "%config(noreplace) ",
             **{file.path: "%license " for file in files() if file.path.startswith(LICENCES)},
             **{file.path: "%doc " for file in files() if "/man/" in file.path}}
    return ["%defattr(-, root, root)", "%dir /etc/rmcagent", "%dir /etc/rmcagent/conf.d",
            *(f"%dir %attr(0755, root, root) /{folder}" for folder in folders),
            *(f"{marks.get(file.path, '')}%attr({file.mode:04o}, root, root) /{file.path}" for file in files())]


def _above(path: str) -> List[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]
