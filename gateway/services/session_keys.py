"""Secrets that stand for a session and are kept as hashes: launch links, fetch keys, AU tokens."""

from __future__ import annotations

import base64
from hashlib import blake2b
from secrets import token_urlsafe
from uuid import UUID


def new_secret() -> str:
    """264 random bits in 44 characters that need no quoting in a URL."""
    return token_urlsafe(33)


def secret_hash(secret: str) -> str:
    """What is stored of a secret. It is random, so that a plain hash is as strong as a slow one."""
    data = secret.encode(errors="surrogatepass")
    return blake2b(data, digest_size=32, person=b"cmi5-secret").hexdigest()


def auth_token(session: UUID, secret: str) -> str:
    """What an AU puts behind `Basic `: base64 of `<session id>:<secret>` (cmi5 8.2.2).

    With a secret of `new_secret` it is free of `+`, `/` and `=`, so that neither URL decoding nor a strict
    parser harms it: 36 + 1 + 44 bytes need no padding, and their alphabet never gives the other two.
    """
    return base64.b64encode(f"{session}:{secret}".encode()).decode()
