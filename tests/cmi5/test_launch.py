from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cmi5 import vocabulary as words
from gateway.cmi5.gate import Effects, examine
from gateway.cmi5.launch import (
    LaunchSettings,
    choose_mode,
    context_template,
    effective,
    launch_data,
    launch_url,
)
from gateway.cmi5.overrides import Overrides, read_overrides
from gateway.cmi5.satisfaction import AUFacts
from gateway.cmi5.structure import AU
from gateway.cmi5.vocabulary import LaunchMode, MoveOn
from tests.cmi5.samples import ACTOR, PUBLISHER, REGISTRATION, SESSION, allowed, view

AU_ONE = AU(
    id=PUBLISHER,
    lms_id="https://lms.example.org/aus/1",
    title={"en": "One"},
    description={"en": "First"},
    url="index.html",
    move_on=MoveOn.PASSED,
    mastery_score=Decimal("0.8"),
    launch_parameters="level=1",
    entitlement_key="key",
)
PARAMETERS: dict[str, Any] = {
    "endpoint": "https://lms.example.org/v1/xapi/",
    "fetch": "https://lms.example.org/cmi5/fetch/k",
    "actor": {"account": {"homePage": "https://people.example.org", "name": "Ada & Co + 1"}},
    "registration": REGISTRATION,
    "activity_id": "https://lms.example.org/aus/1",
}


def test_the_later_layer_wins_and_silence_changes_nothing() -> None:
    course = Overrides(
        move_on=MoveOn.COMPLETED, mastery_score=Decimal("0.5"), return_url="https://a.example.org/"
    )
    registration = Overrides(mastery_score=Decimal(0), launch_parameters="")
    launch = Overrides(launch_mode=LaunchMode.BROWSE, alternate_entitlement_key="alt")
    assert effective(AU_ONE) == LaunchSettings(
        move_on=MoveOn.PASSED,
        mastery_score=Decimal("0.8"),
        launch_parameters="level=1",
        entitlement_key="key",
    )
    assert effective(AU_ONE, course, registration, launch) == LaunchSettings(
        move_on=MoveOn.COMPLETED,
        launch_mode=LaunchMode.BROWSE,
        mastery_score=Decimal(0),
        launch_parameters="",
        entitlement_key="key",
        alternate_entitlement_key="alt",
        return_url="https://a.example.org/",
    )


@pytest.mark.parametrize(
    ("move_on", "facts", "mode"),
    [
        (MoveOn.PASSED, AUFacts(), LaunchMode.NORMAL),
        (MoveOn.PASSED, AUFacts(completed=True), LaunchMode.NORMAL),
        (MoveOn.PASSED, AUFacts(passed=True), LaunchMode.REVIEW),
        (MoveOn.PASSED, AUFacts(waived=True), LaunchMode.REVIEW),
        (MoveOn.PASSED, AUFacts(completed=True, move_on=MoveOn.COMPLETED), LaunchMode.REVIEW),
        (MoveOn.NOT_APPLICABLE, AUFacts(), LaunchMode.NORMAL),
        (MoveOn.NOT_APPLICABLE, AUFacts(completed=True), LaunchMode.REVIEW),
    ],
)
def test_the_mode_is_normal_until_the_au_is_met(move_on: MoveOn, facts: AUFacts, mode: LaunchMode) -> None:
    assert choose_mode(move_on, facts) is mode
    for forced in LaunchMode:
        assert choose_mode(move_on, facts, forced) is forced


@pytest.mark.parametrize(
    ("url", "start", "end"),
    [
        ("https://c.example.org/a", "https://c.example.org/a?endpoint=", "aus%2F1"),
        ("https://c.example.org/a?", "https://c.example.org/a?endpoint=", "aus%2F1"),
        ("https://c.example.org/a?b=%20c", "https://c.example.org/a?b=%20c&endpoint=", "aus%2F1"),
        ("https://c.example.org/a?b&", "https://c.example.org/a?b&endpoint=", "aus%2F1"),
        ("https://c.example.org/a#/route?x=1", "https://c.example.org/a?endpoint=", "aus%2F1#/route?x=1"),
        ("myapp://start", "myapp://start?endpoint=", "aus%2F1"),
    ],
)
def test_launch_parameters_stand_after_the_own_query_and_before_the_fragment(
    url: str, start: str, end: str
) -> None:
    # cmi5 8.1.0.0-5, 13.1.4.0-3
    launched = launch_url(url, **PARAMETERS)
    assert launched.startswith(start)
    assert launched.endswith(end)


def test_values_are_encoded_without_exception() -> None:
    # cmi5 8.1.0.0-8
    launched = launch_url("https://c.example.org/", **PARAMETERS)
    assert "&fetch=https%3A%2F%2Flms.example.org%2Fcmi5%2Ffetch%2Fk&" in launched
    assert "%22Ada%20%26%20Co%20%2B%201%22" in launched
    assert launched.count("?") == 1
    assert "+" not in launched


def test_launch_data_hold_what_the_standard_wants_always() -> None:
    # cmi5 10.2.1.0-1, 10.2.2.0-4, 10.2.5.0-1
    settings = LaunchSettings(move_on=MoveOn.NOT_APPLICABLE)
    template = context_template(AU_ONE, session=SESSION, registration=REGISTRATION)
    assert launch_data(settings, mode=LaunchMode.NORMAL, template=template) == {
        "contextTemplate": {
            "registration": REGISTRATION,
            "contextActivities": {"grouping": [{"objectType": "Activity", "id": PUBLISHER}]},
            "extensions": {words.SESSION_ID: SESSION},
        },
        "launchMode": "Normal",
        "moveOn": "NotApplicable",
    }


def test_launch_data_hold_what_is_set_even_when_it_is_zero_or_empty() -> None:
    # cmi5 10.2.3.0-1, 10.2.4.0-1, 10.2.7.0-1
    settings = LaunchSettings(
        move_on=MoveOn.PASSED,
        mastery_score=Decimal(0),
        launch_parameters="",
        entitlement_key="",
        alternate_entitlement_key="alt",
        return_url="https://lms.example.org/done",
    )
    data = launch_data(settings, mode=LaunchMode.REVIEW, template={})
    assert data == {
        "contextTemplate": {},
        "launchMode": "Review",
        "moveOn": "Passed",
        "masteryScore": 0,
        "launchParameters": "",
        "returnURL": "https://lms.example.org/done",
        "entitlementKey": {"courseStructure": "", "alternate": "alt"},
    }
    assert type(data["masteryScore"]) is int
    settings = replace(settings, mastery_score=Decimal("0.8"))
    assert launch_data(settings, mode=LaunchMode.NORMAL, template={})["masteryScore"] == 0.8


def test_additions_to_the_template_never_overwrite_what_the_lms_sets() -> None:
    additions = {
        "registration": "other",
        "language": "en",
        "contextActivities": {
            "category": [{"id": "https://example.org/category"}],
            "grouping": {"id": "https://example.org/programme"},
            "parent": [{"id": "https://example.org/parent"}],
        },
        "extensions": {words.SESSION_ID: "other", "https://example.org/cohort": 7},
    }
    template = context_template(AU_ONE, session=SESSION, registration=REGISTRATION, additions=additions)
    assert template == {
        "registration": REGISTRATION,
        "language": "en",
        "contextActivities": {
            "grouping": [
                {"objectType": "Activity", "id": PUBLISHER},
                {"id": "https://example.org/programme"},
            ],
            "parent": [{"id": "https://example.org/parent"}],
        },
        "extensions": {words.SESSION_ID: SESSION, "https://example.org/cohort": 7},
    }
    statement = allowed(context=template)
    assert isinstance(examine([statement], view(context_template=template, actor=ACTOR)), Effects)


@pytest.mark.parametrize(
    ("document", "overrides"),
    [
        ({}, Overrides()),
        ({"au": 1, "moveOn": None}, Overrides()),
        ({"launchMode": "Browse"}, Overrides(launch_mode=LaunchMode.BROWSE)),
        ({"moveOn": "CompletedOrPassed"}, Overrides(move_on=MoveOn.COMPLETED_OR_PASSED)),
        ({"masteryScore": 0}, Overrides(mastery_score=Decimal(0))),
        ({"masteryScore": 0.7}, Overrides(mastery_score=Decimal("0.7"))),
        ({"masteryScore": "0.70"}, Overrides(mastery_score=Decimal("0.7"))),
        ({"launchParameters": ""}, Overrides(launch_parameters="")),
        ({"alternateEntitlementKey": "a"}, Overrides(alternate_entitlement_key="a")),
        ({"returnURL": "https://example.org/x?y#z"}, Overrides(return_url="https://example.org/x?y#z")),
        ({"contextTemplate": {"language": "en"}}, Overrides(context={"language": "en"})),
    ],
)
def test_overrides_are_read_and_written_back(document: dict[str, Any], overrides: Overrides) -> None:
    read, problems = read_overrides(document)
    assert (read, problems) == (overrides, [])
    assert read_overrides(read.to_document()) == (overrides, [])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("launchMode", "normal"),
        ("launchMode", 1),
        ("moveOn", "Never"),
        ("moveOn", []),
        ("masteryScore", 1.1),
        ("masteryScore", -0.1),
        ("masteryScore", True),
        ("masteryScore", "high"),
        ("masteryScore", "NaN"),
        ("launchParameters", {"level": 1}),
        ("alternateEntitlementKey", 1),
        ("returnURL", "/done"),
        ("returnURL", "javascript:alert(1)"),
        ("returnURL", "https://"),
        ("returnURL", "https://[x"),
        ("contextTemplate", "x"),
        ("contextTemplate", {"extensions": []}),
        ("contextTemplate", {"contextActivities": []}),
        ("contextTemplate", {"contextActivities": {"parent": [{}]}}),
        ("contextTemplate", {"contextActivities": {"parent": "x"}}),
    ],
)
def test_wrong_overrides_are_problems_that_name_the_field(key: str, value: object) -> None:
    overrides, problems = read_overrides({key: value})
    assert overrides == Overrides()
    assert [problem.path for problem in problems] == [key]
    assert "expected" in problems[0].message


keys = st.sampled_from(
    [*Overrides(return_url="x").to_document(), "moveOn", "masteryScore", "contextTemplate"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.dictionaries(keys, anything))
def test_any_overrides_are_read_or_refused(document: dict[str, Any]) -> None:
    overrides, problems = read_overrides(document)
    assert read_overrides(overrides.to_document()) == (overrides, [])
    assert len(problems) <= len(document)
