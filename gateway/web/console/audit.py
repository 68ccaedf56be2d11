"""The audit log: who did what, with filters in the address; to be taken along as CSV or NDJSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlencode

from aiohttp import web

from gateway.errors import Invalid, Problem
from gateway.keys import AUDIT
from gateway.services.audit import Outcome, entry_view
from gateway.store.audit import EntryFilter
from gateway.web.api.bodies import Fields
from gateway.web.api.paging import cursor_at, page_of, place_of
from gateway.web.console.deliveries import moment_of
from gateway.web.console.visits import Visit, text_of
from gateway.xapi.findings import shown

_LIMIT = 50
_FIELDS = ("actor", "action", "about", "outcome", "since", "until")


async def index(visit: Visit) -> web.Response:
    """One page of the log, newest first."""
    given = _given(visit)
    cursor = text_of(visit.request, "cursor")
    after = place_of(Fields({"cursor": cursor} if cursor else {}, ("cursor",)))
    found = await visit.request.config_dict[AUDIT].list(
        _filter(given), store=visit.person.store, limit=_LIMIT + 1, after=after
    )
    page, more = page_of(found, _LIMIT)
    address = {name: value for name, value in given.items() if value}
    return visit.page(
        "audit.html",
        entries=[(entry, entry_view(entry)) for entry in page],
        given=given,
        outcomes=list(Outcome),
        older=urlencode(address | {"cursor": cursor_at(page[-1].time, page[-1].id)}) if more else None,
        first=urlencode(address) if cursor else None,
        query=urlencode(address),
    )


async def table(visit: Visit) -> web.StreamResponse:
    """All of a filter as CSV."""
    log = visit.request.config_dict[AUDIT]
    return await _taken(visit, log.table(_filter(_given(visit)), store=visit.person.store), "csv", "text/csv")


async def lines(visit: Visit) -> web.StreamResponse:
    """All of a filter as NDJSON."""
    log = visit.request.config_dict[AUDIT]
    pieces = log.ndjson(_filter(_given(visit)), store=visit.person.store)
    return await _taken(visit, pieces, "ndjson", "application/x-ndjson")


async def _taken(visit: Visit, pieces: AsyncIterator[bytes], ending: str, kind: str) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={
            "Content-Disposition": f'attachment; filename="audit.{ending}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
    )
    response.content_type, response.charset = kind, "utf-8"
    await response.prepare(visit.request)
    async for piece in pieces:
        await response.write(piece)
    await response.write_eof()
    return response


def _given(visit: Visit) -> dict[str, str]:
    return {name: text_of(visit.request, name) for name in _FIELDS}


def _filter(given: dict[str, str]) -> EntryFilter:
    """The filter of an address; raises Invalid."""
    problems: list[Problem] = []
    if given["outcome"] and given["outcome"] not in list(Outcome):
        expected = f"one of {', '.join(Outcome)}"
        problems.append(
            Problem("outcome", "Console", f"holds {shown(given['outcome'])}; expected {expected}")
        )
    times = {name: moment_of(given, name, problems) for name in ("since", "until")}
    if problems:
        raise Invalid(f"{problems[0].path} {problems[0].message}", problems=problems)
    texts = {name: given[name] or None for name in ("actor", "action", "about", "outcome")}
    return EntryFilter(**texts, since=times["since"], until=times["until"])
