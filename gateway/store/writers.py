"""Consistent-Through as a promise: the time up to which every statement is visible, over all processes.

A statement gets its `stored` time before it is committed, so a later time can become visible before an
earlier one. A client that pages with `since=` would then miss the earlier one. So each process that writes
keeps a document in `writers` with a *floor*: it will commit nothing stored at or before that time any more.
The time up to which everything is visible is the lowest floor, or, where nobody writes, the server's own
clock.

Why this holds:
* A writer registers with floor 0 first and reads the server's clock afterwards; all its times are later than
  that reading. A reader that did not see the registration read the same clock before it.
* A floor rises only past what has been committed. A floor lost in a failover only makes readers more
  cautious.
* A writer that stops renewing is removed after `LEASE` seconds. Should it wake up later and commit after all,
  it notices before it acknowledges anything (`Writer.confirm`) and gives those statements new times.
* A commit whose outcome is unknown holds the floor for as long as it could still become visible.

All times are microseconds since the Unix epoch.
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from pymongo import WriteConcern
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

LEASE = 10.0  # seconds without renewal after which a writer counts as dead
PUBLISH_EVERY = 0.025  # seconds between floors while writing
IDLE_AFTER = 0.05  # seconds without work after which a writer signs off
FRESH_FOR = 0.02  # seconds a reading of the floors may be used again: older is lower, so still true
PROMISED_FOR = 1.0  # the same for answers that read no statements
_CLOCK = "clock"  # a document that is always there, so that every reading brings the server's time


def _boot_seconds() -> float:
    # Counts on while the machine is suspended, which the monotonic clock does not.
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def _micros(server_time: Any) -> int:
    return int(server_time.timestamp() * 1000) * 1000


@dataclass(slots=True)
class _Group:
    """Statements being committed: the first of their stored times, and the registration it was made under."""

    first: int
    writer: UUID | None
    until: float | None = None  # when an abandoned group stops to count


class Writer:
    """This process as a writer of one store: hands out `stored` times and keeps its floor published."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        # A floor may be lost in a failover (readers grow more cautious), so it need not wait for the disk.
        self._floors: AsyncCollection[dict[str, Any]] = database.get_collection(
            "writers", write_concern=WriteConcern(w=1, j=False)
        )
        self._durable: AsyncCollection[dict[str, Any]] = database["writers"]
        self._id: UUID | None = None
        self._last = 0
        self._renewed = 0.0
        self._used = 0.0
        self._open: dict[int, _Group] = {}  # being committed, by token
        self._tokens = 0
        self._lock = asyncio.Lock()
        self._work = asyncio.Event()
        self._through = 0
        self._read_at = -math.inf
        self._reading = asyncio.Lock()

    async def prepare(self) -> None:
        """Create the clock document."""
        await self._durable.update_one({"_id": _CLOCK}, {"$setOnInsert": {"floor": None}}, upsert=True)

    # -- writing -----------------------------------------------------------------------------------------

    async def begin(self, count: int) -> tuple[int, int]:
        """Reserve `count` consecutive stored times; (token, first time). `end` must follow."""
        if self._id is None:
            await self._register()
        first = max(time.time_ns() // 1000, self._last + 1)
        self._last = first + count - 1
        self._tokens += 1
        self._open[self._tokens] = _Group(first, self._id)
        self._used = _boot_seconds()
        self._work.set()
        return self._tokens, first

    async def confirm(self, token: int) -> bool:
        """After a commit: whether its stored times may stand. False: this writer was taken for dead
        meanwhile.
        """
        registered = self._open[token].writer
        if self._id == registered and _boot_seconds() - self._renewed < LEASE / 2:
            return True
        # It may have registered anew since; that says nothing about times handed out before.
        return await self._publish() and self._id == registered

    def end(self, token: int) -> None:
        """The group is visible, or certainly never will be."""
        self._open.pop(token, None)
        self._used = _boot_seconds()

    def abandon(self, token: int) -> None:
        """Whether the group is stored, or will yet be, is unknown; after `LEASE` seconds it shows."""
        self._open[token].until = _boot_seconds() + LEASE

    async def _register(self) -> None:
        async with self._lock:
            if self._id is not None:
                return
            identity = uuid4()
            renewed = _boot_seconds()
            await self._durable.update_one(
                {"_id": identity}, [{"$set": {"floor": 0, "renewed": "$$NOW"}}], upsert=True
            )
            # Read the clock only after the registration is visible: see the module's second paragraph.
            now, _ = await self._read()
            self._last = max(self._last, now)
            self._renewed = renewed
            self._id = identity

    def _floor(self) -> int:
        return min((group.first for group in self._open.values()), default=self._last + 1) - 1

    async def _publish(self) -> bool:
        async with self._lock:
            if self._id is None:
                return False
            started = _boot_seconds()
            result = await self._floors.update_one(
                {"_id": self._id}, [{"$set": {"floor": self._floor(), "renewed": "$$NOW"}}]
            )
            if result.matched_count:
                self._renewed = started
                return True
            self._id = None
            return False

    async def _sign_off(self) -> None:
        async with self._lock:
            if self._id is not None and not self._open:
                identity, self._id = self._id, None
                await self._floors.delete_one({"_id": identity})

    async def keep(self) -> None:
        """Publish the floor while there is work, sign off when there is none. Runs until cancelled."""
        try:
            while True:
                await self._work.wait()
                await asyncio.sleep(PUBLISH_EVERY)
                self._forget_abandoned()
                if self._open or _boot_seconds() - self._used < IDLE_AFTER:
                    await self._publish()
                else:
                    self._work.clear()
                    await self._sign_off()
        finally:
            await self._sign_off()

    def _forget_abandoned(self) -> None:
        now = _boot_seconds()
        for token, group in list(self._open.items()):
            if group.until is not None and group.until < now:
                del self._open[token]

    # -- reading -----------------------------------------------------------------------------------------

    async def consistent_through(self) -> int:
        """A time up to which every statement is visible to queries that start from now on."""
        if not self._is_read_within(FRESH_FOR):
            async with self._reading:  # whoever waited here finds a fresh reading
                if not self._is_read_within(FRESH_FOR):
                    await self._measure()
        return self._through

    async def settled(self) -> int:
        """The same for background work: a reading apart, so that nobody who asks right after storing
        something is given one from before.
        """
        now, floors = await self._read()
        return max(self._through, min([now, *floors.values()]))

    async def promised(self) -> int:
        """The same, up to `PROMISED_FOR` seconds old, which makes it no less true: hardly ever a query."""
        known = self._through and self._is_read_within(PROMISED_FOR)
        return self._through if known else await self.consistent_through()

    def _is_read_within(self, seconds: float) -> bool:
        return time.monotonic() - self._read_at < seconds

    async def _measure(self) -> None:
        for _ in range(20):
            read_at, last, idle = time.monotonic(), self._last, not self._open
            now, floors = await self._read()
            if idle and not self._open and self._last == last:
                # Nothing of ours is under way, whatever floor we published; what comes gets later times.
                floors = {identity: floor for identity, floor in floors.items() if identity != self._id}
                self._last = max(last, min([now, *floors.values()]))
            # What was promised before stays true, so a registration in progress (floor 0) changes nothing.
            self._through = max(self._through, min([now, *floors.values()]))
            self._read_at = read_at
            if self._through:
                return
            await asyncio.sleep(0.005)

    async def _read(self) -> tuple[int, dict[UUID, int]]:
        """The server's time and every writer's floor, in one reading."""
        now = 0
        floors: dict[UUID, int] = {}
        async for row in self._durable.find({}, {"floor": 1, "now": "$$NOW"}):
            now = _micros(row["now"])
            if row["_id"] != _CLOCK:
                floors[row["_id"]] = int(row["floor"])
        return now, floors

    async def reap(self) -> list[int]:
        """Remove writers that stopped renewing; the floors that they had."""
        cutoff = {"$lt": ["$renewed", {"$subtract": ["$$NOW", int(LEASE * 1000)]}]}
        dead = [
            row
            async for row in self._durable.find({"_id": {"$ne": _CLOCK}, "$expr": cutoff})
            if row["_id"] != self._id
        ]
        removed: list[int] = []
        for row in dead:
            result = await self._durable.delete_one({"_id": row["_id"], "renewed": row["renewed"]})
            if result.deleted_count:
                removed.append(int(row["floor"]))
        return removed
