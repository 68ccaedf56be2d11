"""The management API, `/api/v1`: JSON in, JSON out, errors as everywhere."""

from __future__ import annotations

from aiohttp import web

from gateway.keys import SETTINGS
from gateway.web.api import (
    audit,
    courses,
    deliveries,
    delivery_hours,
    directory,
    mappings,
    openapi,
    registrations,
    reports,
    schemas,
    sessions,
    sources,
    subscriptions,
)


def add_routes(app: web.Application) -> None:
    """The routes below `/api/v1`."""
    base = f"{app[SETTINGS].server.base_path}/api/v1"
    app.router.add_routes(
        [
            web.get(f"{base}/courses", courses.index),
            web.post(f"{base}/courses", courses.create),
            web.get(f"{base}/courses/{{course}}", courses.show),
            web.patch(f"{base}/courses/{{course}}", courses.describe),
            web.delete(f"{base}/courses/{{course}}", courses.delete),
            web.get(f"{base}/courses/{{course}}/overrides", courses.overridden),
            web.put(f"{base}/courses/{{course}}/overrides", courses.override),
            web.get(f"{base}/courses/{{course}}/versions", courses.versions),
            web.post(f"{base}/courses/{{course}}/versions", courses.add_version),
            web.put(f"{base}/courses/{{course}}/version", courses.select),
            web.get(f"{base}/courses/{{course}}/files", courses.files),
            web.get(f"{base}/courses/{{course}}/structure", courses.structure),
            web.get(f"{base}/courses/{{course}}/package", courses.package),
            web.get(f"{base}/imports/{{import}}", courses.show_import),
            web.post(f"{base}/courses/{{course}}/launch", courses.launch),
            web.post(f"{base}/courses/{{course}}/preview", courses.preview),
            web.post(f"{base}/courses/{{course}}/enrolments", registrations.enrol),
            web.get(f"{base}/courses/{{course}}/progress.csv", registrations.table),
            web.get(f"{base}/registrations", registrations.index),
            web.post(f"{base}/registrations", registrations.create),
            web.get(f"{base}/registrations/{{registration}}", registrations.show),
            web.patch(f"{base}/registrations/{{registration}}", registrations.describe),
            web.delete(f"{base}/registrations/{{registration}}", registrations.delete),
            web.post(f"{base}/registrations/{{registration}}/reset", registrations.reset),
            web.get(f"{base}/registrations/{{registration}}/overrides", registrations.overridden),
            web.put(f"{base}/registrations/{{registration}}/overrides", registrations.override),
            web.get(f"{base}/registrations/{{registration}}/preferences", registrations.preferences),
            web.put(f"{base}/registrations/{{registration}}/preferences", registrations.prefer),
            web.delete(
                f"{base}/registrations/{{registration}}/preferences", registrations.forget_preferences
            ),
            web.get(f"{base}/registrations/{{registration}}/statements", registrations.statements),
            web.get(f"{base}/registrations/{{registration}}/links", registrations.links),
            web.post(f"{base}/registrations/{{registration}}/links", registrations.create_link),
            web.delete(f"{base}/registrations/{{registration}}/links/{{link}}", registrations.revoke_link),
            web.post(f"{base}/registrations/{{registration}}/waive", registrations.waive),
            web.get(f"{base}/sessions", sessions.index),
            web.get(f"{base}/sessions/{{session}}", sessions.show),
            web.post(f"{base}/sessions/{{session}}/abandon", sessions.abandon),
        ]
    )
    audit.add_routes(app, base)
    delivery_hours.add_routes(app, base)
    deliveries.add_routes(app, base)
    directory.add_routes(app, base)
    mappings.add_routes(app, base)
    openapi.add_routes(app, base)
    reports.add_routes(app, base)
    schemas.add_routes(app, base)
    sources.add_routes(app, base)
    subscriptions.add_routes(app, base)
