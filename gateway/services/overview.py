"""What an administrator sees first: whether everything runs, what came in, what waits for somebody."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import Unavailable
from gateway.services.delivery_hours import Silence
from gateway.services.mappings import Adapter
from gateway.services.services import Services
from gateway.services.sources import Standing, in_use
from gateway.settings import Settings
from gateway.store import overview as store
from gateway.store.connection import translating
from gateway.store.courses import StoredCourse
from gateway.store.credentials import Credential, Credentials
from gateway.store.delivery_records import State
from gateway.store.overview import AdapterCounts, CourseCounts
from gateway.store.statements import Selection

MOST_COURSES = 50
MOST_CLIENTS = 50
_HOUR = dt.timedelta(hours=1)
# Longer than any queue takes that is being worked on.
_LONG_WAIT = dt.timedelta(minutes=5)
_BECAME = {
    State.FAILED: "could not be mapped",
    State.UNMATCHED: "matched no rule",
    State.HELD: "{be} held",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A credential that was used or stored statements: when it last stored one, how many within the hour."""

    credential: Credential
    last: dt.datetime | None
    last_hour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a person should look at; where it is deliveries, `adapter` and `state` say which, where
    it is about a source, `source` does; `sources` is about several.
    """

    text: str
    adapter: str | None = None
    state: State | None = None
    source: str | None = None
    sources: bool = False


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
    last_hour: int
    clients: tuple[Client, ...]
    oldest_waiting: dt.datetime | None
    silent: tuple[Silence, ...]
    sources: tuple[Standing, ...]

    @property
    def unowned(self) -> list[Standing]:
        """The sources in use for which nobody answers."""
        return [one for one in self.sources if not one.source.owner]

    def findings(self, now: dt.datetime) -> list[Finding]:
        """What needs a person, the most pressing first."""
        found: list[Finding] = []
        if self.oldest_waiting is not None and now - self.oldest_waiting > _LONG_WAIT:
            minutes = int((now - self.oldest_waiting).total_seconds() // 60)
            found.append(Finding(text=f"deliveries wait to be mapped since {minutes} minutes"))
        for adapter, counts in self.adapters:
            if adapter.problem is not None and counts.kept:
                found.append(Finding(text=f"{adapter.name} receives nothing: {adapter.problem}"))
            for state in (State.FAILED, State.UNMATCHED, State.HELD):
                if count := counts.unsettled.get(state, 0):
                    more = "+" if count == store.ENOUGH else ""
                    noun = "delivery" if count == 1 else "deliveries"
                    became = _BECAME[state].format(be="is" if count == 1 else "are")
                    text = f"{count:,}{more} {noun} of {adapter.name} {became}"
                    found.append(Finding(text=text, adapter=adapter.name, state=state))
        found += [
            Finding(text=f"{silence.adapter} is silent for too long", adapter=silence.adapter)
            for silence in self.silent
        ]
        for one in self.sources:
            source, name = one.source, one.source.name
            if number := len(one.pressing):
                what = "1 thing that nobody declared" if number == 1 else f"{number} things nobody declared"
                found.append(Finding(text=f"{name} sends {what}", source=source.id))
            if source.ending(now):
                ends = source.record.ends
                verb = "ended" if ends is not None and ends < now.date() else "ends"
                found.append(Finding(text=f"the contract of {name} {verb} on {ends}", source=source.id))
        if nameless := [one.source.name for one in self.unowned]:
            noun = "source" if len(nameless) == 1 else "sources"
            more = ", …" if len(nameless) > 5 else ""
            text = f"no owner named for {len(nameless)} {noun}: {', '.join(nameless[:5])}{more}"
            found.append(Finding(text=text, sources=True))
        return found


async def overview(
    services: Services, settings: Settings, name: str, credentials: Credentials, now: dt.datetime
) -> Overview:
    """What there is in the store of that name; raises Unavailable while MongoDB is away."""
    counts = store.Overview(services.store.client, services.store.name)
    statements = services.store.statements
    adapters = services.hooks.receivers
    courses = await services.courses.list(limit=MOST_COURSES)
    since = round((now - _HOUR).timestamp() * 1_000_000)
    version, count, page, states, of_adapters, of_courses = await asyncio.gather(
        counts.server_version(),
        statements.count(),
        statements.page(Selection(limit=1)),
        counts.states(),
        counts.adapters([adapter.name for adapter in adapters]),
        counts.courses([course.id for course in courses]),
    )
    silences, (_, recent), waiting, sources = await asyncio.gather(
        services.hooks.hours.silences(),
        counts.arrivals(None, since),
        counts.oldest_waiting(),
        services.sources.all(),
    )

    async def client(credential: Credential) -> Client:
        stored, number = await counts.arrivals(credential.key, since)
        return Client(credential=credential, last=_moment(stored), last_hour=number)

    mine = [one for one in await credentials.list() if one.store == name and one.revoked is None]
    clients = await asyncio.gather(*map(client, mine[:MOST_CLIENTS]))
    return Overview(
        mongo_version=version,
        embedded=settings.mongo.uri is None,
        statements=count,
        last_stored=_moment(page.statements[0].stored if page.statements else None),
        states=states,
        adapters=tuple((adapter, of_adapters[adapter.name]) for adapter in adapters),
        courses=tuple((course, of_courses[course.id]) for course in courses),
        last_hour=recent,
        clients=tuple(clients),
        oldest_waiting=waiting,
        silent=tuple(silence for silence in silences if silence.alarm),
        sources=tuple(in_use(sources)),
    )


def _moment(micros: int | None) -> dt.datetime | None:
    return None if micros is None else dt.datetime.fromtimestamp(micros / 1_000_000, dt.UTC)


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
