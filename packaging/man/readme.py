"""The README's two tables of events: what each is called, and what it means and asks of a human."""
from __future__ import annotations

import textwrap
from typing import Iterator

from rmcagent.report import EVENTS

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
        yield from textwrap.wrap(f"* **{code}** {event.meaning} {'' if event.do == 'Nothing.' else event.do}", WIDTH,
                                 subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
