from __future__ import annotations

import contextlib
import datetime as dt
import random
from collections.abc import Mapping
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from gateway.services import learners
from gateway.services.counting import Tally
from gateway.services.reports import Reports
from gateway.settings.model import ReportsSettings
from gateway.store.reports import CellKey
from gateway.store.statements import Entry, Keys
from gateway.store.store import Store
from tests.store.entries import insert

ADL = "http://adlnet.gov/expapi/verbs/"
VERBS = ("completed", "passed", "failed", "scored", "experienced")
COURSE = "http://adlnet.gov/expapi/activities/course"
KEY = b"k" * 32


def reports(store: Store, zone: str = "UTC") -> Reports:
    """A worker that counts, by itself."""
    return Reports(store, ReportsSettings(time_zone=zone, threshold=10), key=KEY)


class Killed(Exception):
    """Stands for the end of a process between two of its steps."""


def made(
    chance: random.Random, number: int, stored: int, *, ref: int | None = None, voids: bool = False
) -> Entry:
    """Some statement of a small world."""
    identity = UUID(int=number)
    person, verb = chance.randrange(30), chance.choice(VERBS)
    day = dt.datetime(2026, 1, 20, tzinfo=dt.UTC) + dt.timedelta(hours=chance.randrange(24 * 40))
    statement: dict[str, Any] = {
        "id": str(identity),
        "actor": {"mbox": f"mailto:p{person}@example.edu"},
        "verb": {"id": f"{ADL}voided" if voids else f"{ADL}{verb}"},
        "object": {"id": f"https://c.example/{chance.randrange(3)}", "definition": {"type": COURSE}},
        "timestamp": day.isoformat().replace("+00:00", "Z"),
    }
    if chance.random() < 0.5:
        statement["result"] = {"score": {"scaled": round(chance.uniform(-1, 1), 3)}}
    if ref is not None:
        statement["object"] = {"objectType": "StatementRef", "id": str(UUID(int=ref))}
    source = chance.choice([{"credential": "a"}, {"credential": "b"}, {"adapter": "zoom", "revision": "1"}])
    return Entry(
        id=identity,
        statement=statement,
        keys=Keys(verbs=(statement["verb"]["id"],)),
        source=source,
        ref=None if ref is None else UUID(int=ref),
        voids=voids,
        stored=stored,
    )


async def kept(store: Store) -> dict[CellKey, tuple[int, int, int, bytes]]:
    """Every cell that says something."""
    place = await store.reports.counted()
    assert place is not None
    rows = store._database["report_cells"].find({"g": place.generation})
    return {
        CellKey(row["p"], row["s"], row["c"], row["k"]): (row["n"], row["v"], row["sum"], row["learners"])
        async for row in rows
    }


async def recounted(store: Store, zone: str = "UTC") -> dict[CellKey, tuple[int, int, int, bytes]]:
    """The same from all statements at once, by what the database says of them."""
    tally = Tally(ZoneInfo(zone), {}, lambda agent: learners.hashed(agent, KEY))
    async for row in store._database["statements"].find({}):
        tally.count(row, voided="voided" in row)
    return {
        key: (one.standing, one.voided, one.total, learners.packed(one.learners))
        for key, one in tally.finished().items()
    }


async def counted_out(counting: Reports, limit: int = 1000) -> None:
    while await counting.step(await counting._begun(), limit=limit):
        pass


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_the_counts_are_those_of_a_recount(
    store: Store, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    workers = [reports(store), reports(store)]
    number, clock = 0, 1_000_000
    for _ in range(12):
        batch = []
        for _ in range(chance.randrange(1, 25)):
            number, clock = number + 1, clock + chance.randrange(1, 4)
            voids = chance.random() < 0.25
            # Of what was there before, of what comes later, of itself, of what voids.
            ref = chance.randrange(1, number + 8) if voids else None
            batch.append(made(chance, number, clock, ref=ref, voids=voids))
        await insert(store, *batch)
        for _ in range(chance.randrange(4)):
            worker = chance.choice(workers)
            place = await worker._begun()
            if chance.random() < 0.3:
                await killed(worker, place, chance, monkeypatch)
            elif chance.random() < 0.3:
                # Two that both believe to be the one.
                assert await workers[0].step(place, limit=7) == await workers[1].step(place, limit=7)
            else:
                await worker.step(place, limit=chance.randrange(1, 30))
    await counted_out(workers[0], limit=11)
    assert await kept(store) == await recounted(store)
    end = await store.reports.counted()
    assert end is not None
    assert end.number == number
    checked = await workers[0].check()
    assert checked is not None
    assert checked.wrong == []


async def killed(worker: Reports, place: Any, chance: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends while it counts: before, within or behind its transaction."""
    when = chance.choice(["before", "within", "behind"])
    add = worker._store.reports.add

    async def ends(*args: Any) -> None:
        def merge(before: bytes, further: Any) -> bytes:
            raise Killed

        if when != "before":
            at, to, number, changes, merged = args
            await add(at, to, number, changes, merge if when == "within" else merged)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(worker._store.reports, "add", ends)
        with contextlib.suppress(Killed):
            await worker.step(place, limit=9)


async def test_a_rebuild_ends_with_the_same_cells_and_leaves_nothing_of_the_former_ones(store: Store) -> None:
    chance = random.Random(1)
    await insert(store, *(made(chance, number, 1000 + number) for number in range(1, 200)))
    counting = reports(store)
    await counted_out(counting, limit=50)
    before, told = await kept(store), []
    assert await counting.rebuild(lambda done, of: told.append((done, of))) == 199
    assert told[0] == (0, 199)
    assert told[-1] == (199, 199)
    assert await kept(store) == before == await recounted(store)
    assert await store._database["report_cells"].distinct("g") == [2]


async def test_another_time_zone_counts_everything_again_by_its_days(store: Store) -> None:
    entry = made(random.Random(2), 1, 1000)
    entry.statement["timestamp"] = "2026-01-31T23:30:00Z"
    await insert(store, entry)
    await counted_out(reports(store))
    assert CellKey("2026-01", None, None, "") in await kept(store)
    berlin = reports(store, "Europe/Berlin")
    await counted_out(berlin)
    assert await kept(store) == await recounted(store, "Europe/Berlin")
    assert CellKey("2026-02-01", None, None, "day") in await kept(store)


async def test_one_worker_counts_at_a_time_and_another_one_takes_over(store: Store) -> None:
    one, other = reports(store), reports(store)
    await one._begun()
    lease = dt.timedelta(minutes=5)
    assert await store.reports.claim(one._worker, lease)
    assert not await store.reports.claim(other._worker, lease)
    assert await store.reports.claim(one._worker, lease)
    await store.reports.release(one._worker)
    assert await store.reports.claim(other._worker, dt.timedelta(0))
    # A lease that ran out is free.
    assert await store.reports.claim(one._worker, lease)


async def test_a_wrong_count_is_found(store: Store) -> None:
    chance = random.Random(3)
    await insert(store, *(made(chance, number, 1000 + number) for number in range(1, 50)))
    counting = reports(store)
    assert await counting.check() is None
    await counted_out(counting)
    checked = await counting.check()
    assert checked is not None
    assert checked.wrong == []
    source = checked.of
    await store._database["report_cells"].update_one({"s": source, "k": "completed"}, {"$inc": {"n": 1}})
    checked = await counting.check()
    assert checked is not None
    assert [(key.source, key.kind) for key in checked.wrong] == [(source, "completed")]


async def test_a_statement_of_a_course_that_was_deleted_stays_with_it(store: Store) -> None:
    registration, course = UUID(int=7), UUID(int=8)
    await store._database["registrations"].insert_one({"_id": registration, "course": course})
    entry = made(random.Random(4), 1, 1000)
    entry.source = {"session": str(UUID(int=9))}
    entry.statement["context"] = {"registration": str(registration)}
    await insert(store, entry)
    counting = reports(store)
    await counted_out(counting)
    before = await kept(store)
    assert {key.course for key in before} == {None, str(course)}
    await store._database["registrations"].delete_one({"_id": registration})
    await counting.rebuild(lambda done, of: None)
    assert await kept(store) == before


def of(row: Mapping[str, Any]) -> set[tuple[str, str | None, str]]:
    tally = Tally(ZoneInfo("UTC"), {}, lambda agent: learners.hashed(agent, KEY))
    tally.count(row, voided=False)
    return {(key.period, key.course, key.kind) for key in tally.finished() if key.source is None}


def test_what_was_imported_counts_for_the_day_on_which_it_happened() -> None:
    row = {
        "stored": 1_800_000_000_000_000,
        "source": {"import": "old.ndjson"},
        "statement": {
            "actor": {"mbox": "mailto:a@example.edu"},
            "verb": {"id": f"{ADL}passed"},
            "object": {"id": "https://c.example/1"},
            "context": {"contextActivities": {"grouping": [{"id": "urn:c", "definition": {"type": COURSE}}]}},
            "result": {"score": {"scaled": 1}},
            "timestamp": "1999-12-31T12:00:00Z",
        },
    }
    kinds = {"", "verb " + ADL + "passed", "passed", "scored", "score 9"}
    assert of(row) == {("1999-12", course, kind) for course in (None, "urn:c") for kind in kinds} | {
        ("1999-12-31", course, "day") for course in (None, "urn:c")
    }


@pytest.mark.parametrize("timestamp", ["2026-13-45", None, "0001-01-01T00:00:00+23:00", 5])
def test_a_statement_without_a_usable_time_counts_for_the_day_on_which_it_was_stored(timestamp: Any) -> None:
    row = {"stored": 1_767_225_600_000_000, "statement": {"timestamp": timestamp}, "verbs": ["urn:v"]}
    assert {period for period, _, _ in of(row)} == {"2026-01", "2026-01-01"}


def test_learners_are_exact_up_to_a_limit_and_then_estimated_whatever_the_order() -> None:
    everybody = [learners.hashed(f"mbox:mailto:{number}@example.edu", KEY) for number in range(50_000)]
    assert learners.number(learners.packed(everybody[:1023])) == 1023
    assert learners.number(b"") == 0
    halves = learners.packed(everybody[:30_000]), learners.packed(everybody[20_000:])
    assert learners.together(halves) == learners.packed(everybody)
    assert learners.merged(learners.merged(b"", everybody[25_000:]), everybody[:30_000]) == learners.packed(
        everybody
    )
    assert abs(learners.number(learners.packed(everybody)) - 50_000) < 5_000
