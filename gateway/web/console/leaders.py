"""Five answers for those who answer for the whole: printable, from live data, with gaps said plainly."""

from __future__ import annotations

from aiohttp import web

from gateway.keys import SERVICES, SETTINGS
from gateway.services.clock import utc_now
from gateway.services.overview import overview, readiness
from gateway.web.console.visits import Visit


async def show(visit: Visit) -> web.Response:
    """Health, flow, governance, capabilities and vendors of the store."""
    config, now = visit.request.config_dict, utc_now()
    settings, stores = config[SETTINGS], config[SERVICES]
    credentials = stores[settings.stores.default].store.credentials
    found = await overview(visit.services, settings, visit.person.store, credentials, now)
    states = await readiness(stores)
    clients = [one.credential for one in found.clients]
    flowing = [(adapter, counts) for adapter, counts in found.adapters if counts.last is not None]
    return visit.page(
        "leaders.html",
        now=now,
        found=found,
        healthy=all(state == "ready" for state in states.values()),
        states=states,
        findings=found.findings(now),
        flowing=flowing,
        waiting=[adapter for adapter, counts in found.adapters if not adapter.problem and not counts.last],
        lacking=[adapter for adapter, counts in found.adapters if adapter.problem and not counts.last],
        broken=[adapter for adapter, counts in found.adapters if adapter.problem and counts.last],
        unowned=[one.source for one in found.unowned],
        aimless=[one.source for one in found.sources if not one.source.purpose],
        groundless=[one.source for one in found.sources if not one.source.record.ground],
        unclassed=[one.source for one in found.sources if not one.source.record.data_class],
        silent_about=[one.source for one in found.sources if not one.source.declares],
        undeclared=[one.source for one in found.sources if one.pressing],
        unlimited=[one for one in clients if "all" in one.scopes and one.rows is None],
        readers=[one for one in clients if any("read" in scope or scope == "all" for scope in one.scopes)],
        sending=[one for one in found.clients if one.last is not None],
    )
