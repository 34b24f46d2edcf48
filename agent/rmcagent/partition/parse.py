"""Text of RSCT's commands -> nouns, or Unreadable and nothing else; pure. Of two readings the one that claims less is taken."""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Iterator, List, Mapping, Match, Optional, Tuple, Union

from rmcagent.model import Answer, ControlPoint, DomainStatus, Link, ManagementServer, PeerDomain, State, Subsystem
from rmcagent.partition.lines import (
    ATTRIBUTE,
    MOST_LINES,
    Attributes,
    Unreadable,
    cannot,
    clean,
    complaint,
    is_caption,
    is_echo,
    lines_of,
    lines_or_none,
    quote,
    resources_of,
    succeeded,
    whole,
)

__all__ = ["ErrptRow", "Unreadable", "clstrmgr", "ct_clusterinfo", "errpt", "ioscli_cluster", "lscluster", "lspv", "lsrpdomain",
           "lsrsrc", "lssrc", "lssrc_one", "mcproxy", "node_id", "odm_hacmpcluster", "rmcdomainstatus",
           "systemctl_show", "whole"]


# ---- SRC ---------------------------------------------------------------------------------------------------------------

STATES = {"active": State.ACTIVE, "inoperative": State.INOPERATIVE, "starting": State.STARTING, "stopping": State.STOPPING}
# Of two rows for one name (mkssys without stopping it first) the one that runs counts.
RANKS = (State.ACTIVE, State.STOPPING, State.STARTING, State.UNKNOWN, State.INOPERATIVE)
NOT_ON_FILE = "0513-085"


def lssrc(answer: Answer) -> Mapping[str, Subsystem]:
    """Rows of `lssrc -a`, -g or -s by name; {} only where SRC says that what was asked for is not on file."""
    whole(answer)
    on_file = NOT_ON_FILE not in answer.stdout + answer.stderr
    if on_file:
        succeeded(answer)
    rows: Dict[str, Subsystem] = {}
    is_table = False
    for line in _table_of_lssrc(answer):
        if _is_lssrc_header(line.split()):
            is_table = True
        elif NOT_ON_FILE not in line:
            row = _subsystem(answer, line)
            is_table = is_table or row.state is not State.UNKNOWN
            rows[row.name] = min(rows.get(row.name, row), row, key=lambda one: (RANKS.index(one.state), one.pid or 0, one.group))
    if on_file and not (rows and is_table):
        raise cannot(answer, "it shows no row of a subsystem")
    return rows


def lssrc_one(answer: Answer, name: str) -> Optional[Subsystem]:
    """The row of `lssrc -s NAME`; None: it is not on file, which is an answer."""
    rows = lssrc(answer)
    if name in rows:
        return rows[name]
    if rows or name not in answer.stdout + answer.stderr:
        raise cannot(answer, f"it does not speak of {clean(name)}")
    return None


def _table_of_lssrc(answer: Answer) -> Iterator[str]:
    """Leave out what a subsystem says of itself below its row, after an echoed `lssrc -l`."""
    long, rows = False, 0
    for line in lines_of(answer, echoes=True):
        if is_echo(line):
            long, rows = bool(re.search(r"\blssrc\s+-\w*l", line)), 0
        elif not (long and rows):
            rows += not _is_lssrc_header(line.split())
            yield line


def _is_lssrc_header(words: List[str]) -> bool:
    return words == ["Subsystem", "Group", "PID", "Status"]


def _subsystem(answer: Answer, line: str) -> Subsystem:
    """Read a row from outside in: name first, status last, a number between is the PID, the rest the group."""
    row, *remark = re.split(r"\s(?:<-|-+>)", line, maxsplit=1)
    words = row.split()
    if words[-3:] == ["warned", "to", "stop"]:          # [my inference: SRC's words while it waits; never captured]
        words[-3:] = ["stopping"]
    # Beyond four words, or with a status inside, two rows ran together: one of them would be hidden.
    between = words[1:-1] + " ".join(remark).split()
    if not 2 <= len(words) <= 4 or any("active" in word or "inoperative" in word for word in between):
        raise cannot(answer, f"{quote(line)} is not a row of lssrc")
    if not re.fullmatch(r"(?=[\w.@+-]*[A-Za-z])[\w.@+-]{1,64}", words[0], re.ASCII):
        raise cannot(answer, f"{quote(line)} does not begin with a subsystem's name")
    state = STATES.get(words[-1], State.UNKNOWN)
    group, pid = words[1:-1], None
    if group and group[-1].isdecimal():
        number = group.pop()
        pid = int(number) if re.fullmatch(r"[1-9][0-9]{0,9}", number) else 0
    if pid == 0 or len(group) > 1 or "Not" in group or (pid and state is State.INOPERATIVE):
        state = State.UNKNOWN
    return Subsystem(words[0], state) if state is State.UNKNOWN else Subsystem(words[0], state, clean("".join(group)), pid)


def mcproxy(answer: Answer) -> Tuple[str, ...]:
    """HMCs connected through the hypervisor, from `lssrc -ls mcproxy` [my inference: read as a public tool reads it]."""
    whole(answer)
    if re.search("0513-0(?:36|04)", answer.stdout + answer.stderr):
        raise cannot(answer, "mcproxy does not run")
    succeeded(answer)
    lines = lines_of(answer)
    matches = [re.match(r"\s*Hostname\s*:\s*(\S+)", line) for line in lines]
    hosts = tuple(dict.fromkeys(clean(match.group(1)) for match in matches if match))
    rows = [words for words in map(str.split, lines) if _is_lssrc_header(words) or words[0] == "mcproxy"]
    if any(words[-1] == "inoperative" for words in rows) or not (hosts or rows):
        raise cannot(answer, "it does not show mcproxy running")
    return hosts


def clstrmgr(answer: Answer) -> str:
    """PowerHA's state (ST_INIT, NOT_CONFIGURED, RP_FAILED ...), from `lssrc -ls clstrmgrES` or clshowsrv."""
    whole(answer)
    succeeded(answer)
    found = re.findall(r'Current state:[ \t]*([A-Za-z_]{1,64})|\bSTATE="([A-Za-z_]{1,64})"', "\n".join(lines_of(answer)))
    words = {plain or _with_prefix(quoted) for plain, quoted in found}
    if len(words) != 1:
        raise cannot(answer, "it names no state of the cluster manager" if not words else "it names more than one state")
    return words.pop()


def _with_prefix(word: str) -> str:
    """clshowsrv spells ST_INIT as INIT on one level."""
    bare = ("INIT", "JOINING", "VOTING", "RP_RUNNING", "BARRIER", "CBARRIER", "UNSTABLE", "STABLE")
    return f"ST_{word}" if word in bare else word


# ---- RMC ---------------------------------------------------------------------------------------------------------------

LINKS = {"I": Link.UP, "O": Link.DOWN, "i": Link.PENDING, "X": Link.SUSPENDED, "Z": Link.FLAPPING}
PEERS, MANAGED, POINTS = "Peer Domain Status", "Managed Nodes", "Management Control Points"
SECTIONS = {PEERS: PEERS, **{before + name: name for name in (MANAGED, POINTS) for before in ("", "Management Domain Status: ")}}
STATUS_ROW = re.compile(r"(\S) (\S) 0[xX]([0-9a-fA-F]{1,64}) [0-9]{1,10} (\S+)(?: [^ ]*/[^ ]*)?(?: \([0-9]{1,10}\))?")


def rmcdomainstatus(answer: Answer) -> DomainStatus:
    """Who `rmcdomainstatus -s ctrmc` shows; nothing at all, without a complaint, is nobody."""
    lines = lines_or_none(answer)
    found: Dict[str, List[Match[str]]] = {}
    section = ""
    for line in (" ".join(line.split()) for line in lines):
        if line in SECTIONS:
            section = SECTIONS[line]
            found.setdefault(section, [])
            continue
        row = STATUS_ROW.fullmatch(line)
        if not row or not section:
            raise cannot(answer, f"{quote(line)} is not a line of its sections")
        found[section].append(row)
    points = (_control_point(row) for row in found.get(POINTS, ()) if row.group(1) != "S")
    return DomainStatus(tuple(dict.fromkeys(points)), _peers(answer, found.get(PEERS)), _names(found.get(MANAGED, [])))


def _control_point(row: Match[str]) -> ControlPoint:
    link, queued, node_id, address = row.groups()
    return ControlPoint(node_id.lower().zfill(16), clean(address), LINKS.get(link, Link.UNKNOWN), queued in "Rr")


def _peers(answer: Answer, rows: Optional[List[Match[str]]]) -> Tuple[str, ...]:
    """The other nodes; this one where it is alone, for the section itself says that it is in a peer domain."""
    if rows == []:
        raise cannot(answer, f'it shows no node below "{PEERS}"')
    return _names(rows or []) or tuple(clean(row.group(4)) for row in rows or [])


def _names(rows: List[Match[str]]) -> Tuple[str, ...]:
    return tuple(dict.fromkeys(clean(row.group(4)) for row in rows if row.group(1) != "S"))


MESSAGE = re.compile(r"(?<!\d)26\d\d-\d{3}(?!\d)")
# [my inference: no capture of a class that RMC does not know; 2612-023 was seen, in Chinese]
NO_SUCH_CLASS = ("not found", "not defined", "not known", "undefined", "unknown", "does not exist")


def lsrsrc(answer: Answer, class_name: str) -> Tuple[ManagementServer, ...]:
    """Resources of IBM.MCP or IBM.ManagementServer; (): it has none, or RMC does not know the class."""
    whole(answer)
    lines = lines_of(answer)
    said = [line for line in (*lines, *lines_of(answer, answer.stderr)) if MESSAGE.search(line) and not ATTRIBUTE.match(line)]
    others = [line for line in said if "2612-023" not in line and not _knows_no_class(line)]
    none = answer.exit_code == 6 or bool(said and not others)      # 6: no resources found [my inference, from memory]
    if not none and (others or answer.exit_code):
        raise cannot(answer, quote(others[0]) if others else complaint(answer, answer.stderr))
    resources = resources_of(answer, class_name, [line for line in lines if not none or line not in said], none)
    if none and resources:
        raise cannot(answer, "it shows resources and says that there are none")
    servers = (_mcp(one) if class_name == "IBM.MCP" else _management_server(one) for one in resources)
    return tuple(server for server in servers if server)


def _knows_no_class(message: str) -> bool:
    return "class" in message.lower() and any(words in message.lower() for words in NO_SUCH_CLASS)


def _mcp(attributes: Attributes) -> ManagementServer:
    """MNName is left out: it is this node's own address as the HMC knows it."""
    lead = _addresses(attributes, "HMCIPAddr", "IPAddresses")
    everywhere = _addresses(attributes, "HMCIPAddr", "IPAddresses", "HMCAddIPs", "HMCAddIPv6s")
    return ManagementServer(lead[0] if lead else "", _first(attributes, "HMCName"), _hex_id(_first(attributes, "NodeID")),
                            everywhere, _first(attributes, "ActivePeerDomain"))


def _management_server(attributes: Attributes) -> Optional[ManagementServer]:
    if _first(attributes, "ManagerType").upper() not in ("", "HMC"):
        return None
    known = _addresses(attributes, "Hostname", "Name")
    return ManagementServer(known[0] if known else "", addresses=known, active_peer_domain=_first(attributes, "ActivePeerDomain"))


def _first(attributes: Attributes, name: str) -> str:
    return next(iter(attributes.get(name, ())), "")


OURSELVES = re.compile(r"(?:[0:]*:(?:ffff:)?)?(?:127\.0\.0\.1|0\.0\.0\.0)|[0:]*:[0:]*1?(?:%.*)?", re.IGNORECASE)


def _addresses(attributes: Attributes, *names: str) -> Tuple[str, ...]:
    """Distinct addresses; nobody's and the loopback's would be this very partition when connected to."""
    words = (word for name in names for value in attributes.get(name, ()) for word in re.split(r"[,\s]+", value))
    plain = (word for word in words if re.fullmatch(r"[\w.:%-]+", word, re.ASCII))
    return tuple(dict.fromkeys(word for word in plain if not OURSELVES.fullmatch(word)))


def _hex_id(text: str) -> str:
    if re.fullmatch(r"[0-9]{1,40}", text):
        return format(int(text), "016x")
    return text[2:].lower().zfill(16) if re.fullmatch(r"0[xX][0-9a-fA-F]{1,64}", text) else ""


def node_id(said: Union[Answer, str]) -> str:
    """16 hex digits from `lsnodeid`, or from the text of /etc/ct_node_id: its first line that is no comment."""
    answer = Answer("ct_node_id", 0, said if said.endswith("\n") else said + "\n") if isinstance(said, str) else said
    whole(answer)
    succeeded(answer)
    first = next((line.strip() for line in lines_of(answer) if not line.lstrip().startswith("#")), "")
    if not re.fullmatch(r"(?:0[xX])?[0-9a-fA-F]{9,16}", first):
        raise cannot(answer, f"{quote(first)} is not a node id of 9 to 16 hex digits")
    return first[2 if first[1] in "xX" else 0:].lower().zfill(16)


# ---- clusters ----------------------------------------------------------------------------------------------------------


def ct_clusterinfo(answer: Answer) -> str:
    """The cluster's name, "IW" for a node of its own, or "": a blank line; no line at all is unreadable."""
    whole(answer)
    succeeded(answer)
    words = [word for line in lines_of(answer) for word in line.split()]
    if not answer.stdout or len(words) > 1 or not re.fullmatch(r"[\w.+-]*", "".join(words)):
        raise cannot(answer, f"it said {quote(answer.stdout)} where one name was expected")
    return clean("".join(words))


def lsrpdomain(answer: Answer) -> Tuple[PeerDomain, ...]:
    """Every peer domain defined here, Offline ones too; of several listings in one text the last counts."""
    none = "2612-023" in answer.stdout + answer.stderr          # not found [my inference: seen of another command]
    lines = [line for line in lines_or_none(answer, none) if "2612-023" not in line]
    domains: List[PeerDomain] = []
    for line in lines:
        words = line.split()
        version = next((at for at, word in enumerate(words) if re.fullmatch(r"[0-9]+(?:\.[0-9]+){2,5}", word, re.ASCII)), 0)
        if words[:2] == ["Name", "OpState"] and not version:
            domains = []
        elif version in (2, 3, 4) and len(words) <= version + 4 and all(word.isalpha() for word in words[1:version]):
            domains.append(PeerDomain(clean(words[0]), clean(" ".join(words[1:version]))))
        elif not is_caption(line):
            raise cannot(answer, f"{quote(line)} is not a row of a peer domain")
    if none and domains:
        raise cannot(answer, "it shows domains and says that there are none")
    return tuple(dict.fromkeys(domains))


def lscluster(answer: Answer) -> str:
    """The line by which `lscluster -m` tells of a CAA cluster; "": it ended without telling of one."""
    whole(answer)
    text = " ".join(" ".join(lines_of(answer)).split())
    tellings = (r"State of node: ?\S+(?: NODE_LOCAL)?", r"Cluster Name ?: ?\S+", r"Cluster Name SHID UUID ?\S*",
                r"Cluster shorthand id .{0,40}")
    match = next(filter(None, (re.search(telling, text, re.IGNORECASE) for telling in tellings)), None)
    return clean(match.group()) if match else ""


def lspv(answer: Answer) -> str:
    """The disk that holds caavg_private, active or not; "" when every row was understood and none does."""
    whole(answer)
    holder = next((line.split()[0] for line in lines_of(answer) if "caavg_private" in line), "")
    if holder:
        return clean(holder)
    lines = [line for line in lines_of(answer) if line.split()[:2] != ["NAME", "PVID"]]
    succeeded(answer)
    row = re.compile(r"[A-Za-z][\w.-]*\s+(?:[0-9a-fA-F]{16,64}|none)(?:\s+\S+){1,3}")
    odd = [line for line in lines if not row.fullmatch(line.strip())]
    if odd or not lines:
        raise cannot(answer, f"{quote(odd[0])} is not a row of lspv" if odd else "it shows no disk")
    return ""


def odm_hacmpcluster(answer: Answer) -> str:
    """PowerHA's cluster name from `odmget HACMPcluster`; "": no such object, or no such class."""
    # Silence is taken for an empty class, and a complaint about the class for a missing one [my inference, both]. A cluster
    # that this overlooks shows in lssrc, lscluster or lspv as well.
    about = re.compile(r"(?:odmget:|0519-\d{3}).{0,200}(?:HACMPcluster|not found|not exist|not find)")
    said = "\n".join([*lines_of(answer), *lines_of(answer, answer.stderr)])
    has_object = bool(re.search(r"^[ \t]*HACMPcluster:", said, re.MULTILINE))
    none = bool(about.search(said)) and not has_object and not _is_denied(said)
    lines = lines_or_none(answer, none)
    if none or not lines:
        return ""
    if "HACMPcluster:" not in map(str.strip, lines):
        raise cannot(answer, f"{quote(lines[0])} is not an object of HACMPcluster")
    names = (match.group(1) for match in (re.match(r'\s*name\s*=\s*"([^"]*)"', line) for line in lines) if match)
    return clean(next(filter(None, names), "unnamed"))


# [my inference: the sentences of a VIOS that is in no cluster; none was captured]
NO_CLUSTER = re.compile(r"\b(?:no|not|any)\s.{0,80}\bcluster\b|\bcluster\b.{0,80}\bnot (?:exist|found|configured)", re.IGNORECASE)


def ioscli_cluster(answer: Answer) -> str:
    """The name of the shared storage pool's cluster, from `ioscli cluster -list`; "": this VIOS is in none."""
    said = [line for line in (*lines_of(answer), *lines_of(answer, answer.stderr)) if "cluster" in line.lower()]
    none = any(map(NO_CLUSTER.search, said)) and not _is_denied("\n".join(said))
    lines = lines_or_none(answer, none)
    names = [re.sub(r"^\s*CLUSTER_NAME\s*:", "", line).strip().rstrip(",").strip() for line in lines]
    if names and all(re.fullmatch(r"[\w.-]+", name) for name in names):
        return clean(names[0])
    if names and not none:
        raise cannot(answer, f"{quote(lines[0])} is not a cluster's name")
    return ""


def _is_denied(text: str) -> bool:
    return bool(re.search(r"permi|denied|authori|lock|busy|corrupt", text, re.IGNORECASE))


# ---- the rest ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ErrptRow:
    """A line of errpt; `at_text` is MMDDhhmmYY, local time."""

    identifier: str
    at_text: str
    type: str
    class_: str
    resource: str
    description: str


def errpt(answer: Answer) -> Tuple[ErrptRow, ...]:
    """Rows of `errpt`, newest first, the newest MOST_LINES of them; the header alone is none."""
    whole(answer)
    succeeded(answer)
    rows: List[ErrptRow] = []
    lines = lines_of(answer, most=None)
    for line in lines[:MOST_LINES]:
        row = re.fullmatch(r"\s*([0-9A-F]{8})\s+([0-9]{10})\s+([A-Z])\s+([A-Z])\s+(\S+)(?:\s+(\S.*))?", line.rstrip())
        if line.startswith("-----"):
            break                                           # the detailed report begins
        if row:
            rows.append(ErrptRow(*(clean(word or "") for word in row.groups())))
        elif line.split() != ["IDENTIFIER", "TIMESTAMP", "T", "C", "RESOURCE_NAME", "DESCRIPTION"] and not is_caption(line):
            raise cannot(answer, f"{quote(line)} is not a row of errpt")
    if not lines:
        raise cannot(answer, "it said nothing")
    return tuple(rows)


def systemctl_show(answer: Answer) -> Mapping[str, str]:
    """Properties that `systemctl show` printed, KEY=VALUE a line."""
    whole(answer)
    succeeded(answer)
    pairs = [re.fullmatch(r"([A-Za-z]\w{0,63})=(.*)", line) for line in lines_of(answer)]
    if not pairs or not all(pairs):
        raise cannot(answer, "not every line of it is KEY=VALUE")
    return {pair.group(1): clean(pair.group(2)) for pair in pairs if pair and pair.group(1).lower() != "rmckey"}
