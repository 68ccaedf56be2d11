"""What is changed about a registration: tags, launches, preferences, a new beginning, its end."""

from __future__ import annotations

from aiohttp import web

from gateway.errors import Invalid, Problem
from gateway.services.sentences import actor_name
from gateway.store.registrations import Registration
from gateway.web.auditing import note
from gateway.web.console.courses import title_of
from gateway.web.console.launch_settings import (
    read_settings,
    read_tags,
    settings_given,
    settings_shown,
)
from gateway.web.console.registrations import registration_of, shown
from gateway.web.console.visits import Visit

_PREFERENCES = ("languagePreference", "audioPreference")


async def describe(visit: Visit) -> web.Response:
    """Replace the tags."""
    registration = await registration_of(visit)
    try:
        tags = read_tags(visit.form)
        await visit.services.registrations.describe(registration.id, tags)
    except Invalid as error:
        return await shown(visit, registration, status=400, refused=error, open="tags")
    note(visit.request, before=list(registration.tags), after=tags)
    return visit.to(f"/registrations/{registration.id}", said="saved")


async def override(visit: Visit) -> web.Response:
    """Replace what applies to every future launch of the registration."""
    registration = await registration_of(visit)
    try:
        changed = await visit.services.registrations.override(registration.id, read_settings(visit.form))
    except Invalid as error:
        given = settings_given(visit.form)
        return await shown(visit, registration, status=400, refused=error, open="settings", settings=given)
    note(
        visit.request,
        before=settings_shown(registration.overrides),
        after=settings_shown(changed.overrides),
    )
    return visit.to(f"/registrations/{registration.id}", said="settings")


async def prefer(visit: Visit) -> web.Response:
    """Replace the learner's preferences, which hold in all courses; with both fields empty there are none."""
    registration = await registration_of(visit)
    given = {name: visit.form.text(name) for name in _PREFERENCES if visit.form.text(name)}
    try:
        if given:
            await visit.services.preferences.set(registration, given)
        else:
            await visit.services.preferences.clear(registration)
    except Invalid as error:
        return await shown(
            visit, registration, status=400, refused=error, open="preferences", preferences=given
        )
    return visit.to(f"/registrations/{registration.id}", said="saved")


async def reset(visit: Visit) -> web.Response:
    """Let the learner begin anew, with a registration in the place of this one, which stays as it is."""
    registration = await registration_of(visit)
    done = await visit.services.removals.reset(registration.id)
    note(visit.request, before=str(registration.id), after=str(done.registration.id))
    return visit.to(f"/registrations/{done.registration.id}", said="reset")


async def removal(visit: Visit) -> web.Response:
    """What would go with the registration, and the form that lets it go."""
    return await _asked(visit, await registration_of(visit))


async def remove(visit: Visit) -> web.Response:
    """Delete the registration, when the learner's account was typed."""
    registration = await registration_of(visit)
    account, typed = registration.actor["account"]["name"].strip(), visit.form.text("confirm")
    if typed != account:
        message = f"holds {typed!r}; expected the account of the learner, {account!r}"
        error = Invalid(f"confirm {message}", problems=[Problem("confirm", "Console", message)])
        return await _asked(visit, registration, status=400, refused=error)
    await visit.services.removals.delete_registration(registration.id)
    note(visit.request, objects={"course": str(registration.course)})
    return visit.to(f"/courses/{registration.course}", said="forgotten")


async def _asked(
    visit: Visit, registration: Registration, *, status: int = 200, refused: Invalid | None = None
) -> web.Response:
    services = visit.services
    return visit.page(
        "registration_removal.html",
        status=status,
        registration=registration,
        who=actor_name(registration.actor),
        title=title_of(await services.courses.get(registration.course)),
        sessions=len(await services.sessions.list(registration=registration.id)),
        links=len(await services.launch_links.list(registration.id)),
        refused=refused,
    )
