"""Background loops that outlive an absent database, and end when they are told to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

import structlog

from gateway.errors import Unavailable
from gateway.store.connection import translating

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

_PAUSE_SECONDS = 1.0
_CANCEL_AGAIN_SECONDS = 0.5


async def enduring(name: str, loop: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a background loop for good: while the database is away it waits and starts over."""
    while True:
        try:
            with translating():
                await _ended(asyncio.create_task(loop()))
                return
        except Unavailable as error:
            log.warning("background work waits for the database", loop=name, error=str(error.__cause__))
        except Exception:
            log.exception("background work failed and starts over", loop=name)
        await asyncio.sleep(_PAUSE_SECONDS)


async def _ended(work: asyncio.Task[None]) -> None:
    """Wait for a task and pass cancellation on until it is heard.

    On Python 3.11 a cancellation that meets a driver's send can get lost, and a loop would go on for ever.
    """
    try:
        await asyncio.wait({work})
    except asyncio.CancelledError:
        while not work.done():
            work.cancel()
            await asyncio.wait({work}, timeout=_CANCEL_AGAIN_SECONDS)
        raise
    work.result()


async def together(work: Iterable[Awaitable[Result]]) -> list[Result]:
    """Await all of it, whatever fails; the results in order, or the first error."""
    results: list[Result] = []
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
        results.append(result)
    return results
