"""The outgoing client for notices: POST to where it may go, and nowhere else.

An address is checked when it is connected to, not before, so that no name can lead somewhere else in between.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from ipaddress import ip_address

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from gateway import __version__
from gateway.services.posting import Post, PostFailed, url_problem
from gateway.settings.formats import Network

_CONNECTIONS = 50


class _Resolver(AbstractResolver):
    """Names have only those of their addresses that are public or allowed."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._resolver = DefaultResolver()
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        good = [one for one in found if self._may_be_reached(one["host"])]
        if not good:
            raise OSError(f"{host} has no public address, and none that notices.allow allows")
        return good

    def _may_be_reached(self, text: str) -> bool:
        address = ip_address(text)
        return address.is_global or any(address in network for network in self._allowed)

    async def close(self) -> None:
        await self._resolver.close()


class HttpPoster:
    """Keeps connections open between posts. Proxies of the environment are not used: they would resolve."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = tuple(allowed)
        self._session: ClientSession | None = None

    async def post(self, request: Post) -> int:
        """The status of the answer; raises PostFailed."""
        if (problem := url_problem(request.url, self._allowed)) is not None:
            raise PostFailed(problem)
        try:
            async with (
                asyncio.timeout(request.timeout),
                self._opened().post(
                    request.url, data=request.body, headers=request.headers, allow_redirects=False
                ) as answer,
            ):
                return answer.status
        except TimeoutError:
            raise PostFailed(f"no answer within {request.timeout:g} s") from None
        except ClientConnectorError as error:  # whose own text leaves out what a resolver says
            raise PostFailed(f"{error.host} cannot be reached: {str(error.os_error)[:200]}") from None
        except (ClientError, OSError, ValueError) as error:
            raise PostFailed(f"{type(error).__name__}: {str(error)[:200]}") from None

    def _opened(self) -> ClientSession:
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(
                    limit=_CONNECTIONS,
                    ssl=ssl.create_default_context(),
                    resolver=_Resolver(self._allowed),
                ),
                cookie_jar=DummyCookieJar(),
                timeout=ClientTimeout(total=None),
                headers={"User-Agent": f"xapi-gateway/{__version__}"},
            )
        return self._session

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
