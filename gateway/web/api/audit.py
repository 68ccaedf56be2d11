"""`/api/v1/audit`: who did what."""

from __future__ import annotations

from aiohttp import web

from gateway.keys import AUDIT
from gateway.services.access import Scope
from gateway.services.audit import Outcome, entry_view
from gateway.store.audit import EntryFilter
from gateway.web.api.access import granted
from gateway.web.api.answers import answer
from gateway.web.api.bodies import limit_of, read_query
from gateway.web.api.paging import cursor_at, page_of, place_of

_TEXTS = ("actor", "action", "about", "outcome")


async def index(request: web.Request) -> web.Response:
    """Entries of the store, the newest first: `actor`, `action`, `about`, `outcome`, `since`, `until`,
    `limit`, and `cursor` from the `more` of the page before.
    """
    grant = await granted(request, Scope.ADMIN)
    query = read_query(request, (*_TEXTS, "since", "until", "limit", "cursor"))
    limit, after = limit_of(query), place_of(query)
    if query.get("outcome") not in (None, *Outcome):
        query.wrong("outcome", f"one of {', '.join(Outcome)}")
    which = EntryFilter(
        **{name: query.get(name) for name in _TEXTS},
        since=query.moment("since"),
        until=query.moment("until"),
    )
    query.finish()
    log = request.config_dict[AUDIT]
    page, more = page_of(await log.list(which, store=grant.store, limit=limit + 1, after=after), limit)
    return answer(
        {
            "entries": [entry_view(entry) for entry in page],
            "more": cursor_at(page[-1].time, page[-1].id) if more else None,
        }
    )


def add_routes(app: web.Application, base: str) -> None:
    """The log below `base`."""
    app.router.add_get(f"{base}/audit", index)
