from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from gateway.services import mapping_work
from gateway.services.clock import utc_now
from gateway.services.fetching import FetchesNothing
from gateway.services.hooks import Hooks
from gateway.services.mappings import Mappings
from gateway.services.services import Services
from gateway.store.deliveries import DeliveryFilter
from gateway.store.delivery_records import Delivery, State, delivery_id
from gateway.store.store import Store
from tests.gateway import settings_for
from tests.vendors import acme_item, mappings_folder, vendor_secrets
from tests.waiting import beside

__all__ = ["mappings_folder", "vendor_secrets"]

DAY = dt.timedelta(days=1)
T0 = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)


def delivery(key: str, *items: dict[str, Any], **changes: Any) -> Delivery:
    """A stored-to-be delivery of Acme that nobody has claimed."""
    body = json.dumps({"items": items}).encode()
    made = Delivery(
        id=delivery_id("acme", key),
        adapter="acme",
        key=key,
        digest=f"{hash(body):x}",
        received=T0,
        method="POST",
        url="http://gateway.example/hooks/acme",
        headers=(("content-type", "application/json"),),
        body=body,
        due=T0,
        size=len(body),
    )
    return replace(made, **changes)


class Worker:
    """The mapping work of one process, with a clock of its own."""

    def __init__(self, services: Services, folder: Path) -> None:
        self.services = services
        self.store = services.store
        self.now = utc_now()
        self.mappings = Mappings(folder)
        self.mappings.load()
        settings = settings_for(services.store.name)
        self.hooks = Hooks(
            services.store,
            services.statements,
            settings,
            mappings=self.mappings,
            key=b"k",
            fetcher=FetchesNothing(),
            refused=lambda adapter, reason: None,
            clock=lambda: self.now,
        )
        self.work = self.hooks.work

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with beside(self.work.run()):
            yield

    async def finished(self, identity: UUID) -> Delivery:
        while True:
            found = await self.store.deliveries.get(identity)
            assert found is not None
            if found.finished is not None:
                return found
            await asyncio.sleep(0.01)

    async def map(self, one: Delivery) -> Delivery:
        async with self.running():
            return await self.finished(one.id)


@pytest.fixture
async def worker(store: Store, mappings_folder: Callable[..., Path]) -> AsyncIterator[Worker]:
    """No other mapping work runs on this store."""
    services = Services(store, settings_for(store.name), more_key=b"k" * 32)
    async with beside(services.write()):
        yield Worker(services, mappings_folder())


# -- claims ----------------------------------------------------------------------------------------------


async def test_a_delivery_is_claimed_once_and_again_when_the_lease_runs_out(store: Store) -> None:
    await store.deliveries.insert([delivery(str(number)) for number in range(5)])

    async def claim(now: dt.datetime) -> list[Delivery]:
        return await store.deliveries.claim(now, dt.timedelta(minutes=1), limit=3, max_bytes=10_000)

    taken = await asyncio.gather(*(claim(T0) for _ in range(4)))
    again = [one for claims in (await claim(T0), *taken) for one in claims]
    while more := await claim(T0):
        again += more
    assert sorted(one.key for one in again) == list("01234")
    assert await claim(T0 + dt.timedelta(seconds=59)) == []
    late = await claim(T0 + dt.timedelta(seconds=60))
    assert [one.attempts for one in late] == [2, 2, 2]


async def test_a_claim_takes_no_more_bytes_than_it_may_but_at_least_one(store: Store) -> None:
    await store.deliveries.insert([delivery(str(number), acme_item("x" * 500)) for number in range(3)])
    claimed = await store.deliveries.claim(T0, DAY, limit=3, max_bytes=10)
    assert len(claimed) == 1


async def test_who_lost_the_claim_does_not_finish(worker: Worker) -> None:
    one = delivery("1", acme_item("1"))
    await worker.store.deliveries.insert([one])
    (lost,) = await worker.store.deliveries.claim(T0, DAY, limit=1, max_bytes=1)
    await worker.store.deliveries.requeue(DeliveryFilter(ids=[one.id]), T0)
    await worker.store.deliveries.postpone(lost, T0 + 9 * DAY)
    await worker.store.deliveries.release([lost], T0 + 9 * DAY)
    found = await worker.store.deliveries.get(one.id)
    assert found is not None
    assert found.due == T0


async def test_the_queue_is_read_from_its_index(store: Store) -> None:
    await store.deliveries.insert([delivery(str(number)) for number in range(20)])
    collection = store.client[store.name]["deliveries"]
    plan = await collection.find({"due": {"$lte": T0}}).sort("due", 1).limit(5).explain()
    winner = str(plan["queryPlanner"]["winningPlan"])
    assert "'indexName': 'due'" in winner
    assert "'stage': 'SORT'" not in winner


# -- mapping ---------------------------------------------------------------------------------------------


async def test_what_a_dead_process_had_claimed_is_mapped_when_its_lease_runs_out(worker: Worker) -> None:
    soon = utc_now() + dt.timedelta(seconds=1)
    one = delivery("1", acme_item("1"), claim=uuid4(), attempts=1, due=soon)
    await worker.store.deliveries.insert([one])
    worker.now = soon
    assert (await worker.map(one)).state is State.DONE


async def test_a_crash_between_storing_and_finishing_leaves_each_statement_once(worker: Worker) -> None:
    one = delivery("1", acme_item("1"), acme_item("2"))
    await worker.store.deliveries.insert([one])
    first = await worker.map(one)
    # As if the process had died before it finished: statements are there, the delivery is due again.
    await worker.store.deliveries.requeue(DeliveryFilter(ids=[one.id]), T0)
    second = await worker.map(one)
    assert (first.state, second.state) == (State.DONE, State.DONE)
    assert first.outcomes == second.outcomes
    assert await worker.store.statements.count() == 2


async def test_a_backlog_is_claimed_as_fast_as_it_is_mapped(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever waits for the next poll between two claims never finishes.
    monkeypatch.setattr(mapping_work, "_POLL_SECONDS", 3600.0)
    monkeypatch.setattr(mapping_work, "_TOGETHER", 2)
    waiting = [delivery(str(number), acme_item(str(number))) for number in range(30)]
    await worker.store.deliveries.insert(waiting)
    async with worker.running():
        for one in waiting:
            assert (await worker.finished(one.id)).state is State.DONE


async def test_a_delivery_that_kills_its_processes_is_given_up_and_says_so(worker: Worker) -> None:
    one = delivery("1", acme_item("1"), attempts=10)
    await worker.store.deliveries.insert([one])
    found = await worker.map(one)
    assert found.state is State.FAILED
    assert found.outcomes[0].reason == "given up: 10 processes ended while they mapped this delivery"


async def test_a_delivery_waits_for_a_mapping_that_is_not_there(worker: Worker) -> None:
    one = delivery("1", acme_item("1"), adapter="absent")
    await worker.store.deliveries.insert([one])
    async with worker.running():
        while True:
            found = await worker.store.deliveries.get(one.id)
            assert found is not None
            if found.postponed:
                break
            await asyncio.sleep(0.01)
    assert (found.state, found.claim) == (State.RECEIVED, None)
    assert found.due is not None
    assert found.due > worker.now


async def test_what_was_not_begun_is_given_back_at_once_when_the_process_ends(worker: Worker) -> None:
    claim = uuid4()
    one = delivery("1", acme_item("1"), claim=claim, attempts=1, due=worker.now + dt.timedelta(seconds=60))
    await worker.store.deliveries.insert([one])
    worker.work.offer(one)
    task = asyncio.create_task(worker.work.run())
    await asyncio.sleep(0)  # it has begun to start, no more
    task.cancel()
    await asyncio.wait({task})
    found = await worker.store.deliveries.get(one.id)
    assert found is not None
    assert (found.claim, found.postponed) == (None, 1)


async def test_only_resolved_deliveries_expire(worker: Worker) -> None:
    kept = delivery("kept", {"id": "1", "type": "unheard-of"})
    gone = delivery("gone", acme_item("2"))
    await worker.store.deliveries.insert([kept, gone])
    async with worker.running():
        for one in (kept, gone):
            await worker.finished(one.id)
    collection = worker.store.client[worker.store.name]["deliveries"]
    rows = {row["_id"]: row async for row in collection.find()}
    assert "expires" not in rows[kept.id]
    assert rows[gone.id]["expires"] - rows[gone.id]["finished"] == 90 * DAY


# -- again -----------------------------------------------------------------------------------------------


async def test_a_failed_delivery_is_stored_after_its_mapping_was_mended(
    worker: Worker, mappings_folder: Callable[..., Path]
) -> None:
    one = delivery("1", acme_item("good"), acme_item("named", score=None, points=7))
    await worker.store.deliveries.insert([one])
    assert (await worker.map(one)).state is State.FAILED
    mappings_folder(**{"${ item.score }": "${ item.score ?? item.points }"})
    worker.mappings.load()
    assert await worker.store.deliveries.requeue(DeliveryFilter(states=[State.FAILED]), T0) == 1
    assert (await worker.map(one)).state is State.DONE
    assert await worker.store.statements.count() == 2


async def test_replaying_with_a_mapping_that_only_has_a_new_version_changes_nothing(
    worker: Worker, mappings_folder: Callable[..., Path]
) -> None:
    one = delivery("1", acme_item("1"))
    await worker.store.deliveries.insert([one])
    first = await worker.map(one)
    mappings_folder(**{"version: 1": "version: 2"})
    worker.mappings.load()
    await worker.store.deliveries.requeue(DeliveryFilter(ids=[one.id]), T0)
    second = await worker.map(one)
    assert second.state is State.DONE
    assert second.revision != first.revision
    assert await worker.store.statements.count() == 1


async def test_replaying_with_a_mapping_that_says_something_else_keeps_the_stored_statement(
    worker: Worker, mappings_folder: Callable[..., Path]
) -> None:
    one = delivery("1", acme_item("1"))
    await worker.store.deliveries.insert([one])
    first = await worker.map(one)
    mappings_folder(**{"verb: completed": "verb: passed"})
    worker.mappings.load()
    await worker.store.deliveries.requeue(DeliveryFilter(ids=[one.id]), T0)
    found = await worker.map(one)
    assert found.state is State.DIFFERS
    (outcome,) = found.outcomes
    assert (outcome.code, outcome.statements) == ("differs", first.outcomes[0].statements)
    assert "verbs/passed" in outcome.problems[0]["message"]


async def test_a_mapping_that_becomes_unusable_leaves_the_one_before_in_place(
    worker: Worker, mappings_folder: Callable[..., Path]
) -> None:
    mappings_folder("adapter: [broken")
    worker.mappings.load()
    one = delivery("1", acme_item("1"))
    await worker.store.deliveries.insert([one])
    assert (await worker.map(one)).state is State.DONE
