"""Events that wait for somebody to become known, or for an earlier event."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from gateway.services.directory import NewEntry
from gateway.store.deliveries import DeliveryFilter
from gateway.store.delivery_records import Delivery, Replay, State
from gateway.store.directory import EntryFilter
from tests.services.test_deliveries import T0, Worker, delivery, worker
from tests.vendors import acme_item, mappings_folder, vendor_secrets

__all__ = ["mappings_folder", "vendor_secrets", "worker"]

MINUTE = dt.timedelta(minutes=1)
IDENTITY = """\
identity:
  learner:
    by: [ { email: "${ item.who }" }, { login: "${ item.login }" } ]
    home_page: https://id.example.edu
    unresolved: hold
    hold_for: 10d
    learn: true
directory:
  course: { set: courses, key: "${ item.course }" }
rules:
"""
HOLDING = {
    "rules:\n": IDENTITY,
    '{ account: { homePage: https://acme.example, name: "${ item.who }" } }': "${ identity.learner }",
    "type: course }": 'type: course, name: "${ directory.course.title }" }',
}
ANA = NewEntry(set="learners", kind="email", value="Ana@Example.org", account="S-1")


async def settled(worker: Worker, one: Delivery, state: State) -> Delivery:
    while True:
        found = await worker.store.deliveries.get(one.id)
        assert found is not None
        if found.state is state:
            return found
        await asyncio.sleep(0.01)


@pytest.fixture
async def holding(worker: Worker, mappings_folder: Callable[..., Path]) -> Worker:
    mappings_folder(**HOLDING)
    worker.mappings.load()
    return worker


async def test_who_becomes_known_is_mapped_at_once_and_exactly_once(holding: Worker) -> None:
    def pair(number: int) -> list[dict[str, Any]]:
        return [acme_item(f"{number}-{name}", who=f"{name}@example.org") for name in ("ana", "tom")]

    many = [delivery(str(number), *pair(number)) for number in range(20)]
    await holding.store.deliveries.insert(many)
    async with holding.running():
        for one in many:
            await settled(holding, one, State.HELD)
        assert await holding.store.statements.count() == 0
        # Two people import at once, while deliveries are still being looked at.
        await asyncio.gather(*(holding.hooks.directory.put([ANA], source="import") for _ in range(2)))
        while await holding.store.statements.count() < 20:
            await asyncio.sleep(0.01)
        tom = NewEntry(set="learners", kind="email", value="tom@example.org", account="S-2")
        done = await holding.hooks.directory.put([tom], source="import")
        assert done.released == 20
        for one in many:
            await settled(holding, one, State.DONE)
    assert await holding.store.statements.count() == 40
    stored = await holding.store.deliveries.get(many[0].id)
    assert stored is not None
    raw = json.dumps(stored.resolved)
    assert "ana@" not in raw
    assert "S-1" in raw


async def test_what_becomes_known_between_look_up_and_finish_is_noticed(
    holding: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = delivery("1", acme_item("1", who="ana@example.org"))
    await holding.store.deliveries.insert([one])
    finish = holding.store.deliveries.finish

    async def known_meanwhile(*given: Any) -> None:
        monkeypatch.undo()
        await holding.hooks.directory.put([ANA], source="import")
        await finish(*given)

    monkeypatch.setattr(holding.store.deliveries, "finish", known_meanwhile)
    async with holding.running():
        await settled(holding, one, State.DONE)
    assert await holding.store.statements.count() == 1


async def test_a_wait_ends_as_a_dead_letter_with_its_reason(holding: Worker) -> None:
    holding.now = T0
    one = delivery("1", acme_item("1", who="ana@example.org"), acme_item("2", type="ping"))
    await holding.store.deliveries.insert([one])
    held = await holding.map(one)
    assert [(outcome.state, outcome.code) for outcome in held.outcomes] == [
        (State.HELD, "held"),
        (State.IGNORED, None),
    ]
    assert held.due == holding.now + MINUTE
    holding.now += dt.timedelta(days=10)
    async with holding.running():
        found = await settled(holding, one, State.FAILED)
    failed, _ = found.outcomes
    assert (failed.code, failed.rule) == ("hold_expired", "completed")
    assert failed.reason == "waited 10d until the directory knows somebody by email, in vain"
    assert found.due is None


async def test_the_directory_learns_what_else_a_person_is_called(holding: Worker) -> None:
    await holding.hooks.directory.put([ANA], source="import")
    first = delivery("1", acme_item("1", who="ana@example.org", login="ana"))
    later = delivery("2", acme_item("2", who=None, login="ana"))
    await holding.store.deliveries.insert([first])
    await holding.map(first)
    await holding.store.deliveries.insert([later])
    assert (await holding.map(later)).state is State.DONE
    entries, _ = await holding.hooks.directory.list(EntryFilter(account="S-1"), limit=10)
    assert [(one.kind, one.value, one.source) for one in entries] == [
        ("email", "ana@example.org", "import"),
        ("login", "ana", "learned"),
    ]


async def test_a_replay_uses_the_look_ups_of_then_or_of_now(holding: Worker) -> None:
    course = NewEntry(set="courses", kind="key", value="c1", fields={"title": "Chemistry"})
    await holding.hooks.directory.put([ANA, course], source="api")
    one = delivery("1", acme_item("1", who="ana@example.org"))
    await holding.store.deliveries.insert([one])
    await holding.map(one)
    corrected = replace(ANA, account="S-9")
    await holding.hooks.directory.put([corrected], source="api")
    for original, state in ((True, State.DONE), (False, State.DIFFERS)):
        how = Replay(id=uuid4(), original_lookups=original)
        await holding.store.deliveries.requeue(DeliveryFilter(ids=[one.id]), T0, how)
        assert (await holding.map(one)).state is state
    (statement,) = [stored async for stored in holding.store.statements.stream(_everything())]
    assert statement.statement["actor"]["account"]["name"] == "S-1"
    assert statement.statement["object"]["definition"]["name"] == {"en": "Chemistry"}


def _everything() -> Any:
    from gateway.store.statements import Selection

    return Selection(ascending=True)


REMEMBERING = """\
remember:
  - set: starts
    when: item.type == 'started'
    key: ${ item.who }
    value: ${ item.at }
    at: ${ item.at }
recall:
  start:
    set: starts
    when: item.type == 'completed'
    key: ${ item.who }
    at: ${ item.at }
    defer: 2m
rules:
"""
RECALLING = {
    "rules:\n": REMEMBERING,
    'score: { raw: "${ item.score }" } }': (
        'score: { raw: "${ item.score }" }, duration: "${ between(remembered.start, item.at) }" }'
    ),
    "item.type: ping": "item.type: [ping, started]",
}


@pytest.fixture
async def recalling(worker: Worker, mappings_folder: Callable[..., Path]) -> Worker:
    mappings_folder(**RECALLING)
    worker.mappings.load()
    return worker


async def durations(worker: Worker) -> list[str | None]:
    return [
        stored.statement["result"].get("duration")
        async for stored in worker.store.statements.stream(_everything())
    ]


async def test_an_event_waits_for_the_earlier_one_that_comes_late(recalling: Worker) -> None:
    recalling.now = T0
    end = delivery("end", acme_item("2", at="2026-03-02T09:30:00Z"))
    start = delivery("start", acme_item("1", type="started"))
    await recalling.store.deliveries.insert([end])
    held = await recalling.map(end)
    assert (held.state, held.outcomes[0].code) == (State.HELD, "deferred")
    assert held.outcomes[0].until == T0 + 2 * MINUTE
    await recalling.store.deliveries.insert([start])
    async with recalling.running():
        await settled(recalling, end, State.DONE)
    assert await durations(recalling) == ["PT30M"]
    again = Replay(id=uuid4(), original_lookups=True)
    await recalling.store.deliveries.requeue(DeliveryFilter(ids=[end.id]), T0, again)
    assert (await recalling.map(end)).state is State.DONE


async def test_an_event_is_mapped_without_the_fact_when_its_time_is_over(recalling: Worker) -> None:
    recalling.now = T0
    later = acme_item("1", type="started", at="2026-03-02T10:00:00Z")
    end = delivery("end", acme_item("2", at="2026-03-02T09:30:00Z"), later)
    await recalling.store.deliveries.insert([end])
    assert (await recalling.map(end)).state is State.HELD
    recalling.now = T0 + 2 * MINUTE
    async with recalling.running():
        await settled(recalling, end, State.DONE)
    assert await durations(recalling) == [None]


async def test_what_is_asked_is_asked_by_index(worker: Worker) -> None:
    database = worker.store.client[worker.store.name]
    entries = [replace(ANA, value=f"{n}@example.org") for n in range(50)]
    await worker.hooks.directory.put(entries, source="api")
    await worker.store.deliveries.insert([delivery(str(n)) for n in range(50)])
    plans = {
        "by_waits": database.deliveries.find({"waits": {"$in": ["a"]}}),
        "by_code": database.deliveries.find({"outcomes.code": "held"}).sort([("received", -1), ("_id", -1)]),
        "by_replay": database.deliveries.find({"replay.id": uuid4()}),
        "by_conflict": database.deliveries.find({"conflict": True}).sort([("received", -1), ("_id", -1)]),
        "forget": database.deliveries.find({"forget": {"$lte": T0}}).sort("forget", 1),
        "by_set": database.directory.find({"set": "learners"}).sort([("set", 1), ("kind", 1), ("value", 1)]),
        "by_account": database.directory.find({"account": "S-1"}),
        "by_of": database.facts.find({"of": "x", "at": {"$lte": 5}}).sort("at", -1),
        "by_adapter": database.revisions.find({"adapter": "acme"}).sort([("used", -1), ("_id", 1)]),
    }
    for index, cursor in plans.items():
        winner = str((await cursor.explain())["queryPlanner"]["winningPlan"])
        assert f"'indexName': '{index}'" in winner, (index, winner)
        assert "'stage': 'SORT'" not in winner
