from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from gateway.xapi.explain import explain
from gateway.xapi.validation import check, check_batch, is_valid
from gateway.xapi.versions import Version
from tests.xapi.examples import (
    EXAMPLES,
    Json,
    Place,
    agent,
    found,
    maximal,
    minimal,
    path_of,
    places,
    sub_statement,
)
from tests.xapi.test_datatypes import ACCEPTED, REFUSED

MAPS = ("name", "description", "display", "extensions")
SLOTS: dict[str, list[Place]] = {
    "is_uuid": [("id",), ("context", "registration"), ("context", "statement", "id")],
    "is_iri": [
        ("verb", "id"),
        ("object", "id"),
        ("object", "definition", "type"),
        ("object", "definition", "moreInfo"),
        ("actor", "account", "homePage"),
        ("actor", "member", 2, "openid"),
        ("context", "contextActivities", "parent", 0, "id"),
        ("context", "contextActivities", "grouping", "id"),
        ("attachments", 0, "usageType"),
        ("attachments", 0, "fileUrl"),
        ("context", "contextAgents", 0, "relevantTypes", 0),
        ("context", "contextGroups", 0, "relevantTypes", 0),
    ],
    "is_mailto": [("actor", "member", 0, "mbox"), ("context", "instructor", "mbox")],
    "is_sha1": [("actor", "member", 1, "mbox_sha1sum")],
    "is_sha2": [("attachments", 0, "sha2")],
    "is_duration": [("result", "duration")],
    "is_mime_type": [("attachments", 0, "contentType")],
    "is_language_tag": [("context", "language")],
    "is_timestamp": [("timestamp",), ("stored",)],
}
KEYS: dict[str, list[Place]] = {
    "is_iri": [("object", "definition", "extensions"), ("result", "extensions"), ("context", "extensions")],
    "is_language_tag": [
        ("verb", "display"),
        ("object", "definition", "name"),
        ("object", "definition", "description"),
        ("object", "definition", "choices", 0, "description"),
        ("attachments", 0, "display"),
        ("attachments", 0, "description"),
    ],
}


def changed(statement: Json, place: Place, value: Any) -> Json:
    copy = deepcopy(statement)
    found(copy, place[:-1])[place[-1]] = value
    return copy


def refused_paths(statement: object, version: Version) -> list[str]:
    """The paths of all problems, after asking the fast and the explaining way, which must agree."""
    problems = check(statement, version)
    assert is_valid(statement, version) == (problems == [])
    assert problems == explain(statement, version)
    return [problem.path for problem in problems]


EVERY_EXAMPLE = [
    pytest.param(version, name, id=f"{version.name} {name}")
    for version in Version
    for name in EXAMPLES
    if version is Version.V2 or name in ("maximal", "SubStatement")
]


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("name", EXAMPLES)
def test_valid_statements_are_accepted(name: str, version: Version) -> None:
    assert refused_paths(EXAMPLES[name](version), version) == []


@pytest.mark.parametrize(("version", "name"), EVERY_EXAMPLE)
def test_null_is_refused_at_every_place(version: Version, name: str) -> None:
    statement = EXAMPLES[name](version)
    for place in places(statement):
        assert path_of(place) in refused_paths(changed(statement, place, None), version)


@pytest.mark.parametrize(("version", "name"), EVERY_EXAMPLE)
def test_a_wrong_type_is_refused_at_every_place(version: Version, name: str) -> None:
    statement = EXAMPLES[name](version)
    for place in places(statement):
        value = found(statement, place)
        for stranger in (7, "7", True, [7], {"seven": 7}):
            same_type = type(stranger) is type(value) and not isinstance(value, list | dict)
            a_number = isinstance(value, float) and stranger == 7
            extensions = place[-1] == "extensions" and isinstance(stranger, dict)
            if not (same_type or a_number or extensions):
                paths = refused_paths(changed(statement, place, stranger), version)
                assert [path for path in paths if path.startswith(path_of(place[:-1]))], (place, stranger)


@pytest.mark.parametrize(("version", "name"), EVERY_EXAMPLE)
def test_wrong_case_and_unknown_properties_are_refused_in_every_object(version: Version, name: str) -> None:
    statement = EXAMPLES[name](version)
    for place in places(statement):
        parent, key = found(statement, place[:-1]), str(place[-1])
        if not isinstance(parent, dict) or (len(place) > 1 and place[-2] in MAPS):
            continue
        strange = changed(statement, (*place[:-1], "strange"), 1)
        assert path_of((*place[:-1], "strange")) in refused_paths(strange, version)
        for other in {key.upper(), key.capitalize(), key.lower(), f"{key} "} - {key}:
            copy = deepcopy(statement)
            holder = found(copy, place[:-1])
            holder[other] = holder.pop(key)
            assert path_of((*place[:-1], other)) in refused_paths(copy, version)


def placed(table: dict[str, list[Place]]) -> list[Any]:
    return [pytest.param(name, place, id=path_of(place)) for name, slots in table.items() for place in slots]


@pytest.mark.parametrize(("name", "place"), placed(SLOTS))
def test_every_typed_property_refuses_what_is_not_of_its_type(name: str, place: Place) -> None:
    for text in REFUSED[name]:
        statement = changed(maximal(Version.V2), place, text)
        assert refused_paths(statement, Version.V2) == [path_of(place)]
        if place[0] not in ("id", "stored"):
            inner = changed(sub_statement(Version.V2), ("object", *place), text)
            assert refused_paths(inner, Version.V2) == [path_of(("object", *place))]


@pytest.mark.parametrize(("name", "place"), placed(SLOTS))
def test_every_typed_property_accepts_what_is_of_its_type(name: str, place: Place) -> None:
    for text in ACCEPTED[name]:
        assert refused_paths(changed(maximal(Version.V2), place, text), Version.V2) == []


@pytest.mark.parametrize(("name", "place"), placed(KEYS))
def test_keys_of_maps_are_checked(name: str, place: Place) -> None:
    for text in REFUSED[name]:
        statement = changed(maximal(Version.V1), (*place, text), "x")
        assert refused_paths(statement, Version.V1) == [path_of(place)]
    for text in ACCEPTED[name]:
        assert refused_paths(changed(maximal(Version.V1), (*place, text), "x"), Version.V1) == []


@pytest.mark.parametrize(
    "place",
    [
        *[("actor",), ("verb",), ("object",), ("verb", "id"), ("object", "id"), ("actor", "objectType")],
        *[("context", "team", "objectType"), ("context", "statement", "objectType")],
        *[("context", "statement", "id"), ("context", "contextActivities", "parent", 0, "id")],
        *[("actor", "account", "name"), ("actor", "account", "homePage")],
        *[("object", "definition", "interactionType"), ("object", "definition", "choices", 0, "id")],
        *[("attachments", 0, key) for key in ("usageType", "display", "contentType", "length", "sha2")],
        *[("context", "contextAgents", 0, key) for key in ("objectType", "agent")],
        *[("context", "contextGroups", 0, key) for key in ("objectType", "group")],
    ],
    ids=path_of,
)  # fmt: skip
def test_required_properties_are_required(place: Place) -> None:
    statement = maximal(Version.V2)
    del found(statement, place[:-1])[place[-1]]
    paths = refused_paths(statement, Version.V2)
    # An actor without objectType is read as an Agent, which has no member.
    assert (path_of(place) if place != ("actor", "objectType") else "actor.member") in paths


@pytest.mark.parametrize("value", [None, True, 1, "{}", [], [minimal(Version.V1)]])
@pytest.mark.parametrize("version", Version)
def test_a_statement_is_an_object(value: object, version: Version) -> None:
    assert refused_paths(value, version) == [""]


def test_all_problems_are_found_at_once() -> None:
    statement = {
        "Actor": agent(),
        "verb": {"id": "www.example.org"},
        "object": {"id": "x:y", "definition": {"name": {"something": "x"}}},
        "result": {"score": {"scaled": 2}, "success": "yes"},
        "context": {"contextActivities": {"parent": [{"id": "www.example.org"}], "Other": []}},
        "timestamp": "2024-02-30T00:00:00Z",
    }
    problems = check(statement, Version.V1)
    assert [(problem.path, problem.requirement) for problem in problems] == [
        ("actor", "xAPI 2.4"),
        ("Actor", "xAPI 2.4"),
        ("verb.id", "xAPI 2.4.3"),
        ("object.definition.name", "xAPI 4.2"),
        ("result.score.scaled", "xAPI 2.4.5.1"),
        ("result.success", "xAPI 2.4.5"),
        ("context.contextActivities.parent[0].id", "xAPI 2.4.4.1"),
        ("context.contextActivities.Other", "xAPI 2.4.6.2"),
        ("timestamp", "xAPI 4.5"),
    ]
    assert problems[3].message == 'has the key "something"; expected an RFC 5646 language tag, such as en-US'
    assert problems[4].message == "holds the number 2; expected a number from -1 to 1"
    assert problems[5].message == 'holds "yes"; expected true or false'
    assert problems[7].message == 'is not a property of contextActivities; did you mean "other"?'
    assert problems[8].message == (
        'holds "2024-02-30T00:00:00Z"; expected an ISO 8601 timestamp; day is out of range for month'
    )


def test_a_batch_names_the_statement_that_is_wrong() -> None:
    good, bad = minimal(Version.V1), minimal(Version.V1)
    del bad["actor"]
    assert check_batch([good, good], Version.V1) == []
    assert check_batch([], Version.V1) == []
    paths = [problem.path for problem in check_batch([good, bad, 7, good, bad], Version.V1)]
    assert paths == ["[1].actor", "[2]", "[4].actor"]


def test_an_id_occurs_once_in_a_batch_whatever_its_case() -> None:
    one, other = minimal(Version.V1), minimal(Version.V1)
    one["id"] = "fd41c918-b88b-4b20-a0a5-a4c32391aaa0"
    other["id"] = one["id"].upper()
    (problem,) = check_batch([one, minimal(Version.V1), other], Version.V1)
    assert problem.path == "[2].id"
    assert problem.message == f'holds "{other["id"]}", which [0] has too; ids in a batch differ'
