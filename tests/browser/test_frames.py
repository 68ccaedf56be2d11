"""A learner's link in a frame of a portal: what needs a window of its own gets one, the rest runs there."""

from __future__ import annotations

import io
import zipfile

import pytest
from playwright.async_api import Page, expect

from tests.browser.site import Site
from tests.cmi5.samples import au_xml, structure_xml
from tests.web.au import LEARNER, ZIP

pytestmark = pytest.mark.browser

_AU = b"""<!doctype html><title>AU</title><h1>Lesson</h1>
<script>document.title = window.top === window ? "window" : "frame"</script>"""


def _package(method: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        au = au_xml(1, url="index.html").replace("<au ", f'<au launchMethod="{method}" ')
        archive.writestr("cmi5.xml", structure_xml(au))
        archive.writestr("index.html", _AU)
    return packed.getvalue()


async def _framed(site: Site, page: Page, method: str) -> None:
    """A page of somebody else that shows a link which works once in a frame."""
    imported = await site.api.post("/courses", data=_package(method), headers=ZIP)
    registration = await site.post("/registrations", {"course": imported.json()["id"], "actor": LEARNER})
    link = await site.post(f"/registrations/{registration['id']}/links", {"once": True})
    await page.set_content(f'<!doctype html><title>Portal</title><iframe src="{link["url"]}"></iframe>')


async def test_an_au_that_needs_a_window_of_its_own_gets_one_by_a_click(site: Site, page: Page) -> None:
    await _framed(site, page, "OwnWindow")
    async with page.context.expect_page() as opened:
        await page.frame_locator("iframe").get_by_role("link", name="Open the course").click()
    window = await opened.value
    await expect(window.get_by_role("heading", name="Lesson")).to_be_visible()
    assert window.url.startswith(site.content)
    assert await window.title() == "window"


async def test_an_au_for_any_window_runs_in_the_frame(site: Site, page: Page) -> None:
    await _framed(site, page, "AnyWindow")
    await expect(page.frame_locator("iframe").get_by_role("heading", name="Lesson")).to_be_visible()
    assert await page.frame_locator("iframe").locator("html").evaluate("() => document.title") == "frame"
