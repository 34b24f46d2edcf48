"""Kept events as `history` prints them: text and JSON, since when, and what they come to. Pure."""
from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Dict, List, Optional, Sequence

from rmcagent.show.history.story import (
    BEGUN,
    FOUND,
    GONE,
    HEALED,
    HUMAN,
    REFUSED,
    SHADOW,
    STARTED,
    STOPPED,
    UNHEALED,
    Ended,
    Record,
    Row,
    Story,
    problem,
    repeats,
)
from rmcagent.show.screen import NARROWEST, clean, few, wrapped

BESIDE = 9                                # columns of a time and a blank; what is told of an event stands beside it
INLINE = 28                               # a longer value, or one of several words, has lines of its own
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
COLOURS = {GONE: 32, HEALED: 32, "W": 33, "E": 31}
OUTCOMES = {"unchanged": "changed nothing", "unknown": "could not be judged", "interrupted": "interrupted"}
AGO = re.compile(r"([0-9]{1,6})(s|m|h|d|w)")
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?)?")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


# ---- since when

def since_when(text: str, now: datetime) -> datetime:
    """The moment that --since names: `2h` or `7d` ago, or a date with or without a time. Raises ValueError, with a sentence."""
    try:
        moment = _moment(text, now)
    except (ValueError, OverflowError):
        moment = None
    if moment is None or not 1970 <= moment.year <= 9000:
        raise ValueError(f"cannot tell since {clean(text, 60)}: give how long ago, as in 90m, 12h or 7d, or a moment, as in "
                         "2026-05-04 or 2026-05-04T14:30")
    if moment > now:
        raise ValueError(f"cannot tell since {clean(text, 60)}: that is yet to come, it is {_said(now)} now")
    return moment


def _moment(text: str, now: datetime) -> Optional[datetime]:
    ago = AGO.fullmatch(text)
    if ago:
        return now - timedelta(seconds=int(ago[1]) * UNITS[ago[2]])
    if not MOMENT.fullmatch(text):
        return None
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment.astimezone(now.tzinfo if moment.tzinfo is not None else None)       # None: here


# ---- text

def text(record: Record, since: Optional[datetime], now: datetime, columns: int = 80, colour: bool = False) -> str:
    """The events since then, newest last, and what they come to; in ASCII."""
    teller = Teller(columns, colour, since)
    told = "".join(teller.told(row) for row in record.rows)
    return told + ("\n" if told else "") + _summary(record, teller, since, now)


class Teller:
    """Tells events one after the other; owns the day it tells of, and the story so far."""

    def __init__(self, columns: int = 80, colour: bool = False, since: Optional[datetime] = None) -> None:
        self.columns, self.colour, self.since = max(columns, NARROWEST), colour, since
        self.story = Story()
        self.day = ""

    def told(self, row: Row, just_came: bool = False) -> str:
        """The event's lines, below its day's where that is another; "" where it is too old, which what just came never is: its
        time has no parts of a second, and the clock may have been set back."""
        ended = self.story.follow(row)
        if self.since is not None and row.at < self.since and not just_came:
            return ""
        lines = self._heading(row.at)
        beside = [line for sentence in _sentences(row, ended) for line in wrapped(sentence, self.columns - BESIDE)]
        lines.append(f"{row.at:%H:%M:%S} {self._coloured(beside[0], row.code)}")
        lines += [" " * BESIDE + line for line in beside[1:]]
        return "".join(f"{line.rstrip()}\n" for line in lines)

    def _heading(self, at: datetime) -> List[str]:
        day = f"{at.date().isoformat()} {DAYS[at.weekday()]}, {at.isoformat()[19:].lstrip('.0123456789')}"
        before, self.day = self.day, day
        return [] if day == before else ["", day] if before else [day]

    def _coloured(self, line: str, code: str) -> str:
        number = COLOURS.get(code) or COLOURS.get(code[-1:])
        return f"\x1b[{number}m{code}\x1b[0m{line[len(code):]}" if self.colour and number and line.startswith(code) else line


def _sentences(row: Row, ended: Optional[Ended]) -> List[str]:
    """The event in a sentence, and one for each longer thing that is told of it."""
    fields = dict(row.fields)
    left = {key: value for key, value in fields.items() if key not in ("remedy", "fault", "subject", "outcome") and value}
    treated = " for ".join(part for part in (fields.get("remedy", ""), problem(fields)) if part)
    words = [treated] if treated else []
    if ended is not None and ended.known:
        lasted = length(row.at - ended.since)
        words.append(f"down for {lasted}" if row.code == STARTED else f"after {lasted}")
    outcome = fields.get("outcome", "")
    words += [OUTCOMES[outcome]] if row.code == UNHEALED and outcome != "unchanged" and outcome in OUTCOMES else []
    healed = left.pop("healed", "")
    words += [f"healed {healed}"] if healed else []
    inline = [key for key, value in left.items() if len(value) <= INLINE and " " not in value]
    words += [f"{key} {left.pop(key)}" for key in inline]
    sentences = [f"{row.code} {row.word}" + (f": {', '.join(words)}" if words else "")]
    sentences += [f"{key}: {value}" for key, value in left.items()]
    if ended is not None and not ended.known:
        sentences.append(f"It had not been stopped: it may have been down since {_said(ended.since)}, its last event.")
    return sentences


def _summary(record: Record, teller: Teller, since: Optional[datetime], now: datetime) -> str:
    rows = [row for row in record.rows if (since is None or row.at >= since) and not repeats(row)]
    codes = Counter(row.code for row in rows)
    begins = record.rows[0].at if record.rows else None
    if begins is None:
        head = ["No event is on record here: the agent has told none yet, or paths.state names another folder."]
    else:
        back = since is None or begins > since
        span = f"since {_said(begins if back or since is None else since)}" + (", where the record begins" if back else "")
        nothing = f"Nothing happened since {_said(since or begins)}; the record goes back to {_said(begins)}."
        head = [f"{_counts(rows, codes)}; {span}." if rows else nothing]
    head += few([f"Still there: {key}, since {_said(row.at)} ({length(now - row.at)})."
                 for key, row in teller.story.problems.items()])
    if teller.story.last is not None and teller.story.last.code == STOPPED:
        head.append(f"The agent is stopped since {_said(teller.story.last.at)}.")
    if record.skipped:
        head.append(f"{_many(record.skipped, 'line')} of the record could not be read.")
    return "".join(f"{line}\n" for sentence in head for line in wrapped(sentence, teller.columns))


def _counts(rows: Sequence[Row], codes: Counter[str]) -> str:
    """As in `2 problems (1 gone), 3 remedies begun (1 healed, 2 changed nothing), 1 refused`."""
    unhealed = [dict(row.fields).get("outcome", "") for row in rows if row.code == UNHEALED]
    outcomes = Counter(OUTCOMES.get(outcome, "changed nothing") for outcome in unhealed)
    came = [f"{number} {what}" for what, number in (("healed", codes[HEALED]), *outcomes.items()) if number]
    parts = [_many(codes[FOUND], "problem") + (f" ({codes[GONE]} gone)" if codes[GONE] else ""),
             (f"{_many(codes[BEGUN], 'remedy', 'remedies')} begun") + (f" ({', '.join(came)})" if came else "")]
    others = ((REFUSED, "refused"), (SHADOW, "in shadow only"), (HUMAN, "for a human"))
    return ", ".join(parts + [f"{codes[code]} {what}" for code, what in others if codes[code]])


def _many(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"


def _said(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def length(time: timedelta) -> str:
    """Its two greatest units: 12m, 17m 30s, 2h 5m, 3d; a clock that was set back makes it unknown."""
    seconds = round(time.total_seconds())
    if seconds < 0:
        return "an unknown time"
    units = ((seconds // 86400, "d"), (seconds % 86400 // 3600, "h"), (seconds % 3600 // 60, "m"), (seconds % 60, "s"))
    first = next((at for at, (number, _) in enumerate(units) if number), 3)
    return " ".join(f"{number}{unit}" for number, unit in units[first:first + 2] if number) or "0s"


# ---- JSON

def document(record: Record, since: Optional[datetime]) -> Dict[str, Any]:
    """What `history --json` says; every string in it is safe to print."""
    story = Story()
    events = [(row, event(row, story)) for row in record.rows]
    return {"schema": 1, "since": _said(since) if since is not None else None,
            "record_begins": _said(record.rows[0].at) if record.rows else None,
            "events": [told for row, told in events if since is None or row.at >= since], "skipped": record.skipped}


def event(row: Row, story: Story) -> Dict[str, Any]:
    """One event, as a line of `history --follow --json` has it; `after_seconds` is how long what it ended had lasted."""
    ended = story.follow(row)
    told: Dict[str, Any] = {"at": _said(row.at), "code": clean(row.code), "word": clean(row.word), "level": row.code[-1:],
                            "fields": {clean(key): clean(value) for key, value in row.fields}}
    if ended is not None and ended.known and row.at >= ended.since:
        told["after_seconds"] = round((row.at - ended.since).total_seconds())
    return told
