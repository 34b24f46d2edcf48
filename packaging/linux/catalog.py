"""Prints rmcagent.catalog, the journal's explanation of every event, from the agent's own table of them.

    python3 packaging/linux/catalog.py > packaging/linux/rmcagent.catalog
"""
from __future__ import annotations

import sys
import textwrap
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "agent"))
from rmcagent.report.events import EVENTS, NOTHING, Meaning  # noqa: E402

COLUMNS = 76


def catalog() -> str:
    return "\n".join(entry(code, event) for code, event in EVENTS.items())


def entry(code: str, event: Meaning) -> str:
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


if __name__ == "__main__":
    sys.stdout.write(catalog())
