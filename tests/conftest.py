"""Fixtures for all tests: a real MongoDB for the run, a client and an own database for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager

import hypothesis
import pytest
from hypothesis import HealthCheck
from pymongo.asynchronous.database import AsyncDatabase

from gateway.services.services import Services
from gateway.store.connection import Client, Document, connect
from gateway.store.store import Store
from tests.gateway import Gateway, running, settings_for
from tests.mongo import drop_databases, empty_database, mongo_for_the_run, new_database_name
from tests.waiting import beside

# A loaded machine must not make a property test fail, nor chance: every run has the same examples.
# `--hypothesis-profile=searching` looks for new ones.
_UNTIMED = hypothesis.settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.settings.register_profile("searching", _UNTIMED)
hypothesis.settings.register_profile("steady", _UNTIMED, derandomize=True)
hypothesis.settings.load_profile("steady")

# Databases of this run that the next test may have.
EMPTY: list[str] = []

# A bare socket: what asyncio and aiohttp leave open is called a transport, only PyMongo opens these.
BARE_SOCKET = r"unclosed <socket\.socket fd=\d+, family=2, type=1, proto=6, laddr=\('[\d.]+', \d+\)"


def pytest_configure(config: pytest.Config) -> None:
    # PyMongo leaves it to the garbage collector when a client is closed, or a task cancelled, while it
    # connects and the server hangs; in any other case our pool waits for it (gateway/store/pool.py). A
    # connection left open is still an error.
    config.addinivalue_line("filterwarnings", f"ignore:{BARE_SOCKET}:ResourceWarning")


@pytest.fixture(scope="session")
def mongo_uri() -> Iterator[str]:
    """A replica set that tests may fill, but must not stop; those that kill servers start their own."""
    with mongo_for_the_run() as uri:
        yield uri
        drop_databases(uri, EMPTY)


@pytest.fixture
async def mongo_client(mongo_uri: str) -> AsyncIterator[Client]:
    """Each test has an event loop of its own, and a client belongs to one loop."""
    async with connect(mongo_uri, app_name="tests") as client:
        yield client


@pytest.fixture
async def database_name(mongo_client: Client) -> AsyncIterator[str]:
    """The name of a database that is this test's alone, and empty.

    It is emptied afterwards and used again: a new one with all its indexes is some seventy files, which
    MongoDB goes on holding for minutes after it was dropped, until it runs out of them.
    """
    name = EMPTY.pop() if EMPTY else new_database_name()
    yield name
    await empty_database(mongo_client[name])
    EMPTY.append(name)


@pytest.fixture
def database(mongo_client: Client, database_name: str) -> AsyncDatabase[Document]:
    return mongo_client[database_name]


@pytest.fixture
async def store(mongo_client: Client, database_name: str) -> Store:
    store = Store(mongo_client, database_name)
    await store.prepare()
    return store


@pytest.fixture
async def services(store: Store) -> AsyncIterator[Services]:
    """The uses of `store`, with their background work running."""
    services = Services(store, settings_for(store.name), more_key=b"k" * 32)
    async with beside(services.run()):
        yield services


@pytest.fixture
async def gateway(mongo_client: Client, database_name: str) -> AsyncIterator[Gateway]:
    """The whole gateway with its default settings, served on a free port."""
    async with running(mongo_client, settings_for(database_name)) as gateway:
        yield gateway


@pytest.fixture
def serve(mongo_client: Client, database_name: str) -> Callable[..., AbstractAsyncContextManager[Gateway]]:
    """Starts a gateway with other settings, or again: `async with serve(xapi__page_size=2) as gateway`."""
    return lambda **flags: running(mongo_client, settings_for(database_name, **flags))
