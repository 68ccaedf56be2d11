"""Inserting where unique ids decide what is there already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

DUPLICATE_KEY = 11000


async def insert_new(
    collection: AsyncCollection[dict[str, Any]], documents: Sequence[dict[str, Any]]
) -> list[int]:
    """Insert each document whose id is not taken; the positions of the others.

    Those are there, but perhaps not on a majority yet: whoever relies on one writes to it.
    """
    try:
        await collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        failures = error.details.get("writeErrors", ())
        if error.details.get("writeConcernErrors") or any(one["code"] != DUPLICATE_KEY for one in failures):
            raise
        return [failure["index"] for failure in failures]
    return []
