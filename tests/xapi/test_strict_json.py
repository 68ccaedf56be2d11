from __future__ import annotations

import copy
import json
import pickle
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadRequest
from gateway.xapi.strict_json import Literal, dumps, parse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"a":1,"a":2}', 'Detected duplicate key "a" at line 1 column 12'),
        (b'{"a":\n {"b":1,\n"b":2}}', 'Detected duplicate key "b" at line 3'),
        (b'{"a":1,"\\u0061":2}', "Detected duplicate key"),
        (b"\xef\xbb\xbf{}", "byte order mark at line 1 column 1"),
        (b"NaN", "at line 1 column 1"),
        (b"[Infinity]", "at line 1 column 2"),
        (b"[-Infinity]", "at line 1 column 3"),
        (b'"\xff"', "at line 1 column 2"),
        (b'"\xed\xa0\x80"', "at line 1 column 2"),
        (b'"\\ud800"', "at line 1 column 8"),
        (b'"\\udc00\\ud800"', "at line 1 column"),
        (b"[1,]", "trailing comma at line 1 column 4"),
        (b"{} {}", "trailing characters at line 1 column 4"),
        (b"// no\n{}", "at line 1 column 1"),
        (b"'a'", "at line 1 column 1"),
        (b"01", "at line 1 column 2"),
        (b"+1", "at line 1 column 1"),
        (b".5", "at line 1 column 1"),
        (b'"a\tb"', "at line 1 column 3"),
        (b"\x00{}", "at line 1 column 1"),
        (b"", "at line 1 column 0"),
        (b'{"a":\n tru}', "at line 2 column 5"),
        (b"[" * 300 + b"]" * 300, "recursion limit exceeded at line 1 column 202"),
        (b"[" * 1_000_000, "recursion limit exceeded at line 1 column 202"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_a_text_that_is_not_strict_json_is_refused_with_its_place(body: bytes, reason: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(body)
    assert refused.value.message.startswith("the JSON ")
    assert reason in refused.value.message


def test_a_refusal_does_not_repeat_a_huge_key() -> None:
    key = b'"' + b"k" * 100_000 + b'"'
    with pytest.raises(BadRequest) as refused:
        parse(b"{" + key + b":1," + key + b":2}")
    assert len(refused.value.message) < 400


@given(JSON)
def test_what_is_parsed_is_written_with_the_same_value(value: Any) -> None:
    parsed = parse(json.dumps(value).encode())
    assert parsed.value == value
    assert json.loads(dumps(parsed.value)) == value


@given(st.binary())
def test_any_bytes_are_parsed_or_refused(body: bytes) -> None:
    try:
        parsed = parse(body)
    except BadRequest:
        return
    assert parse(dumps(parsed.value)).value == parsed.value


@pytest.mark.parametrize(
    "text",
    [
        "0", "1", "-1.5", "0.1", "1e5", "1.0E+2", "1e-07", "9007199254740993", "9223372036854775807",
        "-9223372036854775808", "0.30000000000000004", "1.7976931348623157e308", "5e-324",
        "123456789012345.6", "1.00000000000000000000",
    ],
)  # fmt: skip
def test_a_number_that_int64_or_a_double_keeps_is_not_lossy(text: str) -> None:
    for body in (text, f"[{text}]", f'{{"a": {text}}}'):
        parsed = parse(body.encode())
        assert not parsed.lossy
    assert Decimal(dumps(parse(text.encode()).value).decode()) == Decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        "1e400", "-1e400", "1e-400", "0.1234567890123456789", "1e99999999999999999999999",
        "-1E-99999999999999999999", "9007199254740993.0", "3.14159265358979323846264338327950288",
        "9223372036854775808", "-9223372036854775809", "18446744073709551616",
        "123456789012345678901234567890", "0.000000000000000000001234567890123456789",
    ],
)  # fmt: skip
def test_a_number_beyond_that_is_lossy_and_written_as_it_came(text: str) -> None:
    for before, after in (("", ""), ("[", "]"), ('{"a":', "}"), ('[{"b":[0,', "]}]")):
        parsed = parse(f"{before}{text}{after}".encode())
        assert parsed.lossy
        assert dumps(parsed.value) == f"{before}{text}{after}".encode()


def test_digits_in_texts_are_not_lossy() -> None:
    body = b'{"1234567890123456789012345":"x, 12345678901234567890.123, 1e400"}'
    parsed = parse(body)
    assert not parsed.lossy
    assert dumps(parsed.value) == body


def test_nul_and_other_odd_characters_survive() -> None:
    value = {"a\u0000b": "\u0000\u001f\u2028\U0001f600", "": "\ufeff"}
    assert parse(dumps(value)).value == value


def test_200_levels_are_read_and_written() -> None:
    body = b"[" * 200 + b"]" * 200
    assert dumps(parse(body).value) == body


def test_a_literal_survives_copying() -> None:
    literal = parse(b"1e400").value
    assert isinstance(literal, Literal)
    assert dumps([copy.deepcopy(literal), pickle.loads(pickle.dumps(literal))]) == b"[1e400,1e400]"


@pytest.mark.parametrize(
    "text",
    [
        "9" * 5000,
        "-" + "9" * 5000,
        "0." + "0" * 5000 + "1",
        "9" * 5000 + ".5e3",
        "1e-" + "9" * 5000,
        '{"%s":["%s",%s,1]}' % ("1" * 5000, "0" * 5000 + "x", "1" * 5000),  # noqa: UP031
    ],
)
def test_digits_of_any_number_are_kept(text: str) -> None:
    parsed = parse(text.encode())
    assert dumps(parsed.value) == text.encode()
    assert parsed.lossy


@pytest.mark.parametrize("text", ["0" + "9" * 5000, "9" * 5000 + "x", "--" + "9" * 5000, "[" + "9" * 5000])
def test_long_numbers_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        parse(text.encode())


def test_the_same_long_key_twice_is_refused() -> None:
    key = "9" * 5000
    with pytest.raises(BadRequest, match="Detected duplicate key"):
        parse(f'{{"{key}":{key},"{key}":1}}'.encode())


def test_numbers_beyond_a_double_are_equal_by_their_own_value() -> None:
    one, same, other = (parse(text).value for text in (b"1e400", b"10e399", b"2e400"))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != float("inf")
    assert parse(b"9" * 5000).value != parse(b"9" * 4999 + b"8").value
    assert parse(b"1" + b"0" * 5000).value == parse(b"1e5000").value
    assert parse(b"1e99999999999999999999").value != parse(b"2e99999999999999999999").value
