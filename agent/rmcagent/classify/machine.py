"""What the operating system says: its error log, who this node is, levels, what starts at boot, what is not installed."""
from __future__ import annotations

import re
from collections import Counter
from typing import Any, Dict, List, Mapping

from rmcagent import show
from rmcagent.classify.told import KEY, Told, count
from rmcagent.model import Answer
from rmcagent.partition import parse
from rmcagent.partition.parse.lines import cannot, lines_of

# ---- the error log -----------------------------------------------------------------------------------------------------

RELEVANT = ("RMCdaemon", "SRC", "ConfigRM", "pmig", "cthags", "cthats", "ctcasd", "StorageRM", "clstrmgrES", "CAA")
LABELS: Mapping[str, str] = {
    "RMCD_INFO_0_ST": "RMC was started", "RMCD_INFO_1_ST": "RMC was stopped",
    "RMCD_INFO_2_ST": "rmcd's own log was full and was renamed: harmless, but something filled it",
    "SRC_SVKO": "SRC saw a subsystem end abnormally", "SRC_RSTRT": "SRC saw a subsystem end, and starts it again",
    "SRC_TRYX": "SRC gave up: it restarted a subsystem too often", "CLIENT_PMIG_STARTED": "a migration began",
    "CLIENT_PMIG_DONE": "a migration ended", "CLIENT_PMIG_ABORTED": "a migration was given up",
}


def of_errpt(answer: Answer) -> Told:
    rows = parse.errpt(answer)
    ours = [row for row in rows if row.resource in RELEVANT]
    labels = Counter(re.findall(r"^LABEL:[ \t]+(\w{1,32})", answer.stdout, re.MULTILINE))
    entries = show.each(ours, "identifier at_text type class_ resource description")
    facts = [{name.rstrip("_"): value for name, value in entry.items()} for entry in entries]
    lines = [f"{at[:2]}-{at[2:4]} {at[4:6]}:{at[6:8]} {row.resource}: {row.description}" for row in ours for at in [row.at_text]]
    detail = f", {sum(labels.values())} in detail" if labels else ""
    told = [f"{label}: {LABELS.get(label, 'not known')}" for label in labels]
    return Told(f"{count(len(rows), 'entry')}{detail}; {len(ours)} of RSCT, SRC or a migration",
                {"entries": facts, "labels": labels}, (("Entries", lines), ("Labels", told)), tuple(_errpt_means(ours)))


def _errpt_means(rows: List[parse.ErrptRow]) -> List[str]:
    """Rows are newest first; texts are matched, for identifiers differ between levels."""
    means = []
    started = {row.at_text for row in rows if row.resource == "RMCdaemon" and "started" in row.description}
    crashed = [row for row in rows if row.resource == "SRC"]
    if any(row.at_text in started for row in crashed):
        means.append("SRC logged a subsystem's abnormal end in the minute in which RMC was started, as after a crash of RMC")
    elif crashed:
        means.append("SRC logged a subsystem's abnormal end: errpt -a tells which")
    moves = [row.description.lower() for row in rows if row.resource == "pmig" and "migration" in row.description.lower()]
    if moves and "started" in moves[0]:
        means.append("the newest row of a migration tells of its start: its end is not logged here")
    return means


# ---- identity, levels, units ---------------------------------------------------------------------------------------------

def of_identities(answer: Answer) -> Told:
    found = parse.ctsvhbal(answer)
    return Told(f"this node identifies itself as {', '.join(found)}", {"identities": found})


def of_trusted(answer: Answer) -> Told:
    """Keys are not shown: their digests tell whether two are the same."""
    found = parse.ctsthl(answer)
    keys = len({one.digest for one in found})
    return Told(f"{count(len(found), 'trusted host')} with {count(keys, 'key')}",
                {"trusted_hosts": show.each(found, "identity method digest")},
                (("Trusted", [f"{one.identity} {one.method}, digest {one.digest}" for one in found]),))


def of_node_id(answer: Answer) -> Told:
    found = parse.node_id(answer)
    return Told(f"this node's id is {found}", {"node_id": found})


def of_cluster0(answer: Answer) -> Told:
    found = parse.cluster0_uuid(answer)
    if not found:
        return Told("cluster0 holds no UUID", {"node_uuid": ""})
    clone = "recfgct does not change it: on a clone it is zeroed first, with chdev -l cluster0 -a node_uuid=..."
    return Told(f"CAA's device cluster0 holds the node's UUID {found}", {"node_uuid": found}, (("Clone", [clone]),))


def of_level(answer: Answer) -> Told:
    read = {"oslevel": parse.oslevel, "ioscli ioslevel": parse.ioslevel, "uname": parse.uname}[answer.id]
    level = read(answer)
    return Told(f"this machine says {level}", {"level": level})


def of_lsitab(answer: Answer) -> Told:
    entry = parse.lsitab(answer)
    if entry is None:
        raise cannot(answer, "it shows no entry")
    off = entry.action == "off"
    return Told(f"init runs {entry.command} ({entry.identifier}, {entry.action}, run level {entry.runlevel or 'any'})",
                {"entry": show.row(entry, "identifier runlevel action command")},
                means=(f"{entry.identifier} does not start at boot",) if off else ())


# What is shown of a unit. Its environment and its command lines may hold what is nobody's business.
UNIT_STATES = ("LoadState", "ActiveState", "SubState", "UnitFileState", "Result", "MainPID")
UNIT_PROPERTIES = (*UNIT_STATES, "Id", "Type", "Restart", "NRestarts", "ExecMainCode", "ExecMainStatus", "NeedDaemonReload",
                   "StateChangeTimestamp", "ActiveEnterTimestamp", "InactiveEnterTimestamp")


def of_unit(answer: Answer) -> Told:
    properties = parse.systemctl_show(answer)
    shown: Dict[str, Any] = {name: value for name, value in properties.items() if name in UNIT_PROPERTIES}
    told = [f"{name} {shown[name]}" for name in UNIT_STATES if name in shown]
    means = []
    if shown.get("UnitFileState") in ("disabled", "masked"):
        means.append(f"the unit is {shown['UnitFileState']}: it does not start at boot")
    if shown.get("ActiveState", "active") not in ("active", "activating", "reloading"):
        means.append(f"the unit is {shown['ActiveState']}: it does not run")
    said = ", ".join(told) or count(len(properties), "property")
    return Told(f"a unit of systemd: {said}", {"unit": shown}, means=tuple(means))


def of_enabled(answer: Answer) -> Told:
    word = parse.systemctl_is_enabled(answer)
    return Told(f"the unit is {word}", {"enabled": word},
                means=("it does not start at boot",) if word in ("disabled", "masked", "not-found") else ())


RSCT_COMMANDS = ("lssrc", "lsrsrc", "rmcdomainstatus", "rmcctrl", "lsrpdomain", "ct_clusterinfo", "recfgct", "refrsrc",
                 "lsnodeid", "ctsvhbal", "ctsthl", "startsrc", "stopsrc")


NOT_FOUND = re.compile(r"([\w./-]{1,120}): (?:command not found|not found|No such file or directory)"
                       r"|Command '([\w./-]{1,120})[^'\n]{0,400}' finished with 127")


def of_not_found(answer: Answer) -> Told:
    """A shell's complaint; in the C locale, or by exit code 127 in a test log's frame."""
    text = "\n".join(lines_of(answer, echoes=True))
    found = [name for pair in NOT_FOUND.findall(text) for name in pair if name]
    names = list(dict.fromkeys(name if KEY in name.lower() else name.rsplit("/", 1)[-1] for name in found))
    if not names:
        raise cannot(answer, "it does not name the command")
    ours = any(name in RSCT_COMMANDS for name in names)
    means = ("RSCT is not installed here, or the shell does not look in /opt/rsct/bin",) if ours else ()
    return Told(f"the shell does not find {', '.join(names)}", {"missing": names}, means=means)
