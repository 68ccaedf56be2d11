"""Registrations: learners are enrolled in courses, followed, and excused from AUs."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from gateway.cmi5 import statements as lms_statements
from gateway.cmi5.overrides import Overrides
from gateway.cmi5.progress import Progress, progress
from gateway.cmi5.satisfaction import au_met
from gateway.cmi5.structure import AU, Course
from gateway.errors import Conflict, Invalid, NotFound, Problem
from gateway.services.courses import Courses, check_tags
from gateway.services.lms import Lms
from gateway.services.standing import Standing
from gateway.services.statements import Statements
from gateway.services.turns import Turns, persistently
from gateway.store.registrations import Registration, RegistrationFilter
from gateway.store.store import Store
from gateway.store.transactions import Contended, Transaction, transact
from gateway.xapi import strict_json
from gateway.xapi.agents import agent_key, check_agent

_REASON_LENGTH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A learner to be registered for a course. `id` is a UUID of the caller's choice, `version` the number of
    a course version other than the current one, `resets` the registration that this one replaces.
    """

    course: UUID
    actor: Mapping[str, Any]
    id: UUID
    overrides: Overrides
    version: int | None = None
    tags: tuple[str, ...] = ()
    preview: bool = False
    resets: UUID | None = None


def check_learner(actor: object, path: str = "actor") -> list[Problem]:
    """Everything that keeps the value from being a learner: an Agent with an account (cmi5 8.1.3)."""
    if isinstance(actor, Mapping) and "account" not in actor:
        message = "has no account; a learner is an Agent with an account (homePage and name)"
        return [Problem(path, "cmi5 8.1.3.0-1", message)]
    return check_agent(actor, path)


class Registrations:
    """The registrations of one store."""

    def __init__(
        self, store: Store, statements: Statements, courses: Courses, *, lms: Lms, turns: Turns
    ) -> None:
        self._store = store
        self._registrations = store.registrations
        self._statements = statements
        self._courses = courses
        self._lms = lms
        self._turns = turns

    async def create(self, enrolment: Enrolment) -> tuple[Registration, bool]:
        """The registration, and whether it is new. Raises NotFound, Invalid, or Conflict where the id
        belongs to another learner or course.

        What is satisfied by being registered alone is recorded now (cmi5 9.3.9).
        """
        if problems := check_learner(enrolment.actor):
            raise Invalid(f"{problems[0].path} {problems[0].message}", problems=problems)

        async def attempt(_again: bool) -> tuple[Registration, bool]:
            present = await self._registrations.get(enrolment.id)
            if present is not None:
                return _same(present, enrolment), False
            return await self._create(enrolment), True

        async with self._turns.of(enrolment.id):
            return await persistently(attempt)

    async def _create(self, enrolment: Enrolment) -> Registration:
        stored = await self._courses.get(enrolment.course)
        version = stored.version
        if enrolment.version is not None:
            version = (await self._courses.numbered(stored.id, enrolment.version)).id
        course = await self._courses.structure(version)
        now = self._lms.now()
        session = lms_statements.registration_session(self._lms.namespace, str(enrolment.id))
        occasion = self._lms.occasion(enrolment.actor, enrolment.id, session, now)
        standing, satisfied = Standing(records={}, satisfied=()).satisfy(course, occasion)
        registration = Registration(
            id=enrolment.id,
            course=stored.id,
            version=version,
            actor=dict(enrolment.actor),
            actor_key=learner_key(enrolment.actor),
            created=now,
            updated=now,
            aus={},
            satisfied=standing.satisfied,
            overrides=strict_json.dumps(enrolment.overrides.to_document()),
            root=course.lms_id,
            tags=enrolment.tags,
            preview=enrolment.preview,
            resets=enrolment.resets,
        )

        async def insert(transaction: Transaction) -> None:
            await self._registrations.insert(registration, transaction)

        if satisfied:
            await self._statements.record(self._lms.origin, satisfied, also=insert)
        else:
            await self._registrations.insert(registration)
        await self._check_course(registration)
        return registration

    async def _check_course(self, registration: Registration) -> None:
        """Take a registration back whose course was deleted meanwhile; raises NotFound.

        A deletion makes the course invisible first and looks for registrations then: it finds this one, or
        this finds it.
        """
        if await self._store.courses.get(registration.course) is not None:
            return

        async def delete(transaction: Transaction) -> None:
            await self._registrations.delete(registration, transaction)

        with contextlib.suppress(Contended):  # It was found.
            await transact(self._store.client, delete)
        raise NotFound(f"the course {registration.course} was deleted")

    async def check_au(self, enrolment: Enrolment, reference: int | str | None) -> None:
        """Raise NotFound unless the learner's version of the course has the AU, registered or not yet."""
        if reference is not None:
            present = await self._registrations.get(enrolment.id)
            version = present.version if present else (await self._courses.get(enrolment.course)).version
            find_au(await self._courses.structure(version), reference)

    async def get(self, registration_id: UUID) -> Registration:
        """A registration; raises NotFound."""
        registration = await self._registrations.get(registration_id)
        if registration is None:
            raise NotFound(f"there is no registration with the id {registration_id}")
        return registration

    async def count(self, course: UUID) -> int:
        """How many learners are registered for a course; previews do not count."""
        return await self._registrations.count(course)

    async def list(
        self,
        which: RegistrationFilter,
        *,
        after: tuple[dt.datetime, UUID] | None = None,
        limit: int = 100,
    ) -> list[Registration]:
        """Registrations that fit, newest first, or oldest change first where the filter asks for changes."""
        return await self._registrations.list(which, after=after, limit=limit)

    async def describe(self, registration_id: UUID, tags: object) -> Registration:
        """Replace the tags; raises NotFound, Invalid."""
        return await self._describe(registration_id, {"tags": check_tags(tags)})

    async def override(self, registration_id: UUID, overrides: Overrides) -> Registration:
        """Replace what applies to every future launch of the registration; raises NotFound."""
        return await self._describe(
            registration_id, {"overrides": strict_json.dumps(overrides.to_document())}
        )

    async def _describe(self, registration_id: UUID, changes: Mapping[str, Any]) -> Registration:
        registration = await self._registrations.describe(registration_id, changes, self._lms.now())
        if registration is None:
            raise NotFound(f"there is no registration with the id {registration_id}")
        return registration

    async def progress(self, registration: Registration) -> Progress:
        """How far the learner is, as a tree of the course."""
        standing = Standing.of(registration)
        course = await self._courses.structure(registration.version)
        return progress(course, standing.records, standing.satisfied)

    async def waive(self, registration_id: UUID, reference: int | str, reason: str) -> None:
        """Let an AU count as met without being taken (cmi5 9.3.7), with everything satisfied by that.

        Raises NotFound, Conflict where it is met already, Invalid for an unusable reason.
        """
        if not reason.strip() or len(reason) > _REASON_LENGTH:
            message = f"has {len(reason)} characters; give a reason of 1 to {_REASON_LENGTH}"
            raise Invalid(f"reason {message}", problems=[Problem("reason", "cmi5 9.5.5.2", message)])

        async def attempt(again: bool) -> None:
            await self._waive(registration_id, reference, reason, again)

        async with self._turns.of(registration_id):
            await persistently(attempt)

    async def _waive(self, registration_id: UUID, reference: int | str, reason: str, again: bool) -> None:
        registration = await self.get(registration_id)
        course = await self._courses.structure(registration.version)
        au = find_au(course, reference)
        standing = Standing.of(registration)
        record = standing.record(au.lms_id)
        if again and record.facts.waived and record.waive_reason == reason:
            return
        if au_met(au.move_on, record.facts):
            done = "waived" if record.facts.waived else "met"
            raise Conflict(f"the AU {au.id} is {done} already in this registration")
        session = lms_statements.waive_session(self._lms.namespace, str(registration.id), au, record.unwaived)
        occasion = self._lms.occasion(registration.actor, registration.id, session, self._lms.now())
        record = replace(record, facts=replace(record.facts, waived=True), waive_reason=reason)
        standing, satisfied = standing.having(au.lms_id, record).satisfy(course, occasion)

        async def change(transaction: Transaction) -> None:
            await self._registrations.change(
                registration, transaction, aus=standing.documents(), satisfied=standing.satisfied
            )

        waived = lms_statements.waived(occasion, au, reason=reason, unwaived=record.unwaived)
        await self._statements.record(self._lms.origin, [waived, *satisfied], also=change)


def find_au(course: Course, reference: int | str) -> AU:
    """The AU with this index, LMS id or publisher id; raises NotFound."""
    au = course.find_au(reference)
    if au is None:
        count = sum(1 for _ in course.aus())
        raise NotFound(f"the course has no AU {reference!r}; it has {count}, with indexes from 0")
    return au


def _same(present: Registration, enrolment: Enrolment) -> Registration:
    if present.course != enrolment.course:
        raise Conflict(f"the registration {present.id} is for another course")
    if present.actor_key != learner_key(enrolment.actor):
        raise Conflict(f"the registration {present.id} is of another learner")
    return present


def learner_key(actor: Mapping[str, Any]) -> str:
    """By what a valid learner is known, whatever name goes with it."""
    key = agent_key(actor)
    assert key is not None, "a learner has an account"
    return key
