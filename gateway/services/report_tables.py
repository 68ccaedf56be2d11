"""A report as JSON and as CSV."""

from __future__ import annotations

import csv
import datetime as dt
import io
from typing import Any

from gateway.services.report_views import Line, Report, Results, Table
from gateway.services.texts import cell_text, time_text

_TABLES = ("by_time", "by_source", "by_verb", "by_course", "scores")
_NAMES = {
    "by_time": "time",
    "by_source": "source",
    "by_verb": "verb",
    "by_course": "course",
    "scores": "score",
}


def as_json(report: Report) -> dict[str, Any]:
    """What `GET /api/v1/reports/activity` answers."""
    return {
        "from": report.question.since,
        "to": report.question.until,
        "source": report.question.source,
        "course": report.question.course,
        "timeZone": report.time_zone,
        "threshold": report.threshold,
        "countedThrough": time_text(counted_through(report)),
        "counted": report.counted,
        "total": _line(report.total),
        "leftOut": list(report.left_out),
        "unit": "day" if report.days else "month",
        "time": _table(report.by_time),
        "sources": _table(report.by_source),
        "verbs": _table(report.by_verb),
        "courses": _table(report.by_course),
        "results": [_results(one) for one in report.results],
        "scores": _table(report.scores),
    }


def counted_through(report: Report) -> dt.datetime | None:
    """The stored time up to which everything is counted."""
    return dt.datetime.fromtimestamp(report.through / 1_000_000, dt.UTC) if report.through else None


def as_csv(report: Report) -> bytes:
    """One table for all: `group` says what a line is about; what is too small comes `together`."""
    written = io.StringIO(newline="")
    table = csv.writer(written)
    table.writerow(["group", "key", "name", "statements", "learners", "partly"])
    table.writerow(["total", "", "", report.total.statements, report.total.learners, ""])
    for attribute in _TABLES:
        found: Table = getattr(report, attribute)
        for line in found.lines:
            row = [line.key, line.label, line.statements, line.learners, "yes" if line.partly else ""]
            table.writerow([_NAMES[attribute], *map(_cell, row)])
        if found.rest is not None:
            table.writerow(
                [_NAMES[attribute], "", "together", found.rest.statements, found.rest.learners, ""]
            )
    for one in report.results:
        for kind in ("completed", "passed", "failed", "scored", "mean"):
            value = getattr(one, kind)
            table.writerow([kind, _cell(one.key), _cell(one.label), "" if value is None else value, "", ""])
    return written.getvalue().encode()


def _cell(value: object) -> object:
    return cell_text(value) if isinstance(value, str) else value


def _line(line: Line) -> dict[str, Any]:
    return {"statements": line.statements, "learners": line.learners}


def _table(table: Table) -> dict[str, Any]:
    return {
        "groups": [
            {"key": line.key, "name": line.label, **_line(line), "partly": line.partly}
            for line in table.lines
        ],
        "together": _line(table.rest) if table.rest is not None else None,
        "more": table.more,
    }


def _results(results: Results) -> dict[str, Any]:
    return {
        "course": results.key,
        "name": results.label,
        "completed": results.completed,
        "passed": results.passed,
        "failed": results.failed,
        "scored": results.scored,
        "meanScore": results.mean,
    }
