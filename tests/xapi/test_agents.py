from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadRequest, Invalid
from gateway.xapi.agents import (
    agent_key,
    check_actor,
    check_agent,
    check_authority,
    check_group,
    parse_actor_parameter,
    parse_agent_parameter,
)
from tests.xapi.examples import SHA1, agent, group

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["objectType", "mbox", "account", "member", "name", "homePage"]) | st.text(),
            inner,
        )
    ),
)
IDENTIFIED: dict[str, dict[str, Any]] = {
    "mbox": {"mbox": "mailto:a@example.org"},
    "mbox_sha1sum": {"mbox_sha1sum": SHA1},
    "openid": {"openid": "https://openid.example.org/a"},
    "account": {"account": {"homePage": "https://lms.example.org", "name": "a"}},
}


@pytest.mark.parametrize(
    ("identity", "key"),
    [
        ({"mbox": "mailto:First.Last@Example.ORG"}, "mbox:mailto:First.Last@example.org"),
        ({"mbox_sha1sum": SHA1.upper()}, f"sha1:{SHA1}"),
        ({"openid": "https://openid.example.org/A"}, "openid:https://openid.example.org/A"),
        (
            {"account": {"homePage": "https://lms.example.org", "name": "A|b\\c"}},
            "account:https://lms.example.org|A|b\\c",
        ),
        ({"account": {"homePage": "x:a|b\\c", "name": ""}}, "account:x:a\\|b\\\\c|"),
        ({"objectType": "Group", "member": []}, None),
    ],
)
def test_the_key_of_an_agent_is_its_identifier(identity: dict[str, Any], key: str | None) -> None:
    assert agent_key(identity) == key
    assert agent_key({"name": "whoever", **identity}) == key


@given(st.tuples(st.text("|\\ab"), st.text("|\\ab")), st.tuples(st.text("|\\ab"), st.text("|\\ab")))
def test_different_accounts_have_different_keys(one: tuple[str, str], other: tuple[str, str]) -> None:
    keys = [agent_key({"account": {"homePage": page, "name": name}}) for page, name in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


@pytest.mark.parametrize("kind", IDENTIFIED)
def test_an_agent_has_exactly_one_identifier(kind: str) -> None:
    assert check_agent(IDENTIFIED[kind], "actor") == []
    assert check_agent({"objectType": "Agent", "name": "", **IDENTIFIED[kind]}, "actor") == []
    for other in IDENTIFIED.keys() - {kind}:
        problems = check_agent(IDENTIFIED[kind] | IDENTIFIED[other], "actor")
        assert [(problem.path, problem.requirement) for problem in problems] == [("actor", "xAPI 2.4.2.3")]


def test_an_agent_without_identifier_says_what_it_could_have() -> None:
    (problem,) = check_agent({"name": "nobody"}, "actor")
    assert problem.message == "has no identifier; it needs one of mbox, mbox_sha1sum, openid, account"


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (None, "actor"),
        ([], "actor"),
        ("mailto:a@b", "actor"),
        ({"mbox": "a@b"}, "actor.mbox"),
        ({"mbox": ["mailto:a@b"]}, "actor.mbox"),
        ({"mbox_sha1sum": "x"}, "actor.mbox_sha1sum"),
        ({"openid": "www.example.org"}, "actor.openid"),
        ({"account": "a"}, "actor.account"),
        ({"account": {"name": "a"}}, "actor.account.homePage"),
        ({"account": {"homePage": "www.example.org", "name": "a"}}, "actor.account.homePage"),
        ({"account": {"homePage": "https://example.org"}}, "actor.account.name"),
        ({"account": {"homePage": "https://example.org", "name": 1}}, "actor.account.name"),
        ({"account": {"homePage": "https://example.org", "name": "a", "x": 1}}, "actor.account.x"),
        ({"mbox": "mailto:a@b", "name": 5}, "actor.name"),
        ({"mbox": "mailto:a@b", "name": None}, "actor.name"),
        ({"mbox": "mailto:a@b", "member": []}, "actor.member"),
        ({"mbox": "mailto:a@b", "objectType": "agent"}, "actor.objectType"),
        ({"mbox": "mailto:a@b", "objecttype": "Agent"}, "actor.objecttype"),
    ],
)
def test_a_malformed_agent_is_refused_where_it_is_wrong(value: object, path: str) -> None:
    assert path in [problem.path for problem in check_agent(value, "actor")]
    assert path in [problem.path for problem in check_actor(value, "actor")]


def test_a_property_in_wrong_case_is_recognised() -> None:
    (problem,) = check_agent({"mbox": "mailto:a@b", "objecttype": "Agent"}, "actor")
    assert problem.message == 'is not a property of an Agent; did you mean "objectType"?'


@pytest.mark.parametrize("value", [group(), group(identified=False), {"objectType": "Group", "member": []}])
def test_groups_may_be_identified_or_anonymous(value: dict[str, Any]) -> None:
    assert check_group(value, "team") == []
    assert check_actor(value, "actor") == []
    assert check_agent(value, "actor") != []


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"objectType": "Group"}, "team.member"),
        ({"objectType": "Group", "name": "empty"}, "team.member"),
        ({"member": [agent()]}, "team.objectType"),
        ({"objectType": "Agent", "mbox": "mailto:a@b"}, "team.objectType"),
        ({"objectType": "Group", "member": agent()}, "team.member"),
        ({"objectType": "Group", "member": [agent(), {"name": "nobody"}]}, "team.member[1]"),
        ({"objectType": "Group", "member": [group()]}, "team.member[0].objectType"),
        ({"objectType": "Group", "mbox": "mailto:a@b", "openid": "x:y"}, "team"),
        ({"objectType": "Group", "mbox": "mailto:a@b", "members": []}, "team.members"),
    ],
)
def test_a_malformed_group_is_refused_where_it_is_wrong(value: object, path: str) -> None:
    assert path in [problem.path for problem in check_group(value, "team")]


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        (agent(), True),
        ({"objectType": "Group", "member": [agent("app"), agent("user")]}, True),
        ({"objectType": "Group", "member": [agent()]}, False),
        ({"objectType": "Group", "member": [agent("a"), agent("b"), agent("c")]}, False),
        ({"objectType": "Group", "mbox": "mailto:a@b", "member": [agent("a"), agent("b")]}, False),
        ({"objectType": "Group", "mbox": "mailto:a@b"}, False),
        (None, False),
    ],
)
def test_an_authority_is_an_agent_or_an_anonymous_pair(value: object, accepted: bool) -> None:
    assert (check_authority(value, "authority") == []) is accepted


@given(JSON)
def test_checking_any_json_only_gives_problems(value: Any) -> None:
    for check in (check_agent, check_group, check_actor, check_authority):
        for problem in check(value, "actor"):
            assert problem.path.startswith("actor")
            assert problem.message
    assert check_actor(value, "a") != [] or isinstance(value, dict)


@pytest.mark.parametrize("kind", IDENTIFIED)
def test_a_parameter_gives_the_agent_it_holds(kind: str) -> None:
    text = json.dumps(IDENTIFIED[kind])
    assert parse_agent_parameter(text) == IDENTIFIED[kind]
    assert parse_actor_parameter(text) == IDENTIFIED[kind]


def test_an_identified_group_can_be_looked_for_but_is_no_agent() -> None:
    text = json.dumps(group())
    assert parse_actor_parameter(text) == group()
    with pytest.raises(Invalid):
        parse_agent_parameter(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "null", "[]", '"mailto:a@b"', "{}", '{"mbox":"a@b"}',
        '{"mbox":"mailto:a@b","mbox":"mailto:a@b"}', '{"mbox":"mailto:a@b","openid":"x:y"}',
        '{"objectType":"Group","member":[]}', "\ud800", "mailto:a@b",
    ],
)  # fmt: skip
def test_a_parameter_that_identifies_nobody_is_invalid_and_says_which(text: str) -> None:
    for parse in (parse_agent_parameter, parse_actor_parameter):
        with pytest.raises(Invalid) as refused:
            parse(text, "who")
        assert "who" in refused.value.message
        assert refused.value.problems[0].path.startswith("who")


@given(st.text() | JSON.map(json.dumps))
def test_any_parameter_is_an_actor_or_a_bad_request(text: str) -> None:
    try:
        actor = parse_actor_parameter(text)
    except BadRequest:
        return
    assert agent_key(actor) is not None
