"""Random secrets that all processes of an installation share, made once and kept in the default store."""

from __future__ import annotations

from secrets import token_bytes
from typing import Any

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase

SIZE = 32  # bytes


async def shared_secret(database: AsyncDatabase[dict[str, Any]], name: str) -> bytes:
    """The secret of that name; the first process that asks makes it, and all others get the same one."""
    row = await database["secrets"].find_one_and_update(
        {"_id": name},
        {"$setOnInsert": {"secret": token_bytes(SIZE)}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    assert row is not None, "an upsert that returns the new document has one"
    return bytes(row["secret"])
