"""What vendors sent in each hour and what became of it, and who has been silent for too long."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from gateway.services.mappings import Mappings
from gateway.services.metrics import QUIET_ALARM, QUIET_SECONDS
from gateway.store.connection import translating
from gateway.store.delivery_hours import DeliveryHours, Hour

log = structlog.get_logger(__name__)

_EVERY = 15.0  # seconds
_HOUR = dt.timedelta(hours=1)
# Counts are kept once deliveries have settled, and well before the first of them may be deleted.
_SETTLED_AFTER = dt.timedelta(days=1)
_COMPLETE_FOR = dt.timedelta(days=4)
_FREEZE_AT_ONCE = dt.timedelta(days=1)
LONGEST_SPAN = dt.timedelta(days=31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """How long an adapter has received nothing; `last` is None if it never did. `alarm`: for too long."""

    adapter: str
    last: dt.datetime | None
    quiet_after: dt.timedelta
    alarm: bool


class Hours:
    """Counts and silences of the adapters of one store."""

    def __init__(
        self,
        hours: DeliveryHours,
        mappings: Mappings,
        *,
        here: Callable[[str], bool],
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._hours = hours
        self._mappings = mappings
        self._here = here
        self._clock = clock
        self._unstored: Counter[tuple[str, dt.datetime, str]] = Counter()
        self._changed: set[dt.datetime] = set()
        self._alarmed: set[str] = set()

    def note_unstored(self, adapter: str, outcome: str) -> None:
        """Count a request that is not stored."""
        self._unstored[adapter, _hour_of(self._clock()), outcome] += 1

    def note_changed(self, received: dt.datetime) -> None:
        """A delivery of that time has another outcome now; counts that were kept are taken again."""
        if received < self._clock() - _SETTLED_AFTER:
            self._changed.add(_hour_of(received))

    async def run(self) -> None:
        """Keep counts and look for silence until cancelled; what was counted last is not lost."""
        try:
            while True:
                await self.keep()
                await self._freeze()
                await self.silences()
                await asyncio.sleep(_EVERY)
        finally:
            with translating():
                await self.keep()

    async def keep(self) -> None:
        """Store what was counted since the last time."""
        counts, self._unstored = self._unstored, Counter()
        try:
            await self._hours.add_unstored(counts)
        except BaseException:
            self._unstored.update(counts)
            raise

    async def _freeze(self) -> None:
        now = self._clock()
        changed, self._changed = self._changed, set()
        for hour in changed:
            if hour > now - _COMPLETE_FOR:
                await self._hours.freeze(hour, hour + _HOUR)
        settled = _hour_of(now - _SETTLED_AFTER)
        begin = await self._hours.frozen_until() or await self._hours.oldest()
        while begin is not None and begin < settled:
            begin = _hour_of(begin)
            end = min(begin + _FREEZE_AT_ONCE, settled)
            await self._hours.freeze(begin, end)
            begin = end

    async def between(self, since: dt.datetime, until: dt.datetime, adapter: str | None) -> list[Hour]:
        """The hours from `since` to `until`, both rounded down to a full hour."""
        await self.keep()
        live_from = _hour_of(self._clock() - _SETTLED_AFTER)
        return await self._hours.between(_hour_of(since), live_from, _hour_of(until), adapter)

    async def last_received(self, adapter: str) -> dt.datetime | None:
        """When the adapter's latest delivery came, to the hour if it is not there any more."""
        return await self._hours.last_received(adapter)

    async def silences(self) -> list[Silence]:
        """The adapters that say after which silence something is wrong."""
        found: list[Silence] = []
        for adapter in self._mappings.adapters:
            receiver = adapter.mapping.receiver if adapter.mapping is not None else None
            if receiver is None or receiver.policy.quiet_after is None or not self._here(adapter.name):
                continue
            last = await self._hours.last_received(adapter.name)
            after = dt.timedelta(seconds=receiver.policy.quiet_after)
            silent = self._clock() - last if last is not None else dt.timedelta()
            silence = Silence(adapter=adapter.name, last=last, quiet_after=after, alarm=silent > after)
            self._report(silence, silent)
            found.append(silence)
        return found

    def _report(self, silence: Silence, silent: dt.timedelta) -> None:
        QUIET_SECONDS.labels(silence.adapter).set(silent.total_seconds())
        QUIET_ALARM.labels(silence.adapter).set(silence.alarm)
        if silence.alarm and silence.adapter not in self._alarmed:
            log.error("vendor is silent", adapter=silence.adapter, last=str(silence.last))
        elif not silence.alarm and silence.adapter in self._alarmed:
            log.info("vendor is back", adapter=silence.adapter)
        (self._alarmed.add if silence.alarm else self._alarmed.discard)(silence.adapter)


def _hour_of(moment: dt.datetime) -> dt.datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
