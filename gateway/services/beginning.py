"""What a delivery is mapped with: its mapping, its events, what was fetched and is known of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adapters import Lookups
from adapters import Mapping as AdapterMapping
from adapters.fetch_back import Wish
from gateway.services.adapting import Adapting, events_of
from gateway.services.at_hand import Payloads
from gateway.services.lookups import Asking, Found, Resolver
from gateway.services.mappings import Mappings
from gateway.services.privacy import PrivacyKeys
from gateway.services.revisions import Revisions
from gateway.services.supplying import Answers, Supply
from gateway.store.delivery_records import Delivery, Fetched

_NOTHING = Found()


class NotYet(Exception):
    """A delivery cannot be mapped now; the reason is logged and it is put off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A delivery whose mapping and events are known."""

    delivery: Delivery
    asking: Asking
    lookups: Lookups
    original: Found | None
    missing: Sequence[Wish] = ()
    fetched: Fetched | None = None

    @property
    def mapping(self) -> AdapterMapping:
        return self.asking.mapping


class Beginning:
    """Begins deliveries of one store, in earnest or to see what would become of them."""

    def __init__(
        self,
        mappings: Mappings,
        revisions: Revisions,
        resolver: Resolver,
        keys: PrivacyKeys,
        payloads: Payloads,
        *,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._mappings = mappings
        self._revisions = revisions
        self._resolver = resolver
        self._keys = keys
        self._payloads = payloads
        self._clock = clock

    async def mapping_of(self, delivery: Delivery) -> AdapterMapping:
        """The mapping that a delivery is mapped with; raises NotYet, or a GatewayError if that is
        hopeless.
        """
        replay = delivery.replay
        if replay is not None and replay.original_mapping and delivery.revision is not None:
            return await self._revisions.compiled(delivery.revision)
        adapter = self._mappings.get(delivery.adapter)
        if adapter is None or adapter.mapping is None:
            raise NotYet(f"there is no usable mapping of {delivery.adapter}")
        return adapter.mapping

    def opened(
        self, delivery: Delivery, mapping: AdapterMapping, fresh: Answers, *, kept: bool = False
    ) -> Begun:
        """A delivery's events with what was fetched for them; where `kept`, whatever is kept will do."""
        replay = delivery.replay
        original = None
        if replay is not None and replay.original_lookups and delivery.resolved is not None:
            original = Found.from_document(delivery.resolved)
        epoch = delivery.epoch
        if replay is not None and not replay.original_lookups:
            epoch = self._keys.epoch
        events = events_of(mapping, delivery, self._keys, self._payloads.get(delivery.id))
        lookups = Lookups(pseudonym_key=self._keys.pseudonyms(epoch))
        if mapping.fetch_back is None:
            asking = Asking.of(mapping, events, key=lookups.pseudonym_key)
            return Begun(delivery=delivery, asking=asking, lookups=lookups, original=original)
        supply = Supply(mapping, delivery, self._keys, epoch=epoch, kept=kept)
        optional = mapping.fetch_back.optional and not self._connected(mapping, delivery)
        supplied = supply.supplied(events, fresh, optional=optional)
        return Begun(
            delivery=delivery,
            asking=Asking.of(mapping, supplied.events, supplied.failed, key=lookups.pseudonym_key),
            lookups=lookups,
            original=original,
            missing=supplied.missing,
            fetched=supplied.kept,
        )

    def _connected(self, mapping: AdapterMapping, delivery: Delivery) -> bool:
        assert mapping.fetch_back is not None
        return self._mappings.connection(delivery.adapter, mapping.fetch_back.connection) is not None

    async def found(self, begun: Sequence[Begun]) -> list[Found]:
        """What is known of the people and facts that deliveries ask for."""
        asking = [one.asking for one in begun if one.original is None and one.mapping.asks]
        found = iter(await self._resolver.find(asking) if asking else [])
        return [
            one.original if one.original is not None else next(found) if one.mapping.asks else _NOTHING
            for one in begun
        ]

    def adapting(self, one: Begun, found: Found) -> Adapting:
        """The events of a delivery, ready to be mapped with what was found."""
        return Adapting(
            delivery=one.delivery,
            asking=one.asking,
            found=found,
            lookups=self._resolver.lookups(one.lookups, one.asking, found)
            if one.mapping.asks
            else one.lookups,
            resolver=self._resolver,
            now=self._clock(),
            original=one.original is not None,
        )
