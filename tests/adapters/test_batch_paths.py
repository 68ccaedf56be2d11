"""Where a batch's items are: what is derived from the expression is held against what evaluating it gives."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.linting.sample_paths import written
from adapters.loading.batch_paths import ELEMENT, items_of
from adapters.loading.yaml_source import Place, ScalarNode, Source
from tests.adapters.evaluate import evaluate


def node(expression: str) -> ScalarNode:
    place = Place(source=Source("batch", expression), line=1, column=1)
    return ScalarNode(place=place, value=expression, text=expression, end=len(expression))


@pytest.mark.parametrize(
    ("batch", "paths"),
    [
        ("body.people", ["body.people[*].name"]),
        ("${ body.people }", ["body.people[*].name"]),
        ("body", ["body[*].name"]),
        ("[body]", ["body.name"]),
        ("body.people ?? [body]", ["body.name", "body.people[*].name"]),
        ("body if is_list(body) else [body]", ["body.name", "body[*].name"]),
        ("body.a + body['b c']", ["body.a[*].name", "body['b c'][*].name"]),
        ("[body.one, body.two]", ["body.one.name", "body.two.name"]),
        ("body.people.filter(p, p.present)", ["body.people[*].name"]),
        ("body.people.map(p, p.who)", ["body.people[*].who.name"]),
        ("[body.people.first(p, p.present)]", ["body.people[*].name"]),
        ("[first(body.people), last(body.people)]", ["body.people[*].name"]),
        ("flatten(body.groups.map(g, g.members ?? [g]))",
         ["body.groups[*].members[*].name", "body.groups[*].members.name", "body.groups[*].name"]),
        ("body.people | nonempty | slice(0, 5) | unique", ["body.people[*].name"]),
        ("default(body.a, body.b)", ["body.a[*].name", "body.b[*].name"]),
        ("values(body.byId)", ["body.byId[*].name"]),
        ("entries(body.byId).map(e, e.value)", ["body.byId[*].name"]),
        ("body.pages[0].people", ["body.pages[0].people[*].name"]),
        ("body[body.key]", ["body[*][*].name"]),
        ("pick(body, ['people']).people", ["body.people[*].name"]),
    ],
)  # fmt: skip
def test_a_field_of_items_is_found_in_the_payload(batch: str, paths: list[str]) -> None:
    found = items_of(node(batch))
    assert found is not None
    plain = [tuple(key.replace(ELEMENT, "*") for key in keys) for keys in found.at(("name",))]
    shown = [written("body", keys).replace("['0']", "[0]") for keys in plain]
    assert sorted(shown) == sorted(paths)


@pytest.mark.parametrize(
    "batch", ["parse_json(body.text)", "parse_json(body.text).people", "body.a.map(x, parse_json(x))", "a b"]
)
def test_what_comes_out_of_a_text_cannot_be_traced(batch: str) -> None:
    assert items_of(node(batch)) is None


def test_entries_have_their_fields_where_the_object_has_them() -> None:
    found = items_of(node("entries(body.byId)"))
    assert found is not None
    assert found.at(("value", "name")) == (("byId", "*", "name"),)
    assert found.at(("key",)) == ()


def test_an_expression_with_endless_places_is_given_up() -> None:
    many = " + ".join(f"[body.a{number}]" for number in range(70))
    assert items_of(node(many)) is None


SENT: dict[str, Any] = {
    "a": [{"name": 1}, {"name": 2, "who": {"name": 3}}],
    "b": [{"name": 4}],
    "groups": [{"members": [{"name": 5}, {"name": 6}]}, {"name": 7}],
    "byId": {"x": {"name": 8}},
    "name": 9,
}


@pytest.mark.parametrize(
    "batch",
    [
        "body.a",
        "body.a ?? [body]",
        "body.missing ?? [body]",
        "body.a + body.b",
        "flatten(body.groups.map(g, g.members ?? [g]))",
        "values(body.byId)",
        "body.a.filter(x, x.name > 1).map(x, x.who)",
        "[first(body.a), last(body.b)]",
    ],
)
def test_every_item_lies_at_one_of_the_derived_places(batch: str) -> None:
    derived = items_of(node(batch))
    assert derived is not None
    places = [value for keys in derived.at(()) for value in reached(SENT, keys)]
    items = evaluate(batch, SENT)
    assert items
    assert [item for item in items if not any(item is place for place in places)] == []


def reached(value: Any, keys: tuple[str, ...]) -> list[Any]:
    if not keys:
        return [value]
    key, rest = keys[0], keys[1:]
    if isinstance(value, list):
        return [one for inner in value for one in reached(inner, rest)] if key in ("*", "[*]") else []
    if not isinstance(value, dict):
        return []
    inner = list(value.values()) if key == "*" else [value[key]] if key in value else []
    return [one for found in inner for one in reached(found, rest)]
