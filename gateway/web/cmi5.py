"""What learners and AUs meet of the LMS: launch links, fetch URLs, and the page where a course ends."""

from __future__ import annotations

from urllib.parse import quote

import orjson
import structlog
from aiohttp import hdrs, web
from yarl import URL

from gateway.cmi5.sessions import FetchAnswer, FetchError, fetch_refused
from gateway.errors import GatewayError, MethodNotAllowed
from gateway.keys import SESSIONS, SETTINGS
from gateway.services.launch_links import NeedsOwnWindow
from gateway.store.connection import translating
from gateway.web.cors import Cors
from gateway.web.origins import addresses
from gateway.web.pages import Link, page

log = structlog.get_logger(__name__)

_FETCH_METHODS = "POST, OPTIONS"
_FRAMES = frozenset({"iframe", "frame", "embed", "object", "fencedframe"})
_NO_STORE: dict[str, str] = {hdrs.CACHE_CONTROL: "no-store"}


async def launch(request: web.Request) -> web.StreamResponse:
    """`GET /launch/{token}`: begin a session and send the browser to the AU."""
    if _is_speculative(request):
        # A preview must not begin a session: that would end the one the learner is in.
        return web.Response(status=204, headers=_NO_STORE)
    token, public = request.match_info["token"], addresses(request)
    try:
        with translating():
            launched = await request.config_dict[SESSIONS].follow(token, public, framed=_is_framed(request))
    except NeedsOwnWindow:
        return page(
            "This course opens in a window of its own",
            "It cannot be shown within another page.",
            link=Link("Open the course", f"{public.gateway}/launch/{quote(token, safe='')}"),
            mood="window",
            headers=_NO_STORE,
        )
    except GatewayError as error:
        if error.status >= 500:
            log.warning("launch failed", error=error.message, cause=repr(error.__cause__))
        return page(
            "This course cannot be opened",
            error.message,
            status=error.status,
            mood="trouble",
            headers=error.headers | {"Cache-Control": "no-store"},
        )
    # The URL is encoded already, and encoding it again would change what the AU reads from it.
    location = str(URL(launched.url, encoded=True))
    return web.Response(
        status=303,
        headers={hdrs.LOCATION: location, hdrs.REFERRER_POLICY: "no-referrer", **_NO_STORE},
    )


async def fetch(request: web.Request) -> web.StreamResponse:
    """`POST /cmi5/fetch/{key}`: the token of a session, once (cmi5 8.2)."""
    try:
        with translating():
            answer = await request.config_dict[SESSIONS].fetch(request.match_info["key"])
    except GatewayError as error:
        log.warning("fetch failed", error=error.message, cause=repr(error.__cause__))
        answer = fetch_refused(FetchError.INTERNAL)
    except Exception:
        log.exception("fetch failed")
        answer = fetch_refused(FetchError.INTERNAL)
    return _fetch_answer(answer)


async def fetch_not_allowed(request: web.Request) -> web.StreamResponse:
    """Any other method: the token stays where it is."""
    raise MethodNotAllowed(
        f"{request.method} is not possible here; an AU gets its token by POST",
        headers={hdrs.ALLOW: _FETCH_METHODS},
    )


async def done(request: web.Request) -> web.StreamResponse:
    """`GET /cmi5/done`: where learners land when they leave a course and nobody said otherwise."""
    return page(
        "You can close this page",
        "You have left the course. What you did there has been recorded.",
        mood="done",
    )


def add_routes(app: web.Application, cors: Cors) -> None:
    """The routes of this module below the base path."""
    base = app[SETTINGS].server.base_path
    fetch_path = f"{base}/cmi5/fetch/"

    async def preflight(request: web.Request) -> web.StreamResponse:
        return cors.preflight()

    async def allow_other_origins(request: web.Request, response: web.StreamResponse) -> None:
        if request.path.startswith(fetch_path):
            cors.add_headers(request, response)

    app.router.add_get(f"{base}/launch/{{token}}", launch, allow_head=False)
    app.router.add_route("HEAD", f"{base}/launch/{{token}}", _exists)
    app.router.add_post(f"{fetch_path}{{key}}", fetch)
    app.router.add_route("OPTIONS", f"{fetch_path}{{key}}", preflight)
    app.router.add_route("*", f"{fetch_path}{{key}}", fetch_not_allowed)
    app.router.add_get(f"{base}/cmi5/done", done)
    app.on_response_prepare.append(allow_other_origins)


async def _exists(request: web.Request) -> web.StreamResponse:
    return web.Response(status=204, headers=_NO_STORE)


def _is_framed(request: web.Request) -> bool:
    # Browsers say so over https and to localhost; elsewhere they say nothing, and it is taken for a window.
    return request.headers.get("Sec-Fetch-Dest") in _FRAMES


def _is_speculative(request: web.Request) -> bool:
    purposes = (request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"))
    return any("prefetch" in purpose or "preview" in purpose for purpose in purposes)


def _fetch_answer(answer: FetchAnswer) -> web.Response:
    return web.Response(
        status=answer.status,
        body=orjson.dumps(answer.body),
        content_type="application/json",
        headers=_NO_STORE,
    )
