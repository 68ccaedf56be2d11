"""What shadow mappings would have done differently: counts for each pair of revisions, and some samples."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

MOST_SAMPLES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """`counts` are statements that are same, different, missing (in the shadow) or extra, and `failed`
    events.
    """

    adapter: str
    active: str
    shadow: str
    counts: Mapping[str, int]
    samples: Sequence[Mapping[str, Any]]
    since: dt.datetime
    last: dt.datetime


class Shadows:
    """The `shadows` collection of one store: a document for each pair of revisions."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["shadows"]

    async def count(
        self,
        pair: tuple[str, str, str],
        counts: Mapping[str, int],
        samples: Sequence[Mapping[str, Any]],
        now: dt.datetime,
    ) -> None:
        """Add to the counts of (adapter, active revision, shadow revision); the first samples are kept."""
        adapter, active, shadow = pair
        update: dict[str, Any] = {
            "$setOnInsert": {"adapter": adapter, "active": active, "shadow": shadow, "since": now},
            "$inc": {f"counts.{name}": number for name, number in counts.items() if number},
            "$max": {"last": now},
        }
        if not update["$inc"]:
            del update["$inc"]
        if samples:
            update["$push"] = {"samples": {"$each": [dict(one) for one in samples], "$slice": MOST_SAMPLES}}
        which = {"_id": f"{adapter}:{active}:{shadow}"}
        try:
            await self._collection.update_one(which, update, upsert=True)
        except DuplicateKeyError:  # two upserts at once: now it is there
            await self._collection.update_one(which, update)

    async def of(self, adapter: str, *, limit: int = 10) -> list[ShadowReport]:
        """The reports of an adapter, the latest first."""
        rows = self._collection.find({"adapter": adapter}).sort("last", -1).limit(limit)
        return [
            ShadowReport(
                adapter=row["adapter"],
                active=row["active"],
                shadow=row["shadow"],
                counts=row.get("counts", {}),
                samples=row.get("samples", []),
                since=row["since"],
                last=row["last"],
            )
            async for row in rows
        ]
