"""Counts for reports, kept while statements come in: behind the writers, never in their way.

One worker of a store at a time follows the statements in stored order, up to Consistent-Through, and adds
what they count for to the cells. It pauses as long as it worked, and many times as long while statements are
stored, so that the database is left to those who store and read; after a rush it catches up. What is counted
is decided by the stored order alone, so a count begun anew (`rebuild`) ends with the same cells, whatever was
killed, replayed or voided meanwhile.

A statement that is voided counts as voided, not as standing, from the later one of the two on. Should one be
stored again under a new time, because its writer was taken for dead (`store/writers`), and should that happen
within the milliseconds in which a count that lags behind comes by, it counts twice; `doctor` finds it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import structlog

from gateway.services import learners
from gateway.services.clock import utc_now
from gateway.services.counting import Tally, meaning, registration_of
from gateway.services.giving_way import give_way
from gateway.services.report_questions import Question, read_question
from gateway.settings.model import ReportsSettings
from gateway.store.connection import translating
from gateway.store.reports import CellKey, Change, Counted, Row
from gateway.store.store import Store

log = structlog.get_logger(__name__)

BATCH = 250  # what is counted is held in memory
_BATCH_BY_HAND = 5000  # fewer changes of the same cells; more memory than a worker should take
_EVERY = 2.0  # seconds between looks for new statements
_LEASE = dt.timedelta(seconds=30)
_SAMPLE = 20_000

Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a recount found: how many statements and cells were compared, and cells that differ."""

    statements: int
    cells: int
    wrong: Sequence[CellKey]
    of: str


class Reports:
    """Keeps the counts of one store."""

    def __init__(self, store: Store, settings: ReportsSettings, *, key: bytes) -> None:
        self.settings = settings
        self.zone = ZoneInfo(settings.time_zone)
        self._store = store
        self._reports = store.reports
        self._key = key
        self._meaning = meaning(settings.time_zone)
        self._worker = uuid4()

    def question(self, given: Mapping[str, str]) -> Question:
        """What is asked with these parameters, today where the reports are; raises Invalid."""
        return read_question(given, utc_now().astimezone(self.zone).date())

    async def run(self) -> None:
        """Count until cancelled, while no other worker does."""
        try:
            while True:
                await self._begun()
                if await self._reports.claim(self._worker, _LEASE):
                    await self._follow()
                await asyncio.sleep(_EVERY)
        finally:
            with translating():
                await self._reports.release(self._worker)

    async def _follow(self) -> None:
        """Count what there is, and delete what earlier counts left."""
        renewed = time.monotonic()
        while True:
            started = time.monotonic()
            place = await self._begun()
            if not await self.step(place) and not await self._reports.forget_former(place.generation):
                return
            await give_way(self._store.statements, started)
            if time.monotonic() - renewed > _LEASE.total_seconds() / 3:
                if not await self._reports.claim(self._worker, _LEASE):
                    return
                renewed = time.monotonic()

    async def _begun(self) -> Counted:
        place = await self._reports.counted()
        if place is None or place.meaning != self._meaning:
            place = await self._reports.begin(self._meaning, after=place.generation if place else 0)
        return place

    async def step(self, place: Counted, *, limit: int = BATCH) -> int:
        """Count the statements behind a place, at most `limit`; how many there were."""
        through = await self._store.writer.settled()
        rows = await self._reports.following(place, through, limit)
        if not rows:
            return 0
        changes = await self._changes(rows)
        last = rows[-1]
        await self._reports.add(place, (last["stored"], last["_id"]), len(rows), changes, learners.merged)
        return len(rows)

    async def _changes(self, rows: Sequence[Row]) -> Mapping[CellKey, Change]:
        """What some statements in a row, in stored order, change."""
        here = {row["_id"]: row for row in rows}
        voiding = [row for row in rows if row.get("voids") and "ref" in row]
        targets = {row["ref"] for row in voiding}
        voided_at = await self._reports.voidings([*{*here, *targets}])
        before = await self._reports.rows([one for one in targets if one not in here])
        known = await self._courses([*rows, *before.values()])

        def tallied() -> Mapping[CellKey, Change]:
            tally = Tally(self.zone, known, lambda agent: learners.hashed(agent, self._key))
            for row in rows:
                place = (row["stored"], row["_id"])
                first = voided_at.get(row["_id"], (None,))[0]
                tally.count(row, voided=not row.get("voids") and first is not None and first < place)
            for row in voiding:
                place = (row["stored"], row["_id"])
                target = here.get(row["ref"]) or before.get(row["ref"])
                # The first one to void a statement that was there before it; of all others nothing changes.
                if target is None or target.get("voids") or voided_at[row["ref"]][0] != place:
                    continue
                if (target["stored"], target["_id"]) < place:
                    tally.void(target)
            return tally.finished()

        # Beside the event loop, so that nobody's request waits for a tenth of a second of counting.
        return await asyncio.to_thread(tallied)

    async def _courses(self, rows: Sequence[Row]) -> dict[str, str]:
        wanted = {one for row in rows if (one := registration_of(row)) is not None}
        known = await self._reports.courses([*map(UUID, wanted)])
        return {str(registration): str(course) for registration, course in known.items()}

    # -- by hand -----------------------------------------------------------------------------------------

    async def rebuild(self, tell: Tell) -> int:
        """Count everything anew, in the place of what was counted; how many statements there are."""
        before = await self._reports.counted()
        generation = (
            await self._reports.begin(self._meaning, after=before.generation if before else 0)
        ).generation
        all_of_them = await self._store.statements.count()
        while True:
            place = await self._begun()
            tell(min(place.number, all_of_them), all_of_them)
            if place.generation != generation or not await self.step(place, limit=_BATCH_BY_HAND):
                break
        while await self._reports.forget_former(generation):
            pass
        return place.number

    async def check(self) -> Checked | None:
        """Count a sample again and compare: of the sources the largest that is small enough, and in any case
        whether as many statements were counted as there are. None if nothing was counted yet.
        """
        place = await self._reports.counted()
        if place is None or not place.stored:
            return None
        there = await self._reports.stored_through(place.stored)
        periods = await self._reports.periods(place.generation)
        first, last = periods or ("", "")
        totals = await self._reports.cells(
            place.generation, since=first, until=last, source=None, course=None, kinds=""
        )
        wrong = [one.key for one in totals[:1] if sum(c.standing + c.voided for c in totals) != there]
        by_source: dict[str, int] = {}
        for cell in await self._reports.cells_by_source(
            place.generation, since=first, until=last, course=None
        ):
            name = cell.key.source or ""
            by_source[name] = by_source.get(name, 0) + cell.standing + cell.voided
        sizes = [
            (size, name)
            for name, size in by_source.items()
            if size <= _SAMPLE and name.partition(" ")[0] in ("adapter", "credential")
        ]
        if not sizes:
            return Checked(
                statements=there, cells=len(totals), wrong=wrong, of="the number of all statements"
            )
        size, name = max(sizes)
        cells, wrong_of_source = await self._wrong(place, name)
        return Checked(statements=size, cells=cells, wrong=wrong + wrong_of_source, of=name)

    async def _wrong(self, place: Counted, source: str) -> tuple[int, list[CellKey]]:
        """How many cells of a source there are, and those that differ from a recount."""
        kind, _, value = source.partition(" ")
        rows = [row async for row in self._reports.rows_of(f"source.{kind}", value, place.stored)]
        voided = await self._reports.voidings([row["_id"] for row in rows])
        tally = Tally(self.zone, await self._courses(rows), lambda agent: learners.hashed(agent, self._key))
        end = (place.stored, place.id)
        for row in rows:
            if (row["stored"], row["_id"]) <= end:
                first = voided.get(row["_id"], (None,))[0]
                tally.count(row, voided=not row.get("voids") and first is not None and first <= end)
        again = {key: _comparable(one) for key, one in tally.finished().items() if key.source is not None}
        kept = {
            cell.key: (cell.standing, cell.voided, cell.total, len(cell.learners))
            for cell in await self._reports.all_of(place.generation, source)
        }
        differing = (key for key in again.keys() | kept.keys() if again.get(key) != kept.get(key))
        return len(kept), sorted(differing, key=lambda key: (key.period, key.kind, key.course or ""))


def _comparable(change: Change) -> tuple[Any, ...]:
    # How many learners, not who: whoever only looks need not have the key.
    return change.standing, change.voided, change.total, len(learners.packed(change.learners))
