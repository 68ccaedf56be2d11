"""`/api/v1/courses`: import, look at, launch."""

from __future__ import annotations

from uuid import uuid4

from aiohttp import web

from gateway.cmi5.overrides import Overrides
from gateway.keys import SETTINGS
from gateway.services.course_views import (
    course_summary,
    imported_course,
    launched_session,
    overrides_document,
    whole_course,
)
from gateway.services.launches import LaunchRequest
from gateway.services.registrations import Enrolment, check_learner
from gateway.web.api.access import cmi5
from gateway.web.api.answers import answer
from gateway.web.api.bodies import OVERRIDES, limit_of, path_id, read_fields, read_query
from gateway.web.api.uploads import uploaded_file
from gateway.web.origins import addresses


async def create(request: web.Request) -> web.Response:
    """Import a course: 201, or 400 with every finding."""
    services = await cmi5(request)
    limits = request.config_dict[SETTINGS]
    async with uploaded_file(
        request, limit=limits.cmi5.max_package, timeout=limits.limits.body_timeout
    ) as file:
        imported = await services.courses.create(file, base=addresses(request).gateway)
    return answer(imported_course(imported), status=201)


async def add_version(request: web.Request) -> web.Response:
    """Import a new version of a course: 201."""
    services = await cmi5(request)
    limits = request.config_dict[SETTINGS]
    course_id = path_id(request, "course", "course")
    async with uploaded_file(
        request, limit=limits.cmi5.max_package, timeout=limits.limits.body_timeout
    ) as file:
        imported = await services.courses.add_version(course_id, file, base=addresses(request).gateway)
    return answer(imported_course(imported), status=201)


async def index(request: web.Request) -> web.Response:
    """Courses, newest first; `search` in title and publisher id, `limit`."""
    services = await cmi5(request)
    query = read_query(request, ("search", "limit"))
    limit = limit_of(query)
    query.finish()
    found = await services.courses.list(search=query.get("search"), limit=limit)
    return answer({"courses": [course_summary(course) for course in found]})


async def show(request: web.Request) -> web.Response:
    """A course with its AUs and what an administrator changed about it."""
    services = await cmi5(request)
    stored = await services.courses.get(path_id(request, "course", "course"))
    version = await services.courses.version(stored.version)
    course = await services.courses.structure(stored.version)
    return answer(whole_course(stored, version, course))


async def override(request: web.Request) -> web.Response:
    """Replace what applies to every future launch of the course."""
    services = await cmi5(request)
    fields = await read_fields(request, OVERRIDES)
    overrides = fields.overrides()
    fields.finish()
    stored = await services.courses.override(path_id(request, "course", "course"), overrides)
    return answer({**course_summary(stored), "overrides": overrides_document(overrides)})


async def launch(request: web.Request) -> web.Response:
    """Register the learner where needed and begin a session at once: 200 with the AU's launch URL."""
    services = await cmi5(request)
    course_id = path_id(request, "course", "course")
    fields = await read_fields(request, ("au", "actor", "registration", *OVERRIDES))
    au, registration = fields.au(), fields.uuid("registration", required=False)
    actor, overrides = fields.get("actor"), fields.overrides()
    fields.problems += check_learner(actor)
    fields.finish()
    enrolment = Enrolment(course=course_id, actor=actor, id=registration or uuid4(), overrides=Overrides())
    # An unknown AU must not leave a registration behind.
    await services.registrations.check_au(enrolment, au)
    registered, _ = await services.registrations.create(enrolment)
    launched = await services.launches.launch(
        LaunchRequest(registration=registered.id, au=au, overrides=overrides, addresses=addresses(request))
    )
    return answer(launched_session(launched))
