"""JSON without the module json: never another value, and never another text, than json's own."""
from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from rmcagent import json_text
from rmcagent.json_text import Unlike

NUMBERS = some.integers(-10**22, 10**22) | some.floats(allow_nan=False, allow_infinity=False)
TEXTS = some.text() | some.text("\"\\/:,{}[] u\n\t\x7fab0", max_size=12)
VALUES = some.recursive(some.none() | some.booleans() | NUMBERS | TEXTS,
                        lambda inner: some.lists(inner, max_size=4) | some.dictionaries(TEXTS, inner, max_size=4), max_leaves=20)
LIKE = {"a: b": [], "b": {}, "c": [1, -2, 0.25, -0.0, True, False, None], "d": "1,",
        "e": [{"quoted": 'a "b"\\ \u00fc \n/', "ends": 'a", "b'}]}
LETTERS = '{}[]",:\\ \n01-.eu\x00\x1f\x7f\u00fctn'


def read(text: str) -> Any:
    """What json_text reads; a word of its own for what it leaves to json."""
    try:
        return json_text.read(text)
    except Unlike:
        return Unlike


def loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return ValueError


def same(one: Any, other: Any) -> bool:
    """With their types and signs: 1 is not True, 0.0 not -0.0."""
    return repr(one) == repr(other)


@pytest.mark.parametrize("indent", [0, 1, 2])
@pytest.mark.parametrize("value", [LIKE, [LIKE, LIKE], 5, "a", None, {}, []])
def test_our_own_form_is_read(value: Any, indent: int) -> None:
    assert same(read(json.dumps(value, indent=indent)), value)
    assert same(read(json.dumps(value, indent=indent) + "\n"), value)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_what_is_read_is_what_json_reads(value: Any) -> None:
    text = json.dumps(value, indent=1)

    found = read(text)

    assert found is Unlike or same(found, value)


@settings(max_examples=120, deadline=None)
@given(VALUES | some.just(LIKE), some.integers(0, 400), some.integers(0, 3), some.sampled_from(LETTERS))
@example({"a": 1}, 9, 0, ",")
def test_a_damaged_text_is_never_read_otherwise_than_by_json(value: Any, at: int, gone: int, come: str) -> None:
    text = json.dumps(value, indent=1)
    damaged = text[:at] + come + text[at + gone:]

    found = read(damaged)

    assert found is Unlike or same(found, loaded(damaged))


@pytest.mark.parametrize("text", [
    "", "\n", "{", "}", "[\n]", "{\n}", "[\n1\n2\n]", "[\n1,\n]", '{\n"a": 1,\n}', '{\n"a": 1\n]', "[\n1\n}", "1,", "1\n2",
    "1\n\n", '{\n"a"\n}', "{\na: 1\n}", '{\n"a":1\n}', "[\n,\n]", "[1]", '{\n"a": 1\n"b": 2\n}',
    '"', '"a', '"a"b"', '"\\"', '"\\x41"', '"\\u12"', '"\\u+123"', '"\\u 123"', '"\\ud83d"', '"\t"',
    "01", "-", "-01", ".5", "5.", "+5", "1_0", "0x1", "NaN", "Infinity", "-Infinity", "1e5", "\u0661", "\u00fc", "tru", " \r1",
    "1" * 5000, "[" * 5000,
])
def test_what_json_refuses_or_has_another_form_is_left_to_json(text: str) -> None:
    assert read(text) is Unlike


@settings(max_examples=60, deadline=None)
@given(VALUES)
@example(LIKE)
@example("\U0001f600\ud800\x7f\x00")
@example(1e22)
def test_what_is_written_is_what_json_writes(value: Any) -> None:
    assert json_text.written(value) == json.dumps(value, sort_keys=True, indent=2)


def test_a_deep_text_is_no_trouble() -> None:
    text = "[\n" * 100_000

    with pytest.raises((Unlike, RecursionError)):
        json_text.read(text)
