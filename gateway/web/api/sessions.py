"""`/api/v1/sessions`: what became of launches."""

from __future__ import annotations

from aiohttp import web

from gateway.services.course_views import session_summary, whole_session
from gateway.web.api.access import cmi5
from gateway.web.api.answers import answer
from gateway.web.api.bodies import limit_of, path_id, read_query


async def index(request: web.Request) -> web.Response:
    """Sessions, the latest launch first; of one `registration`, `open=true` for open ones, `limit`."""
    services = await cmi5(request)
    query = read_query(request, ("registration", "open", "limit"))
    registration, limit = query.uuid("registration", required=False), limit_of(query)
    if query.get("open") not in (None, "true", "false"):
        query.wrong("open", "true or false")
    query.finish()
    found = await services.sessions.list(
        registration=registration, only_open=query.get("open") == "true", limit=limit
    )
    return answer({"sessions": [session_summary(session) for session in found]})


async def show(request: web.Request) -> web.Response:
    """A session with its launch data and every request of its AU that was refused."""
    services = await cmi5(request)
    session = await services.sessions.get(path_id(request, "session", "session"))
    refusals = await services.sessions.refusals(session.id)
    return answer(whole_session(session, refusals))


async def abandon(request: web.Request) -> web.Response:
    """End a session that its AU did not terminate: 200 with the session afterwards."""
    services = await cmi5(request)
    session = await services.sessions.abandon(path_id(request, "session", "session"), "administrator")
    return answer(session_summary(session))
