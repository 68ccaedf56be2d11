from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog

from gateway.services import observing
from gateway.services.clock import utc_now
from gateway.services.observing import Observing
from gateway.store.observations import FURTHER, Observation, Place, Seen, Tally
from gateway.store.statements import Selection
from gateway.store.transactions import Contended
from tests.gateway import KEY, Gateway
from tests.waiting import until
from tests.web.au import LEARNER

EXTENSION = "https://tool.example/ext/"
SOURCE = f"credential:{KEY}"


def statement(**changes: Any) -> dict[str, Any]:
    return {
        "actor": LEARNER,
        "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
        "object": {"id": "https://lms.example.edu/courses/1"},
        **changes,
    }


async def send(gateway: Gateway, *statements: dict[str, Any]) -> None:
    assert (await gateway.lrs.post("/statements", body=list(statements))).status == 200


async def observed(gateway: Gateway, source: str = SOURCE) -> dict[tuple[str, str], Observation]:
    """What is known of a source once all that is stored was looked at."""
    store = gateway.store
    newest = (await store.statements.page(Selection(limit=1))).statements
    progress = store.client[store.name]["observing"]

    async def done() -> bool:
        await gateway.services.observing.look()
        row = await progress.find_one({})
        return row is not None and (not newest or row["stored"] >= newest[0].stored)

    await until(done)
    found = await gateway.store.observations.list(source)
    return {(one.seen.kind, one.seen.value): one for one in found}


async def test_each_statement_is_counted_once_by_whoever_looks(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observing, "_TOGETHER", 3)
    extended = statement(result={"extensions": {f"{EXTENSION}a": 1, f"{EXTENSION}b": 2}})
    await send(gateway, *[statement()] * 4, *[extended] * 4)
    found = await observed(gateway)
    assert {key: one.count for key, one in found.items()} == {
        ("verbs", "http://adlnet.gov/expapi/verbs/completed"): 8,
        ("extensions", f"{EXTENSION}a"): 4,
        ("extensions", f"{EXTENSION}b"): 4,
    }
    first = found["extensions", f"{EXTENSION}a"]
    example = await gateway.lrs.get("/statements", {"statementId": str(first.example)})
    assert f"{EXTENSION}a" in example.json()["result"]["extensions"]
    await send(gateway, extended)
    again = (await observed(gateway))["extensions", f"{EXTENSION}a"]
    assert (again.count, again.first, again.example) == (5, first.first, first.example)
    assert again.last > first.last


async def test_one_process_looks_at_a_time_and_another_goes_on_where_it_stopped(gateway: Gateway) -> None:
    await send(gateway, statement())
    await observed(gateway)
    services, store = gateway.services, gateway.store
    other = Observing(
        store.observations,
        store.statements,
        store.writer,
        services.sources,
        services.hooks.revisions,
        clock=utc_now,
    )
    await send(gateway, statement())
    assert await other.look() is False
    progress = store.client[store.name]["observing"]
    await progress.update_one({}, {"$set": {"holder": uuid4(), "until": utc_now().replace(year=2020)}})

    async def done() -> bool:
        await other.look()
        return next(iter(await store.observations.list(SOURCE))).count == 2

    await until(done)


async def test_what_two_counted_at_once_counts_once(gateway: Gateway) -> None:
    await observed(gateway)
    observations, holder = gateway.store.observations, UUID(int=7)
    await gateway.store.client[gateway.store.name]["observing"].delete_many({})
    now = utc_now()
    begin = await observations.claim(holder, now, now.replace(year=now.year + 1))
    assert begin is not None
    end = Place(begin.stored + 1, UUID(int=1))
    seen = Seen("adapter:x", "verbs", "https://x.example/v")
    tally = Tally(count=1, first=1, last=1, example=UUID(int=1))
    await observations.add({seen: tally}, begin, end, holder)
    with pytest.raises(Contended):
        await observations.add({seen: tally}, begin, end, holder)
    [one] = await observations.list("adapter:x")
    assert one.count == 1


async def test_a_source_that_sends_endlessly_many_keys_takes_bounded_space(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observing, "MOST_VALUES", 3)
    await send(gateway, *(statement(result={"extensions": {f"{EXTENSION}{n}": n}}) for n in range(5)))
    await send(gateway, statement(result={"extensions": {f"{EXTENSION}4": 1, EXTENSION + "x" * 5_000: 1}}))
    keys = {value: one for (kind, value), one in (await observed(gateway)).items() if kind == "extensions"}
    assert len(keys) == 4
    assert sum(one.count for one in keys.values()) == 7
    assert keys[FURTHER].count == 4


async def test_a_new_undeclared_value_is_told_once(gateway: Gateway) -> None:
    await gateway.services.sources.put(
        SOURCE, {"declared": {"verbs": ["http://adlnet.gov/expapi/verbs/completed"]}}, by="tests"
    )
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            await send(gateway, statement(result={"extensions": {f"{EXTENSION}mood": "low"}}))
            await observed(gateway)
    told = [one for one in logs if one["event"] == "undeclared data"]
    assert [(one["source"], one["kind"], one["value"]) for one in told] == [
        (SOURCE, "extensions", f"{EXTENSION}mood")
    ]
    assert "low" not in str(logs)
