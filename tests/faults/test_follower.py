"""A client that follows `Consistent-Through` while processes write, and one of them is stopped or killed."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from uuid import UUID

import pytest

from gateway.store.statements import Selection
from gateway.store.store import Store

pytestmark = pytest.mark.faults

_WRITER = """
import asyncio, sys
from gateway.services.commit import Committer, Write
from gateway.services.working import enduring
from gateway.store.connection import connect
from gateway.store.store import Store
from tests.store.entries import entry

async def main(uri, database, first, count):
    async with connect(uri, app_name="writer") as client:
        store = Store(client, database)
        committer = Committer(store, max_statements=50, in_flight=2)
        loops = [committer.run(), enduring("floors", store.writer.keep)]
        tasks = [asyncio.create_task(loop) for loop in loops]
        stamp = lambda item, time: item.statement.update(stored=time)
        for number in range(first, first + count, 5):
            items = [Write(entries=[entry(n)], stamp=stamp) for n in range(number, number + 5)]
            await asyncio.gather(*(committer.write(item) for item in items))
            print(number + 5, flush=True)
            await asyncio.sleep(0.002)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
"""


async def start(uri: str, database: str, first: int, count: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _WRITER,
        uri,
        database,
        str(first),
        str(count),
        stdout=asyncio.subprocess.PIPE,
    )


async def acknowledged(process: asyncio.subprocess.Process, first: int) -> set[int]:
    """The numbers that a writer was told are stored; returns when it has ended."""
    assert process.stdout
    last = first
    async for line in process.stdout:
        last = json.loads(line)
    await process.wait()
    return set(range(first, last))


async def follow(store: Store, stop: asyncio.Event) -> set[int]:
    """All that a client sees which asks, again and again, for what was stored since the last answer."""
    seen: set[int] = set()
    since = 0
    finishing = 0
    while finishing < 3:
        finishing += stop.is_set()
        through = await store.writer.consistent_through()
        page = await store.statements.page(Selection(since=since, ascending=True, limit=10_000))
        assert not page.more
        seen |= {item.id.int for item in page.statements}
        since = through
        await asyncio.sleep(0.01)
    return seen


@pytest.mark.parametrize("fault", [None, signal.SIGSTOP, signal.SIGKILL])
async def test_a_follower_misses_nothing(mongo_uri: str, store: Store, fault: signal.Signals | None) -> None:
    starts = [1 + 10_000 * number for number in range(3)]
    processes = [await start(mongo_uri, store.name, first, 1000) for first in starts]
    stop = asyncio.Event()
    following = asyncio.create_task(follow(store, stop))
    told = [asyncio.create_task(acknowledged(*pair)) for pair in zip(processes, starts, strict=True)]
    if fault is not None:
        while not await store.statements.existing([UUID(int=101)]):
            await asyncio.sleep(0.01)
        processes[0].send_signal(fault)
        while not await store.recover():  # when its lease has run out
            await asyncio.sleep(0.2)
        if fault is signal.SIGSTOP:
            processes[0].send_signal(signal.SIGCONT)
    stored = set().union(*await asyncio.gather(*told))
    stop.set()
    seen = await following
    assert len(stored) >= 2000
    assert stored - seen == set()
