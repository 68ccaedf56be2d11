"""Fixtures for all tests: a real MongoDB for the run, a client and an own database for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from gateway.store.connection import Client, Document, connect
from tests.mongo import mongo_for_the_run, new_database_name


@pytest.fixture(scope="session")
def mongo_uri() -> Iterator[str]:
    """A replica set that tests may fill, but must not stop; those that kill servers start their own."""
    with mongo_for_the_run() as uri:
        yield uri


@pytest.fixture
async def mongo_client(mongo_uri: str) -> AsyncIterator[Client]:
    """Each test has an event loop of its own, and a client belongs to one loop."""
    async with connect(mongo_uri, app_name="tests") as client:
        yield client


@pytest.fixture
async def database_name(mongo_client: Client) -> AsyncIterator[str]:
    """The name of a database that is this test's alone and dropped after it; created by first use."""
    name = new_database_name()
    yield name
    await mongo_client.drop_database(name)


@pytest.fixture
def database(mongo_client: Client, database_name: str) -> AsyncDatabase[Document]:
    return mongo_client[database_name]


# What is built on the database - the store, the gateway as a server - is assembled below.
