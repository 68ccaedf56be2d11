"""`xapi-gateway serve`: one process, or a supervisor with several worker processes."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import click
import structlog

from gateway import __version__
from gateway.app import open_services, serving
from gateway.cli.config import Sources, settings_options
from gateway.cli.opening import open_client, run
from gateway.cli.recording import account
from gateway.cli.supervisor import WORKER, supervise
from gateway.logs import configure_logging
from gateway.services.addresses import public_url
from gateway.services.audit import Audit, Kind
from gateway.services.bootstrap import FirstCredential, bootstrap
from gateway.services.clock import utc_now
from gateway.services.mappings import Mappings
from gateway.services.people import People
from gateway.services.services import Services
from gateway.services.working import enduring
from gateway.settings import Settings

log = structlog.get_logger(__name__)


@click.command()
@settings_options()
def serve(sources: Sources) -> None:
    """Run the gateway until SIGTERM or Ctrl-C; requests under way are finished first."""
    settings = sources.require()
    configure_logging(settings.log, for_good=True)
    _collect_rarely()
    if os.environ.get(WORKER):
        run(lambda: _worker(settings))
    elif settings.server.workers == 1:
        run(lambda: _alone(settings))
    else:
        run(lambda: _with_workers(settings))


def _collect_rarely() -> None:
    # A page of statements is thousands of objects that live for one answer and are in no cycle. Looking for
    # garbage at Python's own pace cost a sixth of the CPU time of a list.
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _collect_no_more() -> None:
    """Take what is loaded by now for good: going through it when garbage is looked for took a quarter of a
    second each time.
    """
    gc.freeze()


async def _alone(settings: Settings) -> None:
    mappings = Mappings.of(settings)
    async with _stop_signals() as stop, _meanwhile(mappings.load), open_client(settings) as client:
        services = await open_services(settings, client, mappings)
        default = services[settings.stores.default]
        first = await _prepare(settings, default)
        async with serving(settings, services, share_port=False) as ports, _hangups(default):
            _collect_no_more()
            _announce(settings, ports, first)
            await stop.wait()
            log.info("stopping")


async def _worker(settings: Settings) -> None:
    """One of several processes on the same port; ends with the supervisor, however that ended."""
    mappings = Mappings.of(settings)
    async with _stop_signals() as stop, _meanwhile(mappings.load), open_client(settings) as client:
        services = await open_services(settings, client, mappings)
        async with serving(settings, services, share_port=True), asyncio.TaskGroup() as tasks:
            _collect_no_more()
            orphaned = tasks.create_task(_until_orphaned(stop))
            await stop.wait()
            orphaned.cancel()


async def _with_workers(settings: Settings) -> None:
    if 0 in (settings.server.port, settings.server.content_port):
        raise click.UsageError("several workers share a port, so server.port and content_port cannot be 0")
    async with _stop_signals() as stop, open_client(settings) as client:
        services = (await open_services(settings, client))[settings.stores.default]
        first = await _prepare(settings, services)
        _announce(settings, (settings.server.port, settings.server.content_port), first)
        async with _hangups(services):
            await supervise(
                [sys.executable, "-m", "gateway", *sys.argv[1:]],
                workers=settings.server.workers,
                grace=settings.server.shutdown_grace,
                metrics=settings.data.dir / "metrics",
                stop=stop,
            )


@dataclass(frozen=True, slots=True)
class _First:
    """With what somebody begins: a credential, and a link into the console as long as it is needed."""

    credential: FirstCredential
    link: str | None


async def _prepare(settings: Settings, services: Services) -> _First:
    credential = await bootstrap(settings, services.store.credentials, utc_now())
    if credential.secret is not None:
        await Audit.of(settings, services.store).record(
            store=settings.stores.default,
            kind=Kind.COMMAND_LINE,
            actor=account(),
            action="credentials.create",
            objects={"key": credential.key},
            detail={"scopes": ["all"], "first": True},
        )
    link = await People.of(settings, services.store).first_link(settings.stores.default)
    return _First(credential, link)


@contextlib.asynccontextmanager
async def _meanwhile(prepare: Callable[[], None]) -> AsyncIterator[None]:
    """Prepare something in a thread while the database is being opened."""
    task = asyncio.create_task(asyncio.to_thread(prepare))
    try:
        yield
    finally:
        await task


@contextlib.asynccontextmanager
async def _hangups(services: Services) -> AsyncIterator[None]:
    """SIGHUP has every process read its mappings again, except on a terminal, where it means that this
    closes.
    """
    if sys.platform == "win32" or sys.stdin.isatty():
        yield
        return
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def follow() -> None:
        while True:
            await asked.wait()
            asked.clear()
            generation = await services.store.mapping_status.wish()
            log.info("mappings are read again", generation=generation)

    loop.add_signal_handler(signal.SIGHUP, asked.set)
    task = asyncio.create_task(enduring("hangups", follow))
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        task.cancel()
        await asyncio.wait({task})


@contextlib.asynccontextmanager
async def _stop_signals() -> AsyncIterator[asyncio.Event]:
    """An event that SIGTERM and Ctrl-C set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _until_orphaned(stop: asyncio.Event) -> None:
    # The supervisor holds the other end of standard input; it closes with the supervisor, `kill -9` included.
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        await reader.read()
        stop.set()
    finally:
        transport.close()


def _announce(settings: Settings, ports: tuple[int, int], first: _First) -> None:
    url, credential = public_url(settings, port=ports[0]), first.credential
    lines = [
        f"xapi-gateway {__version__}",
        "",
        f"  Console  {url}/admin/",
        *([f"  Sign in  {url}/admin/welcome/{first.link}   once, within a day"] if first.link else []),
        f"  LRS      {url}/xapi       (version 1.0.3 by default: {url}/v1/xapi)",
        f"  Ready    {url}/readyz",
        "",
        f"  Key      {credential.key}",
    ]
    if credential.secret:
        lines.append(f"  Secret   {credential.secret}   shown this once: keep it")
    else:
        lines.append(
            f"  Secret   shown at the first start; renew: xapi-gateway credentials rotate {credential.key}"
        )
    click.echo("\n".join([*lines, ""]))
