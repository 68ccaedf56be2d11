"""Who did what: entries that are added and read, and never changed. They go only when they expire."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pymongo.asynchronous.database import AsyncDatabase

Place = tuple[dt.datetime, UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that somebody did, or was refused.

    `kind` and `actor` say who: a person's login, the key of a credential, the account of a command line.
    `objects` are ids by noun; `detail` is what else is worth knowing, without anybody's learning record.
    """

    id: UUID
    time: dt.datetime
    store: str
    kind: str
    actor: str
    action: str
    outcome: str
    objects: Mapping[str, str] = field(default_factory=dict)
    detail: Mapping[str, Any] = field(default_factory=dict)
    request: str | None = None
    address: str | None = None
    expires: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFilter:
    """What entries have to be: each part that is given. `about` is an id among their objects."""

    actor: str | None = None
    action: str | None = None
    about: str | None = None
    outcome: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None

    def query(self, store: str | None) -> dict[str, Any]:
        found: dict[str, Any] = {} if store is None else {"store": store}
        if self.actor is not None:
            found["actor"] = self.actor
        if self.action is not None:
            found["action"] = self.action
        if self.outcome is not None:
            found["outcome"] = self.outcome
        if self.about is not None:
            found["about"] = self.about
        bounds = {"$gte": self.since, "$lt": self.until}
        if given := {name: value for name, value in bounds.items() if value is not None}:
            found["time"] = given
        return found


class Audit:
    """The `audit` collection; it lives in the default store and covers all stores."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["audit"]

    async def add(self, entry: Entry) -> None:
        row: dict[str, Any] = {
            "_id": entry.id,
            "time": entry.time,
            "store": entry.store,
            "kind": entry.kind,
            "actor": entry.actor,
            "action": entry.action,
            "outcome": entry.outcome,
            # A list beside the names, because an index cannot hold every noun.
            "about": list(entry.objects.values()),
            "objects": dict(entry.objects),
            "detail": dict(entry.detail),
            "request": entry.request,
            "address": entry.address,
        }
        if entry.expires is not None:
            row["expires"] = entry.expires
        await self._collection.insert_one(row)

    async def list(
        self, which: EntryFilter, *, store: str | None, limit: int, after: Place | None = None
    ) -> Sequence[Entry]:
        """The newest first, from behind `after`; those of all stores without a `store`."""
        return [entry async for entry in self.each(which, store=store, limit=limit, after=after)]

    async def each(
        self, which: EntryFilter, *, store: str | None, limit: int = 0, after: Place | None = None
    ) -> AsyncIterator[Entry]:
        """As `list`, one by one; a `limit` of 0 is none."""
        conditions = [which.query(store)]
        if after is not None:
            time, identity = after
            conditions.append({"time": {"$lte": time}})
            conditions.append({"$or": [{"time": {"$lt": time}}, {"time": time, "_id": {"$lt": identity}}]})
        found = self._collection.find({"$and": conditions}).sort([("time", -1), ("_id", -1)]).limit(limit)
        async for row in found:
            yield _entry(row)


def _entry(row: Mapping[str, Any]) -> Entry:
    return Entry(
        id=row["_id"],
        time=row["time"],
        store=row["store"],
        kind=row["kind"],
        actor=row["actor"],
        action=row["action"],
        outcome=row["outcome"],
        objects=row["objects"],
        detail=row["detail"],
        request=row.get("request"),
        address=row.get("address"),
        expires=row.get("expires"),
    )
