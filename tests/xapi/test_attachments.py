import hashlib
from typing import Any

import pytest

from gateway.errors import BadRequest, Invalid, TooLarge
from gateway.xapi import attachments
from gateway.xapi.attachments import Attached
from gateway.xapi.multipart import Part
from tests.xapi import examples

DATA = b"\x00\xff\r\nbinary"


def sha2(body: bytes = DATA, algorithm: str = "sha256") -> str:
    return hashlib.new(algorithm, body).hexdigest()


def attachment(sha2: str, content_type: str = "text/plain", **more: Any) -> dict[str, Any]:
    return {
        "usageType": "https://example.org/usage",
        "display": {"en": "x"},
        "contentType": content_type,
        "length": 1,
        "sha2": sha2,
        **more,
    }


def statement(*attached: dict[str, Any]) -> dict[str, Any]:
    return {
        "actor": examples.agent(),
        "verb": {"id": "https://example.org/did"},
        "object": {"id": "https://example.org/it"},
        "attachments": list(attached),
    }


def part(body: bytes = DATA, **headers: str | None) -> Part:
    named = {
        "content-type": "text/plain",
        "content-transfer-encoding": "binary",
        "x-experience-api-hash": sha2(body),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return Part({name: value for name, value in named.items() if value is not None}, body)


def within(inner: dict[str, Any]) -> dict[str, Any]:
    return {**statement(), "object": {"objectType": "SubStatement", **inner}}


def refused(statements: Any, *parts: Part) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        attachments.match(statements, parts)
    return [(problem.path, problem.message) for problem in caught.value.problems]


@pytest.mark.parametrize("algorithm", ["sha224", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("spell", [str.lower, str.upper])
def test_a_part_is_matched_by_any_sha_2_in_any_letter_case(algorithm: str, spell: Any) -> None:
    digest = sha2(DATA, algorithm)
    found = attachments.match(statement(attachment(digest)), [part(x_experience_api_hash=spell(digest))])
    assert found == {digest: Attached("text/plain", DATA)}


def test_the_declared_content_type_is_kept_and_that_of_the_part_not_compared() -> None:
    found = attachments.match(statement(attachment(sha2(), "image/png")), [part(content_type=None)])
    assert found[sha2()].content_type == "image/png"


def test_the_declared_length_is_not_compared() -> None:
    assert attachments.match(statement(attachment(sha2(), length=10_000)), [part()])


def test_an_empty_attachment_is_legal() -> None:
    found = attachments.match(statement(attachment(sha2(b""))), [part(b"")])
    assert found[sha2(b"")].body == b""


def test_one_part_serves_several_attachments_and_statements() -> None:
    both = statement(attachment(sha2()), attachment(sha2().upper()))
    assert list(attachments.match([both, statement(attachment(sha2()))], [part()])) == [sha2()]


def test_the_same_part_twice_is_accepted() -> None:
    assert list(attachments.match(statement(attachment(sha2())), [part(), part()])) == [sha2()]


def test_parts_of_a_substatements_attachments_are_legal() -> None:
    assert list(attachments.match(within(statement(attachment(sha2()))), [part()])) == [sha2()]


def test_multipart_needs_no_part_without_attachments_or_with_file_urls_only() -> None:
    assert attachments.match(statement(), []) == {}
    assert attachments.match(statement(attachment(sha2(), fileUrl="https://example.org/f")), []) == {}


def test_an_attachment_may_have_both_a_file_url_and_a_part() -> None:
    assert attachments.match(statement(attachment(sha2(), fileUrl="https://example.org/f")), [part()])


def test_an_attachment_with_neither_file_url_nor_part_is_refused() -> None:
    batch = [statement(), within(statement(attachment(sha2(), fileUrl="x:y"), attachment(sha2(b"other"))))]
    assert refused(batch, part()) == [
        ("[1].object.attachments[1]", "has neither a fileUrl nor a part with its sha2 as hash")
    ]


def test_an_excess_part_is_refused() -> None:
    ((path, message),) = refused(statement(attachment(sha2())), part(), part(b"more"))
    assert path == "part 3"
    assert "excess part" in message


def test_a_part_whose_bytes_have_another_hash_is_refused() -> None:
    ((path, message),) = refused(
        statement(attachment(sha2())), part(b"changed", x_experience_api_hash=sha2())
    )
    assert (path, message) == (
        "part 2",
        f"its data has the hash {sha2(b'changed')}, not {sha2()} as its header says",
    )


def test_a_part_without_hash_is_refused() -> None:
    first, _ = refused(statement(attachment(sha2())), part(x_experience_api_hash=None))
    assert first == ("part 2", "X-Experience-API-Hash is missing")


@pytest.mark.parametrize("held", ["", "should fail", "a" * 40, "g" * 64])
def test_a_part_whose_hash_is_no_sha_2_is_refused(held: str) -> None:
    first, _ = refused(statement(attachment(sha2())), part(x_experience_api_hash=held))
    assert first[1].startswith("X-Experience-API-Hash holds")


@pytest.mark.parametrize("encoding", [None, "base64", "8bit", ""])
def test_a_part_that_is_not_declared_binary_is_refused(encoding: str | None) -> None:
    ((path, message),) = refused(statement(attachment(sha2())), part(content_transfer_encoding=encoding))
    assert path == "part 2"
    assert "it must be binary" in message


def test_the_encoding_is_compared_without_letter_case() -> None:
    assert attachments.match(statement(attachment(sha2())), [part(content_transfer_encoding="Binary")])


def test_all_flaws_of_all_parts_are_named_at_once() -> None:
    found = refused(
        statement(attachment(sha2()), attachment(sha2(b"missing"))),
        part(content_transfer_encoding=None),
        part(b"excess"),
        part(x_experience_api_hash="?", content_transfer_encoding="7bit"),
    )
    assert [path for path, _ in found] == ["part 2", "part 3", "part 4", "part 4", "attachments[1]"]


def test_a_part_beyond_the_limit_is_too_large() -> None:
    declared = statement(attachment(sha2()))
    assert attachments.match(declared, [part()], max_bytes=len(DATA))
    with pytest.raises(TooLarge, match="part 2 has 10 bytes"):
        attachments.match(declared, [part()], max_bytes=len(DATA) - 1)


def test_a_json_request_may_only_have_attachments_with_file_url() -> None:
    attachments.check_without_parts(statement())
    attachments.check_without_parts([statement(attachment(sha2(), fileUrl="https://example.org/f"))])
    with pytest.raises(Invalid) as caught:
        attachments.check_without_parts(
            [statement(attachment(sha2())), within(statement(attachment(sha2())))]
        )
    paths = [problem.path for problem in caught.value.problems]
    assert paths == ["[0].attachments[0]", "[1].object.attachments[0]"]


def test_the_first_part_holds_the_statements_in_json() -> None:
    first = Part({"content-type": "application/json; charset=utf-8"}, b"[]")
    assert attachments.statements_part([first, part()]) == b"[]"
    for wrong in (Part({}, b"[]"), Part({"content-type": "text/plain"}, b"[]")):
        with pytest.raises(BadRequest, match="it must be application/json"):
            attachments.statements_part([wrong])


def test_stored_hashes_are_distinct_and_in_lower_case() -> None:
    inner = statement(attachment(sha2(b"b")))
    outer = {**within(inner), "attachments": [attachment(sha2().upper()), attachment(sha2())]}
    assert attachments.stored_hashes(outer) == [sha2(), sha2(b"b")]
    assert attachments.stored_hashes({"object": {"id": "x:y"}}) == []
