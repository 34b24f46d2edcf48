"""What rehearsals came to, as text of so many columns and as JSON; pure."""
from __future__ import annotations

from statistics import median
from textwrap import wrap
from typing import Any, Dict, List, Mapping, Sequence

from rmcagent.config import Loaded, Settings
from rmcagent.picture import kind
from rmcagent.show import clean
from rmcagent.sim.rehearsal.outcome import bounds
from rmcagent.sim.rehearsal.outcome.fleet import Fleet
from rmcagent.sim.rehearsal.outcome.tally import Broken, Lasted, Tally
from rmcagent.sim.rehearsal.run import Rehearsal, Told
from rmcagent.sim.rehearsal.script import Happening

LEAD = 15                       # columns of a timeline's moments
LONGEST = 4000                  # characters of one paragraph
MOST_LINES = 4                  # of one event's evidence
MOST_LINES_AT_ALL = 40          # of what a reader must not miss: all that an event holds, on the narrowest terminal
MOST_BROKEN = 10                # told in words; JSON has more
NARROWEST = 40


def policy(loaded: Loaded, path: str) -> str:
    """Which policy is rehearsed."""
    where = path if any(loaded.files) else f"the built-in defaults: no {path}"
    return f"policy: {where} ({loaded.hash}, mode {loaded.settings.mode})"


def timeline(played: Rehearsal, columns: int) -> List[str]:
    """What happened, after a star, and what the agent told of it, in the order of time since its start."""
    rows = [(one.at, 0, f"* {_happening(one)}", "") for one in played.script.happenings]
    rows += [(one.at, 1, f"* {one.words}", "") for one in played.happened]
    rows += [(one.at, 2, _event(one), _helps(one)) for one in played.told]
    lines: List[str] = []
    for at, _, said, helps in sorted(rows, key=lambda row: row[:2]):
        lines += wrapped(said, columns, f"{_moment(at):<{LEAD}}")
        lines += wrapped(f"what helps: {helps}", columns, " " * (LEAD + 2), MOST_LINES_AT_ALL) if helps else []
    return lines


def timeline_document(played: Rehearsal) -> List[Dict[str, Any]]:
    """The same for programs: what happens by the script, what was armed before and happened, and events."""
    rows = [(one.at, 0, {"happens": one.do.replace("_", "-"), "arguments": dict(one.arguments)})
            for one in played.script.happenings]
    rows += [(one.at, 1, {"happened": one.words}) for one in played.happened]
    rows += [(one.at, 2, _event_document(one)) for one in played.told]
    return [{"at": round(at, 3), **row} for at, _, row in sorted(rows, key=lambda row: row[:2])]


def _happening(happening: Happening) -> str:
    arguments = " ".join(f"{name.replace('_', '-')}={'none' if value is None else value}"
                         for name, value in happening.arguments.items())
    return f"{happening.do.replace('_', '-')} {arguments}".rstrip()


def _event(told: Told) -> str:
    fields = dict(told.event.fields)
    named = " ".join(fields[name] for name in ("remedy", "guard", "fault", "subject") if fields.get(name))
    because = fields.get("because") or fields.get("evidence") or fields.get("healed") or ""
    return f"{told.event.code} {told.event.word}" + (f" {named}" if named else "") + (f": {because}" if because else "")


def _helps(told: Told) -> str:
    fields = dict(told.event.fields)
    return fields.get("unblock") or fields.get("do") or ""


def summary(tally: Tally, columns: int) -> List[str]:
    """What was done, refused and told, and how long each fault lasted."""
    lines = [f"remedies begun: {counted(tally.begun) or 'none'}"]
    ended = {f"{remedy} {kind(code)}": count for (remedy, code), count in sorted(tally.ended.items())}
    lines += [f"would have: {counted(tally.would_have)}"] if tally.would_have else []
    lines += [f"came to: {counted(ended)}"] if ended else []
    refused = {f"{remedy} by {guard}": count for (remedy, guard), count in sorted(tally.refused.items())}
    lines += [f"refused: {counted(refused)}"] if refused else []
    calls = tally.codes["RMCA4001E"]
    lines += [f"a human was called {times(calls)}"] if calls else []
    lines += [f"{fault}: {_lasted(lasted)}" for fault, lasted in sorted(tally.lasted.items())]
    lines += [f"still there at the end: {counted(tally.still_open)}"] if tally.still_open else []
    return [line for text in lines for line in wrapped(text, columns, "  ", MOST_LINES_AT_ALL)]


def _lasted(lasted: Sequence[Lasted]) -> str:
    seconds = [one.seconds for one in lasted]
    by = [one.healed or "by itself" for one in lasted]
    ways = counted({way: by.count(way) for way in sorted(set(by))})
    return f"gone {times(len(lasted))}, after {_length(median(seconds))} (median), {_length(max(seconds))} at most; {ways}"


def invariants(tally: Tally, names: Sequence[str], columns: int) -> List[str]:
    """Which were broken, and how to see it again."""
    if not tally.breaches:
        return wrapped(f"None of the {len(names)} invariants was broken.", columns, "")
    lines = wrapped(f"BROKEN: {tally.breaches} times an invariant did not hold.", columns, "")
    lines += [line for one in tally.broken[:MOST_BROKEN] for line in broken(one, columns)]
    more = tally.breaches - min(len(tally.broken), MOST_BROKEN)
    return lines + ([f"  and {times(more)} more"] if more else [])


def broken(one: Broken, columns: int) -> List[str]:
    """An invariant that was broken, how, and the command that plays it again, in one line however long it is."""
    text = f"{one.breach.rule.replace('_', ' ')}: {one.breach.because}"
    return [*wrapped(text, columns, f"  {_moment(one.breach.at)}  "), f"    {_ascii(one.again)}"]


def worst(settings: Settings) -> List[str]:
    """The worst case, by the policy alone."""
    return list(bounds.text(bounds.bounds(settings)))


def fleet(played: Fleet, columns: int) -> List[str]:
    """What a fleet did at the same moment."""
    lost = "and no session came back by itself" if played.stuck else "and was back after 15 minutes"
    lines = [f"{played.partitions} partitions behind {played.hmcs} HMC{'s' * (played.hmcs > 1)}: "
             f"{'every' if played.stuck else 'one'} HMC restarted, {lost}."]
    for remedy in ("refresh", "recycle", "recfgct"):
        turns = played.of(remedy)
        if not turns:
            lines.append(f"{remedy}: nobody")
            continue
        first, last = min(turn.begun for turn in turns), max(turn.begun for turn in turns)
        lines.append(f"{remedy}: {len(turns)} partition{'s' * (len(turns) > 1)}, from {_length(first)} to {_length(last)} after "
                     f"the HMC went; at most {played.peak(remedy)} at the same moment")
        if remedy != "refresh":
            lines.append(_spread(played, remedy))
    lines.append(f"{played.connected} have every HMC connected at the end")
    return [line for text in lines for line in wrapped(text, columns, "")]


def _spread(played: Fleet, remedy: str) -> str:
    """Whether they act in step."""
    if not played.splay:
        return "splay is 0s: nothing spreads their turns"
    evenly, most, peak = played.promised(remedy), played.by_chance(remedy), played.peak(remedy)
    about = f"{evenly:.0f}" if evenly >= 9.95 else f"{evenly:.1f}" if evenly >= 0.05 else "0"
    judged = (f"a peak of {peak} is within what chance makes of that, at most {most}" if peak <= most else
              f"a peak of {peak} is MORE than chance makes of that, at most {most}: they act in step")
    return f"spread evenly over a splay of {_length(played.splay)}, about {about} would {remedy} at a time; {judged}"


def document(tally: Tally, settings: Settings, names: Sequence[str]) -> Dict[str, Any]:
    """The same for programs; keys may be added, none is renamed."""
    return {
        "schema": 1, "runs": tally.runs, "days": tally.days, "agent_lives": tally.lives, "clock_jumps": tally.jumps,
        "begun": dict(sorted(tally.begun.items())), "would_have": dict(sorted(tally.would_have.items())),
        "ended": [{"remedy": remedy, "code": code, "times": count} for (remedy, code), count in sorted(tally.ended.items())],
        "refused": [{"remedy": remedy, "guard": guard, "times": count}
                    for (remedy, guard), count in sorted(tally.refused.items())],
        "events": dict(sorted(tally.codes.items())),
        "lasted": {fault: {"times": len(lasted), "median": median([one.seconds for one in lasted]),
                           "most": max(one.seconds for one in lasted)} for fault, lasted in sorted(tally.lasted.items())},
        "still_open": dict(sorted(tally.still_open.items())), "races": dict(sorted(tally.races.items())),
        **broken_document(tally, names),
        "worst": bounds.document(bounds.bounds(settings)),
    }


def broken_document(tally: Tally, names: Sequence[str]) -> Dict[str, Any]:
    """The invariants that were asked for, and how they were broken."""
    return {"invariants": list(names), "breaches": tally.breaches,
            "broken": [{"at": one.breach.at, "rule": one.breach.rule, "because": clean(one.breach.because), "again": one.again}
                       for one in tally.broken]}


def _event_document(told: Told) -> Dict[str, Any]:
    return {"wall": told.wall.isoformat(timespec="seconds"), "code": told.event.code,
            "text": told.event.word, **{key: clean(value) for key, value in told.event.fields}}


def fleet_document(played: Fleet) -> Dict[str, Any]:
    """A fleet's turns, counted."""
    return {"schema": 1, "partitions": played.partitions, "hmcs": played.hmcs, "stuck": played.stuck,
            "connected": played.connected, "splay": played.splay,
            "remedies": {remedy: {"partitions": len(played.of(remedy)), "peak": played.peak(remedy),
                                  "evenly": played.promised(remedy), "by_chance": played.by_chance(remedy)}
                         for remedy in sorted({turn.remedy for turn in played.turns})}}


def counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _moment(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 86400:>3}d {whole // 3600 % 24:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def _length(seconds: float) -> str:
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("m", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.1f}{unit}".replace(".0", "")
    return f"{seconds:.0f}s"


def wrapped(text: str, columns: int, lead: str, most: int = MOST_LINES) -> List[str]:
    return wrap(_ascii(text), max(columns, NARROWEST), initial_indent=lead, subsequent_indent=" " * (len(lead) + 2),
                break_on_hyphens=False, max_lines=most, placeholder=" ...") or [""]


def _ascii(text: str) -> str:
    return clean(text, LONGEST).encode("ascii", "backslashreplace").decode("ascii")
