"""Deliveries for people: look at them, try them again without storing anything, have them mapped again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters import Adapted, Event, Failed, Lookups
from adapters import Mapping as AdapterMapping
from adapters.receive.decode import Undecodable
from gateway.errors import Conflict, Invalid, NotFound, Problem
from gateway.services.adapting import Made, adapted, events_of, payload_of, state_of
from gateway.services.mappings import Mappings
from gateway.services.recording import Presence, Recorder
from gateway.store import deliveries as store
from gateway.store.deliveries import DeliveryFilter
from gateway.store.delivery_records import Delivery, Outcome, State
from gateway.xapi import validation
from gateway.xapi.versions import Version

MOST_REHEARSED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Deliveries without their bodies, newest first; `more` is whether others follow the last one."""

    deliveries: Sequence[Delivery]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What mapping a delivery again would do: its state then, and how its statements stand to stored ones."""

    delivery: Delivery
    state: State
    outcomes: Sequence[Outcome]
    statements: Mapping[UUID, Presence]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A payload to explain, with what came beside it."""

    payload: Any
    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    received: dt.datetime


class Deliveries:
    """The deliveries of one store. Every change is made in MongoDB, so any gateway process takes it up."""

    def __init__(
        self,
        deliveries: store.Deliveries,
        recorder: Recorder,
        mappings: Mappings,
        *,
        lookups: Lookups,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._deliveries = deliveries
        self._recorder = recorder
        self._mappings = mappings
        self._lookups = lookups
        self._clock = clock

    async def get(self, delivery_id: UUID) -> Delivery:
        """One delivery with its body; raises NotFound."""
        delivery = await self._deliveries.get(delivery_id)
        if delivery is None:
            raise NotFound(f"there is no delivery {delivery_id}")
        return delivery

    async def replay(self, which: DeliveryFilter) -> int:
        """Have deliveries mapped again with the mapping of today; how many."""
        return await self._deliveries.requeue(which, self._clock())

    async def rehearse(self, which: DeliveryFilter, *, limit: int = MOST_REHEARSED) -> list[Rehearsal]:
        """What `replay` would do, oldest delivery first, without storing anything."""
        return [
            await self._rehearsal(delivery)
            async for delivery in self._deliveries.each(which, limit=min(limit, MOST_REHEARSED))
        ]

    async def _rehearsal(self, delivery: Delivery) -> Rehearsal:
        mapping = self._mapping(delivery.adapter)
        outcomes: list[Outcome] = []
        statements: dict[UUID, Presence] = {}
        for one in adapted(mapping, delivery, self._lookups):
            if isinstance(one, Made):
                outcome, presence = await self._recorder.rehearse(one, delivery.adapter)
                outcomes.append(outcome)
                statements |= presence
            else:
                outcomes.append(one)
        return Rehearsal(
            delivery=delivery, state=state_of(outcomes), outcomes=outcomes, statements=statements
        )

    def shown_payload(self, delivery: Delivery) -> Any:
        """The payload without what only identities may see; None where nothing is hidden.

        Raises Undecodable: then there is nothing but bytes.
        """
        adapter = self._mappings.get(delivery.adapter)
        if adapter is None or adapter.mapping is None or not adapter.mapping.hidden:
            return None
        if delivery.kept == "hash":
            return None
        return adapter.mapping.redact(payload_of(adapter.mapping, delivery))

    async def explain(self, adapter: str, delivery_id: UUID) -> list[dict[str, Any]]:
        """How each event of a stored delivery is mapped today. Raises NotFound, Invalid."""
        delivery = await self.get(delivery_id)
        if delivery.adapter != adapter:
            raise NotFound(f"the delivery {delivery_id} came to {delivery.adapter!r}, not to {adapter!r}")
        if delivery.kept == "hash":
            raise Conflict("only the hash of this delivery was kept; there is nothing to explain")
        mapping = self._mapping(adapter)
        try:
            events = events_of(mapping, delivery)
        except Undecodable as error:
            raise Invalid(f"the delivery cannot be decoded: {error}") from None
        return [self._explained(mapping, event, str(delivery.id)) for event in events]

    def explain_sample(self, adapter: str, sample: Sample) -> list[dict[str, Any]]:
        """How each event of a payload would be mapped. Raises NotFound."""
        mapping = self._mapping(adapter)
        events = mapping.events(sample.payload, sample.headers, sample.query, sample.received)
        return [self._explained(mapping, event, None) for event in events]

    def _explained(
        self, mapping: AdapterMapping, event: Event | Failed, delivery: str | None
    ) -> dict[str, Any]:
        if isinstance(event, Failed):
            problems = [lint.as_json() for lint in event.problems]
            return {"event_id": None, "outcome": {"kind": "failed", "problems": problems}, "problems": []}
        explanation = mapping.explain(event, self._lookups, delivery=delivery)
        problems_found: list[Problem] = []
        if isinstance(explanation.outcome, Adapted):
            problems_found = validation.check_batch(explanation.outcome.statements, Version.V2)
        described: dict[str, Any] = explanation.as_json()
        described["problems"] = [
            {"path": problem.path, "requirement": problem.requirement, "message": problem.message}
            for problem in problems_found
        ]
        return described

    async def list(
        self, which: DeliveryFilter, *, limit: int, after: tuple[dt.datetime, UUID] | None = None
    ) -> Page:
        """One page of deliveries, the newest first; `after` is the last one of the page before."""
        found = await self._deliveries.list(which, limit=limit + 1, after=after)
        return Page(deliveries=found[:limit], more=len(found) > limit)

    def _mapping(self, name: str) -> AdapterMapping:
        adapter = self._mappings.get(name)
        if adapter is None:
            raise NotFound(f"there is no adapter {name!r}")
        if adapter.mapping is None:
            raise Conflict(f"the mapping of {name!r} cannot be used: {adapter.problem}")
        return adapter.mapping
