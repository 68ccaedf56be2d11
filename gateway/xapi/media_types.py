"""Reading a Content-Type header (RFC 9110 §8.3): the media type, and its parameters. Performs no I/O.

Senders of xAPI leave out quotes that the grammar asks for, above all around multipart boundaries, so a
bare parameter value is everything up to the next semicolon.
"""

from __future__ import annotations

import re
from typing import Final

JSON: Final = "application/json"
MULTIPART: Final = "multipart/mixed"
FORM: Final = "application/x-www-form-urlencoded"
OCTETS: Final = "application/octet-stream"

_PARAMETER: Final = re.compile(
    r"""[\t ]*+(?P<name>[^\s=;"]++)[\t ]*+=[\t ]*+
        (?:"(?P<quoted>(?:[^"\\]|\\.)*+)"[\t ]*+|(?P<bare>[^;]*+))(?:;|\Z)
      | [^;]*+(?:;|\Z)""",
    re.VERBOSE | re.DOTALL,
)


def media_type(content_type: str | None) -> str:
    """The lower-case type without parameters, `application/json`; empty when there is no header."""
    return (content_type or "").partition(";")[0].strip().lower()


def parameters(content_type: str) -> list[tuple[str, str]]:
    """Parameters in their order, names in lower case. Pieces that are no parameter are passed over."""
    rest = content_type.partition(";")[2]
    found: list[tuple[str, str]] = []
    for match in _PARAMETER.finditer(rest):
        if match["name"] is None:
            continue
        value = match["bare"].strip() if match["quoted"] is None else re.sub(r"\\(.)", r"\1", match["quoted"])
        found.append((match["name"].lower(), value))
    return found
