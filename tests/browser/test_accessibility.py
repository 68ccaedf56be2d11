"""WCAG 2.2 AA on every page of the console, as far as axe-core can see it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page, Route, ViewportSize

from gateway.demo import samples
from gateway.web.console import ROUTES
from tests.browser.filled import Filled, fill
from tests.browser.site import Site, sign_in
from tests.browser.tours import tour
from tests.vendors import vendor_secrets

__all__ = ["vendor_secrets"]

pytestmark = pytest.mark.browser

_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
_LOOK = """async (runOnly) => {
  for (const closed of document.querySelectorAll("details")) closed.open = true;
  const found = await axe.run(document, { runOnly, resultTypes: ["violations"] });
  return found.violations.flatMap((rule) => rule.nodes.map((node) =>
    `${rule.id}: ${node.target.join(" ")} ${node.failureSummary.replaceAll("\\n", " ")}`));
}"""
# WCAG 1.4.10: only tables and examples scroll sideways. What reaches beyond the window, outermost first.
_WIDER = """() => {
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= wide) return [];
  const inside = (element) => element.parentElement.closest("[role=region], pre");
  return [...document.querySelectorAll("body *")]
    .filter((element) => element.getBoundingClientRect().right > wide && !inside(element))
    .map((element) => "wider than the window: " + element.outerHTML.slice(0, 120)).slice(0, 3);
}"""
_NARROW: ViewportSize = {"width": 320, "height": 800}
_WIDE: ViewportSize = {"width": 1280, "height": 800}
# What changes with the scheme, and with the width.
_COLOURS = ["color-contrast"]
_SHAPES = ["color-contrast", "target-size", "scrollable-region-focusable"]


async def violations(page: Page, where: str) -> list[str]:
    """What is wrong with the page that is open, in light and dark, wide and narrow; all of it is unfolded."""
    found = []
    await page.evaluate(AXE_SCRIPT)
    for width, scheme, rules in (
        (_WIDE, "light", _TAGS),
        (_WIDE, "dark", _COLOURS),
        (_NARROW, "dark", _SHAPES),
    ):
        await page.set_viewport_size(width)
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        seen = f"{where}, {width['width']} {scheme}"
        found += [f"{seen}: {one}" for one in await page.evaluate(_LOOK, rules)]
        found += [f"{seen}: {one}" for one in await page.evaluate(_WIDER)]
    return found


async def plain_violations(plain: Page, page: Page) -> list[str]:
    """What is wrong with the same page where none of its scripts ran, in light and narrow."""
    await plain.goto(page.url)
    await plain.evaluate(AXE_SCRIPT)
    found = await plain.evaluate(_LOOK, _TAGS) + await plain.evaluate(_WIDER)
    return [f"{page.url} without script: {one}" for one in found]


async def without_scripts(page: Page) -> Page:
    """A page of the same visitor that gets no script. Axe needs to run, so script is not forbidden."""
    browser = page.context.browser
    assert browser is not None
    context = await browser.new_context(
        storage_state=await page.context.storage_state(), viewport=_NARROW, reduced_motion="reduce"
    )

    async def refuse(route: Route) -> None:
        await route.abort()

    await context.route("**/*.js*", refuse)
    return await context.new_page()


async def test_no_page_of_the_console_has_a_barrier(vendor_secrets: None, site: Site, page: Page) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    await sign_in(site, page)
    plain = await without_scripts(page)
    await fill(site)
    found, seen = [], set()
    async for stop in tour(site, page):
        if (kind := stop.kind.partition("?")[0]) in seen:
            continue
        seen.add(kind)
        await page.goto(f"{site.url}/admin{stop.path}")
        found += await violations(page, stop.path)
        found += await plain_violations(plain, page)
    assert found == [], "\n".join(found)
    assert complaints == []
    missed = [
        route.path
        for route in ROUTES
        if route.method == "GET"
        and not route.path.endswith((".csv", ".ndjson", ".xml", ".zip", "/events"))
        and route.path not in {kind.partition(" ")[0] for kind in seen}
    ]
    assert missed == [], "no link leads there, or tests/browser/filled.py makes nothing that it shows"


async def _answers(site: Site, page: Page, filled: Filled) -> AsyncIterator[str]:
    """Fill in forms, rightly and wrongly; each time a page stands there that no link leads to."""
    admin = f"{site.url}/admin"

    async def press(name: str) -> str:
        await page.get_by_role("button", name=name, exact=True).first.click()
        return f"after {name}"

    await page.goto(f"{admin}/playground")
    await page.get_by_label("Adapter").select_option("zoom")
    await page.get_by_label("Payload").fill(json.dumps(samples.zoom_meeting(dt.datetime.now(dt.UTC))[0]))
    yield await press("Map it")
    await page.get_by_label("Payload").fill("{")
    yield await press("Map it")
    yield await press("Edit the mapping")
    await page.get_by_label("Mapping: zoom.yaml").fill("adapter: zoom\nversion: one\nrules: []\n")
    await page.get_by_label("Payload").fill("{}")
    yield await press("Map it with this text")
    await page.goto(f"{admin}/mappings/zoom")
    yield await press("Run its tests")
    await page.goto(f"{admin}/sources/adapter%3Azoom")
    await page.get_by_text("What it may send, beside").click()
    await page.get_by_label("Verbs", exact=True).fill("completed")
    yield await press("Save")
    await page.goto(f"{admin}/credentials")
    await page.get_by_role("textbox", name="Name").fill("Portal")
    yield await press("Create")
    await page.get_by_label("cmi5", exact=True).check()
    yield await press("Create")
    await page.goto(f"{admin}/people")
    await page.get_by_label("Login").fill("lea")
    await page.get_by_role("textbox", name="Name").fill("Lea Stern")
    await page.get_by_label("analyst").check()
    yield await press("Add, and make a link")
    invitation = (await page.locator(".copy").inner_text()).strip()
    await page.goto(f"{admin}/deliveries?state=failed")
    await page.get_by_role("checkbox").nth(1).check()
    yield await press("Try mapping the chosen ones again")
    await page.goto(f"{admin}/courses")
    await page.locator("details summary").first.click()
    file = {"name": "a.xml", "mimeType": "application/xml", "buffer": b"<courseStructure/>"}
    await page.locator("input[type=file]").set_input_files(file)  # type: ignore[arg-type]
    yield await press("Import")
    await page.goto(f"{admin}/courses/{filled.course}")
    yield await press("Preview The mill")
    await page.goto(f"{admin}/courses/{filled.course}")
    await page.get_by_label("Home page of their account").fill("https://id.example.edu")
    await page.get_by_label("Account", exact=True).fill("  ")
    yield await press("Register")
    await page.get_by_label("Home page for lines without one").fill("https://id.example.edu")
    file = {"name": "class.csv", "mimeType": "text/csv", "buffer": b"account,name\nmira,Mira\nada,Ada\n"}
    await page.get_by_label("Table (CSV in UTF-8)").set_input_files(file)  # type: ignore[arg-type]
    yield await press("Read the table")
    await page.goto(f"{admin}/registrations/{filled.registration}")
    yield await press("Make a link")
    await page.goto(f"{admin}/courses/nothing")
    yield "a page that is not there"
    await page.goto(admin)
    await press("Sign out")
    yield "signed out"
    await page.get_by_label("Login").fill("admin")
    await page.get_by_label("Password").fill("a guess that is wrong")
    yield await press("Sign in")
    await page.goto(f"{admin}/welcome/of-nobody")
    yield "a link that was used"
    await page.goto(invitation)
    yield "an invitation"


async def test_no_answer_to_a_form_and_no_page_outside_has_a_barrier(
    vendor_secrets: None, site: Site, page: Page
) -> None:
    await sign_in(site, page)
    filled = await fill(site)
    found = []
    async for where in _answers(site, page, filled):
        await page.wait_for_load_state()
        found += await violations(page, f"{where}: {await page.title()}")
    assert found == [], "\n".join(found)
