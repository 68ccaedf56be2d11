"""How commands reach one of the stores."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from gateway.cli.opening import chosen_store, open_client, run
from gateway.services.opening import open_services
from gateway.services.services import Services
from gateway.settings import Settings

Result = TypeVar("Result")

store_option = click.option("--store", default=None, help="The store; the default one if not given.")


def with_store(settings: Settings, store: str | None, use: Callable[[Services], Awaitable[Result]]) -> Result:
    """Run `use` with the services of a store, none of whose background work runs."""
    chosen = chosen_store(settings, store)

    async def main() -> Result:
        async with open_client(settings) as client:
            return await use((await open_services(settings, client))[chosen])

    return run(main)
