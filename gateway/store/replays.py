"""Replays: which deliveries somebody had mapped again, how and when. Their progress is counted in
`deliveries`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pymongo.asynchronous.database import AsyncDatabase

_KEPT_FOR = dt.timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReplay:
    """One replay; `which` is its filter as people read it. `deliveries` is None while they are being
    marked.
    """

    id: UUID
    started: dt.datetime
    by: str
    which: Mapping[str, Any]
    options: Mapping[str, Any]
    deliveries: int | None = None


class Replays:
    """The `replays` collection of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["replays"]

    async def start(self, replay: StoredReplay) -> None:
        await self._collection.insert_one(
            {
                "_id": replay.id,
                "started": replay.started,
                "by": replay.by,
                "which": dict(replay.which),
                "options": dict(replay.options),
                "expires": replay.started + _KEPT_FOR,
            }
        )

    async def marked(self, replay: UUID, deliveries: int) -> None:
        """All deliveries of a replay are marked; how many there are."""
        await self._collection.update_one({"_id": replay}, {"$set": {"deliveries": deliveries}})

    async def get(self, replay: UUID) -> StoredReplay | None:
        row = await self._collection.find_one({"_id": replay})
        return _replay(row) if row else None

    async def list(self, *, limit: int) -> list[StoredReplay]:
        """The latest replays first."""
        rows = self._collection.find().sort([("started", -1), ("_id", 1)]).limit(limit)
        return [_replay(row) async for row in rows]


def _replay(row: Mapping[str, Any]) -> StoredReplay:
    return StoredReplay(
        id=row["_id"],
        started=row["started"],
        by=row["by"],
        which=row["which"],
        options=row["options"],
        deliveries=row.get("deliveries"),
    )
