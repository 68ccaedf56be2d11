"""Counts of statements by day and month, and how far the statements have been counted.

A cell of `report_cells` is `{_id, g, p, s, c, k, n, v, sum, learners}`: in generation `g`, in the period `p`
(`2026-01` or `2026-01-31`), of source `s` and course `c` (null: of any), of the kind `k`, there were `n`
statements that stand and `v` that were voided. Cells are changed together with the place up to which
statements are counted, in one transaction, and only by who saw that place last: whatever is killed in
between, each statement counts once.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import UUID

from pymongo import ReturnDocument, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from gateway.store.indexes import statement_index
from gateway.store.transactions import Contended, Transaction, transact

_STATE = "state"
_FIELDS = (
    *("stored", "ref", "voids", "source", "agents", "verbs", "statement.actor", "statement.verb.id"),
    *("statement.object.id", "statement.object.objectType", "statement.object.definition.type"),
    *("statement.context.registration", "statement.context.contextActivities", "statement.timestamp"),
    "statement.result.score.scaled",
)
_PROJECTION = dict.fromkeys(_FIELDS, 1)
_NOWHERE = UUID(int=0)
_DELETED_AT_ONCE = 5_000

Row = Mapping[str, Any]


class CellKey(NamedTuple):
    """What a cell counts; a source or course of None is any."""

    period: str
    source: str | None
    course: str | None
    kind: str

    def id(self, generation: int) -> bytes:
        text = "\0".join((str(generation), *("*" if part is None else f"={part}" for part in self)))
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@dataclass(slots=True, kw_only=True)
class Change:
    """What is added to a cell; `learners` are hashes of who is behind it."""

    standing: int = 0
    voided: int = 0
    total: int = 0
    learners: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell as it is stored; `learners` as `gateway.services.learners` packs them."""

    key: CellKey
    standing: int
    voided: int
    total: int
    learners: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How far statements have been counted: all up to (`stored`, `id`) in stored order, `number` of them.

    `meaning` is what the cells were counted by; another one needs another generation.
    """

    generation: int
    meaning: str
    stored: int
    id: UUID
    number: int


class Reports:
    """The collections `report_cells` and `report_state` of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._client = database.client
        self._statements = database["statements"]
        self._registrations = database["registrations"]
        self._known = database["report_registrations"]
        self._cells = database["report_cells"]
        self._state = database["report_state"]

    # -- how far -----------------------------------------------------------------------------------------

    async def counted(self) -> Counted | None:
        """How far it is counted; None before the first time."""
        row = await self._state.find_one({"_id": _STATE})
        return _counted(row) if row else None

    async def begin(self, meaning: str, *, after: int) -> Counted:
        """Count from the start, in the generation behind `after`, unless somebody else has begun it."""
        fresh = {
            "generation": after + 1,
            "meaning": meaning,
            "stored": 0,
            "id": _NOWHERE,
            "number": 0,
        }
        if after:
            await self._state.update_one({"_id": _STATE, "generation": after}, {"$set": fresh})
        else:
            await self._state.update_one({"_id": _STATE}, {"$setOnInsert": fresh}, upsert=True)
        found = await self.counted()
        assert found is not None
        return found

    async def claim(self, worker: UUID, lease: dt.timedelta) -> bool:
        """Whether this worker is the one that counts, for the time of the lease from now on."""
        free = {"$lte": [{"$ifNull": ["$lease.until", dt.datetime.fromtimestamp(0, dt.UTC)]}, "$$NOW"]}
        mine = {"$eq": ["$lease.by", worker]}
        row = await self._state.find_one_and_update(
            {"_id": _STATE, "$expr": {"$or": [mine, free]}},
            [
                {
                    "$set": {
                        "lease": {
                            "by": worker,
                            "until": {"$add": ["$$NOW", round(lease.total_seconds() * 1000)]},
                        }
                    }
                }
            ],
            return_document=ReturnDocument.AFTER,
        )
        return row is not None

    async def release(self, worker: UUID) -> None:
        """Let another worker count."""
        await self._state.update_one({"_id": _STATE, "lease.by": worker}, {"$unset": {"lease": 1}})

    # -- counting ----------------------------------------------------------------------------------------

    async def following(self, place: Counted, through: int, limit: int) -> list[Row]:
        """The statements behind a place, up to and with the stored time `through`, in stored order."""
        cursor = (
            self._statements.find(
                {
                    "stored": {"$gte": place.stored, "$lte": through},
                    "$or": [
                        {"stored": {"$gt": place.stored}},
                        {"stored": place.stored, "_id": {"$gt": place.id}},
                    ],
                },
                _PROJECTION,
            )
            .sort([("stored", 1), ("_id", 1)])
            .hint(statement_index(None))
            .limit(limit)
            .batch_size(limit)
        )
        return [row async for row in cursor]

    async def rows(self, ids: Sequence[UUID]) -> dict[UUID, Row]:
        """Statements with these ids."""
        if not ids:
            return {}
        return {row["_id"]: row async for row in self._statements.find({"_id": {"$in": ids}}, _PROJECTION)}

    async def rows_of(self, field: str, value: str, through: int) -> AsyncIterator[Row]:
        """All statements of a source up to a stored time."""
        cursor = self._statements.find({field: value, "stored": {"$lte": through}}, _PROJECTION)
        async for row in cursor.hint(statement_index(field)):
            yield row

    async def voidings(self, ids: Sequence[UUID]) -> dict[UUID, list[tuple[int, UUID]]]:
        """The places of the statements that void these, in stored order."""
        found: dict[UUID, list[tuple[int, UUID]]] = {}
        if ids:
            cursor = self._statements.find({"ref": {"$in": ids}, "voids": True}, {"ref": 1, "stored": 1})
            async for row in cursor.hint("by_ref"):
                found.setdefault(row["ref"], []).append((row["stored"], row["_id"]))
        return {target: sorted(places) for target, places in found.items()}

    async def courses(self, registrations: Sequence[UUID]) -> dict[UUID, UUID]:
        """The course of each registration that there is or was.

        It is remembered: a registration may be deleted while its statements stay.
        """
        wanted = list(dict.fromkeys(registrations))
        if not wanted:
            return {}
        known = {row["_id"]: row["course"] async for row in self._known.find({"_id": {"$in": wanted}})}
        missing = [one for one in wanted if one not in known]
        if missing:
            cursor = self._registrations.find({"_id": {"$in": missing}}, {"course": 1})
            found = {row["_id"]: row["course"] async for row in cursor}
            writes = [
                UpdateOne({"_id": one}, {"$setOnInsert": {"course": course}}, upsert=True)
                for one, course in found.items()
            ]
            if writes:
                await self._known.bulk_write(writes, ordered=False)
            known |= found
        return known

    async def stored_through(self, stored: int) -> int:
        """How many statements were stored up to a time."""
        return await self._statements.count_documents(
            {"stored": {"$lte": stored}}, hint=statement_index(None)
        )

    async def add(
        self,
        place: Counted,
        to: tuple[int, UUID],
        number: int,
        changes: Mapping[CellKey, Change],
        merge: Callable[[bytes, Iterable[int]], bytes],
    ) -> None:
        """Add changes and go on to another place; nothing is done if somebody else went on.

        `merge` joins packed learners with hashes of further ones.
        """
        ids = {key.id(place.generation): key for key in changes}
        stored, identity = to

        async def write(transaction: Transaction) -> None:
            moved = await self._state.update_one(
                {"_id": _STATE, "generation": place.generation, "stored": place.stored, "id": place.id},
                {"$set": {"stored": stored, "id": identity}, "$inc": {"number": number}},
                session=transaction,
            )
            if not moved.matched_count:
                raise Contended
            known = self._cells.find({"_id": {"$in": list(ids)}}, {"learners": 1}, session=transaction)
            learners = {row["_id"]: row["learners"] async for row in known}
            updates = await asyncio.to_thread(_updates, place.generation, ids, changes, learners, merge)
            if updates:
                await self._cells.bulk_write(updates, ordered=False, session=transaction)

        with contextlib.suppress(Contended):
            await transact(self._client, write)

    async def forget_former(self, generation: int) -> int:
        """Delete some cells of earlier generations; how many."""
        former = self._cells.find({"g": {"$lt": generation}}, {"_id": 1}).limit(_DELETED_AT_ONCE)
        ids = [row["_id"] async for row in former]
        if ids:
            await self._cells.delete_many({"_id": {"$in": ids}})
        return len(ids)

    # -- reading -----------------------------------------------------------------------------------------

    async def cells(
        self,
        generation: int,
        *,
        since: str,
        until: str,
        source: str | None,
        course: str | None,
        kinds: str,
    ) -> list[Cell]:
        """Cells of periods from `since` to `until`, both included, of a source and a course (None: of any).

        `kinds` is what the names of kinds begin with; without it, the kind of all statements.
        """
        of_kind = {"$gte": kinds, "$lt": f"{kinds}\U0010ffff"} if kinds else ""
        condition = {"s": source, "c": course, "k": of_kind}
        return await self._find(generation, since, until, condition, "by_kind")

    async def cells_by_source(
        self, generation: int, *, since: str, until: str, course: str | None
    ) -> list[Cell]:
        """The cells of each source, of all kinds of statements together."""
        return await self._find(
            generation, since, until, {"c": course, "k": "", "s": {"$ne": None}}, "by_source"
        )

    async def cells_by_course(
        self, generation: int, *, since: str, until: str, source: str | None, kind: str
    ) -> list[Cell]:
        """The cells of each course."""
        condition = {"s": source, "k": kind, "c": {"$ne": None}}
        return await self._find(generation, since, until, condition, "by_course")

    async def all_of(self, generation: int, source: str | None) -> list[Cell]:
        """Every cell of a source."""
        cursor = self._cells.find({"g": generation, "s": source}).hint("by_kind")
        return [_cell(row) async for row in cursor]

    async def _find(
        self, generation: int, since: str, until: str, condition: Mapping[str, Any], index: str
    ) -> list[Cell]:
        query = {"g": generation, **condition, "p": {"$gte": since, "$lte": until}}
        return [_cell(row) async for row in self._cells.find(query).hint(index).batch_size(5_000)]

    async def periods(self, generation: int) -> tuple[str, str] | None:
        """The first and the last month with anything."""
        query = {"g": generation, "s": None, "c": None, "k": ""}

        async def end(direction: int) -> str | None:
            row = await self._cells.find_one(query, {"p": 1}, sort=[("p", direction)], hint="by_kind")
            return row["p"] if row else None

        first, last = await end(1), await end(-1)
        return (first, last) if first and last else None


def _updates(
    generation: int,
    ids: Mapping[bytes, CellKey],
    changes: Mapping[CellKey, Change],
    learners: Mapping[bytes, bytes],
    merge: Callable[[bytes, Iterable[int]], bytes],
) -> list[UpdateOne]:
    """The changes of cells, some of which are there with these learners."""
    updates: list[UpdateOne] = []
    for cell, key in ids.items():
        change, before = changes[key], learners.get(cell)
        update: dict[str, Any] = {"$inc": {"n": change.standing, "v": change.voided, "sum": change.total}}
        after = merge(before or b"", change.learners)
        if after != before:
            update["$set"] = {"learners": after}
        if before is None:
            update["$setOnInsert"] = {
                "g": generation,
                "p": key.period,
                "s": key.source,
                "c": key.course,
                "k": key.kind,
            }
        updates.append(UpdateOne({"_id": cell}, update, upsert=before is None))
    return updates


def _counted(row: Row) -> Counted:
    return Counted(
        generation=row["generation"],
        meaning=row["meaning"],
        stored=row["stored"],
        id=row["id"],
        number=row["number"],
    )


def _cell(row: Row) -> Cell:
    return Cell(
        key=CellKey(row["p"], row["s"], row["c"], row["k"]),
        standing=row["n"],
        voided=row["v"],
        total=row["sum"],
        learners=row["learners"],
    )
