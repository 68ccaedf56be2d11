"""The directory: whom and what vendors mean. People by what vendors call them, entries of other sets by key.

The `_id` is a keyed hash of set, kind and value, so that what waits for somebody can say so without naming
them. Whatever a mapping wants to know is one query by `_id`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import ReplaceOne, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

_TOGETHER = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryEntry:
    """One entry. People have an `account` (and a `home_page` if it is not the mapping's), other sets
    `fields`, a JSON object as text. `source` is import, api or learned.
    """

    id: str
    set: str
    kind: str
    value: str
    account: str | None = None
    home_page: str | None = None
    fields: str | None = None
    source: str
    updated: dt.datetime

    def document(self) -> dict[str, Any]:
        optional = {"account": self.account, "home_page": self.home_page, "fields": self.fields}
        return {
            "_id": self.id,
            "set": self.set,
            "kind": self.kind,
            "value": self.value,
            **{key: value for key, value in optional.items() if value is not None},
            "source": self.source,
            "updated": self.updated,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFilter:
    """Which entries are meant; nothing given means all."""

    set: str | None = None
    kind: str | None = None
    value: str | None = None
    account: str | None = None

    def condition(self) -> dict[str, Any]:
        """The filter in MongoDB's words."""
        wanted = {"set": self.set, "kind": self.kind, "value": self.value, "account": self.account}
        return {key: value for key, value in wanted.items() if value is not None}


class Directory:
    """The `directory` collection of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["directory"]

    # -- commands ----------------------------------------------------------------------------------------

    async def put(self, entries: Sequence[DirectoryEntry]) -> int:
        """Store entries, in the place of those that are there; how many were not."""
        if not entries:
            return 0
        # Of one entry given twice the last one counts, as it would one after the other.
        last = {entry.id: entry for entry in entries}
        writes = [ReplaceOne({"_id": one.id}, one.document(), upsert=True) for one in last.values()]
        return (await self._collection.bulk_write(writes, ordered=False)).upserted_count

    async def learn(self, entries: Sequence[DirectoryEntry]) -> int:
        """Store entries that are not there; what somebody imported is never changed. How many were new."""
        last = {entry.id: entry for entry in entries}
        writes = [
            UpdateOne({"_id": one.id}, {"$setOnInsert": one.document()}, upsert=True) for one in last.values()
        ]
        return (await self._collection.bulk_write(writes, ordered=False)).upserted_count if writes else 0

    async def remove(self, which: EntryFilter) -> int:
        """Delete entries; how many there were."""
        return (await self._collection.delete_many(which.condition())).deleted_count

    # -- queries -----------------------------------------------------------------------------------------

    async def find(self, ids: Iterable[str]) -> dict[str, DirectoryEntry]:
        """The entries with these ids that are there."""
        wanted = list(dict.fromkeys(ids))
        found: dict[str, DirectoryEntry] = {}
        for start in range(0, len(wanted), _TOGETHER):
            rows = self._collection.find({"_id": {"$in": wanted[start : start + _TOGETHER]}})
            found |= {row["_id"]: _entry(row) async for row in rows}
        return found

    async def list(
        self, which: EntryFilter, *, limit: int, after: tuple[str, str, str] | None = None
    ) -> list[DirectoryEntry]:
        """Entries in the order of set, kind and value; `after` is that of the last one of the page before."""
        return [entry async for entry in self._each(which, after, limit)]

    async def _each(
        self, which: EntryFilter, after: tuple[str, str, str] | None, limit: int
    ) -> AsyncIterator[DirectoryEntry]:
        conditions: list[dict[str, Any]] = [which.condition()]
        if after is not None:
            of, kind, value = after
            conditions.append({"set": {"$gte": of}})
            conditions.append(
                {
                    "$or": [
                        {"set": {"$gt": of}},
                        {"set": of, "kind": {"$gt": kind}},
                        {"set": of, "kind": kind, "value": {"$gt": value}},
                    ]
                }
            )
        rows = self._collection.find({"$and": conditions})
        async for row in rows.sort([("set", 1), ("kind", 1), ("value", 1)]).limit(limit):
            yield _entry(row)

    async def counts(self) -> dict[str, int]:
        """How many entries each set has."""
        groups = await self._collection.aggregate([{"$group": {"_id": "$set", "count": {"$sum": 1}}}])
        return {row["_id"]: row["count"] async for row in groups}


def _entry(row: Mapping[str, Any]) -> DirectoryEntry:
    return DirectoryEntry(
        id=row["_id"],
        set=row["set"],
        kind=row["kind"],
        value=row["value"],
        account=row.get("account"),
        home_page=row.get("home_page"),
        fields=row.get("fields"),
        source=row["source"],
        updated=row["updated"],
    )
