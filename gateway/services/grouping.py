"""Group commit: requests that arrive together are written together.

A durable write waits for the disk, whether it carries one statement or a thousand. So while one group is
being written the next one gathers, and everyone in it waits once. Nothing waits for a time, only for what has
arrived already: throughput comes from gathering, never from weaker durability.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.errors import Unavailable

# Turns of the event loop without another job, after which nobody is about to come: a request that has arrived
# takes a turn to be read and another one to be looked at.
_QUIET_TURNS = 3
# While nothing is being written, so much weight does not wait for the rest: the rest is read while it is
# written.
_ENOUGH = 32

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class Job(Generic[Item, Result]):
    """One request in a group; `done` receives its result or its error."""

    item: Item
    weight: int
    keys: frozenset[Hashable]
    done: asyncio.Future[Result] = field(repr=False)

    def resolve(self, result: Result) -> None:
        if not self.done.done():
            self.done.set_result(result)

    def fail(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class Gatherer(Generic[Item, Result]):
    """Runs `write` for groups of jobs; `run` must be running somewhere for `submit` to return.

    Jobs that share a key never stand in one group, so that the later one finds what the earlier one wrote.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Job[Item, Result]]], Awaitable[None]],
        *,
        max_weight: int,
        in_flight: int,
    ) -> None:
        self._write = write
        self._max_weight = max_weight
        self._slots = asyncio.Semaphore(in_flight)
        self._under_way = 0
        self._waiting: deque[Job[Item, Result]] = deque()
        self._weight = 0
        self._arrived = asyncio.Event()
        self._closed = False

    async def submit(self, item: Item, *, weight: int = 1, keys: frozenset[Hashable] = frozenset()) -> Result:
        """Have `item` written with the next group; its result, or the error that its group met."""
        return await self._put(item, weight, keys).done

    async def submit_each(
        self, items: Iterable[tuple[Item, int, frozenset[Hashable]]]
    ) -> list[Result | BaseException]:
        """Have items with their weights and keys written; the result or the error of each.

        They have no more to do with one another than those of different callers, but need no task each.
        """
        jobs = [self._put(*item) for item in items]
        return await asyncio.gather(*(job.done for job in jobs), return_exceptions=True)

    def _put(self, item: Item, weight: int, keys: frozenset[Hashable]) -> Job[Item, Result]:
        if self._closed:
            raise _stopped()
        job: Job[Item, Result] = Job(item, weight, keys, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        self._weight += weight
        self._arrived.set()
        return job

    async def run(self) -> None:
        """Write groups until cancelled, then finish what was begun and refuse the rest."""
        try:
            async with asyncio.TaskGroup() as groups:
                try:
                    while True:
                        await self._arrived.wait()
                        await self._slots.acquire()
                        await self._gather()
                        group = self._next_group()
                        self._under_way += 1
                        groups.create_task(self._run(group))
                except asyncio.CancelledError:
                    # Leaving normally lets the groups under way finish; their clients get their answers.
                    self._closed = True
        finally:
            self._closed = True
            for job in self._waiting:
                job.fail(_stopped())
            self._waiting.clear()

    async def _gather(self) -> None:
        """Let those join who have arrived and are not read yet."""
        quiet, before = 0, self._weight
        while quiet < _QUIET_TURNS and self._weight < (self._max_weight if self._under_way else _ENOUGH):
            await asyncio.sleep(0)
            quiet = quiet + 1 if self._weight == before else 0
            before = self._weight

    def _next_group(self) -> list[Job[Item, Result]]:
        group: list[Job[Item, Result]] = []
        later: list[Job[Item, Result]] = []
        keys: set[Hashable] = set()
        weight = 0
        while self._waiting and (not group or weight + self._waiting[0].weight <= self._max_weight):
            job = self._waiting.popleft()
            if not keys.isdisjoint(job.keys):
                later.append(job)
                continue
            group.append(job)
            keys |= job.keys
            weight += job.weight
        self._waiting.extendleft(reversed(later))
        self._weight -= weight
        if not self._waiting:
            self._arrived.clear()
        return group

    async def _run(self, group: Sequence[Job[Item, Result]]) -> None:
        try:
            await self._write(group)
        except Exception as error:  # the boundary of a worker: every waiting request must hear of it
            for job in group:
                job.fail(error)
        finally:
            self._under_way -= 1
            self._slots.release()


def _stopped() -> Unavailable:
    return Unavailable("this process of the gateway is stopping; nothing was stored")
