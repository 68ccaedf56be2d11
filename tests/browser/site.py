"""A gateway with its content origin, and Chromium to look at it with."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession
from playwright.async_api import Browser, Page, async_playwright, expect

from gateway.app import open_services, serving
from gateway.services.people import People
from gateway.store.connection import Client
from gateway.store.credentials import Credential
from gateway.store.store import Store
from tests.gateway import KEY, SECRET, Http, basic, settings_for
from tests.web.console import PASSWORD

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


class NoChromium(Exception):
    """There is no browser; says how to get one."""


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


@asynccontextmanager
async def running_site(client: Client, database: str, **flags: object) -> AsyncIterator[Site]:
    """The gateway on that database, served on free ports until left; `flags` as in `settings_for`."""
    store = Store(client, database)
    settings = settings_for(database, **flags)
    services = await open_services(settings, client)
    async with (
        serving(settings, services, share_port=False) as (port, content_port),
        ClientSession() as session,
    ):
        credential = Credential(
            key=KEY,
            name="Portal of the university",
            store="main",
            scopes=("all",),
            owner="Ivo Brandt",
            purpose="enrols learners and launches courses",
            created=dt.datetime.now(dt.UTC),
        )
        assert await store.credentials.create(credential, SECRET)
        url = f"http://127.0.0.1:{port}"
        headers = {"Authorization": basic(KEY, SECRET)}
        yield Site(
            url=url,
            content=f"http://127.0.0.1:{content_port}",
            api=Http(session=session, base=f"{url}/api/v1", headers=headers),
            store=store,
        )


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The Chromium that is installed; raises NoChromium."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        raise NoChromium(_NO_CHROMIUM)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS, headless=True)
        try:
            yield browser
        finally:
            await browser.close()


async def sign_in(site: Site, page: Page) -> None:
    """Use the first link, as whoever started the gateway does."""
    link = await People.of(settings_for(site.store.name), site.store).first_link("main")
    await page.goto(f"{site.url}/admin/welcome/{link}")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_label("The same again").fill(PASSWORD)
    await page.get_by_role("button", name="Save and sign in").click()
    await expect(page.get_by_role("heading", name="Home", level=1)).to_be_visible()
