"""What an administrator sees first: whether everything runs, what came in, what waits for somebody."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import Unavailable
from gateway.services.mappings import Adapter
from gateway.services.services import Services
from gateway.settings import Settings
from gateway.store import overview as store
from gateway.store.connection import translating
from gateway.store.courses import StoredCourse
from gateway.store.delivery_records import State
from gateway.store.overview import AdapterCounts, CourseCounts
from gateway.store.statements import Selection

MOST_COURSES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One store of a running gateway. Counts, except of statements, end at `store.overview.ENOUGH`.

    `statements` is about right; `last_stored` is None without any that is not voided. `adapters` are those
    that deliver into this store, `courses` the newest ones.
    """

    mongo_version: str
    embedded: bool
    statements: int
    last_stored: dt.datetime | None
    states: Mapping[State, int]
    adapters: tuple[tuple[Adapter, AdapterCounts], ...]
    courses: tuple[tuple[StoredCourse, CourseCounts], ...]


async def overview(services: Services, settings: Settings, name: str) -> Overview:
    """What there is in the store of that name; raises Unavailable while MongoDB is away."""
    counts = store.Overview(services.store.client, services.store.name)
    statements = services.store.statements
    # A mapping without a receiver never gets anything here.
    adapters = [
        adapter
        for adapter in services.hooks.mappings.adapters
        if settings.hooks.stores.get(adapter.name, settings.stores.default) == name
        and (adapter.mapping is None or adapter.mapping.receiver is not None)
    ]
    courses = await services.courses.list(limit=MOST_COURSES)
    version, count, page, states, of_adapters, of_courses = await asyncio.gather(
        counts.server_version(),
        statements.count(),
        statements.page(Selection(limit=1)),
        counts.states(),
        counts.adapters([adapter.name for adapter in adapters]),
        counts.courses([course.id for course in courses]),
    )
    last = page.statements[0].stored if page.statements else None
    return Overview(
        mongo_version=version,
        embedded=settings.mongo.uri is None,
        statements=count,
        last_stored=None if last is None else dt.datetime.fromtimestamp(last / 1_000_000, dt.UTC),
        states=states,
        adapters=tuple((adapter, of_adapters[adapter.name]) for adapter in adapters),
        courses=tuple((course, of_courses[course.id]) for course in courses),
    )


async def readiness(services: Mapping[str, Services]) -> dict[str, str]:
    """Each store by name: `ready`, or why it is not."""

    async def of(one: Services) -> str:
        try:
            with translating():
                await one.store.ping()
        except Unavailable as error:
            return error.message
        return "ready"

    states = await asyncio.gather(*map(of, services.values()))
    return dict(zip(services, states, strict=True))
