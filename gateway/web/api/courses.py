"""`/api/v1/courses`: import, look at, launch."""

from __future__ import annotations

from uuid import UUID, uuid4

from aiohttp import hdrs, web

from gateway.cmi5.overrides import OVERRIDES, Overrides
from gateway.keys import SETTINGS
from gateway.services.course_exports import package_of, structure_of
from gateway.services.course_views import (
    course_summary,
    imported_course,
    launched_session,
    overrides_document,
    version_summary,
    whole_course,
)
from gateway.services.courses import stored_overrides
from gateway.services.launches import LaunchRequest
from gateway.services.registrations import Enrolment, check_learner
from gateway.services.removals import DELETED_AT_ONCE
from gateway.services.services import Services
from gateway.store.courses import CourseVersion, StoredCourse
from gateway.web.api.access import cmi5
from gateway.web.api.answers import answer
from gateway.web.api.bodies import limit_of, path_id, read_fields, read_query
from gateway.web.api.paging import cursor_at, page_of, place_of
from gateway.web.api.uploads import spooled_file, uploaded_file
from gateway.web.origins import addresses


async def create(request: web.Request) -> web.Response:
    """Import a course: 201, or 400 with every finding; 202 with a job for `Prefer: respond-async`."""
    services = await cmi5(request)
    return await _import(request, services, None)


async def add_version(request: web.Request) -> web.Response:
    """Import a new version of a course: 201, or 202 as for a new course."""
    services = await cmi5(request)
    course_id = path_id(request, "course", "course")
    await services.courses.get(course_id)  # before the upload is read for nothing
    return await _import(request, services, course_id)


async def show_import(request: web.Request) -> web.Response:
    """How an import in the background stands."""
    services = await cmi5(request)
    return answer(await services.course_imports.get(path_id(request, "import", "import")))


async def index(request: web.Request) -> web.Response:
    """Courses, newest first; `search` in name, title and publisher id, `tag`, `limit`, and `cursor` from the
    `more` of the page before.
    """
    services = await cmi5(request)
    query = read_query(request, ("search", "tag", "limit", "cursor"))
    limit, after = limit_of(query), place_of(query)
    query.finish()
    found = await services.courses.list(
        search=query.get("search"), tag=query.get("tag"), after=after, limit=limit + 1
    )
    page, more = page_of(found, limit)
    return answer(
        {
            "courses": [course_summary(course) for course in page],
            "more": cursor_at(page[-1].created, page[-1].id) if more else None,
        }
    )


async def show(request: web.Request) -> web.Response:
    """A course with its AUs and what an administrator changed about it; `version` for another than the
    current one.
    """
    services = await cmi5(request)
    stored, version = await _version(request, services)
    return answer(whole_course(stored, version, await services.courses.structure(version.id)))


async def describe(request: web.Request) -> web.Response:
    """Change the `name` that is shown instead of the publisher's title, or the `tags`."""
    services = await cmi5(request)
    fields = await read_fields(request, ("name", "tags"))
    fields.finish()
    changes = {name: fields.get(name) for name in ("name", "tags") if fields.has(name)}
    return answer(
        course_summary(await services.courses.describe(path_id(request, "course", "course"), changes))
    )


async def delete(request: web.Request) -> web.Response:
    """Delete a course with its files: 204. With registrations 409, unless `force=true` deletes these, too;
    202 where they are so many that the rest goes in the background.
    """
    services = await cmi5(request)
    query = read_query(request, ("force",))
    force = query.flag("force")
    query.finish()
    course_id = path_id(request, "course", "course")
    gone = await services.removals.delete_course(course_id, force=force, at_once=DELETED_AT_ONCE)
    return web.Response(status=204 if gone else 202)


async def versions(request: web.Request) -> web.Response:
    """What was imported of a course, the latest first."""
    services = await cmi5(request)
    stored = await services.courses.get(path_id(request, "course", "course"))
    found = await services.courses.versions(stored.id)
    return answer({"versions": [version_summary(version, stored.number) for version in found]})


async def select(request: web.Request) -> web.Response:
    """Choose the `version` that new registrations get; those that exist keep theirs."""
    services = await cmi5(request)
    fields = await read_fields(request, ("version",))
    number = fields.number("version", 1, 2**31)
    fields.finish()
    return answer(
        course_summary(await services.courses.select(path_id(request, "course", "course"), number or 0))
    )


async def files(request: web.Request) -> web.Response:
    """The files of a course, of its current `version` or another."""
    services = await cmi5(request)
    _, version = await _version(request, services)
    found = await services.courses.files(version.id)
    return answer(
        {"version": version.number, "files": [{"path": path, "size": file.size} for path, file in found]}
    )


async def structure(request: web.Request) -> web.Response:
    """The course structure as it was imported, byte by byte."""
    services = await cmi5(request)
    stored, version = await _version(request, services)
    return web.Response(
        body=await structure_of(services.courses, version),
        content_type="application/xml",
        headers={hdrs.CACHE_CONTROL: "no-store", **_attachment(stored, version, "xml")},
    )


async def package(request: web.Request) -> web.StreamResponse:
    """The course as a zip that can be imported again, here or elsewhere."""
    services = await cmi5(request)
    stored, version = await _version(request, services)
    response = web.StreamResponse(
        headers={hdrs.CACHE_CONTROL: "no-store", **_attachment(stored, version, "zip")}
    )
    response.content_type = "application/zip"
    await response.prepare(request)
    async for piece in package_of(services.courses, version):
        await response.write(piece)
    await response.write_eof()
    return response


async def overridden(request: web.Request) -> web.Response:
    """What applies to every launch of the course."""
    services = await cmi5(request)
    stored = await services.courses.get(path_id(request, "course", "course"))
    return answer(overrides_document(stored_overrides(stored.overrides)))


async def override(request: web.Request) -> web.Response:
    """Replace what applies to every future launch of the course."""
    services = await cmi5(request)
    fields = await read_fields(request, OVERRIDES)
    overrides = fields.overrides()
    fields.finish()
    stored = await services.courses.override(path_id(request, "course", "course"), overrides)
    return answer({**course_summary(stored), "overrides": overrides_document(overrides)})


async def _import(request: web.Request, services: Services, course: UUID | None) -> web.Response:
    limit, base = request.config_dict[SETTINGS].cmi5.max_package, addresses(request).gateway
    if _wants_a_job(request):
        file = await spooled_file(request, limit=limit)
        try:
            job = await services.course_imports.start(file, base=base, course=course)
        except BaseException:
            file.close()
            raise
        url = f"{base}/api/v1/imports/{job.id}"
        told = answer({**services.course_imports.view(job), "url": url}, status=202)
        told.headers[hdrs.LOCATION] = url
        told.headers["Preference-Applied"] = "respond-async"
        return told
    async with uploaded_file(request, limit=limit) as file:
        if course is None:
            imported = await services.courses.create(file, base=base)
        else:
            imported = await services.courses.add_version(course, file, base=base)
    return answer(imported_course(imported), status=201)


def _wants_a_job(request: web.Request) -> bool:
    preferences = ",".join(request.headers.getall("Prefer", ())).split(",")
    return any(each.partition(";")[0].strip().lower() == "respond-async" for each in preferences)


async def _version(request: web.Request, services: Services) -> tuple[StoredCourse, CourseVersion]:
    """The course in the path, and the version that `version` names."""
    query = read_query(request, ("version",))
    number = query.count("version")
    query.finish()
    stored = await services.courses.get(path_id(request, "course", "course"))
    return stored, await services.courses.numbered(stored.id, number)


def _attachment(stored: StoredCourse, version: CourseVersion, kind: str) -> dict[str, str]:
    return {hdrs.CONTENT_DISPOSITION: f'attachment; filename="course-{stored.id}-{version.number}.{kind}"'}


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


async def preview(request: web.Request) -> web.Response:
    """Look at an AU without being a learner: 200 with its launch URL, in Browse mode."""
    services = await cmi5(request)
    course_id = path_id(request, "course", "course")
    known = [name for name in OVERRIDES if name != "launchMode"]
    fields = await read_fields(request, ("au", "version", *known), optional=True)
    au, overrides = fields.au(required=False), fields.overrides()
    version = fields.number("version", 1, 2**31) if fields.get("version") is not None else None
    fields.finish()
    launched = await services.previews.launch(
        course_id, 0 if au is None else au, overrides, addresses(request), version=version
    )
    return answer(launched_session(launched))
