from __future__ import annotations

import asyncio

import pytest

from gateway.errors import Unavailable
from gateway.services.commit import Write
from gateway.services.services import Services
from gateway.store import writers
from gateway.store.statements import Entry
from tests.store.entries import entry, found, stored
from tests.waiting import beside


def write(*entries: Entry) -> Write:
    return Write(entries=entries, stamp=lambda item, time: item.statement.update(stored=time))


async def test_each_request_is_told_which_of_its_ids_were_taken(services: Services) -> None:
    writes = [write(entry(1)), write(entry(1)), write(entry(2), entry(3)), write(entry(3), entry(4))]
    taken = await asyncio.gather(*(services.committer.write(item) for item in writes))
    one, again, two_three, three_four = ([identity.int for identity in ids] for ids in taken)
    # They may stand in groups that are written at the same time: either one may be the first.
    assert sorted([one, again]) == [[], [1]]
    assert sorted([two_three, three_four]) == [[], [3]]
    assert await found(services.store) == ([1, 2, 3] if three_four else [1, 3, 4])


async def test_stored_times_follow_the_order_in_a_request(services: Services) -> None:
    await services.committer.write(write(*(entry(number) for number in range(1, 30))))
    times = [(await stored(services.store, number)).stored for number in range(1, 30)]
    assert times == sorted(set(times))


async def test_what_a_dead_writer_commits_gets_a_time_after_all_that_was_promised(services: Services) -> None:
    store, promised = services.store, 0
    await services.committer.write(write(entry(1, verb="target")))
    link = store.links.link

    async def lease_runs_out(*args: object, **kwargs: object) -> None:
        nonlocal promised
        await link(*args, **kwargs)  # type: ignore[arg-type]
        await store._database.writers.delete_many({"_id": {"$ne": "clock"}})
        store.writer._renewed -= writers.LEASE
        other = writers.Writer(store._database)
        promised = await other.consistent_through()

    store.links.link = lease_runs_out  # type: ignore[method-assign]
    assert await services.committer.write(write(entry(2, verb="late", ref=1))) == set()
    late = await stored(store, 2)
    assert late.stored > promised
    assert late.statement["stored"] == late.stored
    assert await found(store, verbs="target") == [1, 2]


async def test_a_failing_request_fails_alone(services: Services) -> None:
    async def also(transaction: object) -> None:
        raise LookupError

    failing = Write(entries=[entry(1)], stamp=lambda item, time: None, also=also)
    results = await asyncio.gather(
        services.committer.write(failing),
        *(services.committer.write(write(entry(number))) for number in range(2, 6)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [LookupError, set, set, set, set]
    assert await found(services.store) == [2, 3, 4, 5]


async def test_a_committer_that_has_stopped_says_that_it_is_unavailable(services: Services) -> None:
    async with beside(services.committer.run()):
        await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await services.committer.write(write(entry(1)))
