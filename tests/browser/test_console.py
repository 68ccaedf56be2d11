from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from gateway.app import people_of
from gateway.demo import build_course
from tests.browser.conftest import Site
from tests.gateway import settings_for
from tests.web.au import LEARNER, XML, course_xml
from tests.web.console import PASSWORD

pytestmark = pytest.mark.browser

# What assistive technology stumbles over (WCAG 1.3.1, 2.1.1, 2.4.2, 2.4.6, 3.1.1, 4.1.2), as complaints.
_BARRIERS = """() => {
  const found = [];
  const all = (what) => [...document.querySelectorAll(what)];
  const texts = (ids) => ids.split(" ").filter(Boolean)
    .map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
  const name = (element) => (element.getAttribute("aria-label")
    || texts(element.getAttribute("aria-labelledby") ?? "")
    || [...(element.labels ?? [])].map((label) => label.textContent).join(" ")
    || element.textContent).trim();
  for (const control of all("input:not([type=hidden]), select, textarea, button, a, [role=region]")) {
    if (!name(control)) found.push("no name: " + control.outerHTML.slice(0, 90));
  }
  const ids = all("[id]").map((element) => element.id);
  for (const id of ids.filter((id, at) => ids.indexOf(id) !== at)) found.push("id twice: " + id);
  for (const list of ["aria-describedby", "aria-labelledby"]) {
    for (const element of all(`[${list}]`)) {
      for (const id of element.getAttribute(list).split(" ")) {
        if (!document.getElementById(id)) found.push(list + " refers to nothing: " + id);
      }
    }
  }
  const regions = all("[role=region], section[aria-labelledby]").map(name);
  for (const one of regions.filter((each, at) => regions.indexOf(each) !== at)) found.push("twice: " + one);
  const levels = all("h1, h2, h3, h4, h5, h6").map((heading) => Number(heading.tagName[1]));
  if (levels[0] !== 1 || levels.lastIndexOf(1) !== 0) found.push("not one h1 first: " + levels);
  if (levels.some((level, at) => at && level > levels[at - 1] + 1)) found.push("a heading skips: " + levels);
  if (document.documentElement.lang !== "en" || !document.title) found.push("no language or title");
  if (all("main").length !== 1) found.push("not one main");
  for (const table of all("table")) {
    if ([...table.querySelectorAll("th")].some((cell) => !cell.scope)) found.push("a header without scope");
    if (!table.closest("[role=region][tabindex]")) found.push("a table that no keyboard can scroll");
  }
  return found;
}"""

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
    launch = {"au": 0, "actor": LEARNER}
    await site.post(f"/courses/{imported.json()['id']}/launch", launch)


async def _details(page: Page, site: Site) -> list[str | None]:
    """A page of each kind that lists lead to."""
    found: list[str | None] = []
    for path, kind in (("/admin/courses", "/courses/"), ("", "/registrations/"), ("/admin/statements", "")):
        await page.goto(f"{site.url}{path or found[-1]}")
        link = page.locator(f"main a[href*='{kind or '/statements/'}']").first
        found.append(await link.get_attribute("href"))
    return found


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
    assert len(paths) == 10
    paths += await _details(page, site)
    for path in paths:
        for scheme, width in (("light", 1280), ("dark", 320)):
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            await page.set_viewport_size({"width": width, "height": 800})
            await page.goto(f"{site.url}{path}")
            # WCAG 1.4.10: only tables and examples scroll sideways; 1.4.3: text stands out.
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert await page.evaluate(_BARRIERS) == [], path
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


async def test_a_course_is_imported_and_taken_by_a_learner_who_gets_a_link(
    site: Site, page: Page, tmp_path: Path
) -> None:
    package = tmp_path / "course.zip"
    package.write_bytes(build_course())
    await signed_in(site, page)
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
    await signed_in(site, page)
    await page.get_by_role("link", name="Credentials").click()
    await page.get_by_role("textbox", name="Name").fill("Moodle")
    await page.get_by_label("statements/read", exact=True).check()
    await page.get_by_role("button", name="Create").click()
    key, secret = await page.locator("code.copy").nth(0).inner_text(), page.locator("code.copy").nth(1)
    assert await site.store.credentials.authenticate(key, await secret.inner_text()) is not None
    await page.get_by_role("link", name="Back to the credentials").click()
    await page.get_by_role("button", name="Revoke Moodle").click()
    await expect(page.get_by_role("rowheader", name="Moodle")).to_contain_text("revoked")
    revoked = await site.store.credentials.get(key)
    assert revoked is not None
    assert revoked.revoked is not None
