"""Which file of a bundle answers which question, and the small tables that `collect` writes beside the answers; pure."""
from __future__ import annotations

import re
from typing import Dict, Iterable, Mapping, Optional, Tuple

from rmcagent.model import Platform
from rmcagent.partition.parse.lines import clean
from rmcagent.partition.platform import FOLDERS, ONLY_AIX, ONLY_VIOS

INDEX, VITALS, SPACE, PROCESSES, STATUS = "INDEX.tsv", "vitals.txt", "df.txt", "ps.txt", "status.json"
LOGS, ERRORS = "logs/", "errors/"            # tails of logs; what a command said on its standard error
COLUMNS = ("file", "command", "exit", "took", "bytes", "note")
TIMED_OUT, CUT, NOT_INSTALLED = "timed out", "cut", "not installed"
# Files that are read as they are, by where they stand where nothing was configured otherwise.
FILES: Mapping[str, str] = {"/etc/ct_node_id": "ct_node_id.txt", "/var/ct/cfg/ct_node_id": "ct_node_id-cfg.txt"}
SPECIAL = frozenset((INDEX, VITALS, SPACE, PROCESSES, STATUS, *FILES.values()))
EXAMPLES = "lssrc-a.txt, rmcdomainstatus-s-ctrmc.txt, lsrsrc-IBM.MCP.txt, ct_clusterinfo-c.txt, lspv.txt"

COMMANDS = frozenset((*FOLDERS, *ONLY_AIX, *ONLY_VIOS))
# Where nothing was captured the table of section 6 takes these for not installed: a cluster that they would show shows in
# lssrc or lspv as well, and an unknown there forbids.
OPTIONAL = ("lscluster-m", "odmget-HACMPcluster")
SHORTER: Mapping[str, Tuple[str, ...]] = {
    "rmcdomainstatus-s-ctrmc": ("rmcdomainstatus",),
    "ioscli-cluster-list-field-cluster_name-fmt-,": ("ioscli-cluster-list",),
}
UNIT = "systemctl-show-ctrmc"

# What the agent itself may ask, by command; nothing else is run here, whoever asks for it.
READING = ("lssrc", "lsrsrc", "rmcdomainstatus", "ct_clusterinfo", "lsrpdomain", "ctsvhbal", "ctsthl", "lsnodeid", "lscluster",
           "lspv", "errpt", "lsitab", "oslevel", "lsattr", "odmget", "ioscli", "lsivm", "systemctl", "uname")
# Beyond what a look asks: command, arguments.
FURTHER: Tuple[Tuple[str, Tuple[str, ...]], ...] = (
    ("lsrsrc", ("IBM.ManagementServer",)),
    ("lsnodeid", ()),
    ("ctsvhbal", ()),
    ("ctsthl", ("-l",)),
    ("errpt", ()),
    ("lsitab", ("ctrmc",)),
    ("systemctl", ("show", "ctrmc.service", "-p", "LoadState,ActiveState,Result,UnitFileState")),
    ("oslevel", ("-s",)),
    ("uname", ("-a",)),
)
NEEDS_RMC = ("lsrsrc",)


def answered_by(name: str) -> Optional[str]:
    """The answer that a file holds, by its name: COMMAND-ARGUMENTS, or with --ANYTHING behind it, and the ending .txt."""
    stem = (name[:-len(".txt")] if name.endswith(".txt") else name).partition("--")[0]
    return stem if stem.partition("-")[0] in COMMANDS and name not in SPECIAL else None


def also_told_by(answer: str, there: Iterable[str]) -> Optional[str]:
    """Another answer of `there` that tells the same: written with fewer arguments, or with more properties of ctrmc's unit."""
    if answer.startswith(UNIT):
        return min((other for other in there if other.startswith(UNIT)), key=lambda other: ("-p-" in other, -len(other)),
                   default=None)
    return next((other for other in SHORTER.get(answer, ()) if other in there), None)


def refused(command: str, text: str) -> Optional[int]:
    """The exit code a shell ended with when all that was captured is its refusal to run the command; None: it ran."""
    if len(text) > 1000 or len(text.splitlines()) > 4:
        return None
    name = re.escape(command)
    if re.search(rf"\b{name}:\s+(?:command )?not found|command not found: \S*{name}\b|\b{name}: No such file or directory", text):
        return 127
    return 126 if re.search(rf"\b{name}: (?:cannot execute|permission denied)", text, re.IGNORECASE) else None


def platform_of(texts: Mapping[str, str], vitals: Mapping[str, str]) -> Platform:
    """Which platform the answers are of: as the bundle says, or by what only one has; AIX asks the most of its answers."""
    if vitals.get("platform") in {platform.value for platform in Platform}:
        return Platform(vitals["platform"])
    commands = {answer.partition("-")[0] for answer in texts}
    rows = texts.get("lssrc-a", "")
    # Group Services of a storage pool; vio_daemon runs on plain AIX as well.
    if commands & set(ONLY_VIOS) or re.search(r"^\s*poold\s", rows, re.MULTILINE):
        return Platform.VIOS
    if commands & set(ONLY_AIX):
        return Platform.AIX
    # On Linux the column of the PID is five letters narrower [seen in two captures].
    narrow = re.search(r"^Subsystem\s+Group\s+PID {3,6}Status", rows, re.MULTILINE)
    return Platform.LINUX if "systemctl" in commands or narrow else Platform.AIX


def pairs(text: str) -> Mapping[str, str]:
    """KEY=VALUE a line."""
    found: Dict[str, str] = {}
    for line in text.splitlines()[:256]:
        key, mark, value = line.partition("=")
        if mark and re.fullmatch(r"[a-z_]{1,32}", key):
            found.setdefault(key, clean(value.strip()))
    return found


def index(text: str) -> Mapping[str, Tuple[str, str]]:
    """answer: (exit code, note) of the table that `collect` writes; {} for any other."""
    first, *rows = text.splitlines()[:4096] or [""]
    if first.split("\t") != list(COLUMNS):
        return {}
    found: Dict[str, Tuple[str, str]] = {}
    for row in (line.split("\t") for line in rows):
        answer = answered_by(row[0])
        if answer and len(row) == len(COLUMNS):
            found[answer] = (row[2], row[5])
    return found


def spaces(text: str) -> Mapping[str, Tuple[int, int]]:
    """path: (size, free) in bytes; a table of another make tells nothing."""
    rows = [re.fullmatch(r"(/[^\t]{0,255})\t([0-9]{1,18})\t([0-9]{1,18})", line) for line in text.splitlines()[:64]]
    return {row.group(1): (int(row.group(2)), int(row.group(3))) for row in rows if row}


def processes(text: str) -> Optional[Tuple[str, ...]]:
    """Base names of commands, one a line; None for a table of another make."""
    names = [line.strip() for line in text.splitlines()[:100_000] if line.strip()]
    return None if any(len(name.split()) > 1 for name in names) else tuple(names)


def preface(told: Mapping[str, object], columns: int) -> str:
    """What stands above a plan that speaks of captured answers."""
    from textwrap import fill

    missing = told.get("missing")
    absent = f" Not in it: {', '.join(map(str, missing))}." if isinstance(missing, (list, tuple)) and missing else ""
    of = f"the {told.get('kind')} {told.get('name')}, taken at {told.get('taken_at')}"
    text = f"This speaks of {of}, not of this machine. {WAITED}{absent}"
    return fill(text.encode("ascii", "backslashreplace").decode(), columns, break_on_hyphens=False, max_lines=12,
                placeholder=" ...") + "\n"


WAITED = ("Grace, boot, splay and other waits are taken as over and no budget as spent; whether HMCs can be reached"
          " is not asked.")
