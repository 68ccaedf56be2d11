"""Everything that can be done with one store, and the loops that keep it going."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable

import structlog

from gateway.errors import Unavailable
from gateway.services.commit import Committer
from gateway.services.documents import Documents
from gateway.services.knowledge import Knowledge
from gateway.services.statements import Statements
from gateway.settings import Settings
from gateway.store.connection import translating
from gateway.store.store import Store

log = structlog.get_logger(__name__)

# Two groups at a time: one waits for the disk while the server works on the other.
_GROUPS_IN_FLIGHT = 2
_RECOVER_EVERY = 2.0  # seconds


def utc_now() -> dt.datetime:
    """The clock of a running gateway."""
    return dt.datetime.now(dt.UTC)


class Services:
    """The uses of one store. `run` must be running for anything to be written."""

    def __init__(self, store: Store, settings: Settings, *, more_key: bytes) -> None:
        self.store = store
        self.more_key = more_key
        self.committer = Committer(
            store, max_statements=settings.group_commit.max_statements, in_flight=_GROUPS_IN_FLIGHT
        )
        self.knowledge = Knowledge(store)
        self.statements = Statements(
            store,
            self.committer,
            self.knowledge,
            page_size=settings.xapi.page_size,
            max_statements=settings.xapi.max_statements,
        )
        self.documents = Documents(store, clock=utc_now)

    async def run(self) -> None:
        """Group commit, floors and recovery, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.committer.run())
            tasks.create_task(enduring("floors", self.store.writer.keep))
            tasks.create_task(enduring("recovery", self._recover))

    async def _recover(self) -> None:
        while True:
            if writers := await self.store.recover():
                log.warning("dead writers recovered", store=self.store.name, writers=writers)
            await asyncio.sleep(_RECOVER_EVERY)


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
