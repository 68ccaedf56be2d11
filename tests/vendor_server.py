"""A vendor whose notices are thin: a real server that is asked for the rest, and can be told to misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(slots=True)
class VendorServer:
    """Answers every GET with the first of `answers` while there are any, then with `thing`, or with what
    `things` have for its path; not before it is `open`.

    A POST to /token is answered with the first of `token_answers` while there are any, then with a new token;
    with `tokens_count` a GET needs one that was issued and is not in `revoked`.
    """

    url: str = ""
    thing: Any = None
    things: Mapping[str, Any] = field(default_factory=dict)
    answers: list[Callable[[], web.StreamResponse]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # paths as they arrived, encoded
    credentials: list[str | None] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    tokens_count: bool = False
    token_lives: int | None = 3600
    token_answers: list[Callable[[], web.StreamResponse]] = field(default_factory=list)
    token_requests: list[dict[str, str]] = field(default_factory=list)  # forms
    token_credentials: list[str | None] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    issued: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.raw_path)
        self.credentials.append(request.headers.get("Authorization"))
        await self.open.wait()
        if self.answers:
            return self.answers.pop(0)()
        if self.tokens_count:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme != "Bearer" or token not in self.issued or token in self.revoked:
                return web.json_response({"error": "InvalidAuthenticationToken"}, status=401)
        return web.json_response(self.things.get(request.path, self.thing))

    async def give_token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        self.token_requests.append({name: str(value) for name, value in form.items()})
        self.token_credentials.append(request.headers.get("Authorization"))
        await self.open.wait()
        if self.token_answers:
            return self.token_answers.pop(0)()
        token = f"canary-access-token-{len(self.issued) + 1}"
        self.issued.append(token)
        lives = {} if self.token_lives is None else {"expires_in": self.token_lives}
        return web.json_response({"access_token": token, "token_type": "Bearer", **lives})

    def connection(self, **more: Any) -> dict[str, Any]:
        """The connection that leads here, for `hooks.connections`."""
        return {"base_url": f"{self.url}/base/", "allow_private": True, **more}

    def oauth2(self, **more: Any) -> dict[str, Any]:
        """The `auth` of a connection whose tokens come from here."""
        written = {
            "token_url": f"{self.url}/token",
            "client_id": "VENDOR_ID",
            "client_secret": "VENDOR_SECRET",
        }
        return {"oauth2": written | more}


@asynccontextmanager
async def vendor_server(thing: Any) -> AsyncIterator[VendorServer]:
    """A vendor on a free port of this machine, until left."""
    vendor = VendorServer(thing=thing)
    vendor.open.set()
    app = web.Application()
    app.router.add_post("/token", vendor.give_token)
    app.router.add_get("/{path:.*}", vendor.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        vendor.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield vendor
    finally:
        vendor.open.set()
        await runner.cleanup()
