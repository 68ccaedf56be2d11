from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from gateway.xapi.explain import explain
from gateway.xapi.strict_json import parse
from gateway.xapi.validation import check, check_batch, is_valid
from gateway.xapi.versions import Version
from tests.xapi.examples import (
    EXAMPLES,
    VOIDED,
    Json,
    Place,
    activity,
    agent,
    attachment,
    context,
    found,
    group,
    maximal,
    minimal,
    path_of,
    places,
    statement_ref,
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


@pytest.mark.parametrize(
    ("score", "paths"),
    [
        ({}, []),
        ({"scaled": 1}, []),
        ({"scaled": -1.0}, []),
        ({"scaled": 1.0001}, ["scaled"]),
        ({"scaled": -1.0001}, ["scaled"]),
        ({"min": 0, "max": 0}, ["min"]),
        ({"min": 1, "max": 0}, ["min"]),
        ({"raw": 0, "min": 0, "max": 1}, []),
        ({"raw": 1, "min": 0, "max": 1}, []),
        ({"raw": 0, "min": 1}, ["raw"]),
        ({"raw": 0, "max": -1}, ["raw"]),
        ({"raw": 0, "min": 1, "max": 2}, ["raw"]),
        ({"raw": 10**30, "max": 10**30 - 1}, ["raw"]),
        ({"raw": "0"}, ["raw"]),
        ({"raw": True}, ["raw"]),
        ({"raw": True, "min": 5}, ["raw"]),
        ({"min": "0", "max": -1}, ["min"]),
    ],
)
def test_scores_stay_in_their_bounds(score: Json, paths: list[str]) -> None:
    statement = minimal(Version.V1) | {"result": {"score": score}}
    assert refused_paths(statement, Version.V1) == [f"result.score.{path}" for path in paths]


def test_a_number_beyond_a_double_is_a_number_all_the_same() -> None:
    statement = minimal(Version.V1)
    statement["result"] = {"score": parse(b'{"raw":1e400,"min":0.12345678901234567890}').value}
    assert check(statement, Version.V1) == []
    statement["result"]["score"]["max"] = 7
    assert [problem.path for problem in check(statement, Version.V1)] == ["result.score.raw"]


@pytest.mark.parametrize(
    ("definition", "paths"),
    [
        ({}, []),
        ({"correctResponsesPattern": ["a"]}, ["interactionType"]),
        ({"choices": []}, ["interactionType"]),
        ({"interactionType": "Choice"}, ["interactionType"]),
        ({"interactionType": "choice", "choices": [{"id": "a"}, {"id": "b"}]}, []),
        ({"interactionType": "choice", "choices": [{"id": "a"}, {"id": "a"}]}, ["choices[1].id"]),
        ({"interactionType": "choice", "choices": [{"id": ""}]}, ["choices[0].id"]),
        ({"interactionType": "choice", "choices": [{"id": "a", "x": 1}]}, ["choices[0].x"]),
        ({"interactionType": "choice", "steps": []}, ["steps"]),
        ({"interactionType": "true-false", "choices": []}, ["choices"]),
        ({"interactionType": "other", "scale": []}, ["scale"]),
        ({"interactionType": "likert", "choices": []}, ["choices"]),
        ({"interactionType": "matching", "source": [], "scale": []}, ["scale"]),
        ({"interactionType": "choice", "correctResponsesPattern": []}, []),
        ({"interactionType": "choice", "correctResponsesPattern": ["{case_matters=x}[,]"] * 3}, []),
        ({"interactionType": "choice", "correctResponsesPattern": [1]}, ["correctResponsesPattern[0]"]),
        ({"interactionType": "choice", "correctResponsesPattern": "a"}, ["correctResponsesPattern"]),
    ],
)
def test_interactions_have_their_own_component_lists(definition: Json, paths: list[str]) -> None:
    statement = minimal(Version.V1)
    statement["object"]["definition"] = definition
    assert refused_paths(statement, Version.V1) == [f"object.definition.{path}" for path in paths]


@pytest.mark.parametrize(
    ("target", "paths"),
    [
        (activity(), []),
        ({"id": "x:y"}, []),
        (agent(), []),
        (group(), []),
        (statement_ref(), []),
        ({"mbox": "mailto:a@b"}, ["object.objectType"]),
        ({"objectType": "Activity"}, ["object.id"]),
        ({"objectType": "activity", "id": "x:y"}, ["object.objectType"]),
        ({"objectType": "Person", "id": "x:y"}, ["object.objectType"]),
        ({"objectType": 1, "id": "x:y"}, ["object.objectType"]),
        ({"objectType": ["Activity"], "id": "x:y"}, ["object.objectType"]),
        ({"objectType": "StatementRef"}, ["object.id"]),
        ({"objectType": "StatementRef", "id": "x:y"}, ["object.id"]),
        (
            {"objectType": "StatementRef", "id": statement_ref()["id"], "definition": {}},
            ["object.definition"],
        ),
        ({}, ["object.id"]),
        ([], ["object"]),
    ],
)
def test_object_type_decides_what_an_object_is(target: object, paths: list[str]) -> None:
    assert refused_paths(minimal(Version.V1) | {"object": target}, Version.V1) == paths


@pytest.mark.parametrize("key", ["id", "stored", "version", "authority"])
def test_a_sub_statement_has_nothing_that_an_lrs_sets(key: str) -> None:
    statement = sub_statement(Version.V1)
    statement["object"][key] = maximal(Version.V1)[key]
    assert refused_paths(statement, Version.V1) == [f"object.{key}"]


def test_a_sub_statement_contains_no_sub_statement() -> None:
    statement = sub_statement(Version.V1)
    statement["object"]["object"] = deepcopy(statement["object"])
    assert "object.object.objectType" in refused_paths(statement, Version.V1)


@pytest.mark.parametrize("key", ["revision", "platform"])
@pytest.mark.parametrize("version", Version)
def test_revision_and_platform_need_an_activity(key: str, version: Version) -> None:
    statement = minimal(version) | {"context": {key: "x"}}
    assert refused_paths(statement, version) == []
    for target in (agent(), group(), statement_ref()):
        assert refused_paths(statement | {"object": target}, version) == [f"context.{key}"]
        inner = statement | {"objectType": "SubStatement", "object": target}
        assert refused_paths(minimal(version) | {"object": inner}, version) == [f"object.context.{key}"]
    around = minimal(version) | {"object": minimal(version) | {"objectType": "SubStatement"}}
    assert refused_paths(around | {"context": {key: "x"}}, version) == [f"context.{key}"]


@pytest.mark.parametrize("target", [activity(), {"id": "x:y"}, agent(), group()])
def test_only_statements_can_be_voided(target: Json) -> None:
    voiding = {"actor": agent(), "verb": {"id": VOIDED}, "object": target}
    assert refused_paths(voiding, Version.V1) == ["object"]
    around = minimal(Version.V1) | {"object": voiding | {"objectType": "SubStatement"}}
    assert refused_paths(around, Version.V1) == ["object.object"]
    assert refused_paths(voiding | {"object": statement_ref()}, Version.V1) == []


@pytest.mark.parametrize("key", ["contextAgents", "contextGroups"])
def test_context_agents_and_groups_are_unknown_to_1_0(key: str) -> None:
    both = {key: context(Version.V2)[key]}
    statement = minimal(Version.V2) | {"context": both}
    assert refused_paths(statement, Version.V2) == []
    assert refused_paths(statement, Version.V1) == [f"context.{key}"]
    inner = minimal(Version.V2) | {"object": statement | {"objectType": "SubStatement"}}
    assert refused_paths(inner, Version.V2) == []
    assert refused_paths(inner, Version.V1) == [f"object.context.{key}"]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"contextAgents": []}, None),
        ({"contextGroups": []}, None),
        ({"contextAgents": {}}, ""),
        ({"contextAgents": [{"objectType": "contextGroup", "agent": agent()}]}, "[0].objectType"),
        ({"contextAgents": [{"objectType": "contextAgent", "agent": group()}]}, "[0].agent.objectType"),
        ({"contextGroups": [{"objectType": "contextGroup", "group": agent()}]}, "[0].group.objectType"),
        (
            {"contextAgents": [{"objectType": "contextAgent", "agent": agent(), "relevantTypes": []}]},
            "[0].relevantTypes",
        ),
        (
            {"contextGroups": [{"objectType": "contextGroup", "group": group(), "relevantTypes": "x:y"}]},
            "[0].relevantTypes",
        ),
    ],
)
def test_context_agents_and_groups_have_their_own_rules(given: Json, path: str | None) -> None:
    paths = refused_paths(minimal(Version.V2) | {"context": given}, Version.V2)
    (key,) = given
    assert paths == [] if path is None else f"context.{key}{path}" in paths


def test_a_team_is_a_group_and_an_instructor_may_be_one() -> None:
    statement = minimal(Version.V1)
    assert refused_paths(statement | {"context": {"instructor": group(identified=False)}}, Version.V1) == []
    assert refused_paths(statement | {"context": {"team": agent()}}, Version.V1) != []


@pytest.mark.parametrize(
    ("number", "versions"),
    [
        ("1.0", [Version.V1, Version.V2]),
        ("1.0.0", [Version.V1, Version.V2]),
        ("1.0.9", [Version.V1, Version.V2]),
        ("2.0", [Version.V2]),
        ("2.0.0", [Version.V2]),
        ("2.0.7", [Version.V2]),
        *[
            (number, [])
            for number in ("0.9.9", "1.1.0", "2.1.0", "3.0", "1", "1.0.x", "text", "", "1.0.0\n", 1.0)
        ],
    ],
)
def test_the_version_of_a_statement_fits_that_of_its_request(number: Any, versions: list[Version]) -> None:
    for version in Version:
        statement = minimal(version) | {"version": number}
        assert refused_paths(statement, version) == ([] if version in versions else ["version"])


@pytest.mark.parametrize(
    ("length", "accepted"), [(0, True), (1.0, True), (10**20, True), (-1, False), (1.5, False), (True, False)]
)
def test_a_length_is_a_whole_number_of_bytes(length: object, accepted: bool) -> None:
    statement = minimal(Version.V1) | {"attachments": [attachment() | {"length": length}]}
    assert refused_paths(statement, Version.V1) == ([] if accepted else ["attachments[0].length"])


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
