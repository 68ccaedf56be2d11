"""Deliveries for people: look at them, try them again without storing anything, have them mapped again."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

from adapters.receive.decode import Undecodable
from gateway.errors import Conflict, Invalid, NotFound
from gateway.services.adapting import payload_of
from gateway.services.mappings import Mappings
from gateway.services.privacy import PrivacyKeys, Sealed
from gateway.services.rehearsing import Rehearsal, Rehearsing
from gateway.store import deliveries as store
from gateway.store.deliveries import DeliveryFilter
from gateway.store.delivery_records import Delivery, Replay, State
from gateway.store.replays import Replays, StoredReplay

MOST_REHEARSED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Deliveries without their bodies, newest first; `more` is whether others follow the last one."""

    deliveries: Sequence[Delivery]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A payload to explain, with what came beside it."""

    payload: Any
    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    fetched: Any = None
    received: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A replay and how far it is: how many deliveries are still to be mapped, and the others by state.

    `pending` counts those that wait to be mapped; a delivery that is replayed once more belongs to the later
    replay.
    """

    replay: StoredReplay
    pending: int
    states: Mapping[str, int]


class Deliveries:
    """The deliveries of one store. Every change is made in MongoDB, so any gateway process takes it up."""

    def __init__(
        self,
        deliveries: store.Deliveries,
        replays: Replays,
        rehearsing: Rehearsing,
        mappings: Mappings,
        keys: PrivacyKeys,
        *,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._deliveries = deliveries
        self._replays = replays
        self._rehearsing = rehearsing
        self._mappings = mappings
        self._keys = keys
        self._clock = clock

    async def get(self, delivery_id: UUID) -> Delivery:
        """One delivery with its body; raises NotFound."""
        delivery = await self._deliveries.get(delivery_id)
        if delivery is None:
            raise NotFound(f"there is no delivery {delivery_id}")
        return delivery

    async def list(
        self, which: DeliveryFilter, *, limit: int, after: tuple[dt.datetime, UUID] | None = None
    ) -> Page:
        """One page of deliveries, the newest first; `after` is the last one of the page before."""
        found = await self._deliveries.list(which, limit=limit + 1, after=after)
        return Page(deliveries=found[:limit], more=len(found) > limit)

    # -- again

    async def replay(self, which: DeliveryFilter, how: Replay, *, by: str) -> Progress:
        """Have deliveries mapped again. Doing it twice, or only half of it, does no harm."""
        started = self._clock()
        await self._replays.start(
            StoredReplay(id=how.id, started=started, by=by, which=_shown(which), options=_options(how))
        )
        count = await self._deliveries.requeue(which, started, how)
        await self._replays.marked(how.id, count)
        return await self.progress(how.id)

    async def progress(self, replay: UUID) -> Progress:
        """How far a replay is; raises NotFound."""
        found = await self._replays.get(replay)
        if found is None:
            raise NotFound(f"there is no replay {replay}")
        states = await self._deliveries.progress(replay)
        return Progress(replay=found, pending=states.pop(State.RECEIVED, 0), states=states)

    async def replays(self, *, limit: int) -> Sequence[StoredReplay]:
        """The latest replays first."""
        return await self._replays.list(limit=limit)

    async def count(self, which: DeliveryFilter) -> int:
        """How many deliveries a filter means."""
        return await self._deliveries.count(which)

    async def rehearse(
        self, which: DeliveryFilter, how: Replay, *, limit: int | None = MOST_REHEARSED
    ) -> AsyncIterator[Rehearsal]:
        """What `replay` would do, oldest delivery first, without storing anything."""
        async for delivery in self._deliveries.each(which, limit=limit or 0):
            yield await self._rehearsing.rehearse(replace(delivery, replay=how))

    # -- a closer look

    def shown_payload(self, delivery: Delivery) -> Any:
        """The payload without what only identities may see; None where nothing is hidden.

        Raises Undecodable: then there is nothing but bytes.
        """
        adapter = self._mappings.get(delivery.adapter)
        if adapter is None or adapter.mapping is None or not adapter.mapping.hidden or delivery.gone:
            return None
        try:
            payload = payload_of(adapter.mapping, delivery, self._keys)
        except Sealed:
            return None
        key = self._keys.pseudonyms(delivery.epoch)
        return adapter.mapping.redact(payload, key, already=delivery.pseudonymised)

    async def sample_of(self, delivery_id: UUID) -> tuple[Delivery, Any]:
        """A stored delivery with its payload as people may see it, to be tried again.

        Raises NotFound, Conflict where nothing can be shown, Invalid where it cannot be decoded.
        """
        delivery = await self.get(delivery_id)
        adapter = self._mappings.get(delivery.adapter)
        if delivery.gone:
            raise Conflict("only the hash of this delivery was kept; there is nothing to try")
        if adapter is None or adapter.mapping is None:
            raise Conflict(
                f"the mapping of {delivery.adapter!r} cannot be used, so nobody knows what it hides"
            )
        key = self._keys.pseudonyms(delivery.epoch)
        try:
            payload = payload_of(adapter.mapping, delivery, self._keys)
        except Sealed:
            raise Conflict("the body of this delivery is sealed; it cannot be shown") from None
        except Undecodable as error:
            raise Invalid(f"the delivery cannot be decoded: {error}") from None
        return delivery, adapter.mapping.redact(payload, key, already=delivery.pseudonymised)

    async def explain(
        self, adapter: str, delivery_id: UUID, *, original: bool = False
    ) -> Sequence[dict[str, Any]]:
        """How each event of a stored delivery is mapped today, or was. Raises NotFound, Conflict, Invalid."""
        delivery = await self.get(delivery_id)
        if delivery.adapter != adapter:
            raise NotFound(f"the delivery {delivery_id} came to {delivery.adapter!r}, not to {adapter!r}")
        if delivery.gone:
            raise Conflict("only the hash of this delivery was kept; there is nothing to explain")
        how = Replay(id=uuid4(), original_mapping=original, original_lookups=original)
        try:
            return await self._rehearsing.explained(replace(delivery, replay=how))
        except Undecodable as error:
            raise Invalid(f"the delivery cannot be decoded: {error}") from None

    async def explain_sample(self, adapter: str, sample: Sample) -> Sequence[dict[str, Any]]:
        """How each event of a payload would be mapped. Raises NotFound, Conflict."""
        return await self._rehearsing.explained_sample(
            adapter, sample.payload, sample.headers, sample.query, sample.received, sample.fetched
        )


def _shown(which: DeliveryFilter) -> dict[str, Any]:
    """A filter for people who look at a replay later."""
    shown = {
        "adapter": which.adapter,
        "state": list(which.states) or None,
        "since": which.since,
        "until": which.until,
        "conflict": which.conflict,
        "code": which.code,
        "ids": len(which.ids) if which.ids is not None else None,
    }
    return {key: value for key, value in shown.items() if value is not None}


def _options(how: Replay) -> dict[str, Any]:
    return {
        "mapping": "original" if how.original_mapping else "current",
        "lookups": "original" if how.original_lookups else "current",
        "replace": how.replace,
    }
