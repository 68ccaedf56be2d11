"""People: who may sign in, and as what. Links are shown once."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from gateway.errors import Conflict, Invalid
from gateway.keys import PEOPLE, SETTINGS
from gateway.services.people import RIGHTS, Role
from gateway.store.people import Person
from gateway.web.console.visits import Visit
from gateway.web.origins import addresses


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
    return _link(visit, made, await people.make_link(made))


async def link(visit: Visit) -> web.Response:
    """A link with which somebody chooses a new password."""
    people = visit.request.config_dict[PEOPLE]
    person = await people.named(visit.form.text("login"))
    return _link(visit, person, await people.make_link(person))


async def disable(visit: Visit) -> web.Response:
    """End somebody's sessions, and let them not sign in any more."""
    login = visit.form.text("login")
    if login == visit.person.login:
        raise Conflict("you cannot disable yourself; another administrator can")
    await visit.request.config_dict[PEOPLE].disable(login)
    return visit.to("/people", said="disabled")


async def enable(visit: Visit) -> web.Response:
    """Let somebody sign in again."""
    await visit.request.config_dict[PEOPLE].enable(visit.form.text("login"))
    return visit.to("/people", said="enabled")


async def _listed(visit: Visit, *, status: int = 200, **values: Any) -> web.Response:
    return visit.page(
        "people.html",
        status=status,
        people=await visit.request.config_dict[PEOPLE].list(),
        roles=[(role, ", ".join(sorted(RIGHTS[role]))) for role in Role],
        stores=visit.request.config_dict[SETTINGS].stores.names,
        **({"refused": None, "given": {}, "chosen": []} | values),
    )


def _link(visit: Visit, person: Person, token: str) -> web.Response:
    url = f"{addresses(visit.request).gateway}/admin/welcome/{token}"
    return visit.page("invitation.html", invited=person, url=url)
