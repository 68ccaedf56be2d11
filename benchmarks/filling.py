"""Fills a store with the statements that reads are measured on."""

from __future__ import annotations

import asyncio
import time

from benchmarks.documents import entry
from benchmarks.samples import Population
from gateway.store.connection import Timeouts, connect
from gateway.store.store import Store

_GROUP = 1000
_AT_ONCE = 4
# A server that takes millions of statements on a busy machine pauses for longer than one may under requests.
_PATIENT = Timeouts(server=120.0, connect=60.0, pool=120.0, write=120.0, socket=300.0)


async def fill(uri: str, database: str, statements: int) -> float:
    """Store that many statements, as the gateway would have; the seconds it took."""
    started = time.perf_counter()
    people = Population.of(statements)
    first = time.time_ns() // 1000 - statements
    slots = asyncio.Semaphore(_AT_ONCE)
    async with connect(uri, app_name="benchmarks", timeouts=_PATIENT) as client:
        store = Store(client, database)
        await store.prepare()

        async def write(start: int) -> None:
            indexes = range(start, min(start + _GROUP, statements))
            async with slots:
                entries = [entry(people.statement(index), first + index) for index in indexes]
                assert not await store.statements.insert_each(entries)

        async with asyncio.TaskGroup() as tasks:
            for start in range(0, statements, _GROUP):
                tasks.create_task(write(start))
    return time.perf_counter() - started


async def drop(uri: str, *databases: str) -> None:
    """Remove databases that have served."""
    async with connect(uri, app_name="benchmarks") as client:
        for database in databases:
            await client.drop_database(database)
