"""Mappings that change while the gateway runs: every process notices, tries the new ones and swaps them in.

A process looks at its folder and at MongoDB every few seconds, so a changed file, a SIGHUP, the API and the
command all lead to the same: read, compile, run the tests, swap, and say what runs now.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import socket
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import structlog

from gateway.errors import GatewayError, Unavailable
from gateway.services.mappings import Adapter, Mappings, Seen
from gateway.services.metrics import MAPPINGS_KEPT
from gateway.services.revisions import Revisions
from gateway.store.connection import translating
from gateway.store.mapping_status import MappingStatus, ProcessStatus

log = structlog.get_logger(__name__)

_TELL_EVERY = dt.timedelta(seconds=10)
_LEAVE_WITHIN = 1.0  # seconds
_PAUSE = 2.0  # seconds between looks where the folder is not watched


class Reloading:
    """Keeps the mappings of one process what the folder says they are."""

    def __init__(
        self,
        mappings: Mappings,
        status: MappingStatus,
        revisions: Revisions,
        *,
        watch: float,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._mappings = mappings
        self._status = status
        self._revisions = revisions
        self._watch = watch
        self._clock = clock
        self._id = uuid4()
        self._generation = 0
        self._seen: Seen = frozenset()
        self._told: dt.datetime | None = None
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Look and follow, until cancelled."""
        self._generation = await self._status.wished()
        # That wish may be for a file that was written after this process had read it.
        seen = await asyncio.to_thread(self._mappings.seen)
        if seen == self._mappings.read:
            self._seen = seen
            await self._settled()
        else:
            await self.reload(self._generation, seen)
        try:
            while True:
                await asyncio.sleep(self._watch or _PAUSE)
                await self.look()
        finally:
            # Best effort: who says nothing for a while is taken for gone.
            with contextlib.suppress(Unavailable, TimeoutError), translating():
                async with asyncio.timeout(_LEAVE_WITHIN):
                    await self._status.leave(self._id)

    async def look(self) -> None:
        """Follow a changed folder or a wish; otherwise say now and then what runs."""
        wished = await self._status.wished()
        seen = await asyncio.to_thread(self._mappings.seen) if self._watch else self._seen
        if wished != self._generation or seen != self._seen:
            await self.reload(wished, seen)
        elif self._told is None or self._clock() - self._told >= _TELL_EVERY:
            await self._tell()

    async def reload(self, generation: int, seen: Seen | None = None) -> None:
        """Read the folder again, with the tests of what changed, and swap in what can be used."""
        async with self._turn:
            self._seen = await asyncio.to_thread(self._mappings.seen) if seen is None else seen
            await asyncio.to_thread(self._mappings.load, tested=True)
            self._generation = max(self._generation, generation)
            await self._settled()

    async def wish(self) -> int:
        """Have this process reload now, and all others within seconds; the number that they report then."""
        generation = await self._status.wish()
        await self.reload(generation)
        return generation

    async def processes(self) -> list[ProcessStatus]:
        """What every process runs that was heard of lately."""
        return await self._status.processes(self._clock())

    async def _settled(self) -> None:
        """Keep what is loaded, use what was kept where nothing is, and say what runs."""
        for adapter in self._mappings.adapters:
            if adapter.mapping is None:
                await self._restore(adapter)
        loaded = [one.mapping for one in self._mappings.adapters if one.mapping is not None]
        for mapping in loaded:  # one after the other: nobody waits for it, and it needs one connection
            await self._revisions.keep(mapping)
        MAPPINGS_KEPT.set(sum(one.kept is not None for one in self._mappings.adapters))
        await self._tell()

    async def _restore(self, adapter: Adapter) -> None:
        """The last revision of a file that cannot be used since before the gateway started, if there is
        one.
        """
        for revision in await self._revisions.of(adapter.name):
            if revision.file != adapter.file.name:
                continue
            try:
                self._mappings.restore(adapter.name, await self._revisions.compiled(revision.revision))
            except GatewayError as error:
                log.warning("revision unusable", adapter=adapter.name, error=error.message)
                continue
            return

    async def _tell(self) -> None:
        self._told = self._clock()
        await self._status.tell(
            ProcessStatus(
                id=self._id,
                host=socket.gethostname(),
                pid=os.getpid(),
                generation=self._generation,
                adapters=[adapter_view(one, self._mappings) for one in self._mappings.adapters],
                seen=self._told,
            )
        )


def adapter_view(adapter: Adapter, mappings: Mappings) -> dict[str, Any]:
    """An adapter as JSON: what it runs, what keeps it from running, why its file is not what it runs."""
    shadow = mappings.shadow(adapter.name)
    return {
        "adapter": adapter.name,
        "ready": adapter.problem is None,
        "problem": adapter.problem,
        "kept": adapter.kept,
        "version": adapter.mapping.version if adapter.mapping else None,
        "revision": adapter.mapping.revision if adapter.mapping else None,
        "shadow": shadow.revision if shadow else None,
        "warnings": [str(lint) for lint in adapter.mapping.lints] if adapter.mapping else [],
    }
