"""The embedded database: a one-node replica set under the data directory, there for whoever enters.

Promises: acknowledged writes survive the end of any process at any moment; after such an end the next start
works at once, without a manual step; processes on one data directory share one server, which is stopped when
the last of them leaves or dies; nothing but this machine reaches it, and only with the generated password.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import structlog
from pymongo import AsyncMongoClient
from pymongo.errors import ConnectionFailure, OperationFailure

from gateway.store.mongod import (
    HOST,
    REPLICA_SET,
    EmbeddedMongoError,
    Lock,
    MongoDirectory,
    find_mongod,
    free_port,
    port_is_free,
)

log = structlog.get_logger(__name__)

USER = "xapi-gateway"
# What the gateway does: collections, indexes and data of any store's database, and looking at the server.
_ROLES = ["readWriteAnyDatabase", "dbAdminAnyDatabase", "clusterMonitor"]
_START_SECONDS = 120.0
_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.02
_NOT_YET_INITIALIZED = 94
_ALREADY_INITIALIZED = 23


class EmbeddedMongo:
    """`async with EmbeddedMongo(data_dir) as server:` and `server.uri` is a connection string that works.

    `cache_mb` (at least 256) and `oplog_mb` hold for the process that starts the server. All failures are
    EmbeddedMongoError. Run `watch()` beside the work so that a server that ends is started again.
    """

    def __init__(self, data_dir: Path, *, cache_mb: int = 256, oplog_mb: int = 256) -> None:
        self._directory = MongoDirectory(data_dir)
        self._cache_mb = max(cache_mb, 256)
        self._oplog_mb = oplog_mb
        self._users: Lock | None = None
        self._port = 0
        self._password = ""

    @property
    def uri(self) -> str:
        return f"mongodb://{USER}:{self._password}@{HOST}:{self._port}/?replicaSet={REPLICA_SET}&authSource=admin"

    @property
    def port(self) -> int:
        return self._port

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        running = self._directory.running()
        return running.pid if running else None

    async def __aenter__(self) -> Self:
        try:
            self._directory.create()
            async with self._alone():
                others = await self._join()
                await self._ensure(any_port=not others)
        except OSError as error:
            self._drop()
            raise EmbeddedMongoError(
                f"The embedded database cannot use {error.filename or self._directory.root}: "
                f"{error.strerror}. Give a data directory that this user may write to, or set mongo.uri."
            ) from error
        except BaseException:
            self._drop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            async with self._alone():
                self._drop()
                await self._stop_if_unused()
        except FileNotFoundError as gone:
            # Somebody deleted the data directory. The guard still sees the last user go and ends the server.
            log.warning("data_directory_gone", path=gone.filename)
        finally:
            self._drop()

    async def watch(self) -> None:
        """Start the server again whenever it ends, more and more patiently. Runs until it is cancelled.

        While it is down, operations fail with server-selection errors after the client's short timeout. The
        port stays what it was, so clients reconnect by themselves.
        """
        failures, started = 0, time.monotonic()
        task = asyncio.current_task()
        # Asked as well as awaited: on Python 3.11 a cancellation that meets a driver's send can get lost.
        while task and not task.cancelling():
            await asyncio.sleep(0.5)
            if self._directory.running():
                continue
            log.warning("mongod_ended", reason=self._directory.last_words())
            failures = 0 if time.monotonic() - started > 60 else failures + 1
            await asyncio.sleep(min(30.0, 0.25 * 2**failures) if failures else 0)
            started = time.monotonic()
            try:
                async with self._alone():
                    await self._ensure(any_port=False)
            except (EmbeddedMongoError, OSError) as error:
                log.error("mongod_restart_failed", error=str(error))
            else:
                log.info("mongod_restarted", port=self._port)

    # Agreement with other processes

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        with Lock(self._directory.entry_lock) as entry:
            await _until(entry.take, "another process has been starting or stopping it all the time")
            yield

    async def _join(self) -> bool:
        """Become a user of the server, running or not. Returns whether there are others."""
        users = self._users = Lock(self._directory.users_lock)
        others = not users.take()
        await _until(lambda: users.take(shared=True), "the one before does not stop")
        return others

    def _drop(self) -> None:
        if self._users:
            self._users.close()
            self._users = None

    async def _stop_if_unused(self) -> None:
        asked: float | None = None
        with Lock(self._directory.users_lock) as users:
            while self._directory.running():
                if users.take():
                    if asked is None:
                        asked = time.monotonic() if self._directory.signal(signal.SIGTERM) else None
                    elif time.monotonic() - asked > _STOP_SECONDS:
                        log.error("mongod_killed", seconds=_STOP_SECONDS)
                        self._directory.signal(signal.SIGKILL)
                elif users.take(shared=True):
                    return  # others use it
                # Else the guard holds it: it saw the last user go and is stopping the server.
                await asyncio.sleep(_POLL_SECONDS)

    # Start

    async def _ensure(self, *, any_port: bool) -> None:
        """Have the server running, a primary, and letting the gateway in."""
        self._password = self._directory.password()
        if running := self._directory.running():
            self._port = running.port
            with contextlib.suppress(_ServerEndedError):  # it was on its way out
                await self._prepare()
                return
        binary = find_mongod()
        for _ in range(5):
            self._port = self._choose_port(any_port=any_port)
            await asyncio.to_thread(
                self._directory.start, binary, self._port, cache_mb=self._cache_mb, oplog_mb=self._oplog_mb
            )
            try:
                await self._prepare()
            except _ServerEndedError:
                if not port_is_free(self._port) or self._directory.set_unfinished_aside():
                    continue
                break
            return
        raise EmbeddedMongoError(
            f"The embedded database ({binary}) does not start: {self._directory.last_words()}. "
            f"More may be in {self._directory.log}; a database of your own can be used by setting mongo.uri."
        )

    def _choose_port(self, *, any_port: bool) -> int:
        port = self._directory.last_port() or free_port()
        if port_is_free(port):
            return port
        if any_port:
            return free_port()
        raise EmbeddedMongoError(
            f"The embedded database cannot start again: its port {port} was taken by another program "
            "meanwhile. End that program, or restart every process of the gateway to have a new port chosen."
        )

    async def _prepare(self) -> None:
        """Bring a running server from wherever it is to fully usable; any step may have been done before."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            await self._until_connected(deadline)
            try:
                await self._bring_up(deadline)
                break
            except ConnectionFailure as error:
                # A node that changes its state closes its connections: look again, unless it has ended.
                if time.monotonic() > deadline:
                    raise EmbeddedMongoError(
                        f"The embedded database at port {self._port} does not answer: {error}. "
                        f"See {self._directory.log}."
                    ) from error
                await asyncio.sleep(_POLL_SECONDS)
            except OperationFailure as error:
                raise EmbeddedMongoError(
                    f"The embedded database at port {self._port} refuses the gateway: {error.details}. "
                    f"If {self._directory.root}/key was replaced meanwhile, end its process and start again."
                ) from error
        self._directory.mark_ready()

    async def _bring_up(self, deadline: float) -> None:
        key = self._directory.key()
        async with self._client(username="__system", password=key, source="local") as system:
            await _become_primary(system, f"{HOST}:{self._port}", deadline)
            try:
                await self._enter()
            except OperationFailure:  # no such user yet, or the password file was made anew
                await _set_password(system, self._password)
                await self._enter()

    async def _enter(self) -> None:
        async with self._client(username=USER, password=self._password, source="admin") as client:
            await client.admin.command("ping")

    async def _until_connected(self, deadline: float) -> None:
        while self._directory.running():
            try:
                _, writer = await asyncio.open_connection(HOST, self._port)
            except OSError:
                if time.monotonic() > deadline:
                    raise EmbeddedMongoError(
                        f"The embedded database did not open port {self._port} within "
                        f"{_START_SECONDS:.0f} s; see {self._directory.log}."
                    ) from None
                await asyncio.sleep(_POLL_SECONDS)
            else:
                writer.close()
                return
        raise _ServerEndedError

    @contextlib.asynccontextmanager
    async def _client(
        self, *, username: str, password: str, source: str
    ) -> AsyncIterator[AsyncMongoClient[dict[str, Any]]]:
        # Direct: before it is initiated, and when its port has changed, the node is no member of any set.
        async with AsyncMongoClient[dict[str, Any]](
            HOST,
            self._port,
            directConnection=True,
            username=username,
            password=password,
            authSource=source,
            authMechanism="SCRAM-SHA-256",
            # Short, because it is asked again as long as the server lives: this notices that it died.
            serverSelectionTimeoutMS=1_500,
            heartbeatFrequencyMS=500,
        ) as client:
            yield client


class _ServerEndedError(Exception):
    """The server that was being prepared is gone."""


async def _become_primary(system: AsyncMongoClient[dict[str, Any]], host: str, deadline: float) -> None:
    while not (await _configure(system, host) and (await system.admin.command("hello"))["isWritablePrimary"]):
        if time.monotonic() > deadline:
            raise EmbeddedMongoError(
                f"The embedded database did not become primary in {_START_SECONDS:.0f} s."
            )
        await asyncio.sleep(_POLL_SECONDS)


async def _configure(system: AsyncMongoClient[dict[str, Any]], host: str) -> bool:
    """Have the node be the only member of its set. False while it is still reading its configuration.

    After a change of port that takes it 30 s if the program which has the old port accepts connections but
    does not answer: the node asks there whether that is itself.
    """
    try:
        config = (await system.admin.command("replSetGetConfig"))["config"]
    except OperationFailure as error:
        if error.code != _NOT_YET_INITIALIZED:
            raise
        return await _initiate(system, host)
    if [member["host"] for member in config["members"]] != [host]:
        # A node that does not find its own address in the configuration is no member, so nobody could agree
        # to the change: hence by force. Being the only node, it contradicts nobody.
        config["members"] = [{**config["members"][0], "host": host}]
        config["version"] += 1
        await system.admin.command("replSetReconfig", config, force=True)
    return True


async def _initiate(system: AsyncMongoClient[dict[str, Any]], host: str) -> bool:
    config = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": host}]}
    try:
        await system.admin.command("replSetInitiate", config)
    except OperationFailure as error:
        if error.code != _ALREADY_INITIALIZED:
            raise
        return False
    return True


async def _set_password(system: AsyncMongoClient[dict[str, Any]], password: str) -> None:
    known = await system.admin.command("usersInfo", USER)
    await system.admin.command(
        "updateUser" if known["users"] else "createUser",
        USER,
        pwd=password,
        roles=_ROLES,
        mechanisms=["SCRAM-SHA-256"],
    )


async def _until(condition: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise EmbeddedMongoError(
                f"The embedded database cannot be used: {otherwise} ({_START_SECONDS:.0f} s)."
            )
        await asyncio.sleep(_POLL_SECONDS)
