"""The only assembly: settings, stores, services and routes become an application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

import structlog
from aiohttp import web

from gateway.errors import GatewayError
from gateway.keys import ACCESS, AUDIT, PEOPLE, PROVIDER, RELOADING, SERVICES, SESSIONS, SETTINGS, TOKENS
from gateway.services import opening
from gateway.services.access import Access
from gateway.services.addresses import public_url
from gateway.services.audit import Audit
from gateway.services.clock import utc_now
from gateway.services.identity_provider import IdentityProvider
from gateway.services.mappings import Mappings
from gateway.services.people import People
from gateway.services.reloading import Reloading
from gateway.services.services import Services
from gateway.services.session_finder import SessionFinder
from gateway.services.tokens import TokenIssuer
from gateway.services.working import enduring
from gateway.settings import Settings
from gateway.store.connection import Client
from gateway.store.store import Store
from gateway.web import api, catapult, cmi5, console, content, hooks, oauth, ops, xapi
from gateway.web.auditing import audited
from gateway.web.connections import Manners, Runner
from gateway.web.cors import Cors
from gateway.web.errors import errors_to_json
from gateway.web.origins import CONTENT_PORT, ContentPort
from gateway.web.outgoing import HttpFetcher
from gateway.web.posting import HttpPoster
from gateway.web.requests import request_id
from gateway.xapi.versions import HEADER, Version

log = structlog.get_logger(__name__)


class CannotListen(GatewayError):
    """The address or port is taken, or is not this machine's."""

    status, code = 503, "cannot_listen"


_NOTE_USE_EVERY = 30.0  # seconds
# Where the LRS is, and the version of answers to requests that name none.
_MOUNTS = (("/v1/xapi", Version.V1), ("/xapi", Version.V2))


async def open_services(
    settings: Settings, client: Client, mappings: Mappings | None = None
) -> dict[str, Services]:
    """The services of every store as they are served: they fetch from vendors, and tell others."""
    return await opening.open_services(
        settings,
        client,
        mappings,
        fetcher=HttpFetcher,
        poster=lambda: HttpPoster(settings.notices.allow),
    )


def provider_of(settings: Settings, default: Store) -> IdentityProvider | None:
    """The identity provider of the console, if the settings name one."""
    if settings.oidc.issuer is None:
        return None
    return IdentityProvider(settings.oidc, HttpFetcher(), default.sign_ins, clock=utc_now)


def build_app(settings: Settings, services: Mapping[str, Services]) -> web.Application:
    """The gateway's application. Its background work runs while it is started."""
    app = web.Application(
        middlewares=[request_id, errors_to_json, audited], client_max_size=settings.xapi.max_body
    )
    app[SETTINGS], app[SERVICES] = settings, services
    app[SESSIONS] = SessionFinder(services)
    app[CONTENT_PORT] = ContentPort(settings.server.content_port)
    default = services[settings.stores.default].store
    app[ACCESS] = Access(
        default.credentials,
        default.tokens,
        home_page=public_url(settings),
        find_session=app[SESSIONS].find,
    )
    vendors = services[settings.stores.default].hooks
    app[RELOADING] = Reloading(
        vendors.mappings,
        default.mapping_status,
        vendors.revisions,
        watch=settings.hooks.watch,
        clock=utc_now,
    )
    app[AUDIT] = Audit.of(settings, default)
    app[PEOPLE] = People.of(settings, default)
    app[PROVIDER] = provider_of(settings, default)
    app[TOKENS] = TokenIssuer(app[ACCESS], default.tokens, clock=utc_now)
    cors = Cors(settings.cors.allow_origins)
    base = settings.server.base_path
    mounts = [
        xapi.Lrs(
            path=f"{base}{path}", default=version, settings=settings, access=app[ACCESS], services=services
        )
        for path, version in _MOUNTS
    ]
    xapi.add_routes(app, mounts, cors)
    app.add_subapp(f"{base}/catapult", catapult.subapp())
    oauth.add_routes(app)
    hooks.add_routes(app)
    cmi5.add_routes(app, cors)
    api.add_routes(app)
    console.add_routes(app)
    ops.add_routes(app)
    app.cleanup_ctx.append(_background)
    app.on_shutdown.append(_end_tails)
    return app


def build_content_app(services: Mapping[str, Services]) -> web.Application:
    """The application on the other origin: files of courses, and nothing that knows credentials."""
    app = web.Application(middlewares=[request_id, errors_to_json])
    app[SERVICES] = services
    content.add_routes(app)
    return app


@contextlib.asynccontextmanager
async def serving(
    settings: Settings, services: Mapping[str, Services], *, share_port: bool
) -> AsyncIterator[tuple[int, int]]:
    """Serve until left, then finish the requests under way; the ports of the gateway and of course content.

    With `share_port` other processes may listen on the same ports, and the kernel spreads connections.
    """
    server = settings.server
    app, content_app = build_app(settings, services), build_content_app(services)
    async with _listening(content_app, settings, server.content_port, share_port) as content_port:
        app[CONTENT_PORT].number = content_port
        async with _listening(app, settings, server.port, share_port) as port:
            yield port, content_port


def make_runner(app: web.Application, settings: Settings) -> web.AppRunner:
    """Runs an application on connections that are treated as the settings say."""
    base = settings.server.base_path

    def headers(path: str) -> Mapping[str, str]:
        for mount, version in _MOUNTS:
            if f"{path}/".startswith(f"{base}{mount}/"):
                return {HEADER: version.answer}
        return {}

    return Runner(
        app,
        Manners(
            head_timeout=settings.limits.head_timeout,
            answer_timeout=settings.limits.answer_timeout,
            headers=headers,
        ),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=settings.server.shutdown_grace or 0.01,  # to aiohttp, 0 is for ever
        keepalive_timeout=settings.limits.idle_timeout,
    )


@contextlib.asynccontextmanager
async def _listening(
    app: web.Application, settings: Settings, port: int, share_port: bool
) -> AsyncIterator[int]:
    """Serve one application until left; the port it listens on."""
    runner = make_runner(app, settings)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.server.host, port, backlog=1024, reuse_port=share_port or None)
        await listen(site, port)
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def listen(site: web.TCPSite, port: int) -> None:
    """Start a site; a port that cannot be had is an error for the operator, in one sentence."""
    try:
        await site.start()
    except OSError as error:
        raise CannotListen(f"cannot listen on {site.name} (port {port}): {error.strerror}") from error


async def _end_tails(app: web.Application) -> None:
    """Nobody waits for those who watch: they come back by themselves."""
    for services in app[SERVICES].values():
        services.live.closing.set()


@contextlib.asynccontextmanager
async def _background(app: web.Application) -> AsyncIterator[None]:
    """Everything that runs beside requests, in one task group that ends with the application."""
    access = app[ACCESS]
    app[SERVICES][app[SETTINGS].stores.default].hooks.mappings.report()

    async def note_use() -> None:
        while True:
            await asyncio.sleep(_NOTE_USE_EVERY)
            await access.note_use()

    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            for services in app[SERVICES].values():
                tasks.create_task(services.run())
            tasks.create_task(enduring("credential use", note_use))
            tasks.create_task(enduring("mappings", app[RELOADING].run))

    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await access.note_use()
        if (provider := app[PROVIDER]) is not None:
            await provider.close()
