from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import Adapted, Event, Failed, Held, Lookups, Mapping, Skipped, Unmatched
from gateway.xapi.validation import check
from gateway.xapi.versions import Version
from tests.adapters.support import (
    LOOKUPS,
    MEETING,
    adapt,
    example,
    simple,
    statements,
)
from tests.adapters.test_expressions import json_values
from tests.adapters.test_people import PRIVATE


def test_the_zoom_example_works() -> None:
    participant = {
        "email": "JChill@example.com",
        "participant_uuid": "p",
        "date_time": "2021-07-13T21:44:51Z",
    }
    meeting = {"id": "9", "uuid": "u==", "topic": "T", "participant": participant}
    payload = {
        "event": "meeting.participant_joined",
        "event_ts": 1626213000000,
        "payload": {"object": meeting},
    }
    lookups = Lookups(pseudonym_key=b"k", accounts={("email", "jchill@example.com"): "S-1001"})
    (statement,) = statements(example("zoom"), payload, lookups)
    assert statement["actor"]["account"] == {"homePage": "https://id.example.edu", "name": "S-1001"}
    assert statement["verb"]["id"] == "http://activitystrea.ms/join"
    assert statement["timestamp"] == "2021-07-13T21:44:51Z"
    assert not check(statement, Version.V2)


ASSESS = {
    "type": "session.results",
    "delivery": "dlv_77120",
    "session": {
        "id": 9,
        "course": "c1",
        "title": "Fire Safety",
        "ended": "2024-03-01T10:00:00",
        "tz": "Europe/Vienna",
    },
    "results": [
        {
            "learner": {"email": "ana@example.org"},
            "status": "PASS",
            "points": 17.5,
            "max": 20,
            "minutes": 12.5,
            "answers": [
                {"q": "q1", "kind": "mc", "ok": True, "given": ["a", "b"]},
                {"q": "q2", "kind": "text", "ok": False, "given": "water"},
            ],
        },
        {
            "learner": {"email": "ben@example.org"},
            "status": "FAIL",
            "points": 3,
            "max": 20,
            "answers": [{"q": "q1", "kind": "mc", "ok": False}],
        },
        {"learner": {"email": "cleo@example.org"}, "status": "NOSHOW"},
    ],
}


def test_the_assessment_example_makes_five_statements_of_three_learners() -> None:
    mapping = example("assess")
    outcomes = [mapping.adapt(event, LOOKUPS) for event in mapping.events(ASSESS) if isinstance(event, Event)]
    assert [type(outcome) for outcome in outcomes] == [Adapted, Adapted, Skipped]
    found = [one for outcome in outcomes if isinstance(outcome, Adapted) for one in outcome.statements]
    assert [one["verb"]["display"]["en"] for one in found] == [
        "passed",
        "answered",
        "answered",
        "failed",
        "answered",
    ]
    assert found[0]["result"] == {
        "success": True,
        "completion": True,
        "score": {"raw": 17.5, "min": 0, "max": 20, "scaled": 0.875},
        "duration": "PT12M30S",
    }
    assert found[0]["timestamp"] == "2024-03-01T09:00:00Z"
    assert found[1]["result"]["response"] == "a[,]b"
    assert len({one["id"] for one in found}) == 5
    assert not [problem for one in found for problem in check(one, Version.V2)]


def test_the_open_edx_example_makes_one_statement_a_question() -> None:
    submission = {
        f"i{n}": {"question": f"Q{n}", "response_type": "choiceresponse", "answer": "x", "correct": n == 1}
        for n in (1, 2)
    }
    payload = {
        "name": "problem_check",
        "event_source": "server",
        "time": "2024-01-01T00:00:00+00:00",
        "context": {"user_id": 5, "course_id": "c", "module": {"display_name": "P"}},
        "event": {
            "problem_id": "p",
            "success": "incorrect",
            "grade": 1,
            "max_grade": 2,
            "submission": submission,
        },
    }
    lookups = Lookups(pseudonym_key=b"k", directories={"courses": {"c": {"title": "Course"}}})
    found = statements(example("openedx"), payload, lookups)
    assert [one["object"]["id"].rpartition("/")[2] for one in found] == ["p", "p#i1", "p#i2"]
    assert found[1]["context"]["statement"] == {"objectType": "StatementRef", "id": found[0]["id"]}
    assert found[1]["context"]["contextActivities"]["grouping"][0]["definition"]["name"] == {
        "en-US": "Course"
    }
    assert not [problem for one in found for problem in check(one, Version.V2)]
    browser = {**payload, "event_source": "browser"}
    assert isinstance(adapt(example("openedx"), browser), Skipped)


COMPILED = [example("zoom"), example("assess"), example("openedx"), simple(MEETING, before=PRIVATE)]


@given(st.sampled_from(COMPILED), json_values)
@settings(max_examples=300)
def test_any_payload_has_an_outcome(mapping: Mapping, payload: Any) -> None:
    for event in mapping.events(payload):
        if isinstance(event, Event):
            assert isinstance(mapping.adapt(event, LOOKUPS), (Adapted, Skipped, Unmatched, Held, Failed))
            mapping.explain(event, LOOKUPS)
    mapping.redact(payload)


broken: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", "x", 0, -1, 1.5, True, [], {}, [None], {"a": {}}, 10**400]
)


@given(st.data())
@settings(max_examples=300)
def test_a_known_payload_with_anything_put_into_it_has_an_outcome(data: st.DataObject) -> None:
    payload = json.loads(json.dumps(ASSESS))
    at = payload
    while isinstance(at, (dict, list)) and at:
        key = data.draw(st.sampled_from(list(at) if isinstance(at, dict) else range(len(at))))
        inner = at[key]
        if not isinstance(inner, (dict, list)) or not inner or data.draw(st.booleans()):
            at[key] = data.draw(broken)
            break
        at = inner
    mapping = COMPILED[1]
    for event in mapping.events(payload):
        outcome = mapping.adapt(event, LOOKUPS) if isinstance(event, Event) else event
        assert isinstance(outcome, (Adapted, Skipped, Unmatched, Failed))
