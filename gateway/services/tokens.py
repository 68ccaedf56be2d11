"""Client credentials for bearer tokens (OAuth 2.0, RFC 6749 §4.4), for vendors that push xAPI with such
tokens.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_urlsafe

from gateway.errors import GatewayError
from gateway.services.access import Access, Scope
from gateway.store.tokens import Token, Tokens

LIFETIME = dt.timedelta(hours=1)

# What vendors ask for in their own words (LinkedIn Learning), and the scopes of xAPI that it means.
_VENDOR_SCOPES = {
    "xapi:write": (Scope.STATEMENTS_WRITE,),
    "xapi:read": (Scope.STATEMENTS_READ,),
    "xapi:all": (Scope.ALL,),
}


class InvalidScope(GatewayError):
    """The client asks for more than its credential may do (RFC 6749 §5.2)."""

    status, code = 400, "invalid_scope"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """`text` is the token, shown this once; `lifetime` in seconds."""

    text: str
    scope: str
    lifetime: int


class TokenIssuer:
    """Exchanges credentials for tokens."""

    def __init__(self, access: Access, tokens: Tokens, *, clock: Callable[[], dt.datetime]) -> None:
        self._access = access
        self._tokens = tokens
        self._clock = clock

    async def issue(self, key: str, secret: str, scope: str | None) -> Issued:
        """A token for the credential, narrowed to `scope` (all it has if None). Raises Unauthorized or
        InvalidScope.
        """
        credential = await self._access.credential(key, secret)
        wanted = _scopes(scope) if scope else tuple(Scope(name) for name in credential.scopes)
        granted = self._access.grant(credential).scopes
        if refused := [name for name in wanted if name not in granted]:
            raise InvalidScope(f"the credential may not do {', '.join(refused)}")
        text = token_urlsafe(32)
        token = Token(key=key, scopes=tuple(wanted), expires=self._clock() + LIFETIME)
        await self._tokens.add(text, token)
        return Issued(text=text, scope=scope or " ".join(wanted), lifetime=int(LIFETIME.total_seconds()))

    async def lasting(
        self, key: str, scopes: tuple[Scope, ...], lifetime: dt.timedelta, *, prefix: str = ""
    ) -> str:
        """A token for whoever proved to have the credential `key`, for clients that ask for one only once.

        It ends with the credential, if not before.
        """
        text = f"{prefix}{token_urlsafe(32)}"
        await self._tokens.add(text, Token(key=key, scopes=scopes, expires=self._clock() + lifetime))
        return text


def scope_names(scopes: frozenset[Scope]) -> frozenset[str]:
    """Granted scopes by our names and by those of vendors."""
    vendors = {name for name, meant in _VENDOR_SCOPES.items() if scopes.issuperset(meant)}
    return frozenset({*map(str, scopes), *vendors})


def _scopes(text: str) -> tuple[Scope, ...]:
    wanted: list[Scope] = []
    for name in text.split():
        if name in _VENDOR_SCOPES:
            wanted += _VENDOR_SCOPES[name]
        elif name in set(Scope):
            wanted.append(Scope(name))
        else:
            raise InvalidScope(f"there is no scope {name!r}; there is {', '.join([*Scope, *_VENDOR_SCOPES])}")
    return tuple(wanted)
