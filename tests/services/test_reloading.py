"""Mappings that change while deliveries pour in: swapped whole, or kept as they were, and told either way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.services.clock import utc_now
from gateway.services.mappings import Adapter, Mappings
from gateway.services.reloading import Reloading
from gateway.services.working import enduring
from gateway.settings.model import AdapterSettings
from gateway.store.deliveries import DeliveryFilter
from gateway.store.delivery_records import State
from gateway.store.store import Store
from tests.services.test_deliveries import Worker, delivery, worker
from tests.services.test_replays import stored, verbs
from tests.vendors import ACME, acme_item, mappings_folder, vendor_secrets
from tests.waiting import beside, until

__all__ = ["mappings_folder", "vendor_secrets", "worker"]

Write = Callable[..., Path]
TESTS = """\
- name: a course is completed
  payload:
    items: [ { id: a, type: completed, who: ana, course: c, score: 5, at: "2026-03-02T09:00:00Z" } ]
  expect: { statements: [ { verb: { id: http://adlnet.gov/expapi/verbs/completed } } ] }
"""


def reloading(mappings: Mappings, store: Store, worker: Worker) -> Reloading:
    return Reloading(mappings, store.mapping_status, worker.hooks.revisions, watch=0.05, clock=utc_now)


@pytest.fixture
async def processes(worker: Worker) -> AsyncIterator[list[Reloading]]:
    """Two processes of one gateway."""
    other = Mappings(worker.mappings.folders)
    other.load()
    both = [reloading(one, worker.store, worker) for one in (worker.mappings, other)]
    async with beside(enduring("first", both[0].run)), beside(enduring("second", both[1].run)):
        while len(await both[0].processes()) < 2:
            await asyncio.sleep(0.01)
        yield both


def kept(worker: Worker) -> str | None:
    adapter = worker.mappings.get("acme")
    assert adapter is not None
    return adapter.kept


async def test_a_changed_file_is_swapped_in_under_load_and_nothing_is_lost(
    worker: Worker, processes: list[Reloading], mappings_folder: Write
) -> None:
    many = [delivery(str(number), acme_item(str(number))) for number in range(60)]
    async with worker.running():
        for number, one in enumerate(many):
            await worker.store.deliveries.insert([one])
            if number % 20 == 10:
                await worker.finished(one.id)  # so that each revision has made something
                mappings_folder(**{"version: 1": f"version: {number}"})
                await asyncio.sleep(0.1)
        for one in many:
            assert (await worker.finished(one.id)).state is State.DONE
    assert verbs(await stored(worker)) == [("completed", False)] * 60
    used = {one.revision async for one in worker.store.deliveries.each(DeliveryFilter(), limit=0)}
    assert len(used) > 1
    assert used <= {one.revision for one in await worker.hooks.revisions.of("acme")}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"verb: completed": "verb: complted"}, "E201"),
        ({"verb: completed": "verb: passed"}, "its tests fail: acme.test.yaml:1: a course is completed"),
    ],
)
async def test_a_mapping_that_is_wrong_or_fails_its_tests_never_runs(
    worker: Worker, processes: list[Reloading], mappings_folder: Write, change: dict[str, str], reason: str
) -> None:
    before = worker.mappings.get("acme")
    mappings_folder(TESTS, name="acme.test.yaml")
    mappings_folder(**change)
    while kept(worker) is None:
        await asyncio.sleep(0.01)
    assert reason in str(kept(worker))
    after = worker.mappings.get("acme")
    assert before is not None
    assert after is not None
    assert before.mapping is after.mapping
    while not all(one["kept"] for found in await processes[0].processes() for one in found.adapters):
        await asyncio.sleep(0.01)
    mappings_folder()
    while kept(worker) is not None:
        await asyncio.sleep(0.01)


async def test_a_wish_is_followed_by_every_process(worker: Worker, processes: list[Reloading]) -> None:
    generation = await processes[1].wish()
    while {one.generation for one in await processes[0].processes()} != {generation}:
        await asyncio.sleep(0.01)


async def test_after_a_restart_a_broken_file_is_replaced_by_its_last_revision(
    worker: Worker, processes: list[Reloading], mappings_folder: Write
) -> None:
    mappings_folder("adapter: [broken")
    fresh = Mappings(worker.mappings.folders)
    fresh.load()
    broken = fresh.get("acme")
    assert broken is not None
    assert broken.mapping is None

    async def replaced() -> Adapter | None:
        adapter = fresh.get("acme")
        return adapter if adapter is not None and adapter.mapping is not None else None

    async with beside(enduring("mappings", reloading(fresh, worker.store, worker).run)):
        restored = await until(replaced)
    assert (restored.problem, "E0" in str(restored.kept)) == (None, True)


async def test_a_file_that_is_written_and_wished_for_while_a_process_starts_is_read(
    worker: Worker, mappings_folder: Write
) -> None:
    fresh = Mappings(worker.mappings.folders)
    fresh.load()
    mappings_folder(**{"version: 1": "version: 2"})
    await worker.store.mapping_status.wish()

    async def read() -> bool:
        (adapter,) = fresh.adapters
        return adapter.mapping is not None and adapter.mapping.version == 2

    unwatched = Reloading(fresh, worker.store.mapping_status, worker.hooks.revisions, watch=0, clock=utc_now)
    async with beside(enduring("mappings", unwatched.run)):
        await until(read)


async def test_a_shadow_counts_what_it_would_say_otherwise_and_stores_nothing(
    worker: Worker, mappings_folder: Write
) -> None:
    shadow = ACME.replace("version: 1", "version: 2\nshadow: true").replace("raw: ", "min: 0, raw: ")
    mappings_folder(shadow, name="acme-next.yaml")
    worker.mappings.load()
    one = delivery("1", acme_item("1"), acme_item("2", type="ping"))
    await worker.store.deliveries.insert([one])
    assert (await worker.map(one)).state is State.DONE
    (report,) = await worker.store.shadows.of("acme")
    assert dict(report.counts) == {"different": 1}
    (sample,) = report.samples
    assert sample["differences"] == [{"path": "result.score.min", "stored": "null", "made": "0"}]
    assert len(await stored(worker)) == 1


def test_tenants_of_a_vendor_share_a_mapping_and_nothing_else(
    mappings_folder: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDICINE_SECRET", "m")
    tenant = AdapterSettings(
        mapping="acme",
        secrets={"ACME_SECRET": "MEDICINE_SECRET"},
        source={"home_page": "https://med.example", "platform": "Acme Medicine"},
    )
    lacking = AdapterSettings(mapping="acme", secrets={"ACME_SECRET": "ABSENT_SECRET"})
    odd = AdapterSettings(mapping="?")
    tenants = {"acme-medicine": tenant, "acme-law": lacking, "odd": odd}
    mappings = Mappings(mappings_folder(), instances=tenants)
    mappings.load()
    assert [one.name for one in mappings.adapters] == ["acme", "acme-law", "acme-medicine"]
    acme, medicine = mappings.get("acme"), mappings.get("acme-medicine")
    assert acme is not None
    assert medicine is not None
    assert acme.mapping is not None
    assert medicine.mapping is not None
    assert medicine.secrets("ACME_SECRET") == "m"
    assert medicine.mapping.source["home_page"] == "https://med.example"
    assert medicine.mapping.source["language"] == "en"
    assert medicine.mapping.revision != acme.mapping.revision
    assert medicine.mapping.namespace != acme.mapping.namespace
    law = mappings.get("acme-law")
    assert law is not None
    assert "ABSENT_SECRET" in str(law.problem)
