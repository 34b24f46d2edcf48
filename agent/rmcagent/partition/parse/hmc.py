"""What an HMC says of its partitions: lspartition and lssyscfg. Only `classify` reads it; the agent is never there."""
from __future__ import annotations

import csv
import re
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from rmcagent.frozen import dataclass
from rmcagent.model import Answer
from rmcagent.partition.parse.lines import cannot, clean, lines_of, quote, succeeded, whole


@dataclass(frozen=True)
class ManagedPartition:
    """One partition as its HMC sees it; `because` tells in a sentence why DLPAR can, cannot, or may be able to reach it."""

    id: str                               # 2*9009-42A*1234567, or the number alone; "" where it is not told
    name: str
    address: str
    dlpar_capable: Optional[bool]         # None: could not tell
    because: str


# RSCT's documentation has it that a partition with a connection and without capabilities is for the HMC to mend.
STALE = "mend it on the HMC: chsysstate -r sys -o rebuild -m SYSTEM, or restart the HMC; not a fault of the partition"
NO_CONNECTION = "look at RMC on the partition, and whether port 657 is open between the two"


# ---- lspartition -dlpar ------------------------------------------------------------------------------------------------

RECORD = re.compile(r"<#[0-9]{1,6}>")
FIELD = re.compile(r"([A-Za-z]{1,32}):\s*<([^<>]*)>")


def lspartition(answer: Answer) -> Tuple[ManagedPartition, ...]:
    """Records of `lspartition -dlpar`; a terminal may have broken them anywhere, so lines are joined before they are read."""
    whole(answer)
    succeeded(answer)
    text = "".join(lines_of(answer))
    if not RECORD.search(text):
        raise cannot(answer, "it shows no partition")
    return tuple(_record(answer, record) for record in RECORD.split(text)[1:])


def _record(answer: Answer, record: str) -> ManagedPartition:
    fields = dict(FIELD.findall(record))
    parts = [part.strip() for part in fields.get("Partition", "").split(",")]
    first = parts[0].split()
    # Where a page lost the comma, the host's name stands behind the id.
    if len(parts) not in (2, 3) or len(first) not in (1, 2) or not re.fullmatch(r"[0-9]{1,6}\*[\w-]{1,32}\*\w{1,32}", first[0]):
        raise cannot(answer, f"{quote(record)} does not begin with a partition's id, name and address")
    name = first[1] if len(first) == 2 else parts[1] if len(parts) == 3 else ""
    capable, because = _by_capabilities(_number(fields.get("Active"), 10), _number(fields.get("DCaps"), 16))
    return ManagedPartition(clean(first[0]), clean(name), clean("".join(parts[-1].split())), capable, because)


def _number(text: Optional[str], base: int) -> Optional[int]:
    bare = "".join((text or "").split())
    return int(bare, base) if re.fullmatch(r"(?:0[xX])?[0-9a-fA-F]{1,16}" if base == 16 else r"[0-9]{1,4}", bare) else None


def _by_capabilities(active: Optional[int], capabilities: Optional[int]) -> Tuple[Optional[bool], str]:
    if active is None or active not in (0, 1):
        return None, "its record does not tell whether it is connected"
    if active == 0:
        remembered = f", though it remembers its capabilities (DCaps {capabilities:#x})" if capabilities else ""
        return False, f"the HMC has no RMC connection to it (Active<0>){remembered}: {NO_CONNECTION}"
    if capabilities is None:
        return None, "it is connected, but its record does not tell its capabilities (DCaps)"
    if capabilities == 0:
        return False, f"it is connected (Active<1>), but the HMC holds no capabilities of it (DCaps 0x0): {STALE}"
    return True, f"it is connected, with capabilities {capabilities:#x}"


# ---- lssyscfg -r lpar --------------------------------------------------------------------------------------------------

COMMAND = re.compile(r"\blssyscfg\s.*-r\s+lpar\b")
NAMES = re.compile(r"[a-z][a-z_0-9]*(?:,[a-z][a-z_0-9]*)*,?")
STATES: Mapping[str, Tuple[Optional[bool], str]] = {
    "active": (True, "its rmc_state is active"),
    "inactive": (False, f"its rmc_state is inactive, the HMC has no RMC connection to it: {NO_CONNECTION}"),
    "none": (False, "its rmc_state is none: it does not run, or runs no RMC"),
    "unknown": (None, "its rmc_state is unknown to the HMC itself: ask again, or look at lspartition -dlpar"),
    "busy": (None, "its rmc_state is busy, the HMC is just working with it: ask again"),
}


def lssyscfg(answer: Answer) -> Tuple[ManagedPartition, ...]:
    """Rows of `lssyscfg -r lpar`: NAME=VALUE each, or values alone in the order that an echoed -F or a header tells."""
    whole(answer)
    succeeded(answer)
    names, lines = _names(lines_of(answer, echoes=True))
    found = [_row(answer, names, line) for line in lines if not re.fullmatch(r"\s*\.{3,}\s*|\S+[>$#]\s*", line)]
    if not found:
        raise cannot(answer, "it shows no partition")
    return tuple(found)


def _names(lines: List[str]) -> Tuple[Sequence[str], List[str]]:
    """The columns' names and the rows below them; a command longer than the terminal goes on in the next line."""
    at = next((number for number, line in enumerate(lines) if COMMAND.search(line)), -1)
    rest = lines[at + 1:]
    asked = re.search(r'\s-F\s+"?([a-z_0-9,]+)"?(?:\s|$)', lines[at]) if at >= 0 else None
    names = asked.group(1) if asked else ""
    while rest and asked and NAMES.fullmatch(rest[0].strip()) and "_" in rest[0]:
        again = rest[0].strip() == names
        names, rest = names if again else names + rest[0].strip(), rest[1:]
    if not names and rest and NAMES.fullmatch(rest[0].strip()) and "rmc_state" in rest[0]:
        names, rest = rest[0].strip(), rest[1:]
    return [name for name in names.split(",") if name], rest


def _row(answer: Answer, names: Sequence[str], line: str) -> ManagedPartition:
    try:
        values = next(csv.reader([line.strip()]), [])
    except csv.Error:
        values = []
    pairs: Dict[str, str]
    if names and len(values) == len(names):
        pairs = dict(zip(names, values))
    elif not names and values and all(re.match(r"[a-z][a-z_0-9]*=", value) for value in values):
        pairs = {name: value for name, _, value in (value.partition("=") for value in values)}
    else:
        told = f"has not {len(names)} values" if names else "is not NAME=VALUE, and no line names its columns (-F, --header)"
        raise cannot(answer, f"{quote(line)} {told}")
    if "rmc_state" not in pairs:
        raise cannot(answer, "it does not tell rmc_state: ask for it with -F name,lpar_id,rmc_state,rmc_ipaddr")
    capable, because = STATES.get(pairs["rmc_state"], (None, f"its rmc_state is {quote(pairs['rmc_state'])}, which is not known"))
    capabilities = [pairs[name] for name in pairs if re.fullmatch(r"dlpar_\w+_capable", name)]
    if capable and capabilities and set(capabilities) == {"0"}:
        capable, because = False, f"its rmc_state is active, but the HMC holds no capabilities of it: {STALE}"
    return ManagedPartition(clean(pairs.get("lpar_id", "")), clean(pairs.get("name", "")), clean(pairs.get("rmc_ipaddr", "")),
                            capable, because)
