"""What the LRS knows of agents, activities and itself (xAPI 1.0.3 Communication 2.4, 2.5, 2.8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from gateway.services.access import Scope
from gateway.web.xapi.call import Call
from gateway.xapi import definitions, strict_json
from gateway.xapi.about import about as about_document
from gateway.xapi.documents import etag
from gateway.xapi.persons import person
from gateway.xapi.queries import ActivitiesQuery, AgentsQuery


async def agents(call: Call) -> web.StreamResponse:
    """The Person object of an agent, known or not.

    Names come from all statements, so whoever reads only a part of them is told none.
    """
    call.grant.require(Scope.PROFILE, Scope.STATEMENTS_READ, Scope.ALL_READ)
    query = AgentsQuery.parse(call.parameters)
    names = [] if call.grant.rows else await call.services.knowledge.names(query.agent_key)
    return _json(person(query.agent, names))


async def activities(call: Call) -> web.StreamResponse:
    """The Activity object with its merged definition, known or not.

    Whoever reads only a part of the statements knows the activities that are mentioned there.
    """
    call.grant.require(Scope.PROFILE, Scope.STATEMENTS_READ, Scope.ALL_READ)
    query = ActivitiesQuery.parse(call.parameters)
    known: Mapping[str, Any] = {}
    if call.grant.rows is None or await call.services.statements.mentions(call.grant, query.activity_id):
        known = await call.services.knowledge.definitions([query.activity_id])
    return _json(definitions.canonical_activity(query.activity_id, known.get(query.activity_id)))


async def about(call: Call) -> web.StreamResponse:
    """Which versions are spoken here; open to everybody."""
    return _json(about_document())


def _json(value: object) -> web.Response:
    body = strict_json.dumps(value)
    return web.Response(body=body, content_type="application/json", headers={"ETag": etag(body)})
