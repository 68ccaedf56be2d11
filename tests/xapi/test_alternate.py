import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadRequest
from gateway.xapi.alternate import EffectiveRequest, form_fields, is_alternate, unwrap

FORM = "application/x-www-form-urlencoded"
REAL = {"Content-Type": FORM, "Content-Length": "99", "X-Experience-API-Version": "1.0.3", "Host": "lrs"}


def request(
    method: str, fields: dict[str, str] | list[tuple[str, str]], headers: dict[str, str] | None = None
) -> EffectiveRequest:
    pairs = list(fields.items()) if isinstance(fields, dict) else fields
    return unwrap(parameters=[("method", method)], fields=pairs, headers=REAL if headers is None else headers)


def test_a_get_is_unfolded_into_parameters_and_headers() -> None:
    found = request("GET", {"statementId": "x", "Authorization": "Basic abc", "format": "ids"})
    assert found.method == "GET"
    assert found.parameters == [("statementId", "x"), ("format", "ids")]
    assert found.headers == {"host": "lrs", "x-experience-api-version": "1.0.3", "authorization": "Basic abc"}
    assert found.body == b""


def test_content_is_the_body_in_utf_8_and_json_unless_the_form_says_otherwise() -> None:
    found = request("PUT", {"statementId": "x", "content": '{"ä":1}'})
    assert found.body == '{"ä":1}'.encode()
    assert found.headers["content-type"] == "application/json"
    assert (
        request("PUT", {"content": "x", "content-type": "text/plain"}).headers["content-type"] == "text/plain"
    )


def test_form_fields_override_real_headers_in_any_letter_case() -> None:
    real = {**REAL, "Authorization": "Basic real", "If-Match": "real", "if-none-match": "real"}
    fields = {
        "AUTHORIZATION": "Basic form",
        "x-experience-api-version": "1.0.2",
        "if-match": "form",
        "IF-NONE-MATCH": "*",
        "content-LENGTH": "1",
    }
    assert request("DELETE", fields, real).headers == {
        "host": "lrs",
        "authorization": "Basic form",
        "x-experience-api-version": "1.0.2",
        "if-match": "form",
        "if-none-match": "*",
    }


def test_a_version_in_the_form_reaches_the_version_check() -> None:
    assert request("GET", {"X-Experience-API-Version": "0.8"}).headers["x-experience-api-version"] == "0.8"


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "HEAD"])
def test_all_methods_of_the_standard_can_be_asked_for(method: str) -> None:
    assert request(method, {"content": "{}"}).method == method


@pytest.mark.parametrize("method", ["", "get", "PATCH", "OPTIONS", "GET ", "\ud800"])
def test_an_unknown_method_is_refused(method: str) -> None:
    with pytest.raises(BadRequest, match="the parameter method holds"):
        request(method, {})


def test_the_query_may_hold_nothing_but_one_method() -> None:
    for parameters in ([("method", "GET"), ("agent", "x")], [("agent", "x")]):
        with pytest.raises(BadRequest, match='"agent" beside method'):
            unwrap(parameters=parameters, fields=[], headers=REAL)
    with pytest.raises(BadRequest, match="exactly once"):
        unwrap(parameters=[("method", "GET"), ("method", "GET")], fields=[], headers=REAL)


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_content_is_required_for_put_and_post(method: str) -> None:
    with pytest.raises(BadRequest, match="content is missing"):
        request(method, {"statementId": "x"})


def test_an_empty_content_is_an_empty_body() -> None:
    assert request("PUT", {"content": "", "Content-Type": "text/plain"}).body == b""


def test_a_repeated_header_or_content_is_refused() -> None:
    with pytest.raises(BadRequest, match="content is given twice"):
        request("PUT", [("content", "a"), ("content", "b")])
    with pytest.raises(BadRequest, match="if-match is given twice"):
        request("DELETE", [("If-Match", "a"), ("if-match", "b")])


def test_repeated_and_unknown_parameters_are_left_for_the_normal_rules() -> None:
    found = request("GET", [("agent", "a"), ("agent", "b"), ("Content", "c"), ("nonsense", "")])
    assert found.parameters == [("agent", "a"), ("agent", "b"), ("Content", "c"), ("nonsense", "")]


def test_a_form_field_cannot_smuggle_header_lines() -> None:
    with pytest.raises(BadRequest, match="no header can hold"):
        request("PUT", {"content": "x", "Content-Type": "text/plain\r\nSet-Cookie: a=b"})


def test_attachments_cannot_travel_in_a_form() -> None:
    with pytest.raises(BadRequest, match="cannot carry attachments"):
        request("POST", {"content": "x", "Content-Type": "multipart/mixed; boundary=x"})


@pytest.mark.parametrize("headers", [{"content-type": "application/json"}, {}])
def test_the_outer_content_type_must_be_that_of_a_form(headers: dict[str, str]) -> None:
    with pytest.raises(BadRequest, match="asks for a form"):
        request("GET", {"agent": "x"}, headers)


def test_a_request_with_an_empty_body_needs_no_content_type() -> None:
    assert request("GET", {}, {"X-Experience-API-Version": "1.0.3"}).parameters == []


@pytest.mark.parametrize("version", ["2.0", "2.0.0", " 2.0.1 "])
def test_version_2_has_no_alternate_syntax_whichever_header_says_so(version: str) -> None:
    with pytest.raises(BadRequest, match="method is unknown"):
        request("GET", {}, {"X-Experience-API-Version": version})
    with pytest.raises(BadRequest, match="method is unknown"):
        request("GET", {"X-Experience-API-Version": version})
    with pytest.raises(BadRequest, match="method is unknown"):
        request("GET", {"X-Experience-API-Version": "1.0.3"}, {**REAL, "X-Experience-API-Version": version})


def test_only_a_post_that_names_a_method_is_alternate() -> None:
    assert is_alternate("POST", [("method", "GET")])
    assert not is_alternate("GET", [("method", "GET")])
    assert not is_alternate("POST", [("stateId", "method")])


def test_forms_are_read_as_utf_8() -> None:
    assert form_fields("a=%C3%A4+b&b=&ä=ö".encode()) == [("a", "ä b"), ("b", ""), ("ä", "ö")]
    assert form_fields(b"") == []


@pytest.mark.parametrize(
    "body", [b'{"actor": 1}', b"\xff=1", b"a=%FF", b"a", b"&", b"&".join([b"a=1"] * 1001)], ids=range(6)
)
def test_a_body_that_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="not application/x-www-form-urlencoded"):
        form_fields(body)


@given(
    st.lists(
        st.tuples(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8")))
    )
)
def test_fields_come_back_as_they_were_encoded(fields: list[tuple[str, str]]) -> None:
    assert form_fields(urlencode(fields).encode()) == fields


@given(st.binary(max_size=100), st.sampled_from(["GET", "PUT", "nonsense"]))
def test_arbitrary_forms_raise_nothing_but_bad_request(body: bytes, method: str) -> None:
    try:
        found = unwrap(parameters=[("method", method)], fields=form_fields(body), headers=REAL)
    except BadRequest:
        return
    assert found.method == method


def test_a_statement_survives_the_way_through_a_form() -> None:
    statement = {"actor": {"mbox": "mailto:a+b@example.org"}, "result": {"response": "a&b=c %41 ä\n"}}
    body = urlencode({"content": json.dumps(statement)}).encode()
    assert (
        json.loads(unwrap(parameters=[("method", "POST")], fields=form_fields(body), headers=REAL).body)
        == statement
    )
