from __future__ import annotations

from uuid import UUID

import pytest
from playwright.async_api import Page, expect

from gateway.cmi5.vocabulary import word
from gateway.demo import build_course
from gateway.store.statements import Selection
from tests.browser.site import Site
from tests.web.au import LEARNER, ZIP

pytestmark = pytest.mark.browser


async def _verbs(site: Site, registration: str) -> list[str]:
    selection = Selection(keys={"registrations": str(UUID(registration))}, ascending=True)
    found = await site.store.statements.page(selection)
    return [word(stored.statement["verb"]["id"]) for stored in found.statements]


async def test_a_learner_takes_the_sample_course_from_the_link_to_the_return_page(
    site: Site, page: Page
) -> None:
    imported = await site.api.post("/courses", data=build_course(), headers=ZIP)
    assert imported.status == 201, imported.body
    registration = await site.post("/registrations", {"course": imported.json()["id"], "actor": LEARNER})
    link = await site.post(f"/registrations/{registration['id']}/links", {})
    assert await _verbs(site, registration["id"]) == []

    await page.goto(link["url"])
    assert page.url.startswith(site.content)
    await expect(page.get_by_role("heading", name="Something happens")).to_be_visible()
    for _ in range(3):
        await page.locator("#next").click()
        await expect(page.locator("main")).to_have_attribute("aria-busy", "false")
    for question, answer in (("q1", "b"), ("q2", "a"), ("q3", "c")):
        await page.locator(f"#{question}-{answer}").check()
    await page.locator("#check").click()
    await expect(page.get_by_role("heading", name="Passed")).to_be_visible()
    await page.locator("#exit").click()

    await page.wait_for_url(f"{site.url}/cmi5/done")
    await expect(page.get_by_role("heading")).to_have_text("You can close this page")
    assert await _verbs(site, registration["id"]) == [
        "launched",
        "initialized",
        "completed",
        "answered",
        "answered",
        "answered",
        "passed",
        "satisfied",
        "satisfied",
        "terminated",
    ]
    progress = (await site.api.get(f"/registrations/{registration['id']}")).json()["progress"]
    assert progress["satisfied"] is True
    assert progress["children"][0]["children"][0]["score"] == 1
