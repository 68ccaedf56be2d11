from __future__ import annotations

import asyncio
from itertools import permutations
from uuid import UUID

from gateway.store import links
from gateway.store.statements import Entry
from gateway.store.store import Store
from tests.store.entries import entry, found, insert, stored


async def test_a_reference_is_found_by_what_its_target_is_found_by(store: Store) -> None:
    await insert(store, entry(1, verb="target", agents=["a"]), entry(2, verb="comment", ref=1))
    assert await found(store, verbs="target") == [1, 2]
    assert await found(store, verbs="comment") == [2]
    assert await found(store, agents="a") == [1, 2]


async def test_references_are_followed_over_any_number_of_steps(store: Store) -> None:
    await insert(store, *(entry(n, verb=f"v{n}", ref=n - 1 if n > 1 else None) for n in range(1, 11)))
    assert await found(store, verbs="v1") == list(range(1, 11))
    assert await found(store, verbs="v9") == [9, 10]


async def test_several_filters_must_be_met_by_one_statement_of_the_chain(store: Store) -> None:
    await insert(
        store,
        entry(1, verb="target", agents=["a"], activities=["x"]),
        entry(2, verb="comment", agents=["b"], ref=1),
    )
    assert await found(store, verbs="target", agents="a") == [1, 2]
    assert await found(store, verbs="comment", agents="b") == [2]
    assert await found(store, verbs="target", agents="b") == []
    assert await found(store, verbs="comment", activities="x") == []


async def test_it_makes_no_difference_what_comes_first(store: Store) -> None:
    for number, order in enumerate(permutations(range(4))):
        first = 10 * number
        chain = [
            entry(first + 1, verb=f"{number}a"),
            entry(first + 2, verb=f"{number}b", ref=first + 1),
            entry(first + 3, verb=f"{number}void", ref=first + 2, voids=True),
            entry(first + 4, verb=f"{number}d", ref=first + 3),
        ]
        for index in order:
            await insert(store, chain[index])
        assert await found(store, verbs=f"{number}a") == [first + 1, first + 3, first + 4], order
        assert await found(store, verbs=f"{number}b") == [first + 3, first + 4], order
        assert await found(store, verbs=f"{number}void") == [first + 3, first + 4], order
        assert (await stored(store, first + 2)).voided, order


async def test_a_circle_of_references_ends(store: Store) -> None:
    await insert(store, entry(1, verb="a", ref=2), entry(2, verb="b", ref=3), entry(3, verb="c", ref=1))
    for verb in "abc":
        assert await found(store, verbs=verb) == [1, 2, 3]


async def test_a_statement_that_refers_to_itself_is_found_by_its_own_keys(store: Store) -> None:
    await insert(store, entry(1, verb="a", ref=1))
    assert await found(store, verbs="a") == [1]


async def test_voiding_statements_cannot_be_voided(store: Store) -> None:
    await insert(
        store,
        entry(1),
        entry(2, ref=1, voids=True, verb="void"),
        entry(3, ref=2, voids=True, verb="void"),
    )
    assert await found(store, verbs="void") == [2, 3]
    assert (await stored(store, 1)).voided


async def test_linking_twice_changes_nothing(store: Store) -> None:
    await insert(store, entry(1, verb="a"), entry(2, verb="b", ref=1))
    before = await store._database.statements.find().to_list()
    await store.links.link([UUID(int=1), UUID(int=2)], referring=True)
    assert await store._database.statements.find().to_list() == before


async def test_all_of_a_chain_that_arrive_at_once_find_each_other(store: Store) -> None:
    def chain(start: int) -> list[Entry]:
        verbs = [f"{start}.{n}" for n in range(6)]
        return [entry(start + n, verb=verbs[n], ref=start + n - 1 if n else None) for n in range(6)]

    chains = [chain(100 * number) for number in range(1, 9)]
    await asyncio.gather(*(insert(store, item) for chain in chains for item in chain))
    for start in range(100, 900, 100):
        assert await found(store, verbs=f"{start}.0") == list(range(start, start + 6))


async def test_a_chain_is_followed_for_a_limited_number_of_steps(store: Store) -> None:
    length = links.MAX_LINKS + 5
    await insert(store, *(entry(n, verb=f"v{n}", ref=n - 1 if n > 1 else None) for n in range(1, length + 1)))
    assert await found(store, verbs="v1") == list(range(1, links.MAX_LINKS + 1))


async def test_a_chain_is_followed_for_a_limited_number_of_keys(store: Store) -> None:
    crowd = [f"mbox|mailto:{number}@example.org" for number in range(links.MAX_KEYS)]
    await insert(store, entry(1, verb="target"), entry(2, verb="crowd", agents=crowd, ref=1), entry(3, ref=2))
    assert await found(store, verbs="target") == [1]
    assert await found(store, agents=crowd[-1]) == [2]


async def test_a_statement_that_fills_its_document_is_found_by_its_own_keys(store: Store) -> None:
    verb = "x" * 2**20
    await insert(store, entry(1, verb=verb), entry(2, verb="full", ref=1, text="x" * (15 * 2**20)))
    await insert(store, entry(3, verb="small", ref=1))
    assert await found(store, verbs=verb) == [1, 3]
    assert await found(store, verbs="full") == [2]
