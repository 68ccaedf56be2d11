"""Webhook requests: verified, stored raw and durably, and only then acknowledged. Mapping comes later."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import structlog

from adapters import Accepted, Answered, Client, Known, Mapping, Refused, Request, Wanting
from gateway.errors import GatewayError, NotFound, TooManyRequests, Unavailable
from gateway.services.adapting import storable, undecodable
from gateway.services.at_hand import AtHand
from gateway.services.delivery_hours import Hours
from gateway.services.grouping import Gatherer, Job
from gateway.services.keeping import KeptBody, kept_body, kept_digest, kept_headers, kept_url
from gateway.services.key_sets import KeySets
from gateway.services.mapping_work import LEASE, MappingWork
from gateway.services.mappings import Adapter, Mappings
from gateway.services.metrics import DELIVERIES, QUEUE_AGE, QUEUE_DEPTH, REFUSING, SKEW, VERIFIED, labelled
from gateway.services.pressure import Pressure, Rates, come_again
from gateway.services.privacy import PrivacyKeys
from gateway.store.deliveries import Arrival, Deliveries
from gateway.store.delivery_records import Delivery, Outcome, State, delivery_id

log = structlog.get_logger(__name__)

# A delivery is one document, and MongoDB takes 16 MiB; the rest is for outcomes.
LARGEST_BODY = 12 * 1024 * 1024
_GROUPS_IN_FLIGHT = 2
_GROUP_WEIGHT = 1_000
_BYTES_PER_WEIGHT = 8 * 1024
_MEASURE_EVERY = 2.0  # seconds
# Bodies that may be in memory at once because they are being stored.
_MOST_STORING_BYTES = 64 * 1024 * 1024


class AdapterNotReady(GatewayError):
    """The adapter's mapping or secret is missing: nothing can be verified, so nothing is taken."""

    status, code = 503, "adapter_not_ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """The delivery is durable, now or since it was first sent. Answer with `status`."""

    status: int
    id: UUID
    duplicate: bool


@dataclass(frozen=True, slots=True)
class _Arriving:
    """A delivery on its way into the store, and its payload where it need not be read back."""

    delivery: Delivery
    payload: AtHand | None = None


class Receiving:
    """Takes the deliveries of one store; those that arrive together are stored by one write."""

    def __init__(
        self,
        deliveries: Deliveries,
        mappings: Mappings,
        work: MappingWork,
        keys: PrivacyKeys,
        *,
        key_sets: KeySets,
        hours: Hours,
        max_queue: int,
        max_queue_age: float,
        max_body: int,
        refused: Callable[[str, str], None],
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._deliveries = deliveries
        self._mappings = mappings
        self._work = work
        self._key_sets = key_sets
        self._hours = hours
        self._rates = Rates()
        self._pressure = Pressure(most=max_queue, oldest=max_queue_age)
        self._storing = 0
        self._keys = keys
        self._max_body = min(max_body, LARGEST_BODY)
        self._refused = refused
        self._clock = clock
        self._gatherer: Gatherer[_Arriving, Arrival] = Gatherer(
            self._store, max_weight=_GROUP_WEIGHT, in_flight=_GROUPS_IN_FLIGHT
        )

    async def run(self) -> None:
        """Store groups until cancelled."""
        await self._gatherer.run()

    async def watch(self, store: str) -> None:
        """Measure the queue until cancelled."""
        while True:
            await self.measure(store)
            await asyncio.sleep(_MEASURE_EVERY)

    async def measure(self, store: str) -> None:
        """Look at the queue, and decide whether more is taken."""
        before = self._pressure.reason
        depth, age = await self._deliveries.queue(self._clock(), most=self._pressure.most)
        self._pressure.note(depth, age)
        QUEUE_DEPTH.labels(store).set(depth)
        QUEUE_AGE.labels(store).set(age)
        REFUSING.labels(store).set(self._pressure.reason is not None)
        if before is None and self._pressure.reason is not None:
            log.error("no more deliveries are taken", store=store, reason=self._pressure.reason)
        elif before is not None and self._pressure.reason is None:
            log.info("deliveries are taken again", store=store)

    @property
    def refusing(self) -> str | None:
        """Why nothing is taken now; None while everything is."""
        return self._pressure.reason

    def adapter(self, name: str) -> Adapter:
        """The adapter that receives under a name; raises NotFound or AdapterNotReady."""
        adapter = self._mappings.get(name)
        if adapter is None or (adapter.mapping is not None and adapter.mapping.receiver is None):
            raise NotFound(f"there is no adapter {name!r}")
        if adapter.mapping is None or adapter.problem is not None:
            self._note_unstored(name, "not_ready")
            log.error("delivery to an adapter that is not ready", adapter=name, problem=adapter.problem)
            raise AdapterNotReady(
                f"the adapter {name!r} is not ready; the log of the gateway says what is missing",
                headers={"Retry-After": "60"},
            )
        return adapter

    def largest_body(self, adapter: Adapter) -> int:
        """The most bytes that a request to this adapter may have."""
        receiver = adapter.mapping.receiver if adapter.mapping is not None else None
        return min(self._max_body, receiver.max_body) if receiver is not None else 0

    def note_refused(self, adapter: str, reason: str, outcome: str = "refused") -> None:
        """Count and log a request that is turned away; the reason is for us, not for its sender."""
        self._note_unstored(adapter, outcome)
        self._refused(adapter, reason)
        log.warning("delivery refused", adapter=adapter, reason=reason)

    def _note_unstored(self, adapter: str, outcome: str) -> None:
        labelled(DELIVERIES, adapter, outcome).inc()
        self._hours.note_unstored(adapter, outcome)

    def admit(self, adapter: Adapter, remote: str | None) -> None:
        """Raise TooManyRequests where the address asks more often than the mapping allows."""
        receiver = adapter.mapping.receiver if adapter.mapping is not None else None
        if receiver is None or receiver.policy.rate is None:
            return
        address = remote or ""
        wait = self._rates.wait(adapter.name, address, receiver.policy.rate)
        if wait > 0:
            self.note_refused(adapter.name, f"more requests of {address} than allowed", "limited")
            raise TooManyRequests(
                "too many requests from this address",
                headers={"Retry-After": str(come_again(max(1.0, wait)))},
            )

    def _check_pressure(self, adapter: str, size: int) -> None:
        """Raise Unavailable where taking the delivery would only make things worse."""
        reason = self._pressure.reason
        if reason is None and self._storing + size > _MOST_STORING_BYTES and self._storing:
            reason = f"{self._storing} bytes wait to be stored"
        if reason is not None:
            self.note_refused(adapter, reason, "unavailable")
            raise Unavailable(
                "more has arrived than can be worked on; try again later", retry_after=come_again()
            )

    def takes_clients(self, adapter: Adapter) -> bool:
        """Whether `receive` wants to know whose bearer token a request carries."""
        receiver = adapter.mapping.receiver if adapter.mapping is not None else None
        return receiver is not None and receiver.takes_clients

    async def receive(
        self, adapter: Adapter, request: Request, client: Client | None = None
    ) -> Acknowledged | Answered | Refused:
        """Decide about a request, and store it if it proved itself."""
        mapping = adapter.mapping
        assert mapping is not None, "adapter() made sure of it"
        received = await self._decided(adapter, mapping, request, client)
        if isinstance(received, Refused):
            self.note_refused(adapter.name, received.reason)
            return received
        if isinstance(received, Answered):
            self._note_unstored(adapter.name, "handshake")
            log.info("handshake answered", adapter=adapter.name, handshake=received.handshake)
            return received
        for one in received.verified:
            labelled(VERIFIED, adapter.name, one.method, str(one.key_index)).inc()
        if received.skew is not None:
            SKEW.labels(adapter.name, "behind" if received.skew >= 0 else "ahead").observe(abs(received.skew))
        self._check_pressure(adapter.name, len(request.body))
        arriving = self._arriving(mapping, request, received)
        size = arriving.delivery.size
        self._storing += size
        try:
            arrival = await self._gatherer.submit(arriving, weight=1 + size // _BYTES_PER_WEIGHT)
        finally:
            self._storing -= size
        outcome = "duplicate" if arrival.duplicate else "conflict" if arrival.conflict else "received"
        labelled(DELIVERIES, adapter.name, outcome).inc()
        if arrival.conflict and not arrival.duplicate:
            log.warning("same key, other body", adapter=adapter.name, delivery=str(arrival.id))
        return Acknowledged(status=received.ack_status, id=arrival.id, duplicate=arrival.duplicate)

    async def _decided(
        self, adapter: Adapter, mapping: Mapping, request: Request, client: Client | None
    ) -> Accepted | Answered | Refused:
        """The mapping's decision; a key set that it wants is fetched first, once."""
        fetched = False
        while True:
            known = Known(key_sets=self._key_sets.known, client=client)
            received = mapping.receive(request, adapter.secrets, request.received_at, known)
            if not isinstance(received, Wanting):
                return received
            if fetched or not await self._key_sets.refresh(received.url):
                # Without any keys nobody is at fault but us: the vendor shall try again.
                status = received.status if received.url in self._key_sets.known else 503
                return Refused(status, received.reason)
            fetched = True

    def _arriving(self, mapping: Mapping, request: Request, accepted: Accepted) -> _Arriving:
        # As MongoDB keeps it: a delivery mapped at once must give the statements it would give later.
        moment = request.received_at
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        key = storable_key(accepted.key)
        digest = kept_digest(mapping, accepted.digest, self._keys)
        outcomes: tuple[Outcome, ...] = ()
        due = claim = None
        if accepted.problem is None:
            kept = kept_body(mapping, accepted.payload, request, self._keys, digest)
        else:
            log.warning("delivery undecodable", adapter=mapping.name, reason=storable(accepted.problem))
            kept, outcomes = KeptBody(body=request.body), (undecodable(accepted.problem),)
        size = len(kept.body) + len(kept.sealed or b"")
        if not outcomes:
            claim = self._work.reserve(size)
            due = moment if claim is None else moment + LEASE
        delivery = Delivery(
            id=delivery_id(mapping.name, key),
            adapter=mapping.name,
            key=key,
            digest=digest,
            received=moment,
            method=request.method,
            url=kept_url(mapping, request.url),
            headers=kept_headers(mapping, request.headers),
            body=kept.body,
            decoded=kept.decoded,
            pseudonymised=kept.pseudonymised,
            sealed=kept.sealed,
            epoch=self._keys.epoch,
            verified=tuple(
                [
                    {
                        "method": one.method,
                        "key_index": one.key_index,
                        "preset": one.preset,
                        "key_id": one.key_id,
                    }
                    for one in accepted.verified
                ]
            ),
            size=size,
            state=State.FAILED if outcomes else State.RECEIVED,
            finished=moment if outcomes else None,
            outcomes=outcomes,
            due=due,
            claim=claim,
            attempts=1 if claim is not None else 0,
        )
        return _Arriving(delivery, kept.at_hand if claim is not None else None)

    async def _store(self, group: Sequence[Job[_Arriving, Arrival]]) -> None:
        arrivals = await self._deliveries.insert([job.item.delivery for job in group])
        for job, arrival in zip(group, arrivals, strict=True):
            delivery = job.item.delivery
            if not arrival.duplicate and delivery.due is not None:
                if arrival.id != delivery.id:
                    delivery = replace(delivery, id=arrival.id)
                self._work.offer(delivery, job.item.payload)
            job.resolve(arrival)


def storable_key(key: str) -> str:
    """An idempotency key in characters that UTF-8 has; different keys stay different."""
    return key.encode("utf-8", "backslashreplace").decode()
