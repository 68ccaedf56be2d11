"""What mappings remember of events: small facts that later events ask for, kept for a while.

A fact is known by a keyed hash of adapter, set and key, and by the time since when it holds, so that an
event is told what held at its own time, however late or in which order events arrive.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import ReplaceOne
from pymongo.asynchronous.database import AsyncDatabase

from gateway.store.inserting import insert_new


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFact:
    """A fact about `of` that holds since `at` (microseconds); `value` is JSON text."""

    of: str
    at: int
    value: str
    expires: dt.datetime


class Facts:
    """The `facts` collection of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["facts"]

    async def put(self, facts: Sequence[StoredFact]) -> None:
        """Store facts; the same one again changes nothing, of the same time the last one counts."""
        last = {f"{fact.of}:{fact.at}": fact for fact in facts}
        documents = [
            {"_id": key, "of": one.of, "at": one.at, "value": one.value, "expires": one.expires}
            for key, one in last.items()
        ]
        # Nearly all of them are new, and inserting costs the server a fraction of what replacing does.
        known = await insert_new(self._collection, documents) if documents else []
        again = [documents[index] for index in known]
        if again:
            writes = [ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in again]
            await self._collection.bulk_write(writes, ordered=False)

    async def find(
        self, wanted: Sequence[tuple[str, int | None]]
    ) -> dict[tuple[str, int | None], StoredFact]:
        """For each (of, at) the fact that held then, for (of, None) the newest one, if there is one."""
        distinct = list(dict.fromkeys(wanted))
        found = await asyncio.gather(*(self._one(of, at) for of, at in distinct))
        return {key: fact for key, fact in zip(distinct, found, strict=True) if fact is not None}

    async def known(self, subjects: Sequence[str]) -> list[str]:
        """What something is known about, of these."""
        found: list[str] = await self._collection.distinct("of", {"of": {"$in": list(subjects)}})
        return found

    async def _one(self, of: str, at: int | None) -> StoredFact | None:
        condition: dict[str, Any] = {"of": of} if at is None else {"of": of, "at": {"$lte": at}}
        row = await self._collection.find_one(condition, sort=[("at", -1)])
        if row is None:
            return None
        return StoredFact(of=row["of"], at=row["at"], value=row["value"], expires=row["expires"])
