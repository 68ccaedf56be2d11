"""Numbers about a whole store, for a page that people look at. None of them reads more than a bounded part.

A count stops at `ENOUGH`: whoever looks at a page wants to know whether there are three or thousands, and
counting on would cost more the more there are.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from gateway.store.connection import Client
from gateway.store.delivery_records import RESOLVED, State
from gateway.store.indexes import statement_index

ENOUGH = 10_000
UNSETTLED = tuple(state for state in State if state not in RESOLVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterCounts:
    """What came to one adapter: how many deliveries are kept, how many came within the last hour, when the
    last one did, and how many are unsettled by state.
    """

    kept: int
    last_hour: int
    last: dt.datetime | None
    unsettled: Mapping[State, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseCounts:
    registrations: int
    open_sessions: int


class Overview:
    """Counts over the collections of one store; every number up to `ENOUGH`."""

    def __init__(self, client: Client, database: str) -> None:
        self._client = client
        self._database = client[database]

    async def server_version(self) -> str:
        """The version of MongoDB."""
        return str((await self._client.server_info())["version"])

    async def server_time(self) -> dt.datetime:
        """The database's clock."""
        now: dt.datetime = (await self._client.admin.command("hello"))["localTime"]
        return now.replace(tzinfo=dt.UTC)

    async def states(self) -> dict[State, int]:
        """How many deliveries there are in each state."""
        counts = await asyncio.gather(*(self._count("deliveries", {"state": state}) for state in State))
        return dict(zip(State, counts, strict=True))

    async def adapters(self, names: Sequence[str]) -> dict[str, AdapterCounts]:
        """What came to each of these adapters."""
        unsettled = await self._unsettled()

        async def of(name: str) -> AdapterCounts:
            since = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
            recent = await self._count("deliveries", {"adapter": name, "received": {"$gt": since}})
            kept = await self._count("deliveries", {"adapter": name})
            newest = self._database["deliveries"].find({"adapter": name}, {"received": 1})
            last = [row["received"] async for row in newest.sort([("received", -1), ("_id", -1)]).limit(1)]
            return AdapterCounts(
                kept=kept,
                last_hour=recent,
                last=last[0] if last else None,
                unsettled={state: unsettled.get((name, state), 0) for state in UNSETTLED},
            )

        return dict(zip(names, await asyncio.gather(*map(of, names)), strict=True))

    async def revisions(self, adapter: str, latest: int) -> dict[str, int]:
        """How many of an adapter's `latest` deliveries were mapped by which revision."""
        groups = await self._database["deliveries"].aggregate(
            [
                {"$match": {"adapter": adapter}},
                {"$sort": {"received": -1, "_id": -1}},
                {"$limit": latest},
                {"$group": {"_id": "$revision", "count": {"$sum": 1}}},
            ],
            hint="by_adapter",
        )
        return {row["_id"]: row["count"] async for row in groups if row["_id"] is not None}

    async def arrivals(self, key: str | None, since: int) -> tuple[int | None, int]:
        """When a statement of a credential (None: any) was stored last, and how many were since (both µs)."""
        field = "source.credential" if key is not None else None
        condition: dict[str, Any] = {} if field is None else {field: key}
        collection, index = self._database["statements"], statement_index(field)
        newest = collection.find(condition, {"stored": 1}).sort([("stored", -1), ("_id", -1)]).hint(index)
        last = [int(row["stored"]) async for row in newest.limit(1)]
        recent = {**condition, "stored": {"$gt": since}}
        return last[0] if last else None, await collection.count_documents(recent, limit=ENOUGH, hint=index)

    async def oldest_waiting(self) -> dt.datetime | None:
        """When the delivery was received that waits longest to be mapped."""
        waiting = self._database["deliveries"].find({"state": State.RECEIVED}, {"received": 1})
        async for row in waiting.sort([("received", 1), ("_id", 1)]).hint("by_state").limit(1):
            received: dt.datetime = row["received"]
            return received
        return None

    async def courses(self, ids: Sequence[UUID]) -> dict[UUID, CourseCounts]:
        """How many learners each of these courses has, and how many sessions of it are open."""
        groups = await self._database["sessions"].aggregate(
            [
                {"$match": {"open": True, "course": {"$in": list(ids)}}},
                {"$limit": ENOUGH},
                {"$group": {"_id": "$course", "count": {"$sum": 1}}},
            ],
            hint="silent",  # holds open sessions only
        )
        open_sessions = {row["_id"]: row["count"] async for row in groups}
        registrations = await asyncio.gather(*(self._count("registrations", {"course": one}) for one in ids))
        return {
            one: CourseCounts(registrations=count, open_sessions=open_sessions.get(one, 0))
            for one, count in zip(ids, registrations, strict=True)
        }

    async def _unsettled(self) -> dict[tuple[str, State], int]:
        groups = await self._database["deliveries"].aggregate(
            [
                {"$match": {"state": {"$in": list(UNSETTLED)}}},
                {"$limit": ENOUGH},
                {"$group": {"_id": {"adapter": "$adapter", "state": "$state"}, "count": {"$sum": 1}}},
            ],
            hint="by_state",
        )
        return {(row["_id"]["adapter"], State(row["_id"]["state"])): row["count"] async for row in groups}

    async def _count(self, collection: str, condition: Mapping[str, Any]) -> int:
        return await self._database[collection].count_documents(condition, limit=ENOUGH)
