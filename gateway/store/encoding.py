"""Statements as BSON, and what to do with the few that BSON cannot hold exactly.

Statements are stored as documents people can query. JSON is wider than BSON: integers beyond 64 bits, NUL in
keys, numbers a double cannot keep, deep nesting, and keys a driver reads as something else (`$ref`). Such a
statement is kept twice: as the nearest document, for queries, and as its own JSON text, which is what is
served.
"""

from __future__ import annotations

from typing import Any, Final

import re2
from bson import encode
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from bson.errors import BSONError

# What must be in a body before anything below could go wrong: a dollar sign that starts a text, an escaped
# NUL or dollar sign, or 19 digits in a row. Searching the text costs far less than walking the statement.
_ODD_TEXTS: Final = (b'"$', b"\\u0000", b"\\u0024")
_LONG_NUMBER: Final = re2.compile(rb"[0-9]{19}")
# MongoDB promises 100 levels; the statement itself sits one level down in its document.
MAX_DEPTH = 96
# MongoDB takes 16 MiB; JSON such as `[1,1,1]` grows sixfold on its way into BSON.
MAX_DOCUMENT = 15 * 1024 * 1024
MAX_OUTLINE = 64 * 1024
# As the client writes.
_OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)
_LARGE = 1024 * 1024
_INT64 = 1 << 63


def suspect(text: bytes) -> bool:
    """Whether a JSON text may hold something that BSON cannot; False is certain."""
    return odd(text) or crowded(text)


def odd(text: bytes, *, long_numbers: bool = True) -> bool:
    """`suspect` for any reason but depth. Whoever knows that there are no `long_numbers` saves the look."""
    return (
        len(text) > _LARGE
        or any(odd_text in text for odd_text in _ODD_TEXTS)
        or (long_numbers and _LONG_NUMBER.search(text) is not None)
    )


def crowded(text: bytes) -> bool:
    """`suspect` for its depth: it has more objects and arrays than may be nested."""
    return text.count(b"{") + text.count(b"[") > MAX_DEPTH


def holdable(value: Any, depth: int = 0) -> bool:
    """Whether BSON gives `value` back exactly as it is."""
    if isinstance(value, dict):
        return depth < MAX_DEPTH and all(
            not key.startswith("$") and "\0" not in key and holdable(item, depth + 1)
            for key, item in value.items()
        )
    if isinstance(value, list):
        return depth < MAX_DEPTH and all(holdable(item, depth + 1) for item in value)
    if isinstance(value, int):
        return -_INT64 <= value < _INT64
    if isinstance(value, float):
        return type(value) is float
    return True


def nearest(value: Any, depth: int = 0) -> Any:
    """The document closest to `value` that BSON can hold: for queries only, never served."""
    if isinstance(value, dict):
        if depth >= MAX_DEPTH:
            return None
        return {
            key.replace("\0", "\N{SYMBOL FOR NULL}").replace("$", "\N{FULLWIDTH DOLLAR SIGN}", 1)
            if key.startswith("$") or "\0" in key
            else key: nearest(item, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [nearest(item, depth + 1) for item in value] if depth < MAX_DEPTH else None
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else float(min(max(value, -(10**300)), 10**300))
    if isinstance(value, float):
        return float(value)
    return value


def outline(statement: dict[str, Any]) -> dict[str, Any]:
    """What is left of a statement whose document would be too large: enough to recognise it in a query."""
    return {
        key: statement[key]
        for key in ("id", "verb", "timestamp", "stored", "version")
        if key in statement and encodable({key: statement[key]}, MAX_OUTLINE)
    }


def encodable(document: dict[str, Any], limit: int = MAX_DOCUMENT) -> bool:
    """Whether the driver and the server take a document as it is."""
    try:
        return len(encode(document, codec_options=_OPTIONS)) <= limit
    except (BSONError, OverflowError, RecursionError):
        return False
