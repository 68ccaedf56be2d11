"""What sources send is looked at in the background, each statement once, behind those who store them.

One process of a store looks at a time, by lease. It follows the stored order up to what is visible to all, so
nothing is passed over that is stored while it looks.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import structlog

from adapters.statements import SOURCE_EXTENSION
from gateway.errors import GatewayError, Unavailable
from gateway.services.giving_way import give_way
from gateway.services.revisions import Revisions
from gateway.services.sources import Sources, told
from gateway.store.connection import translating
from gateway.store.observations import FURTHER, MOST_VALUES, Observations, Place, Row, Seen, Tally
from gateway.store.statements import Statements
from gateway.store.transactions import Contended
from gateway.store.writers import Writer
from gateway.xapi.contents import KINDS, contents

log = structlog.get_logger(__name__)

_LEASE = dt.timedelta(seconds=30)
_EVERY = 2.0  # seconds between looks where there is nothing new
_TOGETHER = 200  # what is looked at is held in memory
_LONGEST_VALUE = 1_000  # characters
_LEAVE_WITHIN = 1.0  # seconds


class Observing:
    """Looks at the statements of one store while `run` runs."""

    def __init__(
        self,
        observations: Observations,
        statements: Statements,
        writer: Writer,
        sources: Sources,
        revisions: Revisions,
        *,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._observations = observations
        self._statements = statements
        self._writer = writer
        self._sources = sources
        self._revisions = revisions
        self._clock = clock
        self._id = uuid4()

    async def run(self) -> None:
        """Look until cancelled, giving way to others."""
        try:
            while True:
                began = time.monotonic()
                more = await self.look()
                await (give_way(self._statements, began) if more else asyncio.sleep(_EVERY))
        finally:
            # Best effort: a lease that nobody gives back runs out.
            with contextlib.suppress(Unavailable, TimeoutError), translating():
                async with asyncio.timeout(_LEAVE_WITHIN):
                    await self._observations.release(self._id)

    async def look(self) -> bool:
        """Look at the next statements, unless another process does; whether there may be more."""
        now = self._clock()
        begin = await self._observations.claim(self._id, now, now + _LEASE)
        if begin is None:
            return False
        rows = await self._observations.behind(begin, await self._writer.settled(), _TOGETHER)
        if not rows:
            return False
        tallies = _tallied(rows)
        known = await self._observations.known(list(tallies))
        tallies, new = await self._bounded(tallies, known)
        for seen in new:
            tallies[seen].told = await self._is_told(seen, tallies[seen].revision)
        try:
            await self._observations.add(tallies, begin, Place(rows[-1].stored, rows[-1].id), self._id)
        except Contended:
            return True
        await self._flag(new)
        return len(rows) == _TOGETHER

    async def _bounded(
        self, tallies: Mapping[Seen, Tally], known: set[Seen]
    ) -> tuple[dict[Seen, Tally], list[Seen]]:
        """The tallies with those of values beyond `MOST_VALUES` put together, and which are new."""
        room: dict[tuple[str, str], int] = {}
        kept: dict[Seen, Tally] = {}
        new: list[Seen] = []
        for seen, tally in tallies.items():
            if seen not in known:
                of = (seen.source, seen.kind)
                if of not in room:
                    room[of] = MOST_VALUES - await self._observations.values_of(*of)
                if room[of] <= 0:
                    seen = Seen(*of, FURTHER)
                else:
                    new.append(seen)
                room[of] -= 1
            _merge(kept, seen, tally)
        return kept, new

    async def _is_told(self, seen: Seen, revision: str | None) -> bool:
        """Whether the mapping that made a statement says that it makes such."""
        if revision is None:
            return False
        try:
            mapping = await self._revisions.compiled(revision)
        except GatewayError:  # it is not kept, or cannot be read any more
            return False
        return any(seen.kind == kind and seen.value in told(mapping).of(kind) for kind in KINDS)

    async def _flag(self, new: Sequence[Seen]) -> None:
        """Say once of each new value that nobody declared it."""
        for source in dict.fromkeys(seen.source for seen in new):
            try:
                standing = await self._sources.get(source)
            except GatewayError:  # a source of which only its statements are left
                continue
            for one in standing.undeclared:
                if one.seen in new:
                    log.warning("undeclared data", **one.seen._asdict(), statement=str(one.example))


def _tallied(rows: Sequence[Row]) -> dict[Seen, Tally]:
    found: dict[Seen, Tally] = {}
    for row in rows:
        source = source_of(row.source)
        if source is None:
            continue
        for kind, value in contents(row.statement):
            if source.startswith("adapter:") and value == SOURCE_EXTENSION:
                continue  # the gateway's own
            seen = Seen(source, kind, value[:_LONGEST_VALUE] or FURTHER)
            tally = Tally(
                count=1,
                first=row.stored,
                last=row.stored,
                example=row.id,
                revision=row.source.get("revision"),
            )
            _merge(found, seen, tally)
    return found


def _merge(found: dict[Seen, Tally], seen: Seen, tally: Tally) -> None:
    before = found.get(seen)
    if before is None:
        found[seen] = tally
    else:
        before.count += tally.count
        before.last = max(before.last, tally.last)


def source_of(stored: Mapping[str, Any]) -> str | None:
    """The id of the source that a stored statement names; AU sessions and the gateway itself are none."""
    for kind in ("adapter", "credential"):
        if name := stored.get(kind):
            return f"{kind}:{name}"
    return None
