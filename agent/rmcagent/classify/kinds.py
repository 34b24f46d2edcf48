"""What a text is: a command's answer, a log, a message, a file of another sort. By titles, headers and shapes; pure.

A file's name, or a command that was echoed, helps only where the text itself says nothing.
"""
from __future__ import annotations

import re
from typing import List, Mapping, Tuple

LONGEST_LINE = 4096
MOST_LINES = 4096                         # looked at
LOG = "IBM.MgmtDomainRM log"
RSCT_LOG = "RSCT log"
UNKNOWN = "unknown"
SHAPE, BY_ECHO, BY_NAME = "shape", "echo", "name"      # what told the kind, surest first

# Beginnings of files that are no text.
MAGIC: Mapping[bytes, str] = {
    b"\x09\x00\x6b\xea": "backup image", b"\x09\x00\x6f\xea": "backup image", b"\xea\x6b\x00\x09": "backup image",
    b"\x1f\x8b": "gzip archive", b"PK\x03\x04": "zip archive", b"\x1f\x9d": "compress archive", b"BZh": "bzip2 archive",
    b"\xfd7zXZ": "xz archive", b"\x7fELF": "program", b"\x01\xdf": "program", b"\x01\xf7": "program",
    b"\xed\xab\xee\xdb": "rpm package",
}

ROW_END = r"(?:active|inoperative)[ \t]*(?:(?:<-|-+>).*)?$"
# The first whose patterns are all found; so what may quote another's words stands before it. `^` and `$` are of a line.
SHAPES: Tuple[Tuple[str, Tuple[str, ...]], ...] = (
    (LOG, (r"/MgmtDomainRM/[\w.-]{1,64}/\d{1,9}/[\d.]{1,16}[ \t]",)),
    (RSCT_LOG, (r"/[\w-]{1,64}\.[cCh]\w{0,4}/\d{1,9}/[\d.]{1,16}[ \t]+26\d\d-\d{3}\b",)),
    ("lspartition", (r"<#\d{1,6}>[ \t]*Partition:",)),
    ("lssyscfg", (r"\blssyscfg[ \t].{0,200}-r[ \t]+lpar\b",)),
    ("lssyscfg", (r"^[ \t]*(?:name=.*,)?rmc_state=|^[ \t]*[a-z_,]{0,400}\brmc_state\b[a-z_,]{0,400}[ \t]*$",)),
    ("rmcdomainstatus", (r"^[ \t]*(?:Management Domain Status:[ \t]*)?(?:Managed Nodes|Management Control Points)[ \t]*$",)),
    ("rmcdomainstatus", (r"^[ \t]*Peer Domain Status[ \t]*$",)),
    ("lsrsrc", (r"^[ \t]*[A-Z][A-Za-z ]{0,40} Attributes for (?:Resource: )?[\w.]{1,64}[ \t]*$",)),
    ("recfgct", (r"^\S*\bctrmc_MDdr\b|^\s*Cannot run if an online Peer Domain exists",)),
    ("clshowsrv", (r"Status of the (?:RSCT|PowerHA|CAA) .{0,40}subsystems|Details of PowerHA .{0,40}manager|\bclshowsrv -",)),
    ("lssrc -ls clstrmgrES", (r'^.{0,200}\bCurrent state:[ \t]*\w|^[ \t]*STATE="\w',)),
    ("lsrpdomain", (r"^[ \t]*Name[ \t]+OpState\b",)),
    ("lsrpdomain", (r"^[ \t]*[\w.-]{1,64}[ \t]+[A-Z][a-z]+(?: [a-z]+)?[ \t]+\d+\.\d+\.\d+\.\d+[ \t]+(?:Yes|No)[ \t]",)),
    ("lscluster -m", (r"\bState of node:|\bCluster shorthand id for node|\bCalling node query|Cluster services are not active",)),
    ("lscluster", (r"^[ \t]*Cluster Name:|\bCluster Interface Query\b|\bNetwork/Storage Interface Query\b",)),
    ("cluster -status", (r"^[^:\n]{0,80}:.{0,200}:(?:UP|ON)_LEVEL\b",)),
    ("cluster -status", (r"^[ \t]*(?:Cluster Name[ \t]+State|Node Name[ \t]+MTM)\b",)),
    ("cluster -list", (r"^[ \t]*CLUSTER_NAME:",)),
    ("errpt", (r"^[ \t]*IDENTIFIER[ \t]+TIMESTAMP\b|^LABEL:[ \t]+\w",)),
    ("errpt", (r"^[ \t]*[0-9A-F]{8}[ \t]+\d{10}[ \t]+[A-Z][ \t]+[A-Z][ \t]",)),
    ("lssrc -S", (r"^[ \t]*#subsysname:",)),
    ("lspv", (r"^[ \t]*[A-Za-z][\w.-]{0,63}[ \t]+[0-9a-f]{16}[ \t]+\S|^[ \t]*hdisk\d{1,6}[ \t]+none[ \t]",)),
    ("netstat", (r"^[ \t]*Active Internet connections|^[ \t]*PCB/ADDR\b",)),
    ("nc", (r"^[ \t]*Ncat:|\bConnection to \S{1,255} \d{1,5} port \[|^[ \t]*nc: connect to ",)),
    ("ps", (r"^[ \t]*(?:UID|USER|PID)[ \t].*[ \t](?:CMD|COMMAND)[ \t]*$",)),
    ("ps", (r"[ \t]\d{1,4}:\d\d(?::\d\d)?[ \t]+/\S{0,200}/(?:rmcd|IBM\.\w{1,32}d)\b",)),
    ("ctsthl -l", (r"^[ \t]*Host Identity[ \t]*:",)),
    ("ctsvhbal", (r"^ctsvhbal:|^[ \t]*Identity[ \t]*:[ \t]*\S+[ \t]*$",)),
    ("lssrc -ls mcproxy", (r"\bmcproxy\b", r"^[ \t]*Hostname[ \t]*:")),
    ("odmget HACMPcluster", (r"^[ \t]*HACMPcluster:",)),
    ("lsattr -El cluster0", (r"^[ \t]*node_uuid[ \t]",)),
    ("systemctl show", (r"^(?:LoadState|ActiveState|SubState|UnitFileState|MainPID|ExecStart|Result)=",)),
    ("lssrc", (r"^[ \t]*Subsystem[ \t]+Group[ \t]+PID[ \t]+Status\b|\b0513-085\b",)),
    ("lssrc", (rf"^[ \t]*[\w.@+-]{{1,64}}[ \t]+(?:[\w.-]{{1,64}}[ \t]+){{0,2}}{ROW_END}",)),
    ("startsrc", (r"\b0513-(?:029|059)\b",)),
    ("SRC message", (r"\b0513-\d{3}\b",)),
    ("RMC error message", (r"(?<!\d)26\d\d-\d{3}(?!\d)",)),
    ("command not found", (r"^[^:\n]{0,80}: ?.{0,200}(?:not found|No such file or directory)|\bfinished with 127\b",)),
    ("ct_node_id", (r"\A\s*[0-9a-f]{16}[ \t]*\n\s*#",)),
    ("lsnodeid", (r"\A\s*(?:0x)?[0-9a-fA-F]{16}\s*\Z",)),
    ("oslevel", (r"\A\s*\d{4}-\d\d-\d\d-\d{4}\s*\Z",)),
    ("ioscli ioslevel", (r"\A\s*[1-9]\.\d{1,2}\.\d{1,2}\.\d{1,2}\s*\Z",)),
    ("uname", (r"\A\s*(?:AIX|Linux|IBM,[\w-]{1,32})\s*\Z",)),
    ("lsitab", (r"\A\s*[^:\s]{1,14}:\d{0,20}:(?:once|respawn|wait|off|boot|bootwait|hold|sysinit):.*\n?\Z",)),
    ("systemctl is-enabled", (r"\A\s*(?:enabled|disabled|masked|static|indirect)\s*\Z",)),
    ("ct_clusterinfo", (r"\A\s*IW\s*\Z",)),
)
FOUND_BY = tuple((kind, tuple(re.compile(pattern, re.MULTILINE) for pattern in patterns)) for kind, patterns in SHAPES)
KINDS: Tuple[str, ...] = tuple(dict.fromkeys(kind for kind, _ in SHAPES))
CLASS = re.compile(r"Attributes for (?:Resource: )?([\w.]{1,64})")
# A line that repeats a command: behind a prompt, in a test log's frame, or by its path.
ECHO = re.compile(r"[ \t]*(?:Running '|[^#$>]{0,80}[#$>][ \t]*(?:/[\w./-]{0,120}/)?|/[\w./-]{0,120}/)"
                  r"([a-z_]{2,20}(?:[ \t]+[\w.,:*-]{1,120}){0,8})")


def kind_of_bytes(head: bytes) -> str:
    """What a file that is no text is, by its beginning; "" where it may be text. A stray control character is no proof."""
    for magic, kind in MAGIC.items():
        if head.startswith(magic):
            return kind
    sample = head[:LONGEST_LINE]
    odd = sum(byte < 32 and byte not in b"\t\n\r\f\b\x1b" for byte in sample)
    return "binary data" if 20 * odd > len(sample) else ""     # random bytes have twice as many


def kind_of(text: str, name: str = "") -> Tuple[str, str]:
    """What a text is, and by which of its shape, an echo or its file's name that was told; UNKNOWN where nothing tells."""
    seen = "\n".join(line[:LONGEST_LINE] for line in text.split("\n", MOST_LINES)[:MOST_LINES])
    for kind, patterns in FOUND_BY:
        if all(pattern.search(seen) for pattern in patterns):
            return _with_class(kind, seen), SHAPE
    echoed = next((kind for kind in map(_echoed, seen.split("\n")) if kind), "")
    return (echoed, BY_ECHO) if echoed else (_named(_stem(name)) or UNKNOWN, BY_NAME)


def without_echoes(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if not _echoed(line[:LONGEST_LINE]))


def _echoed(line: str) -> str:
    match = ECHO.match(line)
    return _named(match.group(1)) if match else ""


def _with_class(kind: str, text: str) -> str:
    found = CLASS.search(text) if kind == "lsrsrc" else None
    return f"lsrsrc {found.group(1)}" if found else kind


def _stem(name: str) -> str:
    """COMMAND--ANYTHING.txt, without its folder and its ending."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    if "MgmtDomainRM" in base:
        return LOG
    return re.sub(r"\.(?:txt|out|log)$", "", base).partition("--")[0][:200]


def _named(command: str) -> str:
    """The kind that a command's words, or those of a file's name, stand for; "" for none. The longest that fits."""
    words = _words(command)
    if words[:1] == ["ioscli"]:
        words = words[1:] if words[1:2] != ["ioslevel"] else words
    if words[:1] == ["lsrsrc"] and words[1:] and words[1].startswith("IBM."):
        return f"lsrsrc {words[1]}"
    fitting = [kind for kind in KINDS if words[:len(_words(kind))] == _words(kind)]
    return max(fitting, key=len, default="")


def _words(command: str) -> List[str]:
    return re.sub(r"[ \t-]+", " ", command).split()
