"""JSON as the standard wants it: one reading of the bytes or a refusal that says where (xAPI 1.0.3
Data §2.2).

Refused are a key given twice, NaN and Infinity, a byte order mark, bytes that are not UTF-8, half a
surrogate pair, nesting beyond 200 levels and whatever else RFC 8259 does not know. What is accepted
comes out of `dumps` with the same value: numbers that a double cannot keep carry the literal they came as.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any, Final

import jiter
import orjson
import re2

from gateway.errors import BadRequest

# A number of 17 characters or more, or with an exponent of three digits, may be more than a double or an
# int64 keeps; shorter ones never are. It also hits some texts, which costs a second parse and nothing else.
_SUSPECT: Final = re2.compile(rb"[:,\[ \t\r\n]-?[0-9](?:[0-9.]{16}|[0-9.]*[eE][+-]?[0-9]{3})|^-?[0-9]")
# More digits in a row than the parser makes a number of.
_LONG: Final = re.compile(rb"(?<![0-9])[0-9]{4301,}")
_INT64: Final = range(-(2**63), 2**63)
_SHOWN: Final = 200
_DIGITS: Final = 4300  # that Python makes an integer of


class Literal(float):
    """A number that a double cannot keep exactly: the nearest double, and the literal as it was sent."""

    __slots__ = ("literal",)

    literal: bytes

    def __new__(cls, literal: bytes) -> Literal:
        number = super().__new__(cls, literal)
        number.literal = literal
        return number

    def __eq__(self, other: object) -> bool:
        # By its own value: many literals share their nearest double, such as infinity.
        if isinstance(other, Literal):
            return self.literal == other.literal or self._exact() == other._exact() is not None
        return type(other) is int and self._exact() == other

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = float.__hash__

    def _exact(self) -> Decimal | None:
        try:
            return Decimal(self.literal.decode())
        except InvalidOperation:  # an exponent beyond even what a Decimal knows
            return None

    def __reduce__(self) -> tuple[type[Literal], tuple[bytes]]:
        return Literal, (self.literal,)


@dataclass(slots=True, frozen=True)
class Parsed:
    """A JSON value, and whether it holds a number beyond int64 and double (then keep the text as well).

    Without `long_numbers` it holds no number of 17 or more characters.
    """

    value: Any
    lossy: bool
    long_numbers: bool


def parse(body: bytes) -> Parsed:
    """Parse a whole JSON text. Raises BadRequest that names line and column of what is wrong."""
    try:
        value = jiter.from_json(body, catch_duplicate_keys=True, allow_inf_nan=False, cache_mode="none")
        if _SUSPECT.search(body) is None:
            return Parsed(value, False, False)
        return _parse_exactly(body)
    except ValueError as error:
        if "number out of range" in str(error):
            return _parse_shortened(body)
        raise BadRequest(_reason(body, str(error))) from None


def dumps(value: object) -> bytes:
    """Compact UTF-8 JSON. Takes what `parse` gives, whatever its numbers."""
    try:
        return orjson.dumps(value)
    except TypeError:  # a Literal, or an integer beyond 64 bits
        return orjson.dumps(_fragments(value))


def _parse_shortened(body: bytes) -> Parsed:
    """Parse with every long run of digits replaced by a short one, and put them back wherever they stood."""
    runs: dict[bytes, int] = {}
    # No text can hold this by accident or on purpose: it would have to know its own hash.
    mark = str(10**40 + int.from_bytes(hashlib.sha256(body).digest()[:16]))

    def shorten(match: re.Match[bytes]) -> bytes:
        # A number must not begin with a zero, and this one still does.
        zero, run = (b"0", match[0][1:]) if match[0].startswith(b"0") else (b"", match[0])
        return zero + f"{mark}{runs.setdefault(run, len(runs)):010}".encode()

    shortened = _LONG.sub(shorten, body)
    found, pattern = list(runs), re.compile(f"{mark}([0-9]{{10}})")

    def restore(text: str) -> str:
        return pattern.sub(lambda match: found[int(match[1])].decode(), text) if mark in text else text

    try:
        return _parse_exactly(shortened, restore)
    except ValueError as error:
        raise BadRequest(_reason(body, str(error))) from None


def _parse_exactly(body: bytes, restore: Callable[[str], str] | None = None) -> Parsed:
    value = jiter.from_json(
        body, catch_duplicate_keys=True, allow_inf_nan=False, cache_mode="none", float_mode="lossless-float"
    )
    lossy = False

    def settle(node: Any) -> Any:
        nonlocal lossy
        if type(node) is dict:
            if restore is not None:
                return {restore(key): settle(inner) for key, inner in node.items()}
            for key, inner in node.items():
                node[key] = settle(inner)
        elif type(node) is list:
            node[:] = map(settle, node)
        elif type(node) is int:
            lossy = lossy or node not in _INT64
            if restore is not None and node not in _INT64 and len(text := restore(str(node))) > _DIGITS:
                return Literal(text.encode())
        elif type(node) is jiter.LosslessFloat:
            literal = bytes(node)
            number = _number(literal if restore is None else restore(literal.decode()).encode())
            lossy = lossy or type(number) is Literal
            return number
        elif restore is not None and type(node) is str:
            return restore(node)
        return node

    return Parsed(settle(value), lossy, True)


def _number(literal: bytes) -> float:
    number = float(literal)
    try:
        exact = isfinite(number) and Decimal(literal.decode()) == Decimal(repr(number))
    except InvalidOperation:  # an exponent beyond even what a Decimal knows
        exact = False
    return number if exact else Literal(literal)


def _fragments(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _fragments(inner) for key, inner in node.items()}
    if isinstance(node, list):
        return [_fragments(inner) for inner in node]
    if type(node) is Literal:
        return orjson.Fragment(node.literal)
    if type(node) is int:
        return orjson.Fragment(str(node))
    return node


def _reason(body: bytes, error: str) -> str:
    if body.startswith(b"\xef\xbb\xbf"):
        return "the JSON starts with a byte order mark at line 1 column 1; send UTF-8 without one"
    what, at, where = error.rpartition(" at line ")
    if len(what) > _SHOWN:
        what = what[:_SHOWN] + "…"
    return f"the JSON cannot be read: {what}{at}{where}"
