from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import pytest

from gateway.xapi.matching import MatchKeys, match_keys, matches
from gateway.xapi.versions import Version
from tests.xapi.examples import EXAMPLES, Json, activity, agent, group, maximal, minimal, statement_ref

REGISTRATION = "ec531277-b57b-4c15-8d91-d292c5b2b8f7"
GROUP_KEYS = [
    "account:https://lms.example.org|group",
    "mbox:mailto:one@example.org",
    "sha1:ebd31e95054c018b10727ccffd2ef2ec3a016ee9",
    "openid:https://openid.example.org/two",
    "account:https://lms.example.org|3",
]


@dataclass(frozen=True, kw_only=True)
class Query:
    agent_key: str | None = None
    verb: str | None = None
    activity: str | None = None
    registration: UUID | None = None
    related_agents: bool = False
    related_activities: bool = False


def mail(name: str) -> str:
    return f"mbox:mailto:{name}@example.org"


def known(name: str) -> str:
    return f"https://example.org/activities/{name}"


def about(target: Json, **more: Json) -> Json:
    return {"actor": agent(), "verb": {"id": "x:did"}, "object": target, **more}


def test_a_statement_that_has_everything_is_found_by_everything() -> None:
    keys = match_keys(maximal(Version.V2))
    assert list(keys.agents) == GROUP_KEYS
    assert set(keys.related_agents) == {
        *GROUP_KEYS,
        *map(mail, ("instructor", "mentor", "app", "user")),
        "openid:https://openid.example.org/mentor",
    }
    assert keys.verb == "http://adlnet.gov/expapi/verbs/completed"
    assert keys.activity == known("course")
    assert list(keys.related_activities) == [
        known(name) for name in ("course", "parent", "grouping", "category-1", "category-2")
    ]
    assert keys.registration == REGISTRATION


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("name", EXAMPLES)
def test_related_keys_include_the_narrow_ones_and_none_occurs_twice(name: str, version: Version) -> None:
    keys = match_keys(EXAMPLES[name](version))
    assert keys.related_agents[: len(keys.agents)] == keys.agents
    assert keys.activity is None or keys.activity in keys.related_activities
    for found in (keys.agents, keys.related_agents, keys.related_activities):
        assert len(found) == len(set(found))


def test_agents_and_groups_as_object_are_narrow() -> None:
    assert list(match_keys(about(agent("other"))).agents) == [mail("learner"), mail("other")]
    assert list(match_keys(about(group())).agents) == [mail("learner"), *GROUP_KEYS]
    assert list(match_keys(about(group(identified=False))).agents) == [mail("learner"), *GROUP_KEYS[1:]]


def test_a_sub_statement_is_related_only() -> None:
    inner = {
        "objectType": "SubStatement",
        "actor": agent("inner"),
        "verb": {"id": "x:other"},
        "object": activity("inner"),
        "context": {
            "registration": REGISTRATION,
            "instructor": agent("inner-instructor"),
            "contextActivities": {"parent": activity("inner-parent")},
        },
    }
    assert match_keys(about(inner)) == MatchKeys(
        agents=(mail("learner"),),
        related_agents=(mail("learner"), mail("inner"), mail("inner-instructor")),
        verb="x:did",
        activity=None,
        related_activities=(known("inner"), known("inner-parent")),
        registration=None,
    )
    about_agent = match_keys(about(inner | {"object": agent("inner-object")}))
    assert mail("inner-object") in about_agent.related_agents
    assert match_keys(about(inner | {"object": statement_ref()})).related_activities == (
        known("inner-parent"),
    )


def test_a_reference_in_context_is_no_key() -> None:
    keys = match_keys(about(statement_ref(), context={"statement": statement_ref()}))
    assert (keys.activity, keys.related_activities) == (None, ())


def test_uuids_match_in_any_case() -> None:
    keys = match_keys(minimal(Version.V1) | {"context": {"registration": REGISTRATION.upper()}})
    assert matches(keys, Query(registration=UUID(REGISTRATION)))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), True),
        (Query(agent_key=GROUP_KEYS[0]), True),
        (Query(agent_key=GROUP_KEYS[2]), True),
        (Query(agent_key=mail("instructor")), False),
        (Query(agent_key=mail("instructor"), related_agents=True), True),
        (Query(agent_key=GROUP_KEYS[0], related_agents=True), True),
        (Query(agent_key=mail("nobody"), related_agents=True), False),
        (Query(related_agents=True, related_activities=True), True),
        (Query(verb="http://adlnet.gov/expapi/verbs/completed"), True),
        (Query(verb="http://adlnet.gov/expapi/verbs/failed"), False),
        (Query(activity=known("course")), True),
        (Query(activity=known("parent")), False),
        (Query(activity=known("parent"), related_activities=True), True),
        (Query(activity=known("course"), related_activities=True), True),
        (Query(activity=known("none"), related_activities=True), False),
        (Query(registration=UUID(REGISTRATION)), True),
        (Query(registration=UUID(int=1)), False),
        (Query(agent_key=GROUP_KEYS[0], activity=known("course"), registration=UUID(REGISTRATION)), True),
        (Query(agent_key=GROUP_KEYS[0], activity=known("none")), False),
    ],
)
def test_all_filters_must_match(query: Query, expected: bool) -> None:
    assert matches(match_keys(maximal(Version.V2)), query) is expected


def test_a_statement_without_activity_matches_no_activity() -> None:
    assert not matches(match_keys(about(agent("other"))), Query(activity=known("course")))
