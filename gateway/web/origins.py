"""The URLs under which a client reaches us: what is configured, else what its request says.

Behind a trusted proxy the forwarded scheme and host count, because the browser only knows those.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from aiohttp import web

from gateway.keys import SETTINGS
from gateway.services.addresses import Addresses
from gateway.settings import ServerSettings


@dataclass(slots=True)
class ContentPort:
    """Where course content is served by this process; known once it listens."""

    number: int


CONTENT_PORT = web.AppKey("content_port", ContentPort)


def addresses(request: web.Request) -> Addresses:
    """The gateway and its course content as the sender of the request reaches them."""
    server = request.config_dict[SETTINGS].server
    scheme, host = _scheme_and_host(request, server)
    content = server.content_url
    if content is None:
        port = request.config_dict[CONTENT_PORT].number
        content = f"{scheme}://{_without_port(host)}:{port}"
    return Addresses(gateway=f"{origin(request, server)}{server.base_path}", content=content.rstrip("/"))


def origin(request: web.Request, server: ServerSettings | None = None) -> str:
    """Scheme, host and port of the gateway as the sender of the request reaches it. `server` are the
    settings, for whoever has them at hand.
    """
    server = server or request.config_dict[SETTINGS].server
    if server.public_url:
        return server.public_url.rstrip("/")
    scheme, host = _scheme_and_host(request, server)
    return f"{scheme}://{host}"


def _scheme_and_host(request: web.Request, server: ServerSettings) -> tuple[str, str]:
    scheme, host = request.scheme, request.host
    if _is_trusted(request, server):
        scheme = _first(request.headers.get("X-Forwarded-Proto")) or scheme
        host = _first(request.headers.get("X-Forwarded-Host")) or host
    return scheme, host


def _is_trusted(request: web.Request, server: ServerSettings) -> bool:
    networks = server.trusted_proxies
    if not networks or request.remote is None:
        return False
    try:
        address = ipaddress.ip_address(request.remote)
    except ValueError:
        return False
    return any(address in network for network in networks)


def _first(header: str | None) -> str | None:
    return header.split(",")[0].strip() or None if header else None


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def client_address(request: web.Request) -> str:
    """Who sent the request: behind trusted proxies the nearest address that is not one of them."""
    remote = request.remote or "unknown"
    server = request.config_dict[SETTINGS].server
    if not _is_trusted(request, server):
        return remote
    networks = server.trusted_proxies
    for text in reversed(request.headers.get("X-Forwarded-For", "").split(",")):
        try:
            address = ipaddress.ip_address(text.strip())
        except ValueError:
            break
        if not any(address in network for network in networks):
            return str(address)
    return remote
