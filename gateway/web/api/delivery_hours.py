"""`/api/v1/deliveries/hours`: what came from each vendor in each hour, and what became of it."""

from __future__ import annotations

import datetime as dt

from aiohttp import web

from gateway.services.access import Scope
from gateway.services.clock import utc_now
from gateway.services.delivery_hours import LONGEST_SPAN
from gateway.services.delivery_views import hour
from gateway.web.api.access import services_for
from gateway.web.api.answers import answer
from gateway.web.api.bodies import read_query


async def index(request: web.Request) -> web.Response:
    """Hours from `since` (a day ago) to `until` (now) that had any request, of one `adapter` or of all."""
    hooks = (await services_for(request, Scope.HOOKS, Scope.ADMIN)).hooks
    query = read_query(request, ("adapter", "since", "until"))
    adapter, since, until = query.get("adapter"), query.moment("since"), query.moment("until")
    # The hour that is running counts as well.
    until = until or utc_now() + dt.timedelta(hours=1)
    since = since or until - dt.timedelta(days=1)
    if until - since > LONGEST_SPAN:
        query.wrong("since", f"at most {LONGEST_SPAN.days} days before `until`")
    query.finish()
    return answer({"hours": [hour(one) for one in await hooks.hours.between(since, until, adapter)]})


def add_routes(app: web.Application, base: str) -> None:
    """The route below `base`; to be added before that of single deliveries."""
    app.router.add_get(f"{base}/deliveries/hours", index)
