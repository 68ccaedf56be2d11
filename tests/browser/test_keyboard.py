"""Everything by keyboard alone: nothing is out of reach, nothing holds the focus, and it is always seen."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from gateway.demo import build_course
from tests.browser.filled import fill
from tests.browser.site import Site, sign_in
from tests.browser.tours import tour
from tests.vendors import vendor_secrets
from tests.web.au import ZIP
from tests.web.console import PASSWORD

__all__ = ["vendor_secrets"]

pytestmark = pytest.mark.browser

# What has the focus: its name, whether the way has come round to it again, and what is wrong with how it is
# seen (WCAG 2.4.7, 2.4.11, 2.5.8). A link in a sentence may be as small as the sentence. A field for a time
# has several parts, each a step.
_FOCUSED = """() => {
  const one = document.activeElement;
  if (one === document.body || one === null) return null;
  const labels = [...(one.labels ?? [])];
  const names = [one.getAttribute("aria-label"), labels.map((each) => each.textContent).join(" "),
    one.textContent, one.getAttribute("name"), one.tagName];
  const wrong = [];
  const style = getComputedStyle(one);
  const ring = style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth);
  if (ring < 2) wrong.push("the focus is not seen");
  const box = one.getBoundingClientRect();
  const middle = (from, to, most) => Math.min(Math.max((from + to) / 2, 1), most - 1);
  const there = document.elementFromPoint(
    middle(box.left, box.right, innerWidth), middle(box.top, box.bottom, innerHeight));
  const its = there && (one.contains(there) || there.contains(one) || labels.includes(there));
  if (box.bottom < 1 || box.top > innerHeight - 1 || !its) wrong.push("it is hidden or covered");
  const area = labels[0]?.getBoundingClientRect() ?? box;
  if (style.display !== "inline" && Math.min(area.width, area.height) < 24) {
    wrong.push(`it is ${area.width} by ${area.height}`);
  }
  const again = one.dataset.walked === "1" && window.walkedLast !== one;
  one.dataset.walked = "1";
  window.walkedLast = one;
  const closed = one.tagName === "SUMMARY" && !one.parentElement.open;
  return { name: names.find((each) => each?.trim()).replace(/\\s+/g, " ").trim(), again, wrong, closed };
}"""
# What the way through a page did not meet.
_REACHABLE = """() => [...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")]
  .filter((one) => !one.disabled && one.dataset.walked !== "1")
  .filter((one) => one.checkVisibility({ visibilityProperty: true }))
  .map((one) => one.outerHTML.slice(0, 120))"""
_MOST_STEPS = 400


async def walked(page: Page) -> list[str]:
    """Press Tab from the beginning until the page is left, unfolding what is folded; what is wrong there."""
    found = []
    for _ in range(_MOST_STEPS):
        await page.keyboard.press("Tab")
        here = await page.evaluate(_FOCUSED)
        if here is None or here["again"]:
            break
        found += [f"{page.url}: {here['name'][:60]}: {one}" for one in here["wrong"]]
        if here["closed"]:
            await page.keyboard.press("Enter")
    else:
        found.append(f"{page.url} is not left after {_MOST_STEPS} steps")
    return found + [f"{page.url}: never reached: {one}" for one in await page.evaluate(_REACHABLE)]


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until something of that name has the focus."""
    for _ in range(_MOST_STEPS):
        await page.keyboard.press("Tab")
        here = await page.evaluate(_FOCUSED)
        if here is not None and here["name"] == name:
            return
    pytest.fail(f"the keyboard does not reach {name} on {page.url}")


async def test_every_control_of_every_page_is_reached_seen_and_left(
    vendor_secrets: None, site: Site, page: Page
) -> None:
    await sign_in(site, page)
    await fill(site)
    found = []
    async for stop in tour(site, page):
        if "?" not in stop.kind:
            await page.goto(f"{site.url}/admin{stop.path}")
            found += await walked(page)
    assert found == [], "\n".join(found)


async def test_a_learner_is_enrolled_and_gets_to_the_content_by_keyboard_alone(
    site: Site, page: Page
) -> None:
    imported = await site.api.post("/courses", data=build_course(), headers=ZIP)
    assert imported.status == 201, imported.body
    title = imported.json()["title"]
    await sign_in(site, page)
    await tab_to(page, "Sign out")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.keyboard.type("admin")  # the field has the focus
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Home", level=1)).to_be_visible()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    await page.goto(f"{site.url}/admin/")
    await tab_to(page, "Courses")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Courses", level=1)).to_be_visible()
    await tab_to(page, title)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
    await tab_to(page, "Home page of their account")
    await page.keyboard.type("https://id.example.edu")
    await page.keyboard.press("Tab")
    await page.keyboard.type("mira")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="mira", level=1)).to_be_visible()
    await tab_to(page, "Make a link")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="A link for mira")).to_be_visible()
    link = (await page.get_by_role("region", name="Link").inner_text()).strip()
    await page.goto(link)
    await expect(page.get_by_role("heading", name="Something happens")).to_be_visible()
    first = await page.locator("main").inner_text()
    next_step = (await page.locator("#next").inner_text()).strip()
    await tab_to(page, next_step)
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_have_attribute("aria-busy", "false")
    await expect(page.locator("main")).not_to_have_text(first, use_inner_text=True)
