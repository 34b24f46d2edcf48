"""What rehearsals came to, as text of so many columns and as JSON; pure."""
from __future__ import annotations

from statistics import median
from textwrap import wrap
from typing import Any, Dict, List, Sequence

from rmcagent.config import Settings
from rmcagent.show import clean
from rmcagent.sim.rehearsal.outcome import bounds
from rmcagent.sim.rehearsal.outcome.fleet import Fleet
from rmcagent.sim.rehearsal.outcome.tally import Broken, Lasted, Tally
from rmcagent.sim.rehearsal.run import Rehearsal, Told
from rmcagent.sim.rehearsal.script import Happening

LEAD = 15                       # columns of a timeline's moments
MOST_LINES = 4                  # of one event
NARROWEST = 40
ENDED = {"RMCA3002N": "healed", "RMCA3003W": "changed nothing, or was interrupted", "RMCA3006W": "finished after an interruption"}


def timeline(played: Rehearsal, columns: int) -> List[str]:
    """What happened, after a star, and what the agent told of it, in the order of time since its start."""
    happened = [(one.at, 0, f"* {_happened(one)}") for one in played.script.happenings]
    told = [(one.at, 1, _event(one)) for one in played.told]
    lines: List[str] = []
    for at, _, text in sorted(happened + told, key=lambda row: row[:2]):
        lines += wrapped(text, columns, f"{_moment(at):<{LEAD}}")
    return lines


def _happened(happening: Happening) -> str:
    arguments = " ".join(f"{name.replace('_', '-')}={value}" for name, value in happening.arguments.items())
    return f"{happening.do.replace('_', '-')} {arguments}".rstrip()


def _event(told: Told) -> str:
    fields = dict(told.event.fields)
    named = " ".join(fields[name] for name in ("remedy", "guard", "fault", "subject") if fields.get(name))
    because = fields.get("because") or fields.get("evidence") or fields.get("healed") or ""
    unblock = fields.get("unblock") or fields.get("do") or ""
    said = f"{told.event.code} {told.event.word}" + (f" {named}" if named else "") + (f": {because}" if because else "")
    return said + (f"; what helps: {unblock}" if unblock else "")


def summary(tally: Tally, columns: int) -> List[str]:
    """What was done, refused and told, and how long each fault lasted."""
    lines = [f"remedies begun: {_counted(tally.begun) or 'none'}"]
    ended = {f"{remedy} {ENDED[code]}": count for (remedy, code), count in sorted(tally.ended.items())}
    lines += [f"came to: {_counted(ended)}"] if ended else []
    refused = {f"{remedy} by {guard}": count for (remedy, guard), count in sorted(tally.refused.items())}
    lines += [f"refused: {_counted(refused)}"] if refused else []
    calls = tally.codes["RMCA4001E"]
    lines += [f"a human was called {times(calls)}"] if calls else []
    lines += [f"{fault}: {_lasted(lasted)}" for fault, lasted in sorted(tally.lasted.items())]
    lines += [f"still there at the end: {_counted(tally.still_open)}"] if tally.still_open else []
    return [line for text in lines for line in wrapped(text, columns, "  ")]


def _lasted(lasted: Sequence[Lasted]) -> str:
    seconds = [one.seconds for one in lasted]
    by = [one.healed or "by itself" for one in lasted]
    ways = _counted({way: by.count(way) for way in sorted(set(by))})
    return f"gone {times(len(lasted))}, after {_length(median(seconds))} (median), {_length(max(seconds))} at most; {ways}"


def invariants(tally: Tally, names: Sequence[str], columns: int) -> List[str]:
    """Which were broken, and how to see it again."""
    if not tally.breaches:
        return wrapped(f"None of the {len(names)} invariants was broken.", columns, "")
    lines = wrapped(f"BROKEN: {tally.breaches} times an invariant did not hold.", columns, "")
    return [*lines, *(line for one in tally.broken for line in broken(one, columns))]


def broken(one: Broken, columns: int) -> List[str]:
    """An invariant that was broken, how, and the command that plays it again."""
    text = f"{one.breach.rule.replace('_', ' ')}: {one.breach.because}"
    return [*wrapped(text, columns, f"  {_moment(one.breach.at)}  "), f"    {again(one)}"]


def again(one: Broken) -> str:
    """The command that plays it again."""
    return f"rmcagent rehearse --scenario {one.scenario} --seed {one.seed} --for {one.days:g}d"


def worst(settings: Settings) -> List[str]:
    """The worst case, by the policy alone."""
    return list(bounds.text(bounds.bounds(settings)))


def fleet(played: Fleet, columns: int) -> List[str]:
    """What a fleet did at the same moment."""
    lost = "and no session came back by itself" if played.stuck else "and was back after 15 minutes"
    lines = [f"{played.partitions} partitions behind {played.hmcs} HMC{'s' * (played.hmcs > 1)}: "
             f"{'every' if played.stuck else 'one'} HMC restarted, {lost}."]
    for remedy in ("refresh", "recycle", "recfgct"):
        deeds = played.of(remedy)
        if not deeds:
            lines.append(f"{remedy}: nobody")
            continue
        first, last = min(deed.begun for deed in deeds), max(deed.begun for deed in deeds)
        lines.append(f"{remedy}: {len(deeds)} partitions, from {_length(first)} to {_length(last)} after the HMC went; "
                     f"at most {played.peak(remedy)} at the same moment")
    if played.of("recycle"):
        evenly = played.promised("recycle")
        lines.append(f"spread evenly over a splay of {_length(played.splay)}, {evenly:.0f} would recycle at a time")
    lines.append(f"{played.connected} have every HMC connected at the end")
    return [line for text in lines for line in wrapped(text, columns, "")]


def document(tally: Tally, settings: Settings, names: Sequence[str]) -> Dict[str, Any]:
    """The same for programs; keys may be added, none is renamed."""
    return {
        "schema": 1, "runs": tally.runs, "days": tally.days, "agent_lives": tally.lives, "clock_jumps": tally.jumps,
        "begun": dict(sorted(tally.begun.items())),
        "ended": [{"remedy": remedy, "code": code, "times": count} for (remedy, code), count in sorted(tally.ended.items())],
        "refused": [{"remedy": remedy, "guard": guard, "times": count}
                    for (remedy, guard), count in sorted(tally.refused.items())],
        "events": dict(sorted(tally.codes.items())),
        "lasted": {fault: {"times": len(lasted), "median": median([one.seconds for one in lasted]),
                           "most": max(one.seconds for one in lasted)} for fault, lasted in sorted(tally.lasted.items())},
        "still_open": dict(sorted(tally.still_open.items())), "races": dict(sorted(tally.races.items())),
        "invariants": list(names), "breaches": tally.breaches,
        "broken": [{"at": one.breach.at, "rule": one.breach.rule, "because": clean(one.breach.because), "again": again(one)}
                   for one in tally.broken],
        "worst": bounds.document(bounds.bounds(settings)),
    }


def event_document(told: Told) -> Dict[str, Any]:
    """One event of a timeline."""
    return {"at": round(told.at, 3), "wall": told.wall.isoformat(timespec="seconds"), "code": told.event.code,
            "text": told.event.word, **{key: clean(value) for key, value in told.event.fields}}


def fleet_document(played: Fleet) -> Dict[str, Any]:
    """A fleet's deeds, counted."""
    return {"schema": 1, "partitions": played.partitions, "hmcs": played.hmcs, "stuck": played.stuck,
            "connected": played.connected, "breaches": played.breaches, "splay": played.splay,
            "remedies": {remedy: {"partitions": len(played.of(remedy)), "peak": played.peak(remedy),
                                  "evenly": played.promised(remedy)}
                         for remedy in sorted({deed.remedy for deed in played.deeds})}}


def _counted(counts: Any) -> str:
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


def wrapped(text: str, columns: int, lead: str) -> List[str]:
    ascii_only = clean(text).encode("ascii", "backslashreplace").decode("ascii")
    return wrap(ascii_only, max(columns, NARROWEST), initial_indent=lead, subsequent_indent=" " * (len(lead) + 2),
                break_on_hyphens=False, max_lines=MOST_LINES, placeholder=" ...") or [""]
