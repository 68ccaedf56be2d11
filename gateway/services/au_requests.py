"""What AUs send with their tokens: judged by cmi5 first, then handled like anybody's request.

Statements, the state of session and registration, and whatever becomes satisfied are stored together or not
at all. A session's requests take turns, so that they are judged in the order in which they arrived.
"""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from gateway.cmi5.gate import Effects, Refused, examine
from gateway.cmi5.gate_documents import DocumentRequest, asks_for_preferences, examine_document
from gateway.cmi5.gate_view import SessionView
from gateway.cmi5.numbers import as_decimal
from gateway.cmi5.refusals import Refusal
from gateway.cmi5.sessions import SessionState
from gateway.cmi5.vocabulary import COMPLETED, PASSED, PREFERENCES_ID, LaunchMode
from gateway.errors import BadRequest, Forbidden, GatewayError, Invalid, Unauthorized
from gateway.services.access import Grant
from gateway.services.courses import Courses
from gateway.services.lms import Lms
from gateway.services.standing import Standing, after_step, reported_percent
from gateway.services.statements import Accept, Insertion
from gateway.services.turns import Turns, persistently
from gateway.store.documents import Context
from gateway.store.refusals import StoredRefusal
from gateway.store.registrations import Registration
from gateway.store.sessions import Session
from gateway.store.store import Store
from gateway.store.transactions import Transaction
from gateway.xapi import documents as document_rules
from gateway.xapi import strict_json
from gateway.xapi.comparison import same_statement
from gateway.xapi.datatypes import is_uuid

_MOVING = frozenset({COMPLETED, PASSED})
_NOBODYS = Standing(records={}, satisfied=())


class AURequests:
    """The requests of AUs to one store."""

    def __init__(self, store: Store, courses: Courses, *, lms: Lms, turns: Turns) -> None:
        self._store = store
        self._courses = courses
        self._lms = lms
        self._turns = turns
        self._seen: dict[UUID, dt.datetime] = {}

    # -- statements --------------------------------------------------------------------------------------

    async def admit(self, grant: Grant, value: Any, accept: Accept) -> list[str]:
        """Judge the statements of one request and store them by `accept`; their ids.

        Raises Forbidden, Unauthorized or Invalid with the requirements that are not met.
        """
        assert grant.session is not None, "only an AU's statements are judged"
        assert grant.registration is not None, "a session belongs to a registration"
        session = grant.session

        async def attempt(again: bool) -> list[str]:
            return await self._admit(session, value, accept, again)

        async with self._turns.of(grant.registration):
            return await persistently(attempt)

    async def _admit(self, session_id: UUID, value: Any, accept: Accept, again: bool) -> list[str]:
        session, registration = await self._read(session_id)
        statements = value if isinstance(value, list) else [value]
        standing = Standing.of(registration)
        verdict = examine(statements, _view(session, standing))
        if isinstance(verdict, Refused):
            if (again or session.ended is None) and await self._is_repeated(session, statements):
                return [statement["id"] for statement in statements]
            raise _refused(verdict.refusals)
        now = self._lms.now()
        changed, insertions = await self._follow(session, standing, statements, verdict, now)
        after = _after(session, verdict, len(statements), now)

        async def change(transaction: Transaction) -> None:
            # What the AU reports comes before what follows from it, also in the notices of both.
            await self._store.sessions.note_statements(session, transaction, now=now, after=after)
            if changed != standing or after.state != session.state or after.used != session.used:
                await self._store.registrations.change(
                    registration, transaction, aus=changed.documents(), satisfied=changed.satisfied
                )

        # Preparing changes them, and another attempt has to judge what was sent.
        return await accept(copy.deepcopy(value), insertions, change)

    async def _follow(
        self,
        session: Session,
        standing: Standing,
        statements: Sequence[Any],
        effects: Effects,
        now: dt.datetime,
    ) -> tuple[Standing, list[Insertion]]:
        """The standing after the statements, and what becomes satisfied behind which of them."""
        insertions: list[Insertion] = []
        for step in effects.steps:
            record = after_step(standing.record(session.au), step, statements[step.index])
            standing = standing.having(session.au, record)
        for statement in statements:
            if (percent := reported_percent(statement)) is not None:
                standing = standing.having(session.au, replace(standing.record(session.au), percent=percent))
        if effects.moves_on:
            course = await self._courses.structure(session.version)
            occasion = self._lms.occasion(session.actor, session.registration, session.id, now)
            standing, satisfied = standing.satisfy(course, occasion)
            last = max(step.index for step in effects.steps if step.verb in _MOVING)
            insertions = [
                Insertion(after=last, statement=statement, origin=self._lms.origin) for statement in satisfied
            ]
        return standing, insertions

    async def _is_repeated(self, session: Session, statements: Sequence[Any]) -> bool:
        """Whether this very request was accepted before, its answer having been lost."""
        ids = [statement.get("id") if isinstance(statement, dict) else None for statement in statements]
        if not ids or not all(map(is_uuid, ids)):
            return False
        stored = await self._store.statements.many(map(UUID, ids), {"source.session": str(session.id)})
        for statement, identifier in zip(statements, ids, strict=True):
            found = stored.get(UUID(identifier))
            if found is None:
                return False
            text = found.text
            present = strict_json.parse(text.encode()).value if text else found.statement
            if not same_statement(present, statement):
                return False
        return True

    # -- documents ---------------------------------------------------------------------------------------

    async def check_document(self, grant: Grant, request: DocumentRequest, body: bytes) -> None:
        """Judge a request to a resource beside `statements`; raises as `admit` does.

        `body` is looked at where learner preferences are written.
        """
        assert grant.session is not None, "only an AU's requests are judged"
        session = await self._session(grant.session)
        if request.document_id == PREFERENCES_ID and request.method in ("PUT", "POST"):
            request = replace(request, content=await self._written(request, grant.learner, body))
        view = _view(session, _NOBODYS)  # how far the learner is decides nothing here
        if refusals := examine_document(request, view):
            raise _refused(refusals)
        if asks_for_preferences(request) and not session.preferences_requested:
            await self._store.sessions.note_preferences(session.id)
        self.seen(grant)

    async def _written(self, request: DocumentRequest, learner: str | None, body: bytes) -> Any:
        """The learner preferences as they would be after a PUT or POST; None for what is no JSON."""
        try:
            if request.method == "POST":
                context = Context(kind="agent_profile", agent=learner)
                present = await self._store.documents.get(context, PREFERENCES_ID)
                if present is not None:
                    body = document_rules.merge(
                        present.content_type, present.content, request.content_type, body
                    )
            return strict_json.parse(body).value
        except BadRequest:
            return None

    # -- keeping track -----------------------------------------------------------------------------------

    async def note_refusal(self, session: UUID, request: str, error: GatewayError) -> None:
        """Keep what was refused, for whoever has to find out why a course misbehaves."""
        await self._store.refusals.insert(
            StoredRefusal(
                session=session,
                time=self._lms.now(),
                request=request,
                status=error.status,
                message=error.message,
                problems=tuple(
                    {"path": each.path, "requirement": each.requirement, "message": each.message}
                    for each in error.problems
                ),
            )
        )

    def seen(self, grant: Grant) -> None:
        """Note that a session is in use; `note_use` writes it down."""
        assert grant.session is not None, "only sessions are watched"
        self._seen[grant.session] = self._lms.now()

    async def note_use(self) -> None:
        """Write down which sessions were used since the last call."""
        seen, self._seen = self._seen, {}
        await self._store.sessions.note_use(seen)

    async def _session(self, session_id: UUID) -> Session:
        session = await self._store.sessions.get(session_id)
        if session is None:
            raise Unauthorized("the session was deleted; launch the AU again")
        return session

    async def _read(self, session_id: UUID) -> tuple[Session, Registration]:
        session = await self._session(session_id)
        registration = await self._store.registrations.get(session.registration)
        if registration is None:
            raise Unauthorized("the registration was deleted; launch the AU again")
        return session, registration


def _view(session: Session, standing: Standing) -> SessionView:
    """A session as the gate needs it."""
    data = strict_json.parse(session.launch_data).value
    return SessionView(
        session=str(session.id),
        actor=session.actor,
        registration=str(session.registration),
        activity_id=session.au,
        context_template=data["contextTemplate"],
        state=SessionState(session.state),
        launch_mode=LaunchMode(session.mode),
        mastery=as_decimal(data.get("masteryScore")),
        used=session.used,
        au=standing.facts(session.au),
        preferences_requested=session.preferences_requested,
        initialized_at=session.initialized_at,
        latest_at=session.latest_at,
    )


def _after(session: Session, effects: Effects, count: int, now: dt.datetime) -> Session:
    view = effects.view
    return replace(
        session,
        state=view.state.value,
        used=view.used,
        initialized_at=view.initialized_at,
        latest_at=view.latest_at,
        statements=session.statements + count,
        ended=now if view.state is SessionState.TERMINATED else None,
    )


def _refused(refusals: Sequence[Refusal]) -> GatewayError:
    """The answer to a request that was refused: 400 before 401 before 403."""
    status = min(refusal.status for refusal in refusals)
    problems = [refusal.problem() for refusal in refusals]
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    where = f"{first.path} " if first.path else ""
    message = f"{where}{first.message} [{first.requirement}]{more}"
    if status == 401:
        error = Unauthorized(message)
        error.problems = tuple(problems)
        return error
    return (Invalid if status == 400 else Forbidden)(message, problems=problems)
