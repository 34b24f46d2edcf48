"""What the README has of the program's tables: the events, what each means and asks of a human, and the exit codes."""
from __future__ import annotations

import textwrap
from typing import Iterator

from rmcagent.report import EVENTS
from rmcagent.report.events import NOTHING
from rmcagent.show.codes import CHECK_EXITS, OTHER_EXITS, PLAN_EXITS, STATUS_EXITS

BEGIN, END = "<!-- {} made by packaging/man/make.py -->", "<!-- until here -->"
WIDTH = 130
EXITS = {"rmcagent status": STATUS_EXITS, "rmcagent check": CHECK_EXITS, "rmcagent plan": PLAN_EXITS, "All others": OTHER_EXITS}
RUN_EXITS = "`rmcagent run` ends with 0 after a clean stop, and with 6 where its configuration is invalid."


def text(readme: str) -> str:
    """The README, with what stands between the marks made anew."""
    for what, lines in (("events", _events()), ("exit codes", _exits())):
        wanted = BEGIN.format(what)
        before, begin, rest = readme.partition(wanted)
        made, end, after = rest.partition(END)
        if not (begin and end) or wanted in after:
            raise SystemExit(f"cannot find the one place of the {what} in README.md: put it between {wanted} and {END}")
        readme = "\n".join([before + begin, "", *lines, "", end + after])
    return readme


def _events() -> Iterator[str]:
    yield from ["| code | what happened |", "|---|---|"]
    yield from (f"| {code} | {event.name} |" for code, event in EVENTS.items())
    yield from ["", "What each means, and what to do:", ""]
    for code, event in EVENTS.items():
        told = f"* **{code}** {event.meaning} {to_do(event.do)}"
        yield from textwrap.wrap(told, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _exits() -> Iterator[str]:
    yield from ["| verb | code | |", "|---|---|---|"]
    for verb, codes in EXITS.items():
        cell = f" `{verb}`" if verb.startswith("rmcagent") else f" {verb.lower()}"
        for code, meaning in codes.items():
            yield f"|{cell} | {code} | {meaning} |"
            cell = ""
    yield from ["", RUN_EXITS]


def to_do(text: str) -> str:
    """What a human does, where there is anything to do."""
    return "" if text == NOTHING else f"To do: {text[:1].lower()}{text[1:]}"
