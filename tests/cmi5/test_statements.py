from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cmi5 import statements
from gateway.cmi5 import vocabulary as words
from gateway.cmi5.launch import LaunchSettings
from gateway.cmi5.statements import (
    Occasion,
    abandoned_duration,
    iso_duration,
    registration_session,
    waive_session,
)
from gateway.cmi5.structure import AU, Block, Course
from gateway.cmi5.vocabulary import LaunchMode, MoveOn
from gateway.xapi.datatypes import is_duration
from gateway.xapi.validation import check
from gateway.xapi.versions import Version
from tests.cmi5.samples import ACTOR, NAMESPACE, PUBLISHER, REGISTRATION, SESSION

AU_ONE = AU(
    id=PUBLISHER,
    lms_id="https://lms.example.org/aus/1",
    title={"en": "One"},
    description={"en": "First"},
    url="index.html",
    activity_type="https://example.org/lesson",
)
BLOCK = Block(
    id="b:1", lms_id="https://lms.example.org/blocks/1", title={"en": "B"}, description={}, children=()
)
COURSE = Course(
    id="c:1", lms_id="https://lms.example.org/c/1", title={"en": "C"}, description={}, children=()
)
OCCASION = Occasion(
    namespace=NAMESPACE,
    actor=ACTOR,
    registration=REGISTRATION,
    session=SESSION,
    timestamp=1_700_000_000_123_456,
)
LATER = replace(OCCASION, timestamp=1_800_000_000_000_000)
SETTINGS = LaunchSettings(move_on=MoveOn.PASSED)


def _launched(occasion: Occasion = OCCASION, settings: LaunchSettings = SETTINGS) -> dict[str, Any]:
    url = "https://content.example.org/index.html?a=b"
    return statements.launched(occasion, AU_ONE, settings=settings, mode=LaunchMode.NORMAL, url=url)


def _every(occasion: Occasion = OCCASION) -> list[dict[str, Any]]:
    return [
        _launched(occasion),
        statements.abandoned(occasion, AU_ONE, duration=0),
        statements.waived(occasion, AU_ONE, reason="Tested Out"),
        statements.satisfied(occasion, BLOCK),
        statements.satisfied(occasion, COURSE),
    ]


@pytest.mark.parametrize("statement", _every(), ids=lambda each: words.word(each["verb"]["id"]))
def test_every_lms_statement_has_what_the_standard_wants_of_all(statement: dict[str, Any]) -> None:
    # cmi5 9.1, 9.2, 9.6.1, 9.6.2.1-1, 9.6.2.3-2, 9.6.3.1-3, 9.7.0.0-2
    assert UUID(statement["id"]).version == 5
    assert statement["actor"] == ACTOR
    assert statement["timestamp"] == "2023-11-14T22:13:20.123456Z"
    assert statement["verb"]["display"] == {"en": words.word(statement["verb"]["id"])}
    context = statement["context"]
    assert context["registration"] == REGISTRATION
    assert context["extensions"][words.SESSION_ID] == SESSION
    categories = [each["id"] for each in context["contextActivities"]["category"]]
    assert categories[0] == words.CATEGORY_CMI5
    assert len(context["contextActivities"]["grouping"]) == 1


@pytest.mark.parametrize("version", Version)
def test_every_lms_statement_is_valid_xapi(version: Version) -> None:
    settings = LaunchSettings(move_on=MoveOn.PASSED, mastery_score=Decimal("0.8"), launch_parameters="")
    for statement in [*_every(), _launched(settings=settings)]:
        assert check(statement, version) == []


def test_launched_says_how_the_au_was_launched() -> None:
    # cmi5 9.6.3.2-1, 9.6.3.3-1, 9.6.3.4-1, 9.6.3.6-1, 9.6.3.7-1
    settings = LaunchSettings(move_on=MoveOn.PASSED, mastery_score=Decimal("0.8"), launch_parameters="x")
    statement = _launched(settings=settings)
    assert statement["context"]["extensions"] == {
        words.SESSION_ID: SESSION,
        words.LAUNCH_MODE: "Normal",
        words.LAUNCH_URL: "https://content.example.org/index.html?a=b",
        words.MOVE_ON: "Passed",
        words.MASTERY_SCORE: 0.8,
        words.LAUNCH_PARAMETERS: "x",
    }
    assert statement["object"]["id"] == AU_ONE.lms_id
    assert statement["object"]["definition"] == {
        "name": {"en": "One"},
        "description": {"en": "First"},
        "type": "https://example.org/lesson",
    }
    assert "result" not in statement


def test_what_is_not_set_is_not_in_launched() -> None:
    extensions = _launched()["context"]["extensions"]
    assert extensions.keys() == {words.SESSION_ID, words.LAUNCH_MODE, words.LAUNCH_URL, words.MOVE_ON}


def test_an_activity_type_that_is_no_iri_is_left_out() -> None:
    au = replace(AU_ONE, activity_type="lesson")
    statement = statements.abandoned(OCCASION, au, duration=0)
    assert "type" not in statement["object"]["definition"]


def test_waived_counts_as_success_and_completion_for_a_reason() -> None:
    # cmi5 9.3.7.0-2, 9.5.2.0-1 (d2), 9.5.3.0-1 (d2), 9.6.2.2-1 (d4)
    statement = statements.waived(OCCASION, AU_ONE, reason="Equivalent AU")
    assert statement["result"] == {
        "success": True,
        "completion": True,
        "extensions": {words.REASON: "Equivalent AU"},
    }
    categories = [each["id"] for each in statement["context"]["contextActivities"]["category"]]
    assert categories == [words.CATEGORY_CMI5, words.CATEGORY_MOVE_ON]


@pytest.mark.parametrize(("node", "kind"), [(BLOCK, words.TYPE_BLOCK), (COURSE, words.TYPE_COURSE)])
def test_satisfied_is_about_a_block_or_the_course_and_has_no_result(node: Block | Course, kind: str) -> None:
    # cmi5 9.3.9.0-2, 9.3.9.0-6
    statement = statements.satisfied(OCCASION, node)
    assert statement["object"]["id"] == node.lms_id
    assert statement["object"]["definition"]["type"] == kind
    assert statement["context"]["contextActivities"]["grouping"][0]["id"] == node.id
    assert "result" not in statement


def test_saying_the_same_again_gives_the_same_id() -> None:
    ids = [statement["id"] for statement in _every()]
    assert [statement["id"] for statement in _every(LATER)] == ids
    elsewhere = _every(replace(OCCASION, namespace=UUID(int=1)))
    assert not {statement["id"] for statement in elsewhere} & set(ids)
    assert len(set(ids)) == len(ids)


def test_launched_and_abandoned_are_one_per_session_waived_and_satisfied_one_per_registration() -> None:
    # cmi5 9.3.1.0-2, 9.3.0.0-10, 9.3.7.0-4
    session = replace(OCCASION, session="another")
    registration = replace(OCCASION, registration="another")
    assert _launched(session)["id"] != _launched()["id"]
    abandoned = [statements.abandoned(each, AU_ONE, duration=0)["id"] for each in (OCCASION, session)]
    assert abandoned[0] != abandoned[1]
    assert statements.satisfied(session, BLOCK)["id"] == statements.satisfied(OCCASION, BLOCK)["id"]
    assert statements.satisfied(registration, BLOCK)["id"] != statements.satisfied(OCCASION, BLOCK)["id"]
    waived = [statements.waived(each, AU_ONE, reason="x")["id"] for each in (OCCASION, session, registration)]
    assert waived[0] == waived[1] != waived[2]


def test_sessions_without_a_launch_have_ids_of_their_own() -> None:
    # cmi5 9.3.7.0-3
    ids = {
        waive_session(NAMESPACE, REGISTRATION, AU_ONE),
        waive_session(NAMESPACE, REGISTRATION, replace(AU_ONE, lms_id="https://lms.example.org/aus/2")),
        waive_session(NAMESPACE, "another", AU_ONE),
        registration_session(NAMESPACE, REGISTRATION),
        registration_session(NAMESPACE, "another"),
    }
    assert len(ids) == 5
    assert waive_session(NAMESPACE, REGISTRATION, AU_ONE) in ids


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "PT0S"),
        (9_999, "PT0S"),
        (10_000, "PT0.01S"),
        (11_260_000, "PT11.26S"),
        (60_000_000, "PT1M"),
        (61_500_000, "PT1M1.5S"),
        (3_600_000_000, "PT1H"),
        (3_661_000_000, "PT1H1M1S"),
        (360_000_000_000, "PT100H"),
    ],
)
def test_durations_are_written_in_iso_8601(micros: int, text: str) -> None:
    assert iso_duration(micros) == text


@given(st.integers(0, 10**15))
def test_every_duration_is_valid(micros: int) -> None:
    assert is_duration(iso_duration(micros))


def test_an_abandoned_session_lasted_from_launched_to_its_last_statement() -> None:
    # cmi5 9.5.4.2-2
    assert abandoned_duration(1_000, 5_000) == 4_000
    assert abandoned_duration(1_000, None) == 0
    assert abandoned_duration(5_000, 1_000) == 0
