"""Credentials: who may do what, in which store. Secrets are kept only as salted hashes."""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from secrets import token_bytes
from typing import Any

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from gateway.store.row_filters import RowFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One key. `store` is what it opens, `owner` who answers for it, `purpose` what it is used for; `rows`
    limit which statements it reads.
    """

    key: str
    name: str
    store: str
    scopes: tuple[str, ...]
    owner: str | None = None
    purpose: str | None = None
    rows: RowFilter | None = None
    created: dt.datetime
    revoked: dt.datetime | None = None
    last_used: dt.datetime | None = None


class Credentials:
    """The `credentials` collection; it lives in the default store and covers all stores."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["credentials"]

    async def create(self, credential: Credential, secret: str) -> bool:
        """Store a new credential; False if its key is taken."""
        salt = token_bytes(16)
        document = _document(credential) | {"salt": salt, "hash": _digest(secret, salt)}
        try:
            await self._collection.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    async def authenticate(self, key: str, secret: str) -> Credential | None:
        """The credential that `key` and `secret` name together, unless it was revoked.

        Secrets are random, so a salted hash is as strong as a slow one, and cheap enough for every request.
        """
        row = await self._collection.find_one({"_id": key})
        # An unknown key costs the same hash as a known one.
        salt, expected = (row["salt"], row["hash"]) if row else (b"\0" * 16, b"\0" * 32)
        matches = hmac.compare_digest(_digest(secret, salt), expected)
        return _credential(row) if row and matches and row.get("revoked") is None else None

    async def rotate(self, key: str, secret: str) -> Credential | None:
        """Replace the secret; None if there is no such credential that still counts."""
        salt = token_bytes(16)
        row = await self._collection.find_one_and_update(
            {"_id": key, "revoked": None},
            {"$set": {"salt": salt, "hash": _digest(secret, salt)}},
            return_document=ReturnDocument.AFTER,
        )
        return _credential(row) if row else None

    async def revoke(self, key: str, now: dt.datetime) -> Credential | None:
        """End a credential for good; None if there is none by that key. Revoking twice changes nothing."""
        await self._collection.update_one({"_id": key, "revoked": None}, {"$set": {"revoked": now}})
        row = await self._collection.find_one({"_id": key})
        return _credential(row) if row else None

    async def used(self, keys: Sequence[str], now: dt.datetime) -> None:
        """Note that these credentials were used; called now and then, not on every request."""
        if keys:
            await self._collection.update_many({"_id": {"$in": list(keys)}}, {"$max": {"last_used": now}})

    async def get(self, key: str) -> Credential | None:
        row = await self._collection.find_one({"_id": key})
        return _credential(row) if row else None

    async def list(self) -> list[Credential]:
        """All credentials, revoked ones included, oldest first."""
        return [_credential(row) async for row in self._collection.find().sort([("created", 1), ("_id", 1)])]


def _digest(secret: str, salt: bytes) -> bytes:
    return blake2b(secret.encode(), salt=salt, digest_size=32, person=b"xapi-credential").digest()


def _document(credential: Credential) -> dict[str, Any]:
    return {
        "_id": credential.key,
        "name": credential.name,
        "store": credential.store,
        "scopes": list(credential.scopes),
        "owner": credential.owner,
        "purpose": credential.purpose,
        "rows": credential.rows.document() if credential.rows else None,
        "created": credential.created,
        "revoked": credential.revoked,
    }


def _credential(row: dict[str, Any]) -> Credential:
    credential = Credential(
        key=row["_id"],
        name=row["name"],
        store=row["store"],
        scopes=tuple(row["scopes"]),
        owner=row.get("owner"),
        purpose=row.get("purpose"),
        rows=RowFilter.of(row["rows"]) if row.get("rows") else None,
        created=row["created"],
        revoked=row.get("revoked"),
    )
    return replace(credential, last_used=row.get("last_used"))
