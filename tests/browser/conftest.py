"""A gateway and a page of Chromium for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page

from gateway.store.connection import Client
from tests.browser.site import NoChromium, chromium, running_site
from tests.browser.site import Site as Site


@pytest.fixture
async def site(mongo_client: Client, database_name: str) -> AsyncIterator[Site]:
    async with running_site(mongo_client, database_name) as site:
        yield site


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page of the Chromium that is installed; whatever its console reports as an error fails the test."""
    try:
        async with chromium() as browser:
            page = await browser.new_page(viewport={"width": 1100, "height": 800})
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            yield page
            assert errors == []
    except NoChromium as error:
        pytest.fail(str(error), pytrace=False)
