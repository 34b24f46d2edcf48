"""Reading one text: what it is, and which teller tells of it. Bounded, whatever it holds."""
from __future__ import annotations

from typing import Callable, FrozenSet, Mapping

from rmcagent.classify import cluster, hmc, kinds, machine, rmc, subsystems
from rmcagent.classify.told import KEY, Told
from rmcagent.frozen import replace
from rmcagent.model import Answer
from rmcagent.partition import parse
from rmcagent.partition.bundle.redact import LISTING, secrets_of

LONGEST_TEXT = 4 << 20                    # bytes of anything but a log
BACKUP = "a backup in AIX's own format, as installp's packages are; restore -Tqf FILE lists what it holds"

# Each tells of one kind, or raises Unreadable.
TELLERS: Mapping[str, Callable[[Answer], Told]] = {
    "lssrc": subsystems.of_lssrc, "lssrc -S": subsystems.of_definitions, "lssrc -ls mcproxy": subsystems.of_mcproxy,
    "startsrc": subsystems.of_message, "SRC message": subsystems.of_message, "ps": subsystems.of_ps,
    "rmcdomainstatus": rmc.of_status, "lsrsrc IBM.MCP": rmc.of_servers, "lsrsrc IBM.ManagementServer": rmc.of_servers,
    "lsrsrc": rmc.of_class, "RMC error message": rmc.of_message,
    "lsrpdomain": cluster.of_domains, "recfgct": cluster.of_recfgct, "ct_clusterinfo": cluster.of_name,
    "lscluster -m": cluster.of_caa, "lscluster": cluster.of_caa, "lspv": cluster.of_disks,
    "clshowsrv": cluster.of_powerha, "lssrc -ls clstrmgrES": cluster.of_powerha, "odmget HACMPcluster": cluster.of_powerha_object,
    "cluster -list": cluster.of_pool, "cluster -status": cluster.of_pool_status,
    "lspartition": hmc.of_lspartition, "lssyscfg": hmc.of_lssyscfg, "errpt": machine.of_errpt,
    "ctsvhbal": machine.of_identities, "ctsthl -l": machine.of_trusted, "lsnodeid": machine.of_node_id,
    "ct_node_id": machine.of_node_id, "lsattr -El cluster0": machine.of_cluster0, "oslevel": machine.of_level,
    "ioscli ioslevel": machine.of_level, "uname": machine.of_level, "lsitab": machine.of_lsitab,
    "systemctl show": machine.of_unit, "systemctl is-enabled": machine.of_enabled, "command not found": machine.of_not_found,
    "netstat": hmc.of_netstat, "nc": hmc.of_nc,
}


def tell(read: rmc.Read, name: str = "") -> Told:
    """Read one answer or log and tell of it; `name` is its file's, and only a hint."""
    head = read(kinds.LONGEST_LINE)
    binary = kinds.kind_of_bytes(head)
    if binary == "backup image":
        return Told(BACKUP, kind=binary)
    if binary:
        return _not_told(binary, "it is no text")
    head += read(rmc.PIECE - len(head)) if len(head) == kinds.LONGEST_LINE else b""
    kind, told_by = kinds.kind_of(_text(head), name)
    if kind in (kinds.LOG, kinds.RSCT_LOG) and told_by == kinds.SHAPE:
        return replace(rmc.of_log(head, read), kind=kind)
    data = head + (read(LONGEST_TEXT + 1 - len(head)) if len(head) == rmc.PIECE else b"")
    if len(data) > LONGEST_TEXT:
        return _not_told(kind, f"it has more than {LONGEST_TEXT >> 20} MiB, and is no log of RSCT's")
    text = _text(data)
    return replace(_of_answer(kind, told_by, text), secrets=_secrets(kind, text))


def _of_answer(kind: str, told_by: str, text: str) -> Told:
    if not text.strip():
        return _not_told(kinds.UNKNOWN, "it is empty")
    if kind == kinds.UNKNOWN:
        return _not_told(kind, f"nothing in it looks like what is known: {', '.join(kinds.KINDS)}")
    teller = TELLERS.get(kind if kind in TELLERS else kind.split()[0])
    if teller is None:                    # a log's name, and no log
        return _not_told(kinds.UNKNOWN, f"its name says {kind}, but it holds no entry of one")
    is_cut = not text.endswith("\n")      # an answer of the agent's would be unreadable; a text that was pasted is told of
    text = text + "\n" if is_cut else text
    answer = Answer(kind, 0, kinds.without_echoes(text) if told_by == kinds.BY_ECHO else text)
    try:
        told = teller(answer)
    except parse.Unreadable as reason:
        because = str(reason).partition(f"{kind}: ")[2] or str(reason)
        if told_by != kinds.BY_NAME:
            return _not_told(kind, because)
        return _not_told(kinds.UNKNOWN, f"its name says {kind}, but it does not read as that: {because}")
    return replace(told, kind=kind, notes=("its last line has no end, and may be cut",) if is_cut else ())


def _secrets(kind: str, text: str) -> FrozenSet[str]:
    """Of the keys that the text tells; only in a listing of attributes they go on behind their line."""
    if KEY not in text.lower():
        return frozenset()
    named = text if kind.startswith(LISTING) else "\n".join(line for line in text.split("\n") if KEY in line.lower())
    return frozenset(secrets_of(named))


def _not_told(kind: str, because: str) -> Told:
    return Told(because, kind=kind, understood=False)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\r\n", "\n").lstrip("\ufeff")
