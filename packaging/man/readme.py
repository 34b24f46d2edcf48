"""The README's two tables of events: what each is called, and what it means and asks of a human."""
from __future__ import annotations

import textwrap
from typing import Iterator

from rmcagent.report import EVENTS
from rmcagent.report.events import NOTHING

BEGIN, END = "<!-- made by packaging/man/make.py -->", "<!-- until here -->"
WIDTH = 130


def text(readme: str) -> str:
    """The README, with what stands between the marks made anew."""
    before, begin, rest = readme.partition(BEGIN)
    made, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in after:
        raise SystemExit(f"cannot find the one place of the events in README.md: put it between {BEGIN} and {END}")
    return "\n".join([before + begin, "", *_events(), "", end + after])


def _events() -> Iterator[str]:
    yield from ["| code | what happened |", "|---|---|"]
    yield from (f"| {code} | {event.name} |" for code, event in EVENTS.items())
    yield from ["", "What each means, and what to do:", ""]
    for code, event in EVENTS.items():
        told = f"* **{code}** {event.meaning} {to_do(event.do)}"
        yield from textwrap.wrap(told, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def to_do(text: str) -> str:
    """What a human does, where there is anything to do."""
    return "" if text == NOTHING else f"To do: {text[:1].lower()}{text[1:]}"
