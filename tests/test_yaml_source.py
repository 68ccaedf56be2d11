from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.yaml_source import Mark, YamlProblem, parse


def test_values_have_the_types_of_json() -> None:
    source = """
text: [a, no, on, 1:30, 0x1F, 2026-01-01, .nan, 1_000, "true", '']
bool: [true, False]
null: [null, ~, ]
number: [1, -2, +3, 1.5, .5, 1e3]
"""
    document = parse(source)
    assert document.value == {
        "text": ["a", "no", "on", "1:30", "0x1F", "2026-01-01", ".nan", "1_000", "true", ""],
        "bool": [True, False],
        "null": [None, None],
        "number": [1, -2, 3, 1.5, 0.5, 1000.0],
    }
    assert document.problems == ()


def test_every_key_and_value_knows_its_place() -> None:
    document = parse("a:\n  b: 1\n  c: [x,\n    y]\n")
    assert document.keys == {("a",): Mark(1, 1), ("a", "b"): Mark(2, 3), ("a", "c"): Mark(3, 3)}
    assert document.marks == {
        (): Mark(1, 1),
        ("a",): Mark(2, 3),
        ("a", "b"): Mark(2, 6),
        ("a", "c"): Mark(3, 6),
        ("a", "c", 0): Mark(3, 7),
        ("a", "c", 1): Mark(4, 5),
    }


def test_an_empty_text_is_null() -> None:
    assert [parse(text).value for text in ("", "# nothing\n", b"\xef\xbb\xbf")] == [None, None, None]


@pytest.mark.parametrize(
    ("source", "line", "column", "message"),
    [
        ("a: 1\nb: 2\na: 3", 3, 1, "key 'a' is already set in line 1"),
        ("a: &x 1\nb: *x", 2, 4, "alias '*x' is not supported"),
        ("a: !!str 1", 1, 4, "tag 'tag:yaml.org,2002:str' is not supported"),
        (
            "!!python/object:os.system {}",
            1,
            1,
            "tag 'tag:yaml.org,2002:python/object:os.system' is not supported",
        ),
        ("? [1]\n: 2", 1, 3, "a key must be a text"),
        ("a: 1\n---\nb: 2", 2, 1, "expected a single document in the stream: but found another document"),
        ("a: [1", 1, 6, "while parsing a flow sequence: expected ',' or ']', but got '<stream end>'"),
        (
            "a:\n\t- 1",
            2,
            1,
            "while scanning for the next token: found character '\\t' that cannot start any token",
        ),
        (b"a: 1\n  \xff", 2, 3, "byte 0xFF is not UTF-8"),
        ("a: 1\nb: \x01", 2, 4, "character U+0001 is not allowed in YAML"),
        ('a: "\\0"', 1, 4, "a NUL or half of a surrogate pair is not supported"),
        ('"\\ud800": 1', 1, 1, "a NUL or half of a surrogate pair is not supported"),
        ('a: "\\UFFFFFFFF"', 1, 7, "a number in an escape or a directive is out of range"),
        ("a: 1e999", 1, 4, "a number out of range"),
        ("a: " + "9" * 41, 1, 4, "a number out of range"),
        ("[" * 1_000_000, 1, 33, "nested more than 32 levels deep"),
    ],
)
def test_what_cannot_be_read_is_located(source: str | bytes, line: int, column: int, message: str) -> None:
    assert parse(source).problems == (YamlProblem(Mark(line, column), message),)


@given(st.text() | st.binary() | st.text(alphabet="a1:-[]{}&*!|>'\"%\\u0xU#,?\n \t~@<.eE+"))
def test_any_input_is_a_value_or_a_problem(source: str | bytes) -> None:
    document = parse(source)
    assert document.value is None or () in document.marks
