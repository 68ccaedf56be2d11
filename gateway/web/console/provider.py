"""Signing in with the identity provider: there and back, and out again."""

from __future__ import annotations

from aiohttp import hdrs, web

from gateway.errors import GatewayError, NotFound
from gateway.keys import PEOPLE, PROVIDER
from gateway.services.identity_provider import IdentityProvider
from gateway.services.people import SignInRefused
from gateway.store.connection import translating
from gateway.web.auditing import note
from gateway.web.console.rendering import rendered
from gateway.web.console.sign_in import entered, note_entrance, sign_in_page
from gateway.web.console.visits import (
    address_of,
    error_page,
    following,
    require_privacy,
    set_token,
    visitor_token,
)
from gateway.web.origins import addresses

# What an answer may hold; all else is of no interest, and twice the same is no answer.
_ANSWER = ("state", "code", "iss", "error")


async def start(request: web.Request) -> web.Response:
    """Send the browser to the provider. A link, not a form: browsers let forms lead to no other origin."""
    there = request.query.get("next", "")
    try:
        require_privacy(request)
        with translating():
            token = visitor_token(request)
            url = await _provider(request).begin(
                token,
                back=f"{addresses(request).gateway}/admin/sign-in/return",
                following=following(request, there),
                address=address_of(request),
            )
    except GatewayError as error:
        return _refused(request, error, there)
    made = web.Response(status=303, headers={hdrs.LOCATION: url, hdrs.CACHE_CONTROL: "no-store"})
    set_token(request, made, token)
    return made


async def back(request: web.Request) -> web.Response:
    """Take the provider's answer; the browser's token is a new one from now on."""
    try:
        require_privacy(request)
        with translating():
            answer = {name: value for name in _ANSWER if (value := _once(request, name)) is not None}
            arrived = await _provider(request).finish(visitor_token(request), answer)
            who = arrived.identity
            try:
                signed_in = await request.config_dict[PEOPLE].arrive(who)
            except SignInRefused:
                await note_entrance(request, "identity provider", login=who.login, subject=who.subject)
                raise
            # What the provider changed: it may have made the person, and says which roles they have.
            note(request, roles=signed_in.person.roles, new=signed_in.person.signed_in is None)
            await note_entrance(request, "identity provider", person=signed_in.person, subject=who.subject)
    except GatewayError as error:
        return _refused(request, error)
    return await entered(request, signed_in, following(request, arrived.following))


async def signed_out(request: web.Request) -> web.Response:
    """Somebody signed out here; they may do so at the provider, where they still are signed in."""
    provider, url = request.config_dict[PROVIDER], None
    if provider is not None:
        with translating():
            url = await provider.sign_out_url(f"{addresses(request).gateway}/admin/sign-in")
    return rendered(request, "signed_out.html", provider=provider, url=url)


def _provider(request: web.Request) -> IdentityProvider:
    provider = request.config_dict[PROVIDER]
    if provider is None:
        raise NotFound("this console has no identity provider; sign in with a password")
    return provider


def _refused(request: web.Request, error: GatewayError, there: str = "") -> web.Response:
    if error.status not in (403, 429, 503) or error.code == "not_secure":
        return error_page(request, error)
    made = sign_in_page(request, status=error.status, message=error.message, following=there)
    made.headers.update(error.headers)
    return made


def _once(request: web.Request, name: str) -> str | None:
    values = request.query.getall(name, [])
    return values[0] if len(values) == 1 else None
