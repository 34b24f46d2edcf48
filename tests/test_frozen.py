"""What nouns are made with is what the standard library's dataclasses would have made of them."""
from __future__ import annotations

import dataclasses
import subprocess
import sys
import typing
from dataclasses import InitVar
from typing import Any, ClassVar, Dict, Mapping, NamedTuple, Tuple

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

    assert str(ours.value).partition("__init__()")[2] == str(theirs.value).partition("__init__()")[2] != ""


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


def test_a_value_in_a_dict_or_in_a_named_tuple_is_taken_apart_too() -> None:
    class Two(NamedTuple):
        left: Any
        right: Any

    def held(by: Any) -> Any:
        return make(by)(1, Two({"a": make(by)(2)}, [make(by)(3)]), {"b": (make(by)(4),)})

    assert frozen.asdict(held(frozen)) == dataclasses.asdict(held(dataclasses))
    assert type(frozen.asdict(held(frozen))["up"]) is Two


NOUNS = [kind for room in (model, nouns) for kind in vars(room).values() if hasattr(kind, "__fields__")]


def test_every_noun_can_be_replaced_by_itself() -> None:
    assert len(NOUNS) > 40

    for kind in NOUNS:
        value = kind(*(object() for _ in frozen.fields(kind)))

        same, standard = frozen.replace(value), dataclasses.replace(value)

        assert same is not value and type(same) is kind
        assert vars(same) == vars(standard) == vars(value)
        assert same == value


def test_of_every_noun_each_attribute_alone_can_be_replaced() -> None:
    for kind in NOUNS:
        value = kind(*(object() for _ in frozen.fields(kind)))
        for each in frozen.fields(kind):
            other = object()

            replaced = frozen.replace(value, **{each.name: other})

            assert vars(replaced) == {**vars(value), each.name: other}
            assert (replaced == value) is not each.compare


def test_what_a_class_defines_itself_stays() -> None:
    @frozen.dataclass(frozen=True)
    class Own:
        name: str

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 5

    assert (repr(Own("a")), Own("a") == Own("b"), hash(Own("a"))) == ("own", True, 5)


# ---- what mypy would understand and we do not --------------------------------------------------------------------------


@pytest.mark.parametrize("base", [OURS, THEIRS, type("Plain", (OURS,), {})])
def test_another_such_class_is_not_inherited_from(base: Any) -> None:
    with pytest.raises(TypeError, match=r"cannot make .*Heir: a class of frozen's inherits no fields; hold the other class as"):
        @frozen.dataclass(frozen=True)
        class Heir(base):  # type: ignore[misc]
            more: int = 0


def test_a_class_without_fields_may_be_inherited_from() -> None:
    class Spoken:
        def said(self) -> str:
            return repr(self)

    @frozen.dataclass(frozen=True)
    class Word(Spoken):
        letters: str

    assert Word("a").said().endswith("Word(letters='a')")


CHECKING = {"__post_init__": print}


@pytest.mark.parametrize(("bases", "inside"), [((), CHECKING), ((type("Checking", (), CHECKING),), {})])
def test_what_would_be_called_after_init_is_refused_wherever_it_stands(bases: Tuple[type, ...], inside: Dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="cannot make Checked: frozen calls no __post_init__; check where the value is made"):
        frozen.dataclass(frozen=True)(type("Checked", bases, {"__annotations__": {"name": "str"}, **inside}))


@pytest.mark.parametrize(("said", "word"), [
    ("ClassVar[int]", "ClassVar"), ("typing.ClassVar[Dict[str, int]]", "ClassVar"), ("ClassVar", "ClassVar"),
    ("InitVar[int]", "InitVar"), ("dataclasses.InitVar[int]", "InitVar"), ("KW_ONLY", "KW_ONLY"),
    (ClassVar[int], "ClassVar"), (InitVar[int], "InitVar"),
])
def test_what_is_no_attribute_is_refused(said: Any, word: str) -> None:
    with pytest.raises(TypeError, match=f"cannot make Limited: frozen knows no {word}, which limit is; put it beside the class"):
        frozen.dataclass(frozen=True)(type("Limited", (), {"__annotations__": {"name": "str", "limit": said}, "limit": 3}))


@pytest.mark.parametrize("said", ["Tuple[ClassVar_, ...]", "MyClassVar", Dict[str, int], typing.Optional[int]])
def test_what_only_looks_like_it_is_an_attribute(said: Any) -> None:
    made: Any = frozen.dataclass(frozen=True)(type("Named", (), {"__annotations__": {"name": said}}))

    assert made(3).name == 3


def test_nouns_load_neither_the_standard_module_nor_what_that_loads() -> None:
    told = subprocess.run(
        [sys.executable, "-I", "-c", "import sys; sys.path.insert(0, sys.argv[1]); import rmcagent.model; print(*sys.modules)",
         str(ROOT / "agent")], capture_output=True, text=True, check=True, timeout=60).stdout.split()

    assert "rmcagent.model" in told
    assert not {"dataclasses", "inspect", "ast", "dis", "tokenize"} & set(told)
