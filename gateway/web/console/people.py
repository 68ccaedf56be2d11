"""People: who may sign in, and as what. Links are shown once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from aiohttp import web

from gateway.errors import BadRequest, Conflict, Invalid, NotFound
from gateway.keys import PEOPLE, PROVIDER, SETTINGS
from gateway.services.people import RIGHTS, People, Role
from gateway.store.people import Person
from gateway.web.auditing import note
from gateway.web.console.visits import Visit
from gateway.web.origins import addresses
from gateway.xapi.datatypes import is_uuid


async def index(visit: Visit) -> web.Response:
    """Everybody."""
    return await _listed(visit)


async def create(visit: Visit) -> web.Response:
    """Somebody new, and the link with which they choose a password."""
    people, form = visit.request.config_dict[PEOPLE], visit.form
    try:
        made = await people.create(
            form.text("login"), form.text("name"), form.all("role"), form.text("store") or visit.person.store
        )
    except (Invalid, Conflict) as error:
        given = {name: form.text(name) for name in ("login", "name")}
        return await _listed(visit, status=error.status, refused=error, given=given, chosen=form.all("role"))
    note(visit.request, objects={"person": str(made.id)}, roles=made.roles)
    return _link(visit, made, await people.make_link(made))


async def link(visit: Visit) -> web.Response:
    """A link with which somebody chooses a new password."""
    people = visit.request.config_dict[PEOPLE]
    person = await people.named(visit.form.text("login"))
    return _link(visit, person, await people.make_link(person))


async def show(visit: Visit) -> web.Response:
    """One of them: roles, ways in, sessions."""
    identity = visit.request.match_info["person"]
    if not is_uuid(identity):
        raise NotFound(f"there is nobody with the id {identity!r}; ids are UUIDs")
    return await _shown(visit, await visit.request.config_dict[PEOPLE].get(UUID(identity)))


async def change_roles(visit: Visit) -> web.Response:
    """Give somebody other roles."""
    return await _done(visit, "roles", lambda people, login: people.set_roles(login, visit.form.all("role")))


async def sign_out(visit: Visit) -> web.Response:
    """End somebody's sessions."""
    return await _done(visit, "signed-out", lambda people, login: people.end_sessions(login))


async def disable(visit: Visit) -> web.Response:
    """End somebody's sessions, and let them not sign in any more."""
    if visit.form.text("login") == visit.person.login:
        raise Conflict("you cannot disable yourself; another administrator can")
    return await _done(visit, "disabled", lambda people, login: people.disable(login))


async def enable(visit: Visit) -> web.Response:
    """Let somebody sign in again."""
    return await _done(visit, "enabled", lambda people, login: people.enable(login))


async def set_subject(visit: Visit) -> web.Response:
    """Say who somebody is at the identity provider."""
    issuer = visit.request.config_dict[SETTINGS].oidc.issuer
    if issuer is None:
        raise BadRequest("there is no identity provider; set oidc.issuer")
    subject = visit.form.text("subject")
    return await _done(visit, "linked", lambda people, login: people.link_subject(login, issuer, subject))


async def unlink(visit: Visit) -> web.Response:
    """Let somebody not come from the identity provider any more."""
    return await _done(visit, "unlinked", lambda people, login: people.unlink_subject(login))


async def _done(visit: Visit, said: str, change: Callable[[People, str], Awaitable[Person]]) -> web.Response:
    """Change somebody, and show them with what was said or why it was not done."""
    people = visit.request.config_dict[PEOPLE]
    person = await people.named(visit.form.text("login"))
    try:
        after = await change(people, person.login)
    except (Invalid, Conflict) as error:
        return await _shown(visit, person, status=error.status, refused=error)
    if after.roles != person.roles:
        note(visit.request, before=person.roles, after=after.roles)
    # Whoever took the right from themselves cannot look at the page any more.
    is_own = person.id == visit.person.id
    return visit.to("/" if is_own else f"/people/{person.id}", said=said)


async def _shown(visit: Visit, person: Person, *, status: int = 200, **values: Any) -> web.Response:
    config = visit.request.config_dict
    return visit.page(
        "person.html",
        status=status,
        one=person,
        sessions=await config[PEOPLE].sessions(person),
        roles=_roles(),
        provider=config[PROVIDER],
        passwords=config[SETTINGS].console.passwords,
        **({"refused": None} | values),
    )


def _roles() -> list[tuple[Role, str]]:
    return [(role, ", ".join(sorted(RIGHTS[role]))) for role in Role]


async def _listed(visit: Visit, *, status: int = 200, **values: Any) -> web.Response:
    return visit.page(
        "people.html",
        status=status,
        people=await visit.request.config_dict[PEOPLE].list(),
        roles=_roles(),
        stores=visit.request.config_dict[SETTINGS].stores.names,
        **({"refused": None, "given": {}, "chosen": []} | values),
    )


def _link(visit: Visit, person: Person, token: str) -> web.Response:
    url = f"{addresses(visit.request).gateway}/admin/welcome/{token}"
    return visit.page("invitation.html", invited=person, url=url)
