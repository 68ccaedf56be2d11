"""What happens now: a change stream over what is stored, what was refused and what did not work out.

Requests that were refused are stored nowhere else, so they are kept here for some hours, a bounded number of
them: whoever watches sees them, whichever process refused them.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pymongo import WriteConcern
from pymongo.asynchronous.change_stream import AsyncChangeStream
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure

from gateway.store.connection import is_unavailable
from gateway.store.delivery_records import State
from gateway.store.indexes import statement_index
from gateway.store.notices import NoticeState

_KEPT = dt.timedelta(hours=6)
_AWAIT_MS = 500
_TOKEN = re.compile(r"[0-9A-Fa-f]{16,1024}")
_BAD_STATES = [State.FAILED, State.UNMATCHED, State.HELD]
_STATEMENT = {
    f"fullDocument.{name}": 1
    for name in ("statement", "stored", "source", "agents", "verbs", "activities", "related_activities")
}
_PIPELINE: Sequence[Mapping[str, Any]] = (
    {
        "$match": {
            "$or": [
                {"operationType": "insert", "ns.coll": {"$in": ["statements", "refused_requests"]}},
                {
                    "operationType": "update",
                    "ns.coll": "deliveries",
                    "updateDescription.updatedFields.state": {"$in": _BAD_STATES},
                },
                {
                    "operationType": "update",
                    "ns.coll": "notices",
                    "updateDescription.updatedFields.state": NoticeState.DEAD,
                },
            ]
        }
    },
    {
        "$project": {
            "ns.coll": 1,
            "documentKey": 1,
            "wallTime": 1,
            "updateDescription.updatedFields.state": 1,
            "updateDescription.updatedFields.problem": 1,
            **_STATEMENT,
            **{
                f"fullDocument.{name}": 1
                for name in ("time", "kind", "name", "request", "status", "message", "problems")
            },
        }
    },
)


class Lost(Exception):
    """A place in the stream that the server does not know any more, or that never was one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRequest:
    """A request that was turned away; `kind` is `statement` or `delivery`, `name` who sent it."""

    time: dt.datetime
    kind: str
    name: str
    request: str
    status: int | None
    message: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that happened. `token` is its place, `row` the document or what changed of it.

    `what` is `statement`, `refused statement`, `refused delivery`, `delivery` or `notice`.
    """

    token: str
    what: str
    id: Any
    row: Mapping[str, Any]


_WHAT = {"statements": "statement", "deliveries": "delivery", "notices": "notice"}


class Live:
    """The collection `refused_requests` of one store, and its change stream."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._database = database
        # Nothing rests on these, so nobody waits for the disk.
        self._refused = database.get_collection("refused_requests", write_concern=WriteConcern(w=1, j=False))
        self._deliveries = database["deliveries"]
        self._statements = database["statements"]

    async def add(self, refused: Sequence[RefusedRequest]) -> None:
        """Keep refusals for some hours."""
        await self._refused.insert_many(
            [
                {
                    "time": one.time,
                    "kind": one.kind,
                    "name": one.name,
                    "request": one.request,
                    "status": one.status,
                    "message": one.message,
                    "problems": list(one.problems),
                    "expires": one.time + _KEPT,
                }
                for one in refused
            ],
            ordered=False,
        )

    async def newest(self, limit: int) -> list[Happening]:
        """The latest statements and refusals, as many of each, newest first."""
        fields = [name.removeprefix("fullDocument.") for name in _STATEMENT]
        statements = self._statements.find({}, fields).sort([("stored", -1), ("_id", -1)]).limit(limit)
        found = [
            Happening(token="", what="statement", id=row["_id"], row=row)
            async for row in statements.hint(statement_index(None))
        ]
        found += [
            Happening(token="", what=f"refused {row['kind']}", id=row["_id"], row=row)
            async for row in self._refused.find({}).sort("time", -1).limit(limit)
        ]
        return sorted(found, key=_when, reverse=True)

    async def adapters(self, ids: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
        """Adapter and first reason of deliveries."""
        fields = {"adapter": 1, "outcomes.reason": 1}
        return {
            row["_id"]: (
                row["adapter"],
                next((one["reason"] for one in row.get("outcomes", ()) if one.get("reason")), ""),
            )
            async for row in self._deliveries.find({"_id": {"$in": list(ids)}}, fields)
        }

    @asynccontextmanager
    async def stream(self, after: str | None = None) -> AsyncIterator[Stream]:
        """What happens from now on, or behind a place. Raises Lost."""
        if after is not None and not _TOKEN.fullmatch(after):
            raise Lost
        token = {"_data": after} if after is not None else None
        try:
            async with await self._database.watch(
                list(_PIPELINE), resume_after=token, max_await_time_ms=_AWAIT_MS, batch_size=500
            ) as changes:
                yield Stream(changes)
        except OperationFailure as error:
            if after is None or is_unavailable(error):
                raise
            raise Lost from error


def _when(happening: Happening) -> float:
    if happening.what == "statement":
        return float(happening.row["stored"]) / 1_000_000
    moment: dt.datetime = happening.row["time"]
    return moment.timestamp()


class Stream:
    """An open change stream."""

    def __init__(self, changes: AsyncChangeStream[dict[str, Any]]) -> None:
        self._changes = changes

    @property
    def place(self) -> str:
        """Behind everything that was read."""
        token = self._changes.resume_token
        return str(token["_data"]) if token else ""

    async def next(self) -> Happening | None:
        """What happened next; None if nothing did within half a second."""
        change = await self._changes.try_next()
        if change is None:
            return None
        collection = change["ns"]["coll"]
        row = change.get("fullDocument")
        if row is None:
            row = {**change["updateDescription"]["updatedFields"], "time": change.get("wallTime")}
        return Happening(
            token=str(change["_id"]["_data"]),
            what=_WHAT.get(collection) or f"refused {row['kind']}",
            id=change["documentKey"]["_id"],
            row=row,
        )
