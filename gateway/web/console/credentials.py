"""Credentials: who may use the store by which key and for what, and when it was used; secrets shown once."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from gateway.errors import Invalid, Problem
from gateway.keys import ACCESS, SERVICES, SETTINGS
from gateway.services.access import Scope
from gateway.services.clock import utc_now
from gateway.services.credentials import Credentials
from gateway.store.row_filters import RowFilter
from gateway.web.auditing import note
from gateway.web.console.visits import Visit
from gateway.web.origins import addresses

_ROWS = ("verbs", "courses", "sources", "platforms")
_ABOUT = {
    Scope.ALL: "everything, the management of the gateway included",
    Scope.ALL_READ: "all kinds of reading",
    Scope.STATEMENTS_WRITE: "store statements, as a tool that reports does",
    Scope.STATEMENTS_READ: "read statements of everybody",
    Scope.STATEMENTS_READ_MINE: "read back statements that it stored itself",
    Scope.STATE: "keep where learners are (state documents)",
    Scope.PROFILE: "keep profiles of learners and activities",
    Scope.DEFINE: "have its descriptions of activities count",
    Scope.CMI5: "run courses: import, enrol, launch, follow",
    Scope.HOOKS: "webhooks: deliveries, mappings, replay",
    Scope.ADMIN: "courses and webhooks: the whole management API",
}
_GIVEN = ("name", "owner", "purpose", *_ROWS)


async def index(visit: Visit) -> web.Response:
    """All credentials of the store."""
    return await _listed(visit)


async def create(visit: Visit) -> web.Response:
    """A new credential; its secret is on this page and never again."""
    form = visit.form
    try:
        rows = _rows({part: tuple(form.secret(part).split()) for part in _ROWS[:3]}, form.secret("platforms"))
        credential, secret = await _credentials(visit).create(
            name=form.text("name"),
            scopes=form.all("scope"),
            owner=form.text("owner"),
            purpose=form.text("purpose"),
            rows=rows,
        )
    except Invalid as error:
        given = {name: form.text(name) for name in _GIVEN}
        return await _listed(visit, status=400, refused=error, given=given, chosen=form.all("scope"))
    note(visit.request, objects={"key": credential.key}, name=credential.name, scopes=credential.scopes)
    return _secret(visit, credential, secret)


async def rotate(visit: Visit) -> web.Response:
    """A new secret for a credential."""
    credential, secret = await _credentials(visit).rotate(visit.form.secret("key"))
    return _secret(visit, credential, secret)


async def revoke(visit: Visit) -> web.Response:
    """End a credential, for good."""
    await _credentials(visit).revoke(visit.form.secret("key"))
    return visit.to("/credentials", said="revoked")


async def _listed(visit: Visit, *, status: int = 200, **values: Any) -> web.Response:
    return visit.page(
        "credentials.html",
        status=status,
        credentials=await _credentials(visit).list(),
        scopes=[(scope, _ABOUT[scope]) for scope in Scope],
        **({"refused": None, "given": {}, "chosen": []} | values),
    )


def _secret(visit: Visit, credential: object, secret: str) -> web.Response:
    url = addresses(visit.request).gateway
    return visit.page("secret.html", credential=credential, secret=secret, url=url)


def _credentials(visit: Visit) -> Credentials:
    config = visit.request.config_dict
    default = config[SERVICES][config[SETTINGS].stores.default]
    return Credentials(default.store.credentials, config[ACCESS], store=visit.person.store, clock=utc_now)


def _rows(parts: dict[str, tuple[str, ...]], platforms: str) -> RowFilter | None:
    """What may be read: a value a line, since only names of platforms hold blanks."""
    lines = tuple(line.strip() for line in platforms.splitlines() if line.strip())
    try:
        return RowFilter(**parts, platforms=lines) or None
    except ValueError as error:
        raise Invalid(str(error), problems=[Problem("sources", "Console", str(error))]) from None
