"""Everything about the webhooks of one store: receive, map, look at."""

from __future__ import annotations

import asyncio
import datetime as dt
import hmac
from collections.abc import Callable

from adapters import Lookups
from gateway.services.addresses import public_url
from gateway.services.deliveries import Deliveries
from gateway.services.delivery_hours import Hours
from gateway.services.fetching import Fetcher
from gateway.services.key_sets import KeySets
from gateway.services.mapping_work import MappingWork
from gateway.services.mappings import Mappings
from gateway.services.receiving import Receiving
from gateway.services.recording import Recorder
from gateway.services.statements import Statements
from gateway.services.working import enduring
from gateway.settings import Settings
from gateway.store.store import Store


class Hooks:
    """Assembled from settings; `key` is a secret of the installation, from which pseudonyms are made."""

    def __init__(
        self,
        store: Store,
        statements: Statements,
        settings: Settings,
        *,
        mappings: Mappings,
        key: bytes,
        fetcher: Fetcher,
        clock: Callable[[], dt.datetime],
    ) -> None:
        recorder = Recorder(store, statements, home_page=public_url(settings))
        lookups = Lookups(pseudonym_key=hmac.digest(key, f"pseudonyms of {store.name}".encode(), "sha256"))
        self.mappings = mappings
        self._store = store.name
        default = settings.stores.default
        self.hours = Hours(
            store.delivery_hours,
            mappings,
            here=lambda adapter: (
                settings.databases[settings.hooks.stores.get(adapter, default)] == store.name
            ),
            clock=clock,
        )
        self.work = MappingWork(
            store.deliveries,
            recorder,
            mappings,
            lookups=lookups,
            workers=settings.hooks.workers,
            retention=dt.timedelta(seconds=settings.hooks.retention),
            hours=self.hours,
            clock=clock,
        )
        self._fetcher = fetcher
        self._key_sets = KeySets(fetcher, mappings.key_urls)
        self.receiving = Receiving(
            store.deliveries,
            mappings,
            self.work,
            key_sets=self._key_sets,
            hours=self.hours,
            max_queue=settings.hooks.max_queue,
            max_queue_age=settings.hooks.max_queue_age,
            max_body=settings.hooks.max_body,
            clock=clock,
        )
        self.deliveries = Deliveries(store.deliveries, recorder, mappings, lookups=lookups, clock=clock)

    async def run(self) -> None:
        """Store and map deliveries until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.receiving.run())
                tasks.create_task(self.work.run())
                tasks.create_task(enduring("queue", lambda: self.receiving.watch(self._store)))
                tasks.create_task(enduring("delivery hours", self.hours.run))
                tasks.create_task(enduring("key sets", self._key_sets.run))
        finally:
            await self._fetcher.close()
