"""Taking away registrations and courses. The learning record keeps every statement of them."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import structlog

from gateway.errors import Conflict, NotFound
from gateway.services.courses import Courses, stored_overrides
from gateway.services.lms import Lms
from gateway.services.registrations import Enrolment, Registrations
from gateway.services.sessions import Sessions
from gateway.services.turns import persistently
from gateway.services.working import together
from gateway.store.registrations import Registration, RegistrationFilter
from gateway.store.store import Store
from gateway.store.transactions import Transaction, transact

log = structlog.get_logger(__name__)

# Registrations that are deleted before a request is answered; it takes a few seconds.
DELETED_AT_ONCE = 500
_CHUNK = 100
_AT_ONCE = 4
_LOOK_EVERY = 5.0  # seconds
# Whoever deletes a course says so after each chunk; after this long another process takes over.
_IDLE = dt.timedelta(minutes=2)
_AT_ANY_TIME = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Reset:
    """A registration in the place of another one."""

    registration: Registration
    links_revoked: int


class Removals:
    """What can be deleted or begun anew in one store."""

    def __init__(
        self,
        store: Store,
        courses: Courses,
        registrations: Registrations,
        sessions: Sessions,
        *,
        lms: Lms,
    ) -> None:
        self._store = store
        self._courses = courses
        self._registrations = registrations
        self._sessions = sessions
        self._lms = lms

    async def delete_registration(self, registration_id: UUID) -> None:
        """Forget a registration with its sessions and links; an open session is abandoned before.

        Raises NotFound.
        """

        async def attempt(again: bool) -> None:
            registration = await self._store.registrations.get(registration_id)
            if registration is None:
                if again:
                    return
                raise NotFound(f"there is no registration with the id {registration_id}")
            await self._end_session(registration_id, "registration deleted")
            registration = await self._registrations.get(registration_id)

            async def write(transaction: Transaction) -> None:
                sessions = await self._store.sessions.delete_of(registration_id, transaction)
                await self._store.refusals.delete_of(sessions, transaction)
                await self._store.launch_links.delete_of(registration_id, transaction)
                await self._store.registrations.delete(registration, transaction)

            await transact(self._store.client, write)

        await persistently(attempt)

    async def reset(self, registration_id: UUID) -> Reset:
        """Let the learner begin anew: a new registration for the current version of the course.

        The old one stays as it is, for the record; its open session is abandoned and its links are revoked.
        Raises NotFound.
        """
        old = await self._registrations.get(registration_id)
        await self._end_session(registration_id, "registration reset")
        revoked = await self._store.launch_links.revoke(registration_id, None, self._lms.now())
        enrolment = Enrolment(
            course=old.course,
            actor=old.actor,
            id=uuid4(),
            overrides=stored_overrides(old.overrides),
            tags=old.tags,
            resets=old.id,
        )
        registration, _ = await self._registrations.create(enrolment)
        return Reset(registration, revoked)

    async def delete_course(
        self, course_id: UUID, *, force: bool = False, at_once: int | None = None
    ) -> bool:
        """Remove a course with its versions and files; with `force` its registrations, too.

        From the first moment it is there for nobody any more. True when all of it is gone; False when it had
        more than `at_once` registrations: the others go in the background. Raises NotFound, and Conflict
        where there are registrations and no force.
        """
        if not await self._store.courses.begin_deletion(course_id, self._lms.now()):
            raise NotFound(f"there is no course with the id {course_id}")
        # Counted after that: whoever is being registered meanwhile is counted here, or sees it (see
        # `Registrations`).
        registered = 0 if force else await self._store.registrations.count(course_id)
        if registered:
            await self._store.courses.end_deletion(course_id)
            learners = "1 registration" if registered == 1 else f"{registered} registrations"
            raise Conflict(f"the course has {learners}; delete these first, or force it")
        if await self._empty(course_id, at_once):
            await self._delete_versions(course_id)
            return True
        await self._store.courses.renew_deletion(course_id, _AT_ANY_TIME)
        return False

    async def run(self) -> None:
        """Finish deletions that were left to the background, or whose process died, until cancelled."""
        while True:
            now = self._lms.now()
            course_id = await self._store.courses.take_over_deletion(now - _IDLE, now)
            if course_id is None:
                await asyncio.sleep(_LOOK_EVERY)
                continue
            await self._empty(course_id, None)
            await self._delete_versions(course_id)
            log.info("course deleted", course=str(course_id))

    async def _empty(self, course_id: UUID, most: int | None) -> bool:
        """Delete the registrations of a course, at most so many; whether none is left."""
        deleted = 0
        for preview in (False, True):
            which = RegistrationFilter(course=course_id, preview=preview)
            while found := await self._store.registrations.list(which, limit=_CHUNK):
                if most is not None and deleted + len(found) > most:
                    return False
                waiting = iter(found)
                await together(self._delete_each(waiting) for _ in range(_AT_ONCE))
                await self._store.courses.renew_deletion(course_id, self._lms.now())
                deleted += len(found)
        return True

    async def _delete_each(self, registrations: Iterator[Registration]) -> None:
        for registration in registrations:
            with contextlib.suppress(NotFound):  # Somebody else was faster.
                await self.delete_registration(registration.id)

    async def _delete_versions(self, course_id: UUID) -> None:
        for version in await self._store.courses.versions(course_id):
            # Should this process die before the files are gone, they are swept later.
            await self._store.course_files.doom(version.id, self._lms.now())
        doomed: list[UUID] = []

        async def write(transaction: Transaction) -> None:
            doomed[:] = await self._store.courses.delete(course_id, transaction)

        await transact(self._store.client, write)
        for version_id in doomed:
            await self._store.course_files.discard(version_id)

    async def _end_session(self, registration_id: UUID, reason: str) -> None:
        session = await self._store.sessions.open_of(registration_id)
        if session is not None:
            try:
                await self._sessions.abandon(session.id, reason)
            except Conflict:
                return  # Its AU terminated it just now.
