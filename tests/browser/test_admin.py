from __future__ import annotations

import pytest
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.browser.conftest import Site
from tests.gateway import KEY, SECRET
from tests.web.au import LEARNER, XML, course_xml

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


async def _signed_in(page: Page, **options: object) -> tuple[BrowserContext, Page]:
    browser = page.context.browser
    assert isinstance(browser, Browser)
    credentials = {"username": KEY, "password": SECRET}
    context = await browser.new_context(http_credentials=credentials, **options)  # type: ignore[arg-type]
    return context, await context.new_page()


async def _filled(site: Site) -> None:
    imported = await site.api.post("/courses", data=course_xml(), headers=XML)
    assert imported.status == 201, imported.body
    await site.post("/registrations", {"course": imported.json()["id"], "actor": LEARNER})


async def test_a_browser_with_credentials_shows_the_page_without_a_complaint(site: Site, page: Page) -> None:
    await _filled(site)
    context, console = await _signed_in(page)
    errors: list[str] = []
    console.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    shown = await console.goto(f"{site.url}/admin")
    assert shown is not None
    assert shown.status == 200
    assert console.url == f"{site.url}/admin/"
    await expect(console.get_by_role("heading", name="Geology")).to_be_visible()
    await expect(console.locator("#courses li")).to_contain_text("Registrations")
    assert errors == []
    await context.close()


@pytest.mark.parametrize("width", [320, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_is_readable_in_every_width_and_scheme(
    site: Site, page: Page, width: int, scheme: str
) -> None:
    await _filled(site)
    viewport: ViewportSize = {"width": width, "height": 800}
    context, console = await _signed_in(page, color_scheme=scheme, viewport=viewport)
    await console.goto(f"{site.url}/admin/")
    # WCAG 1.4.10: nothing but examples scrolls sideways; 1.4.3: text stands out.
    assert await console.evaluate("document.documentElement.scrollWidth") <= width
    contrasts = await console.evaluate(_PROBE)
    assert len(contrasts) > 40
    assert [(text, ratio) for ratio, text in contrasts if ratio < 4.5] == []
    await context.close()


async def test_the_keyboard_reaches_the_content_first_and_one_click_selects_an_example(
    site: Site, page: Page
) -> None:
    context, console = await _signed_in(page)
    await console.goto(f"{site.url}/admin/")
    await console.keyboard.press("Tab")
    await expect(console.get_by_role("link", name="Skip to the content")).to_be_focused()
    await console.keyboard.press("Enter")
    await expect(console.locator("#main")).to_be_focused()
    example = console.get_by_role("region", name="Example: Learning Record Store")
    await example.click()
    selected = await console.evaluate("getSelection().toString()")
    assert selected.strip() == (await example.inner_text()).strip()
    assert f"{site.url}/xapi/statements" in selected
    await context.close()
