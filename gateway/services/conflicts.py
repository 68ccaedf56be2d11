"""What others store, as far as it touches a registration: results that are not theirs to give are voided, and
results that somebody voids stop counting (cmi5 6.3).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from gateway.cmi5 import conflicts as rules
from gateway.cmi5.progress import AURecord
from gateway.cmi5.vocabulary import COMPLETED, PASSED, WAIVED
from gateway.services.entries import content
from gateway.services.lms import Lms
from gateway.services.standing import Standing
from gateway.services.statements import Accept, Insertion
from gateway.services.turns import persistently
from gateway.store.refusals import StoredRefusal
from gateway.store.registrations import Registration
from gateway.store.store import Store
from gateway.store.transactions import Also, Transaction
from gateway.xapi.datatypes import is_uuid


class Conflicts:
    """The watch over one store's registrations."""

    def __init__(self, store: Store, *, lms: Lms) -> None:
        self._store = store
        self._lms = lms

    async def watch(self, value: Any, accept: Accept) -> list[str]:
        """Store by `accept` statements of which some `concern` registrations; their ids.

        With each that poses as a result in one of ours goes the statement that voids it, in one write.
        """

        async def attempt(_again: bool) -> list[str]:
            sent = copy.deepcopy(value)  # Preparing changes them.
            statements = sent if isinstance(sent, list) else [sent]
            posing = await self._posing(statements)
            ids = await accept(sent, self._voidings(statements, posing), await self._revocation(statements))
            for index in posing:
                await self._note(statements[index])
            return ids

        return await persistently(attempt)

    async def _posing(self, statements: Sequence[Any]) -> list[int]:
        """The indexes of those that claim a registration of ours."""
        claims = {
            index: UUID(claimed)
            for index, statement in enumerate(statements)
            if is_uuid(claimed := rules.claimed_registration(statement))
        }
        ours = await self._store.registrations.existing(set(claims.values())) if claims else set()
        return [index for index, registration in claims.items() if registration in ours]

    def _voidings(self, statements: Sequence[Any], posing: Sequence[int]) -> list[Insertion]:
        found = []
        for index in posing:
            target = statements[index].setdefault("id", str(uuid4()))
            if is_uuid(target):  # else it is refused
                voiding = rules.voiding(self._lms.namespace, self._lms.origin.authority, target)
                found.append(
                    Insertion(after=index, statement=voiding, origin=self._lms.origin, bound=UUID(target))
                )
        return found

    async def _revocation(self, statements: Sequence[Any]) -> Also | None:
        """What lets the results that are voided here no longer count; None where none did."""
        targets = {UUID(target) for each in statements if is_uuid(target := rules.voided_target(each))}
        if not targets:
            return None
        # An AU's results, and what the LMS recorded itself: these two count, whatever else looks like them.
        counting = {"$or": [{"source.session": {"$exists": True}}, {"source.cmi5": "lms"}]}
        stored = await self._store.statements.many(targets, counting)
        changed: dict[UUID, tuple[Registration, Standing]] = {}
        for found in stored.values():
            statement = content(found)
            registration = rules.claimed_registration(statement)
            if found.voided or registration is None:
                continue
            before = changed.get(UUID(registration)) or await self._standing(UUID(registration))
            if before is None:
                continue
            au, verb = statement["object"].get("id", ""), statement["verb"]["id"]
            record = before[1].record(au)
            changed[UUID(registration)] = before[0], before[1].having(au, _without(record, verb))

        async def change(transaction: Transaction) -> None:
            for registration, standing in changed.values():
                await self._store.registrations.change(
                    registration, transaction, aus=standing.documents(), satisfied=standing.satisfied
                )

        return change if changed else None

    async def _standing(self, registration_id: UUID) -> tuple[Registration, Standing] | None:
        registration = await self._store.registrations.get(registration_id)
        return None if registration is None else (registration, Standing.of(registration))

    async def _note(self, statement: Any) -> None:
        """Tell whoever debugs the session that the statement names."""
        claimed = rules.claimed_session(statement)
        session = await self._store.sessions.get(UUID(claimed)) if is_uuid(claimed) else None
        if session is None:
            return
        problem = rules.problem(statement)
        await self._store.refusals.insert(
            StoredRefusal(
                session=session.id,
                time=self._lms.now(),
                request="statement of another credential",
                status=200,
                message=f"{problem.message} [{problem.requirement}]",
                problems=(
                    {
                        "path": problem.path,
                        "requirement": problem.requirement,
                        "message": problem.message,
                    },
                ),
            )
        )


def _without(record: AURecord, verb: str) -> AURecord:
    facts = record.facts
    if verb == WAIVED and facts.waived:
        without = replace(facts, waived=False)
        return replace(record, facts=without, waive_reason=None, unwaived=record.unwaived + 1)
    without = replace(
        facts, completed=facts.completed and verb != COMPLETED, passed=facts.passed and verb != PASSED
    )
    return replace(record, facts=without)
