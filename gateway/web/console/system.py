"""The system: what is well and what is not, with advice; versions, mappings, settings with their origin."""

from __future__ import annotations

import asyncio
import platform
import shutil
from collections.abc import Mapping

from aiohttp import web

from gateway import __version__
from gateway.errors import GatewayError
from gateway.keys import PROVIDER, SERVICES, SETTINGS
from gateway.services import diagnosis
from gateway.services.clock import utc_now
from gateway.services.diagnosis import Diagnosis, Health
from gateway.services.services import Services
from gateway.settings import Settings
from gateway.store.connection import check_server, translating
from gateway.store.overview import Overview
from gateway.web.console.visits import Visit


async def show(visit: Visit) -> web.Response:
    """Looks at everything that `xapi-gateway doctor` looks at, from inside."""
    config = visit.request.config_dict
    settings, stores = config[SETTINGS], config[SERVICES]
    found = await _examined(settings, stores)
    if (provider := config[PROVIDER]) is not None:
        found.append(diagnosis.of_provider(settings.oidc, await provider.fault()))
    return visit.page(
        "system.html",
        version=__version__,
        python=platform.python_version(),
        found=sorted(found, key=lambda one: -list(Health).index(one.health)),
        problems=sum(one.health is Health.PROBLEM for one in found),
        settings=[(name, value, settings.origins[name]) for name, value in settings.written.items()],
        workers=settings.server.workers,
        adapters=[
            adapter for adapter in visit.services.hooks.mappings.adapters if adapter.mapping is not None
        ],
    )


async def _examined(settings: Settings, stores: Mapping[str, Services]) -> list[Diagnosis]:
    default = stores[settings.stores.default]
    client, embedded = default.store.client, settings.mongo.uri is None
    found = list(diagnosis.of_addresses(settings))
    if embedded and settings.data.dir.exists():
        usage = await asyncio.to_thread(shutil.disk_usage, settings.data.dir)
        found.append(diagnosis.of_space(usage.free, str(settings.data.dir)))
    try:
        with translating():
            found.append(diagnosis.of_server(await check_server(client), embedded=embedded))
            there = await Overview(client, default.store.name).server_time()
            found.append(diagnosis.of_clock(utc_now(), there))
            found.append(diagnosis.of_credentials(await default.store.credentials.list()))
            for name, services in stores.items():
                found.append(diagnosis.of_indexes(name, await services.store.index_changes()))
                found += await diagnosis.of_deliveries(name, services, utc_now())
                found.append(diagnosis.of_sources(name, await services.sources.all()))
    except GatewayError as error:
        advice = "nothing can be stored until this is mended"
        found.append(Diagnosis(subject="database", health=Health.PROBLEM, found=error.message, advice=advice))
    return [*found, *diagnosis.of_adapters(default.hooks.mappings.adapters)]
