"""Request ids and the log line of each request."""

from __future__ import annotations

import re
import time
from secrets import token_hex

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.services.metrics import REQUESTS

log = structlog.get_logger("gateway.request")

REQUEST_ID = "X-Request-ID"
# Set where the path itself holds a secret: what is logged instead of it.
SHOWN_PATH = web.RequestKey("shown_path", str)
_AREAS = ("xapi", "hooks", "api", "cmi5", "launch", "oauth2", "admin", "metrics", "healthz", "readyz")
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")


def _area(path: str) -> str:
    """The part of the gateway that a path belongs to; whatever strangers ask for is one label, not many."""
    return next((area for area in _AREAS if f"/{area}" in path), "other")


@web.middleware
async def request_id(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give each request an id (the caller's, if it is a plain one): it is logged and answered."""
    given = request.headers.get(REQUEST_ID, "")
    identity = given if _GIVEN.fullmatch(given) else token_hex(8)
    structlog.contextvars.bind_contextvars(request=identity)
    started = time.perf_counter()
    try:
        response = await handler(request)
    finally:
        structlog.contextvars.clear_contextvars()
    if not response.prepared:
        response.headers[REQUEST_ID] = identity
    REQUESTS.labels(_area(request.path), request.method, str(response.status)).inc()
    # Never the query: it can carry identifiers of learners, and tokens.
    log.debug(
        "request",
        request=identity,
        method=request.method,
        path=request.get(SHOWN_PATH, request.path),
        status=response.status,
        milliseconds=round((time.perf_counter() - started) * 1000, 1),
    )
    return response
