from __future__ import annotations

import re

import pytest
from playwright.async_api import Page

from tests.browser.filled import fill
from tests.browser.site import Site, sign_in
from tests.vendors import vendor_secrets

__all__ = ["vendor_secrets"]

pytestmark = pytest.mark.browser

# A4 less the margins of a browser, in pixels.
_PAPER = 717
# What would be cut off on paper, which does not scroll.
_CUT = """() => [...document.querySelectorAll("main *")]
  .filter((one) => one.checkVisibility() && !one.classList.contains("unseen"))
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1
    || (getComputedStyle(one).overflowX !== "visible" && one.scrollWidth > one.clientWidth + 1)
    || (getComputedStyle(one).overflowY !== "visible" && one.scrollHeight > one.clientHeight + 1))
  .map((one) => one.outerHTML.slice(0, 100))"""
_SHADES = """() => [...document.querySelectorAll("main, main *")].filter((one) => one.checkVisibility())
  .map((one) => [getComputedStyle(one), one.outerHTML.slice(0, 80)])
  .flatMap(([style, text]) => [["ground", style.backgroundColor, text], ["ink", style.color, text]])
  .map(([kind, color, text]) => [kind, color.match(/[\\d.]+/g).map(Number), text])
  .filter(([kind, color]) => color[3] !== 0)
  .filter(([kind, [r, g, b]]) => kind === "ground" ? r + g + b < 700 : r + g + b > 450)"""


async def test_the_pages_of_leaders_and_others_are_printed_whole_and_black_on_white(
    vendor_secrets: None, site: Site, page: Page
) -> None:
    await sign_in(site, page)
    filled = await fill(site)
    await page.set_viewport_size({"width": _PAPER, "height": 1000})
    await page.emulate_media(media="print", color_scheme="dark", reduced_motion="reduce")
    course, registration = f"/courses/{filled.course}", f"/registrations/{filled.registration}"
    for path in ("/", "/statements", "/deliveries", "/system", course, registration, "/leaders"):
        await page.goto(f"{site.url}/admin{path}")
        assert await page.evaluate(_CUT) == [], path
        assert await page.evaluate(_SHADES) == [], path
        assert not await page.get_by_role("navigation").first.is_visible()
        assert not await page.get_by_role("button").first.is_visible()
    headings = await page.get_by_role("heading").all_inner_texts()
    assert len(headings) == 7
    printed = await page.pdf(format="A4", outline=True, tagged=True)
    outline = re.findall(rb"/Title \(([^)]*)\)", printed)
    told = {re.sub(r"\W", "", title.decode()) for title in outline}
    assert {re.sub(r"\W", "", heading) for heading in headings} <= told
    assert 1 <= len(re.findall(rb"/Type /Page\b", printed)) <= 2
