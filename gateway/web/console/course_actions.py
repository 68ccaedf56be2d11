"""What is done with a course: import it and its versions, register learners, look at it as one of them."""

from __future__ import annotations

import asyncio
from typing import BinaryIO

from aiohttp import web

from gateway.cmi5.overrides import Overrides
from gateway.errors import Invalid, Problem
from gateway.services.registrations import Enrolment, check_learner
from gateway.web.api.bodies import path_id
from gateway.web.auditing import note
from gateway.web.console.courses import find_title, listed, shown, title_of
from gateway.web.console.launch_settings import read_tags
from gateway.web.console.visits import Visit
from gateway.web.origins import addresses
from gateway.xapi.datatypes import is_iri


async def create(visit: Visit) -> web.Response:
    """Import a course; what is wrong with it is listed above the form."""
    base = addresses(visit.request).gateway
    try:
        imported = await visit.services.courses.create(_file(visit), base=base)
    except Invalid as error:
        return await listed(visit, status=400, refused=error)
    return visit.to(f"/courses/{imported.stored.id}", said="imported")


async def add_version(visit: Visit) -> web.Response:
    """Import a new version of a course."""
    course, base = path_id(visit.request, "course", "course"), addresses(visit.request).gateway
    await visit.services.courses.get(course)
    try:
        await visit.services.courses.add_version(course, _file(visit), base=base)
    except Invalid as error:
        return await shown(visit, status=400, refused=error)
    return visit.to(f"/courses/{course}", said="version")


async def enrol(visit: Visit) -> web.Response:
    """Register one learner. The form brings the id, so that sending it twice registers once."""
    course, form = path_id(visit.request, "course", "course"), visit.form
    await visit.services.courses.get(course)
    account = {"homePage": form.text("homePage"), "name": form.text("account")}
    actor = {"objectType": "Agent", "account": account}
    if form.text("name"):
        actor["name"] = form.text("name")
    ids = form.uuids("id")
    try:
        if not account["name"]:
            form.wrong("account", "is empty")
        form.problems += [] if form.problems else check_learner(actor, "learner")
        if not ids:
            form.wrong("id", "is missing; reload the page")
        form.finish()
        enrolment = Enrolment(
            course=course, actor=actor, id=ids[0], overrides=Overrides(), tags=tuple(read_tags(form))
        )
        registration, _ = await visit.services.registrations.create(enrolment)
    except Invalid as error:
        given = {name: form.text(name) for name in ("homePage", "account", "name", "tags")}
        return await shown(visit, status=400, refused=error, given=given)
    return visit.to(f"/registrations/{registration.id}", said="enrolled")


async def enrol_table(visit: Visit) -> web.Response:
    """Register the learners of a CSV, or only say what would become of each line."""
    course, home_page = path_id(visit.request, "course", "course"), visit.form.text("homePage")
    stored = await visit.services.courses.get(course)
    dry_run = visit.form.text("dryRun") == "1"
    note(visit.request, changed=not dry_run)
    try:
        if home_page and not is_iri(home_page):
            visit.form.wrong("homePage", "is no absolute URL")
            visit.form.finish()
        content = await asyncio.to_thread(_file(visit).read)
        done = await visit.services.enrolments.enrol(
            course, content, home_page=home_page or None, dry_run=dry_run
        )
    except Invalid as error:
        return await shown(visit, status=400, refused=error)
    return visit.page(
        "enrolled.html", stored=stored, title=title_of(stored), done=done, dry_run=dry_run, most=500
    )


async def preview(visit: Visit) -> web.Response:
    """Begin a session in Browse mode, for nobody in particular."""
    course = path_id(visit.request, "course", "course")
    stored, au = await visit.services.courses.get(course), visit.form.text("au")
    launched = await visit.services.previews.launch(course, au, Overrides(), addresses(visit.request))
    structure = await visit.services.courses.structure(stored.version)
    return visit.page(
        "preview.html", stored=stored, title=title_of(stored), au=find_title(structure, au), url=launched.url
    )


def _file(visit: Visit) -> BinaryIO:
    if visit.form.file is None:
        message = "holds nothing; choose a file"
        raise Invalid(f"file {message}", problems=[Problem("file", "Console", message)])
    return visit.form.file
