from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from gateway.cmi5 import vocabulary as words
from gateway.cmi5.conflicts import claimed_registration, concern, voided_target, voiding
from gateway.xapi.validation import check
from gateway.xapi.versions import Version
from tests.cmi5.samples import NAMESPACE, REGISTRATION, allowed, defined, spoilt
from tests.cmi5.test_gate import json_values

TARGET = "ab10dd2f-c19a-43ea-b7fa-3f6b8f388356"
AUTHORITY = {"account": {"homePage": "https://lms.example.org", "name": "cmi5"}}
MOVE_ON = {"id": words.CATEGORY_MOVE_ON}


@pytest.mark.parametrize(
    "statement",
    [
        defined(words.PASSED),
        spoilt(allowed(), "context contextActivities category", MOVE_ON),
        spoilt(allowed(), "context contextActivities category", [{"id": "https://example.org"}, MOVE_ON]),
    ],
)
def test_a_statement_poses_as_a_result_by_either_category(statement: dict[str, Any]) -> None:
    assert claimed_registration(statement) == REGISTRATION
    assert concern(statement)
    assert concern([allowed(), statement])


@pytest.mark.parametrize(
    "statement",
    [
        allowed(words.PASSED),
        spoilt(defined(words.PASSED), "context registration"),
        spoilt(defined(words.PASSED), "context registration", 7),
        spoilt(allowed(), "context contextActivities category", {"id": "https://example.org"}),
        spoilt(allowed(), "object", {"objectType": "StatementRef", "id": TARGET}),
        spoilt(allowed(words.VOIDED), "object", {"objectType": "Activity", "id": TARGET}),
        None,
        [],
    ],
)
def test_others_are_no_concern(statement: Any) -> None:
    assert claimed_registration(statement) is None
    assert voided_target(statement) is None
    assert not concern(statement)


def test_the_lms_voids_by_a_valid_statement_that_is_the_same_each_time() -> None:
    one = voiding(NAMESPACE, AUTHORITY, TARGET)
    assert one == voiding(NAMESPACE, AUTHORITY, TARGET)
    assert one["id"] == voiding(NAMESPACE, AUTHORITY, TARGET.upper())["id"]
    assert check(one, Version.V1) == check(one, Version.V2) == []
    assert voided_target(one) == TARGET
    assert concern(one)


@given(json_values)
def test_any_json_is_looked_at_without_an_error(value: Any) -> None:
    assert concern(value) in (True, False)
