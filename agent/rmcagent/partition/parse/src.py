"""SRC: rows of lssrc, and what mcproxy and the cluster manager say of themselves through it."""
from __future__ import annotations

import re
from typing import Dict, Iterator, List, Mapping, Optional, Tuple

from rmcagent.frozen import dataclass, field
from rmcagent.model import Answer, State, Subsystem
from rmcagent.partition.parse.lines import cannot, clean, is_echo, lines_of, quote, succeeded, whole

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


@dataclass(frozen=True)
class Definition:
    """How SRC runs a subsystem: a record of `lssrc -S`; `action` is once or respawn, `record` all of it in SRC's own words."""

    name: str
    path: str
    arguments: str
    action: str
    group: str
    record: Mapping[str, str] = field(default_factory=dict, compare=False)


ACTIONS = {"-O": "once", "-R": "respawn"}


def lssrc_definitions(answer: Answer) -> Tuple[Definition, ...]:
    """Records of `lssrc -S`, by the names in the line that begins with #; () only where SRC knows no such subsystem."""
    whole(answer)
    if NOT_ON_FILE in answer.stdout + answer.stderr and "subsysname:" not in answer.stdout:
        return ()
    succeeded(answer)
    fields: List[str] = []
    found: List[Definition] = []
    for line in lines_of(answer):
        words = line.strip().split(":")
        if line.startswith("#subsysname:"):
            fields = ["subsysname", *words[1:]]
        elif len(words) != len(fields):       # one colon more, and every field behind it would be another's
            raise cannot(answer, f"{quote(line)} has not as many fields as the header")
        else:
            record = dict(zip(fields, map(clean, words)))
            found.append(Definition(record["subsysname"], record.get("path", ""), record.get("cmdargs", ""),
                                    ACTIONS.get(record.get("action", ""), record.get("action", "")), record.get("grpname", ""),
                                    record))
    if not found:
        raise cannot(answer, "it shows no definition of a subsystem")
    return tuple(found)


# A dotted name or address, or an address of IPv6.
A_HOST = re.compile(r"[^\W_](?:-?[^\W_]){0,62}\.[^\W_]|[0-9a-fA-F]{0,4}:[0-9a-fA-F]{0,4}:[0-9a-fA-F]")


def mcproxy(answer: Answer) -> Tuple[str, ...]:
    """HMCs connected through the hypervisor, from `lssrc -ls mcproxy` [my inference: read as a public tool reads it]."""
    whole(answer)
    if re.search("0513-0(?:36|04)", answer.stdout + answer.stderr):
        raise cannot(answer, "mcproxy does not run")
    succeeded(answer)
    lines = lines_of(answer)
    matches = [re.match(r"\s*Hostname\s*:\s*(\S+)", line) for line in lines]
    hosts = tuple(dict.fromkeys(clean(match.group(1)) for match in matches if match))
    states = {STATES.get(words[-1], State.UNKNOWN) for words in map(str.split, lines) if words[0] == "mcproxy"}
    if states - {State.ACTIVE, State.UNKNOWN} or not (hosts or State.ACTIVE in states):
        raise cannot(answer, "it does not show mcproxy running")
    unread = next((line for line in lines if A_HOST.search(line)), "")
    if unread and not hosts:
        raise cannot(answer, f"{quote(unread)} may name a host")
    return hosts


def clstrmgr(answer: Answer) -> str:
    """PowerHA's state (ST_INIT, NOT_CONFIGURED, RP_FAILED ...), from `lssrc -ls clstrmgrES` or clshowsrv."""
    whole(answer)
    succeeded(answer)
    text = "\n".join(lines_of(answer))
    found = re.findall(r'Current[ \t]{1,64}state:[ \t]*([A-Za-z_]{1,64})|\bSTATE="([A-Za-z_]{1,64})"', text)
    words = {plain or _with_prefix(quoted) for plain, quoted in found}
    if len(words) != 1:
        raise cannot(answer, "it names no state of the cluster manager" if not words else "it names more than one state")
    return words.pop()


def _with_prefix(word: str) -> str:
    """clshowsrv spells ST_INIT as INIT on one level."""
    bare = ("INIT", "JOINING", "VOTING", "RP_RUNNING", "BARRIER", "CBARRIER", "UNSTABLE", "STABLE")
    return f"ST_{word}" if word in bare else word
