from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from adapters import Accepted, Refused
from adapters.receive.presets import presets
from adapters.testing.signing import sample_secret, sign, unsigned
from tests.adapters.support import NOW, receiving, request, signed_by

HELLO = b"Hello, World!"
GITHUB_SECRET = "It's a Secret to Everybody"
GITHUB_SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def github(*headers: tuple[str, str], body: bytes = HELLO, secret: str | None = GITHUB_SECRET) -> Any:
    mapping = signed_by("github", "  content_types: [text/plain]\n")
    sent = request(body, headers=(("Content-Type", "text/plain"), *headers))
    return mapping.receive(sent, lambda name: secret, NOW)


def test_github_published_vector_is_accepted() -> None:
    received = github(("X-Hub-Signature-256", GITHUB_SIGNATURE))
    assert isinstance(received, Accepted)
    assert received.verified[0].method == "hmac"
    assert received.verified[0].preset == "github"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([("X-Hub-Signature-256", GITHUB_SIGNATURE)], b"Hello, World?"),
        ([("X-Hub-Signature-256", GITHUB_SIGNATURE[:-1] + "8")], HELLO),
        ([("X-Hub-Signature-256", GITHUB_SIGNATURE.removeprefix("sha256="))], HELLO),
        ([("X-Hub-Signature-256", "sha256=zz")], HELLO),
        ([("X-Hub-Signature-256", "sha256=")], HELLO),
        ([("X-Hub-Signature-256", "")], HELLO),
        ([("X-Hub-Signature-256", "sha256=é")], HELLO),
        ([], HELLO),
        ([("X-Hub-Signature-256", GITHUB_SIGNATURE)] * 2, HELLO),
    ],
)
def test_a_wrong_missing_or_repeated_signature_is_refused(
    headers: list[tuple[str, str]], body: bytes
) -> None:
    received = github(*headers, body=body)
    assert isinstance(received, Refused)
    assert received.status == 401


def test_a_secret_that_is_not_set_never_means_that_nothing_is_checked() -> None:
    for value in (None, ""):
        received = github(("X-Hub-Signature-256", GITHUB_SIGNATURE), secret=value)
        assert received == Refused(503, "secret S is not set")
    assert signed_by("github").missing_secrets(lambda name: None) == ("S",)


SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
    b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)


def slack(now: datetime) -> Any:
    mapping = signed_by("slack", "  decode: form\n")
    headers = (
        ("content-type", "application/x-www-form-urlencoded"),
        ("X-Slack-Request-Timestamp", "1531420618"),
        ("X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
    )
    sent = request(SLACK_BODY, headers=headers)
    return mapping.receive(sent, lambda name: "8f742231b10e8888abcd99yyyzzz85a5", now)


def test_slack_published_vector_is_accepted() -> None:
    received = slack(datetime.fromtimestamp(1531420618, UTC))
    assert isinstance(received, Accepted)
    assert received.payload["user_name"] == "roadrunner"


@pytest.mark.parametrize("seconds", [301, -301])
def test_a_timestamp_too_far_away_is_refused_both_ways(seconds: int) -> None:
    received = slack(datetime.fromtimestamp(1531420618 + seconds, UTC))
    assert isinstance(received, Refused)
    assert "the timestamp is" in received.reason


STANDARD_BODY = b'{"test": 2432232314}'
STANDARD_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def standard(signature: str, prefix: str = "webhook", *extra: tuple[str, str]) -> Any:
    headers = (
        ("content-type", "application/json"),
        (f"{prefix}-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        (f"{prefix}-timestamp", "1614265330"),
        (f"{prefix}-signature", signature),
        *extra,
    )
    mapping = signed_by("standard_webhooks", "  event_id: ${ headers['webhook-id'] ?? headers['svix-id'] }\n")
    now = datetime.fromtimestamp(1614265330, UTC)
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    return mapping.receive(request(STANDARD_BODY, headers=headers), lambda name: secret, now)


@pytest.mark.parametrize("prefix", ["webhook", "svix"])
@pytest.mark.parametrize("signature", [STANDARD_SIGNATURE, f"v1a,AAAA v1,AAAA {STANDARD_SIGNATURE}"])
def test_standard_webhooks_published_vector_is_accepted(prefix: str, signature: str) -> None:
    received = standard(signature, prefix)
    assert isinstance(received, Accepted)
    assert received.key == "msg_p5jXN8AQM9LWM0D4loKWxJek"


def test_a_signed_header_that_is_sent_twice_is_refused() -> None:
    received = standard(STANDARD_SIGNATURE, "webhook", ("Webhook-Id", "msg_other"))
    assert isinstance(received, Refused)


# These are signed with keys instead of secrets; see test_receive_keys.
WITH_KEYS = ("canvas", "google_pubsub", "microsoft_graph")


@pytest.mark.parametrize("name", sorted(set(presets()) - set(WITH_KEYS)))
def test_every_preset_accepts_what_it_signs_and_refuses_what_was_changed(name: str) -> None:
    mapping = signed_by(name)
    signed = sign(
        unsigned(mapping, b'{"a": 1}', "https://g.example.org/hooks/x", NOW), mapping, sample_secret, NOW
    )
    assert isinstance(mapping.receive(signed, sample_secret, NOW), Accepted)
    other = mapping.receive(signed, lambda name: "another secret", NOW)
    assert isinstance(other, Refused)
    if name != "learnworlds":  # where a shared token is sent, the body is not signed
        body = request(b'{"a": 2}', headers=signed.headers, query=signed.query, url=signed.url)
        assert isinstance(mapping.receive(body, sample_secret, NOW), Refused)


@pytest.mark.parametrize(
    ("preset", "header", "signature"),
    [
        (
            "learnhouse",
            "X-Webhook-Signature",
            "sha256=" + hmac.new(b"whsec_S", HELLO, hashlib.sha256).hexdigest(),
        ),
        (
            "northpass",
            "X-Northpass-Hmac-SHA256",
            base64.b64encode(hmac.new(b"whsec_S", HELLO, hashlib.sha256).digest()).decode(),
        ),
    ],
)
def test_learning_platforms_sign_the_body_each_in_its_spelling(
    preset: str, header: str, signature: str
) -> None:
    mapping = signed_by(preset, "  content_types: [text/plain]\n")
    for body, sent, accepted in (
        (HELLO, signature, True),
        (HELLO + b"!", signature, False),
        (HELLO, signature.removeprefix("sha256=")[:-1], False),
    ):
        received = mapping.receive(
            request(body, headers=(("Content-Type", "text/plain"), (header, sent))),
            lambda name: "whsec_S",
            NOW,
        )
        assert isinstance(received, Accepted) is accepted


def test_bigbluebutton_signs_its_url_without_the_checksum() -> None:
    body = urlencode({"event": json.dumps([{"data": {"id": "user-joined"}}]), "timestamp": "1"}).encode()
    url = "https://g.example.org/hooks/bbb?room=7"
    checksum = hashlib.sha1(url.encode() + body + b"s3cret").hexdigest()
    mapping = signed_by(
        "bigbluebutton", "  decode: { form_json: event }\n  batch: body.event\n  refuse: { status: 403 }\n"
    )
    form = (("content-type", "application/x-www-form-urlencoded"),)
    sent = request(
        body, headers=form, url=f"{url}&checksum={checksum}", query=(("room", "7"), ("checksum", checksum))
    )
    received = mapping.receive(sent, lambda name: "s3cret", NOW)
    assert isinstance(received, Accepted)
    assert len(mapping.events(received.payload)) == 1
    refused = mapping.receive(sent, lambda name: "other", NOW)
    assert isinstance(refused, Refused)
    assert refused.status == 403


def test_secrets_can_be_rotated_and_the_matching_one_is_told() -> None:
    mapping = receiving(
        "  verify:\n    - hmac:\n        secret: [ \"${ secret('NEW') }\", \"${ secret('OLD') }\" ]\n"
        "        signature: { header: x-sig, encoding: base64 }\n"
    )
    signature = base64.b64encode(hmac.digest(b"OLD", b"{}", "sha256")).decode()
    received = mapping.receive(request(b"{}", ("x-sig", signature)), lambda name: name, NOW)
    assert isinstance(received, Accepted)
    assert received.verified[0].key_index == 1


@pytest.mark.parametrize(
    ("where", "sent"),
    [
        ("header: authorization, prefix: 'Bearer '", {"headers": (("Authorization", "Bearer t0k"),)}),
        ("query: key", {"query": (("key", "t0k"),)}),
        ("body: clientState", {"body": b'{"clientState": "t0k"}'}),
        ("path: token", {"url": "https://g.example.org/hooks/sample/t0k"}),
    ],
)
def test_a_token_is_found_where_the_vendor_sends_it(where: str, sent: dict[str, Any]) -> None:
    mapping = receiving(f"  verify:\n    - token: {{ {where}, secret: \"${{ secret('T') }}\" }}\n")
    headers = (("content-type", "application/json"), *sent.get("headers", ()))
    built = request(**({"body": b"{}"} | sent | {"headers": headers}))
    assert isinstance(mapping.receive(built, lambda name: "t0k", NOW), Accepted)
    assert isinstance(mapping.receive(built, lambda name: "t0k2", NOW), Refused)
    assert isinstance(mapping.receive(request(b"{}"), lambda name: "t0k", NOW), Refused)


@pytest.mark.parametrize(
    ("credentials", "accepted"),
    [("vendor:pass:word", True), ("vendor:pass", False), ("other:pass:word", False), ("vendor", False)],
)
def test_basic_credentials_are_compared_as_a_whole(credentials: str, accepted: bool) -> None:
    mapping = receiving("  verify:\n    - basic: { username: vendor, password: \"${ secret('P') }\" }\n")
    header = "Basic " + base64.b64encode(credentials.encode()).decode()
    received = mapping.receive(request(b"{}", ("Authorization", header)), lambda name: "pass:word", NOW)
    assert isinstance(received, Accepted) is accepted


def test_any_of_takes_the_first_alternative_that_passes() -> None:
    mapping = receiving(
        "  verify:\n    - any_of:\n        - token: { header: a, secret: \"${ secret('A') }\" }\n"
        "        - token: { header: b, secret: \"${ secret('B') }\" }\n"
    )
    assert isinstance(mapping.receive(request(b"{}", ("b", "B")), lambda name: name, NOW), Accepted)
    assert isinstance(mapping.receive(request(b"{}", ("b", "A")), lambda name: name, NOW), Refused)


def test_all_checks_of_a_list_must_pass() -> None:
    mapping = receiving(
        "  verify:\n    - token: { header: a, secret: \"${ secret('A') }\" }\n"
        "    - token: { header: b, secret: \"${ secret('B') }\" }\n"
    )
    assert isinstance(
        mapping.receive(request(b"{}", ("a", "A"), ("b", "B")), lambda name: name, NOW), Accepted
    )
    assert isinstance(mapping.receive(request(b"{}", ("a", "A")), lambda name: name, NOW), Refused)


OPEN = '  verify:\n    - none: { i_understand: "anyone who knows the URL can post" }\n'


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"method": "PUT"}, 405),
        ({"body": b" " * 2000}, 413),
        ({"headers": (("content-type", "text/xml"),)}, 415),
        ({"headers": ()}, 415),
        ({"remote": "198.51.100.7"}, 403),
        ({"remote": None}, 403),
    ],
)
def test_a_request_out_of_bounds_is_refused_before_anything_else(
    changes: dict[str, Any], status: int
) -> None:
    mapping = receiving(OPEN, more="  max_body: 1KiB\n  ip_allow: 203.0.113.0/24\n")
    good: dict[str, Any] = {"body": b"{}", "remote": "203.0.113.9"}
    assert isinstance(mapping.receive(request(**good), sample_secret, NOW), Accepted)
    received = mapping.receive(request(**(good | changes)), sample_secret, NOW)
    assert isinstance(received, Refused)
    assert received.status == status


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{", "the body is not JSON"),
        (b'{"a": 1, "a": 2}', "the body is not JSON"),
        (b"\xff", "the body is not JSON"),
        (b"[" * 100 + b"]" * 100, "nested deeper than 64"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"NaN", "the body is not JSON"),
    ],
)
def test_a_body_that_cannot_be_read_is_kept_with_the_reason(body: bytes, problem: str) -> None:
    received = receiving(OPEN).receive(request(body), sample_secret, NOW)
    assert isinstance(received, Accepted)
    assert received.payload is None
    assert problem in (received.problem or "")
    strict = receiving(OPEN, more="  on_bad_payload: reject\n").receive(request(body), sample_secret, NOW)
    assert isinstance(strict, Refused)
    assert strict.status == 400


def test_large_integers_stay_exact() -> None:
    received = receiving(OPEN).receive(request(b'{"id": 123456789012345678901234567890}'), sample_secret, NOW)
    assert isinstance(received, Accepted)
    assert received.payload == {"id": 123456789012345678901234567890}


def test_forms_become_objects_with_repeated_fields_as_lists() -> None:
    mapping = receiving(OPEN, more="  decode: form\n")
    form = (("content-type", "application/x-www-form-urlencoded; charset=utf-8"),)
    received = mapping.receive(request(b"a=1&b=2&b=3&c=", headers=form), sample_secret, NOW)
    assert isinstance(received, Accepted)
    assert received.payload == {"a": "1", "b": ["2", "3"], "c": ""}


def test_the_key_of_a_delivery_is_the_same_on_a_retry_and_backed_by_the_body() -> None:
    mapping = receiving(
        "  verify:\n    - github: { secret: \"${ secret('S') }\" }\n",
        more="  event_id: ${ headers['x-github-delivery'] }\n",
    )
    assert [lint.code for lint in mapping.lints] == ["W311"]
    keys = []
    for body in (b'{"a": 1}', b'{"a": 1}', b'{"a": 2}'):
        plain = unsigned(mapping, body, "https://g.example.org/hooks/x", NOW)
        signed = sign(plain, mapping, sample_secret, NOW)
        sent = request(body, headers=(*signed.headers, ("X-GitHub-Delivery", "d-1")))
        received = mapping.receive(sent, sample_secret, NOW)
        assert isinstance(received, Accepted)
        (event,) = mapping.events(received.payload, sent.headers)
        assert getattr(event, "event_id", None) == received.key
        keys.append(received.key)
    assert keys[0] == keys[1] != keys[2]
