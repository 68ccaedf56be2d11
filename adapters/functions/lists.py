"""Lists and objects: size, keys, selection."""

from __future__ import annotations

import json as _json
from typing import Any

from adapters.expressions.values import EvaluationError, describe, equal, text
from adapters.functions.registry import function


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        hint = "entries(x) makes a list of an object" if isinstance(value, dict) else None
        raise EvaluationError(f"needs a list, got {describe(value)}", help=hint)
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise EvaluationError(f"needs an object, got {describe(value)}")
    return value


@function()
def size(value: Any) -> int:
    """How many elements, keys or characters."""
    if isinstance(value, (list, dict, str)):
        return len(value)
    raise EvaluationError(f"needs a list, object or text, got {describe(value)}")


@function()
def keys(value: Any) -> list[str]:
    """The keys of an object."""
    return list(_object(value))


@function()
def values(value: Any) -> list[Any]:
    """The values of an object."""
    return list(_object(value).values())


@function()
def entries(value: Any) -> list[dict[str, Any]]:
    """An object as a list of `{key, value}`."""
    return [{"key": key, "value": found} for key, found in _object(value).items()]


@function()
def first(value: Any) -> Any:
    """The first element of a list."""
    return _list(value)[0] if _list(value) else None


@function()
def last(value: Any) -> Any:
    """The last element of a list."""
    return _list(value)[-1] if _list(value) else None


@function()
def slice_(value: Any, start: Any, end: Any = None) -> list[Any]:
    """The elements from `start` up to `end`, counted from 0."""
    if start.__class__ is not int or (end is not None and end.__class__ is not int):
        raise EvaluationError("needs whole numbers as positions")
    return _list(value)[start:end]


@function()
def flatten(value: Any) -> list[Any]:
    """A list of lists as one list, one level deep."""
    flat: list[Any] = []
    for item in _list(value):
        if isinstance(item, list):
            flat.extend(item)
        else:
            flat.append(item)
        if len(flat) > 100_000:
            raise EvaluationError("a list of more than 100 000 elements", code="R201")
    return flat


@function()
def unique(value: Any) -> list[Any]:
    """A list without repetitions; the first of equal elements stays."""
    seen: dict[str, Any] = {}
    for item in _list(value):
        seen.setdefault(_json.dumps(_whole(item), sort_keys=True), item)
    return list(seen.values())


def _whole(value: Any) -> Any:
    """`1.0` as `1` at any depth, so that equal numbers are written alike."""
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


@function()
def find_key(value: Any, wanted: Any) -> str | None:
    """The first key of an object whose value equals `wanted`."""
    return next((key for key, found in _object(value).items() if equal(found, wanted)), None)


@function()
def pick(value: Any, names: Any) -> dict[str, Any]:
    """An object with only the named keys."""
    whole = _object(value)
    return {name: whole[name] for name in map(text, _list(names)) if name in whole}
