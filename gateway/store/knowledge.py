"""What statements taught the store: merged activity definitions and the names of agents.

`activities` is keyed by activity id, `persons` by agent key. Both are derived data: they could be rebuilt
from the statements, and are changed with optimistic locking so that two writers never undo each other. What
is known already is read and not written again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pymongo import InsertOne, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError

from gateway.store.encoding import MAX_DOCUMENT
from gateway.store.inserting import taken_positions

# Names beyond this number, or of this length, say more about a shared account than about a person.
MAX_NAMES = 50
MAX_NAME_LENGTH = 1000


class Activities:
    """Merged definitions, kept as JSON text because extension keys are IRIs that MongoDB cannot address."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["activities"]

    async def learn(self, changes: Mapping[str, Callable[[bytes | None], bytes]]) -> None:
        """Replace each definition by what its change makes of the present one, again where another was
        faster. A change applied twice must make no difference.
        """
        while changes:
            rows = {row["_id"]: row async for row in self._collection.find({"_id": {"$in": list(changes)}})}
            writes = [
                write
                for activity, change in changes.items()
                if (write := _change(activity, rows.get(activity), change)) is not None
            ]
            if not writes:
                return
            try:
                result = await self._collection.bulk_write(writes, ordered=False)
            except BulkWriteError as error:
                taken_positions(error)
                continue
            if result.inserted_count + result.matched_count == len(writes):
                return

    async def definitions(self, activities: Iterable[str]) -> dict[str, bytes]:
        """Definitions (JSON) of those activities that have one."""
        cursor = self._collection.find({"_id": {"$in": list(activities)}})
        return {row["_id"]: bytes(row["definition"]) async for row in cursor}


class Persons:
    """Names seen for each agent."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["persons"]

    async def learn(self, names: Mapping[str, Iterable[str]]) -> None:
        """Remember names for each agent key, the first `MAX_NAMES` of them."""
        if not names:
            return
        cursor = self._collection.find({"_id": {"$in": list(names)}})
        known = {row["_id"]: row["names"] async for row in cursor}
        updates = [
            UpdateOne({"_id": agent}, _adding(new), upsert=True)
            for agent, given in names.items()
            if (new := _new(given, known.get(agent, ())))
        ]
        if updates:
            await self._collection.bulk_write(updates, ordered=False)

    async def names(self, agent: str) -> list[str]:
        """The names known for an agent key, oldest first."""
        row = await self._collection.find_one({"_id": agent})
        return list(row["names"])[:MAX_NAMES] if row else []


def _change(
    activity: str, row: Mapping[str, Any] | None, change: Callable[[bytes | None], bytes]
) -> InsertOne[dict[str, Any]] | UpdateOne | None:
    before = bytes(row["definition"]) if row else None
    after = change(before)
    if after == before or len(activity) + len(after) > MAX_DOCUMENT:
        return None
    if row is None:
        return InsertOne({"_id": activity, "definition": after, "revision": 1})
    return UpdateOne(
        {"_id": activity, "revision": row["revision"]},
        {"$set": {"definition": after}, "$inc": {"revision": 1}},
    )


def _new(given: Iterable[str], known: Sequence[str]) -> list[str]:
    if len(known) >= MAX_NAMES:
        return []
    return [name for name in given if name not in known and len(name) <= MAX_NAME_LENGTH]


def _adding(names: Sequence[str]) -> list[dict[str, Any]]:
    known = {"$ifNull": ["$names", []]}
    # A name may start with a dollar sign.
    unknown = {"$filter": {"input": {"$literal": names}, "cond": {"$not": [{"$in": ["$$this", known]}]}}}
    return [{"$set": {"names": {"$slice": [{"$concatArrays": [known, unknown]}, MAX_NAMES]}}}]
