"""The first credential: an installation that has none gets one, and its secret is shown once."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from secrets import token_hex, token_urlsafe

from gateway.settings import Settings
from gateway.store.credentials import Credential, Credentials


@dataclass(frozen=True, slots=True)
class FirstCredential:
    """`secret` is None where it was made before and cannot be shown again."""

    key: str
    secret: str | None


def new_key() -> str:
    """A key that needs no quoting anywhere."""
    return token_hex(8)


def new_secret() -> str:
    """256 random bits."""
    return token_urlsafe(32)


async def bootstrap(settings: Settings, credentials: Credentials, now: dt.datetime) -> FirstCredential:
    """Make sure that the configured first credential works, or that there is any at all.

    A configured secret is authoritative: changing it changes the credential at the next start.
    """
    key, secret = settings.bootstrap.key, settings.bootstrap.secret
    if key is None and (present := await credentials.list()):
        return FirstCredential(present[0].key, None)
    plain = secret.reveal() if secret is not None else new_secret()
    credential = Credential(
        key=key or new_key(),
        name="First credential",
        store=settings.stores.default,
        scopes=("all",),
        purpose="made at the first start",
        created=now,
    )
    if await credentials.create(credential, plain):
        return FirstCredential(credential.key, plain)
    if secret is not None and await credentials.authenticate(credential.key, plain) is None:
        await credentials.rotate(credential.key, plain)
    return FirstCredential(credential.key, None)
