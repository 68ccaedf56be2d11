"""One at a time: whoever works on the same thing waits for the one before, within this process.

MongoDB decides between processes; within one, waiting is cheaper than finding out too late.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from typing import TypeVar
from weakref import WeakValueDictionary

from gateway.errors import Unavailable
from gateway.store.transactions import Contended

Result = TypeVar("Result")

_ATTEMPTS = 10


class Turns:
    """Gives each key to one task at a time, in the order in which they asked."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def of(self, key: Hashable) -> AsyncIterator[None]:
        """Wait for the turn of `key`, and have it until left."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            yield


async def persistently(attempt: Callable[[bool], Awaitable[Result]]) -> Result:
    """The result of `attempt`, which is called again while another process is in its way.

    It is told whether it is a repetition: a change of its own may then have been made, because a lost
    connection can hide a success. Raises Unavailable when it cannot get through.
    """
    for number in range(_ATTEMPTS):
        try:
            return await attempt(number > 0)
        except Contended:
            await asyncio.sleep(random.uniform(0, 0.005 * 2**number))  # noqa: S311 - spreads retries
    raise Unavailable("Too many changes at the same time. Try again shortly.")
