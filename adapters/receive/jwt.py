"""JSON Web Tokens (RFC 7519) as proof of a request: in a header, in the body, or as the body."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import jiter

from adapters.expressions.environment import Closure
from adapters.outcomes import Verified
from adapters.receive.body_path import BodyPath
from adapters.receive.incoming import Incoming
from adapters.receive.keys import JWS_ALGORITHMS, KeySet, any_verifies
from adapters.receive.known import KeysWanted
from adapters.receive.secrets import SharedSecret, key_bytes, usable
from adapters.receive.signature import Mismatch, decode, once, texts_at

MAX_TOKENS = 100
MAX_TOKEN = 64 * 1024
HMAC_ALGORITHMS = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
_COMPACT = re.compile(r"([0-9A-Za-z_-]+)\.([0-9A-Za-z_-]+)\.([0-9A-Za-z_-]+)")


@dataclass(frozen=True, slots=True)
class Token:
    """A compact JWS taken apart, not verified."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes

    @property
    def algorithm(self) -> Any:
        return self.header.get("alg")


def parse(written: str) -> Token:
    """Take a token apart; raises `Mismatch`."""
    pieces = _COMPACT.fullmatch(written)
    if pieces is None:
        raise Mismatch("the token is not three pieces of base64url between dots")
    header, claims = (_object(pieces[number], name) for number, name in ((1, "header"), (2, "claims")))
    if "crit" in header:
        raise Mismatch("the token's header has crit, and none of its extensions are understood")
    signature = decode(pieces[3], "base64url")
    if signature is None:
        raise Mismatch("the token's signature is not base64url")
    return Token(header, claims, f"{pieces[1]}.{pieces[2]}".encode(), signature)


def _object(piece: str, name: str) -> dict[str, Any]:
    octets = decode(piece, "base64url")
    try:
        value = None if octets is None else jiter.from_json(octets, catch_duplicate_keys=True)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Mismatch(f"the token's {name} is not a JSON object")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Jwt:
    """`jwt`: every token found must be signed by one of the keys and claim what is expected.

    `place`, and `where` for a header or `path` for the body, say where tokens are; `claims` give the values
    allowed for each further claim.
    """

    place: Literal["bearer", "header", "body", "body_path"]
    where: str = ""
    path: BodyPath | None = None
    prefix: str = ""
    algorithms: tuple[str, ...]
    jwks_url: str | None = None
    key_set: KeySet | None = None
    secrets: tuple[SharedSecret, ...] = ()
    secret_encoding: str
    issuers: tuple[Closure, ...] = ()
    audiences: tuple[Closure, ...] = ()
    claims: Mapping[str, tuple[Closure, ...]]
    body_digest_claim: str | None = None
    needs_expiry: bool
    tolerance: int
    preset: str | None = None

    def verify(self, sent: Incoming) -> Verified:
        found = self._tokens(sent)
        if not found:
            raise Mismatch("no token was sent")
        if len(found) > MAX_TOKENS:
            raise Mismatch(f"more than {MAX_TOKENS} tokens were sent")
        verified = [self._verified(written, sent) for written in found]
        return verified[0]

    def _tokens(self, sent: Incoming) -> list[str]:
        if self.place == "body":
            written = sent.request.body.decode("ascii", "replace")
            # Some senders wrap the token in quotation marks, which makes it a JSON text.
            quoted = len(written) > 1 and written[0] == written[-1] == '"'
            return [written[1:-1] if quoted else written]
        if self.place == "body_path":
            assert self.path is not None
            return texts_at(self.path, sent)
        name = "authorization" if self.place == "bearer" else self.where
        value = once(sent.headers.get(name, ()), f"header {name}").strip()
        if self.place == "bearer":
            scheme, _, value = value.partition(" ")
            if scheme.lower() != "bearer":
                raise Mismatch("the authorization is not Bearer")
            return [value.strip()]
        if not value.startswith(self.prefix):
            raise Mismatch("the token does not have its prefix")
        return [value[len(self.prefix) :].strip()]

    def _verified(self, written: str, sent: Incoming) -> Verified:
        if self.place != "body" and len(written) > MAX_TOKEN:
            raise Mismatch("the token is too long")
        token = parse(written)
        if token.algorithm not in self.algorithms:
            raise Mismatch(f"the token's algorithm is {str(token.algorithm)[:20]!r}")
        index, key = self._signer(token, sent)
        self._check_times(token.claims, sent.now)
        self._check_claims(token.claims, sent)
        return Verified(method="jwt", key_index=index, preset=self.preset, key_id=key)

    def _signer(self, token: Token, sent: Incoming) -> tuple[int, str | None]:
        """Which key signed the token, and its id."""
        algorithm = str(token.algorithm)
        if algorithm in HMAC_ALGORITHMS:
            for index, secret in usable(self.secrets, sent):
                key = key_bytes(secret, self.secret_encoding)
                if key is None:
                    raise Mismatch(f"the secret is not {self.secret_encoding}")
                expected = hmac.digest(key, token.signed, HMAC_ALGORITHMS[algorithm])
                if hmac.compare_digest(expected, token.signature):
                    return index, None
            raise Mismatch("the token's signature does not match")
        kid = token.header.get("kid")
        candidates = self._keys(sent).candidates(kid if isinstance(kid, str) else None, algorithm)
        if not candidates:
            if self.jwks_url is not None:
                raise KeysWanted(self.jwks_url, "the token names a key that is not in the key set")
            raise Mismatch("the token names a key that is not in the key set")
        found = any_verifies(JWS_ALGORITHMS[algorithm], candidates, token.signature, token.signed)
        if found is None:
            raise Mismatch("the token's signature does not match")
        return found, candidates[found].id

    def _keys(self, sent: Incoming) -> KeySet:
        if self.key_set is not None:
            return self.key_set
        known = sent.known.key_sets.get(self.jwks_url or "")
        if known is None:
            raise KeysWanted(self.jwks_url or "", "the key set was not fetched yet")
        return known

    def _check_times(self, claims: Mapping[str, Any], now: datetime) -> None:
        moment = now.timestamp()
        for name in ("exp", "nbf", "iat"):
            value = claims.get(name)
            if value is None:
                continue
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                raise Mismatch(f"the token's {name} is not a time")
            late = moment - self.tolerance >= value if name == "exp" else moment + self.tolerance < value
            if late:
                state = "expired" if name == "exp" else "is not valid yet"
                raise Mismatch(f"the token {state} ({name}, {abs(moment - value):.0f} s away)")
        if self.needs_expiry and "exp" not in claims:
            raise Mismatch("the token has no exp")

    def _check_claims(self, claims: Mapping[str, Any], sent: Incoming) -> None:
        if self.issuers and not _allowed(claims.get("iss"), self.issuers, sent):
            raise Mismatch("the token is of another issuer")
        if self.audiences:
            meant = claims.get("aud")
            meant_for = meant if isinstance(meant, list) else [meant]
            if not any(_allowed(one, self.audiences, sent) for one in meant_for):
                raise Mismatch("the token is for another audience")
        for name, allowed in self.claims.items():
            if not _allowed(claims.get(name), allowed, sent):
                raise Mismatch(f"the token's claim {name} is not what is expected")
        if self.body_digest_claim is not None:
            written = claims.get(self.body_digest_claim)
            digest = hashlib.sha256(sent.request.body).digest()
            spellings = (digest.hex(), base64.b64encode(digest).decode())
            url_safe = base64.urlsafe_b64encode(digest).decode()
            if written not in (*spellings, url_safe, url_safe.rstrip("=")):
                raise Mismatch(f"the token's {self.body_digest_claim} is not the digest of this body")


def _allowed(found: Any, allowed: tuple[Closure, ...], sent: Incoming) -> bool:
    """Whether a claim has one of the values; nothing is never allowed, and true is not 1."""
    if found is None:
        return False
    values = (one(sent.scope) for one in allowed)
    return any(type(found) is type(value) and found == value for value in values)
