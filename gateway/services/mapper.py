"""What becomes of deliveries that somebody claimed: looked up, mapped, stored. The same for trying it.

A group of deliveries shares the reads and writes. One that fails in an unforeseen way never stops the others.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import structlog

from adapters import Lookups
from adapters import Mapping as AdapterMapping
from adapters.fetch_back import Wish
from adapters.outcomes import Pairs
from adapters.privacy import Privacy
from adapters.receive.decode import Undecodable
from gateway.errors import Conflict, GatewayError, NotFound, Unavailable
from gateway.services.adapting import Adapting, Made, events_of, state_of, undecodable
from gateway.services.at_hand import Payloads
from gateway.services.explaining import explained, unsupplied
from gateway.services.fetch_back import FetchBack
from gateway.services.keeping import kept_for
from gateway.services.lookups import Asking, Found, Resolver
from gateway.services.mappings import Mappings
from gateway.services.privacy import PrivacyKeys
from gateway.services.recording import Compared, Presence, Recorder
from gateway.services.revisions import Revisions
from gateway.services.shadowing import Shadowing
from gateway.services.supplying import Answers, Supply
from gateway.services.working import together
from gateway.store.deliveries import Finished
from gateway.store.delivery_records import RESOLVED, Delivery, Fetched, Outcome, State

log = structlog.get_logger(__name__)

# Events whose statements are stored together.
_EVENTS_TOGETHER = 200
_SOONEST_AGAIN = dt.timedelta(minutes=1)
_LATEST_AGAIN = dt.timedelta(hours=6)
# Of these events nobody can say yet whether their earlier statements still stand.
_UNDECIDED = (State.FAILED, State.UNMATCHED, State.HELD, State.DIFFERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long resolved deliveries are kept, and how long their bodies."""

    records: dt.timedelta
    bodies: dt.timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What mapping a delivery again would do: its state then, and how its statements stand to stored ones."""

    delivery: Delivery
    state: State
    outcomes: Sequence[Outcome]
    statements: Mapping[UUID, Compared]
    revision: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """What became of a group: results, those to be put off, those for which something has to be fetched
    first, and the fingerprints of what others may have waited for.
    """

    results: list[Finished] = field(default_factory=list)
    later: list[Delivery] = field(default_factory=list)
    unfetched: list[tuple[Delivery, Sequence[Wish]]] = field(default_factory=list)
    news: list[str] = field(default_factory=list)


class NotYet(Exception):
    """A delivery cannot be mapped now; the reason is logged and it is put off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A delivery whose mapping and events are known."""

    delivery: Delivery
    asking: Asking
    lookups: Lookups
    original: Found | None
    missing: Sequence[Wish] = ()
    fetched: Fetched | None = None

    @property
    def mapping(self) -> AdapterMapping:
        return self.asking.mapping


@dataclass(slots=True)
class _Working:
    """A delivery that was mapped: what each event became, or the error that was met."""

    begun: _Begun
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
        recorder: Recorder,
        mappings: Mappings,
        revisions: Revisions,
        resolver: Resolver,
        keys: PrivacyKeys,
        shadowing: Shadowing,
        fetch_back: FetchBack,
        payloads: Payloads,
        *,
        retention: Retention,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self.recorder = recorder
        self._mappings = mappings
        self._revisions = revisions
        self.resolver = resolver
        self._keys = keys
        self._shadowing = shadowing
        self._fetch_back = fetch_back
        self._payloads = payloads
        self._retention = retention
        self._clock = clock

    # -- in earnest

    async def map(self, batch: Sequence[Delivery]) -> Mapped:
        """Map a group of deliveries, except those that lack something from their vendors."""
        begun: list[_Begun] = []
        mapped = Mapped()
        for delivery in batch:
            try:
                one = await self._begin(delivery)
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
        found = await self._found(begun)
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

    async def _begin(self, delivery: Delivery, *, rehearsing: bool = False) -> _Begun | Finished:
        try:
            mapping = await self.mapping_of(delivery)
        except Unavailable:
            raise
        except GatewayError as error:
            return self._given_up(delivery, error.code, error.message)
        try:
            return self._opened(delivery, mapping, self._fetch_back.answers(delivery.id), kept=rehearsing)
        except Undecodable as error:
            return self.finished(delivery, mapping, [undecodable(str(error))])
        except GatewayError as error:
            return self._given_up(delivery, error.code, error.message)
        except Exception as error:  # the boundary of a worker: one delivery never stops the others
            log.exception("mapping failed unexpectedly", adapter=delivery.adapter, delivery=str(delivery.id))
            return self.finished(delivery, mapping, [internal(error)])

    async def mapping_of(self, delivery: Delivery) -> AdapterMapping:
        """The mapping that a delivery is mapped with; raises NotYet, or a GatewayError if that is
        hopeless.
        """
        replay = delivery.replay
        if replay is not None and replay.original_mapping and delivery.revision is not None:
            return await self._revisions.compiled(delivery.revision)
        adapter = self._mappings.get(delivery.adapter)
        if adapter is None or adapter.mapping is None:
            raise NotYet(f"there is no usable mapping of {delivery.adapter}")
        return adapter.mapping

    def _opened(
        self, delivery: Delivery, mapping: AdapterMapping, fresh: Answers, *, kept: bool = False
    ) -> _Begun:
        """A delivery's events with what was fetched for them; where `kept`, whatever is kept will do."""
        replay = delivery.replay
        original = None
        if replay is not None and replay.original_lookups and delivery.resolved is not None:
            original = Found.from_document(delivery.resolved)
        epoch = delivery.epoch
        if replay is not None and not replay.original_lookups:
            epoch = self._keys.epoch
        events = events_of(mapping, delivery, self._keys, self._payloads.get(delivery.id))
        lookups = Lookups(pseudonym_key=self._keys.pseudonyms(epoch))
        if mapping.fetch_back is None:
            asking = Asking.of(mapping, events, key=lookups.pseudonym_key)
            return _Begun(delivery=delivery, asking=asking, lookups=lookups, original=original)
        supply = Supply(mapping, delivery, self._keys, epoch=epoch, kept=kept)
        optional = mapping.fetch_back.optional and not self._connected(mapping, delivery)
        supplied = supply.supplied(events, fresh, optional=optional)
        return _Begun(
            delivery=delivery,
            asking=Asking.of(mapping, supplied.events, supplied.failed, key=lookups.pseudonym_key),
            lookups=lookups,
            original=original,
            missing=supplied.missing,
            fetched=supplied.kept,
        )

    def _connected(self, mapping: AdapterMapping, delivery: Delivery) -> bool:
        assert mapping.fetch_back is not None
        return self._mappings.connection(delivery.adapter, mapping.fetch_back.connection) is not None

    async def _found(self, begun: Sequence[_Begun]) -> list[Found]:
        asking = [one.asking for one in begun if one.original is None and one.mapping.asks]
        found = iter(await self.resolver.find(asking) if asking else [])
        return [
            one.original if one.original is not None else next(found) if one.mapping.asks else _NOTHING
            for one in begun
        ]

    def _adapting(self, one: _Begun, found: Found) -> Adapting:
        return Adapting(
            delivery=one.delivery,
            asking=one.asking,
            found=found,
            lookups=self.resolver.lookups(one.lookups, one.asking, found)
            if one.mapping.asks
            else one.lookups,
            resolver=self.resolver,
            now=self._clock(),
            original=one.original is not None,
        )

    def _adapted(self, begun: _Begun, found: Found) -> _Working:
        working = _Working(begun, found)
        try:
            working.adapting = self._adapting(begun, found)
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
            return self.finished(one.delivery, one.begun.mapping, [internal(error)]), []

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
        result = self.finished(
            one.delivery, mapping, outcomes, leftover=left, resolved=kept, fetched=begun.fetched
        )
        return result, learned

    async def _left(self, one: _Begun, outcomes: Sequence[Outcome]) -> list[UUID]:
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

    async def _shadow(self, one: _Begun, adapting: Adapting, made: Sequence[Made | Outcome]) -> None:
        shadow = self._mappings.shadow(one.delivery.adapter)
        if shadow is not None and one.delivery.replay is None:
            await self._shadowing.compare(shadow, one.mapping, adapting, made, one.fetched, self._keys)

    async def known(self, waits: Sequence[str]) -> list[str]:
        """Which of these fingerprints somebody knows by now: entries of the directory, or facts."""
        return await self.resolver.known(waits)

    # -- results

    def finished(
        self, delivery: Delivery, mapping: AdapterMapping, outcomes: Sequence[Outcome], **also: Any
    ) -> Finished:
        """The result of these outcomes, with what it means for how long things are kept; `also` are further
        fields of it.
        """
        state, now = state_of(outcomes), self._clock()
        waits = [one.until for one in outcomes if one.state is State.HELD and one.until is not None]
        if waits:
            also["again"] = _again(delivery, now, min(waits))
        elif state in RESOLVED:
            records = kept_for(mapping, self._retention.records)
            kept = min(self._bodies(mapping.privacy), records)
            also["expires"] = now + records
            also["forget"] = now + kept if kept < records else None
            also["forget_all"] = mapping.privacy.store_raw == "none"
        return Finished(delivery=delivery, state=state, outcomes=outcomes, revision=mapping.revision, **also)

    def _bodies(self, privacy: Privacy) -> dt.timedelta:
        """How long the body of a resolved delivery is kept."""
        if privacy.store_raw in ("hash-only", "none"):
            return dt.timedelta(0)
        if privacy.raw_for is not None:
            return dt.timedelta(seconds=privacy.raw_for)
        return dt.timedelta.max if privacy.store_raw == "keep" else self._retention.bodies

    def _given_up(self, delivery: Delivery, code: str, reason: str) -> Finished:
        outcome = Outcome(event=None, state=State.FAILED, code=code, reason=reason)
        return Finished(delivery=delivery, state=State.FAILED, outcomes=[outcome], revision=delivery.revision)

    # -- rehearsal

    async def rehearse(self, delivery: Delivery) -> Rehearsal:
        """What `map` would do, without storing anything. Raises Conflict, NotFound."""
        try:
            begun = await self._begin(delivery, rehearsing=True)
        except NotYet as error:
            raise Conflict(str(error)) from None
        if isinstance(begun, Finished):
            return Rehearsal(
                delivery=delivery,
                state=begun.state,
                outcomes=begun.outcomes,
                statements={},
                revision=begun.revision,
            )
        (found,) = await self._found([begun])
        outcomes: list[Outcome] = []
        statements: dict[UUID, Compared] = {}
        # What waits or is decided now says nothing about a replay, which starts anew.
        anew = replace(begun, delivery=replace(delivery, state=State.RECEIVED, held_since=None))
        for one in self._adapting(anew, found).each():
            if isinstance(one, Made):
                outcome, compared = await self.recorder.rehearse(one, delivery)
                outcomes.append(outcome)
                statements |= compared
            else:
                outcomes.append(one)
        for identity in gone_of(delivery, outcomes):
            statements.setdefault(identity, Compared(presence=Presence.GONE))
        return Rehearsal(
            delivery=delivery,
            state=state_of(outcomes),
            outcomes=outcomes,
            statements=statements,
            revision=begun.mapping.revision,
        )

    async def explained(self, delivery: Delivery) -> list[dict[str, Any]]:
        """How each event of a delivery is mapped. Raises Conflict, NotFound, Undecodable."""
        mapping = await self._usable(delivery)
        return await self._explained(self._opened(delivery, mapping, Answers(), kept=True), str(delivery.id))

    async def _usable(self, delivery: Delivery) -> AdapterMapping:
        try:
            return await self.mapping_of(delivery)
        except NotYet:
            adapter = self._mappings.get(delivery.adapter)
            if adapter is None:
                raise NotFound(f"there is no adapter {delivery.adapter!r}") from None
            raise Conflict(f"the mapping of {delivery.adapter!r} cannot be used: {adapter.problem}") from None

    async def explained_sample(
        self,
        name: str,
        payload: Any,
        headers: Pairs,
        query: Pairs,
        received: dt.datetime,
        fetched: Any = None,
    ) -> list[dict[str, Any]]:
        """How each event of a payload would be mapped. Raises Conflict, NotFound."""
        delivery = Delivery(
            id=UUID(int=0),
            adapter=name,
            key="",
            digest="",
            received=received,
            method="",
            url="",
            headers=headers,
            body=b"",
        )
        mapping = await self._usable(delivery)
        keys = self._keys.pseudonyms(self._keys.epoch)
        events = [
            one
            for taken in mapping.events(payload, headers, query, received, key=keys)
            for one in mapping.answered(taken, fetched, keys)
        ]
        begun = _Begun(
            delivery=delivery,
            asking=Asking.of(mapping, events, key=keys),
            lookups=Lookups(pseudonym_key=keys),
            original=None,
        )
        return await self._explained(begun, None)

    async def _explained(self, begun: _Begun, shown: str | None) -> list[dict[str, Any]]:
        (found,) = await self._found([begun])
        adapting = self._adapting(begun, found)
        told: list[dict[str, Any]] = []
        for index, event in enumerate(begun.asking.events):
            if index in begun.asking.failed:
                told.append(unsupplied(begun.asking.failed[index]))
                continue
            lookups, _ = self.resolver.with_facts(adapting.lookups, begun.asking, index, found)
            told.append(explained(begun.mapping, event, lookups, shown))
        return told


_NOTHING = Found()


def gone_of(delivery: Delivery, outcomes: Sequence[Outcome]) -> list[UUID]:
    """Statements that were made of a delivery before, and are not by these outcomes."""
    before = (*(one for outcome in delivery.outcomes for one in outcome.statements), *delivery.leftover)
    now = {one for outcome in outcomes for one in outcome.statements}
    return [one for one in dict.fromkeys(before) if one not in now]


def internal(error: Exception) -> Outcome:
    """The outcome of a mistake of ours."""
    return Outcome(
        event=None, state=State.FAILED, code="internal", reason=f"internal: {type(error).__name__}"
    )


def _again(delivery: Delivery, now: dt.datetime, until: dt.datetime) -> dt.datetime:
    """When a delivery that waits is looked at again if nobody releases it: rarely, and the longer the
    rarer.
    """
    waited = now - (delivery.held_since or now)
    return min(until, now + min(max(waited, _SOONEST_AGAIN), _LATEST_AGAIN))
