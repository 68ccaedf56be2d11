"""Every page of the console, found by following its links, so that a page that is added is looked at, too."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

from playwright.async_api import Page

from gateway.web.console import ROUTES
from tests.browser.site import Site

_PAGES = sorted((route.path for route in ROUTES if route.method == "GET"), key=lambda path: path.count("{"))


@dataclass(frozen=True, slots=True)
class Stop:
    """A page: its path below `/admin` with the query, and its kind, of which there may be many pages."""

    path: str
    kind: str


async def tour(site: Site, page: Page) -> AsyncIterator[Stop]:
    """Open one page of each kind that links lead to, from Home on. What is downloaded is no page."""
    admin = f"{site.url}/admin"
    waiting, known = deque(["/"]), {"/"}
    while waiting:
        path = waiting.popleft()
        yield Stop(path, _kind(path))
        links = await page.evaluate("[...document.querySelectorAll('a[href]')].map((a) => a.href)")
        for link in links:
            target = urljoin(page.url, link).partition("#")[0]
            if not target.startswith(f"{admin}/"):
                continue
            there = target.removeprefix(admin)
            if (kind := _kind(there)) not in known:
                known.add(kind)
                if await _is_page(page, target):
                    waiting.append(there)


async def _is_page(page: Page, url: str) -> bool:
    answer = await page.request.get(url)
    assert answer.status == 200, f"{url} answers {answer.status}"
    return answer.headers["content-type"].startswith("text/html")


def _kind(path: str) -> str:
    """Pages that differ in an id or in the values of filters are of one kind; ids such as `adapter:zoom` are
    told apart by what comes before the colon.
    """
    parts = urlsplit(path)
    given = unquote(parts.path).split("/")
    names = sorted({name for name, value in parse_qsl(parts.query) if value})
    query = f"?{'&'.join(names)}" if names else ""
    for page in _PAGES:
        wanted = page.split("/")
        if len(wanted) == len(given):
            pairs = list(zip(wanted, given, strict=True))
            if all(one.startswith("{") or one == other for one, other in pairs):
                sorts = [other.partition(":")[0] for one, other in pairs if one != other and ":" in other]
                return page + "".join(f" {sort}" for sort in sorts) + query
    return parts.path + query
