"""`/admin/`: the console, where people see what runs, look into it and work with it.

Every page is whole without script. Each route names the right it needs; `tests/web/test_console_roles.py`
holds the table of roles against them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from gateway.errors import NotFound
from gateway.keys import SETTINGS
from gateway.services.people import Right
from gateway.settings import Settings
from gateway.web.console import (
    audit,
    connect,
    course_actions,
    course_settings,
    courses,
    credentials,
    deliveries,
    home,
    leaders,
    live,
    mappings,
    people,
    playground,
    provider,
    registration_settings,
    registrations,
    reports,
    sign_in,
    sources,
    statements,
    system,
)
from gateway.web.console.rendering import static
from gateway.web.console.visits import Handler, Visit, visited


@dataclass(frozen=True, slots=True)
class Route:
    """A page or an action for people who are signed in and have the right."""

    method: str
    path: str
    right: Right
    handler: Handler
    file_limit: Callable[[Settings], int] | None = None


def _package(settings: Settings) -> int:
    return settings.cmi5.max_package


def _table(settings: Settings) -> int:
    return courses.LARGEST_TABLE


_REGISTRATION = "/registrations/{registration}"

ROUTES: Sequence[Route] = (
    Route("GET", "/", Right.HOME, home.show),
    Route("GET", "/leaders", Right.HOME, leaders.show),
    Route("GET", "/connect", Right.HOME, connect.show),
    Route("GET", "/statements", Right.READ_STATEMENTS, statements.index),
    Route("GET", "/live", Right.READ_STATEMENTS, live.show),
    Route("GET", "/live/events", Right.READ_STATEMENTS, live.events),
    Route("GET", "/statements/{statement}", Right.READ_STATEMENTS, statements.show),
    Route("GET", "/sources", Right.READ_SOURCES, sources.index),
    Route("GET", "/sources/{source}", Right.READ_SOURCES, sources.show),
    Route("GET", "/sources/{source}/sheet", Right.READ_SOURCES, sources.sheet),
    Route("POST", "/sources/{source}", Right.MANAGE_SOURCES, sources.save),
    Route("POST", "/sources/{source}/decide", Right.MANAGE_SOURCES, sources.decide),
    Route("POST", "/sources/{source}/declare-seen", Right.MANAGE_SOURCES, sources.declare_seen),
    Route("GET", "/reports", Right.READ_REPORTS, reports.show),
    Route("GET", "/reports/activity.csv", Right.READ_REPORTS, reports.table),
    Route("GET", "/deliveries", Right.READ_DELIVERIES, deliveries.index),
    Route("GET", "/deliveries/{delivery}", Right.READ_DELIVERIES, deliveries.show),
    Route("GET", "/deliveries/{delivery}/trace", Right.REPLAY, deliveries.trace),
    Route("GET", "/deliveries/{delivery}/playground", Right.TRY_MAPPINGS, playground.of_delivery),
    Route("POST", "/deliveries/rehearse", Right.REPLAY, deliveries.rehearse),
    Route("POST", "/deliveries/replay", Right.REPLAY, deliveries.replay),
    Route("GET", "/mappings", Right.READ_MAPPINGS, mappings.index),
    Route("GET", "/mappings/{adapter}", Right.READ_MAPPINGS, mappings.show),
    Route("GET", "/mappings/{adapter}/diff", Right.READ_MAPPINGS, mappings.difference),
    Route("GET", "/mappings/{adapter}/revisions/{revision}", Right.READ_MAPPINGS, mappings.revision),
    Route("POST", "/mappings/{adapter}/tests", Right.TRY_MAPPINGS, mappings.test),
    Route("GET", "/playground", Right.TRY_MAPPINGS, playground.form),
    Route("POST", "/playground", Right.TRY_MAPPINGS, playground.run),
    Route("POST", "/playground/sample", Right.TRY_MAPPINGS, playground.save),
    Route("POST", "/playground/mapping", Right.TRY_MAPPINGS, playground.text),
    Route("GET", "/courses", Right.READ_COURSES, courses.index),
    Route("POST", "/courses", Right.RUN_COURSES, course_actions.create, _package),
    Route("GET", "/courses/{course}", Right.READ_COURSES, courses.show),
    Route("GET", "/courses/{course}/structure.xml", Right.READ_COURSES, courses.structure),
    Route("GET", "/courses/{course}/package.zip", Right.READ_COURSES, courses.package),
    Route("GET", "/courses/{course}/progress.csv", Right.READ_COURSES, courses.table),
    Route("POST", "/courses/{course}/versions", Right.RUN_COURSES, course_actions.add_version, _package),
    Route("POST", "/courses/{course}/enrol", Right.RUN_COURSES, course_actions.enrol),
    Route("POST", "/courses/{course}/enrolments", Right.RUN_COURSES, course_actions.enrol_table, _table),
    Route("POST", "/courses/{course}/preview", Right.RUN_COURSES, course_actions.preview),
    Route("POST", "/courses/{course}/describe", Right.RUN_COURSES, course_settings.describe),
    Route("POST", "/courses/{course}/overrides", Right.RUN_COURSES, course_settings.override),
    Route("POST", "/courses/{course}/select", Right.RUN_COURSES, course_settings.select),
    Route("GET", "/courses/{course}/delete", Right.RUN_COURSES, course_settings.removal),
    Route("POST", "/courses/{course}/delete", Right.RUN_COURSES, course_settings.remove),
    Route("GET", _REGISTRATION, Right.READ_COURSES, registrations.show),
    Route("POST", f"{_REGISTRATION}/links", Right.RUN_COURSES, registrations.link),
    Route("POST", f"{_REGISTRATION}/withdraw", Right.RUN_COURSES, registrations.withdraw),
    Route("POST", f"{_REGISTRATION}/waive", Right.RUN_COURSES, registrations.waive),
    Route("POST", f"{_REGISTRATION}/describe", Right.RUN_COURSES, registration_settings.describe),
    Route("POST", f"{_REGISTRATION}/overrides", Right.RUN_COURSES, registration_settings.override),
    Route("POST", f"{_REGISTRATION}/preferences", Right.RUN_COURSES, registration_settings.prefer),
    Route("POST", f"{_REGISTRATION}/reset", Right.RUN_COURSES, registration_settings.reset),
    Route("GET", f"{_REGISTRATION}/delete", Right.RUN_COURSES, registration_settings.removal),
    Route("POST", f"{_REGISTRATION}/delete", Right.RUN_COURSES, registration_settings.remove),
    Route("GET", "/sessions/{session}", Right.READ_COURSES, registrations.session),
    Route("POST", "/sessions/{session}/abandon", Right.RUN_COURSES, registrations.abandon),
    Route("GET", "/credentials", Right.READ_CREDENTIALS, credentials.index),
    Route("POST", "/credentials", Right.MANAGE_CREDENTIALS, credentials.create),
    Route("POST", "/credentials/rotate", Right.MANAGE_CREDENTIALS, credentials.rotate),
    Route("POST", "/credentials/revoke", Right.MANAGE_CREDENTIALS, credentials.revoke),
    Route("GET", "/people", Right.MANAGE_PEOPLE, people.index),
    Route("POST", "/people", Right.MANAGE_PEOPLE, people.create),
    Route("GET", "/people/{person}", Right.MANAGE_PEOPLE, people.show),
    Route("POST", "/people/roles", Right.MANAGE_PEOPLE, people.change_roles),
    Route("POST", "/people/link", Right.MANAGE_PEOPLE, people.link),
    Route("POST", "/people/sign-out", Right.MANAGE_PEOPLE, people.sign_out),
    Route("POST", "/people/subject", Right.MANAGE_PEOPLE, people.set_subject),
    Route("POST", "/people/unlink", Right.MANAGE_PEOPLE, people.unlink),
    Route("POST", "/people/disable", Right.MANAGE_PEOPLE, people.disable),
    Route("POST", "/people/enable", Right.MANAGE_PEOPLE, people.enable),
    Route("GET", "/audit", Right.READ_AUDIT, audit.index),
    Route("GET", "/audit.csv", Right.READ_AUDIT, audit.table),
    Route("GET", "/audit.ndjson", Right.READ_AUDIT, audit.lines),
    Route("GET", "/system", Right.READ_SYSTEM, system.show),
    Route("POST", "/sign-out", Right.HOME, sign_in.leave),
)


async def nothing(visit: Visit) -> web.Response:
    raise NotFound(f"there is no page at {visit.request.path}")


def add_routes(app: web.Application) -> None:
    """`/admin/` below the base path."""
    base = f"{app[SETTINGS].server.base_path}/admin"
    router = app.router
    router.add_get(base, sign_in.with_slash)
    router.add_get(f"{base}/static/{{name}}", static)
    router.add_get(f"{base}/sign-in", sign_in.form)
    router.add_post(f"{base}/sign-in", sign_in.enter)
    router.add_get(f"{base}/sign-in/provider", provider.start)
    router.add_get(f"{base}/sign-in/return", provider.back)
    router.add_get(f"{base}/signed-out", provider.signed_out)
    router.add_get(f"{base}/welcome/{{token}}", sign_in.welcome)
    router.add_post(f"{base}/welcome/{{token}}", sign_in.choose)
    for route in ROUTES:
        handler = visited(route.handler, route.right, route.path, file_limit=route.file_limit)
        router.add_route(route.method, f"{base}{route.path}", handler)
        if route.method == "GET":
            router.add_route("HEAD", f"{base}{route.path}", handler)
    router.add_get(f"{base}/{{rest:.*}}", visited(nothing, Right.HOME, ""))
