"""`/api/v1/sessions`: what became of launches."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from gateway.cmi5.vocabulary import word
from gateway.store.refusals import StoredRefusal
from gateway.store.sessions import Session
from gateway.web.api.access import cmi5
from gateway.web.api.answers import answer, time_text
from gateway.web.api.bodies import limit_of, path_id, read_query
from gateway.xapi import strict_json


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
    return answer(
        {
            **session_summary(session),
            "actor": dict(session.actor),
            "launchData": strict_json.parse(session.launch_data).value,
            "refusals": [_refusal(refusal) for refusal in refusals],
        }
    )


async def abandon(request: web.Request) -> web.Response:
    """End a session that its AU did not terminate: 200 with the session afterwards."""
    services = await cmi5(request)
    session = await services.sessions.abandon(path_id(request, "session", "session"), "administrator")
    return answer(session_summary(session))


def session_summary(session: Session) -> dict[str, Any]:
    """A session as lists show it."""
    return {
        "id": str(session.id),
        "registration": str(session.registration),
        "course": str(session.course),
        "au": session.au,
        "state": session.state,
        "launchMode": session.mode,
        "launched": time_text(session.launched),
        "authorized": time_text(session.authorized),
        "lastSeen": time_text(session.last_seen),
        "ended": time_text(session.ended),
        "reason": session.reason,
        "statements": session.statements,
        "verbs": sorted(word(verb) for verb in session.used),
    }


def _refusal(refusal: StoredRefusal) -> dict[str, Any]:
    return {
        "time": time_text(refusal.time),
        "request": refusal.request,
        "status": refusal.status,
        "message": refusal.message,
        "problems": [dict(problem) for problem in refusal.problems],
    }
