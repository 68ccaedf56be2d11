from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from gateway.demo import build_course
from tests.browser.site import Site, sign_in
from tests.web.au import XML, course_xml
from tests.web.console import PASSWORD

pytestmark = pytest.mark.browser


async def test_the_first_person_gets_in_and_reads_times_of_their_own_zone(site: Site, page: Page) -> None:
    imported = await site.api.post("/courses", data=course_xml(), headers=XML)
    assert imported.status == 201, imported.body
    await sign_in(site, page)
    await expect(page.get_by_role("rowheader", name="Geology")).to_be_visible()
    # The reader's zone, with UTC at hand.
    await expect(page.locator("time").first).to_have_attribute("title", re.compile("UTC$"))


async def test_a_keyboard_is_enough_and_so_is_a_browser_without_script(site: Site, page: Page) -> None:
    await sign_in(site, page)
    await page.goto(f"{site.url}/admin/")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    browser = page.context.browser
    assert browser is not None
    state = await page.context.storage_state()
    context = await browser.new_context(java_script_enabled=False, storage_state=state)
    plain = await context.new_page()
    await plain.goto(f"{site.url}/admin/")
    await expect(plain.locator("time").first).to_contain_text("UTC")
    await plain.get_by_role("button", name="Sign out").click()
    await expect(plain.get_by_role("heading", name="Sign in")).to_be_visible()
    await plain.get_by_label("Login").fill("admin")
    await plain.get_by_label("Password").fill(PASSWORD)
    await plain.keyboard.press("Enter")
    await expect(plain.get_by_role("heading", name="Home", level=1)).to_be_visible()
    await context.close()


async def test_a_course_is_imported_and_taken_by_a_learner_who_gets_a_link(
    site: Site, page: Page, tmp_path: Path
) -> None:
    package = tmp_path / "course.zip"
    package.write_bytes(build_course())
    await sign_in(site, page)
    await page.get_by_role("link", name="Courses").click()
    await page.locator("input[type=file]").set_input_files(package)
    await page.get_by_role("button", name="Import").click()
    await expect(page.get_by_role("status")).to_have_text("The course was imported.")

    await page.get_by_label("Home page of their account").fill("https://id.example.edu")
    await page.get_by_label("Account", exact=True).fill("mira")
    await page.get_by_role("button", name="Register", exact=True).click()
    await expect(page.get_by_role("heading", name="mira")).to_be_visible()
    registration = page.url
    await page.get_by_role("button", name="Make a link").click()
    link = await page.get_by_role("region", name="Link").inner_text()

    browser = page.context.browser
    assert browser is not None
    learner = await browser.new_page()
    await learner.goto(link.strip())
    await expect(learner.get_by_role("heading", name="Something happens")).to_be_visible()
    for _ in range(3):
        await learner.locator("#next").click()
        await expect(learner.locator("main")).to_have_attribute("aria-busy", "false")
    for question, answer in (("q1", "b"), ("q2", "a"), ("q3", "c")):
        await learner.locator(f"#{question}-{answer}").check()
    await learner.locator("#check").click()
    await expect(learner.get_by_role("heading", name="Passed")).to_be_visible()
    await learner.locator("#exit").click()
    await learner.wait_for_url(f"{site.url}/cmi5/done")

    await page.goto(registration)
    await expect(page.get_by_text("1 of 1 units met")).to_be_visible()
    await expect(page.locator("h1 .badge")).to_have_text("satisfied")
    await page.get_by_role("link", name="all of this registration").click()
    await expect(page.get_by_role("row")).to_have_count(11)
    await page.get_by_role("link", name=re.compile("^Details of: mira passed")).click()
    await expect(page.get_by_role("region", name="JSON")).to_contain_text('"scaled": 1')


async def test_a_credential_is_created_and_revoked(site: Site, page: Page) -> None:
    await sign_in(site, page)
    await page.get_by_role("link", name="Credentials").click()
    await page.get_by_role("textbox", name="Name").fill("Moodle")
    await page.get_by_label("statements/read", exact=True).check()
    await page.get_by_role("button", name="Create").click()
    key, secret = await page.locator("code.copy").nth(0).inner_text(), page.locator("code.copy").nth(1)
    assert await site.store.credentials.authenticate(key, await secret.inner_text()) is not None
    await page.get_by_role("link", name="Back to the credentials").click()
    await page.locator("summary", has_text="Revoke Moodle").click()
    await page.get_by_role("button", name="Revoke Moodle for good").click()
    await expect(page.get_by_role("rowheader", name="Moodle")).to_contain_text("revoked")
    revoked = await site.store.credentials.get(key)
    assert revoked is not None
    assert revoked.revoked is not None


async def test_times_are_chosen_in_the_zone_of_the_reader_and_stand_in_the_address_as_utc(
    site: Site, page: Page
) -> None:
    await sign_in(site, page)
    browser = page.context.browser
    assert browser is not None
    state = await page.context.storage_state()
    context = await browser.new_context(storage_state=state, timezone_id="Asia/Kolkata")
    there = await context.new_page()
    for path, name in (
        ("statements", "Stored after (your time)"),
        ("deliveries", "Received from (your time)"),
    ):
        await there.goto(f"{site.url}/admin/{path}")
        await there.get_by_label(name).fill("2026-03-01T05:29")
        await there.get_by_role("button", name="Filter").click()
        await there.wait_for_url(re.compile(r"since=2026-02-28T23%3A59&"))
        await expect(there.get_by_label(name)).to_have_value("2026-03-01T05:29")
        await expect(there.locator("[name=until]")).to_have_value("")
    await context.close()
