from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cmi5.numbers import as_decimal, decimal_of, same_json
from gateway.xapi.strict_json import parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"0.1", "0.1"),
        (b"1", "1"),
        (b"1e2", "100"),
        (b"0.10000000000000000000000001", "0.10000000000000000000000001"),
        (b"123456789012345678901234567890", "123456789012345678901234567890"),
    ],
)
def test_a_number_counts_as_it_was_written(text: bytes, value: str) -> None:
    assert as_decimal(parse(text).value) == Decimal(value)


@pytest.mark.parametrize("value", [True, False, None, "1", [], {}, float("nan"), float("inf")])
def test_nothing_else_is_a_number(value: object) -> None:
    assert as_decimal(value) is None


@pytest.mark.parametrize("text", ["", "x", "NaN", "Infinity", "1,5", "0x1"])
def test_a_text_that_is_no_finite_number_has_no_value(text: str) -> None:
    assert decimal_of(text) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (0.1, Decimal("0.1"), True),
        (1, True, False),
        (0, False, False),
        (None, None, True),
        (None, 0, False),
        ("1", 1, False),
        ([1, [2]], [1.0, [2.0]], True),
        ([1], [1, 1], False),
        ([True], [1], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"b": 1}, False),
        ({}, [], False),
    ],
)
def test_json_values_are_compared_as_json(one: object, other: object, same: bool) -> None:
    assert same_json(one, other) is same
    assert same_json(other, one) is same


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


@given(values)
def test_a_value_is_the_same_as_its_copy(value: Any) -> None:
    assert same_json(value, json.loads(json.dumps(value)))
