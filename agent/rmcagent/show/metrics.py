"""What Prometheus is told of a look: the document -> text exposition. Pure; the one table of metrics is here.

Samples carry no time: node_exporter refuses a file that does. What could not be told has no sample: it is neither good nor bad.
"""
from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from rmcagent.model import Fault, Kind, Link, Outcome, Remedy
from rmcagent.show.codes import STATUS_CODES
from rmcagent.show.screen import clean, rows_of, table_of

Document = Mapping[str, Any]
Labels = Tuple[Tuple[str, str], ...]
Sample = Tuple[Labels, Optional[float]]

MOST_HMCS, MOST_SUBSYSTEMS, MOST_GUARDS, MOST_CODES, MOST_BUDGETS = 32, 64, 32, 64, 4
LONGEST_LABEL = 64                        # characters, before they are escaped
LARGEST = 1e18                            # longer than any clock's or disk's number
OF_THE_AGENT = ("verdict", "version", "policy", "platform", "mode")       # true also when it no longer runs
OURS = ("IBM.", "ct")                     # an AIX partition runs a hundred subsystems, and node_exporter's reader asks for RSCT's


class Metric(NamedTuple):
    name: str
    kind: str                             # gauge | counter
    help: str
    samples: Callable[[Document], Iterator[Sample]]


def text(document: Document) -> str:
    """The metrics of a document, whatever is in it: at most some 700 lines of ASCII, no series twice."""
    if not _alive(document):              # what it saw last would be told for ever, and believed
        document = {key: value for key, value in document.items() if key in OF_THE_AGENT}
    return "".join(line for metric in METRICS for line in _lines(metric, document))


def _lines(metric: Metric, document: Document) -> List[str]:
    told: Dict[str, float] = {}
    for labels, value in metric.samples(document):
        if value is not None:
            told.setdefault(",".join(f'{name}="{_escaped(text)}"' for name, text in labels), value)
    if not told:
        return []
    head = [f"# HELP {metric.name} {metric.help}\n", f"# TYPE {metric.name} {metric.kind}\n"]
    return head + [f"{metric.name}{{{labels}}} {_written(value)}\n" if labels else f"{metric.name} {_written(value)}\n"
                   for labels, value in told.items()]


def _escaped(label: str) -> str:
    """A label's value between its quotes: ASCII, short, and never two lines."""
    plain = clean(label, LONGEST_LABEL).encode("ascii", "backslashreplace").decode("ascii")
    return plain.replace("\\", "\\\\").replace('"', '\\"')


def _written(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _number(value: Any) -> Optional[float]:
    """The value where it is a number, or a yes or no; what cannot be counted with is not told."""
    return value if isinstance(value, (bool, int, float)) and abs(value) < LARGEST else None


def _one(value: Callable[[Document], Optional[float]]) -> Callable[[Document], Iterator[Sample]]:
    """A metric of one series without labels."""
    def samples(document: Document) -> Iterator[Sample]:
        yield (), value(document)
    return samples


def _states(name: str, states: Sequence[str], state: str, *labels: Tuple[str, str]) -> Iterator[Sample]:
    """A series for each state, 1 where it is so: what was true before is told to be so no more."""
    for one in states:
        yield (*labels, (name, one)), one == state


def _alive(document: Document) -> bool:
    return document.get("verdict") != "not-running"


# ---- the agent ---------------------------------------------------------------------------------------------------------

def _build(document: Document) -> Iterator[Sample]:
    yield tuple((name, str(document.get(key) or "")) for name, key in (
        ("version", "version"), ("policy", "policy"), ("platform", "platform"), ("mode", "mode"))), 1


def _verdict(document: Document) -> Iterator[Sample]:
    verdict = str(document.get("verdict"))
    return _states("verdict", tuple(STATUS_CODES), verdict if verdict in STATUS_CODES else "unknown")


def _moment(value: Any) -> Optional[float]:
    """Seconds since 1970; None where it is no moment, or says nothing of its offset."""
    try:
        moment = datetime.fromisoformat(str(value))
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _stale_after(document: Document) -> Optional[float]:
    look, timeout = _number(document.get("look_seconds")), _number(document.get("timeout_seconds"))
    return None if look is None or timeout is None else 3 * look + timeout


def _count(key: str) -> Callable[[Document], Optional[float]]:
    return lambda document: len(document[key]) if isinstance(document.get(key), list) else None


def _known(key: str) -> Callable[[Document], Optional[float]]:
    """Whether there is one; a document without the key does not say."""
    return lambda document: bool(document[key]) if key in document else None


# ---- what was seen -----------------------------------------------------------------------------------------------------

def _subsystems(document: Document) -> List[Tuple[str, Document]]:
    """RSCT's and those the policy names, required ones first, so that these are the last to be left out."""
    found = table_of(document, "subsystems")
    ours = [name for name, row in found.items() if isinstance(row, dict)
            and (name.startswith(OURS) or row.get("expected") == "required")]
    return [(name, found[name]) for name in sorted(ours, key=lambda name: (found[name].get("expected") != "required", name))]


def _subsystem_up(document: Document) -> Iterator[Sample]:
    for name, row in _subsystems(document)[:MOST_SUBSYSTEMS]:
        up = {"active": 1, "inoperative": 0, "starting": 0, "stopping": 0}.get(str(row.get("state")))
        yield (("subsystem", name), ("expected", str(row.get("expected")))), up


def _hmcs(document: Document) -> List[Document]:
    """By address, so that of too many the same ones are told at every look."""
    return sorted(rows_of(document, "hmcs"), key=_address)


def _address(hmc: Document) -> str:
    return str(hmc.get("address"))


def _hmc_info(document: Document) -> Iterator[Sample]:
    told = set()
    for hmc in _hmcs(document)[:MOST_HMCS]:
        if _address(hmc) not in told:     # one row for an address, or whoever joins by it gets an error
            told.add(_address(hmc))
            yield (("address", _address(hmc)), *((key, str(hmc.get(key) or "")) for key in ("name", "node_id"))), 1


def _hmc_link(document: Document) -> Iterator[Sample]:
    links = tuple(link.value for link in Link)
    for hmc in _hmcs(document)[:MOST_HMCS]:
        link = str(hmc.get("link"))
        yield from _states("link", links, link if link in links else "unknown", ("address", _address(hmc)))


def _hmc_reachable(document: Document) -> Iterator[Sample]:
    for hmc in _hmcs(document)[:MOST_HMCS]:
        yield (("address", _address(hmc)),), _number(hmc.get("reachable"))


def _cluster(document: Document) -> Iterator[Sample]:
    if table_of(document, "cluster"):
        yield from _states("state", ("absent", "present", "unknown"), str(table_of(document, "cluster").get("state")))


def _findings(document: Document) -> Iterator[Sample]:
    if isinstance(document.get("findings"), list):
        faults = [finding.get("fault") for finding in rows_of(document, "findings")]
        for fault in Fault:
            yield (("fault", fault.value),), faults.count(fault.value)


# ---- what is done about it ---------------------------------------------------------------------------------------------

def _decisions(document: Document) -> Iterator[Sample]:
    if isinstance(document.get("decisions"), list):
        kinds = [decision.get("kind") for decision in rows_of(document, "decisions")]
        for kind in Kind:
            yield (("kind", kind.value),), kinds.count(kind.value)


def _guards(document: Document) -> List[str]:
    """The guards that hold a remedy now, each once."""
    found = {str(guard) for decision in rows_of(document, "decisions")
             for guard in (decision["refused_by"] if isinstance(decision.get("refused_by"), list) else ())}
    return sorted(found)


def _guard_holding(document: Document) -> Iterator[Sample]:
    for guard in _guards(document)[:MOST_GUARDS]:
        yield (("guard", guard),), 1


def _budgets(document: Document) -> Iterator[Tuple[Labels, float, float]]:
    """Of what is only rehearsed none: nothing was begun, and an empty budget would be told to people."""
    for remedy in Remedy:
        for budget in rows_of(table_of(document, "budgets"), remedy.value)[:MOST_BUDGETS]:
            times, spent, span = (_number(budget.get(key)) for key in ("times", "spent", "span_seconds"))
            if times is not None and spent is not None and span is not None and budget.get("shadow") is not True:
                yield (("remedy", remedy.value), ("span", _span(span))), times, max(0, times - spent)


def _span(seconds: float) -> str:
    """As the policy writes it: 90s, 24h, 30d."""
    unit, size = next(((unit, size) for unit, size in (("d", 86400), ("h", 3600), ("m", 60))
                       if seconds >= 2 * size and seconds % size == 0), ("s", 1))
    return f"{_written(seconds / size)}{unit}"


def _budget_limit(document: Document) -> Iterator[Sample]:
    return ((labels, limit) for labels, limit, _ in _budgets(document))


def _budget_remaining(document: Document) -> Iterator[Sample]:
    return ((labels, remaining) for labels, _, remaining in _budgets(document))


def _remedies_begun(document: Document) -> Iterator[Sample]:
    for remedy in Remedy:
        yield (("remedy", remedy.value),), _number(table_of(table_of(document, "remedies"), remedy.value).get("begun"))


def _remedies_judged(document: Document) -> Iterator[Sample]:
    for remedy in Remedy:
        counts = table_of(table_of(document, "remedies"), remedy.value)
        for outcome in Outcome:
            yield (("remedy", remedy.value), ("outcome", outcome.value)), _number(counts.get(outcome.value))


def _codes(document: Document) -> List[str]:
    return sorted(code for code in table_of(document, "event_counts") if re.fullmatch(r"RMCA\d{4}[INWE]", code, re.ASCII))


def _events(document: Document) -> Iterator[Sample]:
    for code in _codes(document)[:MOST_CODES]:
        yield (("code", code),), _number(document["event_counts"][code])


def _dropped(document: Document) -> Iterator[Sample]:
    for kind, found, most in (("hmc", _hmcs(document), MOST_HMCS), ("subsystem", _subsystems(document), MOST_SUBSYSTEMS),
                              ("guard", _guards(document), MOST_GUARDS)):
        yield (("kind", kind),), max(0, len(found) - most)


# ---- the table ---------------------------------------------------------------------------------------------------------

METRICS: Tuple[Metric, ...] = (
    Metric("rmcagent_up", "gauge", "1 while a daemon stands behind these figures, 0 once it was stopped.", _one(_alive)),
    Metric("rmcagent_build_info", "gauge", "The version that wrote this, the hash of its policy, its platform and mode.", _build),
    Metric("rmcagent_last_look_timestamp_seconds", "gauge", "When RMC was last looked at; its age tells a daemon that hangs.",
           _one(lambda document: _moment(document.get("taken_at")))),
    Metric("rmcagent_stale_after_seconds", "gauge", "The age from which a look counts as too old: three looks and one time-out.",
           _one(_stale_after)),
    Metric("rmcagent_verdict", "gauge", "1 for what is true of the partition now, 0 for the others.", _verdict),
    Metric("rmcagent_crash_loop", "gauge", "1 while the agent observes only, because it failed several times in a row.",
           _one(_known("crash_loop"))),
    Metric("rmcagent_episode_open", "gauge", "1 while a problem is open.", _one(_known("episode"))),
    Metric("rmcagent_paused", "gauge", "1 while an administrator's pause holds every remedy.", _one(_known("pause"))),
    Metric("rmcagent_pause_until_timestamp_seconds", "gauge", "When the pause ends by itself.",
           _one(lambda document: _moment(table_of(document, "pause").get("until")))),
    Metric("rmcagent_subsystem_up", "gauge", "1 where the subsystem is active; of RSCT's own and those that must run.",
           _subsystem_up),
    Metric("rmcagent_hmc_info", "gauge", "The name and the node id behind an HMC's address.", _hmc_info),
    Metric("rmcagent_hmc_link", "gauge", "1 for the state of RMC's link to the HMC, 0 for the others.", _hmc_link),
    Metric("rmcagent_hmc_reachable", "gauge", "1 where the HMC answers on its RMC port, 0 where not; asked only when in doubt.",
           _hmc_reachable),
    Metric("rmcagent_cluster", "gauge", "1 for what is known of a cluster on this node, 0 for the others.", _cluster),
    Metric("rmcagent_findings", "gauge", "What is wrong now, by fault.", _findings),
    Metric("rmcagent_gaps", "gauge", "Questions that had no answer in the last look.", _one(_count("gaps"))),
    Metric("rmcagent_decisions", "gauge", "What was decided about the findings, by kind.", _decisions),
    Metric("rmcagent_guard_holding", "gauge", "1 for each guard that holds a remedy now.", _guard_holding),
    Metric("rmcagent_remedy_budget_limit", "gauge", "How often the remedy may be begun within the span; none in shadow.",
           _budget_limit),
    Metric("rmcagent_remedy_budget_remaining", "gauge", "How often the remedy may still be begun within the span.",
           _budget_remaining),
    Metric("rmcagent_remedies_begun_total", "counter", "Remedies begun since the daemon started.", _remedies_begun),
    Metric("rmcagent_remedies_judged_total", "counter", "Remedies judged since the daemon started, by what they came to.",
           _remedies_judged),
    Metric("rmcagent_events_total", "counter", "Lines of each event written since the daemon started.", _events),
    Metric("rmcagent_log_growth_bytes_per_second", "gauge", "How fast the logs of IBM.MgmtDomainRM grow.",
           _one(lambda document: _number(table_of(document, "log").get("bytes_per_second")))),
    Metric("rmcagent_series_dropped", "gauge", "HMCs, subsystems and guards left out here: there are too many.", _dropped),
)
