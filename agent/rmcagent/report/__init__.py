"""Where events go: one table of them, and a sink a module. Reporter tells, publish replaces a document."""
from __future__ import annotations

from rmcagent.report.events import EVENTS, Event
from rmcagent.report.files import HANGS, Aside, Once, overwrite, publish, withdraw, words
from rmcagent.report.reporter import Reporter
from rmcagent.report.text import LINE_BYTES, line

__all__ = ["EVENTS", "HANGS", "LINE_BYTES", "Aside", "Event", "Once", "Reporter", "line", "overwrite", "publish", "withdraw",
           "words"]
