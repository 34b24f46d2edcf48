"""What RMC says: rmcdomainstatus, lsrsrc, its messages with what they seem to mean, and its logs, read in pieces."""
from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from rmcagent import show
from rmcagent.classify import kinds
from rmcagent.classify.told import Told, cluster, count, hmc
from rmcagent.model import Answer, ControlPoint, Link, ManagementServer
from rmcagent.partition import parse
from rmcagent.partition.logs import census
from rmcagent.partition.parse.lines import cannot

LINKS: Mapping[Link, str] = {
    Link.DOWN: "RMC has no heartbeat from it: see whether it answers on port 657 or 12601, then look at RSCT on both sides",
    Link.PENDING: "connected, but the first handshake is not complete: where this lasts, messages fail their authentication",
    Link.SUSPENDED: "small heartbeats pass and larger packets do not: compare the MTU along the way",
    Link.FLAPPING: "it goes up and down too fast: often two nodes have the same node id",
    Link.UNKNOWN: "its state is a letter that is not known",
}


def of_status(answer: Answer) -> Told:
    found = parse.rmcdomainstatus(answer)
    nodes = _managed(answer)
    nouns: Dict[str, Any] = {
        "hmcs": [hmc(address=one.address, node_id=one.node_id, link=one.link) for one in found.control_points],
        "peers": found.peers,
        "nodes": [{"address": one.address, "node_id": one.node_id, "link": one.link} for one in nodes],
    }
    if found.peers:
        nouns["cluster"] = cluster("present", 'rmcdomainstatus has a section "Peer Domain Status"', False, False)
    parts = [part for part in (_links(found.control_points, "HMC"), _links(nodes, "managed node"),
                               found.peers and f"in a peer domain with {', '.join(found.peers[:4])}") if part]
    all_up = found.control_points and all(one.link is Link.UP for one in found.control_points)
    rows = (("HMCs", _link_lines(found.control_points)), ("Nodes", _link_lines(nodes)),
            ("RMC", ["every HMC that it knows is connected"] if all_up else []))
    seen = dict.fromkeys((one.address, one.link) for one in (*found.control_points, *nodes) if one.link is not Link.UP)
    means = [f"{address} is {link.value}: {LINKS[link]}" for address, link in seen]
    return Told("; ".join(parts) or "its sections are empty", nouns, rows, tuple(means))


def _managed(answer: Answer) -> Tuple[ControlPoint, ...]:
    """Managed nodes with their links: rows of the same shape, read below the other section's title."""
    rows, inside = [], False
    for line in answer.stdout.split("\n"):
        if line.strip().endswith(("Managed Nodes", "Management Control Points", "Peer Domain Status")):
            inside = line.strip().endswith("Managed Nodes")
        elif inside:
            rows.append(line)
    text = "\n".join(["Management Control Points", *rows]) + "\n"
    return parse.rmcdomainstatus(Answer(answer.id, 0, text)).control_points if "".join(rows).strip() else ()


def _links(points: Tuple[ControlPoint, ...], what: str) -> str:
    counts = Counter(one.link.value for one in points)
    return f"{count(len(points), what)}: {', '.join(f'{times} {link}' for link, times in counts.items())}" if points else ""


def _link_lines(points: Tuple[ControlPoint, ...]) -> List[str]:
    waiting = {True: ", messages wait", False: ""}
    return [f"{one.address} {one.link.value}, node id {one.node_id}{waiting[one.queued]}" for one in points]


def of_servers(answer: Answer) -> Told:
    found = parse.lsrsrc(answer, answer.id.split()[1])
    domains = sorted({one.active_peer_domain for one in found if one.active_peer_domain})
    hmcs = [{**hmc(one.address, one.name, one.node_id), "addresses": one.addresses} for one in found]
    nouns: Dict[str, Any] = {"hmcs": hmcs}
    if domains:
        nouns["cluster"] = cluster("present", f"ActivePeerDomain is {', '.join(domains)}", recycle=False, recfgct=False)
    means = () if found else ("RMC knows no HMC: DLPAR and LPM cannot work, unless lssrc -ls mcproxy shows an HMC in band",)
    compare = ["with rmcdomainstatus: one that it shows as O may have been replaced, and its resource is stale"]
    rows = (("HMCs", [_server_line(one) for one in found]), ("Cluster", [f"in the peer domain {name}" for name in domains]),
            ("Compare", compare if len(found) > 1 else []))
    named = ", ".join(one.address or one.name for one in found)
    return Told(f"{count(len(found), 'HMC')} known" + (f": {named}" if named else ""), nouns, rows, means)


def _server_line(one: ManagementServer) -> str:
    others = ", ".join(address for address in one.addresses if address != one.address)
    return " ".join(filter(None, (one.address, one.name))) + (f", also {others}" if others else "")


def of_class(answer: Answer) -> Told:
    title = kinds.CLASS.search(answer.stdout)
    if title is None:
        raise cannot(answer, "it has no title that names a class")
    number = len(re.findall(r"^[ \t]*resource \d{1,9}:", answer.stdout, re.MULTILINE))
    return Told(f"{count(number, 'resource')} of {title.group(1)}, a class that rmcagent does not use", {"resources": number})


# All but those of the logs: [my inference] from texts that administrators and IBM's pages show.
RMC_TEXTS: Mapping[str, str] = {
    "2610-217": "messages that rmcd does not understand: something else uses UDP port 657",
    "2610-415": "a resource manager is not available; inside an HMC's answer, the HMC's own",
    "2610-444": "values are pending: passing, ask again",
    "2610-652": "a time limit was exceeded",
    "2612-022": "no session with RMC could be had: rmcd does not run or does not answer",
    "2612-023": "no such resource, or class: an answer, where none is expected",
}


def meanings(numbers: Mapping[str, int]) -> List[str]:
    texts = {**{number: text for number, (_, text) in census.MESSAGES.items()}, **RMC_TEXTS}
    return [f"{number}{f', {times} times' if times > 1 else ''}: {texts.get(number, 'not known')}"
            for number, times in Counter(numbers).most_common(show.ROWS_SHOWN)]


def of_message(answer: Answer) -> Told:
    numbers = Counter(re.findall(r"(?<!\d)26\d\d-\d{3}(?!\d)", answer.stdout))
    return Told("; ".join(meanings(numbers)[:2]), {"messages": numbers}, (("Messages", meanings(numbers)[2:]),))


# ---- logs --------------------------------------------------------------------------------------------------------------

PIECE = 1 << 20                           # bytes read at once
Read = Callable[[int], bytes]
STAMPED = 16 << 10                        # of a piece's beginning and end: no entry is so long that neither has a time

STAMP = re.compile(rb"\b([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d) \S{1,8} (\d{4})\(")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SIDES: Mapping[str, str] = {
    "hmc": "the HMC itself returned most of these errors: look there, nothing done on this partition mends them",
    "network": "most of these are time-outs on the way to the HMC: look at routes, firewalls and port 657",
}


def of_log(head: bytes, read: Read) -> Told:
    """The log that begins with `head`, however long it is."""
    watch = _Watch()
    growth = census.census_of_pieces(watch.pieces(head, read))
    rate = watch.bytes_per_second
    nouns = {"log": {"bytes_per_second": rate, "messages": growth.messages, "inner": growth.inner, "side": growth.side,
                     "bytes": watch.size}}
    pace = f", {rate:.0f} bytes a second by its own clock" if rate is not None else ""
    within = [f"{number.replace('/', ' with ')} inside, {count(times, 'time')}"
              for number, times in Counter(growth.inner).most_common(4)]
    total = count(sum(growth.messages.values()), "message")
    return Told(f"{total} in {count(watch.size, 'byte')}{pace}; the cause's side: {growth.side}", nouns,
                (("Messages", meanings(growth.messages)), ("Within", within)), _means(growth.side, growth.messages))


class _Watch:
    """Hands pieces on, and keeps how much they were and when the log's entries say that they were written."""

    def __init__(self) -> None:
        self.size = 0
        self.first: Optional[datetime] = None
        self.last: Optional[datetime] = None

    def pieces(self, head: bytes, read: Read) -> Iterator[bytes]:
        piece = head
        while piece:
            self.size += len(piece)
            ends = STAMP.findall(piece[:STAMPED]) + STAMP.findall(piece[STAMPED:][-STAMPED:])
            moments = [moment for moment in map(_moment, ends) if moment is not None]
            if moments:
                self.first, self.last = self.first or moments[0], moments[-1]
            yield piece
            piece = read(PIECE)

    @property
    def bytes_per_second(self) -> Optional[float]:
        seconds = (self.last - self.first).total_seconds() if self.first and self.last else 0.0
        return round(self.size / seconds, 1) if seconds > 0 else None


def _means(side: str, messages: Mapping[str, int]) -> Tuple[str, ...]:
    if side == "benign":
        return ()
    told: List[str] = [SIDES[side]] if side in SIDES else []
    return tuple(told) or (("whose cause it is cannot be told from the log alone",) if messages else ())


def _moment(words: Tuple[bytes, ...]) -> Optional[datetime]:
    """By the log's own clock; only differences are used, so that its zone does not matter."""
    month, *numbers = (word.decode("ascii") for word in words)
    try:
        day, hour, minute, second, year = map(int, numbers)
        return datetime(year, MONTHS.index(month) + 1, day, hour, minute, second)
    except ValueError:
        return None
