from typing import Any

import pytest

from gateway.xapi.persons import person


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
