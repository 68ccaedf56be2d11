"""Refusals: what an AU sent that was not accepted, for whoever has to find out why a course misbehaves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pymongo.asynchronous.database import AsyncDatabase

from gateway.store.transactions import Transaction

_KEPT = dt.timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRefusal:
    """`request` is method and resource; each problem has `path`, `requirement` and `message`."""

    session: UUID
    time: dt.datetime
    request: str
    status: int
    message: str
    problems: tuple[Mapping[str, str], ...]


class Refusals:
    """The `refusals` collection of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["refusals"]

    async def insert(self, refusal: StoredRefusal) -> None:
        await self._collection.insert_one(
            {
                "session": refusal.session,
                "time": refusal.time,
                "request": refusal.request,
                "status": refusal.status,
                "message": refusal.message,
                "problems": [dict(problem) for problem in refusal.problems],
                "expires": refusal.time + _KEPT,
            }
        )

    async def delete_of(self, sessions: Collection[UUID], transaction: Transaction) -> None:
        """Forget what was refused in these sessions."""
        await self._collection.delete_many({"session": {"$in": list(sessions)}}, session=transaction)

    async def list(self, session: UUID, limit: int = 100) -> list[StoredRefusal]:
        """The refusals of a session, oldest first."""
        cursor = self._collection.find({"session": session}).sort([("time", 1), ("_id", 1)]).limit(limit)
        return [
            StoredRefusal(
                session=row["session"],
                time=row["time"],
                request=row["request"],
                status=row["status"],
                message=row["message"],
                problems=tuple(row["problems"]),
            )
            async for row in cursor
        ]
