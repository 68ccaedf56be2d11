"""Request ids and the log line of each request."""

from __future__ import annotations

import functools
import itertools
import re
import time
from secrets import token_hex

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import Counter

from gateway.logs import REQUEST
from gateway.services.metrics import REQUESTS

log = structlog.get_logger("gateway.request")

REQUEST_ID = "X-Request-ID"
# Set where the path itself holds a secret: what is logged instead of it.
SHOWN_PATH = web.RequestKey("shown_path", str)
_AREAS = ("xapi", "hooks", "api", "cmi5", "launch", "oauth2", "admin", "metrics", "healthz", "readyz")
# Ids are numbers behind what tells this process from all others: unique, and cheaper than chance each time.
_PROCESS, _NUMBERS = token_hex(5), itertools.count(1)
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")


def _area(path: str) -> str:
    """The part of the gateway that a path belongs to; whatever strangers ask for is one label, not many."""
    return next((area for area in _AREAS if f"/{area}" in path), "other")


@functools.lru_cache(maxsize=1024)
def _counter(area: str, method: str, status: int) -> Counter:
    return REQUESTS.labels(area, method, str(status))


@web.middleware
async def request_id(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give each request an id (the caller's, if it is a plain one): it is logged and answered."""
    given = request.headers.get(REQUEST_ID, "")
    identity = given if given and _GIVEN.fullmatch(given) else f"{_PROCESS}{next(_NUMBERS):06x}"
    # Not reset: a connection is one task, and its next request sets it anew.
    REQUEST.set(identity)
    started = time.perf_counter()
    response = await handler(request)
    if not response.prepared:
        response.headers[REQUEST_ID] = identity
    _counter(_area(request.path), request.method, response.status).inc()
    # Never the query: it can carry identifiers of learners, and tokens.
    log.debug(
        "request",
        method=request.method,
        path=request.get(SHOWN_PATH, request.path),
        status=response.status,
        milliseconds=round((time.perf_counter() - started) * 1000, 1),
    )
    return response
