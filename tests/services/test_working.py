from __future__ import annotations

import asyncio

from gateway.services.working import enduring


async def test_a_loop_ends_although_a_cancellation_was_lost() -> None:
    lost = asyncio.Event()

    async def loop() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            lost.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(enduring("test", loop))
    await asyncio.sleep(0.01)
    task.cancel()
    async with asyncio.timeout(10):
        await asyncio.gather(task, return_exceptions=True)
    assert lost.is_set()
    assert task.cancelled()


async def test_a_loop_that_fails_starts_over() -> None:
    runs = 0

    async def loop() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise LookupError

    async with asyncio.timeout(10):
        await enduring("test", loop)
    assert runs == 2
