"""What is found out about a request before it is decided: key sets, and the client of its token. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.receive.keys import KeySet


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Whose bearer token a request carries: the credential's key, and the scopes that the token has."""

    key: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Key sets by the URL they were fetched from, and the client of our own token endpoint, if it is one."""

    key_sets: Mapping[str, KeySet] = field(default_factory=dict)
    client: Client | None = None


class KeysWanted(Exception):
    """The key set of `url` has to be fetched: it is not known yet, or it lacks the key that a token names."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(reason)
        self.url = url
