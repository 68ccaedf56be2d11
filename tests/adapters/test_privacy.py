"""Hidden paths are compiled together; what they do is what each of them does, one after the other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.privacy import Hidden, Hiding

NAMES = st.sampled_from(["a", "b", "c"])
KEYS = st.lists(st.one_of(NAMES, st.sampled_from(["*", "[*]", "0", "1"])), min_size=1, max_size=3).map(tuple)
ACTIONS = st.sampled_from(["drop", "mask", "pseudonym"])
HIDDEN = st.lists(st.builds(Hidden, KEYS, ACTIONS, kind=st.just("k")), max_size=6)
PAYLOADS = st.recursive(
    st.one_of(st.none(), st.integers(0, 9), st.text("xy", max_size=2)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=12,
)


@given(hidden=HIDDEN, payload=PAYLOADS)
def test_paths_that_are_walked_together_hide_what_they_hide_one_after_the_other(
    hidden: list[Hidden], payload: Any
) -> None:
    copy = repr(payload)
    expected = payload
    for one in hidden:
        expected = Hiding([one])(expected, b"key")
    assert Hiding(hidden)(payload, b"key") == expected
    assert repr(payload) == copy, "the payload itself was changed"


@given(hidden=HIDDEN, payload=PAYLOADS)
def test_where_hiding_is_settled_doing_it_again_changes_nothing(hidden: list[Hidden], payload: Any) -> None:
    hiding = Hiding(one for one in hidden if one.action != "pseudonym")
    once = hiding(payload)
    if hiding.settled:
        assert hiding(once) == once


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        (("people", "*", "name"), {"people": [{"id": 1}, {"id": 2}], "note": "n"}),
        (("people", "0"), {"people": [{"id": 2, "name": "B"}], "note": "n"}),
        (("people", "7"), {"people": [{"id": 1, "name": "A"}, {"id": 2, "name": "B"}], "note": "n"}),
        (("*",), {}),
        (("people", "[*]", "name"), {"people": [{"id": 1}, {"id": 2}], "note": "n"}),
        (("[*]", "name"), {"people": [{"id": 1, "name": "A"}, {"id": 2, "name": "B"}], "note": "n"}),
        (("note", "inside"), {"people": [{"id": 1, "name": "A"}, {"id": 2, "name": "B"}], "note": "n"}),
    ],
)
def test_a_path_goes_through_lists_and_objects(keys: tuple[str, ...], shown: Any) -> None:
    payload = {"people": [{"id": 1, "name": "A"}, {"id": 2, "name": "B"}], "note": "n"}
    assert Hiding([Hidden(keys, "drop")])(payload) == shown


def test_pseudonyms_that_are_there_already_are_left_alone() -> None:
    hiding = Hiding([Hidden(("a",), "pseudonym"), Hidden(("b",), "drop")])
    once = hiding({"a": "x", "b": 1, "c": 2}, b"key")
    assert once["a"] != "x"
    assert hiding(once, b"key", ["body.a"]) == once
    assert hiding(once, b"key") != once
