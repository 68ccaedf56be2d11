from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.browser.filled import fill
from tests.browser.pictures import FOLDER, PICTURES, take
from tests.browser.site import Site, sign_in
from tests.vendors import vendor_secrets

__all__ = ["vendor_secrets"]

pytestmark = pytest.mark.browser

_PAGE = (FOLDER.parent / "console.md").read_text()
_LARGEST = 1_500_000  # bytes of all pictures together


def test_the_page_about_the_console_shows_every_picture_and_says_what_is_on_it() -> None:
    shown = re.findall(r"^!\[(.+)\]\(pictures/([a-z-]+)\.webp\)$", _PAGE, re.MULTILINE)
    assert sorted(name for _, name in shown) == sorted(PICTURES)
    assert all(len(text) > 10 for text, _ in shown)


def test_the_pictures_are_there_and_small() -> None:
    assert sorted(file.name for file in FOLDER.iterdir()) == sorted(f"{name}.webp" for name in PICTURES)
    contents = [file.read_bytes() for file in FOLDER.iterdir()]
    assert all(content[:4] == b"RIFF" and content[8:12] == b"WEBP" for content in contents)
    assert sum(map(len, contents)) < _LARGEST


async def test_each_picture_can_be_taken_anew(
    vendor_secrets: None, site: Site, page: Page, tmp_path: Path
) -> None:
    await sign_in(site, page)
    await take(site, page, await fill(site), tmp_path)
    assert sorted(file.stem for file in tmp_path.iterdir()) == sorted(PICTURES)
    assert all(file.stat().st_size > 5_000 for file in tmp_path.iterdir())
