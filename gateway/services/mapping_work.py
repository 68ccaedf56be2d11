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
from dataclasses import replace
from uuid import UUID, uuid4

import structlog

from adapters.fetch_back import Wish
from gateway.errors import Unavailable
from gateway.services.at_hand import AtHand, Payloads
from gateway.services.delivery_hours import Hours
from gateway.services.fetch_back import FetchBack, TryAgain
from gateway.services.mapper import Mapper
from gateway.services.metrics import EVENT_STATEMENTS, EVENTS, labelled
from gateway.services.working import enduring, together
from gateway.store.connection import translating
from gateway.store.deliveries import Deliveries, Finished
from gateway.store.delivery_records import Delivery, Outcome, State

log = structlog.get_logger(__name__)

LEASE = dt.timedelta(seconds=60)
# Begin nothing whose lease is nearly over: somebody else is about to take it.
_MARGIN = dt.timedelta(seconds=20)
_POLL_SECONDS = 1.0
_RELEASE_SECONDS = 2.0
_MOST_WAITING = 2_000
_MOST_WAITING_BYTES = 16 * 1024 * 1024
# Deliveries that one worker maps together: they share the writes.
_TOGETHER = 100
_LONGEST_DELAY = 300.0  # seconds
_FORGET_EVERY = 5.0
# A delivery that this many processes took and did not live to give back is not taken again.
_MOST_DEATHS = 10


class MappingWork:
    """Maps the deliveries of one store with `workers` workers while `run` runs."""

    def __init__(
        self,
        deliveries: Deliveries,
        mapper: Mapper,
        fetch_back: FetchBack,
        payloads: Payloads,
        *,
        workers: int,
        hours: Hours,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._deliveries = deliveries
        self._mapper = mapper
        self._fetch_back = fetch_back
        self._payloads = payloads
        self._workers = workers
        self._hours = hours
        self._clock = clock
        self._claimed = uuid4()
        self._waiting: asyncio.Queue[Delivery] = asyncio.Queue()
        self._waiting_bytes = 0
        self._held: dict[UUID, Delivery] = {}
        self._fetching: dict[UUID, asyncio.Task[None]] = {}
        self._more = asyncio.Event()
        self._hungry = asyncio.Event()  # while there is room to claim what waits in MongoDB
        self._hungry.set()

    # -- what this process received -----------------------------------------------------------------------

    def reserve(self, size: int) -> UUID | None:
        """A claim for a delivery that is about to be stored, if there is room to map it here at once.

        It is the same for all of them, since each is received once: whoever takes one later has another.
        """
        return self._claimed if self._room(size) else None

    def offer(self, delivery: Delivery, payload: AtHand | None = None) -> None:
        """Take on a delivery that was just stored; without a claim it waits in MongoDB."""
        if delivery.claim is None:
            self._more.set()
            return
        if payload is not None:
            self._payloads.keep(delivery.id, payload, delivery.size)
        self._take(delivery)

    def _room(self, size: int) -> bool:
        return (
            self._waiting.qsize() < _MOST_WAITING and self._waiting_bytes + size <= _MOST_WAITING_BYTES
        ) or self._waiting.empty()

    def _take(self, delivery: Delivery) -> None:
        self._held[delivery.id] = delivery
        self._waiting_bytes += len(delivery.body)
        self._waiting.put_nowait(delivery)
        self._notice_room()

    def _notice_room(self) -> None:
        if self._waiting.qsize() < _TOGETHER * self._workers and self._waiting_bytes < _MOST_WAITING_BYTES:
            self._hungry.set()
        else:
            self._hungry.clear()

    # -- loops -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Map until cancelled, then give back what was not finished."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(enduring("claims", self._claim))
                tasks.create_task(enduring("bodies to forget", self._forget_bodies))
                for _ in range(self._workers):
                    tasks.create_task(enduring("mapping", self._work))
        finally:
            fetching = list(self._fetching.values())
            for task in fetching:
                task.cancel()
            await asyncio.gather(*fetching, return_exceptions=True)
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
            await self._hungry.wait()
            self._more.clear()
            room = _MOST_WAITING_BYTES - self._waiting_bytes
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
            self._notice_room()
            try:
                unfetched = await self._map(batch)
            except Exception:  # but not a cancellation: then `run` gives them back
                self._forget(batch)
                raise
            self._forget(batch)
            for delivery, wishes in unfetched:
                await self._send(delivery, wishes)

    async def _forget_bodies(self) -> None:
        while True:
            if forgotten := await self._deliveries.forget_bodies(self._clock()):
                log.info("bodies of deliveries forgotten", deliveries=forgotten)
            else:
                await asyncio.sleep(_FORGET_EVERY)

    def _forget(self, batch: Sequence[Delivery]) -> None:
        for delivery in batch:
            self._fetch_back.forget(delivery.id)
            self._payloads.forget(delivery.id)
            self._held.pop(delivery.id, None)

    # -- mapping -----------------------------------------------------------------------------------------

    async def _map(self, batch: Sequence[Delivery]) -> Sequence[tuple[Delivery, Sequence[Wish]]]:
        """Map a batch; what is answered has to be fetched first."""
        now = self._clock()
        ours = [one for one in batch if one.due is None or one.due - now >= _MARGIN]
        hopeless = [_given_up(one) for one in ours if _deaths(one) >= _MOST_DEATHS]
        hopeful = [one for one in ours if _deaths(one) < _MOST_DEATHS]
        try:
            with translating():
                mapped = await self._mapper.map(hopeful)
                results = [*mapped.results, *hopeless]
                await together([self._finish(results), self._release(mapped.news)])
                await self._release(await self._known(results))
        except Unavailable as error:
            log.warning("mapping waits for the database", deliveries=len(ours), error=error.message)
            for delivery in ours:
                await self._postpone(delivery)
            return ()
        for delivery in mapped.later:
            await self._postpone(delivery)
        return mapped.unfetched

    async def _finish(self, results: Sequence[Finished]) -> None:
        if results:
            await self._deliveries.finish(results, self._clock())
        for result in results:
            self._count(result)
            self._hours.note_changed(result.delivery.received)

    async def _release(self, fingerprints: Sequence[str]) -> None:
        """Have those mapped again that waited for what became known."""
        if fingerprints and await self._deliveries.release_waiting(fingerprints, self._clock()):
            self._more.set()

    async def _known(self, results: Sequence[Finished]) -> Sequence[str]:
        """What deliveries just began to wait for and is known by now.

        It may have become known between their look-up and their finish: then nobody else will release them.
        """
        waits = [one for result in results for one in result.waits]
        return await self._mapper.known(waits) if waits else ()

    # -- fetching

    async def _send(self, delivery: Delivery, wishes: Sequence[Wish]) -> None:
        """Have something fetched for a delivery while others are mapped, or put it off until there is
        room.
        """
        away = self._fetch_back.away(delivery, wishes)
        held = sum(len(self._held[one].body) for one in self._fetching)
        if away is None and held + len(delivery.body) > _MOST_WAITING_BYTES:
            away = _POLL_SECONDS
        if away is not None:
            await self._postpone(delivery, away)
            return
        self._held[delivery.id] = delivery
        self._fetching[delivery.id] = asyncio.create_task(self._fetch(delivery, wishes))

    async def _fetch(self, delivery: Delivery, wishes: Sequence[Wish]) -> None:
        """Fetch for a delivery and have it mapped then. Never raises; when cancelled, it is given back."""
        fetched = await self._fetched(delivery, wishes)
        del self._fetching[delivery.id], self._held[delivery.id]
        if fetched is not None:
            self._take(fetched)

    async def _fetched(self, delivery: Delivery, wishes: Sequence[Wish]) -> Delivery | None:
        """A delivery whose answers are there, with its lease; None if it is somebody else's or put off."""
        try:
            lengthened = await self._lengthened(delivery, wishes)
            if lengthened is not None:
                await self._fetch_back.fetch(lengthened, wishes)
            return lengthened
        except TryAgain as error:
            log.warning("vendor does not answer", delivery=str(delivery.id), reason=str(error))
            due = self._clock() + dt.timedelta(seconds=error.after)
            with contextlib.suppress(Unavailable), translating():
                await self._deliveries.refetch(delivery, due, error.unfetched)
        except Unavailable:
            await self._postpone(delivery)
        except Exception:  # the boundary of a worker: one delivery never stops the others
            log.exception("fetching failed unexpectedly", delivery=str(delivery.id))
            await self._postpone(delivery)
        return None

    async def _lengthened(self, delivery: Delivery, wishes: Sequence[Wish]) -> Delivery | None:
        """The delivery with a lease that is long enough, None if somebody else has it by now."""
        due = self._clock() + LEASE + dt.timedelta(seconds=self._fetch_back.longest(delivery, wishes))
        with translating():
            return replace(delivery, due=due) if await self._deliveries.extend(delivery, due) else None

    @staticmethod
    def _count(result: Finished) -> None:
        """Count events that were decided now; those that were before were counted then."""
        before = result.delivery.outcomes if result.delivery.state is State.HELD else ()
        same = len(before) == len(result.outcomes)
        for index, outcome in enumerate(result.outcomes):
            if not (same and before[index].state == outcome.state):
                labelled(EVENTS, result.delivery.adapter, outcome.state).inc()
                labelled(EVENT_STATEMENTS, result.delivery.adapter).inc(len(outcome.statements))

    async def _postpone(self, delivery: Delivery, delay: float | None = None) -> None:
        if delay is None:
            delay = min(_LONGEST_DELAY, 2.0 ** min(delivery.attempts, 20)) * random.uniform(0.5, 1.0)  # noqa: S311
        # Without a database it stays claimed until its lease runs out, which is a delay as well.
        with contextlib.suppress(Unavailable), translating():
            await self._deliveries.postpone(delivery, self._clock() + dt.timedelta(seconds=delay))


def _deaths(delivery: Delivery) -> int:
    """How many processes took a delivery and did not live to give it back."""
    return delivery.attempts - delivery.postponed - 1


def _given_up(delivery: Delivery) -> Finished:
    reason = f"given up: {_deaths(delivery)} processes ended while they mapped this delivery"
    outcome = Outcome(event=None, state=State.FAILED, code="given_up", reason=reason)
    return Finished(delivery=delivery, state=State.FAILED, outcomes=[outcome], revision=delivery.revision)
