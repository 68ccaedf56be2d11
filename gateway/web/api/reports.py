"""`/api/v1/reports/…`: counts of statements, as far as they may be told."""

from __future__ import annotations

from aiohttp import web

from gateway.services.access import Scope
from gateway.services.report_questions import FIELDS
from gateway.services.report_tables import as_csv, as_json
from gateway.services.report_views import Report, report
from gateway.web.api.access import services_for
from gateway.web.api.answers import answer
from gateway.web.api.bodies import read_query


async def activity(request: web.Request) -> web.Response:
    """By time, source, verb and course, with completions and scores."""
    return answer(as_json(await _report(request)))


async def activity_table(request: web.Request) -> web.Response:
    """The same as CSV."""
    return web.Response(
        body=as_csv(await _report(request)),
        content_type="text/csv",
        charset="utf-8",
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
    )


async def _report(request: web.Request) -> Report:
    # Not for those who read some statements only: counts are about all of them.
    services = await services_for(request, Scope.ALL_READ, Scope.ADMIN)
    query = read_query(request, FIELDS)
    query.finish()
    given = {name: query.get(name) or "" for name in FIELDS}
    return await report(services, services.reports.question(given))


def add_routes(app: web.Application, base: str) -> None:
    """The routes below `base`."""
    app.router.add_get(f"{base}/reports/activity", activity)
    app.router.add_get(f"{base}/reports/activity.csv", activity_table)
