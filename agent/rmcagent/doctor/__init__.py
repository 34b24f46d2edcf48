"""Can the agent observe and act here? What it cannot, worst first, and the command that mends it.

It asks and reads; it runs no changing command and writes nothing. nouns says what is spoken of, commands, look, machine and
healers hold the checks, told puts them into words.
"""
from __future__ import annotations

import json
from typing import Callable, Iterable, List, Tuple, cast

from rmcagent import config
from rmcagent.clock import Clock, Steady, SystemClock
from rmcagent.doctor import commands, healers, look, machine
from rmcagent.doctor.nouns import Complaint, Examination, Scene, Severity, Stopwatch, advice
from rmcagent.doctor.told import document, text
from rmcagent.partition.host import Host, SystemHost
from rmcagent.partition.observe import Observer
from rmcagent.partition.platform import place

__all__ = ("Complaint", "Examination", "Severity", "document", "examine", "main", "text")

CHECKS: Tuple[Callable[[Scene], Iterable[Complaint]], ...] = (
    machine.rights, commands.missing, commands.remedies_without_steps, machine.state_folder, machine.public_folder, machine.space,
    look.gaps, machine.syslog, commands.managers, look.slow, look.logs, look.hmcs, healers.competing, machine.registration,
    machine.mode, machine.wall_clock, machine.python,
)


def examine(path: str, host: Host, clock: Clock) -> Examination:
    """Look once, at everything that must hold for the agent to observe and to act here."""
    settings, complaints = _configuration(path)
    invalid = any(complaint.severity is not Severity.ADVICE for complaint in complaints)
    here = place(host, settings)
    if not any(host.exists(here.commands[name]) for name in commands.RSCT):
        # A configuration that could not be read may have said where the commands are.
        verdict = "invalid" if invalid and host.exists(path) else "not-installed"
        return Examination(here.platform, verdict, (commands.not_installed(host, here), *complaints))
    if invalid:
        complaints.append(advice("configuration", "all else was asked under the defaults, and may be otherwise once the "
                                 "configuration can be read", f"rmcagent doctor --config {path}"))
    watch = Stopwatch(host)
    observer = Observer(cast(Host, watch), here, settings, Steady(clock, clock.now(), clock.monotonic()))
    seen = observer.crowd(observer.look(), disruptive=True)
    scene = Scene(host, here, settings, path, clock.now(), seen, tuple(watch.runs))
    for check in CHECKS:
        complaints += check(scene)
    order = list(Severity)
    worst_first = tuple(sorted(dict.fromkeys(complaints), key=lambda complaint: order.index(complaint.severity)))
    limited = any(complaint.severity is not Severity.ADVICE for complaint in complaints)
    return Examination(here.platform, "invalid" if invalid else "limited" if limited else "ready", worst_first)


def main(path: str, as_json: bool, columns: int, write: Callable[[str], object]) -> int:
    """Examine this machine, tell of it, and return the exit code."""
    found = examine(path, SystemHost(), SystemClock())
    write(json.dumps(document(found), sort_keys=True, indent=2) + "\n" if as_json else text(found, columns))
    return found.code


def _configuration(path: str) -> Tuple[config.Settings, List[Complaint]]:
    """The settings, or the defaults where they cannot be read; and what is wrong with them."""
    try:
        loaded = config.load(path)
    except config.ConfigError as wrong:
        told = [_mistake(mistake, Severity.CANNOT_ACT, path) for mistake in wrong.mistakes]
        return config.defaults(), told
    return loaded.settings, [_mistake(warning, Severity.ADVICE, path) for warning in loaded.warnings]


def _mistake(mistake: config.Mistake, severity: Severity, path: str) -> Complaint:
    what, _, command = str(mistake).partition("; run: ")
    return Complaint("configuration", severity, what, command or f"rmcagent config check --config {path}")
