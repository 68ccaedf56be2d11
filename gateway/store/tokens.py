"""Bearer tokens that clients got for their credentials: opaque, kept as hashes, gone when they expire."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a token stands for: a credential, narrowed to `scopes`, until `expires`."""

    key: str
    scopes: tuple[str, ...]
    expires: dt.datetime


class Tokens:
    """The `tokens` collection; it lives in the default store and covers all stores."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["tokens"]

    async def add(self, text: str, token: Token) -> None:
        """Remember a token by its hash; its text is random, so a plain hash gives nothing away."""
        await self._collection.insert_one(
            {"_id": _digest(text), "key": token.key, "scopes": list(token.scopes), "expires": token.expires}
        )

    async def find(self, text: str, now: dt.datetime) -> Token | None:
        """The token of this text, unless it expired."""
        row = await self._collection.find_one({"_id": _digest(text), "expires": {"$gt": now}})
        if row is None:
            return None
        return Token(key=row["key"], scopes=tuple(row["scopes"]), expires=row["expires"])


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()
