import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadRequest
from gateway.xapi import media_types, multipart
from gateway.xapi.multipart import Part, boundary_of, render, split

BOUNDARY = "xapi00ff"


def message(*parts: str, boundary: str = "b", end: str = "\r\n") -> bytes:
    return ("".join(f"--{boundary}{end}{part}{end}" for part in parts) + f"--{boundary}--{end}").encode()


def test_parts_keep_their_bytes_and_headers_are_case_insensitive() -> None:
    picture = bytes(range(256)) + b"\r\n\n\r--\r\n"
    body = (
        b'--b\r\nContent-Type: application/json\r\n\r\n{"a":1}\r\n'
        b"--b\r\nCONTENT-TYPE:image/png\r\nx-Experience-api-HASH:  abc \r\n\r\n" + picture + b"\r\n--b--\r\n"
    )
    first, second = split(body, "b")
    assert first == Part({"content-type": "application/json"}, b'{"a":1}')
    assert second == Part({"content-type": "image/png", "x-experience-api-hash": "abc"}, picture)


def test_preamble_and_epilogue_are_ignored() -> None:
    body = b"This is a message\r\nin MIME format.\r\n--b\r\n\r\ndata\r\n--b--\r\nepilogue\r\n--b\r\n"
    assert split(body, "b") == [Part({}, b"data")]


@pytest.mark.parametrize("end", [b"", b"\r\n", b"\n", b" \t\r\n"])
def test_the_final_line_break_is_optional(end: bytes) -> None:
    assert split(b"\r\n--b\r\n\r\ndata\r\n--b--" + end, "b") == [Part({}, b"data")]


@pytest.mark.parametrize("head", ["A: 1\r\n\r\n", "A: 1\r\n"])
def test_a_part_without_data_is_legal(head: str) -> None:
    assert split(message(head), "b") == [Part({"a": "1"}, b"")]


def test_a_part_without_headers_is_legal() -> None:
    assert split(message("\r\nx"), "b") == [Part({}, b"x")]


def test_blanks_after_a_boundary_are_padding() -> None:
    assert split(b"--b \t \r\n\r\nx\r\n--b--", "b") == [Part({}, b"x")]


def test_a_longer_line_that_starts_like_the_boundary_is_data() -> None:
    body = message("\r\nx\r\n--bc\r\n--b--c\r\n--b x\r\nab--b\r\ny")
    assert split(body, "b") == [Part({}, b"x\r\n--bc\r\n--b--c\r\n--b x\r\nab--b\r\ny")]


def test_a_lone_line_feed_before_a_boundary_is_data_where_the_sender_writes_crlf() -> None:
    assert split(b"--b\r\n\r\nx\n--b\ny\r\n--b--", "b") == [Part({}, b"x\n--b\ny")]


def test_a_message_written_with_line_feeds_is_read() -> None:
    assert split(message("A: 1\n\nx", "\ny\n", end="\n"), "b") == [Part({"a": "1"}, b"x"), Part({}, b"y\n")]


def test_a_line_feed_after_the_preamble_is_tolerated() -> None:
    assert split(b"preamble\n--b\r\n\r\nx\r\n--b--", "b") == [Part({}, b"x")]


def test_a_folded_header_line_is_joined() -> None:
    assert split(message("A: one\r\n  two\r\n\r\nx"), "b") == [Part({"a": "one two"}, b"x")]


def test_a_missing_boundary_leaves_headers_in_the_data_before_it() -> None:
    (only,) = split(message("A: 1\r\n\r\n{}\r\nContent-Type: text/plain\r\n\r\nhello"), "b")
    assert only.body == b"{}\r\nContent-Type: text/plain\r\n\r\nhello"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "never names its boundary"),
        (b"--c\r\n\r\nx\r\n--c--", "never names its boundary"),
        (b"--b", "never names its boundary"),
        (b"--b\r\n\r\nx", "not closed"),
        (b"--b\r\n\r\nx\r\n--b\r\n", "not closed"),
        (b"--b--\r\n", "no part"),
        (b"--b\r\n--b--", "part 1: no blank line"),
        (b"--b\r\nA: 1\r\n--b--", "part 1: no blank line"),
        (b"--b\r\n\r\nx\r\n--b\r\nnonsense\r\n\r\n--b--", "part 2: b'nonsense' is no header line"),
        (b"--b\r\nA : 1\r\n\r\nx\r\n--b--", "no header line"),
        (b"--b\r\n A: 1\r\n\r\nx\r\n--b--", "starts with a blank"),
        (b"--b\r\nA: 1\r\na: 2\r\n\r\nx\r\n--b--", "the header a is given twice"),
        (b"--b\r\nA: \xff\r\n\r\nx\r\n--b--", "not UTF-8"),
        (b"--b\r\nA: \x00\r\n\r\nx\r\n--b--", "control characters"),
        (b"--b\r\nA: x\ry\r\n\r\nx\r\n--b--", "control characters"),
    ],
)
def test_a_malformed_message_is_refused_with_its_flaw(body: bytes, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        split(body, "b")


def test_the_number_of_parts_is_limited() -> None:
    body = message(*["\r\nx"] * 4)
    assert len(split(body, "b", max_parts=4)) == 4
    with pytest.raises(BadRequest, match="more than 3 parts"):
        split(body, "b", max_parts=3)


def test_a_boundary_that_starts_too_many_lines_of_the_data_is_refused() -> None:
    few, many = (message("\r\n" + "\r\n--bc" * count) for count in (3, 30))
    assert len(split(few, "b", max_parts=4)) == 1
    with pytest.raises(BadRequest, match="8 lines start with the multipart boundary"):
        split(many, "b", max_parts=4)


def test_a_lookalike_in_the_preamble_does_not_decide_how_lines_end() -> None:
    assert split(b"--bc\n\r\n--b\r\n\r\nx\n--b\ny\r\n--b--", "b") == [Part({}, b"x\n--b\ny")]


def test_the_size_of_headers_is_limited_and_that_of_data_is_not() -> None:
    assert split(message("A: 1\r\n\r\n" + "x" * 500), "b", max_header_bytes=100)[0].body == b"x" * 500
    with pytest.raises(BadRequest, match="part 1: its headers exceed 100 bytes"):
        split(message(f"A: {'1' * 200}\r\n\r\nx"), "b", max_header_bytes=100)
    with pytest.raises(BadRequest, match="exceed 100 bytes"):
        split(
            message("".join(f"A{n}: 1\r\n" for n in range(50)) + "\r\n"),
            "b",
            max_header_bytes=100,
        )


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/mixed; boundary=abc", "abc"),
        ("Multipart/Mixed;BOUNDARY=abc;charset=utf-8", "abc"),
        ('multipart/mixed; boundary="a b"', "a b"),
        ('multipart/mixed; charset="x;boundary=no"; boundary=abc', "abc"),
        ("multipart/mixed; boundary=-------314159265358979323846", "-------314159265358979323846"),
        ("multipart/mixed; boundary=abcABC0123'()+_,-./:=?", "abcABC0123'()+_,-./:=?"),
        ('multipart/mixed; boundary="abcABC0123\'()+_,-./:=? x"', "abcABC0123'()+_,-./:=? x"),
        ('multipart/mixed; boundary="a\\bc"', "abc"),
        ("multipart/mixed; ; nonsense; boundary=abc ;", "abc"),
    ],
)
def test_the_boundary_may_be_quoted_and_hold_every_character_of_rfc_2046(
    content_type: str, boundary: str
) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    ("content_type", "says"),
    [
        ("multipart/mixed", "names no boundary"),
        ("multipart/mixed;", "names no boundary"),
        ("multipart/mixed; boundary=a; boundary=b", "more than one"),
        ("multipart/mixed; boundary=", "RFC 2046"),
        ('multipart/mixed; boundary="a "', "RFC 2046"),
        (f"multipart/mixed; boundary={'a' * 71}", "RFC 2046"),
        ("multipart/mixed; boundary=äöü", "RFC 2046"),
        ("multipart/form-data; boundary=a", "'multipart/form-data'; statements with attachments"),
        ("application/json", "multipart/mixed"),
        ("", "multipart/mixed"),
    ],
)
def test_a_content_type_without_a_usable_boundary_is_refused(content_type: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        boundary_of(content_type)


def test_a_response_is_crlf_throughout_and_names_each_hash_once() -> None:
    sha2 = hashlib.sha256(b"hello").hexdigest()
    parts = [multipart.json_part(b"{}"), multipart.attachment_part(sha2, "text/plain", b"hello")]
    assert b"".join(render(parts, BOUNDARY)) == (
        b"--xapi00ff\r\nContent-Type: application/json\r\n\r\n{}\r\n"
        b"--xapi00ff\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n"
        b"X-Experience-API-Hash: " + sha2.encode() + b"\r\n\r\nhello\r\n--xapi00ff--\r\n"
    )


def test_boundaries_of_responses_are_letters_and_digits() -> None:
    boundary = multipart.new_boundary(bytes(range(16)))
    assert boundary.isalnum()
    assert boundary_of(f"multipart/mixed; boundary={boundary}") == boundary


def test_a_content_type_cannot_add_headers_to_a_response() -> None:
    part = multipart.attachment_part("0" * 64, "text/plain\r\nSet-Cookie: a", b"")
    assert part.headers["content-type"] == "application/octet-stream"
    with pytest.raises(ValueError, match="control characters"):
        multipart.opening({"content-type": "a\r\nb"}, BOUNDARY)


HEADER_NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=20)
HEADER_VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=30).map(
    lambda text: text.strip(" \t")
)
PARTS = st.builds(Part, st.dictionaries(HEADER_NAMES, HEADER_VALUES, max_size=4), st.binary(max_size=200))


@given(st.lists(PARTS, min_size=1, max_size=5))
def test_splitting_gives_back_what_was_rendered_whatever_the_bytes(parts: list[Part]) -> None:
    assert split(b"".join(render(parts, BOUNDARY)), BOUNDARY) == parts


@given(st.lists(st.sampled_from([b"\r\n", b"\n", b"\r", b"--b", b"--", b" ", b"A: 1", b"x", b":", b"\xff"])))
def test_no_body_raises_anything_but_bad_request(pieces: list[bytes]) -> None:
    try:
        parts = split(b"".join(pieces), "b")
    except BadRequest:
        return
    assert parts


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_bad_request(body: bytes) -> None:
    with pytest.raises(BadRequest):
        split(body, "a boundary that never occurs in short bodies")


@given(st.text(max_size=100))
def test_arbitrary_content_types_raise_nothing_but_bad_request(text: str) -> None:
    try:
        boundary = boundary_of(f"multipart/mixed; {text}")
    except BadRequest:
        return
    assert boundary.isascii()


@given(st.text(max_size=60))
def test_a_quoted_parameter_comes_back_as_it_was(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    assert media_types.parameters(f'a/b; x=1; name="{quoted}"') == [("x", "1"), ("name", text)]


def test_the_media_type_is_compared_without_case_and_parameters() -> None:
    assert media_types.media_type(" Application/JSON ; charset=utf-8") == "application/json"
    assert media_types.media_type(None) == ""
