"""Access: who asks, to which store they belong, and what they may do.

Credentials and AU session tokens both end as a `Grant`. Verified pairs are remembered for a few seconds, so
that the hot path costs no query; a revocation takes that long to reach every process.
"""

from __future__ import annotations

import base64
import datetime as dt
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from gateway.errors import Forbidden, Unauthorized
from gateway.store.credentials import Credential, Credentials
from gateway.store.row_filters import RowFilter
from gateway.store.tokens import Tokens
from gateway.xapi.datatypes import is_uuid

REMEMBER_FOR = 5.0  # seconds
_REMEMBER_AT_MOST = 10_000


class Scope(StrEnum):
    """What a credential may do: the scopes of xAPI 1.0.3 Communication 4.2, and the gateway's own."""

    ALL = "all"
    ALL_READ = "all/read"
    STATEMENTS_WRITE = "statements/write"
    STATEMENTS_READ = "statements/read"
    STATEMENTS_READ_MINE = "statements/read/mine"
    STATE = "state"
    PROFILE = "profile"
    DEFINE = "define"
    CMI5 = "cmi5"
    HOOKS = "hooks"
    ADMIN = "admin"


_ALL = frozenset(Scope)
_ALL_READ = frozenset({Scope.ALL_READ, Scope.STATEMENTS_READ, Scope.STATEMENTS_READ_MINE})
# A row filter binds every way of reading statements. Documents, courses and the management of the gateway
# are not rows, so a credential with a filter does not reach them, whatever else it was given.
LIMITABLE = frozenset(
    {Scope.STATEMENTS_WRITE, Scope.STATEMENTS_READ, Scope.STATEMENTS_READ_MINE, Scope.DEFINE, Scope.HOOKS}
)
_SESSION = frozenset(
    {Scope.STATEMENTS_WRITE, Scope.STATEMENTS_READ, Scope.STATE, Scope.PROFILE, Scope.DEFINE}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a request may do. `authority` is the xAPI Agent its statements are stored under; `rows` limit
    which statements it reads.
    """

    key: str
    store: str
    scopes: frozenset[Scope]
    authority: Mapping[str, Any]
    rows: RowFilter | None = None
    # Set for an AU: the cmi5 gate applies, and it sees only its learner (an agent key) in its registration.
    session: UUID | None = None
    registration: UUID | None = None
    learner: str | None = None

    def require(self, *scopes: Scope) -> None:
        """Raise Forbidden unless one of `scopes` is granted."""
        if self.scopes.isdisjoint(scopes):
            wanted = " or ".join(f"'{scope}'" for scope in scopes)
            raise Forbidden(f"the credential '{self.key}' needs the scope {wanted} for this")

    def source(self) -> dict[str, Any]:
        """How a statement's origin is recorded."""
        return {"session": str(self.session)} if self.session else {"credential": self.key}


def effective(scopes: tuple[str, ...]) -> frozenset[Scope]:
    """The scopes that the stored ones stand for: `all` is everything, `all/read` every kind of reading."""
    granted = frozenset(Scope(scope) for scope in scopes if scope in _ALL)
    if Scope.ALL in granted:
        return _ALL
    if Scope.ALL_READ in granted:
        granted |= _ALL_READ
    if Scope.STATEMENTS_READ in granted:
        granted |= {Scope.STATEMENTS_READ_MINE}
    return granted


# Finds the open session of an AU by the id and secret in its token.
FindSession = Callable[[str, str], Awaitable["SessionGrant | None"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionGrant:
    """An open AU session, as far as access is concerned."""

    session: UUID
    store: str
    registration: UUID
    learner: str


class Access:
    """Authenticates requests against the credentials of all stores, and against AU sessions."""

    def __init__(
        self, credentials: Credentials, tokens: Tokens, *, home_page: str, find_session: FindSession
    ) -> None:
        self._credentials = credentials
        self._tokens = tokens
        self._home_page = home_page
        self._find_session = find_session
        self._remembered: dict[str, tuple[float, Grant]] = {}
        self._used: set[str] = set()

    async def authenticate(self, authorization: str | None) -> Grant:
        """The grant of an `Authorization` header; raises Unauthorized."""
        if authorization is None:
            raise Unauthorized("this resource needs credentials; send them with HTTP Basic authentication")
        remembered = self._remembered.get(authorization)
        if remembered is not None and remembered[0] > time.monotonic():
            return remembered[1]
        scheme, _, text = authorization.strip().partition(" ")
        if scheme.lower() == "bearer":
            grant = await self._token_grant(text.strip())
        else:
            key, secret = decode_basic(authorization)
            # The token of an AU starts with its session's id, so that it costs no look for a credential.
            if is_uuid(key) and (found := await self._session_grant(key, secret)) is not None:
                return found
            credential = await self._credentials.authenticate(key, secret)
            if credential is None:
                raise Unauthorized("the credentials are unknown, wrong, revoked or of an ended session")
            grant = self.grant(credential)
        if len(self._remembered) >= _REMEMBER_AT_MOST:
            self._remembered.clear()
        self._remembered[authorization] = (time.monotonic() + REMEMBER_FOR, grant)
        self._used.add(grant.key)
        return grant

    async def credential(self, key: str, secret: str) -> Credential:
        """The credential of a key and its secret; raises Unauthorized."""
        credential = await self._credentials.authenticate(key, secret)
        if credential is None:
            raise Unauthorized("the client is unknown, its secret is wrong, or it was revoked")
        return credential

    def forget(self) -> None:
        """Ask MongoDB again for every key (after this process changed a credential)."""
        self._remembered.clear()

    async def note_use(self) -> None:
        """Record which credentials were used since the last call."""
        used, self._used = self._used, set()
        await self._credentials.used(sorted(used), dt.datetime.now(dt.UTC))

    async def _token_grant(self, text: str) -> Grant:
        challenge = 'Bearer error="invalid_token"'
        token = await self._tokens.find(text, dt.datetime.now(dt.UTC))
        credential = await self._credentials.get(token.key) if token else None
        if token is None or credential is None or credential.revoked is not None:
            raise Unauthorized("the token is unknown, expired or revoked", challenge=challenge)
        grant = self.grant(credential)
        return replace(grant, scopes=grant.scopes & effective(token.scopes))

    async def _session_grant(self, key: str, secret: str) -> Grant | None:
        # Sessions are never remembered: their token must die with them at once (cmi5 8.1.2).
        session = await self._find_session(key, secret)
        if session is None:
            return None
        return Grant(
            key=key,
            store=session.store,
            scopes=_SESSION,
            authority=self._authority(f"cmi5-session-{session.session}", "cmi5 session"),
            session=session.session,
            registration=session.registration,
            learner=session.learner,
        )

    def grant(self, credential: Credential) -> Grant:
        """What a credential may do."""
        scopes = effective(credential.scopes)
        return Grant(
            key=credential.key,
            store=credential.store,
            scopes=scopes & LIMITABLE if credential.rows else scopes,
            authority=self._authority(credential.key, credential.name),
            rows=credential.rows,
        )

    def _authority(self, key: str, name: str) -> dict[str, Any]:
        return {"objectType": "Agent", "name": name, "account": {"homePage": self._home_page, "name": key}}


def decode_basic(authorization: str) -> tuple[str, str]:
    """User name and password of a Basic header (RFC 7617); raises Unauthorized."""
    scheme, _, encoded = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        raise Unauthorized("the Authorization header must use the Basic or the Bearer scheme")
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:  # also what is no ASCII at all
        raise Unauthorized("the Authorization header does not hold base64 of UTF-8 text") from None
    key, colon, secret = pair.partition(":")
    if not colon:
        raise Unauthorized("the Authorization header holds no colon between user name and password")
    return key, secret
