"""Sources: everything that sends statements, who answers for it, and whether it sends what it said it would.

Each adapter and each credential of a store is a source. What people write about it is kept as a record; what
an adapter may send is also told from its mapping; what came is observed (`services.observing`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from adapters import Mapping as AdapterMapping
from adapters.linting.produces import Products, products
from gateway.errors import Conflict, Invalid, NotFound, PreconditionFailed
from gateway.services.mappings import Adapter, nobody_set_up
from gateway.services.source_fields import parse
from gateway.settings import Settings
from gateway.store.credentials import Credential
from gateway.store.credentials import Credentials as StoredCredentials
from gateway.store.observations import FURTHER, Observation, Seen
from gateway.store.sources import Declared, SourceRecord
from gateway.store.store import Store
from gateway.xapi.contents import KINDS, Kind

# What a record should say before anybody can answer for a source.
WANTED: Final = ("owner", "vendor", "purpose", "ground", "data_class", "contact", "contract", "retention")
_SOON = dt.timedelta(days=60)
_MOST_TOLD = 200
_told: dict[str, Products] = {}


class Decision(StrEnum):
    """What somebody does about a value that nobody declared."""

    DECLARE = "declare"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source. Without adapter and credential it is one that is gone, of which something is known still.

    `in_use` is False for adapters that nobody set up and nothing came from; `told` is what the mapping says.
    """

    id: str
    name: str
    record: SourceRecord
    adapter: Adapter | None = None
    credential: Credential | None = None
    told: Products | None = None
    in_use: bool = True

    @property
    def kind(self) -> str:
        """`adapter` or `credential`."""
        return self.id.partition(":")[0]

    @property
    def owner(self) -> str | None:
        return self.record.owner or (self.credential.owner if self.credential else None)

    @property
    def purpose(self) -> str | None:
        return self.record.purpose or (self.credential.purpose if self.credential else None)

    @property
    def gaps(self) -> tuple[str, ...]:
        """What nobody wrote down, of `WANTED`; a credential of one's own has no vendor or contract."""
        wanted = WANTED if self.kind == "adapter" or self.record.vendor else WANTED[:1] + WANTED[2:6]
        held = {name: getattr(self.record, name) for name in wanted}
        held |= {"owner": self.owner, "purpose": self.purpose}
        return tuple(name for name in wanted if not held[name])

    def expected(self, kind: Kind) -> frozenset[str] | None:
        """What it may send; None where nothing was said that could be held against it."""
        typed = self.record.declared
        if typed is None and (self.told is None or kind in self.told.open):
            return None
        written = frozenset(getattr(typed, kind)) if typed is not None else frozenset()
        return written | (self.told.of(kind) if self.told is not None else frozenset())

    @property
    def declares(self) -> bool:
        """Whether anything is known that it may send."""
        return any(self.expected(kind) is not None for kind in KINDS)

    def ending(self, now: dt.datetime) -> bool:
        """Whether its contract ended or will soon."""
        return self.record.ends is not None and self.record.ends <= (now + _SOON).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A source with what it was seen to send; `undeclared` is the part that nobody declared, and that was not
    made by an earlier revision of the mapping, as that one said.
    """

    source: Source
    observed: tuple[Observation, ...]

    @property
    def undeclared(self) -> tuple[Observation, ...]:
        found = []
        for one in self.observed:
            expected = self.source.expected(_kind(one.seen.kind))
            if expected is not None and one.seen.value not in expected and not one.told:
                found.append(one)
        return tuple(found)

    @property
    def pressing(self) -> tuple[Observation, ...]:
        """What somebody has to decide about: undeclared, and not stopped, or still coming since."""
        return tuple(one for one in self.undeclared if one.stopped is None or one.last > one.stopped)


class Sources:
    """The sources of one store."""

    def __init__(
        self,
        store: Store,
        adapters: Callable[[], Sequence[Adapter]],
        credentials: StoredCredentials,
        *,
        name: str,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._records = store.sources
        self._observations = store.observations
        self._adapters = adapters
        self._credentials = credentials
        self._name = name
        self._clock = clock

    @classmethod
    def of(
        cls,
        store: Store,
        adapters: Callable[[], Sequence[Adapter]],
        settings: Settings,
        *,
        clock: Callable[[], dt.datetime],
    ) -> Sources:
        """Those of a store, to which `adapters` deliver; all credentials live in the default one."""
        default = settings.stores.default
        name = next((key for key, value in settings.databases.items() if value == store.name), default)
        return cls(
            store,
            adapters,
            Store(store.client, settings.databases[default]).credentials,
            name=name,
            clock=clock,
        )

    # -- queries -----------------------------------------------------------------------------------------

    async def all(self) -> list[Standing]:
        """All sources with what they sent: adapters by name, then credentials by age, then what is gone."""
        records, observed = await self._records.all(), await self._observations.list()
        by_source: dict[str, list[Observation]] = {}
        for one in observed:
            by_source.setdefault(one.seen.source, []).append(one)
        credentials = [
            one for one in await self._credentials.list() if one.store == self._name and one.revoked is None
        ]
        known = records.keys() | by_source.keys()
        found = [
            *(self._of_adapter(one, records, known) for one in self._adapters()),
            *(self._of_credential(one, records) for one in credentials),
        ]
        present = {one.id for one in found}
        found += [
            _gone(identity, records)
            for identity in sorted(known - present)
            if identity.startswith("adapter:")
        ]
        return [Standing(source=source, observed=tuple(by_source.get(source.id, ()))) for source in found]

    async def get(self, identity: str) -> Standing:
        """One source, revoked and gone ones too; raises NotFound, also for those of other stores."""
        record = await self._records.get(identity)
        records = {identity: record} if record is not None else {}
        observed = tuple(await self._observations.list(identity))
        source = await self._find(identity, records, {identity} if record or observed else set())
        return Standing(source=source, observed=observed)

    async def _find(self, identity: str, records: Mapping[str, SourceRecord], known: set[str]) -> Source:
        kind, _, name = identity.partition(":")
        if kind == "adapter":
            adapter = next((one for one in self._adapters() if one.name == name), None)
            if adapter is not None:
                return self._of_adapter(adapter, records, known)
            if identity in known:
                return _gone(identity, records)
        elif kind == "credential":
            credential = await self._credentials.get(name)
            if credential is not None and credential.store == self._name:
                return self._of_credential(credential, records)
        raise NotFound(f"there is no source {identity[:200]!r}")

    def _of_adapter(self, adapter: Adapter, records: Mapping[str, SourceRecord], known: set[str]) -> Source:
        identity = f"adapter:{adapter.name}"
        in_use = identity in known or is_set_up(adapter)
        return Source(
            id=identity,
            name=adapter.name,
            record=records.get(identity) or SourceRecord(id=identity),
            adapter=adapter,
            told=told(adapter.mapping) if adapter.mapping is not None and in_use else None,
            in_use=in_use,
        )

    def _of_credential(self, credential: Credential, records: Mapping[str, SourceRecord]) -> Source:
        identity = f"credential:{credential.key}"
        record = records.get(identity) or SourceRecord(id=identity)
        return Source(id=identity, name=credential.name, record=record, credential=credential)

    # -- commands ----------------------------------------------------------------------------------------

    async def put(
        self, identity: str, values: Mapping[str, Any], *, by: str, number: int | None = None
    ) -> Standing:
        """Write the record of a source anew. With `number`, only in the place of the record of that number.

        Raises NotFound, Invalid with every problem, PreconditionFailed if somebody changed it meanwhile.
        """
        before = (await self.get(identity)).source.record
        record, problems = parse(values)
        if problems:
            raise Invalid(f"{problems[0].path} {problems[0].message}", problems=problems)
        if number is not None and number != before.number:
            raise PreconditionFailed(
                f"{before.by or 'somebody'} changed the record of {identity} meanwhile; look at it again"
            )
        await self._put(replace(record, id=identity), before.number, by)
        return await self.get(identity)

    async def decide(self, seen: Seen, decision: Decision, *, by: str) -> Standing:
        """Declare a value that a source sends, or note that it should stop. Raises NotFound, Conflict."""
        standing = await self.get(seen.source)
        if all(one.seen != seen for one in standing.observed):
            raise NotFound(f"{seen.source} was never seen to send {seen.value[:200]!r} among its {seen.kind}")
        if decision is Decision.STOP:
            await self._observations.stop(seen, self._clock(), by)
        elif seen.value == FURTHER:
            raise Conflict("these are too many to be declared one by one; the vendor should send fewer")
        else:
            await self._declare(standing, [seen], by)
        return await self.get(seen.source)

    async def declare_seen(self, identity: str, *, by: str) -> Standing:
        """Declare all that a source was seen to send, as a beginning. Raises NotFound."""
        standing = await self.get(identity)
        seen = [one.seen for one in standing.observed if one.seen.value != FURTHER]
        await self._declare(standing, seen, by)
        return await self.get(identity)

    async def _declare(self, standing: Standing, seen: Sequence[Seen], by: str) -> None:
        record = standing.source.record
        before = record.declared or Declared()
        values = {kind: dict.fromkeys(getattr(before, kind)) for kind in KINDS}
        for one in seen:
            values[_kind(one.kind)][one.value] = None
        declared = Declared(**{kind: tuple(found) for kind, found in values.items()})
        await self._put(replace(record, declared=declared), record.number, by)

    async def _put(self, record: SourceRecord, number: int, by: str) -> None:
        written = replace(record, number=number + 1, updated=self._clock(), by=by)
        if not await self._records.put(written):
            raise PreconditionFailed(f"the record of {record.id} was changed meanwhile; look at it again")


def told(mapping: AdapterMapping) -> Products:
    """What the rules of a mapping can make, read once for each revision."""
    found = _told.get(mapping.revision)
    if found is None:
        if len(_told) >= _MOST_TOLD:
            _told.pop(next(iter(_told)))
        found = _told[mapping.revision] = products(mapping)
    return found


def is_set_up(adapter: Adapter) -> bool:
    """Whether somebody gave it secrets. One that needs none is ready as it is shipped, which says nothing."""
    return not nobody_set_up(adapter) and (adapter.mapping is None or bool(adapter.mapping.secrets))


def in_use(standings: Sequence[Standing]) -> list[Standing]:
    """Without the adapters that nobody set up."""
    return [one for one in standings if one.source.in_use]


def _gone(identity: str, records: Mapping[str, SourceRecord]) -> Source:
    name = identity.partition(":")[2]
    return Source(id=identity, name=name, record=records.get(identity) or SourceRecord(id=identity))


def _kind(written: str) -> Kind:
    return next(kind for kind in KINDS if kind == written)
