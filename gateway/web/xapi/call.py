"""One xAPI request as its handler sees it, whether it came plainly or in the alternate syntax of 1.0.3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from aiohttp import web

from gateway.errors import BadRequest
from gateway.services.access import Access, Grant
from gateway.services.services import Services
from gateway.settings import Settings
from gateway.web.bodies import read_body
from gateway.xapi import alternate, versions
from gateway.xapi.languages import Languages
from gateway.xapi.versions import Version

# What the hook that completes every answer needs to know about its request.
VERSION = web.RequestKey("version", Version)
THROUGH = web.RequestKey("through", int)
GRANT = web.RequestKey("grant", Grant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lrs:
    """The LRS at one path (as clients see it, so with the prefix of a proxy), and what its handlers need.

    Answers carry the version `default` where a request names no valid one.
    """

    path: str
    default: Version
    settings: Settings
    access: Access
    services: Mapping[str, Services]


@dataclass(slots=True, kw_only=True)
class Call:
    """Method, parameters, headers and body after unfolding; header names in lower case."""

    lrs: Lrs
    request: web.Request
    method: str
    parameters: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    folded_body: bytes | None = None

    @classmethod
    async def read(cls, lrs: Lrs, request: web.Request) -> Call:
        """Unfold the request as far as needed to know who asks for what. Raises BadRequest."""
        parameters = _parameters(request)
        if alternate.is_alternate(request.method, parameters):
            body = await read_body(request, limit=lrs.settings.xapi.max_body)
            effective = alternate.unwrap(
                parameters=parameters,
                fields=alternate.form_fields(body),
                headers={name.lower(): value for name, value in request.headers.items()},
            )
            return cls(
                lrs=lrs,
                request=request,
                method=effective.method,
                parameters=effective.parameters,
                headers=effective.headers,
                folded_body=effective.body,
            )
        # The real headers are found in either case; looking one up does not copy the rest.
        return cls(
            lrs=lrs,
            request=request,
            method=request.method,
            parameters=parameters,
            headers=request.headers,
        )

    async def authenticate(self) -> Grant:
        """Who asks; raises Unauthorized."""
        grant = await self.lrs.access.authenticate(self.headers.get("authorization"))
        self.request[GRANT] = grant
        return grant

    def negotiate(self) -> Version:
        """The version to handle the request by; raises BadRequest."""
        version = versions.negotiate(self.headers.get(versions.HEADER.lower()))
        self.request[VERSION] = version
        return version

    async def body(self, limit: int) -> bytes:
        """The body, up to `limit` bytes."""
        if self.folded_body is not None:
            return self.folded_body
        return await read_body(self.request, limit=limit)

    @property
    def content_type(self) -> str | None:
        """As it was sent; raises BadRequest if that is no text."""
        content_type = self.headers.get("content-type")
        if content_type is not None and not content_type.isprintable():
            raise BadRequest(f"Content-Type holds {content_type[:80]!r}, which is no content type")
        return content_type

    @property
    def languages(self) -> Languages:
        return Languages.parse(self.headers.get("accept-language"))

    @property
    def grant(self) -> Grant:
        return self.request[GRANT]

    @property
    def version(self) -> Version:
        return self.request[VERSION]

    @property
    def services(self) -> Services:
        """The services of the store that the credential belongs to."""
        return self.lrs.services[self.grant.store]


def _parameters(request: web.Request) -> list[tuple[str, str]]:
    query = request.rel_url.raw_query_string
    if not query:
        return []
    try:
        return parse_qsl(query, keep_blank_values=True, encoding="utf-8", errors="strict")
    except UnicodeDecodeError:
        raise BadRequest("the query holds percent-encoded bytes that are not UTF-8") from None
    except ValueError as error:
        raise BadRequest(f"the query cannot be read: {error}") from None
