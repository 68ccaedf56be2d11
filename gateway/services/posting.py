"""What services send to the outside world: one POST with a limit on everything. Performs no I/O itself.

The client is in `gateway.web.posting`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

from gateway.settings.formats import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """`timeout` in seconds for all of it. Redirects are not followed, and the answer's body is not read."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    timeout: float


# The host is spelt plainly, so that no reader of URLs takes it for another one than the next reader does.
_PLAIN = re.compile(r"[a-z]+://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?(?:[/?][!-~]*)?")


class PostFailed(Exception):
    """There was no answer, and why."""


class Poster(Protocol):
    """Posts; the status of the answer, or PostFailed."""

    async def post(self, request: Post) -> int: ...

    async def close(self) -> None: ...


class PostsNothing:
    """The poster of commands, which have no business outside."""

    async def post(self, request: Post) -> int:
        raise PostFailed("this process sends nothing")

    async def close(self) -> None:
        return None


def url_problem(url: object, allowed: Iterable[Network]) -> str | None:
    """Why nothing is posted to this URL, None if it may be: https to a public host, or http or https to an
    address that is allowed. What names lead to is looked at when they are connected to.
    """
    expected = "expected an https URL without user name and fragment"
    try:
        parts = urlsplit(url) if isinstance(url, str) and _PLAIN.fullmatch(url) else None
        _ = parts.port if parts else None
    except ValueError:
        return expected
    host = parts.hostname if parts else None
    if not parts or parts.scheme not in ("http", "https") or not host or parts.username or parts.fragment:
        return expected
    try:
        address = ip_address(host)
    except ValueError:
        local = any(network.is_loopback for network in allowed) and host == "localhost"
        return None if parts.scheme == "https" or local else f"{expected}; http is for allowed addresses only"
    if any(address in network for network in allowed):
        return None
    if not address.is_global:
        return f"{address} is not a public address; notices.allow has those that may be reached all the same"
    return None if parts.scheme == "https" else expected
