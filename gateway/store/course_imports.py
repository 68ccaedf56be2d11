"""Imports that go on after their request was answered: how far they are, and what became of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pymongo.asynchronous.database import AsyncDatabase

_KEPT = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseImport:
    """`course` is the one that gets a new version. `files` of `of` are stored. `seen` is when its process
    last said that it is alive. `outcome` is JSON: the imported course, or the error.
    """

    id: UUID
    state: str
    created: dt.datetime
    seen: dt.datetime
    course: UUID | None = None
    files: int = 0
    of: int | None = None
    outcome: bytes | None = None


class CourseImports:
    """The `course_imports` collection of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["course_imports"]

    async def insert(self, job: CourseImport) -> None:
        await self._collection.insert_one(
            {
                "_id": job.id,
                "state": job.state,
                "created": job.created,
                "seen": job.seen,
                "course": job.course,
                "files": job.files,
                "of": job.of,
                "expires": job.created + _KEPT,
            }
        )

    async def note(self, job: UUID, *, files: int, of: int | None, now: dt.datetime) -> None:
        """The import is alive, and this far."""
        change = {"state": "running", "files": files, "of": of, "seen": now}
        await self._collection.update_one({"_id": job, "outcome": {"$exists": False}}, {"$set": change})

    async def finish(self, job: UUID, *, state: str, outcome: bytes, now: dt.datetime) -> None:
        """The import is over."""
        change = {"state": state, "outcome": outcome, "seen": now}
        await self._collection.update_one({"_id": job}, {"$set": change})

    async def get(self, job: UUID) -> CourseImport | None:
        row: Mapping[str, Any] | None = await self._collection.find_one({"_id": job})
        if row is None:
            return None
        outcome = row.get("outcome")
        return CourseImport(
            id=row["_id"],
            state=row["state"],
            created=row["created"],
            seen=row["seen"],
            course=row["course"],
            files=row["files"],
            of=row["of"],
            outcome=None if outcome is None else bytes(outcome),
        )
