from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import Answered, MappingError, Refused, load_mapping
from adapters.testing.signing import sample_secret, sign, unsigned
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
    (
        "- jwt: { from: body, claims_become: body, algorithms: [none], jwks_url: https://idp.example/jwks }",
        "E313",
        "the algorithm none is no signature",
    ),
    (
        "- jwt: { algorithms: [HS256], jwks_url: https://idp.example/jwks }",
        "E313",
        "HS256 with a key set would make its public keys secrets",
    ),
    ("- jwt: { algorithms: [RS256] }", "E112", "jwt needs one of jwks_url, jwks and secret"),
    (
        "- jwt: { algorithms: [RS256], jwks_url: http://idp.example/jwks }",
        "E314",
        "jwks_url is a fixed https URL",
    ),
    (
        '- jwt: { algorithms: [RS256], jwks_url: "https://${ headers.host }/jwks" }',
        "E314",
        "jwks_url is a fixed https URL",
    ),
    ("- jwt: { algorithms: [RS256], jwks: none.json }", "E115", "there is no file 'none.json'"),
    ("- jwt: { jwks_url: https://idp.example/jwks }", "E112", "verify.jwt needs 'algorithms'"),
    ("- google_pubsub: { audience: https://g.example }", "E112", "preset google_pubsub needs claims.email"),
    ("- google_pubsub: { claims: { email: a@b.example } }", "E112", "preset google_pubsub needs audience"),
    ("- microsoft_graph: {}", "E112", "preset microsoft_graph needs audience"),
    (
        "- public_key: { algorithm: ed25519, keys: [ { pem: 'BEGIN' } ], signature: { header: a } }",
        "E111",
        "not a public key in PEM",
    ),
    (
        "- public_key: { algorithm: ed25519, keys: [ { pem: k.pem } ], signature: { header: a } }",
        "E115",
        "there is no file 'k.pem'",
    ),
    ("- oauth2_client: { scope: xapi:write }", "E112", "verify.oauth2_client needs 'clients'"),
    (
        "- token: { header: a, secret: [ { value: \"${ secret('S') }\", not_after: soon } ] }",
        "E111",
        "not_after is a time such as",
    ),
    (
        "- token: { header: a, secret: [ { value: written-out, not_after: 2026-01-01T00:00:00Z } ] }",
        "E308",
        "secret is written out",
    ),
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
