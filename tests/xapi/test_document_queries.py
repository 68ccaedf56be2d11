import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Invalid
from gateway.xapi.documents import Kind
from gateway.xapi.queries import ActivityProfileQuery, AgentProfileQuery, StateQuery

ID = "6690e6c9-3ef0-4ed3-8b37-7f3964730bee"
AGENT = json.dumps({"name": "Ana", "account": {"name": "ana", "homePage": "https://lms.example.org"}})
GROUP = json.dumps({"objectType": "Group", "openid": "https://id.example.org/blue"})
ACTIVITY = "https://example.org/activity"
SINCE = "2024-01-31T10:00:00"

STATE = {"activityId": ACTIVITY, "agent": AGENT}
ACTIVITY_PROFILE = {"activityId": ACTIVITY}
AGENT_PROFILE = {"agent": AGENT}

Parse = Callable[[list[tuple[str, str]], str], Any]
RESOURCES = [
    pytest.param(StateQuery.parse, STATE, "stateId", id="state"),
    pytest.param(ActivityProfileQuery.parse, ACTIVITY_PROFILE, "profileId", id="activity profile"),
    pytest.param(AgentProfileQuery.parse, AGENT_PROFILE, "profileId", id="agent profile"),
]
METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"]


def refused(parse: Parse, parameters: dict[str, str], method: str) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        parse(list(parameters.items()), method)
    return {problem.path.partition(".")[0]: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize("method", METHODS)
def test_one_state_document_is_named_by_activity_agent_registration_and_id(method: str) -> None:
    query = StateQuery.parse([*STATE.items(), ("stateId", "a/b?ä"), ("registration", ID.upper())], method)
    assert query == StateQuery(
        activity_id=ACTIVITY,
        agent=json.loads(AGENT),
        agent_key="account:https://lms.example.org|ana",
        registration=UUID(ID),
        document_id="a/b?ä",
    )
    assert query.kind is Kind.STATE


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_many_state_documents_are_meant_when_no_id_is_given(method: str) -> None:
    query = StateQuery.parse(list(STATE.items()), method)
    assert (query.document_id, query.registration, query.since) == (None, None, None)


@pytest.mark.parametrize(("parse", "required", "id_name"), RESOURCES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_lists_of_ids_can_be_narrowed_by_since(
    parse: Parse, required: dict[str, str], id_name: str, method: str
) -> None:
    query = parse([*required.items(), ("since", SINCE)], method)
    assert (query.document_id, query.since) == (None, 1706695200_000000)
    assert "cannot be combined" in refused(parse, {**required, "since": SINCE, id_name: "x"}, method)["since"]


@pytest.mark.parametrize(("parse", "required", "id_name"), RESOURCES)
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_since_only_goes_with_reading(
    parse: Parse, required: dict[str, str], id_name: str, method: str
) -> None:
    assert set(refused(parse, {**required, id_name: "x", "since": SINCE}, method)) == {"since"}


@pytest.mark.parametrize(("parse", "required", "id_name"), RESOURCES)
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_writing_needs_the_id_of_the_document(
    parse: Parse, required: dict[str, str], id_name: str, method: str
) -> None:
    assert refused(parse, required, method) == {id_name: "is missing; this request needs it"}


@pytest.mark.parametrize(("parse", "required", "id_name"), RESOURCES[1:])
def test_profiles_cannot_be_deleted_many_at_a_time(
    parse: Parse, required: dict[str, str], id_name: str
) -> None:
    assert set(refused(parse, required, "DELETE")) == {id_name}


@pytest.mark.parametrize(("parse", "required", "id_name"), RESOURCES)
@pytest.mark.parametrize("method", METHODS)
def test_missing_unknown_repeated_and_miscased_parameters_are_refused(
    parse: Parse, required: dict[str, str], id_name: str, method: str
) -> None:
    full = {**required, id_name: "x"}
    for name in required:
        assert refused(parse, {key: full[key] for key in full if key != name}, method).keys() == {name}
    for name in full:
        with pytest.raises(Invalid, match=f"{name} is given more than once"):
            parse([*full.items(), (name, full[name])], method)
        miscased = {key.upper() if key == name else key: value for key, value in full.items()}
        assert name.upper() in refused(parse, miscased, method)
    assert set(refused(parse, {**full, "foo": "bar"}, method)) == {"foo"}


@pytest.mark.parametrize(("parse", "required", "id_name"), RESOURCES)
@pytest.mark.parametrize("method", METHODS)
def test_values_of_the_wrong_type_are_refused_together(
    parse: Parse, required: dict[str, str], id_name: str, method: str
) -> None:
    wrong = {"activityId": "www.example.org", "agent": "{}", id_name: ""}
    expected = {**dict.fromkeys(required), id_name: None}.keys()
    assert refused(parse, {name: wrong[name] for name in expected}, method).keys() == expected


@pytest.mark.parametrize("registration", ["", "null", ID[:-1], ID.replace("-", "")])
def test_a_registration_must_be_a_uuid(registration: str) -> None:
    assert set(refused(StateQuery.parse, {**STATE, "registration": registration}, "GET")) == {"registration"}


@pytest.mark.parametrize("since", ["", "yesterday", "2024-01-31", "2024-01-31T10:00:00-00:00"])
def test_since_must_be_a_timestamp(since: str) -> None:
    assert set(refused(ActivityProfileQuery.parse, {**ACTIVITY_PROFILE, "since": since}, "GET")) == {"since"}


def test_documents_belong_to_agents_and_a_group_is_refused() -> None:
    assert set(refused(AgentProfileQuery.parse, {"agent": GROUP, "profileId": "x"}, "GET")) == {"agent"}
    assert set(refused(StateQuery.parse, {**STATE, "agent": GROUP}, "GET")) == {"agent"}


def test_a_profile_knows_no_registration() -> None:
    assert set(refused(AgentProfileQuery.parse, {**AGENT_PROFILE, "registration": ID}, "GET")) == {
        "registration"
    }


def test_an_agent_is_its_identifier_whatever_its_name_and_the_order_of_keys() -> None:
    other = json.dumps(
        {"account": {"homePage": "https://lms.example.org", "name": "ana"}, "objectType": "Agent"}
    )
    one = AgentProfileQuery.parse([("agent", AGENT)], "GET")
    assert one.agent_key == AgentProfileQuery.parse([("agent", other)], "GET").agent_key


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_document_ids_of_every_script_are_kept_as_they_are(document_id: str) -> None:
    query = ActivityProfileQuery.parse([("activityId", ACTIVITY), ("profileId", document_id)], "PUT")
    assert query.document_id == document_id


@pytest.mark.parametrize("document_id", ["\udc80", "a\ud800"])
def test_a_document_id_that_is_not_utf_8_is_refused(document_id: str) -> None:
    assert set(refused(AgentProfileQuery.parse, {**AGENT_PROFILE, "profileId": document_id}, "PUT")) == {
        "profileId"
    }
