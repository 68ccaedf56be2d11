"""Signing a request the way a mapping's vendor does, for tests and for trying out an endpoint. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from adapters.expressions.scope import Scope
from adapters.functions.receiver import raw
from adapters.mapping import Mapping
from adapters.outcomes import Request
from adapters.receive.body_path import EVERY, BodyPath
from adapters.receive.checks import AnyOf, Basic, Check, OAuth2Client, Signed, Token, each_check
from adapters.receive.incoming import incoming
from adapters.receive.jwt import HMAC_ALGORITHMS, Jwt
from adapters.receive.keys import JWS_ALGORITHMS, SIGNING_ALGORITHMS, Algorithm
from adapters.receive.known import Client, Known
from adapters.receive.public_key import PublicKeySigned
from adapters.receive.secrets import SharedSecret, key_bytes
from adapters.receive.signature import SignatureSpec, TimestampSpec
from adapters.testing.bodies import CannotSign, decoded, with_value
from adapters.testing.keys import KEY_ID, PrivateKey, sample_key, sample_key_set
from adapters.testing.keys import sample_secret as sample_secret

_LIFETIME = 300  # seconds that a token made here is valid
_NEEDS_KEY = "this vendor signs with a private key; give one whose public half the mapping trusts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """What a vendor signs with: secrets by name, the clock, and a private key where it uses one.

    Without a `key`, and with `samples`, keys that everybody has are used; see `sample_known`.
    """

    secrets: Callable[[str], str | None]
    now: datetime
    key: PrivateKey | None = None
    key_id: str | None = None
    samples: bool = False

    def private(self, algorithm: str) -> PrivateKey:
        """The key for a JSON Web Algorithm."""
        if self.key is not None:
            return self.key
        if not self.samples:
            raise CannotSign(_NEEDS_KEY)
        return sample_key(algorithm)


def sample_known(mapping: Mapping) -> Known:
    """What a gateway would know beside a request that was signed with samples."""
    checks = list(each_check(mapping.receiver.checks)) if mapping.receiver is not None else []
    key_sets = {
        check.jwks_url: sample_key_set(check.algorithms)
        for check in checks
        if isinstance(check, Jwt) and check.jwks_url is not None
    }
    clients = [check for check in checks if isinstance(check, OAuth2Client)]
    client = Client(key=clients[0].clients[0], scopes=frozenset({clients[0].scope})) if clients else None
    return Known(key_sets=key_sets, client=client)


def unsigned(mapping: Mapping, body: bytes, url: str, now: datetime) -> Request:
    """A request as the vendor would send it, before it is signed."""
    receiver = mapping.receiver
    content_type = receiver.content_types[0] if receiver is not None else "application/json"
    return Request(
        method=receiver.methods[0] if receiver is not None else "POST",
        url=url,
        headers=(("content-type", content_type),),
        query=(),
        body=body,
        received_at=now,
    )


def sign(
    request: Request,
    mapping: Mapping,
    secrets: Callable[[str], str | None],
    now: datetime,
    *,
    key: PrivateKey | None = None,
    key_id: str | None = None,
    samples: bool = False,
) -> Request:
    """The request with everything added that its mapping checks; raises `CannotSign`."""
    if mapping.receiver is None:
        raise CannotSign(f"mapping {mapping.name} has no `receive:` block")
    missing = mapping.missing_secrets(secrets)
    if missing:
        raise CannotSign(f"secret {missing[0]} is not set")
    signer = Signer(secrets=secrets, now=now, key=key, key_id=key_id, samples=samples)
    # What goes into the body comes first, because others sign that body.
    for check in sorted(mapping.receiver.checks, key=lambda one: not _in_body(one)):
        request = _signed(request, check, mapping, signer)
    return request


def _in_body(check: Check) -> bool:
    if isinstance(check, AnyOf):
        return _in_body(check.checks[0])
    if isinstance(check, Jwt):
        return check.place == "body_path"
    return isinstance(check, Token) and check.body is not None


def _signed(request: Request, check: Check, mapping: Mapping, signer: Signer) -> Request:
    scope = incoming(request, None, signer.secrets, mapping.secrets, signer.now).scope
    if isinstance(check, AnyOf):
        return _signed(request, check.checks[0], mapping, signer)
    if isinstance(check, Token):
        return _placed(request, check.prefix + _value(check.secrets, scope, signer), check, mapping)
    if isinstance(check, Basic):
        pair = f"{check.username}:{_value(check.passwords, scope, signer)}"
        return _with_header(request, "authorization", "Basic " + base64.b64encode(pair.encode()).decode())
    if isinstance(check, Jwt):
        return _with_token(request, check, scope, signer, mapping)
    if isinstance(check, (Signed, PublicKeySigned)):
        return _with_signature(request, check, mapping, signer)
    if isinstance(check, OAuth2Client) and not signer.samples:
        raise CannotSign("this vendor sends a bearer token; ask POST /oauth2/token for one")
    return request


def _value(secrets: tuple[SharedSecret, ...], scope: Scope, signer: Signer) -> str:
    """The first secret that counts now: what the vendor uses."""
    one = next((one for one in secrets if one.usable(signer.now)), None)
    found = one.value(scope) if one is not None else None
    if not isinstance(found, str):
        raise CannotSign("no secret is set that still counts")
    return found


# -- signatures


def _with_signature(
    request: Request, check: Signed | PublicKeySigned, mapping: Mapping, signer: Signer
) -> Request:
    written: str | None = None
    if check.timestamp is not None:
        request, written = _with_time(request, check.timestamp, signer.now, mapping)
    for name in check.message_headers[-1:]:
        if not any(known == name for known, _ in request.headers):
            request = _with_header(request, name, hashlib.sha256(request.body).hexdigest()[:32])
    body = decoded(request, mapping) if check.message_parts else None
    scope = incoming(request, body, signer.secrets, mapping.secrets, signer.now).scope
    scope.timestamp = written
    if isinstance(check, PublicKeySigned):
        return _with_private_key(request, check, scope, written, signer, mapping)
    secret = _value(check.secrets, scope, signer).removeprefix(check.secret_prefix)
    scope.secret = secret
    message = _message(request, check, scope)
    if check.method == "digest":
        signature = hashlib.new(check.algorithm, message, usedforsecurity=False).digest()
    else:
        key = key_bytes(secret, check.secret_encoding)
        if key is None:
            raise CannotSign(f"the secret is not {check.secret_encoding}")
        signature = hmac.digest(key, message, check.algorithm)
    carried = _carried(check.signature, check.timestamp, signature, written)
    return _placed(request, carried, check.signature, mapping)


def _with_private_key(
    request: Request,
    check: PublicKeySigned,
    scope: Scope,
    written: str | None,
    signer: Signer,
    mapping: Mapping,
) -> Request:
    if signer.key is None:
        raise CannotSign(_NEEDS_KEY)
    algorithm = SIGNING_ALGORITHMS[check.algorithm]
    message = _message(request, check, scope)
    if check.key_id_headers and signer.key_id is not None:
        request = _with_header(request, check.key_id_headers[0], signer.key_id)
    signature = signed_with(signer.key, algorithm, message)
    carried = _carried(check.signature, check.timestamp, signature, written)
    return _placed(request, carried, check.signature, mapping)


def _message(request: Request, check: Signed | PublicKeySigned, scope: Scope) -> bytes:
    """What the vendor signs."""
    if check.message is None:
        return request.body
    built = check.message(scope)
    if built is None or isinstance(built, (bool, float, list, dict)):
        raise CannotSign("a part of what is signed is missing in the payload, or is no text")
    return raw(str(built))


def signed_with(key: PrivateKey, algorithm: Algorithm, message: bytes) -> bytes:
    """The signature of a message; raises `CannotSign` where the key is of another kind."""
    if not algorithm.fits(key.public_key()):
        raise CannotSign("the private key does not fit the mapping's algorithm")
    if isinstance(key, rsa.RSAPrivateKey):
        assert algorithm.hash is not None
        how: padding.AsymmetricPadding = padding.PKCS1v15()
        if algorithm.family == "rsa-pss":
            how = padding.PSS(mgf=padding.MGF1(algorithm.hash), salt_length=algorithm.hash.digest_size)
        return key.sign(message, how, algorithm.hash)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        assert algorithm.hash is not None
        signature = key.sign(message, ec.ECDSA(algorithm.hash))
        if algorithm.size is None:
            return signature
        return b"".join(number.to_bytes(algorithm.size) for number in decode_dss_signature(signature))
    return key.sign(message)


def _with_time(request: Request, spec: TimestampSpec, now: datetime, mapping: Mapping) -> tuple[Request, str]:
    seconds = now.timestamp()
    written = now.isoformat() if spec.unit == "iso8601" else str(int(seconds))
    if spec.unit == "ms":
        written = str(int(seconds * 1000))
    if spec.body is not None:
        (before,) = spec.body.values(decoded(request, mapping))
        value = int(written) if isinstance(before, int) and written.isdecimal() else written
        return with_value(request, spec.body, value, mapping), written
    return (_with_header(request, spec.headers[0], written) if spec.headers else request), written


def _carried(
    spec: SignatureSpec, times: TimestampSpec | None, signature: bytes, timestamp: str | None
) -> str:
    if spec.encoding == "hex":
        written = signature.hex()
    elif spec.encoding == "base64url":
        written = _base64url(signature)
    else:
        written = base64.b64encode(signature).decode()
    written = spec.prefix + written
    if not spec.pairs:
        return written
    pairs = [f"{spec.keys[0]}={written}"]
    if times is not None and times.from_signature:
        pairs.insert(0, f"{spec.timestamp_key}={timestamp}")
    return spec.separator.join(pairs)


# -- tokens


def _with_token(request: Request, check: Jwt, scope: Scope, signer: Signer, mapping: Mapping) -> Request:
    if check.place == "body":
        try:
            claims = json.loads(request.body)
        except ValueError:
            raise CannotSign("the payload becomes the token's claims, so it must be JSON") from None
        return replace(request, body=_token(claims, check, scope, signer).encode())
    moment = int(signer.now.timestamp())
    claims = {"iat": moment, "exp": moment + _LIFETIME}
    for name, values in (("iss", check.issuers), ("aud", check.audiences), *check.claims.items()):
        if values:
            claims[name] = values[0](scope)
    if check.body_digest_claim is not None:
        claims[check.body_digest_claim] = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
    token = _token(claims, check, scope, signer)
    if check.place == "bearer":
        return _with_header(request, "authorization", f"Bearer {token}")
    if check.place == "header":
        return _with_header(request, check.where, check.prefix + token)
    assert check.path is not None
    path, tokens = check.path, token
    if path.steps[-1] is EVERY:  # a list of tokens, of which samples hold none
        path, tokens = BodyPath(path.written, path.steps[:-1]), [token]  # type: ignore[assignment]
    return with_value(request, path, tokens, mapping)


def _token(claims: Any, check: Jwt, scope: Scope, signer: Signer) -> str:
    algorithm = check.algorithms[0]
    header = {"alg": algorithm, "typ": "JWT"}
    if algorithm not in HMAC_ALGORITHMS:
        header["kid"] = signer.key_id or KEY_ID
    signed = ".".join(
        _base64url(json.dumps(part, ensure_ascii=False, separators=(",", ":")).encode())
        for part in (header, claims)
    )
    if algorithm in HMAC_ALGORITHMS:
        key = key_bytes(_value(check.secrets, scope, signer), check.secret_encoding)
        if key is None:
            raise CannotSign(f"the secret is not {check.secret_encoding}")
        signature = hmac.digest(key, signed.encode(), HMAC_ALGORITHMS[algorithm])
    else:
        signature = signed_with(signer.private(algorithm), JWS_ALGORITHMS[algorithm], signed.encode())
    return f"{signed}.{_base64url(signature)}"


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def _placed(request: Request, value: str, where: SignatureSpec | Token, mapping: Mapping) -> Request:
    """Put a signature or token where the vendor would."""
    header = where.header if isinstance(where, Token) else next(iter(where.headers), None)
    if header is not None:
        return _with_header(request, header, value)
    if where.query is not None:
        mark = "&" if "?" in request.url else "?"
        url = f"{request.url}{mark}{quote(where.query)}={quote(value, safe='')}"
        return replace(request, url=url, query=(*request.query, (where.query, value)))
    if where.body is not None:
        return with_value(request, where.body, value, mapping)
    return replace(request, url=f"{request.url.rstrip('/')}/{quote(value, safe='')}")


def _with_header(request: Request, name: str, value: str) -> Request:
    return replace(request, headers=(*request.headers, (name, value)))
