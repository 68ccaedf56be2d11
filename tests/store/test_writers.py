from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from gateway.services.working import enduring
from gateway.store import writers
from gateway.store.store import Store
from gateway.store.writers import Writer
from tests.waiting import beside, until

Database = AsyncDatabase[dict[str, Any]]


@pytest.fixture
async def pair(database: Database) -> tuple[Writer, Writer]:
    """Two processes' writers on one store."""
    one, other = Writer(database), Writer(database)
    await one.prepare()
    return one, other


@asynccontextmanager
async def kept(writer: Writer) -> AsyncIterator[None]:
    async with beside(enduring("floors", writer.keep)):
        await asyncio.sleep(0)
        yield


async def fresh(writer: Writer) -> int:
    """Consistent-Through as it is now, without the reading that may be used again."""
    await asyncio.sleep(writers.FRESH_FOR)
    return await writer.consistent_through()


async def registered(database: Database) -> list[dict[str, Any]]:
    return await database.writers.find({"_id": {"$ne": "clock"}}).to_list()


async def stop_renewing(database: Database) -> None:
    """Make every writer look as if it had not renewed for longer than a lease."""
    aged = {"$subtract": ["$renewed", int(writers.LEASE * 1000) + 1]}
    await database.writers.update_many({"_id": {"$ne": "clock"}}, [{"$set": {"renewed": aged}}])


async def test_a_store_without_writers_is_consistent_through_now(pair: tuple[Writer, Writer]) -> None:
    first = await fresh(pair[0])
    assert first > 1_700_000_000_000_000
    await asyncio.sleep(0.005)
    assert await fresh(pair[0]) > first


async def test_times_are_consecutive_and_never_repeat(pair: tuple[Writer, Writer]) -> None:
    starts = [await pair[0].begin(3) for _ in range(100)]
    assert len({token for token, _ in starts}) == 100
    assert all(later - earlier >= 3 for (_, earlier), (_, later) in pairwise(starts))


async def test_nothing_is_promised_beyond_an_open_group(pair: tuple[Writer, Writer]) -> None:
    one, other = pair
    async with kept(one):
        token, first = await one.begin(2)
        await asyncio.sleep(3 * writers.PUBLISH_EVERY)
        assert await fresh(other) < first
        assert await fresh(one) < first
        one.end(token)
        async with asyncio.timeout(60):
            while await fresh(other) <= first + 1:
                pass


async def test_times_that_come_are_later_than_what_was_promised(pair: tuple[Writer, Writer]) -> None:
    one, other = pair
    async with kept(one), kept(other):
        for _ in range(10):
            promised = max(await fresh(one), await fresh(other))
            for writer in pair:
                token, first = await writer.begin(1)
                assert first > promised
                writer.end(token)


async def test_a_registration_under_way_does_not_take_a_promise_back(pair: tuple[Writer, Writer]) -> None:
    one, other = pair
    promised = await fresh(other)
    token, first = await one.begin(1)  # its floor is still 0
    assert promised <= await fresh(other) < first
    one.end(token)


async def test_the_oldest_of_several_open_groups_holds_the_floor(
    pair: tuple[Writer, Writer], database: Database
) -> None:
    one, other = pair
    async with kept(one):
        early, first = await one.begin(1)
        late, _ = await one.begin(1)
        one.end(late)
        async with asyncio.timeout(60):
            while [row["floor"] for row in await registered(database)] != [first - 1]:
                await asyncio.sleep(writers.PUBLISH_EVERY)
        assert await fresh(other) < first
        one.end(early)


async def test_a_writer_without_work_signs_off_and_back_on(
    pair: tuple[Writer, Writer], database: Database
) -> None:
    one, _ = pair
    async with kept(one):
        for _ in range(2):
            token, _ = await one.begin(1)
            assert len(await registered(database)) == 1
            one.end(token)
            async with asyncio.timeout(60):
                while await registered(database):
                    await asyncio.sleep(0.01)


async def test_a_writer_that_ends_signs_off(pair: tuple[Writer, Writer], database: Database) -> None:
    async with kept(pair[0]):
        token, _ = await pair[0].begin(1)
        pair[0].end(token)
    async with asyncio.timeout(60):
        while await registered(database):
            await asyncio.sleep(0.01)


async def test_a_writer_that_stops_renewing_is_removed_by_another_one(
    pair: tuple[Writer, Writer], database: Database
) -> None:
    one, other = pair
    _, first = await one.begin(1)
    assert await other.reap() == []
    await stop_renewing(database)
    assert await one.reap() == []  # never itself
    assert await other.reap() == [0]
    assert await fresh(other) > first


async def test_a_writer_that_renews_at_the_last_moment_is_not_removed(
    pair: tuple[Writer, Writer], database: Database
) -> None:
    one, other = pair
    token, _ = await one.begin(1)
    await stop_renewing(database)
    delete = other._durable.delete_one

    async def renewed_before(which: dict[str, Any]) -> object:
        assert await one._publish()
        return await delete(which)

    other._durable.delete_one = renewed_before  # type: ignore[method-assign, assignment]
    assert await other.reap() == []
    one._renewed -= writers.LEASE  # so that it asks
    assert await one.confirm(token)
    one.end(token)


async def test_times_stand_while_the_writer_is_registered(pair: tuple[Writer, Writer]) -> None:
    token, _ = await pair[0].begin(1)
    assert await pair[0].confirm(token)


async def test_times_of_a_writer_taken_for_dead_do_not_stand(
    pair: tuple[Writer, Writer], database: Database
) -> None:
    one, _ = pair
    token, _ = await one.begin(1)
    await database.writers.delete_many({"_id": {"$ne": "clock"}})
    one._renewed -= writers.LEASE  # as after a pause of the process
    assert not await one.confirm(token)


async def test_registering_anew_does_not_make_old_times_stand(
    pair: tuple[Writer, Writer], database: Database
) -> None:
    one, other = pair
    old, lost = await one.begin(1)
    await database.writers.delete_many({"_id": {"$ne": "clock"}})
    promised = await fresh(other)
    assert promised > lost
    async with kept(one):
        async with asyncio.timeout(60):
            while one._id is not None:  # its own renewal finds out
                await asyncio.sleep(0.01)
        new, first = await one.begin(1)
        assert first > promised
        assert not await one.confirm(old)
        assert await one.confirm(new)
        one.end(old)
        one.end(new)


async def test_a_group_of_unknown_outcome_holds_the_floor_for_a_lease(
    pair: tuple[Writer, Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    async with kept(one):
        token, first = await one.begin(1)
        await asyncio.sleep(3 * writers.PUBLISH_EVERY)
        one.abandon(token)
        await asyncio.sleep(3 * writers.PUBLISH_EVERY + writers.IDLE_AFTER)
        assert await fresh(other) < first
        boot = writers._boot_seconds
        monkeypatch.setattr(writers, "_boot_seconds", lambda: boot() + writers.LEASE)
        async with asyncio.timeout(60):
            while await fresh(other) < first:
                pass


async def test_a_clock_that_lags_behind_the_server_still_gives_later_times(
    pair: tuple[Writer, Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    promised = await fresh(other)
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000)
    _, first = await one.begin(1)
    assert first > promised


async def test_recovery_reports_how_many_writers_died(store: Store, database: Database) -> None:
    dead = [Writer(database) for _ in range(3)]
    for writer in dead:
        await writer.begin(1)
    await stop_renewing(database)
    assert await store.recover() == 3
    assert await store.recover() == 0


async def test_background_work_gets_in_nobodys_way_who_asks_for_what_was_stored_just_now(
    pair: tuple[Writer, Writer],
) -> None:
    one, other = pair
    token, first = await one.begin(1)
    assert await one.settled() < first
    assert await other.settled() < first
    one.end(token)
    # Asked as soon as MongoDB's clock, which counts milliseconds, is beyond `first`: the readings of before
    # are not used again.
    await asyncio.sleep(0.002)
    assert await one.consistent_through() >= first

    async def caught_up() -> bool:
        return await other.settled() >= first

    async with kept(one):
        await until(caught_up)
