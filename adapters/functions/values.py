"""Questions about values, and conversions between kinds of them."""

from __future__ import annotations

import json as _json
from typing import Any

import jiter

from adapters.expressions.values import EvaluationError, describe, sized, text
from adapters.functions.registry import function

_TRUE = frozenset({"true", "yes", "1", "on"})
_FALSE = frozenset({"false", "no", "0", "off"})
_MAX_DEPTH = 64


@function(absent="seen")
def has(value: Any) -> bool:
    """Whether a value is present: not missing and not null."""
    return value is not None


@function(absent="seen")
def empty(value: Any) -> bool:
    """Whether a value is absent, empty text, an empty list or an empty object."""
    return value is None or (isinstance(value, (str, list, dict)) and not value)


@function(absent="seen")
def default(value: Any, otherwise: Any) -> Any:
    """The value, or another where it is absent."""
    return otherwise if value is None else value


@function(absent="seen")
def nonempty(value: Any) -> Any:
    """The value, but absent when it is empty text, an empty list, an empty object or false."""
    return None if value is False or empty(value) else value


@function(absent="seen")
def is_text(value: Any) -> bool:
    """Whether a value is text."""
    return isinstance(value, str)


@function(absent="seen")
def is_number(value: Any) -> bool:
    """Whether a value is a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@function(absent="seen")
def is_boolean(value: Any) -> bool:
    """Whether a value is true or false."""
    return isinstance(value, bool)


@function(absent="seen")
def is_list(value: Any) -> bool:
    """Whether a value is a list."""
    return isinstance(value, list)


@function(absent="seen")
def is_object(value: Any) -> bool:
    """Whether a value is an object."""
    return isinstance(value, dict)


@function()
def bool_(value: Any) -> bool | None:
    """true or false from `true/false`, `yes/no`, `on/off`, `1/0` in text or as a number; else absent."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (list, dict)):
        raise EvaluationError(f"needs a single value, got {describe(value)}")
    word = text(value).strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


@function()
def string(value: Any) -> str:
    """A number or boolean as text, an object or list as JSON."""
    return json(value) if isinstance(value, (list, dict)) else text(value)


@function()
def json(value: Any) -> str:
    """The value as compact JSON text with sorted keys."""
    try:
        return sized(_json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
    except (ValueError, RecursionError):
        raise EvaluationError("cannot be written as JSON") from None


@function()
def parse_json(value: Any) -> Any:
    """JSON text as a value; text that is not JSON is absent."""
    written = text(value)
    try:
        parsed = jiter.from_json(written.encode("utf-8", "replace"), allow_inf_nan=False)
    except ValueError:
        return None
    return parsed if not deeper_than(parsed, _MAX_DEPTH) else None


def deeper_than(value: Any, limit: int) -> bool:
    """Whether lists and objects are nested deeper than `limit` levels."""
    level = [value]
    for _ in range(limit + 1):
        level = [
            inner
            for found in level
            if isinstance(found, (list, dict))
            for inner in (found.values() if isinstance(found, dict) else found)
            if isinstance(inner, (list, dict))
        ]
        if not level:
            return False
    return True
