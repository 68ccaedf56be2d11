"""Tokens, signatures and times inside bodies: verified, signed for tests, and never kept."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from adapters import Accepted, Mapping, MappingError, Received, Refused, load_mapping
from adapters.receive.body_path import NoPlace, body_path
from adapters.testing.bodies import CannotSign, encoded, tampered
from adapters.testing.running import run_tests
from adapters.testing.signing import sample_known, sample_secret, sign, unsigned
from tests.adapters.support import NOW, receiving, request

FORM = (("content-type", "application/x-www-form-urlencoded"),)
SECRET = "secret: \"${ secret('S') }\""
ALL_ITEMS = f'  verify: [ {{ token: {{ body: "value[*].clientState", {SECRET} }} }} ]\n'
# The fields that Mailgun sends and signs.
MAILGUN = f"""\
  verify:
    - hmac:
        {SECRET}
        message: ${{ body.signature.timestamp }}${{ body.signature.token }}
        signature: {{ body: signature.signature }}
        timestamp: {{ body: signature.timestamp, tolerance: 5m }}
"""


def received(mapping: Mapping, body: Any, secret: str = "t0k") -> Received:
    return mapping.receive(request(body), lambda name: secret, NOW)


@pytest.mark.parametrize(
    ("written", "body"),
    [
        ("clientState", {"clientState": "t0k"}),
        ("meta.token", {"meta": {"token": "t0k"}}),
        ("value[0].clientState", {"value": [{"clientState": "t0k"}, {}]}),
        ("value[1][0]", {"value": [0, ["t0k"]]}),
        ("[0].token", [{"token": "t0k"}]),
        ("['a.b'].c", {"a.b": {"c": "t0k"}}),
        ("value[*].clientState", {"value": [{"clientState": "t0k"}, {"clientState": "t0k"}]}),
        ("[*].token", [{"token": "t0k"}]),
        ("a[*].b[*]", {"a": [{"b": ["t0k", "t0k"]}, {"b": ["t0k"]}]}),
    ],
)
def test_a_token_is_found_at_any_path_of_the_body(written: str, body: Any) -> None:
    mapping = receiving(f'  verify: [ {{ token: {{ body: "{written}", {SECRET} }} }} ]\n')
    assert isinstance(received(mapping, body), Accepted)
    assert isinstance(received(mapping, body, "t0k2"), Refused)
    assert "t0k" not in json.dumps(mapping.redact(body))


@pytest.mark.parametrize(
    "body",
    [
        {"value": [{"clientState": "t0k"}, {"clientState": "other"}]},
        {"value": [{"clientState": "t0k"}, {"clientState": None}]},
        {"value": [{"clientState": "t0k"}, {}]},
        {"value": [{"clientState": "t0k"}, "t0k"]},
        {"value": [{"clientState": ["t0k"]}]},
        {"value": {"clientState": "t0k"}},
        {"value": []},
        {"value": None},
        {},
        [],
        "t0k",
        None,
        b"not json",
        b"",
    ],
)
def test_one_item_without_the_token_is_enough_to_refuse_all(body: Any) -> None:
    refused = received(receiving(ALL_ITEMS), body)
    assert isinstance(refused, Refused)
    assert refused.status == 401


def test_items_may_have_any_of_the_secrets_that_count_and_the_oldest_in_use_is_told() -> None:
    both = ALL_ITEMS.replace(SECRET, "secret: [ \"${ secret('NEW') }\", \"${ secret('OLD') }\" ]")
    mapping = receiving(both)
    sent = request({"value": [{"clientState": one} for one in ("OLD", "NEW")]})
    found = mapping.receive(sent, lambda name: name, NOW)
    assert isinstance(found, Accepted)
    assert found.verified[0].key_index == 1


def mailgun(at: object, **changes: Any) -> dict[str, Any]:
    signature = hmac.new(b"t0k", f"{at}a1b2".encode(), hashlib.sha256).hexdigest()
    signed = {"timestamp": at, "token": "a1b2", "signature": signature}
    return {"signature": signed | changes, "event-data": {"id": "e1"}}


@pytest.mark.parametrize("kind", [str, int])
def test_parts_of_a_body_are_signed_by_a_signature_beside_them(kind: type) -> None:
    mapping = receiving(MAILGUN)
    moment = kind(int(NOW.timestamp()))
    assert isinstance(received(mapping, mailgun(moment)), Accepted)
    wrong: Any
    for wrong in (
        mailgun(moment, signature="00"),
        mailgun(moment, signature=None),
        mailgun(moment, signature=["a"]),
        mailgun(moment, token=None),
        mailgun(moment, token={"a": 1}),
        mailgun(kind(int(NOW.timestamp()) + 1), timestamp=moment),
        mailgun(kind(int(NOW.timestamp()) - 301)),
        {"signature": "x"},
        {"event-data": {}},
    ):
        assert isinstance(received(mapping, wrong), Refused), wrong
    assert "signature.signature" in {".".join(one.keys) for one in mapping.privacy.hidden}


def test_a_form_field_is_signed_as_it_reads_after_decoding() -> None:
    text = (
        f"  verify: [ {{ hmac: {{ {SECRET}, message: '${{ body.MSG }}', signature: {{ body: HMAC }} }} }} ]\n"
    )
    mapping = receiving(text, more="  decode: form\n")
    message = '{"name": "Zoë + 1 & more%"}'
    signature = hmac.new(b"t0k", message.encode(), hashlib.sha256).hexdigest()
    body = urlencode({"MSG": message, "HMAC": signature}).encode()
    for form, accepted in (
        (body, True),
        (body.replace(b"+%2B", b"%20%2B"), True),
        (body.replace(b"1", b"2"), False),
        (body + b"&MSG=x", False),
        (body + b"&Topic=unsigned", True),
    ):
        found = mapping.receive(request(form, headers=FORM), lambda name: "t0k", NOW)
        assert isinstance(found, Accepted) is accepted, form


@pytest.mark.parametrize(
    ("verify", "code"),
    [
        (f"hmac: {{ {SECRET}, signature: {{ body: sig }} }}", "E315"),
        (f"hmac: {{ {SECRET}, message: '${{ json(body) }}', signature: {{ body: sig }} }}", "E315"),
        (f"token: {{ {SECRET}, body: 'a..b' }}", "E111"),
        (f"token: {{ {SECRET}, body: 'a[x]' }}", "E111"),
        (f"hmac: {{ {SECRET}, message: '${{ body.a }}', signature: {{ body: 'a[*].sig' }} }}", "E111"),
        (
            f"hmac: {{ {SECRET}, message: '${{ body.a }}', signature: {{ header: s }}, "
            "timestamp: { body: at, tolerance: 5m } }",
            "E310",
        ),
    ],
)
def test_what_cannot_prove_anything_is_refused_when_it_is_loaded(verify: str, code: str) -> None:
    with pytest.raises(MappingError) as error:
        receiving(f"  verify:\n    - {verify}\n")
    assert code in {lint.code for lint in error.value.lints}


def test_a_body_that_is_signed_in_part_is_warned_about_unless_the_sender_knows_another_secret() -> None:
    part = f"    - hmac: {{ {SECRET}, message: '${{ body.a }}', signature: {{ header: s }} }}\n"
    token = f"    - token: {{ {SECRET}, query: key }}\n"
    alone = receiving("  verify:\n" + part)
    assert [(lint.code, lint.message) for lint in alone.lints] == [
        ("W314", "the rest of the body is not part of message, so it is not signed")
    ]
    assert receiving("  verify:\n" + part + token).lints == ()


JWT = (
    "  verify:\n    - jwt: { from: { body_path: 'proof.tokens[*]' }, algorithms: [RS256], "
    "jwks_url: 'https://idp.example/jwks', issuer: https://idp.example }\n"
)
SIGNED = [
    (ALL_ITEMS, "json", {"value": [{"id": 1}, {"id": 2, "clientState": "of the sample"}]}),
    (MAILGUN, "json", mailgun("1")),
    (f"  verify: [ {{ token: {{ body: token, {SECRET} }} }} ]\n", "form", {"a": "1"}),
    (f"  verify: [ {{ token: {{ body: meta.token, {SECRET} }} }} ]\n", "json", {"a": 1}),
    (
        f"  verify: [ {{ token: {{ body: message.attributes.token, {SECRET} }} }} ]\n",
        "pubsub",
        {"message": {"data": {"a": 1}, "messageId": "1"}},
    ),
    (JWT, "json", {"a": 1}),
    # What goes into the body is signed by the others, in whatever order they stand.
    (
        f"  verify:\n    - hmac: {{ {SECRET}, signature: {{ header: s }} }}\n"
        f"    - token: {{ body: token, {SECRET} }}\n",
        "json",
        {"a": 1},
    ),
]


@pytest.mark.parametrize(("verify", "decode", "payload"), SIGNED)
def test_samples_are_signed_inside_their_bodies(verify: str, decode: str, payload: Any) -> None:
    mapping = receiving(verify, more=f"  decode: {decode}\n")
    plain = unsigned(mapping, encoded(mapping, payload), "https://g.example.org/hooks/sample", NOW)
    known = sample_known(mapping)
    assert isinstance(mapping.receive(plain, sample_secret, NOW, known), Refused)
    signed = sign(plain, mapping, sample_secret, NOW, samples=True)
    found = mapping.receive(signed, sample_secret, NOW, known)
    assert isinstance(found, Accepted), found
    if "hmac" in verify:
        assert isinstance(mapping.receive(tampered(signed, mapping), sample_secret, NOW, known), Refused)


@pytest.mark.parametrize("payload", [{"value": {"clientState": "x"}}, {}, [], "text"])
def test_a_sample_without_room_for_its_token_says_so(payload: Any) -> None:
    mapping = receiving(ALL_ITEMS)
    plain = unsigned(mapping, encoded(mapping, payload), "https://g.example.org/hooks/sample", NOW)
    with pytest.raises(CannotSign, match=r"value\[\*\]\.clientState"):
        sign(plain, mapping, sample_secret, NOW, samples=True)


def test_a_push_is_encoded_once_however_a_sample_writes_its_data() -> None:
    mapping = receiving(f"  verify: [ {{ token: {{ query: k, {SECRET} }} }} ]\n", more="  decode: pubsub\n")
    bodies = [
        encoded(mapping, {"message": {"data": data}}) for data in ({"a": 1}, '{"a": 1}', "eyJhIjogMX0=")
    ]
    assert bodies == [b'{"message": {"data": "eyJhIjogMX0="}}'] * 3
    assert encoded(mapping, {"message": {"attributes": {}}}) == b'{"message": {"attributes": {}}}'


CASES = """\
- { name: signed, payload: { signature: {} }, request: {}, expect: { status: 200 } }
- { name: changed, payload: { signature: {} }, request: { tamper: true }, expect: { status: 401 } }
- { name: late, payload: { signature: {} }, request: { late: 301 }, expect: { status: 401 } }
- { name: not signed, payload: { signature: {} }, request: { sign: false }, expect: { status: 401 } }
"""


def test_cases_sign_change_and_delay_what_is_signed_inside_a_body() -> None:
    text = MAILGUN.replace(
        "${ body.signature.timestamp }${ body.signature.token }", "${ body.signature.timestamp }."
    )
    mapping = load_mapping(
        f"adapter: sample\nreceive:\n{text}rules: [ {{ name: all, ignore: true }} ]\n", "sample.yaml"
    )
    results = run_tests(mapping, CASES, "sample.test.yaml", lambda path: None)
    assert [one.problems for one in results] == [(), (), (), ()]


def test_a_path_puts_a_copy_together_and_leaves_the_body_alone() -> None:
    path = body_path("a[*].b")
    assert path is not None
    body = {"a": [{"b": 1}, {}], "c": 2}
    assert path.put(body, 9) == {"a": [{"b": 9}, {"b": 9}], "c": 2}
    assert body == {"a": [{"b": 1}, {}], "c": 2}
    with pytest.raises(NoPlace):
        path.put({"a": ["text"]}, 9)
