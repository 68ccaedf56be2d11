"""Courses: what was imported, its units and versions, who is registered and how far they are."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from aiohttp import hdrs, web

from gateway.cmi5.structure import AU, Block, Course
from gateway.errors import BadRequest
from gateway.services.course_exports import package_of, structure_of
from gateway.services.progress_tables import progress_table
from gateway.services.registrations import check_learner, learner_key
from gateway.services.sentences import actor_name
from gateway.services.services import Services
from gateway.services.texts import title_text
from gateway.store.courses import CourseVersion, StoredCourse
from gateway.store.registrations import RegistrationFilter, RegistrationState
from gateway.store.sessions import Session
from gateway.web.api.bodies import Fields, path_id
from gateway.web.api.paging import cursor_at, page_of, place_of
from gateway.web.console.launch_settings import settings_shown
from gateway.web.console.visits import Visit, text_of

_LIMIT = 25
LARGEST_TABLE = 32 * 1024 * 1024  # bytes


async def index(visit: Visit) -> web.Response:
    """Courses, newest first, and the form that imports one."""
    return await listed(visit)


async def listed(visit: Visit, *, status: int = 200, **values: Any) -> web.Response:
    """The list; `values` are what an import had to say."""
    search, tag = text_of(visit.request, "search"), text_of(visit.request, "tag")
    cursor = text_of(visit.request, "cursor")
    after = place_of(Fields({"cursor": cursor} if cursor else {}, ("cursor",)))
    found = await visit.services.courses.list(
        search=search or None, tag=tag or None, after=after, limit=_LIMIT + 1
    )
    page, more = page_of(found, _LIMIT)
    given = {name: value for name, value in (("search", search), ("tag", tag)) if value}
    older = None
    if more:
        older = urlencode(given | {"cursor": cursor_at(page[-1].created, page[-1].id)})
    return visit.page(
        "courses.html",
        status=status,
        courses=[(course, title_of(course)) for course in page],
        search=search,
        tag=tag,
        older=older,
        first=urlencode(given) if cursor else None,
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
    given = {name: text_of(visit.request, name) for name in ("account", "state", "tag")}
    which, wrong = _chosen(stored.id, given)
    found = [] if wrong else await services.registrations.list(which, after=after, limit=_LIMIT + 1)
    page, more = page_of(found, _LIMIT)
    address = {name: value for name, value in given.items() if value}
    return visit.page(
        "course.html",
        status=status,
        stored=stored,
        title=title_of(stored),
        course=course,
        publisher_title=title_text(stored.title),
        description=title_text(course.description),
        tree=[_node(child) for child in course.children],
        versions=versions,
        warnings=next(one.warnings for one in versions if one.number == stored.number),
        registrations=page,
        filters=given,
        wrong=wrong,
        states=list(RegistrationState),
        older=urlencode(address | {"cursor": cursor_at(page[-1].created, page[-1].id)}) if more else None,
        first=urlencode(address) if cursor else None,
        open_sessions=[
            (one, actor_name(one.actor), await _unit(services, one))
            for one in await services.sessions.list(course=stored.id, only_open=True, limit=_LIMIT)
        ],
        most=_LIMIT,
        new_id=uuid4(),
        **({"refused": None, "given": {}, "open": "", "settings": settings_shown(stored.overrides)} | values),
    )


async def structure(visit: Visit) -> web.Response:
    """The course structure as it was imported, byte by byte."""
    courses = visit.services.courses
    stored, version = await _version(visit)
    name = _download(stored, "xml", version)
    return web.Response(
        body=await structure_of(courses, version), content_type="application/xml", headers=name
    )


async def package(visit: Visit) -> web.StreamResponse:
    """The course as a zip that can be imported again."""
    courses = visit.services.courses
    stored, version = await _version(visit)
    response = web.StreamResponse(headers=_download(stored, "zip", version))
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


async def _version(visit: Visit) -> tuple[StoredCourse, CourseVersion]:
    """The course of the address, and the version that `version` names; the current one without."""
    courses, text = visit.services.courses, text_of(visit.request, "version")
    stored = await courses.get(path_id(visit.request, "course", "course"))
    if text and not (text.isascii() and text.isdigit()):
        raise BadRequest(f"version holds {text!r}; expected the number of a version")
    return stored, await courses.numbered(stored.id, int(text[:9]) if text else None)


async def _unit(services: Services, session: Session) -> str:
    return find_title(await services.courses.structure(session.version), session.au)


def _chosen(course: UUID, given: dict[str, str]) -> tuple[RegistrationFilter, str]:
    """Which registrations the address asks for, and what is wrong with that."""
    state, account, learner = given["state"], given["account"], None
    if state and state not in list(RegistrationState):
        return RegistrationFilter(course=course), f"state holds {state!r}; choose one from the list"
    if account:
        home_page, _, name = account.partition(" ")
        actor = {"account": {"homePage": home_page, "name": name.strip()}}
        if problems := check_learner(actor, "account"):
            told = "write the home page, a blank and the account, as in https://id.example.edu ada"
            return RegistrationFilter(course=course), f"{problems[0].message}: {told}"
        learner = learner_key(actor)
    which = RegistrationFilter(
        course=course,
        actor_key=learner,
        state=RegistrationState(state) if state else None,
        tag=given["tag"] or None,
    )
    return which, ""


def _download(stored: StoredCourse, kind: str, version: CourseVersion | None = None) -> dict[str, str]:
    name = f"course-{stored.id}{'' if version is None else f'-{version.number}'}.{kind}"
    return {
        hdrs.CACHE_CONTROL: "no-store",
        hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
