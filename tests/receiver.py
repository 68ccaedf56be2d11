"""A receiver of notices: a real server that checks every signature as Standard Webhooks has it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(slots=True)
class Receiver:
    """Answers with the first of `answers` while there are any, then 204."""

    url: str = ""
    secret: str = ""
    answers: list[int] = field(default_factory=list)
    arrived: list[tuple[str, dict[str, Any], int]] = field(default_factory=list)  # id, body, answer
    signatures: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        body, headers = await request.read(), request.headers
        identity, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
        assert abs(time.time() - int(timestamp)) < 300
        self.signatures.append(headers["webhook-signature"])
        if self.signed(self.secret, identity, timestamp, body) not in headers["webhook-signature"].split():
            return web.Response(status=401)
        status = self.answers.pop(0) if self.answers else 204
        self.arrived.append((identity, json.loads(body), status))
        return web.Response(status=status, headers={"Location": self.url} if status in (301, 302) else {})

    @staticmethod
    def signed(secret: str, identity: str, timestamp: str, body: bytes) -> str:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        content = b".".join((identity.encode(), timestamp.encode(), body))
        return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()

    def accepted(self) -> list[dict[str, Any]]:
        """What was answered with 2xx, in the order of arrival."""
        return [body for _, body, status in self.arrived if status < 300]

    def kinds(self) -> list[str]:
        return [body["type"].removeprefix("registration.") for body in self.accepted()]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free port of this machine, until left."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield receiver
    finally:
        await runner.cleanup()
