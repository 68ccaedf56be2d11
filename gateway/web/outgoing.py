"""The outgoing HTTP client: GET, and POST of forms, with limits on time, size and place."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from gateway import __version__
from gateway.services.fetching import FetchFailed, Outgoing

_HEALING = frozenset({408, 425, 429})
_CONNECTIONS = 20
_MOST_OF_ERROR = 8_192  # bytes


class _PublicOnly(AbstractResolver):
    """Names that lead to private, loopback or link-local addresses do not exist here."""

    def __init__(self) -> None:
        self._resolver = DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        public = [one for one in found if ip_address(one["host"]).is_global]
        if not public:
            raise OSError(f"{host} has no public address")
        return public

    async def close(self) -> None:
        await self._resolver.close()


class HttpFetcher:
    """Keeps connections open between fetches; one for everywhere, one that only reaches public addresses."""

    def __init__(self) -> None:
        self._sessions: dict[bool, ClientSession] = {}

    async def fetch(self, request: Outgoing) -> bytes:
        """The body of a 200 answer; raises FetchFailed."""
        try:
            async with asyncio.timeout(request.timeout):
                return await self._fetch(request)
        except TimeoutError:
            raise FetchFailed(f"no answer within {request.timeout:g} s", heals=True) from None
        except (ClientError, OSError) as error:
            raise FetchFailed(f"{type(error).__name__}: {str(error)[:200]}", heals=True) from None
        except ValueError as error:  # a URL that cannot be one
            raise FetchFailed(f"the URL cannot be fetched: {str(error)[:200]}", heals=False) from None

    async def _fetch(self, request: Outgoing) -> bytes:
        session = self._session(private=request.allow_private)
        if not request.allow_private:
            _refuse_private_literal(request.url)
        method = "GET" if request.form is None else "POST"
        async with session.request(
            method, request.url, headers=request.headers, data=request.form, allow_redirects=False
        ) as answer:
            if answer.status != 200:
                heals = answer.status >= 500 or answer.status in _HEALING
                raise FetchFailed(
                    f"the answer was {answer.status}",
                    heals=heals,
                    status=answer.status,
                    after=_seconds_until(answer.headers.get("Retry-After")),
                    body=await answer.content.read(_MOST_OF_ERROR) if request.form is not None else b"",
                )
            chunks: list[bytes] = []
            size = 0
            async for chunk in answer.content.iter_chunked(65_536):
                size += len(chunk)
                if size > request.max_bytes:
                    raise FetchFailed(f"the answer has more than {request.max_bytes} bytes", heals=False)
                chunks.append(chunk)
            return b"".join(chunks)

    def _session(self, *, private: bool) -> ClientSession:
        if private not in self._sessions:
            settings: dict[str, Any] = {} if private else {"resolver": _PublicOnly()}
            self._sessions[private] = ClientSession(
                # A context made now trusts what the environment says now (SSL_CERT_FILE).
                connector=TCPConnector(limit=_CONNECTIONS, ssl=ssl.create_default_context(), **settings),
                cookie_jar=DummyCookieJar(),
                timeout=ClientTimeout(total=None),
                headers={"User-Agent": f"xapi-gateway/{__version__}", "Accept": "application/json"},
                trust_env=True,
            )
        return self._sessions[private]

    async def close(self) -> None:
        """Close all connections."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()


def _seconds_until(written: str | None) -> float | None:
    """What a Retry-After header says: seconds, or a date (RFC 9110 10.2.3)."""
    if written is None:
        return None
    if written.strip().isdecimal():
        return float(written)
    try:
        then = parsedate_to_datetime(written)
    except ValueError:
        return None
    return max(0.0, then.timestamp() - time.time())


def _refuse_private_literal(url: str) -> None:
    """A resolver is not asked about addresses, so those are looked at here."""
    try:
        address = ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return
    if not address.is_global:
        raise OSError(f"{address} is not a public address")
