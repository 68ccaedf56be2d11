"""The files of course packages, in GridFS: written once under a version's id, read in ranges.

The id of a file is `<version>/<path>`, so a version cannot hold a path twice, and finding one is a look-up.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Final
from uuid import UUID

from pymongo.asynchronous.database import AsyncDatabase

BUCKET: Final = "course_files"
_CHUNK: Final = 255 * 1024
_CHUNKS_AT_ONCE: Final = 8  # of each file that is being written; so much of it is in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseFile:
    """`size` in bytes; `chunk` is how many of them one chunk has."""

    id: str
    size: int
    chunk: int
    stored: dt.datetime


class CourseFiles:
    """The `course_files` bucket of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._files = database[f"{BUCKET}.files"]
        self._chunks = database[f"{BUCKET}.chunks"]
        self._uploads = database["course_uploads"]

    async def begin(self, version: UUID, now: dt.datetime) -> None:
        """Note that the files of a version are coming, so that they are found if the process dies."""
        await self._uploads.insert_one({"_id": version, "begun": now})

    async def doom(self, version: UUID, now: dt.datetime) -> None:
        """Note that the files of a version are about to be removed, for the same reason."""
        await self._uploads.update_one({"_id": version}, {"$set": {"begun": now}}, upsert=True)

    async def end(self, version: UUID) -> None:
        """The version is there, with all its files."""
        await self._uploads.delete_one({"_id": version})

    async def unfinished(self, begun_before: dt.datetime) -> list[UUID]:
        """Versions whose upload began before a time and did not end."""
        return [row["_id"] async for row in self._uploads.find({"begun": {"$lt": begun_before}})]

    async def write(self, version: UUID, path: str, content: AsyncIterator[bytes]) -> int:
        """Store a file; its size in bytes. When `content` raises, nothing of the file is kept."""
        identity, size, rest, waiting = _id(version, path), 0, bytearray(), list[dict[str, Any]]()
        numbers = count()

        async def flush(up_to: int) -> None:
            # Bucket streams would hold up to 48 MB of a file back before they write any of it.
            while len(rest) >= up_to and rest:
                waiting.append({"files_id": identity, "n": next(numbers), "data": bytes(rest[:_CHUNK])})
                del rest[:_CHUNK]
            if waiting and (len(waiting) >= _CHUNKS_AT_ONCE or up_to < _CHUNK):
                await self._chunks.insert_many(waiting)
                waiting.clear()

        try:
            async for part in content:
                size += len(part)
                rest += part
                await flush(_CHUNK)
            await flush(0)
            now = dt.datetime.now(dt.UTC)
            row = {"length": size, "chunkSize": _CHUNK, "uploadDate": now, "filename": path}
            await self._files.insert_one({"_id": identity, **row, "metadata": {"version": version}})
        except BaseException:
            await self._chunks.delete_many({"files_id": identity})
            raise
        return size

    async def discard(self, version: UUID) -> None:
        """Remove every file of a version."""
        prefix = {"$gte": _id(version, ""), "$lt": _id(version, "") + "\U0010ffff"}
        await self._files.delete_many({"_id": prefix})
        await self._chunks.delete_many({"files_id": prefix})
        await self.end(version)

    async def find(self, version: UUID, path: str) -> CourseFile | None:
        row = await self._files.find_one({"_id": _id(version, path)})
        return _file(row) if row else None

    async def all(self, version: UUID) -> list[tuple[str, CourseFile]]:
        """The files of a version by path, in alphabetical order."""
        prefix = {"$gte": _id(version, ""), "$lt": _id(version, "") + "\U0010ffff"}
        return [(row["filename"], _file(row)) async for row in self._files.find({"_id": prefix}).sort("_id")]

    async def read(self, file: CourseFile, start: int, stop: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to, not including, `stop`."""
        if start >= stop:
            return
        wanted = {"$gte": start // file.chunk, "$lte": (stop - 1) // file.chunk}
        cursor = self._chunks.find({"files_id": file.id, "n": wanted}).sort("n").batch_size(4)
        async for row in cursor:
            begin = row["n"] * file.chunk
            yield bytes(row["data"][max(0, start - begin) : stop - begin])


def _file(row: Mapping[str, Any]) -> CourseFile:
    return CourseFile(id=row["_id"], size=row["length"], chunk=row["chunkSize"], stored=row["uploadDate"])


def _id(version: UUID, path: str) -> str:
    return f"{version}/{path}"
