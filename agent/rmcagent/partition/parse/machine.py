"""The operating system: its error log, levels, units and inittab, and how rmcd and lparmgr run on it."""
from __future__ import annotations

import re
from typing import List, Mapping, Optional, Tuple

from rmcagent.frozen import dataclass
from rmcagent.model import Answer
from rmcagent.partition.parse.lines import (
    MOST_LINES,
    cannot,
    clean,
    complaint,
    is_caption,
    lines_of,
    quote,
    succeeded,
    whole,
)


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
        elif line.split() != ["IDENTIFIER", "TIMESTAMP", "T", "C", "RESOURCE_NAME", "DESCRIPTION"] and not _is_aside(line):
            raise cannot(answer, f"{quote(line)} is not a row of errpt")
    if not lines:
        raise cannot(answer, "it said nothing")
    return tuple(rows)


def _is_aside(line: str) -> bool:
    """An author's caption; what begins like a row is one that was garbled, and may tell of a migration."""
    return is_caption(line) and not re.match(r"\s*[0-9A-Fa-f]{6,10}\b", line)


def systemctl_show(answer: Answer) -> Mapping[str, str]:
    """Properties that `systemctl show` printed, KEY=VALUE a line."""
    whole(answer)
    succeeded(answer)
    pairs = [re.fullmatch(r"([A-Za-z]\w{0,63})=(.*)", line) for line in lines_of(answer)]
    if not pairs or not all(pairs):
        raise cannot(answer, "not every line of it is KEY=VALUE")
    return {pair.group(1): clean(pair.group(2)) for pair in pairs if pair and pair.group(1).lower() != "rmckey"}


UNIT_STATES = ("enabled", "enabled-runtime", "linked", "linked-runtime", "alias", "masked", "masked-runtime", "static",
               "indirect", "disabled", "generated", "transient", "bad", "not-found")


def systemctl_is_enabled(answer: Answer) -> str:
    """The word of `systemctl is-enabled UNIT`: disabled and not-found come with an exit code, and are answers all the same."""
    whole(answer)
    words = lines_of(answer)
    if len(words) == 1 and words[0] in UNIT_STATES:
        return words[0]
    # Before 253 a unit that is not there is told on stderr only.
    if not words and answer.exit_code and re.search(r"No such file or directory|not exist|not found", answer.stderr):
        return "not-found"
    raise cannot(answer, complaint(answer, answer.stderr + answer.stdout))


@dataclass(frozen=True)
class InitEntry:
    """A line of /etc/inittab; "" in `runlevel` is every run level."""

    identifier: str
    runlevel: str
    action: str
    command: str


def lsitab(answer: Answer) -> Optional[InitEntry]:
    """The one entry that `lsitab IDENTIFIER` shows; None: exit 1 in silence, there is no such entry [my inference]."""
    whole(answer)
    lines = lines_of(answer)
    if not lines and answer.exit_code == 1 and not answer.stderr.strip():
        return None
    succeeded(answer)
    row = re.fullmatch(r"([^:\s]{1,14}):([0-9A-Za-z]{0,20}):([a-z]{1,20}):(.*)", lines[0]) if len(lines) == 1 else None
    if not row:
        raise cannot(answer, f"{quote(next(iter(lines), ''))} is not one entry of inittab")
    return InitEntry(*(clean(word) for word in row.groups()))


def oslevel(answer: Answer) -> str:
    """AIX's level from `oslevel -s`, as 7200-05-03-2148; noughts are a level that AIX cannot tell [my inference]."""
    level = _only_line(answer)
    if not re.fullmatch(r"[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}-[0-9]{4}", level):
        raise cannot(answer, f"{quote(level)} is not a level of AIX")
    return level


def ioslevel(answer: Answer) -> str:
    """The Virtual I/O Server's level from `ioscli ioslevel`, as 3.1.4.10; what follows its first line is a notice."""
    whole(answer)
    succeeded(answer)
    level = next(iter(lines_of(answer)), "").strip()
    if not re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}", level):
        raise cannot(answer, f"{quote(level)} is not a level of the Virtual I/O Server")
    return level


def uname(answer: Answer) -> str:
    """What `uname` says with one flag: AIX, Linux, IBM,9009-42A."""
    said = _only_line(answer)
    if not re.fullmatch(r"[\w.,+-]{1,255}", said, re.ASCII):
        raise cannot(answer, f"{quote(said)} is not one word")
    return said


def uname_partition(answer: Answer) -> Optional[Tuple[int, str]]:
    """Number and name from AIX's `uname -L`; None: the machine has no partitions, which it says with -1."""
    said = _only_line(answer)
    number, _, name = said.partition(" ")
    if not re.fullmatch(r"-1|[0-9]{1,6}", number) or not name.strip():
        raise cannot(answer, f"{quote(said)} is not a partition's number and name")
    return None if number == "-1" else (int(number), clean(name.strip()))


def _only_line(answer: Answer) -> str:
    whole(answer)
    succeeded(answer)
    lines = lines_of(answer)
    if len(lines) != 1:
        raise cannot(answer, f"it has {len(lines)} lines where one was expected")
    return lines[0].strip()


def lsivm(answer: Answer) -> bool:
    """Whether lparmgr is well, which lsivm tells by its exit code: 0 it is, 1 it is stuck [from administrators' notes]."""
    whole(answer)
    if answer.exit_code not in (0, 1):
        raise cannot(answer, complaint(answer, answer.stderr + answer.stdout))
    return answer.exit_code == 0


PS_WIDTH = 79        # AIX cuts the line of `ps -ef` at a terminal's width
PS_TIME = r"(?:[0-9]{1,4}-)?[0-9]{1,4}:[0-9]{2}(?::[0-9]{2})?"


def rmcd_takes_remote(answer: Answer) -> Optional[bool]:
    """Whether rmcd runs with -r, remote clients enabled [my inference], by rows of `ps`; None: no row is rmcd's."""
    whole(answer)
    succeeded(answer)
    lines = lines_of(answer, echoes=True)
    rows = [match for match in (re.fullmatch(rf"(?:.*\s{PS_TIME}\s+|\s*)(?:/\S*/)?rmcd(\s.*)?", line) for line in lines) if match]
    enabled = {"-r" in (row.group(1) or "").split() for row in rows}
    if len(enabled) > 1:
        raise cannot(answer, "one rmcd runs with -r and another without")
    if any(PS_WIDTH <= len(row.group()) <= PS_WIDTH + 1 for row in rows) and not any(enabled):
        raise cannot(answer, "the row of rmcd may be cut before its last argument")
    if not lines:
        raise cannot(answer, "it said nothing")
    return enabled.pop() if enabled else None
