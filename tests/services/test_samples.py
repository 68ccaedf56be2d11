from __future__ import annotations

import json

import pytest

from adapters.loading.files import load_file
from adapters.loading.loader import load_mapping
from adapters.testing.running import run_tests
from gateway.errors import Invalid
from gateway.resources import mappings_dir
from gateway.services.samples import made_up, saved_sample
from tests.vendors import ACME, acme_item

ZOOM = load_file(mappings_dir() / "zoom.yaml")
ACME_MAPPING = load_mapping(ACME, "acme.yaml")


def test_what_a_mapping_hides_and_what_names_people_is_made_up_and_belongs_together_still() -> None:
    payload = {
        "payload": {
            "object": {
                "uuid": "m1",
                "participant": {"email": "Ana@uni.edu", "user_name": "Ana", "public_ip": "10.1.2.3"},
            }
        },
        "display_name": "Ana B",
        "note": "write to ana@uni.edu, or to bo@uni.edu",
        "phone": {"home": "0012345", "at": None, "on": True, "no": 7},
        "count": 3,
    }
    made, replaced = made_up(payload, ZOOM.hidden)
    text = json.dumps(made)
    for real in ("Ana", "ana@", "bo@", "10.1.2.3", "0012345"):
        assert real not in text
    person = made["payload"]["object"]["participant"]["email"]
    assert person in made["note"]
    assert made["payload"]["object"]["uuid"] == "m1"
    assert made["payload"]["object"]["participant"]["public_ip"].startswith("192.0.2.")
    assert (len(made["phone"]["home"]), made["phone"]["at"], made["phone"]["on"]) == (7, None, True)
    assert made["count"] == 3
    assert "payload.object.participant.email" in replaced
    assert payload["display_name"] == "Ana B"


def test_a_case_passes_as_it_was_downloaded() -> None:
    for item in (
        acme_item("1"),
        acme_item("2", type="ping"),
        acme_item("3", type="odd"),
        acme_item("4", at="?"),
    ):
        saved = saved_sample(ACME_MAPPING, "a-b", {"items": [item]}, (("x-kind", "a"),), as_it_is=False)
        files = {"samples/acme/a-b.json": saved.payload}
        [result] = run_tests(ACME_MAPPING, saved.case, "acme.test.yaml", files.get)
        assert result.problems == ()
        assert result.name == "a b"
        assert saved.replaced == []


def test_odd_names_are_refused() -> None:
    for name in ("", "A", "a/b", "../a", "a--b", "a" * 61, "a\n"):
        with pytest.raises(Invalid):
            saved_sample(ACME_MAPPING, name, {}, (), as_it_is=True)
