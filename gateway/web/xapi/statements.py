"""The Statement resource (xAPI 1.0.3 Communication 2.1)."""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import formatdate
from typing import Any

import orjson
from aiohttp import hdrs, web

from gateway.errors import BadRequest
from gateway.keys import SETTINGS
from gateway.store.statements import StoredStatement
from gateway.web.xapi.call import THROUGH, Call
from gateway.xapi import formats, media_types, strict_json
from gateway.xapi.queries import (
    Format,
    StatementsQuery,
    decode_more,
    encode_more,
    more_token,
    parse_nothing,
    parse_statement_id,
)

_JSON = "application/json"


async def put(call: Call) -> web.StreamResponse:
    """Store one statement under the id in the query: 204."""
    statement_id = parse_statement_id(call.parameters)
    body = await _body(call)
    await call.services.statements.put(call.grant, call.version, statement_id, body)
    return web.Response(status=204)


async def post(call: Call) -> web.StreamResponse:
    """Store one statement or an array of them: 200 with the ids in their order."""
    parse_nothing(call.parameters)
    body = await _body(call)
    ids = await call.services.statements.post(call.grant, call.version, body)
    return web.Response(body=orjson.dumps(ids), content_type=_JSON)


async def get(call: Call) -> web.StreamResponse:
    """One statement, or a page of a list and the way to the next one."""
    services, token, position = call.services, more_token(call.parameters), None
    if token is None:
        query = StatementsQuery.parse(call.parameters, call.version)
    else:
        query, position = decode_more(token, key=services.more_key)
    if query.single:
        call.request[THROUGH] = await services.store.writer.consistent_through()
        found = await services.statements.one(call.grant, query)
        [text] = await _formatted(call, query.format, [found])
        return _answer(strict_json.dumps(text) if isinstance(text, dict) else text, [found])
    listed = await services.statements.list(call.grant, query, position)
    call.request[THROUGH] = listed.through
    more = ""
    if listed.position is not None:
        more = f"{_path(call)}?more={encode_more(query, listed.position, key=services.more_key)}"
    statements = await _formatted(call, query.format, listed.page.statements)
    return _answer(_result(statements, more), listed.page.statements)


async def _body(call: Call) -> bytes:
    if media_types.media_type(call.content_type) != media_types.JSON:
        raise BadRequest(
            f"Content-Type is {call.content_type or 'missing'}; statements are sent as application/json"
        )
    return await call.body(call.request.config_dict[SETTINGS].xapi.max_body)


def _path(call: Call) -> str:
    return call.request.path


async def _formatted(
    call: Call, format_: Format, found: Iterable[StoredStatement]
) -> list[dict[str, Any] | bytes]:
    """Statements in the format asked for; those kept as text stay text while nothing has to be changed."""
    if format_ is Format.EXACT:
        return [item.text.encode() if item.text else item.statement for item in found]
    statements = [
        strict_json.parse(item.text.encode()).value if item.text else item.statement for item in found
    ]
    if format_ is Format.IDS:
        return [formats.to_ids(statement) for statement in statements]
    ids = {activity for statement in statements for activity in formats.activity_ids(statement)}
    known = await call.services.knowledge.definitions(ids)
    return [formats.to_canonical(statement, known, call.languages) for statement in statements]


def _result(statements: Iterable[dict[str, Any] | bytes], more: str) -> bytes:
    texts = (item if isinstance(item, bytes) else strict_json.dumps(item) for item in statements)
    return b'{"statements":[' + b",".join(texts) + b'],"more":' + orjson.dumps(more) + b"}"


def _answer(body: bytes, found: Iterable[StoredStatement]) -> web.Response:
    latest = max((item.stored for item in found), default=None)
    response = web.Response(body=body, content_type=_JSON)
    if latest is not None:
        response.headers[hdrs.LAST_MODIFIED] = formatdate(latest // 1_000_000, usegmt=True)
    return response
