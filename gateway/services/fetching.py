"""What services ask of the outside world: an HTTP request with a limit on everything. Performs no I/O.

The client is in `gateway.web.outgoing`; URLs come from configuration and mappings, never from a payload.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

_CODE = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]{1,60}")  # RFC 6749 section 5.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One GET, or the POST of a `form`. Redirects are not followed. `timeout` in seconds for all of it,
    `max_bytes` of the answer.
    """

    url: str
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 5.0
    max_bytes: int = 1024 * 1024
    allow_private: bool = True


class FetchFailed(Exception):
    """There is no usable answer. `heals` says whether trying again later may help, `after` how many seconds
    later at the soonest, where the server says so. `body` is the beginning of the answer to a form.
    """

    def __init__(
        self,
        reason: str,
        *,
        heals: bool,
        status: int | None = None,
        after: float | None = None,
        body: bytes = b"",
    ) -> None:
        super().__init__(reason)
        self.heals = heals
        self.status = status
        self.after = after
        self.body = body

    @property
    def code(self) -> str | None:
        """`invalid_client` and its like: all that may be told of how a token endpoint refuses (RFC 6749)."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        code = found.get("error") if isinstance(found, dict) else None
        return code if isinstance(code, str) and _CODE.fullmatch(code) else None


class Fetcher(Protocol):
    """Fetches; raises FetchFailed and nothing else."""

    async def fetch(self, request: Outgoing) -> bytes: ...

    async def close(self) -> None: ...


class FetchesNothing:
    """The fetcher of commands, which have no business outside."""

    async def fetch(self, request: Outgoing) -> bytes:
        raise FetchFailed("this process fetches nothing", heals=True)

    async def close(self) -> None:
        return None
