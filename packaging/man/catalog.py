"""rmcagent.catalog: the journal's explanation of each event, as `journalctl -x` shows it."""
from __future__ import annotations

import textwrap

from rmcagent.report.events import EVENTS, NOTHING, Meaning

COLUMNS = 76


def text() -> str:
    """The catalogue."""
    return "\n".join(_entry(code, event) for code, event in EVENTS.items())


def _entry(code: str, event: Meaning) -> str:
    """The agent leaves MESSAGE_ID out where a field shown here is missing, so that no name stands for a value."""
    facts = [f"{name.replace('_', ' ').capitalize() + ':':<12} @RMCAGENT_{name.upper()}@" for name in event.shows]
    meaning = textwrap.wrap(f"{code}: {event.meaning}", COLUMNS)
    do = textwrap.wrap(f"What to do: {event.do}", COLUMNS) if event.do != NOTHING else []
    told = "\n\n".join("\n".join(part) for part in (meaning, facts, do) if part)
    return f"""-- {event.message_id}
Subject: rmcagent: {event.name}
Defined-By: rmcagent
Documentation: man:rmcagent(8)

{told}
"""
