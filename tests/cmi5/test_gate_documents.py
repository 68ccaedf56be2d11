from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cmi5.gate_documents import (
    DocumentRequest,
    Resource,
    asks_for_preferences,
    examine_document,
    is_launch_actor,
    readable,
    scoped_query,
)
from gateway.cmi5.preferences import check_preferences
from gateway.cmi5.vocabulary import LAUNCH_DATA_ID, PREFERENCES_ID
from gateway.errors import Problem
from tests.cmi5.samples import ACTOR, REGISTRATION, allowed, spoilt, view

OTHER = {"account": {"homePage": "https://people.example.org", "name": "bob"}}
SAME = {"account": {"name": "ada", "homePage": "https://people.example.org"}}
GOOD = {"languagePreference": "en-US,fr-FR", "audioPreference": "on"}

STATE = DocumentRequest(
    resource=Resource.STATE, method="PUT", agent=ACTOR, registration=REGISTRATION, document_id="bookmark"
)
PREFERENCES = DocumentRequest(
    resource=Resource.AGENT_PROFILE,
    method="PUT",
    agent=ACTOR,
    document_id=PREFERENCES_ID,
    content_type="application/json",
    content=GOOD,
)


def _refused(request: DocumentRequest, **changes: Any) -> list[tuple[int, str, str]]:
    found = examine_document(replace(request, **changes), view())
    assert all(refusal.message for refusal in found)
    return [(each.status, each.requirement, each.path) for each in found]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
def test_an_au_has_its_own_state_documents(method: str) -> None:
    for agent in (ACTOR, SAME):
        for registration in (REGISTRATION, REGISTRATION.upper(), None):
            assert _refused(STATE, method=method, agent=agent, registration=registration) == []


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
def test_states_of_other_learners_and_registrations_are_out_of_reach(method: str) -> None:
    # cmi5 8.1.3.0-3 (d), 8.1.4.0-3 (d)
    assert _refused(STATE, method=method, agent=OTHER) == [(403, "cmi5 8.1.3.0-3", "agent")]
    assert _refused(STATE, method=method, registration="another") == [(403, "cmi5 8.1.4.0-3", "registration")]


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_launch_data_can_only_be_read(method: str) -> None:
    # cmi5 10.2.1.0-5 (d)
    for registration in (REGISTRATION, None):
        assert _refused(STATE, method=method, document_id=LAUNCH_DATA_ID, registration=registration) == [
            (403, "cmi5 10.2.1.0-5", "stateId")
        ]
    assert _refused(STATE, method="GET", document_id=LAUNCH_DATA_ID) == []


def test_launch_data_are_not_deleted_along_with_everything_else() -> None:
    assert _refused(STATE, method="DELETE", document_id=None) == [(403, "cmi5 10.2.1.0-5", "stateId")]
    assert _refused(STATE, method="GET", document_id=None) == []


def test_a_refusal_becomes_a_problem_of_the_answer() -> None:
    (refusal,) = examine_document(replace(STATE, agent=OTHER), view())
    assert refusal.problem() == Problem("agent", "cmi5 8.1.3.0-3", "is not the actor of the launch")


def test_an_agent_profile_request_without_agent_is_answered_400() -> None:
    for method in ("GET", "PUT", "POST", "DELETE"):
        assert _refused(PREFERENCES, method=method, agent=None) == [(400, "xAPI 2.6", "agent")]


def test_profiles_of_other_agents_are_out_of_reach() -> None:
    # cmi5 11.0.0.0-1 (d)
    assert _refused(PREFERENCES, method="GET", agent=OTHER) == [(403, "cmi5 11.0.0.0-1", "agent")]
    assert (403, "cmi5 11.0.0.0-1", "agent") in _refused(PREFERENCES, agent=OTHER)


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_proper_preferences_may_be_written(method: str) -> None:
    assert _refused(PREFERENCES, method=method) == []
    assert _refused(PREFERENCES, method=method, content_type="application/json; charset=utf-8") == []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"content_type": "text/plain;charset=UTF-8"}, "Content-Type"),
        ({"content_type": ""}, "Content-Type"),
        ({"content": None}, ""),
        ({"content": []}, ""),
        ({"content": {"audioPreference": "on"}}, "languagePreference"),
        ({"content": {"languagePreference": "en"}}, "audioPreference"),
        ({"content": GOOD | {"languagePreference": ""}}, "languagePreference"),
        ({"content": GOOD | {"languagePreference": "en, fr"}}, "languagePreference"),
        ({"content": GOOD | {"languagePreference": ["en"]}}, "languagePreference"),
        ({"content": GOOD | {"audioPreference": "loud"}}, "audioPreference"),
        ({"method": "DELETE"}, "profileId"),
    ],
)
def test_improper_preferences_are_refused_with_403(changes: dict[str, Any], path: str) -> None:
    # cmi5 11.0.0.0-5 (d)
    assert _refused(PREFERENCES, **changes) == [(403, "cmi5 11.0.0.0-5", path)]


def test_other_profiles_of_the_learner_are_ordinary_documents() -> None:
    for method in ("GET", "PUT", "POST", "DELETE"):
        request = replace(PREFERENCES, method=method, document_id="notes", content_type="text/plain")
        assert _refused(request, content=None) == []


def test_only_a_get_counts_as_having_asked_for_the_preferences() -> None:
    # cmi5 11.0.0.0-3 (d1)
    assert asks_for_preferences(replace(PREFERENCES, method="GET"))
    for method, document_id in (("HEAD", PREFERENCES_ID), ("PUT", PREFERENCES_ID), ("GET", "notes")):
        assert not asks_for_preferences(replace(PREFERENCES, method=method, document_id=document_id))
    assert not asks_for_preferences(replace(STATE, method="GET", document_id=PREFERENCES_ID))


def test_persons_can_be_looked_up_for_the_learner_alone() -> None:
    request = DocumentRequest(resource=Resource.AGENTS, method="GET", agent=ACTOR)
    assert _refused(request) == []
    assert _refused(request, agent=OTHER) == [(403, "cmi5 8.1.3.0-3", "agent")]


@pytest.mark.parametrize("resource", [Resource.ACTIVITIES, Resource.ACTIVITY_PROFILE, Resource.ABOUT])
def test_activities_and_about_are_open(resource: Resource) -> None:
    assert _refused(DocumentRequest(resource=resource, method="GET")) == []


@pytest.mark.parametrize(
    "agent",
    [None, "x", [], {}, {"account": None}, {"account": {"name": "ada"}}, {"mbox": "mailto:ada@example.org"}],
)
def test_nothing_but_the_account_makes_the_launch_actor(agent: object) -> None:
    assert is_launch_actor(SAME, view())
    assert not is_launch_actor(agent, view())


def test_a_statements_query_is_narrowed_to_the_registration() -> None:
    assert scoped_query({"limit": "1"}, view(), "ada") == {
        "limit": "1",
        "agent": "ada",
        "registration": REGISTRATION,
    }
    query = {"registration": REGISTRATION.upper(), "agent": "asked"}
    assert scoped_query(query, view(), "ada") == {"agent": "asked", "registration": REGISTRATION}
    assert scoped_query({"registration": "another"}, view(), "ada") is None


def test_a_statement_is_readable_if_it_is_of_the_registration() -> None:
    assert readable(allowed(), view())
    assert not readable(spoilt(allowed(), "context registration", "another"), view())
    assert not readable(spoilt(allowed(), "context"), view())
    assert not readable({"context": []}, view())


@pytest.mark.parametrize("languages", ["en", "en-US,fr-FR,fr-BE", "zh-Hans,x-klingon", "i-klingon"])
@pytest.mark.parametrize("audio", ["on", "off"])
def test_preferences_are_languages_in_order_and_audio_on_or_off(languages: str, audio: str) -> None:
    document = {"languagePreference": languages, "audioPreference": audio, "vendor": {"font": 2}}
    assert check_preferences(document) == []


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
fields = {"languagePreference": anything, "audioPreference": anything}


@given(anything | st.fixed_dictionaries({}, optional=fields), anything, anything)
def test_any_request_is_judged(content: object, agent: object, registration: object) -> None:
    given_registration = registration if isinstance(registration, str) else None
    for request in (STATE, PREFERENCES):
        for refusal in examine_document(
            replace(request, content=content, agent=agent, registration=given_registration), view()
        ):
            assert refusal.status in (400, 403)
    for problem in check_preferences(content):
        assert problem.requirement == "cmi5 11.0.0.0-5"
