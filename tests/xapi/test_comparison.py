from __future__ import annotations

from copy import deepcopy
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xapi.comparison import same_statement
from gateway.xapi.statements import prepare
from gateway.xapi.validation import is_valid
from gateway.xapi.versions import Version
from tests.xapi.examples import (
    AUTHORITY,
    EXAMPLES,
    Json,
    Place,
    agent,
    found,
    group,
    maximal,
    minimal,
    path_of,
    places,
    sub_statement,
)
from tests.xapi.test_matching import REGISTRATION

SET_BY_LRS = ("id", "stored", "timestamp", "authority", "version")
COSMETIC: list[tuple[Place, Any]] = [
    (("id",), "00000000-0000-4000-8000-000000000001"),
    (("stored",), "2020-01-01T00:00:00Z"),
    (("authority",), agent("someone")),
    (("version",), "1.0.3"),
    (("attachments",), []),
    (("verb", "display"), {"en": "something else"}),
    (("object", "definition"), {}),
    (("context", "contextActivities", "parent", 0, "definition"), {}),
    (("context", "registration"), REGISTRATION.upper()),
    (("context", "language"), "EN-gb-OED"),
    (("context", "instructor", "mbox"), "mailto:instructor@EXAMPLE.org"),
    (("actor", "member", 1, "mbox_sha1sum"), "EBD31E95054C018B10727CCFFD2EF2EC3A016EE9"),
    (("actor", "member"), group()["member"][::-1]),
    (("actor", "member", 2, "objectType"), "Agent"),
    (("result", "duration"), "P1Y2M3DT4H5M6.78S"),
    (("result", "score", "max"), 10.0),
    (("timestamp",), "2024-01-31T09:15:00.123Z"),
    (("timestamp",), "2024-01-31T04:15:00.1230000-05:00"),
]
SUBSTANTIAL: list[tuple[Place, Any]] = [
    (("actor", "account", "name"), "other"),
    (("actor", "name"), "Another Group"),
    (("actor", "member", 0, "mbox"), "mailto:ONE@example.org"),
    (("actor", "member"), group()["member"][1:]),
    (("actor", "member"), [*group()["member"], group()["member"][0]]),
    (("verb", "id"), "http://adlnet.gov/expapi/verbs/failed"),
    (("object", "id"), "https://example.org/activities/Course"),
    (("object",), {"objectType": "StatementRef", "id": "9e13cefd-53d3-4eac-b5ed-2cf6693903bb"}),
    (("result", "success"), False),
    (("result", "score", "raw"), 1),
    (("result", "duration"), "P1Y2M3DT4H5M6.77S"),
    (("result", "extensions", "urn:x"), 0),
    (
        ("result", "extensions", "https://example.org/x/anything"),
        {"null": None, "list": [1, None, {"Actor": 1}]},
    ),
    (("context", "registration"), "00000000-0000-4000-8000-000000000001"),
    (("context", "platform"), "example LMS"),
    (("context", "contextActivities", "other"), [{"id": "x:y"}]),
    (("context", "contextAgents", 0, "relevantTypes"), ["x:y"]),
    (("timestamp",), "2024-01-31T11:15:00.123Z"),
]


def changed(statement: Json, place: Place, value: Any) -> Json:
    copy = deepcopy(statement)
    found(copy, place[:-1])[place[-1]] = value
    return copy


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_statement_equals_what_is_stored_of_it(name: str, version: Version) -> None:
    sent = EXAMPLES[name](version)
    stored = prepare(
        EXAMPLES[name](version), version=version, authority=AUTHORITY, new_id=lambda: UUID(int=0)
    )
    assert same_statement(sent, stored.statement)
    stored.stamp(1_700_000_000_000_000)
    before = deepcopy(stored.statement)
    assert same_statement(sent, stored.statement)
    assert same_statement(stored.statement, sent)
    assert stored.statement == before
    assert sent == EXAMPLES[name](version)


@pytest.mark.parametrize(("place", "value"), COSMETIC, ids=str)
def test_what_a_sender_does_not_decide_makes_no_difference(place: Place, value: Any) -> None:
    one = maximal(Version.V2)
    other = changed(one, place, value)
    assert same_statement(one, other)
    assert same_statement(other, one)


@pytest.mark.parametrize(("place", "value"), SUBSTANTIAL, ids=str)
def test_what_a_sender_decides_makes_a_difference(place: Place, value: Any) -> None:
    one = maximal(Version.V2)
    assert not same_statement(one, changed(one, place, value))
    assert not same_statement(changed(one, place, value), one)


@pytest.mark.parametrize(("place", "value"), [case for case in SUBSTANTIAL if case[0] != ("object",)])
def test_the_same_holds_inside_a_sub_statement(place: Place, value: Any) -> None:
    one = sub_statement(Version.V2)
    assert not same_statement(one, changed(one, ("object", *place), value))


def test_optional_object_types_are_defaults() -> None:
    one = minimal(Version.V1)
    other = changed(changed(one, ("actor", "objectType"), "Agent"), ("object", "objectType"), "Activity")
    assert same_statement(one, other)


def test_timestamps_count_only_if_both_were_sent() -> None:
    without, early, late = minimal(Version.V1), minimal(Version.V1), minimal(Version.V1)
    early["timestamp"], late["timestamp"] = "2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z"
    assert not same_statement(early, late)
    assert same_statement(early, without)
    # An LRS gave this one the time of storing.
    stored = late | {"stored": late["timestamp"]}
    assert same_statement(early, stored)
    assert not same_statement(early, late | {"stored": "2025-01-01T00:00:00Z"})


@given(st.sampled_from(sorted(EXAMPLES)), st.sampled_from(sorted(EXAMPLES)))
def test_examples_equal_only_themselves(one: str, other: str) -> None:
    same = same_statement(EXAMPLES[one](Version.V2), EXAMPLES[other](Version.V2))
    # Interactions differ in their definition alone, which is no part of a statement.
    interactions = set(list(EXAMPLES)[list(EXAMPLES).index("sequencing") :])
    assert same == (one == other or {one, other} <= interactions)


@pytest.mark.parametrize("name", EXAMPLES)
def test_leaving_out_what_counts_makes_a_difference(name: str) -> None:
    statement = EXAMPLES[name](Version.V2)
    for place in places(statement):
        less = deepcopy(statement)
        del found(less, place[:-1])[place[-1]]
        ignored = place[0] in SET_BY_LRS or bool({"definition", "display", "attachments"}.intersection(place))
        if is_valid(less, Version.V2) and place[-1] != "objectType":
            assert same_statement(statement, less) is ignored, path_of(place)
