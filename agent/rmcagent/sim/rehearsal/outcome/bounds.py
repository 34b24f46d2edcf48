"""The worst case a policy allows, computed from the policy alone: how often each remedy may begin, how long RMC is then away."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from textwrap import wrap
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from rmcagent.config import Budget, RemedyPolicy, Settings, Window, spell
from rmcagent.model import Remedy
from rmcagent.partition import act
from rmcagent.reason.ladder import DISRUPTIVE

DAY, MONTH = timedelta(days=1), timedelta(days=30)
# How long RMC is away each time, at RSCT's usual pace [my inference: a minute is what admins tell of a recycle, minutes of the
# other]. Every other remedy leaves a running RMC alone.
USUAL: Mapping[Remedy, timedelta] = {Remedy.RECYCLE: timedelta(seconds=60), Remedy.RECFGCT: timedelta(seconds=180)}

MOST_COUNTED = 10_000             # starts placed one by one; a policy that allows more is told by the rule of thumb
MOST_PLACED = 100_000             # over all the moments at which a stretch may begin
TICK = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1) // TICK
DAY_MINUTES, WEEK_MINUTES = 1440, 7 * 1440
DST = timedelta(hours=1)          # the hour that may repeat
A_MONDAY = datetime(2024, 1, 1)


@dataclass(frozen=True)
class Bound:
    """What the policy lets one remedy do at most, in any 24 h and in any 30 days.

    `a_day` and `a_month` hold whatever happens. `paced_...` hold while no attempt is cut short: one that was starts no cooldown.
    """

    remedy: Remedy
    mode: str                     # act | shadow | off | observe: what it comes to
    a_day: int
    a_month: int
    paced_a_day: int
    paced_a_month: int
    usual: timedelta = timedelta(0)      # RMC away, each time
    longest: timedelta = timedelta(0)    # the same, by the time-outs of the steps
    pace: timedelta = timedelta(0)       # from one start to the next, where none is cut short
    window: str = ""


def bounds(settings: Settings) -> Tuple[Bound, ...]:
    """A row for each remedy, gentlest first."""
    return tuple(_bound(remedy, settings) for remedy in Remedy)


def most_starts(budgets: Sequence[Budget], span: timedelta, window: Optional[Window] = None,
                late: timedelta = timedelta(0)) -> int:
    """The most starts that any stretch of `span` can hold, that all budgets and the window let through; never too few.

    `late`: how old an answer that the window is open may be.
    """
    loose = min(budget.times * -(-span // budget.span) for budget in budgets)
    if loose > MOST_COUNTED:
        return loose
    limits = [(budget.times, budget.span // TICK) for budget in budgets]
    anywhen = _placed(limits, 0, span // TICK, (0,))
    return anywhen if window is None else min(anywhen, _within(limits, span // TICK, loose, window, DST + late))


def mode_of(policy: RemedyPolicy, settings: Settings) -> str:
    """What the agent's mode and the remedy's own come to."""
    modes = (policy.mode, settings.mode)
    return next((mode for mode in ("off", "observe", "shadow") if mode in modes), "act")


def _bound(remedy: Remedy, settings: Settings) -> Bound:
    policy = settings.remedies[remedy.value]
    mode = mode_of(policy, settings)
    if mode != "act":
        return Bound(remedy, mode, 0, 0, 0, 0)
    # No start before the last attempt is judged, nor before its cooldown is over; what its steps take comes on top.
    pace = max(policy.settle, policy.cooldown)
    late = 3 * settings.cadence.look + settings.timeout        # guards.stale
    a_day, a_month, paced_a_day, paced_a_month = (
        most_starts(budgets, span, policy.window, late)
        for budgets in (policy.budget, (*policy.budget, Budget(1, pace))) for span in (DAY, MONTH))
    return Bound(remedy, mode, a_day, a_month, paced_a_day, paced_a_month,
                 USUAL[remedy] if remedy in DISRUPTIVE else timedelta(0), _longest(remedy), pace, str(policy.window or ""))


def _longest(remedy: Remedy) -> timedelta:
    """What the steps may take from the first that touches RMC on, each of them to its limit."""
    if remedy not in DISRUPTIVE:
        return timedelta(0)
    commands = {name: f"/{name}" for name in ("rmcctrl", "recfgct")}
    steps = act.deed(0, remedy, "", commands, {"var_ct": "/", "node_id": "/"}).steps
    return timedelta(seconds=sum(step.timeout * step.tries for step in steps if not step.argv[0].startswith("@")))


# ---- how many fit

def _placed(limits: Sequence[Tuple[int, int]], begin: int, end: int, waits: Sequence[int]) -> int:
    """How many starts fit into [begin, end), each as early as it may: no other order fits more, for an earlier start only
    lets all later ones begin earlier. `waits`: minutes until the window is open, by the minute of the week."""
    placed: List[int] = []
    while True:
        earliest = max([begin, *(placed[-times] + span for times, span in limits if len(placed) >= times)])
        minute = earliest // MINUTE
        wait = waits[minute % len(waits)]
        at = (minute + wait) * MINUTE if wait else earliest
        if at >= end:
            return len(placed)
        placed.append(at)


def _within(limits: Sequence[Tuple[int, int]], span: int, loose: int, window: Window, longer: timedelta) -> int:
    """The most over all the moments at which a stretch may begin. Those of one slot are judged together, by its first moment
    for the first start and by its last for the end, so that none is missed; slots are as short as the work allows."""
    waits = _waits(window, longer)
    if not waits:
        return 0
    period = DAY_MINUTES if len(window.days) == 7 else WEEK_MINUTES
    slot = -(-period * max(1, loose) // MOST_PLACED)
    begins = ((minute, minute + waits[minute]) for minute in range(0, period, slot))
    return max(_placed(limits, first * MINUTE, (minute + slot) * MINUTE + span, waits)
               for minute, first in begins if first < minute + slot)


def _waits(window: Window, longer: timedelta) -> Tuple[int, ...]:
    """Minutes until it is open, for each minute of a week; a window counts as open for `longer` than it is."""
    more = -(-longer // TICK // MINUTE)
    states = [window.open_at(A_MONDAY + timedelta(minutes=minute)) for minute in range(WEEK_MINUTES)]
    if not any(states):
        return ()
    closed_for = WEEK_MINUTES
    opened: List[bool] = []
    for is_open in (*states, *states):          # twice: what is open on Sunday night lasts into Monday
        closed_for = 0 if is_open else closed_for + 1
        opened.append(closed_for <= more)
    waits, wait = [0] * WEEK_MINUTES, WEEK_MINUTES
    for minute in range(2 * WEEK_MINUTES - 1, -1, -1):
        wait = 0 if opened[WEEK_MINUTES + minute % WEEK_MINUTES] else wait + 1
        waits[minute % WEEK_MINUTES] = wait
    return tuple(waits)


# ---- what is said of it

NOT_COUNTED = ("Not counted: how long RMC stays stopped by a remedy that died half-way, until it is finished (which spends no "
               "start budget); what is done without the agent. Guards and the ladder only lower these numbers.")
COLUMNS = 78
WIDEST = 99_999_999


def away(rows: Sequence[Bound], span: timedelta) -> Tuple[timedelta, timedelta]:
    """(usual, longest) time for which remedies take RMC away, in any 24 h or, of `MONTH`, in any 30 days."""
    times = {row.remedy: row.a_month if span == MONTH else row.a_day for row in rows}
    usual = sum(row.usual // TICK * times[row.remedy] for row in rows)
    longest = sum(row.longest // TICK * times[row.remedy] for row in rows)
    return min(usual, span // TICK) * TICK, min(longest, span // TICK) * TICK


def text(rows: Sequence[Bound]) -> Tuple[str, ...]:
    """A table for 80 columns, and under it what it rests upon."""
    return (
        "The most that this policy allows, in any 24 h and in any 30 days:",
        "",
        f"{'':18}{'begun':>18}   {'RMC away, minutes':>18}   {'by time-outs':>18}",
        f"{'remedy':<9} {'mode':<8}{'24 h':>9} {'30 d':>8}   {'24 h':>9} {'30 d':>8}   {'24 h':>9} {'30 d':>8}",
        *(f"{row.remedy.value:<9} {row.mode:<8}{_count(row.a_day):>9} {_count(row.a_month):>8}   {_minutes((row,))}".rstrip()
          for row in rows),
        f"{'together':<36}   {_minutes(rows)}".rstrip(),
        "",
        *(line for said in (*map(_paced, rows), *map(_windowed, rows), _assumed(rows), NOT_COUNTED)
          for line in wrap(said, COLUMNS)),
    )


def document(rows: Sequence[Bound]) -> Dict[str, Any]:
    """The same as plain values for JSON."""
    return {
        "remedies": [{
            "remedy": row.remedy.value, "mode": row.mode, "a_day": row.a_day, "a_month": row.a_month,
            "paced_a_day": row.paced_a_day, "paced_a_month": row.paced_a_month, "pace_seconds": row.pace.total_seconds(),
            "window": row.window,
            "away_usual_seconds": row.usual.total_seconds(), "away_longest_seconds": row.longest.total_seconds(),
        } for row in rows],
        **{f"away_{name}": dict(zip(("usual_seconds", "longest_seconds"), (time.total_seconds() for time in away(rows, span))))
           for name, span in (("a_day", DAY), ("a_month", MONTH))},
    }


def _minutes(rows: Sequence[Bound]) -> str:
    if not any(row.longest for row in rows):
        return ""
    day, month = away(rows, DAY), away(rows, MONTH)
    shown = [-(-time // TICK // MINUTE) for time in (day[0], month[0], day[1], month[1])]
    return f"{shown[0]:>9} {shown[1]:>8}   {shown[2]:>9} {shown[3]:>8}"


def _count(number: int) -> str:
    return str(number) if number < WIDEST else "many"


def _paced(row: Bound) -> str:
    """How often where no attempt is cut short, if that is less."""
    if (row.paced_a_day, row.paced_a_month) == (row.a_day, row.a_month):
        return ""
    return (f"{row.remedy.value}: {_count(row.paced_a_day)} in 24 h and {_count(row.paced_a_month)} in 30 d, {spell(row.pace)} "
            "apart, where none is cut short.")


def _windowed(row: Bound) -> str:
    if not row.window:
        return ""
    return f"{row.remedy.value}: within {row.window} only, taken as an hour longer for the one that DST repeats."


def _assumed(rows: Sequence[Bound]) -> str:
    taking = [row for row in rows if row.longest]
    if not taking:
        return "Nothing that this policy lets be done takes RMC away."
    return (f"RMC is away as is usual, {_each(taking, 'usual')}; or, where each command takes all of its time, "
            f"{_each(taking, 'longest')}: one that takes longer is told and waited for, not killed.")


def _each(rows: Sequence[Bound], name: str) -> str:
    return " and ".join(f"{spell(getattr(row, name))} a {row.remedy.value}" for row in rows)
