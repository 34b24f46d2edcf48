"""Clusters: RSCT peer domains, CAA, PowerHA, shared storage pools. Each says who it is in, or "" for nobody."""
from __future__ import annotations

import re
from typing import List, Tuple

from rmcagent.model import Answer, PeerDomain
from rmcagent.partition.parse.lines import MESSAGE, cannot, clean, is_caption, lines_of, lines_or_none, quote, succeeded, whole


def ct_clusterinfo(answer: Answer) -> str:
    """The cluster's name, "IW" for a node of its own, or "": a blank line; no line at all is unreadable."""
    whole(answer)
    succeeded(answer)
    words = [word for line in lines_of(answer) for word in line.split()]
    if not answer.stdout or len(words) > 1 or not re.fullmatch(r"[\w.+-]*", "".join(words)):
        raise cannot(answer, f"it said {quote(answer.stdout)} where one name was expected")
    return clean("".join(words))


BEHIND = re.compile(r"(?:Yes|No)(?: [0-9]{1,5}){0,2}")          # the version: MixedVersions, TSPort, GSPort


def lsrpdomain(answer: Answer) -> Tuple[PeerDomain, ...]:
    """Every peer domain defined here, Offline ones too; of several listings in one text the last counts.

    () only for silence, or where it is said that there is none: a header alone is the beginning of a listing.
    """
    whole(answer)
    messages = [line for line in (*lines_of(answer), *lines_of(answer, answer.stderr)) if MESSAGE.search(line)]
    others = [line for line in messages if "2612-023" not in line]
    if others:
        raise cannot(answer, quote(others[0]))
    none = bool(messages)                                   # 2612-023, not found [my inference: seen of another command]
    lines = [line for line in lines_or_none(answer, none) if line not in messages]
    domains: List[PeerDomain] = []
    for line in lines:
        words = line.split()
        version = next((at for at, word in enumerate(words) if re.fullmatch(r"[0-9]+(?:\.[0-9]+){2,5}", word, re.ASCII)), 0)
        if words[:2] == ["Name", "OpState"] and not version:
            domains = []
        elif version in (2, 3, 4) and all(word.isalpha() for word in words[1:version]) and BEHIND.fullmatch(
                " ".join(words[version + 1:])):
            domains.append(PeerDomain(clean(words[0]), clean(" ".join(words[1:version]))))
        elif version or not is_caption(line):
            raise cannot(answer, f"{quote(line)} is not a row of a peer domain")
    if none and domains:
        raise cannot(answer, "it shows domains and says that there are none")
    if lines and not domains and not none:
        raise cannot(answer, "it ends before the first row")
    return tuple(dict.fromkeys(domains))


def lscluster(answer: Answer) -> str:
    """What in `lscluster -m` tells of a CAA cluster; "": it ended without telling of one, and had not begun to list nodes."""
    whole(answer)
    text = " ".join(" ".join(lines_of(answer)).split())
    tellings = (r"State of node: ?\w+(?: NODE_LOCAL)?", r"Cluster Name ?: ?[\w.-]+", r"Cluster Name SHID UUID ?[\w.-]*",
                r"Cluster shorthand id(?: for node)?(?: ?: ?\d+)?", r"number of nodes examined: ?[1-9]\d*",
                r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")        # an identifier, whatever the language around it
    match = next(filter(None, (re.search(telling, text, re.IGNORECASE) for telling in tellings)), None)
    if not match and re.match(r"Calling node query\b(?!.*examined: ?0\b)", text, re.IGNORECASE) and answer.exit_code == 0:
        raise cannot(answer, "it ends before the first node")
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
    about = re.compile(r"(?:odmget:|libodm:|0519-\d{3}).{0,200}(?:HACMPcluster|not found|not exist|not find)")
    said = "\n".join([*lines_of(answer), *lines_of(answer, answer.stderr)])
    has_object = bool(re.search(r"^[ \t]*HACMPcluster:", said, re.MULTILINE))
    # IBM's sentence about a class that does not exist ends in an advice, which tells of no lack of permission.
    told = re.sub(r"Check\s+path\s+name\s+and\s+permissions", "", said, flags=re.IGNORECASE)
    none = bool(about.search(told)) and not has_object and not _is_denied(told)
    lines = lines_or_none(answer, none)
    if none or not lines:
        return ""
    if "HACMPcluster:" not in map(str.strip, lines):
        raise cannot(answer, f"{quote(lines[0])} is not an object of HACMPcluster")
    names = (match.group(1) for match in (re.match(r'\s*name\s*=\s*"([^"]*)"', line) for line in lines) if match)
    return clean(next(filter(None, names), "unnamed"))


# [my inference: the sentences of a VIOS that is in no cluster; none was captured]
NO_CLUSTER = re.compile(r"\b(?:no|not|any)\s.{0,80}\bcluster\b|\bcluster\b.{0,80}\bnot (?:exist|found|configured)", re.IGNORECASE)
# "Could not reach the cluster's database" is no word about its absence.
FAILED = re.compile(r"\b(?:could not|cannot|can't|unable|fail|error|timed? ?out|not? (?:respon|connect|reach))", re.IGNORECASE)


def ioscli_cluster(answer: Answer) -> str:
    """The name of the shared storage pool's cluster, from `ioscli cluster -list`; "": this VIOS is in none."""
    said = [line for line in (*lines_of(answer), *lines_of(answer, answer.stderr)) if "cluster" in line.lower()]
    none = any(map(NO_CLUSTER.search, said)) and not any(map(FAILED.search, said)) and not _is_denied("\n".join(said))
    lines = lines_or_none(answer, none)
    names = [re.sub(r"^\s*CLUSTER_NAME\s*:", "", line).strip().rstrip(",").strip() for line in lines]
    if len(set(names)) == 1 and re.fullmatch(r"[\w.-]+", names[0]):
        return clean(names[0])                                  # a VIOS is a node of one cluster at most
    if names and not none:
        raise cannot(answer, f"{quote(lines[0])} is not a cluster's name")
    return ""


def _is_denied(text: str) -> bool:
    return bool(re.search(r"permi|denied|authori|lock|busy|corrupt", text, re.IGNORECASE))
