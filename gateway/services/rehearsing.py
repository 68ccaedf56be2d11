"""What mapping a delivery would do and why, without storing anything."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from adapters import Lookups
from adapters import Mapping as AdapterMapping
from adapters.outcomes import Pairs
from gateway.errors import Conflict, NotFound
from gateway.services.adapting import Made, state_of
from gateway.services.beginning import Beginning, Begun, NotYet
from gateway.services.explaining import explained, unsupplied
from gateway.services.lookups import Asking, Resolver
from gateway.services.mapper import Mapper
from gateway.services.mappings import Mappings
from gateway.services.privacy import PrivacyKeys
from gateway.services.recording import Compared, Presence, Recorder
from gateway.services.results import gone_of
from gateway.services.supplying import Answers
from gateway.store.deliveries import Finished
from gateway.store.delivery_records import Delivery, Outcome, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What mapping a delivery again would do: its state then, and how its statements stand to stored ones."""

    delivery: Delivery
    state: State
    outcomes: Sequence[Outcome]
    statements: Mapping[UUID, Compared]
    revision: str | None


class Rehearsing:
    """Tries deliveries of one store."""

    def __init__(
        self,
        mapper: Mapper,
        beginning: Beginning,
        recorder: Recorder,
        mappings: Mappings,
        resolver: Resolver,
        keys: PrivacyKeys,
    ) -> None:
        self._mapper = mapper
        self._beginning = beginning
        self._recorder = recorder
        self._mappings = mappings
        self._resolver = resolver
        self._keys = keys

    async def rehearse(self, delivery: Delivery) -> Rehearsal:
        """What `Mapper.map` would do. Raises Conflict, NotFound."""
        try:
            begun = await self._mapper.begin(delivery, rehearsing=True)
        except NotYet as error:
            raise Conflict(str(error)) from None
        if isinstance(begun, Finished):
            return Rehearsal(
                delivery=delivery,
                state=begun.state,
                outcomes=begun.outcomes,
                statements={},
                revision=begun.revision,
            )
        (found,) = await self._beginning.found([begun])
        outcomes: list[Outcome] = []
        statements: dict[UUID, Compared] = {}
        # What waits or is decided now says nothing about a replay, which starts anew.
        anew = replace(begun, delivery=replace(delivery, state=State.RECEIVED, held_since=None))
        for one in self._beginning.adapting(anew, found).each():
            if isinstance(one, Made):
                outcome, compared = await self._recorder.rehearse(one, delivery)
                outcomes.append(outcome)
                statements |= compared
            else:
                outcomes.append(one)
        for identity in gone_of(delivery, outcomes):
            statements.setdefault(identity, Compared(presence=Presence.GONE))
        return Rehearsal(
            delivery=delivery,
            state=state_of(outcomes),
            outcomes=outcomes,
            statements=statements,
            revision=begun.mapping.revision,
        )

    async def explained(self, delivery: Delivery) -> list[dict[str, Any]]:
        """How each event of a delivery is mapped. Raises Conflict, NotFound, Undecodable."""
        mapping = await self._usable(delivery)
        return await self._explained(
            self._beginning.opened(delivery, mapping, Answers(), kept=True), str(delivery.id)
        )

    async def _usable(self, delivery: Delivery) -> AdapterMapping:
        try:
            return await self._beginning.mapping_of(delivery)
        except NotYet:
            adapter = self._mappings.get(delivery.adapter)
            if adapter is None:
                raise NotFound(f"there is no adapter {delivery.adapter!r}") from None
            raise Conflict(f"the mapping of {delivery.adapter!r} cannot be used: {adapter.problem}") from None

    async def explained_sample(
        self,
        name: str,
        payload: Any,
        headers: Pairs,
        query: Pairs,
        received: dt.datetime,
        fetched: Any = None,
    ) -> list[dict[str, Any]]:
        """How each event of a payload would be mapped. Raises Conflict, NotFound."""
        delivery = Delivery(
            id=UUID(int=0),
            adapter=name,
            key="",
            digest="",
            received=received,
            method="",
            url="",
            headers=headers,
            body=b"",
        )
        mapping = await self._usable(delivery)
        keys = self._keys.pseudonyms(self._keys.epoch)
        events = [
            one
            for taken in mapping.events(payload, headers, query, received, key=keys)
            for one in mapping.answered(taken, fetched, keys)
        ]
        begun = Begun(
            delivery=delivery,
            asking=Asking.of(mapping, events, key=keys),
            lookups=Lookups(pseudonym_key=keys),
            original=None,
        )
        return await self._explained(begun, None)

    async def _explained(self, begun: Begun, shown: str | None) -> list[dict[str, Any]]:
        (found,) = await self._beginning.found([begun])
        adapting = self._beginning.adapting(begun, found)
        told: list[dict[str, Any]] = []
        for index, event in enumerate(begun.asking.events):
            if index in begun.asking.failed:
                told.append(unsupplied(begun.asking.failed[index]))
                continue
            lookups, _ = self._resolver.with_facts(adapting.lookups, begun.asking, index, found)
            told.append(explained(begun.mapping, event, lookups, shown))
        return told
