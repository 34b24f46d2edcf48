"""The picture of a timeline, for history and rehearsals: lanes of states and marks in, one self-contained SVG out; pure."""
from __future__ import annotations

from rmcagent.picture.draw import Bar, Lane, Mark, svg
from rmcagent.picture.looks import kind

__all__ = ["Bar", "Lane", "Mark", "kind", "svg"]
