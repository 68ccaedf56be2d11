"""Everything about the webhooks of one store: receive, map, look at."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable

from gateway.errors import NotFound
from gateway.services.addresses import public_url
from gateway.services.at_hand import Payloads
from gateway.services.beginning import Beginning
from gateway.services.deliveries import Deliveries
from gateway.services.delivery_hours import Hours
from gateway.services.directory import Directory
from gateway.services.fetch_back import FetchBack
from gateway.services.fetching import Fetcher
from gateway.services.key_sets import KeySets
from gateway.services.lookups import Resolver
from gateway.services.mapper import Mapper
from gateway.services.mapping_work import MappingWork
from gateway.services.mappings import Adapter, Mappings
from gateway.services.privacy import PrivacyKeys
from gateway.services.receiving import Receiving
from gateway.services.recording import Recorder
from gateway.services.rehearsing import Rehearsing
from gateway.services.results import Results, Retention
from gateway.services.revisions import Revisions
from gateway.services.shadowing import Shadowing
from gateway.services.statements import Statements
from gateway.services.unmatched import Unmatched
from gateway.services.workbench import Workbench
from gateway.services.working import enduring
from gateway.settings import Settings
from gateway.store.store import Store


class Hooks:
    """Assembled from settings; `key` is a secret of the installation, used where `privacy.key` is not set."""

    def __init__(
        self,
        store: Store,
        statements: Statements,
        settings: Settings,
        *,
        mappings: Mappings,
        key: bytes,
        fetcher: Fetcher,
        refused: Callable[[str, str], None],
        clock: Callable[[], dt.datetime],
    ) -> None:
        hooks, own = settings.hooks, settings.privacy.key
        master = own.reveal().encode() if own is not None else key
        self.keys = PrivacyKeys(master, store.name, epoch=settings.privacy.epoch)
        self.mappings = mappings
        self._store = store.name
        default = settings.stores.default

        def here(adapter: str) -> bool:
            return settings.databases[settings.hooks.stores.get(adapter, default)] == store.name

        self._here = here
        self.hours = Hours(
            store.delivery_hours,
            mappings,
            here=here,
            clock=clock,
        )
        self.unmatched = Unmatched(store.unmatched)
        self.revisions = Revisions(store.revisions, clock=clock)
        self._fetcher = fetcher
        fetch_back, payloads = FetchBack(fetcher, mappings.connection, clock=clock), Payloads()
        recorder = Recorder(store, statements, home_page=public_url(settings))
        resolver = Resolver(store.directory, store.facts, self.keys)
        beginning = Beginning(mappings, self.revisions, resolver, self.keys, payloads, clock=clock)
        retention = Retention(
            records=dt.timedelta(seconds=hooks.retention), bodies=dt.timedelta(seconds=hooks.raw_retention)
        )
        self.mapper = Mapper(
            beginning,
            recorder,
            Results(retention, clock=clock),
            mappings,
            self.revisions,
            resolver,
            self.keys,
            Shadowing(store.shadows, clock=clock),
            fetch_back,
            clock=clock,
        )
        self.work = MappingWork(
            store.deliveries,
            self.mapper,
            fetch_back,
            payloads,
            workers=hooks.workers,
            hours=self.hours,
            clock=clock,
        )
        self._key_sets = KeySets(fetcher, mappings.key_urls)
        self.receiving = Receiving(
            store.deliveries,
            mappings,
            self.work,
            self.keys,
            key_sets=self._key_sets,
            hours=self.hours,
            max_queue=hooks.max_queue,
            max_queue_age=hooks.max_queue_age,
            max_body=hooks.max_body,
            refused=refused,
            clock=clock,
        )
        rehearsing = Rehearsing(self.mapper, beginning, recorder, mappings, resolver, self.keys)
        self.deliveries = Deliveries(
            store.deliveries, store.replays, rehearsing, mappings, self.keys, clock=clock
        )
        self.workbench = Workbench(mappings)
        self.directory = Directory(store.directory, store.deliveries, self.keys, clock=clock)

    @property
    def adapters(self) -> tuple[Adapter, ...]:
        """Those that deliver into this store, by name."""
        return tuple(one for one in self.mappings.adapters if self._here(one.name))

    @property
    def receivers(self) -> tuple[Adapter, ...]:
        """Those of them to which anything can come: a mapping without a receiver never gets anything here."""
        return tuple(one for one in self.adapters if one.mapping is None or one.mapping.receiver is not None)

    def adapter(self, name: str) -> Adapter:
        """One that delivers into this store; raises NotFound for those of other stores, too."""
        for one in self.adapters:
            if one.name == name:
                return one
        raise NotFound(f"there is no adapter {name[:100]!r}")

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
