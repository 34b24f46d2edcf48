"""The verb: which rehearsals are asked for, played one after the other, and what is told of them."""
from __future__ import annotations

import gc
import json
import os
import shlex
import signal
import stat
import tempfile
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any, Callable, ContextManager, Iterator, List, Mapping, Optional, TextIO, Tuple

from rmcagent.clock import SystemClock
from rmcagent.config import ConfigError, Loaded, duration
from rmcagent.config.words import either, spell
from rmcagent.show import clean
from rmcagent.show.codes import BROKEN, DONE
from rmcagent.sim.impossible import Impossible
from rmcagent.sim.rehearsal import reading
from rmcagent.sim.rehearsal.audit import INVARIANTS, Auditor
from rmcagent.sim.rehearsal.outcome import fleet, told
from rmcagent.sim.rehearsal.outcome.chart import Film
from rmcagent.sim.rehearsal.outcome.tally import Tally
from rmcagent.sim.rehearsal.run import Rehearsal
from rmcagent.sim.rehearsal.scenarios import SCENARIOS, write
from rmcagent.sim.rehearsal.script import DAY, Script
from rmcagent.whole import written

LONGEST_SCRIPT = 1 << 20
IN_MEMORY = "/dev/shm"          # where there is one, a rehearsed ledger need not wait for a disk
GARBAGE = 50_000                # objects made before those are sought that only hold each other: a rehearsal makes hardly any
WIDE, EVERY = 30, 0.2           # columns of a bar, seconds
NAMES = tuple(invariant.__name__ for invariant in INVARIANTS)
# What is rehearsed, by the option that says so, and which others go with it; the first that was given counts.
EVERY_SCENARIO = ""
GOES_WITH: Mapping[str, Tuple[str, ...]] = {
    "--list": ("--json",),
    "--fleet": ("--hmcs", "--stuck", "--json"),
    "--runs": ("--scenario", "--seed", "--for", "--json"),
    "--script": ("--seed", "--for", "--svg", "--json"),
    "--scenario": ("--seed", "--for", "--svg", "--json"),
    EVERY_SCENARIO: ("--seed", "--for", "--json"),
}
WHICH_POLICY = ("--policy", "--config")
HOW_TO_WRITE = (
    "What may happen in a script of your own, as in {at: 90m, do: stick-session, mended-by: refresh}, and what each takes; what "
    "is in brackets holds where nothing is written. Times are 90 (seconds), 90s, 5m, 12h or 30d; a share is 0.95 or 95%. hmc, "
    "address: of one HMC, else of all. mended-by: refresh, recycle or recfgct, with which the agent can mend it, or none: "
    "nothing done here mends it, only somebody elsewhere does (mend-session).")


class Mistaken(ValueError):
    """What was asked for cannot be rehearsed; the text says why, and what can be."""

    def __init__(self, text: str, in_script: bool = False) -> None:
        super().__init__(text)
        self.in_script = in_script


def main(options: Mapping[str, str], loaded: Loaded, path: str, columns: int, out: Callable[[str], object],
         err: TextIO) -> int:
    """Rehearse the policy loaded from `path` as asked, and return the exit code; on a terminal `err` shows a bar. Raises Mistaken
    or OSError."""
    mode = _mode(options)
    playbill = Playbill(options, loaded, path, Bar(err.write if err.isatty() else None), columns, out)
    if mode == "--list":
        return playbill.list()
    with _ended_by_signals(), _seldom_collected():
        if mode == "--fleet":
            return playbill.fleet(_number(options, "--fleet", 1, 1_000_000), _number(options, "--hmcs", 1, fleet.MOST_HMCS, 1),
                                  "--stuck" in options)
        seed, days = _number(options, "--seed", 0, 1 << 53, 1), _days(options.get("--for", "30d"))
        named = options.get("--scenario")
        if named and named not in SCENARIOS:
            raise Mistaken(_unknown(named))
        if mode == "--runs":
            runs = _number(options, "--runs", 1, 10_000_000)
            return playbill.many(_drawn(runs, seed, days, named), runs)
        if mode == "--script":
            return playbill.one(_script(options, seed, days), "", options.get("--svg", ""))
        if named:
            return playbill.one(write(named, seed, days), SCENARIOS[named].shows, options.get("--svg", ""))
        return playbill.each([write(name, seed, days) for name in SCENARIOS])


def _drawn(runs: int, seed: int, days: float, named: Optional[str]) -> Iterator[Script]:
    """So many scripts: of one scenario, or every second one a mix and the others each scenario in its turn."""
    names = [named] if named else [word for name in SCENARIOS for word in ("mix", name)]
    return (write(names[number % len(names)], seed + number, days) for number in range(runs))


class Playbill:
    """Plays, and tells of it."""

    def __init__(self, options: Mapping[str, str], loaded: Loaded, path: str, bar: Bar, columns: int,
                 out: Callable[[str], object]) -> None:
        self.options, self.loaded, self.path, self.bar, self.columns, self.out = options, loaded, path, bar, columns, out
        self.as_json = "--json" in options
        self.clock = SystemClock()
        self.tally = Tally()

    def list(self) -> int:
        known = {name.replace("_", "-"): (does, reading.takes(name)) for name, does in reading.known().items()}
        if self.as_json:
            happenings = {name: {"does": does, "takes": dict(takes)} for name, (does, takes) in known.items()}
            return self._json({"schema": 1, "scenarios": {scenario.name: scenario.shows for scenario in SCENARIOS.values()},
                               "happenings": happenings})
        for scenario in SCENARIOS.values():
            self._say(told.wrapped(scenario.shows, self.columns, f"{scenario.name:<20}"))
        self._say(["", *told.wrapped(HOW_TO_WRITE, self.columns, "", 12), ""])
        for name, (does, takes) in known.items():
            taken = ", ".join(f"{one} ({default})" for one, default in takes.items())
            self._say(told.wrapped(does + (f" Takes {taken}." if taken else ""), self.columns, f"{name:<20}", 8))
        return DONE

    def one(self, script: Script, shows: str, picture: str) -> int:
        """One rehearsal: its timeline, and what it came to."""
        began = self.clock.monotonic()
        drawing: ContextManager[Optional[Callable[[bytes], object]]] = (
            written(picture, "--svg", 0o644, over=True) if picture else nullcontext())
        with drawing as draw:
            played, film = self._played(script, filmed=bool(picture))
            if draw is not None and film is not None:
                draw(film.picture(f"{script.name}, seed {script.seed}").encode("ascii"))
        if self.as_json:
            return self._json({**self._document(), "scenario": script.name, "seed": script.seed,
                               "platform": script.platform.value, "timeline": told.timeline_document(played)})
        hmcs = ", ".join(script.hmcs) or "none"
        head = f"{script.name}, seed {script.seed}: {script.days:g} days on {script.platform.value}, HMCs {hmcs}. {shows}"
        self._say([*told.wrapped(head, self.columns, ""), *self._policy(), *told.timeline(played, self.columns), ""])
        return self._closed(began)

    def each(self, scripts: List[Script]) -> int:
        """Every scenario once, a line each."""
        began = self.clock.monotonic()
        self._begin()
        for number, script in enumerate(scripts, 1):
            alone = Tally()
            self._played(script, also=alone)
            self.bar.at(number, len(scripts), script.name)
            if not self.as_json:
                did = told.counted(alone.begun) or "nothing done"
                shadow = f"; would have: {told.counted(alone.would_have)}" if alone.would_have else ""
                calls = f"; called a human {told.times(alone.codes['RMCA4001E'])}" if alone.codes["RMCA4001E"] else ""
                broken = "; BROKEN" if alone.breaches else ""
                self._say(told.wrapped(f"{did}{shadow}{calls}{broken}", self.columns, f"{script.name:<20}"))
        return self._closed(began)

    def many(self, scripts: Iterator[Script], runs: int) -> int:
        """Many, added up; what is broken is said at once."""
        began = self.clock.monotonic()
        self._begin()
        for number, script in enumerate(scripts, 1):
            known = len(self.tally.broken)
            self._played(script)
            self.bar.at(number, runs, f"{self.tally.days:.0f} days, {self.tally.breaches} broken")
            if not self.as_json:
                for broken in self.tally.broken[known:]:
                    self._say(told.broken(broken, self.columns))
        return self._closed(began)

    def fleet(self, partitions: int, hmcs: int, stuck: bool) -> int:
        """Many partitions behind the same HMCs."""
        self._begin()
        played = fleet.play(partitions, hmcs, stuck, lambda script: self._played(script)[0],
                            lambda done: self.bar.at(done, partitions, "partitions"))
        if self.as_json:
            return self._json({**told.fleet_document(played), **told.broken_document(self.tally, NAMES), **self._which()})
        self._say([*told.fleet(played, self.columns), "", *told.invariants(self.tally, NAMES, self.columns)])
        return self._code()

    def _played(self, script: Script, filmed: bool = False, also: Optional[Tally] = None) -> Tuple[Rehearsal, Optional[Film]]:
        folder = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
        with tempfile.TemporaryDirectory(prefix="rmcagent-rehearsal-", dir=folder) as at:
            crew = Crew(filmed)
            played = Rehearsal(script, self.loaded.settings, at, crew.begin)
            try:
                played.play()
            except Impossible as why:
                raise Mistaken(f"cannot play {script.name} to its end: {reading.told(why)}", in_script=True) from None
            for tally in (self.tally, also):
                if tally is not None:
                    tally.add(played, crew.auditor.breaches, crew.auditor.races, self._again(script))
        return played, crew.film

    def _again(self, script: Script) -> str:
        """The command that plays it again."""
        options = self.options
        if "--fleet" in options or "--script" in options:
            kept = ("--fleet", "--hmcs", "--stuck", "--script", "--seed", "--for")
            words = [word for name in kept if name in options for word in (name, options[name]) if word]
        else:
            words = ["--scenario", script.name, "--seed", str(script.seed), "--for", spell(timedelta(days=script.days))]
        words += [word for name in WHICH_POLICY if name in options for word in (name, options[name])]
        return " ".join(["rmcagent rehearse", *map(shlex.quote, words)])

    def _closed(self, began: float) -> int:
        self.bar.clear()
        if self.as_json:
            return self._json(self._document())
        took = self.clock.monotonic() - began
        runs = f"{self.tally.runs} rehearsal{'s' * (self.tally.runs > 1)}"
        self._say([*([] if self.tally.runs == 1 else [""]), f"{runs}, {self.tally.days:g} virtual days, in {took:.1f} s:",
                   *told.summary(self.tally, self.columns), "", *told.invariants(self.tally, NAMES, self.columns), "",
                   *told.worst(self.loaded.settings)])
        return self._code()

    def _begin(self) -> None:
        if not self.as_json:
            self._say(self._policy())

    def _policy(self) -> List[str]:
        return [*told.wrapped(told.policy(self.loaded, self.path), self.columns, ""), ""]

    def _which(self) -> Mapping[str, Any]:
        return {"policy": {"file": clean(self.path) if any(self.loaded.files) else None, "hash": self.loaded.hash,
                           "mode": self.loaded.settings.mode}}

    def _document(self) -> Mapping[str, Any]:
        return {**told.document(self.tally, self.loaded.settings, NAMES), **self._which()}

    def _code(self) -> int:
        return BROKEN if self.tally.breaches else DONE

    def _json(self, document: Mapping[str, Any]) -> int:
        self.out(json.dumps(document, sort_keys=True, indent=2) + "\n")
        return self._code()

    def _say(self, lines: List[str]) -> None:
        self.bar.clear()
        self.out("\n".join(line.rstrip() for line in lines) + "\n")


class Crew:
    """Who looks on at a rehearsal: always the auditor, and a camera where there is to be a picture."""

    def __init__(self, filmed: bool) -> None:
        self.filmed = filmed
        self.film: Optional[Film] = None

    def begin(self, rehearsal: Rehearsal) -> Crew:
        self.auditor = Auditor(rehearsal)
        self.film = Film(rehearsal) if self.filmed else None
        return self

    def look(self) -> None:
        self.auditor.look()
        if self.film is not None:
            self.film.look()

    def hear(self) -> None:
        self.auditor.hear()

    def end(self) -> None:
        self.auditor.end()


class Bar:
    """A bar on a terminal, drawn a few times a second, and gone when something is said."""

    def __init__(self, draw: Optional[Callable[[str], object]]) -> None:
        self.draw = draw
        self.clock = SystemClock()
        self.began = self.drawn_at = self.clock.monotonic()
        self.shown = 0

    def at(self, done: int, of: int, what: str) -> None:
        now = self.clock.monotonic()
        if self.draw is None or now - self.began < 1.0 or now - self.drawn_at < EVERY:
            return
        self.drawn_at = now
        filled = "#" * (WIDE * done // of) if of else ""
        text = f"[{filled:<{WIDE}}] {done}/{of} {what}" if of else f"{done}: {what}"
        self.draw(f"\r{text:<{self.shown}}")
        self.shown = len(text)

    def clear(self) -> None:
        if self.draw is not None and self.shown:
            self.draw(f"\r{'':<{self.shown}}\r")
            self.shown = 0


# ---- what was asked for ------------------------------------------------------------------------------------------------

def _mode(options: Mapping[str, str]) -> str:
    """What is rehearsed; an option that does not go with it is refused, not left out."""
    mode = next(name for name in GOES_WITH if name in options or name == EVERY_SCENARIO)
    with_it = mode or "every scenario at once"
    for option in options:
        if option in (mode, *GOES_WITH[mode], *WHICH_POLICY):
            continue
        if option in GOES_WITH:
            raise Mistaken(f"cannot take {option} with {with_it}: write one of them")
        others = [name for name, allowed in GOES_WITH.items() if option in allowed and name]
        raise Mistaken(f"cannot take {option} with {with_it}: it goes with {either(others)}")
    if all(name in options for name in WHICH_POLICY):
        raise Mistaken("cannot take --config with --policy: both name what is rehearsed, write one of them")
    return mode


def _number(options: Mapping[str, str], name: str, least: int, most: int, otherwise: int = 0) -> int:
    text = options.get(name)
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdigit() and least <= int(text[:20]) <= most):
        raise Mistaken(f"cannot take {name} {text}: give a whole number from {least} to {most}")
    return int(text)


def _days(text: str) -> float:
    try:
        days = duration(text).total_seconds() / DAY
    except ValueError as wrong:
        raise Mistaken(f"cannot rehearse for {text}: {wrong}") from None
    if not 0 < days <= 3660:
        raise Mistaken(f"cannot rehearse for {text}: it must be over 0s and at most 3660d")
    return days


def _script(options: Mapping[str, str], seed: int, days: float) -> Script:
    """The script that was named, by the seed and for the time that were given with it."""
    path = options["--script"]
    try:
        script = reading.read(_text(path), path, days if "--for" in options else None)
    except ConfigError as wrong:
        raise Mistaken(str(wrong), in_script=True) from None
    return replace(script, seed=seed) if "--seed" in options else script


def _text(path: str) -> str:
    """What is in a regular file; a pipe is not waited for."""
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError(f"cannot read {path}: it is no regular file")
        with open(number, "rb", closefd=False) as file:
            content = file.read(LONGEST_SCRIPT + 1)
    finally:
        os.close(number)
    if len(content) > LONGEST_SCRIPT:
        raise Mistaken(f"cannot read {path}: it is over {LONGEST_SCRIPT >> 20} MiB, write a shorter one", in_script=True)
    return content.decode("utf-8", "replace")


@contextmanager
def _seldom_collected() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(GARBAGE)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Whoever ends a rehearsal ends what it holds: its folder, and a picture that is not whole. What is ignored stays ignored."""
    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    taken = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in taken:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])


def _unknown(name: str) -> str:
    try:
        write(name, 1)
    except ValueError as wrong:
        return str(wrong)
    return ""
