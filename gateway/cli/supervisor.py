"""Keeps worker processes running: starts them, replaces one that dies, ends them together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import structlog

from gateway.services.metrics import MULTIPROCESS_DIRECTORY, forget_process, prepare_directory

log = structlog.get_logger(__name__)

# In the environment of a worker: its number.
WORKER = "XAPI_GATEWAY_WORKER"

_SETTLED_AFTER = 10.0  # seconds; a worker that dies sooner is restarted with growing pauses
_LONGEST_PAUSE = 5.0


async def supervise(
    command: Sequence[str], *, workers: int, grace: float, metrics: Path, stop: asyncio.Event
) -> None:
    """Run `workers` processes of `command` until `stop` is set, then let them drain for `grace` seconds."""
    directory = prepare_directory(metrics)
    environment = {**os.environ, MULTIPROCESS_DIRECTORY: str(directory)}
    async with asyncio.TaskGroup() as tasks:
        for number in range(1, workers + 1):
            tasks.create_task(_keep(command, environment | {WORKER: str(number)}, grace, stop, directory))


async def _keep(
    command: Sequence[str], environment: dict[str, str], grace: float, stop: asyncio.Event, metrics: Path
) -> None:
    pause = 0.1
    while not stop.is_set():
        started = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdin=asyncio.subprocess.PIPE
        )
        await _first(process.wait(), stop.wait())
        if process.returncode is None:
            await _end(process, grace)
            return
        forget_process(process.pid, metrics)
        log.error("worker died", worker=environment[WORKER], status=process.returncode)
        if time.monotonic() - started > _SETTLED_AFTER:
            pause = 0.1
        await _first(asyncio.sleep(pause), stop.wait())
        pause = min(pause * 2, _LONGEST_PAUSE)


async def _end(process: asyncio.subprocess.Process, grace: float) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        # A little more than the worker itself allows its requests.
        async with asyncio.timeout(grace + 5):
            await process.wait()
    except TimeoutError:
        log.error("worker did not end in time", pid=process.pid)
        process.kill()
        await process.wait()


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait until one of these is done, and drop the others."""
    pending = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
