"""Documents of the State, Activity Profile and Agent Profile resources: bytes under a key, with an entity
tag.

Every change names the entity tag it expects, and MongoDB decides: of two clients that change one document at
the same time, one succeeds and the other is told. The `_id` is a digest of what a document belongs to and of
its own id, so that one document is one look-up, on a sharded cluster too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DocumentTooLarge, DuplicateKeyError, OperationFailure

from gateway.errors import TooLarge
from gateway.store.statements import TOO_LARGE
from gateway.store.transactions import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a set of documents belongs to. `agent` is an agent key; when listing, None stands for any."""

    kind: str
    activity: str | None = None
    agent: str | None = None
    registration: str | None = None

    def key(self, document: str) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "activity": self.activity,
            "agent": self.agent,
            "registration": self.registration,
            "document": document,
        }

    def identity(self, document: str) -> bytes:
        """The `_id` of a document."""
        return blake2b(orjson.dumps(list(self.key(document).values())), digest_size=20).digest()

    def condition(self) -> dict[str, Any]:
        condition: dict[str, Any] = {"kind": self.kind}
        for name in ("activity", "agent", "registration"):
            if (value := getattr(self, name)) is not None:
                condition[name] = value
        return condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    content: bytes
    content_type: str
    etag: str
    modified: dt.datetime


class Documents:
    """The `documents` collection of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["documents"]

    async def get(self, context: Context, document: str) -> Document | None:
        row = await self._collection.find_one({"_id": context.identity(document)})
        return _read(row) if row else None

    async def create(self, context: Context, document: str, new: Document) -> bool:
        """Store a document where there is none; False if there is one."""
        try:
            with _sized():
                identity = {"_id": context.identity(document)}
                await self._collection.insert_one(identity | context.key(document) | _fields(new))
        except DuplicateKeyError:
            return False
        return True

    async def replace(self, context: Context, document: str, new: Document, expected: str) -> bool:
        """Replace the document that has the entity tag `expected`; False if it has another one or is gone."""
        condition = {"_id": context.identity(document), "etag": expected}
        with _sized():
            result = await self._collection.update_one(condition, {"$set": _fields(new)})
        return result.matched_count == 1

    async def write(self, context: Context, document: str, new: Document, transaction: Transaction) -> None:
        """Store or replace a document whatever was there: for those that only the gateway may write."""
        await self._collection.update_one(
            {"_id": context.identity(document)},
            {"$set": _fields(new), "$setOnInsert": context.key(document)},
            upsert=True,
            session=transaction,
        )

    async def delete(self, context: Context, document: str, expected: str) -> bool:
        """Delete the document that has the entity tag `expected`; False if it has another one or is gone."""
        result = await self._collection.delete_one({"_id": context.identity(document), "etag": expected})
        return result.deleted_count == 1

    async def delete_all(self, context: Context, *, keep: frozenset[str] = frozenset()) -> None:
        """Delete every document of the context, except those with an id in `keep`."""
        condition = context.condition()
        if keep:
            condition["document"] = {"$nin": sorted(keep)}
        await self._collection.delete_many(condition)

    async def list(self, context: Context, since: dt.datetime | None) -> tuple[list[str], dt.datetime | None]:
        """Distinct ids of documents changed after `since`, and the time of the latest change."""
        condition: dict[str, Any] = context.condition()
        if since is not None:
            condition["modified"] = {"$gt": since}
        latest: dt.datetime | None = None
        ids: dict[str, None] = {}
        projection: Mapping[str, int] = {"document": 1, "modified": 1, "_id": 0}
        cursor = self._collection.find(condition, projection).hint(context.kind)
        async for row in cursor.sort([("modified", 1), ("_id", 1)]):
            ids[row["document"]] = None
            latest = row["modified"]
        return list(ids), latest


@contextmanager
def _sized() -> Iterator[None]:
    """Raises TooLarge where MongoDB, or its driver, refuses a document for its size."""
    try:
        yield
    except (DocumentTooLarge, OperationFailure) as error:
        if isinstance(error, OperationFailure) and error.code not in TOO_LARGE:
            raise
        raise TooLarge("the document is too large for the database, which takes up to 16 MiB") from None


def _fields(document: Document) -> dict[str, Any]:
    return {
        "content": document.content,
        "content_type": document.content_type,
        "etag": document.etag,
        "modified": document.modified,
    }


def _read(row: Mapping[str, Any]) -> Document:
    return Document(
        content=bytes(row["content"]),
        content_type=row["content_type"],
        etag=row["etag"],
        modified=row["modified"],
    )
