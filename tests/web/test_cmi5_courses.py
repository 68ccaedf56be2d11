from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from aiohttp import FormData, MultipartWriter

from gateway.demo import build_course
from tests.cmi5.samples import au_xml, block_xml, structure_xml
from tests.gateway import Gateway
from tests.web.au import (
    LEARNER,
    XML,
    ZIP,
    api,
    course_xml,
    course_zip,
    imported,
    launched,
)

UNKNOWN = "5b4f2f6e-5d9a-4f0e-8a51-6f6d3a1f0c11"
Serve = Callable[..., AbstractAsyncContextManager[Gateway]]


async def _is_empty(gateway: Gateway) -> bool:
    database = gateway.store.client[gateway.store.name]
    names = ("courses", "course_versions", "course_files.files", "course_files.chunks")
    return [await database[name].count_documents({}) for name in names] == [0, 0, 0, 0]


async def test_a_package_is_imported_with_its_aus_in_order(gateway: Gateway) -> None:
    answer = await imported(gateway, build_course())
    assert answer["title"] == "How a learning record is made"
    assert [au["title"] for au in answer["aus"]] == ["From something learned to a record of it"]
    assert answer["warnings"] == []
    assert answer["aus"][0]["id"].startswith(f"{gateway.url}/cmi5/courses/{answer['id']}/")
    listed = (await api(gateway).get("/courses")).json()["courses"]
    assert [course["id"] for course in listed] == [answer["id"]]
    shown = (await api(gateway).get(f"/courses/{answer['id']}")).json()
    assert (shown["files"], shown["aus"][0]["masteryScore"]) == (4, 0.6)


@pytest.mark.parametrize(
    "content_type", ["application/zip", "application/x-zip-compressed", "application/octet-stream", None]
)
async def test_types_that_browsers_and_tools_give_a_zip_are_taken(
    gateway: Gateway, content_type: str | None
) -> None:
    reply = await api(gateway).post("/courses", data=course_zip(), headers={"Content-Type": content_type})
    assert reply.status == 201


async def test_a_form_with_a_file_is_taken(gateway: Gateway) -> None:
    form = FormData()
    form.add_field("note", "not the file")
    form.add_field("file", course_zip(), filename="course.zip", content_type="application/zip")
    body = form()
    headers = {"Content-Type": body.headers["Content-Type"]}
    reply = await api(gateway).post("/courses", data=body, headers=headers)
    assert reply.status == 201, reply.body
    empty = MultipartWriter("form-data")
    headers = {"Content-Type": empty.headers["Content-Type"]}
    assert (await api(gateway).post("/courses", data=empty, headers=headers)).status == 400


async def test_every_finding_is_answered_and_nothing_is_stored(gateway: Gateway) -> None:
    xml = structure_xml(
        au_xml(1, url="relative.html"), au_xml(1), block_xml(1, au_xml(2)), block_xml(1, au_xml(3))
    )
    reply = await api(gateway).post("/courses", data=xml, headers=XML)
    assert (reply.status, reply.error["code"]) == (400, "invalid")
    requirements = {problem["requirement"] for problem in reply.error["problems"]}
    assert requirements >= {"cmi5 14.2.0.0-1", "cmi5 13.1.4.0-1", "cmi5 13.1.2.0-1"}
    assert await _is_empty(gateway)


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"# a course", "text/markdown"),
        (b"no zip at all", "application/zip"),
        (b"", "application/zip"),
        (b"PK\x03\x04 cut off", "application/zip"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", "text/xml"),
    ],
)
async def test_what_is_no_course_is_refused(gateway: Gateway, content: bytes, content_type: str) -> None:
    reply = await api(gateway).post("/courses", data=content, headers={"Content-Type": content_type})
    assert reply.status == 400
    assert reply.error["problems"]
    assert await _is_empty(gateway)


async def test_a_file_that_turns_out_damaged_takes_the_whole_course_along(gateway: Gateway) -> None:
    package = bytearray(course_zip(a__js=b"a" * 300_000))
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        info = archive.getinfo("a.js")
    data = info.header_offset + 30 + len("a.js")
    package[data + 20] ^= 0xFF
    reply = await api(gateway).post("/courses", data=bytes(package), headers=ZIP)
    assert reply.status == 400
    assert "a.js" in reply.error["problems"][0]["path"]
    assert await _is_empty(gateway)


async def test_an_upload_beyond_the_limit_is_cut_off(serve: Serve) -> None:
    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 65_536

    async with serve(cmi5__max_package="1MiB") as gateway:
        streamed = await api(gateway).post("/courses", data=unannounced(), headers=ZIP)
        assert streamed.status == 413
        announced = await api(gateway).post("/courses", data=io.BytesIO(b"x" * 1_100_000), headers=ZIP)
        assert announced.status == 413


async def test_unusual_and_wrong_title_languages_do_not_break_launches(gateway: Gateway) -> None:
    for language in (b"x-klingon", b"a-b"):
        xml = course_xml(au_xml(1, attributes='moveOn="NotApplicable"')).replace(b'"en"', b'"%b"' % language)
        course = await imported(gateway, xml)
        assert (await launched(gateway, course["id"])).session


async def test_a_new_version_keeps_ids_and_leaves_registrations_alone(gateway: Gateway) -> None:
    course = await imported(gateway, course_xml(au_xml(1)))
    old = await launched(gateway, course["id"])
    new = course_xml(au_xml(1, url="https://content.example.org/new.html"), au_xml(2))
    reply = await api(gateway).post(f"/courses/{course['id']}/versions", data=new, headers=XML)
    assert reply.status == 201, reply.body
    assert (reply.json()["version"], len(reply.json()["aus"])) == (2, 2)
    assert reply.json()["aus"][0]["id"] == course["aus"][0]["id"]
    again = await launched(gateway, course["id"], registration=old.registration)
    assert again.url.startswith("https://content.example.org/1/index.html")
    fresh = await launched(gateway, course["id"])
    assert fresh.url.startswith("https://content.example.org/new.html")


async def test_overrides_of_a_course_reach_every_launch_and_are_themselves_overridden(
    gateway: Gateway,
) -> None:
    course = await imported(gateway, course_xml(au_xml(1, attributes='masteryScore="0.6"')))
    overrides = {"masteryScore": 0.8, "launchParameters": "from the course", "launchMode": "Browse"}
    path = f"/courses/{course['id']}/overrides"
    assert (await api(gateway).put(path, body=overrides)).json()["overrides"] == overrides
    au = await launched(gateway, course["id"], launchParameters="from the launch")
    await au.fetch()
    data = (await au.state("GET", "LMS.LaunchData")).json()
    assert (data["masteryScore"], data["launchMode"]) == (0.8, "Browse")
    assert data["launchParameters"] == "from the launch"
    wrong = await api(gateway).put(path, body={"masteryScore": 7, "launchMode": "Fast", "colour": "red"})
    assert {problem["path"] for problem in wrong.error["problems"]} == {
        "masteryScore",
        "launchMode",
        "colour",
    }


async def test_courses_are_found_by_what_their_title_holds(gateway: Gateway) -> None:
    course = await imported(gateway)
    for search, expected in (
        ("GEO", [course["id"]]),
        ("courses.example.org", [course["id"]]),
        (".*x", []),
        ("\0", []),
    ):
        found = (await api(gateway).get("/courses", {"search": search})).json()["courses"]
        assert [each["id"] for each in found] == expected


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/courses"),
        ("POST", "/courses"),
        ("GET", "/registrations"),
        ("POST", "/registrations"),
        ("GET", "/sessions"),
        ("POST", f"/courses/{UNKNOWN}/launch"),
    ],
)
async def test_management_needs_its_scope(gateway: Gateway, method: str, path: str) -> None:
    assert (await gateway.http("/api/v1")(method, path)).status == 401
    reader = (await gateway.client("reader", "all/read", "state")).at(f"{gateway.url}/api/v1")
    assert (await reader(method, path)).status == 403
    manager = (await gateway.client("manager", "cmi5")).at(f"{gateway.url}/api/v1")
    assert (await manager(method, path)).status in (200, 400)


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({}, {"course", "actor"}),
        ({"course": "x", "actor": {}}, {"course", "actor"}),
        ({"course": 5, "actor": {"mbox": "mailto:ada@example.org"}, "id": []}, {"course", "actor", "id"}),
        ({"actor": {"account": {"homePage": "x", "name": 5}}}, {"course", "actor.account"}),
        ({"learner": LEARNER}, {"learner", "course", "actor"}),
    ],
)
async def test_what_is_wrong_with_a_registration_is_said_at_once(
    gateway: Gateway, body: dict[str, Any], paths: set[str]
) -> None:
    reply = await api(gateway).post("/registrations", body=body)
    assert reply.status == 400
    found = {problem["path"] for problem in reply.error["problems"]}
    assert all(any(each.startswith(path) for each in found) for path in paths), found


@pytest.mark.parametrize("data", [b"", b"[]", b'"x"', b"{", b'{"au": 1, "au": 2}', b"\xff"])
async def test_bodies_that_are_no_object_are_refused(gateway: Gateway, data: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    reply = await api(gateway).post("/registrations", data=data, headers=headers)
    assert reply.status == 400


@pytest.mark.parametrize(
    "path",
    ["/courses/x", "/registrations/x", "/sessions/x", "/sessions/5b4f2f6e-5d9a-4f0e-8a51-6f6d3a1f0c11"],
)
async def test_what_is_not_there_is_not_found(gateway: Gateway, path: str) -> None:
    assert (await api(gateway).get(path)).status == 404


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "x"}, {"limit": "²"}, {"page": "2"}])
async def test_queries_are_read_strictly(gateway: Gateway, query: dict[str, str]) -> None:
    for path in ("/courses", "/registrations", "/sessions"):
        assert (await api(gateway).get(path, query)).status == 400
