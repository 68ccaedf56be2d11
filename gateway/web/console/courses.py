"""Courses: what was imported, its units and versions, who is registered and how far they are."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from aiohttp import hdrs, web

from gateway.cmi5.structure import AU, Block, Course
from gateway.services.course_exports import package_of, structure_of
from gateway.services.progress_tables import progress_table
from gateway.services.texts import title_text
from gateway.store.courses import StoredCourse
from gateway.store.registrations import RegistrationFilter
from gateway.web.api.bodies import Fields, path_id
from gateway.web.api.paging import cursor_at, page_of, place_of
from gateway.web.console.visits import Visit, text_of

_LIMIT = 25
LARGEST_TABLE = 32 * 1024 * 1024  # bytes


async def index(visit: Visit) -> web.Response:
    """Courses, newest first, and the form that imports one."""
    return await listed(visit)


async def listed(visit: Visit, *, status: int = 200, **values: Any) -> web.Response:
    """The list; `values` are what an import had to say."""
    search, cursor = text_of(visit.request, "search"), text_of(visit.request, "cursor")
    after = place_of(Fields({"cursor": cursor} if cursor else {}, ("cursor",)))
    found = await visit.services.courses.list(search=search or None, after=after, limit=_LIMIT + 1)
    page, more = page_of(found, _LIMIT)
    older = None
    if more:
        older = urlencode({"search": search, "cursor": cursor_at(page[-1].created, page[-1].id)})
    return visit.page(
        "courses.html",
        status=status,
        courses=[(course, title_of(course)) for course in page],
        search=search,
        older=older,
        **({"refused": None} | values),
    )


async def show(visit: Visit) -> web.Response:
    """One course."""
    return await shown(visit)


async def shown(visit: Visit, *, status: int = 200, **values: Any) -> web.Response:
    """The page of a course; `values` are what a form of it had to say."""
    services = visit.services
    stored = await services.courses.get(path_id(visit.request, "course", "course"))
    course = await services.courses.structure(stored.version)
    versions = await services.courses.versions(stored.id)
    cursor = text_of(visit.request, "cursor")
    after = place_of(Fields({"cursor": cursor} if cursor else {}, ("cursor",)))
    found = await services.registrations.list(
        RegistrationFilter(course=stored.id), after=after, limit=_LIMIT + 1
    )
    page, more = page_of(found, _LIMIT)
    return visit.page(
        "course.html",
        status=status,
        stored=stored,
        title=title_of(stored),
        course=course,
        description=title_text(course.description),
        tree=[_node(child) for child in course.children],
        versions=versions,
        warnings=next(one.warnings for one in versions if one.number == stored.number),
        registrations=page,
        older=urlencode({"cursor": cursor_at(page[-1].created, page[-1].id)}) if more else None,
        first=bool(cursor),
        new_id=uuid4(),
        **({"refused": None, "given": {}} | values),
    )


async def structure(visit: Visit) -> web.Response:
    """The course structure as it was imported, byte by byte."""
    courses = visit.services.courses
    stored = await courses.get(path_id(visit.request, "course", "course"))
    content = await structure_of(courses, await courses.version(stored.version))
    return web.Response(body=content, content_type="application/xml", headers=_download(stored, "xml"))


async def package(visit: Visit) -> web.StreamResponse:
    """The course as a zip that can be imported again."""
    courses = visit.services.courses
    stored = await courses.get(path_id(visit.request, "course", "course"))
    version = await courses.version(stored.version)
    response = web.StreamResponse(headers=_download(stored, "zip"))
    response.content_type = "application/zip"
    await response.prepare(visit.request)
    async for piece in package_of(courses, version):
        await response.write(piece)
    await response.write_eof()
    return response


async def table(visit: Visit) -> web.StreamResponse:
    """How far everybody is, as CSV."""
    services = visit.services
    stored = await services.courses.get(path_id(visit.request, "course", "course"))
    response = web.StreamResponse(headers=_download(stored, "csv"))
    response.content_type, response.charset = "text/csv", "utf-8"
    await response.prepare(visit.request)
    async for piece in progress_table(services.store, services.courses, stored.id):
        await response.write(piece)
    await response.write_eof()
    return response


def title_of(stored: StoredCourse) -> str:
    """What people call the course."""
    return stored.name or title_text(stored.title) or str(stored.id)


def find_title(course: Course, au: str) -> str:
    """The title of an AU by its LMS id; the id where a later version has none like it."""
    titles = {each.lms_id: title_text(each.title) for each in course.aus()}
    return titles.get(au) or au


def _node(node: Block | AU) -> dict[str, Any]:
    if isinstance(node, Block):
        return {
            "title": title_text(node.title),
            "au": None,
            "children": [_node(one) for one in node.children],
        }
    return {"title": title_text(node.title), "au": node, "children": []}


def _download(stored: StoredCourse, kind: str) -> dict[str, str]:
    return {
        hdrs.CACHE_CONTROL: "no-store",
        hdrs.CONTENT_DISPOSITION: f'attachment; filename="course-{stored.id}.{kind}"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
