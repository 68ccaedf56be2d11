"""Numbers: conversion, rounding, extremes and percentages."""

from __future__ import annotations

import math
import re
from typing import Any

from adapters.expressions.values import EvaluationError, bounded
from adapters.expressions.values import number as strict
from adapters.functions.registry import function

_NUMBER = re.compile(r"[+-]?(\d+)(\.\d*)?([eE][+-]?\d{1,3})?|[+-]?\.\d+([eE][+-]?\d{1,3})?", re.ASCII)


@function()
def number(value: Any) -> int | float | None:
    """Text such as `"5"` or `"2.50"` as a number; text that is none is absent."""
    if not isinstance(value, str):
        return strict(value)
    written = value.strip()
    match = _NUMBER.fullmatch(written) if len(written) <= 300 else None
    if match is None:
        return None
    if match.group(1) and not match.group(2) and not match.group(3):
        return int(written)
    found = float(written)
    return found if math.isfinite(found) else None


@function()
def int_(value: Any) -> int | None:
    """The whole part of a number or of text that holds one."""
    found = number(value)
    return None if found is None else int(found)


@function(absent="propagates")
def round_(value: Any, digits: Any = 0) -> int | float:
    """Rounded half away from zero to a number of decimals."""
    if digits.__class__ is not int or not 0 <= digits <= 15:
        raise EvaluationError("needs 0 to 15 decimals")
    found = strict(value)
    if isinstance(found, int):
        return found
    if abs(found) >= 2**53:
        return found
    scale = 10**digits
    rounded = math.floor(abs(found) * scale + 0.5) / scale
    signed = math.copysign(rounded, found)
    return int(signed) if digits == 0 else signed


@function()
def abs_(value: Any) -> int | float:
    """Without its sign."""
    return abs(strict(value))


@function(absent="seen")
def min_(*values: Any) -> int | float | None:
    """The smallest of some numbers, or of a list of numbers; absent ones do not count."""
    return min(_present(values), default=None)


@function(absent="seen")
def max_(*values: Any) -> int | float | None:
    """The largest of some numbers, or of a list of numbers; absent ones do not count."""
    return max(_present(values), default=None)


def _present(values: tuple[Any, ...]) -> list[int | float]:
    items = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    return [strict(item) for item in items if item is not None]


@function()
def percent(part: Any, whole: Any) -> int | float | None:
    """How many per cent one number is of another; absent when the whole is zero."""
    share, total = strict(part), strict(whole)
    if total == 0:
        return None
    try:
        found = round(share * 100 / total, 4)
    except OverflowError:
        raise EvaluationError("the result is not a finite number") from None
    return int(found) if bounded(found) == int(found) else found
