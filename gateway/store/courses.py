"""Courses and their versions: what was imported, as the structure that launches read.

A version never changes once it is there, so whoever read it may keep it. The course document says which
version is the current one and what an administrator changed about all of them. A course that is being
deleted is there for nobody any more, except for whoever deletes it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DocumentTooLarge, DuplicateKeyError

from gateway.errors import NotFound, TooLarge
from gateway.store.transactions import Transaction, transact


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCourse:
    """`title` is a language map, `name` what an administrator calls the course instead, `version` the current
    version's id, `overrides` JSON.
    """

    id: UUID
    publisher_id: str
    title: Mapping[str, str]
    version: UUID
    number: int
    created: dt.datetime
    updated: dt.datetime
    overrides: bytes = b"{}"
    name: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseVersion:
    """`number` counts from 1 in each course. `structure` is plain data; `size` the bytes of its files."""

    id: UUID
    course: UUID
    number: int
    structure: Mapping[str, Any]
    packaged: bool
    files: int
    size: int
    created: dt.datetime
    warnings: tuple[Mapping[str, str], ...] = ()


_STAYS: Mapping[str, Any] = {"deleting": {"$exists": False}}


class Courses:
    """The `courses` and `course_versions` collections of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._client = database.client
        self._courses = database["courses"]
        self._versions = database["course_versions"]

    # -- commands ----------------------------------------------------------------------------------------

    async def create(self, course: StoredCourse, version: CourseVersion) -> None:
        """Store a new course with its first version. Raises TooLarge."""

        async def write(transaction: Transaction) -> None:
            await self._insert_version(version, transaction)
            await self._courses.insert_one(_course_document(course), session=transaction)

        await transact(self._client, write)

    async def add_version(self, version: CourseVersion, title: Mapping[str, str]) -> bool:
        """Make `version` the current one; False if another version has that number. Raises TooLarge, and
        NotFound for a course that is gone.
        """

        async def write(transaction: Transaction) -> None:
            await self._insert_version(version, transaction)
            change = {
                "version": version.id,
                "number": version.number,
                "title": dict(title),
                "updated": version.created,
                **_titles(title),
            }
            there = {"_id": version.course, **_STAYS}
            changed = await self._courses.update_one(there, {"$set": change}, session=transaction)
            if changed.matched_count == 0:
                raise NotFound(f"the course {version.course} was deleted")

        try:
            await transact(self._client, write)
        except DuplicateKeyError:
            return False
        return True

    async def override(self, course_id: UUID, overrides: bytes, now: dt.datetime) -> StoredCourse | None:
        """Replace what applies to every launch of the course; None if there is no such course."""
        row = await self._courses.find_one_and_update(
            {"_id": course_id, **_STAYS},
            {"$set": {"overrides": overrides, "updated": now}},
            return_document=ReturnDocument.AFTER,
        )
        return _course(row) if row else None

    async def select(self, version: CourseVersion, title: Mapping[str, str], now: dt.datetime) -> None:
        """Make a version that is there the current one again."""
        change = {"version": version.id, "number": version.number, "title": dict(title), "updated": now}
        await self._courses.update_one({"_id": version.course}, {"$set": {**change, **_titles(title)}})

    async def describe(
        self, course_id: UUID, changes: Mapping[str, Any], now: dt.datetime
    ) -> StoredCourse | None:
        """Set `name` or `tags`; None if there is no such course."""
        row = await self._courses.find_one_and_update(
            {"_id": course_id, **_STAYS},
            {"$set": {**changes, "updated": now}},
            return_document=ReturnDocument.AFTER,
        )
        return _course(row) if row else None

    async def begin_deletion(self, course_id: UUID, now: dt.datetime) -> bool:
        """Let a course be there for nobody any more; False if it is not there."""
        change = {"$set": {"deleting": now}}
        return (await self._courses.update_one({"_id": course_id, **_STAYS}, change)).matched_count == 1

    async def end_deletion(self, course_id: UUID) -> None:
        """Let it be there again."""
        await self._courses.update_one({"_id": course_id}, {"$unset": {"deleting": ""}})

    async def renew_deletion(self, course_id: UUID, since: dt.datetime) -> None:
        """Say when somebody last was at it."""
        await self._courses.update_one(
            {"_id": course_id, "deleting": {"$exists": True}}, {"$set": {"deleting": since}}
        )

    async def take_over_deletion(self, idle_since: dt.datetime, now: dt.datetime) -> UUID | None:
        """A course that is being deleted, and at which nobody was since a time: it is the caller's now."""
        row = await self._courses.find_one_and_update(
            {"deleting": {"$lte": idle_since}}, {"$set": {"deleting": now}}, projection={"_id": 1}
        )
        return row["_id"] if row else None

    async def delete(self, course_id: UUID, transaction: Transaction) -> list[UUID]:
        """Remove a course and its versions; the ids of these."""
        rows = self._versions.find({"course": course_id}, {"_id": 1}, session=transaction)
        versions = [row["_id"] async for row in rows]
        await self._versions.delete_many({"course": course_id}, session=transaction)
        await self._courses.delete_one({"_id": course_id}, session=transaction)
        return versions

    async def _insert_version(self, version: CourseVersion, transaction: Transaction) -> None:
        try:
            await self._versions.insert_one(_version_document(version), session=transaction)
        except DocumentTooLarge:
            raise TooLarge("the course structure has more blocks and AUs than can be stored") from None

    # -- queries -----------------------------------------------------------------------------------------

    async def get(self, course_id: UUID) -> StoredCourse | None:
        row = await self._courses.find_one({"_id": course_id, **_STAYS})
        return _course(row) if row else None

    async def version(self, version_id: UUID) -> CourseVersion | None:
        row = await self._versions.find_one({"_id": version_id})
        return _version(row) if row else None

    async def numbered(self, course_id: UUID, number: int) -> CourseVersion | None:
        """The version of a course with this number."""
        row = await self._versions.find_one({"course": course_id, "number": number})
        return _version(row) if row else None

    async def versions(self, course_id: UUID) -> list[CourseVersion]:
        """All versions of a course without their structures, the newest first."""
        cursor = self._versions.find({"course": course_id}, {"structure": 0}).sort("number", -1)
        return [_version({**row, "structure": {}}) async for row in cursor]

    async def latest(self, course_id: UUID) -> CourseVersion | None:
        """The version of a course that was imported last, whichever is current."""
        row = await self._versions.find_one({"course": course_id}, sort=[("number", -1)])
        return _version(row) if row else None

    async def list(
        self,
        *,
        search: str | None = None,
        tag: str | None = None,
        after: tuple[dt.datetime, UUID] | None = None,
        limit: int = 100,
    ) -> list[StoredCourse]:
        """Courses, newest first; with `search` those whose name, title or publisher id holds that text, with
        `tag` those that have it. `after` is the last one of the page before.
        """
        conditions: list[dict[str, Any]] = [{**_STAYS}]
        if search and "\0" in search:
            return []  # nothing holds it, and a pattern cannot
        if search:
            holds = {"$regex": re.escape(search), "$options": "i"}
            conditions.append({"$or": [{"titles": holds}, {"name": holds}, {"publisher_id": holds}]})
        if tag is not None:
            conditions.append({"tags": tag})
        if after is not None:
            time, identity = after
            conditions.append({"created": {"$lte": time}})
            conditions.append(
                {"$or": [{"created": {"$lt": time}}, {"created": time, "_id": {"$lt": identity}}]}
            )
        found = self._courses.find({"$and": conditions})
        cursor = found.sort([("created", -1), ("_id", -1)]).limit(limit)
        return [_course(row) async for row in cursor]


def _titles(title: Mapping[str, str]) -> dict[str, Any]:
    return {"titles": list(title.values())}


def _course_document(course: StoredCourse) -> dict[str, Any]:
    return {
        "_id": course.id,
        "publisher_id": course.publisher_id,
        "title": dict(course.title),
        **_titles(course.title),
        "version": course.version,
        "number": course.number,
        "created": course.created,
        "updated": course.updated,
        "overrides": course.overrides,
        "name": course.name,
        "tags": list(course.tags),
    }


def _course(row: Mapping[str, Any]) -> StoredCourse:
    return StoredCourse(
        id=row["_id"],
        publisher_id=row["publisher_id"],
        title=row["title"],
        version=row["version"],
        number=row["number"],
        created=row["created"],
        updated=row["updated"],
        overrides=bytes(row["overrides"]),
        name=row.get("name"),
        tags=tuple(row.get("tags", ())),
    )


def _version_document(version: CourseVersion) -> dict[str, Any]:
    return {
        "_id": version.id,
        "course": version.course,
        "number": version.number,
        "structure": dict(version.structure),
        "packaged": version.packaged,
        "files": version.files,
        "size": version.size,
        "created": version.created,
        "warnings": [dict(warning) for warning in version.warnings],
    }


def _version(row: Mapping[str, Any]) -> CourseVersion:
    return CourseVersion(
        id=row["_id"],
        course=row["course"],
        number=row["number"],
        structure=row["structure"],
        packaged=row["packaged"],
        files=row["files"],
        size=row["size"],
        created=row["created"],
        warnings=tuple(row["warnings"]),
    )
