"""The one table, SPEC: every key, how it is written, its default, what it is for."""
from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, Mapping, NamedTuple, Optional, Tuple, Union

from rmcagent.config.nouns import (
    Cadence,
    Expect,
    Faults,
    Guards,
    Log,
    Network,
    RemedyPolicy,
    Report,
    Settings,
    Storm,
    Syslog,
)
from rmcagent.config.values import (
    ADDRESSES,
    AFTER_STOP,
    BUDGETS,
    CHANGES,
    COUNT,
    DURATION,
    DURATION_OR_ZERO,
    EVIDENCE,
    FAULTS,
    PATH,
    PATTERNS,
    PERCENT,
    PORTS,
    SIZE,
    WINDOW,
    Kind,
    one_of,
    path_or,
)
from rmcagent.frozen import dataclass

COMMANDS = ("lssrc", "lsrsrc", "rmcctrl", "rmcdomainstatus", "rmcrefreshMD", "refrsrc", "recfgct", "ct_clusterinfo", "lsrpdomain",
            "lscluster", "lspv", "clmgr", "ctsvhbal", "ctsthl", "lsnodeid", "ioscli", "lsivm", "lparmgr", "errpt", "errlogger",
            "lsitab", "systemctl", "uname", "oslevel", "startsrc", "lscondition", "lsresponse", "lsattr", "odmget")
PATHS = ("var_ct", "node_id", "var", "state", "public", "apsock", "dr_lock")
FACILITIES = ("daemon", "user", "mail", "auth", "authpriv", "cron", "ftp", "lpr", "news", "syslog", "uucp",
              *(f"local{number}" for number in range(8)))


@dataclass(frozen=True)
class Key:
    name: str
    kind: Kind
    default: Union[str, Tuple[str, ...]]      # as an operator would write it
    doc: str


@dataclass(frozen=True)
class Names:
    """A mapping whose keys are names: those of `known`, or any subsystem's where that is empty."""

    name: str
    kind: Kind
    default: Mapping[str, str]
    doc: str
    known: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    name: str
    doc: str
    entries: Tuple[Union[Key, Names, Section], ...]
    build: Callable[..., Any]


def _remedy(name: str, doc: str, mode: str, grace: str, settle: str, cooldown: str, budget: Tuple[str, ...],
            *more: Key) -> Section:
    return Section(name, doc, (
        Key("mode", one_of("act", "shadow", "off"), mode, "off is absolute; shadow decides and records, and runs nothing"),
        Key("grace", DURATION_OR_ZERO, grace, "how long the fault must have been seen without a break"),
        Key("settle", DURATION, settle, "how long after its last step the remedy is judged"),
        Key("cooldown", DURATION_OR_ZERO, cooldown, "how long after its last step it may be tried again"),
        Key("budget", BUDGETS, budget, "how often at most; several hold all at once"),
        Key("window", WINDOW, "always", "local time outside which it waits; it may cross midnight"),
        *more), RemedyPolicy)


REMEDIES = Section("remedies", "what may be done, how soon, how often", (
    _remedy("refresh", "ask RMC to look for its HMCs again; nobody notices", "act", "2m", "6m", "15m", ("12/24h",)),
    _remedy("start", "start RMC where it is down", "act", "1m", "3m", "5m", ("6/24h",),
            Key("cause_unknown", DURATION_OR_ZERO, "15m", "the grace when nothing tells whether RMC crashed or was stopped"),
            Key("after_stop", AFTER_STOP, "2h", "start RMC this long after somebody stopped it cleanly, or never")),
    _remedy("manager", "start a resource manager that should run", "act", "3m", "3m", "10m", ("6/24h",)),
    _remedy("lparmgr", "VIOS: restart lparmgr", "shadow", "5m", "5m", "30m", ("3/24h",)),
    _remedy("recycle", "stop and start RMC with all resource managers", "act", "5m", "12m", "30m", ("2/24h",),
            Key("in_cluster", one_of("refuse", "allow"), "refuse",
                "allow lifts the cluster guard, only while cluster services are down")),
    _remedy("recfgct", "delete RSCT's configuration and make a new node id", "act", "30m", "15m", "6h", ("1/24h", "3/30d"),
            Key("treats", FAULTS, ("link-pending", "no-hmc", "identity-clash", "cloned-node"), "the faults it may be used for")),
), dict)

SPEC = Section("", "", (
    Key("mode", one_of("act", "shadow", "observe"), "act", "act, or decide and record only, or look and report only"),
    Key("platform", one_of("auto", "aix", "vios", "linux"), "auto", "what this partition is"),
    Section("cadence", "how often to look", (
        Key("pulse", DURATION, "5s", "pids and log sizes; no command is run"),
        Key("look", DURATION, "60s", "the RSCT commands")), Cadence),
    Key("timeout", DURATION, "20s", "of a command that only reads"),
    Names("timeouts", DURATION, {"lspv": "60s", "ioscli": "60s"}, "of single commands", COMMANDS),
    Names("commands", PATH, {}, "where the platform's own place does not hold", COMMANDS),
    Names("paths", PATH, {}, "where the platform's own place does not hold", PATHS),
    Section("expect", "what should be there", (
        Key("management", one_of("auto", "required", "none"), "auto", "auto: required once an HMC has been seen"),
        Key("hmcs", ADDRESSES, (), "HMCs that should be known"),
        Names("subsystems", one_of("required", "on-demand", "absent-ok"), {}, "over the platform's own list")), Expect),
    Section("log", "RSCT's own logs", (
        Key("files", PATTERNS, ("{var_ct}/*/log/mc/IBM.MgmtDomainRM*",), "which ones, as patterns"),
        Section("storm", "growth beyond which it is a log-storm", (
            Key("bytes", SIZE, "64KiB", "this much, benign lines left out"),
            Key("within", DURATION, "10m", "in this time")), Storm)), Log),
    Section("network", "is an HMC reachable", (
        Key("ports", PORTS, ("657", "12601"), "one that accepts a connection is enough"),
        Key("timeout", DURATION, "3s", "of a connection")), Network),
    Section("faults", "when something is a fault", (
        Key("hung", COUNT, "5", "looks in a row in which RMC answers nothing"),
        Key("flapping", CHANGES, "6/1h", "changes of a link's state"),
        Key("stale_hmc", DURATION, "7d", "unreachable for so long while another HMC is up"),
        Key("var_warn", PERCENT, "90%", "of /var or /var/ct used: reported"),
        Key("var_full", PERCENT, "97%", "of /var or /var/ct used: recycle and recfgct are held"),
        Key("blind", DURATION, "10m", "unable to observe for so long")), Faults),
    REMEDIES,
    Section("guards", "how long to hold back", (
        Key("boot", DURATION_OR_ZERO, "10m", "after a boot"),
        Key("migration", DURATION_OR_ZERO, "10m", "after a migration or DLPAR operation"),
        Key("evidence", EVIDENCE, "60s", "how old the evidence for recycle and recfgct may be"),
        Key("hmc_back", DURATION_OR_ZERO, "20m", "after HMCs that went down together answer again"),
        Key("splay", DURATION_OR_ZERO, "10m", "at most, by chance, before recycle and recfgct")), Guards),
    Section("report", "where events go", (
        Section("syslog", "the system's log", (
            Key("facility", one_of(*FACILITIES), "daemon", "as syslog.conf names it"),
            Key("socket", path_or("auto"), "auto", "auto: the platform's own, /dev/log"),
            Key("format", one_of("rfc3164", "rfc5424"), "rfc3164", "rfc5424: with the fields as structured data")), Syslog),
        Key("journal", one_of("auto", "off"), "auto", "Linux: native fields where systemd-python is installed"),
        Key("errlog", one_of("auto", "off"), "auto", "AIX, VIOS: error log, only for what needs a human"),
        Key("metrics", path_or("off"), "off", "a file for Prometheus's textfile collector"),
        Key("file", path_or("auto", "off"), "auto", "auto: AIX and VIOS, /var/log/rmcagent/rmcagent.log, 5 x 1MiB"),
        Key("remind", DURATION, "6h", "say again what still needs a human")), Report),
), Settings)


# What the table comes to.

class Got(NamedTuple):
    value: Any
    file: str = ""
    line: int = 0                             # 0: a default


def each_key(section: Optional[Section] = None, where: str = "") -> Iterator[Tuple[str, Union[Key, Names]]]:
    """Every key there is with its dotted name, in the order of the table."""
    for entry in (section or SPEC).entries:
        if isinstance(entry, Section):
            yield from each_key(entry, f"{where}{entry.name}.")
        else:
            yield where + entry.name, entry


def defaults() -> Settings:
    """The settings of an empty configuration."""
    return settings_of(default_values())


def default_values() -> Dict[str, Got]:
    """Every key at its default."""
    values: Dict[str, Got] = {}
    for where, key in each_key():
        if isinstance(key, Names):
            values.update({f"{where}.{name}": Got(key.kind.parse(text)) for name, text in key.default.items()})
        elif isinstance(key.default, tuple):
            values[where] = Got(tuple(map(key.kind.parse, key.default)))
        else:
            values[where] = Got(key.kind.parse(key.default))
    return values


def settings_of(values: Mapping[str, Got]) -> Settings:
    """The settings that the values come to; every key of the table has one."""
    settings = _build(SPEC, values, "")
    assert isinstance(settings, Settings)
    return settings


def _build(section: Section, values: Mapping[str, Got], where: str) -> Any:
    parts: Dict[str, Any] = {}
    for entry in section.entries:
        here = where + entry.name
        if isinstance(entry, Section):
            parts[entry.name] = _build(entry, values, f"{here}.")
        elif isinstance(entry, Names):
            parts[entry.name] = {key[len(here) + 1:]: got.value for key, got in values.items() if key.startswith(f"{here}.")}
        else:
            parts[entry.name] = values[here].value
    return section.build(**parts)


def dump(settings: Settings) -> Dict[str, Any]:
    """The settings as plain mappings, lists and words in YAML's spellings; parsed again they come to the same settings."""
    return _dump(SPEC, settings)


def _dump(section: Section, holder: Any) -> Dict[str, Any]:
    plain: Dict[str, Any] = {}
    for entry in section.entries:
        value = holder[entry.name] if isinstance(holder, Mapping) else getattr(holder, entry.name)
        if isinstance(entry, Section):
            plain[entry.name] = _dump(entry, value)
        elif isinstance(entry, Names):
            plain[entry.name] = {name: entry.kind.show(one) for name, one in value.items()}
        elif entry.kind.many and not (entry.kind.lone and len(value) == 1):
            plain[entry.name] = [entry.kind.show(one) for one in value]
        else:
            plain[entry.name] = entry.kind.show(value[0] if entry.kind.many else value)
    return plain
