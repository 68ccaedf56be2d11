"""`POST /oauth2/token`: client credentials for bearer tokens (RFC 6749 §4.4, errors of §5.2)."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote_plus

import orjson
from aiohttp import web

from gateway.errors import BadRequest, Unauthorized
from gateway.keys import SETTINGS, TOKENS
from gateway.services.access import decode_basic
from gateway.services.tokens import InvalidScope
from gateway.web.bodies import read_body
from gateway.xapi import media_types


async def token(request: web.Request) -> web.Response:
    """Takes a form with `grant_type=client_credentials`, and the client in the form or by HTTP Basic."""
    if media_types.media_type(request.headers.get("Content-Type")) != media_types.FORM:
        return _error("invalid_request", f"send {media_types.FORM}")
    body = await read_body(request, limit=request.config_dict[SETTINGS].limits.max_body)
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return _error("invalid_request", "the form cannot be read")
    form = dict(fields)
    if len(form) != len(fields):
        return _error("invalid_request", "a field is given twice")
    if form.get("grant_type") != "client_credentials":
        return _error("unsupported_grant_type", "grant_type must be client_credentials")
    try:
        key, secret = _client(request, form)
        issued = await request.config_dict[TOKENS].issue(key, secret, form.get("scope"))
    except Unauthorized as error:
        return _error("invalid_client", error.message, status=401, headers=error.headers)
    except (InvalidScope, BadRequest) as error:
        return _error(error.code.replace("bad_request", "invalid_request"), error.message)
    return _json(
        200,
        {
            "access_token": issued.text,
            "token_type": "Bearer",
            "expires_in": issued.lifetime,
            "scope": issued.scope,
        },
    )


def _client(request: web.Request, form: dict[str, str]) -> tuple[str, str]:
    authorization = request.headers.get("Authorization")
    if authorization is not None:
        # RFC 6749 §2.3.1: both are form-encoded before they become a Basic pair.
        key, secret = decode_basic(authorization)
        return unquote_plus(key), unquote_plus(secret)
    if "client_id" not in form or "client_secret" not in form:
        raise BadRequest("client_id and client_secret are missing")
    return form["client_id"], form["client_secret"]


def _error(
    code: str, message: str, *, status: int = 400, headers: dict[str, str] | None = None
) -> web.Response:
    return _json(status, {"error": code, "error_description": message}, headers)


def _json(status: int, value: dict[str, object], headers: dict[str, str] | None = None) -> web.Response:
    # A token must not stay in any cache on its way (RFC 6749 §5.1).
    return web.Response(
        status=status,
        body=orjson.dumps(value),
        content_type="application/json",
        headers={"Cache-Control": "no-store", "Pragma": "no-cache", **(headers or {})},
    )


def add_routes(app: web.Application) -> None:
    """`/oauth2/token`."""
    app.router.add_post(f"{app[SETTINGS].server.base_path}/oauth2/token", token)
