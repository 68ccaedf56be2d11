"""Sources: who answers for what sends statements, on which ground, and what it said that it would send."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a source may send: IRIs of verbs and activity types, keys of extensions."""

    verbs: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()

    def document(self) -> dict[str, list[str]]:
        return {one.name: list(getattr(self, one.name)) for one in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """What people wrote about a source. `id` is `adapter:NAME` or `credential:KEY`; `declared` is None where
    nobody said anything; `number` counts the changes.
    """

    id: str
    owner: str | None = None
    vendor: str | None = None
    purpose: str | None = None
    ground: str | None = None
    contract: str | None = None
    ends: dt.date | None = None
    data_class: str | None = None
    contact: str | None = None
    retention: str | None = None
    declared: Declared | None = None
    number: int = 0
    updated: dt.datetime | None = None
    by: str | None = None


_TEXTS = (
    "owner",
    "vendor",
    "purpose",
    "ground",
    "contract",
    "data_class",
    "contact",
    "retention",
    "updated",
    "by",
)


class Sources:
    """The `sources` collection of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["sources"]

    async def get(self, source: str) -> SourceRecord | None:
        row = await self._collection.find_one({"_id": source})
        return _record(row) if row else None

    async def all(self) -> dict[str, SourceRecord]:
        """Every record by the id of its source."""
        return {row["_id"]: _record(row) async for row in self._collection.find()}

    async def put(self, record: SourceRecord) -> bool:
        """Store a record in the place of the one with the number before it; False if that is not there."""
        document = _document(record)
        if record.number == 1:
            try:
                await self._collection.insert_one(document)
            except DuplicateKeyError:
                return False
            return True
        before = {"_id": record.id, "number": record.number - 1}
        return (await self._collection.replace_one(before, document)).matched_count == 1


def _document(record: SourceRecord) -> dict[str, Any]:
    return {
        "_id": record.id,
        **{name: getattr(record, name) for name in _TEXTS},
        "ends": record.ends.isoformat() if record.ends else None,
        "declared": record.declared.document() if record.declared else None,
        "number": record.number,
    }


def _record(row: Mapping[str, Any]) -> SourceRecord:
    declared = row["declared"]
    return SourceRecord(
        id=row["_id"],
        **{name: row[name] for name in _TEXTS},
        ends=dt.date.fromisoformat(row["ends"]) if row["ends"] else None,
        declared=Declared(**{kind: tuple(values) for kind, values in declared.items()}) if declared else None,
        number=row["number"],
    )
