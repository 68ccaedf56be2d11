"""Requests as vendors send them, signed by hand: what a test file beside a mapping cannot say."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from urllib.parse import urlencode

from adapters import Accepted, Adapted, Event, Received, Refused, Request
from adapters.files import load_file
from tests.adapters.support import LOOKUPS, NOW

MAPPINGS = Path(__file__).parents[2] / "mappings"
CALLBACK = "https://gateway.example.org/hooks/bigbluebutton"


def meeting_request(checksum: str | None, body: bytes) -> Received:
    query = () if checksum is None else (("checksum", checksum),)
    request = Request(
        method="POST",
        url=CALLBACK if checksum is None else f"{CALLBACK}?checksum={checksum}",
        headers=(("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8"),),
        query=query,
        body=body,
        received_at=NOW,
    )
    return load_file(MAPPINGS / "bigbluebutton.yaml").receive(request, lambda _: "server secret", NOW)


def form() -> bytes:
    sample = json.loads((MAPPINGS / "samples/bigbluebutton/user-joined.json").read_text("utf-8"))
    (event,) = sample["event"]
    fields = {
        "domain": sample["domain"],
        "event": f"[{json.dumps(event)}]",
        "timestamp": sample["timestamp"],
    }
    return urlencode(fields).encode()


def checksum_of(body: bytes) -> str:
    return hashlib.sha256(CALLBACK.encode() + body + b"server secret").hexdigest()


def test_a_form_that_bigbluebutton_signed_becomes_a_statement() -> None:
    mapping = load_file(MAPPINGS / "bigbluebutton.yaml")
    received = meeting_request(checksum_of(form()), form())
    assert isinstance(received, Accepted)
    (event,) = mapping.events(received.payload, (), (), NOW)
    assert isinstance(event, Event)
    outcome = mapping.adapt(event, LOOKUPS)
    assert isinstance(outcome, Adapted)
    assert outcome.rule == "joined"
    assert "Mira" not in json.dumps(mapping.redact(received.payload))


def test_what_bigbluebutton_did_not_sign_is_refused_with_403_because_it_takes_401_for_success() -> None:
    good = checksum_of(form())
    for checksum, body in ((None, form()), (good, form() + b"&x=1"), ("0" * 64, form()), ("é", form())):
        received = meeting_request(checksum, body)
        assert isinstance(received, Refused)
        assert received.status == 403
