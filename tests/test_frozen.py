"""What nouns are made with is what the standard library's dataclasses would have made of them."""
from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any, Dict, Mapping, Tuple

import pytest

from house import ROOT
from rmcagent import frozen, model
from rmcagent.config import nouns


def make(by: Any) -> Any:
    """The same class, made by one of the two."""
    @by.dataclass(frozen=True)
    class Point:
        across: int
        up: int = 2
        names: Mapping[str, int] = by.field(default_factory=dict)
        aside: Tuple[int, ...] = by.field(default=(), compare=False)

    return Point


OURS, THEIRS = make(frozen), make(dataclasses)


@pytest.mark.parametrize(("positional", "named"), [
    ((1,), {}), ((1, 5), {}), ((), {"across": 1, "aside": (3,)}), ((1,), {"names": {"a": 1}, "up": 0}), ((1, 2, {}, (9,)), {}),
])
def test_a_value_is_made_shown_and_copied_as_the_standard_one(positional: Tuple[Any, ...], named: Dict[str, Any]) -> None:
    ours, theirs = OURS(*positional, **named), THEIRS(*positional, **named)

    assert repr(ours) == repr(theirs)
    assert repr(frozen.replace(ours, up=7)) == repr(dataclasses.replace(theirs, up=7))
    assert frozen.asdict(ours) == dataclasses.asdict(theirs)


@pytest.mark.parametrize(("positional", "named"), [((), {}), ((1, 2, {}, (), 5), {}), ((1,), {"across": 2}), ((1,), {"down": 2})])
def test_what_no_class_takes_is_refused_in_the_same_words(positional: Tuple[Any, ...], named: Dict[str, Any]) -> None:
    with pytest.raises(TypeError) as theirs:
        THEIRS(*positional, **named)

    with pytest.raises(TypeError) as ours:
        OURS(*positional, **named)

    assert str(ours.value).replace("__init__", make.__name__) == str(theirs.value).replace("make.<locals>.Point.__init__", "make")


def test_values_are_equal_by_what_is_compared_and_of_their_own_class() -> None:
    assert OURS(1) == OURS(1, aside=(5,))
    assert OURS(1) != OURS(2)
    assert OURS(1) != THEIRS(1)


def test_equal_values_are_one_in_a_set() -> None:
    @frozen.dataclass(frozen=True)
    class Pair:
        left: int
        right: str = ""
        told: int = frozen.field(default=0, compare=False)

    assert len({Pair(1, "a"), Pair(1, "a", told=5), Pair(1, "b"), Pair(2, "a")}) == 3


def test_each_value_has_a_default_of_its_own() -> None:
    first, second = OURS(1), OURS(1)

    first.names["a"] = 1

    assert second.names == {}


def test_a_default_that_all_would_share_is_refused() -> None:
    with pytest.raises(ValueError, match="default_factory"):
        @frozen.dataclass(frozen=True)
        class Shared:
            names: Dict[str, int] = {}   # noqa: RUF012  (what is refused)


def test_what_is_frozen_cannot_be_changed_and_what_is_not_can() -> None:
    @frozen.dataclass
    class Open:
        count: int = 0

    changed = Open()
    changed.count = 5

    assert changed == Open(5)
    with pytest.raises(TypeError):
        hash(changed)
    with pytest.raises(AttributeError, match="cannot change up of a"):
        OURS(1).up = 3
    with pytest.raises(AttributeError, match="cannot change up of a"):
        del OURS(1).up


def test_the_standard_functions_take_our_classes_for_theirs() -> None:
    value = OURS(1, names={"a": 1})

    assert dataclasses.is_dataclass(OURS)
    assert [field.name for field in dataclasses.fields(OURS)] == ["across", "up", "names", "aside"]
    assert dataclasses.replace(value, up=9) == frozen.replace(value, up=9)
    assert dataclasses.asdict(value) == frozen.asdict(value)


def test_a_value_within_a_value_is_taken_apart_too() -> None:
    deed = model.Deed(1, model.Remedy.REFRESH, (model.Step("refresh", ("/bin/true",), 1.0),))

    assert frozen.asdict(deed) == dataclasses.asdict(deed)


def test_every_noun_can_be_replaced_by_itself() -> None:
    made = [kind for room in (model, nouns) for kind in vars(room).values() if hasattr(kind, "__fields__")]

    assert len(made) > 40
    assert all(dataclasses.is_dataclass(kind) for kind in made)


def test_nouns_load_neither_the_standard_module_nor_what_that_loads() -> None:
    told = subprocess.run(
        [sys.executable, "-I", "-c", "import sys; sys.path.insert(0, sys.argv[1]); import rmcagent.model; print(*sys.modules)",
         str(ROOT / "agent")], capture_output=True, text=True, check=True, timeout=60).stdout.split()

    assert "rmcagent.model" in told
    assert not {"dataclasses", "inspect", "ast", "dis", "tokenize"} & set(told)
