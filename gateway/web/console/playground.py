"""The playground: a payload is mapped before anybody, with every step, by the mapping in use or by a text
that is tried. Nothing is stored; what is worth keeping is downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import hdrs, web

from adapters import Lint
from gateway.errors import BadRequest, Forbidden, GatewayError, Invalid, Problem
from gateway.services.clock import utc_now
from gateway.services.deliveries import Sample
from gateway.services.people import Right
from gateway.services.workbench import MOST_TEXT
from gateway.web.api.bodies import path_id
from gateway.web.console.mappings import sources_of
from gateway.web.console.rendering import headers as page_headers
from gateway.web.console.rendering import pretty
from gateway.web.console.visits import Visit, text_of
from gateway.xapi import strict_json
from gateway.xapi.findings import shown

_FIELDS = ("adapter", "payload", "headers", "name")


async def form(visit: Visit) -> web.Response:
    """The form, with the adapter that the address names."""
    return _page(visit, {"adapter": text_of(visit.request, "adapter")})


async def of_delivery(visit: Visit) -> web.Response:
    """The form with what a stored delivery holds, as far as its mapping shows it."""
    if not visit.may(Right.READ_DELIVERIES):
        raise Forbidden(f"your role does not let you {Right.READ_DELIVERIES}; ask an administrator")
    identity = path_id(visit.request, "delivery", "delivery")
    found, payload = await visit.services.hooks.deliveries.sample_of(identity)
    lines = [f"{name}: {value}" for name, value in found.headers if value.isprintable()]
    given = {
        "adapter": found.adapter,
        "payload": pretty(payload),
        "headers": "\n".join(lines),
        "delivery": str(identity),
    }
    return _page(visit, given)


async def run(visit: Visit) -> web.Response:
    """What becomes of the payload, below the form that holds it still."""
    given = _given(visit)
    try:
        if visit.form.text("do") == "edit":
            return _page(visit, given | {"mapping": await _text(visit, given["adapter"])})
        sample = _sample(given)
        if given["mapping"]:
            adapter = visit.services.hooks.adapter(given["adapter"])
            tried = await visit.services.hooks.workbench.tried(adapter.name, given["mapping"], sample)
            status = 200 if tried.usable else 400
            return _page(visit, given, tried.events, lints=tried.lints, usable=tried.usable, status=status)
        events = await visit.services.hooks.deliveries.explain_sample(given["adapter"], sample)
    except GatewayError as error:
        return _page(visit, given, status=error.status, refused=error)
    return _page(visit, given, events)


async def save(visit: Visit) -> web.Response:
    """The payload as a test sample, to download: the file, or the case that names it."""
    given = _given(visit)
    adapter = visit.services.hooks.adapter(given["adapter"])
    try:
        made = await visit.services.hooks.workbench.saved(
            adapter.name,
            given["mapping"],
            _sample(given),
            given["name"] or "a-sample",
            as_it_is=visit.form.text("as_it_is") == "1",
        )
    except GatewayError as error:
        return _page(visit, given, status=error.status, refused=error)
    name = given["name"] or "a-sample"
    if visit.form.text("file") == "case":
        return _download(made.case, f"{name}.case.yaml", "application/yaml")
    return _download(made.payload, f"{name}.json", "application/json")


async def text(visit: Visit) -> web.Response:
    """The text that was tried, to download and put into the folder."""
    given = _given(visit)
    adapter = visit.services.hooks.adapter(given["adapter"])
    if not given["mapping"] or len(given["mapping"]) > MOST_TEXT:
        message = f"has {len(given['mapping']):,} characters; expected 1 to {MOST_TEXT:,}"
        problem = Problem("mapping", "Console", message)
        refused = Invalid(f"mapping {message}", problems=[problem])
        return _page(visit, given, status=400, refused=refused)
    return _download(given["mapping"], adapter.file.name, "application/yaml")


def _given(visit: Visit) -> dict[str, str]:
    """What was sent. Browsers send line ends of their own in a text, which is no other text for that."""
    given = {name: visit.form.text(name) for name in _FIELDS}
    written = visit.form.secret("mapping").replace("\r\n", "\n")
    return given | {"mapping": written if written.strip() else ""}


def _sample(given: Mapping[str, str]) -> Sample:
    return Sample(
        payload=strict_json.parse(given["payload"].encode()).value,
        headers=_headers(given["headers"]),
        received=utc_now(),
    )


async def _text(visit: Visit, name: str) -> str:
    """The text of an adapter's mapping as its file holds it now."""
    adapter = visit.services.hooks.adapter(name)
    written = await visit.services.hooks.workbench.written(adapter.name)
    return written.texts.get(adapter.file.name, "")


def _page(
    visit: Visit,
    given: Mapping[str, str],
    events: Sequence[dict[str, Any]] = (),
    *,
    status: int = 200,
    refused: GatewayError | None = None,
    lints: Sequence[Lint] = (),
    usable: bool = True,
) -> web.Response:
    adapters = visit.services.hooks.adapters
    name = next((one.file.name for one in adapters if one.name == given.get("adapter")), "")
    written = given.get("mapping", "")
    return visit.page(
        "playground.html",
        status=status,
        given=given,
        events=events,
        refused=refused,
        lints=lints,
        usable=usable,
        lines=sources_of({name: written}, lints)[name] if written and lints else (),
        file=name,
        adapters=[adapter.name for adapter in adapters],
    )


def _download(content: str, name: str, kind: str) -> web.Response:
    """A file. Names come from the gateway or were checked."""
    return web.Response(
        text=content,
        content_type=kind,
        charset="utf-8",
        headers=page_headers("") | {hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"'},
    )


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    """Headers, one a line; raises BadRequest for a line that is none."""
    pairs = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise BadRequest(f"headers holds the line {shown(line)}; expected Name: value")
        pairs.append((name.strip(), value.strip()))
    return tuple(pairs)
