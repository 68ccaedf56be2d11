"""The Statement resource (xAPI 1.0.3 Communication 2.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from email.utils import formatdate
from secrets import token_bytes
from typing import Any

import orjson
from aiohttp import hdrs, web

from gateway.errors import BadRequest
from gateway.services.statements import Sent
from gateway.store.statements import StoredStatement
from gateway.web.xapi.call import THROUGH, Call
from gateway.xapi import attachments, formats, media_types, multipart, strict_json
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
    await call.services.statements.put(call.grant, call.version, statement_id, await _sent(call))
    return web.Response(status=204)


async def post(call: Call) -> web.StreamResponse:
    """Store one statement or an array of them: 200 with the ids in their order."""
    parse_nothing(call.parameters)
    ids = await call.services.statements.post(call.grant, call.version, await _sent(call))
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
        [statement] = await _formatted(call, query.format, [found])
        return await _answer(call, query, strict_json.dumps(statement), [found])
    listed = await services.statements.list(call.grant, query, position)
    call.request[THROUGH] = listed.through
    more = ""
    if listed.position is not None:
        # Relative to the origin, so that it holds behind any proxy; the mount includes the proxy's prefix.
        more = f"{call.lrs.path}/statements?more={encode_more(query, listed.position, key=services.more_key)}"
    statements = await _formatted(call, query.format, listed.page.statements)
    body = strict_json.dumps({"statements": statements, "more": more})
    return await _answer(call, query, body, listed.page.statements)


async def _sent(call: Call) -> Sent:
    kind = media_types.media_type(call.content_type)
    if kind not in (media_types.JSON, media_types.MULTIPART):
        raise BadRequest(
            f"Content-Type is {call.content_type or 'missing'}; statements are sent as application/json, "
            "or as multipart/mixed with their attachments"
        )
    boundary = multipart.boundary_of(call.content_type or "") if kind == media_types.MULTIPART else None
    body = await call.body(call.lrs.settings.xapi.max_body)
    if boundary is None:
        return Sent(body=body)
    parts = multipart.split(body, boundary)
    return Sent(body=attachments.statements_part(parts), parts=parts[1:])


async def _formatted(
    call: Call, format_: Format, found: Iterable[StoredStatement]
) -> list[dict[str, Any] | orjson.Fragment]:
    """Statements in the format asked for; those kept as text stay text while nothing has to be changed."""
    if format_ is Format.EXACT:
        return [orjson.Fragment(item.text) if item.text else item.statement for item in found]
    statements = [_statement(item) for item in found]
    if format_ is Format.IDS:
        return [formats.to_ids(statement) for statement in statements]
    ids = {activity for statement in statements for activity in formats.activity_ids(statement)}
    known = await call.services.knowledge.definitions(ids)
    return [formats.to_canonical(statement, known, call.languages) for statement in statements]


async def _answer(
    call: Call, query: StatementsQuery, body: bytes, found: Sequence[StoredStatement]
) -> web.StreamResponse:
    headers: dict[str, str] = {}
    if found:
        latest = max(found[0].stored, found[-1].stored)
        headers[hdrs.LAST_MODIFIED] = formatdate(latest // 1_000_000, usegmt=True)
    if query.attachments:
        return await _multipart(call, body, found, headers)
    return web.Response(body=body, content_type=_JSON, headers=headers)


async def _multipart(
    call: Call, body: bytes, found: Sequence[StoredStatement], headers: dict[str, str]
) -> web.StreamResponse:
    """The JSON and every attachment that is stored, one after the other: none is held in memory whole."""
    declared = {
        attachment["sha2"].lower(): attachment
        for item in found
        for _, attachment in attachments.declared(_statement(item))
    }
    store = call.services.store.attachments
    stored = await store.stored(declared)
    boundary = multipart.new_boundary(token_bytes(16))
    response = web.StreamResponse(
        headers=headers | {hdrs.CONTENT_TYPE: f"multipart/mixed; boundary={boundary}"}
    )
    await response.prepare(call.request)
    if call.method == "HEAD":
        return response
    part = multipart.json_part(body)
    await response.write(multipart.opening(part.headers, boundary, first=True) + part.body)
    for sha2, attachment in declared.items():
        if sha2 in stored:
            part_headers = multipart.attachment_headers(attachment["sha2"], attachment["contentType"])
            await response.write(multipart.opening(part_headers, boundary))
            async for chunk in store.read(sha2):
                await response.write(chunk)
    await response.write(multipart.closing(boundary))
    await response.write_eof()
    return response


def _statement(item: StoredStatement) -> dict[str, Any]:
    return strict_json.parse(item.text.encode()).value if item.text else item.statement
