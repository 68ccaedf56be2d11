"""Tokens and signatures by keys: published vectors, and requests signed here with `cryptography` alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters import Accepted, Client, Known, Mapping, Refused, Wanting, load_mapping
from adapters.receive.keys import JWS_ALGORITHMS, KeySet, key_set
from adapters.testing.bodies import CannotSign
from adapters.testing.keys import sample_key, sample_key_set
from adapters.testing.signing import sample_known, sample_secret, sign, unsigned
from tests.adapters.support import NOW, receiving, request

URL = "https://idp.example/jwks"
KEY = sample_key("RS256")


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def token(claims: Any, *, kid: str | None = "sample", algorithm: str = "RS256", **header: Any) -> str:
    """A token signed by the sample key, whatever its header says."""
    head = {"alg": algorithm} | ({"kid": kid} if kid else {}) | header
    signed = ".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
    assert isinstance(KEY, rsa.RSAPrivateKey)
    return f"{signed}.{encoded(KEY.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def known(*urls: str) -> Known:
    return Known(key_sets={url: sample_key_set(("RS256",)) for url in urls or (URL,)})


def bearer(claims: dict[str, Any] | str, mapping: Mapping | None = None, **changes: Any) -> Any:
    mapping = mapping or receiving(
        f"  verify:\n    - jwt: {{ algorithms: [RS256], jwks_url: {URL}, {EXPECTED} }}\n"
    )
    written = claims if isinstance(claims, str) else token(claims, **changes)
    sent = request(b"{}", ("Authorization", f"Bearer {written}"))
    return mapping.receive(sent, sample_secret, NOW, known())


EXPECTED = (
    "issuer: https://idp.example, audience: https://g.example, claims: { email: [a@x.example, b@x.example] }"
)
SOON = int(NOW.timestamp()) + 60
GOOD = {"iss": "https://idp.example", "aud": ["x", "https://g.example"], "email": "b@x.example", "exp": SOON}


# -- published vectors -----------------------------------------------------------------------------------


def test_the_es256_token_of_rfc_7515_is_accepted_until_it_expires() -> None:
    published = (
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290"
        "Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    )
    keys = key_set(
        {
            "keys": [
                {
                    "kty": "EC",
                    "crv": "P-256",
                    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                }
            ]
        }
    )
    mapping = receiving(f"  verify:\n    - jwt: {{ algorithms: [ES256], jwks_url: {URL}, issuer: joe }}\n")
    sent = request(b"{}", ("Authorization", f"Bearer {published}"))
    for seconds, accepted in ((0, True), (59, True), (61, False)):
        now = datetime.fromtimestamp(1300819380 + seconds, UTC)
        received = mapping.receive(sent, sample_secret, now, Known(key_sets={URL: keys}))
        assert isinstance(received, Accepted) is accepted, received


def test_the_ed25519_signature_of_rfc_8037_is_accepted() -> None:
    keys = key_set(
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}
    )
    signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    signature = base64.urlsafe_b64decode(
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg=="
    )
    algorithm = JWS_ALGORITHMS["EdDSA"]
    assert algorithm.verifies(keys.keys[0].key, signature, signed)
    assert not algorithm.verifies(keys.keys[0].key, signature, signed + b"x")


# -- tokens ----------------------------------------------------------------------------------------------


def test_a_token_with_everything_expected_is_accepted_and_its_key_is_told() -> None:
    received = bearer(GOOD)
    assert isinstance(received, Accepted), received
    assert (received.verified[0].method, received.verified[0].key_id) == ("jwt", "sample")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://other.example"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"aud": "https://other.example"}, "another audience"),
        ({"aud": None}, "another audience"),
        ({"email": "c@x.example"}, "claim email"),
        ({"email": None}, "claim email"),
        ({"exp": SOON - 121}, "expired"),
        ({"exp": None}, "no exp"),
        ({"exp": "tomorrow"}, "exp is not a time"),
        ({"nbf": SOON + 1}, "not valid yet"),
        ({"iat": SOON + 1}, "not valid yet"),
    ],
)
def test_a_token_that_claims_something_else_is_refused(changes: dict[str, Any], reason: str) -> None:
    claims = {key: value for key, value in (GOOD | changes).items() if value is not None}
    received = bearer(claims)
    assert isinstance(received, Refused)
    assert reason in received.reason


def test_a_token_whose_signature_or_algorithm_is_not_what_is_expected_is_refused() -> None:
    good = token(GOOD)
    head, claims, signature = good.split(".")
    none = encoded(b'{"alg":"none"}')
    # The classic confusion: an HMAC whose key is the public key.
    public = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    hs = encoded(b'{"alg":"HS256","kid":"sample"}')
    confused = hmac.digest(public, f"{hs}.{claims}".encode(), "sha256")
    other = encoded(json.dumps(GOOD | {"email": "a@x.example"}).encode())
    for wrong in (
        f"{head}.{other}.{signature}",
        f"{head}.{claims}.{signature[:-4]}AAAA",
        f"{none}.{claims}.",
        f"{none}.{claims}.{signature}",
        f"{hs}.{claims}.{encoded(confused)}",
        f"{head}.{claims}",
        f"{good}.x",
        "",
        token(GOOD, crit=["b64"]),
        token(GOOD, algorithm="RS512"),
        token([1]),
    ):
        assert isinstance(bearer(wrong), Refused), wrong


def test_an_unknown_key_id_asks_for_the_key_set_again_and_without_any_set_for_the_first_time() -> None:
    received = bearer(GOOD, kid="next-month")
    assert received == Wanting(URL, "the token names a key that is not in the key set", 401)
    mapping = receiving(f"  verify:\n    - jwt: {{ algorithms: [RS256], jwks_url: {URL}, issuer: x }}\n")
    sent = request(b"{}", ("Authorization", f"Bearer {token(GOOD)}"))
    assert mapping.receive(sent, sample_secret, NOW) == Wanting(URL, "the key set was not fetched yet", 401)


def test_a_key_set_may_be_a_file_beside_the_mapping() -> None:
    numbers = KEY.public_key().public_numbers()  # type: ignore[union-attr]
    jwk = {"kty": "RSA", "kid": "sample", "e": "AQAB", "n": encoded(numbers.n.to_bytes(256))}  # type: ignore[union-attr]
    written = json.dumps({"keys": [{"kty": "oct", "k": "AAAA"}, {"kty": "RSA", "use": "enc"}, jwk]})
    text = (
        "adapter: sample\nreceive:\n  verify: [ { jwt: { algorithms: [RS256], jwks: keys.json, issuer: "
        "https://idp.example } } ]\nrules:\n  - name: all\n    ignore: true\n"
    )
    mapping = load_mapping(text, "sample.yaml", files={"keys.json": written}.get)
    assert isinstance(bearer(GOOD, mapping), Accepted)
    changed = load_mapping(text, "sample.yaml", files={"keys.json": written + " "}.get)
    assert changed.revision != mapping.revision


def test_an_rsa_key_that_is_too_short_is_not_used() -> None:
    numbers = rsa.generate_private_key(65537, 1024).public_key().public_numbers()
    assert key_set({"keys": [{"kty": "RSA", "e": "AQAB", "n": encoded(numbers.n.to_bytes(128))}]}) == KeySet(
        ()
    )


# -- presets ---------------------------------------------------------------------------------------------

CANVAS_URL = "https://8axpcl50e4.execute-api.us-east-1.amazonaws.com/main/jwks"
CANVAS = "  verify:\n    - canvas: {}\n  event_id: ${ body.metadata.request_id }\n"


@pytest.mark.parametrize("wrap", ["{}", '"{}"'])
def test_canvas_sends_the_payload_as_a_token(wrap: str) -> None:
    payload = {
        "metadata": {"event_name": "submission_created", "request_id": "r1"},
        "body": {"id": "70000000000001"},
    }
    mapping = receiving(CANVAS)
    body = wrap.format(token(payload)).encode()
    received = mapping.receive(request(body), sample_secret, NOW, known(CANVAS_URL))
    assert isinstance(received, Accepted), received
    assert (received.payload, received.key) == (payload, "r1")
    tampered = body.replace(b".", b".A", 1)
    assert isinstance(mapping.receive(request(tampered), sample_secret, NOW, known(CANVAS_URL)), Refused)
    plain = request(json.dumps(payload).encode())
    assert isinstance(mapping.receive(plain, sample_secret, NOW, known(CANVAS_URL)), Refused)


PUBSUB_URL = "https://www.googleapis.com/oauth2/v3/certs"
PUBSUB = (
    "  verify:\n    - google_pubsub: { audience: https://g.example/hooks/classroom, "
    "claims: { email: push@p.iam.gserviceaccount.com } }\n  decode: pubsub\n"
    "  event_id: ${ body.message.messageId }\n"
)


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({}, True),
        ({"email": "x@p.iam.gserviceaccount.com"}, False),
        ({"email_verified": False}, False),
        ({"email_verified": 1}, False),
        ({"aud": "https://g.example"}, False),
    ],
)
def test_google_pubsub_is_held_to_audience_and_service_account(
    changes: dict[str, Any], accepted: bool
) -> None:
    claims = {
        "iss": "https://accounts.google.com",
        "aud": "https://g.example/hooks/classroom",
        "email": "push@p.iam.gserviceaccount.com",
        "email_verified": True,
        "exp": SOON,
    } | changes
    data = base64.b64encode(b'{"collection": "courses.courseWork"}').decode()
    body = {"message": {"data": data, "messageId": "77", "attributes": {}}, "subscription": "s"}
    sent = request(body, ("Authorization", f"Bearer {token(claims)}"))
    received = receiving(PUBSUB).receive(sent, sample_secret, NOW, known(PUBSUB_URL))
    assert isinstance(received, Accepted) is accepted, received
    if isinstance(received, Accepted):
        assert received.payload["message"]["data"] == {"collection": "courses.courseWork"}
        assert received.key == "77"


@pytest.mark.parametrize("claim", ["azp", "appid"])
def test_every_validation_token_of_microsoft_graph_must_pass(claim: str) -> None:
    url = "https://login.microsoftonline.com/common/discovery/v2.0/keys"
    mapping = receiving("  verify:\n    - microsoft_graph: { audience: our-app }\n")
    graph = {"aud": "our-app", claim: "0bf30f3b-4a52-48df-9a82-234910c4a086", "exp": SOON}
    good, other = token(graph), token(graph | {claim: "another-app"})
    for tokens, accepted in (
        ([good], True),
        ([good, good], True),
        ([good, other], False),
        ([], False),
        (None, False),
    ):
        body: dict[str, Any] = {"value": []} | ({"validationTokens": tokens} if tokens is not None else {})
        received = mapping.receive(request(body), sample_secret, NOW, known(url))
        assert isinstance(received, Accepted) is accepted, tokens


def test_a_digest_claim_binds_the_body_to_a_token_in_a_header() -> None:
    mapping = receiving("  verify:\n    - fusionauth: { secret: \"${ secret('F') }\" }\n")
    body = b'{"event": 1}'
    claims = {"request_body_sha256": base64.b64encode(hashlib.sha256(body).digest()).decode()}
    signed = ".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims))
    signature = encoded(hmac.digest(sample_secret("F").encode(), signed.encode(), "sha256"))
    header = ("X-FusionAuth-Signature-JWT", f"{signed}.{signature}")
    assert isinstance(mapping.receive(request(body, header), sample_secret, NOW), Accepted)
    assert isinstance(mapping.receive(request(body + b" ", header), sample_secret, NOW), Refused)


# -- public keys -----------------------------------------------------------------------------------------

ED = Ed25519PrivateKey.from_private_bytes(b"1" * 32)
EC = ec.derive_private_key(12345, ec.SECP256R1())


def pem(key: Any) -> str:
    """A public key as a quoted YAML scalar."""
    written = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return json.dumps(written.decode())


def signatures(message: bytes) -> dict[str, tuple[Any, bytes]]:
    assert isinstance(KEY, rsa.RSAPrivateKey)
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    return {
        "ed25519": (ED, ED.sign(message)),
        "ecdsa-sha256": (EC, EC.sign(message, ec.ECDSA(hashes.SHA256()))),
        "rsa-sha256": (KEY, KEY.sign(message, padding.PKCS1v15(), hashes.SHA256())),
        "rsa-pss-sha256": (KEY, KEY.sign(message, pss, hashes.SHA256())),
    }


@pytest.mark.parametrize("algorithm", ["ed25519", "ecdsa-sha256", "rsa-sha256", "rsa-pss-sha256"])
def test_a_signature_by_a_vendors_key_is_verified(algorithm: str) -> None:
    moment = str(int(NOW.timestamp()))
    key, signature = signatures(f"{moment}.".encode() + b'{"a": 1}')[algorithm]
    mapping = receiving(
        f"  verify:\n    - public_key:\n        algorithm: {algorithm}\n"
        f"        keys: [ {{ id: k1, pem: {pem(key)} }} ]\n"
        "        message: ${ timestamp }.${ raw_body }\n"
        "        signature: { header: x-sig, encoding: base64 }\n"
        "        timestamp: { header: x-time, tolerance: 5m }\n        key_id: x-key\n"
    )
    headers = {"x-sig": base64.b64encode(signature).decode(), "x-time": moment, "x-key": "k1"}

    def received(body: bytes = b'{"a": 1}', now: datetime = NOW, **changes: str) -> Any:
        sent = {**headers, **{name.replace("_", "-"): value for name, value in changes.items()}}
        return mapping.receive(request(body, *sent.items()), sample_secret, now)

    accepted = received()
    assert isinstance(accepted, Accepted), accepted
    assert accepted.verified[0].key_id == "k1"
    wrong = [
        received(b'{"a": 2}'),
        received(x_time=str(int(moment) + 1)),
        received(x_key="k2"),
        received(x_sig=base64.b64encode(signature[:-1] + b"x").decode()),
        received(x_sig=signature.hex()),
        received(now=NOW + timedelta(minutes=6)),
        received(now=NOW - timedelta(minutes=6)),
    ]
    assert all(isinstance(one, Refused) for one in wrong), wrong


def test_a_key_counts_until_its_not_after() -> None:
    mapping = receiving(
        "  verify:\n    - public_key:\n        algorithm: ed25519\n        signature: { header: x-sig }\n"
        f"        keys: [ {{ pem: {pem(ED)}, not_after: 2026-03-02T09:00:00Z }} ]\n"
    )
    sent = request(b"{}", ("x-sig", ED.sign(b"{}").hex()))
    assert isinstance(mapping.receive(sent, sample_secret, NOW), Accepted)
    late = mapping.receive(sent, sample_secret, NOW + timedelta(seconds=1))
    assert late == Refused(401, "every key has reached its not_after")


# -- clients of our own token endpoint -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "accepted"),
    [
        (Client(key="linkedin", scopes=frozenset({"xapi:write"})), True),
        (Client(key="linkedin", scopes=frozenset({"xapi:read"})), False),
        (Client(key="other", scopes=frozenset({"xapi:write"})), False),
        (None, False),
    ],
)
def test_only_named_clients_with_the_scope_may_send(client: Client | None, accepted: bool) -> None:
    mapping = receiving("  verify:\n    - oauth2_client: { clients: [linkedin], scope: xapi:write }\n")
    received = mapping.receive(request(b"{}"), sample_secret, NOW, Known(client=client))
    assert isinstance(received, Accepted) is accepted


# -- signing for tests -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "verify",
    [
        CANVAS,
        PUBSUB,
        "  verify:\n    - microsoft_graph: { audience: our-app }\n",
        "  verify:\n    - fusionauth: { secret: \"${ secret('F') }\" }\n",
        "  verify:\n    - oauth2_client: { clients: [linkedin] }\n",
    ],
)
def test_samples_can_be_signed_for_every_kind_of_key(verify: str) -> None:
    mapping = receiving(verify)
    body = b'{"metadata": {"request_id": "r"}, "message": {"messageId": "1"}}'
    plain = unsigned(mapping, body, "https://g.example.org/hooks/x", NOW)
    signed = sign(plain, mapping, sample_secret, NOW, samples=True)
    assert isinstance(mapping.receive(signed, sample_secret, NOW, sample_known(mapping)), Accepted)
    unknown = mapping.receive(signed, lambda name: "another", NOW, Known())
    assert isinstance(unknown, (Refused, Wanting))


def test_without_a_private_key_nothing_is_signed_in_a_vendors_name() -> None:
    mapping = receiving(CANVAS)
    plain = unsigned(mapping, b"{}", "https://g.example.org/hooks/x", NOW)
    with pytest.raises(CannotSign, match="private key"):
        sign(plain, mapping, sample_secret, NOW)


def test_a_vendors_own_private_key_signs_for_public_key() -> None:
    mapping = receiving(
        "  verify:\n    - public_key: { algorithm: ecdsa-sha256, "
        "signature: { header: x-sig, encoding: base64 }"
        f", keys: [ {{ pem: {pem(EC)} }} ] }}\n"
    )
    plain = unsigned(mapping, b"{}", "https://g.example.org/hooks/x", NOW)
    signed = sign(plain, mapping, sample_secret, NOW, key=EC)
    assert isinstance(mapping.receive(signed, sample_secret, NOW), Accepted)
    assert isinstance(mapping.receive(replace(signed, body=b"[]"), sample_secret, NOW), Refused)


# -- rotation --------------------------------------------------------------------------------------------


def test_a_secret_counts_until_its_not_after_and_the_others_go_on() -> None:
    mapping = receiving(
        "  verify:\n    - token:\n        header: x-token\n        secret:\n          - ${ secret('NEW') }\n"
        "          - { value: \"${ secret('OLD') }\", not_after: 2026-03-02T09:00:00Z }\n"
    )
    old, new = (request(b"{}", ("x-token", name)) for name in ("OLD", "NEW"))
    later = NOW + timedelta(seconds=1)
    for sent, now, index in ((old, NOW, 1), (new, NOW, 0), (new, later, 0)):
        received = mapping.receive(sent, lambda name: name, now)
        assert isinstance(received, Accepted)
        assert received.verified[0].key_index == index
    assert isinstance(mapping.receive(old, lambda name: name, later), Refused)
