from __future__ import annotations

from typing import Any

import pytest

from adapters import Adapted, Event, Failed, Lookups, Mapping, MappingError, load_mapping
from adapters.linting.linting import lint

MAPPING = """\
adapter: sample
source: { home_page: https://vendor.example.com, language: en }
receive:
  verify: [ { token: { header: x-token, secret: "${ secret('T') }" } } ]
  batch: BATCH
  event_id: ${ item.id }
privacy:
  drop: [ item.phone, { path: item.email, for_identity_only: true } ]
  mask: [ "item.answers[*].given" ]
  pseudonym: [ { path: item.parent, kind: email } ]
identity:
  learner: { by: [ { email: "${ item.email }" } ], unresolved: keep }
rules:
  - name: answers
    statements:
      - for_each: item.answers
        as: answer
        key: answer.q
        actor: ${ identity.learner }
        verb: answered
        object: { id: "https://vendor.example.com/${ answer.q }" }
        result: { response: "${ answer.given }", extensions: { https://x.example/item: "${ item }" } }
        timestamp: ${ item.at }
"""
MIRA = {
    "id": 1,
    "email": "Mira@example.edu",
    "phone": "+43 1",
    "parent": "Eva@example.org",
    "at": "2026-03-02T09:00:00Z",
    "answers": [{"q": "q1", "given": "salt"}, {"q": "q2", "given": None}, {"q": "q3"}],
    "device": {"phone": "a model, no number", "email": "of the device"},
}
LOOKUPS = Lookups(pseudonym_key=b"key", accounts={("email", "mira@example.edu"): "S-1"})


def mapping(batch: str = "body.people", **changes: str) -> Mapping:
    return load_mapping(text(batch, **changes), "sample.yaml")


def text(batch: str = "body.people", **changes: str) -> str:
    found = MAPPING.replace("BATCH", batch)
    for old, new in changes.items():
        assert old in found
        found = found.replace(old, new)
    return found


def the_event(of: Mapping, payload: Any) -> Event:
    (event,) = of.events(payload, key=b"key")
    assert isinstance(event, Event), event
    return event


@pytest.mark.parametrize(
    ("batch", "payload"),
    [
        ("body.people", {"people": [MIRA]}),
        ("body.people ?? [body]", {"people": [MIRA]}),
        ("body.people ?? [body]", MIRA),
        ("body if is_list(body) else [body]", [MIRA]),
        ("body if is_list(body) else [body]", MIRA),
        ("flatten(body.rooms.map(r, r.people ?? [r]))", {"rooms": [{"people": [MIRA]}]}),
        ("flatten(body.rooms.map(r, r.people ?? [r]))", {"rooms": [MIRA]}),
        ("values(body)", {"mira": MIRA}),
    ],
)
def test_a_field_of_items_is_hidden_wherever_the_items_are(batch: str, payload: Any) -> None:
    found = mapping(batch)
    event = the_event(found, payload)
    assert "phone" not in event.item
    assert "email" not in event.item
    assert [one.get("given", "absent") for one in event.item["answers"]] == ["***", None, "absent"]
    assert len(event.item["parent"]) == 32
    assert event.item["device"] == MIRA["device"]
    assert event.whole_item == {**event.item, "email": "Mira@example.edu"}
    stored = str(found.redact(payload, b"key"))
    assert [canary for canary in ("Mira", "+43 1", "Eva", "salt") if canary in stored] == []
    assert "of the device" in stored


def test_what_is_stored_makes_the_same_events_and_statements() -> None:
    found = mapping()
    sent = {"people": [MIRA, {**MIRA, "id": 2}]}
    stored = found.private(sent, b"key")
    first = found.events(sent, key=b"key")
    again = found.events(stored, key=b"key", already=["body.people[*].parent"])
    assert again == first
    outcomes = [found.adapt(one, LOOKUPS) for one in again if isinstance(one, Event)]
    assert len(outcomes) == 2
    for outcome in outcomes:
        assert isinstance(outcome, Adapted), outcome
        assert [one["result"].get("response") for one in outcome.statements] == ["***", None, None]
        assert outcome.statements[0]["actor"]["account"]["name"] == "S-1"
        assert "Mira" not in str(outcome.statements)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ("parse_json(body.text)", "item.phone cannot be found in the payload by what `receive.batch` says"),
        ("[1, 2]", "item.phone cannot be found in the payload by what `receive.batch` says"),
        (None, "`item` needs `receive.batch`"),
    ],
)
def test_a_path_below_items_that_leads_nowhere_is_an_error(batch: str | None, message: str) -> None:
    written = text(batch) if batch is not None else text().replace("  batch: body.people\n", "")
    with pytest.raises(MappingError) as caught:
        load_mapping(written, "sample.yaml")
    assert ("E111", message) in [(one.code, one.message) for one in caught.value.lints]


@pytest.mark.parametrize("path", ["item.phone", '"body.people[*].phone"', "body.people.*.phone"])
def test_reading_what_is_dropped_of_items_is_a_warning(path: str) -> None:
    changes = {"item.phone,": f"{path},", 'response: "${ answer.given }"': 'response: "${ item.phone }"'}
    found = lint(text(**changes), "sample.yaml")
    shown = path.strip('"') if path.startswith("body") else "body.people[*].phone"
    message = f"{shown.replace('[*]', '.*') if 'body' in path else shown} is dropped by `privacy:`"
    assert [(one.code, one.message) for one in found] == [("W316", f"{message}, so this is always absent")]


def test_a_batch_that_asks_for_what_only_identities_see_is_an_error() -> None:
    with pytest.raises(MappingError) as caught:
        mapping("body.people.filter(p, has(p.email))")
    (found,) = caught.value.lints
    assert (found.code, found.line) == ("E318", 5)
    assert found.message == "body.people[*].email is hidden from rules, so `batch` cannot depend on it"


def test_nobody_gets_the_item_of_somebody_else() -> None:
    hidden = {"item.phone,": "{ path: body.people.0, for_identity_only: true },"}
    (outcome,) = mapping(**hidden).events({"people": [MIRA, {**MIRA, "id": 2}]})
    assert isinstance(outcome, Failed)
    assert outcome.problems[0].message == "batch: rules would see other items than identities do"


def test_many_items_are_looked_at_once_for_each_path_and_the_budget_is_not_paid_twice() -> None:
    found = mapping("body.people.filter(p, has(p.id))")
    sent = {"people": [{"id": number, "email": "x@example.org"} for number in range(60_000)]}
    events = found.events(sent, key=b"key")
    assert len(events) == 60_000
    last = events[-1]
    assert isinstance(last, Event)
    assert (last.event_id, last.item["id"], "email" in last.item) == ("59999", 59_999, False)


def test_more_items_than_an_event_may_visit_fail_as_a_whole() -> None:
    found = mapping("body.people.filter(p, has(p.id))")
    (outcome,) = found.events({"people": [{"id": 1}] * 100_001})
    assert isinstance(outcome, Failed)
    assert outcome.problems[0].code == "R202"


def test_a_path_as_deep_as_the_payload_is_followed_to_its_end() -> None:
    deep = ".".join(["a"] * 150)
    found = mapping(**{"item.phone": f"item.{deep}.secret"})
    value: Any = {"secret": "canary", "kept": 1}
    for _ in range(150):
        value = {"a": value}
    event = the_event(found, {"people": [{**MIRA, **value}]})
    assert "canary" not in str(event.item)
    assert "canary" not in str(event.whole_item)
    assert "kept" in str(event.item)
