"""Requests as vendors send them, signed by hand: what a test file beside a mapping cannot say."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

from adapters import Accepted, Adapted, Answered, Event, Received, Refused, Request
from adapters.files import load_file
from adapters.signing import sample_known, sample_secret, sign, unsigned
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


def qualtrics(method: str, fields: dict[str, str], token: str = "server secret") -> Received:
    request = Request(
        method=method,
        url="https://gateway.example.org/hooks/qualtrics?token=server+secret",
        headers=(("content-type", "application/x-www-form-urlencoded"),) if fields else (),
        query=(("token", token),),
        body=urlencode(fields).encode(),
        received_at=NOW,
    )
    return load_file(MAPPINGS / "qualtrics.yaml").receive(request, lambda _: "server secret", NOW)


def test_a_form_of_qualtrics_becomes_a_statement_however_its_fields_are_packed() -> None:
    mapping = load_file(MAPPINGS / "qualtrics.yaml")
    made = []
    for sample in ("completed-response", "completed-response-signed"):
        fields = json.loads((MAPPINGS / f"samples/qualtrics/{sample}.json").read_text("utf-8"))
        received = qualtrics("POST", fields)
        assert isinstance(received, Accepted)
        (event,) = mapping.events(received.payload, (), (), NOW)
        assert isinstance(event, Event)
        outcome = mapping.adapt(event, LOOKUPS)
        assert isinstance(outcome, Adapted)
        made.append((event.event_id, outcome.statements[0]["id"], outcome.statements[0]["timestamp"]))
    assert made[0] == made[1]


def test_qualtrics_may_look_whether_the_address_answers_and_post_only_with_the_token() -> None:
    looked = qualtrics("GET", {}, token="")
    assert isinstance(looked, Answered)
    assert (looked.status, looked.body) == (200, b"")
    refused = qualtrics("POST", {"Topic": "x.surveyengine.completedResponse.SV_1"}, token="guessed")
    assert isinstance(refused, Refused)
    assert refused.status == 401


def test_what_canvas_signed_for_somebody_else_is_refused() -> None:
    mapping = load_file(MAPPINGS / "canvas.yaml")
    body = (MAPPINGS / "samples/canvas/quiz-submitted.json").read_bytes()
    plain = unsigned(mapping, body, "https://gateway.example.org/hooks/canvas", NOW)
    request = sign(plain, mapping, sample_secret, NOW, samples=True)
    known = sample_known(mapping)
    assert isinstance(mapping.receive(request, sample_secret, NOW, known), Accepted)
    for query in ((), (("key", "of somebody else"),)):
        received = mapping.receive(replace(request, query=query), sample_secret, NOW, known)
        assert isinstance(received, Refused)
        assert received.status == 401
