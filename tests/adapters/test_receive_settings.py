from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import Answered, MappingError, Refused, load_mapping
from adapters.signing import sample_secret, sign, unsigned
from tests.adapters.support import NOW, receiving, request, signed_by

HANDSHAKE = """\
  handshakes:
    - when: body.type == 'url_verification'
      verify_first: true
      respond: { json: { challenge: "${ body.challenge }" } }
    - when: has(query.validationToken)
      methods: [POST, GET]
      respond: { text: "${ query.validationToken }" }
    - when: empty(raw_body)
      methods: [GET]
      respond: { status: 204 }
"""


def test_handshakes_are_answered_without_verification_only_where_the_mapping_says_so() -> None:
    mapping = signed_by("github", HANDSHAKE)
    echoed = mapping.receive(request(b"{}", query=(("validationToken", "<b>x"),)), sample_secret, NOW)
    assert echoed == Answered(200, "text/plain; charset=utf-8", b"<b>x", "handshake-2")
    empty = mapping.receive(request(b"", method="GET", headers=()), sample_secret, NOW)
    assert isinstance(empty, Answered)
    assert empty.status == 204
    challenge = b'{"type": "url_verification", "challenge": "c"}'
    assert isinstance(mapping.receive(request(challenge), sample_secret, NOW), Refused)
    signed = sign(unsigned(mapping, challenge, "https://g.example.org", NOW), mapping, sample_secret, NOW)
    answered = mapping.receive(signed, sample_secret, NOW)
    assert answered == Answered(200, "application/json", b'{"challenge":"c"}', "handshake-1")


def test_a_challenge_longer_than_512_characters_is_not_echoed() -> None:
    mapping = signed_by("github", HANDSHAKE)
    received = mapping.receive(request(b"{}", query=(("validationToken", "x" * 513),)), sample_secret, NOW)
    assert isinstance(received, Refused)
    assert received.status == 400


INSECURE = [
    ("- github: { secret: abcdefghijkl }", "E308", "secret is written out; secrets do not belong into files"),
    ("- none: { i_understand: yes }", "E312", 'checking is switched off only by i_understand: "anyone who'),
    ("- jwt: { from: body }", "E301", "verify method 'jwt' is not supported in this version"),
    ("- public_key: {}", "E301", "verify method 'public_key' is not supported in this version"),
    ("- oauth2_client: {}", "E301", "verify method 'oauth2_client' is not supported in this version"),
    ("- hmca: {}", "E110", "unknown verify method 'hmca'; did you mean 'hmac'?"),
    ("- zoom", "E112", "preset zoom needs settings"),
    (
        (
            "- hmac: { secret: \"${ secret('S') }\", signature: { header: a }, timestamp: "
            "{ header: b, tolerance: 5m } }"
        ),
        "E310",
        "timestamp is checked but not part of message",
    ),
    (
        "- hmac: { secret: \"${ secret('S') }\", signature: { header: a, query: b } }",
        "E111",
        "a signature is in one of",
    ),
    ("- hmac: { secret: \"${ secret('S') }\" }", "E112", "verify.hmac needs 'signature'"),
    (
        '- digest: { secret: "${ secret(\'S\') }", message: "${ raw_body }", signature: { header: a } }',
        "E311",
        "message of a digest",
    ),
    (
        '- token: { secret: "${ secret(body.x) }", header: a }',
        "E309",
        "the name of a secret must be written out",
    ),
    ("[]", "E312", "nothing is checked"),
]


@pytest.mark.parametrize(("verify", "code", "message"), INSECURE)
def test_insecure_settings_are_refused_at_load(verify: str, code: str, message: str) -> None:
    with pytest.raises(MappingError) as error:
        receiving(f"  verify:\n    {verify}\n" if verify != "[]" else "  verify: []\n")
    found = [(lint.code, lint.message) for lint in error.value.lints]
    assert any(one == code and text.startswith(message) for one, text in found), found


def test_an_answer_that_signs_any_text_is_warned_about() -> None:
    mapping = signed_by(
        "github",
        (
            "  handshakes:\n    - when: has(body.token)\n"
            "      respond: { json: { a: \"${ hmac_sha256_hex(secret('S'), body.token) "
            '}" } }\n'
        ),
    )
    assert [lint.code for lint in mapping.lints] == ["W313"]


def test_rules_never_see_a_secret() -> None:
    text = "adapter: a\nrules:\n  - name: r\n    when: secret('S') == 'x'\n    ignore: true\n"
    with pytest.raises(MappingError, match="available under `receive:` only"):
        load_mapping(text, "a.yaml")


@given(
    st.binary(max_size=60),
    st.lists(
        st.tuples(
            st.sampled_from(["content-type", "x-slack-signature", "x-slack-request-timestamp"]),
            st.text(max_size=30),
        ),
        max_size=5,
    ),
)
def test_any_request_is_answered(body: bytes, headers: list[tuple[str, str]]) -> None:
    mapping = signed_by("slack", HANDSHAKE)
    sent = request(body, headers=(("content-type", "application/json"), *headers))
    received = mapping.receive(sent, sample_secret, NOW + timedelta(seconds=1))
    assert isinstance(received, (Refused, Answered))
