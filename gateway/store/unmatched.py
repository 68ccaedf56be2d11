"""Events of recent deliveries that no rule was for, by adapter and type."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pymongo.asynchronous.database import AsyncDatabase

# Of more deliveries only the newest are looked at, and of more types the most frequent are told.
MOST_DELIVERIES = 10_000
MOST_TYPES = 500
_INDEX = "by_code"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmatchedType:
    """A type of event: `kind` is the value that rules are told apart by, None where an event has none. Its
    newest one is `event` of `delivery`, which was `received` then.
    """

    adapter: str
    kind: str | None
    events: int
    delivery: UUID
    event: str | None
    received: dt.datetime


class Unmatched:
    """The `deliveries` collection of one store, read for what its mappings lack."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["deliveries"]

    async def types(
        self, code: str, since: dt.datetime, *, adapters: Sequence[str] | None = None
    ) -> list[UnmatchedType]:
        """Types of events with this reason code in deliveries from `since` on, the most frequent first."""
        groups = await self._collection.aggregate(_grouping(_condition(code, since, adapters)), hint=_INDEX)
        return [
            UnmatchedType(
                adapter=row["_id"]["adapter"],
                kind=row["_id"].get("kind"),
                events=row["events"],
                delivery=row["delivery"],
                event=row.get("event"),
                received=row["received"],
            )
            async for row in groups
        ]

    async def whole(self, code: str, since: dt.datetime, *, adapters: Sequence[str] | None = None) -> bool:
        """Whether `types` looks at all of these deliveries."""
        condition = _condition(code, since, adapters)
        found = await self._collection.count_documents(condition, limit=MOST_DELIVERIES + 1, hint=_INDEX)
        return found <= MOST_DELIVERIES


def _condition(code: str, since: dt.datetime, adapters: Sequence[str] | None) -> dict[str, Any]:
    condition: dict[str, Any] = {"outcomes.code": code, "received": {"$gte": since}}
    if adapters is not None:
        condition["adapter"] = {"$in": list(adapters)}
    return condition


def _grouping(condition: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"$match": condition},
        {"$sort": {"received": -1, "_id": -1}},
        {"$limit": MOST_DELIVERIES},
        {"$project": {"adapter": 1, "received": 1, "outcomes": 1}},
        {"$unwind": "$outcomes"},
        {"$match": {"outcomes.code": condition["outcomes.code"]}},
        {
            "$group": {
                "_id": {"adapter": "$adapter", "kind": "$outcomes.kind"},
                "events": {"$sum": 1},
                "delivery": {"$first": "$_id"},
                "event": {"$first": "$outcomes.event"},
                "received": {"$first": "$received"},
            }
        },
        {"$sort": {"events": -1, "_id": 1}},
        {"$limit": MOST_TYPES},
    ]
