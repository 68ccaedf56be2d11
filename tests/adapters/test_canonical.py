from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from adapters import Adapted, Event, load_mapping
from adapters.loading.files import load_file, mapping_paths, reader
from adapters.testing.payloads import sample_cases
from benchmarks.mapping import LOOKUPS as HAND_LOOKUPS
from benchmarks.mapping import MAPPING, PAYLOAD, by_hand
from tests.adapters.support import LOOKUPS, made, simple, statements

MAPPINGS = Path(__file__).parents[2] / "mappings"
SHIPPED = mapping_paths(MAPPINGS)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_quick_way_and_the_traced_way_make_the_same_of_every_sample(path: Path) -> None:
    mapping = load_file(path)
    tests = path.with_name(f"{path.stem}.test.yaml")
    compared = 0
    for payload, _ in sample_cases(tests.read_text("utf-8"), tests.name, reader(path.parent)):
        for event in mapping.events(payload):
            if isinstance(event, Event):
                assert mapping.explain(event, LOOKUPS).outcome == mapping.adapt(event, LOOKUPS)
                compared += 1
    assert compared


@pytest.mark.parametrize(
    "absent", [None, *(key for key in PAYLOAD if key not in ("id", "type", "session", "learner"))]
)
def test_the_benchmark_compares_equal_statements_whatever_is_absent(absent: str | None) -> None:
    mapping = load_mapping(MAPPING, "assess.yaml")
    payload = {key: value for key, value in PAYLOAD.items() if key != absent}
    (event,) = mapping.events(payload)
    assert isinstance(event, Event)
    outcome = mapping.adapt(event, HAND_LOOKUPS)
    if absent == "status":
        assert not isinstance(outcome, Adapted)
        return
    assert isinstance(outcome, Adapted)
    assert list(outcome.statements) == by_hand(payload)


def test_ids_are_those_of_the_standard_library() -> None:
    (statement,) = statements(
        simple("      verb: joined\n      object: { id: https://x.org/m }\n"), {"n": "\ud800"}
    )
    namespace = uuid.uuid5(uuid.NAMESPACE_URL, "urn:gateway:adapter:sample")
    assert uuid.UUID(statement["id"]).version == 5
    mapping = simple("      verb: joined\n      object: { id: https://x.org/m }\n")
    (event,) = mapping.events({"n": 1})
    assert isinstance(event, Event)
    (again,) = statements(mapping, {"n": 1})
    assert again["id"] == str(uuid.uuid5(namespace, f"{event.event_id}\x1fonly\x1f"))


@pytest.mark.parametrize(
    ("written", "payload", "platform"),
    [
        ("object: { id: https://x.org/m }", {}, "P"),
        ('object: { objectType: StatementRef, id: "${ body.ref }" }', {"ref": str(uuid.UUID(int=7))}, None),
        ("object: ${ body.object }", {"object": {"id": "https://x.org/m"}}, "P"),
        ('object: { id: https://x.org/m }\n      context: { platform: "${ body.p }" }', {"p": "Q"}, "Q"),
        ('object: { id: https://x.org/m }\n      context: { platform: "${ body.p }" }', {}, "P"),
    ],
)
def test_the_platform_is_that_of_the_source_where_xapi_allows_one(
    written: str, payload: dict[str, Any], platform: str | None
) -> None:
    statement = made(f"      verb: joined\n      {written}\n", payload, before="source: { platform: P }\n")
    assert statement["context"].get("platform") == platform


def test_long_parts_count_at_every_use() -> None:
    text = (
        "      for_each: body.items\n      as: one\n      key: one\n      verb: joined\n"
        '      object: { id: https://x.org/m }\n      context: { parent: "${ vars.course }" }\n'
    )
    before = 'let: { course: { id: https://x.org/c, name: "${ body.name }" } }\n'
    mapping = simple(text, before=before)
    (event,) = mapping.events({"items": list(range(500)), "name": "x" * 50_000})
    assert isinstance(event, Event)
    outcome = mapping.adapt(event, LOOKUPS)
    assert "larger than 1 MiB" in str(outcome)
    (small,) = mapping.events({"items": list(range(500)), "name": "x" * 50})
    assert isinstance(small, Event)
    assert isinstance(mapping.adapt(small, LOOKUPS), Adapted)
