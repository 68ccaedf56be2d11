"""What is changed about a course: its name and tags, its launches, the version of newcomers, and its end."""

from __future__ import annotations

from aiohttp import web

from gateway.errors import Conflict, Invalid, Problem
from gateway.services.removals import DELETED_AT_ONCE
from gateway.web.api.bodies import path_id
from gateway.web.auditing import note
from gateway.web.console.courses import shown, title_of
from gateway.web.console.launch_settings import (
    read_settings,
    read_tags,
    settings_given,
    settings_shown,
)
from gateway.web.console.visits import Visit


async def describe(visit: Visit) -> web.Response:
    """Change the name that is shown instead of the publisher's title, and the tags."""
    course, form = path_id(visit.request, "course", "course"), visit.form
    before = await visit.services.courses.get(course)
    try:
        changes = {"name": form.text("name") or None, "tags": read_tags(form)}
        await visit.services.courses.describe(course, changes)
    except Invalid as error:
        return await shown(visit, status=400, refused=error, open="description")
    note(visit.request, before={"name": before.name, "tags": list(before.tags)}, after=changes)
    return visit.to(f"/courses/{course}", said="saved")


async def override(visit: Visit) -> web.Response:
    """Replace what applies to every future launch of the course."""
    course = path_id(visit.request, "course", "course")
    before = settings_shown((await visit.services.courses.get(course)).overrides)
    try:
        stored = await visit.services.courses.override(course, read_settings(visit.form))
    except Invalid as error:
        settings = settings_given(visit.form)
        return await shown(visit, status=400, refused=error, open="settings", settings=settings)
    note(visit.request, before=before, after=settings_shown(stored.overrides))
    return visit.to(f"/courses/{course}", said="settings")


async def select(visit: Visit) -> web.Response:
    """Choose the version that new registrations get."""
    course, text = path_id(visit.request, "course", "course"), visit.form.text("version")
    if not text.isascii() or not text.isdigit():
        message = f"holds {text!r}; expected the number of a version"
        raise Invalid(f"version {message}", problems=[Problem("version", "Console", message)])
    before = await visit.services.courses.get(course)
    await visit.services.courses.select(course, int(text[:9]))
    note(visit.request, before=before.number, after=int(text[:9]))
    return visit.to(f"/courses/{course}", said="selected")


async def removal(visit: Visit) -> web.Response:
    """What would go with the course, and the form that lets it go."""
    return await _asked(visit)


async def remove(visit: Visit) -> web.Response:
    """Delete the course, when its title was typed; with its registrations only where that was ticked."""
    stored = await visit.services.courses.get(path_id(visit.request, "course", "course"))
    title, typed = " ".join(title_of(stored).split()), " ".join(visit.form.text("confirm").split())
    try:
        if typed != title:
            message = f"holds {typed!r}; expected the title of the course, {title!r}"
            raise Invalid(f"confirm {message}", problems=[Problem("confirm", "Console", message)])
        force = visit.form.text("registrations") == "1"
        gone = await visit.services.removals.delete_course(stored.id, force=force, at_once=DELETED_AT_ONCE)
    except (Invalid, Conflict) as error:
        return await _asked(visit, status=error.status, refused=error)
    note(visit.request, title=title, registrations=force)
    return visit.to("/courses", said="deleted" if gone else "deleting")


async def _asked(
    visit: Visit, *, status: int = 200, refused: Invalid | Conflict | None = None
) -> web.Response:
    services = visit.services
    stored = await services.courses.get(path_id(visit.request, "course", "course"))
    versions = await services.courses.versions(stored.id)
    return visit.page(
        "course_removal.html",
        status=status,
        stored=stored,
        title=title_of(stored),
        versions=versions,
        files=sum(one.files for one in versions),
        size=sum(one.size for one in versions),
        registrations=await services.registrations.count(stored.id),
        refused=refused,
    )
