"""Waiting for what happens in the background: asked again and again, up to a limit that only faults reach."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Result = TypeVar("Result")


async def until(ask: Callable[[], Awaitable[Result | None]], *, seconds: float = 60) -> Result:
    """The first answer that is something."""
    async with asyncio.timeout(seconds):
        while not (answer := await ask()):
            await asyncio.sleep(0.02)
        return answer
