"""`GET /api/v1/openapi.json`: this API described for programs (OpenAPI 3.1). Public, it holds no secrets."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from aiohttp import hdrs, web

from gateway import __version__
from gateway.web.origins import addresses
from gateway.xapi import strict_json

_FILE = Path(__file__).with_name("openapi.json")


@functools.cache
def description() -> dict[str, Any]:
    """The description as it is written, with paths below the base path. Not to be changed."""
    document: dict[str, Any] = strict_json.parse(_FILE.read_bytes()).value
    return document


async def show(request: web.Request) -> web.Response:
    """The description, with the URL of the gateway that was asked."""
    document = description()
    server = {**document["servers"][0], "url": addresses(request).gateway}
    told = {**document, "info": {**document["info"], "version": __version__}, "servers": [server]}
    return web.Response(
        body=strict_json.dumps(told),
        content_type="application/json",
        # Viewers and generators run in browsers, too.
        headers={hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*", hdrs.CACHE_CONTROL: "no-cache"},
    )


def add_routes(app: web.Application, base: str) -> None:
    """The description below `base`."""
    app.router.add_get(f"{base}/openapi.json", show)
