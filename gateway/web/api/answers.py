"""Answers of the management API: JSON that no cache keeps."""

from __future__ import annotations

from aiohttp import web

from gateway.services.texts import time_text as time_text
from gateway.services.texts import title_text as title_text
from gateway.xapi import strict_json


def answer(value: object, *, status: int = 200) -> web.Response:
    """A JSON answer that no cache keeps."""
    return web.Response(
        status=status,
        body=strict_json.dumps(value),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
