"""The services of all stores of an installation, for whoever serves and for commands."""

from __future__ import annotations

from collections.abc import Callable

from gateway.services.fetching import Fetcher, FetchesNothing
from gateway.services.mappings import Mappings
from gateway.services.posting import Poster, PostsNothing
from gateway.services.services import Services
from gateway.settings import Settings
from gateway.store.connection import Client
from gateway.store.secrets import shared_secret
from gateway.store.store import Store


async def open_services(
    settings: Settings,
    client: Client,
    mappings: Mappings | None = None,
    *,
    fetcher: Callable[[], Fetcher] = FetchesNothing,
    poster: Callable[[], Poster] = PostsNothing,
) -> dict[str, Services]:
    """The services of every store, with indexes in place. Mappings are read when they are first wanted.

    Each store has a fetcher and a poster of its own; without them it does nothing outside.
    """
    default = client[settings.databases[settings.stores.default]]
    more_key = await shared_secret(default, "more")
    mappings = mappings or Mappings.of(settings)
    services: dict[str, Services] = {}
    for name, database in settings.databases.items():
        store = Store(client, database)
        await store.prepare()
        services[name] = Services(
            store,
            settings,
            more_key=more_key,
            mappings=mappings,
            fetcher=fetcher(),
            poster=poster(),
        )
    return services
