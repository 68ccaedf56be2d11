from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from gateway.xapi.strict_json import parse
from gateway.xapi.validation import check
from gateway.xapi.versions import Version
from tests.xapi.examples import (
    VOIDED,
    Json,
    activity,
    agent,
    attachment,
    context,
    group,
    maximal,
    minimal,
    statement_ref,
    sub_statement,
)
from tests.xapi.test_validation import refused_paths


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
