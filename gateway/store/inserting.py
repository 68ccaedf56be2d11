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
        return taken_positions(error)
    return []


def taken_positions(error: BulkWriteError) -> list[int]:
    """The positions of what was not written because its id, or another unique key, is taken; any other error
    is raised.
    """
    failures = error.details.get("writeErrors", ())
    concerns = error.details.get("writeConcernErrors")
    if concerns or not failures or any(one["code"] != DUPLICATE_KEY for one in failures):
        raise error
    return [failure["index"] for failure in failures]
