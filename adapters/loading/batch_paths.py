"""Where in the payload the items of a batch are found, told from how `receive.batch` is written. Pure.

Privacy has to reach an item's fields in the stored body too, where there are no items yet, and what rules
read of `item` is compared with samples. So the expression is followed from the payload to its elements, with
sets of places instead of values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from adapters.expressions.environment import CompileError
from adapters.expressions.syntax import (
    Binary,
    Call,
    Conditional,
    Expression,
    ListOf,
    Literal,
    Macro,
    Name,
    Step,
    Unary,
)
from adapters.loading.yaml_source import Node, ScalarNode
from adapters.templates.interpolation import bare, parse_piece

Keys: TypeAlias = tuple[str, ...]
# Any element of a list, and nothing of an object; `*` stands for the fields of objects as well.
ELEMENT = "[*]"
MOST_PLACES = 64


@dataclass(frozen=True, slots=True)
class Body:
    """What is found below the body by these keys."""

    keys: Keys


@dataclass(frozen=True, slots=True)
class Made:
    """A list the expression makes: its elements come from these places."""

    elements: Places


@dataclass(frozen=True, slots=True)
class Fields:
    """An object the expression makes: its fields come from these places."""

    fields: tuple[tuple[str, Places], ...]


Place: TypeAlias = Body | Made | Fields
Places: TypeAlias = frozenset[Place]
NOWHERE: Places = frozenset()


class Untraceable(Exception):
    """Items of this expression may come from anywhere, such as JSON inside a text."""


@dataclass(frozen=True, slots=True)
class Items:
    """Where the items of a batch come from."""

    places: Places

    def at(self, keys: Keys) -> tuple[Keys, ...]:
        """The keys below the body where a path below `item` is found."""
        places = self.places
        for key in keys:
            places = _step(places, key)
        return tuple(sorted(place.keys for place in places if isinstance(place, Body)))


def places_of(
    items: Items | None, root: str, keys: tuple[str | int, ...]
) -> tuple[tuple[str, tuple[str | int, ...]], ...]:
    """Where what an expression reads is found: paths below `item` become paths below `body`."""
    if root != "item":
        return ((root, keys),)
    return tuple(("body", found) for found in items.at(tuple(map(str, keys)))) if items is not None else ()


def items_of(node: Node) -> Items | None:
    """The places of the items of `batch:`; None where they cannot be told."""
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        return None
    try:
        return Items(_elements(_places(parse_piece(node, bare(node)), {})))
    except (CompileError, Untraceable):
        return None


def _places(expression: Expression, names: dict[str, Places]) -> Places:
    match expression:
        case Name():
            body: Places = frozenset({Body(())}) if expression.name == "body" else NOWHERE
            return names.get(expression.name, body)
        case Step():
            key = expression.key
            return _step(_places(expression.of, names), _key(key))
        case ListOf():
            return frozenset({Made(_union(_places(item, names) for item in expression.items))})
        case Conditional():
            otherwise = _places(expression.otherwise, names) if expression.otherwise is not None else NOWHERE
            return _union([_places(expression.then, names), otherwise])
        case Binary() if expression.operator in ("??", "+"):
            return _union([_places(expression.left, names), _places(expression.right, names)])
        case Macro():
            return _macro(expression, names)
        case Call():
            return _call(expression, names)
        case Literal() | Binary() | Unary():
            return NOWHERE


def _key(key: Expression) -> str:
    return str(key.value) if isinstance(key, Literal) and isinstance(key.value, (str, int)) else "*"


def _macro(expression: Macro, names: dict[str, Places]) -> Places:
    source = _places(expression.of, names)
    if expression.name == "filter":
        return source
    if expression.name == "first":
        return _elements(source)
    if expression.name == "map":
        inner = {**names, expression.variable: _elements(source)}
        return frozenset({Made(_places(expression.body, inner))})
    return NOWHERE


def _call(expression: Call, names: dict[str, Places]) -> Places:
    places = [_places(arg, names) for arg in expression.args]
    first = places[0] if places else NOWHERE
    match expression.name:
        case "default":
            return _union(places)
        case "nonempty" | "slice" | "unique" | "pick":
            return first
        case "first" | "last":
            return _elements(first)
        case "values":
            return frozenset({Made(_step(first, "*"))})
        case "entries":
            entry = Fields((("value", _step(first, "*")),))
            return frozenset({Made(frozenset({entry}))})
        case "flatten":
            inner = _elements(first)
            return frozenset({Made(_union([inner, _elements(inner)]))})
    if all(one == NOWHERE for one in places):
        return NOWHERE
    raise Untraceable


def _step(places: Places, key: str) -> Places:
    """Where a key or index of what is at these places is found."""
    found: list[Places] = []
    for place in places:
        if isinstance(place, Body):
            found.append(frozenset({Body((*place.keys, key))}))
        elif isinstance(place, Made):
            found.append(place.elements if key in ("*", ELEMENT) or key.isdecimal() else NOWHERE)
        else:
            found.extend(inner for name, inner in place.fields if key in (name, "*"))
    return _union(found)


def _elements(places: Places) -> Places:
    """Where the elements of lists at these places are found; an object has none."""
    lists = frozenset(place for place in places if not isinstance(place, Fields))
    return _step(lists, ELEMENT)


def _union(parts: Iterable[Places]) -> Places:
    found = frozenset(place for part in parts for place in part)
    if len(found) > MOST_PLACES:
        raise Untraceable
    return found
