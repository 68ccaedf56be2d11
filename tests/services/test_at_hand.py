"""A delivery that is mapped from memory gives what it gives when it is read back from the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from adapters import Event, Request
from adapters.loading.files import load_file, mapping_paths
from gateway.services.adapting import events_of
from gateway.services.at_hand import AtHand, Payloads
from gateway.services.keeping import KeptBody, kept_body, kept_headers
from gateway.services.privacy import PrivacyKeys
from gateway.store.delivery_records import Delivery
from tests.adapters.support import NOW
from tests.test_docs_catalogue import cases

# Those that store something else than the body as it came.
MAPPINGS = [
    path
    for path in mapping_paths(Path(__file__).parents[2] / "mappings")
    if (mapping := load_file(path)).receiver and mapping.hidden
]
KEYS = PrivacyKeys(b"key", "store")


def stored(kept: KeptBody, headers: tuple[tuple[str, str], ...]) -> Delivery:
    return Delivery(
        id=uuid4(),
        adapter="any",
        key="key",
        digest="digest",
        received=NOW,
        method="POST",
        url="https://gateway.example.org/hooks/any?kind=x",
        headers=headers,
        body=kept.body,
        decoded=kept.decoded,
        sealed=kept.sealed,
        pseudonymised=kept.pseudonymised,
    )


def request(body: bytes, headers: tuple[tuple[str, str], ...]) -> Request:
    return Request(
        method="POST",
        url="https://gateway.example.org/hooks/any",
        headers=headers,
        query=(),
        body=body,
        received_at=NOW,
    )


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.stem)
def test_events_from_memory_are_those_that_reading_back_gives(path: Path) -> None:
    mapping = load_file(path)
    checked = 0
    for payload, headers in cases(path.with_name(f"{path.stem}.test.yaml")):
        kept = kept_body(mapping, payload, request(b"", headers), KEYS, "digest")
        assert (kept.at_hand is not None) is mapping.privacy.from_rules.settled
        delivery = stored(kept, kept_headers(mapping, headers))
        assert events_of(mapping, delivery, KEYS, kept.at_hand) == events_of(mapping, delivery, KEYS)
        checked += 1
    assert checked


def test_a_mapping_of_another_revision_reads_what_was_stored() -> None:
    mapping = load_file(MAPPINGS[0])
    ((payload, headers), *_) = cases(MAPPINGS[0].with_name(f"{MAPPINGS[0].stem}.test.yaml"))
    kept = kept_body(mapping, payload, request(b"", headers), KEYS, "digest")
    assert kept.at_hand is not None
    delivery = stored(kept, kept_headers(mapping, headers))
    other = AtHand("another revision", {"nothing": "of it"}, kept.at_hand.sight)
    assert events_of(mapping, delivery, KEYS, other) == events_of(mapping, delivery, KEYS)


@pytest.mark.parametrize("number", [2**70, 1e400])
def test_what_json_may_change_is_read_back(number: Any) -> None:
    mapping = load_file(next(path for path in MAPPINGS if path.stem == "zoom"))
    kept = kept_body(mapping, {"payload": {"object": number}}, request(b"", ()), KEYS, "digest")
    assert (kept.at_hand is None) is (number == 2**70)


def test_no_more_payloads_are_at_hand_than_there_is_room_for() -> None:
    payloads = Payloads()
    mapping = load_file(MAPPINGS[0])
    one = AtHand(mapping.revision, {}, mapping.sight({}))
    first, second, third = uuid4(), uuid4(), uuid4()
    payloads.keep(first, one, 1024 * 1024)
    payloads.keep(second, one, 2 * 1024 * 1024)
    assert (payloads.get(first), payloads.get(second)) == (one, None)
    payloads.forget(first)
    payloads.forget(third)
    payloads.keep(second, one, 2 * 1024 * 1024)
    assert payloads.get(second) is one


def test_events_are_what_rules_see_and_what_identities_see() -> None:
    mapping = load_file(next(path for path in MAPPINGS if path.stem == "zoom"))
    payload = {"event": "meeting.participant_joined", "payload": {"object": {"participant": {"email": "e"}}}}
    kept = kept_body(mapping, payload, request(b"", ()), KEYS, "digest")
    (event,) = events_of(mapping, stored(kept, ()), KEYS, kept.at_hand)
    assert isinstance(event, Event)
    assert event.body["payload"]["object"]["participant"] == {}
    assert event.whole_body == payload
