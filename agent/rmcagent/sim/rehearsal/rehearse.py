"""The verb: which rehearsals are asked for, played one after the other, and what is told of them."""
from __future__ import annotations

import json
import os
import tempfile
from typing import Any, Callable, Iterator, List, Mapping, Optional, Tuple

from rmcagent.clock import SystemClock
from rmcagent.config import ConfigError, Settings, duration
from rmcagent.sim.rehearsal.audit import INVARIANTS, Auditor
from rmcagent.sim.rehearsal.outcome import fleet, told
from rmcagent.sim.rehearsal.outcome.chart import Film
from rmcagent.sim.rehearsal.outcome.tally import Tally
from rmcagent.sim.rehearsal.reading import read
from rmcagent.sim.rehearsal.run import Rehearsal
from rmcagent.sim.rehearsal.scenarios import SCENARIOS, write
from rmcagent.sim.rehearsal.script import DAY, Script

DONE, BROKEN = 0, 20
LONGEST_SCRIPT = 1 << 20
IN_MEMORY = "/dev/shm"          # where there is one, a rehearsed ledger need not wait for a disk
BAR, EVERY = 30, 0.2            # columns, seconds
NAMES = tuple(invariant.__name__ for invariant in INVARIANTS)


class Mistaken(ValueError):
    """What was asked for cannot be rehearsed; the text says why, and what can be."""

    def __init__(self, text: str, in_script: bool = False) -> None:
        super().__init__(text)
        self.in_script = in_script


def main(options: Mapping[str, str], settings: Settings, columns: int, out: Callable[[str], object],
         progress: Optional[Callable[[str], object]]) -> int:
    """Rehearse as asked, and return the exit code. Raises Mistaken or OSError."""
    stage = Stage(settings, Progress(progress), as_json="--json" in options, columns=columns, out=out)
    if "--list" in options:
        return stage.list()
    if "--fleet" in options:
        return stage.fleet(_number(options, "--fleet", 1, 1_000_000), _number(options, "--hmcs", 1, fleet.MOST_HMCS, 1),
                           "--stuck" in options)
    seed = _number(options, "--seed", 0, 1 << 53, 1)
    days = _days(options.get("--for", "30d"))
    named = options.get("--scenario")
    if named and named not in SCENARIOS:
        raise Mistaken(_unknown(named))
    if "--runs" in options:
        runs = _number(options, "--runs", 1, 10_000_000)
        return stage.many(_drawn(runs, seed, days, named), runs)
    if "--script" in options:
        return stage.one(_script(options["--script"]), "", options.get("--svg", ""))
    if named:
        return stage.one(write(named, seed, days), SCENARIOS[named].shows, options.get("--svg", ""))
    if "--svg" in options:
        raise Mistaken("cannot draw all scenarios in one picture: name one with --scenario")
    return stage.each([write(name, seed, days) for name in SCENARIOS])


def _drawn(runs: int, seed: int, days: float, named: Optional[str]) -> Iterator[Script]:
    """So many scripts: of one scenario, or every second one a mix and the others each scenario in its turn."""
    names = [named] if named else [word for name in SCENARIOS for word in ("mix", name)]
    return (write(names[number % len(names)], seed + number, days) for number in range(runs))


class Stage:
    """Plays, and tells of it."""

    def __init__(self, settings: Settings, progress: Progress, as_json: bool, columns: int, out: Callable[[str], object]) -> None:
        self.settings, self.progress, self.as_json, self.columns, self.out = settings, progress, as_json, columns, out
        self.clock = SystemClock()
        self.tally = Tally()

    def list(self) -> int:
        if self.as_json:
            return self._json({"schema": 1, "scenarios": {scenario.name: scenario.shows for scenario in SCENARIOS.values()}})
        for scenario in SCENARIOS.values():
            self._say(told.wrapped(scenario.shows, self.columns, f"{scenario.name:<20}"))
        return DONE

    def one(self, script: Script, shows: str, picture: str) -> int:
        """One rehearsal: its timeline, and what it came to."""
        began = self.clock.monotonic()
        played, film = self._played(script, filmed=bool(picture))
        if film is not None:
            with open(picture, "w", encoding="ascii") as file:
                file.write(film.picture(f"{script.name}, seed {script.seed}"))
        if self.as_json:
            events = [told.event_document(one) for one in played.told]
            return self._json({**told.document(self.tally, self.settings, NAMES), "scenario": script.name, "seed": script.seed,
                               "platform": script.platform.value, "timeline": events})
        hmcs = ", ".join(script.hmcs) or "none"
        head = f"{script.name}, seed {script.seed}: {script.days:g} days on {script.platform.value}, HMCs {hmcs}. {shows}"
        self._say([*told.wrapped(head, self.columns, ""), "", *told.timeline(played, self.columns), ""])
        return self._closed(began)

    def each(self, scripts: List[Script]) -> int:
        """Every scenario once, a line each."""
        began = self.clock.monotonic()
        for number, script in enumerate(scripts, 1):
            alone = Tally()
            self._played(script, also=alone)
            self.progress.at(number, len(scripts), script.name)
            if not self.as_json:
                did = ", ".join(f"{remedy} {times}" for remedy, times in alone.begun.items()) or "nothing done"
                calls = f"; called a human {told.times(alone.codes['RMCA4001E'])}" if alone.codes["RMCA4001E"] else ""
                broken = "; BROKEN" if alone.breaches else ""
                self._say(told.wrapped(f"{did}{calls}{broken}", self.columns, f"{script.name:<20}"))
        return self._closed(began)

    def many(self, scripts: Iterator[Script], runs: int) -> int:
        """Many, added up; what is broken is said at once."""
        began = self.clock.monotonic()
        for number, script in enumerate(scripts, 1):
            known = len(self.tally.broken)
            self._played(script)
            self.progress.at(number, runs, f"{self.tally.days:.0f} days, {self.tally.breaches} broken")
            if not self.as_json:
                for broken in self.tally.broken[known:]:
                    self._say(told.broken(broken, self.columns))
        return self._closed(began)

    def fleet(self, partitions: int, hmcs: int, stuck: bool) -> int:
        """Many partitions behind the same HMCs."""
        played = fleet.play(partitions, hmcs, stuck, self._member, lambda done: self.progress.at(done, partitions, "partitions"))
        self.progress.clear()
        if self.as_json:
            return self._json(told.fleet_document(played))
        self._say(told.fleet(played, self.columns))
        return self._code()

    def _member(self, script: Script) -> Tuple[Rehearsal, int]:
        before = self.tally.breaches
        return self._played(script)[0], self.tally.breaches - before

    def _played(self, script: Script, filmed: bool = False, also: Optional[Tally] = None) -> Tuple[Rehearsal, Optional[Film]]:
        folder = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
        with tempfile.TemporaryDirectory(prefix="rmcagent-rehearsal-", dir=folder) as at:
            crew = Crew(filmed)
            played = Rehearsal(script, self.settings, at, crew.begin)
            played.play()
            for tally in (self.tally, also):
                if tally is not None:
                    tally.add(played, crew.auditor.breaches, crew.auditor.races)
        return played, crew.film

    def _closed(self, began: float) -> int:
        self.progress.clear()
        if self.as_json:
            return self._json(told.document(self.tally, self.settings, NAMES))
        took = self.clock.monotonic() - began
        runs = f"{self.tally.runs} rehearsal{'s' * (self.tally.runs > 1)}"
        self._say([*([] if self.tally.runs == 1 else [""]), f"{runs}, {self.tally.days:g} virtual days, in {took:.1f} s:",
                   *told.summary(self.tally, self.columns), "", *told.invariants(self.tally, NAMES, self.columns), "",
                   *told.worst(self.settings)])
        return self._code()

    def _code(self) -> int:
        return BROKEN if self.tally.breaches else DONE

    def _json(self, document: Mapping[str, Any]) -> int:
        self.out(json.dumps(document, sort_keys=True, indent=2) + "\n")
        return self._code()

    def _say(self, lines: List[str]) -> None:
        self.progress.clear()
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

    def end(self) -> None:
        self.auditor.end()


class Progress:
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
        filled = "#" * (BAR * done // of) if of else ""
        text = f"[{filled:<{BAR}}] {done}/{of} {what}" if of else f"{done}: {what}"
        self.draw(f"\r{text:<{self.shown}}")
        self.shown = len(text)

    def clear(self) -> None:
        if self.draw is not None and self.shown:
            self.draw(f"\r{'':<{self.shown}}\r")
            self.shown = 0


# ---- what was asked for ------------------------------------------------------------------------------------------------

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


def _script(path: str) -> Script:
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read(LONGEST_SCRIPT)
    try:
        return read(text, path)
    except ConfigError as wrong:
        raise Mistaken(str(wrong), in_script=True) from None


def _unknown(name: str) -> str:
    try:
        write(name, 1)
    except ValueError as wrong:
        return str(wrong)
    return ""
