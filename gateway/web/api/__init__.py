"""The management API, `/api/v1`: JSON in, JSON out, errors as everywhere."""

from __future__ import annotations

from aiohttp import web

from gateway.keys import SETTINGS
from gateway.web.api import courses, deliveries, openapi, registrations, schemas, sessions


def add_routes(app: web.Application) -> None:
    """The routes below `/api/v1`."""
    base = f"{app[SETTINGS].server.base_path}/api/v1"
    app.router.add_routes(
        [
            web.get(f"{base}/courses", courses.index),
            web.post(f"{base}/courses", courses.create),
            web.get(f"{base}/courses/{{course}}", courses.show),
            web.put(f"{base}/courses/{{course}}/overrides", courses.override),
            web.post(f"{base}/courses/{{course}}/versions", courses.add_version),
            web.post(f"{base}/courses/{{course}}/launch", courses.launch),
            web.get(f"{base}/registrations", registrations.index),
            web.post(f"{base}/registrations", registrations.create),
            web.get(f"{base}/registrations/{{registration}}", registrations.show),
            web.post(f"{base}/registrations/{{registration}}/links", registrations.create_link),
            web.post(f"{base}/registrations/{{registration}}/waive", registrations.waive),
            web.get(f"{base}/sessions", sessions.index),
            web.get(f"{base}/sessions/{{session}}", sessions.show),
            web.post(f"{base}/sessions/{{session}}/abandon", sessions.abandon),
        ]
    )
    deliveries.add_routes(app, base)
    openapi.add_routes(app, base)
    schemas.add_routes(app, base)
