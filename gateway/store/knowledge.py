"""What statements taught the store: merged activity definitions and the names of agents.

`activities` is keyed by activity id, `persons` by agent key. Both are derived data: they could be rebuilt
from the statements, and are changed with optimistic locking so that two writers never undo each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pymongo import UpdateOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

Definition = dict[str, Any]
# Names beyond this number say more about a shared account than about a person.
MAX_NAMES = 50


class Activities:
    """Merged definitions, kept as JSON text because extension keys are IRIs that MongoDB cannot address."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["activities"]

    async def learn(self, activity: str, change: Callable[[bytes | None], bytes]) -> None:
        """Replace the definition by what `change` makes of the present one, repeating it if another was
        faster.
        """
        while True:
            row = await self._collection.find_one({"_id": activity})
            before = bytes(row["definition"]) if row else None
            after = change(before)
            if after == before:
                return
            if row is None:
                try:
                    await self._collection.insert_one({"_id": activity, "definition": after, "revision": 1})
                except DuplicateKeyError:
                    continue
                return
            result = await self._collection.update_one(
                {"_id": activity, "revision": row["revision"]},
                {"$set": {"definition": after}, "$inc": {"revision": 1}},
            )
            if result.matched_count:
                return

    async def definitions(self, activities: Iterable[str]) -> dict[str, bytes]:
        """Definitions (JSON) of those activities that have one."""
        cursor = self._collection.find({"_id": {"$in": list(activities)}})
        return {row["_id"]: bytes(row["definition"]) async for row in cursor}


class Persons:
    """Names seen for each agent."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["persons"]

    async def learn(self, names: Mapping[str, str]) -> None:
        """Remember a name for each agent key."""
        updates = [
            UpdateOne({"_id": agent}, {"$addToSet": {"names": name}}, upsert=True)
            for agent, name in names.items()
        ]
        if updates:
            await self._collection.bulk_write(updates, ordered=False)

    async def names(self, agent: str) -> list[str]:
        """The names known for an agent key, oldest first."""
        row = await self._collection.find_one({"_id": agent})
        return list(row["names"])[:MAX_NAMES] if row else []
