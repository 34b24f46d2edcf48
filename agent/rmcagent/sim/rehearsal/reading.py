"""A fault script of one's own: YAML -> Script; every mistake collected, with its line and a suggestion."""
from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from rmcagent.config import ConfigError, Mistake
from rmcagent.config.reading import MOST_MISTAKES, CannotCompose, compose
from rmcagent.config.words import near, plain
from rmcagent.model import Platform
from rmcagent.sim.clock import VirtualClock
from rmcagent.sim.impossible import Impossible
from rmcagent.sim.partition import Partition
from rmcagent.sim.rehearsal import run, values
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
MOST_OFF = 20                   # years
MOST_STORM = 60_000_000         # lines
LEAST_STORM = 20.0              # lines a second: a slower storm costs as much, for a line at a time is looked at
# What to write instead, by the rule of sim.impossible.
MENDS: Mapping[str, str] = {
    "powerha_services_need_caa": "let start-caa happen before, or write remove-caa, which takes PowerHA with it",
    "a_node_is_online_in_one_domain_at_most": "let remove-peer-domain of the other happen before",
    "an_online_domain_has_group_services": "let define-peer-domain with state: Offline, or remove-peer-domain, happen before",
    "a_storage_pool_cluster_stands_on_caa": "write remove-caa, which takes the storage pool with it",
    "each_platform_has_its_own_clusters": "write another platform",
}


class ScriptError(ConfigError):
    """Everything that is wrong with a script."""


def known() -> Mapping[str, str]:
    """What a script may do, and what that is."""
    return {name: _explained(inspect.getdoc(_method(name)) or "") for name in NAMES}


def _explained(doc: str) -> str:
    """A docstring in the words of a script."""
    words = [_spelled(word) if word.rstrip(".,") in NAMES else word for word in doc.replace("None:", "none:").split()]
    return " ".join(words)


def takes(do: str) -> Mapping[str, str]:
    """The arguments of what a script may do, as they are spelled, and what each is where it is left out."""
    return {_spelled(name): _default(name, one.default) for name, one in _parameters(do).items()}


def _default(name: str, value: Any) -> str:
    if value is inspect.Parameter.empty:
        return "needed"
    if value is None:
        return {"until": "never"}.get(name, "all")
    if name == "text" and value:
        return "unreadable"
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value) or '""'


def read(text: str, file: str, days: Optional[float] = None) -> Script:
    """The script that the YAML comes to, for so many days if not for its own, or ScriptError with everything that is wrong with
    it; of what cannot happen in that order only the first is told, for what follows depends on it."""
    reading = _Reading(file)
    try:
        root = compose(text)
    except CannotCompose as wrong:
        reading.wrong(wrong.line, f"cannot read it as YAML: {wrong}")
    else:
        script = _script(reading, root, days)
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


def _script(reading: _Reading, root: Any, instead: Optional[float]) -> Script:
    given = dict(_keys(reading, root, KEYS, "this file")) if root is not None else {}

    def value(key: str, parse: Callable[[str], Any], default: Any) -> Any:
        return _value(reading, given[key], key, parse, default) if key in given else default

    name = value("name", values.words, "a script of one's own")
    reading.platform = Platform(value("platform", values.one_of(*(one.value for one in Platform)), Platform.AIX))
    seed, days = value("seed", values.whole(0, 2**63 - 1), 1), value("for", values.span, 30 * DAY) / DAY
    if days == 0 or days > LONGEST_DAYS:
        reading.wrong(given["for"].start_mark.line + 1, f"cannot use for: write more than 0s and at most {LONGEST_DAYS:g}d")
    days = days if instead is None else instead
    if "hmcs" in given:
        reading.hmcs = tuple(_addresses(reading, given["hmcs"]))
    there = reading.hmcs
    happenings = list(_happenings(reading, given.get("happens"), days * DAY))
    happenings.sort(key=lambda one: one[0].at)
    reading.lines = [line for _, line in happenings]
    _bounded(reading, [happening for happening, _ in happenings], days * DAY)
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
            spelled = [_spelled(known_key) for known_key in known_keys]
            reading.wrong(line, f"cannot use {plain(_spelled(name), 40) or 'this'} in {of}: unknown key, "
                                + (near(name, spelled) or "known are " + ", ".join(spelled)))
        elif name in seen:
            reading.wrong(line, f"cannot use {_spelled(name)} twice: lines {seen[name]} and {line} have it, keep one")
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
        address = _value(reading, item, "hmcs", values.address)
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
    parameters, spelled = _parameters(do), _spelled(do)
    given = dict(_keys(reading, node, ("at", "do", *parameters), spelled))
    wanted = ["at"] + [name for name, one in parameters.items() if one.default is inspect.Parameter.empty]
    for name in wanted:
        if name not in given:
            reading.wrong(line, f"cannot do {spelled}: {_spelled(name)} is missing")
    at = _value(reading, given["at"], "at", values.span, 0.0) if "at" in given else 0.0
    if at > end:
        reading.wrong(line, f"cannot do {spelled} then: it is later than the end, write a longer for")
    if do in NOT_ON[reading.platform]:
        reading.wrong(line, f"cannot do {spelled}: it does not befall {reading.platform.value}")
    arguments = {name: _value(reading, child, f"{_spelled(name)} of {spelled}", _parser(reading, do, name))
                 for name, child in given.items() if name in parameters}
    new = arguments.get({"add_hmc": "address", "replace_hmc": "new"}.get(do, ""))
    if new in reading.hmcs:
        reading.wrong(line, f"cannot do {spelled}: an HMC at {new} is there already")
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


def _bounded(reading: _Reading, happenings: Sequence[Happening], end: float) -> None:
    """A clock that is set so often that no calendar holds it, and storms that would take hours to play."""
    off = lines = 0.0
    for happening, line in zip(happenings, reading.lines):
        if happening.do == "jump_clock":
            off += happening.arguments.get("seconds") or 0.0
            if abs(off) > MOST_OFF * 365 * DAY:
                reading.wrong(line, f"cannot do jump-clock then: with those before it the clock is over {MOST_OFF} years off, "
                                    "write less")
                break
    storms = [(one, line) for one, line in zip(happenings, reading.lines) if one.do in ("storm", "end_storm")]
    for (happening, line), until in zip(storms, [one.at for one, _ in storms[1:]] + [end]):
        if happening.do == "storm":
            lines += (until - happening.at) * max(happening.arguments.get("per_second") or 10.0, LEAST_STORM)
            if lines > MOST_STORM:
                reading.wrong(line, f"cannot do storm then: with those before it comes to over {MOST_STORM} lines, write "
                                    f"end-storm sooner, or a smaller per-second (less than {LEAST_STORM:g} counts as that)")
                break


def _try(reading: _Reading, script: Script) -> None:
    """Let it happen once to a partition without an agent: what cannot be, in that order, is found before it is played."""
    clock = VirtualClock(monotonic=0.0)
    partition = Partition(clock, script.platform, script.hmcs, seed=script.seed)
    before = 0.0
    for happening, line in zip(script.happenings, reading.lines):
        # A storm costs time and cannot be impossible.
        happens = happening.do not in (*run.OURS, "storm", "end_storm")
        try:
            clock.sleep(max(0.0, min(happening.at - before, HOUR)))
            if happens:
                getattr(partition, happening.do)(**happening.arguments)
        except (Impossible, ValueError) as why:
            reading.wrong(line, f"cannot do {_spelled(happening.do)} then: {told(why)}")
            return
        before = happening.at


def told(why: Exception) -> str:
    """What cannot be, in words, and the next step."""
    rule, _, because = str(why).partition(": ")
    if not isinstance(why, Impossible) or "_" not in rule:
        return str(why)
    return f"no partition can be so, for {because}; {MENDS.get(rule, 'leave it out, or let it happen in another order')}"


def _parameters(do: str) -> Mapping[str, inspect.Parameter]:
    return {name: one for name, one in inspect.signature(_method(do)).parameters.items() if name != "self"}


def _spelled(name: str) -> str:
    """As it is written in a script."""
    return name.replace("_", "-")


def _method(do: str) -> Callable[..., Any]:
    method: Callable[..., Any] = getattr(run.Rehearsal if do in run.OURS else Partition, do)
    return method


# How arguments are written.

def _parser(reading: _Reading, do: str, name: str) -> Callable[[str], Any]:
    if (do, name) in values.OF_ONE:
        return values.OF_ONE[do, name]
    if name in ("hmc", "address", "old") and do != "add_hmc":
        return lambda text: _hmc(reading, text)
    if name == "name" and do.endswith(("_command", "localise")) or name == "command":
        return lambda text: values.command(reading.platform, text)
    return values.OF_ALL[name]


def _known(text: str) -> str:
    name = text.replace("-", "_")
    if name not in NAMES:
        nearest = near(text, [_spelled(one) for one in NAMES]) or "write crash, hmc-down, stick-session or the like"
        raise ValueError(f"no such thing can happen, {nearest}")
    return name


def _hmc(reading: _Reading, text: str) -> str:
    address = values.address(text)
    if address not in reading.hmcs:
        raise ValueError(f"no such HMC, there are {', '.join(reading.hmcs) or 'none'}")
    return address
