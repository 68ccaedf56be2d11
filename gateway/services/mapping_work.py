"""The background work on deliveries: claim, map, store, finish.

What a process receives it keeps in memory, already claimed, and maps at once; what does not fit, what other
processes left behind and what was put off is claimed from MongoDB. Nothing depends on a process living: until
a delivery is finished, anybody may map it again when its lease runs out, with the same result.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import random
from collections.abc import Callable, Sequence
from uuid import UUID, uuid4

import structlog

from adapters import Lookups, Mapping
from gateway.errors import Unavailable
from gateway.services.adapting import Made, adapted, state_of
from gateway.services.delivery_hours import Hours
from gateway.services.keeping import kept_for, left_of
from gateway.services.mappings import Mappings
from gateway.services.metrics import EVENT_STATEMENTS, EVENTS
from gateway.services.recording import Recorder
from gateway.services.working import enduring, together
from gateway.store.connection import translating
from gateway.store.deliveries import Deliveries, Finished
from gateway.store.delivery_records import RESOLVED, Delivery, Outcome, State

log = structlog.get_logger(__name__)

LEASE = dt.timedelta(seconds=60)
# Begin nothing whose lease is nearly over: somebody else is about to take it.
_MARGIN = dt.timedelta(seconds=20)
_POLL_SECONDS = 1.0
_RELEASE_SECONDS = 2.0
_MOST_WAITING = 2_000
_MOST_WAITING_BYTES = 16 * 1024 * 1024
# Deliveries that one worker maps together: they share the writes.
_TOGETHER = 32
_EVENTS_TOGETHER = 100
_LONGEST_DELAY = 300.0  # seconds
# A delivery that this many processes took and did not live to give back is not taken again.
_MOST_DEATHS = 10


class MappingWork:
    """Maps the deliveries of one store with `workers` workers while `run` runs."""

    def __init__(
        self,
        deliveries: Deliveries,
        recorder: Recorder,
        mappings: Mappings,
        *,
        lookups: Lookups,
        workers: int,
        retention: dt.timedelta,
        hours: Hours,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._deliveries = deliveries
        self._recorder = recorder
        self._mappings = mappings
        self._lookups = lookups
        self._workers = workers
        self._retention = retention
        self._hours = hours
        self._clock = clock
        self._waiting: asyncio.Queue[Delivery] = asyncio.Queue()
        self._waiting_bytes = 0
        self._held: dict[UUID, Delivery] = {}
        self._more = asyncio.Event()

    # -- what this process received -----------------------------------------------------------------------

    def reserve(self, size: int) -> UUID | None:
        """A claim for a delivery that is about to be stored, if there is room to map it here at once."""
        return uuid4() if self._room(size) else None

    def offer(self, delivery: Delivery) -> None:
        """Take on a delivery that was just stored; without a claim it waits in MongoDB."""
        if delivery.claim is None:
            self._more.set()
        else:
            self._take(delivery)

    def _room(self, size: int) -> bool:
        return (
            self._waiting.qsize() < _MOST_WAITING and self._waiting_bytes + size <= _MOST_WAITING_BYTES
        ) or self._waiting.empty()

    def _take(self, delivery: Delivery) -> None:
        self._held[delivery.id] = delivery
        self._waiting_bytes += len(delivery.body)
        self._waiting.put_nowait(delivery)

    # -- loops -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Map until cancelled, then give back what was not finished."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(enduring("claims", self._claim))
                for _ in range(self._workers):
                    tasks.create_task(enduring("mapping", self._work))
        finally:
            await self._give_back()

    async def _give_back(self) -> None:
        held = list(self._held.values())
        self._held.clear()
        if held:
            # Best effort: the lease runs out anyway.
            with contextlib.suppress(Unavailable, TimeoutError):
                async with asyncio.timeout(_RELEASE_SECONDS):
                    with translating():
                        await self._deliveries.release(held, self._clock())

    async def _claim(self) -> None:
        while True:
            room = _MOST_WAITING_BYTES - self._waiting_bytes
            claimed: Sequence[Delivery] = ()
            if self._waiting.qsize() < _TOGETHER * self._workers and room > 0:
                self._more.clear()
                claimed = await self._deliveries.claim(
                    self._clock(), LEASE, limit=_TOGETHER * self._workers, max_bytes=room
                )
                for delivery in claimed:
                    self._take(delivery)
            if not claimed:
                await self._pause()

    async def _pause(self) -> None:
        """Until there may be more to claim: told so by this process, or after a while for the others."""
        seconds = _POLL_SECONDS * random.uniform(0.5, 1.0)  # noqa: S311 - spreads polls, hides nothing
        if self._more.is_set():
            seconds = min(seconds, 0.05)
            await asyncio.sleep(seconds)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._more.wait()

    async def _work(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < _TOGETHER and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            self._waiting_bytes -= sum(len(delivery.body) for delivery in batch)
            try:
                await self._map(batch)
            except Exception:  # but not a cancellation: then `run` gives them back
                self._forget(batch)
                raise
            self._forget(batch)

    def _forget(self, batch: Sequence[Delivery]) -> None:
        for delivery in batch:
            self._held.pop(delivery.id, None)

    # -- one delivery ------------------------------------------------------------------------------------

    async def _map(self, batch: Sequence[Delivery]) -> None:
        found = await together(self._one(delivery) for delivery in batch)
        results = [result for result in found if result is not None]
        if not results:
            return
        with translating():
            await self._deliveries.finish(results, self._clock())
        for result in results:
            for outcome in result.outcomes:
                EVENTS.labels(result.delivery.adapter, outcome.state).inc()
                EVENT_STATEMENTS.labels(result.delivery.adapter).inc(len(outcome.statements))

    async def _one(self, delivery: Delivery) -> Finished | None:
        """What became of a delivery; None if it is not finished by us now."""
        if delivery.due is not None and delivery.due - self._clock() < _MARGIN:
            return None
        adapter = self._mappings.get(delivery.adapter)
        if adapter is None or adapter.mapping is None:
            log.warning("delivery waits for its mapping", adapter=delivery.adapter, delivery=str(delivery.id))
            await self._postpone(delivery)
            return None
        mapping = adapter.mapping
        deaths = delivery.attempts - delivery.postponed - 1
        if deaths >= _MOST_DEATHS:
            reason = f"given up: {deaths} processes ended while they mapped this delivery"
            return self._finished(delivery, mapping, [_internal(reason)])
        try:
            return self._finished(delivery, mapping, await self._outcomes(delivery, mapping))
        except Unavailable as error:
            log.warning("mapping waits for the database", delivery=str(delivery.id), error=error.message)
            await self._postpone(delivery)
            return None
        except Exception as error:  # the boundary of a worker: one delivery never stops the others
            log.exception("mapping failed unexpectedly", adapter=delivery.adapter, delivery=str(delivery.id))
            return self._finished(delivery, mapping, [_internal(f"internal: {type(error).__name__}")])

    async def _outcomes(self, delivery: Delivery, mapping: Mapping) -> list[Outcome]:
        outcomes: list[Outcome] = []
        pending: list[Made | Outcome] = []
        for one in adapted(mapping, delivery, self._lookups):
            pending.append(one)
            if len(pending) == _EVENTS_TOGETHER:
                outcomes += await self._record(pending, delivery, mapping)
                pending.clear()
        return outcomes + await self._record(pending, delivery, mapping)

    async def _record(
        self, events: Sequence[Made | Outcome], delivery: Delivery, mapping: Mapping
    ) -> list[Outcome]:
        recording = (
            self._recorder.record(one, delivery, mapping.revision) for one in events if isinstance(one, Made)
        )
        stored = iter(await together(recording))
        return [next(stored) if isinstance(one, Made) else one for one in events]

    def _finished(self, delivery: Delivery, mapping: Mapping, outcomes: list[Outcome]) -> Finished:
        state = state_of(outcomes)
        self._hours.note_changed(delivery.received)
        expires, left = None, None
        if state in RESOLVED:
            expires = self._clock() + kept_for(mapping, self._retention)
            left = left_of(mapping, delivery)
        return Finished(
            delivery=delivery,
            state=state,
            outcomes=outcomes,
            revision=mapping.revision,
            expires=expires,
            left=left,
        )

    async def _postpone(self, delivery: Delivery) -> None:
        delay = min(_LONGEST_DELAY, 2.0 ** min(delivery.attempts, 20)) * random.uniform(0.5, 1.0)  # noqa: S311
        # Without a database it stays claimed until its lease runs out, which is a delay as well.
        with contextlib.suppress(Unavailable), translating():
            await self._deliveries.postpone(delivery, self._clock() + dt.timedelta(seconds=delay))


def _internal(reason: str) -> Outcome:
    return Outcome(event=None, state=State.FAILED, reason=reason)
