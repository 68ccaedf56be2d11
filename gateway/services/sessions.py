"""Sessions after their launch: the AU fetches its token, and at some time the session ends (cmi5 8.2, 9.3.6).

Where a session ends, its token is dead with the same write.
"""

from __future__ import annotations

import datetime as dt
import hmac
from dataclasses import replace
from typing import Any
from uuid import UUID

from gateway.cmi5 import sessions as rules
from gateway.cmi5 import statements as lms_statements
from gateway.cmi5.refusals import Refusal
from gateway.cmi5.sessions import FetchError, SessionEvent, SessionState
from gateway.cmi5.structure import Course
from gateway.errors import Conflict, NotFound, Unauthorized
from gateway.services.courses import Courses
from gateway.services.lms import Lms, micros
from gateway.services.session_keys import auth_token, new_secret, secret_hash
from gateway.services.standing import Standing
from gateway.services.statements import Statements
from gateway.services.turns import Turns, persistently
from gateway.store.refusals import StoredRefusal
from gateway.store.sessions import Session
from gateway.store.store import Store
from gateway.store.transactions import Transaction


class SessionOver(Unauthorized):
    """The right token of a session that it does not open any more; `session` and `store` say which."""

    def __init__(self, session: UUID, store: str, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.session = session
        self.store = store
        self.problems = (refusal.problem(),)


class Sessions:
    """The sessions of one store."""

    def __init__(
        self, store: Store, statements: Statements, courses: Courses, *, lms: Lms, turns: Turns
    ) -> None:
        self._sessions = store.sessions
        self._refusals = store.refusals
        self._registrations = store.registrations
        self._statements = statements
        self._courses = courses
        self._lms = lms
        self._turns = turns

    # -- the token ---------------------------------------------------------------------------------------

    async def fetch(self, fetch_key: str) -> rules.FetchAnswer | None:
        """The answer to a POST of the fetch URL; None if this store does not know the key."""
        hashed, secret = secret_hash(fetch_key), new_secret()
        session = await self._sessions.authorize(
            hashed,
            token=secret_hash(secret),
            before=SessionState.LAUNCHED,
            after=rules.TRANSITIONS[SessionState.LAUNCHED, SessionEvent.FETCH],
            now=self._lms.now(),
        )
        if session is not None:
            return rules.fetched(auth_token(session.id, secret))
        if await self._sessions.by_fetch_key(hashed) is None:
            return None
        return rules.fetch_refused(FetchError.USED)

    async def authenticate(self, session_id: UUID, secret: str, store: str) -> Session | None:
        """The session that a token opens; None for a wrong one, SessionOver for one that has ended.

        `store` is the name by which this store goes.
        """
        session = await self._sessions.get(session_id)
        if session is None or session.token is None:
            return None
        if not hmac.compare_digest(session.token, secret_hash(secret)):
            return None
        if (refusal := rules.token_refusal(SessionState(session.state))) is not None:
            raise SessionOver(session.id, store, refusal)
        return session

    # -- ending ------------------------------------------------------------------------------------------

    async def get(self, session_id: UUID) -> Session:
        """A session; raises NotFound."""
        session = await self._sessions.get(session_id)
        if session is None:
            raise NotFound(f"there is no session with the id {session_id}")
        return session

    async def abandon(self, session_id: UUID, reason: str) -> Session:
        """End a session that its AU did not terminate (cmi5 9.3.6); the session afterwards.

        Abandoning twice changes nothing. Raises NotFound, and Conflict where it is terminated.
        """

        async def attempt(_again: bool) -> Session:
            session = await self.get(session_id)
            if session.state == SessionState.TERMINATED:
                raise Conflict(f"the session {session_id} is terminated; it cannot be abandoned any more")
            if session.state == SessionState.ABANDONED:
                return session
            await self._abandon(session, reason)
            return await self.get(session_id)

        async with self._turns.of((await self.get(session_id)).registration):
            return await persistently(attempt)

    async def _abandon(self, session: Session, reason: str) -> None:
        registration = await self._registrations.get(session.registration)
        if registration is None:
            raise NotFound(f"the registration of the session {session.id} was deleted")
        course = await self._courses.structure(session.version)
        now = self._lms.now()
        standing, statement = self.abandonment(Standing.of(registration), session, course, now)

        async def change(transaction: Transaction) -> None:
            await self._registrations.change(
                registration, transaction, aus=standing.documents(), satisfied=standing.satisfied
            )
            await self.end(session, transaction, now=now, reason=reason)

        await self._statements.record(self._lms.origin, [statement], also=change)

    async def end(self, session: Session, transaction: Transaction, *, now: dt.datetime, reason: str) -> None:
        """Leave the session abandoned; the abandoned statement belongs into the same transaction."""
        await self._sessions.abandon(
            session, transaction, state=SessionState.ABANDONED, now=now, reason=reason
        )

    def abandonment(
        self, standing: Standing, session: Session, course: Course, now: dt.datetime
    ) -> tuple[Standing, dict[str, Any]]:
        """The standing with the time of the session added, and the abandoned statement."""
        au = course.find_au(session.au)
        assert au is not None, "the version of a session has its AU"
        last = None if session.last_statement is None else micros(session.last_statement)
        duration = lms_statements.abandoned_duration(micros(session.launched), last)
        occasion = self._lms.occasion(session.actor, session.registration, session.id, now)
        record = standing.record(au.lms_id)
        standing = standing.having(au.lms_id, replace(record, time=record.time + duration))
        return standing, lms_statements.abandoned(occasion, au, duration=duration)

    async def abandon_lapsed(self, *, idle: dt.timedelta, lifetime: dt.timedelta) -> int:
        """Abandon the sessions that were silent or lasted for too long; how many there were.

        Any number of processes may do this at once: each session is abandoned by one of them.
        """
        now = self._lms.now()
        found = await self._sessions.lapsed(silent_since=now - idle, launched_before=now - lifetime)
        for session in found:
            reason = "too old" if session.launched <= now - lifetime else "silent"
            try:
                await self.abandon(session.id, reason)
            except (Conflict, NotFound):
                continue  # Its AU terminated it, or somebody deleted it, just now.
        return len(found)

    # -- looking ---------------------------------------------------------------------------------------

    async def refusals(self, session_id: UUID) -> list[StoredRefusal]:
        """What the AU of a session sent in vain, oldest first."""
        return await self._refusals.list(session_id)

    async def list(
        self,
        *,
        registration: UUID | None = None,
        course: UUID | None = None,
        only_open: bool = False,
        preview: bool = False,
        after: tuple[dt.datetime, UUID] | None = None,
        limit: int = 100,
    ) -> list[Session]:
        """Sessions of a registration, of a course or of all learners, the latest launch first; with `preview`
        those of previews instead.
        """
        return await self._sessions.list(
            registration=registration,
            course=course,
            only_open=only_open,
            preview=preview,
            after=after,
            limit=limit,
        )
