"""ID tokens: who signed in, said by an identity provider and signed with its key. Performs no I/O.

OpenID Connect Core 1.0, 3.1.3.7. What proves nothing is a `Mismatch`, whose text is for our own log.
"""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.receive.jwt import MAX_TOKEN, parse
from adapters.receive.keys import JWS_ALGORITHMS, KeySet, any_verifies
from adapters.receive.signature import Mismatch

# Only what needs the provider's private key: with `none` or an HMAC anybody could sign.
ALGORITHMS: Final = frozenset(JWS_ALGORITHMS)
TOLERANCE = 60.0  # seconds that clocks may differ
_LONGEST_SUBJECT = 255


class UnknownKey(Exception):
    """The token names a key that is not in the key set: it may be newer than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a token has to say: who made it, for whom, for which sign-in, and that it was made since
    `not_before`.
    """

    issuer: str
    client_id: str
    nonce: str
    not_before: dt.datetime


def verified(written: str, keys: KeySet, expected: Expected, now: dt.datetime) -> Mapping[str, Any]:
    """The claims of a token that proves who signed in; raises Mismatch, or UnknownKey."""
    if len(written) > MAX_TOKEN:
        raise Mismatch("the token is too long")
    token = parse(written)
    algorithm = token.algorithm
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise Mismatch(f"the token's algorithm is {str(algorithm)[:20]!r}")
    kid = token.header.get("kid")
    candidates = keys.candidates(kid if isinstance(kid, str) else None, algorithm)
    if not candidates:
        raise UnknownKey("the token names a key that is not in the key set")
    if any_verifies(JWS_ALGORITHMS[algorithm], candidates, token.signature, token.signed) is None:
        # A provider that gives its keys no ids, or the same one twice, may have a new key as well.
        raise UnknownKey("the token's signature does not match")
    _check(token.claims, expected, now)
    return token.claims


def _check(claims: Mapping[str, Any], expected: Expected, now: dt.datetime) -> None:
    if claims.get("iss") != expected.issuer:
        raise Mismatch("the token is of another issuer")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in audiences:
        raise Mismatch("the token is for another client")
    party = claims.get("azp")
    if (len(audiences) > 1 or party is not None) and party != expected.client_id:
        raise Mismatch("the token was made for another party (azp)")
    moment = now.timestamp()
    if _time(claims, "exp") <= moment - TOLERANCE:
        raise Mismatch("the token expired")
    issued = _time(claims, "iat")
    if issued > moment + TOLERANCE or issued < expected.not_before.timestamp() - TOLERANCE:
        raise Mismatch("the token was not made for this sign-in (iat)")
    if "nbf" in claims and _time(claims, "nbf") > moment + TOLERANCE:
        raise Mismatch("the token is not valid yet")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise Mismatch("the token was not made for this sign-in (nonce)")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
        raise Mismatch("the token does not say who signed in (sub)")


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise Mismatch(f"the token's {name} is not a time")
    return float(value)
