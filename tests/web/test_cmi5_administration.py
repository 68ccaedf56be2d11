"""What an administrator does with courses over REST: find, name, tag, version, export, delete."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from base64 import b64encode
from typing import Any
from uuid import UUID, uuid4

from gateway.store.registrations import RegistrationFilter
from tests.cmi5.samples import au_xml
from tests.gateway import Gateway
from tests.waiting import until
from tests.web.au import LEARNER, XML, ZIP, api, course_xml, course_zip, imported, launched, verbs


async def _pages(gateway: Gateway, path: str, key: str, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        reply = await api(gateway).get(path, {**query, **cursor})
        assert reply.status == 200, reply.body
        found += reply.json()[key]
        if reply.json()["more"] is None:
            return found
        cursor = {"cursor": reply.json()["more"]}


async def test_courses_are_listed_in_pages_and_found_by_name_and_tag(gateway: Gateway) -> None:
    ids = [(await imported(gateway))["id"] for _ in range(5)]
    listed = await _pages(gateway, "/courses", "courses", limit="2")
    assert [each["id"] for each in listed] == ids[::-1]
    path = f"/courses/{ids[1]}"
    named = await api(gateway)("PATCH", path, body={"name": " Engines (2026) ", "tags": ["a", " a", "ö"]})
    assert (named.json()["title"], named.json()["tags"]) == ("Engines (2026)", ["a", "ö"])
    for query in ({"search": "engines (20"}, {"tag": "ö"}, {"tag": "a", "search": "ENGINES"}):
        assert [each["id"] for each in await _pages(gateway, "/courses", "courses", **query)] == [ids[1]]
    assert await _pages(gateway, "/courses", "courses", tag="b") == []
    again = await api(gateway)("PATCH", path, body={"name": None})
    assert (again.json()["title"], again.json()["tags"]) == (listed[0]["title"], ["a", "ö"])
    for body in ({"name": " "}, {"tags": "a"}, {"tags": [1]}, {"tags": ["\0"]}, {"title": "x"}):
        assert (await api(gateway)("PATCH", path, body=body)).status == 400
    assert (await api(gateway)("PATCH", f"/courses/{uuid4()}", body={"name": "x"})).status == 404
    early = b64encode(f"0001-01-01T00:00:00+23:59 {uuid4()}".encode()).decode()
    for cursor in ("nonsense", "é", early):
        assert (await api(gateway).get("/courses", {"cursor": cursor})).status == 400


async def test_versions_can_be_listed_chosen_and_asked_for(gateway: Gateway) -> None:
    course = await imported(gateway, course_xml(au_xml(1)))
    path = f"/courses/{course['id']}"
    second = await api(gateway).post(f"{path}/versions", data=course_xml(au_xml(1), au_xml(2)), headers=XML)
    assert second.json()["aus"][0]["id"] == course["aus"][0]["id"]
    found = (await api(gateway).get(f"{path}/versions")).json()["versions"]
    assert [(each["version"], each["current"]) for each in found] == [(2, True), (1, False)]
    old = await api(gateway).post(
        "/registrations", body={"course": course["id"], "actor": LEARNER, "version": 1}
    )
    tree = (await api(gateway).get(f"/registrations/{old.json()['id']}")).json()["progress"]
    assert len(tree["children"]) == 1
    assert (await api(gateway).put(f"{path}/version", body={"version": 1})).json()["version"] == 1
    new = await api(gateway).post("/registrations", body={"course": course["id"], "actor": LEARNER})
    tree = (await api(gateway).get(f"/registrations/{new.json()['id']}")).json()["progress"]
    assert len(tree["children"]) == 1
    assert len((await api(gateway).get(path, {"version": "2"})).json()["aus"]) == 2
    third = await api(gateway).post(f"{path}/versions", data=course_xml(au_xml(2)), headers=XML)
    assert third.json()["version"] == 3
    assert third.json()["aus"][0]["id"] == second.json()["aus"][1]["id"]
    for body in ({"version": 9}, {"version": 0}, {"version": "1"}, {}):
        status = 404 if body == {"version": 9} else 400
        assert (await api(gateway).put(f"{path}/version", body=body)).status == status
    assert (await api(gateway).get(path, {"version": "4"})).status == 404
    assert (await api(gateway).get(path, {"version": "one"})).status == 400


async def test_an_exported_package_imports_as_the_same_course(gateway: Gateway) -> None:
    big = bytes(range(256)) * 4000
    sent = course_zip(media__bin=big, ünï__txt=b"text")
    course = await imported(gateway, sent)
    path = f"/courses/{course['id']}"
    exported = await api(gateway).get(f"{path}/package")
    assert exported.headers["Content-Type"] == "application/zip"
    assert exported.headers["Content-Disposition"].endswith('-1.zip"')
    with zipfile.ZipFile(io.BytesIO(sent)) as before, zipfile.ZipFile(io.BytesIO(exported.body)) as after:
        assert after.testzip() is None
        assert {name: after.read(name) for name in after.namelist()} == {
            name: before.read(name) for name in before.namelist()
        }
        structure = before.read("cmi5.xml")
    assert (await api(gateway).get(f"{path}/structure")).body == structure
    again = await imported(gateway, exported.body)
    shown = [(await api(gateway).get(f"/courses/{each['id']}")).json() for each in (course, again)]
    for one in shown:
        for changing in ("id", "lmsId", "created", "updated"):
            del one[changing]
        for au in one["aus"]:
            del au["id"]
    assert shown[0] == shown[1]
    files = (await api(gateway).get(f"{path}/files")).json()["files"]
    assert {each["path"]: each["size"] for each in files}["media.bin"] == len(big)


async def test_a_bare_structure_is_exported_as_it_came_and_as_a_package_of_itself(gateway: Gateway) -> None:
    sent = course_xml(au_xml(1), au_xml(2))
    course = await imported(gateway, sent)
    path = f"/courses/{course['id']}"
    assert (await api(gateway).get(f"{path}/structure")).body == sent
    exported = (await api(gateway).get(f"{path}/package")).body
    assert len((await imported(gateway, exported))["aus"]) == 2


async def test_a_course_with_registrations_is_only_deleted_by_force(gateway: Gateway) -> None:
    course = await imported(gateway, course_zip())
    au = await launched(gateway, course["id"])
    path = f"/courses/{course['id']}"
    refused = await api(gateway).delete(path)
    assert (refused.status, refused.error["code"]) == (409, "conflict")
    assert "1 registration" in refused.error["message"]
    assert (await api(gateway).delete(path, {"force": "yes"})).status == 400
    assert (await api(gateway).delete(path, {"force": "true"})).status == 204
    assert (await api(gateway).delete(path, {"force": "true"})).status == 404
    for gone in (path, f"/registrations/{au.registration}", f"/sessions/{au.session}"):
        assert (await api(gateway).get(gone)).status == 404
    assert await verbs(gateway, au.registration) == ["launched", "abandoned"]
    database = gateway.store.client[gateway.store.name]
    for collection in ("course_files.files", "course_files.chunks", "course_versions", "course_uploads"):
        assert await database[collection].count_documents({}) == 0
    assert (await au.fetch()).json()["error-code"] == "2"


async def test_an_import_can_go_on_after_its_answer(gateway: Gateway) -> None:
    headers = {**ZIP, "Prefer": "respond-async; wait=0"}
    started = await api(gateway).post("/courses", data=course_zip(), headers=headers)
    assert (started.status, started.headers["Preference-Applied"]) == (202, "respond-async")
    assert started.headers["Location"] == started.json()["url"]
    job = f"/imports/{started.json()['id']}"

    async def over(path: str) -> dict[str, Any] | None:
        found: dict[str, Any] = (await api(gateway).get(path)).json()
        return found if found["state"] in ("done", "refused") else None

    done = await until(lambda: over(job))
    assert (done["state"], done["error"]) == ("done", None)
    course = done["imported"]["id"]
    assert (await api(gateway).get(f"/courses/{course}")).status == 200
    version = await api(gateway).post(f"/courses/{course}/versions", data=course_zip(), headers=headers)
    assert (await until(lambda: over(f"/imports/{version.json()['id']}")))["imported"]["version"] == 2
    wrong = await api(gateway).post("/courses", data=b"<course/>", headers={**XML, "Prefer": "respond-async"})
    refused = await until(lambda: over(f"/imports/{wrong.json()['id']}"))
    assert (refused["state"], refused["error"]["code"]) == ("refused", "invalid")
    assert refused["error"]["problems"]
    assert (await api(gateway).get(f"/imports/{uuid4()}")).status == 404
    nowhere = await api(gateway).post(f"/courses/{uuid4()}/versions", data=course_zip(), headers=headers)
    assert nowhere.status == 404


async def test_an_import_whose_process_died_is_seen_to_be_lost(gateway: Gateway) -> None:
    started = await api(gateway).post(
        "/courses", data=course_zip(), headers={**ZIP, "Prefer": "respond-async"}
    )
    job = started.json()["id"]
    imports = gateway.store.client[gateway.store.name]["course_imports"]

    async def done() -> bool:
        return bool((await api(gateway).get(f"/imports/{job}")).json()["state"] == "done")

    await until(done)
    # As the process leaves it that dies in the middle.
    await imports.update_many(
        {},
        [{"$set": {"state": "running", "seen": {"$subtract": ["$created", 600_000]}}}, {"$unset": "outcome"}],
    )
    assert (await api(gateway).get(f"/imports/{job}")).json()["state"] == "lost"


async def test_overrides_can_be_read_at_course_and_registration_and_cascade(gateway: Gateway) -> None:
    course = await imported(gateway, course_xml(au_xml(1, attributes='masteryScore="0.5"')))
    path = f"/courses/{course['id']}/overrides"
    assert (await api(gateway).get(path)).json() == {}
    await api(gateway).put(path, body={"masteryScore": 0.7, "launchParameters": "of the course"})
    assert (await api(gateway).get(path)).json() == {"masteryScore": 0.7, "launchParameters": "of the course"}
    made = await api(gateway).post("/registrations", body={"course": course["id"], "actor": LEARNER})
    registration = made.json()["id"]
    own = f"/registrations/{registration}/overrides"
    changed = await api(gateway).put(own, body={"launchParameters": "of the registration"})
    assert changed.json()["overrides"] == {"launchParameters": "of the registration"}
    assert (await api(gateway).get(own)).json() == {"launchParameters": "of the registration"}
    first = await launched(gateway, course["id"], registration=registration)
    second = await launched(
        gateway, course["id"], registration=registration, launchParameters="of the launch"
    )
    data = [(await each.shown())["launchData"] for each in (first, second)]
    assert [each["launchParameters"] for each in data] == ["of the registration", "of the launch"]
    assert [each["masteryScore"] for each in data] == [0.7, 0.7]
    assert (await api(gateway).put(own, body={"masteryscore": 1})).status == 400
    assert (await api(gateway).get(f"/registrations/{uuid4()}/overrides")).status == 404


async def test_a_preview_shows_a_course_and_leaves_no_trace_in_reports(gateway: Gateway) -> None:
    course = await imported(gateway, course_xml(au_xml(1), au_xml(2)))
    path = f"/courses/{course['id']}"
    shown = await api(gateway).post(f"{path}/preview", body={"au": 1})
    assert (shown.status, shown.json()["launchMode"]) == (200, "Browse")
    assert (await api(gateway).post(f"{path}/preview")).status == 200
    assert (await api(gateway).get("/registrations")).json()["registrations"] == []
    table = (await api(gateway).get(f"{path}/progress.csv")).body.decode().splitlines()
    assert len(table) == 1
    only = (await api(gateway).get("/registrations", {"preview": "true"})).json()["registrations"]
    for which in ({}, {"course": course["id"]}, {"open": "true"}):
        assert (await api(gateway).get("/sessions", which)).json()["sessions"] == []
        seen = (await api(gateway).get("/sessions", {**which, "preview": "true"})).json()["sessions"]
        assert {each["registration"] for each in seen} == {each["id"] for each in only}
    own = (await api(gateway).get("/sessions", {"registration": only[0]["id"]})).json()["sessions"]
    assert len(own) == 1
    assert only[0]["actor"]["account"]["homePage"].endswith("/cmi5/preview")
    assert len({each["actor"]["account"]["name"] for each in only}) == 2
    assert all(LEARNER["account"]["name"] not in json.dumps(each["actor"]) for each in only)
    assert (await api(gateway).post(f"{path}/preview", body={"au": 7})).status == 404
    assert (await api(gateway).post(f"{path}/preview", body={"launchMode": "Normal"})).status == 400
    assert len((await api(gateway).get("/registrations", {"preview": "true"})).json()["registrations"]) == 2
    assert (await api(gateway).delete(path)).status == 204
    assert (await api(gateway).get("/registrations", {"preview": "true"})).json()["registrations"] == []


async def test_who_is_registered_while_the_course_is_deleted_leaves_no_registration_behind(
    gateway: Gateway,
) -> None:
    for _ in range(5):
        course = (await imported(gateway))["id"]
        body = {"course": course, "actor": LEARNER}
        answers = await asyncio.gather(
            *(api(gateway).post("/registrations", body=body) for _ in range(8)),
            api(gateway).delete(f"/courses/{course}", {"force": "true"}),
            *(api(gateway).post("/registrations", body=body) for _ in range(8)),
        )
        assert answers[8].status == 204
        assert {each.status for each in answers} <= {201, 204, 404}
        assert await gateway.store.registrations.list(RegistrationFilter(course=UUID(course))) == []


async def test_deleting_without_force_beside_a_registration_takes_away_one_of_the_two(
    gateway: Gateway,
) -> None:
    # Or neither of them comes about; but never a registration without its course.
    possible = {(204, False, 404, 0), (409, True, 201, 1), (409, True, 404, 0)}
    for _ in range(5):
        course = (await imported(gateway))["id"]
        made, deleted = await asyncio.gather(
            api(gateway).post("/registrations", body={"course": course, "actor": LEARNER}),
            api(gateway).delete(f"/courses/{course}"),
        )
        there = (await api(gateway).get(f"/courses/{course}")).status == 200
        left = await gateway.store.registrations.list(RegistrationFilter(course=UUID(course)))
        assert (deleted.status, there, made.status, len(left)) in possible


async def test_a_large_course_is_gone_at_once_and_emptied_in_the_background(gateway: Gateway) -> None:
    course = (await imported(gateway, course_zip()))["id"]
    body = {"course": course, "actor": LEARNER}
    ids = [(await api(gateway).post("/registrations", body=body)).json()["id"] for _ in range(5)]
    link = (await api(gateway).post(f"/registrations/{ids[0]}/links")).json()["url"]
    removals, stored = gateway.services.removals, await gateway.store.courses.get(UUID(course))
    assert stored is not None
    assert not await removals.delete_course(UUID(course), force=True, at_once=2)
    for reply in (
        await api(gateway).get(f"/courses/{course}"),
        await api(gateway).delete(f"/courses/{course}", {"force": "true"}),
        await api(gateway).post("/registrations", body=body),
        await gateway.http().at(link)("GET", ""),
    ):
        assert reply.status == 404
    assert course not in (await api(gateway).get("/courses")).body.decode()
    async with asyncio.timeout(60):
        while await gateway.store.course_files.all(stored.version):
            await asyncio.sleep(0.01)
    for identity in ids:
        assert (await api(gateway).get(f"/registrations/{identity}")).status == 404
