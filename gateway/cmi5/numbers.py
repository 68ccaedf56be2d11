"""JSON numbers compared as the decimals they were written as: binary rounding never decides a course.

Performs no I/O.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from gateway.xapi.strict_json import Literal


def as_decimal(value: object) -> Decimal | None:
    """The exact value of a JSON number, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    if isinstance(value, Literal):
        return decimal_of(value.literal.decode())
    return decimal_of(repr(value)) if isinstance(value, float) else Decimal(value)


def decimal_of(text: str) -> Decimal | None:
    """The number that a text writes out, None if it is none or not finite."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def same_json(one: object, other: object) -> bool:
    """Are two parsed JSON values the same? Unlike `==`, `true` is not 1, and 1.0 is 1 at any size."""
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    number = as_decimal(one)
    return number == as_decimal(other) if number is not None else one == other
