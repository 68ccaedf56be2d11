"""Attachment data by hash: stored once, however many statements refer to it.

`attachments` says what is there; data beyond `INLINE` bytes is in GridFS under the same hash. The document is
written in the transaction that stores the statements, so data is there exactly if a statement needed it.
Large data is uploaded before: should its statement then be refused, it stays behind unlisted, and serves
whoever brings it again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

from gridfs.asynchronous import AsyncGridFSBucket
from gridfs.errors import FileExists
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

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

    async def upload_large(self, attachments: Iterable[Attachment]) -> None:
        """Bring in what is too large for a document; to be followed by `add`."""
        for attachment in attachments:
            if len(attachment.body) > INLINE:
                try:
                    await self._large.upload_from_stream_with_id(
                        attachment.sha2, attachment.sha2, attachment.body
                    )
                except (FileExists, DuplicateKeyError):
                    continue

    async def add(self, attachments: Iterable[Attachment], within: Transaction) -> None:
        """List attachments as stored, with their data where it is small enough."""
        for attachment in attachments:
            document: dict[str, Any] = {"length": len(attachment.body)}
            if len(attachment.body) <= INLINE:
                document["content"] = attachment.body
            await self._collection.update_one(
                {"_id": attachment.sha2}, {"$setOnInsert": document}, upsert=True, session=within
            )

    async def stored(self, hashes: Iterable[str]) -> set[str]:
        """Which of these hashes have data."""
        cursor = self._collection.find({"_id": {"$in": list(hashes)}}, {"_id": 1})
        return {row["_id"] async for row in cursor}

    async def read(self, sha2: str) -> AsyncIterator[bytes]:
        """The data of a stored attachment in chunks."""
        row = await self._collection.find_one({"_id": sha2})
        if row is None:
            return
        if "content" in row:
            yield bytes(row["content"])
            return
        async with await self._large.open_download_stream(sha2) as stream:
            async for chunk in stream:
                yield bytes(chunk)
