import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadRequest, Conflict, PreconditionFailed
from gateway.xapi import documents
from gateway.xapi.documents import ANY, Kind, Outcome, Preconditions
from gateway.xapi.versions import Version

NONE = Preconditions()
TAG = documents.etag(b"content")
HEX = TAG.strip('"')
JSON = "application/json"


def test_the_etag_is_the_quoted_lower_case_sha1_of_the_bytes() -> None:
    assert documents.etag(b"content") == f'"{hashlib.sha1(b"content").hexdigest()}"'


@pytest.mark.parametrize("header", [TAG, HEX, f"W/{TAG}", f' "other" , {TAG} ', f"other,{HEX}", f",, {TAG},"])
def test_etags_are_read_quoted_unquoted_weak_and_in_lists(header: str) -> None:
    tags = Preconditions.parse(header, None).if_match
    assert isinstance(tags, frozenset)
    assert HEX in tags


def test_a_quoted_etag_may_hold_commas_and_blanks() -> None:
    assert Preconditions.parse('"a, b", "c"', None).if_match == frozenset(("a, b", "c"))


def test_an_asterisk_is_any_document_and_a_quoted_one_is_an_etag() -> None:
    assert Preconditions.parse(" * ", None).if_match is ANY
    assert Preconditions.parse(None, "*").if_none_match is ANY
    assert Preconditions.parse('"*"', None).if_match == frozenset("*")


@pytest.mark.parametrize("header", ["", " ", ",", '"open', "a b", f"*, {TAG}", 'a"b"'])
def test_an_unreadable_precondition_is_refused_by_name(header: str) -> None:
    with pytest.raises(BadRequest, match="If-Match holds"):
        Preconditions.parse(header, None)
    with pytest.raises(BadRequest, match="If-None-Match holds"):
        Preconditions.parse(None, header)


@given(st.text())
def test_reading_preconditions_raises_nothing_but_bad_request(header: str) -> None:
    try:
        found = Preconditions.parse(header, header)
    except BadRequest:
        return
    assert found.if_match == found.if_none_match
    assert found.given


@pytest.mark.parametrize(
    ("if_match", "if_none_match", "current", "holds"),
    [
        (TAG, None, TAG, True),
        (f'"other", {TAG}', None, TAG, True),
        ('"other"', None, TAG, False),
        (TAG, None, None, False),
        ("*", None, TAG, True),
        ("*", None, None, False),
        (None, "*", None, True),
        (None, "*", TAG, False),
        (None, TAG, TAG, False),
        (None, f'"other", {TAG}', TAG, False),
        (None, '"other"', TAG, True),
        (None, TAG, None, True),
        (TAG, '"other"', TAG, True),
        (TAG, TAG, TAG, False),
    ],
)
@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("kind", Kind)
def test_preconditions_decide_before_everything_else(
    *, if_match: str, if_none_match: str, current: str | None, holds: bool, version: Version, kind: Kind
) -> None:
    given_ = Preconditions.parse(if_match, if_none_match)

    def put() -> Outcome:
        return documents.decide_put(given_, current=current, version=version, kind=kind)

    if not holds:
        for decide in (
            put,
            lambda: documents.decide_post(given_, current=current),
            lambda: documents.decide_delete(given_, current=current),
        ):
            with pytest.raises(PreconditionFailed, match="does not hold"):
                decide()
    elif current is None:
        assert put() is Outcome.CREATE
        assert documents.decide_post(given_, current=current) is Outcome.CREATE
        assert documents.decide_delete(given_, current=current) is Outcome.NOTHING
    else:
        assert put() is Outcome.REPLACE
        assert documents.decide_post(given_, current=current) is Outcome.MERGE
        assert documents.decide_delete(given_, current=current) is Outcome.DELETE


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("kind", Kind)
def test_a_put_without_precondition_creates_what_is_absent(version: Version, kind: Kind) -> None:
    assert documents.decide_put(NONE, current=None, version=version, kind=kind) is Outcome.CREATE


def test_a_put_without_precondition_replaces_state_under_1_0_3() -> None:
    assert documents.decide_put(NONE, current=TAG, version=Version.V1, kind=Kind.STATE) is Outcome.REPLACE


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        (Version.V1, Kind.ACTIVITY_PROFILE),
        (Version.V1, Kind.AGENT_PROFILE),
        (Version.V2, Kind.STATE),
        (Version.V2, Kind.ACTIVITY_PROFILE),
        (Version.V2, Kind.AGENT_PROFILE),
    ],
)
def test_a_put_without_precondition_over_a_document_is_a_conflict_that_says_what_to_do(
    version: Version, kind: Kind
) -> None:
    with pytest.raises(
        Conflict, match=r"check the current state of the resource.*set If-Match.*ETag"
    ) as caught:
        documents.decide_put(NONE, current=TAG, version=version, kind=kind)
    assert TAG in caught.value.message


@pytest.mark.parametrize("kind", [Kind.ACTIVITY_PROFILE, Kind.AGENT_PROFILE])
def test_a_strict_server_refuses_a_new_1_0_3_profile_without_precondition(kind: Kind) -> None:
    with pytest.raises(BadRequest, match="If-None-Match"):
        documents.decide_put(NONE, current=None, version=Version.V1, kind=kind, strict=True)
    created = Preconditions.parse(None, "*")
    outcome = documents.decide_put(created, current=None, version=Version.V1, kind=kind, strict=True)
    assert outcome is Outcome.CREATE


def test_post_and_delete_without_precondition_are_always_processed() -> None:
    assert documents.decide_post(NONE, current=TAG) is Outcome.MERGE
    assert documents.decide_post(NONE, current=None) is Outcome.CREATE
    assert documents.decide_delete(NONE, current=TAG) is Outcome.DELETE
    assert documents.decide_delete(NONE, current=None) is Outcome.NOTHING


def test_merging_is_shallow_and_replaces_nested_values_whole() -> None:
    merged = documents.merge(
        JSON, b'{"a": {"b": 1, "c": 2}, "d": [1, 2], "e": 1}', JSON, b'{"a": {"b": 3}, "d": [], "f": null}'
    )
    assert json.loads(merged) == {"a": {"b": 3}, "d": [], "e": 1, "f": None}


def test_merging_keeps_the_digits_of_numbers() -> None:
    merged = documents.merge(
        JSON, b'{"a": 123456789012345678901234567890}', JSON, b'{"b": 0.1234567890123456789, "c": 1e400}'
    )
    assert merged == b'{"a":123456789012345678901234567890,"b":0.1234567890123456789,"c":1e400}'


def test_the_content_type_is_compared_without_parameters() -> None:
    assert documents.merge("Application/JSON;charset=utf-8", b'{"a":1}', JSON, b"{}") == b'{"a":1}'


@pytest.mark.parametrize(
    ("stored", "posted", "says"),
    [
        (("text/plain", b"{}"), (JSON, b"{}"), "the stored document is 'text/plain'"),
        ((None, b"{}"), (JSON, b"{}"), "the stored document is 'application/octet-stream'"),
        ((JSON, b"{}"), ("text/plain", b"{}"), "the posted document is 'text/plain'"),
        ((JSON, b"{}"), (None, b"{}"), "the posted document is"),
        ((JSON, b"[]"), (JSON, b"{}"), "the stored document is JSON but no object"),
        ((JSON, b"{}"), (JSON, b"[1]"), "the posted document is JSON but no object"),
        ((JSON, b"{}"), (JSON, b"7"), "the posted document is JSON but no object"),
        ((JSON, b"{}"), (JSON, b"{"), "the posted document is not JSON"),
        ((JSON, b"{}"), (JSON, b'{"a":1,"a":2}'), "the posted document is not JSON"),
        ((JSON, b"{}"), (JSON, b'{"a":NaN}'), "the posted document is not JSON"),
        ((JSON, b"{}"), (JSON, b""), "the posted document is not JSON"),
    ],
)
def test_only_json_objects_are_merged(
    stored: tuple[str | None, bytes], posted: tuple[str | None, bytes], says: str
) -> None:
    with pytest.raises(BadRequest, match=says):
        documents.merge(*stored, *posted)


def test_a_document_put_as_json_may_be_any_json() -> None:
    documents.check_put(JSON, b"[1]")
    documents.check_put("application/json; charset=utf-8", b"null")
    with pytest.raises(BadRequest):
        documents.check_put(JSON, b"{not json}")


def test_a_document_posted_as_json_must_be_an_object_even_when_none_is_stored() -> None:
    documents.check_post(JSON, b"{}")
    for body in (b"[1]", b"null", b"{", b"\xff"):
        with pytest.raises(BadRequest):
            documents.check_post(JSON, body)


def test_documents_of_other_types_are_never_looked_into() -> None:
    for content_type in (None, "text/plain", "application/x-www-form-urlencoded", "application/json-seq"):
        documents.check_put(content_type, b"\xff{")
        documents.check_post(content_type, b"\xff{")


OBJECTS = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")), st.lists),
    max_size=5,
)


@given(OBJECTS, OBJECTS)
def test_a_merge_is_the_stored_object_updated_by_the_posted_one(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    merged = documents.merge(JSON, json.dumps(old).encode(), JSON, json.dumps(new).encode())
    assert json.loads(merged) == old | new


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_merging_arbitrary_bytes_raises_nothing_unexpected(old: bytes, new: bytes) -> None:
    try:
        merged = documents.merge(JSON, old, JSON, new)
    except BadRequest:
        return
    assert isinstance(json.loads(merged), dict)
