"""YAML -> Settings; every mistake collected, with its line and a suggestion. One table, SPEC, holds every key there is."""
from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Callable, Dict, FrozenSet, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

DEFAULT_PATH = "/etc/rmcagent/rmcagent.yaml"
LARGEST = 1 << 20             # bytes of one file
MOST_FILES = 100              # in conf.d
MOST_NODES = 10_000           # keys and values in one file; a full configuration has some three hundred
DEEPEST = 10                  # levels of nesting
MOST_MISTAKES = 50
LONGEST_TEXT = 290

COMMANDS = ("lssrc", "lsrsrc", "rmcctrl", "rmcdomainstatus", "rmcrefreshMD", "refrsrc", "recfgct", "ct_clusterinfo", "lsrpdomain",
            "lscluster", "lspv", "clmgr", "ctsvhbal", "ctsthl", "lsnodeid", "ioscli", "lsivm", "lparmgr", "errpt", "errlogger",
            "lsitab", "systemctl", "uname", "oslevel", "startsrc", "lscondition", "lsresponse", "lsattr", "odmget")
PATHS = ("var_ct", "node_id", "var", "state", "public", "apsock", "dr_lock")
FACILITIES = ("daemon", "user", "mail", "auth", "authpriv", "cron", "ftp", "lpr", "news", "syslog", "uucp",
              *(f"local{number}" for number in range(8)))
TREATABLE = ("link-down", "link-pending", "no-hmc", "identity-clash", "cloned-node", "link-flapping")     # by recfgct
RSCT_SETTLES = timedelta(minutes=5)       # an HMC and a partition look for each other again every five minutes


# What a configuration comes to: attributes are named exactly as the keys.

@dataclass(frozen=True)
class Cadence:
    pulse: timedelta
    look: timedelta


@dataclass(frozen=True)
class Expect:
    management: str                           # auto | required | none
    hmcs: Tuple[str, ...]
    subsystems: Mapping[str, str]             # NAME: required | on-demand | absent-ok


@dataclass(frozen=True)
class Storm:
    bytes: int
    within: timedelta


@dataclass(frozen=True)
class Log:
    files: Tuple[str, ...]                    # glob patterns; {var_ct} stands for that path
    storm: Storm


@dataclass(frozen=True)
class Network:
    ports: Tuple[int, ...]
    timeout: timedelta


@dataclass(frozen=True)
class Budget:
    """At most `times` within any stretch of `span`."""

    times: int
    span: timedelta

    def __str__(self) -> str:
        return f"{self.times}/{spell(self.span)}"


@dataclass(frozen=True)
class Faults:
    hung: int
    flapping: Budget
    stale_hmc: timedelta
    var_warn: float                           # a share, 0 to 1
    var_full: float
    blind: timedelta


@dataclass(frozen=True)
class Window:
    """A stretch of local time on some days of the week; `start` after `end` crosses midnight into the next day."""

    days: FrozenSet[int]                      # Monday is 0
    start: int                                # minutes of the day
    end: int                                  # the first minute outside; 1440 is midnight

    def open_at(self, local: datetime) -> bool:
        """True while naive `local` lies within: the hour that DST repeats counts twice, the one it skips never comes."""
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        return (day in self.days and minute >= self.start) or ((day - 1) % 7 in self.days and minute < self.end)

    def __str__(self) -> str:
        days = ",".join(name for number, name in enumerate(DAYS) if number in self.days)
        hours = f"{self.start // 60:02}:{self.start % 60:02}-{self.end // 60:02}:{self.end % 60:02}"
        return hours if len(self.days) == 7 else f"{days} {hours}"


@dataclass(frozen=True)
class RemedyPolicy:
    mode: str                                 # act | shadow | off
    grace: timedelta
    settle: timedelta
    cooldown: timedelta
    budget: Tuple[Budget, ...]                # all of them hold
    window: Optional[Window] = None           # None: at any time
    cause_unknown: Optional[timedelta] = None     # start only
    after_stop: Optional[timedelta] = None        # start only; None: never
    in_cluster: str = "refuse"                    # recycle only: refuse | allow
    treats: Tuple[str, ...] = ()                  # recfgct only


@dataclass(frozen=True)
class Guards:
    boot: timedelta
    migration: timedelta
    evidence: timedelta
    hmc_back: timedelta
    splay: timedelta


@dataclass(frozen=True)
class Syslog:
    facility: str
    socket: str                               # auto | path


@dataclass(frozen=True)
class Report:
    syslog: Syslog
    journal: str                              # auto | off
    errlog: str                               # auto | off
    metrics: str                              # off | path
    file: str                                 # auto | off | path
    remind: timedelta


@dataclass(frozen=True)
class Settings:
    mode: str                                 # act | shadow | observe
    platform: str                             # auto | aix | vios | linux
    cadence: Cadence
    timeout: timedelta
    timeouts: Mapping[str, timedelta]
    commands: Mapping[str, str]
    paths: Mapping[str, str]
    expect: Expect
    log: Log
    network: Network
    faults: Faults
    remedies: Mapping[str, RemedyPolicy]
    guards: Guards
    report: Report


@dataclass(frozen=True)
class Mistake:
    """Something wrong in a file, or worth a warning; `line` 0 is the file as a whole."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}" if self.line else f"{self.file}: {self.text}"


class ConfigError(Exception):
    """All that is wrong with a configuration."""

    def __init__(self, mistakes: Tuple[Mistake, ...], more: int = 0) -> None:
        super().__init__("\n".join([*map(str, mistakes), *([f"and {more} more"] if more else [])]))
        self.mistakes = mistakes
        self.more = more


@dataclass(frozen=True)
class Loaded:
    settings: Settings
    warnings: Tuple[Mistake, ...]
    files: Tuple[str, ...]
    hash: str                                 # of the effective settings, whichever files they came from


def load(path: str = DEFAULT_PATH, platform_hint: Optional[str] = None) -> Loaded:
    """Read the file and its conf.d, and return what they come to, or raise ConfigError with everything that is wrong."""
    reading = Reading()
    files = _files(reading, path)
    for reading.file in files:
        text = _text_of(reading, reading.file)
        if text is not None:
            _read(reading, text)
    return _finish(reading, files, platform_hint)


def parse(text: str, file: str = "rmcagent.yaml") -> Loaded:
    """What `text` comes to when it is the whole configuration, or ConfigError."""
    reading = Reading(file)
    _read(reading, text)
    return _finish(reading, (file,))


def defaults() -> Settings:
    """The settings of an empty configuration."""
    return _settings(_default_values())


def dump(settings: Settings) -> Dict[str, Any]:
    """The settings as plain mappings, lists and words in YAML's spellings; parsed again they come to the same settings."""
    return _dump(SPEC, settings)


def each_key(section: Optional[Section] = None, where: str = "") -> Iterator[Tuple[str, Union[Key, Names]]]:
    """Every key there is with its dotted name, in the order of the table."""
    for entry in (section or SPEC).entries:
        if isinstance(entry, Section):
            yield from each_key(entry, f"{where}{entry.name}.")
        else:
            yield where + entry.name, entry


# How values are written. Each parser raises ValueError with what is wrong and what to write instead.

UNITS = {"ms": timedelta(milliseconds=1), "s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1),
         "d": timedelta(days=1)}
LONGEST = timedelta(days=3650)
SIZES = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def duration(text: str) -> timedelta:
    """The time that `90s`, `5m`, `12h` or `30d` stands for; ValueError otherwise."""
    found = re.fullmatch(r"([0-9]{1,12})(ms|s|m|h|d)", text)
    if not found:
        if re.fullmatch(r"[0-9]{1,12}", text):
            raise ValueError(f"it has no unit, write {text}s, {text}m or {text}h")
        raise ValueError("not a duration, write a whole number and ms, s, m, h or d, such as 90s")
    if int(found[1]) > LONGEST / UNITS[found[2]]:
        raise ValueError(f"too long, write {spell(LONGEST)} at most")
    return int(found[1]) * UNITS[found[2]]


def spell(length: timedelta) -> str:
    """The shortest way to write a duration; parts of a millisecond are left out."""
    if length < UNITS["ms"]:
        return "0s"
    unit = next(name for name in ("d", "h", "m", "s", "ms") if name == "ms" or not length % UNITS[name])
    return f"{length // UNITS[unit]}{unit}"


def _between(least: timedelta, most: timedelta = LONGEST) -> Callable[[str], timedelta]:
    def parse_bounded(text: str) -> timedelta:
        length = duration(text)
        if not least <= length <= most:
            raise ValueError(f"out of range, write {spell(least)} to {spell(most)}")
        return length
    return parse_bounded


def _size(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,12})(KiB|MiB|GiB|)", text)
    if not found:
        raise ValueError("not a size, write a number of bytes, or a number and KiB, MiB or GiB, such as 64KiB")
    if not 0 < int(found[1]) * SIZES[found[2]] <= 1 << 40:
        raise ValueError("out of range, write a size from 1 to 1024GiB")
    return int(found[1]) * SIZES[found[2]]


def _spell_size(size: int) -> str:
    unit = next(name for name in ("GiB", "MiB", "KiB", "") if not size % SIZES[name])
    return f"{size // SIZES[unit]}{unit}"


def _budget(text: str) -> Budget:
    times, slash, span = text.partition("/")
    if not slash or not re.fullmatch(r"[0-9]{1,6}", times):
        raise ValueError("not a budget, write TIMES/SPAN, such as 2/24h")
    if int(times) == 0:
        raise ValueError("it allows nothing; to do without a remedy, write mode: off")
    return Budget(int(times), _between(UNITS["s"])(span))


def _percent(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,2})?)%", text)
    if not found or not 0 < float(found[1]) <= 100:
        raise ValueError("not a share, write a percentage, such as 90%")
    return float(found[1]) / 100


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse_whole(text: str) -> int:
        if not re.fullmatch(r"0|[1-9][0-9]{0,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"write a whole number from {least} to {most}")
        return int(text)
    return parse_whole


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("not an absolute path, begin it with /")
    if not text.isprintable() or len(text) > 1000:
        raise ValueError("too long, or with characters that do not print")
    return text


def _pattern(text: str) -> str:
    _path(text[len("{var_ct}"):] if text.startswith("{var_ct}/") else text)
    if re.search("[{}]", text.replace("{var_ct}", "")):
        raise ValueError("only {var_ct} stands for something here")
    return text


def _address(text: str) -> str:
    import ipaddress
    try:
        ipaddress.ip_address(text)
        return text
    except ValueError:
        # A host name's last label is never all digits: 10.1.2.300 is a slip, not a name.
        if len(text) > 253 or not re.fullmatch(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?", text) \
                or re.fullmatch(r"(.*\.)?[0-9]+\.?", text):
            raise ValueError("neither an IP address nor a host name") from None
        return text


def _window(text: str) -> Optional[Window]:
    if text == "always":
        return None
    found = re.fullmatch(r"(?:(\S+) )?([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})", text)
    if not found:
        raise ValueError('not a window, write always, or in quotes days and hours: "Sat,Sun 01:00-05:00"')
    start, end = int(found[2]) * 60 + int(found[3]), int(found[4]) * 60 + int(found[5])
    if max(int(found[3]), int(found[5])) > 59 or start >= 1440 or end > 1440:
        raise ValueError("no such time of day, write 00:00 to 24:00")
    if start == end:
        raise ValueError("it closes as it opens, write always, or two different times")
    return Window(_days(found[1]), start, end)


def _days(text: Optional[str]) -> FrozenSet[int]:
    if text is None:
        return frozenset(range(7))
    days: List[int] = []
    for part in text.split(","):
        ends = [name.capitalize() for name in part.split("-")]
        if not 1 <= len(ends) <= 2 or not set(ends) <= set(DAYS):
            raise ValueError(f"no such days, write {', '.join(DAYS)}, or a range such as Mon-Fri")
        first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
        days.extend((first + step) % 7 for step in range((last - first) % 7 + 1))
    return frozenset(days)


@dataclass(frozen=True)
class Kind:
    """How a value is written: `parse` and `show` undo each other; `says` completes "write ..."."""

    says: str
    parse: Callable[[str], Any]
    show: Callable[[Any], str] = str
    words: Tuple[str, ...] = ()
    many: bool = False                        # a list of such values
    lone: bool = False                        # a list of one may stand without its brackets
    least: int = 0                            # of a list


def _one_of(*words: str) -> Kind:
    def parse_word(text: str) -> str:
        if text not in words:
            raise ValueError(f"{_near(text, words) or 'no such choice,'} write {_either(words)}")
        return text
    return Kind(_either(words), parse_word, words=words)


def _path_or(*words: str) -> Kind:
    def parse_path(text: str) -> str:
        if text in words:
            return text
        if not text.startswith("/"):
            raise ValueError(f"write {_either((*words, '/a/path'))}")
        return _path(text)
    return Kind(_either((*words, "an absolute path")), parse_path, words=words)


def _never_or_duration(text: str) -> Optional[timedelta]:
    return None if text == "never" else _between(UNITS["ms"])(text)


def _near(text: str, words: Sequence[str]) -> str:
    import difflib
    alike = {word.lower().replace("-", "_"): word for word in words}
    near = difflib.get_close_matches(text[:64].lower().replace("-", "_"), tuple(alike), n=1)
    return f'did you mean "{alike[near[0]]}"?' if near else ""


def _either(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


DURATION = Kind("a duration such as 90s", _between(UNITS["ms"]), spell)
DURATION_OR_ZERO = Kind("a duration such as 90s, or 0s", duration, spell)
EVIDENCE = Kind("a duration from 1s to 10m", _between(UNITS["s"], 10 * UNITS["m"]), spell)
AFTER_STOP = Kind("never, or a duration such as 2h", _never_or_duration, lambda length: spell(length) if length else "never",
                  ("never",))
SIZE = Kind("a size such as 64KiB", _size, _spell_size)
COUNT = Kind("a whole number", _whole(1, 1000))
PERCENT = Kind("a percentage such as 90%", _percent, lambda share: f"{round(share * 100, 2):g}%")
CHANGES = Kind("TIMES/SPAN, such as 6/1h", _budget)
BUDGETS = Kind("TIMES/SPAN such as 2/24h, or a list of them", _budget, many=True, lone=True, least=1)
WINDOW = Kind('always, or "Sat,Sun 01:00-05:00"', _window, lambda window: str(window or "always"), ("always",))
PATH = Kind("an absolute path", _path)
PATTERNS = Kind("a list of paths, such as [/var/ct/*/log/mc/*]", _pattern, many=True)
ADDRESSES = Kind("a list of addresses, such as [192.0.2.10, hmc1.example.com]", _address, many=True)
FAULTS = replace(_one_of(*TREATABLE), says="a list of faults, such as [link-pending, no-hmc]", many=True)
PORTS = Kind("a list of ports, such as [657, 12601]", _whole(1, 65535), many=True, least=1)


# The table: every key, how it is written, its default, and what it is for.

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
        Key("mode", _one_of("act", "shadow", "off"), mode, "off is absolute; shadow decides and records, and runs nothing"),
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
            Key("in_cluster", _one_of("refuse", "allow"), "refuse",
                "allow lifts the cluster guard, only while cluster services are down")),
    _remedy("recfgct", "delete RSCT's configuration and make a new node id", "act", "30m", "15m", "6h", ("1/24h", "3/30d"),
            Key("treats", FAULTS, ("link-pending", "no-hmc", "identity-clash", "cloned-node"), "the faults it may be used for")),
), dict)

SPEC = Section("", "", (
    Key("mode", _one_of("act", "shadow", "observe"), "act", "act, or decide and record only, or look and report only"),
    Key("platform", _one_of("auto", "aix", "vios", "linux"), "auto", "what this partition is"),
    Section("cadence", "how often to look", (
        Key("pulse", DURATION, "5s", "pids and log sizes; no command is run"),
        Key("look", DURATION, "60s", "the RSCT commands")), Cadence),
    Key("timeout", DURATION, "20s", "of a command that only reads"),
    Names("timeouts", DURATION, {"lspv": "60s", "ioscli": "60s"}, "of single commands", COMMANDS),
    Names("commands", PATH, {}, "where the platform's own place does not hold", COMMANDS),
    Names("paths", PATH, {}, "where the platform's own place does not hold", PATHS),
    Section("expect", "what should be there", (
        Key("management", _one_of("auto", "required", "none"), "auto", "auto: required once an HMC has been seen"),
        Key("hmcs", ADDRESSES, (), "HMCs that should be known"),
        Names("subsystems", _one_of("required", "on-demand", "absent-ok"), {}, "over the platform's own list")), Expect),
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
            Key("facility", _one_of(*FACILITIES), "daemon", "as syslog.conf names it"),
            Key("socket", _path_or("auto"), "auto", "auto: the platform's own, /dev/log")), Syslog),
        Key("journal", _one_of("auto", "off"), "auto", "Linux: native fields where systemd-python is installed"),
        Key("errlog", _one_of("auto", "off"), "auto", "AIX, VIOS: error log, only for what needs a human"),
        Key("metrics", _path_or("off"), "off", "a file for Prometheus's textfile collector"),
        Key("file", _path_or("auto", "off"), "auto", "auto: AIX and VIOS, /var/log/rmcagent/rmcagent.log, 5 x 1MiB"),
        Key("remind", DURATION, "6h", "say again what still needs a human")), Report),
), Settings)


# What single values cannot tell.

@dataclass(frozen=True)
class Rule:
    """`wrong` is given the values of `keys`; what it says follows the first key's name."""

    keys: Tuple[str, ...]
    wrong: Callable[..., Optional[str]]
    warning: bool = False


def _pulse(pulse: timedelta, look: timedelta) -> Optional[str]:
    return f"{spell(pulse)}: longer than cadence.look, write {spell(look)} or less" if pulse > look else None


def _shares(warn: float, full: float) -> Optional[str]:
    return f"{PERCENT.show(warn)}: above faults.var_full, write {PERCENT.show(full)} or less" if warn > full else None


def _timeout(timeout: timedelta, look: timedelta) -> Optional[str]:
    return f"is not shorter than cadence.look ({spell(look)}): one slow command delays the next look" if timeout >= look else None


def _settle(settle: timedelta) -> Optional[str]:
    return f"is under RSCT's own five minutes: {spell(settle)} judges the remedy too soon, write 6m or more" \
        if settle < RSCT_SETTLES else None


def _graces(recfgct: timedelta, recycle: timedelta) -> Optional[str]:
    return f"is shorter than remedies.recycle.grace ({spell(recycle)}): the harsher remedy should wait longer" \
        if recfgct < recycle else None


def _generous(budgets: Sequence[Budget]) -> Optional[str]:
    for usual in defaults().remedies["recfgct"].budget:
        most = min(budget.times * -(-usual.span // budget.span) for budget in budgets)
        if most > usual.times:
            return f"allows {most} in {spell(usual.span)}, the default {usual.times}: each changes the partition's node id"
    return None


RULES = (
    Rule(("cadence.pulse", "cadence.look"), _pulse),
    Rule(("faults.var_warn", "faults.var_full"), _shares),
    Rule(("timeout", "cadence.look"), _timeout, warning=True),
    *(Rule((f"remedies.{name}.settle",), _settle, warning=True) for name in ("refresh", "recycle", "recfgct")),
    Rule(("remedies.recfgct.grace", "remedies.recycle.grace"), _graces, warning=True),
    Rule(("remedies.recfgct.budget",), _generous, warning=True),
)


# Reading.

class Got(NamedTuple):
    value: Any
    file: str = ""
    line: int = 0                             # 0: a default


def _default_values() -> Dict[str, Got]:
    values: Dict[str, Got] = {}
    for where, key in each_key():
        if isinstance(key, Names):
            values.update({f"{where}.{name}": Got(key.kind.parse(text)) for name, text in key.default.items()})
        elif isinstance(key.default, tuple):
            values[where] = Got(tuple(map(key.kind.parse, key.default)))
        else:
            values[where] = Got(key.kind.parse(key.default))
    return values


@dataclass
class Reading:
    """What was read so far, later files over earlier ones, and everything that is wrong with it."""

    file: str = ""
    values: Dict[str, Got] = field(default_factory=_default_values)
    partial: bool = False                     # some of it could not be read: what is missing is unknown, not the default
    mistakes: List[Mistake] = field(default_factory=list)
    warnings: List[Mistake] = field(default_factory=list)
    more: int = 0

    def wrong(self, line: int, text: str, file: str = "") -> None:
        if len(self.mistakes) < MOST_MISTAKES:
            self.mistakes.append(Mistake(_plain(file or self.file, 200), line, _plain(text)))
        else:
            self.more += 1

    def warn(self, line: int, text: str, file: str = "") -> None:
        if len(self.warnings) < MOST_MISTAKES:
            self.warnings.append(Mistake(_plain(file or self.file, 200), line, _plain(text)))


def _finish(reading: Reading, files: Sequence[str], platform_hint: Optional[str] = None) -> Loaded:
    for rule in RULES if not reading.partial else ():
        _apply(reading, rule)
    if reading.mistakes:
        raise ConfigError(tuple(reading.mistakes), reading.more)
    settings = _settings(reading.values)
    if platform_hint and settings.platform not in ("auto", platform_hint):
        _, file, line = reading.values["platform"]
        reading.warn(line, f"platform is {settings.platform}, but this looks like {_plain(platform_hint, 20)}", file)
    return Loaded(settings, tuple(reading.warnings), tuple(files), _hash(settings))


def _apply(reading: Reading, rule: Rule) -> None:
    got = [reading.values[key] for key in rule.keys if key in reading.values]
    text = rule.wrong(*(one.value for one in got)) if len(got) == len(rule.keys) else None
    if text:
        written = next((one for one in got if one.line), got[0])
        note = reading.warn if rule.warning else reading.wrong
        note(written.line, f"{'' if rule.warning else 'cannot use '}{rule.keys[0]} {text}", written.file)


def _hash(settings: Settings) -> str:
    import hashlib
    import json
    return hashlib.sha256(json.dumps(dump(settings), sort_keys=True).encode()).hexdigest()[:12]


def _settings(values: Mapping[str, Got]) -> Settings:
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


def _read(reading: Reading, text: str) -> None:
    try:
        root = _compose(text)
    except CannotCompose as wrong:
        reading.partial = True
        reading.wrong(wrong.line, f"cannot read it as YAML: {wrong}")
    else:
        if root is not None:
            _read_keys(reading, SPEC, root, "")


class CannotCompose(ValueError):
    """The text is no YAML, or more of it than a configuration needs."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def _compose(text: str) -> Any:
    """The root of YAML's tree of nodes, which still know their lines; None for a text that says nothing."""
    import yaml

    class Bounded(yaml.SafeLoader):           # the pure Python one: the C one is not everywhere
        depth = count = 0

        def compose_node(self, parent: Optional[yaml.Node], index: int) -> Optional[yaml.Node]:
            mark = self.peek_event().start_mark    # type: ignore[no-untyped-call]
            self.depth, self.count = self.depth + 1, self.count + 1
            for refused, because in ((self.check_event(yaml.AliasEvent), "aliases (*NAME) are not taken here, write it out"),
                                     (self.depth > DEEPEST, "it is nested too deeply"),
                                     (self.count > MOST_NODES, "it has too many keys and values")):
                if refused:
                    raise yaml.MarkedYAMLError(problem=because, problem_mark=mark)
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

    line = 0
    try:
        loader = Bounded(text)
        try:
            return loader.get_single_node()
        finally:
            line = loader.line + 1
    except yaml.reader.ReaderError as wrong:
        line = text.count("\n", 0, wrong.position) + 1
        raise CannotCompose(line, f"character U+{ord(text[wrong.position]):04X} may not stand here") from None
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        hint = "; indent with spaces" if "\\t" in (wrong.problem or "") else ""
        raise CannotCompose(mark.line + 1 if mark else line, f"{wrong.problem or wrong.context}{hint}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as wrong:      # chr() of a long \U, int() of a long %YAML version
        raise CannotCompose(line, str(wrong)) from None


def _read_keys(reading: Reading, holder: Union[Section, Names], node: Any, where: str) -> None:
    for name, line, child in _pairs(reading, node, where):
        here = f"{where}.{name}" if where else name
        entry = _entry(holder, name)
        if entry is None:
            reading.wrong(line, f"cannot use {_plain(here, 90)}: {_unknown(holder, name)}")
        elif isinstance(entry, Key):
            _read_value(reading, entry.kind, child, here, line)
        else:
            _read_keys(reading, entry, child, here)


def _entry(holder: Union[Section, Names], name: str) -> Union[Key, Names, Section, None]:
    if isinstance(holder, Section):
        return next((entry for entry in holder.entries if entry.name == name), None)
    # 30 characters are SRC's own limit [my inference].
    allowed = name in holder.known if holder.known else re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,29}", name)
    return Key(name, holder.kind, "", holder.doc) if allowed else None


def _pairs(reading: Reading, node: Any, where: str) -> Iterator[Tuple[str, int, Any]]:
    """The keys of a mapping, each once, with lines and values; none where all below a key is commented out."""
    if node.tag == f"{TAG}null":
        return
    if node.id != "mapping":
        reading.partial = True
        reading.wrong(node.start_mark.line + 1, f"cannot use {where or 'this file'}: it is {_what(node)}, write keys with values")
        return
    seen: Dict[str, int] = {}
    for key, child in node.value:
        line, name = key.start_mark.line + 1, key.value
        here = _plain(f"{where}.{name}" if where else str(name), 90)
        if key.id != "scalar":
            reading.wrong(line, f"cannot use {_what(key)} as a key{' of ' + where if where else ''}: write a name")
        elif name in seen:
            reading.wrong(line, f"cannot use {here} twice: lines {seen[name]} and {line} have it, keep one of them")
        else:
            seen[name] = line
            yield name, line, child


def _read_value(reading: Reading, kind: Kind, node: Any, where: str, line: int) -> None:
    # What is wrong here must not be judged again by the rules, with the default in its place.
    reading.values.pop(where, None)
    listed = kind.many and node.id == "sequence"
    values: List[Any] = []
    for item in node.value if listed else (node,):
        try:
            if kind.many and not listed and not kind.lone:
                raise ValueError(f"not a list, write {kind.says}")
            values.append(kind.parse(_scalar(item, kind)))
        except ValueError as why:
            shown = f' "{_plain(item.value, 60)}"' if item.id == "scalar" and item.value else ""
            reading.wrong(item.start_mark.line + 1, f"cannot use {where}{shown}: {why}")
    if listed and len(node.value) < kind.least:
        reading.wrong(line, f"cannot use {where}: an empty list, write {kind.says}")
    elif len(values) == (len(node.value) if listed else 1):
        reading.values[where] = Got(tuple(values) if kind.many else values[0], reading.file, line)


TAG = "tag:yaml.org,2002:"
TAGS = tuple(TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value"))


def _scalar(node: Any, kind: Kind) -> str:
    """The words of a single value as they stand in the file, whatever YAML takes them for."""
    if node.id != "scalar" or node.tag == f"{TAG}null":
        raise ValueError(f"it is {_what(node)}, write {kind.says}")
    if node.tag not in TAGS:
        raise ValueError("tags (!NAME) are not taken here, write the value alone")
    # YAML 1.1 has more words for false than one.
    if node.tag == f"{TAG}bool" and "off" in kind.words and node.value.lower() in ("off", "no", "false"):
        return "off"
    return str(node.value)


def _what(node: Any) -> str:
    return "empty" if node.tag == f"{TAG}null" else {"sequence": "a list", "mapping": "a mapping"}.get(node.id, "a single value")


def _unknown(holder: Union[Section, Names], name: str) -> str:
    if isinstance(holder, Names):
        return f"unknown name, {_near(name, holder.known) or 'known are ' + ', '.join(holder.known)}" if holder.known \
            else "not a subsystem's name, write it as lssrc does"
    places = dict.fromkeys(".".join(key.split(".")[:depth]) for key, _ in each_key() for depth in range(1, 4))
    homes = [place.rpartition(".")[0] for place in places if place.rpartition(".")[2] == name]
    if homes:
        return f"unknown key, it belongs {_either([f'under {home}' if home else 'at the top level' for home in homes[:3]])}"
    known = [entry.name for entry in holder.entries]
    return f"unknown key, {_near(name, known) or 'known are ' + ', '.join(known)}"


def _plain(text: str, most: int = LONGEST_TEXT) -> str:
    """Text from a file made fit for a terminal and a log: printable ASCII, and not too long."""
    text = "".join(one if " " <= one <= "~" else ascii(one)[1:-1] for one in text[:most + 1])
    return text if len(text) <= most else f"{text[:most - 3]}..."


# Files.

def _files(reading: Reading, path: str) -> Tuple[str, ...]:
    """The file and those of conf.d beside it, in the order in which they are read; distrusted folders are reported."""
    import os
    path = os.path.abspath(path)
    conf_d = os.path.join(os.path.dirname(path), "conf.d")
    names: List[str] = []
    try:
        names = sorted(name for name in os.listdir(conf_d) if not name.startswith("."))
    except FileNotFoundError:
        pass        # it need not exist
    except OSError as why:
        reading.wrong(0, f"cannot list the folder: {why.strerror}", conf_d)
    files = [path, *(os.path.join(conf_d, name) for name in names if name.endswith(".yaml"))]
    if len(files) > MOST_FILES:
        reading.wrong(0, f"cannot read {len(files)} files, join some of them: {MOST_FILES} at most", conf_d)
    for name in names:
        if name.endswith(".yml"):
            reading.warn(0, "is not read, for its name does not end in .yaml", os.path.join(conf_d, name))
    # A file behind a symbolic link can also be replaced by whoever may write where it really lies.
    behind = [os.path.dirname(os.path.realpath(file)) for file in files[:MOST_FILES]]
    for folder in dict.fromkeys((os.path.dirname(path), conf_d, *behind)):
        try:
            _distrust(reading, folder, os.stat(folder))
        except OSError:
            pass    # what is not there is reported where it is read
    return tuple(files[:MOST_FILES])


def _text_of(reading: Reading, file: str) -> Optional[str]:
    """The text of a file; None where it cannot be read, which is then reported."""
    import os
    import stat
    try:
        # Not blocking: a FIFO in its place must not hang us.
        with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), "rb", buffering=0) as stream:
            status = os.fstat(stream.fileno())
            _distrust(reading, file, status)
            data = stream.read(LARGEST + 1) if stat.S_ISREG(status.st_mode) else None
        if data is None:
            reading.wrong(0, "cannot read it: not a regular file")
        elif len(data) > LARGEST:
            reading.wrong(0, f"cannot read it: larger than {_spell_size(LARGEST)}")
        else:
            return data.decode("utf-8")
    except UnicodeDecodeError as why:
        line = why.object.count(b"\n", 0, why.start) + 1
        reading.wrong(line, f"cannot read it: byte 0x{why.object[why.start]:02x} is not UTF-8, save it as UTF-8")
    except (OSError, ValueError) as why:      # ValueError: a NUL in the name
        hint = "; install it or give --config F" if isinstance(why, FileNotFoundError) else ""
        reading.wrong(0, f"cannot read {file}: {getattr(why, 'strerror', None) or why}{hint}")
    reading.partial = True
    return None


def _distrust(reading: Reading, path: str, status: Any) -> None:
    """Report a file or folder that somebody else could change."""
    import os
    import stat
    mode = stat.S_IMODE(status.st_mode)
    sticky = stat.S_ISDIR(status.st_mode) and mode & stat.S_ISVTX
    if status.st_uid not in (0, os.geteuid()):
        reading.wrong(0, f"cannot trust it: its owner is uid {status.st_uid}; run: chown root {path}", path)
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky:
        reading.wrong(0, f"cannot trust it: others may write it (mode {mode:04o}); run: chmod go-w {path}", path)
