"""A fault script of one's own: YAML -> Script; every mistake collected, with its line and a suggestion."""
from __future__ import annotations

import inspect
import ipaddress
import re
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from rmcagent.config import ConfigError, Mistake
from rmcagent.config.reading import MOST_MISTAKES, CannotCompose, compose
from rmcagent.config.words import duration, either, near, plain
from rmcagent.model import Platform
from rmcagent.sim import voices
from rmcagent.sim.clock import VirtualClock
from rmcagent.sim.impossible import Impossible
from rmcagent.sim.partition import Partition
from rmcagent.sim.partition.nouns import COMMANDS, MENDERS
from rmcagent.sim.rehearsal import run
from rmcagent.sim.rehearsal.script import DAY, HMC, Happening, Script

# What may be done, in the order in which it is explained. What is not here a script may not do.
OF_THE_PARTITION = (
    "crash", "ctrmc_wont_start", "hung_rmc", "stop_cleanly", "restart_rmc", "manager_crash", "old_rsct", "disable_remote",
    "enable_remote", "disable_at_boot", "enable_at_boot",
    "hmc_down", "hmc_up", "hmc_unreachable", "hmc_reachable", "hmc_sick", "add_hmc", "replace_hmc", "retire_hmc",
    "drop_large_packets", "pass_large_packets", "stick_session", "forget_hmcs", "mend_session", "break_identity",
    "clash_identity", "flap", "clone", "mend_identity", "in_band", "end_in_band",
    "fill_var", "storm", "end_storm", "rotate_log",
    "start_caa", "caa_upon", "stop_caa", "remove_caa", "start_powerha", "start_ssp", "define_peer_domain", "remove_peer_domain",
    "start_migration", "end_migration", "run_program", "end_program", "reboot", "slow_down", "stick_lparmgr", "mend_lparmgr",
    "hang_command", "garble_command", "cut_command", "localise", "empty_command", "remove_command", "fail_command",
    "mend_command",
)
NOT_ON = {Platform.LINUX: ("start_caa", "caa_upon", "stop_caa", "remove_caa", "start_powerha", "start_ssp", "stick_lparmgr",
                           "mend_lparmgr"),
          Platform.AIX: ("start_ssp", "stick_lparmgr", "mend_lparmgr"), Platform.VIOS: ()}
NAMES = (*OF_THE_PARTITION, *run.OURS)
KEYS = ("name", "platform", "hmcs", "seed", "for", "happens")
MOST_HMCS, LONGEST_DAYS, HOUR = 16, 366.0, 3600.0


class ScriptError(ConfigError):
    """Everything that is wrong with a script."""


def known() -> Mapping[str, str]:
    """What a script may do, and what that is."""
    return {name: " ".join((inspect.getdoc(_method(name)) or "").split()) for name in NAMES}


def read(text: str, file: str) -> Script:
    """The script that the YAML comes to, or ScriptError with everything that is wrong with it."""
    reading = _Reading(file)
    try:
        root = compose(text)
    except CannotCompose as wrong:
        reading.wrong(wrong.line, f"cannot read it as YAML: {wrong}")
    else:
        script = _script(reading, root)
        if not reading.mistakes:
            _try(reading, script)
            if not reading.mistakes:
                return script
    raise ScriptError(tuple(reading.mistakes), reading.more)


@dataclass
class _Reading:
    """What is wrong so far, and what the partition is like."""

    file: str
    platform: Platform = Platform.AIX
    hmcs: Tuple[str, ...] = (HMC,)            # those that are there, or will be
    lines: List[int] = field(default_factory=list)        # of each happening, as in the script
    mistakes: List[Mistake] = field(default_factory=list)
    more: int = 0

    def wrong(self, line: int, text: str) -> None:
        if len(self.mistakes) < MOST_MISTAKES:
            self.mistakes.append(Mistake(plain(self.file, 200), line, plain(text)))
        else:
            self.more += 1


def _script(reading: _Reading, root: Any) -> Script:
    given = dict(_keys(reading, root, KEYS, "this file")) if root is not None else {}

    def value(key: str, parse: Callable[[str], Any], default: Any) -> Any:
        return _value(reading, given[key], key, parse, default) if key in given else default

    name = value("name", _words, "a script of one's own")
    reading.platform = value("platform", lambda text: Platform(_one_of(*(one.value for one in Platform))(text)), Platform.AIX)
    seed, days = value("seed", _whole(0, 2**63 - 1), 1), value("for", _span, 30 * DAY) / DAY
    if days == 0 or days > LONGEST_DAYS:
        reading.wrong(given["for"].start_mark.line + 1, f"cannot use for: write more than 0s and at most {LONGEST_DAYS:g}d")
    if "hmcs" in given:
        reading.hmcs = tuple(_addresses(reading, given["hmcs"]))
    there = reading.hmcs
    happenings = list(_happenings(reading, given.get("happens"), days * DAY))
    happenings.sort(key=lambda one: one[0].at)
    reading.lines = [line for _, line in happenings]
    return Script(name, tuple(happening for happening, _ in happenings), reading.platform, there, days, seed)


def _keys(reading: _Reading, node: Any, known_keys: Sequence[str], of: str) -> Iterator[Tuple[str, Any]]:
    """A mapping's keys and values; hyphens are taken for underscores."""
    if node.id != "mapping":
        reading.wrong(node.start_mark.line + 1, f"cannot use {of}: write keys with values, known are {', '.join(known_keys)}")
        return
    seen: Dict[str, int] = {}
    for key, child in node.value:
        line, name = key.start_mark.line + 1, str(key.value).replace("-", "_") if key.id == "scalar" else ""
        if name not in known_keys:
            reading.wrong(line, f"cannot use {plain(name, 40) or 'this'} in {of}: unknown key, "
                                + (near(name, known_keys) or "known are " + ", ".join(known_keys)))
        elif name in seen:
            reading.wrong(line, f"cannot use {name} twice: lines {seen[name]} and {line} have it, keep one")
        else:
            seen[name] = line
            yield name, child


def _value(reading: _Reading, node: Any, of: str, parse: Callable[[str], Any], default: Any = None) -> Any:
    """A single value; what is wrong with it is noted."""
    try:
        if node.id != "scalar":
            raise ValueError(f"it is a {node.id}, write a single value")
        return parse(str(node.value))
    except ValueError as why:
        shown = f' "{plain(str(node.value), 60)}"' if node.id == "scalar" else ""
        reading.wrong(node.start_mark.line + 1, f"cannot use {of}{shown}: {why}")
        return default


def _addresses(reading: _Reading, node: Any) -> Iterator[str]:
    if node.id != "sequence" or len(node.value) > MOST_HMCS:
        reading.wrong(node.start_mark.line + 1, f"cannot use hmcs: write a list of {MOST_HMCS} addresses at most")
        return
    seen = []
    for item in node.value:
        address = _value(reading, item, "hmcs", _address)
        if address in seen:
            reading.wrong(item.start_mark.line + 1, f"cannot use hmcs: {address} is there twice, keep one")
        elif address is not None:
            seen.append(address)
            yield address


def _happenings(reading: _Reading, node: Any, end: float) -> Iterator[Tuple[Happening, int]]:
    if node is None or (node.id == "scalar" and not node.value):
        return
    if node.id != "sequence":
        reading.wrong(node.start_mark.line + 1, "cannot use happens: write a list of {at: 2h, do: crash}")
        return
    for item in node.value:
        happening = _happening(reading, item, end)
        if happening is not None:
            yield happening, item.start_mark.line + 1


def _happening(reading: _Reading, node: Any, end: float) -> Optional[Happening]:
    line = node.start_mark.line + 1
    do = _deed(reading, node)
    if do is None:
        return None
    parameters = {name: one for name, one in inspect.signature(_method(do)).parameters.items() if name != "self"}
    given = dict(_keys(reading, node, ("at", "do", *parameters), do))
    wanted = ["at"] + [name for name, one in parameters.items() if one.default is inspect.Parameter.empty]
    for name in wanted:
        if name not in given:
            reading.wrong(line, f"cannot do {do}: {name} is missing")
    at = _value(reading, given["at"], "at", _span, 0.0) if "at" in given else 0.0
    if at > end:
        reading.wrong(line, f"cannot do {do} then: it is later than the end, write a longer for")
    if do in NOT_ON[reading.platform]:
        reading.wrong(line, f"cannot do {do}: it does not befall {reading.platform.value}")
    arguments = {name: _value(reading, child, f"{name} of {do}", _parser(reading, do, name)) for name, child in given.items()
                 if name in parameters}
    new = arguments.get({"add_hmc": "address", "replace_hmc": "new"}.get(do, ""))
    if new in reading.hmcs:
        reading.wrong(line, f"cannot do {do}: an HMC at {new} is there already")
    elif new:
        reading.hmcs += (new,)
    return Happening(at, do, arguments)


def _deed(reading: _Reading, node: Any) -> Optional[str]:
    line = node.start_mark.line + 1
    if node.id != "mapping":
        reading.wrong(line, "cannot use what happens: write {at: 2h, do: crash}")
        return None
    does = [child for key, child in node.value if key.id == "scalar" and key.value == "do"]
    if not does:
        reading.wrong(line, "cannot use what happens: it has no do")
        return None
    do: Optional[str] = _value(reading, does[0], "do", _known)
    return do


def _try(reading: _Reading, script: Script) -> None:
    """Let it happen once to a partition without an agent: what cannot be, in that order, is found before it is played."""
    clock = VirtualClock(monotonic=0.0)
    partition = Partition(clock, script.platform, script.hmcs, seed=script.seed)
    before = 0.0
    for happening, line in zip(script.happenings, reading.lines):
        clock.sleep(max(0.0, min(happening.at - before, HOUR)))
        before = happening.at
        # A storm costs time and cannot be impossible.
        if happening.do in run.OURS or happening.do in ("storm", "end_storm"):
            continue
        try:
            getattr(partition, happening.do)(**happening.arguments)
        except (Impossible, ValueError) as why:
            reading.wrong(line, f"cannot do {happening.do} then: {why}")
            return


def _method(do: str) -> Callable[..., Any]:
    method: Callable[..., Any] = getattr(run.Rehearsal if do in run.OURS else Partition, do)
    return method


# How arguments are written.

def _parser(reading: _Reading, do: str, name: str) -> Callable[[str], Any]:
    if (do, name) in OF_ONE:
        return OF_ONE[do, name]
    if name in ("hmc", "address", "old") and do != "add_hmc":
        return lambda text: _hmc(reading, text)
    if name == "name" and do.endswith(("_command", "localise")) or name == "command":
        return lambda text: _command(reading.platform, text)
    return OF_ALL[name]


def _span(text: str) -> float:
    """Seconds, as a number or with their unit."""
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
        return float(text)
    return duration(text).total_seconds()


def _signed(text: str) -> float:
    return -_span(text[1:]) if text.startswith("-") else _span(text.lstrip("+"))


def _number(least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or not least <= float(text) <= most:
            raise ValueError(f"write a number from {least:g} to {most:g}")
        return float(text)
    return parse


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,19}", text) or not least <= int(text) <= most:
            raise ValueError(f"write a whole number from {least} to {most}")
        return int(text)
    return parse


def _share(text: str) -> float:
    return _number(0, 100)(text[:-1]) / 100 if text.endswith("%") else _number(0, 1)(text)


def _yes_or_no(text: str) -> bool:
    if text.lower() not in ("true", "yes", "on", "false", "no", "off"):
        raise ValueError("write true or false")
    return text.lower() in ("true", "yes", "on")


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"{near(text, words) or 'no such choice,'} write {either(words)}")
        return text
    return parse


def _known(text: str) -> str:
    name = text.replace("-", "_")
    if name not in NAMES:
        raise ValueError(f"no such thing can happen, {near(text, NAMES) or 'write crash, hmc-down, stick-session or the like'}")
    return name


def _or_none(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: None if text in ("none", "null", "~", "") else parse(text)


def _words(text: str) -> str:
    if not re.fullmatch(r"[\w .,:'-]{1,80}", text, re.ASCII):
        raise ValueError("write at most 80 plain characters")
    return text


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}", text):
        raise ValueError("not a name, write letters, digits, dots and hyphens")
    return text


def _any_text(text: str) -> str:
    if len(text) > 4000:
        raise ValueError("too long, write at most 4000 characters")
    return text


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"not an IP address, write one such as {HMC}") from None


def _hmc(reading: _Reading, text: str) -> str:
    address = _address(text)
    if address not in reading.hmcs:
        raise ValueError(f"no such HMC, there are {', '.join(reading.hmcs) or 'none'}")
    return address


def _command(platform: Platform, text: str) -> str:
    words = text.split()
    if not words or words[0] not in COMMANDS[platform] or len(text) > 200:
        raise ValueError(f"{platform.value} has no such command; {near(text, COMMANDS[platform]) or 'write one as lssrc'}")
    return " ".join(words)


OF_ALL: Mapping[str, Callable[[str], Any]] = {
    "seconds": _span, "again": _span, "after": _span, "until": _span, "times": _whole(0, 1000),
    "share": _share, "number": _whole(1, 9999),
    "per_second": _number(0.1, 200), "factor": _number(0.1, 1000), "rc": _whole(0, 255), "text": _any_text, "name": _name,
    "state": _words, "host": _name, "disk": _name, "stubborn": _yes_or_no, "forks": _yes_or_no, "aborted": _yes_or_no,
    "helper": _yes_or_no, "connected": _yes_or_no, "kind": _one_of(*voices.STORMS), "mended_by": _or_none(_one_of(*MENDERS)),
    "address": _address, "new": _address,
}
OF_ONE: Mapping[Tuple[str, str], Callable[[str], Any]] = {
    ("jump_clock", "seconds"): _signed,
    ("manager_crash", "mended_by"): _one_of("manager", "recycle"),
    ("define_peer_domain", "state"): _one_of("Online", "Offline", "Pending Online", "Pending Offline", "Ineligible"),
    ("start_powerha", "state"): _one_of("ST_INIT", "NOT_CONFIGURED", "ST_STABLE", "ST_BARRIER", "ST_UNSTABLE", "ST_JOINING",
                                        "ST_VOTING", "ST_RP_RUNNING", "ST_RP_FAILED"),
    ("add_hmc", "name"): _words,
}
