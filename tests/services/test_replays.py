"""Mapping again: what stands, what is replaced, and that doing it often is doing it once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from gateway.errors import NotFound
from gateway.services.clock import utc_now
from gateway.store.deliveries import DeliveryFilter
from gateway.store.delivery_records import Delivery, Replay, State
from gateway.store.statements import Selection, StoredStatement
from tests.services.test_deliveries import T0, Worker, delivery, worker
from tests.vendors import acme_item, mappings_folder, vendor_secrets
from tests.waiting import until

__all__ = ["mappings_folder", "vendor_secrets", "worker"]

Mend = Callable[..., Path]
PASSED = {"verb: completed": "verb: passed"}


async def replay(worker: Worker, one: Delivery, **how: bool) -> Delivery:
    await worker.store.deliveries.requeue(DeliveryFilter(ids=[one.id]), T0, Replay(id=uuid4(), **how))
    return await worker.map(one)


async def stored(worker: Worker, *, voided: bool = True) -> list[StoredStatement]:
    """The statements that tell of learning, in the order of their storing."""
    found = [one async for one in worker.store.statements.stream(Selection(ascending=True, voided=voided))]
    return [one for one in found if one.statement["object"].get("objectType") != "StatementRef"]


def verbs(found: list[StoredStatement]) -> list[tuple[str, bool]]:
    return [(one.statement["verb"]["id"].rpartition("/")[2], one.voided) for one in found]


@pytest.fixture
async def mapped(worker: Worker) -> Delivery:
    one = delivery("1", acme_item("1"))
    await worker.store.deliveries.insert([one])
    return await worker.map(one)


async def test_with_the_original_mapping_nothing_changes(
    worker: Worker, mapped: Delivery, mappings_folder: Mend
) -> None:
    mappings_folder(**PASSED)
    worker.mappings.load()
    again = await replay(worker, mapped, original_mapping=True)
    assert (again.state, again.revision) == (State.DONE, mapped.revision)
    assert verbs(await stored(worker)) == [("completed", False)]


async def test_replacing_voids_what_was_said_and_says_it_anew_once(
    worker: Worker, mapped: Delivery, mappings_folder: Mend
) -> None:
    mappings_folder(**PASSED)
    worker.mappings.load()
    differing = await replay(worker, mapped)
    assert differing.state is State.DIFFERS
    first = await replay(worker, mapped, replace=True)
    assert first.state is State.DONE
    assert verbs(await stored(worker)) == [("completed", True), ("passed", False)]
    assert first.outcomes[0].statements != mapped.outcomes[0].statements
    # Whatever is replayed from now on finds what stands.
    for how in ({"replace": True}, {}):
        again = await replay(worker, mapped, **how)
        assert (again.state, again.outcomes) == (State.DONE, first.outcomes)
    assert len(await stored(worker)) == 2


async def test_replacing_goes_on_from_what_stands_and_even_back(
    worker: Worker, mapped: Delivery, mappings_folder: Mend
) -> None:
    for changes in (PASSED, {"verb: completed": "verb: failed"}, {}):
        mappings_folder(**changes)
        worker.mappings.load()
        assert (await replay(worker, mapped, replace=True)).state is State.DONE
    assert verbs(await stored(worker)) == [
        ("completed", True),
        ("passed", True),
        ("failed", True),
        ("completed", False),
    ]


async def test_what_somebody_voided_by_hand_is_not_said_again(
    worker: Worker, mapped: Delivery, mappings_folder: Mend
) -> None:
    (identity,) = mapped.outcomes[0].statements
    assert mapped.revision is not None
    await worker.hooks.mapper.recorder.void([identity], mapped, mapped.revision)
    mappings_folder(**PASSED)
    worker.mappings.load()
    found = await replay(worker, mapped, replace=True)
    assert (found.state, found.outcomes[0].reason) == (
        State.DONE,
        "a statement of it was voided and stays so",
    )
    assert verbs(await stored(worker)) == [("completed", True)]


async def test_statements_that_are_not_made_any_more_are_told_and_voided_when_replaced(
    worker: Worker, mapped: Delivery, mappings_folder: Mend
) -> None:
    mappings_folder(
        **{"item.type: ping": "item.type: [ping, completed]", "item.type: completed": "item.type: x"}
    )
    worker.mappings.load()
    left = await replay(worker, mapped)
    assert (left.state, left.leftover) == (State.IGNORED, mapped.outcomes[0].statements)
    assert verbs(await stored(worker)) == [("completed", False)]
    done = await replay(worker, mapped, replace=True)
    assert (done.state, done.leftover) == (State.IGNORED, ())
    assert verbs(await stored(worker)) == [("completed", True)]


async def test_a_mapping_that_fails_now_voids_nothing(
    worker: Worker, mapped: Delivery, mappings_folder: Mend
) -> None:
    mappings_folder(**{"required: [result.score.raw]": "required: [result.score.max]"})
    worker.mappings.load()
    failed = await replay(worker, mapped, replace=True)
    assert (failed.state, failed.outcomes[0].code) == (State.FAILED, "R102")
    assert failed.leftover == mapped.outcomes[0].statements
    assert verbs(await stored(worker)) == [("completed", False)]
    assert failed.outcomes[0].problems[0]["file"] == "acme.yaml"


async def test_an_id_that_two_deliveries_use_for_different_things_is_a_conflict_for_a_person(
    worker: Worker, mapped: Delivery
) -> None:
    other = delivery("2", acme_item("1", score=9))
    await worker.store.deliveries.insert([other])
    found = await worker.map(other)
    assert (found.state, found.outcomes[0].code) == (State.FAILED, "conflict")
    assert "stored is 5, this mapping says 9" in str(found.outcomes[0].problems)


async def test_a_hundred_replays_at_once_leave_the_same_statements(
    worker: Worker, mapped: Delivery, mappings_folder: Mend
) -> None:
    mappings_folder(**PASSED)
    worker.mappings.load()
    other = Worker(worker.services, worker.mappings.folders[0])

    async def again() -> None:
        how = Replay(id=uuid4(), replace=True)
        await worker.store.deliveries.requeue(DeliveryFilter(ids=[mapped.id]), T0, how)

    async def finished() -> Delivery | None:
        worker.now = other.now = utc_now()  # two that meet at a statement are put off for a moment
        found = await worker.store.deliveries.get(mapped.id)
        return found if found is not None and found.finished is not None else None

    async with worker.running(), other.running():
        await asyncio.gather(*(again() for _ in range(100)))
        found = await until(finished)
    assert found.state is State.DONE
    assert verbs(await stored(worker)) == [("completed", True), ("passed", False)]


async def test_a_dry_run_tells_the_differences_and_stores_nothing(
    worker: Worker, mapped: Delivery, mappings_folder: Mend
) -> None:
    mappings_folder(**PASSED)
    worker.mappings.load()
    which = DeliveryFilter(adapter="acme")
    for replace, state in ((False, State.DIFFERS), (True, State.DONE)):
        how = Replay(id=uuid4(), replace=replace)
        (found,) = [one async for one in worker.hooks.deliveries.rehearse(which, how)]
        assert found.state is state
        ((identity, compared),) = found.statements.items()
        assert (identity,) == mapped.outcomes[0].statements
        assert {"path": "verb.display.en", "stored": "completed", "made": "passed"} in compared.differences
    assert verbs(await stored(worker)) == [("completed", False)]
    assert await worker.store.deliveries.get(mapped.id) == mapped


async def test_a_replay_tells_how_far_it_is(worker: Worker, mapped: Delivery) -> None:
    which, how = DeliveryFilter(states=[State.DONE]), Replay(id=uuid4())
    begun = await worker.hooks.deliveries.replay(which, how, by="somebody")
    assert (begun.replay.deliveries, begun.pending, begun.states) == (1, 1, {})
    await worker.map(mapped)
    done = await worker.hooks.deliveries.progress(how.id)
    assert (done.pending, done.states, done.replay.by) == (0, {"done": 1}, "somebody")
    with pytest.raises(NotFound):
        await worker.hooks.deliveries.progress(UUID(int=1))
