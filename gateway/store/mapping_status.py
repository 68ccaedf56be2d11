"""What each process runs, and the wish that all of them read their mappings again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase

_WISH = "reload"
_SEEN_WITHIN = dt.timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStatus:
    """One gateway process: the last wish it followed, and its adapters as JSON objects."""

    id: UUID
    host: str
    pid: int
    generation: int
    adapters: Sequence[Mapping[str, Any]]
    seen: dt.datetime


class MappingStatus:
    """The `mapping_status` collection of the default store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["mapping_status"]

    async def wish(self) -> int:
        """Wish that every process reads its mappings again; the number of the wish."""
        row = await self._collection.find_one_and_update(
            {"_id": _WISH}, {"$inc": {"generation": 1}}, upsert=True, return_document=ReturnDocument.AFTER
        )
        assert row is not None, "an upsert that returns the new document has one"
        return int(row["generation"])

    async def wished(self) -> int:
        """The number of the last wish, 0 before the first one."""
        row = await self._collection.find_one({"_id": _WISH})
        return int(row["generation"]) if row else 0

    async def tell(self, status: ProcessStatus) -> None:
        """Say what a process runs; said again every few seconds, or it is taken for gone."""
        await self._collection.replace_one(
            {"_id": status.id},
            {
                "host": status.host,
                "pid": status.pid,
                "generation": status.generation,
                "adapters": [dict(one) for one in status.adapters],
                "seen": status.seen,
            },
            upsert=True,
        )

    async def leave(self, process: UUID) -> None:
        """Forget a process that ends."""
        await self._collection.delete_one({"_id": process})

    async def processes(self, now: dt.datetime) -> list[ProcessStatus]:
        """The processes that were heard of lately."""
        rows = self._collection.find({"seen": {"$gte": now - _SEEN_WITHIN}}).sort("seen", 1)
        return [
            ProcessStatus(
                id=row["_id"],
                host=row["host"],
                pid=row["pid"],
                generation=row["generation"],
                adapters=row["adapters"],
                seen=row["seen"],
            )
            async for row in rows
        ]
