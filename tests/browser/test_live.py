from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.site import Site, sign_in

pytestmark = pytest.mark.browser


def did(name: str) -> dict[str, Any]:
    return {
        "actor": {"name": f"{name} <b>", "mbox": f"mailto:{name}@example.edu"},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
        "object": {"id": "https://lms.example.edu/geology"},
    }


async def test_what_happens_appears_can_be_paused_and_goes_on(site: Site, page: Page) -> None:
    lrs = site.api.at(f"{site.url}/xapi").with_headers({"X-Experience-API-Version": "2.0.0"})
    await sign_in(site, page)
    await page.get_by_role("link", name="Live", exact=True).click()
    state = page.get_by_role("status")
    await expect(state).to_have_text("live")
    assert (await lrs.post("/statements", body=did("ada"))).status == 200
    rows = page.locator("#live tbody tr")
    await expect(rows.first).to_contain_text("ada <b> completed")
    await page.get_by_role("button", name="Pause").click()
    await expect(state).to_have_text("paused")
    assert (await lrs.post("/statements", body={"actor": 5})).status == 400
    await expect(page.get_by_text("1 waiting")).to_be_visible()
    await expect(rows).to_have_count(1)
    await page.get_by_role("button", name="Continue").click()
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("POST of statements: 400")
    # The page that was loaded first holds the same.
    await page.reload()
    await expect(rows).to_have_count(2)
    await page.locator("#live tbody a").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("ada <b>")
