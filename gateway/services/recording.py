"""Statements that mappings made, on their way into the store: exactly once, however often they are made."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from gateway.errors import BadRequest, Conflict, GatewayError, Invalid, TooLarge
from gateway.services.adapting import Made, refused, without_provenance
from gateway.services.entries import Origin
from gateway.services.statements import Statements
from gateway.store.connection import translating
from gateway.store.delivery_records import Delivery, Outcome, State
from gateway.store.store import Store
from gateway.xapi import strict_json, validation
from gateway.xapi.comparison import same_statement
from gateway.xapi.statements import prepare
from gateway.xapi.versions import Version


class Presence(StrEnum):
    """How a statement that is made again stands to what is stored under its id."""

    NEW = "new"
    SAME = "same"
    DIFFERENT = "different"


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

    async def record(self, made: Made, delivery: Delivery, revision: str) -> Outcome:
        """Store the statements of one event, all or none. Raises Unavailable, and nothing else on purpose."""
        origin = Origin(
            authority=self.authority(delivery.adapter),
            source={"adapter": delivery.adapter, "revision": revision},
            define=True,
            delivery=delivery.id,
        )
        try:
            with translating():
                ids = await self._store_event(origin, made.statements)
        except Invalid as error:
            return refused(made, f"invalid: {error.message}", error.problems)
        except Conflict as error:
            return refused(made, f"conflict: {error.message}")
        except (BadRequest, TooLarge) as error:
            return refused(made, f"{error.code}: {error.message}", error.problems)
        return Outcome(
            event=made.event, state=State.DONE, rule=made.rule, statements=ids, warnings=made.warnings
        )

    async def _store_event(self, origin: Origin, statements: Sequence[dict[str, Any]]) -> tuple[UUID, ...]:
        try:
            return tuple(map(UUID, await self._statements.record(origin, statements)))
        except Conflict:
            # Made before, of the same event in another delivery or by another version of the mapping?
            presence = await self.compare(origin.authority, statements)
            if Presence.DIFFERENT in presence.values():
                raise
            fresh = [one for one in statements if presence.get(UUID(one["id"])) is Presence.NEW]
            if fresh:
                await self._statements.record(origin, fresh)
            return tuple(UUID(one["id"]) for one in statements)

    async def compare(
        self, authority: Mapping[str, Any], statements: Sequence[dict[str, Any]]
    ) -> dict[UUID, Presence]:
        """How valid statements stand to what is stored. Their provenance does not count."""
        found: dict[UUID, Presence] = {}
        for statement in statements:
            prepared = prepare(
                copy.deepcopy(statement), version=Version.V2, authority=dict(authority), new_id=uuid4
            )
            found[prepared.id] = await self._presence(prepared.id, prepared.statement)
        return found

    async def _presence(self, statement_id: UUID, statement: dict[str, Any]) -> Presence:
        stored = await self._store.statements.settled(statement_id)
        if stored is None:
            return Presence.NEW
        present = strict_json.parse(stored.text.encode()).value if stored.text else stored.statement
        same = same_statement(without_provenance(present), without_provenance(statement))
        return Presence.SAME if same else Presence.DIFFERENT

    async def rehearse(self, made: Made, adapter: str) -> tuple[Outcome, dict[UUID, Presence]]:
        """What `record` would do, without storing anything."""
        if problems := validation.check_batch(made.statements, Version.V2):
            return refused(made, f"invalid: {problems[0].path}: {problems[0].message}", problems), {}
        try:
            presence = await self.compare(self.authority(adapter), made.statements)
        except GatewayError as error:
            return refused(made, f"{error.code}: {error.message}"), {}
        if Presence.DIFFERENT in presence.values():
            return refused(made, "conflict: another statement is stored with the same id"), presence
        outcome = Outcome(
            event=made.event,
            state=State.DONE,
            rule=made.rule,
            statements=tuple(presence),
            warnings=made.warnings,
        )
        return outcome, presence
