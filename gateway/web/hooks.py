"""`/hooks/{adapter}`: vendors post here. An answer of 2xx means that the delivery is durable, nothing more.

What a sender is told about a refusal is a fixed text for each status: the reason is in the log.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from adapters import Answered, Client, Refused, Request
from gateway.errors import TooLarge, Unauthorized
from gateway.keys import ACCESS, SERVICES, SETTINGS
from gateway.services.clock import utc_now
from gateway.services.mappings import Adapter
from gateway.services.tokens import scope_names
from gateway.web.bodies import read_body
from gateway.web.origins import origin
from gateway.web.requests import SHOWN_PATH

_REFUSALS: Mapping[int, tuple[str, str]] = {
    400: ("bad_request", "the request cannot be read"),
    401: ("unauthorized", "the request could not be verified"),
    403: ("forbidden", "the request is not allowed"),
    404: ("not_found", "there is no adapter here"),
    405: ("method_not_allowed", "this method is not accepted here"),
    410: ("retired", "the adapter is retired; send nothing more"),
    413: ("too_large", "the body is larger than what is accepted here"),
    415: ("unsupported_media_type", "this content type is not accepted here"),
    503: ("adapter_not_ready", "the adapter is not ready; try again later"),
}


class Hooks:
    """The routes of an application. What is asked for with each delivery is looked up once."""

    def __init__(self, app: web.Application) -> None:
        settings = app[SETTINGS]
        self._services, self._access = app[SERVICES], app[ACCESS]
        self._stores, self._default = settings.hooks.stores, settings.stores.default
        self._server = settings.server

    async def receive(self, request: web.Request) -> web.Response:
        """One delivery, or a handshake."""
        name = request.match_info["adapter"]
        if "token" in request.match_info:
            request[SHOWN_PATH] = f"/hooks/{name}/***"
        # The store that an adapter belongs to is a matter of configuration, never of the request.
        store = self._stores.get(name, self._default)
        receiving = self._services[store].hooks.receiving
        adapter = receiving.adapter(name)
        remote = self._remote(request)
        receiving.admit(adapter, remote)
        try:
            body = await read_body(request, limit=receiving.largest_body(adapter), any_coding=True)
        except TooLarge as error:
            receiving.note_refused(adapter.name, error.message)
            raise
        client = await self._client(request, store) if receiving.takes_clients(adapter) else None
        received = await receiving.receive(adapter, self._as_sent(request, body, remote), client)
        if isinstance(received, Refused):
            return _refusal(received.status, adapter)
        if isinstance(received, Answered):
            return web.Response(
                status=received.status,
                body=received.body,
                headers={"Content-Type": received.content_type, "X-Content-Type-Options": "nosniff"},
            )
        if received.status == 204:
            return web.Response(status=204)
        answer = {"delivery": str(received.id), "duplicate": received.duplicate}
        return _json(answer, status=received.status)

    async def _client(self, request: web.Request, store: str) -> Client | None:
        """Whose token the request carries: one that our token endpoint gave out, for the adapter's store."""
        authorization = request.headers.getall("Authorization", [])
        if len(authorization) != 1 or not authorization[0].lower().startswith("bearer "):
            return None
        try:
            grant = await self._access.authenticate(authorization[0])
        except Unauthorized:
            return None
        if grant.store != store or grant.session is not None:
            return None
        return Client(key=grant.key, scopes=scope_names(grant.scopes))

    def _remote(self, request: web.Request) -> str | None:
        forwarded = request.headers.getall("X-Forwarded-For", [])
        return remote_address(request.remote, forwarded, self._server.trusted_proxies)

    def _as_sent(self, request: web.Request, body: bytes, remote: str | None) -> Request:
        query = request.raw_path.partition("?")[2].partition("#")[0]
        return Request(
            method=request.method,
            url=f"{origin(request, self._server)}{request.raw_path}",
            headers=tuple(request.headers.items()),
            query=tuple(parse_qsl(query, keep_blank_values=True)) if query else (),
            body=body,
            received_at=utc_now(),
            remote=remote,
        )


def remote_address(
    peer: str | None, forwarded: Sequence[str], trusted: Sequence[IPv4Network | IPv6Network]
) -> str | None:
    """The caller's address: the last one of the chain that no trusted proxy has."""
    chain = [address.strip() for header in forwarded for address in header.split(",")]
    for address in (peer, *reversed(chain)):
        try:
            known = _address(address or "")
        except ValueError:
            return None
        if not any(known in network for network in trusted):
            return str(known)
    return peer


@functools.lru_cache(maxsize=1024)
def _address(written: str) -> IPv4Address | IPv6Address:
    return ip_address(written)


def _refusal(status: int, adapter: Adapter) -> web.Response:
    code, message = _REFUSALS.get(status, ("refused", "the request was refused"))
    headers: dict[str, str] = {}
    receiver = adapter.mapping.receiver if adapter.mapping is not None else None
    if status == 405 and receiver is not None:
        handshakes = (method for one in receiver.handshakes for method in one.methods)
        headers["Allow"] = ", ".join(dict.fromkeys((*receiver.methods, *handshakes)))
    if status == 503:
        headers["Retry-After"] = "60"
    return _json({"error": {"code": code, "message": message, "problems": []}}, status, headers)


def _json(value: object, status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status, body=orjson.dumps(value), headers=headers, content_type="application/json"
    )


def add_routes(app: web.Application) -> None:
    """`/hooks/{adapter}`, and one more segment for vendors whose secret is part of the URL."""
    base, receive = app[SETTINGS].server.base_path, Hooks(app).receive
    app.router.add_route("*", f"{base}/hooks/{{adapter}}", receive)
    app.router.add_route("*", f"{base}/hooks/{{adapter}}/{{token}}", receive)
