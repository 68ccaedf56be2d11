"""Deliveries by adapter and hour: counted from the deliveries themselves, kept when those are gone.

What is counted from stored deliveries always balances, whatever was killed in between. Requests that were
never stored (refused ones, handshakes) are added up by each process and may lack its last seconds.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from gateway.store.delivery_records import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """One adapter in one hour. `states` counts deliveries, `events` what became of the events in them."""

    adapter: str
    hour: dt.datetime
    deliveries: int
    duplicates: int
    conflicts: int
    states: Mapping[State, int]
    events: Mapping[State, int]
    statements: int
    unstored: Mapping[str, int]


class DeliveryHours:
    """The `delivery_hours` collection of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._deliveries = database["deliveries"]
        self._collection = database["delivery_hours"]

    async def freeze(self, since: dt.datetime, until: dt.datetime) -> None:
        """Keep the counts of the deliveries received in these hours, in place of what was kept before."""
        pipeline = [*_counting(since, until), {"$merge": {"into": "delivery_hours", "on": "_id"}}]
        async for _ in await self._deliveries.aggregate(pipeline):
            pass

    async def frozen_until(self) -> dt.datetime | None:
        """The end of the latest hour that was kept."""
        query = self._collection.find({"deliveries": {"$exists": True}}, {"_id": 1})
        async for row in query.sort("_id.hour", -1).limit(1):
            hour: dt.datetime = row["_id"]["hour"]
            return hour + dt.timedelta(hours=1)
        return None

    async def oldest(self) -> dt.datetime | None:
        """When the oldest delivery that is still there was received."""
        async for row in self._deliveries.find({}, {"received": 1}).sort("received", 1).limit(1):
            received: dt.datetime = row["received"]
            return received
        return None

    async def add_unstored(self, counts: Mapping[tuple[str, dt.datetime, str], int]) -> None:
        """Add requests that were not stored: (adapter, hour, what became of them)."""
        writes = [
            UpdateOne(
                {"_id": {"adapter": adapter, "hour": hour}},
                {"$inc": {f"unstored.{outcome}": count}},
                upsert=True,
            )
            for (adapter, hour, outcome), count in counts.items()
        ]
        if writes:
            await self._collection.bulk_write(writes, ordered=False)

    async def between(
        self, since: dt.datetime, live_from: dt.datetime, until: dt.datetime, adapter: str | None
    ) -> list[Hour]:
        """The hours from `since` to `until`, oldest first: kept ones, and from `live_from` on counted now."""
        match: dict[str, Any] = {"_id.hour": {"$gte": since, "$lt": until}}
        if adapter is not None:
            match["_id.adapter"] = adapter
        rows = {_key(row): row async for row in self._collection.find(match)}
        live = max(since, live_from)
        if live < until:
            counting = _counting(live, until, adapter)
            async for row in await self._deliveries.aggregate(counting):
                rows[_key(row)] = rows.get(_key(row), {}) | row
        return [_hour(rows[key]) for key in sorted(rows)]

    async def last_received(self, adapter: str) -> dt.datetime | None:
        """When the adapter's latest delivery came, to the hour if it is not there any more."""
        newest = self._deliveries.find({"adapter": adapter}, {"received": 1}).sort("received", -1).limit(1)
        async for row in newest:
            received: dt.datetime = row["received"]
            return received
        kept = self._collection.find({"_id.adapter": adapter, "deliveries": {"$gt": 0}}, {"_id": 1})
        async for row in kept.sort("_id.hour", -1).limit(1):
            hour: dt.datetime = row["_id"]["hour"]
            return hour
        return None


def _key(row: Mapping[str, Any]) -> tuple[dt.datetime, str]:
    return row["_id"]["hour"], row["_id"]["adapter"]


def _counting(since: dt.datetime, until: dt.datetime, adapter: str | None = None) -> Sequence[dict[str, Any]]:
    match: dict[str, Any] = {"received": {"$gte": since, "$lt": until}}
    if adapter is not None:
        match["adapter"] = adapter
    outcomes = {"$ifNull": ["$outcomes", []]}
    in_state = {
        state: {"$size": {"$filter": {"input": outcomes, "cond": {"$eq": ["$$this.state", state]}}}}
        for state in State
    }
    ids = {"$sum": {"$map": {"input": outcomes, "in": {"$size": {"$ifNull": ["$$this.statements", []]}}}}}
    return [
        {"$match": match},
        {
            "$group": {
                "_id": {"adapter": "$adapter", "hour": {"$dateTrunc": {"date": "$received", "unit": "hour"}}},
                "deliveries": {"$sum": 1},
                "duplicates": {"$sum": "$duplicates"},
                "conflicts": {"$sum": {"$cond": ["$conflict", 1, 0]}},
                **{f"state_{one}": {"$sum": {"$cond": [{"$eq": ["$state", one]}, 1, 0]}} for one in State},
                **{f"event_{one}": {"$sum": counted} for one, counted in in_state.items()},
                "statements": {"$sum": ids},
            }
        },
    ]


def _hour(row: Mapping[str, Any]) -> Hour:
    return Hour(
        adapter=row["_id"]["adapter"],
        hour=row["_id"]["hour"],
        deliveries=row.get("deliveries", 0),
        duplicates=row.get("duplicates", 0),
        conflicts=row.get("conflicts", 0),
        states={state: row.get(f"state_{state}", 0) for state in State},
        events={state: row.get(f"event_{state}", 0) for state in State},
        statements=row.get("statements", 0),
        unstored=row.get("unstored", {}),
    )
