"""Requests as vendors send them, signed by hand: what a test file beside a mapping cannot say."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from adapters import Accepted, Adapted, Answered, Event, Received, Refused, Request
from adapters.loading.files import load_file
from adapters.testing.signing import sample_known, sample_secret, sign, unsigned
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


SHARED_KEY = "kyma4ever"
PUBLISHED = (
    (
        '{"Status":"Complete","SurveyID":"SV_1AmkKSDmoZ4XlQx","ResponseID":"R_0B7IcnXszjEUHLP",'
        '"CompletedDate":"2019-06-25 07:58:25","BrandID":"sapdevelopment"}',
        "c2c585a404c239aa3063b462cc33551d3ed3ed2de0899f58d456fc0ef7ebef6f"
        "3c3af44957989bd0592603e41edde9528f7d9ed09ee128bf719aa12f46e5c598",
    ),
    (
        '{"Status":"Complete","SurveyID":"SV_22VlHYNeldrrrkp","ResponseID":"R_1l9mcVuXubb4aGm",'
        '"CompletedDate":"2019-06-26 13:28:11","BrandID":"sapdevelopment"}',
        "5db5cd1e0200e9ce6831ea0f1924beb97f136939e367c53f5af8f7d79c6727af"
        "495cb90d6c744fe72ab45efd9f9f2ba7c15b13fdf6565af3d5a4f50ed2c0c7d4",
    ),
)


def qualtrics(
    method: str, fields: dict[str, str] | list[tuple[str, str]], token: str = SHARED_KEY
) -> Received:
    request = Request(
        method=method,
        url=f"https://gateway.example.org/hooks/qualtrics?token={token}",
        headers=(("content-type", "application/x-www-form-urlencoded"),) if fields else (),
        query=(("token", token),),
        body=urlencode(fields).encode(),
        received_at=NOW,
    )
    return load_file(MAPPINGS / "qualtrics.yaml").receive(request, lambda _: SHARED_KEY, NOW)


@pytest.mark.parametrize(("message", "signature"), PUBLISHED)
def test_requests_that_qualtrics_signed_are_accepted_and_changed_ones_refused(
    message: str, signature: str
) -> None:
    survey = message.split('"')[7]
    fields = {
        "HMAC": signature,
        "MSG": message,
        "Topic": f"sapdevelopment.surveyengine.completedResponse.{survey}",
    }
    received = qualtrics("POST", fields)
    assert isinstance(received, Accepted), received
    assert [one.method for one in received.verified] == ["token", "hmac"]
    mapping = load_file(MAPPINGS / "qualtrics.yaml")
    (event,) = mapping.events(received.payload, (), (), NOW)
    assert isinstance(event, Event)
    outcome = mapping.adapt(event, LOOKUPS)
    assert isinstance(outcome, Adapted)
    assert outcome.rule == "completed"
    assert outcome.statements[0]["timestamp"].startswith("2019-06-2")
    assert signature not in json.dumps(mapping.redact(received.payload))
    wrong = [
        fields | {"MSG": message.replace("Complete", "Completed")},
        fields | {"HMAC": signature[:-1] + ("0" if signature[-1] != "0" else "1")},
        fields | {"HMAC": ""},
        {name: value for name, value in fields.items() if name != "HMAC"},
        {name: value for name, value in fields.items() if name != "MSG"},
        [*fields.items(), ("MSG", message)],
        [*fields.items(), ("HMAC", signature)],
        [("MSG", message.replace("Complete", "Screened Out")), *fields.items()],
    ]
    for changed in wrong:
        refused = qualtrics("POST", changed)  # type: ignore[arg-type]
        assert isinstance(refused, Refused), changed
        assert refused.status == 401
    assert isinstance(qualtrics("POST", fields, token="guessed"), Refused)


def test_a_form_of_qualtrics_becomes_the_same_statement_however_its_fields_are_packed() -> None:
    mapping = load_file(MAPPINGS / "qualtrics.yaml")
    made = []
    for sample in ("completed-response", "completed-response-signed"):
        fields = json.loads((MAPPINGS / f"samples/qualtrics/{sample}.json").read_text("utf-8"))
        (event,) = mapping.events(fields, (), (), NOW)
        assert isinstance(event, Event)
        outcome = mapping.adapt(event, LOOKUPS)
        assert isinstance(outcome, Adapted)
        made.append((event.event_id, outcome.statements[0]["id"], outcome.statements[0]["timestamp"]))
    assert made[0] == made[1]


def test_qualtrics_may_look_whether_the_address_answers() -> None:
    looked = qualtrics("GET", {}, token="")
    assert isinstance(looked, Answered)
    assert (looked.status, looked.body) == (200, b"")


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
