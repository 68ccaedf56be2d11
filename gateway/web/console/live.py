"""The live tail: what is stored and refused while it happens. Without script, the newest of it and a link to
look again.

The stream is `text/event-stream`: `row` (an entry, whose id is the place behind it), `dropped` (how many were
left out), `gap` (nobody knows how many), `bye` (the session has ended).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

from aiohttp import hdrs, web

from gateway.errors import Invalid, Problem
from gateway.keys import PEOPLE
from gateway.services.live import NEWEST_OF, Viewer, Wanted
from gateway.services.people import Right
from gateway.store.connection import translating
from gateway.store.live import Happening, Lost
from gateway.web.console.statements import agent_of
from gateway.web.console.visits import Visit, cookie_name, text_of
from gateway.xapi.agents import agent_key, parse_actor_parameter
from gateway.xapi.findings import shown as written

SHOWN = 50
HEARTBEAT = 10.0  # seconds; then it is also looked whether the session still runs
_TOGETHER = 0.25  # seconds in which entries are gathered
_WRITE_SECONDS = 15.0
_FIELDS = ("kind", "verb", "source", "agent", "activity", "text")
_KINDS = {
    "": frozenset({"statement", "refused statement", "refused delivery", "delivery", "notice"}),
    "stored": frozenset({"statement"}),
    "refused": frozenset({"refused statement", "refused delivery", "delivery", "notice"}),
}
_DELIVERIES = frozenset({"refused delivery", "delivery", "notice"})


async def show(visit: Visit) -> web.Response:
    """The newest entries; a script adds what follows them."""
    given = {name: text_of(visit.request, name) for name in _FIELDS}
    values: dict[str, Any] = {"given": given, "of": NEWEST_OF}
    try:
        wanted = _wanted(visit, given)
    except Invalid as error:
        return visit.page("live.html", status=400, error=error, rows=[], place="", **values)
    live = visit.services.live
    place = await live.place()
    rows = await live.newest(wanted, SHOWN)
    return visit.page("live.html", error=None, rows=rows, place=place, **values)


async def events(visit: Visit) -> web.StreamResponse:
    """The stream, until the reader goes, the session ends, or the gateway does."""
    wanted = _wanted(visit, {name: text_of(visit.request, name) for name in _FIELDS})
    after = visit.request.headers.get("Last-Event-ID") or text_of(visit.request, "after")
    async with visit.services.live.viewer(wanted) as viewer:
        response = web.StreamResponse(
            headers={
                hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8",
                hdrs.CACHE_CONTROL: "no-store, no-transform",
                "X-Accel-Buffering": "no",
                "X-Content-Type-Options": "nosniff",
            }
        )
        await response.prepare(visit.request)
        sending = asyncio.create_task(_send(visit, viewer, after, response))
        closing = asyncio.create_task(visit.services.live.closing.wait())
        try:
            await asyncio.wait({sending, closing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, closing):
                task.cancel()
            results = await asyncio.gather(sending, closing, return_exceptions=True)
        # Whoever is gone, or reads nothing any more, needs no answer.
        if isinstance(results[0], Exception) and not isinstance(results[0], ConnectionError | TimeoutError):
            raise results[0]
    return response


async def _send(visit: Visit, viewer: Viewer, after: str, response: web.StreamResponse) -> None:
    live = visit.services.live
    await _write(response, "retry: 2000\n\n")
    await live.opened()
    repeated: set[str] = set()
    if after:
        try:
            missed = await live.missed(viewer.wanted, after)
            repeated = {one.token for one in missed}
            await _write(response, await _rows(visit, missed))
        except Lost:
            viewer.lose()
    await _write(response, "event: live\ndata: {}\n\n")
    looked = time.monotonic()
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT):
                await viewer.more.wait()
        except TimeoutError:
            await _write(response, ": still here\n\n")
        if time.monotonic() - looked >= HEARTBEAT:
            if not await _still_in(visit):
                await _write(response, "event: bye\ndata: {}\n\n")
                return
            looked = time.monotonic()
        if not viewer.more.is_set():
            continue
        await asyncio.sleep(_TOGETHER)
        if viewer.gap:
            viewer.gap = False
            await _write(response, "event: gap\ndata: {}\n\n")
        found, dropped = viewer.take()
        if dropped:
            await _write(response, f'event: dropped\ndata: {{"number": {dropped}}}\n\n')
        await _write(response, await _rows(visit, [one for one in found if one.token not in repeated]))


async def _rows(visit: Visit, happenings: Sequence[Happening]) -> str:
    with translating():
        rows = await visit.services.live.shown(happenings)
    return "".join(
        f"id: {one.token}\nevent: row\ndata: {json.dumps(row)}\n\n"
        for one, row in zip(happenings, rows, strict=True)
    )


async def _write(response: web.StreamResponse, text: str) -> None:
    if text:
        async with asyncio.timeout(_WRITE_SECONDS):
            await response.write(text.encode())


async def _still_in(visit: Visit) -> bool:
    """Whether the same person may still watch; watching alone does not keep anybody signed in."""
    token = visit.request.cookies.get(cookie_name(visit.request), "")
    with translating():
        visitor = await visit.request.config_dict[PEOPLE].visitor(token, active=False)
    return visitor is not None and visitor.rights == visit.visitor.rights


def _wanted(visit: Visit, given: dict[str, str]) -> Wanted:
    """The filter of an address; raises Invalid."""
    if given["kind"] not in _KINDS:
        message = f"holds {written(given['kind'])}; expected stored, refused or nothing"
        raise Invalid(f"kind {message}", problems=[Problem("kind", "Console", message)])
    what = _KINDS[given["kind"]]
    if not visit.may(Right.READ_DELIVERIES):
        what -= _DELIVERIES
    agent = None
    if given["agent"]:
        agent = agent_key(parse_actor_parameter(agent_of(given["agent"])))
    return Wanted(
        what=what,
        verb=given["verb"] or None,
        source=given["source"] or None,
        agent=agent,
        activity=given["activity"] or None,
        text=given["text"] or None,
    )
