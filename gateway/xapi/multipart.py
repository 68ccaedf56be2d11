"""multipart/mixed, as statements travel with their attachments (RFC 2046 §5.1, xAPI Communication §1.5.2).

Works on bytes and gives every part back exactly as it was sent, in time linear in the body. Performs no I/O.
A message whose first boundary line ends in CRLF is read strictly: only CRLF and the boundary end a part, so a
lone LF before the same characters is data. After a bare LF there the sender writes LF throughout, and that
is enough. Preamble and epilogue are passed over; the closing boundary is required, since without it nobody
can tell a whole message from a truncated one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.errors import BadRequest
from gateway.xapi import media_types

HASH_HEADER: Final = "x-experience-api-hash"
ENCODING_HEADER: Final = "content-transfer-encoding"

MAX_PARTS: Final = 10_000
MAX_HEADER_BYTES: Final = 16_384

_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_LINE: Final = re.compile(rb"\r?\n")
_LINE_END: Final = re.compile(rb"[ \t]*+\r?\n")
_CLOSING_END: Final = re.compile(rb"[ \t]*+(?:\r?\n|\Z)")
_HEADER_NAME: Final = re.compile(rb"[0-9A-Za-z!#$%&'*+.^_`|~\-]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# Spelled as the standard spells them: readers that compare header names literally do exist.
_SPELLING: Final = {
    "content-type": "Content-Type",
    ENCODING_HEADER: "Content-Transfer-Encoding",
    HASH_HEADER: "X-Experience-API-Hash",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One body part; the names of its headers are in lower case."""

    headers: Mapping[str, str]
    body: bytes


def boundary_of(content_type: str) -> str:
    """The boundary that a request's Content-Type names; BadRequest when it is no multipart/mixed with one."""
    if (kind := media_types.media_type(content_type)) != media_types.MULTIPART:
        raise BadRequest(f"Content-Type is {kind!r}; statements with attachments are sent as multipart/mixed")
    boundaries = [value for name, value in media_types.parameters(content_type) if name == "boundary"]
    if len(boundaries) != 1:
        how_many = "no" if not boundaries else "more than one"
        raise BadRequest(f"Content-Type multipart/mixed names {how_many} boundary; exactly one is needed")
    if _BOUNDARY.fullmatch(boundaries[0]) is None:
        raise BadRequest(
            f"the multipart boundary is {boundaries[0][:80]!r}; RFC 2046 allows 1 to 70 of the characters "
            "0-9 A-Z a-z ' ( ) + _ , - . / : = ? and blanks not at its end"
        )
    return boundaries[0]


def split(
    body: bytes, boundary: str, *, max_parts: int = MAX_PARTS, max_header_bytes: int = MAX_HEADER_BYTES
) -> list[Part]:
    """The parts of a multipart body, at least one, or BadRequest saying what is wrong with the message."""
    parts: list[Part] = []
    start: int | None = None
    # RFC 2046 lets no line of the data start like a boundary line; some are borne, many are an attack.
    for delimiter in _delimiters(body, b"--" + boundary.encode("ascii"), 2 * max_parts):
        if start is not None:
            if len(parts) == max_parts:
                raise BadRequest(f"the multipart body has more than {max_parts} parts")
            parts.append(_part(body, start, delimiter, len(parts) + 1, max_header_bytes))
        if delimiter.closing:
            if not parts:
                raise BadRequest("the multipart body holds no part before its closing boundary")
            return parts
        start = delimiter.end
    if start is None:
        raise BadRequest(f"the multipart body never names its boundary, the line --{boundary}")
    raise BadRequest(f"the multipart body is not closed by the line --{boundary}--; it may be truncated")


@dataclass(frozen=True, slots=True)
class _Delimiter:
    """A boundary line: where the data before it ends, where it stands, and where what follows it starts."""

    data_end: int
    line: int
    end: int
    closing: bool


def _delimiters(body: bytes, dashed: bytes, max_lines: int) -> Iterator[_Delimiter]:
    """Boundary lines in their order; whoever asks stops at the closing one, behind which is the epilogue."""
    line_break = b"\n"  # any will do until the first boundary line shows which the sender writes
    first = True
    position = 0
    for _ in range(max_lines):
        if position == 0 and body.startswith(dashed):
            data_end = line = 0
        else:
            found = body.find(line_break + dashed, position)
            if found == -1:
                return
            line = found + len(line_break)
            data_end = found - 1 if line_break == b"\n" and body.endswith(b"\r", 0, found) else found
        after = line + len(dashed)
        closing = body.startswith(b"--", after)
        match = _CLOSING_END.match(body, after + 2) if closing else _LINE_END.match(body, after)
        if match is None:  # only the beginning of a longer line, so it is data
            position = after
            continue
        if first and body.endswith(b"\r\n", 0, match.end()):
            line_break = b"\r\n"
        first = False
        # The line break of this line may also be the one before the next boundary.
        position = max(after, match.end() - 2)
        yield _Delimiter(data_end, line, match.end(), closing)
    raise BadRequest(
        f"{max_lines} lines start with the multipart boundary; choose one that starts no line of the data"
    )


def _part(body: bytes, start: int, delimiter: _Delimiter, number: int, max_header_bytes: int) -> Part:
    headers: dict[str, str] = {}
    last = ""
    position = start
    # The blank line may be the line break that belongs to the boundary: a part without data.
    limit = min(delimiter.line, start + max_header_bytes)
    while (line_end := _LINE.search(body, position, limit)) is not None:
        line = body[position : line_end.start()]
        position = line_end.end()
        if not line:
            return Part(headers, body[position : delimiter.data_end])
        if line[:1] in (b" ", b"\t"):
            if not last:
                raise BadRequest(f"part {number}: its first header line starts with a blank")
            headers[last] = f"{headers[last]} {_value(line, number)}".strip()
            continue
        name, colon, value = line.partition(b":")
        if not colon or _HEADER_NAME.fullmatch(name) is None:
            raise BadRequest(f"part {number}: {line[:60]!r} is no header line of the form Name: value")
        last = name.decode("ascii").lower()
        if last in headers:
            raise BadRequest(f"part {number}: the header {last} is given twice")
        headers[last] = _value(value, number)
    if delimiter.line - start > max_header_bytes:
        raise BadRequest(f"part {number}: its headers exceed {max_header_bytes} bytes")
    raise BadRequest(f"part {number}: no blank line separates its headers from its data")


def _value(raw: bytes, number: int) -> str:
    try:
        text = raw.decode("utf-8").strip(" \t")
    except UnicodeDecodeError:
        raise BadRequest(f"part {number}: a header value is not UTF-8: {raw[:60]!r}") from None
    if _CONTROL.search(text):
        raise BadRequest(f"part {number}: a header value holds control characters: {text[:60]!r}")
    return text


def new_boundary(entropy: bytes) -> str:
    """A boundary of letters and digits only; 16 random bytes keep it from ever occurring in data."""
    return "xapi" + entropy.hex()


def json_part(body: bytes) -> Part:
    """The first part of every message: a statement, an array of them or a StatementResult."""
    return Part({"content-type": media_types.JSON}, body)


def attachment_part(sha2: str, content_type: str, body: bytes) -> Part:
    """The part that carries an attachment's bytes."""
    return Part(attachment_headers(sha2, content_type), body)


def attachment_headers(sha2: str, content_type: str) -> dict[str, str]:
    """The three headers of an attachment's part; the hash must be as its statement spells it."""
    # A type that would break out of its header line says nothing useful either.
    safe = media_types.OCTETS if _CONTROL.search(content_type) else content_type
    return {"content-type": safe, ENCODING_HEADER: "binary", HASH_HEADER: sha2}


def opening(headers: Mapping[str, str], boundary: str, *, first: bool = False) -> bytes:
    """Everything between one part's data and the next one's: boundary line, headers and blank line."""
    lines = ["" if first else "\r\n", f"--{boundary}\r\n"]
    for name, value in headers.items():
        if _CONTROL.search(value):
            raise ValueError(f"header {name} would hold control characters: {value!r}")
        lines.append(f"{_SPELLING.get(name, name)}: {value}\r\n")
    lines.append("\r\n")
    return "".join(lines).encode("utf-8")


def closing(boundary: str) -> bytes:
    """What ends a message."""
    return f"\r\n--{boundary}--\r\n".encode("ascii")


def render(parts: Iterable[Part], boundary: str) -> Iterator[bytes]:
    """A whole message in chunks. The boundary must not occur in the data (`new_boundary`)."""
    first = True
    for part in parts:
        yield opening(part.headers, boundary, first=first)
        yield part.body
        first = False
    yield closing(boundary)
