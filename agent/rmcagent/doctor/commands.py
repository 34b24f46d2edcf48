"""Which commands are missing here: what is not seen without each, which remedies are not to be had, what brings it."""
from __future__ import annotations

from typing import Dict, Iterator, Mapping, NamedTuple, Tuple

from rmcagent.doctor.nouns import Complaint, Scene, Severity, advice, cannot_see
from rmcagent.model import Platform, Remedy, Snapshot
from rmcagent.partition import act
from rmcagent.partition.host import Host
from rmcagent.partition.platform import ONLY_VIOS, Place

RSCT = ("rmcctrl", "lsrsrc", "rmcdomainstatus")      # lssrc alone proves nothing: AIX has it without RSCT


class Need(NamedTuple):
    fileset: str                          # that brings it on AIX and VIOS; "": nobody asks it there
    package: str                          # on Linux, likewise
    severity: Severity = Severity.ADVICE
    lost: str = ""                        # without it, besides the remedies that run it


NO_PROOF = "recycle and recfgct are refused, for nothing else rules out {}"
# Where each command comes from and what only it tells. lsrsrc's, lssrc's, lspv's and lsattr's filesets and the names of the
# Linux packages are public; which of them holds each of the other commands is [my inference].
NEEDS: Mapping[str, Need] = {
    "lssrc": Need("bos.rte.SRC", "src", Severity.CANNOT_SEE, "no subsystem's state can be seen"),
    "rmcdomainstatus": Need("rsct.core.rmc", "rsct.core", Severity.CANNOT_SEE, "no link to an HMC can be seen"),
    "lsrsrc": Need("rsct.core.rmc", "rsct.core", Severity.CANNOT_SEE, "the HMCs that RMC knows cannot be seen"),
    "rmcctrl": Need("rsct.core.rmc", "rsct.core"),
    "startsrc": Need("bos.rte.SRC", "src"),
    "recfgct": Need("rsct.core.utils", "rsct.core.utils"),
    "lsrpdomain": Need("rsct.basic.rte", "rsct.basic", Severity.CANNOT_ACT, NO_PROOF.format("a peer domain")),
    "lspv": Need("bos.rte.lvm", "", Severity.CANNOT_ACT, NO_PROOF.format("a CAA cluster's repository disk")),
    "ioscli": Need("ios.cli.rte", "", Severity.CANNOT_ACT, NO_PROOF.format("a shared storage pool")),
    "errpt": Need("bos.sysmgt.serv_aid", "", Severity.CANNOT_ACT,
                  NO_PROOF.format("a migration under way") + "; nor is it told why RMC stopped"),
    "systemctl": Need("", "systemd", Severity.CANNOT_SEE, "RMC stopped on purpose looks like RMC that crashed"),
    "ct_clusterinfo": Need("rsct.core.utils", "rsct.core.utils", Severity.ADVICE,
                           "while RMC is down, recycle depends on what lsrpdomain said earlier"),
    "lsnodeid": Need("rsct.core.utils", "rsct.core.utils", Severity.ADVICE, "a node id unlike that in its file is not noticed"),
    "lsattr": Need("bos.rte.methods", "", Severity.ADVICE, "a cloned partition is harder to tell"),
    "lsitab": Need("bos.rte.boot", "", Severity.ADVICE, "whether RMC starts at boot is not seen"),
    "lsivm": Need("ios.cli.rte", "", Severity.ADVICE, "an lparmgr that has lost RMC is not noticed"),
    "lscondition": Need("rsct.core.errm", "rsct.core", Severity.ADVICE, "recfgct cannot save RMC's conditions first"),
    "lsresponse": Need("rsct.core.errm", "rsct.core", Severity.ADVICE, "recfgct cannot save RMC's responses first"),
    "ctsthl": Need("rsct.core.sec", "rsct.core", Severity.ADVICE, "recfgct cannot save the trusted hosts first"),
}
# What an HMC misses where a resource manager is not even on file; the Linux packages are IBM's Power tools.
MANAGERS: Mapping[str, Tuple[str, str]] = {
    "IBM.DRM": ("DynamicRM", "DLPAR and migration do not work, however well RMC is connected"),
    "IBM.ServiceRM": ("devices.chrp.base.ServiceRM", "service events do not reach the HMC"),
}


def not_installed(host: Host, here: Place) -> Complaint:
    package = "rsct.core" if here.platform is Platform.LINUX else "rsct.core.rmc"
    where = here.commands["rmcctrl"].rpartition("/")[0]
    return cannot_see("rsct", f"RSCT is not installed: none of {', '.join(RSCT)} is in {where} or where the "
                     "configuration says, so there is nothing to watch here", _install(host, here, package))


def missing(scene: Scene) -> Iterator[Complaint]:
    """Each command that is missing, with what only it would tell and the remedies that cannot do without it."""
    commands, installed = scene.place.commands, scene.place.installed(scene.host)
    for name, need in NEEDS.items():
        package = need.package if scene.on_linux else need.fileset
        if not package or name not in commands or name in installed:
            continue
        if name in ONLY_VIOS and scene.place.platform is not Platform.VIOS:
            continue
        if name == "lsrpdomain" and not _domains_possible(scene.seen):
            continue
        remedies = [remedy.value for remedy in _remedies(scene)
                    if _spells(scene, remedy, commands) and not _spells(scene, remedy, _without(commands, name))]
        lost = [need.lost] if need.lost else []
        lost += [f"without it there is no {', '.join(remedies)}"] if remedies else []
        if lost:
            severity = Severity.CANNOT_ACT if remedies else need.severity
            yield Complaint("command", severity, f"{name} is not installed ({commands[name]}): {'; '.join(lost)}",
                            f"commands: {{{name}: PATH}}   # the configuration names another" if name in scene.settings.commands
                            else _install(scene.host, scene.place, package))


def remedies_without_steps(scene: Scene) -> Iterator[Complaint]:
    """Those that are not to be had here even with every command installed."""
    for remedy in _remedies(scene):
        reason = _why_not_spelled(scene, remedy, scene.place.commands)
        if reason:
            in_act = scene.settings.remedies[remedy.value].mode == scene.settings.mode == "act"
            yield Complaint("remedy", Severity.CANNOT_ACT if in_act else Severity.ADVICE, f"{reason}; a human must do it",
                            f"remedies: {{{remedy.value}: {{mode: off}}}}")


def managers(scene: Scene) -> Iterator[Complaint]:
    rows = scene.seen.subsystems.value
    for name, (package, lost) in MANAGERS.items():
        if rows is not None and "ctrmc" in rows and name not in rows:
            # Which fileset brings IBM.DRM on AIX is not public; ServiceRM's has the same name there [my inference].
            known = scene.on_linux or name == "IBM.ServiceRM"
            lookup = f"lslpp -w '*/{name}d'   # elsewhere: names the fileset"
            yield advice("rsct", f"{name} is not on file: {lost}",
                         _install(scene.host, scene.place, package) if known else lookup)


def _remedies(scene: Scene) -> Iterator[Remedy]:
    for remedy in Remedy:
        if scene.settings.remedies[remedy.value].mode != "off" and (
                remedy is not Remedy.LPARMGR or scene.place.platform is Platform.VIOS):
            yield remedy


def _why_not_spelled(scene: Scene, remedy: Remedy, commands: Mapping[str, str]) -> str:
    try:
        act.deed(0, remedy, act.MANAGERS[0], commands, scene.place.paths)
    except act.CannotSpell as reason:
        return str(reason)
    return ""


def _spells(scene: Scene, remedy: Remedy, commands: Mapping[str, str]) -> bool:
    return not _why_not_spelled(scene, remedy, commands)


def _without(commands: Mapping[str, str], name: str) -> Dict[str, str]:
    return {other: path for other, path in commands.items() if other != name}


def _domains_possible(seen: Snapshot) -> bool:
    """Without these rows nothing here could be a peer domain's, and nobody misses lsrpdomain."""
    return not seen.subsystems.seen or any(seen.state_of(name) for name in ("cthags", "IBM.RecoveryRM"))


def _install(host: Host, here: Place, package: str) -> str:
    if here.platform is not Platform.LINUX:
        return f"installp -acgXYd DEVICE {package}"
    manager = next((name for name in ("dnf", "zypper", "apt-get") if host.exists(f"/usr/bin/{name}")), "dnf")
    return f"{manager} install {package}"
