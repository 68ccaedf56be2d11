"""Who visits a page, and whether a form comes from one of our own pages.

A form counts if its Origin is ours and it carries the token that belongs to the browser's cookie. The cookie
is `__Host-` over https. Over plain http it is only given to browsers on this machine; from elsewhere a
password would cross the network readable.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Any
from urllib.parse import quote, urlsplit

from aiohttp import hdrs, web

from gateway.errors import BadRequest, Forbidden, GatewayError
from gateway.keys import AUDIT, PEOPLE, SERVICES, SETTINGS
from gateway.services.access import Grant
from gateway.services.audit import Kind, Outcome
from gateway.services.people import Right, Visitor, csrf_token, reading_grant
from gateway.services.services import Services
from gateway.settings import Settings
from gateway.store.connection import translating
from gateway.store.people import Person
from gateway.web.auditing import note, record, wanted
from gateway.web.console.forms import Form, read_form
from gateway.web.console.rendering import rendered
from gateway.web.origins import client_address, origin

SECURE_COOKIE, PLAIN_COOKIE = "__Host-xapi-gateway", "xapi-gateway-console"


# What a page says first, by the word in its address: an address cannot make it say anything else.
SENTENCES = {
    "saved": "Saved.",
    "replayed": "The deliveries are being mapped again. Reload in a moment to see what became of them.",
    "imported": "The course was imported.",
    "version": "The new version was imported. New registrations get it.",
    "enrolled": "The learner is registered.",
    "waived": "The unit counts as met.",
    "abandoned": "The session was abandoned.",
    "settings": "Saved. It applies to launches from now on.",
    "selected": "New registrations get this version from now on. Learners who are registered keep theirs.",
    "deleted": "The course was deleted. What was learnt in it stays in the record.",
    "deleting": "The course was deleted. Its many registrations go in the background, within minutes.",
    "forgotten": "The registration was deleted. Its statements stay in the record.",
    "reset": "This registration takes the place of the old one, which stays for the record.",
    "withdrawn": "The link was withdrawn.",
    "revoked": "The credential was revoked. It stops working within seconds.",
    "disabled": "They are signed out and cannot sign in any more.",
    "enabled": "They may sign in again.",
    "roles": "The roles were changed. They count from now on.",
    "signed-out": "They are signed out everywhere, and may sign in again.",
    "linked": "They may come in from the identity provider.",
    "unlinked": "They are signed out, and do not come in from the identity provider any more.",
}


# The page that a form leads to is that of what was changed or made.
_MADE = re.compile(r"/admin/(\w+)s/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:[?/]|$)")


class NotSecure(Forbidden):
    """A browser on another machine came over plain http."""

    code = "not_secure"


class SignedOut(Forbidden):
    """There is no session, or not any more."""

    code = "signed_out"


@dataclass(slots=True, kw_only=True)
class Visit:
    """A request of somebody who may make it; `form` is what it sent, if it is a POST."""

    request: web.Request
    visitor: Visitor
    csrf: str
    form: Form

    @property
    def person(self) -> Person:
        return self.visitor.person

    @property
    def services(self) -> Services:
        """Those of the person's store."""
        return self.request.config_dict[SERVICES][self.person.store]

    @property
    def grant(self) -> Grant:
        """With which the person reads statements."""
        return reading_grant(self.person)

    @property
    def base(self) -> str:
        return f"{self.request.config_dict[SETTINGS].server.base_path}/admin"

    def may(self, right: Right) -> bool:
        return right in self.visitor.rights

    def page(self, template: str, *, status: int = 200, **values: Any) -> web.Response:
        """A page for this person."""
        shared = {
            "person": self.person,
            "may": self.may,
            "Right": Right,
            "csrf": self.csrf,
            "said": self.request.query.get("said", ""),
            "sentences": SENTENCES,
        }
        return rendered(self.request, template, status=status, **shared, **values)

    def to(self, path: str, said: str = "") -> web.Response:
        """Look at another page next; `said` is one of the sentences that pages know."""
        query = f"{'&' if '?' in path else '?'}said={quote(said)}" if said else ""
        return web.Response(status=303, headers={hdrs.LOCATION: f"{self.base}{path}{query}"})


Handler = Callable[[Visit], Awaitable[web.StreamResponse]]


def visited(
    handler: Handler, right: Right, path: str, *, file_limit: Callable[[Settings], int] | None = None
) -> Any:
    """A handler for people with that right; errors become pages, and changes leave an entry in the audit log,
    which names `path`. With `file_limit` (bytes) its form may hold a file.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        visit: Visit | None = None
        try:
            with translating():
                token = request.cookies.get(cookie_name(request), "")
                visitor = await request.config_dict[PEOPLE].visitor(token) if token else None
                if visitor is None:
                    return _signed_out(request)
                visit = Visit(request=request, visitor=visitor, csrf=csrf_token(token), form=Form({}))
                if right not in visitor.rights:
                    await _note(visit, path, Outcome.REFUSED)
                    raise Forbidden(f"your role does not let you {right}; ask an administrator")
                if request.method != "POST":
                    return await _noted(handler, visit, path)
                check_origin(request)
                limit = file_limit(request.config_dict[SETTINGS]) if file_limit else 0
                async with read_form(request, file_limit=limit) as form:
                    check_token(form, token)
                    visit.form = form
                    return await _noted(handler, visit, path)
        except GatewayError as error:
            return error_page(request, error, visit)

    return handle


async def _noted(handler: Handler, visit: Visit, path: str) -> web.StreamResponse:
    try:
        made = await handler(visit)
    except (ConnectionError, asyncio.CancelledError):
        # Whoever went away in the middle of an answer has what was sent until then.
        note(visit.request, interrupted=True)
        await asyncio.shield(_note(visit, path, Outcome.DONE))
        raise
    if made.status < 400:
        if led := _MADE.search(made.headers.get(hdrs.LOCATION, "")):
            note(visit.request, objects={led[1]: led[2]})
        await _note(visit, path, Outcome.DONE)
    return made


async def _note(visit: Visit, path: str, outcome: Outcome) -> None:
    """What somebody did goes to the audit log, if it is anything that belongs there."""
    reads = visit.request.config_dict[AUDIT].notes_reads
    action = wanted(visit.request.method, path, reads=reads)
    if action is not None:
        await record(
            visit.request,
            store=visit.person.store,
            kind=Kind.PERSON,
            actor=visit.person.login,
            action=action,
            outcome=outcome,
            form=visit.form.fields,
        )


def error_page(request: web.Request, error: GatewayError, visit: Visit | None = None) -> web.Response:
    """What went wrong, with every problem that was found."""
    values = {"error": error, "problems": error.problems}
    if visit is None:
        made = rendered(request, "outside_error.html", status=error.status, **values)
    else:
        made = visit.page("error.html", status=error.status, **values)
    if "Retry-After" in error.headers:
        made.headers["Retry-After"] = error.headers["Retry-After"]
    return made


def _signed_out(request: web.Request) -> web.StreamResponse:
    if request.method != "GET":
        raise SignedOut("you are not signed in any more, so nothing was changed; sign in and do it again")
    base = f"{request.config_dict[SETTINGS].server.base_path}/admin"
    following = quote(request.rel_url.raw_path_qs, safe="")
    return web.Response(status=303, headers={hdrs.LOCATION: f"{base}/sign-in?next={following}"})


def check_origin(request: web.Request) -> None:
    """Raise Forbidden unless the form comes from a page of this gateway."""
    sent = request.headers.get(hdrs.ORIGIN)
    ours = {origin(request), f"{request.scheme}://{request.host}"}
    if sent not in ours:
        raise Forbidden(
            f"the form was sent from {sent or 'an unknown origin'}, which is not this console "
            f"({origin(request)}). Behind a proxy, set server.public_url or server.trusted_proxies."
        )


def check_token(form: Form, token: str) -> None:
    """Raise Forbidden unless the form was made for this browser."""
    if not hmac.compare_digest(form.secret("csrf").encode(), csrf_token(token).encode()):
        raise Forbidden("the page that sent this is too old; go back, reload it and try again")


def cookie_name(request: web.Request) -> str:
    """The cookie of this way to reach the gateway."""
    return SECURE_COOKIE if _secure(request) else PLAIN_COOKIE


def set_token(request: web.Request, response: web.StreamResponse, token: str | None) -> None:
    """Give the browser a token, or take it away."""
    name, secure = cookie_name(request), _secure(request)
    if token is None:
        response.del_cookie(name, path="/", secure=secure, httponly=True, samesite="Lax")
    else:
        response.set_cookie(name, token, path="/", secure=secure, httponly=True, samesite="Lax")


def visitor_token(request: web.Request) -> str:
    """What the browser holds; a new one for a browser that holds nothing, so that it can send a form."""
    return request.cookies.get(cookie_name(request)) or token_urlsafe(32)


def require_privacy(request: web.Request) -> None:
    """Raise NotSecure where a password would be readable on the way."""
    if not _secure(request) and not _is_loopback(urlsplit(origin(request)).hostname or ""):
        raise NotSecure(
            "passwords are only taken over https, or from a browser on the gateway's own machine; put the "
            "gateway behind a proxy with TLS and set server.public_url"
        )


def following(request: web.Request, path: str) -> str:
    """Where to go after signing in: a page of this console, else its first one."""
    base = f"{request.config_dict[SETTINGS].server.base_path}/admin/"
    plain = path.isascii() and path.isprintable() and "\\" not in path and "//" not in path.partition("?")[0]
    return path if plain and path.startswith(base) and ".." not in path.partition("?")[0] else base


def address_of(request: web.Request) -> str:
    """From where attempts are counted together."""
    return client_address(request)


def text_of(request: web.Request, name: str) -> str:
    """A parameter of a page, empty if not given; raises BadRequest if it is there twice."""
    values = request.query.getall(name, [])
    if len(values) > 1:
        raise BadRequest(f"the parameter {name} is given more than once")
    return values[0].strip() if values else ""


def _secure(request: web.Request) -> bool:
    return origin(request).startswith("https://")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
