from typing import Any

import pytest

from gateway.xapi.agents import agent_key
from gateway.xapi.persons import named_agents, person


@pytest.mark.parametrize(
    "identifier",
    [
        {"mbox": "mailto:a@example.org"},
        {"mbox_sha1sum": "a" * 40},
        {"openid": "https://id.example.org/a"},
        {"account": {"homePage": "https://lms.example.org", "name": "ä"}},
    ],
)
def test_every_property_of_a_person_is_an_array(identifier: dict[str, Any]) -> None:
    ((key, value),) = identifier.items()
    assert person({"objectType": "Agent", **identifier}, ["Ana", "Anna", "Ana"]) == {
        "objectType": "Person",
        "name": ["Ana", "Anna"],
        key: [value],
    }


def test_an_unknown_agent_is_answered_with_what_the_request_says() -> None:
    agent = {"name": "Bo", "mbox": "mailto:bo@example.org"}
    expected = {"objectType": "Person", "name": ["Bo"], "mbox": ["mailto:bo@example.org"]}
    assert person(agent) == expected


def test_a_name_in_the_request_does_not_join_the_known_ones() -> None:
    assert person({"name": "Mallory", "mbox": "mailto:a@example.org"}, ["Ana"])["name"] == ["Ana"]


def test_a_person_without_any_name_has_no_name_property() -> None:
    assert "name" not in person({"mbox": "mailto:a@example.org"})


def named(name: str) -> dict[str, Any]:
    return {"name": name, "mbox": f"mailto:{name}@example.org"}


def test_names_are_found_in_every_place_where_a_statement_names_somebody() -> None:
    inner = {
        "actor": named("inner"),
        "verb": {"id": "x:v"},
        "object": {"objectType": "Agent", **named("object")},
    }
    statement = {
        "actor": {"objectType": "Group", **named("group"), "member": [named("member")]},
        "verb": {"id": "x:v"},
        "object": {"objectType": "SubStatement", **inner},
        "context": {
            "instructor": named("instructor"),
            "team": {"objectType": "Group", "name": "anonymous", "member": [named("team")]},
            "contextAgents": [{"objectType": "contextAgent", "agent": named("agent")}],
            "contextGroups": [
                {"objectType": "contextGroup", "group": {"objectType": "Group", **named("other")}}
            ],
        },
    }
    expected = ("group", "member", "instructor", "team", "agent", "other", "inner", "object")
    assert list(named_agents(statement)) == [(agent_key(named(name)), name) for name in expected]


def test_an_agent_without_name_and_an_anonymous_group_teach_no_name() -> None:
    statement = {
        "actor": {"objectType": "Group", "name": "anonymous", "member": [{"mbox": "mailto:a@example.org"}]},
        "object": {"id": "x:activity"},
    }
    assert list(named_agents(statement)) == []
