"""Launches: a session of an AU begins, all of it or nothing (cmi5 8.1, 9.3.1, 10)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

from gateway.cmi5 import launch as rules
from gateway.cmi5 import statements as lms_statements
from gateway.cmi5.launch import LaunchSettings
from gateway.cmi5.overrides import Overrides
from gateway.cmi5.satisfaction import au_met
from gateway.cmi5.sessions import SessionState
from gateway.cmi5.structure import AU, Course
from gateway.cmi5.urls import absolute_url
from gateway.cmi5.vocabulary import LAUNCH_DATA_ID, LaunchMethod, LaunchMode
from gateway.services.addresses import Addresses
from gateway.services.courses import Courses, stored_overrides
from gateway.services.documents import context_of
from gateway.services.lms import Lms
from gateway.services.registrations import Registrations, find_au
from gateway.services.session_keys import new_secret, secret_hash
from gateway.services.sessions import Sessions
from gateway.services.standing import Standing
from gateway.services.statements import Statements
from gateway.services.turns import Turns, persistently
from gateway.store.documents import Document
from gateway.store.registrations import Registration
from gateway.store.sessions import Session
from gateway.store.store import Store
from gateway.store.transactions import Transaction
from gateway.xapi import documents as document_rules
from gateway.xapi import strict_json
from gateway.xapi.document_queries import StateQuery

_A_MOMENT = dt.timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """`au` is an index, LMS id or publisher id; None is the first AU that is not met yet."""

    registration: UUID
    au: int | str | None
    overrides: Overrides
    addresses: Addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """A session that has begun; `url` is where the learner's browser has to go."""

    url: str
    registration: UUID
    session: UUID
    au: str
    mode: LaunchMode
    method: LaunchMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class _Launch:
    """A launch as it is decided on one reading of the registration."""

    registration: Registration
    course: Course
    au: AU
    settings: LaunchSettings
    mode: LaunchMode
    url: str  # of the AU, without launch parameters


class Launches:
    """The launches of one store."""

    def __init__(
        self,
        store: Store,
        statements: Statements,
        courses: Courses,
        registrations: Registrations,
        sessions: Sessions,
        *,
        lms: Lms,
        turns: Turns,
        return_url: str | None,
    ) -> None:
        self._store = store
        self._statements = statements
        self._courses = courses
        self._registrations = registrations
        self._sessions = sessions
        self._lms = lms
        self._turns = turns
        self._return_url = return_url

    async def launch(self, request: LaunchRequest) -> Launched:
        """Begin a session; raises NotFound.

        In the order of cmi5: the open session of the registration is abandoned, the launch data written,
        launched recorded; all of that in one transaction, and only then is there a URL.
        """
        session, fetch_key = uuid4(), new_secret()

        async def attempt(again: bool) -> Launched:
            launch, standing = await self._decide(request)
            if not again or await self._store.sessions.get(session) is None:
                await self._begin(launch, standing, session, fetch_key)
            return _launched(launch, session, fetch_key, request.addresses.gateway)

        async with self._turns.of(request.registration):
            return await persistently(attempt)

    async def method(self, registration_id: UUID, reference: int | str | None) -> LaunchMethod:
        """How the AU that would be launched wants to be shown; raises NotFound."""
        registration = await self._registrations.get(registration_id)
        course = await self._courses.structure(registration.version)
        au = _next(course, Standing.of(registration)) if reference is None else find_au(course, reference)
        return au.launch_method

    async def _decide(self, request: LaunchRequest) -> tuple[_Launch, Standing]:
        registration = await self._registrations.get(request.registration)
        stored = await self._courses.get(registration.course)
        course = await self._courses.structure(registration.version)
        standing = Standing.of(registration)
        au = _next(course, standing) if request.au is None else find_au(course, request.au)
        layers = (stored_overrides(stored.overrides), stored_overrides(registration.overrides))
        settings = rules.effective(au, *layers, request.overrides)
        back = settings.return_url or self._return_url or f"{request.addresses.gateway}/cmi5/done"
        record = standing.record(au.lms_id)
        # What is in force at a launch counts from then on, also when it is the structure's own again.
        move_on = None if settings.move_on is au.move_on else settings.move_on
        facts = replace(record.facts, move_on=move_on)
        standing = standing.having(au.lms_id, replace(record, facts=facts, sessions=record.sessions + 1))
        launch = _Launch(
            registration=registration,
            course=course,
            au=au,
            settings=replace(settings, return_url=back),
            mode=rules.choose_mode(settings.move_on, facts, settings.launch_mode),
            url=absolute_url(au.url, f"{request.addresses.content}/{registration.version}"),
        )
        return launch, standing

    async def _begin(self, launch: _Launch, standing: Standing, session_id: UUID, fetch_key: str) -> None:
        registration, au = launch.registration, launch.au
        before = await self._store.sessions.open_of(registration.id)
        now = self._lms.now()
        begun = now + _A_MOMENT  # behind the end of the session before
        recorded: list[dict[str, Any]] = []
        if before is not None:
            standing, abandoned = self._sessions.abandonment(standing, before, launch.course, now)
            recorded.append(abandoned)
        occasion = self._lms.occasion(registration.actor, registration.id, session_id, begun)
        recorded.append(
            lms_statements.launched(occasion, au, settings=launch.settings, mode=launch.mode, url=launch.url)
        )
        standing, satisfied = standing.satisfy(launch.course, occasion)
        launch_data = _launch_data(launch, session_id)
        session = _session(launch, session_id, fetch_key, begun, launch_data)

        async def change(transaction: Transaction) -> None:
            if before is not None:
                await self._sessions.end(before, transaction, now=now, reason="relaunched")
            await self._store.sessions.insert(session, transaction)
            await self._store.documents.write(
                context_of(_launch_data_query(launch)), LAUNCH_DATA_ID, _json(launch_data, now), transaction
            )
            await self._store.registrations.change(
                registration, transaction, aus=standing.documents(), satisfied=standing.satisfied
            )

        await self._statements.record(self._lms.origin, [*recorded, *satisfied], also=change)


def _next(course: Course, standing: Standing) -> AU:
    """The first AU that is not met yet, else the first of all."""
    aus = list(course.aus())
    return next((au for au in aus if not au_met(au.move_on, standing.facts(au.lms_id))), aus[0])


def _launched(launch: _Launch, session: UUID, fetch_key: str, gateway: str) -> Launched:
    url = rules.launch_url(
        launch.url,
        endpoint=f"{gateway}/xapi/",
        fetch=f"{gateway}/cmi5/fetch/{fetch_key}",
        actor=launch.registration.actor,
        registration=str(launch.registration.id),
        activity_id=launch.au.lms_id,
    )
    return Launched(
        url=url,
        registration=launch.registration.id,
        session=session,
        au=launch.au.lms_id,
        mode=launch.mode,
        method=launch.au.launch_method,
    )


def _session(
    launch: _Launch, session: UUID, fetch_key: str, begun: dt.datetime, launch_data: bytes
) -> Session:
    return Session(
        id=session,
        registration=launch.registration.id,
        course=launch.registration.course,
        version=launch.registration.version,
        au=launch.au.lms_id,
        state=SessionState.LAUNCHED,
        mode=launch.mode,
        actor=launch.registration.actor,
        launch_data=launch_data,
        fetch_key=secret_hash(fetch_key),
        launched=begun,
        last_seen=begun,
        preview=launch.registration.preview,
    )


def _launch_data(launch: _Launch, session: UUID) -> bytes:
    template = rules.context_template(
        launch.au,
        session=str(session),
        registration=str(launch.registration.id),
        additions=launch.settings.context,
    )
    return strict_json.dumps(rules.launch_data(launch.settings, mode=launch.mode, template=template))


def _launch_data_query(launch: _Launch) -> StateQuery:
    """As an AU asks for its launch data: by activity, agent and registration of its launch URL."""
    return StateQuery(
        activity_id=launch.au.lms_id,
        agent=dict(launch.registration.actor),
        agent_key=launch.registration.actor_key,
        registration=launch.registration.id,
        document_id=LAUNCH_DATA_ID,
    )


def _json(content: bytes, now: dt.datetime) -> Document:
    return Document(
        content=content,
        content_type="application/json",
        etag=document_rules.etag(content),
        modified=now,
    )
