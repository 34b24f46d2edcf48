"""What is told of the events that the agent kept: history, as text, JSON, a picture, or as they come."""
from __future__ import annotations

import sys
from datetime import datetime
from typing import Iterator, Optional, Tuple

from rmcagent.clock import SystemClock
from rmcagent.command.arguments import DONE, USAGE, Asked, Cannot, as_json, colour, columns
from rmcagent.command.files import state
from rmcagent.report import kept
from rmcagent.show.history import Teller, document, since_when, text


def history(asked: Asked) -> int:
    clock = SystemClock()
    now = clock.now().astimezone()
    since = _since(asked, now)
    _one_kind(asked)
    record = kept.read(state(asked))
    if "--svg" in asked.options:
        _draw(asked.options["--svg"], record, since, now)
    elif asked.json:
        sys.stdout.write(as_json(document(record, since)) + "\n")
    elif "--follow" in asked.options:
        return _follow(Teller(columns(), colour(), since or now), record, kept.follow(state(asked), record.place, clock))
    else:
        sys.stdout.write(text(record, since, now, columns(), colour()))
    return DONE


def _since(asked: Asked, now: datetime) -> Optional[datetime]:
    try:
        return since_when(asked.options["--since"], now) if "--since" in asked.options else None
    except ValueError as wrong:
        raise Cannot(USAGE, str(wrong)) from None


def _one_kind(asked: Asked) -> None:
    kinds = [option for option in ("--json", "--follow", "--svg") if option in asked.options]
    if len(kinds) > 1:
        raise Cannot(USAGE, f"cannot take {kinds[0]} with {kinds[1]}: write one of them")


def _draw(path: str, record: kept.Record, since: Optional[datetime], now: datetime) -> None:
    from rmcagent.show.history.timeline import picture
    from rmcagent.whole import written

    with written(path, "--svg", 0o644, over=True) as write:
        write(picture(record, since, now).encode("ascii"))


def _follow(teller: Teller, record: kept.Record, coming: Iterator[Tuple[kept.Row, ...]]) -> int:
    """What is on record since then, and what comes, until Ctrl-C: the only way to end it, and so a good one."""
    try:
        _tell(teller, record.rows)
        for rows in coming:
            _tell(teller, rows)
    except KeyboardInterrupt:
        pass
    return DONE


def _tell(teller: Teller, rows: Tuple[kept.Row, ...]) -> None:
    sys.stdout.write("".join(map(teller.told, rows)))
    sys.stdout.flush()
