"""The first page: what comes in, from whom, how fresh it is, and what needs a person."""

from __future__ import annotations

from aiohttp import web

from gateway import __version__
from gateway.keys import SERVICES, SETTINGS
from gateway.services.clock import utc_now
from gateway.services.overview import MOST_COURSES, overview, readiness
from gateway.services.texts import title_text
from gateway.web.console.visits import Visit, text_of


async def show(visit: Visit) -> web.Response:
    """Sources with their last event, rate and waiting failures; `refresh=1` looks again by itself."""
    config, now = visit.request.config_dict, utc_now()
    settings, stores = config[SETTINGS], config[SERVICES]
    credentials = stores[settings.stores.default].store.credentials
    found = await overview(visit.services, settings, visit.person.store, credentials, now)
    used = [row for row in found.adapters if row[0].problem is None or row[1].kept]
    return visit.page(
        "home.html",
        version=__version__,
        found=found,
        findings=found.findings(now),
        stores=await readiness(stores),
        adapters=used,
        unused=[row for row in found.adapters if row not in used],
        courses_end=len(found.courses) == MOST_COURSES,
        most=MOST_COURSES,
        title_text=title_text,
        now=now,
        refreshing=text_of(visit.request, "refresh") == "1",
    )
