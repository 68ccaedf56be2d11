"""The connections that mappings may fetch from: settings and secrets become requests."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.services.fetching import Outgoing
from gateway.services.grants import Grant, Secrets, grant_of
from gateway.settings.model import ConnectionSettings


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Connection:
    """A connection with its secrets, which are read whenever something is fetched."""

    name: str
    settings: ConnectionSettings
    secrets: Secrets
    grant: Grant | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of secrets that are not set."""
        return tuple(name for name in self._named if not self.secrets(name))

    def request(self, path: str, token: str | None = None) -> Outgoing:
        """The GET of a path below the base URL, with a token where it has a `grant`; without a secret that is
        not set, to be refused there.
        """
        settings = self.settings
        headers = {"Authorization": f"Bearer {token}"} if token is not None else self._headers()
        return Outgoing(
            url=settings.base_url.rstrip("/") + path,
            headers=headers,
            timeout=settings.timeout,
            max_bytes=settings.max_body,
            allow_private=settings.allow_private,
        )

    @property
    def _named(self) -> tuple[str, ...]:
        if self.grant is not None:
            return self.grant.names
        auth = self.settings.auth
        basic, header = auth.get("basic", {}), auth.get("header", {})
        names = (basic.get("user"), basic.get("password"), auth.get("bearer"), header.get("value"))
        return tuple(name for name in names if name is not None)

    def _headers(self) -> dict[str, str]:
        auth = self.settings.auth
        if basic := auth.get("basic"):
            pair = f"{self._secret(basic['user'])}:{self._secret(basic.get('password'))}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        if bearer := auth.get("bearer"):
            return {"Authorization": f"Bearer {self._secret(bearer)}"}
        if header := auth.get("header"):
            return {header["name"]: self._secret(header["value"])}
        return {}

    def _secret(self, name: str | None) -> str:
        return (self.secrets(name) or "") if name is not None else ""


class Vendors:
    """All connections of the settings, by name."""

    def __init__(self, settings: Mapping[str, ConnectionSettings], secrets: Secrets) -> None:
        self._connections = {
            name: Connection(name=name, settings=one, secrets=secrets, grant=grant_of(one, secrets))
            for name, one in settings.items()
        }

    def get(self, name: str) -> Connection | None:
        return self._connections.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._connections)
