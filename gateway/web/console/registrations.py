"""Registrations and sessions: how far a learner is, links for them, what content did and what was refused."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from aiohttp import web

from gateway.cmi5.overrides import Overrides
from gateway.cmi5.vocabulary import word
from gateway.errors import BadRequest, Conflict, GatewayError, Invalid
from gateway.services.clock import utc_now
from gateway.services.courses import Courses, storable
from gateway.services.sentences import actor_name
from gateway.services.texts import title_text
from gateway.store.registrations import Registration
from gateway.web.api.bodies import path_id
from gateway.web.auditing import note
from gateway.web.console.courses import find_title, title_of
from gateway.web.console.launch_settings import settings_shown
from gateway.web.console.rendering import pretty
from gateway.web.console.visits import Visit
from gateway.web.origins import addresses
from gateway.xapi import strict_json

_LONGEST_LINK, _LONGEST_REASON = 3650, 500  # days; characters


async def show(visit: Visit) -> web.Response:
    """A learner in a course: the tree, the sessions, the links."""
    return await shown(visit, await registration_of(visit))


async def shown(
    visit: Visit, registration: Registration, *, status: int = 200, **values: Any
) -> web.Response:
    """The page of a registration; `values` are what a form of it had to say."""
    services = visit.services
    course = await services.courses.structure(registration.version)
    stored = await services.courses.get(registration.course)
    progress = await services.registrations.progress(registration)
    sessions = await services.sessions.list(registration=registration.id)
    return visit.page(
        "registration.html",
        status=status,
        registration=registration,
        who=actor_name(registration.actor),
        title=title_of(stored),
        version=(await services.courses.version(registration.version)).number,
        current=stored.number,
        progress=progress,
        aus=list(course.aus()),
        sessions=[(one, find_title(course, one.au), _verbs(one.used)) for one in sessions],
        links=[
            (one, find_title(course, one.au) if one.au else "whichever is next")
            for one in await services.launch_links.list(registration.id)
        ],
        title_text=title_text,
        now=utc_now(),
        inherited=settings_shown(stored.overrides),
        **(
            {
                "refused": None,
                "open": "",
                "settings": settings_shown(registration.overrides),
                "preferences": await _preferences(visit, registration),
            }
            | values
        ),
    )


async def link(visit: Visit) -> web.Response:
    """A link for the learner; it is shown on this page and never again."""
    registration, days, lifetime = await registration_of(visit), visit.form.text("days"), None
    try:
        if days:
            if not days.isascii() or not days.isdigit() or not 1 <= int(days[:9]) <= _LONGEST_LINK:
                visit.form.wrong("days", f"holds {days!r}; expected a number from 1 to {_LONGEST_LINK}")
                visit.form.finish()
            lifetime = dt.timedelta(days=int(days))
        made = await visit.services.launch_links.create(
            registration.id,
            visit.form.text("au") or None,
            Overrides(),
            lifetime,
            once=visit.form.text("once") == "1",
        )
    except Invalid as error:
        return await shown(visit, registration, status=400, refused=error)
    return visit.page(
        "link.html",
        registration=registration,
        who=actor_name(registration.actor),
        link=made.link,
        url=f"{addresses(visit.request).gateway}/launch/{made.token}",
    )


async def withdraw(visit: Visit) -> web.Response:
    """Let a link not work any more."""
    registration, ids = await registration_of(visit), visit.form.uuids("link")
    if len(ids) != 1:
        raise BadRequest("the form names no link; reload the page")
    await visit.services.launch_links.revoke(registration.id, ids[0])
    return visit.to(f"/registrations/{registration.id}", said="withdrawn")


async def waive(visit: Visit) -> web.Response:
    """Let a unit count as met, with the reason why."""
    registration = await registration_of(visit)
    try:
        await visit.services.registrations.waive(
            registration.id, visit.form.text("au"), visit.form.text("reason")
        )
    except (Invalid, Conflict) as error:
        return await shown(visit, registration, status=error.status, refused=error)
    note(visit.request, reason=visit.form.text("reason"))
    return visit.to(f"/registrations/{registration.id}", said="waived")


async def session(visit: Visit) -> web.Response:
    """A session with its launch data, and every request of its content that was refused, with the reason."""
    found = await visit.services.sessions.get(path_id(visit.request, "session", "session"))
    refusals = await visit.services.sessions.refusals(found.id)
    return visit.page(
        "session.html",
        session=found,
        who=actor_name(found.actor),
        au=await _title(visit.services.courses, found.version, found.au),
        verbs=_verbs(found.used),
        refusals=refusals,
        launch_data=pretty(strict_json.parse(found.launch_data).value),
    )


async def abandon(visit: Visit) -> web.Response:
    """End a session that its content did not terminate, if somebody likes with a reason."""
    identity, reason = path_id(visit.request, "session", "session"), visit.form.text("reason")
    if len(reason) > _LONGEST_REASON or not storable(reason):
        expected = f"expected at most {_LONGEST_REASON} characters of text"
        visit.form.wrong("reason", f"has {len(reason)} characters; {expected}")
        visit.form.finish()
    told = f"administrator: {reason}" if reason else "administrator"
    found = await visit.services.sessions.abandon(identity, told)
    note(visit.request, reason=reason)
    return visit.to(f"/sessions/{found.id}", said="abandoned")


async def registration_of(visit: Visit) -> Registration:
    """The one that the address names; raises NotFound."""
    identity = path_id(visit.request, "registration", "registration")
    return await visit.services.registrations.get(identity)


async def _title(courses: Courses, version: UUID, au: str) -> str:
    return find_title(await courses.structure(version), au)


def _verbs(used: frozenset[str]) -> str:
    return ", ".join(sorted(word(verb) for verb in used))


async def _preferences(visit: Visit, registration: Registration) -> dict[str, Any]:
    try:
        document = await visit.services.preferences.get(registration)
        found = strict_json.parse(document.content).value
    except GatewayError:  # there are none, or an AU wrote what is no JSON
        return {}
    return found if isinstance(found, dict) else {}
