"""Attachment data by hash: stored once, however many statements refer to it.

`attachments` says what is there; data beyond `INLINE` bytes is in the GridFS file that it names. The document
is written in the transaction that stores the statements, so data is there exactly if a statement needed it.
Large data is uploaded before, to a file of its own, so that neither a broken upload nor two at the same time
can damage what is listed. `discard` removes the files that no document came to name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bson import ObjectId
from gridfs.asynchronous import AsyncGridFSBucket
from pymongo.asynchronous.database import AsyncDatabase

from gateway.store.transactions import Transaction

INLINE = 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Attachment:
    """Data to be stored under its hash (lower-case hex)."""

    sha2: str
    body: bytes


class Attachments:
    """The `attachments` collection of one store and its GridFS bucket."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["attachments"]
        self._large = AsyncGridFSBucket(database, bucket_name="attachment_data")

    async def upload_large(self, attachments: Iterable[Attachment]) -> dict[str, ObjectId]:
        """Bring in what is too large for a document and not there yet; its files by hash, for `add`."""
        large = [attachment for attachment in attachments if len(attachment.body) > INLINE]
        known = await self.stored(attachment.sha2 for attachment in large) if large else set()
        return {
            attachment.sha2: await self._large.upload_from_stream(attachment.sha2, attachment.body)
            for attachment in large
            if attachment.sha2 not in known
        }

    async def discard(self, files: Mapping[str, ObjectId]) -> None:
        """Remove the uploaded files that are not listed: their request was refused, or another was faster."""
        rows = self._collection.find({"_id": {"$in": list(files)}}, {"file": 1})
        listed = {row.get("file") async for row in rows}
        for file in files.values():
            if file not in listed:
                await self._large.delete(file)

    async def add(
        self, attachments: Iterable[Attachment], files: Mapping[str, ObjectId], within: Transaction
    ) -> None:
        """List attachments as stored, with their data where it is small enough, else with their file."""
        for attachment in attachments:
            document: dict[str, Any] = {"length": len(attachment.body)}
            if len(attachment.body) <= INLINE:
                document["content"] = attachment.body
            elif attachment.sha2 in files:
                document["file"] = files[attachment.sha2]
            else:
                continue  # listed when it was looked up, and nothing is ever taken from the list
            await self._collection.update_one(
                {"_id": attachment.sha2}, {"$setOnInsert": document}, upsert=True, session=within
            )

    async def stored(self, hashes: Iterable[str]) -> set[str]:
        """Which of these hashes have data."""
        return set(await self.lengths(hashes))

    async def lengths(self, hashes: Iterable[str]) -> dict[str, int]:
        """How many bytes there are under these hashes; those without data are left out."""
        cursor = self._collection.find({"_id": {"$in": list(hashes)}}, {"length": 1})
        return {row["_id"]: row["length"] async for row in cursor}

    async def read(self, sha2: str) -> AsyncIterator[bytes]:
        """The data of a stored attachment in chunks."""
        row = await self._collection.find_one({"_id": sha2})
        if row is None:
            return
        if "content" in row:
            yield bytes(row["content"])
            return
        async with await self._large.open_download_stream(row["file"]) as stream:
            async for chunk in stream:
                yield bytes(chunk)
