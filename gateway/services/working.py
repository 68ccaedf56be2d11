"""Background loops that outlive an absent database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from gateway.errors import Unavailable
from gateway.store.connection import translating

log = structlog.get_logger(__name__)


async def enduring(name: str, loop: Callable[[], Awaitable[None]]) -> None:
    """Run a background loop for good: while the database is away it waits and starts over."""
    while True:
        try:
            with translating():
                await loop()
                return
        except Unavailable as error:
            log.warning("background work waits for the database", loop=name, error=str(error.__cause__))
        except Exception:
            log.exception("background work failed and starts over", loop=name)
        await asyncio.sleep(1)
