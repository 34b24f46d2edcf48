"""Whatever a document carries, and wherever: nothing reaches a terminal, a check line or JSON unescaped, and nothing raises."""
from __future__ import annotations

import copy
import json
import time
from contextlib import contextmanager
from typing import Any, Callable, ContextManager, Dict, Iterator, List, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scenes
from rmcagent import show

HOSTILE = {
    "escapes": "\x1b[2J\x1b]0;owned\x07\x9b31m", "lines": "a\nb\r\nRMC OK: all is well\x85\u2028",
    "quotes": "\"quotes' and \\ and | 'x'=1;;;; <b>&amp; %s{0}", "bidi": "\u202eright to left\u2066",
    "surrogates": "\ud800\udfff lone", "letters": "\u4e2d\u6587 caf\u00e9", "blank": " \x00\x7f ", "long": "N" * 10_240,
}
ALL_AT_ONCE = "".join(HOSTILE.values())
STRANGE = (None, True, -1, 10**30, 1e308, float("nan"), float("-inf"), [], {}, [[]], [{}], [None, "x", 1], {"x": None}, "",
           "\ud800")
PLAIN = set(map(chr, range(0x20, 0x7F)))

Path = Tuple[Any, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where anything stands that is neither a table nor a list."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from leaves(item, (*path, key))
    if not isinstance(value, (dict, list)):
        yield path


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where anything at all stands, but for the document itself."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(item, (*path, key))


@contextmanager
def changed(path: Path, change: Callable[[Any, Any], None]) -> Iterator[Dict[str, Any]]:
    """DOCUMENT while the table or list at the end of the path is changed at its last key."""
    spots: List[Any] = [DOCUMENT]
    for key in path[:-1]:
        spots.append(spots[-1][key])
    kept = copy.copy(spots[-1])
    change(spots[-1], path[-1])
    yield DOCUMENT
    if isinstance(kept, dict):
        spots[-1].clear()
        spots[-1].update(kept)
    else:
        spots[-1][:] = kept


def planted(path: Path, what: Any) -> ContextManager[Dict[str, Any]]:
    return changed(path, lambda spot, key: spot.__setitem__(key, what))


def renamed(path: Path, what: str) -> ContextManager[Dict[str, Any]]:
    """The same with another key there: names of subsystems, remedies and messages are keys."""
    return changed(path, lambda spot, key: spot.__setitem__(what, spot.pop(key)))


def without(path: Path) -> ContextManager[Dict[str, Any]]:
    return changed(path, lambda spot, key: spot.__delitem__(key))


def fullest() -> Dict[str, Any]:
    """A document in which every list has a row, so that every leaf there can be is there."""
    document = copy.deepcopy(scenes.played("needs-human"))
    for name in ("paused", "hung", "storm"):
        other = scenes.played(name)
        document.update({key: copy.deepcopy(other[key]) for key, value in document.items() if not value and other.get(key)})
    document["log"] = copy.deepcopy(scenes.played("storm")["log"])
    for key in ("why", "events", "attempts", "decisions", "budgets"):
        rows = document[key]
        document[key] = rows[-1:] if isinstance(rows, list) else {"recycle": rows["recycle"]}
    return document


DOCUMENT = fullest()
SEEN: List[Path] = list(leaves(DOCUMENT))
ANYWHERE: List[Path] = list(places(DOCUMENT))


def texts(document: Any) -> Dict[str, str]:
    now = show.as_of(document, True, 12.3)
    why = now.get("why")
    entries = [entry for entry in why if isinstance(entry, dict)] if isinstance(why, list) else []
    return {
        "status": show.status_text(now), "plan": show.plan_text(document), "why": show.why_text(entries),
        "brief": show.brief_text(now), "check": show.check_text(document, True, 12.3),
        "old": show.status_text(show.as_of(document, True, 9999.0)),
    }


def assert_harmless(told: Dict[str, str]) -> None:
    for verb, text in told.items():
        lines = text.splitlines() if text else []
        assert set(text) - {"\n"} <= PLAIN, verb
        assert verb == "check" or all(len(line) <= 80 for line in lines), verb
    assert told["check"].count("\n") == told["brief"].count("\n") == 1
    assert told["check"].count("|") <= 1 and len(told["check"]) <= 1024
    assert max(told[verb].count("\n") for verb in ("status", "plan", "why")) <= 40


def test_the_document_that_is_planted_in_has_everything() -> None:
    keys = {key for path in ANYWHERE for key in path if isinstance(key, str)}

    assert {"pause", "until", "reason", "streaks", "about", "gaps", "refusals", "guard", "evidence_at", "events", "text", "why",
            "alternatives", "attempts", "outcome", "advice", "messages", "var_full_seconds", "budgets", "spent"} <= keys
    assert len(SEEN) > 150


def test_hostile_text_at_any_leaf_reaches_nobody_unescaped() -> None:
    for path in SEEN:
        with planted(path, ALL_AT_ONCE) as document:
            assert_harmless(texts(document))


@pytest.mark.slow
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_of_each_kind_at_any_leaf_reaches_nobody_unescaped(kind: str) -> None:
    for path in SEEN:
        with planted(path, HOSTILE[kind]) as document:
            assert_harmless(texts(document))


@pytest.mark.slow
def test_hostile_names_of_anything_reach_nobody_unescaped() -> None:
    for path in ANYWHERE:
        if isinstance(path[-1], str):
            with renamed(path, ALL_AT_ONCE) as document:
                assert_harmless(texts(document))


def test_whatever_stands_at_a_place_less_is_shown_and_nothing_fails() -> None:
    for number, path in enumerate(ANYWHERE[::4]):       # each of them with each is the slow test below
        with planted(path, STRANGE[number % len(STRANGE)]) as document:
            assert_harmless(texts(document))


def test_what_cannot_be_counted_with_is_left_out() -> None:
    for path in SEEN:
        if path[-1] in ("count", "spent", "times", "span_seconds", "bytes_per_second", "var_full_seconds", "free", "size", "pid"):
            for number in (float("nan"), 10**30):
                with planted(path, number) as document:
                    assert_harmless(texts(document))


@pytest.mark.slow
@pytest.mark.parametrize("what", STRANGE, ids=[repr(what)[:12] for what in STRANGE])
def test_whatever_stands_at_any_place_less_is_shown_and_nothing_fails(what: Any) -> None:
    for path in ANYWHERE:
        with planted(path, what) as document:
            assert_harmless(texts(document))


@pytest.mark.slow
def test_a_document_without_any_one_thing_is_shown() -> None:
    for path in ANYWHERE:
        with without(path) as document:
            assert_harmless(texts(document))


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
                    max_leaves=8)


@settings(max_examples=25)
@given(st.dictionaries(st.sampled_from(sorted(DOCUMENT)), JSON, max_size=6))
def test_a_foreign_document_is_shown_as_far_as_it_goes(foreign: Dict[str, Any]) -> None:
    assert_harmless(texts(foreign))
    assert show.plan_code(foreign) in (0, 10, 11, 13) and show.check_code(foreign, True, 1.0) in (0, 1, 2, 3)


@pytest.mark.parametrize("what", [*HOSTILE.values(), ALL_AT_ONCE], ids=[*HOSTILE, "all"])
def test_hostile_text_leaves_what_is_published_clean_and_json_ascii(what: str) -> None:
    """As the daemon makes it: strings are cleaned and bounded before anybody can read them."""
    hostile: Any = {"why": [{"because": what, what: what}], "events": [{"at": what, "text": what}], "version": what}

    told = show.plain(hostile, lambda moment: moment)

    assert all(text.isprintable() and len(text) <= 10 * show.LONGEST_TEXT for text in strings(told))
    assert json.dumps(told).isascii() and "\x1b" not in json.dumps(told, ensure_ascii=False)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.items() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        yield from strings(item)


def test_a_gigantic_string_costs_little() -> None:
    began = time.process_time()

    assert_harmless(texts({"verdict": "healthy", "because": "\x1b" * 400_000}))

    assert time.process_time() - began < 0.5
