"""An integration engineer's day, in a browser: connect a vendor, find a failure, mend the mapping, replay."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import ClientSession
from playwright.async_api import Page, expect

from gateway.store.connection import Client
from tests.browser.site import Site, running_site, sign_in
from tests.gateway import Http
from tests.vendors import ACME, acme_item, all_mapped, mappings_folder, post_acme, vendor_secrets

__all__ = ["mappings_folder", "vendor_secrets"]

pytestmark = pytest.mark.browser


@pytest.fixture
async def site(
    mongo_client: Client, database_name: str, mappings_folder: Callable[..., Path]
) -> AsyncIterator[Site]:
    async with running_site(
        mongo_client, database_name, hooks__mappings=str(mappings_folder()), hooks__watch="200ms"
    ) as site:
        yield site


async def test_a_vendor_is_connected_from_the_playground(site: Site, page: Page) -> None:
    await sign_in(site, page)
    await page.get_by_role("link", name="Playground").click()
    await page.get_by_label("Payload").fill(json.dumps({"items": [acme_item("7", score=9)]}))
    await page.get_by_role("button", name="Map it").click()
    await expect(page.get_by_role("heading", name="Event 7: adapted")).to_be_visible()
    await page.get_by_text("Save it as a test sample").click()
    await page.get_by_label("Name", exact=True).fill("a-completion")
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Download the case").click()
    case = await (await downloading.value).path()
    assert "payload: samples/acme/a-completion.json" in Path(case).read_text("utf-8")
    # What to hand to the vendor, and what came of it.
    await page.get_by_role("link", name="Sources").click()
    await page.get_by_role("link", name="acme").click()
    await page.get_by_role("link", name="Setup sheet to hand out").click()
    address = (await page.locator("code.copy").first.inner_text()).strip()
    assert address == f"{site.url}/hooks/acme"
    async with ClientSession() as session:
        sent = await post_acme(Http(session=session, base=site.url, headers={}), acme_item("7"))
    assert sent.status == 200
    await all_mapped(site.store)
    await page.get_by_role("link", name="Deliveries").click()
    await expect(page.get_by_role("cell", name="done")).to_be_visible()


async def test_a_failed_delivery_is_found_its_mapping_mended_and_the_delivery_replayed(
    site: Site, page: Page, tmp_path: Path
) -> None:
    async with ClientSession() as session:
        http = Http(session=session, base=site.url, headers={})
        assert (await post_acme(http, acme_item("1", at={"local": "2026-03-02T09:00:00Z"}))).status == 200
    await all_mapped(site.store)
    await sign_in(site, page)
    await page.get_by_role("link", name="Look at: 1 delivery of acme").click()
    await page.get_by_role("link", name="Details of the delivery").click()
    await expect(page.get_by_role("heading", name="Delivery of acme")).to_be_visible()
    delivery = page.url
    await page.get_by_role("link", name="Open it in the playground").click()
    await page.get_by_role("button", name="Edit the mapping").click()
    text = page.get_by_label("Mapping: acme.yaml")
    await expect(text).to_have_value(ACME)
    # A slip of the pen is shown at its line; then it is right.
    await text.fill(ACME.replace("item.at", "itm.at.local"))
    await page.get_by_role("button", name="Map it with this text").click()
    await expect(page.get_by_text("The text cannot be used.")).to_be_visible()
    await expect(page.locator(".line.found")).to_contain_text("itm.at.local")
    await text.fill(ACME.replace("item.at", "item.at.local"))
    await page.get_by_role("button", name="Map it with this text").click()
    await expect(page.get_by_role("heading", name="Event 1: adapted")).to_be_visible()
    async with page.expect_download() as downloading:
        await page.get_by_role("button", name="Download the text").click()
    download = await downloading.value
    assert download.suggested_filename == "acme.yaml"
    # Into the folder: the gateway takes it up by itself.
    before = await site.store.revisions.of("acme")
    await download.save_as(tmp_path / "mappings" / "acme.yaml")
    await page.goto(f"{site.url}/admin/mappings/acme")
    changed = page.get_by_role("link", name="What changed from")
    while await changed.count() == 0:
        await page.reload()
    await changed.click()
    await expect(page.locator(".line.added")).to_have_text("+      timestamp: ${ item.at.local }")
    assert len(await site.store.revisions.of("acme")) == len(before) + 1
    await page.goto(delivery)
    await page.get_by_role("button", name="Try mapping it again").click()
    await expect(page.get_by_text("failed becomes")).to_be_visible()
    await page.get_by_role("button", name="Map again").click()
    await expect(page.get_by_text("being mapped again")).to_be_visible()
    await all_mapped(site.store)
    await page.goto(delivery)
    await expect(page.get_by_role("heading", name="done")).to_be_visible()
    await page.locator("a[href*='/admin/statements/']").first.click()
    await expect(page.get_by_text("Mapping revision")).to_be_visible()
    await expect(page.get_by_role("region", name="JSON")).to_contain_text("2026-03-02T09:00:00")
