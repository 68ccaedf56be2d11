from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gateway.cmi5 import statements
from gateway.cmi5 import vocabulary as words
from gateway.cmi5.gate import Effects, examine
from gateway.cmi5.gate_view import SessionView
from gateway.cmi5.launch import LaunchSettings, context_template, launch_data
from gateway.cmi5.numbers import as_decimal
from gateway.cmi5.preferences import check_preferences
from gateway.cmi5.satisfaction import NOTHING, AUFacts, au_met
from gateway.cmi5.sessions import SessionState
from gateway.cmi5.statements import Occasion, iso_duration
from gateway.cmi5.structure import AU, Course
from gateway.cmi5.vocabulary import LaunchMode, MoveOn
from gateway.xapi.datatypes import parse_timestamp
from tests.cmi5.samples import DATA, NAMESPACE

SCENARIOS = sorted((DATA / "scenarios").iterdir())


def _documents(scenario: Path) -> list[tuple[str, Any]]:
    return [(file.name, json.loads(file.read_text())) for file in sorted(scenario.iterdir())]


def _view(launched: dict[str, Any], data: dict[str, Any], facts: AUFacts) -> SessionView:
    template = data["contextTemplate"]
    return SessionView(
        session=template["extensions"][words.SESSION_ID],
        actor=launched["actor"],
        registration=launched["context"]["registration"],
        activity_id=launched["object"]["id"],
        context_template=template,
        state=SessionState.AUTHORIZED,
        launch_mode=LaunchMode(data["launchMode"]),
        mastery=as_decimal(data.get("masteryScore")),
        au=facts,
        preferences_requested=True,
    )


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_the_gate_lets_the_working_groups_scenarios_through(scenario: Path) -> None:
    launched: dict[str, Any] = {}
    view: SessionView | None = None
    facts, met_at_launch, sent = NOTHING, False, 0
    course_satisfied = False
    move_on = MoveOn.NOT_APPLICABLE
    for name, document in _documents(scenario):
        if "lms_launch_data" in name:
            move_on = MoveOn(document["moveOn"])
            met_at_launch = au_met(move_on, facts)
            view = _view(launched, document, facts)
            continue
        verb = document.get("verb", {}).get("id")
        if verb == words.LAUNCHED:
            launched = document
        elif verb == words.SATISFIED:
            course_satisfied |= document["object"]["definition"]["type"] == words.TYPE_COURSE
        elif verb is not None and verb not in words.LMS_VERBS:
            assert view is not None
            verdict = examine([document], view)
            assert isinstance(verdict, Effects), verdict
            view, facts, sent = verdict.view, verdict.view.au, sent + 1
    assert sent
    assert not met_at_launch
    assert course_satisfied == au_met(move_on, facts)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_preferences_of_the_scenarios_are_valid(scenario: Path) -> None:
    found = [document for name, document in _documents(scenario) if "LearnerPreferences" in name]
    assert found
    assert [check_preferences(document) for document in found] == [[]] * len(found)


def _au(launched: dict[str, Any], data: dict[str, Any]) -> AU:
    definition = launched["object"]["definition"]
    return AU(
        id=launched["context"]["contextActivities"]["grouping"][0]["id"],
        lms_id=launched["object"]["id"],
        title=definition["name"],
        description=definition.get("description", {}),
        activity_type=definition.get("type"),
        url="index.html",
        move_on=MoveOn(data["moveOn"]),
        mastery_score=as_decimal(data.get("masteryScore")),
        launch_parameters=data.get("launchParameters"),
        entitlement_key=data.get("entitlementKey", {}).get("courseStructure"),
    )


def _settings(au: AU, data: dict[str, Any]) -> LaunchSettings:
    return LaunchSettings(
        move_on=au.move_on,
        mastery_score=au.mastery_score,
        launch_parameters=au.launch_parameters,
        entitlement_key=au.entitlement_key,
        alternate_entitlement_key=data.get("entitlementKey", {}).get("alternate"),
        return_url=data.get("returnURL"),
    )


def _occasion(sample: dict[str, Any]) -> Occasion:
    return Occasion(
        namespace=NAMESPACE,
        actor=sample["actor"],
        registration=sample["context"]["registration"],
        session=sample["context"]["extensions"][words.SESSION_ID],
        timestamp=parse_timestamp(sample["timestamp"]),
    )


def _essence(statement: dict[str, Any]) -> dict[str, Any]:
    """What the standard prescribes of an LMS statement, whatever the product that made it."""
    context = statement["context"]
    return {
        "actor": statement["actor"],
        "verb": statement["verb"]["id"],
        "object": (statement["object"]["id"], statement["object"]["definition"].get("type")),
        "result": statement.get("result"),
        "timestamp": parse_timestamp(statement["timestamp"]),
        "registration": context["registration"],
        "extensions": context["extensions"],
        "category": [each["id"] for each in context["contextActivities"]["category"]],
        "grouping": [each["id"] for each in context["contextActivities"]["grouping"]],
    }


def _pairs() -> list[Any]:
    found = []
    for scenario in SCENARIOS:
        documents = _documents(scenario)
        launches = [each for _, each in documents if each.get("verb", {}).get("id") == words.LAUNCHED]
        data = [each for name, each in documents if "lms_launch_data" in name]
        found += [
            pytest.param(*pair, id=f"{scenario.name}-{number}")
            for number, pair in enumerate(zip(launches, data, strict=True))
        ]
    return found


@pytest.mark.parametrize(("sample", "data"), _pairs())
def test_launched_statements_say_what_those_of_the_working_group_say(
    sample: dict[str, Any], data: dict[str, Any]
) -> None:
    extensions = sample["context"]["extensions"]
    # Scenario 17 launched with another moveOn than its launch data says.
    data = data | {"moveOn": extensions[words.MOVE_ON]}
    au = _au(sample, data)
    made = statements.launched(
        _occasion(sample),
        replace(au, launch_parameters=extensions.get(words.LAUNCH_PARAMETERS)),
        settings=replace(
            _settings(au, data),
            launch_parameters=extensions.get(words.LAUNCH_PARAMETERS),
            mastery_score=as_decimal(extensions.get(words.MASTERY_SCORE)),
        ),
        mode=LaunchMode(data["launchMode"]),
        url=extensions[words.LAUNCH_URL],
    )
    assert _essence(made) == _essence(sample)
    assert UUID(made["id"]).version == 5


@pytest.mark.parametrize(("sample", "data"), _pairs())
def test_launch_data_say_what_those_of_the_working_group_say(
    sample: dict[str, Any], data: dict[str, Any]
) -> None:
    au = _au(sample, data)
    template = context_template(
        au,
        session=data["contextTemplate"]["extensions"][words.SESSION_ID],
        registration=sample["context"]["registration"],
        additions=data["contextTemplate"],
    )
    made = launch_data(_settings(au, data), mode=LaunchMode(data["launchMode"]), template=template)
    expected = {
        name: value for name, value in data.items() if name not in ("contextTemplate", "launchMethod")
    }
    assert {name: value for name, value in made.items() if name != "contextTemplate"} == expected
    assert made["contextTemplate"]["extensions"] == data["contextTemplate"]["extensions"]
    assert au.id in [each["id"] for each in made["contextTemplate"]["contextActivities"]["grouping"]]


def _made_by_lms(verb: str) -> list[Any]:
    return [
        pytest.param(document, id=f"{scenario.name}-{name}")
        for scenario in SCENARIOS
        for name, document in _documents(scenario)
        if document.get("verb", {}).get("id") == verb
        and words.CATEGORY_CMI5 in json.dumps(document["context"])
    ]


@pytest.mark.parametrize("sample", _made_by_lms(words.SATISFIED))
def test_satisfied_statements_say_what_those_of_the_working_group_say(sample: dict[str, Any]) -> None:
    course = Course(
        id=sample["context"]["contextActivities"]["grouping"][0]["id"],
        lms_id=sample["object"]["id"],
        title=sample["object"]["definition"]["name"],
        description={},
        children=(),
    )
    assert _essence(statements.satisfied(_occasion(sample), course)) == _essence(sample)


@pytest.mark.parametrize("sample", _made_by_lms(words.ABANDONED))
def test_abandoned_statements_say_what_those_of_the_working_group_say(sample: dict[str, Any]) -> None:
    launched, data = (
        json.loads((DATA / "scenarios/17-abandoned_session" / name).read_text())
        for name in ("01-launched_statement.json", "02-lms_launch_data.json")
    )
    made = statements.abandoned(_occasion(sample), _au(launched, data), duration=11_260_000)
    assert _essence(made) == _essence(sample)
    assert iso_duration(11_260_000) == sample["result"]["duration"]
