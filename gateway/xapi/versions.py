"""Which version of the standard a request is handled as (xAPI 1.0.3 Communication §3.3).

One process serves both: the request header alone decides, never the path and never the data.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from gateway.errors import BadRequest

HEADER: Final = "X-Experience-API-Version"


class Version(Enum):
    """A line of the standard. The value is the latest patch of it, which answers carry in their header."""

    V1 = "1.0.3"
    V2 = "2.0.0"

    @property
    def answer(self) -> str:
        """Value of the response header `X-Experience-API-Version`."""
        return self.value

    @property
    def default_statement_version(self) -> str:
        """What a statement that names no `version` gets."""
        return "1.0.0" if self is Version.V1 else "2.0.0"


# Nearly all requests name one of these; the patterns serve the rest.
_KNOWN: Final = {
    **dict.fromkeys(("1.0.3", "1.0.2", "1.0.1", "1.0.0", "1.0"), Version.V1),
    **dict.fromkeys(("2.0.0", "2.0"), Version.V2),
}
_LINES: Final = (
    (re.compile(r"1\.0(?:\.[0-9]+)?"), Version.V1),
    (re.compile(r"2\.0(?:\.[0-9]+)?"), Version.V2),
)


def negotiate(header: str | None) -> Version:
    """The version that the request header names: any patch of 1.0 or 2.0, otherwise BadRequest."""
    if header is None or not header.strip():
        raise BadRequest(f"the header {HEADER} is missing; send {HEADER}: {Version.V2.answer} (or 1.0.3)")
    text = header.strip()
    known = _KNOWN.get(text)
    if known is not None:
        return known
    for pattern, version in _LINES:
        if pattern.fullmatch(text):
            return version
    raise BadRequest(f"the header {HEADER} holds {text[:60]!r}; this server speaks 1.0.x and 2.0.x")
