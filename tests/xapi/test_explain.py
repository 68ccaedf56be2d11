from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gateway.errors import Problem
from gateway.xapi.explain import explain
from gateway.xapi.findings import at, shown
from gateway.xapi.validation import check, check_batch, is_valid, schema
from gateway.xapi.versions import Version
from tests.xapi.examples import EXAMPLES, Json, Place, extensions, found, places


def _words(node: Any) -> set[str]:
    if isinstance(node, dict):
        return set(node).union(*map(_words, node.values()))
    if isinstance(node, list):
        return set[str]().union(*map(_words, node))
    return {node} if isinstance(node, str) else set()


# Words of the standard make random JSON come close to being a statement.
WORDS = sorted(set[str]().union(*(_words(build(Version.V2)) for build in EXAMPLES.values())))
NUMBERS = st.integers(-2, 2) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.sampled_from(WORDS) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)
VERSIONS = st.sampled_from(list(Version))


def agreed(statement: object, version: Version) -> list[Problem]:
    problems = explain(statement, version)
    assert is_valid(statement, version) == (problems == [])
    assert check(statement, version) == problems
    return problems


@given(JSON, VERSIONS)
def test_any_json_gives_only_problems(value: Any, version: Version) -> None:
    for problem in agreed(value, version):
        assert problem.requirement.startswith("xAPI ")
        assert problem.message
    assert all(problem.path.startswith("[0]") for problem in check_batch([value], version))


@given(st.dictionaries(st.sampled_from(["actor", "verb", "object", "result", "context"]), JSON), VERSIONS)
def test_both_ways_agree_on_what_looks_like_a_statement(value: Any, version: Version) -> None:
    agreed(value, version)


@settings(max_examples=400)
@given(st.data(), st.sampled_from(sorted(EXAMPLES)), VERSIONS, VERSIONS)
def test_both_ways_agree_on_what_was_once_a_statement(
    data: st.DataObject, name: str, written_for: Version, version: Version
) -> None:
    statement = EXAMPLES[name](written_for)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(list(places(statement)) or [("actor",)]))
        holder = found(statement, place[:-1])
        change = data.draw(st.sampled_from(["replace", "remove", "add", "move"]))
        if change == "remove":
            del holder[place[-1]]
        elif change == "add" and isinstance(holder, dict):
            holder[data.draw(st.sampled_from(WORDS) | st.text())] = data.draw(JSON)
        elif change == "move":
            holder[place[-1]] = deepcopy(
                found(statement, data.draw(st.sampled_from(list(places(statement)))))
            )
        else:
            holder[place[-1]] = data.draw(JSON)
    agreed(statement, version)


@settings(max_examples=200)
@given(st.sampled_from(sorted(EXAMPLES)), VERSIONS, JSON, st.data())
def test_the_values_of_extensions_are_never_looked_at(
    name: str, version: Version, value: Any, data: st.DataObject
) -> None:
    statement = EXAMPLES[name](version)
    holders = [place for place in places(statement) if place[-1] == "extensions"]
    if not holders:
        return
    place = data.draw(st.sampled_from(holders))
    found(statement, place[:-1])["extensions"] = extensions() | {"x:any": value}
    assert agreed(statement, version) == []


def test_extensions_may_be_nested_as_deep_as_json_can_be_read() -> None:
    deep: Any = None
    for _ in range(190):
        deep = [deep]
    statement: Json = EXAMPLES["minimal"](Version.V1) | {"context": {"extensions": {"x:deep": deep}}}
    assert agreed(statement, Version.V1) == []


@pytest.mark.parametrize("version", Version)
def test_the_schema_is_one_that_any_validator_reads(version: Version) -> None:
    Draft202012Validator.check_schema(schema(version))
    reader = Draft202012Validator(schema(version))
    for build in EXAMPLES.values():
        reader.validate(build(version))
    assert not reader.is_valid(EXAMPLES["minimal"](version) | {"actor": None})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (3, "the number 3"),
        (0.5, "the number 0.5"),
        (10**500, "a huge integer"),
        (float("inf"), "inf"),
        ("a\u0000b", '"a\\x00b"'),
        ("ü", '"ü"'),
        ("\ud800", '"\\ud800"'),
        ("x" * 500, '"' + "x" * 80 + '…"'),
        ([], "an empty array"),
        ([1, 2], "an array of 2"),
        ({}, "an empty object"),
        ({"a": 1}, "an object"),
    ],
)
def test_messages_show_values_briefly(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("place", "path"),
    [
        (("context", "contextActivities", "parent", 0, "id"), "context.contextActivities.parent[0].id"),
        ((3, "actor"), "[3].actor"),
        (("verb", "display", "en-US"), 'verb.display["en-US"]'),
        (("", "a.b"), '[""]["a.b"]'),
    ],
)
def test_paths_read_like_code(place: Place, path: str) -> None:
    text = ""
    for key in place:
        text = at(text, key)
    assert text == path
