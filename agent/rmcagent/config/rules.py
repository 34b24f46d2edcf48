"""What single values cannot tell: what contradicts itself, which is refused, and what is unwise, which is warned of."""
from __future__ import annotations

from datetime import timedelta
from typing import Callable, List, Optional, Sequence, Tuple

from rmcagent.config.nouns import Budget, Window
from rmcagent.config.table import defaults
from rmcagent.config.values import PERCENT
from rmcagent.config.words import spell
from rmcagent.frozen import dataclass

RSCT_SETTLES = timedelta(minutes=5)       # an HMC and a partition look for each other again every five minutes
RSCT_PORT = 657
PATIENT = timedelta(seconds=5)            # a loaded RMC that works may need as long to answer
SILENCE = timedelta(seconds=90)
FAR_APART = timedelta(minutes=5)          # of looks
TOO_FULL = 0.99
MANY_RECYCLES = 6                         # a day
DAY = timedelta(days=1)
ZERO = timedelta(0)
OWN = ("/var/lib/rmcagent", "/run/rmcagent", "/var/run/rmcagent", "/var/rmcagent")       # on some platform
LOG_OF_AIX = "/var/log/rmcagent/rmcagent.log"
WRITTEN = ("report.metrics", "report.file")
CHANGING = ("rmcctrl", "recfgct", "startsrc", "refrsrc", "rmcrefreshMD")


@dataclass(frozen=True)
class Rule:
    """`wrong` is given the values of `keys`; what it says follows the first key's name."""

    keys: Tuple[str, ...]
    wrong: Callable[..., Optional[str]]
    warning: bool = False


# Contradictions.

def _pulse(pulse: timedelta, look: timedelta) -> Optional[str]:
    return f"{spell(pulse)}: longer than cadence.look, write {spell(look)} or less" if pulse > look else None


def _shares(warn: float, full: float) -> Optional[str]:
    return f"{PERCENT.show(warn)}: above faults.var_full, write {PERCENT.show(full)} or less" if warn > full else None


def _unmanaged(hmcs: Sequence[str], management: str) -> Optional[str]:
    return f"{hmcs[0]}: expect.management says none, write auto there, or no HMC here" if hmcs and management == "none" else None


def _watched(need: str) -> Optional[str]:
    return f"{need}: without ctrmc there is nothing to watch, write required" if need != "required" else None


def _turn(splay: timedelta, window: Optional[Window]) -> Optional[str]:
    """A turn that comes after the window has closed is taken when it opens again: by all of the fleet at once."""
    if window is None:
        return None
    minutes = timedelta(minutes=(window.end - window.start) % 1440 or 1440)
    if splay < minutes:
        return None
    return f"{spell(splay)}: not shorter than a remedy's window, {window} ({spell(minutes)}), so that a fleet would act as one;" \
           " write less, or a longer window"


def _sooner(after_stop: Optional[timedelta], cause_unknown: timedelta) -> Optional[str]:
    if after_stop is None or after_stop >= cause_unknown:
        return None
    return f"{spell(after_stop)}: shorter than cause_unknown ({spell(cause_unknown)}), so that an RMC stopped on purpose is" \
           f" started sooner than one that may have crashed; write {spell(cause_unknown)} or more, or never"


def _same(state: str, public: str) -> Optional[str]:
    return f"{state}: the same folder as paths.public, which everyone may read; write another" \
        if _folder(state) == _folder(public) else None


def _emptied(state: str, var_ct: str = "/var/ct") -> Optional[str]:
    return f"{state}: it lies in RSCT's own folder, which recfgct empties; write another" \
        if f"{_folder(state)}/".startswith(f"{_folder(var_ct)}/") else None


def _ours(written: str, folder: str = "") -> Optional[str]:
    """A file that replaces or adds to what we need ourselves; any platform's own folders, for `auto` is not known here."""
    own = next((each for each in OWN if _lies_in(written, each)), None)
    if folder and (own or not _lies_in(written, folder)):
        return None
    return f"{written}: it lies in the agent's own folder {own or folder}; write another" if own or folder else None


def _twice(metrics: str, log: str) -> Optional[str]:
    log = _folder(LOG_OF_AIX if log == "auto" else log)
    folder, _, name = _folder(metrics).rpartition("/")
    both = {f"{folder}/{name}", f"{folder}/.{name}.new"} & {log, *(f"{log}.{number}" for number in range(1, 5))}
    return f"{metrics}: report.file is the same, or is rotated to it; write another" if both and metrics != "off" else None


def sparing(files: Sequence[str]) -> Tuple[Rule, ...]:
    """The rules that keep the configuration's own files, and the one beside them that pauses the agent, from being written."""
    kept = {_folder(file) for file in files} | {f"{_folder(file).rpartition('/')[0]}/maintenance" for file in files[:1]}

    def wrong(written: str) -> Optional[str]:
        return f"{written}: it is one of the configuration's own files; write another" if _folder(written) in kept else None
    return tuple(Rule((key,), wrong) for key in WRITTEN)


def _lies_in(path: str, folder: str) -> bool:
    return path.startswith("/") and f"{_folder(path)}/".startswith(f"{_folder(folder)}/")


def _folder(path: str) -> str:
    names: List[str] = []
    for part in path.split("/"):
        if part == "..":
            del names[-1:]
        elif part not in ("", "."):
            names.append(part)
    return "/".join(["", *names])


# What is unwise.

def _timeout(timeout: timedelta, look: timedelta) -> Optional[str]:
    return f"is not shorter than cadence.look ({spell(look)}): one slow command delays the next look" if timeout >= look else None


def _hasty(timeout: timedelta) -> Optional[str]:
    return f"is under five seconds: an RMC that is busy and answers later looks hung after {spell(timeout)}, and is recycled" \
        if timeout < PATIENT else None


def _uncut(timeout: timedelta) -> Optional[str]:
    return "has no effect: a command that changes something is never cut short"


def _far_apart(look: timedelta) -> Optional[str]:
    return f"is over five minutes: whether a fault or an HMC's answer lasted without a break is asked every {spell(look)} only" \
        if look > FAR_APART else None


def _blinking(hung: int, look: timedelta) -> Optional[str]:
    return f"{hung} with cadence.look {spell(look)}: after so short a silence RMC is recycled, HMC or not; write 3 or more" \
        if hung * look < SILENCE else None


def _foreign(ports: Sequence[int]) -> Optional[str]:
    return f"{', '.join(map(str, ports))}: without RMC's own port, 657, an HMC counts as reachable that RMC cannot reach" \
        if RSCT_PORT not in ports else None


def _retired(length: timedelta) -> Optional[str]:
    return f"is under a day: an HMC that is being upgraded is taken for retired after {spell(length)}, and no longer missed" \
        if length < DAY else None


def _brim(full: float) -> Optional[str]:
    return f"is above 99%: recycle and recfgct may run with {PERCENT.show(full)} of /var used, and find no room" \
        if full > TOO_FULL else None


def _settle(settle: timedelta) -> Optional[str]:
    return f"is under RSCT's own five minutes: {spell(settle)} judges the remedy too soon, write 6m or more" \
        if settle < RSCT_SETTLES else None


def _impatient(grace: timedelta) -> Optional[str]:
    return f"is under RSCT's own five minutes: a link that would come back by itself is cut after {spell(grace)}" \
        if grace < RSCT_SETTLES else None


def _graces(recfgct: timedelta, recycle: timedelta) -> Optional[str]:
    return f"is shorter than remedies.recycle.grace ({spell(recycle)}): the harsher remedy should wait longer" \
        if recfgct < recycle else None


def _generous(budgets: Sequence[Budget]) -> Optional[str]:
    for usual in defaults().remedies["recfgct"].budget:
        most = _most(budgets, usual.span)
        if most > usual.times:
            return f"allows {most} in {spell(usual.span)}, the default {usual.times}: each changes the partition's node id"
    return None


def _disturbing(budgets: Sequence[Budget]) -> Optional[str]:
    most = _most(budgets, DAY)
    return f"allows {most} in 1d, the default 2: RMC is away for a minute each time" if most > MANY_RECYCLES else None


def _most(budgets: Sequence[Budget], span: timedelta) -> int:
    return min(budget.times * -(-span // budget.span) for budget in budgets)


def _moot(cooldown: timedelta, budgets: Sequence[Budget]) -> Optional[str]:
    longest = max(budget.span for budget in budgets)
    return f"is longer than its budget's span ({spell(longest)}): the cooldown alone says how often, the budget nothing" \
        if cooldown > longest else None


def _never(treats: Sequence[str], recfgct: str, recycle: str, mode: str) -> Optional[str]:
    """recfgct comes for a link only after a recycle that ran and changed nothing."""
    vain = [fault for fault in treats if fault in ("link-down", "link-pending", "no-hmc")]
    if (mode, recfgct) != ("act", "act") or recycle == "act" or not vain:
        return None
    return f"names {', '.join(vain)} in vain: remedies.recycle.mode is {recycle}, and recfgct comes only after a recycle there"


def _incomplete(evidence: timedelta, timeout: timedelta) -> Optional[str]:
    return f"is shorter than timeout ({spell(timeout)}): after one slow answer the others are too old, and recycle is refused" \
        if evidence < timeout else None


def _hmc_back(length: timedelta) -> Optional[str]:
    return f"is under RSCT's own five minutes: {spell(length)} after an HMC has rebooted, all its partitions recycle RMC" \
        if length < RSCT_SETTLES else None


def _at_boot(length: timedelta) -> Optional[str]:
    return f"{spell(length)}: RMC is still being started then, write 5m or more" if length < timedelta(minutes=1) else None


def _at_once(length: timedelta) -> Optional[str]:
    return "0s: all partitions of an HMC act at the same moment" if length == ZERO else None


def _just_moved(length: timedelta) -> Optional[str]:
    return "0s: RMC is recycled while the HMC still completes the migration" if length == ZERO else None


def _unread(path: str) -> Optional[str]:
    read = path == "off" or path.endswith(".prom")
    return None if read else f"{path}: node_exporter's textfile collector reads *.prom, and no other"


def _warnings(*rules: Tuple[Callable[..., Optional[str]], Tuple[str, ...]]) -> Tuple[Rule, ...]:
    return tuple(Rule(keys, wrong, warning=True) for wrong, keys in rules)


RULES: Tuple[Rule, ...] = (
    Rule(("cadence.pulse", "cadence.look"), _pulse),
    Rule(("faults.var_warn", "faults.var_full"), _shares),
    Rule(("expect.hmcs", "expect.management"), _unmanaged),
    Rule(("expect.subsystems.ctrmc",), _watched),
    *(Rule(("guards.splay", f"remedies.{name}.window"), _turn) for name in ("recycle", "recfgct")),
    Rule(("remedies.start.after_stop", "remedies.start.cause_unknown"), _sooner),
    Rule(("paths.state", "paths.public"), _same),
    Rule(("paths.state",), _emptied),
    Rule(("paths.state", "paths.var_ct"), _emptied),
    *(Rule((key,), _ours) for key in WRITTEN),
    *(Rule((key, folder), _ours) for key in WRITTEN for folder in ("paths.state", "paths.public")),
    Rule(("report.metrics", "report.file"), _twice),
    *_warnings(
        (_unread, ("report.metrics",)),
        (_timeout, ("timeout", "cadence.look")),
        (_hasty, ("timeout",)),
        *((_hasty, (f"timeouts.{name}",)) for name in ("lsrsrc", "rmcdomainstatus")),
        *((_uncut, (f"timeouts.{name}",)) for name in CHANGING),
        (_far_apart, ("cadence.look",)),
        (_blinking, ("faults.hung", "cadence.look")),
        (_foreign, ("network.ports",)),
        (_retired, ("faults.stale_hmc",)),
        (_brim, ("faults.var_full",)),
        *((_settle, (f"remedies.{name}.settle",)) for name in ("refresh", "recycle", "recfgct")),
        (_impatient, ("remedies.recycle.grace",)),
        (_graces, ("remedies.recfgct.grace", "remedies.recycle.grace")),
        (_generous, ("remedies.recfgct.budget",)),
        (_disturbing, ("remedies.recycle.budget",)),
        *((_moot, (f"remedies.{name}.cooldown", f"remedies.{name}.budget"))
          for name in ("refresh", "start", "manager", "lparmgr", "recycle", "recfgct")),
        (_never, ("remedies.recfgct.treats", "remedies.recfgct.mode", "remedies.recycle.mode", "mode")),
        (_incomplete, ("guards.evidence", "timeout")),
        (_hmc_back, ("guards.hmc_back",)),
        (_at_boot, ("guards.boot",)),
        (_at_once, ("guards.splay",)),
        (_just_moved, ("guards.migration",)),
    ),
)
