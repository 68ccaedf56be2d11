import hashlib
import json
from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from gateway.xapi.attachments import Attached
from gateway.xapi.signatures import USAGE_TYPE, check_signatures
from tests.xapi import examples

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVE = ec.generate_private_key(ec.SECP256R1())
ALGORITHMS = {"RS256": hashes.SHA256(), "RS384": hashes.SHA384(), "RS512": hashes.SHA512()}

STATEMENT: dict[str, Any] = {
    "id": "6690e6c9-3ef0-4ed3-8b37-7f3964730bee",
    "actor": examples.agent(),
    "verb": {"id": "https://example.org/did", "display": {"en": "did"}},
    "object": {"id": "https://example.org/it"},
    "context": {"contextActivities": {"parent": {"id": "https://example.org/parent"}}},
    "timestamp": "2024-01-31T10:00:00Z",
}
OCTETS = "application/octet-stream"


def certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, signer: rsa.RSAPrivateKey = RSA) -> str:
    """Expired long ago, for a name nobody vouches for: neither matters to an LRS."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signer")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2000, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2001, 1, 1, tzinfo=UTC))
        .sign(signer, hashes.SHA256())
    )
    return b64encode(built.public_bytes(serialization.Encoding.DER)).decode()


def base64url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def sign(payload: Any, *, alg: str = "RS256", key: rsa.RSAPrivateKey = RSA, **header: Any) -> bytes:
    head = base64url(json.dumps({"alg": alg, **header}).encode())
    body = base64url(payload if isinstance(payload, bytes) else json.dumps(payload).encode())
    signature = key.sign(head + b"." + body, PKCS1v15(), ALGORITHMS.get(alg, hashes.SHA256()))
    return head + b"." + body + b"." + base64url(signature)


def attach(statement: dict[str, Any], data: bytes, content_type: str = OCTETS) -> dict[str, Any]:
    attachment = {
        "usageType": USAGE_TYPE,
        "display": {"en": "signature"},
        "contentType": content_type,
        "length": len(data),
        "sha2": hashlib.sha256(data).hexdigest(),
    }
    return {**statement, "attachments": [attachment]}


def messages(statement: dict[str, Any], data: bytes, content_type: str = OCTETS) -> list[str]:
    signed = attach(statement, data, content_type)
    parts = {hashlib.sha256(data).hexdigest(): Attached(content_type, data)}
    found = check_signatures(signed, parts)
    assert all(problem.path == "attachments[0]" for problem in found)
    return [problem.message for problem in found]


def refused(data: bytes, statement: dict[str, Any] = STATEMENT) -> str:
    (message,) = messages(statement, data)
    return message


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_statement_signed_with_rsa_and_its_certificate_is_accepted(alg: str) -> None:
    assert messages(STATEMENT, sign(STATEMENT, alg=alg, x5c=[certificate(RSA)])) == []


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_signature_without_certificate_cannot_be_verified_and_is_accepted(alg: str) -> None:
    assert messages(STATEMENT, sign(STATEMENT, alg=alg)) == []


def test_only_the_first_certificate_of_a_chain_counts() -> None:
    chain = [certificate(RSA, OTHER_RSA), certificate(OTHER_RSA, OTHER_RSA), "nonsense"]
    assert messages(STATEMENT, sign(STATEMENT, x5c=chain)) == []
    assert "not made with the key" in refused(sign(STATEMENT, x5c=chain[1::-1]))


def test_a_statement_without_signature_has_nothing_to_check() -> None:
    assert check_signatures(STATEMENT, {}) == []
    other = attach(STATEMENT, b"x")
    other["attachments"][0]["usageType"] = "https://example.org/certificate"
    assert check_signatures(other, {}) == []


def test_a_signature_must_be_octets() -> None:
    data = sign(STATEMENT)
    assert "has contentType" in messages(STATEMENT, data, "text/plain; charset=ascii")[0]
    assert messages(STATEMENT, data, "application/octet-stream; x=y") == []


def test_the_data_of_a_signature_must_be_sent_even_when_it_has_a_file_url() -> None:
    signed = attach(STATEMENT, sign(STATEMENT))
    signed["attachments"][0]["fileUrl"] = "https://example.org/signature"
    (problem,) = check_signatures(signed, {})
    assert "whose data was not sent" in problem.message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"..",
        b"a.b",
        b"a.b.c.d",
        b"a.b.",
        sign(STATEMENT) + b"\n",
        sign(STATEMENT) + b"==",
        sign(STATEMENT).replace(b".", b" ."),
        json.dumps({"payload": "e30", "signatures": [{"signature": "x"}]}).encode(),
        b"\xff\xfe.a.b",
    ],
)
def test_what_is_not_the_compact_serialization_is_refused(data: bytes) -> None:
    assert "compact serialization" in refused(data)


@pytest.mark.parametrize("alg", ["HS256", "none", "ES256", "PS256", "rs256", ""])
def test_other_algorithms_than_rsa_with_sha_2_are_refused(alg: str) -> None:
    assert "expected RS256, RS384 or RS512" in refused(sign(STATEMENT, alg=alg))


@pytest.mark.parametrize("alg", [None, 256, ["RS256"], {}])
def test_an_algorithm_that_is_no_text_is_refused(alg: Any) -> None:
    data = b".".join([base64url(json.dumps({"alg": alg}).encode()), base64url(b"{}"), b"AA"])
    assert "the signature's alg is" in refused(data)


@pytest.mark.parametrize("payload", [b"", b"{'a': 1}", b'{"a":1,"a":2}', b"\xff", b"[]", b"null", b'"x"'])
def test_header_and_payload_must_be_json_objects(payload: bytes) -> None:
    head = base64url(b'{"alg":"RS256"}')
    data = b".".join([head, base64url(payload) or b"A", b"AA"])
    assert "the signature's payload" in refused(data)
    assert "the signature's header" in refused(b".".join([base64url(payload) or b"A", head, b"AA"]))


def test_critical_extensions_that_nobody_understands_are_refused() -> None:
    assert "crit" in refused(sign(STATEMENT, crit=["b64"], b64=True))


def test_a_signature_made_with_another_key_is_refused() -> None:
    assert "not made with the key" in refused(sign(STATEMENT, key=OTHER_RSA, x5c=[certificate(RSA)]))


def test_a_signature_whose_bytes_were_changed_is_refused() -> None:
    head, body, signature = sign(STATEMENT, x5c=[certificate(RSA)]).split(b".")
    other = base64url(json.dumps({**STATEMENT, "version": "1.0.0"}).encode())
    assert "not made with the key" in refused(b".".join([head, other, signature]))
    assert "not made with the key" in refused(b".".join([head, body, b"AAAA"]))
    assert "impossible length" in refused(b".".join([head, body, b"AAAAA"]))


@pytest.mark.parametrize(
    "chain",
    [
        None,
        [],
        "text",
        [7],
        {},
        [""],
        ["nonsense"],
        ["ä"],
        [b64encode(b"no certificate").decode()],
        [certificate(RSA).replace("/", "_").replace("+", "-") + "\n"],
        [certificate(RSA)[:-40]],
    ],
    ids=range(11),
)
def test_a_certificate_that_cannot_be_read_is_refused(chain: Any) -> None:
    assert "x5c" in refused(sign(STATEMENT, x5c=chain))


def test_a_certificate_without_rsa_key_is_refused() -> None:
    assert "does not hold an RSA key" in refused(sign(STATEMENT, x5c=[certificate(CURVE)]))


def test_another_statement_than_the_signed_one_is_refused() -> None:
    other = {**STATEMENT, "verb": {"id": "https://example.org/refused"}}
    assert "another statement" in refused(sign(other))


def test_what_the_lrs_may_set_and_equal_spellings_do_not_count() -> None:
    signed = {
        "actor": dict(reversed(STATEMENT["actor"].items())),
        "verb": {"id": "https://example.org/did"},
        "object": {"objectType": "Activity", "id": "https://example.org/it"},
        "context": {"contextActivities": {"parent": [{"id": "https://example.org/parent"}]}},
        "timestamp": "2024-01-31T11:00:00+01:00",
    }
    assert messages(STATEMENT, sign(signed)) == []
    assert messages(STATEMENT, sign({**signed, "id": STATEMENT["id"].upper(), "version": "1.0.3"})) == []


def test_a_signed_statement_with_another_id_is_refused() -> None:
    other = {**STATEMENT, "id": "11111111-1111-4111-8111-111111111111"}
    assert "has the id" in refused(sign(other))


@pytest.mark.parametrize(
    "payload", [{}, {"actor": 1}, {**STATEMENT, "actor": {"account": {}}}, {**STATEMENT, "extra": 1}]
)
def test_a_payload_that_is_no_statement_is_refused(payload: dict[str, Any]) -> None:
    assert "no valid statement" in refused(sign(payload))


def test_a_statement_with_2_0_properties_can_be_signed() -> None:
    context = {"contextAgents": [{"objectType": "contextAgent", "agent": examples.agent("two")}]}
    statement = {**STATEMENT, "context": context}
    assert messages(statement, sign(statement, x5c=[certificate(RSA)])) == []


@pytest.mark.parametrize("drop_type", [True, False])
def test_an_attachment_of_a_substatement_signs_the_substatement(*, drop_type: bool) -> None:
    inner = {key: value for key, value in STATEMENT.items() if key != "id"}
    data = sign(inner if drop_type else {"objectType": "SubStatement", **inner})
    outer = {**STATEMENT, "object": {"objectType": "SubStatement", **attach(inner, data)}}
    parts = {hashlib.sha256(data).hexdigest(): Attached(OCTETS, data)}
    assert check_signatures(outer, parts) == []
    (problem,) = check_signatures(outer, {}, "[3]")
    assert problem.path == "[3].object.attachments[0]"


SMALL_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["alg", "x5c", "actor", "object", "id", "mbox", "a"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@given(SMALL_JSON, SMALL_JSON, st.binary(min_size=1, max_size=20))
def test_arbitrary_signatures_are_refused_and_never_fail(header: Any, payload: Any, signature: bytes) -> None:
    head = {"alg": "RS256", **header} if isinstance(header, dict) else header
    body = {**STATEMENT, **payload, "result": 1} if isinstance(payload, dict) else payload
    pieces = [json.dumps(head).encode(), json.dumps(body).encode(), signature]
    assert len(messages(STATEMENT, b".".join(map(base64url, pieces)))) == 1


@given(st.binary(max_size=100))
def test_arbitrary_certificates_are_refused_and_never_fail(der: bytes) -> None:
    valid = sign(STATEMENT, x5c=[b64encode(der).decode()])
    assert len(messages(STATEMENT, valid)) == 1
