"""For those who run the gateway: is it alive, is it ready, what has it done."""

from __future__ import annotations

import hmac

import orjson
from aiohttp import web

from gateway import __version__
from gateway.errors import Unauthorized, Unavailable
from gateway.keys import SERVICES, SETTINGS
from gateway.services.metrics import exposition
from gateway.store.connection import translating


async def healthz(request: web.Request) -> web.Response:
    """200 as long as the process answers at all."""
    return _json({"status": "alive", "version": __version__})


async def readyz(request: web.Request) -> web.Response:
    """200 when every store answers, otherwise 503 and which of them do not. Mappings that are not what their
    files say are told beside it: they are no reason to send requests elsewhere.
    """
    stores: dict[str, str] = {}
    refusing: dict[str, str] = {}
    silent: list[str] = []
    for name, services in request.config_dict[SERVICES].items():
        try:
            with translating():
                await services.store.ping()
            stores[name] = "ready"
            silent += [one.adapter for one in await services.hooks.hours.silences() if one.alarm]
        except Unavailable as error:
            stores[name] = error.message
        if (reason := services.hooks.receiving.refusing) is not None:
            refusing[name] = reason
    ready = all(state == "ready" for state in stores.values())
    headers = {} if ready else {"Retry-After": "2"}
    # Silent vendors and a full queue are for people: a balancer that takes the process away mends neither.
    body = {
        "status": "ready" if ready else "not ready",
        "version": __version__,
        "stores": stores,
        "silent": silent,
        "refusing": refusing,
        "mappings": _mappings(request),
    }
    return _json(body, status=200 if ready else 503, headers=headers)


def _mappings(request: web.Request) -> dict[str, object]:
    default = request.config_dict[SETTINGS].stores.default
    adapters = request.config_dict[SERVICES][default].hooks.mappings.adapters
    return {
        "ready": sum(one.problem is None for one in adapters),
        "not_ready": sorted(one.name for one in adapters if one.problem is not None),
        "kept": sorted(one.name for one in adapters if one.kept is not None),
    }


async def metrics(request: web.Request) -> web.Response:
    """Measurements in the text format of Prometheus, over all worker processes."""
    token = request.config_dict[SETTINGS].metrics.token
    if token is not None:
        expected = f"Bearer {token.reveal()}"
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise Unauthorized("the metrics need their bearer token", challenge="Bearer")
    body, content_type = exposition()
    return web.Response(body=body, headers={"Content-Type": content_type})


def _json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status, body=orjson.dumps(value), headers=headers, content_type="application/json"
    )


def add_routes(app: web.Application) -> None:
    """`/healthz`, `/readyz` and, where it is enabled, `/metrics`."""
    base = app[SETTINGS].server.base_path
    app.router.add_get(f"{base}/healthz", healthz)
    app.router.add_get(f"{base}/readyz", readyz)
    if app[SETTINGS].metrics.enabled:
        app.router.add_get(f"{base}/metrics", metrics)
