"""The playground: a payload is mapped before anybody, with every step; nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from gateway.errors import BadRequest, GatewayError
from gateway.services.clock import utc_now
from gateway.services.deliveries import Sample
from gateway.web.console.visits import Visit, text_of
from gateway.xapi import strict_json
from gateway.xapi.findings import shown


async def form(visit: Visit) -> web.Response:
    """The form, with the adapter that the address names."""
    return _page(visit, {"adapter": text_of(visit.request, "adapter")}, ())


async def run(visit: Visit) -> web.Response:
    """What becomes of the payload, below the form that holds it still."""
    given = {name: visit.form.text(name) for name in ("adapter", "payload", "headers")}
    try:
        sample = Sample(
            payload=strict_json.parse(given["payload"].encode()).value,
            headers=_headers(given["headers"]),
            received=utc_now(),
        )
        events = await visit.services.hooks.deliveries.explain_sample(given["adapter"], sample)
    except GatewayError as error:
        return _page(visit, given, (), status=error.status, refused=error)
    return _page(visit, given, events)


def _page(
    visit: Visit,
    given: dict[str, str],
    events: Sequence[dict[str, Any]],
    *,
    status: int = 200,
    refused: GatewayError | None = None,
) -> web.Response:
    adapters = visit.services.hooks.mappings.adapters
    return visit.page(
        "playground.html",
        status=status,
        given=given,
        events=events,
        refused=refused,
        adapters=[adapter.name for adapter in adapters if adapter.mapping is not None],
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
