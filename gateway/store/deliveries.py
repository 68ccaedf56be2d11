"""Deliveries: every verified webhook request, raw, and what became of it.

`(adapter, event)` is unique, so a vendor that sends twice is stored once. Work is claimed by lease: whoever
holds it may finish it, and a worker that dies loses it to another one when the lease runs out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError

_DUPLICATE_KEY = 11000


class State(StrEnum):
    RECEIVED = "received"  # stored, not mapped yet
    DONE = "done"  # every event mapped to statements or ignored by an explicit rule
    IGNORED = "ignored"  # every event ignored by an explicit rule
    UNMATCHED = "unmatched"  # some event matched no rule; none failed
    HELD = "held"  # some event waits for a person to become known; none failed or unmatched
    FAILED = "failed"  # some event could not be mapped: a person has to look


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one event of a delivery."""

    event: str | None
    state: State
    rule: str | None = None
    reason: str | None = None
    statements: tuple[UUID, ...] = ()
    problems: tuple[Mapping[str, str], ...] = ()

    def document(self) -> dict[str, Any]:
        return {
            "event": self.event,
            "state": self.state,
            "rule": self.rule,
            "reason": self.reason,
            "statements": list(self.statements),
            "problems": [dict(problem) for problem in self.problems],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One inbound vendor request. `event` is its idempotency key; `body` the bytes as they came."""

    id: UUID
    adapter: str
    event: str
    received: dt.datetime
    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    verified: Mapping[str, Any]
    state: State = State.RECEIVED
    attempts: int = 0
    duplicates: int = 0
    revision: str | None = None
    finished: dt.datetime | None = None
    outcomes: tuple[Outcome, ...] = field(default=())


class Deliveries:
    """The `deliveries` collection of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["deliveries"]

    # -- commands ----------------------------------------------------------------------------------------

    async def insert(self, deliveries: Sequence[Delivery]) -> set[UUID]:
        """Store what is not there yet; the ids of deliveries that were there already (their key was)."""
        try:
            await self._collection.insert_many(
                [_document(delivery) for delivery in deliveries], ordered=False
            )
        except BulkWriteError as error:
            failures = error.details.get("writeErrors", ())
            if error.details.get("writeConcernErrors") or any(f["code"] != _DUPLICATE_KEY for f in failures):
                raise
            repeated = [deliveries[failure["index"]] for failure in failures]
            for delivery in repeated:
                await self._collection.update_one(
                    {"adapter": delivery.adapter, "event": delivery.event}, {"$inc": {"duplicates": 1}}
                )
            return {delivery.id for delivery in repeated}
        return set()

    async def claim(self, now: dt.datetime, lease: dt.timedelta) -> Delivery | None:
        """The oldest delivery that is due, leased to the caller until `now + lease`."""
        row = await self._collection.find_one_and_update(
            {"state": State.RECEIVED, "due": {"$lte": now}},
            {"$set": {"due": now + lease}, "$inc": {"attempts": 1}},
            sort=[("due", 1)],
            return_document=ReturnDocument.AFTER,
        )
        return _delivery(row) if row else None

    async def finish(
        self,
        delivery: Delivery,
        *,
        state: State,
        outcomes: Sequence[Outcome],
        revision: str,
        now: dt.datetime,
    ) -> None:
        """Record what became of a delivery. Finishing twice with the same result changes nothing."""
        await self._collection.update_one(
            {"_id": delivery.id},
            {
                "$set": {
                    "state": state,
                    "outcomes": [outcome.document() for outcome in outcomes],
                    "revision": revision,
                    "finished": now,
                },
                "$unset": {"due": ""},
            },
        )

    async def postpone(self, delivery: Delivery, due: dt.datetime) -> None:
        """Give a delivery back, to be claimed again from `due` on."""
        await self._collection.update_one(
            {"_id": delivery.id, "state": State.RECEIVED}, {"$set": {"due": due}}
        )

    async def requeue(self, ids: Sequence[UUID], now: dt.datetime) -> int:
        """Have deliveries mapped again with the current mapping; how many there were."""
        result = await self._collection.update_many(
            {"_id": {"$in": list(ids)}}, {"$set": {"state": State.RECEIVED, "due": now, "attempts": 0}}
        )
        return result.matched_count

    # -- queries -----------------------------------------------------------------------------------------

    async def get(self, delivery_id: UUID) -> Delivery | None:
        row = await self._collection.find_one({"_id": delivery_id})
        return _delivery(row) if row else None

    async def list(
        self,
        *,
        adapter: str | None = None,
        states: Sequence[State] = (),
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
        limit: int = 50,
    ) -> list[Delivery]:
        """Deliveries that fit, newest first."""
        condition: dict[str, Any] = {}
        if adapter is not None:
            condition["adapter"] = adapter
        if states:
            condition["state"] = {"$in": list(states)}
        if since is not None or until is not None:
            bounds = {"$gte": since, "$lte": until}
            condition["received"] = {key: value for key, value in bounds.items() if value is not None}
        cursor = self._collection.find(condition).sort([("received", -1), ("_id", -1)]).limit(limit)
        return [_delivery(row) async for row in cursor]

    async def counts(self) -> dict[tuple[str, str], int]:
        """How many deliveries there are by (adapter, state)."""
        groups = await self._collection.aggregate(
            [{"$group": {"_id": {"adapter": "$adapter", "state": "$state"}, "count": {"$sum": 1}}}]
        )
        return {(row["_id"]["adapter"], row["_id"]["state"]): row["count"] async for row in groups}


def _document(delivery: Delivery) -> dict[str, Any]:
    return {
        "_id": delivery.id,
        "adapter": delivery.adapter,
        "event": delivery.event,
        "received": delivery.received,
        "request": {
            "method": delivery.method,
            "url": delivery.url,
            "headers": [list(pair) for pair in delivery.headers],
            "body": delivery.body,
        },
        "verified": dict(delivery.verified),
        "state": delivery.state,
        "due": delivery.received,
        "attempts": 0,
        "duplicates": 0,
    }


def _delivery(row: Mapping[str, Any]) -> Delivery:
    request = row["request"]
    return Delivery(
        id=row["_id"],
        adapter=row["adapter"],
        event=row["event"],
        received=row["received"],
        method=request["method"],
        url=request["url"],
        headers=tuple((name, value) for name, value in request["headers"]),
        body=bytes(request["body"]),
        verified=row["verified"],
        state=State(row["state"]),
        attempts=row["attempts"],
        duplicates=row["duplicates"],
        revision=row.get("revision"),
        finished=row.get("finished"),
        outcomes=tuple(
            Outcome(
                event=item["event"],
                state=State(item["state"]),
                rule=item["rule"],
                reason=item["reason"],
                statements=tuple(item["statements"]),
                problems=tuple(item["problems"]),
            )
            for item in row.get("outcomes", ())
        ),
    )
