from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.expressions.environment import CompileError
from adapters.expressions.parser import MAX_DEPTH, MAX_LENGTH
from adapters.expressions.scope import MAX_STEPS
from adapters.expressions.values import EvaluationError, equal
from adapters.functions import FUNCTIONS
from adapters.loading.yaml_source import plain, read_yaml
from tests.adapters.evaluate import evaluate

TABLE = Path(__file__).parent / "expressions.yaml"
CASES: list[dict[str, Any]] = plain(read_yaml(TABLE.read_text("utf-8"), TABLE.name))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("case", CASES, ids=[str(case["expr"]) for case in CASES])
def test_an_expression_means_what_the_table_says(case: dict[str, Any]) -> None:
    if "refused" in case:
        with pytest.raises(CompileError) as refused:
            evaluate(case["expr"])
        assert case["refused"] in refused.value.lint.message
    elif "fails" in case:
        with pytest.raises(EvaluationError) as failed:
            evaluate(case["expr"], case.get("body"))
        assert case["fails"] in failed.value.message
        assert failed.value.place is not None
    else:
        result = evaluate(case["expr"], case.get("body"), case.get("headers"))
        assert equal(result, case["result"]), result
        assert type(result) is type(case["result"])


def test_the_table_has_a_case_for_every_function() -> None:
    written = " ".join(str(case["expr"]) for case in CASES)
    receiver_only = {name for name, one in FUNCTIONS.items() if one.where == "receive"}
    assert not [name for name in FUNCTIONS if name not in written and name not in receiver_only]


def test_every_function_has_a_summary() -> None:
    assert not [name for name, one in FUNCTIONS.items() if not one.summary]


def test_an_expression_may_not_be_longer_than_two_kilobytes() -> None:
    with pytest.raises(CompileError, match="more than 2048 bytes"):
        evaluate("1" + " " * MAX_LENGTH)


@pytest.mark.parametrize(
    "text", ["(" * 40 + "1" + ")" * 40, "not " * 40 + "true", "-" * 40 + "1", "[" * 40 + "]" * 40]
)
def test_nesting_is_limited(text: str) -> None:
    with pytest.raises(CompileError, match=f"deeper than {MAX_DEPTH}"):
        evaluate(text)


def test_work_on_lists_is_limited() -> None:
    body = list(range(1000))
    with pytest.raises(EvaluationError, match="more than 100000 list steps"):
        evaluate("body.map(x, body.map(y, x + y))", body)
    assert MAX_STEPS == 100_000


def test_searching_long_lists_again_and_again_is_paid_for() -> None:
    body = list(range(10_000))
    with pytest.raises(EvaluationError, match="list steps"):
        evaluate("body.filter(x, -1 in body)", body)


def test_numbers_cannot_grow_without_end() -> None:
    with pytest.raises(EvaluationError, match="too large"):
        evaluate("body * body", 10**300)


def test_text_cannot_grow_beyond_a_mebibyte() -> None:
    with pytest.raises(EvaluationError, match="1 MiB"):
        evaluate("body + body", "x" * 600_000)
    with pytest.raises(EvaluationError, match="1 MiB"):
        evaluate("replace(body, 'x', 'yyyyyyyyyy')", "x" * 200_000)


def test_the_place_of_an_error_is_that_of_the_call() -> None:
    with pytest.raises(EvaluationError) as failed:
        evaluate("body.a ?? lower(body.b)", {"b": [1]})
    place = failed.value.place
    assert place is not None
    assert (place.line, place.column, place.length) == (1, 11, len("lower(body.b)"))


@given(st.text(max_size=60))
@settings(max_examples=400)
def test_any_text_compiles_or_is_refused(text: str) -> None:
    with suppress(CompileError, EvaluationError):
        evaluate(text, {"a": 1})


fragments = st.sampled_from(
    [
        "body",
        ".",
        "a",
        "[",
        "]",
        "(",
        ")",
        ",",
        "|",
        "??",
        "if",
        "else",
        "and",
        "or",
        "not",
        "in",
        "==",
        "<",
        "+",
        "-",
        "*",
        "/",
        "%",
        "1",
        "2.5",
        "'x'",
        "null",
        "true",
        "lower",
        "size",
        "map",
        "x",
        "first",
        "score",
        "seconds",
        "time",
        "hash",
        "json",
        "entries",
    ]
)


@given(st.lists(fragments, max_size=14).map(" ".join), json_values)
@settings(max_examples=600)
def test_any_sequence_of_words_compiles_or_is_refused(text: str, body: Any) -> None:
    with suppress(CompileError, EvaluationError):
        evaluate(text, body)


callable_names = sorted(
    name for name, one in FUNCTIONS.items() if one.where != "receive" and one.build is None
)


@given(st.sampled_from(callable_names), st.lists(json_values, max_size=4))
@settings(max_examples=1500)
def test_any_function_takes_any_json_or_says_what_is_wrong(name: str, values: list[Any]) -> None:
    args = ", ".join(f"body[{index}]" for index in range(len(values)))
    with suppress(CompileError, EvaluationError):
        evaluate(f"{name}({args})", values)


@given(json_values, json_values)
def test_operators_take_any_json_or_say_what_is_wrong(left: Any, right: Any) -> None:
    for operator in ("+", "-", "*", "/", "%", "<", "==", "in", "and"):
        with suppress(EvaluationError):
            evaluate(f"body.a {operator} body.b", {"a": left, "b": right})


@given(json_values)
def test_time_takes_any_text(value: Any) -> None:
    for expression in (
        "time(body)",
        "time('2024-01-01T00:00:00', body)",
        "matches(body, '^a')",
        "iso_duration(body)",
    ):
        with suppress(EvaluationError):
            evaluate(expression, value)
