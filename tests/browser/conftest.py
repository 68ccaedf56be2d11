"""A gateway with its content origin, and Chromium to look at it with."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientSession
from playwright.async_api import Page, async_playwright

from gateway.app import open_services, serving
from gateway.store.connection import Client
from gateway.store.store import Store
from tests.gateway import KEY, SECRET, Http, basic, create_credential, settings_for

_NO_CHROMIUM = """\
The browser tests need Chromium and there is none on PATH.

Debian, Ubuntu:  apt-get install chromium
Fedora:          dnf install chromium
Elsewhere:       install Chromium and put `chromium` on PATH
"""
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running gateway: its management API, its store and where it is."""

    url: str
    content: str
    api: Http
    store: Store

    async def post(self, path: str, body: Any) -> Any:
        reply = await self.api.post(path, body=body)
        assert reply.status in (200, 201), reply.body
        return reply.json()


@pytest.fixture
async def site(mongo_client: Client, database_name: str) -> AsyncIterator[Site]:
    store = Store(mongo_client, database_name)
    settings = settings_for(database_name)
    services = await open_services(settings, mongo_client)
    async with (
        serving(settings, services, share_port=False) as (port, content_port),
        ClientSession() as session,
    ):
        await create_credential(store, KEY, SECRET, "all")
        url = f"http://127.0.0.1:{port}"
        headers = {"Authorization": basic(KEY, SECRET)}
        yield Site(
            url=url,
            content=f"http://127.0.0.1:{content_port}",
            api=Http(session=session, base=f"{url}/api/v1", headers=headers),
            store=store,
        )


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page of the Chromium that is installed; whatever its console reports as an error fails the test."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        pytest.fail(_NO_CHROMIUM, pytrace=False)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS, headless=True)
        try:
            page = await browser.new_page(viewport={"width": 1100, "height": 800})
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            yield page
            assert errors == []
        finally:
            await browser.close()
