"""Mapping revisions by the hash of their text: what a statement was made with can be read, and used, for
ever.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """The texts of a mapping and its includes by file name, its own first. `used` is when it was loaded
    last.
    """

    revision: str
    adapter: str
    version: int
    file: str
    texts: Mapping[str, str]
    first: dt.datetime
    used: dt.datetime


class Revisions:
    """The `revisions` collection of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["revisions"]

    async def keep(self, revision: Revision) -> None:
        """Store a revision unless it is there, and note that it is used."""
        document = {
            "_id": revision.revision,
            "adapter": revision.adapter,
            "version": revision.version,
            "file": revision.file,
            "texts": [[name, text] for name, text in revision.texts.items()],
            "first": revision.first,
        }
        update = {"$setOnInsert": document, "$max": {"used": revision.used}}
        try:
            await self._collection.update_one({"_id": revision.revision}, update, upsert=True)
        except DuplicateKeyError:  # two upserts at once: the other one was first
            await self._collection.update_one({"_id": revision.revision}, {"$max": {"used": revision.used}})

    async def get(self, revision: str) -> Revision | None:
        row = await self._collection.find_one({"_id": revision})
        return _revision(row) if row else None

    async def of(self, adapter: str, *, limit: int = 100) -> list[Revision]:
        """The revisions of an adapter, the one that was used last first."""
        rows = self._collection.find({"adapter": adapter}).sort([("used", -1), ("_id", 1)]).limit(limit)
        return [_revision(row) async for row in rows]


def _revision(row: Mapping[str, Any]) -> Revision:
    return Revision(
        revision=row["_id"],
        adapter=row["adapter"],
        version=row["version"],
        file=row["file"],
        texts=dict(row["texts"]),
        first=row["first"],
        used=row["used"],
    )
