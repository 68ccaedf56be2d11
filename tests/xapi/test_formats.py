from copy import deepcopy
from typing import Any

from gateway.xapi import formats
from gateway.xapi.languages import Languages

ACTOR = {"objectType": "Agent", "name": "Ana", "mbox": "mailto:ana@example.org"}
ACCOUNT = {"homePage": "https://lms.example.org", "name": "ana"}
TEAM = {"objectType": "Group", "name": "Blue", "openid": "https://id.example.org/blue", "member": [ACTOR]}
NAMELESS = {"objectType": "Group", "name": "Some", "member": [{"name": "Bo", "account": ACCOUNT}, ACTOR]}
LECTURE: dict[str, Any] = {
    "objectType": "Activity",
    "id": "https://example.org/lecture",
    "definition": {
        "name": {"en": "Lecture", "de": "Vorlesung"},
        "extensions": {"https://example.org/x": {"en": 1, "de": None}},
    },
}
BOOK: dict[str, Any] = {"id": "https://example.org/book"}

STATEMENT: dict[str, Any] = {
    "id": "11111111-1111-4111-8111-111111111111",
    "actor": ACTOR,
    "verb": {"id": "https://example.org/met", "display": {"en": "met", "de": "traf"}},
    "object": LECTURE,
    "result": {"response": "ja", "extensions": {"https://example.org/y": [None]}},
    "context": {
        "registration": "22222222-2222-4222-8222-222222222222",
        "instructor": NAMELESS,
        "team": TEAM,
        "contextActivities": {"parent": [BOOK, LECTURE], "other": [LECTURE]},
        "contextAgents": [
            {"objectType": "contextAgent", "agent": ACTOR, "relevantTypes": ["https://example.org/t"]}
        ],
        "contextGroups": [{"objectType": "contextGroup", "group": TEAM}],
        "language": "de",
        "extensions": {"https://example.org/z": {"name": "kept"}},
    },
    "attachments": [{"usageType": "https://example.org/u", "display": {"en": "a", "de": "b"}}],
    "authority": {"objectType": "Agent", "name": "LMS", "account": ACCOUNT},
    "timestamp": "2024-01-31T10:00:00Z",
    "stored": "2024-01-31T10:00:01Z",
    "version": "2.0.0",
}
SUBSTATEMENT: dict[str, Any] = {
    **STATEMENT,
    "object": {
        "objectType": "SubStatement",
        **{key: STATEMENT[key] for key in ("actor", "verb", "object", "context")},
    },
}
BY_MAIL = {"mbox": "mailto:ana@example.org"}
BLUE = {"objectType": "Group", "openid": "https://id.example.org/blue"}


def test_ids_leaves_only_identifiers_of_agents_groups_activities_and_verbs() -> None:
    assert formats.to_ids(STATEMENT) == {
        **STATEMENT,
        "actor": BY_MAIL,
        "verb": {"id": "https://example.org/met"},
        "object": {"id": "https://example.org/lecture"},
        "context": {
            **STATEMENT["context"],
            "instructor": {"objectType": "Group", "member": [{"account": ACCOUNT}, BY_MAIL]},
            "team": BLUE,
            "contextActivities": {
                "parent": [BOOK, {"id": "https://example.org/lecture"}],
                "other": [{"id": "https://example.org/lecture"}],
            },
            "contextAgents": [
                {"objectType": "contextAgent", "agent": BY_MAIL, "relevantTypes": ["https://example.org/t"]}
            ],
            "contextGroups": [{"objectType": "contextGroup", "group": BLUE}],
        },
        "authority": {"account": ACCOUNT},
    }


def test_ids_reduces_the_inside_of_a_substatement() -> None:
    inner = formats.to_ids(SUBSTATEMENT)["object"]
    outer = formats.to_ids(STATEMENT)
    assert inner["objectType"] == "SubStatement"
    assert [inner[key] for key in ("actor", "verb", "object", "context")] == [
        outer[key] for key in ("actor", "verb", "object", "context")
    ]


def test_ids_keeps_the_object_type_of_an_agent_or_group_in_object_position() -> None:
    agent = formats.to_ids({**STATEMENT, "object": ACTOR})
    assert agent["object"] == {"objectType": "Agent", **BY_MAIL}
    assert formats.to_ids({**STATEMENT, "object": TEAM})["object"] == BLUE


def test_ids_leaves_a_statement_reference_alone() -> None:
    reference = {"objectType": "StatementRef", "id": "33333333-3333-4333-8333-333333333333"}
    assert formats.to_ids({**STATEMENT, "object": reference})["object"] == reference


def test_ids_keeps_every_kind_of_identifier() -> None:
    for identifier in (
        {"mbox_sha1sum": "a" * 40},
        {"openid": "https://id.example.org"},
        {"account": ACCOUNT},
    ):
        assert formats.actor_ids({"name": "x", **identifier}) == identifier


def test_canonical_replaces_definitions_by_the_learnt_ones_in_one_language() -> None:
    definitions = {
        LECTURE["id"]: {
            "name": {"en": "Lecture 1", "de": "Vorlesung 1", "fr": "Cours 1"},
            "description": {"en": "A lecture"},
            "interactionType": "choice",
            "choices": [{"id": "a", "description": {"en": "A", "de": "Ah"}}, {"id": "b"}],
            "extensions": LECTURE["definition"]["extensions"],
        },
        BOOK["id"]: {"name": {"en": "Book", "fr": "Livre"}},
    }
    canonical = formats.to_canonical(STATEMENT, definitions, Languages.parse("de, fr;q=0.5"))
    lecture = {
        "objectType": "Activity",
        "id": LECTURE["id"],
        "definition": {
            "name": {"de": "Vorlesung 1"},
            "description": {"en": "A lecture"},
            "interactionType": "choice",
            "choices": [{"id": "a", "description": {"de": "Ah"}}, {"id": "b"}],
            "extensions": LECTURE["definition"]["extensions"],
        },
    }
    book = {"id": BOOK["id"], "definition": {"name": {"fr": "Livre"}}}
    assert canonical == {
        **STATEMENT,
        "verb": {"id": "https://example.org/met", "display": {"de": "traf"}},
        "object": lecture,
        "context": {
            **STATEMENT["context"],
            "contextActivities": {"parent": [book, lecture], "other": [lecture]},
        },
    }


def test_canonical_reduces_every_interaction_component_list() -> None:
    component = {"id": "a", "description": {"en": "A", "de": "Ah"}}
    keys = ("choices", "scale", "source", "target", "steps")
    definitions = {LECTURE["id"]: {key: [component] for key in keys}}
    canonical = formats.to_canonical(STATEMENT, definitions, Languages.parse("de"))
    for key in keys:
        assert canonical["object"]["definition"][key] == [{"id": "a", "description": {"de": "Ah"}}]


def test_canonical_reaches_into_a_substatement() -> None:
    definitions = {LECTURE["id"]: {"name": {"en": "Lecture", "de": "Vorlesung"}}}
    languages = Languages.parse("de")
    canonical = formats.to_canonical(SUBSTATEMENT, definitions, languages)
    inner = canonical["object"]
    assert inner["object"]["definition"] == {"name": {"de": "Vorlesung"}}
    assert inner["verb"]["display"] == {"de": "traf"}
    assert inner["context"]["contextActivities"]["other"][0]["definition"] == {"name": {"de": "Vorlesung"}}


def test_canonical_keeps_an_activity_nobody_described_without_definition() -> None:
    assert formats.to_canonical({**STATEMENT, "object": BOOK}, {}, Languages())["object"] == BOOK


def test_canonical_falls_back_to_the_definition_in_the_statement() -> None:
    canonical = formats.to_canonical(STATEMENT, {}, Languages.parse("de"))
    assert canonical["object"]["definition"]["name"] == {"de": "Vorlesung"}


def test_canonical_leaves_agents_groups_and_references_as_they_are() -> None:
    for target in (ACTOR, NAMELESS, {"objectType": "StatementRef", "id": STATEMENT["id"]}):
        statement = {**STATEMENT, "object": target}
        assert formats.to_canonical(statement, {}, Languages())["object"] == target


def test_formats_never_change_what_they_are_given() -> None:
    statement = deepcopy(SUBSTATEMENT)
    definitions = {LECTURE["id"]: {"name": {"en": "a", "de": "b"}, "choices": [{"description": {"en": "a"}}]}}
    learnt = deepcopy(definitions)
    formats.to_ids(statement)
    formats.to_canonical(statement, definitions, Languages.parse("de"))
    assert statement == SUBSTATEMENT
    assert definitions == learnt


def test_activity_ids_are_those_of_object_context_and_substatement_once_each() -> None:
    assert formats.activity_ids(STATEMENT) == [LECTURE["id"], BOOK["id"]]
    other = {**SUBSTATEMENT, "context": {"contextActivities": {"category": {"id": "https://example.org/c"}}}}
    assert formats.activity_ids(other) == ["https://example.org/c", LECTURE["id"], BOOK["id"]]


def test_a_statement_of_nothing_but_the_required_properties_goes_through_every_format() -> None:
    least = {"actor": BY_MAIL, "verb": {"id": "https://example.org/did"}, "object": BOOK}
    assert formats.to_ids(least) == least
    assert formats.to_canonical(least, {}, Languages()) == least
    assert formats.activity_ids(least) == [BOOK["id"]]
