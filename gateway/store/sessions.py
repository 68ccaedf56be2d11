"""Sessions: one launch of one AU each, from the fetch key to its end.

At most one session of a registration is open; a unique index says so. Fetch keys and tokens are kept as
hashes only. Changes name the state they expect, and MongoDB decides.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from gateway.store.notices import Happening, Notices
from gateway.store.transactions import Contended, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`au` is the AU's LMS id, `launch_data` the JSON of its LMS.LaunchData, `used` the verbs of its defined
    statements. `initialized_at` and `latest_at` are statement timestamps in microseconds, `last_statement` is
    when the last one arrived, `statements` how many did. `reason` says why an abandoned session ended. A
    `preview` is no learner's.
    """

    id: UUID
    registration: UUID
    course: UUID
    version: UUID
    au: str
    state: str
    mode: str
    actor: Mapping[str, Any]
    launch_data: bytes
    fetch_key: str
    launched: dt.datetime
    last_seen: dt.datetime
    token: str | None = None
    authorized: dt.datetime | None = None
    used: frozenset[str] = field(default=frozenset())
    preferences_requested: bool = False
    initialized_at: int | None = None
    latest_at: int | None = None
    last_statement: dt.datetime | None = None
    statements: int = 0
    ended: dt.datetime | None = None
    reason: str | None = None
    preview: bool = False


# What an AU reports and others are told, in the order in which it can happen.
_TOLD = ("initialized", "completed", "passed", "failed", "terminated")


class Sessions:
    """The `sessions` collection of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]], notices: Notices) -> None:
        self._collection = database["sessions"]
        self._notices = notices

    # -- commands ----------------------------------------------------------------------------------------

    async def insert(self, session: Session, transaction: Transaction) -> None:
        """Store a new, open session; raises Contended if its registration has an open one."""
        document = {
            "_id": session.id,
            "registration": session.registration,
            "course": session.course,
            "version": session.version,
            "au": session.au,
            "open": True,
            "state": session.state,
            "mode": session.mode,
            "actor": dict(session.actor),
            "launch_data": session.launch_data,
            "fetch_key": session.fetch_key,
            "launched": session.launched,
            "last_seen": session.last_seen,
            "used": [],
            "preferences_requested": False,
            "statements": 0,
            "preview": session.preview,
        }
        try:
            await self._collection.insert_one(document, session=transaction)
        except DuplicateKeyError:
            raise Contended from None
        await self._tell(session, ["launched"], transaction)

    async def authorize(
        self, fetch_key: str, *, token: str, before: str, after: str, now: dt.datetime
    ) -> Session | None:
        """Hand out the token, once: None unless a session with this fetch key is in the state `before`."""
        row = await self._collection.find_one_and_update(
            {"fetch_key": fetch_key, "state": before},
            {"$set": {"state": after, "token": token, "authorized": now, "last_seen": now}},
            return_document=ReturnDocument.AFTER,
        )
        return _session(row) if row else None

    async def note_statements(
        self, session: Session, transaction: Transaction, *, now: dt.datetime, after: Session
    ) -> None:
        """Move on to `after`, which has had more statements.

        Raises Contended unless the session still is in the state in which it was read.
        """
        change: dict[str, Any] = {
            "$inc": {"statements": after.statements - session.statements},
            "$max": {"last_statement": now, "last_seen": now},
        }
        if after.latest_at is not None:
            change["$max"]["latest_at"] = after.latest_at
        if (after.state, after.used) != (session.state, session.used):
            change["$set"] = {
                "state": after.state,
                "used": sorted(after.used),
                "initialized_at": after.initialized_at,
                "open": after.ended is None,
                "ended": after.ended,
            }
        result = await self._collection.update_one(
            {"_id": session.id, "state": session.state}, change, session=transaction
        )
        if result.matched_count == 0:
            raise Contended
        new = {verb.rpartition("/")[2] for verb in after.used - session.used}
        await self._tell(session, [verb for verb in _TOLD if verb in new], transaction)

    async def abandon(
        self, session: Session, transaction: Transaction, *, state: str, now: dt.datetime, reason: str
    ) -> None:
        """End a session; raises Contended unless it is as it was read, down to the number of statements."""
        result = await self._collection.update_one(
            {"_id": session.id, "state": session.state, "statements": session.statements},
            {"$set": {"state": state, "open": False, "ended": now, "reason": reason}},
            session=transaction,
        )
        if result.matched_count == 0:
            raise Contended
        await self._tell(session, ["abandoned"], transaction, reason=reason)

    async def _tell(
        self, session: Session, kinds: Sequence[str], transaction: Transaction, **details: str
    ) -> None:
        about = {"au": session.au, "session": session.id, "mode": session.mode, **details}
        happened = [Happening(kind=kind, details=about) for kind in kinds]
        await self._notices.add(session.registration, happened, transaction)

    async def delete_of(self, registration: UUID, transaction: Transaction) -> list[UUID]:
        """Remove the sessions of a registration; their ids. Raises Contended if one of them is open."""
        rows = self._collection.find({"registration": registration}, {"open": 1}, session=transaction)
        found = {row["_id"]: row["open"] async for row in rows}
        if any(found.values()):
            raise Contended
        await self._collection.delete_many({"registration": registration}, session=transaction)
        return list(found)

    async def note_preferences(self, session_id: UUID) -> None:
        """Remember that the AU asked for the learner's preferences."""
        await self._collection.update_one({"_id": session_id}, {"$set": {"preferences_requested": True}})

    async def note_use(self, seen: Mapping[UUID, dt.datetime]) -> None:
        """Remember when sessions were last used; called now and then, not on every request."""
        for session_id, time in seen.items():
            await self._collection.update_one({"_id": session_id}, {"$max": {"last_seen": time}})

    # -- queries -----------------------------------------------------------------------------------------

    async def get(self, session_id: UUID) -> Session | None:
        row = await self._collection.find_one({"_id": session_id})
        return _session(row) if row else None

    async def by_fetch_key(self, fetch_key: str) -> Session | None:
        row = await self._collection.find_one({"fetch_key": fetch_key})
        return _session(row) if row else None

    async def open_of(self, registration: UUID) -> Session | None:
        """The open session of a registration."""
        row = await self._collection.find_one({"registration": registration, "open": True})
        return _session(row) if row else None

    async def lapsed(
        self, *, silent_since: dt.datetime, launched_before: dt.datetime, limit: int = 100
    ) -> list[Session]:
        """Open sessions that were not used since a time, or are older than another."""
        found: dict[UUID, Session] = {}
        bounds = (("last_seen", silent_since, "silent"), ("launched", launched_before, "open_by_launched"))
        for key, bound, index in bounds:
            # The indexes of open sessions alone; others have all there ever were.
            cursor = self._collection.find({"open": True, key: {"$lte": bound}}).hint(index)
            cursor = cursor.sort(key).limit(limit)
            found |= {row["_id"]: _session(row) async for row in cursor}
        return list(found.values())

    async def list(
        self,
        *,
        registration: UUID | None = None,
        course: UUID | None = None,
        only_open: bool = False,
        preview: bool = False,
        after: tuple[dt.datetime, UUID] | None = None,
        limit: int = 100,
    ) -> list[Session]:
        """Sessions that fit, the latest launch first; `after` is the last one of the page before.

        Either those of learners or, with `preview`, those of previews; of one `registration` whatever it is.
        """
        condition: dict[str, Any] = {"preview": True if preview else {"$ne": True}}
        index = "by_launched"
        if only_open:
            condition["open"], index = True, "open_by_launched"
        if course is not None:
            condition["course"] = course
            index = "open_by_course" if only_open else "by_course"
        if registration is not None:
            condition["registration"], index = registration, "by_registration"
            del condition["preview"]
        if after is not None:
            time, identity = after
            condition["launched"] = {"$lte": time}
            condition["$or"] = [{"launched": {"$lt": time}}, {"launched": time, "_id": {"$lt": identity}}]
        cursor = self._collection.find(condition).hint(index)
        cursor = cursor.sort([("launched", -1), ("_id", -1)]).limit(limit)
        return [_session(row) async for row in cursor]


def _session(row: Mapping[str, Any]) -> Session:
    return Session(
        id=row["_id"],
        registration=row["registration"],
        course=row["course"],
        version=row["version"],
        au=row["au"],
        state=row["state"],
        mode=row["mode"],
        actor=row["actor"],
        launch_data=bytes(row["launch_data"]),
        fetch_key=row["fetch_key"],
        launched=row["launched"],
        last_seen=row["last_seen"],
        token=row.get("token"),
        authorized=row.get("authorized"),
        used=frozenset(row["used"]),
        preferences_requested=row["preferences_requested"],
        initialized_at=row.get("initialized_at"),
        latest_at=row.get("latest_at"),
        last_statement=row.get("last_statement"),
        statements=row["statements"],
        ended=row.get("ended"),
        reason=row.get("reason"),
        preview=row.get("preview", False),
    )
