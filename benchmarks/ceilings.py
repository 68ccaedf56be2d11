"""Ceilings: servers that do only the part of the work that no other server could leave out.

The same aiohttp, driver, durability, documents and indexes as the gateway, but nothing is checked, prepared,
grouped or linked: bodies hold documents ready to be inserted, and lists are asked for by match key. Run as a
process of its own: `python -m benchmarks.ceilings PORT DATABASE READ_DATABASE`, the connection string in
CEILINGS_MONGO_URI. Writes go to DATABASE, reads to READ_DATABASE.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import Any
from uuid import UUID

import orjson
import uvloop
from aiohttp import web
from pymongo.asynchronous.collection import AsyncCollection

from gateway.store.connection import connect
from gateway.store.indexes import statement_index
from gateway.store.indexing import create_indexes

URI = "CEILINGS_MONGO_URI"
_NEWEST_FIRST = [("stored", -1), ("_id", -1)]
_SERVED = {"statement": 1, "stored": 1}


class Ceilings:
    """The handlers: statements are written to one collection and read from another."""

    def __init__(
        self, written: AsyncCollection[dict[str, Any]], read: AsyncCollection[dict[str, Any]]
    ) -> None:
        self._written = written
        self._read = read

    async def bare(self, request: web.Request) -> web.Response:
        """Take the body, answer."""
        await request.read()
        return _json(["00000000-0000-4000-8000-000000000000"])

    async def insert_each(self, request: web.Request) -> web.Response:
        """Decode one document and insert it by itself."""
        document = _stamped(orjson.loads(await request.read()), time.time_ns() // 1000)
        await self._written.insert_one(document)
        return _json([document["statement"]["id"]])

    async def insert_many(self, request: web.Request) -> web.Response:
        """Decode a batch and insert it."""
        now = time.time_ns() // 1000
        documents = [_stamped(item, now) for item in orjson.loads(await request.read())]
        await self._written.insert_many(documents)
        return _json([document["statement"]["id"] for document in documents])

    async def find(self, request: web.Request) -> web.Response:
        """The newest statements that have one value of one match key."""
        key, limit = request.query["key"], int(request.query["limit"])
        cursor = (
            self._read.find({key: request.query["value"]}, _SERVED)
            .sort(_NEWEST_FIRST)
            .hint(statement_index(key))
            .limit(limit)
            .batch_size(limit)
        )
        return _json({"statements": [row["statement"] async for row in cursor], "more": ""})

    async def one(self, request: web.Request) -> web.Response:
        """One statement by its id."""
        row = await self._read.find_one({"_id": UUID(request.query["statementId"])}, _SERVED)
        assert row is not None
        return _json(row["statement"])

    async def follow(self, request: web.Request) -> web.Response:
        """The next page of everything, newest first."""
        limit, before = int(request.query["limit"]), request.query.get("before")
        condition: dict[str, Any] = {}
        if before is not None:
            stored, identity = int(before), UUID(request.query["id"])
            beyond = [{"stored": {"$lt": stored}}, {"stored": stored, "_id": {"$lt": identity}}]
            condition = {"stored": {"$lte": stored}, "$or": beyond}
        cursor = (
            self._read.find(condition, _SERVED)
            .sort(_NEWEST_FIRST)
            .hint(statement_index(None))
            .limit(limit)
            .batch_size(limit)
        )
        rows = await cursor.to_list()
        more = ""
        if len(rows) == limit:
            more = f"/follow?limit={limit}&before={rows[-1]['stored']}&id={rows[-1]['_id']}"
        return _json({"statements": [row["statement"] for row in rows], "more": more})

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.add_routes(
            [
                web.post("/bare", self.bare),
                web.post("/insert-each", self.insert_each),
                web.post("/insert-many", self.insert_many),
                web.get("/find", self.find),
                web.get("/one", self.one),
                web.get("/follow", self.follow),
            ]
        )
        return app


def _stamped(document: dict[str, Any], stored: int) -> dict[str, Any]:
    document["_id"] = UUID(document["_id"])
    document["stored"] = stored
    return document


def _json(value: object) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")


async def _serve(port: int, written: str, read: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with connect(os.environ[URI], app_name="ceilings") as client:
        await create_indexes(client[written])
        runner = web.AppRunner(
            Ceilings(client[written]["statements"], client[read]["statements"]).app(), access_log=None
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await stop.wait()
        await runner.cleanup()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as main:
        main.run(_serve(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
