"""The table of events: the journal's catalogue is made of it, and what it says of an event's fields is so."""
from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import FrozenSet, Iterable, Iterator, List, Mapping, NamedTuple, Set, Tuple

import house
from day import HOUR, Day
from rmcagent.report.events import EVENTS, Event

CATALOG = Path(__file__).resolve().parent.parent / "packaging" / "linux" / "rmcagent.catalog"


def test_message_ids_are_128_bits_and_no_two_alike() -> None:
    ids = [event.message_id for event in EVENTS.values()]

    assert all(re.fullmatch(r"[0-9a-f]{32}", told) for told in ids) and len(set(ids)) == len(ids)


def test_message_ids_never_change() -> None:
    """Somebody's filters name them. A row that is added gets a line here."""
    assert [event.message_id[:8] for event in EVENTS.values()] == """
        a67bc027 01e82d16 1ae92d32 beaa3dcb b13b0cc5 32a93dc3 f048234e 08ef8a7b 7b973a43 d6ff8a16
        3b3ab640 cee7e293 49879efb 0de4b784 380b3644 404c8406 265bc24b c732272c 8fec9ae0 9c78fe86""".split()


def test_the_catalogue_has_an_entry_for_each_event_in_the_form_journalctl_reads() -> None:
    entries = ("\n" + CATALOG.read_text("ascii")).split("\n-- ")[1:]

    assert len(entries) == len(EVENTS)
    for entry, (code, event) in zip(entries, EVENTS.items()):
        head, _, body = entry.partition("\n\n")
        assert head.splitlines() == [event.message_id, f"Subject: rmcagent: {event.name}", "Defined-By: rmcagent",
                                     "Documentation: man:rmcagent(8)"]
        assert body.startswith(f"{code}: ")
        assert re.findall(r"@(\w+)@", body) == [f"RMCAGENT_{name.upper()}" for name in event.shows]
        assert all(len(line) <= 76 for line in body.splitlines())


# ---- the table and what is told

class Literal(NamedTuple):
    """An Event("RMCA...", "word", fields) as it stands in the agent, and the keys that its fields can have."""

    where: str
    code: str
    word: str
    keys: FrozenSet[str]


@cache
def literals() -> Tuple[Literal, ...]:
    return tuple(told for source in house.the_package() if "Event(" in source.text for told in told_by(source))


def told_by(source: house.Source) -> Iterator[Literal]:
    functions = [node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef)]
    named = {function.name: function for function in functions}
    for function in functions:
        for call, name in house.calls(function):
            if name == "Event" and isinstance(call.args[0], ast.Constant):
                code, word, *fields = call.args
                keys = {key for node in fields for key in keys_of(node, function, named, set())}
                yield Literal(f"{source.name}:{call.lineno}", ast.literal_eval(code), ast.literal_eval(word), frozenset(keys))


def keys_of(node: ast.AST, function: ast.FunctionDef, named: Mapping[str, ast.FunctionDef], known: Set[str]) -> Iterator[str]:
    """What its tuples begin with, and those of the variables and of the functions beside it of which it is made."""
    for part in ast.walk(node):
        if isinstance(part, ast.Tuple) and part.elts and isinstance(part.elts[0], ast.Constant):
            yield str(part.elts[0].value)
        elif isinstance(part, ast.Name) and part.id not in known:
            known.add(part.id)
            made: List[ast.AST] = [assign.value for assign in ast.walk(function) if isinstance(assign, ast.Assign)
                                   if part.id in re.findall(r"\w+", ast.unparse(assign.targets[0]))]
            for more in (*made, *filter(None, [named.get(part.id)])):
                yield from keys_of(more, function, named, known)


def test_each_event_of_the_table_is_told_somewhere_and_no_other() -> None:
    assert {told.code for told in literals()} == {*EVENTS}


def test_an_event_is_called_what_the_table_calls_it() -> None:
    """Who searches for what the manual, the catalogue or the README call it finds it."""
    assert [told for told in literals() if told.word != EVENTS[told.code].name] == []


def test_each_place_that_tells_an_event_gives_it_the_fields_that_the_table_shows() -> None:
    assert [told for told in literals() if not {*EVENTS[told.code].shows} <= told.keys] == []


# A mode, how long it is lived in, and what happens at once.
DAYS: Tuple[Tuple[str, float, Tuple[Tuple[str, ...], ...]], ...] = (
    ("act", 0.5, (("crash", "ctrmc"),)),
    ("shadow", 0.5, (("crash", "ctrmc"),)),
    ("act", 1.0, (("stick_session", "192.0.2.21", "recfgct"), ("define_peer_domain",))),
    ("act", 0.5, (("hmc_unreachable",),)),
    ("act", 0.5, (("hang_command", "lssrc"),)),
    ("act", 2.5, (("ctrmc_wont_start", "99"), ("crash", "ctrmc"))),
)


def test_every_event_has_the_fields_that_the_catalogue_shows(tmp_path: Path) -> None:
    """A field that is missing would cost the entry its explanation: a Day insists on it."""
    told = list(lived(tmp_path))

    assert {event.code for event in told} >= {"RMCA1006W", "RMCA2001W", "RMCA2002N", "RMCA3001N", "RMCA3002N", "RMCA3003W",
                                              "RMCA3004W", "RMCA3005N", "RMCA4001E", "RMCA4002W"}


def lived(folder: Path) -> Iterable[Event]:
    for number, (mode, hours, troubles) in enumerate(DAYS):
        day = Day(folder / str(number), policy=f"mode: {mode}\n")
        day.run(HOUR / 6)
        for trouble, *arguments in troubles:
            day.do(trouble, *(int(word) if word.isdigit() else word for word in arguments))
        day.run(hours * HOUR)
        yield from day.events
