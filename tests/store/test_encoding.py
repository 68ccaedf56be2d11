from __future__ import annotations

import json
from typing import Any

from bson import decode, encode
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.encoding import MAX_DEPTH, encodable, holdable, nearest, suspect
from gateway.xapi import strict_json

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
KEYS = TEXTS | st.sampled_from(["$ref", "$id", "$", "a\0b", "a.b", "", "_id"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_held_comes_back_from_the_database_as_it_was(value: Any) -> None:
    if holdable(value):
        assert json.dumps(decode(encode({"value": value}))["value"]) == json.dumps(value)


@given(VALUES)
def test_what_cannot_be_held_never_passes_unsuspected(value: Any) -> None:
    body = strict_json.dumps({"value": value})
    parsed = strict_json.parse(body)
    if not holdable(parsed.value):
        assert parsed.lossy or suspect(body)


@given(VALUES)
def test_the_nearest_document_can_always_be_held(value: Any) -> None:
    near = nearest({"value": value})
    assert holdable(near)
    assert encodable(near)


def test_depth_beyond_the_limit_is_cut_from_the_nearest_document() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH + 50):
        value = [value]
    assert not holdable(value)
    assert holdable(nearest(value))
