from copy import deepcopy
from typing import Any

from gateway.xapi import definitions


def activity(slug: str, /, **definition: Any) -> dict[str, Any]:
    return {"id": f"https://example.org/{slug}", "definition": definition}


STATEMENT: dict[str, Any] = {
    "actor": {"mbox": "mailto:a@example.org"},
    "verb": {"id": "https://example.org/did"},
    "object": {
        "objectType": "SubStatement",
        "actor": {"mbox": "mailto:a@example.org"},
        "verb": {"id": "https://example.org/did"},
        "object": activity("inner", name={"en": "Inner"}),
        "context": {"contextActivities": {"other": [activity("inner-other", type="https://example.org/t")]}},
    },
    "context": {
        "contextActivities": {
            "parent": [activity("parent", name={"en": "P"}), {"id": "https://example.org/undescribed"}],
            "grouping": activity("single"),
        }
    },
}


def test_activities_are_found_in_context_and_substatement() -> None:
    found = [found["id"].rpartition("/")[2] for found in definitions.activities(STATEMENT)]
    assert found == ["parent", "undescribed", "single", "inner", "inner-other"]


def test_only_activities_with_a_definition_teach_something() -> None:
    assert dict(definitions.described(STATEMENT)) == {
        "https://example.org/parent": {"name": {"en": "P"}},
        "https://example.org/single": {},
        "https://example.org/inner": {"name": {"en": "Inner"}},
        "https://example.org/inner-other": {"type": "https://example.org/t"},
    }


def test_agents_and_references_are_no_activities() -> None:
    for target in (
        {"objectType": "Agent", "mbox": "mailto:a@b.c"},
        {"objectType": "StatementRef", "id": "x"},
    ):
        assert list(definitions.activities({"object": target})) == []


def test_languages_and_extensions_add_up_and_the_newer_entry_wins() -> None:
    old = {
        "name": {"en": "Old", "de": "Alt"},
        "description": {"en": "d"},
        "extensions": {"x:a": 1, "x:b": {"c": 1}},
    }
    new = {"name": {"en": "New", "fr": "Neuf"}, "extensions": {"x:b": {"d": 2}, "x:c": None}}
    assert definitions.merge_definition(old, new) == {
        "name": {"en": "New", "de": "Alt", "fr": "Neuf"},
        "description": {"en": "d"},
        "extensions": {"x:a": 1, "x:b": {"d": 2}, "x:c": None},
    }


def test_other_properties_are_replaced_whole() -> None:
    old = {"type": "x:old", "choices": [{"id": "a"}, {"id": "b"}], "moreInfo": "x:more"}
    new = {"type": "x:new", "choices": [{"id": "c"}]}
    assert definitions.merge_definition(old, new) == {**new, "moreInfo": "x:more"}


def test_the_first_definition_is_taken_as_it_is() -> None:
    assert definitions.merge_definition(None, {"name": {"en": "a"}}) == {"name": {"en": "a"}}


def test_merging_changes_neither_definition() -> None:
    old: dict[str, Any] = {"name": {"en": "a"}, "extensions": {"x:a": 1}}
    new: dict[str, Any] = {"name": {"de": "b"}, "extensions": {"x:b": 2}}
    before = deepcopy((old, new))
    definitions.merge_definition(old, new)["name"]["fr"] = "c"
    assert (old, new) == before


def test_statements_of_a_batch_are_learnt_in_order() -> None:
    first = {"object": activity("a", name={"en": "1", "de": "1"})}
    second = {"object": activity("a", name={"en": "2"})}
    assert definitions.learn([first, second]) == {"https://example.org/a": {"name": {"en": "2", "de": "1"}}}


def test_the_canonical_activity_has_all_languages() -> None:
    assert definitions.canonical_activity("x:a", {"name": {"en": "a", "de": "b"}}) == {
        "objectType": "Activity",
        "id": "x:a",
        "definition": {"name": {"en": "a", "de": "b"}},
    }


def test_an_unknown_activity_is_answered_without_definition() -> None:
    assert definitions.canonical_activity("x:a", None) == {"objectType": "Activity", "id": "x:a"}
