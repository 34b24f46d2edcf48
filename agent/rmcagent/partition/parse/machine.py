"""The operating system: its error log and its units."""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List, Mapping, Tuple

from rmcagent.model import Answer
from rmcagent.partition.parse.lines import MOST_LINES, cannot, clean, is_caption, lines_of, quote, succeeded, whole


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
