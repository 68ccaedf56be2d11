"""`/api/v1/sessions`: what became of launches."""

from __future__ import annotations

from aiohttp import web

from gateway.services.course_views import session_summary, whole_session
from gateway.web.api.access import cmi5
from gateway.web.api.answers import answer
from gateway.web.api.bodies import limit_of, path_id, read_query
from gateway.web.api.paging import cursor_at, page_of, place_of


async def index(request: web.Request) -> web.Response:
    """Sessions, the latest launch first; of one `registration` or `course`, `open=true` for open ones,
    `preview=true` for those of previews instead, `limit`, and `cursor` from the `more` of the page before.
    """
    services = await cmi5(request)
    query = read_query(request, ("registration", "course", "open", "preview", "limit", "cursor"))
    registration, limit = query.uuid("registration", required=False), limit_of(query)
    course, only_open, after = query.uuid("course", required=False), query.flag("open"), place_of(query)
    preview = query.flag("preview")
    query.finish()
    found = await services.sessions.list(
        registration=registration,
        course=course,
        only_open=only_open,
        preview=preview,
        after=after,
        limit=limit + 1,
    )
    page, more = page_of(found, limit)
    return answer(
        {
            "sessions": [session_summary(session) for session in page],
            "more": cursor_at(page[-1].launched, page[-1].id) if more else None,
        }
    )


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
