"""Reports: activity by time, source, verb and course, completions and scores; the question is the address."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import hdrs, web

from gateway.errors import Invalid
from gateway.services.report_questions import FIELDS
from gateway.services.report_tables import as_csv, counted_through
from gateway.services.report_views import Line, report
from gateway.web.console.visits import Visit, text_of

_CHART_LINES = 12
_LABEL = 38


async def show(visit: Visit) -> web.Response:
    """Charts with their tables; what is wrong with a filter stands above the form."""
    given = {name: text_of(visit.request, name) for name in FIELDS}
    try:
        question = visit.services.reports.question(given)
    except Invalid as error:
        return visit.page("reports.html", status=400, given=given, error=error, report=None)
    found = await report(visit.services, question)
    chosen = {"from": question.since, "to": question.until}
    return visit.page(
        "reports.html",
        given=given | chosen,
        error=None,
        report=found,
        address=urlencode({name: value for name, value in given.items() if value}),
        narrowed=lambda **more: urlencode({k: v for k, v in (given | chosen | more).items() if v}),
        counted_through=counted_through(found),
        label=_label,
        most=_CHART_LINES,
        busy=found.counted < found.stored * 0.99,
    )


async def table(visit: Visit) -> web.Response:
    """The same as one CSV file."""
    given = {name: text_of(visit.request, name) for name in FIELDS}
    question = visit.services.reports.question(given)
    found = await report(visit.services, question)
    name = f"activity-{question.since}-{question.until}.csv"
    return web.Response(
        body=as_csv(found),
        content_type="text/csv",
        charset="utf-8",
        headers={
            hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"',
            hdrs.CACHE_CONTROL: "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _label(line: Line) -> str:
    """A label that fits beside a bar."""
    return line.label if len(line.label) <= _LABEL else f"{line.label[: _LABEL - 1]}…"
