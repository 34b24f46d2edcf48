"""What answers say of clusters: peer domains, CAA, PowerHA, shared storage pools, and recfgct, which heeds only the first."""
from __future__ import annotations

import re
from typing import Any, Dict, List, Tuple

from rmcagent.classify.subsystems import states
from rmcagent.classify.told import Told, cluster, count
from rmcagent.model import Answer, PeerDomain
from rmcagent.partition import parse
from rmcagent.partition.parse.lines import cannot, clean, lines_of


def of_domains(answer: Answer) -> Told:
    return _of_domains(parse.lsrpdomain(answer))


def _of_domains(found: Tuple[PeerDomain, ...]) -> Told:
    online = [one for one in found if one.state != "Offline"]
    lines = [f"{one.name} {one.state}" for one in found]
    said = ", ".join(lines) or "no peer domain is defined"
    noun = cluster("present" if online else "absent", f"lsrpdomain: {said}", recycle=False if online else None,
                   recfgct=False if found else None)
    means = ("recfgct would remove the domain's definition, Offline as it is",) if found and not online else ()
    nouns = {"cluster": noun, "peer_domains": [{"name": one.name, "state": one.state} for one in found]}
    return Told(f"{count(len(found), 'peer domain')}: {said}" if found else said, nouns, means=means)


def of_recfgct(answer: Answer) -> Told:
    """Whether it was refused; where lsrpdomain follows in the same session, its domains too."""
    text = "\n".join(lines_of(answer, echoes=True)) + "\n"
    domains = re.search(r"^[ \t]*Name[ \t]+OpState\b", text, re.MULTILINE)
    started = re.search(r"0513-059 The ctrmc Subsystem has been started\. Subsystem PID is (\d{1,10})", text)
    if "Cannot run if an online Peer Domain exists" in text:
        noun = cluster("present", "recfgct refused: an online peer domain exists", recycle=False, recfgct=False)
        nouns: Dict[str, Any] = {"cluster": noun, "outcome": "refused"}
        rows: List[str] = []
        if domains:
            told = _of_domains(parse.lsrpdomain(Answer(answer.id, 0, text[domains.start():])))
            nouns["peer_domains"], rows = told.nouns["peer_domains"], [told.because]
        return Told("it refused, for an online peer domain exists; nothing was changed", nouns, (("Domains", rows),))
    if started:
        means = ("this node has a new RSCT identity unless -s was given: HMCs make a new handshake, which takes minutes",)
        ctrmc = {"state": "active", "pid": int(started.group(1)), "expected": "required"}
        return Told(f"it ended, and ctrmc was started (pid {started.group(1)})",
                    {"outcome": "done", "subsystems": {"ctrmc": ctrmc}}, means=means)
    return Told("it does not tell that ctrmc was started again", {"outcome": "unknown"},
                means=("look at lssrc -s ctrmc: recfgct stops RMC, and RMC must run again",))


def of_name(answer: Answer) -> Told:
    name = parse.ct_clusterinfo(answer)
    if name in ("", "IW"):
        return Told("this node is on its own, in no RSCT cluster", {"cluster": cluster("unknown", f'ct_clusterinfo: "{name}"')})
    noun = cluster("present", f"ct_clusterinfo: {name}", False, False)
    return Told(f"this node is in the RSCT cluster {name}", {"cluster": noun})


def of_caa(answer: Answer) -> Told:
    telling = parse.lscluster(answer)
    if not telling:
        return Told("CAA is not active here", {"cluster": cluster("absent", "lscluster tells of no CAA cluster")})
    text = " ".join(answer.stdout.split())
    nodes = [clean(name) for name in re.findall(r"Node name: ?(\S{1,255})", text)]
    states_told = re.findall(r"State of node: ?(\S{1,32}(?: NODE_LOCAL)?)", text)
    rows = [f"{name} {state}" for name, state in zip(nodes, states_told)]
    return Told(f"CAA is active, {count(len(nodes), 'node')}: {', '.join(rows) or telling}",
                {"cluster": cluster("present", f"lscluster: {telling}", False, False), "nodes": nodes})


def of_disks(answer: Answer) -> Told:
    holder = parse.lspv(answer)
    disks = len(re.findall(r"^[ \t]*[A-Za-z][\w.-]*[ \t]+(?:[0-9a-fA-F]{16,64}|none)[ \t]", answer.stdout, re.MULTILINE))
    if holder:
        noun = cluster("present", f"lspv: caavg_private on {holder}", False, False)
        return Told(f"{count(disks, 'disk')}; {holder} holds caavg_private, so CAA is configured", {"cluster": noun})
    return Told(f"{count(disks, 'disk')}, none of which holds caavg_private",
                {"cluster": cluster("unknown", "lspv: no disk holds caavg_private")})


def of_powerha(answer: Answer) -> Told:
    """PowerHA's state; stopped is not absent, for CAA and the peer domain stay up [seen in a capture of an offline node]."""
    state = parse.clstrmgr(answer)
    found = states("\n".join(lines_of(answer)))
    present = state.startswith("ST_") or state == "RP_FAILED"
    held = False if present else None
    noun = cluster("present" if present else "unknown", f"PowerHA's cluster manager is {state}", held, held)
    nouns: Dict[str, Any] = {"cluster": noun, "powerha": state, "subsystems": {
        name: {"state": word, "pid": pid, "expected": "on-demand"} for name, (word, pid) in found.items()}}
    rows = [", ".join(f"{name} {word}" for name, (word, _) in found.items())]
    return Told(f"PowerHA's cluster manager is {state}", nouns, (("Subsystems", rows),))


def of_powerha_object(answer: Answer) -> Told:
    name = parse.odm_hacmpcluster(answer)
    if not name:
        return Told("PowerHA has no cluster here", {"cluster": cluster("unknown", "odmget: no object of HACMPcluster")})
    return Told(f"PowerHA has the cluster {name} defined", {"cluster": cluster("present", f"HACMPcluster: {name}", False, False)})


def of_pool(answer: Answer) -> Told:
    name = parse.ioscli_cluster(answer)
    if not name:
        return Told("this VIOS is in no shared storage pool", {"cluster": cluster("absent", "ioscli cluster -list: none")})
    return Told(f"this VIOS is in the shared storage pool's cluster {name}",
                {"cluster": cluster("present", f"ioscli cluster -list: {name}", False, False)})


def of_pool_status(answer: Answer) -> Told:
    """Rows of `cluster -status -fmt :`; the fields are those that were asked for, so only words that none mistakes are read."""
    lines = [line for line in lines_of(answer) if ":" in line] or lines_of(answer)
    first = [word.strip() for word in lines[0].split(":")] if lines else []
    if not first or not first[0]:
        raise cannot(answer, "its first row does not begin with a name")
    nodes = sorted(set(re.findall(r":([A-Za-z][\w-]*\.[\w.-]{1,200}):", "\n".join(lines))))
    levels = ", ".join(sorted(set(re.findall(r":((?:UP|ON)_LEVEL)\b", "\n".join(lines)))))
    state = clean(first[1]) if len(first) > 1 else ""
    said = f"a shared storage pool, {clean(first[0])}" + (f" {state}" if state else "")
    noun = cluster("present", f"cluster -status: {clean(first[0])}", False, False)
    return Told(f"{said}; {count(len(lines), 'row')}", {"cluster": noun, "nodes": nodes},
                (("Nodes", [", ".join(nodes)]), ("Levels", [levels])))
