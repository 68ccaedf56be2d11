"""The xAPI resources below one path: who may call which method, and the headers of every answer.

Paths are looked up here and not in the router, because clients put two slashes where the standard has one
(cmi5 content joins `endpoint` and `/statements`), a redirect would break their preflight, and a 404 or 405
has to carry the version header like any other answer (xAPI 1.0.3 Communication 3.3).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping

import structlog
from aiohttp import web

from gateway.errors import GatewayError, MethodNotAllowed, NotFound
from gateway.store.connection import is_unavailable
from gateway.web.cors import Cors
from gateway.web.errors import error_response
from gateway.web.xapi import au, documents, knowledge, refusals, statements
from gateway.web.xapi.call import GRANT, THROUGH, VERSION, Call, Lrs
from gateway.xapi.datatypes import format_timestamp
from gateway.xapi.versions import HEADER

log = structlog.get_logger(__name__)

Resource = Callable[[Call], Awaitable[web.StreamResponse]]

RESOURCES: Mapping[str, Mapping[str, Resource]] = {
    "statements": {"GET": statements.get, "PUT": statements.put, "POST": statements.post},
    "activities/state": documents.STATE,
    "activities/profile": documents.ACTIVITY_PROFILE,
    "agents/profile": documents.AGENT_PROFILE,
    "agents": {"GET": knowledge.agents},
    "activities": {"GET": knowledge.activities},
}
# The LRS that was asked and the path of the resource below it, for whoever completes the answer.
LRS = web.RequestKey("lrs", Lrs)
RESOURCE = web.RequestKey("resource", str)
_SLASHES = re.compile(r"/{2,}")
_CONSISTENT_THROUGH = "X-Experience-API-Consistent-Through"


def add_routes(app: web.Application, mounts: Iterable[Lrs], cors: Cors) -> None:
    """Serve the resources below the path of each of `mounts`.

    They are routes and not sub-applications: looking one up and its settings took 3 % of a request's time.
    """
    for lrs in mounts:
        app.router.add_route("*", f"{lrs.path}/{{resource:.*}}", _dispatcher(lrs, cors))

    async def complete(request: web.Request, response: web.StreamResponse) -> None:
        lrs = request.get(LRS)
        if lrs is None:
            return
        headers = response.headers
        headers[HEADER] = request.get(VERSION, lrs.default).answer
        cors.add_headers(request, response)
        if request[RESOURCE] == "statements" and request.method != "OPTIONS":
            through = request.get(THROUGH)
            if through is None:
                through = await _through(lrs, request)
            if through is not None:
                headers[_CONSISTENT_THROUGH] = format_timestamp(through)

    app.on_response_prepare.append(complete)


def _dispatcher(lrs: Lrs, cors: Cors) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def dispatch(request: web.Request) -> web.StreamResponse:
        request[LRS], request[RESOURCE] = lrs, ""  # also if what follows fails
        request[RESOURCE] = name = _resource(request.path, lrs.path)
        if request.method == "OPTIONS":
            return cors.preflight()
        if name == "about":
            return await _about(lrs, request)
        methods = RESOURCES.get(name)
        if methods is None:
            raise NotFound(f"there is no xAPI resource at {request.path}")
        call = await Call.read(lrs, request)
        try:
            grant = await call.authenticate()
            call.negotiate()
            resource = methods.get("GET" if call.method == "HEAD" else call.method)
            if resource is None:
                return _not_allowed(call.method, name, methods)
            if grant.session is not None:
                await au.check(call, name)
            response = await resource(call)
        except GatewayError as error:
            await au.note(call, name, error)
            if name == "statements" and call.method in ("PUT", "POST"):
                refusals.note(call, error)
            raise
        if call.method == "HEAD" != request.method and isinstance(response, web.Response):
            response.body = None  # folded into a form: the server itself sees a POST
        return response

    return dispatch


def _resource(path: str, mount: str) -> str:
    """The resource that a path names below a mount."""
    name = _SLASHES.sub("/", path)[len(mount) :].strip("/")
    # With a slash at its end it is not the same resource (and never a redirect).
    return f"{name}/" if name and path.endswith("/") else name


async def _about(lrs: Lrs, request: web.Request) -> web.StreamResponse:
    method = (await Call.read(lrs, request)).method if request.method == "POST" else request.method
    if method not in ("GET", "HEAD"):
        return _not_allowed(method, "about", {"GET": knowledge.about})
    return await knowledge.about(Call(lrs=lrs, request=request, method="GET", parameters=(), headers={}))


def _not_allowed(method: str, name: str, methods: Mapping[str, Resource]) -> web.Response:
    allow = ", ".join([*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS"])
    error = MethodNotAllowed(
        f"{method} is not possible at {name}; it takes {allow}", headers={"Allow": allow}
    )
    return error_response(error)


async def _through(lrs: Lrs, request: web.Request) -> int | None:
    """Consistent-Through of an answer that read nothing; unknown while the database is away."""
    grant = request.get(GRANT)
    store = grant.store if grant else lrs.settings.stores.default
    try:
        return await lrs.services[store].store.writer.promised()
    except Exception as error:
        if not is_unavailable(error):
            log.exception("consistent-through unknown")
        return None
