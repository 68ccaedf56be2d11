"""Signatures of outgoing webhooks, as Standard Webhooks 1.0.0 wants them. Pure, but for `new_secret`."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable
from secrets import token_bytes

_PREFIX = "whsec_"


def new_secret() -> str:
    """A secret of 256 bits, written as receivers take it."""
    return _PREFIX + base64.b64encode(token_bytes(32)).decode()


def secret_problem(text: str) -> str | None:
    """Why this is no secret that can sign, None if it is one."""
    key = _key(text)
    if key is None or not 24 <= len(key) <= 64:
        return "expected whsec_ and the base64 of 24 to 64 bytes"
    return None


def signature(secrets: Iterable[str], message: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header: one signature for each secret, the present one first."""
    signed = f"{message}.{timestamp}.".encode() + body
    made = (base64.b64encode(hmac.digest(_key(secret) or b"", signed, "sha256")) for secret in secrets)
    return " ".join(f"v1,{each.decode()}" for each in made)


def _key(text: str) -> bytes | None:
    try:
        return base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
