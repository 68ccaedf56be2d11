"""What a Google service account signs to get an access token (RFC 7523). Pure: the clock is an argument."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_LIVES = 3600  # seconds, the longest that Google accepts


class NoServiceAccount(Exception):
    """A text is no key of a service account; the message says what is wrong with it, and shows none of it."""


def assertion(key: str, *, audience: str, scope: str, subject: str | None, now: int) -> str:
    """The signed assertion of the account whose key file this is, on behalf of a `subject` if there is one.

    `now` is in seconds since 1970. Raises NoServiceAccount.
    """
    account = _account(key)
    claims: dict[str, Any] = {
        "iss": account["client_email"],
        "scope": scope,
        "aud": audience,
        "iat": now,
        "exp": now + _LIVES,
    }
    if subject is not None:
        claims["sub"] = subject
    header = {"alg": "RS256", "typ": "JWT"}
    if isinstance(account.get("private_key_id"), str):
        header["kid"] = account["private_key_id"]
    signed = f"{_part(header)}.{_part(claims)}"
    signature = _private(account["private_key"]).sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{_base64url(signature)}"


def _account(key: str) -> dict[str, Any]:
    try:
        found = json.loads(key)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise NoServiceAccount("is not the JSON key file of a service account")
    for name in ("client_email", "private_key"):
        if not isinstance(found.get(name), str):
            raise NoServiceAccount(f"is not the JSON key file of a service account: it has no {name}")
    return found


def _private(pem: str) -> rsa.RSAPrivateKey:
    try:
        found = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise NoServiceAccount("has a private_key that is not PEM") from None
    if not isinstance(found, rsa.RSAPrivateKey):
        raise NoServiceAccount("has a private_key that is not RSA")
    return found


def _part(value: dict[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")
