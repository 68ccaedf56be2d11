"""Signing in and out, and choosing a password with a one-time link."""

from __future__ import annotations

from aiohttp import hdrs, web

from gateway.errors import GatewayError, Invalid
from gateway.keys import PEOPLE, PROVIDER, SETTINGS
from gateway.services.audit import Kind, Outcome
from gateway.services.people import SignedIn, csrf_token
from gateway.store.connection import translating
from gateway.store.people import Person
from gateway.web.auditing import note, record
from gateway.web.console.forms import read_form
from gateway.web.console.rendering import rendered
from gateway.web.console.visits import (
    Visit,
    address_of,
    check_origin,
    check_token,
    cookie_name,
    error_page,
    following,
    require_privacy,
    set_token,
    visitor_token,
)
from gateway.web.requests import SHOWN_PATH


async def form(request: web.Request) -> web.Response:
    """The page that asks for login and password."""
    try:
        require_privacy(request)
    except GatewayError as error:
        return error_page(request, error)
    return sign_in_page(request, following=request.query.get("next", ""))


async def enter(request: web.Request) -> web.Response:
    """Begin a session; the browser's token is a new one from now on."""
    try:
        require_privacy(request)
        check_origin(request)
        with translating():
            async with read_form(request, file_limit=0) as sent:
                check_token(sent, visitor_token(request))
                login, there = sent.text("login"), sent.text("next")
                try:
                    signed_in = await request.config_dict[PEOPLE].sign_in(
                        login, sent.secret("password"), address_of(request)
                    )
                except GatewayError as error:
                    if error.status not in (403, 429):
                        raise
                    if error.status == 403:
                        await note_entrance(request, "password", login=login)
                    values = {"following": there, "login": login, "message": error.message}
                    made = sign_in_page(request, status=error.status, **values)
                    made.headers.update(error.headers)
                    return made
    except GatewayError as error:
        return error_page(request, error)
    await note_entrance(request, "password", person=signed_in.person)
    return await entered(request, signed_in, following(request, there))


async def welcome(request: web.Request) -> web.Response:
    """What a one-time link opens: choose a password. Looking does not use it up."""
    request[SHOWN_PATH] = "/admin/welcome/…"
    try:
        require_privacy(request)
        with translating():
            person = await request.config_dict[PEOPLE].invited(request.match_info["token"])
    except GatewayError as error:
        return error_page(request, error)
    return _form(request, "welcome.html", newcomer=person, message="")


async def choose(request: web.Request) -> web.Response:
    """Take the password, and let whoever chose it in."""
    request[SHOWN_PATH] = "/admin/welcome/…"
    people, link = request.config_dict[PEOPLE], request.match_info["token"]
    try:
        require_privacy(request)
        check_origin(request)
        with translating():
            async with read_form(request, file_limit=0) as sent:
                check_token(sent, visitor_token(request))
                person = await people.invited(link)
                try:
                    if sent.secret("password") != sent.secret("again"):
                        raise Invalid("the two passwords differ")
                    signed_in = await people.choose_password(link, sent.secret("password"))
                except Invalid as error:
                    values = {"newcomer": person, "message": error.message}
                    return _form(request, "welcome.html", status=400, **values)
    except GatewayError as error:
        return error_page(request, error)
    await note_entrance(request, "link", person=signed_in.person)
    return await entered(request, signed_in, following(request, ""))


async def leave(visit: Visit) -> web.Response:
    """End the session."""
    request = visit.request
    await request.config_dict[PEOPLE].sign_out(request.cookies.get(cookie_name(request), ""))
    of_provider = request.config_dict[PROVIDER] is not None and visit.person.subject is not None
    made = visit.to("/signed-out" if of_provider else "/sign-in")
    set_token(request, made, None)
    return made


async def note_entrance(
    request: web.Request, how: str, *, person: Person | None = None, login: str = "", subject: str = ""
) -> None:
    """Somebody came in, or as `login` did not, which the audit log keeps. What was typed is only kept where
    it is a login, because people take the fields for each other.
    """
    outcome = Outcome.REFUSED if person is None else Outcome.DONE
    if person is None:
        person = await request.config_dict[PEOPLE].find(login)
    note(request, how=how)
    if subject:
        note(request, subject=subject)
    await record(
        request,
        store=person.store if person is not None else request.config_dict[SETTINGS].stores.default,
        kind=Kind.PERSON if outcome is Outcome.DONE else Kind.NOBODY,
        actor=person.login if person is not None else "",
        action="sign-in",
        outcome=outcome,
    )


def sign_in_page(
    request: web.Request, *, status: int = 200, message: str = "", following: str = "", login: str = ""
) -> web.Response:
    """The ways in that there are; `message` says why somebody is still outside."""
    return _form(
        request,
        "sign_in.html",
        status=status,
        following=following,
        login=login,
        message=message,
        provider=request.config_dict[PROVIDER],
        passwords=request.config_dict[SETTINGS].console.passwords,
    )


async def entered(request: web.Request, signed_in: SignedIn, there: str) -> web.Response:
    """Let somebody in whose session has begun; the browser's token of before counts no more."""
    if before := request.cookies.get(cookie_name(request)):
        await request.config_dict[PEOPLE].sign_out(before)
    made = web.Response(status=303, headers={hdrs.LOCATION: there, hdrs.CACHE_CONTROL: "no-store"})
    set_token(request, made, signed_in.token)
    return made


def _form(request: web.Request, template: str, *, status: int = 200, **values: object) -> web.Response:
    token = visitor_token(request)
    made = rendered(request, template, status=status, csrf=csrf_token(token), **values)
    set_token(request, made, token)
    return made


async def with_slash(request: web.Request) -> web.Response:
    """`/admin` without its slash."""
    return web.Response(
        status=308, headers={hdrs.LOCATION: f"{request.config_dict[SETTINGS].server.base_path}/admin/"}
    )
