"""Bringing the indexes of a database to what `INDEXES` says, whichever version created them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from pymongo import IndexModel
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure

from gateway.store.connection import UnsuitableMongoError
from gateway.store.indexes import FORMER, INDEXES

log = structlog.get_logger(__name__)

# Processes that start together may drop what another one is building.
_ATTEMPTS = 10
_NOT_FOUND, _OPTIONS_CONFLICT, _KEYS_CONFLICT, _ABORTED, _DUPLICATE = 27, 85, 86, 276, 11000
# What makes an index another one, beside its keys.
_OPTIONS = ("unique", "partialFilterExpression", "expireAfterSeconds")

_Collection = AsyncCollection[dict[str, Any]]


async def create_indexes(database: AsyncDatabase[dict[str, Any]]) -> None:
    """Create what is missing, build anew what is defined otherwise, drop what only earlier versions used.

    Idempotent, and safe to run from many processes at once. Raises UnsuitableMongoError with what to do where
    an index of somebody else, or documents that must not be there, are in the way.
    """
    for name, models in INDEXES.items():
        await _create(database[name], models)
    for name, former in FORMER.items():
        for index in former & set(await database[name].index_information()):
            await _drop(database[name], index, "an earlier version used it")


async def _create(collection: _Collection, models: Sequence[IndexModel]) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            await collection.create_indexes(models)
        except OperationFailure as error:
            if error.code == _DUPLICATE:
                raise UnsuitableMongoError(
                    f"Documents in {collection.full_name} are not as unique as they have to be: "
                    f"{_said(error)}. Remove all but one of them, and start again."
                ) from error
            if error.code not in (_OPTIONS_CONFLICT, _KEYS_CONFLICT, _ABORTED) or attempt == _ATTEMPTS:
                raise
            await _make_room(collection, models)
        else:
            return


async def _make_room(collection: _Collection, models: Sequence[IndexModel]) -> None:
    there = await collection.index_information()
    for model in models:
        wanted = model.document
        name, keys = str(wanted["name"]), [*wanted["key"].items()]
        if name in there and not _same(there[name], wanted):
            await _drop(collection, name, "it is defined otherwise now")
        for other, found in there.items():
            if other in (name, "_id_") or [*found["key"]] != keys or not _alike(found, wanted):
                continue
            if other not in FORMER.get(collection.name, ()):
                raise UnsuitableMongoError(
                    f"The index {other} of {collection.full_name} is in the place of the gateway's own "
                    f'{name}. Drop it with db.{collection.name}.dropIndex("{other}"), and start again.'
                )
            await _drop(collection, other, "an earlier version used it")


def _same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return [*found["key"]] == [*wanted["key"].items()] and all(
        found.get(option) == wanted.get(option) for option in _OPTIONS
    )


def _alike(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    # Two indexes of the same keys stand beside each other when they are about different documents.
    return bool(found.get("partialFilterExpression") == wanted.get("partialFilterExpression"))


async def _drop(collection: _Collection, name: str, reason: str) -> None:
    log.warning("index dropped", collection=collection.full_name, index=name, reason=reason)
    try:
        await collection.drop_index(name)
    except OperationFailure as error:
        if error.code != _NOT_FOUND:  # another process was faster
            raise


def _said(error: OperationFailure) -> str:
    return str((error.details or {}).get("errmsg", error))


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexChange:
    """An index that a database lacks, or that it has beside those named in `INDEXES`."""

    collection: str
    name: str
    missing: bool


async def index_changes(database: AsyncDatabase[dict[str, Any]]) -> list[IndexChange]:
    """Where the indexes of a database differ from `INDEXES`; one that is defined otherwise is missing."""
    changes: list[IndexChange] = []
    for collection, models in INDEXES.items():
        there = await database[collection].index_information()
        wanted = {str(model.document["name"]): model.document for model in models}
        changes += [
            IndexChange(collection=collection, name=name, missing=True)
            for name, document in sorted(wanted.items())
            if name not in there or not _same(there[name], document)
        ]
        changes += [
            IndexChange(collection=collection, name=name, missing=False)
            for name in sorted(there.keys() - wanted.keys() - {"_id_"})
        ]
    return changes
