"""What an AU asks for beside storing statements, judged by cmi5 before xAPI looks at it.

Statements are judged where they are stored (`services.au_requests`), whichever way they came.
"""

from __future__ import annotations

from typing import Any

from gateway.cmi5.gate_documents import DocumentRequest, Resource
from gateway.errors import BadRequest, GatewayError
from gateway.services.sessions import SessionOver
from gateway.web.xapi.call import GRANT, Call
from gateway.xapi import strict_json

_DOCUMENT_ID = {Resource.STATE: "stateId"}
# Answers that tell an AU something other than that it did wrong.
_ORDINARY = frozenset({404, 412, 503})


async def check(call: Call, name: str) -> None:
    """Raise what cmi5 has against the request, if anything."""
    if name == "statements":
        call.services.au_requests.seen(call.grant)
        return
    resource = Resource(name)
    parameters = dict(reversed(call.parameters))
    body = b""
    if call.method in ("PUT", "POST"):
        body = await call.body(call.lrs.settings.xapi.max_document)
        call.folded_body = body  # for the resource, which reads it after this
    request = DocumentRequest(
        resource=resource,
        method=call.method,
        agent=_agent(parameters.get("agent")),
        registration=parameters.get("registration"),
        document_id=parameters.get(_DOCUMENT_ID.get(resource, "profileId")),
        content_type=call.content_type or "",
    )
    await call.services.au_requests.check_document(call.grant, request, body)


async def note(call: Call, name: str, error: GatewayError) -> None:
    """Keep the refusal of an AU's request with its session."""
    if error.status in _ORDINARY:
        return
    request = f"{call.method} {name}"
    if isinstance(error, SessionOver):
        services = call.lrs.services[error.store]
        await services.au_requests.note_refusal(error.session, request, error)
        return
    grant = call.request.get(GRANT)
    if grant is not None and grant.session is not None:
        await call.services.au_requests.note_refusal(grant.session, request, error)


def _agent(parameter: str | None) -> Any:
    """The agent parameter as JSON; what is none is nobody's account."""
    if parameter is None:
        return None
    try:
        return strict_json.parse(parameter.encode(errors="surrogatepass")).value
    except BadRequest:
        return {}
