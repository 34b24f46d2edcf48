"""What is told of the events that the agent kept: history, as text, JSON, a picture, or as they come."""
from __future__ import annotations

import json
import select
import sys
from datetime import datetime
from typing import Callable, Iterable, Iterator, Optional, Tuple

from rmcagent.clock import SystemClock
from rmcagent.command.arguments import DONE, USAGE, Asked, Cannot, as_json, colour, columns
from rmcagent.command.files import state
from rmcagent.report import kept
from rmcagent.show.history import Story, Teller, document, event, since_when, text


def history(asked: Asked) -> int:
    clock = SystemClock()
    now = clock.now().astimezone()
    since = _since(asked, now)
    if "--svg" in asked.options and (asked.json or "--follow" in asked.options):
        raise Cannot(USAGE, f"cannot take --svg with {'--json' if asked.json else '--follow'}: write one of them")
    record = kept.read(state(asked))
    if "--svg" in asked.options:
        _draw(asked.options["--svg"], record, since, now)
    elif "--follow" in asked.options:
        tell = _as_lines(since or now) if asked.json else Teller(columns(), colour(), since or now).told
        return _follow(tell, record, kept.follow(state(asked), record.place, clock))
    else:
        sys.stdout.write(as_json(document(record, since)) + "\n" if asked.json else text(record, since, now, columns(), colour()))
    return DONE


def _since(asked: Asked, now: datetime) -> Optional[datetime]:
    try:
        return since_when(asked.options["--since"], now) if "--since" in asked.options else None
    except ValueError as wrong:
        raise Cannot(USAGE, str(wrong)) from None


def _draw(path: str, record: kept.Record, since: Optional[datetime], now: datetime) -> None:
    from rmcagent.show.history.timeline import picture
    from rmcagent.whole import written

    with written(path, "--svg", 0o600, over=True) as write:      # as private as what it is drawn from
        write(picture(record, since, now).encode("ascii"))


def _follow(tell: Callable[[kept.Row, bool], str], record: kept.Record, coming: Iterator[Tuple[kept.Row, ...]]) -> int:
    """What is on record, and what comes, until Ctrl-C or until nobody reads it: the only ways to end it, and so good ones."""
    try:
        _write(tell(row, False) for row in record.rows)
        for rows in coming:
            _write(tell(row, True) for row in rows)
            if _nobody_reads():
                break
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    return DONE


def _as_lines(since: datetime) -> Callable[[kept.Row, bool], str]:
    story = Story()

    def tell(row: kept.Row, just_came: bool) -> str:
        told = event(row, story)
        return json.dumps(told, sort_keys=True) + "\n" if just_came or row.at >= since else ""

    return tell


def _write(texts: Iterable[str]) -> None:
    sys.stdout.write("".join(texts))
    sys.stdout.flush()


def _nobody_reads() -> bool:
    """A pipe whose reader is gone; only a write would tell, and there may be none for days."""
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):         # no descriptor at all
        return False
    return bool(poll.poll(0))
