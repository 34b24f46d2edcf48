"""What nouns are made with: the standard library's dataclasses as far as we use them, at a tenth of what those cost.

They load inspect, and with it ast, dis and tokenize, and make six functions for a class where one will do: 2 MB of the daemon's
memory, and 30 ms of each start. To mypy, and to whoever asks the standard library of one of these classes, they are the same:
what mypy would understand and we do not is refused when the class is made.
"""
from __future__ import annotations

from operator import itemgetter

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple, Type

__all__ = ("asdict", "dataclass", "field", "fields", "replace")

UNSET: Any = object()
NO_FIELDS = ("ClassVar", "InitVar", "KW_ONLY")      # annotations that mean something else than an attribute


class Field:
    """One attribute of such a class: what it is where nothing is said, and whether it is compared."""

    def __init__(self, default: Any = UNSET, default_factory: Any = UNSET, compare: bool = True) -> None:
        self.name, self.default, self.factory, self.compare = "", default, default_factory, compare


def _dataclass(kind: Optional[Type[Any]] = None, *, frozen: bool = False) -> Any:
    """The class with an __init__ of its own and what all have in common; what it defines itself stays."""
    if kind is None:
        return lambda kind: _dataclass(kind, frozen=frozen)
    named = kind.__dict__.get("__annotations__") or kind.__annotations__        # since 3.14 it may be made when it is asked for
    _refuse_what_is_unknown(kind, named)
    ours = tuple(_field(kind, name) for name in named)
    common: Dict[str, Any] = {"__eq__": _equal, "__repr__": _shown, "__hash__": _hash if frozen else None}
    if frozen:
        common.update(__setattr__=_refused, __delattr__=_refused)
    for name, method in common.items():
        if kind.__dict__.get(name) is None:
            setattr(kind, name, method)
    kind.__init__ = _init(kind, ours)
    kind.__fields__ = ours
    kind.__compared__ = itemgetter(*(each.name for each in ours if each.compare))
    kind.__dataclass_fields__ = Standard()
    return kind


def _refuse_what_is_unknown(kind: Type[Any], named: Dict[str, Any]) -> None:
    made = f"cannot make {kind.__qualname__}"
    if any("__dataclass_fields__" in vars(base) for base in kind.__mro__[1:]):
        raise TypeError(f"{made}: a class of frozen's inherits no fields; hold the other class as a field")
    if hasattr(kind, "__post_init__"):
        raise TypeError(f"{made}: frozen calls no __post_init__; check where the value is made")
    for name, said in named.items():
        word = str(said).partition("[")[0].rpartition(".")[2]
        if word in NO_FIELDS:
            raise TypeError(f"{made}: frozen knows no {word}, which {name} is; put it beside the class, or make it a field")


def _field(kind: Type[Any], name: str) -> Field:
    said = kind.__dict__.get(name, UNSET)
    if isinstance(said, Field):
        delattr(kind, name)
    elif type(said).__hash__ is None:
        raise ValueError(f"cannot take {said!r} as the default of {name}: all would share it; give a default_factory")
    each = said if isinstance(said, Field) else Field(said)
    each.name = name
    return each


def _init(kind: Type[Any], ours: Tuple[Field, ...]) -> Any:
    """A function with an argument for each field: Python itself then says what is missing, and what is none."""
    known: Dict[str, Any] = {"_unset": UNSET}
    arguments: List[str] = ["self"]
    lines = ["_here = self.__dict__"]
    for number, each in enumerate(ours):
        made = each.factory is not UNSET
        known[f"_of_{number}"] = each.factory if made else each.default
        optional = "_unset" if made else "" if each.default is UNSET else f"_of_{number}"
        arguments.append(f"{each.name}={optional}" if optional else each.name)
        lines.append(f"_here[{each.name!r}] = " + (f"_of_{number}() if {each.name} is _unset else " if made else "") + each.name)
    exec(f"def __init__({', '.join(arguments)}):\n " + "\n ".join(lines), known)
    return known["__init__"]


# What all of them share.

def _equal(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self.__compared__(self.__dict__) == self.__compared__(other.__dict__)


def _hash(self: Any) -> int:
    return hash(self.__compared__(self.__dict__))


def _shown(self: Any) -> str:
    told = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in self.__fields__)
    return f"{self.__class__.__qualname__}({told})"


def _refused(self: Any, name: str, *value: Any) -> None:
    raise AttributeError(f"cannot change {name} of a {self.__class__.__qualname__}: it is frozen, replace() makes another")


class Standard:
    """Makes the standard library's own fields when its functions, of whoever uses them, ask a class or a value for them."""

    def __get__(self, value: Any, kind: Any) -> Any:
        import dataclasses

        asked = [(each.name, kind.__annotations__[each.name], dataclasses.field(
            default=dataclasses.MISSING if each.default is UNSET else each.default,
            default_factory=dataclasses.MISSING if each.factory is UNSET else each.factory,
            compare=each.compare)) for each in kind.__fields__]
        standard: Any = dataclasses.make_dataclass(kind.__name__, asked)
        kind.__dataclass_fields__ = standard.__dataclass_fields__
        return kind.__dataclass_fields__


# Of values.

def _replace(value: Any, /, **changes: Any) -> Any:
    return value.__class__(**{**value.__dict__, **changes})


def _fields(of: Any) -> Tuple[Any, ...]:
    return tuple(of.__fields__)


def _asdict(value: Any) -> Dict[str, Any]:
    return {each.name: _plain(getattr(value, each.name)) for each in value.__fields__}


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        parts = map(_plain, value)
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return _asdict(value) if hasattr(value, "__fields__") else value


if TYPE_CHECKING:
    from dataclasses import asdict, dataclass, field, fields, replace
else:
    asdict, dataclass, field, fields, replace = _asdict, _dataclass, Field, _fields, _replace
