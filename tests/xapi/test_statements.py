from __future__ import annotations

from copy import deepcopy
from uuid import UUID

import pytest

from gateway.xapi.datatypes import parse_timestamp
from gateway.xapi.statements import Prepared, prepare
from gateway.xapi.validation import check
from gateway.xapi.versions import Version
from tests.xapi.examples import (
    AUTHORITY,
    EXAMPLES,
    Json,
    activity,
    attachment,
    maximal,
    minimal,
    statement_ref,
    sub_statement,
    typical,
    voiding,
)

NEW_ID = UUID("0190c5d6-0000-4000-8000-00000000000f")
STORED = parse_timestamp("2026-01-02T03:04:05.678901Z")


def prepared(statement: Json, version: Version = Version.V2) -> Prepared:
    return prepare(statement, version=version, authority=AUTHORITY, new_id=lambda: NEW_ID)


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_prepared_statement_is_a_valid_statement_with_all_that_an_lrs_sets(
    name: str, version: Version
) -> None:
    ready = prepared(EXAMPLES[name](version), version)
    ready.stamp(STORED)
    assert check(ready.statement, version) == []
    assert {"id", "stored", "timestamp", "authority", "version"} <= ready.statement.keys()
    assert ready.statement["authority"] == AUTHORITY
    assert ready.statement["stored"] == "2026-01-02T03:04:05.678901Z"


@pytest.mark.parametrize(("version", "number"), [(Version.V1, "1.0.0"), (Version.V2, "2.0.0")])
def test_id_and_version_are_set_if_missing(version: Version, number: str) -> None:
    ready = prepared(minimal(version), version)
    assert ready.id == NEW_ID
    assert ready.statement["id"] == str(NEW_ID)
    assert ready.statement["version"] == number


def test_id_and_version_are_kept_as_they_came() -> None:
    given = "FD41C918-B88B-4B20-A0A5-A4C32391AAA0"
    ready = prepared(minimal(Version.V2) | {"id": given, "version": "1.0.2"})
    assert ready.id == UUID(given)
    assert ready.statement["id"] == given
    assert ready.statement["version"] == "1.0.2"


def test_nothing_else_changes_and_the_order_of_keys_stays() -> None:
    ready = prepared(typical())
    expected = typical() | {"authority": AUTHORITY, "version": "2.0.0"}
    assert ready.statement == expected
    assert list(ready.statement) == list(expected)
    assert list(ready.statement["object"]["definition"]) == list(expected["object"]["definition"])


@pytest.mark.parametrize("inside", [False, True])
def test_single_context_activities_become_arrays(inside: bool) -> None:
    statement = sub_statement(Version.V1) if inside else maximal(Version.V1)
    before = deepcopy((statement["object"] if inside else statement)["context"]["contextActivities"])
    ready = prepared(statement)
    after = (ready.statement["object"] if inside else ready.statement)["context"]["contextActivities"]
    assert after == before | {"grouping": [activity("grouping")]}
    assert list(after) == list(before)


@pytest.mark.parametrize("inside", [False, True])
def test_timestamps_move_to_utc(inside: bool) -> None:
    statement = sub_statement(Version.V1) if inside else maximal(Version.V1)
    ready = prepared(statement)
    ready.stamp(STORED)
    assert (ready.statement["object"] if inside else ready.statement)[
        "timestamp"
    ] == "2024-01-31T09:15:00.123Z"


def test_a_timestamp_in_utc_keeps_its_text() -> None:
    given = "2024-01-31T10:15:00.1234567890Z"
    ready = prepared(minimal(Version.V1) | {"timestamp": given})
    ready.stamp(STORED)
    assert ready.statement["timestamp"] == given
    assert ready.explicit_timestamp


def test_a_missing_timestamp_is_the_time_of_storing_even_if_stamped_twice() -> None:
    ready = prepared(minimal(Version.V1))
    assert "timestamp" not in ready.statement
    assert not ready.explicit_timestamp
    ready.stamp(STORED - 1)
    ready.stamp(STORED)
    assert ready.statement["timestamp"] == ready.statement["stored"] == "2026-01-02T03:04:05.678901Z"


def test_sent_stored_and_authority_are_overwritten() -> None:
    ready = prepared(maximal(Version.V2))
    ready.stamp(STORED)
    assert ready.statement["stored"] == "2026-01-02T03:04:05.678901Z"
    assert ready.statement["authority"] == AUTHORITY
    assert "account:https://lrs.example.org/|key-1" in ready.keys.related_agents


def test_only_a_reference_as_object_refers_and_only_the_verb_voided_voids() -> None:
    target = UUID(statement_ref()["id"])
    void = prepared(voiding(Version.V1))
    assert (void.ref, void.voids) == (target, True)
    comment = prepared(EXAMPLES["StatementRef"](Version.V1))
    assert (comment.ref, comment.voids) == (target, False)
    within = prepared(minimal(Version.V1) | {"object": {"objectType": "SubStatement", **voiding(Version.V1)}})
    assert (within.ref, within.voids) == (None, False)
    in_context = prepared(maximal(Version.V1))
    assert (in_context.ref, in_context.voids) == (None, False)


def test_attachments_are_those_of_the_statement_and_its_sub_statement() -> None:
    assert prepared(minimal(Version.V1)).attachments == []
    assert prepared(maximal(Version.V1)).attachments == [attachment()]
    both = sub_statement(Version.V1) | {"attachments": [attachment() | {"length": 9}]}
    ready = prepared(both)
    assert [metadata["length"] for metadata in ready.attachments] == [9, 4]
    assert len(ready.statement["attachments"]) == len(ready.statement["object"]["attachments"]) == 1
