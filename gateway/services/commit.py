"""The write path: gives statements their stored time, commits them in groups, links them, and only then
answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from gateway.errors import TooLarge
from gateway.services import metrics
from gateway.services.grouping import Gatherer, Job
from gateway.store.connection import is_unavailable
from gateway.store.statements import Entry
from gateway.store.store import Store
from gateway.store.transactions import Also, Transaction


@dataclass(slots=True, kw_only=True)
class Write:
    """One request: statements that are stored together or not at all.

    `stamp` gives each entry its stored time (microseconds) just before it is written. `also` makes further
    changes in the same transaction.
    """

    entries: Sequence[Entry]
    stamp: Callable[[Entry, int], None]
    also: Also | None = None

    @property
    def alone(self) -> bool:
        """Whether it needs no transaction: one document is atomic by itself."""
        return len(self.entries) == 1 and self.also is None


class Committer:
    """Group commit for one store. `write` answers with the ids that were taken: of a refused request nothing
    is stored, and its caller decides what a taken id means.
    """

    def __init__(self, store: Store, *, max_statements: int, in_flight: int) -> None:
        self._store = store
        self._gatherer: Gatherer[Write, set[UUID]] = Gatherer(
            self._commit, max_weight=max_statements, in_flight=in_flight
        )
        self._statements = metrics.STATEMENTS.labels(store.name)
        self._group_size = metrics.GROUP_SIZE.labels(store.name)
        self._seconds = metrics.COMMIT_SECONDS.labels(store.name)

    async def run(self) -> None:
        """Commit groups until cancelled."""
        await self._gatherer.run()

    async def write(self, write: Write) -> set[UUID]:
        """Store a request durably; the ids that were taken, empty when it was stored."""
        weight, ids = _size(write)
        return await self._gatherer.submit(write, weight=weight, keys=ids)

    async def write_each(self, writes: Sequence[Write]) -> list[set[UUID] | BaseException]:
        """Store requests that have nothing to do with one another: what `write` says of each, or raises."""
        return await self._gatherer.submit_each([(write, *_size(write)) for write in writes])

    async def _commit(self, group: Sequence[Job[Write, set[UUID]]]) -> None:
        started = time.perf_counter()
        writer = self._store.writer
        token, first = await writer.begin(sum(len(job.item.entries) for job in group))
        try:
            _stamp(group, first)
            outcomes = await self._insert(group)
            stored = [entry for job in outcomes if not outcomes[job] for entry in job.item.entries]
            await self._link(stored)
            if not await writer.confirm(token):
                await self._restamp([job for job in outcomes if not outcomes[job]])
        except BaseException:
            writer.abandon(token)
            raise
        writer.end(token)
        for job, taken in outcomes.items():
            job.resolve(taken)
        self._statements.inc(len(stored))
        self._group_size.observe(len(stored))
        self._seconds.observe(time.perf_counter() - started)

    async def _insert(self, group: Sequence[Job[Write, set[UUID]]]) -> dict[Job[Write, set[UUID]], set[UUID]]:
        """Store every request it can; the taken ids of each. One that failed was told and is left out."""
        outcomes: dict[Job[Write, set[UUID]], set[UUID]] = {}
        single = [job for job in group if job.item.alone]
        if single:
            outcomes |= await self._insert_single(single)
        together = [job for job in group if not job.item.alone]
        if len(together) > 1 and await self._insert_together(together):
            return outcomes | {job: set() for job in together}
        for job in together:
            try:
                outcomes[job] = await self._store.statements.insert_all(job.item.entries, job.item.also)
            except Exception as error:  # belongs to this request only
                job.fail(error)
        return outcomes

    async def _insert_together(self, jobs: Sequence[Job[Write, set[UUID]]]) -> bool:
        """Store requests in one transaction; False, with nothing stored, if one of them prevents that."""

        async def also(transaction: Transaction) -> None:
            for job in jobs:
                if job.item.also is not None:
                    await job.item.also(transaction)

        entries = [entry for job in jobs for entry in job.item.entries]
        try:
            return not await self._store.statements.insert_all(entries, also)
        except Exception as error:
            if is_unavailable(error):
                raise
            return False  # by itself, each gets its own answer

    async def _insert_single(
        self, jobs: Sequence[Job[Write, set[UUID]]]
    ) -> dict[Job[Write, set[UUID]], set[UUID]]:
        try:
            taken = await self._store.statements.insert_each([job.item.entries[0] for job in jobs])
        except TooLarge as error:
            if len(jobs) == 1:
                jobs[0].fail(error)
                return {}
            # Only one of them is; what is stored already is found as taken, and then as the same.
            found = [await self._insert_single([job]) for job in jobs]
            return {job: taken for outcome in found for job, taken in outcome.items()}
        return {job: taken & {job.item.entries[0].id} for job in jobs}

    async def _link(self, stored: Sequence[Entry]) -> None:
        # Only an id that its sender chose can have been referred to before it existed.
        known = [entry.id for entry in stored if entry.ref is not None or not entry.fresh_id]
        if known:
            await self._store.links.link(known, referring=any(entry.ref is not None for entry in stored))

    async def _restamp(self, jobs: Sequence[Job[Write, set[UUID]]]) -> None:
        """New stored times for what this process committed after it had been taken for dead."""
        writer, standing = self._store.writer, False
        while not standing:
            token, first = await writer.begin(sum(len(job.item.entries) for job in jobs))
            try:
                _stamp(jobs, first)
                await self._store.statements.restamp([entry for job in jobs for entry in job.item.entries])
                standing = await writer.confirm(token)
            except BaseException:
                writer.abandon(token)
                raise
            writer.end(token)


def _size(write: Write) -> tuple[int, frozenset[UUID]]:
    return len(write.entries) or 1, frozenset([entry.id for entry in write.entries])


def _stamp(jobs: Sequence[Job[Write, set[UUID]]], first: int) -> None:
    for job in jobs:
        for entry in job.item.entries:
            entry.stored = first
            job.item.stamp(entry, first)
            first += 1
