"""How commands reach MongoDB: by `mongo.uri`, or through the embedded server of the data directory."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import click

from gateway.cli.recording import record_command
from gateway.errors import GatewayError
from gateway.services.audit import Audit
from gateway.settings import Settings
from gateway.store.connection import Client, Timeouts, check_server, connect, translating
from gateway.store.embedded import EmbeddedMongo
from gateway.store.store import Store

Result = TypeVar("Result")

_MIB = 1024 * 1024


def chosen_store(settings: Settings, store: str | None) -> str:
    """The name of the store that a command works on: the default one unless it says another."""
    chosen = store or settings.stores.default
    if chosen not in settings.stores.names:
        raise click.BadParameter(f"there is no store {chosen!r}; there is {', '.join(settings.stores.names)}")
    return chosen


@contextlib.asynccontextmanager
async def open_mongo(settings: Settings) -> AsyncIterator[str]:
    """The connection string; an embedded server runs as long as somebody is inside."""
    if settings.mongo.uri is not None:
        yield settings.mongo.uri.reveal()
        return
    async with EmbeddedMongo(
        settings.data.dir,
        cache_mb=settings.mongo.embedded_cache // _MIB,
        oplog_mb=settings.mongo.embedded_oplog // _MIB,
    ) as server:
        # Not a task group: it would wrap the one-sentence errors of the commands inside.
        watching = asyncio.create_task(server.watch())
        try:
            yield server.uri
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


@contextlib.asynccontextmanager
async def open_client(settings: Settings) -> AsyncIterator[Client]:
    """A client of a server that was looked at and found suitable."""
    async with open_mongo(settings) as uri:
        timeouts = Timeouts(
            server=settings.mongo.connect_timeout,
            connect=settings.mongo.connect_timeout,
            socket=settings.mongo.operation_timeout,
        )
        async with connect(uri, app_name="xapi-gateway", timeouts=timeouts) as client:
            await check_server(client)
            yield client
            # Only what ended well gets here.
            default = Store(client, settings.databases[settings.stores.default])
            await record_command(Audit.of(settings, default), settings)


def run(main: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run an asynchronous command; an error of the gateway becomes one sentence and exit status 1."""
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_translated(main))
    except GatewayError as error:
        raise click.ClickException(error.message) from error


async def _translated(main: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    with translating():
        return await main()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    if sys.platform == "win32":
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop
