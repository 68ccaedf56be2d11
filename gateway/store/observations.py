"""What sources were seen to send: verbs, activity types and keys of extensions, with counts and an example.

The counts and the place up to which statements were looked at change in one transaction, so that each
statement counts once, whoever dies in between.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from pymongo import ASCENDING, ReturnDocument, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from gateway.store.indexes import statement_index
from gateway.store.transactions import Contended, Transaction, transact

_PROGRESS = "progress"
# What of a statement is looked at.
_PARTS = {
    "source": 1,
    "stored": 1,
    "statement.verb.id": 1,
    "statement.object": 1,
    "statement.context.contextActivities": 1,
    "statement.context.extensions": 1,
    "statement.result.extensions": 1,
}
# A source with more values of a kind than this is not described by a list of them.
MOST_VALUES = 300
FURTHER = ""  # the value that stands for all further ones


class Seen(NamedTuple):
    """A value of a kind (`verbs`, `types`, `extensions`) that a source sent."""

    source: str
    kind: str
    value: str


@dataclass(slots=True, kw_only=True)
class Tally:
    """How often, from when to when (µs), and a statement that holds it; `revision` is that of the mapping
    that made it, and `told` whether that mapping says that it makes such.
    """

    count: int
    first: int
    last: int
    example: UUID
    revision: str | None = None
    told: bool = False


class Place(NamedTuple):
    """Behind which statement of the stored order the next look begins."""

    stored: int
    id: UUID


class Row(NamedTuple):
    """As much of a stored statement as is looked at."""

    id: UUID
    stored: int
    source: Mapping[str, Any]
    statement: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One value and how it was seen; `stopped` is when somebody decided that it should not come any more.

    `told` is whether the mapping that made it first said so, whatever it says by now.
    """

    seen: Seen
    count: int
    first: dt.datetime
    last: dt.datetime
    example: UUID
    stopped: dt.datetime | None = None
    by: str | None = None
    told: bool = False


class Observations:
    """The `observations` collection of one store, and the progress of those who fill it."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._client = database.client
        self._statements = database["statements"]
        self._collection = database["observations"]
        self._progress = database["observing"]

    # -- looking

    async def claim(self, holder: UUID, now: dt.datetime, until: dt.datetime) -> Place | None:
        """Be the one who looks until then; where to begin, or None while somebody else looks."""
        free = {"$or": [{"holder": holder}, {"until": {"$lt": now}}]}
        try:
            row = await self._progress.find_one_and_update(
                {"_id": _PROGRESS, **free},
                {
                    "$set": {"holder": holder, "until": until},
                    "$setOnInsert": {"stored": 0, "id": UUID(int=0)},
                },
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:
            return None
        assert row is not None, "an upsert that returns the new document has one"
        return Place(int(row["stored"]), row["id"])

    async def release(self, holder: UUID) -> None:
        """Let somebody else look at once."""
        past = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        await self._progress.update_one({"_id": _PROGRESS, "holder": holder}, {"$set": {"until": past}})

    async def behind(self, place: Place, through: int, limit: int) -> list[Row]:
        """The statements behind a place that were stored until `through` (µs), in stored order."""
        begin: list[Any] = [("stored", place.stored), ("_id", place.id)]
        rows = (
            self._statements.find({"stored": {"$gte": place.stored, "$lte": through}}, _PARTS)
            .sort([("stored", ASCENDING), ("_id", ASCENDING)])
            .hint(statement_index(None))
            .min(begin)
            .limit(limit + 1)
        )
        found = [Row(row["_id"], int(row["stored"]), row["source"], row["statement"]) async for row in rows]
        return [row for row in found if (row.stored, row.id) != place][:limit]

    async def known(self, wanted: Sequence[Seen]) -> set[Seen]:
        """Those that were seen before."""
        rows = self._collection.find({"_id": {"$in": [one._asdict() for one in wanted]}}, {"_id": 1})
        return {Seen(**row["_id"]) async for row in rows}

    async def values_of(self, source: str, kind: str) -> int:
        """How many values of a kind a source was seen to send; counted up to `MOST_VALUES`."""
        return await self._collection.count_documents(
            {"_id.source": source, "_id.kind": kind}, limit=MOST_VALUES
        )

    async def add(self, tallies: Mapping[Seen, Tally], begin: Place, end: Place, holder: UUID) -> None:
        """Add what was seen between two places; raises Contended if somebody else did."""
        writes = [
            UpdateOne(
                {"_id": seen._asdict()},
                {
                    "$inc": {"count": tally.count},
                    "$min": {"first": _moment(tally.first)},
                    "$max": {"last": _moment(tally.last)},
                    "$setOnInsert": {
                        "example": tally.example,
                        "told": tally.told,
                        "stopped": None,
                        "by": None,
                    },
                },
                upsert=True,
            )
            for seen, tally in tallies.items()
        ]

        async def write(transaction: Transaction) -> None:
            moved = await self._progress.update_one(
                {"_id": _PROGRESS, "holder": holder, **begin._asdict()},
                {"$set": end._asdict()},
                session=transaction,
            )
            if not moved.matched_count:
                raise Contended
            if writes:
                await self._collection.bulk_write(writes, ordered=False, session=transaction)

        await transact(self._client, write)

    # -- reading and deciding

    async def list(self, source: str | None = None) -> list[Observation]:
        """What was seen of a source, or of all, by kind and value."""
        condition = {} if source is None else {"_id.source": source}
        rows = self._collection.find(condition).sort([("_id.source", 1), ("_id.kind", 1), ("_id.value", 1)])
        return [_observation(row) async for row in rows]

    async def stop(self, seen: Seen, now: dt.datetime, by: str) -> None:
        """Note that a value should not come any more."""
        await self._collection.update_one({"_id": seen._asdict()}, {"$set": {"stopped": now, "by": by}})


def _moment(micros: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(micros / 1_000_000, dt.UTC)


def _observation(row: Mapping[str, Any]) -> Observation:
    return Observation(
        seen=Seen(**row["_id"]),
        count=row["count"],
        first=row["first"],
        last=row["last"],
        example=row["example"],
        stopped=row["stopped"],
        by=row["by"],
        told=row.get("told", False),
    )
