"""The gateway as tests meet it: the real application on a database of its own, reached over a socket."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientSession, DummyCookieJar, web, web_app
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from gateway.app import build_app, make_runner, open_services
from gateway.keys import ACCESS
from gateway.services.services import Services
from gateway.settings import Settings, load
from gateway.store.connection import Client
from gateway.store.credentials import Credential
from gateway.store.store import Store

KEY, SECRET = "tests", "secret: ünïcode"
VERSION_HEADER = "X-Experience-API-Version"

Pairs = Mapping[str, str] | Sequence[tuple[str, str]]


def settings_for(database: str, **flags: object) -> Settings:
    """The default settings with a database, and further options by name: `xapi__page_size=2`."""
    given = {name.replace("__", ".", 1): value for name, value in flags.items()}
    defaults = {"server.port": 0, "server.content_port": 0, "server.shutdown_grace": "5s"}
    return load(None, {}, {"mongo.database": database} | defaults | given)


def basic(key: str, secret: str) -> str:
    """The Authorization header of a credential."""
    return f"Basic {b64encode(f'{key}:{secret}'.encode()).decode()}"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read whole."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """What an error answer says: code, message, problems."""
        error: dict[str, Any] = self.json()["error"]
        return error


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """Requests to one place, with the same headers each time; `None` among a request's headers drops one."""

    session: ClientSession
    base: str
    headers: Mapping[str, str]

    def with_headers(self, headers: Mapping[str, str | None]) -> Http:
        return replace(self, headers=_merged(self.headers, headers))

    def at(self, base: str) -> Http:
        """The same below another path or origin: `http.at(gateway.url + "/v1/xapi")`."""
        return replace(self, base=base)

    async def __call__(
        self,
        method: str,
        path: str,
        params: Pairs = (),
        *,
        body: object = None,
        data: object = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Reply:
        """`body` is sent as JSON, `data` as it is (bytes or async iterator). Redirects are not followed."""
        if isinstance(data, bytes):
            data = BytesIO(data)  # sent in pieces, so that client and server take turns
        sent = CIMultiDict(_merged(self.headers, headers or {}))
        if body is not None:
            data = BytesIO(json.dumps(body).encode())
            sent.setdefault("Content-Type", "application/json")
        query = f"?{urlencode(params)}" if params else ""
        url = URL(f"{self.base}{path}{query}", encoded=True)
        skipped = () if "Content-Type" in sent else ("Content-Type",)
        async with self.session.request(
            method, url, data=data, headers=sent, skip_auto_headers=skipped, allow_redirects=False
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    async def get(self, path: str, params: Pairs = (), **kwargs: Any) -> Reply:
        return await self("GET", path, params, **kwargs)

    async def put(self, path: str, params: Pairs = (), **kwargs: Any) -> Reply:
        return await self("PUT", path, params, **kwargs)

    async def post(self, path: str, params: Pairs = (), **kwargs: Any) -> Reply:
        return await self("POST", path, params, **kwargs)

    async def delete(self, path: str, params: Pairs = (), **kwargs: Any) -> Reply:
        return await self("DELETE", path, params, **kwargs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A running gateway. `lrs` and `lrs1` are its LRS as 2.0.0 and 1.0.3, with all scopes."""

    app: web.Application
    settings: Settings
    services: Services
    host: str
    port: int
    lrs: Http
    lrs1: Http

    @property
    def store(self) -> Store:
        return self.services.store

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def http(self, path: str = "", headers: Mapping[str, str] | None = None) -> Http:
        """Requests without credentials or version."""
        return Http(session=self.lrs.session, base=f"{self.url}{path}", headers=headers or {})

    async def client(self, key: str, *scopes: str, version: str = "2.0.0") -> Http:
        """The LRS with a new credential that has only these scopes."""
        await create_credential(self.store, key, f"secret of {key}", *scopes)
        return self.lrs.with_headers(
            {"Authorization": basic(key, f"secret of {key}"), VERSION_HEADER: version}
        )

    async def raw(self, request: bytes, *, timeout: float = 60) -> bytes:
        """Write bytes to a connection of their own; everything that is answered until it is closed."""
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(self.host, self.port)
            try:
                writer.write(request)
                return await reader.read()
            finally:
                writer.close()


async def create_credential(store: Store, key: str, secret: str, *scopes: str) -> None:
    credential = Credential(
        key=key, name=f"Credential {key}", store="main", scopes=scopes, created=dt.datetime.now(dt.UTC)
    )
    assert await store.credentials.create(credential, secret)


@asynccontextmanager
async def running(mongo: Client, settings: Settings) -> AsyncIterator[Gateway]:
    """The application of `settings`, served on a free port until left; its database stays."""
    services = await open_services(settings, mongo)
    main = services[settings.stores.default]
    if await main.store.credentials.get(KEY) is None:
        await create_credential(main.store, KEY, SECRET, "all")
    app = build_app(settings, services)
    runner = make_runner(app, settings)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = int(runner.addresses[0][1])
        headers = {"Authorization": basic(KEY, SECRET), VERSION_HEADER: "2.0.0"}
        base = f"http://127.0.0.1:{port}{settings.server.base_path}"
        async with ClientSession(cookie_jar=DummyCookieJar()) as session:
            lrs = Http(session=session, base=f"{base}/xapi", headers=headers)
            yield Gateway(
                app=app,
                settings=settings,
                services=main,
                host="127.0.0.1",
                port=port,
                lrs=lrs,
                lrs1=lrs.with_headers({VERSION_HEADER: "1.0.3"}).at(f"{base}/v1/xapi"),
            )
    finally:
        await runner.cleanup()
        # aiohttp remembers the handlers of a thousand routes, and with them applications that are gone
        web_app._cached_build_middleware.cache_clear()


def forget_credentials(gateway: Gateway) -> None:
    """Let a changed credential count at once."""
    gateway.app[ACCESS].forget()


def _merged(headers: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    merged: dict[str, str | None] = {**headers, **changes}
    return {name: value for name, value in merged.items() if value is not None}
