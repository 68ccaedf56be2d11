from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.loading.files import load_file
from gateway.services.unmatched import findings
from gateway.store import unmatched as store
from gateway.store.deliveries import DeliveryFilter
from gateway.store.delivery_records import State
from tests.services.test_deliveries import T0, Worker, delivery, worker
from tests.vendors import acme_item, mappings_folder, vendor_secrets

__all__ = ["mappings_folder", "vendor_secrets", "worker"]

Write = Callable[..., Path]
HOUR = dt.timedelta(hours=1)


async def mapped(worker: Worker, key: str, *kinds: str | None, hours: int = 0) -> Any:
    items = [acme_item(f"{key}-{number}", type=kind) for number, kind in enumerate(kinds)]
    one = delivery(key, *items, received=T0 + hours * HOUR)
    await worker.store.deliveries.insert([one])
    return await worker.map(one)


@pytest.fixture
async def busy(worker: Worker) -> Worker:
    """An adapter that received what it knows, what it does not know, and nothing."""
    await mapped(worker, "old", "archived", hours=-2)
    await mapped(worker, "one", "shared", "completed", "ping", "shared")
    await mapped(worker, "two", "shared", None, hours=1)
    await mapped(worker, "none", hours=2)
    return worker


async def test_types_of_events_that_no_rule_is_for_are_counted_with_their_newest_one(busy: Worker) -> None:
    report = await busy.services.hooks.unmatched.recent(T0)
    told = [(one.adapter, one.kind, one.events, one.event, one.received) for one in report.unmatched]
    assert told == [
        ("acme", "shared", 3, "two-0", T0 + HOUR),
        ("acme", None, 1, "two-1", T0 + HOUR),
    ]
    assert [(one.kind, one.events, one.received) for one in report.ignored] == [(None, 1, T0 + 2 * HOUR)]
    assert report.whole
    whole = await busy.services.hooks.unmatched.recent(T0 - 3 * HOUR, adapters=["acme"])
    assert [one.kind for one in whole.unmatched] == ["shared", None, "archived"]
    nobody = await busy.services.hooks.unmatched.recent(T0 - 3 * HOUR, adapters=["zoom"])
    assert (nobody.unmatched, nobody.ignored) == ([], [])


async def test_they_are_findings_about_the_mapping_at_its_rules(busy: Worker, mappings_folder: Write) -> None:
    report = await busy.services.hooks.unmatched.recent(T0)
    file = mappings_folder() / "acme.yaml"
    newest = report.unmatched[0].delivery
    first, second, note = findings(load_file(file), report)
    assert (first.code, first.level, first.line, first.column) == ("W220", "warning", 10, 1)
    assert first.message == (
        f"no rule is for 'shared': 3 events since 2026-03-02 09:00 UTC, the newest in delivery {newest}"
    )
    assert "deliveries replay --adapter acme --code unmatched" in str(first.help)
    assert second.message.startswith("no rule is for an event without a type: 1 event since")
    assert (note.code, note.level) == ("N202", "note")
    assert note.message.startswith("1 event ignored without a rule since")
    admitted = file.read_text().replace("rules:\n", "rules: # lint: allow W220, N202\n")
    file.write_text(admitted)
    assert findings(load_file(file), report) == []


async def test_what_was_replayed_with_a_rule_is_no_finding_any_more(
    busy: Worker, mappings_folder: Write
) -> None:
    file = mappings_folder() / "acme.yaml"
    file.write_text(file.read_text() + "  - { name: shares, match: { item.type: shared }, ignore: true }\n")
    busy.mappings.load()
    one = delivery("one")
    await busy.store.deliveries.requeue(DeliveryFilter(ids=[one.id]), T0)
    assert (await busy.map(one)).state is State.DONE
    report = await busy.services.hooks.unmatched.recent(T0)
    assert [(one.kind, one.events) for one in report.unmatched] == [(None, 1), ("shared", 1)]


async def test_of_very_many_deliveries_the_newest_are_looked_at(
    busy: Worker, monkeypatch: pytest.MonkeyPatch, mappings_folder: Write
) -> None:
    monkeypatch.setattr(store, "MOST_DELIVERIES", 1)
    report = await busy.services.hooks.unmatched.recent(T0)
    assert {one.kind: one.events for one in report.unmatched} == {"shared": 1, None: 1}
    assert not report.whole
    found = findings(load_file(mappings_folder() / "acme.yaml"), report)
    assert all("among the newest" in one.message for one in found if one.code == "W220")


async def test_only_deliveries_with_that_reason_are_read(busy: Worker) -> None:
    collection = busy.store.client[busy.store.name]["deliveries"]
    condition = store._condition("unmatched", T0, ["acme"])
    plan = await collection.database.command(
        "explain",
        {"aggregate": "deliveries", "pipeline": store._grouping(condition), "cursor": {}, "hint": "by_code"},
        verbosity="executionStats",
    )
    stats = (plan["stages"][0]["$cursor"] if "stages" in plan else plan)["executionStats"]
    assert (stats["totalDocsExamined"], stats["nReturned"]) == (2, 2)
