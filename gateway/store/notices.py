"""The outbox: what happened in registrations, for those who asked to be told (see `subscriptions`).

A notice is written in the transaction of what it tells, one for each subscription. The notices of one
registration to one subscription are a lane: they are sent one after the other, and only one process at a time
works on a lane, which it claims for a while.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase

from gateway.store.transactions import Transaction


class NoticeState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that changed a registration: `kind` is a verb, `details` plain data."""

    kind: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """`number` counts in its lane. `about` is plain data. `problem` is what the last attempt met."""

    id: UUID
    subscription: UUID
    registration: UUID
    number: int
    kind: str
    about: Mapping[str, Any]
    state: NoticeState
    created: dt.datetime
    attempts: int = 0
    attempted: dt.datetime | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The notices of a registration to a subscription, claimed; `count` is how many there ever were."""

    subscription: UUID
    registration: UUID
    count: int
    claim: UUID

    @property
    def key(self) -> dict[str, UUID]:
        return {"subscription": self.subscription, "registration": self.registration}


class Notices:
    """The `notices` and `notice_lanes` collections of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._notices = database["notices"]
        self._lanes = database["notice_lanes"]
        self._subscriptions = database["subscriptions"]
        self._registrations = database["registrations"]

    # -- writing -----------------------------------------------------------------------------------------

    async def add(
        self, registration: UUID, happenings: Sequence[Happening], transaction: Transaction
    ) -> None:
        """Write down what happened for whoever wants to know; nothing where that is nobody."""
        if not happenings:
            return
        kinds = [happening.kind for happening in happenings]
        asked = self._subscriptions.find({"events": {"$in": kinds}}, session=transaction)
        subscriptions = [row async for row in asked]
        if not subscriptions:
            return
        about = await self._registrations.find_one(
            {"_id": registration},
            {"course": 1, "actor": 1, "tags": 1, "preview": 1},
            session=transaction,
        )
        if about is None or about.get("preview"):
            return
        for subscription in subscriptions:
            wanted = [each for each in happenings if each.kind in subscription["events"]]
            await self._add(subscription, about, wanted, transaction)

    async def _add(
        self,
        subscription: Mapping[str, Any],
        about: Mapping[str, Any],
        happenings: Sequence[Happening],
        transaction: Transaction,
    ) -> None:
        # A lane that is due keeps its time: it is being worked on, or waits to be tried again.
        due = {"$ifNull": ["$due", "$$NOW"]} if subscription["disabled"] is None else "$$REMOVE"
        more = {"$add": [{"$ifNull": ["$count", 0]}, len(happenings)]}
        key = {"subscription": subscription["_id"], "registration": about["_id"]}
        lane = await self._lanes.find_one_and_update(
            {"_id": key},
            [{"$set": {"count": more, "due": due}}],
            upsert=True,
            return_document=ReturnDocument.AFTER,
            session=transaction,
        )
        assert lane is not None, "it was made if need be"
        now = dt.datetime.now(dt.UTC)
        first = lane["count"] - len(happenings) + 1
        await self._notices.insert_many(
            [
                {
                    "_id": uuid4(),
                    **key,
                    "number": first + index,
                    "kind": happening.kind,
                    "about": {
                        "course": about["course"],
                        "actor": about["actor"],
                        "tags": about.get("tags", []),
                        **happening.details,
                    },
                    "state": NoticeState.PENDING,
                    "attempts": 0,
                    "created": now,
                }
                for index, happening in enumerate(happenings)
            ],
            session=transaction,
        )

    # -- sending -----------------------------------------------------------------------------------------

    async def claim(self, lease: dt.timedelta, now: dt.datetime) -> Lane | None:
        """The lane that has waited longest for its turn, for as long as `lease`; None if none is due."""
        claim = uuid4()
        row = await self._lanes.find_one_and_update(
            {"due": {"$lte": now}},
            {"$set": {"due": now + lease, "claim": claim}},
            sort=[("due", 1)],
            return_document=ReturnDocument.AFTER,
        )
        return Lane(**row["_id"], count=row["count"], claim=claim) if row else None

    async def keep(self, lane: Lane, until: dt.datetime) -> bool:
        """Have the lane for longer, or wait until then with `release`; False if it was lost."""
        result = await self._lanes.update_one(
            {"_id": lane.key, "claim": lane.claim}, {"$set": {"due": until}}
        )
        return result.matched_count == 1

    async def release(self, lane: Lane, due: dt.datetime | None = None) -> bool:
        """Give a lane back, to be claimed again at `due`, or when there is more; False if there is by now."""
        wanted: dict[str, Any] = {"_id": lane.key, "claim": lane.claim}
        change: dict[str, Any] = {"$unset": {"claim": "", "due": ""}}
        if due is not None:
            change = {"$unset": {"claim": ""}, "$set": {"due": due}}
        else:
            wanted["count"] = lane.count
        return (await self._lanes.update_one(wanted, change)).matched_count == 1

    async def refreshed(self, lane: Lane) -> Lane | None:
        """The lane as it is now, if it still is claimed."""
        row = await self._lanes.find_one({"_id": lane.key, "claim": lane.claim})
        return Lane(**row["_id"], count=row["count"], claim=lane.claim) if row else None

    async def next(self, lane: Lane) -> Notice | None:
        """The notice of a lane that has to be sent before all others."""
        row = await self._notices.find_one({**lane.key, "state": NoticeState.PENDING}, sort=[("number", 1)])
        return _notice(row) if row else None

    async def note(
        self, notice: Notice, *, state: NoticeState, problem: str | None, now: dt.datetime, keep: dt.timedelta
    ) -> None:
        """What an attempt came to; what is over is kept for a while."""
        change: dict[str, Any] = {"state": state, "attempted": now, "problem": problem}
        if state is not NoticeState.PENDING:
            change["expires"] = now + keep
        await self._notices.update_one({"_id": notice.id}, {"$set": change, "$inc": {"attempts": 1}})

    async def retry(self, subscription: UUID, notice: UUID | None, now: dt.datetime) -> int:
        """Send a notice again, or without `notice` all dead ones; how many that are."""
        wanted: dict[str, Any] = {"subscription": subscription}
        wanted |= {"state": NoticeState.DEAD} if notice is None else {"_id": notice}
        lanes = await self._notices.distinct("registration", wanted)
        change = {"$set": {"state": NoticeState.PENDING, "attempts": 0}, "$unset": {"expires": ""}}
        result = await self._notices.update_many(wanted, change)
        await self._lanes.update_many(
            {"_id": {"$in": [{"subscription": subscription, "registration": each} for each in lanes]}},
            {"$set": {"due": now}},
        )
        return result.matched_count

    async def hold(self, subscription: UUID) -> None:
        """Send nothing to a subscription for now."""
        await self._lanes.update_many(
            {"_id.subscription": subscription}, {"$unset": {"due": "", "claim": ""}}
        )

    async def resume(self, subscription: UUID, now: dt.datetime) -> None:
        """Send what has waited."""
        waiting = await self._notices.distinct(
            "registration", {"subscription": subscription, "state": NoticeState.PENDING}
        )
        await self._lanes.update_many(
            {"_id": {"$in": [{"subscription": subscription, "registration": each} for each in waiting]}},
            {"$set": {"due": now}},
        )

    async def delete_of(self, subscription: UUID) -> None:
        """Forget all that was for a subscription."""
        await self._notices.delete_many({"subscription": subscription})
        await self._lanes.delete_many({"_id.subscription": subscription})

    # -- looking -----------------------------------------------------------------------------------------

    async def list(
        self,
        subscription: UUID,
        *,
        state: NoticeState | None = None,
        after: tuple[dt.datetime, UUID] | None = None,
        limit: int = 100,
    ) -> list[Notice]:
        """The notices of a subscription, the newest first; `after` is the last one of the page before."""
        condition: dict[str, Any] = {"subscription": subscription}
        if state is not None:
            condition["state"] = state
        if after is not None:
            time, identity = after
            condition["created"] = {"$lte": time}
            condition["$or"] = [{"created": {"$lt": time}}, {"created": time, "_id": {"$lt": identity}}]
        rows = self._notices.find(condition).sort([("created", -1), ("_id", -1)]).limit(limit)
        return [_notice(row) async for row in rows]

    async def counts(self, subscription: UUID) -> dict[str, int]:
        """How many notices of a subscription there are in each state."""
        return {
            state.value: await self._notices.count_documents({"subscription": subscription, "state": state})
            for state in NoticeState
        }


def _notice(row: Mapping[str, Any]) -> Notice:
    return Notice(
        id=row["_id"],
        subscription=row["subscription"],
        registration=row["registration"],
        number=row["number"],
        kind=row["kind"],
        about=row["about"],
        state=NoticeState(row["state"]),
        created=row["created"],
        attempts=row["attempts"],
        attempted=row.get("attempted"),
        problem=row.get("problem"),
    )
