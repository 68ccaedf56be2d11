"""Signing in with an identity provider: OpenID Connect, authorization code flow with PKCE (RFC 7636).

A sign-in that was begun is kept in the database until its answer comes, once, to the browser that began it;
any process may take the answer. Who comes in, and as what, is decided in `people`.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import structlog

from adapters.receive.keys import KeySet
from adapters.receive.signature import Mismatch
from gateway.errors import Forbidden, GatewayError, TooManyRequests
from gateway.services.fetching import Fetcher, FetchFailed, Outgoing
from gateway.services.id_tokens import Expected, UnknownKey, verified
from gateway.services.identities import Identity, identity_of
from gateway.services.key_sets import KeySets
from gateway.settings.model import OidcSettings
from gateway.store.sign_ins import Flow, SignIns

log = structlog.get_logger(__name__)

FLOW_LASTS = dt.timedelta(minutes=10)
_WINDOW, _MOST_OF_AN_ADDRESS = dt.timedelta(minutes=15), 300
_KEEP_METADATA, _KEEP_KEYS = dt.timedelta(hours=1), dt.timedelta(hours=1)
_TIMEOUT, _MOST_BYTES = 10.0, 256 * 1024
_WELL_KNOWN = "/.well-known/openid-configuration"


class ProviderAway(GatewayError):
    """The identity provider does not answer, or not as one."""

    status, code = 503, "identity_provider_away"


class NotLetIn(Forbidden):
    """Whoever came from the provider is not let in; the message says why, in our own words."""

    code = "sign_in_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What the provider says about itself (OpenID Connect Discovery 1.0, section 3)."""

    authorization: str
    token: str
    keys: str
    userinfo: str | None
    end_session: str | None
    secret_in_body: bool
    names_itself: bool  # every answer carries `iss` (RFC 9207)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """Somebody whom the provider sent back, and the page that they wanted."""

    identity: Identity
    following: str


class IdentityProvider:
    """The one provider of the settings; make it only if there is one."""

    def __init__(
        self, settings: OidcSettings, fetcher: Fetcher, sign_ins: SignIns, *, clock: Callable[[], dt.datetime]
    ) -> None:
        assert settings.issuer is not None
        assert settings.client_id is not None
        self._settings = settings
        self._issuer, self._client_id = settings.issuer, settings.client_id
        self._fetcher = fetcher
        self._sign_ins = sign_ins
        self._clock = clock
        self._metadata: tuple[dt.datetime, Metadata] | None = None
        self._fault = ""
        # Tokens come from the provider itself, one for each sign-in: nobody can have keys fetched at will.
        self._keys = KeySets(fetcher, lambda: (), at_most_every=0)
        self._keys_fetched: dt.datetime | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return self._settings.name

    async def begin(self, browser: str, *, back: str, following: str, address: str) -> str:
        """The address at the provider where `browser` (its token) goes; it comes back to `back`.

        Raises ProviderAway, or TooManyRequests.
        """
        now = self._clock()
        if await self._sign_ins.attempt(f"flow {address}", now, _WINDOW) > _MOST_OF_AN_ADDRESS:
            wait = str(int(_WINDOW.total_seconds()))
            raise TooManyRequests("too many sign-ins were begun; wait a while", headers={"Retry-After": wait})
        metadata = await self._known()
        state, verifier = token_urlsafe(32), token_urlsafe(48)
        flow = Flow(
            state=_digest(state),
            browser=_digest(browser),
            nonce=token_urlsafe(32),
            verifier=verifier,
            back=back,
            following=following,
            created=now,
            expires=now + FLOW_LASTS,
        )
        await self._sign_ins.begin_flow(flow)
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": back,
            "scope": " ".join(self._settings.scopes),
            "state": state,
            "nonce": flow.nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        return _with_query(metadata.authorization, asked)

    async def finish(self, browser: str, answer: Mapping[str, str]) -> Arrived:
        """Who came back with this answer. Raises NotLetIn, ProviderAway.

        Nothing of the answer counts before its state is known to be of this browser, and no state twice.
        """
        flow = await self._sign_ins.take_flow(_digest(answer.get("state", "")), self._clock())
        if flow is None or flow.browser != _digest(browser):
            self._note("unknown state")
            raise NotLetIn("this sign-in was not begun in this browser, or too long ago; begin again")
        metadata = await self._known()
        issuer = answer.get("iss")
        if issuer != self._issuer and (issuer is not None or metadata.names_itself):
            self._note("the answer is of another issuer")
            raise NotLetIn(f"the answer did not come from {self.name}; begin again")
        if "error" in answer:
            self._note("the provider refused", error=answer["error"][:100])
            told = "was cancelled" if answer["error"] == "access_denied" else "was refused"
            raise NotLetIn(f"the sign-in {told} by {self.name}; begin again, or ask its help desk")
        tokens = await self._exchange(metadata, flow, answer.get("code", ""))
        claims = await self._verified(metadata, flow, tokens.get("id_token"))
        claims = await self._completed(metadata, claims, tokens.get("access_token"))
        return Arrived(identity=identity_of(claims, self._settings), following=flow.following)

    async def sign_out_url(self, back: str) -> str | None:
        """Where somebody signs out at the provider too; None where it does not offer that.

        RP-Initiated Logout 1.0, without the hint: ID tokens are not kept, so the provider asks once more.
        """
        try:
            metadata = await self._known()
        except ProviderAway:
            return None
        if metadata.end_session is None:
            return None
        asked = {"client_id": self._client_id, "post_logout_redirect_uri": back}
        return _with_query(metadata.end_session, asked)

    async def fault(self) -> str | None:
        """Why nobody could sign in now, for administrators; None if the provider says what is needed."""
        try:
            metadata = await self._known()
        except ProviderAway:
            return self._fault
        try:
            await self._key_set(metadata.keys, again=False)
        except ProviderAway:
            return f"its keys cannot be fetched from {metadata.keys}"
        return None

    async def close(self) -> None:
        """Close all connections."""
        await self._fetcher.close()

    # -- what the provider says ----------------------------------------------------------------------------

    async def _known(self) -> Metadata:
        """The discovery document, an older one if there is no new one."""
        now, known = self._clock(), self._metadata
        if known is not None and now - known[0] < _KEEP_METADATA:
            return known[1]
        try:
            url = self._issuer.rstrip("/") + _WELL_KNOWN
            metadata = self._read(json.loads(await self._fetch(Outgoing(url=url))))
        except (FetchFailed, ValueError, RecursionError) as error:
            self._note("discovery failed", error=str(error))
            self._fault = str(error)
            if known is None:
                raise self._away() from None
            metadata = known[1]
        self._metadata = now, metadata
        return metadata

    def _read(self, found: Any) -> Metadata:
        """Raises ValueError for what is no document of this issuer."""
        if not isinstance(found, dict) or found.get("issuer") != self._issuer:
            raise ValueError("the discovery document is of another issuer")
        methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        challenges = found.get("code_challenge_methods_supported")
        if challenges is not None and "S256" not in challenges:
            raise ValueError("the provider does not know PKCE with S256")
        required = [self._endpoint(found, name) for name in ("authorization_endpoint", "token_endpoint")]
        keys = self._endpoint(found, "jwks_uri")
        if required[0] is None or required[1] is None or keys is None:
            raise ValueError("the discovery document lacks an endpoint")
        return Metadata(
            authorization=required[0],
            token=required[1],
            keys=keys,
            userinfo=self._endpoint(found, "userinfo_endpoint"),
            end_session=self._endpoint(found, "end_session_endpoint"),
            secret_in_body="client_secret_basic" not in methods and "client_secret_post" in methods,
            names_itself=found.get("authorization_response_iss_parameter_supported") is True,
        )

    def _endpoint(self, found: Mapping[str, Any], name: str) -> str | None:
        url = found.get(name)
        if url is None:
            return None
        parts = urlsplit(url) if isinstance(url, str) else None
        schemes = {"https", urlsplit(self._issuer).scheme}
        if parts is None or parts.scheme not in schemes or not parts.hostname or not url.isascii():
            raise ValueError(f"{name} of the discovery document is no web address that may be used")
        return str(url)

    async def _exchange(self, metadata: Metadata, flow: Flow, code: str) -> Mapping[str, Any]:
        """The tokens that the provider gives for a code, once."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": flow.back,
            "code_verifier": flow.verifier,
        }
        headers, secret = {}, self._settings.client_secret
        if secret is not None and not metadata.secret_in_body:
            # Both are form-encoded before they are joined (RFC 6749, 2.3.1).
            pair = f"{quote(self._client_id, safe='')}:{quote(secret.reveal(), safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form["client_id"] = self._client_id
            if secret is not None:
                form["client_secret"] = secret.reveal()
        try:
            tokens = json.loads(await self._fetch(Outgoing(url=metadata.token, headers=headers, form=form)))
            if not isinstance(tokens, dict):
                raise ValueError("the answer is no JSON object")
        except FetchFailed as error:
            self._note("code refused", error=str(error), said=error.code)
            if error.status is None or error.heals:
                raise self._away() from None
            raise NotLetIn(f"{self.name} did not confirm the sign-in; begin again") from None
        except (ValueError, RecursionError) as error:
            self._note("no tokens", error=str(error))
            raise self._away() from None
        return tokens

    async def _verified(self, metadata: Metadata, flow: Flow, written: object) -> Mapping[str, Any]:
        """The claims of an ID token; keys are fetched again if it may be signed with a newer one."""
        now = self._clock()
        expected = Expected(
            issuer=self._issuer, client_id=self._client_id, nonce=flow.nonce, not_before=flow.created
        )
        try:
            if not isinstance(written, str):
                raise Mismatch("there is no ID token")
            keys = await self._key_set(metadata.keys, again=False)
            try:
                return verified(written, keys, expected, now)
            except UnknownKey:
                return verified(written, await self._key_set(metadata.keys, again=True), expected, now)
        except (Mismatch, UnknownKey) as error:
            self._note("ID token refused", error=str(error))
            raise NotLetIn(f"what {self.name} said about you could not be verified; begin again") from None

    async def _key_set(self, url: str, *, again: bool) -> KeySet:
        now = self._clock()
        old = self._keys_fetched is None or now - self._keys_fetched > _KEEP_KEYS
        if (again or old) and await self._keys.refresh(url):
            self._keys_fetched = now
        known = self._keys.known.get(url)
        if known is None:
            raise self._away()
        return known

    async def _completed(
        self, metadata: Metadata, claims: Mapping[str, Any], token: object
    ) -> Mapping[str, Any]:
        """Claims with what the UserInfo endpoint adds; what the ID token says counts (Core 5.3)."""
        if metadata.userinfo is None or not isinstance(token, str) or not token.isascii():
            return claims
        headers = {"Authorization": f"Bearer {token}"}
        try:
            more = json.loads(await self._fetch(Outgoing(url=metadata.userinfo, headers=headers)))
        except (FetchFailed, ValueError, RecursionError) as error:
            self._note("no user info", error=str(error))
            return claims
        if not isinstance(more, dict) or more.get("sub") != claims["sub"]:
            self._note("user info of somebody else")
            return claims
        if "email" in claims and claims["email"] != more.get("email"):
            more.pop("email_verified", None)  # what was verified is another address
        return {**more, **claims}

    async def _fetch(self, request: Outgoing) -> bytes:
        return await self._fetcher.fetch(replace(request, timeout=_TIMEOUT, max_bytes=_MOST_BYTES))

    def _away(self) -> ProviderAway:
        return ProviderAway(
            f"{self.name} cannot be reached at the moment, or does not answer as it should; try again. "
            "An administrator finds the reason in the log of the gateway.",
            headers={"Retry-After": "30"},
        )

    def _note(self, reason: str, **values: object) -> None:
        log.warning("sign-in by identity provider failed", reason=reason, issuer=self._issuer, **values)


def _with_query(url: str, parameters: Mapping[str, str]) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(parameters, quote_via=quote)}"


def _challenge(verifier: str) -> str:
    """Of S256 (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
