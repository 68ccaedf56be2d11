"""`GET /api/v1/schemas/statement`: what a statement has to look like, as JSON Schema. Public.

It is the schema that the gateway itself checks statements with, for editors and for tests of senders. Two
rules are beyond JSON Schema and noted in it by keywords of their own, which other validators pass over:
`boundsInOrder` (min < max, raw between them) and `uniqueIds` (no two items with the same id).
"""

from __future__ import annotations

from aiohttp import hdrs, web

from gateway.errors import BadRequest
from gateway.web.api.bodies import read_query
from gateway.xapi import strict_json, validation, versions
from gateway.xapi.findings import shown
from gateway.xapi.versions import Version


async def statement(request: web.Request) -> web.Response:
    """The schema of a statement in a `version` of the standard: 2.0.0, or 1.0.3 where it is asked for."""
    query = read_query(request, ("version",))
    version = _version(query.get("version"))
    query.finish()
    return web.Response(
        body=strict_json.dumps(validation.schema(version)),
        content_type="application/schema+json",
        # Editors run in browsers, too.
        headers={hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*", hdrs.CACHE_CONTROL: "no-cache"},
    )


def _version(text: str | None) -> Version:
    try:
        return versions.negotiate(text) if text is not None else Version.V2
    except BadRequest:
        raise BadRequest(f"version holds {shown(text)}; there are schemas for 1.0.3 and 2.0.0") from None


def add_routes(app: web.Application, base: str) -> None:
    """The schemas below `base`."""
    app.router.add_get(f"{base}/schemas/statement", statement)
