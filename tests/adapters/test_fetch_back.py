"""`fetch_back:`: which paths a mapping may ask for, and what comes of their parts."""

from __future__ import annotations

from typing import Any

import pytest

from adapters import Adapted, Event, Failed, MappingError, Skipped, load_mapping
from adapters.fetch_back import Wish
from tests.adapters.support import LOOKUPS

MAPPING = """\
adapter: thin
fetch_back: { connection: vendor, path: "PATH", when: body.ask }
rules: [ { name: all, when: has(fetched), ignore: true } ]
"""


def wish(path: str, payload: Any, headers: tuple[tuple[str, str], ...] = ()) -> Wish | Failed | None:
    mapping = load_mapping(MAPPING.replace("PATH", path), "thin.yaml")
    (event,) = mapping.events(payload, headers)
    assert isinstance(event, Event)
    return mapping.wish(event)


@pytest.mark.parametrize(
    "path",
    [
        "events",
        "https://evil.example/x",
        "//evil.example/x",
        "${ body.url }",
        "/",
        "/a//${ body.id }",
        "/a/../b",
        "/a/%2e%2E/b",
        "/a/./b",
        "/a/.${ body.id }",
        "/a/${ body.id }.",
        "/a b",
        "/a\\\\\\\\b",
        "/a#b",
        "/a/%${ body.id }",
        "/ä",
    ],
)
def test_the_fixed_parts_of_a_path_stay_below_the_connection(path: str) -> None:
    with pytest.raises(MappingError, match=r"fetch_back\.path"):
        wish(path, {})


def test_what_is_inserted_is_encoded_in_the_path_and_in_the_query() -> None:
    found = wish("/a/${ body.id }.json?q=${ body.q }&n=1", {"ask": True, "id": "x/y?z", "q": "a&b=ü"})
    assert found == Wish("vendor", "/a/x%2Fy%3Fz.json?q=a%26b%3D%C3%BC&n=1")
    assert wish("/a/${ body.id }", {"ask": True, "id": 17}) == Wish("vendor", "/a/17")
    assert wish("/a/${ body.id }", {"id": 17}) is None


@pytest.mark.parametrize("value", [None, "", ".", "..", "../x", "x/..", "x\\..\\y", "x" * 3000, ["a"]])
def test_a_part_that_is_absent_or_leads_elsewhere_fails_the_event(value: Any) -> None:
    found = wish("/a/${ body.id }", {"ask": True, "id": value})
    assert isinstance(found, Failed)


def test_bytes_that_are_no_text_fail_the_event() -> None:
    found = wish("/a/${ headers['x-id'] }", {"ask": True}, (("X-Id", "\udcff"),))
    assert isinstance(found, Failed)
    assert "not UTF-8" in found.problems[0].message


def test_fetched_needs_fetch_back() -> None:
    for text in (
        "adapter: x\nrules: [ { name: r, when: has(fetched.a), ignore: true } ]\n",
        "adapter: x\nprivacy: { drop: [ fetched.a ] }\nrules: [ { name: r, ignore: true } ]\n",
    ):
        with pytest.raises(MappingError, match="`fetched` needs `fetch_back:`"):
            load_mapping(text, "x.yaml")


def test_commands_that_fetch_nothing_say_what_they_were_not_given() -> None:
    mapping = load_mapping(MAPPING.replace("PATH", "/a/${ body.id }"), "thin.yaml")
    (event,) = mapping.events({"ask": True, "id": 1})
    assert isinstance(event, Event)
    (found,) = mapping.answered(event, None)
    assert isinstance(found, Failed)
    assert (
        found.problems[0].message == "`fetched` is not given; the event wants GET /a/1 of connection vendor"
    )
    (given,) = mapping.answered(event, {"b": 1})
    assert isinstance(given, Event)
    assert given.fetched == {"b": 1}


MANY = """\
adapter: thin
source: { platform: Thin, home_page: https://thin.example }
fetch_back:
  connection: vendor
  path: /a/${ body.id }
  batch: fetched.people
  event_id: ${ hash(body.id, item.id) }
privacy: { drop: [ "fetched.people.*.name", { path: "fetched.people.*.mail", for_identity_only: true } ] }
identity: { person: { by: [ { email: "${ item.mail }" } ], unresolved: pseudonym } }
rules:
  - name: each
    when: has(item.id) and not has(item.mail) and not has(item.name)
    statement:
      actor: ${ identity.person }
      verb: attended
      object: { id: "https://thin.example/${ item.id }/${ index }", type: meeting }
      timestamp: 2026-03-02T09:00:00Z
"""
PEOPLE = [{"id": "a", "mail": "a@x.example", "name": "A"}, {"id": "b", "mail": "b@x.example", "name": "B"}]


def test_what_was_fetched_may_be_several_events_each_of_its_own_person() -> None:
    mapping = load_mapping(MANY, "thin.yaml")
    (notice,) = mapping.events({"id": 1})
    events = mapping.answered(notice, {"people": PEOPLE}, b"key")
    made = []
    for event in events:
        assert isinstance(event, Event)
        outcome = mapping.adapt(event, LOOKUPS)
        assert isinstance(outcome, Adapted), outcome
        made.append(outcome.statements[0])
    assert [one["object"]["id"] for one in made] == ["https://thin.example/a/0", "https://thin.example/b/1"]
    assert len({one["actor"]["account"]["name"] for one in made}) == 2
    assert len({one["id"] for one in made}) == 2
    again = mapping.answered(notice, {"people": [*reversed(PEOPLE)]}, b"key")
    assert {one.event_id for one in events} == {one.event_id for one in again}  # type: ignore[union-attr]


def test_an_explanation_of_an_item_says_what_was_fetched_and_what_makes_its_id() -> None:
    mapping = load_mapping(MANY, "thin.yaml")
    (notice,) = mapping.events({"id": 1})
    event = mapping.answered(notice, {"people": PEOPLE}, b"key")[1]
    assert isinstance(event, Event)
    explanation = mapping.explain(event, LOOKUPS).as_json()
    assert explanation["fetch"] == {"connection": "vendor", "path": "/a/1"}
    (identity,) = [one for one in explanation["fields"] if one["path"].endswith("event_id")]
    assert (identity["path"], identity["value"]) == ("fetch_back.event_id", event.event_id)


def test_items_without_an_id_of_their_own_are_told_apart_by_their_place() -> None:
    mapping = load_mapping(MANY.replace("  event_id: ${ hash(body.id, item.id) }\n", ""), "thin.yaml")
    (notice,) = mapping.events({"id": 1})
    assert isinstance(notice, Event)
    events = mapping.answered(notice, {"people": PEOPLE})
    assert [one.event_id for one in events] == [  # type: ignore[union-attr]
        f"{notice.event_id}:0",
        f"{notice.event_id}:1",
    ]


@pytest.mark.parametrize("people", [None, {"a": 1}, "text"])
def test_a_list_that_was_not_fetched_fails_the_notice(people: Any) -> None:
    mapping = load_mapping(MANY, "thin.yaml")
    (notice,) = mapping.events({"id": 1})
    (found,) = mapping.answered(notice, {"people": people})
    assert isinstance(found, Failed)
    assert found.problems[0].message == "fetch_back.batch: the list of items is missing"


def test_an_empty_list_says_that_there_was_nothing() -> None:
    mapping = load_mapping(MANY, "thin.yaml")
    (notice,) = mapping.events({"id": 1})
    assert mapping.answered(notice, {"people": []}) == [Skipped(None, "what was fetched has no items")]


def test_an_event_may_be_told_apart_by_what_was_fetched_for_it() -> None:
    text = MAPPING.replace("PATH", "/a/${ body.id }").replace(
        "when: body.ask", 'event_id: "${ hash(fetched.id, fetched.state) }"'
    )
    mapping = load_mapping(text, "thin.yaml")

    def identity(answer: Any, notice: int) -> str:
        (event,) = mapping.answered(mapping.events({"id": notice})[0], answer)
        assert isinstance(event, Event)
        return event.event_id

    first = identity({"id": 1, "state": "done"}, 7)
    assert identity({"id": 1, "state": "done"}, 8) == first
    assert identity({"id": 1, "state": "graded"}, 7) != first
