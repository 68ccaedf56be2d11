from __future__ import annotations

import asyncio
import datetime
import os
import subprocess
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import WriteConcern
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ClientBulkWriteException,
    DuplicateKeyError,
    ExecutionTimeout,
    InvalidOperation,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
    WTimeoutError,
)

from gateway.errors import Unavailable
from gateway.store.connection import (
    Client,
    Timeouts,
    UnsuitableMongoError,
    check_server,
    connect,
    is_unavailable,
    translating,
)
from gateway.store.mongod import find_mongod, free_port
from tests.waiting import until

NOBODY = "mongodb://127.0.0.1:1/?replicaSet=rs0"


@pytest.fixture
async def plain_mongod(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    port = free_port()
    arguments = ["--dbpath", str(tmp_path), "--bind_ip", "127.0.0.1", "--port", str(port), "--nounixsocket"]
    with subprocess.Popen([find_mongod(), *arguments, *request.param], stdout=subprocess.DEVNULL) as process:
        yield f"mongodb://127.0.0.1:{port}/?directConnection=true"
        process.kill()


def with_options(uri: str, options: str) -> str:
    base, _, given = uri.partition("?")
    return f"{base}?{given}&{options}" if given else f"{base.rstrip('/')}/?{options}"


async def test_writes_are_journalled_by_a_majority_and_reads_see_only_such(mongo_client: Client) -> None:
    assert mongo_client.write_concern == WriteConcern(w="majority", j=True, wtimeout=10_000)
    assert mongo_client.read_concern.level == "majority"
    assert mongo_client.options.retry_writes
    assert mongo_client.options.retry_reads


async def test_the_connection_string_cannot_weaken_durability(mongo_uri: str) -> None:
    weakened = with_options(mongo_uri, "w=1&journal=false&retryWrites=false&readConcernLevel=local")
    async with connect(weakened, app_name="tests") as client:
        assert client.write_concern.document["w"] == "majority"
        assert client.write_concern.document["j"] is True
        assert client.read_concern.level == "majority"
        assert client.options.retry_writes


async def test_the_connection_string_can_set_pool_and_timeouts(mongo_uri: str) -> None:
    tuned = with_options(mongo_uri, "maxPoolSize=7&serverselectiontimeoutms=1234")
    async with connect(tuned, app_name="tests", timeouts=Timeouts(server=9, pool=1)) as client:
        assert client.options.pool_options.max_pool_size == 7
        assert client.options.server_selection_timeout == 1.234
        assert client.options.pool_options.wait_queue_timeout == 1


async def test_uuids_and_times_come_back_as_they_went(database: AsyncDatabase[dict[str, Any]]) -> None:
    thing = {"_id": uuid.uuid4(), "at": datetime.datetime(2026, 1, 2, 3, 4, 5, 678_000, datetime.UTC)}
    await database.things.insert_one(thing)
    assert await database.things.find_one() == thing


async def test_a_replica_set_is_accepted(mongo_client: Client) -> None:
    server = await check_server(mongo_client)
    assert server.kind == "replica set"
    newest = int(server.version.split(".")[0]) >= 8
    assert server.advice == (
        None
        if newest
        else f"MongoDB {server.version} is served, but older than the advised 8.0; plan an upgrade."
    )


@pytest.mark.parametrize(
    ("plain_mongod", "complaint"),
    [
        ([], r"is a standalone server.*--replSet NAME.*rs\.initiate\(\)"),
        (["--replSet", "rs0"], r"has not been initiated.*rs\.initiate\(\)"),
    ],
    indirect=["plain_mongod"],
    ids=["standalone", "uninitiated"],
)
async def test_a_server_without_a_working_set_is_refused(plain_mongod: str, complaint: str) -> None:
    async with connect(plain_mongod, app_name="tests", timeouts=Timeouts(server=60)) as client:
        with pytest.raises(UnsuitableMongoError, match=complaint):
            await check_server(client)


async def test_refused_credentials_are_told_from_an_absent_server(mongo_uri: str) -> None:
    address = mongo_uri.rpartition("@")[2] or mongo_uri.removeprefix("mongodb://")
    async with connect(f"mongodb://nobody:guess@{address}", app_name="tests") as client:
        with pytest.raises(UnsuitableMongoError, match=r"refuses the gateway.*Check user, password"):
            await check_server(client)


async def test_an_absent_server_is_unavailable() -> None:
    async with connect(NOBODY, app_name="tests", timeouts=Timeouts(server=0.2)) as client:
        with pytest.raises(Unavailable) as caught:
            await check_server(client)
    assert caught.value.status == 503
    assert "Retry-After" in caught.value.headers
    assert isinstance(caught.value.__cause__, ServerSelectionTimeoutError)


@pytest.mark.parametrize(
    "uri", ["", "localhost", "mysql://x", "mongodb://", "mongodb://h:99999/", "mongodb://h/?w=z&j=2"]
)
async def test_what_is_no_connection_string_is_explained(uri: str) -> None:
    with pytest.raises(
        UnsuitableMongoError, match=r"mongo\.uri is not a usable connection string: .*Expected mongodb"
    ):
        connect(uri, app_name="tests")


async def test_a_connection_string_that_is_refused_does_not_show_its_password() -> None:
    with pytest.raises(UnsuitableMongoError) as caught:
        connect("mongodb://me:se/cret@host/", app_name="tests")
    assert "cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_a_full_pool_is_unavailable(mongo_uri: str, mongo_client: Client, database_name: str) -> None:
    timeouts = Timeouts(pool=0.1)
    async with connect(mongo_uri, app_name=database_name, timeouts=timeouts, max_pool_size=1) as client:

        async def tailing() -> Any:
            asked = {"currentOp": 1, "appName": database_name, "op": "getmore"}
            return (await mongo_client.admin.command(asked))["inprog"]

        # A tailing read keeps the only connection for as long as the server lets it wait.
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(_wait_for_a_change(client))
            await until(tailing)
            with pytest.raises(Unavailable) as caught, translating():
                await client.admin.command("ping")
            waiting.cancel()
    assert isinstance(caught.value.__cause__, WaitQueueTimeoutError)


async def _wait_for_a_change(client: Client) -> None:
    async with await client.watch(max_await_time_ms=60_000) as changes:
        async for _ in changes:
            pass


async def test_who_is_cancelled_while_connecting_leaves_no_connection_open(mongo_uri: str) -> None:
    before = len(os.listdir("/dev/fd"))
    # What connects takes turns on the loop some ninety times; the cancellation comes at one of them.
    for turns in range(0, 90, 2):
        async with connect(mongo_uri, app_name="tests") as client:
            await client.admin.command("ping")
            asking = [asyncio.create_task(client.admin.command("ping")) for _ in range(10)]
            for _ in range(turns):
                await asyncio.sleep(0)
            for each in asking:
                each.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
    async with asyncio.timeout(20):
        while len(os.listdir("/dev/fd")) > before:
            await asyncio.sleep(0.01)


def bulk(*, write_errors: list[int], concern_errors: list[int]) -> BulkWriteError:
    return BulkWriteError(
        {
            "writeErrors": [{"index": n, "code": code, "errmsg": ""} for n, code in enumerate(write_errors)],
            "writeConcernErrors": [{"code": code, "errmsg": ""} for code in concern_errors],
        }
    )


@pytest.mark.parametrize(
    "error",
    [
        ServerSelectionTimeoutError("no server"),
        AutoReconnect("connection closed"),
        NetworkTimeout("timed out"),
        NotPrimaryError("stepped down"),
        WaitQueueTimeoutError("pool"),
        WTimeoutError("majority", 64),
        WriteConcernError("interrupted", 11602),
        ExecutionTimeout("too slow", 50),
        OperationFailure("write conflict", 112, {"errorLabels": ["TransientTransactionError"]}),
        OperationFailure("unknown", 1, {"errorLabels": ["UnknownTransactionCommitResult"]}),
        OperationFailure("shutting down", 91),
        OperationFailure("disk full", 14031),
        bulk(write_errors=[], concern_errors=[64]),
        bulk(write_errors=[11000], concern_errors=[64]),
        bulk(write_errors=[11000, 14031], concern_errors=[]),
        ClientBulkWriteException({"error": AutoReconnect("gone"), "writeErrors": []}, verbose=False),
        ClientBulkWriteException({"writeConcernErrors": [{"code": 64}], "writeErrors": []}, verbose=False),
    ],
    ids=repr,
)
def test_what_can_succeed_later_is_unavailable(error: PyMongoError) -> None:
    with pytest.raises(Unavailable) as caught, translating():
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        DuplicateKeyError("duplicate", 11000),
        OperationFailure("not authorized", 13),
        OperationFailure("bad query", 2),
        InvalidOperation("client is closed"),
        bulk(write_errors=[11000], concern_errors=[]),
        ClientBulkWriteException({"writeErrors": [{"code": 11000}]}, verbose=False),
        ValueError("ours"),
        TimeoutError("ours"),
    ],
    ids=repr,
)
def test_what_is_wrong_for_good_passes_as_it_is(error: Exception) -> None:
    assert not is_unavailable(error)
    with pytest.raises(type(error)) as caught, translating():
        raise error
    assert caught.value is error


async def test_a_coroutine_function_can_be_decorated() -> None:
    @translating()
    async def find(client: Client, *, name: str) -> object:
        return await client.test[name].find_one()

    async with connect(NOBODY, app_name="tests", timeouts=Timeouts(server=0.2)) as client:
        with pytest.raises(Unavailable):
            await find(client, name="things")


async def test_a_write_that_no_majority_confirms_is_unavailable(mongo_uri: str) -> None:
    async with connect(mongo_uri, app_name="tests") as client:
        concern = WriteConcern(w=2, wtimeout=100)
        things = client.get_database("xapi_gateway_unconfirmed").get_collection(
            "things", write_concern=concern
        )
        with pytest.raises(Unavailable) as caught, translating():
            await things.insert_one({})
        assert isinstance(caught.value.__cause__, WriteConcernError)
        await client.drop_database("xapi_gateway_unconfirmed")
