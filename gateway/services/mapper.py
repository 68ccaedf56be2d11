"""What becomes of deliveries that somebody claimed: looked up, mapped, stored.

A group of deliveries shares the reads and writes. One that fails in an unforeseen way never stops the others.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from adapters.fetch_back import Wish
from adapters.receive.decode import Undecodable
from gateway.errors import GatewayError, Unavailable
from gateway.services.adapting import Adapting, Made, undecodable
from gateway.services.beginning import Beginning, Begun, NotYet
from gateway.services.fetch_back import FetchBack
from gateway.services.lookups import Found, Resolver
from gateway.services.mappings import Mappings
from gateway.services.privacy import PrivacyKeys
from gateway.services.recording import Recorder
from gateway.services.results import Results, given_up, gone_of, internal
from gateway.services.revisions import Revisions
from gateway.services.shadowing import Shadowing
from gateway.services.working import together
from gateway.store.deliveries import Finished
from gateway.store.delivery_records import Delivery, Outcome, State

log = structlog.get_logger(__name__)

# Events whose statements are stored together.
_EVENTS_TOGETHER = 200
# Of these events nobody can say yet whether their earlier statements still stand.
_UNDECIDED = (State.FAILED, State.UNMATCHED, State.HELD, State.DIFFERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """What became of a group: results, those to be put off, those for which something has to be fetched
    first, and the fingerprints of what others may have waited for.
    """

    results: list[Finished] = field(default_factory=list)
    later: list[Delivery] = field(default_factory=list)
    unfetched: list[tuple[Delivery, Sequence[Wish]]] = field(default_factory=list)
    news: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Working:
    """A delivery that was mapped: what each event became, or the error that was met."""

    begun: Begun
    found: Found
    adapting: Adapting | None = None
    made: Sequence[Made | Outcome] = ()
    outcomes: list[Made | Outcome] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def delivery(self) -> Delivery:
        return self.begun.delivery


class Mapper:
    """Maps deliveries of one store."""

    def __init__(
        self,
        beginning: Beginning,
        recorder: Recorder,
        results: Results,
        mappings: Mappings,
        revisions: Revisions,
        resolver: Resolver,
        keys: PrivacyKeys,
        shadowing: Shadowing,
        fetch_back: FetchBack,
        *,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._beginning = beginning
        self.recorder = recorder
        self._results = results
        self._mappings = mappings
        self._revisions = revisions
        self.resolver = resolver
        self._keys = keys
        self._shadowing = shadowing
        self._fetch_back = fetch_back
        self._clock = clock

    async def map(self, batch: Sequence[Delivery]) -> Mapped:
        """Map a group of deliveries, except those that lack something from their vendors."""
        begun: list[Begun] = []
        mapped = Mapped()
        for delivery in batch:
            try:
                one = await self.begin(delivery)
            except NotYet as error:
                log.warning("delivery waits", delivery=str(delivery.id), reason=str(error))
                mapped.later.append(delivery)
                continue
            if isinstance(one, Finished):
                mapped.results.append(one)
            elif one.missing:
                mapped.unfetched.append((delivery, one.missing))
            else:
                await self._revisions.keep(one.mapping)
                begun.append(one)
        if any(any(one.asking.facts) for one in begun):
            mapped.news.extend(await self.resolver.tell([one.asking for one in begun], self._clock()))
        found = await self._beginning.found(begun)
        working = [self._adapted(one, what) for one, what in zip(begun, found, strict=True)]
        await self._record(working)
        # Most have nothing more to ask, and hence need no task of their own.
        finishing = [self._guarded(one) for one in working]
        finished = (
            await together(finishing)
            if any(map(self._asks_more, working))
            else [await one for one in finishing]
        )
        for each, result in zip(working, finished, strict=True):
            if result is None:
                mapped.later.append(each.delivery)
            else:
                mapped.results.append(result[0])
                mapped.news.extend(result[1])
        return mapped

    async def begin(self, delivery: Delivery, *, rehearsing: bool = False) -> Begun | Finished:
        """A delivery ready to be mapped, or its result if that is hopeless. Raises NotYet, Unavailable."""
        try:
            mapping = await self._beginning.mapping_of(delivery)
        except Unavailable:
            raise
        except GatewayError as error:
            return given_up(delivery, error.code, error.message)
        try:
            return self._beginning.opened(
                delivery, mapping, self._fetch_back.answers(delivery.id), kept=rehearsing
            )
        except Undecodable as error:
            return self._results.finished(delivery, mapping, [undecodable(str(error))])
        except GatewayError as error:
            return given_up(delivery, error.code, error.message)
        except Exception as error:  # the boundary of a worker: one delivery never stops the others
            log.exception("mapping failed unexpectedly", adapter=delivery.adapter, delivery=str(delivery.id))
            return self._results.finished(delivery, mapping, [internal(error)])

    def _adapted(self, begun: Begun, found: Found) -> _Working:
        working = _Working(begun, found)
        try:
            working.adapting = self._beginning.adapting(begun, found)
            working.made = list(working.adapting.each())
            working.outcomes = list(working.made)
        except Exception as error:  # the boundary of a worker: one delivery never stops the others
            working.error = error
        return working

    async def _record(self, working: Sequence[_Working]) -> None:
        """Store what was made, and note what became of it."""
        events = [
            (one, index, event)
            for one in working
            if one.error is None
            for index, event in enumerate(one.made)
            if isinstance(event, Made)
        ]
        for start in range(0, len(events), _EVENTS_TOGETHER):
            part = events[start : start + _EVENTS_TOGETHER]
            stored = await self.recorder.record_each(
                [(event, one.delivery, one.begun.mapping.revision) for one, _, event in part]
            )
            for (one, index, _), outcome in zip(part, stored, strict=True):
                if isinstance(outcome, BaseException):
                    one.error = outcome
                else:
                    one.outcomes[index] = outcome

    async def _guarded(self, one: _Working) -> tuple[Finished, list[str]] | None:
        try:
            return await self._finish(one)
        except Unavailable as error:
            log.warning("mapping waits for the database", delivery=str(one.delivery.id), error=error.message)
            return None
        except Exception as error:  # the boundary of a worker: one delivery never stops the others
            log.exception(
                "mapping failed unexpectedly", adapter=one.delivery.adapter, delivery=str(one.delivery.id)
            )
            return self._results.finished(one.delivery, one.begun.mapping, [internal(error)]), []

    def _asks_more(self, one: _Working) -> bool:
        """Whether finishing a delivery asks the database for more."""
        mapping = one.begun.mapping
        return (
            any(identity.learn for identity in mapping.identities)
            or one.delivery.replay is not None
            or self._mappings.shadow(one.delivery.adapter) is not None
        )

    async def _finish(self, one: _Working) -> tuple[Finished, list[str]]:
        if one.error is not None:
            raise one.error
        begun, mapping, adapting = one.begun, one.begun.mapping, one.adapting
        assert adapting is not None, "without an error it was mapped"
        outcomes = [outcome for outcome in one.outcomes if isinstance(outcome, Outcome)]
        learned: list[str] = []
        if any(identity.learn for identity in mapping.identities):
            news = adapting.news()
            learned = await self.resolver.learn(news, self._clock()) if news else []
        await self._shadow(begun, adapting, one.made)
        left = await self._left(begun, outcomes)
        kept = one.found.document() if mapping.asks and begun.original is None else None
        result = self._results.finished(
            one.delivery, mapping, outcomes, leftover=left, resolved=kept, fetched=begun.fetched
        )
        return result, learned

    async def _left(self, one: Begun, outcomes: Sequence[Outcome]) -> list[UUID]:
        """Statements of earlier mappings that this one does not make; voided where they are to be
        replaced.
        """
        gone = gone_of(one.delivery, outcomes)
        replay = one.delivery.replay
        if not gone or replay is None or not replay.replace:
            return gone
        undecided = {
            identity
            for before in one.delivery.outcomes
            for identity in before.statements
            if before.event in {now.event for now in outcomes if now.state in _UNDECIDED}
        }
        if any(now.state in _UNDECIDED for now in outcomes):
            undecided |= set(one.delivery.leftover)
        chosen = [identity for identity in gone if identity not in undecided]
        voided = await self.recorder.void(chosen, one.delivery, one.mapping.revision) if chosen else []
        return [identity for identity in gone if identity not in set(voided)]

    async def _shadow(self, one: Begun, adapting: Adapting, made: Sequence[Made | Outcome]) -> None:
        shadow = self._mappings.shadow(one.delivery.adapter)
        if shadow is not None and one.delivery.replay is None:
            await self._shadowing.compare(shadow, one.mapping, adapting, made, one.fetched, self._keys)

    async def known(self, waits: Sequence[str]) -> list[str]:
        """Which of these fingerprints somebody knows by now: entries of the directory, or facts."""
        return await self.resolver.known(waits)
