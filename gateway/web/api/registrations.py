"""`/api/v1/registrations`: enrol learners, hand out links, follow them, excuse them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any
from uuid import uuid4

from aiohttp import hdrs, web

from gateway.cmi5.overrides import OVERRIDES
from gateway.errors import BadRequest
from gateway.keys import SERVICES
from gateway.services.access import Scope
from gateway.services.course_views import (
    enrolled,
    link_summary,
    overrides_document,
    registration_summary,
    whole_registration,
)
from gateway.services.courses import check_tags, stored_overrides
from gateway.services.progress_tables import progress_table
from gateway.services.registrations import Enrolment, check_learner, learner_key
from gateway.services.services import Services
from gateway.store.documents import Document
from gateway.store.registrations import Registration, RegistrationFilter, RegistrationState
from gateway.web.api.access import cmi5, granted
from gateway.web.api.answers import answer
from gateway.web.api.bodies import Fields, limit_of, path_id, read_fields, read_query
from gateway.web.api.paging import cursor_at, page_of, place_of
from gateway.web.api.uploads import read_upload
from gateway.web.auditing import note
from gateway.web.origins import addresses
from gateway.xapi.agents import parse_agent_parameter
from gateway.xapi.datatypes import is_iri
from gateway.xapi.queries import StatementsQuery, decode_more, encode_more
from gateway.xapi.strict_json import dumps

_LARGEST_TABLE = 32 * 1024 * 1024  # bytes
_TABLES = ("text/csv", "text/plain", "application/vnd.ms-excel", "application/octet-stream")
_LONGEST_LINK = 10 * 365 * 86_400  # seconds


async def create(request: web.Request) -> web.Response:
    """Register a learner: 201, or 200 where the id given was registered before."""
    services = await cmi5(request)
    fields = await read_fields(request, ("course", "actor", "id", "version", "tags", *OVERRIDES))
    course, identity = fields.uuid("course"), fields.uuid("id", required=False)
    version = fields.number("version", 1, 2**31) if fields.get("version") is not None else None
    actor, overrides = fields.get("actor"), fields.overrides()
    fields.problems += check_learner(actor)
    fields.finish()
    assert course is not None, "otherwise there was a problem"
    enrolment = Enrolment(
        course=course,
        actor=actor,
        id=identity or uuid4(),
        overrides=overrides,
        version=version,
        tags=tuple(check_tags(fields.get("tags") or [])),
    )
    registration, is_new = await services.registrations.create(enrolment)
    return answer(registration_summary(registration), status=201 if is_new else 200)


async def index(request: web.Request) -> web.Response:
    """Registrations, newest first; of one `course`, `actor` (an Agent as JSON), `state`, `tag`, or what
    changed since `updatedSince`, then oldest change first; `limit`, and `cursor` from the page before.
    """
    services = await cmi5(request)
    names = ("course", "actor", "state", "tag", "updatedSince", "preview", "limit", "cursor")
    query = read_query(request, names)
    course, limit, after = query.uuid("course", required=False), limit_of(query), place_of(query)
    which = RegistrationFilter(
        course=course,
        actor_key=_learner(query.get("actor")),
        state=_state(query),
        tag=query.get("tag"),
        updated_since=query.moment("updatedSince"),
        preview=query.flag("preview"),
    )
    query.finish()
    found = await services.registrations.list(which, after=after, limit=limit + 1)
    page, more = page_of(found, limit)
    cursor = None
    if more:
        last = page[-1]
        time = last.created if which.updated_since is None else last.updated or last.created
        cursor = cursor_at(time, last.id)
    return answer({"registrations": [registration_summary(each) for each in page], "more": cursor})


async def enrol(request: web.Request) -> web.Response:
    """Register the learners of a CSV: 200 with the outcome of each line, or 400 with all that is wrong."""
    services = await cmi5(request)
    course = path_id(request, "course", "course")
    query = read_query(request, ("homePage", "dryRun"))
    home_page, dry_run = query.get("homePage"), query.flag("dryRun")
    if home_page is not None and not is_iri(home_page):
        query.wrong("homePage", "an absolute URL")
    query.finish()
    await services.courses.get(course)
    content = await read_upload(request, limit=_LARGEST_TABLE, kinds=_TABLES)
    note(request, changed=not dry_run)
    done = await services.enrolments.enrol(course, content, home_page=home_page, dry_run=dry_run)
    return answer(enrolled(done, dry_run=dry_run))


async def table(request: web.Request) -> web.StreamResponse:
    """How far everybody is in a course, as CSV."""
    services = await cmi5(request)
    course = path_id(request, "course", "course")
    await services.courses.get(course)
    name = f'attachment; filename="progress-{course}.csv"'
    response = web.StreamResponse(headers={hdrs.CACHE_CONTROL: "no-store", hdrs.CONTENT_DISPOSITION: name})
    response.content_type, response.charset = "text/csv", "utf-8"
    await response.prepare(request)
    async for piece in progress_table(services.store, services.courses, course):
        await response.write(piece)
    await response.write_eof()
    return response


async def show(request: web.Request) -> web.Response:
    """A registration with the progress tree of its course and its sessions."""
    services = await cmi5(request)
    return answer(await _in_full(services, await _registration(request, services)))


async def describe(request: web.Request) -> web.Response:
    """Replace the `tags`."""
    services = await cmi5(request)
    fields = await read_fields(request, ("tags",))
    fields.finish()
    identity = path_id(request, "registration", "registration")
    return answer(registration_summary(await services.registrations.describe(identity, fields.get("tags"))))


async def delete(request: web.Request) -> web.Response:
    """Forget a registration with its sessions and links: 204. Its statements stay."""
    services = await cmi5(request)
    await services.removals.delete_registration(path_id(request, "registration", "registration"))
    return web.Response(status=204)


async def reset(request: web.Request) -> web.Response:
    """Let the learner begin anew: 201 with a new registration; the old one stays as it is."""
    services = await cmi5(request)
    done = await services.removals.reset(path_id(request, "registration", "registration"))
    return answer({**registration_summary(done.registration), "linksRevoked": done.links_revoked}, status=201)


async def overridden(request: web.Request) -> web.Response:
    """What applies to every launch of the registration."""
    services = await cmi5(request)
    registration = await _registration(request, services)
    return answer(overrides_document(stored_overrides(registration.overrides)))


async def override(request: web.Request) -> web.Response:
    """Replace what applies to every future launch of the registration."""
    services = await cmi5(request)
    fields = await read_fields(request, OVERRIDES)
    overrides = fields.overrides()
    fields.finish()
    identity = path_id(request, "registration", "registration")
    registration = await services.registrations.override(identity, overrides)
    return answer({**registration_summary(registration), "overrides": overrides_document(overrides)})


async def preferences(request: web.Request) -> web.Response:
    """The learner's preferences, which hold for all courses."""
    services = await cmi5(request)
    document = await services.preferences.get(await _registration(request, services))
    return _document(document)


async def prefer(request: web.Request) -> web.Response:
    """Replace the learner's preferences."""
    services = await cmi5(request)
    fields = await read_fields(request, ("languagePreference", "audioPreference"))
    fields.finish()
    values = {name: fields.get(name) for name in ("languagePreference", "audioPreference")}
    return _document(await services.preferences.set(await _registration(request, services), values))


async def forget_preferences(request: web.Request) -> web.Response:
    """Remove the learner's preferences: 204."""
    services = await cmi5(request)
    await services.preferences.clear(await _registration(request, services))
    return web.Response(status=204)


async def statements(request: web.Request) -> web.Response:
    """What the learning record holds of a registration, oldest first; `limit`, and `cursor` as in lists."""
    grant = await granted(request, Scope.CMI5, Scope.ADMIN)
    services = request.config_dict[SERVICES][grant.store]
    registration = await _registration(request, services)
    fields = read_query(request, ("limit", "cursor"))
    limit = limit_of(fields)
    fields.finish()
    # Whoever runs the course may read its record; a credential that sees only some rows has no such scope.
    reader = replace(grant, scopes=frozenset({Scope.STATEMENTS_READ}))
    query = StatementsQuery(registration=registration.id, ascending=True, limit=limit)
    position = None
    if (cursor := fields.get("cursor")) is not None:
        query, position = decode_more(cursor, key=services.more_key)
        if query.registration != registration.id:
            raise BadRequest("the cursor belongs to another list")
    listed = await services.statements.list(reader, query, position)
    more = encode_more(query, listed.position, key=services.more_key) if listed.position else None
    texts = (each.text.encode() if each.text else dumps(each.statement) for each in listed.page.statements)
    body = b'{"statements":[' + b",".join(texts) + b'],"more":' + dumps(more) + b"}"
    return web.Response(body=body, content_type="application/json", headers={hdrs.CACHE_CONTROL: "no-store"})


async def create_link(request: web.Request) -> web.Response:
    """A link for the learner that begins a session when it is clicked: 201."""
    services = await cmi5(request)
    registration = path_id(request, "registration", "registration")
    fields = await read_fields(request, ("au", "lifetime", "once", *OVERRIDES), optional=True)
    au, overrides, lifetime = fields.au(required=False), fields.overrides(), _lifetime(fields)
    once = fields.boolean("once")
    fields.finish()
    made = await services.launch_links.create(registration, au, overrides, lifetime, once=once)
    url = f"{addresses(request).gateway}/launch/{made.token}"
    return answer({"url": url, **link_summary(made.link)}, status=201)


async def links(request: web.Request) -> web.Response:
    """The links of a registration, newest first, without what opens them."""
    services = await cmi5(request)
    found = await services.launch_links.list(path_id(request, "registration", "registration"))
    return answer({"links": [link_summary(link) for link in found]})


async def revoke_link(request: web.Request) -> web.Response:
    """Let a link not work any more: 204."""
    services = await cmi5(request)
    registration = path_id(request, "registration", "registration")
    await services.launch_links.revoke(registration, path_id(request, "link", "link"))
    return web.Response(status=204)


async def waive(request: web.Request) -> web.Response:
    """Let an AU count as met: 200 with the progress afterwards."""
    services = await cmi5(request)
    registration = path_id(request, "registration", "registration")
    fields = await read_fields(request, ("au", "reason"))
    au, reason = fields.au(), fields.text("reason")
    fields.finish()
    assert au is not None, "otherwise there was a problem"
    await services.registrations.waive(registration, au, reason)
    return answer(await _in_full(services, await services.registrations.get(registration)))


async def _registration(request: web.Request, services: Services) -> Registration:
    return await services.registrations.get(path_id(request, "registration", "registration"))


def _learner(text: str | None) -> str | None:
    return learner_key(parse_agent_parameter(text, "actor")) if text is not None else None


def _state(query: Fields) -> RegistrationState | None:
    text = query.get("state")
    if text is None:
        return None
    if text not in list(RegistrationState):
        query.wrong("state", f"one of {', '.join(RegistrationState)}")
        return None
    return RegistrationState(text)


def _document(document: Document) -> web.Response:
    return web.Response(
        body=document.content,
        content_type="application/json",
        headers={hdrs.CACHE_CONTROL: "no-store", hdrs.ETAG: f'"{document.etag}"'},
    )


def _lifetime(fields: Fields) -> dt.timedelta | None:
    seconds = fields.get("lifetime")
    if seconds is None:
        return None
    if type(seconds) not in (int, float) or not 0 < seconds <= _LONGEST_LINK:
        fields.wrong("lifetime", f"seconds, more than 0 and at most {_LONGEST_LINK}")
        return None
    return dt.timedelta(seconds=seconds)


async def _in_full(services: Services, registration: Registration) -> dict[str, Any]:
    progress = await services.registrations.progress(registration)
    sessions = await services.sessions.list(registration=registration.id)
    return whole_registration(registration, progress, sessions)
