"""Two sets of services on one database are two processes: nothing in memory tells one of the other."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest

from gateway.cmi5.overrides import Overrides
from gateway.cmi5.vocabulary import COMPLETED, word
from gateway.errors import Conflict, GatewayError, NotFound
from gateway.services.access import Grant, Scope
from gateway.services.addresses import Addresses
from gateway.services.launches import Launched, LaunchRequest
from gateway.services.registrations import Enrolment
from gateway.services.services import Services
from gateway.services.statements import Sent
from gateway.store.statements import Selection
from gateway.store.store import Store
from gateway.xapi import strict_json
from gateway.xapi.agents import agent_key
from gateway.xapi.versions import Version
from tests.cmi5.samples import ACTOR, au_xml, block_xml, defined, structure_xml
from tests.gateway import settings_for
from tests.waiting import beside

HERE = Addresses(gateway="http://gateway.example.org", content="http://content.example.org")
NO_TIME = dt.timedelta(0)
LONG = dt.timedelta(days=1)


@asynccontextmanager
async def _process(store: Store) -> AsyncIterator[Services]:
    services = Services(store, settings_for(store.name), more_key=b"k" * 32)
    async with beside(services.run()):
        yield services


@pytest.fixture
async def processes(store: Store) -> AsyncIterator[list[Services]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(_process(store)) for _ in range(3)]


async def _registered(services: Services, *aus: str) -> UUID:
    structure = io.BytesIO(structure_xml(*(aus or (block_xml(1, au_xml(1)),))))
    imported = await services.courses.create(structure, base=HERE.gateway)
    enrolment = Enrolment(course=imported.stored.id, actor=ACTOR, id=uuid4(), overrides=Overrides())
    registration, _ = await services.registrations.create(enrolment)
    return registration.id


async def _launch(services: Services, registration: UUID) -> Launched:
    request = LaunchRequest(registration=registration, au=0, overrides=Overrides(), addresses=HERE)
    return await services.launches.launch(request)


async def _active(services: Services, registration: UUID) -> Grant:
    """The grant of a session that has been initialized."""
    launched = await _launch(services, registration)
    key = launched.url.partition("fetch%2F")[2].partition("&")[0]
    assert await services.sessions.fetch(key)
    await services.store.sessions.note_preferences(launched.session)
    key_ = agent_key(ACTOR)
    assert key_ is not None
    grant = Grant(
        key="au",
        store="main",
        scopes=frozenset(Scope),
        authority={"account": {"homePage": HERE.gateway, "name": "au"}},
        session=launched.session,
        registration=registration,
        learner=key_,
    )
    await _send(services, grant, "http://adlnet.gov/expapi/verbs/initialized")
    return grant


async def _send(services: Services, grant: Grant, verb: str) -> list[str]:
    session = await services.sessions.get(grant.session or uuid4())
    template = strict_json.parse(session.launch_data).value["contextTemplate"]
    statement = defined(verb, id=str(uuid4()))
    statement["object"]["id"] = session.au
    category = statement["context"]["contextActivities"]["category"]
    activities = {**template["contextActivities"], "category": category}
    statement["context"] = {**template, "contextActivities": activities}
    return await services.statements.post(grant, Version.V1, Sent(body=strict_json.dumps(statement)))


async def _verbs(services: Services, registration: UUID) -> list[str]:
    selection = Selection(keys={"registrations": str(registration)}, ascending=True)
    page = await services.store.statements.page(selection)
    return [word(stored.statement["verb"]["id"]) for stored in page.statements]


async def _outcomes(*work: Any) -> Counter[str]:
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, GatewayError):
            raise result
    return Counter(result.code if isinstance(result, GatewayError) else "ok" for result in results)


async def test_parallel_launches_of_several_processes_leave_one_session_open(
    processes: list[Services],
) -> None:
    registration = await _registered(processes[0])
    launches = [_launch(services, registration) for services in processes for _ in range(3)]
    assert await _outcomes(*launches) == {"ok": 9}
    assert Counter(await _verbs(processes[0], registration)) == {"launched": 9, "abandoned": 8}
    sessions = await processes[0].sessions.list(registration=registration)
    assert Counter(session.state for session in sessions) == {"abandoned": 8, "launched": 1}


async def test_parallel_registrations_of_several_processes_are_one(processes: list[Services]) -> None:
    xml = structure_xml(au_xml(1, attributes='moveOn="NotApplicable"'))
    imported = await processes[0].courses.create(io.BytesIO(xml), base=HERE.gateway)
    enrolment = Enrolment(course=imported.stored.id, actor=ACTOR, id=uuid4(), overrides=Overrides())
    made = await asyncio.gather(*(services.registrations.create(enrolment) for services in processes))
    assert sorted(is_new for _, is_new in made) == [False, False, True]
    assert await _verbs(processes[0], enrolment.id) == ["satisfied"]


async def test_a_verb_is_accepted_once_whichever_process_gets_it(processes: list[Services]) -> None:
    registration = await _registered(processes[0])
    grant = await _active(processes[0], registration)
    sends = [_send(services, grant, COMPLETED) for services in processes for _ in range(2)]
    assert await _outcomes(*sends) == {"ok": 1, "forbidden": 5}
    assert await _verbs(processes[0], registration) == [
        "launched",
        "initialized",
        "completed",
        "satisfied",
        "satisfied",
    ]


async def test_waiving_and_completing_at_once_satisfies_once(processes: list[Services]) -> None:
    registration = await _registered(processes[0])
    grant = await _active(processes[0], registration)
    work = [
        _send(processes[0], grant, COMPLETED),
        processes[1].registrations.waive(registration, 0, "Administrative"),
        processes[2].registrations.waive(registration, 0, "Tested Out"),
    ]
    outcomes = await _outcomes(*work)
    assert outcomes["ok"] >= 1
    found = Counter(await _verbs(processes[0], registration))
    assert found["satisfied"] == 2
    assert found["waived"] + found["completed"] == outcomes["ok"]


async def test_lapsed_sessions_are_abandoned_once_by_whoever_comes_first(processes: list[Services]) -> None:
    registrations = [await _registered(processes[0]) for _ in range(3)]
    for registration in registrations:
        await _launch(processes[0], registration)
    assert await processes[0].sessions.abandon_lapsed(idle=LONG, lifetime=LONG) == 0
    await asyncio.gather(
        *(services.sessions.abandon_lapsed(idle=NO_TIME, lifetime=LONG) for services in processes)
    )
    for registration in registrations:
        assert await _verbs(processes[0], registration) == ["launched", "abandoned"]
        [session] = await processes[0].sessions.list(registration=registration)
        assert (session.state, session.reason) == ("abandoned", "silent")


async def test_a_session_that_lasts_too_long_is_abandoned_however_busy(processes: list[Services]) -> None:
    registration = await _registered(processes[0])
    grant = await _active(processes[0], registration)
    assert await processes[0].sessions.abandon_lapsed(idle=LONG, lifetime=NO_TIME) == 1
    with pytest.raises(GatewayError):
        await _send(processes[1], grant, COMPLETED)
    [session] = await processes[0].sessions.list(registration=registration)
    assert session.reason == "too old"


async def test_abandoning_and_terminating_at_once_ends_a_session_once(processes: list[Services]) -> None:
    registration = await _registered(processes[0])
    grant = await _active(processes[0], registration)
    session = grant.session or uuid4()
    await _outcomes(
        _send(processes[0], grant, "http://adlnet.gov/expapi/verbs/terminated"),
        processes[1].sessions.abandon(session, "administrator"),
    )
    found = await _verbs(processes[0], registration)
    assert len(found) == 3
    assert found[-1] in ("terminated", "abandoned")


async def test_what_is_not_there_is_said_to_be_missing(processes: list[Services]) -> None:
    [services, *_] = processes
    for work in (
        services.courses.get(uuid4()),
        services.courses.version(uuid4()),
        services.registrations.get(uuid4()),
        services.sessions.get(uuid4()),
        services.sessions.abandon(uuid4(), "x"),
        _launch(services, uuid4()),
    ):
        with pytest.raises(NotFound):
            await work


async def test_a_second_version_at_the_same_time_is_a_conflict_without_remains(
    processes: list[Services],
) -> None:
    imported = await processes[0].courses.create(io.BytesIO(structure_xml(au_xml(1))), base=HERE.gateway)
    course = imported.stored.id
    work = (
        services.courses.add_version(course, io.BytesIO(structure_xml(au_xml(2))), base=HERE.gateway)
        for services in processes
    )
    results = await asyncio.gather(*work, return_exceptions=True)
    conflicts = [result for result in results if isinstance(result, BaseException)]
    assert all(isinstance(conflict, Conflict) for conflict in conflicts)
    database = processes[0].store.client[processes[0].store.name]
    versions = await database["course_versions"].count_documents({})
    assert versions == 1 + len(results) - len(conflicts)
    assert await database["course_files.files"].count_documents({}) == versions
