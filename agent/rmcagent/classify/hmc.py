"""What an HMC says of its partitions, and what nc and netstat, which the agent does not use, say of the way to it."""
from __future__ import annotations

import re
from typing import Mapping, Optional, Tuple

from rmcagent import show
from rmcagent.classify.told import Told, count, hmc
from rmcagent.model import Answer
from rmcagent.partition.parse.hmc import ManagedPartition, lspartition, lssyscfg
from rmcagent.partition.parse.lines import cannot, clean


def of_lspartition(answer: Answer) -> Told:
    return _of_partitions(lspartition(answer))


def of_lssyscfg(answer: Answer) -> Told:
    return _of_partitions(lssyscfg(answer))


def _of_partitions(found: Tuple[ManagedPartition, ...]) -> Told:
    capable = sum(one.dlpar_capable is True for one in found)
    untold = sum(one.dlpar_capable is None for one in found)
    facts = show.each(found, "id name address dlpar_capable because")
    words = {True: "yes", False: "no", None: "not told"}
    lines = [f"{' '.join(filter(None, (one.name, one.address, one.id)))}: {words[one.dlpar_capable]}, {one.because}"
             for one in found]
    # The lines that an administrator is looking for come first: a long list is cut on the screen.
    order = sorted(range(len(found)), key=lambda at: (found[at].dlpar_capable is True, at))
    because = f"{count(len(found), 'partition')}, {capable} DLPAR-capable" + (f", {untold} not told" if untold else "")
    lacking = len(found) - capable - untold
    means = (f"DLPAR and LPM do not work with {count(lacking, 'partition')}",) if lacking else ()
    return Told(because, {"partitions": facts}, (("DLPAR", [lines[at] for at in order]),), means)


# ---- the way to it -----------------------------------------------------------------------------------------------------

RMC_PORTS: Mapping[str, str] = {"657": "RMC", "12601": "RMC over TLS"}
TARGETS = (r"Connected to ([\w.:%-]{1,255}):(\d{1,5})\b", r"Connection to ([\w.:%-]{1,255}) (\d{1,5}) port",
           r"nc: connect to ([\w.:%-]{1,255}) port (\d{1,5})\b", r"\bnc[ \t]+(?:-\w+[ \t]+)*([\w.:%-]{1,255})[ \t]+(\d{1,5})\b")


def of_nc(answer: Answer) -> Told:
    text = answer.stdout
    target = next(filter(None, (re.search(pattern, text) for pattern in TARGETS)), None)
    if not target:
        raise cannot(answer, "it does not name an address and a port")
    address, port = clean(target.group(1)), target.group(2)
    whys = ("refused", r"timed? ?out", "unreachable", "no route", "not known", "failed")       # the most telling first
    lost = next(filter(None, (re.search(why, text, re.IGNORECASE) for why in whys)), None)
    reachable: Optional[bool] = False if lost else True if re.search(r"Connected to|succeeded|open", text) else None
    how = {True: "answers", False: f"does not answer ({lost.group().lower() if lost else ''})", None: "may or may not answer"}
    service = f" ({RMC_PORTS[port]})" if port in RMC_PORTS else ""
    means = []
    if lost and "refused" in lost.group().lower():
        means = [f"the host was reached and refuses: nothing listens on port {port} there, or a firewall rejects it"]
    elif lost:
        means = [f"nothing reaches it on port {port}: look at routes and firewalls before RSCT"]
    means += ["657 is not the only port: RSCT from 3.3.1 may use 12601 instead"] if reachable is False and port == "657" else []
    means += [f"port {port} is not RMC's, which uses 657 and 12601"] if port not in RMC_PORTS else []
    return Told(f"{address} {how[reachable]} on port {port}{service}; UDP is not told by this",
                {"hmcs": [hmc(address, reachable=reachable)], "port": int(port)}, means=tuple(means))


def of_netstat(answer: Answer) -> Told:
    """AIX writes a port behind a dot, Linux behind a colon."""
    listening = sorted(set(re.findall(r"[.:](657|12601)[ \t]+\S+[ \t]+LISTEN\b", answer.stdout)), key=int)
    peers = sorted(set(re.findall(r"[ \t]([\w.:]{1,255})[.:](?:657|12601)[ \t]+ESTABLISHED\b", answer.stdout)))
    sockets = len(re.findall(r"^.*\b(?:tcp|udp)[46]?\b.*$", answer.stdout, re.MULTILINE))
    said = " and ".join(f"{port} ({RMC_PORTS[port]})" for port in listening)
    means = () if said else ("no row shows RMC listening: if the list is complete, rmcd does not take remote clients",)
    return Told(f"{count(sockets, 'socket')}; " + (f"something listens on {said}" if said else "none listens on 657 or 12601"),
                {"listening": [int(port) for port in listening], "hmcs": [hmc(clean(peer), reachable=True) for peer in peers]},
                (("Connected", peers),), means)
