"""`/api/v1/registrations`: enrol learners, hand out links, follow them, excuse them."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import uuid4

from aiohttp import web

from gateway.services.course_views import registration_summary, whole_registration
from gateway.services.registrations import Enrolment, check_learner
from gateway.services.services import Services
from gateway.services.texts import time_text
from gateway.store.registrations import Registration
from gateway.web.api.access import cmi5
from gateway.web.api.answers import answer
from gateway.web.api.bodies import OVERRIDES, Fields, limit_of, path_id, read_fields, read_query
from gateway.web.origins import addresses
from gateway.xapi.agents import parse_agent_parameter

_LONGEST_LINK = 10 * 365 * 86_400  # seconds


async def create(request: web.Request) -> web.Response:
    """Register a learner: 201, or 200 where the id given was registered before."""
    services = await cmi5(request)
    fields = await read_fields(request, ("course", "actor", "id", *OVERRIDES))
    course, identity = fields.uuid("course"), fields.uuid("id", required=False)
    actor, overrides = fields.get("actor"), fields.overrides()
    fields.problems += check_learner(actor)
    fields.finish()
    assert course is not None, "otherwise there was a problem"
    enrolment = Enrolment(course=course, actor=actor, id=identity or uuid4(), overrides=overrides)
    registration, is_new = await services.registrations.create(enrolment)
    return answer(registration_summary(registration), status=201 if is_new else 200)


async def index(request: web.Request) -> web.Response:
    """Registrations, newest first; of one `course`, of one `actor` (an Agent as JSON), `limit`."""
    services = await cmi5(request)
    query = read_query(request, ("course", "actor", "limit"))
    course, limit = query.uuid("course", required=False), limit_of(query)
    query.finish()
    text = query.get("actor")
    actor = parse_agent_parameter(text, "actor") if text is not None else None
    found = await services.registrations.list(course=course, actor=actor, limit=limit)
    return answer({"registrations": [registration_summary(registration) for registration in found]})


async def show(request: web.Request) -> web.Response:
    """A registration with the progress tree of its course and its sessions."""
    services = await cmi5(request)
    registration = await services.registrations.get(path_id(request, "registration", "registration"))
    return answer(await _in_full(services, registration))


async def create_link(request: web.Request) -> web.Response:
    """A link for the learner that begins a session when it is clicked: 201."""
    services = await cmi5(request)
    registration = path_id(request, "registration", "registration")
    fields = await read_fields(request, ("au", "lifetime", *OVERRIDES), optional=True)
    au, overrides, lifetime = fields.au(required=False), fields.overrides(), _lifetime(fields)
    fields.finish()
    link = await services.launch_links.create(registration, au, overrides, lifetime)
    url = f"{addresses(request).gateway}/launch/{link.token}"
    return answer({"url": url, "expires": time_text(link.expires)}, status=201)


async def waive(request: web.Request) -> web.Response:
    """Let an AU count as met: 200 with the progress afterwards."""
    services = await cmi5(request)
    registration = path_id(request, "registration", "registration")
    fields = await read_fields(request, ("au", "reason"))
    au, reason = fields.au(), fields.text("reason")
    fields.finish()
    assert au is not None, "otherwise there was a problem"
    await services.registrations.waive(registration, au, reason)
    return answer(await _in_full(services, await services.registrations.get(registration)))


def _lifetime(fields: Fields) -> dt.timedelta | None:
    seconds = fields.get("lifetime")
    if seconds is None:
        return None
    if type(seconds) not in (int, float) or not 0 < seconds <= _LONGEST_LINK:
        fields.wrong("lifetime", f"seconds, more than 0 and at most {_LONGEST_LINK}")
        return None
    return dt.timedelta(seconds=seconds)


async def _in_full(services: Services, registration: Registration) -> dict[str, Any]:
    progress = await services.registrations.progress(registration)
    sessions = await services.sessions.list(registration=registration.id)
    return whole_registration(registration, progress, sessions)
