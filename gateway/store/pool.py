"""Connections of the driver that do not get lost when whoever needs one is cancelled.

PyMongo (4.20) forgets a connection that is being made when the task is cancelled between two of its steps: in
`sock_connect`, and when the connection stands but the pool's lock is waited for. Nobody closes it then; the
event loop holds on to it, and the server counts it until the process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from pymongo.asynchronous import pool

# Seconds. A connection is there within milliseconds, and who shuts down while a server hangs will not wait.
_PATIENCE = 1.0


class Pool(pool.Pool):
    """The driver's pool; who is cancelled while a connection is being made waits for it, and closes it."""

    async def connect(self, handler: Any = None) -> pool.AsyncConnection:
        making = asyncio.create_task(super().connect(handler))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            await _discard(making)
            raise


async def _discard(making: asyncio.Task[pool.AsyncConnection]) -> None:
    try:
        await asyncio.wait({making}, timeout=_PATIENCE)
    finally:
        making.cancel()  # nothing, where it is done
    # What the driver reports of a connection that nobody wants any more concerns nobody.
    with contextlib.suppress(Exception, asyncio.CancelledError):
        await (await making).close_conn(None)
