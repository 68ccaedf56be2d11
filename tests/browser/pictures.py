"""`python -m tests.browser.pictures [FOLDER]`: the pictures of docs/console.md, of a gateway with samples.

With `--all` every page of the console instead, in light and dark, wide and narrow, to be looked at.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import re
import sys
import tempfile
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.async_api import Page, expect

from gateway.demo import samples
from gateway.store.connection import connect
from tests.browser.filled import Filled, fill
from tests.browser.site import Site, chromium, running_site, sign_in
from tests.browser.tours import tour
from tests.mongo import drop_databases, mongo_for_the_run, new_database_name
from tests.vendors import ZOOM_SECRET

FOLDER: Final = Path(__file__).parents[2] / "docs" / "pictures"
_WIDTH = 1220
_HERE = FOLDER.parents[1]
# Pictures do not tell where they were taken.
_ELSEWHERE = """(here) => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    texts.currentNode.data = texts.currentNode.data.replaceAll(here, "/srv/xapi-gateway");
  }
}"""
_SMALL = """async (seen) => {
  const image = new Image();
  image.src = `data:image/png;base64,${seen}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL("image/webp", 0.85).split(",")[1];
}"""


@dataclass(frozen=True, slots=True)
class Picture:
    """Where it is taken, below `/admin`; how many pixels of the page it shows; links to follow before."""

    path: str
    height: int
    links: tuple[str, ...] = ()


PICTURES: Final[Mapping[str, Picture]] = {
    # First, before it is full of pages that were read for pictures.
    "audit": Picture("/audit?outcome=done", 640),
    "home": Picture("/", 900),
    "live": Picture("/live", 720),
    "statements": Picture("/statements", 720),
    "statement": Picture("/statements?verb=http%3A%2F%2Factivitystrea.ms%2Fjoin", 700, ("Details of:",)),
    "sources": Picture("/sources/adapter:zoom", 800),
    "reports": Picture("/reports", 900),
    "deliveries": Picture("/deliveries", 560),
    "delivery": Picture("/deliveries?state=failed", 700, ("Details of the delivery",)),
    "mapping": Picture("/mappings/zoom", 760),
    "playground": Picture("/playground", 900),
    "course": Picture("/courses/{course}", 900),
    "registration": Picture("/registrations/{registration}", 800),
    "session": Picture("/courses/{course}", 640, ("Details of the session",)),
    "credentials": Picture("/credentials", 820),
    "people": Picture("/people", 480),
    "leaders": Picture("/leaders", 900),
    "system": Picture("/system", 640),
}


@asynccontextmanager
async def shown_site(uri: str) -> AsyncIterator[tuple[Site, Page]]:
    """A gateway, and a page of somebody who is signed in."""
    os.environ["ZOOM_SECRET_TOKEN"] = ZOOM_SECRET
    database = new_database_name()
    try:
        async with (
            connect(uri, app_name="pictures") as client,
            running_site(client, database) as site,
            chromium() as browser,
        ):
            page = await browser.new_page(timezone_id="Europe/Zurich", locale="en-GB")
            await sign_in(site, page)
            yield site, page
    finally:
        await asyncio.to_thread(drop_databases, uri, [database])


async def take(site: Site, page: Page, filled: Filled, folder: Path) -> None:
    """The pictures of the documentation, as WebP, which Chromium makes of what it shows."""
    browser = page.context.browser
    assert browser is not None
    canvas = await browser.new_page()
    await page.emulate_media(color_scheme="light", reduced_motion="reduce")
    for name, picture in PICTURES.items():
        path = picture.path.format(course=filled.course, registration=filled.registration)
        await page.set_viewport_size({"width": _WIDTH, "height": picture.height})
        await page.goto(f"{site.url}/admin{path}")
        for link in picture.links:
            await page.get_by_role("link", name=re.compile(f"^{re.escape(link)}")).first.click()
            await page.wait_for_load_state()
        if name == "live":
            await expect(page.locator("[data-live=state]")).to_have_text("live")
        if name == "playground":
            await _play(page)
        await page.evaluate(_ELSEWHERE, str(_HERE))
        seen = b64encode(await page.screenshot(animations="disabled")).decode()
        picture_file = folder / f"{name}.webp"
        picture_file.write_bytes(b64decode(await canvas.evaluate(_SMALL, seen)))
    await canvas.close()


async def _play(page: Page) -> None:
    event = samples.zoom_meeting(dt.datetime.now(dt.UTC))[0]
    await page.get_by_label("Adapter").select_option("zoom")
    await page.get_by_label("Payload").fill(json.dumps(event))
    await page.get_by_role("button", name="Map it").click()
    await page.get_by_role("heading", name="What becomes of it").scroll_into_view_if_needed()


async def take_all(site: Site, page: Page, folder: Path) -> None:
    """Every page that links lead to, whole."""
    async for stop in tour(site, page):
        name = re.sub(r"[^a-z]+", "-", stop.kind).strip("-") or "home"
        for scheme, width in (("light", 1280), ("dark", 320), ("dark", 1280), ("light", 320)):
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            await page.set_viewport_size({"width": width, "height": 800})
            await page.goto(f"{site.url}/admin{stop.path}")
            await page.screenshot(path=folder / f"{name}-{scheme}-{width}.png", full_page=True)


async def _run(uri: str, folder: Path, *, everything: bool) -> None:
    async with shown_site(uri) as (site, page):
        filled = await fill(site)
        await (take_all(site, page, folder) if everything else take(site, page, filled, folder))


def main() -> None:
    arguments = [one for one in sys.argv[1:] if one != "--all"]
    everything = len(arguments) < len(sys.argv[1:])
    folder = Path(arguments[0] if arguments else (tempfile.mkdtemp() if everything else FOLDER))
    folder.mkdir(parents=True, exist_ok=True)
    with mongo_for_the_run() as uri:
        asyncio.run(_run(uri, folder, everything=everything))
    made = [*folder.glob("*.png"), *folder.glob("*.webp")]
    size = sum(each.stat().st_size for each in made)
    sys.stdout.write(f"{folder}: {len(made)} pictures, {size / 1e6:.2f} MB\n")


if __name__ == "__main__":
    main()
