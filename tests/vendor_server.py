"""A vendor whose notices are thin: a real server that is asked for the rest, and can be told to misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(slots=True)
class VendorServer:
    """Answers every GET with the first of `answers` while there are any, then with `thing`; not before it is
    `open`.
    """

    url: str = ""
    thing: Any = None
    answers: list[Callable[[], web.StreamResponse]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # paths as they arrived, encoded
    credentials: list[str | None] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.raw_path)
        self.credentials.append(request.headers.get("Authorization"))
        await self.open.wait()
        return self.answers.pop(0)() if self.answers else web.json_response(self.thing)

    def connection(self, **more: Any) -> dict[str, Any]:
        """The connection that leads here, for `hooks.connections`."""
        return {"base_url": f"{self.url}/base/", "allow_private": True, **more}


@asynccontextmanager
async def vendor_server(thing: Any) -> AsyncIterator[VendorServer]:
    """A vendor on a free port of this machine, until left."""
    vendor = VendorServer(thing=thing)
    vendor.open.set()
    app = web.Application()
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
