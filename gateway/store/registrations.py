"""Registrations: a learner in a course, and how far that learner is.

Everything that bears on satisfaction is in this one document, and every change names the revision it was
decided on: of two changes at the same time one is `Contended` and is decided anew.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from gateway.store.transactions import Contended, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """`version` is that of the course which the learner takes. `aus` holds plain data for each AU that was
    touched, by its LMS id, `satisfied` the LMS ids of blocks and course, `overrides` JSON.
    """

    id: UUID
    course: UUID
    version: UUID
    actor: Mapping[str, Any]
    actor_key: str
    created: dt.datetime
    revision: int = 0
    aus: Mapping[str, Mapping[str, Any]]
    satisfied: tuple[str, ...]
    overrides: bytes = b"{}"


class Registrations:
    """The `registrations` collection of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["registrations"]

    async def insert(self, registration: Registration, transaction: Transaction | None = None) -> None:
        """Store a new registration; raises Contended if its id is taken."""
        try:
            await self._collection.insert_one(_document(registration), session=transaction)
        except DuplicateKeyError:
            raise Contended from None

    async def change(
        self,
        registration: Registration,
        transaction: Transaction,
        *,
        aus: Mapping[str, Mapping[str, Any]],
        satisfied: Sequence[str],
    ) -> None:
        """Replace the learner's standing; raises Contended unless `registration` is as it was read."""
        result = await self._collection.update_one(
            {"_id": registration.id, "revision": registration.revision},
            {"$set": {"aus": _listed(aus), "satisfied": list(satisfied)}, "$inc": {"revision": 1}},
            session=transaction,
        )
        if result.matched_count == 0:
            raise Contended

    async def get(self, registration_id: UUID) -> Registration | None:
        row = await self._collection.find_one({"_id": registration_id})
        return _registration(row) if row else None

    async def existing(self, ids: Collection[UUID]) -> set[UUID]:
        """Those of the ids that are registrations of this store."""
        cursor = self._collection.find({"_id": {"$in": [*ids]}}, {"_id": 1})
        return {row["_id"] async for row in cursor}

    async def list(
        self, *, course: UUID | None = None, actor_key: str | None = None, limit: int = 100
    ) -> list[Registration]:
        """Registrations that fit, newest first."""
        wanted = {"course": course, "actor_key": actor_key}
        condition = {name: value for name, value in wanted.items() if value is not None}
        cursor = self._collection.find(condition).sort([("created", -1), ("_id", -1)]).limit(limit)
        return [_registration(row) async for row in cursor]


def _listed(aus: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    # A list, because LMS ids hold dots, which field names had better not.
    return [{"au": au, **state} for au, state in aus.items()]


def _document(registration: Registration) -> dict[str, Any]:
    return {
        "_id": registration.id,
        "course": registration.course,
        "version": registration.version,
        "actor": dict(registration.actor),
        "actor_key": registration.actor_key,
        "created": registration.created,
        "revision": registration.revision,
        "aus": _listed(registration.aus),
        "satisfied": list(registration.satisfied),
        "overrides": registration.overrides,
    }


def _registration(row: Mapping[str, Any]) -> Registration:
    return Registration(
        id=row["_id"],
        course=row["course"],
        version=row["version"],
        actor=row["actor"],
        actor_key=row["actor_key"],
        created=row["created"],
        revision=row["revision"],
        aus={state["au"]: state for state in row["aus"]},
        satisfied=tuple(row["satisfied"]),
        overrides=bytes(row["overrides"]),
    )
