"""The three document resources (xAPI 1.0.3 Communication 2.2, 2.3, 2.6, 2.7): one set of handlers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from email.utils import format_datetime

import orjson
from aiohttp import hdrs, web

from gateway.services.documents import Content, DocumentQuery
from gateway.web.xapi.call import Call
from gateway.xapi import documents as rules
from gateway.xapi.document_queries import ActivityProfileQuery, AgentProfileQuery, StateQuery
from gateway.xapi.documents import Preconditions
from gateway.xapi.media_types import OCTETS

Resource = Callable[[Call], Awaitable[web.StreamResponse]]


def _resource(
    query_type: type[StateQuery | ActivityProfileQuery | AgentProfileQuery],
) -> Mapping[str, Resource]:
    def read(call: Call) -> DocumentQuery:
        return query_type.parse(call.parameters, call.method)

    async def get(call: Call) -> web.StreamResponse:
        query = read(call)
        if query.document_id is None:
            ids, latest = await call.services.documents.list(call.grant, query)
            body = orjson.dumps(ids)
            response = web.Response(body=body, content_type="application/json")
            return _dated(response, rules.etag(body), latest)
        document = await call.services.documents.get(call.grant, query)
        response = web.Response(body=document.content, headers={hdrs.CONTENT_TYPE: document.content_type})
        return _dated(response, document.etag, document.modified)

    async def put(call: Call) -> web.StreamResponse:
        query, preconditions = read(call), _preconditions(call)
        content = await _content(call)
        await call.services.documents.put(call.grant, query, content, preconditions, call.version)
        return web.Response(status=204)

    async def post(call: Call) -> web.StreamResponse:
        query, preconditions = read(call), _preconditions(call)
        content = await _content(call)
        await call.services.documents.post(call.grant, query, content, preconditions)
        return web.Response(status=204)

    async def delete(call: Call) -> web.StreamResponse:
        query, preconditions = read(call), _preconditions(call)
        await call.services.documents.delete(call.grant, query, preconditions)
        return web.Response(status=204)

    return {"GET": get, "PUT": put, "POST": post, "DELETE": delete}


def _preconditions(call: Call) -> Preconditions:
    return Preconditions.parse(call.headers.get("if-match"), call.headers.get("if-none-match"))


async def _content(call: Call) -> Content:
    body = await call.body(call.lrs.settings.xapi.max_document)
    return Content(body=body, content_type=call.content_type or OCTETS)


def _dated(response: web.Response, etag: str, modified: dt.datetime | None) -> web.Response:
    response.headers[hdrs.ETAG] = etag
    if modified is not None:
        response.headers[hdrs.LAST_MODIFIED] = format_datetime(modified.astimezone(dt.UTC), usegmt=True)
    return response


STATE = _resource(StateQuery)
ACTIVITY_PROFILE = _resource(ActivityProfileQuery)
AGENT_PROFILE = _resource(AgentProfileQuery)
