"""Where the gateway is reached: its own origin, and the one of course content."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """How a browser reaches this gateway: its own URL with the base path, and that of course content."""

    gateway: str
    content: str


def public_url(settings: Settings, *, port: int | None = None) -> str:
    """Where the gateway is: the configured origin or the address it listens on, and the base path."""
    server = settings.server
    origin = server.public_url or f"http://{server.host}:{port or server.port}"
    return f"{origin.rstrip('/')}{server.base_path}"


def configured_addresses(settings: Settings) -> Addresses:
    """The addresses as far as the settings know them: for commands, which have no request to look at."""
    server = settings.server
    content = server.content_url or f"http://{server.host}:{server.content_port}"
    return Addresses(gateway=public_url(settings), content=content.rstrip("/"))
