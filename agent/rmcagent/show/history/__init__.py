"""`history`: kept events as text and JSON; as a picture: its timeline, which who prints text need not load. Pure."""
from __future__ import annotations

from rmcagent.show.history.story import Record, Row, Story
from rmcagent.show.history.told import Teller, document, event, since_when, text

__all__ = ["Record", "Row", "Story", "Teller", "document", "event", "since_when", "text"]
