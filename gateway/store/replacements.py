"""Which statement stands in the place of one that a replay replaced. Statements never change: the old one is
voided, the new one has an id of its own, and this is how a later replay finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from pymongo import UpdateOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError

from gateway.store.inserting import DUPLICATE_KEY
from gateway.store.transactions import Contended, Transaction


class Replacements:
    """The `replacements` collection of one store: the id that a mapping gives, and the one that stands."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["replacements"]

    async def stand(
        self, replaced: Mapping[UUID, tuple[UUID, UUID]], transaction: Transaction | None = None
    ) -> None:
        """Let another statement stand for each id: (the one that stood, the one that stands from now on).

        Raises Contended if another one stood meanwhile.
        """
        writes = [
            UpdateOne(
                {"_id": base, "standing": {"$exists": False} if before == base else before},
                {"$set": {"standing": after}, "$push": {"chain": before}},
                upsert=before == base,
            )
            for base, (before, after) in replaced.items()
        ]
        try:
            result = await self._collection.bulk_write(writes, session=transaction)
        except BulkWriteError as error:
            if any(one["code"] == DUPLICATE_KEY for one in error.details.get("writeErrors", ())):
                raise Contended from error
            raise
        if result.matched_count + result.upserted_count != len(writes):
            raise Contended

    async def standing(self, ids: Iterable[UUID]) -> dict[UUID, UUID]:
        """The statement that stands, for those of these ids that were replaced."""
        rows = self._collection.find({"_id": {"$in": list(ids)}}, {"standing": 1})
        return {row["_id"]: row["standing"] async for row in rows}
