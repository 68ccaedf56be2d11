"""Access tokens for connections whose vendors want OAuth 2.0: fetched, kept until shortly before they expire.

Client credentials (RFC 6749 section 4.4) and signed assertions (RFC 7523 section 2.1, as Google's service
accounts use them). A token is in memory only, is never logged, and is fetched by one at a time in a process;
whoever waited for a fetch that failed gets its reason instead of trying again.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from gateway.services.assertions import NoServiceAccount, assertion
from gateway.services.fetching import Fetcher, FetchFailed, Outgoing
from gateway.settings.model import ConnectionSettings

GOOGLE_TOKENS = "https://oauth2.googleapis.com/token"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"

_LIVES_WITHOUT_SAYING = 300.0  # seconds, where an answer has no expires_in
_LONGEST_KEPT = 86_400.0
_EARLY = 60.0  # seconds before its end that a token is not used any more, or a fifth of a short life
_MOST_BYTES = 64 * 1024
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=:-]{1,16384}")
_HINTS = {
    "invalid_client": "look at the client's id and secret",
    "unauthorized_client": "look at what the client, or the service account's delegation, is allowed",
    "invalid_scope": "look at `scope`",
    "invalid_grant": "look at the service account's key, its subject, and this machine's clock",
}

Secrets = Callable[[str], str | None]


@dataclass(frozen=True, slots=True, repr=False)
class _Held:
    token: str
    until: float  # of the monotonic clock


class Grant(ABC):
    """How one connection gets its tokens, and the one that it has."""

    def __init__(
        self,
        written: Mapping[str, Any],
        connection: ConnectionSettings,
        secrets: Secrets,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._written = written
        self._connection = connection
        self._secrets = secrets
        self._clock = clock
        self._turn = asyncio.Lock()
        self._held: _Held | None = None
        self._failed: tuple[float, FetchFailed] | None = None

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names of the secrets that it needs."""

    @abstractmethod
    def request(self) -> Outgoing:
        """The request for a token; raises FetchFailed where it cannot be made."""

    async def token(self, fetcher: Fetcher, *, refused: str | None = None) -> str:
        """A token that is none the vendor `refused`; raises FetchFailed."""
        asked = self._clock()
        async with self._turn:
            held = self._held
            if held is not None and held.token != refused and held.until > self._clock():
                return held.token
            if self._failed is not None and self._failed[0] >= asked:
                raise self._failed[1]
            try:
                self._held = self._read(await fetcher.fetch(self.request()))
            except FetchFailed as error:
                self._held = None
                failure = _told(error)
                self._failed = self._clock(), failure
                raise failure from None
            return self._held.token

    def _outgoing(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Outgoing:
        return Outgoing(
            url=url,
            headers=headers,
            form=form,
            timeout=self._connection.timeout,
            max_bytes=_MOST_BYTES,
            allow_private=self._connection.allow_private,
        )

    def _secret(self, name: str) -> str:
        return self._secrets(name) or ""

    def _read(self, answer: bytes) -> _Held:
        """The token of an answer (RFC 6749 section 5.1)."""
        try:
            found = json.loads(answer)
        except (ValueError, RecursionError):
            raise FetchFailed("the answer is not JSON", heals=False) from None
        token = found.get("access_token") if isinstance(found, dict) else None
        if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
            raise FetchFailed("the answer has no access_token", heals=False)
        kind = found.get("token_type", "Bearer")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise FetchFailed("the answer has a token_type that is not Bearer", heals=False)
        lives = _seconds(found.get("expires_in"))
        return _Held(token, self._clock() + min(lives, _LONGEST_KEPT) - min(_EARLY, lives / 5))


class ClientCredentials(Grant):
    """`oauth2`: the gateway's own client at the vendor's token endpoint."""

    @property
    def names(self) -> tuple[str, ...]:
        return self._written["client_id"], self._written["client_secret"]

    def request(self) -> Outgoing:
        written = self._written
        client, secret = (self._secret(name) for name in self.names)
        form = {"grant_type": "client_credentials"}
        form |= {key: written[key] for key in ("scope", "audience") if key in written}
        headers: dict[str, str] = {}
        if written.get("client_auth") == "client_secret_post":
            form |= {"client_id": client, "client_secret": secret}
        else:
            # Both are form-encoded before they are joined (RFC 6749 section 2.3.1).
            pair = f"{quote_plus(client)}:{quote_plus(secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return self._outgoing(written["token_url"], form, headers)


class ServiceAccount(Grant):
    """`service_account`: an assertion that is signed with the key of a Google service account."""

    @property
    def names(self) -> tuple[str, ...]:
        return (self._written["key"],)

    def request(self) -> Outgoing:
        written = self._written
        url = written.get("token_url", GOOGLE_TOKENS)
        try:
            signed = assertion(
                self._secret(written["key"]),
                audience=url,
                scope=written["scope"],
                subject=written.get("subject"),
                now=int(time.time()),
            )
        except NoServiceAccount as error:
            raise FetchFailed(f"{written['key']} {error}", heals=False) from None
        return self._outgoing(url, {"grant_type": JWT_BEARER, "assertion": signed}, {})


def grant_of(connection: ConnectionSettings, secrets: Secrets) -> Grant | None:
    """How a connection gets its tokens, if that is how it proves itself."""
    auth = connection.auth
    if written := auth.get("oauth2"):
        return ClientCredentials(written, connection, secrets)
    if written := auth.get("service_account"):
        return ServiceAccount(written, connection, secrets)
    return None


def _seconds(written: Any) -> float:
    """`expires_in`, which some write as text."""
    try:
        found = float(written) if not isinstance(written, bool) else 0.0
    except (TypeError, ValueError):
        return _LIVES_WITHOUT_SAYING
    return found if 0 < found < float("inf") else _LIVES_WITHOUT_SAYING


def _told(error: FetchFailed) -> FetchFailed:
    """Why there is no token. Of what the endpoint answers nothing but its error code is told."""
    code = error.code
    reason = f"no access token: {error}" + (f" ({code})" if code else "")
    hint = _HINTS.get(code or "") or ("look at its settings and secrets" if error.status else None)
    if hint and not error.heals:
        reason += f"; {hint}"
    return FetchFailed(reason, heals=error.heals, after=error.after)
