"""Whether and how this machine starts the agent at boot: SRC and inittab, or systemd; looked at, put right, or taken away.

It starts and stops nothing, whatever it finds: an agent that an operator stopped stays stopped. What an operator turned off in
init's or systemd's own way (action off, a masked unit) is left so.
"""
from __future__ import annotations

import os
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Tuple

from rmcagent import config
from rmcagent.frozen import dataclass
from rmcagent.model import Answer, Platform, State
from rmcagent.partition import parse
from rmcagent.partition.host import Host, SystemHost
from rmcagent.partition.parse.lines import clean, quote
from rmcagent.partition.platform import which

PROGRAM = "/opt/rmcagent/bin/rmcagent"
CONSOLE = "/var/log/rmcagent/console.log"
UNIT = "rmcagent.service"
SECONDS = 60.0               # of one command; each of them changes a file or asks a daemon
MOST_RECORDS = 8             # of one name in SRC: mkssys adds another where one stands
# SRC's record, in its own words: run as root, ended by SIGTERM, restarted where it ended badly, at most twice in 60 s.
RECORD: Mapping[str, str] = {
    "path": PROGRAM, "cmdargs": "run", "uid": "0", "grpname": "rmcagent", "standin": "/dev/null", "standout": CONSOLE,
    "standerr": CONSOLE, "action": "-R", "multi": "-Q", "contact": "-S", "signorm": "15", "sigforce": "9", "priority": "20",
    "waittime": "60",
}
MKSSYS = ("-s", "rmcagent", "-G", "rmcagent", "-u", "0", "-p", PROGRAM, "-a", "run", "-i", "/dev/null", "-o", CONSOLE,
          "-e", CONSOLE, "-R", "-Q", "-S", "-n", "15", "-f", "9", "-E", "20", "-w", "60")
BEHIND = "rctcpip"           # SRC's own subsystems and the network are up by then
ENTRY = parse.InitEntry("rmcagent", "2", "once", "/usr/bin/startsrc -s rmcagent >/dev/console 2>&1")
COMMANDS: Mapping[str, str] = {
    "lssrc": "/usr/bin/lssrc", "mkssys": "/usr/bin/mkssys", "rmssys": "/usr/bin/rmssys", "lsitab": "/usr/sbin/lsitab",
    "mkitab": "/usr/sbin/mkitab", "rmitab": "/usr/sbin/rmitab", "systemctl": "/usr/bin/systemctl",
}

Ask = Callable[..., Answer]  # (name of a command, its arguments ...)


@dataclass(frozen=True)
class Seen:
    """How one thing stands: ok, missing, different, off (an operator's choice) or unknown; and wherein."""

    how: str
    because: Tuple[str, ...] = ()
    active: bool = False


class Place(NamedTuple):
    """One place where a machine is told to start the agent. `make` and `drop` return why they could not, or ""."""

    what: str
    look: Callable[[Ask], Seen]
    make: Callable[[Ask, Seen], str]
    drop: Callable[[Ask, Seen], str]


@dataclass(frozen=True)
class Told:
    """What became of one place: OK, CHANGED, MISSING, DIFFERENT, OFF, UNKNOWN or FAILED."""

    word: str
    what: str
    because: Tuple[str, ...] = ()


def main(do: str, config_path: str, as_json: bool, write: Callable[[str], object]) -> int:
    """`do` is check, apply or remove. 0: it is as asked; 1: it is not. Raises PermissionError where only root may."""
    if do != "check" and os.geteuid() != 0:
        raise PermissionError(f"cannot {do} the registration: only root may; run it as root")
    host = SystemHost()
    platform = which(host, _settings(config_path))
    told = apply(host, platform, COMMANDS, PROGRAM, CONSOLE) if do == "apply" else VERBS[do](host, platform, COMMANDS)
    code = 0 if all(one.word in ("OK", "CHANGED", "OFF") for one in told) else 1
    write(_json(told, code == 0) if as_json else "".join(map(_line, told)))
    return code


def check(host: Host, platform: Platform, commands: Mapping[str, str]) -> Tuple[Told, ...]:
    """How each place stands."""
    ask = _asker(host, commands)
    return tuple(_told(place, place.look(ask)) for place in PLACES[platform])


def apply(host: Host, platform: Platform, commands: Mapping[str, str], program: str, console: str) -> Tuple[Told, ...]:
    """Put right what is missing or different, each judged by a second look; `program` is started, and writes to `console`."""
    if platform is not Platform.LINUX and not host.exists(program):
        return (Told("FAILED", PLACES[platform][0].what, (f"cannot register {program}: it is not there; install the package",)),)
    ask = _asker(host, commands)
    made = () if platform is Platform.LINUX else _make_folder(os.path.dirname(console))
    return (*made, *(_put_right(place, ask) for place in PLACES[platform]))


def remove(host: Host, platform: Platform, commands: Mapping[str, str]) -> Tuple[Told, ...]:
    """Take each away; the first that cannot be taken away ends it, so that nothing is left half-registered unsaid."""
    ask = _asker(host, commands)
    told: List[Told] = []
    for place in PLACES[platform]:
        told.append(_taken_away(place, ask))
        if told[-1].word == "FAILED":
            break
    return tuple(told)


VERBS = {"check": check, "remove": remove}


def _make_folder(path: str) -> Tuple[Told, ...]:
    """SRC opens a file in it before it starts us [my inference]; a package for an image that is being made could not make it."""
    if os.path.isdir(path):
        return ()
    try:
        os.makedirs(path, mode=0o700)
    except OSError as reason:
        return (Told("FAILED", f"folder {path}", (f"cannot make it: {reason.strerror}",)),)
    return (Told("CHANGED", f"folder {path}", ("made",)),)


def _put_right(place: Place, ask: Ask) -> Told:
    before = place.look(ask)
    if before.how not in ("missing", "different"):
        return _told(place, before)
    because = place.make(ask, before)
    after = place.look(ask)
    if after.how == "ok":
        return Told("CHANGED", place.what, before.because or ("added",))
    return Told("FAILED", place.what, (because or "cannot tell why: the command said nothing", *after.because))


def _taken_away(place: Place, ask: Ask) -> Told:
    before = place.look(ask)
    if before.how == "missing":
        return Told("OK", place.what, ("none",))
    because = "; ".join(before.because) if before.how == "unknown" else place.drop(ask, before)
    after = place.look(ask)
    if after.how == "missing":
        return Told("CHANGED", place.what, ("removed",))
    if after.how == "off" and not because:
        return _told(place, after)
    return Told("FAILED", place.what, (because or "cannot tell why: the command said nothing",))


# ---- SRC ---------------------------------------------------------------------------------------------------------------

def _look_src(ask: Ask) -> Seen:
    try:
        row = parse.lssrc_one(ask("lssrc", "-s", "rmcagent"), "rmcagent")
        if row is None:
            return Seen("missing")
        found = [one for one in parse.lssrc_definitions(ask("lssrc", "-S", "-s", "rmcagent")) if one.name == "rmcagent"]
    except parse.Unreadable as reason:
        return Seen("unknown", (str(reason),))
    active = row.state is not State.INOPERATIVE
    if len(found) != 1:
        return Seen("different", (f"{len(found)} records of that name",), active)
    given = found[0].record
    wrong = tuple(f"{name} is {quote(given[name])}, should be {quote(wanted)}" for name, wanted in RECORD.items()
                  if given.get(name, wanted) != wanted)
    return Seen("different" if wrong else "ok", wrong, active)


def _make_src(ask: Ask, seen: Seen) -> str:
    because = _drop_src(ask, seen) if seen.how == "different" else ""
    return because or _failure(ask("mkssys", *MKSSYS))


def _drop_src(ask: Ask, seen: Seen) -> str:
    """By rmssys, as often as there are records. Never under a running agent: SRC would lose sight of it."""
    if seen.active:
        return "cannot change it while rmcagent runs, or may run; first: stopsrc -s rmcagent"
    for _ in range(MOST_RECORDS):
        answer = ask("rmssys", "-s", "rmcagent")
        try:
            if answer.exit_code != 0 or parse.lssrc_one(ask("lssrc", "-s", "rmcagent"), "rmcagent") is None:
                return _failure(answer)
        except parse.Unreadable as reason:
            return str(reason)
    return f"cannot remove it: SRC still has a record after {MOST_RECORDS} removals; see lssrc -S -s rmcagent"


# ---- inittab -----------------------------------------------------------------------------------------------------------

def _look_inittab(ask: Ask) -> Seen:
    try:
        entry = parse.lsitab(ask("lsitab", "rmcagent"))
    except parse.Unreadable as reason:
        return Seen("unknown", (str(reason),))
    if entry is None:
        return Seen("missing")
    if entry.action == "off":
        return Seen("off", ("an operator's choice, left so; to start at boot again: rmitab rmcagent, then register --apply",))
    wrong = tuple(f"{name} is {quote(getattr(entry, name))}, should be {quote(getattr(ENTRY, name))}"
                  for name in ("runlevel", "action", "command") if getattr(entry, name) != getattr(ENTRY, name))
    return Seen("different" if wrong else "ok", wrong)


def _make_inittab(ask: Ask, seen: Seen) -> str:
    because = _drop_inittab(ask, seen) if seen.how == "different" else ""
    if because:
        return because
    try:
        # Stripped systems and VIOS may have no such entry: the end of the file is late enough, too.
        behind = ("-i", BEHIND) if parse.lsitab(ask("lsitab", BEHIND)) else ()
    except parse.Unreadable:
        behind = ()
    return _failure(ask("mkitab", *behind, f"{ENTRY.identifier}:{ENTRY.runlevel}:{ENTRY.action}:{ENTRY.command}"))


def _drop_inittab(ask: Ask, seen: Seen) -> str:
    return _failure(ask("rmitab", "rmcagent"))


# ---- systemd -----------------------------------------------------------------------------------------------------------

def _look_unit(ask: Ask) -> Seen:
    answer = ask("systemctl", "is-enabled", UNIT)
    try:
        word = parse.systemctl_is_enabled(answer)
    except parse.Unreadable as reason:
        return Seen("unknown", (str(reason),))
    if word == "not-found":
        return Seen("missing", ("there is no such unit: install the package",))
    if word.startswith("masked"):
        return Seen("off", (f"an operator's choice, left so; to start at boot again: systemctl unmask {UNIT}",))
    return Seen("ok" if word == "enabled" else "missing", () if word == "enabled" else (f"it is {word}",))


def _make_unit(ask: Ask, seen: Seen) -> str:
    return _failure(ask("systemctl", "enable", UNIT))


def _drop_unit(ask: Ask, seen: Seen) -> str:
    return "" if seen.how == "off" else _failure(ask("systemctl", "disable", UNIT))


ON_AIX = (Place("SRC subsystem rmcagent", _look_src, _make_src, _drop_src),
          Place("inittab entry rmcagent", _look_inittab, _make_inittab, _drop_inittab))
ON_LINUX = (Place(f"systemd unit {UNIT}", _look_unit, _make_unit, _drop_unit),)
PLACES: Mapping[Platform, Tuple[Place, ...]] = {Platform.AIX: ON_AIX, Platform.VIOS: ON_AIX, Platform.LINUX: ON_LINUX}


# ---- asking and telling ------------------------------------------------------------------------------------------------

def _asker(host: Host, commands: Mapping[str, str]) -> Ask:
    return lambda name, *arguments: host.run((commands[name], *arguments), SECONDS)


def _failure(answer: Answer) -> str:
    if answer.exit_code == 0:
        return ""
    said = (answer.stderr.strip() or answer.stdout.strip()).splitlines()
    ending = "did not end in time" if answer.exit_code is None else f"exit {answer.exit_code}"
    return f"{clean(answer.id)}: {ending}" + (f", {quote(said[0])}" if said else "")


def _settings(path: str) -> config.Settings:
    """Where the configuration cannot be read, the platform is what it looks like: removal must not need a good one."""
    try:
        return config.load(path).settings
    except config.ConfigError:
        return config.defaults()


def _told(place: Place, seen: Seen) -> Told:
    return Told(seen.how.upper(), place.what, seen.because)


def _line(told: Told) -> str:
    return f"{told.word:<9} {told.what}" + (": " + "; ".join(told.because) if told.because else "") + "\n"


def _json(told: Tuple[Told, ...], good: bool) -> str:
    import json

    entries: List[Dict[str, Any]] = [{"what": one.what, "word": one.word, "because": list(one.because)} for one in told]
    document = {"schema": 1, "as_asked": good, "changed": any(one.word == "CHANGED" for one in told), "entries": entries}
    return json.dumps(document, sort_keys=True, indent=2) + "\n"
