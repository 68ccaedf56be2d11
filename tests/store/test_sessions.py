from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from gateway.store.connection import Document
from gateway.store.sessions import Session
from gateway.store.store import Store
from gateway.store.transactions import Contended, Transaction, transact

NOW = dt.datetime(2026, 3, 1, 10, tzinfo=dt.UTC)


def _session(registration: UUID, **changes: Any) -> Session:
    session = Session(
        id=uuid4(),
        registration=registration,
        course=uuid4(),
        version=uuid4(),
        au="https://lms.example.org/aus/1",
        state="launched",
        mode="Normal",
        actor={"account": {"homePage": "https://people.example.org", "name": "ada"}},
        launch_data=b"{}",
        fetch_key=str(uuid4()),
        launched=NOW,
        last_seen=NOW,
    )
    return replace(session, **changes)


async def _insert(store: Store, session: Session) -> Session:
    async def write(transaction: Transaction) -> None:
        await store.sessions.insert(session, transaction)

    await transact(store.client, write)
    return session


async def test_a_registration_has_one_open_session(store: Store) -> None:
    registration = uuid4()
    first = await _insert(store, _session(registration))
    with pytest.raises(Contended):
        await _insert(store, _session(registration))

    async def abandon(transaction: Transaction) -> None:
        await store.sessions.abandon(first, transaction, state="abandoned", now=NOW, reason="test")

    await transact(store.client, abandon)
    second = await _insert(store, _session(registration))
    assert await store.sessions.open_of(registration) == second


async def test_a_session_comes_back_as_it_was_stored(store: Store) -> None:
    session = await _insert(store, _session(uuid4()))
    assert await store.sessions.get(session.id) == session


async def test_a_change_decided_on_another_state_is_contended(store: Store) -> None:
    session = await _insert(store, _session(uuid4()))
    stale = replace(session, state="active")

    async def note(transaction: Transaction) -> None:
        await store.sessions.note_statements(stale, transaction, now=NOW, after=replace(stale, statements=1))

    async def abandon(transaction: Transaction) -> None:
        more = replace(session, statements=1)
        await store.sessions.abandon(more, transaction, state="abandoned", now=NOW, reason="test")

    for change in (note, abandon):
        with pytest.raises(Contended):
            await transact(store.client, change)
    assert await store.sessions.get(session.id) == session


async def test_statements_move_a_session_on_and_times_never_go_back(store: Store) -> None:
    session = await _insert(store, _session(uuid4()))
    after = replace(
        session, statements=2, latest_at=5, used=frozenset({"x"}), state="active", initialized_at=3
    )

    async def note(transaction: Transaction) -> None:
        await store.sessions.note_statements(session, transaction, now=NOW, after=after)

    async def note_late(transaction: Transaction) -> None:
        early, later = NOW - dt.timedelta(hours=1), replace(after, statements=3, latest_at=4)
        await store.sessions.note_statements(after, transaction, now=early, after=later)

    await transact(store.client, note)
    await transact(store.client, note_late)
    expected = replace(after, statements=3, last_statement=NOW)
    assert await store.sessions.get(session.id) == expected


@pytest.mark.parametrize(
    ("condition", "order", "index"),
    [
        ({"registration": uuid4()}, [("launched", -1), ("_id", -1)], "by_registration"),
        ({}, [("launched", -1), ("_id", -1)], "by_launched"),
        ({"fetch_key": "x", "state": "launched"}, [], "by_fetch_key"),
        ({"registration": uuid4(), "open": True}, [], "open"),
    ],
)
async def test_every_look_at_sessions_uses_an_index(
    store: Store,
    database: AsyncDatabase[Document],
    condition: dict[str, Any],
    order: list[tuple[str, int]],
    index: str,
) -> None:
    for _ in range(5):
        await _insert(store, _session(uuid4()))
    cursor = database["sessions"].find(condition)
    plan = str((await (cursor.sort(order) if order else cursor).explain())["queryPlanner"]["winningPlan"])
    assert "COLLSCAN" not in plan
    assert "'SORT'" not in plan
    assert f"'indexName': '{index}'" in plan


async def test_lapsed_sessions_are_open_ones_that_are_silent_or_old(store: Store) -> None:
    hour = dt.timedelta(hours=1)
    silent = await _insert(store, _session(uuid4(), last_seen=NOW - hour))
    old = await _insert(store, _session(uuid4(), launched=NOW - hour))
    await _insert(store, _session(uuid4()))
    ended = await _insert(store, _session(uuid4(), launched=NOW - hour, last_seen=NOW - hour))

    async def abandon(transaction: Transaction) -> None:
        await store.sessions.abandon(ended, transaction, state="abandoned", now=NOW, reason="test")

    await transact(store.client, abandon)
    bound = NOW - hour / 2
    found = await store.sessions.lapsed(silent_since=bound, launched_before=bound)
    assert {session.id for session in found} == {silent.id, old.id}
