from __future__ import annotations

import asyncio
import io
import json
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.services.attachment_files import AttachmentFiles, replacing
from gateway.services.clock import utc_now
from gateway.services.exports import Exports
from gateway.services.lms import micros
from gateway.services.moves import Line, Manner, Move, Reason, Rejected, read_line
from gateway.services.services import Services
from gateway.services.transfers import Import, Imported, lines_of
from gateway.store.store import Store
from gateway.xapi import strict_json
from gateway.xapi.queries import StatementsQuery

Json = dict[str, Any]
NOW = 1_700_000_000_000_000
OWN = {"objectType": "Agent", "account": {"homePage": "https://lrs.example.org", "name": "import"}}
VOIDED = "http://adlnet.gov/expapi/verbs/voided"


def statement(number: int, **parts: Any) -> Json:
    return {
        "id": str(UUID(int=number, version=4)),
        "actor": {"mbox": "mailto:learner@example.org"},
        "verb": {"id": "https://example.org/tried"},
        "object": {"id": f"https://example.org/{number}"},
        "timestamp": "2020-01-01T00:00:00Z",
        "authority": OWN,
        "stored": "2020-01-01T00:00:00.000001Z",
        "version": "2.0.0",
        **parts,
    }


def lines(statements: Iterable[Json]) -> Iterator[Line]:
    for number, each in enumerate(statements, 1):
        yield Line("old.ndjson", number, json.dumps(each).encode())


def importing(services: Services, rejected: list[Rejected], manner: Manner | None = None) -> Import:
    return Import(
        services.store,
        services.statements,
        services.knowledge,
        manner=manner or Manner(authority=OWN),
        files_of=lambda name: None,
        reject=rejected.append,
        clock=utc_now,
    )


async def exported(store: Store) -> bytes:
    out = io.BytesIO()
    await Exports(store).write(StatementsQuery(), out.write, None, progress=lambda done: None)
    return out.getvalue()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.binary(max_size=60) | st.none())
def test_any_line_is_read_or_rejected_with_a_reason(text: bytes | None) -> None:
    found = read_line(Line("f", 1, text), Manner(authority=OWN), NOW)
    assert isinstance(found, Rejected)
    assert found.reason is Reason.INVALID
    assert all(problem.message for problem in found.problems)
    assert found.problems


@given(st.sampled_from([*statement(1), "context", "result", "attachments", "other"]), json_values)
def test_a_statement_with_any_part_spoilt_is_read_or_rejected(part: str, value: object) -> None:
    spoilt = statement(1) | {part: value}
    found = read_line(Line("f", 1, strict_json.dumps(spoilt)), Manner(authority=OWN), NOW)
    assert isinstance(found, Move) or found.problems


def test_a_stored_time_is_kept_to_its_last_digit() -> None:
    stored = "2021-02-03T04:05:06.123456789Z"
    found = read_line(
        Line("f", 1, strict_json.dumps(statement(1, stored=stored))), Manner(authority=OWN), NOW
    )
    assert isinstance(found, Move)
    found.stamp(found.entry, NOW)
    assert found.entry.stored == 1_612_325_106_123_456
    assert found.entry.statement["stored"] == stored


def test_lines_are_counted_blank_ones_too_and_long_ones_are_not_held() -> None:
    file = io.BytesIO(b"one\r\n\n  \ntoolong-" + b"x" * 50 + b"\n" + b"12345678\nlast")
    assert list(lines_of("f", file, limit=8)) == [
        Line("f", 1, b"one"),
        Line("f", 4, None),
        Line("f", 5, b"12345678"),
        Line("f", 6, b"last"),
    ]
    found = read_line(Line("f", 4, None), Manner(authority=OWN), NOW)
    assert isinstance(found, Rejected)
    assert found.problems[0].message == "the line is longer than a request may be (xapi.max_body)"


async def test_references_reach_over_batches_in_both_directions(services: Services, store: Store) -> None:
    count = 2300
    last = str(UUID(int=count, version=4))
    statements = [statement(number) for number in range(1, count + 1)]
    statements[0] |= {"object": {"objectType": "StatementRef", "id": last}, "verb": {"id": VOIDED}}
    statements[-1] |= {"object": {"objectType": "StatementRef", "id": statements[1]["id"]}}
    rejected: list[Rejected] = []
    seen: list[int] = []
    done = await importing(services, rejected).run(lines(statements), lambda at: seen.append(at.stored))
    assert (done.stored, done.skipped, rejected) == (count, 0, [])
    assert seen == [1000, 2000, 2300]
    found = await store.statements.get(UUID(last))
    assert found is not None
    assert found.voided
    assert (await exported(store)).count(b"\n") == count


async def test_what_a_broken_off_import_left_unlinked_is_linked_by_the_next(
    services: Services, store: Store
) -> None:
    target = statement(1)
    voiding = statement(2, verb={"id": VOIDED}, object={"objectType": "StatementRef", "id": target["id"]})
    for line in lines([target, voiding]):
        move = read_line(line, Manner(authority=OWN), NOW * 2)
        assert isinstance(move, Move)
        move.stamp(move.entry, 0)
        await store.statements.insert_each([move.entry])
    before = await store.statements.get(UUID(target["id"]))
    done = await importing(services, []).run(lines([target, voiding]), lambda at: None)
    after = await store.statements.get(UUID(target["id"]))
    assert (done.stored, done.skipped) == (0, 2)
    assert before is not None
    assert after is not None
    assert (before.voided, after.voided) == (False, True)


async def test_strict_reads_no_batch_behind_the_first_rejected_line(services: Services, store: Store) -> None:
    read: list[int] = []

    def source() -> Iterator[Line]:
        for number in range(1, 5001):
            read.append(number)
            text = b"{" if number == 3 else strict_json.dumps(statement(number))
            yield Line("f", number, text)

    rejected: list[Rejected] = []
    manner = Manner(authority=OWN, strict=True)
    done = await importing(services, rejected, manner).run(source(), lambda at: None)
    assert (done.stored, done.rejected, [each.line.number for each in rejected]) == (2, 1, [3])
    assert len(read) == 1000


async def test_an_export_ends_where_something_earlier_may_still_appear(
    services: Services, store: Store
) -> None:
    await importing(services, [], Manner(authority=OWN, restamp=True)).run(
        lines([statement(1)]), lambda at: None
    )
    token, first = await store.writer.begin(1)
    try:
        await importing(services, [], Manner(authority=OWN, restamp=True)).run(
            lines([statement(2)]), lambda at: None
        )
        out = io.BytesIO()
        done = await Exports(store).write(StatementsQuery(), out.write, None, progress=lambda at: None)
        assert done.through < first
        assert [strict_json.parse(line).value["id"] for line in out.getvalue().splitlines()] == [
            statement(1)["id"]
        ]
    finally:
        store.writer.end(token)
    while await store.writer.consistent_through() < first:
        await asyncio.sleep(0.01)
    assert (await exported(store)).count(b"\n") == 2


async def test_memory_does_not_grow_with_the_number_of_statements(services: Services, store: Store) -> None:
    count, size = 3000, 10_000
    padding = {"extensions": {"https://example.org/x": "x" * size}}
    statements = (statement(number, result=padding) for number in range(count))
    written = 0

    def out(chunk: bytes) -> None:
        nonlocal written
        written += len(chunk)

    assert services.hooks.mappings.adapters  # which are read when somebody asks: not in the middle of this
    tracemalloc.start()
    try:
        await importing(services, []).run(lines(statements), lambda at: None)
        _, import_peak = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        await Exports(store).write(StatementsQuery(), out, None, progress=lambda at: None)
        _, export_peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert written > count * size
    # An eight megabyte batch is held as text, as objects and as BSON.
    assert import_peak < 60_000_000
    assert export_peak < 20_000_000


async def test_the_tally_counts_every_line_once(services: Services) -> None:
    rejected: list[Rejected] = []
    given_lines = [*lines([statement(1), statement(2), statement(1)]), Line("f", 4, b"x")]
    conflict = statement(2, verb={"id": "https://example.org/other"})
    given_lines.append(Line("f", 5, strict_json.dumps(conflict)))
    done = await importing(services, rejected).run(given_lines, lambda at: None)
    size = sum(len(line.text or b"") for line in given_lines)
    assert done == Imported(stored=2, skipped=1, rejected=2, conflicts=1, attachments=0, bytes=size)
    assert {each.line.number: each.reason for each in rejected} == {4: Reason.INVALID, 5: Reason.CONFLICT}


async def test_the_source_of_an_imported_statement_is_its_file(services: Services, store: Store) -> None:
    await importing(services, []).run(
        [Line("/somewhere/old.ndjson", 1, strict_json.dumps(statement(1)))], lambda at: None
    )
    found = await store.statements.many([UUID(statement(1)["id"])], {"source.import": "old.ndjson"})
    assert len(found) == 1


async def test_a_statement_stored_just_now_may_move(services: Services, store: Store) -> None:
    stored = micros(utc_now())
    done = await importing(services, [], Manner(authority=OWN, restamp=True)).run(
        lines([statement(1)]), lambda at: None
    )
    page = strict_json.parse((await exported(store)).strip()).value
    again = await importing(services, []).run(lines([page | {"id": statement(2)["id"]}]), lambda at: None)
    assert (done.stored, again.stored) == (1, 1)
    found = await store.statements.get(UUID(statement(2)["id"]))
    assert found is not None
    assert found.stored >= stored


async def test_attachment_files_say_when_they_hold_something_else(tmp_path: Path) -> None:
    files = AttachmentFiles(tmp_path / "new")
    sha2 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert files.read(sha2) is None

    async def chunks() -> Any:
        yield b"hel"
        yield b"lo"

    assert await files.write(sha2, chunks()) == 5
    assert files.read(sha2) == b"hello"
    (tmp_path / "new" / sha2).write_bytes(b"other")
    with pytest.raises(ValueError, match="holds data with the hash"):
        files.read(sha2)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def fail() -> None:
        with replacing(path) as file:
            file.write(b"half")
            raise RuntimeError("broken off")

    with pytest.raises(RuntimeError):
        fail()
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"before"
    with replacing(path) as file:
        file.write(b"after")
    assert path.read_bytes() == b"after"
