"""Registrations: a learner in a course, and how far that learner is.

Everything that bears on satisfaction is in this one document, and every change names the revision it was
decided on: of two changes at the same time one is `Contended` and is decided anew.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from pymongo import ReturnDocument
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from gateway.store.notices import Happening, Notices
from gateway.store.transactions import Contended, Transaction


class RegistrationState(StrEnum):
    """`started` once an AU was launched or waived, `satisfied` once the whole course is."""

    REGISTERED = "registered"
    STARTED = "started"
    SATISFIED = "satisfied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """`version` is that of the course which the learner takes, `root` the LMS id of the whole course. `aus`
    holds plain data for each AU that was touched, by its LMS id, `satisfied` the LMS ids of blocks and
    course, `overrides` JSON. `resets` is the registration that this one replaced. A `preview` is nobody's.
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
    root: str = ""
    tags: tuple[str, ...] = ()
    preview: bool = False
    resets: UUID | None = None
    updated: dt.datetime | None = None

    @property
    def state(self) -> RegistrationState:
        """How far it is, in one word."""
        return _state(self.root, self.aus, self.satisfied)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationFilter:
    """Which registrations a list holds; None is any. `updated_since` also orders it: oldest change first."""

    course: UUID | None = None
    actor_key: str | None = None
    state: RegistrationState | None = None
    tag: str | None = None
    updated_since: dt.datetime | None = None
    preview: bool = False

    def condition(self) -> dict[str, Any]:
        """What MongoDB looks for."""
        wanted: dict[str, Any] = {
            "course": self.course,
            "actor_key": self.actor_key,
            "state": self.state,
            "tags": self.tag,
            "preview": True if self.preview else {"$ne": True},
        }
        if self.updated_since is not None:
            wanted["updated"] = {"$gte": self.updated_since}
        return {name: value for name, value in wanted.items() if value is not None}


class Registrations:
    """The `registrations` collection of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]], notices: Notices) -> None:
        self._collection = database["registrations"]
        self._notices = notices

    async def insert(self, registration: Registration, transaction: Transaction | None = None) -> None:
        """Store a new registration; raises Contended if its id is taken."""
        try:
            await self._collection.insert_one(_document(registration), session=transaction)
        except DuplicateKeyError:
            raise Contended from None
        if transaction is not None:
            satisfied = [_satisfied(registration, node) for node in registration.satisfied]
            await self._notices.add(registration.id, satisfied, transaction)

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
            {
                "$set": {
                    "aus": _listed(aus),
                    "satisfied": list(satisfied),
                    "state": _state(registration.root, aus, satisfied),
                },
                "$inc": {"revision": 1},
                "$currentDate": {"updated": True},
            },
            session=transaction,
        )
        if result.matched_count == 0:
            raise Contended
        happened = [
            Happening(kind="waived", details={"au": au, "reason": state["waive_reason"]})
            for au, state in aus.items()
            if state["waived"] and not registration.aus.get(au, {}).get("waived")
        ]
        new = [node for node in satisfied if node not in registration.satisfied]
        happened += [_satisfied(registration, node) for node in new]
        await self._notices.add(registration.id, happened, transaction)

    async def describe(
        self, registration_id: UUID, changes: Mapping[str, Any], now: dt.datetime
    ) -> Registration | None:
        """Set `tags` or `overrides`; None if there is no such registration."""
        row = await self._collection.find_one_and_update(
            {"_id": registration_id},
            {"$set": {**changes, "updated": now}},
            return_document=ReturnDocument.AFTER,
        )
        return _registration(row) if row else None

    async def delete(self, registration: Registration, transaction: Transaction) -> None:
        """Remove a registration; raises Contended unless it is as it was read."""
        wanted = {"_id": registration.id, "revision": registration.revision}
        if (await self._collection.delete_one(wanted, session=transaction)).deleted_count == 0:
            raise Contended

    async def get(self, registration_id: UUID) -> Registration | None:
        row = await self._collection.find_one({"_id": registration_id})
        return _registration(row) if row else None

    async def existing(self, ids: Collection[UUID]) -> set[UUID]:
        """Those of the ids that are registrations of this store."""
        cursor = self._collection.find({"_id": {"$in": [*ids]}}, {"_id": 1})
        return {row["_id"] async for row in cursor}

    async def several(self, ids: Collection[UUID]) -> dict[UUID, Registration]:
        """Those of the registrations with these ids that are there."""
        rows = self._collection.find({"_id": {"$in": list(ids)}})
        return {row["_id"]: _registration(row) async for row in rows}

    async def of_learners(self, course: UUID, actor_keys: Collection[str]) -> dict[str, UUID]:
        """The latest registration for a course of each learner who has one."""
        rows = self._collection.find(
            {"course": course, "actor_key": {"$in": list(actor_keys)}, "preview": {"$ne": True}},
            {"actor_key": 1},
        )
        return {row["actor_key"]: row["_id"] async for row in rows.sort([("created", 1), ("_id", 1)])}

    async def count(self, course: UUID) -> int:
        """How many registrations a course has, previews not counted."""
        return await self._collection.count_documents({"course": course, "preview": {"$ne": True}})

    async def list(
        self,
        which: RegistrationFilter,
        *,
        after: tuple[dt.datetime, UUID] | None = None,
        limit: int = 100,
    ) -> list[Registration]:
        """Registrations that fit, newest first, or oldest change first; `after` is the last one of the page
        before.
        """
        cursor = self._found(which, after).limit(limit)
        return [_registration(row) async for row in cursor]

    async def each(self, which: RegistrationFilter) -> AsyncIterator[Registration]:
        """All registrations that fit, one at a time."""
        async for row in self._found(which, None).batch_size(500):
            yield _registration(row)

    def _found(
        self, which: RegistrationFilter, after: tuple[dt.datetime, UUID] | None
    ) -> AsyncCursor[dict[str, Any]]:
        conditions = [which.condition()]
        if which.updated_since is None:
            key, direction, beyond = "created", -1, "$lt"
        else:
            key, direction, beyond = "updated", 1, "$gt"
        if after is not None:
            time, identity = after
            conditions.append({key: {f"{beyond}e": time}})
            conditions.append({"$or": [{key: {beyond: time}}, {key: time, "_id": {beyond: identity}}]})
        return self._collection.find({"$and": conditions}).sort([(key, direction), ("_id", direction)])


def _state(root: str, aus: Mapping[str, Mapping[str, Any]], satisfied: Sequence[str]) -> RegistrationState:
    if root in satisfied:
        return RegistrationState.SATISFIED
    if any(au["sessions"] or au["waived"] for au in aus.values()):
        return RegistrationState.STARTED
    return RegistrationState.REGISTERED


def _satisfied(registration: Registration, node: str) -> Happening:
    return Happening(kind="satisfied", details={"satisfied": node, "whole": node == registration.root})


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
        "root": registration.root,
        "tags": list(registration.tags),
        "preview": registration.preview,
        "resets": registration.resets,
        "state": registration.state,
        "updated": registration.updated or registration.created,
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
        root=row.get("root", ""),
        tags=tuple(row.get("tags", ())),
        preview=row.get("preview", False),
        resets=row.get("resets"),
        updated=row.get("updated", row["created"]),
    )
