"""What an answer or a log is, what it says, and what that means for RMC: one text alone, read without RSCT and without rights."""
from __future__ import annotations

from rmcagent.classify.read import LONGEST_TEXT, tell
from rmcagent.classify.told import Told, complaint, document, text

__all__ = ["LONGEST_TEXT", "Told", "complaint", "document", "tell", "text"]
