"""Whatever is listed is read from an index in its order: asked of MongoDB's own record of what it did."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from gateway.store.audit import Entry, EntryFilter
from gateway.store.credentials import Credential
from gateway.store.deliveries import DeliveryFilter
from gateway.store.delivery_records import Replay, State
from gateway.store.documents import Context
from gateway.store.documents import Document as StoredDocument
from gateway.store.observations import Place
from gateway.store.overview import Overview
from gateway.store.refusals import StoredRefusal
from gateway.store.registrations import RegistrationFilter, RegistrationState
from gateway.store.store import Store

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
MANY = 200
LATER = NOW + dt.timedelta(minutes=MANY - 5)

Plans = Callable[..., Awaitable[list[dict[str, Any]]]]


@pytest.fixture
async def plans(database: AsyncDatabase[dict[str, Any]], store: Store) -> AsyncIterator[Plans]:
    """Runs coroutines one after the other and gives how MongoDB did it; fails where it scanned or, unless
    `sorting` is fine, sorted.
    """

    async def watch(*work: Awaitable[Any], sorting: bool = False) -> list[dict[str, Any]]:
        await database.command("profile", 2)
        for one in work:
            await one
        await database.command("profile", 0)
        rows = (
            await database["system.profile"].find({"command.aggregate": {"$ne": "system.profile"}}).to_list()
        )
        await database["system.profile"].drop()
        done = [row for row in rows if row.get("planSummary")]
        assert len(done) >= len(work), rows
        for row in done:
            assert "COLLSCAN" not in row["planSummary"], row
            assert sorting or not row.get("hasSortStage"), row
        return done

    yield watch
    await database.command("profile", 0)
    await database["system.profile"].drop()


def moment(number: int) -> dt.datetime:
    return NOW + dt.timedelta(minutes=number)


async def test_ids_of_documents_come_from_the_index_alone(store: Store, plans: Plans) -> None:
    registrations = [str(uuid4()), str(uuid4())]
    for number in range(MANY // 4):
        common = {"activity": "x:a" if number % 2 else "x:b", "agent": "mbox:a" if number % 3 else "mbox:b"}
        contexts = [
            Context(kind="state", **common, registration=[None, *registrations][number % 3]),
            Context(kind="activity_profile", activity=common["activity"]),
            Context(kind="agent_profile", agent=common["agent"]),
        ]
        for context in contexts:
            new = StoredDocument(content=b"{}", content_type="a/b", etag="e", modified=moment(number))
            assert await store.documents.create(context, f"d{number}", new)
    asked = [
        Context(kind="state", activity="x:a", agent="mbox:a"),
        Context(kind="state", activity="x:a", agent="mbox:a", registration=registrations[0]),
        Context(kind="activity_profile", activity="x:a"),
        Context(kind="agent_profile", agent="mbox:a"),
    ]
    for context, since in product(asked, (None, moment(20), moment(1000))):
        [row] = await plans(store.documents.list(context, since))
        assert row["docsExamined"] == 0, row
        ids, latest = await store.documents.list(context, since)
        assert row["nreturned"] == len(ids)
        assert (latest is None) == (not ids) == (since == moment(1000))
        assert ids == sorted(ids, key=lambda identity: int(identity[1:]))


async def test_lists_of_deliveries_come_in_the_order_of_an_index(
    database: AsyncDatabase[dict[str, Any]], store: Store, plans: Plans
) -> None:
    rows = [delivery(number) for number in range(MANY)]
    await database["deliveries"].insert_many(rows)
    after = (moment(MANY - 10), UUID(int=MANY - 10))
    deliveries = store.deliveries
    work: list[Awaitable[Any]] = [store.deliveries.list(DeliveryFilter(), limit=10)]
    for adapter, states, since, conflict in product(
        (None, "zoom"), ((), (State.FAILED,), (State.FAILED, State.HELD)), (None, moment(5)), (None, True)
    ):
        which = DeliveryFilter(adapter=adapter, states=states, since=since, until=LATER, conflict=conflict)
        work.append(deliveries.list(which, limit=10))
        work.append(deliveries.list(which, limit=10, after=after))
        work.append(drain(deliveries.each(which, limit=10)))
        if adapter or states or since:
            work.append(deliveries.requeue(which, NOW))
    work.append(deliveries.claim(LATER, dt.timedelta(1), limit=5, max_bytes=1000))
    overview = Overview(store.client, store.name)
    await plans(*work, overview.states(), overview.adapters(["zoom", "nobody"]))


async def test_rare_deliveries_are_found_without_reading_the_others(
    database: AsyncDatabase[dict[str, Any]], store: Store, plans: Plans
) -> None:
    rows = [delivery(number) for number in range(MANY)]
    again = Replay(id=uuid4())
    for row in rows:
        row["conflict"] = False
    for row in rows[:3]:
        row |= {
            "conflict": True,
            "outcomes": [{"state": "failed", "code": "rare"}],
            "replay": again.document(),
        }
    await database["deliveries"].insert_many(rows)
    deliveries = store.deliveries
    for which in (
        DeliveryFilter(conflict=True),
        DeliveryFilter(code="rare"),
        DeliveryFilter(replay=again.id),
        DeliveryFilter(ids=[UUID(int=number) for number in range(3)]),
        DeliveryFilter(conflict=True, since=NOW, until=LATER),
    ):
        work = (deliveries.list(which, limit=10), drain(deliveries.each(which, limit=10)))
        for row in await plans(*work, deliveries.requeue(which, NOW, again), sorting=which.ids is not None):
            assert row["docsExamined"] <= 3, row


def delivery(number: int) -> dict[str, Any]:
    state = list(State)[number % len(State)]
    return {
        "_id": UUID(int=number),
        "adapter": "zoom" if number % 2 else "teams",
        "key": str(number),
        "digest": "",
        "received": moment(number),
        "request": {"method": "POST", "url": "/", "headers": [], "body": b""},
        "verified": [],
        "state": state,
        "attempts": 0,
        "postponed": 0,
        "duplicates": 0,
        "conflict": number % 7 == 0,
        "outcomes": [],
        "size": 1,
    } | ({"due": moment(number)} if state is State.RECEIVED else {})


async def drain(items: AsyncIterator[Any]) -> None:
    async for _ in items:
        pass


async def test_lists_of_the_lms_come_in_the_order_of_an_index(
    database: AsyncDatabase[dict[str, Any]], store: Store, plans: Plans
) -> None:
    registration, course = uuid4(), uuid4()
    await database["courses"].insert_many(
        [
            {
                "_id": uuid4(),
                "created": moment(number),
                "updated": moment(number),
                "title": {"en": "T"},
                "titles": ["T"],
                "publisher_id": "x:p",
                "version": uuid4(),
                "versions": 1,
                "number": 1,
                "tags": ["a"] if number % 2 else [],
                "overrides": b"{}",
            }
            for number in range(MANY)
        ]
    )
    await database["registrations"].insert_many(
        [
            {
                "_id": uuid4(),
                "course": course if number % 2 else uuid4(),
                "version": uuid4(),
                "actor": {},
                "actor_key": "mbox:a" if number % 3 else "mbox:b",
                "created": moment(number),
                "updated": moment(number),
                "state": "started" if number % 7 else "satisfied",
                "tags": ["a"] if number % 11 else [],
                "revision": 1,
                "aus": [],
                "satisfied": [],
                "overrides": b"",
            }
            for number in range(MANY)
        ]
    )
    await database["sessions"].insert_many([session(number, registration) for number in range(MANY)])
    for number in range(20):
        await store.refusals.insert(
            StoredRefusal(
                session=registration, time=moment(number), request="PUT", status=400, message="m", problems=()
            )
        )
        credential = Credential(
            key=f"k{number}", name="n", store="main", scopes=("all",), created=moment(number)
        )
        await store.credentials.create(credential, "s")
    await plans(
        store.courses.list(limit=10),
        store.courses.list(search="t", limit=10),
        *(
            store.registrations.list(
                RegistrationFilter(course=by_course, actor_key=by_actor, updated_since=since),
                after=after,
                limit=10,
            )
            for by_course, by_actor, since, after in product(
                (None, course), (None, "mbox:a"), (None, moment(5)), (None, (moment(50), registration))
            )
        ),
        *(
            store.registrations.list(RegistrationFilter(course=by_course, state=state, tag=tag), limit=10)
            for by_course, state, tag in product(
                (None, course), (None, RegistrationState.STARTED), (None, "a")
            )
        ),
        store.courses.list(after=(moment(50), course), tag="a", limit=10),
        store.courses.versions(course),
        store.launch_links.of(registration),
        store.sessions.list(course=course, after=(moment(50), course), limit=10),
        store.sessions.list(only_open=True, after=(moment(50), course), limit=10),
        store.sessions.list(course=course, only_open=True, limit=10),
        *(
            store.sessions.list(registration=of, only_open=only_open, limit=10)
            for of, only_open in product((None, registration), (False, True))
        ),
        store.sessions.lapsed(silent_since=LATER, launched_before=LATER, limit=5),
        Overview(store.client, store.name).courses([course]),
        store.refusals.list(registration),
        store.credentials.list(),
    )


def session(number: int, registration: UUID) -> dict[str, Any]:
    is_open = number % 5 == 0
    return {
        "_id": UUID(int=number),
        "registration": uuid4() if is_open or number % 2 else registration,
        "course": uuid4(),
        "version": uuid4(),
        "au": "x:au",
        "state": "launched",
        "mode": "Normal",
        "actor": {},
        "launch_data": b"",
        "fetch_key": str(number),
        "launched": moment(number),
        "last_seen": moment(number),
        "used": [],
        "preferences_requested": False,
        "statements": 0,
    } | ({"open": True} if is_open else {})


async def test_a_scan_or_a_sort_would_be_seen(database: AsyncDatabase[dict[str, Any]], plans: Plans) -> None:
    await database["refusals"].insert_many([{"a": number} for number in range(5)])
    for query in ({"a": 1}, {"session": 1}):
        with pytest.raises(AssertionError):
            await plans(database["refusals"].find(query).sort("a", 1).to_list())
        await database["system.profile"].drop()


async def test_the_audit_log_is_read_from_an_index_whatever_the_filter(store: Store, plans: Plans) -> None:
    for number in range(MANY):
        await store.audit.add(
            Entry(
                id=uuid4(),
                time=moment(number),
                store="main",
                kind="person",
                actor=f"person {number % 3}",
                action=f"action.{number % 5}",
                outcome="done",
                objects={"course": f"course {number % 7}"},
            )
        )
    filters = [
        EntryFilter(),
        EntryFilter(actor="person 1"),
        EntryFilter(action="action.1"),
        EntryFilter(about="course 1"),
        EntryFilter(outcome="done", since=NOW, until=LATER),
    ]
    for which, after in product(filters, (None, (LATER, uuid4()))):
        await plans(store.audit.list(which, store="main", limit=10, after=after))
    await plans(store.audit.list(EntryFilter(), store=None, limit=10))


async def test_what_sources_sent_and_which_revision_mapped_it_come_from_indexes(
    database: AsyncDatabase[dict[str, Any]], store: Store, plans: Plans
) -> None:
    ids = [UUID(int=number) for number in range(MANY)]
    await database["statements"].insert_many(
        {"_id": one, "stored": number, "source": {}, "statement": {}} for number, one in enumerate(ids)
    )
    await database["observations"].insert_many(
        {
            "_id": {"source": f"adapter:{number % 5}", "kind": "verbs", "value": str(number)},
            "count": 1,
            "first": NOW,
            "last": NOW,
            "example": ids[number],
            "stopped": None,
            "by": None,
        }
        for number in range(MANY)
    )
    await database["deliveries"].insert_many(
        {"_id": one, "adapter": f"a{number % 3}", "received": moment(number), "revision": "r"}
        for number, one in enumerate(ids)
    )
    observations = store.observations
    listed = await plans(
        observations.behind(Place(MANY - 5, ids[MANY - 5]), MANY, 100),
        observations.list(),
        observations.list("adapter:1"),
        observations.values_of("adapter:1", "verbs"),
    )
    [behind] = [row for row in listed if row["ns"].endswith(".statements")]
    assert behind["docsExamined"] <= 5
    await plans(Overview(store.client, store.name).revisions("a1", 10))
    assert len(await observations.behind(Place(MANY - 5, ids[MANY - 5]), MANY, 100)) == 4
