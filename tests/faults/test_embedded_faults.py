from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest
from pymongo.errors import ConnectionFailure

from gateway.store.connection import connect
from gateway.store.embedded import EmbeddedMongo
from gateway.store.mongod import MongoDirectory
from tests.mongo import OtherProcess, until

pytestmark = pytest.mark.faults


async def stores_and_finds(data_dir: Path) -> bool:
    async with EmbeddedMongo(data_dir) as server, connect(server.uri, app_name="tests") as client:
        result = await client.test.things.insert_one({})
        return await client.test.things.find_one({"_id": result.inserted_id}) is not None


async def kill_and_wait(server: EmbeddedMongo) -> None:
    killed = server.pid
    assert killed
    os.kill(killed, signal.SIGKILL)
    await until(lambda: server.pid not in (None, 0, killed))


# A first start takes some 1.3 s: these fall before the process does anything, into the creation of files, the
# start of the server, the initiation, the creation of the user, and behind all of it.
DELAYS = [0.1, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.7, 2.0]


@pytest.mark.parametrize("delay", DELAYS)
async def test_a_first_start_whose_process_is_killed_is_completed_by_the_next(
    tmp_path: Path, delay: float
) -> None:
    first = OtherProcess(tmp_path)
    await asyncio.sleep(delay)
    first.kill()
    assert await stores_and_finds(tmp_path)


@pytest.mark.parametrize("delay", DELAYS)
async def test_a_first_start_of_which_everything_is_killed_is_completed_by_the_next(
    tmp_path: Path, delay: float
) -> None:
    first = OtherProcess(tmp_path)
    await asyncio.sleep(delay)
    if (tmp_path / "mongo").exists():
        MongoDirectory(tmp_path).signal(signal.SIGKILL)
    first.kill()
    assert await stores_and_finds(tmp_path)


async def test_what_an_unfinished_first_start_left_unreadable_is_set_aside(tmp_path: Path) -> None:
    directory = MongoDirectory(tmp_path)
    directory.create()
    directory.database.mkdir()
    for name in ("WiredTiger", "WiredTiger.wt", "WiredTiger.turtle", "_mdb_catalog.wt", "storage.bson"):
        (directory.database / name).write_bytes(b"half written")
    assert await stores_and_finds(tmp_path)
    assert (directory.root / "db.unfinished" / "WiredTiger.wt").read_bytes() == b"half written"


async def test_a_lost_password_is_replaced(tmp_path: Path) -> None:
    assert await stores_and_finds(tmp_path)
    (tmp_path / "mongo" / "password").unlink()
    assert await stores_and_finds(tmp_path)


async def test_a_lost_key_is_replaced(tmp_path: Path) -> None:
    assert await stores_and_finds(tmp_path)
    (tmp_path / "mongo" / "key").unlink()
    assert await stores_and_finds(tmp_path)


async def test_a_program_on_its_port_that_never_answers_only_delays_it(tmp_path: Path) -> None:
    async with EmbeddedMongo(tmp_path) as server:
        pass
    with socket.create_server(("127.0.0.1", server.port)):
        assert await stores_and_finds(tmp_path)


async def test_without_its_guard_the_server_still_ends_with_its_last_user(tmp_path: Path) -> None:
    async with EmbeddedMongo(tmp_path) as server:
        assert server.pid
        guard = int(Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        os.kill(guard, signal.SIGKILL)
    assert server.pid is None


async def test_it_is_restarted_however_often_it_is_killed(tmp_path: Path) -> None:
    async with (
        EmbeddedMongo(tmp_path) as server,
        connect(server.uri, app_name="tests") as client,
        asyncio.TaskGroup() as group,
    ):
        watching = group.create_task(server.watch())
        for number in range(4):
            await kill_and_wait(server)
            while True:
                try:
                    await client.test.things.insert_one({"_id": number})
                    break
                except ConnectionFailure:
                    await asyncio.sleep(0.05)
        assert await client.test.things.count_documents({}) == 4
        watching.cancel()


async def test_eight_processes_that_start_at_once_share_one_server(tmp_path: Path) -> None:
    processes = [OtherProcess(tmp_path) for _ in range(8)]
    uris = {await asyncio.to_thread(process.uri) for process in processes}
    assert len(uris) == 1
    assert uris.pop().startswith("mongodb://")
    assert [await asyncio.to_thread(process.leave) for process in processes] == [0] * 8
    assert MongoDirectory(tmp_path).running() is None
