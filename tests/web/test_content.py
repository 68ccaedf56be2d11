from __future__ import annotations

import random
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession, DummyCookieJar, web
from hypothesis import given
from hypothesis import strategies as st

from gateway.app import build_content_app
from gateway.web.content import byte_range, content_type
from tests.gateway import Gateway, Http
from tests.web.au import course_zip, imported, launched

FILM = random.Random(1).randbytes(600_000)  # three chunks


@pytest.fixture
async def content(gateway: Gateway) -> AsyncIterator[Http]:
    """The content origin of the gateway."""
    runner = web.AppRunner(build_content_app({"main": gateway.services}), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with ClientSession(cookie_jar=DummyCookieJar()) as session:
            yield Http(session=session, base=f"http://127.0.0.1:{runner.addresses[0][1]}", headers={})
    finally:
        await runner.cleanup()


@pytest.fixture
async def version(gateway: Gateway) -> UUID:
    """A course with a page, a film and an empty file."""
    course = await imported(gateway, course_zip(film__mp4=FILM, empty__txt=b"", ü__js=b"1"))
    stored = await gateway.store.courses.get(UUID(course["id"]))
    assert stored is not None
    return stored.version


async def test_files_are_served_whole_with_the_right_headers(content: Http, version: UUID) -> None:
    page = await content.get(f"/{version}/index.html")
    assert (page.status, page.body) == (200, b"<!doctype html><title>AU</title>")
    assert page.headers["Content-Type"] == "text/html"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert "immutable" in page.headers["Cache-Control"]
    assert "Set-Cookie" not in page.headers
    film = await content.get(f"/{version}/film.mp4")
    assert (film.body == FILM, film.headers["Content-Type"]) == (True, "video/mp4")
    assert (await content.get(f"/{version}/empty.txt")).body == b""
    assert (await content.get(f"/{version}/%C3%BC.js")).body == b"1"


async def test_a_query_does_not_matter(content: Http, version: UUID) -> None:
    assert (await content.get(f"/{version}/index.html", {"endpoint": "x"})).status == 200


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=261119-261121", 261_119, 261_122),
        ("bytes=599999-", 599_999, 600_000),
        ("bytes=-5", 599_995, 600_000),
        ("bytes=100-9999999", 100, 600_000),
        ("bytes=-9999999", 0, 600_000),
    ],
)
async def test_a_range_is_served_as_such(
    content: Http, version: UUID, header: str, start: int, stop: int
) -> None:
    part = await content.get(f"/{version}/film.mp4", headers={"Range": header})
    assert (part.status, part.body == FILM[start:stop]) == (206, True)
    assert part.headers["Content-Range"] == f"bytes {start}-{stop - 1}/600000"


async def test_a_range_beyond_the_end_is_not_satisfiable(content: Http, version: UUID) -> None:
    part = await content.get(f"/{version}/film.mp4", headers={"Range": "bytes=600000-"})
    assert (part.status, part.headers["Content-Range"]) == (416, "bytes */600000")


async def test_a_range_of_a_file_that_has_changed_is_the_whole_file(content: Http, version: UUID) -> None:
    headers = {"Range": "bytes=0-0", "If-Range": '"another"'}
    assert (await content.get(f"/{version}/film.mp4", headers=headers)).status == 200


async def test_what_the_browser_has_is_not_sent_again(content: Http, version: UUID) -> None:
    etag = (await content.get(f"/{version}/film.mp4")).headers["ETag"]
    again = await content.get(f"/{version}/film.mp4", headers={"If-None-Match": etag})
    assert (again.status, again.body) == (304, b"")


async def test_head_has_the_headers_only(content: Http, version: UUID) -> None:
    head = await content("HEAD", f"/{version}/film.mp4")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", "600000")


async def test_there_is_nothing_beside_the_files(content: Http, version: UUID) -> None:
    missing = (
        "/",
        f"/{version}",
        f"/{version}/",
        f"/{version}/missing.html",
        f"/{version}/../{version}/index.html/",
        f"/{version}//index.html",
        f"/{str(version).upper()}/index.html",
        f"/{uuid4()}/index.html",
        "/healthz",
        "/xapi/about",
        "/api/v1/courses",
    )
    for path in missing:
        assert (await content.get(path)).status == 404, path
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        reply = await content(method, f"/{version}/index.html")
        assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD")


async def test_a_relative_au_url_leads_to_its_file(gateway: Gateway, content: Http, version: UUID) -> None:
    listed = await gateway.store.courses.list()
    au = await launched(gateway, str(listed[0].id))
    path = au.url.partition("?")[0].partition(str(version))[2]
    assert "own=1&endpoint=" in au.url
    assert au.url.endswith("#top")
    assert (await content.get(f"/{version}{path}")).status == 200


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b.JS", "text/javascript"),
        ("x.woff2", "font/woff2"),
        ("no-extension", "application/octet-stream"),
        ("strange.qqq", "application/octet-stream"),
        (".htaccess", "application/octet-stream"),
    ],
)
def test_types_follow_names(name: str, expected: str) -> None:
    assert content_type(name) == expected


@given(
    st.one_of(st.none(), st.text(), st.from_regex(r"bytes=\d*-\d*", fullmatch=True)), st.integers(0, 10**6)
)
def test_a_range_is_within_the_file_whatever_was_asked(header: str | None, size: int) -> None:
    wanted = byte_range(header, size)
    assert wanted is None or len(wanted) == 0 or (wanted.start >= 0 and wanted.stop <= size)
