"""A page of another origin works with the LRS by `fetch()`: what the CORS headers are worth in a browser."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Page

from gateway.xapi.versions import Version
from tests.gateway import KEY, SECRET, VERSION_HEADER, Gateway, basic
from tests.xapi.examples import minimal

pytestmark = pytest.mark.browser

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]

STATE = "/activities/state?activityId=x:a&stateId=s&agent=%7B%22mbox%22%3A%22mailto%3Aa%40example.org%22%7D"

# Status, the headers that the page may read, and the text; or the name of the error that the browser gives.
_SEND = """async ([url, method, headers, body]) => {
  try {
    const answer = await fetch(url, {method, headers, body});
    return [answer.status, Object.fromEntries(answer.headers), await answer.text()];
  } catch (error) {
    return [error.name, {}, ""];
  }
}"""


class Remote:
    """The LRS as a script of the page has it."""

    def __init__(self, page: Page, gateway: Gateway) -> None:
        self._page = page
        self._base = gateway.lrs.base
        self._headers = {"Authorization": basic(KEY, SECRET), VERSION_HEADER: "2.0.0"}

    async def __call__(
        self, method: str, path: str, body: str | None = None, **headers: str
    ) -> tuple[Any, dict[str, str], str]:
        sent = self._headers | {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent["Content-Type"] = "application/json"
        status, exposed, text = await self._page.evaluate(_SEND, [f"{self._base}{path}", method, sent, body])
        return status, exposed, text


@pytest.fixture
async def origin(page: Page) -> AsyncIterator[str]:
    """The origin of the page that the browser shows: another host name and port than the gateway's."""

    async def empty(request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>Tool</title>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", empty)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"http://localhost:{runner.addresses[0][1]}"
        await page.goto(address)
        yield address
    finally:
        await runner.cleanup()


async def test_a_page_of_an_allowed_origin_reads_writes_and_sees_errors(
    serve: Serve, page: Page, origin: str
) -> None:
    async with serve(cors__allow_origins=[origin]) as gateway:
        lrs = Remote(page, gateway)
        status, _, text = await lrs("POST", "/statements", json.dumps(minimal(Version.V2)))
        assert (status, len(text)) == (200, len('["00000000-0000-0000-0000-000000000000"]'))
        status, headers, _ = await lrs("GET", "/statements?limit=1")
        assert (status, headers["x-experience-api-version"]) == (200, "2.0.0")
        assert headers["x-experience-api-consistent-through"].endswith("Z")
        assert "last-modified" in headers
        assert "x-request-id" in headers

        assert (await lrs("PUT", STATE, '{"a": 1}', If_None_Match="*"))[0] == 204
        _, headers, text = await lrs("GET", STATE)
        assert text == '{"a": 1}'
        assert "last-modified" in headers
        etag = headers["etag"]
        assert (await lrs("POST", STATE, '{"b": 2}', If_Match=etag))[0] == 204
        status, headers, text = await lrs("PUT", STATE, "{}", If_Match=etag)
        assert (status, '"code":"precondition_failed"' in text) == (412, True)
        assert (await lrs("DELETE", STATE))[0] == 204

        status, headers, text = await lrs("GET", STATE)
        assert (status, '"code":"not_found"' in text) == (404, True)
        assert headers["x-experience-api-version"] == "2.0.0"
        status, _, text = await lrs("POST", "/statements", '{"actor": 1}')
        assert (status, '"path":"actor"' in text) == (400, True)
        status, headers, _ = await lrs("GET", "/statements", Authorization="Basic eDp5")
        assert (status, "www-authenticate" in headers) == (401, True)


async def test_the_browser_keeps_answers_from_a_page_of_any_other_origin(
    serve: Serve, page: Page, origin: str
) -> None:
    async with serve(cors__allow_origins=["https://authoring.example.org"]) as gateway:
        lrs = Remote(page, gateway)
        for method, path, body in (
            ("GET", "/statements", None),
            ("POST", "/statements", json.dumps(minimal(Version.V2))),
            ("PUT", STATE, "{}"),
            ("DELETE", STATE, None),
        ):
            assert (await lrs(method, path, body))[0] == "TypeError"
        assert (await gateway.lrs.get("/statements")).json()["statements"] == []
