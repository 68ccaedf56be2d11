"""What happens in the background: it runs beside a test and has ended after it; what it does is asked for
again and again, up to a limit that only faults reach.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

Result = TypeVar("Result")


async def until(ask: Callable[[], Awaitable[Result | None]], *, seconds: float = 60) -> Result:
    """The first answer that is something."""
    async with asyncio.timeout(seconds):
        while not (answer := await ask()):
            await asyncio.sleep(0.02)
        return answer


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Have `work` go on while inside; afterwards it has ended. An error that it met is raised.

    Whatever talks to MongoDB has to be run by `enduring`, as all of `Services.run` is: on Python 3.11 a
    cancellation that meets a driver's send can get lost, and then only telling it again ends the work.
    """
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        task.result()
