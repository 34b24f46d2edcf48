"""What SRC and ps say of RSCT's subsystems: lssrc in its forms, SRC's messages, rmcd's arguments."""
from __future__ import annotations

import re
from typing import Any, Dict, Mapping, Optional, Tuple

from rmcagent import show
from rmcagent.classify.told import Told, cluster, count, hmc
from rmcagent.model import Answer, Link, State, Subsystem
from rmcagent.partition import parse
from rmcagent.partition.platform import expected

NO_REMOTE = ("rmcd is run without -r, remote clients are disabled: no HMC can connect; rmcctrl -p enables them, unless an "
             "administrator chose this")      # what -r stands for is [my inference]
LACKS: Mapping[str, str] = {
    "ctrmc": "RMC does not run, so no HMC reaches this partition: DLPAR, LPM and service events do not work",
    "IBM.DRM": "what executes DLPAR on this partition does not run",
    "IBM.MgmtDomainRM": "no handshake with an HMC is made or renewed",
    "IBM.CSMAgentRM": "no handshake with an HMC is made or renewed",
}
CLUSTERED = ("cthags", "cthats", "grpsvcs", "topsvcs", "clconfd")


def of_lssrc(answer: Answer) -> Told:
    found = parse.lssrc(answer)
    if not found:
        names = sorted(set(re.findall(r"0513-085 The (\S{1,64}) ", answer.stdout)))
        missing = ", ".join(map(show.clean, names)) or "what was asked for"
        absent = ("RSCT is not installed here, or its definition was removed from SRC",) if "ctrmc" in names else ()
        return Told(f"SRC has no subsystem {missing} on file", {"subsystems": {}}, means=absent)
    wanted = expected(found, {})
    active = sum(row.state is State.ACTIVE for row in found.values())
    ours = {name: row for name, row in sorted(found.items(), key=lambda pair: (pair[0] != "ctrmc", pair[0]))
            if row.group.startswith("rsct") or name.startswith("IBM.") or name in wanted}
    needed = ", ".join(f"{name} {row.state.value}" for name, row in ours.items() if wanted.get(name) == "required")
    means = [f"{name} is {found[name].state.value}: {lack}" for name, lack in LACKS.items()
             if wanted.get(name) == "required" and name in found and found[name].state is not State.ACTIVE]
    nouns: Dict[str, Any] = {"subsystems": _subsystems(found, wanted)}
    clustered = ", ".join(f"{name} is {found[name].state.value}" for name in CLUSTERED
                          if name in found and found[name].state is not State.INOPERATIVE)
    if clustered:
        nouns["cluster"] = cluster("present", f"lssrc: {clustered}", recycle=False, recfgct=False)
    others = ", ".join(f"{name} {row.state.value}" for name, row in ours.items() if wanted.get(name) != "required")
    if "clconfd is active" in clustered and "cthags" in found and found["cthags"].state is State.INOPERATIVE:
        means.append("clconfd is active without cthags: this node of a cluster is broken, and is one all the same")
    rows = (("On demand", [others]), ("Cluster", [clustered]))
    return Told(f"{count(len(found), 'subsystem')}, {active} active; RSCT: {needed or 'nothing that must run is among them'}",
                nouns, rows, tuple(means))


def _subsystems(found: Mapping[str, Subsystem], wanted: Mapping[str, str]) -> Dict[str, Any]:
    return {name: {"state": row.state, "pid": row.pid, "expected": wanted.get(name, "on-demand")} for name, row in found.items()}


def of_definitions(answer: Answer) -> Told:
    found = parse.lssrc_definitions(answer)
    ours = next((one for one in found if one.name == "ctrmc"), None)
    means = (NO_REMOTE,) if ours is not None and "-r" not in ours.arguments.split() else ()
    lines = [f"{one.name}: {one.path} {one.arguments}".strip() + f" ({one.action}, group {one.group or 'none'})" for one in found]
    return Told(f"definitions of {count(len(found), 'subsystem')}, {'with' if ours else 'without'} ctrmc",
                {"definitions": show.each(found, "name path arguments action group")},
                (("Defined", lines),), means)


def of_mcproxy(answer: Answer) -> Told:
    found = parse.mcproxy(answer)
    nouns = {"hmcs": [hmc(address=address, link=Link.UP, in_band=True) for address in found]}
    return Told(f"{count(len(found), 'HMC')} connected through the hypervisor", nouns, (("HMCs", list(found)),))


SRC_MESSAGE = re.compile(r"\b0513-(\d{3})\b"
                         r"(?:.{0,80}\b[Tt]he ([\w.@+-]{1,64}) [Ss]ubsystem\b|.{0,80}\bGroup, ([\w.@+-]{1,64}),)?")
SRC_TEXTS: Mapping[str, str] = {
    "029": "is active already", "059": "was started", "044": "was asked to stop", "071": "was added", "083": "was removed",
    "004": "is not active", "036": "does not run, so it could not be asked", "095": "was refreshed",
}


def of_message(answer: Answer) -> Told:
    """[my inference for most: only 029, 059, 071 and 085 were seen]"""
    found = [(number, name or group) for number, name, group in SRC_MESSAGE.findall(answer.stdout)]
    if "0513-001" in answer.stdout:
        return Told("SRC itself does not run (srcmstr): no subsystem can be asked, started or stopped")
    numbers = ", ".join(sorted({number for number, _ in found}))
    told = [f"{name} {SRC_TEXTS[number]}" for number, name in found if number in SRC_TEXTS and name]
    shown = {"029": "active", "059": "active", "004": "inoperative"}
    nouns = {name: {"state": shown[number], "pid": None, "expected": expected((name,), {}).get(name, "on-demand")}
             for number, name in found if number in shown and name}
    return Told("; ".join(dict.fromkeys(told)) or f"a message of SRC, 0513-{numbers or '?'}", {"subsystems": nouns})


def of_ps(answer: Answer) -> Told:
    enabled = parse.rmcd_takes_remote(answer)
    names = sorted(set(re.findall(r"/(rmcd|IBM\.\w{1,32}d|ctcasd|srcmstr)\b", answer.stdout)))
    because = {True: "rmcd runs with -r, remote clients are enabled", False: "rmcd runs without -r, remote clients are disabled",
               None: "no row is rmcd's"}[enabled]
    return Told(because, {"remote": enabled, "processes": names}, (("RSCT runs", [", ".join(names)]),),
                (NO_REMOTE,) if enabled is False else ())


ROW = re.compile(r"^[ \t]*([\w.@+-]{1,64})[ \t]+(?:[\w.-]{1,64}[ \t]+)?(?:(\d{1,10})[ \t]+)?(active|inoperative)[ \t]*$",
                 re.MULTILINE)


def states(text: str) -> Mapping[str, Tuple[str, Optional[int]]]:
    """State and pid by subsystem, of the rows in a text that holds other things as well."""
    return {name: (state, int(pid) if pid else None) for name, pid, state in ROW.findall(text)}
