"""Cross-origin access: course content and authoring tools run in browsers, on other origins than the gateway.

Headers are added to every answer, errors included, and a preflight needs neither credentials nor a version.
The request headers are listed one by one because a wildcard does not cover Authorization (Fetch 3.2.5).
"""

from __future__ import annotations

from collections.abc import Collection

from aiohttp import hdrs, web

_METHODS = "GET, HEAD, PUT, POST, DELETE, OPTIONS"
_REQUEST_HEADERS = (
    "Authorization, Content-Type, Content-Length, X-Experience-API-Version, If-Match, If-None-Match, "
    "Accept, Accept-Language, X-Requested-With, X-Experience-API-Hash, X-Request-ID"
)
_EXPOSED = (
    "ETag, Last-Modified, Cache-Control, Content-Type, Content-Length, WWW-Authenticate, "
    "X-Experience-API-Version, X-Experience-API-Consistent-Through, X-Request-ID, Retry-After"
)
_MAX_AGE = "86400"


class Cors:
    """Which origins may read answers: `allowed` lists them, `*` stands for all."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._all = "*" in allowed
        self._allowed = frozenset(allowed)

    def add_headers(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Let the requesting origin read `response`, if it may."""
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or not (self._all or origin in self._allowed):
            return
        # No cookies are ever used here, so that echoing the origin grants nothing but reading.
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)

    def preflight(self) -> web.Response:
        """The answer to OPTIONS."""
        return web.Response(
            status=204,
            headers={
                hdrs.ALLOW: _METHODS,
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: _REQUEST_HEADERS,
                hdrs.ACCESS_CONTROL_MAX_AGE: _MAX_AGE,
            },
        )
