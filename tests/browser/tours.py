"""Every page of the console, found by following its links, so that a page that is added is looked at, too."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import parse_qsl, urljoin, urlsplit

from playwright.async_api import Page

from tests.browser.site import Site

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Names in addresses: of sources of either kind, of adapters, of revisions.
_NAMES = (
    (re.compile(r"/sources/(adapter|credential)(?::|%3A)[^/]+"), r"/sources/\1:{name}"),
    (re.compile(r"/mappings/(?!playground)[^/]+"), "/mappings/{name}"),
    (re.compile(r"/[0-9a-f]{64}"), "/{revision}"),
)


@dataclass(frozen=True, slots=True)
class Stop:
    """A page: its path below `/admin` with the query, and its kind, which is one of many ids' or filters'."""

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


def matches(route: str, kind: str) -> bool:
    """Is this kind one of the route's pages?"""
    parts, given = route.split("/"), kind.partition("?")[0].split("/")
    return len(parts) == len(given) and all(
        one.startswith("{") or one == other for one, other in zip(parts, given, strict=True)
    )


async def _is_page(page: Page, url: str) -> bool:
    answer = await page.request.get(url)
    assert answer.status == 200, f"{url} answers {answer.status}"
    return answer.headers["content-type"].startswith("text/html")


def _kind(path: str) -> str:
    """Pages that differ in an id or in the values of filters are of one kind."""
    parts = urlsplit(path)
    names = sorted({name for name, value in parse_qsl(parts.query) if value})
    path = _UUID.sub("{id}", parts.path)
    for pattern, kind in _NAMES:
        path = pattern.sub(kind, path)
    return path + (f"?{'&'.join(names)}" if names else "")
