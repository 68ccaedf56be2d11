"""What the console and the management API leave in the audit log: one entry for each change.

That is decided here for all routes, so that a new one cannot be forgotten: whatever is no GET changes
something, unless it is named below. Handlers may `note` what was changed, from what to what.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from gateway.errors import Forbidden, GatewayError
from gateway.keys import AUDIT, SETTINGS
from gateway.logs import REQUEST
from gateway.services.access import Grant
from gateway.services.audit import Kind, Outcome, action_of
from gateway.web.origins import client_address

# Routes below /admin or /api/v1 that only look, although they are POSTs.
LOOKS = frozenset(
    {
        "/playground",
        "/playground/sample",
        "/playground/mapping",
        "/deliveries/rehearse",
        "/mappings/{adapter}/explain",
        "/mappings/{adapter}/tests",
    }
)
# Routes that show records of learners.
PERSONAL = frozenset(
    {
        "/live",
        "/live/events",
        "/statements",
        "/statements/{statement}",
        "/deliveries/{delivery}",
        "/deliveries/{delivery}/trace",
        "/deliveries/{delivery}/playground",
        "/deliveries/rehearse",
        "/courses/{course}/progress.csv",
        "/registrations",
        "/registrations/{registration}",
        "/registrations/{registration}/statements",
        "/registrations/{registration}/preferences",
        "/sessions",
        "/sessions/{session}",
        "/directory",
    }
)
# Where the name of a route says too little.
_ACTIONS = {
    "POST /people": "people.create",
    "POST /people/roles": "people.roles",
    "POST /people/link": "people.invite",
    "POST /people/subject": "people.link",
    "POST /courses/{course}/enrolments": "courses.enrol",
    "POST /courses/{course}/settings": "courses.settings",
    "POST /directory": "directory.change",
    "POST /sources/{source}": "sources.change",
    "POST /sources/{source}/decisions": "sources.decide",
}
# Fields of forms that are ids or plain choices.
_SHOWN = ("login", "key", "adapter", "source", "course", "version", "au", "link")


@dataclass(slots=True)
class Note:
    """What a handler says about its change; without `changed` there was none."""

    changed: bool = True
    objects: dict[str, str] = field(default_factory=dict)
    detail: dict[str, Any] = field(default_factory=dict)


NOTE = web.RequestKey("audit_note", Note)
GRANT = web.RequestKey("grant", Grant)


def note(
    request: web.Request, *, changed: bool = True, objects: Mapping[str, str] | None = None, **detail: Any
) -> None:
    """Say more about what a request did: ids by noun, and what is worth knowing (`before`, `after`)."""
    here = request.get(NOTE)
    if here is None:
        here = request[NOTE] = Note()
    here.changed = here.changed and changed
    here.objects.update(objects or {})
    here.detail |= detail


def wanted(method: str, path: str, *, reads: bool) -> str | None:
    """The action that a route's entry names, if there has to be one; `path` is that of the route, and with
    `reads` looking at records of learners counts.
    """
    if method not in ("GET", "HEAD", "OPTIONS") and path not in LOOKS:
        return _ACTIONS.get(f"{method} {path}") or action_of(method, path)
    return action_of("GET", path) if path in PERSONAL and reads else None


async def record(
    request: web.Request,
    *,
    store: str,
    kind: Kind,
    actor: str,
    action: str,
    outcome: Outcome = Outcome.DONE,
    form: Mapping[str, Any] | None = None,
) -> None:
    """Add the entry of a request."""
    noted = request.get(NOTE) or Note()
    if not noted.changed and not action.endswith(".read"):
        return
    sent = {name: form[name][0] for name in _SHOWN if form and form.get(name) and form[name][0]}
    ids = {name: value for name, value in request.match_info.items() if name not in ("rest", "token")}
    await request.config_dict[AUDIT].record(
        store=store,
        kind=kind,
        actor=actor,
        action=action,
        outcome=outcome,
        objects={**sent, **ids, **noted.objects},
        detail=noted.detail,
        request=REQUEST.get(),
        address=client_address(request),
    )


@web.middleware
async def audited(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Leave an entry for each change by the management API, and for reading of personal data."""
    if "/api/v1/" not in request.path:  # by far the most
        return await handler(request)
    base = f"{request.config_dict[SETTINGS].server.base_path}/api/v1"
    if not request.path.startswith(f"{base}/"):
        return await handler(request)
    resource = request.match_info.route.resource
    path = (resource.canonical if resource is not None else "").removeprefix(base)
    action = wanted(request.method, path, reads=request.config_dict[AUDIT].notes_reads)
    if action is None:
        return await handler(request)
    try:
        made = await handler(request)
    except GatewayError as error:
        # Refused is whoever was known and may not; who is not known is nobody who could be named.
        if isinstance(error, Forbidden) and request.get(GRANT) is not None:
            await _of_grant(request, action, Outcome.REFUSED)
        raise
    except (ConnectionError, asyncio.CancelledError):
        # Whoever went away in the middle of an answer has what was sent until then.
        note(request, interrupted=True)
        await asyncio.shield(_of_grant(request, action, Outcome.DONE))
        raise
    if made.status < 400:
        if made.status == 201 and isinstance(made, web.Response):
            _note_made(request, path, made)
        await _of_grant(request, action, Outcome.DONE)
    return made


async def _of_grant(request: web.Request, action: str, outcome: Outcome) -> None:
    grant = request.get(GRANT)
    if grant is not None:
        await record(
            request,
            store=grant.store,
            kind=Kind.CREDENTIAL,
            actor=grant.key,
            action=action,
            outcome=outcome,
        )


def _note_made(request: web.Request, path: str, made: web.Response) -> None:
    """The id of what was made, by its noun."""
    if made.headers.get(hdrs.CONTENT_TYPE, "").startswith("application/json") and isinstance(
        made.body, bytes
    ):
        found = orjson.loads(made.body)
        if isinstance(found, dict) and isinstance(found.get("id"), str):
            noun = path.rstrip("/").rpartition("/")[2].removesuffix("s")
            note(request, objects={noun: found["id"]})
