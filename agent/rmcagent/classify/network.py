"""What answers say of the way to an HMC: nc and netstat, which the agent does not use but an administrator does."""
from __future__ import annotations

import re
from typing import Mapping, Optional

from rmcagent.classify.told import Told, count, hmc
from rmcagent.model import Answer
from rmcagent.partition.parse.lines import cannot, clean

RMC_PORTS: Mapping[str, str] = {"657": "RMC", "12601": "RMC over TLS"}
TARGETS = (r"Connected to ([\w.:%-]{1,255}):(\d{1,5})\b", r"Connection to ([\w.:%-]{1,255}) (\d{1,5}) port",
           r"nc: connect to ([\w.:%-]{1,255}) port (\d{1,5})\b", r"\bnc[ \t]+(?:-\w+[ \t]+)*([\w.:%-]{1,255})[ \t]+(\d{1,5})\b")


def of_nc(answer: Answer) -> Told:
    text = answer.stdout
    target = next(filter(None, (re.search(pattern, text) for pattern in TARGETS)), None)
    if not target:
        raise cannot(answer, "it does not name an address and a port")
    address, port = clean(target.group(1)), target.group(2)
    lost = re.search(r"refused|timed? ?out|unreachable|No route|not known|failed", text, re.IGNORECASE)
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
