from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from gateway.app import people_of
from tests.browser.conftest import Site
from tests.gateway import settings_for
from tests.web.au import LEARNER, XML, course_xml
from tests.web.console import PASSWORD

pytestmark = pytest.mark.browser

_PROBE = """() => {
  const read = (element, name) => getComputedStyle(element)[name].match(/[\\d.]+/g).map(Number);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = read(at, "backgroundColor");
      if (color.length < 4 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const light = (color) => {
    const [r, g, b] = color.slice(0, 3).map((part) => part / 255)
      .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const texts = [...document.querySelectorAll("body *")].filter((element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return texts.map((element) => {
    const [a, b] = [light(read(element, "color")), light(ground(element))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), element.tagName + ": " + element.textContent.trim().slice(0, 40)];
  });
}"""


async def signed_in(site: Site, page: Page) -> None:
    """Use the first link, as whoever started the gateway does."""
    link = await people_of(settings_for(site.store.name), site.store).first_link("main")
    await page.goto(f"{site.url}/admin/welcome/{link}")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_label("The same again").fill(PASSWORD)
    await page.get_by_role("button", name="Save and sign in").click()
    await expect(page.get_by_role("heading", name="Home", level=1)).to_be_visible()


async def _filled(site: Site) -> None:
    imported = await site.api.post("/courses", data=course_xml(), headers=XML)
    assert imported.status == 201, imported.body
    await site.post("/registrations", {"course": imported.json()["id"], "actor": LEARNER})


async def test_the_first_person_gets_in_and_reads_every_page_in_every_width_and_scheme(
    site: Site, page: Page
) -> None:
    await _filled(site)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    await signed_in(site, page)
    await expect(page.get_by_role("rowheader", name="Geology")).to_be_visible()
    # The reader's zone, with UTC at hand.
    await expect(page.locator("time").first).to_have_attribute("title", re.compile("UTC$"))
    links = await page.get_by_role("navigation").get_by_role("link").all()
    paths = [await link.get_attribute("href") for link in links]
    assert len(paths) >= 2
    for path in paths:
        for scheme, width in (("light", 1280), ("dark", 320)):
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            await page.set_viewport_size({"width": width, "height": 800})
            await page.goto(f"{site.url}{path}")
            # WCAG 1.4.10: only tables and examples scroll sideways; 1.4.3: text stands out.
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
            contrasts = await page.evaluate(_PROBE)
            assert len(contrasts) > 10
            assert [(text, ratio) for ratio, text in contrasts if ratio < 4.5] == [], (path, scheme)
    assert complaints == []


async def test_a_keyboard_is_enough_and_so_is_a_browser_without_script(site: Site, page: Page) -> None:
    await signed_in(site, page)
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
