from __future__ import annotations

import asyncio
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from gateway.errors import TooLarge
from gateway.store.indexes import STATEMENT_KEYS
from gateway.store.statements import Selection
from gateway.store.store import Store
from tests.store.entries import entry, found, insert, stored

FILLED = 300


@pytest.fixture
async def filled(store: Store) -> Store:
    """Many statements, of which every tenth has one value for every key."""
    await store.statements.insert_each(
        [
            entry(
                number,
                verb="rare" if number % 10 == 0 else "frequent",
                agents=["rare" if number % 10 == 0 else "frequent"],
                activities=["rare" if number % 10 == 0 else "frequent"],
                registrations=["rare"] if number % 10 == 0 else (),
                stored=1_000_000 + number,
            )
            for number in range(1, FILLED + 1)
        ]
    )
    return store


def stages(plan: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [plan[name] for name in ("inputStage",) if name in plan] + plan.get("inputStages", [])
    return [plan, *(stage for part in inner for stage in stages(part))]


async def test_every_list_is_read_from_its_index_and_never_sorted(filled: Store) -> None:
    filters: list[dict[str, str]] = [{}, *({key: "rare"} for key in STATEMENT_KEYS)]
    filters += [{"verbs": "rare", "agents": "rare"}, dict.fromkeys(STATEMENT_KEYS, "rare")]
    after = (1_000_150, UUID(int=150))
    bounds: list[dict[str, Any]] = [{}, {"since": 1_000_100}, {"until": 1_000_200}, {"after": after}]
    bounds.append({"since": 1_000_050, "until": 1_000_250, "after": after})
    for keys, bound, ascending in product(filters, bounds, (True, False)):
        selection = Selection(keys=keys, ascending=ascending, limit=5, **bound)
        explained = await filled.statements.explain(selection)
        used = stages(explained["queryPlanner"]["winningPlan"])
        names = {stage["stage"] for stage in used}
        assert not names & {"SORT", "COLLSCAN"}, (selection, names)
        scans = [stage["indexName"] for stage in used if stage["stage"] == "IXSCAN"]
        assert scans == [selection.index]
        run = explained["executionStats"]
        assert run["nReturned"] == 6, selection
        assert run["totalKeysExamined"] <= run["nReturned"] + 2, (selection, run["totalKeysExamined"])
        assert run["totalDocsExamined"] <= run["nReturned"] + 2


async def test_a_filter_that_finds_nothing_examines_nothing(filled: Store) -> None:
    for key in STATEMENT_KEYS:
        run = (await filled.statements.explain(Selection(keys={key: "nobody"})))["executionStats"]
        assert (run["totalKeysExamined"], run["totalDocsExamined"]) == (0, 0)


async def test_pages_in_both_directions_are_the_whole_list(store: Store) -> None:
    # Several share a time, so that the order falls back on the id.
    await store.statements.insert_each([entry(number, stored=number // 4) for number in range(1, 40)])
    for ascending in (True, False):
        pages: list[int] = []
        after = None
        while True:
            page = await store.statements.page(Selection(ascending=ascending, limit=7, after=after))
            pages += [item.id.int for item in page.statements]
            if not page.more:
                break
            after = (page.statements[-1].stored, page.statements[-1].id)
        assert pages == sorted(range(1, 40), reverse=not ascending)


async def test_since_is_exclusive_and_until_inclusive_on_every_page(store: Store) -> None:
    await store.statements.insert_each([entry(number, stored=number) for number in range(1, 20)])
    for ascending, after in product(
        (True, False), (None, (5, UUID(int=5)), (12, UUID(int=12)), (30, UUID(int=1)))
    ):
        selection = Selection(since=3, until=15, ascending=ascending, after=after)
        page = await store.statements.page(selection)
        expected = [n for n in range(4, 16) if after is None or (n > after[0] if ascending else n < after[0])]
        assert sorted(item.id.int for item in page.statements) == expected


async def test_ids_that_are_taken_are_told_and_the_rest_is_stored(store: Store) -> None:
    assert await store.statements.insert_each([entry(1, verb="first")]) == set()
    taken = await store.statements.insert_each([entry(1, verb="second"), entry(2), entry(3)])
    assert taken == {UUID(int=1)}
    assert await found(store, verbs="first") == [1]
    assert await found(store, verbs="v") == [2, 3]


async def test_all_or_nothing_is_stored(store: Store) -> None:
    assert await store.statements.insert_all([entry(1), entry(2)]) == set()
    assert await store.statements.insert_all([entry(3), entry(2), entry(1)]) == {UUID(int=1), UUID(int=2)}
    assert await store.statements.existing([UUID(int=3)]) == set()


async def test_a_duplicate_that_no_majority_has_yet_is_never_taken_for_stored(store: Store) -> None:
    for number in range(1, 60):
        results = await asyncio.gather(
            *(store.statements.insert_all([entry(number, verb=f"v{n}"), entry()]) for n in range(4))
        )
        assert sorted(bool(taken) for taken in results) == [False, True, True, True]


async def test_what_also_raises_undoes_everything(
    store: Store, database: AsyncDatabase[dict[str, Any]]
) -> None:
    async def also(transaction: Any) -> None:
        await database.other.insert_one({"_id": 1}, session=transaction)
        raise LookupError

    await database.create_collection("other")
    with pytest.raises(LookupError):
        await store.statements.insert_all([entry(1)], also)
    assert await store.statements.existing([UUID(int=1)]) == set()
    assert await database.other.count_documents({}) == 0


async def test_restamping_changes_the_times_and_not_what_finds_it(store: Store) -> None:
    target, comment = entry(1, verb="target"), entry(2, verb="comment", ref=1)
    await insert(store, target, comment)
    for item in (target, comment):
        item.stored += 1_000_000
        item.statement["stored"] = "later"
    await store.statements.restamp([target, comment])
    assert await found(store, verbs="target") == [1, 2]
    later = await stored(store, 2)
    assert (later.stored, later.statement["stored"]) == (comment.stored, "later")


async def test_a_statement_with_more_than_the_database_holds_is_refused(store: Store) -> None:
    huge = entry(1, text="x" * (17 * 2**20))
    huge.suspect, huge.text = True, b'"' + b"x" * (17 * 2**20) + b'"'
    for insertion in (store.statements.insert_each, store.statements.insert_all):
        with pytest.raises(TooLarge):
            await insertion([entry(2), huge])


async def test_ids_since_come_in_chunks(store: Store) -> None:
    await store.statements.insert_each([entry(number, stored=number) for number in range(1, 12)])
    chunks = [chunk async for chunk in store.statements.ids_since(3, size=3)]
    assert [len(chunk) for chunk in chunks] == [3, 3, 2]
    assert {identity.int for chunk in chunks for identity in chunk} == set(range(4, 12))
