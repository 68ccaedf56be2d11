"""Attachments: what statements declare, matched with the parts that bring the bytes (xAPI Data §2.4.11).

The rules of a request with attachments are those of Communication §1.5. Performs no I/O. The declared
`length` and the Content-Type of a part are not compared with anything: senders get them wrong, and the hash
says all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.errors import BadRequest, Invalid, Problem, TooLarge
from gateway.xapi import media_types
from gateway.xapi.datatypes import is_sha2
from gateway.xapi.findings import at, shown
from gateway.xapi.multipart import ENCODING_HEADER, HASH_HEADER, Part

_DATA: Final = "xAPI 2.4.11"
_JSON: Final = "xAPI Communication 1.5.1"
_MULTIPART: Final = "xAPI Communication 1.5.2"

_ALGORITHMS: Final = {56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}


@dataclass(frozen=True, slots=True)
class Attached:
    """The bytes of an attachment, and the content type that its statement declares."""

    content_type: str
    body: bytes


def declares(statement: Mapping[str, Any]) -> bool:
    """Whether a valid statement has attachments: `declared` for those that have none, as most."""
    if "attachments" in statement:
        return True
    target = statement["object"]
    return target.get("objectType") == "SubStatement" and "attachments" in target


def declared(statement: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and metadata of every attachment of a valid statement, those of its SubStatement included."""
    listed = at(path, "attachments")
    for index, attachment in enumerate(statement.get("attachments", ())):
        yield at(listed, index), attachment
    target = statement["object"]
    if target.get("objectType") == "SubStatement":
        yield from declared(target, at(path, "object"))


def stored_hashes(statement: Mapping[str, Any]) -> list[str]:
    """The distinct hashes, in lower case, under which a statement's attachments may be stored."""
    return list(dict.fromkeys(attachment["sha2"].lower() for _, attachment in declared(statement)))


def statements_part(parts: Sequence[Part]) -> bytes:
    """The JSON text of the statements: the first part of a multipart request, or BadRequest."""
    content_type = parts[0].headers.get("content-type")
    if media_types.media_type(content_type) != media_types.JSON:
        raise BadRequest(
            f"the first part has Content-Type {content_type or 'missing'}; "
            "it must be application/json and hold all statements"
        )
    return parts[0].body


def check_without_parts(statements: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
    """For a request in plain JSON: Invalid unless every attachment has a `fileUrl`, where its bytes are."""
    problems = [
        Problem(path, _JSON, "has no fileUrl, and a request in application/json cannot bring its data")
        for path, attachment in _all_declared(statements)
        if "fileUrl" not in attachment
    ]
    if problems:
        raise Invalid(f"{problems[0].path} {problems[0].message}", problems=problems)


def match(
    statements: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    parts: Sequence[Part],
    *,
    max_bytes: int | None = None,
) -> dict[str, Attached]:
    """The attachments that a multipart request brings, by hash in lower case.

    `statements` is the content of the first part, valid; `parts` are all further ones. Raises TooLarge for a
    part beyond `max_bytes`, or Invalid with everything wrong: parts without hash or encoding, whose hash is
    not that of their bytes or that no attachment declares, and attachments with neither part nor `fileUrl`.
    """
    problems: list[Problem] = []
    attachments = list(_all_declared(statements))
    wanted: dict[str, str] = {}
    for _, attachment in attachments:
        wanted.setdefault(attachment["sha2"].lower(), attachment["contentType"])

    found: dict[str, Attached] = {}
    # The part with the statements is number 1.
    for number, part in enumerate(parts, 2):
        if max_bytes is not None and len(part.body) > max_bytes:
            raise TooLarge(f"part {number} has {len(part.body)} bytes; attachments may have {max_bytes}")
        sha2 = _check_part(part, f"part {number}", wanted, problems)
        if sha2 is not None:
            found[sha2] = Attached(wanted[sha2], part.body)

    brought = {part.headers.get(HASH_HEADER, "").lower() for part in parts}
    for path, attachment in attachments:
        # A part with the right name and the wrong bytes is a problem noted above.
        if "fileUrl" not in attachment and attachment["sha2"].lower() not in brought:
            problems.append(
                Problem(path, _MULTIPART, "has neither a fileUrl nor a part with its sha2 as hash")
            )
    if problems:
        raise Invalid(f"{problems[0].path} {problems[0].message}", problems=problems)
    return found


def _all_declared(
    statements: Mapping[str, Any] | Sequence[Mapping[str, Any]],
) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(statements, Mapping):
        yield from declared(statements)
        return
    for index, statement in enumerate(statements):
        yield from declared(statement, at("", index))


def _check_part(part: Part, name: str, wanted: Mapping[str, str], problems: list[Problem]) -> str | None:
    """The hash of a flawless part, otherwise None and the problems noted."""
    noted = len(problems)
    encoding = part.headers.get(ENCODING_HEADER)
    if encoding is None or encoding.lower() != "binary":
        held = "is missing" if encoding is None else f"holds {shown(encoding)}"
        problems.append(Problem(name, _MULTIPART, f"Content-Transfer-Encoding {held}; it must be binary"))
    sha2 = part.headers.get(HASH_HEADER)
    if sha2 is None:
        problems.append(Problem(name, _MULTIPART, "X-Experience-API-Hash is missing"))
        return None
    if not is_sha2(sha2):
        expected = "expected the SHA-2 of the data, 56, 64, 96 or 128 hexadecimal digits"
        problems.append(Problem(name, _MULTIPART, f"X-Experience-API-Hash holds {shown(sha2)}; {expected}"))
        return None
    sha2 = sha2.lower()
    if sha2 not in wanted:
        problems.append(Problem(name, _MULTIPART, f"no attachment declares its hash {sha2}; excess part"))
    actual = hashlib.new(_ALGORITHMS[len(sha2)], part.body).hexdigest()
    if actual != sha2:
        problems.append(
            Problem(name, _DATA, f"its data has the hash {actual}, not {sha2} as its header says")
        )
    return sha2 if len(problems) == noted else None
