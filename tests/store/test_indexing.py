"""A database whose indexes another version of the gateway created, or somebody else."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from gateway.store.connection import Client, UnsuitableMongoError
from gateway.store.indexing import create_indexes, index_changes
from gateway.store.store import Store
from tests.mongo import new_database_name

Database = AsyncDatabase[dict[str, Any]]


@pytest.fixture
async def database(mongo_client: Client) -> AsyncIterator[Database]:
    """One whose indexes the test may spoil: it is dropped afterwards."""
    name = new_database_name()
    yield mongo_client[name]
    await mongo_client.drop_database(name)


async def test_an_index_that_is_defined_otherwise_now_is_built_anew(database: Database) -> None:
    await database["launch_links"].create_index("link", name="by_link", unique=True)
    await database["tokens"].create_index("expires", name="expiry", expireAfterSeconds=5)
    await database["registrations"].create_index("updated", name="by_created")
    assert {(one.collection, one.name) for one in await index_changes(database) if one.missing} >= {
        ("launch_links", "by_link"),
        ("tokens", "expiry"),
        ("registrations", "by_created"),
    }
    # All processes of a gateway start at the same time.
    await asyncio.gather(*(create_indexes(database) for _ in range(3)))
    assert await index_changes(database) == []
    assert (await database["tokens"].index_information())["expiry"]["expireAfterSeconds"] == 0


async def test_indexes_that_only_earlier_versions_used_go_and_those_of_others_stay(
    database: Database,
) -> None:
    await database["sessions"].create_index("last_seen", name="idle")
    await database["sessions"].create_index("fetch_key", name="by_fetch", unique=True)
    await database["sessions"].create_index("mode", name="reports")
    await create_indexes(database)
    [left] = await index_changes(database)
    assert (left.collection, left.name, left.missing) == ("sessions", "reports", False)


async def test_an_index_of_somebody_else_in_the_place_of_ours_is_named(database: Database) -> None:
    await database["courses"].create_index([("created", 1), ("_id", 1)], name="reports")
    with pytest.raises(UnsuitableMongoError) as caught:
        await create_indexes(database)
    assert 'db.courses.dropIndex("reports")' in caught.value.message


async def test_documents_that_are_not_unique_are_named(database: Database) -> None:
    await database["numbers"].insert_many([{"kind": "course", "number": 7}, {"kind": "course", "number": 7}])
    with pytest.raises(UnsuitableMongoError) as caught:
        await create_indexes(database)
    assert "numbers" in caught.value.message
    assert 'kind: "course", number: 7' in caught.value.message


async def test_links_of_earlier_versions_get_an_id_and_can_be_revoked(
    mongo_client: Client, database: Database
) -> None:
    registration, now = uuid4(), dt.datetime(2026, 1, 31, tzinfo=dt.UTC)
    old = {"registration": registration, "au": None, "overrides": b"{}", "created": now, "expires": now}
    await database["launch_links"].insert_many([{"_id": "one", **old}, {"_id": "two", **old}])
    store = Store(mongo_client, database.name)
    await store.prepare()
    links = await store.launch_links.of(registration)
    assert len({link.id for link in links}) == 2
    assert all(isinstance(link.id, UUID) for link in links)
    assert await store.launch_links.revoke(registration, links[0].id, now) == 1
