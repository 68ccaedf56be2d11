"""The one place where errors become answers."""

from __future__ import annotations

from typing import Any

import orjson
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.errors import GatewayError
from gateway.services.metrics import CLIENTS_GONE
from gateway.store.connection import translating
from gateway.web.requests import SHOWN_PATH

log = structlog.get_logger(__name__)

_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}


def error_response(error: GatewayError) -> web.Response:
    """`{"error": {"code", "message", "problems": [{"path", "requirement", "message"}]}}`."""
    return _response(error.status, error.code, error.message, error.problems, error.headers)


def _response(status: int, code: str, message: str, problems: Any = (), headers: Any = None) -> web.Response:
    body = {
        "error": {
            "code": code,
            "message": _text(message),
            "problems": [
                {
                    "path": _text(problem.path),
                    "requirement": problem.requirement,
                    "message": _text(problem.message),
                }
                for problem in problems
            ],
        }
    }
    return web.Response(
        status=status, body=orjson.dumps(body), headers=headers, content_type="application/json"
    )


def _text(message: str) -> str:
    """The message without what is no text: bytes of a request that are not UTF-8 and that it quotes."""
    return message.encode("utf-8", "backslashreplace").decode()


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


@web.middleware
async def errors_to_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error as JSON; what nobody expected is logged whole and answered without its details."""
    try:
        with translating():
            return await handler(request)
    except GatewayError as error:
        if error.status >= 500:
            log.warning("request failed", code=error.code, error=error.message, cause=repr(error.__cause__))
        return error_response(error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        message = {
            404: f"there is nothing at {request.path}",
            405: f"{request.method} is not possible at {request.path}",
        }.get(error.status, error.reason)
        return _response(error.status, _CODES.get(error.status, "bad_request"), message, headers=headers)
    except Exception as error:
        if isinstance(error, ConnectionError) and _is_gone(request):
            CLIENTS_GONE.inc()
            log.debug("client gone", method=request.method, path=request.get(SHOWN_PATH, request.path))
            return web.Response(status=499, reason="Client Closed Request")  # to be counted; nobody reads it
        log.exception("unexpected error", method=request.method, path=request.get(SHOWN_PATH, request.path))
        return _response(500, "internal", "something unexpected happened; the log of the gateway says what")
