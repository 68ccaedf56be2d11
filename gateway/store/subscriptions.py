"""Subscriptions: who wants to be told what happens in registrations."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """`events` are the kinds of notices that are wanted. The first of the `secrets` is the present one;
    others sign beside it until the time that goes with them. `disabled` says why nothing is sent.
    """

    id: UUID
    url: str
    events: tuple[str, ...]
    secrets: tuple[tuple[str, dt.datetime | None], ...]
    created: dt.datetime
    name: str | None = None
    disabled: str | None = None
    delivered: dt.datetime | None = None
    failures: int = 0


class Subscriptions:
    """The `subscriptions` collection of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["subscriptions"]

    async def put(self, subscription: Subscription) -> None:
        """Store a subscription, or what is new about one that configuration names."""
        await self._collection.update_one(
            {"_id": subscription.id},
            {
                "$set": {
                    "url": subscription.url,
                    "name": subscription.name,
                    "events": list(subscription.events),
                    "secrets": _secrets(subscription.secrets),
                },
                "$setOnInsert": {
                    "created": subscription.created,
                    "disabled": None,
                    "delivered": None,
                    "failures": 0,
                },
            },
            upsert=True,
        )

    async def change(self, identity: UUID, changes: Mapping[str, Any]) -> Subscription | None:
        """Set `url`, `events`, `name`, `secrets` or `disabled`; None if there is no such subscription."""
        change = dict(changes)
        if "secrets" in change:
            change["secrets"] = _secrets(change["secrets"])
        row = await self._collection.find_one_and_update(
            {"_id": identity}, {"$set": change}, return_document=ReturnDocument.AFTER
        )
        return _subscription(row) if row else None

    async def note(self, identity: UUID, *, delivered: dt.datetime | None) -> None:
        """Whether an attempt was answered well."""
        change: dict[str, Any] = {"$inc": {"failures": 1}}
        if delivered is not None:
            change = {"$set": {"delivered": delivered, "failures": 0}}
        await self._collection.update_one({"_id": identity}, change)

    async def delete(self, identity: UUID) -> bool:
        return (await self._collection.delete_one({"_id": identity})).deleted_count == 1

    async def get(self, identity: UUID) -> Subscription | None:
        row = await self._collection.find_one({"_id": identity})
        return _subscription(row) if row else None

    async def list(self) -> list[Subscription]:
        """All subscriptions, the oldest first."""
        return [
            _subscription(row) async for row in self._collection.find().sort([("created", 1), ("_id", 1)])
        ]


def _secrets(secrets: tuple[tuple[str, dt.datetime | None], ...]) -> list[dict[str, Any]]:
    return [{"secret": secret, "until": until} for secret, until in secrets]


def _subscription(row: Mapping[str, Any]) -> Subscription:
    return Subscription(
        id=row["_id"],
        url=row["url"],
        events=tuple(row["events"]),
        secrets=tuple((each["secret"], each["until"]) for each in row["secrets"]),
        created=row["created"],
        name=row["name"],
        disabled=row["disabled"],
        delivered=row["delivered"],
        failures=row["failures"],
    )
