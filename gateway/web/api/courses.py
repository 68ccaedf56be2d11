"""`/api/v1/courses`: import, look at, launch."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from aiohttp import web

from gateway.cmi5.findings import Finding
from gateway.cmi5.launch import json_number
from gateway.cmi5.overrides import Overrides
from gateway.cmi5.structure import AU
from gateway.keys import SETTINGS
from gateway.services.courses import ImportedCourse, stored_overrides
from gateway.services.launches import LaunchRequest
from gateway.services.registrations import Enrolment, check_learner
from gateway.store.courses import StoredCourse
from gateway.web.api.access import cmi5
from gateway.web.api.answers import answer, time_text, title_text
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
    return answer(_imported(imported), status=201)


async def add_version(request: web.Request) -> web.Response:
    """Import a new version of a course: 201."""
    services = await cmi5(request)
    limits = request.config_dict[SETTINGS]
    course_id = path_id(request, "course", "course")
    async with uploaded_file(
        request, limit=limits.cmi5.max_package, timeout=limits.limits.body_timeout
    ) as file:
        imported = await services.courses.add_version(course_id, file, base=addresses(request).gateway)
    return answer(_imported(imported), status=201)


async def index(request: web.Request) -> web.Response:
    """Courses, newest first; `search` in title and publisher id, `limit`."""
    services = await cmi5(request)
    query = read_query(request, ("search", "limit"))
    limit = limit_of(query)
    query.finish()
    found = await services.courses.list(search=query.get("search"), limit=limit)
    return answer({"courses": [_summary(course) for course in found]})


async def show(request: web.Request) -> web.Response:
    """A course with its AUs and what an administrator changed about it."""
    services = await cmi5(request)
    stored = await services.courses.get(path_id(request, "course", "course"))
    version = await services.courses.version(stored.version)
    course = await services.courses.structure(stored.version)
    return answer(
        {
            **_summary(stored),
            "lmsId": course.lms_id,
            "files": version.files,
            "size": version.size,
            "warnings": list(version.warnings),
            "overrides": _overrides(stored_overrides(stored.overrides)),
            "aus": [_au_in_full(au) for au in course.aus()],
        }
    )


async def override(request: web.Request) -> web.Response:
    """Replace what applies to every future launch of the course."""
    services = await cmi5(request)
    fields = await read_fields(request, OVERRIDES)
    overrides = fields.overrides()
    fields.finish()
    stored = await services.courses.override(path_id(request, "course", "course"), overrides)
    return answer({**_summary(stored), "overrides": _overrides(overrides)})


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
    return answer(
        {
            "url": launched.url,
            "registration": str(launched.registration),
            "session": str(launched.session),
            "launchMode": launched.mode,
            "launchMethod": launched.method,
        }
    )


def _imported(imported: ImportedCourse) -> dict[str, Any]:
    return {
        **_summary(imported.stored),
        "aus": [_au(au) for au in imported.course.aus()],
        "warnings": [_warning(finding) for finding in imported.warnings],
    }


def _summary(course: StoredCourse) -> dict[str, Any]:
    return {
        "id": str(course.id),
        "title": title_text(course.title),
        "publisherId": course.publisher_id,
        "version": course.number,
        "created": time_text(course.created),
        "updated": time_text(course.updated),
    }


def _au(au: AU) -> dict[str, Any]:
    return {"id": au.lms_id, "title": title_text(au.title), "publisherId": au.id}


def _au_in_full(au: AU) -> dict[str, Any]:
    return {
        **_au(au),
        "url": au.url,
        "moveOn": au.move_on,
        "masteryScore": None if au.mastery_score is None else json_number(au.mastery_score),
        "launchMethod": au.launch_method,
        "activityType": au.activity_type,
        "launchParameters": au.launch_parameters,
    }


def _warning(finding: Finding) -> dict[str, str]:
    problem = finding.problem()
    return {"path": problem.path, "requirement": problem.requirement, "message": problem.message}


def _overrides(overrides: Overrides) -> dict[str, Any]:
    document = overrides.to_document()
    if overrides.mastery_score is not None:
        document["masteryScore"] = json_number(overrides.mastery_score)
    return document
