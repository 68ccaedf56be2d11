"""Statements that mappings made, on their way into the store: exactly once, however often they are made."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from gateway.errors import BadRequest, Conflict, GatewayError, Invalid, TooLarge, Unavailable
from gateway.services.adapting import Made, refused, without_provenance
from gateway.services.entries import Origin, content
from gateway.services.replacing import differences, rearranged, substituted, voiding
from gateway.services.statements import Statements
from gateway.store.connection import translating
from gateway.store.delivery_records import Delivery, Outcome, State
from gateway.store.statements import StoredStatement
from gateway.store.store import Store
from gateway.store.transactions import Contended, Transaction
from gateway.xapi import validation
from gateway.xapi.comparison import same_statement
from gateway.xapi.statements import prepare
from gateway.xapi.versions import Version


class Presence(StrEnum):
    """How a statement that is made again stands to what is stored in its place."""

    NEW = "new"
    SAME = "same"
    DIFFERENT = "different"  # another one that this delivery's adapter made: it can be replaced
    FOREIGN = "foreign"  # another one that somebody else stored under the id
    VOIDED = "voided"  # voided by somebody: it stays so, whatever a mapping says now
    GONE = "gone"  # stored, and not made any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One statement beside what is stored; `delivery` is the one that what is stored came by."""

    presence: Presence
    delivery: UUID | None = None
    differences: Sequence[dict[str, Any]] = ()


class Recorder:
    """Stores what mappings make, under an authority that names the adapter."""

    def __init__(self, store: Store, statements: Statements, *, home_page: str) -> None:
        self._store = store
        self._statements = statements
        self._home_page = home_page

    def authority(self, adapter: str) -> dict[str, Any]:
        """The Agent that statements of an adapter are stored under."""
        account = {"homePage": self._home_page, "name": f"adapter-{adapter}"}
        return {"objectType": "Agent", "name": f"Adapter {adapter}", "account": account}

    def _origin(self, delivery: Delivery, revision: str) -> Origin:
        return Origin(
            authority=self.authority(delivery.adapter),
            source={"adapter": delivery.adapter, "revision": revision},
            define=True,
            delivery=delivery.id,
        )

    async def record_each(
        self, events: Sequence[tuple[Made, Delivery, str]]
    ) -> list[Outcome | BaseException]:
        """Store the statements of events, those of each all or none, given what made them: event, delivery,
        revision of the mapping. An outcome for each, or Unavailable, and nothing else on purpose.
        """
        origins = [self._origin(delivery, revision) for _, delivery, revision in events]
        # What was replaced before is still stored under its id, and something else stands for it: a replay
        # looks first.
        first = [index for index, (_, delivery, _) in enumerate(events) if delivery.replay is None]
        stored = await self._statements.record_each(
            [(origins[one], events[one][0].statements) for one in first]
        )
        known = dict(zip(first, stored, strict=True))
        results: dict[int, Outcome | BaseException] = {}
        later: dict[int, Awaitable[Outcome]] = {}
        for index, (made, delivery, _) in enumerate(events):
            found = known.get(index)
            if isinstance(found, list):
                results[index] = _done(made, map(UUID, found))
            else:
                later[index] = self._looked_at(made, delivery, origins[index], found)
        results |= zip(later, await asyncio.gather(*later.values(), return_exceptions=True), strict=True)
        return [results[index] for index in range(len(events))]

    async def _looked_at(
        self, made: Made, delivery: Delivery, origin: Origin, error: BaseException | None
    ) -> Outcome:
        """The outcome of an event that is mapped again, or whose statements met an error."""
        try:
            with translating():
                if error is None:
                    return await self._again(made, delivery, origin)
                if isinstance(error, Conflict):
                    return await self._settle(made, delivery, origin)
                raise error
        except Invalid as invalid:
            return refused(made, "invalid", invalid.message, invalid.problems)
        except Conflict as conflict:
            return refused(made, "conflict", conflict.message)
        except (BadRequest, TooLarge) as refusal:
            return refused(made, refusal.code, refusal.message, refusal.problems)

    async def _again(self, made: Made, delivery: Delivery, origin: Origin) -> Outcome:
        if problems := validation.check_batch(made.statements, Version.V2):
            return refused(made, "invalid", f"{problems[0].path}: {problems[0].message}", problems)
        return await self._settle(made, delivery, origin)

    async def _settle(self, made: Made, delivery: Delivery, origin: Origin) -> Outcome:
        """What to do where ids are taken: by the same statements, by other ones, by replaced ones."""
        standing = await self._store.replacements.standing(UUID(one["id"]) for one in made.statements)
        ids = {str(base): str(now) for base, now in standing.items()}
        statements = [substituted(one, ids) for one in made.statements]
        compared = await self.compare(delivery.adapter, statements)
        presences = {one.presence for one in compared.values()}
        if Presence.FOREIGN in presences:
            raise Conflict(_FOREIGN)
        if Presence.DIFFERENT in presences:
            if delivery.replay is not None and delivery.replay.replace:
                return await self._replace(made, standing, compared, origin)
            return differing(made, delivery, compared)
        fresh = [one for one in statements if compared[UUID(one["id"])].presence is Presence.NEW]
        if fresh:
            await self._statements.record(origin, fresh)
        return _done(made, compared, voided=Presence.VOIDED in presences)

    async def _replace(
        self,
        made: Made,
        standing: Mapping[UUID, UUID],
        compared: Mapping[UUID, Compared],
        origin: Origin,
    ) -> Outcome:
        """Void what says something else, and store what is said now: together, or not at all."""
        stored = await self._store.statements.many(compared)

        def differs(identity: UUID, statement: dict[str, Any]) -> bool:
            present = stored.get(identity)
            return present is not None and not present.voided and not self._same(present, statement, origin)

        statements, replaced = rearranged(made.statements, standing, differs)
        voids = [voiding(before, origin.authority) for before, _ in replaced.values()]
        fresh = [one for one in statements if compared.get(UUID(one["id"]), _NEW).presence is Presence.NEW]

        async def also(transaction: Transaction) -> None:
            await self._store.replacements.stand(replaced, transaction)

        try:
            await self._statements.record(origin, [*fresh, *voids], also=also)
        except Contended as error:
            raise Unavailable("somebody else replaced a statement meanwhile") from error
        return _done(made, (UUID(one["id"]) for one in statements))

    async def void(self, ids: Sequence[UUID], delivery: Delivery, revision: str) -> list[UUID]:
        """Void statements of this adapter that its mapping does not make any more; those that are void
        now.
        """
        mine = await self._store.statements.origins(ids)
        chosen = [one for one, origin in mine.items() if origin.adapter == delivery.adapter]
        open_ones = [one for one in chosen if not mine[one].voided]
        if open_ones:
            origin = self._origin(delivery, revision)
            with translating():
                await self._statements.record(origin, [voiding(one, origin.authority) for one in open_ones])
        return chosen

    # -- comparing

    async def compare(self, adapter: str, statements: Sequence[dict[str, Any]]) -> dict[UUID, Compared]:
        """How valid statements stand to what is stored. Their provenance does not count."""
        authority = self.authority(adapter)
        found: dict[UUID, Compared] = {}
        origins = await self._store.statements.origins([UUID(one["id"]) for one in statements])
        for statement in statements:
            identity = UUID(statement["id"])
            stored = await self._store.statements.settled(identity)
            if stored is None:
                found[identity] = _NEW
                continue
            prepared = _prepared(statement, authority)
            origin = origins.get(identity)
            delivery = origin.delivery if origin is not None else None
            if _equal(stored, prepared):
                presence = Presence.VOIDED if stored.voided else Presence.SAME
                found[identity] = Compared(presence=presence, delivery=delivery)
            elif stored.voided:
                found[identity] = Compared(presence=Presence.VOIDED, delivery=delivery)
            else:
                ours = origin is not None and origin.adapter == adapter
                found[identity] = Compared(
                    presence=Presence.DIFFERENT if ours else Presence.FOREIGN,
                    delivery=delivery,
                    differences=differences(content(stored), prepared),
                )
        return found

    @staticmethod
    def _same(stored: StoredStatement, statement: dict[str, Any], origin: Origin) -> bool:
        return _equal(stored, _prepared(statement, origin.authority))

    async def rehearse(self, made: Made, delivery: Delivery) -> tuple[Outcome, dict[UUID, Compared]]:
        """What `record` would do, without storing anything."""
        if problems := validation.check_batch(made.statements, Version.V2):
            return refused(made, "invalid", f"{problems[0].path}: {problems[0].message}", problems), {}
        try:
            standing = await self._store.replacements.standing(UUID(one["id"]) for one in made.statements)
            ids = {str(base): str(now) for base, now in standing.items()}
            statements = [substituted(one, ids) for one in made.statements]
            compared = await self.compare(delivery.adapter, statements)
        except GatewayError as error:
            return refused(made, error.code, error.message), {}
        presences = {one.presence for one in compared.values()}
        if Presence.FOREIGN in presences:
            return refused(made, "conflict", _FOREIGN), compared
        replace = delivery.replay is not None and delivery.replay.replace
        if Presence.DIFFERENT in presences and not replace:
            return differing(made, delivery, compared), compared
        return _done(made, compared, voided=Presence.VOIDED in presences), compared


_NEW = Compared(presence=Presence.NEW)
_FOREIGN = "somebody else has stored another statement with the same id; statements never change"


def differing(made: Made, delivery: Delivery, compared: Mapping[UUID, Compared]) -> Outcome:
    """The outcome of an event about which something else is stored.

    What this delivery said itself, by an earlier mapping, stands; that another delivery said it is a
    conflict: perhaps the vendor uses ids twice, and somebody has to look.
    """
    different = {key: one for key, one in compared.items() if one.presence is Presence.DIFFERENT}
    problems = tuple(
        {
            "path": f"{identity}: {change['path']}",
            "message": f"stored is {change['stored']!r}, this mapping says {change['made']!r}",
        }
        for identity, one in different.items()
        for change in one.differences
    )[:_MOST_TOLD]
    if any(one.delivery != delivery.id for one in different.values()):
        reason = "another delivery has stored another statement with the same id; statements never change"
        outcome = refused(made, "conflict", reason)
        return Outcome(
            event=outcome.event,
            state=State.FAILED,
            rule=made.rule,
            code="conflict",
            reason=outcome.reason,
            problems=problems,
        )
    return Outcome(
        event=made.event,
        state=State.DIFFERS,
        rule=made.rule,
        code="differs",
        reason="this mapping says something else than what is stored, which stands; see replay --replace",
        statements=tuple(one for one in compared if compared[one].presence is not Presence.NEW),
        problems=problems,
    )


_MOST_TOLD = 10


def _done(made: Made, ids: Any, *, voided: bool = False) -> Outcome:
    return Outcome(
        event=made.event,
        state=State.DONE,
        rule=made.rule,
        reason="a statement of it was voided and stays so" if voided else None,
        statements=tuple(ids),
        warnings=made.warnings,
    )


def _prepared(statement: dict[str, Any], authority: Mapping[str, Any]) -> dict[str, Any]:
    prepared = prepare(copy.deepcopy(statement), version=Version.V2, authority=dict(authority), new_id=uuid4)
    return prepared.statement


def _equal(stored: StoredStatement, prepared: dict[str, Any]) -> bool:
    return same_statement(without_provenance(content(stored)), without_provenance(prepared))
