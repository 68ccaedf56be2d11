"""Small numbers for things that have longer names: some clients keep ids in columns of integers."""

from __future__ import annotations

from typing import Any

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError


class Numbers:
    """The `numbers` collection of one store. A number is given once, and never to anything else."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["numbers"]
        self._counters = database["number_counters"]

    async def of(self, kind: str, name: str) -> int:
        """The number of a thing, counted from 1 for each kind; new if it has none."""
        identity = {"kind": kind, "name": name}
        while True:
            row = await self._collection.find_one({"_id": identity})
            if row is not None:
                return int(row["number"])
            counter = await self._counters.find_one_and_update(
                {"_id": kind}, {"$inc": {"last": 1}}, upsert=True, return_document=ReturnDocument.AFTER
            )
            assert counter is not None, "it was made if need be"
            try:
                await self._collection.insert_one({"_id": identity, "kind": kind, "number": counter["last"]})
            except DuplicateKeyError:
                continue  # Somebody else numbered it at the same time.

    async def name(self, kind: str, number: int) -> str | None:
        """What has this number; None if nothing has."""
        row = await self._collection.find_one({"kind": kind, "number": number})
        return None if row is None else str(row["_id"]["name"])

    async def forget(self, kind: str, number: int) -> None:
        """Let a number lead nowhere."""
        await self._collection.delete_one({"kind": kind, "number": number})
