"""Deliveries: every verified webhook request, raw, and what became of it.

The `_id` is made from adapter and idempotency key, so a vendor that sends twice is stored once, on a sharded
collection too. What is to be mapped has `due`. Work is claimed by lease: whoever holds it may finish it, and
a process that dies loses it to another one when the lease runs out.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

from pymongo import UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from gateway.store.delivery_records import (
    Delivery,
    Fetched,
    Outcome,
    Replay,
    State,
    Unfetched,
    conflicting_id,
    delivery_of,
    document_of,
)
from gateway.store.inserting import insert_new

# Where only the hash of a body was kept, there is nothing to map again.
_MAPPABLE = {"kept": {"$ne": "hash"}}
_ENDED = ("claim", "expires", "forget", "finished", "waits", "held_since", "unfetched")
_WITHOUT_BODY = {"request.body": 0, "fetched": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """How a delivery was stored: under which id, whether it was there already, whether its key was taken by
    another body.
    """

    id: UUID
    duplicate: bool = False
    conflict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The result of mapping one delivery; resolved ones are deleted at `expires`, their bodies at `forget`.

    Held ones are mapped again at `again`, or when what they wait for is released. `fetched` is what to keep
    of vendors' answers; None leaves what is kept.
    """

    delivery: Delivery
    state: State
    outcomes: Sequence[Outcome]
    revision: str | None
    expires: dt.datetime | None = None
    forget: dt.datetime | None = None
    forget_all: bool = False
    again: dt.datetime | None = None
    resolved: Mapping[str, Any] | None = None
    leftover: Sequence[UUID] = ()
    fetched: Fetched | None = None

    @property
    def waits(self) -> list[str]:
        """The fingerprints of what some event waits for."""
        return list(dict.fromkeys(one for outcome in self.outcomes for one in outcome.waits))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Which deliveries are meant; `since` is inclusive, `until` exclusive. Nothing given means all."""

    ids: Sequence[UUID] | None = None
    adapter: str | None = None
    states: Sequence[State] = ()
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    conflict: bool | None = None
    code: str | None = None
    replay: UUID | None = None

    def condition(self) -> dict[str, Any]:
        """The filter in MongoDB's words."""
        condition: dict[str, Any] = {}
        if self.ids is not None:
            condition["_id"] = {"$in": list(self.ids)}
        if self.adapter is not None:
            condition["adapter"] = self.adapter
        if self.states:
            condition["state"] = {"$in": list(self.states)}
        bounds = {"$gte": self.since, "$lt": self.until}
        if received := {key: value for key, value in bounds.items() if value is not None}:
            condition["received"] = received
        if self.conflict is not None:
            condition["conflict"] = self.conflict
        if self.code is not None:
            condition["outcomes.code"] = self.code
        if self.replay is not None:
            condition["replay.id"] = self.replay
        return condition


class Deliveries:
    """The `deliveries` collection of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["deliveries"]

    # -- commands ----------------------------------------------------------------------------------------

    async def insert(self, deliveries: Sequence[Delivery]) -> list[Arrival]:
        """Store what is not there yet, durably. The same key with another body is kept beside the first."""
        arrivals = await self._insert(deliveries)
        others = [index for index, arrival in enumerate(arrivals) if arrival is None]
        if others:
            beside = [
                replace(one, id=conflicting_id(one.adapter, one.key, one.digest), conflict=True)
                for one in (deliveries[index] for index in others)
            ]
            first = [deliveries[index].id for index in others]
            await self._collection.update_many({"_id": {"$in": first}}, {"$set": {"conflict": True}})
            for index, one, arrival in zip(others, beside, await self._insert(beside), strict=True):
                arrivals[index] = replace(arrival or Arrival(id=one.id), conflict=True)
        return [arrival for arrival in arrivals if arrival is not None]

    async def _insert(self, deliveries: Sequence[Delivery]) -> list[Arrival | None]:
        """None for those whose id is taken by a delivery with another body."""
        arrivals: list[Arrival | None] = [Arrival(id=delivery.id) for delivery in deliveries]
        taken = await insert_new(self._collection, [document_of(one) for one in deliveries])
        repeated = Counter((deliveries[index].id, deliveries[index].digest) for index in taken)
        known = await asyncio.gather(*(self._repeat(*which, count) for which, count in repeated.items()))
        same = dict(zip(repeated, known, strict=True))
        for index in taken:
            one = deliveries[index]
            arrivals[index] = Arrival(id=one.id, duplicate=True) if same[one.id, one.digest] else None
        return arrivals

    async def _repeat(self, delivery_id: UUID, digest: str, count: int) -> bool:
        # A write, also so that it is acknowledged only when a majority has the first one.
        result = await self._collection.update_one(
            {"_id": delivery_id, "digest": digest}, {"$inc": {"duplicates": count}}
        )
        return result.matched_count == 1

    async def claim(
        self, now: dt.datetime, lease: dt.timedelta, *, limit: int, max_bytes: int
    ) -> list[Delivery]:
        """Deliveries that are due, oldest first, leased to the caller until `now + lease`.

        Takes no more than `max_bytes` of bodies, but at least one. Empty if there are none or others were
        faster.
        """
        due = {"due": {"$lte": now}}
        ids: list[UUID] = []
        size = 0
        async for row in self._collection.find(due, {"size": 1}).sort("due", 1).limit(limit):
            size += row["size"]
            if ids and size > max_bytes:
                break
            ids.append(row["_id"])
        if not ids:
            return []
        claim = uuid4()
        result = await self._collection.update_many(
            {"_id": {"$in": ids}, **due},
            {"$set": {"due": now + lease, "claim": claim}, "$inc": {"attempts": 1}},
        )
        if not result.modified_count:
            return []
        rows = self._collection.find({"_id": {"$in": ids}, "claim": claim})
        return [delivery_of(row) async for row in rows]

    async def finish(self, results: Sequence[Finished], now: dt.datetime) -> None:
        """Record what became of deliveries, except of those whose claim was lost meanwhile."""
        await self._collection.bulk_write([_finishing(result, now) for result in results], ordered=False)

    async def postpone(self, delivery: Delivery, due: dt.datetime) -> None:
        """Give a delivery back, to be claimed again from `due` on."""
        await self._collection.update_one(
            {"_id": delivery.id, "claim": delivery.claim},
            {"$set": {"due": due}, "$unset": {"claim": ""}, "$inc": {"postponed": 1}},
        )

    async def refetch(self, delivery: Delivery, due: dt.datetime, unfetched: Unfetched) -> None:
        """Give a delivery back whose vendor does not answer, to be claimed again from `due` on."""
        await self._collection.update_one(
            {"_id": delivery.id, "claim": delivery.claim},
            {
                "$set": {"due": due, "unfetched": unfetched.document()},
                "$unset": {"claim": ""},
                "$inc": {"postponed": 1},
            },
        )

    async def extend(self, delivery: Delivery, due: dt.datetime) -> bool:
        """Keep a claim until `due`; whether it was still the caller's."""
        result = await self._collection.update_one(
            {"_id": delivery.id, "claim": delivery.claim}, {"$set": {"due": due}}
        )
        return result.matched_count == 1

    async def release(self, deliveries: Sequence[Delivery], now: dt.datetime) -> None:
        """Give back what was claimed and not begun, so that nobody waits for the lease to run out."""
        await self._collection.update_many(
            {
                "_id": {"$in": [one.id for one in deliveries]},
                "claim": {"$in": list({one.claim for one in deliveries})},
            },
            {"$set": {"due": now}, "$unset": {"claim": ""}, "$inc": {"postponed": 1}},
        )

    async def requeue(self, which: DeliveryFilter, now: dt.datetime, replay: Replay | None = None) -> int:
        """Have deliveries mapped again; how many there were. What is being mapped right now is repeated.

        Those whose bodies are gone stay as they are.
        """
        result = await self._collection.update_many(
            which.condition() | _MAPPABLE,
            {
                "$set": {
                    "state": State.RECEIVED,
                    "due": now,
                    "attempts": 0,
                    "postponed": 0,
                    **({"replay": replay.document()} if replay is not None else {}),
                },
                "$unset": dict.fromkeys(_ENDED, "") | ({"replay": ""} if replay is None else {}),
            },
        )
        return result.matched_count

    async def release_waiting(self, fingerprints: Sequence[str], now: dt.datetime) -> int:
        """Have those mapped again that wait for one of these; how many there are.

        One that a majority does not know to wait yet is not found: whoever begins to wait looks afterwards
        whether it is known by now.
        """
        waiting = {"waits": {"$in": list(fingerprints)}}
        # Nearly always nobody does, and a look costs less than a write, which waits for the disk.
        if await self._collection.find_one(waiting, {"_id": 1}) is None:
            return 0
        change = {"$set": {"due": now}, "$unset": {"claim": ""}}
        return (await self._collection.update_many(waiting, change)).matched_count

    async def forget_bodies(self, now: dt.datetime, *, limit: int = 1_000) -> int:
        """Remove bodies whose time has come, and headers and queries where that was asked for; how many."""
        due = {"forget": {"$lte": now}}
        rows = self._collection.find(due, {"forget_all": 1}).sort("forget", 1).limit(limit)
        ids: dict[bool, list[UUID]] = {False: [], True: []}
        async for row in rows:
            ids[row.get("forget_all", False)].append(row["_id"])
        body = dict.fromkeys(("request.body", "sealed", "fetched", "forget", "forget_all"), "")
        for everything, chosen in ids.items():
            if not chosen:
                continue
            cleared: dict[str, Any] = {"kept": "hash"}
            if everything:
                cleared |= {"request.headers": [], "request.url": ""}
            await self._collection.update_many(
                {"_id": {"$in": chosen}, **due}, {"$set": cleared, "$unset": body}
            )
        return len(ids[False]) + len(ids[True])

    # -- queries -----------------------------------------------------------------------------------------

    async def get(self, delivery_id: UUID) -> Delivery | None:
        row = await self._collection.find_one({"_id": delivery_id})
        return delivery_of(row) if row else None

    async def list(
        self, which: DeliveryFilter, *, limit: int, after: tuple[dt.datetime, UUID] | None = None
    ) -> list[Delivery]:
        """Deliveries without their bodies, newest first; `after` is the last one of the page before."""
        conditions = [which.condition()]
        if after is not None:
            received, delivery_id = after
            conditions.append({"received": {"$lte": received}})
            conditions.append(
                {
                    "$or": [
                        {"received": {"$lt": received}},
                        {"received": received, "_id": {"$lt": delivery_id}},
                    ]
                }
            )
        found = self._collection.find({"$and": conditions}, _WITHOUT_BODY)
        rows = found.sort([("received", -1), ("_id", -1)]).limit(limit)
        return [delivery_of(row) async for row in rows]

    async def each(self, which: DeliveryFilter, *, limit: int) -> AsyncIterator[Delivery]:
        """Deliveries with their bodies, oldest first, one at a time."""
        rows = self._collection.find(which.condition() | _MAPPABLE, batch_size=20)
        async for row in rows.sort([("received", 1), ("_id", 1)]).limit(limit):
            yield delivery_of(row)

    async def queue(self, now: dt.datetime, *, most: int) -> tuple[int, float]:
        """How many deliveries are to be mapped (counted up to `most` + 1), and for how many seconds the one
        has been due that waits longest.
        """
        # What waits for somebody to become known is due, too, but is nobody's work until then.
        held = await self._collection.count_documents({"waits": {"$exists": True}}, hint="by_waits")
        waiting = {"due": {"$exists": True}}
        depth = await self._collection.count_documents(waiting, limit=most + 1 + held, hint="due") - held
        overdue = self._collection.find({"due": {"$lte": now}}, {"due": 1}).sort("due", 1).limit(1)
        age = 0.0
        async for row in overdue:
            age = (now - row["due"]).total_seconds()
        return max(depth, 0), age

    async def count(self, which: DeliveryFilter) -> int:
        """How many deliveries there are."""
        return await self._collection.count_documents(which.condition())

    async def progress(self, replay: UUID) -> dict[str, int]:
        """How far a replay is: deliveries by state; those that are still to be mapped are `received`."""
        groups = await self._collection.aggregate(
            [{"$match": {"replay.id": replay}}, {"$group": {"_id": "$state", "count": {"$sum": 1}}}]
        )
        return {row["_id"]: row["count"] async for row in groups}


def _finishing(result: Finished, now: dt.datetime) -> UpdateOne:
    values: dict[str, Any] = {
        "state": result.state,
        "outcomes": [outcome.document() for outcome in result.outcomes],
        "revision": result.revision,
        "finished": now,
    }
    removed = {"claim": "", "unfetched": ""}
    optional = {
        "expires": result.expires,
        "forget": result.forget,
        "forget_all": result.forget_all or None,
        "due": result.again,
        "waits": result.waits or None,
        "held_since": (result.delivery.held_since or now) if result.again is not None else None,
        "leftover": list(result.leftover) or None,
        "resolved": result.resolved,
        "fetched": result.fetched.document() if result.fetched is not None else None,
    }
    for key, value in optional.items():
        if value is not None:
            values[key] = value
        elif key not in ("resolved", "fetched"):
            removed[key] = ""
    if result.again is not None:
        # It lives on: processes that take it up again are counted from here.
        values |= {"attempts": 0, "postponed": 0}
    return UpdateOne(
        {"_id": result.delivery.id, "claim": result.delivery.claim}, {"$set": values, "$unset": removed}
    )
